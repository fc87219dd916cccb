"""The samples of each rank of a training: which, in which order, in which epoch."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from torch import distributed
from torch.utils.data import Dataset, DistributedSampler, IterableDataset

from augfn.errors import explain, warn


class IndexedDataset(Dataset[Any]):
    """A map-style dataset whose samples bring their index, so that a batch can be augmented on the device it was sent to.

    * A tuple `(image, label)` becomes `(image, label, index)`, a dict gets `"other_index"` (a name with "other" passes through
      augmentations), all else becomes `(sample, index)`.
    * `IndexedDataset(Subset(data, rows))` counts in the subset, `Subset(IndexedDataset(data), rows)` in the whole.

    With `af.sample_keys(key, index, epoch)`, or `aug(x, index=index, epoch=epoch)` of a module, a sample's draw is then that of
    `AugmentedDataset`: its index, the epoch and the key say what is drawn, on any number of ranks.

    >>> import torch, augfn as af
    >>> from torch.utils.data import DataLoader
    >>> for x, label, index in DataLoader(IndexedDataset([(torch.rand(3, 8, 8), 7)] * 4), batch_size=2):
    ...     y, _ = af.rotate()(x, None, af.sample_keys(af.key(0), index, epoch=0))
    >>> index
    tensor([2, 3])
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> Any:
        sample, index = self.dataset[i], i % len(self)
        if isinstance(sample, Mapping):
            return {**sample, "other_index": index}
        return (*sample, index) if isinstance(sample, tuple) else (sample, index)


class RankSampler(DistributedSampler[Any]):
    """torch's `DistributedSampler`, whose `set_epoch` reaches the dataset too: one call for the order and for the draws.

    Rank r of n takes the entries r, r + n, r + 2 n, ... of the order, which `seed` and the epoch alone shuffle. So a sample's
    draw is the same for any number of ranks, and n batches of B, one of each rank, are the batch of n B that one rank would see.

    * `num_replicas`, `rank`: those of `torch.distributed`; 1 and 0 where there is no process group.
    * `pad=True` (training): where n does not divide the dataset, the first samples of the order come once more, so that all
      ranks have as many. A repeated sample has the same index, and so the same draw. `drop_last=True` leaves the last ones out.
    * `pad=False` (evaluation): each sample once, and some ranks have one more. A forward pass must then not wait for other
      ranks: call the module within `DistributedDataParallel` (`model.module(x)`). A sharded net waits in each layer: pad, and
      count each index of `IndexedDataset` once.
    * `set_epoch(epoch)`: before each epoch, on every rank, also of a training that goes on. A shuffled epoch that is run twice
      warns. Datasets within `Subset`, `ConcatDataset` or `IndexedDataset` hear of it.

    >>> import torch, augfn as af
    >>> from torch.utils.data import DataLoader
    >>> data = af.AugmentedDataset([torch.rand(3, 8, 8)] * 5, af.rotate(), af.key(0))
    >>> sampler = RankSampler(data)
    >>> loader = DataLoader(data, batch_size=2, sampler=sampler)
    >>> for epoch in range(2):
    ...     sampler.set_epoch(epoch)
    ...     for x in loader:
    ...         pass
    >>> [list(RankSampler(data, 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    >>> [list(RankSampler(data, 2, rank, shuffle=False, pad=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3]]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
        *,
        pad: bool = True,
    ) -> None:
        if isinstance(dataset, IterableDataset) or not hasattr(dataset, "__len__"):
            want, fix = (
                "a dataset with indices and a length",
                "nodesplitter=wds.split_by_node splits a WebDataset by rank",
            )
            raise TypeError(explain("RankSampler: a stream", dataset, want, fix))
        if (num_replicas is None) != (rank is None):
            given, fix = f"num_replicas={num_replicas}, rank={rank}", "RankSampler(data) within a process group"
            raise ValueError(explain("RankSampler: half a rank", given, "both or neither", fix))
        if drop_last and not pad:
            given, fix = "drop_last=True, pad=False", "pad=False for evaluation, drop_last=True for training"
            raise ValueError(explain("RankSampler: two ways for the last samples", given, "one of them", fix))
        n, rank = (num_replicas, rank) if num_replicas is not None and rank is not None else place()
        if not 0 <= rank < n:
            given, fix = f"rank={rank}, num_replicas={n}", "the numbers that torch.distributed gives"
            raise ValueError(explain("RankSampler: no such rank", given, "0 <= rank < num_replicas", fix))
        super().__init__(dataset, n, rank, shuffle, seed, drop_last)
        if not pad:
            self.total_size, self.num_samples = len(dataset), len(range(rank, len(dataset), n))
        elif not self.num_samples:
            want, fix = "one for each rank", "more samples, fewer ranks, or drop_last=False"
            raise ValueError(explain("RankSampler: too few samples", f"{len(dataset)} for {n} ranks", want, fix))
        self.begun = -1  # the epoch that was begun last

    def __iter__(self) -> Iterator[Any]:
        if self.shuffle and self.begun == self.epoch:
            warn(
                f"epoch {self.epoch} once more, with the same order and draws: call sampler.set_epoch(epoch) before each"
            )
        self.begun = self.epoch
        return super().__iter__()

    def set_epoch(self, epoch: int) -> None:
        super().set_epoch(epoch)
        for dataset in within(self.dataset):
            if hasattr(dataset, "set_epoch"):
                dataset.set_epoch(epoch)


def place() -> tuple[int, int]:
    """The number of ranks and the own rank."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size(), distributed.get_rank()
    if (n := os.environ.get("WORLD_SIZE", "1")) != "1":
        want, fix = "a process group of as many", "torch.distributed.init_process_group() first"
        raise RuntimeError(explain("RankSampler: ranks that do not know each other", f"WORLD_SIZE={n}", want, fix))
    return 1, 0


def within(dataset: Any, seen: tuple[Any, ...] = ()) -> Iterator[Any]:
    """A dataset and those that it is made of."""
    yield dataset
    seen = (*seen, dataset)
    for part in [getattr(dataset, "dataset", None), *(getattr(dataset, "datasets", None) or ())]:
        if part is not None and not any(part is other for other in seen):
            yield from within(part, seen)

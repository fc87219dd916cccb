"""Ray Data: a data set augmented by tasks or GPU actors, each sample with the draw of its index."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map, tree_map_only

from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.core.targets import OTHER, kind_of
from augfn.distributed.columns import Column, column, read, shapes_of, stack, unstack, written
from augfn.errors import explain, needs
from augfn.random import check_key, sample_keys


def ray_map(
    dataset: Any,
    f: Any,
    columns: Mapping[str, str],
    key: Tensor,
    *,
    index: str = "index",
    epoch: int = 0,
    params: Params | None = None,
    layout: str | None = None,
    alone: bool | None = None,
    batch_size: int = 32,
    concurrency: int | tuple[int, int] | None = None,
    num_gpus: float = 0,
    device: str | None = None,
    **options: Any,
) -> Any:
    """A Ray data set whose samples are augmented: `dataset.map_batches`, lazy as that is. Needs the extra `ray`.

    The draw of a sample is that of `sample_keys(key, index, epoch)`, as in `AugmentedDataset`: the same for any batch size,
    number of blocks, of workers or of machines, any order, and where a worker was killed and its batch is done again.

    * `f`: an augmentation, or a module of augfn_nn (as it is: in `eval()` what is random is left out). Not one that mixes
      samples, since the partners would be those of a batch: mix in the training loop.
    * `columns`: what each column is to f, by the names of targets: `{"image": "image", "bbox": "boxes_xywh"}`. All other columns
      are passed on. Arrays may differ in size from row to row.
    * `index`: the column with the number of the sample in the data set; `indexed(dataset)` adds one.
    * `params`: ranges or values in place of f's own, such as learned ones.
    * `alone`: True: each sample by itself on one thread, which gives the same bytes for any batch size. False: the samples of a
      batch that have the same shapes together, faster for small images and on a GPU; blurs and a few other ops then
      differ in the last bits of a float (up to 4e-6). None: True on a CPU, False on another device. A module that draws
      once for a batch (`same_on_batch`, `random_apply`) sees each sample alone.
    * `num_gpus`: 0: tasks on CPUs. More: actors with so many GPUs each (0.25: four share one) on `device`, "cuda".
    * `concurrency`: at most so many tasks; actors exactly so many, or (least, most).
    * `options`: what else `map_batches` takes, such as `num_cpus` and `memory`.

    Images: as they are stored. Arrays `[H, W]`, `[H, W, C]` and `[C, H, W]` of 1 to 4 channels are told by their shape, others by
    `layout`, and come back in that layout. Their dtype is what f gives: of integers f begins with `af.to_float()`,
    and to get bytes back it ends with `af.to_uint8()`. Masks keep their dtype.

    Boxes `[N, 4]` (the format is in the target's name, else xyxy) and keypoints `[N, 2]` keep their rows, so that other columns
    still belong to them; a boolean column more, `bbox_valid`, `points_visible`, says which are left in the frame.
    Keypoints `[N, 3]` have COCO's visibility as their third number. All of them are float32.

    Raises ValueError where the data set has no column of that name (at the call where the columns are known, else when it runs).

    >>> import augfn as af
    >>> f = af.pipeline(af.to_float(), af.hflip(p=0.5), af.rotate(), af.to_uint8())
    >>> augmented = ray_map(indexed(images), f, {"image": "image"}, af.key(0), epoch=3)  # doctest: +SKIP
    >>> loader = augmented.iter_torch_batches(batch_size=256)  # doctest: +SKIP
    """
    data = ray_data("ray_map")
    check_key(key)
    known = check_columns(dataset, f, columns, index)
    device = device or ("cuda" if num_gpus else "cpu")
    alone = device == "cpu" if alone is None else alone
    params = tree_map_only(Tensor, lambda v: v.detach().cpu(), params)
    settings = (f, params, known, key, index, epoch, layout, alone, device)
    least, most = concurrency if isinstance(concurrency, tuple) else (concurrency or 1, concurrency)
    if not num_gpus:
        work, compute = partial(augmented, Batches(*settings)), data.TaskPoolStrategy(most)
        return dataset.map_batches(work, compute=compute, batch_size=batch_size, **options)
    compute = data.ActorPoolStrategy(min_size=least, max_size=most)
    options |= {"fn_constructor_args": settings, "num_gpus": num_gpus}
    return dataset.map_batches(Batches, compute=compute, batch_size=batch_size, **options)


def indexed(dataset: Any, name: str = "index") -> Any:
    """The Ray data set with a column more, the number of each row in it: 0 to n - 1. Needs the extra `ray`.

    The rows are counted in the order that the data set has (of files, that in which they are listed), whatever the number of
    blocks. For that it runs at once, and its blocks stay in Ray's object store: where a data set is large, write the column when
    it is made.

    >>> indexed(ray.data.read_images("photos"))  # doctest: +SKIP
    """
    data = ray_data("indexed")
    import ray

    if name in (dataset.columns(fetch_if_missing=False) or ()):
        given, fix = list(dataset.columns()), f"ray_map(dataset, ..., index={name!r}), or another name"
        raise ValueError(explain(f"indexed: a column {name!r} is there", given, "a new name", fix))
    options = dataset.context.execution_options
    before, options.preserve_order = options.preserve_order, True  # else blocks come as they are done
    try:
        blocks = dataset.to_arrow_refs()
    finally:
        options.preserve_order = before
    count, add = ray.remote(rows_of), ray.remote(numbered)
    first = np.cumsum([0, *ray.get([count.remote(block) for block in blocks])])
    return data.from_arrow_refs([add.remote(block, name, int(n)) for block, n in zip(blocks, first, strict=False)])


def rows_of(block: Any) -> int:
    """The rows of an Arrow table; a function, since Ray takes no builtin."""
    return len(block)


def numbered(block: Any, name: str, first: int) -> Any:
    """An Arrow table with a column that counts on from `first`."""
    return block.add_column(0, name, [np.arange(first, first + len(block))])


def ray_data(what: str) -> Any:
    """The module `ray.data`."""
    try:
        import ray.data
    except ImportError as error:
        raise needs("ray", what, error) from error
    return ray.data


def check_columns(dataset: Any, f: Any, columns: Mapping[str, str], index: str) -> list[Column]:
    """The columns that f changes, with the kinds of their targets."""
    inner = getattr(f, "f", f)
    if not isinstance(inner, Augmentation):
        want = "an augmentation of augfn, or a module of augfn_nn"
        raise TypeError(
            explain("ray_map: not an augmentation", f, want, "dataset.map_batches(f) for any other function")
        )
    if inner.mixes:
        fix = "mix the batches in the training loop: mix(batch, None, key)"
        raise ValueError(explain("ray_map: f mixes samples", f, "an augmentation of each sample by itself", fix))
    if getattr(inner, "many", False):
        want, fix = "one output for each sample", "[ray_map(dataset, view, columns, k) for k in af.split(key)]"
        raise ValueError(explain("ray_map: f gives several views", f, want, fix))
    if not isinstance(columns, Mapping) or not columns:
        fix = 'columns={"image": "image"}'
        raise TypeError(explain("ray_map: columns", columns, "names of columns, each with the name of a target", fix))
    if len(set(columns.values())) < len(columns):
        fix = 'tell them apart by an ending: {"left": "image_left", "right": "image_right"}'
        raise ValueError(explain("ray_map: two columns for one target", columns, "a target for each", fix))
    there = dataset.columns(fetch_if_missing=False)
    if there is not None:
        check_there(there, columns, index)
    known = [(name, target, kind_of(target, inner.targets)) for name, target in columns.items()]
    if passed := [name for name, _, kind in known if kind == OTHER]:
        fix = "leave it out: all other columns are passed on"
        raise ValueError(explain(f"ray_map: {passed[0]!r} is not augmented", columns, "targets that f changes", fix))
    return known


def check_there(there: Sequence[str], columns: Sequence[str] | Mapping[str, str], index: str) -> None:
    """All columns that are asked for."""
    if index not in there:
        fix = "ray_map(augfn.distributed.indexed(dataset), ...), or index= the column that numbers the samples"
        raise ValueError(explain(f"ray_map: no column {index!r}", list(there), "the index of each sample", fix))
    if lacking := [name for name in columns if name not in there]:
        fix = "columns={a column's name: the target's name}"
        raise ValueError(explain(f"ray_map: no column {lacking[0]!r}", list(there), f"{list(columns)}", fix))


def augmented(batches: Batches, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A function for Ray's tasks."""
    return batches(batch)


class Batches:
    """Augments batches of columns, numpy arrays with an entry for each sample; a Ray actor where it has a GPU."""

    def __init__(
        self,
        f: Any,
        params: Params | None,
        columns: Sequence[Column],
        key: Tensor,
        index: str,
        epoch: int,
        layout: str | None,
        alone: bool,
        device: str,
    ) -> None:
        self.f = copy.deepcopy(f).to(device) if isinstance(f, torch.nn.Module) else f
        self.params, self.columns, self.key, self.index, self.epoch = params, columns, key, index, epoch
        self.layout, self.device = layout, device
        self.alone = alone or getattr(f, "shared", False) or getattr(f, "chooses", False)  # one draw for all of a call

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        check_there(list(batch), [name for name, _, _ in self.columns], self.index)
        torch.set_num_threads(1)  # the process is Ray's worker, one of as many as there are cores
        index = np.asarray(batch[self.index])
        if not len(index):
            return batch
        if index.dtype.kind not in "iu":
            want, fix = "whole numbers", "augfn.distributed.indexed(dataset, name), and index=name"
            raise TypeError(explain(f"ray_map: the column {self.index!r} is no index", index[:3], want, fix))
        keys = sample_keys(self.key, torch.from_numpy(index.astype(np.int64)), self.epoch)
        rows = [{name: batch[name][i] for name, _, _ in self.columns} for i in range(len(keys))]
        samples, layouts = zip(*(read(row, self.columns, self.layout) for row in rows), strict=True)
        samples = tree_map(lambda v: v.to(self.device), samples)
        with torch.no_grad():
            made = self.each(samples, keys) if self.alone else self.together(samples, keys)
        done = [written(y, self.columns, laid) for y, laid in zip(made, layouts, strict=True)]
        return batch | {name: column([row[name] for row in done]) for name in done[0]}

    def each(self, samples: Sequence[Any], keys: Tensor) -> list[Any]:
        """Every sample by itself."""
        if isinstance(self.f, Augmentation):
            return [self.f(x, self.params, key)[0] for x, key in zip(samples, keys, strict=True)]
        return [self.as_batch([x], key[None])[0] for x, key in zip(samples, keys, strict=True)]

    def together(self, samples: Sequence[Any], keys: Tensor) -> list[Any]:
        """The samples of the same shapes as batches."""
        groups: dict[Any, list[int]] = {}
        for i, x in enumerate(samples):
            groups.setdefault(shapes_of(x), []).append(i)
        made = {}
        for rows in groups.values():
            made |= dict(zip(rows, self.as_batch([samples[i] for i in rows], keys[rows]), strict=True))
        return [made[i] for i in range(len(samples))]

    def as_batch(self, samples: Sequence[Any], keys: Tensor) -> list[Any]:
        """Samples of the same shapes in one call."""
        x = stack(samples)
        if isinstance(self.f, Augmentation):
            y = self.f(x, self.params, keys)[0]
        else:
            y = self.f(x, params=self.params, generator=keys[0] if self.f.shared else keys)
        return unstack(y, len(samples))

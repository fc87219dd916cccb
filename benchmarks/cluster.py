"""The page on training on many nodes: what was measured, what is extrapolated, and how to do it."""

from __future__ import annotations

from typing import Any

from benchmarks.measure import header, table

TRAINING = """\
import os
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
import augfn as af
from augfn.distributed import IndexedDataset, RankSampler

dist.init_process_group("gloo")  # "nccl" on GPUs
data = [(torch.rand(3, 32, 32), i % 2) for i in range(64)]  # any map-style dataset
augment = af.pipeline(af.hflip(p=0.5), af.rotate(degrees=(-15, 15)))
key = af.key(0)  # the same on every rank: no rank is folded in
net = DistributedDataParallel(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 2)))
optimizer = torch.optim.SGD(net.parameters(), 0.01)

dataset = IndexedDataset(data)  # on the device
# dataset = af.AugmentedDataset(data, augment, key)            # in the loader's workers
sampler = RankSampler(dataset)  # torch's DistributedSampler, which tells the dataset its epoch
loader = DataLoader(dataset, batch_size=8, sampler=sampler)  # num_workers=8, persistent_workers=True, pin_memory=True
first = 0
if os.path.exists("last.pt"):
    first, weights, moments = torch.load("last.pt")
    net.load_state_dict(weights)
    optimizer.load_state_dict(moments)
for epoch in range(first, 2):
    sampler.set_epoch(epoch)
    for x, label, index in loader:
        x, _ = augment(x, None, af.sample_keys(key, index, epoch))
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(net(x), label).backward()
        optimizer.step()
    if dist.get_rank() == 0:
        torch.save((epoch + 1, net.state_dict(), optimizer.state_dict()), "last.pt")
dist.barrier()
dist.destroy_process_group()
"""

DATASET = """\
data = af.AugmentedDataset(samples, augment, key)  # of (image, label), or dicts
sampler = RankSampler(data)
loader = DataLoader(data, batch_size=4, sampler=sampler, num_workers=2, persistent_workers=True)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for x, label in loader:
        train(x, label)
"""
WEBDATASET = """\
epoch = torch.zeros((), dtype=torch.int64).share_memory_()  # workers see what is set


def augmented(sample):
    index = int(sample["__key__"])  # of names that are no numbers: zlib.crc32(name.encode())
    y, _ = augment(af.to_float(sample["png"]), None, af.sample_keys(key, index, int(epoch)))
    return y, sample["cls"]


shards = wds.WebDataset(urls, shardshuffle=len(urls), nodesplitter=wds.split_by_node).decode("pil").map(augmented)
loader = DataLoader(shards, batch_size=4, num_workers=2)
for e in range(2):
    epoch.fill_(e)
    for x, label in loader:
        train(x, label)
"""
HUGGING_FACE = """\
epoch = torch.zeros((), dtype=torch.int64).share_memory_()
rows = rows.add_column("index", list(range(len(rows))))  # stays with its row where rows are chosen or moved


def augmented(batch):
    keys = af.sample_keys(key, batch.pop("index"), int(epoch))
    images = [augment(af.to_float(x), None, k)[0] for x, k in zip(batch["image"], keys)]
    return {**batch, "image": images}


rows.set_transform(augmented)
sampler = RankSampler(rows)
loader = DataLoader(rows, batch_size=4, sampler=sampler)
for e in range(2):
    sampler.set_epoch(e)
    epoch.fill_(e)
    for batch in loader:
        train(batch["image"], batch["label"])
"""
LIGHTNING = """\
class Photos(L.LightningDataModule):
    def setup(self, stage):
        self.data = af.AugmentedDataset(samples, augment, key)

    def train_dataloader(self):
        return DataLoader(self.data, batch_size=4, sampler=RankSampler(self.data))  # the trainer calls its set_epoch

    def val_dataloader(self):
        return DataLoader(samples, batch_size=4, sampler=RankSampler(samples, shuffle=False))
"""
RECIPES = {
    "A dataset with indices": DATASET,
    "WebDataset (`import webdataset as wds`)": WEBDATASET,
    "Hugging Face (`rows` of `datasets`)": HUGGING_FACE,
    "Lightning (`import lightning.pytorch as L`)": LIGHTNING,
}

HOW = f"""\
The same line on each of four nodes with eight GPUs, which start `train.py` below eight times each:

```bash
torchrun --nnodes 4 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 train.py
```

```python
{TRAINING}```

* **Keys.** Every rank holds the same key. What a sample draws depends on the key, its index in the dataset and the epoch. So
  ranks need not speak of it, and no rank's number goes into the key: folding it in would tie draws to the number of ranks.
* **Epochs.** `sampler.set_epoch(epoch)` gives a new order and, through an `AugmentedDataset`, new draws; workers that persist
  hear of it. A shuffled epoch that is run twice without it warns.
* **Number of ranks.** Rank r of n takes every n-th sample of one order, so n batches of B are the batch of n B that one rank
  would see. A training may go on with another n: keep n B, and the batches stay the same sets.
* **Padding.** Where n does not divide the dataset, some samples come twice in an epoch, each time with the same draw.
  `RankSampler(data, shuffle=False, pad=False)` evaluates each sample once; call `net.module(x)`, which waits for no rank.
* **Going on.** Save the epoch with the weights; the draws need no state of their own. Within an epoch, skip the batches that are
  done (`itertools.islice`): the others stay as they are.
* **Workers or device.** In the workers (`AugmentedDataset`) augmentation takes CPU cores beside the training; it pays where cores
  are free, and for images of many sizes. On the device (`IndexedDataset`, or a module's `aug(x, index=index, epoch=epoch)`) bytes
  cross to it, a pipeline that begins with `af.to_float()` takes them, and the cost is one call for the batch. Both draw the same.
* **Ranges that learn** are parameters of the model: `DistributedDataParallel` and `fully_shard` average their gradients. Call the
  augmentation within the wrapped model's `forward`.
* **Trainers.** Lightning calls `set_epoch` of the sampler, so a `DataLoader` with a `RankSampler` is all it needs. A trainer that
  splits the data among ranks itself gets a plain `DataLoader` of the same dataset, and calls `dataset.set_epoch`.
* **Ray.** A stream of blocks instead of a sampler: `augfn.distributed.ray_map` (extra `ray`) augments a Ray dataset by the same
  identity of samples, on the CPUs of all nodes. It suits decoding and augmentation that need more
  cores than the nodes with GPUs have. Without a cluster, `augfn apply` writes the copies to disk once."""

CORES = (8, 64, 512)
EPOCH = 1_281_167  # the training images of ImageNet


MEASURED = """\
On one machine, one thread for each rank; affine, colour jitter and normalisation. [ranks.md](ranks.md) has all rows and notes."""
TESTED = """\
That samples are the same on 1, 2 and 4 ranks and that augmentation adds no collective is tested with gloo, under
`DistributedDataParallel` and `fully_shard` (`tests/test_ranks.py`)."""
EXTRAPOLATED = f"""\
Minutes of augmentation for {EPOCH:,} images, as many as ImageNet has: CPU time per sample on one rank, times the images,
over the cores. It assumes cores like this machine's, with memory bandwidth of their own. Ranks do not wait for each other
in augmentation, since it adds no collective. **No figure here was measured on a cluster or a GPU**; reading and decoding are not
counted."""

LOADERS = """\
Each as it runs in `tests/test_loaders.py` (there on one rank); `samples`, `augment` and `key` as above. A sample's index in its
dataset is its identity. A stream has none: there the sample's name or a column holds it."""


def page(env: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """The rows are those of augfn in `ranks.json`."""
    measured, guessed = [], []
    for r in rows:
        name = f"{r['size']} px, {r['name']}"
        measured.append([name, str(r["ranks"]), f"{r['cpu_s'] * 1e3:.2f}", f"{r['share']:.1%}"])
        if r["ranks"] == 1:
            guessed.append([name, *(f"{EPOCH * r['cpu_s'] / cores / 60:.2g}" for cores in CORES)])
    found = table(("", "ranks", "CPU ms per sample", "share of an epoch of a ResNet-18"), measured)
    more = table(("minutes an epoch", *(f"{cores} cores" for cores in CORES)), guessed)
    parts = [
        "# Training on many nodes",
        header(env),
        "## Measured",
        MEASURED,
        found,
        TESTED,
        "## Extrapolated",
        EXTRAPOLATED,
    ]
    recipes = [f"{name}:\n\n```python\n{code}```" for name, code in RECIPES.items()]
    return "\n\n".join([*parts, more, "## How", HOW, "## Loaders", LOADERS, *recipes]) + "\n"

"""Augmentation's share of a training on 1, 2 and 4 ranks, beside the peers: Table 1 of kornia's paper, on a CPU.

    PYTHONPATH=.:/tmp/peers python -m benchmarks.ranks [--rounds 5] [--steps 3] [--sizes 32 224 512] [--ranks 1 2 4] [--quick]

The table is that of "Differentiable Data Augmentation with Kornia" (arXiv 2011.09832): ResNet-18, 2,560 fake images, affine,
colour jitter and normalisation. The peers are installed by hand, without what they ask for:

    pip install --no-deps --target /tmp/peers -c constraints.txt albumentations albucore opencv-python-headless \\
        stringzilla simsimd torchvision

Writes `ranks.json` and `ranks.md`, and `cluster.md`: how to train on many nodes, what was measured and what is extrapolated.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import start_processes
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

import augfn as af
from benchmarks import cluster, ours, peers
from benchmarks.measure import Verdict, environment, failures, header, named, table, unrest, write

IMAGES, CLASSES = 2560, 10
BATCHES = {32: 512, 224: 128, 512: 32}  # of all ranks together; what a ResNet-18 takes of 512 px is 0.3 GB an image
SAME = 1.10  # the most that CPU time per sample may grow from one rank to two
AUGFN, LOADED, KORNIA = "augfn, on the batch", "augfn, in the loader", "kornia, on the batch"
TORCHVISION, ALBUMENTATIONS = "torchvision v2, in the loader", "albumentations, in the loader"
Augment = Callable[[Tensor, int], Tensor]  # (indices of the batch, step) -> images to train on

NOTES = """\
* **The same for all**: affine (rotation ±15°, shift ±0.1, scale 0.9 to 1.1, shear ±5°), brightness, contrast and saturation 0.8
  to 1.2, hue ±0.05, ImageNet normalisation, always applied, from bytes to normalised `float32`; drawing included. Images are
  random bytes in memory, so that nothing is decoded.
* **On the batch**: one call for the rank's batch (augfn: a key for each sample, by its index and the epoch). **In the loader**:
  sample by sample, then stacked, in the rank's own process (`num_workers=0`), so that its time is seen. albumentations works on
  `uint8 [H, W, C]` in OpenCV with one thread, torchvision on `uint8` tensors.
* **CPU**: user and system time of the rank's process per sample, mean of the ranks, median of the rounds. Ranks have one thread.
* **Turns**: all ranks live throughout. In a round each contestant augments a batch on one rank, on two, on four, the batch split
  among them, while the others wait at a barrier; so a slow minute of the machine hits all alike.
* **Epoch**: steps × (augmentation + training step), of the slowest rank. *Extrapolated* from the median of {rounds} rounds of
  augmentation and of training steps ({steps}) to the steps of an epoch of {images} images: {epochs}.
  The training step (forward, backward, all-reduce by gloo, SGD) does not depend on who augmented: it is measured once per size
  and number of ranks, for all.
* **Batch**: 512 at 32 px. At 224 px a training step on 512 images would take some 30 GB, so 128, at 512 px 128 would take 40: 32.
* **4 ranks** share two cores: their figures show contention, not scaling.
* Two ranks share the caches and the memory of the machine, whoever augments: compare how a row grows from one rank to two with
  how the peers' rows do.
* The paper's figures are of GPUs; only its form is repeated here."""


# the net


class Block(nn.Module):
    """Two 3x3 convolutions around a short cut."""

    def __init__(self, old: int, new: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*convolution(old, new, 3, stride), nn.ReLU(), *convolution(new, new, 3, 1))
        self.short = nn.Sequential(*convolution(old, new, 1, stride)) if old != new else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.short(x))


def convolution(old: int, new: int, size: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(old, new, size, stride, size // 2, bias=False), nn.BatchNorm2d(new)]


def resnet18(classes: int = CLASSES) -> nn.Module:
    """He et al. 2015, layer for layer torchvision's `resnet18`: 11,689,512 parameters for 1,000 classes."""
    widths = [64, 64, 64, 128, 128, 256, 256, 512, 512]
    blocks = [Block(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    stem = [*convolution(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


# who augments


def augfn_batch(images: Tensor) -> Augment:
    f, key = af.pipeline(af.to_float(), ours.steps(twist=False)), af.key(0)
    return lambda index, step: f(images[index], None, af.sample_keys(key, index, step))[0]


def augfn_loader(images: Tensor) -> Augment:
    data = af.AugmentedDataset(images, af.pipeline(af.to_float(), ours.steps(twist=False)), af.key(0))

    def augment(index: Tensor, step: int) -> Tensor:
        data.set_epoch(step)
        return torch.stack([data[i] for i in index.tolist()])

    return augment


def kornia_batch(images: Tensor) -> Augment:
    import kornia.augmentation as K

    f = peers.sequential(K, ["input"], normalize=True)
    return lambda index, step: f(images[index].float() / 255)


def torchvision_loader(images: Tensor) -> Augment:
    v2 = peers.torchvision_v2()
    steps = peers.torchvision_compose(normalize=False, flip=False).transforms
    f = v2.Compose([*steps, v2.ToDtype(torch.float32, scale=True), v2.Normalize(peers.MEAN, peers.STD)])
    return lambda index, step: torch.stack([f(images[i]) for i in index.tolist()])


def albumentations_loader(images: Tensor) -> Augment:
    import cv2

    cv2.setNumThreads(0)
    arrays = images.permute(0, 2, 3, 1).contiguous().numpy()
    f = peers.albumentations_compose()
    return lambda index, step: torch.stack(
        [torch.from_numpy(f(image=arrays[i])["image"]) for i in index.tolist()]
    ).permute(0, 3, 1, 2)


CONTESTANTS: dict[str, Callable[[Tensor], Augment]] = {
    AUGFN: augfn_batch,
    LOADED: augfn_loader,
    KORNIA: kornia_batch,
    TORCHVISION: torchvision_loader,
    ALBUMENTATIONS: albumentations_loader,
}


# what a rank does


class Rank:
    """One rank of `world`: its turns among the first 1, 2, ... ranks, and what they took."""

    def __init__(self, rank: int, size: int, batch: int) -> None:
        self.rank, self.batch = rank, batch
        self.images = torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8)
        self.labels = torch.arange(batch) % CLASSES
        self.records: list[dict[str, Any]] = []

    def turn(self, ranks: int, what: dict[str, Any], call: Callable[[Tensor], Any] | None) -> None:
        """`call(indices of the own part)` on the first `ranks`, while the others wait."""
        distributed.barrier()
        if call is not None and self.rank < ranks:
            index = torch.arange(self.batch)[self.rank :: ranks]
            wall, cpu = time.perf_counter(), time.process_time()
            call(index)
            spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
            self.records.append({**what, "ranks": ranks, "rank": self.rank, "samples": len(index), **spent})
        distributed.barrier()

    def augments(self, counts: list[int], rounds: int) -> None:
        """Rounds of all contestants on all numbers of ranks, after one that is not counted."""
        calls = {}
        for name, build in CONTESTANTS.items():
            try:
                calls[name] = build(self.images)
                calls[name](torch.arange(2), 0)
            except Exception as error:  # a contestant that cannot run is a row in the table, not the end of the run
                calls.pop(name, None)
                self.records.append({"name": name, "rank": self.rank, "error": named(error)})
        for r in tqdm(range(-1, rounds), desc="augmentation", leave=False, disable=True if self.rank else None):
            for name, augment in calls.items():
                for ranks in counts:
                    self.turn(ranks, {"name": name, "round": r}, lambda index, a=augment, r=r: a(index, r + 1))

    def trains(self, counts: list[int], steps: int) -> None:
        """Training steps on each number of ranks, after one on two images that is not counted."""
        x = augfn_batch(self.images)(torch.arange(self.batch), 0)
        for ranks in counts:
            group = distributed.new_group(range(ranks))
            if self.rank < ranks:
                step = self.trainer(x, group)
                step(torch.arange(2))
            for r in tqdm(range(steps), desc=f"{ranks} ranks train", leave=False, disable=True if self.rank else None):
                self.turn(ranks, {"name": "step", "round": r}, step if self.rank < ranks else None)

    def trainer(self, x: Tensor, group: Any) -> Callable[[Tensor], None]:
        """A step of training on what lies at some indices."""
        net = DistributedDataParallel(resnet18(), process_group=group)
        optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)

        def step(index: Tensor) -> None:
            optimizer.zero_grad()
            cross_entropy(net(x[index]), self.labels[index]).backward()
            optimizer.step()

        return step


def on_rank(rank: int, folder: str, size: int, batch: int, counts: list[int], rounds: int, steps: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=max(counts))
    own = Rank(rank, size, batch)
    own.augments(counts, rounds)
    own.trains(counts, steps)
    torch.save(own.records, f"{folder}/{rank}.pt")
    distributed.barrier()
    distributed.destroy_process_group()


def measure(size: int, batch: int, counts: list[int], rounds: int, steps: int) -> list[dict[str, Any]]:
    """All records of all ranks, of the rounds that count."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = (folder, size, batch, counts, rounds, steps)
        start_processes(on_rank, arguments, nprocs=max(counts), start_method="fork")
        found = [r for rank in range(max(counts)) for r in torch.load(f"{folder}/{rank}.pt")]
    return [{"size": size, "batch": batch, **r} for r in found if r.get("round", 0) >= 0]


# what is shown


def cells(records: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A row for each size, contestant and number of ranks, by medians over the rounds."""
    turns: dict[tuple[int, str, int], dict[int, list[dict[str, Any]]]] = {}
    for r in records:
        if "error" not in r:
            turns.setdefault((r["size"], r["name"], r["ranks"]), {}).setdefault(r["round"], []).append(r)
    walls = {at: [max(r["wall_s"] for r in rank) for rank in rounds.values()] for at, rounds in turns.items()}
    for (size, name, ranks), rounds in turns.items():
        if name == "step":
            continue
        wall, step = (statistics.median(walls[size, n, ranks]) for n in (name, "step"))
        cpus = [sum(r["cpu_s"] for r in rank) / sum(r["samples"] for r in rank) for rank in rounds.values()]
        yield {
            **{"size": size, "name": name, "ranks": ranks, "batch": records_batch(rounds)},
            **{"cpu_s": statistics.median(cpus), "cpus": cpus, "wall_s": wall, "step_s": step},
            "spread": (max(cpus) - min(cpus)) / statistics.median(cpus),
            "share": wall / (wall + step),
            "epoch_s": IMAGES / records_batch(rounds) * (wall + step),
        }


def records_batch(rounds: dict[int, list[dict[str, Any]]]) -> int:
    return next(iter(rounds.values()))[0]["batch"]


def of(rows: list[dict[str, Any]], size: int, name: str) -> dict[int, dict[str, Any]]:
    return {r["ranks"]: r for r in rows if (r["size"], r["name"]) == (size, name)}


def verdicts(rows: list[dict[str, Any]]) -> list[Verdict]:
    found = []
    for size in dict.fromkeys(r["size"] for r in rows):
        for name in (AUGFN, LOADED):
            by_ranks = of(rows, size, name)
            if {1, 2} <= by_ranks.keys():
                one, two = by_ranks[1]["cpus"], by_ranks[2]["cpus"]
                ratio = statistics.median(b / a for a, b in zip(one, two, strict=True))
                text = (
                    f"{size} px, {name}: CPU time per sample on 2 ranks within 10 % of 1 (median of {len(one)} rounds)"
                )
                found.append(Verdict(text, f"{ratio:.2f}x", ratio <= SAME))
    return found


def ranks_of(n: int) -> str:
    return f"{n} rank{'s' * (n > 1)}"


def size_table(rows: list[dict[str, Any]], size: int) -> str:
    counts = sorted({r["ranks"] for r in rows})
    own = of(rows, size, AUGFN)

    def line(name: str) -> list[str]:
        by_ranks = of(rows, size, name)
        if not by_ranks:
            return [name, *["failed"] * (3 * len(counts) + 1)]
        each = [by_ranks[n] for n in counts]
        cpu, share = ([f"{r['cpu_s'] * 1e3:.2f}" for r in each], [f"{r['share']:.1%}" for r in each])
        ratio = f"{by_ranks[1]['cpu_s'] / own[1]['cpu_s']:.2f}x" if 1 in by_ranks and 1 in own else "-"
        return [name, *cpu, ratio, *share, *(f"{r['epoch_s']:.1f}" for r in each)]

    ranks = [ranks_of(n) for n in counts]
    head = ["", *(f"CPU ms, {n}" for n in ranks), "/ augfn's", *(f"share, {n}" for n in ranks)]
    return table([*head, *(f"epoch s, {n}" for n in ranks)], map(line, CONTESTANTS))


def steps_table(rows: list[dict[str, Any]]) -> str:
    own = [r for r in rows if r["name"] == AUGFN]
    head = ("training step of a ResNet-18", "batch of all ranks", "seconds")
    return table(
        head, [[f"{r['size']} px, {ranks_of(r['ranks'])}", str(r["batch"]), f"{r['step_s']:.2f}"] for r in own]
    )


def report(env: dict[str, Any], records: list[dict[str, Any]], judged: list[Verdict], notes: dict[str, Any]) -> str:
    rows = list(cells(records))
    load = f"load when it ended {env['load_at_end']}" + (
        "; **not a quiet machine**" if env["load_at_start"] > 1 else ""
    )
    parts = ["# Benchmark: augmentation across ranks", f"{header(env)}\n* {load}\n* rounds: {unrest(rows)}"]
    parts += ["**A quick run: it shows that all of it runs, not how fast.**"] if "--quick" in env["command"] else []
    for size in dict.fromkeys(r["size"] for r in rows):
        batch = next(r["batch"] for r in rows if r["size"] == size)
        parts += [f"## {size} px, batch {batch}", size_table(rows, size)]
    sizes = dict.fromkeys((r["size"], r["batch"]) for r in rows)
    steps = ", ".join(f"{IMAGES // batch} at {size} px" for size, batch in sizes)
    parts += ["## The training step", steps_table(rows), NOTES.format(epochs=steps, images=f"{IMAGES:,}", **notes)]
    failed = failures(r for r in records if r.get("rank") == 0)
    parts += ["## What could not run", failed] if failed else []
    same = "Samples of 1, 2 and 4 ranks are the same, byte for byte, and augmentation adds no collective: `tests/test_ranks.py`."
    return "\n\n".join([*parts, "## Targets", "\n".join(f"* {verdict}" for verdict in judged), same])


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of augmentation; medians are reported")
    parser.add_argument("--steps", type=int, default=3, help="training steps that are measured")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(BATCHES), choices=BATCHES, metavar="PX")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 4], metavar="N")
    parser.add_argument("--quick", action="store_true", help="two rounds, one step, an eighth of the batch")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")  # the peers' own
    env = environment(" ".join(["python -m benchmarks.ranks", *arguments]), 1)
    rounds, steps, part = (2, 1, 8) if options.quick else (options.rounds, options.steps, 1)
    records = []
    for size in options.sizes:
        records += measure(size, BATCHES[size] // part, options.ranks, rounds, steps)
    env["load_at_end"] = round(os.getloadavg()[0], 2)
    rows = list(cells(records))
    judged = verdicts(rows)
    page = report(env, records, judged, {"rounds": rounds, "steps": steps})
    stem = "ranks" + "-quick" * options.quick
    saved = {"environment": env, "verdicts": [v._asdict() for v in judged], "rows": rows}
    saved["errors"] = [r for r in records if "error" in r and r["rank"] == 0]
    paths = write(options.out, stem, saved, page)
    if not options.quick:
        paths.append(options.out / "cluster.md")
        paths[-1].write_text(cluster.page(env, [r for r in rows if r["name"] in (AUGFN, LOADED)]))
    print(page, *(f"written: {path}" for path in paths), sep="\n")
    raise SystemExit(not all(v.passed for v in judged))


if __name__ == "__main__":
    main(sys.argv[1:])

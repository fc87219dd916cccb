"""What it costs to study a model under augmentation, beside pytorch-cka, tmeasures and captum, and whether they agree.

    python -m benchmarks.behaviour [--rounds 3] [--only GROUP ...] [--quick] [--out benchmarks/results]

The same layers of the same net, on the same photos under the same draws, in the same blocks; each run in a fresh process on
one thread, by turns. Then the memory of a larger net, which shall not grow with the number of images. Writes
`behaviour.json` and `behaviour.md`, and prints one PASS or FAIL line for each of the project's targets.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from augfn.analysis import activations
from benchmarks.apart import ROOT, status
from benchmarks.behaviour_peers import (
    BATCH,
    Task,
    Values,
    by_behaviour,
    by_captum,
    by_compute_cka,
    by_default,
    by_hsic,
    by_invariance,
    by_tmeasures,
    passes_alone,
)
from benchmarks.measure import Verdict, _version, environment, failures, header, named, table, write

PEERS = ("captum", "pytorch-cka", "tmeasures")
DRAWS, IMAGES, QUICK = 8, 512, 32
SCALE = (32, 64)  # images of 224 pixels; more shall not take more memory

NOTES = f"""\
* **resnet18** of torchvision with random weights in `eval()`, its 20 convolutions, {IMAGES} crops of 64 pixels of three
  photos, {DRAWS} draws of hflip .5, affine ±15° and .9 to 1.1, color_jitter .6 to 1.4; blocks of {BATCH}, which all take in the
  same order with the same keys.
* **s**: process time (user and system) of one thread, median of the rounds, drawing and augmenting included. Each run has a
  process of its own, in which the contestant has run on 4 images before; the rounds go by turns.
* **peak, MB**: of the resident memory, above what it was before, net and images loaded. **beyond a pass**: above the
  peak of augmenting one batch and taking it through the net, measured in the same process; by this the memory is judged.
* **passes alone**: the clean and the augmented batches go through the net, and nothing is heard: what no way can do
  without, if it runs the clean images once.
* **compute_cka** has two models, of which the second augments and shares the first one's weights: the clean images pass once for
  each draw, and CKA is computed of all 20 x 20 pairs of layers. **hsic** is the part of pytorch-cka that tells CKA from Gram
  matrices: hooks of a few lines give them, clean ones once for each block; it still takes all pairs, at no cost to speak of.
* **tmeasures** applies a list of transformations to every image. Here an image is its number, and transformation d gives
  what draw d makes of it, from a batch that is augmented as a whole. It runs the net twice: over draws, and over images.
  Its `AutoActivationsModule` hears the convolutions alone. It has a thread for each layer, and malloc an arena for
  each thread: that is most of its memory.
* **captum** gives the activations; differences and norms are taken by hand, the clean ones once for each block.
* **augfn, default** is `behaviour` as it comes: four measures, predictions, embedding, and the shares of the three steps by two
  permuted draws, which are 12 of its 21 passes. Times of augfn include the tables with their intervals.
  What it keeps are a few numbers and the embedding (512 numbers) of each image and draw; all else is that of one block.
* 5 % of the time are noise. Losses are printed like wins."""


class Group(NamedTuple):
    """A question, and who answers it; the first is augfn."""

    title: str
    contestants: dict[str, Callable[[Task], Values]]


GROUPS = {
    "cka": Group(
        "Debiased CKA of each layer, clean against augmented",
        {
            "augfn, cka": by_behaviour("cka"),
            "pytorch-cka, compute_cka": by_compute_cka,
            "pytorch-cka, hsic": by_hsic,
        },
    ),
    "variance": Group(
        "Normalized variance of each unit, mean of each layer",
        {"augfn, invariance": by_invariance, "tmeasures, NormalizedVarianceInvariance": by_tmeasures},
    ),
    "change": Group(
        "Relative L2 change of each layer",
        {"augfn, relative_l2": by_behaviour("relative_l2"), "captum, LayerActivation": by_captum},
    ),
    "all": Group("All that `behaviour` tells", {"augfn, default": by_default, "passes alone": passes_alone}),
}
FIELD = {name: work for group in GROUPS.values() for name, work in group.contestants.items()}
LARGE = "large"
MB = 1e6  # a memory below it counts as it
FIGURES = ("seconds", "bytes", "beyond", "peak")


# one process


def measured(work: Callable[[Task], Values], task: Task) -> dict[str, Any]:
    """Seconds; the peak of the memory in bytes above what was held before, beyond a pass, and in all; what was found."""
    block = task.blocks()[0]
    work(task.part(4, min(task.draws, 2)))
    one_pass(task, block)
    before = settled()
    one_pass(task, block)
    floor = status("VmHWM") - before
    before, start = settled(), time.process_time()
    values = work(task)
    seconds, peak = time.process_time() - start, status("VmHWM")
    return {"seconds": seconds, "bytes": peak - before, "beyond": peak - before - floor, "peak": peak, "values": values}


@torch.no_grad()
def one_pass(task: Task, block: Tensor) -> None:
    task.model(task.augmented(block, 0))


def settled() -> int:
    """The bytes held, after what is free was given back; the peak starts from here."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def serve(name: str, count: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    try:
        if name == LARGE:
            return measured(by_default, Task("resnet50", 224, count, 1))
        return measured(FIELD[name], Task("resnet18", 64, count, DRAWS))
    except Exception as error:  # a peer that cannot run is a row in the table, not the end of the run
        return {"error": named(error)}


def apart(name: str, count: int) -> dict[str, Any]:
    """The same in a fresh process."""
    env = os.environ | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-m", "benchmarks.behaviour", "--run", name, "--images", str(count)]
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None
    return found or {"error": f"the process ended with status {done.returncode}"}


# all processes


def race(names: Iterable[str], rounds: int, count: int) -> list[dict[str, Any]]:
    """A record for each contestant, who all run once a round."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for name in tqdm([n for _ in range(rounds) for n in runs], desc="behaviour", leave=False, disable=None):
        if not any("error" in run for run in runs[name]):
            runs[name].append(apart(name, count))
    return [summary(name, found) for name, found in runs.items()]


def summary(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    if "error" in runs[-1]:
        return {"name": name, "error": runs[-1]["error"]}
    middle = {key: statistics.median(run[key] for run in runs) for key in FIGURES}
    every = {key: [run[key] for run in runs] for key in FIGURES}
    return {"name": name, **middle, "runs": every, "values": runs[0]["values"]}


def same_activations() -> Verdict:
    """Whether captum and augfn capture the same numbers."""
    text = "`activations` gives what captum's LayerActivation gives"
    try:
        peer: Any = import_module("captum.attr")
    except ImportError as error:
        return Verdict(text, named(error), False)
    task = Task("resnet18", 64, BATCH, 1)
    theirs = peer.LayerActivation(task.model, list(task.layers.values())).attribute(task.images)
    ours = activations(task.model, task.images, list(task.layers))
    equal = [torch.equal(ours[name], t) for name, t in zip(task.layers, theirs, strict=True)]
    return Verdict(text, f"{sum(equal)} of {len(equal)} layers bit for bit", all(equal))


def apart_by(a: Values, b: Values) -> float:
    """The largest difference at a layer."""
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def verdicts(records: list[dict[str, Any]], large: list[dict[str, Any]]) -> list[Verdict]:
    by = {r["name"]: r for r in records}
    found = []
    for group in GROUPS.values():
        ours, *peers = group.contestants
        for peer in (p for p in peers if p in by and FIELD[p] is not passes_alone):
            found += beside(by[ours], by[peer])
    peaks = {r["images"]: r["peak"] / 1e9 for r in large if "peak" in r}
    if len(peaks) == len(large) > 0:
        few, many = peaks.values()
        text = ", ".join(f"{n} images {gb:.2f} GB" for n, gb in peaks.items())
        found += [Verdict("resnet50 at 224 px, peak of the process below 2 GB", text, max(peaks.values()) < 2)]
        found += [Verdict("twice the images take at most 5 % more", f"{many / few - 1:+.1%}", many <= 1.05 * few)]
    return found


def beside(ours: dict[str, Any], peer: dict[str, Any]) -> list[Verdict]:
    asked = ("the same values (1e-3)", "at least as fast (5 % of noise)", "at most half of the memory beyond a pass")
    texts = [f"{ours['name']}, beside {peer['name']}: {text}" for text in asked]
    if "error" in ours or "error" in peer:
        return [Verdict(text, "not measured", False) for text in texts]
    far = apart_by(ours["values"], peer["values"])
    seconds, memory = (max(ours[key], least) / max(peer[key], least) for key, least in (("seconds", 0), ("beyond", MB)))
    results = [(f"{far:.1e}", far < 1e-3), (f"{seconds:.2f}x", seconds <= 1.05), (f"{memory:.2f}x", memory <= 0.5)]
    return [Verdict(text, *result) for text, result in zip(texts, results, strict=True)]


def group_table(group: Group, records: list[dict[str, Any]]) -> str:
    by = {r["name"]: r for r in records}
    ours = by[next(iter(group.contestants))]

    def line(r: dict[str, Any]) -> list[str]:
        if "error" in r or "error" in ours:
            return [r["name"], *["failed" if "error" in r else "-"] * 5]
        far = f"{apart_by(ours['values'], r['values']):.1e}" if r["values"] and r is not ours else "-"
        times = f"{r['seconds']:.1f}", f"{r['seconds'] / ours['seconds']:.2f}x"
        return [r["name"], *times, f"{r['bytes'] / MB:.1f}", f"{r['beyond'] / MB:.1f}", far]

    head = ("", "s", "/ augfn", "peak, MB", "beyond a pass, MB", "largest difference")
    return table(head, [line(by[name]) for name in group.contestants if name in by])


def large_table(large: list[dict[str, Any]]) -> str:
    def line(r: dict[str, Any]) -> list[str]:
        figures = [r["peak"] / 1e9, r["beyond"] / 1e9, r["seconds"] / r["images"]] if "peak" in r else []
        return [str(r["images"]), *([f"{v:.2f}" for v in figures] or ["failed"] * 3)]

    head = ("images", "peak of the process, GB", "beyond a pass, GB", "s for each image")
    return table(head, [line(r) for r in large])


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.behaviour", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contestant; the median is reported")
    parser.add_argument("--only", nargs="*", choices=[*GROUPS, LARGE], metavar="GROUP", help="tables to make")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} images, one round")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    parser.add_argument("--run", help=argparse.SUPPRESS)  # a process of one contestant
    parser.add_argument("--images", type=int, default=IMAGES, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    if options.run:
        print(json.dumps(serve(options.run, options.images)))
        return
    env = environment(" ".join(["python -m benchmarks.behaviour", *arguments]), 1)
    env["versions"] |= {name: _version(name) for name in PEERS}
    groups = {key: g for key, g in GROUPS.items() if not options.only or key in options.only}
    names = [name for g in groups.values() for name in g.contestants]
    rounds, count = (1, QUICK) if options.quick else (options.rounds, IMAGES)
    records = race(names, rounds, count)
    sizes = SCALE if not options.only or LARGE in options.only else ()
    large = [{"images": n, **apart(LARGE, n)} for n in (n // 2 if options.quick else n for n in sizes)]
    judged = [same_activations(), *verdicts(records, large)]
    parts = ["# Benchmark: behaviour under augmentation", header(env)]
    parts += ["**A quick run: it shows that all of it runs, not how fast.**"] * options.quick
    for group in groups.values():
        parts += [f"## {group.title}", group_table(group, records)]
    if large:
        parts += ["## resnet50, 53 convolutions, 224 pixels, `behaviour` as it comes with one draw", large_table(large)]
    failed = failures([*records, *({"name": LARGE, **r} for r in large)])
    parts += [NOTES, *(["## What could not run", failed] if failed else [])]
    parts += ["## Targets", "\n".join(f"* {verdict}" for verdict in judged)]
    page = "\n\n".join(parts)
    data = {"environment": env, "verdicts": [v._asdict() for v in judged], "contestants": records, "large": large}
    stem = "behaviour" + "-quick" * options.quick + "-part" * bool(options.only)
    print(page, *(f"written: {path}" for path in write(options.out, stem, data, page)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

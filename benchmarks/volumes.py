"""Speed on volumes beside MONAI, TorchIO, batchgeneratorsv2 and kornia, in one interleaved run.

    python -m benchmarks.volumes [--rounds 9] [--draws 800] [--only NAME ...] [--memory] [--quick] [--out benchmarks/results]

The peers are installed without what they ask for, since some of them pin another torch or numpy:

    pip install --no-deps monai==1.6.1 torchio==1.2.1 batchgeneratorsv2==0.3.6 SimpleITK nibabel einops deprecated \\
        wrapt humanize jaxtyping

Process time on one thread, drawing included: a table of ops, the mean of nnU-Net's recipe, and with `--memory` what
kornia and augfn hold and take for a gradient, in processes of their own. Writes `volumes.json` and `volumes.md`, and
prints one PASS or FAIL line for each of the project's targets.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
import warnings
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

import augfn as af
from benchmarks import ours, volume_peers
from benchmarks.apart import Apart, memory_of, race_apart
from benchmarks.measure import (
    KEEP,
    Call,
    Contestant,
    Lane,
    Verdict,
    by_turns,
    environment,
    failures,
    geometric_mean,
    header,
    keep_memory,
    table,
    unrest,
    write,
)
from benchmarks.volume_peers import AUGFN, BATCHGENERATORS, KORNIA, PEERS, TORCHIO, Case, Task

SIZE, BATCH = 96, 4
SHARE, ELASTIC, RECIPE = 0.8, 2.0, 1.1
WARM_CALLS = 12  # of a recipe, until each of its transforms has run
TURNS = 10  # rounds of recipes between two collections of garbage
PACKAGES = ("augfn", "torch", "numpy", "monai", "torchio", "batchgeneratorsv2", "kornia", "SimpleITK")
HEAD = ("ms per batch of 4", AUGFN, *PEERS, "fastest peer / ours")

NOTES = f"""\
* **Process time** (user and system) of one thread, milliseconds per call, median of the rounds; drawing included, with
  an own key for each call. A call is a batch of {BATCH} volumes of {SIZE}^3, one channel of `float32` in [0, 1], with a mask
  of `int16` (0 and 1). MONAI, TorchIO and batchgeneratorsv2 work sample by sample: they are called {BATCH} times, and
  what they return is not stacked. Ratios above 1 mean that augfn is faster; losses are printed like wins.
* **Fresh samples**: each call gets a copy of its own, made while the clock stands still, since batchgeneratorsv2 writes
  into what it gets; TorchIO is told `copy=False`, MONAI `set_track_meta(False)`, their faster settings. A result that is a
  view of a larger volume, or not contiguous, is copied within the timing.
* **kornia** has no masks of volumes: it takes part where a mask stays as it is, or where there is none.
* **Memory**: malloc keeps what is freed, for all of them (`benchmarks.ops` says why).
* All intensity ops are unclamped in augfn, as they are in the peers."""
RECIPE_NOTES = f"""\
* Mean of the calls with its standard error, per volume. The steps and chances are those of nnU-Net's default trainer, at
  {SIZE}^3 in and out, without deep supervision. **{BATCHGENERATORS}** is the trainer's own pipeline: its masks are the largest of
  interpolated labels, which is more work than the nearest label of all others. **MONAI**: rotation and scale share a gate of
  .36, with one scale for each axis; factors and gamma are uniform; the blur pads with zeros. **{TORCHIO}** does less: it has no
  brightness, contrast or statistics-keeping gamma (a plain one instead, not inverted), and anisotropy of one axis for the low
  resolution; it counts all the same. The median is of calls of {BATCH} volumes."""
MEMORY_NOTES = """\
* **Memory** is what the first call in a fresh process takes at its peak above what it held before, in copies of the
  batch, results included; a call on two tiny volumes before it has loaded the code. Image alone. **Chain**: flip, affine,
  rotation, flip. **Gradient**: forward and backward to the volume."""
Records = list[dict[str, Any]]


class Fed(Lane):
    """A lane whose calls each get a fresh sample, made while the clock stands still."""

    def run(self) -> float:
        spent, task = 0.0, cast(Task, self.call)
        for _ in range(self.repeats):
            self.step += 1
            sample = task.sample()
            start = self.clock()
            result = task.apply(sample, self.step)
            spent += self.clock() - start
            del result
        return spent / self.repeats


def lanes_of(case: Case, block: float, warmup: int) -> list[Fed]:
    x, mask = volume_peers.volumes(SIZE, BATCH)
    builds: dict[str, Any] = {name: partial(volume_peers.task, name, case, x, mask) for name in case.builds()}
    return [Fed(Contestant(name, b, BATCH), block, warmup, time.process_time) for name, b in builds.items()]


def measure(cases: list[Case], rounds: int, block: float) -> Records:
    """One record per op and contestant."""
    records = []
    for case in tqdm(cases, disable=None):
        timings = by_turns(lanes_of(case, block, 1), rounds, case.op)
        records += [{"op": case.op, **t.record()} for t in timings]
    return records


def measure_recipe(draws: int) -> Records:
    """A record per contestant, with mean and standard error per volume."""
    lanes = lanes_of(volume_peers.recipe_case(), 0.0, WARM_CALLS)
    for _ in tqdm(range(0, draws, TURNS * BATCH), desc="recipe", disable=None):
        by_turns(lanes, TURNS, "recipe")
    records = []
    for t in (lane.timing for lane in lanes):
        each = [s / BATCH for s in t.seconds]
        error = statistics.stdev(each) / len(each) ** 0.5 if len(each) > 1 else float("nan")
        figures = {"mean_s": statistics.fmean(each), "error_s": error, "draws": BATCH * len(each)} if each else {}
        records.append(t.record() | figures)
    return records


def measure_memory(rounds: int) -> dict[str, Records]:
    """The time of affine with its gradient, and the peaks of affine and chain, beside kornia."""
    shape = {"size": SIZE, "batch": BATCH}

    def field(chain: bool, gradient: bool) -> list[Apart]:
        task = {"chain": chain, "gradient": gradient, **shape}
        return [Apart(name, "benchmarks.volumes:differentiable", {"library": name, **task}) for name in (AUGFN, KORNIA)]

    times = [t.record() for t in race_apart(field(chain=False, gradient=True), rounds, 0.0, "gradient")]
    for name in KEEP:  # the peaks are those of malloc's default
        os.environ.pop(name, None)
    memory, copy = [], BATCH * SIZE**3 * 4
    for what, chain, gradient in (("affine", False, False), ("chain", True, False), ("affine, gradient", False, True)):
        for contestant in field(chain, gradient):
            found = memory_of(contestant)
            copies = {"copies": found["bytes"] / copy} if "bytes" in found else found
            memory.append({"what": what, "name": contestant.name, **copies})
    return {"memory": memory, "gradient": times}


# beside kornia, in processes of their own


def differentiable(library: str, chain: bool, gradient: bool, size: int, batch: int) -> Call:
    """With the gradient to the volumes, or without; no masks."""
    x = volume_peers.volumes(size, batch)[0].requires_grad_(gradient)
    call = forward(library, chain, x)
    return ours.gradients(call, [x]) if gradient else call


def forward(library: str, chain: bool, x: Tensor) -> Call:
    """Affine, or a chain of flip, affine, rotation and flip."""
    degrees, scale = volume_peers.DEGREES, volume_peers.SCALE
    if library == AUGFN:
        affine = af.affine3d(degrees=degrees, scale=scale)
        chained = af.pipeline(af.hflip3d(p=0.5), affine, af.rotate3d(degrees=(-15, 15)), af.dflip3d(p=0.5))
        return ours.draw(chained if chain else affine, x)
    K = import_module("kornia.augmentation")
    steps = [K.RandomAffine3D((degrees,) * 3, scale=scale, p=1.0)]
    if chain:
        last = [K.RandomRotation3D(((-15, 15),) * 3, p=1.0), K.RandomDepthicalFlip3D(p=0.5)]
        steps = [K.RandomHorizontalFlip3D(p=0.5), *steps, *last]
    module = nn.Sequential(*steps)
    return lambda step: module(x)


# what is shown


def times_of(records: Records) -> dict[str, dict[str, float]]:
    """Seconds by op and contestant."""
    found: dict[str, dict[str, float]] = {}
    for r in records:
        found.setdefault(r["op"], {}).update({r["name"]: r["median_s"]} if "median_s" in r else {})
    return found


def ratios_of(records: Records) -> dict[str, float]:
    """The fastest peer over ours, of the ops that both have."""
    rows = {op: (t.get(AUGFN), [t[p] for p in PEERS if p in t]) for op, t in times_of(records).items()}
    return {op: min(peers) / own for op, (own, peers) in rows.items() if own and peers}


def verdicts(data: dict[str, Any]) -> list[Verdict]:
    ratios = ratios_of(data["ops"])
    wins, missing = sum(r >= 1 for r in ratios.values()), len(times_of(data["ops"])) - len(ratios)
    slow = ", ".join(f"{op} {r:.2f}x" for r, op in sorted((r, op) for op, r in ratios.items() if r < 1)) or "none"
    mean = f", {geometric_mean(ratios.values()):.2f}x in the mean" if ratios else ""
    value = f"{wins} of {len(ratios)}{mean}; losses: {slow}; without a ratio: {missing}"
    passed = bool(ratios) and not missing and wins >= SHARE * len(ratios)
    found = [Verdict(f"at least {SHARE:.0%} of the ops as fast as the fastest peer", value, passed)] * bool(data["ops"])
    if "elastic" in times_of(data["ops"]):
        found.append(at_least("elastic", ELASTIC, ratios.get("elastic")))
    if data["recipe"]:
        mean_s = {r["name"]: r["mean_s"] for r in data["recipe"] if "mean_s" in r}
        own = mean_s.pop(AUGFN, None)
        found.append(at_least("nnU-Net's recipe", RECIPE, min(mean_s.values()) / own if own and mean_s else None))
    return found


def at_least(what: str, least: float, ratio: float | None) -> Verdict:
    value = "not measured" if ratio is None else f"{ratio:.2f}x"
    return Verdict(f"{what} at least {least:g}x the fastest peer", value, ratio is not None and ratio >= least)


def ops_table(records: Records) -> str:
    times, ratios = times_of(records), ratios_of(records)
    errors = {(r["op"], r["name"]): "failed" for r in records if "error" in r}

    def line(op: str) -> list[str]:
        cells = [f"{times[op][n] * 1e3:.1f}" if n in times[op] else errors.get((op, n), "-") for n in (AUGFN, *PEERS)]
        return [op, *cells, f"{ratios[op]:.2f}x" if op in ratios else "-"]

    return table(HEAD, map(line, times))


def recipe_table(records: Records) -> str:
    own = next((r["mean_s"] for r in records if r["name"] == AUGFN and "mean_s" in r), None)

    def line(r: dict[str, Any]) -> list[str]:
        if "mean_s" not in r:
            return [r["name"], "failed", "-", "-", "-"]
        figures = [f"{r['mean_s'] * 1e3:.1f} ± {r['error_s'] * 1e3:.1f}", f"{r['median_s'] / BATCH * 1e3:.1f}"]
        return [r["name"], *figures, str(r["draws"]), f"{r['mean_s'] / own:.2f}x" if own else "-"]

    return table(("ms per volume", "mean ± standard error", "median", "draws", "/ ours"), map(line, records))


def memory_tables(data: dict[str, Records]) -> str:
    def cells(found: dict[str, float], digits: str) -> list[str]:
        ratio = f"{found[KORNIA] / found[AUGFN]:.2f}x" if {AUGFN, KORNIA} <= found.keys() else "-"
        return [*(format(found[n], digits) if n in found else "failed" for n in (AUGFN, KORNIA)), ratio]

    head, lines = ("", AUGFN, KORNIA, "kornia / ours"), []
    for what in dict.fromkeys(r["what"] for r in data["memory"]):
        copies = {r["name"]: r["copies"] for r in data["memory"] if r["what"] == what and "copies" in r}
        lines.append([f"{what}, copies of the batch at the peak", *cells(copies, ".1f")])
    ms = {r["name"]: r["median_s"] * 1e3 for r in data["gradient"] if "median_s" in r}
    return table(head, [*lines, ["affine, gradient, ms", *cells(ms, ".1f")]])


def report(env: dict[str, Any], data: dict[str, Any], cases: list[Case], judged: list[Verdict]) -> str:
    """The Markdown page."""
    parts = ["# Benchmark: volumes", f"{header(env)}\n* rounds: {unrest(data['ops'])}"]
    parts += ["**A quick run: it shows that all of it runs, not how fast.**"] if "--quick" in env["command"] else []
    if data["ops"]:
        notes = "\n".join(f"* **{c.op}**: {c.note}." for c in cases if c.note)
        parts += ["## One op at a time", ops_table(data["ops"]), f"{NOTES}\n{notes}".strip()]
    if data["recipe"]:
        parts += ["## nnU-Net's recipe", recipe_table(data["recipe"]), RECIPE_NOTES]
    if data["memory"]:
        parts += ["## Memory and gradient", memory_tables(data["memory"]), MEMORY_NOTES]
    beside = [r for records in data["memory"].values() for r in records]
    failed = failures([{**r, "name": f"{r['op']}, {r['name']}"} for r in data["ops"]] + data["recipe"] + beside)
    parts += ["## What could not run", failed] if failed else []
    return "\n\n".join([*parts, "## Targets", "\n".join(f"* {verdict}" for verdict in judged)])


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.volumes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="rounds of a race; the median is reported")
    parser.add_argument("--draws", type=int, default=800, help="volumes that the recipe's mean is taken over")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="ops to measure, and `recipe`; all by default")
    parser.add_argument("--memory", action="store_true", help="memory and gradient beside kornia, too")
    parser.add_argument("--quick", action="store_true", help="two rounds, few draws")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    keep_memory("benchmarks.volumes", arguments)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    np.random.seed(0)
    warnings.filterwarnings("ignore")  # the peers' own
    env = environment(" ".join(["python -m benchmarks.volumes", *arguments]), 1)
    env["versions"] = versions()
    rounds, block, draws = (2, 0.0, TURNS * BATCH) if options.quick else (options.rounds, 0.1, options.draws)
    every = [*volume_peers.geometric_cases(), *volume_peers.intensity_cases()]
    cases = [c for c in every if options.only is None or c.op in options.only]
    if options.only and (unknown := set(options.only) - {c.op for c in every} - {"recipe"}):
        raise SystemExit(f"no such op: {sorted(unknown)}; there are {'; '.join(['recipe', *(c.op for c in every)])}")
    data: dict[str, Any] = {"ops": measure(cases, rounds, block)}
    data["recipe"] = measure_recipe(draws) if options.only is None or "recipe" in options.only else []
    data["memory"] = measure_memory(rounds) if options.memory else {}
    judged = verdicts(data)
    page = report(env, data, cases, judged)
    stem = "volumes" + "-quick" * options.quick + "-part" * (options.only is not None)
    saved = {"environment": env, "verdicts": [v._asdict() for v in judged], **data}
    print(page, *(f"written: {path}" for path in write(options.out, stem, saved, page)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

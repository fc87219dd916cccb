"""Speed of every op that a peer also has: augfn, kornia, torchvision v2 and albumentations in one interleaved run.

    python -m benchmarks.ops [--batch 64] [--size 224] [--rounds 5] [--memory kept] [--only NAME ...] [--quick] [--out FOLDER]

Drawing the parameters is part of every timing. Prints and writes one table for the batch and one for a single image,
and one PASS or FAIL line per target.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

import augfn as af
from augfn.core.spec import SPECS
from benchmarks import ops_peers, ops_peers_geometry, peers
from benchmarks.measure import (
    Call,
    Contestant,
    Verdict,
    environment,
    failures,
    geometric_mean,
    header,
    keep_memory,
    race,
    table,
    unrest,
    write,
)
from benchmarks.ops_peers import Row
from benchmarks.registry import default

AUGFN, KORNIA, TORCHVISION, ALBUMENTATIONS = "augfn", "kornia", "torchvision v2", "albumentations"
BATCHED = (KORNIA, TORCHVISION)  # peers that take a batch of float tensors
SHARE, SLOWEST = 0.9, 2.0
HEAD = ("op", AUGFN, KORNIA, "kornia / ours", TORCHVISION, "best batched / ours", ALBUMENTATIONS)

NOTES = """\
* Milliseconds per call (median of the rounds), float32 photos `[B, 3, H, W]` in [0, 1], forward only, eager; ratios
  above 1 mean that augfn is faster. Losses are printed like wins.
* **Draws**: augfn and kornia draw parameters for each sample; torchvision draws once for the whole batch, which is
  less work and less variety.
* **Pixels of its own**: a result that is a view of the input (torchvision's crops) or repeats its numbers (its
  grayscale) is copied within the timing, as albumentations' results are stacked: the work would only fall due later.
* **Best batched / ours**: the faster of kornia and torchvision, the peers that take a batch of float tensors.
* **Albumentations** is a loop over `uint8 [H, W, C]` arrays in one process, stacked to a batch: for information.
  It has no gradient.
* **Memory**: a batch of 64 is 38 MB, above the 32 MB up to which glibc's malloc keeps what is freed. By its default
  (`--memory default`) page faults of fresh memory are most of the time of a light op,
  and fall on one contestant or another. With `--memory kept` it is told to keep all, for all
  contestants, as jemalloc and tcmalloc do, which PyTorch's tuning guide advises: a ratio then compares work."""


def all_rows(size: int) -> list[Row]:
    """All rows, for photos of `size` pixels."""
    rows = [*ops_peers.color_rows(), *ops_peers.light_rows(), *ops_peers.filter_rows()]
    return [*rows, *ops_peers_geometry.geometric_rows(), *ops_peers_geometry.frame_rows(size)]


def contestants(row: Row, images: np.ndarray) -> list[Contestant]:
    """Who has the op, each with a builder of `call(step)`."""
    x, n = peers.to_float(images), len(images)
    libraries: dict[str, tuple[Any, Callable[[], Any]]] = {
        KORNIA: (row.kornia, lambda: importlib.import_module("kornia.augmentation")),
        TORCHVISION: (row.torchvision, peers.torchvision_v2),
    }
    found = [Contestant(AUGFN, partial(ours, row, x), n)]
    found += [
        Contestant(k, partial(module, build, library, x), n) for k, (build, library) in libraries.items() if build
    ]
    return found + [Contestant(ALBUMENTATIONS, partial(loop, row, images), n)] * bool(row.albumentations)


def ours(row: Row, x: Tensor) -> Call:
    f = row.ours(af) if row.ours else default(row.op)
    return lambda step: own(f(x, None, af.key(step))[0], x)


def module(build: ops_peers.Build, library: Callable[[], Any], x: Tensor) -> Call:
    """A peer's module on the batch."""
    augment = build(library())
    return lambda step: own(augment(x), x)


def own(y: Tensor, x: Tensor) -> Tensor:
    """The result with pixels of its own: what is a view of the input, or repeats its numbers, is copied."""
    storage = y.untyped_storage()
    view = storage.data_ptr() == x.untyped_storage().data_ptr() or storage.nbytes() < y.nbytes
    return y.clone(memory_format=torch.contiguous_format) if view else y


def loop(row: Row, images: np.ndarray) -> Call:
    assert row.albumentations
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it warns, and goes on, where an argument is unknown
        augment = row.albumentations(importlib.import_module("albumentations"))
    return lambda step: np.stack([augment(image=image)["image"] for image in images])


def measure(rows: list[Row], batch: int, size: int, rounds: int, block: float) -> list[dict[str, Any]]:
    """One record per op and contestant."""
    images, records = peers.photos(size, batch), []
    for row in tqdm(rows, desc=f"batch {batch}", disable=None):
        timings = race(contestants(row, images), rounds, block, 2, row.op)
        records += [{"op": row.op, "batch": batch, "size": size, **t.record()} for t in timings]
    return records


# what is shown


Times = dict[str, dict[str, float]]


def times_of(records: list[dict[str, Any]]) -> Times:
    """Seconds by op and contestant, where augfn ran."""
    found: Times = {}
    for r in records:
        if "median_s" in r:
            found.setdefault(r["op"], {})[r["name"]] = r["median_s"]
    return {op: times for op, times in found.items() if AUGFN in times}


def over_kornia(times: Times) -> dict[str, float]:
    return {op: t[KORNIA] / t[AUGFN] for op, t in times.items() if KORNIA in t}


def over_best(times: Times) -> dict[str, float]:
    """The fastest batched tensor peer over ours."""
    peers_of = {op: [t[name] for name in BATCHED if name in t] for op, t in times.items()}
    return {op: min(found) / times[op][AUGFN] for op, found in peers_of.items() if found}


def verdicts(records: list[dict[str, Any]]) -> list[Verdict]:
    """The targets, and every loss, for each batch size."""
    found = []
    for batch in dict.fromkeys(r["batch"] for r in records):
        here = [r for r in records if r["batch"] == batch]
        times = times_of(here)
        found += [as_fast(over_kornia(times), batch), none_slow(over_best(times), batch), all_run(here, batch)]
    return found


def as_fast(ratios: dict[str, float], batch: int) -> Verdict:
    text = f"batch {batch}: at least {SHARE:.0%} of the ops as fast as kornia eager"
    if not ratios:
        return Verdict(text, "not measured", False)
    wins = sum(r >= 1 for r in ratios.values())
    value = f"{wins} of {len(ratios)} ({wins / len(ratios):.0%}), {geometric_mean(ratios.values()):.2f}x in the mean"
    return Verdict(text, f"{value}; losses: {listed(ratios, 1)}", wins >= SHARE * len(ratios))


def none_slow(ratios: dict[str, float], batch: int) -> Verdict:
    text = f"batch {batch}: no op takes more than {SLOWEST:g}x the best batched tensor peer"
    return Verdict(text, listed(ratios, 1 / SLOWEST), bool(ratios) and min(ratios.values()) >= 1 / SLOWEST)


def all_run(records: list[dict[str, Any]], batch: int) -> Verdict:
    failed = [r["op"] for r in records if r["name"] == AUGFN and "error" in r]
    return Verdict(f"batch {batch}: every op runs", ", ".join(failed) or "none failed", not failed)


def listed(ratios: dict[str, float], below: float) -> str:
    """The ops whose ratio is too small, worst first."""
    slow = sorted((r, op) for op, r in ratios.items() if r < below)
    return ", ".join(f"{op} {r:.2f}x" for r, op in slow) or "none"


def ops_table(records: list[dict[str, Any]]) -> str:
    times, errors = times_of(records), {(r["op"], r["name"]) for r in records if "error" in r}
    kornia, best = over_kornia(times), over_best(times)

    def line(op: str) -> list[str]:
        t = times.get(op, {})
        ms = {n: f"{t[n] * 1e3:.2f}" if n in t else "failed" if (op, n) in errors else "-" for n in HEAD}
        ratio = [f"{found[op]:.2f}x" if op in found else "-" for found in (kornia, best)]
        return [op, ms[AUGFN], ms[KORNIA], ratio[0], ms[TORCHVISION], ratio[1], ms[ALBUMENTATIONS]]

    return table(HEAD, [line(op) for op in dict.fromkeys(r["op"] for r in records)])


def report(env: dict[str, Any], records: list[dict[str, Any]], judged: list[Verdict], left: str) -> str:
    """The Markdown page."""
    parts = ["# Benchmark: one op at a time", f"{header(env)}\n* rounds: {unrest(records)}"]
    parts += ["**A quick run: it shows that all of it runs, not how fast.**"] if "--quick" in env["command"] else []
    for batch in dict.fromkeys(r["batch"] for r in records):
        here = [r for r in records if r["batch"] == batch]
        parts += [f"## Batch of {batch}, {here[0]['size']} px", ops_table(here)]
    named = {row.op: row.note for row in all_rows(records[0]["size"]) if row.note}
    notes = [f"* `{op}`: {note}." for op, note in named.items() if op in {r["op"] for r in records}]
    parts += [NOTES + "\n" + "\n".join(notes)]
    failed = failures([{**r, "name": f"{r['op']}, {r['name']}"} for r in records])
    parts += ["## What could not run", failed] if failed else []
    parts += ["## Targets", "\n".join(f"* {verdict}" for verdict in judged), left]
    return "\n\n".join(part.rstrip() for part in parts)


def left_out(rows: list[Row]) -> str:
    """What the tables do not show."""
    named = {r.op for r in rows}
    texts = {"Without a row": SPECS.keys() - named, "Not in augfn": named - SPECS.keys()}
    return "\n\n".join(f"{what}: {', '.join(sorted(names))}." for what, names in texts.items() if names)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ops", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--batch", type=int, default=64, help="images per batch, beside a run with one image")
    parser.add_argument("--size", type=int, default=224, help="height and width of the images")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the race; the median is reported")
    parser.add_argument("--only", nargs="*", metavar="NAME", help="ops to measure; all that a peer has by default")
    parser.add_argument(
        "--memory", choices=("kept", "default"), default="kept", help="what malloc does with freed memory"
    )
    parser.add_argument("--quick", action="store_true", help="small batches, few rounds")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    parser.add_argument("--threads", type=int, default=2, help="torch threads")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    if options.memory == "kept":
        keep_memory("benchmarks.ops", arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    env = environment(" ".join(["python -m benchmarks.ops", *arguments]), options.threads)
    batch, size, rounds, block = options.batch, options.size, options.rounds, 0.1
    if options.quick:
        batch, size, rounds, block = min(batch, 4), min(size, 64), 2, 0.005
    rows = all_rows(size)
    chosen = [r for r in rows if r.op in SPECS and (options.only is None or r.op in options.only)]
    if not chosen:
        raise SystemExit(f"no such op: {options.only}; there are {', '.join(r.op for r in rows)}")
    records = [r for n in dict.fromkeys((batch, 1)) for r in measure(chosen, n, size, rounds, block)]
    judged = verdicts(records)
    page = report(env, records, judged, left_out(rows))
    stem = "ops" if options.memory == "kept" else "ops-default"
    stem += "-quick" if options.quick else "" if options.only is None else "-part"
    paths = write(
        options.out, stem, {"environment": env, "verdicts": [v._asdict() for v in judged], "ops": records}, page
    )
    print(page, *(f"written: {path}" for path in paths), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

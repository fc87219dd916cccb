"""Speed of affine + colour jitter + normalise against the peers, cost per call, and one against eight geometric steps.

    python -m benchmarks.pipeline [--quick] [--out benchmarks/results] [--threads 2] [--only PART ...]

Writes `pipeline.json` and `pipeline.md`, and prints one PASS or FAIL line for each of the project's targets.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

import augfn as af
from benchmarks import gradients, ours, peers
from benchmarks.measure import (
    Call,
    Contestant,
    Verdict,
    cost,
    environment,
    failures,
    geometric_mean,
    header,
    race,
    table,
    unrest,
    write,
)

PARTS = ("chain", "calls", "pipeline", "gradients")
SIZES, QUICK_SIZES = {32: 512, 224: 64, 512: 16}, {32: 64, 224: 8}
FORWARD, BACKWARD = "forward", "forward + backward"
KORNIA, AUGFN, TWIST = "kornia", "augfn", "augfn, color_twist"
COMPILED, RANGES = ", compiled", ", with ranges"
MODULE, IMAGE, EVERY = "augfn_nn", "image only", "image, mask, keypoints, boxes"
ONE, EIGHT = "augfn affine alone", "augfn, 8 steps"

NOTES = """\
* **The same for all**: affine (rotation ±15°, shift ±0.1 of the size, scale 0.9 to 1.1, shear ±5° in x and y;
  bilinear, zeros outside), brightness, contrast and saturation 0.8 to 1.2, hue ±0.05 turns, ImageNet normalisation;
  every step always applied, on real photos. Drawing the parameters is part of every timing (augfn: a fresh
  `af.key(step)` per call).
* **Compiled** is `torch.compile(..., dynamic=False)`; compile time is not counted. Kornia is compiled with the
  jitter's order fixed, as its documentation asks; this also spares it some work.
* **Draws**: augfn, albumentations and "per sample" draw the parameters and the order of the jitter for each sample;
  kornia draws parameters for each sample and one order for the batch; "one draw per batch" treats all images alike,
  which is less work and less variety.
* **Clamps and hue**: augfn's jitter has torchvision's formulas (a clamp to [0, 1] after each step, hue through HSV);
  kornia has the same and clamps its input too. `color_twist` is another function: one linear colour matrix without
  inner clamps, hue as a turn about the grey axis.
* **Interpolation**: torchvision rounds the shift to whole pixels. OpenCV (albumentations) warps and turns the hue in
  8 bits, with its own rounding.
* **Albumentations** is a loop in one process over `uint8 [H, W, C]` arrays, which keeps one core busy (OpenCV may use
  both); its output is a stacked numpy `float32 [B, H, W, C]`. Its users add processes. It has no gradient.
* **Backward** is the gradient of the output's sum to the images; in the rows "with ranges" to all ranges too.
  Torchvision's jitter has none: its hue writes in place into a view, which autograd refuses.
"""


class Row(NamedTuple):
    """`forward(x, images)` builds a call, `backward(x)` one that also takes gradients; None: not measured."""

    name: str
    forward: Callable[[Tensor, Any], Call] | None = None
    backward: Callable[[Tensor], Call] | None = None


def both_ways(name: str, build: Callable[[Tensor], Call]) -> Row:
    return Row(name, lambda x, images: build(x), lambda x: ours.gradients(build(x), [x]))


def rows(compiled: bool) -> list[Row]:
    found = []
    for name, twist in ((AUGFN, False), (TWIST, True)):
        for suffix, options in variants(compiled):
            found.append(both_ways(name + suffix, partial(ours.forward, twist=twist, **options)))
            found.append(Row(name + suffix + RANGES, backward=partial(ours.to_ranges, twist=twist, **options)))
    found += [both_ways(KORNIA + s, partial(peers.kornia_pipeline, **options)) for s, options in variants(compiled)]
    found.append(both_ways("torchvision v2, one draw per batch", peers.torchvision_batch))
    found.append(both_ways("torchvision v2, per sample", peers.torchvision_samples))
    found.append(Row("albumentations, uint8, one core", lambda x, images: peers.albumentations_pipeline(images)))
    return found


def variants(compiled: bool) -> list[tuple[str, dict[str, bool]]]:
    both = [("", {"compiled": False}), (COMPILED, {"compiled": True})]
    return both if compiled else both[:1]


def measure_pipeline(sizes: dict[int, int], rounds: int, block: float, compiled: bool) -> list[dict[str, Any]]:
    """One record per size, mode and contestant."""
    records = []
    for size, batch in sizes.items():
        images = peers.photos(size, batch)
        for mode in (FORWARD, BACKWARD):
            torch.compiler.reset()
            timings = race(contestants(rows(compiled), images, mode), rounds, block, 3, f"{size} px, {mode}")
            records += [{"size": size, "batch": batch, "mode": mode, **t.record()} for t in timings]
    return records


def contestants(field: list[Row], images: Any, mode: str) -> list[Contestant]:
    x = peers.to_float(images)
    if mode == FORWARD:
        return [Contestant(r.name, partial(r.forward, x, images), len(x)) for r in field if r.forward]
    x.requires_grad_()
    return [Contestant(r.name, partial(r.backward, x), len(x)) for r in field if r.backward]


def measure_calls(rounds: int, block: float, compiled: bool) -> list[dict[str, Any]]:
    """One call on 1x3x16x16: flip, affine, colour jitter."""
    records = []
    for title in (IMAGE, EVERY):
        torch.compiler.reset()
        timings = race(small_contestants(title == EVERY, compiled), rounds, block, 5, f"per call, {title}")
        records += [{"targets": title, **t.record()} for t in timings]
    return records


def small_contestants(every: bool, compiled: bool) -> list[Contestant]:
    targets = peers.small_targets()
    value = targets if every else targets["image"]
    modules = {MODULE: "augfn_nn", KORNIA: "kornia.augmentation"}
    builds: dict[str, Callable[[], Call]] = {
        name: lambda path=path: peers.module_small(importlib.import_module(path), targets, every)
        for name, path in modules.items()
    }
    builds["torchvision v2"] = lambda: peers.torchvision_small(targets, every)
    builds["augfn, function"] = lambda: ours.draw(ours.small_steps(), value)
    builds["augfn, function, replay"] = lambda: ours.replay(ours.small_steps(), value)
    if compiled:
        builds["augfn, function, compiled"] = lambda: ours.draw(ours.compile_if(True, ours.small_steps()), value)
    return [Contestant(name, build) for name, build in builds.items()]


def measure_chain(batch: int, size: int, rounds: int, block: float) -> list[dict[str, Any]]:
    """One affine against eight chained geometric steps, with the number of resamples of each."""
    x = peers.to_float(peers.photos(size, batch))
    builds: dict[str, Callable[[], Call]] = {
        ONE: lambda: ours.draw(ours.affine(), x),
        EIGHT: lambda: ours.draw(af.pipeline(*ours.chain()), x),
        "augfn, 8 steps, fuse=False": lambda: ours.draw(af.pipeline(*ours.chain(), fuse=False), x),
        "kornia RandomAffine alone": lambda: peers.kornia_chain(x, 1),
        "kornia, 8 steps": lambda: peers.kornia_chain(x, 8),
    }
    timings = race([Contestant(name, build, batch) for name, build in builds.items()], rounds, block, 2, "chain")
    return [{**t.record(), "resamples": None if t.error else resamples(builds[t.name](), batch)} for t in timings]


def resamples(call: Call, batch: int) -> float:
    """How often one call resamples an image."""
    with counted_images() as count:
        call(1)
    return count[0] / batch


@contextmanager
def counted_images() -> Iterator[list[int]]:
    """Counts the images that go through `torch.nn.functional.grid_sample`, by which augfn and kornia resample.

    Images and not calls, since augfn cuts a large batch into slices that fit the cache.
    """
    original, count = F.grid_sample, [0]

    def counting(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        count[0] += len(x)
        return original(x, *args, **kwargs)

    F.grid_sample = counting
    try:
        yield count
    finally:
        F.grid_sample = original


def ratios(records: list[dict[str, Any]], mode: str) -> dict[str, dict[str, float]]:
    """Speed over kornia's eager speed, by contestant: per size, and their geometric mean if it ran at all sizes."""
    rates = {(r["name"], r["size"]): r["per_s"] for r in records if r["mode"] == mode and "per_s" in r}
    sizes = sorted({r["size"] for r in records})
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(r["name"] for r in records if r["mode"] == mode):
        have = [s for s in sizes if (name, s) in rates and (KORNIA, s) in rates]
        found[name] = {str(s): rates[name, s] / rates[KORNIA, s] for s in have}
        if have == sizes:
            found[name]["mean"] = geometric_mean(found[name].values())
    return found


def verdicts(data: dict[str, Any]) -> list[Verdict]:
    """The targets of the parts that were measured."""
    found: list[Verdict] = []
    if "pipeline" in data:
        forward = ratios(data["pipeline"], FORWARD)
        found += [speed(forward, name, least) for name, least in ((AUGFN, 2), (AUGFN + COMPILED, 3), (TWIST, 4))]
    if "calls" in data:
        found += [per_call(data["calls"], title) for title in (IMAGE, EVERY)]
    if "chain" in data:
        found += chained(data["chain"])
    return found + (gradients.verdicts(data["gradients"]) if "gradients" in data else [])


def chained(records: list[dict[str, Any]]) -> list[Verdict]:
    one, eight = ({r["name"]: r for r in records}[name] for name in (ONE, EIGHT))
    count = eight["resamples"]
    shown = "not measured" if count is None else f"{count:g}"
    return [
        cost("eight geometric steps cost at most 1.3x one", eight, one, 1.3),
        Verdict("eight geometric steps make one resample", shown, count == 1),
    ]


def speed(forward: dict[str, dict[str, float]], name: str, least: float) -> Verdict:
    text = f"{name}: at least {least}x kornia eager in the geometric mean, no size below 1.5x"
    by_size = dict(forward.get(name, {}))
    if "mean" not in by_size:
        return Verdict(text, "not measured at every size", False)
    mean = by_size.pop("mean")
    value = f"{mean:.2f}x ({', '.join(f'{size} px {ratio:.2f}x' for size, ratio in by_size.items())})"
    return Verdict(text, value, mean >= least and min(by_size.values()) >= 1.5)


def per_call(calls: list[dict[str, Any]], title: str) -> Verdict:
    here = {r["name"]: r for r in calls if r["targets"] == title}
    return cost(f"augfn_nn per call at most 0.5x kornia, {title}", here[MODULE], here[KORNIA], 0.5)


def report(env: dict[str, Any], data: dict[str, Any], judged: list[Verdict]) -> str:
    """The Markdown page."""
    records = [r for part in data.values() for r in (gradients.all_records(part) if isinstance(part, dict) else part)]
    parts = ["# Benchmark: affine, colour jitter, normalise", f"{header(env)}\n* rounds: {unrest(records)}"]
    parts += ["**A quick run: it shows that all of it runs, not how fast.**"] if "--quick" in env["command"] else []
    for mode in (FORWARD, BACKWARD) if "pipeline" in data else ():
        parts += [f"## Images per second, {mode}", pipeline_table(data["pipeline"], mode)]
    parts += ["In brackets: times kornia's eager speed; the mean is geometric. Losses are printed like wins.", NOTES]
    if "gradients" in data:
        parts += gradients.report(data["gradients"])
    if "calls" in data:
        parts += ["## One call on 1x3x16x16: horizontal flip, affine, colour jitter", calls_table(data["calls"])]
    if "chain" in data:
        parts += ["## One against eight chained geometric steps, 3 channels", chain_table(data["chain"])]
    failed = failures(records)
    parts += ["## What could not run", failed] if failed else []
    parts += ["## Targets", "\n".join(f"* {verdict}" for verdict in judged)]
    return "\n\n".join(part.rstrip() for part in parts)


def pipeline_table(records: list[dict[str, Any]], mode: str) -> str:
    here = [r for r in records if r["mode"] == mode]
    against, shapes = ratios(records, mode), list(dict.fromkeys((r["size"], r["batch"]) for r in here))
    cells = {(r["name"], r["size"]): f"{r['per_s']:,.0f}" for r in here if "per_s" in r}

    def line(name: str) -> list[str]:
        times = {key: f"{ratio:.2f}x" for key, ratio in against[name].items()}
        speeds = [f"{cells.get((name, s), 'failed')} ({times.get(str(s), '-')})" for s, _ in shapes]
        return [name, *speeds, times.get("mean", "-")]

    return table(["", *(f"{s} px, batch {b}" for s, b in shapes), "mean"], [line(name) for name in against])


def calls_table(records: list[dict[str, Any]]) -> str:
    cells = {(r["name"], r["targets"]): f"{r['median_s'] * 1e6:,.0f} µs" for r in records if "median_s" in r}
    names = dict.fromkeys(r["name"] for r in records)
    return table(["", IMAGE, EVERY], [[n, *(cells.get((n, t), "failed") for t in (IMAGE, EVERY))] for n in names])


def chain_table(records: list[dict[str, Any]]) -> str:
    rows = [[r["name"], f"{r['median_s'] * 1e3:.1f} ms", f"{r['resamples']:g}"] for r in records if "median_s" in r]
    return table(["", f"batch of {records[0]['items']}", "resamples of each image"], rows)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small batches, few rounds, nothing compiled")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    parser.add_argument("--threads", type=int, default=2, help="torch threads")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of the race; the median is reported")
    parser.add_argument("--only", nargs="*", choices=PARTS, metavar="PART", help=f"what to measure: {', '.join(PARTS)}")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    env = environment(" ".join(["python -m benchmarks.pipeline", *arguments]), options.threads)
    quick, rounds = options.quick, 3 if options.quick else options.rounds
    block, compiled = (0.02, False) if quick else (0.2, True)
    sizes = QUICK_SIZES if quick else SIZES
    measures: dict[str, Callable[[], Any]] = {
        "chain": lambda: measure_chain(8 if quick else 64, 224, rounds, block),
        "calls": lambda: measure_calls(rounds, block, compiled),
        "pipeline": lambda: measure_pipeline(sizes, rounds, block, compiled),
        "gradients": lambda: gradients.measure(sizes, rounds, block, compiled),
    }
    data = {part: measures[part]() for part in options.only or PARTS}
    judged = verdicts(data)
    summary = {mode: ratios(data["pipeline"], mode) for mode in (FORWARD, BACKWARD)} if "pipeline" in data else {}
    record = {"environment": env, "verdicts": [v._asdict() for v in judged], "over_kornia": summary, **data}
    page = report(env, data, judged)
    stem = "pipeline" + "-quick" * quick + "-part" * bool(options.only)
    print(page, *(f"written: {path}" for path in write(options.out, stem, record, page)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

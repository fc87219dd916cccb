"""What policies, gates and conversions cost: a choice among fourteen ops, ops at p, SimCLR's recipe, bytes in and out.

    python -m benchmarks.policies [--rounds 5] [--only GROUP ...] [--quick] [--out benchmarks/results]

Beside kornia, torchvision and an earlier commit. Process time on one thread, each contestant in a process of its own,
all by turns. Writes `policies.json` and `policies.md`, and prints one PASS or FAIL line for each of the project's
targets.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.apart import BEFORE, Apart, race_apart
from benchmarks.measure import Verdict, cost, environment, failures, header, table, unrest, write

BASE, TWO, FOURTEEN, RECIPE = "affine + color_jitter", "repeat(one_of(14), 2)", "one_of(14)", "SimCLR"
BLUR, JITTER, KORNIA = "gaussian_blur", "color_jitter", "kornia"
LARGE, SMALL, HALF = {"size": 224, "batch": 64}, {"size": 32, "batch": 512}, {"size": 224, "batch": 32}
FLOATS, BYTES, BOTH = "floats", "bytes in", "bytes in and out"
FORMS, KORNIA_RA = ("float", "bytes"), "kornia, one set of ops for the batch"
TO_FLOAT, TO_BYTES = ("af.to_float", "torchvision, to float"), ("af.to_uint8", "torchvision, to uint8")
CALLS = 20  # of a race with kornia, whose times vary threefold from call to call

NOTES = f"""\
* **Process time** (user and system) of one thread, milliseconds per call, median of the rounds; drawing included, with
  an own key for each call, on real photos `[B, 3, H, W]`. Each contestant has a process of its own; rounds by turns.
  Where kornia takes part a round is one call, and there are {CALLS}: its times vary threefold.
* **{BEFORE}** is that commit's augfn in the same run: every row runs in it, too.
* **one_of(14)** has RandAugment's operations at magnitude 9 (identity, shear and translate in x and y, rotate,
  brightness, saturation, contrast, sharpness, posterize, solarize, autocontrast, equalize).
* **{BASE}**: rotation ±15°, scale 0.9 to 1.1; brightness, contrast, saturation 0.8 to 1.2, hue ±0.1 turns.
* **SimCLR**: hflip .5, resized_crop to 224, color_jitter (.2 to 1.8, hue ±.2) at .8, grayscale .2, gaussian_blur of 23
  taps at .5, solarize .2; the same in kornia, which draws for each sample as well.
* **RandAugment, ... AugMix**: torchvision's dialect, with an own draw for each image; torchvision's image by image, and
  kornia's, which draws one set of ops for the batch. Mixes have an own weight, partner and box for each image here, one for
  the batch in torchvision.
* **bytes**: hflip .5, then {BASE}, of photos as floats; as bytes that `to_float()`, the first step, converts; and back by
  `to_uint8()`, the last (which rounds; torchvision's `to_dtype` truncates). The others are conversions alone.
* **wall time on two threads** is the one table that is not of process time; **Mosaic** is cut to the size of one image, with 8
  boxes for each, in kornia too.
* Ratios are of medians; losses are printed like wins."""


class Group(NamedTuple):
    """A table: what runs by turns, and the row that the others are measured by."""

    title: str
    contestants: list[Apart]
    by: str
    rounds: int | None = None  # of one call each; None: of blocks of calls


def both(name: str, policy: str, **arguments: Any) -> list[Apart]:
    """augfn here and as it was."""
    task = {"name": policy, **arguments}
    return [Apart(name, "benchmarks.recipes:policy", task), Apart(old(name), "benchmarks.recipes:policy", task, BEFORE)]


def old(name: str) -> str:
    return f"{name}, {BEFORE}"


def gated(op: str) -> Group:
    rows = both(op, op, **LARGE)
    for p in (0.1, 0.3, 0.5):
        rows += both(at(op, p), op, p=p, **LARGE)
    return Group(op, rows, op)


def at(op: str, p: float) -> str:
    return f"{op}, p = {p:g}"


def chosen(title: str, names: tuple[str, ...], **arguments: Any) -> Group:
    return Group(title, [c for name in names for c in both(name, name, **arguments)], BASE)


def beside(name: str, *more: Apart) -> Group:
    """A published policy and torchvision's, image by image on floats and on bytes."""
    task = {"name": name, **LARGE}
    peers = [
        Apart(f"torchvision, {form}", "benchmarks.recipes:torchvision_published", {**task, "form": form})
        for form in FORMS
    ]
    rows = [Apart(name, "benchmarks.recipes:published", task), *peers, *more]
    return Group(f"{name}, 64 x 224 px", rows, name, 9)


def mixes(name: str) -> Group:
    task = {"name": name, **LARGE}
    peer = Apart("torchvision, batch", "benchmarks.recipes:torchvision_published", {**task, "form": "batch"})
    return Group(f"{name} with labels, 64 x 224 px", [Apart(name, "benchmarks.recipes:published", task), peer], name)


def in_bytes(name: str) -> Apart:
    kind = {FLOATS: "float", BYTES: "in", BOTH: "in and out"}[name]
    return Apart(name, "benchmarks.recipes:pipeline_of", {"kind": kind, **LARGE})


def converts(name: str) -> Apart:
    return Apart(name, "benchmarks.recipes:conversion", {"name": name, **LARGE})


def groups() -> dict[str, Group]:
    kornia = Apart(KORNIA, "benchmarks.recipes:kornia_simclr", LARGE)
    kornia_ra = Apart(KORNIA_RA, "benchmarks.recipes:kornia_randaugment", LARGE)
    names = (BASE, FOURTEEN, TWO)
    return {
        "randaugment": chosen("RandAugment, 64 x 224 px", names, **LARGE),
        "blur": gated(BLUR),
        "jitter": gated(JITTER),
        "simclr": Group("SimCLR, 64 x 224 px", [*both(RECIPE, RECIPE, **LARGE), kornia], RECIPE, CALLS),
        "backward": chosen("forward + backward to the images, 32 x 224 px", (BASE, FOURTEEN), **HALF, gradient=True),
        "bytes": Group("bytes, 64 x 224 px", [in_bytes(FLOATS), in_bytes(BYTES), in_bytes(BOTH)], FLOATS),
        "to_float": Group("to float, 64 x 224 px", [converts(n) for n in TO_FLOAT], TO_FLOAT[1]),
        "to_uint8": Group("to uint8, 64 x 224 px", [converts(n) for n in TO_BYTES], TO_BYTES[1]),
        "RandAugment": beside("RandAugment", kornia_ra),
        "TrivialAugmentWide": beside("TrivialAugmentWide"),
        "AutoAugment": beside("AutoAugment"),
        "AugMix": beside("AugMix"),
        "MixUp": mixes("MixUp"),
        "CutMix": mixes("CutMix"),
        "slopes": Group(
            "RandAugment, forward + backward to the images, 32 x 224 px",
            [
                Apart("RandAugment", "benchmarks.recipes:published", {"name": "RandAugment", "gradient": True, **HALF}),
                Apart(KORNIA_RA, "benchmarks.recipes:kornia_randaugment", {"gradient": True, **HALF}),
            ],
            "RandAugment",
            CALLS,
        ),
        "wall": Group(
            "RandAugment, 64 x 224 px, wall time on two threads",
            [replace(c, threads=2) for c in beside("RandAugment", kornia_ra).contestants],
            "RandAugment",
            CALLS,
        ),
        "Mosaic": Group(
            "Mosaic with boxes, 64 x 224 px",
            [
                Apart("Mosaic", "benchmarks.recipes:mosaic", LARGE),
                Apart(KORNIA, "benchmarks.recipes:kornia_mosaic", LARGE),
            ],
            "Mosaic",
            CALLS,
        ),
        "small": chosen("RandAugment, 512 x 32 px", names, **SMALL),
    }


def measure(found: dict[str, Group], rounds: int, block: float, quick: bool) -> list[dict[str, Any]]:
    """One record per group and contestant."""
    records = []
    for key, group in found.items():
        field = [c.smaller(4) if quick else c for c in group.contestants]
        count, filled = (rounds, block) if group.rounds is None or quick else (group.rounds, 0.0)
        timings = race_apart(field, count, filled, group.title)
        records += [{"group": key, **t.record()} for t in timings]
    return records


def verdicts(records: list[dict[str, Any]]) -> list[Verdict]:
    """The targets of the groups that were run."""
    by = {(r["group"], r["name"]): r for r in records}
    none: dict[str, Any] = {}

    def judged(group: str, text: str, name: str, other: str, most: float) -> list[Verdict]:
        ran = any(g == group for g, _ in by)
        return [cost(text, by.get((group, name), none), by.get((group, other), none), most)] * ran

    found = judged("randaugment", f"{TWO} at most 0.6x {BASE}", TWO, BASE, 0.6)
    for group, op in (("blur", BLUR), ("jitter", JITTER)):
        for p, most in ((0.1, 0.6), (0.5, 0.9)):
            found += judged(group, f"{op} at p = {p:g} at most {most:g}x itself ungated", at(op, p), op, most)
    name, rows = "RandAugment", "torchvision's image by image"
    found += judged(name, f"RandAugment(2, 9) at most {rows} on floats", name, "torchvision, float", 1.0)
    found += judged(name, f"RandAugment(2, 9) at most 1.6x {rows} on bytes", name, "torchvision, bytes", 1.6)
    found += judged(
        name, "RandAugment(2, 9) at most 0.2x kornia's, which draws once for the batch", name, KORNIA_RA, 0.2
    )
    for name in ("MixUp", "CutMix"):
        found += judged(name, f"{name} at most torchvision's", name, "torchvision, batch", 1.0)
    found += judged("bytes", "bytes in and out at most 1.1x the pipeline of floats", BOTH, FLOATS, 1.1)
    found += judged("to_float", "to_float not slower than torchvision's to_dtype (5 % of noise)", *TO_FLOAT, 1.05)
    found += judged("simclr", f"SimCLR's recipe at most 0.7x {BEFORE}", RECIPE, old(RECIPE), 0.7)
    return found + judged("simclr", "SimCLR's recipe at most 0.2x kornia", RECIPE, KORNIA, 0.2)


def report(env: dict[str, Any], found: dict[str, Group], records: list[dict[str, Any]], judged: list[Verdict]) -> str:
    """The Markdown page."""
    parts = ["# Benchmark: policies and gates", f"{header(env)}\n* rounds: {unrest(records)}"]
    parts += ["**A quick run: it shows that all of it runs, not how fast.**"] if "--quick" in env["command"] else []
    for key, group in found.items():
        parts += [f"## {group.title}", group_table([r for r in records if r["group"] == key], group.by)]
    failed = failures(records)
    parts += [NOTES, *(["## What could not run", failed] if failed else [])]
    return "\n\n".join([*parts, "## Targets", "\n".join(f"* {verdict}" for verdict in judged)])


def group_table(records: list[dict[str, Any]], by: str) -> str:
    """A row per contestant; the old commit's figure beside its own."""
    ms = {r["name"]: r["median_s"] * 1e3 for r in records if "median_s" in r}

    def line(name: str) -> list[str]:
        own, before = ms.get(name), ms.get(old(name))
        return [
            name,
            "failed" if own is None else f"{own:.1f}",
            f"{own / ms[by]:.2f}x" if own and by in ms else "-",
            f"{before:.1f}" if before else "-",
            f"{own / before:.2f}x" if own and before else "-",
        ]

    head = ("ms of one thread", "now", f"/ {by}", BEFORE, f"now / {BEFORE}")
    return table(head, [line(r["name"]) for r in records if not r["name"].endswith(BEFORE)])


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policies", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of a race; the median is reported")
    parser.add_argument("--only", nargs="*", choices=sorted(groups()), metavar="GROUP", help="tables to make")
    parser.add_argument("--quick", action="store_true", help="four images, two rounds")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    env = environment(" ".join(["python -m benchmarks.policies", *arguments]), 1)
    found = {key: g for key, g in groups().items() if not options.only or key in options.only}
    rounds, block = (2, 0.01) if options.quick else (options.rounds, 0.5)
    records = measure(found, rounds, block, options.quick)
    judged = verdicts(records)
    page = report(env, found, records, judged)
    stem = "policies" + "-quick" * options.quick + "-part" * bool(options.only)
    data = {"environment": env, "verdicts": [v._asdict() for v in judged], "policies": records}
    print(page, *(f"written: {path}" for path in write(options.out, stem, data, page)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

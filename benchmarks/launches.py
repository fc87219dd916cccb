"""What a GPU would have to do, counted without one: kernels launched, and copies from the host, of one call.

    python -m benchmarks.launches [--only NAME ...] [--out benchmarks/results]

The targets lie on the meta device and the key on the CPU, as it would beside a GPU. Writes `launches.json` and
`launches.md`, and prints one PASS or FAIL line for each of the project's targets.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.profiler import ExecutionTraceObserver

import augfn as af
from benchmarks.measure import Verdict, environment, failures, header, named, table, write
from benchmarks.recipes import color_jitter

IMAGE, FOUR = "image", "image, mask, boxes, keypoints"
CHAIN, ELASTIC = "hflip + affine + jitter + blur", "elastic"
PIPELINES: dict[str, Callable[[], Any]] = {
    "affine": lambda: af.affine(degrees=(-15, 15), scale=(0.9, 1.1)),
    CHAIN: lambda: af.pipeline(
        af.hflip(p=0.5), af.affine(degrees=(-15, 15), scale=(0.9, 1.1)), color_jitter(), af.gaussian_blur()
    ),
    "brightness": af.brightness,
    "random_crop": lambda: af.random_crop(size=200),
    ELASTIC: af.elastic,
    "one_of 5 geometric": lambda: af.one_of(af.rotate(), af.shear(), af.translate(), af.scale(), af.hflip()),
}
# Operators that launch nothing: they allocate, look at sizes, or make a view.
# fmt: off
QUIET = frozenset((
    "alias", "as_strided", "broadcast_tensors", "broadcast_to", "can_cast", "chunk", "detach", "empty",
    "empty_like", "empty_strided", "expand", "expand_as", "flatten", "is_complex", "is_floating_point", "is_pinned",
    "item", "lift_fresh", "mT", "movedim", "narrow", "new_empty", "numpy_T", "permute", "promote_types",
    "resolve_conj", "resolve_neg", "result_type", "select", "slice", "split", "split_with_sizes", "squeeze",
    "transpose", "unbind", "unflatten", "unsqueeze", "view", "view_as",
))
# fmt: on
MAYBE = ("to", "contiguous", "reshape")  # quiet where nothing but views is below them
NOTES = """\
* 64 images of 224 px on the meta device, five boxes and five keypoints for each, the key on the CPU; the second call.
* **On the device**: operators called by augfn (not those that torch's own call in turn) which read or write a tensor of
  the device, less those that only make a view or allocate: about one kernel launch each.
* **Copies**: of these, from the host to the device. **On the host**: the operators of the draw and the plan.
* It is a proxy. A kernel of a library may launch several, and nothing is said of their size."""


def targets(every: bool) -> Any:
    image = torch.empty(64, 3, 224, 224, device="meta")
    if not every:
        return image
    return {
        "image": image,
        "mask": torch.empty(64, 224, 224, dtype=torch.long, device="meta"),
        "boxes": af.Boxes(torch.empty(64, 5, 4, device="meta")),
        "keypoints": af.Keypoints(torch.empty(64, 5, 2, device="meta")),
    }


def trace(call: Callable[[], Any]) -> list[dict[str, Any]]:
    """Every operator of a call, as torch's own observer records it; unlike a dispatch mode it changes nothing."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        observer = ExecutionTraceObserver()
        observer.register_callback(str(path))
        try:
            observer.start()
            call()
            observer.stop()
        finally:
            observer.unregister_callback()
        return json.loads(path.read_text())["nodes"]


def launched(nodes: list[dict[str, Any]]) -> Iterator[tuple[str, bool, bool]]:
    """Name, whether the device has part in it, and whether it copies from the host, of each operator that works."""
    known = {n["id"]: n for n in nodes}
    below: dict[int, list[str]] = {}
    for n in nodes:
        below.setdefault(n["ctrl_deps"], []).append(n["name"].removeprefix("aten::"))
    for n in nodes:
        name = n["name"].removeprefix("aten::")
        if not n["name"].startswith("aten::") or inside(n, known) or name in QUIET:
            continue
        if name in MAYBE and all(inner in QUIET for inner in below.get(n["id"], [])):
            continue
        before, after = devices(n["inputs"]["values"]), devices(n["outputs"]["values"])
        moves = name in ("to", "_to_copy", "copy_") and "cpu" in before and "meta" in after
        yield name, "meta" in before | after, moves


def inside(node: dict[str, Any], known: dict[int, dict[str, Any]]) -> bool:
    """Whether another operator called it."""
    above = known.get(node["ctrl_deps"])
    while above is not None:
        if above["name"].startswith("aten::"):
            return True
        above = known.get(above["ctrl_deps"]) if above["ctrl_deps"] != above["id"] else None
    return False


def devices(values: Any) -> set[str]:
    """Of the tensors in an operator's arguments, which are recorded as [id, storage, offset, count, size, device]."""
    if not isinstance(values, list):
        return set()
    if len(values) == 6 and isinstance(values[5], str) and all(isinstance(v, int) for v in values[:5]):
        return {values[5].split(":")[0]}
    return {device for v in values for device in devices(v)}


def measure(names: list[str]) -> list[dict[str, Any]]:
    records = []
    for name in names:
        for title in (IMAGE, FOUR):
            f, x, key = PIPELINES[name](), targets(title == FOUR), af.key(0)
            record: dict[str, Any] = {"name": f"{name}, {title}", "pipeline": name, "targets": title}
            try:
                f(x, None, key)
                found = list(launched(trace(lambda f=f, x=x, key=key: f(x, None, key))))
            except Exception as error:  # a row that says so
                records.append({**record, "error": named(error)})
                continue
            record["device"] = sum(there for _, there, _ in found)
            record["host"] = len(found) - record["device"]
            record["copies"] = sum(moves for *_, moves in found)
            record["most"] = dict(Counter(n for n, there, _ in found if there).most_common(8))
            records.append(record)
    return records


def verdicts(records: list[dict[str, Any]]) -> list[Verdict]:
    by = {(r["pipeline"], r["targets"]): r for r in records}

    def judged(pipeline: str, given: str, what: str, field: str, most: int) -> list[Verdict]:
        text = f"{pipeline}, {given}: at most {most} {what}"
        found = by.get((pipeline, given), {}).get(field)
        shown = "not measured" if found is None else str(found)
        ran = any(p == pipeline for p, _ in by)
        return [Verdict(text, shown, found is not None and found <= most)] * ran

    return [
        *judged(CHAIN, IMAGE, "launches", "device", 120),
        *judged(CHAIN, IMAGE, "copies to the device", "copies", 2),
        *judged(ELASTIC, FOUR, "launches", "device", 700),
    ]


def report(env: dict[str, Any], records: list[dict[str, Any]], judged: list[Verdict]) -> str:
    """The Markdown page."""
    rows = [
        [
            r["name"],
            *(str(r[k]) for k in ("device", "copies", "host")),
            ", ".join(f"{n} {c}" for n, c in r["most"].items()),
        ]
        for r in records
        if "device" in r
    ]
    head = ("pipeline, targets", "on the device", "of these copies", "on the host", "most often on the device")
    failed = failures(records)
    parts = ["# Launches and copies of one call", header(env), table(head, rows), NOTES]
    parts += ["## What could not run", failed] if failed else []
    return "\n\n".join([*parts, "## Targets", "\n".join(f"* {verdict}" for verdict in judged)])


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.launches", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", nargs="*", choices=sorted(PIPELINES), metavar="NAME", help="pipelines to count")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    torch.set_num_threads(1)
    env = environment(" ".join(["python -m benchmarks.launches", *arguments]), 1)
    records = measure([n for n in PIPELINES if not options.only or n in options.only])
    judged = verdicts(records)
    page = report(env, records, judged)
    data = {"environment": env, "verdicts": [v._asdict() for v in judged], "launches": records}
    stem = "launches" + "-part" * bool(options.only)
    print(page, *(f"written: {path}" for path in write(options.out, stem, data, page)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

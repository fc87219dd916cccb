"""The part of `benchmarks.pipeline` in process time on one thread: forward and backward beside kornia and an earlier
commit, the memory of a differentiated call, and one large image beside four smaller ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.apart import BEFORE, Apart, memory_of, race_apart
from benchmarks.measure import Verdict, cost, geometric_mean, table

NOW, KORNIA, TWIST, COMPILED = "augfn", "kornia", ", color_twist", ", compiled"
TO_IMAGES, TO_RANGES = "augfn, to the images", "augfn, to images and ranges"
FORWARD, BACKWARD = "forward, one thread", "forward + backward, one thread"
ONE, FOUR = "1 x 3000 px", "4 x 1024 px"
LARGE = {ONE: {"size": 3000, "batch": 1}, FOUR: {"size": 1024, "batch": 4}}

NOTES = f"""\
* **One thread, process time** (user and system), median of the rounds, drawing included, the same pipeline; each
  contestant in a process of its own, by turns. **{BEFORE}** is that commit's augfn in the same run.
* **x kornia** is beside kornia eager with the gradient to the images alone: its ranges have no gradient that the next
  draw follows.
* **Memory** is what the first call in a fresh process takes at its peak above what it held before, in copies of the
  batch; results and gradients count. A call on two tiny images before it has loaded the code."""


def old(name: str) -> str:
    return f"{name}, {BEFORE}"


def both(name: str, build: str, **arguments: Any) -> list[Apart]:
    build = f"benchmarks.recipes:{build}"
    return [Apart(name, build, arguments), Apart(old(name), build, arguments, BEFORE)]


def forwards(compiled: bool, **shape: int) -> list[Apart]:
    variants = [(t, c) for t in (False, True) for c in ((False, True) if compiled else (False,))]
    name = {v: NOW + TWIST * v[0] + COMPILED * v[1] for v in variants}
    rows = [c for v in variants for c in both(name[v], "forward", twist=v[0], compiled=v[1], **shape)]
    return [*rows, Apart(KORNIA, "benchmarks.recipes:kornia_forward", shape)]


def backwards(**shape: int) -> list[Apart]:
    rows = both(TO_IMAGES, "backward", **shape) + both(TO_RANGES, "backward", ranges=True, **shape)
    return [*rows, Apart(KORNIA, "benchmarks.recipes:kornia_backward", shape)]


def measure(sizes: dict[int, int], rounds: int, block: float, compiled: bool) -> dict[str, list[dict[str, Any]]]:
    """Records of the times (by size and mode), of the memory, and of the large images."""
    times, memory, large = [], [], []
    for size, batch in sizes.items():
        shape = {"size": size, "batch": batch}
        for mode, field in ((FORWARD, forwards(compiled, **shape)), (BACKWARD, backwards(**shape))):
            timings = race_apart(field, rounds, block, f"{size} px, {mode}")
            times += [{"size": size, "batch": batch, "mode": mode, **t.record()} for t in timings]
        copy = batch * 3 * size * size * 4
        for c in backwards(**shape):
            found = memory_of(c)
            copies = {"copies": found["bytes"] / copy} if "bytes" in found else found
            memory.append({"size": size, "batch": batch, "name": c.name, **copies})
    field = [c for name, shape in LARGE.items() for c in both(name, "forward", **shape)]
    for t in race_apart(field, rounds, 0.0, "large images"):
        shape = LARGE[ONE if t.name.startswith(ONE) else FOUR]
        pixels = shape["batch"] * shape["size"] ** 2
        large.append(t.record() | ({} if t.error else {"ns_per_pixel": t.median / pixels * 1e9}))
    return {"times": times, "memory": memory, "large": large}


def all_records(data: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    return [r for records in data.values() for r in records]


def over(records: Iterable[dict[str, Any]], mode: str, name: str, other: str) -> dict[int, float]:
    """How many times as fast as another, by size."""
    s = {(r["size"], r["name"]): r["median_s"] for r in records if r["mode"] == mode and "median_s" in r}
    return {size: s[size, other] / t for (size, n), t in s.items() if n == name and (size, other) in s}


def verdicts(data: dict[str, list[dict[str, Any]]]) -> list[Verdict]:
    times = data["times"]
    found = [
        mean_speed(f"{name}: at least {least:g}x kornia in the mean, no size below 1.1x", ratios, least, 1.1)
        for name, least in ((TO_IMAGES, 1.4), (TO_RANGES, 1.3))
        for ratios in [over(times, BACKWARD, name, KORNIA)]
    ]
    names = dict.fromkeys(r["name"] for r in times if r["mode"] == FORWARD and r["name"] != KORNIA)
    found += [
        mean_speed(
            f"{name}, forward: at least 0.9x {BEFORE} at every size",
            over(times, FORWARD, name, old(name)),
            0,
            0.9,
        )
        for name in names
        if not name.endswith(BEFORE)
    ]
    found += [memory_verdict(data["memory"], name) for name in (TO_IMAGES, TO_RANGES)]
    per_pixel = {r["name"]: {"median_s": r["ns_per_pixel"]} if "ns_per_pixel" in r else {} for r in data["large"]}
    text = f"a pixel of {ONE} costs at most 1.4x one of {FOUR}"
    return [*found, cost(text, per_pixel.get(ONE, {}), per_pixel.get(FOUR, {}), 1.4)]


def mean_speed(text: str, ratios: dict[int, float], mean: float, each: float) -> Verdict:
    if not ratios:
        return Verdict(text, "not measured", False)
    value = f"{geometric_mean(ratios.values()):.2f}x ({', '.join(f'{s} px {r:.2f}x' for s, r in ratios.items())})"
    return Verdict(text, value, geometric_mean(ratios.values()) >= mean and min(ratios.values()) >= each)


def memory_verdict(records: list[dict[str, Any]], name: str) -> Verdict:
    text = f"{name}: at most 6 copies of the batch beyond it"
    copies = {r["size"]: r["copies"] for r in records if r["name"] == name and "copies" in r}
    if not copies:
        return Verdict(text, "not measured", False)
    return Verdict(text, ", ".join(f"{s} px {c:.1f}" for s, c in copies.items()), max(copies.values()) <= 6)


# what is shown


def report(data: dict[str, list[dict[str, Any]]]) -> list[str]:
    parts = []
    for mode in (FORWARD, BACKWARD):
        parts += [f"## Milliseconds per call, {mode}", times_table(data["times"], mode)]
    parts += ["In brackets: times kornia's speed. Losses are printed like wins."]
    parts += ["## Memory of forward + backward, in copies of the batch", memory_table(data["memory"])]
    parts += ["## One large image, one thread", large_table(data["large"]), NOTES]
    return parts


def times_table(records: list[dict[str, Any]], mode: str) -> str:
    here = [r for r in records if r["mode"] == mode]
    shapes = list(dict.fromkeys((r["size"], r["batch"]) for r in here))
    ms = {(r["name"], r["size"]): f"{r['median_s'] * 1e3:,.1f}" for r in here if "median_s" in r}

    def line(name: str) -> list[str]:
        faster = over(records, mode, name, KORNIA)
        cells = [f"{ms.get((name, s), 'failed')} ({faster[s]:.2f}x)" if s in faster else "failed" for s, _ in shapes]
        before = over(records, mode, name, old(name))
        means = [f"{geometric_mean(r.values()):.2f}x" if len(r) == len(shapes) else "-" for r in (faster, before)]
        return [name, *cells, *means]

    head = ("", *(f"{s} px, batch {b}" for s, b in shapes), "mean, x kornia", f"mean, x {BEFORE}")
    return table(head, [line(name) for name in dict.fromkeys(r["name"] for r in here)])


def memory_table(records: list[dict[str, Any]]) -> str:
    shapes = list(dict.fromkeys((r["size"], r["batch"]) for r in records))
    copies = {(r["name"], r["size"]): f"{r['copies']:.1f}" for r in records if "copies" in r}
    names = dict.fromkeys(r["name"] for r in records)
    lines = [[n, *(copies.get((n, s), "failed") for s, _ in shapes)] for n in names]
    return table(["", *(f"{s} px, batch {b}" for s, b in shapes)], lines)


def large_table(records: list[dict[str, Any]]) -> str:
    lines = [[r["name"], f"{r['ns_per_pixel']:.1f}"] for r in records if "ns_per_pixel" in r]
    return table(["", "ns per pixel"], lines)

"""Which numbers of a policy can be tuned, leaf by leaf, and in which interval each is searched."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from augfn.core.augmentation import Augmentation, Op
from augfn.core.combined import OneOf, Slots, SomeOf
from augfn.core.draw import leaves_of
from augfn.core.intervals import limits_of
from augfn.curricula import GATES
from augfn.distributions import (
    Bernoulli,
    Beta,
    Choice,
    Constant,
    Dirichlet,
    Distribution,
    Interval,
    LogUniform,
    Magnitude,
    Uniform,
)
from augfn.errors import explain
from augfn.learn.policy import below
from augfn.tune.customary import WIDEST, Span, customary
from augfn.tune.dimensions import Dimension, ends_of
from augfn.typing import Leaf

LEAST_WEIGHT, SHAPES = 0.01, (0.05, 2.0)  # of a branch beside one of weight 1; of Beta and Dirichlet
FEW = 5  # levels from which on a table is searched level by level
PS = {gate: p for p, gate in GATES.items()}


def numbers_of(f: Augmentation, strength: str | None) -> Iterator[Dimension]:
    """In the order of its leaves."""
    places = places_of(f)
    levelled = [path for path, g in places.items() if is_levelled(g)]
    levelled = [path for path in levelled if not any(inside(path, other) for other in levelled)]
    groups: dict[str, list[str]] = {}
    for path in leaves_of(f.params):
        groups.setdefault(alike(path, places), []).append(path)
    for path, paths in groups.items():
        home = next((p for p in levelled if inside(path, p)), None)
        leaf, meaning, own = f.own[path], f.meanings[path], path.rpartition("/")
        if home is None:
            yield from numbers_of_leaf(path, tuple(paths), leaf, meaning, places[own[0]], own[2], strength)
        elif path == f"{home}/count".lstrip("/"):
            yield from of_count(path, leaf, meaning, strength)
        if home is not None and isinstance(leaf, Magnitude):
            every = tuple(p for p in f.own if inside(p, home) and isinstance(f.own[p], Magnitude))
            if every[0] == path:
                yield of_level(f"{home}/level".lstrip("/"), every, leaf, strength)


def places_of(f: Augmentation, path: str = "") -> dict[str, Augmentation]:
    """All augmentations of a policy by their paths."""
    out = {path: f}
    for name, g in getattr(f, "steps", {}).items():
        out |= places_of(g, f"{path}/{name}".lstrip("/"))
    return out


def inside(path: str, parent: str) -> bool:
    return path != parent and (parent == "" or below(path, parent))


def alike(path: str, places: Mapping[str, Any]) -> str:
    """The path of the leaf that this one goes with: that of the first of choices in a row, or of repeats."""
    parts, out = path.split("/"), []
    for part in parts:
        f = places.get("/".join(out))
        many = isinstance(f, Slots) or (f is not None and f.name == "repeat")
        out.append(next(iter(f.steps)) if many and part in f.steps else part)
    return "/".join(out)


def is_levelled(f: Any) -> bool:
    """A choice whose ops have one level."""
    levels = [(float(d.level), len(d.table)) for d in leaves_of(f.params).values() if isinstance(d, Magnitude)]
    return isinstance(f, Slots | SomeOf | OneOf) and len(levels) > 1 and len(set(levels)) == 1


def numbers_of_leaf(
    path: str, leaves: tuple[str, ...], leaf: Any, meaning: Leaf, f: Any, name: str, strength: str | None
) -> Iterator[Dimension]:
    """The numbers of one leaf, and of those that go with it."""
    usual = customary(strength, f.spec.name if isinstance(f, Op) else f.name, name)
    make: Callable[..., Dimension] = lambda *given, **known: Dimension(*given, meaning.unit, leaves, **known)  # noqa: E731
    if name == "count":
        yield from (replace(d, leaves=leaves) for d in of_count(path, leaf, meaning, strength))
    elif isinstance(leaf, Bernoulli):
        shown = f"{path.rpartition('/')[0]}/{PS[name]}".lstrip("/") if name in PS else path
        if leaf.shape == () and 0 < float(leaf.probs) < 1:
            yield replace(make(shown, "probability", 0.0, 1.0), unit="probability")
    elif isinstance(leaf, Choice) and isinstance(f, OneOf):
        for i, branch in enumerate(f.steps):
            d = make(f"{path}/{branch}", "weight", LEAST_WEIGHT, 1.0, log=True, entry=i)
            yield replace(d, unit="relative weight")
    elif isinstance(leaf, Magnitude):
        yield replace(of_level(f"{path.rpartition('/')[0]}/level".lstrip("/"), leaves, leaf, strength), leaves=leaves)
    elif isinstance(leaf, Beta | Dirichlet):
        numbers = torch.cat([getattr(leaf, n).flatten() for n in leaf.fields])
        if bool((numbers == numbers[0]).all()):
            low, high = usual[1] if usual else hull(SHAPES, numbers)
            yield replace(make(f"{path}/alpha", "alpha", low, high, log=True), unit="shape of the distribution")
    elif (
        isinstance(leaf, Distribution) and not isinstance(leaf, Constant | Choice) and not names_a_place(leaf, meaning)
    ):
        if isinstance(leaf, Interval) or leaf.ordered:
            yield from of_range(path, leaves, leaf, meaning, usual)
        elif "std" in leaf.fields and leaf.shape == ():
            yield make(f"{path}/std", "std", 0.0, 2 * float(leaf.std))  # type: ignore[attr-defined]


def names_a_place(leaf: Any, meaning: Leaf) -> bool:
    """True of a leaf that says where or which: a table of points, or one that fills its interval and has no neutral value."""
    if meaning.neutral is not None or meaning.index:
        return meaning.index
    low, high = ends_of(leaf)
    return len(meaning.shape) > 1 or bool((low == meaning.low).all() and (high == meaning.high).all())


def hull(span: Span, numbers: Tensor) -> Span:
    """The interval, wide enough for these too."""
    return min(span[0], float(numbers.min())), max(span[1], float(numbers.max()))


# kinds of leaves


def of_count(path: str, leaf: Any, meaning: Leaf, strength: str | None) -> Iterator[Dimension]:
    """N, or the least and the most of it."""
    room = (1.0, float(meaning.high or 1) - 1)
    usual = customary(strength, "some_of", "count")
    low, high = fitting(path, usual[1] if usual else room, room, f"n={int(usual[1][1])}" if usual else "")
    given: dict[str, Any] = {"unit": meaning.unit, "leaves": (path,), "step": 1}
    if isinstance(leaf, Constant):
        yield Dimension(path, "count", int(low), int(high), **given)
    elif isinstance(leaf, Uniform):
        yield Dimension(f"{path}/low", "least", int(low), int(high), **given)
        yield Dimension(f"{path}/high", "most", int(low), int(high), **given)


def of_level(path: str, leaves: tuple[str, ...], leaf: Magnitude, strength: str | None) -> Dimension:
    """M."""
    top = len(leaf.table) - 1
    usual = customary(strength, "", "level") if top >= FEW and leaf.spread in ("fixed", "normal") else None
    low, high = fitting(
        path, usual[1] if usual else (0, top), (0, top), "a policy of more levels, as mmax=15 in timm's"
    )
    whole = {"step": 1} if top >= FEW else {}
    return Dimension(path, "level", low, high, f"level of 0 to {top}", leaves, **whole)


def fitting(path: str, wanted: Span, room: Span, fix: str) -> Span:
    """What is wanted, where the policy has room for it."""
    if wanted[0] < room[0] or wanted[1] > room[1]:
        want = f"{wanted[0]:g} to {wanted[1]:g}, which is customary"
        raise ValueError(explain(f"{path}: no room for this strength", f"{room[0]:g} to {room[1]:g}", want, fix))
    return wanted


def of_range(path: str, leaves: tuple[str, ...], leaf: Any, meaning: Leaf, usual: Any) -> Iterator[Dimension]:
    """The reach of a range, or its ends; of a vector of differing entries for each of them."""
    low, high = (t.flatten() for t in torch.broadcast_tensors(*ends_of(leaf)))
    same = bool((low == low[0]).all() and (high == high[0]).all())
    for i in [None] if same else range(len(low)):
        at = path if i is None else f"{path}/{i}"
        a, b = float(low[i or 0]), float(high[i or 0])
        yield from of_ends(Dimension(at, "", 0, 0, meaning.unit, leaves, entry=i), leaf, (a, b), meaning, usual)


def of_ends(d: Dimension, leaf: Any, ends: Span, meaning: Leaf, usual: Any) -> Iterator[Dimension]:
    """The reach of one range, or its ends."""
    log, (a, b) = isinstance(leaf, LogUniform), ends
    limits, how = searched(leaf, ends, meaning), usual[0] if usual else ""
    centre = meaning.neutral if meaning.neutral is not None else 1.0 if log else None
    if log and centre and math.isclose(a * b, centre**2, rel_tol=1e-4):
        yield replace(
            d, kind="ratio", low=1.0, high=min(centre / limits[0], limits[1] / centre), log=True, centre=centre
        )
        return
    if not log and centre is not None and math.isclose(a + b, 2 * centre, rel_tol=1e-6, abs_tol=1e-6):
        most = min(centre - limits[0], limits[1] - centre)
        low, high = usual[1] if how == "reach" else (0.0, most)
        yield replace(d, kind="reach", low=low, high=high, centre=centre)
        return
    for name, own, other in (("low", a, b), ("high", b, a)):
        if stays(name, own, centre, limits, how):
            continue
        low, high = usual[1] if how in ("within", "to", "from") else limits
        if how == "reach" and centre is not None:
            low, high = beside(own, centre, usual[1])
        if stays("low" if name == "high" else "high", other, centre, limits, how):
            low, high = (low, min(high, other)) if name == "low" else (max(low, other), high)
        if low > high:
            want, fix = f"a range with room for {usual[1][0]:g} to {usual[1][1]:g}", f'fixed=["{d.path}"]'
            raise ValueError(explain(f"{d.path}: no room for this strength", ends, want, fix))
        yield replace(d, path=f"{d.path}/{name}", kind=name, low=low, high=high, log=log)


def stays(name: str, end: float, centre: float | None, limits: Span, how: str) -> bool:
    """True of an end that is not searched: one on the neutral value, or where its interval ends."""
    if how in ("within", "to", "from"):
        return how == {"low": "to", "high": "from"}[name]
    return end == centre or end == limits[name == "high"]


def searched(leaf: Any, ends: Span, meaning: Leaf) -> Span:
    """The interval of an end: that of the schema, closed where it is open, and wide enough for the range as it is."""
    field = leaf.ordered[0] if leaf.ordered else "bounds"
    low, high = limits_of(leaf, field, meaning)
    centre = meaning.neutral or 0.0
    wide = WIDEST.get(meaning.unit)
    reach = 2 * max(abs(e - centre) for e in ends)
    wide = wide or (centre - reach, centre + reach)
    wide = (min(wide[0], ends[0]), max(wide[1], ends[1]))
    low = wide[0] if low is None or low <= 1e-6 < wide[0] else max(low, wide[0]) if meaning.unit in WIDEST else low
    return low, wide[1] if high is None else high


def beside(end: float, centre: float, reach: Span) -> Span:
    """Where an end lies, so far from the centre, on its own side."""
    near, far = reach
    return (centre + near, centre + far) if end > centre else (centre - far, centre - near)

"""Which numbers of a policy can be tuned, leaf by leaf, and in which interval each is searched."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

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
from augfn.math.folding import Limits
from augfn.tune.customary import WIDEST, Span, customary
from augfn.tune.dimensions import Dimension, ends_of
from augfn.typing import Leaf

LEAST_WEIGHT, SHAPES = 0.01, (0.05, 2.0)  # of a branch beside the heaviest; of Beta and Dirichlet
TINY = 1e-3  # what an interval begins with that holds all above 0
ONE_SIDED = {"within": "", "to": "low", "from": "high"}  # customary ranges of ends, and the end that stays
FEW = 5  # levels from which on a table is searched level by level
PS = {gate: p for p, gate in GATES.items()}


def numbers_of(f: Augmentation, strength: str | None, fixed: Sequence[str] = ()) -> Iterator[Dimension]:
    """In the order of its leaves; with those that are fixed, beside which others have less room."""
    places = places_of(f)
    choices = [path for path, g in places.items() if has_one_level(g)]
    homes = [path for path in choices if not any(inside(path, other) for other in choices)]
    groups: dict[str, list[str]] = {}
    for path in leaves_of(f.params):
        groups.setdefault(alike(path, places), []).append(path)
    for path, paths in groups.items():
        parent, _, name = path.rpartition("/")
        home = next((p for p in homes if inside(path, p)), None)
        levels = () if home is None else tuple(p for p in f.own if inside(p, home) and isinstance(f.own[p], Magnitude))
        if home is None or (name == "count" and parent == home):
            place = Place(path, tuple(paths), f.own[path], f.meanings[path], places[parent], strength, fixed)
            yield from numbers_of_leaf(place)
        elif path in levels[:1]:
            yield of_level(Place(home, levels, f.own[path], f.meanings[path], places[home], strength, fixed))


class Place(NamedTuple):
    """A leaf, those that go with it, what it means, and whose it is."""

    path: str
    leaves: tuple[str, ...]
    leaf: Any
    meaning: Leaf
    owner: Augmentation
    strength: str | None
    fixed: Sequence[str]

    def stays(self, name: str = "") -> bool:
        """True of a number that the caller keeps fixed."""
        return any(below(f"{self.path}/{name}".strip("/"), other) for other in self.fixed)

    @property
    def parent(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def usual(self) -> tuple[str, Span]:
        """The customary range, and how it is meant; "" where there is none."""
        op = self.owner.spec.name if isinstance(self.owner, Op) else self.owner.name
        return customary(self.strength, op, self.name) or ("", (0.0, 0.0))

    def number(self, kind: str, low: float, high: float, name: str = "", unit: str = "", **known: Any) -> Dimension:
        path = f"{self.path}/{name}" if name else self.path
        return Dimension(path.lstrip("/"), kind, low, high, unit or self.meaning.unit, self.leaves, **known)


def places_of(f: Augmentation, path: str = "") -> dict[str, Augmentation]:
    """All augmentations of a policy by their paths."""
    out = {path: f}
    for name, g in getattr(f, "steps", {}).items():
        out |= places_of(g, f"{path}/{name}".lstrip("/"))
    return out


def inside(path: str, parent: str) -> bool:
    return path != parent and (parent == "" or below(path, parent))


def alike(path: str, places: Mapping[str, Augmentation]) -> str:
    """The path of the leaf that this one goes with: that of the first of choices in a row, or of repeats."""
    out = ""
    for part in path.split("/"):
        f = places.get(out)
        steps = getattr(f, "steps", {}) if isinstance(f, Slots) or getattr(f, "name", "") == "repeat" else {}
        out = f"{out}/{next(iter(steps)) if part in steps else part}".lstrip("/")
    return out


def has_one_level(f: Augmentation) -> bool:
    """True of a choice whose ops have one level, and nothing else that says how strongly they act."""
    leaves = leaves_of(f.params)
    levels = [(float(d.level), len(d.table)) for d in leaves.values() if isinstance(d, Magnitude)]
    one = isinstance(f, Slots | SomeOf | OneOf) and len(levels) > 1 and len(set(levels)) == 1
    return one and not any(has_strength(path, d, f.meanings[path]) for path, d in leaves.items())


def has_strength(path: str, leaf: Any, meaning: Leaf) -> bool:
    """True of what is drawn beside levels, and is no gate, choice or number of choices."""
    if not isinstance(leaf, Distribution) or isinstance(leaf, Magnitude | Bernoulli | Choice | Constant):
        return False
    return not (path.rpartition("/")[2] == "count" or (is_range(leaf) and names_a_place(leaf, meaning)))


def is_range(leaf: Any) -> bool:
    return isinstance(leaf, Interval) or (isinstance(leaf, Distribution) and bool(leaf.ordered))


def numbers_of_leaf(at: Place) -> Iterator[Dimension]:
    leaf = at.leaf
    if isinstance(at.owner, Slots | SomeOf) and at.name == "count":
        yield from of_count(at)
    elif isinstance(leaf, Bernoulli):
        if leaf.shape == () and 0 < float(leaf.probs) < 1:
            path = f"{at.parent}/{PS[at.name]}".lstrip("/") if at.name in PS else at.path
            yield at._replace(path=path).number("probability", 0.0, 1.0, unit="probability")
    elif isinstance(leaf, Choice):
        most = float(leaf.weights.max())
        for i, branch in enumerate(at.owner.steps if isinstance(at.owner, OneOf) else ()):
            yield at.number("weight", LEAST_WEIGHT * most, most, branch, "relative weight", log=True, entry=i)
    elif isinstance(leaf, Magnitude):
        yield of_level(at)
    elif isinstance(leaf, Beta | Dirichlet):
        shapes = torch.cat([getattr(leaf, n).flatten() for n in leaf.fields]).tolist()
        how, usual = at.usual()
        low, high = usual if how else hull(SHAPES, shapes)
        if len(set(shapes)) == 1:
            yield at.number("alpha", low, high, "alpha", "shape of the distribution", log=True)
    elif is_range(leaf):
        if not names_a_place(leaf, at.meaning):
            yield from of_range(at)
    elif isinstance(leaf, Distribution) and "std" in leaf.fields:
        yield from of_spread(at)


def names_a_place(leaf: Any, meaning: Leaf) -> bool:
    """True of a leaf that says where or which: without a neutral value, a table of points, or one that fills its interval."""
    low, high = (set(end.flatten().tolist()) for end in ends_of(leaf))
    return meaning.neutral is None and (len(meaning.shape) > 1 or (low == {meaning.low} and high == {meaning.high}))


def hull(span: Span, numbers: Sequence[float]) -> Span:
    """The interval, wide enough for these too."""
    return min(span[0], *numbers), max(span[1], *numbers)


# kinds of leaves


def of_count(at: Place) -> Iterator[Dimension]:
    """N, or the least and the most of it."""
    how, usual = at.usual()
    room = (1, int(at.meaning.high or 2) - 1)
    low, high = fitting(at, usual, room, f"n={int(usual[1])}") if how else room
    if isinstance(at.leaf, Constant):
        yield at.number("count", low, high, step=1)
    elif isinstance(at.leaf, Uniform):
        least, most = (int(end) for end in (at.leaf.low, at.leaf.high - 1))
        yield at.number("least", low, min(high, most) if at.stays("high") else high, "low", step=1)
        yield at.number("most", max(low, least) if at.stays("low") else low, high, "high", step=1)


def of_level(at: Place) -> Dimension:
    """M."""
    top = len(at.leaf.table) - 1
    found = customary(at.strength, "", "level") if at.leaf.spread in ("fixed", "normal") and top >= FEW else None
    fix = f"levels to {found[1][1]:g}, as mmax={found[1][1]:g} in timm's dialect" if found else ""
    low, high = fitting(at, found[1], (0, top), fix) if found else (0, top)
    return at.number("level", low, high, "level", f"level of 0 to {top}", step=1 if top >= FEW else None)


def fitting(at: Place, wanted: Span, room: Span, fix: str) -> Span:
    """What is wanted, where the policy has room for it."""
    if not at.stays() and (wanted[0] < room[0] or wanted[1] > room[1]):
        want = f"{wanted[0]:g} to {wanted[1]:g}, which is {at.strength}"
        raise ValueError(explain(f"{at.path}: no room for the strength", f"{room[0]:g} to {room[1]:g}", want, fix))
    return wanted


def of_spread(at: Place) -> Iterator[Dimension]:
    """The standard deviation of a distribution; of a vector of differing entries that of each of them."""
    spreads = at.leaf.std.flatten().tolist()
    if len(set(spreads)) == 1:
        yield at.number("std", 0.0, 2 * spreads[0], "std")
        return
    for i, spread in enumerate(spreads):
        yield at._replace(path=f"{at.path}/{i}").number("std", 0.0, 2 * spread, "std", entry=i)


def of_range(at: Place) -> Iterator[Dimension]:
    """The numbers of a range; of a vector of differing entries those of each of them."""
    ends = [t.flatten().tolist() for t in torch.broadcast_tensors(*ends_of(at.leaf))]
    pairs = [*zip(*ends, strict=True)]
    if len(set(pairs)) == 1:
        yield from of_ends(at, pairs[0])
        return
    for i, pair in enumerate(pairs):
        yield from of_ends(at._replace(path=f"{at.path}/{i}"), pair, i, at.usual())


def of_ends(
    at: Place, ends: Span, entry: int | None = None, usual: tuple[str, Span] | None = None
) -> Iterator[Dimension]:
    """The reach of one range, or its ends."""
    (a, b), log = ends, isinstance(at.leaf, LogUniform)
    how, span = usual or at.usual()
    schema = limits_of(at.leaf, at.leaf.ordered[0] if at.leaf.ordered else "bounds", at.meaning)
    limits = searched(at, ends, schema)
    centre = at.meaning.neutral if at.meaning.neutral is not None else 1.0 if log else None
    room = 0.0 if centre is None else min(centre - limits[0], limits[1] - centre)
    if centre and log and math.isclose(a * b, centre**2, rel_tol=1e-4):
        low, high = 1.0, min(centre / limits[0], limits[1] / centre)
        low, high = (1 + span[0] / centre, 1 + span[1] / centre) if how == "reach" else (low, high)
        yield at.number("ratio", low, high, log=True, centre=centre, entry=entry)
    elif centre is not None and not log and math.isclose(a + b, 2 * centre, rel_tol=1e-6, abs_tol=1e-6) and room > 0:
        low, high = span if how == "reach" else (0.0, room)
        yield at.number("reach", low, high, centre=centre, entry=entry)
    else:
        stay = {name: stays(name, end, centre, schema, how) for name, end in (("low", a), ("high", b))}
        for name, end, other in (("low", a, "high"), ("high", b, "low")):
            low, high = span if how in ONE_SIDED else limits
            if how == "reach" and centre is not None:
                low, high = beside(end, centre, span)
            if stay[other] or at.stays(other):
                low, high = (low, min(high, b)) if name == "low" else (max(low, a), high)
            if low > high and not at.stays(name):
                want, fix = (
                    f"a range within {span[0]:g} to {span[1]:g}",
                    f"such as ({span[0]:g}, {span[1]:g}), or no strength",
                )
                raise ValueError(explain(f"{at.path}: no room for the strength", ends, want, fix))
            if not stay[name]:
                yield at.number(name, low, high, name, log=log, entry=entry)


def stays(name: str, end: float, centre: float | None, schema: Limits, how: str) -> bool:
    """True of an end that is not searched: one on the neutral value, or where its interval ends."""
    if how in ONE_SIDED:
        return ONE_SIDED[how] == name
    return end == centre or (how != "reach" and end == schema[name == "high"])


def searched(at: Place, ends: Span, schema: Limits) -> Span:
    """The interval of an end: that of the schema, closed where it is open, and wide enough for the range as it is."""
    low, high = schema
    centre = at.meaning.neutral or 0.0
    reach = 2 * max(abs(end - centre) for end in ends)
    twice = (ends[0] / 2, 2 * ends[1]) if isinstance(at.leaf, LogUniform) else (centre - reach, centre + reach)
    wide = hull(WIDEST.get(at.meaning.unit, twice), ends)
    if low is None or 0 < low <= TINY:  # all that is above 0
        low = wide[0] if low is None else max(low, wide[0])
    return low, wide[1] if high is None else high


def beside(end: float, centre: float, reach: Span) -> Span:
    """Where an end lies, so far from the centre, on its own side."""
    near, far = reach
    return (centre + near, centre + far) if end > centre else (centre - far, centre - near)

"""Search spaces: the numbers of a policy that can be tuned, each with the interval that it is searched in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.analysis.tables import Table
from augfn.core.augmentation import Augmentation, Op
from augfn.core.combined import OneOf, Slots, SomeOf
from augfn.core.draw import Params, leaves_of, nested
from augfn.core.intervals import in_order, limits_of
from augfn.curricula import GATES
from augfn.distributions import (
    Bernoulli,
    Beta,
    Choice,
    Constant,
    Dirichlet,
    Distribution,
    Interval,
    Knots,
    LogUniform,
    Magnitude,
    Uniform,
)
from augfn.errors import explain, unknown
from augfn.learn.policy import below, check, discrete, with_params
from augfn.tune.customary import WIDEST, Span, customary
from augfn.typing import Leaf

Point = dict[str, float]
LEAST_WEIGHT, SHAPES = 0.01, (0.05, 2.0)  # of a branch beside one of weight 1; of Beta and Dirichlet
FEW = 5  # levels from which on a table is searched level by level


@dataclass(frozen=True)
class Dimension:
    """One number of a space: where it is searched, and the leaves that it sets."""

    path: str
    kind: str
    low: float
    high: float
    unit: str
    leaves: tuple[str, ...]
    step: float | None = None
    log: bool = False
    centre: float = 0.0  # what a reach is about
    entry: int | None = None  # of a vector, or of the weights

    def at(self, u: float) -> float:
        """The value at u in [0, 1)."""
        if self.step is not None:
            return int(self.low + min(int(u * (self.high - self.low + 1)), int(self.high - self.low)))
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + u * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def values(self, n: int) -> list[float]:
        """All whole numbers, or n values evenly from the lower end to the upper one."""
        if self.step is not None:
            return list(range(int(self.low), int(self.high) + 1))
        if self.low == self.high:
            return [self.low]
        return [self.at(i / (n - 1)) for i in range(n)] if n > 1 else [self.at(0.5)]


class Space:
    """The numbers of a policy that are tuned; `space` makes one, and says what they are.

    A point is a plain dict from paths to numbers. What it lacks is as in the policy; of a range whose ends it has in the
    wrong order the lower one is taken first.

    >>> import augfn as af
    >>> s = space(af.pipeline(af.rotate(degrees=(-20, 20)), af.hflip(p=0.5)))
    >>> s.policy({"rotate/degrees": 10.0, "hflip/p": 0.25})
    pipeline(rotate(degrees=Uniform(low=-10.0, high=10.0)), hflip(gate=Bernoulli(probs=0.25)))
    >>> s.sample(af.key(0)).keys() == set(s.paths)
    True
    """

    def __init__(self, policy: Augmentation, numbers: Sequence[Dimension]) -> None:
        self.base, self.numbers = policy, tuple(numbers)

    @property
    def paths(self) -> list[str]:
        return [d.path for d in self.numbers]

    @property
    def dimensions(self) -> Table:
        """What is searched, a line for each number."""
        columns = ("path", "kind", "low", "high", "scale", "unit")
        scale = ["whole numbers" if d.step else "log" if d.log else "linear" for d in self.numbers]
        return Table(
            columns, [(d.path, d.kind, d.low, d.high, s, d.unit) for d, s in zip(self.numbers, scale, strict=True)]
        )

    def sample(self, key: Tensor) -> Point:
        """A random point: each number uniform in its interval (of a logarithmic one in the logarithm), by a stream of its own,
        so that it stays when others are fixed."""
        random.check_key(key)
        salts = torch.tensor([random.salt(path) for path in self.paths])
        u = random.uniform(random.fold_in(key, salts)).tolist()
        return self.ordered({d.path: d.at(v) for d, v in zip(self.numbers, u, strict=True)})

    def grid(self, steps: int = 5) -> list[Point]:
        """All combinations of the whole numbers, and of `steps` values of each other number, without those that order makes
        alike."""
        lists = [d.values(steps) for d in self.numbers]
        points = [dict(zip(self.paths, values, strict=True)) for values in product(*lists)]
        return [p for p in points if p == self.ordered(p)]

    def ordered(self, point: Mapping[str, float]) -> Point:
        """The point with the lower end of each range first."""
        out = dict(point)
        for path in self.paths:
            parent, _, name = path.rpartition("/")
            other = f"{parent}/{ENDS[name]}" if name in ENDS else None
            if other in out and path in out and out[path] > out[other]:
                out[path], out[other] = out[other], out[path]
        return out

    def params(self, point: Mapping[str, float]) -> Params:
        """The params of the policy at a point: its own, and in their place what the point says.

        Raises ValueError for a path that there is not, and for a number outside of its interval.
        """
        known = {d.path: d for d in self.numbers}
        leaves = dict(leaves_of(self.base.params))
        for path, value in self.ordered(point).items():
            if path not in known:
                raise ValueError(unknown("number of the space", path, known))
            d = known[path]
            if isinstance(value, bool) or not isinstance(value, int | float) or not d.low <= value <= d.high:
                want = f"a number from {d.low:g} to {d.high:g}"
                raise ValueError(explain(f"{path}: outside of the space", value, want, "space.sample(key) is inside"))
            for leaf in d.leaves:
                leaves[leaf] = PUT[d.kind](leaves[leaf], value, d)
        return nested(self.base.params, iter([sorted_leaf(leaf) for leaf in leaves.values()]))

    def policy(self, point: Mapping[str, float]) -> Augmentation:
        """The augmentation at a point, which `af.save` writes and `augfn preview` shows."""
        return with_params(self.base, self.params(point))

    def __repr__(self) -> str:
        return f"Space of {len(self.numbers)} numbers:\n{self.dimensions}"


def space(policy: Any, strength: str | None = None, fixed: Sequence[str] = ()) -> Space:
    """The search space of a policy: its ranges, probabilities, weights of choices, N and M.

    | leaf | its numbers |
    |---|---|
    | a range evenly about the neutral value | one, its reach: `"rotate/degrees": 15` is (-15, 15); in the logarithm a ratio |
    | another range | its ends, `"gaussian_blur/sigma/low"` and `/high`, kept in order. An end on the neutral value, or where
    its interval ends, stays there |
    | a vector | as one number, where all its entries are alike; else for each, `"translate/translate/0"` |
    | a probability between 0 and 1 | `"hflip/p"` |
    | the weights of a choice | one for each branch, 0.01 to 1, `"one_of/choice/rotate"`; only their ratios matter |
    | how many of a choice | N, `"some_of/count"`; of a range of them `/low` and `/high` |
    | `Magnitude` | M, its level. A choice all of whose ops have one level (RandAugment, TrivialAugment) is searched by its
    N and M alone: `"some_of/count"`, `"some_of/level"` |
    | `Beta(a, a)`, `Dirichlet` | a, `"mixup/weight/alpha"`; of other distributions their standard deviation |

    A fixed value stays as it is, and so does what says where or which and not how strongly: seeds, orders, positions.

    * Intervals are those of the schema; where it has no end, half the frame, a whole turn and the like, or twice what the
      policy has (`space.dimensions` shows them all).
    * `strength`: "conservative" or "aggressive" gives the customary ranges instead, where there are any: colour jitter
      .1-.2 or .3-.5, hue .02-.05 or .1-.2, sigma of a blur to .5 or 2, rotation 5-10 or 15-30, scale of a crop from .5 or
      .08, N 1-2 or 2-3, M 5-9 or 10-15, alpha of cutmix .2-.5 or 1, of mixup .1-.2 or .4-1, holes 2-4 or 8-16.
    * `fixed`: paths of numbers, of leaves, or of steps that stay as they are.

    Raises ValueError for a path that there is not, for a strength that the policy has no room for, and where nothing is left.

    >>> import augfn as af
    >>> space(af.rand_augment(n=3), "aggressive").dimensions
    path           kind   low  high  scale          unit
    some_of/count  count  2    3     whole numbers  how many branches, rounded down
    some_of/level  level  10   15    whole numbers  level of 0 to 30
    >>> space(af.pipeline(af.rotate(degrees=(0, 20)), af.hflip(p=0.5)), fixed=["hflip"]).paths
    ['rotate/degrees/high']
    """
    check("space", getattr(policy, "f", policy))
    f = discrete(getattr(policy, "f", policy))
    if strength is not None:
        customary(strength, "", "")
    found = list(numbers_of(f, strength))
    for name in fixed:
        if not any(below(d.path, name) for d in found):
            raise ValueError(unknown("number to keep fixed", name, [d.path for d in found]))
    found = [d for d in found if not any(below(d.path, name) for name in fixed)]
    if not found:
        fix = "give it a range, or p between 0 and 1: af.rotate(degrees=(-9.0, 9.0), p=0.5)"
        raise ValueError(explain("space: nothing to tune", f, "at least one range, probability, choice or level", fix))
    return Space(f, found)


# a policy's numbers


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


PS = {gate: p for p, gate in GATES.items()}
ENDS = {"low": "high"}


def names_a_place(leaf: Any, meaning: Leaf) -> bool:
    """True of a leaf that says where or which: a table of points, or one that fills its interval and has no neutral value."""
    if meaning.neutral is not None or meaning.index:
        return meaning.index
    low, high = ends_of(leaf)
    return len(meaning.shape) > 1 or bool((low == meaning.low).all() and (high == meaning.high).all())


def hull(span: Span, numbers: Tensor) -> Span:
    """The interval, wide enough for these too."""
    return min(span[0], float(numbers.min())), max(span[1], float(numbers.max()))


def ends_of(leaf: Any) -> tuple[Tensor, Tensor]:
    if isinstance(leaf, Interval):
        return leaf.bounds[..., 0], leaf.bounds[..., 1]
    return (getattr(leaf, leaf.ordered[0]), getattr(leaf, leaf.ordered[1])) if leaf.ordered else (leaf, leaf)


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


# what a number makes of a leaf


def filled(field: Tensor, value: float, entry: int | None) -> Tensor:
    """A field of one value, or with one entry of it."""
    if entry is None:
        return torch.full_like(field, value)
    flat = field.flatten()
    there = torch.arange(len(flat)) == entry
    return torch.where(there, torch.full_like(flat, value), flat).reshape(field.shape)


def put_ends(leaf: Any, d: Dimension, **ends: float) -> Any:
    """A range with other ends."""
    if isinstance(leaf, Interval):
        parts = dict(zip(("low", "high"), leaf.bounds.unbind(-1), strict=True))
        parts |= {n: filled(parts[n], v, d.entry) for n, v in ends.items()}
        return leaf.renewed(bounds=torch.stack([parts["low"], parts["high"]], -1))
    names = dict(zip(("low", "high"), leaf.ordered, strict=True))
    whole = torch.broadcast_tensors(*ends_of(leaf))[0]
    fields = {names[n]: getattr(leaf, names[n]).expand_as(whole) for n in ends}
    return leaf.renewed(**{names[n]: filled(fields[names[n]], v, d.entry) for n, v in ends.items()})


def put_field(leaf: Any, value: float, *names: str, entry: int | None = None) -> Any:
    return leaf.renewed(**{n: filled(getattr(leaf, n), value, entry) for n in names})


PUT: dict[str, Callable[[Any, float, Dimension], Any]] = {
    "reach": lambda leaf, v, d: put_ends(leaf, d, low=d.centre - v, high=d.centre + v),
    "ratio": lambda leaf, v, d: put_ends(leaf, d, low=d.centre / v, high=d.centre * v),
    "low": lambda leaf, v, d: put_ends(leaf, d, low=v),
    "high": lambda leaf, v, d: put_ends(leaf, d, high=v),
    "probability": lambda leaf, v, d: put_field(leaf, v, "probs"),
    "weight": lambda leaf, v, d: put_field(leaf, v, "weights", entry=d.entry),
    "count": lambda leaf, v, d: put_field(leaf, v, "value"),
    "least": lambda leaf, v, d: put_field(leaf, v, "low"),
    "most": lambda leaf, v, d: put_field(leaf, v + 1, "high"),  # inclusive, as in some_of
    "level": lambda leaf, v, d: put_field(leaf, v, "level"),
    "alpha": lambda leaf, v, d: put_field(leaf, v, *leaf.fields),
    "std": lambda leaf, v, d: put_field(leaf, v, "std"),
}


def sorted_leaf(leaf: Any) -> Any:
    return in_order(leaf) if isinstance(leaf, Uniform | Interval | LogUniform | Knots) else leaf

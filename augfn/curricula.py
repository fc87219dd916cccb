"""Curricula: ranges, probabilities and counts as functions of progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params, leaves_of, nested
from augfn.core.spec import as_leaf, gate_of
from augfn.distributions import Magnitude
from augfn.errors import explain, unknown

GATES = {"p": "gate", "p_channel": "channel_gate"}  # leaves by the keywords that make them


@dataclass(frozen=True)
class Curve:
    """Values at some points of progress, and the way from each to the next, in [0, 1]."""

    points: tuple[float, ...]
    values: tuple[Any, ...]
    ease: str = "linear"


EASES: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda t: t,
    "cosine": lambda t: (1 - torch.cos(torch.pi * t)) / 2,
    "steps": torch.floor,
}


def linear(start: Any, end: Any, begin: float = 0.0, until: float = 1.0) -> Curve:
    """From `start` to `end` in a straight line, between two points of progress; each is what a factory takes: a number, a
    pair, a tensor or a distribution.

    >>> import augfn as af
    >>> f = af.rotate(degrees=(-5, 5))
    >>> af.schedule(f, 0.5, {"degrees": af.linear((-5, 5), (-15, 15))})
    {'degrees': Uniform(low=-10.0, high=10.0)}
    """
    return curve((begin, until), (start, end), "linear")


def cosine(start: Any, end: Any, begin: float = 0.0, until: float = 1.0) -> Curve:
    """From `start` to `end` along half a cosine: (1 - cos(pi t)) / 2, slow at both ends.

    >>> import augfn as af
    >>> af.schedule(af.hflip(p=0.5), 0.25, {"p": af.cosine(0.0, 1.0)})
    {'gate': Bernoulli(probs=0.1464)}
    """
    return curve((begin, until), (start, end), "cosine")


def stepped(*pairs: tuple[float, Any]) -> Curve:
    """Steps: (progress, value), each value from its point on.

    >>> import augfn as af
    >>> f = af.rotate(degrees=(-5, 5))
    >>> af.schedule(f, 0.7, {"degrees": af.stepped((0.0, 5.0), (0.5, 10.0))})
    {'degrees': Constant(value=10.0)}
    """
    points, values = zip(*pairs, strict=True)
    return curve(points, values, "steps")


def piecewise(*pairs: tuple[float, Any]) -> Curve:
    """Straight lines between the points (progress, value).

    >>> import augfn as af
    >>> f = af.hflip(p=0.5)
    >>> af.schedule(f, 0.65, {"p": af.piecewise((0.0, 0.0), (0.3, 0.0), (1.0, 0.4))})
    {'gate': Bernoulli(probs=0.2)}
    """
    points, values = zip(*pairs, strict=True)
    return curve(points, values, "linear")


def curve(points: Sequence[float], values: Sequence[Any], ease: str) -> Curve:
    good = all(0 <= p <= 1 for p in points) and all(a < b for a, b in pairwise(points))
    if not good or len(points) < 2:
        want = "at least two points of progress from 0 to 1, each above the one before"
        raise ValueError(explain("a curve's points", points, want, "piecewise((0.0, a), (0.3, b), (1.0, c))"))
    return Curve(tuple(map(float, points)), tuple(values), ease)


class Curriculum:
    """Curves for the leaves of an augmentation: `params = Curriculum(f, curves)(progress)`, pure, and for a tensor `progress`
    without a new trace under torch.compile. The curves as in `schedule`.

    >>> import augfn as af
    >>> at = af.Curriculum(af.rotate(), {"degrees": af.linear((-5, 5), (-15, 15))})
    >>> at(0.5)
    {'degrees': Uniform(low=-10.0, high=10.0)}
    """

    def __init__(self, f: Augmentation, curves: Mapping[str, Any]) -> None:
        self.params = f.params
        leaves = leaves_of(f.params)
        self.ways: dict[str, tuple[Curve, list[Any]]] = {}
        for path, given in curves.items():
            c = given if isinstance(given, Curve) else Curve((0.0, 1.0), (given, given))
            for leaf in paths_of(f, path, leaves):
                values = [made(f, path, leaf, leaves[leaf], v) for v in c.values]
                if len(kinds := {type(v).__name__ for v in values}) > 1:
                    want, fix = "one kind at all points", "a pair at every point, (5, 5) for a fixed 5"
                    raise ValueError(explain(f"{path}: a curve's values", sorted(kinds), want, fix))
                self.ways[leaf] = c, values

    def __call__(self, progress: float | Tensor, params: Params | None = None) -> Params:
        """The params at a point of progress: the augmentation's own ranges (or these), and what the curves say."""
        t = torch.as_tensor(progress, dtype=torch.float32)
        tree = self.params if params is None else params
        leaves = dict(leaves_of(tree))
        for leaf, (c, values) in self.ways.items():
            leaves[leaf] = at(c, t, values)
        return nested(tree, iter(leaves.values()))


def schedule(f: Augmentation, progress: float | Tensor, curves: Mapping[str, Any]) -> Params:
    """The params of `f` at a point of progress in [0, 1]: its own ranges, and in their place what the curves say.

    * `curves`: by path, such as "color_jitter/brightness", what a factory takes for that leaf, or a curve of such:
      `linear`, `cosine`, `stepped`, `piecewise`. "blur/p" is a step's probability (made with p=), "some_of/count" how many
      of a choice, "some_of/level" the level M of all ops of a policy below.
    * What changes in between changes its numbers, not its kind: a pair stays a pair, a number a number.

    Hand the result in: `f(x, schedule(f, 0.3, curves), key)`. A `Curriculum` reads the curves once.

    >>> import augfn as af
    >>> f = af.pipeline(af.rotate(degrees=(-5, 5)), af.gaussian_blur(p=0.05))
    >>> curves = {"rotate/degrees": af.linear((-5, 5), (-15, 15)), "gaussian_blur/p": af.linear(0.05, 0.3)}
    >>> params = af.schedule(f, 1.0, curves)
    >>> params["rotate"]["degrees"], params["gaussian_blur"]["gate"]
    (Uniform(low=-15.0, high=15.0), Bernoulli(probs=0.3))
    """
    return Curriculum(f, curves)(progress)


def paths_of(f: Augmentation, path: str, leaves: Mapping[str, Any]) -> list[str]:
    """The leaves that a curve is for."""
    parent, _, name = path.rpartition("/")
    if name == "level":
        below = [
            p for p, d in leaves.items() if isinstance(d, Magnitude) and p.startswith(f"{parent}/" if parent else "")
        ]
        if below:
            return below
    own = f"{parent}/{GATES[name]}".lstrip("/") if name in GATES else path
    if own not in leaves:
        names = {gate: name for name, gate in GATES.items()}
        ends = [p.rpartition("/") for p in leaves]
        hint = [f"{parent}{slash}{names.get(name, name)}" for parent, slash, name in ends]
        if name in GATES:
            want, fix = f"one of {', '.join(hint) or '(none)'}", f"make the step with {name}=0.5, or correct its name"
            raise ValueError(explain("schedule: the step has no such probability", path, want, fix))
        raise ValueError(unknown("leaf to schedule", path, hint))
    return [own]


def made(f: Augmentation, path: str, leaf: str, own: Any, value: Any) -> Any:
    """A value of a curve as a distribution for its leaf."""
    name, meaning = path.rpartition("/")[2], f.meanings[leaf]
    if name == "level" and isinstance(own, Magnitude):
        most = len(own.table) - 1
        if not isinstance(value, Tensor) and not (isinstance(value, int | float) and 0 <= value <= most):
            want, fix = f"a number from 0 to {most}", "af.linear(5, 15), or rand_augment(..., mmax=...) for more"
            raise ValueError(explain(f"{path}: a level", value, want, fix))
        return own.renewed(level=torch.as_tensor(value, dtype=own.level.dtype))
    if name == "count" and (isinstance(value, int | float) or (isinstance(value, tuple | list) and len(value) == 2)):
        most = value if isinstance(value, int | float) else value[-1]
        if most >= meaning.high:
            want, fix = f"0 to {meaning.high - 1:g}", f"a larger number where it is made: n=(0, {most:g})"
            raise ValueError(explain(f"{path}: how many of a choice", value, want, fix))
        value = value if isinstance(value, int | float) else (value[0], most + 1)  # inclusive, as in some_of
    if leaf.rpartition("/")[2] in GATES.values():
        return gate_of(path, value, name)
    return as_leaf("schedule", path, meaning, value)


def at(c: Curve, t: Tensor, values: Sequence[Any]) -> Any:
    """A curve's distribution at t; its tensors lie between those of the points."""
    if isinstance(values[0], Tensor):
        return between(c, t, values)
    return values[0].renewed(**{n: between(c, t, [getattr(v, n) for v in values]) for n in values[0].fields})


def between(c: Curve, t: Tensor, values: Sequence[Tensor]) -> Tensor:
    """The value at t: the first before the first point, the last after the last."""
    out = values[0]
    for (first, last), value in zip(pairwise(c.points), values[1:], strict=True):
        way = ((t - first) / (last - first)).clamp(0, 1)
        share = EASES[c.ease](torch.where(t >= last, 1.0, way)).to(value)  # the quotient may be rounded to below 1
        out = torch.lerp(out, value, share)
    return out

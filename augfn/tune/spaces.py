"""Search spaces: the numbers of a policy that can be tuned, each with the interval that it is searched in."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.analysis.tables import Table
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params, leaves_of, nested
from augfn.errors import explain, unknown
from augfn.learn.policy import below, check, discrete, with_params
from augfn.tune.customary import customary
from augfn.tune.dimensions import PUT, Dimension, sorted_leaf
from augfn.tune.leaves import numbers_of

Point = dict[str, float]
ENDS = {"low": "high"}
MOST = 100_000  # points of a grid


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
        if (n := math.prod(map(len, lists))) > MOST:
            fix = 'fixed=[...], less steps, or method="random"'
            raise ValueError(explain("space: a grid that is too large", f"{n:,} points", f"at most {MOST:,}", fix))
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
        leaves = leaves_of(copy.deepcopy(self.base.params))  # so that what is done to them in a training stays there
        for path, value in self.ordered(point).items():
            if path not in known:
                raise ValueError(unknown("number of the space", path, known))
            d = known[path]
            if not d.holds(value):
                want = f"a {'whole ' * bool(d.step)}number from {d.low:g} to {d.high:g}"
                raise ValueError(explain(f"{path}: outside of the space", value, want, "space.sample(key) is inside"))
            for leaf in d.leaves:
                leaves[leaf] = PUT[d.kind](leaves[leaf], float(value), d)
        return nested(self.base.params, iter([sorted_leaf(leaf) for leaf in leaves.values()]))

    def policy(self, point: Mapping[str, float]) -> Augmentation:
        """The augmentation at a point, which `af.save` writes and `augfn preview` shows."""
        return with_params(self.base, self.params(point))

    def __repr__(self) -> str:
        return f"Space of {len(self.numbers)} numbers:\n{self.dimensions}"


def space(policy: Any, strength: str | None = None, fixed: Sequence[str] = ()) -> Space:
    """The search space of a policy, a function or a module: its ranges, probabilities, weights of choices, N and M.

    | leaf | its numbers |
    |---|---|
    | a range evenly about the neutral value | one, its reach: `"rotate/degrees": 15` is (-15, 15); in the logarithm a ratio |
    | another range | its ends, `"gaussian_blur/sigma/low"` and `/high`, kept in order. An end on the neutral value, or where
    its interval ends, stays there |
    | a vector | as one number, where all its entries are alike; else for each, `"translate/translate/0"` |
    | a probability between 0 and 1 | `"hflip/p"` |
    | the weights of a choice | one for each branch, from a hundredth of the largest to it, `"one_of/choice/rotate"`; only
    their ratios matter |
    | how many of a choice | N, `"some_of/count"`; of a range of them `/low` and `/high` |
    | `Magnitude` | M, `"rotate/degrees/level"`. A choice all of whose ops have one level and no range (RandAugment,
    TrivialAugment) is searched by its N and M alone: `"some_of/count"`, `"some_of/level"` |
    | `Beta(a, a)`, `Dirichlet` | a, `"mixup/weight/alpha"`; of other distributions their standard deviation |

    A fixed value stays as it is, and so does what says where or which and not how strongly: seeds, orders, positions.

    * Intervals are those of the schema; where it has no end, half the frame, a whole turn and the like, or twice what the
      policy has (`space.dimensions` shows them all).
    * `strength`: "conservative" or "aggressive" gives the customary ranges instead, where there are any: colour jitter
      .1-.2 or .3-.5, hue .02-.05 or .1-.2, sigma of a blur to .5 or 2, rotation 5-10 or 15-30, scale of a crop from .5 or
      .08, N 1-2 or 2-3, M 5-9 or 10-15, alpha of cutmix .2-.5 or 1, of mixup .1-.2 or .4-1, holes 2-4 or 8-16.
    * `fixed`: paths of numbers, of leaves, or of steps that stay as they are; beside an end that is fixed the other one is
      searched on its own side alone.

    Raises ValueError for a path that there is not, for a strength that the policy has no room for, and where nothing is left.

    >>> import augfn as af
    >>> space(af.rand_augment(n=3), "aggressive").dimensions
    path           kind   low  high  scale          unit
    some_of/count  count  2    3     whole numbers  how many branches, rounded down
    some_of/level  level  10   15    whole numbers  level of 0 to 30
    >>> space(af.pipeline(af.rotate(degrees=(0, 20)), af.hflip(p=0.5)), fixed=["hflip"]).paths
    ['rotate/degrees/high']
    """
    own = getattr(policy, "f", policy)
    check("space", own)
    if isinstance(fixed, str):
        raise TypeError(explain("space: fixed", fixed, "a sequence of paths", f'fixed=["{fixed}"]'))
    f = discrete(with_params(own, policy.params))  # of a module its ranges as they are now
    if strength is not None:
        customary(strength, "", "")
    found = list(numbers_of(f, strength, fixed))
    for name in fixed:
        if not any(below(d.path, name) for d in found):
            raise ValueError(unknown("number to keep fixed", name, [d.path for d in found]))
    found = [d for d in found if not any(below(d.path, name) for name in fixed)]
    if not found:
        fix = "give it a range, or p between 0 and 1: af.rotate(degrees=(-9.0, 9.0), p=0.5)"
        raise ValueError(explain("space: nothing to tune", f, "at least one range, probability, choice or level", fix))
    return Space(f, found)

"""Confidence intervals by the bootstrap, over images with all their draws; of one image over its draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from augfn import random
from augfn.analysis.tables import Estimate
from augfn.errors import explain

Finish = Callable[[Tensor], Tensor]  # mean moments [..., k] to the measure [...]


def check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(explain("the level of intervals", level, "between 0 and 1", "level=0.95"))


def only(moments: Tensor) -> Tensor:
    """The measure that is its own mean."""
    return moments[..., 0]


def resampled(key: Tensor, units: int, count: int) -> Tensor:
    """How often each of the units is drawn, with replacement, in each resample: `[count, units]`.

    >>> resampled(random.key(0), 5, 3).sum(1)
    tensor([5., 5., 5.])
    """
    return counts(tuple(key.tolist()), units, count)


@lru_cache(maxsize=2)
def counts(words: tuple[int, ...], units: int, count: int) -> Tensor:
    """The same for all measures of a report, so kept."""
    key = torch.tensor(words, dtype=torch.int64)
    index = (random.uniform(key, (count, units)) * units).long().clamp(max=units - 1)
    return torch.zeros(count, units).scatter_add_(1, index, torch.ones(()).expand(count, units))


class Resamples(NamedTuple):
    """A measure, its values for resampled units, and how many units there are."""

    value: Tensor
    found: Tensor
    units: int


def resamples(moments: Tensor, key: Tensor, finish: Finish, count: int, images: int) -> Resamples:
    """The measure of moments `[units, draws, k]`, and of resampled units (where there is one image, of its draws).

    What is not finite is left out. The same key resamples the same units, so differences of measures are paired.
    """
    m = moments.double()
    m = m.movedim(0, 1) if images == 1 else m
    finite = m.isfinite().all(-1)
    per_unit = torch.where(finite[..., None], m, 0.0).sum(1)
    seen = finite.sum(1).double()
    weights = resampled(key, len(m), count).double()
    found = (weights @ per_unit) / (weights @ seen)[:, None]
    return Resamples(finish(per_unit.sum(0) / seen.sum()), finish(found), int((seen > 0).sum()))


def estimate(
    moments: Tensor,
    key: Tensor,
    finish: Finish = only,
    level: float = 0.95,
    count: int = 1000,
    images: int | None = None,
) -> Estimate:
    """The measure of moments `[units, draws, k]` with its bootstrap interval.

    Draws of one image are not independent samples of the population of images: what is resampled are images (blocks of them,
    of measures that compare images), each with its draws, so that the interval covers both. Of one image it is over its draws.

    >>> estimate(torch.arange(100.0)[:, None, None], random.key(0))
    49.5 [43.3, 55.2]
    """
    return interval(*resamples(moments, key, finish, count, len(moments) if images is None else images), level)


LEAST = 8  # units, below which intervals would be far too narrow


def interval(value: Tensor, found: Tensor, units: int, level: float) -> Estimate:
    """An estimate from its value and those of the resamples, of at least 8 units.

    The ends are expanded percentiles, which for few units are about as far as Student's (Hesterberg 2015): those at the level
    2 Φ(sqrt(n / (n - 1)) t) - 1, with Student's t of n - 1 degrees of freedom.
    """
    found = found[~found.isnan()]
    if units < LEAST or len(found) < 2:
        return Estimate(float(value))
    reach = math.sqrt(units / (units - 1)) * student(level, units - 1)
    share = torch.special.ndtr(torch.tensor(-reach, dtype=torch.float64))
    order = found.double().sort().values
    low, high = (float(order[round(float(p) * (len(order) - 1))]) for p in (share, 1 - share))
    return Estimate(float(value), low, high)


def student(level: float, freedom: int) -> float:
    """The quantile of Student's t that a level leaves out on both sides, by its expansion in 1 / freedom (Abramowitz and Stegun
    26.7.5), to a thousandth from 7 on.

    >>> round(student(0.95, 7), 3), round(student(0.95, 1000), 3)
    (2.364, 1.962)
    """
    z = float(torch.special.ndtri(torch.tensor((1 + level) / 2, dtype=torch.float64)))
    v = freedom
    terms = (
        z,
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
    )
    return sum(terms)

"""Confidence intervals by the bootstrap, over images with all their draws; of one image over its draws."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

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


def resampled(key: Tensor, units: int, resamples: int) -> Tensor:
    """How often each of the units is drawn, with replacement, in each resample: `[resamples, units]`.

    >>> resampled(random.key(0), 5, 3).sum(1)
    tensor([5., 5., 5.])
    """
    return counts(tuple(key.tolist()), units, resamples)


@lru_cache(maxsize=8)
def counts(words: tuple[int, ...], units: int, resamples: int) -> Tensor:
    """The same for all measures of a report, so kept."""
    key = torch.tensor(words, dtype=torch.int64)
    index = (random.uniform(key, (resamples, units)) * units).long().clamp(max=units - 1)
    return torch.zeros(resamples, units).scatter_add_(1, index, torch.ones(()).expand(resamples, units))


def means(moments: Tensor, key: Tensor, resamples: int) -> tuple[Tensor, Tensor]:
    """The mean `[k]` of moments `[units, draws, k]`, and those of resampled units `[resamples, k]` (of one unit: of its draws).

    Units that are not finite are left out. The same key resamples the same units, so differences of measures are paired.
    """
    m = moments.double()
    m = m.movedim(0, 1) if len(m) == 1 else m
    finite = m.isfinite().all(-1)
    per_unit = torch.where(finite[..., None], m, 0.0).sum(1)
    seen = finite.sum(1).double()
    weights = resampled(key, len(m), resamples).double()
    found = (weights @ per_unit) / (weights @ seen)[:, None]
    return per_unit.sum(0) / seen.sum(), found if len(m) > 1 else torch.full_like(found, torch.nan)


def estimate(
    moments: Tensor, key: Tensor, finish: Finish = only, level: float = 0.95, resamples: int = 1000
) -> Estimate:
    """The measure of moments `[units, draws, k]` with its percentile interval (Efron 1979).

    Draws of one image are not independent samples of the population of images: what is resampled are images, each with its
    draws, so that the interval covers both.

    >>> estimate(torch.arange(100.0)[:, None, None], random.key(0))
    49.5 [43.5, 55.1]
    """
    mean, found = means(moments, key, resamples)
    return interval(finish(mean), finish(found), level)


def interval(value: Tensor, found: Tensor, level: float) -> Estimate:
    """An estimate from its value and those of the resamples; without an interval where there is one unit alone."""
    found = found[found.isfinite()]
    if len(found) < 2:
        return Estimate(float(value))
    low, high = found.quantile(torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=found.dtype))
    return Estimate(float(value), float(low), float(high))

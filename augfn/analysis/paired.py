"""Two models, or two checkpoints, under the same draws: paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from augfn.analysis.intervals import interval, means
from augfn.analysis.reports import Report, finish_of
from augfn.analysis.tables import Estimate, Table
from augfn.errors import explain


def compare(first: Report | Sequence[Report], second: Report | Sequence[Report]) -> Table:
    """What `second` has more than `first` of each measure at each layer that both have.

    Of two reports the intervals are bootstrapped over images, the same ones for both, so that what images have in common
    cancels out. Of two lists, of the same training with several seeds, each pair is one sample, and the interval is Student's
    over the seeds (needs scipy). Reports must be of the same images, augmentation and key.

    Columns: layer, measure, first, second, difference; a difference is clear where its interval does not hold 0. Mind how
    many rows there are: of 20 intervals of 95 % one is expected to miss.
    """
    pairs = paired(first, second)
    a, b = pairs[0]
    shared = [name for name in a.passes if all(name in r.passes for pair in pairs for r in pair)]
    inner = [name for name in shared if name[0] in a.names and name[1] in a.measures]
    if not shared:
        raise ValueError(explain("compare: no layers in common", a.names, str(b.names), "layers=[...] of both"))
    rows = []
    for layer, measure in inner + [name for name in shared if name[0] not in a.names]:
        found = [both(pair, layer, measure) for pair in pairs]
        if len(pairs) == 1:
            rows.append((layer, measure, *(r.estimate(layer, measure) for r in (a, b)), of_images(a, *found[0])))
        else:
            values = [torch.stack([pair[i][0] for pair in found]) for i in (0, 1)]
            level = a.level
            rows.append((layer, measure, *(of_seeds(v, level) for v in (*values, values[1] - values[0]))))
    return Table(("layer", "measure", "first", "second", "difference"), rows)


Resampled = tuple[Tensor, Tensor]


def both(pair: Sequence[Report], layer: str, measure: str) -> list[Resampled]:
    """The measure of two reports, and of their resamples; what is not finite in one is left out of both."""
    moments = [r.passes[layer, measure] for r in pair]
    finite = torch.stack([m.isfinite().all(-1, keepdim=True) for m in moments]).all(0)
    out = []
    for r, m in zip(pair, moments, strict=True):
        mean, found = means(torch.where(finite, m, torch.nan), r.key, r.resamples)
        finish = finish_of(r.measures, measure)
        out.append((finish(mean), finish(found)))
    return out


def of_images(r: Report, first: Resampled, second: Resampled) -> Estimate:
    return interval(second[0] - first[0], second[1] - first[1], r.level)


def of_seeds(values: Tensor, level: float) -> Estimate:
    """The mean of one value for each seed, with Student's interval."""
    from scipy.stats import t

    n, mean = len(values), float(values.mean())
    reach = float(t.ppf((1 + level) / 2, n - 1)) * float(values.std()) / math.sqrt(n)
    return Estimate(mean, mean - reach, mean + reach)


def paired(first: Report | Sequence[Report], second: Report | Sequence[Report]) -> list[tuple[Report, Report]]:
    sides = [[r] if isinstance(r, Report) else list(r) for r in (first, second)]
    if not sides[0] or len(sides[0]) != len(sides[1]):
        want, fix = "two reports, or two lists of as many", "compare([a1, a2], [b1, b2])"
        raise ValueError(explain("compare: how many?", [len(s) for s in sides], want, fix))
    for r in (*sides[0], *sides[1]):
        own, other = same(r), same(sides[0][0])
        if own != other:
            which = next(n for n in own if own[n] != other[n])
            given, fix = f"{which}: {own[which]} and {other[which]}", f"the same {which} in every call of behaviour"
            raise ValueError(explain("compare: not the same draws", given, "reports of one setting", fix))
    return [*zip(*sides, strict=True)]


def same(r: Report) -> dict[str, object]:
    """What reports that are compared have in common."""
    settings = {"level": r.level, "resamples": r.resamples, "measures": list(r.measures)}
    return r.plan.content() | settings

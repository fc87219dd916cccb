"""Two models, or two checkpoints, under the same draws: paired differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from augfn.analysis.intervals import Finish, Resamples, check_level, interval, resamples
from augfn.analysis.reports import Report, finish_of
from augfn.analysis.tables import Estimate, Table
from augfn.errors import explain


def compare(
    first: Report | Sequence[Report],
    second: Report | Sequence[Report],
    names: tuple[str, str] = ("first", "second"),
    *,
    table: str = "layers",
    level: float | None = None,
) -> Table:
    """What the second has more than the first of each measure at each layer that both have.

    Of two reports the intervals are bootstrapped over images, the same ones for both, so that what images have in common
    cancels out. Of two lists, of the same training with several seeds, each pair is one sample, and the interval is Student's
    over the seeds (needs scipy). Reports must be of the same images, augmentation and key.

    * `names` of the two columns; `table="ops"`: the Shapley values of the ops, in place of the measures.
    * `level` of the intervals, where not that of the reports. Mind how many rows there are: of 20 intervals of 95 % one is
      expected to miss; for all rows at once take 1 - 0.05 / rows (Bonferroni).

    Columns: layer, measure (and op), the two, their difference, and whether it is clear: its interval does not hold 0.
    """
    pairs = paired(first, second)
    a, b = pairs[0]
    level = a.level if level is None else level
    check_level(level)
    found = {"layers": measured, "ops": blamed}
    if table not in found:
        raise ValueError(explain("compare: table", table, f"one of {', '.join(found)}", 'table="ops"'))
    rows = []
    for label, moments, finish in found[table](pairs):
        each = [both(pair, reports, finish) for pair, reports in zip(moments, pairs, strict=True)]
        if len(pairs) == 1:
            x, y = each[0]
            apart = Resamples(y.value - x.value, y.found - x.found, x.units)
            values = tuple(interval(*r, level) for r in (x, y, apart))
        else:
            x, y = (torch.stack([pair[i].value for pair in each]) for i in (0, 1))
            values = tuple(over_seeds(v.tolist(), level) for v in (x, y, y - x))
        rows.append((*label, *values, bool(values[2].low * values[2].high > 0)))
    if not rows:
        fix = "layers=[...] of both" if table == "layers" else "behaviour(..., blame=None)"
        raise ValueError(explain("compare: nothing in common", a.names, str(b.names), fix))
    kinds = ("layer", "measure") if table == "layers" else ("layer", "measure", "op")
    return Table((*kinds, *names, "difference", "clear"), rows)


Row = tuple[tuple[str, ...], list[list[Tensor]], Finish]


def measured(pairs: list[tuple[Report, Report]]) -> Iterator[Row]:
    """The moments of each measure at each layer that all reports have."""
    a = pairs[0][0]
    shared = [name for name in a.passes if all(name in r.passes for pair in pairs for r in pair)]
    for name in sorted(shared, key=lambda name: name[0] not in a.names):
        yield name, [[r.passes[name] for r in pair] for pair in pairs], finish_of(a.measures, name[1])


def blamed(pairs: list[tuple[Report, Report]]) -> Iterator[Row]:
    """The Shapley values of each op."""
    a = pairs[0][0]
    for layer, measure in a.shares.shapley:
        every = [[r.shares.shapley.get((layer, measure)) for r in pair] for pair in pairs]
        known = [[m for m in pair if m is not None] for pair in every]
        if all(len(pair) == 2 for pair in known):
            for i, op in enumerate(a.steps):
                yield (layer, measure, op), known, partial(torch.select, dim=-1, index=i)


def both(moments: Sequence[Tensor], reports: Sequence[Report], finish: Finish) -> list[Resamples]:
    """A measure of two reports, resampled; what is not finite in one is left out of both."""
    finite = torch.stack([m.isfinite().all(-1, keepdim=True) for m in moments]).all(0)
    kept = [torch.where(finite, m, torch.nan) for m in moments]
    return [resamples(m, r.key, finish, r.resamples, r.n) for m, r in zip(kept, reports, strict=True)]


def over_seeds(values: Sequence[float], level: float = 0.95) -> Estimate:
    """The mean of one value for each seed, with Student's interval (needs scipy).

    >>> over_seeds([1.0, 2.0, 3.0])
    2 [-0.484, 4.48]
    """
    from scipy.stats import t

    v = torch.tensor(values, dtype=torch.float64)
    n, mean = len(v), float(v.mean())
    reach = float(t.ppf((1 + level) / 2, n - 1)) * float(v.std()) / math.sqrt(n) if n > 1 else math.nan
    return Estimate(mean, mean - reach, mean + reach)


def paired(first: Report | Sequence[Report], second: Report | Sequence[Report]) -> list[tuple[Report, Report]]:
    sides = [[r] if isinstance(r, Report) or not isinstance(r, Sequence) else [*r] for r in (first, second)]
    other = [r for side in sides for r in side if not isinstance(r, Report)]
    if other:
        raise TypeError(
            explain("compare: not a report", other[0], "what behaviour returns", "compare(behaviour(...), ...)")
        )
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

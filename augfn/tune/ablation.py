"""Ablations: each op left out of a policy, and alone, over paired seeds (needs `pip install 'augfn[tune]'`)."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.analysis.intervals import LEAST, check_level, estimate
from augfn.analysis.paired import over_seeds
from augfn.analysis.switching import prepares
from augfn.analysis.tables import Estimate, Table
from augfn.compose import identity
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Combined, Identity, Mixture, OneOf, Pipeline, Slots, SomeOf
from augfn.errors import explain, needs, unknown
from augfn.files.writing import written
from augfn.progress import shown
from augfn.tune.kept import Kept
from augfn.tune.searching import Train, Training

MODES = ("leave_one_out", "add_one")
WHOLE, NONE = "whole", "none"
RESAMPLES = 20_000  # of the bootstrap: the ends at 99 % are far out
Arms = dict[str, Augmentation]


@dataclass(frozen=True)
class Ablation:
    """What each op of a policy gains.

    * `table`: a row for each op, the one that gains most first. Of each mode the gain (its mean over the seeds, with an
      interval; above 0 is better), its p value of a paired t-test, and that value after Holm's correction over the whole
      table; `gain`, the mean of the modes; and the `verdict`.
    * `scores`: what `train` returned for each arm, one number for each seed. `seeds`, `level`: as given.

    >>> f = lambda augment, key, budget: float("rotate" in repr(augment)) + float(random.uniform(key)) / 9
    >>> import augfn as af
    >>> found = ablate(f, af.pipeline(af.rotate(), af.hflip()), 3, key=af.key(0))
    >>> found.ranking, found.scores["without hflip"] == found.scores["whole"]
    (['rotate', 'hflip'], True)
    >>> str(found).endswith("Seeds: 3. Intervals and verdicts at 99%.")
    True
    """

    table: Table
    scores: dict[str, list[float]]
    seeds: list[int]
    level: float

    @property
    def ranking(self) -> list[str]:
        """The ops, the one that gains most first."""
        return self.table["op"]

    def verdicts(self) -> dict[str, str]:
        """Of each op: "helps", "harms", "noise" (nothing is shown, neither a gain nor that there is none) or "mixed" (it
        helps in one mode and harms in the other)."""
        return dict(zip(self.table["op"], self.table["verdict"], strict=True))

    def __str__(self) -> str:
        return f"{self.table}\n\nSeeds: {len(self.seeds)}. Intervals and verdicts at {self.level:.0%}."

    def plot(self, path: str | Path | None = None) -> Any:
        """The gains with their intervals, as a matplotlib figure, written where a path is given."""
        return plotted(self, path)


def ablate(
    train: Train,
    policy: Augmentation,
    seeds: int | Sequence[int],
    *,
    key: Tensor,
    budget: Any = None,
    metric: str | None = None,
    maximize: bool = True,
    level: float = 0.99,
    mode: Sequence[str] = MODES,
    fixed: Sequence[str] = (),
    storage: str | Path | None = None,
    progress: bool = False,
) -> Ablation:
    """Which ops of a policy help, which harm, and of which nothing can be said.

    For each seed s the function `train` is called with the key `fold_in(key, s)` and

    * the whole policy, and the policy without each op ("leave_one_out"): gain = score(whole) - score(without the op);
    * no augmentation, and each op alone ("add_one"): gain = score(alone) - score(none).

    All arms of a seed have the same key, so the same initial weights, batches, and draws of the ops that they share (law 11:
    leaving a step out changes no other draw), and the same budget: the differences are paired. The mean of both gains is that
    of an op's first and last term in its Shapley value, and what ops are ranked by.

    | argument | meaning |
    |---|---|
    | `train` | as in `search`: `train(augment, key, budget)` gives the score on validation data, a number or a mapping of such,
    or yields it as training goes on (the last counts). It draws all from the key, and never sees the test set |
    | `policy` | a pipeline, whose steps are left out, or a choice (`one_of`, `some_of`, `mixture`, also as the only step of a
    pipeline, as in `rand_augment`), whose branches do nothing in their turn. What prepares images for a model (conversions,
    normalize, resize, center_crop, pad) always acts. A crop to a size does not: end with a `resize` to that size where images
    have another, so that all arms train at one size |
    | `seeds` | at least two: how many (0, 1, ...), or which. With five, an effect has to be four times its spread to be
    seen at 99 % in a table of six ops; take eight or more |
    | `key` | of the library's randomness |
    | `budget` | handed to `train` as it is, the same for all: steps, epochs |
    | `metric`, `maximize` | which of a mapping counts; whether more is better |
    | `level` | of the intervals (each for itself), and of the verdicts: an op helps or harms if a p value of its row is below
    1 - level after Holm's correction over all tests of the table: the chance that any of them is wrong is at most that |
    | `mode` | of "leave_one_out" and "add_one" both, or one |
    | `fixed` | names of steps that always act |
    | `storage` | a file (JSON lines) in which scores are kept as they come: the same call goes on where it was stopped |
    | `progress` | show a bar |

    What is said is said of these validation images: seeds vary the training. Where they are few, let `train` draw them (with
    replacement) by the key, the same for all arms, so that their choice counts as well.

    The t-test supposes that the differences of the seeds are about normal. Where they are very skewed, or steps of one or two
    samples of the validation set, more than 1 - level of the tables are wrong: in simulations of twelve such tests at 99 %
    with eight seeds 17 % (exponential) and 7 % (-1, 0 or 1 with the odds 9:2:9), and 1 % of normal ones.

    Intervals are bootstrapped over seeds from 8 seeds on (`augfn.analysis.intervals`), below that Student's. Where all seeds
    have one and the same difference, of which t says that it is infinitely sure, p is that of the sign test, 2^(1 - n).

    Raises ValueError for fewer than two seeds, a policy of one op, a name that is no step, a score that is not finite, a
    storage of another call or that is another file; TypeError where `train` returns no number.

    Sources: Holm 1979; Shapley 1953.

    >>> import augfn as af
    >>> def train(augment, key, budget):
    ...     images = torch.full((64, 1, 4, 4), 0.6)
    ...     seen = augment(images, None, key)[0].mean() + 0.01 * af.normal(key)
    ...     return {"loss": abs(seen - 0.9), "mean": seen}
    >>> policy = af.pipeline(af.brightness(factor=1.5), af.invert(p=0.5), af.hflip(p=0.5))
    >>> found = ablate(train, policy, 8, key=af.key(0), metric="loss", maximize=False)
    >>> found.verdicts()
    {'brightness': 'helps', 'hflip': 'noise', 'invert': 'harms'}
    """
    random.check_key(key)
    modes, numbers = checked(train, policy, seeds, level, mode, fixed)
    place = place_of(policy)
    ops = ops_of(policy, place, fixed)
    arms = arms_of(policy, place, ops, modes)
    setting = {
        "policy": described(policy),
        "fixed": [*fixed],
        "key": key.tolist(),
        "budget": repr(budget),
        "metric": metric,
    }
    kept = Kept(storage, setting)
    for s, (name, augment) in shown([(s, arm) for s in numbers for arm in arms.items()], progress, "trainings"):
        if (name, s) not in kept.scores:
            training = Training(train, random.fold_in(key, s)[None], budget, metric)
            kept.add(name, s, score_of(training, augment, name))
    scores = {name: [kept.scores[name, s] for s in numbers] for name in arms}
    return Ablation(table_of(scores, ops, modes, 1 if maximize else -1, level, key), scores, numbers, level)


def checked(
    train: Any, policy: Any, seeds: int | Sequence[int], level: float, mode: Sequence[str], fixed: Sequence[str]
) -> tuple[tuple[str, ...], list[int]]:
    """The modes and the seeds."""
    if not callable(train):
        raise TypeError(explain("ablate: train", train, "train(augment, key, budget)", "a function of yours"))
    if not isinstance(policy, Augmentation):
        want, fix = "an augmentation", "af.pipeline(af.rotate(), af.hflip(p=0.5))"
        raise TypeError(explain("ablate: policy", policy, want, fix))
    if isinstance(fixed, str):
        raise TypeError(explain("ablate: fixed", fixed, "a sequence of names", f'fixed=["{fixed}"]'))
    try:
        given = seeds if isinstance(seeds, Iterable) else range(index(seeds))
        numbers = [index(s) for s in given]
    except TypeError:
        raise TypeError(explain("ablate: seeds", seeds, "whole numbers: how many, or which", "seeds=8")) from None
    if len(set(numbers)) < max(2, len(numbers)):
        want = "two or more, each once: of one the spread is unknown"
        raise ValueError(explain("ablate: seeds", seeds, want, "seeds=8"))
    check_level(level)
    modes = (mode,) if isinstance(mode, str) else tuple(dict.fromkeys(mode))
    for m in modes:
        if m not in MODES:
            raise ValueError(unknown("mode of ablate", m, MODES))
    if not modes:
        raise ValueError(explain("ablate: mode", mode, "one or both", f"mode={MODES}"))
    return modes, numbers


# the policy without some of its ops


def place_of(f: Augmentation) -> tuple[str, ...]:
    """Where the ops are: in a pipeline whose only step is made of steps, in that one."""
    if isinstance(f, Pipeline):
        inner = [n for n, g in f.steps.items() if not stays(g)]
        if len(inner) == 1 and isinstance(f.steps[inner[0]], Pipeline | OneOf | SomeOf | Slots | Mixture):
            return (inner[0], *place_of(f.steps[inner[0]]))
    return ()


def ops_of(f: Augmentation, place: tuple[str, ...], fixed: Sequence[str]) -> list[str]:
    """The names of the steps, or branches, that are left out in turn."""
    for name in place:
        f = f.steps[name]  # type: ignore[attr-defined]
    f = next(iter(f.steps.values())) if isinstance(f, Slots) else f
    steps = f.steps if isinstance(f, Pipeline | OneOf | SomeOf | Mixture) else {}
    for name in fixed:
        if name not in steps:
            raise ValueError(unknown("step to keep", name, steps))
    names = [n for n, g in steps.items() if n not in fixed and not stays(g)]
    if len(names) < 2:
        want = "a pipeline or a choice of two ops or more that can be left out"
        fix = (
            "af.pipeline(af.rotate(), af.hflip(p=0.5)); of one op compare train(op, ...) with train(af.identity(), ...)"
        )
        raise ValueError(explain("ablate: a policy of fewer than two ops", f, want, fix))
    return names


def arms_of(f: Augmentation, place: tuple[str, ...], ops: list[str], modes: tuple[str, ...]) -> Arms:
    """All policies that are trained with, by name."""
    arms: Arms = {}
    if "leave_one_out" in modes:
        arms |= {WHOLE: f} | {f"without {n}": without(f, place, {n}) for n in ops}
    if "add_one" in modes:
        arms |= {NONE: without(f, place, {*ops})}
        arms |= {f"{n} alone": without(f, place, {*ops} - {n}) for n in ops}
    return arms


def without(f: Any, place: tuple[str, ...], off: set[str]) -> Augmentation:
    """The same augmentation without these steps; a branch of a choice does nothing in its turn, so that the choices stay.

    >>> import augfn as af
    >>> without(af.pipeline(af.hflip(), af.rotate(), af.rotate(), fuse=False), (), {"hflip", "rotate"}).steps.keys()
    dict_keys(['rotate_2'])
    >>> without(af.one_of(af.hflip(), af.invert()), (), {"hflip"})
    one_of(identity(), invert(), choice=Choice(weights=[1.0, 1.0]))
    """
    if place:
        return rebuilt(f, {n: without(g, place[1:], off) if n == place[0] else g for n, g in f.steps.items()})
    if isinstance(f, Slots):
        return rebuilt(f, {n: without(g, (), off) for n, g in f.steps.items()})
    steps = {n: rest_of(g) if n in off else g for n, g in f.steps.items()}
    if isinstance(f, Pipeline):
        steps = {n: g for n, g in steps.items() if n not in off or not isinstance(g, Identity)}
    return rebuilt(f, steps) if steps else identity()


def stays(g: Augmentation) -> bool:
    """True of what prepares images, and of pipelines of such alone."""
    return prepares(g, g.params, ()) or (isinstance(g, Pipeline) and all(map(stays, g.steps.values())))


def rest_of(g: Augmentation) -> Augmentation:
    """What is left of a step that is left out: of a pipeline what prepares images."""
    if stays(g):
        return g
    return without(g, (), {*g.steps}) if isinstance(g, Pipeline) else identity()


def rebuilt(f: Combined, steps: dict[str, Augmentation]) -> Combined:
    """The same combinator of other steps."""
    params, schema = ({n: v for n, v in tree.items() if n not in f.steps} for tree in (f.params, f.schema))
    known = {n: v for n, v in vars(f).items() if n in ("targets", "sampling", "fused", "whole", "most")}
    return type(f)(f.name, steps, params, schema, **known)


# scores


def score_of(training: Training, augment: Augmentation, arm: str) -> float:
    """What a training gives."""
    (value,) = training.values(augment)
    if not math.isfinite(value):
        fix = "look at the losses of that training; a smaller learning rate, or return the worst score there is"
        raise ValueError(explain(f"what train gave ({arm})", value, "a finite number", fix))
    return value


def described(f: Augmentation) -> Any:
    """A policy as plain data; as text, where it has no place in a file."""
    try:
        return json.loads(json.dumps(written(f)))
    except TypeError:
        return repr(f)


# what they say


def table_of(
    scores: Mapping[str, list[float]], ops: list[str], modes: tuple[str, ...], sign: int, level: float, key: Tensor
) -> Table:
    gains = {(m, op): differences(scores, m, op, sign) for m in modes for op in ops}
    p = {name: p_value(values) for name, values in gains.items()}
    adjusted = dict(zip(p, holm([*p.values()]), strict=True))
    rows = []
    for op in ops:
        mean = statistics.fmean(statistics.fmean(gains[m, op]) for m in modes)
        signs = {math.copysign(1, sum(gains[m, op])) for m in modes if adjusted[m, op] < 1 - level}
        verdict = "mixed" if len(signs) > 1 else "noise" if not signs else "helps" if 1 in signs else "harms"
        each = [v for m in modes for v in (interval(gains[m, op], level, key), p[m, op], adjusted[m, op])]
        rows.append((op, *each, mean, verdict))
    columns = [name for m in modes for name in (m, f"{m}_p", f"{m}_holm")]
    return Table(("op", *columns, "gain", "verdict"), rows).sorted("gain")


def differences(scores: Mapping[str, list[float]], mode: str, op: str, sign: int) -> list[float]:
    """What an op gains with each seed."""
    names = (WHOLE, f"without {op}") if mode == "leave_one_out" else (f"{op} alone", NONE)
    return [sign * (a - b) for a, b in zip(*(scores[n] for n in names), strict=True)]


def interval(values: list[float], level: float, key: Tensor) -> Estimate:
    """The mean with its interval: by the bootstrap, of few values Student's."""
    if len(values) < LEAST:
        return over_seeds(values, level)
    return estimate(torch.tensor(values, dtype=torch.float64)[:, None, None], key, level=level, count=RESAMPLES)


def p_value(values: Sequence[float]) -> float:
    """Of the mean being 0, by Student's t on both sides; of values that are all alike by the sign test.

    >>> round(p_value([1.0, 2.0, 3.0]), 4), p_value([1.0, 1.0, 1.0]), p_value([0.0, 0.0])
    (0.0742, 0.25, 1.0)
    """
    try:
        from scipy.stats import t
    except ImportError as error:
        raise needs("tune", "ablate", error) from error
    n, mean, spread = len(values), statistics.fmean(values), statistics.stdev(values)
    if spread <= 1e-12 * abs(mean):
        return 2.0 ** (1 - n) if mean else 1.0
    return float(2 * t.sf(abs(mean) / (spread / math.sqrt(n)), n - 1))


def holm(p: Sequence[float]) -> list[float]:
    """p values for which at most a share alpha of families has any below alpha by chance: in order of size the i-th of m times
    m - i, no less than the one before. Source: Holm 1979.

    >>> holm([0.25, 0.125, 0.5])
    [0.5, 0.375, 0.5]
    """
    out, least = [0.0] * len(p), 0.0
    for i, at in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        least = max(least, min(1.0, (len(p) - i) * p[at]))
        out[at] = least
    return out


def plotted(found: Ablation, path: str | Path | None) -> Any:
    """A row for each op, the gain of each mode with its interval, and the verdict."""
    from augfn.analysis.plots import COLORS, Figure, drawn, named

    modes = [m for m in MODES if m in found.table.columns]
    figure = Figure(figsize=(7, 1.4 + 0.4 * len(found.table)), layout="constrained")
    ax = figure.subplots()
    for i, m in enumerate(modes):
        estimates: list[Estimate] = found.table[m]
        at = [row + 0.15 * (2 * i - len(modes) + 1) for row in range(len(estimates))]
        reach = [[e.value - e.low for e in estimates], [e.high - e.value for e in estimates]]
        ax.errorbar(
            [e.value for e in estimates], at, xerr=reach, fmt="o", ms=4, capsize=3, color=COLORS[i], label=named(m)
        )
    ax.axvline(0, color="0.5", lw=0.8)
    ax.set_yticks(range(len(found.table)), [f"{row['op']}: {row['verdict']}" for row in found.table], fontsize=8)
    ax.invert_yaxis()
    ax.set_xlabel(f"gain, intervals of {100 * found.level:g} %, {len(found.seeds)} seeds", fontsize=9)
    ax.grid(axis="x", alpha=0.3)
    ax.legend(fontsize=8)
    return drawn(figure, path)

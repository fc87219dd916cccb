"""Curves: a model over one parameter of an augmentation, and the level up to which it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from augfn import random
from augfn.adversarial import augmentation_of
from augfn.analysis.capture import Layers, bare
from augfn.analysis.intervals import check_level, estimate, interval, resamples
from augfn.analysis.passes import quiet, self_measured, stacked, watched
from augfn.analysis.plans import Measures, Plan, check_key, checked, positive
from augfn.analysis.reports import finish_of
from augfn.analysis.scores import EMBEDDING, OUTPUT, Measure, Moments
from augfn.analysis.shares import undo_of
from augfn.analysis.study import joined
from augfn.analysis.switching import steady
from augfn.analysis.tables import Estimate, Table
from augfn.core.draw import merge
from augfn.errors import explain, unknown
from augfn.progress import shown
from augfn.typing import Leaf

# where a model does not hold, these rise, and these fall
RISES = ("relative_l2", "flips", "jsd", "calibration", "procrustes", "equivariance")
FALLS = ("cosine", "cka", "cka_biased", "cka_rbf", "rank_correlation", "accuracy", "margin")


def sweep(
    model: nn.Module,
    images: Any,
    op: Any,
    leaf: str,
    values: Sequence[float] | Tensor,
    key: Tensor | None = None,
    labels: Any = None,
    layers: Layers = None,
    draws: int = 1,
    *,
    measures: Measures = ("relative_l2", "cosine"),
    embedding: str | None = None,
    batch: int = 16,
    level: float = 0.95,
    resamples: int = 1000,
    progress: bool = False,
) -> Curves:
    """Measures at every value of one leaf of an augmentation, each image compared with itself as in `behaviour`.

    * `op`, `leaf`: an augmentation and the path of a leaf of its params: `"degrees"`, in a pipeline `"rotate/degrees"`. What
      else is random is drawn, the same at every value (`key`, by default `af.key(0)`; `draws` of them).
    * `values`: the levels, in order, the mildest first: for a tolerance in both directions sweep each by itself.
    * the rest is that of `behaviour`.

    >>> import augfn as af
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    >>> curves = sweep(net, torch.rand(6, 3, 1, 1), af.brightness(factor=1.0), "factor", [1.0, 0.75, 0.5])
    >>> [round(e.value, 3) for e in curves.at("relative_l2", "1")]
    [0.0, 0.25, 0.5]
    >>> round(curves.tolerance("relative_l2", 0.3, "1").value, 3)
    0.7
    """
    f, tree = augmentation_of(op, "sweep")
    if leaf not in f.meanings:
        raise ValueError(unknown(f"leaf of {f.name}", leaf, f.meanings))
    images, labels = checked(images, labels)
    levels, meaning = torch.as_tensor(values, dtype=torch.float32), f.sized(f.read(images[:1]), {})[leaf]
    if levels.ndim < 1 or len(levels) < 2 or levels.shape[1:] not in ((), meaning.shape):
        want = f"at least two values of shape {list(meaning.shape)}"
        raise ValueError(explain(f"sweep: values of {leaf}", values, want, "torch.linspace(0, 90, 10)"))
    check_values(leaf, levels, meaning)
    check_level(level)
    key = random.key(0) if key is None else key
    check_key(key)
    base = Plan(f, tree, key, images, labels, positive(draws, "draws"), positive(batch, "batch"))
    plans = [replace(base, tree=merge(at(leaf, v, meaning.shape), tree, f.schema, f.name)) for v in levels]
    found: list[tuple[Moments, Moments]] = []
    model = bare(model)
    with quiet(model):
        few = torch.arange(min(len(images), 2))
        _, x0 = plans[0].reference(base.images(few), few)
        seen = watched(model, x0, layers, measures, embedding, labels)
        for index in shown(base.blocks(), progress, "batches"):
            x = base.images(index)
            drawn, x0 = plans[0].reference(x, index)
            clean = seen.clean(x0, None if labels is None else labels[index])
            stays = steady(f, drawn, tuple(x.shape[-2:]))
            passes = []
            for plan in plans:
                for d in range(draws):
                    y, params = plan.augmented(x, index, d)
                    passes.append(seen.against(clean, y, undo_of(f, params, stays))[0])
            found.append((stacked(passes), {name: t[:, None] for name, t in self_measured(clean).items()}))
    order = torch.cat(base.blocks()).argsort()
    passes, before = joined([a for a, _ in found], order), joined([b for _, b in found], order)
    curves = {name: t.unflatten(1, (len(levels), draws)) for name, t in passes.items() if name[1] != "class"}
    known = dict(seen.measures)
    return Curves(
        leaf, levels, known, curves, before, labels, list(seen.notes), len(images), base.resampling, level, resamples
    )


def check_values(leaf: str, values: Tensor, meaning: Leaf) -> None:
    """Numbers are in order, and inside of the leaf's interval."""
    steps = values.diff() if values.ndim == 1 else torch.ones(1)
    if not (bool((steps > 0).all()) or bool((steps < 0).all())):
        given, fix = [round(v, 4) for v in values.tolist()], "sorted(values), the mildest first"
        raise ValueError(explain(f"sweep: values of {leaf} in no order", given, "values that rise, or fall", fix))
    low, high = (
        (-math.inf if meaning.low is None else meaning.low),
        (math.inf if meaning.high is None else meaning.high),
    )
    if bool((values < low).any() or (values > high).any()):
        given, want = [round(v, 4) for v in values.flatten().tolist()], f"{meaning.unit}, from {low} to {high}"
        raise ValueError(explain(f"sweep: values of {leaf} outside of its interval", given, want, "other values"))


def at(path: str, value: Tensor, shape: tuple[int, ...]) -> dict[str, Any]:
    """A tree with one leaf."""
    tree: Any = value.expand(shape)
    for name in reversed(path.split("/")):
        tree = {name: tree}
    return tree


@dataclass(frozen=True, repr=False)
class Curves:
    """What `sweep` has found, by (layer, measure): `moments [units, values, draws, k]`; those of the embedding and the
    predictions have the layers "(embedding)" and "(output)"."""

    leaf: str
    values: Tensor
    measures: dict[str, Measure]
    moments: Moments
    clean: Moments
    labels: Tensor | None
    notes: list[str]
    images: int
    key: Tensor
    level: float
    resamples: int

    @property
    def table(self) -> Table:
        """A row for each value, layer and measure."""
        rows = [
            (self.shown(i), layer, measure, e)
            for layer, measure in self.moments
            for i, e in enumerate(self.at(measure, layer))
        ]
        return Table((self.leaf, "layer", "measure", "value"), rows)

    def shown(self, i: int) -> Any:
        v = self.values[i]
        return float(v) if not v.ndim else tuple(v.tolist())

    def curve(self, measure: str, layer: str | None, rows: Tensor | None) -> Tensor:
        """The moments of one curve; a layer that is not named is the output's or the embedding's."""
        layers = [at for at, m in self.moments if m == measure]
        some = [layer] if layer is not None else [n for n in (OUTPUT, EMBEDDING) if n in layers]
        if not some or (some[0], measure) not in self.moments:
            want = ", ".join(f"{m} at {at}" for at, m in self.moments)
            given = measure if layer is None else f"{measure} at {layer}"
            fix = "the layer of a measure of layers; labels=... for accuracy"
            raise ValueError(explain("sweep: a curve that was not measured", given, f"one of {want}", fix))
        m = self.moments[some[0], measure]
        if rows is not None and len(m) != self.images:
            fix = "a measure of each image, such as cosine"
            raise ValueError(explain("sweep: some of the images", measure, "a measure that compares no images", fix))
        return m if rows is None else m[rows]

    def at(self, measure: str, layer: str | None = None, rows: Tensor | None = None) -> list[Estimate]:
        """The measure at each value, with bands; over some `rows` of the images, where they are given."""
        m, finish = self.curve(measure, layer, rows), finish_of(self.measures, measure)
        some = range(m.shape[1])
        return [estimate(m[:, i], self.key, finish, self.level, self.resamples, self.images) for i in some]

    def tolerance(
        self,
        measure: str = "accuracy",
        threshold: float = 0.9,
        layer: str | None = None,
        rows: Tensor | None = None,
        rises: bool | None = None,
    ) -> Estimate:
        """The value up to which the measure holds: where its curve first falls below `threshold` (rises above it, where more is
        worse: relative L2, flips, divergence; of a measure of your own `rises` says so), between two
        values on the line through them.

        -inf where it does not hold at the first value, inf where it holds at all of them; NaN where the curve is not known
        before it falls.
        """
        if self.values.ndim > 1:
            want, fix = "a curve over numbers", "sweep one number: a scalar leaf"
            raise ValueError(explain("tolerance: values of several numbers", list(self.values.shape), want, fix))
        m, finish = self.curve(measure, layer, rows), finish_of(self.measures, measure)
        parts = [resamples(m[:, i], self.key, finish, self.resamples, self.images) for i in range(m.shape[1])]
        if rises is None and measure not in (*RISES, *FALLS):
            want, fix = "True, if more is worse, or False", f"tolerance({measure!r}, threshold, rises=True)"
            raise ValueError(explain(f"tolerance: is more of {measure} worse?", rises, want, fix))
        sign = -1.0 if rises or (rises is None and measure in RISES) else 1.0
        curves = (torch.stack([sign * p.value for p in parts])[None], torch.stack([sign * p.found for p in parts], -1))
        value, found = (crossing(self.values.double(), c, sign * threshold) for c in curves)
        return interval(value[0], found, min(p.units for p in parts), self.level)

    def tolerances(
        self, measure: str = "accuracy", threshold: float = 0.9, by: str = "class", layer: str | None = None
    ) -> Table:
        """The tolerance of each class of the labels, or of each layer. (The accuracy of a class is its recall: a model that
        sees one class everywhere holds it for long.)"""
        if by == "layer":
            some = [at for at, m in self.moments if m == measure]
            return Table(("layer", self.leaf), [(n, self.tolerance(measure, threshold, n)) for n in some])
        if by != "class" or self.labels is None or self.labels.ndim != 1:
            fix = 'sweep(..., labels=labels), or by="layer"'
            raise ValueError(explain("tolerances: by what?", by, "'layer', or 'class' with labels [N]", fix))
        rows = [(int(c), (self.labels == c).nonzero().flatten()) for c in self.labels.unique()]
        return Table(("class", self.leaf), [(c, self.tolerance(measure, threshold, layer, r)) for c, r in rows])

    def plot(
        self,
        measure: str = "cosine",
        layers: Sequence[str] | None = None,
        path: str | Path | None = None,
        *,
        ax: Any = None,
        label: str = "",
    ) -> Any:
        """A figure of the curves of a measure with their bands, at the layers given or at all that have it; on matplotlib axes of
        your own, `ax`, where several models are to be seen together, each with a `label`."""
        from augfn.analysis import plots

        if self.values.ndim > 1:
            want, fix = "a curve over numbers", "curves.table"
            raise ValueError(explain("plot: values of several numbers", list(self.values.shape), want, fix))
        some = [at for at, m in self.moments if m == measure] if layers is None else layers
        for layer in some or [None]:
            self.curve(measure, layer, None)
        found = {f"{label} {layer}".strip(): self.at(measure, layer) for layer in some}
        return plots.of_curves(self.values.tolist(), found, (self.leaf, measure), path, ax)

    def __str__(self) -> str:
        return "\n\n".join(map(str, [self.table, *self.notes]))

    __repr__ = __str__


def crossing(x: Tensor, curves: Tensor, threshold: float) -> Tensor:
    """Where curves `[n, values]` over `x [values]` first fall below a threshold.

    >>> crossing(torch.tensor([0.0, 10.0, 20.0]), torch.tensor([[1.0, 0.9, 0.5], [0.4, 0.3, 0.2], [1.0, 1.0, 1.0]]), 0.7)
    tensor([15., -inf, inf])
    """
    below = (curves < threshold) | curves.isnan()
    first = below.int().argmax(-1).clamp(min=1)[:, None]
    high, low = curves.gather(-1, first - 1)[:, 0], curves.gather(-1, first)[:, 0]
    share = (high - threshold) / (high - low)
    ends = x[first[:, 0] - 1], x[first[:, 0]]
    found = ends[0] + share * (ends[1] - ends[0])
    found = torch.where(below[:, 0], torch.where(curves[:, 0].isnan(), torch.nan, -math.inf), found)
    return torch.where(below.any(-1), found, math.inf)

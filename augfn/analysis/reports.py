"""The report of a study: tables with intervals, the most harmful samples, and ways to show and to save them."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from augfn.analysis.intervals import LEAST, Finish, estimate, only
from augfn.analysis.plans import Plan
from augfn.analysis.scores import EMBEDDING, LABELLED, OUTPUT, Measure, Moments
from augfn.analysis.shares import Shares
from augfn.analysis.switching import reference
from augfn.analysis.tables import Estimate, Table
from augfn.errors import explain, unknown

ROWS = (  # of the table of the embedding
    (EMBEDDING, "cosine"),
    (EMBEDDING, "neighbour_retention"),
    (EMBEDDING, "probe_agreement"),
    (OUTPUT, "flips"),
    (OUTPUT, "jsd"),
    (OUTPUT, "margin"),
    (OUTPUT, "accuracy"),
    (OUTPUT, "calibration"),
)


class Harm(NamedTuple):
    """A draw that changed a prediction much: which image, which draw, how much by which measure, what it did in words, and
    what became of the class."""

    image: int
    draw: int
    by: str
    score: float
    words: str
    predicted: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """What `behaviour` has found. `layers`, `embedding` and `ops` are tables; entries have intervals `[low, high]`.

    `passes` and `clean` are what they are computed from: the moments of each measure, by (layer, measure), `[units, draws, k]`
    with a unit for each image (for each block of images, of measures that compare images), and `shares` the same for steps.
    """

    model: str
    plan: Plan
    measures: dict[str, Measure]
    passes: Moments
    clean: Moments
    classes: Tensor | None  # predicted for the image and for each draw, [n, 1 + draws]
    shares: Shares
    steps: list[str]
    notes: list[str]
    level: float
    resamples: int

    def estimate(
        self, layer: str, measure: str, moments: Moments | None = None, rows: Tensor | None = None
    ) -> Estimate:
        """A measure at a layer, over all images or over some `rows` of them; NaN where it is not known."""
        if layer not in (*self.names, OUTPUT, EMBEDDING):
            raise ValueError(unknown("layer of the report", layer, [*self.names, OUTPUT, EMBEDDING]))
        m = (self.passes if moments is None else moments).get((layer, measure))
        if m is None or (rows is not None and len(m) != len(self.plan.source)):
            return Estimate(math.nan)
        return self.of(m if rows is None else m[rows], finish_of(self.measures, measure))

    def of(self, moments: Tensor, finish: Finish) -> Estimate:
        return estimate(moments, self.key, finish, self.level, self.resamples, self.n)

    @property
    def n(self) -> int:
        """How many images there are."""
        return len(self.plan.source)

    @property
    def blamed(self) -> int:
        """How many draws tell the shares of the ops."""
        return next((t.shape[1] for t in self.shares.whole.values()), 0)

    @property
    def key(self) -> Tensor:
        return self.plan.resampling

    @property
    def names(self) -> list[str]:
        """The layers, in the order in which they ran."""
        return list(dict.fromkeys(layer for layer, _ in self.passes if layer not in (OUTPUT, EMBEDDING)))

    @cached_property
    def layers(self) -> Table:
        """A row for each layer, a column for each measure."""
        return self.rows_of_layers(None)

    def rows_of_layers(self, rows: Tensor | None) -> Table:
        found = [(n, *(self.estimate(n, m, rows=rows) for m in self.measures)) for n in self.names]
        return Table(("layer", *self.measures), found)

    @cached_property
    def embedding(self) -> Table:
        """Robustness of the embedding and of the predictions: a row for each measure, for clean and for augmented images.

        Cosine, neighbour retention and probe agreement are 1, flips and jsd 0 where nothing changes."""
        return self.rows_of_embedding(None)

    def rows_of_embedding(self, rows: Tensor | None) -> Table:
        some = [(at, m) for at, m in ROWS if (at, m) in self.passes]
        found = [(m, self.estimate(at, m, self.clean, rows), self.estimate(at, m, rows=rows)) for at, m in some]
        return Table(("measure", "clean", "augmented"), found)

    @cached_property
    def ops(self) -> Table:
        """A row for each step and effect: its Shapley value, its share of the whole effect (above 1 or below 0
        where ops undo each other's), and what is missing without it."""
        return self.rows_of_ops(None)

    def rows_of_ops(self, rows: Tensor | None) -> Table:
        found = []
        for (layer, measure), shapley in self.shares.shapley.items():
            left, whole = self.shares.left_out[layer, measure], self.shares.whole[layer, measure]
            p = len(self.steps)
            m = torch.cat(
                [shapley, left, whole[..., None]], -1
            )  # together, so that what is not finite is left out of all
            m = m if rows is None else m[rows]
            every = self.of(m, lambda m: m[..., -1])
            for i, step in enumerate(self.steps):
                own, missing = (self.of(m, lambda m, j=j: m[..., j]) for j in (i, p + i))
                share = self.of(m, lambda m, i=i: m[..., i] / m[..., -1])
                clear = every.low * every.high > 0  # a share of what is not clearly there says nothing
                found.append((step, layer, measure, own, share if clear else Estimate(math.nan), missing))
        return Table(("op", "layer", "measure", "shapley", "share", "left_out"), found)

    def by_class(self, table: str = "layers") -> Table:
        """A table for each class of the labels, under one another; `layers` has the measures of each image alone."""
        labels = self.plan.labels
        if labels is None or labels.ndim != 1:
            fix = "behaviour(..., labels=classes), one class for each image"
            raise ValueError(explain("by_class: no classes", labels, "labels [N]", fix))
        make = {"layers": self.rows_of_layers, "embedding": self.rows_of_embedding, "ops": self.rows_of_ops}
        if table not in make:
            raise ValueError(explain("by_class: table", table, f"one of {', '.join(make)}", 'by_class("ops")'))
        parts = [(int(c), make[table]((labels == c).nonzero().flatten())) for c in labels.unique()]
        return Table(("class", *parts[0][1].columns), [(c, *row) for c, part in parts for row in part.rows])

    def worst(self, n: int = 8) -> list[Harm]:
        """The draws that changed predictions most (by Jensen-Shannon divergence; without predictions embeddings by 1 - cosine),
        one of each image."""
        by, score = self.harm()
        best, draw = score.nan_to_num(-1.0).max(1)
        found = []
        for i in best.argsort(descending=True)[:n].tolist():
            _, params = self.again(i, int(draw[i]))
            found.append(
                Harm(i, int(draw[i]), by, float(best[i]), self.plan.words(params), self.predicted(i, int(draw[i])))
            )
        return found

    def harm(self) -> tuple[str, Tensor]:
        """What tells how much a draw changed, `[n, draws]`, and its name."""
        score = self.passes.get((OUTPUT, "jsd"))
        if score is not None and bool((score > 0).any()):
            return "JSD", score[..., 0]
        return "1 - cosine", 1 - self.passes[EMBEDDING, "cosine"][..., 0]

    def predicted(self, image: int, draw: int) -> str:
        """The class predicted before and after, and the label, where they are known."""
        if self.classes is None:
            return ""
        before, after = self.classes[image, [0, draw + 1]].tolist()
        label = "" if self.plan.labels is None else f" (label {int(self.plan.labels[image])})"
        return f"class {before} stays{label}" if before == after else f"class {before} becomes {after}{label}"

    def again(self, image: int, draw: int) -> tuple[Tensor, Any]:
        """What draw number `draw` made of an image, and its params, as they were."""
        index = torch.tensor([image])
        y, params = self.plan.augmented(self.plan.images(index), index, draw)
        return y[0], params

    def pictures(self, image: int, draw: int) -> tuple[Tensor, Tensor]:
        """An image as it is compared, and what a draw made of it, before they are normalized for a model."""
        index = torch.tensor([image])
        x, (_, params) = self.plan.images(index), self.again(image, draw)
        calm = reference(self.plan.f, params, tuple(x.shape[-2:]))
        return self.plan.visible(x, calm)[0], self.plan.visible(x, params)[0]

    def to_pandas(self) -> Any:
        """All tables as one long DataFrame: table, name, layer, measure, value, value_low, value_high."""
        rows: list[tuple[Any, ...]] = [
            ("layers", "", row["layer"], m, row[m]) for row in self.layers for m in self.measures
        ]
        for row in self.embedding:
            rows += [("embedding", which, "", row["measure"], row[which]) for which in ("clean", "augmented")]
        for row in self.ops:
            some = ("shapley", "share", "left_out")
            rows += [("ops", row["op"], row["layer"], f"{row['measure']}: {what}", row[what]) for what in some]
        return Table(("table", "name", "layer", "measure", "value"), rows).to_pandas()

    def plot(self, path: str | Path | None = None) -> Any:
        """A figure of the layers, the embedding and the ops; written where a path says (its suffix names the format).

        Needs `pip install 'augfn[analysis]'`."""
        from augfn.analysis import plots

        return plots.of_report(self.layers, self.ops, self.embedding, path)

    def save(self, path: str | Path, title: str = "Behaviour under augmentation") -> Path:
        """A self-contained HTML page: plots, tables, notes, and the most harmful samples."""
        from augfn.analysis import pages

        return pages.save(self, path, title)

    def __str__(self) -> str:
        parts = [self.layers, self.embedding, self.ops, *self.said()]
        return "\n\n".join(map(str, filter(len, parts)))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in self.said())
        return "".join(t._repr_html_() for t in (self.layers, self.embedding, self.ops) if len(t)) + f"<ul>{notes}</ul>"

    def said(self) -> list[str]:
        """What a reader has to know of the figures."""
        n, units = self.n, {len(t) for (_, m), t in self.passes.items() if m in ("cka", "rank_correlation")}
        draws, some = counted(self.plan.draws, "draw"), max(units, default=0)
        over = f"{counted(n, 'image')}, each with its {draws}" if n > 1 else f"{draws} of one image"
        blocks = f" (of CKA and rank correlation over {counted(some, 'block')} of images)" if some and n > 1 else ""
        few = f"Below {LEAST} of these there is no interval; a smaller batch gives more blocks."
        shared = f"Shares of the ops are of the first {self.blamed} of the {draws}."
        count = len(self.layers) * len(self.measures) + len(self.embedding) + 3 * len(self.ops)
        return [
            f"Intervals: {100 * self.level:g} % bootstrap over {over}{blocks}. {few}",
            *[shared] * (0 < self.blamed < self.plan.draws),
            f"These are about {count} intervals, each by itself: about {count * (1 - self.level):.0f} of them are expected to "
            f"miss; for all at once use level={1 - (1 - self.level) / max(count, 1):.5f} (Bonferroni), and more resamples.",
            *self.left_out(),
            *self.notes,
        ]

    def left_out(self) -> list[str]:
        """How many values are not finite, of each measure."""
        found = []
        for m in dict.fromkeys(n for _, n in self.passes):
            some = torch.cat([t.isfinite().all(-1).flatten() for (_, n), t in self.passes.items() if n == m])
            bad = int((~some).sum())
            if bad:
                found.append(
                    f"{bad} of {len(some)} values of {m} are not finite (a layer gives 0, or what is no number): left out."
                )
        return found


def finish_of(measures: Mapping[str, Measure], measure: str) -> Finish:
    """From mean moments to the measure, one of these or of predictions."""
    known = LABELLED | dict(measures)
    return known[measure].finish if measure in known else only


def counted(n: int, what: str) -> str:
    return f"{n} {what}" + "s" * (n != 1)

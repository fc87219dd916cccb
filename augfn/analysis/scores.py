"""The measures of a study by their names, as moments: a few numbers for each image, or for each block of images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from augfn.analysis import measures, predictions, products, subspaces
from augfn.analysis.intervals import Finish, only
from augfn.analysis.products import Pair
from augfn.errors import explain, unknown

Moments = dict[tuple[str, str], Tensor]  # (layer, measure): [units, k] of one pass, [units, draws, k] of several
OUTPUT, EMBEDDING = "(output)", "(embedding)"  # as layers; no module has such a name


@dataclass(frozen=True)
class Measure:
    """`of(pair)`, of what a layer gives for images before and after, has moments `[n, k]`, of each image, or `[1, k]`, of the
    block; `finish` takes mean moments `[..., k]` to the measure. `least` images are needed in a block; `undoes`: it is
    `of(clean, augmented, valid)`, of maps taken back."""

    of: Callable[..., Tensor]
    finish: Finish = only
    least: int = 1
    undoes: bool = False


def each(f: Callable[[Tensor, Tensor], Tensor]) -> Measure:
    return Measure(lambda x, y: f(x, y)[:, None])


def of_pair(f: Callable[[Pair], Tensor], finish: Finish = only, least: int = 1) -> Measure:
    """A measure by products of samples: `[n]`, or a number or moments `[k]` of the block."""
    if finish is only:
        return Measure(lambda pair: as_moments(f(pair)), least=least)
    return Measure(lambda pair: f(pair)[None], finish, least)


def of_tensors(f: Callable[[Tensor, Tensor], Tensor], finish: Finish = only, least: int = 1) -> Measure:
    """The same by the activations themselves."""
    return of_pair(lambda pair: f(pair.rows.given, pair.given), finish, least)


def equivariance(clean: Tensor, back: Tensor, valid: Tensor) -> Tensor:
    """|back - clean| / |clean| over what was seen, `[n, 1]`, of maps `[n, C, h, w]` that were taken back to the frame."""
    seen = (valid[:, None] > 0).expand_as(clean)
    found = measures.relative_l2(torch.where(seen, clean, 0.0), torch.where(seen, back, 0.0))
    return torch.where(seen.flatten(1).any(1), found, torch.nan)[:, None]


LAYER: dict[str, Measure] = {
    "relative_l2": of_pair(products.relative_l2),
    "cosine": of_pair(products.cosine),
    "cka": of_pair(products.hsic_moments, measures.cka_of, 4),
    "rank_correlation": of_pair(products.rsa, least=3),
    "cka_biased": of_pair(partial(products.hsic_moments, debiased=False), measures.cka_of, 2),
    "cka_rbf": of_tensors(partial(measures.hsic_moments, kernel="rbf"), measures.cka_of, 4),
    "procrustes": of_tensors(subspaces.procrustes, least=2),
    "equivariance": Measure(equivariance, undoes=True),
}


def measures_of(given: Sequence[str | Callable[..., Tensor]]) -> dict[str, Measure]:
    """Measures by their names; a function `(clean, augmented) -> [n]`, or a number for the block, is one of its own name."""
    out: dict[str, Measure] = {}
    for m in [given] if isinstance(given, str) else given:
        name = getattr(m, "__name__", repr(m)) if callable(m) else m
        if not callable(m) and m not in LAYER:
            raise ValueError(unknown("measure", m, LAYER))
        if name in out:
            raise ValueError(explain("measures: two of one name", name, "names that differ", "def a(x, y): ..."))
        out[name] = of_tensors(m) if callable(m) else LAYER[m]
    return out


def as_moments(values: Tensor) -> Tensor:
    return values[:, None] if values.ndim else values.reshape(1, 1)


PREDICTION: dict[str, Measure] = {  # of clean and augmented logits [places, K]
    "flips": each(predictions.flips),
    "jsd": each(predictions.jsd_each),
    "margin": each(lambda x, y: predictions.margin(y)),
}
LABELLED: dict[str, Measure] = {  # of the same and labels [places]
    "accuracy": Measure(lambda x, y, labels: right(y, labels)[:, None]),
    "calibration": Measure(lambda x, y, labels: predictions.in_bins(y, labels), predictions.over_bins),
}


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """1 where the largest logit is the label's; what is not a number is wrong."""
    return ((logits.argmax(1) == labels) & ~logits.isnan().any(1)).float()


def predicted(x: Tensor, y: Tensor, labels: Tensor | None, seen: Tensor | None = None) -> Moments:
    """Measures of the predictions of n images, clean `x` and augmented `y`: `[n, K]`, or dense `[n, K, h, w]`, of which those
    places count that were `seen [n, h, w]`, and whose label is that of a class."""
    n, classes = x.shape[:2]
    flat = [t.float().movedim(1, -1).reshape(-1, classes) for t in (x, y)]
    counts = torch.ones(len(flat[0]), dtype=torch.bool, device=x.device) if seen is None else seen.flatten() > 0
    found = {}
    if labels is not None:
        labels = labels.to(y.device).flatten()
        counts &= (labels >= 0) & (labels < classes)
        found = {(OUTPUT, name): m.of(*flat, labels) for name, m in LABELLED.items()}
    found |= {(OUTPUT, name): m.of(*flat) for name, m in PREDICTION.items()}
    weight = counts.unflatten(0, (n, -1)).float()[..., None]
    found = {name: mean_of(t.unflatten(0, (n, -1)), weight) for name, t in found.items()}
    if x.ndim == 2:
        found[OUTPUT, "class"] = y.argmax(1).float()[:, None]
    return {name: t.cpu() for name, t in found.items()}


def mean_of(values: Tensor, weight: Tensor) -> Tensor:
    """The mean over places `[n, places, k]` that count, NaN where none does."""
    return torch.where(weight > 0, values, 0.0).sum(1) / weight.sum(1)

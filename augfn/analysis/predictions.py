"""Measures of two predictions for the same samples, from logits `[n, K]`, or dense ones `[n, K, *map]`: x for the clean
samples, y for the augmented ones. Pure functions of tensors; low precision as in `augfn.analysis.measures`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.analysis.measures import center, floating, paired, times
from augfn.errors import explain
from augfn.losses import jsd


def flips(x: Tensor, y: Tensor) -> Tensor:
    """The share of places where the class of the largest logit differs, `[n]`, from 0 to 1 (0 or 1 for `[n, K]`). NaN where
    a logit is. No gradient.

    >>> flips(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([[1.0, 2.0], [1.0, 3.0]]))
    tensor([1., 0.])
    """
    x, y = logits_of("flips", x, y)
    differ = (x.argmax(1) != y.argmax(1)).to(x.dtype)
    return over_places(torch.where((x + y).isnan().any(1), torch.nan, differ))


def margin(logits: Tensor) -> Tensor:
    """The largest probability minus the second largest, `[n]`, from 0 to 1; of dense logits the mean over places.

    >>> margin(torch.tensor([[0.75, 0.25], [0.5, 0.5]]).log())
    tensor([0.5000, 0.0000])
    """
    (x,) = logits_of("margin", logits)
    first, second = x.softmax(1).topk(2, 1).values.unbind(1)
    return over_places(first - second)


def jsd_each(x: Tensor, y: Tensor) -> Tensor:
    """The Jensen-Shannon divergence of the two predictions in nats, `[n]`, from 0 to log 2; of dense ones the mean over
    places. It is `augfn.losses.jsd` of each sample.

    >>> x = torch.tensor([[50.0, 0.0], [1.0, 2.0]])
    >>> jsd_each(x, torch.tensor([[0.0, 50.0], [1.0, 2.0]]))
    tensor([0.6931, 0.0000])
    """
    x, y = logits_of("jsd_each", x, y)
    return torch.vmap(jsd)(x.movedim(1, -1), y.movedim(1, -1))


def calibration_error(logits: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """The expected calibration error, from 0 to 1: sum_b |B_b| / N |acc(B_b) - conf(B_b)|, where the bin B_b holds the
    predictions of a largest probability in ((b - 1) / bins, b / bins], acc is the share of them that are right, conf the
    mean of that probability. Labels are class indices `[n]`, or `[n, *map]` for dense logits, of which each place counts.

    Source: Naeini et al. 2015; Guo et al. 2017, "On calibration of modern neural networks".

    >>> logits = torch.tensor([[0.75, 0.25], [0.75, 0.25], [0.25, 0.75], [0.25, 0.75]]).log()
    >>> calibration_error(logits, torch.tensor([0, 1, 0, 1]))
    tensor(0.2500)
    """
    (x,) = logits_of("calibration_error", logits)
    if bins < 1:
        raise ValueError(explain("calibration_error: bins", bins, "a positive whole number", "bins=15"))
    labels = class_indices("calibration_error", labels, (len(x), *x.shape[2:]))
    if labels.amin() < 0 or labels.amax() >= x.shape[1]:
        given = [int(labels.amin()), int(labels.amax())]
        raise ValueError(
            explain("calibration_error: labels", given, f"0 <= label < {x.shape[1]}", "drop those to ignore")
        )
    return over_bins(in_bins(x, labels, bins).flatten(0, -2).mean(0)).to(x.dtype)


def in_bins(logits: Tensor, labels: Tensor, bins: int = 15) -> Tensor:
    """Right (1) or wrong (0) less the confidence, each in the bin of its confidence, `[n, *map, bins]` in float64: the moments
    of the calibration error. NaN where a logit is."""
    sure, guess = logits.softmax(1).max(1)
    gap = (guess == labels).double() - sure.double()
    edges = torch.linspace(0, 1, bins + 1, dtype=sure.dtype, device=sure.device)[1:-1]
    at = torch.bucketize(sure.detach(), edges)
    return torch.where(gap.isnan()[..., None], torch.nan, F.one_hot(at, bins) * gap.nan_to_num()[..., None])


def over_bins(moments: Tensor) -> Tensor:
    """The calibration error of mean moments `[..., bins]`."""
    return moments.abs().sum(-1)


def probe_agreement(x: Tensor, y: Tensor, labels: Tensor, ridge: float = 1.0) -> Tensor:
    """1 where a linear probe sees the same class in y_i as in x_i, else 0, `[n]`, for representations `[n, ...]` and class
    indices `[n]`: how much of what is linearly decodable an augmentation leaves in place.

    The probe is ridge regression to one-hot labels, W = argmin |Z W - T|² + ridge |W|², the class that of the largest
    entry of z W + mean(labels): Z are the clean features of one half of the samples, each less its mean and divided by its
    standard deviation (of this half; those that are constant there are not divided), T their one-hot labels less the mean,
    z the features of a sample to judge, standardised by the same numbers. There are two probes: that of the odd samples
    judges the even ones (0, 2, ...), and that of the even ones the odd, so that none judges what it has seen. Where
    features outnumber samples W is found in its dual form, Zᵀ (Z Zᵀ + ridge)⁻¹ T.

    n >= 4, of two classes or more, each in both halves: shuffle samples that alternate. ridge > 0. NaN where a feature is.
    No gradient. Source: probes, Alain and Bengio 2017; ridge, Hoerl and Kennard 1970.

    >>> x = torch.tensor([[0.0, 1.0], [0.2, 1.0], [3.0, 1.0], [3.1, 1.0]])
    >>> probe_agreement(x, x + torch.tensor([[3.0], [0], [0], [0]]), torch.tensor([0, 0, 1, 1]))
    tensor([0., 1., 1., 1.])
    """
    x, y = paired("probe_agreement", x, y, least=4, same=True)
    if not ridge > 0:
        raise ValueError(explain("probe_agreement: ridge", ridge, "a positive number", "ridge=1.0"))
    known, index = class_indices("probe_agreement", labels, (len(x),)).unique(return_inverse=True)
    if len(known) < 2:
        raise ValueError(explain("probe_agreement: classes", known.tolist(), "two or more", "labels that differ"))
    onehot = F.one_hot(index).double()
    same = x.new_empty(len(x))
    halves = slice(0, None, 2), slice(1, None, 2)
    for judged, seen in (halves, halves[::-1]):
        clean, augmented = ridge_scores(x[seen], onehot[seen], (x[judged], y[judged]), ridge)
        same[judged] = 1 - flips(clean, augmented).to(x.dtype)
    return same


def ridge_scores(train: Tensor, onehot: Tensor, tests: tuple[Tensor, ...], ridge: float) -> list[Tensor]:
    """The scores `[m, K]` of each of the tests, by ridge regression on the standardised features."""
    mean, offset = center(train), onehot.mean(0)
    spread = (train - mean).square().mean(0).sqrt()
    spread = torch.where(spread == 0, 1, spread)
    z, *judged = ((features - mean) / spread for features in (train, *tests))
    if z.shape[1] > len(z):
        weights = solved(times(z, z.T), onehot - offset, ridge)
        return [times(t, z.T).double() @ weights + offset for t in judged]
    weights = solved(times(z.T, z), times(z.T, (onehot - offset).to(z)), ridge)
    return [t.double() @ weights + offset for t in judged]


def solved(square: Tensor, right: Tensor, ridge: float) -> Tensor:
    """(square + ridge I)⁻¹ right, in float64."""
    identity = torch.eye(len(square), dtype=torch.float64, device=square.device)
    return torch.linalg.solve(square.double() + ridge * identity, right.double())


# what all share


def logits_of(what: str, *given: Tensor) -> tuple[Tensor, ...]:
    """Logits `[n, K, *map]` of one shape, K >= 2, in the working precision."""
    found = floating(what, *given)
    if found[0].ndim < 2 or found[0].shape[1] < 2 or any(x.shape != found[0].shape for x in found):
        want = "logits [n, K] or [n, K, *map], K >= 2" + ", both of one shape" * (len(found) > 1)
        raise ValueError(explain(f"{what}: logits", [list(x.shape) for x in found], want, "one score for each class"))
    return found


def class_indices(what: str, labels: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Labels as they have to be."""
    whole = isinstance(labels, Tensor) and not labels.is_floating_point() and not labels.is_complex()
    if not whole or labels.dtype == torch.bool or labels.shape != shape or not labels.numel():
        raise ValueError(
            explain(f"{what}: labels", labels, f"class indices {list(shape)}", "labels.argmax(1) of soft ones")
        )
    return labels.long()


def over_places(x: Tensor) -> Tensor:
    """The mean over all dims but the first."""
    return x.reshape(len(x), -1).mean(1)

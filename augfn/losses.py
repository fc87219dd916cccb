"""Losses for augmented data: soft labels, consistency of predictions, contrast of views. Pure functions of tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.errors import explain

__all__ = ["fixmatch", "jsd", "label_smooth", "nt_xent", "soft_cross_entropy", "uda"]


def label_smooth(target: Tensor, smoothing: float = 0.1, classes: int | None = None) -> Tensor:
    """Soft labels (1 - s) y + s / K, from class indices `[*b]` with `classes`, or from soft labels `[*b, K]`.

    Source: Szegedy et al. 2016; timm: off = s / K, on = 1 - s + s / K.

    >>> label_smooth(torch.tensor([2]), 0.1, classes=4)
    tensor([[0.0250, 0.0250, 0.9250, 0.0250]])
    """
    y = soft(target, classes)
    return y * (1 - smoothing) + smoothing / y.shape[-1]


def soft(target: Tensor, classes: int | None = None) -> Tensor:
    """Class indices as one-hot floats; soft labels as they are."""
    if target.is_floating_point():
        return target
    if classes is None:
        fix = "classes=K, the number of them"
        raise ValueError(explain("class indices alone", target, "soft labels [*b, K], or indices and classes", fix))
    return F.one_hot(target, classes).to(torch.get_default_dtype())


def soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """The mean over samples of -sum_k target_k log softmax(logits)_k, for `[*b, K]`; of mixed labels it is the mix of the
    losses.

    >>> logits, target = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.25, 0.75]])
    >>> expected = sum(w * F.cross_entropy(logits, torch.tensor([k])) for k, w in enumerate((0.25, 0.75)))
    >>> torch.isclose(soft_cross_entropy(logits, target), expected)
    tensor(True)
    """
    return -(soft(target, logits.shape[-1]) * F.log_softmax(logits, -1)).sum(-1).mean()


def jsd(*logits: Tensor) -> Tensor:
    """The Jensen-Shannon divergence of the predictions for n views: mean_i KL(p_i, M) with M = mean_i p_i, the mean over
    samples, from 0 to log n. Source: Hendrycks et al. 2020 (AugMix), there times 12.

    >>> a = torch.tensor([[50.0, 0.0]])
    >>> jsd(a, a.flip(-1)).item() / math.log(2)
    1.0
    """
    if len(logits) < 2:
        want, fix = (
            "logits [B, K] of each of several views",
            "jsd(*logits.chunk(3)) for those of three views in one batch",
        )
        raise ValueError(explain("jsd: one view", logits[0] if logits else (), want, fix))
    least = torch.finfo(logits[0].dtype).min / 8  # of a class that is masked out by -inf, whose share is 0
    logs = [F.log_softmax(x, -1).clamp(min=least) for x in logits]
    mean = torch.logsumexp(torch.stack(logs), 0) - math.log(len(logs))
    return torch.stack([(x.exp() * (x - mean)).sum(-1) for x in logs]).mean()


def nt_xent(first: Tensor, second: Tensor, temperature: float = 0.5) -> Tensor:
    """The normalised temperature-scaled cross entropy of two views' embeddings `[B, D]`: each is to find the other among
    all 2 B - 1, by cosine. Source: Chen et al. 2020 (SimCLR).

    >>> z = torch.eye(4)
    >>> nt_xent(z, z, 0.1) < nt_xent(z, z.roll(1, 0), 0.1)
    tensor(True)
    """
    z = F.normalize(torch.cat([first, second]), dim=-1)
    n = len(first)
    scores = z @ z.T / temperature
    scores = scores.masked_fill(torch.eye(2 * n, dtype=torch.bool, device=z.device), -torch.inf)
    other = torch.arange(2 * n, device=z.device).roll(n)
    return F.cross_entropy(scores, other)


def fixmatch(weak: Tensor, strong: Tensor, threshold: float = 0.95) -> Tensor:
    """Cross entropy of the strong view's logits `[B, K]` to the class that the weak view's predict, where they are at least
    `threshold` sure; the mean over all samples. No gradient reaches `weak`. Source: Sohn et al. 2020.

    >>> weak = torch.tensor([[9.0, 0.0], [0.1, 0.0]])
    >>> torch.isclose(fixmatch(weak, torch.zeros(2, 2)), torch.tensor(math.log(2) / 2))
    tensor(True)
    """
    sure, label = weak.detach().softmax(-1).max(-1)
    return (F.cross_entropy(strong, label, reduction="none") * (sure >= threshold)).mean()


def uda(weak: Tensor, strong: Tensor, temperature: float = 0.4, threshold: float = 0.8) -> Tensor:
    """KL(p_weak, p_strong) with the weak view's prediction sharpened by `temperature`, where it was at least `threshold`
    sure; the mean over all samples. No gradient reaches `weak`. Source: Xie et al. 2020.

    >>> weak = torch.tensor([[9.0, 0.0]])
    >>> uda(weak, weak / 0.4).abs() < 1e-6
    tensor(True)
    """
    weak = weak.detach()
    log_target = F.log_softmax(weak / temperature, -1)
    divergence = (log_target.exp() * (log_target - F.log_softmax(strong, -1))).sum(-1)
    return (divergence * (weak.softmax(-1).amax(-1) >= threshold)).mean()

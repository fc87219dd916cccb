"""Gates and choices, and their relaxations."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augfn.distributions.base import Distribution
from augfn.errors import explain
from augfn.math.shapes import cast
from augfn.math.variates import HALF_STEP, one_hot, straight_through


class Bernoulli(Distribution):
    """1 with probability `probs`, else 0. No gradient reaches `probs`: use RelaxedBernoulli to learn one.

    >>> Bernoulli(0.3).draw(torch.tensor([0.2, 0.4]))
    tensor([1., 0.])
    """

    fields = ("probs",)
    pointwise = True

    def __init__(self, probs: Any) -> None:
        if not isinstance(probs, Tensor) and not (isinstance(probs, int | float) and 0 <= probs <= 1):
            raise ValueError(explain("not a probability", probs, "0 <= p <= 1", "give a number between 0 and 1"))
        self._set(probs=probs)

    def draw(self, u: Tensor) -> Tensor:
        probs = self.tensors(u)[0]
        return (cast(u, probs.dtype) < probs).to(probs.dtype)

    probs: Tensor


class RelaxedBernoulli(Distribution):
    """A gate that learns: sigmoid((logits + logistic noise) / temperature), on logits, so that no clamp kills a
    gradient.

    With `hard=True` (the default) the value is exactly 0 or 1 and the gradient is that of the relaxed value
    (straight-through: biased, low variance). With `hard=False` it lies in between. Source: Maddison et al. 2017.

    >>> RelaxedBernoulli(0.0).draw(torch.tensor([0.2, 0.8]))
    tensor([1., 0.])
    >>> RelaxedBernoulli(0.0, temperature=1.0, hard=False).draw(torch.tensor([0.2, 0.8]))
    tensor([0.8000, 0.2000])
    """

    fields = ("logits", "temperature")
    static = ("hard",)

    def __init__(self, logits: Any, temperature: Any = 0.5, hard: bool = True) -> None:
        self._set(logits=logits, temperature=temperature, hard=hard)

    def draw(self, u: Tensor) -> Tensor:
        logits, temperature = self.tensors(u)
        u = 1 - (cast(u, logits.dtype) + HALF_STEP)  # so that a gate and Bernoulli open on the same noise
        soft = torch.sigmoid((logits + torch.log(u) - torch.log1p(-u)) / temperature)
        return straight_through((soft > 0.5).to(soft.dtype), soft) if self.hard else soft

    hard: bool


class Choice(Distribution):
    """One of n, as a one-hot vector `[n]`, with probabilities in proportion to `weights`. No gradient: see
    GumbelChoice.

    >>> Choice([1.0, 3.0]).draw(torch.tensor([[0.2], [0.3]]))
    tensor([[1., 0.],
            [0., 1.]])
    """

    fields = ("weights",)

    def __init__(self, weights: Any) -> None:
        self._set(weights=weights)

    weights: Tensor

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (*self.shape[:-1], 1)

    def draw(self, u: Tensor) -> Tensor:
        weights = self.tensors(u)[0]
        edges = weights.cumsum(-1)
        index = (cast(u, weights.dtype) * edges[..., -1:] >= edges[..., :-1]).sum(-1)
        return one_hot(index, weights)


class GumbelChoice(Distribution):
    """A choice that learns: softmax((logits + Gumbel noise) / temperature) over `[n]`; `hard=True` is straight-through.

    Source: Jang et al. 2017, Maddison et al. 2017.

    >>> GumbelChoice([0.0, 0.0]).draw(torch.tensor([[0.2, 0.7]]))
    tensor([[0., 1.]])
    """

    fields = ("logits", "temperature")
    static = ("hard",)

    def __init__(self, logits: Any, temperature: Any = 0.5, hard: bool = True) -> None:
        self._set(logits=logits, temperature=temperature, hard=hard)

    def draw(self, u: Tensor) -> Tensor:
        logits, temperature = self.tensors(u)
        gumbel = -torch.log(-torch.log(cast(u, logits.dtype) + HALF_STEP))
        soft = torch.softmax((logits + gumbel) / temperature, -1)
        return straight_through(one_hot(soft.argmax(-1), soft), soft) if self.hard else soft

    hard: bool

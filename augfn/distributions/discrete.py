"""Gates and choices, and their relaxations."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from augfn.distributions.base import Distribution, Limits
from augfn.errors import explain
from augfn.math.shapes import cast
from augfn.math.variates import HALF_STEP, one_hot, straight_through, within
from augfn.run.peek import peek

SURE = (-5.0, 5.0)  # logits that a module learns: probabilities from 0.007 to 0.993, where a gradient is left


class Bernoulli(Distribution):
    """1 with probability `probs`, else 0. No gradient of a draw reaches `probs`: RelaxedBernoulli has one.

    >>> Bernoulli(0.3).draw(torch.tensor([0.2, 0.4]))
    tensor([1., 0.])
    """

    fields = ("probs",)

    def __init__(self, probs: Any) -> None:
        values = peek(probs) if isinstance(probs, Tensor) else np.asarray(probs)
        real = values is None or values.dtype.kind in "fiu"
        if not real or (values is not None and not ((values >= 0) & (values <= 1)).all()):
            raise ValueError(explain("not a probability", probs, "0 <= p <= 1", "give a number between 0 and 1"))
        self._set(probs=probs)

    def draw(self, u: Tensor) -> Tensor:
        probs = self.tensors(u)[0]
        return (cast(u, probs.dtype) < probs).to(probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        probs = self.tensors(value)[0]
        return within(is_switch(value), torch.log(torch.where(value > 0.5, probs, 1 - probs)))

    def entropy(self) -> Tensor:
        return torch.special.entr(self.probs) + torch.special.entr(1 - self.probs)

    hard = True
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
    limits: ClassVar[Limits] = {"logits": SURE}
    settings = ("temperature",)

    def __init__(self, logits: Any, temperature: Any = 0.5, hard: bool = True) -> None:
        self._set(logits=logits, temperature=temperature, hard=hard)

    def draw(self, u: Tensor) -> Tensor:
        logits, temperature = self.tensors(u)
        u = 1 - (cast(u, logits.dtype) + HALF_STEP)  # so that a gate and Bernoulli open on the same noise
        soft = torch.sigmoid((logits + torch.log(u) - torch.log1p(-u)) / temperature)
        return straight_through((soft > 0.5).to(soft.dtype), soft) if self.hard else soft

    def log_prob(self, value: Tensor) -> Tensor:
        """The log mass of an outcome with `hard=True`, else the log density of the relaxed value."""
        logits, temperature = self.tensors(value)
        if self.hard:
            return within(is_switch(value), logsigmoid(torch.where(value > 0.5, logits, -logits)))
        x = open_interval(value)
        from_logit = logits - temperature * torch.logit(x)
        density = torch.log(temperature) + logsigmoid(from_logit) + logsigmoid(-from_logit) - torch.log(x * (1 - x))
        return within((value >= 0) & (value <= 1), density)

    def entropy(self) -> Tensor:
        if not self.hard:
            return super().entropy()
        return torch.nn.functional.softplus(self.logits) - self.logits * torch.sigmoid(self.logits)

    logits: Tensor


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
        return chosen(u, self.tensors(u)[0])

    def log_prob(self, value: Tensor) -> Tensor:
        weights = self.tensors(value)[0]
        chosen = torch.where(value > 0.5, weights, 0.0).sum(-1)
        return within(is_one_hot(value), torch.log(chosen) - torch.log(weights.sum(-1)))

    def entropy(self) -> Tensor:
        total = self.weights.sum(-1)
        return torch.log(total) + torch.special.entr(self.weights).sum(-1) / total

    hard = True


class LogitBernoulli(RelaxedBernoulli):
    """A gate that learns by its score: 1 with probability sigmoid(logits), else 0, on the noise of `Bernoulli`.

    No gradient of a draw reaches the logits, `log_prob` carries it (`augfn.learn.surrogate_loss`): unbiased, and a closed
    gate costs nothing. Source: Williams 1992 (REINFORCE).

    >>> LogitBernoulli(0.0).draw(torch.tensor([0.2, 0.8]))
    tensor([1., 0.])
    """

    fields = ("logits",)
    static = ()
    settings = ()
    hard = True

    def __init__(self, logits: Any) -> None:
        self._set(logits=logits)

    def draw(self, u: Tensor) -> Tensor:
        probs = torch.sigmoid(self.tensors(u)[0].detach())
        return (cast(u, probs.dtype) < probs).to(probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        logits = self.tensors(value)[0]
        return within(is_switch(value), logsigmoid(torch.where(value > 0.5, logits, -logits)))


class GumbelChoice(Distribution):
    """A choice that learns: softmax((logits + Gumbel noise) / temperature) over `[n]`; `hard=True` is straight-through.

    Source: Jang et al. 2017, Maddison et al. 2017.

    >>> GumbelChoice([0.0, 0.0]).draw(torch.tensor([[0.2, 0.7]]))
    tensor([[0., 1.]])
    """

    fields = ("logits", "temperature")
    static = ("hard",)
    limits: ClassVar[Limits] = {"logits": SURE}
    settings = ("temperature",)

    def __init__(self, logits: Any, temperature: Any = 0.5, hard: bool = True) -> None:
        self._set(logits=logits, temperature=temperature, hard=hard)

    def draw(self, u: Tensor) -> Tensor:
        logits, temperature = self.tensors(u)
        gumbel = -torch.log(-torch.log(cast(u, logits.dtype) + HALF_STEP))
        soft = torch.softmax((logits + gumbel) / temperature, -1)
        return straight_through(one_hot(soft.argmax(-1), soft), soft) if self.hard else soft

    def log_prob(self, value: Tensor) -> Tensor:
        """The log mass of an outcome with `hard=True`, else the log density of the relaxed value on the simplex."""
        logits, temperature = self.tensors(value)
        if self.hard:
            chosen = torch.where(value > 0.5, torch.log_softmax(logits, -1), 0.0).sum(-1)
            return within(is_one_hot(value), chosen)
        n, log = logits.shape[-1], torch.log(open_interval(value))
        scale = (n - 1) * torch.log(temperature.expand(logits.shape)).mean(-1) + math.lgamma(n)
        score = torch.log_softmax(logits - temperature * log, -1).sum(-1)
        return within((value >= 0).all(-1), score + scale - log.sum(-1))

    def entropy(self) -> Tensor:
        if not self.hard:
            return super().entropy()
        log = torch.log_softmax(self.logits, -1)
        return -(log.exp() * log).sum(-1)

    logits: Tensor


class LogitChoice(GumbelChoice):
    """A choice that learns by its score: one of n with probabilities softmax(logits), as a one-hot vector `[n]`.

    No gradient of a draw reaches the logits, `log_prob` carries it (`augfn.learn.surrogate_loss`): unbiased, and each
    sample costs its own branch alone. Source: Williams 1992 (REINFORCE).

    >>> LogitChoice([0.0, 0.0]).draw(torch.tensor([[0.2], [0.7]]))
    tensor([[1., 0.],
            [0., 1.]])
    """

    fields = ("logits",)
    static = ()
    settings = ()
    hard = True

    def __init__(self, logits: Any) -> None:
        self._set(logits=logits)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (*self.shape[:-1], 1)

    def draw(self, u: Tensor) -> Tensor:
        return chosen(u, torch.softmax(self.tensors(u)[0].detach(), -1))

    def log_prob(self, value: Tensor) -> Tensor:
        logits = self.tensors(value)[0]
        return within(is_one_hot(value), torch.where(value > 0.5, torch.log_softmax(logits, -1), 0.0).sum(-1))


def chosen(u: Tensor, weights: Tensor) -> Tensor:
    """One-hot vectors `[*b, n]` for noise `[*b, 1]`, with probabilities in proportion to the weights."""
    edges = weights.cumsum(-1)
    index = (cast(u, weights.dtype) * edges[..., -1:] >= edges[..., :-1]).sum(-1)
    return one_hot(index, weights)


def is_switch(value: Tensor) -> Tensor:
    return (value == 0) | (value == 1)


def is_one_hot(value: Tensor) -> Tensor:
    return is_switch(value).all(-1) & (value.sum(-1) == 1)


def open_interval(value: Tensor) -> Tensor:
    """Away from 0 and 1, where relaxed values end up by rounding and a density may be infinite."""
    kind = torch.finfo(value.dtype)
    return value.clamp(kind.tiny, 1 - kind.eps)

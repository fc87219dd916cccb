"""Distributions: frozen pytree nodes with tensor leaves, each a differentiable function of uniform noise.

`d.shape` is the shape of one sample's value, `d.noise_shape` that of the uniform numbers it takes, and `d.draw(u)`
maps noise `[*b, *noise_shape]` to values `[*b, *shape]`. A draw is a smooth function of the distribution's tensors, so
a loss reaches the ranges, and the next draw follows an optimizer's step.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.utils._pytree import GetAttrKey, register_pytree_node

from augfn.errors import explain, show
from augfn.math.shapes import cast, common_shape
from augfn.math.variates import HALF_STEP, gaussian, log_gamma, one_hot, straight_through


class Distribution:
    """Base of all distributions; `fields` are tensors (pytree leaves), `static` plain values (pytree context).

    >>> class Triangular(Distribution):
    ...     fields = ("width",)
    ...     def __init__(self, width):
    ...         self._set(width=width)
    ...     def draw(self, u):
    ...         return self.width * (1 - (2 * (1 - u)).sqrt())
    >>> Triangular(2.0).draw(torch.tensor([0.5, 0.875]))
    tensor([0., 1.])
    """

    fields: ClassVar[tuple[str, ...]] = ()
    static: ClassVar[tuple[str, ...]] = ()
    shape: tuple[int, ...]
    hard: bool = False  # every value that is drawn is 0 or 1
    pointwise: ClassVar[bool] = False  # one number of noise to one value: several may be drawn as one vector

    def __init_subclass__(cls) -> None:
        def flatten(d: Any) -> tuple[list[Any], tuple[Any, ...]]:
            return [getattr(d, f) for f in cls.fields], tuple(getattr(d, s) for s in cls.static)

        def unflatten(leaves: Any, context: tuple[Any, ...]) -> Any:
            d = object.__new__(cls)
            d.__dict__.update(zip(cls.fields, leaves, strict=True), **dict(zip(cls.static, context, strict=True)))
            return d

        def with_keys(d: Any) -> tuple[list[Any], tuple[Any, ...]]:
            leaves, context = flatten(d)
            return [(GetAttrKey(f), x) for f, x in zip(cls.fields, leaves, strict=True)], context

        name = f"augfn.distributions.{cls.__name__}"
        register_pytree_node(cls, flatten, unflatten, serialized_type_name=name, flatten_with_keys_fn=with_keys)

    def _set(self, **values: Any) -> None:
        self.__dict__.update({k: as_tensor(v) if k in self.fields else v for k, v in values.items()})
        self.__dict__["shape"] = self.value_shape()

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            explain(
                f"a {type(self).__name__} is frozen",
                f"{name} = {show(value)}",
                "a new distribution",
                f"build one: {type(self).__name__}(...)",
            )
        )

    def value_shape(self) -> tuple[int, ...]:
        return common_shape(*(getattr(self, f).shape for f in self.fields))

    def __getattr__(self, name: str) -> Any:
        if name == "shape":  # of one that was built past `_set`, as torch's tree functions do
            return self.value_shape()
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return self.shape

    def tensors(self, like: Tensor) -> list[Tensor]:
        """The fields on the device of the noise."""
        here = like.device
        found = [getattr(self, f) for f in self.fields]
        return [t if t.device == here else t.to(here) for t in found]

    def draw(self, u: Tensor) -> Tensor:
        raise NotImplementedError

    def __repr__(self) -> str:
        parts = [f"{f}={brief(getattr(self, f))}" for f in self.fields + self.static]
        return f"{type(self).__name__}({', '.join(parts)})"


def as_tensor(value: Any) -> Tensor:
    """A tensor as it is; numbers and nested sequences as float32, whatever torch's default dtype."""
    if isinstance(value, Tensor):
        if not value.is_floating_point():
            raise TypeError(
                explain("a distribution takes floating values", value, "a floating tensor", "call .float() on it")
            )
        return value
    return torch.tensor(value, dtype=torch.float32)


def brief(value: Any) -> str:
    if isinstance(value, Tensor) and type(value) in (Tensor, torch.nn.Parameter) and value.numel() <= 4:
        numbers = [round(v, 4) for v in value.detach().flatten().tolist()]
        return str(numbers if value.ndim else numbers[0])
    return show(value)


def check_order(name: str, low: Any, high: Any) -> None:
    """Plain numbers are checked here; tensors may be learned and are free to cross."""
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return
    if (torch.tensor(low, dtype=torch.float64) > torch.tensor(high, dtype=torch.float64)).any():
        raise ValueError(
            explain(f"{name}: the range is upside down", (low, high), "low <= high", f"swap them: ({high}, {low})")
        )


class Constant(Distribution):
    """Always `value`; takes no noise.

    >>> Constant(0.5)
    Constant(value=0.5)
    """

    fields = ("value",)

    def __init__(self, value: Any) -> None:
        self._set(value=value)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (0,)

    def draw(self, u: Tensor) -> Tensor:
        value = self.tensors(u)[0]
        return value.expand(u.shape[:-1] + value.shape)


class Uniform(Distribution):
    """Uniform on [low, high): low + (high - low) u.

    >>> Uniform(-1.0, 1.0).draw(torch.tensor([0.25]))
    tensor([-0.5000])
    """

    fields = ("low", "high")

    def __init__(self, low: Any, high: Any) -> None:
        check_order("Uniform", low, high)
        self._set(low=low, high=high)

    pointwise = True

    def draw(self, u: Tensor) -> Tensor:
        low, high = self.tensors(u)
        return torch.lerp(low, cast(high, low.dtype), cast(u, low.dtype))


class Interval(Distribution):
    """Uniform between the two entries of one tensor `bounds [..., 2]`: the shape of a single learnable range.

    >>> Interval([-1.0, 1.0]).draw(torch.tensor([0.25]))
    tensor([-0.5000])
    """

    fields = ("bounds",)

    def __init__(self, bounds: Any) -> None:
        self._set(bounds=bounds)
        if self.bounds.shape[-1:] != (2,):
            raise ValueError(explain("Interval: bad bounds", self.bounds, "[..., 2]", "stack low and high last"))

    bounds: Tensor

    def value_shape(self) -> tuple[int, ...]:
        return tuple(self.bounds.shape[:-1])

    def draw(self, u: Tensor) -> Tensor:
        bounds = self.tensors(u)[0]
        return torch.lerp(bounds[..., 0], bounds[..., 1], cast(u, bounds.dtype))


class LogUniform(Distribution):
    """Uniform in the logarithm: low (high / low)^u, for positive bounds.

    >>> LogUniform(0.5, 2.0).draw(torch.tensor([0.0, 0.5]))
    tensor([0.5000, 1.0000])
    """

    fields = ("low", "high")

    def __init__(self, low: Any, high: Any) -> None:
        check_order("LogUniform", low, high)
        if not isinstance(low, Tensor) and (torch.tensor(low) <= 0).any():
            raise ValueError(explain("LogUniform: bad low", low, "low > 0", "use Uniform for ranges that touch 0"))
        self._set(low=low, high=high)

    def draw(self, u: Tensor) -> Tensor:
        low, high = self.tensors(u)
        return torch.exp(torch.lerp(low.log(), high.log(), cast(u, low.dtype)))


class Normal(Distribution):
    """Normal: mean + std z.

    >>> Normal(1.0, 2.0).draw(torch.tensor([0.5, 0.8413]))
    tensor([1.00, 3.00])
    """

    fields = ("mean", "std")

    def __init__(self, mean: Any = 0.0, std: Any = 1.0) -> None:
        self._set(mean=mean, std=std)

    def draw(self, u: Tensor) -> Tensor:
        mean, std = self.tensors(u)
        return mean + std * gaussian(cast(u, mean.dtype))


class TruncatedNormal(Distribution):
    """Normal restricted to [low, high], by its inverse distribution function.

    >>> TruncatedNormal(0.0, 1.0, -1.0, 1.0).draw(torch.tensor([0.0, 0.5]))
    tensor([-1.0000,  0.0000])
    """

    fields = ("mean", "std", "low", "high")

    def __init__(self, mean: Any = 0.0, std: Any = 1.0, low: Any = -2.0, high: Any = 2.0) -> None:
        check_order("TruncatedNormal", low, high)
        self._set(mean=mean, std=std, low=low, high=high)

    def draw(self, u: Tensor) -> Tensor:
        mean, std, low, high = self.tensors(u)
        a, b, u = (low - mean) / std, (high - mean) / std, cast(u, mean.dtype) + HALF_STEP
        upper = a + b > 0  # work in the lower tail, where the distribution function keeps its digits
        a, b, u = torch.where(upper, -b, a), torch.where(upper, -a, b), torch.where(upper, 1 - u, u)
        a, b = (torch.erfc(-edge / math.sqrt(2)) / 2 for edge in (a, b))  # torch's ndtr loses them there
        z = torch.special.ndtri(torch.lerp(a, b, u))
        return torch.minimum(torch.maximum(mean + std * torch.where(upper, -z, z), low), high)


class Bernoulli(Distribution):
    """1 with probability `probs`, else 0. No gradient reaches `probs`: use RelaxedBernoulli to learn one.

    >>> Bernoulli(0.3).draw(torch.tensor([0.2, 0.4]))
    tensor([1., 0.])
    """

    fields = ("probs",)
    hard = True
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
    hard = True

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


class Beta(Distribution):
    """Beta(a, b) = X / (X + Y) of two gamma variables.

    Each gamma takes a fixed number of vectorised rejection rounds (Marsaglia and Tsang 2000, boosted for shapes below
    1; the chance that all six fail is below 1e-7) and carries its implicit reparameterisation gradient (Figurnov et
    al. 2018).

    >>> from augfn.random import key, uniform
    >>> Beta(2.0, 2.0).draw(uniform(key(0), (4, 2, 13))).shape
    torch.Size([4])
    """

    fields = ("alpha", "beta")
    rounds: ClassVar[int] = 6

    def __init__(self, alpha: Any, beta: Any) -> None:
        self._set(alpha=alpha, beta=beta)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (2, 2 * self.rounds + 1, *self.shape)

    def draw(self, u: Tensor) -> Tensor:
        alpha, beta = torch.broadcast_tensors(*self.tensors(u))
        axis = u.ndim - len(self.noise_shape)
        first, second = (half.movedim(axis, 0) for half in cast(u, alpha.dtype).unbind(axis))
        return torch.sigmoid(log_gamma(alpha, first, self.rounds) - log_gamma(beta, second, self.rounds))

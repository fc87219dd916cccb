"""Distributions of numbers in a range."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from augfn.distributions.base import Distribution, Limits, check_order
from augfn.errors import explain
from augfn.math.shapes import cast
from augfn.math.variates import HALF_STEP, gaussian, log_gamma, within


class Constant(Distribution):
    """Always `value`; takes no noise.

    >>> Constant(0.5)
    Constant(value=0.5)
    """

    fields = ("value",)
    values = ("value",)

    def __init__(self, value: Any) -> None:
        self._set(value=value)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (0,)

    def draw(self, u: Tensor) -> Tensor:
        value = self.tensors(u)[0]
        return value.expand(u.shape[:-1] + value.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """That of a point mass: 0 at `value`, else -inf."""
        at = self.tensors(value)[0]
        return within(value == at, torch.zeros_like(value))

    def entropy(self) -> Tensor:
        return torch.zeros_like(self.value)

    value: Tensor


class Uniform(Distribution):
    """Uniform on [low, high): low + (high - low) u.

    >>> Uniform(-1.0, 1.0).draw(torch.tensor([0.25]))
    tensor([-0.5000])
    """

    fields = ("low", "high")
    values = ("low", "high")
    ordered = ("low", "high")

    def __init__(self, low: Any, high: Any) -> None:
        check_order("Uniform", low, high)
        self._set(low=low, high=high)

    def draw(self, u: Tensor) -> Tensor:
        low, high = self.tensors(u)
        return torch.lerp(low, cast(high, low.dtype), cast(u, low.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        low, high = self.tensors(value)
        return even_density(value, low, high)


class Interval(Distribution):
    """Uniform between the two entries of one tensor `bounds [..., 2]`: the shape of a single learnable range.

    >>> Interval([-1.0, 1.0]).draw(torch.tensor([0.25]))
    tensor([-0.5000])
    """

    fields = ("bounds",)
    values = ("bounds",)

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

    def log_prob(self, value: Tensor) -> Tensor:
        low, high = self.tensors(value)[0].unbind(-1)
        return even_density(value, low, high)


class Span(Distribution):
    """Uniform between two ends that are linear in one tensor: (low, high) = offset + matrix x, with `matrix
    [*shape, 2, n]` for the n numbers of x, and `offset` a number or `[*shape, 2]`.

    For a range of fewer numbers than ends, such as one width w for (-w, w), as in Augerino.

    >>> Span(3.0, [[-1.0], [1.0]]).draw(torch.tensor([0.25]))
    tensor([-1.5000])
    """

    fields = ("x",)
    static = ("matrix", "offset")

    def __init__(self, x: Any, matrix: Any, offset: Any = 0.0) -> None:
        matrix, offset = as_tuples(matrix), as_tuples(offset)
        n, rows, ends = x.numel() if isinstance(x, Tensor) else np.size(x), shape_of(matrix), shape_of(offset)
        if len(rows) < 2 or rows[-2:] != (2, n):
            fix = "a row for low and a row for high, with a factor for each number of x"
            raise ValueError(explain("Span: bad matrix", rows, f"[..., 2, {n}], for x of {n} numbers", fix))
        if ends not in ((), rows[:-1]):
            want = f"a number, or {list(rows[:-1])}"
            raise ValueError(explain("Span: bad offset", ends, want, "a number for each end"))
        self._set(x=x, matrix=matrix, offset=offset)

    x: Tensor
    matrix: tuple[Any, ...]
    offset: Any

    def value_shape(self) -> tuple[int, ...]:
        return tuple(torch.tensor(self.matrix).shape[:-2])

    def ends(self, like: Tensor) -> Tensor:
        """(low, high) `[*shape, 2]`."""
        x = self.tensors(like)[0].reshape(-1)
        matrix, offset = (torch.tensor(t, dtype=x.dtype, device=x.device) for t in (self.matrix, self.offset))
        return offset + (matrix * x).sum(-1)

    def draw(self, u: Tensor) -> Tensor:
        low, high = self.ends(u).unbind(-1)
        return torch.lerp(low, high, cast(u, low.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        return even_density(value, *self.ends(value).unbind(-1))


class LogUniform(Distribution):
    """Uniform in the logarithm: low (high / low)^u, for positive bounds.

    >>> LogUniform(0.5, 2.0).draw(torch.tensor([0.0, 0.5]))
    tensor([0.5000, 1.0000])
    """

    fields = ("low", "high")
    values = ("low", "high")
    ordered = ("low", "high")
    limits: ClassVar[Limits] = dict.fromkeys(fields, (1e-6, None))

    def __init__(self, low: Any, high: Any) -> None:
        check_order("LogUniform", low, high)
        if not isinstance(low, Tensor) and (torch.tensor(low) <= 0).any():
            raise ValueError(explain("LogUniform: bad low", low, "low > 0", "use Uniform for ranges that touch 0"))
        self._set(low=low, high=high)

    def draw(self, u: Tensor) -> Tensor:
        low, high = self.tensors(u)
        return torch.exp(torch.lerp(low.log(), high.log(), cast(u, low.dtype)))

    def log_prob(self, value: Tensor) -> Tensor:
        low, high = self.tensors(value)
        log = torch.log(torch.where(value > 0, value, 1.0))
        return within(value > 0, even_density(log, low.log(), high.log()) - log)


class Normal(Distribution):
    """Normal: mean + std z.

    >>> Normal(1.0, 2.0).draw(torch.tensor([0.5, 0.8413]))
    tensor([1.00, 3.00])
    """

    fields = ("mean", "std")
    limits: ClassVar[Limits] = {"std": (0.0, None)}

    def __init__(self, mean: Any = 0.0, std: Any = 1.0) -> None:
        self._set(mean=mean, std=std)

    def draw(self, u: Tensor) -> Tensor:
        mean, std = self.tensors(u)
        return mean + std * gaussian(cast(u, mean.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        return bell_density(value, *self.tensors(value))


class LogNormal(Normal):
    """Normal in the logarithm: exp(mean + std z); 2 to the power of N(0, s) is LogNormal(0, s log 2).

    >>> LogNormal(0.0, 0.6931).draw(torch.tensor([0.5, 0.8413]))
    tensor([1.00, 2.00])
    """

    def draw(self, u: Tensor) -> Tensor:
        return torch.exp(super().draw(u))

    def log_prob(self, value: Tensor) -> Tensor:
        log = torch.log(torch.where(value > 0, value, 1.0))
        return within(value > 0, super().log_prob(log) - log)


class TruncatedNormal(Distribution):
    """Normal restricted to [low, high], by its inverse distribution function.

    >>> TruncatedNormal(0.0, 1.0, -1.0, 1.0).draw(torch.tensor([0.0, 0.5]))
    tensor([-1.0000,  0.0000])
    """

    fields = ("mean", "std", "low", "high")
    values = ("low", "high")
    ordered = ("low", "high")
    limits: ClassVar[Limits] = {"std": (1e-6, None)}

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

    def log_prob(self, value: Tensor) -> Tensor:
        mean, std, low, high = self.tensors(value)
        center, far = mean.detach(), 1e4 * std.detach().abs()  # infinite ends would make the gradient NaN
        a, b = (torch.maximum(low, center - far) - mean) / std, (torch.minimum(high, center + far) - mean) / std
        upper = a + b > 0  # as in draw
        log_b, log_a = (torch.special.log_ndtr(torch.where(upper, -p, q)) for p, q in ((a, b), (b, a)))
        log_mass = log_b + torch.log(-torch.expm1(log_a - log_b))
        return within((value >= low) & (value <= high), bell_density(value, mean, std) - log_mass)


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
    limits: ClassVar[Limits] = {"alpha": (1e-2, None), "beta": (1e-2, None)}
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

    def log_prob(self, value: Tensor) -> Tensor:
        alpha, beta = self.tensors(value)
        inside = (value >= 0) & (value <= 1)
        x = torch.where(inside, value, 0.5)
        norm = torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
        return within(inside, torch.xlogy(alpha - 1, x) + torch.special.xlog1py(beta - 1, -x) - norm)


class Exponential(Distribution):
    """Waiting times -log(u) / rate, of mean 1 / rate. In the order of their arrival, things of these rates are drawn
    without replacement, each by its share of what is left.

    >>> Exponential(2.0).draw(torch.tensor([0.5]))
    tensor([0.3466])
    """

    fields = ("rate",)
    limits: ClassVar[Limits] = {"rate": (1e-6, None)}

    def __init__(self, rate: Any = 1.0) -> None:
        self._set(rate=rate)

    def draw(self, u: Tensor) -> Tensor:
        rate = self.tensors(u)[0]
        return -torch.log(cast(u, rate.dtype) + HALF_STEP) / rate

    def log_prob(self, value: Tensor) -> Tensor:
        rate = self.tensors(value)[0]
        return within(value >= 0, torch.log(rate) - rate * value)


class Dirichlet(Distribution):
    """Weights `[n]` that sum to 1, with concentrations `alpha [n]`: gamma variables as in `Beta`, normalised.

    >>> from augfn.random import key, uniform
    >>> d = Dirichlet([1.0, 1.0, 1.0])
    >>> d.draw(uniform(key(0), (4, *d.noise_shape))).sum(-1)
    tensor([1., 1., 1., 1.])
    """

    fields = ("alpha",)
    limits: ClassVar[Limits] = {"alpha": (1e-2, None)}
    rounds: ClassVar[int] = 6

    def __init__(self, alpha: Any) -> None:
        self._set(alpha=alpha)
        if self.alpha.ndim != 1 or len(self.alpha) < 2:
            raise ValueError(explain("Dirichlet: alpha", self.alpha, "[n], n >= 2", "Dirichlet([1.0, 1.0, 1.0])"))

    alpha: Tensor

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (2 * self.rounds + 1, *self.shape)

    def draw(self, u: Tensor) -> Tensor:
        alpha = self.tensors(u)[0]
        noise = cast(u, alpha.dtype).movedim(u.ndim - 2, 0)
        return torch.softmax(log_gamma(alpha, noise, self.rounds), -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """One for each vector."""
        alpha = self.tensors(value)[0]
        inside = (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-4)
        x = torch.where(inside[..., None], value, 1 / len(alpha))
        norm = torch.lgamma(alpha).sum() - torch.lgamma(alpha.sum())
        return within(inside, torch.xlogy(alpha - 1, x).sum(-1) - norm)


def as_tuples(matrix: Any) -> Any:
    """Nested lists, arrays or tensors as nested tuples of numbers."""
    rows = matrix.tolist() if hasattr(matrix, "tolist") else matrix
    return tuple(map(as_tuples, rows)) if isinstance(rows, list | tuple) else float(rows)


def even_density(value: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """log 1 / |high - low| between the ends, both of which rounding may draw; learned ends may have crossed."""
    inside = (value >= torch.minimum(low, high)) & (value <= torch.maximum(low, high))
    return within(inside, -torch.log((high - low).abs()))


def bell_density(value: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return -(((value - mean) / std) ** 2) / 2 - torch.log(std.abs()) - math.log(2 * math.pi) / 2


def shape_of(nested: Any) -> tuple[int, ...]:
    """The shape of nested tuples, as far as they are even. (No array, which Dynamo could not hold.)"""
    if not isinstance(nested, tuple):
        return ()
    inner = [shape_of(x) for x in nested]
    return (len(nested), *(inner[0] if inner and all(s == inner[0] for s in inner) else ()))

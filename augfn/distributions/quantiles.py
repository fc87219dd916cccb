"""Distributions of numbers by their quantiles."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from augfn.distributions.base import Distribution, Limits, check_order
from augfn.errors import explain
from augfn.math.shapes import cast, picked
from augfn.math.variates import within


class Quantiles(Distribution):
    """Uniform between neighbouring `values [n]`, and each of the n - 1 intervals as likely as the others.

    A factor that is as often below 1 as above it: `Quantiles([0.75, 1.0, 1.25])` (nnU-Net's of contrast and brightness).

    >>> Quantiles([0.5, 1.0, 3.0]).draw(torch.tensor([0.25, 0.5, 0.75]))
    tensor([0.7500, 1.0000, 2.0000])
    """

    fields = ("points",)
    values = ("points",)
    points: Tensor

    def __init__(self, points: Any) -> None:
        self._set(points=points)
        if self.points.ndim != 1 or len(self.points) < 2:
            want = "at least two numbers, ascending"
            raise ValueError(explain("Quantiles", list(self.points.shape), want, "af.Quantiles([0.7, 1.0, 1.5])"))
        if not isinstance(points, Tensor):
            check_order("Quantiles", list(points)[:-1], list(points)[1:])

    def value_shape(self) -> tuple[int, ...]:
        return ()

    def draw(self, u: Tensor) -> Tensor:
        points = self.tensors(u)[0]
        place = cast(u, points.dtype) * (len(points) - 1)
        first = place.detach().floor().clamp(0, len(points) - 2)
        index = first.long()
        return torch.lerp(picked(points, index), picked(points, index + 1), place - first)

    def log_prob(self, value: Tensor) -> Tensor:
        points = self.tensors(value)[0]
        index = (torch.searchsorted(points.detach(), value.detach(), right=True) - 1).clamp(0, len(points) - 2)
        density = -torch.log((picked(points, index + 1) - picked(points, index)) * (len(points) - 1))
        return within((value >= points[0]) & (value <= points[-1]), density)


class InverseUniform(Distribution):
    """1 / U(low, high): the zoom of a frame whose side is uniform.

    >>> InverseUniform(0.5, 2.0).draw(torch.tensor([0.0, 1.0]))
    tensor([2.0000, 0.5000])
    """

    fields = ("low", "high")
    limits: ClassVar[Limits] = {"low": (1e-6, None), "high": (1e-6, None)}
    low: Tensor
    high: Tensor

    def __init__(self, low: Any, high: Any) -> None:
        check_order("InverseUniform", low, high)
        if not isinstance(low, Tensor) and low <= 0:
            raise ValueError(explain("InverseUniform: low", low, "above 0", "af.InverseUniform(0.7, 1.4)"))
        self._set(low=low, high=high)

    def draw(self, u: Tensor) -> Tensor:
        low, high = self.tensors(u)
        return 1 / torch.lerp(low, high, cast(u, low.dtype))

    def log_prob(self, value: Tensor) -> Tensor:
        low, high = self.tensors(value)
        inside = (value * high >= 1) & (value * low <= 1)
        return within(
            inside, -2 * torch.log(torch.where(inside, value, torch.ones_like(value))) - torch.log(high - low)
        )

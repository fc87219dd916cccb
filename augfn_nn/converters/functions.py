"""Functions of tensors that converted pipelines call by `af.opaque`; as classes, so that a saved module loads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.serialization import add_safe_globals


@dataclass(frozen=True, eq=False)
class EachSample:
    """A function of a sample, for a batch."""

    function: Callable[[Any], Any]

    def __call__(self, x: Tensor) -> Tensor:
        return torch.stack([torch.as_tensor(self.function(v)) for v in x])


@dataclass(frozen=True, eq=False)
class Clamped:
    """Levels kept between two, of which either may be None."""

    low: float | None
    high: float | None

    def __call__(self, x: Tensor) -> Tensor:
        return x.clamp(self.low, self.high)


@dataclass(frozen=True, eq=False)
class Relabelled:
    """Labels by a table, all at once."""

    table: dict[int, int]

    def __call__(self, x: Tensor) -> Tensor:
        y = x
        for old, new in self.table.items():
            y = torch.where(x == old, new, y)
        return y


@dataclass(frozen=True, eq=False)
class Scored:
    """Standard scores by the mean and the standard deviation (n - 1) of what a mask shows."""

    mask: Callable[[Tensor], Tensor]

    def __call__(self, x: Tensor) -> Tensor:
        inside = self.mask(x).to(x.dtype)
        count = inside.sum()
        centred = x - (x * inside).sum() / count
        return centred * ((centred.square() * inside).sum() / (count - 1)).rsqrt()


@dataclass(frozen=True, eq=False)
class Outlined:
    """One value where a mask does not show it."""

    mask: Callable[[Tensor], Tensor]
    outside: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.where(self.mask(x), x, self.outside)


add_safe_globals([Clamped, EachSample, Outlined, Relabelled, Scored])

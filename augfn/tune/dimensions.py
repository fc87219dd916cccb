"""Dimensions: one number of a search space each, and what it makes of a policy's leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from augfn.core.intervals import in_order
from augfn.distributions import Interval


@dataclass(frozen=True)
class Dimension:
    """One number of a space: where it is searched, and the leaves that it sets."""

    path: str
    kind: str
    low: float
    high: float
    unit: str
    leaves: tuple[str, ...]
    step: float | None = None
    log: bool = False
    centre: float = 0.0  # what a reach is about
    entry: int | None = None  # of a vector, or of the weights

    def holds(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, Real):
            return False
        number = float(value)
        return self.low <= number <= self.high and (self.step is None or number.is_integer())

    def at(self, u: float) -> float:
        """The value at u in [0, 1)."""
        if self.step is not None:
            return int(self.low + min(int(u * (self.high - self.low + 1)), int(self.high - self.low)))
        if self.log:
            value = math.exp(math.log(self.low) + u * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + u * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def values(self, n: int) -> list[float]:
        """All whole numbers, or n values evenly from the lower end to the upper one."""
        if self.step is not None:
            return list(range(int(self.low), int(self.high) + 1))
        if self.low == self.high:
            return [self.low]
        return [self.at(i / (n - 1)) for i in range(n)] if n > 1 else [self.at(0.5)]


def ends_of(leaf: Any) -> tuple[Tensor, Tensor]:
    if isinstance(leaf, Interval):
        return leaf.bounds[..., 0], leaf.bounds[..., 1]
    return (getattr(leaf, leaf.ordered[0]), getattr(leaf, leaf.ordered[1])) if leaf.ordered else (leaf, leaf)


def filled(field: Tensor, value: float, entry: int | None) -> Tensor:
    """A field of one value, or with one entry of it."""
    if entry is None:
        return torch.full_like(field, value)
    flat = field.flatten()
    there = torch.arange(len(flat)) == entry
    return torch.where(there, torch.full_like(flat, value), flat).reshape(field.shape)


def put_ends(leaf: Any, d: Dimension, low: float | None = None, high: float | None = None) -> Any:
    """A range with another end, or with two."""
    ends = torch.broadcast_tensors(*ends_of(leaf))
    a, b = (end if v is None else filled(end, v, d.entry) for end, v in zip(ends, (low, high), strict=True))
    if isinstance(leaf, Interval):
        return leaf.renewed(bounds=torch.stack([a, b], -1))
    names = leaf.ordered
    return leaf.renewed(**{n: end for n, end, v in zip(names, (a, b), (low, high), strict=True) if v is not None})


def put_field(leaf: Any, value: float, *names: str, entry: int | None = None) -> Any:
    return leaf.renewed(**{n: filled(getattr(leaf, n), value, entry) for n in names})


PUT: dict[str, Callable[[Any, float, Dimension], Any]] = {
    "reach": lambda leaf, v, d: put_ends(leaf, d, low=d.centre - v, high=d.centre + v),
    "ratio": lambda leaf, v, d: put_ends(leaf, d, low=d.centre / v, high=d.centre * v),
    "low": lambda leaf, v, d: put_ends(leaf, d, low=v),
    "high": lambda leaf, v, d: put_ends(leaf, d, high=v),
    "probability": lambda leaf, v, d: put_field(leaf, v, "probs"),
    "weight": lambda leaf, v, d: put_field(leaf, v, "weights", entry=d.entry),
    "count": lambda leaf, v, d: put_field(leaf, v, "value"),
    "least": lambda leaf, v, d: put_field(leaf, v, "low"),
    "most": lambda leaf, v, d: put_field(leaf, v + 1, "high"),  # inclusive, as in some_of
    "level": lambda leaf, v, d: put_field(leaf, v, "level"),
    "alpha": lambda leaf, v, d: put_field(leaf, v, *leaf.fields),
    "std": lambda leaf, v, d: put_field(leaf, v, "std", entry=d.entry),
}


def sorted_leaf(leaf: Any) -> Any:
    return in_order(leaf) if isinstance(leaf, Interval) or getattr(leaf, "ordered", ()) else leaf

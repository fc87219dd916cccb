"""The intervals that what learns stays in: those of a leaf, and of a distribution's own numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augfn.distributions import Distribution, Interval
from augfn.math.folding import Limits
from augfn.typing import Leaf


def limits_of(leaf: Any, field: str, meaning: Leaf) -> Limits:
    """The interval of a field: that of the leaf, where it holds values of it, and its own."""
    if isinstance(leaf, Tensor):
        return meaning.low, meaning.high
    low, high = leaf.limits.get(field, (None, None))
    if field not in leaf.values:
        return low, high
    return meaning.low if low is None else max(low, meaning.low or low), high if meaning.high is None else meaning.high


def in_order(leaf: Distribution) -> Distribution:
    """The range with its lower end first."""
    if isinstance(leaf, Interval):
        return leaf.renewed(bounds=leaf.bounds.sort(-1).values)
    low, high = (getattr(leaf, field) for field in leaf.ordered)
    ends = dict(zip(leaf.ordered, (torch.minimum(low, high), torch.maximum(low, high)), strict=True))
    return leaf.renewed(**ends)

"""Ranges, gates and rows of steps, as the tables of all peers write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation


def between(pair: Any, unit: float = 1.0, base: float = 0.0) -> Any:
    """The range of `base + value / unit`; a number if its ends are one."""
    low, high = (base + v / unit for v in (pair if isinstance(pair, list | tuple) else (pair, pair)))
    return low if low == high else af.Uniform(low, high)


def whole(pair: Any) -> Any:
    """A range of whole numbers, both ends included, which the op rounds to."""
    low, high = pair if isinstance(pair, list | tuple) else (pair, pair)
    return float(low) if low == high else af.Uniform(low - 0.5, high + 0.5)


def gated(f: Augmentation, p: float) -> Augmentation:
    """It acts on so many samples."""
    return f if p == 1 else af.maybe(f, p=float(p))


def one_each(parts: Sequence[Augmentation]) -> Augmentation:
    """One of them, all as likely."""
    return parts[0] if len(parts) == 1 else af.one_of(*parts)


def in_order(steps: Sequence[Augmentation]) -> Augmentation:
    """All of them in a row, or none."""
    return af.identity() if not steps else steps[0] if len(steps) == 1 else af.pipeline(*steps)

"""Folding: an unbounded number as one in an interval, by mirrors at its ends."""

from __future__ import annotations

import torch
from torch import Tensor

Limits = tuple[float | None, float | None]


def folded(x: Tensor, limits: Limits) -> Tensor:
    """`x` where it lies in [low, high]; what lies outside is mirrored at the end that it crossed, again and again.

    So the slope is 1 or -1 everywhere: an optimizer that pushes against an end stays there, and comes back at once when
    the push is reversed, which a clamp (no gradient) or a sigmoid (none that is left) does not. None: no end.

    >>> folded(torch.tensor([0.25, -0.25, 1.25, 2.25]), (0.0, 1.0)).tolist()
    [0.25, 0.25, 0.75, 0.25]
    >>> folded(torch.tensor([-3.0, 3.0]), (1.0, None)).tolist()
    [5.0, 3.0]
    """
    low, high = limits
    if low is not None and high is not None:
        span = high - low
        way = torch.remainder(x - low, 2 * span)
        turned = torch.where(way > span, 2 * span - way, way) + low
        return torch.where((x >= low) & (x <= high), x, turned.clamp(low, high).detach() + turned - turned.detach())
    if low is not None:
        return torch.where(x < low, 2 * low - x, x)
    return x if high is None else torch.where(x > high, 2 * high - x, x)

"""Shapes of tensors that are broadcast together."""

from __future__ import annotations

import torch

Shape = tuple[int, ...]


def common_shape(*shapes: Shape) -> Shape:
    """The broadcast shape. (torch.broadcast_shapes costs as much as ten small ops, even where all shapes are equal.)

    >>> common_shape((2, 1), (2, 1)), common_shape((2, 1), (3,))
    ((2, 1), (2, 3))
    """
    first = tuple(shapes[0])
    return first if all(s == first for s in shapes) else tuple(torch.broadcast_shapes(*shapes))

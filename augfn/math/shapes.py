"""Shapes and dtypes: what a small call must not pay for where nothing changes."""

from __future__ import annotations

import math
from itertools import zip_longest

import torch
from torch import Tensor

Shape = tuple[int, ...]


def common_shape(*shapes: Shape) -> Shape:
    """The broadcast shape. (torch.broadcast_shapes costs as much as ten small ops, even where all shapes are equal.)

    >>> common_shape((2, 1), (2, 1)), common_shape((2, 1), (3,))
    ((2, 1), (2, 3))
    """
    first = tuple(shapes[0])
    if all(s == first for s in shapes):
        return first
    return tuple([one_size(sizes, shapes) for sizes in zip_longest(*map(reversed, shapes), fillvalue=1)])[::-1]


def one_size(sizes: Shape, shapes: tuple[Shape, ...]) -> int:
    """The size that one dim of all the shapes broadcasts to."""
    found = 1
    for n in sizes:
        if n != 1 and found not in (1, n):
            torch.broadcast_shapes(*shapes)  # which raises
        found = n if n != 1 else found
    return found


def planes(x: Tensor, batch: int, d: int) -> Tensor:
    """`[*b, ..., *spatial]` as `[*b, k, *spatial]`: all that lies between `batch` leading and d spatial dims is channels.

    >>> planes(torch.zeros(0, 4, 3, 8, 9), 1, 2).shape, planes(torch.zeros(8, 9), 0, 2).shape
    (torch.Size([0, 12, 8, 9]), torch.Size([1, 8, 9]))
    """
    if x.ndim == batch + 1 + d:
        return x
    return x.reshape(x.shape[:batch] + (math.prod(x.shape[batch : x.ndim - d]),) + x.shape[x.ndim - d :])


def shaped(x: Tensor, shape: Shape) -> Tensor:
    """`x.reshape(shape)`, at no cost where it has that shape."""
    return x if x.shape == shape else x.reshape(shape)


def cast(x: Tensor, dtype: torch.dtype) -> Tensor:
    """`x.to(dtype)`, at no cost where it has that dtype."""
    return x if x.dtype == dtype else x.to(dtype)


def picked(values: Tensor, index: Tensor) -> Tensor:
    """`values[index]`, for a vector and whole numbers of any shape (which torch 2.9 refuses for a number under vmap).

    >>> picked(torch.tensor([5.0, 6.0]), torch.tensor(1))
    tensor(6.)
    """
    return values.gather(0, index.reshape(-1)).reshape(index.shape)


def over(x: Tensor, leaf: Tensor) -> Tensor:
    """A leaf `[*b]` over `x [*b, k, *spatial]`, in its dtype: `[*b, 1, 1, ...]`. A vector `[*b, k]` lies along the
    channels.

    >>> over(torch.zeros(4, 3, 8, 9), torch.zeros(4)).shape, over(torch.zeros(4, 3, 8, 9), torch.zeros(4, 3)).shape
    (torch.Size([4, 1, 1, 1]), torch.Size([4, 3, 1, 1]))
    """
    return expand(cast(leaf, x.dtype), x.ndim)


def expand(leaf: Tensor, ndim: int) -> Tensor:
    """`[*b]` to `[*b, 1, ...]` with `ndim` dims."""
    return leaf.reshape(leaf.shape + (1,) * (ndim - leaf.ndim))


def one_batch(x: Tensor, batch: Shape, event: int) -> Tensor:
    """`[*k, *event]`, k broadcastable to the batch, as `[n, *event]`, for `event` trailing dims.

    >>> one_batch(torch.zeros(1, 3, 8), (4, 2, 3), 1).shape, one_batch(torch.zeros(3, 8), (3,), 1).shape
    (torch.Size([24, 8]), torch.Size([3, 8]))
    """
    tail = x.shape[x.ndim - event :]
    if x.shape[: x.ndim - event] != batch:
        x = x.expand(batch + tail)
    return x if len(batch) == 1 else x.reshape(math.prod(batch), *tail)

"""Bands: a large image is worked on some rows at a time, so that what is made on the way is small and stays in the cache."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from augfn.run.mode import is_plain, untracked

BAND = 1 << 19  # pixels of a plane: for what needs much on the way
CACHED = 1 << 18  # numbers for each thread: for what is bound by memory
MANY = 8  # from so many times as much: below, the calls cost more than is won
LARGER = 4  # times as many for one call of a library's kernel, and only of what malloc gives back to the system (32 MB)


def in_bands(f: Callable[[Tensor], Tensor], x: Tensor, halo: int = 0) -> Tensor:
    """`f(x)`, where f takes rows `[..., h + halo, w]` to rows `[..., h, *]`. Not under autograd, which keeps all of it."""
    step = max(1, BAND // max(1, x.shape[-1]))
    return banded(f, (x,), step, halo=halo) if untracked(x) else f(x)


def by_points(f: Callable[..., Tensor], x: Tensor, *more: Tensor) -> Tensor:
    """`f(x, *more)`, where f makes every pixel of `[..., h, w]` from that pixel alone."""
    step = cached_rows(x.shape[-2], x.shape, x, *more)
    return banded(f, (x, *more), step)


def cached_rows(rows: int, shape: Sequence[int], *held: Tensor, kernel: bool = False) -> int | None:
    """How many of the rows of an array of this shape are made at a time; None for all at once."""
    if torch.compiler.is_compiling():
        return None
    numbers, limit = math.prod(shape), CACHED * (LARGER if kernel else 1)
    large = numbers >= MANY * limit and untracked(*held)
    return max(1, rows * limit * torch.get_num_threads() // numbers) if large else None


def cached_planes(size: Sequence[int], *held: Tensor) -> int | None:
    """The same of a volume's planes, whose coordinates take three times as much as what is read."""
    if torch.compiler.is_compiling() or not untracked(*held):
        return None
    return max(1, BAND // 2 // max(1, math.prod(size[1:])))


def banded(
    f: Callable[..., Tensor], xs: tuple[Tensor, ...], step: int | None, out: Tensor | None = None, halo: int = 0
) -> Tensor:
    """`f(*xs)`, so many rows at a time; None: all at once. `out`: what it is written to, which f may do itself."""
    if step is None:
        return f(*xs)
    h = xs[0].shape[-2] - halo
    return joined(lambda r: f(*[x[..., r.start : r.stop + halo, :] for x in xs]), h, step, -2, out)


def joined(f: Callable[[slice], Tensor], n: int, step: int | None, axis: int, out: Tensor | None = None) -> Tensor:
    """The places 0 to n of an axis, which `f(slice)` makes `step` at a time; None: all at once."""
    if step is None or step >= n:
        return f(slice(0, n))
    cuts = [slice(i, min(i + step, n)) for i in range(0, n, step)]
    first = f(cuts[0])
    if not is_plain(first) or first.requires_grad:
        return torch.cat([first, *map(f, cuts[1:])], axis)
    if out is None:
        out = first.new_empty([n if i == first.ndim + axis else size for i, size in enumerate(first.shape)])
    for cut in cuts:
        place, piece = out.narrow(axis, cut.start, cut.stop - cut.start), first if cut.start == 0 else f(cut)
        if place.data_ptr() != piece.data_ptr():
            place.copy_(piece)
    return out

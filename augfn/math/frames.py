"""Frames: windows that are cut out, borders that are added, sizes that change, in two dimensions and in three.

Positions and corners are in the order (x, y[, z]), sizes in the order ([d,] h, w).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.math.lines import gather
from augfn.math.maps import Gather, Map
from augfn.math.resample import Sampling, fill_like, source
from augfn.run.constants import cached, constant
from augfn.run.twins import twin

Size = tuple[int, ...]


def room_in(frame: Size, size: Size, like: Tensor) -> Tensor:
    """By how many pixels the frame exceeds the size along (x, y[, z])."""
    return constant(tuple(float(n - m) for n, m in zip(reversed(frame), reversed(size), strict=True)), like)


def whole(position: Tensor, room: Tensor) -> Tensor:
    """One of the `room + 1` whole places."""
    return torch.minimum(torch.floor(position.detach() * (room + 1)), room).clamp(min=0)


def window_map(scale: Tensor, offset: Tensor, size: Size, **known: Any) -> Map:
    """Centred output coordinates u to scale u + offset, both `[*b, d]`, x first."""
    return Map.linear(torch.diag_embed(scale), offset, size=size, axis_aligned=True, **known)


def copied_window(frame: Size, size: Size, corner: Tensor) -> Map:
    """The window of whole pixels at `corner [*b, d]`."""
    shift = corner - room_in(frame, size, corner) / 2
    return window_map(torch.ones_like(shift), shift, size, gather=Gather(partial(cut, size=size), corner), whole=True)


def fixed_window(frame: Size, size: Size, start: tuple[int, ...]) -> Map:
    """The window of all samples that starts at `start` (along the array's axes)."""
    shift = tuple(s + (m - n) / 2 for s, n, m in zip(start, frame, size, strict=True))

    def move(x: Tensor, *_: Any) -> Tensor:
        for axis, (s, m) in enumerate(zip(start, size, strict=True), -len(size)):
            x = x.narrow(axis, s, m)
        return x.clone()

    matrix = fixed_matrix((1.0,) * len(size), shift)
    return Map.of(matrix, size=size, gather=Gather(move), axis_aligned=True, whole=True)


def fixed_matrix(scale: tuple[float, ...], shift: tuple[float, ...]) -> Tensor:
    """That of u to scale u + shift, both along the array's axes."""
    return cached(make_window, tuple(reversed(scale)), tuple(reversed(shift)))


def make_window(scale: tuple[float, ...], shift: tuple[float, ...]) -> Tensor:
    matrix = torch.diag(torch.tensor((*scale, 1.0)))
    matrix[:-1, -1] = torch.tensor(shift)
    return matrix


def cut(x: Tensor, how: Sampling, corner: Tensor, *, size: Size) -> Tensor:
    """The window at `corner [*b, d]` of `x [*b, k, *frame]`."""
    return runs(x, corner.long().to(x.device), size)


def gathered(x: Tensor, corner: Tensor, size: Size) -> Tensor:
    d = len(size)
    for axis, m in enumerate(size, -d):
        x = gather(x, corner[..., -axis - 1, None] + torch.arange(m, device=x.device), axis)
    return x


@twin(gathered)
def runs(x: Tensor, corner: Tensor, size: Size) -> Tensor:
    """The same by copying runs of w pixels, five times as fast; but its gradient would be as large as all windows."""
    d, frame = len(size), x.shape[-len(size) :]
    lead = x.shape[:-d]
    start = torch.arange(lead.numel(), device=x.device).reshape(*lead, *[1] * (d - 1))
    for axis, (n, m) in enumerate(zip(frame[:-1], size[:-1], strict=True)):
        first = corner[..., d - 1 - axis].reshape(*corner.shape[:-1], *[1] * (x.ndim - corner.ndim))
        places = torch.arange(m, device=x.device).reshape(-1, *[1] * (d - 2 - axis))
        start = start * n + first + places
    left = corner[..., 0].reshape(*corner.shape[:-1], *[1] * (x.ndim - corner.ndim))
    start = start * frame[-1] + left
    found = x.reshape(-1).unfold(0, size[-1], 1).index_select(0, start.flatten()) if x.numel() else x
    return found.reshape(*lead, *size)


def resized(frame: Size, target: Size) -> Map:
    """The whole frame at another size."""
    matrix = fixed_matrix(tuple(n / m for n, m in zip(frame, target, strict=True)), (0.0,) * len(frame))
    return Map.of(matrix, size=target, axis_aligned=True, resize=True)


def padded(frame: Size, before: Size, after: Size) -> Map:
    """The frame with so many pixels more before and after it, along the array's axes."""
    shift = tuple((b - a) / 2 for a, b in zip(before, after, strict=True))
    size = tuple(n + a + b for n, a, b in zip(frame, before, after, strict=True))
    put = Gather(partial(pad_pixels, before=before, after=after))
    return Map.of(fixed_matrix((1.0,) * len(frame), shift), size=size, gather=put, flush=True, whole=True)


def pad_pixels(x: Tensor, how: Sampling, _: None, *, before: Size, after: Size) -> Tensor:
    d = len(before)
    if how.level is not None:
        ends = [n for pair in zip(reversed(before), reversed(after), strict=True) for n in pair]
        return F.pad(x, ends, value=how.level)
    seen = []
    for axis, (a, b) in enumerate(zip(before, after, strict=True), -d):
        n = x.shape[axis]
        index, inside = source(torch.arange(-a, n + b, device=x.device), n, how.padding)
        x = x.index_select(axis, index)
        seen.append(inside)
    return filled(x, seen, how)


def put_on_canvas(x: Tensor, how: Sampling, corner: Tensor, *, size: Size) -> Tensor:
    """`x [*b, k, *frame]` on a larger frame of this size, its first pixel at `corner [*b, d]`."""
    d = len(size)
    if how.level is not None:
        around = [n - m for n, m in zip(size, x.shape[-d:], strict=True)]
        wide = F.pad(x, [a for a in reversed(around) for _ in range(2)], value=how.level)
        return cut(wide, how, constant(tuple(map(float, reversed(around))), corner) - corner, size=size)
    seen = []
    for axis in range(-d, 0):
        places = torch.arange(size[axis], device=x.device) - corner[..., -axis - 1, None].long().to(x.device)
        index, inside = source(places, x.shape[axis], how.padding)
        x = gather(x, index, axis)
        seen.append(inside)
    return filled(x, seen, how)


def filled(x: Tensor, seen: list[Tensor], how: Sampling) -> Tensor:
    """What lies inside along all axes (`seen [*b, n]` of each), and the fill elsewhere, where there is one."""
    if how.padding not in (None, "zeros"):
        return x
    d = len(seen)
    inside = torch.ones((), dtype=torch.bool, device=x.device)
    for i, here in enumerate(seen):
        inside = inside & here.reshape(*here.shape[:-1], *[1] * i, -1, *[1] * (d - 1 - i))
    return torch.where(inside.unsqueeze(-d - 1), x, fill_like(x, how.fill or 0.0, d))

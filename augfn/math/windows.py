"""Windows: whole pixels of an image copied to another place, for each sample its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from augfn.math.lines import gather
from augfn.run.twins import twin

Size = tuple[int, ...]


def placed(x: Tensor, size: Size, corner: Tensor) -> Tensor:
    """`x [*b, ..., H, W]` in a frame of this size, its first pixel at `corner [*b, 2]` (left, top), repeated outside of it."""
    for axis, i in ((-2, 1), (-1, 0)):
        place = torch.arange(size[axis], device=x.device) - corner[..., i, None].long().to(x.device)
        x = gather(x, place.clamp(0, x.shape[axis] - 1), axis)
    return x


def lines_of(spans: Tensor, size: Size) -> list[Tensor]:
    """For each axis True from the start to the end of its span `[*b, d, 2]`, `[*b, n]`."""
    found = []
    for i, n in enumerate(size):
        at, (start, end) = torch.arange(n, device=spans.device), spans[..., i, :].split(1, -1)
        found.append((at >= start) & (at < end))
    return found


def rectangle(spans: Tensor, size: Size) -> Tensor:
    """True in the frame `[*b, *size]` within the spans of rows and columns."""
    rows, columns = lines_of(spans, size)
    return rows[..., None] & columns[..., None, :]


def put_in_place(x: Tensor, around: Tensor, corner: Tensor, size: Size) -> Tensor:
    """`x [*b, k, H, W]` in a frame of this size, with `around` (which expands to it) where it is not."""
    here = rectangle(spans_of(tuple(x.shape[-2:]), size, corner.to(x.device)), size).unsqueeze(-3)
    return torch.where(here, placed(x, size, corner), around)


def is_list(x: Tensor, around: Tensor, corner: Tensor, size: Size) -> bool:
    return corner.ndim == 2


@twin(put_in_place, fits=is_list)
def put_each(x: Tensor, around: Tensor, corner: Tensor, size: Size) -> Tensor:
    """The same, sample by sample: what is written is written once."""
    out = around.expand(*x.shape[:-2], *size).contiguous()
    if out.data_ptr() == around.data_ptr():
        out = out.clone()
    for i, to, of in places(corner, spans_of(tuple(x.shape[-2:]), size, corner)):
        out[i][to] = x[i][of]
    return out


def spans_of(source: Size, size: Size, corner: Tensor) -> Tensor:
    """Start and end of the rows and of the columns `[*b, 2, 2]` that an image covers in a frame."""
    first, room = corner.flip(-1), torch.tensor(source, dtype=corner.dtype, device=corner.device)
    limit = torch.tensor(size, dtype=corner.dtype, device=corner.device)
    return torch.stack([first.clamp(min=0), torch.minimum(first + room, limit)], -1)


Window = tuple[Any, ...]


def places(corner: Tensor | None, spans: Tensor) -> Iterator[tuple[int, Window, Window]]:
    """For each sample that has such its number, its window in the frame, and the same in the image that lies at the corner."""
    lefts = [(0, 0)] * len(spans) if corner is None else corner.long().tolist()
    for i, ((rows, columns), (left, top)) in enumerate(zip(spans.long().tolist(), lefts, strict=True)):
        if rows[0] < rows[1] and columns[0] < columns[1]:
            to = (..., slice(*rows), slice(*columns))
            yield i, to, (..., slice(rows[0] - top, rows[1] - top), slice(columns[0] - left, columns[1] - left))

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


def outer(lines: list[Tensor]) -> Tensor:
    """The product of a line `[*b, n]` of each axis, slowest first, over the frame `[*b, *size]`.

    >>> outer([torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])])
    tensor([[3., 4.],
            [6., 8.]])
    """
    *others, out = lines
    for k, line in enumerate(reversed(others), 1):
        out = line[(..., *(None,) * k)] * out.unsqueeze(-k - 1)
    return out


def summed(lines: list[Tensor]) -> Tensor:
    """The sum of k such products, of lines `[*b, k, n]`, over the frame `[*b, *size]`.

    >>> summed([torch.eye(2), torch.eye(2)])
    tensor([[1., 0.],
            [0., 1.]])
    """
    *others, last = lines
    slow = outer(others)
    found = slow.flatten(-len(others)).mT @ last
    return found if len(others) == 1 else found.unflatten(-2, slow.shape[-len(others) :])


def rectangle(spans: Tensor, size: Size) -> Tensor:
    """True in the frame `[*b, *size]` within the spans `[*b, d, 2]` of rows and columns (and of slices before them)."""
    return outer(lines_of(spans, size))


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
    """Start and end of the rows and of the columns `[*b, d, 2]` that an image covers in a frame."""
    first, room = corner.flip(-1), torch.tensor(source, dtype=corner.dtype, device=corner.device)
    limit = torch.tensor(size, dtype=corner.dtype, device=corner.device)
    return torch.stack([first.clamp(min=0), torch.minimum(first + room, limit)], -1)


Window = tuple[Any, ...]


def places(corner: Tensor | None, spans: Tensor) -> Iterator[tuple[int, Window, Window]]:
    """For each sample that has such its number, its window in the frame, and the same in the image that lies at the corner."""
    firsts = [(0,) * spans.shape[-2]] * len(spans) if corner is None else corner.long().flip(-1).tolist()
    for i, (ends, first) in enumerate(zip(spans.long().tolist(), firsts, strict=True)):
        if all(start < end for start, end in ends):
            to = [slice(start, end) for start, end in ends]
            of = [slice(start - n, end - n) for (start, end), n in zip(ends, first, strict=True)]
            yield i, (..., *to), (..., *of)

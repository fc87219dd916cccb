"""The median of a neighbourhood, by min and max of whole images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product

import torch
from torch import Tensor

from augfn.math.conv import padded, padded3d
from augfn.run.bands import in_bands, joined
from augfn.run.twins import remembered, twin

Steps = tuple[tuple[int, int, bool, bool], ...]  # two wires, and whether each is needed after
Network = tuple[Steps, tuple[int, ...]]
Sizes = tuple[int, int, int]
LARGEST = 49  # pixels: beyond, a network is longer than torch's own median takes
LARGEST3D = 125  # voxels: the same in a volume, where more is shared by neighbours
SLAB = 1 << 16  # voxels that are worked on at a time


def median(x: Tensor, rows: int, columns: int, padding_mode: str = "reflect") -> Tensor:
    """Median over `rows x columns` pixels of the last two axes, both odd. Raises: ValueError for an even size.

    >>> median(torch.tensor([[[0.0, 3.0, 1.0, 2.0, 0.0]]]), 1, 3)
    tensor([[[3., 1., 2., 1., 2.]]])
    """
    if not x.numel():
        return x
    h, w = x.shape[-2:]
    wide = padded(x.reshape(-1, h, w), rows, columns, padding_mode)
    return in_bands(lambda band: middle(band, rows, columns), wide, rows - 1).reshape(x.shape)


def middle(x: Tensor, rows: int, columns: int) -> Tensor:
    """The median of every window of `x [n, H, W]` that lies inside."""
    if (rows, columns) == (3, 3):
        return median_of_nine(x)
    if rows * columns <= LARGEST and not x.requires_grad:  # its gradient would keep every step
        return median_by_network(x, rows, columns)
    h, w = x.shape[-2] - rows + 1, x.shape[-1] - columns + 1
    shifts = [x[..., i : i + h, j : j + w] for i in range(rows) for j in range(columns)]
    return torch.stack(shifts, -1).median(-1).values


def median_of_nine(x: Tensor) -> Tensor:
    """Columns of three are sorted once and shared by their neighbours; then the median of all nine is that of the
    largest low, the middle of the middles, and the smallest high. Source: Devillard 1998."""
    h, w = x.shape[-2] - 2, x.shape[-1] - 2
    a, b, c = (x[..., i : i + h, :] for i in range(3))
    least, most = torch.minimum(a, b), torch.maximum(a, b)
    low, high = torch.minimum(least, c), torch.maximum(most, c)
    middle = torch.maximum(least, torch.minimum(most, c))
    lows, middles, highs = ([t[..., j : j + w] for j in range(3)] for t in (low, middle, high))
    floor = torch.maximum(torch.maximum(lows[0], lows[1]), lows[2])
    ceiling = torch.minimum(torch.minimum(highs[0], highs[1]), highs[2])
    return middle_of(floor, middle_of(*middles), ceiling)


def middle_of(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))


def median_by_network(x: Tensor, rows: int, columns: int) -> Tensor:
    """Sort the columns, shared by all neighbours, then merge them as far as the middle needs it."""
    h, w = x.shape[-2] - rows + 1, x.shape[-1] - columns + 1
    steps, ends = network(1, rows, tuple(range(rows)))
    column = run(steps, [x[..., i : i + h, :] for i in range(rows)])
    column = [column[end] for end in ends]
    steps, (end,) = network(rows, columns, (rows * columns // 2,))
    return run(steps, [t[..., j : j + w] for j in range(columns) for t in column])[end]


def median3d(x: Tensor, sizes: Sizes, padding_mode: str = "reflect") -> Tensor:
    """Median over boxes of `sizes` voxels, all odd, of the last three axes. Raises: ValueError for an even size.

    >>> median3d(torch.tensor([[[[0.0, 3.0, 1.0, 2.0, 0.0]]]]), (1, 1, 3))
    tensor([[[[3., 1., 2., 1., 2.]]]])
    """
    if not x.numel():
        return x
    wide = padded3d(x.reshape(-1, *x.shape[-3:]), sizes, padding_mode)
    return middles_by_slabs(wide, sizes).reshape(x.shape)


def middles(x: Tensor, sizes: Sizes) -> Tensor:
    """The median of every box of `x [n, D, H, W]` that lies inside."""
    size = [n - k + 1 for n, k in zip(x.shape[-3:], sizes, strict=True)]
    if math.prod(sizes) > LARGEST3D or x.requires_grad:
        places = product(*map(range, sizes))
        shifts = [x[(..., *(slice(i, i + n) for i, n in zip(place, size, strict=True)))] for place in places]
        return torch.stack(shifts, -1).median(-1).values
    wires, lists = [x], 1
    for axis, n, k in zip((-3, -2, -1), size, sizes, strict=True):
        merged = k * lists
        wanted = tuple(range(merged)) if axis < -1 else (merged // 2,)
        steps, ends = network(lists, k, wanted)
        wires = run(steps, [wire.narrow(axis, i, n) for i in range(k) for wire in wires])
        wires, lists = [wires[end] for end in ends], merged
    return wires[0]


@twin(middles)
def middles_by_slabs(x: Tensor, sizes: Sizes) -> Tensor:
    """The same, some slices at a time, so that the wires stay in the cache."""
    depth = x.shape[-3] - sizes[0] + 1
    step = max(1, SLAB // (x.numel() // x.shape[-3]))
    return joined(lambda r: middles(x[:, r.start : r.stop + sizes[0] - 1], sizes), depth, step, -3)


def run(steps: Steps, wires: list[Tensor]) -> list[Tensor]:
    """The smaller value goes to the first wire of each step, the larger to the second; what nobody needs is left out."""
    for i, j, low, high in steps:
        a, b = wires[i], wires[j]
        wires[i], wires[j] = torch.minimum(a, b) if low else a, torch.maximum(a, b) if high else b
    return wires


@remembered
def network(length: int, lists: int, wanted: tuple[int, ...]) -> Network:
    """The steps that bring `lists` sorted lists of `length` values to the `wanted` ranks, and the wires of those.

    Source: Batcher's odd-even merge sort (1968), lists filled up with infinities, and pruned.
    """
    side, count = (1 << (n - 1).bit_length() for n in (length, lists))
    places = [c * length + r if r < length and c < lists else None for c in range(count) for r in range(side)]
    steps = []
    for i, j in merges(0, side * count, side):
        if places[j] is None:
            continue
        if places[i] is None:
            places[i], places[j] = places[j], None
        else:
            steps.append((places[i], places[j]))
    ends = tuple(places[rank] for rank in wanted)
    needed, kept = set(ends), []
    for i, j in reversed(steps):
        if i in needed or j in needed:
            kept.append((i, j, i in needed, j in needed))
            needed |= {i, j}
    return tuple(reversed(kept)), ends  # type: ignore[return-value]


def merges(start: int, length: int, base: int) -> Iterator[tuple[int, int]]:
    """The comparisons that sort `length` wires whose runs of `base` are sorted, both powers of two."""
    if length > base:
        yield from merges(start, length // 2, base)
        yield from merges(start + length // 2, length // 2, base)
        yield from merge(start, length, 1)


def merge(start: int, length: int, stride: int) -> Iterator[tuple[int, int]]:
    step = 2 * stride
    if step >= length:
        yield start, start + stride
        return
    yield from merge(start, length, step)
    yield from merge(start + stride, length, step)
    yield from ((i, i + stride) for i in range(start + stride, start + length - stride, step))

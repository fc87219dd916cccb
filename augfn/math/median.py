"""The median of a neighbourhood, by min and max of whole images."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from augfn.math.conv import padded
from augfn.run.bands import in_bands
from augfn.run.twins import remembered

Steps = tuple[tuple[int, int, bool, bool], ...]  # two wires, and whether each is needed after
Network = tuple[Steps, tuple[int, ...]]
LARGEST = 49  # pixels: beyond, a network is longer than torch's own median takes


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

"""Tone: histograms and look-up tables of 256 levels, posterization, tone curves, ordered dithering.

Images are `[..., H, W]` with values meant to lie in [0, 1]; the level of a value is floor(255 x), held in 0 to 255.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from augfn.math.steps import rounded, stepped
from augfn.run.constants import constant
from augfn.run.twins import twin

LEVELS = 256
EXACT = 2.0**80  # exact from 1e-17 to 1e14


def posterize(x: Tensor, bits: Tensor, grad: str = "none") -> Tensor:
    """Keep the highest `bits` of the 8 of a level: `y = floor(255 x / s) s / 255`, `s = 2^(8 - bits)`; x at 8 bits.

    `bits` broadcasts against x and is rounded to a whole number. Source: torchvision `posterize`.

    >>> posterize(torch.tensor([0.2, 0.4, 0.8]), torch.tensor(1.0)) * 255
    tensor([  0.,   0., 128.])
    """
    return rounded(lambda n: stepped_levels(x, torch.exp2(8 - n), grad), bits, 0, 8, grad)


def levels(x: Tensor, step: Tensor, grad: str) -> Tensor:
    """Levels that are `step` of 255 apart, and x itself for a step of 1."""
    scale = 255 / step
    scaled = x * scale
    out = stepped(scaled.floor(), scaled, lambda: stairs(scaled), grad) / scale
    return torch.lerp(out, x, (step == 1).to(x.dtype))  # exact for weights of 0 and 1, and faster than torch.where


@twin(levels, fits=lambda x, step, grad: grad == "none")
def stepped_levels(x: Tensor, step: Tensor, grad: str) -> Tensor:
    """The same in place; at a step of 1 by a scale so large that floats are whole."""
    scale = (255 / step).masked_fill_(step == 1, EXACT)
    return (x * scale).floor_().div_(scale)


def stairs(u: Tensor) -> Tensor:
    """A smooth `floor`, steepest at the jumps: `u - 1/2 + sin(2 pi u) / (2 pi)`."""
    return u - 0.5 + torch.sin(u * (2 * math.pi)) / (2 * math.pi)


def autocontrast(x: Tensor) -> Tensor:
    """Stretch channels `[..., n]` to [0, 1]: `y = (x - min) / (max - min)`; one of a single value stays as it is.

    Source: torchvision `autocontrast`.
    """
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    flat = low == high
    return (x - low.masked_fill(flat, 0)) / (high - low).masked_fill(flat, 1)


def equalize(x: Tensor, grad: str = "none") -> Tensor:
    """Make the histogram of every channel `[..., n]` uniform, by PIL's table

        y = floor((below[k] + floor(s / 2)) / s) / 255,    s = floor((n - last) / 255),    k = floor(255 x)

    with `below` the number of pixels of a lower level and `last` that of the highest level that occurs. A channel with
    s = 0 stays as it is. The gradient of "soft" is that of `soft_equalize`. Source: PIL, torchvision `equalize`.
    """
    index = level(x.detach())
    counts = histogram(index, LEVELS)
    upto = counts.cumsum(-1)
    last = counts.gather(-1, upto.argmax(-1, keepdim=True))
    step = torch.div(x.shape[-1] - last, 255, rounding_mode="floor")
    whole = step.clamp(min=1)
    table = torch.div(upto - counts + step // 2, whole, rounding_mode="floor").clamp(0, 255)
    value = (table.to(x.dtype) / 255).gather(-1, index)
    out = stepped(value, x, lambda: soft_equalize(x, 1 / (255.0 * whole)), grad)
    return torch.lerp(out, x, (step == 0).to(x.dtype))


def soft_equalize(x: Tensor, scale: Tensor) -> Tensor:
    """The number of pixels `[..., n]` below each, times `scale`: with a histogram that shares a pixel between its two
    nearest levels and a table that is read between them, so that it has a slope everywhere."""
    index, share = split_level(x)
    counts = soft_histogram(index, share, LEVELS)
    table = counts.cumsum(-1) - counts
    return torch.lerp(table.gather(-1, index), table.gather(-1, index + 1), share) * scale.to(x.dtype)


def level(x: Tensor) -> Tensor:
    """The whole number floor(255 x), held in 0 to 255."""
    return (x * 255).long().clamp(0, LEVELS - 1)


def split_level(x: Tensor) -> tuple[Tensor, Tensor]:
    """Level, at most 254, and the differentiable way to the next, in 0 to 1."""
    scaled = x * 255
    index = scaled.detach().long().clamp(0, LEVELS - 2)
    return index, (scaled - index).clamp(0, 1)


def histogram(index: Tensor, bins: int) -> Tensor:
    """How often each of `bins` numbers occurs along the last axis: `[..., n]` -> `[..., bins]`.

    >>> histogram(torch.tensor([0, 2, 2]), 4)
    tensor([1, 0, 2, 0])
    """
    zeros = index.new_zeros(1).expand(index.shape[:-1] + (bins,))
    return zeros.scatter_add(-1, index, torch.ones_like(index))


def soft_histogram(index: Tensor, share: Tensor, bins: int) -> Tensor:
    """A histogram where a pixel gives `share` to the next bin and the rest to its own."""
    zeros = share.new_zeros(1).expand(index.shape[:-1] + (bins,))
    return zeros.scatter_add(-1, index, 1 - share).scatter_add(-1, index + 1, share)


class Tiling(NamedTuple):
    """One axis cut into tiles of a width: which pixel fills each place of the tiles, and the tile of each place; for every pixel
    the two tiles whose middles it lies between, and the weight of the second."""

    width: int
    source: Tensor
    tile: Tensor
    before: Tensor
    after: Tensor
    weight: Tensor


def tiling(size: int, tiles: int, like: Tensor) -> Tiling:
    """Tiles of ceil(size / tiles) pixels; the last ones are filled by reflection."""
    width = -(-size // tiles)
    place = torch.arange(width * tiles, device=like.device)
    middle = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / width - 0.5
    inner = middle.clamp(0, tiles - 1)
    before = inner.floor()
    after = (before + 1).clamp(max=tiles - 1)
    source = (size - 1) - (place - (size - 1)).abs()
    return Tiling(width, source, place // width, before.long(), after.long(), inner - before)


def clahe(x: Tensor, limit: Tensor, grid: tuple[int, int], grad: str = "none") -> Tensor:
    """Contrast limited adaptive histogram equalization of planes `[..., H, W]`; `limit` broadcasts to `[..., 1, 1]`.

    The plane is cut into `grid` tiles of ceil(H / rows) x ceil(W / columns) pixels, at least one pixel each. A tile's
    table is its cumulative histogram, whose counts over `floor(limit * pixels / 256)` are shared out among all levels;
    a pixel reads the tables of the four nearest tiles, blended bilinearly. No limit for `limit` <= 0. The gradient of
    "soft" is that of `soft_clahe`. Source: Zuiderveld 1994, as in OpenCV and kornia.
    """
    tiles = min(grid[0], x.shape[-2]), min(grid[1], x.shape[-1])
    axes = tuple(tiling(size, n, x) for size, n in zip(x.shape[-2:], tiles, strict=True))
    index = level(x.detach())
    counts = histogram(in_tiles(index, *axes), math.prod(tiles) * LEVELS)
    pixels = axes[0].width * axes[1].width
    spread = limited(counts.unflatten(-1, (-1, LEVELS)).to(x.dtype), limit.detach(), pixels)
    table = (spread.cumsum(-1) * (255 / pixels)).clamp(0, 255).round()
    value = read(table, index, *axes) / 255
    return stepped(value, x, lambda: soft_clahe(x, limit, pixels, *axes), grad)


def soft_clahe(x: Tensor, limit: Tensor, pixels: int, rows: Tiling, columns: Tiling) -> Tensor:
    """`clahe` without steps: pixels shared between levels, a real limit, and tables that are read between levels."""
    index, share = split_level(x)
    place, part = in_tiles(index, rows, columns), filled(share, rows, columns).flatten(-2)
    bins = place.shape[-1] // pixels * LEVELS
    counts = soft_histogram(place, part, bins).unflatten(-1, (-1, LEVELS))
    over = (counts - torch.where(limit > 0, limit * (pixels / LEVELS), pixels)).relu()
    table = (counts - over + over.sum(-1, keepdim=True) / LEVELS).cumsum(-1) / pixels
    return torch.lerp(read(table, index, rows, columns), read(table, index + 1, rows, columns), share)


def limited(counts: Tensor, limit: Tensor, pixels: int) -> Tensor:
    """Histograms `[..., 256]` of as many pixels, cut off at a bound; what is over goes to all levels in whole counts,
    the rest of it to levels at equal distances."""
    bound = (limit * pixels / LEVELS).floor().clamp(min=1)
    kept = torch.minimum(counts, torch.where(limit > 0, bound, pixels).to(counts.dtype))
    over = pixels - kept.sum(-1, keepdim=True)
    rest = over.remainder(LEVELS)
    bins = constant(tuple(map(float, range(LEVELS))), counts)
    every = (LEVELS / rest.clamp(min=1)).floor()
    return kept + (over - rest) / LEVELS + ((bins.remainder(every) == 0) & ((bins / every).floor() < rest))


def filled(x: Tensor, rows: Tiling, columns: Tiling) -> Tensor:
    """The plane extended to whole tiles."""
    for axis, tiles in ((-2, rows), (-1, columns)):
        x = x if tiles.source.numel() == x.shape[axis] else x.index_select(axis, tiles.source)
    return x


def in_tiles(index: Tensor, rows: Tiling, columns: Tiling) -> Tensor:
    """The bin of every pixel, in tiles that lie one after the other: `[..., H, W]` -> `[..., n]`."""
    return (filled(index, rows, columns) + bins_of(rows.tile, columns.tile, columns)).flatten(-2)


def bins_of(row: Tensor, column: Tensor, columns: Tiling) -> Tensor:
    """The first bin of tiles: their rows `[H]` and columns `[W]` -> `[H, W]`."""
    across = columns.tile.numel() // columns.width
    return (row.unsqueeze(-1) * across + column) * LEVELS


def read(table: Tensor, index: Tensor, rows: Tiling, columns: Tiling) -> Tensor:
    """Tables `[..., tiles, 256]` at levels `[..., H, W]`, blended between the four nearest tiles."""
    flat = table.flatten(-2)

    def at(row: Tensor, column: Tensor) -> Tensor:
        return flat.gather(-1, (index + bins_of(row, column, columns)).flatten(-2)).reshape(index.shape)

    upper, lower = (
        torch.lerp(at(row, columns.before), at(row, columns.after), columns.weight.expand(index.shape))
        for row in (rows.before, rows.after)
    )
    return torch.lerp(upper, lower, rows.weight.unsqueeze(-1).expand(index.shape))


def tone_curve(x: Tensor, shadows: Tensor, highlights: Tensor) -> Tensor:
    """The cubic Bezier curve through (0, 0) and (1, 1) with control points at these heights over 1/3 and 2/3:
    `y = 3 (1 - x)^2 x shadows + 3 (1 - x) x^2 highlights + x^3`, written as a distance from y = x.

    Neutral at 1/3 and 2/3. Source: albumentations `RandomToneCurve`.
    """
    bend = (3 * x * (1 - x)) * torch.lerp((shadows - 1 / 3).expand(x.shape), (highlights - 2 / 3).expand(x.shape), x)
    return x + bend


def bayer(size: int) -> tuple[tuple[float, ...], ...]:
    """Thresholds of ordered dithering, in (0, 1), for a size that is a power of 2.

    >>> bayer(2)
    ((0.125, 0.625), (0.875, 0.375))
    """
    order = [[0]]
    while len(order) < size:
        top = [[4 * v for v in row] + [4 * v + 2 for v in row] for row in order]
        order = top + [[4 * v + 3 for v in row] + [4 * v + 1 for v in row] for row in order]
    return tuple(tuple((v + 0.5) / size**2 for v in row) for row in order)


def dither(x: Tensor, levels: Tensor, size: int, grad: str = "none") -> Tensor:
    """`levels` equidistant values, and a Bayer pattern between them: `y = floor((levels - 1) x + T) / (levels - 1)`.

    T repeats the thresholds of `bayer(size)`; `levels` broadcasts against x and is rounded. Source: Bayer 1973.
    """
    h, w = x.shape[-2:]
    pattern = constant(bayer(size), x).repeat(-(-h // size), -(-w // size))[:h, :w]

    def at(n: Tensor) -> Tensor:
        scaled = x * (n - 1) + pattern
        return stepped(scaled.floor(), scaled, lambda: stairs(scaled), grad) / (n - 1)

    return rounded(at, levels, 2, 256, grad)

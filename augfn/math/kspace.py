"""What a scanner does, as formulas: lines of k-space that are lost or taken from another pose, waves, ringing, smooth
fields, thick slices.

k-space is the spectrum of an image with the frequency 0 in its middle: of n lines across an axis, line j holds the
frequency j - n // 2, in periods per frame. Weights of whole lines of one axis act as one real matrix along that axis, and
a single point is one wave: neither takes a transform of the image. Images are `[*b, k, *spatial]`, an axis is counted
from the end.
"""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor

from augfn.math.lines import beside, gather
from augfn.math.shapes import shaped
from augfn.run.constants import cached

Size = tuple[int, ...]
SLACK = 1e-6  # relative: what lies on the surface of a ball is inside


# lines


def along(matrix: Tensor, x: Tensor, axis: int) -> Tensor:
    """The matrix `[*b, m, n]` along an axis of `x [*b, k, *spatial]`.

    >>> along(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), torch.tensor([[[1.0, 2.0]]]), -1)
    tensor([[[2., 3.]]])
    """
    lead, n = x.shape[: matrix.ndim - 2], x.shape[axis]
    between, inner = x.shape[len(lead) : axis], x.shape[axis:][1:]
    planes = x.reshape(*lead, math.prod(between), n, math.prod(inner))
    if inner:
        return (matrix.unsqueeze(-3) @ planes).reshape(*lead, *between, matrix.shape[-2], *inner)
    return (planes.squeeze(-1) @ matrix.transpose(-1, -2)).reshape(*lead, *between, matrix.shape[-2])


def line_filter(weights: Tensor) -> Tensor:
    """What weights `[*b, n]` of the lines do to a real image along their axis, real part: a circulant matrix `[*b, n, n]`.

    >>> line_filter(torch.tensor([0.0, 1.0]))
    tensor([[0.5000, 0.5000],
            [0.5000, 0.5000]])
    """
    n = weights.shape[-1]
    waves, distance = cached(make_waves, n, weights.dtype, weights.device)
    return (weights @ waves).index_select(-1, distance).unflatten(-1, (n, n))


def make_waves(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The wave of each line `[n, n]`, over n, and how far each pixel lies from each, around the frame, `[n n]`."""
    place = torch.arange(n)
    turns = (place - n // 2)[:, None] * place % n
    waves = torch.cos(turns.double() * (2 * math.pi / n)) / n
    return waves.to(device, dtype), ((place[:, None] - place) % n).flatten().to(device)


def comb(n: int, every: Tensor, restore: float | None) -> Tensor:
    """1 at the lines 0, every, 2 every, ... of n, and 0 at the others and at those in the middle: one of them, or
    `round(restore n)`; `[*b]` -> `[*b, n]`.

    >>> comb(7, torch.tensor(3.0), None)
    tensor([1., 0., 0., 0., 0., 0., 1.])
    """
    kept = 1 if restore is None else round(restore * n)
    first = n // 2 - kept // 2
    line = torch.arange(n, dtype=every.dtype, device=every.device)
    lost = line.remainder(every.unsqueeze(-1)) == 0
    return (lost & ((line < first) | (line >= first + kept))).to(every.dtype)


def after(n: int, time: Tensor) -> Tensor:
    """The share of each of n lines, which take 1/n of the time each, that is taken after a time: `[*b]` -> `[*b, n]`.

    >>> after(4, torch.tensor(0.375))
    tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    end = torch.arange(1, n + 1, dtype=time.dtype, device=time.device)
    return (end - n * time.unsqueeze(-1)).clamp(0, 1)


def in_time(n: int, times: Tensor) -> tuple[Tensor, Tensor]:
    """The shares of n lines that are taken before and after the pose in which the middle is, of three poses that change
    at two `times [*b, 2]`.

    One time after the middle: the two later poses; one on each side of it: the first and the last; both before: the
    first two.
    """
    early, late = times.sort(-1).values.unbind(-1)
    first, last = 1 - after(n, early), after(n, late)
    second = 1 - first - last
    return (
        torch.where((early.detach() <= 0.5).unsqueeze(-1), first, second),
        torch.where((late.detach() <= 0.5).unsqueeze(-1), second, last),
    )


# points


def with_wave(x: Tensor, size: Size, intensity: Tensor, position: Tensor) -> Tensor:
    """`x` plus `intensity [*b]` times the largest magnitude of its spectrum, at the index floor(position size) of k-space,
    `position [*b, d]` as (x, y[, z]): a wave for each channel, the real part of that one point.

    Source: TorchIO `Spike`.
    """
    if not x.numel():
        return x
    d, total = len(size), math.prod(size)
    largest = torch.fft.rfftn(x, dim=spatial(d)).abs().amax(spatial(d))
    turns = []
    for n, place in zip(reversed(size), position.detach().unbind(-1), strict=True):
        index = (place * n).floor().clamp(0, n - 1) - n // 2
        pixel = torch.arange(n, dtype=x.dtype, device=x.device)
        turns.append((index.unsqueeze(-1) * pixel).remainder(n) * (2 * math.pi / n))
    across, down = turns[0], turns[1]
    if d == 3:
        down = (turns[2].unsqueeze(-1) + down.unsqueeze(-2)).flatten(-2)
    rows = torch.stack([down.cos(), -down.sin()], -1).unsqueeze(-3)
    columns = torch.stack([across.cos(), across.sin()], -2).unsqueeze(-3)
    height = intensity.unsqueeze(-1) * largest / total
    return x + shaped((height[..., None, None] * rows) @ columns, x.shape)


def spatial(d: int) -> Size:
    return tuple(range(-d, 0))


# a ball


def radii(size: Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Distance from the frequency 0 in cycles per pixel, of a half spectrum: the last axis ends at 1/2."""
    return cached(make_radii, size, tuple(1 / n for n in size), dtype, device)


def make_radii(size: Size, step: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    axes = [torch.arange(n) for n in size]
    axes = [torch.minimum(axis, n - axis) for axis, n in zip(axes, size, strict=True)]
    axes[-1] = torch.arange(size[-1] // 2 + 1)
    total = torch.zeros((), dtype=torch.float64)
    for i, axis in enumerate(axes):
        total = total + (axis.double() * step[i]).square().reshape(-1, *[1] * (len(size) - 1 - i))
    return total.sqrt().to(device, dtype)


def masked_spectrum(x: Tensor, mask: Tensor, d: int) -> Tensor:
    """`x` with its half spectrum over d axes times a mask. (In two steps back, which is faster than `irfftn`.)"""
    if not x.numel():
        return x
    spectrum = torch.fft.rfftn(x, dim=spatial(d)) * mask
    return torch.fft.irfft(torch.fft.ifftn(spectrum, dim=spatial(d)[:-1]), n=x.shape[-1], dim=-1)


# smooth fields


def exponents(d: int, order: int) -> tuple[Size, ...]:
    """Exponents (x, y[, z]) of all monomials up to a total degree: by degree, then with the higher powers of x first, then
    of y.

    >>> exponents(2, 2)
    ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))
    """
    found = [e for e in product(range(order + 1), repeat=d) if sum(e) <= order]
    return tuple(sorted(found, key=lambda e: (sum(e), [-n for n in e])))


def make_basis(n: int, order: int, basis: str, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Powers, or Legendre polynomials, of n places from -1 to 1, `[n, order + 1]`."""
    t = torch.linspace(-1, 1, n, dtype=torch.float64) if n > 1 else torch.zeros(1, dtype=torch.float64)
    rows = [torch.ones_like(t), t]
    for k in range(1, order):
        rows.append(t * rows[k] if basis == "monomial" else ((2 * k + 1) * t * rows[k] - k * rows[k - 1]) / (k + 1))
    return torch.stack(rows[: order + 1], -1).to(device, dtype)


def make_places(d: int, order: int, device: torch.device) -> Tensor:
    """Where the coefficient of each cell of an `(order + 1)^d` array (z, y, x) stands among those of `exponents`; the one
    after the last where the degree is too high."""
    number = {e[::-1]: i for i, e in enumerate(exponents(d, order))}
    cells = product(range(order + 1), repeat=d)
    return torch.tensor([number.get(cell, len(number)) for cell in cells], device=device)


def polynomial(coefficients: Tensor, size: Size, order: int, basis: str = "monomial") -> Tensor:
    """The sum of coefficients times the polynomials of `exponents`, in coordinates from -1 to 1 at the outer pixels:
    `[*b, n]` -> `[*b, *size]`. Of more coefficients than there are, the first count.

    >>> polynomial(torch.tensor([1.0, 0.5, 0.0]), (1, 3), 1)
    tensor([[0.5000, 1.0000, 1.5000]])
    """
    d, count = len(size), len(exponents(len(size), order))
    given = torch.cat([coefficients[..., :count], torch.zeros_like(coefficients[..., :1])], -1)
    field = given.index_select(-1, cached(make_places, d, order, given.device)).unflatten(-1, (order + 1,) * d)
    for axis, n in zip(spatial(d), size, strict=True):
        field = along(cached(make_basis, n, order, basis, given.dtype, given.device), field, axis)
    return field


# thick slices


def thick(x: Tensor, count: Tensor, step: Tensor, axis: int, smooth: bool = True) -> Tensor:
    """An axis read at `count [*b]` places, `step [*b]` pixels apart and about its middle, each the nearest pixel (of two as
    near the second), and read back from them linearly, or without `smooth` from the nearest. Beyond the first and the last
    of them their value holds.

    >>> thick(torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0]]), torch.tensor(2.0), torch.tensor(2.0), -1)
    tensor([[1.0000, 1.0000, 2.0000, 3.0000, 3.0000]])
    """
    n, count, step = x.shape[axis], count.detach().unsqueeze(-1), step.unsqueeze(-1)
    middle, half = (n - 1) / 2, (count - 1) / 2
    place = (torch.arange(n, dtype=step.dtype, device=step.device) - middle) / step + half
    place = torch.minimum(place.clamp(min=0), count - 1)
    rounded = 0.5 + 4 * n * torch.finfo(step.dtype).eps

    def shown(coarse: Tensor) -> Tensor:
        source = (middle + (coarse - half) * step.detach() + rounded).floor()
        return gather(x, source.clamp(0, n - 1).long(), axis)

    if not smooth:
        return shown((place.detach() + rounded).floor())
    first = place.detach().floor()
    second = shown(torch.minimum(first + 1, count - 1))
    return torch.lerp(shown(first), second, beside(place - first, x, axis))


def magnitude(x: Tensor, std: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """sqrt((x + std first)^2 + (std second)^2), with a gradient of 0 where it is 0."""
    real, imaginary = torch.addcmul(x, std, first), std * second
    square = torch.addcmul(imaginary * imaginary, real, real)
    none = square == 0
    return square.masked_fill(none, 1).sqrt().masked_fill(none, 0)

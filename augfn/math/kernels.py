"""Dense kernels `[*b, k, k]`, normalised to sum 1: a streak (of volumes too, `[*b, k, k, k]`), a disk, an ideal low-pass."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from augfn.math.maps import axis_angle_matrix
from augfn.run.constants import cached


def offsets(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(x, y) of every tap from the middle of a kernel, `[2, size, size]`."""
    return cached(make_offsets, size, dtype, device)


def make_offsets(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    t = torch.arange(size, dtype=dtype, device=device) - (size - 1) / 2
    return torch.stack([t.expand(size, size), t[:, None].expand(size, size)])


def radii(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Distance of every tap from the middle, `[size, size]`."""
    return cached(make_radii, size, dtype, device)


def make_radii(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return make_offsets(size, dtype, device).square().sum(0).sqrt()


def places(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(x, y, z) of every tap from the middle of a cubic kernel, `[3, size^3]`."""
    return cached(make_places, size, dtype, device)


def make_places(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    t = torch.arange(size, dtype=dtype, device=device) - (size - 1) / 2
    return torch.stack(torch.meshgrid(t, t, t, indexing="ij")[::-1]).flatten(1)


def unit_sum(kernel: Tensor) -> Tensor:
    return kernel / kernel.sum((-2, -1), keepdim=True)


def motion_kernel(degrees: Tensor, direction: Tensor, length: Tensor, size: int) -> Tensor:
    """A streak of `length` pixels, turned counter-clockwise, its weight falling linearly from one end to the other.

    With s along and t across the streak, h = (length - 1) / 2: `k = (1 - direction clamp(s / h, -1, 1)) clamp(h + 1 -
    |s|, 0, 1) max(1 - |t|, 0)`. That is a row of `length` taps, turned bilinearly. Shapes: `[*b]` -> `[*b, size, size]`.

    >>> zero = torch.tensor(0.0)
    >>> motion_kernel(zero, zero, torch.tensor(3.0), 3)[1]
    tensor([0.3333, 0.3333, 0.3333])
    """
    x, y = offsets(size, degrees.dtype, degrees.device)
    angle = degrees[..., None, None] * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    along, across = x * cos - y * sin, x * sin + y * cos
    return unit_sum(streak(along, direction[..., None, None], length[..., None, None]) * hat(across))


def streak(along: Tensor, direction: Tensor, length: Tensor) -> Tensor:
    """The weight at a place along a streak."""
    half = (length - 1) / 2
    tilt = 1 - direction * (along / half.clamp(min=1e-3)).clamp(-1, 1)
    return tilt * (half + 1 - along.abs()).clamp(0, 1)


def hat(t: Tensor) -> Tensor:
    return (1 - t.abs()).clamp(min=0)


def motion_kernel3d(degrees: Tensor, direction: Tensor, length: Tensor, size: int) -> Tensor:
    """The same in a volume: a streak along x, turned by the axis-angle vector `degrees [*b, 3]` as `rotate3d` turns, with a
    hat in both directions across it. Shapes: `[*b]` -> `[*b, size, size, size]`.

    >>> zero = torch.tensor(0.0)
    >>> motion_kernel3d(torch.tensor([0.0, 90.0, 0.0]), zero, torch.tensor(3.0), 3)[:, 1, 1]
    tensor([0.3333, 0.3333, 0.3333])
    """
    turned = axis_angle_matrix(degrees) @ places(size, degrees.dtype, degrees.device)
    along, *across = turned.unbind(-2)
    kernel = streak(along, direction.unsqueeze(-1), length.unsqueeze(-1)) * hat(across[0]) * hat(across[1])
    return (kernel / kernel.sum(-1, keepdim=True)).unflatten(-1, (size, size, size))


def disk_kernel(radius: Tensor, size: int) -> Tensor:
    """A disk with an edge one pixel wide: `k = clamp(radius + 1/2 - r, 0, 1)`; the delta for a radius up to 1/2.

    Shapes: `[*b]` -> `[*b, size, size]`.

    >>> disk_kernel(torch.tensor(1.0), 3)[1]
    tensor([0.1496, 0.2991, 0.1496])
    """
    r = radii(size, radius.dtype, radius.device)
    return unit_sum((radius[..., None, None] + 0.5 - r).clamp(0, 1))


def lowpass_kernel(cutoff: Tensor, size: int) -> Tensor:
    """The ideal round low-pass, cut off at `size`: `k = J1(cutoff r) / (cutoff r)`, cutoff in radians per pixel.

    `J1(z) / z = 1 / pi times the integral of sqrt(1 - t^2) cos(z t) over [-1, 1]`, by Gauss-Chebyshev quadrature, which
    is exact to rounding once its nodes outnumber `z / 2` by a few. Shapes: `[*b]` -> `[*b, size, size]`.

    >>> lowpass_kernel(torch.tensor(1.5), 3)[1]
    tensor([0.1218, 0.1637, 0.1218])
    """
    nodes, weights = cached(chebyshev, 2 * size + 12, cutoff.dtype, cutoff.device)
    z = cutoff[..., None, None, None] * radii(size, cutoff.dtype, cutoff.device)
    return unit_sum(((z * nodes[:, None, None]).cos() * weights[:, None, None]).sum(-3))


def chebyshev(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Nodes and weights `[2, n / 2]` of the quadrature with weight sqrt(1 - t^2) over an even integrand; n even."""
    angle = torch.arange(1, n // 2 + 1, dtype=torch.float64) * (math.pi / (n + 1))
    return torch.stack([angle.cos(), angle.sin().square()]).to(device, dtype)

"""Fields over the frame: plasma fractals, a Gaussian spot of light, and what they do to an image.

Parameters broadcast against the image, `[..., 1, 1, 1]`; fields are `[..., 1 or C, H, W]`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.run.constants import cached


def diamond_square(u: Tensor, roughness: Tensor) -> Tensor:
    """A plasma fractal from uniform numbers `u [..., H, W]`, all in [0, 1].

    It starts from the corners of square cells, whose side is the smallest power of two >= min(H, W) - 1, and halves
    the grid until every pixel has a node: a new node is the mean of its neighbours (first the cells' centres, then
    their edges' middles) moved towards a number of `u` by the weight roughness^k at level k, 0 at the first. Every
    node takes the number at its own place; nodes beyond the frame, which only the coarse levels have, take that of
    the opposite side. Source: Fournier, Fussell and Carpenter 1982; with these weights tormentor and kornia
    `diamond_square`, which it equals for equal numbers.

    >>> diamond_square(torch.tensor([[0.0, 0.5, 0.4], [0.5, 0.5, 0.5], [0.8, 0.5, 0.8]]), torch.tensor(0.5))
    tensor([[0.0000, 0.3000, 0.4000],
            [0.4333, 0.5000, 0.5667],
            [0.8000, 0.7000, 0.8000]])
    """
    step, sizes = 1, [tuple(u.shape[-2:])]
    cells = [1 << (max(int(n), 3) - 2).bit_length() for n in sizes[0]]
    while step < min(cells):
        step *= 2
        sizes.append(tuple(min((n - 1) // 2 + 2, c // step + 1) for n, c in zip(sizes[-1], cells, strict=True)))
    grid = nodes(u, step, sizes.pop())
    for level, (rows, columns) in enumerate(reversed(sizes)):
        step //= 2
        fine = (2 * grid.shape[-2], 2 * grid.shape[-1])
        weight = roughness**level if level else torch.zeros_like(roughness)
        grid = refined(grid, nodes(u, step, fine), weight)[..., :rows, :columns]
    return grid


def nodes(u: Tensor, step: int, size: tuple[int, ...]) -> Tensor:
    """The numbers at the nodes of a grid of this step, continued around the frame."""
    for axis, n in zip((-2, -1), size, strict=True):
        u = u.index_select(axis, cached(make_places, n, step, u.shape[axis], u.device))
    return u


def make_places(n: int, step: int, period: int, device: torch.device) -> Tensor:
    return torch.arange(n, device=device) * step % period


def refined(grid: Tensor, u: Tensor, weight: Tensor) -> Tensor:
    """One level: the nodes twice as dense, `[..., h, w]` to `[..., 2 h, 2 w]`, of which the last row and column are void.

    A new node at the border has three neighbours, else four.
    """
    across, down = grid[..., :-1] + grid[..., 1:], grid[..., :-1, :] + grid[..., 1:, :]
    centre = torch.lerp((across[..., :-1, :] + across[..., 1:, :]) / 4, u[..., 1:-1:2, 1:-1:2], weight)
    centre = F.pad(centre, (1, 1, 1, 1))
    across = F.pad(across, (0, 1)) + centre[..., :-1, 1:] + centre[..., 1:, 1:]
    down = F.pad(down, (0, 0, 0, 1)) + centre[..., 1:, :-1] + centre[..., 1:, 1:]
    across = torch.lerp(across * shares(grid.shape[-2], u)[:, None], u[..., ::2, 1::2], weight)
    down = torch.lerp(down * shares(grid.shape[-1], u), u[..., 1::2, ::2], weight)
    four = torch.stack([grid, across, down, centre[..., 1:, 1:]], -1).unflatten(-1, (2, 2))
    return four.transpose(-3, -2).flatten(-4, -3).flatten(-2)


def shares(n: int, like: Tensor) -> Tensor:
    """One over the number of neighbours, along an axis of n nodes."""
    return cached(make_shares, n, like.dtype, like.device)


def make_shares(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor([1 / 3, *[1 / 4] * (n - 2), 1 / 3], dtype=dtype, device=device)


def brighten(x: Tensor, plasma: Tensor, intensity: Tensor) -> Tensor:
    """y = x + intensity (2 plasma - 1)."""
    return torch.addcmul(x, plasma * 2 - 1, intensity)


def stretch(x: Tensor, plasma: Tensor, intensity: Tensor) -> Tensor:
    """y = 1/2 + (x - 1/2) (1 + intensity (4 plasma - 1)): a contrast of its own for every pixel."""
    return torch.addcmul(x, x - 0.5, (plasma * 4 - 1) * intensity)


def shade(x: Tensor, plasma: Tensor, intensity: Tensor, quantity: Tensor, softness: float) -> Tensor:
    """y = x + intensity sigmoid((quantity - plasma) / softness): light is added where the plasma is low."""
    return torch.addcmul(x, torch.sigmoid((quantity - plasma) / softness), intensity)


def spot(size: tuple[int, ...], centre: Tensor, sigma: Tensor) -> Tensor:
    """A Gaussian `[..., 1, H, W]`, scaled over the frame to [0, 1]; `centre` and `sigma` `[..., 2, 1, 1]` as (x, y), in
    fractions of width and height from the left and top edges."""
    place = (axis_of(size[-1], 0.5, centre), axis_of(size[-2], 0.5, centre)[:, None])
    bumps = []
    for at, c, s in zip(place, centre.split(1, -3), sigma.split(1, -3), strict=True):
        distance = (at - c).square()
        nearest = distance.amin((-2, -1), keepdim=True)  # it weighs 1, so that a small sigma does not underflow
        bumps.append(torch.exp((nearest - distance) / (2 * s.square() + 1e-12)))
    low = bumps[0].amin(-1, keepdim=True) * bumps[1].amin(-2, keepdim=True)
    span = 1 - low
    span = span + (span == 0)
    return bumps[0] * (bumps[1] / span) - low / span


def ramp(size: tuple[int, ...], slope: tuple[Tensor, Tensor], start: Tensor) -> Tensor:
    """start + slope_x x + slope_y y, for x and y from 0 at the first to 1 at the last pixel of the frame."""
    y, x = (axis_of(n, 0.0, start) for n in size)
    return (slope[0] * x + start) + slope[1] * y[:, None]


def axis_of(n: int, rim: float, like: Tensor) -> Tensor:
    """Where n pixels lie from 0 to 1, with this part of a pixel before the first and after the last."""
    return cached(make_axis, n, rim, like.dtype, like.device)


def make_axis(n: int, rim: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    return (torch.arange(n, dtype=dtype, device=device) + rim) / max(n - 1 + 2 * rim, 1)

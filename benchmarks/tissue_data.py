"""Synthetic tissue of two scanners: organs and vessels with their masks, drawn from a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

SIZE = (24, 40, 40)
TISSUE, VALUES = 0.35, (0.66, 0.53, 0.85)  # intensities of the tissue, and of the classes 1 to 3


@dataclass(frozen=True)
class Scanner:
    """What one scanner and its patients are like; angles in degrees, about each of the three axes."""

    pose: float  # of the whole anatomy, up to
    turn: float  # of an organ beside that, up to
    size: tuple[float, float]  # of organs and vessels, times the usual
    gamma: tuple[float, float]
    bias: float  # standard deviation of each of nine coefficients of the logarithm of the bias field
    noise: tuple[float, float]
    blur: float  # within the slices, sigma in voxels
    slab: int  # slices that are measured as one and interpolated
    mirrored: bool  # left and right


FIRST = Scanner(5, 10, (0.9, 1.1), (1.0, 1.0), 0.03, (0.02, 0.04), 0.0, 1, False)
OTHER = Scanner(25, 40, (0.7, 1.35), (1.3, 1.7), 0.12, (0.05, 0.09), 0.5, 2, True)


class Draws:
    """Uniform and normal numbers of one seed."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(shape, generator=self.generator)

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)


def turned(degrees: Tensor) -> Tensor:
    """A rotation by three angles, about x, y and z in turn."""
    result = torch.eye(3)
    for axis, angle in enumerate(degrees.tolist()):
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        i, j = [k for k in range(3) if k != axis]
        one = torch.eye(3)
        one[i, i], one[j, j], one[i, j], one[j, i] = c, c, -s, s
        result = one @ result
    return result


def smooth(draws: Draws, cells: tuple[int, int, int]) -> Tensor:
    """Noise of a coarse grid, interpolated; standard deviation near 1."""
    field = F.interpolate(draws.normal(1, 1, *cells), SIZE, mode="trilinear", align_corners=True)[0, 0]
    return (field - field.mean()) / field.std()


def covered(inside: Tensor) -> Tensor:
    """How much of a voxel an object covers that reaches so many voxels beyond its centre: partial volume."""
    return (inside + 0.5).clamp(0, 1)


def ellipsoid(at: Tensor, centre: Tensor, axes: Tensor, turn: Tensor) -> Tensor:
    """The (nearly) signed distance to its surface, positive inside."""
    u = (at - centre) @ turn / axes
    rho = u.norm(dim=-1).clamp(min=1e-3)
    return (1 - rho) * rho / (u / axes).norm(dim=-1).clamp(min=1e-3)


def tube(at: Tensor, line: Tensor, radius: float) -> Tensor:
    return radius - torch.cdist(at.reshape(-1, 3), line).amin(-1).reshape(SIZE)


def anatomy(draws: Draws, scanner: Scanner) -> list[tuple[int, Tensor]]:
    """(class, coverage) of each object, the later before the earlier: of class 1 on the left, of class 2 on the right, and
    vessels along y."""
    z, y, x = torch.meshgrid(*[torch.arange(n) - (n - 1) / 2 for n in SIZE], indexing="ij")
    at = torch.stack([-x if scanner.mirrored else x, y, z], -1)
    at = at @ turned(draws.uniform(-scanner.pose, scanner.pose, 3))
    objects = []
    for label, side, axes in ((1, -1, (6.5, 4.5, 3.5)), (2, 1, (4.5, 7.0, 4.0))):
        for i in range(2):
            centre = torch.tensor([side * 9.0, (-9.0, 9.0)[i], 0.0]) + draws.uniform(-3, 3, 3)
            lengths = torch.tensor(axes) * draws.uniform(*scanner.size) * draws.uniform(0.85, 1.15, 3)
            turn = turned(draws.uniform(-scanner.turn, scanner.turn, 3))
            objects.append((label, covered(ellipsoid(at, centre, lengths, turn))))
    t = torch.linspace(-1.3, 1.3, 80)
    for i in range(3):
        bend, phase = draws.uniform(1, 4, 2), draws.uniform(0, 2 * math.pi, 2)
        start = torch.tensor([(-13.0, 0.0, 13.0)[i], 0.0]) + draws.uniform(-3, 3, 2)
        x, z = (start[k] + bend[k] * torch.sin(2.5 * t + phase[k]) for k in range(2))
        radius = 1.3 * float(draws.uniform(*scanner.size) * draws.uniform(0.9, 1.1))
        objects.append((3, covered(tube(at, torch.stack([x, 20 * t, z], -1), radius))))
    return objects


def bias(draws: Draws, strength: float) -> Tensor:
    """exp of a polynomial of order 2 over [-1, 1]^3."""
    z, y, x = torch.meshgrid(*[torch.linspace(-1, 1, n) for n in SIZE], indexing="ij")
    terms = torch.stack([x, y, z, x * y, x * z, y * z, x * x, y * y, z * z])
    return torch.exp((strength * draws.normal(9, 1, 1, 1) * terms).sum(0))


def case(seed: int, scanner: Scanner) -> tuple[Tensor, Tensor]:
    """A z-scored volume [1, D, H, W] and its classes [D, H, W]."""
    draws = Draws(seed)
    x = TISSUE + 0.04 * smooth(draws, (4, 6, 6)) + 0.02 * smooth(draws, (12, 20, 20))
    mask = torch.zeros(SIZE, dtype=torch.long)
    for label, share in anatomy(draws, scanner):
        value = VALUES[label - 1] + 0.03 * draws.normal() + 0.015 * smooth(draws, (8, 13, 13))
        x = x * (1 - share) + value * share
        mask = torch.where(share >= 0.5, label, mask)
    x = x.clamp(0, 1) ** draws.uniform(*scanner.gamma) * bias(draws, scanner.bias)
    if scanner.blur:
        taps = torch.exp(-(torch.arange(-2.0, 3.0) ** 2) / (2 * scanner.blur**2))
        taps = taps / taps.sum()
        padded = F.pad(x[:, None], (2, 2, 2, 2), mode="replicate")
        x = F.conv2d(padded, torch.outer(taps, taps)[None, None])[:, 0]
    x = x + draws.uniform(*scanner.noise) * draws.normal(*SIZE)
    if scanner.slab > 1:
        thick = F.avg_pool3d(x[None, None], (scanner.slab, 1, 1))
        x = F.interpolate(thick, SIZE, mode="trilinear", align_corners=False)[0, 0]
    return ((x - x.mean()) / x.std())[None], mask


def cases(seed: int, n: int, scanner: Scanner) -> tuple[Tensor, Tensor]:
    """[n, 1, D, H, W] and [n, D, H, W]."""
    x, masks = zip(*(case(1000 * seed + i, scanner) for i in range(n)), strict=True)
    return torch.stack(x), torch.stack(masks)

"""What bends."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.serialization import add_safe_globals

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.distributions import Span
from augfn.errors import explain
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import ENDS, around, inside, is_number, only

Pair = tuple[float, float]


@derive(af.elastic)
def RandomElasticTransform(kernel_size: Any = None, sigma: Any = None, alpha: Any = None) -> Any:
    """Bend by a smooth random field; masks, keypoints and boxes follow (in kornia keypoints and boxes stay).

    In augfn's units, fractions of the shorter side: `alpha`, by default (0, 0.03), is the displacement's standard deviation,
    `sigma`, by default 0.1, its smoothness. With a `kernel_size` in kornia's: uniform noise blurred by a kernel of so many
    pixels, with `sigma` in pixels (y, x), times `alpha` half sizes (their mean over x and y): a field of the same standard
    deviation and width, of which there are at most 8 x 8 bends.
    """
    if kernel_size is None:
        alpha, sigma = ((0.0, 0.03) if alpha is None else alpha), (0.1 if sigma is None else sigma)
        return {"alpha": inside("alpha", alpha, 1.0), "sigma": inside("sigma", sigma, 1.0)}
    return ElasticByFrame(*(two(v, usual) for v, usual in ((kernel_size, 63), (sigma, 32.0), (alpha, 1.0))))


def two(value: Any, usual: float) -> tuple[float, float]:
    """A number for both axes, or one for each."""
    given = usual if value is None else value
    given = (given, given) if is_number(given) else given
    if not isinstance(given, list | tuple) or len(given) != 2 or not all(map(is_number, given)):
        want, fix = "a number, or one for each axis", "alpha= and sigma= without kernel_size, whose ranges learn"
        raise ValueError(explain("RandomElasticTransform: in kornia's units", value, want, fix))
    return float(given[0]), float(given[1])


class ElasticByFrame(Augmentation):
    """Noise in [-1, 1] blurred by a kernel, as `af.elastic` of the frame that it meets; times `alpha` half sizes (kornia),
    or pixels. Uniform noise, or normal noise over its largest value (albumentations)."""

    def __init__(self, kernel: Pair, sigma: Pair, alpha: Pair, *, pixels: bool = False, normal: bool = False) -> None:
        f = af.elastic()
        super().__init__("elastic", {"control": f.params["control"]}, {"control": f.schema["control"]})
        self.gain, self.width, self.alpha, self.pixels, self.normal = 1.0, 0.0, alpha, pixels, normal
        for n, s in zip(kernel, sigma, strict=True):
            x = torch.arange(n, dtype=torch.float64) - (n - 1) / 2
            g = torch.exp(-(x**2) / (2 * s**2))
            g = g / g.sum()
            self.gain *= float(g.square().sum().sqrt())
            self.width += float((g * x**2).sum().sqrt()) / 2

    def plan(self, params: Any, size: Any, sampling: Any) -> Any:
        control = params["control"]
        unit = [1.0, 1.0] if self.pixels else [(n - 1) / 2 for n in reversed(size)]
        far = sum(a * u for a, u in zip(self.alpha, unit, strict=True)) / 2
        known = {"alpha": self.noise(size) * self.gain * far / min(size), "sigma": self.width / min(size)}
        like = {n: torch.full(control.shape[:-3], v, device=control.device) for n, v in known.items()}
        return af.elastic().plan({**like, "control": control}, size, sampling)

    def noise(self, size: Any) -> float:
        """The standard deviation of the noise; of normal noise, by the median of its largest value."""
        level = torch.tensor(0.5 ** (1 / (2 * math.prod(size))), dtype=torch.float64)
        return 1 / float(torch.special.ndtri((1 + level) / 2)) if self.normal else 3**-0.5


add_safe_globals([ElasticByFrame])


@derive(af.fisheye)
def RandomFisheye(center_x: Range = (-0.3, 0.3), center_y: Range = (-0.3, 0.3), gamma: Range = (0.9, 1.0)) -> Any:
    """Shrink by the distance from a centre, in [-1, 1]; masks, keypoints and boxes follow (not in kornia)."""
    return {"center_x": center_x, "center_y": center_y, "gamma": gamma}


@derive(af.thin_plate_spline)
def RandomThinPlateSpline(scale: Range = 0.2) -> Any:
    """Move corners and middle by up to `scale` of half the size, a number or a range; all targets follow (not in
    kornia)."""
    return {"scale": scale}


@derive(af.grid_distortion)
def GridDistortion(num_steps: int = 5, distort_limit: Range = (-0.3, 0.3)) -> Any:
    """Move the lines of a grid of 5 x 5 cells, whose sides are 1 + `distort_limit`; a number is ±."""
    return {"cells": cells("GridDistortion", num_steps, distort_limit)}


def cells(what: str, num_steps: int, distort_limit: Any) -> Any:
    """Sides of 1 + `distort_limit`."""
    only(f"{what}: num_steps", num_steps, (5,), "the grid has 5 cells along each axis: leave it out")
    if isinstance(distort_limit, Tensor) and list(distort_limit.shape) == [2]:
        return Span(distort_limit, ENDS, 1.0)
    limit = around(distort_limit, 1.0)
    if isinstance(distort_limit, tuple) and all(map(is_number, distort_limit)):
        limit = tuple(1 + v for v in distort_limit)
    return limit


@derive(af.optical_distortion)
def OpticalDistortion(distort_limit: Range = (-0.2, 0.2)) -> Any:
    """Barrel (> 0) or pincushion (< 0): the radial coefficient, for a radius of 1 at the corners; a number is ±.

    albumentations measures the radius in widths: its coefficient is twice as large for a square image.
    """
    return {"k": around(distort_limit)}


@derive(af.piecewise_affine)
def PiecewiseAffine(scale: Range = (0.03, 0.05), nb_rows: int = 4, nb_cols: int = 4) -> Any:
    """Move a grid of 4 x 4 points by up to `scale` of the shorter side (albumentations: a standard deviation)."""
    only("PiecewiseAffine: nb_rows, nb_cols", (nb_rows, nb_cols), ((4, 4),), "leave them out")
    return {"scale": scale}

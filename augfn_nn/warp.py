"""What bends."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import augfn as af
from augfn.distributions import Span
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import around, inside, is_number, only


@derive(af.elastic)
def RandomElasticTransform(alpha: Range = (0.0, 0.03), sigma: Range = 0.1) -> Any:
    """Bend by a smooth random field; keypoints and boxes follow (in kornia they stay).

    In augfn's units, fractions of the shorter side: `alpha` is the displacement's standard deviation, `sigma` its
    smoothness. kornia's kernel_size, sigma in pixels and alpha in half sizes have no counterpart.
    """
    return {"alpha": inside("alpha", alpha, 1.0), "sigma": inside("sigma", sigma, 1.0)}


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
        return Span(distort_limit, ((1.0, 0.0), (0.0, 1.0)), 1.0)
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

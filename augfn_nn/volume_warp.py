"""What bends volumes."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import inside
from augfn_nn.warp import cells


@derive(af.elastic3d)
def RandomElastic3D(alpha: Range = (0.0, 0.03), sigma: Range = 0.15) -> Any:
    """Bend a volume by a smooth random field: `alpha` is the displacement's standard deviation, `sigma` its smoothness,
    in fractions of the shortest side."""
    return {"alpha": inside("alpha", alpha, 1.0), "sigma": inside("sigma", sigma, 1.0)}


@derive(af.grid_distortion3d)
def RandomGridDistortion3D(num_steps: int = 5, distort_limit: Range = (-0.3, 0.3)) -> Any:
    """Move the planes of a grid of 5 x 5 x 5 cells, whose sides are 1 + `distort_limit`; a number is ±."""
    return {"cells": cells("RandomGridDistortion3D", num_steps, distort_limit)}


@derive(af.thin_plate_spline3d)
def RandomThinPlateSpline3D(scale: Range = 0.2) -> Any:
    """Move corners and middle of a volume by up to `scale` of half the size, a number or a range."""
    return {"scale": scale}

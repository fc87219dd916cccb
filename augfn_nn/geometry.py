"""Modules of what bends, of the symmetries of the square, and of frames that follow the image or its targets.

kornia's, torchvision's and albumentations' names; see `augfn_nn.ops` for what holds in all of them.
"""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn_nn.derive import derive
from augfn_nn.shorthands import Range, Size, around, is_number, only, pair

# symmetries


@derive(af.quarter_turn)
def RandomQuarterTurn() -> Any:
    """Turn each sample by 0, 1, 2 or 3 quarters (on a frame that is not square by 0 or 2); pixels are copied.

    albumentations' `RandomRotate90`; kornia's RandomRotation90 says how many turns.
    """
    return {}


@derive(af.d4)
def RandomD4() -> Any:
    """One of the eight symmetries of the square for each sample (of four on other frames); pixels are copied."""
    return {}


# what bends


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
    only("GridDistortion: num_steps", num_steps, (5,), "the grid has 5 x 5 cells: leave it out")
    limit = around(distort_limit)
    if is_number(limit):
        return {"cells": 1 + limit}
    plain = isinstance(limit, tuple) and all(map(is_number, limit))
    return {"cells": tuple(1 + v for v in limit) if plain else limit}


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


# frames


@derive(af.longest_max_size, p=1.0, resizes=True)
def LongestMaxSize(max_size: int) -> Any:
    """Resize so that the longer side is `max_size`; antialiased where it shrinks (kornia is not)."""
    return {"max_size": max_size}


@derive(af.smallest_max_size, p=1.0, resizes=True)
def SmallestMaxSize(max_size: int) -> Any:
    """Resize so that the shorter side is `max_size`; antialiased where it shrinks (kornia is not)."""
    return {"max_size": max_size}


@derive(af.scale_jitter, p=1.0, resizes=True)
def ScaleJitter(target_size: Size, scale_range: Range = (0.1, 2.0)) -> Any:
    """Zoom by `scale_range` times what just fits, and cut or pad to `target_size` = (h, w), at a random place.

    torchvision's gives every sample a size of its own; a batch has one.
    """
    return {"size": target_size, "scale": pair("scale_range", scale_range)}


@derive(af.zoom_out)
def RandomZoomOut(fill: Any = 0.0, side_range: Range = (1.0, 4.0)) -> Any:
    """Put the image on a canvas `side_range` times as large and shrink that to the frame (torchvision's frame
    grows)."""
    return {"fill": fill, "side": pair("side_range", side_range)}


@derive(af.bbox_safe_crop, p=1.0, resizes=True)
def BBoxSafeCrop(size: Size, slack: Range = (0.0, 1.0)) -> Any:
    """Cut a window that holds all valid boxes and resize it to `size` = (h, w); `slack` is the share of the room
    beside them that goes. Takes a dict with boxes."""
    return {"size": size, "slack": slack}


@derive(af.mask_crop, p=1.0, resizes=True)
def CropNonEmptyMask(size: Size) -> Any:
    """Cut `size` = (h, w) around a random pixel of the mask that is not 0. Takes a dict with a mask."""
    return {"size": size}

"""Occlusion as modules. `fill` is what images show, `fill_mask` what masks hold."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.errors import explain
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import log_range, pair, upside_down


@derive(af.erase)
def RandomErasing(scale: Range = (0.02, 0.33), ratio: tuple[float, float] = (0.3, 3.3), value: Any = 0.0) -> Any:
    """Hide a rectangle by `value`: a share `scale` of the area, height / width log-uniform in `ratio`; masks by 0."""
    if isinstance(value, str):
        raise ValueError(explain("RandomErasing: value", value, "a number, or one for each channel", "value=0.5"))
    return {"scale": pair("scale", scale), "ratio": log_range(upside_down(ratio)), "fill": value}


@derive(af.cutout)
def RandomCutout(size: Range = (0.25, 0.5), num_holes: int = 1) -> Any:
    """Hide squares of side `size`, a fraction of the shorter side, centred anywhere; a number is fixed."""
    return {"size": size, "holes": num_holes}


@derive(af.coarse_dropout)
def CoarseDropout(
    num_holes_range: Range = (1, 2), hole_height_range: Range = (0.1, 0.2), hole_width_range: Range = (0.1, 0.2)
) -> Any:
    """Hide up to 16 rectangles; sides are fractions of the frame's.

    The number of holes is a real one: the last hole is shrunk by its fraction (albumentations: whole holes, and pixels
    where sides are integers).
    """
    return {"holes": num_holes_range, "height": hole_height_range, "width": hole_width_range}


@derive(af.grid_mask)
def GridMask(period: Range = (0.25, 0.6), ratio: Range = (0.4, 0.6), angle: Range = (-45.0, 45.0)) -> Any:
    """Hide a grid of squares with sides `ratio` period (the paper's ratio is 1 - ratio), turned by `angle`, shifted by
    any part of a period. `period` is a fraction of the shorter side; a number is fixed."""
    return {"period": period, "ratio": ratio, "angle": angle}


@derive(af.patch)
def RandomPatch(scale: Range = (0.02, 0.33), ratio: tuple[float, float] = (0.3, 3.3)) -> Any:
    """Fill a rectangle with uniform noise, in the image alone; `scale` and `ratio` as in RandomErasing."""
    return {"scale": pair("scale", scale), "ratio": log_range(upside_down(ratio))}


@derive(af.mask_dropout)
def MaskDropout(p_object: Range = 0.5) -> Any:
    """Hide every instance of an integer mask with probability `p_object` (albumentations: a number of them).

    Needs a dict with one mask: `AugmentationSequential(..., data_keys=["image", "mask"])`.
    """
    return {"p_object": p_object}


@derive(af.erase_noise)
def RandomErasingNoise(scale: Range = (0.02, 0.33), ratio: Range = (0.3, 3.3)) -> Any:
    """Fill a rectangle with normal noise, for normalised images; `ratio` is width / height. (timm: RandomErasing, "pixel")"""
    return {"scale": scale, "ratio": log_range(ratio)}

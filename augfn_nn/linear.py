"""Linear maps of colour, as ADA has them."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import around


@derive(af.linear_contrast)
def RandomLinearContrast(factor: Range = (0.7, 1.4)) -> Any:
    """Spread about mid grey by a factor; a number x is 1 ± x. imgaug's `LinearContrast`."""
    return {"factor": around(factor, 1.0, 0.0)}


@derive(af.luma_flip)
def RandomLumaFlip() -> Any:
    """Light becomes dark, hue and saturation stay."""
    return {}


@derive(af.hue_rotation)
def RandomHueRotation(hue: Range = (-0.5, 0.5)) -> Any:
    """Turn the colours about the grey axis, by turns; a number is ±."""
    return {"hue": around(hue)}


@derive(af.linear_saturation)
def RandomLinearSaturation(factor: Range = (0.5, 2.0)) -> Any:
    """Scale the distance of colours from the grey axis; a number x is 1 ± x."""
    return {"factor": around(factor, 1.0, 0.0)}

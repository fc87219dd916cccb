"""Linear maps of colour, as ADA has them."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive


@derive(af.linear_contrast)
def RandomLinearContrast(factor: Range = (0.7, 1.4)) -> Any:
    """Spread about mid grey by a factor. imgaug's `LinearContrast`."""
    return {"factor": factor}


@derive(af.luma_flip)
def RandomLumaFlip() -> Any:
    """Light becomes dark, hue and saturation stay."""
    return {}


@derive(af.hue_rotation)
def RandomHueRotation(hue: Range = (-0.5, 0.5)) -> Any:
    """Turn the colours about the grey axis, by turns."""
    return {"hue": hue}


@derive(af.linear_saturation)
def RandomLinearSaturation(factor: Range = (0.5, 2.0)) -> Any:
    """Scale the distance of colours from the grey axis."""
    return {"factor": factor}

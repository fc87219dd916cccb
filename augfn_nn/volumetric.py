"""Modules for volumes."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import only, pair, reach, turns


@derive(af.hflip3d)
def RandomHorizontalFlip3D() -> Any:
    """Mirror a volume left and right."""
    return {}


@derive(af.vflip3d)
def RandomVerticalFlip3D() -> Any:
    """Mirror a volume top and bottom."""
    return {}


@derive(af.dflip3d)
def RandomDepthicalFlip3D() -> Any:
    """Mirror a volume front and back."""
    return {}


@derive(af.rotate3d)
def RandomRotation3D(degrees: Range) -> Any:
    """Rotate by an axis-angle vector (x, y, z); a turn about z has RandomRotation's sign.

    All signs are those of RandomAffine3D (kornia's two classes turn opposite ways: here both turn as its affine).
    A number is ± about each axis, (a, b) the range of each, (a, b, c) is ±a, ±b, ±c, three pairs are three ranges.
    """
    return {"degrees": turns(degrees)}


@derive(af.affine3d)
def RandomAffine3D(
    degrees: Range, translate: Range | None = None, scale: Range | None = None, shears: Any = None
) -> Any:
    """Scale and rotate a volume about its centre, then shift it.

    `degrees` as in RandomRotation3D, `translate` (a, b, c) up to ± of width, height and depth, `scale` (low, high).
    """
    only("RandomAffine3D: shears", shears, (None,), "leave it out")
    return {"degrees": turns(degrees), "translate": reach(translate, 3), "scale": pair("scale", scale)}

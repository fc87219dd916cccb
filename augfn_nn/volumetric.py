"""Modules for volumes."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.geometric import quarters
from augfn_nn.shorthands import moves, other_way, reach, slants, turns, zoom3


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


@derive(af.rot90_3d)
def RandomRot90_3D(times: int | tuple[int, int], plane: str = "xy") -> Any:
    """Turn by whole quarters in the plane "xy", "xz" or "yz": `times` = (a, b) inclusive, all equally likely, a number n
    is -n to n.

    Voxels are copied and odd quarters swap the plane's sides: where these differ, as in RandomRotation90.
    """
    return quarters("RandomRot90_3D", times, af.rot90_3d, plane=plane)


@derive(af.rotate3d)
def RandomRotation3D(
    degrees: Range, *, spacing: Any = None, order: str | None = None, kornia: bool | None = None
) -> Any:
    """Rotate by an axis-angle vector (x, y, z); a turn about z has RandomRotation's sign.

    All signs are those of RandomAffine3D (kornia's two classes turn opposite ways: here both turn as its affine, with
    `kornia=True` this one the other way).
    A number is ± about each axis, (a, b) the range of each, (a, b, c) is ±a, ±b, ±c, three pairs are three ranges.
    `spacing`: the size of a voxel (x, y, z), for turns in space; `order`="xyz": Euler angles, about x first.
    """
    turn = other_way("RandomRotation3D", turns(degrees), kornia)
    return {"degrees": turn, "spacing": spacing, "order": order}


@derive(af.affine3d)
def RandomAffine3D(
    degrees: Range,
    translate: Range | None = None,
    scale: Range | None = None,
    shears: Any = None,
    *,
    spacing: Any = None,
    order: str | None = None,
) -> Any:
    """Scale, shear and rotate a volume about its centre, then shift it.

    `degrees`, `spacing` and `order` as in RandomRotation3D, `translate` (a, b, c) up to ± of width, height and depth, `scale`
    (low, high), or three pairs: x, y, z. `shears` as in RandomShear3D.
    """
    return {
        "degrees": turns(degrees),
        "translate": reach(translate, 3),
        **zoom3(scale),
        "shear": slants(shears),
        "spacing": spacing,
        "order": order,
    }


@derive(af.scale3d)
def RandomScale3D(scale: Range = (0.8, 1.25)) -> Any:
    """Zoom a volume about its centre by (low, high), or three pairs: x, y, z; > 1 magnifies."""
    return zoom3(scale)


@derive(af.translate3d)
def RandomTranslate3D(
    translate_x: Range | None = None, translate_y: Range | None = None, translate_z: Range | None = None
) -> Any:
    """Shift by fractions of width, height and depth: ranges (low, high) with signs, positive to higher indices."""
    return {"translate": moves(translate_x, translate_y, translate_z)}


@derive(af.shear3d)
def RandomShear3D(shears: Range, *, spacing: Any = None) -> Any:
    """Shear a volume by six angles in degrees, in kornia's order: xy, xz, yx, yz, zx, zy, where xy moves y with x.

    A number is ± for each, (a, b) the range of each, six numbers are ± each, six pairs are six ranges. One at a time they
    are kornia's; several are composed in the order of `af.shear3d`, which differs from kornia's in products of slopes.
    """
    return {"shear": slants(shears), "spacing": spacing}


@derive(af.perspective3d)
def RandomPerspective3D(distortion_scale: Range = 0.5) -> Any:
    """Move corners of a volume inwards by up to `distortion_scale` of half the size."""
    return {"distortion_scale": distortion_scale}

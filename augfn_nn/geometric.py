"""Flips, turns, affine and projective maps."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.errors import explain
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import around, moves, only, other_way, reach, slant, zoom


@derive(af.hflip)
def RandomHorizontalFlip() -> Any:
    """Mirror left and right: points to W - 1 - x, boxes to W - x (kornia: W - 1 - x)."""
    return {}


@derive(af.vflip)
def RandomVerticalFlip() -> Any:
    """Mirror top and bottom: points to H - 1 - y, boxes to H - y (kornia: H - 1 - y)."""
    return {}


@derive(af.rot90)
def RandomRotation90(times: int | tuple[int, int]) -> Any:
    """Turn counter-clockwise by whole quarters, `times` = (a, b) inclusive, all equally likely; a number n is -n to n.

    Pixels are copied and odd quarters swap height and width, so a frame that is not square needs a sure turn, (k, k)
    with p=1 (kornia warps, rounds, and keeps the shape).
    """
    return quarters("RandomRotation90", times, af.rot90)


def quarters(what: str, times: Any, turn: Any, **own: Any) -> Any:
    """The keywords of one turn, or one of several turns."""
    low, high = (-times, times) if isinstance(times, int) else times
    if not -3 <= low <= high <= 3:
        expected = "whole quarters (a, b), -3 <= a <= b <= 3"
        raise ValueError(explain(f"{what}: bad times", times, expected, "times=(1, 1)"))
    return {"k": low, **own} if low == high else af.one_of(*(turn(k=k, **own) for k in range(low, high + 1)))


@derive(af.rotate)
def RandomRotation(degrees: Range) -> Any:
    """Rotate about the centre, counter-clockwise; a number is ±degrees."""
    return {"degrees": around(degrees)}


@derive(af.affine)
def RandomAffine(
    degrees: Range,
    translate: Range | None = None,
    scale: Range | None = None,
    shear: Range | None = None,
    *,
    kornia: bool | None = None,
) -> Any:
    """One affine map about the centre.

    * `degrees`: counter-clockwise (kornia's and torchvision's turn clockwise here, and the other way in
      RandomRotation; `kornia=True` does too); a number is ±.
    * `translate`: (a, b), up to ±a of the width and ±b of the height, not rounded to pixels.
    * `scale`: (low, high), or four numbers: x, then y; > 1 magnifies.
    * `shear`: degrees; a number is ± along x, (a, b) along x, four numbers: x, then y.
    """
    turn = other_way("RandomAffine", around(degrees), kornia)
    return {"degrees": turn, "translate": reach(translate, 2), **zoom(scale), "shear": slant(shear)}


@derive(af.translate)
def RandomTranslate(translate_x: Range | None = None, translate_y: Range | None = None) -> Any:
    """Shift by fractions of the width and the height: ranges (low, high) with signs, positive right and down."""
    return {"translate": moves(translate_x, translate_y)}


@derive(af.scale)
def RandomScale(scale: Range = (0.8, 1.25)) -> Any:
    """Zoom about the centre by (low, high), or four numbers: x, then y; > 1 magnifies."""
    return zoom(scale)


@derive(af.shear)
def RandomShear(shear: Range) -> Any:
    """Shear by degrees: a number is ± along x, (a, b) along x, four numbers: x, then y."""
    return {"shear": slant(shear)}


@derive(af.perspective)
def RandomPerspective(distortion_scale: Range = 0.5, sampling_method: str = "basic") -> Any:
    """Move the corners by up to `distortion_scale` of half the size: inwards, or with "area_preserving" both ways."""
    only("RandomPerspective: sampling_method", sampling_method, ("basic", "area_preserving"), "leave it out")
    return {"distortion_scale": distortion_scale, "corners": (-1.0, 0.0 if sampling_method == "basic" else 1.0)}


@derive(af.stretch)
def RandomStretch(factor: Range = (0.8, 1.25)) -> Any:
    """Zoom the width by a factor and the height by its inverse; a number is fixed."""
    return {"factor": factor}

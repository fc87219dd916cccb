"""Geometry that keeps the frame: flips, turns, affine and projective maps."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.kinds import Size
from augfn.math.maps import Map, homography
from augfn.op import geometric
from augfn.typing import Degrees, Degrees2, Fraction, Leaf, Scale, Shift2

Corners = Annotated[Tensor, Leaf("shift of each corner (x, y), in units of distortion_scale * size / 2", (4, 2), low=-1.0, high=1.0)]


def flip_map(signs: list[float], axis: int) -> Map:
    """Mirror the coordinate of sign -1, which lies along the array's `axis`."""
    return Map.of(torch.diag(torch.tensor([*signs, 1.0])), copy=lambda x, how: x.flip(axis))


@geometric
def hflip() -> Map:
    """Mirror left and right: pixel x moves to W - 1 - x (points), edge x to W - x (boxes); pixels are copied exactly.

    Source: torchvision `hflip`.
    """
    return flip_map([-1.0, 1.0], -1)


@geometric
def vflip() -> Map:
    """Mirror top and bottom: pixel y moves to H - 1 - y (points), edge y to H - y (boxes); pixels are copied exactly.

    Source: torchvision `vflip`.
    """
    return flip_map([1.0, -1.0], -2)


@geometric
def rot90(frame: Size, *, k: int = 1) -> Map:
    """Turn by k quarters counter-clockwise; an odd k swaps height and width; pixels are copied exactly.

    `p` needs a square frame or an even k. Source: `numpy.rot90`.
    """
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(explain("rot90: k", k, "an integer number of quarter turns", "k=1"))
    c, s = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][k % 4]
    matrix = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return Map.of(matrix, size=frame[::-1] if k % 2 else frame, copy=lambda x, how: torch.rot90(x, k, (-2, -1)))


@geometric
def rotate(*, degrees: Degrees = Uniform(-30.0, 30.0)) -> Map:
    """Rotate about the centre, counter-clockwise on the screen for positive degrees.

    Source: torchvision `rotate` (same sign; torchvision's `affine` turns the other way).
    """
    return Map.rotation(degrees)


def affine_map(degrees: Tensor | None, shift: list[Tensor], zoom: list[Tensor], shear: Tensor | None) -> Map:
    """The inverse of: scale, shear, rotate about the centre, then shift by pixels (torchvision's order, our sign)."""
    like = next(t for t in (degrees, *shift, *zoom, None if shear is None else shear[..., 0]) if t is not None)
    zero = torch.zeros_like(like)
    turn = torch.deg2rad(degrees) if degrees is not None else zero
    if shear is None:
        a, b = torch.cos(turn), torch.sin(turn)
        rows = [[a, -b], [b, a]]
    else:
        x, y = torch.deg2rad(shear).unbind(-1)
        cos, sin, slope = torch.cos(-turn - y) / torch.cos(y), torch.sin(-turn - y) / torch.cos(y), torch.tan(x)
        c, s = torch.cos(turn), torch.sin(turn)
        rows = [[c - sin * slope, cos * slope - s], [-sin, cos]]
    if zoom:
        rows = [[e / z for e in row] for row, z in zip(rows, zoom if len(zoom) == 2 else zoom * 2, strict=True)]
    if not shift:
        return Map.linear(rows)
    return Map.linear(rows, [-(row[0] * shift[0] + row[1] * shift[1]) for row in rows])


@geometric(example={"degrees": (-20, 20), "translate": (-0.1, 0.1), "scale": (0.8, 1.25), "shear": (-10, 10)})
def affine(
    frame: Size,
    *,
    degrees: Degrees | None = None,
    translate: Shift2 | None = None,
    scale: Scale | None = None,
    scale_y: Scale | None = None,
    shear: Degrees2 | None = None,
) -> Map:
    """Scale, shear and rotate about the centre, then translate: one affine map; what is not given is neutral.

    Counter-clockwise for positive degrees (torchvision's `affine` is clockwise), scale > 1 magnifies, translation right and
    down in fractions of (width, height), shear in degrees. `scale_y` sets the vertical scale apart from `scale`.
    Source: torchvision `affine`.
    """
    given = [v for v in (degrees, translate, scale, scale_y, shear) if v is not None]
    if not given:
        raise ValueError(explain("affine: nothing to do", "no ranges", "one of degrees, translate, scale, scale_y, shear", "af.affine(degrees=(-15, 15))"))
    shift = [] if translate is None else [translate[..., 0] * frame[1], translate[..., 1] * frame[0]]
    zoom = [] if scale is None and scale_y is None else [scale, scale if scale_y is None else scale_y]
    ones = torch.ones_like(scale_y) if scale is None and scale_y is not None else None
    return affine_map(degrees, shift, [ones if z is None else z for z in zoom], shear)  # type: ignore[misc]


@geometric
def translate(frame: Size, *, translate: Shift2 = Uniform(-0.1, 0.1)) -> Map:
    """Shift by fractions of (width, height), positive right and down, without rounding to pixels."""
    x, y = translate.unbind(-1)
    one = torch.ones_like(x)
    return Map.linear([[one, 0.0], [0.0, one]], [-x * frame[1], -y * frame[0]])


@geometric
def scale(*, scale: Scale = Uniform(0.8, 1.25), scale_y: Scale | None = None) -> Map:
    """Zoom about the centre by a factor, > 1 magnifies; `scale_y` sets the vertical factor apart."""
    return Map.diagonal(1 / scale, 1 / (scale if scale_y is None else scale_y))


@geometric
def shear(*, shear: Degrees2 = Uniform(-15.0, 15.0)) -> Map:
    """Shear about the centre by angles along (x, y): +30 degrees in x moves a point 10 px above the centre 5.8 px right.

    Source: torchvision `affine`.
    """
    return affine_map(None, [], [], shear)


@geometric
def perspective(frame: Size, *, distortion_scale: Fraction = 0.5, corners: Corners = Uniform(-1.0, 0.0)) -> Map:
    """Move the four corners: corner c (top left, top right, bottom right, bottom left) by corners * distortion_scale * size / 2.

    Negative shifts go inwards (torchvision's and kornia's "basic" sampling), positive ones outwards. Source: torchvision
    `RandomPerspective`, with corners that need not be whole pixels.
    """
    h, w = frame
    half = torch.tensor([w - 1.0, h - 1.0], dtype=corners.dtype, device=corners.device) / 2
    signs = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]], dtype=corners.dtype, device=corners.device)
    size = torch.tensor([w / 2, h / 2], dtype=corners.dtype, device=corners.device)
    start = signs * half
    end = start + signs * corners * distortion_scale[..., None, None] * size
    return Map.of(homography(end, start), projective=True)


"""Geometry that keeps the frame: flips, turns, affine and projective maps."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.distributions import LogUniform, Uniform
from augfn.errors import explain
from augfn.math.maps import Gather, Map, centre_of, homography, rotation_matrix
from augfn.math.variates import straight_through
from augfn.run.constants import cached, constant
from augfn.typing import Degrees, Degrees2, Fraction, Leaf, Scale, Shift2

Corners = Annotated[
    Any, Leaf("shift of each corner (x, y), in units of distortion_scale * size / 2", (4, 2), low=-1.0, high=1.0)
]


def flip_map(signs: tuple[float, ...], axis: int) -> Map:
    """Mirror the coordinate of sign -1, which lies along the array's `axis`."""
    matrix, flip = cached(make_diagonal, *signs, 1.0), Gather(lambda x, *_: x.flip(axis))
    return Map.of(matrix, gather=flip, axis_aligned=True, whole=True)


def make_diagonal(*entries: float) -> Tensor:
    return torch.diag(torch.tensor(entries))


@geometric
def hflip() -> Map:
    """Mirror left and right: pixel x moves to W - 1 - x (points), edge x to W - x (boxes); pixels are copied exactly.

    Intrinsics become those of a mirrored camera: fx is negative, so that points in space stay. Source: torchvision `hflip`.

    >>> af.hflip()(torch.tensor([[[1.0, 2.0, 3.0]]]))[0]
    tensor([[[3., 2., 1.]]])
    """
    return flip_map((-1.0, 1.0), -1)


@geometric
def vflip() -> Map:
    """Mirror top and bottom: pixel y moves to H - 1 - y (points), edge y to H - y (boxes); pixels are copied exactly.

    Source: torchvision `vflip`.

    >>> af.vflip()(torch.tensor([[[1.0], [2.0]]]))[0].flatten()
    tensor([2., 1.])
    """
    return flip_map((1.0, -1.0), -2)


@geometric
def rot90(frame: Size, *, k: int = 1) -> Map:
    """Turn by k quarters counter-clockwise; an odd k swaps height and width; pixels are copied exactly.

    `p` needs a square frame or an even k. Source: `numpy.rot90`.

    >>> af.rot90()(torch.tensor([[[1.0, 2.0, 3.0]]]))[0].flatten()
    tensor([3., 2., 1.])
    """
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(explain("rot90: k", k, "an integer number of quarter turns", "k=1"))
    size = frame[::-1] if k % 2 else frame
    turn = Gather(lambda x, *_: quarters(x, k, (-2, -1)))
    return Map.of(cached(make_turn, k % 4), size=size, gather=turn, axis_aligned=k % 2 == 0, whole=True)


def quarters(x: Tensor, k: int, axes: tuple[int, int]) -> Tensor:
    """`torch.rot90`, copied; a flip before the axes change places takes half of the time of one after it."""
    if k % 2 == 0:
        return torch.rot90(x, k, axes).contiguous()
    return x.flip(axes[1] if k % 4 == 1 else axes[0]).transpose(*axes).contiguous()


def make_turn(k: int) -> Tensor:
    """The matrix of k quarters."""
    c, s = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][k]
    return torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


@geometric
def rotate(*, degrees: Degrees = Uniform(-30.0, 30.0)) -> Map:
    """Rotate about the centre, counter-clockwise on the screen for positive degrees.

    Source: torchvision `rotate` (same sign; torchvision's `affine` turns the other way).

    >>> right_of_centre = {"image": torch.zeros(1, 5, 5), "keypoints": torch.tensor([[4.0, 2.0]])}
    >>> af.rotate(degrees=90)(right_of_centre)[0]["keypoints"].round(decimals=4).abs()
    tensor([[2., 0.]])
    """
    return Map.rotation(degrees)


FACETS = {2: ((0, 1), (1, 0)), 3: ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))}  # of a shear: i moves with j


def affine_map(
    turn: Tensor | None, shear: Tensor | None, zoom: Tensor | None, shift: Tensor | None, axes: int = 2
) -> Map:
    """The inverse of: scale, shear, rotate about the centre, then shift by pixels (torchvision's order, our sign).

    `turn [*b, d, d]` is the inverse of the rotation; zoom `[*b, 1]` or `[*b, d]` (x, y[, z]), shift `[*b, d]`, shear
    `[*b, 2]` or `[*b, 6]`, the angles of `FACETS`.
    """
    like = next(t for t in (turn, zoom, shift, shear) if t is not None)
    a = identity_of(axes, like) if turn is None else turn
    if shift is not None:
        a = torch.cat([a.expand(*shift.shape, axes), (a * shift.unsqueeze(-2)).sum(-1, keepdim=True).neg()], -1)
    if shear is not None:
        # the inverse of torchvision's shear, which keeps the area; in 2-D [[1 + x y, x], [y, 1]]
        slopes = torch.tan(torch.deg2rad(shear)).split(1, -1)
        rows = list(a.unbind(-2))
        for (i, j), slope in reversed([*zip(FACETS[axes], slopes, strict=True)]):
            rows[i] = torch.addcmul(rows[i], slope, rows[j])
        a = torch.stack(torch.broadcast_tensors(*rows), -2)
    if zoom is not None:
        a = a / zoom.unsqueeze(-1)
    return Map.affine(a)


def identity_of(axes: int, like: Tensor) -> Tensor:
    return constant(tuple(tuple(float(i == j) for j in range(axes)) for i in range(axes)), like)


@geometric(example={"degrees": (-20, 20), "translate": (-0.1, 0.1), "scale": (0.8, 1.25), "shear": (-10, 10)})
def affine(
    frame: Size,
    *,
    degrees: Degrees | None = None,
    translate: Shift2 | None = None,
    scale: Scale | None = None,
    scale_y: Scale | None = None,
    shear: Degrees2 | None = None,
    metric: bool = False,
) -> Map:
    """Scale, shear and rotate about the centre, then translate: one affine map; what is not given is neutral.

    Counter-clockwise for positive degrees (torchvision's `affine` is clockwise), scale > 1 magnifies, translation
    right and down in fractions of (width, height), shear in degrees. A pair is a range: torchvision's `translate=(0.1, 0.1)`
    is `translate=(-0.1, 0.1)` here. `scale_y` sets the vertical scale apart from `scale`. `metric`: a zoom by s is a scene
    s times nearer, whose depth is divided by s under intrinsics of the same focal length (without, depth keeps its values,
    and the intrinsics have a longer one). Source: torchvision `affine`; for `metric` Eigen et al. 2014.

    >>> right_of_centre = {"image": torch.zeros(1, 5, 5), "keypoints": torch.tensor([[3.0, 2.0]])}
    >>> af.affine(degrees=90, scale=2)(right_of_centre)[0]["keypoints"].round(decimals=4).abs()
    tensor([[2., 0.]])
    """
    shift = None if translate is None else translate * frame_like(frame, translate)
    zoom = None if scale is None else scale.unsqueeze(-1)
    if scale_y is not None:
        zoom = torch.stack([torch.ones_like(scale_y) if scale is None else scale, scale_y], -1)
    found = affine_map(None if degrees is None else rotation_matrix(degrees), shear, zoom, shift)
    if metric and (scale is None or scale_y is not None):
        given, want = "scale_y" if scale_y is not None else "no scale", "one scale for both axes"
        raise ValueError(explain("affine: metric", given, want, "affine(scale=(1.0, 1.5), metric=True)"))
    return replace(found, nearer=scale) if metric else found


def frame_like(frame: Size, like: Tensor) -> Tensor:
    """(width, height[, depth]) as a tensor."""
    return constant(frame[::-1], like)


@geometric
def translate(
    frame: Size, *, translate: Shift2 = Uniform(-0.1, 0.1), unit: str = "fraction", whole: bool = False
) -> Map:
    """Shift by fractions of (width, height), positive right and down; unit="pixel": by pixels.

    `whole`: truncated to whole pixels towards 0 (gradient: that of the shift before). Source: torchvision `affine`, which
    truncates.

    >>> af.translate(translate=torch.tensor([0.5, 0.0]))(torch.tensor([[[1.0, 2.0]]]))[0]
    tensor([[[0., 1.]]])
    """
    return affine_map(None, None, None, shift_of(frame, translate, unit, whole, "translate"))


def shift_of(frame: Size, translate: Tensor, unit: str, whole: bool, what: str) -> Tensor:
    """A shift in pixels."""
    if unit not in ("fraction", "pixel"):
        raise ValueError(explain(f"{what}: unit", unit, "'fraction' or 'pixel'", 'unit="pixel"'))
    shift = translate * frame_like(frame, translate) if unit == "fraction" else translate
    return straight_through(shift.trunc(), shift) if whole else shift


@geometric
def scale(*, scale: Scale = Uniform(0.8, 1.25), scale_y: Scale | None = None) -> Map:
    """Zoom about the centre by a factor, > 1 magnifies; `scale_y` sets the vertical factor apart.

    Source: torchvision `affine`.

    >>> right_of_centre = {"image": torch.zeros(1, 5, 5), "keypoints": torch.tensor([[3.0, 2.0]])}
    >>> af.scale(scale=2)(right_of_centre)[0]["keypoints"]
    tensor([[4., 2.]])
    """
    return Map.diagonal(1 / scale, 1 / (scale if scale_y is None else scale_y))


@geometric
def stretch(*, factor: Scale = LogUniform(0.8, 1.25)) -> Map:
    """Zoom the width by a factor and the height by its inverse, about the centre: areas stay.

    Source: Karras et al. 2020 (ADA's anisotropic scaling).

    >>> right_of_centre = {"image": torch.zeros(1, 5, 5), "keypoints": torch.tensor([[3.0, 1.0]])}
    >>> af.stretch(factor=2)(right_of_centre)[0]["keypoints"]
    tensor([[4.0000, 1.5000]])
    """
    return Map.diagonal(1 / factor, factor)


@geometric
def shear(frame: Size, *, shear: Degrees2 = Uniform(-15.0, 15.0), about: str = "centre") -> Map:
    """Shear about the centre by angles along (x, y): +30 degrees in x moves a point 10 px above the centre 5.8 px
    right. about="corner": about the corner of the frame at the top left, which stays.

    Source: torchvision `affine`; that of its policies is about the corner.

    >>> above_centre = {"image": torch.zeros(1, 5, 5), "keypoints": torch.tensor([[2.0, 0.0]])}
    >>> af.shear(shear=torch.tensor([45.0, 0.0]))(above_centre)[0]["keypoints"].round(decimals=4)
    tensor([[4., 0.]])
    """
    if about not in ("centre", "corner"):
        raise ValueError(explain("shear: about", about, "'centre' or 'corner'", 'about="corner"'))
    shift = None
    if about == "corner":
        shift = torch.tan(torch.deg2rad(shear)) * frame_like(frame, shear).flip(-1) / -2
    return affine_map(None, shear, None, shift)


@geometric
def perspective(frame: Size, *, distortion_scale: Fraction = 0.5, corners: Corners = Uniform(-1.0, 0.0)) -> Map:
    """Move the four corners: corner c (top left, top right, bottom right, bottom left) by corners * distortion_scale *
    size / 2.

    Negative shifts go inwards (torchvision's and kornia's "basic" sampling), positive ones outwards. Source:
    torchvision `RandomPerspective`, with corners that need not be whole pixels.

    >>> top_left = {"image": torch.zeros(1, 8, 8), "keypoints": torch.tensor([[0.0, 0.0]])}
    >>> af.perspective(distortion_scale=0.5, corners=-1)(top_left)[0]["keypoints"].round(decimals=4)
    tensor([[2., 2.]])
    """
    signs = constant(((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)), corners)
    return moved_corners(frame, signs, corners * distortion_scale[..., None, None], "perspective")


def moved_corners(frame: Size, signs: Tensor, shares: Tensor, what: str) -> Map:
    """The projective map of corners that move outwards by shares `[*b, d + 2, d]` of half the size."""
    if min(frame) < 2:
        want = f"at least {' x '.join('2' * len(frame))} pixels"
        raise ValueError(explain(f"{what}: the frame is too small", frame, want, "resize first"))
    start = signs * constant(centre_of(frame), shares)
    end = start + signs * shares * (frame_like(frame, shares) / 2)
    return Map.of(homography(end, start), projective=True)

"""Geometry of volumes `[*b, C, D, H, W]` that keeps the frame: coordinates (x, y, z), z along the depth axis.

Turns and zooms are of voxels, or with a `spacing` (size of a voxel along x, y, z, in mm) of millimetres.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math.maps import Gather, Map, axis_angle_matrix
from augfn.ops.geometric import affine_map, flip_map, frame_like, moved_corners, quarters, shift_of
from augfn.run.constants import cached, constant
from augfn.typing import Degrees3, Fraction, Leaf, Scale, Shift3

AXES = "xyz"
PLANES = ("xy", "xz", "yz")
Spacing3 = Annotated[Any, Leaf("size of a voxel (x, y, z), mm", (3,), neutral=1.0, low=1e-6)]
Degrees6 = Annotated[
    Any, Leaf("degrees, along x with y, x with z, y with x, y with z, z with x, z with y", (6,), neutral=0.0)
]
Corners5 = Annotated[
    Any, Leaf("shift of each corner (x, y, z), in units of distortion_scale * size / 2", (5, 3), low=-1.0, high=1.0)
]


@geometric(ndim=3)
def hflip3d() -> Map:
    """Mirror left and right: x moves to W - 1 - x; voxels are copied exactly. Source: kornia
    `RandomHorizontalFlip3D`.

    >>> af.hflip3d()(torch.arange(8.0).reshape(1, 2, 2, 2))[0].flatten()
    tensor([1., 0., 3., 2., 5., 4., 7., 6.])
    """
    return flip_map((-1.0, 1.0, 1.0), -1)


@geometric(ndim=3)
def vflip3d() -> Map:
    """Mirror top and bottom: y moves to H - 1 - y; voxels are copied exactly. Source: kornia `RandomVerticalFlip3D`.

    >>> af.vflip3d()(torch.arange(8.0).reshape(1, 2, 2, 2))[0].flatten()
    tensor([2., 3., 0., 1., 6., 7., 4., 5.])
    """
    return flip_map((1.0, -1.0, 1.0), -2)


@geometric(ndim=3)
def dflip3d() -> Map:
    """Mirror front and back: z moves to D - 1 - z; voxels are copied exactly. Source: kornia
    `RandomDepthicalFlip3D`.

    >>> af.dflip3d()(torch.arange(8.0).reshape(1, 2, 2, 2))[0].flatten()
    tensor([4., 5., 6., 7., 0., 1., 2., 3.])
    """
    return flip_map((1.0, 1.0, -1.0), -3)


@geometric(ndim=3)
def rot90_3d(frame: Size, *, k: int = 1, plane: str = "xy") -> Map:
    """Turn by k quarters in the plane "xy", "xz" or "yz"; an odd k swaps the plane's two sides; voxels are copied exactly.

    In "xy" counter-clockwise in every slice, as `rot90`; in "xz" the same with z in place of y, in "yz" with z in place of y
    and y in place of x. (So "xy" and "yz" turn as `rotate3d` of +90 about z and x, "xz" as of -90 about y.) `p` needs a plane
    of equal sides or an even k. A random one of several: `af.one_of(af.rot90_3d(k=1),
    af.rot90_3d(k=1, plane="xz"), ...)`. Source: `numpy.rot90`, MONAI `Rotate90`.

    >>> af.rot90_3d()(torch.tensor([[[[1.0, 2.0, 3.0]]]]))[0].flatten()
    tensor([3., 2., 1.])
    """
    if isinstance(k, bool) or not isinstance(k, int):
        raise TypeError(explain("rot90_3d: k", k, "an integer number of quarter turns", "k=1"))
    if plane not in PLANES:
        raise ValueError(explain("rot90_3d: plane", plane, f"one of {', '.join(PLANES)}", 'plane="xy"'))
    first, second = map(AXES.index, plane)
    axes, size = (-second - 1, -first - 1), list(frame)
    if k % 2:
        size[axes[0]], size[axes[1]] = frame[axes[1]], frame[axes[0]]
    turn = Gather(lambda x, *_: quarters(x, k, axes))
    matrix = cached(make_turn, k % 4, first, second)
    return Map.of(matrix, size=tuple(size), gather=turn, axis_aligned=k % 2 == 0, whole=True)


def make_turn(k: int, first: int, second: int) -> Tensor:
    """The matrix of k quarters in the plane of two axes."""
    c, s = [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)][k]
    matrix = torch.eye(4)
    matrix[first, first], matrix[first, second], matrix[second, first], matrix[second, second] = c, -s, s, c
    return matrix


def turn_of(degrees: Tensor, order: str | None, what: str) -> Tensor:
    """The inverse of a rotation by an axis-angle vector, or by Euler angles in an order of axes, `[*b, 3, 3]`."""
    if order is None:
        return axis_angle_matrix(degrees)
    if not isinstance(order, str) or sorted(order) != [*AXES]:
        want = "None (one axis-angle vector), or an order of the axes, 'xyz', 'zyx', ..."
        raise ValueError(explain(f"{what}: order", order, want, 'order="xyz"'))
    each = torch.diag_embed(degrees).unbind(-2)
    first, second, third = (axis_angle_matrix(each[AXES.index(axis)]) for axis in order)
    return first @ second @ third


def in_voxels(turn: Tensor, spacing: Tensor | None) -> Tensor:
    """A matrix `[*b, 3, 3]` of millimetres as that of voxels."""
    return turn if spacing is None else turn * (spacing[..., None, :] / spacing[..., :, None]).to(turn)


@geometric(ndim=3)
def rotate3d(
    *, degrees: Degrees3 = Uniform(-15.0, 15.0), spacing: Spacing3 | None = None, order: str | None = None
) -> Map:
    """Rotate about the centre by the axis-angle vector `degrees` = (x, y, z), or by Euler angles.

    A turn about z looks like `rotate` in every slice: counter-clockwise on the screen for positive degrees; the other
    axes follow by cyclic exchange. `order`: the angles are turns about the frame's axes, one after the other in this order:
    "xyz" turns about x first. (Turns about the body's own axes are those in the reverse order.) `spacing`: the size of a voxel,
    so that nothing is sheared where voxels are not cubes: `spacing=(0.7, 0.7, 5.0)`, or a tensor `[B, 3]`.
    Source: Rodrigues' formula, kornia `RandomRotation3D` (whose sign is the opposite).

    >>> x = {"volume": torch.zeros(1, 1, 5, 5), "keypoints": torch.tensor([[4.0, 2.0, 0.0]])}
    >>> af.rotate3d(degrees=(0.0, 0.0, 90.0))(x)[0]["keypoints"].round(decimals=4).abs()
    tensor([[2., 0., 0.]])
    """
    return Map.linear(in_voxels(turn_of(degrees, order, "rotate3d"), spacing))


@geometric(ndim=3, example={"degrees": (-15, 15), "translate": (-0.1, 0.1), "scale": (0.8, 1.25), "shear": (-8, 8)})
def affine3d(
    frame: Size,
    *,
    degrees: Degrees3 | None = None,
    translate: Shift3 | None = None,
    scale: Scale | None = None,
    scale_y: Scale | None = None,
    scale_z: Scale | None = None,
    shear: Degrees6 | None = None,
    spacing: Spacing3 | None = None,
    order: str | None = None,
) -> Map:
    """Scale, shear and rotate about the centre, then translate by fractions of (width, height, depth); what is not given is
    neutral.

    Signs, `order` and `spacing` as in `rotate3d`, scale > 1 magnifies; `scale_y`, `scale_z` set these factors apart; shears
    as in `shear3d`. Source: kornia `RandomAffine3D`; for millimetres TorchIO `RandomAffine`.

    >>> x = {"volume": torch.zeros(1, 5, 5, 5), "keypoints": torch.tensor([[3.0, 2.0, 1.0]])}
    >>> af.affine3d(scale=2)(x)[0]["keypoints"]
    tensor([[4., 2., 0.]])
    """
    shift = None if translate is None else translate * frame_like(frame, translate)
    turn = None if degrees is None else turn_of(degrees, order, "affine3d")
    if spacing is None:
        return affine_map(turn, shear, zooms(scale, scale_y, scale_z), shift, 3)
    still = affine_map(turn, shear, zooms(scale, scale_y, scale_z), None if shift is None else shift * spacing, 3)
    size = torch.cat([spacing, torch.ones_like(spacing[..., :1])], -1)
    return Map.of(in_voxels(still.matrix, size))


def zooms(x: Tensor | None, y: Tensor | None, z: Tensor | None) -> Tensor | None:
    """Factors `[*b, 1]` or `[*b, 3]`; those that are not given are the first."""
    if y is None and z is None:
        return None if x is None else x.unsqueeze(-1)
    like = next(t for t in (x, y, z) if t is not None)
    x = torch.ones_like(like) if x is None else x
    return torch.stack([x, x if y is None else y, x if z is None else z], -1)


@geometric(ndim=3)
def scale3d(*, scale: Scale = Uniform(0.8, 1.25), scale_y: Scale | None = None, scale_z: Scale | None = None) -> Map:
    """Zoom about the centre by a factor, > 1 magnifies; `scale_y` and `scale_z` set those of the height and depth apart.

    Source: TorchIO `RandomAffine(scales=)`, MONAI `Zoom`.

    >>> x = {"volume": torch.zeros(1, 5, 5, 5), "keypoints": torch.tensor([[3.0, 2.0, 1.0]])}
    >>> af.scale3d(scale=2)(x)[0]["keypoints"]
    tensor([[4., 2., 0.]])
    """
    return affine_map(None, None, zooms(scale, scale_y, scale_z), None, 3)


@geometric(ndim=3)
def translate3d(
    frame: Size, *, translate: Shift3 = Uniform(-0.1, 0.1), unit: str = "fraction", whole: bool = False
) -> Map:
    """Shift by fractions of (width, height, depth), positive to higher indices; unit="pixel": by voxels.

    `whole`: truncated to whole voxels towards 0 (gradient: that of the shift before). Source: kornia `RandomAffine3D`.

    >>> af.translate3d(translate=(1.0, 0.0, 0.0), unit="pixel")(torch.tensor([[[[1.0, 2.0]]]]))[0]
    tensor([[[[0., 1.]]]])
    """
    return affine_map(None, None, None, shift_of(frame, translate, unit, whole, "translate3d"), 3)


@geometric(ndim=3)
def shear3d(*, shear: Degrees6 = Uniform(-10.0, 10.0), spacing: Spacing3 | None = None) -> Map:
    """Shear about the centre by six angles: x with y, x with z, y with x, y with z, z with x, z with y.

    +30 degrees of x with y move a point 10 voxels above the centre 5.8 voxels right, as `shear` does in x. The map back is the
    product of six elementary shears in this order, so that volumes stay, and none of them moves the centre. `spacing` as in
    `rotate3d`. Source: MONAI `Affine(shear_params=)`, whose numbers are slopes.

    >>> above = {"volume": torch.zeros(1, 5, 5, 5), "keypoints": torch.tensor([[2.0, 0.0, 2.0]])}
    >>> af.shear3d(shear=(45.0, 0.0, 0.0, 0.0, 0.0, 0.0))(above)[0]["keypoints"].round(decimals=4)
    tensor([[4., 0., 2.]])
    """
    a = affine_map(None, shear, None, None, 3).matrix[..., :3, :3]
    return Map.linear(in_voxels(a, spacing))


SIGNS = ((-1.0, -1.0, -1.0), (1.0, -1.0, -1.0), (1.0, 1.0, -1.0), (1.0, -1.0, 1.0), (-1.0, 1.0, 1.0))


@geometric(ndim=3, example={"distortion_scale": 0.3})
def perspective3d(frame: Size, *, distortion_scale: Fraction = 0.5, corners: Corners5 = Uniform(-1.0, 0.0)) -> Map:
    """Move five of the eight corners, by corners * distortion_scale * size / 2, which makes the projective map; the others
    follow.

    The five, as (x, y, z) ends: low low low, high low low, high high low, high low high, low high high. Negative shifts go
    inwards. Source: kornia `RandomPerspective3D`, which draws eight and moves these five as drawn.

    >>> low = {"volume": torch.zeros(1, 8, 8, 8), "keypoints": torch.tensor([[0.0, 0.0, 0.0]])}
    >>> af.perspective3d(distortion_scale=0.5, corners=-1)(low)[0]["keypoints"].round(decimals=4)
    tensor([[2., 2., 2.]])
    """
    return moved_corners(frame, constant(SIGNS, corners), corners * distortion_scale[..., None, None], "perspective3d")

"""Geometry of volumes `[*b, C, D, H, W]`: coordinates (x, y, z), z along the depth axis."""

from __future__ import annotations

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.distributions import Uniform
from augfn.math.maps import Map, axis_angle_matrix
from augfn.ops.geometric import flip_map, frame_like
from augfn.run.constants import constant
from augfn.typing import Degrees3, Scale, Shift3

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


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
def rotate3d(*, degrees: Degrees3 = Uniform(-15.0, 15.0)) -> Map:
    """Rotate about the centre by the axis-angle vector `degrees` = (x, y, z).

    A turn about z looks like `rotate` in every slice: counter-clockwise on the screen for positive degrees; the other
    axes follow by cyclic exchange. Source: Rodrigues' formula, kornia `RandomRotation3D` (whose sign is the opposite).

    >>> x = {"volume": torch.zeros(1, 1, 5, 5), "keypoints": torch.tensor([[4.0, 2.0, 0.0]])}
    >>> af.rotate3d(degrees=torch.tensor([0.0, 0.0, 90.0]))(x)[0]["keypoints"].round(decimals=4).abs()
    tensor([[2., 0., 0.]])
    """
    return Map.linear(axis_angle_matrix(degrees))


@geometric(ndim=3, example={"degrees": (-15, 15), "translate": (-0.1, 0.1), "scale": (0.8, 1.25)})
def affine3d(
    frame: Size, *, degrees: Degrees3 | None = None, translate: Shift3 | None = None, scale: Scale | None = None
) -> Map:
    """Scale and rotate about the centre, then translate by fractions of (width, height, depth); what is not given is
    neutral.

    Signs as in `rotate3d`, scale > 1 magnifies. Source: kornia `RandomAffine3D`.

    >>> x = {"volume": torch.zeros(1, 5, 5, 5), "keypoints": torch.tensor([[3.0, 2.0, 1.0]])}
    >>> af.affine3d(scale=2)(x)[0]["keypoints"]
    tensor([[4., 2., 0.]])
    """
    shift = None if translate is None else translate * frame_like(frame, translate)
    like = next(v for v in (scale, shift, degrees) if v is not None)
    turn = constant(IDENTITY, like) if degrees is None else axis_angle_matrix(degrees)
    a = turn if scale is None else turn / scale[..., None, None]
    return Map.linear(a, None if shift is None else -(a @ shift[..., None].to(a.dtype))[..., 0])

"""Geometry of volumes that bends: the maps of `augfn.ops.warp`, in three dimensions."""

from __future__ import annotations

from typing import Annotated, Any

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.distributions import Uniform
from augfn.math.maps import Map
from augfn.ops.warp import Alpha, Half, Smooth, bent_grid, elastic_map, spline_map
from augfn.typing import Leaf

Control3 = Annotated[Any, Leaf("control displacements (x, y, z), before smoothing", (3, 8, 8, 8), low=-1.0, high=1.0)]
Cells3 = Annotated[Any, Leaf("width, height, depth of five cells each, relative", (3, 5), neutral=1.0, low=1e-3)]
Corners9 = Annotated[
    Any, Leaf("shift (x, y, z) of the eight corners and the middle, in units of scale", (9, 3), low=-1.0, high=1.0)
]


@geometric(ndim=3, example={"alpha": (0.01, 0.03)})
def elastic3d(
    frame: Size, *, alpha: Alpha = Uniform(0.0, 0.03), sigma: Smooth = 0.15, control: Control3 = Uniform(-1.0, 1.0)
) -> Map:
    """Displace every voxel by a smooth random field: u_in = u + alpha min(D, H, W) n(u).

    n is the control grid of 8 x 8 x 8 uniform displacements, blurred by a Gaussian of `sigma`, scaled to unit standard deviation
    and interpolated over the frame along cubic curves (drawn by four straight pieces between two control points), so that it
    replays at any resolution and every control point can be edited and learned. Keypoints and boxes follow by Newton's method,
    to rounding; from alpha = 0.3 sigma on parts may fold, where a keypoint that was not found is not visible. Source: Simard et
    al. 2003; MONAI `Rand3DElastic`, TorchIO `RandomElasticDeformation`.

    >>> y, params = af.elastic3d()(torch.rand(1, 8, 8, 8), None, af.key(0))
    >>> params["control"].shape
    torch.Size([3, 8, 8, 8])
    """
    return elastic_map(frame, alpha, sigma, control, "elastic3d")


@geometric(ndim=3)
def grid_distortion3d(frame: Size, *, cells: Cells3 = Uniform(0.7, 1.3)) -> Map:
    """Move the planes of a grid of 5 x 5 x 5 cells: each slab of the output shows a share of the input in proportion to its
    entry of `cells` (rows x, y, z).

    The shares are normalised, so that the frame's border stays; equal cells are the identity (those of MONAI are not).
    Keypoints and boxes follow exactly. Source: MONAI `GridDistortion`.

    >>> f = af.grid_distortion3d(cells=torch.tensor([[2.0, 1.0, 1.0, 1.0, 1.0], [1.0] * 5, [1.0] * 5]))
    >>> f(torch.arange(6.0).expand(1, 2, 2, 6))[0][0, 0, 0].round(decimals=4)
    tensor([0.0000, 1.6667, 2.5000, 3.3333, 4.1667, 5.0000])
    """
    return bent_grid(frame, cells, "grid_distortion3d")


@geometric(ndim=3)
def thin_plate_spline3d(frame: Size, *, scale: Half = 0.2, control: Corners9 = Uniform(-1.0, 1.0)) -> Map:
    """Move the eight corners and the middle of the frame by `control * scale * size / 2`, and bend the rest smoothly.

    The corners are in the order of their ends, z fastest: (low, low, low), (low, low, high), ..., (high, high, high), as (x, y,
    z). The map back is a spline with the kernels r at the unmoved points, the three-dimensional thin plate. Source: Bookstein
    1989.

    >>> middle = {"volume": torch.zeros(1, 5, 5, 5), "keypoints": torch.tensor([[2.0, 2.0, 2.0]])}
    >>> to_the_right = torch.tensor([[0.0, 0.0, 0.0]] * 8 + [[1.0, 0.0, 0.0]])
    >>> af.thin_plate_spline3d(scale=0.2, control=to_the_right)(middle)[0]["keypoints"].round(decimals=4)
    tensor([[2.5000, 2.0000, 2.0000]])
    """
    return spline_map(frame, control * scale[..., None, None])

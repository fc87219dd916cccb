"""Geometry that bends: displacement fields and curved maps."""

from __future__ import annotations

import functools
import itertools
from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math.maps import Map
from augfn.math.stages import Analytic, Apart, Displacement, Lines
from augfn.run.constants import constant
from augfn.typing import Leaf

Alpha = Annotated[
    Any, Leaf("fraction of the shorter side: the field's standard deviation", neutral=0.0, low=0.0, high=1.0)
]
Smooth = Annotated[Any, Leaf("fraction of the shorter side: the field's smoothness", low=0.0, high=1.0)]
Control = Annotated[Any, Leaf("control displacements (x, y), before smoothing", (2, 8, 8), low=-1.0, high=1.0)]
Coarse = Annotated[Any, Leaf("control displacements (x, y), in units of scale", (2, 4, 4), low=-1.0, high=1.0)]
Reach = Annotated[Any, Leaf("fraction of the shorter side: the largest displacement", neutral=0.0, low=0.0)]
Cells = Annotated[
    Any, Leaf("width of the five columns, height of the five rows, relative", (2, 5), neutral=1.0, low=1e-3)
]
Radial = Annotated[Any, Leaf("radial coefficient, with radius 1 at the corners", neutral=0.0, low=-1 / 3)]
Centre = Annotated[Any, Leaf("coordinate, -1 = left or top, 1 = right or bottom")]
Exponent = Annotated[Any, Leaf("exponent of the radius", low=1e-3)]
Corners5 = Annotated[
    Any, Leaf("shift (x, y) of the four corners and the middle, in units of scale", (5, 2), low=-1.0, high=1.0)
]
Half = Annotated[Any, Leaf("fraction of half the size", neutral=0.0, low=0.0)]


@geometric(example={"alpha": (0.01, 0.03)})
def elastic(
    frame: Size, *, alpha: Alpha = Uniform(0.0, 0.03), sigma: Smooth = 0.1, control: Control = Uniform(-1.0, 1.0)
) -> Map:
    """Displace every pixel by a smooth random field: u_in = u + alpha min(H, W) n(u).

    n is the control grid of 8 x 8 uniform displacements, blurred by a Gaussian of `sigma`, scaled to unit standard
    deviation and interpolated (cubic) over the frame: so it replays at any resolution, and every control point can be
    edited and learned. Keypoints and boxes follow by Newton's method, to rounding; from alpha = 0.3 sigma on parts of
    the image may fold, where a keypoint that was not found is not visible. torchvision's `ElasticTransform` with alpha,
    sigma in pixels has the standard deviation alpha / (4 sigma sqrt(3 pi)) pixels. Source: Simard et al. 2003.

    >>> y, params = af.elastic()(torch.rand(3, 16, 16), None, af.key(0))
    >>> params["control"].shape
    torch.Size([2, 8, 8])
    """
    return elastic_map(frame, alpha, sigma, control, "elastic")


def elastic_map(frame: Size, alpha: Tensor, sigma: Tensor, control: Tensor, what: str) -> Map:
    large_enough(frame, what)
    field = smooth(control, sigma)
    return Map((Displacement(field * (alpha * min(frame)).reshape(*alpha.shape, *[1] * (len(frame) + 1)), frame),))


def large_enough(frame: Size, what: str) -> None:
    if min(frame) < 2:
        want = f"at least {' x '.join('2' * len(frame))} pixels"
        raise ValueError(explain(f"{what}: the frame is too small", frame, want, "resize first"))


def smooth(control: Tensor, sigma: Tensor) -> Tensor:
    """Blur a grid of uniform noise `[*b, d, g, g[, g]]` by a Gaussian (sigma in fractions of the grid), to unit standard
    deviation."""
    n = control.shape[-1]
    step = torch.arange(n, dtype=sigma.dtype, device=sigma.device)
    distance = (step[:, None] - step) ** 2 / (n - 1) ** 2
    kernel: Any = torch.exp(-distance / (2 * sigma[..., None, None] ** 2 + 1e-8))
    axes = control.shape[sigma.ndim]
    kernel = 3 ** (0.5 / axes) * kernel / kernel.square().sum(-1, keepdim=True).sqrt()
    kernel = kernel[..., None, :, :].to(control.dtype)
    if axes == 2:
        return kernel @ control @ kernel.transpose(-1, -2)
    planes = kernel.unsqueeze(-3) @ control @ kernel.unsqueeze(-3).transpose(-1, -2)
    return (kernel @ planes.flatten(-2)).unflatten(-1, (n, n))


@geometric
def piecewise_affine(frame: Size, *, scale: Reach = Uniform(0.0, 0.05), control: Coarse = Uniform(-1.0, 1.0)) -> Map:
    """Move a grid of 4 x 4 points, and what lies between them linearly: u_in = u + scale min(H, W) n(u).

    n interpolates `control` bilinearly over the frame (albumentations splits each cell into two triangles). Keypoints
    and boxes follow by Newton's method, below 0.01 px; above scale = 0.08 parts of the image may fold, where a keypoint
    that was not found is not visible. Source: albumentations `PiecewiseAffine`, scikit-image.

    >>> f = af.piecewise_affine(scale=0.25, control=torch.tensor([1.0, 0.0])[:, None, None].expand(2, 4, 4))
    >>> f(torch.eye(4)[None])[0][0, 0]
    tensor([0., 0., 0., 0.])
    """
    large_enough(frame, "piecewise_affine")
    field = control * (scale * min(frame))[..., None, None, None]
    return Map((Displacement(field, frame, linear=True),))


@geometric
def grid_distortion(frame: Size, *, cells: Cells = Uniform(0.7, 1.3)) -> Map:
    """Move the lines of a grid of 5 x 5 cells: each column and row of the output shows a share of the input in
    proportion to its entry of `cells`.

    The shares are normalised, so that the frame's border stays. Keypoints and boxes follow exactly. Source:
    albumentations `GridDistortion(num_steps=5)` with its default `normalized=True`.

    >>> f = af.grid_distortion(cells=torch.tensor([[2.0, 1.0, 1.0, 1.0, 1.0], [1.0] * 5]))
    >>> f(torch.arange(6.0).expand(1, 6, 6))[0][0, 0].round(decimals=4)
    tensor([0.0000, 1.6667, 2.5000, 3.3333, 4.1667, 5.0000])
    """
    return bent_grid(frame, cells, "grid_distortion")


def bent_grid(frame: Size, cells: Tensor, what: str) -> Map:
    large_enough(frame, what)
    n = cells.shape[-1]
    share = cells / cells.mean(-1, keepdim=True) - 1
    extent = frame_less_one(frame, cells)[:, None]
    knots = (torch.linspace(-0.5, 0.5, n + 1, dtype=cells.dtype, device=cells.device) * extent).expand(
        *cells.shape[:-1], n + 1
    )
    moved = torch.nn.functional.pad(share.cumsum(-1), (1, 0)) * (extent / n)
    return Map((Lines(knots, knots + moved),))


def frame_less_one(frame: Size, like: Tensor) -> Tensor:
    """The distance (x, y) between the first and the last pixel's centres."""
    return constant(tuple(float(max(n - 1, 1)) for n in reversed(frame)), like)


@geometric
def optical_distortion(frame: Size, *, k: Radial = Uniform(-0.2, 0.2)) -> Map:
    """Radial lens distortion about the centre: u_in = u (1 + k r^2), with r = 1 at the frame's corners.

    k > 0 is a barrel (the border moves inwards), k < 0 a pincushion; below -1/3 the corners would fold. Beyond them
    the radius goes on linearly. albumentations' coefficient, for a radius in widths, is k (2 W)^2 / (W^2 + H^2).
    Source: Brown 1966, albumentations `OpticalDistortion`.

    >>> corner = {"image": torch.zeros(1, 5, 5), "keypoints": torch.tensor([[0.0, 0.0]])}
    >>> af.optical_distortion(k=0.5)(corner)[0]["keypoints"].round(decimals=3)
    tensor([[0.3560, 0.3560]])
    """
    return Map((Analytic(radial_offset, k.unsqueeze(-1), frame),))


def radial_offset(u: Apart, size: Size, values: Tensor) -> Apart:
    x, y = u
    square = (x * x + y * y) * (4 / sum(n * n for n in size))
    beyond = 3 - 2 * square.clamp(min=1.0).rsqrt()  # the tangent at the corners: nothing folds there
    factor = torch.where(square < 1, square, beyond) * values
    return x * factor, y * factor


@geometric(example={"center_x": (-0.1, 0.1), "center_y": (-0.1, 0.1)})
def fisheye(
    frame: Size,
    *,
    center_x: Centre = Uniform(-0.3, 0.3),
    center_y: Centre = Uniform(-0.3, 0.3),
    gamma: Exponent = Uniform(0.9, 1.0),
) -> Map:
    """Shrink by the distance r from a centre: u_in = u (1 + r^gamma).

    Coordinates are -1 and 1 at the first and last pixels' centres. The centre sets where r = 0; what shrinks, shrinks
    towards the middle of the frame. Source: kornia `RandomFisheye`.

    >>> corner = {"image": torch.zeros(1, 5, 5), "keypoints": torch.tensor([[0.0, 2.0]])}
    >>> af.fisheye(center_x=0, center_y=0, gamma=1)(corner)[0]["keypoints"].round(decimals=4)
    tensor([[0.7639, 2.0000]])
    """
    return Map((Analytic(fisheye_offset, torch.stack([center_x, center_y, gamma], -1), frame),))


def fisheye_offset(u: Apart, size: Size, values: Tensor) -> Apart:
    centre_x, centre_y, gamma = values.split_with_sizes((1, 1, 1), -1)
    x, y = (v * (2 / max(n - 1, 1)) - c for v, n, c in zip(u, reversed(size), (centre_x, centre_y), strict=True))
    square = torch.addcmul(y * y + 1e-12, x, x)  # the power has no slope at 0
    power = (square.log() * (gamma / 2)).exp()
    return u[0] * power, u[1] * power


@geometric
def thin_plate_spline(frame: Size, *, scale: Half = 0.2, control: Corners5 = Uniform(-1.0, 1.0)) -> Map:
    """Move the corners and the middle of the frame by `control * scale * size / 2`, and bend the rest smoothly.

    The points: top left, bottom left, top right, bottom right, middle. The map back is a thin plate spline with its
    kernels r^2 log r at the unmoved points. Source: Bookstein 1989, kornia `RandomThinPlateSpline`.

    >>> middle = {"image": torch.zeros(1, 5, 5), "keypoints": torch.tensor([[2.0, 2.0]])}
    >>> to_the_right = torch.tensor([[0.0, 0.0]] * 4 + [[1.0, 0.0]])
    >>> af.thin_plate_spline(scale=0.2, control=to_the_right)(middle)[0]["keypoints"].round(decimals=4)
    tensor([[2.5000, 2.0000]])
    """
    return spline_map(frame, control * scale[..., None, None])


def centres(d: int) -> tuple[tuple[float, ...], ...]:
    """The corners, the last axis fastest, and the middle, of a frame from -1 to 1."""
    return (*itertools.product((-1.0, 1.0), repeat=d), (0.0,) * d)


def spline_map(frame: Size, shift: Tensor) -> Map:
    return Map((Analytic(spline_offset, spline_weights(shift).flatten(-2), frame),))


def spline_weights(shift: Tensor) -> Tensor:
    """Weights `[*b, n + 1 + d, d]` of the n kernels, 1, x, y[, z], of the spline that takes each of n moved points back."""
    d = shift.shape[-1]
    points = constant(centres(d), shift) + shift
    flat = torch.cat([torch.ones_like(points[..., :1]), points], -1)
    below = torch.cat([flat.transpose(-1, -2), torch.zeros_like(flat[..., : d + 1, :])], -1)
    kernels = spline_kernels(points.unbind(-1)).transpose(-1, -2)
    system = torch.cat([torch.cat([kernels, flat], -1), below], -2)
    return torch.linalg.solve_ex(system, torch.cat([-shift, torch.zeros_like(shift[..., : d + 1, :])], -2)).result


def spline_kernels(x: Apart) -> Tensor:
    """r^2 log r (in 3-D r) from the n centres to each point `[*b, m]`, `[*b, n, m]`."""
    at = constant(centres(len(x)), x[0]).unsqueeze(-1).unbind(-2)
    square = functools.reduce(torch.add, [(v.unsqueeze(-2) - c).square() for v, c in zip(x, at, strict=True)])
    if len(x) == 3:
        return (square + 1e-20).sqrt()
    return 0.5 * square * torch.log(square + 1e-20)


def spline_offset(u: Apart, size: Size, values: Tensor) -> Apart:
    d, halves = len(size), [n / 2 for n in reversed(size)]
    x = tuple(v / half for v, half in zip(u, halves, strict=True))
    terms = torch.cat([spline_kernels(x), torch.stack([torch.ones_like(x[0]), *x], -2)], -2)
    shifts = (values.unflatten(-1, (-1, d)).transpose(-1, -2) @ terms).unbind(-2)
    return tuple(v * half for v, half in zip(shifts, halves, strict=True))

"""Blurs that have a cause: a moving or unfocused camera, a zooming lens, a pane of glass."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn import random
from augfn.core.augmentation import filtering
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import conv, kernels
from augfn.math.maps import centred
from augfn.math.shapes import common_shape, one_batch, shaped
from augfn.math.variates import seed_key
from augfn.ops.filters import odd_size
from augfn.run.constants import constant
from augfn.run.sampler import grid_sample
from augfn.typing import Leaf, Scale, Seed, Sigma

Angle = Annotated[Any, Leaf("degrees, counter-clockwise")]
Angle3 = Annotated[Any, Leaf("degrees, axis-angle (x, y, z)", (3,))]
Direction = Annotated[Any, Leaf("-1: all weight ahead, 0: even, 1: all weight behind", low=-1.0, high=1.0)]
Length = Annotated[Any, Leaf("pixels", low=1.0)]
Radius = Annotated[Any, Leaf("pixels", neutral=0.0, low=0.0)]


@filtering(convolves=True, planar=True, example={"length": (2.0, 5.0)})
def motion_blur(
    x: Tensor,
    *,
    kernel_size: int = 5,
    angle: Angle = Uniform(-90.0, 90.0),
    direction: Direction = Uniform(-1.0, 1.0),
    length: Length | None = None,
    padding_mode: str = "reflect",
) -> Tensor:
    """Blur along a streak of `length` pixels (all of `kernel_size`, odd, where it is not given), turned by `angle`.

    Its weight falls linearly from one end to the other: even at direction 0, zero at one end at 1 and at the other at
    -1. Smooth in all leaves. A volume slice by slice. Source: kornia `RandomMotionBlur` with resample="bilinear".

    >>> spike = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]]).reshape(1, 1, 5)
    >>> af.motion_blur(kernel_size=3, angle=0.0, direction=0.0, padding_mode="border")(spike)[0]
    tensor([[[0.0000, 0.3333, 0.3333, 0.3333, 0.0000]]])
    """
    size = odd_size(kernel_size, "motion_blur")
    extent = torch.full_like(angle, size) if length is None else length
    return conv.dense(x, kernels.motion_kernel(angle, direction, extent, size), padding_mode)


@filtering(ndim=3, convolves=True, example={"length": (2.0, 5.0)})
def motion_blur3d(
    x: Tensor,
    *,
    kernel_size: int = 5,
    angle: Angle3 = Uniform(-90.0, 90.0),
    direction: Direction = Uniform(-1.0, 1.0),
    length: Length | None = None,
    padding_mode: str = "reflect",
) -> Tensor:
    """Blur a volume along a streak of `length` voxels (all of `kernel_size`, odd, where it is not given).

    The streak lies along x, turned by the axis-angle vector `angle` = (x, y, z) in degrees as `rotate3d` turns:
    counter-clockwise about z for positive ones. Its weight falls as that of `motion_blur`; smooth in all leaves. Source:
    kornia `RandomMotionBlur3D` with resample="bilinear", whose sign of the angle is the opposite.

    >>> spike = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).reshape(1, 5, 1, 1)
    >>> y = af.motion_blur3d(kernel_size=3, angle=(0.0, 90.0, 0.0), direction=0.0, padding_mode="border")(spike)[0]
    >>> y.flatten()
    tensor([0.0000, 0.3333, 0.3333, 0.3333, 0.0000])
    """
    size = odd_size(kernel_size, "motion_blur3d")
    extent = torch.full_like(direction, size) if length is None else length
    return conv.dense3d(x, kernels.motion_kernel3d(angle, direction, extent, size), padding_mode)


@filtering(convolves=True, planar=True)
def defocus(
    x: Tensor, *, kernel_size: int = 9, radius: Radius = Uniform(1.0, 4.0), padding_mode: str = "reflect"
) -> Tensor:
    """Out of focus: average over a disk of `radius` pixels with a soft edge, k(r) = clamp(radius + 1/2 - r, 0, 1).

    The disk is cut off at `kernel_size` (odd, at least 2 radius + 1 holds it all); a radius up to 1/2 is the identity,
    with a gradient of zero. A volume slice by slice. Source: albumentations `Defocus`, Hendrycks & Dietterich 2019.

    >>> spike = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).diag()[None]
    >>> af.defocus(kernel_size=3, radius=1.0)(spike)[0][0, 2]
    tensor([0.0000, 0.1496, 0.2991, 0.1496, 0.0000])
    """
    size = odd_size(kernel_size, "defocus")
    return conv.dense(x, kernels.disk_kernel(radius, size), padding_mode)


@filtering(planar=True)
def zoom_blur(x: Tensor, *, factor: Scale = Uniform(1.0, 1.2), steps: int = 8) -> Tensor:
    """A lens that zooms: the mean of `steps` copies, zoomed about the centre by factor^(k / (steps - 1)), k = 0, 1, ...

    `steps` is a power of two: each doubling averages with one more zoom, so three zooms make eight copies. A volume
    slice by slice. Source: albumentations `ZoomBlur`, Hendrycks & Dietterich 2019.

    >>> af.zoom_blur(factor=1.0)(torch.tensor([[[0.0, 1.0]]]))[0]
    tensor([[[0., 1.]]])
    """
    if not isinstance(steps, int) or steps < 2 or steps & (steps - 1):
        raise ValueError(explain("zoom_blur: bad steps", steps, "a power of two, at least 2", "steps=8"))
    ratio = factor ** (1 / (steps - 1))
    for doubling in range(steps.bit_length() - 1):
        x = torch.lerp(x, zoomed(x, ratio ** (2**doubling)), 0.5)
    return x


def zoomed(x: Tensor, factor: Tensor) -> Tensor:
    """`x [*b, k, H, W]`, magnified about its centre."""
    return sampled(x, centre_grid(x) / factor[..., None, None, None])


@filtering(planar=True)
def glass_blur(
    x: Tensor,
    *,
    kernel_size: Any = 5,
    delta: Radius = Uniform(0.5, 2.0),
    sigma: Sigma = Uniform(0.3, 0.8),
    seed: Seed = Uniform(0.0, 1.0),
) -> Tensor:
    """Frosted glass: every pixel is read up to `delta` pixels away, each at its own place, then blurred by a Gaussian.

    y(u) = blur(x(u + delta n(u))), n uniform in [-1, 1] along both axes, drawn from the leaf `seed`: one pane for all
    channels, for all frames of a video and all slices of a volume. Source: albumentations `GlassBlur` (which swaps
    neighbours), Hendrycks & Dietterich 2019.

    >>> y, _ = af.glass_blur()(torch.rand(3, 16, 16), None, af.key(0))
    >>> y.shape
    torch.Size([3, 16, 16])
    """
    size = odd_size(kernel_size, "glass_blur")
    h, w = x.shape[-2:]
    field = 2 * pane(seed, (h, w, 2)) - 1
    reach = delta[..., None, None, None] * constant((2 / w, 2 / h), x)
    moved = sampled(x, centre_grid(x) + reach * field.to(x.dtype))
    return conv.separable(moved, [conv.gaussian_kernel1d(sigma, size, x.dtype)] * 2)


def pane(seed: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Uniform numbers in [0, 1), `[*b, *shape]`, from two uniform numbers."""
    return random.uniform_field(random.fold_in(seed_key(seed), random.salt("glass") & 0x7FFFFFFF), shape)


def centre_grid(x: Tensor) -> Tensor:
    """Normalised coordinates `[H, W, 2]` of the pixels of `x [..., H, W]`."""
    h, w = x.shape[-2:]
    rows, columns = (centred(n, x.dtype, x.device) * (2 / n) for n in (h, w))
    return torch.stack([columns.expand(h, w), rows[:, None].expand(h, w)], -1)


def sampled(x: Tensor, grid: Tensor) -> Tensor:
    """`x [*b, k, H, W]` read at `grid [*b, H, W, 2]`, the border repeated outside."""
    batch = common_shape(x.shape[:-3], grid.shape[:-3])
    out = grid_sample(one_batch(x, batch, 3), one_batch(grid, batch, 3), "bilinear", "border", False)
    return shaped(out, batch + out.shape[1:])

"""Filters: every pixel from its neighbourhood."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any

from torch import Tensor
from torch.nn import functional as F

from augfn.core.actions import Size
from augfn.core.augmentation import filtering
from augfn.core.spec import is_whole
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import conv, kernels
from augfn.math import median as median_of
from augfn.math.kspace import along, thick
from augfn.math.lines import cells
from augfn.math.shapes import over
from augfn.run.constants import cached, make_eye
from augfn.typing import Factor, Leaf, Sigma

Width = Annotated[Any, Leaf("pixels", neutral=1.0, low=0.0)]
Amount = Annotated[Any, Leaf("share of the detail that is added", neutral=0.0)]
Cutoff = Annotated[Any, Leaf("radians per pixel, pi = the finest waves", low=0.0)]
Resolution = Annotated[Any, Leaf("fraction of the resolution", neutral=1.0, low=1e-3, high=1.0)]
SHORT = 256  # voxels along an axis of a volume: up to here one matrix along it is faster than running sums


def odd_sizes(kernel_size: Any, axes: int, what: str) -> tuple[int, ...]:
    """Kernel sizes, one per axis, from an int or a sequence."""
    sizes = tuple(kernel_size) if isinstance(kernel_size, list | tuple) else (kernel_size,) * axes
    if len(sizes) != axes or not all(is_odd(n) for n in sizes):
        expected = f"an odd number, or {axes} of them"
        raise ValueError(explain(f"{what}: bad kernel_size", kernel_size, expected, "kernel_size=5"))
    return sizes


def for_each(sizes: tuple[int, ...], make: Callable[[int], Tensor]) -> list[Tensor]:
    """A kernel for each axis, made once for those of one size."""
    made = {n: make(n) for n in dict.fromkeys(sizes)}
    return [made[n] for n in sizes]


def is_odd(n: Any) -> bool:
    return is_whole(n) and n > 0 and n % 2 == 1


def odd_size(kernel_size: Any, what: str) -> int:
    """The side of a square kernel."""
    if not is_odd(kernel_size):
        raise ValueError(explain(f"{what}: bad kernel_size", kernel_size, "one odd number", "kernel_size=5"))
    return kernel_size


@filtering(convolves=True)
def gaussian_blur(
    x: Tensor,
    *,
    kernel_size: Any = 5,
    sigma: Sigma = Uniform(0.1, 2.0),
    sigma_y: Sigma | None = None,
    sigma_z: Sigma | None = None,
    padding_mode: str = "reflect",
) -> Tensor:
    """Blur by a Gaussian of `sigma` pixels, cut off at `kernel_size` (odd; an int, or one per axis, slowest first).

    Works on volumes too. `sigma_y` and `sigma_z` set those of the height and the depth apart. sigma = 0 is the identity.
    Source: torchvision `gaussian_blur`.

    >>> spike = torch.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0]]])
    >>> af.gaussian_blur(kernel_size=(1, 3), sigma=1.0)(spike)[0]
    tensor([[[0.0000, 0.2741, 0.4519, 0.2741, 0.0000]]])
    """
    axes = x.ndim - sigma.ndim - 1
    sizes = odd_sizes(kernel_size, axes, "gaussian_blur")
    if sigma_z is not None and axes == 2:
        raise ValueError(explain("gaussian_blur: sigma_z of an image", sigma_z, "a volume", "leave sigma_z out"))
    if sigma_y is None and sigma_z is None:
        return conv.separable(x, for_each(sizes, lambda n: conv.gaussian_kernel1d(sigma, n, x.dtype)), padding_mode)
    own = [sigma if s is None else s for s in (sigma_z, sigma_y, None)][-axes:]
    each = [conv.gaussian_kernel1d(s, n, x.dtype) for s, n in zip(own, sizes, strict=True)]
    return conv.separable(x, each, padding_mode)


@filtering(convolves=True)
def box_blur(
    x: Tensor, *, kernel_size: Any = 5, width: Width = Uniform(1.0, 5.0), padding_mode: str = "reflect"
) -> Tensor:
    """Average over a box of `width` pixels, any real number, cut off at `kernel_size` (odd; an int, or one per axis).

    Each pixel counts by how much of it the box covers. A width of at least `kernel_size` averages over all of the
    kernel, a width up to 1 is the identity: there the gradient is zero. Works on volumes too. Source: kornia
    `RandomBoxBlur`, at width = kernel_size.

    >>> spike = torch.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0]]])
    >>> af.box_blur(kernel_size=(1, 3), width=2.0)(spike)[0]
    tensor([[[0.0000, 0.2500, 0.5000, 0.2500, 0.0000]]])
    """
    sizes = odd_sizes(kernel_size, x.ndim - width.ndim - 1, "box_blur")
    return conv.separable(x, for_each(sizes, lambda n: conv.box_kernel1d(width, n, x.dtype)), padding_mode)


@filtering
def median_blur(x: Tensor, frame: Size, *, kernel_size: Any = 3, padding_mode: str = "reflect") -> Tensor:
    """The median of `kernel_size` pixels (odd; an int, or rows and columns), of a volume slice by slice; or of a box.

    A box is three numbers, slices, rows and columns: (3, 3, 3) in a volume. The gradient goes to the pixel that is the
    median. Source: kornia `RandomMedianBlur`, MONAI `MedianSmooth`.

    >>> af.median_blur(kernel_size=(1, 3))(torch.tensor([[[0.0, 3.0, 1.0, 2.0, 0.0]]]))[0]
    tensor([[[3., 1., 2., 1., 2.]]])
    """
    if isinstance(kernel_size, list | tuple) and len(kernel_size) == 3:
        sizes = odd_sizes(kernel_size, 3, "median_blur")
        if len(frame) != 3:
            given, want = f"{kernel_size} for a frame {list(frame)}", "a volume for a box"
            fix = f'kernel_size={tuple(kernel_size[1:])}, or f({{"volume": x}})'
            raise ValueError(explain("median_blur: bad kernel_size", given, want, fix))
        return median_of.median3d(x, sizes, padding_mode)  # type: ignore[arg-type]
    rows, columns = odd_sizes(kernel_size, 2, "median_blur")
    return median_of.median(x, rows, columns, padding_mode)


@filtering(clip="clamp", planar=True)
def sharpness(x: Tensor, *, factor: Factor = Uniform(0.5, 1.5)) -> Tensor:
    """Blend with a smoothed image: y = factor x + (1 - factor) smooth(x); 0 smooths, above 1 sharpens.

    smooth is the kernel ((1, 1, 1), (1, 5, 1), (1, 1, 1)) / 13; a border of one pixel stays as it is. A volume slice by
    slice. Source: torchvision `adjust_sharpness`, kornia `RandomSharpness`.

    >>> af.sharpness(factor=0.0)(torch.eye(3)[None])[0][0, 1, 1]
    tensor(0.5385)
    """
    h, w = x.shape[-2:]
    if min(h, w) < 3:
        return x + 0 * over(x, factor)
    columns = x[..., :-2] + x[..., 1:-1] + x[..., 2:]
    nine = columns[..., :-2, :] + columns[..., 1:-1, :] + columns[..., 2:, :]
    detail = (x[..., 1:-1, 1:-1] * 9 - nine) * ((over(x, factor) - 1) / 13)
    return x + F.pad(detail, (1, 1, 1, 1))


@filtering(clip="clamp")
def unsharp_mask(
    x: Tensor,
    *,
    kernel_size: Any = 5,
    sigma: Sigma = Uniform(0.1, 2.0),
    amount: Amount = Uniform(0.2, 0.5),
    padding_mode: str = "reflect",
) -> Tensor:
    """Add what a Gaussian blur takes away: y = x + amount (x - blur(x)). Works on volumes too.

    `kernel_size` and `sigma` as in `gaussian_blur`. Source: albumentations `UnsharpMask` without its threshold; kornia
    `unsharp_mask` at amount 1, unclipped.

    >>> spike = torch.tensor([[[0.2, 0.2, 0.5, 0.2, 0.2]]])
    >>> af.unsharp_mask(kernel_size=(1, 3), sigma=1.0, amount=1.0)(spike)[0]
    tensor([[[0.2000, 0.1178, 0.6644, 0.1178, 0.2000]]])
    """
    sizes = odd_sizes(kernel_size, x.ndim - sigma.ndim - 1, "unsharp_mask")
    blurred = conv.separable(x, for_each(sizes, lambda n: conv.gaussian_kernel1d(sigma, n, x.dtype)), padding_mode)
    return x + over(x, amount) * (x - blurred)


@filtering(clip="clamp", convolves=True, planar=True)
def ringing(
    x: Tensor,
    *,
    kernel_size: int = 9,
    cutoff: Cutoff = Uniform(math.pi / 4, math.pi / 2),
    padding_mode: str = "reflect",
) -> Tensor:
    """Ripples beside edges: the ideal low-pass k(r) = J1(cutoff r) / (cutoff r), cut off at `kernel_size` (odd).

    Waves above `cutoff` radians per pixel are removed; the larger the kernel, the farther the ripples. A volume slice
    by slice. Source: albumentations `RingingOvershoot`; the sinc filter of Real-ESRGAN (Wang et al. 2021).

    >>> edge = (torch.arange(16) >= 8).float().expand(1, 16, 16)
    >>> af.ringing(cutoff=1.5, clip="none")(edge)[0].amax() > 1.05
    tensor(True)
    """
    size = odd_size(kernel_size, "ringing")
    return conv.dense(x, kernels.lowpass_kernel(cutoff, size), padding_mode)


@filtering
def downscale(
    x: Tensor,
    frame: Size,
    *,
    factor: Resolution = Uniform(0.25, 0.75),
    interpolation: str = "nearest",
    axes: Any = None,
    reduce: str = "mean",
) -> Tensor:
    """Lose resolution: average over cells of 1 / factor pixels, and back to full size by "nearest" or "bilinear".

    The lattice of cells starts at the first corner, and `factor` is any real number. The gradient is that of the cells'
    edges: with "nearest" it does not know of the pixels that jump from a cell to the next, with "bilinear" the result
    is continuous and the gradient whole. Works on volumes too; `axes` are those along which it is lost, "x", "y", of a
    volume "z", or a tuple of them; None: all. reduce="nearest" takes the middle pixel of round(n factor) equal cells of an
    axis of n pixels in place of the average, with a gradient of 0 to `factor`. Source: albumentations `Downscale`,
    averaged; nnU-Net `SimulateLowResolutionTransform` is interpolation="bilinear", reduce="nearest".

    >>> af.downscale(factor=0.5)(torch.tensor([[[0.0, 1.0], [1.0, 1.0]]]))[0]
    tensor([[[0.7500, 0.7500],
             [0.7500, 0.7500]]])
    """
    if interpolation not in ("nearest", "bilinear"):
        expected = "'nearest' or 'bilinear'"
        raise ValueError(explain("downscale: bad interpolation", interpolation, expected, "choose one of them"))
    if reduce not in ("mean", "nearest"):
        raise ValueError(explain("downscale: bad reduce", reduce, "'mean' or 'nearest'", "choose one of them"))
    smooth = interpolation == "bilinear"
    for axis in axes_of("downscale", axes, frame):
        n = frame[axis]
        if reduce == "mean" and len(frame) == 3 and n <= SHORT:
            eye = cached(make_eye, n, x.dtype, x.device).expand(*factor.shape, n, n)
            x = along(cells(eye, 1 / factor, -2, smooth), x, axis)
        elif reduce == "mean":
            x = cells(x, 1 / factor, axis, smooth)
        else:
            count = (n * factor.detach()).round().clamp(min=1)
            x = thick(x, count, n / count, axis, smooth)
    return x


def axes_of(what: str, axes: Any, frame: Size) -> tuple[int, ...]:
    """Axes by their names, one or several, or None for all; counted from the end, slowest first."""
    if axes is None:
        return tuple(range(-len(frame), 0))
    given = axes if isinstance(axes, list | tuple) else (axes,)
    if not given:
        raise ValueError(explain(f"{what}: no axes", axes, "one or several of 'x', 'y' and 'z'", 'axes="z"'))
    return tuple(sorted({axis_of(what, axis, frame) for axis in given}))


def axis_of(what: str, axis: Any, frame: Size) -> int:
    """An axis by its name, counted from the end."""
    names = ("x", "y", "z")[: len(frame)]
    if axis not in names:
        kind = "an image" if len(frame) == 2 else "a volume"
        want = f"one of {', '.join(map(repr, names))}, the axes of {kind}"
        fix = '"y", or a volume: f({"volume": x})' if axis == "z" else 'axis="y"'
        raise ValueError(explain(f"{what}: bad axis", axis, want, fix))
    return -1 - names.index(axis)

"""Filters: kornia's names and shorthands, and albumentations' filters under names like them."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

import augfn as af
from augfn.distributions import Span
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import is_number, only, padding_name


@derive(af.gaussian_blur)
def RandomGaussianBlur(kernel_size: Any, sigma: Range = (0.1, 2.0), border_type: Any = "reflect") -> Any:
    """Blur by a Gaussian of `sigma` pixels, (low, high), a number is fixed; `kernel_size` odd, or (kh, kw)."""
    name = padding_name(border_type)
    return {"kernel_size": kernel_size, "sigma": sigma, "padding_mode": "zeros" if name == "constant" else name}


def border_mode(name: Any) -> str | None:
    mode = padding_name(name)
    return "zeros" if mode == "constant" else mode


@derive(af.box_blur)
def RandomBoxBlur(kernel_size: Any = (3, 3), border_type: Any = "reflect", normalized: bool = True) -> Any:
    """Average over `kernel_size` pixels, odd, or (kh, kw)."""
    only("RandomBoxBlur: normalized", normalized, (True,), "leave it out: the kernel sums to one")
    widest = float(kernel_size if is_number(kernel_size) else max(kernel_size))
    return {"kernel_size": kernel_size, "width": widest, "padding_mode": border_mode(border_type)}


@derive(af.median_blur)
def RandomMedianBlur(kernel_size: Any = (3, 3)) -> Any:
    """The median of `kernel_size` pixels, odd, or (kh, kw); reflected at the border."""
    return {"kernel_size": kernel_size}


@derive(af.sharpness)
def RandomSharpness(sharpness: Range = 0.5) -> Any:
    """Blend with a smoothed image: 0 is smooth, 1 the image, above 1 sharper; a number x is (0, x)."""
    if isinstance(sharpness, Tensor) and not sharpness.ndim:
        return {"factor": Span(sharpness, ((0.0,), (1.0,)))}
    return {"factor": (0.0, sharpness) if is_number(sharpness) else sharpness}


@derive(af.unsharp_mask)
def RandomUnsharpMask(
    kernel_size: Any = 5, sigma: Range = (0.1, 2.0), amount: Range = (0.2, 0.5), border_type: Any = "reflect"
) -> Any:
    """Add `amount` of what a Gaussian blur of `sigma` pixels takes away; numbers are fixed."""
    mode = border_mode(border_type)
    return {"kernel_size": kernel_size, "sigma": sigma, "amount": amount, "padding_mode": mode}


@derive(af.downscale)
def RandomDownscale(scale: Range = (0.25, 0.75), interpolation: str = "nearest") -> Any:
    """Lose resolution: averaged down to `scale` of it, and back by "nearest" or "bilinear"; a number is fixed."""
    return {"factor": scale, "interpolation": interpolation}


@derive(af.ringing)
def RandomRinging(
    cutoff: Range = (math.pi / 4, math.pi / 2), kernel_size: int = 9, border_type: Any = "reflect"
) -> Any:
    """Ripples beside edges: the ideal low-pass at `cutoff` radians per pixel; a number is fixed."""
    return {"cutoff": cutoff, "kernel_size": kernel_size, "padding_mode": border_mode(border_type)}

"""Blurs of motion, focus and glass."""

from __future__ import annotations

import math
from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.filters import border_mode
from augfn_nn.shorthands import around, is_number, only, other_way, padding_name, turns

LINEAR = "leave it out: the streak is turned bilinearly, so that its angle can be learned"


@derive(af.motion_blur)
def RandomMotionBlur(
    kernel_size: Any, angle: Range, direction: Range, border_type: Any = "constant", resample: Any = "bilinear"
) -> Any:
    """Blur along a streak, turned counter-clockwise by `angle` degrees; single numbers are ±.

    `kernel_size` is an odd length, or a range (low, high) of lengths, any real number, drawn per sample (kornia: odd,
    one per batch). The streak is turned bilinearly (kornia's default is nearest).
    """
    only("RandomMotionBlur: resample", padding_name(resample), ("bilinear", "nearest"), LINEAR)
    turned = {"angle": around(angle), "direction": around(direction)}
    return {**streak(kernel_size), "padding_mode": border_mode(border_type), **turned}


def streak(kernel_size: Any) -> dict[str, Any]:
    """One length, or the kernel that holds the longest of a range."""
    if is_number(kernel_size):
        return {"kernel_size": kernel_size}
    return {"kernel_size": math.ceil(kernel_size[1]) // 2 * 2 + 1, "length": tuple(map(float, kernel_size))}


@derive(af.motion_blur3d)
def RandomMotionBlur3D(
    kernel_size: Any,
    angle: Range,
    direction: Range,
    border_type: Any = "constant",
    resample: Any = "bilinear",
    *,
    kornia: bool | None = None,
) -> Any:
    """Blur a volume along a streak, turned by the axis-angle vector `angle` = (x, y, z) as by RandomRotation3D.

    Shorthands of `angle` as there, of the rest as in RandomMotionBlur (kornia: turned the other way, as here with
    `kornia=True`, and nearest).
    """
    only("RandomMotionBlur3D: resample", padding_name(resample), ("bilinear", "nearest"), LINEAR)
    turned = {"angle": other_way("RandomMotionBlur3D", turns(angle), kornia), "direction": around(direction)}
    return {**streak(kernel_size), "padding_mode": border_mode(border_type), **turned}


@derive(af.defocus)
def RandomDefocus(radius: Range = (1.0, 4.0), kernel_size: int | None = None, border_type: Any = "reflect") -> Any:
    """Average over a soft-edged disk of `radius` pixels; a number is fixed. `kernel_size`: what holds the largest."""
    size = 2 * math.ceil(largest(radius, 4.0)) + 1 if kernel_size is None else kernel_size
    return {"radius": radius, "kernel_size": size, "padding_mode": border_mode(border_type)}


def largest(value: Any, otherwise: float) -> float:
    """The upper end of a range of numbers."""
    high = value[-1] if isinstance(value, tuple) else value
    return float(high) if is_number(high) else otherwise


@derive(af.zoom_blur)
def RandomZoomBlur(factor: Range = (1.0, 1.2), steps: int = 8) -> Any:
    """The mean of `steps` copies, zoomed about the centre by 1 to `factor`; a number is fixed."""
    return {"factor": factor, "steps": steps}


@derive(af.glass_blur)
def RandomGlassBlur(sigma: Range = (0.3, 0.8), max_delta: Range = (0.5, 2.0), kernel_size: int = 5) -> Any:
    """Read every pixel up to `max_delta` pixels away, then blur by a Gaussian of `sigma` pixels; numbers are fixed."""
    return {"delta": max_delta, "sigma": sigma, "kernel_size": kernel_size}

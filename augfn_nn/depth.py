"""Depth maps."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive


@derive(af.depth_noise)
def RandomDepthNoise(std: Range = (0.0, 0.01), axial: Range = (0.0, 0.002), missing: float | None = None) -> Any:
    """Noise of a depth camera: std + axial z^2; 0 and NaN, which were not measured, have none. Numbers are fixed."""
    return {"std": std, "axial": axial, "missing": missing}


@derive(af.depth_dropout)
def RandomDepthDropout(amount: Range = (0.0, 0.1), size: int = 1, missing: float = 0.0) -> Any:
    """Holes: cells of `size` pixels lose their depth; a number is fixed."""
    return {"amount": amount, "size": size, "missing": missing}


@derive(af.depth_normalize, p=1.0)
def DepthNormalize(max: float, missing: float = 0.0) -> Any:
    """Depth in fractions of what the camera reaches, at most 1."""
    return {"max": max, "missing": missing}

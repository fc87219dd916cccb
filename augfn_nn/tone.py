"""Modules of tone: steps, histograms, curves and compression, under kornia's and albumentations' names."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import augfn as af
from augfn.distributions import Span
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import around, is_number, only, pair


@derive(af.posterize)
def RandomPosterize(bits: Range = 3, *, grad: str = "none") -> Any:
    """Keep the highest bits of 8: `bits` is (low, high), or a number x for x to 8 (torchvision: x itself)."""
    if isinstance(bits, Tensor) and not bits.ndim:
        return {"bits": Span(bits, ((1.0,), (0.0,)), (0.0, 8.0)), "grad": grad}
    return {"bits": (bits, 8.0) if is_number(bits) else bits, "grad": grad}


@derive(af.equalize)
def RandomEqualize(*, grad: str = "none") -> Any:
    """Make the histogram of every channel uniform."""
    return {"grad": grad}


@derive(af.autocontrast, p=1.0)
def RandomAutoContrast(clip_output: bool = True) -> Any:
    """Stretch every channel to [0, 1]; one of a single value stays as it is (kornia: becomes 0)."""
    only("RandomAutoContrast: clip_output", clip_output, (True, False), "leave it out")
    return {}


@derive(af.clahe)
def RandomClahe(
    clip_limit: Range = (40.0, 40.0), grid_size: Any = (8, 8), slow_and_differentiable: bool = False
) -> Any:
    """Contrast limited adaptive histogram equalization, `grid_size` = (rows, columns) tiles, `clip_limit` (low, high).

    `slow_and_differentiable` gives the same values (kornia: others) with a gradient to the image and the limit.
    """
    return {
        "clip_limit": pair("clip_limit", clip_limit),
        "grid_size": grid_size,
        "grad": "soft" if slow_and_differentiable else "none",
    }


@derive(af.jpeg, p=1.0)
def RandomJPEG(jpeg_quality: Range = 50.0, *, grad: str = "soft") -> Any:
    """Compress as JPEG, differentiably: `jpeg_quality` is (low, high), or a number x for 50 ± x within 1 to 100."""
    if isinstance(jpeg_quality, Tensor):
        return {"quality": around(jpeg_quality, 50.0), "grad": grad}
    if is_number(jpeg_quality):
        low, high = around(jpeg_quality, 50.0, 1.0) if jpeg_quality else (50.0, 50.0)
        jpeg_quality = low, min(high, 100.0)
    return {"quality": jpeg_quality, "grad": grad}


@derive(af.tone_curve)
def RandomToneCurve(scale: float = 0.1, per_channel: bool = False) -> Any:
    """Bend the tone by a Bezier curve, heights normal about 1/4 and 3/4 with std `scale`, within [0, 1].

    `per_channel` gives each channel of an RGB image a curve of its own. (albumentations)
    """
    points = {name: height(middle, scale) for name, middle in (("shadows", 0.25), ("highlights", 0.75))}
    if not per_channel:
        return points
    return af.pipeline(*(af.tone_curve(channels=c, **points) for c in range(3)))


@derive(af.dither)
def RandomDither(levels: Range = (2, 8), size: int = 4, *, grad: str = "none") -> Any:
    """Few levels and a Bayer pattern of `size` between them; `levels` is (low, high), a number is fixed."""
    return {"levels": levels, "size": size, "grad": grad}


def height(middle: float, scale: float) -> Any:
    """A control point's height: normal, within [0, 1]."""
    return af.TruncatedNormal(middle, scale, 0.0, 1.0) if scale else middle

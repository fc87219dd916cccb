"""Frames that follow the image or its targets."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import PadByFrame, Size, border, only, pair


@derive(af.pad_to, p=1.0, resizes=True)
def PadTo(size: Size, pad_mode: Any = "constant", pad_value: Any = 0.0, crop_if_exceeds: bool = True) -> Any:
    """Pad right and bottom up to `size` = (h, w); a larger frame is cropped there, or left: `crop_if_exceeds=False`."""
    pad = PadByFrame(size, False, border(pad_value, pad_mode))
    return af.pipeline(pad, af.random_crop(size=size, position=0.0)) if crop_if_exceeds else pad


@derive(af.longest_max_size, p=1.0, resizes=True)
def LongestMaxSize(max_size: int, *, kornia: bool | None = None) -> Any:
    """Resize so that the longer side is `max_size`; antialiased where it shrinks (kornia, and `kornia=True`, is not)."""
    return {"max_size": max_size} | ({"antialias": False} if kornia else {})


@derive(af.smallest_max_size, p=1.0, resizes=True)
def SmallestMaxSize(max_size: int, *, kornia: bool | None = None) -> Any:
    """Resize so that the shorter side is `max_size`; antialiased where it shrinks (kornia, and `kornia=True`, is not)."""
    return {"max_size": max_size} | ({"antialias": False} if kornia else {})


@derive(af.scale_jitter, p=1.0, resizes=True)
def ScaleJitter(target_size: Size, scale_range: Range = (0.1, 2.0)) -> Any:
    """Zoom by `scale_range` times what just fits, and cut or pad to `target_size` = (h, w), at a random place.

    torchvision's gives every sample a size of its own; a batch has one.
    """
    return {"size": target_size, "scale": pair("scale_range", scale_range)}


@derive(af.zoom_out)
def RandomZoomOut(fill: Any = 0.0, side_range: Range = (1.0, 4.0)) -> Any:
    """Put the image on a canvas `side_range` times as large and shrink that to the frame (torchvision's frame
    grows)."""
    return {"fill": fill, "side": pair("side_range", side_range)}


@derive(af.bbox_safe_crop, p=1.0, resizes=True)
def BBoxSafeCrop(size: Size, slack: Range = (0.0, 1.0)) -> Any:
    """Cut a window that holds all valid boxes and resize it to `size` = (h, w); `slack` is the share of the room
    beside them that goes. Takes a dict with boxes."""
    return {"size": size, "slack": slack}


OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)  # SSD's


@derive(af.iou_crop, p=1.0)
def RandomIoUCrop(
    min_scale: float = 0.3,
    max_scale: float = 1.0,
    min_aspect_ratio: float = 0.5,
    max_aspect_ratio: float = 2.0,
    sampler_options: Any = OVERLAPS,
    trials: int = 40,
) -> Any:
    """Cut a window, of `min_scale` to `max_scale` of each side, that overlaps a box by one of `sampler_options` (1 keeps the
    frame), and read it into the frame, which stays (torchvision's shrinks). Takes a dict with boxes."""
    only("RandomIoUCrop: min_aspect_ratio", min_aspect_ratio, (0.5,), "af.iou_crop, of half to twice the height")
    only("RandomIoUCrop: max_aspect_ratio", max_aspect_ratio, (2.0,), "af.iou_crop, of half to twice the height")
    only("RandomIoUCrop: trials", trials, (40,), "leave it out")
    sides = af.Uniform(float(min_scale), float(max_scale))
    options = OVERLAPS if sampler_options is None else sampler_options
    parts = [af.identity() if o >= 1 else af.iou_crop(min_iou=float(o), sides=sides) for o in options]
    return parts[0] if len(parts) == 1 else af.one_of(*parts)


@derive(af.mask_crop, p=1.0, resizes=True)
def CropNonEmptyMask(size: Size) -> Any:
    """Cut `size` = (h, w) around a random pixel of the mask that is not 0. Takes a dict with a mask."""
    return {"size": size}

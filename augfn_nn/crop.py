"""Frames that are cut, padded and resized."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import PadByFrame, Size, border, is_number, log_range, only, pair


@derive(af.center_crop, p=1.0, resizes=True)
def CenterCrop(size: Size) -> Any:
    """Cut `size` = (h, w), or an int, out of the middle; a frame that is smaller is an error."""
    return {"size": size}


@derive(af.random_crop, p=1.0, resizes=True)
def RandomCrop(
    size: Size, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0.0, padding_mode: Any = "constant"
) -> Any:
    """Cut `size` = (h, w) at whole pixels; `padding` (an int, (x, y) or (left, top, right, bottom)) is added first.

    `pad_if_needed` then pads both sides of an axis by what it lacks, as torchvision does; without it a frame that is
    smaller is an error.
    """
    outside = border(fill, padding_mode)
    pads = [] if padding is None else [af.pad(padding=padding, **outside)]
    pads += [PadByFrame(size, True, outside)] if pad_if_needed else []
    return af.pipeline(*pads, af.random_crop(size=size)) if pads else {"size": size}


@derive(af.resized_crop, p=1.0, resizes=True)
def RandomResizedCrop(
    size: Size, scale: Range = (0.08, 1.0), ratio: Range = (3 / 4, 4 / 3), *, kornia: bool | None = None
) -> Any:
    """Cut a window and resize it to `size` = (h, w).

    It has a share `scale` of the area, and width / height log-uniform in `ratio`; shares above 1 are 1. Antialiased where it
    shrinks (`antialias=False`, and `kornia=True`, as in kornia, but for its `align_corners=True`).
    """
    share = pair("scale", scale)
    share = tuple(min(v, 1.0) if is_number(v) else v for v in share) if isinstance(share, tuple) else share
    plain = {"antialias": False} if kornia else {}
    return {"size": size, "scale": share, "ratio": log_range(pair("ratio", ratio)), **plain}


@derive(af.resize, p=1.0, resizes=True)
def Resize(size: Size, side: str = "short", *, antialias: bool | None = None, kornia: bool | None = None) -> Any:
    """Resize to (h, w), or one side to an int; antialiased where it shrinks (kornia, and `kornia=True`, is not, unless told; its
    default `align_corners=True`, which keeps corner pixels, is not followed).

    `side`: "short", "long", "vert" (the height) or "horz" (the width).
    """
    only("Resize: side", side, ("short", "long", "vert", "horz"), "give both sides: size=(h, w)")
    return {"size": size, "side": side, "antialias": not kornia if antialias is None else antialias}


@derive(af.pad, p=1.0, resizes=True)
def Pad(padding: Any, fill: Any = 0.0, padding_mode: Any = "constant") -> Any:
    """Add pixels: `padding` is an int, (x, y) or (left, top, right, bottom)."""
    return {"padding": padding, **border(fill, padding_mode)}

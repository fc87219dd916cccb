"""Volumes that are cut, padded and resized."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import border, sides3


@derive(af.center_crop3d, p=1.0, resizes=True)
def CenterCrop3D(size: int | tuple[int, int, int]) -> Any:
    """Cut `size` = (d, h, w), or an int, out of the middle; a volume that is smaller is an error."""
    return {"size": size}


@derive(af.random_crop3d, p=1.0, resizes=True)
def RandomCrop3D(
    size: int | tuple[int, int, int],
    padding: Any = None,
    pad_if_needed: bool = False,
    fill: Any = 0.0,
    padding_mode: Any = "constant",
) -> Any:
    """Cut `size` = (d, h, w) at whole voxels; `padding` as in Pad3D is added first.

    `pad_if_needed` then pads an axis by what it lacks, at a random place; without it a volume that is smaller is an error.
    """
    outside = border(fill, padding_mode)
    pads = [] if padding is None else [af.pad3d(padding=sides3(padding), **outside)]
    pads += [af.pad_to3d(size=size, position=(0.0, 1.0), **outside)] if pad_if_needed else []
    return af.pipeline(*pads, af.random_crop3d(size=size)) if pads else {"size": size}


@derive(af.foreground_crop3d, p=1.0, resizes=True)
def ForegroundCrop3D(
    size: int | tuple[int, int, int], ratios: Any = None, around: str = "mask", position: Range = (0.0, 1.0)
) -> Any:
    """Cut `size` = (d, h, w) around a voxel of a label that `ratios` choose: (background, foreground), or one number for
    each label.

    Without them any voxel of the mask that is not 0. `around`="boxes": the centre of a valid box. Takes a dict with a mask
    or boxes. `position`: where the voxel lies in the window; 0.5 in the middle (MONAI).
    """
    return {"size": size, "ratios": ratios, "around": around, "position": position}


@derive(af.pad3d, p=1.0, resizes=True)
def Pad3D(padding: Any, fill: Any = 0.0, padding_mode: Any = "constant") -> Any:
    """Add voxels: `padding` is an int, (x, y, z) or (left, right, top, bottom, front, back), as in kornia's RandomCrop3D
    (`af.pad3d` takes the low sides first)."""
    return {"padding": sides3(padding), **border(fill, padding_mode)}


@derive(af.pad_to3d, p=1.0, resizes=True)
def PadTo3D(
    size: int | tuple[int, int, int] | None = None,
    divisible: int | None = None,
    fill: Any = 0.0,
    padding_mode: Any = "constant",
) -> Any:
    """Pad on both sides up to `size` = (d, h, w), or up to multiples of `divisible`; a longer side stays."""
    return {"size": size, "divisible": divisible, **border(fill, padding_mode)}


@derive(af.resize3d, p=1.0, resizes=True)
def Resize3D(size: int | tuple[int, int, int], antialias: bool = True) -> Any:
    """Resize to `size` = (d, h, w), or to a cube; antialiased where it shrinks."""
    return {"size": size, "antialias": antialias}


@derive(af.spacing3d, p=1.0, resizes=True)
def Spacing3D(spacing: Any, source: Any, size: int | tuple[int, int, int] | None = None, antialias: bool = True) -> Any:
    """Resample voxels of `source` mm (x, y, z) to voxels of `spacing` mm, in a frame that fits or of `size` = (d, h, w)."""
    return {"spacing": spacing, "source": source, "size": size, "antialias": antialias}

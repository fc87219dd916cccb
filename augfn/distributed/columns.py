"""Columns of numpy arrays, one entry for each sample, as targets and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from augfn.core.boxes import TURNED, Boxes, Keypoints
from augfn.core.targets import format_in
from augfn.errors import explain
from augfn.images import FEW, ordered, tensor_of

PLANES = ("image", "depth", "mask", "softmask", "heatmap")  # kinds of which an array may hold the channels last
Column = tuple[str, str, str]  # its name, the target's name, the target's kind


def read(
    row: Mapping[str, Any], columns: Sequence[Column], layout: str | None
) -> tuple[dict[str, Any], dict[str, str]]:
    """A row as a sample of tensors, and the layouts in which its arrays are stored."""
    sample, layouts = {}, {}
    for name, target, kind in columns:
        array = dense(name, row[name], kind, target)
        if kind in PLANES:
            layouts[target] = layout_of(name, array, kind, layout)
            sample[target] = planes(array, layouts[target], kind)
        elif kind == "boxes":
            sample[target] = Boxes(tensor_of(array), format_in(target) or "xyxy")
        else:
            plain = kind != "keypoints" or array.shape[-1] == 3  # of which the third is COCO's visibility
            sample[target] = tensor_of(array) if plain else Keypoints(tensor_of(array))
    return sample, layouts


def written(y: Any, columns: Sequence[Column], layouts: Mapping[str, str]) -> dict[str, np.ndarray]:
    """A sample as the values of its columns; boxes and keypoints with a further one that says which are in the frame."""
    row: dict[str, np.ndarray] = {}
    for name, target, kind in columns:
        value = y[target]
        if isinstance(value, Boxes):
            row[f"{name}_valid"], value = value.valid.cpu().numpy(), value.data
        elif isinstance(value, Keypoints):
            row[f"{name}_visible"], value = value.visible.cpu().numpy(), value.xy
        if kind in PLANES:
            value = stored(value, layouts[target])
        row[name] = value.cpu().numpy()
    return row


def dense(name: str, value: Any, kind: str, target: str) -> np.ndarray:
    """An array, of nested lists too; of boxes and points in float32, and `[0, k]` where there is none."""
    array = whole(value)
    if array.dtype.kind not in "biuf":
        fix = "decode it before: dataset.map(lambda row: row | {...: numpy.asarray(PIL.Image.open(io.BytesIO(...)))})"
        raise TypeError(
            explain(f"ray_map: the column {name!r} holds no numbers", value, "an array for each sample", fix)
        )
    if kind not in ("boxes", "keypoints"):
        return array
    array = array.astype(np.float32)  # of none, a list does not tell
    width = TURNED.get(format_in(target) or "", 4) if kind == "boxes" else 2
    return array.reshape(0, width) if array.size == 0 and array.ndim < 2 else array


def whole(value: Any) -> np.ndarray:
    """An array of objects, as of lists of lists, as one of numbers."""
    array = np.asarray(value)
    return array if array.dtype != object or not array.ndim else np.array([whole(v) for v in array])


def layout_of(name: str, array: np.ndarray, kind: str, layout: str | None) -> str:
    """H W, H W C or C H W: of an image as it was said, or as its shape tells; else channels first where that does not tell."""
    if kind == "image" and layout:
        return layout
    if array.ndim == 2:
        return "HW"
    last, first = (array.ndim == 3 and array.shape[axis] in FEW for axis in (-1, 0))
    if kind == "image" and last == first:
        given, want = f"array {array.dtype} {list(array.shape)}", "[H, W], [H, W, C] or [C, H, W], C from 1 to 4"
        raise ValueError(
            explain(f"ray_map: the axes of {name!r} cannot be told", given, want, 'layout="HWC", or "CHW"')
        )
    return "HWC" if last and not first else "CHW"


def planes(array: np.ndarray, layout: str, kind: str) -> Tensor:
    """Channels first; an image and a depth map have channels, a mask of one plane has none."""
    x = ordered(tensor_of(array), layout)
    return x[0] if kind == "mask" and layout == "HW" else x


def stored(x: Tensor, layout: str) -> Tensor:
    """Back in the layout that it came in; without its channel where there was none, and one is left."""
    if "C" not in layout:
        return x[0] if x.ndim == 3 and len(x) == 1 else x
    return x.permute(["CHW".index(axis) for axis in layout]).contiguous()


def column(values: Sequence[np.ndarray]) -> np.ndarray:
    """The values of a column: one array where all have the same shape, else an array of arrays."""
    if len({(v.shape, v.dtype) for v in values}) == 1:
        return np.stack(values)
    out = np.empty(len(values), object)
    for i, value in enumerate(values):
        out[i] = value
    return out


def shapes_of(sample: Any) -> tuple[Any, ...]:
    """What samples of one batch have in common."""
    return tuple((v.shape, v.dtype) for v in tree_leaves(sample))


def stack(samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Samples of the same shapes as one batch."""
    return tree_map(lambda *values: torch.stack(values), *samples)


def unstack(y: Any, n: int) -> list[Any]:
    """The samples of a batch."""
    return [tree_map(lambda v, i=i: v[i], y) for i in range(n)]

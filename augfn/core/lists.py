"""Lists: samples of different sizes, one after the other, and what they have as one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from augfn.core.boxes import Boxes, Keypoints, Rows
from augfn.core.ragged import padded
from augfn.core.targets import OTHER, format_in, kind_of
from augfn.errors import explain

SETTINGS: dict[type, tuple[str, ...]] = {
    Boxes: ("format", "clip", "min_area", "min_visibility", "min_size"),
    Keypoints: ("swap",),
}
ROWS = ("valid", "labels", "seen")  # of boxes


def batched(outputs: Sequence[Any], targets: Mapping[str, str]) -> Any:
    """Samples as one batch: tensors are stacked, boxes and keypoints padded to one number, all else listed."""
    first = outputs[0]
    if isinstance(first, tuple):  # views
        return tuple(batched(ys, targets) for ys in zip(*outputs, strict=True))
    if isinstance(first, Mapping):
        kinds = {name: kind_of(name, targets) for name in first}
        d = dims_of(first, kinds)
        return {name: batch_of(name, kinds[name], [y[name] for y in outputs], d) for name in first}
    return batch_of("image", "image", list(outputs), 2)


def dims_of(sample: Mapping[str, Any], kinds: Mapping[str, str]) -> int:
    """The spatial dimensions of one sample's frames."""
    deep = any(
        kind == "volume" or (kind == "video" and getattr(sample[name], "ndim", 0) == 5) for name, kind in kinds.items()
    )
    return 3 if deep else 2


def batch_of(name: str, kind: str, values: list[Any], d: int) -> Any:
    if kind in ("boxes", "keypoints"):
        return rows_of(name, kind, values, None, None, d)
    if kind == "instances":
        return instances_of(name, values, d)
    return values_of(name, values, kind == OTHER)


def instances_of(name: str, values: list[Any], d: int) -> Tensor:
    """Instance masks of all samples, of the clip or of each of its frames, with empty ones up to one number."""
    return padded(name, values, (), floating=False, clip=values[0].ndim == d + 2)[0]


def stacked(name: str, values: Sequence[Tensor]) -> Tensor:
    shapes = {tuple(v.shape) for v in values}
    if len(shapes) > 1:
        want, fix = "one shape", f"bring {name} to one number of channels, or to as many entries"
        if len({s[:-2] for s in shapes}) == 1 and all(v.ndim > 2 for v in values):
            fix = "end with one size: af.pipeline(..., af.resize(size=(224, 224))), or a crop"
        elif all(v.ndim == 1 and not v.is_floating_point() for v in values):
            fix = f"of boxes: af.Boxes(boxes, labels={name}) in the dataset; else targets={{{name!r}: 'other'}} lists them"
        raise ValueError(explain(f"{name} differs in shape", sorted(shapes), want, fix))
    return torch.stack(list(values))


def boxes_in(rows: Any, told: str) -> Boxes:
    """The plain boxes of one sample, a tensor or a list, in the format that their name tells."""
    if isinstance(rows, Tensor):
        return Boxes(rows if rows.is_floating_point() else rows.float(), told)
    one = Boxes.pad([rows], format=told)
    return replace(one, data=one.data[0], valid=one.valid[0])


def rows_of(
    name: str, kind: str, values: Sequence[Any], own: Sequence[tuple[int, ...]] | None, size: Any, d: int = 2
) -> Rows:
    """Boxes or keypoints of all samples, padded to one number; plain keypoints of d + 1 numbers have a visibility."""
    cls = Boxes if kind == "boxes" else Keypoints
    told = format_in(name) if kind == "boxes" else None
    if told is not None and not any(isinstance(v, Boxes) for v in values):
        values = [boxes_in(v, told) for v in values]
    wrapped = sum(isinstance(v, cls) for v in values)
    if not wrapped and kind == "keypoints":
        return Keypoints.pad(list(values), levels=any(width_of(v) == d + 1 for v in values))
    if not wrapped:
        return cls.pad(list(values))
    if wrapped < len(values):
        given, want = sorted({type(v).__name__ for v in values}), f"{cls.__name__} in every sample, or in none"
        raise TypeError(explain(f"{name} of several types", given, want, f"af.{cls.__name__}({name})"))
    first = values[0]
    kept = SETTINGS[cls]
    for v in values:
        if any(getattr(v, n) != getattr(first, n) for n in kept) or (getattr(v, "labels", None) is None) != (
            getattr(first, "labels", None) is None
        ):
            given = [{n: getattr(u, n) for n in kept} for u in (first, v)]
            want, fix = "one format and the same settings, with labels in all or in none", "boxes.convert(format, size)"
            raise ValueError(explain(f"{name}: samples differ", given, want, fix))
    if cls is Keypoints:
        xy, _ = padded(name, [v.xy for v in values], (2, 3), deep=True)
        return replace(first, xy=xy, visible=padded(name, [v.visible for v in values], (), False)[0])
    if own is not None and first.format in ("yolo", "xyxyn"):
        pixels = [v.convert("xyxy", frame) for v, frame in zip(values, own, strict=True)]
        return rows_of(name, kind, [v.convert(first.format, size) for v in pixels], None, size)
    clip = first.data.ndim == 3
    data, there = padded(name, [v.data for v in values], (first.data.shape[-1],), clip=clip)
    rows = {n: [getattr(v, n) for v in values] for n in ROWS if getattr(first, n) is not None}
    held = {n: padded(name, some, (), False, clip=clip)[0] for n, some in rows.items()}
    held["valid"] = held["valid"] & there
    return replace(first, data=data, **held)


def width_of(rows: Any) -> int | None:
    """The numbers of a row, where all have as many; what is wrong with others `pad` says."""
    while isinstance(rows, list | tuple) and rows and isinstance(rows[0], list | tuple | Tensor):
        rows = rows[0]
    if isinstance(rows, list | tuple):
        return len(rows)
    shape = getattr(rows, "shape", None)
    return shape[-1] if shape else None


def values_of(name: str, values: list[Any], listed: bool = False) -> Any:
    """Tensors and numbers as one tensor, all else as a list (`listed`: tensors of several shapes too)."""
    if all(isinstance(v, Tensor) for v in values):
        return values if listed and len({v.shape for v in values}) > 1 else stacked(name, values)
    if all(isinstance(v, bool | int | float) for v in values):
        return torch.tensor(values)
    return values

"""Annotations: boxes with validity and keypoints with visibility, in the formats that data comes in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import GetAttrKey, register_pytree_node

from augfn.errors import explain
from augfn.math.polygons import polygon_area
from augfn.run.constants import constant

FORMATS = ("xyxy", "xywh", "cxcywh", "yolo", "xyxyn", "cxcywhr", "xyxyxyxy")
TURNED = {"cxcywhr": 5, "xyxyxyxy": 8}  # formats of boxes that need not be upright: numbers for each
SAME_FORMAT = {"pascal_voc": "xyxy", "coco": "xywh", "albumentations": "xyxyn"}


def _node(cls: type, leaves: tuple[str, ...], static: tuple[str, ...]) -> None:
    def flatten(t: Any) -> tuple[list[Any], Any]:
        names = tuple(n for n in leaves if getattr(t, n) is not None)
        return [getattr(t, n) for n in names], (names, tuple(getattr(t, n) for n in static))

    def unflatten(values: Any, context: Any) -> Any:
        t = object.__new__(cls)
        names, rest = context
        t.__dict__.update(dict.fromkeys(leaves) | dict(zip(names, values, strict=True)))
        t.__dict__.update(zip(static, rest, strict=True))
        return t

    def with_keys(t: Any) -> tuple[list[Any], Any]:
        values, context = flatten(t)
        return [(GetAttrKey(n), v) for n, v in zip(context[0], values, strict=True)], context

    name = f"augfn.core.boxes.{cls.__name__}"
    register_pytree_node(cls, flatten, unflatten, serialized_type_name=name, flatten_with_keys_fn=with_keys)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes with validity, continuous edges: `data [*b, N, 4]` (`[*b, N, 6]` in a volume, xyzxyz), `valid [*b, N]`.

    * `format`: "xyxy", "xywh", "cxcywh" (pixels), "yolo" (cxcywh as fractions of the frame), "xyxyn" (xyxy as
      fractions); the peers' "pascal_voc", "coco", "albumentations" are understood. Boxes that need not be upright
      (2-D): "xyxyxyxy" `[*b, N, 8]`, four corners, and "cxcywhr" `[*b, N, 5]`, r in degrees, counter-clockwise, in
      (-90, 90]; their corners move as they are.
    * A box whose ends are exchanged (x2 < x1), or with a NaN, is not valid; nor is one of which a corner lies behind
      the horizon of a projective map.
    * After a geometric step upright boxes are clipped to the frame (`clip=True`; quads never are). A box is valid
      while its area in the frame is above `min_area` (pixels), at least `min_visibility` of it is to be seen, and its
      shorter side is at least `min_size` (pixels). Rows are never dropped.
    * `seen [*b, N]`: with a `min_visibility`, the share that the steps so far left to be seen, at first 1: what each
      leaves in the frame and shows, multiplied (of boxes that are not clipped the smallest share in the frame).
    * `labels [*b, N, ...]`: what belongs to the boxes, row by row; mixing and `drop_invalid` take it along.

    >>> Boxes(torch.tensor([[0.0, 0.0, 4.0, 2.0]])).valid
    tensor([True])
    """

    data: Tensor
    format: str = "xyxy"
    valid: Tensor = None  # type: ignore[assignment]
    clip: bool = True
    min_area: float = 0.0
    min_visibility: float = 0.0
    min_size: float = 0.0
    labels: Tensor | None = None
    seen: Tensor | None = None

    def __post_init__(self) -> None:
        name = self.format.lower() if isinstance(self.format, str) else self.format
        object.__setattr__(self, "format", SAME_FORMAT.get(name, name))
        if self.format not in FORMATS:
            raise ValueError(explain("unknown box format", self.format, f"one of {FORMATS}", "name the boxes' format"))
        for name, rows in (("valid", self.valid), ("labels", self.labels), ("seen", self.seen)):
            check_rows(name, rows, self.data)
        if self.valid is None:
            valid = torch.ones(self.data.shape[:-1], dtype=torch.bool, device=self.data.device)
            object.__setattr__(self, "valid", valid)
        if self.seen is None and self.min_visibility > 0:
            object.__setattr__(self, "seen", torch.ones_like(self.valid, dtype=self.data.dtype))

    @property
    def turned(self) -> bool:
        """True in the formats of boxes that need not be upright."""
        return self.format in TURNED

    def xyxy(self, size: tuple[int, ...]) -> Tensor:
        """Corners (low, high) in pixels `[*b, N, 2 d]`; of a turned box those of the upright one around it."""
        if self.turned:
            corners = self.corners()
            return torch.cat([corners.amin(-2), corners.amax(-2)], -1)
        first, second = self.data.chunk(2, -1)
        if self.format in ("yolo", "xyxyn"):
            scale = constant(tuple(map(float, reversed(size))), self.data)
            first, second = first * scale, second * scale
        if self.format in ("xyxy", "xyxyn"):
            return torch.cat([first, second], -1)
        low = first if self.format == "xywh" else first - second / 2
        return torch.cat([low, low + second], -1)

    def checked(self, size: tuple[int, ...]) -> Boxes:
        """The boxes, of which those with their ends exchanged, a negative side or a NaN are not valid."""
        if self.turned:
            proper = (self.data == self.data).all(-1)
            if self.format == "cxcywhr":
                proper = proper & (self.data[..., 2:4] >= 0).all(-1)
        else:
            low, high = self.xyxy(size).chunk(2, -1)
            proper = (low <= high).all(-1)
        return replace(self, valid=self.valid & proper)

    def like(self, xyxy: Tensor, valid: Tensor, size: tuple[int, ...]) -> Boxes:
        """New corners in this format."""
        low, high = xyxy.chunk(2, -1)
        extent = high - low
        pairs = {"xyxy": (low, high), "xyxyn": (low, high), "xywh": (low, extent)}
        first, second = pairs.get(self.format, (low + extent / 2, extent))
        if self.format in ("yolo", "xyxyn"):
            scale = constant(tuple(map(float, reversed(size))), xyxy)
            first, second = first / scale, second / scale
        return replace(self, data=torch.cat([first, second], -1).to(self.data.dtype), valid=valid)

    def corners(self) -> Tensor:
        """The four corners `[*b, N, 4, 2]` of turned boxes: top left, top right, bottom right, bottom left."""
        if self.format == "xyxyxyxy":
            return self.data.unflatten(-1, (4, 2))
        centre, w, h, r = self.data.split_with_sizes((2, 1, 1, 1), -1)
        angle = torch.deg2rad(r)
        across = torch.cat([angle.cos(), -angle.sin()], -1) * w / 2
        down = torch.cat([angle.sin(), angle.cos()], -1) * h / 2
        ends = (-across - down, across - down, across + down, down - across)
        return torch.stack([centre + end for end in ends], -2)

    def like_corners(self, corners: Tensor, valid: Tensor) -> Boxes:
        """Four new corners in this format; for "cxcywhr" the rectangle of the same centre and area, along the mean of
        the top and bottom edges (so that a half turn before changes nothing)."""
        if self.format == "xyxyxyxy":
            data = corners.flatten(-2)
        else:
            first, second, third, fourth = corners.unbind(-2)
            edge = (second - first + third - fourth) / 2
            w = edge.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
            r = torch.rad2deg(torch.atan2(-edge[..., 1:], edge[..., :1]))
            r = r - 180 * torch.ceil(r / 180 - 0.5)
            data = torch.cat([corners.mean(-2), w, polygon_area(corners)[..., None] / w, r], -1)
        return replace(self, data=data.to(self.data.dtype), valid=valid)


def check_rows(name: str, rows: Any, data: Any) -> None:
    """What belongs to the boxes has an entry for each; `valid` is boolean."""
    if rows is None or not isinstance(data, Tensor):
        return
    what = f"Boxes: {name}"
    if not isinstance(rows, Tensor) or (name == "valid" and rows.dtype != torch.bool):
        kind = "a boolean tensor" if name == "valid" else "a tensor"
        raise TypeError(explain(what, rows, kind, f"{name}=torch.as_tensor({name}), .bool() for valid"))
    lead = data.shape[:-1]
    if rows.shape[: len(lead)] != lead:
        raise ValueError(explain(what, rows, f"{list(lead)} first, as many as boxes", "one entry per box"))


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Points with visibility: `xy [*b, N, 2]` (`[*b, N, 3]` in a volume), pixel centres at whole numbers, `visible
    [*b, N]`. A point is visible from -1/2 to n - 1/2 along each axis, both included.

    `swap`: pairs of rows that change places when the image is mirrored, such as left and right eye: `swap=((0, 1),)`.

    >>> eyes = Keypoints(torch.tensor([[1.0, 2.0], [5.0, 2.0]]), swap=((0, 1),))
    >>> import augfn as af
    >>> af.hflip()({"image": torch.zeros(1, 4, 8), "keypoints": eyes})[0]["keypoints"].xy
    tensor([[2., 2.],
            [6., 2.]])
    """

    xy: Tensor
    visible: Tensor = None  # type: ignore[assignment]
    swap: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.visible is None:
            object.__setattr__(self, "visible", torch.ones(self.xy.shape[:-1], dtype=torch.bool, device=self.xy.device))
        n, pairs = self.xy.shape[-2] if self.xy.ndim > 1 else 0, tuple(tuple(pair) for pair in self.swap)
        rows = [i for pair in pairs for i in pair]
        if any(len(pair) != 2 for pair in pairs) or len(set(rows)) != len(rows) or not all(0 <= i < n for i in rows):
            want = f"pairs of different rows below {n}, each row once"
            raise ValueError(explain("Keypoints: swap", self.swap, want, "swap=((left_eye, right_eye),)"))
        object.__setattr__(self, "swap", pairs)

    def mirrored(self) -> list[int]:
        """The row that each row becomes under a mirror."""
        order = list(range(self.xy.shape[-2]))
        for i, j in self.swap:
            order[i], order[j] = j, i
        return order


_node(Boxes, ("data", "valid", "labels", "seen"), ("format", "clip", "min_area", "min_visibility", "min_size"))
_node(Keypoints, ("xy", "visible"), ("swap",))


def drop_invalid(boxes: Boxes, *others: Tensor) -> Any:
    """Ragged lists outside the graph: for each sample the valid boxes only, and the same rows of the boxes' labels and
    of the other tensors.

    >>> b = Boxes(torch.zeros(1, 2, 4), valid=torch.tensor([[True, False]]), labels=torch.tensor([[7, 8]]))
    >>> data, labels = drop_invalid(b)
    >>> len(data[0]), labels
    (1, [tensor([7])])
    """
    n = math.prod(boxes.valid.shape[:-1])
    valid = boxes.valid.reshape(n, boxes.valid.shape[-1])
    rows = (boxes.data, *(() if boxes.labels is None else (boxes.labels,)), *others)
    lists = [
        [row[keep] for row, keep in zip(t.reshape(n, *t.shape[boxes.valid.ndim - 1 :]), valid, strict=True)]
        for t in rows
    ]
    return lists[0] if len(lists) == 1 else tuple(lists)

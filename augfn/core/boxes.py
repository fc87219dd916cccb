"""Annotations: boxes with validity and keypoints with visibility, in the formats that data comes in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import GetAttrKey, register_pytree_node

from augfn.core.ragged import padded
from augfn.errors import explain
from augfn.math.polygons import polygon_area
from augfn.run.constants import constant

FORMATS = ("xyxy", "xywh", "cxcywh", "yolo", "xyxyn", "cxcywhr", "xyxyxyxy")
TURNED = {"cxcywhr": 5, "xyxyxyxy": 8}  # formats of boxes that need not be upright: numbers for each
R = TypeVar("R", bound="Rows")
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


class Rows:
    """What boxes and keypoints share: tensors that lead with the batch, and settings."""

    tensors: ClassVar[tuple[str, ...]]

    def to(self: R, *args: Any, **keywords: Any) -> R:
        """On another device, or the coordinates in another dtype, as of `torch.Tensor.to`."""
        held = {n: t for n in self.tensors if (t := getattr(self, n)) is not None}
        main = held[self.tensors[0]].to(*args, **keywords)
        if not main.is_floating_point():
            raise TypeError(explain(f"{type(self).__name__}.to", main, "a floating dtype", ".to(torch.float32)"))
        moved = {n: t.to(main.device if t.dtype != held[self.tensors[0]].dtype else main) for n, t in held.items()}
        return replace(self, **moved)  # type: ignore[type-var]

    def __len__(self) -> int:
        return len(getattr(self, self.tensors[0]))

    def __getitem__(self: R, index: Any) -> R:
        """Some samples of the batch, or rows of one sample."""
        held = {n: t[index] for n in self.tensors if (t := getattr(self, n)) is not None}
        if held[self.tensors[0]].ndim < 2:
            fix = f"{type(self).__name__.lower()}[i : i + 1], or .{self.tensors[0]}[i]"
            raise IndexError(explain("one row alone", index, "samples of a batch, or a slice of rows", fix))
        return replace(self, **held)  # type: ignore[type-var]


@dataclass(frozen=True, eq=False)
class Boxes(Rows):
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
    * A plain tensor of xyxy boxes is welcome too, and keeps its rows: one that leaves the frame comes back without an area,
      of which a warning tells once. (torchvision leaves such rows to SanitizeBoundingBoxes, albumentations drops them,
      kornia keeps them in silence.)
    * `labels [*b, N, ...]`: what belongs to the boxes, row by row; mixing and `drop_invalid` take it along.

    >>> Boxes(torch.tensor([[0.0, 0.0, 4.0, 2.0]])).valid
    tensor([True])
    """

    tensors: ClassVar[tuple[str, ...]] = ("data", "valid", "labels", "seen")
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

    @classmethod
    def pad(
        cls, boxes: Sequence[Any], labels: Sequence[Any] | None = None, format: str = "xyxy", **settings: Any
    ) -> Boxes:
        """Boxes of a batch from a list with the rows `[N_i, 4]` of each sample (tensors, arrays or lists; `[]` for none),
        which may differ in number: `data [B, N, 4]` with `valid` False where there is none. `labels`: a list as long, with
        an entry for each box; padded with 0. `drop_invalid` is the inverse.

        Raises where a box has its ends exchanged, or is not finite.

        >>> Boxes.pad([[[0, 0, 4, 2]], []], labels=[[7], []]).valid
        tensor([[ True],
                [False]])
        """
        known = SAME_FORMAT.get(format, format)
        data, valid = padded("boxes", boxes, (TURNED[known],) if known in TURNED else (4, 6))
        kept = None
        if labels is not None:
            kept, there = padded("labels", labels, (), floating=False)
            if not there.equal(valid):
                given = [len(rows) for rows in labels]
                fix = "one label for each box, [] where there is none"
                raise ValueError(explain("labels: not as many as boxes", given, f"{valid.sum(-1).tolist()}", fix))
        made = cls(data, format, valid, labels=kept, **settings)
        bad = (valid & ~made.checked((1,) * (data.shape[-1] // 2)).valid).nonzero()
        if len(bad):
            i, j = bad[0].tolist()
            want, fix = (
                "finite numbers, low ends before high ones",
                f"leave it out, or name the format: it is {format!r}",
            )
            raise ValueError(explain(f"boxes[{i}][{j}] is no box", data[i, j].tolist(), want, fix))
        return made

    def convert(self, format: str, size: tuple[int, ...] | None = None) -> Boxes:
        """The same boxes in another format; `size` (h, w) of the frame where one of the two counts in fractions of it. Of a
        turned box an upright format has the upright one around it.

        >>> Boxes(torch.tensor([[1.0, 2.0, 5.0, 4.0]])).convert("cxcywh").data
        tensor([[3., 3., 4., 2.]])
        """
        new = replace(self, format=format)
        if size is None and {self.format, new.format} & {"yolo", "xyxyn"}:
            fix = f"boxes.convert({format!r}, size=(height, width))"
            raise ValueError(explain("convert: fractions of which frame?", None, "the frame's size", fix))
        size = size or (1,) * (self.data.shape[-1] // 2)
        if not new.turned:
            return new.like(self.xyxy(size), self.valid, size)
        if self.turned:
            return new.like_corners(self.corners(), self.valid)
        x1, y1, x2, y2 = self.xyxy(size).unbind(-1)
        corners = torch.stack([x1, y1, x2, y1, x2, y2, x1, y2], -1).unflatten(-1, (4, 2))
        return new.like_corners(corners, self.valid)

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
class Keypoints(Rows):
    """Points with visibility: `xy [*b, N, 2]` (`[*b, N, 3]` in a volume), pixel centres at whole numbers, `visible
    [*b, N]`. A point is visible from -1/2 to n - 1/2 along each axis, both included.

    * Poses have more dims before the points, `[*b, people, joints, 2]` (beside a video the first is time).
    * `visible` is boolean, or COCO's 0, 1 (hidden) and 2, kept as they are and 0 once the point has left. A plain tensor of
      one number more, `[*b, people, joints, 3]` with x, y and COCO's visibility, is such keypoints too.
    * `swap`: pairs of rows that change places when the image is mirrored, such as left and right eye, `swap=((0, 1),)`;
      of poses within each person.

    >>> eyes = Keypoints(torch.tensor([[1.0, 2.0], [5.0, 2.0]]), swap=((0, 1),))
    >>> import augfn as af
    >>> af.hflip()({"image": torch.zeros(1, 4, 8), "keypoints": eyes})[0]["keypoints"].xy
    tensor([[2., 2.],
            [6., 2.]])
    """

    tensors: ClassVar[tuple[str, ...]] = ("xy", "visible")
    xy: Tensor
    visible: Tensor = None  # type: ignore[assignment]
    swap: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.visible is None:
            object.__setattr__(self, "visible", torch.ones(self.xy.shape[:-1], dtype=torch.bool, device=self.xy.device))
        n, pairs = self.xy.shape[-2] if self.xy.ndim > 1 else 0, tuple(tuple(pair) for pair in self.swap)
        rows = [i for pair in pairs for i in pair]
        if (
            any(len(pair) != 2 for pair in pairs)
            or len(set(rows)) != len(rows)
            or not all(0 <= i < (n or i + 1) for i in rows)
        ):
            want = f"pairs of different rows below {n}, each row once"
            raise ValueError(explain("Keypoints: swap", self.swap, want, "swap=((left_eye, right_eye),)"))
        object.__setattr__(self, "swap", pairs)

    @classmethod
    def pad(cls, points: Sequence[Any], *, levels: bool = False, **settings: Any) -> Keypoints:
        """Points of a batch from a list with the rows `[N_i, 2]` (or people `[P_i, K, 2]`) of each sample, as `Boxes.pad`: not
        visible where there is none, or where a coordinate is NaN. `levels`: the last number of each is COCO's visibility.

        >>> Keypoints.pad([[[1, 2], [3, 4]], [[5, 6]]]).visible
        tensor([[ True,  True],
                [ True, False]])
        """
        xy, there = padded("keypoints", points, (3, 4) if levels else (2, 3), deep=True)
        known = there.reshape(there.shape + (1,) * (xy.ndim - 3)) & (xy == xy).all(-1)
        return cls(xy[..., :-1], xy[..., -1] * known, **settings) if levels else cls(xy, known, **settings)

    def mirrored(self) -> list[int]:
        """The row that each row becomes under a mirror."""
        order = list(range(self.xy.shape[-2]))
        for i, j in self.swap:
            order[i], order[j] = j, i
        return order


_node(Boxes, Boxes.tensors, ("format", "clip", "min_area", "min_visibility", "min_size"))
_node(Keypoints, Keypoints.tensors, ("swap",))


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

"""Annotations: boxes with validity and keypoints with visibility, in the formats that data comes in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from augfn.core.ragged import Rows, check_coordinates, check_rows, of_clips, padded, register_node
from augfn.errors import explain, warn
from augfn.math.polygons import polygon_area
from augfn.run.constants import constant
from augfn.run.peek import peek

FORMATS = ("xyxy", "xywh", "cxcywh", "yolo", "xyxyn", "cxcywhr", "xyxyxyxy")
TURNED = {"cxcywhr": 5, "xyxyxyxy": 8}  # formats of boxes that need not be upright: numbers for each
FRACTIONS = {"yolo": "cxcywh", "xyxyn": "xyxy"}  # formats in fractions of the frame, and the same in pixels
ROUNDINGS = 32  # of float32 that a coordinate, as large as the frame, may be off after a chain of steps
SAME_FORMAT = {"pascal_voc": "xyxy", "coco": "xywh", "albumentations": "xyxyn"}


@dataclass(frozen=True, eq=False)
class Boxes(Rows):
    """Boxes with validity, continuous edges: `data [*b, N, 4]` (`[*b, N, 6]` in a volume, xyzxyz), `valid [*b, N]`.

    * `format`: "xyxy", "xywh", "cxcywh" (pixels), "yolo" (cxcywh as fractions of the frame), "xyxyn" (xyxy as
      fractions); the peers' "pascal_voc", "coco", "albumentations" are understood. Boxes that need not be upright
      (2-D): "xyxyxyxy" `[*b, N, 8]`, four corners, and "cxcywhr" `[*b, N, 5]`, r in degrees, counter-clockwise, in
      (-90, 90]; their corners move as they are.
    * A box whose ends are exchanged (x2 < x1), or with a NaN, or without an area in the frame, is not valid; nor is one of
      which a corner lies behind the horizon of a projective map.
    * What of a box lies outside of the frame belongs to it until a geometric step clips it.
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
            known = (*FORMATS, *SAME_FORMAT)
            raise ValueError(explain("unknown box format", self.format, f"one of {known}", "name the boxes' format"))
        widths = (TURNED[self.format],) if self.format in TURNED else (4, 6)
        check_coordinates("Boxes", self.data, widths)
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
        which may differ in number: `data [B, N, 4]` with `valid` False where there is none; of clips from lists with such a list
        for each frame `[B, T, N, 4]`. `labels`: a list as long, with an entry for each box; padded with 0. `drop_invalid` is
        the inverse.

        Raises where a box has its ends exchanged, or is not finite, and where pixels are given as fractions.

        >>> Boxes.pad([[[0, 0, 4, 2]], []], labels=[[7], []]).valid
        tensor([[ True],
                [False]])
        """
        known = SAME_FORMAT.get(format, format)
        clip = of_clips(boxes)
        data, valid = padded("boxes", boxes, (TURNED[known],) if known in TURNED else (4, 6), clip=clip)
        kept = None
        if labels is not None:
            kept, there = padded("labels", labels, (), floating=False, clip=clip)
            if not there.equal(valid):
                given = [[*map(len, rows)] if clip else len(rows) for rows in labels]
                fix = "one label for each box, [] where there is none"
                raise ValueError(explain("labels: not as many as boxes", given, f"{valid.sum(-1).tolist()}", fix))
        made = cls(data, format, valid, labels=kept, **settings)
        bad = (valid & ~made.proper(made.xyxy((1,) * (data.shape[-1] // 2)))).nonzero()
        if len(bad):
            at = bad[0].tolist()
            want, fix = (
                "finite numbers, low ends before high ones",
                f'leave it out, or name the format, which is {format!r}: Boxes.pad(..., format="coco"), or the name "bbox_coco"',
            )
            raise ValueError(
                explain(f"boxes{''.join(f'[{i}]' for i in at)} is no box", data[tuple(at)].tolist(), want, fix)
            )
        check_fractions(made)
        return made

    def convert(self, format: str, size: tuple[int, ...] | None = None) -> Boxes:
        """The same boxes in another format; `size` (h, w) of the frame where one of the two counts in fractions of it. Of a
        turned box an upright format has the upright one around it.

        >>> Boxes(torch.tensor([[1.0, 2.0, 5.0, 4.0]])).convert("cxcywh").data
        tensor([[3., 3., 4., 2.]])
        """
        known, d = SAME_FORMAT.get(format, format), self.data.shape[-1] // 2 if not self.turned else 2
        blank = self.data.new_empty(*self.data.shape[:-1], TURNED.get(known, 2 * d))
        new = replace(self, format=known, data=blank)
        if size is not None and not (isinstance(size, Sequence) and len(size) == d):
            fix = f"boxes.convert({format!r}, size=image.shape[-{d}:])"
            raise ValueError(explain("convert: size", size, "height and width (of a volume depth first)", fix))
        if size is None and {self.format, new.format} & {"yolo", "xyxyn"}:
            fix = f"boxes.convert({format!r}, size=(height, width))"
            raise ValueError(explain("convert: fractions of which frame?", None, "the frame's size", fix))
        size = size or (1,) * d
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

    def proper(self, xyxy: Tensor) -> Tensor:
        """Which have no NaN, no ends exchanged and no negative side; `xyxy` are their corners in pixels."""
        if not self.turned:
            low, high = xyxy.chunk(2, -1)
            return (low <= high).all(-1)
        proper = (self.data == self.data).all(-1)
        return proper & (self.data[..., 2:4] >= 0).all(-1) if self.format == "cxcywhr" else proper

    def checked(self, size: tuple[int, ...]) -> Boxes:
        """The boxes, of which those that are not proper are not valid, nor those that have no area in the frame."""
        xyxy = self.xyxy(size)
        valid = self.valid & self.proper(xyxy)
        if self.turned or not self.clip:
            return replace(self, valid=valid)
        check_fractions(self)
        low, high = xyxy.chunk(2, -1)
        here = (low < high) & (high > 0) & (low < constant(tuple(map(float, reversed(size))), low))
        return replace(self, valid=valid & here.all(-1))

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
        check_coordinates("Keypoints", self.xy, (2, 3))
        if self.visible is None:
            object.__setattr__(self, "visible", torch.ones(self.xy.shape[:-1], dtype=torch.bool, device=self.xy.device))
        n, pairs = self.xy.shape[-2], tuple(tuple(p) if isinstance(p, Sequence) else (p,) for p in self.swap)
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


register_node(Boxes, Boxes.tensors, ("format", "clip", "min_area", "min_visibility", "min_size"))
register_node(Keypoints, Keypoints.tensors, ("swap",))


def check_fractions(boxes: Boxes) -> None:
    """Pixels where fractions of the frame are expected would be boxes as large as the frame."""
    values = peek(boxes.data) if boxes.format in FRACTIONS else None
    if values is not None and values.size and np.nanmax(values, initial=0.0) > 2:
        want, fix = "fractions of the frame, 0 to 1", f'format="{FRACTIONS[boxes.format]}" for pixels'
        given = f"values up to {np.nanmax(values):g}"
        raise ValueError(explain(f"boxes of the format {boxes.format!r}", given, want, fix))


def rounding(dtype: torch.dtype) -> float:
    """The relative error of what is kept in this dtype: so much beyond a limit still counts as within."""
    return ROUNDINGS * torch.finfo(torch.float32).eps + torch.finfo(dtype).eps


def look_at_ends(xyxy: Tensor) -> None:
    """A warning where the low ends of plain boxes lie behind the high ones: another format, most likely."""
    values = peek(xyxy)
    if values is None:
        return
    low, high = np.split(values, 2, -1)
    if (low > high).any():
        given = values[(low > high).any(-1)][0].tolist()
        fix = 'af.Boxes(boxes, format="xywh"), by the name of their format'
        warn(explain("boxes that end before they begin", given, "x1, y1, x2, y2, low ends first", fix))


def drop_invalid(rows: Boxes | Keypoints, *others: Tensor) -> Any:
    """Ragged lists outside the graph, the inverse of `pad`: for each sample the rows that are there, and the same rows of
    what belongs to them (`others [*b, N, ...]`).

    * `Boxes`: the valid ones; a list of their data, and one of their labels, where they have such.
    * `Keypoints`: the visible ones (of poses `[B, people, joints, 2]` the people of whom a joint is visible); a list of
      their coordinates and one of their visibility.

    >>> b = Boxes(torch.zeros(1, 2, 4), valid=torch.tensor([[True, False]]), labels=torch.tensor([[7, 8]]))
    >>> data, labels = drop_invalid(b)
    >>> len(data[0]), labels
    (1, [tensor([7])])
    """
    if isinstance(rows, Boxes):
        there, held = rows.valid, [rows.data, *([] if rows.labels is None else [rows.labels])]
    elif isinstance(rows, Keypoints):
        there, held = rows.visible > 0, [rows.xy, rows.visible]
        there = there.flatten(2).any(-1) if there.ndim > 2 else there
    else:
        fix = 'af.drop_invalid(batch["boxes"]), a plain tensor as af.Boxes(boxes)'
        raise TypeError(explain("drop_invalid: nothing that says what is there", rows, "Boxes or Keypoints", fix))
    for t in others:
        if not isinstance(t, Tensor) or t.shape[: there.ndim] != there.shape:
            want, fix = (
                f"tensors {list(there.shape)} first, as many rows",
                "torch.as_tensor(...), padded as the rows are",
            )
            raise TypeError(explain("drop_invalid: others", t, want, fix))
    n, rank = math.prod(there.shape[:-1]), there.ndim
    keep = there.reshape(n, there.shape[-1])
    lists = [
        [row[here] for row, here in zip(t.reshape(n, *t.shape[rank - 1 :]), keep, strict=True)]
        for t in (*held, *others)
    ]
    return lists[0] if len(lists) == 1 else tuple(lists)

"""Targets: what is augmented, and how each kind of it is read.

A bare tensor is an image (a volume, for 3-D ops). A dict maps names to targets; the kind is the name, its stem before
`_`, or is given by `targets={"seg": "mask"}`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import GetAttrKey, register_pytree_node, tree_leaves

from augfn.errors import explain, unknown
from augfn.math.polygons import polygon_area
from augfn.run.constants import constant

# kind: (trailing dims of one sample in 2-D, the same in 3-D); None = not in that world, () = not spatial
LAYOUT: dict[str, tuple[str | None, str | None]] = {
    "image": ("C H W", None),
    "video": ("T C H W", None),
    "volume": (None, "C D H W"),
    "depth": ("1 H W", None),
    "mask": ("[C] H W", "[C] D H W"),
    "boxes": ("N 4", "N 6"),
    "keypoints": ("N 2", "N 3"),
    "intrinsics": ("3 3", None),
    "label": ("", ""),
}
FRAMED = ("image", "video", "volume", "depth")
FLOATING = ("image", "video", "volume", "depth", "boxes", "keypoints", "intrinsics")
CONVERTED = ("image", "video", "volume")  # what a conversion takes as integers
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

    name = f"augfn.core.targets.{cls.__name__}"
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


@dataclass(frozen=True)
class Target:
    kind: str
    value: Any


@dataclass(frozen=True)
class Sample:
    """Targets by name, with the leading batch shape and the frame's size they share."""

    targets: dict[str, Target]
    batch: tuple[int, ...]
    size: tuple[int, ...]
    device: torch.device
    bare: bool = False

    def changed(self, targets: dict[str, Target], size: tuple[int, ...]) -> Sample:
        return Sample(targets, self.batch, size, self.device, self.bare)

    def output(self) -> Any:
        values = {n: t.value for n, t in self.targets.items()}
        return next(iter(values.values())) if self.bare else values


def kind_of(name: str, given: Mapping[str, str]) -> str:
    kind = given.get(name) or (name if name in LAYOUT else name.split("_")[0])
    if kind not in LAYOUT:
        raise ValueError(unknown("target", name, LAYOUT) + ", or targets={" + repr(name) + ': "mask"} in the pipeline')
    return kind


def read(x: Any, ndim: int, given: Mapping[str, str], spatial: bool = True, integers: bool = False) -> Sample:
    """A bare tensor or a dict of targets, checked, for ops of `ndim` spatial dimensions; where these are not `spatial`
    (colour, noise), a dict with a volume is one of 3. `integers`: images may hold them."""
    if isinstance(x, Tensor):
        kind = "image" if ndim == 2 else "volume"
        targets = {kind: Target(kind, x)}
        if (integers or x.is_floating_point()) and x.ndim > ndim:  # all that there is to check of an image alone
            return Sample(targets, tuple(x.shape[: -ndim - 1]), tuple(x.shape[-ndim:]), x.device, True)
        return checked(targets, ndim, True, integers)
    if not isinstance(x, Mapping) or not x:
        raise TypeError(
            explain("nothing to augment", x, "a tensor [*batch, C, H, W] or a dict of targets", "pass torch tensors")
        )
    targets = {name: Target(kind_of(name, given), value) for name, value in x.items()}
    if not spatial and any(t.kind == "volume" for t in targets.values()):
        ndim = 3
    return checked(targets, ndim, False, integers)


def checked(targets: dict[str, Target], ndim: int, bare: bool, integers: bool = False) -> Sample:
    frames = {n: t.value for n, t in targets.items() if t.kind in FRAMED}
    for name, t in targets.items():
        check_value(name, t, ndim, integers)
    if not frames:
        raise ValueError(
            explain(
                "no frame to go by", list(targets), f"one of {FRAMED} among the targets", "add the image to the dict"
            )
        )
    name, frame = next(iter(frames.items()))
    layout = LAYOUT[targets[name].kind][ndim - 2]
    assert layout is not None
    batch, size = tuple(frame.shape[: -len(layout.split())]), tuple(frame.shape[-ndim:])
    for n, t in targets.items():
        check_device(n, t, frame.device, name)
        check_shape(n, t, batch, size, name)
    proper = {
        n: t if not isinstance(t.value, Boxes) else Target(t.kind, t.value.checked(size)) for n, t in targets.items()
    }
    return Sample(proper, batch, size, frame.device, bare)


def array_of(t: Target) -> Tensor:
    return t.value.data if isinstance(t.value, Boxes) else t.value.xy if isinstance(t.value, Keypoints) else t.value


def check_value(name: str, t: Target, ndim: int, integers: bool) -> None:
    layout = LAYOUT[t.kind][ndim - 2]
    if layout is None:
        world = "2-D ops" if ndim == 2 else "3-D ops"
        raise ValueError(
            explain(
                f"{name}: a {t.kind} among {world}",
                t.kind,
                "targets of one world",
                "use affine3d, hflip3d, ... for volumes",
            )
        )
    value = array_of(t)
    if not isinstance(value, Tensor):
        raise TypeError(explain(f"{name}: not a tensor", value, f"a tensor [*batch, {layout}]", "torch.as_tensor(...)"))
    if t.kind in FLOATING and not value.is_floating_point() and not (integers and t.kind in CONVERTED):
        convert = f"af.to_float({name}), or af.to_float() as the first step"
        fix = convert if t.kind in CONVERTED else f"{name}.float()"
        raise TypeError(explain(f"{name}: integer values", value, "a floating tensor", fix))
    need = len(layout.replace("[C] ", "").split())
    if value.ndim < need:
        raise ValueError(explain(f"{name}: wrong rank", value, f"[*batch, {layout}]", "add the missing dimensions"))


def check_device(name: str, t: Target, device: torch.device, ref: str) -> None:
    """All that belongs to a target lies where the reference target does."""
    for found in tree_leaves(t.value):
        if found.device != device:
            what = f"{name}: on another device than {ref}"
            raise ValueError(explain(what, found.device, str(device), f'{name}.to("{device}"), all of it'))


def check_shape(name: str, t: Target, batch: tuple[int, ...], size: tuple[int, ...], ref: str) -> None:
    """The batch and the frame must be those of the reference target."""
    value, d, b = array_of(t), len(size), len(batch)
    if tuple(value.shape[:b]) != batch:
        want = wanted(t, batch, d)
        raise ValueError(explain(f"{name}: its batch differs from {ref}'s", value, want, "give one per sample"))
    rest = tuple(value.shape[b:])
    if t.kind in FRAMED or t.kind == "mask":
        ranks = {"mask": (d, d + 1), "video": (d + 2,)}.get(t.kind, (d + 1,))
        good = len(rest) in ranks and rest[-d:] == size
    else:
        tail = {"boxes": (row_of(t.value, d),), "keypoints": (d,), "intrinsics": (3, 3)}.get(t.kind, ())
        good = rest[len(rest) - len(tail) :] == tail and (t.kind not in ("boxes", "keypoints") or len(rest) == 2)
    if not good:
        want = f"{wanted(t, batch, d)} with a frame of {'x'.join(map(str, size))}"
        raise ValueError(explain(f"{name}: wrong shape", value, want, f"bring it to {ref}'s frame"))


def row_of(boxes: Any, d: int) -> int:
    """The numbers of one box; turned ones are for images."""
    known = isinstance(boxes, Boxes) and boxes.turned
    if known and d != 2:
        raise ValueError(explain("turned boxes in a volume", boxes.format, "xyxy, xywh, cxcywh", "use upright boxes"))
    return TURNED[boxes.format] if known else 2 * d


def wanted(t: Target, batch: tuple[int, ...], d: int) -> str:
    return f"[{', '.join([*map(str, batch), *(LAYOUT[t.kind][d - 2] or '').split()])}]"


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

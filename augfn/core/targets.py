"""Targets: what is augmented, and how each kind of it is read.

A bare tensor is an image (a volume, for 3-D ops). A dict maps names to targets; the kind is the name, its stem before
`_`, or is given by `targets={"seg": "mask"}`. What is "other" passes through untouched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from augfn.core.boxes import FORMATS, SAME_FORMAT, TURNED, Boxes, Keypoints, look_at_ends, rounding
from augfn.core.poses import ClipRows, folded
from augfn.core.ragged import made_of
from augfn.errors import explain, unknown
from augfn.run.constants import constant

# kind: (trailing dims of one sample in 2-D, the same in 3-D); None = not in that world, () = not spatial
LAYOUT: dict[str, tuple[str | None, str | None]] = {
    "image": ("C H W", None),
    "video": ("T C H W", "T C D H W"),
    "volume": (None, "C D H W"),
    "depth": ("1 H W", None),
    "mask": ("[C] H W", "[C] D H W"),
    "softmask": ("[C] H W", "[C] D H W"),
    "heatmap": ("C H W", "C D H W"),
    "instances": ("N H W", "N D H W"),
    "boxes": ("N 4", "N 6"),
    "keypoints": ("N 2", "N 3"),
    "intrinsics": ("3 3", None),
    "affine": ("3 3", "4 4"),
    "spacing": ("2", "3"),
    "flow": ("2 H W", "3 D H W"),
    "label": ("", ""),
}
FRAMED = ("image", "video", "volume", "depth")
FLOATING = (*FRAMED, "softmask", "heatmap", "boxes", "keypoints", "intrinsics", "affine", "spacing", "flow")
SPATIAL = (*FRAMED, "mask", "softmask", "heatmap", "instances", "flow")  # arrays whose last axes are the frame's
OTHER = "other"
PEERS = ("torchvision.", "monai.")  # with tensors of their own
SPELLED = {  # what else users call them
    **{f"{kind}s": kind for kind in LAYOUT if kind[-1] != "s"},
    "instance": "instances",
    "keypoint": "keypoints",
    **dict.fromkeys(("box", "bbox", "bboxes"), "boxes"),
    **dict.fromkeys(("class", "classes"), "label"),
}
NO_TARGETS = ("id", "ids", "idx", "index", "path", "paths", "file", "filename", "name", "names", "meta", "info")
CONVERTED = ("image", "video", "volume")  # what a conversion takes as integers


@dataclass(frozen=True)
class Target:
    kind: str
    value: Any


@dataclass(frozen=True)
class Sample:
    """Targets by name, with the leading batch shape and the frame's size they share.

    `others`: what passes through; `names`: the order of all, where there are such. `folds`: how keypoints were
    laid out that are moved as one list, and which boxes came as plain tensors. `clip`: the batch's last dim is time.
    """

    targets: dict[str, Target]
    batch: tuple[int, ...]
    size: tuple[int, ...]
    device: torch.device
    bare: bool = False
    others: Mapping[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    folds: Mapping[str, Any] = field(default_factory=dict)
    clip: bool = False

    @property
    def channels(self) -> int:
        """The channels of the first image, video or volume; 0 where there is none."""
        d = len(self.size)
        return next((t.value.shape[-d - 1] for t in self.targets.values() if t.kind in CONVERTED), 0)

    @property
    def frames(self) -> int | None:
        """The number of frames of a clip that is moved as one; None where there is no video."""
        at = len(self.batch)
        return next((t.value.shape[at] for t in self.targets.values() if t.kind == "video"), None)

    def changed(self, targets: dict[str, Target], size: tuple[int, ...]) -> Sample:
        rest = (self.device, self.bare, self.others, self.names, self.folds, self.clip)
        return Sample(targets, self.batch, size, *rest)

    def output(self) -> Any:
        values = {n: t.value for n, t in self.targets.items()}
        values |= {n: fold.undo(values[n]) for n, fold in self.folds.items()}
        if self.bare:
            return next(iter(values.values()))
        return {n: self.others[n] if n in self.others else values[n] for n in self.names} if self.names else values


def format_in(name: str) -> str | None:
    """The format that the name of plain boxes tells: bbox_xywh, boxes_coco."""
    return next((part for part in name.lower().split("_")[1:] if part in (*FORMATS, *SAME_FORMAT)), None)


@dataclass(frozen=True)
class Plain:
    """Boxes that came as a plain tensor, in the format that their name tells; their labels say which of them were valid."""

    def undo(self, boxes: Boxes) -> Tensor:
        """Without an area where one has lost its validity."""
        assert boxes.labels is not None
        return torch.where((boxes.labels & ~boxes.valid)[..., None], 0.0, boxes.data)


@dataclass(frozen=True)
class Both:
    """One undone after the other."""

    first: Any
    second: Any

    def undo(self, value: Any) -> Any:
        return self.second.undo(self.first.undo(value))

    def retimed(self, frames: int) -> Both:
        return replace(self, second=self.second.retimed(frames))


def kind_of(name: str, given: Mapping[str, str]) -> str:
    """The kind of a name: what is given, else the name itself or its stem."""
    if name in given:
        kind = SPELLED.get(given[name], given[name])
        if kind not in LAYOUT and kind != OTHER:
            raise ValueError(unknown(f"kind of the target {name!r}", kind, [*LAYOUT, OTHER]))
        return kind
    stem, *rest = name.split("_")
    kind = SPELLED.get(name, SPELLED.get(stem, stem))
    if stem == OTHER:
        return OTHER
    if kind not in LAYOUT or (rest and rest[-1] in NO_TARGETS):
        want = f"a name that begins with one of {', '.join(LAYOUT)}"
        near = get_close_matches(stem.lower(), [*LAYOUT, *SPELLED], n=1, cutoff=0.7)
        fix = f"did you mean {near[0]!r}? " if near else ""
        like = next((k for part in rest if (k := SPELLED.get(part.lower(), part.lower())) in LAYOUT), "mask")
        fix += (
            f"af.pipeline(f, targets={{{name!r}: 'other'}}) passes it through, {{{name!r}: {like!r}}} calls it {like}"
        )
        raise ValueError(explain(f"the kind of the target {name!r} is not known", name, want, fix))
    return kind


def read(
    x: Any,
    ndim: int,
    given: Mapping[str, str],
    spatial: bool = True,
    integers: bool = False,
    bare: str = "",
) -> Sample:
    """A bare tensor (of the kind `bare`) or a dict of targets, checked, for ops of `ndim` spatial dimensions; where these are
    not `spatial` (colour, noise), a dict with a volume is one of 3. `integers`: images may hold them."""
    x = of_peer(x)
    if isinstance(x, Tensor):
        kind = bare or ("image" if ndim == 2 else "volume")
        targets = {kind: Target(kind, x)}
        if bare and x.ndim > ndim and x.shape[-ndim - 1] != 1:
            want, fix = "a depth map [*batch, 1, H, W]", "f({'image': image, 'depth': depth}, None, key)"
            raise ValueError(explain("a bare tensor of several channels, for a step on depth", x, want, fix))
        if (integers or x.is_floating_point()) and x.ndim > ndim:  # all that there is to check
            return Sample(targets, tuple(x.shape[: -ndim - 1]), tuple(x.shape[-ndim:]), x.device, True)
        return checked(targets, ndim, True, integers)
    if not isinstance(x, Mapping) or not x:
        want, fix = "torch tensors [*batch, C, H, W], or a dict of targets", "af.to_float(x) before the call"
        raise TypeError(explain("nothing to augment", x, want, '{"image": x}' if isinstance(x, Mapping) else fix))
    targets = {name: Target(kind_of(name, given), of_peer(value)) for name, value in x.items()}
    others = {n: t.value for n, t in targets.items() if t.kind == OTHER}
    targets = {n: t for n, t in targets.items() if n not in others} if others else targets
    if not spatial and any(is_deep(t) for t in targets.values()):
        ndim = 3
    sample = checked(targets, ndim, False, integers)
    return replace(sample, others=others, names=tuple(x)) if others else sample


def is_deep(t: Target) -> bool:
    """True of what only a volume has: itself, boxes of six numbers, points of three, an affine of 4 x 4."""
    value = array_of(t)
    if not isinstance(value, Tensor):
        return t.kind == "volume"
    points = t.kind == "keypoints" and isinstance(t.value, Keypoints)
    widths = {"boxes": 6, "affine": 4} | ({"keypoints": 3} if points else {})
    return t.kind == "volume" or (value.ndim > 0 and value.shape[-1] == widths.get(t.kind))


def of_peer(value: Any) -> Any:
    """A `tv_tensor` of torchvision or a `MetaTensor` of MONAI as a plain tensor, boxes by their own format: what such a tensor
    tells of itself (an affine, a frame) would not be true of the result."""
    if type(value) is Tensor or not (isinstance(value, Tensor) and type(value).__module__.startswith(PEERS)):
        return value
    plain = value.as_subclass(Tensor)
    form = getattr(value, "format", None)
    if form is None:
        return plain
    if form.name.lower() not in FORMATS:
        fix = 'torchvision.transforms.v2.functional.convert_bounding_box_format(boxes, new_format="XYXYXYXY")'
        raise ValueError(explain("boxes of torchvision in a format of their own", form.name, f"one of {FORMATS}", fix))
    return Boxes(plain if plain.is_floating_point() else plain.float(), form.name.lower())


def checked(
    targets: dict[str, Target],
    ndim: int,
    bare: bool,
    integers: bool = False,
) -> Sample:
    plain = [n for n, t in targets.items() if t.kind == "boxes" and isinstance(t.value, Tensor)]
    told = {n: form for n, form in zip(plain, map(format_in, plain), strict=True) if form is not None}
    targets = {n: Target(t.kind, Boxes(t.value, told[n])) if n in told else t for n, t in targets.items()}
    frames = {n: t.value for n, t in targets.items() if t.kind in FRAMED}
    for name, t in targets.items():
        check_value(name, t, ndim, integers)
    if not frames:
        raise ValueError(
            explain(
                "no frame to go by", list(targets), f"one of {FRAMED} among the targets", "add the image to the dict"
            )
        )
    videos = {n: x for n, x in frames.items() if targets[n].kind == "video"}
    name, frame = next(iter((videos or frames).items()))
    layout = LAYOUT[targets[name].kind][ndim - 2]
    assert layout is not None
    batch, size = tuple(frame.shape[: -len(layout.split())]), tuple(frame.shape[-ndim:])
    time = frame.shape[len(batch)] if videos else None
    for n, t in targets.items():
        check_device(n, t, frame.device, name)
        check_shape(n, t, batch, size, name, time)
    rows = {n: rows_in(t, len(batch), time) for n, t in targets.items()}
    targets = {n: t if rows[n] is None else Target(t.kind, rows[n].fold(t.value)) for n, t in targets.items()}  # type: ignore[union-attr]
    check_instances(targets)
    proper = {
        n: t if not isinstance(t.value, Boxes) else Target(t.kind, t.value.checked(size)) for n, t in targets.items()
    }
    points = {n: folded(t.value, len(batch), ndim, time) for n, t in proper.items() if t.kind == "keypoints"}
    proper |= {n: Target("keypoints", in_frame(value, size)) for n, (value, _) in points.items()}
    for t in proper.values():
        if t.kind == "boxes" and isinstance(t.value, Tensor):
            look_at_ends(t.value)
    folds = {n: fold for n, (_, fold) in points.items() if fold is not None}
    proper |= {n: Target("boxes", replace(proper[n].value, labels=proper[n].value.valid)) for n in told}
    folds |= dict.fromkeys(told, Plain())
    folds |= {n: fold if n not in folds else Both(folds[n], fold) for n, fold in rows.items() if fold is not None}
    return Sample(proper, batch, size, frame.device, bare, folds=folds)


def in_frame(k: Any, size: tuple[int, ...]) -> Any:
    """Keypoints, of which those outside of the frame are not visible."""
    if not isinstance(k, Keypoints):
        return k
    room = 0.5 + rounding(k.xy.dtype) * max(size)
    limit = constant(tuple(n - 1 + room for n in reversed(size)), k.xy)
    here = ((k.xy >= -room) & (k.xy <= limit)).all(-1)
    return replace(k, visible=k.visible & here if k.visible.dtype == torch.bool else k.visible * here)


def array_of(t: Target) -> Tensor:
    return t.value.data if isinstance(t.value, Boxes) else t.value.xy if isinstance(t.value, Keypoints) else t.value


def check_value(name: str, t: Target, ndim: int, integers: bool) -> None:
    layout = LAYOUT[t.kind][ndim - 2]
    if layout is None:
        world = "2-D ops" if ndim == 2 else "3-D ops"
        fix = f"call it 'volume', or targets={{{name!r}: 'volume'}}"
        fix = "use affine3d, hflip3d, ... for volumes" if ndim == 2 else fix
        raise ValueError(explain(f"{name}: {t.kind} among {world}", t.kind, "targets of one world", fix))
    value = array_of(t)
    if not isinstance(value, Tensor):
        fix = f"af.to_float({name})" if t.kind in FRAMED else f"torch.as_tensor({name})"
        fix = "a list of dicts, one for each sample" if isinstance(value, list) else fix
        fix = made_of(t.kind.capitalize(), name, value) if t.kind in ("boxes", "keypoints") else fix
        want = f"a tensor [*batch, {layout}]".replace(", ]", "]")
        raise TypeError(explain(f"{name}: not a tensor", value, want, fix))
    if t.kind in FLOATING and not value.is_floating_point() and not (integers and t.kind in CONVERTED):
        convert = f"af.to_float({name}), or af.to_float() as the first step of a pipeline"
        if t.kind == "volume" and value.dtype != torch.uint8:  # Hounsfield units and their like, without a full scale
            convert = f"{name}.float()"
        if t.kind == "depth":
            convert = f"af.to_float({name}, max=1000), which makes metres of millimetres"
        fix = convert if t.kind in (*CONVERTED, "depth") else f"{name}.float()"
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


def rows_in(t: Target, batch: int, time: int | None) -> ClipRows | None:
    """How the boxes, or the instance masks, of all frames of a clip are laid out; None where there is one list for all."""
    value = array_of(t)
    rank = {"boxes": 3, "instances": 4}.get(t.kind)
    if time is None or rank is None or value.ndim < batch + rank or value.shape[batch] != time:
        return None
    return ClipRows(batch, time, value.shape[batch + 1])


def check_shape(
    name: str, t: Target, batch: tuple[int, ...], size: tuple[int, ...], ref: str, time: int | None = None
) -> None:
    """The batch and the frame must be those of the reference target; beside a video of so many frames, there may be as many
    of each."""
    value, d, b = array_of(t), len(size), len(batch)
    if tuple(value.shape[:b]) != batch:
        want = wanted(t, batch, d)
        raise ValueError(explain(f"{name}: its batch differs from {ref}'s", value, want, "give one per sample"))
    rest = tuple(value.shape[b:])
    framed = time is not None and rest[:1] == (time,) and t.kind not in ("video", "label", "keypoints")
    if t.kind == "video" and time is not None and rest[0] != time and len(rest) == d + 2:
        given, want = f"{rest[0]} frames", f"the {time} frames of {ref}"
        raise ValueError(explain(f"{name}: a clip of another length", given, want, f"a call of its own for {name}"))
    if t.kind in SPATIAL:
        good = (len(rest) in ranks_of(t.kind, d) or (framed and len(rest) - 1 in ranks_of(t.kind, d))) and rest[
            -d:
        ] == size
        good = good and (t.kind != "flow" or rest[-d - 1] == d)
    else:
        square = (d + 1, d + 1)
        own: dict[str, tuple[int, ...]] = {"intrinsics": (3, 3), "affine": square, "spacing": (d,)}
        tail = (row_of(t.value, d),) if t.kind == "boxes" else own.get(t.kind, ())
        good = rest[len(rest) - len(tail) :] == tail
        if t.kind == "boxes":
            good = good and len(rest) in ((2, 3) if framed else (2,))
        elif t.kind in own:
            good = rest == tail or (framed and rest[1:] == tail)
        if t.kind == "keypoints":  # people x joints, and COCO's third number, are folded afterwards
            good = len(rest) > 1 and rest[-1] in ((d,) if isinstance(t.value, Keypoints) else (d, d + 1))
    if t.kind == "label" and len(rest) >= d and rest[-d:] == size and min(size) > 1:
        given, want = value, "one label for each sample, or K numbers"
        raise ValueError(explain(f"{name}: a label for each pixel", given, want, f"targets={{{name!r}: 'mask'}}"))
    if not good:
        want, fix = f"{wanted(t, batch, d)} with a frame of {'x'.join(map(str, size))}", f"bring it to {ref}'s frame"
        if t.kind == "boxes" and rest[-2:] == (4, 2):
            fix = f'four corners each: af.Boxes({name}.flatten(-2), format="xyxyxyxy"), the data key "bbox_xyxyxyxy"'
        if t.kind in ("boxes", "keypoints") and len(rest) == 1:
            fix = f"{name}[:, None], if that is one for each sample"
        if t.kind == "keypoints" and isinstance(t.value, Keypoints) and rest and rest[-1] == d + 1:
            fix = "af.Keypoints.pad(..., levels=True), where the last number is a visibility"
        if t.kind == "depth" and rest == size:
            fix = f"{name}.unsqueeze(-{d + 1}), a channel before the frame"
        if t.kind == "flow" and time is not None and len(rest) == d + 2 and rest[:1] == (time - 1,):
            fix = f"one of zeros for the last frame: torch.cat([{name}, 0 * {name}[..., -1:, :, :, :]], -4)"
        if t.kind in ("softmask", "heatmap"):
            fix += f": torch.nn.functional.interpolate({name}, size={size}), and back afterwards"
        raise ValueError(explain(f"{name}: wrong shape", value, want, fix))


def ranks_of(kind: str, d: int) -> tuple[int, ...]:
    """The ranks that an array on the frame may have for one sample."""
    return {"mask": (d, d + 1), "softmask": (d, d + 1), "video": (d + 2,)}.get(kind, (d + 1,))


def check_instances(targets: dict[str, Target]) -> None:
    """Instance masks belong to the boxes, one to each."""
    masks = {n: t.value for n, t in targets.items() if t.kind == "instances"}
    boxes = {n: t for n, t in targets.items() if t.kind == "boxes"}
    if masks and (len(masks) > 1 or len(boxes) > 1):
        given, want = [*masks, *boxes], "one target of instance masks, and one of boxes"
        raise ValueError(explain("which boxes do instance masks belong to?", given, want, "call the others 'mask'"))
    for (n, m), (name, t) in zip(masks.items(), boxes.items(), strict=False):
        rows = array_of(t).shape[:-1]
        if m.shape[: len(rows)] != rows:
            want = f"{list(rows)} first, as many as {name}"
            raise ValueError(explain(f"{n}: not one for each box", m, want, "empty masks where a box is not valid"))


def row_of(boxes: Any, d: int) -> int:
    """The numbers of one box; turned ones are for images."""
    known = isinstance(boxes, Boxes) and boxes.turned
    if known and d != 2:
        raise ValueError(explain("turned boxes in a volume", boxes.format, "xyxy, xywh, cxcywh", "use upright boxes"))
    return TURNED[boxes.format] if known else 2 * d


def wanted(t: Target, batch: tuple[int, ...], d: int) -> str:
    return f"[{', '.join([*map(str, batch), *(LAYOUT[t.kind][d - 2] or '').split()])}]"

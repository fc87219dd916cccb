"""Data keys: what the arguments of a container are, and how the peers' values go in and come out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.serialization import add_safe_globals
from torch.utils._pytree import tree_leaves, tree_map_only

from augfn.core.boxes import Boxes, Keypoints
from augfn.core.ragged import made_of
from augfn.core.targets import CONVERTED, FRAMED, NO_TARGETS, OTHER, SPELLED, format_in, kind_of, of_peer
from augfn.errors import explain, unknown
from augfn.images import to_float
from augfn_nn.shorthands import name_of

# data key: (kind of target, format of boxes)
KEYS: dict[str, tuple[str, str]] = {
    "input": ("image", ""),
    "image": ("image", ""),
    "mask": ("mask", ""),
    "bbox": ("boxes", "xyxy"),
    "boxes": ("boxes", "xyxy"),
    "keypoints": ("keypoints", ""),
    "label": ("label", ""),
    "class": ("label", ""),
    "video": ("video", ""),
    "volume": ("volume", ""),
    "depth": ("depth", ""),
    "instances": ("instances", ""),
    "intrinsics": ("intrinsics", ""),
    "affine": ("affine", ""),
    "spacing": ("spacing", ""),
    "flow": ("flow", ""),
    "softmask": ("softmask", ""),
    "heatmap": ("heatmap", ""),
    "other": (OTHER, ""),
    **{
        word: (kind, "xyxy" if kind == "boxes" else "")
        for word, kind in SPELLED.items()
        if word not in ("bbox", "class")
    },
}
LONGEST = sorted(KEYS, key=len, reverse=True)
NUMBERED = ("input", "mask", "bbox", "bbox_xyxy", "bbox_xywh", "keypoints", "class")  # the values of kornia's DataKey
CORNERS = "xyxyxyxy"
MASKS = ("mask", "softmask")
Size = tuple[int, ...]


class Slot(NamedTuple):
    """Where a value goes: the target's name in the pipeline, its kind, the format of its boxes."""

    name: str
    kind: str
    format: str

    def wrap(self, value: Any, batch: int | None = None) -> Any:
        """A value as the pipeline takes it; beside a batch of so many images."""
        if self.kind == OTHER:
            return value
        if self.kind == "image" and type(value).__name__ == "Video" and isinstance(value, Tensor):
            want, fix = "a video, which has one draw for all frames", 'aug({"video": clip}), or data_keys=["video"]'
            raise ValueError(explain(f"{self.name}: a clip of torchvision", value, want, fix))
        given, value = value, of_peer(value)
        if value is not given and isinstance(value, Boxes) and value.format == "xyxy":
            value = value.data  # a plain tensor, of which rows that leave the frame are told
        if self.kind in CONVERTED and not isinstance(value, Tensor):
            value = of_array(value)
        if is_kornias(value):
            return self.of_kornia(value)
        if not isinstance(value, Tensor) and is_array(value):
            value = annotation_of(value, self.kind, batch)
        if self.kind == "label" and isinstance(value, list | tuple):
            return torch.stack([torch.as_tensor(v) for v in value])
        if isinstance(value, list | tuple):
            return self.of_list([*value])
        if self.kind in MASKS and batch is not None and isinstance(value, Tensor) and len(value) == 1 < batch:
            return value.expand(batch, *value.shape[1:])
        if self.kind in ("boxes", "keypoints") and isinstance(value, Tensor):
            value = value if value.is_floating_point() else value.float()
        if self.kind == "boxes" and isinstance(value, Tensor):
            return self.boxes(value, batch)
        return value

    def boxes(self, value: Tensor, batch: int | None) -> Any:
        if value.ndim > 2 and value.shape[-2:] == (
            4,
            2,
        ):  # four corners each, of one box for each image where N is missing
            value = value.flatten(-2)
            return Boxes(value[:, None] if batch is not None and value.ndim == 2 else value, CORNERS)
        return Boxes(value, self.format) if self.format not in ("", "xyxy") else value

    def of_list(self, value: list[Any]) -> Any:
        """One entry for each image, of another number of boxes, points or channels."""
        tensors = bool(value) and all(isinstance(v, Tensor) for v in value)
        if self.kind == "boxes" and tensors:
            corners = all(v.ndim > 1 and v.shape[-2:] == (4, 2) for v in value)
            return Boxes.pad(
                [v.flatten(-2) for v in value] if corners else value, format=CORNERS if corners else self.format
            )
        if self.kind == "keypoints" and tensors:
            return Keypoints.pad(value)
        if self.kind in MASKS and tensors and all(v.ndim in (3, 4) for v in value):
            each = [v if v.ndim == 4 else v[None] for v in value]
            most = max(v.shape[1] for v in each)
            return torch.cat([pad(v, (0, 0, 0, 0, 0, most - v.shape[1])) for v in each])
        fix = (
            "af.collate of dicts, one for each sample; or Augment(af.pipeline(...)), which takes lists of several sizes"
        )
        if self.kind in ("boxes", "keypoints"):
            form = f", format={self.format!r}" if self.kind == "boxes" else ""
            fix = f"{made_of(self.kind.capitalize(), self.name, value, form)}, which af.drop_invalid takes apart again"
        raise TypeError(explain(f"{self.name}: a list", value, "one tensor for the batch", fix))

    def of_kornia(self, value: Any) -> Any:
        data = value.data if value.data.is_floating_point() else value.data.float()
        return Boxes(data.flatten(-2), CORNERS) if type(value).__name__ == "Boxes" else data

    def unwrap(self, value: Any, given: Any) -> Any:
        """What comes out, in the form of what was given."""
        if is_kornias(given):
            data = value.data.unflatten(-1, (4, 2)) if isinstance(value, Boxes) else value
            return type(given)(data, **({"mode": given.mode} if isinstance(value, Boxes) else {}))
        if self.kind != "label" and isinstance(given, list | tuple) and given and isinstance(given[0], Tensor):
            return self.as_list(value, given)
        if isinstance(value, Boxes) and isinstance(given, Tensor):
            corners = given.shape[-2:] == (4, 2) and value.format == CORNERS
            value = value.data.unflatten(-1, (4, 2)) if corners else value.data
            return value[:, 0] if corners and value.ndim > given.ndim > 2 and value.shape[1] == 1 else value
        return value

    def as_list(self, value: Any, given: Any) -> list[Any]:
        if isinstance(value, Boxes | Keypoints):
            data = value.data if isinstance(value, Boxes) else value.xy
            return [v[: len(g)].reshape(g.shape) for v, g in zip(data, given, strict=True)]
        return [v[: g.shape[-3]][None] if g.ndim == 4 else v[: g.shape[-3]] for v, g in zip(value, given, strict=True)]


class Clips(NamedTuple):
    """How clips are laid out, "BTCHW" or "BCTHW", and whether the frames of one share their draw."""

    format: str
    shared: bool

    def enter(self, sample: dict[str, Any], slots: list[Slot]) -> dict[str, Any]:
        """The targets as a video's, or as those of images, one for each frame."""
        kinds, out = {s.name: s.kind for s in slots}, {}
        for name, value in sample.items():
            if kinds[name] in MOVED and (not isinstance(value, Tensor) or value.ndim < 5):
                want = f"[{', '.join(self.format)}]"
                raise ValueError(
                    explain(f"{name}: no clip", value, want, "clip[None] for one, image[:, None] for an image")
                )
            if kinds[name] in MOVED and self.format == "BCTHW" and isinstance(value, Tensor):
                value = value.transpose(1, 2)
            if not self.shared:
                value = tree_map_only(
                    Tensor, lambda x, name=name: frames_of(x, kinds[name], self.times(sample, kinds)), value
                )
            out[self.inner(name, kinds[name])] = value
        return out

    def times(self, sample: dict[str, Any], kinds: dict[str, str]) -> int:
        """The number of frames: that of the images, where they are left out of the annotations."""
        image = next((v for n, v in sample.items() if kinds[n] in MOVED), None)
        if image is None:
            return tree_leaves(next(iter(sample.values())))[0].shape[1]
        return image.shape[1 if self.format == "BTCHW" else 2]

    def inner(self, name: str, kind: str) -> str:
        """The name in the pipeline."""
        if kind in ("image", "video"):
            return ("video" if self.shared else "image") + name.removeprefix(kind)
        return name

    def leave(self, out: Mapping[str, Any], slots: list[Slot], batch: int, mixes: bool) -> dict[str, Any]:
        """The targets in the form in which they came; labels of frames that were mixed apart as those of each."""
        done = {}
        for s in slots:
            if (name := self.inner(s.name, s.kind)) not in out:
                continue
            value = out[name]
            if not self.shared:
                value = tree_map_only(Tensor, lambda x: x.unflatten(0, (batch, -1)), value)
                value = value[:, 0] if s.kind == "label" and not mixes else value
            done[s.name] = value.transpose(1, 2) if s.kind in MOVED and self.format == "BCTHW" else value
        return done


MOVED = ("image", "video", "mask", "softmask", "heatmap", "depth")  # what has a channel before the frame


def frames_of(x: Tensor, kind: str, times: int) -> Tensor:
    """What belongs to the frames of clips, as a batch of frames."""
    return x.repeat_interleave(times, 0) if kind == "label" else x.flatten(0, 1)


add_safe_globals([Slot])


def is_kornias(value: Any) -> bool:
    """True of kornia's objects of boxes and keypoints."""
    return type(value).__module__.startswith("kornia.geometry.") and hasattr(value, "data")


def is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or type(value).__module__.startswith("PIL.")


def annotation_of(value: Any, kind: str, batch: int | None) -> Any:
    """An array as a tensor with its numbers as they are; of masks `[*b, H, W, C]`, or of PIL, `[*b, C, H, W]`;
    `[H, W]` beside one image stays, and `[B, H, W]` beside a batch."""
    x = torch.from_numpy(np.array(value))  # a copy, which may be written to
    if kind not in MASKS or (x.ndim == 3 and batch is not None and isinstance(value, np.ndarray)):
        return x
    if x.ndim == 2:
        return x if batch is None and isinstance(value, np.ndarray) else x[None]
    return x.movedim(-1, -3)


def of_array(value: Any) -> Any:
    """An array `[*b, H, W, C]`, or an image of PIL, as a tensor `[*b, C, H, W]`; whole numbers in [0, 1], as by `af.to_float`."""
    if isinstance(value, list | tuple) and value and not isinstance(value[0], Tensor):
        return torch.stack([of_array(v) for v in value])
    made: Any = value
    pil = type(made).__module__.startswith("PIL.")
    if pil and made.mode in ("P", "1"):  # of a palette, of two levels
        made = made.convert("L" if made.mode == "1" else "RGB")
    if not pil and (not isinstance(made, np.ndarray) or made.ndim < 2):
        return value
    if not pil and made.dtype.kind == "f":
        x = torch.from_numpy(np.ascontiguousarray(made))
        return (x[..., None] if x.ndim == 2 else x).movedim(-1, -3)
    return to_float(made)


def as_type(x: Any, output_type: str) -> Any:
    """Images as arrays `[*b, H, W, C]` ("numpy"), or as a list of PIL's ("pil")."""
    if output_type == "numpy":
        return x.detach().cpu().movedim(-3, -1).numpy()
    if output_type != "pil":
        raise ValueError(explain("output_type", output_type, "'pt', 'numpy' or 'pil'", 'output_type="numpy"'))
    from PIL import Image

    bytes_ = (x.detach().cpu().clamp(0, 1) * 255).round().to(torch.uint8).reshape(-1, *x.shape[-3:]).movedim(-3, -1)
    return [Image.fromarray((v[..., 0] if v.shape[-1] == 1 else v).numpy()) for v in bytes_]


def slots_of(
    keys: Iterable[Any], ndim: int, given: Mapping[str, str] | None = None, passing: bool = False
) -> list[Slot]:
    """A slot for each data key; the second of a name is `mask_2`. `passing`: names that are not known are others."""
    out: list[Slot] = []
    for key in keys:
        slot, n = slot_of(key, ndim, given or {}, passing), 2
        base = slot.name
        while any(slot.name == s.name for s in out):
            slot, n = slot._replace(name=f"{base}_{n}"), n + 1
        out.append(slot)
    return out


def softened(slots: list[Slot]) -> list[Slot]:
    """Masks as soft ones, which are read between pixels."""
    return [s._replace(name=f"soft{s.name}", kind="softmask") if s.kind == "mask" else s for s in slots]


def slot_of(key: Any, ndim: int, given: Mapping[str, str], passing: bool = False) -> Slot:
    """A data key, perhaps with a suffix: "mask", "image_right", "bbox_xywh-left", kornia's `DataKey.MASK` or its number; or a
    name whose kind is given."""
    if key in given:
        kind = kind_of(key, given)
        return Slot(key, kind, "xyxy" if kind == "boxes" else "")
    if isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(NUMBERED):
        key = NUMBERED[key]  # kornia's enum is of whole numbers
    word = name_of(key).replace("-", "_")
    stem = next((k for k in LONGEST if word == k or word.startswith(k + "_")), None)
    if passing and (stem is None or word.split("_")[-1] in NO_TARGETS):
        return Slot(str(key), OTHER, "")
    told = format_in(word)
    if stem is None or word.split("_")[-1] in NO_TARGETS:
        fix = f", or one of them with a suffix: 'mask_lanes'; targets={{{word!r}: 'mask'}} calls it a mask, 'other' passes it on"
        fix += ", unknown='pass' all that are not known"
        raise ValueError(unknown("data key", key, KEYS) + fix)
    kind, form = KEYS[stem]
    form = told if kind == "boxes" and told is not None else form
    if kind == "image" and ndim == 3:
        kind = "volume"
    return Slot(kind + word[len(stem) :], kind, form)


def sample_of(values: Sequence[Any], slots: Sequence[Slot]) -> dict[str, Any]:
    """The values as targets; what only passes through is left out."""
    if is_image_alone(values, slots):
        return {slots[0].name: values[0]}
    values = [of_array(v) if s.kind in CONVERTED else v for s, v in zip(slots, values, strict=True)]
    values = [v[None] if alone else v for v, alone in zip(values, rows_of_one(values, slots), strict=True)]
    known = zip(slots, values, strict=True)
    images = (v for s, v in known if s.kind == "image" and isinstance(v, Tensor) and v.ndim > 3)
    batch = next((len(v) for v in images), None)
    pairs = [(s, v) for s, v in zip(slots, values, strict=True) if not passes(s, v)]
    return {s.name: s.wrap(v, batch) for s, v in pairs}


def is_image_alone(values: Sequence[Any], slots: Sequence[Slot]) -> bool:
    """True of a call on one plain tensor, in which nothing is to be wrapped: without it a container adds half as much again
    to its function."""
    return len(values) == 1 and type(values[0]) is Tensor and slots[0].kind == "image"


def rows_of_one(values: Sequence[Any], slots: Sequence[Slot]) -> list[bool]:
    """Which are boxes [N, 4] or keypoints [N, 2] beside a batch of one image: all of them are its."""
    known = list(zip(slots, values, strict=True))
    shapes = [v.shape for s, v in known if s.kind == "image" and isinstance(v, Tensor)]
    one = bool(shapes) and len(shapes[0]) == 4 and shapes[0][0] == 1
    return [one and s.kind in ("boxes", "keypoints") and isinstance(v, Tensor) and v.ndim == 2 for s, v in known]


def passes(slot: Slot, value: Any) -> bool:
    """True of others, and of labels that are no numbers."""
    if slot.kind != "label" or not isinstance(value, list | tuple):
        return slot.kind == OTHER
    return not all(isinstance(v, Tensor | int | float) for v in value)


def framed(
    sample: dict[str, Any], slots: list[Slot], batch: Size, size: Size, clips: Clips | None = None
) -> dict[str, Any]:
    """Stand in for the image that a replay or an inverse may leave out: a frame that no colour op reads."""
    if any(s.kind in FRAMED for s in slots):
        return sample
    first = tree_leaves(sample)[0]
    blank = torch.zeros((), device=first.device)
    if clips is not None and clips.shared:
        return sample | {"video": blank.expand(*batch, first.shape[1], 1, *size)}
    return sample | {"depth" if len(size) == 2 else "volume": blank.expand(*batch, 1, *size)}


def same(args: tuple[Any, ...]) -> Any:
    return args[0] if len(args) == 1 else list(args)


def collect(
    args: tuple[Any, ...], slots: list[Slot], values: list[Any], out: Mapping[str, Any], output_type: str = "pt"
) -> Any:
    """The output in the form of the call: a tensor, a list or a dict."""
    if output_type == "pt" and is_image_alone(values, slots) and not isinstance(args[0], Mapping):
        return out[slots[0].name]
    done = [v if passes(s, v) else s.unwrap(out[s.name], v) for s, v in zip(slots, values, strict=True)]
    done = [v.flatten(0, 1) if alone else v for v, alone in zip(done, rows_of_one(values, slots), strict=True)]
    if output_type != "pt":
        done = [as_type(v, output_type) if s.kind == "image" else v for s, v in zip(slots, done, strict=True)]
    if len(args) == 1 and isinstance(args[0], Mapping):
        return dict(zip(args[0], done, strict=True))
    return same(tuple(done))

"""What MONAI's transforms keep, and what they tell of the data: dimensions, keys, the frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
from torch import Tensor

from augfn_nn.converters.notes import Notes

NEAREST = ("nearest", "nearest-exact", 0)
READS = dict.fromkeys(("bilinear", "linear", "trilinear", "area", 1), "bilinear") | dict.fromkeys(NEAREST, "nearest")
BEYOND = {
    "zeros": "zeros",
    "border": "border",
    "reflection": "symmetric",
}  # grid_sample reflects about the frame's edges
PADS = {"constant": "zeros", "edge": "border", "replicate": "border", "reflect": "reflect", "symmetric": "symmetric"}
LABELS = ("label", "mask", "seg")  # what names of masks hold
AXES = {2: "yx", 3: "zyx"}
SIZES = ("spatial_size", "roi_size", "angle", "pixdim", "min_zoom", "zoom", "sigma", "axcodes", "radius")
RANGES = ("rotate_range", "translate_range", "scale_range", "rotate_params", "translate_params", "scale_params")
MANY = ("shear_range", "shear_params")


def is_monai(x: Any) -> bool:
    return type(x).__module__.startswith("monai.") and not isinstance(x, str | Tensor)


def kept(t: Any) -> SimpleNamespace:
    """The arguments of a transform and of those that it holds; the outer ones go before."""
    found: dict[str, Any] = {}
    own = getattr(t, "__dict__", {})
    for held in reversed([v for v in own.values() if is_monai(v)]):
        found |= vars(kept(held))
    return SimpleNamespace(**(found | own))


def base_name(t: Any) -> str:
    """The name of the array transform: RandFlip of RandFlipd."""
    name = type(t).__name__
    return name[:-1] if keys_of(t) and name.endswith("d") else name


def keys_of(t: Any) -> tuple[Any, ...]:
    """The keys of a transform of dictionaries; none of one of arrays."""
    found = getattr(t, "keys", ())
    return tuple(found) if isinstance(found, list | tuple) else ()


def plain(value: Any) -> Any:
    """Of enum members and arrays, what they hold."""
    value = getattr(value, "value", value)
    return value.tolist() if isinstance(value, Tensor | np.ndarray | np.generic) else value


def many(value: Any) -> list[Any]:
    """A number or several, as a list; nothing for None."""
    value = plain(value)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value if v is not None]
    return [] if value is None else [value]


def by_key(t: Any, values: Any) -> list[tuple[Any, Any]]:
    """A value for each key; of a transform of arrays one, for None."""
    keys = keys_of(t) or (None,)
    each = [plain(v) for v in values] if isinstance(values, list | tuple) and keys_of(t) else [plain(values)]
    return list(zip(keys, each * len(keys) if len(each) == 1 else each, strict=True))


class Data:
    """The images and masks of a pipeline, with the frame as far as it is known, as the steps before leave it.

    * `leaves`: all its transforms, which tell dimensions; `acting`: those that name images and masks.
    """

    def __init__(self, leaves: Sequence[Any], acting: Sequence[Any], notes: Notes) -> None:
        told = notes.ndim or dims_told(leaves)
        if told is None:
            notes.differ("Compose", "nothing tells images from volumes: read as of volumes, else convert(x, ndim=2)")
        self.notes, self.ndim = notes, told or 3
        self.images, self.masks = names_told(acting)
        self.frame: tuple[int, ...] | None = None
        self.unit = False  # values were brought to [0, 1]
        self.warps = 0  # steps that read between pixels

    @property
    def targets(self) -> dict[str, str]:
        """The kind of each key."""
        kind = "image" if self.ndim == 2 else "volume"
        return dict.fromkeys(self.images, kind) | dict.fromkeys(self.masks, "mask")

    def per_axis(self, value: Any, what: str) -> list[Any]:
        """One for each axis, slowest first."""
        given = many(value)
        given = given * self.ndim if len(given) == 1 else given
        if len(given) != self.ndim:
            raise ValueError(f"{what}={value} for {self.ndim} axes")
        return given

    def size(self, value: Any, what: str) -> tuple[int, ...]:
        """A size that does not depend on that of the image; it is the frame from here on."""
        given = self.per_axis(value, what)
        if not all(isinstance(v, int) and v > 0 for v in given):
            raise ValueError(f"{what}={value} follows the image's size; one of whole numbers above 0 has a counterpart")
        self.frame = tuple(given)
        return self.frame

    def known_frame(self) -> tuple[int, ...]:
        if self.frame is None:
            raise ValueError("it counts in pixels of a frame that no step before it fixes; a Resize or a crop does")
        return self.frame

    def one(self, t: Any, values: Any, what: str) -> Any:
        """What holds for the images, of one value or of one for each key."""
        found = [v for k, v in by_key(t, values) if k not in self.masks] or [v for _, v in by_key(t, values)]
        if any(v != found[0] for v in found):
            self.notes.differ(t, f"{what}={found[0]!r} for all images")
        return found[0]

    def of_masks(self, t: Any, values: Any) -> list[tuple[Any, Any]]:
        return [(k, v) for k, v in by_key(t, values) if k in self.masks]

    def sampled(self, t: Any, s: Any) -> dict[str, Any]:
        """How a resample reads between and beyond pixels."""
        beyond = self.one(t, s.padding_mode, "padding_mode")
        if beyond not in BEYOND:
            raise ValueError(f"padding_mode={beyond!r} has no counterpart")
        self.as_images(t, s.padding_mode, beyond)
        return {"interpolation": self.read(t, s), "padding_mode": BEYOND[beyond], "antialias": False}

    def as_images(self, t: Any, values: Any, first: Any) -> None:
        """Say of which masks the padding was another."""
        for key, value in self.of_masks(t, values):
            if value != first:
                self.notes.differ(t, f"{key!r} is padded as the images are ({first!r}), not {value!r}")

    def read(self, t: Any, s: Any) -> str:
        how = self.one(t, s.mode, "mode")
        for key, value in self.of_masks(t, s.mode):
            if value not in NEAREST:
                self.notes.differ(t, f"{key!r} is a mask, and read nearest, not {value!r}")
        if how == "bicubic" and self.ndim == 2:
            return how
        if how not in READS:
            raise ValueError(f"mode={how!r} has no counterpart")
        if how == "area":
            self.notes.differ(t, "'area' averages over whole pixels; here linear, antialiased where it shrinks")
        return READS[how]

    def padded(self, t: Any, s: Any, modes: Any) -> dict[str, Any]:
        """What fills what is added at the borders."""
        how = self.one(t, modes, "mode")
        if how not in PADS:
            raise ValueError(f"mode={how!r} has no counterpart")
        self.as_images(t, modes, how)
        given = getattr(s, "kwargs", {})
        value = given.get("value", given.get("constant_values", 0))
        fills = {"fill": float(value), "fill_mask": float(value)} if value and how == "constant" else {}
        return ({} if fills else {"padding_mode": PADS[how]}) | fills


def dims_told(leaves: Iterable[Any]) -> int | None:
    """The number of axes that arguments tell; None if none does."""
    votes = [v for t in leaves for v in votes_of(base_name(t), kept(t))]
    return max(votes, default=None)


def votes_of(name: str, s: Any) -> list[int]:
    held = vars(s)
    found = [{"Rand3DElastic": 3, "Rand2DElastic": 2}.get(name, 0)]
    found += [len(many(held.get(n))) for n in SIZES if not isinstance(held.get(n), str)]
    found += [3 if len(many(held.get(n))) == 3 else 2 * (len(many(held.get(n))) == 2) for n in RANGES]
    found += [{6: 3, 2: 2}.get(len(many(held.get(n))), 0) for n in MANY]
    axes = [v for n in ("spatial_axis", "spatial_axes") for v in many(held.get(n))]
    found += [3 * any(v in (2, -3) for v in axes)]
    found += [3 * any(any(many(held.get(n))) for n in ("range_y", "range_z"))]
    found += [3 * ("trilinear" in map(plain, many(held.get("mode")))), 3 * isinstance(held.get("axcodes"), str)]
    return [v for v in found if v in (2, 3)]


def names_told(leaves: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The keys of images and of masks: what is read nearest beside others, what a crop looks at, or by its name."""
    keys = dict.fromkeys(k for t in leaves for k in keys_of(t))
    masks = {getattr(t, "label_key", None) for t in leaves}
    for t in leaves:
        modes = getattr(t, "mode", None)
        how = [plain(m) in NEAREST for m in modes] if isinstance(modes, tuple) and keys_of(t) else []
        if any(how) and not all(how):
            masks |= {k for k, nearest in zip(keys_of(t), how, strict=False) if nearest}
    masks |= {k for k in keys if any(word in str(k).lower() for word in LABELS)}
    return [k for k in keys if k not in masks], [k for k in keys if k in masks]

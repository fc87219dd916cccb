"""What the tables of albumentations' transforms share: sampling, positions, and choices of sizes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.errors import explain
from augfn_nn.converters.torchvision import filled
from augfn_nn.converters.values import one_each

Said = dict[str, Any]
Make = Callable[[Said], Any]
Why = str | Callable[[Said], str]  # what differs, or what does for these arguments ("": nothing)
Values = dict[
    str, tuple[tuple[Any, ...], str]
]  # an argument's values that have a counterpart, and what to do otherwise
INTERPOLATIONS = {
    0: "nearest",
    1: "bilinear",
    2: "bicubic",
    3: "bilinear",
    5: "bilinear",
    6: "nearest",
}  # OpenCV's numbers
BORDERS = {0: "constant", 1: "edge", 2: "symmetric", 4: "reflect"}
AREA = 3
POSITIONS = {  # where an image lies on a larger frame; of an odd number of pixels in the middle the one more lies behind
    "center": af.Constant([0.4999, 0.4999]),
    "top_left": af.Constant([0.0, 0.0]),
    "top_right": af.Constant([1.0, 0.0]),
    "bottom_left": af.Constant([0.0, 1.0]),
    "bottom_right": af.Constant([1.0, 1.0]),
    "random": af.Uniform(0.0, 1.0),
}


AGAIN = "load it in albumentations 2 and save it again: to_dict() writes all that is read here"


class Told(dict[str, Any]):
    """What a dict of albumentations says; what it lacks (one of another version, or written by hand) is said by name."""

    @classmethod
    def of(cls, x: Any) -> Any:
        """The same with all dicts within."""
        if isinstance(x, dict):
            return cls({name: cls.of(v) for name, v in x.items()})
        return [cls.of(v) for v in x] if isinstance(x, list) else x

    def __missing__(self, name: str) -> Any:
        raise ValueError(explain("a dict of albumentations", dict(self), f"{name!r} beside them", AGAIN))


def transforms_of(a: Said) -> list[Said]:
    """The transforms of a composition, each with its name."""
    found = a["transforms"]
    if isinstance(found, list) and all(isinstance(t, dict) and isinstance(t["__class_fullname__"], str) for t in found):
        return found
    raise ValueError(explain("transforms of albumentations", found, 'a list of dicts with "__class_fullname__"', AGAIN))


def middle(pair: Sequence[float]) -> float:
    return (pair[0] + pair[1]) / 2


def pair(x: Sequence[float], y: Sequence[float]) -> Any:
    """The range of a vector, from those of its entries."""
    return af.Uniform([float(x[0]), float(y[0])], [float(x[1]), float(y[1])])


def normal(mean: float, std: float, low: float, high: float) -> Any:
    """A normal distribution within bounds; a number if it has no spread."""
    return af.TruncatedNormal(mean, std, low, high) if std else mean


def sizes(a: Said, make: Callable[[int], Augmentation]) -> Augmentation:
    """One of the odd sizes of the kernel."""
    low, high = a["blur_limit"]
    return one_each([make(k) for k in range(max(3, int(low) | 1), max(3, int(high)) + 1, 2)])


def number(fill: Any) -> Any:
    """What fills holes."""
    if isinstance(fill, str):
        raise ValueError(f"fill={fill!r} has no counterpart: a number, or one for each channel")
    return filled(fill)


def bordered(a: Said) -> Said:
    """How it reads beyond the frame."""
    if "border_mode" not in a:
        return {}
    known: Said = {"padding_mode": BORDERS[a["border_mode"]]}
    if a["border_mode"] == 0:
        known |= {"fill": filled(a.get("fill"))} | ({"fill_mask": float(a["fill_mask"])} if a.get("fill_mask") else {})
    return known


def sampled(a: Said) -> Said:
    """How it reads between and beyond pixels."""
    return {"interpolation": INTERPOLATIONS[a.get("interpolation", 1)]} | bordered(a)


def resampled(a: Said) -> Said:
    """How it reads between pixels where it may shrink."""
    return sampled(a) | {"antialias": is_area(a)}


def is_area(a: Said) -> bool:
    return a.get("interpolation") == AREA or bool(a.get("area_for_downscale"))

"""Colour: torchvision's formulas, and kornia's under names of their own."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import augfn as af
from augfn.distributions import Span
from augfn.errors import explain
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import ENDS, around, is_number, jitter, learned, sort_keys


@derive(af.brightness, p=1.0)
def RandomBrightness(brightness: Range = (1.0, 1.0), clip_output: bool = True, *, kornia: bool | None = None) -> Any:
    """Multiply by a factor; a number x is 1 ± x (kornia, and `kornia=True`, adds factor - 1: RandomBrightnessShift)."""
    factor, mode = around(brightness, 1.0, 0.0), clip(clip_output)
    if not kornia:
        return {"factor": factor, "clip": mode}
    return other(af.brightness_shift, "shift", shifted("RandomBrightness", factor, -1.0), mode)


@derive(af.contrast, p=1.0)
def RandomContrast(contrast: Range = (1.0, 1.0), clip_output: bool = True, *, kornia: bool | None = None) -> Any:
    """Spread about the grey mean by a factor; a number x is 1 ± x (kornia, and `kornia=True`, multiplies: RandomBrightness)."""
    factor, mode = around(contrast, 1.0, 0.0), clip(clip_output)
    return other(af.brightness, "factor", factor, mode) if kornia else {"factor": factor, "clip": mode}


@derive(af.saturation, p=1.0)
def RandomSaturation(saturation: Range = (1.0, 1.0), clip_output: bool = True, *, kornia: bool | None = None) -> Any:
    """Blend with grey by a factor; a number x is 1 ± x (kornia, and `kornia=True`, scales that of HSV: RandomHSVSaturation)."""
    factor, mode = around(saturation, 1.0, 0.0), clip(clip_output)
    return other(af.hsv_saturation, "factor", factor, mode) if kornia else {"factor": factor, "clip": mode}


@derive(af.hue, p=1.0)
def RandomHue(hue: Range = (0.0, 0.0), clip_output: bool = True) -> Any:
    """Turn the hue by turns in -0.5 to 0.5; a number is ±."""
    return {"hue": around(hue), "clip": clip(clip_output)}


@derive(af.color_jitter, p=1.0)
def ColorJitter(
    brightness: Range = 0.0, contrast: Range = 0.0, saturation: Range = 0.0, hue: Range = 0.0, order: Any = None
) -> Any:
    """Brightness, contrast, saturation (a number x is 1 ± x) and hue (± turns), in an order of its own per sample.

    0 leaves one out. `order` fixes it: (0, 1, 2, 3) is brightness, contrast, saturation, hue.
    """
    four = jitter(brightness, contrast, saturation, hue, off=(None, None))
    nothing = {"brightness": 1.0} if all(v is None for v in four.values()) else {}
    return four | nothing | {"order": sort_keys(order)}


@derive(af.color_twist, p=1.0)
def RandomColorTwist(brightness: Range = 0.0, contrast: Range = 0.0, saturation: Range = 0.0, hue: Range = 0.0) -> Any:
    """ColorJitter as one linear colour matrix: no inner clipping, contrast about 0.5, hue about the grey axis."""
    return jitter(brightness, contrast, saturation, hue, off=(1.0, 0.0))


@derive(af.grayscale, p=0.1)
def RandomGrayscale(rgb_weights: Any = None, *, kornia: bool | None = None) -> Any:
    """Every channel becomes .2989 R + .587 G + .114 B, or the sum with `rgb_weights`, one per channel.

    An image of other than three channels wants its weights (kornia: their mean). `kornia=True`: .299 R.
    """
    rgb_weights = (0.299, 0.587, 0.114) if rgb_weights is None and kornia else rgb_weights
    if is_number(rgb_weights):
        expected, fix = "one weight per channel", "a probability is p=..."
        raise ValueError(explain("RandomGrayscale: rgb_weights", rgb_weights, expected, fix))
    return {"weights": rgb_weights}


@derive(af.invert)
def RandomInvert(max_val: Any = 1.0) -> Any:
    """y = max_val - x; `max_val` is a number, or one per channel."""
    return {"max_val": max_val}


@derive(af.solarize)
def RandomSolarize(
    thresholds: Range = 0.1, additions: Range | None = None, *, threshold: Range | None = None, grad: str = "none"
) -> Any:
    """Add a number, clamp, and invert what is at or above a threshold.

    `thresholds` is (low, high), or a number x for 0.5 ± x, `additions` is (low, high), or ±x, by default ±0.1
    (kornia's); `threshold` is the value (torchvision's, without an addition by default).
    """
    additions = (0.1 if threshold is None else 0.0) if additions is None else additions
    value = around(thresholds, 0.5) if threshold is None else threshold
    return {"threshold": value, "addition": around(additions), "grad": grad}


@derive(af.solarize_add)
def RandomSolarizeAdd(addition: Range = (0.0, 0.43), threshold: Range = 128 / 255) -> Any:
    """Add to what lies below a threshold, and clamp. (timm)"""
    return {"addition": addition, "threshold": threshold}


@derive(af.gamma, p=1.0)
def RandomGamma(gamma: Range = (1.0, 1.0), gain: Range = (1.0, 1.0), clip_output: bool = True) -> Any:
    """y = gain x^gamma on [0, 1]; a number is fixed."""
    return {"gamma": gamma, "gain": gain, "clip": clip(clip_output)}


@derive(af.normalize, p=1.0)
def Normalize(mean: Any, std: Any) -> Any:
    """y = (x - mean) / std for each channel; in `eval()` too, since nothing of it is random."""
    return {"mean": mean, "std": std}


@derive(af.denormalize, p=1.0)
def Denormalize(mean: Any, std: Any) -> Any:
    """y = std x + mean for each channel; in `eval()` too, since nothing of it is random."""
    return {"mean": mean, "std": std}


def shifted(what: str, value: Any, more: float) -> Any:
    """A range with a number added, of kornia's formula."""
    if is_number(value):
        return value + more
    if isinstance(value, tuple) and all(map(is_number, value)):
        return tuple(v + more for v in value)
    if isinstance(value, Tensor) and list(value.shape) == [2]:
        return Span(value, ENDS, more)
    if isinstance(value, Span):
        return Span(value.x, value.matrix, value.offset + more)
    want, fix = "numbers, or a Parameter (low, high)", "RandomBrightnessShift, whose range learns"
    raise ValueError(explain(f"{what}: kornia=True", value, want, fix))


def other(op: Any, leaf: str, value: Any, mode: str) -> Any:
    """An op of another formula under the class's name."""
    return op(**{leaf: learned(leaf, op.spec.leaves[leaf], value)}, clip=mode)


def clip(on: bool) -> str:
    return "clamp" if on else "none"


@derive(af.color_jiggle, p=1.0)
def ColorJiggle(
    brightness: Range = 0.0, contrast: Range = 0.0, saturation: Range = 0.0, hue: Range = 0.0, order: Any = None
) -> Any:
    """x + brightness - 1, contrast x, saturation and hue of HSV (numbers as in ColorJitter), in an order of its own per
    sample (kornia: per batch).

    0 leaves one out. `order` fixes it: (0, 1, 2, 3) is brightness, contrast, saturation, hue.
    """
    four = jitter(brightness, contrast, saturation, hue, off=(None, None))
    nothing = {"brightness": 1.0} if all(v is None for v in four.values()) else {}
    return four | nothing | {"order": sort_keys(order)}


@derive(af.brightness_shift, p=1.0)
def RandomBrightnessShift(shift: Range = (0.0, 0.0), clip_output: bool = True) -> Any:
    """Add a number; x is ±x. kornia's RandomBrightness with 1 less: (-0.2, 0.2) for its (0.8, 1.2)."""
    return {"shift": around(shift), "clip": clip(clip_output)}


@derive(af.hsv_saturation, p=1.0)
def RandomHSVSaturation(saturation: Range = (1.0, 1.0), clip_output: bool = True) -> Any:
    """Scale the saturation of HSV by a factor; a number x is 1 ± x. This is kornia's RandomSaturation."""
    return {"factor": around(saturation, 1.0, 0.0), "clip": clip(clip_output)}


@derive(af.hsv_shift, p=1.0)
def RandomHSVShift(hue: Range = 0.05, saturation: Range = 0.1, value: Range = 0.1, clip_output: bool = True) -> Any:
    """Turn the hue of HSV, in turns, and add to its saturation and value, in fractions of full scale; a number is ±.

    albumentations' HueSaturationValue, whose units are 1/180 of a turn and 1/255."""
    return {"hue": around(hue), "saturation": around(saturation), "value": around(value), "clip": clip(clip_output)}

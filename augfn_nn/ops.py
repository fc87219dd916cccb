"""The `Random*` classes: kornia's and torchvision's names and shorthands, each derived from one factory of augfn.

In all of them positive angles turn counter-clockwise, factors multiply, boxes are continuous edges (a flip is W - x)
and `p` holds per sample. `resample` is understood for `interpolation`, `fill_value` for `fill`, and names may be enum
members or in upper case. A range is a number, a pair, a distribution, or a `Parameter` [2] of both, which then learns.
"""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.errors import explain
from augfn_nn.derive import derive
from augfn_nn.shorthands import (
    Range,
    Size,
    around,
    axis,
    border,
    inside,
    is_number,
    jitter,
    log_range,
    only,
    pad_to,
    padding_name,
    pair,
    reach,
    slant,
    sort_keys,
    turns,
    upside_down,
    zoom,
)

# flips and turns


@derive(af.hflip)
def RandomHorizontalFlip() -> Any:
    """Mirror left and right: points to W - 1 - x, boxes to W - x (kornia: W - 1 - x)."""
    return {}


@derive(af.vflip)
def RandomVerticalFlip() -> Any:
    """Mirror top and bottom: points to H - 1 - y, boxes to H - y (kornia: H - 1 - y)."""
    return {}


@derive(af.rot90)
def RandomRotation90(times: int | tuple[int, int]) -> Any:
    """Turn counter-clockwise by whole quarters, `times` = (a, b) inclusive, all equally likely; a number n is -n to n.

    Pixels are copied and odd quarters swap height and width, so a frame that is not square needs a sure turn, (k, k)
    with p=1 (kornia warps, rounds, and keeps the shape).
    """
    low, high = (-times, times) if isinstance(times, int) else times
    if not -3 <= low <= high <= 3:
        expected = "whole quarters (a, b), -3 <= a <= b <= 3"
        raise ValueError(explain("RandomRotation90: bad times", times, expected, "times=(1, 1)"))
    return {"k": low} if low == high else af.one_of(*(af.rot90(k=k) for k in range(low, high + 1)))


# affine and projective maps, displacements


@derive(af.rotate)
def RandomRotation(degrees: Range) -> Any:
    """Rotate about the centre, counter-clockwise; a number is ±degrees."""
    return {"degrees": around(degrees)}


@derive(af.affine)
def RandomAffine(
    degrees: Range, translate: Range | None = None, scale: Range | None = None, shear: Range | None = None
) -> Any:
    """One affine map about the centre.

    * `degrees`: counter-clockwise (kornia's and torchvision's turn clockwise here, and the other way in
      RandomRotation); a number is ±.
    * `translate`: (a, b), up to ±a of the width and ±b of the height, not rounded to pixels.
    * `scale`: (low, high), or four numbers: x, then y; > 1 magnifies.
    * `shear`: degrees; a number is ± along x, (a, b) along x, four numbers: x, then y.
    """
    return {"degrees": around(degrees), "translate": reach(translate, 2), **zoom(scale), "shear": slant(shear)}


@derive(af.translate)
def RandomTranslate(translate_x: Range | None = None, translate_y: Range | None = None) -> Any:
    """Shift by fractions of the width and the height: ranges (low, high) with signs, positive right and down."""
    return {"translate": (axis(translate_x), axis(translate_y))}


@derive(af.scale)
def RandomScale(scale: Range = (0.8, 1.25)) -> Any:
    """Zoom about the centre by (low, high), or four numbers: x, then y; > 1 magnifies."""
    return zoom(scale)


@derive(af.shear)
def RandomShear(shear: Range) -> Any:
    """Shear by degrees: a number is ± along x, (a, b) along x, four numbers: x, then y."""
    return {"shear": slant(shear)}


@derive(af.perspective)
def RandomPerspective(distortion_scale: Range = 0.5, sampling_method: str = "basic") -> Any:
    """Move the corners by up to `distortion_scale` of half the size: inwards, or with "area_preserving" both ways."""
    only("RandomPerspective: sampling_method", sampling_method, ("basic", "area_preserving"), "leave it out")
    return {"distortion_scale": distortion_scale, "corners": (-1.0, 0.0 if sampling_method == "basic" else 1.0)}


@derive(af.elastic)
def RandomElasticTransform(alpha: Range = (0.0, 0.03), sigma: Range = 0.1) -> Any:
    """Bend by a smooth random field; keypoints and boxes follow (in kornia they stay).

    In augfn's units, fractions of the shorter side: `alpha` is the displacement's standard deviation, `sigma` its
    smoothness. kornia's kernel_size, sigma in pixels and alpha in half sizes have no counterpart.
    """
    return {"alpha": inside("alpha", alpha, 1.0), "sigma": inside("sigma", sigma, 1.0)}


# frames


@derive(af.center_crop, p=1.0, resizes=True)
def CenterCrop(size: Size) -> Any:
    """Cut `size` = (h, w), or an int, out of the middle; a frame that is smaller is an error."""
    return {"size": size}


@derive(af.random_crop, p=1.0, resizes=True)
def RandomCrop(
    size: Size, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0.0, padding_mode: Any = "constant"
) -> Any:
    """Cut `size` = (h, w) at whole pixels; `padding` (an int, (x, y) or (left, top, right, bottom)) is added first.

    `pad_if_needed` then pads both sides of an axis by what it lacks, as torchvision does; without it a frame that is
    smaller is an error.
    """
    outside = border(fill, padding_mode)
    pads = [] if padding is None else [af.pad(padding=padding, **outside)]
    pads += [pad_to(size, True, outside)] if pad_if_needed else []
    return af.pipeline(*pads, af.random_crop(size=size)) if pads else {"size": size}


@derive(af.resized_crop, p=1.0, resizes=True)
def RandomResizedCrop(size: Size, scale: Range = (0.08, 1.0), ratio: Range = (3 / 4, 4 / 3)) -> Any:
    """Cut a window and resize it to `size` = (h, w).

    It has a share `scale` of the area, and width / height log-uniform in `ratio`. Antialiased where it shrinks
    (`antialias=False` as in kornia).
    """
    return {"size": size, "scale": pair("scale", scale), "ratio": log_range(pair("ratio", ratio))}


@derive(af.resize, p=1.0, resizes=True)
def Resize(size: Size, side: str = "short", antialias: bool = True) -> Any:
    """Resize to (h, w), or one side to an int; antialiased where it shrinks (kornia is not, unless told).

    `side`: "short", "long", "vert" (the height) or "horz" (the width).
    """
    only("Resize: side", side, ("short", "long", "vert", "horz"), "give both sides: size=(h, w)")
    return {"size": size, "side": side, "antialias": antialias}


@derive(af.pad, p=1.0, resizes=True)
def Pad(padding: Any, fill: Any = 0.0, padding_mode: Any = "constant") -> Any:
    """Add pixels: `padding` is an int, (x, y) or (left, top, right, bottom)."""
    return {"padding": padding, **border(fill, padding_mode)}


@derive(af.pad_to, p=1.0, resizes=True)
def PadTo(size: Size, pad_mode: Any = "constant", pad_value: Any = 0.0, crop_if_exceeds: bool = True) -> Any:
    """Pad right and bottom up to `size` = (h, w); a larger frame is cropped there, or left: `crop_if_exceeds=False`."""
    pad = pad_to(size, False, border(pad_value, pad_mode))
    return af.pipeline(pad, af.random_crop(size=size, position=0.0)) if crop_if_exceeds else pad


# colour


@derive(af.brightness, p=1.0)
def RandomBrightness(brightness: Range = (1.0, 1.0), clip_output: bool = True) -> Any:
    """Multiply by a factor; a number x is 1 ± x (kornia adds factor - 1: RandomBrightnessShift)."""
    return {"factor": around(brightness, 1.0, 0.0), "clip": clip(clip_output)}


@derive(af.contrast, p=1.0)
def RandomContrast(contrast: Range = (1.0, 1.0), clip_output: bool = True) -> Any:
    """Spread about the grey mean by a factor; a number x is 1 ± x (kornia multiplies: RandomBrightness)."""
    return {"factor": around(contrast, 1.0, 0.0), "clip": clip(clip_output)}


@derive(af.saturation, p=1.0)
def RandomSaturation(saturation: Range = (1.0, 1.0), clip_output: bool = True) -> Any:
    """Blend with grey by a factor; a number x is 1 ± x (kornia scales that of HSV: RandomHSVSaturation)."""
    return {"factor": around(saturation, 1.0, 0.0), "clip": clip(clip_output)}


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
def RandomGrayscale(rgb_weights: Any = None) -> Any:
    """Every channel becomes .2989 R + .587 G + .114 B, or the sum with `rgb_weights`, one per channel.

    An image of other than three channels wants its weights (kornia: their mean).
    """
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


@derive(af.gamma, p=1.0)
def RandomGamma(gamma: Range = (1.0, 1.0), gain: Range = (1.0, 1.0), clip_output: bool = True) -> Any:
    """y = gain x^gamma on [0, 1]; a number is fixed."""
    return {"gamma": gamma, "gain": gain, "clip": clip(clip_output)}


@derive(af.normalize, p=1.0)
def Normalize(mean: Any, std: Any) -> Any:
    """y = (x - mean) / std for each channel; like every module the identity in `eval()`."""
    return {"mean": mean, "std": std}


@derive(af.denormalize, p=1.0)
def Denormalize(mean: Any, std: Any) -> Any:
    """y = std x + mean for each channel; like every module the identity in `eval()`."""
    return {"mean": mean, "std": std}


def clip(on: bool) -> str:
    return "clamp" if on else "none"


# filters, noise, occlusion, mixing


@derive(af.gaussian_blur)
def RandomGaussianBlur(kernel_size: Any, sigma: Range = (0.1, 2.0), border_type: Any = "reflect") -> Any:
    """Blur by a Gaussian of `sigma` pixels, (low, high), a number is fixed; `kernel_size` odd, or (kh, kw)."""
    name = padding_name(border_type)
    return {"kernel_size": kernel_size, "sigma": sigma, "padding_mode": "zeros" if name == "constant" else name}


@derive(af.gaussian_noise)
def RandomGaussianNoise(mean: Range = 0.0, std: Range = 1.0, clip: bool = False) -> Any:
    """Add mean + std n, full scale = 1; a number is fixed, a pair a range. `clip` keeps the sum in [0, 1]."""
    return {"mean": mean, "std": std, "clip": "clamp" if clip else "none"}


@derive(af.erase)
def RandomErasing(scale: Range = (0.02, 0.33), ratio: tuple[float, float] = (0.3, 3.3), value: Any = 0.0) -> Any:
    """Hide a rectangle by `value`: a share `scale` of the area, height / width log-uniform in `ratio`; masks by 0."""
    if isinstance(value, str):
        raise ValueError(explain("RandomErasing: value", value, "a number, or one for each channel", "value=0.5"))
    return {"scale": pair("scale", scale), "ratio": log_range(upside_down(ratio)), "fill": value}


@derive(af.mixup, p=1.0)
def RandomMixUp(lambda_val: Range | None = None, alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Blend with a partner; `lambda_val` = (low, high) is the own sample's weight (kornia: the partner's).

    Without it the weight is drawn from Beta(alpha, alpha). Labels are blended too: soft ones, or indices with
    `num_classes` (kornia returns both labels and the weight).
    """
    return {"weight": af.Beta(alpha, alpha) if lambda_val is None else lambda_val, "num_classes": num_classes}


RandomMixUpV2 = RandomMixUp


# volumes


@derive(af.hflip3d)
def RandomHorizontalFlip3D() -> Any:
    """Mirror a volume left and right."""
    return {}


@derive(af.vflip3d)
def RandomVerticalFlip3D() -> Any:
    """Mirror a volume top and bottom."""
    return {}


@derive(af.dflip3d)
def RandomDepthicalFlip3D() -> Any:
    """Mirror a volume front and back."""
    return {}


@derive(af.rotate3d)
def RandomRotation3D(degrees: Range) -> Any:
    """Rotate by an axis-angle vector (x, y, z); a turn about z has RandomRotation's sign.

    All signs are those of RandomAffine3D (kornia's two classes turn opposite ways: here both turn as its affine).
    A number is ± about each axis, (a, b) the range of each, (a, b, c) is ±a, ±b, ±c, three pairs are three ranges.
    """
    return {"degrees": turns(degrees)}


@derive(af.affine3d)
def RandomAffine3D(
    degrees: Range, translate: Range | None = None, scale: Range | None = None, shears: Any = None
) -> Any:
    """Scale and rotate a volume about its centre, then shift it.

    `degrees` as in RandomRotation3D, `translate` (a, b, c) up to ± of width, height and depth, `scale` (low, high).
    """
    only("RandomAffine3D: shears", shears, (None,), "leave it out")
    return {"degrees": turns(degrees), "translate": reach(translate, 3), "scale": pair("scale", scale)}

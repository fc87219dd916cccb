"""The `Random*` classes: kornia's and torchvision's names and shorthands, each derived from one factory of augfn.

In all of them: positive angles turn counter-clockwise, factors multiply, boxes are continuous edges (a flip is W - x), `p` holds per sample.
Other names that are understood: `resample` for `interpolation`, `fill_value` for `fill`, enum members and upper case for names. A range
may be a number, a pair, a distribution, or a `Parameter` [2] of low and high, which then learns.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import augfn as af
from augfn.errors import explain
from augfn.op import Augmentation, Spec
from augfn_nn.derive import derive
from augfn_nn.shorthands import around, axis, jitter, padding_name, pair, reach, slant, turns, zoom

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
def RandomRotation90(times: Any) -> Any:
    """Turn counter-clockwise by whole quarters, `times` = (a, b) inclusive, all equally likely; a number n is -n to n.

    Pixels are copied, and odd quarters swap height and width, so only a sure turn (k, k) takes frames that are not square
    (kornia warps, rounds, and keeps the shape).
    """
    low, high = (-times, times) if isinstance(times, int) else times
    if not -3 <= low <= high <= 3:
        raise ValueError(explain("RandomRotation90: bad times", times, "whole quarters (a, b), -3 <= a <= b <= 3", "times=(1, 1)"))
    return {"k": low} if low == high else af.one_of(*(af.rot90(k=k) for k in range(low, high + 1)))


# affine and projective maps


@derive(af.rotate)
def RandomRotation(degrees: Any) -> Any:
    """Rotate about the centre, counter-clockwise; a number is ±degrees."""
    return {"degrees": around(degrees)}


@derive(af.affine)
def RandomAffine(degrees: Any, translate: Any = None, scale: Any = None, shear: Any = None) -> Any:
    """One affine map about the centre.

    * `degrees`: counter-clockwise (kornia and torchvision turn clockwise here, counter-clockwise in RandomRotation); a number is ±.
    * `translate`: (a, b), up to ±a of the width, ±b of the height, not rounded to pixels.
    * `scale`: (low, high), or four numbers: x, then y; > 1 magnifies.
    * `shear`: degrees; a number is ± along x, (a, b) along x, four numbers: x, then y.
    """
    return {"degrees": around(degrees), "translate": reach(translate, 2), **zoom(scale), "shear": slant(shear)}


@derive(af.translate)
def RandomTranslate(translate_x: Any = None, translate_y: Any = None) -> Any:
    """Shift by fractions of the width and the height, ranges (low, high) with signs, positive right and down."""
    return {"translate": (axis(translate_x), axis(translate_y))}


@derive(af.scale)
def RandomScale(scale: Any = (0.8, 1.25)) -> Any:
    """Zoom about the centre by (low, high), or four numbers: x, then y; > 1 magnifies."""
    return zoom(scale)


@derive(af.shear)
def RandomShear(shear: Any) -> Any:
    """Shear by degrees: a number is ± along x, (a, b) along x, four numbers: x, then y."""
    return {"shear": slant(shear)}


@derive(af.perspective)
def RandomPerspective(distortion_scale: Any = 0.5, sampling_method: str = "basic") -> Any:
    """Move the corners by up to `distortion_scale` of half the size: inwards ("basic"), or both ways ("area_preserving")."""
    ranges = {"basic": (-1.0, 0.0), "area_preserving": (-1.0, 1.0)}
    if sampling_method not in ranges:
        raise ValueError(explain("RandomPerspective: sampling_method", sampling_method, f"one of {tuple(ranges)}", "leave it out"))
    return {"distortion_scale": distortion_scale, "corners": ranges[sampling_method]}


@derive(af.elastic)
def RandomElasticTransform(alpha: Any = (0.0, 0.03), sigma: Any = 0.1) -> Any:
    """Bend by a smooth random field; keypoints and boxes follow (in kornia they stay).

    Units are augfn's, fractions of the shorter side: `alpha` the standard deviation of the displacement (a range), `sigma` its smoothness.
    kornia's kernel_size, sigma in pixels and alpha in half sizes have no counterpart.
    """
    for name, value in (("alpha", alpha), ("sigma", sigma)):
        if any(isinstance(v, int | float) and v >= 1 for v in (value if isinstance(value, tuple) else (value,))):
            raise ValueError(explain(f"RandomElasticTransform: {name} in other units", value, "fractions of the shorter side, below 1", "alpha=(0, 0.03), sigma=0.1"))
    return {"alpha": alpha, "sigma": sigma}


# frames


@derive(af.center_crop, p=1.0, resizes=True)
def CenterCrop(size: Any) -> Any:
    """Cut `size` = (h, w), or an int, out of the middle; a frame that is smaller is an error."""
    return {"size": size}


@derive(af.random_crop, p=1.0, resizes=True)
def RandomCrop(size: Any, padding: Any = None, pad_if_needed: bool = False, fill: Any = 0.0, padding_mode: Any = "constant") -> Any:
    """Cut `size` = (h, w) at whole pixels; `padding` (an int, (x, y) or (left, top, right, bottom)) is added first.

    `pad_if_needed` then pads both sides of an axis by what it lacks, as torchvision does; without it a frame that is smaller is an error.
    """
    crop, outside = af.random_crop(size=size), border(fill, padding_mode)
    pads = [] if padding is None else [af.pad(padding=padding, **outside)]
    if pad_if_needed:
        pads.append(ByFrame("pad_if_needed", partial(pad_lacking, size=sizes(size), both=True, outside=outside)))
    return af.pipeline(*pads, crop) if pads else {"size": size}


@derive(af.resized_crop, p=1.0, resizes=True)
def RandomResizedCrop(size: Any, scale: Any = (0.08, 1.0), ratio: Any = (3 / 4, 4 / 3)) -> Any:
    """Cut a window of a share `scale` of the area and of aspect `ratio` (width / height, log-uniform), resized to `size` = (h, w)."""
    return {"size": size, "scale": pair("scale", scale), "ratio": log_range(pair("ratio", ratio))}


@derive(af.resize, p=1.0, resizes=True)
def Resize(size: Any, side: str = "short", antialias: bool = True) -> Any:
    """Resize to (h, w), or the shorter side to an int; antialiased where it shrinks (kornia is not, unless told)."""
    if side != "short":
        raise ValueError(explain("Resize: side", side, "'short', or size=(h, w)", "give both sides"))
    return {"size": size, "antialias": antialias}


@derive(af.pad, p=1.0, resizes=True)
def Pad(padding: Any, fill: Any = 0.0, padding_mode: Any = "constant") -> Any:
    """Add pixels: `padding` is an int, (x, y) or (left, top, right, bottom)."""
    return {"padding": padding, **border(fill, padding_mode)}


@derive(af.pad, p=1.0, resizes=True)
def PadTo(size: Any, pad_mode: Any = "constant", pad_value: Any = 0.0, crop_if_exceeds: bool = True) -> Any:
    """Pad right and bottom up to `size` = (h, w); a larger frame is cropped there, or left with `crop_if_exceeds=False`."""
    pad = ByFrame("pad_to", partial(pad_lacking, size=sizes(size), both=False, outside=border(pad_value, pad_mode)))
    return af.pipeline(pad, af.random_crop(size=size, position=0.0)) if crop_if_exceeds else pad


class ByFrame(Augmentation):
    """A step that the frame it meets decides: `choose(frame)` is an augmentation without leaves."""

    spec: Spec = af.pad.spec  # type: ignore[attr-defined]

    def __init__(self, name: str, choose: Any) -> None:
        super().__init__(name, {}, {})
        self.choose = choose

    def plan(self, params: Any, size: Any, sampling: Any) -> Any:
        return self.choose(size).plan({}, size, sampling)


def pad_lacking(frame: Any, size: Any, both: bool, outside: Any) -> Augmentation:
    """A pad by what the frame lacks of `size`: right and bottom, or on both sides."""
    bottom, right = (max(want - n, 0) for want, n in zip(size, frame, strict=True))
    return af.pad(padding=(right * both, bottom * both, right, bottom), **outside)


def sizes(size: Any) -> Any:
    return (size, size) if isinstance(size, int) else size


def border(fill: Any, mode: Any) -> dict[str, Any]:
    """What a pad shows: a fill, or the image's own pixels."""
    name = padding_name(mode)
    return {"fill": fill} if name in ("constant", "zeros", "fill") else {"padding_mode": name}


def log_range(value: Any) -> Any:
    return af.LogUniform(*value) if isinstance(value, tuple) else value


# colour


@derive(af.brightness, p=1.0)
def RandomBrightness(brightness: Any = (1.0, 1.0), clip_output: bool = True) -> Any:
    """Multiply by a factor, 1 ± a number (kornia adds factor - 1)."""
    return {"factor": around(brightness, 1.0, 0.0), "clip": clip(clip_output)}


@derive(af.contrast, p=1.0)
def RandomContrast(contrast: Any = (1.0, 1.0), clip_output: bool = True) -> Any:
    """Spread about the grey mean by a factor, 1 ± a number (kornia multiplies)."""
    return {"factor": around(contrast, 1.0, 0.0), "clip": clip(clip_output)}


@derive(af.saturation, p=1.0)
def RandomSaturation(saturation: Any = (1.0, 1.0), clip_output: bool = True) -> Any:
    """Blend with grey by a factor, 1 ± a number (kornia scales the saturation of HSV)."""
    return {"factor": around(saturation, 1.0, 0.0), "clip": clip(clip_output)}


@derive(af.hue, p=1.0)
def RandomHue(hue: Any = (0.0, 0.0), clip_output: bool = True) -> Any:
    """Turn the hue by turns in -0.5 to 0.5; a number is ±."""
    return {"hue": around(hue), "clip": clip(clip_output)}


@derive(af.color_jitter, p=1.0)
def ColorJitter(brightness: Any = 0.0, contrast: Any = 0.0, saturation: Any = 0.0, hue: Any = 0.0, order: Any = None) -> Any:
    """Brightness, contrast, saturation (factors, 1 ± a number) and hue (turns, ±), in an order drawn per sample; 0 leaves one out.

    `order`: the four in a fixed order, such as (0, 1, 2, 3) = brightness, contrast, saturation, hue.
    """
    return jitter(brightness, contrast, saturation, hue, off=(None, None)) | {"order": sort_keys(order)}


@derive(af.color_twist, p=1.0)
def RandomColorTwist(brightness: Any = 0.0, contrast: Any = 0.0, saturation: Any = 0.0, hue: Any = 0.0) -> Any:
    """ColorJitter as one linear colour matrix: no inner clipping, contrast about 0.5, hue about the grey axis; several times faster."""
    return jitter(brightness, contrast, saturation, hue, off=(1.0, 0.0))


@derive(af.grayscale, p=0.1)
def RandomGrayscale(rgb_weights: Any = None) -> Any:
    """Every channel becomes .2989 R + .587 G + .114 B."""
    only("RandomGrayscale: rgb_weights", rgb_weights, None, "leave it out, or give p=...")
    return {}


@derive(af.invert)
def RandomInvert(max_val: Any = 1.0) -> Any:
    """y = 1 - x."""
    only("RandomInvert: max_val", max_val, 1.0, "bring images to [0, 1]: af.to_float(x)")
    return {}


@derive(af.solarize)
def RandomSolarize(thresholds: Any = 0.1, additions: Any = None, *, threshold: Any = None) -> Any:
    """Invert what is at or above a threshold: `thresholds` = (low, high), a number is 0.5 ± it (kornia's); `threshold`: fixed (torchvision's)."""
    only("RandomSolarize: additions", additions if additions else None, None, "leave it out, or put RandomBrightness before it")
    return {"threshold": around(thresholds, 0.5) if threshold is None else threshold}


@derive(af.gamma, p=1.0)
def RandomGamma(gamma: Any = (1.0, 1.0), gain: Any = (1.0, 1.0)) -> Any:
    """y = gain x^gamma on [0, 1]; ranges (low, high), a number is fixed."""
    return {"gamma": gamma, "gain": gain}


@derive(af.normalize, p=1.0)
def Normalize(mean: Any, std: Any) -> Any:
    """y = (x - mean) / std for each channel. As every module the identity in `eval()`: keep what a model needs there outside."""
    return {"mean": mean, "std": std}


@derive(af.denormalize, p=1.0)
def Denormalize(mean: Any, std: Any) -> Any:
    """y = std x + mean for each channel."""
    return {"mean": mean, "std": std}


def clip(on: bool) -> str:
    return "clamp" if on else "none"


def sort_keys(order: Any) -> Any:
    """Sort keys that put the four in this order."""
    if order is None:
        return None
    if sorted(order) != [0, 1, 2, 3]:
        raise ValueError(explain("ColorJitter: bad order", order, "each of 0, 1, 2, 3 once", "order=(0, 1, 2, 3)"))
    return af.Constant([order.index(i) / 4 for i in range(4)])


def only(what: str, given: Any, accepted: Any, fix: str) -> None:
    if given != accepted:
        raise ValueError(explain(what, given, repr(accepted), fix))


# filters, noise, occlusion, mixing


@derive(af.gaussian_blur)
def RandomGaussianBlur(kernel_size: Any, sigma: Any = (0.1, 2.0), border_type: Any = "reflect") -> Any:
    """Blur by a Gaussian of `sigma` pixels, (low, high); `kernel_size` odd, or (kh, kw)."""
    mode = "zeros" if (name := padding_name(border_type)) == "constant" else name
    return {"kernel_size": kernel_size, "sigma": sigma, "padding_mode": mode}


@derive(af.gaussian_noise)
def RandomGaussianNoise(mean: Any = 0.0, std: Any = 1.0, clip: bool = False) -> Any:
    """Add mean + std n, full scale = 1; a number is fixed, a pair is a range. `clip` limits the sum to [0, 1]."""
    return {"mean": mean, "std": std, "clip": "clamp" if clip else "none"}


@derive(af.erase)
def RandomErasing(scale: Any = (0.02, 0.33), ratio: Any = (0.3, 3.3), value: Any = 0.0) -> Any:
    """Hide a rectangle of a share `scale` of the area and of aspect `ratio` (height / width, log-uniform) by `value`; masks by 0."""
    if isinstance(value, str):
        raise ValueError(explain("RandomErasing: value", value, "a number, or one for each channel", "value=0.5"))
    ratio = tuple(1 / r for r in reversed(pair("ratio", ratio))) if isinstance(ratio, tuple) else pair("ratio", ratio)
    return {"scale": pair("scale", scale), "ratio": log_range(ratio), "fill": value}


@derive(af.mixup, p=1.0)
def RandomMixUp(lambda_val: Any = None, alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Blend with a partner; `lambda_val` = (low, high) is the weight of the own sample (kornia: of the partner), else Beta(alpha, alpha).

    Labels are blended too: soft ones, or indices with `num_classes` (kornia returns both with the weight).
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
def RandomRotation3D(degrees: Any) -> Any:
    """Rotate by an axis-angle vector (x, y, z); the sign of z is RandomRotation's (kornia's is the opposite).

    A number is ± for each axis, (a, b) the range of each, (a, b, c) is ±a, ±b, ±c, three pairs are three ranges.
    """
    return {"degrees": turns(degrees)}


@derive(af.affine3d)
def RandomAffine3D(degrees: Any, translate: Any = None, scale: Any = None, shears: Any = None) -> Any:
    """Scale and rotate a volume about its centre, then shift; `degrees` as in RandomRotation3D, `translate` (a, b, c) up to ± of each size."""
    only("RandomAffine3D: shears", shears, None, "leave it out")
    return {"degrees": turns(degrees), "translate": reach(translate, 3), "scale": scale if scale is None else pair("scale", scale)}

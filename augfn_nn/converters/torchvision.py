"""torchvision's transforms, v1 and v2: what each is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from torch import nn

import augfn as af
import augfn_nn as nn_
from augfn.core.augmentation import Augmentation
from augfn_nn.converters import timm
from augfn_nn.converters.notes import Notes
from augfn_nn.warp import ElasticByFrame

LOADS = {"ToTensor", "ToImage", "PILToTensor", "ToPureTensor", "ConvertImageDtype", "ToDtype"}
LEFT_OUT = {
    "SanitizeBoundingBoxes": "left out: every box keeps its row; of af.Boxes(boxes) af.drop_invalid drops those without an area"
}
SIGNED = {"kornia": True}  # the sign of RandomAffine, which both share


def converted(t: Any, notes: Notes) -> list[Augmentation] | None:
    """A transform of torchvision as steps, of which the first turns uint8 into floats where torchvision's loads."""
    known = t.transforms if type(t).__name__ == "Compose" else t if type(t) is nn.Sequential else [t]
    steps = [f for u in known if (f := step(u, notes)) is not None]
    return ([af.to_float()] if notes.loads else []) + steps if steps else None


def step(t: Any, notes: Notes) -> Augmentation | None:
    name = type(t).__name__
    if type(t).__module__.startswith("timm."):
        return timm.step(t, notes)
    if not type(t).__module__.startswith("torchvision."):
        return opaque(t, notes)
    if name in LEFT_OUT:
        return notes.differ(t, LEFT_OUT[name])
    if name in LOADS:
        notes.loads = True
        if name == "ToDtype" and not t.scale and getattr(t.dtype, "is_floating_point", False):
            return notes.lack(t, "scale=False: floats here are in [0, 1], and so are the mean and std that follow")
        notes.differ(t, "af.to_float comes first instead: what follows takes floats in [0, 1]")
        return None
    if name in GROUPS:
        parts = [step(u, notes) for u in t.transforms]
        left = [p for p in parts if p is not None]
        if len(left) < len(parts) and name not in ("Compose", "RandomApply"):
            return notes.lack(t, "a choice of which one is lacking or loads")
        return GROUPS[name](t, left) if left else None
    if name not in TABLE:
        return notes.lack(t, "no counterpart")
    if name in DIFFERS and (name != "Resize" or kind_of(t) == "nearest"):
        notes.differ(t, DIFFERS[name])
    for n in ("center", "expand", "max_size"):
        if getattr(t, n, None):
            return notes.lack(t, f"{n}={getattr(t, n)} has no counterpart")
    if 1 in (getattr(t, "fill", 0), getattr(t, "threshold", 0)):
        notes.differ(t, "1 is read as full scale")
    return notes.function(t, lambda: TABLE[name](t))


def opaque(t: Any, notes: Notes) -> Any:
    if not callable(t):
        return notes.lack(t, "neither a transform of torchvision nor a function")
    notes.differ(t, "no transform of torchvision: called on images alone, as af.opaque")
    return af.opaque(cast("Any", t))


def sampled(t: Any) -> dict[str, Any]:
    """How it reads between and beyond pixels."""
    return {"interpolation": kind_of(t)} | (fills(t.fill) if hasattr(t, "fill") else {})


def of_images(t: Any) -> dict[str, Any]:
    """The same of a policy, which torchvision has for images alone."""
    return {n: v for n, v in sampled(t).items() if n != "fill_mask"}


def kind_of(t: Any) -> Any:
    """The interpolation's name, of an enum member or of a string."""
    kind = getattr(t.interpolation, "value", t.interpolation)
    return "nearest" if kind == "nearest-exact" else kind


def fills(value: Any) -> dict[str, Any]:
    """What fills images, and masks: one number is for both, in masks a label as it stands."""
    label = of_kind(value, "Mask")
    label = label[0] if isinstance(label, list | tuple) and len(label) == 1 else label
    masks = {"fill_mask": float(int(label))} if isinstance(label, int | float) and int(label) else {}
    return {"fill": filled(value)} | masks


def of_kind(value: Any, kind: str) -> Any:
    """Of a dict by kinds of targets, the entry of this one."""
    if not isinstance(value, dict):
        return value
    named = {getattr(k, "__name__", k): v for k, v in value.items()}
    return named.get(kind, named.get("others"))


def filled(value: Any) -> Any:
    """Fill values in [0, 1]: torchvision has those of the image's dtype, and by default 0."""
    value = of_kind(value, "Image")
    values = [float(v or 0) for v in (value if isinstance(value, list | tuple) else [value])]
    unit = 255.0 if max(values) > 1 else 1.0
    return values[0] / unit if len(values) == 1 else tuple(v / unit for v in values)


def padded(t: Any) -> dict[str, Any]:
    """Widths as the classes here take them, and what fills them."""
    mode = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}.get(t.padding_mode, t.padding_mode)
    return {"padding": t.padding, "padding_mode": mode} | fills(t.fill)


def resized(t: Any) -> Augmentation:
    """To a side or to both."""
    size = [t.size] if isinstance(t.size, int) else [*t.size]
    kind = kind_of(t)
    antialias = bool(t.antialias) and kind != "nearest"
    return af.resize(size=size[0] if len(size) == 1 else tuple(size), interpolation=kind, antialias=antialias)


def erased(t: Any) -> Any:
    """A rectangle, of one value, of one for each channel, or of noise."""
    if t.value in ("random", None):
        ratio = af.LogUniform(*t.ratio)
        return af.erase_noise(scale=af.Uniform(*t.scale), ratio=ratio, p=t.p)
    return nn_.RandomErasing(tuple(t.scale), tuple(t.ratio), literal(t.value), p=t.p)


def literal(value: Any) -> Any:
    """As it stands: torchvision erases what has been normalized too."""
    values = [*value] if isinstance(value, list | tuple) else [value]
    return float(values[0]) if len(values) == 1 else tuple(map(float, values))


def distorted(t: Any) -> Augmentation:
    """SSD's: brightness; contrast before or after saturation and hue; a permutation of the channels, each with p."""
    low = [af.brightness(factor=af.Uniform(*t.brightness), p=t.p)]
    contrast = af.contrast(factor=af.Uniform(*t.contrast), p=t.p)
    colours = [af.saturation(factor=af.Uniform(*t.saturation), p=t.p), af.hue(hue=af.Uniform(*t.hue), p=t.p)]
    either = af.one_of(af.pipeline(contrast, *colours), af.pipeline(*colours, contrast))
    return af.pipeline(*low, either, af.channel_shuffle(p=t.p))


def bent(t: Any) -> Augmentation:
    """By uniform noise, blurred by sigma pixels, of alpha / 2 pixels."""
    x, y = (int(8 * s + 1) | 1 for s in t.sigma)
    f = ElasticByFrame((x, y), tuple(t.sigma), tuple(a / 2 for a in t.alpha), pixels=True)
    return af.pipeline(f, **sampled(t))


GROUPS: dict[str, Callable[[Any, list[Augmentation]], Augmentation]] = {
    "Compose": lambda t, parts: af.pipeline(*parts),
    "RandomApply": lambda t, parts: af.maybe(af.pipeline(*parts), p=t.p),
    "RandomChoice": lambda t, parts: af.one_of(*parts, weights=tuple(getattr(t, "p", None) or [1.0] * len(parts))),
    "RandomOrder": lambda t, parts: af.some_of(len(parts), *parts, order="random"),
}
TABLE: dict[str, Callable[[Any], Any]] = {
    "Identity": lambda t: af.identity(),
    "RandomHorizontalFlip": lambda t: af.hflip(p=t.p),
    "RandomVerticalFlip": lambda t: af.vflip(p=t.p),
    "RandomRotation": lambda t: nn_.RandomRotation(tuple(t.degrees), p=1.0, **sampled(t)),
    "RandomAffine": lambda t: nn_.RandomAffine(
        tuple(t.degrees), t.translate, t.scale, t.shear and tuple(t.shear), p=1.0, **SIGNED, **sampled(t)
    ),
    "RandomPerspective": lambda t: nn_.RandomPerspective(t.distortion_scale, p=t.p, **sampled(t)),
    "RandomCrop": lambda t: nn_.RandomCrop(tuple(t.size), pad_if_needed=t.pad_if_needed, **padded(t)),
    "RandomResizedCrop": lambda t: nn_.RandomResizedCrop(
        tuple(t.size), t.scale, t.ratio, antialias=t.antialias, **sampled(t)
    ),
    "CenterCrop": lambda t: nn_.CenterCrop(tuple(t.size)),
    "Resize": resized,
    "Pad": lambda t: nn_.Pad(**padded(t)),
    "RandomIoUCrop": lambda t: nn_.RandomIoUCrop(
        t.min_scale, t.max_scale, t.min_aspect_ratio, t.max_aspect_ratio, tuple(t.options), t.trials
    ),
    "ElasticTransform": bent,
    "RandomZoomOut": lambda t: nn_.RandomZoomOut(**fills(t.fill), side_range=t.side_range, p=t.p),
    "ColorJitter": lambda t: nn_.ColorJitter(*(r or 0.0 for r in (t.brightness, t.contrast, t.saturation, t.hue))),
    "RandomGrayscale": lambda t: af.grayscale(p=t.p),
    "Grayscale": lambda t: af.grayscale(),
    "GaussianBlur": lambda t: nn_.RandomGaussianBlur(tuple(t.kernel_size)[::-1], tuple(t.sigma), p=1.0),
    "GaussianNoise": lambda t: nn_.RandomGaussianNoise(t.mean, t.sigma, clip="clamp" if t.clip else "none", p=1.0),
    "RandomInvert": lambda t: nn_.RandomInvert(p=t.p),
    "RandomPosterize": lambda t: af.posterize(bits=float(t.bits), p=t.p),
    "RandomSolarize": lambda t: af.solarize(threshold=filled(t.threshold), p=t.p),
    "RandomAdjustSharpness": lambda t: af.sharpness(factor=float(t.sharpness_factor), p=t.p),
    "RandomAutocontrast": lambda t: af.autocontrast(p=t.p),
    "RandomEqualize": lambda t: af.equalize(p=t.p),
    "RandomChannelPermutation": lambda t: af.channel_shuffle(),
    "RandomPhotometricDistort": distorted,
    "JPEG": lambda t: af.jpeg(quality=af.Uniform(*map(float, t.quality))),
    "RandomErasing": erased,
    "Normalize": lambda t: nn_.Normalize(tuple(t.mean), tuple(t.std)),
    "AutoAugment": lambda t: af.auto_augment(t.policy.value, **of_images(t)),
    "RandAugment": lambda t: af.rand_augment(t.num_ops, t.magnitude * 30 / (t.num_magnitude_bins - 1), **of_images(t)),
    "TrivialAugmentWide": lambda t: af.trivial_augment(bins=t.num_magnitude_bins, **of_images(t)),
    "AugMix": lambda t: af.augmix(
        t.severity, t.mixture_width, t.chain_depth, t.alpha, all_ops=t.all_ops, **of_images(t)
    ),
    "MixUp": lambda t: af.mixup(weight=af.Beta(t.alpha, t.alpha), num_classes=t.num_classes),
    "CutMix": lambda t: af.cutmix(weight=af.Beta(t.alpha, t.alpha), num_classes=t.num_classes),
}
EDGE = "the fill meets the frame at the edge of its pixels, torchvision's bilinear fill half a pixel within"
DIFFERS = {
    "RandomRotation": EDGE,
    "RandomAffine": f"translates by fractions of a pixel too; {EDGE}",
    "Resize": "nearest is torchvision's nearest-exact",
    "RandomPosterize": "keeps the high bits of 8, of float images too, where torchvision's levels are i / 2^bits",
    "RandomEqualize": "of float images the result is not rounded to 255 levels",
    "Grayscale": "keeps the number of channels",
    "GaussianNoise": "clips to [0, 1], or not at all",
    "RandomPerspective": EDGE,
    "RandomErasing": "an edge within a pixel covers it in part",
    "RandomZoomOut": "the canvas is read into the frame of the image, which stays",
    "RandomIoUCrop": "the window is read into the frame of the image, which stays; boxes are clipped: af.drop_invalid",
    "ElasticTransform": "a field of the same strength and width, with at most 8 x 8 bends",
    "MixUp": "each image has a partner and a weight of its own",
    "CutMix": "each image has a partner and a weight of its own",
}

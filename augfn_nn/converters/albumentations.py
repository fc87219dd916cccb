"""albumentations' transforms, from the dict that `Compose.to_dict()` gives: what each is here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import augfn as af
import augfn_nn as nn_
from augfn.core.augmentation import Augmentation
from augfn_nn.converters.notes import Notes
from augfn_nn.converters.torchvision import filled
from augfn_nn.warp import ElasticByFrame

Said = dict[str, Any]
SEQUENCES = ("Compose", "Sequential", "ReplayCompose")
LOADS = {"ToFloat", "ToTensorV2", "ToTensor3D", "FromFloat"}
INTERPOLATIONS = {0: "nearest", 1: "bilinear", 2: "bicubic"}
BORDERS = {0: "constant", 1: "edge", 2: "symmetric", 4: "reflect"}  # OpenCV's numbers
GREY = (0.299, 0.587, 0.114)


def converted(compose: Any, notes: Notes) -> list[Augmentation] | None:
    """A composition, or the dict of one, as steps that take uint8 images, or floats in [0, 1]."""
    said = compose if isinstance(compose, dict) else compose.to_dict()
    said = said["transform"]
    if said.get("bbox_params"):
        kind = said["bbox_params"]["format"]
        notes.differ(
            "bbox_params", f"give boxes as corners in pixels (here they are {kind!r}); af.drop_invalid filters rows"
        )
    if said.get("keypoint_params"):
        notes.differ("keypoint_params", "give keypoints as (x, y) in pixels")
    for name in said.get("additional_targets") or {}:
        notes.differ("additional_targets", f"targets={{{name!r}: ...}} of AugmentationSequential, or of af.pipeline")
    plain = said["__class_fullname__"].rsplit(".", 1)[-1] in SEQUENCES and float(said.get("p", 1.0)) == 1
    steps = [f for t in (said["transforms"] if plain else [said]) if (f := step(t, notes)) is not None]
    return [af.to_float(), *steps] if steps else None


def step(a: Said, notes: Notes) -> Augmentation | None:
    """One transform, acting with its p."""
    name, p = a["__class_fullname__"].rsplit(".", 1)[-1], float(a.get("p", 1.0))
    if name in LOADS:
        whole = a.get("max_value") in (None, 1.0, 255, 255.0)
        notes.differ(name, "left out: images are floats in [0, 1] throughout")
        return None if whole else notes.lack(name, f"max_value={a['max_value']}: divide the images before")
    if name in GROUPS:
        return group(name, a, p, notes)
    if name not in TABLE:
        return notes.lack(name, "no counterpart")
    for n, (usual, why) in (COMMON | EXPECTED.get(name, {})).items():
        if n in a and a[n] not in usual:
            return notes.lack(name, f"{n}={a[n]} has no counterpart{why}")
    if name in DIFFERS and (name != "Resize" or sampled(a)["interpolation"] == "nearest"):
        notes.differ(name, DIFFERS[name])
    if a.get("mask_interpolation") or a.get("rotate_method", "largest_box") != "largest_box":
        notes.differ(name, "masks are read nearest (a soft mask: data key 'softmask'), boxes around their corners")
    if a.get("fill") == 1:
        notes.differ(name, "fill=1 is read as full scale")
    made = notes.function(name, lambda: TABLE[name](a))
    return made if p == 1 or made is None else af.maybe(made, p=p)


def group(name: str, a: Said, p: float, notes: Notes) -> Augmentation | None:
    """A composition of others."""
    said = [{**t, "p": 1.0} for t in a["transforms"]] if name in ("OneOf", "OneOrOther") else a["transforms"]
    parts = [step(t, notes) for t in said]
    left = [f for f in parts if f is not None]
    if len(left) < len(parts) and name not in SEQUENCES:
        return notes.lack(name, "a choice of which one is lacking")
    if not left:
        return None
    f = GROUPS[name](a, left)
    return f if p == 1 or name == "OneOrOther" else af.maybe(f, p=p)


def several(a: Said, parts: Sequence[Augmentation], order: str) -> Augmentation:
    n = a.get("n", 1)
    n = tuple(n) if isinstance(n, list | tuple) else n
    again = a.get("replace", False)
    return af.some_of(min(n, len(parts)) if isinstance(n, int) and not again else n, *parts, replace=again, order=order)


def between(pair: Any, unit: float = 1.0, base: float = 0.0) -> Any:
    """The range of `base + value / unit`; a number if its ends are one."""
    low, high = (base + v / unit for v in (pair if isinstance(pair, list | tuple) else (pair, pair)))
    return low if low == high else af.Uniform(low, high)


def sampled(a: Said) -> Said:
    """How it reads between and beyond pixels."""
    known = {"interpolation": INTERPOLATIONS[a.get("interpolation", 1)]}
    if "border_mode" in a:
        known |= {"padding_mode": BORDERS[a["border_mode"]]}
        known |= {"fill": filled(a.get("fill"))} if a["border_mode"] == 0 else {}
        known |= {"fill_mask": float(a["fill_mask"])} if a["border_mode"] == 0 and a.get("fill_mask") else {}
    return known


def affine(a: Said) -> Augmentation:
    """albumentations' order: scale, rotate, shear, translate; one resample all the same."""
    ways, shear, scale = sampled(a), a["shear"], a["scale"]
    if a.get("keep_ratio") or (scale["x"] == scale["y"] and len({*scale["x"]}) == 1):
        steps = [af.scale(scale=between(scale["x"]), **ways)]
    else:
        steps = [af.scale(scale=between(scale["x"]), scale_y=between(scale["y"]), **ways)]
    steps += [af.rotate(degrees=between(a["rotate"]), **ways)]
    steps += [af.shear(shear=pair(shear["x"], shear["y"]), **ways)] if any((*shear["x"], *shear["y"])) else []
    moved, unit = (
        (a["translate_percent"], "fraction") if a.get("translate_percent") else (a.get("translate_px"), "pixel")
    )
    if moved and any((*moved["x"], *moved["y"])):
        steps += [af.translate(translate=pair(moved["x"], moved["y"]), unit=unit, whole=unit == "fraction", **ways)]
    return af.pipeline(*steps)


def pair(x: Sequence[float], y: Sequence[float]) -> Any:
    """The range of a vector, from those of its entries."""
    return af.Uniform([float(x[0]), float(y[0])], [float(x[1]), float(y[1])])


def moved(a: Said) -> Augmentation:
    both = {"x": a["shift_limit_x"], "y": a["shift_limit_y"]}
    scale = [1 + v for v in a["scale_limit"]]
    still = {"x": [0.0, 0.0], "y": [0.0, 0.0]}
    said = {"rotate": a["rotate_limit"], "scale": {"x": scale, "y": scale}, "keep_ratio": False, "shear": still}
    return affine(a | said | {"translate_percent": both})


def sizes(a: Said, make: Callable[[int], Augmentation]) -> Augmentation:
    """One of the odd sizes of the kernel, all as likely."""
    low, high = a["blur_limit"]
    parts = [make(k) for k in range(max(3, int(low) | 1), max(3, int(high)) + 1, 2)]
    return parts[0] if len(parts) == 1 else af.one_of(*parts)


def blurred(a: Said) -> Augmentation:
    """By a Gaussian; a kernel of size 0 is as wide as its sigma asks for."""
    make = lambda k: nn_.RandomGaussianBlur(k, tuple(a["sigma_limit"]), p=1.0).f  # noqa: E731
    wide = 2 * int(4 * a["sigma_limit"][1] + 0.5) + 1
    return make(wide) if not any(a["blur_limit"]) else sizes(a, make)


def lit(a: Said) -> Augmentation:
    """x (1 + contrast) + brightness."""
    c, b = between(a["contrast_limit"], base=1.0), between(a["brightness_limit"])
    return af.pipeline(af.brightness(factor=c, clip="none"), af.brightness_shift(shift=b))


def dropped(a: Said) -> Augmentation:
    if any(isinstance(v, int) or v > 1 for n in ("hole_height_range", "hole_width_range") for v in a[n]):
        raise ValueError("holes in pixels: give fractions of the frame")
    if a["num_holes_range"][1] > 16:
        raise ValueError("more than 16 holes")
    holes = {"holes": between(a["num_holes_range"])}
    sides = {"height": between(a["hole_height_range"]), "width": between(a["hole_width_range"])}
    return af.coarse_dropout(**holes, **sides, fill=filled(a["fill"]), fill_mask=a.get("fill_mask"))


def normalized(a: Said) -> Any:
    """In units of full scale; a largest value of 1 says that the images are floats."""
    full = float(a["max_pixel_value"])
    unit = full / 255 if full > 1 else 1.0
    mean, std = ([v] if isinstance(v, int | float) else v for v in (a["mean"], a["std"]))
    return nn_.Normalize([m * unit for m in mean], [s * unit for s in std])


def without_channels(a: Said) -> Augmentation:
    low, high = a["channel_drop_range"]
    parts = [af.channel_dropout(num=n, fill=filled(a["fill"])) for n in range(low, high + 1)]
    return parts[0] if len(parts) == 1 else af.one_of(*parts)


def padded_to(a: Said) -> Augmentation:
    ways = {n: v for n, v in sampled(a).items() if n != "interpolation"}
    return af.pad_to(position=(0.5, 0.5), size=(a["min_height"], a["min_width"]), **ways)


def one_size(name: str) -> Callable[[Said], Augmentation]:
    """By the longest or the smallest side; several are a choice that batches cannot have."""
    make = getattr(af, name)
    return lambda a: make(max_size=a["max_size"], interpolation=sampled(a)["interpolation"], antialias=False)


def shifted(a: Said) -> Augmentation:
    low, high = zip(*a["noise_params"]["ranges"], strict=True)
    return af.rgb_shift(shift=af.Uniform([*low], [*high]))


def hsv(a: Said) -> Augmentation:
    """Hue in OpenCV's 180 steps, the others in levels."""
    hue, saturation, value = (
        between(a[f"{n}_shift_limit"], unit) for n, unit in (("hue", 180.0), ("sat", 255.0), ("val", 255.0))
    )
    return af.hsv_shift(hue=hue, saturation=saturation, value=value)


def bent(a: Said) -> Augmentation:
    """By uniform noise, blurred by sigma pixels, of alpha pixels."""
    kernel = 17 if a["approximate"] else int(8 * a["sigma"] + 1) | 1
    sigma, alpha = float(a["sigma"]), float(a["alpha"])
    normal = a["noise_distribution"] == "gaussian"
    f = ElasticByFrame((kernel, kernel), (sigma, sigma), (alpha, alpha), pixels=True, normal=normal)
    return af.pipeline(f, **sampled(a))


GROUPS: dict[str, Callable[[Said, list[Augmentation]], Augmentation]] = {
    "Compose": lambda a, parts: af.pipeline(*parts),
    "Sequential": lambda a, parts: af.pipeline(*parts),
    "ReplayCompose": lambda a, parts: af.pipeline(*parts),
    "OneOf": lambda a, parts: af.one_of(*parts, weights=tuple(float(t["p"]) for t in a["transforms"])),
    "OneOrOther": lambda a, parts: af.one_of(*parts, weights=(float(a["p"]), 1 - float(a["p"]))),
    "SomeOf": lambda a, parts: several(a, parts, "given"),
    "RandomOrder": lambda a, parts: several(a, parts, "random"),
}
TABLE: dict[str, Callable[[Said], Any]] = {
    "NoOp": lambda a: af.identity(),
    "HorizontalFlip": lambda a: af.hflip(),
    "VerticalFlip": lambda a: af.vflip(),
    "Transpose": lambda a: af.pipeline(af.rot90(k=1), af.vflip()),
    "RandomRotate90": lambda a: af.quarter_turn(),
    "D4": lambda a: af.d4(),
    "SquareSymmetry": lambda a: af.d4(),
    "Rotate": lambda a: af.rotate(degrees=between(a["limit"]), **sampled(a)),
    "Affine": affine,
    "ShiftScaleRotate": moved,
    "RandomResizedCrop": lambda a: nn_.RandomResizedCrop(
        tuple(a["size"]), tuple(a["scale"]), tuple(a["ratio"]), antialias=False, **sampled(a)
    ),
    "RandomCrop": lambda a: nn_.RandomCrop((a["height"], a["width"])),
    "CenterCrop": lambda a: nn_.CenterCrop((a["height"], a["width"])),
    "Resize": lambda a: af.resize(size=(a["height"], a["width"]), antialias=False, **sampled(a)),
    "SmallestMaxSize": one_size("smallest_max_size"),
    "LongestMaxSize": one_size("longest_max_size"),
    "PadIfNeeded": padded_to,
    "ColorJitter": lambda a: nn_.ColorJitter(*(tuple(a[n]) for n in ("brightness", "contrast", "saturation", "hue"))),
    "RandomBrightnessContrast": lit,
    "RGBShift": shifted,
    "RandomGamma": lambda a: af.gamma(gamma=between(a["gamma_limit"], 100.0)),
    "HueSaturationValue": hsv,
    "ElasticTransform": bent,
    "ToGray": lambda a: af.grayscale(weights=GREY),
    "InvertImg": lambda a: nn_.RandomInvert(p=1.0),
    "Solarize": lambda a: af.solarize(threshold=between(a["threshold_range"])),
    "Posterize": lambda a: af.posterize(bits=between(a["num_bits"])),
    "Equalize": lambda a: af.equalize(),
    "AutoContrast": lambda a: af.autocontrast(),
    "CLAHE": lambda a: af.clahe(clip_limit=between(a["clip_limit"]), grid_size=tuple(a["tile_grid_size"])),
    "ChannelShuffle": lambda a: af.channel_shuffle(),
    "ChannelDropout": without_channels,
    "GaussianBlur": blurred,
    "Blur": lambda a: sizes(a, lambda k: af.box_blur(width=float(k), kernel_size=k)),
    "MedianBlur": lambda a: sizes(a, lambda k: af.median_blur(kernel_size=k, padding_mode="border")),
    "MotionBlur": lambda a: sizes(
        a,
        lambda k: af.motion_blur(
            angle=between(a["angle_range"]), direction=between(a["direction_range"]), kernel_size=k
        ),
    ),
    "GaussNoise": lambda a: af.gaussian_noise(std=between(a["std_range"]), mean=between(a["mean_range"])),
    "ISONoise": lambda a: af.iso_noise(intensity=between(a["intensity"]), color_shift=between(a["color_shift"])),
    "ImageCompression": lambda a: af.jpeg(quality=between(a["quality_range"])),
    "Downscale": lambda a: af.downscale(factor=between(a["scale_range"])),
    "CoarseDropout": dropped,
    "Erasing": lambda a: nn_.RandomErasing(tuple(a["scale"]), tuple(a["ratio"]), filled(a["fill"]), p=1.0),
    "Normalize": normalized,
}
COMMON: dict[str, tuple[tuple[Any, ...], str]] = {
    "interpolation": ((0, 1, 2), " (nearest, linear and cubic have)"),
    "border_mode": ((*BORDERS,), ""),
    "pad_if_needed": ((False,), ": PadIfNeeded before it"),
}
EXPECTED: dict[str, dict[str, tuple[tuple[Any, ...], str]]] = {  # arguments with the values that have a counterpart
    "Rotate": {"crop_border": ((False,), "")},
    "Affine": {"fit_output": ((False,), ""), "balanced_scale": ((False,), "")},
    "AutoContrast": {"method": (("pil",), ""), "cutoff": ((0, 0.0), ""), "ignore": ((None,), "")},
    "ElasticTransform": {"same_dxdy": ((False,), "")},
    "Normalize": {"normalization": (("standard",), "")},
    "CoarseDropout": {"fill": ((0, 0.0), ": a number")},
    "RandomBrightnessContrast": {"brightness_by_max": ((True,), ""), "ensure_safe_range": ((False,), "")},
    "GaussNoise": {"per_channel": ((True,), ""), "noise_scale_factor": ((1, 1.0), "")},
    "RGBShift": {"spatial_mode": (("constant",), ""), "noise_type": (("uniform",), "")},
    "ImageCompression": {"compression_type": (("jpeg",), "")},
    "PadIfNeeded": {
        "position": (("center",), ""),
        "pad_height_divisor": ((None,), ""),
        "pad_width_divisor": ((None,), ""),
    },
    "ToGray": {"method": (("weighted_average",), ""), "num_output_channels": ((3,), "")},
    "Equalize": {"by_channels": ((True,), "")},
}
SOFT = "an edge within a pixel covers it in part"
DIFFERS = {
    "Affine": "shears in x and y at once follow each other",
    "Resize": "nearest reads at the centre of a pixel, OpenCV's at its corner",
    "SmallestMaxSize": "the other side is rounded down",
    "LongestMaxSize": "the other side is rounded down",
    "PadIfNeeded": "of an odd number of pixels the one more lies before, not behind",
    "HueSaturationValue": "hue is not rounded to 180 steps, and grey in grey stays",
    "ElasticTransform": "a field of the same strength and width, with at most 8 x 8 bends",
    "ColorJitter": "hue is not rounded to 180 steps",
    "CoarseDropout": SOFT,
    "Erasing": SOFT,
    "CLAHE": "works on each channel, not on the lightness",
    "Equalize": "by Pillow's table, not OpenCV's",
    "MotionBlur": "a straight streak about the pixel",
    "Downscale": "averages over cells",
    "GaussianBlur": "a kernel of size 0 is as wide as the largest sigma asks for",
    "ImageCompression": "the quantization of JPEG without its subsampling rules",
    "RandomRotate90": "frames that are not square need one sure turn",
    "Transpose": "frames that are not square need p=1",
}

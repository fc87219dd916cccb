"""albumentations' transforms that change values: what each is here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import augfn as af
import augfn_nn as nn_
from augfn.core.augmentation import Augmentation
from augfn_nn.converters.albumentations_values import (
    AREA,
    Make,
    Said,
    Values,
    Why,
    middle,
    normal,
    number,
    sizes,
)
from augfn_nn.converters.by_frame import HolesByFrame
from augfn_nn.converters.values import between, one_each, whole

GREY = {"weighted_average": (0.299, 0.587, 0.114), "average": (1 / 3, 1 / 3, 1 / 3)}
SEPIA = (0.393, 0.769, 0.189), (1.0, 0.8901, 0.6945)  # the weights of red, and each channel's share of it
MOST_HOLES = 15


def blurred(a: Said) -> Augmentation:
    """By a Gaussian; a kernel of size 0 is as wide as its sigma asks for."""
    make = lambda k: nn_.RandomGaussianBlur(k, tuple(a["sigma_limit"]), p=1.0).f  # noqa: E731
    wide = 2 * int(4 * a["sigma_limit"][1] + 0.5) + 1
    return make(wide) if not any(a["blur_limit"]) else sizes(a, make)


def streaked(a: Said) -> Augmentation:
    known = {"angle": between(a["angle_range"]), "direction": between(a["direction_range"])}
    return sizes(a, lambda k: af.motion_blur(kernel_size=k, **known))


def uneven(a: Said) -> Augmentation:
    """By a Gaussian that is wider along one axis."""
    known = {"sigma": between(a["sigma_x_limit"]), "sigma_y": between(a["sigma_y_limit"])}
    return sizes(a, lambda k: af.gaussian_blur(kernel_size=k, **known))


def zoomed(a: Said) -> Augmentation:
    """With a power of two copies, about as many as its steps."""
    copies = (a["max_factor"][1] - 1) / middle(a["step_factor"]) + 1
    steps = 2 ** min(max(round(math.log2(copies)), 1), 5)
    return af.zoom_blur(factor=between(a["max_factor"]), steps=steps)


def glass(a: Said) -> Augmentation:
    """Each of its iterations swaps a pixel, and is swapped with; it blurs before and after."""
    far, sigma = a["max_delta"] * math.sqrt(a["iterations"]), a["sigma"] * math.sqrt(2)
    return af.glass_blur(delta=far, sigma=sigma, kernel_size=2 * math.ceil(3 * sigma) + 1)


def sharpened(a: Said) -> Augmentation:
    """Its kernel sums to g = 1 + alpha (lightness - 1): the one of `sharpness`, times g."""
    if a["method"] == "gaussian":
        return af.unsharp_mask(sigma=a["sigma"], amount=between(a["alpha"]), kernel_size=int(a["kernel_size"]) | 1)
    gains = [1 + middle(a["alpha"]) * (light - 1) for light in a["lightness"]]
    alpha = [v / (1 + v * (middle(a["lightness"]) - 1)) for v in a["alpha"]]
    f = af.sharpness(factor=between(alpha, 1 / 13, 1.0), clip="clamp" if {*gains} == {1.0} else "none")
    return f if {*gains} == {1.0} else af.pipeline(f, af.brightness(factor=between((min(gains), max(gains)))))


def unsharp(a: Said) -> Augmentation:
    """A sigma of 0 is OpenCV's for the size."""

    def make(k: int) -> Augmentation:
        sigma = between(a["sigma_limit"]) if any(a["sigma_limit"]) else 0.3 * ((k - 1) / 2 - 1) + 0.8
        return af.unsharp_mask(sigma=sigma, amount=between(a["alpha"]), kernel_size=k)

    return sizes(a, make)


def multiplied(a: Said) -> Augmentation:
    """By one factor, by one for each channel, or by noise of the same mean and spread."""
    low, high = a["multiplier"]
    if not a["elementwise"]:
        return af.brightness(factor=between(a["multiplier"]), per_channel=a["per_channel"])
    if not a["per_channel"]:
        raise ValueError("elementwise=True without per_channel: noise here differs from channel to channel")
    mean = (low + high) / 2
    noise = af.speckle(std=(high - low) / math.sqrt(12) / mean, clip="none")
    return af.pipeline(noise, af.brightness(factor=mean))


def added(a: Said) -> Augmentation:
    """A shift for each channel, or noise for each pixel."""
    kind, mode, known = a["noise_type"], a["spatial_mode"], a["noise_params"]
    if (kind, mode) == ("uniform", "constant"):
        ranges = known["ranges"] * (3 if len(known["ranges"]) == 1 else 1)
        low, high = zip(*ranges, strict=True)
        return af.rgb_shift(shift=af.Uniform([*low], [*high]))
    if (kind, mode) == ("gaussian", "per_pixel"):
        return af.gaussian_noise(std=between(known["std_range"]), mean=between(known["mean_range"]))
    if (kind, mode) == ("uniform", "per_pixel") and len(known["ranges"]) == 1:
        low, high = known["ranges"][0]
        return af.gaussian_noise(std=(high - low) / math.sqrt(12), mean=(low + high) / 2)
    raise ValueError(f"noise_type={kind!r} with spatial_mode={mode!r} has no counterpart")


def shot(a: Said) -> Augmentation:
    """In linear light, of 1 / scale photons at full scale."""
    low, high = a["scale_range"]
    photons = 1 / low if low == high else af.InverseUniform(low, high)
    return af.pipeline(af.gamma(gamma=2.2), af.poisson_noise(photons=photons), af.gamma(gamma=1 / 2.2))


def specked(a: Said) -> Augmentation:
    """Pixels that become black or white."""
    if a["drop_value"] not in (0, 1, 255):
        raise ValueError(f"drop_value={a['drop_value']}: black or white")
    return af.salt_and_pepper(amount=a["dropout_prob"], salt=float(a["drop_value"] > 0))


def curved(a: Said) -> Augmentation:
    """Both heights by a normal distribution."""
    low, high = (normal(mean, a["scale"], 0.0, 1.0) for mean in (0.25, 0.75))
    return af.tone_curve(shadows=low, highlights=high, per_channel=a["per_channel"])


def lit(a: Said) -> Augmentation:
    """x (1 + contrast) + brightness."""
    c, b = between(a["contrast_limit"], base=1.0), between(a["brightness_limit"])
    return af.pipeline(af.brightness(factor=c, clip="none"), af.brightness_shift(shift=b))


def sepia(a: Said) -> Augmentation:
    weights, shares = SEPIA
    tint = af.normalize(mean=(0.0, 0.0, 0.0), std=tuple(1 / v for v in shares), clip="clamp")
    return af.pipeline(af.grayscale(weights=weights), tint)


def shifted(a: Said) -> Augmentation:
    low, high = zip(*a["noise_params"]["ranges"], strict=True)
    return af.rgb_shift(shift=af.Uniform([*low], [*high]))


def hsv(a: Said) -> Augmentation:
    """Hue in OpenCV's 180 steps, the others in levels."""
    hue, saturation, value = (
        between(a[f"{n}_shift_limit"], unit) for n, unit in (("hue", 180.0), ("sat", 255.0), ("val", 255.0))
    )
    return af.hsv_shift(hue=hue, saturation=saturation, value=value)


def normalized(a: Said) -> Any:
    """In units of full scale; a largest value of 1 says that the images are floats."""
    if a["normalization"] != "standard":
        return {"image_per_channel": af.zscore, "min_max_per_channel": af.autocontrast}[a["normalization"]]()
    full = float(a["max_pixel_value"])
    unit = full / 255 if full > 1 else 1.0
    mean, std = ([v] if isinstance(v, int | float) else v for v in (a["mean"], a["std"]))
    return nn_.Normalize([m * unit for m in mean], [s * unit for s in std])


def without_channels(a: Said) -> Augmentation:
    low, high = a["channel_drop_range"]
    return one_each([af.channel_dropout(num=n, fill=number(a["fill"])) for n in range(low, high + 1)])


def coarser(a: Said) -> Augmentation:
    pair = a["interpolation_pair"]
    back = {0: "nearest", 6: "nearest", 1: "bilinear", 5: "bilinear", 3: "nearest"}[pair["upscale"]]
    return af.downscale(factor=between(a["scale_range"]), interpolation=back)


def dropped(a: Said) -> Augmentation:
    """Holes in fractions of the frame, or in pixels."""
    sides = {n: a[f"hole_{n}_range"] for n in ("depth", "height", "width") if f"hole_{n}_range" in a}
    if sides["height"][1] < 1 or "depth" in sides:
        return counted(a["num_holes_range"], a, {}, **{n: between(v) for n, v in sides.items()})
    return counted(a["num_holes_range"], a, {n: tuple(v) for n, v in sides.items()})


def counted(numbers: Sequence[int], a: Said, pixels: dict[str, Any], **fractions: Any) -> Augmentation:
    """Steps of at most 15 holes, or none."""
    (low, high), n = numbers, math.ceil(numbers[1] / MOST_HOLES)
    known = fractions | filling(a)
    parts = [HolesByFrame((low + i) // n, (high + i) // n, pixels, **known) for i in range(n)]
    return af.identity() if not n else parts[0] if n == 1 else af.pipeline(*parts)


def filling(a: Said) -> Said:
    fill_mask = {} if a.get("fill_mask") is None else {"fill_mask": float(a["fill_mask"])}
    return {"fill": number(a["fill"])} | fill_mask


def banded(a: Said) -> Augmentation:
    """Bands across all of the frame, so many pixels wide."""
    columns, rows = (tuple(a[f"mask_{n}_length"]) for n in "xy")
    parts = [counted(a["num_masks_x"], a, {"width": columns}, height=1.0)] if columns[1] else []
    parts += [counted(a["num_masks_y"], a, {"height": rows}, width=1.0)] if rows[1] else []
    return af.pipeline(*parts) if parts else af.identity()


def gridded(a: Said) -> Augmentation:
    """Square cells, by default ten along a side; a hole lies anywhere in its cell."""
    if any(a["shift_xy"]) and not a["random_offset"]:
        raise ValueError("shift_xy: in pixels")
    across, down = a["holes_number_xy"] or (10, 10)
    if across != down:
        raise ValueError("holes_number_xy: as many along x and y")
    free = 1 - a["ratio"]
    place = af.Uniform(0.0, free) if a["random_offset"] and free else 0.0
    return af.grid_mask(period=1 / across, ratio=a["ratio"], angle=0.0, offset=place, **filling(a))


PIXELS: dict[str, Make] = {
    "ColorJitter": lambda a: nn_.ColorJitter(*(tuple(a[n]) for n in ("brightness", "contrast", "saturation", "hue"))),
    "RandomBrightnessContrast": lit,
    "RGBShift": shifted,
    "RandomGamma": lambda a: af.gamma(gamma=between(a["gamma_limit"], 100.0)),
    "RandomToneCurve": curved,
    "HueSaturationValue": hsv,
    "ToGray": lambda a: af.grayscale(weights=GREY[a["method"]]),
    "ToSepia": sepia,
    "InvertImg": lambda a: nn_.RandomInvert(p=1.0),
    "Solarize": lambda a: af.solarize(threshold=between(a["threshold_range"])),
    "Posterize": lambda a: af.posterize(bits=whole(a["num_bits"])),
    "Equalize": lambda a: af.equalize(),
    "AutoContrast": lambda a: af.autocontrast() if a["method"] == "pil" else af.equalize(),
    "CLAHE": lambda a: af.clahe(clip_limit=between(a["clip_limit"]), grid_size=tuple(a["tile_grid_size"])),
    "ChannelShuffle": lambda a: af.channel_shuffle(),
    "ChannelDropout": without_channels,
    "GaussianBlur": blurred,
    "AdvancedBlur": uneven,
    "Blur": lambda a: sizes(a, lambda k: af.box_blur(width=float(k), kernel_size=k)),
    "MedianBlur": lambda a: sizes(a, lambda k: af.median_blur(kernel_size=k, padding_mode="border")),
    "MotionBlur": streaked,
    "Defocus": lambda a: af.defocus(radius=between(a["radius"]), kernel_size=2 * int(a["radius"][1]) + 1),
    "ZoomBlur": zoomed,
    "GlassBlur": glass,
    "RingingOvershoot": lambda a: sizes(a, lambda k: af.ringing(cutoff=between(a["cutoff"]), kernel_size=k)),
    "Sharpen": sharpened,
    "UnsharpMask": unsharp,
    "GaussNoise": lambda a: af.gaussian_noise(std=between(a["std_range"]), mean=between(a["mean_range"])),
    "AdditiveNoise": added,
    "MultiplicativeNoise": multiplied,
    "ShotNoise": shot,
    "ISONoise": lambda a: af.iso_noise(intensity=between(a["intensity"]), color_shift=between(a["color_shift"])),
    "SaltAndPepper": lambda a: af.salt_and_pepper(amount=between(a["amount"]), salt=between(a["salt_vs_pepper"])),
    "PixelDropout": specked,
    "ImageCompression": lambda a: af.jpeg(quality=between(a["quality_range"])),
    "Downscale": coarser,
    "CoarseDropout": dropped,
    "CoarseDropout3D": dropped,
    "GridDropout": gridded,
    "XYMasking": banded,
    "TimeMasking": banded,
    "FrequencyMasking": banded,
    "Erasing": lambda a: nn_.RandomErasing(tuple(a["scale"]), tuple(a["ratio"]), number(a["fill"]), p=1.0),
    "Normalize": normalized,
}
EXPECTED: dict[str, Values] = {
    "AutoContrast": {"method": (("pil", "cdf"), ""), "cutoff": ((0, 0.0), ""), "ignore": ((None,), "")},
    "Normalize": {"normalization": (("standard", "image_per_channel", "min_max_per_channel"), "")},
    "RandomBrightnessContrast": {"brightness_by_max": ((True,), ""), "ensure_safe_range": ((False,), "")},
    "GaussNoise": {"per_channel": ((True,), ""), "noise_scale_factor": ((1, 1.0), "")},
    "AdditiveNoise": {"approximation": ((1, 1.0), "")},
    "RGBShift": {"spatial_mode": (("constant",), ""), "noise_type": (("uniform",), "")},
    "PixelDropout": {"per_channel": ((False,), ""), "mask_drop_value": ((None,), "")},
    "ImageCompression": {"compression_type": (("jpeg",), "")},
    "ToGray": {"method": (tuple(GREY), ""), "num_output_channels": ((3,), "")},
    "Equalize": {"by_channels": ((True,), ""), "mask": ((None,), "")},
    "GridDropout": {"unit_size_range": ((None,), ": give holes_number_xy")},
}
SOFT = "an edge within a pixel covers it in part"
NORMAL = "noise is normal, of the same mean and spread"


def of_holes(a: Said) -> str:
    many = "more than 15 holes are several steps, whose numbers are drawn apart"
    lines = {
        SOFT: True,
        many: a["num_holes_range"][1] > MOST_HOLES,
        "volumes come as {'volume': x}": "hole_depth_range" in a,
    }
    return "; ".join(line for line, so in lines.items() if so)


DIFFERS: dict[str, Why] = {
    "HueSaturationValue": "hue is not rounded to 180 steps, and grey in grey stays",
    "ColorJitter": "hue is not rounded to 180 steps",
    "CoarseDropout": of_holes,
    "CoarseDropout3D": of_holes,
    "GridDropout": f"cells are squares of the shorter side, and their holes move together; {SOFT}",
    "XYMasking": SOFT,
    "TimeMasking": SOFT,
    "FrequencyMasking": SOFT,
    "Erasing": SOFT,
    "CLAHE": "works on each channel, not on the lightness",
    "Equalize": lambda a: (
        "by Pillow's table, "
        + ("not OpenCV's" if a["mode"] == "cv" else "which counts what lies below a level, not the level too")
    ),
    "AutoContrast": lambda a: "equalizes, by Pillow's table" if a["method"] == "cdf" else "",
    "MotionBlur": "a straight streak about the pixel",
    "AdvancedBlur": lambda a: (
        "a Gaussian along the axes, neither turned nor of another shape, without noise"
        if any(a["rotate_limit"]) or any(abs(v - 1) > 0.01 for v in (*a["beta_limit"], *a["noise_limit"]))
        else ""
    ),
    "Defocus": "radii between whole numbers too, and an edge of one pixel in place of the alias blur",
    "ZoomBlur": "steps of equal ratios, a power of two of them",
    "GlassBlur": "pixels are read from so far, not swapped, and blurred once",
    "Sharpen": lambda a: (
        "the library's differences of uint8 wrap around"
        if a["method"] == "gaussian"
        else "the border of one pixel is not sharpened, alpha and lightness are drawn apart"
    ),
    "UnsharpMask": lambda a: (
        f"all is sharpened, not what differs by more than {a['threshold']} levels" if a["threshold"] else ""
    ),
    "MultiplicativeNoise": lambda a: NORMAL if a["elementwise"] else "",
    "AdditiveNoise": lambda a: NORMAL if (a["noise_type"], a["spatial_mode"]) == ("uniform", "per_pixel") else "",
    "ShotNoise": "counts are normal, of the same mean and variance: where they are few it is brighter",
    "SaltAndPepper": "each pixel by chance, not a fixed number of them",
    "Downscale": lambda a: (
        ""
        if a["interpolation_pair"]["downscale"] == AREA and all(float(1 / v).is_integer() for v in a["scale_range"])
        else "averages over cells"
    ),
    "GaussianBlur": lambda a: (
        "" if any(a["blur_limit"]) else "a kernel of size 0 is as wide as the largest sigma asks for"
    ),
    "ImageCompression": "the quantization of JPEG without its subsampling rules",
}
LACKS = {
    "MaskDropout": "a number of objects; af.mask_dropout(p_object=...) hides each with a probability",
    "ConstrainedCoarseDropout": "holes in objects; af.mask_dropout hides whole ones",
    "Lambda": "its functions are not in the dict: af.opaque(function)",
}

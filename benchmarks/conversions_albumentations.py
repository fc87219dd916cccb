"""albumentations' transforms, for `benchmarks.conversions`: with their ranges pinned, and, of those that stay random, how
strong they are in both libraries.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import augfn as af
import augfn_nn as A
from benchmarks.compared import Build, apart, photo, theirs
from benchmarks.measure import table

ALONE = {"p": 1}
DRAWS = 24

PINNED: dict[str, Build] = {
    "time reverse": lambda v: v.TimeReverse(**ALONE),
    "scale, keep ratio": lambda v: v.Affine(scale=(1.2, 1.2), keep_ratio=True, **ALONE),
    "rotate, area": lambda v: v.Rotate((20, 20), interpolation=3, **ALONE),
    "safe rotate": lambda v: v.SafeRotate((20, 20), **ALONE),
    "safe rotate by a quarter": lambda v: v.SafeRotate((90, 90), **ALONE),
    "optical distortion, fisheye": lambda v: v.OpticalDistortion((0.3, 0.3), mode="fisheye", **ALONE),
    "optical distortion, camera": lambda v: v.OpticalDistortion((0.3, 0.3), **ALONE),
    "grid distortion, straight": lambda v: v.GridDistortion(5, (0.2, 0.2), **ALONE),
    "crop": lambda v: v.Crop(10, 20, 60, 80),
    "crop of one height": lambda v: v.RandomSizedCrop((96, 96), (50, 60), 1.34),
    "crop, padded": lambda v: v.CenterCrop(120, 141, pad_if_needed=True),
    "crop and pad by percent": lambda v: v.CropAndPad(percent=(0.125, 0.125), sample_independently=False),
    "crop and pad by side": lambda v: v.CropAndPad(percent=(-0.125, -0.125, -0.125, 0.0)),
    "crop and pad in pixels": lambda v: v.CropAndPad(px=4, keep_size=False),
    "pad by sides": lambda v: v.Pad((3, 5, 7, 9), border_mode=4),
    "pad to an odd size": lambda v: v.PadIfNeeded(121, 141),
    "pad to the bottom right": lambda v: v.PadIfNeeded(120, 140, position="bottom_right"),
    "resize to half, area": lambda v: v.Resize(48, 64, 3),
    "resize to less, area": lambda v: v.Resize(50, 40, 3),
    "resize to less, nearest exact": lambda v: v.Resize(50, 40, 6),
    "resize the height": lambda v: v.SmallestMaxSize(max_size_hw=(48, None)),
    "grey by the mean": lambda v: v.ToGray(method="average", **ALONE),
    "sepia": lambda v: v.ToSepia(**ALONE),
    "equalize, Pillow's": lambda v: v.Equalize("pil", **ALONE),
    "autocontrast, cdf": lambda v: v.AutoContrast(**ALONE),
    "tone curve": lambda v: v.RandomToneCurve(0.0, **ALONE),
    "multiplicative noise": lambda v: v.MultiplicativeNoise((1.2, 1.2), **ALONE),
    "multiplicative noise, by channel": lambda v: v.MultiplicativeNoise((1.2, 1.2), per_channel=True, **ALONE),
    "additive noise, constant": lambda v: v.AdditiveNoise(noise_params={"ranges": [(0.1, 0.1)]}, **ALONE),
    "sharpen, kernel": lambda v: v.Sharpen((0.3, 0.3), (1.0, 1.0), **ALONE),
    "sharpen, kernel, darker": lambda v: v.Sharpen((0.3, 0.3), (0.7, 0.7), **ALONE),
    "sharpen, Gaussian": lambda v: v.Sharpen((0.3, 0.3), method="gaussian", **ALONE),
    "unsharp mask": lambda v: v.UnsharpMask((5, 5), (1.2, 1.2), (0.4, 0.4), 0, **ALONE),
    "unsharp mask, sigma by size": lambda v: v.UnsharpMask((5, 5), (0, 0), (0.4, 0.4), 0, **ALONE),
    "unsharp mask, threshold 10": lambda v: v.UnsharpMask((5, 5), (1.2, 1.2), (0.4, 0.4), 10, **ALONE),
    "advanced blur": lambda v: v.AdvancedBlur(
        (7, 7), (0.8, 0.8), (1.6, 1.6), (0, 0), (0.9999, 1.0001), (1, 1), **ALONE
    ),
    "ringing": lambda v: v.RingingOvershoot((9, 9), (1.2, 1.2), **ALONE),
    "defocus": lambda v: v.Defocus((4, 4), (0.3, 0.3), **ALONE),
    "zoom blur": lambda v: v.ZoomBlur((1.2, 1.2), (0.02, 0.02), **ALONE),
    "Planckian jitter, blackbody": lambda v: v.PlanckianJitter(temperature_limit=(6000, 6000), **ALONE),
    "Planckian jitter, daylight": lambda v: v.PlanckianJitter("cied", (6000, 6000), **ALONE),
    "snow": lambda v: v.RandomSnow(2.0, (0.23, 0.23), **ALONE),
    "downscale": lambda v: v.Downscale((0.5, 0.5), **ALONE),
    "downscale, area": lambda v: v.Downscale((0.5, 0.5), {"downscale": 3, "upscale": 0}, **ALONE),
    "grid dropout": lambda v: v.GridDropout(0.5, False, holes_number_xy=(4, 4), **ALONE),
    "normalize each image": lambda v: v.Normalize(normalization="image_per_channel"),
    "normalize to the range": lambda v: v.Normalize(normalization="min_max_per_channel"),
}
DRAWN: dict[str, Build] = {
    "perspective": lambda v: v.Perspective(**ALONE),
    "grid distortion": lambda v: v.GridDistortion(**ALONE),
    "optical distortion": lambda v: v.OpticalDistortion((-0.5, 0.5), **ALONE),
    "piecewise affine": lambda v: v.PiecewiseAffine(**ALONE),
    "thin plate spline, 5 points": lambda v: v.ThinPlateSpline(num_control_points=2, **ALONE),
    "thin plate spline": lambda v: v.ThinPlateSpline(**ALONE),
    "safe rotate": lambda v: v.SafeRotate(**ALONE),
    "crop and pad": lambda v: v.CropAndPad(percent=(-0.1, 0.1)),
    "grid shuffle": lambda v: v.RandomGridShuffle((4, 4), **ALONE),
    "advanced blur": lambda v: v.AdvancedBlur(**ALONE),
    "defocus": lambda v: v.Defocus(**ALONE),
    "zoom blur": lambda v: v.ZoomBlur(**ALONE),
    "glass blur": lambda v: v.GlassBlur(**ALONE),
    "ringing": lambda v: v.RingingOvershoot(**ALONE),
    "sharpen": lambda v: v.Sharpen(**ALONE),
    "unsharp mask": lambda v: v.UnsharpMask(**ALONE),
    "tone curve": lambda v: v.RandomToneCurve(**ALONE),
    "Planckian jitter": lambda v: v.PlanckianJitter(**ALONE),
    "Planckian jitter, normal": lambda v: v.PlanckianJitter(sampling_method="gaussian", **ALONE),
    "illumination, linear": lambda v: v.Illumination("linear", (0.2, 0.2), **ALONE),
    "illumination, corner": lambda v: v.Illumination("corner", (0.2, 0.2), **ALONE),
    "illumination, Gaussian": lambda v: v.Illumination("gaussian", (0.2, 0.2), **ALONE),
    "plasma brightness, contrast": lambda v: v.PlasmaBrightnessContrast(**ALONE),
    "plasma shadow": lambda v: v.PlasmaShadow(**ALONE),
    "multiplicative noise": lambda v: v.MultiplicativeNoise(per_channel=True, elementwise=True, **ALONE),
    "additive noise": lambda v: v.AdditiveNoise("uniform", "per_pixel", {"ranges": [(-0.1, 0.1)]}, **ALONE),
    "shot noise": lambda v: v.ShotNoise(**ALONE),
    "salt and pepper": lambda v: v.SaltAndPepper(**ALONE),
    "pixel dropout": lambda v: v.PixelDropout(**ALONE),
    "coarse dropout, 20 holes": lambda v: v.CoarseDropout((20, 20), **ALONE),
    "coarse dropout in pixels": lambda v: v.CoarseDropout((8, 8), (4, 16), (8, 24), **ALONE),
    "bands": lambda v: v.XYMasking((2, 2), (1, 1), (8, 16), (10, 10), **ALONE),
    "time masking": lambda v: v.TimeMasking(**ALONE),
    "grid dropout": lambda v: v.GridDropout(**ALONE),
    "snow": lambda v: v.RandomSnow(**ALONE),
    "fog": lambda v: v.RandomFog(**ALONE),
    "rain": lambda v: v.RandomRain(**ALONE),
    "shadow": lambda v: v.RandomShadow(**ALONE),
    "sun flare": lambda v: v.RandomSunFlare(**ALONE),
}


def strength(library: Any, build: Build, x: Tensor) -> list[str]:
    """The mean change, and the mean absolute one, in levels: the peer's and augfn's, over some draws."""
    f = build(library)
    found = A.convert(library.Compose([f], seed=0).to_dict())
    want = torch.cat([theirs("albumentations", f, x) for _ in range(DRAWS)])
    got = found.pipeline((x / 255).expand(DRAWS, -1, -1, -1), found.pipeline.params, af.key(0))[0]
    changes = [(y - x / 255) * 255 for y in (want, got)]
    return [f"{d.mean():.1f}" for d in changes] + [f"{d.abs().mean():.1f}" for d in changes]


def sections(library: Any) -> list[str]:
    """Of the page: the further transforms with ranges pinned, and the strength of those that draw otherwise."""
    x = photo()
    large = torch.nn.functional.interpolate(x.float(), (512, 512), mode="bilinear").to(torch.uint8)
    weather = ("snow", "fog", "rain", "shadow", "sun flare")
    rows = [[n, *strength(library, f, large if n in weather else x)] for n, f in DRAWN.items()]
    return [
        "## Further transforms of albumentations, with their ranges pinned",
        "The largest difference in levels of 1/255, and the share of values that differ by more than one.",
        table(["", "apart"], [[n, apart("albumentations", library, f, x)] for n, f in PINNED.items()]),
        "## Transforms of albumentations that draw otherwise, by their strength",
        f"The mean change of the photo in levels, and its mean absolute change, over {DRAWS} draws.",
        table(["", "change, theirs", "ours", "absolute, theirs", "ours"], rows),
    ]

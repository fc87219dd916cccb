"""One row per op that a peer also has: how to build it here, in kornia, in torchvision v2 and in albumentations.

Here: colours, light, filters, noise and erasing; `ops_peers_geometry` has what moves pixels. The formulas are matched
where a peer has the same under another name (kornia's `RandomContrast` multiplies, as our `brightness` does; its
`RandomBrightness` adds); the ranges are the same for all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from benchmarks.peers import JITTER, MEAN, STD

Build = Callable[[Any], Any]


class Row(NamedTuple):
    """Builders take their library (`augfn`, `kornia.augmentation`, `torchvision.transforms.v2`, `albumentations`)."""

    op: str
    ours: Build | None = None  # None: the op with its default ranges
    kornia: Build | None = None
    torchvision: Build | None = None
    albumentations: Build | None = None
    note: str = ""


SPAN = (0.8, 1.2)


def color_rows() -> list[Row]:
    hue = (-JITTER["hue"], JITTER["hue"])
    spans = {"brightness": SPAN, "contrast": SPAN, "saturation": SPAN, "hue": hue}
    return [
        Row(
            "brightness",
            lambda a: a.brightness(factor=SPAN),
            lambda K: K.RandomContrast(SPAN, p=1.0),
            lambda v2: v2.ColorJitter(brightness=0.2),
            lambda A: A.ColorJitter(SPAN, (1, 1), (1, 1), (0, 0), p=1.0),
            "kornia's RandomContrast multiplies",
        ),
        Row(
            "brightness_shift",
            lambda a: a.brightness_shift(shift=(-0.2, 0.2)),
            lambda K: K.RandomBrightness(SPAN, p=1.0),
            albumentations=lambda A: A.RandomBrightnessContrast(0.2, 0.0, p=1.0),
            note="kornia's RandomBrightness adds",
        ),
        Row(
            "contrast",
            lambda a: a.contrast(factor=SPAN),
            lambda K: K.ColorJitter(contrast=0.2, p=1.0),
            lambda v2: v2.ColorJitter(contrast=0.2),
            lambda A: A.ColorJitter((1, 1), SPAN, (1, 1), (0, 0), p=1.0),
            "kornia's ColorJitter has the formula about the grey mean",
        ),
        Row(
            "saturation",
            lambda a: a.saturation(factor=SPAN),
            lambda K: K.ColorJitter(saturation=0.2, p=1.0),
            lambda v2: v2.ColorJitter(saturation=0.2),
            lambda A: A.ColorJitter((1, 1), (1, 1), SPAN, (0, 0), p=1.0),
            "kornia's ColorJitter has the blend with grey",
        ),
        Row("hsv_saturation", lambda a: a.hsv_saturation(factor=SPAN), lambda K: K.RandomSaturation(SPAN, p=1.0)),
        Row(
            "hue",
            lambda a: a.hue(hue=hue),
            lambda K: K.RandomHue(hue, p=1.0),
            lambda v2: v2.ColorJitter(hue=hue),
            lambda A: A.ColorJitter((1, 1), (1, 1), (1, 1), hue, p=1.0),
        ),
        Row(
            "gamma",
            lambda a: a.gamma(gamma=SPAN),
            lambda K: K.RandomGamma(SPAN, p=1.0),
            albumentations=lambda A: A.RandomGamma((80, 120), p=1.0),
        ),
        Row(
            "color_jitter",
            lambda a: a.color_jitter(**spans),
            lambda K: K.ColorJitter(**JITTER, p=1.0),
            lambda v2: v2.ColorJitter(**JITTER),
            lambda A: A.ColorJitter(**JITTER, p=1.0),
            "the order is drawn per sample here, per batch in the peers",
        ),
        Row("color_jiggle", lambda a: a.color_jiggle(**spans), lambda K: K.ColorJiggle(**JITTER, p=1.0)),
        Row(
            "grayscale",
            None,
            lambda K: K.RandomGrayscale(p=1.0),
            lambda v2: v2.Grayscale(3),
            lambda A: A.ToGray(p=1.0),
            "torchvision's three channels are one in memory, a view, which is then copied",
        ),
        Row(
            "invert",
            None,
            lambda K: K.RandomInvert(p=1.0),
            lambda v2: v2.RandomInvert(p=1.0),
            lambda A: A.InvertImg(p=1.0),
        ),
        Row(
            "solarize",
            lambda a: a.solarize(threshold=(0.4, 0.6)),
            lambda K: K.RandomSolarize(0.1, 0.0, p=1.0),
            lambda v2: v2.RandomSolarize(0.5, p=1.0),
            lambda A: A.Solarize((0.4, 0.6), p=1.0),
        ),
        Row(
            "posterize",
            lambda a: a.posterize(bits=(3, 8)),
            lambda K: K.RandomPosterize((3, 8), p=1.0),
            lambda v2: v2.RandomPosterize(4, p=1.0),
            lambda A: A.Posterize((3, 7), p=1.0),
        ),
        Row(
            "equalize",
            None,
            lambda K: K.RandomEqualize(p=1.0),
            lambda v2: v2.RandomEqualize(p=1.0),
            lambda A: A.Equalize(p=1.0),
        ),
        Row(
            "autocontrast",
            None,
            lambda K: K.RandomAutoContrast(p=1.0),
            lambda v2: v2.RandomAutocontrast(p=1.0),
            lambda A: A.AutoContrast(p=1.0),
        ),
        Row(
            "normalize",
            lambda a: a.normalize(mean=MEAN, std=STD),
            lambda K: K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
            lambda v2: v2.Normalize(MEAN, STD),
            lambda A: A.Normalize(MEAN, STD, p=1.0),
        ),
        Row(
            "denormalize",
            lambda a: a.denormalize(mean=MEAN, std=STD),
            lambda K: K.Denormalize(torch.tensor(MEAN), torch.tensor(STD)),
        ),
        Row(
            "rgb_shift",
            lambda a: a.rgb_shift(shift=(-0.1, 0.1)),
            lambda K: K.RandomRGBShift(0.1, 0.1, 0.1, p=1.0),
            albumentations=lambda A: A.RGBShift(25, 25, 25, p=1.0),
        ),
        Row(
            "channel_shuffle",
            None,
            lambda K: K.RandomChannelShuffle(p=1.0),
            lambda v2: v2.RandomChannelPermutation(),
            lambda A: A.ChannelShuffle(p=1.0),
            "32 sort keys are drawn for each sample, since a draw does not know the image's channels",
        ),
        Row(
            "channel_dropout",
            None,
            lambda K: K.RandomChannelDropout(p=1.0),
            albumentations=lambda A: A.ChannelDropout(p=1.0),
        ),
        Row(
            "planckian_jitter",
            None,
            lambda K: K.RandomPlanckianJitter(p=1.0),
            albumentations=lambda A: A.PlanckianJitter(p=1.0),
        ),
    ]


def light_rows() -> list[Row]:
    """Illumination, plasma and weather."""
    return [
        Row("gaussian_illumination", None, lambda K: K.RandomGaussianIllumination(p=1.0)),
        Row("linear_illumination", None, lambda K: K.RandomLinearIllumination(p=1.0)),
        Row("linear_corner_illumination", None, lambda K: K.RandomLinearCornerIllumination(p=1.0)),
        Row("plasma_brightness", None, lambda K: K.RandomPlasmaBrightness(p=1.0)),
        Row("plasma_contrast", None, lambda K: K.RandomPlasmaContrast(p=1.0)),
        Row(
            "plasma_shadow", None, lambda K: K.RandomPlasmaShadow(p=1.0), albumentations=lambda A: A.PlasmaShadow(p=1.0)
        ),
        Row("rain", None, lambda K: K.RandomRain(p=1.0), albumentations=lambda A: A.RandomRain(p=1.0)),
        Row("snow", None, lambda K: K.RandomSnow(p=1.0), albumentations=lambda A: A.RandomSnow(p=1.0)),
    ]


def filter_rows() -> list[Row]:
    """Filters, noise and erasing."""
    return [
        Row(
            "clahe",
            lambda a: a.clahe(clip_limit=40.0),
            lambda K: K.RandomClahe(p=1.0),
            albumentations=lambda A: A.CLAHE((40, 40), p=1.0),
        ),
        Row(
            "jpeg",
            lambda a: a.jpeg(quality=(30.0, 95.0)),
            lambda K: K.RandomJPEG((30.0, 95.0), p=1.0),
            albumentations=lambda A: A.ImageCompression("jpeg", (30, 95), p=1.0),
            note="torchvision's needs uint8",
        ),
        Row(
            "sharpness",
            lambda a: a.sharpness(factor=(0.5, 1.5)),
            lambda K: K.RandomSharpness((0.5, 1.5), p=1.0),
            lambda v2: v2.RandomAdjustSharpness(1.5, p=1.0),
            lambda A: A.Sharpen(p=1.0),
        ),
        Row(
            "gaussian_blur",
            lambda a: a.gaussian_blur(kernel_size=5, sigma=(0.1, 2.0)),
            lambda K: K.RandomGaussianBlur((5, 5), (0.1, 2.0), p=1.0),
            lambda v2: v2.GaussianBlur(5, (0.1, 2.0)),
            lambda A: A.GaussianBlur((5, 5), (0.1, 2.0), p=1.0),
        ),
        Row(
            "box_blur",
            lambda a: a.box_blur(kernel_size=5, width=5.0),
            lambda K: K.RandomBoxBlur((5, 5), p=1.0),
            albumentations=lambda A: A.Blur((5, 5), p=1.0),
        ),
        Row(
            "median_blur",
            lambda a: a.median_blur(kernel_size=3),
            lambda K: K.RandomMedianBlur((3, 3), p=1.0),
            albumentations=lambda A: A.MedianBlur((3, 3), p=1.0),
        ),
        Row(
            "motion_blur",
            lambda a: a.motion_blur(kernel_size=5, angle=(-90.0, 90.0), direction=(-1.0, 1.0), padding_mode="zeros"),
            lambda K: K.RandomMotionBlur(5, 90.0, 1.0, p=1.0),
            albumentations=lambda A: A.MotionBlur((5, 5), p=1.0),
            note="with zeros outside, as kornia's; here the default is to reflect, which takes a copy more",
        ),
        Row(
            "gaussian_noise",
            lambda a: a.gaussian_noise(std=0.05),
            lambda K: K.RandomGaussianNoise(0.0, 0.05, p=1.0),
            lambda v2: v2.GaussianNoise(0.0, 0.05),
            lambda A: A.GaussNoise((0.05, 0.05), p=1.0),
            "kornia's does not clamp; here the noise is of a key (Threefry), there of torch's sequential generator",
        ),
        Row(
            "salt_and_pepper",
            lambda a: a.salt_and_pepper(amount=(0.01, 0.06), salt=(0.4, 0.6)),
            lambda K: K.RandomSaltAndPepperNoise(p=1.0),
            albumentations=lambda A: A.SaltAndPepper((0.01, 0.06), (0.4, 0.6), p=1.0),
            note="noise of a key, as in gaussian_noise",
        ),
        Row(
            "erase",
            None,
            lambda K: K.RandomErasing(p=1.0),
            lambda v2: v2.RandomErasing(p=1.0),
            lambda A: A.Erasing(p=1.0),
        ),
    ]

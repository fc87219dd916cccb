"""Colour and channels, against `kornia.augmentation` and `kornia.enhance`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

import augfn as af
import augfn_nn
from benchmarks.agreement import Case, K

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FACTORS = {"brightness": 1.3, "contrast": 0.7, "saturation": 1.4, "hue": 0.05}
RADIANS = "radians there, turns here"


def E() -> Any:
    import kornia.enhance as E

    return E


def call(f: Any, x: Tensor) -> Tensor:
    return f(x)[0]


def per_sample(f: Any, x: Tensor, **values: Any) -> Tensor:
    """A call with another value of a leaf for each of the two images."""
    return f(x, {name: torch.tensor(v) for name, v in values.items()}, af.key(0))[0]


def both(name: str, order: Sequence[int]) -> tuple[Any, Any]:
    """ColorJitter or ColorJiggle with fixed factors in a fixed order, ours and theirs."""
    ranges = {n: (v, v) for n, v in FACTORS.items()}
    return (
        lambda x: getattr(augfn_nn, name)(**ranges, order=order)(x),
        lambda x: getattr(K(), name)(**ranges, order=order)(x),
    )


def shuffle(x: Tensor) -> Any:
    """kornia's shuffle with its draw."""
    torch.manual_seed(1)
    f = K().RandomChannelShuffle(p=1.0)
    return f(x), f._params["channels"]


def shuffled(x: Tensor) -> Tensor:
    keys = torch.ones(len(x), 32)
    keys[:, :3] = shuffle(x)[1].argsort(-1) / 32
    return call(af.channel_shuffle(order=keys), x)


def dropout(x: Tensor) -> Any:
    torch.manual_seed(1)
    f = K().RandomChannelDropout(num_drop_channels=2, fill_value=0.3, p=1.0)
    return f(x), f._params["channel_idx"]


def dropped(x: Tensor) -> Tensor:
    keys = torch.ones(len(x), 32).scatter(-1, dropout(x)[1], 0.0)
    return call(af.channel_dropout(drop=keys, num=2, fill=0.3), x)


def five(x: Tensor) -> Tensor:
    """The photo with two channels more."""
    return torch.cat([x, x[..., :2, :, :].flip(-1)], -3)


def jiggles() -> list[Case]:
    orders = [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2), (0, 3, 1, 2)]
    return [Case("color_jiggle", "ColorJiggle", *both("ColorJiggle", o), 1e-5, note=f"order {o}") for o in orders]


def lights() -> list[Case]:
    """A row in the middle and the two at the ends of each table."""
    rows = [("blackbody", 3, i) for i in (0, 11, 24)] + [("CIED", 4, i) for i in (0, 5, 22)]
    return [
        Case(
            "planckian_jitter",
            "RandomPlanckianJitter",
            lambda x, m=mode, t=first + 0.5 * i: call(af.planckian_jitter(mode=m, temperature=t), x),
            lambda x, m=mode, i=i: K().RandomPlanckianJitter(m, select_from=i, p=1.0)(x),
            1e-6,
            note=f"row {i} of {mode} is {first + 0.5 * i:g} thousand K",
        )
        for mode, first, i in rows
    ]


CASES = [
    Case(
        "brightness",
        "enhance.adjust_contrast",
        lambda x: per_sample(af.brightness(), x, factor=[1.3, 0.6]),
        lambda x: E().adjust_contrast(x, torch.tensor([1.3, 0.6])),
        1e-6,
        note="kornia's contrast multiplies",
    ),
    Case(
        "brightness",
        "enhance.adjust_brightness_accumulative",
        lambda x: call(af.brightness(factor=1.3), x),
        lambda x: E().adjust_brightness_accumulative(x, 1.3),
        1e-6,
    ),
    Case(
        "brightness",
        "RandomContrast",
        lambda x: augfn_nn.RandomBrightness((1.4, 1.4))(x),
        lambda x: K().RandomContrast((1.4, 1.4))(x),
        1e-6,
    ),
    Case(
        "brightness_shift",
        "enhance.adjust_brightness",
        lambda x: per_sample(af.brightness_shift(), x, shift=[0.2, -0.3]),
        lambda x: E().adjust_brightness(x, torch.tensor([0.2, -0.3])),
        1e-6,
    ),
    Case(
        "brightness_shift",
        "RandomBrightness",
        lambda x: augfn_nn.RandomBrightnessShift((-0.2, -0.2))(x),
        lambda x: K().RandomBrightness((0.8, 0.8))(x),
        1e-6,
        note="kornia adds its factor - 1",
    ),
    Case(
        "contrast",
        "enhance.adjust_contrast_with_mean_subtraction",
        lambda x: per_sample(af.contrast(), x, factor=[1.4, 0.5]),
        lambda x: E().adjust_contrast_with_mean_subtraction(x, torch.tensor([1.4, 0.5])),
        note="weights of the luma in another rounding",
    ),
    Case(
        "saturation",
        "enhance.adjust_saturation_with_gray_subtraction",
        lambda x: per_sample(af.saturation(), x, factor=[1.6, 0.4]),
        lambda x: E().adjust_saturation_with_gray_subtraction(x, torch.tensor([1.6, 0.4])),
        note="weights of the luma in another rounding",
    ),
    Case(
        "hsv_saturation",
        "enhance.adjust_saturation",
        lambda x: per_sample(af.hsv_saturation(), x, factor=[2.5, 0.4]),
        lambda x: E().adjust_saturation(x, torch.tensor([2.5, 0.4])),
        1e-5,
    ),
    Case(
        "hsv_saturation",
        "RandomSaturation",
        lambda x: augfn_nn.RandomHSVSaturation((1.5, 1.5))(x),
        lambda x: K().RandomSaturation((1.5, 1.5))(x),
        1e-5,
    ),
    Case(
        "hue",
        "enhance.adjust_hue",
        lambda x: per_sample(af.hue(), x, hue=[0.1, -0.4]),
        lambda x: E().adjust_hue(x, torch.tensor([0.1, -0.4]) * 2 * math.pi),
        1e-5,
        note=RADIANS,
    ),
    Case("hue", "RandomHue", lambda x: augfn_nn.RandomHue((0.2, 0.2))(x), lambda x: K().RandomHue((0.2, 0.2))(x), 1e-5),
    Case(
        "gamma",
        "enhance.adjust_gamma",
        lambda x: per_sample(af.gamma(), x, gamma=[0.6, 1.7], gain=[1.2, 0.9]),
        lambda x: E().adjust_gamma(x, torch.tensor([0.6, 1.7]), torch.tensor([1.2, 0.9])),
        1e-5,
    ),
    Case(
        "gamma",
        "RandomGamma",
        lambda x: augfn_nn.RandomGamma((2.2, 2.2), (1.1, 1.1))(x),
        lambda x: K().RandomGamma((2.2, 2.2), (1.1, 1.1))(x),
        1e-5,
    ),
    Case("color_jitter", "ColorJitter", *both("ColorJitter", (1, 0, 3, 2)), 2e-4, note="luma; order (1, 0, 3, 2)"),
    Case("color_jitter", "ColorJitter", *both("ColorJitter", (2, 3, 0, 1)), 2e-4, note="luma; order (2, 3, 0, 1)"),
    *jiggles(),
    Case(
        "normalize",
        "enhance.normalize",
        lambda x: call(af.normalize(mean=MEAN, std=STD), x),
        lambda x: E().normalize(x, torch.tensor(MEAN), torch.tensor(STD)),
        1e-5,
    ),
    Case(
        "denormalize",
        "enhance.denormalize",
        lambda x: call(af.denormalize(mean=MEAN, std=STD), x),
        lambda x: E().denormalize(x, torch.tensor(MEAN), torch.tensor(STD)),
        1e-5,
    ),
    Case(
        "grayscale",
        "RandomGrayscale",
        lambda x: call(af.grayscale(), x),
        lambda x: K().RandomGrayscale(p=1.0)(x),
        2e-4,
        note="weights of the luma in another rounding",
    ),
    Case(
        "grayscale",
        "RandomGrayscale(rgb_weights)",
        lambda x: augfn_nn.RandomGrayscale(torch.tensor([0.2, 0.3, 0.5]), p=1.0)(x),
        lambda x: K().RandomGrayscale(torch.tensor([0.2, 0.3, 0.5]), p=1.0)(x),
        1e-6,
    ),
    Case(
        "grayscale",
        "RandomGrayscale, five channels",
        lambda x: call(af.grayscale(weights=(0.2,) * 5), five(x)),
        lambda x: K().RandomGrayscale(p=1.0)(five(x)),
        1e-6,
        note="their mean, as weights",
    ),
    Case(
        "invert",
        "enhance.invert",
        lambda x: call(af.invert(max_val=0.8), x),
        lambda x: E().invert(x, torch.tensor(0.8)),
        1e-6,
    ),
    Case(
        "rgb_shift",
        "enhance.shift_rgb",
        lambda x: per_sample(af.rgb_shift(), x, shift=[[0.2, -0.1, 0.05], [-0.4, 0.0, 0.3]]),
        lambda x: E().shift_rgb(x, *torch.tensor([[0.2, -0.1, 0.05], [-0.4, 0.0, 0.3]]).unbind(-1)),
        1e-6,
    ),
    Case(
        "rgb_shift",
        "RandomRGBShift",
        lambda x: augfn_nn.RandomRGBShift((0.1, 0.1), (-0.2, -0.2), (0.3, 0.3), p=1.0)(x),
        lambda x: K().RandomRGBShift((0.1, 0.1), (-0.2, -0.2), (0.3, 0.3), p=1.0)(x),
        1e-6,
    ),
    Case("channel_shuffle", "RandomChannelShuffle", shuffled, lambda x: shuffle(x)[0], 0.0, note="order as sort keys"),
    Case(
        "channel_dropout", "RandomChannelDropout", dropped, lambda x: dropout(x)[0], 0.0, note="channels as sort keys"
    ),
    *lights(),
]

DIFFERENCES = {
    "RandomBrightness": "adds factor - 1; here it multiplies, as in torchvision: RandomBrightnessShift adds",
    "RandomContrast": "multiplies; here it spreads about the grey mean, as in torchvision: RandomBrightness multiplies",
    "RandomSaturation": "scales that of HSV; here a blend with grey, as in torchvision: RandomHSVSaturation scales",
    "ColorJitter, ColorJiggle": "an order per batch; here one per sample",
    "RandomGrayscale": "weights .299; here torchvision's .2989. The mean of other than 3 channels is given as weights",
    "RandomPlanckianJitter": "draws rows of the table; here temperatures between its ends, linear between rows",
    "RandomGamma": "a negative gamma or gain is an error at call time; here when the range is given",
}

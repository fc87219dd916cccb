"""Spaces: the ops of policies and their arguments at each level, in the dialects of the libraries that publish them.

An entry makes an op from a `Draw`, which says how its level is drawn. Sources: torchvision 0.28 `autoaugment`, timm 1.0
`auto_augment`, the papers; levels are 0, 1, ... as there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from augfn.compose import identity
from augfn.core.augmentation import Augmentation
from augfn.distributions import Magnitude
from augfn.ops.filters import gaussian_blur, sharpness
from augfn.ops.geometric import rotate, shear, translate
from augfn.ops.photometric import brightness, contrast, invert, saturation, solarize, solarize_add
from augfn.ops.tone import autocontrast, equalize, posterize


@dataclass(frozen=True)
class Draw:
    """A level of a policy, how it is drawn, and the probability of an op."""

    level: float
    spread: str = "fixed"
    std: float = 0.0
    p: Any = 1.0

    def of(self, table: Tensor, **how: Any) -> Magnitude:
        return Magnitude(float(self.level), table, self.std, self.spread, **how)


Make = Callable[[Draw], Augmentation]
BYTE = 255.0

# what an op takes, given its table


def sheared(along: tuple[float, float], slopes: Tensor, d: Draw) -> Augmentation:
    """By slopes, about the corner of the frame."""
    angles = torch.rad2deg(torch.atan(slopes))
    return shear(shear=d.of(angles, signed=True, along=along), about="corner", p=d.p)


def moved(
    along: tuple[float, float], shifts: Tensor, d: Draw, unit: str = "fraction", whole: bool = False
) -> Augmentation:
    return translate(translate=d.of(shifts, signed=True, along=along), unit=unit, whole=whole, p=d.p)


def turned(degrees: Tensor, d: Draw) -> Augmentation:
    return rotate(degrees=d.of(degrees, signed=True), p=d.p)


def enhanced(op: Any, table: Tensor, d: Draw, **how: Any) -> Augmentation:
    return op(factor=d.of(table, **how), p=d.p)


def posterized(bits: Tensor, d: Draw, **how: Any) -> Augmentation:
    return posterize(bits=d.of(bits, **how), p=d.p)


def solarized(thresholds: Tensor, d: Draw, **how: Any) -> Augmentation:
    return solarize(threshold=d.of(thresholds, **how), p=d.p)


def plain(op: Any, d: Draw) -> Augmentation:
    return op(p=d.p)


ENHANCE = {"Brightness": brightness, "Color": saturation, "Contrast": contrast, "Sharpness": sharpness}
X, Y = (1.0, 0.0), (0.0, 1.0)
PLAIN: dict[str, Make] = {
    "Identity": lambda d: identity(),
    "AutoContrast": partial(plain, autocontrast),
    "Equalize": partial(plain, equalize),
    "Invert": partial(plain, invert),
}


class Reach(NamedTuple):
    """The largest arguments of a space; translate in fractions of the side, or in pixels."""

    shear: float
    translate: float
    rotate: float
    factor: float
    bits: tuple[int, int]
    ops: str
    unit: str = "fraction"


AFFINE_OPS = "ShearX ShearY TranslateX TranslateY Rotate"
SPACES: dict[str, Reach] = {
    "AutoAugment": Reach(
        0.3,
        150 / 331,
        30,
        0.9,
        (8, 4),
        f"{AFFINE_OPS} Brightness Color Contrast Sharpness Posterize Solarize AutoContrast Equalize Invert",
    ),
    "RandAugment": Reach(
        0.3,
        150 / 331,
        30,
        0.9,
        (8, 4),
        f"Identity {AFFINE_OPS} Brightness Color Contrast Sharpness Posterize Solarize AutoContrast Equalize",
    ),
    "TrivialAugmentWide": Reach(
        0.99,
        32,
        135,
        0.99,
        (8, 2),
        f"Identity {AFFINE_OPS} Brightness Color Contrast Sharpness Posterize Solarize AutoContrast Equalize",
        "pixel",
    ),
    "AugMix": Reach(
        0.3,
        1 / 3,
        30,
        0.9,
        (4, 0),
        f"{AFFINE_OPS} Posterize Solarize AutoContrast Equalize Brightness Color Contrast Sharpness",
    ),
}


def torchvision_space(space: str, bins: int) -> dict[str, Make]:
    """The ops of a space in torchvision's order, for levels from 0 to bins - 1."""
    r = SPACES[space]

    def ramp(last: float, first: float = 0.0) -> Tensor:
        return torch.linspace(first, last, bins)

    whole = {"unit": r.unit, "whole": True}
    drop = (torch.arange(bins) / ((bins - 1) / (r.bits[0] - r.bits[1]))).round()
    made: dict[str, Make] = PLAIN | {
        "ShearX": partial(sheared, X, ramp(r.shear)),
        "ShearY": partial(sheared, Y, ramp(r.shear)),
        "TranslateX": partial(moved, X, ramp(r.translate), **whole),
        "TranslateY": partial(moved, Y, ramp(r.translate), **whole),
        "Rotate": partial(turned, ramp(r.rotate)),
        "Posterize": partial(posterized, r.bits[0] - drop),
        "Solarize": partial(solarized, ramp(0.0, 1.0)),
    }
    made |= {n: partial(enhanced, op, ramp(r.factor), signed=True, centre=1.0) for n, op in ENHANCE.items()}
    return {n: made[n] for n in r.ops.split()}


def timm_space(top: int = 10, translate_pct: float = 0.45) -> dict[str, Make]:
    """All ops that timm's policies name, for levels from 0 to `top`."""
    level = torch.arange(float(top + 1))

    def linear(slope: float, most: float = float("inf"), offset: float = 0.0) -> Tensor:
        return (offset + slope * level).clamp(max=most)

    whole = {"step": "trunc"}
    made: dict[str, Make] = PLAIN | {
        "Rotate": partial(turned, linear(3.0)),
        "ShearX": partial(sheared, X, linear(0.03)),
        "ShearY": partial(sheared, Y, linear(0.03)),
        "TranslateXRel": partial(moved, X, linear(translate_pct / 10)),
        "TranslateYRel": partial(moved, Y, linear(translate_pct / 10)),
        "Posterize": partial(posterized, linear(0.4, 8.0), **whole),
        "PosterizeIncreasing": partial(posterized, -linear(0.4, 4.0), centre=4.0, **whole),
        "PosterizeOriginal": partial(posterized, linear(0.4, 4.0), centre=4.0, **whole),
        "Solarize": partial(solarized, linear(25.6, 256.0), scale=1 / BYTE, **whole),
        "SolarizeIncreasing": partial(solarized, -linear(25.6, 256.0), centre=256.0, scale=1 / BYTE, **whole),
        "SolarizeAdd": lambda d: solarize_add(
            addition=d.of(linear(11.0, 128.0), scale=1 / BYTE, **whole), threshold=128 / BYTE, p=d.p
        ),
        "Desaturate": partial(enhanced, saturation, -linear(0.05, 1.0, 0.5), centre=1.0),
        "GaussianBlur": lambda d: gaussian_blur(kernel_size=13, sigma=d.of(linear(0.19, 2.0, 0.1)), p=d.p),
        "GaussianBlurRand": lambda d: gaussian_blur(
            kernel_size=13, sigma=replace(d, spread="uniform", std=0.5).of(linear(0.2)), p=d.p
        ),
    }
    for name, op in ENHANCE.items():
        made[name] = partial(enhanced, op, linear(0.18), centre=0.1)
        made[f"{name}Increasing"] = partial(enhanced, op, linear(0.09), signed=True, centre=1.0, least=0.1)
    return made


def paper_space(space: str, top: int = 30) -> dict[str, Make]:
    """The papers' scale, 10 levels for AutoAugment's largest arguments, without an end (but one bit, and a tenth of a colour,
    are left); AugMix's own formulas."""
    if space == "AugMix":
        own = timm_space(top)
        names = ["AutoContrast", "Equalize", "PosterizeIncreasing", "Rotate", "SolarizeIncreasing", "ShearX", "ShearY"]
        level = torch.arange(float(top + 1))
        third = {
            n: partial(moved, along, level / 30, whole=True) for n, along in (("TranslateX", X), ("TranslateY", Y))
        }
        return {n: own[n] for n in names} | third
    r, level = SPACES[space], torch.arange(float(top + 1)) / 10
    made: dict[str, Make] = PLAIN | {
        "ShearX": partial(sheared, X, r.shear * level),
        "ShearY": partial(sheared, Y, r.shear * level),
        "TranslateX": partial(moved, X, r.translate * level),
        "TranslateY": partial(moved, Y, r.translate * level),
        "Rotate": partial(turned, r.rotate * level),
        "Posterize": partial(posterized, (8 - 4 * level).clamp(min=1), step="round"),
        "Solarize": partial(solarized, (1 - level).clamp(min=0)),
    }
    made |= {
        n: partial(enhanced, op, r.factor * level, signed=True, centre=1.0, least=0.1) for n, op in ENHANCE.items()
    }
    return {n: made[n] for n in r.ops.split()}


def snake(name: str) -> str:
    """An op's name as a step's: ShearX as shear_x.

    >>> snake("TranslateXRel"), snake("AutoContrast")
    ('translate_x_rel', 'auto_contrast')
    """
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))

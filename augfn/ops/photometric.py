"""Colour: new pixel values, point by point."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from augfn.core.actions import Color
from augfn.core.augmentation import photometric
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import color, jitter
from augfn.math.shapes import over
from augfn.run.constants import cached
from augfn.typing import Factor, Leaf, Level, Turns

Order = Annotated[
    Any,
    Leaf(
        "sort keys of brightness, contrast, saturation, hue",
        (4,),
        low=0.0,
        high=1.0,
        flat="an order is piecewise constant in its sort keys",
    ),
]
Threshold = Annotated[
    Any,
    Leaf(
        "intensity, full scale = 1",
        neutral=1.0 + 1e-6,
        flat="the image jumps where its values cross the threshold",
        grads=("soft",),
    ),
]
Gamma = Annotated[Any, Leaf("exponent", neutral=1.0, low=0.0)]


@photometric(clip="clamp", single_pass=True)
def brightness(x: Tensor, *, factor: Factor = Uniform(0.8, 1.2)) -> Tensor:
    """Multiply: y = factor x. Source: torchvision `adjust_brightness`.

    kornia's `adjust_contrast` is this; its `adjust_brightness` is `brightness_shift`.

    >>> af.brightness(factor=0.5)(torch.tensor([[[0.2, 0.8]]]))[0]
    tensor([[[0.1000, 0.4000]]])
    """
    return color.brightness(x, factor)


@photometric(clip="clamp")
def brightness_shift(*, shift: Level = Uniform(-0.2, 0.2)) -> Color:
    """Add: y = x + shift, full scale = 1.

    With clip="none" it is linear and fuses with its linear neighbours. Source: kornia `adjust_brightness`.

    >>> af.brightness_shift(shift=0.25)(torch.tensor([[[0.25, 0.5]]]))[0]
    tensor([[[0.5000, 0.7500]]])
    """
    return Color(shift=shift[..., None])


@photometric(clip="clamp", unless="preserve_range")
def contrast(x: Tensor, *, factor: Factor = Uniform(0.8, 1.2), preserve_range: bool = False) -> Tensor:
    """Spread about the grey mean: y = factor x + (1 - factor) mean(luma(x)).

    About black it is `brightness`. `preserve_range`: cut off at the image's own minimum and maximum (with `per_channel=True`
    at those of each channel), in place of 0 and 1, for values of any scale. Source: torchvision `adjust_contrast`, kornia
    `adjust_contrast_with_mean_subtraction`; nnU-Net's `ContrastTransform`.

    >>> af.contrast(factor=0.5)(torch.tensor([[[0.2, 0.8]]]))[0]
    tensor([[[0.3500, 0.6500]]])
    """
    y = color.contrast(x, factor)
    if not preserve_range:
        return y
    dims = tuple(range(factor.ndim, x.ndim))
    return torch.minimum(torch.maximum(y, x.amin(dims, keepdim=True)), x.amax(dims, keepdim=True))


@photometric(clip="clamp", requires_rgb=True, pointwise=True)
def saturation(x: Tensor, *, factor: Factor = Uniform(0.8, 1.2)) -> Tensor:
    """Blend with grey: y = factor x + (1 - factor) luma(x).

    `hsv_saturation` is the other way to do it. Source: torchvision `adjust_saturation`, kornia
    `adjust_saturation_with_gray_subtraction`.

    >>> red = torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    >>> af.saturation(factor=0.0)(red)[0].flatten()
    tensor([0.2989, 0.2989, 0.2989])
    """
    return color.saturation(x, factor)


@photometric(clip="clamp", requires_rgb=True, pointwise=True)
def hsv_saturation(x: Tensor, *, factor: Factor = Uniform(0.8, 1.2)) -> Tensor:
    """Scale the saturation of HSV, up to full: y = x + (x - M) min(factor - 1, N / (M - N)).

    M is the largest channel, N the smallest; at 0 all channels become M (`saturation`: the luma). Source: kornia
    `adjust_saturation`.

    >>> pink = torch.tensor([0.8, 0.6, 0.4]).reshape(3, 1, 1)
    >>> af.hsv_saturation(factor=0.5)(pink)[0].flatten()
    tensor([0.8000, 0.7000, 0.6000])
    """
    return color.hsv_saturation(x, factor)


@photometric(clip="clamp", requires_rgb=True, pointwise=True)
def hue(x: Tensor, *, hue: Turns = Uniform(-0.05, 0.05)) -> Tensor:
    """Turn the hue of HSV by `hue` turns. Source: torchvision `adjust_hue`; undefined at grey, where the gradient is
    zero.

    >>> red = torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    >>> af.hue(hue=1 / 3)(red)[0].flatten().round(decimals=3).abs()
    tensor([0., 1., 0.])
    """
    return color.hue(x, hue)


@photometric(clip="clamp", requires_rgb=True, pointwise=True)
def hsv_shift(
    x: Tensor,
    *,
    hue: Turns = Uniform(-0.05, 0.05),
    saturation: Level = Uniform(-0.1, 0.1),
    value: Level = Uniform(-0.1, 0.1),
) -> Tensor:
    """Turn the hue of HSV by `hue` turns, then add to its saturation and its value, each kept in [0, 1].

    A grey pixel stays grey, and its gradient to the saturation is zero. `hue` and `hsv_saturation` are its parts that
    scale. Source: albumentations `HueSaturationValue`, in fractions of full scale.

    >>> pink = torch.tensor([0.8, 0.6, 0.4]).reshape(3, 1, 1)
    >>> af.hsv_shift(hue=0, saturation=0.25, value=0.1)(pink)[0].flatten()
    tensor([0.9000, 0.5625, 0.2250])
    """
    return color.hsv_shift(x, hue, saturation, value)


@photometric(
    example={"brightness": (0.7, 1.3), "contrast": (0.7, 1.3), "saturation": (0.7, 1.3), "hue": (-0.1, 0.1)},
    across=True,
)
def color_jitter(
    x: Tensor,
    *,
    brightness: Factor | None = None,
    contrast: Factor | None = None,
    saturation: Factor | None = None,
    hue: Turns | None = None,
    order: Order = Uniform(0.0, 1.0),
    clip: str = "clamp",
) -> Tensor:
    """Brightness, contrast, saturation and hue in an order of its own for every sample, each clipped to [0, 1].

    The order is that of the four sort keys, ascending. What is not given is left out. Source: torchvision
    `ColorJitter`, whose order is one per batch.

    >>> jitter = af.color_jitter(brightness=(0.8, 1.2), hue=(-0.1, 0.1))
    >>> y, params = jitter(torch.rand(2, 3, 4, 4), None, af.key(0))
    >>> {name: list(value.shape) for name, value in params.items()}
    {'brightness': [2], 'hue': [2], 'order': [2, 4]}
    """
    if saturation is not None or hue is not None:
        color.require_rgb(x, "color_jitter with saturation or hue", order.ndim - 1)
    return jitter.jitter(x, brightness, contrast, saturation, hue, order, clip)


@photometric(
    example={"brightness": (0.7, 1.3), "contrast": (0.7, 1.3), "saturation": (0.7, 1.3), "hue": (-0.1, 0.1)},
    pointwise=True,
    across=True,
)
def color_jiggle(
    x: Tensor,
    *,
    brightness: Factor | None = None,
    contrast: Factor | None = None,
    saturation: Factor | None = None,
    hue: Turns | None = None,
    order: Order = Uniform(0.0, 1.0),
    clip: str = "clamp",
) -> Tensor:
    """Colour jitter by other formulas: x + brightness - 1, contrast x, saturation and hue of HSV, clipped to [0, 1].

    The order is that of the four sort keys, ascending, one for every sample. What is not given is left out. Source:
    kornia `ColorJiggle`, whose order is one per batch.

    >>> jiggle = af.color_jiggle(brightness=(0.8, 1.2), hue=(-0.1, 0.1))
    >>> y, params = jiggle(torch.rand(2, 3, 4, 4), None, af.key(0))
    >>> {name: list(value.shape) for name, value in params.items()}
    {'brightness': [2], 'hue': [2], 'order': [2, 4]}
    """
    if saturation is not None or hue is not None:
        color.require_rgb(x, "color_jiggle with saturation or hue", order.ndim - 1)
    return jitter.jiggle(x, brightness, contrast, saturation, hue, order, clip)


@photometric(across=True)
def color_twist(
    *,
    brightness: Factor = Uniform(0.8, 1.2),
    contrast: Factor = Uniform(0.8, 1.2),
    saturation: Factor = Uniform(0.8, 1.2),
    hue: Turns = Uniform(-0.05, 0.05),
    pivot: float = 0.5,
) -> Color:
    """The four of colour jitter as one 3 x 4 colour matrix: brightness, contrast about `pivot`, saturation, hue about
    the grey axis.

    Smooth everywhere, no clipping inside or after; it fuses with its linear neighbours (`normalize`). Source: DALI
    `color_twist`, stylegan2-ada.

    >>> twist = af.color_twist(brightness=2.0, contrast=1.0, saturation=1.0, hue=0.0)
    >>> twist(torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1))[0].flatten()
    tensor([0.2000, 0.4000, 0.6000])
    """
    matrix, shift = color.twist_matrix(brightness, contrast, saturation, hue, pivot)
    return Color(matrix, shift=shift)


@photometric(across=True)
def grayscale(*, weights: Any = None) -> Color:
    """Every channel becomes the luma .2989 R + .587 G + .114 B, or the sum with these `weights`, one per channel.

    An image of C channels wants C weights: (0.2,) * 5 is the mean of five. Source: torchvision `rgb_to_grayscale`,
    kornia `RandomGrayscale`.

    >>> red = torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1)
    >>> af.grayscale()(red)[0].flatten()
    tensor([0.2989, 0.2989, 0.2989])
    """
    given = color.LUMA if weights is None else per_channel(weights, "grayscale", "weights=(0.299, 0.587, 0.114)")
    return Color(cached(grey_matrix, given))


def grey_matrix(weights: tuple[float, ...]) -> Tensor:
    """The matrix `[C, C]` that puts the weighted sum into all channels."""
    return torch.tensor([weights] * len(weights))


@photometric
def invert(*, max_val: Any = 1.0) -> Color:
    """y = max_val - x, one number or one per channel. Source: torchvision `invert`, kornia `RandomInvert`.

    >>> af.invert()(torch.tensor([[[0.2, 0.7]]]))[0]
    tensor([[[0.8000, 0.3000]]])
    """
    scale, shift = cached(mirrored, per_channel(max_val, "invert", "max_val=1.0"))
    return Color(scale=scale, shift=shift)


def mirrored(top: tuple[float, ...]) -> tuple[Tensor, ...]:
    """Scale and offset `[C]` of top - x."""
    return -torch.ones(len(top)), torch.tensor(top)


@photometric(example={"addition": (-0.1, 0.1)}, pointwise=True)
def solarize(
    x: Tensor, *, threshold: Threshold = Uniform(0.5, 1.0), addition: Level | None = None, grad: str = "none"
) -> Tensor:
    """Invert what is at or above the threshold: y = x < threshold ? x : 1 - x, with x + addition, clamped, for x, where
    an addition is given.

    Gradient to the threshold: zero (the image jumps where it crosses), with grad="soft" that of a sigmoid; to the
    image: 1 or -1, with grad="ste" 1. Source: torchvision `solarize`; the addition is that of kornia `RandomSolarize`.

    >>> af.solarize(threshold=0.5)(torch.tensor([[[0.2, 0.5, 0.9]]]))[0]
    tensor([[[0.2000, 0.5000, 0.1000]]])
    """
    return color.solarize(x, threshold, addition, grad)


@photometric(clip="clamp", pointwise=True)
def solarize_add(x: Tensor, *, addition: Level = Uniform(0.0, 0.43), threshold: Threshold = 128 / 255) -> Tensor:
    """Add to what lies below the threshold: y = x + addition where x < threshold, else x.

    Gradient to the threshold: zero (the image jumps where it crosses). Source: timm `SolarizeAdd`.

    >>> af.solarize_add(addition=0.25)(torch.tensor([[[0.2, 0.6, 0.9]]]))[0]
    tensor([[[0.4500, 0.6000, 0.9000]]])
    """
    return torch.where(x < over(x, threshold), x + over(x, addition), x)


@photometric(clip="clamp", example={"gain": (0.9, 1.1)}, pointwise=True, unless="retain_stats")
def gamma(
    x: Tensor,
    *,
    gamma: Gamma = Uniform(0.8, 1.25),
    gain: Factor | None = None,
    invert: bool = False,
    retain_stats: bool = False,
) -> Tensor:
    """y = gain x^gamma, 0 below 0; a gain of 1 where none is given. `invert`: of the negative, y = 1 - gain (1 - x)^gamma.

    `retain_stats`: for values of any scale, such as z-scores: each channel is brought to [0, 1] by its minimum and its range, and
    afterwards, unclipped, to the mean and standard deviation that it had. Source: torchvision `adjust_gamma`; nnU-Net's
    `GammaTransform`, MONAI `AdjustContrast(retain_stats=, invert_image=)` (whose statistics are of all channels together).

    >>> af.gamma(gamma=2.0)(torch.tensor([[[0.5, 1.0]]]))[0]
    tensor([[[0.2500, 1.0000]]])
    """
    if retain_stats:
        return color.gamma_of_range(x, gamma, gain, invert)
    return 1 - color.gamma(1 - x, gamma, gain) if invert else color.gamma(x, gamma, gain)


def per_channel(values: Any, what: str, fix: str = "mean=(0.485, 0.456, 0.406)") -> tuple[float, ...]:
    held = isinstance(values, Tensor | np.ndarray | np.generic)
    given = values.tolist() if held else values  # numbers stay Python's, which compile reads
    numbers = tuple(given) if isinstance(given, list | tuple) else (given,)
    if len(numbers) == 1 and isinstance(numbers[0], list | tuple):  # [1, C]
        numbers = tuple(numbers[0])
    if any(isinstance(v, list | tuple) for v in numbers):
        raise ValueError(explain(f"{what}: one number per channel", values, "a number or a sequence [C]", fix))
    return tuple(map(float, numbers))


def standard(mean: tuple[float, ...], std: tuple[float, ...], back: bool) -> Color:
    """(x - mean) / std as a colour map, or its inverse."""
    if len(mean) != len(std) and 1 not in (len(mean), len(std)):
        raise ValueError(explain("mean and std disagree", (mean, std), "as many of one as of the other", "one of each"))
    if not back and 0.0 in std:
        raise ValueError(explain("normalize: std", std, "not 0", "leave a constant channel at std=1"))
    scale, shift = cached(standardize, mean, std, back)
    return Color(scale=scale, shift=shift)


def standardize(mean: tuple[float, ...], std: tuple[float, ...], back: bool) -> tuple[Tensor, ...]:
    """Scale and offset `[C]` of (x - mean) / std, or of its inverse."""
    m, s = torch.broadcast_tensors(torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64))
    return (s.float(), m.float()) if back else ((1 / s).float(), (-m / s).float())


@photometric(example={"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)})
def normalize(*, mean: Any, std: Any) -> Color:
    """y = (x - mean) / std per channel. Source: torchvision `normalize`.

    >>> af.normalize(mean=0.5, std=0.25)(torch.tensor([[[0.5, 1.0]]]))[0]
    tensor([[[0., 2.]]])
    """
    return standard(per_channel(mean, "normalize"), per_channel(std, "normalize"), False)


@photometric(example={"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)})
def denormalize(*, mean: Any, std: Any) -> Color:
    """y = std x + mean per channel: the inverse of `normalize`. Source: kornia `Denormalize`.

    >>> af.denormalize(mean=0.5, std=0.25)(torch.tensor([[[0.0, 2.0]]]))[0]
    tensor([[[0.5000, 1.0000]]])
    """
    return standard(per_channel(mean, "denormalize"), per_channel(std, "denormalize"), True)

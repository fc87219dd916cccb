"""Noise: functions of the image and a field of standard normal numbers, of its shape (or of one or two channels).

It is that of a sensor: it differs from frame to frame of a video, in a volume from voxel to voxel.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.augmentation import noise
from augfn.distributions import LogUniform, Uniform
from augfn.math import color
from augfn.math.shapes import over
from augfn.math.steps import compared, stepped
from augfn.typing import Leaf, Level

Std = Annotated[Any, Leaf("intensity, full scale = 1", neutral=0.0, low=0.0)]
Relative = Annotated[Any, Leaf("fraction of the pixel's value", neutral=0.0, low=0.0)]
JUMPS: dict[str, Any] = {"flat": "every pixel jumps; grad='ste' learns", "grads": ("ste", "soft")}
Amount = Annotated[Any, Leaf("probability of a pixel", neutral=0.0, low=0.0, high=1.0, **JUMPS)]
Salt = Annotated[Any, Leaf("share of white among the changed pixels", low=0.0, high=1.0, **JUMPS)]
Photons = Annotated[Any, Leaf("photons at full scale", low=1e-6)]
Intensity = Annotated[Any, Leaf("strength of the noise", neutral=0.0, low=0.0)]
HueShift = Annotated[Any, Leaf("turns, at intensity 1", neutral=0.0, low=0.0)]
SOFT = 0.1  # width of the smooth surrogate of a step at the probability q, in q (1 - q)


@noise(clip="clamp", example={"mean": (-0.1, 0.1)}, pointwise=True)
def gaussian_noise(x: Tensor, field: Tensor, *, std: Std = Uniform(0.0, 0.1), mean: Level | None = None) -> Tensor:
    """Add normal noise: y = x + mean + std n, n drawn per pixel and channel from the leaf `seed`, full scale = 1.

    Of a video every frame has a noise of its own, as under a sensor (mean and std are the clip's). Source: torchvision
    `GaussianNoise`.

    >>> y, _ = af.gaussian_noise(std=0.1)(torch.full((3, 64, 64), 0.5), None, af.key(0))
    >>> y.std().round(decimals=2)
    tensor(0.1000)
    """
    y = torch.addcmul(x, over(x, std), field.to(x.dtype))
    return y if mean is None else y + over(x, mean)


@noise(clip="clamp", pointwise=True)
def speckle(x: Tensor, field: Tensor, *, std: Relative = Uniform(0.0, 0.2)) -> Tensor:
    """Multiply by normal noise: y = x (1 + std n), n drawn per pixel and channel, of a video in every frame.

    Source: scikit-image `random_noise`.

    >>> y, _ = af.speckle(std=0.1)(torch.full((3, 64, 64), 0.5), None, af.key(0))
    >>> y.std().round(decimals=2)
    tensor(0.0500)
    """
    return torch.addcmul(x, x * over(x, std), field.to(x.dtype))


@noise(clip="clamp", pointwise=True)
def poisson_noise(x: Tensor, field: Tensor, *, photons: Photons = LogUniform(30.0, 1000.0)) -> Tensor:
    """Shot noise of a sensor that counts `photons` at full scale: y = x + sqrt(x / photons) n.

    The normal approximation of Poisson(photons x) / photons: mean and variance are exact, and it is differentiable.
    It lacks whole counts and the skewness 1 / sqrt(photons x), which is 0.1 at 100 counts. At x <= 0 nothing is added
    and the gradient is 1. Of a video every frame has a noise of its own. Source: DALI `noise.shot`, imgaug
    `AdditivePoissonNoise`.

    >>> y, _ = af.poisson_noise(photons=100.0)(torch.full((3, 64, 64), 0.25), None, af.key(0))
    >>> y.std().round(decimals=2)
    tensor(0.0500)
    """
    spread = (x.clamp_min(torch.finfo(x.dtype).eps ** 2) / over(x, photons)).sqrt()
    return torch.addcmul(x, spread, field.to(x.dtype))


@noise(field_channels=1, pointwise=True)
def salt_and_pepper(
    x: Tensor,
    field: Tensor,
    *,
    amount: Amount = Uniform(0.01, 0.06),
    salt: Salt = Uniform(0.4, 0.6),
    grad: str = "none",
) -> Tensor:
    """Turn each pixel, all its channels, white (1) with probability `amount salt`, black (0) with `amount (1 - salt)`.

    | `grad` | gradient to `amount` and `salt` |
    |---|---|
    | `"none"` | 0 |
    | `"ste"` | that of the expected image (1 - amount) x + amount salt, at the pixels as drawn |
    | `"soft"` | that of sigmoid edges, at the pixels that are about to change |

    The gradient to the image is 1 where it shows. Of a video every frame has pixels of its own. Source: kornia
    `RandomSaltAndPepperNoise`.

    >>> y, _ = af.salt_and_pepper(amount=0.2, salt=1.0)(torch.full((3, 64, 64), 0.5), None, af.key(0))
    >>> y.unique(), (y == 1).float().mean().round(decimals=1)
    (tensor([0.5000, 1.0000]), tensor(0.2000))
    """
    field = field.to(x.dtype)
    changed, white = (below(field, over(x, share), grad) for share in (amount, amount * salt))
    return x * (1 - changed) + white


def below(field: Tensor, share: Tensor, grad: str) -> Tensor:
    """1 in a share of the pixels, else 0: where the field's distribution function is below it."""
    edge = share.detach().clamp(0, 1)

    def soft() -> Tensor:
        width = SOFT * edge * (1 - edge) + torch.finfo(field.dtype).eps
        return torch.sigmoid((share - torch.special.ndtr(field)) / width)

    return stepped(compared(torch.lt, field, torch.special.ndtri(edge)), share, soft, grad)


@noise(clip="clamp", requires_rgb=True, field_channels=2)
def iso_noise(
    x: Tensor, field: Tensor, *, intensity: Intensity = Uniform(0.1, 0.5), color_shift: HueShift = Uniform(0.01, 0.05)
) -> Tensor:
    """Noise of a camera at high ISO: the hue turns by `color_shift intensity n` turns, then pixels move towards white
    by d = intensity (m + sqrt(m) n'), m = intensity std(luma(x)): y = x + d (1 - x).

    n and n' are drawn per pixel, of a video in every frame. Source: albumentations `ISONoise`, with its Poisson counts
    of mean m as normal numbers of the same mean and variance, white in RGB for lightness in HLS, and the hue in turns,
    as documented there.

    >>> y, _ = af.iso_noise()(torch.rand(3, 8, 8), None, af.key(0))
    >>> y.shape
    torch.Size([3, 8, 8])
    """
    axis, strength, turn = intensity.ndim, over(x, intensity), over(x, color_shift * intensity)
    turns, light = (n.to(x.dtype) for n in field.split(1, axis))
    grey, pixels = color.luma(x, axis), tuple(range(axis + 1, x.ndim))
    variance = (grey - grey.mean(pixels, keepdim=True)).square().mean(pixels, keepdim=True)
    variance = variance + torch.finfo(x.dtype).eps ** 2
    moved = color.turned(x, turns * turn, axis)
    towards = light * (variance**0.25 * strength**1.5) + variance.sqrt() * strength**2
    return torch.addcmul(moved, 1 - moved, towards)

"""Illumination: light and shade that vary over the frame, the same in all frames of a video and slices of a volume."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.augmentation import noise, photometric
from augfn.distributions import Bernoulli, Choice, Uniform
from augfn.errors import explain
from augfn.math import fields
from augfn.math.shapes import over
from augfn.typing import Leaf, Level

Roughness = Annotated[Any, Leaf("weight of the detail: 0 smooth, 1 white noise", low=0.0, high=1.0)]
Strength = Annotated[Any, Leaf("strength", neutral=0.0)]
Quantity = Annotated[Any, Leaf("level of the plasma below which there is shade", low=0.0, high=1.0)]
Brighten = Annotated[Any, Leaf("1 brightens, 0 darkens", low=0.0, high=1.0)]
Centre2 = Annotated[Any, Leaf("position (x, y): 0 = left or top edge, 1 = right or bottom", (2,))]
Sigma2 = Annotated[Any, Leaf("standard deviation in fractions of (width, height)", (2,), low=1e-3)]
Edge = Annotated[Any, Leaf("one of bottom, top, right, left, one-hot", (4,), low=0.0, high=1.0)]
Corner = Annotated[Any, Leaf("one of bottom right, bottom left, top right, top left, one-hot", (4,), low=0.0, high=1.0)]


def plasma(x: Tensor, field: Tensor, roughness: Tensor) -> Tensor:
    """The fractal of a standard normal field."""
    return fields.diamond_square(torch.special.ndtr(field.to(x.dtype)), over(x, roughness))


@noise(clip="clamp", planar=True)
def plasma_brightness(
    x: Tensor, field: Tensor, *, roughness: Roughness = Uniform(0.1, 0.7), intensity: Strength = Uniform(0.0, 1.0)
) -> Tensor:
    """Brighten and darken by a fractal for each channel: y = x + intensity (2 plasma - 1), plasma in [0, 1].

    The plasma is grown from the leaf `seed` by diamond-square steps (`augfn.math.fields.diamond_square`) and is
    differentiable in `roughness`; all frames of a video, and slices of a volume, have the same. Source: kornia
    `RandomPlasmaBrightness`; Nicolaou et al. 2022 (TorMentor).

    >>> y, params = af.plasma_brightness()(torch.full((3, 8, 8), 0.5), None, af.key(0))
    >>> list(params)
    ['roughness', 'intensity', 'seed']
    """
    return fields.brighten(x, plasma(x, field, roughness), over(x, intensity))


@noise(clip="clamp", planar=True)
def plasma_contrast(
    x: Tensor, field: Tensor, *, roughness: Roughness = Uniform(0.1, 0.7), intensity: Strength = 1.0
) -> Tensor:
    """A contrast about 1/2 that follows a fractal: y = 1/2 + (x - 1/2) (1 + intensity (4 plasma - 1)).

    At intensity 1 the factor is 4 plasma, kornia's. The plasma is that of `plasma_brightness`. Source: kornia
    `RandomPlasmaContrast`; Nicolaou et al. 2022 (TorMentor).

    >>> af.plasma_contrast()(torch.full((3, 8, 8), 0.5), None, af.key(0))[0].unique()
    tensor([0.5000])
    """
    return fields.stretch(x, plasma(x, field, roughness), over(x, intensity))


@noise(clip="clamp", field_channels=1, planar=True)
def plasma_shadow(
    x: Tensor,
    field: Tensor,
    *,
    roughness: Roughness = Uniform(0.1, 0.7),
    shade_intensity: Strength = Uniform(-1.0, 0.0),
    shade_quantity: Quantity = Uniform(0.0, 1.0),
    softness: float = 0.02,
) -> Tensor:
    """Shadows in the form of a fractal: y = x + shade_intensity sigmoid((shade_quantity - plasma) / softness).

    One plasma, that of `plasma_brightness`, for all channels. The soft edge, `softness` > 0 levels wide, makes it
    differentiable in quantity and roughness; towards 0 it is kornia's hard one. Source: kornia `RandomPlasmaShadow`;
    Nicolaou et al. 2022 (TorMentor).

    >>> f = af.plasma_shadow(shade_intensity=-0.5, shade_quantity=1.0)
    >>> f(torch.ones(3, 8, 8), None, af.key(0))[0].mean().round(decimals=2)
    tensor(0.5000)
    """
    if not softness > 0:
        raise ValueError(explain("plasma_shadow: softness", softness, "a number > 0", "softness=0.02"))
    one = plasma(x, field, roughness)
    return fields.shade(x, one, over(x, shade_intensity), over(x, shade_quantity), softness)


@photometric(clip="clamp", planar=True)
def gaussian_illumination(
    x: Tensor,
    *,
    gain: Level = Uniform(0.01, 0.15),
    center: Centre2 = Uniform(0.1, 0.9),
    sigma: Sigma2 = Uniform(0.2, 1.0),
    brighten: Brighten = Bernoulli(0.5),
) -> Tensor:
    """Add or take a spot of light: y = x ± gain g, g a Gaussian scaled over the frame to [0, 1].

    The sign is 2 brighten - 1. Source: kornia `RandomGaussianIllumination`.

    >>> f = af.gaussian_illumination(gain=0.5, center=0.5, sigma=0.2, brighten=1.0)
    >>> f(torch.zeros(1, 1, 3))[0]
    tensor([[[0.0000, 0.5000, 0.0000]]])
    """
    light = fields.spot(x.shape[-2:], over(x, center), over(x, sigma))
    return torch.addcmul(x, light, over(x, gain * (2 * brighten - 1)))


@photometric(clip="clamp", planar=True)
def linear_illumination(
    x: Tensor,
    *,
    gain: Level = Uniform(0.01, 0.2),
    edge: Edge = Choice([1.0, 1.0, 1.0, 1.0]),
    brighten: Brighten = Bernoulli(0.5),
) -> Tensor:
    """Add or take light from one edge to the other: y = x ± gain r, r rising from 0 to 1 at the edge.

    `edge` weighs bottom, top, right and left: one-hot as drawn, anything in between by a `GumbelChoice`. The sign is
    2 brighten - 1. Source: kornia `RandomLinearIllumination`.

    >>> f = af.linear_illumination(gain=0.5, edge=torch.tensor([0.0, 0.0, 1.0, 0.0]), brighten=1.0)
    >>> f(torch.zeros(1, 1, 3))[0]
    tensor([[[0.0000, 0.2500, 0.5000]]])
    """
    bottom, top, right, left = (over(x, e * (gain * (2 * brighten - 1))) for e in edge.unbind(-1))
    return x + fields.ramp(x.shape[-2:], (right - left, bottom - top), top + left)


@photometric(clip="clamp", planar=True)
def linear_corner_illumination(
    x: Tensor,
    *,
    gain: Level = Uniform(0.01, 0.2),
    corner: Corner = Choice([1.0, 1.0, 1.0, 1.0]),
    brighten: Brighten = Bernoulli(0.5),
) -> Tensor:
    """Add or take light from one corner to the opposite one: y = x ± gain r, r rising from 0 to 1 at the corner.

    `corner` weighs bottom right, bottom left, top right and top left, one-hot as drawn. The sign is 2 brighten - 1.
    Source: kornia `RandomLinearCornerIllumination`.

    >>> f = af.linear_corner_illumination(gain=1.0, corner=torch.tensor([0.0, 0.0, 0.0, 1.0]), brighten=1.0)
    >>> f(torch.zeros(1, 2, 2))[0]
    tensor([[[1.0000, 0.5000],
             [0.5000, 0.0000]]])
    """
    low_right, low_left, high_right, high_left = (over(x, c * (gain * (brighten - 0.5))) for c in corner.unbind(-1))
    across = low_right - low_left + high_right - high_left
    down = low_right + low_left - high_right - high_left
    return x + fields.ramp(x.shape[-2:], (across, down), low_left + high_right + 2 * high_left)

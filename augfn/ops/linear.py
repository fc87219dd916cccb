"""Linear maps of colour about mid grey and about the grey axis: neighbours become one matrix (with the default clip="none").

They are those of ADA, whose images lie in [-1, 1]; here mid grey is 0.5.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from augfn.core.actions import Color
from augfn.core.augmentation import photometric
from augfn.distributions import LogNormal, Uniform
from augfn.run.constants import constant
from augfn.typing import Factor, Turns

GREY = ((1 / 3,) * 3,) * 3  # projects on the grey axis
ACROSS = ((0.0, -1.0, 1.0), (1.0, 0.0, -1.0), (-1.0, 1.0, 0.0))  # a quarter turn about it, times sqrt(3)
EYE = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def matrices(like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return constant(EYE, like), constant(GREY, like), constant(ACROSS, like) / math.sqrt(3)


@photometric
def linear_contrast(*, factor: Factor = LogNormal(0.0, 0.35)) -> Color:
    """Spread about mid grey: y = 0.5 + factor (x - 0.5), for any number of channels.

    `contrast` is about the mean of the image. Source: imgaug `LinearContrast`; Karras et al. 2020 (ADA).

    >>> af.linear_contrast(factor=2.0)(torch.tensor([[[0.25, 0.5]]]))[0]
    tensor([[[0.0000, 0.5000]]])
    """
    return Color(scale=factor[..., None], shift=(0.5 - 0.5 * factor)[..., None])


@photometric(requires_rgb=True)
def luma_flip() -> Color:
    """Mirror the colours at mid grey along the grey axis: light becomes dark, hue and saturation stay.

    y = x + (1 - 2 mean(x)).

    Source: Karras et al. 2020 (ADA).

    >>> af.luma_flip()(torch.tensor([1.0, 0.5, 0.0]).reshape(3, 1, 1))[0].flatten().round(decimals=4).abs()
    tensor([1.0000, 0.5000, 0.0000])
    """
    eye, grey, _ = matrices(torch.ones(()))
    return Color(matrix=eye - 2 * grey, shift=torch.ones(3))


@photometric(requires_rgb=True)
def hue_rotation(*, hue: Turns = Uniform(-0.5, 0.5)) -> Color:
    """Turn the colours by `hue` turns about the grey axis: smooth and periodic, where `hue` is that of HSV.

    A full turn is the identity; a third of one takes red to green, green to blue, blue to red. Source: Karras et al. 2020
    (ADA).

    >>> af.hue_rotation(hue=1 / 3)(torch.tensor([1.0, 0.5, 0.0]).reshape(3, 1, 1))[0].flatten().round(decimals=4).abs()
    tensor([0.0000, 1.0000, 0.5000])
    """
    eye, grey, across = matrices(hue)
    angle = (2 * math.pi * hue)[..., None, None]
    return Color(matrix=grey + torch.cos(angle) * (eye - grey) + torch.sin(angle) * across)


@photometric(requires_rgb=True)
def linear_saturation(*, factor: Factor = LogNormal(0.0, 0.7)) -> Color:
    """Scale the distance from the grey axis: y = m + factor (x - m) with m the mean of the channels.

    `saturation` is about the luma. Source: Karras et al. 2020 (ADA).

    >>> af.linear_saturation(factor=0.0)(torch.tensor([1.0, 0.5, 0.0]).reshape(3, 1, 1))[0].flatten()
    tensor([0.5000, 0.5000, 0.5000])
    """
    eye, grey, _ = matrices(factor)
    return Color(matrix=grey + factor[..., None, None] * (eye - grey))

"""Channels: which of them are where, which are there at all, and a gain or an offset for each."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.actions import Color
from augfn.core.augmentation import photometric
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import planckian
from augfn.math.channels import ordered, permute_channels
from augfn.math.shapes import over
from augfn.typing import Leaf

MOST = 32  # channels that can be put in an order
Shift3 = Annotated[Any, Leaf("intensity, full scale = 1 (red, green, blue)", (3,), neutral=0.0)]
Temperature = Annotated[Any, Leaf("thousand kelvin", low=3.0, high=15.0)]
Keys = Annotated[
    Any,
    Leaf(
        "sort keys: the first C are those of the image's channels",
        (MOST,),
        low=0.0,
        high=1.0,
        flat="an order is piecewise constant in its sort keys",
    ),
]


def keys_of(x: Tensor, keys: Tensor, op: str) -> Tensor:
    """The sort keys `[*b, C]` of the image's channels."""
    channels = x.shape[keys.ndim - 1]
    if channels > MOST:
        expected, fix = f"{MOST} channels at most", f"channels=tuple(range({MOST})) picks some of more"
        raise ValueError(explain(f"{op}: too many channels", x, expected, fix))
    return keys.narrow(-1, 0, channels)


@photometric(clip="clamp", requires_rgb=True)
def rgb_shift(*, shift: Shift3 = Uniform((-0.1,) * 3, (0.1,) * 3)) -> Color:
    """Add a number to each of red, green and blue: y_c = x_c + shift_c, full scale = 1.

    With clip="none" it is linear and fuses with its linear neighbours. Source: kornia `RandomRGBShift`.

    >>> grey = torch.full((3, 1, 1), 0.5)
    >>> af.rgb_shift(shift=torch.tensor([0.25, 0.0, -0.25]))(grey)[0].flatten()
    tensor([0.7500, 0.5000, 0.2500])
    """
    return Color(shift=shift)


@photometric(single_pass=True, across=True)
def channel_shuffle(x: Tensor, *, order: Keys = Uniform((0.0,) * MOST, (1.0,) * MOST)) -> Tensor:
    """Put the channels into another order: that of their sort keys, ascending, of at most 32.

    Pixels are copied; the gradient to the keys is zero. Source: kornia `RandomChannelShuffle`.

    >>> rgb = torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    >>> af.channel_shuffle(order=torch.linspace(1, 0, 32))(rgb)[0].flatten()
    tensor([0.3000, 0.2000, 0.1000])
    """
    return permute_channels(x, ordered(keys_of(x, order, "channel_shuffle")))


@photometric(single_pass=True, across=True)
def channel_dropout(
    x: Tensor, *, drop: Keys = Uniform((0.0,) * MOST, (1.0,) * MOST), num: int = 1, fill: float = 0.0
) -> Tensor:
    """Set `num` channels to `fill`: those with the lowest sort keys, of at most 32.

    The gradient to the keys is zero. Source: kornia `RandomChannelDropout`.

    >>> rgb = torch.tensor([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    >>> af.channel_dropout(drop=torch.linspace(0, 1, 32), num=2)(rgb)[0].flatten()
    tensor([0.0000, 0.0000, 0.3000])
    """
    keys = keys_of(x, drop, "channel_dropout")
    if not 1 <= num <= keys.shape[-1]:
        expected = f"1 to {keys.shape[-1]}, as many as the image has channels"
        raise ValueError(explain("channel_dropout: num", num, expected, "num=1"))
    kept = over(x, torch.ones_like(keys).scatter(-1, ordered(keys).narrow(-1, 0, num), 0.0))
    return x * kept + (1 - kept) * fill if fill else x * kept


@photometric(clip="clamp", requires_rgb=True)
def planckian_jitter(*, temperature: Temperature = Uniform(4.0, 15.0), mode: str = "blackbody") -> Color:
    """Other light: the gains for red and blue of a light of this `temperature`, in thousand kelvin; 6.5 is nearly
    neutral.

    `mode` is "blackbody" (3 to 15, lamp to blue sky) or "CIED" (daylight, 4 to 15). Linear between the rows of the
    published tables, which are 0.5 apart, so that a temperature can be learned. Source: Zini et al., "Planckian Jitter"
    (2022); kornia `RandomPlanckianJitter`, which draws whole rows.

    >>> grey = torch.full((3, 1, 1), 0.5)
    >>> af.planckian_jitter(temperature=4.0)(grey)[0].flatten().round(decimals=3)
    tensor([0.6770, 0.5000, 0.2870])
    """
    return Color(scale=planckian.gains(temperature, mode))

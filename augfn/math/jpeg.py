"""JPEG: encoding and decoding without the file, as one function of the image and the quality.

YCbCr, chroma at half the resolution, cosine transform of blocks of 8 x 8, quantization by the standard tables, and back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.errors import explain
from augfn.math.steps import GRADS
from augfn.math.variates import still, straight_through
from augfn.run.constants import cached, constant

LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
R, G, B = 0.299, 0.587, 0.114
CB, CR = 0.564, 0.713  # 1 / 1.772 and 1 / 1.402, rounded as in OpenCV and kornia
TO_YCC = ((R, G, B), (-R * CB, -G * CB, (1 - B) * CB), ((1 - R) * CR, -G * CR, -B * CR))
TO_RGB = ((1.0, 0.0, 1 / CR), (1.0, -B / G / CB, -R / G / CR), (1.0, 1 / CB, 0.0))


class Steps(NamedTuple):
    """The steps of a codec, and what its chroma is: the weight of the outer taps of its reduction, and its zero."""

    round: Callable[[Tensor], Tensor]
    floor: Callable[[Tensor], Tensor]
    bound: Callable[[Tensor], Tensor]
    outer: float
    zero: float


def soft_round(x: Tensor) -> Tensor:
    """The nearest whole number n, plus (x - n)^3."""
    near = x.detach().round()
    return near + (x - near) ** 3


def soft_floor(x: Tensor) -> Tensor:
    """The whole number n below, plus (x - n - 1/2)^3."""
    below = x.detach().floor()
    return below + (x - below - 0.5) ** 3


def soft_bound(x: Tensor) -> Tensor:
    """1 to 255, with exponential ends that go 0.02 beyond."""
    upper = torch.where(x > 255, 255.02 - 0.02 * torch.exp(255 - x.clamp(min=255)), x)
    return torch.where(x < 1, 0.98 + 0.02 * torch.exp(x.clamp(max=1) - 1), upper)


def hard_bound(x: Tensor) -> Tensor:
    return x.clamp(1, 255)


def through(step: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """A step with a gradient of 1."""
    return lambda x: straight_through(step(x.detach()), x)


GAUSS = math.exp(-2) / (1 + 2 * math.exp(-2))  # the outer tap of a Gaussian of half a pixel
STEPS = {
    "none": Steps(torch.round, torch.floor, hard_bound, 0.0, 0.0),
    "ste": Steps(through(torch.round), through(torch.floor), through(hard_bound), 0.0, 0.0),
    "soft": Steps(soft_round, soft_floor, soft_bound, GAUSS, -0.5),
}


def codec(x: Tensor, quality: Tensor, grad: str = "soft") -> Tensor:
    """What a JPEG file of RGB images `[..., 3, H, W]` shows, for a quality `[..., 1, 1, 1]` of 1 to 100.

    "soft" is the differentiable JPEG of kornia (Reich et al. 2024, Shin and Song 2017): cubic roundings, a table that
    is no whole number, a Gaussian before the chroma is halved. "ste" and "none" are the codec of libjpeg, pixels not
    rounded to bytes, with a straight-through gradient and with none. The size is brought to multiples of 16 by
    repeating the last row and column. Nothing is clipped.
    """
    if grad not in GRADS:
        raise ValueError(explain("grad", grad, f"one of {', '.join(GRADS)}", 'grad="soft"'))
    if grad == "none":
        return still(coded(x.detach(), quality.detach(), STEPS[grad]), x, quality)
    return coded(x, quality, STEPS[grad])


def coded(x: Tensor, quality: Tensor, steps: Steps) -> Tensor:
    """`codec` with these steps."""
    h, w = x.shape[-2:]
    ycc = mixed(extended(x), TO_YCC) * 255
    scale = steps.floor(torch.where(quality < 50, 5000 / quality, 200 - 2 * quality))
    luma, chroma = ycc.split_with_sizes((1, 2), -3)
    luma = quantized(luma - 128, LUMA_TABLE, scale, steps) + 128
    chroma = doubled(quantized(halved(chroma, steps.outer) + steps.zero, CHROMA_TABLE, scale, steps) - steps.zero)
    return mixed(torch.cat((luma, chroma), -3) / 255, TO_RGB)[..., :h, :w]


def quantized(x: Tensor, table: tuple[tuple[int, ...], ...], scale: Tensor, steps: Steps) -> Tensor:
    """Planes `[..., H, W]` with the coefficients of their blocks rounded to multiples of the scaled table."""
    base = constant(table, x).unsqueeze(-2)
    whole = steps.floor(steps.bound((base * scale[..., None, None] + 50) / 100))
    return from_blocks(steps.round(to_blocks(x) / whole) * whole)


def mixed(x: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """A matrix over the channels."""
    return (constant(matrix, x) @ x.flatten(-2)).unflatten(-1, x.shape[-2:])


def extended(x: Tensor) -> Tensor:
    """H and W brought to multiples of 16: the last row and column are repeated."""
    for axis in (-2, -1):
        n = x.shape[axis]
        if n % 16:
            x = x.index_select(axis, torch.arange(-(-n // 16) * 16, device=x.device).clamp(max=n - 1))
    return x


def halved(x: Tensor, outer: float) -> Tensor:
    """Every second pixel of both axes, through the taps (outer, 1 - outer, 1 - outer, outer) / 2."""
    flat = x.flatten(0, -3).unsqueeze(1)
    if outer:
        taps = torch.tensor((outer, 1 - outer, 1 - outer, outer), dtype=x.dtype, device=x.device) / 2
        small = F.conv2d(F.pad(flat, (1, 1, 1, 1), "reflect"), torch.outer(taps, taps)[None, None], stride=2)
    else:
        small = F.avg_pool2d(flat, 2)
    return small.reshape(*x.shape[:-2], *small.shape[-2:])


def doubled(x: Tensor) -> Tensor:
    """Bilinear, with the taps (3, 1) / 4 of libjpeg's "fancy upsampling"."""
    flat = x.flatten(0, -3).unsqueeze(1)
    large = F.interpolate(flat, scale_factor=2.0, mode="bilinear", align_corners=False)
    return large.reshape(*x.shape[:-2], *large.shape[-2:])


def to_blocks(x: Tensor) -> Tensor:
    """The cosine transform of blocks: `[..., H, W]` -> `[..., H / 8, 8, W / 8, 8]`, frequencies along the eights."""
    basis = cached(cosines, x.dtype, x.device)
    return (basis @ x.unflatten(-2, (-1, 8))).unflatten(-1, (-1, 8)) @ basis.mT


def from_blocks(blocks: Tensor) -> Tensor:
    """The inverse of `to_blocks`."""
    basis = cached(cosines, blocks.dtype, blocks.device)
    return (basis.mT @ (blocks @ basis).flatten(-2)).flatten(-3, -2)


def cosines(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The orthonormal cosine basis, one frequency in each row."""
    i = torch.arange(8, dtype=torch.float64)
    rows = torch.cos((2 * i + 1) * i.unsqueeze(-1) * (math.pi / 16)) / 2
    return torch.cat((rows[:1] / math.sqrt(2), rows[1:])).to(device, dtype)

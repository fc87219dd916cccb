"""Random variates as functions of uniform noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from augfn.run import sampler
from augfn.run.mode import untracked

HALF_STEP = 2.0**-24  # uniform noise is a multiple of 2^-23: its midpoints avoid 0 and 1


def gaussian(u: Tensor) -> Tensor:
    """Standard normal values from uniform noise: sqrt(2) erfinv(2 u - 1), at the midpoints of the noise's steps."""
    return math.sqrt(2) * torch.erfinv(2 * (u + HALF_STEP) - 1)


def seed_key(seed: Tensor) -> Tensor:
    """The key `[*b, 2]` that a seed leaf stands for, two uniform numbers `[*b, 2]`."""
    return (seed.detach().to(torch.float64) * 2**23).to(torch.int64)


def one_hot(index: Tensor, like: Tensor) -> Tensor:
    return (index[..., None] == torch.arange(like.shape[-1], device=like.device)).to(like.dtype)


def straight_through(value: Tensor, surrogate: Tensor) -> Tensor:
    """`value` exactly, with the gradient of `surrogate`, which has its shape."""
    if untracked(value, surrogate):
        return value
    return value.detach() + (surrogate - surrogate.detach())


def within(support: Tensor, log_prob: Tensor) -> Tensor:
    """A log density on its support, -inf elsewhere."""
    return torch.where(support, log_prob, -math.inf)


def still(value: Tensor, *sources: Tensor) -> Tensor:
    """`value` exactly, with a gradient of zero to what it was computed from."""
    if untracked(value, *sources):
        return value
    value, never = value.detach(), torch.zeros((), dtype=torch.bool, device=value.device)
    for source in sources:  # no product with 0, which would be NaN for what is not finite
        value = torch.where(never, source, value)
    return value


def log_gamma(shape: Tensor, noise: Tensor, rounds: int) -> Tensor:
    """The logarithm of a gamma variable (no underflow for tiny shapes), differentiable in `shape`; noise `[2 rounds +
    1, ...]`."""
    boosted = shape.detach() + 1
    d = boosted - 1 / 3
    z = gaussian(noise[:rounds])
    v = (1 + z / torch.sqrt(9 * d)) ** 3
    fits = (v > 0) & (
        torch.log(noise[rounds:-1] + HALF_STEP) < z * z / 2 + d - d * v + d * torch.log(v.clamp(min=1e-30))
    )
    value = torch.ones_like(v[0])
    for good, candidate in zip(fits.flip(0).unbind(0), v.flip(0).unbind(0), strict=True):
        value = torch.where(good, candidate, value)
    gamma = (d * value).broadcast_to(noise[0].shape)
    slope = sampler.gamma_slope(boosted.broadcast_to(gamma.shape).contiguous(), gamma.contiguous())
    log_u = torch.log(noise[-1] + HALF_STEP)
    return gamma.log() + (shape - shape.detach()) * slope / gamma + log_u / shape

"""Channels in other places: the order of sort keys, and the copy."""

from __future__ import annotations

import torch
from torch import Tensor

from augfn.math.shapes import common_shape, one_batch, shaped


def ordered(keys: Tensor) -> Tensor:
    """The indices that sort keys `[..., n, 1, 1]`, equal ones as they stand; taken twice, their ranks."""
    return keys.argsort(dim=-3, stable=True)


def permute_channels(x: Tensor, source: Tensor) -> Tensor:
    """Copy channel `source[..., c, 0, 0]` of the image to channel c.

    >>> permute_channels(torch.arange(3.0).view(3, 1, 1), torch.tensor([1, 2, 0]).view(3, 1, 1)).flatten()
    tensor([1., 2., 0.])
    """
    batch = common_shape(x.shape[:-3], source.shape[:-3])
    flat, index = one_batch(x, batch, 3), one_batch(source, batch, 3).flatten(1)
    n, channels = index.shape
    if n > 1:
        index = index + torch.arange(n, device=index.device).unsqueeze(-1) * channels
    return shaped(flat.flatten(0, 1).index_select(0, index.flatten()), batch + x.shape[-3:])

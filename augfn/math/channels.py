"""Channels in other places: the order of sort keys, and the copy."""

from __future__ import annotations

import torch
from torch import Tensor

from augfn.math.shapes import common_shape, one_batch, shaped


def ordered(keys: Tensor) -> Tensor:
    """The indices that sort keys `[*b, n]`, equal ones as they stand; taken twice, their ranks."""
    return keys.argsort(dim=-1, stable=True)


def permute_channels(x: Tensor, source: Tensor) -> Tensor:
    """Copy channel `source[..., c]` of the image `[*b, C, *spatial]` to channel c; source `[*b, C]`.

    >>> permute_channels(torch.arange(3.0).view(3, 1, 1), torch.tensor([1, 2, 0])).flatten()
    tensor([1., 2., 0.])
    """
    image = x.shape[source.ndim - 1 :]
    batch = common_shape(x.shape[: source.ndim - 1], source.shape[:-1])
    flat, index = one_batch(x, batch, len(image)), one_batch(source, batch, 1)
    n, channels = index.shape
    if n > 1:
        index = index + torch.arange(n, device=index.device).unsqueeze(-1) * channels
    return shaped(flat.flatten(0, 1).index_select(0, index.flatten()), batch + image)

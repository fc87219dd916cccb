"""Mixing: every sample meets a partner from the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augfn.core.augmentation import mixing
from augfn.distributions import Beta, Uniform
from augfn.errors import explain
from augfn.typing import SortKey, Weight


@mixing
def mixup(
    *, weight: Weight = Beta(1.0, 1.0), order: SortKey = Uniform(0.0, 1.0), num_classes: int | None = None
) -> Any:
    """Blend with a partner: y = weight x + (1 - weight) x_partner, and the labels alike.

    Partners: each sample's is the next in the order of the samples' sort keys (nobody is its own partner in a batch of
    two or more). The weight is that of the own sample, one per sample. Class indices need `num_classes` and become
    soft labels. Masks, depth and intrinsics are those of the heavier sample; boxes and keypoints of both are kept,
    with validity. Under vmap over samples it raises: there is no batch to mix. Source: Zhang et al. 2018.

    >>> y, _ = af.mixup(weight=0.75)(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1), None, af.key(0))
    >>> y.flatten()
    tensor([0.2500, 0.7500])
    """
    if not weight.ndim:
        raise ValueError(
            explain(
                "mixup: there is no batch to mix",
                "one sample (is this inside vmap over samples?)",
                "a batch [B, C, H, W]",
                "call it on the batch, outside of vmap",
            )
        )
    return next_in_order(order), weight, num_classes


def next_in_order(order: Tensor) -> Tensor:
    """For each of the flattened samples the index of the one that follows it in ascending order of keys, around the
    end."""
    ranked = torch.argsort(order.flatten(), stable=True)
    partner = torch.empty_like(ranked)
    return partner.scatter(0, ranked, ranked.roll(-1))

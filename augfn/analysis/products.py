"""What all measures of one layer share: the products of samples, from few passes over their features.

With e = y - x, all follow from x xᵀ, which is computed once for all draws, and from x eᵀ and e eᵀ: y yᵀ is their sum. A small
change is not lost beside large activations, as it would be in the difference of two products.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from augfn.analysis import measures


class Rows:
    """A layer's activations of n clean images."""

    def __init__(self, x: Tensor) -> None:
        self.given = x
        self.x = x.reshape(len(x), -1).to(torch.promote_types(x.dtype, torch.float32))

    @cached_property
    def raw(self) -> Tensor:
        """x xᵀ `[n, n]` in float64."""
        return measures.times(self.x, self.x.T).double()

    @cached_property
    def kernel(self) -> Tensor:
        """The same of centred features, rows and columns centred."""
        return measures.kernel_of(self.x, "linear", 1.0)

    @cached_property
    def sums(self) -> Tensor:
        return self.x.sum(1).double()

    @cached_property
    def far(self) -> Tensor:
        return apart(self.raw, self.sums, self.x.shape[1])


class Pair:
    """A layer's activations of n images, clean and augmented, of one shape."""

    def __init__(self, rows: Rows, y: Tensor) -> None:
        self.rows, self.given = rows, y
        self.y = y.reshape(len(y), -1).to(rows.x.dtype)

    @cached_property
    def move(self) -> Tensor:
        return self.y - self.rows.x

    @cached_property
    def cross(self) -> Tensor:
        """x eᵀ `[n, n]` in float64."""
        return measures.times(self.rows.x, self.move.T).double()

    @cached_property
    def own(self) -> Tensor:
        """e eᵀ."""
        return measures.times(self.move, self.move.T).double()

    @cached_property
    def added(self) -> Tensor:
        """y yᵀ - x xᵀ."""
        return self.cross + self.cross.T + self.own


def apart(raw: Tensor, sums: Tensor, features: int) -> Tensor:
    """1 - Pearson's correlation of each two samples over their features."""
    k = raw - sums[:, None] * sums / features
    size = k.diagonal().clamp(min=0).sqrt()
    return 1 - measures.cosine_of(k, size[:, None], size)


def relative_l2(pair: Pair) -> Tensor:
    """`measures.relative_l2`, `[n]`."""
    return measures.relative_of(*(m.diagonal().clamp(min=0).sqrt() for m in (pair.own, pair.rows.raw)))


def cosine(pair: Pair) -> Tensor:
    """`measures.cosine`, `[n]`."""
    own = pair.rows.raw.diagonal()
    sizes = (own, own + pair.added.diagonal())
    return measures.cosine_of(own + pair.cross.diagonal(), *(m.clamp(min=0).sqrt() for m in sizes))


def hsic_moments(pair: Pair, debiased: bool = True) -> Tensor:
    """`measures.hsic_moments` of linear kernels, `[3]`."""
    k = pair.rows.kernel
    more = pair.added
    both = k + (more - more.mean(0) - more.mean(1, keepdim=True) + more.mean())
    pairs = ((k, both), (k, k), (both, both))
    return torch.stack([measures.hsic((a * b).sum(), a.diagonal(), b.diagonal(), debiased) for a, b in pairs])


def rsa(pair: Pair) -> Tensor:
    """`measures.rsa` of correlation distances, a number."""
    rows = pair.rows
    both = apart(rows.raw + pair.added, rows.sums + pair.move.sum(1).double(), rows.x.shape[1])
    return measures.spearman(measures.above(rows.far), measures.above(both))

"""What all measures of one layer share: the products of samples, from few passes over their features.

With e = y - x, all follow from x xᵀ, which is computed once for all draws, and from x eᵀ and e eᵀ: y yᵀ is their sum. A small
change is not lost beside large activations, as it would be in the difference of two products. Products are of rows without
their means, which are kept apart, so that a large mean does not hide what varies.
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
        self.features = self.x.shape[1]

    @cached_property
    def mean(self) -> Tensor:
        """Of each image `[n]`, in float64."""
        return self.x.mean(1).double()

    @cached_property
    def inner(self) -> Tensor:
        """x xᵀ of rows without their means, `[n, n]` in float64."""
        x = self.x - self.mean.to(self.x)[:, None]
        return measures.times(x, x.T).double()

    @cached_property
    def square(self) -> Tensor:
        """|x|² `[n]`."""
        return self.x.norm(dim=1).double() ** 2

    @cached_property
    def kernel(self) -> Tensor:
        """x xᵀ of centred features, rows and columns centred."""
        return measures.kernel_of(self.x, "linear", 1.0)

    @cached_property
    def own(self) -> dict[bool, Tensor]:
        """HSIC of x with itself, debiased or not."""
        k = self.kernel
        return {some: hsic(k, k, some) for some in (True, False) if len(k) > 3 or not some}

    @cached_property
    def far(self) -> Tensor:
        return measures.above(apart(self.inner))


class Pair:
    """A layer's activations of n images, clean and augmented, of one shape."""

    def __init__(self, rows: Rows, y: Tensor) -> None:
        self.rows, self.given = rows, y
        self.move = y.reshape(len(y), -1).to(rows.x.dtype) - rows.x  # e

    @cached_property
    def mean(self) -> Tensor:
        """Of e, for each image."""
        return self.move.mean(1).double()

    @cached_property
    def change(self) -> tuple[Tensor, Tensor]:
        """x eᵀ and e eᵀ of rows without their means, `[n, n]` in float64."""
        e = self.move - self.mean.to(self.move)[:, None]
        return measures.times(self.rows.x, e.T).double(), measures.times(e, e.T).double()

    @cached_property
    def added(self) -> Tensor:
        """y yᵀ - x xᵀ of rows without their means."""
        cross, own = self.change
        return cross + cross.T + own

    @cached_property
    def kernel(self) -> Tensor:
        """y yᵀ of centred features, rows and columns centred."""
        m, d = self.rows.mean, self.mean
        more = self.added + self.rows.features * (m[:, None] * d + d[:, None] * m + d[:, None] * d)
        return self.rows.kernel + more - more.mean(0) - more.mean(1, keepdim=True) + more.mean()

    @cached_property
    def square(self) -> Tensor:
        """|e|² `[n]`."""
        return self.move.norm(dim=1).double() ** 2


def apart(inner: Tensor) -> Tensor:
    """1 - Pearson's correlation of each two samples over their features, from products of rows without their means."""
    size = inner.diagonal().clamp(min=0).sqrt()
    return 1 - measures.cosine_of(inner, size[:, None], size)


def relative_l2(pair: Pair) -> Tensor:
    """`measures.relative_l2`, `[n]`."""
    return measures.relative_of(pair.square.sqrt(), pair.rows.square.clamp(min=0).sqrt())


def cosine(pair: Pair) -> Tensor:
    """`measures.cosine`, `[n]`."""
    own = pair.rows.square
    cross = measures.times(pair.rows.x[:, None], pair.move[:, :, None]).flatten().double()
    sizes = (own, own + 2 * cross + pair.square)
    return measures.cosine_of(own + cross, *(m.clamp(min=0).sqrt() for m in sizes))


def hsic(k: Tensor, m: Tensor, debiased: bool) -> Tensor:
    return measures.hsic((k * m).sum(), k.diagonal(), m.diagonal(), debiased)


def hsic_moments(pair: Pair, debiased: bool = True) -> Tensor:
    """`measures.hsic_moments` of linear kernels, `[3]`."""
    k, m = pair.rows.kernel, pair.kernel
    return torch.stack([hsic(k, m, debiased), pair.rows.own[debiased], hsic(m, m, debiased)])


def rsa(pair: Pair) -> Tensor:
    """`measures.rsa` of correlation distances, a number."""
    return measures.spearman(pair.rows.far, measures.above(apart(pair.rows.inner + pair.added)))

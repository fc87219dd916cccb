"""Measures of two representations of the same samples, x (clean) and y (augmented). Pure functions of tensors.

Both are `[n, ...]`, one row per sample: what follows the first dimension is flattened to features. Half precision is
computed in float32, float64 is kept; products of features are in that working precision (and not in autocast's), what
follows from them, of n x n numbers, in float64. Results are in the working precision but for `hsic_moments`. All but the
ranks and neighbours (`spearman`, `rsa`, `retention`) have gradients.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import torch
from torch import Tensor

from augfn.errors import explain, unknown

KERNELS = ("linear", "rbf")
METRICS = ("correlation", "cosine", "euclidean")

# sample by sample


def relative_l2(x: Tensor, y: Tensor) -> Tensor:
    """|y - x| / |x| of each sample, `[n]`, from 0; where x is 0, it is 0 if y is 0 too, else inf.

    >>> x = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    >>> relative_l2(x, 1.5 * x), relative_l2(x, x + 1)
    (tensor([0.5000, 0.0000]), tensor([0.2828,    inf]))
    """
    x, y = paired("relative_l2", x, y, same=True)
    return relative_of((y - x).norm(dim=1), x.norm(dim=1))


def relative_of(far: Tensor, size: Tensor) -> Tensor:
    """Distances as shares of sizes."""
    without = torch.where(far == 0, 0.0, torch.inf).to(size)
    return torch.where(size == 0, without, far / torch.where(size == 0, 1, size))


def cosine(x: Tensor, y: Tensor) -> Tensor:
    """x . y / (|x| |y|) of each sample, `[n]`, from -1 to 1; of two zeros it is 1, of a zero and another 0.

    >>> cosine(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]]))
    tensor([0.7071, 1.0000])
    """
    x, y = paired("cosine", x, y, same=True)
    return cosine_of((x * y).sum(1), x.norm(dim=1), y.norm(dim=1))


def cosine_of(dots: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The cosine of vectors of sizes a and b with these products."""
    size = a * b
    same = ((a == 0) & (b == 0)).to(size)
    return torch.where(size == 0, same, dots / torch.where(size == 0, 1, size))


# centred kernel alignment


def cka(x: Tensor, y: Tensor, kernel: str = "linear", debiased: bool = True, bandwidth: float = 1.0) -> Tensor:
    """Centred kernel alignment, HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y)): 1 for y = x up to a rotation, a scale and a
    shift. x and y may have different numbers of features.

    * `kernel`: "linear", k(a, b) = a . b; or "rbf", exp(-|a - b|² / (2 σ²)), where σ is `bandwidth` times the median of
      the distances of two samples.
    * `debiased`: with the unbiased estimate HSIC_1 (n >= 4), which is near 0 for independent x and y; from -1 to 1. The
      biased one (n >= 2), from 0 to 1, nears 1 where features outnumber samples, whatever they are.

    NaN where HSIC(x, x) or HSIC(y, y) is not above 0, as where all samples are alike. It is
    `cka_of(hsic_moments(x, y, ...))`, which also tells how to go through many samples in blocks.

    Source: Kornblith et al. 2019, "Similarity of neural network representations revisited"; debiased: Nguyen et al. 2021.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [4.0, 1.0], [2.0, 2.0]])
    >>> cka(x, 3 * x.flip(1) + 1), cka(x, x.roll(1, 0))
    (tensor(1.), tensor(0.0513))
    """
    found = cka_of(hsic_moments(x, y, kernel, debiased, bandwidth))
    return found.to(torch.promote_types(torch.promote_types(x.dtype, y.dtype), torch.float32))


def cka_of(moments: Tensor) -> Tensor:
    """m_0 / sqrt(m_1 m_2) for `[..., 3]` moments, `[...]`; NaN where m_1 or m_2 is not above 0. Of the mean of the moments of
    blocks (of four samples or more) it is minibatch CKA. Source: Nguyen, Raghu, Kornblith 2021.

    >>> cka_of(torch.tensor([[1.0, 2.0, 2.0], [1.0, -1.0, -1.0]]))
    tensor([0.5000,    nan])
    """
    if moments.ndim == 0 or moments.shape[-1] != 3:
        raise ValueError(explain("cka_of", moments, "moments [..., 3]", "hsic_moments(x, y), or the mean of several"))
    xy, xx, yy = moments.double().unbind(-1)
    product = xx * yy
    defined = (xx > 0) & (product > 0)
    ratio = xy / torch.where(defined, product, 1).sqrt()
    return torch.where(defined, ratio, torch.nan).to(moments.dtype)


def hsic_moments(x: Tensor, y: Tensor, kernel: str = "linear", debiased: bool = True, bandwidth: float = 1.0) -> Tensor:
    """HSIC(x, y), HSIC(x, x) and HSIC(y, y) of a block of samples, `[3]` in float64; settings as for `cka`.

    With K and L the kernels of the samples of x and y: biased, tr(K H L H) / (n - 1)² with H = I - 1/n; debiased, with K'
    and L', which have 0 on the diagonal,

        HSIC_1 = (tr(K' L') + sum(K') sum(L') / ((n - 1) (n - 2)) - 2 / (n - 2) sum(K' L')) / (n (n - 3))

    a U-statistic of order 4: its mean over random blocks is that of all samples (for "rbf" only as far as the median
    distance is the same in all blocks).

    Source: Gretton et al. 2005; debiased: Song et al. 2012, eq. 5.

    >>> x, y = torch.rand(64, 5), torch.rand(64, 7)
    >>> blocks = torch.stack([hsic_moments(a, b) for a, b in zip(x.split(16), y.split(16))])
    >>> blocks.shape, cka_of(blocks.mean(0)).shape
    (torch.Size([4, 3]), torch.Size([]))
    """
    if kernel not in KERNELS:
        raise ValueError(unknown("kernel", kernel, KERNELS))
    if not bandwidth > 0:
        raise ValueError(explain("rbf: bandwidth", bandwidth, "a positive share of the median distance", "bandwidth=1"))
    x, y = paired("cka, debiased" if debiased else "cka", x, y, least=4 if debiased else 2)
    n = len(x)
    if kernel == "linear" and max(x.shape[1], y.shape[1]) <= n:  # sum K L = |xᵀ y|², which is less work
        ways = [centred(x), centred(y)]
        own = [z.double().square().sum(1) for z in ways]
        inner = [times(a.T, b).double().square().sum() for a, b in combinations_with_replacement(ways, 2)]
    else:
        ways = [kernel_of(z, kernel, bandwidth) for z in (x, y)]
        own = [k.diagonal() for k in ways]
        inner = [(k * m).sum() for k, m in combinations_with_replacement(ways, 2)]
    diagonals = combinations_with_replacement(own, 2)
    xx, xy, yy = (hsic(i, r, s, debiased) for i, (r, s) in zip(inner, diagonals, strict=True))
    return torch.stack([xy, xx, yy])


def hsic(inner: Tensor, r: Tensor, s: Tensor, debiased: bool) -> Tensor:
    """HSIC of two kernels whose rows and columns sum to 0, by the sum of their product and their diagonals r and s."""
    n = len(r)
    if not debiased:
        return inner / (n - 1) ** 2
    apart = inner - n / (n - 2) * (r * s).sum() + r.sum() * s.sum() / ((n - 1) * (n - 2))
    return apart / (n * (n - 3))


def kernel_of(x: Tensor, kernel: str, bandwidth: float) -> Tensor:
    """The kernel of each two samples, `[n, n]` in float64, its rows and columns centred."""
    if kernel == "linear":
        x = centred(x)
        k = times(x, x.T).double()
    else:
        squares = distances(x, x, "euclidean")
        k = torch.exp(-squares / (2 * (bandwidth * middle(above(squares)).sqrt().mean()) ** 2))
    return k - k.mean(0) - k.mean(1, keepdim=True) + k.mean()


# geometry


def rsa(x: Tensor, y: Tensor, metric: str = "correlation") -> Tensor:
    """Representational similarity: Spearman's rank correlation, from -1 to 1, of the dissimilarities of all pairs of samples
    in x with those in y (n >= 3). x and y may have different numbers of features.

    `metric`: "correlation", 1 - r over the features; "cosine", 1 - cosine; or "euclidean".

    Source: Kriegeskorte et al. 2008. No gradient: ranks have none.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [4.0, 1.0]])
    >>> rsa(x, -2 * x, "euclidean"), rsa(x, x.roll(1, 0), "euclidean")
    (tensor(1.), tensor(0.4545))
    """
    x, y = paired("rsa", x, y, least=3)
    return spearman(*(above(distances(z, z, metric)) for z in (x, y))).to(x.dtype)


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's rank correlation along the last dim of `[..., m]`, `[...]`, from -1 to 1; equal values share the mean of
    their ranks. NaN where a or b has a NaN, or one value alone. Source: Spearman 1904.

    >>> spearman(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 8.0, 27.0, 27.0]))
    tensor(0.9487)
    """
    if a.shape != b.shape or a.ndim == 0 or a.shape[-1] < 2:
        want = "two of one shape [..., m], m >= 2"
        raise ValueError(explain("spearman", [list(a.shape), list(b.shape)], want, "one value of b for each of a"))
    a, b = floating("spearman", a, b)
    p, q = (z - z.mean(-1, keepdim=True) for z in (ranks(a), ranks(b)))
    r = (p * q).sum(-1) / ((p * p).sum(-1) * (q * q).sum(-1)).sqrt()
    return torch.where(a.isnan().any(-1) | b.isnan().any(-1), torch.nan, r).to(a.dtype)


def ranks(a: Tensor) -> Tensor:
    """The ranks from 1 along the last dim, in float64, the mean of them for equal values."""
    a = a.detach().contiguous()
    ordered = a.sort(-1).values
    below, through = (torch.searchsorted(ordered, a, right=right) for right in (False, True))
    return (below + through + 1).double() / 2


def retention(x: Tensor, y: Tensor, k: int = 5, metric: str = "cosine") -> Tensor:
    """The share of neighbours that each sample keeps, `[n]`, from 0 to 1: of the k nearest to x_i among the other clean
    samples, those that are also of the k nearest to y_i among them. 1 <= k < n; `metric` as for `rsa`. By chance it is
    k / (n - 1). NaN where a distance is. No gradient: neighbours have none.

    >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> retention(x, 2 * x, 1), retention(x, x.flip(1), 1)
    (tensor([1., 1., 1., 1.]), tensor([0., 0., 0., 0.]))
    """
    x, y = paired("retention", x, y, least=2, same=True)
    if not 1 <= k < len(x):
        raise ValueError(explain("retention: k", k, f"1 <= k < n = {len(x)}", "fewer neighbours, or more samples"))
    return shared(*(neighbours(z, x, k, metric) for z in (x, y))).to(x.dtype)


def neighbours(z: Tensor, x: Tensor, k: int, metric: str = "cosine", rows: int = 1024) -> Tensor:
    """Which k samples of x are the nearest to each row of z, itself left out, `[n, k]`, so many rows at a time; -1 where a
    distance is NaN."""
    found = []
    for start in range(0, len(x), rows):
        part = slice(start, start + rows)
        far = distances(z[part], x, metric).detach()
        own = torch.arange(len(x), device=x.device)[part, None] == torch.arange(len(x), device=x.device)
        near = far.masked_fill(own, torch.inf).topk(k, largest=False).indices
        found.append(near.masked_fill(far.masked_fill(own, 0.0).isnan().any(1, keepdim=True), -1))
    return torch.cat(found)


def shared(near: Tensor, still: Tensor) -> Tensor:
    """The share of neighbours `[n, k]` that are among others, `[n]`; NaN where they are not known."""
    share = (near[:, :, None] == still[:, None]).any(2).double().mean(1)
    return torch.where((near < 0).any(1) | (still < 0).any(1), torch.nan, share)


def distances(x: Tensor, y: Tensor, metric: str) -> Tensor:
    """Dissimilarities of the rows of x to the rows of y, `[n, m]` in float64, by their products alone; "euclidean" squared."""
    if metric not in METRICS:
        raise ValueError(unknown("metric", metric, METRICS))
    if metric == "euclidean":
        x, y = x - center(y), centred(y)
    if metric == "correlation":
        x, y = centred(x.T).T, centred(y.T).T
    dots = times(x, y.T).double()
    a, b = x.norm(dim=1).double()[:, None], y.norm(dim=1).double()
    if metric == "euclidean":
        return (a**2 + b**2 - 2 * dots).clamp(min=0)
    return 1 - cosine_of(dots, a, b)


# variance of units


def normalized_variance(activations: Tensor, root: bool = False) -> Tensor:
    """How much each unit varies over draws against how much it does over samples, `[...]` for activations
    `[n, draws, ...]` (n, draws >= 2): the mean over samples of the variance over draws, divided by the mean over draws of the
    variance over samples. From 0, where the unit is invariant; near 1, where it follows the draw as much as the sample.
    Inf where it follows the draw alone, NaN where it never changes. `root=True` takes means of standard deviations.

    Source: Quiroga et al. 2023, "Invariance measures for neural networks" (whose code, `tmeasures`, takes the root, and 1 for
    units that never change).

    >>> normalized_variance(torch.tensor([[[1.0, 1.0], [1.0, 3.0]], [[2.0, 1.0], [2.0, 3.0]]]))
    tensor([0., inf])
    """
    if activations.ndim < 2 or min(activations.shape[:2]) < 2:
        want = "activations [n, draws, ...], two or more of both"
        raise ValueError(explain("normalized_variance", activations, want, "torch.stack(activations of each draw, 1)"))
    (a,) = floating("normalized_variance", activations)
    of_draws, of_samples = (a.var(dim).sqrt() if root else a.var(dim) for dim in (1, 0))
    return of_draws.mean(0) / of_samples.mean(0)


# what all share


def paired(what: str, x: Tensor, y: Tensor, least: int = 1, same: bool = False) -> tuple[Tensor, Tensor]:
    """Both as `[n, features]` in the working precision; of at least so many samples, or of the same shape."""
    x, y = floating(what, x, y)
    shapes = [list(x.shape), list(y.shape)]
    if min(x.ndim, y.ndim) == 0 or len(x) != len(y) or (same and x.shape != y.shape):
        want = "two of one shape [n, ...]" if same else "[n, ...] and [n, ...], of the same n samples"
        raise ValueError(explain(f"{what}: x and y differ", shapes, want, "row i of y is x_i augmented"))
    if len(x) < least or not x.numel() or not y.numel():
        want = f"n >= {least} samples, of one feature or more"
        raise ValueError(explain(f"{what}: too few", shapes, want, "measure more samples at once"))
    return x.reshape(len(x), -1), y.reshape(len(y), -1)


def floating(what: str, *given: Any) -> tuple[Tensor, ...]:
    """Tensors in their common precision, float32 at least."""
    dtype = torch.float32
    for x in given:
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise TypeError(explain(f"{what}: not floating", x, "a floating tensor", "x.float()"))
        dtype = torch.promote_types(dtype, x.dtype)
    return tuple(x.to(dtype) for x in given)


def center(x: Tensor) -> Tensor:
    """The mean of the rows, `[1, features]`: about the first of them, so that of equal ones it is exactly that."""
    first = x[:1].detach()
    return first + (x - first).mean(0)


def centred(x: Tensor) -> Tensor:
    return x - center(x)


def times(a: Tensor, b: Tensor) -> Tensor:
    """The product of matrices, in their own precision whatever autocast says."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b


def above(square: Tensor) -> Tensor:
    """The entries above the diagonal of `[n, n]`, one for each pair."""
    i, j = torch.triu_indices(len(square), len(square), 1, device=square.device)
    return square[i, j]


def middle(values: Tensor) -> Tensor:
    """The two values in the middle, whose mean is the median; of an odd number the one twice."""
    return values.sort().values[[(len(values) - 1) // 2, len(values) // 2]]

"""How well the subspaces that two representations span agree: canonical correlations, SVCCA, PWCCA, Procrustes.

Representations, their precision and their gradients are as in `augfn.analysis.measures`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from augfn.analysis.measures import centred, paired, times
from augfn.errors import explain


def cca(x: Tensor, y: Tensor) -> Tensor:
    """Canonical correlations, largest first, `[min(rank x, rank y)]`, from 0 to 1: the cosines of the angles between what
    the features of x and those of y span among the centred samples.

    At most n - 1 features each; with more than n - 1 together, the surplus of correlations is 1 whatever the samples are.
    Features that depend linearly on others do not count. Source: Hotelling 1936; by SVD, Björck and Golub 1973.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [4.0, 1.0], [2.0, 2.0]])
    >>> cca(x, x[:, :1] - 2 * x[:, 1:])
    tensor([1.])
    """
    x, y = few_features("cca", x, y)
    return torch.linalg.svdvals(span(x).T @ span(y)).to(x.dtype)


def svcca(x: Tensor, y: Tensor, variance: float = 0.99) -> Tensor:
    """The mean of the canonical correlations of x and y, each first reduced to the fewest singular directions that explain
    a share `variance` of its variance, 0 < variance <= 1. Any number of features; of samples there should be many times
    the directions that are kept. NaN where all samples are alike.

    Source: Raghu et al. 2017, "SVCCA".

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [4.0, 1.0], [2.0, 2.0]])
    >>> svcca(x, 2 * x.flip(1))
    tensor(1.)
    """
    if not 0 < variance <= 1:
        raise ValueError(explain("svcca: variance", variance, "a share, 0 < variance <= 1", "variance=0.99"))
    x, y = paired("svcca", x, y, least=2)
    u, v = (explaining(variance, *directions(centred(z))) for z in (x, y))
    return torch.linalg.svdvals(u.T @ v).mean().to(x.dtype)


def pwcca(x: Tensor, y: Tensor) -> Tensor:
    """The mean of the canonical correlations ρ_i weighted by α_i = sum_j |h_i . x_j|, how much of x each explains: h_i is
    the canonical direction of x among the samples, x_j the feature j, centred. Sizes as for `cca`.

    Source: Morcos et al. 2018, "Insights on representational similarity in neural networks with canonical correlation".

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [4.0, 1.0], [2.0, 2.0]])
    >>> pwcca(x, x @ torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(1.)
    """
    x, y = few_features("pwcca", x, y)
    u = span(x)
    turn, correlations, _ = torch.linalg.svd(u.T @ span(y), full_matrices=False)
    weights = ((u @ turn).T @ x.double()).abs().sum(1)
    return ((weights * correlations).sum() / weights.sum()).to(x.dtype)


def procrustes(x: Tensor, y: Tensor) -> Tensor:
    """The orthogonal Procrustes distance min_Q |X - Y Q|² = 2 - 2 |Xᵀ Y|_*, from 0 (a rotation, a scale and a shift of each
    other) to 2, where X and Y are x and y centred and divided by their Frobenius norms, Q is orthogonal and |.|_* the
    nuclear norm, the sum of singular values. x and y may have different numbers of features. Where features that vary
    alike outnumber samples by far it nears 0, whatever they are: take many samples. NaN where all samples of one are alike.

    Source: Schönemann 1966; for representations, Ding et al. 2021.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0], [4.0, 1.0], [2.0, 2.0]])
    >>> procrustes(x, 3 * x.flip(1) + 1) < 1e-6, procrustes(x, x.roll(1, 0))
    (tensor(True), tensor(0.8155))
    """
    x, y = paired("procrustes", x, y, least=2)
    (u, s), (v, t) = (directions(centred(z)) for z in (x, y))
    shared = torch.linalg.svdvals((u * s).T @ (v * t)).sum() / (s.norm() * t.norm())
    return (2 - 2 * shared).clamp(min=0).to(x.dtype)


def directions(x: Tensor) -> tuple[Tensor, Tensor]:
    """The singular directions among the samples `[n, r]` and singular values `[r]` of centred features, largest first, in
    float64; r is the rank as far as the features' precision tells."""
    n, features = x.shape
    eps = torch.finfo(x.dtype).eps
    if features <= n:
        u, s, _ = torch.linalg.svd(x.double(), full_matrices=False)
        rank = int((s > s[0] * n * eps).sum())
        return u[:, :rank], s[:rank]
    squares, u = torch.linalg.eigh(times(x, x.T).double())
    squares, u = squares.flip(0), u.flip(1)
    rank = int((squares > squares[0] * 10 * eps).sum())
    return u[:, :rank], squares[:rank].sqrt()


def span(x: Tensor) -> Tensor:
    """An orthonormal basis `[n, r]` of what the features span, each first scaled to size 1, so that small ones count."""
    size = x.norm(dim=0)
    return directions(x / torch.where(size == 0, 1, size))[0]


def explaining(variance: float, u: Tensor, s: Tensor) -> Tensor:
    """The fewest of the directions that explain a share of the variance."""
    shares = (s.detach() ** 2).cumsum(0) / (s.detach() ** 2).sum()
    return u[:, : int((shares < variance).sum()) + 1]


def few_features(what: str, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Both, centred, of at most n - 1 features each."""
    x, y = paired(what, x, y, least=2)
    for z in (x, y):
        if z.shape[1] > len(z) - 1:
            want = f"at most n - 1 = {len(z) - 1} features, or all correlations are 1"
            raise ValueError(explain(f"{what}: too many features", z, want, "svcca(x, y), more samples, or pooling"))
    return centred(x), centred(y)

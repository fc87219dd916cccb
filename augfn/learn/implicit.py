"""The gradient of a validation loss to ranges, through the weights that training with them gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, vjp
from torch.utils._pytree import tree_leaves, tree_map

from augfn.errors import explain

Loss = Callable[[Any, Any], Tensor]


def hypergradient(train_loss: Loss, val_loss: Loss, theta: Any, phi: Any, steps: int = 5, *, alpha: float) -> Any:
    """The gradient to `phi` of `val_loss`, at the weights `theta*(phi)` that minimise `train_loss`.

    By the implicit function theorem, with H the Hessian of the training loss f in theta, and g the validation loss:

        dg/dphi = d_phi g - (d_theta g)^T H^-1 d_phi d_theta f,     H^-1 v ~ alpha sum_{j=0..steps} (I - alpha H)^j v

    The Neumann series needs products with H alone, each the cost of a few training gradients.

    | argument | meaning |
    |---|---|
    | `train_loss(theta, phi)`, `val_loss(theta, phi)` | the losses f and g, scalars; pure: the same batch and keys at
    every call |
    | `theta` | weights at (or near) the minimum of f: any pytree of floating tensors |
    | `phi` | what is learned: any pytree of floating tensors, such as a pipeline's `params` with their distributions |
    | `steps` | terms of the series beyond the first; 0 takes alpha for H^-1 |
    | `alpha` | its step, 0 < alpha < 2 / lambda_max(H); best near 1 / lambda_max |

    Returns a pytree as `phi`, zero where a leaf reaches neither loss. Inputs are not changed, and no graph is kept.

    Conditions: f twice differentiable in theta (tanh, softplus or SiLU rather than ReLU, average rather than max
    pooling),
    and H > 0, which weight decay inside f secures. The error falls like (1 - alpha lambda_min)^(steps + 1): few steps
    damp the
    flat directions of H, as stopping early would.

    Source: Lorraine et al. 2020, "Optimizing millions of hyperparameters by implicit differentiation"; for
    augmentation,
    Hataya et al. 2022 (MADAO).

    >>> f = lambda theta, phi: (theta - 3 * phi) ** 2  # theta* = 3 phi
    >>> g = lambda theta, phi: (theta - 1) ** 2        # so dg/dphi = 6 (3 phi - 1)
    >>> float(hypergradient(f, g, torch.tensor(6.0), torch.tensor(2.0), alpha=0.5))
    30.0
    """
    check(theta, phi, steps, alpha)
    theta, phi = tree_map(torch.detach, (theta, phi))
    with torch.enable_grad():
        hessian = vjp(lambda t: grad(train_loss)(t, phi), theta)[1]
        mixed = vjp(lambda p: grad(train_loss)(theta, p), phi)[1]
        outer, direct = grad(val_loss, (0, 1))(theta, phi)
    with torch.no_grad():
        power = total = outer
        for _ in range(steps):
            power = tree_map(lambda v, hv: v - alpha * hv, power, hessian(power)[0])
            total = tree_map(torch.add, total, power)
        return tree_map(lambda d, h: d - alpha * h, direct, mixed(total)[0])


def check(theta: Any, phi: Any, steps: int, alpha: float) -> None:
    if steps < 0 or not alpha > 0:
        given = {"steps": steps, "alpha": alpha}
        raise ValueError(explain("hypergradient", given, "steps >= 0 and 0 < alpha < 2 / lambda_max", "alpha=0.1"))
    for name, tree in (("theta", theta), ("phi", phi)):
        leaves = tree_leaves(tree)
        bad = [x for x in leaves if not isinstance(x, Tensor) or not x.is_floating_point()]
        if bad or not leaves:
            given = bad[0] if bad else "no leaves"
            raise TypeError(
                explain(f"hypergradient: {name}", given, "a pytree of floating tensors", "torch.tensor(...)")
            )

"""The gradient of a validation loss to ranges, through the weights that training with them gives."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, grad_and_value, vjp
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves, tree_map

from augfn.errors import explain
from augfn.learn.solvers import SOLVERS, settings_of
from augfn.run.mode import is_followed
from augfn.run.peek import peek

Loss = Callable[[Any, Any], Tensor]
BatchLoss = Callable[[Any, Any, Any], Tensor]
SLACK, LEAST = 1e-3, 1e-5  # how far two calls of one loss may lie apart, by its size and in all


def hypergradient(
    train_loss: Loss,
    val_loss: Loss,
    theta: Any,
    phi: Any,
    steps: int | None = None,
    *,
    solver: str = "neumann",
    alpha: float | None = None,
    damping: float | None = None,
) -> Any:
    """The gradient to `phi` of `val_loss`, at the weights `theta*(phi)` that minimise `train_loss`.

    By the implicit function theorem, with H the Hessian of the training loss f in theta, and g the validation loss:

        dg/dphi = d_phi g - (d_theta g)^T H^-1 d_phi d_theta f

    | argument | meaning |
    |---|---|
    | `train_loss(theta, phi)`, `val_loss(theta, phi)` | the losses f and g, scalars; pure: the same batch and keys at
    every call, and of the weights handed in, by `functional_call(net, theta, x)` (on the CPU it is an error if not) |
    | `theta` | weights at (or near) the minimum of f: any pytree of floating tensors |
    | `phi` | what is learned: any pytree of floating tensors, such as a pipeline's `params` with their distributions |
    | `solver` | "neumann", "cg", "exact" or "unrolled", see below |
    | `steps` | how many, 5 by default; none for "exact" |
    | `alpha` | the length of a step of "neumann" and "unrolled", which need it, 0 < alpha < 2 / lambda_max(H) |
    | `damping` | H + damping I in place of H, 0 by default; none for "unrolled" |

    A setting that a solver does not have is an error.

    | solver | indirect part | cost | right when |
    |---|---|---|---|
    | "neumann" | H^-1 v ~ alpha sum_{j=0..steps} (I - alpha H)^j v | `steps` products with H | H is well conditioned, or
    its flat directions shall be left alone, as by stopping early; diverges where alpha is too large |
    | "cg" | `steps` of conjugate gradients on (H + damping I) x = v | `steps` products | H is ill conditioned, and no
    alpha is known; best for the same cost at a minimum, away from one it needs damping (.1, say), or noise in flat
    directions drowns the rest |
    | "exact" | a dense solve | a product for each number in theta, at most 4096 | small problems, and checks |
    | "unrolled" | reverse mode through `steps` steps theta - alpha d_theta f from theta | `steps` gradients, and the memory
    of all of them | theta is far from the minimum, or H is not positive; 1 step is that of DARTS and DADA |

    A product costs about two gradients of f. Bias, each at the minimum of f and against H^-1: of "neumann" in a direction of
    curvature lambda the share (1 - alpha lambda)^(steps + 1) is missing; "unrolled" is "neumann" of one step fewer, so that
    of one step takes alpha for H^-1; "cg" is exact after as many steps as H has distinct eigenvalues,
    up to rounding; damping shrinks a direction by lambda / (lambda + damping). A short series has the sign right but is too
    small (by a factor of 4 to 100 in `benchmarks/results/learned-hypergradient.md`), which an optimiser such as Adam makes
    good, unless g has a direct part, which is then too large beside it. Away from the minimum the three with H have an error
    of the order of |d_theta f|; "unrolled" is the exact gradient of g at the weights after its steps, and blind to earlier
    ones.

    Returns a pytree as `phi`, zero where a leaf reaches neither loss. Inputs are not changed, and no graph is kept. Raises
    ValueError, in eager calls, for a loss that is no scalar, that does not read theta, or that is not pure.

    Conditions: f twice differentiable in theta (tanh, softplus or SiLU rather than ReLU, average rather than max
    pooling), and H > 0, which weight decay inside f (or damping) secures. "cg" stops where it meets a direction of no
    positive curvature, with what it has; if that is the first, with no indirect part: raise the damping then.

    What trains theta may be any optimiser that ends at the minimum of f: momentum enters no formula but "unrolled", which
    takes plain steps (those of momentum m are about alpha / (1 - m) long). `weight_decay=w` of `torch.optim.SGD` is
    w |theta|^2 / 2 in f, and has to be written there; the decoupled decay of AdamW is none of f. For dropout, fix the mask by
    a key; for BatchNorm in `train()` hand `functional_call` copies of the buffers, since torch lets no transform change
    them, in `eval()` they are fixed. For a net that holds one module at two places, `functional_call` needs
    `tie_weights=False`: without it torch 2.13 leaves the net with other weights (pytorch 164759).

    Source: Lorraine et al. 2020, "Optimizing millions of hyperparameters by implicit differentiation"; conjugate gradients:
    Pedregosa 2016; unrolled: Maclaurin et al. 2015, Liu et al. 2019 (DARTS), truncated: Shaban et al. 2019; for
    augmentation, Hataya et al. 2022 (MADAO).

    >>> f = lambda theta, phi: (theta - 3 * phi) ** 2  # theta* = 3 phi
    >>> g = lambda theta, phi: (theta - 1) ** 2        # so dg/dphi = 6 (3 phi - 1)
    >>> theta, phi = torch.tensor(6.0), torch.tensor(2.0)
    >>> float(hypergradient(f, g, theta, phi, alpha=0.5))
    30.0
    >>> [float(hypergradient(f, g, theta, phi, solver=name)) for name in ("cg", "exact")]
    [30.0, 30.0]
    >>> float(hypergradient(f, g, theta, phi, 1, solver="unrolled", alpha=0.25))  # half of the way to the minimum
    15.0
    """
    settings = settings_of("hypergradient", solver, {"steps": steps, "alpha": alpha, "damping": damping})
    return solved("hypergradient", train_loss, val_loss, theta, phi, solver, settings)[1]


def bilevel(
    inner: BatchLoss,
    outer: BatchLoss,
    *,
    solver: str = "neumann",
    steps: int | None = None,
    alpha: float | None = None,
    damping: float | None = None,
) -> Callable[[Any, Any, Any, Any], tuple[Tensor, Any]]:
    """A function `(theta, phi, inner_batch, outer_batch) -> (value, gradient)` for the bilevel problem

        min_phi outer(theta*(phi), phi, outer_batch),    theta*(phi) = argmin_theta inner(theta, phi, inner_batch)

    | argument | meaning |
    |---|---|
    | `inner(theta, phi, batch)`, `outer(theta, phi, batch)` | the losses, scalars and pure; what is random (a key), and any
    state (running statistics), comes with the batch |
    | `solver`, `steps`, `alpha`, `damping` | how a gradient gets through theta*, as of `hypergradient`; "neumann" needs alpha |

    `value` is the outer loss (for "unrolled", that after its steps), and `gradient` a pytree as `phi`. Neither holds a
    graph. The function draws nothing, changes nothing and compiles; theta may be the parameters that an optimiser steps,
    or all that a net's `named_parameters()` gives.

    The inner loop is the user's. MADAO is: train theta on the inner loss, and after every few steps give phi's optimiser the
    gradient; ten lines from `step` on. Here the training data get noise of a learned width, softplus(phi); that in the
    validation data has a width of .5:

    >>> import augfn as af
    >>> from torch.func import functional_call
    >>> net, key = torch.nn.Linear(1, 1), af.key(0)
    >>> theta, phi = dict(net.named_parameters()), {"width": torch.tensor(-3.0, requires_grad=True)}
    >>> x = af.uniform(key, (64, 1), -1.0, 1.0)
    >>> seen = x + 0.5 * af.normal(af.key(1), x.shape)

    >>> def outer(theta, phi, batch):
    ...     return (functional_call(net, theta, batch[0]) - batch[1]).square().mean()
    >>> def inner(theta, phi, batch):
    ...     noise = torch.nn.functional.softplus(phi["width"]) * af.normal(batch[2], batch[0].shape)
    ...     return outer(theta, phi, (batch[0] + noise, batch[1])) + 1e-3 * sum(t.square().sum() for t in theta.values())
    >>> step = bilevel(inner, outer, alpha=0.3)
    >>> sgd, adam = torch.optim.SGD(theta.values(), 0.1, momentum=0.9), torch.optim.Adam(phi.values(), 0.1)
    >>> for i in range(300):
    ...     batch = (x, x, af.fold_in(key, i))
    ...     sgd.zero_grad()
    ...     inner(theta, phi, batch).backward(inputs=list(theta.values()))
    ...     sgd.step()
    ...     if i % 5 == 4:
    ...         phi["width"].grad = step(theta, phi, batch, (seen, x))[1]["width"]
    ...         adam.step()
    >>> 0.4 < torch.nn.functional.softplus(phi["width"]).item() < 0.6
    True

    Source: Franceschi et al. 2018, "Bilevel programming for hyperparameter optimization and meta-learning"; Hataya et al.
    2022, "Meta approach to data augmentation optimization" (MADAO).
    """
    settings = settings_of("bilevel", solver, {"steps": steps, "alpha": alpha, "damping": damping})

    def value_and_gradient(theta: Any, phi: Any, inner_batch: Any, outer_batch: Any) -> tuple[Tensor, Any]:
        f = lambda t, p: inner(t, p, inner_batch)  # noqa: E731
        g = lambda t, p: outer(t, p, outer_batch)  # noqa: E731
        return solved("bilevel", f, g, theta, phi, solver, settings)

    return value_and_gradient


def solved(
    what: str, f: Loss, g: Loss, theta: Any, phi: Any, solver: str, settings: dict[str, Any]
) -> tuple[Tensor, Any]:
    """The outer value and its gradient to phi."""
    check(what, theta, phi)
    theta, phi = tree_map(torch.detach, (theta, phi))
    f, g = reading(f"{what}: the training loss", f), reading(f"{what}: the validation loss", g)
    inverse = SOLVERS[solver].inverse
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):  # the only attention with a second derivative
        if inverse is None:
            return unrolled(f, g, theta, phi, **settings)
        return implicit(what, f, g, theta, phi, inverse, **settings)


def implicit(
    what: str, f: Loss, g: Loss, theta: Any, phi: Any, inverse: Callable[..., Any], damping: float, **settings: Any
) -> tuple[Tensor, Any]:
    to_theta: Any = vjp(lambda t: grad_and_value(f)(t, phi), theta, has_aux=True)
    to_phi: Any = vjp(lambda p: grad_and_value(f)(theta, p), phi, has_aux=True)
    check_pure(what, to_theta[2], to_phi[2])
    (slope, direct), value = grad_and_value(partial(alone, g), (0, 1))(theta, phi)
    with torch.no_grad():
        product = lambda v: tree_map(lambda h, x: h + damping * x, to_theta[1](v)[0], v)  # noqa: E731
        indirect = to_phi[1](inverse(product, slope, **settings))[0]
        return value.detach(), tree_map(torch.sub, direct, indirect)


def unrolled(f: Loss, g: Loss, theta: Any, phi: Any, steps: int, alpha: float) -> tuple[Tensor, Any]:
    def after(p: Any) -> Tensor:
        at = theta
        for _ in range(steps):
            at = tree_map(lambda t, s: t - alpha * s, at, grad(f)(at, p))
        return alone(g, at, p)

    gradient, value = grad_and_value(after)(phi)
    return value.detach(), tree_map(torch.detach, gradient)


def alone(loss: Loss, theta: Any, phi: Any) -> Tensor:
    """The loss, with a transform of theta alone around it, which tells whether it reads theta."""
    return vjp(lambda t: loss(t, phi), theta)[0]


def check(what: str, theta: Any, phi: Any) -> None:
    for name, tree in (("theta", theta), ("phi", phi)):
        leaves = tree_leaves(tree)
        bad = [x for x in leaves if not isinstance(x, Tensor) or not x.is_floating_point()]
        if bad or not leaves:
            given = bad[0] if bad else "no leaves"
            raise TypeError(explain(f"{what}: {name}", given, "a pytree of floating tensors", "torch.tensor(...)"))


def check_pure(what: str, one: Tensor, two: Tensor) -> None:
    """Two calls of the training loss at the same place, where their values are known without waiting."""
    first, second = peek(one), peek(two)
    if first is None or second is None:
        return
    a, b = float(first), float(second)  # of which infinity is compared without a warning
    if abs(a - b) > SLACK * (abs(a) + abs(b)) + LEAST:
        given, want = f"{a:.6g}, then {b:.6g}", "the same loss at the same theta and phi"
        fix = "hand in the batch and its key; draw dropout's mask by a key, or switch it off"
        raise ValueError(explain(f"{what}: the training loss is not pure", given, want, fix))


def reading(what: str, loss: Loss) -> Loss:
    """The loss, which has to be a scalar that hangs on the theta that the innermost transform is of."""

    def checked(theta: Any, phi: Any) -> Tensor:
        value = loss(theta, phi)
        if not isinstance(value, Tensor) or value.ndim:
            raise ValueError(explain(f"{what} is no scalar", value, "a tensor of no dims", "loss.mean()"))
        if not is_followed(value):
            want = "those handed in, by which a gradient goes"
            fix = "torch.func.functional_call(net, theta, x) in place of net(x), without detach() and no_grad()"
            raise ValueError(explain(f"{what} does not read theta", "other weights, or no gradient", want, fix))
        return value

    return checked

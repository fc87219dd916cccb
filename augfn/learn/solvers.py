"""What stands for the inverse Hessian of a training loss: a series, conjugate gradients, a dense solve."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from augfn.errors import explain, unknown

Product = Callable[[Any], Any]  # v -> H v, linear, pytree to pytree
STEPS = 5
LARGEST = 4096  # numbers in theta of a dense solve: a matrix of 134 MB in double precision
ROWS = 128  # of it at once


def neumann(product: Product, v: Any, steps: int, alpha: float) -> Any:
    """alpha sum_{j=0..steps} (I - alpha H)^j v."""
    power = total = v
    for _ in range(steps):
        power = tree_map(lambda p, hp: p - alpha * hp, power, product(power))
        total = tree_map(torch.add, total, power)
    return tree_map(lambda t: alpha * t, total)


def conjugate_gradients(product: Product, v: Any, steps: int) -> Any:
    """So many steps of conjugate gradients from 0. They end where a direction has no curvature above 0: where they have
    converged, and where H is not positive. (Hestenes and Stiefel 1952; Steihaug 1983.)"""
    x, residual, direction = tree_map(torch.zeros_like, v), v, v
    size = dot(v, v)
    going = torch.ones_like(size, dtype=torch.bool)
    for _ in range(steps):
        bent = product(direction)
        curvature = dot(direction, bent)
        going = going & ~(curvature <= 0)  # so that NaN goes on, and is seen
        length = torch.where(going, size / curvature, 0.0)
        x = tree_map(lambda a, d, c=length: a + c.to(a) * d, x, direction)
        residual = tree_map(lambda r, b, c=length: r - c.to(r) * b, residual, bent)
        before, size = size, dot(residual, residual)
        turn = torch.where(going, size / before, 0.0)
        direction = tree_map(lambda r, d, c=turn: r + c.to(r) * d, residual, direction)
    return x


def dense(product: Product, v: Any) -> Any:
    """H^-1 v by all of H."""
    leaves, form = tree_flatten(v)
    sizes = [x.numel() for x in leaves]
    if sum(sizes) > LARGEST:
        fix = 'solver="cg", which needs products with H alone'
        raise ValueError(
            explain("exact: theta is too large for a dense solve", f"{sum(sizes)} numbers", f"at most {LARGEST}", fix)
        )

    def tree(flat: Tensor) -> Any:
        parts = flat.split(sizes)
        return tree_unflatten([p.reshape(x.shape).to(x) for p, x in zip(parts, leaves, strict=True)], form)

    at = flattened(v)
    unit = torch.eye(at.numel(), dtype=at.dtype, device=at.device)
    rows = torch.cat([vmap(lambda e: flattened(product(tree(e))))(some) for some in unit.split(ROWS)])
    try:
        wide = torch.promote_types(at.dtype, torch.float32)  # half precision has no solve
        return tree(torch.linalg.solve(((rows + rows.T) / 2).to(wide), at.to(wide)))
    except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
        want, fix = "H + damping I that can be inverted", "weight decay inside the training loss, or damping=1e-3"
        raise ValueError(explain("exact: H is singular", f"H {list(rows.shape)}", want, fix)) from error


def flattened(tree: Any) -> Tensor:
    return torch.cat([x.reshape(-1) for x in tree_leaves(tree)])


def dot(a: Any, b: Any) -> Tensor:
    """Their scalar product, over all leaves."""
    return torch.stack([(x * y).sum() for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True)]).sum()


class Solver(NamedTuple):
    """`inverse(product, v, **settings)`, none for the one that goes through steps of training; the settings that it has,
    and the fewest steps."""

    inverse: Callable[..., Any] | None
    settings: frozenset[str]
    least: int = 0


SOLVERS = {
    "neumann": Solver(neumann, frozenset({"steps", "alpha", "damping"})),
    "cg": Solver(conjugate_gradients, frozenset({"steps", "damping"}), 1),
    "exact": Solver(dense, frozenset({"damping"})),
    "unrolled": Solver(None, frozenset({"steps", "alpha"}), 1),
}


def settings_of(what: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The settings of a solver: what is given, and defaults of what is not; an error for what it does not use."""
    if name not in SOLVERS:
        raise ValueError(unknown(f"solver of {what}", name, SOLVERS))
    solver = SOLVERS[name]
    for n, value in given.items():
        if value is not None and n not in solver.settings:
            want = f"its own settings: {', '.join(sorted(solver.settings))}"
            raise ValueError(
                explain(
                    f"{what}: solver {name!r} has no {n}", f"{n}={value}", want, f"leave {n} out, or another solver"
                )
            )
    found = {n: v for n, v in given.items() if n in solver.settings}
    if "steps" in found:
        found["steps"] = checked_steps(what, STEPS if found["steps"] is None else found["steps"], solver.least)
    if "alpha" in found and not (found["alpha"] is not None and 0 < found["alpha"] < math.inf):
        want, fix = "0 < alpha < 2 / lambda_max(H), the length of a step", 'alpha=0.1; or solver="cg", which needs none'
        raise ValueError(explain(f"{what}: bad alpha", found["alpha"], want, fix))
    if "damping" in found:
        found["damping"] = 0.0 if found["damping"] is None else found["damping"]
        if not 0 <= found["damping"] < math.inf:
            raise ValueError(explain(f"{what}: bad damping", found["damping"], "a number >= 0", "damping=1e-3"))
    return found


def checked_steps(what: str, steps: Any, least: int) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < least:
        raise ValueError(explain(f"{what}: bad steps", steps, f"an integer >= {least}", f"steps={STEPS}"))
    return steps

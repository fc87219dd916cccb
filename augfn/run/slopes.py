"""Slopes: first derivatives in closed form, of functions that dominate a backward pass.

What autograd makes of a chain of small ops costs several times as much: of a clamp two comparisons, of a maximum two
masks. `SLOPES` lists the pairs, which the tests compare. Higher derivatives are those of the function itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from augfn.run.mode import is_plain, recorded
from augfn.supported import HERE

F = TypeVar("F", bound=Callable[..., Tensor])
Slope = Callable[..., Sequence[Tensor | None]]
SLOPES: dict[str, tuple[Callable[..., Tensor], Slope]] = {}  # name: function, slope


def sloped(slope: Slope) -> Callable[[F], F]:
    """Give the decorated function, of tensors to one tensor, a slope: `slope(g, needs, *args)` is the gradient to each
    argument that `needs` one, for the gradient g to the result."""

    def decorate(plain: F) -> F:
        SLOPES[plain.__name__] = plain, slope  # type: ignore[attr-defined]

        @wraps(plain)
        def either(*args: Any) -> Tensor:
            return Sloped.apply(plain, slope, *args) if recorded(*args) else plain(*args)

        return either  # type: ignore[return-value]

    return decorate


class Sloped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plain: Callable[..., Tensor], slope: Slope, *args: Any) -> Tensor:
        ctx.plain, ctx.slope = plain, slope
        ctx.others = [None if isinstance(a, Tensor) else a for a in args]
        ctx.save_for_backward(*[a if isinstance(a, Tensor) else None for a in args])
        return plain(*args)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = slopes
        args = [other if t is None else t for t, other in zip(ctx.saved_tensors, ctx.others, strict=True)]
        needs, again = ctx.needs_input_grad[2:], torch.is_grad_enabled()  # a gradient of the gradient is wanted
        if not again and is_plain(g):
            return (None, None, *ctx.slope(g, needs, *args))
        with torch.enable_grad():
            args = fresh_ends(args)
            wanted = [a for a, need in zip(args, needs, strict=True) if need]
            found = iter(torch.autograd.grad(ctx.plain(*args), wanted, g, create_graph=again, allow_unused=True))
        return (None, None, *[next(found) if need else None for need in needs])


def fresh_ends(args: Sequence[Any]) -> list[Any]:
    """Views, at which a gradient ends: one argument may have been made of another."""
    return [a.view_as(a) if isinstance(a, Tensor) else a for a in args]


# Whether torch's clamp has slope 1 at its ends, as up to 2.13; from 2.14 on it is 0.
CLOSED = tuple(HERE) < (2, 14)


def within(g: Tensor, x: Tensor, low: float, high: float, closed: bool = CLOSED) -> Tensor:
    """g where low <= x <= high (or < if not `closed`), else 0: the gradient through a clamp, in one pass. (Through a NaN too.)"""
    return torch.ops.aten.hardtanh_backward(g, x, *(outer(x.dtype, low, high) if closed else (low, high)))


@lru_cache(maxsize=64)
def outer(dtype: torch.dtype, low: float, high: float) -> tuple[float, float]:
    """The next numbers outside, but those so small that they may count as 0."""
    kind = np.float64 if dtype == torch.float64 else np.float32
    least = float(np.nextafter(kind(low), kind(-np.inf))) if low else -float(np.finfo(kind).tiny)
    return least, float(np.nextafter(kind(high), kind(np.inf)))

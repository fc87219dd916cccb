"""Twins: fast ways to a result, each beside the plain one, taken where torch's mode allows it.

A fast way writes into tensors of its own, or calls what no transform knows: so it is for plain eager tensors. `TWINS`
lists the pairs, which the tests compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from augfn.run.mode import asks_gradient, is_plain, untracked
from augfn.run.slopes import CLOSED, sloped, within

F = TypeVar("F", bound=Callable[..., Any])
TWINS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {}  # name: plain, fast


def twin(
    plain: Callable[..., Any], when: Callable[..., bool] = untracked, fits: Callable[..., Any] = lambda *_: True
) -> Callable[[F], F]:
    """Make the decorated function one that takes the fast way, its own body, `when` the mode lets it and the arguments
    are such that it `fits`, else the plain one."""

    def decorate(fast: F) -> F:
        TWINS[fast.__name__] = plain, fast  # type: ignore[attr-defined]

        @wraps(fast)
        def either(*args: Any) -> Any:
            return (fast if when(*args) and fits(*args) else plain)(*args)

        return either  # type: ignore[return-value]

    return decorate


def way(name: str, *given: Any) -> Callable[..., Tensor]:
    """The twin to take for all that comes of what is given, decided once."""
    return TWINS[name][untracked(*given)]


def remembered(make: F) -> F:
    """`make`, with its results kept; a compiler, which warns of caches, makes its own."""
    known = lru_cache(maxsize=256)(make)

    @wraps(make)
    def either(*args: Any) -> Any:
        return make(*args) if torch.compiler.is_compiling() else known(*args)

    return either  # type: ignore[return-value]


# arithmetic that writes into its first argument, which must be the caller's own


@twin(torch.add, is_plain)
def added(own: Tensor, other: Tensor) -> Tensor:
    return own.add_(other)


@twin(torch.mul, is_plain)
def multiplied(own: Tensor, other: Tensor) -> Tensor:
    return own.mul_(other)


@twin(torch.addcmul, is_plain)
def accumulated(own: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """`own + a b`."""
    return own.addcmul_(a, b)


def clamp_slope(g: Tensor, needs: Sequence[bool], x: Tensor) -> list[Tensor | None]:
    return [within(g, x, 0.0, 1.0, closed=True)]


@sloped(clamp_slope)
def between_0_and_1(x: Tensor) -> Tensor:
    """x brought into [0, 1], with slope 1 at the ends too, which a clamp of torch's has no more from 2.14 on: a black pixel
    keeps its gradient. (With one mask: of two, compiled code keeps both for the way back, and takes 1.5 times as long.)"""
    if CLOSED or not asks_gradient(x):
        return x.clamp(0, 1)
    return torch.where((x < 0) | (x > 1), x.detach().clamp(0, 1), x)


@twin(between_0_and_1)
def clamped(own: Tensor) -> Tensor:
    """`own` brought into [0, 1]. (clamp_ has no batching rule: under vmap it would loop.)"""
    return own.clamp_(0, 1)

"""Steps: values that jump, with a choice of gradient."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from augfn.errors import explain
from augfn.math.shapes import common_shape
from augfn.math.variates import still, straight_through
from augfn.run.twins import twin

GRADS = ("none", "ste", "soft")


def compared(comparison: Callable[..., Tensor], x: Tensor, bound: Tensor) -> Tensor:
    """`torch.ge` and the like as 0.0 and 1.0, without a gradient. (On a CPU a comparison and a cast take five times as
    long.)

    >>> import torch
    >>> compared(torch.ge, torch.tensor([0.2, 0.7]), torch.tensor(0.5))
    tensor([0., 1.])
    """
    return written(comparison, x.detach(), bound.detach())


def converted(comparison: Callable[..., Tensor], x: Tensor, bound: Tensor) -> Tensor:
    return comparison(x, bound).to(x.dtype)


@twin(converted)
def written(comparison: Callable[..., Tensor], x: Tensor, bound: Tensor) -> Tensor:
    return comparison(x, bound, out=x.new_empty(common_shape(x.shape, bound.shape)))


def stepped(value: Tensor, x: Tensor, soft: Callable[[], Tensor], grad: str) -> Tensor:
    """`value`, the exact step function of `x`, with the gradient that is asked for.

    | grad | gradient |
    |---|---|
    | `"none"` | 0, as the step itself |
    | `"ste"` | that of `x`: straight-through |
    | `"soft"` | that of the smooth surrogate `soft()` |

    Raises: ValueError for another name.

    >>> import torch
    >>> x = torch.tensor([0.2, 0.7], requires_grad=True)
    >>> stepped(x.round(), x, lambda: x**2, "soft").sum().backward()
    >>> x.grad
    tensor([0.4000, 1.4000])
    """
    if grad == "none":
        return still(value, x)
    if grad == "ste":
        return straight_through(value, x)
    if grad == "soft":
        return straight_through(value, soft())
    raise ValueError(explain("grad", grad, f"one of {', '.join(GRADS)}", 'grad="ste"'))


def rounded(at: Callable[[Tensor], Tensor], n: Tensor, low: float, high: float, grad: str) -> Tensor:
    """`at(n)` at the nearest whole number; with grad="soft" its gradient to n is that of the line between the whole numbers on
    both sides of n, in [low, high]: the derivative of the mean over n + U(-1/2, 1/2).

    >>> import torch
    >>> n = torch.tensor(2.4, requires_grad=True)
    >>> rounded(lambda n: n**2, n, 0, 8, "soft").backward()
    >>> n.grad  # 9 - 4
    tensor(5.)
    """
    value = at(n.detach().round())
    if grad != "soft":
        return value
    below = n.detach().floor().clamp(low, high - 1)
    return value + (at(below + 1) - at(below)) * (n - n.detach())

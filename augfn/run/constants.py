"""Small constant tensors (a frame's size, a coordinate axis), made once in eager code.

Making one costs more than a small op, and on a GPU a copy from the host. Nobody may change a cached tensor in place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from augfn.run.mode import is_plain

LIMIT = 4096
CACHE: dict[Any, Any] = {}
Made = TypeVar("Made", bound=Tensor | tuple[Tensor, ...])


def cached(make: Callable[..., Made], *args: Any) -> Made:
    """`make(*args)`, a tensor or several, remembered; made anew inside a trace, whose tensors must not outlive it."""
    if not is_plain():
        return make(*args)
    key = (make, args, torch.get_default_dtype())  # in which plain numbers become tensors
    found = CACHE.get(key)
    if found is None:
        with torch.inference_mode(False):
            found = make(*args)
        if lasting(found):
            if len(CACHE) >= LIMIT:
                CACHE.clear()
            CACHE[key] = found
    return found


def lasting(made: Any) -> bool:
    """True of tensors that hold their numbers themselves, and so may outlive the call."""
    tensors = made if isinstance(made, tuple) else (made,)
    return is_plain(*tensors) or tensors[0].device.type != "cpu"


def make_constant(values: Any, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)


def constant(values: Any, like: Tensor) -> Tensor:
    """A tensor of plain (nested tuples of) numbers, in the dtype and on the device of another."""
    return cached(make_constant, values, like.dtype, like.device)


def identity_like(matrix: Tensor) -> Tensor:
    return cached(make_eye, matrix.shape[-1], matrix.dtype, matrix.device)


def make_eye(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.eye(n, dtype=dtype, device=device)

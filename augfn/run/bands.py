"""Bands: a large image is filtered some rows at a time."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from augfn.run.mode import untracked

BAND = 1 << 19  # pixels of a plane


def in_bands(f: Callable[[Tensor], Tensor], x: Tensor, halo: int = 0) -> Tensor:
    """`f(x)`, where f takes rows `[..., h + halo, w]` to rows `[..., h, *]`: of a large image in bands, so that what f needs on
    the way is a part of it. Not under autograd, which keeps all of it."""
    h = x.shape[-2] - halo
    step = max(1, BAND // max(1, x.shape[-1]))
    if step >= h or not untracked(x):
        return f(x)
    first = f(x[..., : step + halo, :])
    out = first.new_empty((*first.shape[:-2], h, first.shape[-1]))
    out[..., :step, :] = first
    for i in range(step, h, step):
        out[..., i : i + step, :] = f(x[..., i : i + step + halo, :])
    return out

"""The law of compilation: one whole graph, equal to eager, made once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from augfn import random
from augfn.testing.case import Case, agree, claim


def compiled(c: Case) -> None:
    """Law 7: `fullgraph=True` for drawing and for replay; equal to eager; one trace for new keys, params and ranges."""
    keys = random.split(c.key, 3)
    other = c.x.flip(-1) * 0.9
    if not c.f(c.x, None, c.key)[1]:
        one_trace(c, "drawing", [(c.x, None, keys[0]), (other, None, keys[1])])
        return
    ranges = [tree_map_only(Tensor, lambda t, s=s: t * s, c.f.params) for s in (1.0, 0.95, 0.9)]
    one_trace(c, "drawing", [(x, r, k) for x, r, k in zip((c.x, other, c.x), ranges, keys, strict=True)])
    replayed(c)


def replayed(c: Case) -> None:
    """The half of law 7 that draws nothing."""
    first, second, third = (c.f(c.x, None, k)[1] for k in random.split(c.key, 3))
    one_trace(c, "replay", [(c.x, first), (c.x.flip(-1) * 0.9, second), (c.x, third)])


def one_trace(
    c: Case, what: str, calls: list[tuple[Any, ...]], backend: str = "eager", tolerance: float | None = None
) -> None:
    """All calls agree with eager, through one graph."""
    from torch._dynamo.testing import CompileCounterWithBackend

    torch._dynamo.reset()
    counter = CompileCounterWithBackend(backend)
    f = torch.compile(c.f, fullgraph=True, backend=counter)
    for args in calls:
        agree(f"compiled {what}", f(*args), c.f(*args), c.tolerance if tolerance is None else tolerance)
    claim(
        counter.frame_count <= 1,
        f"{what}: {counter.frame_count} traces for {len(calls)} calls that differ in values alone",
    )

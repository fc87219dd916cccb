"""Models as they come: their mode, where they live, and what of their output is the prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from augfn.errors import explain


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """A module in the mode of eval() for a while; afterwards each part of it is in its own mode again.

    The flags alone are set: a model whose `eval()` does more, such as merging weights, is not changed by that.
    """
    modes = {m: m.training for m in model.modules()} if isinstance(model, nn.Module) else {}
    try:
        for m in modes:
            m.training = False
        yield
    finally:
        for m, training in modes.items():
            m.training = training


def device_of(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Where the weights are, and their precision; where there are none the CPU's float32."""
    found = (t for t in (*model.parameters(), *model.buffers()) if t.is_floating_point())
    first = next(found, torch.zeros(()))
    return first.device, first.dtype


def first_tensor(output: Any) -> Tensor:
    """What a model predicts: a tensor, or that of `logits` or `out`, or the first of several."""
    if isinstance(output, Mapping):
        named = [output[n] for n in ("logits", "out") if n in output]
        return first_tensor((named or [*output.values()])[0])
    if isinstance(output, list | tuple) and output:
        return first_tensor(output[0])
    if isinstance(output, Tensor) and output.is_floating_point():
        return output
    want, fix = (
        "a floating tensor [B, ...], or a tuple or dict of such",
        "wrap the model in one that returns its scores",
    )
    raise TypeError(explain("the output of the model", type(output).__name__, want, fix))

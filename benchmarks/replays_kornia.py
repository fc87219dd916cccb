"""What a recipe of kornia drew, given to the recipe converted: `params=` takes kornia's own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import augfn_nn as A


def replayed(module: Any, found: A.Conversion, x: Tensor, seed: int) -> tuple[Tensor, Tensor] | None:
    """What kornia gives for four photos, or clips of two, and the module converted with kornia's `_params`.

    None where these are of another form."""
    x = (x / 255).expand(4, -1, -1, -1)
    x = x[:, None].expand(-1, 2, -1, -1, -1) if type(module).__name__ == "VideoSequential" else x
    torch.manual_seed(seed)
    theirs = module(x)
    try:
        return theirs, found.module(x, params=module._params)
    except (TypeError, ValueError):  # noise of plasmas, patches, one policy of the batch
        return None

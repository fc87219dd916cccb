"""Integer images: numbers from 0 to a full scale, and floating ones from 0 to 1."""

from __future__ import annotations

import torch
from torch import Tensor

from augfn.errors import explain

FULL = {torch.bool: 1, torch.uint8: 255, torch.uint16: 65535}  # the full scale that a dtype tells by itself


def to_unit(x: Tensor, full: float | None = None) -> Tensor:
    """`x / full` as float32 (a floating image keeps its dtype); None: the dtype's own full scale, 1 of floats."""
    if x.is_floating_point():
        return x if full is None else x / full
    if full is None and x.dtype not in FULL:
        want = "max=, the value of full scale (of uint8, uint16 and bool it is known)"
        fix = "af.to_float(x, max=255), or max=4095 of 12 bits, max=65535 of 16"
        raise TypeError(explain("to_float: the dtype does not tell the full scale", x, want, fix))
    return x.to(torch.float32).div_(FULL[x.dtype] if full is None else full)


def to_bytes(x: Tensor) -> Tensor:
    """[0, 1] as uint8, rounded to the nearest of 0..255; what lies outside is clamped. (NaN has no byte: any comes out.)"""
    if x.dtype not in FULL and not x.is_floating_point():
        fix = "af.to_uint8(af.to_float(x, max=255)), with the value of full scale; x.to(torch.uint8) if it holds bytes"
        raise TypeError(explain("to_uint8: the dtype does not tell the full scale", x, "floats, uint8 or uint16", fix))
    return x if x.dtype == torch.uint8 else to_unit(x).clamp(0, 1).mul_(255).round_().to(torch.uint8)

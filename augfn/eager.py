"""Eager calls that nothing differentiates: run below autograd's dispatch.

On small images a call is bound by the dispatch of some two hundred small ops, a fifth of which is autograd's
bookkeeping.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augfn.distributions import Distribution
from augfn.random import is_plain
from augfn.targets import Sample, array_of

below_autograd = getattr(torch._C, "_AutoDispatchBelowAutograd", torch.no_grad)


def is_untracked(sample: Sample, leaves: dict[str, Any]) -> bool:
    """True in a plain eager call, if no target and none of the leaves of its params asks for a gradient."""
    if not is_plain():
        return False
    if not torch.is_grad_enabled():
        return True
    for t in sample.targets.values():
        if array_of(t).requires_grad:
            return False
    for leaf in leaves.values():
        for tensor in [getattr(leaf, f) for f in leaf.fields] if isinstance(leaf, Distribution) else (leaf,):
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                return False
    return True

"""Eager calls that nothing differentiates: run below autograd's dispatch.

On small images a call is bound by the dispatch of some two hundred small ops, a fifth of which is autograd's
bookkeeping.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augfn.distributions import Distribution
from augfn.draw import Params
from augfn.random import is_plain
from augfn.targets import Sample, array_of

below_autograd = getattr(torch._C, "_AutoDispatchBelowAutograd", torch.no_grad)


def is_untracked(sample: Sample, tree: Params) -> bool:
    """True in a plain eager call, if no target, leaf or range asks for a gradient."""
    if not is_plain():
        return False
    return not torch.is_grad_enabled() or not (
        any(array_of(t).requires_grad for t in sample.targets.values()) or asks(tree)
    )


def asks(tree: Any) -> bool:
    """True if a tensor, a field of a distribution or a leaf of a dict of them asks for a gradient."""
    if isinstance(tree, Tensor):
        return tree.requires_grad
    if isinstance(tree, Distribution):
        tree = tree.__dict__
    if isinstance(tree, dict):
        for value in tree.values():
            if asks(value):
                return True
    return False

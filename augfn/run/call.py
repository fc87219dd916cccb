"""A call's mode, asked once: what it is drawn under, and which way its actions are run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from augfn.core.actions import Action
from augfn.core.targets import Sample
from augfn.distributions import Distribution
from augfn.run.host import tensors_in
from augfn.run.looks import check_leaves, look_at_lost, look_at_range
from augfn.run.mode import below_autograd, is_plain
from augfn.run.rows import run
from augfn.run.slices import differentiated, in_slices, tensors_of

Way = Callable[[list[Action], Sample], Sample]


def mode_of(f: Any, sample: Sample, leaves: dict[str, Any]) -> tuple[AbstractContextManager[Any], Way]:
    """The context of an augmentation's call, and the way of its actions.

    * nothing is tracked: below autograd, in slices (beside it, where a `foreign` body or distribution may hold what
      learns);
    * autograd records: in slices that are recomputed (whole, where a body is foreign);
    * traced or transformed: whole.
    """
    if not is_plain():
        return nullcontext(), run
    check_leaves(f.name, leaves, f.meanings)
    look_at_range(f, sample)
    foreign = f.foreign or any(isinstance(d, Distribution) and not is_ours(type(d)) for d in leaves.values())
    if asks(sample, leaves):
        return nullcontext(), watched(f, sample, run if foreign else differentiated)
    return nullcontext() if foreign else below_autograd(), watched(f, sample, in_slices)


def watched(f: Any, sample: Sample, way: Way) -> Way:
    """The way, with a look at boxes that are a plain tensor, which cannot say what is lost."""
    if sample.bare or not any(t.kind == "boxes" and isinstance(t.value, torch.Tensor) for t in sample.targets.values()):
        return way
    return lambda actions, before: look_at_lost(f, before, way(actions, before))


def is_ours(made: Any) -> bool:
    """True of a function or class of augfn itself, which holds nothing that learns."""
    return made.__module__.startswith("augfn.")


def asks(sample: Sample, leaves: dict[str, Any]) -> bool:
    """True if a target, or a leaf of the params, asks for a gradient."""
    if not torch.is_grad_enabled():
        return False
    for t in tensors_of(sample):
        if t.requires_grad:
            return True
    return any(t.requires_grad for t in tensors_in(leaves))

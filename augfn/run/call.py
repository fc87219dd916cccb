"""A call's mode, asked once: what it is drawn under, and which way its actions are run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from augfn.core.actions import Action
from augfn.core.rules import touches
from augfn.core.targets import Sample, Target
from augfn.distributions import Distribution
from augfn.run.host import tensors_in
from augfn.run.looks import check_leaves, look_at_lost, look_at_range
from augfn.run.mode import below_autograd, is_plain
from augfn.run.rows import blends, open_rows, run
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
        return nullcontext(), watched(f, sample, attached(run if foreign else differentiated))
    return nullcontext() if foreign else below_autograd(), watched(f, sample, in_slices)


def attached(way: Way) -> Way:
    """The way, for a call that learns: what a step that no gate of the batch is open for would have changed is still a
    function of what that step learns, of slope zero (so that a training loop finds a graph at every step)."""

    def on(actions: list[Action], before: Sample) -> Sample:
        after = way(actions, before)
        closed = [a for a in actions if a.gate is not None and open_rows(a.gate) == [] and learned_of(a)]
        targets = dict(after.targets) if closed else {}
        for name, t in after.targets.items() if closed else ():
            learned = [x for a in closed if touches(a, t.kind) for x in learned_of(a)]
            if learned and all(blends(t.kind, a) for a in closed) and t.value.is_floating_point():
                targets[name] = Target(t.kind, Attached.apply(t.value, *learned))
        return after.changed(targets, after.size) if closed else after

    return on


def learned_of(a: Action) -> list[torch.Tensor]:
    return [t for t in a.tensors() if t.requires_grad]


class Attached(torch.autograd.Function):
    """A tensor as it is, with a slope of zero to others."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, *learned: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(*learned)
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        zeros = [
            torch.zeros_like(t) if need else None
            for t, need in zip(ctx.saved_tensors, ctx.needs_input_grad[1:], strict=True)
        ]
        return (slopes[0] if ctx.needs_input_grad[0] else None, *zeros)


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

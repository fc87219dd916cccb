"""Calls of functions that are not augfn's: what they do is not known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from augfn.core.actions import Action, Geometric, Size
from augfn.core.gates import Gate
from augfn.core.targets import CONVERTED, FRAMED, Sample, Target
from augfn.errors import explain
from augfn.math.maps import Map, centred_matrix

CALLABLE = (*FRAMED, "mask", "softmask", "heatmap")  # what such a function may be given


@dataclass(frozen=True)
class Called(Action):
    """`function([N, C, *spatial])` of targets of these kinds, whose frame stays; it is called once, for the whole batch."""

    function: Callable[[Tensor], Any]
    kinds: tuple[str, ...]
    name: str = ""
    fixed: bool = False  # behind a gate the channels stay too
    mixes = True

    def gated(self, gate: Gate, size: Size) -> Action:
        return Action.gated(replace(self, fixed=True), gate, size)


def called(action: Called, t: Target, s: Sample) -> Any:
    """The target as the function has it."""
    if t.kind not in action.kinds:
        return t.value
    d = len(s.size)
    x = t.value.unsqueeze(-d - 1) if t.value.ndim == len(s.batch) + d else t.value  # a mask without channels
    lead = x.shape[: -d - 1]
    flat = x.flatten(0, len(lead) - 1) if lead else x[None]
    out = action.function(flat)
    out = checked(action.name, out, flat, s.size, action.fixed).reshape(*lead, *out.shape[1:])
    return out if x is t.value else out.squeeze(-d - 1)


def checked(name: str, out: Any, x: Tensor, size: Size, fixed: bool = False) -> Tensor:
    """What a function of others has made of x: of the same frame, and as many."""
    d = len(size)
    if not isinstance(out, Tensor) or out.ndim != x.ndim or (len(out), out.shape[-d:]) != (len(x), x.shape[-d:]):
        want, fix = f"a tensor [{len(x)}, C, {', '.join(map(str, size))}]", "call it before or after the pipeline"
        raise ValueError(explain(f"{name}: a step that is not augfn's changes the frame or the batch", out, want, fix))
    if fixed and out.shape != x.shape:
        want, fix = "as many channels as before", "leave out p, or call it before the choice"
        raise ValueError(explain(f"{name}: a step behind a gate changes the channels", out, want, fix))
    return out


@dataclass(frozen=True)
class Custom(Action):
    """`function(x [N, C, *spatial], seed [N])` of images, and, of what moves, `matrix(x, seed)`: their matrices `[N, d+1, d+1]`
    from input to output pixels, by which all other targets move. The frame stays."""

    function: Callable[[Tensor, Tensor], Any]
    matrix: Callable[[Tensor, Tensor], Tensor] | None
    seed: Tensor
    name: str = ""
    mixes = True


def map_of(action: Custom, size: Size, device: torch.device) -> Geometric:
    """The map of what moves."""
    batch, d = tuple(action.seed.shape), len(size)
    assert action.matrix is not None
    blank = torch.zeros((), device=device).expand(action.seed.numel(), 1, *size)
    found = action.matrix(blank, action.seed.reshape(-1)).reshape(*batch, d + 1, d + 1)
    back = centred_matrix(torch.linalg.inv_ex(found.float()).inverse, size, size)
    return Geometric(Map.of(back), gate=action.gate)


def customized(action: Custom, s: Sample, move: Callable[[Geometric, Sample], Sample]) -> Sample:
    """The sample as the function, and its matrices, have it."""
    b, d = len(s.batch), len(s.size)
    targets, out = dict(s.targets), {}
    if action.matrix is not None:
        others = {n: t for n, t in targets.items() if t.kind not in CONVERTED}
        moved = move(map_of(action, s.size, s.device), replace(s, targets=others))
        out = {n: moved.targets[n] for n in others}
    for name, t in targets.items():
        if t.kind not in CONVERTED:
            continue
        lead = t.value.shape[: -d - 1]
        flat = t.value.flatten(0, len(lead) - 1) if lead else t.value[None]
        seed = (
            action.seed.reshape(*s.batch, *[1] * (len(lead) - b)).expand(lead).reshape(-1)
            if lead
            else action.seed[None]
        )
        made = action.function(flat, seed)
        out[name] = Target(t.kind, checked(action.name, made, flat, s.size).reshape(*lead, *made.shape[1:]))
    return replace(s, targets={n: out.get(n, t) for n, t in targets.items()})

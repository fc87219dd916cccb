"""Other frames of a clip: what belongs to a frame goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map_only

from augfn.core.actions import Temporal
from augfn.core.boxes import Keypoints
from augfn.core.poses import ClipRows, Fold, repeated
from augfn.core.targets import SPATIAL, Both, Sample, Target, ranks_of
from augfn.errors import explain
from augfn.math.lines import gather

MATRICES = {"intrinsics": 2, "affine": 2, "spacing": 1}  # the rank that one has


def retimed(action: Temporal, s: Sample) -> Sample:
    """The sample with the frames `order [*b, T']`."""
    b, frames = len(s.batch), frames_of(action.name, s)
    flows = [n for n, t in s.targets.items() if t.kind == "flow"]
    if flows and not action.flow:
        fix = "compute the flow of the new clip afterwards, or leave it out of the dict"
        raise ValueError(explain(f"{action.name}: flow to a frame that is no longer next", flows, "no flow", fix))
    index = action.order.long().clamp(0, frames - 1).to(s.device)
    index = index.expand(*s.batch, index.shape[-1]) if b else index

    def take(x: Tensor) -> Tensor:
        """Of `[*b, T, ...]`."""
        if x.ndim == b + 1:
            return gather(x, index, -1)
        return gather(x.flatten(b + 1), index, -2).unflatten(-1, x.shape[b + 1 :])

    targets, folds = dict(s.targets), dict(s.folds)
    for name, t in s.targets.items():
        fold: Any = folds.get(name)
        rows = rows_of(fold)
        if rows is not None:
            value = tree_map_only(Tensor, lambda x, rows=rows: rows.listed(take(rows.laid_out(x))), t.value)
            if isinstance(value, Keypoints) and value.swap:
                value = replace(value, swap=swaps_of(t.value.swap, t.value.xy, value.xy, fold))
            targets[name], folds[name] = Target(t.kind, value), fold.retimed(index.shape[-1])
        elif belongs_to_frames(t, b, len(s.size), frames):
            targets[name] = Target(t.kind, take(t.value))
    return replace(s, targets=targets, folds=folds)


def is_of_frames(name: str, t: Target, s: Sample) -> bool:
    """True of what a clip has one of for each frame."""
    return rows_of(s.folds.get(name)) is not None or belongs_to_frames(t, len(s.batch), len(s.size), s.frames)


def belongs_to_frames(t: Target, b: int, d: int, frames: int | None) -> bool:
    """True of what there is one of for each frame: arrays on the frame of one rank more than a sample's, matrices, whole
    numbers and flags as labels `[*b, T]`, and labels `[*b, T, K]` (soft ones `[*b, K]` are the clip's)."""
    if not isinstance(t.value, Tensor) or t.value.ndim <= b or t.value.shape[b] != frames:
        return False
    rank = t.value.ndim - b
    if t.kind == "label":
        return rank == 2 or (rank == 1 and not t.value.is_floating_point())
    if t.kind in SPATIAL:
        return t.kind == "video" or rank - 1 in ranks_of(t.kind, d)
    return t.kind in MATRICES and rank - 1 == MATRICES[t.kind]


def frames_of(op: str, s: Sample) -> int:
    """The number of frames of a clip; raises where there is none."""
    if s.frames:
        return s.frames
    if s.frames == 0:
        raise ValueError(explain(f"{op} chooses frames of a clip", "a video of no frames", "T >= 1", "leave it out"))
    if s.clip:
        want, fix = "one of both in a call", "two pipelines: the steps in time first, then those with paths"
        raise ValueError(explain(f"{op} chooses frames of a clip", "a path over time (af.Knots)", want, fix))
    want, fix = 'a dict with a "video" [*batch, T, C, H, W]', 'f({"video": clip}, None, key)'
    raise ValueError(explain(f"{op} chooses frames of a clip", list(s.targets), want, fix))


def rows_of(fold: Any) -> ClipRows | None:
    """How the boxes or the points of all frames lie in one list."""
    if isinstance(fold, Fold):
        return fold.rows if fold.time else None
    return fold.second if isinstance(fold, Both) else fold if isinstance(fold, ClipRows) else None


def swaps_of(swap: Any, before: Tensor, after: Tensor, fold: Fold) -> Any:
    """The swaps of all joints, of which there are others now."""
    groups = before.shape[-2] // fold.joints
    return repeated(swap[: len(swap) // groups], fold.joints, after.shape[-2] // fold.joints)

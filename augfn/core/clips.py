"""Other frames of a clip: what belongs to a frame goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map_only

from augfn.core.actions import Temporal
from augfn.core.poses import ClipRows, Fold
from augfn.core.targets import SPATIAL, Both, Plain, Sample, Target
from augfn.errors import explain
from augfn.math.lines import gather


def retimed(action: Temporal, s: Sample) -> Sample:
    """The sample with the frames `order [*b, T']`."""
    b, frames = len(s.batch), frames_of(action.name, s)
    flows = [n for n, t in s.targets.items() if t.kind == "flow"]
    if flows and not action.flow:
        fix = "compute the flow of the new clip afterwards, or leave it out of the dict"
        raise ValueError(explain(f"{action.name}: flow to a frame that is no longer next", flows, "no flow", fix))
    index = action.order.long().clamp(0, frames - 1).to(s.device)
    index = index.expand(*s.batch, index.shape[-1]) if b else index
    if action.switched and index.shape[-1] != frames:
        want, fix = "a step that keeps their number", f"leave out p, or put {action.name} before it"
        given = f"{frames} frames to {index.shape[-1]}"
        raise ValueError(explain("a step that changes the number of frames cannot be switched", given, want, fix))

    def take_rows(value: Any, rows: ClipRows) -> Any:
        return tree_map_only(Tensor, lambda x: take(rows.laid_out(x)).flatten(b, b + 1), value)

    def take(x: Tensor) -> Tensor:
        """Of `[*b, T, ...]`."""
        if x.ndim == b + 1:
            return gather(x, index, -1)
        return gather(x.flatten(b + 1), index, -2).unflatten(-1, x.shape[b + 1 :])

    targets, folds = dict(s.targets), dict(s.folds)
    for name, t in s.targets.items():
        fold = folds.get(name)
        rows = rows_of(fold)
        if rows is not None:
            targets[name] = Target(t.kind, take_rows(t.value, rows))
            folds[name] = renewed(fold, rows, index.shape[-1], take)
        elif isinstance(fold, Fold) and fold.time:
            each = ClipRows(b, frames, points_of(t.value, b) // max(1, frames))
            targets[name] = Target(t.kind, take_rows(t.value, each))
            folds[name] = replace(fold, lead=(index.shape[-1], *fold.lead[1:]))
        elif belongs_to_frames(t, b, frames) or (t.kind in SPATIAL and t.value.ndim > b and t.value.shape[b] == frames):
            targets[name] = Target(t.kind, take(t.value))
    return replace(s, targets=targets, folds=folds)


def belongs_to_frames(t: Target, b: int, frames: int) -> bool:
    """True of matrices of each frame, and of whole numbers as labels, one for each frame (soft labels are of the clip)."""
    if not isinstance(t.value, Tensor) or t.value.ndim <= b or t.value.shape[b] != frames:
        return False
    if t.kind == "label":
        return t.value.ndim == b + 1 and not t.value.is_floating_point()
    return t.value.ndim - b == {"intrinsics": 3, "affine": 3, "spacing": 2}.get(t.kind)


def frames_of(op: str, s: Sample) -> int:
    """The number of frames of a clip; raises where there is none."""
    if s.frames is not None:
        return s.frames
    if s.clip:
        want, fix = "one of both in a call", "two pipelines: the steps in time first, then those with paths"
        raise ValueError(explain(f"{op} chooses frames of a clip", "a path over time (af.Knots)", want, fix))
    want, fix = 'a dict with a "video" [*batch, T, C, H, W]', 'f({"video": clip}, None, key)'
    raise ValueError(explain(f"{op} chooses frames of a clip", list(s.targets), want, fix))


def points_of(value: Any, b: int) -> int:
    return (value if isinstance(value, Tensor) else value.xy).shape[b]


def rows_of(fold: Any) -> ClipRows | None:
    """How boxes of all frames lie in one list."""
    return fold.second if isinstance(fold, Both) else fold if isinstance(fold, ClipRows) else None


def renewed(fold: Any, rows: ClipRows, frames: int, take: Any) -> Any:
    new = replace(rows, time=frames)
    if not isinstance(fold, Both):
        return new
    valid = take(rows.laid_out(fold.first.valid)).flatten(rows.batch, rows.batch + 1)
    return Both(Plain(valid), new)

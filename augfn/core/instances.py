"""Instance masks: one mask for each box, which says where the object is, so that its box is known exactly."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from augfn.core.actions import Geometric, Occlusion, Size
from augfn.core.annotations import area, seen_by, share_of, sides
from augfn.core.boxes import Boxes
from augfn.core.targets import Sample, Target
from augfn.math.resample import to_wide


def with_instances(action: Geometric | Occlusion, targets: dict[str, Target], s: Sample) -> dict[str, Target]:
    """The boxes after a step that has moved or hidden their instance masks."""
    if not (names := objects_of(s)):
        return targets
    (name, masks), hides = names, isinstance(action, Occlusion)
    moved, plain = targets[name].value, not isinstance(targets[name].value, Boxes)
    by_box = Boxes(moved) if plain else moved
    b = (Boxes(s.targets[name].value) if plain else s.targets[name].value) if hides else by_box
    new = fitted(b, by_box, s.targets[masks].value, targets[masks].value, action.size(s.size), hides)
    return targets | {name: Target("boxes", new.data * new.valid[..., None] if plain else new)}


def objects_of(s: Sample) -> tuple[str, ...]:
    """The names of the boxes and of their instance masks, where there are both."""
    names = [next((n for n, t in s.targets.items() if t.kind == kind), "") for kind in ("boxes", "instances")]
    return tuple(names) if all(names) else ()


def fitted(b: Boxes, by_box: Boxes, before: Tensor, after: Tensor, size: Size, hides: bool = True) -> Boxes:
    """Boxes after a step that has moved their instance masks `[*b, N, *size]`, or with `hides` covered some of them: each the
    part of it around what is left of its mask, and not valid where nothing is. What nothing covers stays as it is, bit for bit;
    a box without a mask (it is empty) is what the step makes of boxes alone, `by_box`.

    Turned boxes, and those that are not clipped, keep their corners. Of what is covered, the share of the mask that is left
    is what is seen of the object.
    """
    axes, here = tuple(range(-len(size), 0)), after != 0
    had = (before != 0).any(axes)
    changed = (before != after).any(axes) if hides else had
    xyxy, there = to_wide(b.xyxy(size)), here.any(axes)
    if b.clip and not b.turned:
        (low, high), (first, last) = xyxy.chunk(2, -1), ends_of(here, len(size))
        low, high = torch.maximum(low, first.to(xyxy)), torch.minimum(high, last.to(xyxy))
        new = torch.cat([low, high], -1)
        there = there & (low < high).all(-1) & (area(new) > b.min_area) & (sides(new).amin(-1) >= b.min_size)
        data = b.like(new, b.valid, size).data
        b = replace(b, data=torch.where((changed & there)[..., None], data, b.data))
    b = replace(b, valid=b.valid & (there | ~changed))
    if hides and b.min_visibility > 0:
        b = seen_by(b, share_of(*(v.sum(axes).to(xyxy.dtype) for v in (here, before != 0))))
    seen = None if b.seen is None or by_box.seen is None else torch.where(had, b.seen, by_box.seen)
    data = torch.where(had[..., None], b.data, by_box.data)
    return replace(b, data=data, valid=torch.where(had, b.valid, by_box.valid), seen=seen)


def ends_of(here: Tensor, d: int) -> tuple[Tensor, Tensor]:
    """The low and the high corner `[..., d]` of the box around the pixels that are True."""
    ends = []
    for i in range(d):
        line = here.any(tuple(-j - 1 for j in range(d) if j != i))
        edge = torch.arange(line.shape[-1], device=line.device, dtype=torch.float32)
        ends.append((torch.where(line, edge, torch.inf).amin(-1), torch.where(line, edge + 1, -torch.inf).amax(-1)))
    low, high = zip(*ends, strict=True)
    return torch.stack(low, -1), torch.stack(high, -1)


def hide_instances(action: Occlusion, t: Target, s: Sample) -> Tensor:
    return torch.where(action.hidden.unsqueeze(len(s.batch)) >= 0.5, torch.zeros_like(t.value), t.value)

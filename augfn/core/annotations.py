"""What actions do to boxes and keypoints: they move, they are hidden, those of two samples meet."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from augfn.core.actions import Geometric, Mixing, Occlusion, Size
from augfn.core.targets import Boxes, Keypoints, Sample, Target
from augfn.math.maps import Map, centre_of
from augfn.math.polygons import area_inside, polygon_area, shares_inside
from augfn.math.resample import to_wide
from augfn.math.stages import Linear
from augfn.run.constants import constant


def push(m: Map, points: Tensor, source: Size, target: Size) -> Tensor:
    """Input pixel coordinates `[*b, n, d]` to output pixel coordinates."""
    wide = to_wide(points)
    moved = m.inverse(source)(wide - constant(centre_of(source), wide))
    return (moved + constant(centre_of(target), moved)).to(points.dtype)


def warp_keypoints(action: Geometric, t: Target, s: Sample) -> Any:
    k = t.value if isinstance(t.value, Keypoints) else Keypoints(t.value)
    target, wide = action.size(s.size), to_wide(k.xy)
    moved = push(action.map, wide, s.size, target)
    limit = constant(tuple(n - 0.5 for n in reversed(target)), moved)
    seen = ((moved >= -0.5) & (moved < limit)).all(-1)
    if not action.map.rigid:
        seen = seen & found(action.map, wide, moved, s.size, target)
    xy, visible = moved.to(k.xy.dtype), k.visible.bool() & seen
    if not isinstance(t.value, Keypoints):
        return xy
    return (
        swapped(replace(k, xy=xy, visible=visible), mirrors(action.map))
        if k.swap
        else replace(k, xy=xy, visible=visible)
    )


def found(m: Map, points: Tensor, moved: Tensor, source: Size, target: Size) -> Tensor:
    """True where the inverse of the map was found, to half a pixel; it has none where the image is folded."""
    back = m(moved - constant(centre_of(target), moved)) + constant(centre_of(source), moved)
    return (back - points).square().sum(-1) <= 0.25


def mirrors(m: Map) -> Tensor:
    """True where the map turns left into right: the sign of its determinant, `[*b]` (a displacement does not)."""
    signs = [torch.linalg.det(to_wide(s.matrix)).sign() for s in m.stages if isinstance(s, Linear)]
    return math.prod(signs, start=torch.ones(())) < 0


def swapped(k: Keypoints, where: Tensor) -> Keypoints:
    """Left and right rows change places in the samples that are mirrored."""
    order = torch.tensor(k.mirrored(), device=k.xy.device)
    where = where.to(k.xy.device)
    xy = torch.where(where[..., None, None], k.xy.index_select(-2, order), k.xy)
    return replace(k, xy=xy, visible=torch.where(where[..., None], k.visible.index_select(-1, order), k.visible))


def warp_boxes(action: Geometric, t: Target, s: Sample) -> Any:
    """Clipped upright boxes around what has moved, or quads whose corners have moved."""
    b = t.value if isinstance(t.value, Boxes) else Boxes(t.value)
    new = (warp_quads if b.turned else warp_upright)(action, b, s)
    return new if isinstance(t.value, Boxes) else new.data


def warp_upright(action: Geometric, b: Boxes, s: Sample) -> Boxes:
    """The upright box around the moved outline (corners and edge middles), clipped to the frame."""
    target, d = action.size(s.size), len(s.size)
    low, high = b.xyxy(s.size).chunk(2, -1)
    steps = (0.0, 1.0) if all(isinstance(x, Linear) for x in action.map.stages) else (0.0, 0.5, 1.0)
    outline = constant(tuple(itertools.product(steps, repeat=d)), low)
    points = low[..., None, :] + (high - low)[..., None, :] * outline - 0.5
    moved = push(action.map, points.flatten(-3, -2), s.size, target).reshape(points.shape) + 0.5
    box = torch.cat([moved.amin(-2), moved.amax(-2)], -1)
    clipped = torch.minimum(box.clamp(min=0), constant(tuple(float(n) for n in reversed(target)) * 2, box))
    left = area(clipped)
    keep = b.valid & (left > b.min_area) & (sides(clipped).amin(-1) >= b.min_size)
    new, share = b.like(clipped if b.clip else box, keep, target), share_of(left, area(box))
    return seen_by(new, share, again=not b.clip)


def warp_quads(action: Geometric, b: Boxes, s: Sample) -> Boxes:
    """The four corners, moved; what counts for validity is the exact area inside the frame."""
    target, corners = action.size(s.size), b.corners() - 0.5
    moved = push(action.map, corners.flatten(-3, -2), s.size, target).reshape(corners.shape) + 0.5
    edges = (moved.roll(-1, -2) - moved).square().sum(-1).sqrt()
    left = area_inside(moved, target)
    keep = b.valid & (left > b.min_area) & (edges.amin(-1) >= b.min_size)
    return seen_by(b.like_corners(moved, keep), share_of(left, polygon_area(moved)), again=True)


def share_of(part: Tensor, whole: Tensor) -> Tensor:
    """`part / whole`, 1 of what has no area."""
    none = whole <= 0
    return torch.where(none, torch.ones_like(whole), part) / torch.where(none, torch.ones_like(whole), whole)


def sides(xyxy: Tensor) -> Tensor:
    low, high = xyxy.chunk(2, -1)
    return high - low


def area(xyxy: Tensor) -> Tensor:
    return sides(xyxy).prod(-1)


def hide_boxes(action: Occlusion, t: Target, s: Sample) -> Any:
    """A box stays valid while at least `min_visibility` of it is not hidden."""
    if not isinstance(t.value, Boxes) or t.value.min_visibility == 0:
        return t.value
    share = (hidden_of_quads if t.value.turned else hidden_of_upright)(action.hidden, t.value, s.size)
    return seen_by(t.value, 1 - share)


def hidden_of_upright(hidden: Tensor, b: Boxes, size: Size) -> Tensor:
    """The hidden share `[*b, N]` of what of the boxes lies in the frame."""
    low, high = b.xyxy(size).chunk(2, -1)
    total = torch.ones_like(b.valid, dtype=hidden.dtype)
    inside = hidden[..., None, :, :]
    for i, n in enumerate(size):
        axis = len(size) - 1 - i
        edge = torch.arange(n, device=hidden.device, dtype=hidden.dtype)
        w = (
            torch.minimum(edge + 1, high[..., axis : axis + 1]) - torch.maximum(edge, low[..., axis : axis + 1])
        ).clamp(min=0)
        total = total * w.sum(-1)
        inside = (inside * w.reshape(w.shape + (1,) * (len(size) - 1 - i))).sum(-len(size) + i)
    return inside / total.clamp(min=1e-6)


def hidden_of_quads(hidden: Tensor, b: Boxes, size: Size) -> Tensor:
    """The same of turned boxes, pixel by pixel."""
    inside = shares_inside(b.corners().to(hidden.dtype), size)
    return (inside * hidden[..., None, :, :]).sum((-2, -1)) / inside.sum((-2, -1)).clamp(min=1e-6)


def seen_by(b: Boxes, share: Tensor, again: bool = False) -> Boxes:
    """The boxes after a step that leaves this share of them to be seen; shares multiply from step to step, but for one
    that holds `again` what earlier steps cut off, as that of a box which is not clipped does."""
    if b.seen is None or b.min_visibility == 0:
        return b
    share = share.to(b.seen.dtype)
    seen = torch.minimum(b.seen, share) if again else b.seen * share
    return replace(b, seen=seen, valid=b.valid & (seen >= b.min_visibility))


def hide_keypoints(action: Occlusion, t: Target, s: Sample) -> Any:
    if not isinstance(t.value, Keypoints):
        return t.value
    xy, known = t.value.xy.nan_to_num(), t.value.xy.isfinite().all(-1)
    index = torch.zeros(t.value.visible.shape, dtype=torch.int64, device=xy.device)
    for i, n in enumerate(s.size):
        index = index * n + xy[..., len(s.size) - 1 - i].round().clamp(0, n - 1).to(torch.int64)
    covered = action.hidden.flatten(-len(s.size)).gather(-1, index) >= 0.5
    return replace(t.value, visible=t.value.visible.bool() & known & ~covered)


def mix_boxes(action: Mixing, t: Target, s: Sample) -> Any:
    """Both samples' boxes; a partner of no weight brings none."""
    if not isinstance(t.value, Boxes):
        return torch.cat([t.value, action.other(t.value)], -2)
    v = t.value
    labels = None if v.labels is None else torch.cat([v.labels, action.other(v.labels)], v.valid.ndim - 1)
    data = torch.cat([v.data, action.other(v.data)], -2)
    seen = None if v.seen is None else torch.cat([v.seen, action.other(v.seen)], -1)
    return replace(v, data=data, valid=both_valid(action, v.valid), labels=labels, seen=seen)


def mix_keypoints(action: Mixing, t: Target, s: Sample) -> Any:
    if not isinstance(t.value, Keypoints):
        return torch.cat([t.value, action.other(t.value)], -2)
    v = t.value
    swap = v.swap + tuple((i + v.xy.shape[-2], j + v.xy.shape[-2]) for i, j in v.swap)
    return Keypoints(torch.cat([v.xy, action.other(v.xy)], -2), both_valid(action, v.visible.bool()), swap)


def both_valid(action: Mixing, valid: Tensor) -> Tensor:
    weight = action.weight[..., None]
    return torch.cat([valid & (weight > 0), action.other(valid) & (weight < 1)], -1)

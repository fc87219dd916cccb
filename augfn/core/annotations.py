"""What actions do to boxes and keypoints: they move, they are hidden, those of two samples meet."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from augfn.core.actions import Geometric, Occlusion, Size
from augfn.core.boxes import Boxes, Keypoints, rounding
from augfn.core.targets import Sample, Target
from augfn.math.maps import Map, centre_of
from augfn.math.polygons import area_inside, polygon_area, shares_inside
from augfn.math.resample import to_wide
from augfn.math.stages import Linear, Lines
from augfn.math.tiles import INSIDE, Tiles
from augfn.run.constants import cached, constant

FACE_INTERVALS = 4  # along an edge in 3-D, where a box has six faces full of points
TURNED_PIXELS = 1 << 23  # of turned boxes that are looked at together


Finish = Callable[[Tensor, Tensor | None], Any]


def moved_annotations(action: Geometric, s: Sample) -> dict[str, Target]:
    """Boxes and keypoints after a move: all their points together are taken through the inverse of the map, which for a
    displacement is most of the cost."""
    here = {n: POINTS[t.kind](action, t, s) for n, t in s.targets.items() if t.kind in POINTS}
    if not here:
        return {}
    dtype = reduce(torch.promote_types, [points.dtype for points, _ in here.values()])
    together = torch.cat([points.to(dtype) for points, _ in here.values()], -2)
    moved, before = push(action.map, together, s.size, action.size(s.size))
    counts = [points.shape[-2] for points, _ in here.values()]
    there = moved.split_with_sizes(counts, -2)
    seen = [None] * len(counts) if before is None else before.split_with_sizes(counts, -1)
    return {
        n: Target(s.targets[n].kind, finish(xy.contiguous().to(points.dtype), visible))
        for (n, (points, finish)), xy, visible in zip(here.items(), there, seen, strict=True)
    }


def push(m: Map, points: Tensor, source: Size, target: Size) -> tuple[Tensor, Tensor | None]:
    """Input pixel coordinates `[*b, n, d]` to output pixel coordinates, and which of the points lie before the horizon
    `[*b, n]` (None: there is none)."""
    moved, before = m.inverse(source).traced(points - constant(centre_of(source), points))
    return (moved + constant(centre_of(target), moved)).to(points.dtype), before


def points_of_keypoints(action: Geometric, t: Target, s: Sample) -> tuple[Tensor, Finish]:
    k = t.value if isinstance(t.value, Keypoints) else Keypoints(t.value)
    target, wide = action.size(s.size), to_wide(k.xy)

    def finish(moved: Tensor, before: Tensor | None) -> Any:
        room = 0.5 + rounding(k.xy.dtype) * max(target)
        limit = constant(tuple(n - 1 + room for n in reversed(target)), moved)
        seen = ((moved >= -room) & (moved <= limit)).all(-1)
        seen = seen if before is None else seen & before
        if not action.map.rigid:
            seen = seen & found(action.map, wide, moved, s.size, target)
        if not isinstance(t.value, Keypoints):
            return moved.to(k.xy.dtype)
        new = replace(k, xy=moved.to(k.xy.dtype), visible=kept(k.visible, seen))
        return swapped(new, mirrors(action.map)) if k.swap else new

    return wide, finish


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


def points_of_boxes(action: Geometric, t: Target, s: Sample) -> tuple[Tensor, Finish]:
    """Clipped upright boxes around what has moved, or quads whose corners have moved."""
    b = t.value if isinstance(t.value, Boxes) else Boxes(t.value)
    points, torn = quad_points(b) if b.turned else outline_points(action, b, s), cuts(action.map)
    if torn and b.turned:  # followed a little within, so that corners are in the tile that they belong to
        points = points + INSIDE * (points.mean(-2, keepdim=True) - points).sign()

    def finish(moved: Tensor, before: Tensor | None) -> Any:
        corners, whole = moved.reshape(points.shape) + 0.5, b.valid
        if torn and b.turned:  # what is cut has no corners
            shift = corners - 0.5 - points
            whole = ((shift - shift[..., :1, :]).abs() < INSIDE).all(-1).all(-1)
            corners = quad_points(b) + 0.5 + shift[..., :1, :]
        elif torn:
            corners = torch.cat([corners - INSIDE, corners + INSIDE], -2)
        new = (moved_quads if b.turned else moved_upright)(b, corners, before, s.size, action.size(s.size))
        new = replace(new, valid=new.valid & whole)
        return new if isinstance(t.value, Boxes) else new.data

    return points.flatten(-3, -2), finish


def cuts(m: Map) -> bool:
    """True if the first thing it does is to cut the frame into pieces."""
    return isinstance(m.stages[-1] if m.stages else None, Tiles)


def outline_points(action: Geometric, b: Boxes, s: Sample) -> Tensor:
    """Points `[*b, N, k, d]` on the outline of upright boxes, in pixels."""
    low, high = to_wide(b.xyxy(s.size)).chunk(2, -1)
    if cuts(action.map):
        return action.map.stages[-1].pieces(low, high) - 0.5  # type: ignore[union-attr]
    side = max(*s.size, *action.size(s.size))
    outline = cached(make_outline, intervals(action.map, side), len(s.size), low.dtype, low.device)
    return low[..., None, :] + (high - low)[..., None, :] * outline - 0.5


def quad_points(b: Boxes) -> Tensor:
    return to_wide(b.corners()) - 0.5


def moved_upright(b: Boxes, moved: Tensor, before: Tensor | None, size: Size, target: Size) -> Boxes:
    """The upright box around the moved outline, clipped to the frame; one with its ends exchanged keeps them so."""
    low, high = to_wide(b.xyxy(size)).chunk(2, -1)
    ends, exchanged = (moved.amin(-2), moved.amax(-2)), (high < low).any(-1, keepdim=True)
    box = torch.where(exchanged, torch.cat(ends[::-1], -1), torch.cat(ends, -1))
    clipped = within(box, target)
    keep = b.valid & (area(clipped) > b.min_area) & (sides(clipped).amin(-1) >= b.min_size)
    new = b.like(clipped if b.clip else box, in_front(keep, before, moved), target)
    if b.min_visibility == 0:
        return new
    left = area(within(box, target, rounding(b.data.dtype) * max(target)))
    return seen_by(new, share_of(left, area(box)), again=not b.clip)


def intervals(m: Map, side: int) -> int:
    """How finely the edges of a box are followed. Lines that bend each axis by itself keep an upright box upright if
    they come first, and what lies outermost outermost if they come last."""
    last = len(m.stages) - 1
    return max(
        [s.intervals(side) for i, s in enumerate(m.stages) if not (isinstance(s, Lines) and i in (0, last))], default=1
    )


def make_outline(n: int, d: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Points `[k, d]` on the sides of the unit square or cube: its corners, or n + 1 along each of its edges (in 3-D at
    most 5, over its faces)."""
    if n == 1:
        return torch.tensor(list(itertools.product((0.0, 1.0), repeat=d)), dtype=dtype, device=device)
    n = n if d == 2 else min(n, FACE_INTERVALS)
    along = torch.arange(n + 1, dtype=dtype, device=device) / n
    face = torch.stack(torch.meshgrid(*[along] * (d - 1), indexing="ij"), -1).reshape(-1, d - 1)
    ends = [torch.full_like(face[:, :1], end) for end in (0.0, 1.0)]
    return torch.cat([torch.cat([face[:, :i], end, face[:, i:]], -1) for i in range(d) for end in ends])


def within(xyxy: Tensor, size: Size, room: float = 0.0) -> Tensor:
    """The part of boxes inside the frame, and `room` pixels around it."""
    limit = constant(tuple(n + room for n in reversed(size)) * 2, xyxy)
    return torch.minimum(xyxy.clamp(min=-room), limit)


def in_front(keep: Tensor, before: Tensor | None, points: Tensor) -> Tensor:
    """`keep [*b, N]`, of boxes of which all `points [*b, N, k, d]` lie before the horizon, where there is one."""
    return keep if before is None else keep & before.reshape(points.shape[:-1]).all(-1)


def moved_quads(b: Boxes, moved: Tensor, before: Tensor | None, size: Size, target: Size) -> Boxes:
    """The four corners, moved; what counts for validity is the exact area inside the frame."""
    edges = (moved.roll(-1, -2) - moved).square().sum(-1).sqrt()
    keep = b.valid & (area_inside(moved, target) > b.min_area) & (edges.amin(-1) >= b.min_size)
    new = b.like_corners(moved, in_front(keep, before, moved))
    if b.min_visibility == 0:
        return new
    left = area_inside(moved, target, rounding(b.data.dtype) * max(target))
    return seen_by(new, share_of(left, polygon_area(moved)), again=True)


POINTS = {"boxes": points_of_boxes, "keypoints": points_of_keypoints}


def share_of(part: Tensor, whole: Tensor) -> Tensor:
    """`part / whole`, 1 of what has no area."""
    none = whole <= 0
    return torch.where(none, torch.ones_like(whole), part) / torch.where(none, torch.ones_like(whole), whole)


def sides(xyxy: Tensor) -> Tensor:
    low, high = xyxy.chunk(2, -1)
    return high - low


def area(xyxy: Tensor) -> Tensor:
    return sides(xyxy).clamp(min=0).prod(-1)


def hide_boxes(action: Occlusion, t: Target, s: Sample) -> Any:
    """A box stays valid while at least `min_visibility` of it is not hidden."""
    if not isinstance(t.value, Boxes) or t.value.min_visibility == 0:
        return t.value
    share = (hidden_of_quads if t.value.turned else hidden_of_upright)(to_wide(action.hidden), t.value, s.size)
    return seen_by(t.value, 1 - share)


def hidden_of_upright(hidden: Tensor, b: Boxes, size: Size) -> Tensor:
    """The hidden share `[*b, N]` of what of the boxes lies in the frame; axis by axis, so that no box has pixels of its
    own."""
    low, high = b.xyxy(size).to(hidden).chunk(2, -1)
    edges = [torch.arange(n, device=hidden.device, dtype=hidden.dtype) for n in reversed(size)]
    first, *others = [
        (torch.minimum(edge + 1, end) - torch.maximum(edge, start)).clamp(min=0)
        for edge, start, end in zip(edges, low.split(1, -1), high.split(1, -1), strict=True)
    ]
    inside, total = first @ hidden.flatten(-len(size), -2).mT, first.sum(-1)
    for w in others:
        inside, total = (inside.unflatten(-1, (-1, w.shape[-1])) @ w[..., None]).squeeze(-1), total * w.sum(-1)
    return inside.squeeze(-1) / total.clamp(min=1e-6)


def hidden_of_quads(hidden: Tensor, b: Boxes, size: Size) -> Tensor:
    """The same of turned boxes, pixel by pixel, some boxes at a time."""
    few = max(1, TURNED_PIXELS // max(1, hidden.numel()))
    shares = [
        (inside * hidden[..., None, :, :]).sum((-2, -1)) / inside.sum((-2, -1)).clamp(min=1e-6)
        for inside in (shares_inside(some, size) for some in b.corners().to(hidden).split(few, -3))
    ]
    return torch.cat(shares, -1)


def seen_by(b: Boxes, share: Tensor, again: bool = False) -> Boxes:
    """The boxes after a step that leaves this share of them to be seen; shares multiply from step to step, but for one
    that holds `again` what earlier steps cut off, as that of a box which is not clipped does."""
    if b.seen is None or b.min_visibility == 0:
        return b
    share = share.to(b.seen.dtype)
    seen = torch.minimum(b.seen, share) if again else b.seen * share
    return replace(b, seen=seen, valid=b.valid & (seen >= b.min_visibility - rounding(seen.dtype)))


def hide_keypoints(action: Occlusion, t: Target, s: Sample) -> Any:
    if not isinstance(t.value, Keypoints):
        return t.value
    xy = t.value.xy
    shown = ~at_points(action.hidden, xy, s.size) & xy.isfinite().all(-1)
    return replace(t.value, visible=kept(t.value.visible, shown))


def visible_part(b: Boxes, cover: tuple[Tensor, ...], size: Size, hidden: bool = False) -> Boxes:
    """The boxes around what of them shows where the cover is 1 (`hidden`: where it is 0); not valid where nothing is. Turned
    boxes, and those that are not clipped, stay as they are while something of them is.

    `cover`: `[*b, *size]`, or rows `[*b, H]` and columns `[*b, W]`, of which it is the product.
    """
    if b.turned:
        share = 1 - hidden_of_quads(cover[0] if hidden else 1 - cover[0], b, size)
        new = seen_by(b, share)
        return replace(new, valid=new.valid & (share > 0))
    xyxy = to_wide(b.xyxy(size))
    ends, share = extents(cover, xyxy, size, hidden)
    valid = b.valid & (share > 0)
    cut = (valid & (ends != xyxy).any(-1))[..., None]
    new = b.like(ends, valid, size) if b.clip else b
    data = torch.where(cut, new.data, b.data)  # what nothing covers stays as it is, bit for bit
    found = replace(b, data=data).xyxy(size)
    large = ~cut[..., 0] | ((area(found) > b.min_area) & (sides(found).amin(-1) >= b.min_size))
    return seen_by(replace(b, data=data, valid=valid & large), share)


def extents(cover: tuple[Tensor, ...], xyxy: Tensor, size: Size, hidden: bool) -> tuple[Tensor, Tensor]:
    """The box `[*b, N, 2 d]` around the visible pixels of each box, and their share of it; axis by axis."""
    low, high = xyxy.chunk(2, -1)
    edges = [torch.arange(n, device=xyxy.device, dtype=xyxy.dtype) for n in reversed(size)]
    lines = [
        (torch.minimum(edge + 1, end) - torch.maximum(edge, start)).clamp(min=0)
        for edge, start, end in zip(edges, low.split(1, -1), high.split(1, -1), strict=True)
    ]
    whole = reduce(torch.mul, [v.sum(-1) for v in lines])
    part = (covered(cover, lines, 0) * lines[0]).sum(-1) / whole.clamp(min=1e-6)
    part, ends = 1 - part if hidden else part, []  # where nothing is covered exactly 1
    lines = [core(v) for v in lines]
    for axis, edge in enumerate(edges):
        shown = covered(cover, lines, axis)  # of whole pixels exactly
        if hidden:
            shown = reduce(torch.mul, [v.sum(-1, keepdim=True) for i, v in enumerate(lines) if i != axis]) - shown
        shown = shown * lines[axis]
        part = torch.where((shown > 1e-6).any(-1), part, 0.0)  # of a rim alone nothing shows
        ends.append(span(shown, lines[axis], edge))
    first, last = (torch.stack(v, -1) for v in zip(*ends, strict=True))
    found = [torch.where(first > -torch.inf, first, low), torch.where(last < torch.inf, last, high)]
    return torch.cat(found, -1), part


def covered(cover: tuple[Tensor, ...], lines: list[Tensor], axis: int) -> Tensor:
    """How much the cover has of each box at each place of an axis `[*b, N, n]`; `lines [*b, N, n]` of x, y[, z]."""
    others = [i for i in reversed(range(len(lines))) if i != axis]
    if len(cover) == 2:
        along, across = cover if axis == 0 else cover[::-1]
        return (lines[others[0]] @ along[..., None]) * across[..., None, :]
    values = cover[0].movedim(-axis - 1, -1).flatten(1 - len(lines))
    found = lines[others[0]] @ values
    for i in others[1:]:
        found = (lines[i][..., None, :] @ found.unflatten(-1, (lines[i].shape[-1], -1)))[..., 0, :]
    return found


def core(overlap: Tensor) -> Tensor:
    """1 for the pixels of which at least half lies in a box, or as much as of any: its rim shows nothing."""
    return (overlap >= overlap.amax(-1, keepdim=True).clamp(max=0.5)).to(overlap)


def span(seen: Tensor, mine: Tensor, edge: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last edge of what is seen `[..., n]` of a box's own lines; infinite where nothing is hidden there."""
    ends = []
    for lines in (seen > 1e-6, mine > 0):
        ends.append((torch.where(lines, edge, torch.inf).amin(-1), torch.where(lines, edge + 1, -torch.inf).amax(-1)))
    (first, last), (low, high) = ends
    return torch.where(first > low, first, -torch.inf), torch.where(last < high, last, torch.inf)


def at_points(field: Tensor, xy: Tensor, size: Size) -> Tensor:
    """True where a field `[*b, *size]` is at least 1/2 at the points `[*b, N, d]`, and these are known."""
    known, xy = xy.isfinite().all(-1), xy.nan_to_num()
    index = torch.zeros(xy.shape[:-1], dtype=torch.int64, device=xy.device)
    for i, n in enumerate(size):
        index = index * n + xy[..., len(size) - 1 - i].round().clamp(0, n - 1).to(torch.int64)
    return (field.flatten(-len(size)).gather(-1, index) >= 0.5) & known


def kept(visible: Tensor, seen: Tensor) -> Tensor:
    """What is visible and still seen; of COCO's numbers 0, 1 and 2 the number, else 0."""
    return visible & seen if visible.dtype == torch.bool else visible * seen.to(visible.dtype)

"""Rules: the one table of what each kind of action does to each kind of target.

`TABLE[kind, target]` is how an action changes a target; a pair that is not in it is left untouched. Adding a target is
one column, adding a kind one row: no op handles a target by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.errors import explain
from augfn.kinds import Action, Color, Geometric, Mixing, Occlusion, Pixels, Seeing, Size, expand
from augfn.math.color import clip
from augfn.math.constants import constant
from augfn.math.maps import Linear, Map, centre_of, pixel_matrix
from augfn.math.resample import Sampling, fill_like, resample, to_wide
from augfn.math.shapes import cast, planes, shaped
from augfn.targets import FRAMED, Boxes, Keypoints, Sample, Target


def unless_off(gate: Tensor | None, old: Tensor, new: Tensor) -> Tensor:
    """The old value, bit for bit, where the gate is closed."""
    return new if gate is None else torch.where(expand(gate, old.ndim) == 0, old, new)


# geometry


def warp(action: Geometric, t: Target, s: Sample) -> Tensor:
    m, sampling = action.map, action.sampling
    if t.kind in ("mask", "depth"):
        fill = sampling.fill_mask if t.kind == "mask" else 0.0
        padding = sampling.padding_mode if sampling.padding in ("border", "reflection", "symmetric") else None
        sampling = Sampling("nearest", padding, None if padding else fill)
    if m.copy is None:
        return resample(t.value, len(s.batch), m, sampling)
    flat = planes(t.value, len(s.batch), len(s.size))
    moved = copied(m, flat, sampling)
    return moved.reshape(t.value.shape[: -len(s.size)] + moved.shape[-len(s.size) :])


def copied(m: Map, x: Tensor, sampling: Sampling) -> Tensor:
    """An exact move of `x [*b, k, *spatial]`; a gate blends floating images (so that it can be learned) and selects in
    others."""
    assert m.copy is not None
    moved = m.copy(x, sampling, m.place)
    if m.gate is None:
        return moved
    gate = expand(m.gate.to(x.device), x.ndim)
    return torch.lerp(x, moved, gate.to(x.dtype)) if x.is_floating_point() else torch.where(gate > 0.5, moved, x)


def push(m: Map, points: Tensor, source: Size, target: Size) -> Tensor:
    """Input pixel coordinates `[*b, n, d]` to output pixel coordinates."""
    wide = to_wide(points)
    moved = m.inverse(source)(wide - constant(centre_of(source), wide))
    return (moved + constant(centre_of(target), moved)).to(points.dtype)


def warp_keypoints(action: Geometric, t: Target, s: Sample) -> Any:
    k = t.value if isinstance(t.value, Keypoints) else Keypoints(t.value)
    target = action.size(s.size)
    moved = push(action.map, k.xy, s.size, target)
    limit = constant(tuple(n - 0.5 for n in reversed(target)), moved)
    inside = ((moved >= -0.5) & (moved < limit)).all(-1)
    xy = unless_off(action.map.gate, k.xy, moved)
    visible = unless_off(action.map.gate, k.visible.bool(), k.visible.bool() & inside)
    return Keypoints(xy, visible) if isinstance(t.value, Keypoints) else xy


def warp_boxes(action: Geometric, t: Target, s: Sample) -> Any:
    """The upright box around the moved outline (corners and edge middles), clipped to the frame."""
    b = t.value if isinstance(t.value, Boxes) else Boxes(t.value)
    target, d = action.size(s.size), len(s.size)
    low, high = b.xyxy(s.size).chunk(2, -1)
    steps = (0.0, 1.0) if all(isinstance(x, Linear) for x in action.map.stages) else (0.0, 0.5, 1.0)
    outline = constant(tuple(itertools.product(steps, repeat=d)), low)
    points = low[..., None, :] + (high - low)[..., None, :] * outline - 0.5
    moved = push(action.map, points.flatten(-3, -2), s.size, target).reshape(points.shape) + 0.5
    box = torch.cat([moved.amin(-2), moved.amax(-2)], -1)
    edge = constant(tuple(float(n) for n in reversed(target)) * 2, box)
    clipped = torch.minimum(box.clamp(min=0), edge)
    before, after = area(box), area(clipped)
    keep = (after > b.min_area) & (after >= b.min_visibility * before)
    new = b.like(clipped if b.clip else box, b.valid & keep, target)
    data = unless_off(action.map.gate, b.data, new.data)
    if not isinstance(t.value, Boxes):
        return data
    return replace(new, data=data, valid=unless_off(action.map.gate, b.valid, new.valid))


def area(xyxy: Tensor) -> Tensor:
    low, high = xyxy.chunk(2, -1)
    return (high - low).prod(-1)


def warp_intrinsics(action: Geometric, t: Target, s: Sample) -> Tensor:
    if not action.map.rigid:
        raise ValueError(
            explain(
                "intrinsics cannot follow a displacement field",
                "elastic",
                "projective maps only",
                "leave the intrinsics out of the dict, or the displacement out of the pipeline",
            )
        )
    matrix = to_wide(action.map.stages[0].matrix)  # type: ignore[union-attr]
    moved = torch.linalg.inv_ex(pixel_matrix(matrix, s.size, action.size(s.size))).inverse
    return unless_off(action.map.gate, t.value, (moved @ t.value.to(moved.dtype)).to(t.value.dtype))


# pixel values


def recolor(action: Color, t: Target, s: Sample) -> Tensor:
    x, axis = t.value, -len(s.size) - 1
    seen = to_wide(picked(x, action.channels, axis))
    out = clip(mapped(action, seen, t.kind, s), action.clip)
    if action.clip != "none" and action.gate is not None:
        out = torch.where(expand(action.gate, out.ndim) == 0, seen, out)
    return put_back(cast(out, x.dtype), x, action.channels, axis)


def picked(x: Tensor, channels: tuple[int, ...] | None, axis: int) -> Tensor:
    """The channels that an op sees."""
    if channels is None:
        return x
    if max(channels) >= x.shape[axis]:
        want = f"an image of at least {max(channels) + 1} channels"
        raise ValueError(explain("channels: not that many", x, want, "count from 0: channels=(0, 1, 2)"))
    return x.index_select(axis, torch.tensor(channels, device=x.device))


def put_back(out: Tensor, x: Tensor, channels: tuple[int, ...] | None, axis: int) -> Tensor:
    """The image with these channels changed."""
    return out if channels is None else x.index_copy(axis, torch.tensor(channels, device=x.device), out)


def mapped(action: Color, x: Tensor, kind: str, s: Sample) -> Tensor:
    m, o, c_axis = action.matrix, action.offset, -len(s.size) - 1
    channels = x.shape[c_axis]
    if channels != o.shape[-1] and o.shape[-1] != 1:
        given, want = f"{channels} channels", f"{o.shape[-1]} channels"
        fix = "give one value per channel, or channels=(0, 1, 2) to pick three of more"
        raise ValueError(explain("colour map and image disagree", given, want, fix))
    moved = x.movedim(c_axis, len(s.batch)) if kind == "video" else x
    flat = moved.flatten(len(s.batch) + 1)
    if action.diagonal:
        out = torch.addcmul(o[..., None].to(x), flat, m[..., None].to(x))
    else:
        out = affine_channels(flat, m.to(x), o.to(x))
    out = out.reshape(moved.shape)
    return out.movedim(len(s.batch), c_axis) if kind == "video" else out


def affine_channels(x: Tensor, m: Tensor, o: Tensor) -> Tensor:
    """`m x + o` for `x [*b, C, n]`, as one batched product."""
    b = x.shape[:-2]
    m, o = m.expand(b + m.shape[-2:]), o.expand(b + o.shape[-1:])
    if not b:
        return torch.addmm(o[:, None], m, x)
    return torch.baddbmm(o.flatten(0, -2)[..., None], m.flatten(0, -3), x.flatten(0, -3)).reshape(
        b + (m.shape[-2], x.shape[-1])
    )


def repaint(action: Pixels, t: Target, s: Sample, name: str = "image") -> Tensor:
    """Run a body on the channels it sees of `[*b, (T,) C, H, W]`."""
    axis, d = -len(s.size) - 1, len(s.size)
    x = picked(t.value, action.channels, axis)
    if action.rgb and x.shape[axis] != 3:
        fix = "channels=(0, 1, 2) picks three of more; a grey image: leave it out, or x.expand(..., 3, H, W)"
        raise ValueError(explain(f"{action.rgb} needs three channels", x, "[*batch, 3, H, W]", fix))
    wide = planes(to_wide(x), len(s.batch), d) if action.kind == "filter" else to_wide(x)
    out = clip(repainted(action, wide, t.kind, len(s.batch), name), action.clip)
    if action.gate is not None:
        out = torch.lerp(wide, cast(out, wide.dtype), cast(expand(action.gate, wide.ndim), wide.dtype))
    return put_back(shaped(cast(out, x.dtype), x.shape), t.value, action.channels, axis)


def repainted(action: Pixels, x: Tensor, kind: str, b: int, name: str) -> Tensor:
    """The body's result, with its leaves broadcastable; a volume's depth is laid along its height."""
    if action.kind == "filter":
        return action.body(x, **action.leaves)
    flat = x.flatten(-3, -2) if kind == "volume" else x
    given = {k: v for k, v in action.leaves.items() if k != "seed"}
    leaves = {k: v if v is None else spread(cast(v, x.dtype), b, flat.ndim) for k, v in given.items()}
    field = [noise_field(action.leaves["seed"], name, tuple(flat.shape[b:]))] if action.kind == "noise" else []
    return shaped(action.body(flat, *field, **leaves), x.shape)


def noise_field(seed: Tensor, name: str, shape: Size) -> Tensor:
    """Standard normal numbers `[*b, *shape]`, from two uniform numbers and the target's name."""
    key = random.fold_in((seed.detach().to(torch.float64) * 2**23).to(torch.int64), random.salt(name) & 0x7FFFFFFF)
    return random.normal_field(key, shape)


def spread(leaf: Tensor, batch: int, ndim: int) -> Tensor:
    """A leaf `[*b, *event]` against an image of `ndim` dims: a vector lies along the channels."""
    event = leaf.shape[batch:]
    ones = ndim - batch - (2 + max(len(event), 1))
    return leaf.reshape(leaf.shape[:batch] + (1,) * ones + (event or (1,)) + (1, 1))


# occlusion


def hide(action: Occlusion, t: Target, s: Sample) -> Tensor:
    hidden = action.hidden.reshape(s.batch + (1,) * (t.value.ndim - len(s.batch) - len(s.size)) + s.size)
    fill = fill_like(planes(to_wide(t.value), len(s.batch), len(s.size)), action.fill, len(s.size))
    if t.kind == "video" and fill.shape[0] > 1:
        fill = fill.reshape(t.value.shape[len(s.batch) : -2] + (1, 1))
    return torch.lerp(t.value, fill.to(t.value).expand_as(t.value), hidden.to(t.value))


def hide_mask(action: Occlusion, t: Target, s: Sample) -> Tensor:
    hidden = action.hidden.reshape(s.batch + (1,) * (t.value.ndim - len(s.batch) - len(s.size)) + s.size)
    return torch.where(hidden >= 0.5, torch.full_like(t.value, action.fill_mask), t.value)


def hide_boxes(action: Occlusion, t: Target, s: Sample) -> Any:
    """A box stays valid while at least `min_visibility` of it is not hidden."""
    if not isinstance(t.value, Boxes) or t.value.min_visibility == 0:
        return t.value
    low, high = t.value.xyxy(s.size).chunk(2, -1)
    cover = action.hidden
    total = torch.ones_like(t.value.valid, dtype=cover.dtype)
    inside = cover[..., None, :, :]
    for i, n in enumerate(s.size):
        axis = len(s.size) - 1 - i
        edge = torch.arange(n, device=cover.device, dtype=cover.dtype)
        w = (
            torch.minimum(edge + 1, high[..., axis : axis + 1]) - torch.maximum(edge, low[..., axis : axis + 1])
        ).clamp(min=0)
        total = total * w.sum(-1)
        inside = (inside * w.reshape(w.shape + (1,) * (len(s.size) - 1 - i))).sum(-len(s.size) + i)
    seen = 1 - inside / total.clamp(min=1e-6)
    return replace(t.value, valid=t.value.valid & (seen >= t.value.min_visibility))


def hide_keypoints(action: Occlusion, t: Target, s: Sample) -> Any:
    if not isinstance(t.value, Keypoints):
        return t.value
    index = torch.zeros(t.value.visible.shape, dtype=torch.int64, device=t.value.xy.device)
    for i, n in enumerate(s.size):
        index = index * n + t.value.xy[..., len(s.size) - 1 - i].round().clamp(0, n - 1).to(torch.int64)
    covered = action.hidden.flatten(-len(s.size)).gather(-1, index) >= 0.5
    return replace(t.value, visible=t.value.visible.bool() & ~covered)


# mixing


def mix(action: Mixing, t: Target, s: Sample) -> Tensor:
    return action.blend(t.value)


def mix_select(action: Mixing, t: Target, s: Sample) -> Tensor:
    return action.select(t.value)


def mix_boxes(action: Mixing, t: Target, s: Sample) -> Any:
    """Both samples' boxes; a partner of no weight brings none."""
    if not isinstance(t.value, Boxes):
        return torch.cat([t.value, action.other(t.value)], -2)
    v = t.value
    return replace(v, data=torch.cat([v.data, action.other(v.data)], -2), valid=both_valid(action, v.valid))


def mix_keypoints(action: Mixing, t: Target, s: Sample) -> Any:
    if not isinstance(t.value, Keypoints):
        return torch.cat([t.value, action.other(t.value)], -2)
    v = t.value
    return Keypoints(torch.cat([v.xy, action.other(v.xy)], -2), both_valid(action, v.visible.bool()))


def both_valid(action: Mixing, valid: Tensor) -> Tensor:
    weight = action.weight[..., None]
    return torch.cat([valid & (weight > 0), action.other(valid) & (weight < 1)], -1)


def mix_label(action: Mixing, t: Target, s: Sample) -> Tensor:
    """Soft labels, blended; class indices become soft labels first."""
    y = t.value
    if not y.is_floating_point():
        if action.classes is None:
            raise ValueError(
                explain(
                    "class indices cannot be blended",
                    y,
                    "soft labels [*batch, K]",
                    "set num_classes=K, or pass one-hot floats",
                )
            )
        y = (y[..., None] == torch.arange(action.classes, device=y.device)).to(action.weight.dtype)
    return action.blend(y)


TABLE: dict[tuple[type, str], Callable[..., Any]] = {
    **{(Geometric, t): warp for t in (*FRAMED, "mask")},
    (Geometric, "boxes"): warp_boxes,
    (Geometric, "keypoints"): warp_keypoints,
    (Geometric, "intrinsics"): warp_intrinsics,
    **{(Color, t): recolor for t in ("image", "video", "volume")},
    **{(Pixels, t): repaint for t in ("image", "video", "volume")},
    **{(Occlusion, t): hide for t in ("image", "video", "volume")},
    (Occlusion, "mask"): hide_mask,
    (Occlusion, "boxes"): hide_boxes,
    (Occlusion, "keypoints"): hide_keypoints,
    **{(Mixing, t): mix for t in ("image", "video", "volume")},
    **{(Mixing, t): mix_select for t in ("mask", "depth", "intrinsics")},
    (Mixing, "boxes"): mix_boxes,
    (Mixing, "keypoints"): mix_keypoints,
    (Mixing, "label"): mix_label,
}


def apply(action: Action, sample: Sample) -> Sample:
    """One action on all targets."""
    if isinstance(action, Seeing):
        action = action.seen(sample)
    changed = {}
    for name, t in sample.targets.items():
        rule = TABLE.get((type(action), t.kind))
        extra = {"name": name} if rule is repaint else {}
        changed[name] = t if rule is None else Target(t.kind, rule(action, t, sample, **extra))
    return sample.changed(changed, action.size(sample.size))

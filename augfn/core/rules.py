"""Rules: the one table of what each kind of action does to each kind of target.

`TABLE[kind, target]` is how an action changes a target; a pair that is not in it is left untouched. Adding a target is
one column, adding a kind one row: no op handles a target by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.core.actions import (
    Action,
    Blend,
    Color,
    Convert,
    Deferred,
    Depths,
    Geometric,
    Mixing,
    Occlusion,
    Pixels,
    Size,
    Temporal,
    blend,
    each_of,
)
from augfn.core.annotations import (
    POINTS,
    hide_boxes,
    hide_keypoints,
    moved_annotations,
)
from augfn.core.called import CALLABLE, Called, Custom, called, customized
from augfn.core.clips import retimed
from augfn.core.gates import is_hard
from augfn.core.instances import hide_instances, with_instances
from augfn.core.matrices import warp_affine, warp_flow, warp_intrinsics, warp_spacing
from augfn.core.mixing import PAINT, mixed
from augfn.core.patched import Patched
from augfn.core.targets import CONVERTED, Sample, Target
from augfn.errors import explain
from augfn.math.color import clip, require_rgb, scale_shift
from augfn.math.resample import Sampling, as_signed, fill_like, require_level, resample, to_wide, with_bits_of
from augfn.math.shapes import cast, expand, planes, shaped
from augfn.math.variates import seed_key
from augfn.run.bands import by_points
from augfn.run.twins import added, twin

SOFT = ("softmask", "heatmap")  # moved and read as images are; nothing else is done to their values

# geometry


def warp(action: Geometric, t: Target, s: Sample, name: str = "image") -> Tensor:
    """Read between pixels as the action says, or as it says of the target; masks and depth are read nearest."""
    m, sampling = action.map, action.sampling
    if t.kind not in ("image", "video", "volume"):
        fill = sampling.fill_mask if t.kind in ("mask", "softmask") else 0.0
        padding = sampling.padding_mode if sampling.padding in ("border", "reflection", "symmetric") else None
        if not (padding or m.axis_aligned or m.exact):
            require_level(t.value, fill or 0.0)
        between = t.kind in SOFT
        own = (sampling.interpolation, sampling.antialias) if between else ("nearest", None)
        sampling = Sampling(own[0], padding, None if padding else fill, antialias=own[1])
    if action.sampling.by_target and t.kind != "mask":
        sampling = replace(sampling, by_target=action.sampling.by_target).of(name, t.kind)
    x, sampling = as_signed(t.value, sampling)
    if m.gather is None:
        return with_bits_of(resample(x, len(s.batch), m, sampling), t.value)
    moved = m.gather(planes(x, len(s.batch), len(s.size)), sampling)
    return with_bits_of(moved.reshape(x.shape[: -len(s.size)] + moved.shape[-len(s.size) :]), t.value)


def warp_depth(action: Geometric, t: Target, s: Sample, name: str = "depth") -> Tensor:
    """Read nearest; and nearer, where a zoom brings the scene so."""
    moved = warp(action, t, s, name)
    return moved if action.map.nearer is None else moved / expand(action.map.nearer.to(moved), moved.ndim)


# pixel values


def recolor(action: Color, t: Target, s: Sample) -> Tensor:
    x, axis = t.value, -len(s.size) - 1
    seen = to_wide(picked(x, action.channels, axis))
    out = clipped(mapped(action, seen, t.kind, s), seen, action.clip)
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
    c_axis = -len(s.size) - 1
    for_any = action.matrix is None and action.width == 1
    if not for_any and action.width != x.shape[c_axis]:
        given, want = f"{x.shape[c_axis]} channels", f"{action.width} channels"
        fix = "give one value per channel, or channels=(0, 1, 2) to pick three of more"
        raise ValueError(explain("colour map and image disagree", given, want, fix))
    moved = x.movedim(c_axis, len(s.batch)) if kind == "video" else x
    out = affine_channels(action, moved, moved.ndim - len(s.batch) - 1)
    return out.movedim(len(s.batch), c_axis).contiguous() if kind == "video" else out


def affine_channels(action: Color, x: Tensor, rest: int) -> Tensor:
    """`A x + shift` for `x [*b, C, ...]` with `rest` dims after its channels."""
    matrix, scale, shift = (t if t is None else t.to(x) for t in (action.matrix, action.scale, action.shift))
    along = (..., *(None,) * rest)
    if matrix is not None:
        out = shaped(matrix @ x.flatten(-rest), x.shape)
        if shift is None:
            return out
        return added(out, shift[along])
    if scale is None:
        return x + shift[along]  # type: ignore[index]
    return x * scale[along] if shift is None else scale_shift(x, scale, shift, rest)


def repaint(action: Pixels, t: Target, s: Sample, name: str = "image") -> Tensor:
    """Run a body on the channels it sees of `[*b, (T,) C, *spatial]`."""
    axis = -len(s.size) - 1
    x = picked(t.value, action.channels, axis)
    if action.requires_rgb:
        require_rgb(x, action.name, axis)
    out = repainted(action, to_wide(x), t.kind, len(s.batch), name)
    return put_back(cast(out, x.dtype), t.value, action.channels, axis)


def clip_only(out: Tensor, x: Tensor, mode: str, foreign: bool = False) -> Tensor:
    return clip(out, mode)


def is_own(out: Tensor, x: Tensor, mode: str, foreign: bool = False) -> bool:
    """True if nothing else holds what the body has made (that of a user may hold it)."""
    fresh = out.is_contiguous() and out.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()
    return mode == "clamp" and not foreign and fresh


@twin(clip_only, fits=is_own)
def clipped(out: Tensor, x: Tensor, mode: str, foreign: bool = False) -> Tensor:
    """`clip`, in place."""
    return out.clamp_(0, 1)


def repainted(action: Pixels, x: Tensor, kind: str, b: int, name: str) -> Tensor:
    """The body's result on a batch `[*b, k, *spatial]`, with leaves `[*b, *event]` of the same dtype; clipped.

    The frames of a video, and for a planar body the slices of a volume, are one more dim of the batch, along which leaves
    have the size 1: all of them share a draw.
    """
    axis = b + (kind == "video")  # of the channels
    sliced = action.planar and x.ndim == axis + 4
    seen = x.movedim(axis + 1, axis) if sliced else x
    frames = seen.shape[b : axis + sliced]
    given = dict(action.leaves)
    gate = given.pop("channel_gate", None)
    field = [field_over(action, given.pop("seed"), seen, b, frames, name)] if action.kind == "noise" else []
    leaves = {n: v if v is None else cast(v, x.dtype) for n, v in given.items()}
    if frames:
        leaves = {
            n: v if v is None else v.reshape(v.shape[:b] + (1,) * len(frames) + v.shape[b:]) for n, v in leaves.items()
        }
    at = b + len(frames)
    if action.per_channel:
        shared = action.field_channels is not None
        seen, field = seen.unsqueeze(at + 1), [by_channel(f, at, seen.shape[at], shared) for f in field]

    def paint(band: Tensor, *field: Tensor) -> Tensor:
        return clipped(action.body(band, *field, **leaves), band, action.clip, action.foreign)

    out = by_points(paint, seen, *field) if action.pointwise else paint(seen, *field)
    if action.per_channel:
        if gate is not None:
            on = expand(gate.to(out.device).reshape(gate.shape[:b] + (1,) * len(frames) + gate.shape[b:]), out.ndim)
            out = torch.where(on >= 0.5, out, seen) if is_hard(gate, None, None) else blend(seen, out, on)
        out = out.squeeze(at + 1)
    return out.movedim(axis, axis + 1).contiguous() if sliced else out


def field_over(action: Pixels, seed: Tensor, x: Tensor, b: int, frames: Size, name: str) -> Tensor:
    """The field of a noise: another for every frame, as a sensor's is; of a planar body one that all frames share."""
    channels, *spatial = x.shape[b + len(frames) :]
    shape = (action.fields * (channels if action.field_channels is None else action.field_channels), *spatial)
    if action.planar and frames:
        field = noise_field(seed, name, shape)
        return field.reshape(field.shape[:b] + (1,) * len(frames) + field.shape[b:])
    return noise_field(seed, name, (*frames, *shape))


def by_channel(field: Tensor, axis: int, channels: int, shared: bool) -> Tensor:
    """A field `[..., k C, *spatial]`, or `[..., k, *spatial]` that all share, as that of each channel `[..., C, k, *spatial]`."""
    if shared:
        field = field.unsqueeze(axis)
        return field.expand(*field.shape[:axis], channels, *field.shape[axis + 1 :])
    return field.unflatten(axis, (-1, channels)).transpose(axis, axis + 1)


def noise_field(seed: Tensor, name: str, shape: Size) -> Tensor:
    """Standard normal numbers `[*b, *shape]`, from two uniform numbers and the target's name."""
    key = random.fold_in(seed_key(seed), random.salt(name) & 0x7FFFFFFF)
    return random.normal_field(key, shape)


# occlusion


def hide(action: Occlusion, t: Target, s: Sample) -> Tensor:
    hidden = action.hidden.reshape(s.batch + (1,) * (t.value.ndim - len(s.batch) - len(s.size)) + s.size).to(t.value)
    if action.fill == 0:  # one factor less to read
        return torch.addcmul(t.value, t.value, hidden, value=-1)
    fill = fill_like(planes(to_wide(t.value), len(s.batch), len(s.size)), action.fill, len(s.size))
    if t.kind == "video" and fill.shape[0] > 1:
        fill = fill.reshape(t.value.shape[len(s.batch) : -2] + (1, 1))
    return torch.lerp(t.value, fill.to(t.value).expand_as(t.value), hidden)


def hide_mask(action: Occlusion, t: Target, s: Sample) -> Tensor:
    hidden = action.hidden.reshape(s.batch + (1,) * (t.value.ndim - len(s.batch) - len(s.size)) + s.size)
    require_level(t.value, action.fill_mask)
    return torch.where(hidden >= 0.5, torch.full_like(t.value, action.fill_mask), t.value)


def hide_soft(action: Occlusion, t: Target, s: Sample) -> Tensor:
    hidden = action.hidden.reshape(s.batch + (1,) * (t.value.ndim - len(s.batch) - len(s.size)) + s.size)
    return torch.lerp(t.value, torch.full_like(t.value, action.fill_mask * (t.kind == "softmask")), hidden.to(t.value))


def convert(action: Convert, t: Target, s: Sample) -> Tensor:
    return action.cast(t.value)


TABLE: dict[tuple[type, str], Callable[..., Any]] = {
    **{(Geometric, t): warp for t in ("image", "video", "volume", "mask", "instances", *SOFT)},
    (Geometric, "depth"): warp_depth,
    (Geometric, "intrinsics"): warp_intrinsics,
    (Geometric, "affine"): warp_affine,
    (Geometric, "spacing"): warp_spacing,
    (Geometric, "flow"): warp_flow,
    **{(Color, t): recolor for t in ("image", "video", "volume")},
    **{(Pixels, t): repaint for t in ("image", "video", "volume")},
    (Depths, "depth"): repaint,
    **{(Convert, t): convert for t in CONVERTED},
    **{(Called, t): called for t in CALLABLE},
    **{(Occlusion, t): hide for t in ("image", "video", "volume")},
    (Occlusion, "mask"): hide_mask,
    (Occlusion, "instances"): hide_instances,
    **{(Occlusion, t): hide_soft for t in SOFT},
    (Occlusion, "boxes"): hide_boxes,
    (Occlusion, "keypoints"): hide_keypoints,
}


def targets_of(kind: type) -> list[str]:
    """The kinds of targets that a kind of action changes."""
    if kind is Mixing:
        return [*PAINT, "label"]
    return [t for k, t in TABLE if k is kind] + (list(POINTS) if kind is Geometric else [])


def touches(action: Action, kind: str) -> bool:
    """True if an action may change, or looks at, a target of this kind."""
    return isinstance(action, Blend | Custom | Deferred | Patched) or kind in targets_of(type(action))


def check_channels(actions: Iterable[Action], sample: Sample) -> None:
    """Raises where a step needs three channels and an image has others, whatever the gates of this call say."""
    images = [t.value for t in sample.targets.values() if t.kind in CONVERTED]
    odd = [x for x in images if x.shape[-len(sample.size) - 1] != 3]
    for action in each_of(actions) if odd else ():
        if isinstance(action, Pixels) and action.requires_rgb and action.channels is None:
            require_rgb(odd[0], action.name, -len(sample.size) - 1)


def apply(action: Action, sample: Sample) -> Sample:
    """One action on all targets of all samples, whatever its gate says."""
    if isinstance(action, Deferred):
        action = action.seen(sample)
    if isinstance(action, Mixing):
        return mixed(action, sample, apply)
    if isinstance(action, Temporal):
        return retimed(action, sample)
    if isinstance(action, Custom):
        return customized(action, sample, apply)
    changed = dict(sample.targets)
    if isinstance(action, Geometric):
        changed |= moved_annotations(action, sample)
    for name, t in sample.targets.items():
        rule = TABLE.get((type(action), t.kind))
        if rule is not None:
            extra = {"name": name} if rule in (repaint, warp, warp_depth) else {}
            changed[name] = Target(t.kind, rule(action, t, sample, **extra))
    if isinstance(action, Geometric | Occlusion):
        changed = with_instances(action, changed, sample)
    return sample.changed(changed, action.size(sample.size))

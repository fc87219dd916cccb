"""What an op's body makes of its leaves, as an action: one function for each kind of op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from augfn.core.actions import Action, Depths, Geometric, Mixing, Occlusion, Pixels
from augfn.core.boxes import Boxes
from augfn.core.clips import is_of_frames
from augfn.core.partners import Partners
from augfn.core.targets import Sample
from augfn.errors import explain
from augfn.math.resample import Sampling, require_finite
from augfn.math.shapes import expand

OF_PARTNERS = ("order", "partner", "label")  # what says whom a sample is mixed with
TRAITS = (
    "requires_rgb",
    "field_channels",
    "fields",
    "single_pass",
    "convolves",
    "pointwise",
    "planar",
)  # of bodies that change pixel values


def seen_target(op: str, kind: str, sample: Sample) -> Any:
    """The one target of a kind, or of several that which has its name; boxes with their validity."""
    found = {n: t for n, t in sample.targets.items() if t.kind == kind}
    found = {kind: found[kind]} if kind in found else found
    if len(found) != 1:
        want, fix = f"one target of the kind {kind!r}, or one of them with that name", f"f({{..., {kind!r}: ...}})"
        raise ValueError(explain(f"{op} looks at the {kind}", list(sample.targets), want, fix))
    name, target = next(iter(found.items()))
    if kind != "boxes" and sample.frames is not None and is_of_frames(name, target, sample):
        want, fix = f"one {kind} for the whole clip", "the frames as a batch of images: video.flatten(0, 1)"
        raise ValueError(explain(f"{op} looks at the {kind}", f"{name}, another one in each frame", want, fix))
    value = target.value
    return Boxes(value) if kind == "boxes" and not isinstance(value, Boxes) else value


def act_geometric(op: Any, body: Callable[..., Any], leaves: dict[str, Any], sampling: Sampling) -> Action:
    return Geometric(body(**leaves), sampling)


def act_pixels(op: Any, body: Callable[..., Any], leaves: dict[str, Any], sampling: Sampling) -> Action:
    if "x" in op.spec.wants:
        traits = {n: getattr(op.spec, n) for n in TRAITS}
        make = Depths if op.spec.target == "depth" else Pixels
        traits["pointwise"] &= not op.static.get(op.spec.unless)
        traits |= {"per_channel": op.per_channel, "foreign": op.foreign}
        return make(op.spec.kind, body, leaves, op.clip, op.channels, op.name, **traits)
    if op.per_channel:
        known = {"pointwise": True, "per_channel": True, "foreign": op.foreign}
        return Pixels(
            "photometric", partial(of_one_channel, op.name, body), leaves, op.clip, op.channels, op.name, **known
        )
    color = body(**leaves)
    return color if op.clip == "none" and op.channels is None else replace(color, clip=op.clip, channels=op.channels)


def of_one_channel(op: str, body: Callable[..., Any], x: Tensor, **leaves: Any) -> Tensor:
    """What a colour map makes of images of one channel `[*b, 1, *spatial]`."""
    color = body(**leaves)
    if color.width != 1:
        given, want = f"a map of {color.width} channels", "an op that works on each channel by itself"
        raise ValueError(explain(f"{op}: per_channel, p_channel", given, want, "leave them out, or give one number"))
    scale = color.scale if color.matrix is None else color.matrix[..., 0]
    scale, shift = (t if t is None else expand(t[..., 0].to(x), x.ndim) for t in (scale, color.shift))
    out = x if scale is None else x * scale
    return out if shift is None else out + shift


def act_occlusion(op: Any, body: Callable[..., Any], leaves: dict[str, Any], sampling: Sampling) -> Action:
    require_finite(sampling.fill or 0.0)
    return Occlusion(body(**leaves), sampling.fill or 0.0, sampling.fill_mask or 0.0)


def act_mix(op: Any, body: Callable[..., Any], leaves: dict[str, Any], sampling: Sampling) -> Action:
    who = Partners(leaves["order"], leaves["partner"], leaves.get("label"))
    found = body(who=who, **{n: leaf for n, leaf in leaves.items() if n not in OF_PARTNERS})
    layers, *rest = found if isinstance(found, tuple) else (found,)
    return Mixing(tuple(layers), op.static["num_classes"], *rest)


ACT = {
    "geometric": act_geometric,
    "photometric": act_pixels,
    "filter": act_pixels,
    "noise": act_pixels,
    "occlusion": act_occlusion,
    "mix": act_mix,
}

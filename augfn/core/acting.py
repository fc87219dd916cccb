"""What an op's body makes of its leaves, as an action: one function for each kind of op."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from augfn.core.actions import Action, Depths, Geometric, Mixing, Occlusion, Pixels
from augfn.core.boxes import Boxes
from augfn.core.partners import Partners
from augfn.core.targets import Sample
from augfn.errors import explain
from augfn.math.resample import Sampling, require_finite

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
    """The one target of a kind, boxes with their validity."""
    found = {n: t.value for n, t in sample.targets.items() if t.kind == kind}
    if len(found) != 1:
        want = f"a dict with one target of the kind {kind!r}"
        raise ValueError(explain(f"{op} looks at the {kind}", list(sample.targets), want, f"f({{..., {kind!r}: ...}})"))
    value = next(iter(found.values()))
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
    gate = leaves.pop("channel_gate", None)
    color = body(**leaves)
    color = color.by_channel(gate) if op.per_channel else color
    return color if op.clip == "none" and op.channels is None else replace(color, clip=op.clip, channels=op.channels)


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

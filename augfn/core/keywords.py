"""Keywords of an op: what a user writes, checked and brought to one form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor

from augfn.distributions import Constant, Distribution, Uniform
from augfn.errors import explain
from augfn.typing import Leaf

CLIPS = ("none", "clamp", "ste")
PLAIN_TYPES: dict[Any, tuple[type, str]] = {
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a string"),
    bool: (bool, "True or False"),
}


def is_whole(value: Any) -> bool:
    """True of a whole number, Python's or numpy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_type(what: str, wanted: Any, value: Any, default: Any) -> None:
    """A static keyword annotated with a plain type is of that type."""
    if wanted not in PLAIN_TYPES:
        return
    kind, words = PLAIN_TYPES[wanted]
    if not isinstance(value, kind) or (isinstance(value, bool) and wanted is not bool):
        name = what.split()[-1]
        fix = f"{name}={default!r}" if isinstance(default, kind) else f"{name}=..., {words}"
        raise TypeError(explain(what, value, words, fix))


def clip_of(spec: Any, keywords: dict[str, Any]) -> str:
    """The mechanism's clip; a body that clips by itself takes the keyword as its own."""
    mode = keywords.get("clip", spec.clip) if "clip" in spec.common else "none"
    if mode not in CLIPS:
        raise ValueError(explain(f"{spec.name}: clip", mode, f"one of {', '.join(CLIPS)}", 'clip="clamp"'))
    return mode


def channels_of(spec: Any, channels: Any) -> tuple[int, ...] | None:
    if channels is None:
        return None
    given = (channels,) if isinstance(channels, int) else tuple(channels)
    good = all(isinstance(c, int) and not isinstance(c, bool) and c >= 0 for c in given)
    if not given or not good or len(set(given)) != len(given) or (spec.requires_rgb and len(given) != 3):
        want = "three different indices" if spec.requires_rgb else "different indices, counted from 0"
        raise ValueError(explain(f"{spec.name}: channels", channels, want, "channels=(0, 1, 2)"))
    return given


def as_leaf(op: str, name: str, leaf: Leaf, value: Any) -> Tensor | Distribution | None:
    """A number or a vector is fixed, a pair `(low, high)` is Uniform (of vectors, where the leaf is one), None is
    absent."""
    if value is None or isinstance(value, Tensor | Distribution):
        return value
    what = f"{op}: {name}"
    if isinstance(value, bool) or not isinstance(value, int | float | Sequence) or isinstance(value, str):
        raise TypeError(
            explain(what, value, "a number, a pair (low, high), a tensor or a distribution", f"{name}=(low, high)")
        )
    if isinstance(value, int | float):
        check_bounds(what, leaf, [value])
        return Constant(torch.full(leaf.shape, float(value)))
    if leaf.shape and len(value) == leaf.shape[0] and all(isinstance(v, Sequence) for v in value):
        value = tuple(zip(*value, strict=True))  # ((low, high) of x, (low, high) of y): per axis
    if len(value) != 2:
        raise ValueError(explain(what, value, f"a number or a pair (low, high), in {leaf.unit}", f"{name}=(low, high)"))
    if any(isinstance(v, Tensor) for v in value):
        return Uniform(*value)
    ends = [torch.tensor(v, dtype=torch.float32) for v in value]
    check_bounds(what, leaf, [x for e in ends for x in e.flatten().tolist()])
    if not (ends[0] <= ends[1]).all():
        raise ValueError(
            explain(f"{what}: the range is upside down", value, "low <= high", f"{name}=({value[1]}, {value[0]})")
        )
    return Uniform(*(e.expand(leaf.shape).clone() for e in ends))


def check_bounds(what: str, leaf: Leaf, values: Sequence[float]) -> None:
    low, high = leaf.low, leaf.high
    if not all(map(math.isfinite, values)):
        raise ValueError(
            explain(f"{what}: not finite", list(values), "finite numbers", f"{what.split()[-1]}=(low, high)")
        )
    if any((low is not None and v < low) or (high is not None and v > high) for v in values):
        span = f"{'-inf' if low is None else low} <= value <= {'inf' if high is None else high} ({leaf.unit})"
        raise ValueError(explain(f"{what}: outside its range", list(values), span, "stay within the range"))

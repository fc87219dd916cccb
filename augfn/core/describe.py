"""What a factory shows: the signature and the end of the docstring that follow from its spec."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any


def signature_of(spec: Any, returns: type) -> inspect.Signature:
    values = {**spec.defaults, **spec.static, **dict.fromkeys(spec.common)}
    known = {"p": 1.0, "clip": spec.clip}
    values |= {n: v for n, v in known.items() if n in spec.common}
    make = partial(inspect.Parameter, kind=inspect.Parameter.KEYWORD_ONLY)
    return inspect.Signature([make(n, default=v) for n, v in values.items()], return_annotation=returns)


def describe(spec: Any) -> str:
    """The part of a docstring that the signature knows."""
    lines = [f"Kind: {spec.kind}{' (3-D)' if spec.ndim == 3 else ''}. Leaves of `params`, per sample:", ""]
    for name, leaf in spec.leaves.items():
        span = f"{'-inf' if leaf.low is None else leaf.low}..{'inf' if leaf.high is None else leaf.high}"
        neutral = "none" if leaf.neutral is None else f"{leaf.neutral:g}"
        shape = f" {list(leaf.shape)}" if leaf.shape else ""
        lines.append(
            f"* `{name}`{shape}: {leaf.unit}; range {span}; neutral {neutral}; default {spec.defaults[name]!r}"
        )
        if leaf.flat:
            lines.append(f"  (zero gradient: {leaf.flat})")
    settings = [
        *(f"{n}={v!r}" if v is not inspect.Parameter.empty else n for n, v in spec.static.items()),
        *(f"clip={spec.clip!r}" if n == "clip" else n for n in spec.common),
    ]
    return "\n".join([*lines, "", f"Static keywords: {', '.join(settings)}."])

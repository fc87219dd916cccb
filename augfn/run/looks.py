"""Looks at what a call is given, by peeks at its values: mistakes that would go on in silence."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import numpy as np
from torch import nn

from augfn.distributions import Distribution, Span
from augfn.errors import explain, warn
from augfn.run.peek import peek
from augfn.typing import Leaf

KEEP = "bring it back after optimizer.step(): with torch.no_grad(): parameter.clamp_(low, high)"
FAR = 16  # an image that reaches it was hardly meant to lie in [0, 1]
LOOKED: WeakSet[Any] = WeakSet()  # augmentations whose first image was looked at
LOST: WeakSet[Any] = WeakSet()  # those that said that boxes were lost


def check_leaves(name: str, leaves: dict[str, Any], meanings: dict[str, Leaf]) -> None:
    """Values without a NaN; and no Parameter of the user's own that an optimizer has carried out of its interval."""
    for path, leaf in leaves.items():
        if isinstance(leaf, Span) and isinstance(leaf.x, nn.Parameter):
            if (values := peek(leaf.ends(leaf.x))) is not None:
                check_values(f"{name}: {path}", values, meanings[path], True, KEEP)
            continue
        if isinstance(leaf, Distribution):
            held = [t for field in leaf.values if isinstance(t := getattr(leaf, field), nn.Parameter)]
        else:
            held = [leaf]
        for t in held:
            if (values := peek(t)) is not None:
                check_values(f"{name}: {path}", values, meanings[path], isinstance(t, nn.Parameter))


def check_values(what: str, values: np.ndarray, meaning: Leaf, learns: bool, fix: str = "") -> None:
    if np.isnan(values).any():
        fix = "look where it comes from: torch.isnan(params[...]).nonzero()"
        raise ValueError(explain(f"{what}: NaN", values.ravel()[:4].tolist(), f"numbers ({meaning.unit})", fix))
    low, high = meaning.low, meaning.high
    outside = (low is not None and (values < low).any()) or (high is not None and (values > high).any())
    if learns and outside:
        leaf = what.split(": ")[-1]
        want = f"{'-inf' if low is None else low} to {'inf' if high is None else high} ({meaning.unit})"
        fix = (
            fix
            or f'leave it to the module, which keeps it inside: Augment(f, learnable=["{leaf}"]), f with plain numbers'
        )
        raise ValueError(explain(f"{what}: a Parameter has left its interval", values.ravel()[:4].tolist(), want, fix))


def look_at_range(f: Any, sample: Any) -> None:
    """One warning for an augmentation that cuts values off at 1, on the first image that lies far above it."""
    if not f.bounded or f.takes_integers or f in LOOKED:
        return
    LOOKED.add(f)
    for name, t in sample.targets.items():
        values = peek(t.value) if t.kind in ("image", "video") and t.value.is_floating_point() else None
        if values is not None and values.size and FAR <= values.max() < np.inf:
            most = float(values.max())
            want, fix = "an image in [0, 1]", f"af.to_float({name}, max=255), or af.to_float(max=255) as the first step"
            warn(explain(f"{name}: {f.name} cuts values off at 1", f"values up to {most:g}", want, fix))


def look_at_lost(f: Any, before: Any, after: Any) -> Any:
    """One warning for an augmentation, when boxes that are a plain tensor leave the frame for the first time."""
    if f in LOST:
        return after
    for name, t in after.targets.items():
        values, old = peek(t.value), peek(before.targets[name].value)
        if t.kind == "boxes" and values is not None and old is not None and values.shape == old.shape:
            lost = int((is_flat(values) & ~is_flat(old)).sum())
            if lost:
                LOST.add(f)
                fix = f"{name}=af.Boxes({name}), whose `valid` says which are there; drop_invalid leaves the others out"
                warn(explain(f"{name}: left the frame", f"{lost} rows without an area", "boxes with validity", fix))
    return after


def is_flat(boxes: np.ndarray) -> Any:
    """Of boxes without an area."""
    low, high = np.split(boxes, 2, -1)
    return (high <= low).any(-1)

"""Looks at values, where they lie on the host in an eager call: never under a trace, never by waiting for a device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from augfn.distributions import Distribution
from augfn.errors import explain
from augfn.run.mode import is_readable
from augfn.typing import Leaf


def check_learned(name: str, leaves: dict[str, Any], meanings: dict[str, Leaf]) -> None:
    """A Parameter of the user's own that an optimizer has carried out of its leaf's interval is an error."""
    for path, leaf in leaves.items():
        held = [getattr(leaf, field) for field in leaf.values] if isinstance(leaf, Distribution) else [leaf]
        for t in held:
            if isinstance(t, nn.Parameter):
                check_inside(f"{name}: {path}", t, meanings[path])


def check_inside(what: str, t: Tensor, meaning: Leaf) -> None:
    low, high = meaning.low, meaning.high
    if (low is None and high is None) or not t.numel() or not is_readable(t):
        return
    least, most = torch.stack(t.detach().aminmax()).tolist()
    if (low is not None and not least >= low) or (high is not None and not most <= high):
        leaf = what.split(": ")[-1]
        want = f"{'-inf' if low is None else low} to {'inf' if high is None else high} ({meaning.unit})"
        fix = f'leave it to the module, which keeps it inside: Augment(f, learnable=["{leaf}"]), f with plain numbers'
        given = t.detach().flatten()[:4].tolist()
        raise ValueError(explain(f"{what}: a Parameter has left its interval", given, want, fix))

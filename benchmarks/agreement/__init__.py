"""Agreement with kornia: the same op with the same params, side by side; and where the two differ, why.

Each module of this package holds a list `CASES` and a dict `DIFFERENCES` (kornia's class -> what differs and why).
`python -m benchmarks.agreement` prints both as tables; `tests/test_agreement.py` holds the cases to their tolerances.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor


def K() -> Any:
    """kornia's modules, imported where a comparison is made."""
    import kornia.augmentation as K

    return K


def drawn(name: str, x: Tensor, **settings: Any) -> tuple[Tensor, dict[str, Tensor]]:
    """kornia's output and params, always the same for one image."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        aug = getattr(K(), name)(**settings, p=1.0)
        return aug(x), aug._params


def theirs(name: str, **settings: Any) -> Callable[[Tensor], Tensor]:
    return lambda x: drawn(name, x, **settings)[0]


class Case(NamedTuple):
    """One comparison: both take a photo `[2, 3, 64, 96]` in [0, 1] and return images of one shape."""

    op: str  # the name in augfn
    peer: str  # kornia's class or function
    ours: Callable[[Tensor], Tensor]
    theirs: Callable[[Tensor], Tensor]
    tolerance: float = 1e-4
    margin: int = 0  # pixels at the border that are left out
    note: str = ""  # what had to be mapped: signs, units, names


def modules() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "__main__")


def cases() -> list[Case]:
    return [case for name in modules() for case in importlib.import_module(f"{__name__}.{name}").CASES]


def differences() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in modules():
        found |= importlib.import_module(f"{__name__}.{name}").DIFFERENCES
    return found


def distance(case: Case, x: Tensor) -> float:
    """The largest difference, the border left out."""
    ours, theirs = case.ours(x), case.theirs(x)
    if ours.shape != theirs.shape:
        raise ValueError(f"{case.op}: shapes {list(ours.shape)} and {list(theirs.shape)}")
    m = case.margin
    inside = (..., slice(m, ours.shape[-2] - m), slice(m, ours.shape[-1] - m))
    return float((ours[inside] - theirs[inside]).abs().max())

"""Peeks at values where they lie on the host in an eager call: never under a trace, never by waiting for a device."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from augfn.run.mode import is_plain


def peek(t: Any) -> np.ndarray | None:
    """The values of a tensor that is known here and now, else None (of what is no tensor, too)."""
    if not isinstance(t, Tensor) or not is_plain(t):
        return None
    t = t.detach()
    return np.from_dlpack(
        t.float() if t.is_floating_point() and t.itemsize == 2 else t
    )  # `numpy()` would pin the storage

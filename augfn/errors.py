"""Messages that teach: what was given, what is expected, and how to get there."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch


def explain(what: str, given: Any, expected: str, fix: str) -> str:
    """One message in four parts.

    >>> print(explain("rotate: bad range", (30, -30), "low <= high", "write degrees=(-30, 30)"))
    rotate: bad range.
      given:    (30, -30)
      expected: low <= high
      do this:  write degrees=(-30, 30)
    """
    return f"{what}.\n  given:    {show(given)}\n  expected: {expected}\n  do this:  {fix}"


def warn(message: str) -> None:
    """A warning at the line of the user's that called."""
    level, frame = 2, sys._getframe(1)
    while frame and frame.f_globals.get("__name__", "").split(".")[0] in ("augfn", "augfn_nn", "torch"):
        level, frame = level + 1, frame.f_back  # type: ignore[assignment]
    warnings.warn(message, stacklevel=level)


def needs(extra: str, what: str, error: ImportError) -> ImportError:
    """What to raise where a module of an extra is missing.

    >>> print(needs("tune", "search", ModuleNotFoundError("no module", name="optuna")))
    search needs optuna: pip install 'augfn[tune]'
    """
    return ImportError(f"{what} needs {error.name}: pip install 'augfn[{extra}]'", name=error.name)


def show(value: Any) -> str:
    """A short picture of a value: tensors and arrays by dtype and shape, all else by repr."""
    if isinstance(value, torch.Tensor | np.ndarray):
        kind = "tensor" if isinstance(value, torch.Tensor) else "array"
        return f"{kind} {str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 120 else text[:117] + "..."


MANY = 60  # of more names those that are akin are shown
VAGUE = ("random", "rand")  # words of names that say nothing


def unknown(what: str, name: object, valid: Iterable[str]) -> str:
    """The message for a name nobody knows, with the nearest one that exists, or those that share a word with it."""
    names = sorted(valid)
    near = get_close_matches(str(name), names)
    words = [w for w in re.findall(r"[a-z]{4,}", re.sub(r"([A-Z])", r" \1", str(name)).lower()) if w not in VAGUE]
    akin = sorted((n for n in names if any(w in n.lower() for w in words)), key=len)[:4]
    fix = f"did you mean {near[0]!r}?" if near else "use one of the names above"
    fix += f", perhaps {', '.join(akin)}" if akin and not near else ""
    some = list(dict.fromkeys([*near, *akin]))
    many = len(names) > MANY and some
    listed = f"{len(names)} names, such as {', '.join(some)}" if many else ", ".join(names) or "(none)"
    return explain(f"unknown {what}", name, f"one of {listed}", fix)

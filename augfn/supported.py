"""The versions that augfn runs on, asked before anything else is imported that an older one would fail at in its own words.

`pyproject.toml` has the same numbers, so that pip refuses what is refused here; `python -m benchmarks.matrix` tries them.
"""

import sys
import warnings
from collections.abc import Sequence

import torch

from augfn.errors import explain

PYTHON, TORCH = (3, 10), (2, 9)  # the oldest
# The oldest torch that is known to take every op whole: 2.9 does not compile all, nor does it differentiate a resample twice,
# or by vmap(grad) and jacrev to the params alone; nor does it mix or cut masks of 16-bit and longer unsigned numbers.
WHOLE = (2, 13)


def require(name: str, given: Sequence[int], least: tuple[int, int], fix: str) -> None:
    """Raises ImportError where a version is older than the oldest.

    >>> require("torch", (2, 10), (2, 9), "pip install 'torch>=2.9'")
    """
    if tuple(given[:2]) < least:
        shown, oldest = (".".join(map(str, version)) for version in (given, least))
        raise ImportError(explain(f"augfn does not run on this {name}", shown, f"{oldest} or newer", fix))


require("Python", sys.version_info[:3], PYTHON, "python3.10 -m venv .venv, or a newer one")
HERE = [int(n) for n in torch.__version__.split(".")[:2]]
require("torch", HERE, TORCH, "pip install 'torch>=2.9'")


def ask_compiler() -> None:
    """Warns where torch is older than `WHOLE`."""
    if tuple(HERE) < WHOLE:
        given, least = (".".join(map(str, version)) for version in (HERE, WHOLE))
        fix = f"pip install 'torch>={least}'"
        said = explain("the compiler of this torch does not take every op whole", given, f"{least} or newer", fix)
        warnings.warn(said, stacklevel=3)

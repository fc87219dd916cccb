"""The versions that augfn runs on, asked before anything else is imported that an older one would fail at in its own words.

`pyproject.toml` has the same numbers, so that pip refuses what is refused here; `python -m benchmarks.matrix` tries them.
"""

import sys
from collections.abc import Sequence

import torch

from augfn.errors import explain

PYTHON, TORCH = (3, 10), (2, 13)  # the oldest


def require(name: str, given: Sequence[int], least: tuple[int, int], fix: str) -> None:
    """Raises ImportError where a version is older than the oldest.

    >>> require("torch", (2, 14), (2, 13), "pip install 'torch>=2.13'")
    """
    if tuple(given[:2]) < least:
        shown, oldest = (".".join(map(str, version)) for version in (given, least))
        raise ImportError(explain(f"augfn does not run on this {name}", shown, f"{oldest} or newer", fix))


require("Python", sys.version_info[:3], PYTHON, "python3.10 -m venv .venv, or a newer one")
require("torch", [int(n) for n in torch.__version__.split(".")[:2]], TORCH, "pip install 'torch>=2.13'")

"""Progress bars, where they are wanted and can be shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def shown(items: Any, progress: bool, unit: str, **known: Any) -> Iterable[Any]:
    """The items, with a bar where one is wanted and there is a terminal; `known`: what a stream does not tell, `total` and
    `initial`."""
    if not progress:
        return items
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm (it is in augfn[analysis])") from error
    return tqdm(items, unit=f" {unit}", disable=None, **known)

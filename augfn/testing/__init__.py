"""The twelve laws of an augmentation, as one table: `check(op)` tries them all.

    from augfn.testing import check
    check(my_op)                                    # a factory, its name, or what it returned
    check(af.pipeline(af.hflip(p=0.5), my_op()))    # combinators too

Each law is a small function of a `Case` in `LAWS`; a law that does not hold raises an AssertionError that names it, the op and
what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

from augfn.testing.calculus import gradients, learnable
from augfn.testing.case import Case, example
from augfn.testing.case import case as case_of
from augfn.testing.landmarks import together, turns
from augfn.testing.programs import compiled
from augfn.testing.values import dtypes, independence, mapped, neutral, purity, replay, stable

LAWS: dict[int, Callable[[Case], None]] = {
    1: replay,
    2: purity,
    3: mapped,
    4: independence,
    5: gradients,
    6: learnable,
    7: compiled,
    8: neutral,
    9: together,
    10: dtypes,
    11: stable,
    12: turns,
}


def check(
    op: Any,
    *,
    batch: tuple[int, ...] = (3,),
    frame: tuple[int, ...] | None = None,
    channels: int = 3,
    dtype: torch.dtype = torch.float32,
    laws: Iterable[int] = tuple(LAWS),
    seed: int = 0,
) -> None:
    """Try the laws on an augmentation, for an image of the given shape; raises AssertionError where one does not hold.

    | argument | meaning |
    |---|---|
    | `op` | a factory, an op's name, or an augmentation; a factory is called with the `example` of its decorator |
    | `batch`, `channels`, `frame` | the shape `[*batch, channels, *frame]` of the image, or of the volume for 3-D steps |
    | `dtype` | float32 or float64; law 10 tries the others by itself |
    | `laws` | numbers of the laws to try, all by default |
    | `seed` | of the key |

    >>> import augfn as af
    >>> check(af.rotate, laws=[1, 3, 8])
    """
    tried = case_of(op, batch, frame, channels, dtype, seed)
    for number in laws:
        law = LAWS[number]
        try:
            law(tried)
        except Exception as error:
            shape = f"{str(dtype).removeprefix('torch.')} {list(tried.x.shape)}"
            raise AssertionError(f"law {number} ({law.__name__}) for {tried.f.name} on {shape}: {error}") from error


__all__ = ["LAWS", "Case", "check", "example"]

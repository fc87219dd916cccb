"""Gates: whether, or which of several, acts on a sample, and what is known of that before it is done.

A gate is *hard* where its values are 0 and 1 and nobody asks for a gradient to them. Then it decides: a closed one
leaves the sample alone, and neighbours fuse as if it were not there. Any other gate blends results.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from augfn.distributions import Distribution
from augfn.run.mode import asks_gradient, is_readable


@dataclass(frozen=True)
class Gate:
    """Whether something acts on a sample, `[*b]`, or which of several does, `[*b, n]`."""

    value: Tensor
    hard: bool = False

    def unbind(self) -> list[Gate]:
        return [Gate(v, self.hard) for v in self.value.unbind(-1)]


def with_gates(
    drawn: dict[str, Any], given: dict[str, Any], own: dict[str, Any], paths: Iterable[str]
) -> dict[str, Any]:
    """The drawn leaves, with a Gate for the value at each of these paths; what it was drawn from was `given`, and
    `own` are the augmentation's ranges."""
    return drawn | {p: Gate(drawn[p], is_hard(drawn[p], given[p], own.get(p))) for p in paths}


def is_hard(value: Tensor, given: Any, own: Any) -> bool:
    """By what it was drawn from; else by its values where they can be read, or by the range that a replay has lost."""
    if asks_gradient(value):
        return False
    if isinstance(given, Distribution) and given.hard:
        return True
    if is_readable(value):
        return bool(((value == 0) | (value == 1)).all())
    return not isinstance(given, Distribution) and isinstance(own, Distribution) and own.hard

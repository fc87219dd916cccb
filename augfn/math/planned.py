"""What is planned of a call, before it is done: frozen dataclasses whose tensors lead with the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

Index = slice | Tensor
Change = Callable[[Tensor, bool], Any]
P = TypeVar("P", bound="Planned")


@dataclass(frozen=True)
class Planned:
    """Base of maps, their stages and actions. What is done to all tensors of one (rows of the batch, another device,
    a gradient asked for) is derived here.

    A tensor has the batch's leading dims, or is a constant for all samples: `events` says how many dims one sample's
    value has, for fields that may be constants. Fields may hold other plans, tuples of them, or a dict of tensors.
    """

    events: ClassVar[dict[str, int]] = {}

    def event(self, name: str) -> int | None:
        return self.events.get(name)

    def mapped(self: P, change: Change) -> P:
        """The same with `change(tensor, leads)` for every tensor; `leads` is False of constants."""
        held = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: changed(v, self.event(n), change) for n, v in held.items() if holds(v)})

    def rows(self: P, index: Index) -> P:
        """For some samples of a batch of one dimension."""
        return self.mapped(lambda t, leads: t[index] if leads else t)

    def to(self: P, device: torch.device) -> P:
        return self.mapped(lambda t, _: t.to(device))

    def tensors(self) -> list[Tensor]:
        found: list[Tensor] = []
        self.mapped(lambda t, _: found.append(t) or t)
        return found


def holds(value: Any) -> bool:
    """True of what may hold tensors."""
    if isinstance(value, tuple):
        return any(map(holds, value))
    return isinstance(value, Tensor | Planned | Mapping)


def changed(value: Any, event: int | None, change: Change) -> Any:
    if isinstance(value, Tensor):
        return change(value, value.ndim != event)
    if isinstance(value, Planned):
        return value.mapped(change)
    if isinstance(value, tuple):
        return tuple(changed(v, event, change) for v in value)
    if isinstance(value, Mapping):
        return {n: changed(v, event, change) for n, v in value.items()}
    return value

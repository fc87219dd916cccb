"""The host: params are drawn and actions are planned there, and what a device needs of them is sent in one copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from augfn.core.actions import Action
from augfn.distributions import Distribution
from augfn.run.rows import open_rows

HOST = torch.device("cpu")


def home_of(leaves: dict[str, Any], device: torch.device, key: Any = None) -> torch.device:
    """Where params are drawn: on the host, but for a key, values or ranges that lie on the device already."""
    if device == HOST:
        return device
    return device if any(t.device == device for t in tensors_in({**leaves, "": key})) else HOST


def tensors_in(leaves: dict[str, Any]) -> Iterator[Tensor]:
    """The tensors among the leaves, and those of the distributions."""
    for leaf in leaves.values():
        parts = [getattr(leaf, f) for f in leaf.fields] if isinstance(leaf, Distribution) else (leaf,)
        yield from (t for t in parts if isinstance(t, Tensor))


def sent(actions: Sequence[Action], device: torch.device) -> list[Action]:
    """The actions with their tensors on the device, which gets them in one copy for each dtype; gates stay on the host,
    and the numbers of the rows that they open are sent along."""
    gates, actions = [a.gate for a in actions], [replace(with_index(a), gate=None) for a in actions]
    here: dict[torch.dtype, list[Tensor]] = {}
    for t in (t for a in actions for t in a.tensors()):
        if t.device != device:
            here.setdefault(t.dtype, []).append(t)
    there = {dtype: iter(copied(tensors, device)) for dtype, tensors in here.items()}

    def move(t: Tensor, leads: bool) -> Tensor:
        return t if t.device == device else next(there[t.dtype])

    return [replace(a.mapped(move), gate=gate) for a, gate in zip(actions, gates, strict=True)]


def with_index(a: Action) -> Action:
    rows = None if a.gate is None else open_rows(a.gate)
    return a if rows is None else replace(a, index=torch.tensor(rows, dtype=torch.int64))


def copied(tensors: list[Tensor], device: torch.device) -> list[Tensor]:
    """The tensors on the device, by way of one that holds them all."""
    whole = torch.cat([t.reshape(-1) for t in tensors])
    whole = whole.pin_memory() if device.type == "cuda" and not whole.requires_grad else whole
    parts = whole.to(device, non_blocking=True).split_with_sizes([t.numel() for t in tensors])
    return [part.view(t.shape) for part, t in zip(parts, tensors, strict=True)]

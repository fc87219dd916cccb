"""Widening: results of branches that differ in the number of their boxes, since one of them mixes, brought to one number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from augfn.core.boxes import Boxes, Keypoints


def widened(kind: str, values: list[Any], b: int) -> list[Any]:
    """The results of branches with as many rows as the longest has, the further ones not valid; class indices as soft labels
    where another result has such."""
    if kind == "label":
        soft = next((v for v in values if v.is_floating_point() and v.ndim > b), None)
        return values if soft is None else [as_soft(v, soft) for v in values]
    if kind not in ("boxes", "keypoints", "instances"):
        return values
    counts = [rows_of(kind, v, b) for v in values]
    most = max(counts)
    longest = values[counts.index(most)]
    return [v if n == most else longer(kind, v, most - n, longest, b) for v, n in zip(values, counts, strict=True)]


def as_soft(y: Tensor, soft: Tensor) -> Tensor:
    if y.is_floating_point():
        return y
    return (y[..., None] == torch.arange(soft.shape[-1], device=y.device)).to(soft.dtype)


def rows_of(kind: str, value: Any, b: int) -> int:
    tensor = value.data if isinstance(value, Boxes) else value.xy if isinstance(value, Keypoints) else value
    return tensor.shape[b] if kind == "instances" else tensor.shape[-2]


def longer(kind: str, value: Any, more: int, longest: Any, b: int) -> Any:
    """With so many rows more, of zeros."""
    if isinstance(value, Boxes):
        held = {"data": -2, "valid": -1, "seen": -1, "labels": b}
        rows = {n: grown(t, dim, more) for n, dim in held.items() if (t := getattr(value, n)) is not None}
        return replace(value, **rows)
    if isinstance(value, Keypoints):
        return Keypoints(grown(value.xy, -2, more), grown(value.visible, -1, more), longest.swap)
    return grown(value, b if kind == "instances" else -2, more)


def grown(x: Tensor, dim: int, more: int) -> Tensor:
    """`x` with so many zeros after it along a dim."""
    after = x.ndim - 1 - dim % x.ndim
    return pad(x, (0, 0) * after + (0, more))

"""Poses: keypoints of several people, and COCO's third number, as one list of points while they are moved."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from augfn.core.boxes import Keypoints


@dataclass(frozen=True)
class Fold:
    """How points were laid out: `lead` between the batch and the joints, `joints`, and whether they were a plain tensor,
    with COCO's visibility as one number more."""

    batch: int
    lead: tuple[int, ...]
    joints: int
    plain: bool
    levels: bool

    def undo(self, k: Any) -> Any:
        """The points as they were laid out. (Mixing has doubled the first of the leading dims, or the joints.)"""
        n = k.shape[-2] if isinstance(k, Tensor) else k.xy.shape[-2]
        each = math.prod(self.lead[1:]) * self.joints
        rows = (n // each if each else self.lead[0], *self.lead[1:], self.joints) if self.lead else (n,)
        if isinstance(k, Tensor):
            return k.unflatten(self.batch, rows)
        xy, visible = k.xy.unflatten(self.batch, rows), k.visible.unflatten(self.batch, rows)
        if not self.plain:
            return replace(
                k, xy=xy, visible=visible, swap=k.swap[: len(k.swap) // groups_of(k.xy, self)] if k.swap else ()
            )
        return torch.cat([xy, visible[..., None].to(xy.dtype)], -1)


def groups_of(xy: Tensor, fold: Fold) -> int:
    """How many times the joints are there."""
    return max(1, xy.shape[-2] // max(1, fold.joints))


def folded(value: Any, batch: int, d: int) -> tuple[Any, Fold | None]:
    """Points `[*b, N, d]`, or `Keypoints` of such, of any layout; None where they were that already."""
    xy = value.xy if isinstance(value, Keypoints) else value
    lead, joints = tuple(xy.shape[batch:-2]), xy.shape[-2]
    levels = isinstance(value, Tensor) and value.shape[-1] == d + 1
    if not lead and not levels:
        return value, None
    fold = Fold(batch, lead, joints, isinstance(value, Tensor), levels)
    if isinstance(value, Keypoints):
        swap = tuple((i + n * joints, j + n * joints) for n in range(math.prod(lead)) for i, j in value.swap)
        flat = {"xy": value.xy.flatten(batch, -2), "visible": value.visible.flatten(batch, -1)}
        return Keypoints(**flat, swap=swap), fold
    flat = value.flatten(batch, -2)
    return (Keypoints(flat[..., :d], flat[..., d]) if levels else flat), fold

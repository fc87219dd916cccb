"""Poses: keypoints of several people, and COCO's third number, as one list of points while they are moved."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from augfn.core.boxes import Keypoints


@dataclass(frozen=True)
class Fold:
    """How points were laid out: `lead` between the batch and the joints, `joints`, and whether they were a plain tensor,
    with COCO's visibility as one number more. `time`: the first of `lead` counts the frames of a clip."""

    batch: int
    lead: tuple[int, ...]
    joints: int
    plain: bool
    levels: bool
    time: bool = False

    def undo(self, k: Any) -> Any:
        """The points as they were laid out. (Mixing has doubled the first of the leading dims, or the joints.)"""
        if isinstance(k, Tensor):
            return self.laid_out(k)
        xy, visible = self.laid_out(k.xy), self.laid_out(k.visible)
        if not self.plain:
            return replace(k, xy=xy, visible=visible, swap=self.swaps(k, xy.shape[-2]))
        return torch.cat([xy, visible[..., None].to(xy.dtype)], -1)

    def swaps(self, k: Keypoints, points: int) -> tuple[tuple[int, int], ...]:
        """The swaps of so many points, of those of all joints."""
        groups = k.xy.shape[-2] // max(1, self.joints)
        return repeated(k.swap[: len(k.swap) // max(1, groups)], self.joints, points // max(1, self.joints))

    @property
    def rows(self) -> ClipRows:
        """Beside a video: how the points of all frames lie in one list."""
        return ClipRows(self.batch, self.lead[0], math.prod(self.lead[1:]) * self.joints)

    def retimed(self, frames: int) -> Fold:
        return replace(self, lead=(frames, *self.lead[1:]))

    def laid_out(self, x: Tensor) -> Tensor:
        lead, at = self.lead, self.batch
        if self.time:
            x = self.rows.laid_out(x)
            lead, at = lead[1:], at + 1
        each = math.prod(lead[1:]) * self.joints
        return x.unflatten(at, (x.shape[at] // each if each else lead[0], *lead[1:], self.joints)) if lead else x


@dataclass(frozen=True)
class ClipRows:
    """`each` rows of so many frames, `[*b, T, N, ...]`, as one list `[*b, T N, ...]` while they are moved."""

    batch: int
    time: int
    each: int

    def fold(self, value: Any) -> Any:
        return tree_map_only(Tensor, lambda x: x.flatten(self.batch, self.batch + 1), value)

    def undo(self, value: Any) -> Any:
        return tree_map_only(Tensor, self.laid_out, value)

    def laid_out(self, x: Tensor) -> Tensor:
        """(Mixing has put the partner's rows after those of all frames.)"""
        b, own = self.batch, self.time * self.each
        rows = (x.shape[b] // own if own else 1, self.time, self.each)
        return x.unflatten(b, rows).movedim(b, b + 1).flatten(b + 1, b + 2)

    def listed(self, x: Tensor) -> Tensor:
        """The inverse of `laid_out`, for any number of frames."""
        b, each = self.batch, self.each
        groups = x.shape[b + 1] // each if each else 1
        return x.unflatten(b + 1, (groups, each)).movedim(b + 1, b).flatten(b, b + 2)

    def retimed(self, frames: int) -> ClipRows:
        return replace(self, time=frames)


def repeated(swap: tuple[tuple[int, int], ...], joints: int, times: int) -> tuple[tuple[int, int], ...]:
    """The pairs of one set of joints, for so many of them in a row."""
    return tuple((i + n * joints, j + n * joints) for n in range(times) for i, j in swap)


def folded(value: Any, batch: int, d: int, time: int | None = None) -> tuple[Any, Fold | None]:
    """Points `[*b, N, d]`, or `Keypoints` of such, of any layout, beside a video of so many frames; None where they were
    that already."""
    xy = value.xy if isinstance(value, Keypoints) else value
    lead, joints = tuple(xy.shape[batch:-2]), xy.shape[-2]
    levels = isinstance(value, Tensor) and value.shape[-1] == d + 1
    if not lead and not levels:
        return value, None
    fold = Fold(batch, lead, joints, isinstance(value, Tensor), levels, bool(lead) and lead[0] == time)
    if isinstance(value, Keypoints):
        swap = repeated(value.swap, joints, math.prod(lead) if joints else 0)
        flat = {"xy": value.xy.flatten(batch, -2), "visible": value.visible.flatten(batch, -1)}
        return Keypoints(**flat, swap=swap), fold
    flat = value.flatten(batch, -2)
    return (Keypoints(flat[..., :d], flat[..., d]) if levels else flat), fold

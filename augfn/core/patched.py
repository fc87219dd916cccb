"""Patches: an image cut into a grid, with actions on each patch as an image of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from augfn.core.actions import Action, Size, each_of, is_moving
from augfn.core.targets import SPATIAL, Sample, Target
from augfn.errors import explain

Grid = tuple[int, int]
Run = Callable[[list[Action], Sample], Sample]


@dataclass(frozen=True)
class Patched(Action):
    """Groups of patches, `(first, last)` in the order of rows, each with what is done to its patches as one batch `[B n]`; the
    image is padded, or cut, by `sides` (left, right, top, bottom) first."""

    groups: tuple[tuple[int, int], ...]
    actions: tuple[tuple[Action, ...], ...]
    grid: Grid = (1, 1)
    sides: tuple[int, int, int, int] = (0, 0, 0, 0)
    mixes = True

    def size(self, size: Size) -> Size:
        left, right, top, bottom = (min(s, 0) for s in self.sides)
        return size[0] + top + bottom, size[1] + left + right

    def rows(self, index: Any) -> Patched:
        """For some samples; each group has the patches of a sample in a row."""

        def among(n: int) -> Tensor:
            return (index[:, None] * n + torch.arange(n, device=index.device)).flatten()

        each = zip(self.groups, self.actions, strict=True)
        some = tuple(tuple(a.rows(among(last - first)) for a in actions) for (first, last), actions in each)
        return replace(self, actions=some, gate=None if self.gate is None else self.gate[index])


def sides_of(size: Size, grid: Grid, padding: str) -> tuple[int, int, int, int]:
    """What is added ("same"), or cut off ("valid"), so that the grid divides the frame: left, right, top, bottom.

    >>> sides_of((5, 7), (2, 3), "same"), sides_of((5, 7), (2, 3), "valid")
    ((1, 1, 0, 1), (0, -1, 0, -1))
    """
    (h, w), (rows, columns) = size, grid
    if padding == "same":
        more = (-w % columns, -h % rows)
        return more[0] // 2, more[0] - more[0] // 2, more[1] // 2, more[1] - more[1] // 2
    less = (w % columns, h % rows)
    return -(less[0] // 2), less[0] // 2 - less[0], -(less[1] // 2), less[1] // 2 - less[1]


def cut(x: Tensor, grid: Grid) -> Tensor:
    """`[*b, H, W]` as patches `[rows x columns, *b, h, w]`, in the order of rows."""
    rows, columns = grid
    tiles = x.unflatten(-2, (rows, -1)).unflatten(-1, (columns, -1))
    return tiles.movedim(-4, 0).movedim(-2, 1).flatten(0, 1)


def joined(patches: Tensor, grid: Grid) -> Tensor:
    """The inverse of `cut`."""
    tiles = patches.unflatten(0, grid)
    return tiles.movedim(1, -2).movedim(0, -4).flatten(-2, -1).flatten(-3, -2)


def patched(action: Patched, s: Sample, run: Run) -> Sample:
    """The sample with each of its patches changed by itself."""
    some = {n: t for n, t in s.targets.items() if t.kind in SPATIAL}
    moved = [n for n, t in s.targets.items() if n not in some and t.kind in ("boxes", "keypoints", "intrinsics")]
    if moved and any(is_moving(a) for actions in action.actions for a in each_of(actions)):
        want, fix = "images and masks", "colour in patches, and geometry outside of them"
        raise ValueError(explain("geometry of patches moves no annotations", moved, want, fix))
    if any(t.kind in ("instances", "flow") for t in some.values()):
        raise ValueError(explain("patches", list(s.targets), "images and masks", "leave instances and flow out"))
    b, d = len(s.batch), 2
    pieces = {n: cut(pad(t.value, action.sides), action.grid) for n, t in some.items()}
    small = next(iter(pieces.values())).shape[-d:]
    out: dict[str, list[Tensor]] = {n: [] for n in pieces}
    for (first, last), actions in zip(action.groups, action.actions, strict=True):
        few = {n: x[first:last].movedim(0, b).flatten(0, b) for n, x in pieces.items()}
        count = next(iter(few.values())).shape[0]
        sample = Sample({n: Target(some[n].kind, x) for n, x in few.items()}, (count,), tuple(small), s.device)
        done = run(list(actions), sample)
        if done.size != sample.size:
            want, fix = f"steps that keep {tuple(small)}", "resize before or after"
            raise ValueError(explain("a step within patches changes their frame", done.size, want, fix))
        for n, t in done.targets.items():
            out[n].append(t.value.unflatten(0, (*s.batch, last - first)).movedim(b, 0))
    targets = dict(s.targets)
    for n, parts in out.items():
        whole = joined(torch.cat(parts), action.grid)
        targets[n] = Target(some[n].kind, pad(whole, tuple(-max(v, 0) for v in action.sides)))
    return s.changed(targets, action.size(s.size))

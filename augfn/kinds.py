"""Kinds: the small object that decides an op's action on every target, and how neighbours of one kind become one.

Each kind can be gated per sample, cut to rows of the batch (`part`) and, where it is linear in some sense, composed
with the next of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from augfn.errors import explain
from augfn.math.constants import identity_like
from augfn.math.maps import Map, alike, part
from augfn.math.resample import Sampling

Size = tuple[int, ...]


@dataclass(frozen=True)
class Geometric:
    """Moves pixels: a map from output to input coordinates and how to read between pixels."""

    map: Map
    sampling: Sampling = Sampling()

    def size(self, size: Size) -> Size:
        return self.map.size or size

    def gated(self, gate: Tensor, size: Size) -> Geometric:
        if self.size(size) != size:
            raise ValueError(frame_changes(size, self.map.size))
        return Geometric(self.map.gated(gate), self.sampling)

    def to(self, device: torch.device) -> Geometric:
        return Geometric(self.map.to(device), self.sampling)

    def part(self, rows: slice) -> Geometric:
        return Geometric(self.map.part(rows), self.sampling)

    def then(self, other: Geometric) -> Geometric:
        sampling = other.sampling if self.map.wild else self.sampling
        return Geometric(self.map.then(other.map), sampling)


@dataclass(frozen=True)
class Color:
    """A linear colour map y = A x + t over the channels: `matrix [*b, C, C]`, or `[*b, C]` for a diagonal A; `offset
    [*b, C]`. `clip` and `channels` as in Pixels; `gate` is there where a clip has to know it."""

    matrix: Tensor
    offset: Tensor
    clip: str = "none"
    channels: tuple[int, ...] | None = None
    gate: Tensor | None = None

    def size(self, size: Size) -> Size:
        return size

    @property
    def diagonal(self) -> bool:
        return self.matrix.ndim == self.offset.ndim

    def full(self, channels: int) -> Tensor:
        if not self.diagonal:
            return self.matrix
        return torch.diag_embed(self.matrix.expand(*self.matrix.shape[:-1], channels))

    def gated(self, gate: Tensor, size: Size) -> Color:
        (matrix, gate), offset = alike(self.matrix, gate[..., None]), alike(self.offset, gate)[0]
        neutral = torch.ones_like(matrix[..., :1]) if self.diagonal else identity_like(matrix)
        matrix = torch.lerp(neutral, matrix, gate if self.diagonal else gate[..., None])
        both = gate[..., 0] if self.gate is None else gate[..., 0] * self.gate
        return Color(matrix, offset * gate, self.clip, self.channels, both)

    def part(self, rows: slice) -> Color:
        matrix, offset = part(self.matrix, 1 if self.diagonal else 2, rows), part(self.offset, 1, rows)
        return replace(self, matrix=matrix, offset=offset, gate=part(self.gate, 0, rows))

    def then(self, other: Color) -> Color:
        if self.diagonal and other.diagonal:
            return Color(self.matrix * other.matrix, self.offset * other.matrix + other.offset, "none", self.channels)
        channels = max(self.matrix.shape[-1], other.matrix.shape[-1])
        a, b = self.full(channels), other.full(channels)
        offset = self.offset.expand(*self.offset.shape[:-1], channels)
        return Color(b @ a, (b @ offset[..., None])[..., 0] + other.offset, "none", self.channels)


@dataclass(frozen=True)
class Pixels:
    """New pixel values: a body and its leaves.

    * `kind`: "photometric", "filter" (sees the spatial axes) or "noise" (sees a field).
    * `clip`: what is done to values outside [0, 1] ("none", "clamp", "ste").
    * `channels`: those that the body sees; the others stay as they are. None: all.
    * `rgb`: it needs three of them; the op's name, for the error.
    * `planes`: the channels of the field of noise, None: as many as it sees.
    * `light`: it reads and writes the image once.
    """

    kind: str
    body: Callable[..., Tensor]
    leaves: Mapping[str, Any]
    clip: str = "none"
    channels: tuple[int, ...] | None = None
    rgb: str = ""
    planes: int | None = None
    light: bool = False
    gate: Tensor | None = None

    def size(self, size: Size) -> Size:
        return size

    def gated(self, gate: Tensor, size: Size) -> Pixels:
        return replace(self, gate=gate if self.gate is None else self.gate * gate)

    def part(self, rows: slice) -> Pixels:
        leaves = {n: v if v is None else v[rows] for n, v in self.leaves.items()}
        return replace(self, leaves=leaves, gate=part(self.gate, 0, rows))


@dataclass(frozen=True)
class Occlusion:
    """What is hidden, `[*b, H, W]` from 0 to 1, and what is shown there instead."""

    hidden: Tensor
    fill: float | tuple[float, ...] = 0.0
    fill_mask: float = 0.0

    def size(self, size: Size) -> Size:
        return size

    def gated(self, gate: Tensor, size: Size) -> Occlusion:
        return replace(self, hidden=self.hidden * gate.reshape(gate.shape + (1,) * len(size)))

    def part(self, rows: slice) -> Occlusion:
        return replace(self, hidden=self.hidden[rows])

    def then(self, other: Occlusion) -> Occlusion:
        return replace(self, hidden=1 - (1 - self.hidden) * (1 - other.hidden))


@dataclass(frozen=True)
class Mixing:
    """A partner for every sample (flat indices over the batch) and the weight of the own sample `[*b]`."""

    partner: Tensor
    weight: Tensor
    classes: int | None = None

    def size(self, size: Size) -> Size:
        return size

    def gated(self, gate: Tensor, size: Size) -> Mixing:
        return replace(self, weight=torch.lerp(torch.ones_like(self.weight), self.weight, gate.to(self.weight)))

    def other(self, x: Tensor) -> Tensor:
        """The partners' values of `x [*b, ...]`."""
        b = self.weight.ndim
        return x.flatten(0, b - 1).index_select(0, self.partner).reshape(x.shape)

    def blend(self, x: Tensor) -> Tensor:
        weight = expand(self.weight, x.ndim).to(x)
        return torch.lerp(self.other(x), x, weight)

    def select(self, x: Tensor) -> Tensor:
        return torch.where(expand(self.weight, x.ndim) >= 0.5, x, self.other(x))


@dataclass(frozen=True)
class Seeing:
    """An action that depends on other targets: `make(sample, leaves)` says which, once the sample is there.

    `needs`: the kinds of targets it looks at. `frame`: the size that comes out, None: as it was.
    """

    name: str
    make: Callable[..., Action]
    leaves: Mapping[str, Any]
    needs: tuple[str, ...]
    frame: Size | None = None
    gate: Tensor | None = None

    def size(self, size: Size) -> Size:
        return self.frame or size

    def gated(self, gate: Tensor, size: Size) -> Seeing:
        if self.size(size) != size:
            raise ValueError(frame_changes(size, self.frame))
        return replace(self, gate=gate if self.gate is None else self.gate * gate)

    def part(self, rows: slice) -> Seeing:
        leaves = {n: v if v is None else v[rows] for n, v in self.leaves.items()}
        return replace(self, leaves=leaves, gate=part(self.gate, 0, rows))

    def seen(self, sample: Any) -> Action:
        """The action, now that the sample is known."""
        action = self.make(sample, self.leaves)
        return action if self.gate is None else action.gated(self.gate, sample.size)


Action = Geometric | Color | Pixels | Occlusion | Mixing | Seeing


def frame_changes(before: Size, after: Size | None) -> str:
    return explain(
        "a step that changes the frame cannot be switched per sample",
        f"{before} -> {after}",
        "a frame that stays",
        "leave out p, or follow it by a resize outside of the choice",
    )


def expand(leaf: Tensor, ndim: int) -> Tensor:
    """`[*b]` to `[*b, 1, ...]` with `ndim` dims."""
    return leaf.reshape(leaf.shape + (1,) * (ndim - leaf.ndim))


def fuse(actions: list[Action]) -> list[Action]:
    """Neighbours of one kind become one: maps compose to one resample, colour maps multiply, occlusions unite."""
    out: list[Action] = []
    for run in runs(actions):
        if isinstance(run[0], Pixels | Mixing | Seeing) or (
            isinstance(run[0], Geometric) and all(a.map.copy for a in run)
        ):
            out += run
        else:
            out.append(run[0] if len(run) == 1 else merged(run))
    return out


def merged(run: list[Any]) -> Action:
    first = run[0]
    for second in run[1:]:
        first = first.then(second)
    return first


def runs(actions: list[Action]) -> list[list[Any]]:
    """Maximal runs of neighbours that may become one."""
    out: list[list[Any]] = []
    for a in actions:
        if out and type(out[-1][-1]) is type(a) and all(joins(b, a) for b in out[-1]):
            out[-1].append(a)
        else:
            out.append([a])
    return out


def joins(a: Action, b: Action) -> bool:
    if isinstance(a, Geometric) and isinstance(b, Geometric):
        return not b.map.barrier and (a.map.wild or b.map.wild or a.sampling is b.sampling or a.sampling == b.sampling)
    if isinstance(a, Color) and isinstance(b, Color):
        return a.clip == b.clip == "none" and a.channels == b.channels
    if isinstance(a, Occlusion) and isinstance(b, Occlusion):
        return (a.fill, a.fill_mask) == (b.fill, b.fill_mask)
    return True

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
from augfn.math.maps import Map
from augfn.math.resample import Sampling
from augfn.math.stages import alike, part
from augfn.run.constants import identity_like
from augfn.run.mode import untracked

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
    """A linear colour map y = A x + shift over the channels: `matrix [*b, C, C]`, or `scale [*b, C]` for a diagonal A;
    `shift [*b, C]`. None: the identity, and 0. A scale or a shift of one entry is for all channels.

    `clip` and `channels` as in Pixels; `gate` is there where a clip has to know it.
    """

    matrix: Tensor | None = None
    scale: Tensor | None = None
    shift: Tensor | None = None
    clip: str = "none"
    channels: tuple[int, ...] | None = None
    gate: Tensor | None = None

    def size(self, size: Size) -> Size:
        return size

    @property
    def width(self) -> int:
        """The number of channels it is made for, 1 for any."""
        return max(t.shape[-1] for t in (self.matrix, self.scale, self.shift) if t is not None)

    def full(self, channels: int) -> Tensor:
        """A as a matrix."""
        if self.matrix is not None:
            return self.matrix
        scale = torch.ones_like(self.shift) if self.scale is None else self.scale  # type: ignore[arg-type]
        return torch.diag_embed(scale.expand(*scale.shape[:-1], channels))

    def gated(self, gate: Tensor, size: Size) -> Color:
        matrix, scale, each = self.matrix, self.scale, gate[..., None]
        if matrix is not None:
            matrix = towards(identity_like(matrix), matrix, each[..., None])
        if scale is not None:
            scale = towards(torch.ones_like(scale[..., :1]), scale, each)
        both = gate if self.gate is None else gate * self.gate
        return replace(self, matrix=matrix, scale=scale, shift=times(self.shift, each), gate=both)

    def to(self, device: torch.device) -> Color:
        names = ("matrix", "scale", "shift", "gate")
        return replace(self, **{n: t.to(device) for n in names if (t := getattr(self, n)) is not None})

    def part(self, rows: slice) -> Color:
        matrix, scale, shift = part(self.matrix, 2, rows), part(self.scale, 1, rows), part(self.shift, 1, rows)
        return replace(self, matrix=matrix, scale=scale, shift=shift, gate=part(self.gate, 0, rows))

    def then(self, other: Color) -> Color:
        if self.matrix is None and other.matrix is None:
            scale = other.scale if self.scale is None else times(self.scale, other.scale)
            return Color(None, scale, plus(times(self.shift, other.scale), other.shift), channels=self.channels)
        channels = max(self.width, other.width)
        matrix, moved = other.full(channels), self.shift
        if moved is not None:
            moved = (matrix @ moved.expand(*moved.shape[:-1], channels)[..., None])[..., 0]
        return Color(matrix @ self.full(channels), None, plus(moved, other.shift), channels=self.channels)


def times(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """`a b`, where a None is 0 and b None 1."""
    return a if a is None or b is None else torch.mul(*alike(a, b))


def plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """`a + b`, where None is 0."""
    return b if a is None else a if b is None else a + b


def towards(neutral: Tensor, value: Tensor, gate: Tensor) -> Tensor:
    """From neutral (gate 0) to value (gate 1)."""
    value, gate = alike(value, gate)
    return torch.lerp(neutral.to(value), value, gate)


@dataclass(frozen=True)
class Pixels:
    """New pixel values: a body and its leaves.

    * `kind`: "photometric", "filter" (sees the spatial axes) or "noise" (sees a field).
    * `clip`: what is done to values outside [0, 1] ("none", "clamp", "ste").
    * `channels`: those that the body sees; the others stay as they are. None: all.
    * `name`: the op's.
    * `requires_rgb`: it needs three channels.
    * `field_channels`: of the field of noise, None: as many as it sees.
    * `single_pass`: it reads and writes the image once. `convolves`: it is one call of a library's kernel.
    * `planar`: of a volume it sees the slices as images.
    """

    kind: str
    body: Callable[..., Tensor]
    leaves: Mapping[str, Any]
    clip: str = "none"
    channels: tuple[int, ...] | None = None
    name: str = ""
    requires_rgb: bool = False
    field_channels: int | None = None
    single_pass: bool = False
    convolves: bool = False
    planar: bool = False
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
        return between(self.other(x), x, weight)

    def select(self, x: Tensor) -> Tensor:
        return torch.where(expand(self.weight, x.ndim) >= 0.5, x, self.other(x))


@dataclass(frozen=True)
class Seeing:
    """An action that depends on other targets: `make(sample, leaves)` says which, once the sample is there.

    `needs`: the kinds of targets it looks at. `frame`: the size that comes out, None: as it was. `moves`: it is geometric.
    """

    name: str
    make: Callable[..., Action]
    leaves: Mapping[str, Any]
    needs: tuple[str, ...]
    frame: Size | None = None
    moves: bool = True
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


def between(old: Tensor, new: Tensor, gate: Tensor) -> Tensor:
    """From old (gate 0) to new (gate 1), a line in between; at its ends bit for bit, also of what is not finite."""
    if untracked(old, new, gate):
        return torch.where(gate == 0, old, torch.where(gate == 1, new, torch.lerp(old, new, gate)))
    difference = new - old
    difference = torch.where((gate == 0) | (gate == 1), torch.nan_to_num(difference, 0.0, 0.0, 0.0), difference)
    return torch.where(gate < 0.5, old + gate * difference, new - (1 - gate) * difference)


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


def turns_in_place(m: Map) -> bool:
    """True if it copies, but not from an upright window: quarter turns."""
    return m.wild and not m.window


def joins(a: Action, b: Action) -> bool:
    if isinstance(a, Geometric) and isinstance(b, Geometric):
        free, antialiased = a.map.wild or b.map.wild, a.sampling.antialias or b.sampling.antialias
        if antialiased and ((turns_in_place(a.map) and b.map.window) or (turns_in_place(b.map) and a.map.window)):
            return False  # together they would be no window, which is read better, and to copy costs little
        return not b.map.barrier and (free or a.sampling is b.sampling or a.sampling == b.sampling)
    if isinstance(a, Color) and isinstance(b, Color):
        return a.clip == b.clip == "none" and a.channels == b.channels
    if isinstance(a, Occlusion) and isinstance(b, Occlusion):
        return (a.fill, a.fill_mask) == (b.fill, b.fill_mask)
    return True

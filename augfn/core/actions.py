"""Actions: the small object that decides an op on every target, and how neighbours of one kind become one.

An action says what is done to a sample. Whether it is done, per sample, is its `gate`, which has one meaning for all:
where it is closed (0) the sample stays as it is, bit for bit. What lies between 0 and 1, or learns, is a `Blend` of
results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor

from augfn.core.gates import Gate
from augfn.errors import explain
from augfn.math.maps import Map
from augfn.math.planned import Planned
from augfn.math.resample import Sampling
from augfn.math.shapes import expand
from augfn.math.stages import alike, select
from augfn.run.constants import identity_like

Size = tuple[int, ...]
A = TypeVar("A", bound="Action")


@dataclass(frozen=True, kw_only=True)
class Action(Planned):
    """Base of the kinds. `gate [*b]` holds only 0 and 1; it stays on the host, where it says which rows are touched.
    `index`: the numbers of those rows, where the sample is not on the host."""

    gate: Tensor | None = None
    index: Tensor | None = None
    mixes: ClassVar[bool] = False  # it needs the whole batch
    retimes: ClassVar[bool] = False  # it changes which frames of a clip there are

    def size(self, size: Size) -> Size:
        """The frame that comes out of one of this size."""
        return size

    def gated(self, gate: Gate, size: Size) -> Action:
        """The same for samples whose gate is open."""
        if self.size(size) != size:
            raise ValueError(frame_changes(size, self.size(size)))
        if not gate.hard:
            return Blend(gate.value[..., None], ((self,),))
        return replace(self, gate=gate.value if self.gate is None else self.gate * gate.value)

    def ungated(self: A) -> A:
        return self if self.gate is None else replace(self, gate=None, index=None)


@dataclass(frozen=True)
class Geometric(Action):
    """Moves pixels: a map from output to input coordinates and how to read between pixels."""

    map: Map
    sampling: Sampling = Sampling()

    def size(self, size: Size) -> Size:
        return self.map.size or size

    def settled(self) -> Map:
        """The map with the gate made part of it, so that it can be composed."""
        return self.map if self.gate is None else self.map.chosen(self.gate)

    def then(self, other: Geometric) -> Geometric:
        sampling = other.sampling if self.map.exact else self.sampling
        return Geometric(self.settled().then(other.settled()), sampling, gate=either(self.gate, other.gate))


@dataclass(frozen=True)
class Color(Action):
    """A linear colour map y = A x + shift over the channels: `matrix [*b, C, C]`, or `scale [*b, C]` for a diagonal A;
    `shift [*b, C]`. None: the identity, and 0. A scale or a shift of one entry is for all channels.

    `clip` and `channels` as in Pixels.
    """

    matrix: Tensor | None = None
    scale: Tensor | None = None
    shift: Tensor | None = None
    clip: str = "none"
    channels: tuple[int, ...] | None = None
    events: ClassVar[dict[str, int]] = {"matrix": 2, "scale": 1, "shift": 1}

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

    def settled(self) -> Color:
        if self.gate is None:
            return self
        matrix, scale, shift = self.matrix, self.scale, self.shift
        if matrix is not None:
            matrix = select(self.gate, matrix, identity_like(matrix), 2)
        if scale is not None:
            scale = select(self.gate, scale, torch.ones_like(scale), 1)
        if shift is not None:
            shift = select(self.gate, shift, torch.zeros_like(shift), 1)
        return replace(self, matrix=matrix, scale=scale, shift=shift, gate=None)

    def then(self, other: Color) -> Color:
        gate, first, second = either(self.gate, other.gate), self.settled(), other.settled()
        if first.matrix is None and second.matrix is None:
            scale = second.scale if first.scale is None else times(first.scale, second.scale)
            shift = plus(times(first.shift, second.scale), second.shift)
            return Color(None, scale, shift, channels=self.channels, gate=gate)
        channels = max(first.width, second.width)
        (matrix, before), moved = alike(second.full(channels), first.full(channels)), first.shift
        if moved is not None:
            moved = (matrix @ moved.to(matrix).expand(*moved.shape[:-1], channels)[..., None])[..., 0]
        shift = plus(moved, second.shift)
        return Color(matrix @ before, None, shift, channels=self.channels, gate=gate)


def times(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """`a b`, where a None is 0 and b None 1."""
    return a if a is None or b is None else torch.mul(*alike(a, b))


def plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """`a + b`, where None is 0."""
    return b if a is None else a if b is None else a + b


def either(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """Open where one of both is; None is always open."""
    return None if a is None or b is None else torch.maximum(*alike(a, b))


@dataclass(frozen=True)
class Pixels(Action):
    """New pixel values: a body and its leaves.

    * `kind`: "photometric", "filter" (sees the spatial axes) or "noise" (sees a field).
    * `clip`: what is done to values outside [0, 1] ("none", "clamp", "ste").
    * `channels`: those that the body sees; the others stay as they are. None: all.
    * `name`: the op's.
    * `requires_rgb`: it needs three channels.
    * `field_channels`: of the field of noise, None: as many as it sees; `fields` of them, along its channels.
    * `single_pass`: it reads and writes the image once. `convolves`: it is one call of a library's kernel.
    * `pointwise`: what it makes of a pixel depends on that pixel alone, so that rows of a large image can be made apart.
    * `planar`: of a volume it sees the slices as images.
    * `per_channel`: leaves are `[*b, C, *event]`, and the body sees each channel as an image of its own.
    """

    kind: str
    body: Callable[..., Tensor]
    leaves: Mapping[str, Any]
    clip: str = "none"
    channels: tuple[int, ...] | None = None
    name: str = ""
    requires_rgb: bool = False
    field_channels: int | None = None
    fields: int = 1
    single_pass: bool = False
    convolves: bool = False
    pointwise: bool = False
    planar: bool = False
    per_channel: bool = False
    foreign: bool = False  # the body is not augfn's own, and may return what it holds


@dataclass(frozen=True)
class Depths(Pixels):
    """New values of depth maps; images stay."""


@dataclass(frozen=True)
class Occlusion(Action):
    """What is hidden, `[*b, H, W]` from 0 to 1, and what is shown there instead."""

    hidden: Tensor
    fill: float | tuple[float, ...] = 0.0
    fill_mask: float = 0.0

    def settled(self) -> Tensor:
        if self.gate is None:
            return self.hidden
        gate = self.gate.to(self.hidden.device)
        return select(gate, self.hidden, torch.zeros_like(self.hidden), self.hidden.ndim - self.gate.ndim)

    def then(self, other: Occlusion) -> Occlusion:
        hidden = 1 - (1 - self.settled()) * (1 - other.settled())
        return replace(self, hidden=hidden, gate=either(self.gate, other.gate))


@dataclass(frozen=True)
class Layer(Planned):
    """What is painted over the samples: a partner for each, as it is or moved by a map from this frame to the partner's,
    where the cover is 1.

    * `partner [b]`: numbers of samples in the flattened batch. `cover [*b]`: how much of it shows everywhere, or
      `[*b, *frame]`: where. `share [*b]`: the weight of its label.
    * `comes [*b, N]`: which of the partner's boxes come along; None: all. `hard`: the cover is 0 or 1.
    * `spans [*b, d, 2]`: start and end along the array's axes, where the cover is a rectangle; `corner [*b, 2]`: where
      (left, top) the partner's first pixel lies, where the map moves it by whole pixels. Known, they spare a look at every pixel.
    """

    partner: Tensor
    cover: Tensor
    share: Tensor
    map: Map | None = None
    comes: Tensor | None = None
    hard: bool = False
    spans: Tensor | None = None
    corner: Tensor | None = None

    def gated(self, gate: Gate) -> Layer:
        cover = self.cover * expand(gate.value.to(self.share), self.cover.ndim)
        share = self.share * gate.value.to(self.share)
        return replace(self, cover=cover, share=share, hard=self.hard and gate.hard)


@dataclass(frozen=True)
class Mixing(Action):
    """Layers over the samples, in order; labels of `classes` become soft. `own`: where the sample itself goes, in a frame
    of another size, with `fill` and `fill_mask` around it."""

    layers: tuple[Layer, ...]
    classes: int | None = None
    own: Map | None = None
    fill: float = 0.0
    fill_mask: float = 0.0
    mixes = True

    def size(self, size: Size) -> Size:
        return (self.own.size if self.own is not None else None) or size

    def gated(self, gate: Gate, size: Size) -> Mixing:
        """A closed gate covers nothing; since results are linear in the covers, one in between blends them."""
        if self.size(size) != size or self.own is not None:
            raise ValueError(frame_changes(size, self.size(size)))
        return replace(self, layers=tuple(layer.gated(gate) for layer in self.layers))

    def beside(self, other: Mixing) -> Mixing:
        """Both, for samples of which each meets one of them alone."""
        known = {m.classes for m in (self, other) if m.classes is not None}
        if len(known) > 1:
            fix = f"num_classes={max(known)} in all branches"
            raise ValueError(explain("mixes of several num_classes", sorted(known), "one number of classes", fix))
        return replace(self, layers=self.layers + other.layers, classes=next(iter(known), None))


@dataclass(frozen=True)
class Convert(Action):
    """Images of another dtype: `cast(x)`."""

    cast: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Temporal(Action):
    """Other frames of a clip: their numbers `order [*b, T']`. `flow`: those that follow each other still do; `name`: the
    op's."""

    order: Tensor
    flow: bool = False
    name: str = ""


@dataclass(frozen=True)
class Deferred(Action):
    """An action that depends on other targets: `make(sample, leaves)` says which, once the sample is there.

    `needs`: the kinds of targets it looks at. `frame`: the size that comes out, None: as it was. `moves`: it is geometric.
    """

    name: str
    make: Callable[..., Action]
    leaves: Mapping[str, Any]
    needs: tuple[str, ...]
    frame: Size | None = None
    moves: bool = True
    mix: bool = False
    within: Gate | None = None  # of what mixes, whose samples cannot be run alone

    @property
    def mixes(self) -> bool:  # type: ignore[override]
        return self.mix

    @property
    def retimes(self) -> bool:  # type: ignore[override]
        return "video" in self.needs

    def size(self, size: Size) -> Size:
        return self.frame or size

    def gated(self, gate: Gate, size: Size) -> Action:
        if not self.mixes:
            return super().gated(gate, size)
        before = gate if self.within is None else Gate(gate.value * self.within.value, gate.hard and self.within.hard)
        return replace(self, within=before)

    def seen(self, sample: Any) -> Any:
        """The action, now that the sample is known."""
        action = self.make(sample, self.leaves)
        return action if self.within is None else action.gated(self.within, sample.size)


@dataclass(frozen=True)
class Blend(Action):
    """Branches of actions, each with a weight `[*b, n]`: the sum of their results, and of the sample as it was with
    what is missing to 1. So its gradient to a weight is the difference that the branch makes."""

    weights: Tensor
    branches: tuple[tuple[Action, ...], ...]
    frame: Size | None = None  # that all branches end in, where it is another one: then weights sum to 1
    hard: bool = False  # weights are 0 and 1
    moves: bool | None = None  # that some branch moves things, where branches were left out since

    @property
    def mixes(self) -> bool:  # type: ignore[override]
        return any(a.mixes for branch in self.branches for a in branch)

    @property
    def moving(self) -> bool:
        """True if some branch moves things, so that what lies at a place is not that of before."""
        return any(is_moving(a) for branch in self.branches for a in branch) if self.moves is None else self.moves

    def size(self, size: Size) -> Size:
        return self.frame or size

    def gated(self, gate: Gate, size: Size) -> Blend:
        if self.size(size) != size:
            raise ValueError(frame_changes(size, self.size(size)))
        return replace(self, weights=self.weights * gate.value[..., None])

    @property
    def rest(self) -> Tensor:
        """The weight of the sample as it was."""
        return 1 - self.weights.sum(-1)

    def heaviest(self) -> Tensor:
        """The number of each sample's branch of the largest weight, -1 for the sample as it was."""
        return torch.cat([self.rest[..., None], self.weights], -1).argmax(-1) - 1


def each_of(actions: Iterable[Action]) -> Iterator[Action]:
    """All actions, those within blends too."""
    for a in actions:
        yield a
        for branch in a.branches if isinstance(a, Blend) else ():
            yield from each_of(branch)


def is_moving(a: Action) -> bool:
    return (
        a.moving
        if isinstance(a, Blend)
        else a.mixes or isinstance(a, Geometric) or (isinstance(a, Deferred) and a.moves)
    )


def chosen(actions: Iterable[Action], size: Size) -> Iterator[Action]:
    """The actions without blends, which stand for their heaviest branch."""
    for a in actions:
        if isinstance(a, Blend):
            best = a.heaviest()
            for k, branch in enumerate(a.branches):
                gate = Gate((best == k).to(a.weights.dtype), True)
                yield from (b.gated(gate, size) for b in chosen(branch, size))
        else:
            yield a


def blend(old: Tensor, new: Tensor, gate: Tensor) -> Tensor:
    """From old (gate 0) to new (gate 1), a line in between; at its ends bit for bit, also of what is not finite."""
    gate = gate.to(old.dtype)
    difference = new - old
    ends = (gate == 0) | (gate == 1)
    difference = torch.where(ends, torch.nan_to_num(difference, 0.0, 0.0, 0.0), difference)
    return torch.where(gate < 0.5, old + gate * difference, new - (1 - gate) * difference)


def frame_changes(before: Size, after: Size | None) -> str:
    return explain(
        "a step that changes the frame cannot be switched per sample",
        f"{before} -> {after}",
        "a frame that stays, or a choice whose branches end in one frame",
        "leave out p; or resize within: af.maybe(af.pipeline(f, af.resize(size=...)), p=0.5)",
    )

"""The vocabulary of leaves: an op's annotations say what each of its parameters means, and what a user may write.

A parameter annotated with one of these types is a leaf of `params`: it is drawn per sample, replayed, edited and
learned. Every other keyword of an op is static (a size, a mode): it decides a shape or a branch. To a type checker a
leaf is Any: its default is a distribution or a number, what the body sees is the drawn tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from torch import Tensor

from augfn.distributions import Distribution

__all__ = [
    "Area",
    "Chance",
    "Clip",
    "Degrees",
    "Degrees2",
    "Degrees3",
    "Factor",
    "Fraction",
    "Interpolation",
    "Leaf",
    "Level",
    "Padding",
    "Position2",
    "Range",
    "Ratio",
    "Scale",
    "Seed",
    "Shift2",
    "Shift3",
    "Sigma",
    "SortKey",
    "Turns",
    "Weight",
]

# What a user writes for a leaf: a number is fixed, a pair (low, high) is a range, with a pair for each axis of a vector;
# a tensor of values or a distribution is taken as it is.
Range = float | tuple[Any, ...] | list[Any] | Tensor | Distribution
Chance = float | Tensor | Distribution  # of an op to act: a number from 0 to 1, or a distribution of gates
Interpolation = Literal["bilinear", "nearest", "bicubic"]
Padding = Literal["zeros", "constant", "border", "edge", "reflection", "reflect", "symmetric"]
Clip = Literal["none", "clamp", "ste"]


@dataclass(frozen=True)
class Leaf:
    """What a leaf means: unit, shape of one sample's value, neutral value, valid interval, and a word on its
    gradient."""

    unit: str
    shape: tuple[int, ...] = ()
    neutral: float | None = None
    low: float | None = None
    high: float | None = None
    flat: str = ""  # why the gradient to this leaf is zero, where mathematics forces it
    grads: tuple[str, ...] = ()  # settings of `grad` with which one reaches it nevertheless
    switch: bool = False  # it decides whether, or which of several, acts
    index: bool = False  # it is the number of something
    volume: tuple[int, ...] | None = None  # its shape in a volume, where that is another one
    each_frame: bool = False  # it is another one in each frame of a clip
    per_channel: int | None = None  # for each of so many channels one value, along a first dim; 0: those of the image

    def sized(self, *shape: int) -> Leaf:
        return replace(self, shape=shape)

    def within(self, ndim: int, channels: int) -> Leaf:
        """With the shape that it has for frames of so many dimensions and images of so many channels."""
        shape = self.volume if ndim == 3 and self.volume is not None else self.shape
        if self.per_channel is not None:
            shape = (self.per_channel or channels, *shape)
        return replace(self, shape=shape, volume=None, per_channel=None)

    @property
    def fixed_shape(self) -> tuple[int, ...]:
        """The shape that is known without a sample: that of one number where it depends on it."""
        return () if self.sizable else self.shape

    def counts(self, n: int) -> bool:
        """True if a sequence of n may be a vector of this leaf."""
        return n in [s[0] for s in (self.shape, self.volume) if s] or (self.per_channel is not None and not self.shape)

    @property
    def rank(self) -> int:
        """The number of dims of one sample's value."""
        return len(self.shape) + (self.per_channel is not None)

    @property
    def sizable(self) -> bool:
        """True if its shape depends on the sample."""
        return self.volume is not None or self.per_channel is not None


Degrees = Annotated[Any, Leaf("degrees", neutral=0.0)]
Degrees2 = Annotated[Any, Leaf("degrees (x, y)", (2,), neutral=0.0)]
Degrees3 = Annotated[Any, Leaf("degrees (x, y, z)", (3,), neutral=0.0)]
Factor = Annotated[Any, Leaf("factor", neutral=1.0, low=0.0)]
Scale = Annotated[Any, Leaf("zoom factor, > 1 magnifies", neutral=1.0, low=1e-6)]
Turns = Annotated[Any, Leaf("turns", neutral=0.0)]
Shift2 = Annotated[Any, Leaf("fraction of (width, height)", (2,), neutral=0.0)]
Shift3 = Annotated[Any, Leaf("fraction of (width, height, depth)", (3,), neutral=0.0)]
Fraction = Annotated[Any, Leaf("fraction", neutral=0.0, low=0.0, high=1.0)]
Area = Annotated[Any, Leaf("fraction of the area", low=0.0, high=1.0)]
Ratio = Annotated[Any, Leaf("width / height", low=1e-6)]
Position2 = Annotated[Any, Leaf("position (x, y): 0 = left or top, 1 = right or bottom", (2,), low=0.0, high=1.0)]
Sigma = Annotated[Any, Leaf("pixels", neutral=0.0, low=0.0)]
Level = Annotated[Any, Leaf("intensity, full scale = 1", neutral=0.0)]
Weight = Annotated[Any, Leaf("weight of the own sample", neutral=1.0, low=0.0, high=1.0)]
Seed = Annotated[
    Any,
    Leaf("seed of a field: two uniform numbers", (2,), low=0.0, high=1.0, flat="a seed only names a field of noise"),
]
SortKey = Annotated[Any, Leaf("sort key", low=0.0, high=1.0, flat="an order is piecewise constant in its sort keys")]
CHANNEL_GATE = Leaf("gate of a channel: 0 = off, 1 = on", neutral=0.0, low=0.0, high=1.0)
GATE = Leaf("gate: 0 = off, 1 = on", neutral=0.0, low=0.0, high=1.0, switch=True)

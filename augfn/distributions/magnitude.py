"""Magnitudes: how policies turn a level into an op's argument."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augfn.distributions.base import Distribution, Limits
from augfn.errors import explain
from augfn.math.shapes import cast, picked
from augfn.math.variates import gaussian, straight_through

SPREADS = ("fixed", "normal", "uniform", "bins")
STEPS = ("none", "trunc", "round")


class Magnitude(Distribution):
    """An op's argument at a level of a policy: scale (centre + s v), where v is read from a table of the arguments at the levels
    0, 1, ..., linear in between, and s is a random sign, or 1.

    * `level`, and its `spread`: "fixed"; "normal", with `std`, clipped to the table's ends; "uniform" between
      `std` and the level; "bins", one of the whole levels from 0 to it.
    * `table [n]`: the arguments at the levels 0 to n - 1. `signed`: s is -1 or 1, equally likely.
    * `step`: v as it is, truncated towards 0, or rounded (half to even); straight-through. `least`: the smallest result.
    * `along`: the axes of a vector leaf, such as (1, 0) for x alone.

    The gradient reaches level, std and table; where a step or an end clips, it is that of the number before.

    >>> Magnitude(9.0, torch.linspace(0, 30, 31), signed=True).draw(torch.tensor([[0.5, 0.2], [0.5, 0.7]]))
    tensor([-9.,  9.])
    """

    fields = ("level", "table", "std")
    static = ("spread", "signed", "centre", "scale", "step", "least", "along")
    level: Tensor
    table: Tensor
    std: Tensor
    signed: bool
    along: tuple[float, ...] | None
    settings = ("std",)

    @property
    def limits(self) -> Limits:  # type: ignore[override]
        return {"level": (0.0, len(self.table) - 1.0)}

    def __init__(
        self,
        level: Any,
        table: Any,
        std: Any = 0.0,
        spread: str = "fixed",
        signed: bool = False,
        centre: float = 0.0,
        scale: float = 1.0,
        step: str = "none",
        least: float | None = None,
        along: Any = None,
    ) -> None:
        for what, given, known in (("spread", spread, SPREADS), ("step", step, STEPS)):
            if given not in known:
                raise ValueError(explain(f"Magnitude: {what}", given, f"one of {known}", f'{what}="{known[0]}"'))
        static = {
            "spread": spread,
            "signed": signed,
            "centre": float(centre),
            "scale": float(scale),
            "step": step,
            "least": least,
        }
        self._set(level=level, table=table, std=std, **static, along=None if along is None else tuple(along))
        if self.table.ndim != 1 or len(self.table) < 2 or self.level.ndim:
            given, want = [list(self.level.shape), list(self.table.shape)], "one level, and table [n], n >= 2"
            raise ValueError(explain("Magnitude: a level and its table", given, want, "Magnitude(9.0, [0.0, 30.0])"))

    def value_shape(self) -> tuple[int, ...]:
        return () if self.along is None else (len(self.along),)

    @property
    def noise_shape(self) -> tuple[int, ...]:
        return (2,)

    def levels(self, u: Tensor) -> Tensor:
        """The level `[*b]` for noise `[*b]`."""
        level, _, std = self.tensors(u)
        u = cast(u, level.dtype)
        if self.spread == "normal":
            drawn = level + std * gaussian(u)
            return straight_through(drawn.clamp(0, len(self.table) - 1), drawn)
        if self.spread == "uniform":
            return std + (level - std) * u
        if self.spread == "bins":
            drawn = u * (level + 1)
            return straight_through(torch.floor(drawn), drawn)
        return level.expand(u.shape)

    def draw(self, u: Tensor) -> Tensor:
        first, second = u.unbind(-1)
        level, table = self.levels(first), self.tensors(u)[1]
        below = level.detach().floor().clamp(0, len(table) - 2)
        index = below.long()
        v = torch.lerp(picked(table, index), picked(table, index + 1), level - below)
        if self.step != "none":
            v = straight_through(v.trunc() if self.step == "trunc" else v.round(), v)
        if self.signed:
            v = torch.where(second < 0.5, -v, v)
        v = (v + self.centre) * self.scale
        if self.least is not None:
            v = straight_through(v.clamp(min=self.least), v)
        return v if self.along is None else v[..., None] * torch.tensor(self.along, dtype=v.dtype, device=v.device)

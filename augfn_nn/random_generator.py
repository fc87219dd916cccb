"""Draws for custom augmentations in kornia's way (`augfn_nn.bridge`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augfn.errors import explain

__all__ = ["PlainUniformGenerator", "RandomGeneratorBase"]


class RandomGeneratorBase(nn.Module):
    """A generator of params: `forward(batch_shape, same_on_batch)` returns a dict of tensors that lead with the batch."""

    def forward(self, batch_shape: Sequence[int], same_on_batch: bool = False) -> dict[str, Tensor]:
        raise NotImplementedError


class PlainUniformGenerator(RandomGeneratorBase):
    """Uniform numbers under names: `(range, name, centre, bounds)` each, from torch's generator.

    * `range`: (low, high), or a number x for centre - x to centre + x, cut off at `bounds` (low, high) where they are given.

    >>> made = PlainUniformGenerator(((0.0, 1.0), "factor", None, None))
    >>> made((4,))["factor"].shape
    torch.Size([4])
    """

    def __init__(self, *samplers: tuple[Any, str, float | None, tuple[float, float] | None]) -> None:
        super().__init__()
        self.ranges = {name: ends_of(name, value, centre, bounds) for value, name, centre, bounds in samplers}

    def forward(self, batch_shape: Sequence[int], same_on_batch: bool = False) -> dict[str, Tensor]:
        n = batch_shape[0]
        out = {}
        for name, (low, high) in self.ranges.items():
            u = torch.rand(1 if same_on_batch else n)
            out[name] = (low + (high - low) * u).expand(n)
        return out


def ends_of(name: str, value: Any, centre: float | None, bounds: tuple[float, float] | None) -> tuple[Any, Any]:
    given = torch.as_tensor(value, dtype=torch.float32) if not isinstance(value, Tensor) else value
    if not given.ndim:
        middle = 0.0 if centre is None else centre
        given = torch.stack([middle - given, middle + given])
        given = given if bounds is None else given.clamp(*bounds)
    if list(given.shape) != [2]:
        raise ValueError(explain(f"PlainUniformGenerator: {name}", value, "a number, or (low, high)", "(0.0, 1.0)"))
    return given[0], given[1]

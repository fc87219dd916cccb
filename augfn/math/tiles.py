"""Tiles: a frame cut by a grid, whose tiles change places; a stage of a map, and the same as a copy of pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from augfn.math.planned import Planned
from augfn.run.constants import constant

INSIDE = 1 / 256  # pixels: corners of a piece are followed this far within it, so that they are in its tile


@dataclass(frozen=True)
class Tiles(Planned):
    """u -> the same place in another tile: tile i of the output (row by row) shows tile `order[*b, i]` of the input.

    `grid`: rows and columns of whole tiles; what is left over at the far ends of the frame `size` stays.
    """

    order: Tensor
    grid: tuple[int, int]
    size: tuple[int, int]
    events: ClassVar[dict[str, int]] = {"order": 1}
    dims: ClassVar[int] = 2

    @property
    def sides(self) -> tuple[int, int]:
        return self.size[0] // self.grid[0], self.size[1] // self.grid[1]

    def __call__(self, points: Tensor) -> Tensor:
        (rows, columns), (h, w) = self.grid, self.sides
        place = points + constant((self.size[1] / 2, self.size[0] / 2), points)  # from the corner of the frame
        column, row = torch.floor(place[..., 0] / w), torch.floor(place[..., 1] / h)
        within = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        index = torch.where(within, row * columns + column, 0.0).long()
        batch = torch.broadcast_shapes(index.shape[:-1], self.order.shape[:-1])
        order, index = (t.expand(*batch, t.shape[-1]) for t in (self.order, index))
        source = order.gather(-1, index)
        moved = [(source % columns - column) * w, (source // columns - row) * h]
        return points + torch.stack(moved, -1).to(points.dtype) * within[..., None]

    def inverse(self) -> Tiles:
        return replace(self, order=self.order.argsort(-1))

    def intervals(self, side: int) -> int:
        return 1

    def pieces(self, low: Tensor, high: Tensor) -> Tensor:
        """Points `[*b, N, k, 2]` at the corners of the pieces that the tiles, and what is left over, cut boxes (low, high)
        `[*b, N, 2]` into; from the corner of the frame."""
        edges = [
            constant((*(float(i * side) for i in range(n + 1)), float(size)), low)
            for n, side, size in zip(self.grid[::-1], self.sides[::-1], self.size[::-1], strict=True)
        ]
        starts = torch.cartesian_prod(*(e[:-1] for e in edges))
        ends = torch.cartesian_prod(*(e[1:] for e in edges))
        first, last = torch.maximum(low[..., None, :], starts), torch.minimum(high[..., None, :], ends)
        area = (last - first).clamp(min=0).prod(-1)
        some = area.argmax(-1, keepdim=True)  # what stands for the pieces that are none
        first, last = (
            torch.where((area > 0)[..., None], v, v.gather(-2, some[..., None].expand(*some.shape, 2)))
            for v in (first, last)
        )
        a, b = first + INSIDE, last - INSIDE
        corners = [torch.stack([x[..., 0], y[..., 1]], -1) for x in (a, b) for y in (a, b)]
        return torch.cat(corners, -2)


def tiled(x: Tensor, how: object, order: Tensor, *, grid: tuple[int, int]) -> Tensor:
    """The pixels of `x [*b, k, H, W]` in their new places, copied."""
    rows, columns = grid
    h, w = x.shape[-2] // rows, x.shape[-1] // columns
    whole = x[..., : rows * h, : columns * w].unflatten(-1, (columns, w)).unflatten(-3, (rows, h))
    tiles = whole.transpose(-3, -2).flatten(-4, -3)
    index = order.to(x.device)[..., None, :, None, None].expand(*x.shape[:-2], rows * columns, h, w)
    back = tiles.gather(-3, index).unflatten(-3, grid).transpose(-3, -2).flatten(-4, -3).flatten(-2)
    if back.shape == x.shape:
        return back
    right = torch.cat([back, x[..., : rows * h, columns * w :]], -1)
    return torch.cat([right, x[..., rows * h :, :]], -2)

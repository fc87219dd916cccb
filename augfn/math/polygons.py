"""Polygons with a fixed number of corners: area, and area inside a frame."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor


def polygon_area(points: Tensor) -> Tensor:
    """The area inside corners `[..., n, 2]` in either sense of rotation, `[...]`: the shoelace formula.

    >>> polygon_area(torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]]))
    tensor(2.)
    """
    x, y = (points - points[..., :1, :]).unbind(-1)  # near the origin, where the products are small
    return (x * y.roll(-1, -1) - y * x.roll(-1, -1)).sum(-1).abs() / 2


def area_inside(points: Tensor, size: tuple[int, ...], room: float = 0.0) -> Tensor:
    """The area of convex polygons `[..., n, 2]` within a frame of (height, width), and `room` around it,
    exactly.

    Along each axis the edges are cut where they cross the frame, then all points are moved onto it: what lay outside
    runs along the border and back, and encloses nothing.

    >>> area_inside(torch.tensor([[-1.0, 0.0], [1.0, -2.0], [3.0, 0.0], [1.0, 2.0]]), (2, 2))
    tensor(3.)
    """
    for axis, n in enumerate(reversed(size)):
        points = cut(points, axis, -room, n + room)
    return polygon_area(points)


def cut(points: Tensor, axis: int, low: float, high: float) -> Tensor:
    """Every edge's crossings with two lines as further corners, `[..., 3 n, 2]`, and all of it within the lines."""
    ends = points.roll(-1, -2)
    start, step = points[..., axis], (ends - points)[..., axis]
    safe = torch.where(step == 0, torch.ones_like(step), step)
    at = torch.stack([torch.zeros_like(step), (low - start) / safe, (high - start) / safe], -1).clamp(0, 1)
    at = torch.where(step[..., None] == 0, torch.zeros_like(at), at).sort(-1).values
    corners = (points[..., None, :] + (ends - points)[..., None, :] * at[..., None]).flatten(-3, -2)
    held = corners[..., axis].clamp(low, high)
    return torch.stack([held, corners[..., 1]] if axis == 0 else [corners[..., 0], held], -1)


def shares_inside(corners: Tensor, size: tuple[int, ...], softness: Tensor | float = 1.0) -> Tensor:
    """The share of every pixel inside corners `[..., n, 2]` in turn, `[..., H, W]`: the product of the half planes,
    with edges `softness` pixels wide, a number or `[...]`.

    Of a polygon that is not convex it is the part from which the whole of it is seen.

    >>> shares_inside(torch.tensor([[0.0, 0.0], [1.5, 0.0], [1.5, 1.0], [0.0, 1.0]]), (2, 3))
    tensor([[1.0000, 0.5000, 0.0000],
            [0.0000, 0.0000, 0.0000]])
    """
    after = corners.roll(-1, -2)
    edge = after - corners
    area = (corners[..., 0] * after[..., 1] - corners[..., 1] * after[..., 0]).sum(-1)
    width = softness[..., None] if isinstance(softness, Tensor) else softness
    scale = area.detach().sign()[..., None] / (edge.square().sum(-1) + 1e-9).sqrt() / width
    normal = torch.stack([-edge[..., 1], edge[..., 0]], -1) * scale[..., None]
    offset = 0.5 - (normal * corners).sum(-1)
    rows, columns = (normal[..., 1 - i, None] * (torch.arange(n).to(corners) + 0.5) for i, n in enumerate(size))
    rows = rows + offset[..., None]
    planes = zip(rows.unbind(-2), columns.unbind(-2), strict=True)  # one by one, for they are large
    return reduce(torch.mul, ((down[..., :, None] + across[..., None, :]).clamp(0, 1) for down, across in planes))

"""Stages of a map: how points move, and how they move back; a matrix, a field, a formula or lines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from augfn.math.planned import Planned
from augfn.math.tiles import Tiles
from augfn.run import sampler
from augfn.run.constants import constant, identity_like
from augfn.run.twins import twin

FAR = 1e6  # pixels, outside of any frame
HORIZON = 1e-6  # of the weight in the middle of the frame: a point of less lies behind it
FIXED_STEPS = {2: 8, 3: 24}  # of the inverse of a displacement, each by the miss: all of it, or in 2-D a start for
NEWTON_STEPS = 10  # rounds of Newton's method
DIFFERENCE = 0.25  # pixels: the step of its slopes
FOLDED = 0.01  # of the area: less of it is taken for a fold, which has no inverse


@dataclass(frozen=True)
class Linear(Planned):
    """u -> A u + t as a homogeneous matrix `[*b, d+1, d+1]`; `projective` divides by the last coordinate, the weight,
    which is positive before the horizon: what lies behind is far outside of any frame, not mirrored into it."""

    matrix: Tensor
    projective: bool = False
    events: ClassVar[dict[str, int]] = {"matrix": 2}

    @property
    def dims(self) -> int:
        return self.matrix.shape[-1] - 1

    def __call__(self, points: Tensor) -> Tensor:
        """Points `[*b, n, d]`."""
        m, d = self.matrix.to(torch.promote_types(self.matrix.dtype, points.dtype)), points.shape[-1]
        moved = points.to(m.dtype) @ m[..., :, :d].transpose(-1, -2) + m[..., None, :, d]
        return divided(moved[..., :d], moved[..., d:]) if self.projective else moved[..., :d]

    def before(self, points: Tensor) -> Tensor:
        """True of the points `[*b, n, d]` that lie before the horizon."""
        d = points.shape[-1]
        row = self.matrix[..., d:, :].to(points.dtype)
        return (points * row[..., :d]).sum(-1) + row[..., d] > HORIZON

    def inverse(self) -> Linear:
        return Linear(torch.linalg.inv_ex(self.matrix).inverse, self.projective)

    def intervals(self, side: int) -> int:
        """Into how many parts a line as long as the frame, of `side` pixels, is cut to be followed to half a pixel."""
        return 1

    def after(self, first: Linear) -> Linear:
        """u -> first(self(u))."""
        left, right = alike(first.matrix, self.matrix)
        return Linear(left @ right, self.projective or first.projective)


def divided(x: Tensor, weight: Tensor) -> Tensor:
    """`x / weight`, and far away, on its own side, what has no positive weight."""
    before = weight > HORIZON
    inverse = torch.where(before, weight, 1.0).reciprocal()
    return torch.where(before, x * inverse, torch.copysign(constant(FAR, x), x))


# x and y `[*b, n]`, apart: what broadcasts along a last axis of two is several times slower
Plane = tuple[Tensor, Tensor]


def plane(points: Tensor) -> Plane:
    return points[..., 0].contiguous(), points[..., 1].contiguous()


def solved(moved: Callable[[Plane], Plane], u: Plane, goal: Plane) -> Plane:
    """The points that `moved` takes to the goal, by Newton's method from u on."""
    for _ in range(NEWTON_STEPS):
        u = newton(moved, u, goal)
    return u


def newton(moved: Callable[[Plane], Plane], u: Plane, goal: Plane) -> Plane:
    """The next point on the way; where the plane is folded or nearly so, by the miss alone."""
    (x, y), (here_x, here_y) = u, moved(u)
    (right_x, right_y), (below_x, below_y) = moved((x + DIFFERENCE, y)), moved((x, y + DIFFERENCE))
    a, b = (right_x - here_x) / DIFFERENCE, (below_x - here_x) / DIFFERENCE
    c, d = (right_y - here_y) / DIFFERENCE, (below_y - here_y) / DIFFERENCE
    miss_x, miss_y, area = here_x - goal[0], here_y - goal[1], a * d - b * c
    folded = area < FOLDED
    area = torch.where(folded, torch.ones_like(area), area)
    step_x, step_y = (d * miss_x - b * miss_y) / area, (a * miss_y - c * miss_x) / area
    return x - torch.where(folded, miss_x, step_x), y - torch.where(folded, miss_y, step_y)


@dataclass(frozen=True)
class Displacement(Planned):
    """u -> u + field(u): a field in pixels on a coarse grid `[*b, d, *grid]` that spans a frame, interpolated cubic or
    (in 3-D, and where `linear`) linear."""

    field: Tensor
    size: tuple[int, ...]
    inverted: bool = False
    linear: bool = False

    @property
    def dims(self) -> int:
        return len(self.size)

    def event(self, name: str) -> int:
        return self.dims + 1

    def offsets(self, points: Tensor) -> Tensor:
        d = points.shape[-1]
        batch = torch.broadcast_shapes(points.shape[:-2], self.field.shape[: -d - 1])
        scale = [2 / max(n - 1, 1) for n in reversed(self.size)]
        grid = torch.stack([points[..., i] * s for i, s in enumerate(scale)], -1)
        grid = grid.expand(*batch, *grid.shape[-2:]).reshape(math.prod(batch), points.shape[-2], *[1] * (d - 1), d)
        field = self.field.expand(*batch, *self.field.shape[-d - 1 :]).reshape(-1, *self.field.shape[-d - 1 :])
        mode = "bicubic" if d == 2 and not self.linear else "bilinear"
        sampled = sampler.grid_sample(field.to(grid.dtype), grid, mode, "border", True)
        return sampled.reshape(*batch, d, points.shape[-2]).transpose(-1, -2)

    def __call__(self, points: Tensor) -> Tensor:
        points = points.to(torch.promote_types(points.dtype, self.field.dtype))
        if not self.inverted:
            return points + self.offsets(points)
        found = points
        for _ in range(FIXED_STEPS[self.dims]):
            found = points - self.offsets(found)
        return pairs(*solved(self.moved, plane(found), plane(points))) if self.dims == 2 else found

    def moved(self, u: Plane) -> Plane:
        points = torch.stack(u, -1)
        return plane(points + self.offsets(points))

    def inverse(self) -> Displacement:
        return replace(self, inverted=not self.inverted)

    def intervals(self, side: int) -> int:
        """As many for each cell as a curve needs, or enough to come near the bend at its border."""
        cells = max(self.field.shape[-self.dims :]) - 1
        return max(cells, math.ceil(side / 4 if self.linear else cells * math.sqrt(side) / 4))


@dataclass(frozen=True)
class Analytic(Planned):
    """u -> u + offset(u, size, values): a displacement of the plane in pixels by a formula of (x, y); `values [*b, n]`.

    Its inverse is ten rounds of Newton's method, which starts at the point itself.
    """

    offset: Callable[[Plane, tuple[int, ...], Tensor], Plane]
    values: Tensor
    size: tuple[int, ...]
    inverted: bool = False
    events: ClassVar[dict[str, int]] = {"values": 1}
    dims: ClassVar[int] = 2

    def moved(self, u: Plane) -> Plane:
        dx, dy = self.offset(u, self.size, self.values.to(u[0].dtype))
        return u[0] + dx, u[1] + dy

    def __call__(self, points: Tensor) -> Tensor:
        points = points.to(torch.promote_types(points.dtype, self.values.dtype))
        goal = plane(points)
        return pairs(*(solved(self.moved, goal, goal) if self.inverted else self.moved(goal)))

    def inverse(self) -> Analytic:
        return replace(self, inverted=not self.inverted)

    def intervals(self, side: int) -> int:
        return math.ceil(math.sqrt(side))


@dataclass(frozen=True)
class Lines(Planned):
    """x -> where knot i of `from_knots` goes to knot i of `to_knots`, both `[*b, d, k]` in pixels and ascending; linear
    between them and of slope 1 beyond. Each axis by itself; its inverse is exact."""

    from_knots: Tensor
    to_knots: Tensor
    events: ClassVar[dict[str, int]] = {"from_knots": 2, "to_knots": 2}

    @property
    def dims(self) -> int:
        return self.from_knots.shape[-2]

    def __call__(self, points: Tensor) -> Tensor:
        points = points.to(torch.promote_types(points.dtype, self.to_knots.dtype))
        knots = (self.from_knots.to(points.dtype).unbind(-2), self.to_knots.to(points.dtype).unbind(-2))
        return torch.stack([bent(x, *k) for x, *k in zip(points.unbind(-1), *knots, strict=True)], -1)

    def inverse(self) -> Lines:
        return Lines(self.to_knots, self.from_knots)

    def intervals(self, side: int) -> int:
        return math.ceil(math.sqrt(side))


def bent(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """The polyline through the values `[*b, k]` at the knots `[*b, k]`, at x `[*b, n]`."""
    width = knots.diff(dim=-1)
    slopes = values.diff(dim=-1) / width
    first, last = knots[..., :1], knots[..., -1:]
    y = values[..., :1] + torch.minimum(x - first, torch.zeros_like(first)) + torch.relu(x - last)
    for i in range(width.shape[-1]):
        cell = slice(i, i + 1)
        y = y + torch.minimum(torch.relu(x - knots[..., cell]), width[..., cell]) * slopes[..., cell]
    return y


@dataclass(frozen=True)
class Chosen(Planned):
    """A stage for the samples whose gate `[*b]` is open; the points of the others stay."""

    stage: Displacement | Analytic | Lines | Tiles
    gate: Tensor

    @property
    def dims(self) -> int:
        return self.stage.dims

    def __call__(self, points: Tensor) -> Tensor:
        moved = self.stage(points)
        return torch.where(self.gate[..., None, None] >= 0.5, moved, points.to(moved.dtype))

    def inverse(self) -> Chosen:
        return Chosen(self.stage.inverse(), self.gate)

    def intervals(self, side: int) -> int:
        return self.stage.intervals(side)


Stage = Linear | Displacement | Analytic | Lines | Tiles | Chosen


def chosen(stage: Stage, gate: Tensor) -> Stage:
    """The stage where the gate `[*b]` is open (1), the identity where it is closed (0)."""
    if isinstance(stage, Chosen):
        return Chosen(stage.stage, stage.gate * gate)
    if isinstance(stage, Linear):
        return replace(stage, matrix=select(gate, stage.matrix, identity_like(stage.matrix), 2))
    return Chosen(stage, gate)


def select(gate: Tensor, new: Tensor, old: Tensor, event: int) -> Tensor:
    """Of small objects with `event` dims the new where the gate `[*b]` is open, else the old."""
    return torch.where(gate[(..., *(None,) * event)] >= 0.5, new, old)


def alike(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their common dtype, on the device of the second."""
    if a.dtype == b.dtype and a.device == b.device:
        return a, b
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(b.device, dtype), b.to(dtype)


def stacked_pairs(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([x, y], -1)


@twin(stacked_pairs)
def pairs(x: Tensor, y: Tensor) -> Tensor:
    """Planes x and y as one array of points `[..., 2]`."""
    return torch.view_as_real(torch.complex(x, y))

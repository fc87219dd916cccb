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
from augfn.run.constants import cached, constant, identity_like
from augfn.run.twins import twin

FAR = 1e6  # pixels, outside of any frame
HORIZON = 1e-6  # of the weight in the middle of the frame: a point of less lies behind it
FIXED_STEPS = 8  # of the inverse of a displacement, each by the miss: a start for Newton's method
NEWTON_STEPS = 10  # rounds of Newton's method
DIFFERENCE = 0.25  # pixels: the step of its slopes
FOLDED = 0.01  # of the area or volume: less of it is taken for a fold, which has no inverse
FINER = 4  # straight pieces between two points of a field in 3-D, along a cubic curve
CUBIC = -0.75  # of Keys' cubic convolution, as torch's "bicubic" has it


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


# x, y[, z] `[*b, n]`, apart: what broadcasts along a short last axis is several times slower
Apart = tuple[Tensor, ...]


def apart(points: Tensor) -> Apart:
    return tuple(x.contiguous() for x in points.unbind(-1))


def solved(moved: Callable[[Apart], Apart], u: Apart, goal: Apart) -> Apart:
    """The points that `moved` takes to the goal, by Newton's method from u on."""
    for _ in range(NEWTON_STEPS):
        u = newton(moved, u, goal)
    return u


def newton(moved: Callable[[Apart], Apart], u: Apart, goal: Apart) -> Apart:
    """The next point on the way; where the frame is folded or nearly so, by the miss alone."""
    here = moved(u)
    slopes = [
        [(far - near) / DIFFERENCE for far, near in zip(moved(beside(u, i)), here, strict=True)] for i in range(len(u))
    ]
    miss = [a - b for a, b in zip(here, goal, strict=True)]
    whole = determinant(slopes)
    folded = whole < FOLDED
    whole = torch.where(folded, torch.ones_like(whole), whole)
    steps = [determinant([*slopes[:i], miss, *slopes[i + 1 :]]) / whole for i in range(len(u))]
    return tuple(x - torch.where(folded, m, step) for x, m, step in zip(u, miss, steps, strict=True))


def beside(u: Apart, i: int) -> Apart:
    """The points a little further along one axis."""
    return tuple(x + DIFFERENCE if j == i else x for j, x in enumerate(u))


def determinant(columns: list[list[Tensor]]) -> Tensor:
    """That of 2 x 2 or 3 x 3 matrices of which the columns' entries are given apart (Cramer's rule solves with it)."""
    if len(columns) == 2:
        (a, c), (b, d) = columns
        return a * d - b * c
    (a, b, c), second, third = columns
    (d, e, f), (g, h, i) = second, third
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)


@dataclass(frozen=True)
class Displacement(Planned):
    """u -> u + field(u): a field in pixels on a coarse grid `[*b, d, *grid]` that spans a frame, interpolated cubic or
    (where `linear`) linear; the cubic curves of 3-D are drawn by straight pieces."""

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
        field = self.fine if d == 3 else self.field
        field = field.expand(*batch, *field.shape[-d - 1 :]).reshape(-1, *field.shape[-d - 1 :])
        mode = "bicubic" if d == 2 and not self.linear else "bilinear"
        sampled = sampler.grid_sample(field.to(grid.dtype), grid, mode, "border", True)
        return sampled.reshape(*batch, d, points.shape[-2]).transpose(-1, -2)

    @property
    def fine(self) -> Tensor:
        """The field at the ends of all straight pieces."""
        field = self.field
        if self.linear:
            return field
        for axis in range(-self.dims, 0):
            field = along(finer_weights(field.shape[axis], field), field, axis)
        return field

    def on(self, axes: list[Tensor]) -> Tensor:
        """Where the points of the grid of these axes (slowest first) go in 3-D, `[*b, *grid, d]`: axis by axis."""
        dtype = torch.promote_types(axes[0].dtype, self.field.dtype)
        field = self.field.to(dtype)
        for axis, (places, n) in enumerate(zip(axes, self.size, strict=True), -self.dims):
            k = field.shape[axis]
            pieces = (k - 1) * (1 if self.linear else FINER) + 1
            weights = hats((places.to(dtype) * (2 / max(n - 1, 1)) + 1) * ((pieces - 1) / 2), pieces)
            field = along(weights if self.linear else weights @ finer_weights(k, field), field, axis)
        moved = [
            f + places.reshape([-1, *[1] * (self.dims - 1 - i)])
            for f, places, i in zip(field.unbind(-self.dims - 1), axes[::-1], range(self.dims)[::-1], strict=True)
        ]
        return torch.stack(moved, -1)

    def __call__(self, points: Tensor) -> Tensor:
        points = points.to(torch.promote_types(points.dtype, self.field.dtype))
        if not self.inverted:
            return points + self.offsets(points)
        found = points
        for _ in range(FIXED_STEPS):
            found = points - self.offsets(found)
        return together(*solved(self.moved, apart(found), apart(points)))

    def moved(self, u: Apart) -> Apart:
        points = torch.stack(u, -1)
        return apart(points + self.offsets(points))

    def inverse(self) -> Displacement:
        return replace(self, inverted=not self.inverted)

    def intervals(self, side: int) -> int:
        """As many for each cell as a curve needs, or enough to come near the bend at its border."""
        cells = max(self.field.shape[-self.dims :]) - 1
        return max(cells, math.ceil(side / 4 if self.linear else cells * math.sqrt(side) / 4))


@dataclass(frozen=True)
class Analytic(Planned):
    """u -> u + offset(u, size, values): a displacement in pixels by a formula of (x, y[, z]); `values [*b, n]`.

    Its inverse is ten rounds of Newton's method, which starts at the point itself.
    """

    offset: Callable[[Apart, tuple[int, ...], Tensor], Apart]
    values: Tensor
    size: tuple[int, ...]
    inverted: bool = False
    events: ClassVar[dict[str, int]] = {"values": 1}

    @property
    def dims(self) -> int:
        return len(self.size)

    def moved(self, u: Apart) -> Apart:
        shifts = self.offset(u, self.size, self.values.to(u[0].dtype))
        return tuple(x + dx for x, dx in zip(u, shifts, strict=True))

    def __call__(self, points: Tensor) -> Tensor:
        points = points.to(torch.promote_types(points.dtype, self.values.dtype))
        goal = apart(points)
        return together(*(solved(self.moved, goal, goal) if self.inverted else self.moved(goal)))

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


def hats(places: Tensor, n: int) -> Tensor:
    """Weights `[m, n]` of n values for what lies at these places between them, linearly; beyond the ends that at the end."""
    knots = torch.arange(n, dtype=places.dtype, device=places.device)
    return (1 - (places.clamp(0, n - 1)[:, None] - knots).abs()).clamp(min=0)


def finer_weights(n: int, like: Tensor) -> Tensor:
    """Weights `[(n - 1) FINER + 1, n]` of n values for those of the cubic curve through them (Keys 1981)."""
    return cached(make_finer, n, like.dtype, like.device)


def make_finer(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    places = torch.arange((n - 1) * FINER + 1, dtype=torch.float64) / FINER
    weights = torch.zeros(len(places), n, dtype=torch.float64)
    for knot in range(-2, n + 2):
        x = (places - knot).abs()
        near = (CUBIC + 2) * x**3 - (CUBIC + 3) * x**2 + 1
        far = CUBIC * (x**3 - 5 * x**2 + 8 * x - 4)
        weights[:, min(max(knot, 0), n - 1)] += torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
    return weights.to(device, dtype)


def along(weights: Tensor, x: Tensor, axis: int) -> Tensor:
    """Weights `[m, n]` times `x [..., n, ...]` along an axis that is counted from the end."""
    if axis == -1:
        return x @ weights.mT
    flat = weights.to(x.dtype) @ x.flatten(axis + 1)
    return flat.unflatten(-1, x.shape[axis + 1 :])


def together(*coordinates: Tensor) -> Tensor:
    """Coordinates apart as one array of points `[..., d]`."""
    return pairs(*coordinates) if len(coordinates) == 2 else torch.stack(coordinates, -1)


def stacked_pairs(x: Tensor, y: Tensor) -> Tensor:
    return torch.stack([x, y], -1)


@twin(stacked_pairs)
def pairs(x: Tensor, y: Tensor) -> Tensor:
    """Planes x and y as one array of points `[..., 2]`."""
    return torch.view_as_real(torch.complex(x, y))

"""Map: where each output pixel comes from, in two or three dimensions.

Coordinates are pixels measured from the centre of a frame, in the order (x, y[, z]), x right and y down. A map takes
output coordinates to input coordinates. Because the centre is the origin of every frame, maps of different frame sizes
compose by a plain matrix product, and a rotation, a flip or a resize needs no size at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from augfn.math import kernel
from augfn.math.constants import cached, constant, identity_like
from augfn.threefry import untracked

INVERSE_STEPS = 24  # of the fixed-point inverse of a displacement; each divides the error by 1 / its Lipschitz constant
NEWTON_STEPS = 10  # of the inverse of a displacement by a formula
DIFFERENCE = 0.25  # pixels: the step of its slopes


@dataclass(frozen=True)
class Linear:
    """u -> A u + t as a homogeneous matrix `[*b, d+1, d+1]`; `projective` divides by the last coordinate."""

    matrix: Tensor
    projective: bool = False

    def __call__(self, points: Tensor) -> Tensor:
        """Points `[*b, n, d]`."""
        m, d = self.matrix.to(torch.promote_types(self.matrix.dtype, points.dtype)), points.shape[-1]
        moved = points.to(m.dtype) @ m[..., :, :d].transpose(-1, -2) + m[..., None, :, d]
        return moved[..., :d] / moved[..., d:] if self.projective else moved[..., :d]

    def inverse(self) -> Linear:
        return Linear(torch.linalg.inv_ex(self.matrix).inverse, self.projective)

    def gated(self, gate: Tensor) -> Linear:
        matrix, gate = alike(self.matrix, gate)
        return Linear(torch.lerp(identity_like(matrix), matrix, gate[..., None, None]), self.projective)

    def to(self, device: torch.device) -> Linear:
        return Linear(self.matrix.to(device), self.projective)

    def part(self, rows: slice) -> Linear:
        return Linear(part(self.matrix, 2, rows), self.projective)

    def after(self, first: Linear) -> Linear:
        """u -> first(self(u))."""
        left, right = alike(first.matrix, self.matrix)
        return Linear(left @ right, self.projective or first.projective)


@dataclass(frozen=True)
class Displacement:
    """u -> u + field(u): a field in pixels on a coarse grid `[*b, d, *grid]` that spans a frame, interpolated cubic or
    (in 3-D, and where `linear`) linear."""

    field: Tensor
    size: tuple[int, ...]
    inverted: bool = False
    linear: bool = False

    def offsets(self, points: Tensor) -> Tensor:
        d = points.shape[-1]
        batch = torch.broadcast_shapes(points.shape[:-2], self.field.shape[: -d - 1])
        scale = [2 / max(n - 1, 1) for n in reversed(self.size)]
        grid = torch.stack([points[..., i] * s for i, s in enumerate(scale)], -1)
        grid = grid.expand(*batch, *grid.shape[-2:]).reshape(-1, points.shape[-2], *[1] * (d - 1), d)
        field = self.field.expand(*batch, *self.field.shape[-d - 1 :]).reshape(-1, *self.field.shape[-d - 1 :])
        mode = "bicubic" if d == 2 and not self.linear else "bilinear"
        sampled = kernel.grid_sample(field.to(grid.dtype), grid, mode, "border", True)
        return sampled.reshape(*batch, d, points.shape[-2]).transpose(-1, -2)

    def __call__(self, points: Tensor) -> Tensor:
        points = points.to(torch.promote_types(points.dtype, self.field.dtype))
        if not self.inverted:
            return points + self.offsets(points)
        found = points
        for _ in range(INVERSE_STEPS):
            found = points - self.offsets(found)
        return found

    def inverse(self) -> Displacement:
        return replace(self, inverted=not self.inverted)

    def gated(self, gate: Tensor) -> Displacement:
        return replace(self, field=self.field * gate.reshape(gate.shape + (1,) * (len(self.size) + 1)).to(self.field))

    def to(self, device: torch.device) -> Displacement:
        return replace(self, field=self.field.to(device))

    def part(self, rows: slice) -> Displacement:
        return replace(self, field=part(self.field, len(self.size) + 1, rows))


# x and y `[*b, n]`, apart: what broadcasts along a last axis of two is several times slower
Plane = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Analytic:
    """u -> u + offset(u, size, values): a displacement of the plane in pixels by a formula of (x, y); `values [*b, n]`.

    Its inverse is ten rounds of Newton's method, which starts at the point itself.
    """

    offset: Callable[[Plane, tuple[int, ...], Tensor], Plane]
    values: Tensor
    size: tuple[int, ...]
    gate: Tensor | None = None
    inverted: bool = False

    def moved(self, u: Plane) -> Plane:
        dx, dy = self.offset(u, self.size, self.values.to(u[0].dtype))
        if self.gate is not None:
            gate = self.gate[..., None].to(dx)
            dx, dy = dx * gate, dy * gate
        return u[0] + dx, u[1] + dy

    def __call__(self, points: Tensor) -> Tensor:
        points = points.to(torch.promote_types(points.dtype, self.values.dtype))
        goal = points[..., 0].contiguous(), points[..., 1].contiguous()
        if not self.inverted:
            return pairs(*self.moved(goal))
        found = goal
        for _ in range(NEWTON_STEPS):
            found = self.newton(found, goal)
        return pairs(*found)

    def newton(self, u: Plane, goal: Plane) -> Plane:
        """The next point on the way to the one that this stage takes to the goal."""
        (x, y), (here_x, here_y) = u, self.moved(u)
        a, c = (
            (end - here) / DIFFERENCE
            for end, here in zip(self.moved((x + DIFFERENCE, y)), (here_x, here_y), strict=True)
        )
        b, d = (
            (end - here) / DIFFERENCE
            for end, here in zip(self.moved((x, y + DIFFERENCE)), (here_x, here_y), strict=True)
        )
        miss_x, miss_y, area = here_x - goal[0], here_y - goal[1], a * d - b * c
        return x - (d * miss_x - b * miss_y) / area, y - (a * miss_y - c * miss_x) / area

    def inverse(self) -> Analytic:
        return replace(self, inverted=not self.inverted)

    def gated(self, gate: Tensor) -> Analytic:
        return replace(self, gate=gate if self.gate is None else self.gate * gate)

    def to(self, device: torch.device) -> Analytic:
        return replace(self, values=self.values.to(device), gate=None if self.gate is None else self.gate.to(device))

    def part(self, rows: slice) -> Analytic:
        return replace(self, values=part(self.values, 1, rows), gate=part(self.gate, 0, rows))


Stage = Linear | Displacement | Analytic


@dataclass(frozen=True)
class Map:
    """Output to input coordinates: stages applied from first to last, the size of the output frame, and what is known
    of it.

    * `size`: the output frame; None keeps the input's.
    * `copy`: for a map that moves whole pixels, the function that moves them exactly: (array `[*b, k, *spatial]` of
      any dtype, sampling, place) -> array; `place [*b, d]` is what it needs to know of each sample.
    * `window`: reads an upright window inside the frame (a resize, a crop): nothing outside the frame is ever met.
    * `resize`: reads the whole frame, as it stands, for every sample alike.
    * `barrier`: what came before must be resampled first (a pad shows fill, not what an earlier crop left out).
    * `gate`: per sample, 0 where every step is off (None if a step is always on): such a sample is left bit for bit.
    """

    stages: tuple[Stage, ...]
    size: tuple[int, ...] | None = None
    copy: Callable[[Tensor, Any, Any], Tensor] | None = None
    place: Tensor | None = None
    window: bool = False
    resize: bool = False
    barrier: bool = False
    gate: Tensor | None = None

    @staticmethod
    def of(matrix: Tensor, projective: bool = False, **known: Any) -> Map:
        return Map((Linear(matrix, projective),), **known)

    @staticmethod
    def diagonal(*entries: Tensor, **known: Any) -> Map:
        """Scaling of each axis, entries `[*b]` in the order x, y[, z]."""
        columns = torch.broadcast_tensors(*entries)
        return Map.of(torch.diag_embed(torch.stack([*columns, torch.ones_like(columns[0])], -1)), **known)

    @staticmethod
    def linear(a: Tensor, shift: Tensor | None = None, **known: Any) -> Map:
        """u -> a u + shift, for `a [*b, d, d]` and `shift [*b, d]`."""
        shift = torch.zeros_like(a[..., 0]) if shift is None else shift
        return Map.affine(torch.cat([a.expand(*shift.shape, a.shape[-1]), shift.unsqueeze(-1)], -1), **known)

    @staticmethod
    def affine(rows: Tensor, **known: Any) -> Map:
        """The map of rows `[*b, d, d+1]`, or `[*b, d, d]` without a shift, above the last row of a homogeneous
        matrix."""
        d = rows.shape[-2]
        if rows.shape[-1] == d:
            rows = torch.cat([rows, torch.zeros_like(rows[..., :1])], -1)
        last = constant(((0.0,) * d + (1.0,),), rows)
        return Map.of(torch.cat([rows, last.expand(*rows.shape[:-2], 1, d + 1)], -2), **known)

    @staticmethod
    def rotation(degrees: Tensor) -> Map:
        """Content turns counter-clockwise on the screen for positive degrees."""
        return Map.linear(rotation_matrix(degrees))

    @property
    def wild(self) -> bool:
        """True if how pixels are read is all the same to it: it copies, and shows nothing from outside."""
        return self.copy is not None and not self.barrier

    @property
    def rigid(self) -> bool:
        """True if the map is one matrix."""
        return len(self.stages) == 1 and isinstance(self.stages[0], Linear)

    def then(self, second: Map) -> Map:
        """This map's step followed by another: outputs run through `second`, then through this one."""
        stages = list(second.stages)
        for stage in self.stages:
            last = stages[-1] if stages else None
            if isinstance(stage, Linear) and isinstance(last, Linear):
                stages[-1] = last.after(stage)
            else:
                stages.append(stage)
        gate = None if self.gate is None or second.gate is None else torch.maximum(self.gate, second.gate)
        size, window = second.size or self.size, self.window and second.window
        return Map(tuple(stages), size, window=window, barrier=self.barrier, gate=gate)

    def gated(self, gate: Tensor) -> Map:
        """The identity where the gate is 0, this map where it is 1, a matrix in between elsewhere."""
        stages = tuple(s.gated(gate) for s in self.stages)
        both = gate if self.gate is None else gate * self.gate
        return Map(stages, self.size, self.copy, self.place, barrier=self.barrier, gate=both)

    def to(self, device: torch.device) -> Map:
        return replace(self, stages=tuple(s.to(device) for s in self.stages))

    def part(self, rows: slice) -> Map:
        """The map of some rows of the batch."""
        known = {"place": part(self.place, 1, rows), "gate": part(self.gate, 0, rows)}
        return replace(self, stages=tuple(s.part(rows) for s in self.stages), **known)

    def inverse(self, size: tuple[int, ...]) -> Map:
        """Input to output coordinates, for a frame of the given input size. Displacements by iteration."""
        return Map(tuple(s.inverse() for s in reversed(self.stages)), size)

    def __call__(self, points: Tensor) -> Tensor:
        """Centred output points `[*b, n, d]` to centred input points."""
        for stage in self.stages:
            points = stage(points)
        return points

    def grid(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device, steps: int = 1) -> Tensor:
        """Input coordinates of every output pixel `[*b, *size, d]` (of `steps` sub-pixels along each axis)."""
        axes = [centred(n, dtype, device, steps) for n in size]
        stages = self.stages
        if not stages:
            return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1)
        first = stages[0]
        if isinstance(first, Linear):
            matrix, stages = first.matrix.to(device, dtype), stages[1:]
            coords = projective_grid(matrix, axes) if first.projective else affine_grid(matrix[..., :-1, :], axes)
        else:
            coords = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1)
        if not stages:
            return coords
        flat = coords.flatten(-len(size) - 1, -2)
        for stage in stages:
            flat = stage(flat)
        return flat.reshape(*flat.shape[:-2], *coords.shape[-len(size) - 1 :])


def alike(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Both in their common dtype, on the device of the second."""
    if a.dtype == b.dtype and a.device == b.device:
        return a, b
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(b.device, dtype), b.to(dtype)


def part(x: Any, event: int, rows: slice) -> Any:
    """Rows of what leads with the batch; a constant, of no more than `event` dims, as it is."""
    return x if x is None or x.ndim == event else x[rows]


def centred(n: int, dtype: torch.dtype, device: torch.device, steps: int = 1) -> Tensor:
    """Coordinates of n pixel centres (or of `steps` sub-pixels in each), measured from the middle of the frame."""
    return cached(make_axis, n, dtype, device, steps)


def make_axis(n: int, dtype: torch.dtype, device: torch.device, steps: int) -> Tensor:
    return (torch.arange(n * steps, dtype=dtype, device=device) - (n * steps - 1) / 2) / steps


def pairs(x: Tensor, y: Tensor) -> Tensor:
    """Planes x and y as one array of points `[..., 2]`."""
    if untracked(x, y):
        return torch.view_as_real(torch.complex(x, y))
    return torch.stack([x, y], -1)


def affine_grid(rows: Tensor, axes: list[Tensor]) -> Tensor:
    """The rows `[*b, r, d+1]` of an affine map on the grid of the axes (slowest first), `[*b, *grid, r]`, as a broadcast
    sum: one pass over the output."""
    r, d = rows.shape[-2], len(axes)
    # A point as one complex number: five times as fast, and the same bits.
    if r == d == 2 and untracked(rows) and rows.numel() and rows.dtype in (torch.float32, torch.float64):
        x, y, shift = torch.view_as_complex(rows.transpose(-1, -2).contiguous()).unsqueeze(-1).unbind(-2)
        return torch.view_as_real((y * axes[0] + shift).unsqueeze(-1) + (x * axes[1]).unsqueeze(-2))
    columns = rows.transpose(-1, -2).reshape(*rows.shape[:-2], d + 1, *[1] * d, r).unbind(-d - 2)
    total = columns[d]
    for i, axis in enumerate(axes):
        total = total + columns[d - 1 - i] * axis.reshape(-1, *[1] * (d - i))
    return total


def projective_grid(matrix: Tensor, axes: list[Tensor]) -> Tensor:
    """The same for a projective map: plane by plane, since a division along the last axis of two is four times slower."""
    *planes, w = (affine_grid(row.unsqueeze(-2), axes).squeeze(-1) for row in matrix.unbind(-2))
    inverse = w.reciprocal()
    found = [plane * inverse for plane in planes]
    return pairs(*found) if len(found) == 2 else torch.stack(found, -1)


def rotation_matrix(degrees: Tensor) -> Tensor:
    angle = torch.deg2rad(degrees)
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2))


def centre_of(size: tuple[int, ...]) -> tuple[float, ...]:
    """The pixel coordinates (x, y[, z]) of the middle of a frame."""
    return tuple((n - 1) / 2 for n in reversed(size))


def pixel_matrix(matrix: Tensor, source: tuple[int, ...], target: tuple[int, ...]) -> Tensor:
    """A centred matrix (from target to source coordinates) in pixel coordinates, whose origin is the first pixel's
    centre."""
    d = len(source)

    def move(values: tuple[float, ...]) -> Tensor:
        eye = identity_like(matrix)
        return eye + constant((*values, 0.0), matrix)[:, None] * eye[d]

    return move(centre_of(source)) @ matrix @ move(tuple(-c for c in centre_of(target)))


def homography(points: Tensor, images: Tensor) -> Tensor:
    """The projective matrix `[*b, 3, 3]` that takes four points `[*b, 4, 2]` to their images: an 8 x 8 linear
    system."""
    points, images = torch.broadcast_tensors(points, images)
    x, y = points.unbind(-1)
    u, v = images.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    rows_u = torch.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    rows_v = torch.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    system, right = torch.cat([rows_u, rows_v], -2), torch.cat([u, v], -1)
    h = torch.linalg.solve_ex(system, right).result
    return torch.cat([h, torch.ones_like(h[..., :1])], -1).unflatten(-1, (3, 3))


def axis_angle_matrix(vector_degrees: Tensor) -> Tensor:
    """Rodrigues: the rotation by |v| degrees about the axis v `[*b, 3]`, `[*b, 3, 3]`; smooth at v = 0."""
    v = vector_degrees * (math.pi / 180)
    x, y, z = v.unbind(-1)
    square = x * x + y * y + z * z
    near = square < 1e-12
    angle = torch.sqrt(torch.where(near, torch.ones_like(square), square))
    s = torch.where(near, 1 - square / 6, torch.sin(angle) / angle)
    c = torch.where(near, 0.5 - square / 24, (1 - torch.cos(angle)) / (angle * angle))
    rows = [
        [1 - c * (y * y + z * z), c * x * y - s * z, c * x * z + s * y],
        [c * x * y + s * z, 1 - c * (x * x + z * z), c * y * z - s * x],
        [c * x * z - s * y, c * y * z + s * x, 1 - c * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)

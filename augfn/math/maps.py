"""Map: where each output pixel comes from, in two or three dimensions.

Coordinates are pixels measured from the centre of a frame, in the order (x, y[, z]), x right and y down. A map takes
output coordinates to input coordinates. Because the centre is the origin of every frame, maps of different frame sizes
compose by a plain matrix product, and a rotation, a flip or a resize needs no size at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import Tensor

from augfn.math.planned import Planned
from augfn.math.stages import FAR, HORIZON, Chosen, Displacement, Linear, Stage, alike, chosen, divided, pairs, select
from augfn.math.tiles import Tiles
from augfn.run.constants import cached, constant, identity_like
from augfn.run.twins import twin


@dataclass(frozen=True)
class Gather(Planned):
    """Pixels moved by a function of its own, which copies them: `move(array [*b, k, *spatial] of any dtype, sampling,
    offsets)`; `offsets [*b, n]` is what it needs to know of each sample."""

    move: Callable[[Tensor, Any, Any], Tensor]
    offsets: Tensor | None = None
    events: ClassVar[dict[str, int]] = {"offsets": 1}

    def __call__(self, x: Tensor, how: Any) -> Tensor:
        return self.move(x, how, self.offsets)


@dataclass(frozen=True)
class Map(Planned):
    """Output to input coordinates: stages applied from first to last, the size of the output frame, and what is known
    of it.

    * `size`: the output frame; None keeps the input's.
    * `gather`: moves the pixels in place of a resample, mostly whole ones.
    * `axis_aligned`: reads an upright window inside the frame (a resize, a crop, a flip): nothing outside is ever met.
    * `resize`: reads the whole frame, as it stands, for every sample alike.
    * `flush`: what came before must be resampled first (a pad shows fill, not what an earlier crop left out).
    * `whole`: moves whole pixels, so that its inverse does.
    * `nearer [*b]`: how many times nearer the scene is brought, by which depth is divided; None: a zoom is one of the camera.
    """

    stages: tuple[Stage, ...]
    size: tuple[int, ...] | None = None
    gather: Gather | None = None
    axis_aligned: bool = False
    resize: bool = False
    flush: bool = False
    whole: bool = False
    nearer: Tensor | None = None
    events: ClassVar[dict[str, int]] = {"nearer": 0}

    @staticmethod
    def of(matrix: Tensor, projective: bool = False, **known: Any) -> Map:
        """The map of a homogeneous matrix; the weight of a projective one, known up to a factor, is 1 in the middle of
        the frame, which lies before the horizon."""
        if projective:
            middle = matrix[..., -1:, -1:]
            matrix = matrix / torch.where(middle == 0, 1.0, middle)
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
    def exact(self) -> bool:
        """True if how pixels are read is all the same to it: it copies, and shows nothing from outside."""
        return (self.gather is not None or self.whole) and not self.flush

    @property
    def rigid(self) -> bool:
        """True if the map is one matrix."""
        return all(isinstance(s, Linear) for s in self.stages)

    @property
    def torn(self) -> bool:
        """True if it cuts the frame into pieces, between which nothing is to be read."""
        return any(isinstance(s, Tiles) for s in self.stages)

    @property
    def matrix(self) -> Tensor:
        """That of a rigid map."""
        first, *rest = self.stages
        return reduce(lambda total, s: total.after(s), rest, first).matrix  # type: ignore[union-attr]

    def then(self, second: Map) -> Map:
        """This map's step followed by another: outputs run through `second`, then through this one. Neighbouring
        matrices become one, but for two with a horizon each."""
        stages = list(second.stages)
        for stage in self.stages:
            last = stages[-1] if stages else None
            if isinstance(stage, Linear) and isinstance(last, Linear) and not (stage.projective and last.projective):
                stages[-1] = last.after(stage)
            else:
                stages.append(stage)
        size, aligned = second.size or self.size, self.axis_aligned and second.axis_aligned
        whole = self.whole and second.whole
        known = [n for n in (self.nearer, second.nearer) if n is not None]
        nearer = reduce(torch.mul, known) if known else None
        return Map(tuple(stages), size, axis_aligned=aligned, flush=self.flush, whole=whole, nearer=nearer)

    def chosen(self, gate: Tensor) -> Map:
        """This map where the gate `[*b]` is open, the identity where it is closed."""
        nearer = None if self.nearer is None else torch.where(gate >= 0.5, self.nearer, torch.ones_like(self.nearer))
        stages = tuple(chosen(s, gate) for s in self.stages)
        return replace(self, stages=stages, gather=None, resize=False, nearer=nearer)

    def inverse(self, size: tuple[int, ...]) -> Map:
        """Input to output coordinates, for a frame of the given input size. Displacements by iteration. That of a crop
        is a pad."""
        pads = self.size is not None
        farther = None if self.nearer is None else 1 / self.nearer
        stages = tuple(s.inverse() for s in reversed(self.stages))
        return Map(stages, size, flush=pads, whole=self.whole, nearer=farther)

    def __call__(self, points: Tensor) -> Tensor:
        """Centred output points `[*b, n, d]` to centred input points."""
        return self.traced(points)[0]

    def traced(self, points: Tensor) -> tuple[Tensor, Tensor | None]:
        """The same, and which of the points lie before every horizon on their way, `[*b, n]`; None without one."""
        seen = None
        for stage in self.stages:
            if isinstance(stage, Linear) and stage.projective:
                before = stage.before(points)
                seen = before if seen is None else seen & before
            points = stage(points)
        return points, seen

    def places(self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> list[Tensor]:
        """Input coordinates x, y[, z] of every output pixel, apart, each `[*b, *size]`."""
        first = self.stages[0] if len(self.stages) == 1 else None
        if isinstance(first, Linear) and not first.projective:
            axes = [centred(n, dtype, device) for n in size]
            return apart_on(Linear(first.matrix.to(device, dtype)), axes)
        return [x.contiguous() for x in self.grid(size, dtype, device).unbind(-1)]

    def grid(
        self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device, steps: int = 1, rows: slice = slice(None)
    ) -> Tensor:
        """Input coordinates of every output pixel `[*b, *size, d]` (of `steps` sub-pixels along each axis); of some rows
        of them along the first axis."""
        axes = [centred(n, dtype, device, steps) for n in size]
        axes[0] = axes[0][rows]
        stages = self.stages
        if not stages:
            return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1)
        first = stages[0]
        if isinstance(first, Linear):
            matrix, stages = first.matrix.to(device, dtype), stages[1:]
            coords = projective_grid(matrix, axes) if first.projective else affine_grid(matrix[..., :-1, :], axes)
        else:
            coords = torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], -1)
            field = first.stage if isinstance(first, Chosen) else first
            if isinstance(field, Displacement) and field.dims == 3 and not field.inverted:
                moved, stages = field.on(axes), stages[1:]
                still = coords.to(moved.dtype)
                coords = select(first.gate.to(device), moved, still, 4) if isinstance(first, Chosen) else moved
        if not stages:
            return coords
        flat = coords.flatten(-len(size) - 1, -2)
        for i, stage in enumerate(stages):
            flat = stage(flat.clamp(-FAR, FAR) if i else flat)  # warp after warp, what is outside would overflow
        return flat.reshape(*flat.shape[:-2], *coords.shape[-len(size) - 1 :])


def apart_on(stage: Linear, axes: list[Tensor]) -> list[Tensor]:
    """The coordinates x, y[, z] of an affine stage on the grid of the axes (slowest first), each `[*b, *grid]`."""
    d, found = len(axes), []
    for row in stage.matrix[..., :-1, :].unbind(-2):
        *slopes, total = (v.reshape(*v.shape, *[1] * d) for v in row.unbind(-1))
        for i, axis in enumerate(axes):
            total = total + slopes[d - 1 - i] * axis.reshape(-1, *[1] * (d - 1 - i))
        found.append(total)
    return found


def centred(n: int, dtype: torch.dtype, device: torch.device, steps: int = 1) -> Tensor:
    """Coordinates of n pixel centres (or of `steps` sub-pixels in each), measured from the middle of the frame."""
    return cached(make_axis, n, dtype, device, steps)


def make_axis(n: int, dtype: torch.dtype, device: torch.device, steps: int) -> Tensor:
    return (torch.arange(n * steps, dtype=dtype, device=device) - (n * steps - 1) / 2) / steps


def summed_grid(rows: Tensor, axes: list[Tensor]) -> Tensor:
    """The rows `[*b, r, d+1]` of an affine map on the grid of the axes (slowest first), `[*b, *grid, r]`, as a broadcast
    sum: one pass over the output, in which a line of points is one of numbers (to add along a short last axis is slow)."""
    r, d, batch = rows.shape[-2], len(axes), rows.shape[:-2]
    columns = rows.transpose(-1, -2).unsqueeze(-2).unbind(-3)
    total = (columns[0] * axes[-1][:, None] + columns[d]).flatten(-2)
    length = len(axes[-1])
    for i, axis in enumerate(reversed(axes[:-1]), 1):
        steps = (columns[i] * axis[:, None]).unsqueeze(-2).expand(*batch, len(axis), length, r)
        total = total.unsqueeze(-i - 1) + steps.reshape(*batch, len(axis), *[1] * (i - 1), length * r)
    return total.unflatten(-1, (length, r))


def is_planar(rows: Tensor, axes: list[Tensor]) -> bool:
    return rows.shape[-2] == len(axes) == 2 and rows.numel() > 0 and rows.dtype in (torch.float32, torch.float64)


@twin(summed_grid, fits=is_planar)
def affine_grid(rows: Tensor, axes: list[Tensor]) -> Tensor:
    """The same with a point as one complex number: five times as fast, and the same bits."""
    x, y, shift = torch.view_as_complex(rows.transpose(-1, -2).contiguous()).unsqueeze(-1).unbind(-2)
    return torch.view_as_real((y * axes[0] + shift).unsqueeze(-1) + (x * axes[1]).unsqueeze(-2))


def projective_grid(matrix: Tensor, axes: list[Tensor]) -> Tensor:
    """The same for a projective map: plane by plane, since a division along the last axis of two is four times slower."""
    d, lead = len(axes), matrix.shape[:-1]
    planes = matrix[..., d].reshape(*lead, *[1] * d)
    for i, axis in enumerate(axes):
        planes = planes + matrix[..., d - 1 - i].reshape(*lead, *[1] * d) * axis.reshape(-1, *[1] * (d - 1 - i))
    *found, w = planes.unbind(-d - 1)
    found = quotients(found, w)
    return pairs(*found) if d == 2 else torch.stack(found, -1)


def divided_planes(found: list[Tensor], w: Tensor) -> list[Tensor]:
    return [divided(plane, w) for plane in found]


@twin(
    divided_planes, fits=lambda found, w: w.numel() and not any(f.requires_grad for f in found) and w.amin() > HORIZON
)
def quotients(found: list[Tensor], w: Tensor) -> list[Tensor]:
    """The planes by their weight, in place where no horizon is in sight: a fifth of a resample less."""
    inverse = w.reciprocal_()
    return [plane.mul_(inverse) for plane in found]


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
    return shifted(matrix, centre_of(source), tuple(-c for c in centre_of(target)))


def centred_matrix(matrix: Tensor, source: tuple[int, ...], target: tuple[int, ...]) -> Tensor:
    """The inverse: a matrix from target to source pixels in centred coordinates."""
    return shifted(matrix, tuple(-c for c in centre_of(source)), centre_of(target))


def shifted(matrix: Tensor, after: tuple[float, ...], before: tuple[float, ...]) -> Tensor:
    """The matrix with a shift before it and one after it."""
    d = len(after)

    def move(values: tuple[float, ...]) -> Tensor:
        eye = identity_like(matrix)
        return eye + constant((*values, 0.0), matrix)[:, None] * eye[d]

    return move(after) @ matrix @ move(before)


def homography(points: Tensor, images: Tensor) -> Tensor:
    """The projective matrix `[*b, d+1, d+1]` that takes d + 2 points `[*b, d + 2, d]` to their images: a linear system of
    d (d + 2) equations."""
    points, images = torch.broadcast_tensors(*alike(points, images))
    d = points.shape[-1]
    known = torch.cat([points, torch.ones_like(points[..., :1])], -1)
    rows = []
    for i, u in enumerate(images.split(1, -1)):
        blocks = [known if j == i else torch.zeros_like(known) for j in range(d)]
        rows.append(torch.cat([*blocks, -u * points], -1))
    system, right = torch.cat(rows, -2), images.transpose(-1, -2).flatten(-2)
    h = torch.linalg.solve_ex(system, right).result
    return torch.cat([h, torch.ones_like(h[..., :1])], -1).unflatten(-1, (d + 1, d + 1))


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

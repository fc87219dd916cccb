"""What peers say otherwise than augfn's ops: in pixels, voxels or millimetres, of the frame that it meets; of values below 0."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.serialization import add_safe_globals

import augfn as af
from augfn.core.actions import Action, Geometric, Pixels
from augfn.core.augmentation import Augmentation
from augfn.distributions import Uniform
from augfn.math import color
from augfn.math.frames import fixed_window
from augfn.math.kspace import along
from augfn.math.maps import Map, axis_angle_matrix
from augfn.math.resample import Sampling
from augfn.math.stages import Displacement
from augfn.math.variates import straight_through
from augfn.run.constants import cached, constant
from augfn.typing import Leaf, Range

Size = tuple[int, ...]
Pair = tuple[float, float]
Triple = tuple[float, float, float]
PIECES = 8  # straight ones that draw a cubic curve between two control points
WIDER = 1 / 8  # of a voxel, by which ITK widens the box of its control points on each side


# albumentations


class HolesByFrame(Augmentation):
    """`af.coarse_dropout` of a whole number of holes, whose sides are fractions of the frame, or `pixels` as far as it has as
    many."""

    def __init__(self, fewest: int, most: int, pixels: dict[str, Pair], **known: Any) -> None:
        holes = af.Uniform(float(fewest), most + 1.0) if fewest < most else float(fewest)
        self.f = af.coarse_dropout(holes=holes, **{n: af.Uniform(0.0, 1.0) for n in pixels}, **known)
        super().__init__("coarse_dropout", self.f.params, self.f.schema, spatial=self.f.spatial)
        self.pixels = pixels

    def plan(self, params: Any, size: Any, sampling: Any) -> Any:
        sides = {**params, "holes": params["holes"].floor()}
        for name, (low, high) in self.pixels.items():
            n = size[-2:][name == "width"]
            sides[name] = ((low + (high - low) * params[name]) / n).clamp(max=1.0)
        return self.f.plan(sides, size, sampling)


class RotationByFrame(Augmentation):
    """`af.rotate`, then a zoom that fits the turned frame into the frame."""

    def __init__(self, degrees: Range) -> None:
        f = af.rotate(degrees=degrees)
        super().__init__("rotate", f.params, f.schema)

    def plan(self, params: Any, size: Any, sampling: Any) -> Any:
        height, width = size
        angle = torch.deg2rad(params["degrees"])
        sin, cos = angle.sin().abs(), angle.cos().abs()
        zoom = {"scale": width / (height * sin + width * cos), "scale_y": height / (height * cos + width * sin)}
        f = af.pipeline(af.rotate(), af.scale(scale_y=1.0))
        return f.plan({"rotate": params, "scale": zoom}, size, sampling)


# TorchIO


class Splined(Augmentation):
    """A cubic B-spline of control points: u_in = u + sum of `control` B(u), in mm along the array's axes.

    `control [3, n0, n1, n2]`: TorchIO's control points, with their three components first. The first two axes run from the
    high end, with components of the opposite sign, as ITK has them. Source: TorchIO `RandomElasticDeformation`.
    """

    def __init__(self, control: Uniform, spacing: Triple, sampling: Sampling) -> None:
        leaf = Leaf("displacement of a control point, mm", tuple(control.shape), neutral=0.0)
        super().__init__("elastic3d", {"control": control}, {"control": leaf}, ndim=3, spatial=True)
        self.spacing, self.sampling = spacing, sampling

    def plan(self, params: Any, size: Size, sampling: Sampling) -> list[Action]:
        control = params["control"]
        field = control.flip(-3, -2)
        for axis, n in zip((-3, -2, -1), size, strict=True):
            field = along(cached(make_spline, n, field.shape[axis], field.dtype, field.device), field, axis)
        signs = tuple(sign / s for sign, s in zip((-1.0, -1.0, 1.0), self.spacing, strict=True))
        field = field * constant(signs, field)[:, None, None, None]
        bend = Displacement(field.flip(-4), size, linear=True)
        return [Geometric(Map((bend,)), self.sampling.within(sampling))]


def make_spline(size: int, n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The cubic B-splines of n control points at places from the first voxel to the last, `[places, n]`."""
    place = torch.linspace(0, size - 1, PIECES * (n - 3) + 1, dtype=torch.float64)
    step = (size + 2 * WIDER) / (n - 3)
    far = ((place + 0.5 + WIDER) / step + 1)[:, None] - torch.arange(n, dtype=torch.float64)
    far = far.abs()
    near, tail = 2 / 3 - far**2 + far**3 / 2, (2 - far).clamp(min=0) ** 3 / 6
    return torch.where(far < 1, near, tail).to(device, dtype)


class Moving(Augmentation):
    """`af.motion_artifact` with shifts in voxels, and with Euler angles in TorchIO's order in the place of axis-angle
    vectors; its shifts come before its turns, at whole lines of k-space."""

    def __init__(self, **given: Any) -> None:
        self.f = af.motion_artifact(**given)
        leaf = Leaf("degrees of two movements, about x, y, z", (2, 3), neutral=0.0)
        super().__init__("motion_artifact", self.f.params, {**self.f.schema, "degrees": leaf}, spatial=False)

    def plan(self, params: Any, size: Size, sampling: Sampling) -> list[Action]:
        sides = constant(tuple(map(float, reversed(size))), params["translate"])
        turn = rotation_vector(params["degrees"])
        moved = axis_angle_matrix(turn).mT @ params["translate"].unsqueeze(-1)
        lines = params["times"] * size[-1]
        times = straight_through(lines.floor(), lines) / size[-1]
        known = {"degrees": turn, "translate": moved.squeeze(-1) / sides, "times": times}
        return self.f.plan({**params, **known}, size, sampling)


def rotation_vector(degrees: Tensor) -> Tensor:
    """The axis-angle vector `[..., 3]`, in degrees, of turns about x, about z and about y, in the order of their matrices.

    >>> rotation_vector(torch.tensor([0.0, 0.0, 30.0]))
    tensor([ 0.,  0., 30.])
    """
    half = torch.deg2rad(degrees) / 2
    (a, b, c), (i, j, k) = half.cos().unbind(-1), half.sin().unbind(-1)
    first = (a * c, i * c, -i * k, a * k)
    w = first[0] * b - first[2] * j
    x = first[1] * b - first[3] * j
    y = first[0] * j + first[2] * b
    z = first[1] * j + first[3] * b
    v = torch.stack([x, y, z], -1)
    length = torch.linalg.vector_norm(v, dim=-1)
    still = length < 1e-6
    angle = 2 * torch.atan2(length, w) / length.masked_fill(still, 1)
    return torch.rad2deg(v * angle.masked_fill(still, 2).unsqueeze(-1))


class SignedGamma(Augmentation):
    """sign(x) |x|^gamma, with a gamma for each channel. Source: TorchIO `RandomGamma`."""

    def __init__(self, gamma: Any) -> None:
        f = af.gamma(gamma=gamma, per_channel=True)
        super().__init__("gamma", f.params, f.schema, spatial=False)

    def plan(self, params: Any, size: Size, sampling: Sampling) -> list[Action]:
        return [Pixels("photometric", signed, params, name="gamma", pointwise=True, per_channel=True)]


def signed(x: Tensor, gamma: Tensor) -> Tensor:
    """The power of what lies above 0, and that of what lies below it."""
    return color.gamma(x, gamma) - color.gamma(-x, gamma)


class Volumes(Augmentation):
    """Nothing is done; by it a bare tensor is a volume."""

    def __init__(self) -> None:
        super().__init__("volumes", {}, {}, ndim=3, spatial=True)

    def plan(self, params: Any, size: Size, sampling: Sampling) -> list[Action]:
        return []


class Cut(Augmentation):
    """A window of the frame, whose ends a function of its size tells: (start, size) along each axis."""

    def __init__(self, window: Callable[[Size], tuple[Size, Size]]) -> None:
        super().__init__("crop3d", {}, {}, ndim=3, spatial=True)
        self.window = window

    def plan(self, params: Any, size: Size, sampling: Sampling) -> list[Action]:
        start, target = self.window(size)
        return [Geometric(fixed_window(size, target, start), self.sampling.within(sampling))]


@dataclass(frozen=True)
class Ends:
    """The window that is left without so many voxels before and behind, along each axis in turn."""

    widths: tuple[int, ...]

    def __call__(self, size: Size) -> tuple[Size, Size]:
        start, behind = self.widths[::2], self.widths[1::2]
        return start, tuple(n - a - b for n, a, b in zip(size, start, behind, strict=True))


@dataclass(frozen=True)
class Multiples:
    """The largest window of such sides, in the middle, of an odd rest with the one more before it."""

    of: tuple[int, ...]

    def __call__(self, size: Size) -> tuple[Size, Size]:
        target = tuple(max(n // m * m, 1) for n, m in zip(size, self.of, strict=True))
        return tuple((n - m + 1) // 2 for n, m in zip(size, target, strict=True)), target


add_safe_globals([Cut, Ends, HolesByFrame, Moving, Multiples, RotationByFrame, SignedGamma, Splined, Volumes, signed])

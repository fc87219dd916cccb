"""What geometry does to numbers that know of the frame's axes: cameras, world coordinates, voxel sizes, optical flow."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from augfn.core.actions import Geometric
from augfn.core.targets import Sample, Target
from augfn.errors import explain
from augfn.math.maps import Map, pixel_matrix
from augfn.math.resample import Sampling, resample, to_wide
from augfn.math.shapes import planes
from augfn.math.stages import Linear

BETWEEN = Sampling("bilinear", "border")  # how flow is read: beyond the frame it goes on as at its edge


def rigid_matrix(action: Geometric, s: Sample, what: str) -> Tensor:
    """The matrix from output to input pixels; raises where there is none."""
    if not action.map.rigid:
        raise ValueError(
            explain(
                f"{what} cannot follow a displacement field",
                "a bend, or tiles that change places",
                "projective maps only",
                f"leave the {what} out of the dict, or the displacement out of the pipeline; "
                f"targets={{{what!r}: 'other'}} passes it on",
            )
        )
    return pixel_matrix(to_wide(action.map.matrix), s.size, action.size(s.size))


def warp_intrinsics(action: Geometric, t: Target, s: Sample) -> Tensor:
    moved = for_frames(torch.linalg.inv_ex(rigid_matrix(action, s, "intrinsics")).inverse, t.value)
    new = moved @ t.value.to(moved.dtype)
    if action.map.nearer is not None:  # then it is not the camera that zooms
        nearer = for_frames(action.map.nearer[..., None, None].to(new), new)
        new = torch.cat([new[..., :2] / nearer, new[..., 2:]], -1)
    return new.to(t.value.dtype)


def for_frames(matrix: Tensor, value: Tensor) -> Tensor:
    """A matrix `[*b, d, d]` against values `[*b, d, d]`, or of each frame of a clip `[*b, T, d, d]`."""
    return matrix.unsqueeze(-3) if value.ndim > matrix.ndim > 2 else matrix


def affine_matrix(action: Geometric, s: Sample, what: str) -> Tensor:
    if any(isinstance(stage, Linear) and stage.projective for stage in action.map.stages):
        want, fix = "affine maps only", f"leave the {what} out of the dict, or the perspective out of the pipeline"
        raise ValueError(explain(f"{what} cannot follow a projective map", "a perspective", want, fix))
    return rigid_matrix(action, s, what)


def warp_affine(action: Geometric, t: Target, s: Sample) -> Tensor:
    """The matrix from pixels to world coordinates of what has moved: each of its points stays where it was in the world."""
    matrix = affine_matrix(action, s, "affine")
    wide = torch.promote_types(matrix.dtype, t.value.dtype)
    return (t.value.to(wide) @ for_frames(matrix.to(wide), t.value)).to(t.value.dtype)


def warp_spacing(action: Geometric, t: Target, s: Sample) -> Tensor:
    """The length of a step to the next pixel along each new axis."""
    matrix = affine_matrix(action, s, "spacing")[..., :-1, :-1]
    sizes = t.value[..., None]
    steps = for_frames(matrix, sizes) * sizes.to(matrix.dtype)
    return steps.square().sum(-2).sqrt().to(t.value.dtype)


def warp_flow(action: Geometric, t: Target, s: Sample) -> Tensor:
    """Vectors to where each pixel is in the next frame: both their ends are moved, the far one by the next frame's map."""
    m, b, target = action.map, len(s.batch), action.size(s.size)
    d, flow = len(target), to_wide(t.value)
    if m.gather is None:
        moved = resample(flow, b, m, BETWEEN)
    else:
        moved = m.gather(planes(flow, b, d), BETWEEN).reshape(*flow.shape[:-d], *target)
    here = m.grid(target, flow.dtype, flow.device).flatten(-d - 1, -2)
    vectors = moved.flatten(-d).transpose(-1, -2)  # [*b, (T,) n, d]
    frames = vectors.shape[b:-2]
    ends = (here.reshape(*here.shape[:-2], *[1] * len(frames), *here.shape[-2:]) + vectors).flatten(b, -2)
    after = following(m, b - 1) if s.clip else m
    there = after.inverse(s.size)(ends).to(flow.dtype).unflatten(-2, (*frames, -1))
    start = Map((Linear(torch.eye(d + 1)),)).grid(target, flow.dtype, flow.device).flatten(0, -2)
    found = (there - start).transpose(-1, -2).unflatten(-1, target)
    return found.to(t.value.dtype)


def following(m: Map, axis: int) -> Map:
    """The map of the next frame along the batch's dim that is time; after the last frame the last one's."""

    def shifted(x: Tensor, leads: bool) -> Tensor:
        if not leads:
            return x
        n = x.shape[axis]
        return torch.cat([x.narrow(axis, 1, n - 1), x.narrow(axis, n - 1, 1)], axis) if n > 1 else x

    return replace(m.mapped(shifted), gather=None)

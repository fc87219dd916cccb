"""What geometry makes of a frame as one map, its matrix, and its inverse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from augfn.core.actions import Action, Deferred, Geometric, Size, chosen, each_of, is_moving
from augfn.core.augmentation import Augmentation, Op
from augfn.core.boxes import Keypoints
from augfn.core.called import Custom, map_of
from augfn.core.draw import leaves_of, merge
from augfn.core.fusing import fuse
from augfn.core.patched import Patched
from augfn.core.rules import apply
from augfn.core.targets import Sample, Target
from augfn.core.timed import drawn_for, framed, has_paths, outcome
from augfn.errors import explain
from augfn.math.maps import Gather, Map, pixel_matrix
from augfn.math.resample import UNSET, Sampling, pick
from augfn.math.stages import Linear
from augfn.ops.photometric import invert as negative
from augfn.run.rows import run


def steps_of(f: Augmentation, params: dict[str, Any], size: Size) -> list[Action]:
    """What is done for drawn params; of a choice in between, the heaviest branch."""
    found = chosen(f.planned(params, size), size)
    actions = [map_of(a, size, a.seed.device) if isinstance(a, Custom) and a.matrix else a for a in found]
    if any(isinstance(a, Patched) and any(map(is_moving, each_of(sum(a.actions, ())))) for a in actions):
        want, fix = "geometry of the whole frame", "leave it out of the patches"
        raise ValueError(explain("geometry within patches has no map", f.name, want, fix))
    unknown = [a for a in actions if isinstance(a, Deferred) and a.moves]
    if unknown:
        given, want = f"{unknown[0].name}, which looks at the {unknown[0].needs[0]}", "steps that follow from params"
        raise ValueError(
            explain(
                "the map is not known from params alone",
                given,
                want,
                "call it by itself first, and invert what follows it",
            )
        )
    return actions


def geometry_of(f: Augmentation, params: dict[str, Any], size: Size) -> tuple[Map, Sampling, Size]:
    """The one map of all geometric steps for drawn params, and the size of the frame that comes out."""
    return composed(steps_of(f, params, size), size)


def composed(steps: list[Action], size: Size) -> tuple[Map, Sampling, Size]:
    total, out = Geometric(Map((Linear(torch.eye(len(size) + 1)),), whole=True), UNSET), size
    for a in steps:
        if isinstance(a, Geometric):
            total, out = total.then(Geometric(a.settled(), a.sampling)), a.size(out)
    return total.map, total.sampling, out


def transform_matrix(f: Augmentation, params: dict[str, Any], size: Size) -> Tensor:
    """The matrix `[*b, d+1, d+1]` from input to output pixel coordinates (x, y[, z], 1) of the geometric steps.

    Raises where a step bends the image. kornia's `transform_matrix`.

    >>> import augfn as af
    >>> af.transform_matrix(af.hflip(), {}, (3, 5)).tolist()
    [[-1.0, 0.0, 4.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    if not isinstance(f, Augmentation) or not isinstance(params, dict):
        given, want = (f, params), "an augmentation, and params that it has drawn"
        raise TypeError(explain("transform_matrix", given, want, "af.transform_matrix(module.f, module._params, size)"))
    leaves = leaves_of(params)
    drawn = all(isinstance(leaf, Tensor) for leaf in leaves.values())
    lacking = leaves_of(f.params).keys() - leaves.keys()
    if not drawn or (lacking and (isinstance(f, Op) or not params)):
        want, fix = "params that a call has drawn", "y, params = f(x, None, key)"
        raise ValueError(explain("transform_matrix: params", list(leaves), want, fix))
    if f.spatial and len(size) != f.ndim:
        want = "(h, w)" if f.ndim == 2 else "(d, h, w)"
        raise ValueError(explain("transform_matrix: size", size, want, f"x.shape[-{f.ndim}:]"))
    m, _, out = geometry_of(f, params, size)
    if not m.rigid:
        raise ValueError(
            explain(
                "what bends has no matrix", f.name, "flips, turns, affine and projective steps", "leave the bend out"
            )
        )
    return torch.linalg.inv_ex(pixel_matrix(m.matrix, size, out)).inverse


def in_view(steps: list[Action], fused: bool, batch: Size, size: Size, device: torch.device) -> Tensor:
    """1 for each pixel `[*b, *size]` of a frame that the steps keep in view, as a keypoint is."""
    axes = torch.meshgrid(*[torch.arange(n, dtype=torch.float32, device=device) for n in size], indexing="ij")
    places = torch.stack(axes[::-1], -1).reshape(-1, len(size))
    points = Target("keypoints", Keypoints(places.expand(*batch, *places.shape)))
    sample = Sample({"keypoints": points}, batch, size, device)
    for a in fuse(steps) if fused else steps:
        if isinstance(a, Geometric):
            sample = apply(Geometric(a.settled().to(device), UNSET), sample)
    return sample.targets["keypoints"].value.visible.float().reshape(*batch, *size)


def invert(f: Augmentation | None = None, size: Size | None = None, **keywords: Any) -> Any:
    """`invert(f)` inverts the geometry of an augmentation; `invert(p=...)`, without one, is the colour op y = 1 - x.

    The inverse of the geometric part, for drawn params: `inverse(y, params) -> (x, valid)`.

    One resample takes images, masks, boxes and keypoints back, after flips, crops, pads and quarter turns alone an exact
    copy; `valid [*b, *size]` is 1 where the pixel was seen in y.
    `size` is the frame before the augmentation, where f changed it. Colour, filters, holes and mixing are not undone, a step
    that chooses frames raises; displacements are inverted by Newton's method.

    >>> import augfn as af
    >>> f = af.rotate(degrees=90)
    >>> x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> y, params = f(x)
    >>> back, valid = af.invert(f)(y, params)
    >>> back.round(decimals=4).equal(x), valid.all()
    (True, tensor(True))
    """

    if f is None:
        return negative(**keywords)
    if keywords or not isinstance(f, Augmentation):
        raise TypeError(
            explain(
                "invert",
                keywords or f,
                "an augmentation and its frame, or keywords of the colour op",
                "af.invert(f, size=(h, w)) or af.invert(p=0.5)",
            )
        )

    def inverse(y: Any, params: dict[str, Any]) -> tuple[Any, Tensor]:
        return undone(f, y, merge(params, f.params, f.schema, f.name), size)

    return inverse


def undone(f: Augmentation, y: Any, tree: dict[str, Any], size: Size | None) -> tuple[Any, Tensor]:
    """The inverse of the geometry that this tree of params draws."""
    given = f.read(y)
    sample, before = given, size or given.size
    drawn = drawn_for(f, given, tree, None)
    if has_paths(f, tree, given):
        sample, drawn = framed(f, given, drawn)
    steps = steps_of(f, drawn, before)
    for a in steps:
        if isinstance(a, Deferred) and a.retimes:
            fix = "two pipelines, of which that of the geometry is undone"
            raise ValueError(explain("invert: frames are not put back in order", a.name, "steps within a frame", fix))
    after = composed(steps, before)[2]
    if after != sample.size:
        want, fix = f"{after}, what f makes of {before}", "af.invert(f, size=(h, w)) with the frame before f"
        raise ValueError(explain("invert: the frame does not fit", sample.size, want, fix))
    valid = in_view(steps, f.fused, sample.batch, before, sample.device)
    for some, size in reversed(whole_runs([a for a in steps if isinstance(a, Geometric)], before)):
        sample = run([back_of(some, size, sample.device)], sample)
    return outcome(sample, given) if sample.clip else sample.output(), valid


def whole_runs(steps: list[Geometric], size: Size) -> list[tuple[list[Geometric], Size]]:
    """Runs of steps that are undone by one resample, and the frame before each; what cuts a frame into pieces is undone by
    itself."""
    found: list[tuple[list[Geometric], Size]] = []
    for a in steps:
        if found and not a.map.torn and not found[-1][0][-1].map.torn:
            found[-1][0].append(a)
        else:
            found.append(([a], size))
        size = a.size(size)
    return found or [([], size)]


def back_of(steps: list[Geometric], size: Size, device: torch.device) -> Geometric:
    """The inverse of a run of steps, from whose end it goes back to a frame of this size."""
    gate = steps[0].gate if len(steps) == 1 and steps[0].map.torn else None
    m, sampling = (steps[0].map, steps[0].sampling) if gate is not None else composed(list(steps), size)[:2]
    back = m.to(device).inverse(size)
    if back.whole:
        back = replace(back, gather=Gather(lambda x, how, _, m=back: pick(x, m, size, how)))
    return Geometric(back, sampling, gate=gate)


invert.spec = negative.spec  # type: ignore[attr-defined]

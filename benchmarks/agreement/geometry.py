"""Geometry: kornia's class with its ranges fixed, or its drawn params read and given to ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

import augfn as af
from benchmarks.agreement import Case, K, drawn, theirs

H, W = 64, 96  # of the photo
MIDDLE = (slice(None), slice(None), slice(None), slice(16, 80))  # a square of it
CLOCKWISE = "its affine turns clockwise"


def T() -> Any:
    import kornia.geometry.transform as T

    return T


def run(f: Any, **params: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: f(x, params)[0]


def fixed(op: str, peer: str, f: Any, margin: int = 0, note: str = "", **settings: Any) -> Case:
    """Ours, whose ranges are fixed, and kornia's class with these settings."""
    return Case(op, peer, run(f), theirs(peer, **settings), margin=margin, note=note)


def from_params(
    op: str, peer: str, ours: Callable[[Tensor, dict[str, Tensor]], Tensor], margin: int, note: str, **settings: Any
) -> Case:
    """Ours, with the leaves that kornia's params mean."""
    return Case(
        op, peer, lambda x: ours(x, drawn(peer, x, **settings)[1]), theirs(peer, **settings), margin=margin, note=note
    )


def with_leaves(f: Any, x: Tensor, **leaves: Tensor) -> Tensor:
    return f(x, leaves, af.key(0))[0]


def affine(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    f = af.affine(degrees=0, translate=0, scale=1)
    shift = p["translations"] / torch.tensor([W, H])
    return with_leaves(f, x, degrees=-p["angle"], translate=shift, scale=p["scale"][:, 0])


def perspective(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    signs = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    corners = (p["end_points"] - p["start_points"]) * signs * 4 / torch.tensor([W, H])
    return with_leaves(af.perspective(distortion_scale=0.5), x, corners=corners)


def crop_position(p: dict[str, Tensor], whole: bool) -> tuple[Tensor, Tensor]:
    """The window's place in [0, 1] (in the middle of what a whole pixel stands for), and its size (width, height)."""
    first, sides = p["src"][:, 0], p["src"][:, 2] - p["src"][:, 0] + 1
    room = torch.tensor([W, H]) - sides
    return ((first + 0.5) / (room + 1) if whole else first / room), sides


def random_crop(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    return with_leaves(af.random_crop(size=(30, 40)), x, position=crop_position(p, True)[0])


def resized_crop(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    position, sides = crop_position(p, False)
    share, ratio = sides.prod(-1) / (H * W), sides[:, 0] / sides[:, 1]
    f = af.resized_crop(size=(48, 56), antialias=False)
    return with_leaves(f, x, position=position, scale=share, ratio=ratio)


def thin_plate_spline(x: Tensor, p: dict[str, Tensor]) -> Tensor:
    return with_leaves(af.thin_plate_spline(scale=1.0), x, control=p["dst"] - p["src"])


def undistorted(x: Tensor, k: float) -> Tensor:
    from kornia.geometry.calibration import undistort_image

    half = (H**2 + W**2) ** 0.5 / 2
    camera = torch.tensor([[half, 0, (W - 1) / 2], [0, half, (H - 1) / 2], [0, 0, 1]])
    return undistort_image(x, camera.expand(2, 3, 3), torch.tensor([[k, 0.0, 0.0, 0.0]]).expand(2, 4))


def resized(x: Tensor, **how: Any) -> Tensor:
    return T().resize(x, align_corners=False, **how)


def square(f: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: f(x[MIDDLE])


def symmetry(k: int) -> Tensor:
    return torch.eye(8)[k]


ONE = {"center_x": 0.2, "center_y": -0.1, "gamma": 0.95}
ZOOM = {"degrees": (0.0, 0.0), "align_corners": True}

CASES = [
    fixed("hflip", "RandomHorizontalFlip", af.hflip()),
    fixed("vflip", "RandomVerticalFlip", af.vflip()),
    fixed("rotate", "RandomRotation", af.rotate(degrees=25), 2, degrees=(25.0, 25.0)),
    from_params(
        "affine", "RandomAffine", affine, 2, CLOCKWISE, degrees=(20.0, 20.0), translate=(0.1, 0.1), scale=(0.8, 1.2)
    ),
    fixed(
        "translate",
        "RandomTranslate",
        af.translate(translate=torch.tensor([0.1, -0.2])),
        2,
        translate_x=(0.1, 0.1),
        translate_y=(-0.2, -0.2),
    ),
    fixed("scale", "RandomAffine", af.scale(scale=1.3), 2, scale=(1.3, 1.3), **ZOOM),
    fixed("shear", "RandomShear", af.shear(shear=torch.tensor([10.0, 5.0])), 2, shear=(10.0, 10.0, 5.0, 5.0)),
    from_params("perspective", "RandomPerspective", perspective, 2, "corners from its points", distortion_scale=0.5),
    Case(
        "resize",
        "geometry.transform.resize",
        run(af.resize(size=(40, 70), antialias=False)),
        partial(resized, size=(40, 70)),
        note="align_corners=False, no antialias",
    ),
    Case(
        "longest_max_size",
        "geometry.transform.resize",
        run(af.longest_max_size(max_size=120, antialias=False)),
        partial(resized, size=120, side="long"),
        note="align_corners=False",
    ),
    Case(
        "smallest_max_size",
        "geometry.transform.resize",
        run(af.smallest_max_size(max_size=96, antialias=False)),
        partial(resized, size=96, side="short"),
        note="align_corners=False",
    ),
    fixed("center_crop", "CenterCrop", af.center_crop(size=(30, 40)), size=(30, 40)),
    from_params("random_crop", "RandomCrop", random_crop, 0, "its window", size=(30, 40)),
    from_params(
        "resized_crop",
        "RandomResizedCrop",
        resized_crop,
        2,
        "its window; align_corners=False, no antialias",
        size=(48, 56),
        scale=(0.3, 0.5),
        align_corners=False,
    ),
    Case(
        "pad_to",
        "PadTo",
        run(af.pad_to(size=(80, 100), fill=0.3)),
        lambda x: K().PadTo(size=(80, 100), pad_value=0.3)(x),
    ),
    Case("rot90", "RandomRotation90", square(run(af.rot90(k=1))), square(theirs("RandomRotation90", times=(1, 1)))),
    Case(
        "quarter_turn",
        "RandomRotation90",
        square(run(af.quarter_turn(), turns=torch.tensor([0.0, 0.0, 0.0, 1.0]))),
        square(theirs("RandomRotation90", times=(-1, -1))),
    ),
    Case("d4", "geometry.transform.hflip", run(af.d4(), symmetry=symmetry(4)), lambda x: T().hflip(x)),
    Case("d4", "geometry.transform.rot180", run(af.d4(), symmetry=symmetry(2)), lambda x: T().rot180(x)),
    Case(
        "fisheye",
        "RandomFisheye",
        run(af.fisheye(**ONE)),
        lambda x: drawn("RandomFisheye", x, **{n: torch.tensor([v, v]) for n, v in ONE.items()})[0],
        margin=2,
    ),
    from_params(
        "thin_plate_spline", "RandomThinPlateSpline", thin_plate_spline, 2, "control = dst - src, scale 1", scale=0.2
    ),
    Case(
        "optical_distortion",
        "geometry.calibration.undistort_image",
        run(af.optical_distortion(k=0.2)),
        partial(undistorted, k=0.2),
        margin=2,
        note="focal length: half the diagonal",
    ),
    Case(
        "optical_distortion",
        "geometry.calibration.undistort_image",
        run(af.optical_distortion(k=-0.2)),
        partial(undistorted, k=-0.2),
        margin=2,
        note="pincushion",
    ),
    fixed(
        "zoom_out",
        "RandomAffine",
        af.zoom_out(side=1.5, position=0.5, antialias=False),
        2,
        "about the middle",
        scale=(1 / 1.5, 1 / 1.5),
        **ZOOM,
    ),
    fixed(
        "scale_jitter",
        "RandomAffine",
        af.scale_jitter(size=(H, W), scale=1.4, position=0.5, antialias=False),
        2,
        "about the middle",
        scale=(1.4, 1.4),
        **ZOOM,
    ),
]

DIFFERENCES = {
    "RandomElasticTransform": "its noise is as large as the image and blurred there; ours is a grid of 8 x 8 control "
    "points, so that it replays at any resolution",
    "RandomRotation90 (odd turns, not square)": "it warps and keeps the frame; rot90 copies and swaps height and width",
    "Resize, LongestMaxSize, SmallestMaxSize": "align_corners=True and no antialias by default; ours are half-pixel, "
    "and antialiased where they shrink",
}

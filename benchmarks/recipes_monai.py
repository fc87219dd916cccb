"""Training recipes of MONAI's tutorials and scripts, less what loads, and their draws as those of the pipelines here."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

import augfn as af
import augfn_nn as A
from augfn_nn.converters.monai import data_of, steps_of
from augfn_nn.converters.monai_data import base_name, kept, keys_of
from augfn_nn.converters.monai_intensity import widths
from augfn_nn.converters.monai_spatial import FACETS
from augfn_nn.converters.notes import Notes
from benchmarks.volume_peers import monai_recipe, volumes

Build = Callable[[Any], Any]
Tree = dict[str, Any]
BOTH, ONE = ["image", "label"], ["image"]
READ: dict[str, Any] = {"mode": ("bilinear", "nearest")}
MEDNIST, FLAT = "MedNIST, classification", "U-Net of the examples, images"


def scaled(m: Any, low: float, high: float) -> Any:
    return m.ScaleIntensityRanged(ONE, a_min=low, a_max=high, b_min=0.0, b_max=1.0, clip=True)


def patches(m: Any, size: int = 96) -> Any:
    given = {"spatial_size": (size,) * 3, "pos": 1, "neg": 1, "num_samples": 4, "image_key": "image"}
    return m.RandCropByPosNegLabeld(BOTH, label_key="label", image_threshold=0, **given)


def mirrored(m: Any, p: float) -> list[Any]:
    return [m.RandFlipd(BOTH, prob=p, spatial_axis=i) for i in range(3)]


def brats(m: Any, size: tuple[int, int, int], first: list[Any]) -> Any:
    crop = m.RandSpatialCropd(BOTH, roi_size=size, random_size=False)
    scores = m.NormalizeIntensityd("image", nonzero=True, channel_wise=True)
    levels = [m.RandScaleIntensityd("image", factors=0.1, prob=1.0), m.RandShiftIntensityd("image", 0.1, prob=1.0)]
    return m.Compose([*first, crop, *mirrored(m, 0.5), scores, *levels])


def luna16(m: Any) -> Any:
    """The detection tutorial; what moves boxes is of `monai.apps.detection`."""
    boxes = import_module("monai.apps.detection.transforms.dictionary")
    keys = {"box_keys": "box", "label_keys": "label"}
    window = {"spatial_size": (96, 96, 64), "whole_box": True, "num_samples": 4, "pos": 1, "neg": 1}
    third = math.pi / 6
    turn = {
        "range_x": third,
        "range_y": third,
        "range_z": third,
        "prob": 0.2,
        "keep_size": True,
        "padding_mode": "zeros",
    }
    return m.Compose(
        [
            scaled(m, -1024, 300),
            boxes.RandCropBoxByPosNegLabeld(image_keys="image", **keys, **window),
            boxes.RandFlipBoxd(
                image_keys="image", box_keys="box", box_ref_image_keys="image", prob=0.5, spatial_axis=0
            ),
            m.RandRotated(["image", "box_mask"], mode=["nearest", "nearest"], **turn),
            m.RandGaussianNoised("image", prob=0.1, mean=0, std=0.1),
            m.RandGaussianSmoothd("image", (0.5, 1.0), (0.5, 1.0), (0.5, 1.0), prob=0.1),
            m.RandScaleIntensityd("image", factors=0.25, prob=0.15),
            m.RandShiftIntensityd("image", offsets=0.1, prob=0.15),
            m.RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.5)),
        ]
    )


def pretraining(m: Any) -> Any:
    """The tutorial of self-supervised training."""
    drop = {"prob": 1.0, "holes": 6, "spatial_size": 5, "fill_value": None}
    return m.Compose(
        [
            scaled(m, -57, 164),
            m.CropForegroundd(ONE, source_key="image"),
            m.SpatialPadd(ONE, spatial_size=(96, 96, 96)),
            m.RandSpatialCropSamplesd(ONE, roi_size=(96, 96, 96), random_size=False, num_samples=2),
            m.OneOf(
                [
                    m.RandCoarseDropoutd(ONE, dropout_holes=True, max_spatial_size=32, **drop),
                    m.RandCoarseDropoutd(ONE, dropout_holes=False, max_spatial_size=64, **drop),
                ]
            ),
            m.RandCoarseShuffled(ONE, prob=0.8, holes=10, spatial_size=8),
        ]
    )


RECIPES: dict[str, Build] = {
    "spleen, segmentation": lambda m: m.Compose(
        [
            scaled(m, -57, 164),
            m.CropForegroundd(BOTH, source_key="image"),
            patches(m),
            m.RandAffined(
                BOTH,
                **READ,
                prob=1.0,
                spatial_size=(96, 96, 96),
                rotate_range=(0, 0, math.pi / 15),
                scale_range=(0.1, 0.1, 0.1),
            ),
        ]
    ),
    "BraTS, SegResNet": lambda m: brats(m, (224, 224, 144), []),
    "BraTS21, SwinUNETR": lambda m: brats(
        m, (128, 128, 128), [m.CropForegroundd(BOTH, source_key="image", k_divisible=(128, 128, 128))]
    ),
    "BTCV, UNETR": lambda m: m.Compose(
        [
            scaled(m, -175, 250),
            m.CropForegroundd(BOTH, source_key="image"),
            patches(m),
            *mirrored(m, 0.1),
            m.RandRotate90d(BOTH, prob=0.1, max_k=3),
            m.RandShiftIntensityd(ONE, offsets=0.1, prob=0.5),
        ]
    ),
    "BTCV, SwinUNETR": lambda m: m.Compose(
        [
            scaled(m, -175, 250),
            m.CropForegroundd(BOTH, source_key="image"),
            patches(m),
            *mirrored(m, 0.2),
            m.RandRotate90d(BOTH, prob=0.2, max_k=3),
            m.RandScaleIntensityd("image", factors=0.1, prob=0.1),
            m.RandShiftIntensityd("image", offsets=0.1, prob=0.1),
        ]
    ),
    "nnU-Net's training": monai_recipe,
    MEDNIST: lambda m: m.Compose(
        [
            m.ScaleIntensity(),
            m.RandRotate(range_x=math.pi / 12, prob=0.5, keep_size=True),
            m.RandFlip(spatial_axis=0, prob=0.5),
            m.RandZoom(min_zoom=0.9, max_zoom=1.1, prob=0.5),
        ]
    ),
    "IXI, classification of volumes": lambda m: m.Compose(
        [m.ScaleIntensity(), m.Resize((96, 96, 96)), m.RandRotate90()]
    ),
    "U-Net of the examples": lambda m: m.Compose(
        [
            m.ScaleIntensityd("img"),
            m.RandCropByPosNegLabeld(
                ["img", "seg"], label_key="seg", spatial_size=[96, 96, 96], pos=1, neg=1, num_samples=4
            ),
            m.RandRotate90d(["img", "seg"], prob=0.5, spatial_axes=[0, 2]),
        ]
    ),
    FLAT: lambda m: m.Compose(
        [
            m.ScaleIntensityd(["img", "seg"]),
            m.RandCropByPosNegLabeld(
                ["img", "seg"], label_key="seg", spatial_size=[96, 96], pos=1, neg=1, num_samples=4
            ),
            m.RandRotate90d(["img", "seg"], prob=0.5, spatial_axes=[0, 1]),
        ]
    ),
    "LUNA16, detection": luna16,
    "self-supervised training": pretraining,
}


def sample_of(name: str) -> Any:
    """Rendered data as a recipe takes it: the names of its keys, the size and the values."""
    size = {"BraTS, SegResNet": (232, 226, 148), "BraTS21, SwinUNETR": (134, 131, 129)}.get(name, (104, 100, 108))
    if name == "nnU-Net's training":
        size = (96, 96, 96)
    x, mask = volumes(max(size), 1)
    x, mask = (v.reshape(1, *v.shape[-3:])[:, : size[0], : size[1], : size[2]].contiguous() for v in (x, mask))
    if name == MEDNIST:
        return x[:, 50, :64, :64]
    if name.startswith("IXI"):
        return x
    x, mask = (x[:, 50], mask[:, 50]) if name == FLAT else (x, mask)
    of_examples = dict.fromkeys(("U-Net of the examples", FLAT), ("img", "seg"))
    names = ({"nnU-Net's training": ("volume", "mask")} | of_examples).get(name, ("image", "label"))
    units = name.startswith(("spleen", "BTCV", "self"))
    found = {names[0]: x * 500 - 250 if units else x * 1400 - 1050 if name.startswith("LUNA") else x}
    if name.startswith("self"):
        return found
    return found | {"box_mask" if name.startswith("LUNA") else names[1]: mask.float()}


# what a transform drew, as params


def put(tree: Tree, name: str, value: Any) -> None:
    leaf = tree[name]
    tree[name] = torch.as_tensor(value, dtype=leaf.dtype).expand(leaf.shape).clone()


def found_in(tree: Tree, op: str) -> list[Tree]:
    """The params of the ops of this name, in order."""
    out = []
    for name, part in tree.items():
        if isinstance(part, dict):
            numbered = name.removeprefix(op).removeprefix("_").isdigit()
            out += [part] if name.startswith(op) and (name == op or numbered) else found_in(part, op)
    return out


def leaf_of(tree: Tree, leaf: str) -> Tree:
    """The params, at any depth, that hold this leaf."""
    if isinstance(tree.get(leaf), Tensor):
        return tree
    return next((t for part in tree.values() if isinstance(part, dict) and (t := leaf_of(part, leaf))), {})


def sets(leaf: str, value: Callable[[Any], Any]) -> Callable[[Any, Tree, Any], None]:
    return lambda s, tree, before: put(leaf_of(tree, leaf), leaf, value(s))


def turned(s: Any, tree: Tree, before: Any) -> None:
    degrees = [-math.degrees(v) for v in (s.x, s.y, s.z)]
    put(leaf_of(tree, "degrees"), "degrees", degrees[0] if before.ndim == 3 else degrees[::-1])


def zoomed(s: Any, tree: Tree, before: Any) -> None:
    part = leaf_of(tree, "scale")
    for name, value in zip(("scale", "scale_y", "scale_z"), reversed(s._zoom), strict=False):
        if name in part:
            put(part, name, value)


def moved(s: Any, tree: Tree, before: Any) -> None:
    """Of the second draw that RandAffine makes in a call: the first one and those for each key are not used."""
    turn, shear, shift, zoom = s.recorded[1]
    d = before.ndim - 1
    if turn:
        degrees = [-math.degrees(v) for v in turn]
        put(leaf_of(tree, "degrees"), "degrees", degrees[0] if d == 2 else (degrees + [0.0] * (3 - len(degrees)))[::-1])
    pairs = [p for p in zip(FACETS[d], shear, strict=False) if p[1]]
    for part, (_, slope) in zip(found_in(tree, "shear3d" if d == 3 else "shear"), reversed(pairs), strict=True):
        part["shear"] = (part["shear"] != 0) * math.degrees(math.atan(slope))
    if shift:
        put(leaf_of(tree, "translate"), "translate", [-v for v in reversed(shift)])
    for name, value in zip(("scale", "scale_y", "scale_z"), reversed(zoom), strict=False):
        put(leaf_of(tree, "scale"), name, 1 / value)


def record(t: Any) -> None:
    """Keep each draw of RandAffine's."""
    grid = kept(t).rand_affine_grid
    draw, t.recorded = grid.randomize, []

    def randomize(data: Any = None) -> None:
        draw(data)
        t.recorded.append((grid.rotate_params, grid.shear_params, grid.translate_params, grid.scale_params))

    grid.randomize = randomize


def place(first: Any, frame: Any, size: Any) -> list[float]:
    """The position of a window whose first voxel is known."""
    return [(a + 0.5) / (n - m + 1) for a, n, m in zip(first, frame, size, strict=True)][::-1]


def cropped(s: Any, tree: Tree, before: Any) -> None:
    if s.random_center:
        first, size = zip(*((c.start, c.stop - c.start) for c in s._slices), strict=True)
        put(leaf_of(tree, "position"), "position", place(first, before.shape[1:], size))


def first_cropped(s: Any, tree: Tree, before: Any) -> None:
    """The first of several windows, drawn again."""
    s.cropper.set_random_state(seed=int(s.sub_seed))
    inner = s.cropper.cropper
    inner.randomize(before.shape[1:])
    cropped(inner, tree, before)


def around(s: Any, tree: Tree, before: Any) -> None:
    """A voxel of the class of the centre, within its window, and where it lies there."""
    part, frame = leaf_of(tree, "pick"), before.shape[1:]
    size = s.spatial_size
    first = [max(min(int(c) - n // 2, m - n), 0) for c, n, m in zip(s.centers[0], size, frame, strict=True)]
    labelled = before[0] > 0
    inside = torch.zeros_like(labelled)
    inside[tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))] = True
    here = labelled if (labelled & inside).any() else ~labelled
    at = (here & inside).nonzero()[0]
    rank = here.flatten().cumsum(0)[sum(int(a) * w for a, w in zip(at, labelled.stride(), strict=True))] - 1
    if before.ndim == 3:
        put(leaf_of(tree, "choice"), "choice", [float(here is labelled), float(here is not labelled)])
        put(found_in(tree, "random_crop")[0], "position", place(first, frame, size))
    else:
        put(part, "label", 0.999 if here is labelled else 0.0)
    put(part, "pick", (float(rank) + 0.5) / float(here.sum()))
    put(part, "position", [float(a - b) / (n - 1) for a, b, n in zip(at, first, size, strict=True)][::-1])


def chosen(s: Any, tree: Tree, before: Any) -> None:
    part = leaf_of(tree, "choice")
    if part:
        put(part, "choice", torch.eye(s.max_k)[s._rand_k - 1])


def blurred(s: Any, tree: Tree, before: Any) -> None:
    part = leaf_of(tree, "sigma")
    for name, value in zip(("sigma_z", "sigma_y", "sigma")[4 - before.ndim :], (s.x, s.y, s.z), strict=False):
        put(part, name, widths(s, value))


DRAWN: dict[str, Callable[[Any, Tree, Any], None]] = {
    "RandRotate": turned,
    "RandZoom": zoomed,
    "RandAffine": moved,
    "RandRotate90": chosen,
    "RandSpatialCrop": cropped,
    "RandSpatialCropSamples": first_cropped,
    "RandCropByPosNegLabel": around,
    "RandScaleIntensity": sets("factor", lambda s: 1 + s.factor),
    "RandScaleIntensityFixedMean": sets("factor", lambda s: 1 + s.factor),
    "RandShiftIntensity": sets("shift", lambda s: s._offset),
    "RandAdjustContrast": sets("gamma", lambda s: s.gamma_value),
    "RandGaussianSmooth": blurred,
    "RandSimulateLowResolution": sets("factor", lambda s: s.zoom_factor),
}
NOISE = ("RandGaussianNoise", "RandRicianNoise")  # fields that no number tells: left out on both sides


def replayed(recipe: Build, library: Any, sample: Any, seed: int) -> tuple[Any, Any]:
    """What MONAI gives, and what the pipeline here gives with its draws.

    Noise is left out of both, and of MONAI what has no counterpart; of several windows of a sample the first is taken.
    """
    compose = recipe(library)
    for t in compose.transforms:
        t.prob = 0.0 if base_name(t) in NOISE else getattr(t, "prob", 1.0)
        if base_name(t) == "RandAffine":
            record(t)
    bare = not isinstance(sample, dict)
    ndim = (sample if bare else next(iter(sample.values()))).ndim - 1
    found = A.convert(compose, partly=True, ndim=ndim)
    pairs = steps_of(compose, data_of(compose, Notes(ndim)))
    kind = "image" if ndim == 2 else "volume"
    given = {kind: sample} if bare else sample
    f: Any = found.pipeline
    _, params = f(given, f.params, af.key(seed))
    compose.set_random_state(seed)
    data = sample.clone() if bare else {k: v.clone() for k, v in sample.items()}
    for (t, _), tree in zip(pairs, params.values(), strict=True):
        name, label = base_name(t), getattr(t, "label_key", None)
        before = data if bare else data[label or keys_of(t)[0]]
        before = torch.as_tensor(before).clone()
        data = t(data)
        data = data[0] if isinstance(data, list) else data
        s = kept(t)
        gate = leaf_of(tree, "gate")
        if gate:
            put(gate, "gate", float(s._do_transform))
        if name in DRAWN and getattr(s, "_do_transform", True):
            DRAWN[name](s, tree, before)
    ours = f(given, params)[0]
    return data, ours[kind] if bare else ours


def agree(theirs: Any, ours: Any) -> str:
    """The largest difference of images relative to their range, and the share of labels that differ."""
    if isinstance(theirs, Tensor):
        return difference(theirs, ours)
    parts = [difference(torch.as_tensor(theirs[k]), ours[k], len(ours[k].unique()) <= 2) for k in ours]
    return ", ".join(parts)


def difference(theirs: Tensor, ours: Tensor, labels: bool = False) -> str:
    if theirs.shape != ours.shape:
        return f"{list(ours.shape)}, not {list(theirs.shape)}"
    if labels:
        return f"{(theirs != ours).float().mean():.1%} of labels"
    return f"{(theirs - ours).abs().max() / (theirs.max() - theirs.min()):.1g}"

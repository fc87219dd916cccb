"""timm's transforms, which stand in a `Compose` of torchvision, as `create_transform` gives it: what each is here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import augfn as af
import augfn_nn as nn_
from augfn.core.augmentation import Augmentation
from augfn.policies.published import INCREASING, RAND
from augfn_nn.converters.notes import Notes

SCALED, UNSCALED = ("MaybeToTensor",), ("MaybePILToTensor", "ToTensor", "ToNumpy")  # to [0, 1], and as bytes
RESAMPLING = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # by PIL's numbers


def step(t: Any, notes: Notes) -> Augmentation | None:
    """One transform, acting with its probability."""
    name = type(t).__name__
    if name in SCALED or name in UNSCALED:
        notes.loads = True
        bytes_ = "" if name in SCALED else ", where it leaves bytes: af.normalize(mean, std) is of [0, 1] too"
        return notes.differ(t, f"af.to_float comes first instead: what follows takes floats in [0, 1]{bytes_}")
    if why := lacks(name, t):
        return notes.lack(t, why)
    if name in DIFFERS:
        random = name == "RandAugment" and isinstance(t.ops[0].kwargs["resample"], list | tuple)
        notes.differ(t, DIFFERS[name] + "; read bilinear, where timm draws one of two ways" * random)
    return notes.function(t, lambda: TABLE[name](t))


def lacks(name: str, t: Any) -> str:
    """Why it has no counterpart; empty if it has."""
    if name not in TABLE:
        return LACKS.get(name, "no counterpart")
    if name == "RandomErasing":
        given = {"min_count": 1, "max_count": 1, "num_splits": 0, "rand_color": False}
        other = [f"{n}={getattr(t, n)}" for n, usual in given.items() if getattr(t, n, usual) not in (usual, None)]
        return f"{', '.join(other)}: one rectangle, of noise or of 0" if other else ""
    if name == "RandAugment" and (t.choice_weights is not None or plain(t) != RAND.split()):
        return "a set of ops of its own: af.policy, with its string"
    return ""


def plain(t: Any) -> list[str]:
    """The names of its ops, those that increase with the level and those that do not alike."""
    return [op.name.removesuffix("Increasing") for op in t.ops]


def cropped(t: Any) -> Augmentation:
    kinds = t.interpolation if isinstance(t.interpolation, list | tuple) else [t.interpolation]
    given = (tuple(t.size), tuple(t.scale), tuple(t.ratio))
    crops = [nn_.RandomResizedCrop(*given, interpolation=getattr(k, "value", k)).f for k in kinds]
    return crops[0] if len(crops) == 1 else af.one_of(*crops)


def chosen(t: Any) -> Augmentation:
    """RandAugment: its level and its probability are those of all ops."""
    op = t.ops[0]
    increasing = any(o.name == f"{n}Increasing" for o in t.ops for n in INCREASING)
    fill, kind = op.kwargs["fillcolor"], op.kwargs["resample"]
    return af.rand_augment(
        t.num_layers,
        op.magnitude,
        "timm",
        p=op.prob,
        mstd=float(op.hparams.get("magnitude_std", 0)),
        mmax=op.hparams.get("magnitude_max"),
        increasing=increasing,
        interpolation=None if isinstance(kind, list | tuple) else RESAMPLING[int(kind)],
        fill=tuple(v / 255 for v in fill),
    )


def erased(t: Any) -> Any:
    """Its ratio is height / width."""
    least, most = t.log_aspect_ratio
    scale, ratio = (t.min_area, t.max_area), (math.exp(-most), math.exp(-least))
    if t.per_pixel:
        return af.erase_noise(scale=af.Uniform(*scale), ratio=af.LogUniform(*ratio), p=t.probability)
    return nn_.RandomErasing(scale, ratio, 0.0, p=t.probability)


TABLE: dict[str, Callable[[Any], Any]] = {
    "RandomResizedCropAndInterpolation": cropped,
    "RandAugment": chosen,
    "RandomErasing": erased,
}
DIFFERS = {
    "RandAugment": "of floats, which are not rounded to bytes after each op",
    "RandomErasing": "an edge within a pixel covers it in part",
}
SIZES = "af.resize, af.pad_to and crops of one size"
LACKS = {
    "AutoAugment": 'by its string, as af.policy("original-mstd0.5")',
    "AugMixAugment": 'by its string, as af.policy("augmix-m5-w4-d2")',
    **dict.fromkeys(("ResizeKeepRatio", "CenterCropOrPad", "RandomCropOrPad", "RandomPad", "TrimBorder"), SIZES),
}

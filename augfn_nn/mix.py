"""Mixing as modules."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.mixing import Mixes
from augfn_nn.shorthands import WindowByFrame, one_less, only, pair


@derive(af.mixup, p=1.0, base=Mixes)
def RandomMixUp(
    lambda_val: Range | None = None,
    alpha: float = 1.0,
    num_classes: int | None = None,
    *,
    kornia: bool | None = None,
) -> Any:
    """Blend with a partner; `lambda_val` = (low, high) is the own sample's weight (kornia, and `kornia=True`: the partner's).

    Without it the weight is drawn from Beta(alpha, alpha). `aug(images, labels)` blends labels too: soft ones, or indices with
    `num_classes`; without it, and with `labels="kornia"`, indices come back as in kornia, `[B, 3]`: both labels and the partner's
    weight. In `eval()` nothing is mixed: indices stay `[B]`, or both labels are the own one and the weight is 0.
    """
    if kornia and lambda_val is None:
        lambda_val = (0.0, 1.0)
    elif kornia:
        lambda_val = one_less("lambda_val", lambda_val)
    return {"weight": af.Beta(alpha, alpha) if lambda_val is None else lambda_val, "num_classes": num_classes}


RandomMixUpV2 = RandomMixUp


@derive(af.cutmix, p=1.0, base=Mixes, stacked=True)
def RandomCutMix(
    num_mix: int = 1,
    cut_size: Range | None = None,
    beta: Any = None,
    *,
    alpha: float = 1.0,
    num_classes: int | None = None,
    use_correct_lambda: bool = True,
) -> Any:
    """Paste a rectangle of the partner; `cut_size` = (low, high) is its share of the area (before it is clipped).

    Without it the share is drawn from Beta(alpha, alpha), for which `beta` is kornia's name. Labels are blended by the area that
    is left, whatever `use_correct_lambda` says; `num_mix` is 1.
    """
    only("RandomCutMix: num_mix", num_mix, (1,), "AugmentationSequential of several")
    alpha = alpha if beta is None else beta
    weight = af.Beta(alpha, alpha) if cut_size is None else one_less("cut_size", cut_size)
    return {"weight": weight, "num_classes": num_classes}


RandomCutMixV2 = RandomCutMix


@derive(af.resizemix, p=1.0, base=Mixes)
def RandomResizeMix(scale: Range = (0.1, 0.8), num_classes: int | None = None) -> Any:
    """Paste the whole partner, resized to `scale` = (low, high) of the sides."""
    return {"scale": scale, "num_classes": num_classes}


@derive(af.gridmix, p=1.0, base=Mixes)
def RandomGridMix(alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Take the cells of a 4 x 4 grid from one of two images; the own share is Beta(alpha, alpha)."""
    return {"weight": af.Beta(alpha, alpha), "num_classes": num_classes}


@derive(af.fmix, p=1.0, base=Mixes)
def RandomFMix(alpha: float = 1.0, decay: float = 3.0, num_classes: int | None = None) -> Any:
    """Cut along the level set of a smooth random field; the own share is Beta(alpha, alpha)."""
    return {"weight": af.Beta(alpha, alpha), "decay": decay, "num_classes": num_classes}


@derive(af.patchmix, p=1.0, base=Mixes)
def RandomPatchMix(alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Take each of 4 x 4 cells from one of four images; the own share is Beta(alpha, alpha)."""
    return {"weight": af.Beta(alpha, alpha), "num_classes": num_classes}


@derive(af.mosaic, p=1.0, resizes=True, base=Mixes)
def Mosaic(centre: Range = (0.25, 0.75), fill: float = 114 / 255, num_classes: int | None = None) -> Any:
    """Four images in a frame of twice the sides, that meet in a point drawn from `centre` = (low, high), in fractions."""
    return {"centre": centre, "fill": fill, "num_classes": num_classes}


@derive(af.copy_paste, p=1.0, base=Mixes)
def CopyPaste(chance: Range = 0.5, num_classes: int | None = None) -> Any:
    """Paste objects of the partner, each of its boxes with the probability `chance`."""
    return {"chance": chance, "num_classes": num_classes}


@derive(af.transplant, base=Mixes, keys=("input", "mask"))
def RandomTransplantation(
    excluded_labels: Any = (0,), classes: tuple[int, ...] | None = None, *, num_classes: int | None = None
) -> Any:
    """Paste what the partner's mask gives to one of its labels, drawn from those that it has but `excluded_labels`, or from
    `classes`: `aug(images, masks)`. (kornia)"""
    excluded = (0,) if excluded_labels is None else excluded_labels
    return {"classes": classes, "excluded": excluded, "num_classes": num_classes}


@derive(af.transplant, base=Mixes, keys=("input", "mask"), dims=3)
def RandomTransplantation3D(
    excluded_labels: Any = (0,), classes: tuple[int, ...] | None = None, *, num_classes: int | None = None
) -> Any:
    """The same of volumes. (kornia)"""
    return RandomTransplantation.convert(excluded_labels, classes, num_classes=num_classes)


@derive(af.gridmix, p=1.0, base=Mixes)
def PatchMix(alpha: float = 1.0, patch_size: int = 16, *, num_classes: int | None = None) -> Any:
    """Take patches of `patch_size` pixels from one of two images; the own share is Beta(alpha, alpha). (kornia)"""
    return {"weight": af.Beta(alpha, alpha), "patch": patch_size, "num_classes": num_classes}


@derive(af.mosaic, base=Mixes, keys=("input", "bbox_xyxy"))
def RandomMosaic(
    output_size: Any = None,
    mosaic_grid: tuple[int, int] = (2, 2),
    start_ratio_range: Range = (0.3, 0.7),
    min_bbox_size: float = 0.0,
    *,
    p: float = 0.7,
    padding_mode: str = "constant",
    resample: Any = "bilinear",
    fill: float = 0.0,
    num_classes: int | None = None,
) -> Any:
    """Four images, two by two, of which a window of `output_size` (that of an image, where None) is cut; the window's position
    is drawn from `start_ratio_range`, 0 = left or top, 1 = right or bottom. Others are resized. (kornia)

    Pixels are copied, whatever `resample` says. Boxes are those of all four, cut at the window; `Boxes(min_size=...)` says which
    count, in place of `min_bbox_size`.
    """
    only("RandomMosaic: mosaic_grid", mosaic_grid, ((2, 2),), "leave it out: four images")
    only("RandomMosaic: padding_mode", padding_mode, ("constant",), "fill=...")
    only("RandomMosaic: min_bbox_size", min_bbox_size, (0, 0.0), "af.Boxes(boxes, min_size=...)")
    window = WindowByFrame(output_size, pair("start_ratio_range", start_ratio_range))
    made = af.pipeline(af.mosaic(centre=0.5, fill=fill, num_classes=num_classes), window)
    if p == 1:
        return made
    other = af.identity() if output_size is None else af.resize(size=output_size)
    return af.one_of(made, other, weights=[p, 1 - p])

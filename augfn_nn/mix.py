"""Mixing as modules."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import pair


@derive(af.mixup, p=1.0)
def RandomMixUp(lambda_val: Range | None = None, alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Blend with a partner; `lambda_val` = (low, high) is the own sample's weight (kornia: the partner's).

    Without it the weight is drawn from Beta(alpha, alpha). Labels are blended too: soft ones, or indices with
    `num_classes` (kornia returns both labels and the weight).
    """
    return {"weight": af.Beta(alpha, alpha) if lambda_val is None else lambda_val, "num_classes": num_classes}


RandomMixUpV2 = RandomMixUp


@derive(af.cutmix, p=1.0)
def RandomCutMix(cut_size: Range | None = None, alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Paste a rectangle of the partner; `cut_size` = (low, high) is its share of the area (before it is clipped).

    Without it the share is drawn from Beta(alpha, alpha). Labels are blended by the area that is left (kornia: returns both
    labels and the share).
    """
    if cut_size is None:
        weight: Any = af.Beta(alpha, alpha)
    else:
        low, high = pair("cut_size", cut_size)
        weight = (1 - high, 1 - low)
    return {"weight": weight, "num_classes": num_classes}


RandomCutMixV2 = RandomCutMix


@derive(af.resizemix, p=1.0)
def RandomResizeMix(scale: Range = (0.1, 0.8), num_classes: int | None = None) -> Any:
    """Paste the whole partner, resized to `scale` = (low, high) of the sides."""
    return {"scale": scale, "num_classes": num_classes}


@derive(af.gridmix, p=1.0)
def RandomGridMix(alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Take the cells of a 4 x 4 grid from one of two images; the own share is Beta(alpha, alpha)."""
    return {"weight": af.Beta(alpha, alpha), "num_classes": num_classes}


@derive(af.fmix, p=1.0)
def RandomFMix(alpha: float = 1.0, decay: float = 3.0, num_classes: int | None = None) -> Any:
    """Cut along the level set of a smooth random field; the own share is Beta(alpha, alpha)."""
    return {"weight": af.Beta(alpha, alpha), "decay": decay, "num_classes": num_classes}


@derive(af.patchmix, p=1.0)
def RandomPatchMix(alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Take each of 4 x 4 cells from one of four images; the own share is Beta(alpha, alpha)."""
    return {"weight": af.Beta(alpha, alpha), "num_classes": num_classes}


@derive(af.mosaic, p=1.0, resizes=True)
def Mosaic(centre: Range = (0.25, 0.75), fill: float = 114 / 255, num_classes: int | None = None) -> Any:
    """Four images in a frame of twice the sides, that meet in a point drawn from `centre` = (low, high), in fractions."""
    return {"centre": centre, "fill": fill, "num_classes": num_classes}


@derive(af.copy_paste, p=1.0)
def CopyPaste(chance: Range = 0.5, num_classes: int | None = None) -> Any:
    """Paste objects of the partner, each of its boxes with the probability `chance`."""
    return {"chance": chance, "num_classes": num_classes}


@derive(af.transplant)
def RandomTransplantation(classes: tuple[int, ...] = (1,), num_classes: int | None = None) -> Any:
    """Paste what the partner's mask gives to one of `classes`. (kornia)"""
    return {"classes": classes, "num_classes": num_classes}

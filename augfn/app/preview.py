"""Previews: a pipeline at work on image files of any size and mode."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

import augfn as af
from augfn.app import viz
from augfn.core.augmentation import Augmentation
from augfn.errors import explain

LARGEST = 4096  # pixels; larger images are shrunk to this side
CELL = 320  # pixels of an image in the grid


def for_one_image(f: Augmentation) -> Augmentation:
    """The augmentation, if it can be shown on a single image."""
    if f.mixes or f.ndim == 3:
        want, fix = "ops of a single image", "leave it out of what is shown"
        raise ValueError(explain("an op for batches or volumes", f, want, fix))
    return f


def read_image(path: str | Path) -> Tensor:
    """An image file as float RGB `[3, H, W]` in [0, 1], upright as its EXIF says.

    Grey becomes RGB, transparency is laid on white, 16 bits are scaled by 65535, floats in [0, 1] are kept; integers
    and floats beyond that are stretched from their least to their largest value.
    """
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        whole = image.mode.startswith("I")
        deep = whole or image.mode == "F"
        if image.has_transparency_data and not deep:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("F" if deep else "RGB")
        image.thumbnail((LARGEST, LARGEST))
        pixels = np.array(image)
    if deep:
        return torch.from_numpy(full_scale(pixels, whole)).expand(3, -1, -1).contiguous()
    return af.to_float(torch.from_numpy(pixels).movedim(-1, 0)).contiguous()


def full_scale(x: np.ndarray, whole: bool) -> np.ndarray:
    """Deep grey values in [0, 1]; `whole`: they were integers. Raises ValueError where they are not finite."""
    if not np.isfinite(x).all():
        raise ValueError(
            explain("pixels that are not finite", "NaN or infinity", "numbers", "numpy.nan_to_num(pixels)")
        )
    low, high = float(x.min()), float(x.max())
    full = 65535.0 if whole else 1.0
    if low >= 0 and high <= full:
        return x / full
    return (x - low) / max(high - low, 1e-12)


def draws(augment: Augmentation, image: Tensor, n: int, key: Tensor) -> list[Tensor]:
    """The image and n draws of the augmentation in full size, each shrunk for display."""
    return [fitted(image), *(fitted(augment(image, None, k)[0]) for k in af.split(key, n))]


def fitted(image: Tensor) -> Tensor:
    h, w = image.shape[-2:]
    if max(h, w) <= CELL:
        return image
    size = (max(1, round(h * CELL / max(h, w))), max(1, round(w * CELL / max(h, w))))
    return af.resize(size=size)(image)[0]


def preview(
    augment: Augmentation, paths: Iterable[Path], n: int, seed: int, failed: Callable[[Path, Exception], Any]
) -> Any:
    """A figure with one row per image: the original and n draws. `failed` hears of images that cannot be shown.

    Each image has a key of its own, so its row does not depend on the others. Returns None where no image could be shown.
    """
    rows, names = [], []
    for i, path in enumerate(paths):
        try:
            rows += draws(augment, read_image(path), n, af.fold_in(af.key(seed), i))
            names.append(path.name if len(path.name) <= 24 else path.name[:21] + "...")
        except Exception as error:  # whatever is wrong with one file, the others are still done
            failed(path, error)
    titles = ["original", *(f"draw {i + 1}" for i in range(n))]
    return viz.grid(rows, columns=n + 1, titles=titles, rows=names) if rows else None

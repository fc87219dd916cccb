"""How far a transform of a peer and its conversion lie apart, on a photo of uint8."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

import augfn as af
import augfn_nn as A
from benchmarks.peers import torchvision_v2

Build = Callable[[Any], Any]


def module_of(peer: str) -> Any:
    known = {
        "torchvision": torchvision_v2,
        "kornia": lambda: import_module("kornia.augmentation"),
    }
    try:
        return known.get(peer, lambda: import_module(peer))()
    except ImportError:
        return None


def photo(size: tuple[int, int] = (96, 128)) -> Tensor:
    data = import_module("skimage.data").astronaut()
    x = torch.from_numpy(data).permute(2, 0, 1).float()[None]
    return functional.interpolate(x, size, mode="area").to(torch.uint8)


def theirs(peer: str, f: Any, x: Tensor) -> Tensor:
    """What the peer gives, in [0, 1] where the photo was."""
    if peer == "albumentations":
        said = f(image=np.ascontiguousarray(x[0].permute(1, 2, 0).numpy()))["image"]
        y = torch.from_numpy(said).permute(2, 0, 1)[None]
    else:
        of_floats = peer == "kornia" or type(f).__name__ == "Normalize"
        y = f(x / 255 if of_floats else x)
    return y if y.is_floating_point() else y.float() / 255


def converted(peer: str, f: Any) -> A.Conversion:
    return A.convert(f.to_dict() if peer == "albumentations" else f, partly=True)


def apart(peer: str, library: Any, build: Build, x: Tensor) -> str:
    """How far both lie apart: the largest difference in levels, and the share of values that differ by more than one."""
    f = build(library)
    found = converted(peer, library.Compose([f]) if peer == "albumentations" else f)
    want, got = theirs(peer, f, x), found.pipeline(x / 255, found.pipeline.params, af.key(0))[0]
    if want.shape != got.shape:
        return f"{got.shape[-2]} x {got.shape[-1]}, not {want.shape[-2]} x {want.shape[-1]}"
    d = (want - got).abs() * 255
    return f"{d.max():.1f}, {(d > 1.01).float().mean():.1%}" if d.max() > 1.01 else f"{d.max():.1g}"

"""Filters beside kornia's, at given params."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import augfn as af
from benchmarks.agreement import Case

TWO = {"sigma": (0.8, 1.7), "factor": (0.3, 2.5), "angle": (-30.0, 60.0), "direction": (0.5, -0.8)}  # one per sample


def K() -> Any:
    import kornia.filters

    return kornia.filters


def ours(name: str, *leaves: str, **known: Any) -> Any:
    """Our op with these leaves of `TWO`, the others fixed."""
    return lambda x: getattr(af, name)(**known)(x, {n: torch.tensor(TWO[n]) for n in leaves}, af.key(0))[0]


def pair(name: str, like: Tensor) -> Tensor:
    return torch.tensor(TWO[name]).to(like)


def both(x: Tensor) -> Tensor:
    """kornia's sigma `[B, 2]`, one per axis."""
    return pair("sigma", x)[:, None].expand(-1, 2)


def sharpened(x: Tensor) -> Tensor:
    import kornia.enhance

    return kornia.enhance.sharpness(x, pair("factor", x))


def moved(size: int, border: str) -> Any:
    def filtered(x: Tensor) -> Tensor:
        return K().motion_blur(x, size, pair("angle", x), pair("direction", x), border, "bilinear")

    return filtered


def augmented(name: str, *args: Any, **keywords: Any) -> Any:
    import kornia.augmentation

    return getattr(kornia.augmentation, name)(*args, p=1.0, **keywords)


BLUR = {"kernel_size": 7, "clip": "none"}

CASES = [
    Case("gaussian_blur", "filters.gaussian_blur2d", ours("gaussian_blur", "sigma", kernel_size=7),
         lambda x: K().gaussian_blur2d(x, (7, 7), both(x))),
    Case("gaussian_blur", "RandomGaussianBlur", lambda x: af.gaussian_blur(kernel_size=5, sigma=1.2)(x)[0],
         lambda x: augmented("RandomGaussianBlur", (5, 5), (1.2, 1.2))(x)),
    Case("box_blur", "filters.box_blur", lambda x: af.box_blur(kernel_size=(3, 5), width=5.0)(x)[0],
         lambda x: K().box_blur(x, (3, 5)), note="width at least kernel_size: a full box"),
    Case("box_blur", "RandomBoxBlur", lambda x: af.box_blur(kernel_size=3, width=3.0)(x)[0],
         lambda x: augmented("RandomBoxBlur", (3, 3))(x)),
    Case("median_blur", "filters.median_blur", lambda x: af.median_blur(kernel_size=3)(x)[0],
         lambda x: K().median_blur(x, 3)),
    Case("median_blur", "RandomMedianBlur", lambda x: af.median_blur(kernel_size=(5, 7))(x)[0],
         lambda x: augmented("RandomMedianBlur", (5, 7))(x)),
    Case("motion_blur", "filters.motion_blur", ours("motion_blur", "angle", "direction", kernel_size=9),
         moved(9, "reflect"), note="resample bilinear"),
    Case("motion_blur", "RandomMotionBlur",
         lambda x: af.motion_blur(kernel_size=5, angle=30.0, direction=-0.5, padding_mode="zeros")(x)[0],
         lambda x: augmented("RandomMotionBlur", 5, (30.0, 30.0), (-0.5, -0.5), resample="bilinear")(x),
         note="resample bilinear; border_type constant"),
    Case("sharpness", "enhance.sharpness", ours("sharpness", "factor"), sharpened),
    Case("sharpness", "RandomSharpness", lambda x: af.sharpness(factor=0.4)(x)[0],
         lambda x: augmented("RandomSharpness", (0.4, 0.4))(x)),
    Case("unsharp_mask", "filters.unsharp_mask", ours("unsharp_mask", "sigma", amount=1.0, **BLUR),
         lambda x: K().unsharp_mask(x, (7, 7), both(x)), note="amount 1, unclipped"),
]  # fmt: skip

DIFFERENCES = {
    "RandomMotionBlur": "its default turns the kernel by nearest; here bilinear, so that the angle has a gradient. A "
    "range of kernel sizes is a range of real lengths, drawn per sample and not one odd size per batch.",
}

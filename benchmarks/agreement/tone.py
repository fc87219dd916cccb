"""Tone: steps, histograms, JPEG."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import augfn as af
from benchmarks.agreement import Case, K


def E() -> Any:
    import kornia.enhance as E

    return E


def both(x: Tensor, first: float, second: float) -> Tensor:
    """Another value for each of two images."""
    return torch.tensor([first, second], dtype=x.dtype)


def ours(op: str, **settings: Any) -> Any:
    f = getattr(af, op)(**settings)
    return lambda x, **params: f(x, params or None, af.key(0))[0]


CASES = [
    Case(
        "posterize",
        "RandomPosterize",
        lambda x: ours("posterize")(x, bits=both(x, 3, 6)),
        lambda x: E().posterize(x, torch.tensor([3, 6])),
        1e-6,
    ),
    Case("equalize", "RandomEqualize", ours("equalize"), lambda x: K().RandomEqualize(p=1.0)(x), 1e-6),
    Case(
        "autocontrast",
        "RandomAutoContrast",
        ours("autocontrast"),
        lambda x: K().RandomAutoContrast(p=1.0)(x),
        1e-5,
        note="kornia adds 1e-6 to the range",
    ),
    Case(
        "solarize",
        "RandomSolarize",
        lambda x: ours("solarize")(x, threshold=both(x, 0.4, 0.6), addition=both(x, 0.1, -0.1)),
        lambda x: E().solarize(x, both(x, 0.4, 0.6), both(x, 0.1, -0.1)),
        1e-6,
        note="threshold = thresholds, addition = additions",
    ),
    *(
        Case(
            "clahe",
            "RandomClahe",
            ours("clahe", clip_limit=limit, grid_size=grid),
            lambda x, limit=limit, grid=grid: E().equalize_clahe(x, limit, grid),
            1e-5,
            note=f"clip_limit {limit:g}, grid_size {grid}",
        )
        for limit, grid in ((40.0, (8, 8)), (2.0, (4, 6)), (3.0, (5, 7)), (0.0, (8, 8)))
    ),
    *(
        Case(
            "jpeg",
            "RandomJPEG",
            ours("jpeg", quality=quality),
            lambda x, quality=quality: E().jpeg_codec_differentiable(x, torch.tensor([quality])),
            1e-4,
            note=f"quality {quality:g}",
        )
        for quality in (12.3, 50.2, 81.7)
    ),
]
DIFFERENCES = {
    "RandomAutoContrast": "a constant channel stays as it is (torchvision); kornia makes it 0.",
    "RandomClahe": "slow_and_differentiable keeps the values of the default: its gradient is that of linear histograms "
    "and tables. kornia's is another formula (Gaussian bins, no rounding) whose values differ.",
    "RandomPosterize": "bits are rounded to the nearest number in both; here the draw in `params` is the real number.",
}

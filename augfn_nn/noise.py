"""Noise as modules."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import log_range


@derive(af.gaussian_noise)
def RandomGaussianNoise(
    mean: Range = 0.0, std: Range = 1.0, clip: bool | str | None = None, *, kornia: bool | None = None
) -> Any:
    """Add mean + std n, full scale = 1; a number is fixed, a pair a range. `clip`: "clamp" or True, the default, keeps the sum in
    [0, 1], "none" or False, and `kornia=True`, does not, as kornia's; of normalised images take that."""
    clip = False if clip is None and kornia else clip
    known: dict[Any, Any] = {True: "clamp", False: "none"}
    return {"mean": mean, "std": std, "clip": known.get(clip, clip)}


@derive(af.salt_and_pepper)
def RandomSaltAndPepperNoise(
    amount: Range = (0.01, 0.06), salt_vs_pepper: Range = (0.4, 0.6), grad: str = "none"
) -> Any:
    """Turn pixels white or black: `amount` of them, `salt_vs_pepper` of these white; a number is fixed.

    Any number of channels (kornia: one or three). `grad="ste"` lets both be learned.
    """
    return {"amount": amount, "salt": salt_vs_pepper, "grad": grad}


@derive(af.speckle)
def RandomSpeckleNoise(std: Range = (0.0, 0.2)) -> Any:
    """Multiply each value by 1 + std n; a number is fixed."""
    return {"std": std}


@derive(af.poisson_noise)
def RandomPoissonNoise(photons: Range = (30.0, 1000.0)) -> Any:
    """Shot noise of a sensor that counts `photons` at full scale: (low, high), log-uniform; a number is fixed."""
    return {"photons": log_range(photons)}


@derive(af.iso_noise)
def RandomISONoise(color_shift: Range = (0.01, 0.05), intensity: Range = (0.1, 0.5)) -> Any:
    """Noise in hue and lightness, with albumentations' arguments; a number is fixed."""
    return {"color_shift": color_shift, "intensity": intensity}

"""Light and shade as modules, with kornia's names and arguments."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.errors import explain
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import is_number


@derive(af.plasma_brightness)
def RandomPlasmaBrightness(roughness: Range = (0.1, 0.7), intensity: Range = (0.0, 1.0)) -> Any:
    """Brighten and darken by a fractal for each channel; a number is fixed."""
    return {"roughness": roughness, "intensity": intensity}


@derive(af.plasma_contrast)
def RandomPlasmaContrast(roughness: Range = (0.1, 0.7)) -> Any:
    """A contrast about 1/2 whose factor, 0 to 4, follows a fractal for each channel; a number is fixed."""
    return {"roughness": roughness}


@derive(af.plasma_shadow)
def RandomPlasmaShadow(
    roughness: Range = (0.1, 0.7),
    shade_intensity: Range = (-1.0, 0.0),
    shade_quantity: Range = (0.0, 1.0),
    softness: float = 0.02,
) -> Any:
    """Add `shade_intensity` where a fractal is below `shade_quantity`; a number is fixed.

    The edge is soft, `softness` levels wide, so that the quantity learns (kornia's is hard: softness=1e-8).
    """
    return {
        "roughness": roughness,
        "shade_intensity": shade_intensity,
        "shade_quantity": shade_quantity,
        "softness": softness,
    }


@derive(af.gaussian_illumination)
def RandomGaussianIllumination(
    gain: Range = (0.01, 0.15), center: Range = (0.1, 0.9), sigma: Range = (0.2, 1.0), sign: Any = (-1.0, 1.0)
) -> Any:
    """Add or take a Gaussian spot of light; `center` and `sigma`, fractions of width and height, are drawn per axis.

    A number is fixed. `sign` is 1.0 to brighten, -1.0 to darken, (low, high) for the chance of a draw >= 0. The spot
    rises to `gain` on images of any size (kornia's stays lower on large ones, by an eps of 1e-6).
    """
    return {"gain": gain, "center": center, "sigma": sigma, "brighten": brightens(sign)}


@derive(af.linear_illumination)
def RandomLinearIllumination(gain: Range = (0.01, 0.2), sign: Any = (-1.0, 1.0)) -> Any:
    """Add or take light that falls from one edge to the other, each as likely; `sign` as in the Gaussian one."""
    return {"gain": gain, "brighten": brightens(sign)}


@derive(af.linear_corner_illumination)
def RandomLinearCornerIllumination(gain: Range = (0.01, 0.2), sign: Any = (-1.0, 1.0)) -> Any:
    """Add or take light that falls from one corner to the opposite one; `sign` as in the Gaussian one."""
    return {"gain": gain, "brighten": brightens(sign)}


def brightens(sign: Any) -> Any:
    """The chance of a sign >= 0: that of a number, or of one drawn from (low, high)."""
    low, high = (sign, sign) if is_number(sign) else sign
    if not -1 <= low <= high <= 1:
        raise ValueError(explain("bad sign", sign, "-1 to 1, or a pair (low, high) of these", "sign=(-1.0, 1.0)"))
    return float(low >= 0) if low >= 0 or high < 0 else af.Bernoulli(high / (high - low))

"""What a scanner does to an image or a volume, as modules."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import around


@derive(af.bias_field)
def RandomBiasField(coefficients: Range = 0.5, order: int = 3, basis: str = "monomial") -> Any:
    """Multiply by a smooth field, the exponential of a polynomial up to degree `order`; a number is ± for each
    coefficient."""
    return {"coefficients": around(coefficients), "order": order, "basis": basis}


@derive(af.rician_noise)
def RandomRicianNoise(std: Range = (0.0, 0.1)) -> Any:
    """Noise of a magnitude image, full scale = 1; a number is fixed."""
    return {"std": std}


@derive(af.gibbs)
def RandomGibbs(alpha: Range = (0.0, 0.6), *, grad: str = "none") -> Any:
    """Ringing at edges: the share `alpha` of the radius of k-space is lost; a number is fixed."""
    return {"alpha": alpha, "grad": grad}


@derive(af.spike)
def RandomSpike(intensity: Range = (1.0, 3.0)) -> Any:
    """Stripes: one point of k-space is higher by `intensity` times its largest magnitude; a number is fixed."""
    return {"intensity": intensity}


@derive(af.ghosting)
def RandomGhosting(
    ghosts: Range = (3.5, 10.5), intensity: Range = (0.5, 1.0), axis: str = "y", restore: float | None = None
) -> Any:
    """Copies along `axis`: every `ghosts`-th line of k-space (rounded) loses the share `intensity`; numbers are fixed."""
    return {"ghosts": ghosts, "intensity": intensity, "axis": axis, "restore": restore}


@derive(af.motion_artifact)
def RandomMotionArtifact(degrees: Range = 10.0, translate: Range = 0.05, axis: str = "x") -> Any:
    """Two movements while k-space is filled along `axis`: single numbers are ± degrees and ± fractions of the size."""
    return {"degrees": around(degrees), "translate": around(translate), "axis": axis}


@derive(af.anisotropy)
def RandomAnisotropy(factor: Range = (1.5, 5.0), axis: str = "z") -> Any:
    """Thick slices along `axis`, `factor` pixels apart; a number is fixed. "z" is that of a volume."""
    return {"factor": factor, "axis": axis}

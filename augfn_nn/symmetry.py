"""The symmetries of the square."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn_nn.derive import derive


@derive(af.quarter_turn)
def RandomQuarterTurn() -> Any:
    """Turn each sample by 0, 1, 2 or 3 quarters (on a frame that is not square by 0 or 2); pixels are copied.

    albumentations' `RandomRotate90`; kornia's RandomRotation90 says how many turns.
    """
    return {}


@derive(af.d4)
def RandomD4() -> Any:
    """One of the eight symmetries of the square for each sample (of four on other frames); pixels are copied."""
    return {}


@derive(af.jigsaw, p=0.5)
def RandomJigsaw(grid: tuple[int, int] = (4, 4)) -> Any:
    """Tiles of a grid change places; what is left over at the far ends stays (kornia wants sides that the grid divides)."""
    return {"grid": grid}

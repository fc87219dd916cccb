"""Colours of light by temperature: the tables of Planckian jitter, and the gains between their rows."""

from __future__ import annotations

import torch
from torch import Tensor

from augfn.errors import explain
from augfn.run.constants import cached

STEP = 0.5  # thousand kelvin from row to row

BLACKBODY = (
    (0.6743, 0.4029, 0.0013),
    (0.6281, 0.4241, 0.1665),
    (0.5919, 0.4372, 0.2513),
    (0.5623, 0.4457, 0.3154),
    (0.5376, 0.4515, 0.3672),
    (0.5163, 0.4555, 0.4103),
    (0.4979, 0.4584, 0.4468),
    (0.4816, 0.4604, 0.4782),
    (0.4672, 0.4619, 0.5053),
    (0.4542, 0.4630, 0.5289),
    (0.4426, 0.4638, 0.5497),
    (0.4320, 0.4644, 0.5681),
    (0.4223, 0.4648, 0.5844),
    (0.4135, 0.4651, 0.5990),
    (0.4054, 0.4653, 0.6121),
    (0.3980, 0.4654, 0.6239),
    (0.3911, 0.4655, 0.6346),
    (0.3847, 0.4656, 0.6444),
    (0.3787, 0.4656, 0.6532),
    (0.3732, 0.4656, 0.6613),
    (0.3680, 0.4655, 0.6688),
    (0.3632, 0.4655, 0.6756),
    (0.3586, 0.4655, 0.6820),
    (0.3544, 0.4654, 0.6878),
    (0.3503, 0.4653, 0.6933),
)
"""Red, green and blue of a black body at 3000, 3500, ... 15000 K."""

DAYLIGHT = (
    (0.5829, 0.4421, 0.2288),
    (0.5510, 0.4514, 0.2948),
    (0.5246, 0.4576, 0.3488),
    (0.5021, 0.4618, 0.3941),
    (0.4826, 0.4646, 0.4325),
    (0.4654, 0.4667, 0.4654),
    (0.4502, 0.4681, 0.4938),
    (0.4364, 0.4692, 0.5186),
    (0.4240, 0.4700, 0.5403),
    (0.4127, 0.4705, 0.5594),
    (0.4023, 0.4709, 0.5763),
    (0.3928, 0.4713, 0.5914),
    (0.3839, 0.4715, 0.6049),
    (0.3757, 0.4716, 0.6171),
    (0.3681, 0.4717, 0.6281),
    (0.3609, 0.4718, 0.6380),
    (0.3543, 0.4719, 0.6472),
    (0.3480, 0.4719, 0.6555),
    (0.3421, 0.4719, 0.6631),
    (0.3365, 0.4719, 0.6702),
    (0.3313, 0.4719, 0.6766),
    (0.3263, 0.4719, 0.6826),
    (0.3217, 0.4719, 0.6882),
)
"""Red, green and blue of the CIE's daylight D at 4000, 4500, ... 15000 K."""

TABLES = {"blackbody": (3.0, BLACKBODY), "CIED": (4.0, DAYLIGHT)}
"""The temperature of the first row, in thousand kelvin, and the rows."""


def table(mode: str) -> tuple[float, tuple[tuple[float, ...], ...]]:
    """First temperature and rows. Raises: ValueError for another mode."""
    if mode not in TABLES:
        raise ValueError(explain("planckian: mode", mode, " or ".join(map(repr, TABLES)), 'mode="blackbody"'))
    return TABLES[mode]


def temperatures(mode: str) -> tuple[float, ...]:
    """Those of a table's rows, in thousand kelvin."""
    first, rows = table(mode)
    return tuple(first + STEP * i for i in range(len(rows)))


def gains(temperature: Tensor, mode: str) -> Tensor:
    """Factors for red, green and blue, those of green 1: linear between the rows of the table, and on beyond its ends.

    Shapes: `[*b]`, in thousand kelvin -> `[*b, 3]`. Source: Zini et al., "Planckian Jitter" (2022), whose rows, divided
    by their green, are met exactly.

    >>> gains(torch.tensor(6.5), "CIED").round(decimals=3)
    tensor([0.9970, 1.0000, 0.9970])
    """
    first, rows = table(mode)
    ratios = cached(ratios_of, mode, temperature.dtype, temperature.device)
    place = (temperature - first) / STEP
    below = place.detach().floor().clamp(0, len(rows) - 2)
    index = below.long().flatten()
    low, high = (ratios.index_select(0, index + i).reshape(*place.shape, 3) for i in (0, 1))
    return torch.lerp(low, high, (place - below).unsqueeze(-1))


def ratios_of(mode: str, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The rows `[n, 3]`, divided by their green."""
    return torch.tensor([(r / g, 1.0, b / g) for r, g, b in TABLES[mode][1]], dtype=dtype, device=device)

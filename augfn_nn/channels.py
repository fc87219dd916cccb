"""kornia's classes of channels and light."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.errors import explain
from augfn.math.planckian import temperatures
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import around, axis


@derive(af.rgb_shift)
def RandomRGBShift(r_shift_limit: Range = 0.5, g_shift_limit: Range = 0.5, b_shift_limit: Range = 0.5) -> Any:
    """Add a number to each of red, green and blue; a limit x is ±x, (low, high) the range itself."""
    limits = (r_shift_limit, g_shift_limit, b_shift_limit)
    if any(isinstance(v, Tensor) for v in tree_leaves(limits)):
        fix = "Augment(af.rgb_shift(shift=af.Interval(torch.nn.Parameter(torch.tensor([[-0.5, 0.5]] * 3)))))"
        raise ValueError(explain("RandomRGBShift: Parameters", limits, "one Parameter [3, 2]", fix))
    return {"shift": tuple(axis(around(v)) for v in limits)}


@derive(af.channel_shuffle)
def RandomChannelShuffle() -> Any:
    """Put the channels into a random order, another one for every sample."""
    return {}


@derive(af.channel_dropout)
def RandomChannelDropout(num_drop_channels: int = 1, fill_value: float = 0.0) -> Any:
    """Set `num_drop_channels` channels, others for every sample, to `fill_value`."""
    return {"num": num_drop_channels, "fill": fill_value}


@derive(af.planckian_jitter)
def RandomPlanckianJitter(mode: str = "blackbody", select_from: Any = None) -> Any:
    """Other light: a temperature of the whole table, from 3000 K ("blackbody") or 4000 K ("CIED") to 15000 K.

    It is drawn evenly between the ends (kornia: one of the rows); `select_from` is a row, or several to choose from,
    with kornia's indices, every 500 K.
    """
    rows = temperatures(mode)
    if select_from is None:
        return {"mode": mode, "temperature": (rows[0], rows[-1])}
    chosen = [select_from] if isinstance(select_from, int) else list(select_from)
    if not chosen or any(not isinstance(i, int) or not -len(rows) <= i < len(rows) for i in chosen):
        expected = f"rows of the table, 0 to {len(rows) - 1}"
        raise ValueError(explain("RandomPlanckianJitter: select_from", select_from, expected, "select_from=[0, 1, 2]"))
    lights = [{"mode": mode, "temperature": rows[i]} for i in chosen]
    return lights[0] if len(lights) == 1 else af.one_of(*(af.planckian_jitter(**light) for light in lights))

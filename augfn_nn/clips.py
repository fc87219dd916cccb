"""Modules that choose the frames of a clip; they take a dict with a video."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import log_range


@derive(af.time_crop, p=1.0, resizes=True)
def TimeCrop(size: int, position: Range = (0.0, 1.0)) -> Any:
    """Cut `size` frames in a row, from a random one on."""
    return {"size": size, "position": position}


@derive(af.time_subsample, p=1.0, resizes=True)
def TimeSubsample(size: int, offset: Range = 0.5) -> Any:
    """See `size` frames, one at `offset` of each of as many equal segments; a number is fixed."""
    return {"size": size, "offset": offset}


@derive(af.time_reverse)
def RandomTimeReverse() -> Any:
    """Play a clip backwards."""
    return {}


@derive(af.time_speed)
def RandomTimeSpeed(factor: Range = (0.67, 1.5), size: int | None = None) -> Any:
    """Play faster (> 1) or slower: (low, high), log-uniform; a number is fixed. A `size` other than the clip's needs
    p=1."""
    return {"factor": log_range(factor), "size": size}


@derive(af.frame_dropout)
def RandomFrameDropout(p_frame: Range = (0.0, 0.3)) -> Any:
    """Lose frames, each with probability `p_frame`: the one before stays on; a number is fixed."""
    return {"p_frame": p_frame}

"""Clips: which frames of a video `[*b, T, C, H, W]` are seen, in which order; all targets of a frame come along.

They take a dict with a "video". Frames are copied whole, so that the gradient goes to the frames that are seen, none to where
they are.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.augmentation import temporal
from augfn.core.spec import is_whole
from augfn.distributions import LogUniform, Uniform
from augfn.errors import explain
from augfn.math.variates import seed_key
from augfn.random import stream_bits, unit
from augfn.typing import Leaf, Seed

WHOLE = "a clip moves in whole frames"
Start = Annotated[Any, Leaf("position in time, 0 = the first frames, 1 = the last", low=0.0, high=1.0, flat=WHOLE)]
Offset = Annotated[Any, Leaf("place within a segment, 0 = its start", low=0.0, high=1.0, flat=WHOLE)]
Speed = Annotated[Any, Leaf("factor, > 1 is faster", neutral=1.0, low=1e-3, flat=WHOLE)]
Lost = Annotated[
    Any, Leaf("probability of a frame", neutral=0.0, low=0.0, high=1.0, flat="a frame is lost, or it is not")
]


def length_of(size: Any, most: int | None, what: str) -> int:
    if not is_whole(size) or size < 1 or (most is not None and size > most):
        want = "a positive whole number of frames" + (f", at most {most}" if most is not None else "")
        raise ValueError(explain(f"{what}: size", size, want, f"size={min(16, most or 16)}"))
    return int(size)


@temporal(flow=True, example={"size": 3})
def time_crop(frames: int, *, size: int, position: Start = Uniform(0.0, 1.0)) -> Tensor:
    """Cut `size` frames in a row: the first is floor(position (T - size + 1)).

    Source: PyTorchVideo `RandomTemporalSubsample`'s clip sampler; torchvision's `RandomClipSampler`.

    >>> clip = {"video": torch.arange(4.0).reshape(4, 1, 1, 1)}
    >>> af.time_crop(size=2, position=1.0)(clip)[0]["video"].flatten()
    tensor([2., 3.])
    """
    n = length_of(size, frames, "time_crop")
    first = torch.floor(position * (frames - n + 1)).clamp(max=frames - n)
    return first[..., None] + torch.arange(n, dtype=first.dtype, device=first.device)


@temporal(example={"size": 3})
def time_subsample(frames: int, *, size: int, offset: Offset = 0.5) -> Tensor:
    """See `size` frames of the whole clip, one in each of as many equal segments: frame i is floor((i + offset) T / size).

    At offset 0.5 those in the middle of the segments; a range such as (0.0, 1.0) shifts all of a clip alike. Source: Wang et
    al. 2016 (TSN). PyTorchVideo's `UniformTemporalSubsample` differs: it takes the first and the last frame, and even steps.

    >>> clip = {"video": torch.arange(6.0).reshape(6, 1, 1, 1)}
    >>> af.time_subsample(size=3)(clip)[0]["video"].flatten()
    tensor([1., 3., 5.])
    """
    n = length_of(size, None, "time_subsample")
    steps = torch.arange(n, dtype=offset.dtype, device=offset.device)
    return torch.floor((steps + offset[..., None]) * frames / n)


@temporal
def time_reverse(frames: int) -> Tensor:
    """The last frame first.

    What is labelled by its direction (opening, closing) changes its meaning. Source: standard in video classification.

    >>> clip = {"video": torch.arange(3.0).reshape(3, 1, 1, 1)}
    >>> af.time_reverse()(clip)[0]["video"].flatten()
    tensor([2., 1., 0.])
    """
    return torch.arange(frames - 1, -1, -1, dtype=torch.float32)


@temporal(example={"factor": (0.5, 0.8)})
def time_speed(
    frames: int, *, factor: Speed = LogUniform(0.67, 1.5), position: Start = Uniform(0.0, 1.0), size: int | None = None
) -> Tensor:
    """Play faster (factor > 1) or slower: frame t shows frame floor(start + factor t + 1/2), nearest in time.

    `start` is `position` of the room that a slower clip leaves; past the end of a faster one its last frame stays. `size`: the
    number of frames that come out, as many as came in by default. Source: Feichtenhofer et al. 2019 (frame rates of SlowFast).

    >>> clip = {"video": torch.arange(4.0).reshape(4, 1, 1, 1)}
    >>> af.time_speed(factor=2.0, size=2)(clip, None, af.key(0))[0]["video"].flatten()
    tensor([0., 2.])
    """
    n = length_of(frames if size is None else size, None, "time_speed")
    room = ((frames - 1) - factor * (n - 1)).clamp(min=0)
    place = (position * room)[..., None] + factor[..., None] * torch.arange(n, device=factor.device)
    return torch.floor(place + 0.5)


@temporal(example={"p_frame": 0.5})
def frame_dropout(frames: int, *, p_frame: Lost = Uniform(0.0, 0.3), seed: Seed = Uniform(0.0, 1.0)) -> Tensor:
    """Lose frames, each with probability `p_frame`: the last one before it that was kept stays on, as when a stream stutters.

    The first frame is never lost. Annotations are those of the frame that is seen. Source: standard in video streaming
    studies.

    >>> clip = {"video": torch.arange(4.0).reshape(4, 1, 1, 1)}
    >>> af.frame_dropout(p_frame=1.0)(clip, None, af.key(0))[0]["video"].flatten()
    tensor([0., 0., 0., 0.])
    """
    place = torch.arange(frames, dtype=torch.float32, device=p_frame.device)
    luck = unit(stream_bits(seed_key(seed)[..., None, :], 1, torch.arange(frames, device=p_frame.device)))
    kept = (luck >= p_frame.detach()[..., None]) | (place == 0)
    return torch.where(kept, place, torch.zeros_like(place)).cummax(-1).values

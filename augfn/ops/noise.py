"""Noise: functions of the image and a field of standard normal numbers."""

from __future__ import annotations

from typing import Annotated, Any

from torch import Tensor

from augfn.distributions import Uniform
from augfn.op import noise
from augfn.typing import Leaf, Level

Std = Annotated[Any, Leaf("intensity, full scale = 1", neutral=0.0, low=0.0)]


@noise(clip="clamp")
def gaussian_noise(x: Tensor, field: Tensor, *, std: Std = Uniform(0.0, 0.1), mean: Level = 0.0) -> Tensor:
    """Add normal noise: y = x + mean + std n, n drawn per pixel and channel from the leaf `seed`, full scale = 1.

    Source: torchvision `GaussianNoise`.

    >>> y, _ = af.gaussian_noise(std=0.1)(torch.full((3, 64, 64), 0.5), None, af.key(0))
    >>> y.std().round(decimals=2)
    tensor(0.1000)
    """
    return x + mean + std * field.to(x.dtype)

"""What an op of your own is made of: a decorator for its kind, and what its body returns and lays over the image.

The types of its leaves are those of `augfn.typing`; `augfn_nn.derive.derive` makes a module of it, and
`augfn.testing.check` tries the laws.

>>> import torch, augfn as af
>>> from augfn.custom import over, photometric
>>> from augfn.typing import Factor
>>> @photometric(clip="clamp", pointwise=True)
... def dim(x: torch.Tensor, *, factor: Factor = af.Uniform(0.2, 0.8)) -> torch.Tensor:
...     \"\"\"y = factor x.\"\"\"
...     return x * over(x, factor)
>>> af.pipeline(af.hflip(), dim(factor=0.5))(torch.ones(1, 3, 1, 1))[0].flatten()
tensor([0.5000, 0.5000, 0.5000])
"""

from augfn.core.actions import Color, Layer, Size
from augfn.core.augmentation import filtering, geometric, mixing, noise, occlusion, photometric, temporal
from augfn.math.maps import Map
from augfn.math.shapes import over
from augfn.math.stages import Analytic

__all__ = [
    "Analytic",
    "Color",
    "Layer",
    "Map",
    "Size",
    "filtering",
    "geometric",
    "mixing",
    "noise",
    "occlusion",
    "over",
    "photometric",
    "temporal",
]

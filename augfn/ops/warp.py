"""Geometry that bends: displacement fields."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.kinds import Size
from augfn.math.maps import Displacement, Map
from augfn.op import geometric
from augfn.typing import Leaf

Alpha = Annotated[Any, Leaf("fraction of the shorter side: the field's standard deviation", neutral=0.0, low=0.0)]
Smooth = Annotated[Any, Leaf("fraction of the shorter side: the field's smoothness", low=0.0)]
Control = Annotated[Any, Leaf("control displacements (x, y), before smoothing", (2, 8, 8), low=-1.0, high=1.0)]


@geometric(example={"alpha": (0.01, 0.03)})
def elastic(
    frame: Size, *, alpha: Alpha = Uniform(0.0, 0.03), sigma: Smooth = 0.1, control: Control = Uniform(-1.0, 1.0)
) -> Map:
    """Displace every pixel by a smooth random field: u_in = u + alpha min(H, W) n(u).

    n is the control grid of 8 x 8 uniform displacements, blurred by a Gaussian of `sigma`, scaled to unit standard
    deviation and interpolated (cubic) over the frame: so it replays at any resolution, and every control point can be
    edited and learned. Keypoints and boxes follow by fixed-point iteration (24 rounds; below 1e-3 px while alpha <
    sigma / 2). torchvision's `ElasticTransform` with alpha, sigma in pixels has the standard deviation alpha / (4
    sigma sqrt(3 pi)) pixels. Source: Simard et al. 2003.

    >>> y, params = af.elastic()(torch.rand(3, 16, 16), None, af.key(0))
    >>> params["control"].shape
    torch.Size([2, 8, 8])
    """
    if min(frame) < 2:
        raise ValueError(explain("elastic: the frame is too small", frame, "at least 2 x 2 pixels", "resize first"))
    field = smooth(control, sigma)
    return Map((Displacement(field * (alpha * min(frame))[..., None, None, None], frame),))


def smooth(control: Tensor, sigma: Tensor) -> Tensor:
    """Blur a grid of uniform noise `[*b, d, g, g]` by a Gaussian (sigma in fractions of the grid), to unit standard
    deviation."""
    n = control.shape[-1]
    step = torch.arange(n, dtype=sigma.dtype, device=sigma.device)
    distance = (step[:, None] - step) ** 2 / (n - 1) ** 2
    kernel: Any = torch.exp(-distance / (2 * sigma[..., None, None] ** 2 + 1e-8))
    kernel = math.sqrt(math.sqrt(3)) * kernel / kernel.square().sum(-1, keepdim=True).sqrt()
    kernel = kernel[..., None, :, :].to(control.dtype)
    return kernel @ control @ kernel.transpose(-1, -2)

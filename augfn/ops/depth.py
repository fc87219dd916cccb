"""Depth maps: noise and holes of a sensor, and one scale; images are left alone.

0 and NaN stand for what was not measured: it stays so, gets no noise, and takes the value `missing` where one is given. What
is infinitely far (the sky) stays so.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.augmentation import noise, photometric
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math.shapes import over
from augfn.typing import Leaf

Spread = Annotated[Any, Leaf("unit of the depth", neutral=0.0, low=0.0)]
Axial = Annotated[Any, Leaf("per unit of the depth", neutral=0.0, low=0.0)]
Amount = Annotated[
    Any, Leaf("probability of a cell", neutral=0.0, low=0.0, high=1.0, flat="a cell loses its depth or does not")
]


def unknown_at(x: Tensor) -> Tensor:
    """True where nothing was measured."""
    return (x == 0) | x.isnan()


def marked(y: Tensor, x: Tensor, missing: float | None) -> Tensor:
    """`y`, but where nothing was measured what stood there, or the sentinel."""
    return torch.where(unknown_at(x), x if missing is None else torch.full_like(x, missing), y)


@noise(target="depth", pointwise=True)
def depth_noise(
    x: Tensor,
    field: Tensor,
    *,
    std: Spread = Uniform(0.0, 0.01),
    axial: Axial = Uniform(0.0, 0.002),
    missing: float | None = None,
) -> Tensor:
    """Noise of a depth camera, which grows with the square of the distance: y = |z + (std + axial z^2) n|, n drawn per pixel.

    `std` in the unit of the depth (say metres), `axial` per unit. What is missing stays as it is, or becomes `missing`.
    Source: Nguyen et al. 2012 (of a Kinect: .0012 + .0019 (z - .4)^2 metres).

    >>> z = torch.full((1, 1, 64, 64), 2.0)
    >>> z[..., 0, 0] = 0
    >>> y, _ = af.depth_noise(std=0.0, axial=0.01)({"image": torch.rand(1, 3, 64, 64), "depth": z}, None, af.key(0))
    >>> y["depth"].std().round(decimals=2), y["depth"][0, 0, 0, 0]
    (tensor(0.0500), tensor(0.))
    """
    far = x.isinf()
    known = torch.where(unknown_at(x) | far, torch.ones_like(x), x)
    spread = over(x, std) + over(x, axial) * known.square()
    noisy = torch.addcmul(known, spread, field.to(x.dtype)).abs()
    return marked(torch.where(far, x, noisy), x, missing)


@noise(target="depth")
def depth_dropout(
    x: Tensor, field: Tensor, *, amount: Amount = Uniform(0.0, 0.1), size: int = 1, missing: float = 0.0
) -> Tensor:
    """Holes: each cell of `size` x `size` pixels loses its depth with the probability `amount`; what is lost, and what was
    missing before, becomes `missing` (0, or NaN). Source: the holes of structured light, in cells as albumentations'
    `CoarseDropout` has them.

    >>> x = {"image": torch.rand(1, 3, 64, 64), "depth": torch.ones(1, 1, 64, 64)}
    >>> y, _ = af.depth_dropout(amount=0.25, size=4)(x, None, af.key(0))
    >>> (y["depth"] == 0).float().mean().round(decimals=1)
    tensor(0.2000)
    """
    h, w = x.shape[-2:]
    if not 1 <= size <= max(h, w):
        raise ValueError(explain("depth_dropout: size", size, f"1 to {max(h, w)} pixels", "size=4"))
    cells = field[..., ::size, ::size]
    spread = [torch.arange(n, device=x.device) // size for n in (h, w)]
    here = cells.index_select(-2, spread[0]).index_select(-1, spread[1]).to(x.dtype)
    lost = here < torch.special.ndtri(over(x, amount.detach()))
    return torch.where(lost | unknown_at(x), torch.full_like(x, missing), x)


@photometric(target="depth", pointwise=True, example={"max": 2.0})
def depth_normalize(x: Tensor, *, max: float, missing: float = 0.0) -> Tensor:
    """y = min(z / max, 1), for a camera that reaches to `max`; what is missing becomes `missing`.

    Gradient: 1 / max, 0 beyond. Source: the usual scaling of depth for a net.

    >>> x = {"image": torch.rand(1, 3, 1, 3), "depth": torch.tensor([[[[0.0, 5.0, 20.0]]]])}
    >>> af.depth_normalize(max=10.0, missing=-1.0)(x)[0]["depth"]
    tensor([[[[-1.0000,  0.5000,  1.0000]]]])
    """
    if not max > 0:
        raise ValueError(explain("depth_normalize: max", max, "a positive depth", "max=10.0, in the unit of the depth"))
    return marked((x / max).clamp(max=1.0), x, missing)

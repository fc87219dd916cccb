"""Filters: every pixel from its neighbourhood."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import conv
from augfn.op import filtering
from augfn.typing import Sigma


@filtering
def gaussian_blur(
    x: Tensor, *, kernel_size: Any = 5, sigma: Sigma = Uniform(0.1, 2.0), padding_mode: str = "reflect"
) -> Tensor:
    """Blur by a Gaussian of `sigma` pixels, cut off at `kernel_size` (odd; an int, or one per axis, slowest first).

    Works on volumes too. sigma = 0 is the identity. Source: torchvision `gaussian_blur`.

    >>> spike = torch.tensor([[[0.0, 0.0, 1.0, 0.0, 0.0]]])
    >>> af.gaussian_blur(kernel_size=(1, 3), sigma=1.0)(spike)[0]
    tensor([[[0.0000, 0.2741, 0.4519, 0.2741, 0.0000]]])
    """
    d = x.ndim - sigma.ndim - 1
    sizes = (kernel_size,) * d if isinstance(kernel_size, int) else tuple(kernel_size)
    if len(sizes) != d or any(n % 2 == 0 or n < 1 for n in sizes):
        raise ValueError(
            explain("gaussian_blur: bad kernel_size", kernel_size, f"an odd number, or {d} of them", "kernel_size=5")
        )
    return conv.separable(x, [conv.gaussian_kernel1d(sigma, n, x.dtype) for n in sizes], padding_mode)

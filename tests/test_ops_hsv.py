"""Shifts in HSV, against the standard library's conversions."""

import colorsys
import itertools

import pytest
import torch

import augfn as af
from augfn.math import color


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.1, 0.2, -0.1), (-0.3, -0.4, 0.3), (0.5, 1.0, -1.0)])
def test_hsv_shift_by_colorsys(shift):
    x = torch.rand(3, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[:, 0, :2] = 0.5  # grey stays grey
    y = af.hsv_shift(**dict(zip(("hue", "saturation", "value"), shift, strict=True)))(x)[0]
    for at in itertools.product(range(5), range(7)):
        h, s, v = colorsys.rgb_to_hsv(*x[(slice(None), *at)].tolist())
        s, v = (min(1.0, max(0.0, n)) for n in (s + shift[1] if s else 0.0, v + shift[2]))
        torch.testing.assert_close(y[(slice(None), *at)].tolist(), list(colorsys.hsv_to_rgb((h + shift[0]) % 1, s, v)))


def test_hsv_shift_learns():
    x = 0.2 + 0.6 * torch.rand(3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (0.1, 0.05, 0.02)]
    assert torch.autograd.gradcheck(lambda *v: color.hsv_shift(x, *v), leaves)
    grey = torch.full((3, 2, 2), 0.5, dtype=torch.float64, requires_grad=True)
    assert all(g.isfinite().all() for g in torch.autograd.grad(color.hsv_shift(grey, *leaves).sum(), (grey, *leaves)))

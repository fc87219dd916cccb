"""Pixels and points that are not finite: they move, stay and are hidden like others, and harm no neighbour."""

import math

import pytest
import torch

import augfn as af
from augfn.core.actions import blend

INF, NAN = math.inf, math.nan


def spoiled(*shape):
    """An image with an inf, a -inf and a NaN."""
    x = torch.rand(shape)
    x[..., 0, 1], x[..., 1, 0], x[..., 2, 3] = INF, -INF, NAN
    return x


def same(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "name", ["hflip", "vflip", "jpeg", "gaussian_blur", "sharpness", "equalize", "rotate", "brightness"]
)
def test_a_closed_gate_leaves_them(name):
    x = spoiled(2, 3, 8, 8)
    same(getattr(af, name)(p=0.0)(x, None, af.key(0))[0], x)


@pytest.mark.parametrize("gate", [0.0, 1.0])
def test_a_flip_moves_each_to_its_place(gate):
    x, flip = spoiled(1, 3, 8, 8), af.hflip(p=0.5)
    y = flip({"image": x, "depth": x[:, :1], "mask": x[:, 0]}, {"gate": torch.tensor([gate])})[0]
    moved = x.flip(-1) if gate else x
    same(y["image"], moved)
    same(y["depth"], moved[:, :1])
    same(y["mask"], moved[:, 0])


def test_a_gate_has_the_same_value_and_slope_in_every_way():
    old, new = torch.rand(5, 3, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64)
    gate = torch.tensor([0.0, 0.3, 0.5, 0.8, 1.0], dtype=torch.float64)[:, None]
    want = old + gate * (new - old)
    torch.testing.assert_close(blend(old, new, gate), want)
    torch.testing.assert_close(torch.func.vmap(blend)(old, new, gate), want)
    slope = torch.func.grad(lambda g: blend(old, new, g).sum())(gate)
    torch.testing.assert_close(slope, (new - old).sum(-1, keepdim=True))
    old[0], new[4] = INF, NAN
    same(torch.func.vmap(blend)(old, new, gate)[0], old[0])
    old[4], new[4] = NAN, 1.0
    same(torch.func.vmap(blend)(old, new, gate)[4], new[4])


def test_a_partner_without_weight_harms_nobody():
    x = torch.rand(2, 3, 4, 4)
    x[1] = NAN
    y = af.mixup(p=0.0)({"image": x, "label": torch.eye(2)}, None, af.key(0))[0]["image"]
    same(y, x)


def test_a_point_that_is_missing_is_not_visible():
    points = af.Keypoints(torch.tensor([[1.0, 1.0], [NAN, 2.0], [2.0, NAN], [INF, 1.0]]))
    for f in (af.erase(scale=0.01), af.rotate(), af.elastic(), af.coarse_dropout()):
        seen = f({"image": torch.rand(3, 16, 16), "keypoints": points}, None, af.key(0))[0]["keypoints"].visible
        assert not seen[1:].any()


def test_masks_are_filled_with_any_number_exactly():
    mask = torch.rand(1, 16, 16)
    scene = {"image": torch.rand(3, 16, 16), "mask": mask}
    same(af.rotate(degrees=0.0, fill_mask=255)(scene)[0]["mask"], mask)
    turned = af.rotate(degrees=45.0, fill_mask=NAN)(scene)[0]["mask"]
    assert 0.05 < turned.isnan().double().mean() < 0.3
    image = af.rotate(degrees=45.0, fill=NAN, interpolation="nearest")(torch.rand(3, 16, 16))[0]
    same(image.isnan().any(0), turned.isnan()[0])


@pytest.mark.parametrize("name", ["rotate", "brightness_shift", "gamma", "hflip", "elastic"])
def test_a_closed_gate_changes_nothing_and_can_learn_to_open(name):
    x = torch.rand(3, 1, 8, 9, dtype=torch.float64)
    f = getattr(af, name)(p=0.5)
    params = f(x, None, af.key(0))[1]
    gate = torch.zeros(3, requires_grad=True)
    y = f(x, params | {"gate": gate})[0]
    same(y, x)
    assert torch.autograd.grad(y.square().sum(), gate)[0].abs().min() > 0


def test_a_closed_gate_clips_no_gradient():
    x = torch.tensor([[[[-0.5, 0.5, 1.5]]]], dtype=torch.float64, requires_grad=True)
    params = {"shift": torch.tensor([0.1]), "gate": torch.zeros(1, requires_grad=True)}
    y = af.brightness_shift(p=0.5)(x, params)[0]
    same(y, x)
    to_image, to_gate = torch.autograd.grad(y.sum(), (x, params["gate"]))
    same(to_image, torch.ones_like(x))
    assert to_gate.item() == pytest.approx(0.1)  # the difference of the clipped result and the image

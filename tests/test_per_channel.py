"""Draws for each channel (`per_channel`, `p_channel`): closed channels, gradients, shared fields, ops that see all of them."""

import numpy as np
import pytest
import torch

import augfn as af
from augfn.testing.case import agree as alike


def agree(found, wanted, atol=1e-5):
    alike("per channel", found, wanted, atol)


HALF = torch.tensor([1.0, 0.0, 1.0])
X = {"volume": torch.rand(2, 3, 4, 5, 6, generator=torch.Generator().manual_seed(0)) * 3 - 1}
LINEAR = {
    "brightness": {"factor": 2.0},
    "brightness_shift": {"shift": 0.5},
    "linear_contrast": {"factor": 2.0},
    "normalize": {"mean": 0.5, "std": 0.5},
    "invert": {},
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_closed_channel_is_not_clipped(name):
    op = getattr(af, name)
    y, _ = op(**LINEAR[name], p_channel=HALF, clip="clamp")(X, None, af.key(0))
    every, _ = op(**LINEAR[name], clip="clamp")(X, None, af.key(0))
    assert torch.equal(y["volume"][:, 1], X["volume"][:, 1])
    agree(y["volume"][:, ::2], every["volume"][:, ::2])


@pytest.mark.parametrize("name", ["grayscale", "color_twist", "channel_shuffle", "channel_dropout", "color_jitter"])
@pytest.mark.parametrize("how", [{"per_channel": True}, {"p_channel": 0.5}])
def test_ops_that_know_no_single_channel_say_so(name, how):
    with pytest.raises(ValueError, match="works on each channel by itself"):
        getattr(af, name)(**how)


def test_a_number_for_each_channel_is_no_draw_for_each():
    with pytest.raises(ValueError, match="a map of 3 channels"):
        af.normalize(mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0), p_channel=0.5)(X, None, af.key(0))


@pytest.mark.parametrize("name", ["plasma_shadow", "linear_illumination", "shadow", "sun_flare"])
def test_each_channel_is_as_an_image_of_its_own(name):
    """Shared fields, and leaves that are vectors with a distribution for each entry."""
    op, x = getattr(af, name)(per_channel=True), torch.rand(2, 3, 12, 14, generator=torch.Generator().manual_seed(1))
    y, params = op(x, None, af.key(0))
    for c in range(3):
        own = {n: v if n == "seed" else v[:, c] for n, v in params.items()}
        agree(y[:, c : c + 1], getattr(af, name)()(x[:, c : c + 1], own)[0])


def test_a_relaxed_gate_of_a_channel_blends_and_learns():
    gate = torch.tensor([[0.25, 0.75, 1.0], [0.0, 0.5, 0.25]], requires_grad=True)
    op = af.gamma(gamma=2.0, clip="none", p_channel=0.5)
    y, _ = op(X, {"channel_gate": gate}, af.key(0))
    full, _ = op(X, {"channel_gate": torch.ones(3)}, af.key(0))
    change = full["volume"] - X["volume"]
    agree(y["volume"], X["volume"] + gate.detach()[..., None, None, None] * change)
    (slope,) = torch.autograd.grad(y["volume"].sum(), gate)
    agree(slope, change.sum((-3, -2, -1)), atol=1e-3)
    logit = torch.zeros((), requires_grad=True)
    y, _ = af.gamma(gamma=2.0, p_channel=af.RelaxedBernoulli(logit))(X, None, af.key(0))
    assert torch.autograd.grad(y["volume"].sum(), logit)[0] != 0


def test_a_probability_of_a_channel_that_would_learn_is_refused():
    with pytest.raises(ValueError, match=r"p_channel cannot learn(.|\n)*p_channel=af.RelaxedBernoulli"):
        af.gamma(p_channel=torch.tensor(0.5, requires_grad=True))


def test_a_curriculum_of_a_channels_probability():
    op = af.gamma(p_channel=0.5)
    assert af.schedule(op, 0.5, {"p_channel": af.linear(0.0, 0.5)})["channel_gate"].probs == 0.25
    with pytest.raises(ValueError, match="did you mean 'p_channel'"):
        af.schedule(op, 0.5, {"p_chanel": 0.5})


def test_test_time_augmentation_with_draws_for_each_channel():
    views = [af.gamma(per_channel=True), af.hflip3d()]
    seen = af.tta(lambda v: v, views, targets="softmask")(X["volume"].clamp(0, 1), af.key(0))
    assert seen.shape == X["volume"].shape
    flat = af.tta(lambda v: v, af.gamma(per_channel=True), targets="softmask", n=2)(X["volume"][:, :, 0], af.key(0))
    assert flat.shape == (2, 3, 5, 6)


@pytest.mark.parametrize("kind", ["softmask", "label"])
def test_test_time_augmentation_of_volumes(kind):
    model = (lambda v: v) if kind == "softmask" else (lambda v: v.mean((2, 3, 4)))
    flips = af.product([af.identity(), af.hflip3d()], [af.identity(), af.dflip3d()])
    agree(af.tta(model, flips, targets=kind)(X["volume"]), model(X["volume"]))
    with pytest.raises(ValueError, match=r"a batch of volumes \[B, C, D, H, W\]"):
        af.tta(model, flips)(X["volume"][0])


def test_words_leave_out_what_no_channel_is_open_for():
    f = af.pipeline(af.gamma(gamma=2.0, p_channel=0.0), af.brightness(factor=0.5, p_channel=HALF))
    said = af.explain(f(X["volume"][:, :, 0], None, af.key(0))[1])
    assert said.startswith("brightness")
    assert "gate" not in said


def test_numbers_of_numpy_are_chances():
    for share in (np.float32(0.5), np.float64(0.5), np.int64(0)):
        assert "channel_gate" in af.gamma(p_channel=share).params
    assert "channel_gate" not in af.gamma(p_channel=np.float64(1.0), per_channel=np.bool_(True)).params


def test_views_of_colour_alone_see_a_volume():
    seen, x = [], X["volume"].sigmoid()
    af.tta(lambda v: seen.append(v) or v.mean((2, 3, 4)), af.brightness(factor=(0.2, 0.9)), n=1)(x, af.key(0))
    ratio = seen[0] / x
    agree(ratio, ratio[:, :1, :1, :1, :1].expand_as(ratio), 1e-4)


def test_words_of_a_gate_over_time():
    gate = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    _, params = af.pipeline(af.gamma(p=0.5))({"video": torch.rand(1, 4, 3, 8, 8)}, {"gamma": {"gate": gate}}, af.key(0))
    assert af.explain(params).startswith("gamma")

import math

import pytest
import torch
from torch.func import grad

import augfn as af
import augfn_nn

GREY = torch.full((3, 128, 128), 0.5)
KEY = af.key(0)


def moments(y):
    z = (y - y.mean()) / y.std()
    return y.mean().item(), y.std().item(), z.pow(3).mean().item()


def test_speckle_is_relative():
    y, _ = af.speckle(std=0.1, clip="none")(torch.stack([GREY, GREY / 2]), None, KEY)
    assert y[0].std().item() == pytest.approx(0.05, rel=0.02)
    assert y[1].std().item() == pytest.approx(0.025, rel=0.02)


@pytest.mark.parametrize("photons", [20.0, 200.0])
def test_poisson_noise_has_the_moments_of_counts(photons):
    """Mean and variance are those of Poisson counts; the skewness, which it lacks, is below 1 / sqrt(count)."""
    y, _ = af.poisson_noise(photons=photons, clip="none")(GREY, None, KEY)
    counts = torch.poisson(GREY * photons, generator=torch.Generator().manual_seed(0)) / photons
    ours, true = moments(y), moments(counts)
    assert ours[:2] == pytest.approx(true[:2], rel=0.02)
    assert abs(ours[2] - true[2]) < 1.2 / math.sqrt(0.5 * photons)


def test_poisson_noise_in_the_dark():
    x = torch.tensor([0.0, -0.5, 1.0, 1e-30]).reshape(1, 2, 2)
    f = af.poisson_noise(photons=50.0, clip="none")
    y, params = f(x, None, KEY)
    assert torch.allclose(y.flatten()[[0, 1, 3]], x.flatten()[[0, 1, 3]], atol=1e-7)
    assert grad(lambda x: f(x, params)[0].sum())(x).flatten()[:2].tolist() == [1.0, 1.0]
    zero = grad(lambda p: f(torch.zeros(1, 4, 4), p)[0].square().sum())(params)
    assert all(g.isfinite().all() for g in zero.values())


def test_salt_and_pepper_shares():
    y, _ = af.salt_and_pepper(amount=0.2, salt=0.3)(GREY, None, KEY)
    assert (y == 1).float().mean().item() == pytest.approx(0.06, abs=0.01)
    assert (y == 0).float().mean().item() == pytest.approx(0.14, abs=0.01)
    assert y[:1].expand_as(y).equal(y), "the channels change together"


@pytest.mark.parametrize(("amount", "salt", "value"), [(0.0, 0.5, 0.5), (1.0, 1.0, 1.0), (1.0, 0.0, 0.0)])
def test_salt_and_pepper_ends(amount, salt, value):
    assert af.salt_and_pepper(amount=amount, salt=salt)(GREY, None, KEY)[0].unique().tolist() == [value]


def test_salt_and_pepper_of_any_channels():
    for shape in [(1, 5, 7), (5, 5, 7), (2, 3, 2, 5, 7)]:
        assert af.salt_and_pepper()(torch.rand(shape), None, KEY)[0].shape == shape


def test_salt_and_pepper_gradients():
    """The values are the same, whatever the gradient; `ste` has the gradient of the expected image."""
    x = torch.full((2, 1, 256, 256), 0.25, dtype=torch.float64)
    ranges = {"amount": torch.tensor([0.1, 0.3]).double(), "salt": torch.tensor([0.4, 0.8]).double()}
    outs, slopes = {}, {}
    for mode in ("none", "ste", "soft"):
        f = af.salt_and_pepper(grad=mode)
        outs[mode], params = f(x, ranges, KEY)
        slopes[mode] = grad(lambda p, f=f: f(x, p)[0].mean((-3, -2, -1)).sum())(params)
        to_image = grad(lambda x, p, f=f: f(x, p)[0].sum())(x, params)
        assert to_image.equal((outs[mode] == x).double())
    assert outs["none"].allclose(outs["ste"], atol=1e-12)
    assert outs["none"].allclose(outs["soft"], atol=1e-12)
    assert all((slope == 0).all() for slope in slopes["none"].values())
    for mode in ("ste", "soft"):
        assert slopes[mode]["amount"].tolist() == pytest.approx((ranges["salt"] - 0.25).tolist(), rel=0.2)
        assert slopes[mode]["salt"].tolist() == pytest.approx(ranges["amount"].tolist(), rel=0.2)


def test_salt_and_pepper_names_its_gradients():
    with pytest.raises(ValueError, match="grad"):
        af.salt_and_pepper(grad="smooth")(GREY, None, KEY)


def test_iso_noise():
    """Grey keeps its hue and moves alike in all channels; a flat image, which has no contrast, stays bright as it is."""
    ramp = torch.linspace(0, 1, 128).expand(3, 128, 128)
    y, _ = af.iso_noise(intensity=0.5)(ramp, None, KEY)
    assert y[:1].expand_as(y).allclose(y, atol=1e-6)
    assert (y - ramp)[:, :, -1].abs().max() == 0, "white stays white"
    flat = af.iso_noise(intensity=0.5)(GREY, None, KEY)[0]
    assert flat.allclose(GREY, atol=1e-3)
    red = torch.tensor([0.8, 0.2, 0.2]).reshape(3, 1, 1).expand(3, 128, 128)
    turned = af.iso_noise(intensity=0.5, color_shift=0.05)(red, None, KEY)[0]
    assert turned.amax(0).std() < 1e-3, "on a flat colour the hue alone changes"
    assert turned[1].std() > 0.01


def test_iso_noise_gradients_at_rest():
    f = af.iso_noise()
    zero = {"intensity": torch.zeros(()), "color_shift": torch.zeros(())}
    params = f(GREY, zero, KEY)[1]
    slopes = grad(lambda p: f(GREY, p)[0].square().sum())(params)
    assert all(slope.isfinite().all() for slope in slopes.values())
    with pytest.raises(ValueError, match="three channels"):
        f(GREY[:1], None, KEY)


def test_modules():
    x = torch.rand(2, 3, 8, 9)
    for name in ("RandomSaltAndPepperNoise", "RandomSpeckleNoise", "RandomPoissonNoise", "RandomISONoise"):
        assert getattr(augfn_nn, name)(p=1.0)(x).shape == x.shape
    params = augfn_nn.RandomSaltAndPepperNoise(0.1, (0.2, 0.3)).params
    assert params["amount"].value == 0.1
    assert (params["salt"].low, params["salt"].high) == pytest.approx((0.2, 0.3))
    assert isinstance(augfn_nn.RandomPoissonNoise((10.0, 100.0)).params["photons"], af.LogUniform)
    assert augfn_nn.RandomPoissonNoise(50.0).params["photons"].value == 50
    learns = augfn_nn.RandomSaltAndPepperNoise(torch.nn.Parameter(torch.tensor([0.1, 0.3])), grad="ste", p=1.0)
    learns(x).sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in learns.parameters())

import math

import pytest
import torch
from torch.func import grad

import augfn as af
import augfn_nn
from augfn.math import fields

KEY = af.key(0)
BLACK = torch.zeros(1, 5, 9)
PLASMA = ["plasma_brightness", "plasma_contrast", "plasma_shadow"]
LIGHT = ["gaussian_illumination", "linear_illumination", "linear_corner_illumination"]


def one_hot(i):
    return torch.eye(4)[i]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 2), (3, 3), (4, 7), (5, 64), (17, 17), (33, 6), (40, 24)])
def test_diamond_square_of_any_size(size):
    u = af.uniform(KEY, (2, *size))
    for roughness in (0.0, 0.5, 1.0):
        field = fields.diamond_square(u, torch.tensor(roughness))
        assert field.shape == u.shape
        assert field.min() >= 0
        assert field.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 17), (12, 40), (33, 20), (64, 64)])
def test_diamond_square_is_kornias(size):
    """For equal random numbers, also where the frame is cut out of a larger grid."""
    contrib = pytest.importorskip("kornia.contrib")
    u = af.uniform(KEY, (2, 1, *size))
    cells = [1 << (max(n, 3) - 2).bit_length() for n in size]

    def laid_out(h, w):
        step = min(cells) // (min(h, w) - 1)
        rows, columns = (torch.arange(n) * step % m for n, m in zip((h, w), size, strict=True))
        return u[..., rows, :][..., columns]

    def numbers(shape, **_):
        """kornia draws the corners of a grid that is not wide lying down."""
        h, w = shape[-2:]
        return laid_out(w, h).mT if h == 2 and cells[0] >= cells[1] else laid_out(h, w)

    theirs = contrib.diamond_square((2, 1, *size), 0.6, random_fn=numbers)
    torch.testing.assert_close(fields.diamond_square(u, torch.tensor(0.6)), theirs, rtol=0, atol=1e-6)


def test_rough_is_rougher():
    u = af.uniform(KEY, (64, 64))
    steps = [fields.diamond_square(u, torch.tensor(r)).diff().abs().mean() for r in (0.1, 0.5, 0.9)]
    assert steps[0] < steps[1] < steps[2]
    smooth = fields.diamond_square(u, torch.tensor(0.0))
    assert smooth.diff().abs().max() < 0.1


@pytest.mark.parametrize("name", PLASMA)
def test_plasma_in_tiny_frames_and_many_dims(name):
    f = getattr(af, name)()
    for shape in [(1, 1, 1), (3, 1, 7), (2, 4, 2, 2), (2, 2, 3, 8, 8)]:
        assert f(torch.rand(shape), None, KEY)[0].shape == shape


def test_plasma_brightness_is_of_mean_zero():
    y, _ = af.plasma_brightness(intensity=0.4, clip="none")(torch.zeros(1000, 1, 32, 32), None, KEY)
    assert abs(y.mean()) < 4 * 0.13 / math.sqrt(1000)  # 0.13: the spread of the means of images
    assert y.abs().max() <= 0.4


def test_plasma_contrast_about_the_middle():
    x = torch.stack([torch.full((1, 16, 16), 0.4), torch.full((1, 16, 16), 0.6)])
    f = af.plasma_contrast(clip="none")
    y, params = f(x, {"seed": torch.full((2, 2), 0.3)}, KEY)
    again = f(1 - x, params)[0]
    torch.testing.assert_close(again, 1 - y, rtol=0, atol=1e-6)


def test_plasma_shadow_grows_with_its_quantity():
    f = af.plasma_shadow(roughness=0.5, shade_intensity=-0.5)
    x, seed = torch.ones(3, 32, 32), torch.tensor([0.2, 0.7])
    light = [f(x, {"seed": seed, "shade_quantity": torch.tensor(q)})[0] for q in (0.0, 0.4, 0.6, 1.0)]
    means = [y.mean().item() for y in light]
    assert means == sorted(means, reverse=True)
    assert means[0] == pytest.approx(1, abs=0.01)
    assert means[-1] == pytest.approx(0.5, abs=0.01)
    assert light[1][:1].expand(3, -1, -1).equal(light[1]), "one shadow for all channels"


def test_plasma_shadow_needs_an_edge():
    with pytest.raises(ValueError, match="softness"):
        af.plasma_shadow(softness=0.0)(BLACK, None, KEY)


def test_gaussian_illumination_by_hand():
    f = af.gaussian_illumination(gain=0.5, center=torch.tensor([0.3, 0.6]), sigma=torch.tensor([0.2, 0.4]), brighten=0)
    x, y = (torch.arange(9) + 0.5) / 9 - 0.3, (torch.arange(5)[:, None] + 0.5) / 5 - 0.6
    g = torch.exp(-(x**2) / 0.08 - y**2 / 0.32)
    want = 1 - 0.5 * (g - g.min()) / (g.max() - g.min())
    torch.testing.assert_close(f(1 - BLACK)[0], want[None], rtol=0, atol=1e-6)


@pytest.mark.parametrize("sigma", [1e-3, 1e-2, 30.0])
def test_gaussian_illumination_stays_scaled(sigma):
    f = af.gaussian_illumination(gain=1.0, center=0.33, sigma=sigma, brighten=1.0)
    y, params = f(BLACK)
    assert (y.min().item(), y.max().item()) == pytest.approx((0, 1), abs=1e-2)
    slopes = grad(lambda p: f(BLACK, p)[0].square().sum())(params)
    assert all(slope.isfinite().all() for slope in slopes.values())


def test_linear_illumination_edges():
    f = af.linear_illumination(gain=1.0, brighten=1.0)
    x, y = torch.linspace(0, 1, 9).expand(5, 9), torch.linspace(0, 1, 5)[:, None].expand(5, 9)
    for i, want in enumerate((y, 1 - y, x, 1 - x)):
        torch.testing.assert_close(f(BLACK, {"edge": one_hot(i)})[0][0], want)
    half = f(BLACK, {"edge": torch.tensor([0.5, 0.0, 0.5, 0.0])})[0]
    torch.testing.assert_close(half[0], (x + y) / 2)


def test_linear_corner_illumination_corners():
    f = af.linear_corner_illumination(gain=1.0, brighten=1.0)
    for i, (row, column) in enumerate([(-1, -1), (-1, 0), (0, -1), (0, 0)]):
        light = f(BLACK, {"corner": one_hot(i)})[0][0]
        assert light[row, column] == 1
        assert light[-1 - row, -1 - column] == 0
        assert light[row, -1 - column] == 0.5
    dark = af.linear_corner_illumination(gain=1.0, brighten=0.0)(1 - BLACK, {"corner": one_hot(0)})[0][0]
    assert (dark[0, 0], dark[-1, -1]) == (1, 0)


@pytest.mark.parametrize(("name", "leaf"), [("linear_illumination", "edge"), ("linear_corner_illumination", "corner")])
def test_every_direction_and_sign_is_drawn(name, leaf):
    params = getattr(af, name)()(torch.zeros(400, 1, 2, 2), None, KEY)[1]
    assert params[leaf].mean(0).tolist() == pytest.approx([0.25] * 4, abs=0.07)
    assert params["brighten"].mean().item() == pytest.approx(0.5, abs=0.07)


@pytest.mark.parametrize("name", LIGHT)
def test_channels_share_the_light(name):
    y = getattr(af, name)(clip="none")(torch.zeros(4, 5, 6), None, KEY)[0]
    assert y[:1].expand_as(y).equal(y)


def test_modules():
    x = torch.rand(2, 3, 8, 9)
    for op in PLASMA + LIGHT:
        name = "Random" + op.title().replace("_", "")
        assert getattr(augfn_nn, name)(p=1.0)(x).shape == x.shape
    shadow = augfn_nn.RandomPlasmaShadow(0.3, (-0.5, -0.2), 0.4).params
    assert shadow["roughness"].value == pytest.approx(0.3)
    assert shadow["shade_intensity"].low == -0.5


@pytest.mark.parametrize(
    ("sign", "chance"), [((-1.0, 1.0), 0.5), (1.0, 1), (-1.0, 0), ((-0.5, -0.1), 0), ((-0.1, 0.3), 0.75)]
)
def test_sign_of_illumination(sign, chance):
    drawn = augfn_nn.RandomLinearIllumination(sign=sign).params["brighten"]
    assert float(getattr(drawn, "probs", getattr(drawn, "value", None))) == pytest.approx(chance)


@pytest.mark.parametrize("sign", [2.0, (0.5, -0.5)])
def test_bad_sign(sign):
    with pytest.raises(ValueError, match="sign"):
        augfn_nn.RandomLinearIllumination(sign=sign)

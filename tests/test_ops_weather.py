"""Weather: rain against kornia's coverage, snow against its closed form, fields and shapes against their geometry."""

import colorsys

import pytest
import torch
from skimage import draw
from torch.func import grad

import augfn as af
import augfn_nn
from augfn import random
from augfn.math import weather
from augfn.testing.case import smooth_image

KEY = af.key(0)
BLACK = torch.zeros(1, 40, 60)


def rained(x=BLACK, **values):
    given = {"number_of_drops": 50.0, "drop_height": 8.0, "drop_width": 0.0, "value": 1.0} | values
    return af.rain(**given)(x, None, KEY)[0]


# rain


@pytest.mark.parametrize("width", [-7.0, -2.5, 0.0, 3.0, 6.0])
def test_one_drop_is_one_line_in_the_frame(width):
    """So many rows, one pixel's worth of light in each, so many columns aside, without a wrap at the border."""
    for seed in range(8):
        f = af.rain(number_of_drops=1, drop_height=7, drop_width=width, value=1.0, most=3)
        y = f(torch.zeros(1, 20, 12), None, af.key(seed))[0][0]
        rows = y.sum(-1)
        assert (rows > 0).sum() == 7
        torch.testing.assert_close(rows[rows > 0], torch.ones(7), atol=1e-3, rtol=0)
        place = (y * torch.arange(12.0)).sum(-1)[rows > 0]
        torch.testing.assert_close(place.diff(), torch.full((6,), width / 7), atol=2e-3, rtol=0)


def test_parts_of_drops():
    one, two = rained(number_of_drops=1), rained(number_of_drops=2)
    torch.testing.assert_close(rained(number_of_drops=1.25), one + (two - one) * 0.25)
    rows = rained(number_of_drops=1, drop_height=3.5).sum(-1)[0]
    torch.testing.assert_close(rows[rows > 0], torch.tensor([1.0, 1.0, 1.0, 0.5]))
    assert (rained(number_of_drops=60) >= rained(number_of_drops=50)).all()


@pytest.mark.cuda
def test_rain_replays_bit_for_bit_where_sums_have_no_order():
    x = torch.zeros(4, 3, 64, 64, device="cuda")
    f = af.rain(number_of_drops=1999.5, drop_width=3.3, drop_height=17.7, value=1.0)
    y, params = f(x, None, KEY)
    assert all(torch.equal(f(x, params)[0], y) for _ in range(20))


def test_shares_add_up_in_any_order():
    """Seven shares below 0.28, so that the sum stays below 2; as they are, the last bit depends on the order."""

    def sums(shares):
        return {float(sum(shares[random.uniform(af.key(i), (7,)).argsort()])) for i in range(50)}

    first, second = random.uniform(KEY, (7,)), random.uniform(af.key(1), (7,), 0.0, 0.28)
    assert len(sums(weather.countable(first) * weather.countable(second))) == 1
    assert len(sums(first * second)) > 1


@pytest.mark.parametrize("frame", [(5, 40), (40, 3), (1, 1)])
def test_frames_smaller_than_a_drop(frame):
    x = torch.full((1, *frame), 0.25)
    for width in (-30.0, 30.0):
        y = rained(x, drop_height=20.0, drop_width=width)
        assert y.isfinite().all()
        assert ((y >= 0.25) & (y <= 1)).all()


def test_rain_keeps_what_is_dry():
    x = smooth_image((2,), 3, (40, 60), torch.float32) * 3 - 1  # no clipping
    y = rained(x, value=0.5, drop_width=3.0)
    dry = rained(x * 0, value=1.0, drop_width=3.0) == 0
    assert dry.float().mean() > 0.5
    assert torch.equal(y[dry], x[dry])


def test_share_of_wet_pixels_is_kornias():
    K = pytest.importorskip("kornia.augmentation")
    x = torch.zeros(4, 3, 96, 128)
    for width in (-4, 0, 5):
        theirs = K.RandomRain((300, 300), (12, 12), (width, width), p=1.0)(x) / (200 / 255)
        ours = rained(x, number_of_drops=300.0, drop_height=12.0, drop_width=float(width))
        torch.testing.assert_close(ours.mean(), theirs.mean(), rtol=0.1, atol=0)


def test_rain_errors():
    with pytest.raises(ValueError, match="nothing to draw"):
        rained(longest=0)


# snow


def test_snow_keeps_hue_and_saturation():
    x = smooth_image((), 3, (5, 6), torch.float64)
    y = af.snow(coefficient=0.6, brightness=1.7)(x)[0]
    for old, new in zip(x.flatten(1).T.tolist(), y.flatten(1).T.tolist(), strict=True):
        hue, light, saturation = colorsys.rgb_to_hls(*old)
        light = min(light * 1.7, 1.0) if light < 0.6 else light
        assert new == pytest.approx(colorsys.hls_to_rgb(hue, light, saturation), abs=1e-6)


def test_snow_at_black_and_white():
    x = torch.tensor([0.0, 1.0]).expand(3, 1, 2).clone().requires_grad_()
    y = af.snow(coefficient=1.0, brightness=5.0)(x)[0]
    assert torch.equal(y, x)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("mode", ["none", "ste", "soft"])
def test_gradient_to_the_coefficient(mode):
    x = smooth_image((), 3, (9, 9), torch.float64)
    f = af.snow(brightness=2.0, grad=mode)
    total = lambda c: f(x, {"coefficient": c})[0].sum()  # noqa: E731
    slope = grad(total)(torch.tensor(0.5, dtype=torch.float64))
    assert (slope == 0) == (mode == "none")
    assert mode == "none" or slope > 0
    torch.testing.assert_close(f(x, {"coefficient": torch.tensor(0.5)})[0], af.snow()(x)[0])


# fog


def test_clouds_are_smooth_and_spread():
    field = weather.clouds(random.split(KEY, 64), (48, 64), 3, 3, torch.float32)
    assert field.shape == (64, 48, 64)
    shares = torch.histc(field, 4, 0, 1) / field.numel()
    assert ((shares - 0.25).abs() < 0.06).all()
    assert field.diff(dim=-1).abs().max() < 0.2


def test_fog_is_a_blend():
    x = smooth_image((2,), 3, (12, 16), torch.float32)
    even = af.fog(density=0.3, patchiness=0.0, level=0.9)(x, None, KEY)[0]
    torch.testing.assert_close(even, 0.7 * x + 0.27)
    y = af.fog(density=0.8, patchiness=1.0)(x, None, KEY)[0]
    t = (y - x) / (1 - x)
    assert ((t > -1e-6) & (t < 0.8 + 1e-6)).all()
    torch.testing.assert_close(t[:, 0], t[:, 2], atol=1e-5, rtol=0)


# shadow

BOX = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.75, 0.5], [0.25, 0.5]])


def shaded(corners, softness=0.0, frame=(40, 80)):
    return 1 - af.shadow(corners=corners, intensity=1.0, softness=softness)(torch.ones(1, *frame))[0][0]


def test_shadow_of_a_rectangle():
    expected = torch.zeros(40, 80)
    expected[10:20, 20:60] = 1
    torch.testing.assert_close(shaded(BOX), expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(shaded(BOX.flip(0)), shaded(BOX))  # in either direction
    soft = shaded(BOX, softness=0.1)
    torch.testing.assert_close(soft.sum(), expected.sum(), rtol=0.02, atol=0)
    assert ((soft > 0.01) & (soft < 0.99)).sum() > 200


def test_shadow_against_a_filled_polygon():
    corners = torch.tensor([[0.1, 0.2], [0.8, 0.05], [0.95, 0.7], [0.3, 0.9]])
    points = (corners * torch.tensor([160, 120]) - 0.5).flip(-1)  # (y, x), pixel centres at whole numbers
    filled = torch.from_numpy(draw.polygon2mask((120, 160), points.numpy())).float()
    assert (shaded(corners, frame=(120, 160)) - filled).abs().mean() < 0.006


def test_shadow_multiplies():
    x = smooth_image((2,), 3, (16, 16), torch.float32)
    y, params = af.shadow(intensity=0.6)(x, None, KEY)
    ratio = y / x
    assert ratio.min() >= 0.4 - 1e-6
    assert ratio.max() <= 1
    assert params["corners"].shape == (2, 4, 2)


# sun flare


def test_flare_adds_light_about_its_centre():
    x = smooth_image((), 3, (60, 80), torch.float32)
    f = af.sun_flare(center=torch.tensor([0.25, 0.5]), radius=0.5, intensity=0.8, color=(1.0, 0.5, 0.0))
    y = f(x, None, KEY)[0]
    assert (y - x >= -1e-6).all()
    assert y.max() <= 1
    torch.testing.assert_close(y[2], x[2])
    light = f(torch.zeros(3, 60, 80), None, KEY)[0]
    assert light[0, 29:31, 19:21].min() > 0.75
    torch.testing.assert_close(light[1], light[0] / 2)


def test_ghosts_lie_behind_the_middle():
    given = {"center": torch.tensor([0.25, 0.5]), "radius": 0.01, "intensity": 1.0, "sizes": 0.05}
    light = af.sun_flare(ghosts=2.0, ghost_intensity=0.5, **given)(torch.zeros(1, 60, 80), None, KEY)[0][0]
    peak = light.clone()
    peak[:, :40] = 0
    row, column = divmod(int(peak.argmax()), 80)
    assert abs(row - 29.5) <= 3
    assert abs(column - 59.5) <= 3


def test_flare_errors():
    with pytest.raises(ValueError, match="color"):
        af.sun_flare(color=(1.0, 0.5))(torch.zeros(3, 4, 4), None, KEY)


# all


@pytest.mark.parametrize("name", ["rain", "snow", "fog", "shadow", "sun_flare", "patch"])
def test_frames_of_a_video_share_the_weather(name):
    f = getattr(af, name)()
    video = smooth_image((2, 4), 3, (20, 24), torch.float32)
    y, params = f({"video": video}, None, KEY)
    for t in range(4):
        torch.testing.assert_close(y["video"][:, t], f(video[:, t], params)[0])


def test_modules():
    x = smooth_image((2,), 3, (40, 48), torch.float32)
    for module in (
        augfn_nn.RandomRain((40, 50), (5, 30), (-3, 3), p=1.0),
        augfn_nn.RandomSnow((0.4, 0.6), (1.5, 3.0)),
        augfn_nn.RandomFog(p=1.0),
        augfn_nn.RandomShadow(p=1.0),
        augfn_nn.RandomSunFlare(p=1.0, src_color=(1.0, 0.9, 0.7)),
    ):
        y = module(x)
        assert y.shape == x.shape
        assert not torch.equal(y, x)


def test_module_arguments():
    assert vars(augfn_nn.RandomRain((10, 4000), drop_height=(5, 30)).f)["static"] == {"most": 4000, "longest": 30}
    lit = augfn_nn.RandomShadow((0.0, 0.0, 0.5, 0.5), (1, 1), p=1.0)(torch.ones(2, 3, 20, 20))
    assert (lit[..., 12:, :] == 1).all()
    assert (lit[..., 12:] == 1).all()
    for wrong, match in (
        (lambda: augfn_nn.RandomSunFlare(src_radius=400), "other units"),
        (lambda: augfn_nn.RandomSunFlare(src_color=(255, 255, 255)), "src_color"),
        (lambda: augfn_nn.RandomShadow(shadow_dimension=5), "four corners"),
        (lambda: augfn_nn.RandomFog(fog_coef_range=(1.0, 0.3)), "fog_coef_range"),
    ):
        with pytest.raises(ValueError, match=match):
            wrong()

"""Colour and channels: which channels an op sees, what happens outside [0, 1], and the ops that kornia has beyond
torchvision's."""

import itertools

import pytest
import torch
from torch.autograd import gradcheck
from torch.func import grad, vmap

import augfn as af
import augfn_nn as A
from augfn.core.spec import SPECS
from augfn.math import color, jitter, planckian
from augfn.math.shapes import over
from augfn.testing import example
from augfn.testing.case import smooth_image

F64 = torch.float64
KINDS = ("photometric", "filter", "noise")
VALUES = sorted(n for n, s in SPECS.items() if s.kind in KINDS and s.target == "image" and s.ndim == 2)
CLIPPED = [n for n in VALUES if "clip" in SPECS[n].common]
KEY = af.key(3)


def image(channels, *batch):
    return smooth_image(batch or (2,), channels, (16, 18), torch.float32)


def call(f, x, **params):
    return f(x, {n: torch.as_tensor(v) for n, v in params.items()}, KEY)[0]


# all ops on values


@pytest.mark.parametrize("name", VALUES)
def test_channels_that_an_op_does_not_see_stay(name):
    """Red, green and blue of five: the others bit for bit, the three as they would be alone."""
    x = image(5)
    y, params = example(name, channels=(0, 1, 2))(x, None, KEY)
    assert y[:, 3:].equal(x[:, 3:])
    torch.testing.assert_close(y[:, :3], example(name)(x[:, :3], params)[0], atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", CLIPPED)
def test_clip(name):
    """The same values but for the bounds, and straight through them the gradient of the values without bounds."""
    x = image(3) * 2 - 0.5
    params = example(name)(x, None, KEY)[1]

    def f(x, mode):
        return example(name, clip=mode)(x, params)[0]

    raw = f(x, "none")
    assert f(x, "clamp").equal(raw.clamp(0, 1))
    assert f(x, "ste").equal(raw.clamp(0, 1))
    slopes = [grad(lambda x, mode=mode: (f(x, mode) * raw.detach().cos()).sum())(x) for mode in ("none", "ste")]
    torch.testing.assert_close(*slopes)


COLOURFUL = {n: lambda n=n: example(n) for n in VALUES if SPECS[n].requires_rgb} | {
    f"{n} {leaf}": lambda n=n, leaf=leaf: getattr(af, n)(**{leaf: 0.1})
    for n, leaf in itertools.product(("color_jitter", "color_jiggle"), ("saturation", "hue"))
}


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize("name", COLOURFUL)
def test_colour_needs_three_channels(name, channels):
    with pytest.raises(ValueError, match=r"three channels|expected: 3 channels") as caught:
        COLOURFUL[name]()(image(channels), None, KEY)
    assert "channels=(0, 1, 2)" in str(caught.value)


# order of channels, missing channels


@pytest.mark.parametrize("channels", [1, 2, 3, 7, 32])
def test_shuffle_copies_every_channel_once(channels):
    x = image(channels, 5)
    y, params = af.channel_shuffle()(x, None, KEY)
    source = params["order"][:, :channels].argsort(-1)
    assert y.equal(torch.stack([a[i] for a, i in zip(x, source, strict=True)]))


def test_shuffle_draws_all_orders_alike():
    x = torch.arange(3.0).reshape(3, 1, 1).expand(600, 3, 1, 1)
    y = af.channel_shuffle()(x, None, KEY)[0].flatten(1)
    counts = y.unique(dim=0, return_counts=True)[1]
    assert len(counts) == 6
    assert counts.min() > 60


def test_shuffle_and_dropout_on_clips():
    """One order for all frames of a clip."""
    x = smooth_image((2, 4), 3, (6, 7), torch.float32)
    for f in (af.channel_shuffle(), af.channel_dropout(num=2, fill=0.5)):
        y, params = f({"video": x}, None, KEY)
        frames = [f(x[:, t], params)[0] for t in range(4)]
        assert y["video"].equal(torch.stack(frames, 1))


@pytest.mark.parametrize("num", [1, 2, 3])
def test_dropout_fills_the_lowest_keys(num):
    x = image(3, 6)
    y, params = af.channel_dropout(num=num, fill=0.25)(x, None, KEY)
    lowest = params["drop"][:, :3].topk(num, largest=False)[1]
    for before, after, gone in zip(x, y, lowest, strict=True):
        kept = [c for c in range(3) if c not in gone]
        assert (after[gone] == 0.25).all()
        assert after[kept].equal(before[kept])


def test_gradient_of_channels_follows_the_copy():
    x, keys = image(3), torch.rand(2, 32)
    weight = torch.tensor([1.0, 2.0, 4.0]).reshape(3, 1, 1)
    slope = grad(lambda x: (call(af.channel_shuffle(), x, order=keys) * weight).sum())(x)
    assert slope.equal((weight.flatten()[keys[:, :3].argsort(-1).argsort(-1)])[..., None, None].expand_as(x))
    slope = grad(lambda x: call(af.channel_dropout(), x, drop=keys).sum())(x)
    assert slope.amax((-2, -1)).equal((keys[:, :3] > keys[:, :3].amin(-1, keepdim=True)).float())


@pytest.mark.parametrize(
    ("f", "channels", "message"),
    [
        (lambda: af.channel_shuffle(), 33, "32 channels at most"),
        (lambda: af.channel_dropout(), 33, "32 channels at most"),
        (lambda: af.channel_dropout(num=4), 3, "1 to 3"),
        (lambda: af.channel_dropout(num=0), 3, "1 to 3"),
        (lambda: af.planckian_jitter(mode="candle"), 3, "'blackbody' or 'CIED'"),
        (lambda: af.grayscale(weights=((1.0,), (2.0,))), 3, "one number per channel"),
        (lambda: af.grayscale(weights=(0.5, 0.5)), 3, "2 channels"),
        (lambda: af.rgb_shift(clip="wrap"), 3, "none, clamp, ste"),
    ],
)
def test_mistakes_are_explained(f, channels, message):
    with pytest.raises(ValueError, match=message) as caught:
        f()(image(channels), None, KEY)
    assert "do this:" in str(caught.value)


# linear maps


def test_shifts():
    x = image(3)
    shift = torch.tensor([[0.1, 0.0, -0.2], [0.9, -0.9, 0.3]])
    y = call(af.rgb_shift(), x, shift=shift)
    torch.testing.assert_close(y, (x + shift[..., None, None]).clamp(0, 1))
    y = call(af.brightness_shift(), x, shift=shift[:, 0])
    torch.testing.assert_close(y, (x + shift[:, 0].reshape(2, 1, 1, 1)).clamp(0, 1))


@pytest.mark.parametrize("f", [af.rgb_shift, af.brightness_shift, af.planckian_jitter])
def test_linear_ops_fuse_where_they_do_not_clip(f):
    steps = (f(clip="none"), af.normalize(mean=0.5, std=0.2))
    x, fused, literal = image(3), af.pipeline(*steps), af.pipeline(*steps, fuse=False)
    y, params = fused(x, None, KEY)
    torch.testing.assert_close(y, literal(x, params)[0], atol=1e-5, rtol=0)


def test_invert_about_another_maximum():
    x = image(3)
    torch.testing.assert_close(af.invert(max_val=0.8)(x)[0], 0.8 - x)
    top = (0.8, 1.0, 255.0)
    torch.testing.assert_close(af.invert(max_val=top)(x)[0], torch.tensor(top).reshape(3, 1, 1) - x)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_grayscale_of_any_number_of_channels(channels):
    x = image(channels)
    y = af.grayscale(weights=[1 / channels] * channels)(x)[0]
    torch.testing.assert_close(y, x.mean(-3, keepdim=True).expand_as(x))


# Planckian jitter


@pytest.mark.parametrize(("mode", "rows"), [("blackbody", planckian.BLACKBODY), ("CIED", planckian.DAYLIGHT)])
def test_planckian_rows_and_between(mode, rows):
    place = torch.tensor(planckian.temperatures(mode))
    table = torch.tensor(rows)
    want = table / table[:, 1:2]
    torch.testing.assert_close(planckian.gains(place, mode), want)
    assert place[-1] == 15
    middle = planckian.gains(place[:-1] + 0.125, mode)
    torch.testing.assert_close(middle, want[:-1].lerp(want[1:], 0.25))
    assert (planckian.gains(place, mode)[:, 1] == 1).all()


def test_planckian_gradient_is_the_slope_between_rows():
    def red(t):
        return planckian.gains(t, "CIED")[0]

    t = torch.tensor(5.2, dtype=F64)
    a, b = (red(torch.tensor(v, dtype=F64)) for v in (5.0, 5.5))
    torch.testing.assert_close(grad(red)(t), (b - a) / 0.5)
    each = vmap(grad(red))(torch.tensor([4.0, 5.2, 15.0], dtype=F64))
    assert (each < 0).all()


def test_warm_light_is_red_and_cold_light_blue():
    grey = torch.full((2, 3, 1, 1), 0.5)
    warm, cold = call(af.planckian_jitter(), grey, temperature=[3.5, 12.0])[..., 0, 0]
    assert warm[0] > warm[1] > warm[2]
    assert cold[0] < cold[1] < cold[2]


# saturation of HSV, colour jiggle


def hsv_oracle(x, factor):
    """By definition: S of HSV scaled, at most 1, with H and V as they are."""
    most, least = x.amax(-3, keepdim=True), x.amin(-3, keepdim=True)
    full = (x - most) / (most - least) * most + most  # the same hue and value, saturation 1
    s = (most - least) / most
    return torch.lerp(most, full, (s * factor).clamp(max=1))


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7, 10.0])
def test_hsv_saturation(factor):
    x = image(3)
    y = call(af.hsv_saturation(), x, factor=[factor] * 2)
    torch.testing.assert_close(y, hsv_oracle(x, factor), atol=1e-6, rtol=0)
    if factor == 1:
        assert y.equal(x)


@pytest.mark.parametrize("rgb", [(0.5,) * 3, (0.0,) * 3, (1.0,) * 3, (1.0, 0.0, 0.0), (1e-30, 0.0, 1e-38)])
def test_gradients_are_finite_at_grey_and_at_corners(rgb):
    x = torch.tensor(rgb).reshape(1, 3, 1, 1)
    for factor in (0.0, 0.5, 1.0, 3.0):
        f = torch.tensor([factor])
        for g in grad(lambda x, f: color.hsv_saturation(x, f).sum(), (0, 1))(x, f):
            assert g.isfinite().all()
        order = torch.rand(1, 4)
        slopes = grad(lambda x, f, o=order: jitter.jiggle(x, f, f, f, f - 1, o).sum(), (0, 1))(x, f)
        assert all(g.isfinite().all() for g in slopes)
    if len(set(rgb)) == 1:
        assert color.hsv_saturation(x, f).equal(x)


ORDERS = list(itertools.permutations(range(4)))


def keys(orders):
    """Sort keys that put the four in the given orders."""
    return torch.tensor(orders).argsort(-1).float().add(0.25).div(4)


def factors(n, dtype=torch.float32):
    g = torch.Generator().manual_seed(1)
    ranges = ((0.7, 1.3), (0.6, 1.5), (0.3, 1.8), (-0.4, 0.4))
    return [torch.empty(n, dtype=dtype).uniform_(*r, generator=g) for r in ranges]


def jiggle(*args):
    return jitter.jiggle(*args)


def in_sequence(x, values, order, mode="clamp"):
    """kornia's way: one op after the other, for one sample."""
    ops = (lambda x, f: x + over(x, f) - 1, lambda x, f: x * over(x, f), color.hsv_saturation, color.hue)
    for i in order:
        if values[i] is not None:
            x = color.clip(ops[i](x, values[i]), mode)
    return x


@pytest.mark.parametrize("present", list(itertools.product([False, True], repeat=4)))
def test_jiggle_in_every_order(present):
    x = torch.rand(24, 3, 6, 6)
    values = [f if keep else None for f, keep in zip(factors(24), present, strict=True)]
    y = jiggle(x, *values, keys(ORDERS))
    for i, order in enumerate(ORDERS):
        one = [None if v is None else v[i] for v in values]
        torch.testing.assert_close(y[i], in_sequence(x[i], one, order), atol=1e-5, rtol=0)


def test_jiggle_leaves_its_inputs_alone_and_differentiates():
    x = torch.rand(4, 3, 2, 2, dtype=F64) * 0.3 + 0.3
    values, order = factors(4, F64), keys(ORDERS[::6])
    before = [t.clone() for t in (x, *values)]
    inputs = [t.requires_grad_() for t in (x, *values)]
    assert gradcheck(lambda x, *v: jiggle(x, *v, order), inputs)
    assert all(a.equal(b) for a, b in zip((x, *values), before, strict=True))


@pytest.mark.parametrize("batched", list(itertools.product([0, None], repeat=3)))
@pytest.mark.parametrize("mode", ["clamp", "none"])
def test_jiggle_under_vmap(batched, mode):
    """Also when only some of the operands have the mapped dimension."""
    if batched == (None,) * 3:
        return
    n = [3 if dim == 0 else 1 for dim in batched]
    x, (b, c, s, h), order = torch.rand(n[0], 3, 5, 5), factors(n[1]), torch.rand(n[2], 4)
    operands, dims = (x, b, c, s, h, order), (batched[0], *(batched[1],) * 4, batched[2])
    for absent in (None, 1, 3, 4):
        given = [None if i == absent else t for i, t in enumerate(operands)]
        inner = [None if t is None else t if d == 0 else t[0] for t, d in zip(given, dims, strict=True)]
        where = tuple(None if t is None else d for t, d in zip(given, dims, strict=True))
        got = vmap(lambda *a: jiggle(*a, mode), where)(*inner)
        torch.testing.assert_close(got, jiggle(*given, mode))


# gamma


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.2])
def test_gamma_of_negative_pixels_is_black(exponent):
    x = torch.tensor([-0.5, -0.0, 0.0, 0.25]).reshape(1, 1, 2, 2)
    f = af.gamma(gamma=exponent, clip="none")
    y, slope = f(x)[0], grad(lambda x: f(x)[0].sum())(x)
    torch.testing.assert_close(y.flatten(), torch.tensor([0.0, 0.0, 0.0, 0.25**exponent]))
    assert slope.isfinite().all()
    assert slope.flatten()[0] == 0
    to_gamma = grad(lambda g: f(x, {"gamma": g, "gain": torch.ones(1)})[0].sum())(torch.tensor([exponent]))
    assert to_gamma.isfinite().all()
    assert to_gamma != 0


@pytest.mark.parametrize("clip", ["none", "clamp", "ste"])
def test_closed_gate_of_gamma_is_the_identity(clip):
    x = torch.randn(4, 3, 5, 5)
    f = af.gamma(gamma=(1.5, 2.5), clip=clip, p=0.5)
    y, params = f(x, {"gate": torch.tensor([0.0, 1.0, 0.0, 1.0])}, KEY)
    assert y[::2].equal(x[::2])
    assert y.isfinite().all()
    slope = grad(lambda g: f(x, params | {"gate": g})[0].sum())(params["gate"])
    assert slope.isfinite().all()


# modules


def test_modules_mean_what_kornias_arguments_mean():
    x = image(3)
    y = A.RandomRGBShift((0.1, 0.1), 0.0, (-0.2, -0.2), p=1.0)(x)
    torch.testing.assert_close(y, (x + torch.tensor([0.1, 0.0, -0.2]).reshape(3, 1, 1)).clamp(0, 1))
    assert (A.RandomChannelDropout(2, 0.5, p=1.0)(x) == 0.5).all((-2, -1)).sum(-1).tolist() == [2, 2]
    assert A.RandomChannelShuffle(p=1.0)(x).sum().isclose(x.sum())
    assert A.RandomPlanckianJitter("CIED", 5, p=1.0)(x).allclose(
        af.planckian_jitter(mode="CIED", temperature=6.5)(x)[0]
    )
    assert A.RandomPlanckianJitter(select_from=-1, p=1.0)(x).allclose(af.planckian_jitter(temperature=15.0)(x)[0])
    torch.testing.assert_close(A.RandomInvert(0.9, p=1.0)(x), 0.9 - x)
    torch.testing.assert_close(A.RandomGrayscale((1.0, 0.0, 0.0), p=1.0)(x), x[:, :1].expand_as(x))
    assert A.ColorJiggle()(x).equal(x)
    torch.testing.assert_close(A.RandomBrightnessShift((0.1, 0.1), clip_output=False)(x), x + 0.1)
    torch.testing.assert_close(A.RandomHSVSaturation((0.0, 0.0))(x), x.amax(1, keepdim=True).expand_as(x))


def test_planckian_module_draws_from_its_rows():
    grey = torch.full((64, 3, 1, 1), 0.5)
    red = A.RandomPlanckianJitter(select_from=[7, 20], p=1.0)(grey)[:, 0].flatten()
    rows = [
        0.5 * planckian.gains(torch.tensor(planckian.temperatures("blackbody")[i]), "blackbody")[0] for i in (7, 20)
    ]
    near = torch.stack([(red - row).abs() < 1e-6 for row in rows])
    assert near.any(0).all()
    assert near.any(1).all()
    assert A.RandomPlanckianJitter("CIED", p=1.0)(grey)[:, 0].unique().numel() == 64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: A.RandomRGBShift(-0.1), "a number >= 0"),
        (lambda: A.RandomPlanckianJitter(select_from=[25]), "rows of the table, 0 to 24"),
        (lambda: A.RandomPlanckianJitter("CIED", []), "rows of the table, 0 to 22"),
        (lambda: A.RandomPlanckianJitter("neon"), "'blackbody' or 'CIED'"),
        (lambda: A.ColorJiggle(0.2, order=(0, 1)), "each of 0, 1, 2, 3 once"),
        (lambda: A.RandomGrayscale(0.3), "p=..."),
    ],
)
def test_mistakes_in_modules_are_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()

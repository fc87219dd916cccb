"""Gradients of steps in "soft" form, beside finite differences of the steps themselves, smoothed over their width."""

import pytest
import torch
from torch.func import grad

import augfn as af
from augfn.core.spec import SPECS
from augfn.testing.case import smooth_image

F64 = torch.float64
K = af.key(0)


def call(name, x, **settings):
    return getattr(af, name)(**settings)(x, None, K)[0]


def hann(n):
    """Places in (-1/2, 1/2), and weights 1 + cos(2 pi t)."""
    t = (torch.arange(n, dtype=F64) + 0.5) / n - 0.5
    weights = 1 + torch.cos(2 * torch.pi * t)
    return t, weights / weights.sum()


@pytest.mark.parametrize("bits", [1.0, 2.0, 4.0])
def test_posterize_is_smoothed_over_one_step(bits):
    """The slope of smooth stairs is that of the mean of posterize over one step, with Hann's weights."""
    step = 2 ** (8 - bits) / 255
    h = 0.05 * step
    x = torch.linspace(0.15, 0.8, 37, dtype=F64)[None, None]
    t, weights = hann(10_000)
    moved = x + step * t[:, None, None, None]

    def smoothed(shift):
        return (call("posterize", moved + shift, bits=bits) * weights[:, None, None, None]).sum(0)

    want = (smoothed(h) - smoothed(-h)) / (2 * h)
    found = grad(lambda v: call("posterize", v, bits=bits, grad="soft").sum())(x)
    torch.testing.assert_close(found, want, rtol=0, atol=0.03)
    assert found.min() < 0.3 < 1.7 < found.max()


@pytest.mark.parametrize(
    ("name", "leaf", "at"), [("posterize", "bits", v) for v in (0.7, 2.4, 3.5, 7.8)] + [("dither", "levels", 2.9)]
)
def test_whole_numbers_are_smoothed_over_one(name, leaf, at):
    """To the bits: the slope of the mean over bits that are rounded after U(-1/2, 1/2) is added."""
    x, h, at = (
        torch.rand(1, 5, 6, generator=torch.Generator().manual_seed(0), dtype=F64),
        0.05,
        torch.tensor(at, dtype=F64),
    )
    u = (torch.arange(40_000, dtype=F64) + 0.5) / 40_000 - 0.5
    f, soft = getattr(af, name)(), getattr(af, name)(grad="soft")

    def smoothed(shift):
        return f(x.expand(len(u), -1, -1, -1), {leaf: at + shift + u})[0].mean(0)

    found = torch.func.jacrev(lambda v: soft(x, {leaf: v})[0])(at)
    torch.testing.assert_close(found, (smoothed(h) - smoothed(-h)) / (2 * h), rtol=0, atol=2e-3)
    torch.testing.assert_close(soft(x, {leaf: at.requires_grad_()})[0], f(x, {leaf: at})[0], rtol=0, atol=0)


@pytest.mark.parametrize(("bits", "want"), [(8.0, [7, 8]), (0.0, [0, 1])])
def test_at_its_ends_posterize_has_the_slope_inside(bits, want):
    x = torch.rand(1, 5, 6, generator=torch.Generator().manual_seed(0), dtype=F64)
    found = torch.func.jacrev(lambda v: call("posterize", x, bits=v, grad="soft"))(torch.tensor(bits, dtype=F64))
    below, above = (call("posterize", x, bits=float(v)) for v in want)
    torch.testing.assert_close(found, above - below)


@pytest.mark.parametrize("leaf", ["threshold", "image"])
def test_solarize_is_smoothed_over_logistic_noise(leaf):
    """To the threshold, of an image that stays: the sigmoid is the mean over thresholds that are a logistic number away.
    To the image: the weights of both branches, and the same slope of the sigmoid."""
    u = (torch.arange(40_000, dtype=F64) + 0.5) / 40_000
    noise = 0.05 * torch.logit(u)
    x, h, threshold = torch.tensor([0.35, 0.5, 0.62, 0.7, 0.9], dtype=F64), 2e-3, torch.tensor(0.6, dtype=F64)
    images = x.repeat(len(noise), 1)[:, None, None]

    def smoothed(image_shift, threshold_shift):
        shifted = {"threshold": threshold + threshold_shift + noise}
        return af.solarize()(images + image_shift, shifted)[0].mean((0, 1, 2))

    soft = af.solarize(grad="soft")
    if leaf == "threshold":
        want = (smoothed(0.0, h) - smoothed(0.0, -h)) / (2 * h)
        jacobian = torch.func.jacrev(lambda t: soft(x[None, None], {"threshold": t})[0].flatten())
        found = jacobian(threshold)
    else:
        want = (smoothed(h, 0.0) - smoothed(-h, 0.0)) / (2 * h)
        found = grad(lambda v: soft(v[None, None], {"threshold": threshold})[0].sum())(x)
    torch.testing.assert_close(found, want, rtol=0, atol=0.02)


def test_equalize_is_smoothed_over_levels():
    """One pixel moves by 24 levels: the mean slope on its way, beside how far equalize moves it."""
    image, way = smooth_image((), 1, (40, 48), F64), 24 / 255
    places = [(0, 7, 9), (0, 20, 30), (0, 33, 12), (0, 15, 40)]
    for place in places:
        centre = image[place].item()
        path = torch.linspace(centre - way / 2, centre + way / 2, 97, dtype=F64)

        def value(v, mode, place=place):
            x = image.clone()
            x[place] = v
            return call("equalize", x, grad=mode)[place]

        slope = torch.stack([grad(value)(v, "soft") for v in path[1::2]]).mean()
        difference = (value(path[-1], "none") - value(path[0], "none")) / way
        torch.testing.assert_close(slope, difference, rtol=0.1, atol=0)


def test_autocontrast_is_differentiable_through_its_extremes():
    """It is no step: plain differences, also of the pixels that set the range."""
    x, h = smooth_image((), 1, (8, 9), F64), 1e-5
    weights = torch.linspace(-1, 1, 72, dtype=F64).reshape(x.shape).cos()
    loss = lambda v: (call("autocontrast", v) * weights).sum()  # noqa: E731
    found = grad(loss)(x)
    for index in (int(x.argmin()), int(x.argmax()), 30):
        move = torch.zeros(72, dtype=F64)
        move[index] = h
        want = (loss(x + move.reshape(x.shape)) - loss(x - move.reshape(x.shape))) / (2 * h)
        torch.testing.assert_close(found.flatten()[index], want, rtol=1e-5, atol=1e-9)


def test_a_soft_step_learns_where_the_step_itself_does_not():
    """A threshold that is found by descent, from a photo-like image solarized at another one."""
    x = smooth_image((1,), 1, (24, 24), F64)
    target = af.solarize(threshold=0.45)(x)[0]
    threshold = torch.tensor(0.7, dtype=F64, requires_grad=True)
    assert not af.solarize()(x, {"threshold": threshold})[0].requires_grad
    optimizer, f = torch.optim.Adam([threshold], 0.02), af.solarize(grad="soft")
    for _ in range(60):
        loss = (f(x, {"threshold": threshold})[0] - target).square().mean()
        (threshold.grad,) = torch.autograd.grad(loss, threshold)
        optimizer.step()
    assert abs(threshold.item() - 0.45) < 0.05


@pytest.mark.parametrize("mode", ["none", "ste", "soft"])
@pytest.mark.parametrize("name", [n for n, spec in SPECS.items() if "grad" in spec.static])
def test_a_leaf_that_a_gradient_reaches_is_not_said_to_be_flat(name, mode):
    """Or `learnable` would leave it as it is, in silence."""
    spec = SPECS[name]
    if name == "gibbs" and mode == "ste":
        return  # which has none
    f = getattr(af, name)(grad=mode, **(spec.example or {}))
    shape = (2, 3, 24, 24) if spec.ndim == 2 else (2, 1, 8, 8, 8)
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    drawn = {n: v.requires_grad_() for n, v in f(x, None, K)[1].items()}
    y = f(x, drawn)[0]
    if not y.requires_grad:
        return
    slopes = torch.autograd.grad((y * x.flip(-1)).sum(), [*drawn.values()], materialize_grads=True)
    for n, slope in zip(drawn, slopes, strict=True):
        assert not (f.meanings[n].flat and slope.any()), n

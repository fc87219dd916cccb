"""Colour, contrast, gamma and blurs of volumes against other libraries' results; draws for each channel."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import augfn as af
from augfn.testing import check
from augfn.testing.case import agree

DATA = dict(np.load(Path(__file__).parent / "data" / "volumes.npz"))
ENTRIES = {f"{e['op']}/{e['i']}": e["params"] for e in json.loads(bytes(DATA["meta"]).decode())["entries"]}
DIFFERS = {
    "gaussian_blur_monai/0": "a kernel of erf differences, not normalised, with zeros around: it darkens the border",
    "sharpen/0": "made of that blur",
    "gamma_signed/0": "a power of |x| with the sign of x: another curve, which depends on where 0 is",
}


def gamma(p, x):
    if p["retain_stats"]:
        return af.gamma(gamma=p["gamma"], invert=p["invert"], retain_stats=True), x, lambda y: y
    low = x.amin((1, 2, 3), keepdim=True)  # brought to [0, 1] by each channel's range, and back
    span = x.amax((1, 2, 3), keepdim=True) - low
    return af.gamma(gamma=p["gamma"], invert=p["invert"]), (x - low) / span, lambda y: y * span + low


def blur(sigma, radius, mode):
    d, h, w = sigma
    sizes = tuple(2 * radius(s) + 1 for s in sigma)
    return af.gaussian_blur(kernel_size=sizes, sigma=w, sigma_y=h, sigma_z=d, padding_mode=mode)


def scipy_blur(sigma):
    """Beside edges the volume is mirrored about them."""
    most = max(map(far, sigma))
    wide = af.pad3d(padding=most, padding_mode="symmetric")
    return af.pipeline(wide, blur(sigma, far, "reflect"), af.center_crop3d(size=DATA["image"].shape[1:]))


def far(s):
    return int(4 * s + 0.5)


def spread(x):
    return x.flatten(1).std(1, correction=0)


OPS = {
    "gamma_nnunet": gamma,
    "gamma_monai": gamma,
    "contrast_nnunet": lambda p, x: af.contrast(
        factor=p["factor"], preserve_range=p["preserve_range"], clip="none", per_channel=True
    ),
    "contrast_monai": lambda p, x: af.contrast(
        factor=1 + p["factor_minus_one"], preserve_range=p["preserve_range"], clip="none", per_channel=True
    ),
    "brightness_multiplicative": lambda p, x: af.brightness(factor=1 + p["factor_minus_one"], clip="none"),
    "std_shift": lambda p, x: af.brightness_shift(shift=p["factor"] * spread(x), per_channel=True, clip="none"),
    "gaussian_blur": lambda p, x: scipy_blur(p["sigma_voxels_dhw"]),
    "gaussian_blur_mm": lambda p, x: scipy_blur(
        [m / s for m, s in zip(p["sigma_mm_dhw"], p["spacing_mm_dhw"], strict=True)]
    ),
    "gaussian_blur_nnunet": lambda p, x: blur(
        p["sigma_voxels_dhw"], lambda s: (round((6 * s + 0.5 - 1) / 2) * 2) // 2, "reflect"
    ),
}
HOLDS = [n for n in ENTRIES if n.split("/")[0] in OPS and n not in DIFFERS]


@pytest.mark.parametrize("name", HOLDS)
def test_another_librarys_result_is_met(name):
    p = ENTRIES[name]
    x = torch.from_numpy(DATA["image_signed" if p.get("input") == "image_signed" else "image"]).float()
    made = OPS[name.split("/")[0]](p, x)
    f, x, back = made if isinstance(made, tuple) else (made, x, lambda y: y)
    y = back(f({"volume": x})[0]["volume"])
    assert (y - torch.from_numpy(DATA[name])).abs().max() < 1e-5


# a draw for each channel


EACH = {
    "contrast": af.contrast(factor=(0.5, 1.5), per_channel=True),
    "gamma": af.gamma(gamma=(0.5, 2.0), per_channel=True, retain_stats=True),
    "brightness": af.brightness(factor=(0.5, 1.5), per_channel=True),
    "shift": af.brightness_shift(shift=(-0.2, 0.2), per_channel=True, clip="none"),
    "blur": af.gaussian_blur(sigma=(0.5, 2.0), per_channel=True),
    "noise": af.gaussian_noise(std=(0.0, 0.5), per_channel=True),
    "clahe": af.clahe(grid_size=2, per_channel=True),
    "some": af.brightness(factor=(0.5, 1.5), p_channel=0.5),
    "some shifted": af.brightness_shift(shift=(-0.2, 0.2), p_channel=0.5),
    "some noise": af.gaussian_noise(std=0.2, p_channel=0.5),
    "vector": af.tone_curve(per_channel=True),
    "picked": af.contrast(factor=(0.5, 1.5), per_channel=True, channels=(0, 2)),
}


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("kind", ["image", "volume", "video"])
def test_channels_are_drawn_apart_and_seen_alone(name, kind):
    f = EACH[name]
    shape = {"image": (2, 3, 9, 11), "volume": (2, 3, 6, 7, 8), "video": (2, 4, 3, 9, 11)}[kind]
    x = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    y, params = f({kind: x}, None, af.key(1))
    assert y[kind].shape == x.shape
    agree("replay", f({kind: x}, params)[0], y)
    axis = 2 if kind == "video" else 1
    leaf = next(n for n in params if n != "seed")
    channels = 2 if name == "picked" else 3
    assert params[leaf].shape[:2] == (2, channels)
    if "noise" not in name:
        alone = {n: v[:, :1] for n, v in params.items()}
        first = f({kind: x.narrow(axis, 0, 1)}, alone)[0][kind] if name != "picked" else None
        if first is not None:
            agree("a channel alone", y[kind].narrow(axis, 0, 1), first, 1e-6)
    if "channel_gate" in params:
        closed = params["channel_gate"] == 0
        assert closed.any()
        assert not closed.all()
        changed = (y[kind] != x).movedim(axis, 1).flatten(2).any(-1)
        assert (changed == ~closed).all()


@pytest.mark.parametrize("name", EACH)
def test_the_laws_hold_channel_by_channel(name):
    check(EACH[name], laws=[2, 3, 4, 5, 7, 8, 10, 11])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: af.hue(per_channel=True), "works on each channel by itself"),
        (lambda: af.contrast(per_channel=False, p_channel=0.5), "p_channel"),
        (lambda: af.contrast(per_channel=1), "per_channel"),
        (lambda: af.contrast(p_channel=2.0), "probab|0"),
    ],
)
def test_what_has_no_meaning_for_each_channel_is_said(make, words):
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_channels_may_have_ranges_of_their_own():
    f = af.brightness(factor=((0.5, 0.6), (1.0, 1.1), (2.0, 2.1)), per_channel=True, clip="none")
    values = f(torch.rand(50, 3, 4, 4), None, af.key(0))[1]["factor"]
    for i, (low, high) in enumerate([(0.5, 0.6), (1.0, 1.1), (2.0, 2.1)]):
        assert (values[:, i] >= low).all()
        assert (values[:, i] <= high).all()
    fixed = af.brightness(factor=(0.5, 1.0, 2.0), per_channel=True, clip="none")(torch.ones(2, 3, 4, 4))[0]
    agree("fixed", fixed[:, :, 0, 0], torch.tensor([[0.5, 1.0, 2.0]] * 2))


def test_per_channel_is_kept_in_files(tmp_path):
    f = af.pipeline(af.contrast(per_channel=True), af.gaussian_blur(p=0.5, p_channel=0.25))
    af.save(f, tmp_path / "f.yaml")
    g, x = af.load(tmp_path / "f.yaml"), torch.rand(3, 2, 8, 8)
    agree("after a file", g(x, None, af.key(0)), f(x, None, af.key(0)))


def test_gamma_of_a_constant_channel_is_finite():
    x = torch.full((1, 2, 4, 4), 3.0, requires_grad=True)
    for invert in (False, True):
        y = af.gamma(gamma=0.5, retain_stats=True, invert=invert)(x)[0]
        agree("constant", y, x.detach(), 1e-6)
        (slope,) = torch.autograd.grad(y.sum(), x)
        assert slope.isfinite().all()

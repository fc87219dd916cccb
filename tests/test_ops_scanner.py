"""What a scanner does, and levels of channels: MONAI, TorchIO, nnU-Net and kornia beside them, closed forms, gradients,
errors."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

import augfn as af
from augfn.core.augmentation import build
from augfn.math import conv, kspace
from augfn.math import median as medians
from augfn.math.kernels import motion_kernel, motion_kernel3d
from augfn.ops import filters, levels
from augfn.ops.blurs import motion_blur, motion_blur3d
from augfn.ops.filters import downscale, median_blur
from augfn.ops.levels import equalize3d, histogram_shift, intensity_window, zscore
from augfn.ops.scanner import anisotropy, bias_field, ghosting, gibbs, motion_artifact, rician_noise, spike
from augfn.run.twins import TWINS
from augfn.supported import HERE, WHOLE
from augfn.testing import check, example

F64 = torch.float64
KEY = af.key(3)
G = torch.Generator().manual_seed(0)
IMAGE = torch.rand(2, 3, 9, 12, dtype=F64, generator=G)
VOLUME = torch.rand(2, 2, 5, 8, 7, dtype=F64, generator=G)
FLAT = [bias_field, rician_noise, gibbs, spike, ghosting, motion_artifact, anisotropy, intensity_window, zscore]
FLAT += [histogram_shift, median_blur, downscale]
DEEP = [equalize3d, motion_blur3d]


def values(*numbers):
    return torch.tensor(numbers, dtype=F64)


def on(f, x, params=None):
    """Of an image or a volume (two leading dims and its own)."""
    name = "volume" if x.ndim == 5 else "image"
    return f({name: x}, params, KEY)[0][name]


def close(a, b, atol=1e-9):
    torch.testing.assert_close(a, b, atol=atol, rtol=0)


# other libraries

DATA = np.load(Path(__file__).parent / "data" / "volumes.npz")
ENTRIES = {f"{e['op']}/{e['i']}": e["params"] for e in json.loads(DATA["meta"].tobytes())["entries"]}
AXES = "zyx"
OURS = {}
DIFFERS = {
    "low_resolution_monai/0": "reads the nearest pixel below, which moves the image by up to half a pixel",
    "spike_log/0": "sets the logarithm of a magnitude that is there, for which there is no op",
    "anisotropy/0": "zeros beyond the outer planes; ours hold their value",
    "anisotropy/1": "zeros beyond the outer planes; ours hold their value",
    "gibbs/0": "its ball is counted in lines, ours in cycles per pixel: the same in a cube, of another frame an ellipsoid",
    "gibbs/1": "its ball is counted in lines, ours in cycles per pixel: the same in a cube, of another frame an ellipsoid",
    "motion/0": "a fill of the minimum without blending half a voxel beyond the frame; ours repeats the border",
}


def stored(name):
    return torch.tensor(DATA[name])


def ours(*names):
    def add(f):
        OURS.update(dict.fromkeys(names, f))
        return f

    return add


def in_volume(f, x, params=None):
    return f({"volume": x}, params, KEY)[0]["volume"]


def by_degree(given, order):
    """TorchIO's and MONAI's coefficients, in the order of loops over D, H, W, in ours, filled up to 20."""
    loops = [(a, b, c) for a in range(order + 1) for b in range(order - a + 1) for c in range(order - a - b + 1)]
    table = {(c, b, a): value for (a, b, c), value in zip(loops, given, strict=True)}
    found = [table[e] for e in kspace.exponents(3, order)]
    return torch.tensor(found + [7.0] * (20 - len(found)))  # those of a higher degree do not count


@ours("bias_field/0", "bias_field/1", "bias_field_legendre/0", "bias_field_legendre/1")
def _(name, p, x):
    order, basis = p.get("order", p.get("degree")), "legendre" if "legendre" in name else "monomial"
    return in_volume(bias_field(coefficients=by_degree(p["coefficients"], order), order=order, basis=basis), x)


@ours("rician/0")
def _(name, p, x):
    return kspace.magnitude(x, torch.tensor(1.0), stored(f"{name}/n1"), stored(f"{name}/n2"))


@ours("spike/0", "spike/1")
def _(name, p, x):
    for place in p["positions_fraction_dhw"]:
        x = in_volume(spike(intensity=p["intensity"], position=torch.tensor(place[::-1])), x)
    return x


@ours("ghosting/0", "ghosting/1")
def _(name, p, x):
    """Of the one middle line that entry 1 asks for, TorchIO restores 2 (1 // 2) = 0."""
    restore = None if p["restore"] is None else 0.0
    f = ghosting(ghosts=p["num_ghosts"], intensity=p["intensity"], axis=AXES[p["axis_dhw"]], restore=restore)
    return in_volume(f, x)


@ours("low_resolution_nnunet/0", "low_resolution_monai/0")
def _(name, p, x):
    return in_volume(downscale(factor=p["scale"], interpolation="bilinear", reduce="nearest"), x)


@ours("scale_percentiles/0")
def _(name, p, x):
    return in_volume(intensity_window(low=p["lower"], high=p["upper"]), x)


@ours("rescale_intensity/0")
def _(name, p, x):
    """Percentiles of all channels together: those of one channel that holds them all."""
    joined = x.reshape(1, -1, *x.shape[2:])
    return in_volume(intensity_window(low=p["lower"], high=p["upper"], out=p["out"]), joined).reshape(x.shape)


@ours("window/0")
def _(name, p, x):
    return in_volume(intensity_window(low=p["a_min"], high=p["a_max"], unit="value"), x)


@ours("znorm/0", "znorm/1")
def _(name, p, x):
    x = x * (stored("label") != 0) if p["nonzero"] else x
    return in_volume(zscore(nonzero=p["nonzero"]), x)


@ours("histogram_shift/0")
def _(name, p, x):
    """Of 5 points, and of the extremes of all channels."""
    moved = torch.tensor(p["floating"]) - torch.linspace(0, 1, 5)
    return levels.bent(x.flatten(), moved * 4).reshape(x.shape)


@ours("equalize/0")
def _(name, p, x):
    return equalize3d()(x.clamp(0, 1))[0]


@ours("median/0")
def _(name, p, x):
    return in_volume(median_blur(kernel_size=(3, 3, 3), padding_mode="border"), x)


@ours("motion_blur/0", "motion_blur/1", "motion_blur/2")
def _(name, p, x):
    """The sign of its angles is the opposite, and "nearest" is "bilinear" at right angles."""
    angle = -torch.tensor(p["angle_deg_axis_angle_xyz"])
    f = motion_blur3d(kernel_size=p["kernel_size"], angle=angle, direction=p["direction"], padding_mode="zeros")
    return f(x)[0]


@ours("anisotropy/0", "anisotropy/1")
def _(name, p, x):
    return in_volume(anisotropy(factor=p["downsampling"], axis=AXES[p["axis_dhw"]]), x)


@ours("gibbs/0", "gibbs/1")
def _(name, p, x):
    return in_volume(gibbs(alpha=1 - (1 - p["alpha"]) * math.sqrt(2 / 3)), x)


def itk_axis_angle(degrees):
    """R = Rz Rx Ry about D, H, W in the signs of ITK, F R F with F = diag(-1, -1, 1), in the order of D, H, W."""
    a, b, c = (math.radians(v) for v in degrees)
    turn = lambda i, j, t: rotation_of(i, j, t)  # noqa: E731
    r = turn(0, 1, c) @ turn(1, 2, a) @ turn(2, 0, b)
    f = np.diag([-1.0, -1.0, 1.0])
    return f @ r @ f, f


def rotation_of(i, j, t):
    r = np.eye(3)
    r[i, i] = r[j, j] = math.cos(t)
    r[i, j], r[j, i] = -math.sin(t), math.sin(t)
    return r


def moved_by_itk(x, degrees, shift):
    """About the origin; the minimum of the channel half a voxel beyond the frame."""
    r, f = itk_axis_angle(degrees)
    grid = np.stack(np.meshgrid(*map(np.arange, x.shape[1:]), indexing="ij")).reshape(3, -1)
    place = r @ grid + (f @ np.array(shift))[:, None]
    inside = np.all([(p >= -0.5) & (p <= n - 0.5) for p, n in zip(place, x.shape[1:], strict=True)], 0)
    read = [ndimage.map_coordinates(c, place, order=1, mode="nearest") for c in x]
    return np.stack([np.where(inside, v, c.min()).reshape(c.shape) for v, c in zip(read, x, strict=True)])


@ours("motion/0")
def _(name, p, x):
    """Its times are those of whole lines."""
    n = x.shape[-1]
    times = torch.tensor([int(n * t) / n for t in p["times"]], dtype=F64)
    x = x.double()
    y = x
    pairs = zip(kspace.in_time(n, times), p["degrees"], p["translation_mm"], strict=True)
    for weights, degrees, shift in pairs:
        moved = torch.tensor(moved_by_itk(x.numpy(), degrees, shift))
        y = y + kspace.along(kspace.line_filter(weights), moved - x, -1)
    return y.float()


def answer(name):
    p = ENTRIES[name]
    x = stored("image_signed" if str(p.get("input", "")).startswith("image_signed") else "image")
    return OURS[name](name, p, x)


@pytest.mark.parametrize("name", sorted(OURS.keys() - DIFFERS.keys() | {"motion/0"}))
def test_another_library(name):
    """Of "motion", given the images as moved there."""
    close(answer(name), stored(name), 1e-5)


@pytest.mark.parametrize("name", sorted(DIFFERS.keys() & OURS.keys() - {"motion/0"}))
def test_what_differs_does(name):
    assert (answer(name) - stored(name)).abs().max() > 1e-2


@pytest.mark.parametrize("i", [0, 1])
def test_torchio_has_zeros_beyond_the_outer_planes(i):
    """Elsewhere it is ours; there the last plane of ours repeats the one before."""
    axis = 1 + ENTRIES[f"anisotropy/{i}"]["axis_dhw"]
    want, y = stored(f"anisotropy/{i}").movedim(axis, 0), answer(f"anisotropy/{i}").movedim(axis, 0)
    close(y[:-1], want[:-1], 1e-6)
    assert (want[-1] == 0).all()
    assert torch.equal(y[-1], y[-2])


@pytest.mark.parametrize("i", [0, 1])
def test_gibbs_of_monai(i):
    """The formula, for a ball in lines; and the op, in a cube of odd size."""
    alpha = ENTRIES[f"gibbs/{i}"]["alpha"]
    x = stored("image").double()
    radius = kspace.make_radii(tuple(x.shape[1:]), (1.0,) * 3, F64, torch.device("cpu"))
    y = kspace.masked_spectrum(x, (radius <= (1 - alpha) * 13 * math.sqrt(2) / 2).double(), 3)
    close(y.float(), stored(f"gibbs/{i}"), 1e-5)
    cube = x[:, :, :9, :9]
    grid = np.stack(np.meshgrid(*[np.arange(9) - 4] * 3, indexing="ij"))
    kept = np.sqrt((grid**2).sum(0)) <= (1 - alpha) * 9 * math.sqrt(2) / 2
    spectrum = np.fft.fftshift(np.fft.fftn(cube.numpy(), axes=(1, 2, 3)), (1, 2, 3)) * kept
    want = np.fft.ifftn(np.fft.ifftshift(spectrum, (1, 2, 3)), axes=(1, 2, 3)).real
    close(OURS["gibbs/0"]("gibbs/0", {"alpha": alpha}, cube), torch.tensor(want))


# laws


@pytest.mark.parametrize("factory", [*FLAT, *DEEP], ids=lambda f: f.__name__)
def test_laws(factory):
    """Those that are quick; tests/test_laws.py tries all of all ops."""
    check(factory, dtype=F64, laws=[1, 3, 5, 6, 8])


@pytest.mark.parametrize("factory", FLAT, ids=lambda f: f.__name__)
def test_laws_in_volumes(factory):
    """The op as one of three dimensions, whose leaves have the shapes of a volume."""
    spec = factory.spec
    leaves = {name: leaf.within(3, 0) for name, leaf in spec.leaves.items()}
    check(build(replace(spec, ndim=3, leaves=leaves), spec.example), dtype=F64, laws=[1, 3, 5, 6, 8])


@pytest.mark.parametrize("factory", [*FLAT, *DEEP], ids=lambda f: f.__name__)
@pytest.mark.parametrize("keywords", [{}, {"per_channel": True, "p_channel": 0.5}, {"channels": (0, 2)}], ids=str)
def test_any_target_any_batch_any_constant(factory, keywords):
    f, v = example(factory, **keywords), torch.rand(2, 3, 5, 6, 8)
    for name, x in {"image": v[:, :, 0], "video": v.movedim(2, 1), "volume": v}.items():
        if f.ndim == 3 and name != "volume":
            continue
        for given in (x, x[0], x[:0], x[None], *(torch.full_like(x, c) for c in (0.0, 0.1, 3.7e5))):
            y, params = f({name: given}, None, KEY)
            assert y[name].shape == given.shape
            assert y[name].isfinite().all()
            assert torch.equal(f({name: given}, params)[0][name], y[name])


@pytest.mark.parametrize("factory", [*FLAT, *DEEP], ids=lambda f: f.__name__)
@pytest.mark.parametrize("level", [0.0, 0.1, 1.0])
def test_a_constant_image_has_a_finite_gradient(factory, level):
    f = example(factory)
    x = torch.full((2, 2, 4, 8, 9), level, requires_grad=True)
    params = f({"volume": x.detach()}, None, KEY)[1]
    params = {n: v.requires_grad_() for n, v in params.items()}
    y = f({"volume": x}, params)[0]["volume"]
    (slope,) = torch.autograd.grad((y * torch.rand_like(y)).sum(), x, create_graph=True)
    assert slope.isfinite().all()
    if slope.requires_grad and tuple(HERE) >= WHOLE:
        for g in torch.autograd.grad((slope * torch.rand_like(slope)).sum(), [x, *params.values()], allow_unused=True):
            assert g is None or g.isfinite().all()


def gradcheck(f, x, **leaves):
    """To the image and the leaves, of double precision."""
    name = "volume" if x.ndim == 5 else "image"
    values = [x.clone().requires_grad_(), *(v.clone().requires_grad_() for v in leaves.values())]

    def run(x, *values):
        given = {**f({name: x.detach()}, None, KEY)[1], **dict(zip(leaves, values, strict=True))}
        return f({name: x}, given)[0][name]

    assert torch.autograd.gradcheck(run, values)


SMALL = torch.rand(1, 2, 4, 5, dtype=F64, generator=G)
BOX = torch.rand(1, 1, 3, 4, 3, dtype=F64, generator=G)


@pytest.mark.parametrize("x", [SMALL, BOX], ids=["image", "volume"])
def test_gradients(x):
    d = x.ndim - 2
    some = lambda *shape: torch.rand(1, *shape, dtype=F64, generator=G)  # noqa: E731
    for basis in ("monomial", "legendre"):
        gradcheck(bias_field(basis=basis), x, coefficients=some(10 if d == 2 else 20) - 0.5)
    gradcheck(rician_noise(), x, std=some())
    gradcheck(gibbs(alpha=0.4), x)
    gradcheck(spike(), x, intensity=some())
    gradcheck(ghosting(ghosts=2.0), x, intensity=some())
    turn, shift = (some(2), some(2, 2)) if d == 2 else (some(2, 3), some(2, 3))
    gradcheck(motion_artifact(axis="y"), x, degrees=10 * turn, translate=0.1 * shift, times=values([0.3, 0.8]))
    gradcheck(anisotropy(axis="x"), x, factor=values(1.3))
    gradcheck(intensity_window(cut=False), x, low=values(11.0), high=values(83.0))
    gradcheck(intensity_window(unit="value"), x, low=values(0.21), high=values(0.83))
    gradcheck(zscore(), x)
    seen = x.clone().requires_grad_()  # what is 0 stays so
    assert torch.autograd.gradcheck(lambda v: on(zscore(nonzero=True), v * (x > 0.3)), seen)
    gradcheck(histogram_shift(), x, shift=some(8) - 0.5)
    gradcheck(downscale(axes="x", interpolation="bilinear"), x, factor=values(0.63))
    if d == 3:
        gradcheck(motion_blur3d(kernel_size=3), x, angle=40 * some(3), direction=some())


# smooth fields


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("basis", ["monomial", "legendre"])
def test_bias_field_in_closed_form(order, basis):
    """An order takes the first coefficients, whatever the others are."""
    polynomials = [np.polynomial.legendre.Legendre.basis(k) if basis == "legendre" else k for k in range(4)]
    value = (lambda k, t: polynomials[k](t)) if basis == "legendre" else (lambda k, t: t**k)
    for x in (IMAGE, VOLUME):
        d = x.ndim - 2
        c = torch.rand(2, {2: 10, 3: 20}[d], dtype=F64, generator=G) - 0.5
        axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in x.shape[2:]), indexing="ij")[::-1]
        total = torch.zeros(2, *x.shape[2:], dtype=F64)
        for i, e in enumerate(kspace.exponents(d, order)):
            term = np.prod([value(k, t) for k, t in zip(e, axes, strict=True)], 0)
            total = total + c[:, i].reshape(-1, *[1] * d) * torch.tensor(term)
        y = on(bias_field(order=order, basis=basis), x, {"coefficients": c})
        close(y, x * total.exp().unsqueeze(1))


def test_the_order_of_coefficients_of_an_image_is_that_of_a_volume_without_z():
    flat = [e for e in kspace.exponents(3, 3) if e[2] == 0]
    assert [e[:2] for e in flat] == list(kspace.exponents(2, 3))
    assert kspace.exponents(3, 3)[:10] == kspace.exponents(3, 2)
    assert [sum(e) for e in kspace.exponents(3, 3)] == [0] + [1] * 3 + [2] * 6 + [3] * 10


# noise


def test_rician_noise_is_that_of_a_magnitude():
    """Rayleigh's where there is nothing: mean sqrt(pi / 2) std, mean square 2 std²; far above it, Gaussian."""
    y = rician_noise(std=0.2)({"volume": torch.zeros(1, 1, 32, 64, 64)}, None, KEY)[0]["volume"]
    assert abs(y.mean() / (0.2 * math.sqrt(math.pi / 2)) - 1) < 0.01
    assert abs(y.square().mean() / (2 * 0.2**2) - 1) < 0.01
    y = rician_noise(std=0.1)(torch.full((1, 128, 128), 5.0), None, KEY)[0] - 5
    assert abs(y.std() / 0.1 - 1) < 0.03


def test_without_noise_a_magnitude():
    x = torch.tensor([-0.5, 0.0, 0.3]).reshape(1, 1, 3).requires_grad_()
    y = rician_noise(std=0.0)(x, None, KEY)[0]
    assert torch.equal(y, x.abs())
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert torch.equal(slope.flatten(), torch.tensor([-1.0, 0.0, 1.0]))


# k-space


def fourier(x, d):
    dims = tuple(range(-d, 0))
    return np.fft.fftshift(np.fft.fftn(x.numpy(), axes=dims), dims)


def back(spectrum, d):
    dims = tuple(range(-d, 0))
    return torch.tensor(np.fft.ifftn(np.fft.ifftshift(spectrum, dims), axes=dims).real)


@pytest.mark.parametrize("x", [IMAGE, VOLUME], ids=["image", "volume"])
def test_a_spike_is_a_point_of_k_space(x):
    d, size = x.ndim - 2, x.shape[2:]
    for place in ((0.1, 0.8, 0.4), (0.99, 0.0, 1.0), (0.5, 0.5, 0.5)):
        place = place[:d]
        spectrum = fourier(x, d)
        index = tuple(min(int(p * n), n - 1) for p, n in zip(place[::-1], size, strict=True))
        spectrum[(..., *index)] += 1.5 * np.abs(spectrum).reshape(*x.shape[:2], -1).max(-1)
        y = on(spike(intensity=1.5), x, {"intensity": values(1.5), "position": values(place)})
        close(y, back(spectrum, d))


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("ghosts", [1.0, 2.0, 3.4])
@pytest.mark.parametrize("restore", [None, 0.0, 0.4, 1.0])
def test_ghosts_are_lines_that_are_weak(axis, ghosts, restore):
    for x in (IMAGE, VOLUME):
        d = x.ndim - 2
        if axis == "z" and d == 2:
            continue
        at = -1 - "xyz".index(axis)
        n = x.shape[at]
        weights = np.ones(n)
        weights[:: round(ghosts)] = 1 - 0.75
        kept = 1 if restore is None else round(restore * n)
        weights[n // 2 - kept // 2 :][:kept] = 1
        want = back(fourier(x, d) * weights.reshape(-1, *[1] * (-at - 1)), d)
        close(on(ghosting(ghosts=ghosts, intensity=0.75, axis=axis, restore=restore), x), want)


@pytest.mark.parametrize("x", [IMAGE, VOLUME], ids=["image", "volume"])
@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.6, 1.0])
def test_gibbs_keeps_a_ball(x, alpha):
    d, size = x.ndim - 2, x.shape[2:]
    axes = np.meshgrid(*(np.fft.fftshift(np.fft.fftfreq(n)) for n in size), indexing="ij")
    kept = np.sqrt(sum(a**2 for a in axes)) <= (1 - alpha) * math.sqrt(d) / 2 + 1e-9
    y = on(gibbs(alpha=alpha), x)
    close(y, back(fourier(x, d) * kept, d))
    if alpha == 0:
        close(y, x)
    if alpha == 1:
        close(y, x.mean(tuple(range(-d, 0)), keepdim=True).expand_as(x))


def test_gibbs_learns_softly():
    """The value is that of the hard edge; the slope to alpha tells that more is lost."""
    x, alpha = IMAGE[:1], values(0.4).requires_grad_()
    hard, soft = gibbs(), gibbs(grad="soft")
    close(soft(x, {"alpha": alpha})[0].detach(), hard(x, {"alpha": alpha.detach()})[0])
    (slope,) = torch.autograd.grad(hard(x, {"alpha": alpha})[0].square().sum(), alpha)
    assert slope == 0
    (slope,) = torch.autograd.grad(soft(x, {"alpha": alpha})[0].square().sum(), alpha)
    above, below = (hard(x, {"alpha": values(a)})[0].square().sum() for a in (0.6, 0.2))
    assert slope < 0
    assert 0.2 < slope / ((above - below) / 0.4) < 5


def pose(x, degrees, shift):
    d = x.ndim - 2
    if d == 2:
        return af.affine(degrees=degrees, translate=shift, padding_mode="border")(x)[0]
    return af.affine3d(degrees=degrees, translate=shift, padding_mode="border")(x)[0]


@pytest.mark.parametrize("x", [IMAGE, VOLUME], ids=["image", "volume"])
@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("times", [(0.25, 0.75), (0.8, 0.6), (0.1, 0.35)])
def test_motion_fills_k_space_in_three_poses(x, axis, times):
    """The middle line is that of the image as it is; a line at a time is shared."""
    d, at = x.ndim - 2, -1 - "xy".index(axis)
    n = x.shape[at]
    turns = values(8.0, -5.0) if d == 2 else values((8.0, 3.0, -4.0), (0.0, -5.0, 6.0))
    shifts = values((0.1, -0.05), (0.0, 0.08)) if d == 2 else values((0.1, -0.05, 0.0), (0.0, 0.08, 0.1))
    moved = [pose(x, t, s) for t, s in zip(turns, shifts, strict=True)]
    first, last = sorted(times)
    share = lambda t: np.clip(np.arange(n) + 1 - n * t, 0, 1)  # noqa: E731
    parts = [1 - share(first), share(first) - share(last), share(last)]
    middle = (first <= 0.5) + (last <= 0.5)
    images = [*moved[:middle], x, *moved[middle:]]
    along = lambda w: w.reshape(-1, *[1] * (-at - 1))  # noqa: E731
    want = back(sum(fourier(image, d) * along(w) for image, w in zip(images, parts, strict=True)), d)
    f = motion_artifact(degrees=turns, translate=shifts, times=values(*times), axis=axis)
    close(on(f, x), want)


def test_motion_is_smooth_in_its_times():
    x, f = IMAGE[:1], motion_artifact(degrees=10.0, translate=0.1)
    at = lambda t: on(f, x, {"times": values((t, 0.9))})  # noqa: E731
    assert (at(0.3) - at(0.3001)).abs().max() < 1e-3
    assert (at(0.3) - at(0.4)).abs().max() > 1e-3


def test_lines_act_as_a_matrix_along_any_axis():
    weights = torch.rand(2, 8, dtype=F64, generator=G)
    matrix = kspace.line_filter(weights)
    close(matrix, matrix.transpose(-1, -2))
    x = torch.rand(2, 3, 8, 8, 8, dtype=F64, generator=G)
    for axis in (-1, -2, -3):
        want = torch.einsum("bij,bkj...->bki...", matrix, x.movedim(axis, 2)).movedim(2, axis)
        close(kspace.along(matrix, x, axis), want)
    close(kspace.line_filter(torch.ones(7, dtype=F64)), torch.eye(7, dtype=F64))


# thick slices, low resolution


def coarse(x, places, step):
    """One axis, in numpy: nearest at the places, linear back, the ends held."""
    source = np.clip(np.floor(places + 0.5 + 1e-9).astype(int), 0, len(x) - 1)
    u = np.clip((np.arange(len(x)) - places[0]) / step, 0, len(places) - 1)
    return np.interp(u, np.arange(len(places)), x[source])


@pytest.mark.parametrize("factor", [1.0, 1.4, 2.0, 3.0, 11.0, 40.0])
def test_anisotropy_in_closed_form(factor):
    x = np.random.default_rng(0).random(11)
    count = max(int(11 / factor + 1e-9), 1)
    places = 5 + (np.arange(count) - (count - 1) / 2) * factor
    y = anisotropy(factor=factor, axis="x")(torch.tensor(x).expand(2, 3, 11))[0]
    close(y, torch.tensor(coarse(x, places, factor)).expand(2, 3, 11), 1e-6)
    if factor == 1:
        close(y[0, 0], torch.tensor(x))


@pytest.mark.parametrize("factor", [0.05, 0.3, 0.5, 0.77, 1.0])
def test_nearest_down_and_linear_up(factor):
    x = np.random.default_rng(0).random(12)
    count = max(round(12 * factor), 1)
    places = (np.arange(count) + 0.5) * 12 / count - 0.5
    f = downscale(factor=factor, axes="x", reduce="nearest", interpolation="bilinear")
    close(f(torch.tensor(x).expand(2, 3, 12))[0][1, 2], torch.tensor(coarse(x, places, 12 / count)), 1e-6)
    f = downscale(factor=0.5, axes="x", reduce="nearest")
    close(f(torch.tensor(x).expand(2, 3, 12))[0][1, 2], torch.tensor(x[1::2].repeat(2)))


def test_downscale_along_chosen_axes():
    every = on(downscale(factor=0.4), VOLUME)
    one = VOLUME
    for axis in ("z", "y", "x"):
        one = on(downscale(factor=0.4, axes=axis), one)
    close(every, one)
    close(on(downscale(factor=0.4, axes=("x", "y", "z")), VOLUME), every)
    slices = VOLUME.movedim(2, 1).flatten(0, 1)
    y = on(downscale(factor=0.4, axes=["y", "x"]), VOLUME)
    close(y.movedim(2, 1).flatten(0, 1), on(downscale(factor=0.4), slices))


def test_a_matrix_in_place_of_running_sums(monkeypatch):
    factor = values(0.37, 1.0)
    want = [on(downscale(interpolation=i), VOLUME, {"factor": factor}) for i in ("nearest", "bilinear")]
    monkeypatch.setattr(filters, "SHORT", 0)
    for y, i in zip(want, ("nearest", "bilinear"), strict=True):
        close(on(downscale(interpolation=i), VOLUME, {"factor": factor}), y)
    assert torch.equal(y[1], VOLUME[1])


# medians


@pytest.mark.parametrize("sizes", [(3, 3, 3), (1, 3, 5), (5, 1, 3), (5, 5, 3), (5, 5, 7)], ids=str)
def test_median_of_boxes(sizes):
    x = torch.rand(1, 2, 9, 8, 10, dtype=F64, generator=G)
    want = np.stack([ndimage.median_filter(c, sizes, mode="nearest") for c in x[0].numpy()])[None]
    f = median_blur(kernel_size=sizes, padding_mode="border")
    assert torch.equal(on(f, x), torch.tensor(want))
    assert torch.equal(on(f, x.clone().requires_grad_()), torch.tensor(want))
    assert torch.equal(torch.func.vmap(lambda x: f({"volume": x})[0]["volume"])(x), torch.tensor(want))
    assert torch.equal(on(median_blur(kernel_size=3), x)[:, :, 4], median_blur(kernel_size=3)(x[:, :, 4])[0])


def test_slabs_of_a_large_volume(monkeypatch):
    x = torch.rand(2, 2, 9, 8, 10, generator=G)
    f, g = median_blur(kernel_size=(3, 3, 3)), motion_blur3d(kernel_size=3)
    params = g(x, None, KEY)[1]
    want = on(f, x), g(x, params)[0]
    monkeypatch.setattr(medians, "SLAB", 200)
    monkeypatch.setattr(conv, "BAND", 400)
    assert torch.equal(on(f, x), want[0])
    assert torch.equal(g(x, params)[0], want[1])


# motion blur


def test_a_streak_about_z_is_that_of_an_image():
    angle, direction, length = values(35.0, -80.0), values(0.4, -1.0), values(5.0, 3.7)
    k = motion_kernel3d(torch.stack([0 * angle, 0 * angle, angle], -1), direction, length, 7)
    close(k[:, 3], motion_kernel(angle, direction, length, 7))
    assert (k[:, :3] == 0).all()
    x = VOLUME
    f = motion_blur3d(angle=values(0.0, 0.0, 35.0), direction=0.4, padding_mode="border")
    close(f(x)[0], on(motion_blur(angle=35.0, direction=0.4, padding_mode="border"), x), 1e-7)


def test_a_streak_turns_as_rotate3d():
    """The kernel of a turned streak is the kernel, turned."""
    for degrees in (values(0.0, 90.0, 0.0), values(0.0, 0.0, 90.0), values(30.0, -50.0, 70.0)):
        k = motion_kernel3d(values(0.0, 0.0, 0.0), values(0.6), values(5.0), 9)
        turned = af.rotate3d(degrees=degrees)(k[None])[0][0]
        close(motion_kernel3d(degrees, values(0.6), values(5.0), 9), turned / turned.sum(), 1e-9)


@pytest.mark.parametrize("mode", ["reflect", "border", "zeros"])
def test_dense3d_is_a_convolution_by_sample(mode):
    kernel = torch.rand(2, 3, 1, 5, dtype=F64, generator=G) * (torch.rand(2, 3, 1, 5, generator=G) > 0.5)
    pad = {"reflect": "reflect", "border": "replicate", "zeros": "constant"}[mode]
    wide = torch.nn.functional.pad(VOLUME, (2, 2, 0, 0, 1, 1), mode=pad)
    want = [
        torch.nn.functional.conv3d(w[:, None], k[None, None])[:, 0] for w, k in zip(wide, kernel.double(), strict=True)
    ]
    close(conv.dense3d(VOLUME, kernel.double(), mode), torch.stack(want))
    assert (conv.dense3d(VOLUME, 0 * kernel.double(), mode) == 0).all()


# levels


@pytest.mark.parametrize("q", [(0.0, 100.0), (0.5, 99.5), (25.0, 50.0)])
@pytest.mark.parametrize("x", [IMAGE, VOLUME], ids=["image", "volume"])
def test_percentiles_are_numpys(x, q):
    y = levels.percentiles(x.flatten(2), values(q).expand(2, 1, 2))
    want = np.percentile(x.flatten(2).numpy(), q, -1)
    close(y, torch.tensor(want).movedim(0, -1))


def test_a_window_in_closed_form():
    low, high = np.percentile(IMAGE.flatten(2).numpy(), [10, 80], -1)[..., None, None]
    u = (IMAGE.numpy() - low) / (high - low)
    close(intensity_window(low=10, high=80)(IMAGE)[0], torch.tensor(u.clip(0, 1)))
    close(intensity_window(low=10, high=80, cut=False, out=(1, -1))(IMAGE)[0], torch.tensor(1 - 2 * u))
    each = intensity_window(unit="value")(IMAGE, {"low": values(0.1, 0.2), "high": values(0.5, 0.9)})[0]
    close(each[1], ((IMAGE[1] - 0.2) / 0.7).clamp(0, 1))


def test_percentiles_of_samples_of_their_own():
    q = values(5.0, 30.0)
    y = intensity_window(cut=False)(IMAGE, {"low": q, "high": q + 60})[0]
    for i in range(2):
        close(y[i], intensity_window(low=float(q[i]), high=float(q[i] + 60), cut=False)(IMAGE[i])[0])


def test_a_constant_channel():
    x = torch.cat([torch.full((1, 6, 7), 0.1), torch.rand(1, 6, 7, generator=G)])
    assert torch.equal(intensity_window(out=(-1.0, 1.0))(x)[0][0], torch.full((6, 7), -1.0))
    assert zscore()(x)[0][0].abs().max() < 1e-7
    assert torch.equal(histogram_shift(shift=0.3)(x)[0][0], x[0])
    assert torch.equal(zscore(nonzero=True)(0 * x)[0], 0 * x)


def test_scores():
    flat = IMAGE.flatten(2)
    mean, sd = flat.mean(-1), flat.std(-1, correction=0)
    close(zscore()(IMAGE)[0], (IMAGE - mean[..., None, None]) / sd[..., None, None])
    close(on(zscore(), VOLUME).flatten(2).square().mean(-1), torch.ones(2, 2, dtype=F64))
    far = torch.rand(1, 8, 9, generator=G) + 1000
    assert abs(zscore()(far)[0].std(correction=0) - 1) < 1e-3
    small = 1e-6 * torch.rand(1, 8, 9, generator=G)
    assert abs(zscore()(small)[0].std(correction=0) - 1) < 1e-3


def test_histogram_shift_in_closed_form():
    shift = 0.9 * (torch.rand(2, 8, dtype=F64, generator=G) - 0.5)
    y = histogram_shift()(IMAGE, {"shift": shift})[0]
    for i, j in np.ndindex(2, 3):
        x = IMAGE[i, j].numpy()
        points = np.linspace(x.min(), x.max(), 10)
        moved = points + np.concatenate([[0], shift[i].numpy(), [0]]) * (x.max() - x.min()) / 9
        close(y[i, j], torch.tensor(np.interp(x, points, moved)))
        order = np.argsort(x.ravel())
        assert (np.diff(y[i, j].numpy().ravel()[order]) > 0).all()


def test_equalize3d_is_equalize():
    x = torch.rand(2, 2, 6, 8, 9, generator=G) ** 2
    assert torch.equal(equalize3d()(x)[0], on(af.equalize(), x))


# fast ways, errors


def test_fast_ways():
    x = torch.rand(2, 3, 40, generator=G)
    kernel = torch.rand(2, 3, 3, 1, generator=G) * (torch.rand(2, 3, 3, 1, generator=G) > 0.6)
    cases = {
        "ranked": (x, torch.tensor([0, 3, 39, 3]).expand(2, 3, 4)),
        "by_some_taps": (torch.rand(2, 2, 5, 6, 7, generator=G), kernel),
        "middles_by_slabs": (torch.rand(2, 6, 7, 8, generator=G), (3, 3, 3)),
    }
    for name, arguments in cases.items():
        plain, fast = TWINS[name]
        torch.testing.assert_close(fast(*arguments), plain(*arguments), rtol=0, atol=1e-6)


VOXELS = {"volume": torch.rand(1, 4, 5, 6)}
PIXELS = torch.rand(1, 5, 6)


@pytest.mark.parametrize(
    ("make", "x", "message"),
    [
        (lambda: anisotropy(), PIXELS, "anisotropy: bad axis"),
        (lambda: anisotropy(), PIXELS, 'a volume: f\\({"volume": x}\\)'),
        (lambda: anisotropy(axis="w"), VOXELS, "'x', 'y', 'z', the axes of a volume"),
        (lambda: ghosting(axis="z"), PIXELS, "'x', 'y', the axes of an image"),
        (lambda: ghosting(restore=1.5), PIXELS, "ghosting: restore"),
        (lambda: ghosting(restore="all"), PIXELS, "ghosting: restore"),
        (lambda: motion_artifact(axis="z"), PIXELS, "motion_artifact: bad axis"),
        (lambda: bias_field(order=4), PIXELS, "bias_field: bad order"),
        (lambda: bias_field(basis="cosine"), PIXELS, "bias_field: bad basis"),
        (lambda: gibbs(grad="ste"), PIXELS, "gibbs: bad grad"),
        (lambda: intensity_window(unit="hu"), PIXELS, "intensity_window: bad unit"),
        (lambda: intensity_window(low=-57.0, high=164.0), PIXELS, 'unit="value", if these are intensities'),
        (lambda: intensity_window(out=1.0), PIXELS, "intensity_window: bad out"),
        (lambda: intensity_window(out=(0, "1")), PIXELS, "intensity_window: bad out"),
        (lambda: downscale(axes="z"), PIXELS, "downscale: bad axis"),
        (lambda: downscale(axes=("x", 1)), PIXELS, "downscale: bad axis"),
        (lambda: downscale(axes=()), PIXELS, "downscale: no axes"),
        (lambda: downscale(reduce="max"), PIXELS, "downscale: bad reduce"),
        (lambda: median_blur(kernel_size=(3, 3, 3)), PIXELS, "a volume for a box"),
        (lambda: median_blur(kernel_size=(3, 2, 3)), VOXELS, "median_blur: bad kernel_size"),
        (lambda: motion_blur3d(kernel_size=4), VOXELS["volume"], "motion_blur3d: bad kernel_size"),
        (lambda: motion_blur3d(kernel_size=9), VOXELS["volume"], "reflects 4 pixels"),
        (lambda: motion_blur3d(padding_mode="symmetric"), VOXELS["volume"], "padding_mode must be one of"),
    ],
)
def test_errors(make, x, message):
    with pytest.raises(ValueError, match=message):
        make()(x, None, KEY)

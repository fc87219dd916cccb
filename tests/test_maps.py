"""Maps compose and invert, and an array is pulled through them as torch, numpy and torchvision's kernels would."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import augfn as af
from augfn import random
from augfn.core.spec import SPECS
from augfn.math import conv
from augfn.math import resample as resample_module
from augfn.math.lines import Line, areas, cells
from augfn.math.maps import Map, axis_angle_matrix, centre_of, centred, homography, pixel_matrix
from augfn.math.resample import Sampling, fill_like, resample
from augfn.math.stages import Displacement, Linear
from augfn.run import bands, sampler
from augfn.testing.case import example, smooth_image

F64 = torch.float64


def waves(*shape):
    return smooth_image(shape[:1], shape[1], shape[2:], F64)


def linear(d, seed, strength=0.2):
    """A mild affine map of d dimensions, one for each of two samples."""
    g = torch.Generator().manual_seed(seed)
    a = torch.eye(d, dtype=F64) + strength * (torch.rand(2, d, d, generator=g, dtype=F64) - 0.5)
    return Map.linear(a, torch.rand(2, d, generator=g, dtype=F64) * 2 - 1)


def projective(seed):
    g = torch.Generator().manual_seed(seed)
    square = torch.tensor([[-6.0, -5], [6, -5], [6, 5], [-6, 5]], dtype=F64)
    moved = square + torch.rand(2, 4, 2, generator=g, dtype=F64) * 2 - 1
    return Map.of(homography(square.expand(2, 4, 2), moved), projective=True)


def bent(d, frame, seed=0, strength=0.3):
    g = torch.Generator().manual_seed(seed)
    field = (torch.rand(2, d, *[5] * d, generator=g, dtype=F64) - 0.5) * 2 * strength
    return Map((Displacement(field, frame),))


FRAME = {2: (11, 13), 3: (7, 9, 11)}
MAPS = {
    "affine": lambda: linear(2, 0),
    "projective": lambda: projective(1),
    "bent": lambda: bent(2, FRAME[2]),
    "affine 3-D": lambda: linear(3, 2),
    "bent 3-D": lambda: bent(3, FRAME[3]),
}


def points(d, n=7):
    g = torch.Generator().manual_seed(5)
    return (torch.rand(2, n, d, generator=g, dtype=F64) - 0.5) * 6


def dims(name):
    return 3 if "3-D" in name else 2


# points


@pytest.mark.parametrize("name", MAPS)
def test_inverse(name):
    m, p = MAPS[name](), points(dims(name))
    there = m.inverse(FRAME[dims(name)])(m(p))
    torch.testing.assert_close(there, p, atol=1e-6, rtol=0)
    torch.testing.assert_close(m(m.inverse(FRAME[dims(name)])(p)), p, atol=1e-6, rtol=0)


@pytest.mark.parametrize("second", MAPS)
@pytest.mark.parametrize("first", MAPS)
def test_composition_of_points(first, second):
    if dims(first) != dims(second):
        return
    a, b, p = MAPS[first](), MAPS[second](), points(dims(first))
    torch.testing.assert_close(a.then(b)(p), a(b(p)), atol=1e-9, rtol=0)


def test_matrices_become_one():
    m = linear(2, 0).then(projective(1)).then(linear(2, 2)).then(Map.rotation(torch.tensor(20.0, dtype=F64)))
    assert m.rigid
    assert len(linear(2, 0).then(bent(2, FRAME[2])).then(linear(2, 1)).stages) == 3


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("before", [False, True])
def test_grid_is_the_map_of_pixel_centres(name, before):
    """Also where an unbatched matrix precedes (a resize before a batch of maps)."""
    d = dims(name)
    m = MAPS[name]()
    if before:
        m = m.then(Map.linear(1.5 * torch.eye(d, dtype=F64), size=FRAME[d]))
    grid = m.grid(FRAME[d], F64, torch.device("cpu"))
    axes = torch.meshgrid(*(centred(n, F64, torch.device("cpu")) for n in FRAME[d]), indexing="ij")[::-1]
    flat = torch.stack(axes, -1).reshape(-1, d).expand(2, -1, d)
    torch.testing.assert_close(grid.expand(2, *FRAME[d], d).reshape(2, -1, d), m(flat), atol=1e-9, rtol=0)


def test_pixel_matrix():
    """A centred matrix in the coordinates of pixels agrees with moving points between frames by hand."""
    m, source, target = linear(2, 3), (8, 10), (5, 4)
    p = points(2)
    by_hand = m(p - torch.tensor(centre_of(target))) + torch.tensor(centre_of(source))
    matrix = pixel_matrix(m.stages[0].matrix, source, target)
    torch.testing.assert_close(Linear(matrix)(p), by_hand, atol=1e-9, rtol=0)


def test_homography_takes_points_to_their_images():
    square = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]], dtype=F64)
    images = torch.tensor([[0.1, 0], [1.2, 0.1], [0.9, 1.1], [0, 1]], dtype=F64)
    m = Map.of(homography(square, images), projective=True)
    torch.testing.assert_close(m(square), images)


@given(st.lists(st.floats(-170, 170), min_size=3, max_size=3))
@settings(max_examples=30)
def test_axis_angle_is_the_matrix_exponential(v):
    x, y, z = (math.radians(a) for a in v)
    generator = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=F64)
    torch.testing.assert_close(
        axis_angle_matrix(torch.tensor(v, dtype=F64)), torch.matrix_exp(generator), atol=1e-9, rtol=0
    )


def test_axis_angle_is_smooth_at_rest():
    slope = torch.func.jacrev(axis_angle_matrix)(torch.zeros(3, dtype=F64))
    assert slope.isfinite().all()
    torch.testing.assert_close(
        slope[..., 2], torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 0]], dtype=F64) * math.pi / 180
    )


# gates


@pytest.mark.parametrize("name", MAPS)
def test_gate(name):
    m, p = MAPS[name](), points(dims(name))
    off_on = m.chosen(torch.tensor([0.0, 1.0], dtype=F64))
    assert torch.equal(off_on(p)[0], p[0])
    torch.testing.assert_close(off_on(p)[1], m(p)[1])
    back = off_on.inverse(FRAME[dims(name)])(p)
    assert torch.equal(back[0], p[0])
    torch.testing.assert_close(back[1], m.inverse(FRAME[dims(name)])(p)[1])


# resampling


def inside(x, d, n=3):
    return x[(..., *[slice(n, -n)] * d)]


@pytest.mark.parametrize(
    ("first", "second"), [("affine", "projective"), ("bent", "affine"), ("affine 3-D", "affine 3-D")]
)
def test_composition_of_images(first, second):
    """One resample of the composed map is near two resamples, on a smooth image."""
    d = dims(first)
    frame = tuple(3 * n for n in FRAME[d])
    x = waves(2, 1, *frame)
    a, b = MAPS[first](), MAPS[second]()
    twice = resample(resample(x, 1, a, Sampling()), 1, b, Sampling())
    once = resample(x, 1, a.then(b), Sampling())
    cut = 6 if d == 2 else 8
    torch.testing.assert_close(inside(once, d, cut), inside(twice, d, cut), atol=2e-2, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_against_affine_grid(mode):
    """torch's affine_grid speaks in halves of the frame, ours in pixels: D^-1 A D."""
    x, m = waves(2, 3, 11, 13), linear(2, 4)
    half = torch.tensor([13 / 2, 11 / 2, 1], dtype=F64)
    theta = m.stages[0].matrix / half[:, None] * half
    wanted = F.grid_sample(
        x, F.affine_grid(theta[:, :2], list(x.shape), align_corners=False), mode, align_corners=False
    )
    torch.testing.assert_close(resample(x, 1, m, Sampling(mode)), wanted, atol=1e-6, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_against_affine_grid_in_3d(mode):
    x, m = waves(2, 2, 7, 9, 11), linear(3, 4)
    half = torch.tensor([11 / 2, 9 / 2, 7 / 2, 1], dtype=F64)
    theta = m.stages[0].matrix / half[:, None] * half
    wanted = F.grid_sample(
        x, F.affine_grid(theta[:, :3], list(x.shape), align_corners=False), mode, align_corners=False
    )
    torch.testing.assert_close(resample(x, 1, m, Sampling(mode)), wanted, atol=1e-6, rtol=0)


NUMPY = {"zeros": "constant", "border": "edge", "reflection": "reflect", "symmetric": "symmetric"}


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("padding", NUMPY)
@pytest.mark.parametrize("d", [2, 3])
def test_padding_modes(d, padding, mode):
    """Shifted by whole pixels, the outside is that of numpy.pad."""
    frame = (6, 7, 8)[-d:]
    x = waves(1, 2, *frame)
    shift = torch.tensor([2.0, -3.0, 1.0], dtype=F64)[:d]
    y = resample(x, 1, Map.linear(torch.eye(d, dtype=F64)[None], shift[None]), Sampling(mode, padding))
    padded = np.pad(x.numpy(), [(0, 0), (0, 0), *[(3, 3)] * d], mode=NUMPY[padding])
    window = tuple(slice(3 + int(s), 3 + int(s) + n) for s, n in zip(shift.flip(0), frame, strict=True))
    torch.testing.assert_close(y, torch.from_numpy(padded[(..., *window)]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("alias", [("constant", "zeros"), ("edge", "border"), ("reflect", "reflection")])
def test_padding_aliases(alias):
    x, m = waves(2, 1, 9, 9), linear(2, 0, 0.8)
    one, other = (resample(x, 1, m, Sampling(None, name)) for name in alias)
    assert torch.equal(one, other)


@pytest.mark.parametrize("d", [2, 3])
@pytest.mark.parametrize("fill", [0.25, (0.1, 0.2, 0.3)])
def test_fill(fill, d):
    """What lies far outside is the fill, of each channel; a shifted edge blends with it."""
    x = waves(2, 3, *FRAME[d])
    far = Map.linear(torch.eye(d, dtype=F64).expand(2, d, d), torch.full((2, d), 99.0, dtype=F64))
    wanted = torch.tensor(fill if isinstance(fill, tuple) else (fill,) * 3, dtype=F64).reshape(3, *[1] * d)
    for batch, image in ((1, x), (0, x[0])):
        m = far if batch else Map.linear(torch.eye(d, dtype=F64), torch.full((d,), 99.0, dtype=F64))
        y = resample(image, batch, m, Sampling(fill=fill))
        torch.testing.assert_close(y, wanted.expand_as(image), atol=1e-12, rtol=0)


def test_fill_of_another_number_of_channels():
    with pytest.raises(ValueError, match="one per channel"):
        fill_like(torch.zeros(2, 3, 4, 4), (0.1, 0.2), 2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.bool])
def test_nearest_keeps_integers(dtype):
    """Labels come through exactly, even those that float32 cannot hold."""
    top = {torch.uint8: 255, torch.int32: 2**31 - 1, torch.int64: 2**52, torch.bool: 1}[dtype]
    x = torch.tensor([[[0, top], [top, 0]]]).to(dtype)
    flipped = resample(x, 0, Map.of(torch.diag(torch.tensor([-1.0, 1.0, 1.0]))), Sampling("nearest"))
    assert torch.equal(flipped, x.flip(-1))


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize(("d", "mode"), [(2, "bilinear"), (2, "nearest"), (2, "bicubic"), (3, "bilinear")])
def test_one_image_read_in_parts(monkeypatch, threads, d, mode):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr("augfn.run.sampler.MANY", 1)
    x, grid = torch.rand(1, 3, 7, *[9] * (d - 1)), torch.rand(1, 6, *[5] * (d - 1), d) * 2.4 - 1.2
    for padding in ("zeros", "border", "reflection"):
        expected = F.grid_sample(x, grid, mode, padding, False)
        assert torch.equal(sampler.grid_sample(x, grid, mode, padding, False), expected)
    assert sampler.grid_sample(x, grid[:, :0], mode, "zeros", False).shape == (1, 3, 0, *[5] * (d - 1))


def test_no_bicubic_for_volumes():
    with pytest.raises(ValueError, match="bicubic"):
        resample(torch.rand(1, 4, 4, 4), 0, Map.linear(torch.eye(3)), Sampling("bicubic"))


# antialias


def window(scale, offset, size):
    return Map.linear(
        torch.diag_embed(torch.tensor([scale], dtype=F64)),
        torch.tensor([offset], dtype=F64),
        size=size,
        axis_aligned=True,
    )


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(5, 7), (9, 30), (24, 26), (12, 13)])
def test_resize_against_interpolate(size, mode):
    x = torch.rand(1, 2, 12, 13, dtype=F64)
    m = window([13 / size[1], 12 / size[0]], [0.0, 0.0], size)
    wanted = F.interpolate(x, size, mode=mode, align_corners=False, antialias=True)
    torch.testing.assert_close(resample(x, 1, m, Sampling(mode, antialias=True)), wanted, atol=1e-6, rtol=0)


def test_resize_without_antialias_against_interpolate():
    x = torch.rand(1, 2, 12, 13, dtype=F64)
    wanted = F.interpolate(x, (5, 30), mode="bilinear", align_corners=False)
    torch.testing.assert_close(
        resample(x, 1, window([13 / 30, 12 / 5], [0.0, 0.0], (5, 30)), Sampling()), wanted, atol=1e-6, rtol=0
    )


def test_window_of_a_volume():
    x = torch.rand(1, 2, 6, 8, 10, dtype=F64)
    y = resample(x, 1, window([2.0, 2.0, 2.0], [0.0] * 3, (3, 4, 5)), Sampling(antialias=True))
    assert y.shape == (1, 2, 3, 4, 5)
    torch.testing.assert_close(y.mean(), x.mean(), atol=0.05, rtol=0)


@pytest.mark.parametrize("d", [2, 3])
def test_antialias_of_a_turning_map(d):
    """A checkerboard shrunk under a turn becomes grey with antialias, and stays black and white without."""
    grid = torch.stack(torch.meshgrid(*[torch.arange(16)] * d, indexing="ij")).sum(0)
    x = (grid % 2).to(F64)[None, None]
    turn = Map.rotation(torch.tensor([30.0], dtype=F64)).stages[0].matrix[:, :2, :2]
    a = 3.3 * torch.block_diag(turn[0], *[torch.eye(1, dtype=F64)] * (d - 2))[None]
    smooth, rough = (
        resample(x, 1, Map.linear(a), Sampling(padding_mode="reflection", antialias=b)) for b in (True, False)
    )
    assert smooth.std() < 0.6 * rough.std()


# settings


def test_settings_of_an_op_come_before_those_of_the_pipeline():
    inner, outer = Sampling("nearest"), Sampling("bicubic", "border", antialias=True)
    assert inner.within(outer) == Sampling("nearest", "border", antialias=True)
    assert Sampling(fill=0.5).within(outer) == Sampling("bicubic", None, 0.5, antialias=True)
    assert Sampling(padding_mode="reflect").within(Sampling(fill=0.5)) == Sampling(padding_mode="reflect")


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("n", "size"), [(20, 20), (20, 7), (7, 20), (23, 9), (1, 3)])
@pytest.mark.parametrize("axis", [-3, -2, -1])
def test_the_few_pixels_that_count_are_those_of_the_dense_weights(n, size, mode, axis):
    share = torch.linspace(0.05, 1, 6, dtype=F64)
    scale = n / size * share
    shift = (n - n * share) / 2 * torch.tensor([1.0, -1.0, 0.3, 0.0, -0.7, 0.0], dtype=F64)
    line = Line(scale, shift, n, size, mode)
    shape = [6, 2, 4, 5, 3]
    shape[axis] = n
    x = torch.rand(shape, dtype=F64)
    dense = along(x, dense_weights(scale, shift, n, size, mode), axis)
    for read in (line.read, line.read_bags):
        torch.testing.assert_close(read(x, axis), dense)
        assert read(x, axis).is_contiguous()


def dense_weights(scale, shift, n, size, mode):
    """Of every input pixel in each output pixel, `[b, size, n]`: Keys' cubic or a triangle, as wide as the footprint."""
    centre = scale[:, None] * centred(size, F64, scale.device) + shift[:, None]
    t = (centred(n, F64, scale.device) - centre[..., None]).abs() / scale.abs().clamp(min=1)[:, None, None]
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    w = (1 - t).relu() if mode == "bilinear" else torch.where(t < 1, near, torch.where(t < 2, far, 0.0))
    return w / w.sum(-1, keepdim=True)


def along(x, weights, axis):
    """Contract an axis of `x [b, ..., n, ...]` with `weights [b, m, n]`."""
    moved = x.movedim(axis, -1)
    return (moved @ weights.mT[(slice(None), *[None] * (x.ndim - 3))]).movedim(-1, axis)


def cover(low, high, n):
    """How much of each of n pixels lies between two places, `[b, m, n]`; the first and the last reach to infinity."""
    start = torch.arange(n, dtype=F64)
    start, end = torch.cat([torch.tensor([-math.inf]), start[1:]]), torch.cat([start[1:], torch.tensor([math.inf])])
    return (torch.minimum(high[..., None], end) - torch.maximum(low[..., None], start)).clamp(min=0)


@pytest.mark.parametrize("n", [1, 2, 7, 20])
@pytest.mark.parametrize("axis", [-3, -2, -1])
def test_running_sums_average_as_dense_weights_do(n, axis):
    shape = [3, 2, 4, 5, 3]
    shape[axis] = n
    x = torch.rand(shape, dtype=F64)
    low = torch.tensor([[-2.0, 0.3, n - 0.2, 1.7], [0.0, -1.5, 0.2, n], [0.25, 0.0, 0.0, n + 1.0]], dtype=F64)
    high = low + torch.tensor([3.1, 0.4, 0.1, 5.0], dtype=F64)
    want = along(x, cover(low, high, n) / (high - low)[..., None], axis)
    torch.testing.assert_close(areas(x, low, high, axis), want)
    assert areas(x, high, high, axis).isfinite().all()
    step, i = torch.tensor([1.0, 2.5, 30.0], dtype=F64), torch.arange(n)
    for smooth in (False, True):
        place = (i + 0.5) / step[:, None] - (0.5 if smooth else 0.0)
        first = place.floor() * step[:, None]
        shares = [cover(first + k * step[:, None], first + (k + 1) * step[:, None], n) for k in (0, 1)]
        blended = torch.lerp(*shares, (place - place.floor())[..., None]) if smooth else shares[0]
        got = cells(x, step, axis, smooth)
        torch.testing.assert_close(got, along(x, blended / step[:, None, None], axis))
        assert got.is_contiguous()


def test_running_sums_are_exact_to_rounding_on_long_lines():
    """In float32 a sum of 2^16 bright pixels would be off by a hundredth of a pixel's value."""
    x = torch.rand(1, 1 << 16) + 7
    low = torch.arange(x.shape[1] - 2.0)[None] + 0.5
    torch.testing.assert_close(areas(x, low, low + 1, -1), (x[:, :-2] + x[:, 1:-1]) / 2, atol=1e-5, rtol=0)


PLACES = {
    "halves": Map.linear(torch.eye(2, dtype=F64), torch.tensor([[0.5, -1.5], [3.5, 0.5]], dtype=F64)),
    "far": Map.linear(3 * torch.eye(2, dtype=F64), torch.tensor([[4.5, -7.0], [0.25, 1.0]], dtype=F64)),
    "turn": Map.rotation(torch.tensor([90.0, 33.0], dtype=F64)),
    "fixed": Map.of(torch.tensor([[0.5, 0.0, 0.25], [0.1, 1.0, -2.0], [0.0, 0.0, 1.0]], dtype=F64)),
    "projective": Map.of(
        torch.tensor([[1.0, 0.2, 0.0], [0.0, 1.0, 0.5], [0.05, 0.02, 1.0]], dtype=F64).expand(2, 3, 3), projective=True
    ),
    "smaller": Map.diagonal(torch.tensor([1.7, 0.6], dtype=F64), torch.tensor([1.1, 2.0], dtype=F64), size=(5, 7)),
}
UNTIED = ("turn", "projective")


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection", "symmetric"])
@pytest.mark.parametrize(
    ("name", "size"), [(n, s) for n in PLACES for s in ((16, 8), (1, 8), (4, 1), (9, 7)) if s[0] != 9 or n in UNTIED]
)
def test_whole_numbers_are_read_where_torch_reads_the_nearest(name, size, padding):
    """Ties included, where powers of two keep coordinates exact: of two pixels as near, the one that torch takes."""
    x = torch.arange(2 * 3 * math.prod(size)).reshape(2, 3, *size) + 1
    for how in (Sampling("nearest", padding), *([Sampling("nearest", fill=7.0)] if padding == "zeros" else [])):
        want = resample(x.double(), 1, PLACES[name], how)
        assert torch.equal(resample(x, 1, PLACES[name], how).double(), want)
        small = resample(x.to(torch.int16), 1, PLACES[name], how)
        assert torch.equal(small.float(), resample(x.float(), 1, PLACES[name], how))


def test_whole_numbers_of_volumes_are_read_nearest():
    x = torch.arange(2 * 5 * 6 * 7).reshape(2, 1, 5, 6, 7)
    m = Map.linear(axis_angle_matrix(torch.tensor([[10.0, 40.0, -20.0], [3.0, 5.0, 87.0]], dtype=F64)))
    how = Sampling("nearest", "border")
    assert torch.equal(resample(x, 1, m, how).float(), resample(x.float(), 1, m, how))


def test_large_images_are_made_in_bands(monkeypatch):
    """What needs much on the way, row band by row band: as in one piece."""
    x = waves(2, 3, 37, 23).float()
    tries = (
        af.median_blur(kernel_size=5),
        af.median_blur(kernel_size=(3, 3), padding_mode="zeros"),
        af.median_blur(kernel_size=9),
        af.defocus(kernel_size=9, radius=3.0),
        af.defocus(kernel_size=9, radius=3.0, padding_mode="zeros"),
        af.rotate(degrees=20.0, antialias=True, fill=0.3),
        af.elastic(antialias=True, padding_mode="reflection"),
    )
    whole = [f(x, None, af.key(0))[0] for f in tries]
    for module in (bands, conv, resample_module):
        monkeypatch.setattr(module, "BAND", 60)
    for f, want in zip(tries, whole, strict=True):
        y = f(x, None, af.key(0))[0]
        torch.testing.assert_close(y, want, atol=1e-6, rtol=0)
        assert y.is_contiguous()


def test_rows_of_large_images_are_made_apart(monkeypatch):
    """Resamples, noise and what changes colours point by point: with rows made apart, and the same."""
    x = waves(1, 3, 37, 23).float().clamp(0, 1)
    tries = [example(name) for name, spec in SPECS.items() if spec.pointwise]
    assert len(tries) > 10
    tries += [example("color_jitter"), af.color_jitter(contrast=0.3), example("iso_noise")]
    tries += [af.rotate(degrees=20.0, fill=0.3), af.elastic(padding_mode="symmetric"), af.perspective(p=0.5)]
    whole, field = (
        [f(x[:, :1] if f.bare else x, None, af.key(0))[0] for f in tries],
        random.normal_field(af.key(1), (1, 61, 67)),
    )
    monkeypatch.setattr(bands, "CACHED", 150)
    monkeypatch.setattr(bands, "LARGER", 1)
    before = x.clone()
    for f, want in zip(tries, whole, strict=True):
        y = f(x[:, :1] if f.bare else x, None, af.key(0))[0]
        torch.testing.assert_close(y, want, atol=2e-6, rtol=0)
        assert y.is_contiguous()
        assert torch.equal(x, before), f
    assert torch.equal(random.normal_field(af.key(1), (1, 61, 67)), field), "noise, in parts"

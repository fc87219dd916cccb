"""Common corruptions: against the paper's formulas in numpy, PIL and scikit-image; and how they count errors."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from skimage import color, data, filters
from torch import nn

import augfn as af
from augfn.analysis.corruptions import (
    LEFT_OUT,
    SIDES,
    TABLE,
    corruption_error,
    corruption_errors,
    corruption_suite,
    relative_corruption_error,
    streak,
)

K = af.key(0)
PAPER = [
    *(
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "defocus_blur",
        "glass_blur",
        "motion_blur",
        "zoom_blur",
        "snow",
    ),
    *("frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
]
SUITES = {side: corruption_suite((side, side)) for side in SIDES}
ALL = [(side, s) for side in SIDES for s in range(5)]
each_level = pytest.mark.parametrize(("side", "s"), ALL)


def photo(side):
    """The astronaut's bytes: whole at 224, of smaller sides the head."""
    whole = Image.fromarray(data.astronaut())
    seen = whole if side == 224 else whole.crop((130, 10, 330, 210))
    return np.array(seen.resize((side, side), Image.Resampling.LANCZOS))


def level(name, side, s):
    return TABLE[name][1 + SIDES.index(side)][s]


def grey(side, value, n=1):
    return torch.full((n, 3, side, side), value)


def made(name, side, s, x, key=K):
    """The corruption of images `[B, 3, H, W]`, or of bytes [H, W, 3] as floats of this shape."""
    f = SUITES[side][name][s]
    return f(x, None, key)[0] if isinstance(x, torch.Tensor) else f(af.to_float(x), None, key)[0].movedim(0, -1).numpy()


def test_names_are_the_papers():
    assert [n for n in PAPER if n not in LEFT_OUT] == list(corruption_suite())
    assert set(LEFT_OUT) == {"frost"}


# what is the paper's, to rounding


@each_level
def test_contrast_is_about_the_mean_of_each_channel(side, s):
    x = photo(side) / 255
    mean = x.mean((0, 1), keepdims=True)
    want = np.clip((x - mean) * level("contrast", side, s) + mean, 0, 1)
    np.testing.assert_allclose(made("contrast", side, s, photo(side)), want, atol=1e-5)


@each_level
def test_jpeg_is_that_of_pil(side, s):
    file = io.BytesIO()
    Image.fromarray(photo(side)).save(file, "JPEG", quality=level("jpeg_compression", side, s))
    want = np.array(Image.open(file)) / 255
    away = np.abs(made("jpeg_compression", side, s, photo(side)) - want).mean()
    assert away < min(0.25 * np.abs(want - photo(side) / 255).mean(), 2 / 255)


@each_level
def test_brightness_raises_the_value_of_hsv(side, s):
    c, x = level("brightness", side, s), photo(side) / 255
    y = made("brightness", side, s, photo(side))
    np.testing.assert_allclose(y.max(-1), np.clip(x.max(-1) + c, 0, 1), atol=1e-6)
    hsv = color.rgb2hsv(x)
    hsv[..., 2] = 0.5
    middle = color.hsv2rgb(hsv)
    want = color.hsv2rgb(hsv + [0, 0, c])
    x = torch.tensor(middle, dtype=torch.float32).movedim(-1, 0)
    np.testing.assert_allclose(made("brightness", side, s, x).movedim(0, -1), want, atol=1e-5)


@each_level
def test_gaussian_noise(side, s):
    want = np.clip(0.5 + np.random.default_rng(0).normal(size=100_000, scale=level("gaussian_noise", side, s)), 0, 1)
    y = made("gaussian_noise", side, s, grey(side, 0.5, 1 + 60_000 // side**2))
    assert float(y.std()) == pytest.approx(want.std(), rel=0.02)
    assert float(y.mean()) == pytest.approx(0.5, abs=0.005)


@each_level
def test_shot_noise_has_the_variance_of_counts(side, s):
    photons = level("shot_noise", side, s)
    y = SUITES[side]["shot_noise"][s](grey(side, 0.5, 40_000 // side**2 + 1), None, K)[0]
    counts = np.random.default_rng(0).poisson(0.5 * photons, 100_000) / photons
    want = np.clip(counts, 0, 1)
    assert float(y.std()) == pytest.approx(want.std(), rel=0.06 if photons < 10 else 0.02)
    assert float(y.mean()) == pytest.approx(want.mean(), abs=0.035 if photons < 10 else 0.005)
    if photons >= 25:  # hardly anything is clipped
        assert float(y.var()) == pytest.approx(0.5 / photons, rel=0.04)


@each_level
def test_impulse_noise_changes_a_share_of_the_values(side, s):
    amount = level("impulse_noise", side, s)
    y = made("impulse_noise", side, s, grey(side, 0.5, 100_000 // side**2 + 1))
    n = y.numel()
    assert y.unique().tolist() == [0, 0.5, 1]
    for value in (0, 1):
        assert float((y == value).sum()) == pytest.approx(n * amount / 2, abs=4 * math.sqrt(n * amount / 2))
    changed = (y != 0.5).flatten(2)
    both = (changed[:, 0] & changed[:, 1]).sum()  # channels by themselves
    assert float(both) == pytest.approx(n / 3 * amount**2, abs=4 * math.sqrt(n / 3) * amount)


# blurs


def kernel_of(f, size=63, **params):
    spike = torch.zeros(1, 1, size, size)
    spike[..., size // 2, size // 2] = 1
    return f(spike.expand(1, 3, size, size), {n: torch.tensor(v) for n, v in params.items()})[0][0, 0].double().numpy()


@each_level
def test_defocus_is_a_disk_and_a_gaussian(side, s):
    radius, sigma = level("defocus_blur", side, s)
    i = np.arange(63) - 31
    disk = (i[:, None] ** 2 + i**2 <= radius**2) / 1.0
    want = filters.gaussian(disk / disk.sum(), sigma, truncate=3)
    away = kernel_of(SUITES[side]["defocus_blur"][s]) - want
    assert np.abs(away).sum() < (0.06 + 0.5 / radius if radius > 0.5 else 1e-3)  # a soft edge for a hard one
    wide = [np.sqrt((k * (i**2 + i[:, None] ** 2)).sum()) for k in (want + away, want)]
    assert wide[0] == pytest.approx(wide[1], rel=0.07)


@each_level
def test_motion_blur_is_as_wide_as_half_a_gaussian(side, s):
    radius, sigma = level("motion_blur", side, s)
    taps = np.arange(2 * radius + 1)
    want = np.exp(-0.5 * (taps / sigma) ** 2)
    f = SUITES[side]["motion_blur"][s]
    got = kernel_of(f, angle=0.0).sum(0)
    spread = [np.sqrt(np.cov(at, aweights=w, ddof=0)) for at, w in ((np.arange(63), got), (taps, want))]
    assert spread[0] == pytest.approx(spread[1], rel=0.05, abs=0.2)
    if spread[1] > 1:  # it runs out to one side
        away = np.arange(63) - np.arange(63) @ got
        assert abs(away**3 @ got) > 0.3 * spread[0] ** 3
    low, high = f.params["angle"].low, f.params["angle"].high
    assert (float(low), float(high)) == (-45, 45)


def test_a_streak_of_a_long_half_gaussian():
    """Its standard deviation is sigma sqrt(1 - 2 / pi)."""
    assert streak(2000, 300.0) == pytest.approx(300 * math.sqrt(18 * (1 - 2 / math.pi)), rel=1e-3)


@each_level
def test_zoom_blur_is_the_mean_of_zooms(side, s):
    step = 0.01 if side < 224 else (0.01, 0.01, 0.02, 0.02, 0.03)[s]
    zooms = np.arange(1, level("zoom_blur", side, s) + step / 2, step)
    x = photo(side) / 255
    rows, columns = np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 2, indexing="ij")
    middle = (side - 1) / 2
    total = x.copy()
    for z in zooms:
        at = [rows / z + middle, columns / z + middle]
        total += np.stack([ndimage.map_coordinates(x[..., c], at, order=1, mode="nearest") for c in range(3)], -1)
    want = total / (len(zooms) + 1)
    away = np.abs(made("zoom_blur", side, s, photo(side)) - want).mean()
    assert away < 0.1 * np.abs(want - x).mean() + 0.002


def shuffled(x, delta, times, rng):
    """The paper's moves; what it means to swap is a copy, as pixels of an array are views."""
    for _ in range(times):
        for h in range(len(x) - delta - 1, delta, -1):
            for w in range(len(x) - delta - 1, delta, -1):
                dx, dy = rng.integers(-delta, delta, size=2)
                x[h, w] = x[h + dy, w + dx]
    return x


@pytest.mark.parametrize(("side", "s"), [(64, s) for s in range(5)])
def test_glass_blur_moves_pixels_as_far(side, s):
    sigma, delta, times = level("glass_blur", side, s)
    place = np.stack([*np.meshgrid(*[np.arange(side) / side] * 2), np.zeros((side, side))], -1)
    want = shuffled(filters.gaussian(place, sigma, channel_axis=-1), delta, times, np.random.default_rng(0))
    want = filters.gaussian(want, sigma, channel_axis=-1)
    got = SUITES[side]["glass_blur"][s](torch.tensor(place, dtype=torch.float32).movedim(-1, 0), None, K)[0]
    inner = np.s_[12:-12, 12:-12, :2]
    spread = [(y - place)[inner].std() * side for y in (got.movedim(0, -1).numpy(), want)]
    assert spread[0] == pytest.approx(spread[1], rel=0.4)  # neighbours go together there, and are blurred less


# weather


def flakes(side, s, rng):
    """The paper's layer of snow; all fall straight down, on which neither mean nor spread depend."""
    mean, std, zoom, least, radius, sigma, _ = level("snow", side, s)
    small = rng.normal(mean, std, (math.ceil(side / zoom) + 2,) * 2)
    layer = ndimage.zoom(small, zoom, order=1)[:side, :side]
    layer = np.clip(np.where(layer < least, 0, layer), 0, 1)
    kernel = np.exp(-0.5 * (np.arange(2 * radius + 1) / sigma) ** 2)
    padded = np.concatenate([np.zeros(2 * radius), kernel])
    fallen = ndimage.correlate1d(layer, padded / kernel.sum(), 0, mode="nearest")
    return fallen + np.rot90(fallen, 2)


@pytest.mark.parametrize(("side", "s"), [(224, 2), (224, 4), (64, 0), (64, 1), (32, 1)])
def test_snow_adds_as_much_light(side, s):
    rng, kept, n = np.random.default_rng(0), level("snow", side, s)[-1], 6 if side == 224 else 60
    dark = 0.5 * (1 - kept)
    want = np.minimum([flakes(side, s, rng) for _ in range(n)], 1 - dark)
    got = made("snow", side, s, grey(side, 0.0, n)).numpy()[:, 0] - dark
    assert got.mean() == pytest.approx(want.mean(), rel=0.2)
    assert got.std() == pytest.approx(want.std(), rel=0.25)
    np.testing.assert_allclose(got, got[:, ::-1, ::-1], atol=1e-6)  # one layer upside down


@pytest.mark.parametrize("s", range(5))
def test_snow_whitens(s):
    """Where no flake falls, in the darkest of many draws."""
    x, kept = photo(32) / 255, level("snow", 32, s)[-1]
    luma = x @ [0.299, 0.587, 0.114]
    want = np.clip(kept * x + (1 - kept) * np.maximum(x, luma[..., None] * 1.5 + 0.5), 0, 1)
    many = af.to_float(photo(32)).expand(400, 3, 32, 32)
    got = made("snow", 32, s, many).amin(0).movedim(0, -1).numpy()
    assert (got >= want - 1e-3).all()
    if s < 4:  # 400 draws leave no flake
        np.testing.assert_allclose(got, want, atol=0.02)


def plasma(side, decay, rng):
    """The paper's diamond-square."""
    grid, step, move = np.zeros((side, side)), side, 100.0
    while step >= 2:
        half = step // 2

        def mean(total, move=move):
            return total / 4 + move * rng.uniform(-move, move, total.shape)

        corners = grid[::step, ::step]
        total = corners + np.roll(corners, -1, 0)
        grid[half::step, half::step] = mean(total + np.roll(total, -1, 1))
        centres, upper = grid[half::step, half::step], grid[::step, ::step]
        grid[::step, half::step] = mean(centres + np.roll(centres, 1, 0) + upper + np.roll(upper, -1, 1))
        grid[half::step, ::step] = mean(centres + np.roll(centres, 1, 1) + upper + np.roll(upper, -1, 0))
        step, move = half, move / decay
    return (grid - grid.min()) / (grid.max() - grid.min())


@each_level
def test_fog_is_a_plasma(side, s):
    strength, decay = level("fog", side, s)
    share, rng = strength / (1 + strength), np.random.default_rng(0)
    n = made("fog", side, s, grey(side, 0.0, 12))[:, 0] / share
    torch.testing.assert_close(n.amin((1, 2)), torch.zeros(12))
    torch.testing.assert_close(n.amax((1, 2)), torch.ones(12))
    want = np.array([plasma(256 if side == 224 else side, decay, rng)[:side, :side] for _ in range(12)])
    assert float(n.mean()) == pytest.approx(want.mean(), abs=0.08)
    assert float(n.std((1, 2)).mean()) == pytest.approx(want.std((1, 2)).mean(), rel=0.35)
    rough = float(n.diff(dim=1).abs().mean()) / np.abs(np.diff(want, axis=1)).mean()
    assert 0.7 < rough < 1.8
    x = af.to_float(photo(side)).expand(12, 3, side, side)
    torch.testing.assert_close(made("fog", side, s, x), (1 - share) * x + share * n[:, None], atol=1e-5, rtol=0)


# what has other levels, or shares pixels


@each_level
def test_pixelate_is_about_that_of_pil(side, s):
    share = level("pixelate", side, s)
    few, whole = int(side * share), Image.fromarray(photo(side))
    want = whole.resize((few, few), Image.Resampling.BOX).resize((side, side), Image.Resampling.BOX)
    away = np.abs(made("pixelate", side, s, photo(side)) * 255 - np.array(want))
    if side % few == 0:
        assert away.max() < 1.01  # of whole levels
    assert away.mean() < (2.5 if side == 224 else 8)


@pytest.mark.parametrize("s", range(5))
def test_elastic_bends_by_its_level(s):
    side = 64
    place = torch.stack([*torch.meshgrid(*[torch.arange(side) / side] * 2, indexing="ij"), torch.zeros(side, side)])
    y = SUITES[side]["elastic_transform"][s](place.expand(60, 3, side, side), None, K)[0]
    moved = (y - place)[:, :2, 12:-12, 12:-12]
    assert float(moved.std()) == pytest.approx(level("elastic_transform", side, s), rel=0.15)


# all of them

FLAT = {224: {("fog", 2)}, 64: set(), 32: {("snow", 1), ("motion_blur", 2), ("glass_blur", 0), ("glass_blur", 1)}}


@pytest.mark.parametrize("name", TABLE)
def test_severities_rise(name):
    """In distance to the image, but where the paper's own levels are about equal."""
    for side, n in ((224, 4), (32, 32)):
        x = af.to_float(photo(side)).expand(n, 3, side, side)
        y = [made(name, side, s, x) for s in range(5)]
        away = [float((v - x).abs().mean()) for v in y]
        assert all(v.shape == x.shape and v.min() >= 0 and v.max() <= 1 for v in y)
        for s in range(4):
            if (name, s) in FLAT[side] or (name == "glass_blur" and side == 32):
                assert away[s + 1] > 0.9 * away[s]
            else:
                assert away[s + 1] > away[s], (side, s)
        assert away[4] > 1.1 * away[0]


@pytest.mark.parametrize("name", TABLE)
def test_a_key_says_all_and_a_file_keeps_it(name, tmp_path):
    x, other = torch.rand(2, 3, 32, 32), af.split(af.key(7))
    drawn = name not in ("defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression")
    for s, f in enumerate(SUITES[32][name]):
        y = f(x, None, other)[0]
        assert f(x, None, other)[0].equal(y)
        assert f(x, None, af.split(K))[0].equal(y) != drawn
        torch.testing.assert_close(f(x[1], None, other[1])[0], y[1], atol=5e-6, rtol=0)
        af.save(f, tmp_path / f"{s}.json")
        assert af.load(tmp_path / f"{s}.json")(x, None, other)[0].equal(y)


def test_snow_compiles():
    """It has all there is: noise, geometry, colours and blurs, in pipelines within mixtures."""
    x, f = torch.rand(2, 3, 16, 16), corruption_suite((16, 16))["snow"][4]
    torch.testing.assert_close(f.compiled(backend="eager")(x, None, K)[0], f(x, None, K)[0], atol=1e-5, rtol=1e-5)


def test_pixels_go_with_the_side():
    twice, once = corruption_suite((448, 448)), corruption_suite((224, 300))
    for s in range(5):
        radius = [float(f["defocus_blur"][s].params["defocus"]["radius"].value) for f in (twice, once)]
        assert radius == [2 * TABLE["defocus_blur"][1][s][0], TABLE["defocus_blur"][1][s][0]]
    x = torch.rand(1, 3, 20, 33)
    for fs in corruption_suite((20, 33)).values():
        assert fs[4](x, None, K)[0].shape == x.shape


@pytest.mark.parametrize("size", [224, (224,), (0, 5), (3.0, 4.0), "ab"])
def test_a_size_is_two_numbers(size):
    with pytest.raises(TypeError, match="two whole numbers"):
        corruption_suite(size)


# error measures

E = {"fog": [0.1, 0.2, 0.3, 0.4, 0.5], "snow": [0.4] * 5}
B = {"snow": [0.8] * 5, "fog": [0.5] * 5}


def test_errors_in_closed_form():
    assert corruption_error(E) == pytest.approx((0.3 + 0.4) / 2)
    assert corruption_error(E, B) == pytest.approx((1.5 / 2.5 + 0.5) / 2)
    assert corruption_error(B, B) == pytest.approx(1)
    want = ((1.5 - 5 * 0.1) / (2.5 - 5 * 0.3) + (2 - 0.5) / (4 - 1.5)) / 2
    assert relative_corruption_error(E, 0.1, B, 0.3) == pytest.approx(want)
    tensors = {n: torch.tensor(v, dtype=torch.float64) for n, v in E.items()}
    assert corruption_error(tensors, B) == pytest.approx(corruption_error(E, B))


@pytest.mark.parametrize(
    ("call", "error", "advice"),
    [
        (lambda: corruption_error({}), TypeError, "five error rates"),
        (lambda: corruption_error([0.1] * 5), TypeError, "five error rates"),
        (lambda: corruption_error({"fog": [0.1] * 4}), ValueError, "errors of fog"),
        (lambda: corruption_error({"fog": [10, 20, 30, 40, 50]}), ValueError, "percent divided by 100"),
        (lambda: corruption_error({"fog": [math.nan] * 5}), ValueError, r"five rates in \[0, 1\]"),
        (lambda: corruption_error(E, {"fog": [0.5] * 5}), ValueError, "snow"),
        (lambda: corruption_error(E, B | {"rain": [0.5] * 5}), ValueError, "rain"),
        (lambda: corruption_error(E, B | {"fog": [0.0] * 5}), ValueError, "ratio to nothing"),
        (lambda: relative_corruption_error(E, 0.1, B, 0.5), ValueError, "ratio to nothing"),
        (lambda: relative_corruption_error(E, 10, B, 0.3), ValueError, "clean"),
    ],
)
def test_errors_that_are_none(call, error, advice):
    with pytest.raises(error, match=advice):
        call()


class Net(nn.Module):
    """A classifier whose train mode would show: it drops out and counts."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.5))
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        assert not torch.is_grad_enabled()
        return self.head(self.body(x).mean((-1, -2)) - self.body(x).amax((-1, -2)))


@pytest.fixture
def task():
    net, x = Net(), torch.rand(10, 3, 32, 32).mul(torch.rand(10, 3, 1, 1))
    with torch.no_grad():
        labels = net.eval()(x).argmax(1)
    net.train()
    net.body[1].eval()
    return net, x, labels


FEW = {n: SUITES[32][n] for n in ("gaussian_noise", "snow", "contrast")}


def test_errors_are_those_of_each_image_by_itself(task):
    net, x, labels = task
    modes, state = [m.training for m in net.modules()], {n: v.clone() for n, v in net.state_dict().items()}
    found = corruption_errors(net, x, labels, K, FEW)
    assert [m.training for m in net.modules()] == modes
    assert all(v.equal(state[n]) for n, v in net.state_dict().items())
    for batch in (1, 3, 100):
        assert corruption_errors(net, x, labels, K, FEW, batch=batch) == found
    net.eval()
    with torch.no_grad():
        for name, fs in FEW.items():
            for s, f in enumerate(fs):
                seen = [net(f(x[i], None, af.sample_keys(K, i))[0][None]).argmax() != labels[i] for i in range(10)]
                assert found[name][s] == pytest.approx(sum(map(int, seen)) / 10)
    assert max(map(max, found.values())) > 0


def test_modes_come_back_after_a_failure(task):
    net, x, labels = task
    with pytest.raises(ValueError, match="K >= 8"):
        corruption_errors(net, x, labels + 7 - labels, K, FEW)
    assert net.training


def test_all_corruptions_are_counted(task):
    net, x, labels = task
    found = corruption_errors(net, x[:2], labels[:2], K)
    assert list(found) == list(TABLE)
    assert 0 <= corruption_error(found) <= 1


@pytest.mark.parametrize(
    ("change", "error", "advice"),
    [
        ({"model": lambda x: x}, TypeError, "torch.nn.Module"),
        ({"images": torch.zeros(10, 3, 32, 32, dtype=torch.uint8)}, TypeError, r"af\.to_float"),
        ({"images": torch.rand(3, 32, 32)}, ValueError, "RGB images"),
        ({"images": torch.rand(10, 1, 32, 32)}, ValueError, "RGB images"),
        ({"images": torch.randn(10, 3, 32, 32)}, ValueError, "normalise in the model"),
        ({"labels": torch.rand(10)}, ValueError, "class indices"),
        ({"labels": torch.zeros(9, dtype=torch.long)}, ValueError, "class indices"),
        ({"labels": torch.full((10,), -1)}, ValueError, "0 or more"),
        ({"suite": {"fog": [lambda x, p, k: (x, p)] * 5}}, TypeError, "augmentations by name"),
        ({"suite": [af.fog()]}, TypeError, "augmentations by name"),
        ({"batch": 0}, ValueError, "batch=64"),
        ({"model": nn.Flatten(0)}, ValueError, "returns its logits"),
    ],
)
def test_tasks_that_are_none(task, change, error, advice):
    given = dict(zip(("model", "images", "labels"), task, strict=True)) | {"key": K, "suite": FEW} | change
    with pytest.raises(error, match=advice):
        corruption_errors(**given)


@pytest.mark.cuda
def test_images_go_where_the_model_is(task):
    net, x, labels = task
    there = corruption_errors(net.cuda(), x, labels, K, FEW, batch=4)
    here = corruption_errors(net.cpu(), x, labels, K, FEW)
    assert all(abs(a - b) <= 0.1 for n in here for a, b in zip(here[n], there[n], strict=True))

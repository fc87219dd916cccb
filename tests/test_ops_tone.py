"""Tone: closed forms, PIL's codec and tables, gradient modes, targets of more dimensions, errors, modules."""

import io

import numpy as np
import pytest
import torch
from torch.func import grad

import augfn as af
import augfn_nn as A
from augfn.math import jpeg, tone
from augfn.testing import check
from augfn.testing.case import smooth_image

STEPS = {
    "posterize": {"bits": 2.0},
    "equalize": {},
    "clahe": {"clip_limit": 3.0, "grid_size": (2, 3)},
    "dither": {"levels": 3.0},
    "solarize": {"threshold": 0.6},
}
RATES = {"posterize": "bits", "clahe": "clip_limit", "dither": "levels", "solarize": "threshold"}


@pytest.fixture
def image():
    return smooth_image((2,), 3, (24, 34), torch.float64)


@pytest.fixture
def photo():
    data = pytest.importorskip("skimage.data")
    return torch.from_numpy(data.astronaut()[20:170:2, 150:330:2].copy()).permute(2, 0, 1).double() / 255


def call(name, x, **settings):
    return getattr(af, name)(**settings)(x, None, af.key(0))[0]


def on_volumes(f):
    """Next to a step of three dimensions, which rests."""
    return af.pipeline(rest=af.hflip3d(p=0.0), f=f)


@pytest.mark.parametrize("name", STEPS)
def test_the_value_is_the_same_for_every_gradient(name, image):
    values = [call(name, image, **STEPS[name], grad=g) for g in ("none", "ste", "soft")]
    for value in values[1:]:
        torch.testing.assert_close(value, values[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", STEPS)
def test_gradients_to_the_image(name, image):
    slope = {
        g: grad(lambda x, g=g: (call(name, x, **STEPS[name], grad=g) * image.cos()).sum())(image)
        for g in ("none", "ste", "soft")
    }
    if name != "solarize":
        assert (slope["none"] == 0).all()
    torch.testing.assert_close(slope["ste"], image.cos())
    assert slope["soft"].isfinite().all()
    assert (slope["soft"] != 0).double().mean() > 0.9


@pytest.mark.parametrize("name", ["clahe", "solarize"])
def test_a_soft_gradient_reaches_what_is_flat(name, image):
    leaf = RATES[name]
    value = torch.full((2,), STEPS[name][leaf], dtype=torch.float64)
    f = getattr(af, name)(**STEPS[name], grad="soft")
    slope = grad(lambda v: (f(image, f(image)[1] | {leaf: v})[0] * image).sum())(value)
    assert (slope != 0).all()


@pytest.mark.parametrize("name", [*STEPS, "jpeg"])
def test_an_unknown_gradient_is_explained(name, image):
    with pytest.raises(ValueError, match="one of none, ste, soft"):
        call(name, image, **STEPS.get(name, {}), grad="hard")


def test_a_larger_image_obeys_the_laws():
    """Equalization leaves an image of fewer than 256 pixels as it is."""
    check("equalize", frame=(20, 24), laws=[1, 2, 3, 4, 5, 6, 7, 8, 10])


def test_stairs_are_steepest_at_the_jumps():
    slope = torch.func.vmap(grad(tone.stairs))(torch.tensor([1.0, 1.5, 2.0], dtype=torch.float64))
    torch.testing.assert_close(slope, torch.tensor([2.0, 0.0, 2.0], dtype=torch.float64), rtol=0, atol=1e-9)


def test_posterize_has_the_bits_of_bytes():
    levels = torch.arange(256)
    x = (levels / 255).reshape(1, 16, 16)
    for bits in range(9):
        mask = 256 - 2 ** (8 - bits)
        kept = (call("posterize", x, bits=float(bits)) * 255).round().long().flatten()
        assert torch.equal(kept, levels & mask)
    assert torch.equal(call("posterize", torch.rand(1, 4, 4), bits=8.0) * 0, torch.zeros(1, 4, 4))


def test_equalize_is_that_of_pil(photo):
    ops = pytest.importorskip("PIL.ImageOps")
    from PIL import Image

    bytes_of = (photo * 255).round().byte().permute(1, 2, 0).numpy()
    expected = np.array(ops.equalize(Image.fromarray(bytes_of)))
    ours = (call("equalize", photo) * 255).round().permute(1, 2, 0).numpy()
    assert (ours == expected).all()


@pytest.mark.parametrize("name", ["equalize", "autocontrast"])
def test_a_constant_channel_stays(name):
    x = torch.full((1, 20, 20), 0.3)
    assert torch.equal(call(name, x), x)


def test_autocontrast_is_differentiable(image):
    assert torch.autograd.gradcheck(lambda x: call("autocontrast", x), image[:1, :1, :4, :5].clone().requires_grad_())


def test_solarize_adds_clamps_and_inverts():
    x = torch.tensor([[[0.1, 0.4, 0.6, 0.9]]])
    y = call("solarize", x, threshold=0.5, addition=0.2)
    torch.testing.assert_close(y, torch.tensor([[[0.3, 0.4, 0.2, 0.0]]]))
    slope = grad(lambda a: af.solarize()(x, {"threshold": torch.tensor(0.5), "addition": a})[0].sum())
    assert slope(torch.tensor(0.2)) == 1 - 1 - 1


@pytest.mark.parametrize(("size", "grid"), [((24, 34), (2, 3)), ((23, 17), (8, 8)), ((5, 3), (8, 8)), ((1, 1), (8, 8))])
def test_clahe_takes_any_frame(size, grid):
    x = torch.rand(3, *size)
    y = call("clahe", x, grid_size=grid)
    assert y.shape == x.shape
    assert y.min() >= 0
    assert y.max() <= 1


def test_clahe_of_one_tile_without_limit_is_the_distribution_function(image):
    y = call("clahe", image, clip_limit=0.0, grid_size=1)
    levels = (image * 255).long().flatten(-2)
    below = (levels.unsqueeze(-2) <= levels.unsqueeze(-1)).double().mean(-1).reshape(image.shape)
    torch.testing.assert_close(y, (below * 255).round() / 255, rtol=0, atol=1e-9)


@pytest.mark.parametrize("grid", [(8,), (0, 8), (2.0, 2.0), (8, 8, 8)])
def test_a_bad_grid_is_explained(grid):
    with pytest.raises(ValueError, match="bad grid_size"):
        call("clahe", torch.rand(1, 16, 16), grid_size=grid)


def test_the_tone_curve_is_a_bezier_curve():
    x = torch.linspace(0, 1, 11, dtype=torch.float64).reshape(1, 1, 11)
    low, high = 0.1, 0.8
    expected = 3 * (1 - x) ** 2 * x * low + 3 * (1 - x) * x**2 * high + x**3
    torch.testing.assert_close(call("tone_curve", x, shadows=low, highlights=high), expected, rtol=0, atol=1e-7)


def test_the_tone_curve_is_that_of_albumentations():
    """The bytes that its 2.0.8 makes of every 15th: move_tone_curve(levels, 0.15, 0.9)."""
    theirs = [0, 8, 19, 33, 48, 65, 84, 103, 122, 142, 161, 180, 198, 214, 228, 240, 249, 255]
    levels = torch.arange(0, 256, 15).reshape(1, 1, 18)
    ours = call("tone_curve", levels / 255, shadows=0.15, highlights=0.9)
    assert (ours.flatten() - torch.tensor(theirs) / 255).abs().max() <= 0.5 / 255 + 1e-6


def test_the_bayer_matrix():
    assert [[int(v * 16) for v in row] for row in tone.bayer(4)] == [
        [0, 8, 2, 10],
        [12, 4, 14, 6],
        [3, 11, 1, 9],
        [15, 7, 13, 5],
    ]


@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_dither_keeps_the_mean_and_the_levels(size):
    x = torch.linspace(0, 1, 9).reshape(9, 1, 1, 1).expand(9, 1, 32, 32)
    y = call("dither", x, levels=3.0, size=size)
    assert set(y.unique().tolist()) == {0.0, 0.5, 1.0}
    assert (y.mean((-3, -2, -1)) - x[:, 0, 0, 0]).abs().max() <= 0.5 / size**2 + 1e-6
    assert torch.equal(y[0], x[0])
    assert torch.equal(y[-1], x[-1])


def test_a_bad_size_of_dither_is_explained():
    with pytest.raises(ValueError, match="2, 4, 8 or 16"):
        call("dither", torch.rand(1, 8, 8), size=3)


@pytest.mark.parametrize("quality", [10, 50, 75, 95])
@pytest.mark.parametrize(("mode", "close"), [("none", 0.006), ("ste", 0.006), ("soft", 0.012)])
def test_jpeg_is_close_to_a_file(quality, mode, close, photo):
    image = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    image.fromarray((photo * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "jpeg", quality=quality)
    expected = torch.from_numpy(np.array(image.open(file))).permute(2, 0, 1) / 255
    ours = call("jpeg", photo, quality=float(quality), grad=mode)
    assert (ours - expected).abs().mean() < close
    assert (ours - expected).abs().mean() < 0.6 * (photo - expected).abs().mean()


def test_the_cosine_transform_is_undone():
    x = torch.rand(2, 3, 16, 24, dtype=torch.float64)
    torch.testing.assert_close(jpeg.from_blocks(jpeg.to_blocks(x)), x)
    assert jpeg.to_blocks(torch.ones(8, 8))[0, 0, 0, 0] == pytest.approx(8)


@pytest.mark.parametrize("mode", ["ste", "soft"])
def test_jpeg_has_gradients_to_image_and_quality(mode, photo):
    quality = torch.tensor(40.3, dtype=torch.float64)
    f = af.jpeg(grad=mode, clip="none")
    slopes = grad(lambda x, q: (f(x, {"quality": q})[0] * x.cos()).sum(), argnums=(0, 1))(photo, quality)
    assert all(s.isfinite().all() and (s != 0).any() for s in slopes)
    assert (grad(lambda x: af.jpeg(grad="none", quality=40.0)(x)[0].sum())(photo) == 0).all()


@pytest.mark.filterwarnings("ignore")
def test_soft_jpeg_has_kornias_gradients(photo):
    enhance = pytest.importorskip("kornia.enhance")
    x, quality = (0.3 + 0.4 * photo)[None], torch.tensor([40.3], dtype=torch.float64)
    weight = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).reshape(x.shape)
    f = af.jpeg(clip="none")
    ours = grad(lambda x, q: (f(x, {"quality": q})[0] * weight).sum(), argnums=(0, 1))(x, quality)
    inputs = x.clone().requires_grad_(), quality.clone().requires_grad_()
    theirs = torch.autograd.grad((enhance.jpeg_codec_differentiable(*inputs) * weight).sum(), inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", [*STEPS, "autocontrast", "tone_curve", "jpeg"])
def test_an_empty_batch_stays_empty(name):
    assert call(name, torch.rand(0, 3, 20, 24)).shape == (0, 3, 20, 24)


@pytest.mark.parametrize("name", ["jpeg", "clahe", "dither", "posterize"])
def test_frames_and_slices_are_images(name):
    """Frames of a video share the draw; so do slices of a volume, and blocks do not reach across them."""
    f = getattr(af, name)()
    x = smooth_image((2, 5), 3, (11, 18), torch.float64)
    params = f(x[:, 0], None, af.key(1))[1]
    each = torch.stack([f(x[:, t], params)[0] for t in range(5)], 1)
    torch.testing.assert_close(f({"video": x}, params)[0]["video"], each)
    volume = on_volumes(f)({"volume": x.movedim(1, 2)}, {"f": params}, af.key(0))[0]["volume"]
    torch.testing.assert_close(volume, each.movedim(1, 2))


def test_equalize_takes_a_volume_as_one():
    x = smooth_image((2,), 1, (4, 12, 10), torch.float64)
    flat = af.equalize()(x.flatten(-3, -2))[0].reshape(x.shape)
    volume = on_volumes(af.equalize())({"volume": x}, None, af.key(0))[0]["volume"]
    assert not torch.equal(volume, x)
    torch.testing.assert_close(volume, flat)


@pytest.mark.parametrize(
    ("module", "leaf", "expected"),
    [
        (A.RandomPosterize(), "bits", (3, 8)),
        (A.RandomPosterize((2, 5)), "bits", (2, 5)),
        (A.RandomClahe((2.0, 4.0)), "clip_limit", (2, 4)),
        (A.RandomJPEG(), "quality", (1, 100)),
        (A.RandomJPEG(20.0), "quality", (30, 70)),
        (A.RandomJPEG((40, 60)), "quality", (40, 60)),
        (A.RandomSolarize(), "addition", (-0.1, 0.1)),
        (A.RandomSolarize(0.1, (0.0, 0.3)), "addition", (0.0, 0.3)),
        (A.RandomDither((2, 4)), "levels", (2, 4)),
    ],
)
def test_shorthands(module, leaf, expected):
    found = module.params[leaf]
    assert (found.low.item(), found.high.item()) == pytest.approx(expected)


def test_fixed_shorthands():
    assert A.RandomSolarize(threshold=0.7).params["addition"].value == 0
    assert A.RandomJPEG(0).params["quality"].low == 50
    assert A.RandomToneCurve(0).params["shadows"].value == 0.25


def test_a_tone_curve_for_each_channel():
    y = A.RandomToneCurve(0.3, per_channel=True, p=1.0)(torch.full((1, 3, 4, 4), 0.5))
    assert len(y.unique()) == 3


def test_the_differentiable_clahe_has_a_gradient():
    module = A.RandomClahe(grid_size=(2, 2), slow_and_differentiable=True, p=1.0)
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    (slope,) = torch.autograd.grad(module(x).square().sum(), x)
    assert slope.abs().sum() > 0


def test_defaults_are_kornias():
    kornia = pytest.importorskip("kornia.augmentation")
    import inspect

    for name in ("RandomPosterize", "RandomEqualize", "RandomAutoContrast", "RandomClahe", "RandomJPEG"):
        theirs = inspect.signature(getattr(kornia, name).__init__).parameters
        ours = inspect.signature(getattr(A, name)).parameters
        for key in theirs.keys() - {"self", "same_on_batch", "keepdim"}:
            assert ours[key].default == theirs[key].default, (name, key)

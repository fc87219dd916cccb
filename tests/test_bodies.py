"""One protocol for the bodies that change pixel values: what they see of images, videos and volumes."""

import pytest
import torch
from torch.func import vmap

import augfn as af
import augfn_nn
from augfn.core.augmentation import filtering, noise, photometric
from augfn.core.spec import SPECS
from augfn.distributions import Uniform
from augfn.math.shapes import over
from augfn.testing import example
from augfn.testing.case import smooth_image
from augfn.typing import Factor, Shift3

KINDS = ("photometric", "filter", "noise")
VALUES = sorted(n for n, s in SPECS.items() if s.kind in KINDS and s.target == "image" and s.ndim == 2)
# whose axes have names or leaves of their own, or whose spectrum knows how deep a volume is; tested in test_ops_scanner
OF_AXES = ["anisotropy", "bias_field", "ghosting", "gibbs", "motion_artifact", "spike"]
PLANAR = [n for n in VALUES if SPECS[n].planar]
SENSOR = [n for n in VALUES if SPECS[n].kind == "noise" and not SPECS[n].planar]
SPATIAL_FILTERS = [n for n in VALUES if SPECS[n].kind == "filter" and not SPECS[n].planar and n not in OF_AXES]
POINTWISE = [n for n in VALUES if n not in PLANAR + SPATIAL_FILTERS + OF_AXES]
FRAME, KEY = (20, 24), af.key(7)
SETTINGS = {"rain": {"most": 8, "longest": 6}}


def made(name, kind):
    """The op on a target x of this kind: its name is what a field of noise hangs on."""
    return af.pipeline(op=example(name, **SETTINGS.get(name, {})), targets={"x": kind})


def on(name, kind, x, params=None):
    y, drawn = made(name, kind)({"x": x}, params, KEY)
    assert y["x"].shape == x.shape
    return y["x"], drawn


def clip(frames=3):
    return smooth_image((2, frames), 3, FRAME, torch.float32)


def volume(depth=4):
    return smooth_image((2,), 3, (depth, *FRAME), torch.float32)


def test_every_op_is_tried():
    assert len(VALUES) == len(PLANAR) + len(SPATIAL_FILTERS) + len(POINTWISE) + len(OF_AXES)
    assert SPATIAL_FILTERS == ["box_blur", "downscale", "gaussian_blur", "median_blur", "unsharp_mask"]
    assert set(SENSOR) < set(POINTWISE)


# videos


@pytest.mark.parametrize("name", sorted({*VALUES} - {*SENSOR}))
def test_a_frame_of_a_video_is_the_image(name):
    x = clip()
    y, params = on(name, "video", x)
    for t in range(x.shape[1]):
        torch.testing.assert_close(y[:, t], on(name, "image", x[:, t], params)[0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["gaussian_noise", "speckle", "poisson_noise"])
def test_the_noise_of_a_video_is_that_of_all_its_channels(name):
    """Another in each frame, in the order of the numbers."""
    x = clip()
    y, params = on(name, "video", x)
    torch.testing.assert_close(y, on(name, "image", x.flatten(1, 2), params)[0].reshape(x.shape))


@pytest.mark.parametrize("name", SENSOR)
def test_a_sensors_noise_differs_from_frame_to_frame(name):
    x = clip(1).expand(2, 3, 3, *FRAME)
    y, _ = on(name, "video", x)
    assert not torch.equal(y[:, 0], y[:, 1])
    assert not torch.equal(y[:, 1], y[:, 2])


@pytest.mark.parametrize("name", ["plasma_brightness", "plasma_contrast", "plasma_shadow"])
def test_plasma_is_one_for_a_clip(name):
    x = clip(1).expand(2, 3, 3, *FRAME)
    y, _ = on(name, "video", x)
    assert torch.equal(y[:, :1].expand_as(y), y)
    assert not torch.allclose(y, x)


@pytest.mark.parametrize("name", VALUES)
def test_vmap_over_clips_is_the_batch(name):
    x, f = clip(), made(name, "video")
    y, params = f({"x": x}, None, KEY)
    each = lambda x, p: f({"x": x}, p)[0]["x"]  # noqa: E731
    mapped = vmap(each)(x, params) if params["op"] else vmap(lambda x: each(x, params))(x)
    torch.testing.assert_close(mapped, y["x"], atol=1e-5, rtol=1e-5)


# volumes


@pytest.mark.parametrize("name", PLANAR)
def test_a_slice_of_a_volume_is_the_image(name):
    x = volume()
    y, params = on(name, "volume", x)
    assert y.is_contiguous()
    for z in range(x.shape[2]):
        torch.testing.assert_close(y[:, :, z], on(name, "image", x[:, :, z], params)[0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", POINTWISE)
def test_point_by_point_a_volume_is_an_image_laid_flat(name):
    """Statistics are those of all voxels, and the numbers of a field lie in the same order."""
    x = volume()
    y, params = on(name, "volume", x)
    torch.testing.assert_close(y, on(name, "image", x.flatten(2, 3), params)[0].reshape(x.shape), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", SPATIAL_FILTERS)
def test_what_is_even_in_depth_is_filtered_as_its_slices(name):
    x = volume(1)
    y, params = on(name, "volume", x.expand(2, 3, 6, *FRAME))
    flat = on(name, "image", x[:, :, 0], params)[0]
    torch.testing.assert_close(y, flat.unsqueeze(2).expand_as(y), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n in SPATIAL_FILTERS if n != "median_blur"])  # whose kernel is flat by default
def test_filters_know_no_axis_from_another(name):
    x = smooth_image((2,), 3, (9, 9, 9), torch.float32)
    y, params = on(name, "volume", x)
    turned = on(name, "volume", x.movedim(2, 4), params)[0]
    torch.testing.assert_close(turned.movedim(4, 2), y, atol=1e-6, rtol=1e-5)


def test_contrast_of_a_volume_in_closed_form():
    x = torch.rand(2, 1, 3, 5, 6)
    y = af.contrast(factor=0.5, clip="none")({"volume": x})[0]["volume"]
    torch.testing.assert_close(y, 0.5 * x + 0.5 * x.mean((1, 2, 3, 4), keepdim=True))


def test_fog_and_shadow_of_a_volume_in_closed_form():
    x = torch.rand(2, 3, 3, 4, 4)
    y = af.fog(density=0.25, patchiness=0.0)({"volume": x}, None, KEY)[0]["volume"]
    torch.testing.assert_close(y, x + 0.25 * (1 - x))
    left = torch.tensor([[0.0, -0.5], [0.5, -0.5], [0.5, 1.5], [0.0, 1.5]])
    y = af.shadow(corners=left, intensity=0.75, softness=0.0)({"volume": x})[0]["volume"]
    torch.testing.assert_close(y, x * torch.tensor([0.25, 0.25, 1.0, 1.0]))


def test_a_patch_covers_one_place_in_every_slice():
    x = torch.full((2, 1, 3, 8, 8), 2.0)
    y = af.patch(scale=0.25, ratio=1.0, position=0.0)({"volume": x}, None, KEY)[0]["volume"]
    assert (y[..., :4, :4] <= 1).all()
    assert (y[..., 4:, :] == 2).all()
    assert (y[..., :, 4:] == 2).all()
    assert torch.equal(y, y[:, :, :1].expand_as(y))


# the dimension of a call is that of its targets


@pytest.mark.parametrize("name", VALUES)
def test_a_volume_alone(name):
    """No step of three dimensions is needed beside it; gated too."""
    x, f = {"volume": volume()}, example(name, p=0.5, **SETTINGS.get(name, {}))
    y, params = f(x, None, KEY)
    beside, _ = af.pipeline(af.hflip3d(p=0.0), op=f)(x, {"op": params}, KEY)
    assert torch.equal(y["volume"], beside["volume"])


def test_a_volume_with_what_belongs_to_it():
    x = {"volume": volume(), "mask": torch.ones(2, 4, *FRAME), "boxes": torch.tensor([[[0.0, 0, 0, 2, 2, 2]]] * 2)}
    for f in (
        af.brightness(),
        af.pipeline(af.hue(), af.gaussian_blur(kernel_size=3)),
        af.maybe(af.fog(), p=1.0),
        af.one_of(af.invert(), af.gamma()),
        af.mixup(),
    ):
        y, params = f(x, None, KEY)
        assert not torch.equal(y["volume"], x["volume"])
        if not f.mixes:
            assert torch.equal(y["mask"], x["mask"])
            assert torch.equal(f(x, params)[0]["volume"], y["volume"])
    module = augfn_nn.RandomBrightness((0.5, 0.5), p=1.0)
    torch.testing.assert_close(module({"volume": x["volume"]})["volume"], x["volume"] * 0.5)
    one = x["volume"][0]
    torch.testing.assert_close(module({"volume": one})["volume"].squeeze(0), one * 0.5)


def test_worlds_stay_apart():
    x = volume()
    for f in (af.rotate(), af.pipeline(af.brightness(), af.rotate()), af.maybe(af.hflip())):
        with pytest.raises(ValueError, match="one world"):
            f({"volume": x}, None, KEY)
    with pytest.raises(ValueError, match="one world"):
        af.brightness()({"volume": x, "image": x[:, :, 0]}, None, KEY)


def test_a_bare_tensor_is_an_image():
    x = clip()
    y, params = af.contrast(clip="none")(x, None, KEY)
    assert params["factor"].shape == (2, 3)
    torch.testing.assert_close(y[1, 2], af.contrast(clip="none")(x[1, 2], {"factor": params["factor"][1, 2]})[0])


def test_the_inverse_of_colour_alone_leaves_a_volume():
    x, f = {"volume": volume()}, af.brightness()
    y, params = f(x, None, KEY)
    back, valid = af.invert(f)(y, params)
    torch.testing.assert_close(back["volume"], y["volume"])
    assert valid.shape == (2, 4, *FRAME)


# what a body sees

saw = {}


def probe(x, *, factor: Factor = Uniform(0.5, 1.5), shift: Shift3 = Uniform((0.0,) * 3, (1.0,) * 3)):
    saw.update(x=x.shape, factor=factor.shape, shift=shift.shape, dtype=factor.dtype)
    return x * over(x, factor) + over(x, shift)


def field_probe(x, field, *, factor: Factor = Uniform(0.5, 1.5)):
    saw.update(x=x.shape, field=field.shape, factor=factor.shape)
    return x + over(x, factor) * field


@pytest.fixture
def registered():
    yield
    for name in ("probe", "field_probe"):
        SPECS.pop(name, None)


SHAPES = {  # target: (its shape, what a body sees of it, its leaves' batch), and the same for a planar one
    "image": ((2, 3, 6, 7), (2, 3, 6, 7), (2,), (2, 3, 6, 7), (2,)),
    "video": ((2, 5, 3, 6, 7), (2, 5, 3, 6, 7), (2, 1), (2, 5, 3, 6, 7), (2, 1)),
    "volume": ((2, 3, 4, 6, 7), (2, 3, 4, 6, 7), (2,), (2, 4, 3, 6, 7), (2, 1)),
}


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("decorator", [photometric, filtering])
def test_what_a_body_sees(decorator, kind, planar, dtype, registered):
    shape, *seen = SHAPES[kind]
    sight, batch = seen[2:] if planar else seen[:2]
    x, f = torch.rand(shape, dtype=dtype), decorator(planar=planar)(probe)()
    y, params = f({kind: x}, None, KEY)
    wide = torch.promote_types(dtype, torch.float32)
    assert saw == {"x": sight, "factor": batch, "shift": (*batch, 3), "dtype": wide}
    factor = params["factor"].reshape(2, *[1] * (x.ndim - 1))
    along = [1] * (x.ndim - 1)
    along[1 if kind == "video" else 0] = 3
    wanted = x.to(wide) * factor + params["shift"].reshape(2, *along)
    torch.testing.assert_close(y[kind], wanted.to(dtype))
    saw.clear()


@pytest.mark.parametrize("channels", [None, 1])
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize("kind", SHAPES)
def test_what_a_noise_sees(kind, planar, channels, registered):
    shape, *seen = SHAPES[kind]
    sight, batch = seen[2:] if planar else seen[:2]
    f = noise(planar=planar, field_channels=channels)(field_probe)
    f()({kind: torch.rand(shape)}, None, KEY)
    field = list(sight)
    field[len(batch)] = channels or 3
    if planar and len(batch) == 2:
        field[1] = 1
    assert saw == {"x": sight, "field": tuple(field), "factor": batch}
    saw.clear()


def test_a_leaf_over_an_image():
    x = torch.zeros(2, 3, 4, 5, 6, dtype=torch.float64)
    for leaf, shape in (((2,), (2, 1, 1, 1, 1)), ((2, 3), (2, 3, 1, 1, 1)), ((2, 1), (2, 1, 1, 1, 1)), ((), (1,) * 5)):
        laid = over(x, torch.zeros(leaf))
        assert laid.shape == shape
        assert laid.dtype == x.dtype


@pytest.mark.parametrize("kind", ["video", "volume"])
@pytest.mark.parametrize("name", ["hue", "gaussian_noise", "plasma_shadow", "motion_blur"])
def test_frames_and_slices_compile(name, kind):
    x, f = {kind: clip() if kind == "video" else volume()}, example(name)
    compiled = torch.compile(f, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, None, KEY)[0][kind], f(x, None, KEY)[0][kind], atol=1e-5, rtol=1e-5)
    torch._dynamo.reset()

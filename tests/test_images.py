"""Images in and out: what `to_float`, `to_uint8` and `to_pil` take and give, and pipelines that begin or end with them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

import augfn as af
import augfn_nn
from augfn.testing.case import agree

K = af.key(0)
BYTES = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16)
PHOTO = data.astronaut()[::4, ::3]  # [128, 171, 3]


@pytest.mark.parametrize(
    ("x", "full"),
    [
        (BYTES, 255),
        (torch.tensor([0, 65535, 4095], dtype=torch.int32).to(torch.uint16), 65535),
        (torch.tensor([True, False]), 1),
    ],
    ids=["uint8", "uint16", "bool"],
)
def test_the_full_scale_of_a_dtype(x, full):
    y = af.to_float(x)
    assert y.dtype == torch.float32
    assert y.tolist() == (x.to(torch.float32) / full).tolist()


@pytest.mark.parametrize("dtype", [torch.uint16, torch.int16, torch.int32, torch.int64, torch.float32])
def test_twelve_bits_in_any_container(dtype):
    assert af.to_float(torch.tensor([0, 4095]).to(dtype), max=4095).tolist() == [0.0, 1.0]


@pytest.mark.parametrize("dtype", [torch.int8, torch.int16, torch.int32, torch.int64])
def test_other_integers_need_a_full_scale(dtype):
    with pytest.raises(TypeError, match=r"max=255"):
        af.to_float(torch.tensor([0, 100], dtype=dtype))


def test_floats_are_kept():
    for dtype in (torch.float16, torch.float32, torch.float64):
        x = torch.rand(3, 4, 4).to(dtype)
        assert af.to_float(x) is x
        assert af.to_float(x * 255, max=255).dtype == dtype


@pytest.mark.parametrize("bad", [0, -1, "255"])
def test_a_bad_full_scale(bad):
    with pytest.raises(ValueError, match="max=255"):
        af.to_float(BYTES, max=bad)


# axes


def test_arrays_become_channels_first():
    assert torch.equal(af.to_float(PHOTO), af.to_float(torch.from_numpy(PHOTO.copy()).permute(2, 0, 1)))
    assert af.to_float(PHOTO).is_contiguous()
    assert af.to_float(PHOTO[..., 0]).shape == (1, 128, 171)
    assert af.to_float(PHOTO[..., :1]).shape == (1, 128, 171)
    assert af.to_float(PHOTO[None]).shape == (1, 3, 128, 171)
    assert af.to_float(np.broadcast_to(PHOTO, (5, *PHOTO.shape))).shape == (5, 3, 128, 171)


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 8, 4), (8, 8, 5), (2, 8, 3), (2, 3, 8, 8), (4,), (1, 2, 8, 8, 3)])
def test_other_arrays_say_their_layout(shape):
    with pytest.raises(ValueError, match="layout="):
        af.to_float(np.zeros(shape, np.uint8))


@given(st.permutations("NTCDHW"), st.sets(st.sampled_from("NTCD")))
def test_any_layout(order, left_out):
    layout = "".join(axis for axis in order if axis not in left_out)
    sizes = dict(zip("NTCDHW", (2, 3, 4, 5, 6, 7), strict=True))
    x = torch.rand([sizes[axis] for axis in layout])
    y = af.to_float(x, layout=layout)
    kept = [axis for axis in "NTCDHW" if axis in layout or axis == "C"]
    assert y.shape == tuple(sizes[axis] if axis in layout else 1 for axis in kept)
    assert torch.equal(y.squeeze(), torch.einsum(f"{layout}->{''.join(a for a in kept if a in layout)}", x).squeeze())


@pytest.mark.parametrize("layout", ["HWCC", "HW", "CHX", "NCHW", "CH"])
def test_a_bad_layout(layout):
    with pytest.raises(ValueError, match="letters of NTCDHW"):
        af.to_float(torch.zeros(3, 4, 4), layout=layout)


def test_arrays_of_any_memory():
    whole = PHOTO[:8, :8].copy()
    read_only = whole.copy()
    read_only.flags.writeable = False
    for x in (whole[::-1], whole[:, ::-1], read_only):
        assert torch.equal(af.to_uint8(af.to_float(x)), torch.from_numpy(x.copy()).permute(2, 0, 1))
    deep = whole.astype(np.uint16) * 257
    assert torch.equal(af.to_float(deep.astype(">u2")), af.to_float(deep))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "F", "I;16"])
def test_pil_images(mode):
    image = Image.fromarray(PHOTO).convert("I" if mode == "I;16" else mode)
    image = image.convert(mode)
    y = af.to_float(image)
    expected = torch.from_numpy(np.array(image)).float() / {"1": 1, "F": 1, "I;16": 65535}.get(mode, 255)
    assert y.shape == (len(image.getbands()), 128, 171)
    agree(mode, y, expected[None] if expected.ndim == 2 else expected.permute(2, 0, 1), 1e-7)


@pytest.mark.parametrize("mode", ["P", "CMYK", "YCbCr", "HSV", "LAB"])
def test_colour_spaces_are_refused(mode):
    image = Image.fromarray(PHOTO).convert(mode)
    with pytest.raises(ValueError, match=r'image\.convert\("RGB"\)'):
        af.to_float(image)
    assert af.to_float(image.convert("RGB")).shape == (3, 128, 171)


def test_what_is_no_image():
    with pytest.raises(TypeError, match=r"np\.array"):
        af.to_float([[1, 2], [3, 4]])


# back


def test_bytes_come_back_as_they_were():
    assert torch.equal(af.to_uint8(af.to_float(BYTES)), BYTES)
    assert af.to_uint8(BYTES) is BYTES
    assert af.to_uint8(torch.tensor([-3.0, 0.499 / 255, 0.501 / 255, 7.0])).tolist() == [0, 0, 1, 255]
    assert af.to_uint8(torch.tensor([0, 65535], dtype=torch.int32).to(torch.uint16)).tolist() == [0, 255]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pil_and_back(mode):
    image = Image.fromarray(PHOTO).convert(mode)
    assert np.array_equal(np.asarray(af.to_pil(af.to_float(image))), np.asarray(image))
    assert len(af.to_pil(torch.rand(4, 3, 8, 8, requires_grad=True))) == 4


@pytest.mark.parametrize("shape", [(5, 8, 8), (8, 8), (2, 7, 8, 8)])
def test_no_pil_image(shape):
    with pytest.raises(ValueError, match="to_pil: not an image"):
        af.to_pil(torch.rand(shape))


# steps


def colourful(*last):
    steps = (af.hflip(p=0.5), af.rotate(), af.color_jitter(brightness=(0.8, 1.2), hue=(-0.1, 0.1)))
    return af.pipeline(*steps), af.pipeline(af.to_float(), *steps, *last)


@pytest.mark.parametrize(("n", "side"), [(3, 12), (64, 64)], ids=["small", "in slices"])
def test_a_pipeline_takes_integers_and_gives_them(n, side):
    x = torch.randint(256, (n, 3, side, side), dtype=torch.uint8)
    before = x.clone()
    plain, f = colourful()
    _, back = colourful(af.to_uint8())
    y, params = plain(af.to_float(x), None, K)
    assert torch.equal(f(x, None, K)[0], y)
    assert torch.equal(back(x, None, K)[0], af.to_uint8(y))
    assert torch.equal(back(x, {**params, "to_float": {}})[0], af.to_uint8(y))
    assert torch.equal(x, before)


def test_other_targets_stay():
    _, f = colourful(af.to_uint8())
    x = {"image": BYTES.repeat(2, 3, 1, 1), "image_b": torch.rand(2, 3, 16, 16), "mask": BYTES.expand(2, 16, 16)}
    y, _ = f(x, None, K)
    assert [y[n].dtype for n in y] == [torch.uint8, torch.uint8, torch.uint8]
    assert set(y["mask"].unique().tolist()) <= set(range(256))
    with pytest.raises(TypeError, match="integer values"):
        f({"image": x["image"], "depth": BYTES.expand(2, 1, 16, 16)}, None, K)


def test_conversions_under_vmap_and_compile():
    _, f = colourful(af.to_uint8())
    x = torch.randint(256, (3, 3, 12, 12), dtype=torch.uint8)
    y, params = f(x, None, K)
    assert (torch.func.vmap(f)(x, params)[0].int() - y.int()).abs().max() <= 1
    assert (f.compiled(backend="eager")(x, None, K)[0].int() - y.int()).abs().max() <= 1


def test_gradients_pass_a_first_conversion():
    f = af.pipeline(af.to_float(max=2.0), af.brightness(factor=0.5))
    x = torch.rand(2, 3, 4, 4, requires_grad=True)
    (g,) = torch.autograd.grad(f(x)[0].sum(), x)
    assert torch.equal(g, torch.full_like(g, 0.25))


def test_volumes_and_video():
    f = af.pipeline(af.to_float(max=1000), af.hflip3d())
    assert f(torch.full((1, 4, 5, 6), 500, dtype=torch.int16))[0].unique().tolist() == [0.5]
    clip = {"video": torch.zeros(2, 3, 3, 8, 8, dtype=torch.uint8)}
    assert af.pipeline(af.to_float(), af.hflip())(clip)[0]["video"].dtype == torch.float32


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: af.pipeline(af.to_uint8(), af.hflip()), "to_uint8 last"),
        (lambda: af.pipeline(af.pipeline(af.hflip(), af.to_uint8()), af.rotate()), "pipeline last"),
        (lambda: af.maybe(af.to_float()), "before or after"),
        (lambda: af.one_of(af.pipeline(af.hflip(), af.to_uint8()), af.rotate()), "before or after"),
        (lambda: af.to_float(layout="HWC"), "before the pipeline"),
    ],
)
def test_conversions_stand_at_the_ends(make, advice):
    with pytest.raises(ValueError, match=advice):
        make()


def test_integers_meet_advice_that_works():
    with pytest.raises(TypeError, match=r"af\.to_float\(\) as the first step"):
        af.hflip()(BYTES)
    assert af.pipeline(af.to_float(), af.hflip())(BYTES)[0].shape == BYTES.shape


def test_modules_hold_conversions():
    aug = augfn_nn.AugmentationSequential(af.to_float(), augfn_nn.RandomHorizontalFlip(p=1.0), af.to_uint8())
    x = BYTES.expand(2, 3, 16, 16)
    assert torch.equal(aug(x), x.flip(-1))

"""What the mechanism does for every body: clip, channels, and bodies that look at the mask or the boxes."""

import math

import pytest
import torch
from torch.autograd import forward_ad
from torch.func import vmap

import augfn as af
import augfn_nn
from augfn.core.augmentation import geometric, occlusion
from augfn.core.spec import SPECS
from augfn.math.color import luma
from augfn.math.maps import Map
from augfn.math.steps import stepped
from augfn.testing import example
from augfn.testing.case import smooth_image
from augfn.typing import Fraction

X = torch.linspace(-0.2, 1.2, 2 * 5 * 4 * 6).reshape(2, 5, 4, 6)
RGB = X[:, :3]


@pytest.fixture
def seeing():
    """Two ops that look at other targets: a shift that brings the mask's middle to the image's, and a hole in every box."""

    @geometric
    def middle(mask, *, size, share: Fraction = 1.0):
        weight = (mask > 0).float()
        axes = [torch.arange(n) - (n - 1) / 2 for n in mask.shape[-2:]]
        y, x = ((weight * a).sum((-2, -1)) / weight.sum((-2, -1)) for a in (axes[0][:, None], axes[1]))
        return Map.linear(torch.eye(2), torch.stack([x, y], -1) * share[..., None], size=(size, size))

    @occlusion
    def holes(frame, boxes, *, depth: Fraction = 1.0):
        low, high = boxes.xyxy(frame).chunk(2, -1)
        y, x = (torch.arange(n) + 0.5 for n in frame)
        inside = [(a > low[..., i, None]) & (a < high[..., i, None]) for i, a in enumerate((x, y))]
        return (inside[1][..., :, None] & inside[0][..., None, :]).any(-3) * depth[..., None, None]

    return middle, holes


def blob(b, column):
    mask = torch.zeros(b, 9, 9, dtype=torch.int64)
    mask[:, 4, column] = 1
    return {"image": mask[:, None].float(), "mask": mask}


def test_a_body_looks_at_the_mask(seeing):
    out, params = seeing[0](size=9)(blob(2, 6), None, af.key(0))
    assert out["mask"].argmax(-1)[:, 4].tolist() == [4, 4]
    assert torch.equal(out["image"][:, 0].round().long(), out["mask"])
    assert list(params) == ["share"]


def test_it_sees_what_the_steps_before_have_made(seeing):
    f = af.pipeline(af.hflip(), seeing[0](size=9), af.translate(translate=torch.tensor([1 / 9, 0.0])))
    assert f(blob(2, 1))[0]["mask"].argmax(-1)[:, 4].tolist() == [5, 5]


def test_each_sample_has_its_own_view(seeing):
    sample = {n: torch.cat([blob(1, c)[n] for c in (1, 4, 7)]) for n in ("image", "mask")}
    f = seeing[0](size=9, share=af.Uniform(0.0, 1.0))
    out, params = f(sample, None, af.key(1))
    each = vmap(lambda s, p: f(s, p)[0]["image"])(sample, params)
    torch.testing.assert_close(each, out["image"])
    compiled = torch.compile(f, fullgraph=True, backend="aot_eager")(sample, None, af.key(1))[0]
    torch.testing.assert_close(compiled["image"], out["image"])


def test_a_large_batch_in_blocks_is_the_same(seeing, monkeypatch):
    sample = {n: torch.cat([blob(16, c)[n] for c in (1, 7)]) for n in ("image", "mask")}
    f = af.pipeline(
        seeing[0](size=9, share=af.Uniform(0.0, 1.0)), af.brightness(p=0.5), af.normalize(mean=0.5, std=0.2)
    )
    whole, params = f(sample, None, af.key(1))
    monkeypatch.setattr("augfn.run.slices.BLOCK_BYTES", 2000)
    parts = f(sample, params)[0]
    assert torch.equal(whole["image"], parts["image"])
    assert torch.equal(whole["mask"], parts["mask"])


def test_gates_and_gradients_reach_such_ops(seeing):
    x = {"image": torch.ones(2, 1, 8, 8), "boxes": torch.tensor([[[1.0, 1.0, 5.0, 4.0]]]).expand(2, 1, 4)}
    f = seeing[1](p=0.5)
    gate = torch.tensor([0.0, 1.0])
    assert f(x, {"gate": gate, "depth": torch.ones(2)})[0]["image"].sum((1, 2, 3)).tolist() == [64.0, 64.0 - 12]
    slope = torch.func.grad(lambda d: f(x, {"gate": gate, "depth": d})[0]["image"].sum())(torch.full((2,), 0.5))
    assert slope.tolist() == [0.0, -12.0]


@pytest.mark.parametrize("extra", [{}, {"mask_a": 1, "mask_b": 1}])
def test_there_must_be_one_such_target(seeing, extra):
    sample = {"image": torch.zeros(1, 1, 9, 9)} | {n: blob(1, 2)["mask"] for n in extra}
    with pytest.raises(ValueError, match=r"middle looks at the mask[\s\S]*one target of the kind 'mask'"):
        seeing[0](size=9)(sample)


def test_the_map_is_not_known_without_it(seeing):
    f = seeing[0](size=9)
    with pytest.raises(ValueError, match="not known from params alone"):
        af.transform_matrix(f, f(blob(1, 2))[1], (9, 9))
    with pytest.raises(ValueError, match="changes the frame"):
        seeing[0](size=5, p=0.5)(blob(1, 2), None, af.key(0))


@pytest.mark.parametrize("op", [af.brightness(factor=1.5), af.invert(), af.gaussian_noise(std=0.5), af.gaussian_blur()])
def test_clip(op):
    """none leaves values as they are, clamp and ste bring them into [0, 1], ste with the gradient of none."""
    build = lambda mode: type(op)(op.spec, op.params, op.static, clip=mode)  # noqa: E731
    raw, clamped, ste = (build(mode)(RGB, None, af.key(0))[0] for mode in ("none", "clamp", "ste"))
    assert raw.min() < 0 or raw.max() > 1
    assert torch.equal(clamped, raw.clamp(0, 1))
    assert torch.equal(ste, clamped)
    slopes = [
        torch.func.grad(lambda x, f=build(m): (f(x, None, af.key(0))[0] * RGB).sum())(RGB)
        for m in ("none", "ste", "clamp")
    ]
    torch.testing.assert_close(slopes[0], slopes[1])
    assert not torch.allclose(slopes[0], slopes[2])


@pytest.mark.parametrize("op", [af.invert, af.brightness])
def test_a_closed_gate_does_not_clip(op):
    f = op(p=0.5, clip="clamp")
    y, params = f(X, None, af.key(3))
    off = params["gate"] == 0
    assert torch.equal(f(X, params | {"gate": torch.zeros(2)})[0], X)
    assert torch.equal(y[off], X[off])


def test_clips_and_channels_part_what_would_fuse():
    f = af.pipeline(af.invert(clip="clamp"), af.normalize(mean=0.5, std=0.5))
    torch.testing.assert_close(f(X)[0], ((1 - X).clamp(0, 1) - 0.5) / 0.5)
    g = af.pipeline(af.invert(channels=0), af.invert(channels=(0, 1)))
    torch.testing.assert_close(g(X)[0], torch.cat([X[:, :1], 1 - X[:, 1:2], X[:, 2:]], 1))


@pytest.mark.parametrize("kind", ["image", "video", "volume"])
@pytest.mark.parametrize("op", [af.hue, af.grayscale, af.gaussian_blur, af.color_twist])
def test_three_of_five_channels(op, kind):
    """The others stay as they were, bit for bit; the three are as if they were alone."""
    shape = {"image": (2, 5, 6, 7), "video": (2, 3, 5, 6, 7), "volume": (2, 5, 4, 6, 7)}[kind]
    axis = -4 if kind == "volume" else -3
    x, chosen = torch.rand(shape), torch.tensor([4, 0, 2])
    wrap = (lambda f: af.pipeline(f, af.hflip3d(p=0.0))) if kind == "volume" else lambda f: f
    y, params = wrap(op(channels=(4, 0, 2)))({kind: x}, None, af.key(0))
    alone = wrap(op())({kind: x.index_select(axis, chosen)}, params)[0][kind]
    rest = torch.tensor([1, 3])
    torch.testing.assert_close(y[kind].index_select(axis, chosen), alone)
    assert torch.equal(y[kind].index_select(axis, rest), x.index_select(axis, rest))


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"channels": (0, 1)}, "three different indices"),
        ({"channels": (0, 0, 1)}, "three different indices"),
        ({"channels": (0, 1, -1)}, "three different indices"),
        ({"clip": "cut"}, "one of none, clamp, ste"),
    ],
)
def test_bad_settings(keywords, words):
    with pytest.raises(ValueError, match=words):
        af.hue(**keywords)


def test_bad_images():
    with pytest.raises(ValueError, match="at least 10 channels"):
        af.hue(channels=(0, 1, 9))(X, None, af.key(0))
    for channels in (1, 2, 5):
        with pytest.raises(ValueError, match="hue needs three channels"):
            af.hue()(X[:, :channels], None, af.key(0))


def test_modules_take_channels():
    f = augfn_nn.RandomHue((0.2, 0.2), channels=(0, 1, 2))
    y = f(X)
    assert torch.equal(y[:, 3:], X[:, 3:])
    assert not torch.equal(y[:, :3], X[:, :3])


def test_steps_have_a_choice_of_gradient():
    x = torch.tensor([0.3, 0.8], requires_grad=True)
    slopes = {"none": [0.0, 0.0], "ste": [1.0, 1.0], "soft": [0.6, 1.6]}
    for mode, wanted in slopes.items():
        y = stepped(x.round(), x, lambda: x**2, mode)
        assert torch.equal(y, x.round())
        torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], torch.tensor(wanted))
    with pytest.raises(ValueError, match="one of none, ste, soft"):
        stepped(x, x, lambda: x, "hard")


@pytest.mark.parametrize("name", [n for n, s in SPECS.items() if "grad" in s.static])
def test_no_gradient_is_a_gradient_of_zero(name):
    """The image is in the graph of what comes out, also of one with values that are not finite."""
    x = smooth_image((2,), 3, (20, 24), torch.float32)
    x[..., 3, 3] = math.inf
    x.requires_grad_()
    y = example(name, grad="none")(x, None, af.key(0))[0]
    slope = torch.autograd.grad(y.nan_to_num(0, 0, 0).sum(), x)[0]
    assert slope.isfinite().all()
    assert (slope == 0).all() or name in ("solarize", "salt_and_pepper", "snow")  # which show the image too


def test_a_leaf_that_makes_the_op_cannot_be_none():
    for build in (lambda: af.rotate(degrees=None), lambda: af.brightness(factor=None), lambda: af.color_jitter()):
        with pytest.raises(ValueError, match="nothing to do"):
            build()


def test_returned_params_are_not_the_ranges():
    f = af.rotate(degrees=30.0)
    f(torch.rand(3, 8, 8))[1]["degrees"].zero_()
    assert f(torch.rand(3, 8, 8))[1]["degrees"] == 30


def test_colour_maps_compile_for_any_number_of_channels():
    x, params = torch.rand(2, 3, 8, 8), af.color_twist()(torch.rand(2, 3, 8, 8), None, af.key(0))[1]
    compiled = torch.compile(af.color_twist(), backend="eager", fullgraph=True, dynamic=True)
    torch.testing.assert_close(compiled(x, params)[0], af.color_twist()(x, params)[0])


@pytest.mark.parametrize(
    "f",
    [
        af.invert(),
        af.normalize(mean=0.5, std=0.2),
        af.erase(),
        af.gaussian_noise(),
        af.resized_crop(size=8),
        af.pipeline(af.affine(degrees=(-9, 9), p=0.5), af.color_jitter(brightness=(0.8, 1.2), hue=(-0.1, 0.1))),
    ],
    ids=lambda f: f.name,
)
def test_compiled_for_any_size_from_the_first_call_on(f):
    compiled = torch.compile(f, backend="eager", fullgraph=True, dynamic=True)
    for x in (torch.rand(2, 3, 16, 16), torch.rand(3, 3, 20, 12)):
        torch.testing.assert_close(compiled(x, None, af.key(0))[0], f(x, None, af.key(0))[0], rtol=1e-4, atol=1e-4)


def test_forward_differentiation_of_dual_tensors():
    f, x, dx = af.brightness(factor=0.5), torch.rand(3, 4, 4), torch.rand(3, 4, 4)
    with forward_ad.dual_level():
        y = f(forward_ad.make_dual(x, dx))[0]
        assert torch.equal(forward_ad.unpack_dual(y).tangent, dx / 2)


def test_fused_colour_maps_of_every_form_agree_with_one_after_the_other():
    steps = [
        af.invert(),
        af.color_twist(),
        af.brightness_shift(clip="none"),
        af.grayscale(p=0.5),
        af.normalize(mean=0.5, std=0.2),
    ]
    x = torch.rand(4, 3, 8, 8)
    for a in steps:
        for b in steps:
            y, params = af.pipeline(a, b)(x, None, af.key(0))
            apart = b(a(x, next(iter(params.values())))[0], list(params.values())[-1])[0]
            torch.testing.assert_close(y, apart)


def test_grayscale_is_the_luma_and_wants_a_weight_for_each_channel():
    x = torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(af.grayscale()(x)[0], luma(x).expand_as(x))
    with pytest.raises(ValueError, match="colour map and image disagree"):
        af.grayscale(weights=(1.0,))(x)

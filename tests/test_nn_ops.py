import enum
import inspect
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import augfn as af
import augfn_nn as A
from augfn.core.spec import OF_CLIPS, SEEN, SPECS
from augfn_nn.derive import Derived

CLASSES = {n: c for n in A.__all__ if isinstance(c := getattr(A, n), type) and issubclass(c, Derived)}
ARGUMENTS = {  # of the classes that need some
    "DepthNormalize": {"max": 2.0},
    "RandomRotation90": {"times": (1, 1)},
    "RandomRotation": {"degrees": 15},
    "RandomAffine": {"degrees": 15},
    "RandomShear": {"shear": 10},
    "CenterCrop": {"size": 6},
    "RandomCrop": {"size": (6, 6)},
    "RandomResizedCrop": {"size": (6, 6)},
    "Resize": {"size": (6, 6)},
    "Pad": {"padding": 2},
    "PadTo": {"size": (10, 10)},
    "ColorJitter": {"brightness": 0.2},
    "Normalize": {"mean": 0.5, "std": 0.5},
    "Denormalize": {"mean": 0.5, "std": 0.5},
    "RandomGaussianBlur": {"kernel_size": 3},
    "RandomMotionBlur": {"kernel_size": 3, "angle": 30.0, "direction": 0.5},
    "RandomRotation3D": {"degrees": 15},
    "RandomAffine3D": {"degrees": 15},
    "LongestMaxSize": {"max_size": 6},
    "SmallestMaxSize": {"max_size": 6},
    "ScaleJitter": {"target_size": (6, 6)},
    "BBoxSafeCrop": {"size": 6},
    "CropNonEmptyMask": {"size": 6},
    "RandomRot90_3D": {"times": (2, 2)},
    "RandomShear3D": {"shears": 10},
    "RandomMotionBlur3D": {"kernel_size": 3, "angle": 30.0, "direction": 0.5},
    "RandomAnisotropy": {"axis": "y"},
    "CenterCrop3D": {"size": (2, 6, 6)},
    "RandomCrop3D": {"size": (2, 6, 6)},
    "ForegroundCrop3D": {"size": (2, 6, 6)},
    "Pad3D": {"padding": 2},
    "PadTo3D": {"divisible": 5},
    "Resize3D": {"size": 6},
    "Spacing3D": {"source": (1.0, 1.0, 2.0), "spacing": 1.0},
    "TimeCrop": {"size": 3},
    "TimeSubsample": {"size": 3},
}
each_class = pytest.mark.parametrize("name", CLASSES)


def make(name, **more):
    return CLASSES[name](**(ARGUMENTS.get(name, {}) | more))


def sample_for(name, b, h, w):
    """An image, volume or clip, with what its class looks at besides; a depth map of one channel."""
    spec = CLASSES[name].spec
    if spec.kind == "temporal":
        return {"video": torch.rand(b, 5, 3, h, w), "label": torch.zeros(b)}
    x = torch.rand((b, 1, 4, h, w) if spec.ndim == 3 else (b, 1 if spec.target == "depth" else 3, h, w))
    box = [1.0, 1.0, w / 2, h / 2] if spec.ndim == 2 else [1.0, 1.0, 0.0, w / 2, h / 2, 4.0]
    seen = {"mask": (x[:, 0] > 0.5).long(), "boxes": torch.tensor(box).expand(b, 1, -1)}
    return {"image" if spec.ndim == 2 else "volume": x, **seen} if set(spec.wants) & set(SEEN) else x


def image_of(y):
    return next(iter(y.values())) if isinstance(y, dict) else y


def params_of(module):
    """The ranges as plain numbers: (low, high), or a value."""

    def plain(d):
        tensors = [getattr(d, f).tolist() for f in d.fields]
        return tensors[0] if len(tensors) == 1 else tuple(tensors)

    return {n: plain(d) for n, d in module.params.items() if n != "gate"}


def approx(expected):
    return pytest.approx(np.array(expected), abs=1e-6)


# the classes as such


def test_every_public_op_has_its_class():
    public = {f.spec.name for f in vars(af).values() if callable(f) and hasattr(f, "spec")}
    assert public == set(SPECS) | set(OF_CLIPS)
    assert {c.spec.name for c in CLASSES.values()} == public


@each_class
def test_a_class_has_a_signature_a_docstring_and_an_output(name):
    cls = CLASSES[name]
    own = inspect.signature(cls).parameters
    assert {"p", "same_on_batch", "keepdim", "learnable"} <= set(own)
    assert not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in own.values())
    assert f"Derived from `augfn.{cls.spec.name}`" in cls.__doc__
    x = sample_for(name, 2, 8, 8)
    module = make(name)
    y = image_of(module(x))
    assert y.isfinite().all()
    assert image_of(module(x, params=module._params)).equal(y)
    assert type(pickle.loads(pickle.dumps(module))) is cls


@each_class
def test_p_holds_per_sample_or_is_refused(name):
    if CLASSES[name].resizes:
        with pytest.raises(ValueError, match="p"):
            make(name, p=0.5)
        return
    x = sample_for(name, 64, 8, 8)
    module = make(name, p=0.5)
    module(x)
    gate = module._params["gate"] if "gate" in module._params else module._params["choice"][:, 0]
    assert 10 < gate.sum() < 54
    off = make(name, p=0.0)
    assert image_of(off(x)).equal(image_of(x))


@each_class
def test_an_unknown_argument_is_an_error_that_names_the_nearest(name):
    with pytest.raises(TypeError, match="did you mean 'keepdim'"):
        make(name, keep_dim=True)


# shorthands


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (A.RandomRotation(15), {"degrees": (-15, 15)}),
        (A.RandomRotation((0, 30)), {"degrees": (0, 30)}),
        (A.RandomRotation(torch.tensor([5.0, 30.0])), {"degrees": (5, 30)}),
        (A.RandomRotation(np.array([5.0, 30.0])), {"degrees": (5, 30)}),
        (A.RandomRotation(torch.tensor(20.0)), {"degrees": (-20, 20)}),
        (A.RandomAffine(0), {"degrees": 0}),
        (A.RandomAffine(10, (0.1, 0.2)), {"degrees": (-10, 10), "translate": ([-0.1, -0.2], [0.1, 0.2])}),
        (A.RandomAffine(0, scale=(0.8, 1.2)), {"degrees": 0, "scale": (0.8, 1.2)}),
        (A.RandomAffine(0, scale=(0.8, 1.2, 1, 2)), {"degrees": 0, "scale": (0.8, 1.2), "scale_y": (1, 2)}),
        (A.RandomAffine(0, shear=5), {"degrees": 0, "shear": ([-5, 0], [5, 0])}),
        (A.RandomShear((5, 10)), {"shear": ([5, 0], [10, 0])}),
        (A.RandomShear((5, 10, -3, 3)), {"shear": ([5, -3], [10, 3])}),
        (A.RandomShear(torch.tensor([[5.0, 10.0], [-3.0, 3.0]])), {"shear": ([5, -3], [10, 3])}),
        (A.RandomTranslate((0.1, 0.3)), {"translate": ([0.1, 0], [0.3, 0])}),
        (A.RandomTranslate(translate_y=(-0.1, 0.3)), {"translate": ([0, -0.1], [0, 0.3])}),
        (A.RandomScale((0.5, 2, 1, 1)), {"scale": (0.5, 2), "scale_y": (1, 1)}),
        (A.RandomBrightness(0.4), {"factor": (0.6, 1.4)}),
        (A.RandomContrast(1.5), {"factor": (0, 2.5)}),
        (A.RandomSaturation((0.5, 2)), {"factor": (0.5, 2)}),
        (A.RandomHue(0.1), {"hue": (-0.1, 0.1)}),
        (A.RandomGamma((0.5, 2)), {"gamma": (0.5, 2), "gain": (1, 1)}),
        (A.RandomSolarize(0.1), {"threshold": (0.4, 0.6), "addition": (-0.1, 0.1)}),
        (A.RandomSolarize((0.2, 0.3)), {"threshold": (0.2, 0.3), "addition": (-0.1, 0.1)}),
        (A.RandomSolarize(threshold=0.7), {"threshold": 0.7, "addition": 0}),
        (A.RandomMixUp((0.2, 0.3)), {"weight": (0.2, 0.3), "order": (0, 1)}),
        (A.RandomMixUp(alpha=0.4), {"weight": (0.4, 0.4), "order": (0, 1)}),
        (A.RandomRotation3D(10), {"degrees": ([-10] * 3, [10] * 3)}),
        (A.RandomRotation3D((5, 10), kornia=False), {"degrees": ([5] * 3, [10] * 3)}),
        (A.RandomRotation3D((5, 10, 0)), {"degrees": ([-5, -10, 0], [5, 10, 0])}),
        (A.RandomRotation3D(((1, 2), (3, 4), (5, 6)), kornia=False), {"degrees": ([1, 3, 5], [2, 4, 6])}),
        (
            A.RandomAffine3D(0, (0.1, 0.2, 0.3)),
            {"degrees": [0] * 3, "translate": ([-0.1, -0.2, -0.3], [0.1, 0.2, 0.3])},
        ),
        (A.RandomAffine3D(0, shears=5), {"degrees": [0] * 3, "shear": ([-5] * 6, [5] * 6)}),
        (
            A.RandomAffine3D(0, scale=((1, 2), (3, 4), (5, 6))),
            {"degrees": [0] * 3, "scale": (1, 2), "scale_y": (3, 4), "scale_z": (5, 6)},
        ),
        (A.RandomShear3D((5, 10)), {"shear": ([5] * 6, [10] * 6)}),
        (A.RandomShear3D((1, 2, 3, 4, 5, 6)), {"shear": ([-3, -5, -1, -6, -2, -4], [3, 5, 1, 6, 2, 4])}),
        (
            A.RandomShear3D([(i, i + 0.5) for i in range(1, 7)]),
            {"shear": ([3, 5, 1, 6, 2, 4], [3.5, 5.5, 1.5, 6.5, 2.5, 4.5])},
        ),
        (A.RandomScale3D((0.5, 2)), {"scale": (0.5, 2)}),
        (A.RandomTranslate3D(translate_z=(-0.1, 0.3)), {"translate": ([0, 0, -0.1], [0, 0, 0.3])}),
        (
            A.RandomMotionBlur3D(3, (5, 10, 0), 0.5),
            {"angle": ([-5, -10, 0], [5, 10, 0]), "direction": (-0.5, 0.5)},
        ),
        (A.RandomMotionBlur3D((3, 5), 0, 0), {"angle": [0] * 3, "direction": 0, "length": (3, 5)}),
        (A.RandomGridDistortion3D(distort_limit=0.2), {"cells": ([[0.8] * 5] * 3, [[1.2] * 5] * 3)}),
        (A.RandomBiasField(0.3), {"coefficients": (-0.3, 0.3)}),
        (A.RandomHistogramShift(0.2), {"shift": ([-0.2] * 8, [0.2] * 8)}),
        (A.RandomTimeSpeed((0.5, 2)), {"factor": (0.5, 2), "position": (0, 1)}),
    ],
    ids=repr,
)
def test_shorthands(module, expected):
    params = params_of(module)
    assert set(params) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(params[name], value, atol=1e-6)


def test_color_jitter_leaves_out_what_is_zero():
    assert set(params_of(A.ColorJitter(0.2, hue=0.1))) == {"brightness", "hue", "order"}
    twist = params_of(A.RandomColorTwist(0.2))
    assert (twist["contrast"], twist["hue"]) == (1.0, 0.0)
    x = torch.rand(2, 3, 4, 4)
    assert A.ColorJitter()(x).equal(x)


def test_color_jitter_in_a_fixed_order():
    x = torch.rand(3, 3, 4, 4)
    aug = A.ColorJitter((1.5, 1.5), (0.5, 0.5), (2.0, 2.0), order=[2, 0, 1, 3])
    y = x
    for f in (af.saturation(factor=2.0), af.brightness(factor=1.5), af.contrast(factor=0.5)):
        y, _ = f(y)
    torch.testing.assert_close(aug(x), y)


def test_ratios_are_log_uniform():
    crop, erase = A.RandomResizedCrop((4, 4)), A.RandomErasing()
    assert isinstance(crop.params["ratio"], af.LogUniform)
    assert params_of(crop)["ratio"] == approx([3 / 4, 4 / 3])
    assert params_of(erase)["ratio"] == approx([1 / 3.3, 1 / 0.3])  # height / width here, width / height there


class Resample(enum.Enum):
    NEAREST = 0
    BICUBIC = 2


@pytest.mark.parametrize(
    "keywords",
    [
        {"resample": "NEAREST"},
        {"interpolation": "nearest"},
        {"resample": Resample.NEAREST},
        {"resample": "nearest-exact"},
    ],
)
def test_interpolation_under_its_names(keywords):
    x = torch.rand(1, 3, 8, 8)
    want, _ = af.rotate(degrees=20.0, interpolation="nearest")(x)
    assert A.RandomRotation((20, 20), p=1.0, **keywords)(x).equal(want)


def test_padding_and_fill_under_their_names():
    x = torch.rand(1, 3, 8, 8)
    want, _ = af.rotate(degrees=20.0, fill=(0.1, 0.2, 0.3))(x)
    fill = torch.tensor([0.1, 0.2, 0.3])
    torch.testing.assert_close(A.RandomRotation((20, 20), p=1.0, padding_mode="fill", fill_value=fill)(x), want)
    want, _ = af.rotate(degrees=20.0, padding_mode="reflection")(x)
    assert A.RandomRotation((20, 20), p=1.0, padding_mode="REFLECTION")(x).equal(want)


# Parameters


def test_a_parameter_of_two_is_the_range():
    bounds = nn.Parameter(torch.tensor([-10.0, 10.0]))
    aug = A.RandomAffine(degrees=bounds, p=1.0)
    assert dict(aug.named_parameters())["ranges.degrees/bounds"] is bounds
    aug(torch.rand(2, 3, 8, 8)).sum().backward()
    assert bounds.grad.abs().max() > 0


def test_parameters_of_vectors_and_factors():
    shift, factor = nn.Parameter(torch.tensor([[-0.1, 0.1], [0.0, 0.2]])), nn.Parameter(torch.tensor([0.8, 1.2]))
    aug = A.RandomAffine(0, translate=shift, p=1.0)
    aug(torch.rand(64, 3, 8, 8))
    assert aug._params["translate"][:, 1].min() >= 0
    assert [id(p) for p in aug.parameters()] == [id(shift)]
    for module in (A.RandomBrightness(factor), A.ColorJitter(brightness=factor)):
        assert [id(p) for p in module.parameters()] == [id(factor)]


@pytest.mark.parametrize(
    ("make", "leaf", "shape"),
    [
        (A.RandomShear3D, "shear", (6,)),
        (A.RandomShear3D, "shear", (6, 2)),
        (A.RandomRotation3D, "degrees", (3, 2)),
        (A.RandomTranslate3D, "translate", (2,)),
        (A.RandomScale3D, "scale_z", (3, 2)),
        (A.RandomBiasField, "coefficients", (20, 2)),
        (lambda angle, p: A.RandomMotionBlur3D(3, angle, 0.0, p=p), "angle", (3,)),
    ],
)
def test_parameters_of_volumes(make, leaf, shape):
    given = nn.Parameter(torch.linspace(0.1, 0.2, int(np.prod(shape))).reshape(shape))
    aug = make(given, p=1.0)
    assert leaf in aug.params
    assert [id(p) for p in aug.parameters()] == [id(given)]
    aug({"volume": torch.rand(2, 1, 6, 7, 8)})["volume"].square().sum().backward()
    assert given.grad.abs().max() > 0


def test_shears_that_learn_are_those_of_the_same_numbers():
    rows = torch.arange(12.0).reshape(6, 2)
    for given, plain in ((rows, rows.tolist()), (rows[:, 1], rows[:, 1].tolist())):
        learned = A.RandomShear3D(nn.Parameter(given), p=1.0).params["shear"]
        fixed = A.RandomShear3D(plain, p=1.0).params["shear"]
        for u in (torch.zeros(6), torch.ones(6)):
            torch.testing.assert_close(learned.draw(u), fixed.draw(u))


def test_two_parameters_are_low_and_high():
    low, high = nn.Parameter(torch.tensor(-5.0)), nn.Parameter(torch.tensor(5.0))
    assert {id(p) for p in A.RandomRotation((low, high)).parameters()} == {id(low), id(high)}


def test_learnable_by_keyword():
    assert {n for n, _ in A.RandomRotation(15, learnable=True).named_parameters()} == {
        "ranges.degrees/low",
        "ranges.degrees/high",
    }


def test_distributions_are_taken_as_they_are():
    aug = A.RandomRotation(af.Normal(0.0, 5.0), p=af.RelaxedBernoulli(nn.Parameter(torch.tensor(0.0))))
    assert [n for n, _ in aug.named_parameters()] == ["ranges.gate/logits"]
    assert isinstance(aug.params["degrees"], af.Normal)


# conventions


def test_angles_are_counter_clockwise_in_rotation_and_affine():
    x = torch.zeros(1, 1, 5, 5)
    x[..., 0, 4] = 1  # up right
    for aug in (
        A.RandomRotation((90, 90), p=1.0),
        A.RandomAffine((90, 90), p=1.0, kornia=False),
        A.RandomRotation90((1, 1), p=1.0),
    ):
        assert aug(x)[0, 0].round().argmax() == 0  # up left


def test_quarter_turns():
    x = torch.rand(2, 1, 4, 6)
    assert A.RandomRotation90((1, 1), p=1.0)(x).equal(x.rot90(1, (-2, -1)))
    assert A.RandomRotation90((-1, -1), p=1.0)(x).equal(x.rot90(-1, (-2, -1)))
    square = torch.rand(64, 1, 4, 4)
    turned = A.RandomRotation90(1, p=1.0)(square)
    counts = [sum(t.equal(s.rot90(k, (-2, -1))) for t, s in zip(turned, square, strict=True)) for k in (-1, 0, 1)]
    assert sum(counts) == 64
    assert min(counts) > 8
    with pytest.raises(ValueError, match="frame"):
        A.RandomRotation90(1, p=1.0)(x)


def test_pads_and_crops():
    x = torch.rand(2, 3, 4, 6)
    assert A.Pad((1, 2, 3, 4), fill=0.5)(x).shape == (2, 3, 10, 10)
    assert A.Pad(1, padding_mode="reflect")(x)[..., 0, 1:-1].equal(x[..., 1, :])
    padded = A.PadTo((5, 8), pad_value=0.25)(x)
    assert padded[..., :4, :6].equal(x)
    assert (padded[..., 4:, :] == 0.25).all()
    assert A.PadTo((3, 8))(x).equal(nn.functional.pad(x, (0, 2, 0, -1)))
    assert A.PadTo((3, 8), crop_if_exceeds=False)(x).shape == (2, 3, 4, 8)
    assert A.CenterCrop(2)(x).equal(x[..., 1:3, 2:4])


def test_random_crop_pads_first():
    x = torch.rand(8, 1, 4, 4) + 0.1
    aug = A.RandomCrop((4, 4), padding=2)
    y = aug(x)
    assert y.shape == x.shape
    assert (y == 0).any()
    assert set(aug._params) == {"pad", "random_crop"}
    with pytest.raises(ValueError, match="larger than the frame"):
        A.RandomCrop((6, 6))(x)
    needed = A.RandomCrop((6, 6), pad_if_needed=True, fill=9.0)(x)
    assert needed.shape == (8, 1, 6, 6)
    assert (needed == 9).any()
    assert A.RandomCrop(2, pad_if_needed=True)(x).min() > 0


def test_pads_and_crops_of_volumes():
    x = torch.rand(4, 1, 3, 4, 5) + 0.1
    padding = (1, 2, 3, 4, 5, 6)
    assert A.Pad3D(padding, fill=0.5)(x).equal(nn.functional.pad(x, padding, value=0.5))
    assert A.Pad3D(1, padding_mode="reflect")(x).equal(nn.functional.pad(x, (1,) * 6, mode="reflect"))
    assert A.PadTo3D(divisible=4)(x).shape == (4, 1, 4, 4, 8)
    assert A.CenterCrop3D((1, 2, 3))(x).equal(x[..., 1:2, 1:3, 1:4])
    crop = A.RandomCrop3D((3, 4, 5), padding=padding)
    assert crop(x).shape == x.shape
    assert set(crop._params) == {"pad3d", "random_crop3d"}
    with pytest.raises(ValueError, match="larger than the frame"):
        A.RandomCrop3D(6)(x)
    needed = A.RandomCrop3D((6, 3, 6), pad_if_needed=True, fill=9.0)(x)
    assert needed.shape == (4, 1, 6, 3, 6)
    assert ((needed < 9).sum((-3, -2, -1)) == 3 * 3 * 5).all()
    assert A.Resize3D((6, 8, 5))(x).shape == (4, 1, 6, 8, 5)
    assert A.Spacing3D(1.0, (1.0, 1.0, 2.0))(x).shape == (4, 1, 6, 4, 5)
    sample = {"volume": x, "mask": torch.zeros(4, 3, 4, 5).index_fill(3, torch.tensor([4]), 1)}
    assert (A.ForegroundCrop3D((2, 2, 1))(sample)["mask"] == 1).all()


def test_quarter_turns_of_volumes():
    x = torch.rand(32, 1, 3, 4, 4)
    turn = A.RandomRot90_3D((1, 1), p=1.0)
    assert turn(x).equal(x.rot90(1, (-2, -1)))
    torch.testing.assert_close(turn(x), A.RandomRotation3D(((0, 0), (0, 0), (90, 90)), p=1.0, kornia=False)(x))
    turned = A.RandomRot90_3D(1, p=1.0)(x)
    counts = [sum(t.equal(s.rot90(k, (-2, -1))) for t, s in zip(turned, x, strict=True)) for k in (-1, 0, 1)]
    assert sum(counts) == 32
    assert min(counts) > 2
    assert A.RandomRot90_3D((1, 1), plane="yz", p=1.0)(torch.rand(1, 1, 3, 4, 5)).shape == (1, 1, 4, 3, 5)


# volumes and clips


OF_BOTH = [
    n for n, c in CLASSES.items() if c.spec.body.__module__.endswith((".scanner", ".levels")) and c.spec.ndim == 2
]


@pytest.mark.parametrize("name", OF_BOTH)
def test_what_takes_images_takes_volumes_and_clips(name):
    aug = make(name, p=1.0)
    for x in ({"volume": torch.rand(2, 1, 5, 6, 7)}, {"video": torch.rand(2, 3, 2, 6, 7)}):
        y = aug(x)
        assert {n: v.shape for n, v in y.items()} == {n: v.shape for n, v in x.items()}
        assert all(v.isfinite().all() for v in y.values())
        assert all(aug(x, params=aug._params)[n].equal(y[n]) for n in x)


def clip_of(*batch):
    frames = torch.arange(4.0).reshape(4, 1, 1, 1).expand(*batch, 4, 3, 8, 8)
    corner = torch.arange(4.0)[:, None, None] + torch.zeros(2, 1)
    boxes = torch.cat([corner, corner, corner + 3, corner + 4], -1)
    return {"video": frames / 4, "boxes": boxes.expand(*batch, 4, 2, 4), "label": torch.zeros(batch)}


@pytest.mark.parametrize("batch", [(2,), ()])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    "aug",
    [
        A.TimeCrop(2),
        A.TimeSubsample(2),
        A.RandomTimeReverse(p=1.0),
        A.RandomTimeSpeed((0.5, 2.0), size=2, p=1.0),
        A.RandomFrameDropout(0.5, p=1.0),
    ],
    ids=lambda aug: type(aug).__name__,
)
def test_boxes_follow_their_frames(aug, shared, batch):
    aug.same_on_batch, aug.keepdim = shared, True
    x = clip_of(*batch)
    y = aug(x)
    n = y["video"].shape[len(batch)]
    assert y["video"].shape == (*batch, n, 3, 8, 8)
    assert y["boxes"].shape == (*batch, n, 2, 4)
    assert y["label"].shape == batch
    torch.testing.assert_close(y["boxes"][..., 0, 0], y["video"][..., 0, 0, 0] * 4)
    again = aug(x, params=aug._params)
    assert all(again[name].equal(y[name]) for name in x)
    if shared and batch:
        assert y["video"][0].equal(y["video"][1])


def test_clips_through_a_flip_of_frames():
    x = clip_of(2)
    y = A.RandomHorizontalFlip(p=1.0)(x)
    torch.testing.assert_close(y["boxes"][..., 0], 8 - x["boxes"][..., 2])
    seq = A.AugmentationSequential(A.TimeCrop(2), A.RandomHorizontalFlip(p=1.0))
    y = seq(x)
    assert (y["video"].shape, y["boxes"].shape) == ((2, 2, 3, 8, 8), (2, 2, 2, 4))
    torch.testing.assert_close(8 - y["boxes"][..., 2], 4 * y["video"][..., 0, 0, :1].expand(2, 2, 2))


def test_turns_of_voxels_that_are_no_cubes():
    x, mm = torch.rand(1, 1, 5, 6, 7), (1.0, 1.0, 4.0)
    want, _ = af.rotate3d(degrees=(10.0, 0.0, 20.0), spacing=mm, order="zyx")(x)
    turn = ((10, 10), (0, 0), (20, 20))
    for cls in (A.RandomRotation3D, A.RandomAffine3D):
        torch.testing.assert_close(cls(turn, spacing=mm, order="zyx", p=1.0, kornia=False)(x), want)
    want, _ = af.shear3d(shear=5.0, spacing=mm)(x)
    torch.testing.assert_close(A.RandomShear3D((5, 5), spacing=mm, p=1.0)(x), want)


def test_boxes_of_volumes_follow():
    x = {"volume": torch.rand(6, 7, 8)[None], "boxes": torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])}
    for shared in (False, True):
        y = A.RandomDepthicalFlip3D(p=1.0, same_on_batch=shared, keepdim=True)(x)
        assert y["volume"].equal(x["volume"].flip(1))
        torch.testing.assert_close(y["boxes"], torch.tensor([[1.0, 2.0, 0.0, 4.0, 5.0, 3.0]]))
        assert A.RandomShear3D(10, p=1.0, same_on_batch=shared)(x)["volume"].shape == (1, 1, 6, 7, 8)


@pytest.mark.parametrize(
    ("name", "given"), [("RandomGamma", (0.5, 2.0)), ("RandomGaussianBlur", 3), ("RandomGaussianNoise", 0.0)]
)
def test_channels_with_draws_of_their_own(name, given):
    x = torch.rand(1, 1, 8, 8).expand(16, 3, 8, 8)
    y = CLASSES[name](given, p=1.0, channels=(0, 2), per_channel=True)(x)
    assert y[:, 1].equal(x[:, 1])
    assert (y[:, 0] != y[:, 2]).any()
    y = CLASSES[name](given, p=1.0, channels=(0, 1, 2), p_channel=0.5)(x)
    same = (y == x).flatten(2).all(-1)
    assert 6 < same.sum() < 42


def test_resize_keeps_the_aspect_of_an_int():
    assert A.Resize(6)(torch.rand(1, 3, 12, 18)).shape == (1, 3, 6, 9)


def test_noise_is_clipped_unless_told():
    """As of the factory, where kornia's class does not clip."""
    x = torch.rand(2, 3, 8, 8)
    assert A.RandomGaussianNoise(p=1.0, clip=False)(x).min() < 0
    assert A.RandomGaussianNoise(p=1.0)(x).min() == 0
    assert A.RandomGaussianNoise(p=1.0, clip=True)(x).min() == 0


def test_erasing_fills():
    y = A.RandomErasing((0.2, 0.2), value=0.5, p=1.0)(torch.zeros(1, 3, 20, 20))
    assert y.max() == 0.5
    torch.testing.assert_close(y.mean(), torch.tensor(0.1))


# what is refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: A.RandomRotation(), "missing a required argument: 'degrees'"),
        (lambda: A.RandomRotation(-15), "a number >= 0"),
        (lambda: A.RandomRotation((15, -15)), "upside down"),
        (lambda: A.RandomRotation(15, expand=True), "Pad before it"),
        (lambda: A.RandomRotation(15, resample="lanczos"), "bad interpolation"),
        (lambda: A.RandomRotation(15, resample=3), "an enum's member"),
        (lambda: A.RandomRotation(15, resample="nearest", interpolation="nearest"), "twice"),
        (lambda: A.RandomRotation(15, padding_mode="wrap"), "bad padding_mode"),
        (lambda: A.RandomRotation(15, p=1.5), "probability"),
        (lambda: A.RandomRotation(nn.Parameter(torch.zeros(3))), "low and high"),
        (lambda: A.RandomShear(nn.Parameter(torch.zeros(3))), "row for each entry"),
        (lambda: A.RandomAffine(0, translate=0.1), "2 fractions"),
        (lambda: A.RandomAffine(0, translate=(-0.1, 0.1)), "2 fractions"),
        (lambda: A.RandomAffine(0, scale=0.9), r"a pair \(low, high\)"),
        (lambda: A.RandomAffine3D(0, shears=-5), "a number >= 0"),
        (lambda: A.RandomScale3D(0.9), r"a pair \(low, high\)"),
        (lambda: A.RandomRot90_3D((0, 5)), "RandomRot90_3D: bad times"),
        (lambda: A.RandomGridDistortion3D(4), "RandomGridDistortion3D: num_steps"),
        (lambda: A.TimeCrop(2, p=0.5), "p_batch"),
        (lambda: A.RandomHue(0.1, per_channel=True), "works on each channel by itself"),
        (lambda: A.RandomRotation90((0, 5)), "whole quarters"),
        (lambda: A.RandomPerspective(sampling_method="both"), "area_preserving"),
        (lambda: A.RandomElasticTransform(alpha=(1.0, 1.0), sigma=(32.0, 32.0)), "in other units"),
        (lambda: A.RandomResizedCrop((4, 4), scale=0.5), r"a pair \(low, high\)"),
        (lambda: A.Resize(4, side="width"), "give both sides"),
        (lambda: A.RandomGrayscale(0.3), "p=..."),
        (lambda: A.ColorJitter(0.2, order=(0, 1)), "each of 0, 1, 2, 3 once"),
        (lambda: A.ColorJitter(0.2, resample="nearest"), "unknown argument"),
        (lambda: A.RandomErasing(value="random"), "one for each channel"),
        (lambda: A.RandomErasing(ratio=nn.Parameter(torch.tensor([0.3, 3.3]))), "Augment"),
    ],
)
def test_mistakes_are_explained(call, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        call()
    text = str(caught.value)
    assert "given:" in text
    assert "expected:" in text
    assert "do this:" in text

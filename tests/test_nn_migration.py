"""Moving from kornia: every public name, its own defaults, signs and formulas, params in its form, probabilities."""

import copy
import inspect
import pickle
import warnings

import pytest
import torch
from torch import nn

import augfn as af
import augfn_nn as A
from benchmarks.migration import LACKS

X = torch.rand(8, 3, 16, 20, generator=torch.Generator().manual_seed(0))
NEEDED = {
    "degrees": 10.0,
    "size": (8, 8),
    "max_size": 8,
    "times": (2, 2),
    "shear": 10.0,
    "mean": torch.zeros(3),
    "std": torch.ones(3),
    "kernel_size": 3,
    "angle": 10.0,
    "direction": 0.5,
    "sigma": (0.1, 2.0),
    "grid": (2, 2),
    "center_x": torch.tensor([-0.3, 0.3]),
    "center_y": torch.tensor([-0.3, 0.3]),
    "gamma": torch.tensor([0.9, 1.0]),
    "patch_size": 4,
    "drop_height": (1, 3),
    "shears": None,
}
CUBES = {"RandomCrop3D", "CenterCrop3D"}


@pytest.fixture(scope="module")
def kornia():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("kornia.augmentation")


def given_to(cls, name):
    """kornia's defaults, given explicitly."""
    known = [*inspect.signature(cls.__init__).parameters.values()][1:]
    needed = NEEDED | ({"size": (4, 4, 4)} if name in CUBES else {})
    return {
        p.name: needed[p.name] if p.default is p.empty or p.name in ("patch_size", "drop_height") else p.default
        for p in known
        if p.kind is p.POSITIONAL_OR_KEYWORD
    }


def classes(kornia):
    for name in kornia.__all__:
        cls = getattr(kornia, name)
        if not inspect.isclass(cls) or not hasattr(A, name) or name.endswith(("Base2D", "Base3D")):
            continue
        if not any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(cls.__init__).parameters.values()):
            yield name, cls


def test_every_public_name_is_there_or_has_its_reason(kornia):
    assert {n for n in kornia.__all__ if not hasattr(A, n)} == LACKS.keys()


@pytest.mark.filterwarnings("ignore")
def test_kornias_defaults_given_explicitly(kornia):
    """Every class is made with them, runs without a batch and with one in each dtype, replays, and gives kornia's shapes."""
    tried = 0
    for name, cls in classes(kornia):
        known = given_to(cls, name)
        aug, deep = getattr(A, name)(**known), "3D" in name
        for shape in ((2, 3, 6, 8, 8), (3, 6, 8, 8)) if deep else ((2, 3, 16, 20), (3, 16, 20)):
            for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
                x = torch.rand(shape).to(dtype)
                more = ()
                if "Transplantation" in name:
                    if len(shape) < 4 + deep:
                        continue
                    more = (torch.randint(0, 3, (shape[0], *shape[2:])),)
                y = aug(x, *more)
                first = y if isinstance(y, torch.Tensor) else y[0]
                assert first.dtype == dtype, name
                again = aug(x, *more, params=aug._params)
                assert torch.equal(first, again if isinstance(y, torch.Tensor) else again[0]), name
                if dtype == torch.float32 and not more:
                    assert first.shape == cls(**known)(x).shape, name
        tried += 1
    assert tried >= 60


# signs and formulas


def sure(value):
    return value, value


# arguments at fixed values, and whether kornia's result is another one than ours
AGREES = {
    "RandomAffine": ({"degrees": sure(20.0), "scale": sure(1.1), "shear": (5.0, 5.0, 3.0, 3.0)}, True),
    "RandomShear": ({"shear": (10.0, 10.0, 5.0, 5.0)}, False),
    "RandomTranslate": ({"translate_x": sure(0.1), "translate_y": sure(-0.2)}, False),
    "RandomRotation": ({"degrees": sure(30.0)}, False),
    "RandomFisheye": (
        {"center_x": torch.full((2,), 0.1), "center_y": torch.full((2,), 0.1), "gamma": torch.full((2,), 0.9)},
        False,
    ),
    "RandomBrightness": ({"brightness": sure(1.2)}, True),
    "RandomContrast": ({"contrast": sure(0.7)}, True),
    "RandomSaturation": ({"saturation": sure(0.6)}, True),
    "RandomHue": ({"hue": sure(0.1)}, False),
    "RandomGamma": ({"gamma": sure(0.7), "gain": sure(1.1)}, False),
    "RandomGrayscale": ({}, True),
    "RandomInvert": ({}, False),
    "RandomSharpness": ({"sharpness": sure(0.5)}, False),
    "RandomSolarize": ({"thresholds": sure(0.4), "additions": sure(0.1)}, False),
    "RandomPosterize": ({"bits": sure(3)}, False),
    "RandomEqualize": ({}, False),
    "RandomClahe": ({"clip_limit": sure(20.0)}, False),
    "RandomJPEG": ({"jpeg_quality": sure(50.0)}, False),
    "RandomSnow": ({"snow_coefficient": sure(0.4), "brightness": sure(2.0)}, False),
    "RandomGaussianIllumination": (
        {"gain": sure(0.5), "center": sure(0.5), "sigma": sure(0.5), "sign": sure(1.0)},
        False,
    ),
    "RandomBoxBlur": ({"kernel_size": (3, 3)}, False),
    "RandomMedianBlur": ({"kernel_size": (3, 3)}, False),
    "RandomGaussianBlur": ({"kernel_size": (5, 7), "sigma": sure(1.2)}, False),
    "RandomMotionBlur": (
        {"kernel_size": 5, "angle": sure(20.0), "direction": sure(0.3), "resample": "bilinear"},
        False,
    ),
    "Normalize": ({"mean": torch.full((3,), 0.4), "std": torch.full((3,), 0.2)}, False),
    "PadTo": ({"size": (50, 60)}, False),
    "CenterCrop": ({"size": (20, 24)}, False),
    # what holds here, whatever align_corners says
    "Resize": ({"size": (7, 9), "align_corners": False}, True),
    "LongestMaxSize": ({"max_size": 20, "align_corners": False}, True),
    "SmallestMaxSize": ({"max_size": 20, "align_corners": False}, True),
}
CERTAIN = {"Normalize", "PadTo", "Resize", "LongestMaxSize", "SmallestMaxSize"}


@pytest.mark.parametrize("name", AGREES)
def test_kornias_signs_and_formulas(kornia, name):
    known, another = AGREES[name]
    x = nn.functional.avg_pool2d(torch.rand(2, 3, 44, 48), 5, 1)
    known = known | ({} if name in CERTAIN else {"p": 1.0})
    theirs, ours = getattr(kornia, name)(**known)(x), getattr(A, name)(**known, kornia=True)(x)
    inner = (..., slice(8, -8), slice(8, -8)) if theirs.shape == x.shape else (...,)
    torch.testing.assert_close(ours[inner], theirs[inner], atol=2e-3 if "Gaussian" in name else 2e-4, rtol=0)
    if another:
        assert (getattr(A, name)(**known, kornia=False)(x)[inner] - theirs[inner]).abs().max() > 1e-5


def test_kornias_signs_in_volumes(kornia):
    x = nn.functional.avg_pool3d(torch.rand(1, 1, 20, 22, 24), 5, 1)
    turn, inner = torch.tensor([[10.0, 10.0], [20.0, 20.0], [30.0, 30.0]]), (..., *[slice(4, -4)] * 3)
    ours = A.RandomRotation3D(turn, p=1.0, kornia=True)(x)
    torch.testing.assert_close(ours[inner], kornia.RandomRotation3D(turn, p=1.0)(x)[inner], atol=3e-3, rtol=0)
    blurred = A.RandomMotionBlur3D(5, turn, (0.4, 0.4), p=1.0, kornia=True)(x)
    theirs = kornia.RandomMotionBlur3D(5, turn, (0.4, 0.4), resample="bilinear", p=1.0)(x)
    torch.testing.assert_close(blurred[inner], theirs[inner], atol=3e-3, rtol=0)


def test_kornias_weight_of_a_mix():
    aug = A.RandomMixUp((0.25, 0.25), kornia=True)
    _, pairs = aug(X, torch.arange(8))
    torch.testing.assert_close(pairs[:, 2], torch.full((8,), 0.25))


def test_noise_of_normalised_images():
    x = torch.randn(2, 3, 8, 8) * 3
    assert A.RandomGaussianNoise(0.0, 0.05, p=1.0, kornia=True)(x).abs().max() > 1.5
    assert A.RandomGaussianNoise(0.0, 0.05, p=1.0)(x).max() <= 1


def test_a_warning_where_the_sign_matters():
    for make in (lambda **k: A.RandomAffine((-5.0, 20.0), **k), lambda **k: A.RandomRotation3D((0.0, 20.0), **k)):
        with pytest.warns(UserWarning, match="kornia turns the other way"):
            make()
        make(kornia=True), make(kornia=False)
    A.RandomAffine(15), A.RandomAffine((-15.0, 15.0)), A.RandomAffine(nn.Parameter(torch.tensor([-5.0, 20.0])))
    with pytest.raises(ValueError, match="kornia=True"):
        A.RandomAffine(nn.Parameter(torch.tensor([-5.0, 20.0])), kornia=True)


# params in kornia's form


def test_items_are_a_view_of_the_params():
    inner = A.ImageSequential(A.RandomHorizontalFlip(), A.RandomInvert(p=1.0))
    aug = A.AugmentationSequential(A.RandomRotation(20), inner, data_keys=["input", "mask"])
    y, m = aug(X, X)
    items = aug.param_items
    assert [i.name for i in items] == ["RandomRotation_0", "ImageSequential_1"]
    assert torch.equal(items[0].data["degrees"], aug._params["rotate"]["degrees"])
    assert torch.equal(items[0].data["batch_prob"], aug._params["rotate"]["gate"])
    assert items[1].data[1].data["batch_prob"].tolist() == [1.0] * 8
    again = aug(X, X, params=items)
    assert torch.equal(y, again[0])
    assert torch.equal(m, again[1])
    alone = A.RandomRotation(20)
    y = alone(X)
    assert torch.equal(alone(X, params=alone.param_items), y)
    some = A.ImageSequential(A.RandomRotation(20), A.RandomInvert(), random_apply=5)
    y = some(X)
    assert len(some.param_items) == 5
    assert torch.equal(some(X, params=some.param_items), y)
    each = A.AugmentationSequential(A.RandomRotation(20), A.RandomInvert(), random_apply=1, random_apply_per="sample")
    each(X)
    with pytest.raises(ValueError, match="no list of modules"):
        _ = each.param_items
    rare = A.RandomHorizontalFlip(p=0.5, p_batch=0.5)
    for seed in range(8):
        y = rare(X, generator=af.key(seed))
        assert torch.equal(rare(X, params=rare.param_items), y)
    edited = alone.param_items | {"batch_prob": torch.zeros(8)}
    torch.testing.assert_close(alone(X, params=edited), X)
    with pytest.raises(ValueError, match="module of"):
        aug(X, X, params=[("RandomErasing_0", {})])


# probabilities


def test_a_probability_can_be_read_and_set():
    aug = A.AugmentationSequential(
        A.RandomHorizontalFlip(), A.RandomRotation(nn.Parameter(torch.tensor([-9.0, 9.0])), p=1.0)
    )
    assert [aug[0].p, aug[1].p] == [0.5, 1.0]
    bounds = [*aug.parameters()]
    aug[0].p, aug[1].p = 1.0, 0.0
    torch.testing.assert_close(aug(X), X.flip(-1))
    aug[1].p = 0.5
    assert [id(t) for t in aug.parameters()] == [id(t) for t in bounds]
    aug(X)
    assert 0 < aug._params["rotate"]["gate"].sum() < 8
    for other in (copy.deepcopy(aug), pickle.loads(pickle.dumps(aug))):
        assert [other[0].p, other[1].p] == [1.0, 0.5]
        assert torch.equal(other(X, generator=af.key(0)), aug(X, generator=af.key(0)))


@pytest.mark.parametrize("nested", [False, True])
def test_a_probability_of_the_batch(nested):
    aug = A.RandomHorizontalFlip(p=1.0, p_batch=0.5)
    aug = A.AugmentationSequential(aug) if nested else aug
    flipped = []
    for seed in range(60):
        y = aug(X, generator=af.key(seed))
        flipped.append(torch.equal(y, X.flip(-1)))
        assert flipped[-1] or torch.equal(y, X)
        assert torch.equal(aug(X, params=aug._params), y)
        assert torch.equal(aug.inverse(y), X)
    assert 15 < sum(flipped) < 45


def test_what_resizes_knows_the_batchs_probability():
    aug = A.RandomCrop((8, 8), p_batch=0.5)
    shapes = {tuple(aug(X, generator=af.key(i)).shape[-2:]) for i in range(20)}
    assert shapes == {(8, 8), (16, 20)}
    assert torch.equal(aug.eval()(X), X)
    late = A.RandomHorizontalFlip(p=1.0)
    late.p_batch = 0.0
    assert torch.equal(late(X), X)
    some = A.RandomMosaic(p=0.5)
    some.p = 0.0
    assert torch.equal(some(X), X)
    with pytest.raises(ValueError, match="p_batch"):
        A.RandomCrop((8, 8), p=0.5)
    with pytest.raises(ValueError, match="a number from 0 to 1"):
        A.RandomHorizontalFlip(p_batch=2)
    with pytest.raises(Exception, match="cannot be compiled"):
        torch.compile(aug.train(), fullgraph=True, backend="eager")(X)


# kornia's units of a bend


def test_kornias_elastic_units_are_numbers():
    alpha = torch.nn.Parameter(torch.tensor([1.0, 1.0]))
    for given in (alpha, [1.0, alpha[0]], (1.0, 2.0, 3.0)):
        with pytest.raises(ValueError, match="whose ranges learn"):
            A.RandomElasticTransform(9, 3.0, given)


def test_kornias_elastic_units(kornia):
    """The displacement's standard deviation, of images that hold their own coordinates."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    image, inner = torch.stack([x, y]).expand(30, 2, 96, 96), (..., slice(20, -20), slice(20, -20))
    for known in (((63, 63), (32.0, 32.0), (2.0, 2.0)), ((31, 31), (8.0, 8.0), (1.0, 1.0))):
        ours, theirs = (
            c(*known, padding_mode="border", p=1.0)(image)
            for c in (A.RandomElasticTransform, kornia.RandomElasticTransform)
        )
        spread = [(v - image)[inner].std() for v in (ours, theirs)]
        assert 0.75 < spread[0] / spread[1] < 1.33

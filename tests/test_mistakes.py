"""Mistakes that would go on in silence, and advice that works when it is followed."""

import warnings

import numpy as np
import pytest
import torch

import augfn as af
import augfn_nn as A

K = af.key(0)
X = torch.rand(2, 3, 8, 8)


@pytest.mark.parametrize("labels", [[0, 3], [-1, 1]])
def test_labels_outside_the_classes(labels):
    f = af.mixup(num_classes=3)
    with pytest.raises(ValueError, match="outside the classes"):
        f({"image": X, "label": torch.tensor(labels)}, None, K)
    y, _ = f({"image": X, "label": torch.tensor([0, 2])}, None, K)
    torch.testing.assert_close(y["label"].sum(-1), torch.ones(2))


def test_nan_in_params():
    f = af.pipeline(af.rotate(), af.brightness())
    params = f(X, None, K)[1]
    params["rotate"]["degrees"] = torch.tensor([0.0, torch.nan])
    with pytest.raises(ValueError, match="rotate/degrees: NaN"):
        f(X, params)


@pytest.mark.parametrize("p", [torch.tensor(2.0), torch.tensor([0.5, -0.1]), 2, np.float32(-0.5), "often"])
def test_probabilities_that_are_none(p):
    with pytest.raises((ValueError, TypeError), match="0 <= p <= 1"):
        af.hflip(p=p)


@pytest.mark.parametrize(
    "degrees", [np.float32(30), np.array([-3.0, 3.0]), (np.float32(-3), np.int64(3)), [np.float64(-3), 3]]
)
def test_numbers_of_numpy(degrees):
    given = degrees.tolist() if isinstance(degrees, np.ndarray) else degrees
    expected = tuple(map(float, given)) if isinstance(given, list | tuple) else float(given)
    assert repr(af.rotate(degrees=degrees)) == repr(af.rotate(degrees=expected))
    assert af.hflip(p=np.float32(0.5)).params["gate"].probs == 0.5


def test_a_factory_called_with_the_image_or_a_number():
    with pytest.raises(TypeError, match=r"do this:  af\.hflip\(\.\.\.\)\(x, None, key\)"):
        af.hflip(X)
    with pytest.raises(TypeError, match=r"do this:  af\.rotate\(degrees=\.\.\.\)"):
        af.rotate(30)
    assert af.rotate(degrees=30)(X)[0].shape == af.hflip(p=0.5)(X, None, K)[0].shape


def test_a_module_in_a_functional_pipeline():
    module = A.RandomHorizontalFlip(p=1.0)
    with pytest.raises(
        TypeError, match=r"AugmentationSequential\(\.\.\.\) takes modules and augmentations; or module\.f"
    ):
        af.pipeline(module, af.vflip())
    assert af.pipeline(module.f, af.vflip())(X)[0].equal(X.flip(-1, -2))
    assert A.AugmentationSequential(module, af.vflip())(X).equal(X.flip(-1, -2))


def test_arguments_are_set_when_a_module_is_made():
    module = A.RandomRotation(10.0)
    for name in ("degrees", "learnable", "kornia"):
        with pytest.raises(AttributeError, match="is set when it is made"):
            setattr(module, name, 0.2)
    module.keepdim = True
    module.note = "mine"


def test_names_that_there_are_not():
    with pytest.raises(AttributeError, match="did you mean 'rotate'"):
        af.rotat  # noqa: B018
    with pytest.raises(AttributeError, match="did you mean 'RandomRotation'"):
        A.RandomRotaton  # noqa: B018
    assert af.testing.check is not None
    assert af.learn.hypergradient is not None
    assert not hasattr(af, "__wrapped__")


# values far above 1


def looked(f, x):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        f(x)
    return [str(w.message) for w in found]


def jitter():
    return af.pipeline(af.hflip(), af.color_jitter(brightness=(0.8, 1.2)))


def test_one_warning_for_an_image_of_bytes_read_as_floats():
    f, x = jitter(), X * 255
    (message,) = looked(lambda x: f(x, None, K), x)
    assert "af.to_float(image, max=255)" in message
    assert not looked(lambda x: f(x, None, K), x)
    again = af.pipeline(af.to_float(max=255), *jitter().steps.values())
    assert not looked(lambda x: again(x, None, K), x)
    assert not looked(lambda x: jitter()(af.to_float(x, max=255), None, K), x)
    assert len(looked(A.ColorJitter(brightness=0.2), x)) == 1


@pytest.mark.parametrize("f", [af.hflip(), af.normalize(mean=120.0, std=50.0), af.gaussian_blur(kernel_size=3)])
def test_no_warning_where_nothing_is_cut_off(f):
    assert not looked(lambda x: f(x, None, K), X * 255)
    assert not looked(lambda x: jitter()(x, None, K), X * 4)


def test_the_warning_names_the_line_of_the_user():
    with pytest.warns(UserWarning, match="cuts values off") as found:
        jitter()(X * 255, None, K)
    assert found[0].filename == __file__


# clips of the classes


@pytest.mark.parametrize("name", ["RandomGaussianNoise", "RandomBrightness", "RandomRGBShift", "RandomSharpness"])
def test_classes_clip_as_their_functions(name):
    cls = getattr(A, name)
    assert cls(p=1.0).f.clip == cls.spec.clip
    assert cls(p=1.0, clip="none").f.clip == "none"
    assert cls(p=1.0, clip="ste").f.clip == "ste"


def test_clip_of_a_body_that_clips_by_itself():
    bright = {"brightness": (3.0, 3.0)}
    assert A.ColorJitter(**bright, p=1.0)(X).max() <= 1
    assert A.ColorJitter(**bright, p=1.0, clip="none")(X).max() > 1

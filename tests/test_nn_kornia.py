"""The classes beside kornia's: one call, one set of numbers, the same defaults and the same order of arguments."""

import inspect
import warnings

import pytest
import torch
from torch import nn

import augfn_nn as A
from augfn_nn.derive import Derived

CLASSES = {n: c for n in A.__all__ if isinstance(c := getattr(A, n), type) and issubclass(c, Derived)}


@pytest.fixture
def kornia():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield pytest.importorskip("kornia.augmentation")


def test_default_p_is_kornias(kornia):
    ours = {n: inspect.signature(c).parameters["p"].default for n, c in CLASSES.items() if hasattr(kornia, n)}
    peers = {n: inspect.signature(getattr(kornia, n)).parameters.get("p") for n in ours}
    assert ours == {n: 1.0 if p is None else p.default for n, p in peers.items()}


SAME = {
    "RandomHorizontalFlip": {},
    "RandomVerticalFlip": {},
    "RandomRotation": {"degrees": (30.0, 30.0)},
    "RandomRotation90": {"times": (1, 1)},
    "RandomTranslate": {"translate_x": (0.1, 0.1), "translate_y": (-0.2, -0.2)},
    "RandomShear": {"shear": (10.0, 10.0, 5.0, 5.0)},
    "CenterCrop": {"size": (30, 32)},
    "ColorJitter": {
        "brightness": (1.3, 1.3),
        "contrast": (0.7, 0.7),
        "saturation": (1.4, 1.4),
        "hue": (0.05, 0.05),
        "order": [1, 0, 3, 2],
    },
    "RandomHue": {"hue": (0.1, 0.1)},
    "RandomGamma": {"gamma": (0.7, 0.7), "gain": (1.1, 1.1)},
    "RandomGrayscale": {},
    "RandomInvert": {},
    "Normalize": {"mean": torch.tensor([0.4, 0.5, 0.6]), "std": torch.tensor([0.2, 0.3, 0.4])},
    "Denormalize": {"mean": torch.tensor([0.4, 0.5, 0.6]), "std": torch.tensor([0.2, 0.3, 0.4])},
    "RandomGaussianBlur": {"kernel_size": (5, 7), "sigma": (1.2, 1.2)},
}


def smooth(*shape):
    pool = nn.functional.avg_pool2d if len(shape) == 4 else nn.functional.avg_pool3d
    return pool(torch.rand(shape), 5, 1)


@pytest.mark.parametrize("name", SAME)
def test_the_same_call_gives_kornias_numbers(kornia, name):
    x = smooth(2, 3, 44, 44)
    ours, theirs = (getattr(library, name)(**SAME[name], p=1.0)(x) for library in (A, kornia))
    inner = slice(8, -8)  # what is outside of the frame is another matter
    torch.testing.assert_close(ours[..., inner, inner], theirs[..., inner, inner], atol=1e-4, rtol=0)


@pytest.mark.parametrize("shear", [(0.0, 0.0), (5.0, 5.0), (5.0, 5.0, 3.0, 3.0)])
def test_kornias_affine_turns_the_other_way(kornia, shear):
    x = smooth(2, 3, 44, 44)
    ours = A.RandomAffine((20, 20), scale=(1.1, 1.1), shear=shear, p=1.0)(x)
    theirs = kornia.RandomAffine((-20.0, -20.0), scale=(1.1, 1.1), shear=shear, p=1.0)(x)
    torch.testing.assert_close(ours[..., 12:-12, 12:-12], theirs[..., 12:-12, 12:-12], atol=1e-5, rtol=0)


@pytest.mark.parametrize("axis", range(3))
def test_volumes_turn_as_in_kornias_affine(kornia, axis):
    x, inner = smooth(1, 1, 24, 26, 28), (..., *[slice(6, -6)] * 3)
    turn = torch.zeros(3, 2)
    turn[axis] = 20
    want = kornia.RandomAffine3D(turn, p=1.0)(x)[inner]
    other = kornia.RandomRotation3D(-turn, p=1.0)(x)[inner]
    for name in ("RandomAffine3D", "RandomRotation3D"):
        ours = getattr(A, name)(turn, p=1.0)(x)[inner]
        torch.testing.assert_close(ours, want, atol=1e-3, rtol=0)
        torch.testing.assert_close(ours, other, atol=1e-3, rtol=0)


@pytest.mark.parametrize("facet", range(6))
def test_volumes_shear_as_kornias_affine(kornia, facet):
    """One facet at a time, by its place in kornia's order; the matrix and the voxels."""
    x, inner = smooth(1, 1, 24, 26, 28), (..., *[slice(6, -6)] * 3)
    shears = torch.zeros(6, 2)
    shears[facet] = 10
    theirs = kornia.RandomAffine3D((0.0, 0.0, 0.0), shears=shears, scale=(1.1, 1.1), p=1.0)
    want = theirs(x)
    ours = A.RandomAffine3D(0, shears=shears, scale=(1.1, 1.1), p=1.0)
    torch.testing.assert_close(ours(x)[inner], want[inner], atol=1e-3, rtol=0)
    torch.testing.assert_close(ours.transform_matrix, theirs.transform_matrix, atol=1e-4, rtol=0)
    alone = A.RandomShear3D(shears, p=1.0)
    alone(x)
    want = kornia.RandomAffine3D((0.0, 0.0, 0.0), shears=shears, p=1.0)
    want(x)
    torch.testing.assert_close(alone.transform_matrix, want.transform_matrix, atol=1e-4, rtol=0)


def test_volumes_zoom_along_each_axis_as_kornias_affine(kornia):
    x, inner = smooth(1, 1, 24, 26, 28), (..., *[slice(6, -6)] * 3)
    scale = torch.tensor([[1.1, 1.1], [0.9, 0.9], [1.2, 1.2]])
    want = kornia.RandomAffine3D((0.0, 0.0, 0.0), scale=scale, p=1.0)(x)
    for aug in (A.RandomAffine3D(0, scale=scale, p=1.0), A.RandomScale3D(scale, p=1.0)):
        torch.testing.assert_close(aug(x)[inner], want[inner], atol=1e-3, rtol=0)


def test_crops_of_volumes_give_kornias_numbers(kornia):
    x = torch.rand(2, 3, 6, 7, 8)
    assert torch.allclose(A.CenterCrop3D((4, 5, 6))(x), kornia.CenterCrop3D((4, 5, 6))(x), atol=1e-5)
    padding = (1, 2, 3, 4, 5, 6)  # the whole of what is padded
    size = (6 + 11, 7 + 7, 8 + 3)
    want = kornia.RandomCrop3D(size, padding=padding, fill=0.3)(x)
    torch.testing.assert_close(A.RandomCrop3D(size, padding=padding, fill=0.3)(x), want, atol=1e-5, rtol=0)


def test_streaks_in_volumes_turn_the_other_way_than_kornias(kornia):
    x, inner = smooth(1, 1, 16, 18, 20), (..., *[slice(4, -4)] * 3)
    turn = torch.tensor([[10.0, 10.0], [20.0, 20.0], [30.0, 30.0]])
    ours = A.RandomMotionBlur3D(5, turn, (0.4, 0.4), p=1.0)(x)
    theirs = kornia.RandomMotionBlur3D(5, -turn, (0.4, 0.4), resample="bilinear", p=1.0)(x)
    torch.testing.assert_close(ours[inner], theirs[inner], atol=1e-3, rtol=0)


def test_volumes_equalize_as_kornias(kornia):
    x = torch.rand(2, 1, 8, 8, 8) ** 2
    torch.testing.assert_close(A.RandomEqualize3D(p=1.0)(x), kornia.RandomEqualize3D(p=1.0)(x), atol=0.02, rtol=0)


def test_padding_to_a_size_gives_kornias_numbers(kornia):
    x = torch.rand(2, 3, 12, 12)
    for size in ((14, 16), (10, 16)):
        assert A.PadTo(size, pad_value=0.3)(x).equal(kornia.PadTo(size, pad_value=0.3)(x))


def test_arguments_of_kornia_come_in_its_order(kornia):
    renamed = {"resample": "interpolation", "fill_value": "fill"}
    for name in CLASSES:
        if hasattr(kornia, name) and name not in ("RandomElasticTransform", "RandomMixUpV2"):
            peers = [renamed.get(n, n) for n in inspect.signature(getattr(kornia, name)).parameters]
            own = [n for n, p in inspect.signature(CLASSES[name]).parameters.items() if p.kind is not p.KEYWORD_ONLY]
            shared = [n for n in peers if n in own]
            assert own[: len(shared)] == shared, name

"""Modules in eval(): what is random is dropped, what is not acts, and what was drawn is replayed."""

import inspect

import pytest
import torch

import augfn as af
import augfn_nn
from augfn_nn import Augment, AugmentationSequential

MEAN, STD = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.4])
X = torch.rand(2, 3, 12, 16)


def normal(x):
    return (x - MEAN[:, None, None]) / STD[:, None, None]


def recipe(*first):
    return AugmentationSequential(
        *first,
        augfn_nn.RandomCrop((8, 8)),
        augfn_nn.RandomHorizontalFlip(),
        augfn_nn.ColorJitter(brightness=0.2, contrast=0.2),
        augfn_nn.Normalize(MEAN, STD),
        data_keys=None,
    ).eval()


def test_a_model_that_holds_its_normalisation_evaluates_rightly():
    aug = recipe()
    torch.testing.assert_close(aug(X), normal(X))
    assert aug({"image": X, "mask": X[:, 0]})["mask"].equal(X[:, 0])
    before = torch.get_rng_state()
    assert aug(X).equal(aug(X))
    assert torch.get_rng_state().equal(before)


@pytest.mark.parametrize(
    ("module", "size"),
    [
        (augfn_nn.Resize((6, 8)), (6, 8)),
        (augfn_nn.CenterCrop((4, 4)), (4, 4)),
        (augfn_nn.Pad(2), (16, 20)),
        (Augment(af.pipeline(af.resize(size=6), af.random_crop(size=4))), (6, 8)),
    ],
    ids=lambda m: type(m).__name__,
)
def test_frames_that_are_not_drawn(module, size):
    module.eval()
    y = module(X)
    assert y.shape[-2:] == size
    assert module.inverse(y).shape == X.shape
    assert AugmentationSequential(augfn_nn.RandomRotation(10.0), module).eval()(X).equal(y)


def test_conversions_act():
    aug = recipe(af.to_float())
    torch.testing.assert_close(aug((X * 255).to(torch.uint8)), normal(af.to_float((X * 255).to(torch.uint8))))


def test_a_replay_is_the_same_in_eval():
    aug = recipe().train()
    y = aug(X)
    assert aug.eval()(X, params=aug._params).equal(y)


def test_what_is_sure_acts_and_what_is_drawn_does_not():
    sure = Augment(af.pipeline(af.brightness(factor=0.5), af.contrast(factor=(0.5, 1.5)), af.hflip(p=0.5))).eval()
    torch.testing.assert_close(sure(X), X / 2)
    for f in (
        af.one_of(af.hflip(), af.vflip()),
        af.some_of(1, af.hflip(), af.vflip()),
        af.maybe(af.hflip()),
        af.gaussian_noise(std=0.1),
    ):
        assert Augment(f).eval()(X) is X


def test_eval_compiles():
    aug = recipe()
    y = torch.compile(aug, fullgraph=True, backend="eager")(X)
    torch.testing.assert_close(y, normal(X))


@pytest.mark.parametrize("module", [augfn_nn.RandomRotation(10.0), recipe().train()], ids=["one", "several"])
def test_a_module_can_be_looked_at_before_its_first_call(module):
    assert not hasattr(module, "transform_matrix")
    assert "forward" in dict(inspect.getmembers(module))
    with pytest.raises(AttributeError, match="nothing drawn yet"):
        module.transform_matrix  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'transform_matrixx'"):
        module.transform_matrixx  # noqa: B018


@pytest.mark.filterwarnings("ignore:.torch.jit.*:DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_jit_trace():
    module = augfn_nn.RandomHorizontalFlip(p=1.0)
    assert torch.jit.trace(module, X, check_trace=False)(X).equal(X.flip(-1))


@pytest.mark.parametrize("nested", [False, True])
def test_what_eval_dropped_a_replay_drops_too(nested):
    inner = af.pipeline(af.rotate(degrees=(60, 90)), af.center_crop(size=8))
    aug = AugmentationSequential(inner, af.hflip(p=0.5)) if nested else Augment(inner)
    aug.train()(X)
    y = aug.eval()(X)
    assert aug(X, params=aug._params).equal(y)
    assert y.equal(af.center_crop(size=8)(X)[0])
    assert aug.inverse(y).shape == X.shape
    assert aug.transform_matrix.shape == (2, 3, 3)


@pytest.mark.parametrize("settings", [{"padding": 4}, {"pad_if_needed": True}])
def test_a_crop_takes_its_pad_along(settings):
    crop = augfn_nn.RandomCrop((20, 20), **settings)
    assert crop.train()(X).shape[-2:] == (20, 20)
    assert crop.eval()(X) is X
    assert AugmentationSequential(crop, augfn_nn.RandomHorizontalFlip()).eval()(X) is X

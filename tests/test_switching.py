"""Steps off for some samples: exactly the others' draws, and exactly what an augmentation without them does."""

import pytest
import torch

import augfn as af
from augfn.analysis.switching import flat, reference, switched, varied
from augfn.core.spec import SEEN, SPECS
from augfn.testing import example

X = af.uniform(af.key(2), (6, 3, 20, 30))
KEYS = af.split(af.key(3), 6)
STEPS = {
    "rotate": af.rotate(),
    "jitter": af.color_jitter(brightness=(0.5, 1.5), p=0.7),
    "choice": af.one_of(af.invert(), af.translate(translate=(-0.2, 0.2))),
    "some": af.some_of((1, 2), af.hflip(), af.posterize(bits=2.0), af.solarize()),
    "times": af.some_of(2, af.hflip(), af.vflip(), af.invert(), order="random"),
    "slots": af.some_of((1, 2), af.rotate(), af.invert(), replace=True),
    "mixed": af.mixture(af.invert(), af.hflip()),
    "maybe": af.maybe(af.gaussian_noise(std=0.1)),
    "holes": af.erase(),
}


@pytest.mark.parametrize("name", STEPS)
def test_off_is_a_pipeline_without_the_step(name):
    """Law 11: other steps keep their draws, so what is left is the pipeline of the others."""
    steps = {"first": af.affine(degrees=(-9, 9)), name: STEPS[name], "last": af.brightness(factor=(0.5, 1.5))}
    f, others = af.pipeline(**steps), af.pipeline(**{n: g for n, g in steps.items() if n != name})
    _, params = f(X, None, KEYS)
    assert varied(f, params, (20, 30)) == list(steps)
    without, _ = f(X, switched(f, params, {name: torch.zeros(6)}, (20, 30)))
    torch.testing.assert_close(without, others(X, None, KEYS)[0])
    on = torch.tensor([1.0, 0, 1, 0, 0, 1])
    mixed, _ = f(X, switched(f, params, {name: on}, (20, 30)))
    both = torch.where(on[:, None, None, None] > 0, f(X, params)[0], without)
    torch.testing.assert_close(mixed, both)


@pytest.mark.parametrize(("frame", "inner"), [((18, 30), (18, 24)), ((31, 20), (15, 20)), ((18, 24), (18, 24))])
def test_a_resized_crop_stands_in_the_middle(frame, inner):
    x, f = af.uniform(af.key(2), (6, 3, *frame)), af.resized_crop(size=(9, 12))
    _, params = f(x, None, KEYS)
    still = af.pipeline(af.center_crop(size=inner), af.resize(size=(9, 12)))
    torch.testing.assert_close(f(x, reference(f, params, frame))[0], still(x)[0])


@pytest.mark.parametrize("frame", [(17, 24), (9, 12), (31, 20)])
def test_a_random_crop_stands_in_the_middle(frame):
    x, f = af.uniform(af.key(2), (6, 3, *frame)), af.random_crop(size=(9, 12))
    _, params = f(x, None, KEYS)
    assert f(x, reference(f, params, frame))[0].equal(af.center_crop(size=(9, 12))(x)[0])


ALONE = [
    n
    for n, s in SPECS.items()
    if s.ndim == 2 and s.kind != "mix" and s.target == "image" and not set(s.wants) & set(SEEN)
]


@pytest.mark.parametrize("name", ALONE)
def test_every_op_can_be_off(name):
    """On it is the call, bit for bit; off it leaves the image, or what prepares it, for every sample by itself."""
    f = af.pipeline(example(name))
    x = af.uniform(af.key(2), (6, 3, 20, 30))
    y, params = f(x, None, KEYS)
    steps = varied(f, params, (20, 30))
    assert f(x, switched(f, params, dict.fromkeys(steps, torch.ones(6)), (20, 30)))[0].equal(y)
    calm, _ = f(x, reference(f, params, (20, 30)))
    if y.shape == x.shape and steps and name != "zoom_out":
        assert calm.equal(x)
    if steps:
        on = torch.tensor([1.0, 0, 1, 0, 0, 1])
        some, _ = f(x, switched(f, params, dict.fromkeys(steps, on), (20, 30)))
        torch.testing.assert_close(some, torch.where(on[:, None, None, None] > 0, y, calm))


POLICIES = {
    "rand_augment": af.rand_augment(),
    "trivial_augment": af.trivial_augment(),
    "auto_augment": af.auto_augment(),
    "augmix": af.augmix(),
    "timm": af.policy("rand-m9-n2-mstd0.5-inc1"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_policies_can_be_off(name):
    f = POLICIES[name]
    y, params = f(X, None, KEYS)
    steps = varied(f, params, (20, 30))
    assert f(X, switched(f, params, dict.fromkeys(steps, torch.ones(6)), (20, 30)))[0].equal(y)
    assert f(X, reference(f, params, (20, 30)))[0].equal(X)


def test_paths_of_nested_pipelines():
    f = af.pipeline(
        af.to_float(), view=af.pipeline(af.resized_crop(size=8), af.hflip()), norm=af.normalize(mean=0.5, std=0.5)
    )
    _, params = f(X, None, KEYS)
    assert list(flat(f, params, (20, 30))) == ["to_float", "view/resized_crop", "view/hflip", "norm"]
    assert varied(f, params, (20, 30)) == ["view/resized_crop", "view/hflip"]


def test_frames_follow_the_steps():
    """A crop after a crop: each is off in the frame that comes to it."""
    f = af.pipeline(af.random_crop(size=16), af.resized_crop(size=(8, 8)))
    _, params = f(X, None, KEYS)
    y, _ = f(X, reference(f, params, (20, 30)))
    torch.testing.assert_close(y, af.pipeline(af.center_crop(size=16), af.resize(size=8))(X)[0])


def test_what_cannot_be_off_says_so():
    f = af.one_of(af.random_crop(size=8), af.resized_crop(size=8))
    _, params = f(X, None, KEYS)
    with pytest.raises(ValueError, match="cannot be switched off"):
        reference(f, params, (20, 30))

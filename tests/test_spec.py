"""Specs: one op under one name, defaults of its own, leaves of one dtype."""

import copy
import pickle
from collections.abc import Sequence

import pytest
import torch
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.core.augmentation import photometric
from augfn.core.draw import leaves_of
from augfn.core.spec import SPECS, Spec, register
from augfn.distributions import Uniform
from augfn.math.shapes import over
from augfn.saving import PolicyError, parse
from augfn.testing import example
from augfn.typing import Factor
from augfn_nn import Augment, CenterCrop, RandomAffine, RandomResizedCrop

F64 = torch.float64
X = torch.rand(2, 3, 4, 5)


@photometric
def brightness(x, *, factor: Factor = Uniform(0.8, 1.2)):
    """An op of a user under the name of augfn's."""
    return -x * over(x, factor)


@pytest.fixture
def double():
    torch.set_default_dtype(F64)
    yield
    torch.set_default_dtype(torch.float32)


# names


def test_an_op_of_a_user_leaves_augfns_alone():
    assert SPECS["brightness"] is af.brightness.spec is not brightness.spec


COPIES = {"pickle": lambda f: pickle.loads(pickle.dumps(f)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("op", [af.brightness, brightness, af.invert], ids=["augfn", "user", "invert"])
def test_copies_are_of_the_op_they_were(op, how):
    f = op()
    again = COPIES[how](f)
    assert again.spec is op.spec
    key = af.key(0)
    assert torch.equal(again(X, None, key)[0], f(X, None, key)[0])


def test_policies_name_both():
    ours, theirs = parse(f"pipeline: [brightness: {{factor: 2}}, {__name__}:brightness: {{factor: 2}}]").steps.values()
    assert ours.spec is af.brightness.spec
    assert theirs.spec is brightness.spec
    with pytest.raises(PolicyError, match=r"unknown op; given: 'nowhere:brightness'.*import nowhere"):
        parse("pipeline: ['nowhere:brightness']")


def test_a_range_without_a_type_is_told():
    with pytest.raises(TypeError, match="factor has a range, but no type"):

        @photometric
        def inner(x, *, factor=Uniform(0.0, 1.0)):
            return x


def test_an_op_within_a_function_is_copied_but_not_pickled():
    @photometric
    def inner(x, *, factor: Factor = 2.0):
        return x * over(x, factor)

    f = inner()
    assert copy.deepcopy(f).spec is f.spec
    assert torch.equal(copy.deepcopy(f)(X)[0], 2 * X)
    with pytest.raises(pickle.PicklingError, match=r"inner cannot be pickled(.|\n)*at the top of a module"):
        pickle.dumps(f)


def test_an_op_that_another_replaced_is_not_pickled_as_that(monkeypatch):
    f = brightness()

    def body(x, *, factor: Factor = 3.0):
        return x * over(x, factor)

    body.__module__, body.__qualname__ = __name__, "brightness"
    monkeypatch.setitem(globals(), "brightness", photometric(body))
    with pytest.raises(pickle.PicklingError, match="once"):
        pickle.dumps(f)


def test_two_ops_of_augfn_under_one_name():
    def brightness(x, *, factor: Factor = 3.0):
        return x * over(x, factor)

    brightness.__module__ = "augfn.ops.elsewhere"
    with pytest.raises(ValueError, match=r"augfn\.ops\.elsewhere(.|\n)*rename one"):
        photometric(brightness)
    assert isinstance(SPECS["brightness"], Spec)
    register(SPECS["brightness"])  # a module that is loaded anew


# defaults


@pytest.mark.parametrize("name", SPECS)
def test_what_is_built_shares_no_tensor_with_the_signature(name):
    keywords = SPECS[name].example
    held = {t.data_ptr() for d in SPECS[name].defaults.values() for t in tree_leaves(d) if isinstance(t, torch.Tensor)}
    built = example(name, **{n: v for n, v in keywords.items() if n in SPECS[name].static})
    assert not held & {t.data_ptr() for t in tree_leaves(built.params)}


@pytest.mark.parametrize(
    ("f", "shown"),
    [
        (af.resize(size=(8, 6)), "resize(size=(8, 6))"),
        (af.normalize(mean=0.5, std=0.2), "normalize(mean=0.5, std=0.2)"),
        (af.pad(padding=4, fill=1.0), "pad(padding=4, fill=1.0)"),
        (af.invert(channels=(0, 1), per_channel=True), "invert(channels=(0, 1), per_channel=True)"),
        (af.maybe(af.invert(), p=0.25), "maybe(invert(), gate=Bernoulli(probs=0.25))"),
        (
            af.pipeline(af.hflip(), fill_mask=255, interpolation={"image": "bicubic"}, fuse=False),
            "pipeline(hflip(), fill_mask=255, interpolation={'image': 'bicubic'}, fuse=False)",
        ),
        (CenterCrop(8), "CenterCrop(size=8)"),
    ],
)
def test_repr_tells_the_settings_that_are_not_the_factorys(f, shown):
    assert repr(f) == shown


class Config(Sequence):
    """A list of a library of configs, such as Hydra's, which is no list of Python's."""

    def __init__(self, *values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, i):
        return self.values[i]


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (af.resize(size=Config(8, 6)), af.resize(size=[8, 6])),
        (af.normalize(mean=Config(0.5, 0.4, 0.3), std=0.2), af.normalize(mean=[0.5, 0.4, 0.3], std=0.2)),
        (
            af.affine(translate=Config(Config(-0.1, 0.1), Config(-0.2, 0.2))),
            af.affine(translate=((-0.1, 0.1), (-0.2, 0.2))),
        ),
        (RandomAffine(10.0, translate=Config(0.1, 0.2)), RandomAffine(10.0, translate=(0.1, 0.2))),
        (RandomAffine(10.0, fill=Config(0.1, 0.2, 0.3)), RandomAffine(10.0, fill=(0.1, 0.2, 0.3))),
        (RandomResizedCrop(Config(8, 6)), RandomResizedCrop((8, 6))),
    ],
)
def test_a_list_of_a_config_means_what_a_list_means(made, expected):
    assert repr(made) == repr(expected)


def test_a_step_on_one_moves_no_other():
    before = repr(af.rotate())
    one, other = af.rotate(), af.rotate()
    leaves = [t.requires_grad_() for t in tree_leaves(one.params)]
    one(X, None, af.key(0))[0].square().sum().backward()
    torch.optim.SGD(leaves, lr=1.0).step()
    assert repr(one) != before
    assert repr(other) == repr(af.rotate()) == before
    assert repr(af.rotate.spec.defaults["degrees"]) in before


def test_a_range_that_is_given_is_taken_as_it_is():
    mine = Uniform(0.0, torch.nn.Parameter(torch.tensor(5.0)))
    assert af.rotate(degrees=mine).params["degrees"] is mine


# dtypes


@pytest.mark.parametrize("name", SPECS)
def test_numbers_are_float32_under_any_default(name, double):
    """So a draw does not depend on the default dtype; neither do the pixels of a float32 image."""
    f = example(name)
    if f.params:
        assert {t.dtype for t in tree_leaves(f.params)} == {torch.float32}


def test_numbers_in_params_are_float32_under_any_default(double):
    x = X.float()
    assert af.rotate()(x, {"degrees": 3.0})[1]["degrees"].dtype == torch.float32
    for f in (af.rotate(degrees=3), af.some_of((1, 2), af.hflip(), af.vflip()), af.maybe(af.hflip(), 0.5)):
        drawn = f(x, None, af.key(0))[1]
        assert {t.dtype for t in leaves_of(drawn).values()} == {torch.float32}


CACHED = {
    "hflip": lambda: af.hflip(),
    "rot90": lambda: af.rot90(k=1),
    "center_crop": lambda: af.center_crop(size=3),
    "grayscale": lambda: af.grayscale(weights=(0.3, 0.3, 0.4)),
    "invert": lambda: af.invert(max_val=0.3),
}


@pytest.mark.parametrize("name", CACHED)
def test_constants_of_one_default_dtype_are_not_handed_out_under_another(name):
    """A float64 image sees 0.3 to float64's last digit, whatever ran before."""

    def numbers():
        f = CACHED[name]()
        action = f.plan({}, (4, 5), f.sampling)[0]
        return [t.dtype for t in tensors_of(action)]

    single = numbers()
    torch.set_default_dtype(F64)
    try:
        wide = numbers()
    finally:
        torch.set_default_dtype(torch.float32)
    assert single == [torch.float32] * len(single) == numbers()
    assert wide == [F64] * len(wide)
    assert wide


def tensors_of(action):
    """The tensors in an action and what it holds."""
    if isinstance(action, torch.Tensor):
        return [action]
    if isinstance(action, tuple | list):
        return [t for v in action for t in tensors_of(v)]
    return [t for v in vars(action).values() for t in tensors_of(v)] if hasattr(action, "__dict__") else []


# gates


def test_learnable_leaves_a_constant_gate_alone():
    aug = Augment(af.rotate(p=af.Constant(1.0)), learnable=True)
    assert [n for n, _ in aug.named_parameters()] == ["ranges.degrees/low", "ranges.degrees/high"]
    named = Augment(af.rotate(p=af.Constant(1.0)), learnable=["gate"])
    assert [n for n, _ in named.named_parameters()] == ["ranges.gate/value"]
    relaxed = Augment(af.hflip(p=af.RelaxedBernoulli(0.0)), learnable=True)
    assert "ranges.gate/logits" in dict(relaxed.named_parameters())


@pytest.mark.parametrize("make", [lambda p: af.rotate(p=p), lambda p: af.maybe(af.rotate(), p)])
def test_a_probability_that_is_fixed_may_be_a_tensor(make):
    assert make(torch.tensor(0.25)).params["gate"].probs == 0.25


def test_a_factory_says_what_its_leaves_mean():
    for line in ("* `degrees`: degrees; range -inf..inf; neutral 0; default", "Static keywords: p, interpolation"):
        assert line in af.rotate.__doc__
    assert "(zero gradient: " in af.posterize.__doc__

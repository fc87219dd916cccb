"""Gates: rows of hard ones, results blended by all others, and the one gradient they have."""

import pytest
import torch
from torch.func import grad
from torch.utils._pytree import tree_map

import augfn as af
from augfn.core.actions import Blend, blend
from augfn.core.augmentation import photometric
from augfn.core.spec import SPECS
from augfn.core.targets import read
from augfn.math.resample import SIGNED
from augfn.math.shapes import over
from augfn.run import rows
from augfn.testing import example
from augfn.testing.case import LARGE, agree, gated, smooth_image, targets_for, window
from augfn.typing import Factor

K = af.key(0)
F64 = torch.float64


def keeps_frame(name):
    f = example(name)
    x = image(f, torch.float32)
    return f(x, None, K)[0].shape == x.shape


def image(f, dtype=F64):
    return smooth_image((5,), 1 if f.bare else 3, LARGE.get(f.name) or ((9, 11) if f.ndim == 2 else (5, 6, 7)), dtype)


GATED = [name for name in SPECS if keeps_frame(name)]
ALONE = [name for name in GATED if SPECS[name].kind != "mix"]
NEIGHBOURS = {
    "alone": lambda f: [f],
    "geometric": lambda f: [f, rotate(f)],
    "after geometric": lambda f: [rotate(f), f],
    "colour": lambda f: [f, af.invert()],
    "filter": lambda f: [f, af.gaussian_blur(kernel_size=3, sigma=0.7)],
}


def rotate(f):
    return af.rotate(degrees=7.0, padding_mode="border") if f.ndim == 2 else af.rotate3d(degrees=(7.0, 7.0))


# rows


@pytest.mark.parametrize("name", GATED)
def test_rows_are_the_dense_way(name, monkeypatch):
    """Every target of every open sample as if all had been run, of every closed one as it was, bit for bit."""
    f = gated(example(name), 0.5)
    x = targets_for(image(f, torch.float32), f.ndim)
    gate = torch.tensor([1.0, 0.0, 0.0, 1.0, 0.0])
    params = f(x, None, K)[1] | {"gate": gate}
    few = f(x, params)[0]
    monkeypatch.setattr(rows, "DENSE", True)
    agree("rows and dense", few, f(x, params)[0], 1e-6)
    if SPECS[name].kind != "mix":
        closed = [tree_map(lambda t: t[gate == 0], sample) for sample in (few, x)]
        agree("closed samples", closed[0], closed[1])


def test_closed_rows_cost_nothing():
    """A body meets the open samples alone."""
    met = []

    @photometric
    def counted(x, *, factor: Factor = 1.0):
        met.append(len(x))
        return x * over(x, factor)

    x = torch.rand(8, 3, 4, 4)
    counted(p=0.5)(x, {"gate": torch.tensor([0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])})
    counted(p=0.5)(x, {"gate": torch.zeros(8)})
    counted(p=0.5)(x, {"gate": torch.ones(8)})
    assert met == [2, 8]
    f = af.one_of(*(counted() for _ in range(4)))
    met.clear()
    f(x, None, K)
    assert sum(met) == 8
    met.clear()
    f(x.requires_grad_(), None, K)
    assert sum(met) == 8


@pytest.mark.parametrize(
    "dtype", [*(pytest.param(d, marks=pytest.mark.whole) for d in SIGNED), torch.uint8, torch.int64, torch.bool]
)
def test_rows_of_masks_of_any_type(dtype):
    mask = torch.arange(24).reshape(2, 3, 4).to(dtype)
    y = af.erase(scale=1.0, ratio=4 / 3, p=0.5)(
        {"image": torch.rand(2, 3, 3, 4), "mask": mask}, {"gate": torch.tensor([0.0, 1.0])}, K
    )[0]["mask"]
    assert y.dtype == dtype
    assert torch.equal(y[0].long(), mask[0].long())
    assert not y[1].long().any()


# the gradient


@pytest.mark.parametrize("where", NEIGHBOURS)
@pytest.mark.parametrize("name", ALONE)
def test_the_gradient_of_a_gate_is_the_difference_it_makes(name, where):
    """d L / d logit = d gate / d logit (L(on) - L(off)) for a loss that is linear in the result, straight-through and
    relaxed, alone and beside steps of every kind."""
    f = gated(example(name), 0.5)
    steps = NEIGHBOURS[where](f)
    g = af.pipeline(*steps)
    own = next(n for n, s in g.steps.items() if s is f)
    x = image(f)
    params = g(x, None, K)[1]
    weight = window(x, f.ndim)

    def loss(gate):
        y = g(x, params | {own: params[own] | {"gate": gate}}, K)[0]
        return (y * weight).flatten(1).sum(-1)

    on, off = (loss(torch.full((5,), v, dtype=F64, requires_grad=True)).detach() for v in (1.0, 0.0))
    for hard in (True, False):
        logit = torch.tensor(0.2, dtype=F64, requires_grad=True)
        gate = af.RelaxedBernoulli(logit, hard=hard).draw(torch.tensor([0.1, 0.3, 0.5, 0.7, 0.9], dtype=F64))
        slope = torch.autograd.grad(loss(gate).sum(), logit, retain_graph=True)[0]
        each = torch.stack([torch.autograd.grad(g, logit, retain_graph=True)[0] for g in gate])
        torch.testing.assert_close(slope, (each * (on - off)).sum(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["hflip", "vflip", "rotate", "translate", "scale", "invert", "brightness"])
def test_its_sign_is_that_of_the_hard_gates(name):
    """Beside a rotation too, where hard gates fuse with it: the exact difference of the two expected losses."""
    f, weight = getattr(af, name)(p=0.5), smooth_image((1,), 3, (24, 24), F64).flip(-1)
    g = af.pipeline(a=f, b=af.rotate(degrees=0.01, padding_mode="border"))
    x = smooth_image((1,), 3, (24, 24), F64).expand(64, -1, -1, -1)
    drawn = g(x[:1], None, K)[1]["a"]
    drawn = {n: v for n, v in drawn.items() if n != "gate"}

    def loss(gate):
        return (g(x, {"a": drawn | {"gate": gate}}, K)[0] * weight).mean()

    exact = 0.25 * (loss(torch.ones(1)) - loss(torch.zeros(1)))
    slope = grad(lambda logit: loss(af.RelaxedBernoulli(logit, temperature=1.0, hard=False)))(torch.tensor(0.0))
    assert slope * exact > 0
    assert 0.5 < slope / exact < 1.5  # the mean slope of 64 relaxed gates is 0.17 to 0.25


def test_a_choice_blends_results():
    branches = [af.rotate(degrees=20.0), af.invert(), af.gaussian_blur(kernel_size=3, sigma=1.0)]
    f = af.one_of(*branches, weights=af.GumbelChoice(torch.zeros(3, dtype=F64), hard=False))
    x = smooth_image((4,), 3, (9, 11), F64)
    y, params = f(x, None, K)
    each = torch.stack([g(x)[0] for g in branches], -1)
    torch.testing.assert_close(y, (each * params["choice"][:, None, None, None]).sum(-1))
    slope = grad(lambda w: f(x, params | {"choice": w})[0].sum())(params["choice"])
    torch.testing.assert_close(slope, (each - x[..., None]).sum((1, 2, 3)))


def test_targets_of_a_relaxed_gate_are_selected():
    x = targets_for(torch.rand(2, 3, 8, 8), 2)
    y = af.hflip(p=af.RelaxedBernoulli(0.0, hard=False))(x, {"gate": torch.tensor([0.4, 0.6])})[0]
    moved = af.hflip()(x)[0]
    torch.testing.assert_close(y["image"][0], x["image"][0] * 0.6 + moved["image"][0] * 0.4)
    agree("closed mask", y["mask"][0], x["mask"][0])
    agree("open mask", y["mask"][1], moved["mask"][1])
    agree("boxes", y["boxes"].data[1], moved["boxes"].data[1])
    agree("keypoints", y["keypoints"].xy[0], x["keypoints"].xy[0])


# what is planned


def test_hard_gates_fuse_and_others_do_not():
    f = af.pipeline(af.rotate(p=0.5), af.hflip(p=0.5), af.affine(degrees=(-5, 5)))
    x = torch.rand(6, 3, 8, 8)
    params = f(x, None, K)[1]
    sample = read(x, 2, {})
    assert len(f.actions(params, sample)) == 1
    params["rotate"]["gate"] = torch.full((6,), 0.5)
    planned = f.actions(params, sample)
    assert [type(a) for a in planned[:1]] == [Blend]
    assert len(planned) == 2


def test_an_op_without_a_gate_takes_one():
    f, x = af.brightness(factor=0.5), torch.rand(3, 3, 4, 4)
    assert "gate" not in f(x, None, K)[1]
    y, params = f(x, {"gate": torch.tensor([0.0, 1.0, 0.0])}, K)
    torch.testing.assert_close(y, x * torch.tensor([1.0, 0.5, 1.0]).reshape(3, 1, 1, 1))
    assert params["gate"].tolist() == [0, 1, 0]
    assert torch.equal(f(x, {"gate": af.Bernoulli(0.0)}, K)[0], x)


def test_maybe_blends_the_whole_of_what_it_holds():
    f = af.maybe(af.pipeline(af.invert(), af.brightness(factor=0.5)), p=af.RelaxedBernoulli(0.0, hard=False))
    x = torch.rand(3, 3, 4, 4)
    y, params = f(x, None, K)
    g = params["gate"].reshape(-1, 1, 1, 1)
    torch.testing.assert_close(y, x * (1 - g) + g * (1 - x) / 2)


def test_weights_that_would_not_learn_are_an_error():
    with pytest.raises(ValueError, match=r"weights cannot learn[\s\S]*af.GumbelChoice\(logits\)"):
        af.one_of(af.hflip(), af.vflip(), weights=torch.zeros(2, requires_grad=True))


def test_a_gate_within_a_gate_opens_where_both_do():
    x, gates = torch.rand(4, 1, 3, 5), torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    for f in (af.maybe(af.hflip(p=0.5)), af.maybe(af.brightness(factor=0.5, p=0.5))):
        inner = next(iter(f.steps))
        y, _ = f(x, {"gate": gates[0], inner: {"gate": gates[1]}})
        assert [a.equal(b) for a, b in zip(y, x, strict=True)] == [True, True, True, False]


def test_a_blend_is_exact_at_its_ends():
    """Also between what is not finite."""
    wild = torch.tensor([torch.inf, -torch.inf, torch.nan])
    for old, new in ((torch.ones(3), wild), (wild, torch.ones(3))):
        torch.testing.assert_close(blend(old, new, torch.tensor(0.0)), old, equal_nan=True)
        torch.testing.assert_close(blend(old, new, torch.tensor(1.0)), new, equal_nan=True)


def test_two_gated_holes_unite_by_sample():
    """Fused, each hides the samples that its own gate opens for."""
    steps = (af.erase(scale=0.3), af.cutout(size=4))
    x, gates = torch.rand(4, 2, 9, 11), torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 1.0]])
    fused, literal = af.pipeline(*steps), af.pipeline(*steps, fuse=False)
    params = fused(x, None, af.key(0))[1]
    params = {n: {**leaves, "gate": gate} for (n, leaves), gate in zip(params.items(), gates, strict=True)}
    y = fused(x, params)[0]
    torch.testing.assert_close(y, literal(x, params)[0])
    assert [a.equal(b) for a, b in zip(y, x, strict=True)] == [True, False, False, False]

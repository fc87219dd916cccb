"""Ranges that learn: the loss of Augerino in closed form, its limits, reversed gradients, a learned curriculum."""

import math

import pytest
import torch
from torch.func import grad
from torch.nn import functional as F

import augfn as af
from augfn.learn import augerino_loss, range_widths, reverse_gradient

K = af.key(0)


def params(turn, factor):
    return {"rotate": {"degrees": af.Uniform(-turn, turn)}, "brightness": {"factor": af.Interval(factor)}}


def test_the_reward_is_the_norm_of_the_widths():
    turn, factor = torch.tensor(20.0), torch.tensor([0.7, 1.1])
    loss = augerino_loss(
        torch.tensor(3.0), params(turn, factor), 0.5, units={"rotate/degrees": 100.0, "brightness/factor": 1.0}
    )
    assert loss.item() == pytest.approx(3 - 0.5 * math.hypot(0.4, 0.4))
    plain = augerino_loss(torch.tensor(3.0), params(turn, factor), 0.5)
    assert plain.item() == pytest.approx(3 - 0.5 * math.hypot(40, 0.4))


def test_its_gradient_is_that_of_the_norm():
    def loss(turn):
        units = {"rotate/degrees": 100.0, "brightness/factor": 1.0}
        return augerino_loss(torch.zeros(()), params(turn, torch.tensor([0.7, 1.0])), 0.5, units=units)

    # -lambda W_1 / ||W|| dW_1, with W = (.4, .3) and dW_1 = 2 / 100
    assert grad(loss)(torch.tensor(20.0)).item() == pytest.approx(-0.5 * 0.4 / 0.5 * 0.02)


@pytest.mark.parametrize(("width", "slope"), [(4.99, -1.0), (5.0, 0.0), (7.0, 0.0), (-5.0, 0.0)])
def test_the_reward_ends_at_its_limit(width, slope):
    loss = lambda w: augerino_loss(torch.tensor(1.0), {"degrees": af.Uniform(0.0, w)}, 1.0, limit=5.0)  # noqa: E731
    assert grad(loss)(torch.tensor(width)).item() == slope
    assert loss(torch.tensor(width)).item() == pytest.approx(1.0 - (4.99 if slope else 0.0))


def test_widths_of_all_that_has_ends():
    span = af.Span([2.0, 0.5], [[-1.0, 0.0], [1.0, 1.0]])
    leaves = {
        "uniform": af.Uniform([0.0, 1.0], [1.0, 3.0]),
        "span": span,
        "log": af.LogUniform(0.5, 2.0),
        "knots": af.Knots(-3.0, 3.0),
        "gate": af.Bernoulli(0.3),
        "fixed": torch.tensor(3.0),
    }
    found = range_widths({"step": leaves})
    assert [*found] == [f"step/{n}" for n in ("uniform", "span", "log", "knots")]
    assert found["step/uniform"].tolist() == [1.0, 2.0]
    assert found["step/span"].item() == 4.5
    assert found["step/log"].item() == pytest.approx(math.log(4))
    assert found["step/knots"].item() == 6.0


@pytest.mark.parametrize(
    ("tree", "given", "words"),
    [
        ({"gate": af.Bernoulli(0.5)}, {}, "no ranges"),
        ({"degrees": af.Uniform(0.0, 1.0)}, {"units": {"degres": 1.0}}, "degrees"),
        ({"gate": af.Bernoulli(0.5)}, {"units": {"gate": 1.0}}, "no range"),
        ({"degrees": af.Uniform(0.0, 1.0)}, {"units": {"degrees": 0.0}}, "positive"),
        ({"degrees": af.Uniform(0.0, 1.0)}, {"units": {}}, "at least one range"),
        ({"degrees": af.Uniform(0.0, 1.0)}, {"weight": -1.0}, "weight"),
        ({"degrees": af.Uniform(0.0, 1.0)}, {"weight": torch.tensor(-1.0)}, "weight"),
        ({"degrees": af.Uniform(0.0, 1.0)}, {"weight": torch.tensor(torch.nan)}, "weight"),
        ({"degrees": af.Uniform(0.0, 1.0)}, {"limit": 0.0}, "limit"),
    ],
)
def test_bad_input_is_named(tree, given, words):
    with pytest.raises(ValueError, match=words):
        augerino_loss(torch.zeros(()), tree, **given)


def test_a_loss_that_is_a_number_is_named():
    with pytest.raises(TypeError, match="task_loss"):
        augerino_loss(2.0, af.rotate().params)  # type: ignore[arg-type]


def test_a_weight_may_be_a_tensor():
    found = augerino_loss(torch.tensor(5.0), {"degrees": af.Uniform(0.0, 3.0)}, torch.tensor(0.5, requires_grad=True))
    assert found.item() == 3.5


def test_an_equal_task_lets_a_range_grow_and_a_strict_one_does_not():
    """A model that sees no turn bears all; one that sees each turn holds the range where the forces are equal."""
    f, x = af.brightness(factor=(0.9, 1.1), clip="none"), torch.ones(64, 1, 1, 1)
    ends = {}
    for strict in (0.0, 1.0):
        raw = torch.tensor(-1.0, requires_grad=True)
        optimizer = torch.optim.SGD([raw], 0.2)
        for i in range(120):
            tree = {"factor": af.Span(F.softplus(raw), [[-1.0], [1.0]], 1.0)}
            task = strict * (f(x, tree, af.fold_in(K, i))[0] - 1).square().mean()
            loss = augerino_loss(task, tree, 0.1)
            (raw.grad,) = torch.autograd.grad(loss, raw)
            optimizer.step()
        ends[strict] = F.softplus(raw).item()
    assert ends[1.0] == pytest.approx(0.3, abs=0.05)  # E = w^2 / 3, so 2 w / 3 = 2 lambda
    assert ends[0.0] > 1.2


def test_copies_at_test_are_drawn_from_learned_ranges():
    f, x = af.brightness(factor=(0.9, 1.1), clip="none"), torch.rand(3, 3, 4, 4) + 0.1
    net = lambda v: v.mean((2, 3)).log_softmax(-1)  # noqa: E731
    tree = {"factor": af.Uniform(3.0, 5.0)}
    found = af.tta(net, f, n=4)(x, K, tree)
    want = torch.stack([net(f(x, tree, key)[0]) for key in af.split(K, 4)]).mean(0)
    torch.testing.assert_close(found, want)
    assert not torch.allclose(found, af.tta(net, f, n=4)(x, K))
    with pytest.raises(ValueError, match="list of views"):
        af.tta(net, [af.hflip()])(x, K, tree)


def test_a_reversed_gradient_is_minus_the_gradient():
    bounds = torch.tensor([0.5, 1.5], dtype=torch.float64)
    f, x = af.brightness(clip="none"), torch.rand(8, 1, 3, 3, dtype=torch.float64)

    def loss(b, change):
        return f(x, change({"factor": af.Interval(b)}), K)[0].square().mean()

    ours = grad(loss)(bounds, lambda p: reverse_gradient(p, 0.5))
    torch.testing.assert_close(ours, -0.5 * grad(loss)(bounds, lambda p: p))
    assert loss(bounds, reverse_gradient) == loss(bounds, lambda p: p)
    assert reverse_gradient({"n": torch.tensor(3)})["n"].dtype == torch.int64


def test_ranges_against_a_net_end_where_they_hurt_most():
    """The loss is (m f - 1)^2 for a weight m = 1: the ranges move away from 1, and no further than their interval."""
    import augfn_nn

    aug = augfn_nn.Augment(af.brightness(factor=(0.8, 1.3), clip="none"), learnable=True)
    optimizer = torch.optim.SGD(aug.parameters(), 0.3)
    x = torch.ones(64, 1, 1, 1)
    first = ((aug.f(x, aug.params, K)[0] - 1) ** 2).mean().item()
    for i in range(20):
        optimizer.zero_grad()
        ((aug.f(x, reverse_gradient(aug.params), af.fold_in(K, i))[0] - 1) ** 2).mean().backward()
        optimizer.step()
    low, high = aug.params["factor"].low.item(), aug.params["factor"].high.item()
    assert 0 <= low < high
    assert ((aug.f(x, aug.params, K)[0] - 1) ** 2).mean().item() > 2 * first


def test_progress_of_a_curriculum_learns():
    """d loss / d progress of ranges that widen with it agrees with finite differences."""
    f = af.rotate(degrees=(-5, 5))
    at = af.Curriculum(f, {"degrees": af.linear((-5, 5), (-25, 25))})
    x = torch.rand(4, 1, 9, 9, dtype=torch.float64)

    def loss(raw):
        return (f(x, at(torch.sigmoid(raw)), K)[0] * x).sum()

    raw, h = torch.tensor(0.3), 1e-2
    difference = (loss(raw + h) - loss(raw - h)) / (2 * h)
    torch.testing.assert_close(grad(loss)(raw).double(), difference, rtol=0.03, atol=0)


@pytest.mark.parametrize("given", [af.rotate(degrees=(-9, 9)), (0.8, 1.2), {"factor": 0.8}])
def test_what_holds_no_tensor_is_not_silently_left_as_it_is(given):
    with pytest.raises(TypeError, match="nothing to reverse"):
        reverse_gradient(given)
    assert reverse_gradient({}) == {}


@pytest.mark.parametrize("units", [None, ["rotate/degrees"]])
def test_an_augmentation_in_place_of_its_params_is_named(units):
    f = af.pipeline(af.rotate(degrees=(-9, 9)))
    with pytest.raises(TypeError, match=r"range_widths\(f.params"):
        augerino_loss(torch.tensor(1.0), f if units is None else f.params, units=units)  # type: ignore[arg-type]


def test_a_span_made_within_a_compiled_loss():
    """One width for (-w, w), as the docstring of augerino_loss has it."""
    turn, x = af.rotate(), torch.rand(4, 1, 8, 8)

    def loss(w):
        tree = {"degrees": af.Span(w, [[-1.0], [1.0]])}
        return augerino_loss(turn(x, tree, K)[0].square().mean(), tree)

    w = torch.tensor(9.0)
    torch.testing.assert_close(torch.compile(loss, fullgraph=True, backend="aot_eager")(w), loss(w))


def test_an_open_end_stays_open():
    ends = torch.tensor([-1.0, torch.inf], requires_grad=True)
    back = reverse_gradient({"leaf": ends}, 2.0)["leaf"]
    assert torch.equal(back, ends)
    back[0].backward()
    assert ends.grad[0] == -2
    assert ends.grad.isfinite().all()

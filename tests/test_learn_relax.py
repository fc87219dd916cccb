"""RELAX and REINFORCE against gradients by enumeration, in double precision."""

import itertools

import pytest
import torch
from torch.func import grad

import augfn as af
from augfn.learn import estimators, relax

K = af.key(0)
F64 = torch.float64
LOGITS = torch.tensor([0.4, -1.2], dtype=F64)
THREE = torch.tensor([0.3, -0.5, 1.0], dtype=F64)
COST = torch.tensor([0.2, 1.5, -0.7], dtype=F64)


def c(value, scale=1.3):
    """A control variate that has nothing to do with the loss."""
    return torch.sin(3 * value * scale + 0.4)


def grid(n):
    return (torch.arange(n, dtype=F64) + 0.5) / n


def slope(loss, make, fields, control=None, n=1, key=K):
    return grad(lambda v: relax(loss, make(v), key, control, n=n).mean())(fields)


def planned(monkeypatch, *noise):
    """Noise that is given, in place of draws: first that of z, then that of z given b."""
    rest = list(noise)
    monkeypatch.setattr(estimators, "uniform", lambda key, shape, d: rest.pop(0).reshape(shape))


# by quadrature over all noise, the outcomes in their exact shares


@pytest.mark.parametrize("control", [0.0, 0.7, c], ids=["none", "constant", "function"])
def test_a_gate_by_all_its_noise(monkeypatch, control):
    """P = 1/4 on a grid of 400: the outcomes have their exact shares, and what is left is the midpoint rule's error."""
    n = 400
    u, v = (t.flatten() for t in torch.meshgrid(grid(n), grid(n), indexing="ij"))
    planned(monkeypatch, u, v)
    logit = torch.tensor(0.25, dtype=F64).logit()
    found = slope(lambda b: (b - 0.45) ** 2, af.RelaxedBernoulli, logit, control, n * n)
    torch.testing.assert_close(
        found, torch.tensor(0.1 * 0.25 * 0.75, dtype=F64), rtol=0, atol=1e-4 if callable(control) else 1e-9
    )


def test_given_a_gate_the_noise_is_what_it_was():
    """z of one outcome, from all noise, has the distribution of z where that outcome came."""
    d, n = af.RelaxedBernoulli(torch.tensor(0.25, dtype=F64).logit()), 4000
    z = estimators.noisy(d, grid(n))
    for b in (0.0, 1.0):
        want = z[(z > 0) == bool(b)].sort().values
        found = estimators.noisy_given(d, torch.full((len(want),), b, dtype=F64), grid(len(want))).sort().values
        torch.testing.assert_close(found[5:-5], want[5:-5], rtol=0, atol=1e-3)


def test_given_a_choice_the_noise_is_what_it_was():
    d, n = af.GumbelChoice(THREE), 200_000
    z = estimators.noisy(d, af.uniform(K, (n, 3)).double())
    hard = estimators.outcome(d, z)
    again = estimators.noisy_given(d, hard, af.uniform(af.key(1), (n, 3)).double())
    assert torch.equal(estimators.outcome(d, again), hard)
    torch.testing.assert_close(hard.mean(0), THREE.softmax(0), rtol=0, atol=5e-3)
    for q in (0.05, 0.5, 0.95):
        torch.testing.assert_close(again.quantile(q, 0), z.quantile(q, 0), rtol=0, atol=0.03)


# by enumeration of the outcomes of several leaves, and many draws


def loss_of(tree):
    gates, one = tree["gates"], tree["of"]["choice"]
    return (gates[:, 0] - 0.3) ** 2 + gates.prod(-1) * (one @ COST) + (one @ COST.flip(0)) ** 2


def tree_of(values):
    return {
        "gates": af.RelaxedBernoulli(values[:2]),
        "of": {"choice": af.GumbelChoice(values[2:])},
        "range": af.Uniform(0.0, 1.0),
    }


def enumerated(values):
    """The expected loss as a function of all logits."""
    total = 0.0
    for a, b in itertools.product((0.0, 1.0), repeat=2):
        for one in torch.eye(3, dtype=F64):
            hard = torch.tensor([[a, b]], dtype=F64)
            p = torch.sigmoid(values[:2])
            mass = (hard[0] * p + (1 - hard[0]) * (1 - p)).prod() * (one * values[2:].softmax(0)).sum()
            total = total + mass * loss_of({"gates": hard, "of": {"choice": one[None]}})[0]
    return total


def odd(tree):
    return c(tree["gates"]).sum(-1) * c(tree["of"]["choice"]).prod(-1)


CONTROLS = {"others": None, "none": 0.0, "constant": 0.5, "odd": odd, "REBAR": loss_of}


def slopes_of(control, groups=25, n=2000):
    values = torch.cat([LOGITS, THREE])
    return torch.stack([slope(loss_of, tree_of, values, control, n, key) for key in af.split(K, groups)])


@pytest.mark.parametrize("name", CONTROLS)
def test_the_estimate_is_unbiased(name):
    found = slopes_of(CONTROLS[name])
    want = grad(enumerated)(torch.cat([LOGITS, THREE]))
    error = found.std(0) / len(found) ** 0.5
    assert ((found.mean(0) - want).abs() < 4 * error).all()
    assert (error < 0.03 * want.abs().max()).all()


def test_a_baseline_lowers_the_variance():
    variance = {n: slopes_of(CONTROLS[n], 30, 200).var(0).sum() for n in ("none", "others")}
    assert variance["others"] < 0.8 * variance["none"]


@pytest.mark.parametrize(
    ("plain", "learns", "value", "logits_of"),
    [
        (af.Bernoulli, af.RelaxedBernoulli, torch.tensor(0.3, dtype=F64), torch.logit),
        (af.Choice, af.GumbelChoice, torch.tensor([1.0, 3.0, 0.5], dtype=F64), torch.log),
    ],
)
@pytest.mark.parametrize(
    "control", [None, lambda s: c(s).flatten(1).sum(1) if s.ndim > 1 else c(s)], ids=["score", "relax"]
)
def test_probabilities_and_weights_are_logits_by_another_name(plain, learns, value, logits_of, control):
    """The same estimate by the chain rule, for the same outcomes."""
    if control is None:
        hard = plain(value).draw(af.uniform(K, (8, *plain(value).noise_shape)).double())
        ours, theirs = (grad(lambda v, d=d: d(v).log_prob(hard).sum()) for d in (plain, lambda p: learns(logits_of(p))))
        torch.testing.assert_close(ours(value), theirs(value))
        return
    loss = lambda b: (b - 0.45).square().flatten(1).sum(1) if b.ndim > 1 else (b - 0.45) ** 2  # noqa: E731
    ours = slope(loss, plain, value, control, 64)
    torch.testing.assert_close(ours, slope(loss, lambda p: learns(logits_of(p)), value, control, 64))


# in a pipeline


def test_gates_choices_ranges_and_weights_learn_by_one_loss():
    """The gate by its score, the range by its draw: both agree with the exact gradient of the expected loss."""
    f = af.brightness(factor=(0.5, 1.5), clip="none", p=af.RelaxedBernoulli(0.0))
    x, n = torch.ones(4000, 1, 1, 1, dtype=F64), 4000
    leaves = torch.tensor([0.4, 0.5, 1.2, 0.9], dtype=F64)

    def tree(v):
        return {"factor": af.Uniform(v[1], v[2]), "gate": af.RelaxedBernoulli(v[0])}

    def estimate(v, key):
        return relax(lambda p: (v[3] * f(x, p, key)[0] - 2).square().flatten(), tree(v), key, n=n).mean()

    def exact(v):
        a, b, w = v[1], v[2], v[3]
        moved = w**2 * (a * a + a * b + b * b) / 3 - 2 * w * (a + b) + 4  # E (w s - 2)^2, s uniform
        p = torch.sigmoid(v[0])
        return p * moved + (1 - p) * (w - 2) ** 2

    found = torch.stack([grad(estimate)(leaves, key) for key in af.split(K, 20)])
    assert ((found.mean(0) - grad(exact)(leaves)).abs() < 4 * found.std(0) / 20**0.5).all()
    assert estimate(leaves, K).item() == pytest.approx(exact(leaves).item(), abs=0.05)


def test_a_control_that_learns_lowers_the_variance():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(1, 10), torch.nn.Tanh(), torch.nn.Linear(10, 1)).double()
    logits = torch.zeros((), dtype=F64, requires_grad=True)

    def estimate(key, control, n=1):
        found = relax(lambda b: (b - 0.45) ** 2, af.RelaxedBernoulli(logits), key, control, n=n)
        return torch.autograd.grad(found.mean(), logits, create_graph=True)[0]

    control = lambda s: net(s[:, None])[:, 0]  # noqa: E731
    optimizer, weights = torch.optim.Adam(net.parameters(), 0.03), list(net.parameters())
    for key in af.split(K, 150):
        slopes = torch.autograd.grad(estimate(key, control, 64).square(), weights, materialize_grads=True)
        for weight, found in zip(weights, slopes, strict=True):
            weight.grad = found
        optimizer.step()
    spread = {
        n: torch.stack([estimate(k, c).detach() for k in af.split(af.key(1), 200)])
        for n, c in (("relax", control), ("score", 0.0))
    }
    assert spread["relax"].var() < 0.5 * spread["score"].var()
    assert abs(spread["relax"].mean().item() - 0.025) < 4 * spread["relax"].std().item() / 200**0.5


def test_the_value_is_the_loss_and_draws_follow_the_key():
    d, seen = af.RelaxedBernoulli(LOGITS), []
    loss = lambda b: seen.append(b) or b.sum(-1)  # noqa: E731
    for control in (None, lambda s: c(s).sum(-1)):
        first, again, other = (relax(loss, d, af.key(s), control, n=500) for s in (0, 0, 1))
        assert torch.equal(first, seen[-3].sum(-1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert set(seen[-1].unique().tolist()) == {0.0, 1.0}
        torch.testing.assert_close(seen[-1].mean(0), torch.sigmoid(LOGITS), rtol=0, atol=0.08)


def test_sure_logits_stay_finite():
    for value in (-60.0, 60.0):
        d = lambda v: af.RelaxedBernoulli(v)  # noqa: E731
        assert slope(lambda b: b, d, torch.tensor(value), lambda s: s**2, 100).isfinite()
        choice = torch.tensor([value, 0.0, 0.0])
        assert slope(lambda b: b[:, 0], af.GumbelChoice, choice, lambda s: s[:, 1] ** 2, 100).isfinite().all()


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_sure_probabilities_stay_finite(p):
    """As an optimizer leaves them that is held in [0, 1]; elsewhere they gave NaN (tensorflow/probability 1393)."""
    plain, ours = (slope(lambda b: b, af.Bernoulli, torch.tensor(p), c, 100) for c in (None, lambda s: s**2))
    assert plain == ours == 0
    weights = torch.tensor([p, 1.0 - p, 0.5])
    found = slope(lambda b: b[:, 1], af.Choice, weights, lambda s: s[:, 1] ** 2, 4000)
    assert found.isfinite().all()
    want = torch.autograd.functional.jacobian(lambda w: w[1] / w.sum(), weights)
    torch.testing.assert_close(found[weights > 0], want[weights > 0], atol=0.03, rtol=0)


def test_it_compiles():
    def step(v, key):
        return relax(lambda b: (b - 0.45) ** 2, af.RelaxedBernoulli(v), key, lambda s: s**2, n=64).mean()

    v = torch.tensor(0.3, requires_grad=True)
    fast = torch.compile(step, fullgraph=True, backend="eager")
    (ours,), (want,) = (torch.autograd.grad(f(v, K), v) for f in (fast, step))
    torch.testing.assert_close(ours, want)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"params": af.Uniform(0.0, 1.0)}, "nothing to draw"),
        ({"params": af.RelaxedBernoulli(0.0, hard=False)}, "nothing to draw"),
        ({"n": 0}, "relax: n"),
        ({"n": 3.0}, "relax: n"),
        ({"n": True}, "relax: n"),
        ({"control": torch.ones(3, 1)}, "the baseline"),
        ({"control": torch.ones(2)}, "the baseline"),
        ({"loss": lambda b: b.sum()}, "the loss"),
        ({"control": lambda s: s.sum()}, "the control"),
    ],
)
def test_bad_input_is_named(change, words):
    given = {"loss": lambda b: b, "params": af.RelaxedBernoulli(0.0), "key": K, "control": None, "n": 3} | change
    loss, params, key, control = (given[name] for name in ("loss", "params", "key", "control"))
    with pytest.raises(ValueError, match=words):
        relax(loss, params, key, control, n=given["n"])


def test_a_distribution_without_a_relaxation_has_its_score():
    class Coin(af.Bernoulli.__base__):
        fields = ("odds",)
        hard = True

        def __init__(self, odds):
            self._set(odds=odds)

        def draw(self, u):
            return (u < self.odds / (1 + self.odds)).to(u.dtype)

        def log_prob(self, value):
            return value * self.odds.log() - torch.log1p(self.odds)

    found = slope(lambda b: 3 * b, Coin, torch.tensor(0.5, dtype=F64), n=20_000)
    assert found.item() == pytest.approx(3 / 1.5**2, abs=0.05)  # E = 3 odds / (1 + odds)
    with pytest.raises(ValueError, match="no relaxation"):
        relax(lambda b: b, Coin(0.5), K, lambda s: s, n=2)


def test_temperatures_do_not_learn():
    temperature = torch.tensor(0.5, requires_grad=True)
    d = af.RelaxedBernoulli(torch.tensor(0.3, requires_grad=True), temperature)
    relax(lambda b: b, d, K, lambda s: s**2, n=8).mean().backward()
    assert temperature.grad is None
    assert d.logits.grad != 0

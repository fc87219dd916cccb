"""Densities and masses: torch.distributions' own, with gradients, and -inf outside of the support."""

import math

import pytest
import torch
from torch.func import grad, jacrev, vmap

import augfn as af

D = torch.distributions
F64 = torch.float64


def tensor(*values):
    return torch.tensor(values if len(values) > 1 else values[0], dtype=F64)


DENSITIES = {
    "Uniform": (af.Uniform, D.Uniform, (tensor(-1.0), tensor(3.0)), [-0.9, 0.0, 2.5]),
    "LogUniform": (
        af.LogUniform,
        lambda a, b: D.TransformedDistribution(D.Uniform(a.log(), b.log()), D.ExpTransform()),
        (tensor(0.5), tensor(2.0)),
        [0.6, 1.0, 1.9],
    ),
    "Interval": (af.Interval, lambda ends: D.Uniform(*ends), (tensor(-1.0, 3.0),), [-0.9, 0.0, 2.5]),
    "Span": (
        lambda x: af.Span(x, [[-1.0], [1.0]], 1.0),
        lambda x: D.Uniform(1 - x, 1 + x),
        (tensor(2.0),),
        [-0.9, 0.0, 2.5],
    ),
    "LogNormal": (af.LogNormal, D.LogNormal, (tensor(0.5), tensor(0.8)), [0.1, 1.0, 4.0]),
    "Normal": (af.Normal, D.Normal, (tensor(0.5), tensor(2.0)), [-3.0, 0.5, 9.0]),
    "half a normal": (
        lambda s: af.TruncatedNormal(tensor(0.0), s, tensor(0.0), tensor(math.inf)),
        D.HalfNormal,
        (tensor(1.5),),
        [0.0, 0.7, 3.0],
    ),
    "Exponential": (af.Exponential, D.Exponential, (tensor(0.7),), [0.1, 3.0]),
    "Dirichlet": (
        af.Dirichlet,
        D.Dirichlet,
        (tensor(0.7, 2.0, 3.0),),
        [[0.2, 0.3, 0.5], [0.01, 0.98, 0.01]],
    ),
    "Beta": (af.Beta, D.Beta, (tensor(0.7), tensor(2.5)), [1e-4, 0.3, 0.98]),
    "Bernoulli": (af.Bernoulli, D.Bernoulli, (tensor(0.3),), [0.0, 1.0]),
    "RelaxedBernoulli": (
        lambda v, t: af.RelaxedBernoulli(v, t, hard=False),
        lambda v, t: D.RelaxedBernoulli(t, logits=v),
        (tensor(0.4), tensor(0.7)),
        [1e-4, 0.3, 0.98],
    ),
    "RelaxedBernoulli, hard": (af.RelaxedBernoulli, lambda v: D.Bernoulli(logits=v), (tensor(0.4),), [0.0, 1.0]),
    "LogitBernoulli": (af.LogitBernoulli, lambda v: D.Bernoulli(logits=v), (tensor(0.4),), [0.0, 1.0]),
    "LogitChoice": (
        af.LogitChoice,
        lambda v: D.OneHotCategorical(logits=v),
        (tensor(0.4, 0.1, -0.3),),
        torch.eye(3).tolist(),
    ),
    "Choice": (af.Choice, D.OneHotCategorical, (tensor(0.5, 1.0, 3.0),), torch.eye(3).tolist()),
    "GumbelChoice": (
        lambda v, t: af.GumbelChoice(v, t, hard=False),
        lambda v, t: D.RelaxedOneHotCategorical(t, logits=v),
        (tensor(0.4, 0.1, -0.3), tensor(0.7)),
        [[0.2, 0.3, 0.5], [0.01, 0.98, 0.01]],
    ),
    "GumbelChoice, hard": (
        af.GumbelChoice,
        lambda v: D.OneHotCategorical(logits=v),
        (tensor(0.4, 0.1, -0.3),),
        torch.eye(3).tolist(),
    ),
}
by_density = pytest.mark.parametrize("name", DENSITIES)


@by_density
def test_log_prob_is_torchs(name):
    """With its gradients; of a batch of values, as under vmap and compiled."""
    ours, theirs, fields, values = DENSITIES[name]
    values = torch.tensor(values, dtype=F64)
    found = ours(*fields).log_prob(values)
    torch.testing.assert_close(found, theirs(*fields).log_prob(values))
    torch.testing.assert_close(vmap(ours(*fields).log_prob)(values), found)
    torch.testing.assert_close(
        jacrev(lambda *f: ours(*f).log_prob(values), tuple(range(len(fields))))(*fields),
        jacrev(lambda *f: theirs(*f).log_prob(values), tuple(range(len(fields))))(*fields),
    )


def test_log_prob_compiles():
    cases = [(d(*fields), torch.tensor(values, dtype=F64)) for d, _, fields, values in DENSITIES.values()]
    all_of_them = lambda cases: [d.log_prob(v) for d, v in cases]  # noqa: E731
    compiled = torch.compile(all_of_them, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(cases), all_of_them(cases))


@pytest.mark.parametrize("mean", [0.1, 5.0, -7.0])
def test_truncated_normal_has_mass_one(mean):
    """Far in a tail too; and the gradients to all four are those of differences."""
    fields = [tensor(mean), tensor(0.8), tensor(-1.0), tensor(1.5)]
    x = torch.linspace(-1.0, 1.5, 4001, dtype=F64)
    mass = torch.trapezoid(af.TruncatedNormal(*fields).log_prob(x).exp(), x)
    torch.testing.assert_close(mass, tensor(1.0), atol=1e-4, rtol=0)
    inside = x[1:-1:800]
    leaves = [f.requires_grad_() for f in fields]
    assert torch.autograd.gradcheck(lambda *f: af.TruncatedNormal(*f).log_prob(inside), leaves)


def test_an_infinite_end_has_a_finite_gradient():
    """Of half a normal: (x - mean) / std^2 - phi / std, with phi the hazard 2 / sqrt(2 pi) at the mean."""
    d = lambda m: af.TruncatedNormal(m, tensor(2.0), tensor(0.0), tensor(math.inf))  # noqa: E731
    slope = grad(lambda m: d(m).log_prob(tensor(1.0)))(tensor(0.0))
    torch.testing.assert_close(slope, tensor(1 / 4 - math.sqrt(2 / math.pi) / 2))


@pytest.mark.parametrize(
    ("d", "value"),
    [
        (af.Constant(0.5), 0.4),
        (af.Uniform(0.0, 1.0), 1.1),
        (af.Interval([0.0, 1.0]), -0.1),
        (af.LogUniform(0.5, 2.0), 0.0),
        (af.LogNormal(0.0, 1.0), -1.0),
        (af.LogUniform(0.5, 2.0), 3.0),
        (af.TruncatedNormal(), 2.5),
        (af.Beta(2.0, 2.0), -0.1),
        (af.Bernoulli(0.5), 0.5),
        (af.RelaxedBernoulli(0.0), 0.5),
        (af.RelaxedBernoulli(0.0, hard=False), 1.5),
        (af.Choice([1.0, 2.0]), [0.5, 0.5]),
        (af.GumbelChoice([1.0, 2.0]), [1.0, 1.0]),
        (af.GumbelChoice([1.0, 2.0], hard=False), [-0.5, 1.5]),
    ],
    ids=str,
)
def test_log_prob_outside_the_support(d, value):
    """-inf, and no gradient, which is not NaN either."""
    fields = [getattr(d, f).clone().requires_grad_() for f in d.fields]
    again = object.__new__(type(d))
    again.__dict__.update({s: getattr(d, s) for s in d.static} | dict(zip(d.fields, fields, strict=True)))
    found = again.log_prob(torch.tensor(value))
    assert found.tolist() == -math.inf
    if found.requires_grad:
        assert not any(g.isnan().any() for g in torch.autograd.grad(found, fields, allow_unused=True) if g is not None)


def test_a_gate_of_probability_0_has_a_finite_gradient_where_it_stays_closed():
    assert grad(lambda p: af.Bernoulli(p).log_prob(torch.tensor(0.0)))(torch.tensor(0.0)) == -1
    slopes = grad(lambda w: af.Choice(w).log_prob(torch.tensor([0.0, 1.0])))(torch.tensor([0.0, 2.0]))
    assert slopes.tolist() == [-0.5, 0.0]


def test_bounds_that_crossed_keep_a_density():
    d = af.Uniform(torch.tensor(1.0), torch.tensor(-1.0))
    assert d.log_prob(d.draw(torch.tensor([0.0, 0.3]))).tolist() == pytest.approx([-math.log(2)] * 2)


ENTROPIES = {n: DENSITIES[n] for n in ("Bernoulli", "RelaxedBernoulli, hard", "Choice", "GumbelChoice, hard")}


@pytest.mark.parametrize("name", ENTROPIES)
def test_entropy_is_torchs(name):
    ours, theirs, fields, _ = ENTROPIES[name]
    torch.testing.assert_close(ours(*fields).entropy(), theirs(*fields).entropy())
    torch.testing.assert_close(grad(lambda v: ours(v).entropy())(*fields), grad(lambda v: theirs(v).entropy())(*fields))


def test_entropy_of_what_is_sure():
    assert af.Constant(0.3).entropy() == 0
    assert af.Bernoulli(1.0).entropy() == 0
    assert af.Choice([0.0, 2.0]).entropy() == 0
    assert not grad(lambda v: af.RelaxedBernoulli(v).entropy())(torch.tensor(200.0)).isnan()


def test_score_function_estimator():
    """E[loss grad log_prob] is the gradient of E[loss] to a probability that no draw can carry."""
    d = af.Bernoulli(tensor(0.3).requires_grad_())
    gates = d.draw((torch.arange(1000, dtype=F64) + 0.5) / 1000)
    loss = 2.0 + 3.0 * gates  # E = 2 + 3 p
    (loss.detach() * d.log_prob(gates)).mean().backward()
    torch.testing.assert_close(d.probs.grad, tensor(3.0), atol=5e-3, rtol=0)


def test_what_has_no_density_says_so():
    class Triangular(af.Distribution):
        fields = ("width",)

    made = Triangular()
    made._set(width=1.0)
    with pytest.raises(NotImplementedError, match=r"Triangular has no log_prob(.|\n)*define log_prob\(self, value\)"):
        made.log_prob(torch.zeros(()))
    for d in (af.Uniform(0.0, 1.0), af.RelaxedBernoulli(0.0, hard=False), af.GumbelChoice([0.0, 1.0], hard=False)):
        with pytest.raises(NotImplementedError, match=r"no entropy(.|\n)*discrete"):
            d.entropy()

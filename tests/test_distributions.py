"""Distributions: the right law, a pathwise gradient, and plain frozen pytree nodes."""

import copy
import io
import math
import pickle

import pytest
import torch
from torch.func import grad, jacrev, vmap
from torch.utils._pytree import tree_flatten, tree_flatten_with_path, tree_map, tree_unflatten

import augfn as af
from augfn.random import uniform

F64 = torch.float64
N = 4096


def tensor(*values):
    return torch.tensor(values if len(values) > 1 else values[0], dtype=F64)


def even(*shape):
    """Noise spread evenly over [0, 1): moments come out almost exactly."""
    return ((torch.arange(N, dtype=F64) + 0.5) / N).reshape(N, *shape)


# name: (distribution, mean, standard deviation), of one number
MOMENTS = {
    "Constant": (af.Constant(tensor(0.3)), 0.3, 0.0),
    "Uniform": (af.Uniform(tensor(-1.0), tensor(3.0)), 1.0, 4 / math.sqrt(12)),
    "Interval": (af.Interval(tensor(-1.0, 3.0)), 1.0, 4 / math.sqrt(12)),
    "Span": (af.Span(tensor(2.0), [[-1.0], [1.0]], 1.0), 1.0, 4 / math.sqrt(12)),
    "LogUniform": (af.LogUniform(tensor(0.5), tensor(2.0)), 1.5 / math.log(4), 0.4259),
    "LogNormal": (
        af.LogNormal(tensor(0.1), tensor(0.5)),
        math.exp(0.225),
        math.exp(0.225) * math.sqrt(math.expm1(0.25)),
    ),
    "Exponential": (af.Exponential(tensor(2.0)), 0.5, 0.5),
    "Normal": (af.Normal(tensor(0.5), tensor(2.0)), 0.5, 2.0),
    "TruncatedNormal": (af.TruncatedNormal(tensor(0.0), tensor(1.0), tensor(-1.0), tensor(1.0)), 0.0, 0.5396),
    "Bernoulli": (af.Bernoulli(tensor(0.3)), 0.3, math.sqrt(0.21)),
    "RelaxedBernoulli": (af.RelaxedBernoulli(tensor(math.log(3 / 7))), 0.3, math.sqrt(0.21)),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    d, mean, std = MOMENTS[name]
    values = d.draw(torch.zeros(N, 0) if name == "Constant" else even())
    assert values.shape == (N,)
    torch.testing.assert_close(values.mean(), tensor(mean), atol=2e-3, rtol=0)
    torch.testing.assert_close(values.std(), tensor(std), atol=4e-3, rtol=0)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.2, 0.2), (2.0, 5.0), (0.5, 3.0), (40.0, 60.0)])
def test_beta_moments(alpha, beta):
    d = af.Beta(tensor(alpha), tensor(beta))
    values = d.draw(uniform(af.key(0), (40_000, *d.noise_shape)))
    total = alpha + beta
    std = math.sqrt(alpha * beta / (total**2 * (total + 1)))
    assert ((values >= 0) & (values <= 1)).all()
    torch.testing.assert_close(values.mean(), tensor(alpha / total), atol=4 * std / 200, rtol=0)
    torch.testing.assert_close(values.std(), tensor(std), atol=0.02 * std, rtol=0)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.4, 0.7), (2.0, 5.0)])
def test_beta_gradient(alpha, beta):
    """The mean of the implicit gradients is the gradient of the mean a / (a + b); so it is for the second moment."""
    u = uniform(af.key(1), (60_000, 2, 13)).to(F64)
    mean = lambda a, b: af.Beta(a, b).draw(u).mean()  # noqa: E731
    square = lambda a, b: af.Beta(a, b).draw(u).square().mean()  # noqa: E731
    a, b = tensor(alpha), tensor(beta)
    exact = grad(lambda a, b: a / (a + b), (0, 1))(a, b)
    exact_square = grad(lambda a, b: a * (a + 1) / ((a + b) * (a + b + 1)), (0, 1))(a, b)
    torch.testing.assert_close(grad(mean, (0, 1))(a, b), exact, atol=3e-3, rtol=0.02)
    torch.testing.assert_close(grad(square, (0, 1))(a, b), exact_square, atol=3e-3, rtol=0.02)


def test_beta_of_tiny_shapes_stays_finite():
    d = af.Beta(torch.tensor(0.01), torch.tensor(0.01))
    u = uniform(af.key(2), (2000, *d.noise_shape))
    slopes = grad(lambda a: af.Beta(a, d.beta).draw(u).sum())(d.alpha)
    assert d.draw(u).isfinite().all()
    assert slopes.isfinite()


SMOOTH = {
    "Uniform": (af.Uniform, (tensor(-1.0), tensor(3.0))),
    "Interval": (af.Interval, (tensor(-1.0, 3.0),)),
    "Span": (lambda x: af.Span(x, [[[-1.0, 0.5], [1.0, 0.0]], [[0.0, 1.0], [2.0, 1.0]]], 0.3), (tensor(2.0, 1.0),)),
    "LogUniform": (af.LogUniform, (tensor(0.5), tensor(2.0))),
    "Magnitude": (
        lambda level, table: af.Magnitude(level, table, signed=True, centre=1.0, along=(1.0, 0.0)),
        (tensor(1.3), tensor(0.0, 1.0, 3.0)),
    ),
    "a spread of levels": (lambda *v: af.Magnitude(*v, "normal"), (tensor(1.3), tensor(0.0, 1.0, 3.0), tensor(0.1))),
    "levels up to one": (lambda *v: af.Magnitude(*v, spread="uniform"), (tensor(1.3), tensor(0.0, 1.0, 3.0))),
    "Exponential": (af.Exponential, (tensor(0.5),)),
    "Normal": (af.Normal, (tensor(0.5), tensor(2.0))),
    "TruncatedNormal": (af.TruncatedNormal, (tensor(0.1), tensor(1.1), tensor(-1.0), tensor(1.0))),
    "Constant": (af.Constant, (tensor(0.3),)),
    "RelaxedBernoulli": (lambda *v: af.RelaxedBernoulli(*v, hard=False), (tensor(0.4), tensor(0.7))),
    "GumbelChoice": (lambda *v: af.GumbelChoice(*v, hard=False), (tensor(0.4, 0.1, -0.3), tensor(0.7))),
}


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient(name):
    """Every field has the gradient that differences of the draw show, for the same noise."""
    make, fields = SMOOTH[name]
    noise = uniform(af.key(3), (8, *make(*fields).noise_shape)).to(F64)
    assert torch.autograd.gradcheck(lambda *v: make(*v).draw(noise), [f.requires_grad_() for f in fields])


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_hard_gate_is_the_bernoulli_of_its_logit(temperature):
    """Drawn from the same noise, open with the same probability, exactly 0 or 1; the gradient is the relaxed one's."""
    p = tensor(0.3)
    logits = torch.logit(p)
    hard, soft = (af.RelaxedBernoulli(logits, temperature, hard=h) for h in (True, False))
    assert torch.equal(hard.draw(even()), af.Bernoulli(p).draw(even()))
    slopes = [
        jacrev(lambda v, h=h: af.RelaxedBernoulli(v, temperature, hard=h).draw(even()))(logits) for h in (True, False)
    ]
    torch.testing.assert_close(*slopes)
    assert ((soft.draw(even()) > 0.5) == (hard.draw(even()) == 1)).all()


def test_gates_of_probability_0_and_1():
    """The noise lies in [0, 1): p = 0 never opens a gate, p = 1 always."""
    noise = torch.tensor([0.0, 0.5, 1 - 2**-23])
    assert af.Bernoulli(0.0).draw(noise).tolist() == [0.0, 0.0, 0.0]
    assert af.Bernoulli(1.0).draw(noise).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("make", [af.Choice, lambda w: af.GumbelChoice(torch.log(w))])
def test_choice_frequencies(make):
    weights = torch.tensor([1.0, 0.0, 2.0, 5.0]) + (0 if make is af.Choice else 1e-6)
    d = make(weights)
    assert d.shape == (4,)
    values = d.draw(uniform(af.key(4), (20_000, *d.noise_shape)))
    assert torch.equal(values.sum(-1), torch.ones(20_000))
    assert ((values == 0) | (values == 1)).all()
    torch.testing.assert_close(values.mean(0), weights / weights.sum(), atol=0.012, rtol=0)


def test_choice_never_takes_a_branch_of_no_weight():
    """Not at the ends of the noise either."""
    d = af.Choice([0.0, 1.0, 0.0, 1.0, 0.0])
    ends = torch.tensor([[0.0], [0.5], [1 - 2**-23]])
    assert d.draw(ends).argmax(-1).tolist() == [1, 3, 3]


def test_truncated_normal_stays_inside():
    """Far in a tail too, where it gathers at the end next to the mean."""
    for sign in (1.0, -1.0):
        values = sign * af.TruncatedNormal(5.0 * sign, 0.5, -1.0, 1.0).draw(uniform(af.key(5), (1000,)))
        assert ((values > 0.5) & (values <= 1)).all()
        assert values.unique().numel() > 900


def test_normal_is_finite_at_the_ends_of_the_noise():
    assert af.Normal(0.0, 1.0).draw(torch.tensor([0.0, 1 - 2**-23])).isfinite().all()


# nodes

ALL = [
    af.Constant(0.5),
    af.Uniform([0.0, 1.0], [1.0, 2.0]),
    af.Interval([0.0, 1.0]),
    af.Span([1.0, 2.0], [[[-1.0, 0.0], [1.0, 0.0]], [[0.0, -1.0], [0.0, 1.0]]]),
    af.LogUniform(0.5, 2.0),
    af.LogNormal(),
    af.Normal(),
    af.Magnitude(3.0, [0.0, 1.0, 3.0, 6.0, 10.0], 0.5, "normal", signed=True, along=(0.0, 1.0)),
    af.Dirichlet([1.0, 2.0, 3.0]),
    af.Exponential([1.0, 2.0]),
    af.TruncatedNormal(),
    af.Bernoulli(0.5),
    af.RelaxedBernoulli(0.0, 0.3, hard=False),
    af.Choice([1.0, 2.0]),
    af.GumbelChoice([1.0, 2.0]),
    af.LogitBernoulli(0.3),
    af.LogitChoice([1.0, 2.0]),
    af.Beta(1.0, 2.0),
    af.Quantiles([0.5, 1.0, 3.0]),
    af.InverseUniform(0.5, 2.0),
]
by_name = pytest.mark.parametrize("d", ALL, ids=lambda d: type(d).__name__)


def test_all_are_tried():
    public = {n for n in dir(af) if isinstance(getattr(af, n), type) and issubclass(getattr(af, n), af.Distribution)}
    assert public - {"Distribution", "Knots"} == {type(d).__name__ for d in ALL}


def test_hard():
    """Said of what draws exactly 0 or 1 alone."""
    for d in ALL:
        values = d.draw(uniform(af.key(8), (64, *d.noise_shape)))
        assert d.hard == bool(((values == 0) | (values == 1)).all()), d
    assert af.RelaxedBernoulli(0.0).hard
    assert af.GumbelChoice([0.0, 1.0]).hard


def same(a, b):
    fields = all(torch.equal(getattr(a, f), getattr(b, f)) for f in a.fields)
    return type(a) is type(b) and fields and all(getattr(a, s) == getattr(b, s) for s in a.static)


@by_name
def test_pytree(d):
    leaves, tree = tree_flatten(d)
    assert len(leaves) == len(d.fields)
    assert same(tree_unflatten(leaves, tree), d)
    doubled = tree_map(lambda t: 2 * t, d)
    assert all(torch.equal(getattr(doubled, f), 2 * getattr(d, f)) for f in d.fields)
    assert [str(path[-1]) for path, _ in tree_flatten_with_path(d)[0]] == [f".{f}" for f in d.fields]


@by_name
def test_copies(d):
    stream = io.BytesIO()
    torch.save(d, stream)
    stream.seek(0)
    assert same(torch.load(stream, weights_only=False), d)
    assert same(pickle.loads(pickle.dumps(d)), d)
    assert same(copy.deepcopy(d), d)


@by_name
def test_frozen(d):
    with pytest.raises(AttributeError, match="frozen"):
        setattr(d, d.fields[0], torch.zeros(()))


@by_name
def test_repr_shows_the_fields(d):
    assert repr(d).startswith(type(d).__name__ + "(")
    assert all(f"{f}=" in repr(d) for f in d.fields)


def test_repr_without_numbers():
    """On the meta device, where models are built that are too large to be built elsewhere."""
    assert (
        repr(af.Uniform(torch.zeros(2, device="meta"), torch.ones(2)))
        == "Uniform(low=tensor float32 [2], high=[1.0, 1.0])"
    )


@by_name
@pytest.mark.parametrize("batch", [(), (3,), (2, 3)], ids=str)
def test_shapes_and_vmap(d, batch):
    noise = uniform(af.key(6), (*batch, *d.noise_shape))
    values = d.draw(noise)
    assert values.shape == (*batch, *d.shape)
    if len(batch) == 1:
        torch.testing.assert_close(vmap(d.draw)(noise), values)


@by_name
def test_dtype_is_that_of_the_fields(d):
    noise = uniform(af.key(7), (4, *d.noise_shape))
    for dtype in (torch.float32, F64):
        assert tree_map(lambda t, dtype=dtype: t.to(dtype), d).draw(noise).dtype == dtype


def test_fields_are_taken_as_they_are():
    """No clone is held, so that an optimizer's step in place moves the next draw."""
    low = torch.nn.Parameter(torch.tensor(0.0))
    d = af.Uniform(low, torch.tensor(1.0))
    assert d.low is low
    before = d.draw(torch.tensor([0.0]))
    low.data += 0.5
    assert d.draw(torch.tensor([0.0])) - before == 0.5


def test_numbers_become_float32_under_any_default():
    torch.set_default_dtype(F64)
    try:
        assert af.Uniform(0.0, 1.0).low.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: af.Uniform(1.0, 0.0), "upside down"),
        (lambda: af.LogUniform(0.0, 1.0), "low > 0"),
        (lambda: af.Bernoulli(1.2), "probability"),
        (lambda: af.Interval([0.0, 1.0, 2.0]), "bounds"),
        (lambda: af.Span([0.0, 1.0], [[-1.0], [1.0]]), "for x of 2 numbers"),
        (lambda: af.Span(1.0, [[-1.0], [1.0, 2.0]]), "for x of 1 numbers"),
        (lambda: af.Span(1.0, [[-1.0], [1.0]], [0.0, 1.0, 2.0]), "bad offset"),
        (lambda: af.TruncatedNormal(0.0, 1.0, 2.0, -2.0), "upside down"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(ValueError, match=words):
        make()

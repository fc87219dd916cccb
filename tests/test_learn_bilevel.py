"""Every solver of the hypergradient and of `bilevel`: closed forms, finite differences, agreement, training with momentum."""

import pytest
import torch
from test_learn import Quadratic, central, newton
from torch import nn
from torch.func import functional_call, grad, hessian, vmap
from torch.nn import functional as F
from torch.utils._pytree import tree_map

import augfn as af
from augfn.learn import bilevel, hypergradient

EXACT = [
    {"solver": "neumann", "steps": 90, "alpha": 0.5},
    {"solver": "cg", "steps": 6},
    {"solver": "cg", "steps": 60},  # beyond convergence
    {"solver": "exact"},
    {"solver": "unrolled", "steps": 90, "alpha": 0.5},
]
EACH = [
    {"solver": "neumann", "steps": 2, "alpha": 0.3},
    {"solver": "cg", "steps": 2, "damping": 0.1},
    {"solver": "exact", "damping": 0.1},
    {"solver": "unrolled", "steps": 2, "alpha": 0.3},
]
DAMPED = [{"solver": "cg", "steps": 60, "damping": 5.0}, {"solver": "exact", "damping": 5.0}]  # H > 0 for any small net
named = {"ids": lambda s: "-".join(map(str, s.values()))}


def of(problem, **settings):
    return hypergradient(problem.train_loss, problem.val_loss, problem.theta, problem.phi, **settings)


@pytest.mark.parametrize("settings", EXACT, **named)
def test_quadratic_has_its_closed_form(settings):
    problem = Quadratic()
    torch.testing.assert_close(of(problem, **settings), problem.exact, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("settings", EXACT, **named)
def test_single_precision(settings):
    problem = Quadratic()
    for name in ("hessian", "mix", "goal", "phi", "theta"):
        setattr(problem, name, getattr(problem, name).float())
    found = of(problem, **settings)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, problem.exact.float(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("solver", ["neumann", "cg", "exact"])
def test_damping_is_added_to_the_hessian(solver):
    problem, more = Quadratic(), 0.7
    settings = {"neumann": {"steps": 300, "alpha": 0.3}, "cg": {"steps": 6}, "exact": {}}[solver]
    damped = problem.hessian + more * torch.eye(6, dtype=torch.float64)
    want = problem.phi / 4 + problem.mix.T @ torch.linalg.solve(damped, problem.theta - problem.goal)
    torch.testing.assert_close(of(problem, solver=solver, damping=more, **settings), want)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_steps_at_the_minimum_are_a_series_of_one_step_fewer(steps):
    problem = Quadratic()
    series = of(problem, steps=steps - 1, alpha=0.3)
    torch.testing.assert_close(of(problem, steps=steps, alpha=0.3, solver="unrolled"), series)


def test_conjugate_gradients_need_as_many_steps_as_there_are_eigenvalues():
    problem = Quadratic()
    vectors = torch.linalg.eigh(problem.hessian).eigenvectors
    problem.hessian = vectors @ torch.diag(torch.tensor([1.0, 1, 1, 3, 3, 3], dtype=torch.float64)) @ vectors.T
    problem.theta = torch.linalg.solve(problem.hessian, problem.mix @ problem.phi)
    want = problem.phi / 4 + problem.mix.T @ torch.linalg.solve(problem.hessian, problem.theta - problem.goal)
    assert (of(problem, steps=1, solver="cg") - want).norm() > 1e-2
    torch.testing.assert_close(of(problem, steps=2, solver="cg"), want)


def test_conjugate_gradients_stop_at_no_positive_curvature():
    """f = a'Da/2 - a'phi with curvatures 2 and -1: the first direction (1, 2) has 2 - 4 < 0, damping makes it positive."""
    curvatures = torch.tensor([2.0, -1.0])
    f = lambda theta, phi: (curvatures * theta * theta).sum() / 2 - theta @ phi  # noqa: E731
    g = lambda theta, phi: theta @ torch.tensor([1.0, 2.0]) + phi.sum()  # noqa: E731
    at = (torch.zeros(2), torch.zeros(2))
    torch.testing.assert_close(hypergradient(f, g, *at, solver="cg"), torch.ones(2))
    torch.testing.assert_close(hypergradient(f, g, *at, solver="cg", damping=2.0), torch.tensor([1.25, 3.0]))
    torch.testing.assert_close(hypergradient(f, g, *at, solver="exact"), torch.tensor([1.5, -1.0]))


def test_what_is_not_finite_is_seen():
    problem = Quadratic()
    problem.hessian[0, 0] = torch.nan
    assert of(problem, solver="cg").isnan().any()
    found = hypergradient(lambda t, p: torch.inf * t * p, lambda t, p: t, torch.ones(()), torch.ones(()), alpha=0.1)
    assert not found.isfinite()


def regression():
    """Logistic regression whose phi holds the weight decay's logarithm and a feature's scale."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(80, 3, generator=generator, dtype=torch.float64)
    y = (x @ torch.tensor([1.0, -2.0, 0.5], dtype=x.dtype) + torch.randn(80, generator=generator) > 0).to(x.dtype)

    def inner(theta, phi, batch):
        x, y = batch
        scaled = x * torch.stack([phi["scale"], torch.ones_like(phi["scale"]), torch.ones_like(phi["scale"])])
        return F.binary_cross_entropy_with_logits(scaled @ theta, y) + phi["decay"].exp() / 2 * theta @ theta

    def outer(theta, phi, batch):
        return F.binary_cross_entropy_with_logits(batch[0] @ theta, batch[1])

    return inner, outer, (x[:50], y[:50]), (x[50:], y[50:])


def phi_of(v):
    return {"decay": v[0], "scale": v[1]}


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 80, "alpha": 1.5},
        {"solver": "cg", "steps": 3},
        {"solver": "exact"},
        {"solver": "unrolled", "steps": 80, "alpha": 1.5},
    ],
    **named,
)
def test_logistic_regression_agrees_with_finite_differences(settings):
    """theta is solved anew for each difference."""
    inner, outer, train, validation = regression()
    at = torch.tensor([-2.0, 0.7], dtype=torch.float64)
    solve = lambda v: newton(lambda t: inner(t, phi_of(v), train), torch.zeros(3, dtype=v.dtype))  # noqa: E731
    want = central(lambda v: outer(solve(v), phi_of(v), validation), at)
    value, found = bilevel(inner, outer, **settings)(solve(at), phi_of(at), train, validation)
    torch.testing.assert_close(torch.stack([found["decay"], found["scale"]]), want, rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(value, outer(solve(at), phi_of(at), validation))


@pytest.mark.parametrize("steps", [1, 3])
def test_unrolled_is_the_exact_gradient_through_its_steps(steps):
    """Anywhere, not at a minimum alone."""
    inner, outer, train, validation = regression()
    at, theta = torch.tensor([-2.0, 0.7], dtype=torch.float64), torch.tensor([0.3, 0.1, -0.2], dtype=torch.float64)

    def after(v):
        t = theta
        for _ in range(steps):
            t = t - 0.8 * grad(inner)(t, phi_of(v), train)
        return outer(t, phi_of(v), validation)

    step = bilevel(inner, outer, solver="unrolled", steps=steps, alpha=0.8)
    value, found = step(theta, phi_of(at), train, validation)
    torch.testing.assert_close(torch.stack([found["decay"], found["scale"]]), central(after, at), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(value, after(at))


def test_training_with_momentum_and_weight_decay():
    """SGD's `weight_decay` is w |theta|^2 / 2 in f, momentum is in none of it: differences through whole trainings."""
    inner, outer, train, validation = regression()
    decay, scale = -2.3, torch.tensor([0.7], dtype=torch.float64)

    def phi(v):
        return {"scale": v[0], "decay": torch.tensor(decay, dtype=v.dtype)}

    def trained(v):
        theta = torch.zeros(3, dtype=v.dtype, requires_grad=True)
        sgd = torch.optim.SGD([theta], 0.5, momentum=0.8, weight_decay=float(torch.tensor(decay).exp()))
        for _ in range(200):
            plain = {"scale": v[0], "decay": torch.tensor(-torch.inf, dtype=v.dtype)}
            (theta.grad,) = torch.autograd.grad(inner(theta, plain, train), theta)
            sgd.step()
        return theta.detach()

    want = central(lambda v: outer(trained(v), phi(v), validation), scale, 1e-4)
    step = bilevel(inner, outer, solver="exact")
    found = step(trained(scale), phi(scale), train, validation)[1]["scale"]
    torch.testing.assert_close(found[None], want, rtol=1e-5, atol=1e-8)


def net_of(*layers):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 3), *layers, nn.Tanh(), nn.Linear(3, 1)).double()
    return net, dict(net.named_parameters()), torch.randn(16, 4, dtype=torch.float64), torch.randn(16, 1).double()


def losses_of(net, state):
    def outer(theta, phi, batch):
        return F.mse_loss(functional_call(net, {**state(), **theta}, batch[0]), batch[1])

    def inner(theta, phi, batch):
        decay = sum((t * t).sum() for t in theta.values())
        return outer(theta, phi, (batch[0] * phi, batch[1])) + 0.5 * decay

    return inner, outer


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_with_copies_of_its_statistics(training):
    net, theta, x, y = net_of(nn.BatchNorm1d(3))
    net.train(training)
    inner, outer = losses_of(net, lambda: {n: b.clone() for n, b in net.named_buffers()})
    before = {n: b.clone() for n, b in net.named_buffers()}
    phi = torch.ones(4, dtype=torch.float64)
    found = [bilevel(inner, outer, **s)(theta, phi, (x, y), (x, y))[1] for s in DAMPED]
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-9)
    assert all(torch.equal(b, before[n]) for n, b in net.named_buffers())
    assert all(p.grad is None for p in net.parameters())


def test_batch_norm_in_training_without_copies_is_an_error():
    net, theta, x, y = net_of(nn.BatchNorm1d(3))
    inner, outer = losses_of(net, dict)
    with pytest.raises(RuntimeError, match="in-place"):
        bilevel(inner, outer, solver="cg")(theta, torch.ones(4, dtype=torch.float64), (x, y), (x, y))


@pytest.mark.parametrize("settings", EACH, **named)
def test_a_net_may_attend(settings):
    """Torch's fused attention has no second derivative (learn2learn 429)."""
    x, y = torch.randn(2, 3, 1, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theta = {"query": torch.eye(4, dtype=torch.float64), "head": torch.linspace(-1, 1, 4, dtype=torch.float64)}

    def by_hand(q, k, v):
        return torch.softmax(q @ k.mT / 2, -1) @ v

    def gradient(attention):
        def outer(theta, phi, batch):
            return (attention(batch @ theta["query"], batch, batch) @ theta["head"] - 1).square().mean()

        inner = lambda theta, phi, batch: outer(theta, phi, batch * phi) + theta["head"].square().sum()  # noqa: E731
        return bilevel(inner, outer, **settings)(theta, torch.tensor(1.5, dtype=torch.float64), x, y)[1]

    torch.testing.assert_close(gradient(F.scaled_dot_product_attention), gradient(by_hand))


def test_dropout_of_torch_is_an_error_and_that_of_a_key_is_not():
    net, theta, x, y = net_of(nn.Dropout(0.5))
    inner, outer = losses_of(net, dict)
    phi = torch.ones(4, dtype=torch.float64)
    with pytest.raises(ValueError, match="not pure"):
        bilevel(inner, outer, solver="cg")(theta, phi, (x, y), (x, y))

    def keyed(theta, phi, batch):
        mask = af.uniform(batch[2], batch[0].shape) < 0.5
        return inner(theta, phi, (batch[0] * mask, batch[1]))

    net.eval()
    found = [bilevel(keyed, outer, **s)(theta, phi, (x, y, af.key(0)), (x, y))[1] for s in DAMPED]
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("settings", EACH, **named)
def test_trees_maps_and_inputs_that_stay(settings):
    """A pytree gives what one vector gives, also mapped over phi, and nothing is changed or recorded."""
    problem = Quadratic()
    one = of(problem, **settings)
    theta = {"a": nn.Parameter(problem.theta[:2].clone()), "b": [problem.theta[2:].clone().requires_grad_()]}
    before = tree_map(torch.clone, theta)

    def joined(f):
        return lambda theta, phi, _: f(torch.cat([theta["a"], theta["b"][0]]), torch.cat(phi))

    step = bilevel(joined(problem.train_loss), joined(problem.val_loss), **settings)
    phi = (problem.phi[:3].clone().requires_grad_(), problem.phi[3:])
    value, found = step(theta, phi, None, None)
    torch.testing.assert_close(torch.cat(found), one)
    assert not value.requires_grad
    assert not any(t.requires_grad or t.grad is not None for t in found)
    assert theta["a"].grad is None
    assert torch.equal(theta["a"], before["a"])
    both = vmap(lambda p: step(theta, (p[:3], p[3:]), None, None)[1])(torch.stack([problem.phi, 2 * problem.phi]))
    torch.testing.assert_close(torch.cat([t[0] for t in both]), one)


@pytest.mark.parametrize("settings", EACH, **named)
def test_compiled_as_one_graph(settings):
    """With noise of a learned width."""
    noise = torch.randn(8, 4)

    def inner(theta, phi, batch):
        return ((batch + phi * noise) @ theta).tanh().square().mean() + theta @ theta

    step = bilevel(inner, lambda theta, phi, batch: (batch @ theta - 1).square().mean(), **settings)
    given = (torch.linspace(-1, 1, 4), torch.tensor(0.5), torch.ones(8, 4), torch.randn(8, 4))
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")  # Inductor takes ten times as long
    torch.testing.assert_close(compiled(*given), step(*given), rtol=1e-5, atol=1e-7)


def test_a_large_theta_has_no_dense_solve():
    f = lambda t, p: (t * p).sum()  # noqa: E731
    with pytest.raises(ValueError, match="5000 numbers"):
        hypergradient(f, f, torch.ones(5000), torch.ones(()), solver="exact")


def test_a_singular_hessian():
    f = lambda t, p: (t * p).sum()  # noqa: E731
    with pytest.raises(ValueError, match="damping"):
        hypergradient(f, f, torch.ones(3), torch.ones(3), solver="exact")
    given = (torch.ones(3), torch.full((3,), 2.0))
    torch.testing.assert_close(hypergradient(f, f, *given, solver="exact", damping=0.5), 1 - given[1] / 0.5)


def test_several_dtypes_and_rows_of_the_hessian():
    """300 numbers, which a dense solve maps in parts."""
    theta = {"a": torch.linspace(1, 2, 250), "b": torch.linspace(1, 2, 50, dtype=torch.float64)}
    f = lambda t, p: ((t["a"] - p) ** 2).sum() + 2 * ((t["b"] - 3 * p) ** 2).sum()  # noqa: E731
    g = lambda t, p: t["a"].sum() + t["b"].sum()  # noqa: E731
    for settings in ({"solver": "exact"}, {"solver": "cg"}):
        found = hypergradient(f, g, theta, torch.tensor(0.5, dtype=torch.float64), **settings)
        assert float(found) == pytest.approx(250 + 3 * 50, rel=1e-6)


def test_hessian_of_the_dense_solve_is_that_of_torch():
    inner, outer, train, validation = regression()
    theta, phi = torch.tensor([0.3, 0.1, -0.2], dtype=torch.float64), phi_of(torch.tensor([-2.0, 0.7]).double())
    h = hessian(inner)(theta, phi, train)
    slope = grad(outer)(theta, phi, validation)
    mixed = grad(lambda p: grad(inner)(theta, p, train) @ torch.linalg.solve(h, slope))(phi)
    found = bilevel(inner, outer, solver="exact")(theta, phi, train, validation)[1]
    torch.testing.assert_close(found, tree_map(torch.neg, mixed))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"solver": "newton"}, "unknown solver"),
        ({"solver": "neuman", "alpha": 0.1}, "did you mean 'neumann'"),
        ({"solver": "exact", "alpha": 0.1}, "has no alpha"),
        ({"solver": "exact", "steps": 5}, "has no steps"),
        ({"solver": "cg", "alpha": 0.1}, "has no alpha"),
        ({"solver": "unrolled", "alpha": 0.1, "damping": 0.1}, "has no damping"),
        ({"solver": "unrolled", "alpha": 0.1, "steps": 0}, "steps"),
        ({"solver": "cg", "steps": 0}, "steps"),
        ({"solver": "cg", "steps": 2.0}, "steps"),
        ({"solver": "cg", "damping": -0.1}, "damping"),
        ({"solver": "cg", "damping": float("nan")}, "damping"),
        ({"solver": "unrolled"}, "alpha"),
        ({"alpha": float("inf")}, "alpha"),
        ({}, 'alpha=0.1; or solver="cg"'),
    ],
)
def test_bad_settings_are_named(change, words):
    """At once, before any loss is called."""
    with pytest.raises(ValueError, match=words):
        hypergradient(None, None, torch.ones(2), torch.ones(2), **change)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=words):
        bilevel(None, None, **change)  # type: ignore[arg-type]


def test_bad_trees_are_named():
    step = bilevel(lambda t, p, b: (t * p).sum(), lambda t, p, b: t.sum(), alpha=0.1)
    with pytest.raises(TypeError, match="bilevel: theta"):
        step({}, torch.ones(2), None, None)
    with pytest.raises(TypeError, match="bilevel: phi"):
        step(torch.ones(2), torch.ones(2, dtype=torch.int64), None, None)


@pytest.mark.parametrize("settings", EXACT, **named)
@pytest.mark.parametrize("which", ["training", "validation"])
def test_a_loss_of_the_nets_own_parameters_is_named(which, settings):
    """Without functional_call a loss is one of the net's parameters, and the gradient would silently be 0."""
    net, x, phi = nn.Linear(3, 1).double(), torch.rand(5, 3).double(), torch.tensor(0.5).double()
    right = lambda t, p: (functional_call(net, t, x) - p).square().mean() + sum(w.square().sum() for w in t.values())  # noqa: E731
    wrong = lambda t, p: (net(x) - p).square().mean()  # noqa: E731
    f, g = (wrong, right) if which == "training" else (right, lambda t, p: net(x).square().mean())
    with pytest.raises(ValueError, match=f"the {which} loss does not read theta"):
        hypergradient(f, g, dict(net.named_parameters()), phi, **settings)
    backbone = lambda t, p: right(t, p) + net(x).square().mean()  # noqa: E731  which may be there beside theta
    assert hypergradient(backbone, right, dict(net.named_parameters()), phi, **settings).isfinite()


@pytest.mark.parametrize("settings", EXACT, **named)
@pytest.mark.parametrize("which", ["training", "validation"])
@pytest.mark.parametrize("way", ["frozen", "no_grad", "detached"])
def test_a_loss_without_a_gradient_to_theta_is_named(way, which, settings):
    """The gradient would silently be 0, or the direct part alone."""
    net, x, phi = nn.Linear(3, 1).double(), torch.rand(5, 3).double(), torch.tensor(0.5).double()
    theta, frozen = dict(net.named_parameters()), nn.Linear(3, 1).double().requires_grad_(False)
    right = lambda t, p: (functional_call(net, t, x) - p).square().mean() + sum(w.square().sum() for w in t.values())  # noqa: E731
    wrong = {
        "frozen": lambda t, p: (frozen(x) - p).square().mean(),
        "no_grad": torch.no_grad()(right),
        "detached": lambda t, p: right(tree_map(torch.detach, t), p),
    }[way]
    f, g = (wrong, right) if which == "training" else (right, wrong)
    with pytest.raises(ValueError, match=f"the {which} loss does not read theta"):
        hypergradient(f, g, theta, phi, **settings)


@pytest.mark.parametrize("settings", EACH, **named)
def test_idle_phi_beside_a_backbone_has_zero(settings):
    """Both losses read theta: that phi reaches neither is no fault, though parameters of a net do."""
    backbone, theta, phi = nn.Linear(1, 1).double(), torch.ones(2).double(), torch.ones(3).double()
    loss = lambda t, p: (t - 3).square().sum() + backbone(t[:1]).square().sum()  # noqa: E731
    assert torch.equal(hypergradient(loss, loss, theta, phi, **settings), torch.zeros_like(phi))


@pytest.mark.parametrize("settings", EACH, **named)
@pytest.mark.parametrize("f", [lambda t, p: (t - p).square(), lambda t, p: 1.0])
def test_a_loss_that_is_no_scalar_is_named(f, settings):
    with pytest.raises(ValueError, match="training loss is no scalar"):
        hypergradient(f, lambda t, p: t.sum(), torch.ones(2), torch.ones(2), **settings)


@pytest.mark.parametrize("settings", EXACT, **named)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(settings, dtype):
    f, g = lambda t, p: (t - 3 * p).square().sum(), lambda t, p: (t - 1).square().sum()
    found = hypergradient(f, g, torch.tensor([6.0, 3.0]).to(dtype), torch.tensor([2.0, 1.0]).to(dtype), **settings)
    torch.testing.assert_close(found, torch.tensor([30.0, 12.0]).to(dtype))

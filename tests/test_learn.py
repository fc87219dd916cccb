"""The hypergradient against closed forms and finite differences."""

import pytest
import torch
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.learn import hypergradient

N = 6


class Quadratic:
    """f = θ'Aθ/2 - θ'Qφ and g = |θ - t|²/2 + |φ|²/8, so θ* = A⁻¹Qφ and dg/dφ = φ/4 + Q'A⁻¹(θ* - t)."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(0)
        draws = torch.randn(3, N, N, generator=generator, dtype=torch.float64)
        basis, self.mix = torch.linalg.qr(draws[0]).Q, torch.linalg.qr(draws[1]).Q
        self.hessian = basis @ torch.diag(torch.linspace(0.5, 2.0, N, dtype=torch.float64)) @ basis.T
        self.goal, self.phi = draws[2, 0], draws[2, 1]
        self.theta = torch.linalg.solve(self.hessian, self.mix @ self.phi)
        self.exact = self.phi / 4 + self.mix.T @ torch.linalg.solve(self.hessian, self.theta - self.goal)

    def train_loss(self, theta, phi):
        return theta @ self.hessian @ theta / 2 - theta @ self.mix @ phi

    def val_loss(self, theta, phi):
        return ((theta - self.goal) ** 2).sum() / 2 + (phi**2).sum() / 8

    def error(self, steps: int, alpha: float = 0.5) -> float:
        h = hypergradient(self.train_loss, self.val_loss, self.theta, self.phi, steps, alpha=alpha)
        return float((h - self.exact).norm() / self.exact.norm())


def test_quadratic_converges_to_closed_form():
    problem = Quadratic()
    errors = [problem.error(k) for k in (0, 1, 2, 3, 5, 8, 13, 21, 34, 55)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.05
    assert errors[-1] < 1e-3


def test_error_falls_at_the_stated_rate():
    """(1 - alpha lambda_min)^(K + 1), once the other directions have died out."""
    problem = Quadratic()
    assert problem.error(41) / problem.error(40) == pytest.approx(1 - 0.5 * 0.5, rel=1e-3)


def test_series_diverges_beyond_its_condition():
    problem = Quadratic()  # lambda_max = 2
    assert problem.error(200, alpha=0.95) < 1e-3
    assert problem.error(200, alpha=1.05) > 10


def test_no_steps_take_alpha_for_the_inverse():
    problem = Quadratic()
    h = hypergradient(problem.train_loss, problem.val_loss, problem.theta, problem.phi, 0, alpha=0.3)
    torch.testing.assert_close(h, problem.phi / 4 + 0.3 * problem.mix.T @ (problem.theta - problem.goal))


def test_trees_give_what_one_vector_gives():
    problem = Quadratic()

    def joined(f):
        return lambda theta, phi: f(torch.cat([theta["a"], theta["b"][0]]), torch.cat(phi))

    theta = {"a": problem.theta[:2], "b": [problem.theta[2:]]}
    phi = (problem.phi[:3], problem.phi[3:])
    h = hypergradient(joined(problem.train_loss), joined(problem.val_loss), theta, phi, 40, alpha=0.5)
    assert isinstance(h, tuple)
    torch.testing.assert_close(torch.cat(h), problem.exact, rtol=1e-4, atol=1e-6)


def test_vmap_over_phi():
    problem = Quadratic()
    phis = torch.stack([problem.phi, 2 * problem.phi])
    one = [hypergradient(problem.train_loss, problem.val_loss, problem.theta, p, alpha=0.5) for p in phis]
    both = torch.func.vmap(lambda p: hypergradient(problem.train_loss, problem.val_loss, problem.theta, p, alpha=0.5))(
        phis
    )
    torch.testing.assert_close(both, torch.stack(one))


def newton(f, theta):
    """The minimiser of a smooth strictly convex f."""
    for _ in range(30):
        theta = theta - torch.linalg.solve(torch.func.jacrev(torch.func.grad(f))(theta), torch.func.grad(f)(theta))
    return theta


def central(f, x, h=1e-5):
    """Central differences of a scalar function of a vector."""
    return torch.stack([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in torch.eye(len(x), dtype=x.dtype)])


def test_logistic_regression_agrees_with_finite_differences():
    """phi holds the weight decay's logarithm and a feature's scale; theta is solved anew for each difference."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(80, 3, generator=generator, dtype=torch.float64)
    y = (x @ torch.tensor([1.0, -2.0, 0.5], dtype=x.dtype) + torch.randn(80, generator=generator) > 0).to(x.dtype)

    def loss(theta, x, y):
        return F.binary_cross_entropy_with_logits(x @ theta, y)

    def train_loss(theta, phi):
        return (
            loss(theta, x[:50] * torch.stack([phi[1], *torch.ones(2, dtype=x.dtype)]), y[:50])
            + phi[0].exp() * (theta @ theta) / 2
        )

    def val_loss(theta, phi):
        return loss(theta, x[50:], y[50:])

    phi = torch.tensor([-2.0, 0.7], dtype=x.dtype)
    solve = lambda p: newton(lambda t: train_loss(t, p), torch.zeros(3, dtype=x.dtype))  # noqa: E731
    want = central(lambda p: val_loss(solve(p), p), phi)
    theta = solve(phi)
    alpha = 1 / torch.linalg.eigvalsh(torch.func.jacrev(torch.func.grad(train_loss))(theta, phi)).max()
    got = hypergradient(train_loss, val_loss, theta, phi, 300, alpha=float(alpha))
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-8)


def test_ranges_of_a_pipeline_agree_with_finite_differences():
    """phi is a pipeline's own params, with distributions; theta solves a ridge regression on the augmented images."""
    augment = af.pipeline(af.rotate(degrees=(-20, 20)), af.brightness(factor=(0.6, 1.5), clip="none"))
    generator = torch.Generator().manual_seed(2)
    x = torch.rand(24, 1, 5, 5, generator=generator, dtype=torch.float64)
    y = x.flatten(1) @ torch.randn(25, generator=generator, dtype=torch.float64)
    leaves, key = torch.tensor([-20.0, 20.0, 0.6, 1.5], dtype=torch.float64), af.key(0)

    def params(v):
        return {"rotate": {"degrees": af.Uniform(v[0], v[1])}, "brightness": {"factor": af.Uniform(v[2], v[3])}}

    def residual(theta, images):
        return ((images.flatten(1) @ theta - y) ** 2).mean()

    def train_loss(theta, phi):
        return residual(theta, augment(x, phi, key)[0]) + 0.5 * theta @ theta

    def val_loss(theta, phi):
        return residual(theta, x)

    solve = lambda v: newton(lambda t: train_loss(t, params(v)), torch.zeros(25, dtype=x.dtype))  # noqa: E731
    want = central(lambda v: val_loss(solve(v), None), leaves)
    got = hypergradient(train_loss, val_loss, solve(leaves), params(leaves), 300, alpha=0.06)
    assert isinstance(got["rotate"]["degrees"], af.Uniform)
    torch.testing.assert_close(torch.stack(tree_leaves(got)), want, rtol=1e-4, atol=1e-8)
    assert (want.abs() > 1e-6).all()


def test_inputs_stay_as_they_are():
    problem = Quadratic()
    theta = torch.nn.Parameter(problem.theta.clone())
    phi = torch.nn.Parameter(problem.phi.clone())
    h = hypergradient(problem.train_loss, problem.val_loss, theta, phi, 40, alpha=0.5)
    assert theta.grad is None
    assert phi.grad is None
    assert torch.equal(theta, problem.theta)
    assert torch.equal(phi, problem.phi)
    assert not h.requires_grad
    with torch.no_grad():
        again = hypergradient(problem.train_loss, problem.val_loss, theta, phi, 40, alpha=0.5)
    assert torch.equal(h, again)


def test_what_no_loss_reads_gets_zero():
    h = hypergradient(
        lambda theta, phi: (theta - phi["used"]) ** 2,
        lambda theta, phi: theta**2,
        torch.tensor(2.0),
        {"used": torch.tensor(2.0), "idle": torch.ones(3)},
        alpha=0.5,
    )
    assert float(h["used"]) == 4.0
    assert torch.equal(h["idle"], torch.zeros(3))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"alpha": 0.0}, ValueError, "alpha"),
        ({"alpha": float("nan")}, ValueError, "alpha"),
        ({"steps": -1}, ValueError, "steps"),
        ({"theta": {}}, TypeError, "theta"),
        ({"phi": torch.tensor(3)}, TypeError, "phi"),
        ({"phi": 3.0}, TypeError, "phi"),
    ],
)
def test_bad_input_is_named(change, error, words):
    given = {"theta": torch.ones(2), "phi": torch.ones(2), "alpha": 0.1} | change
    with pytest.raises(error, match=words):
        hypergradient(lambda t, p: (t * p).sum(), lambda t, p: t.sum(), **given)

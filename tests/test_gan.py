"""Augmentation for GANs: the matrices and probabilities of ADA, its controller, gradients through both to the image."""

import math

import pytest
import torch

import augfn as af

K = af.key(0)
N = 20_000
X = torch.rand(4, 3, 16, 16)


def test_colour_is_that_of_adas_matrices():
    """In [-1, 1], and with 4 x 4 matrices, as the paper has it."""
    v = torch.ones(3, dtype=torch.float64) / math.sqrt(3)
    along, eye = torch.outer(v, v), torch.eye(3, dtype=torch.float64)
    cross = torch.tensor([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]], dtype=torch.float64)
    angle = 2 * math.pi * 0.15
    turn = math.cos(angle) * eye + math.sin(angle) * cross + (1 - math.cos(angle)) * along
    x = X.double()
    for f, matrix in (
        (af.linear_contrast(factor=1.4), 1.4 * eye),
        (af.luma_flip(), eye - 2 * along),
        (af.hue_rotation(hue=0.15), turn),
        (af.linear_saturation(factor=0.3), along + 0.3 * (eye - along)),
    ):
        want = torch.einsum("ij,bjhw->bihw", matrix, 2 * x - 1) / 2 + 0.5
        torch.testing.assert_close(f(x, None, K)[0], want, atol=1e-6, rtol=0)
    torch.testing.assert_close(af.hue_rotation(hue=1.0)(x)[0], x, atol=1e-6, rtol=0)
    torch.testing.assert_close(af.hue_rotation(hue=1 / 3)(x)[0], x.roll(1, 1), atol=1e-6, rtol=0)


def test_probabilities_of_ada():
    f = af.recipe("ada", size=16)
    assert not any(v["gate"].probs.any() for v in f.params.values())
    _, drawn = f(torch.zeros(N, 3, 2, 2), af.learn.ada_params(f, 0.64), K)
    for name, step in drawn.items():
        want = 0.32 if name in ("hflip", "luma_flip") else 0.4 if name.startswith("rotate") else 0.64
        assert step["gate"].mean().item() == pytest.approx(want, abs=4 * math.sqrt(want * (1 - want) / N)), name
    either = torch.maximum(drawn["rotate"]["gate"], drawn["rotate_after"]["gate"]).mean().item()
    assert either == pytest.approx(0.64, abs=0.015)  # one of two turns, with the probability p
    zoom = drawn["zoom"]["scale"].log2()
    assert (zoom.mean().item(), zoom.std().item()) == pytest.approx((0.0, 0.2), abs=0.01)
    assert f(X, None, K)[0].equal(X)


def test_ada_is_one_resample_and_reaches_the_image():
    f = af.recipe("ada", size=16)
    x = X.double().requires_grad_()
    params = f(x, af.learn.ada_params(f, 1.0), K)[1]
    weights = torch.rand(4, 3, 16, 16, dtype=torch.float64)
    (slope,) = torch.autograd.grad((f(x, params)[0] * weights).sum(), x)
    assert (slope != 0).float().mean() > 0.5
    step = torch.randn_like(x) * 1e-4
    moved = ((f(x + step, params)[0] - f(x - step, params)[0]) * weights).sum() / 2
    torch.testing.assert_close((slope * step).sum(), moved.detach(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["diff_augment", "ada"])
def test_the_gradient_through_the_augmentation_to_the_generator(name):
    """A generator of two numbers, and a discriminator: as finite differences say, and not 0."""
    f = af.recipe(name, size=16)
    params = f(X.double(), af.learn.ada_params(f, 0.8) if name == "ada" else None, af.key(3))[1]
    base, look = X.double(), torch.randn(3, 16, 16, dtype=torch.float64)

    def loss(w):
        fake = torch.sigmoid(w[0] * (base - 0.5) + w[1] * base.flip(-1))
        return torch.nn.functional.softplus(-(f(fake, params)[0] * look).mean((1, 2, 3))).mean()

    w, h = torch.tensor([0.7, -0.4], dtype=torch.float64), 1e-5
    found = torch.func.grad(loss)(w)
    want = torch.stack([(loss(w + h * e) - loss(w - h * e)) / (2 * h) for e in torch.eye(2, dtype=w.dtype)])
    torch.testing.assert_close(found, want, rtol=1e-5, atol=1e-9)
    assert (found.abs() > 1e-6).all()


def test_a_discriminator_is_less_sure_of_augmented_images():
    """r = mean sign(D(real)) of one that knows 24 images by heart: augmentation takes certainty away."""
    f, real, fake = af.recipe("ada", size=8), torch.rand(24, 3, 8, 8), torch.rand(24, 3, 8, 8)
    sure = {}
    for p in (0.0, 0.9):
        d = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 1))
        optimizer, params = torch.optim.Adam(d.parameters(), 0.02), af.learn.ada_params(f, p)
        for i in range(50):
            y = d(f(torch.cat([real, fake]), params, af.fold_in(K, i))[0])[:, 0]
            loss = torch.nn.functional.softplus(torch.cat([-y[:24], y[24:]])).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        sure[p] = d(f(real, params, af.key(9))[0]).sign().mean().item()
    assert sure[0.0] > 0.9
    assert sure[0.9] < sure[0.0] - 0.25


@pytest.mark.parametrize("fakes_too", [False, True])
def test_augmentation_of_real_images_alone_leaks(fakes_too):
    """A generator of flat images, matched by its sorted levels: brightness leaks into it, unless its own images are augmented."""
    f, n, own = af.recipe("ada", size=2), 800, 0.03
    params = {name: {**leaves, "gate": af.Bernoulli(0.0)} for name, leaves in f.params.items()}
    params["brightness"] = af.learn.ada_params(f, 0.7)["brightness"]
    spread = torch.tensor(math.log(0.05), requires_grad=True)
    optimizer = torch.optim.Adam([spread], 0.05)

    def levels(std, key, augmented):
        x = (0.5 + std * af.normal(key, (n, 1, 1, 1))).expand(-1, 3, 2, 2)
        return (f(x, params, af.fold_in(key, 1))[0] if augmented else x).mean((1, 2, 3)).sort().values

    for i in range(50):
        real, fake = levels(own, af.fold_in(K, 2 * i), True), levels(spread.exp(), af.fold_in(K, 2 * i + 1), fakes_too)
        optimizer.zero_grad()
        (fake - real).square().mean().backward()
        optimizer.step()
    leaked = math.hypot(own, math.sqrt(0.7) * 0.1)
    assert spread.exp().item() == pytest.approx(own, abs=0.015) if fakes_too else spread.exp().item() > 0.8 * leaked


def test_the_controller_finds_its_target():
    """A discriminator that is as sure of real images as r = 0.95 - 0.6 p: r is 0.6 at p = 0.583."""
    p, key = torch.zeros(()), K
    for step in range(600):
        u = af.uniform(af.fold_in(key, step), (256,))
        real = torch.where(u < (1 + 0.95 - 0.6 * p) / 2, 1.0, -1.0)
        p = af.learn.ada_probability(p, real, horizon=25_000)
    assert p.item() == pytest.approx(0.583, abs=0.05)
    assert af.learn.ada_probability(0.0, -torch.ones(64)) == 0
    assert af.learn.ada_probability(1.0, torch.ones(64), 10**6) == 1


def test_the_controller_moves_in_half_precision():
    p = torch.tensor(0.5)
    for _ in range(100):
        p = af.learn.ada_probability(p, torch.ones(64, dtype=torch.float16))
    assert p.item() == pytest.approx(0.5 + 6400 / 500_000, abs=1e-5)


def test_ada_params_are_for_ada():
    for p in (-1, 1.5):
        with pytest.raises(ValueError, match="0 to 1"):
            af.recipe("ada", size=16, p=p)
    for other in (af.pipeline(af.hflip()), af.hflip(), af.hflip(p=0.5)):
        with pytest.raises(ValueError, match=r'recipe\("ada"'):
            af.learn.ada_params(other, 0.5)  # type: ignore[arg-type]

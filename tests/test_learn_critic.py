"""Critics and score-function gradients, against closed forms and finite differences."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

import augfn as af
import augfn_nn
from augfn.learn import critic_loss, gradient_penalty, policy_losses, surrogate_loss
from augfn.learn.score import others, relevance

F64 = torch.float64
SHAPE = (6, 2, 3, 3)


def images(seed, shape=SHAPE):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


class Smooth(nn.Module):
    """A smooth critic with a classifier of three classes."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.score, self.classes = nn.Linear(18, 5), nn.Linear(5, 1), nn.Linear(5, 3)
        self.double()

    def forward(self, x):
        z = torch.tanh(self.body(x.flatten(1)))
        return self.score(z), self.classes(z)


def test_penalty_of_a_linear_critic():
    """(|w| - 1)^2 wherever it is asked, with the gradient 2 (|w| - 1) w / |w|."""
    w = torch.randn(18, generator=torch.Generator().manual_seed(1), dtype=F64).requires_grad_()
    found = gradient_penalty(lambda x: x.flatten(1) @ w, images(0), images(1), af.key(0))
    torch.testing.assert_close(found, (w.norm() - 1) ** 2)
    slope = torch.autograd.grad(found, w)[0]
    torch.testing.assert_close(slope, 2 * (w.norm() - 1) * w / w.norm())


def test_penalty_of_a_quadratic_critic_is_each_samples_own():
    """D = |z|^2 / 2 has the slope z: so the penalty is the mean of (|z_i| - 1)^2 at points between."""
    real, fake = images(0), images(1)
    share = af.uniform(af.key(3), (6,)).to(F64).reshape(-1, 1, 1, 1)
    between = (share * real + (1 - share) * fake).flatten(1)
    found = gradient_penalty(lambda x: (x.flatten(1) ** 2).sum(1) / 2, real, fake, af.key(3))
    torch.testing.assert_close(found, ((between.norm(dim=1) - 1) ** 2).mean())
    together = (between.norm() - 1) ** 2  # of all samples as one vector
    assert not torch.isclose(found, together)


def test_penalty_of_another_norm_and_of_a_flat_critic():
    flat = nn.Linear(18, 1).double()
    nn.init.zeros_(flat.weight)
    found = gradient_penalty(lambda x: flat(x.flatten(1)), images(0), images(1), af.key(0), norm=3.0)
    found.backward()
    assert found == 9
    assert torch.isfinite(flat.weight.grad).all()


def test_penalty_of_a_constant():
    assert (
        gradient_penalty(lambda x: torch.zeros(len(x), dtype=F64) + 0 * x.sum(), images(0), images(1), af.key(0)) == 1
    )


def test_critic_loss_is_its_sum():
    net, real, fake, labels = Smooth(), images(0), images(1), torch.tensor([0, 1, 2, 0, 1, 2])
    found = critic_loss(net, real, fake, af.key(2), penalty=7.0, labels=labels, class_weight=0.3)
    scores, logits = net(real)
    want = net(fake)[0].mean() - scores.mean() + 0.3 * F.cross_entropy(logits, labels)
    want = want + 7 * gradient_penalty(net, real, fake, af.key(2))
    torch.testing.assert_close(found, want)
    torch.testing.assert_close(
        critic_loss(net, real, fake, af.key(2), penalty=0.0), net(fake)[0].mean() - scores.mean()
    )


def test_critic_loss_agrees_with_finite_differences():
    net, real, fake = Smooth(), images(0), images(1)
    critic_loss(net, real, fake, af.key(2)).backward()
    weight, step = net.body.weight, 1e-6
    for at in ((0, 0), (3, 11)):
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[at] += sign * step
            values.append(critic_loss(net, real, fake, af.key(2)).detach())
            with torch.no_grad():
                weight[at] -= sign * step
        torch.testing.assert_close((values[0] - values[1]) / (2 * step), weight.grad[at], rtol=1e-6, atol=1e-8)


def test_no_gradient_reaches_the_images_of_a_critics_step():
    real, fake = images(0).requires_grad_(), images(1).requires_grad_()
    critic_loss(Smooth(), real, fake, af.key(0)).backward()
    assert fake.grad is None


def test_losses_of_a_policy():
    net, fake, labels = Smooth(), images(1), torch.tensor([0, 1, 2, 0, 1, 2])
    scores, logits = net(fake)
    want = 0.3 * F.cross_entropy(logits, labels, reduction="none") - scores.flatten()
    torch.testing.assert_close(policy_losses(net, fake, labels, 0.3), want)
    torch.testing.assert_close(policy_losses(net, fake), -scores.flatten())


# gradients by the score

WEIGHTS = torch.tensor([0.25, 0.5, 2.0])


def policy(make_gate, make_choice):
    """Factors .25, .5 and 2 with gates of their own, of which one is chosen; then half of it, behind a gate."""
    gates = [torch.tensor(g, requires_grad=True) for g in (0.3, -0.4, 0.8)]
    logits, last = torch.tensor([0.2, -0.1, 0.4], requires_grad=True), torch.tensor(-0.5, requires_grad=True)
    ops = [af.brightness(factor=float(w), p=make_gate(g), clip="none") for w, g in zip(WEIGHTS, gates, strict=True)]
    chosen = af.one_of(*ops, weights=make_choice(logits))
    half = af.maybe(af.brightness(factor=0.5, clip="none"), p=make_gate(last))
    return af.pipeline(chosen, half), [*gates, logits, last]


def expected(gates, logits, last):
    """E[y] for an image of 1."""
    each = [1 + torch.sigmoid(g) * (w - 1) for w, g in zip(WEIGHTS, gates, strict=True)]
    return (logits.softmax(-1) * torch.stack(each)).sum() * (1 - torch.sigmoid(last) / 2)


@pytest.mark.parametrize("n", [3000])
def test_score_is_unbiased(n):
    """The exact gradient of E[y^1] lies within four standard errors of the estimate, for each number."""
    f, numbers = policy(af.LogitBernoulli, af.LogitChoice)
    exact = torch.autograd.grad(expected(numbers[:3], *numbers[3:]), numbers)
    found = []
    for i in range(20):
        y, drawn = f(torch.ones(n // 20, 1, 1, 1), None, af.fold_in(af.key(0), i))
        found.append(torch.autograd.grad(surrogate_loss(f, y.flatten(), drawn), numbers))
    for k, want in enumerate(exact):
        each = torch.stack([g[k] for g in found])
        error = each.std(0) / len(found) ** 0.5
        assert ((each.mean(0) - want).abs() <= 4 * error + 1e-6).all(), k


def test_what_was_not_chosen_is_left_out():
    """A gate of a branch that no sample took has the gradient 0, not noise."""
    f, numbers = policy(af.LogitBernoulli, af.LogitChoice)
    y, drawn = f(torch.ones(2, 1, 1, 1), None, af.key(5))
    slopes = torch.autograd.grad(surrogate_loss(f, y.flatten(), drawn), numbers)
    taken = drawn["one_of"]["choice"].sum(0) > 0
    assert not taken.all()
    assert all(bool(t) or g == 0 for t, g in zip(taken, slopes[:3], strict=True))


def test_behind_a_relaxed_gate_the_score_counts_in_full():
    """A gate that is half open weighs the image, not the log-probability of what was drawn behind it."""
    logit = torch.tensor(0.3, requires_grad=True)
    f = af.brightness(factor=0.5, clip="none", p=af.LogitBernoulli(logit))
    f = af.maybe(f, p=af.RelaxedBernoulli(0.4, 0.5, hard=False))
    y, drawn = f(torch.ones(40_000, 1, 1, 1), None, af.key(0))
    surrogate_loss(f, (y.flatten() - 0.2) ** 2, drawn).backward()
    p, acts = torch.sigmoid(logit.detach()), (0.8 - 0.5 * drawn["gate"]) ** 2
    torch.testing.assert_close(logit.grad, p * (1 - p) * (acts - 0.8**2).mean(), rtol=0.03, atol=0)


def test_the_distribution_says_which_gradient():
    """Of the same policy: what a draw carries is not added twice, and the value is the mean loss."""
    for gate, choice in ((af.RelaxedBernoulli, af.GumbelChoice), (af.LogitBernoulli, af.LogitChoice)):
        f, numbers = policy(gate, choice)
        y, drawn = f(torch.ones(8, 1, 1, 1), None, af.key(1))
        losses = y.flatten()
        loss = surrogate_loss(f, losses, drawn)
        torch.testing.assert_close(loss, losses.mean())
        slopes = torch.autograd.grad(loss, numbers, retain_graph=True)
        if gate is af.RelaxedBernoulli:
            torch.testing.assert_close(slopes, torch.autograd.grad(losses.mean(), numbers))
        else:
            assert not losses.requires_grad or all(g == 0 for g in torch.autograd.grad(losses.sum(), numbers[4:]))


def test_ranges_beside_scores():
    """A range learns by its draw and a gate by its score, in one loss."""
    high, logit = torch.tensor(0.8, requires_grad=True), torch.tensor(0.0, requires_grad=True)
    f = af.brightness(factor=af.Uniform(torch.tensor(0.2), high), p=af.LogitBernoulli(logit), clip="none")
    y, drawn = f(torch.ones(4000, 1, 1, 1), None, af.key(0))
    surrogate_loss(f, y.flatten(), drawn).backward()
    torch.testing.assert_close(high.grad, torch.tensor(0.25), atol=0.01, rtol=0)  # p / 2
    torch.testing.assert_close(logit.grad, torch.tensor(-0.125), atol=0.01, rtol=0)  # p (1 - p) (.5 - 1)


def test_what_the_given_ranges_leave_out_is_the_augmentations_own():
    """A call takes some of its leaves; a gate that it was not given has its score nevertheless."""
    logit = torch.tensor(0.2, requires_grad=True)
    f = af.pipeline(af.rotate(degrees=(-5, 5)), af.brightness(factor=0.5, p=af.LogitBernoulli(logit)))
    some = {"rotate": {"degrees": af.Uniform(-3.0, 3.0)}}
    y, drawn = f(images(0), some, af.key(0))
    found = [
        torch.autograd.grad(surrogate_loss(f, flat(y), drawn, ranges), logit)[0]
        for ranges in (some, some | {"brightness": f.params["brightness"]})
    ]
    assert found[0] == found[1] != 0


def test_scores_under_transforms():
    """The gradient of a mean over maps is the mean of gradients: `requires_grad` is False of what a map stands for."""
    f, x = af.brightness(factor=0.5, p=0.5, clip="none"), images(0)
    keys, logits = af.split(af.key(0), 3), torch.tensor([0.2, -0.5, 1.0])

    def loss(logit, key):
        ranges = f.params | {"gate": af.LogitBernoulli(logit)}
        y, drawn = f(x, ranges, key)
        return surrogate_loss(f, flat(y), drawn, ranges)

    want = torch.stack([grad(loss)(v, k) for v, k in zip(logits, keys, strict=True)])
    assert want.abs().min() > 0
    torch.testing.assert_close(vmap(grad(loss))(logits, keys), want)
    torch.testing.assert_close(grad(lambda v: vmap(loss)(v, keys).sum())(logits), want)
    ours = torch.compile(grad(loss), fullgraph=True, backend="aot_eager")(logits[0], keys[0])
    torch.testing.assert_close(ours, want[0])


def coin():
    return af.hflip(p=af.LogitBernoulli(torch.tensor(0.0, requires_grad=True)))


def flat(x):
    return x.mean((1, 2, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: critic_loss(Smooth(), images(0), images(1)[:4], af.key(0)), ValueError, "one shape"),
        (lambda: gradient_penalty(lambda x: x, images(0), images(1), af.key(0)), ValueError, "a score for each image"),
        (
            lambda: critic_loss(
                lambda x: x.mean((1, 2, 3)), images(0), images(1), af.key(0), labels=torch.zeros(6).long()
            ),
            ValueError,
            "without a classifier",
        ),
        (
            lambda: policy_losses(lambda x: x.mean((1, 2, 3)), images(0), torch.zeros(6).long()),
            ValueError,
            "classifier",
        ),
        (lambda: surrogate_loss(af.hflip(p=0.5), torch.tensor(1.0), {}), ValueError, "one for each sample"),
        (
            lambda: gradient_penalty(lambda x: x.float().mean((1, 2, 3)), *[images(0).byte()] * 2, af.key(0)),
            TypeError,
            "floating images",
        ),
        (lambda: surrogate_loss(coin(), torch.ones(5), coin()(images(0), None, af.key(0))[1]), ValueError, r"\[6\]"),
        (lambda: surrogate_loss(coin(), torch.ones(6), coin().params), ValueError, "not drawn"),
        (lambda: surrogate_loss(coin(), torch.ones(6), {"rotate": {}}), ValueError, "not drawn"),
        (
            lambda: surrogate_loss(coin(), torch.ones(0), coin()(images(0)[:0], None, af.key(0))[1]),
            ValueError,
            "each sample",
        ),
        (
            lambda: surrogate_loss(coin(), torch.ones(6).long(), coin()(images(0), None, af.key(0))[1]),
            TypeError,
            "floating",
        ),
        (lambda: surrogate_loss(augfn_nn.Augment(coin()), torch.ones(6), {}), TypeError, "its .f"),
        (lambda: critic_loss(flat, images(0), images(1), af.key(0), penalty=-1.0), ValueError, "weights"),
        (lambda: critic_loss(flat, images(0), images(1), af.key(0), class_weight=-1.0), ValueError, "weights"),
        (lambda: gradient_penalty(flat, images(0), images(1), af.split(af.key(0), 6)), ValueError, "one key"),
        (lambda: gradient_penalty(lambda x: flat(x).detach(), images(0), images(1), af.key(0)), ValueError, "detach"),
        (lambda: critic_loss(flat, images(0)[:0], images(1)[:0], af.key(0)), ValueError, "B at least 1"),
        (lambda: critic_loss(flat, images(0).tolist(), images(1), af.key(0)), TypeError, "two tensors"),
        (lambda: critic_loss(flat, images(0), images(1), af.key(0), penalty=float("nan")), ValueError, "weights"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_critic_may_attend():
    """Torch's fused attention has no second derivative (pytorch 116350), which the penalty needs."""

    def found(weight):
        def critic(x):
            pixels = x.flatten(2).mT[:, None].contiguous()
            return F.scaled_dot_product_attention(pixels @ weight, pixels, pixels).square().sum((1, 2, 3))

        return gradient_penalty(critic, images(0), images(1), af.key(0))

    weight = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=F64).requires_grad_()
    slope = torch.autograd.grad(found(weight), weight)[0]
    ends = [found(weight.detach() + sign * 1e-5).item() for sign in (1, -1)]
    torch.testing.assert_close(slope.sum().item(), (ends[0] - ends[1]) / 2e-5, rtol=1e-6, atol=0)


def test_a_critic_may_work_in_place():
    """The points between are a leaf, which torch lets no layer change (generative-inpainting-pytorch 17)."""
    real, fake, key, head = images(0), images(1), af.key(0), nn.Linear(18, 1).double()

    def loss(inplace):
        critic = nn.Sequential(nn.Threshold(0.5, 0.0, inplace=inplace), nn.Flatten(), nn.Tanh(), head)
        return torch.stack([critic_loss(critic, real, fake, key), policy_losses(critic, fake).mean()])

    torch.testing.assert_close(loss(True), loss(False))
    assert torch.equal(real, images(0))
    assert torch.equal(fake, images(1))


def test_points_between_images_of_two_precisions():
    """What a generator makes under autocast, beside real images (ManifoldMixupV2 1)."""
    real, fake = images(0).float(), images(1).bfloat16()
    critic = nn.Sequential(nn.Flatten(), nn.Linear(18, 1), nn.Tanh())
    found = gradient_penalty(critic, real, fake, af.key(0))
    torch.testing.assert_close(found, gradient_penalty(critic, real, fake.float(), af.key(0)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert critic_loss(critic, real, fake, af.key(0)).isfinite()


def test_a_steep_critic_in_half_precision():
    """Its penalty overflowed (apex 654)."""
    w = torch.full((18,), 100.0, dtype=torch.float16).requires_grad_()
    real, fake = images(0).half(), images(1).half()
    found = gradient_penalty(lambda x: x.flatten(1) @ w, real, fake, af.key(0))
    found.backward()
    torch.testing.assert_close(found, (w.detach().float().norm() - 1) ** 2)
    assert w.grad.isfinite().all()


def steps():
    """The gradients of a critic's step, by autograd and by `torch.func`."""
    net, labels = Smooth(), torch.tensor([0, 1, 2, 0, 1, 2])

    def step(theta, real, fake, key):
        return critic_loss(lambda x: functional_call(net, theta, (x,)), real, fake, key, labels=labels)

    return dict(net.named_parameters()), step


def test_by_torch_func_and_mapped():
    """Which `autograd.grad` inside is an error in."""
    theta, step = steps()
    given = (images(0), images(1), af.key(2))
    want = torch.autograd.grad(step(theta, *given), [*theta.values()])
    torch.testing.assert_close([*grad(step)(theta, *given).values()], [*want])
    weights = torch.randn(3, 18, generator=torch.Generator().manual_seed(1), dtype=F64)
    mapped = vmap(lambda w: gradient_penalty(lambda x: x.flatten(1) @ w, *given))(weights)
    torch.testing.assert_close(mapped, (weights.norm(dim=1) - 1) ** 2)


@pytest.mark.parametrize("outside", [True, False])
def test_compiled_as_one_graph(outside):
    """The loss, whose gradient autograd takes outside, and a step with its gradient."""
    theta, step = steps()
    given = (theta, images(0), images(1), af.key(2))
    want = torch.autograd.grad(step(*given), [*theta.values()])
    compiled = torch.compile(step if outside else grad(step), fullgraph=True, backend="aot_eager")
    found = torch.autograd.grad(compiled(*given), [*theta.values()]) if outside else compiled(*given).values()
    torch.testing.assert_close([*found], [*want])


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # which Dynamo reads
def test_a_critic_that_is_compiled_by_itself_is_an_error():
    critic = torch.compile(nn.Sequential(nn.Flatten(), nn.Linear(18, 1).double(), nn.Tanh()), backend="aot_eager")
    with pytest.raises(RuntimeError, match="double backward"):
        critic_loss(critic, images(0), images(1), af.key(0)).backward()


def test_critics_that_only_autograd_takes():
    """BatchNorm in training counts its batches, and a checkpoint has hooks: no transform of torch lets them."""
    norm = nn.Sequential(nn.Flatten(), nn.Linear(18, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1)).double()
    critic_loss(norm, images(0), images(1), af.key(0)).backward()
    assert norm[2].num_batches_tracked == 3

    def checkpointed(x):
        return torch.utils.checkpoint.checkpoint(net, x, use_reentrant=False)

    net = Smooth()
    torch.testing.assert_close(*(critic_loss(c, images(0), images(1), af.key(0)) for c in (net, checkpointed)))


def test_the_baseline_of_a_sample_is_the_mean_of_the_others():
    """With its own loss in it the gradient of a small batch is biased."""
    torch.testing.assert_close(others(torch.tensor([1.0, 2.0, 6.0])), torch.tensor([4.0, 3.5, 1.5]))
    assert others(torch.tensor([3.0])) == 0


def test_a_leaf_acts_where_all_gates_around_it_are_open():
    inner = af.maybe(af.brightness(factor=0.5, p=0.5), p=0.5)
    f = af.one_of(af.invert(), af.pipeline(inner))
    drawn = f(torch.rand(64, 1, 2, 2), None, af.key(0))[1]
    outer, gate = drawn["choice"], drawn["pipeline"]["maybe"]["gate"]
    found = dict(relevance(f, drawn))["pipeline/maybe/brightness/gate"]
    assert torch.equal(found, outer[:, 1] * gate)
    assert 0 < found.mean() < gate.mean()

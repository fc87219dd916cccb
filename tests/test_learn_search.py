"""Policies that learn, and their search: what learns, where it stays, and that a break changes nothing."""

import copy
from functools import partial

import pytest
import torch
from torch import nn

import augfn as af
import augfn_nn
from augfn.app import viz
from augfn.learn import discrete, learnable, search_policy, search_space, searchable, shares, surrogate_loss
from augfn.learn.policy import ESTIMATORS, held, tensors_of

X = torch.rand(24, 3, 8, 8, generator=torch.Generator().manual_seed(0))
Y = torch.arange(24) % 3


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body, self.score, self.classes = nn.Conv2d(3, 4, 3, 2, 1), nn.Linear(64, 1), nn.Linear(64, 3)

    def forward(self, x):
        z = torch.tanh(self.body(x)).flatten(1)
        return self.score(z), self.classes(z)


def small(estimator="straight-through", **how):
    space = search_space()
    return searchable({n: space[n] for n in ("rotate", "brightness", "invert")}, 2, 2, estimator, **how)


def numbers(f):
    return [t for t in tensors_of(f.params).values() if t.requires_grad]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradients_reach_every_number(estimator):
    f = small(estimator)
    y, drawn = f(X.repeat(4, 1, 1, 1), None, af.key(0))
    slopes = torch.autograd.grad(surrogate_loss(f, y.flatten(1).var(1), drawn), numbers(f))
    assert len(slopes) == 2 * 2 * (3 + 2 + 1)  # gates, levels, logits
    assert all(g.isfinite().all() for g in slopes)
    assert sum(bool((g != 0).any()) for g in slopes) >= len(slopes) - 2  # a branch may be taken by no sample


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_hard_selection_is_an_image_of_the_policy(estimator):
    """Each image is what one op after the other makes of it; blends are no such thing."""
    f = searchable([af.brightness(factor=0.5, p=0.5), af.brightness(factor=0.25, p=0.5)], 1, 1, estimator)
    y = f(torch.ones(64, 1, 1, 1), None, af.key(0))[0].detach().flatten()
    known = torch.tensor([1.0, 0.5, 0.25])
    is_known = torch.isclose(y[:, None], known).any(1)
    assert is_known.all() == (estimator != "relaxed")


def test_means_of_the_estimators_agree():
    """E[hard] over many draws is that of the plain policy; that of soft blends is not far."""
    mean = {}
    for name in ESTIMATORS:
        f = searchable([af.brightness(factor=0.5, p=0.5), af.invert(p=0.3)], 1, 1, name)
        mean[name] = float(f(torch.full((4000, 1, 1, 1), 0.8), None, af.key(0))[0].detach().mean())
    exact = (0.8 - 0.5 * 0.4 + 0.8 - 0.3 * 0.6) / 2
    assert mean["straight-through"] == pytest.approx(exact, abs=0.01)
    assert mean["score"] == pytest.approx(exact, abs=0.01)
    assert mean["relaxed"] == pytest.approx(exact, abs=0.03)


def test_what_is_fixed_does_not_learn():
    f = af.pipeline(af.rotate(degrees=5.0, p=0.5), af.one_of(af.hflip(p=0.5), af.vflip(p=1.0), weights=[1.0, 3.0]))
    made = learnable(f, fixed=["rotate"])
    learned = [p for p, t in tensors_of(made.params).items() if t.requires_grad]
    assert learned == ["one_of/choice/logits", "one_of/hflip/gate/logits"]
    assert not any(t.requires_grad for t in tensors_of(f.params).values())
    torch.testing.assert_close(discrete(made).params["one_of"]["choice"].weights, torch.tensor([0.25, 0.75]))


def test_numbers_fold_at_the_ends():
    """What an optimizer pushes too far stands for the number mirrored there, with a slope that is never 0."""
    f = learnable(af.pipeline(af.rotate(degrees=af.Magnitude(0.5, [0.0, 30.0], spread="uniform"), p=0.5)))
    level, logit = f.params["rotate"]["degrees"].level, f.params["rotate"]["gate"].logits
    with torch.no_grad():
        level.add_(0.7)
        logit.add_(6.0)
    inside = held(f.params, f.schema)["rotate"]
    torch.testing.assert_close(inside["degrees"].level.detach(), torch.tensor(0.8))
    torch.testing.assert_close(inside["gate"].logits.detach(), torch.tensor(4.0))
    assert torch.autograd.grad(inside["degrees"].level, level)[0] == -1
    assert torch.autograd.grad(inside["gate"].logits, logit)[0] == -1


def test_crossed_ends_come_in_order():
    f = learnable(af.brightness(factor=(0.8, 1.2)))
    with torch.no_grad():
        f.params["factor"].low.add_(0.8)
    found = discrete(f).params["factor"]
    torch.testing.assert_close((found.low, found.high), (torch.tensor(1.2), torch.tensor(1.6)))


def test_noise_of_the_logits_follows_the_key():
    first, again, other = (small(noise=0.3, key=af.key(k)) for k in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(numbers(first), numbers(again), strict=True))
    logits = [t for p, t in tensors_of(first.params).items() if p.endswith("logits")]
    assert len({float(t.detach().flatten()[0]) for t in logits}) == len(logits)
    assert not torch.equal(numbers(first)[0], numbers(other)[0])


def run(f, net, steps, state=None, **how):
    how = {"batch": 16, "warmup": 1, "n_critic": 2, "key": af.key(3)} | how
    return search_policy(f, (X, Y), net, steps=steps, state=state, **how)


@pytest.mark.parametrize("estimator", ["straight-through", "score"])
def test_a_search_with_a_break_is_one_without(estimator, tmp_path):
    whole = run(small(estimator), Net(), 5)
    torch.save(run(small(estimator), Net(), 2).state, tmp_path / "search.pt")
    state = torch.load(tmp_path / "search.pt", weights_only=True)
    before = copy.deepcopy(state)
    net = Net()
    with torch.no_grad():
        net.score.bias.add_(1.0)  # the state has the critic's weights
    rest = run(small(estimator), net, 5, state)
    for name in ("numbers", "average"):
        assert all(torch.equal(a, b) for a, b in zip(whole.state[name], rest.state[name], strict=True))
    assert all(torch.equal(v, rest.state["critic"][n]) for n, v in whole.state["critic"].items())
    assert torch.equal(whole.state["losses"], rest.state["losses"])
    assert whole.state["step"] == rest.state["step"] == 5
    moments, kept = before["optimizers"][0]["state"][0], state["optimizers"][0]["state"][0]
    assert all(torch.equal(moments[n], kept[n]) for n in moments)  # the state that was given is as it was


def test_a_search_changes_neither_policy_nor_random_state():
    f = small()
    start, before = [t.detach().clone() for t in numbers(f)], torch.get_rng_state()
    net = Net()
    before = torch.get_rng_state()
    found = run(f, net, 3)
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(start, numbers(f), strict=True))
    assert all(t.grad is None for t in numbers(f))
    assert any(not torch.equal(a, b) for a, b in zip(start, found.state["numbers"], strict=True))
    assert not numbers(found.policy)


def test_a_search_where_no_gradient_is_kept():
    """As `fit`, `worst_case` and `hypergradient`, which see to their own gradients."""
    want = run(small(), Net(), 2)
    with torch.no_grad():
        found = run(small(), Net(), 2)
    assert all(torch.equal(a, b) for a, b in zip(want.state["numbers"], found.state["numbers"], strict=True))


def test_warm_up_is_the_critics_alone():
    f = small()
    with pytest.warns(UserWarning, match="all 2 steps are warm-up"):
        found = run(f, Net(), 2, warmup=2)
    assert all(torch.equal(a, b) for a, b in zip(numbers(f), found.state["numbers"], strict=True))
    assert not torch.equal(found.state["critic"]["score.weight"], Net().score.weight)


def test_halves_are_different_images():
    from augfn.learn.search import Halves

    marks = torch.arange(24.0).reshape(24, 1, 1, 1)
    real, _, other, labels = Halves((marks, Y), None, 16)(af.key(0))
    assert len(real) == len(other) == 16
    assert not set(real.flatten().tolist()) & set(other.flatten().tolist())
    assert torch.equal(labels, Y[other.flatten().long()])
    real, _, other, labels = Halves((marks, None), (marks + 100, Y), 30)(af.key(0))
    assert len(set(real.flatten().tolist())) == 24
    assert other.min() >= 100
    assert torch.equal(labels, Y[(other.flatten() - 100).long()])


def test_a_search_finds_a_gain():
    """Real images at half the brightness: the factor goes there."""
    start = learnable(af.brightness(factor=af.Uniform(torch.tensor(0.8), torch.tensor(1.0)), clip="none"))
    optimizer = partial(torch.optim.Adam, lr=0.03, betas=(0.5, 0.9))
    data = lambda key: (X * 0.5, None, X, None)  # noqa: E731
    found = search_policy(
        start, data, Net(), steps=60, key=af.key(0), warmup=10, n_critic=2, decay=0.8, optimizer=optimizer
    )
    factor = found.policy.params["factor"]
    assert float(factor.low + factor.high) / 2 == pytest.approx(0.5, abs=0.12)


def test_a_policy_is_saved_shown_and_summed(tmp_path):
    found = run(small(noise=0.3, key=af.key(0)), Net(), 3).policy
    af.save(found, tmp_path / "policy.yaml")
    loaded = af.load(tmp_path / "policy.yaml")
    assert torch.equal(found(X, None, af.key(0))[0], loaded(X, None, af.key(0))[0])
    total = sum(s.chance for s in shares(found))
    assert 0 < total <= 2  # two stages, each at most one op
    assert all(0 <= s.strength <= 1 for s in shares(found))
    viz.save(viz.policy(found, small()), tmp_path / "policy.png")
    assert (tmp_path / "policy.png").stat().st_size > 1000


def test_shares_are_the_frequencies_of_draws():
    f = small(noise=0.5, key=af.key(1))
    drawn = discrete(f)(X[:1].expand(4000, -1, -1, -1), None, af.key(0))[1]["one_of"]
    policy, stage = drawn["choice"][:, 1], drawn["policy_2"]["stage_1"]
    often = (policy * stage["choice"][:, 0] * stage["rotate"]["gate"]).mean()
    share = next(s for s in shares(f) if s.path == "one_of/policy_2/stage_1/rotate")
    assert share.chance == pytest.approx(float(often), abs=0.02)
    assert share.strength == pytest.approx(0.5)


def test_a_start_is_kept():
    """What learns begins as it was; what is fixed may be surer than a logit that learns."""
    f = af.pipeline(af.hflip(p=0.99), af.vflip(p=0.999))
    found = discrete(learnable(f, fixed=["vflip"])).params
    torch.testing.assert_close(found["hflip"]["gate"].probs, torch.tensor(0.99))
    torch.testing.assert_close(found["vflip"]["gate"].probs, torch.tensor(0.999))


def test_shares_of_so_many_choices_in_a_row():
    found = shares(af.some_of(2, af.hflip(p=1.0), af.invert(p=0.5), replace=True))
    assert [s.chance for s in found] == [0.5, 0.25] * 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: learnable(af.rotate(), "reinforce"), "estimator"),
        (lambda: learnable(af.rotate(), fixed=["degree"]), "degrees"),
        (lambda: learnable(af.rotate(), fixed="degree"), "degrees"),
        (lambda: learnable(af.rotate(), noise=0.1), "noise without a key"),
        (lambda: learnable(af.rotate(), noise=-0.1, key=af.key(0)), "learnable: noise"),
        (lambda: learnable(af.rotate(), noise=float("nan"), key=af.key(0)), "learnable: noise"),
        (lambda: run(small(), Net().requires_grad_(False), 1, warmup=0), "no parameter that learns"),
        (lambda: learnable(af.hflip(p=1.0)), "nothing that learns"),
        (lambda: learnable(af.one_of(af.hflip(), af.vflip(), weights=[0.0, 1.0])), "never chosen"),
        (lambda: learnable(af.hflip(p=0.999)), "gate/logits begins outside"),
        (lambda: learnable(af.hflip(p=af.RelaxedBernoulli(-7.0))), "gate/logits begins outside"),
        (lambda: searchable([af.hflip(p=0.5)], policies=0), "policies"),
        (lambda: shares(af.some_of(1, af.hflip(), af.vflip())), "chance of each branch"),
        (lambda: shares(af.some_of((0, 2), af.hflip(), af.vflip(), replace=True)), "chance of each branch"),
        (lambda: shares(af.pipeline(af.mixture(af.invert(), af.hflip()))), "chance of each branch"),
        (lambda: run(af.rotate(), Net(), 1), "nothing learns"),
        (lambda: run(small(), Net(), 1.5), "steps"),
        (lambda: run(small(), Net(), 1, n_critic=0), "n_critic=3"),
        (lambda: run(searchable([af.mixup(), af.hflip(p=0.5)]), Net(), 2), "mixes images, and labels"),
        (lambda: run(learnable(af.pipeline(af.rotate(), af.center_crop(size=4))), Net(), 2), "keeps the frame"),
        (lambda: learnable(af.hflip(p=0.5), temperature=0.0), "temperature"),
        (lambda: searchable([]), "searchable: no ops"),
        (lambda: run(small(), Net(), 1, decay=1.0), "decay"),
        (lambda: search_policy(small(), (X, Y[:3]), Net(), steps=1, key=af.key(0)), "as many labels"),
        (lambda: search_policy(small(), (X[:1], None), Net(), steps=1, key=af.key(0)), "two images"),
        (lambda: search_policy(small(), lambda key: None, Net(), steps=1, key=af.key(0), source=(X, Y)), "source"),
        (lambda: run(small(), Net(), 1, run(learnable(af.rotate()), Net(), 1, warmup=0).state), "another policy"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: learnable(augfn_nn.RandomRotation(9.0)), "its .f"),  # type: ignore[arg-type]
        (lambda: run(augfn_nn.Augment(small()), Net(), 1), "search_policy: not an augmentation"),
        (lambda: learnable(lambda x: x), "learnable: not an augmentation"),  # type: ignore[arg-type]
        (lambda: discrete(af.hflip(p=0.5).params), "discrete: not an augmentation"),  # type: ignore[arg-type]
        (lambda: shares(af.hflip(p=0.5).params), "shares: not an augmentation"),  # type: ignore[arg-type]
        (lambda: run(small(), lambda x: x.mean((1, 2, 3)), 2), "a module whose parameters"),
        (lambda: run(small(), Net(), 2, state=run(small(), Net(), 1, warmup=0)), "state=found.state"),
        (lambda: search_policy(small(), (X, Y.tolist()), Net(), steps=1, warmup=0, key=af.key(0)), "two tensors"),  # type: ignore[arg-type]
        (lambda: run(small(), Net(), 1, optimizer=torch.optim.SGD([torch.ones(1)], 0.1)), "functools.partial"),
    ],
)
def test_what_is_of_another_kind_is_named(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_one_name_to_keep_fixed_and_estimators_that_stay():
    f = af.pipeline(af.rotate(degrees=(-9.0, 9.0), p=0.5), af.hflip(p=af.LogitBernoulli(torch.tensor(0.3))))
    made = learnable(f, temperature=0.2, fixed="rotate")
    assert [n for n, t in tensors_of(made.params).items() if t.requires_grad] == ["hflip/gate/logits"]
    assert isinstance(made.params["hflip"]["gate"], af.LogitBernoulli)


def learned(f):
    return [n for n, t in tensors_of(learnable(f).params).items() if t.requires_grad]


@pytest.mark.parametrize(
    ("op", "leaf", "ends"),
    [("solarize", "threshold", (0.3, 0.8)), ("posterize", "bits", (2.0, 6.0)), ("dither", "levels", (2.0, 6.0))]
    + [("clahe", "clip_limit", (1.0, 4.0)), ("gibbs", "alpha", (0.2, 0.6))]
    + [("salt_and_pepper", "amount", (0.1, 0.3)), ("snow", "coefficient", (0.1, 0.4))],
)
def test_soft_steps_learn_where_they_begin(op, leaf, ends):
    """A leaf that a gradient reaches in "soft" form alone learns in that form, as a policy and as a module."""
    make = getattr(af, op)
    ours = [f"{leaf}/low", f"{leaf}/high"]
    assert set(ours) <= {*learned(make(**{leaf: ends}, grad="soft"))}
    assert not {*ours} & {
        n for n, t in tensors_of(learnable(make(**{leaf: ends}, p=0.5)).params).items() if t.requires_grad
    }
    x = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    module = augfn_nn.Augment(make(**{leaf: ends}, grad="soft"), learnable=True)
    (module(x, generator=af.key(0)) * x).sum().backward()
    found = {n: p.grad for n, p in module.named_parameters()}
    assert all(any(n.endswith(end) and bool(g.abs() > 0) for n, g in found.items()) for end in ours), found

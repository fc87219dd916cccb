"""The worst case in an augmentation's ranges: closed forms, brute force, planted failures, and what stays as it was."""

import copy
import statistics

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import augfn as af
import augfn_nn
from augfn.adversarial import attacked, trajectory
from augfn.core.draw import leaves_of
from augfn.learn import worst_case
from augfn_nn import WorstCase
from benchmarks.worst_case import METHODS, REGIONS, blob, first_hits, read

K = af.key(0)
X, Y = af.uniform(af.key(1), (4, 3, 12, 12)), torch.tensor([0, 1, 2, 1])
TURN = af.pipeline(af.rotate(degrees=(-30, 30)), af.brightness(factor=(0.5, 1.5), clip="none"))
MANY = af.pipeline(
    af.resized_crop(size=12, scale=(0.5, 1.0)),
    af.hflip(p=0.5),
    af.one_of(af.gaussian_blur(sigma=(0.5, 1.5)), af.brightness(factor=(0.5, 1.5))),
    af.some_of((1, 2), af.gamma(gamma=(0.7, 1.5)), af.contrast(), af.posterize(bits=(2, 8)), order="random"),
    af.mixture(af.rotate(), af.solarize()),
    af.maybe(af.gaussian_noise(std=(0.0, 0.2))),
    af.erase(),
    af.normalize(mean=0.5, std=0.2),
)


def net(seed=0):
    """A small convolutional net, with what behaves otherwise in train()."""
    torch.manual_seed(seed)
    layers = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Tanh(), nn.Dropout(0.5), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(32, 3)).eval()


NET = net()


def losses(model, params, f=TURN, x=X, y=Y):
    with torch.no_grad():
        return F.cross_entropy(model(f(x, params)[0]), y, reduction="none")


def alike(a, b, **how):
    for (path, value), other in zip(leaves_of(a).items(), leaves_of(b).values(), strict=True):
        torch.testing.assert_close(value, other, msg=lambda m, path=path: f"{path}: {m}", **how)


def rows_of(params, i):
    return {n: rows_of(v, i) if isinstance(v, dict) else v[i : i + 1] for n, v in params.items()}


# what is found


@given(st.floats(0.2, 1.8), st.integers(0, 2**31))
def test_the_best_factor_in_closed_form(goal, seed):
    """-(factor - goal)^2 is highest at the goal, or at the end that is next to it."""
    f = af.brightness(factor=(0.5, 1.5), clip="none")
    x = torch.ones(3, 1, 4, 4)

    def loss(outputs, _):
        return -((outputs - goal) ** 2)

    params = worst_case(lambda y: y.mean((1, 2, 3)), x, torch.zeros(3), f, 15, af.key(seed), loss=loss)
    want = torch.full((3,), min(max(goal, 0.5), 1.5))
    torch.testing.assert_close(params["factor"], want, atol=0.03, rtol=0)


@pytest.mark.parametrize(
    "d",
    [
        af.Uniform(0.5, 1.5),
        af.Interval([0.5, 1.5]),
        af.LogUniform(0.5, 1.5),
        af.TruncatedNormal(1.0, 0.3, 0.5, 1.5),
        af.Span(1.0, [[-0.5], [0.5]], 0.0),
        af.Magnitude(9.0, torch.linspace(0.5, 1.5, 10), std=0.0, spread="uniform"),
    ],
    ids=lambda d: type(d).__name__,
)
def test_each_distribution_is_searched_to_its_end_and_not_beyond(d):
    f = af.brightness(factor=d, clip="none")
    ends = torch.tensor([0.0, 1 - 2.0**-23]).reshape(2, *(1 for _ in d.noise_shape)).expand(2, *d.noise_shape)
    low, high = d.draw(ends)
    for sign, end in ((1, high), (-1, low)):
        loss = lambda outputs, _, sign=sign: sign * outputs  # noqa: E731
        found = worst_case(lambda y: y.mean((1, 2, 3)), X, Y, f, 10, K, loss=loss)["factor"]
        torch.testing.assert_close(found, end.expand(4), atol=1e-3, rtol=0)


def test_what_has_no_ends_stays_finite():
    f = af.brightness_shift(shift=af.Normal(0.0, 0.5), clip="none")
    found = worst_case(lambda y: y.mean((1, 2, 3)), X, Y, f, 10, K, loss=lambda outputs, _: outputs)["shift"]
    assert found.isfinite().all()
    assert (found > 1.5).all()  # three standard deviations


@pytest.mark.parametrize("method", METHODS)
def test_random_search_is_the_best_of_its_draws_and_gradient_no_worse_than_the_first(method):
    keys = af.split(K, 4)
    draws = [TURN(X, None, keys if k == 0 else af.fold_in(keys, k))[1] for k in range(12)]
    every = torch.stack([losses(NET, p) for p in draws])
    found = worst_case(NET, X, Y, TURN, 6, K, method=method)
    best = losses(NET, found)
    if method == "random":
        torch.testing.assert_close(best, every.amax(0))
        for i, k in enumerate(every.argmax(0).tolist()):
            alike(rows_of(found, i), rows_of(draws[k], i))
    else:
        assert (best >= every[:3].amax(0) - 1e-6).all()


def test_gradient_search_comes_near_to_a_fine_grid():
    """Brute force over 61 x 41 params of each image."""
    grid = torch.cartesian_prod(torch.linspace(-30, 30, 61), torch.linspace(0.5, 1.5, 41))
    params = {"rotate": {"degrees": grid[:, 0]}, "brightness": {"factor": grid[:, 1]}}
    n = len(grid)
    most = torch.stack(
        [losses(NET, params, x=x.expand(n, -1, -1, -1), y=y.expand(n)).max() for x, y in zip(X, Y, strict=True)]
    )
    least = torch.stack(
        [losses(NET, params, x=x.expand(n, -1, -1, -1), y=y.expand(n)).min() for x, y in zip(X, Y, strict=True)]
    )
    found = losses(NET, worst_case(NET, X, Y, TURN, 40, K))
    assert ((most - found) <= 0.02 * (most - least)).all()


def test_the_slope_is_that_of_finite_differences():
    """To the noise, over geometry and colour, where bicubic reading makes it smooth."""
    f = af.pipeline(
        af.rotate(degrees=(-30, 30)), af.brightness(factor=(0.5, 1.5), clip="none"), interpolation="bicubic"
    )
    attack = attacked(NET.double(), X.double(), Y, f, f.params, None)
    rows = torch.arange(4)
    try:
        u = attack.cube.noise(attack.keys(K)).clamp(0.05, 0.95)
        with torch.enable_grad():
            slope = attack.slopes(u, rows)[1]
        for j, h in enumerate(5e-3 * torch.eye(2)):
            with torch.no_grad():
                difference = (attack.evaluate(u + h, rows) - attack.evaluate(u - h, rows)) / 1e-2
            torch.testing.assert_close(slope[:, j], difference, atol=2e-3, rtol=0.05)
    finally:
        NET.float()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", METHODS)
def test_a_result_does_not_depend_on_the_batch(seed, method):
    keys = af.split(af.key(seed), 4)
    whole = worst_case(NET, X, Y, TURN, 4, keys, method=method)
    for i in range(4):
        alone = worst_case(NET, X[i : i + 1], Y[i : i + 1], TURN, 4, keys[i : i + 1], method=method)
        torch.testing.assert_close(
            losses(NET, alone, x=X[i : i + 1], y=Y[i : i + 1]), losses(NET, whole)[i : i + 1], atol=1e-4, rtol=1e-4
        )
        alike(alone, rows_of(whole, i), atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("restarts", [None, 1, 3])
def test_gates_choices_seeds_and_crops(restarts):
    """All of them at once: what is drawn 0 or 1 stays so, and values stay where a draw may lie."""
    params = worst_case(NET, X, Y, MANY, 12, K, restarts=restarts)
    _, drawn = MANY(X, None, K)
    assert leaves_of(params).keys() == leaves_of(drawn).keys()
    for path, value in leaves_of(params).items():
        own = leaves_of(MANY.params)[path]
        assert value.shape == leaves_of(drawn)[path].shape
        assert not value.requires_grad
        if isinstance(own, af.Bernoulli | af.Choice):
            assert set(value.unique().tolist()) <= {0.0, 1.0}
        if isinstance(own, af.Uniform):
            assert ((value >= own.low) & (value <= own.high)).all()
    x, again = MANY(X, params)
    assert x.shape == X.shape
    alike(again, params)
    assert "normalize" in af.explain(params, sample=3)
    assert (losses(NET, params, MANY) >= losses(NET, drawn, MANY)).all()


def test_what_is_fixed_stays_fixed():
    f = af.affine(degrees=(-20, 20), scale=torch.tensor([0.8, 0.9, 1.0, 1.1]), shear=((5.0, 5.0), (0.0, 0.0)))
    params = worst_case(NET, X, Y, f, 5, K)
    torch.testing.assert_close(params["scale"], torch.tensor([0.8, 0.9, 1.0, 1.1]))
    torch.testing.assert_close(params["shear"], torch.tensor([5.0, 0.0]).expand(4, 2))


# the planted failure


def test_the_planted_model_reads_what_was_done():
    angles, factors = torch.tensor([-44.0, -10.0, 0.0, 20.0, 44.0]), torch.tensor([0.3, 0.5, 1.0, 1.3, 1.7])
    params = {"rotate": {"degrees": angles}, "brightness": {"factor": factors}}
    f = af.pipeline(af.rotate(), af.brightness())
    angle, factor = read(f(blob().expand(5, -1, -1, -1), params)[0])
    torch.testing.assert_close(angle, angles, atol=0.3, rtol=0)
    torch.testing.assert_close(factor, factors, atol=5e-3, rtol=0)


@pytest.mark.parametrize("region", REGIONS)
def test_gradient_finds_a_planted_failure_in_a_fifth_of_random_searches_evaluations(region):
    gradient, drawn = (statistics.median(first_hits(REGIONS[region], True, m, 8)) for m in METHODS)
    assert gradient <= drawn / 5


@pytest.mark.parametrize("region", REGIONS)
def test_on_a_plateau_it_is_two_evaluations_behind(region):
    gradient, drawn = (first_hits(REGIONS[region], False, m, 8) for m in METHODS)
    assert all(0 <= a - b <= 2 for a, b in zip(gradient, drawn, strict=True))


# the budget


class Counting(nn.Module):
    """A model that counts images, those of which a gradient is taken twice."""

    def __init__(self):
        super().__init__()
        self.net, self.count = net(), 0

    def forward(self, x):
        self.count += len(x) * (2 if torch.is_grad_enabled() else 1)
        return self.net(x)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_the_budget_is_spent_and_kept(method, steps):
    model = Counting()
    worst_case(model, X, Y, TURN, steps, K, method=method)
    assert model.count == 2 * steps * len(X)
    attack = attacked(model, X, Y, TURN, TURN.params, None)
    spent = torch.zeros(4)
    for seen in trajectory(attack, attack.keys(K), steps, method):
        spent[seen.rows] += seen.cost
        torch.testing.assert_close(seen.loss, attack.evaluate(seen.noise, seen.rows).detach())
    assert spent.tolist() == [2 * steps] * 4


@pytest.mark.parametrize("steps", [1, 2])
def test_a_budget_that_no_ascent_fits_in_is_spent_on_draws(steps):
    found, drawn = (worst_case(NET, X, Y, TURN, steps, K, method=m) for m in METHODS)
    alike(found, drawn)


# what is left as it was


def test_the_model_stays_as_it_is():
    model = net(3).train()
    model[1].eval()
    modes, state = [m.training for m in model.modules()], copy.deepcopy(model.state_dict())
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    model[6].weight.grad = torch.ones_like(model[6].weight)
    images = X.clone().requires_grad_()
    params = worst_case(model, images, Y, TURN, 5, K)
    assert [m.training for m in model.modules()] == modes
    assert all(v.equal(state[n]) for n, v in model.state_dict().items())
    assert model[6].weight.grad.equal(torch.ones_like(model[6].weight))
    assert model[6].bias.grad is None
    assert images.grad is None
    assert not any(t.requires_grad for t in leaves_of(params).values())
    alike(params, worst_case(model.eval(), X, Y, TURN, 5, K))


def test_the_modes_come_back_after_an_error():
    model = net().train()
    with pytest.raises(ValueError, match="one number for each image"):
        worst_case(model, X, Y, TURN, 5, K, loss=F.cross_entropy)
    assert all(m.training for m in model.modules())


def test_without_gradients_around_it_and_under_frozen_models():
    want = worst_case(NET, X, Y, TURN, 5, K)
    with torch.no_grad():
        alike(worst_case(NET, X, Y, TURN, 5, K), want)
    with torch.inference_mode():
        found = worst_case(NET, X.clone(), Y.clone(), TURN, 5, K)
    alike(found, want)
    assert not any(t.is_inference() for t in leaves_of(found).values())
    alike(worst_case(net().requires_grad_(False), X, Y, TURN, 5, K), want)


def test_ranges_that_learn_get_no_gradient():
    bounds = nn.Parameter(torch.tensor([-20.0, 20.0]))
    found = worst_case(NET, X, Y, af.rotate(degrees=af.Interval(bounds)), 5, K)
    assert bounds.grad is None
    assert not found["degrees"].requires_grad


# what is taken


def test_a_module_is_taken_with_its_ranges_as_they_are():
    module = augfn_nn.Augment(TURN)
    alike(worst_case(NET, X, Y, module, 5, K), worst_case(NET, X, Y, TURN, 5, K))
    module.ranges.tree()["rotate"]["degrees"].high.fill_(-29.0)
    assert (worst_case(NET, X, Y, module, 5, K)["rotate"]["degrees"] <= -29).all()


def test_labels_losses_volumes_and_bytes():
    soft = F.one_hot(Y, 3).float()
    alike(worst_case(NET, X, soft, TURN, 5, K), worst_case(NET, X, Y, TURN, 5, K), atol=1e-4, rtol=1e-4)
    volumes, f = af.uniform(K, (2, 1, 6, 6, 6)), af.pipeline(af.rotate3d(), af.gamma(gamma=(0.5, 2.0)))
    model = lambda x: torch.stack([x.mean((1, 2, 3, 4)), x[:, 0, 0, 0, 0]], -1)  # noqa: E731
    assert worst_case(model, volumes, Y[:2], f, 5, K)["gamma"]["gamma"].shape == (2,)
    bytes_ = (X * 255).to(torch.uint8)
    params = worst_case(NET, bytes_, Y, af.pipeline(af.to_float(), af.rotate()), 5, K)
    assert params["rotate"]["degrees"].shape == (4,)
    assert worst_case(NET, X[:0], Y[:0], TURN, 5, K)["rotate"]["degrees"].shape == (0,)


def test_a_model_that_gives_no_gradient_is_searched_by_draws():
    blind = lambda x: F.one_hot((x.mean((1, 2, 3)) > 0.5).long(), 3).float()  # noqa: E731
    found, drawn = (worst_case(blind, X, Y, TURN, 10, K, method=m) for m in METHODS)
    assert (losses(blind, found) >= losses(blind, drawn) - 1e-6).all()


def test_a_loss_that_is_no_number_is_the_highest():
    def loss(outputs, _):
        return torch.where(outputs > 0.6, torch.nan, outputs)

    f = af.brightness(factor=(0.5, 1.5), clip="none")
    found = worst_case(lambda x: x.mean((1, 2, 3)), torch.full_like(X, 0.5), Y, f, 10, K, loss=loss)
    assert (found["factor"] > 1.2).all()


def test_a_gradient_that_is_no_number_is_none():
    """sqrt(0) has an infinite slope, and 0 times it is NaN: one ascent begins, and no other."""

    def loss(outputs, _):
        return (0 * outputs).sqrt()

    attack = attacked(lambda x: x.mean((1, 2, 3)), X, Y, TURN, TURN.params, loss)
    costs = [seen.cost for seen in trajectory(attack, attack.keys(K), 20)]
    assert costs.count(2) == 1
    assert attack.slopes(attack.cube.noise(attack.keys(K)), torch.arange(4))[1].eq(0).all()


def test_other_defaults_of_torch():
    want = worst_case(NET, X, Y, TURN, 5, K)
    torch.set_default_dtype(torch.float64)
    try:
        alike(worst_case(NET, X, Y, TURN, 5, K), want)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("call", "error", "advice"),
    [
        (lambda: worst_case(NET, X, Y, TURN), ValueError, r"key=af\.key"),
        (lambda: worst_case(NET, X, Y[:3], TURN, key=K), ValueError, "labels"),
        (lambda: worst_case(NET, X, Y.tolist(), TURN, key=K), ValueError, "labels"),
        (lambda: worst_case(NET, X[0], Y, TURN, key=K), ValueError, "one batch"),
        (lambda: worst_case(NET, [*X], Y, TURN, key=K), TypeError, "a batch"),
        (lambda: worst_case(NET, X, Y, af.rotate(degrees=5.0), key=K), ValueError, "nothing to search"),
        (lambda: worst_case(NET, X, Y, af.identity(), key=K), ValueError, "nothing to search"),
        (lambda: worst_case(NET, X, Y, af.mixup(), key=K), ValueError, "one image each"),
        (lambda: worst_case(NET, X, Y, af.views(TURN, 2), key=K), ValueError, "one image each"),
        (lambda: worst_case(NET, X, Y, nn.Identity(), key=K), TypeError, "not an augmentation"),
        (lambda: worst_case(NET, X, Y, TURN, 0, K), ValueError, "steps"),
        (lambda: worst_case(NET, X, Y, TURN, 2.0, K), ValueError, "steps"),
        (lambda: worst_case(NET, X, Y, TURN, key=K, method="grid"), ValueError, "method"),
        (lambda: worst_case(NET, X, Y, TURN, key=K, restarts=0), ValueError, "restarts"),
        (lambda: worst_case(NET, X, Y, TURN, key=af.split(K, 3)), ValueError, "af.split"),
        (lambda: worst_case(NET, X, Y, TURN, key=K, loss=lambda o, y: o), ValueError, "reduction"),
        (lambda: WorstCase(NET, TURN, steps=0), ValueError, "steps"),
        (lambda: WorstCase(NET, af.cutmix()), ValueError, "one image each"),
        (lambda: WorstCase(NET, NET), TypeError, "augmentation"),
        (lambda: WorstCase(NET, TURN)(X), ValueError, "labels"),
        (lambda: WorstCase(NET, TURN)([*X], Y), TypeError, "a batch"),
    ],
)
def test_bad_input_is_named(call, error, advice):
    with pytest.raises(error, match=advice):
        call()


@pytest.mark.cuda
def test_on_a_gpu_it_is_what_it_is_on_the_host():
    found = worst_case(net().cuda(), X.cuda(), Y.cuda(), TURN, 5, K)
    torch.testing.assert_close(losses(NET, found), losses(NET, worst_case(NET, X, Y, TURN, 5, K)), atol=1e-2, rtol=1e-2)


# the module


def test_the_module_augments_at_the_worst_case():
    aug = WorstCase(NET, TURN, steps=5)
    y = aug(X, Y, K)
    alike(aug._params, worst_case(NET, X, Y, TURN, 5, K))
    assert y.equal(TURN(X, aug._params)[0])
    assert aug(X, params=aug._params).equal(y)
    fixed = aug(X, Y, K, params={"rotate": {"degrees": torch.tensor(10.0)}})
    assert fixed.shape == X.shape
    assert (aug._params["rotate"]["degrees"] == 10).all()
    keys = af.sample_keys(aug.key, [3, 5, 7, 9], 2)
    aug(X, Y, index=[3, 5, 7, 9], epoch=2)
    alike(aug._params, worst_case(NET, X, Y, TURN, 5, keys))


def test_the_module_in_eval():
    aug = WorstCase(NET, af.pipeline(TURN, af.normalize(mean=0.5, std=0.5))).eval()
    torch.testing.assert_close(aug(X), X * 2 - 1)
    assert WorstCase(NET, TURN).eval()(X) is X


def test_the_attacked_model_is_no_part_of_the_module():
    model = net()
    aug = WorstCase(model, TURN)
    assert not list(aug.parameters())
    assert [*aug.state_dict()] == [*augfn_nn.Augment(TURN).state_dict()]
    both = nn.ModuleDict({"model": model, "aug": aug})
    assert len(list(both.parameters())) == len(list(model.parameters()))
    aug.double().eval()
    assert model[0].weight.dtype == torch.float32
    twin = copy.deepcopy(both)
    assert twin["aug"].attacked.model is twin["model"]


def test_a_gradient_flows_through_the_images_alone():
    model = net().train()
    images = X.clone().requires_grad_()
    aug = WorstCase(model, TURN, steps=3)
    F.cross_entropy(model(aug(images, Y, K)), Y).backward()
    assert model.training
    assert images.grad.abs().sum() > 0
    assert not any(t.requires_grad for t in leaves_of(aug._params).values())
    want = torch.autograd.grad(TURN(images, aug._params)[0].sum(), images)[0]
    torch.testing.assert_close(torch.autograd.grad(aug(images, params=aug._params).sum(), images)[0], want)


def test_training_against_it_lowers_the_worst_case():
    """Two stripes of unlike brightness, told apart by a small net under turns and brightness."""
    x = 0.1 + 0.05 * af.normal(af.key(2), (32, 1, 10, 10))
    y = torch.arange(32) % 2
    x[y == 0, :, 4:6, :] += 0.5
    x[y == 1, :, :, 4:6] += 0.5
    f = af.pipeline(af.rotate(degrees=(-40, 40)), af.brightness(factor=(0.5, 1.5), clip="none"))

    def trained(against):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(100, 16), nn.Tanh(), nn.Linear(16, 2))
        aug, optimizer = WorstCase(model, f, steps=4), torch.optim.Adam(model.parameters(), 0.01)
        for i in range(40):
            images = aug(x, y, af.fold_in(K, i)) if against else x
            optimizer.zero_grad()
            F.cross_entropy(model(images), y).backward()
            optimizer.step()
        params = worst_case(model, x, y, f, 15, K)
        return float(losses(model, params, f, x, y).mean())

    assert trained(True) < 0.7 * trained(False)


def test_a_container_refuses_what_needs_labels():
    module = augfn_nn.WorstCase(torch.nn.Linear(2, 2), af.rotate())
    with pytest.raises(TypeError, match="WorstCase needs labels"):
        augfn_nn.AugmentationSequential(module)


def test_one_draw_for_a_batch_is_not_followed():
    module = augfn_nn.Augment(af.brightness(), same_on_batch=True)
    with pytest.warns(UserWarning, match="same_on_batch"):
        af.learn.worst_case(
            lambda x: x.mean((2, 3)), torch.rand(2, 3, 4, 4), torch.tensor([0, 1]), module, 1, af.key(0)
        )

"""What modules learn stays in its interval, whatever an optimizer does, and comes back."""

import copy

import pytest
import torch
from torch import nn

import augfn as af
import augfn_nn
from augfn.core.draw import leaves_of
from augfn_nn import Augment, RandomGamma, RandomRotation

OPTIMIZERS = {
    "sgd": lambda p, logits: torch.optim.SGD(p, lr=5.0 if logits else 1.0),
    "adam": lambda p, logits: torch.optim.Adam(p, lr=0.3),
}
SURE = ("probability", "choice")  # whose gradient shrinks as they become sure: plain SGD takes its time
# what learns, its loss, and a number of it that the loss pushes up or down
LEARNED = {
    "gamma": (lambda: af.gamma(gamma=(0.7, 1.4)), ["gamma"], lambda p: p["gamma"].high),
    "probability": (
        lambda: af.brightness(factor=0.3, p=af.RelaxedBernoulli(0.0)),
        ["gate"],
        lambda p: p["gate"].logits.sigmoid(),
    ),
    "crop scale": (lambda: af.resized_crop(size=8, scale=(0.3, 1.0)), ["scale"], lambda p: p["scale"].low),
    "choice": (
        lambda: af.one_of(af.brightness(factor=0.3), af.hflip(), weights=af.GumbelChoice([0.0, 0.0])),
        ["choice"],
        lambda p: p["choice"].logits.softmax(-1)[1],
    ),
}


def loss_of(y):
    return y.mean() + 10 * (y[..., 1:] - y[..., :-1]).square().mean()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", LEARNED)
def test_pushed_against_a_bound_and_back(name, optimizer):
    make, learnable, number = LEARNED[name]
    aug = Augment(make(), learnable=learnable)
    x = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 0.6 + 0.2
    step = OPTIMIZERS[optimizer](aug.parameters(), logits=name in SURE)
    means = []
    for sign in (1, -1):
        seen = []
        for i in range(200):
            step.zero_grad()
            (sign * loss_of(aug(x, generator=af.key(i)))).backward()
            step.step()
            for path, leaf in leaves_of(aug.params).items():
                assert_inside(leaf, leaves_of(aug.f.schema)[path])
            seen.append(float(number(aug.params).detach()))
        means.append(sum(seen[100:]) / 100)
    assert abs(means[1] - means[0]) > (0.005 if name in SURE and optimizer == "sgd" else 0.2), means


def assert_inside(leaf, meaning):
    for field in leaf.fields:
        value = getattr(leaf, field)
        assert value.isfinite().all()
        if field in leaf.values:
            assert meaning.low is None or (value >= meaning.low).all()
            assert meaning.high is None or (value <= meaning.high).all()
    for low, high in [leaf.ordered] if leaf.ordered else []:
        assert (getattr(leaf, low) <= getattr(leaf, high)).all()


def test_a_learned_choice_learns_its_logits_alone():
    """A temperature that learned too once trained to the opposite."""
    aug = Augment(LEARNED["choice"][0](), learnable=True)
    assert {n for n, _ in aug.named_parameters()} == {"ranges.choice/logits", "ranges.brightness/factor/value"}
    x, step = torch.rand(16, 3, 8, 8), torch.optim.Adam(aug.parameters(), lr=0.05)
    first = aug.params["choice"].logits.softmax(-1)[0].item()
    for i in range(40):
        step.zero_grad()
        aug(x, generator=af.key(i)).mean().backward()
        step.step()
    assert aug.params["choice"].logits.softmax(-1)[0].item() > first + 0.2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_folding_keeps_values_and_slopes(dtype):
    from augfn.math.folding import folded

    x = torch.linspace(-7, 7, 99, dtype=dtype, requires_grad=True)
    for limits in ((0.5, 1.5), (None, 1.0), (-1.0, None), (None, None)):
        low, high = (-torch.inf if limits[0] is None else limits[0], torch.inf if limits[1] is None else limits[1])
        y = folded(x, limits)
        inside = (x >= low) & (x <= high)
        assert y[inside].equal(x[inside])
        assert ((y >= low) & (y <= high)).all()
        (slope,) = torch.autograd.grad(y.sum(), x)
        assert slope.abs().unique().tolist() == [1.0]


def test_values_that_hold_are_read_from_the_tree():
    aug = Augment(af.gaussian_blur(kernel_size=3, sigma=(0.1, 2.0)), learnable=True)
    with torch.no_grad():
        aug.ranges.get_parameter("sigma/low").fill_(-0.5)
        aug.ranges.get_parameter("sigma/high").fill_(0.25)
    assert [aug.params["sigma"].low.item(), aug.params["sigma"].high.item()] == [0.25, 0.5]
    again = copy.deepcopy(aug)
    assert again.params["sigma"].high.item() == 0.5
    fresh = Augment(af.gaussian_blur(kernel_size=3), learnable=True)
    fresh.load_state_dict(aug.state_dict())
    assert fresh.params["sigma"].high.item() == 0.5


def test_sure_logits_are_not_moved():
    for logit in (-9.0, 3.0, 7.0):
        aug = Augment(af.hflip(p=af.RelaxedBernoulli(logit)), learnable=True)
        assert aug.params["gate"].logits.item() == logit


def test_what_begins_outside():
    with pytest.raises(ValueError, match="outside its interval"):
        Augment(af.gamma(gamma=af.Uniform(torch.tensor(-1.0), torch.tensor(1.0))), learnable=True)


# Parameters of the user's own


@pytest.mark.parametrize("make", [lambda w: RandomGamma(gamma=w, p=1.0), lambda w: af.gamma(gamma=af.Interval(w))])
def test_a_parameter_that_has_left_is_an_error(make):
    w = nn.Parameter(torch.tensor([0.5, 1.5]))
    f, x = make(w), torch.rand(2, 3, 4, 4)
    args = (x,) if isinstance(f, nn.Module) else (x, None, af.key(0))
    f(*args)
    with torch.no_grad():
        w.sub_(1.0)
    with pytest.raises(ValueError, match="left its interval") as error:
        f(*args)
    assert 'learnable=["gamma"]' in str(error.value)
    kept = Augment(af.gamma(gamma=(0.5, 1.5)), learnable=["gamma"])
    with torch.no_grad():
        kept.ranges.get_parameter("gamma/low").sub_(1.0)
    kept(x)


def test_a_parameter_of_two_numbers_is_a_range_or_an_error():
    w = nn.Parameter(torch.tensor([-10.0, 10.0]))
    with pytest.raises(ValueError, match=r"af\.Interval"):
        af.rotate(degrees=w)
    x = torch.rand(4, 3, 8, 8)
    by_class, by_factory = RandomRotation(w, p=1.0), af.rotate(degrees=af.Interval(w))
    drawn = by_class(x, generator=af.key(0)), by_factory(x, None, af.key(0))[0]
    torch.testing.assert_close(*drawn)
    assert af.rotate(degrees=torch.tensor([-10.0, 10.0]))(x[:2])[0].shape == (2, 3, 8, 8)


def test_a_parameter_of_one_number_is_a_value_that_learns():
    w = nn.Parameter(torch.tensor(2.0))
    aug, x = RandomGamma(gamma=w, p=1.0), torch.rand(2, 3, 4, 4)
    y = aug(x)
    torch.testing.assert_close(y, x**2)
    y.sum().backward()
    assert w.grad.abs() > 0


# kornia's shapes of Parameters: as the same numbers without one
SHAPES = {
    "RandomRotation(degrees=w)": 30.0,
    "RandomRotation3D(degrees=w)": 30.0,
    "RandomRotation3D(degrees=w, kornia=False) of two": (-5.0, 7.0),
    "RandomRotation3D(degrees=w) of three": (5.0, 7.0, 9.0),
    "RandomAffine3D(degrees=5.0, translate=w)": (0.1, 0.2, 0.3),
    "RandomAffine(degrees=w)": 30.0,
    "RandomAffine(degrees=10.0, translate=w)": (0.1, 0.2),
    "RandomAffine(degrees=10.0, scale=w)": (0.8, 1.2),
    "RandomAffine(degrees=10.0, scale=w) of four": (0.8, 1.2, 0.9, 1.1),
    "RandomAffine(degrees=10.0, shear=w)": 5.0,
    "RandomAffine(degrees=10.0, shear=w) of two": (-5.0, 3.0),
    "RandomShear(shear=w)": (-5.0, 5.0, -3.0, 3.0),
    "ColorJitter(brightness=w, contrast=0.2)": 0.3,
    "ColorJitter(hue=w)": (-0.1, 0.2),
    "ColorJitter(saturation=w, hue=w) of one": 0.2,
    "RandomMotionBlur(3, angle=35.0, direction=w)": 0.5,
    "RandomSolarize(w)": 0.1,
    "RandomGaussianIllumination(center=w)": (0.2, 1.0),
    "RandomJPEG(w)": 20.0,
    "RandomTranslate(translate_x=w)": (-0.1, 0.2),
    "RandomTranslate(translate_y=w)": (-0.1, 0.2),
    "RandomSharpness(w)": 0.5,
    "RandomPosterize(w, grad='soft')": 3.0,
    "GridDistortion(distort_limit=w)": 0.2,
    "GridDistortion(distort_limit=w) of two": (-0.2, 0.3),
}


@pytest.mark.parametrize("call", SHAPES)
def test_kornias_shapes_of_parameters(call):
    numbers = SHAPES[call]
    w = nn.Parameter(torch.tensor(numbers))
    x = torch.rand((2, 3, 4, 8, 8) if "3D" in call else (2, 3, 8, 8))
    made = f"augfn_nn.{call.split(' of ')[0][:-1]}, p=1.0)"
    plain, learned = (eval(made, {"augfn_nn": augfn_nn, "w": v}) for v in (numbers, w))
    drawn = [aug(x, generator=af.key(3)) for aug in (plain, learned)]
    torch.testing.assert_close(drawn[0], drawn[1])
    assert [*learned.parameters()] == [w]
    if "Solarize" not in call and "Posterize" not in call:  # a step is flat
        (drawn[1] * torch.linspace(-1, 1, 8)).sum().backward()
        assert w.grad.abs().sum() > 0


def test_a_reach_that_has_left_is_an_error():
    w = nn.Parameter(torch.tensor(0.5))
    aug = augfn_nn.ColorJitter(brightness=w, p=1.0)
    aug(torch.rand(2, 3, 4, 4))
    with torch.no_grad():
        w.add_(1.0)
    with pytest.raises(ValueError, match="left its interval"):
        aug(torch.rand(2, 3, 4, 4))


def test_parameters_that_stand_for_no_one_thing():
    w = nn.Parameter(torch.tensor(0.1))
    with pytest.raises(ValueError, match=r"one Parameter \[2\]"):
        augfn_nn.RandomAffine(degrees=3.0, translate=(w, w))
    with pytest.raises(ValueError, match=r"Augment\(af.rgb_shift"):
        augfn_nn.RandomRGBShift((w, w))
    with pytest.raises(ValueError, match=r"Augment\(af.rgb_shift"):
        augfn_nn.RandomRGBShift(w)
    two = nn.Parameter(torch.tensor([-0.1, 0.1]))
    for call in (
        lambda: augfn_nn.RandomTranslate(two, two),
        lambda: augfn_nn.RandomShear((w, w)),
        lambda: augfn_nn.RandomShear((w, w, w, w)),
        lambda: augfn_nn.RandomAffine(3.0, shear=((w, w), (0.0, 1.0))),
        lambda: augfn_nn.RandomRotation3D(((w, w), (0.0, 1.0), (0.0, 1.0))),
        lambda: augfn_nn.RandomAffine3D(3.0, translate=two),
        lambda: augfn_nn.RandomAffine(3.0, translate=((w, w), (-0.1, 0.1))),
    ):
        with pytest.raises(ValueError, match="Parameters"):
            call()
    with pytest.raises(TypeError, match="tensors within a pair"):
        af.translate(translate=((w, w), (0.0, 0.1)))
    advised = Augment(af.rgb_shift(shift=af.Interval(torch.nn.Parameter(torch.tensor([[-0.5, 0.5]] * 3)))))
    assert advised(torch.rand(2, 3, 4, 4)).shape == (2, 3, 4, 4)


def test_a_span_is_checked_not_kept():
    with pytest.raises(ValueError, match="a call checks"):
        Augment(af.brightness(factor=af.Span(0.5, [[-1.0], [1.0]], 1.0)), learnable=True)
    w = nn.Parameter(torch.tensor(0.5, dtype=torch.bfloat16))
    f = af.brightness(factor=af.Span(w, [[-1.0], [1.0]], 1.0))
    f(torch.rand(2, 3, 4, 4), None, af.key(0))
    with torch.no_grad():
        w.fill_(3.0)
    with pytest.raises(ValueError, match="bring it back"):
        f(torch.rand(2, 3, 4, 4), None, af.key(0))


def test_the_kept_tree_is_that_of_the_tensors():
    """What is kept while its tensors are the same objects, beside the tree that is made anew."""
    aug = augfn_nn.RandomAffine(torch.nn.Parameter(torch.tensor([-10.0, 10.0])), scale=(0.9, 1.1), p=0.5)
    ranges = aug.ranges
    for change in (
        lambda: None,
        lambda: ranges.get_parameter("degrees/bounds").data.add_(1.0),
        lambda: ranges.double(),
    ):
        change()
        assert ranges.held is not None
        kept, ranges.held = (ranges.tree(), ranges.held), None
        plain, ranges.held = ranges.tree(), kept[1]
        now, want = leaves_of(kept[0]), leaves_of(plain)
        assert str(now) == str(want)
        for name, leaf in now.items():
            tensors = {k: v for k, v in vars(leaf).items() if isinstance(v, torch.Tensor)}
            assert tensors
            assert all(v is vars(want[name])[k] for k, v in tensors.items())

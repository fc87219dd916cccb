"""Fast ways beside their plain twins, one table; and every size from which a fast way is taken, forced low."""

import pytest
import torch

import augfn as af
from augfn.core.actions import Layer
from augfn.core.rules import clipped
from augfn.core.targets import Sample
from augfn.math import color
from augfn.math.lines import Line
from augfn.run import mode
from augfn.run.slopes import SLOPES, sloped
from augfn.run.twins import TWINS
from augfn.testing.case import agree, smooth_image, targets_for

G = torch.Generator().manual_seed(0)


def some(*shape):
    return torch.rand(*shape, generator=G)


AXES = [torch.arange(n) - (n - 1) / 2 for n in (5.0, 7.0)]


def painted():
    """A layer over four samples, one of which stays as it is."""
    cover = (some(4, 5, 6) > 0.4).float() * torch.tensor([1.0, 0.0, 1.0, 1.0])[:, None, None]
    layer = Layer(torch.tensor([2, 3, 0, 1]), cover, cover.mean((-2, -1)), hard=True)
    return layer, Sample({}, (4,), (5, 6), torch.device("cpu"))


ARGUMENTS = {
    "added": lambda: (some(2, 3, 4), some(3, 1)),
    "multiplied": lambda: (some(2, 3, 4), some(3, 1)),
    "accumulated": lambda: (some(2, 3, 4), some(3, 1), some(2, 1, 4)),
    "mix_images": lambda: (some(2, 3, 4), some(2, 3, 4), some(2, 1, 1) / 2 + 0.25),
    "paint_partner": lambda: (some(4, 3, 5, 6), some(4, 3, 5, 6), *painted()),
    "put_each": lambda: (some(2, 3, 4, 5), some(3, 1, 1), torch.tensor([[-2.0, 3.0], [4.0, -1.0]]), (7, 6)),
    "clamped": lambda: (some(2, 3) * 2 - 0.5,),
    "pairs": lambda: (some(2, 9), some(2, 9)),
    "affine_grid": lambda: (some(4, 2, 3), AXES),
    "quotients": lambda: ([some(2, 5, 7), some(2, 5, 7)], some(2, 5, 7) + 0.5),
    "runs": lambda: (some(2, 3, 6, 8, 9), torch.tensor([[4, 0, 1], [1, 3, 0]]), (5, 5, 4)),
    "ranked": lambda: (some(2, 3, 40), torch.tensor([0, 3, 39, 3]).expand(2, 3, 4)),
    "by_some_taps": lambda: (some(2, 2, 5, 6, 7), (taps := some(2, 3, 3, 1)) * (taps > 0.6)),
    "middles_by_slabs": lambda: (some(2, 6, 7, 8), (3, 3, 3)),
    "written": lambda: (torch.lt, some(2, 5), some(2, 1)),
    "stepped_levels": lambda: (some(2, 3, 4), torch.exp2(torch.tensor([0.0, 3.0]))[:, None, None], "none"),
    "line_by_bags": lambda: (Line(some(2) + 0.5, some(2), 12, 7, "bilinear"), some(2, 3, 12, 5), -2),
    "blended": lambda: (some(2, 3, 4, 5), *(some(2, 1, 1, 1) for _ in range(3)), "clamp", None, True),
    "powered": lambda: (torch.tensor([-1.0, 0.0, 0.3, 1.0, 2.0]), torch.tensor([0.0, 0.5, 1.0, 2.0])[:, None]),
    "clipped": lambda: (some(2, 3) * 2 - 0.5, some(2, 3), "clamp"),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_fast_way_is_its_plain_twin(name):
    plain, fast = TWINS[name]
    torch.testing.assert_close(fast(*arguments(name)), plain(*arguments(name)), rtol=0, atol=1e-6)


def doubles(*shape, levels=None):
    x = torch.rand(*shape, generator=G, dtype=torch.float64)
    return x if levels is None else (x * levels).round() / levels


WEIGHTS = (2, 1, 1, 1)
SLOPED = {
    "between_0_and_1": lambda x: [(x * 2 - 0.5,)],
    "turn": lambda x: [(x, doubles(*WEIGHTS) - 0.5, 1), (x, torch.zeros(*WEIGHTS, dtype=torch.float64), 1)],
    "mixed": lambda x: [
        (y, doubles(*WEIGHTS), *shift)
        for y in (x, x.repeat(1, 2, 1, 1)[:, :4])
        for shift in ((None, None), (doubles(*WEIGHTS), None), (None, doubles(*WEIGHTS)), (doubles(*WEIGHTS),) * 2)
        if shift[1] is None or y is x  # the luma is that of three channels
    ],
}


@pytest.mark.parametrize("levels", [None, 4])  # four levels: equal channels, grey pixels, and values at every bound
@pytest.mark.parametrize("name", SLOPES)
def test_a_slope_is_what_autograd_finds(name, levels):
    """All gradients, each alone, and the gradient of a gradient."""
    plain, slope = SLOPES[name]
    for args in SLOPED[name](doubles(2, 3, 12, 12, levels=levels)):
        args = [a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in args]
        places = [i for i, a in enumerate(args) if isinstance(a, torch.Tensor)]
        y = plain(*args)
        g = torch.rand(y.shape, generator=G, dtype=y.dtype) - 0.5
        want = torch.autograd.grad(y, [args[i] for i in places], g)
        with torch.no_grad():
            for needs in (
                [i in places for i in range(len(args))],
                *[[i == k for i in range(len(args))] for k in places],
            ):
                found = slope(g, needs, *args)
                for i, w in zip(places, want, strict=True):
                    if needs[i]:
                        torch.testing.assert_close(found[i], w, rtol=1e-10, atol=1e-12)


def test_a_slope_takes_what_the_function_takes():
    grey, one = torch.rand(2, 1, 4, 4, requires_grad=True), torch.rand(1, 3, 4, 4, requires_grad=True)
    assert color.hue(grey, torch.rand(2)) is grey
    assert torch.autograd.grad(color.hue(one, torch.rand(5)).sum(), one)[0].shape == one.shape


@pytest.mark.parametrize("name", SLOPES)
def test_a_function_with_a_slope_has_the_second_derivatives_of_the_plain_one(name):
    plain, slope = SLOPES[name]
    either = sloped(slope)(plain)
    for args in SLOPED[name](doubles(2, 3, 3, 3)):
        args = [a.clone().requires_grad_() if isinstance(a, torch.Tensor) else a for a in args]
        leaves = [a for a in args if isinstance(a, torch.Tensor)]
        found = []
        for f in (plain, either):
            first = torch.autograd.grad(f(*args).square().sum(), leaves, create_graph=True)
            found.append(torch.autograd.grad(sum(d.square().sum() for d in first), leaves, allow_unused=True))
        torch.testing.assert_close(found[1], found[0], rtol=1e-8, atol=1e-10)


def arguments(name):
    G.manual_seed(0)
    return ARGUMENTS[name]()


def test_a_fast_way_is_taken_in_plain_calls_alone(monkeypatch):
    x = torch.rand(2, 3) * 2
    assert clipped(y := x.clone(), x, "clamp") is y
    assert clipped(x, x, "clamp") is not x  # the input's own storage
    assert clipped(y := (x.clone().requires_grad_() * 1), x, "clamp") is not y
    assert clipped(y := x.clone(), x, "clamp", True) is not y
    monkeypatch.setattr(mode, "PLAIN", frozenset())
    assert clipped(y := x.clone(), x, "clamp") is not y


@pytest.mark.parametrize("name", ["rotate", "perspective", "random_crop", "resized_crop", "posterize", "gaussian_blur"])
def test_calls_without_any_fast_way_are_the_same(name, monkeypatch):
    f = getattr(af, name)(**({"size": 7} if "crop" in name else {}))
    x = targets_for(smooth_image((3,), 3, (9, 11), torch.float32), 2)
    y, params = f(x, None, af.key(0))
    monkeypatch.setattr(mode, "PLAIN", frozenset())
    agree("without fast ways", f(x, params)[0], y, 1e-5)


def test_the_opaque_sampler_is_mapped_over_its_samples_in_order():
    from augfn.run import opaque  # noqa: F401  (registers it; imports Dynamo)

    x, grid, how = some(3, 2, 1, 5, 6), some(3, 2, 4, 3, 2) * 2 - 1, (0, 0, False)
    y = torch.func.vmap(lambda x, grid: torch.ops.augfn.sample(x, grid, *how))(x, grid)
    torch.testing.assert_close(
        y, torch.stack([torch.ops.aten.grid_sampler(*pair, *how) for pair in zip(x, grid, strict=True)])
    )

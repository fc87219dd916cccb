"""Compiled as one whole graph, and equal to eager: alone, differentiated, mapped, and many in one process."""

import copy
import inspect
import os
import pickle

import pytest
import torch
from torch import nn
from torch.func import grad, jacrev, vmap
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves, tree_map

import augfn as af
import augfn_nn
from augfn.core.spec import SPECS
from augfn.run import sampler
from augfn.testing.case import agree, case, smooth_image, window
from augfn_nn.augment import Augment

# One trace takes a second, whatever the frame: vmap of grad is tried for two ops of each family, the rest for an op of each
# way to run; AUGFN_FULL=1 tries all for all (nightly, six minutes). That every op compiles is law 7, in test_laws.
FULL = bool(os.environ.get("AUGFN_FULL"))
SAMPLE = [
    "affine",
    "elastic",
    "color_twist",
    "solarize",
    "gaussian_blur",
    "gaussian_noise",
    "erase",
    "mixup",
    "affine3d",
]
FAMILIES = {name: spec.body.__module__ for name, spec in SPECS.items()}
FIRST = [n for n, family in FAMILIES.items() if n in [m for m in FAMILIES if FAMILIES[m] == family][:2]]
MATRIX = [(name, "vmap of grad") for name in (SPECS if FULL else dict.fromkeys([*FIRST, *SAMPLE]))]
MATRIX += [(name, how) for name in (SPECS if FULL else SAMPLE) for how in ("plain", "grad", "vmap")]


def loss_of(f):
    def loss(params, x):
        y = f(x, params)[0]
        return (y * window(y, f.ndim)).sum()

    return loss


def program(f, how):
    """A function of params and image, with gradients to both."""
    return {
        "plain": lambda params, x: f(x, params)[0],
        "grad": grad(loss_of(f), (0, 1)),
        "vmap": vmap(lambda params, x: f(x, params)[0]),
        "vmap of grad": vmap(grad(loss_of(f), (0, 1))),
    }[how]


@pytest.mark.parametrize(("name", "how"), MATRIX, ids=[f"{how}-{name}" for name, how in MATRIX])
def test_transformed_op_compiles(name, how):
    c = case(name, (3,), None, 3, torch.float32, 0)
    params, x = c.f(c.x, None, c.key)[1], c.x
    if c.f.mixes and "vmap" in how:  # what mixes the samples of a batch is mapped over batches
        params, x = tree_map(lambda t: t[None], (params, x))
    run = program(c.f, how)
    expected = run(params, x)
    compiled = torch.compile(run, fullgraph=True, backend="eager")
    largest = max(float(t.abs().max()) for t in tree_leaves(expected))
    agree(how, compiled(params, x), expected, 1e-5 * max(1.0, largest))


# the sampler

HOW = [
    ("bilinear", "zeros", False),
    ("bilinear", "reflection", True),
    ("bicubic", "border", False),
    ("nearest", "zeros", False),
]


def inputs(d=2):
    x = smooth_image((2,), 3, (7, 8, 6)[:d], torch.float64)
    places = torch.rand(2, *(4, 5, 3)[:d], d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x, places * 2.2 - 1.1


def weigh(sample, how):
    def loss(x, grid):
        y = sample(x, grid, *how)
        return (y * y * window(y, y.ndim - 2)).sum()

    return loss


def slope_norm(sample, how):
    """A gradient penalty: its gradient takes the second derivative."""
    slopes = grad(weigh(sample, how), (0, 1))
    return lambda x, grid: sum(s.square().sum() for s in slopes(x, grid))


@pytest.mark.parametrize("how", HOW, ids=[f"{mode}-{padding}" for mode, padding, _ in HOW])
def test_sampler_by_aot(how):
    x, grid = inputs()

    def programs(sample):
        loss = weigh(sample, how)
        single = lambda x, grid: loss(x[None], grid[None])  # noqa: E731
        return {
            "grad": grad(loss, (0, 1)),
            "vmap of grad": vmap(grad(single, (0, 1))),
            "vmap over the grid": lambda x, grid: vmap(grad(single, 1), (None, 0))(x[0], grid),
            "jacrev": jacrev(vmap(single), (0, 1)),
            "second": grad(slope_norm(sample, how), (0, 1)),
        }

    for name, run in programs(sampler.grid_sample).items():
        expected = programs(F.grid_sample)[name](x, grid)
        agree(name, torch.compile(run, fullgraph=True, backend="aot_eager")(x, grid), expected, 1e-9)
        agree(f"{name}, eager", run(x, grid), expected, 1e-9)


def test_sampler_of_volumes_by_aot():
    how = ("bilinear", "border", False)
    x, grid = inputs(3)
    run, plain = (vmap(grad(weigh(s, how), (0, 1))) for s in (sampler.grid_sample, F.grid_sample))
    args = (x[:, None], grid[:, None])
    agree("volumes", torch.compile(run, fullgraph=True, backend="aot_eager")(*args), plain(*args), 1e-12)


@pytest.mark.parametrize("asking", [(True, False), (False, True), (True, True)])
def test_sampler_under_autograd(asking):
    """Only what asks for a gradient gets one; a transposed image, since the kernel's output is contiguous."""
    how = ("bilinear", "zeros", False)
    compiled = torch.compile(weigh(sampler.grid_sample, how), fullgraph=True, backend="aot_eager")
    x, grid = (
        t.transpose(1, 2).contiguous().transpose(1, 2).requires_grad_(a) for t, a in zip(inputs(), asking, strict=True)
    )
    wanted = [t for t in (x, grid) if t.requires_grad]
    given, plain = (torch.autograd.grad(f(x, grid), wanted) for f in (compiled, weigh(F.grid_sample, how)))
    agree("slopes", list(given), list(plain), 1e-12)


@pytest.mark.whole
def test_second_derivatives_by_differences():
    how = ("bilinear", "border", False)
    x, grid = (t[:1, ..., :3, :2].clone() if t.shape[1] == 3 else t[:1, :2, :2].clone() for t in inputs())
    for t in (x, grid):
        t.requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x, grid: sampler.grid_sample(x, grid, *how), (x, grid))


def test_operators_are_well_formed():
    from augfn.run import opaque

    x, grid = (t.float() for t in inputs())
    g = opaque.sample(x, grid, 0, 0, False)
    for image in (x, x.transpose(-1, -2).contiguous().transpose(-1, -2)):
        torch.library.opcheck(torch.ops.augfn.sample, (image, grid, 0, 0, False), test_utils="test_faketensor")
        for wanted in ([True, True], [True, False], [False, True]):
            args = (g, image, grid, 0, 0, False, wanted)
            torch.library.opcheck(torch.ops.augfn.sample_slope, args, test_utils="test_faketensor")


def test_inductor_differentiates_a_resample():
    f = af.pipeline(af.affine(degrees=(-15, 15), scale=(0.9, 1.1)), af.brightness())
    x = smooth_image((3,), 3, (9, 11), torch.float32)
    params = f(x, None, af.key(0))[1]
    for how in ("grad", "vmap of grad"):
        run = program(f, how)
        agree(how, torch.compile(run, fullgraph=True)(params, x), run(params, x), 1e-4)


# twelve of them in one process, where Dynamo keeps eight versions of one code


def colour(i):
    """One of many that are alike but for a name, and so for the graph's guards."""
    return af.pipeline(**{f"step_{i}": af.brightness(factor=(0.5, 1 + i / 10))})


def test_twelve_pipelines_compile(images):
    for i in range(12):
        f = colour(i)
        compiled = f.compiled(backend="eager")
        y, params = f(images, None, af.key(i))
        agree("drawing", compiled(images, None, af.key(i)), (y, params))
        agree("replay", compiled(images, params)[0], y)


def test_compiled_is_one_graph_unless_told(images):
    class Breaking(af.Uniform):
        def draw(self, u):
            torch._dynamo.graph_break()
            return super().draw(u)

    f = af.brightness(factor=Breaking(0.5, 1.5))
    with pytest.raises(torch._dynamo.exc.Unsupported):
        f.compiled(backend="eager")(images, None, af.key(0))
    broken = f.compiled(backend="eager", fullgraph=False)
    agree("in parts", broken(images, None, af.key(0)), f(images, None, af.key(0)))


def modules():
    for i in range(12):
        yield augfn_nn.AugmentationSequential(colour(i)) if i % 4 == 0 else Augment(colour(i))


def test_twelve_modules_compile(images):
    for module in modules():
        compiled = torch.compile(module, fullgraph=True, backend="eager")
        y = module(images, generator=af.key(0))
        agree("replay", compiled(images, params=module._params), y)


def test_nine_of_one_class_would_not():
    """What own code is for: on one code object Dynamo gives up at the ninth."""
    from torch._dynamo.exc import FailOnRecompileLimitHit

    params = [{f"step_{i}": {"factor": torch.tensor(0.5)}} for i in range(9)]
    for i in range(8):
        torch.compile(colour(i), fullgraph=True, backend="eager")(torch.ones(1, 1, 1), params[i])
    with pytest.raises(FailOnRecompileLimitHit):
        torch.compile(colour(8), fullgraph=True, backend="eager")(torch.ones(1, 1, 1), params[8])


@pytest.mark.parametrize(
    "make", [lambda: Augment(colour(1)), lambda: augfn_nn.AugmentationSequential(Augment(colour(1)))]
)
def test_modules_with_own_code_are_modules_as_ever(make, images):
    module, key = make(), af.key(0)
    y = module(images, generator=key)
    shallow = copy.copy(module)
    for other in (copy.deepcopy(module), shallow, pickle.loads(pickle.dumps(module))):
        assert other.forward.__self__ is other
        assert other.forward.__code__ is not module.forward.__code__
        assert other.forward.__code__ is other.forward.__code__
        agree("a copy", other(images, generator=key), y)
    assert list(module.state_dict()) == list(shallow.state_dict())
    replica = module._replicate_for_data_parallel()
    assert replica.forward.__self__ is replica
    assert (
        list(inspect.signature(module.forward).parameters)
        == list(inspect.signature(type(module).forward).parameters)[1:]
    )
    assert type(module).forward.__kwdefaults__ == module.forward.__kwdefaults__


def test_a_module_compiles_inside_another_and_by_super(images):
    class Half(Augment):
        def forward(self, x, params=None, generator=None):
            return super().forward(x, params, generator) / 2

    half, key = Half(af.hflip(p=0.5)), af.key(0)
    net = nn.Sequential(half, nn.Flatten())
    agree("by super", torch.compile(half, fullgraph=True, backend="eager")(images, None, key), half(images, None, key))
    torch.manual_seed(1)
    expected = net(images)
    torch.manual_seed(1)
    agree("inside", torch.compile(net, fullgraph=True, backend="eager")(images), expected)

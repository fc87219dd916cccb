"""The twelve laws, over every public op: one table of laws, one walk over the ops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import augfn as af
import augfn.core.augmentation
from augfn.core.augmentation import geometric, photometric
from augfn.core.spec import SPECS
from augfn.math.maps import Gather, Map
from augfn.math.shapes import over
from augfn.testing import LAWS, check, example
from augfn.testing.case import agree, case, kinds_of, smooth_image, targets_for
from augfn.testing.programs import replayed
from augfn.typing import Degrees, Factor, Leaf, Level

DTYPES = [torch.float32, torch.float64]
QUICK = sorted(LAWS.keys() - {7})  # all but compile, which has tests of its own
MATRICES = {
    "color_twist",
    "grayscale",
    "normalize",
    "denormalize",
    "rgb_shift",
    "planckian_jitter",
}  # of three channels
RGB = MATRICES | {"color_jitter", "color_jiggle"} | {name for name, spec in SPECS.items() if spec.requires_rgb}
VALUES = sorted(n for n, s in SPECS.items() if s.kind in ("photometric", "filter", "noise") and s.target == "image")


def on_volumes(name):
    """What changes values alone acts on volumes too, next to a step of three dimensions."""
    return af.pipeline(example(name), af.hflip3d(p=0.5))


COMBINED = {
    "chain": lambda: af.pipeline(af.hflip(p=0.5), af.rotate(p=0.8), af.scale(), af.translate(), padding_mode="border"),
    "frames": lambda: af.pipeline(af.pad(padding=2), af.rotate(), af.random_crop(size=(8, 9)), af.resize(size=(7, 10))),
    "bent": lambda: af.pipeline(af.hflip(p=0.5), af.elastic(), af.affine(degrees=(-20, 20), scale=(0.8, 1.2))),
    "mixed": lambda: af.pipeline(
        af.rotate(), af.color_jitter(brightness=(0.7, 1.3)), af.vflip(p=0.5), af.gaussian_blur(kernel_size=3)
    ),
    "literal": lambda: af.pipeline(af.rotate(), af.shear(), af.color_twist(), af.invert(p=0.3), fuse=False),
    "maybe": lambda: af.maybe(af.pipeline(af.rotate(), af.brightness()), p=0.6),
    "one_of": lambda: af.one_of(af.rotate(), af.hflip(), af.shear(), af.perspective(), weights=[1.0, 2.0, 1.0, 1.0]),
    "one_of kinds": lambda: af.one_of(af.rotate(), af.brightness(), af.gaussian_blur(kernel_size=3), af.color_twist()),
    "some_of": lambda: af.some_of((1, 3), af.rotate(), af.translate(), af.brightness()),
    "repeat": lambda: af.repeat(af.pipeline(af.translate(), af.contrast()), 2),
    "integers": lambda: af.pipeline(af.to_float(), af.rotate(), af.brightness()),
    "volume": lambda: af.pipeline(af.dflip3d(p=0.5), af.affine3d(degrees=(-15, 15)), af.rotate3d(p=0.7), af.gamma()),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", SPECS)
def test_op(name, dtype):
    check(name, dtype=dtype, laws=QUICK)


@pytest.mark.parametrize("name", SPECS)
def test_op_compiles(name):
    """In float32 alone: a graph knows no other code for float64, and to trace is most of the cost."""
    check(name, laws=[7])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", VALUES)
def test_op_on_volumes(name, dtype):
    check(on_volumes(name), dtype=dtype, laws=QUICK)


@pytest.mark.parametrize("name", VALUES)
def test_op_on_volumes_compiles(name):
    """Replayed alone: what is drawn for a volume is drawn for an image, and most of a trace is the drawing."""
    replayed(case(on_volumes(name)))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", COMBINED)
def test_combinator(name, dtype):
    check(COMBINED[name](), batch=(12,), dtype=dtype, laws=QUICK)


@pytest.mark.parametrize("name", COMBINED)
def test_combinator_compiles(name):
    check(COMBINED[name](), laws=[7])


def shapes(name):
    """Leading dims of rank 0 to 2, odd and even frames, one to five channels where the op takes them."""
    f = example(name)
    least = 8 if f.ndim == 2 else 6 if "crop" in name else 4  # the windows of the examples fit
    sides = [st.integers(least, 12)] * f.ndim
    batch = st.lists(st.integers(1, 3), min_size=1 if f.mixes else 0, max_size=2).map(tuple)
    return st.tuples(batch, st.tuples(*sides), st.just(3) if name in RGB else st.sampled_from([1, 3, 5]))


@pytest.mark.parametrize("name", SPECS)
def test_op_for_any_shape(name):
    @settings(max_examples=6)
    @given(shapes(name), st.integers(0, 2**31))
    def laws_hold(shape, seed):
        batch, frame, channels = shape
        check(name, batch=batch, frame=frame, channels=channels, seed=seed, laws=[1, 2, 3, 4, 8, 10])

    laws_hold()


def test_every_kind_is_tried():
    kinds = set().union(*(kinds_of(example(n)) for n in SPECS))
    assert kinds == {"geometric", "photometric", "filter", "noise", "occlusion", "mix"}
    assert {s.ndim for s in SPECS.values()} == {2, 3}


# ops that break one law each: a law that cannot fail would tell nothing


class Positional(af.Uniform):
    """A draw that depends on the sample's place in the batch."""

    def draw(self, u):
        return super().draw(u) + torch.arange(u.shape[0])


class Stale(af.Uniform):
    """A range that no gradient reaches, as where a sampler holds a copy of it."""

    def draw(self, u):
        return super().draw(u).detach()


def noisy(x: torch.Tensor, *, factor: Factor = af.Uniform(0.8, 1.2)) -> torch.Tensor:
    return x * over(x, factor) + torch.rand(())


def in_place(x: torch.Tensor, *, factor: Factor = af.Uniform(0.8, 1.2)) -> torch.Tensor:
    return x.mul_(over(x, factor))


def coupled(x: torch.Tensor, *, factor: Factor = af.Uniform(0.8, 1.2)) -> torch.Tensor:
    return x * over(x, factor) + x.mean()


def positional(x: torch.Tensor, *, factor: Factor = Positional(0.8, 1.2)) -> torch.Tensor:
    return x * over(x, factor)


def detached(x: torch.Tensor, *, factor: Factor = af.Uniform(0.8, 1.2)) -> torch.Tensor:
    return x * over(x, factor).detach()


def cornered(x: torch.Tensor, *, factor: Factor = af.Uniform(0.8, 1.2)) -> torch.Tensor:
    """A term of 0, with a slope of 0, of which torch's second derivative is NaN."""
    return x * factor + torch.copysign(x - x.detach(), x)


def stale(x: torch.Tensor, *, factor: Factor = Stale(0.8, 1.2)) -> torch.Tensor:
    return x * over(x, factor)


def branching(x: torch.Tensor, *, factor: Factor = af.Uniform(0.8, 1.2)) -> torch.Tensor:
    return x * over(x, factor) if factor.mean() > 1 else x / over(x, factor)


def shifted(x: torch.Tensor, *, level: Level = af.Uniform(0.0, 0.1)) -> torch.Tensor:
    return x + over(x, level) + 0.01


def torn() -> Map:
    """Pixels go up and down, points left and right."""
    return Map.of(torch.diag(torch.tensor([-1.0, 1.0, 1.0])), gather=Gather(lambda x, *_: x.flip(-2)))


def overflowing(x: torch.Tensor, *, factor: Factor = af.Uniform(0.8, 1.2)) -> torch.Tensor:
    return x * over(x, factor) * 1e6


def clockwise(*, degrees: Degrees = af.Uniform(-30.0, 30.0)) -> Map:
    return Map.rotation(-degrees)


BROKEN = [
    (1, photometric, noisy),
    (2, photometric, noisy),
    (2, photometric, in_place),
    (3, photometric, coupled),
    (4, photometric, positional),
    (5, photometric, detached),
    (5, photometric, cornered),
    (6, photometric, stale),
    (7, photometric, branching),
    (8, photometric, shifted),
    (9, geometric, torn),
    (10, photometric, overflowing),
    (12, geometric, clockwise),
]


@pytest.mark.parametrize(("law", "kind", "body"), BROKEN, ids=[f"{law}-{body.__name__}" for law, _, body in BROKEN])
def test_law_can_fail(law, kind, body):
    with pytest.raises(AssertionError, match=rf"law {law} \(.*{body.__name__}"):
        check(kind(body), laws=[law])


def test_law_of_stable_draws_can_fail(monkeypatch):
    """With streams numbered by position an inserted step moves all that follow."""
    numbered = lambda meanings: {path: i for i, path in enumerate(meanings, 1)}  # noqa: E731
    monkeypatch.setattr(augfn.core.augmentation, "salts_of", numbered)
    with pytest.raises(AssertionError, match="law 11"):
        check(af.rotate, laws=[11])


def test_a_flat_leaf_has_to_be_flat(monkeypatch):
    monkeypatch.setitem(SPECS["brightness"].leaves, "factor", Leaf("factor", neutral=1.0, flat="so it is said"))
    with pytest.raises(AssertionError, match="declared flat"):
        check("brightness", laws=[5])


def everything():
    """Every kind in one pipeline, with all the targets (acceptance of the core, point 4)."""
    f = af.pipeline(
        af.affine(degrees=(-15, 15), scale=(0.9, 1.1), p=0.8),
        af.color_jitter(brightness=(0.8, 1.2), contrast=(0.8, 1.2), saturation=(0.8, 1.2), hue=(-0.1, 0.1)),
        af.gaussian_blur(kernel_size=3),
        af.gaussian_noise(p=0.5),
        af.erase(p=0.5),
        af.random_crop(size=(12, 14)),
        af.normalize(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)),
    )
    x = targets_for(smooth_image((4,), 3, (16, 20), torch.float32), 2)
    return f, {n: x[n] for n in ("image", "mask", "boxes", "keypoints")}


@pytest.mark.parametrize("name", ["everything", "elastic", "mixup", "perspective", "resized_crop", "one_of"])
def test_other_sizes_compile(name):
    """The last batch of an epoch is smaller: a second, dynamic graph serves all sizes."""
    from torch._dynamo.testing import CompileCounter

    f = everything()[0] if name == "everything" else COMBINED[name]() if name in COMBINED else example(name)
    counter = CompileCounter()
    compiled = torch.compile(f, fullgraph=True, backend=counter)
    for n in (5, 4, 3, 7):
        x = smooth_image((n,), 3, (16, 20), torch.float32)
        agree(f"batch of {n}", compiled(x, None, af.key(n)), f(x, None, af.key(n)), 1e-5)
    assert counter.frame_count == 2


def test_inductor():
    from torch._dynamo.testing import CompileCounterWithBackend

    f, x = everything()
    counter = CompileCounterWithBackend("inductor")
    compiled = torch.compile(f, fullgraph=True, backend=counter)
    for seed in range(3):
        agree("drawing", compiled(x, None, af.key(seed)), f(x, None, af.key(seed)), 1e-5)
    assert counter.frame_count == 1
    for seed in range(3):
        params = f(x, None, af.key(seed))[1]
        agree("replay", compiled(x, params), f(x, params), 1e-5)
    assert counter.frame_count == 2

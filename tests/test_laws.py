"""The twelve laws, over every public op: one table of laws, one walk over the ops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import augfn as af
from augfn.op import SPECS
from augfn.testing import LAWS, check, example
from augfn.testing.case import kinds_of

DTYPES = [torch.float32, torch.float64]
QUICK = sorted(LAWS.keys() - {7})  # all but compile, which has tests of its own
RGB = {"saturation", "hue", "color_jitter", "color_twist", "grayscale", "normalize", "denormalize"}  # of three channels
VALUES = sorted(n for n, s in SPECS.items() if s.kind in ("photometric", "filter", "noise"))


def on_volumes(name):
    """What changes values alone acts on volumes too, next to a step of three dimensions."""
    return af.pipeline(af.hflip3d(p=0.5), example(name))


COMBINED = {
    "chain": lambda: af.pipeline(af.hflip(p=0.5), af.rotate(p=0.8), af.scale(), af.translate(), padding_mode="border"),
    "frames": lambda: af.pipeline(af.pad(padding=2), af.rotate(), af.random_crop(size=(8, 9)), af.resize(size=(7, 10))),
    "bent": lambda: af.pipeline(af.hflip(p=0.5), af.elastic(), af.affine(degrees=(-20, 20), scale=(0.8, 1.2))),
    "mixed": lambda: af.pipeline(af.rotate(), af.color_jitter(brightness=(0.7, 1.3)), af.vflip(p=0.5), af.gaussian_blur(kernel_size=3)),
    "literal": lambda: af.pipeline(af.rotate(), af.shear(), af.color_twist(), af.invert(p=0.3), fuse=False),
    "maybe": lambda: af.maybe(af.pipeline(af.rotate(), af.brightness()), p=0.6),
    "one_of": lambda: af.one_of(af.rotate(), af.hflip(), af.shear(), af.perspective(), weights=[1.0, 2.0, 1.0, 1.0]),
    "one_of kinds": lambda: af.one_of(af.rotate(), af.brightness(), af.gaussian_blur(kernel_size=3), af.color_twist()),
    "some_of": lambda: af.some_of((1, 2), af.rotate(), af.translate(), af.brightness()),
    "repeat": lambda: af.repeat(af.pipeline(af.translate(), af.contrast()), 2),
    "volume": lambda: af.pipeline(af.dflip3d(p=0.5), af.affine3d(degrees=(-15, 15)), af.rotate3d(p=0.7), af.gamma()),
}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", SPECS)
def test_op(name, dtype):
    check(name, dtype=dtype, laws=QUICK)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", SPECS)
def test_op_compiles(name, dtype):
    check(name, dtype=dtype, laws=[7])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", VALUES)
def test_op_on_volumes(name, dtype):
    check(on_volumes(name), dtype=dtype, laws=QUICK)


@pytest.mark.parametrize("name", VALUES)
def test_op_on_volumes_compiles(name):
    check(on_volumes(name), laws=[7])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", COMBINED)
def test_combinator(name, dtype):
    check(COMBINED[name](), batch=(8,), dtype=dtype, laws=QUICK)


@pytest.mark.parametrize("name", COMBINED)
def test_combinator_compiles(name):
    check(COMBINED[name](), laws=[7])


def shapes(name):
    """Leading dims of rank 0 to 2, odd and even frames, one to five channels where the op takes them."""
    f = example(name)
    sides = [st.integers(8 if f.ndim == 2 else 4, 12)] * f.ndim
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

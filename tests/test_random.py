import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounter
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

import augfn.random as R

DATA = np.load(Path(__file__).parent / "data" / "jax_random.npz")
ENTRIES = json.loads(DATA["meta"].tobytes())["entries"]
SEEDS = st.integers(-(2**63), 2**63 - 1)
SHAPES = st.lists(st.integers(0, 5), max_size=3).map(tuple)

DRAWS = {
    "split": lambda k: R.split(k, 3),
    "fold_in": lambda k: R.fold_in(k, 7),
    "bits": lambda k: R.bits(k, (5,)),
    "uniform": lambda k: R.uniform(k, (2, 3), -1.0, 2.0),
    "normal": lambda k: R.normal(k, (3,)),
    "uniform_field": lambda k: R.uniform_field(k, (3, 5)),
    "normal_field": lambda k: R.normal_field(k, (3, 5)),
    "stream_bits": lambda k: R.stream_bits(k, R.salt("affine/degrees"), 2**31),
    "scalar": lambda k: R.unit(R.bits(k)),
}
all_draws = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


@pytest.fixture
def ways(monkeypatch):
    """Call a function the numpy way and the tensor way, after a check that the first is the numpy way."""
    assert R._is_plain(R.key(0), 0)

    def call(f):
        fast = f()
        with monkeypatch.context() as m:
            m.setattr(R, "_threefry_numpy", None)  # the tensor way must not need it
            m.setattr(R, "_is_plain", lambda *_: False)
            return fast, f()

    return call


def same(a, b):
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    assert torch.equal(a, b)


def from_jax(fn, key, entry):
    return {
        "key": lambda: key,
        "split": lambda: R.split(key, entry["num"]),
        "fold_in": lambda: R.fold_in(key, entry["data"]),
        "bits": lambda: R.bits(key, entry["shape"]),
        "uniform": lambda: R.uniform(key, entry["shape"]),
        "normal": lambda: R.normal(key, entry["shape"]),
    }[fn]()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e['fn']}-{e['seed']}-{e['i']}")
def test_equal_to_jax(entry, ways):
    expected = torch.from_numpy(DATA[str(entry["i"])])
    for got in ways(lambda: from_jax(entry["fn"], R.key(entry["seed"]), entry)):
        if entry["fn"] == "normal":
            torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)
        else:
            same(got, expected if expected.is_floating_point() else expected.to(torch.int64))


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_random123(key, counter, expected, ways):
    key, hi, lo = torch.tensor(key), *counter
    for got in ways(lambda: R.fold_in(key, torch.tensor([hi, lo]).view(torch.int64)[1] + ((hi - (hi >> 31 << 32)) << 32))):
        assert got.tolist() == list(expected)
    for got in ways(lambda: R.stream_bits(key, hi, torch.tensor([lo]))):
        assert got.tolist() == [expected[0] ^ expected[1]]


def test_key_is_the_two_halves_of_the_seed():
    assert R.key(-1).tolist() == [2**32 - 1, 2**32 - 1]  # as jax.random.key(-1) with jax_enable_x64
    same(R.key(np.int32(-5)), R.key(-5))
    assert R.key(2**63 - 1).tolist() == [2**31 - 1, 2**32 - 1]


@given(seed=SEEDS, lead=SHAPES, shape=SHAPES)
def test_both_ways_give_the_same_numbers(seed, lead, shape):
    key = R.key(seed).expand(*lead, 2) + torch.arange(math.prod(lead)).reshape(*lead, 1)
    plain = R._is_plain
    for draw in (R.bits, R.uniform, R.normal, R.uniform_field, R.normal_field):
        fast = draw(key, shape)
        try:
            R._is_plain = lambda *_: False
            same(fast, draw(key, shape))
        finally:
            R._is_plain = plain



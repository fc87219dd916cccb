import json
import math
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch._dynamo.testing import CompileCounter
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

import augfn.random.keys as R
import augfn.random.threefry as T
from augfn.run import mode

DATA = np.load(Path(__file__).parent / "data" / "jax_random.npz")
ENTRIES = json.loads(DATA["meta"].tobytes())["entries"]
SEEDS = st.integers(-(2**63), 2**63 - 1)
SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)

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


def same(a, b):
    assert (a.dtype, a.shape) == (b.dtype, b.shape)
    assert torch.equal(a, b)


def refuse(*_):
    raise AssertionError("took the other way")


def by_numpy(f, *args):
    with pytest.MonkeyPatch.context() as m:
        m.setattr(T, "by_tensors", refuse)
        return f(*args)


def by_tensors(f, *args):
    with pytest.MonkeyPatch.context() as m:
        for module in (R, T):
            m.setattr(module, "by_numpy", refuse)
            m.setattr(module, "is_plain", lambda *_: False)
        return f(*args)


both_ways = pytest.mark.parametrize("way", [by_numpy, by_tensors])


# The numbers


@both_ways
@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: f"{e['i']}-{e['fn']}-{e['seed']}")
def test_equal_to_jax(entry, way):
    arguments = [entry[name] for name in ("num", "data", "shape") if name in entry]
    draw = (lambda key: key) if entry["fn"] == "key" else getattr(R, entry["fn"])
    got = way(draw, R.key(entry["seed"]), *arguments)
    expected = torch.from_numpy(DATA[str(entry["i"])])
    if entry["fn"] == "normal":
        torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)
    else:
        same(got, expected if expected.is_floating_point() else expected.to(torch.int64))


@both_ways
@pytest.mark.parametrize(
    ("key", "counter", "answer"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_known_answers_of_random123(key, counter, answer, way):
    key, (hi, lo) = torch.tensor(key), counter
    assert way(R.fold_in, key, hi << 32 | lo).tolist() == list(answer)
    assert way(R.stream_bits, key, hi, torch.tensor([lo])).tolist() == [answer[0] ^ answer[1]]


@pytest.mark.parametrize(
    ("seed", "words"), [(-1, [2**32 - 1, 2**32 - 1]), (-5, [2**32 - 1, 2**32 - 5]), (-(2**63), [2**31, 0])]
)
def test_negative_seeds_as_jax_with_64_bits(seed, words):
    assert R.key(seed).tolist() == words
    same(R.key(np.int64(seed)), R.key(seed))


@given(seed=SEEDS, lead=SHAPES, shape=SHAPES)
def test_both_ways_agree(seed, lead, shape):
    key = (R.key(seed).expand(*lead, 2) + torch.arange(math.prod(lead)).reshape(*lead, 1)) & 0xFFFFFFFF
    for draw in (R.bits, R.uniform, R.normal, R.uniform_field, R.normal_field):
        same(by_numpy(draw, key, shape), by_tensors(draw, key, shape))
    same(by_numpy(R.split, key, 3), by_tensors(R.split, key, 3))


@given(key=st.tuples(SEEDS, SEEDS), hi=SEEDS, lo=SEEDS)
def test_both_ways_agree_on_any_counter(key, hi, lo):
    key = torch.tensor(key)
    for counters in ((hi, lo), (torch.tensor([hi]), lo), (hi, torch.tensor([[lo], [hi]]))):
        same(by_numpy(R.stream_bits, key, *counters), by_tensors(R.stream_bits, key, *counters))
    same(by_numpy(R.fold_in, key, hi), by_tensors(R.fold_in, key, torch.tensor(hi)))


@pytest.mark.parametrize("lead", [(), (1,), (3,), (2, 3)])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [2004, 2400, 40000])
def test_both_ways_agree_where_many_blocks_are_done_in_parts(monkeypatch, lead, count, threads):
    monkeypatch.setattr(T, "BLOCK", 500)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    keys = R.split(R.key(0), math.prod(lead)).reshape(*lead, 2)
    same(by_numpy(R.normal_field, keys, (count,)), by_tensors(R.normal_field, keys, (count,)))
    streams = torch.tensor([[1], [2]])
    counters = torch.arange(count)
    same(by_numpy(R.stream_bits, R.key(1), streams, counters), by_tensors(R.stream_bits, R.key(1), streams, counters))


@both_ways
def test_fewer_than_no_numbers(way):
    for draw in (lambda k: R.split(k, -1), lambda k: R.bits(k, (-1,)), lambda k: R.normal_field(k, (-8,))):
        with pytest.raises(ValueError, match=r"asked for -\d .* Write af.split"):
            way(draw, R.key(0))


def test_unit_is_exact_and_below_one():
    words = torch.tensor([0, 511, 512, 2**31, 2**32 - 1])
    assert R.unit(words).tolist() == [0, 0, 2**-23, 0.5, 1 - 2**-23]


def test_salt_is_fnv_1a_and_never_zero():
    assert (R.salt(""), R.salt("foobar")) == (0x811C9DC5, 0xBF9CF968)
    assert R.salt("81hyigy") == 1  # a path whose hash is 0, the stream of bits and split


# Keys and streams


def test_split_and_fold_in_batch_over_keys():
    keys = R.split(R.key(0), 6).reshape(2, 3, 2)
    same(R.split(keys, 4)[1, 2], R.split(keys[1, 2], 4))
    same(R.split(R.key(0), 64)[:5], R.split(R.key(0), 5))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_fold_in_takes_a_tensor_of_indices(dtype):
    key, index = R.key(3), torch.tensor([[0, 1, 2], [200, 7, 7]], dtype=dtype)
    same(R.fold_in(key, index), torch.stack([R.fold_in(key, i) for i in index.flatten().tolist()]).view(2, 3, 2))
    keys = R.split(key, 3)
    same(R.fold_in(keys, index)[1, 2], R.fold_in(keys[2], 7))


def test_fold_in_reads_all_64_bits():
    assert not torch.equal(R.fold_in(R.key(0), 2**32), R.fold_in(R.key(0), 0))


def test_streams_differ_and_stream_zero_is_bits():
    keys, index = R.split(R.key(0), 2).unsqueeze(1), torch.arange(50)
    same(R.stream_bits(keys, 0, index), R.bits(keys.squeeze(1), (50,)))
    streams = torch.tensor([R.salt(path) for path in ("affine/degrees", "affine/gate", "affine_2/gate")])
    drawn = R.stream_bits(keys.unsqueeze(1), streams[:, None], index)
    assert drawn.shape == (2, 3, 50)
    assert drawn.unique().numel() == drawn.numel()


@all_draws
def test_a_draw_depends_on_its_key_alone(draw):
    keys = R.split(R.key(0), 8)
    batch = draw(keys)
    same(batch[5], draw(keys[5]))
    same(batch[3:6], draw(keys[3:6]))
    same(batch.flip(0), draw(keys.flip(0)))


@all_draws
def test_draws_leave_no_trace(draw):
    torch_state, numpy_state, python_state = torch.get_rng_state(), np.random.get_state()[1], random.getstate()
    key = R.key(1)
    same(draw(key), draw(key))
    same(key, R.key(1))
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (np.random.get_state()[1] == numpy_state).all()
    assert random.getstate() == python_state


def test_from_generator_advances_it_and_is_reproducible():
    generator = torch.Generator().manual_seed(5)
    keys = torch.stack([R.from_generator(generator) for _ in range(100)])
    same(keys[0], R.from_generator(torch.Generator().manual_seed(5)))
    assert keys.unique().numel() == 200
    assert keys.max() > 2**31
    assert keys.min() >= 0


# Traces and transforms


@all_draws
def test_vmap_equals_batch(draw):
    keys = R.split(R.key(0), 6).reshape(2, 3, 2)
    same(torch.func.vmap(torch.func.vmap(draw))(keys), draw(keys))
    same(torch.func.vmap(draw, in_dims=1, out_dims=1)(keys), draw(keys))


def test_vmap_over_data_of_one_key():
    key, index = R.key(0), torch.arange(4)
    same(torch.func.vmap(lambda i: R.fold_in(key, i))(index), R.fold_in(key, index))
    same(torch.func.vmap(lambda i: R.stream_bits(key, i, 3))(index), R.stream_bits(key, index, 3))


@all_draws
def test_compile_is_one_trace_and_equal(draw):
    counter = CompileCounter()
    compiled = torch.compile(draw, backend=counter, fullgraph=True)
    for seed in (0, 1, -7):
        same(compiled(R.key(seed)), draw(R.key(seed)))
    assert counter.frame_count == 1


def test_inductor_draws_the_same_bits():
    def draw(key, step):  # a number, not a tensor: traced it is a symbol
        key = R.fold_in(key, step)
        return R.stream_bits(key, 5, torch.arange(9)), R.uniform(key, (9,)), R.normal_field(key, (3, 5))

    compiled = torch.compile(draw, fullgraph=True, dynamic=True)
    for seed in (0, 1):
        got, expected = compiled(R.key(seed), seed + 7), draw(R.key(seed), seed + 7)
        same(got[0], expected[0])
        same(got[1], expected[1])
        torch.testing.assert_close(got[2], expected[2], rtol=1e-5, atol=1e-6)


@all_draws
@pytest.mark.parametrize(("mode", "pre_dispatch"), [("real", False), ("symbolic", False), ("real", True)])
def test_a_traced_graph_follows_the_key(draw, mode, pre_dispatch):
    graph = make_fx(draw, tracing_mode=mode, pre_dispatch=pre_dispatch)(R.key(0))
    same(graph(R.key(1)), draw(R.key(1)))


@all_draws
def test_other_stand_ins_take_the_tensor_way(draw):
    same(torch.func.functionalize(draw)(R.key(1)), draw(R.key(1)))
    with FakeTensorMode() as mode:
        fake = draw(mode.from_tensor(R.key(1)))
    assert (fake.shape, fake.dtype) == (draw(R.key(1)).shape, draw(R.key(1)).dtype)
    assert draw(R.key(1, device="meta")).is_meta


def test_ordinary_keys_take_the_numpy_way():
    key = R.key(0)
    expected = by_tensors(R.bits, key)
    same(by_numpy(R.bits, key), expected)
    with torch.inference_mode():
        same(by_numpy(R.bits, R.key(0)), expected)
    with torch.no_grad():
        same(by_numpy(R.bits, torch.nn.Buffer(key)), expected)


def test_without_the_private_names_of_torch_the_tensor_way_is_left(monkeypatch):
    expected = R.bits(R.key(0), (5,))
    monkeypatch.delattr(torch._C, "_dispatch_keys")
    monkeypatch.setattr(mode, "MODES", mode.modes())
    monkeypatch.setattr(mode, "PLAIN", mode.plain_keysets())
    monkeypatch.setattr(T, "by_numpy", refuse)
    same(R.bits(R.key(0), (5,)), expected)


def test_uniform_is_differentiable_in_its_range():
    u = R.uniform(R.key(0), (5,))
    low, high = torch.tensor([-1.0, 2.0]).requires_grad_().unbind()
    d_low, d_high = torch.autograd.grad(R.uniform(R.key(0), (5,), low, high).sum(), (low, high))
    torch.testing.assert_close((d_low, d_high), ((1 - u).sum(), u.sum()))


@pytest.mark.cuda
@all_draws
def test_the_same_numbers_on_a_gpu(draw):
    torch.testing.assert_close(draw(R.key(2, device="cuda")).cpu(), draw(R.key(2)), rtol=1e-6, atol=1e-6)


# The distributions of fields


@pytest.mark.parametrize("draw", [R.uniform, R.uniform_field])
def test_uniform_numbers_are_uniform(draw):
    u = draw(R.key(0), (512, 512))
    counts = torch.histc(u, bins=256, min=0, max=1)
    chi2 = ((counts - 1024) ** 2 / 1024).sum()
    assert 255 - 5 * math.sqrt(510) < chi2 < 255 + 5 * math.sqrt(510)
    assert 0 <= u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1


@pytest.mark.parametrize("draw", [R.normal, R.normal_field])
def test_normal_numbers_are_normal(draw):
    z = draw(R.key(0), (512, 512)).double()
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 5 * math.sqrt(variance / z.numel())
    assert abs((z.abs() > 3).double().mean() - 0.0027) < 5 * math.sqrt(0.0027 / z.numel())


def test_fields_of_two_keys_and_of_two_parts_are_independent():
    a, b = R.normal_field(R.split(R.key(0)), (512, 512)).flatten(1)
    quarters = a.chunk(4)  # of which two and two are the cosine and the sine of the same words
    for x, y in ((a, b), (a[:-1], a[1:]), a.chunk(2), quarters[:2], quarters[2:]):
        assert abs((x * y).mean()) < 5 / math.sqrt(len(x))
        assert abs((x * x * y * y).mean() - 1) < 5 * math.sqrt(8 / len(x))


def test_the_most_extreme_words_are_finite(monkeypatch):
    words = torch.tensor([0, 0, 2**32 - 1, 2**32 - 1]), torch.tensor([0, 2**32 - 1, 0, 2**32 - 1])
    monkeypatch.setattr(R, "threefry", lambda *_: words)
    field = R.normal_field(R.key(0), (8,))
    assert field.isfinite().all()
    assert 5 < field.abs().max() < 6
    monkeypatch.setattr(R, "_bits", lambda *_: words[1])
    assert R.normal(R.key(0)).isfinite().all()
    assert R.normal(R.key(0)).abs().max() < 6


@both_ways
@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 3), (2, 0, 5)])
def test_fields_have_any_shape(shape, way):
    keys = R.split(R.key(0), 2)
    for draw in (R.uniform_field, R.normal_field):
        field = way(draw, keys, shape)
        assert (field.shape, field.dtype) == ((2, *shape), torch.float32)


# Errors teach


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (5, TypeError, r"got the int 5, expected an int64 tensor \[..., 2\]. Write af.key\(5\)"),
        (None, TypeError, r"got the NoneType None, .* Write af.key\(0\)"),
        (torch.Generator(), TypeError, r"got the Generator .* Write af.key\(0\)"),
        (torch.zeros(2), TypeError, r"got the tensor float32 \[2\]"),
        (torch.arange(3), ValueError, r"got the tensor int64 \[3\], .* af.split\(af.key\(0\), 8\)"),
        (torch.tensor(0), ValueError, r"got the tensor int64 \[\]"),
    ],
)
def test_what_is_not_a_key_is_an_error(key, error, message):
    for draw in DRAWS.values():
        with pytest.raises(error, match=message):
            draw(key)


def test_other_errors():
    with pytest.raises(TypeError, match=r"seed is the float 1\.5, expected an integer. Write af.key\(0\)"):
        R.key(1.5)
    with pytest.raises(ValueError, match=r"Write af.key\(seed % 2\*\*63\)"):
        R.key(2**63)
    with pytest.raises(TypeError, match=r"data is the float 0\.5, expected integers"):
        R.fold_in(R.key(0), 0.5)
    with pytest.raises(TypeError, match=r"lo is the tensor float32 \[3\], expected integers"):
        R.stream_bits(R.key(0), 1, torch.zeros(3))
    with pytest.raises(TypeError, match=r"got the int 3, expected a torch.Generator. .* af.key\(3\)"):
        R.from_generator(3)

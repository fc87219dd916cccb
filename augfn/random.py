"""Keys: randomness as a value, bit for bit the numbers of `jax.random` (Threefry-2x32, 20 rounds, partitionable).

A key is an int64 tensor `[..., 2]` of two 32-bit words, so it splits, batches, vmaps and compiles like any tensor.
What is drawn depends on the key alone: not on the device, the batch size or the order of calls. Source: Salmon et al.,
Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Words = NDArray[np.uint32]

_MASK = 0xFFFFFFFF
_PARITY = 0x1BD11BDA
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
# 0-d arrays: numpy converts a Python int, or even a np.uint32, anew at each call, which doubles the cost of a shift.
_SHIFTS = [[(np.array(r, np.uint32), np.array(32 - r, np.uint32)) for r in row] for row in _ROTATIONS]
_NINE, _STEP = np.array(9, np.uint32), np.array(2.0**-23, np.float32)
_FEW = 96  # blocks that a long integer computes faster than numpy
_BLOCK = 1 << 15  # words per numpy pass: its buffers stay in the L2 cache


def key(seed: int, *, device: torch.device | str | None = None) -> Tensor:
    """Make a key `[2]` from an integer: its high and its low 32 bits.

    Any `-2**63 <= seed < 2**63`, as `jax.random.key` with 64-bit integers enabled. Raises TypeError where the seed is
    not an integer, ValueError where it is out of range.

    >>> key(42)
    tensor([ 0, 42])
    """
    if not isinstance(seed, (int, np.integer)):
        raise TypeError(f"key: seed is {_show(seed)}, expected an integer. Write af.key(0).")
    seed = int(seed)  # numpy's own integers overflow where Python's do not
    if not -(2**63) <= seed < 2**63:
        raise ValueError(f"key: seed is {seed}, expected 64 bits. Write af.key(seed % 2**63).")
    return torch.tensor([seed >> 32 & _MASK, seed & _MASK], dtype=torch.int64, device=device)


def from_generator(generator: torch.Generator) -> Tensor:
    """Draw a key `[2]` on the CPU from a `torch.Generator`, which advances. Raises TypeError for anything else.

    >>> from_generator(torch.Generator().manual_seed(0)).shape
    torch.Size([2])
    """
    if not isinstance(generator, torch.Generator):
        way = "torch.Generator().manual_seed(0), or make a key without one: af.key(0)"
        raise TypeError(f"generator: got {_show(generator)}, expected a torch.Generator. Write {way}.")
    return torch.randint(2**32, (2,), generator=generator, dtype=torch.int64, device=generator.device).cpu()


def split(key: Tensor, num: int = 2) -> Tensor:
    """Derive `num` independent keys: `out[i] = threefry(key, (0, i))`, so that a longer split starts with a shorter.

    Shapes: `[*k, 2] -> [*k, num, 2]`. Equal to `jax.random.split`.

    >>> split(key(0))
    tensor([[1797259609, 2579123966],
            [ 928981903, 3453687069]])
    """
    return _int64(torch.stack(_blocks(key, num), -1))


def fold_in(key: Tensor, data: int | Tensor) -> Tensor:
    """Derive the key that belongs to an integer, such as a step or a dataset index: `threefry(key, data)`.

    Shapes: `[*k, 2]` with `data` `[*d]` gives `[*broadcast(k, d), 2]`. Equal to `jax.random.fold_in` for `0 <= data <
    2**32`; all 64 bits count, where jax keeps 32. Raises TypeError where `data` is not integer.

    >>> fold_in(key(0), torch.arange(4)).shape
    torch.Size([4, 2])
    """
    check_key(key)
    data = _integer("fold_in: data", data)
    return _int64(torch.stack(_threefry(key, data >> 32, data), -1))


def bits(key: Tensor, shape: Sequence[int] = ()) -> Tensor:
    """Draw 32 random bits per element: `x0 ^ x1` of `threefry(key, (0, i))` for the flat index `i`.

    Shapes: `[*k, 2] -> [*k, *shape]`, int64 in `[0, 2**32)`. Equal to `jax.random.bits(..., dtype=uint32)`.

    >>> bits(key(0), (2,)).tolist() == [4070199207, 4202968722]
    True
    """
    return _int64(_bits(key, shape))


def uniform(key: Tensor, shape: Sequence[int] = (), low: float | Tensor = 0.0, high: float | Tensor = 1.0) -> Tensor:
    """Draw float32 from `[low, high)`: `low + (high - low) * u`, `u` in steps of `2**-23`.

    Shapes: `[*k, 2] -> [*k, *shape]`. Differentiable in `low` and `high`. Equal to `jax.random.uniform`; for a range
    other than 0 to 1 up to the last bit, since XLA fuses the multiplication and the addition.

    >>> uniform(key(0), (2,))
    tensor([0.9477, 0.9786])
    """
    u = unit(_bits(key, shape))
    low, high = (torch.as_tensor(v, dtype=u.dtype, device=u.device) for v in (low, high))
    return torch.maximum(low, u * (high - low) + low)


def normal(key: Tensor, shape: Sequence[int] = ()) -> Tensor:
    """Draw float32 from the standard normal distribution: `sqrt(2) * erfinv(2u - 1)`, always finite.

    Shapes: `[*k, 2] -> [*k, *shape]`. Equal to `jax.random.normal` up to the rounding of `erfinv`: 1e-6, in the far
    tails 2e-5.

    >>> normal(key(0), (2,))
    tensor([1.6226, 2.0253])
    """
    u = unit(_bits(key, shape)) * 2 - (1 - 2**-24)  # as jax, from the float above -1 on: erfinv stays finite
    return torch.erfinv(u) * math.sqrt(2)


def uniform_field(key: Tensor, shape: Sequence[int]) -> Tensor:
    """Draw a dense field in `[0, 1)` from both words of each block: half the cost of `uniform`, and not its numbers.

    Shapes: `[*k, 2] -> [*k, *shape]`, float32. In flat order, all first words precede all second words.

    >>> uniform_field(key(0), (3, 64, 64)).shape
    torch.Size([3, 64, 64])
    """
    return _dense([unit(word) for word in _blocks(key, -(-math.prod(shape) // 2))], shape)


def normal_field(key: Tensor, shape: Sequence[int]) -> Tensor:
    """Draw a dense standard normal field, for noise: `r cos a` and `r sin a` of each block's two words, always finite.

    Here `r = sqrt(-2 log(1 - u0))` and `a = 2 pi u1` (Box and Muller, 1958): Inductor does not vectorise `erfinv`.
    Shapes: `[*k, 2] -> [*k, *shape]`, float32. Not the numbers of `normal`, hence not those of jax.

    >>> normal_field(key(0), (3, 64, 64)).shape
    torch.Size([3, 64, 64])
    """
    u0, u1 = (unit(word) for word in _blocks(key, -(-math.prod(shape) // 2)))
    radius, angle = (-2 * torch.log1p(-u0)).sqrt(), 2 * math.pi * u1
    return _dense([radius * angle.cos(), radius * angle.sin()], shape)


def stream_bits(key: Tensor, hi: int | Tensor, lo: int | Tensor) -> Tensor:
    """Draw 32 random bits per counter, `x0 ^ x1` of `threefry(key, (hi, lo))`: many streams of a key in one call.

    Shapes: `[*k, 2]` with `hi` and `lo` gives `broadcast(k, hi, lo)`, int64 in `[0, 2**32)`. Each `hi` is a stream of
    its own, such as a `salt`; 0 is that of `bits` and `split`. Raises TypeError where a counter is not integer.

    >>> stream_bits(key(0), 0, torch.arange(2)).equal(bits(key(0), (2,)))
    True
    """
    check_key(key)
    return _int64(torch.bitwise_xor(*_threefry(key, _integer("stream_bits: hi", hi), _integer("stream_bits: lo", lo))))


def stream_uniform(key: Tensor, batch: tuple[int, ...], hi: tuple[int, ...], lo: tuple[int, ...]) -> Tensor:
    """Uniform noise at n counters `hi`, `lo` for every sample: `unit(stream_bits(keys, hi, lo))`, `[*k, n]`.

    One key `[2]` is split over the batch; a key `[*k, 2]` is taken as it is. In plain eager code all of it stays in
    numpy, which saves half of the time of a small draw.
    """
    if not is_plain(key):
        keys = split(key, math.prod(batch)).reshape(batch + (2,)) if key.ndim == 1 and batch else key
        counters = [torch.tensor(word, dtype=torch.int64, device=key.device) for word in (hi, lo)]
        return unit(stream_bits(keys[..., None, :], *counters))
    if key.ndim == 1 and batch and math.prod(batch) == 1 and len(hi) <= _FEW:
        x0, x1 = (word.reshape(batch + (len(hi),)) for word in _of_one(key.tolist(), hi, lo))
        return _unit_numpy(x0, x1)
    words = _uint32(key)
    if key.ndim == 1 and batch:
        halves = _threefry_numpy(words, np.zeros((), np.uint32), np.arange(math.prod(batch), dtype=np.uint32))
        words = np.stack(halves, -1).reshape(batch + (2,))
    x0, x1 = _threefry_numpy(words[..., None, :], _words(hi), _words(lo))
    return _unit_numpy(x0, x1)


def _unit_numpy(x0: Words, x1: Words) -> Tensor:
    steps = np.right_shift(np.bitwise_xor(x0, x1), _NINE)
    return torch.from_numpy(steps.astype(np.float32) * _STEP)


def unit(bits: Tensor) -> Tensor:
    """Map 32 random bits to float32 in `[0, 1)`: `(bits >> 9) * 2**-23`, as `jax.random.uniform` does.

    >>> unit(torch.tensor([0, 2**30, 2**31]))
    tensor([0.0000, 0.2500, 0.5000])
    """
    return (bits >> 9 & 0x7FFFFF).to(torch.float32) * 2**-23  # masked, for an int32 drags its sign along


def salt(path: str) -> int:
    """Hash the path of a leaf to the number of its stream: 32-bit FNV-1a of its UTF-8 bytes, never 0.

    >>> hex(salt("a"))
    '0xe40c292c'
    """
    value = 0x811C9DC5
    for byte in path.encode():  # in plain Python, because Dynamo does not trace zlib.crc32
        value = ((value ^ byte) * 0x01000193) & _MASK
    return value or 1


def check_key(key: Any) -> None:
    """Raise an error that teaches unless `key` is an int64 tensor `[..., 2]`: TypeError, or ValueError for the shape.

    >>> check_key(split(key(0), 8))
    """
    typed = isinstance(key, Tensor) and key.dtype == torch.int64
    if not typed or key.shape[-1:] != (2,):
        way = f"af.key({key})" if isinstance(key, int) else "af.key(0), or for a batch af.split(af.key(0), 8)"
        message = f"key: got {_show(key)}, expected an int64 tensor [..., 2]. Write {way}."
        raise ValueError(message) if typed else TypeError(message)


def _show(value: object) -> str:
    if isinstance(value, Tensor):
        return f"the tensor {str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    return f"the {type(value).__name__} {value!r}"


def _integer(what: str, value: int | Tensor) -> int | Tensor:
    if isinstance(value, Tensor) and not (value.is_floating_point() or value.is_complex()):
        return value.to(torch.int64)
    if isinstance(value, (int, np.integer)):
        return int(value)
    raise TypeError(f"{what} is {_show(value)}, expected integers. Write an int, or a tensor with .long().")


def _bits(key: Tensor, shape: Sequence[int]) -> Tensor:
    return torch.bitwise_xor(*_blocks(key, math.prod(shape))).reshape((*key.shape[:-1], *shape))


def _blocks(key: Tensor, count: int) -> tuple[Tensor, Tensor]:
    check_key(key)
    return _threefry(key.unsqueeze(-2), 0, torch.arange(count, device=key.device))


def _int64(words: Tensor) -> Tensor:
    return words.to(torch.int64) & _MASK


def _dense(halves: list[Tensor], shape: Sequence[int]) -> Tensor:
    return torch.cat(halves, -1)[..., : math.prod(shape)].reshape((*halves[0].shape[:-1], *shape))


def _threefry(key: Tensor, hi: int | Tensor, lo: int | Tensor) -> tuple[Tensor, Tensor]:
    """Two words per counter, the same bits either way: in int64 tensors, or from numpy in int32 ones."""
    if is_plain(key, hi, lo):
        x0, x1 = _threefry_numpy(_uint32(key), _uint32(hi), _uint32(lo))
        return torch.from_numpy(x0.view(np.int32)), torch.from_numpy(x1.view(np.int32))
    return _threefry_tensor(key & _MASK, hi & _MASK, lo & _MASK)


def _threefry_tensor(key: Tensor, hi: int | Tensor, lo: int | Tensor) -> tuple[Tensor, Tensor]:
    k0, k1 = key.unbind(-1)
    ks = (k1, k0 ^ k1 ^ _PARITY, k0)
    # int64 leaves room for the few dozen additions to x0, so only x1, which is shifted, is masked in each round.
    x0, x1 = torch.broadcast_tensors(k0 + hi, (k1 + lo) & _MASK)
    for i in range(5):
        for j, r in enumerate(_ROTATIONS[i % 2]):
            x0 = x0 + x1
            x1 = ((x1 << r | x1 >> (32 - r)) ^ x0) & _MASK
            if j % 2:  # Inductor inlines a chain, at a cost that triples with each round: a stack ends the chain
                x0, x1 = torch.stack([x0, x1]).unbind()
        x0, x1 = x0 + ks[i % 3], (x1 + ks[(i + 1) % 3] + (i + 1)) & _MASK
    return x0 & _MASK, x1


def _threefry_numpy(key: Words, hi: Words, lo: Words) -> tuple[Words, Words]:
    k0, k1 = key[..., 0], key[..., 1]
    shape = np.broadcast(k0, hi, lo).shape
    if math.prod(shape) <= _FEW:
        return _lanes((k0, k1, hi, lo), shape)
    x0 = np.add(k0, hi, out=np.empty(shape, np.uint32))
    x1 = np.add(k1, lo, out=np.empty(shape, np.uint32))
    if x0.size <= _BLOCK:
        _rounds(x0, x1, k0, k1)
        return x0, x1
    flat = [x0.reshape(-1), x1.reshape(-1), *(np.broadcast_to(k, shape).reshape(-1) for k in (k0, k1))]
    for start in range(0, x0.size, _BLOCK):
        _rounds(*(word[start : start + _BLOCK] for word in flat))
    return x0, x1


def _lanes(words: Sequence[Words], shape: tuple[int, ...]) -> tuple[Words, Words]:
    """A few blocks side by side in one long integer, 64 bits each: an operation on it costs a tenth of a numpy call."""
    table = np.empty((4, *shape), np.uint64)
    for i, word in enumerate(words):
        table[i] = word
    size = table.nbytes // 4
    a, b, x0, x1 = (int.from_bytes(row.tobytes(), "little") for row in table)
    first, second = (_spread(x, size) for x in _mix(a, b, x0, x1, _ones(size)))
    return first.reshape(shape), second.reshape(shape)


def _mix(a: int, b: int, x0: int, x1: int, one: int) -> tuple[int, int]:
    """The 20 rounds on long integers, with a one in every lane."""
    mask = one * _MASK
    ks = (b, a ^ b ^ one * _PARITY, a)
    # x0 may outgrow its 32 bits: it has 64, and only x1, which is shifted, must be masked in each round.
    x0, x1 = x0 + a, (x1 + b) & mask
    for i in range(5):
        for r in _ROTATIONS[i % 2]:
            x0 += x1
            x1 = ((x1 << r | x1 >> (32 - r)) ^ x0) & mask
        x0, x1 = x0 + ks[i % 3], (x1 + ks[(i + 1) % 3] + one * (i + 1)) & mask
    return x0 & mask, x1


def _spread(lanes: int, size: int) -> Words:
    """The lanes of a long integer of so many bytes, as an array."""
    return np.frombuffer(lanes.to_bytes(size, "little"), np.uint64).astype(np.uint32)


@lru_cache(maxsize=256)
def _packed(numbers: tuple[int, ...]) -> int:
    """Numbers in the lanes of a long integer."""
    return int.from_bytes(np.array(numbers, np.uint64).tobytes(), "little")


def _of_one(key: list[int], hi: tuple[int, ...], lo: tuple[int, ...]) -> tuple[Words, Words]:
    """The words at these counters for the only sample of a batch, whose key is the split of `key`."""
    k0, k1 = _mix(key[0] & _MASK, key[1] & _MASK, 0, 0, 1)
    one = _ones(8 * len(hi))
    x0, x1 = _mix(k0 * one, k1 * one, _packed(hi), _packed(lo), one)
    return _spread(x0, 8 * len(hi)), _spread(x1, 8 * len(hi))


@lru_cache(maxsize=256)
def _words(numbers: tuple[int, ...]) -> Words:
    return np.array(numbers, np.uint32)


@lru_cache(maxsize=256)
def _ones(size: int) -> int:
    """A one in every lane of a long integer of so many bytes."""
    return int.from_bytes(np.ones(size // 8, np.uint64).tobytes(), "little")


def _rounds(x0: Words, x1: Words, k0: Words, k1: Words) -> None:
    ks = (k1, np.bitwise_xor(np.bitwise_xor(k0, k1), np.uint32(_PARITY)), k0)
    high = np.empty_like(x1)
    for i in range(5):
        for left, right in _SHIFTS[i % 2]:
            np.add(x0, x1, out=x0)
            np.left_shift(x1, left, out=high)
            np.right_shift(x1, right, out=x1)
            np.bitwise_or(x1, high, out=x1)
            np.bitwise_xor(x1, x0, out=x1)
        np.add(x0, ks[i % 3], out=x0)
        np.add(x1, np.add(ks[(i + 1) % 3], np.uint32(i + 1)), out=x1)


def _uint32(value: int | Tensor) -> Words:
    return value.numpy().astype(np.uint32) if isinstance(value, Tensor) else np.array(value & _MASK, np.uint32)


def _modes() -> tuple[Callable[[], Any], ...]:
    """What tells that operators are being recorded or transformed; empty where torch hides any of it."""
    core: Any = torch._C
    functorch: Any = getattr(core, "_functorch", None)
    names = ("_get_tracing_state", "_len_torch_dispatch_stack", "_is_torch_function_mode_enabled", "_dispatch_keys")
    if not all(hasattr(core, name) for name in names) or not hasattr(functorch, "peek_interpreter_stack"):
        return ()
    return (*(getattr(core, name) for name in names[:3]), functorch.peek_interpreter_stack)


def _plain_keysets() -> frozenset[int]:
    """Dispatch keys of an ordinary CPU tensor; empty, so that the numpy way is never taken, where torch hides them."""
    if not _MODES:
        return frozenset()
    with torch.inference_mode():
        inference = torch.empty(0, device="cpu")
    return frozenset(torch._C._dispatch_keys(t).raw_repr() for t in (torch.empty(0, device="cpu"), inference))


_MODES = _modes()
_PLAIN = _plain_keysets()


def is_plain(*values: int | Tensor) -> bool:
    """Tell whether numpy may compute on the values: ordinary CPU tensors, outside any trace.

    False under a compiler or a mode that records operators (make_fx, fake tensors), and for a tensor that stands for
    others (vmap, grad, functionalize, a subclass, another device).

    >>> is_plain(key(0)), torch.func.vmap(lambda k: torch.tensor(is_plain(k)))(split(key(0)))
    (True, tensor([False, False]))
    """
    if torch.compiler.is_compiling() or not _PLAIN:
        return False
    traced, moded, functioned, transformed = _MODES
    if traced() or moded() or functioned() or transformed():  # even a plain tensor hides its data in a transform
        return False
    return all(torch._C._dispatch_keys(v).raw_repr() in _PLAIN for v in values if isinstance(v, Tensor))

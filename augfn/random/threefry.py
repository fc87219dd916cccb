"""Threefry-2x32, 20 rounds: two words for a counter and a key, from tensors, from numpy or from Python's long integers.

The same bits in every way. Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augfn.run.mode import is_plain

Words = NDArray[np.uint32]

MASK = 0xFFFFFFFF
PARITY = 0x1BD11BDA
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
TURNS = [[(r, 32 - r) for r in row] for row in ROTATIONS]  # a rotation is a shift to the left and one to the right
# 0-d arrays: numpy converts a Python int, or even a np.uint32, anew at each call, which doubles the cost of a shift.
SHIFTS = [[(np.array(left, np.uint32), np.array(right, np.uint32)) for left, right in row] for row in TURNS]
FEW = 96  # blocks that a long integer computes faster than numpy
BLOCK = 1 << 17  # words per pass and thread: its three buffers stay in the L2 cache


def threefry(key: Tensor, hi: int | Tensor, lo: int | Tensor | Words) -> tuple[Tensor, Tensor]:
    """Two words per counter, the same bits either way: in int64 tensors, or from numpy in int32 ones (always, where lo
    is an array)."""
    if isinstance(lo, np.ndarray) or is_plain(key, hi, lo):
        x0, x1 = by_numpy(uint32(key), uint32(hi), uint32(lo))
        return torch.from_numpy(x0.view(np.int32)), torch.from_numpy(x1.view(np.int32))
    return by_tensors(key & MASK, hi & MASK, lo & MASK)


def derived(key: Tensor, hi: int | Tensor, lo: int | Tensor | Words) -> Tensor:
    """The keys `[..., 2]` that the two words are."""
    if isinstance(lo, np.ndarray) or is_plain(key, hi, lo):
        return torch.from_numpy(paired(by_numpy(uint32(key), uint32(hi), uint32(lo))).astype(np.int64))
    return torch.stack(by_tensors(key & MASK, hi & MASK, lo & MASK), -1)


def paired(words: tuple[Words, Words]) -> Words:
    """Both words along a last axis. (`np.stack` takes five times as long.)"""
    both = np.empty((*words[0].shape, 2), np.uint32)
    both[..., 0], both[..., 1] = words
    return both


def by_tensors(key: Tensor, hi: int | Tensor, lo: int | Tensor) -> tuple[Tensor, Tensor]:
    """In int64 tensors, which may be traced, mapped, or on another device."""
    k0, k1 = key.unbind(-1)
    ks = (k1, k0 ^ k1 ^ PARITY, k0)
    # Traced, a number may be a symbol, which Inductor would compute on in floating point.
    hi, lo = (w if isinstance(w, Tensor) else torch.full((), w, dtype=torch.int64, device=key.device) for w in (hi, lo))
    # int64 leaves room for the few dozen additions to x0, so only x1, which is shifted, is masked in each round.
    x0, x1 = torch.broadcast_tensors(k0 + hi, (k1 + lo) & MASK)
    for i in range(5):
        for j, r in enumerate(ROTATIONS[i % 2]):
            x0 = x0 + x1
            x1 = ((x1 << r | x1 >> (32 - r)) ^ x0) & MASK
            if j % 2:  # Inductor inlines a chain, at a cost that triples with each round: a stack ends the chain
                x0, x1 = torch.stack([x0, x1]).unbind()
        x0, x1 = x0 + ks[i % 3], (x1 + ks[(i + 1) % 3] + (i + 1)) & MASK
    return x0 & MASK, x1


def by_numpy(key: Words, hi: Words, lo: Words) -> tuple[Words, Words]:
    """In numpy; where there are many, part by part, and on all threads."""
    k0, k1 = key[..., 0], key[..., 1]
    shape = np.broadcast(k0, hi, lo).shape
    if math.prod(shape) <= FEW:
        return lanes((k0, k1, hi, lo), shape)
    x0 = np.add(k0, hi, out=np.empty(shape, np.uint32))
    x1 = np.add(k1, lo, out=np.empty(shape, np.uint32))
    if x0.size <= BLOCK:
        rounds(x0, x1, k0, k1)
        return x0, x1
    n, block = shape[-1], BLOCK * torch.get_num_threads()
    rows, columns = max(1, block // n), min(n, block)
    tables = [x0.reshape(-1, n), x1.reshape(-1, n), by_rows(k0, shape), by_rows(k1, shape)]
    for i in range(0, len(tables[0]), rows):
        for j in range(0, n, columns):
            part = [x[i : i + rows, j : j + columns] if x.shape[1] > 1 else x[i : i + rows] for x in tables]
            if block > BLOCK:
                threaded(*[torch.from_numpy(x.view(np.int32)) for x in part])
            else:
                rounds(*part)
    return x0, x1


def by_rows(k: Words, shape: tuple[int, ...]) -> Words:
    """Words that broadcast to the shape as a table, of one column where all of a row are the same."""
    k = np.atleast_1d(k)
    return np.array(np.broadcast_to(k, (*shape[:-1], k.shape[-1])).reshape(-1, k.shape[-1]))


def lanes(words: Sequence[Words], shape: tuple[int, ...]) -> tuple[Words, Words]:
    """A few blocks side by side in one long integer, 64 bits each: an operation on it costs a tenth of a numpy call."""
    if math.prod(shape) == 1:
        a, b, x0, x1 = (int(word.reshape(())) for word in words)
        first, second = mix(a, b, x0, x1, 1)
        return np.full(shape, first, np.uint32), np.full(shape, second, np.uint32)
    table = np.empty((4, *shape), np.uint64)
    for i, word in enumerate(words):
        table[i] = word
    size = table.nbytes // 4
    a, b, x0, x1 = (int.from_bytes(row.tobytes(), "little") for row in table)
    first, second = (lanes_of(x, size).astype(np.uint32) for x in mix(a, b, x0, x1, ones(size)))
    return first.reshape(shape), second.reshape(shape)


def mix(a: int, b: int, x0: int, x1: int, one: int) -> tuple[int, int]:
    """The 20 rounds on long integers, with a one in every lane."""
    mask = one * MASK
    c = a ^ b ^ one * PARITY
    # x0 may outgrow its 32 bits: it has 64, and only x1, which is shifted, must be masked in each round.
    x0, x1 = x0 + a, (x1 + b) & mask
    for i, (k0, k1) in enumerate(((b, c), (c, a), (a, b), (b, c), (c, a))):
        for left, right in TURNS[i % 2]:
            x0 += x1
            x1 = ((x1 << left | x1 >> right) ^ x0) & mask
        x0, x1 = x0 + k0, (x1 + k1 + one * (i + 1)) & mask
    return x0 & mask, x1


def lanes_of(number: int, size: int) -> NDArray[np.uint64]:
    """The lanes of a long integer of so many bytes, as an array."""
    return np.frombuffer(number.to_bytes(size, "little"), np.uint64)


@lru_cache(maxsize=256)
def packed(numbers: tuple[int, ...]) -> int:
    """Numbers in the lanes of a long integer."""
    return int.from_bytes(np.array(numbers, np.uint64).tobytes(), "little")


def of_one(key: list[int], hi: tuple[int, ...], lo: tuple[int, ...]) -> NDArray[np.uint64]:
    """The 23 high bits of `x0 ^ x1` at these counters, for the only sample of a batch: its key is the split of `key`."""
    k0, k1 = mix(key[0] & MASK, key[1] & MASK, 0, 0, 1)
    size = 8 * len(hi)
    one = ones(size)
    x0, x1 = mix(k0 * one, k1 * one, packed(hi), packed(lo), one)
    return lanes_of((x0 ^ x1) >> 9 & one * 0x7FFFFF, size)


@lru_cache(maxsize=256)
def words_of(numbers: tuple[int, ...]) -> Words:
    """Numbers as an array, remembered."""
    return np.array(numbers, np.uint32)


@lru_cache(maxsize=256)
def ones(size: int) -> int:
    """A one in every lane of a long integer of so many bytes."""
    return int.from_bytes(np.ones(size // 8, np.uint64).tobytes(), "little")


def rounds(x0: Words, x1: Words, k0: Words, k1: Words) -> None:
    """The 20 rounds, in place on x0 and x1."""
    ks = (k1, np.bitwise_xor(np.bitwise_xor(k0, k1), np.uint32(PARITY)), k0)
    high = np.empty_like(x1)
    for i in range(5):
        for left, right in SHIFTS[i % 2]:
            np.add(x0, x1, out=x0)
            np.left_shift(x1, left, out=high)
            np.right_shift(x1, right, out=x1)
            np.bitwise_or(x1, high, out=x1)
            np.bitwise_xor(x1, x0, out=x1)
        np.add(x0, ks[i % 3], out=x0)
        np.add(x1, np.add(ks[(i + 1) % 3], np.uint32(i + 1)), out=x1)


def threaded(x0: Tensor, x1: Tensor, k0: Tensor, k1: Tensor) -> None:
    """The same on int32 tensors, which torch divides among its threads."""
    ks = (k1, k0 ^ k1 ^ PARITY, k0)
    low = torch.empty_like(x1)
    for i in range(5):
        for r in ROTATIONS[i % 2]:
            x0.add_(x1)
            torch.bitwise_right_shift(x1, number(32 - r), out=low).bitwise_and_(number((1 << r) - 1))
            torch.add(low, x1, alpha=1 << r, out=x1)  # rotated by r: its low bits, and those that are shifted left
            x1.bitwise_xor_(x0)
        x0.add_(ks[i % 3])
        x1.add_(ks[(i + 1) % 3]).add_(i + 1)


@lru_cache(maxsize=64)
def number(value: int) -> Tensor:
    """An int32 without dims: of a Python number torch makes one anew at each call."""
    with torch.inference_mode(False):
        return torch.tensor(value, dtype=torch.int32, device="cpu")


def uint32(value: int | Tensor | Words) -> Words:
    """The low 32 bits, as an array."""
    if isinstance(value, np.ndarray):
        return value
    return value.numpy().astype(np.uint32) if isinstance(value, Tensor) else np.array(value & MASK, np.uint32)

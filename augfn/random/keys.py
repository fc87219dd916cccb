"""Keys: randomness as a value, bit for bit the numbers of `jax.random` (Threefry-2x32, 20 rounds, partitionable).

A key is an int64 tensor `[..., 2]` of two 32-bit words, so it splits, batches, vmaps and compiles like any tensor.
What is drawn depends on the key alone: not on the device, the batch size or the order of calls. Source: Salmon et al.,
Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

import math
from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augfn.random.threefry import (
    FEW,
    MASK,
    Words,
    by_numpy,
    derived,
    of_one,
    paired,
    threefry,
    uint32,
    words_of,
)
from augfn.run.bands import cached_rows, joined
from augfn.run.mode import is_plain

_NINE, _STEP = np.array(9, np.uint32), np.array(2.0**-23, np.float32)


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
    return torch.tensor([seed >> 32 & MASK, seed & MASK], dtype=torch.int64, device=device)


def from_generator(generator: torch.Generator) -> Tensor:
    """Draw a key `[2]` on the CPU from a `torch.Generator`, which advances. Raises TypeError for anything else.

    >>> from_generator(torch.Generator().manual_seed(0)).shape
    torch.Size([2])
    """
    if not isinstance(generator, torch.Generator):
        seed = generator if isinstance(generator, int) else 0
        way = f"torch.Generator().manual_seed({seed}), or make a key without one: af.key({seed})"
        raise TypeError(f"generator: got {_show(generator)}, expected a torch.Generator. Write {way}.")
    return torch.randint(2**32, (2,), generator=generator, dtype=torch.int64, device=generator.device).cpu()


def split(key: Tensor, num: int = 2) -> Tensor:
    """Derive `num` independent keys: `out[i] = threefry(key, (0, i))`, so that a longer split starts with a shorter.

    Shapes: `[*k, 2] -> [*k, num, 2]`. Equal to `jax.random.split`.

    >>> split(key(0))
    tensor([[1797259609, 2579123966],
            [ 928981903, 3453687069]])
    """
    check_key(key)
    return derived(key.unsqueeze(-2), 0, _counters(key, num))


def fold_in(key: Tensor, data: int | Tensor) -> Tensor:
    """Derive the key that belongs to an integer, such as a step or a dataset index: `threefry(key, data)`.

    Shapes: `[*k, 2]` with `data` `[*d]` gives `[*broadcast(k, d), 2]`. Equal to `jax.random.fold_in` for `0 <= data <
    2**32`; all 64 bits count, where jax keeps 32. Raises TypeError where `data` is not integer.

    >>> fold_in(key(0), torch.arange(4)).shape
    torch.Size([4, 2])
    """
    check_key(key)
    data = _integer("fold_in: data", data)
    return derived(key, data >> 32, data)


def sample_keys(key: Tensor, index: int | Sequence[int] | Tensor, epoch: int = 0) -> Tensor:
    """The keys of samples by their indices in a dataset: `fold_in(fold_in(key, epoch), index)`.

    Shapes: `[2]` with `index` `[*d]` gives `[*d, 2]`. A sample's draw in an epoch is then the same for any order, batch size,
    number of workers or of ranks.

    >>> first, second = sample_keys(key(0), [3, 4]), sample_keys(key(0), [4, 7])
    >>> first[1].equal(second[0]), first[1].equal(sample_keys(key(0), 4, epoch=1))
    (True, False)
    """
    index = index if isinstance(index, Tensor) else torch.as_tensor(index)
    return fold_in(fold_in(key, epoch), index.to(key.device))


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
    return _dense(unit(torch.cat(_blocks(key, -(-math.prod(shape) // 2)), -1)), shape)


def normal_field(key: Tensor, shape: Sequence[int]) -> Tensor:
    """Draw a dense standard normal field, for noise: `r cos a` and `r sin a` of each word, always finite.

    Here `r = sqrt(-2 log u)` (Box and Muller, 1958), u from 20 bits of the word, which reaches as far into the tails as
    jax does (5.4), and a from the other 12, which leaves few numbers below 1e-4. Shapes: `[*k, 2] -> [*k, *shape]`,
    float32. Not the numbers of `normal`.

    >>> normal_field(key(0), (3, 64, 64)).shape
    torch.Size([3, 64, 64])
    """
    check_key(key)
    n = -(-math.prod(shape) // 4)
    step = cached_rows(n, (2, n, key.numel()), key)
    return _dense(joined(lambda r: _normals(key, r), n, step, -1).flatten(-2), shape)


def _normals(key: Tensor, counters: slice) -> Tensor:
    """The four numbers of each of these counters, `[*k, 4, n]`."""
    parts = []
    for word in _blocks(key, counters.stop - counters.start, counters.start):
        radius = (word >> 12 & 0xFFFFF).float().add_(0.5).mul_(2**-20).log_().mul_(-2).sqrt_()
        angle = (word & 0xFFF).float().add_(0.5).mul_(2 * math.pi / 2**12)
        parts += [angle.cos().mul_(radius), angle.sin_().mul_(radius)]
    return torch.stack(parts, -2)


def stream_bits(key: Tensor, hi: int | Tensor, lo: int | Tensor) -> Tensor:
    """Draw 32 random bits per counter, `x0 ^ x1` of `threefry(key, (hi, lo))`: many streams of a key in one call.

    Shapes: `[*k, 2]` with `hi` and `lo` gives `broadcast(k, hi, lo)`, int64 in `[0, 2**32)`. Each `hi` is a stream of
    its own, such as a `salt`; 0 is that of `bits` and `split`. Raises TypeError where a counter is not integer.

    >>> stream_bits(key(0), 0, torch.arange(2)).equal(bits(key(0), (2,)))
    True
    """
    check_key(key)
    return _int64(torch.bitwise_xor(*threefry(key, _integer("stream_bits: hi", hi), _integer("stream_bits: lo", lo))))


def stream_uniform(key: Tensor, batch: tuple[int, ...], hi: tuple[int, ...], lo: tuple[int, ...]) -> Tensor:
    """Uniform noise at n counters `hi`, `lo` for every sample: `unit(stream_bits(keys, hi, lo))`, `[*k, n]`.

    One key `[2]` is split over the batch; a key `[*k, 2]` is taken as it is. In plain eager code all of it stays in
    numpy, which saves half of the time of a small draw.
    """
    if not is_plain(key):
        keys = split(key, math.prod(batch)).reshape(batch + (2,)) if key.ndim == 1 and batch else key
        counters = [torch.tensor(word, dtype=torch.int64, device=key.device) for word in (hi, lo)]
        return unit(stream_bits(keys[..., None, :], *counters))
    if key.ndim == 1 and batch and math.prod(batch) == 1 and len(hi) <= FEW:
        return _steps(of_one(key.tolist(), hi, lo).reshape(batch + (len(hi),)))
    words = uint32(key)
    if key.ndim == 1 and batch:
        halves = by_numpy(words, np.zeros((), np.uint32), np.arange(math.prod(batch), dtype=np.uint32))
        words = paired(halves).reshape(batch + (2,))
    x0, x1 = by_numpy(words[..., None, :], words_of(hi), words_of(lo))
    return _steps(np.right_shift(np.bitwise_xor(x0, x1), _NINE))


def _steps(number: NDArray[Any]) -> Tensor:
    """So many steps of 2^-23, as float32."""
    return torch.from_numpy(number.astype(np.float32) * _STEP)


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
        value = ((value ^ byte) * 0x01000193) & MASK
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


def _blocks(key: Tensor, count: int, start: int = 0) -> tuple[Tensor, Tensor]:
    check_key(key)
    return threefry(key.unsqueeze(-2), 0, _counters(key, count, start))


def _counters(key: Tensor, count: int, start: int = 0) -> Tensor | Words:
    if count < 0:
        raise ValueError(f"random: asked for {count} numbers or keys, expected 0 or more. Write af.split(key, 8).")
    if is_plain(key):
        return np.arange(start, start + index(count), dtype=np.uint32)
    return torch.arange(start, start + count, device=key.device)


def _int64(words: Tensor) -> Tensor:
    return words.to(torch.int64) & MASK


def _dense(numbers: Tensor, shape: Sequence[int]) -> Tensor:
    return numbers[..., : math.prod(shape)].reshape((*numbers.shape[:-1], *shape))

"""Drawing: from a tree of tensors and distributions to a tree of tensors, all leaves in one vectorised call.

Sample i has a key of its own, and leaf j of it reads the words at counter (salt of the leaf's path, 0, 1, ...): so a
draw depends on the sample's key and the leaf's name alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.distributions import Constant, Distribution
from augfn.distributions.paths import Path
from augfn.errors import explain, unknown
from augfn.run.twins import remembered
from augfn.typing import Leaf

Params = dict[str, Any]


def leaves_of(tree: Params) -> dict[str, Any]:
    """The leaves by their paths ("affine/degrees"), in order."""
    out: dict[str, Any] = {}
    collect(tree, "", out)
    return out


def collect(tree: Params, prefix: str, out: dict[str, Any]) -> None:
    for name, value in tree.items():
        if isinstance(value, dict):
            collect(value, f"{prefix}{name}/", out)
        else:
            out[prefix + name] = value


def nested(tree: Params, values: Iterator[Any]) -> Params:
    """The tree with other leaves, given in order."""
    return {n: nested(v, values) if isinstance(v, dict) else next(values) for n, v in tree.items()}


def salts_of(meanings: dict[str, Leaf]) -> dict[str, int]:
    return {path: random.salt(path) for path in meanings}


def merge(given: Params | None, own: Params, schema: Params, where: str) -> Params:
    """The given leaves, completed by the augmentation's own."""
    if given is None:
        return own
    if not isinstance(given, dict):
        fix = "start from f.params"
        if isinstance(given, Tensor) and "/" not in where:
            fix = 'f(x, None, key): a key comes third; what belongs to x goes with it, x = {"image": image, "label": label}'
        raise TypeError(explain(f"{where}: bad params", given, "a nested dict of tensors and distributions", fix))
    for name in given:
        if name not in schema:
            raise ValueError(unknown(f"parameter of {where}", name, schema))
    names = [n for n in schema if n in own or n in given]
    return {n: merge_entry(given.get(n), own.get(n), schema[n], f"{where}/{n}") for n in names}


def merge_entry(given: Any, own: Any, schema: Any, where: str) -> Any:
    if isinstance(schema, dict):
        return merge(given, own or {}, schema, where)
    return own if given is None else given


def checked_key(key: Any, batch: tuple[int, ...]) -> Tensor:
    """One key `[2]`, or keys `[*k, 2]` that lie along the leading dims, made to broadcast against the batch."""
    # torch 2.15 cannot trace the second question of a tensor.
    if not isinstance(key, Tensor) and isinstance(key, torch.Generator):
        key = random.from_generator(key)
    random.check_key(key)
    lead = tuple(key.shape[:-1])
    if not lead:
        return key
    if len(lead) > len(batch) or any(k not in (1, b) for k, b in zip(lead, batch, strict=False)):
        want = f"[2], or one per sample {[*batch, 2]}"
        raise ValueError(explain("keys do not match the batch", key, want, "af.split(key, batch_size)"))
    return key.reshape(lead + (1,) * (len(batch) - len(lead)) + (2,))


def draw(
    tree: Params,
    leaves: dict[str, Any],
    meanings: dict[str, Leaf],
    salts: dict[str, int],
    batch: tuple[int, ...],
    key: Any,
    device: Any,
    frames: int | None = None,
) -> Params:
    """Every leaf as a tensor `[*batch, *leaf.shape]` on `device` (one over time `[*batch, frames, *leaf.shape]`); the leaves,
    their meanings and salts are by path."""
    leaves = {path: value_if_constant(leaf, meanings[path]) for path, leaf in leaves.items()}
    ranges = {path: leaf for path, leaf in leaves.items() if isinstance(leaf, Distribution)}
    if ranges:
        leaves = leaves | draw_all(ranges, meanings, salts, batch, key, device)
    return nested(
        tree,
        iter([broadcast_leaf(value, meanings[path], batch, device, path, frames) for path, value in leaves.items()]),
    )


def value_if_constant(leaf: Any, meaning: Leaf) -> Any:
    """The value of a constant, which needs no drawing; other leaves as they are."""
    return leaf.value.clone() if type(leaf) is Constant and leaf.value.shape == meaning.shape else leaf


def draw_all(
    ranges: dict[str, Distribution],
    meanings: dict[str, Leaf],
    salts: dict[str, int],
    batch: tuple[int, ...],
    key: Any,
    device: Any,
) -> dict[str, Tensor]:
    """All distributions from one call of the generator, then each from its own part of the noise."""
    shapes = {path: noise_shape(ranges[path], meanings[path], path) for path in ranges}
    noise = parts_of(noise_of(shapes, salts, batch, key, device), shapes)
    return {path: ranges[path].draw(u) for path, u in noise.items()}


def parts_of(noise: Tensor, shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """The noise `[*batch, n]` of all leaves as that of each, in its shape."""
    parts = noise.split_with_sizes([math.prod(shape) for shape in shapes.values()], -1)
    given = zip(shapes.items(), parts, strict=True)
    return {path: u.reshape(u.shape[:-1] + shape) for (path, shape), u in given}


def noise_of(
    shapes: dict[str, tuple[int, ...]], salts: dict[str, int], batch: tuple[int, ...], key: Any, device: Any
) -> Tensor:
    """The uniform numbers `[*batch, n]` of these leaves, one after the other."""
    counts = tuple(map(math.prod, shapes.values()))
    if not any(counts):
        return torch.zeros((1,) * len(batch) + (0,), device=device)
    if key is None:
        names = [path for path, n in zip(shapes, counts, strict=True) if n]
        fix = "f(x, None, af.key(0)), or pass returned params to replay"
        raise ValueError(explain("a key is needed to draw", names, "generator=key", fix))
    hi, lo = counters(tuple([salts[path] for path in shapes]), counts)
    noise = random.stream_uniform(checked_key(key, batch), batch, hi, lo)
    return noise if noise.device == device else noise.to(device)


def noise_shape(d: Distribution, leaf: Leaf, path: str) -> tuple[int, ...]:
    """The noise of one value; a distribution of less dims, such as one of numbers, fills the leaf with independent draws."""
    if isinstance(d, Path) and d.shape in ((), leaf.shape):
        return (d.count, *leaf.shape)
    lead = leaf.shape[: len(leaf.shape) - len(d.shape)]
    if d.shape != leaf.shape[len(lead) :]:
        want = f"a distribution of shape {list(leaf.shape)} or []" if leaf.shape else "a distribution of one number"
        fix = (
            "give one range per entry, or one for all"
            if leaf.shape
            else f"one range: {path.rpartition('/')[2]}=(low, high)"
        )
        raise ValueError(explain(f"params[{path!r}]: wrong shape", d, want, fix))
    return lead + d.noise_shape


@remembered
def counters(salts: tuple[int, ...], counts: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The stream (a leaf's salt) and the position in it of every number to draw."""
    hi = tuple(salt for salt, n in zip(salts, counts, strict=True) for _ in range(n))
    return hi, tuple(i for n in counts for i in range(n))


def broadcast_leaf(
    value: Any, leaf: Leaf, batch: tuple[int, ...], device: Any, path: str, frames: int | None = None
) -> Tensor:
    """A tensor `[*k, *leaf.shape]`, whose k lies along the leading dims, as `[*batch, *leaf.shape]`."""
    value = as_values(value, leaf, path)
    if frames is not None and value.ndim == len(batch) + 1 + len(leaf.shape):
        batch = (*batch, frames)
    want = batch + leaf.shape
    if value.device != device:
        value = value.to(device)
    if value.shape == want:
        return value
    lead = tuple(value.shape[: value.ndim - len(leaf.shape)])
    fits = value.shape[len(lead) :] == leaf.shape and len(lead) <= len(batch)
    if not fits or any(k not in (1, b) for k, b in zip(lead, batch, strict=False)):
        fix = "one value per sample, or one for all (of a clip also one for each of its frames)"
        if not batch and len(lead) == 1:
            fix = "params of a batch are for a batch, x[None]; or take those of one sample, v[i] of every leaf"
        raise ValueError(
            explain(
                f"params[{path!r}]: wrong shape",
                value,
                str(list(want)),
                fix,
            )
        )
    return value.reshape(lead + (1,) * (len(batch) - len(lead)) + leaf.shape).expand(want).contiguous()


def as_values(value: Any, leaf: Leaf, path: str) -> Tensor:
    if isinstance(value, Tensor):
        if leaf.index and not value.is_floating_point() and value.dtype != torch.bool:
            return value.float()
        if not value.is_floating_point():
            raise TypeError(
                explain(f"params[{path!r}]: not floating", value, "a floating tensor", "call .float() on it")
            )
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return torch.full(leaf.shape, float(value), dtype=torch.float32)
    raise TypeError(
        explain(
            f"params[{path!r}]: not a value",
            value,
            "a floating tensor, a number or a distribution",
            "torch.tensor(...)",
        )
    )

"""Drawing: from a tree of tensors and distributions to a tree of tensors, all leaves in one vectorised call.

Sample i has a key of its own, and leaf j of it reads the words at counter (salt of the leaf's path, 0, 1, ...): so a
draw depends on the sample's key and the leaf's name alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.distributions import Distribution, Uniform
from augfn.errors import explain, unknown
from augfn.typing import Leaf

Params = dict[str, Any]


def paths_of(tree: Params, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves with their paths ("affine/degrees"), in order."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from paths_of(value, f"{prefix}{name}/")
        else:
            yield prefix + name, value


def salts_of(schema: Params) -> dict[str, int]:
    return {path: random.salt(path) for path, _ in paths_of(schema)}


def merge(given: Params | None, own: Params, schema: Params, where: str) -> Params:
    """The given leaves, completed by the augmentation's own."""
    if given is None:
        return own
    if not isinstance(given, dict):
        raise TypeError(
            explain(f"{where}: bad params", given, "a nested dict of tensors and distributions", "start from f.params")
        )
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
    if isinstance(key, torch.Generator):
        key = random.from_generator(key)
    random.check_key(key)
    lead = tuple(key.shape[:-1])
    if not lead:
        return key
    if len(lead) > len(batch) or any(k not in (1, b) for k, b in zip(lead, batch, strict=False)):
        want = f"[2], or one per sample {[*batch, 2]}"
        raise ValueError(explain("keys do not match the batch", key, want, "af.split(key, batch_size)"))
    return key.reshape(lead + (1,) * (len(batch) - len(lead)) + (2,))


def draw(tree: Params, schema: Params, salts: dict[str, int], batch: tuple[int, ...], key: Any, device: Any) -> Params:
    """Every leaf as a tensor `[*batch, *leaf.shape]` on `device`."""
    ranges = {path: leaf for path, leaf in paths_of(tree) if isinstance(leaf, Distribution)}
    drawn = draw_all(ranges, dict(paths_of(schema)), salts, batch, key, device) if ranges else {}
    return finish(tree, schema, drawn, batch, device, "")


def draw_all(
    ranges: dict[str, Distribution],
    leaves: dict[str, Leaf],
    salts: dict[str, int],
    batch: tuple[int, ...],
    key: Any,
    device: Any,
) -> dict[str, Tensor]:
    """All distributions from one call of the generator, then each from its own part of the noise."""
    shapes = [noise_shape(d, leaves[path], path) for path, d in ranges.items()]
    counts = tuple(math.prod(shape) for shape in shapes)
    if not any(counts):
        noise = torch.zeros((1,) * len(batch) + (0,), device=device)
    elif key is None:
        names = [path for path, n in zip(ranges, counts, strict=True) if n]
        fix = "f(x, None, af.key(0)), or pass returned params to replay"
        raise ValueError(explain("a key is needed to draw", names, "generator=key", fix))
    else:
        # a tensor made inside a transform belongs to it, and must not outlive it in the cache
        make = cached_counters if random.is_plain() else counters
        noise = random.stream_uniform(
            checked_key(key, batch), batch, *make(tuple(salts[path] for path in ranges), counts)
        )
        noise = noise.to(device)
    lead = noise.shape[:-1]
    parts = [u.reshape(lead + shape) for u, shape in zip(noise.split(counts, -1), shapes, strict=True)]
    return dict(zip(ranges, draw_each(list(ranges.values()), parts, lead), strict=True))


def noise_shape(d: Distribution, leaf: Leaf, path: str) -> tuple[int, ...]:
    """The noise of one value; a distribution of numbers fills a vector leaf with independent draws."""
    if d.shape == leaf.shape:
        return d.noise_shape
    if d.shape:
        want = f"a distribution of shape {list(leaf.shape)} or []"
        raise ValueError(explain(f"params[{path!r}]: wrong shape", d, want, "give one range per entry, or one for all"))
    return leaf.shape + d.noise_shape


def draw_each(ranges: list[Distribution], noise: list[Tensor], lead: torch.Size) -> list[Tensor]:
    """A value of every distribution; uniform numbers, which most leaves are, in one operation for all of them."""
    alike = [i for i, d in enumerate(ranges) if type(d) is Uniform and is_number(d, noise[i], lead)]
    if len(alike) < 3:
        return [d.draw(u) for d, u in zip(ranges, noise, strict=True)]
    low, high = (torch.stack([getattr(ranges[i], f) for i in alike]) for f in Uniform.fields)
    values = torch.lerp(low, high, torch.stack([noise[i] for i in alike], -1)).unbind(-1)
    done = dict(zip(alike, values, strict=True))
    return [done[i] if i in done else d.draw(u) for i, (d, u) in enumerate(zip(ranges, noise, strict=True))]


def is_number(d: Uniform, u: Tensor, lead: torch.Size) -> bool:
    """True for a range of numbers, one to be drawn per sample, in the dtype and on the device of the noise."""
    return u.shape == lead and all(t.ndim == 0 and t.dtype == u.dtype and t.device == u.device for t in (d.low, d.high))


def counters(salts: tuple[int, ...], counts: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The stream (a leaf's salt) and the position in it of every number to draw."""
    hi = torch.tensor([salt for salt, n in zip(salts, counts, strict=True) for _ in range(n)])
    return hi, torch.tensor([i for n in counts for i in range(n)])


cached_counters = lru_cache(maxsize=256)(counters)


def finish(
    tree: Params, schema: Params, drawn: dict[str, Tensor], batch: tuple[int, ...], device: Any, prefix: str
) -> Params:
    out: Params = {}
    for name, value in tree.items():
        path = prefix + name
        if isinstance(value, dict):
            out[name] = finish(value, schema[name], drawn, batch, device, path + "/")
        else:
            out[name] = fit(drawn.get(path, value), schema[name], batch, device, path)
    return out


def fit(value: Any, leaf: Leaf, batch: tuple[int, ...], device: Any, path: str) -> Tensor:
    """A tensor `[*k, *leaf.shape]`, whose k lies along the leading dims, as `[*batch, *leaf.shape]`."""
    want = batch + leaf.shape
    value = as_values(value, leaf, path)
    if value.device != device:
        value = value.to(device)
    if value.shape == want:
        return value
    lead = tuple(value.shape[: value.ndim - len(leaf.shape)])
    fits = value.shape[len(lead) :] == leaf.shape and len(lead) <= len(batch)
    if not fits or any(k not in (1, b) for k, b in zip(lead, batch, strict=False)):
        raise ValueError(
            explain(f"params[{path!r}]: wrong shape", value, str(list(want)), "one value per sample, or one for all")
        )
    return value.reshape(lead + (1,) * (len(batch) - len(lead)) + leaf.shape).expand(want).contiguous()


def as_values(value: Any, leaf: Leaf, path: str) -> Tensor:
    if isinstance(value, Tensor):
        if not value.is_floating_point():
            raise TypeError(
                explain(f"params[{path!r}]: not floating", value, "a floating tensor", "call .float() on it")
            )
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return torch.full(leaf.shape, float(value))
    raise TypeError(
        explain(
            f"params[{path!r}]: not a value",
            value,
            "a floating tensor, a number or a distribution",
            "torch.tensor(...)",
        )
    )

"""Which modules of a container act in a call: chosen for the batch, as kornia does, or for each sample."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from torch import Tensor

import augfn as af
from augfn import random
from augfn.core.augmentation import Augmentation
from augfn.errors import explain

NONE = "off"  # the step of a call that no module is chosen for
SALT = random.salt("random_apply")


class Choosing:
    """What `random_apply`, its weights and `random_apply_per` say."""

    def __init__(self, apply: Any, weights: Sequence[float] | Tensor | None, per: str, total: int) -> None:
        if per not in ("batch", "sample"):
            raise ValueError(explain("random_apply_per", per, "'batch' or 'sample'", 'random_apply_per="sample"'))
        self.apply, self.per = apply, per
        self.low, self.high = counts(apply, total)
        self.weights = weights.tolist() if isinstance(weights, Tensor) else weights
        self.on, self.per_batch = apply is not False, apply is not False and per == "batch"
        good = self.weights is None or (
            self.on and len(self.weights) == total and min(self.weights) >= 0 and sum(map(bool, self.weights)) >= 1
        )
        if not good:
            want = f"{total} numbers, none negative, beside a random_apply"
            raise ValueError(explain("random_apply_weights", self.weights, want, "random_apply=1"))

    def order(self, key: Tensor, names: Sequence[str], mixes: Mapping[str, bool]) -> list[str]:
        """The chosen names, drawn with the key: without repeats, or with `~2`, `~3` after those that come again."""
        key = one_key(key, "a choice for the batch", 'random_apply_per="sample"')
        weights = self.weights or [1.0] * len(names)
        first, *u = random.uniform(random.fold_in(key, SALT), (1 + max(self.high, len(names)),)).tolist()
        n = self.low + int(first * (self.high - self.low + 1))
        if n > len(names):
            ends = list(accumulate(weights))
            picked = [next(i for i, end in enumerate(ends) if v * ends[-1] < end) for v in u[:n]]
        else:
            when = [-math.log1p(-v) / w if w else math.inf for v, w in zip(u, weights, strict=False)]
            picked = sorted(range(len(names)), key=when.__getitem__)[: min(n, sum(map(bool, weights)))]
        chosen: list[str] = []
        for name in (names[i] for i in picked):
            times = sum(base_name(c) == name for c in chosen)
            if not (mixes[name] and any(mixes[base_name(c)] for c in chosen)):
                chosen.append(f"{name}~{times + 1}" if times else name)
        return chosen

    def within(self, fs: dict[str, Any]) -> Augmentation:
        """The choice for each sample, as an augmentation of all of them."""
        if not self.on or self.per_batch:
            return af.pipeline(**(fs or {NONE: af.identity()}))
        if self.weights is not None and self.low == self.high == 1:
            return af.one_of(weights=self.weights, **fs)
        replace = self.high > len(fs)
        order = "given" if self.weights is None or replace else "random"
        return af.some_of((self.low, self.high), replace=replace, order=order, weights=self.weights, **fs)


def counts(apply: Any, total: int) -> tuple[int, int]:
    """The least and the largest number of modules, both inclusive."""
    if isinstance(apply, bool):
        return total, total
    low, high = (apply, apply) if isinstance(apply, int) else (*apply, total)[:2]
    if not 0 <= low <= high:
        want, fix = "n, (a,) or (a, b) with 0 <= a <= b", f"random_apply=(1, {total})"
        raise ValueError(explain("random_apply", apply, want, fix))
    return low, high


def one_key(key: Tensor, what: str, fix: str) -> Tensor:
    """The key of a choice for the batch, which may be a batch of one."""
    if key.ndim != 1 and key.shape[:-1] != (1,):
        raise ValueError(explain(f"{what} with a key for each sample", key, "one key [2]", fix))
    return key.reshape(2)


def base_name(name: str) -> str:
    """The name of a step that comes again."""
    return name.partition("~")[0] if "~" in name else name

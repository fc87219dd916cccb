"""Settings: what an augmentation was given beside its ranges, as far as it is not what its factory takes by itself."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor

from augfn.core.spec import SAMPLING
from augfn.math.resample import UNSET


def settings_of(f: Any) -> dict[str, Any]:
    """Of an op by the keywords of its factory, of steps in a row or to choose from by those of `pipeline`.

    >>> import augfn as af
    >>> settings_of(af.resize(size=8, interpolation="bicubic"))
    {'size': 8, 'interpolation': 'bicubic'}
    >>> settings_of(af.pipeline(af.hflip(), padding_mode="border", targets={"lanes": "mask"}))
    {'padding_mode': 'border', 'targets': {'lanes': 'mask'}}
    """
    return of_op(f) if hasattr(f, "spec") else of_steps(f) if hasattr(f, "steps") else {}


def of_op(f: Any) -> dict[str, Any]:
    spec, own, by_factory = f.spec, f.sampling, f.spec.sampling
    given = {
        n: f.static[n] for n, v in spec.static.items() if v is inspect.Parameter.empty or not equal(f.static[n], v)
    }
    if not own == UNSET == by_factory:
        given |= {n: getattr(own, n) for n in SAMPLING if getattr(own, n) != getattr(by_factory, n)}
    if "clip" in spec.common and f.clip != spec.clip:
        given["clip"] = f.clip
    if f.channels is not None:
        given["channels"] = f.channels
    if f.per_channel and "channel_gate" not in f.params:
        given["per_channel"] = True
    return given


def of_steps(f: Any) -> dict[str, Any]:
    given = {n: v for n in SAMPLING if (v := getattr(f.sampling, n)) is not None}
    if f.sampling.by_target:
        given["interpolation"] = dict(f.sampling.by_target)
    inner = {t: kind for g in f.steps.values() for t, kind in g.targets.items()}
    targets = {t: kind for t, kind in f.targets.items() if inner.get(t) != kind}
    return given | ({"targets": targets} if targets else {}) | ({} if f.fused else {"fuse": False})


def equal(a: Any, b: Any) -> bool:
    """Of settings, which may hold tensors."""
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return isinstance(a, Tensor) and isinstance(b, Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    return type(a) is type(b) and bool(a == b)

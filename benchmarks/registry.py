"""Ops by the registry alone: built with their default ranges, whatever they are called."""

from __future__ import annotations

import inspect
from typing import Any

from augfn.core.augmentation import Op, build
from augfn.core.spec import Spec, own_spec


def required(spec: Spec) -> list[str]:
    """Static keywords without a default."""
    return [n for n, v in spec.static.items() if v is inspect.Parameter.empty]


def default_keywords(spec: Spec) -> dict[str, Any]:
    """What has to be given: the example's values of required keywords, and its ranges where no leaf has a default."""
    acting = [n for n, leaf in spec.leaves.items() if not leaf.flat]
    if acting and all(spec.defaults[n] is None for n in acting):
        return dict(spec.example)
    return {n: spec.example[n] for n in required(spec)}


def default(name: str, **keywords: Any) -> Op:
    """The op with its default ranges."""
    spec = own_spec(name)
    return build(spec, default_keywords(spec) | keywords)

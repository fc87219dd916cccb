"""Params in kornia's way: a list with an item for each module, as a view of the tree, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from augfn.core.draw import Params
from augfn.errors import explain, unknown
from augfn_nn.choosing import base_name

FURTHER = ("batch_prob", "forward_input_shape")  # what kornia's have beside an op's own


class ParamItem(NamedTuple):
    """The params of one module: `data` is a dict of tensors, of a container a list of items."""

    name: str
    data: Any


class PatchParamItem(NamedTuple):
    """The params of the patches of these numbers."""

    indices: list[int]
    param: ParamItem


def items_of(module: Any, params: Mapping[str, Any], shape: tuple[int, ...]) -> Any:
    """The params that a module has drawn for images of a shape, in kornia's way."""
    if not hasattr(module, "names"):
        return data_of(params, shape)
    if getattr(module, "wraps", False) or (module.choosing.on and not module.choosing.per_batch):
        want, fix = "a chain of modules", "aug._params, the tree, which replays"
        raise ValueError(explain(f"{type(module).__name__}: params that are no list of modules", [*params], want, fix))
    steps = module.steps
    return [
        ParamItem(module.names[base_name(n)], items_of(steps[base_name(n)], p, shape))
        for n, p in params.items()
        if p is not None and base_name(n) in steps
    ]


def data_of(params: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    gate = params.get("gate")
    prob = gate if isinstance(gate, Tensor) else torch.ones(shape[:1])
    return {**params, "batch_prob": prob, "forward_input_shape": torch.tensor(shape)}


def tree_of(module: Any, params: Any) -> Params | None:
    """Params as a tree: of a list of items those that it is a view of."""
    if params is None or (isinstance(params, dict) and "batch_prob" not in params):
        return params
    if isinstance(params, Mapping):
        found = {n: v for n, v in params.items() if n not in FURTHER}
        gated = "gate" in module.f.meanings and "off" not in found
        return {**found, "gate": params["batch_prob"]} if gated else found
    if not isinstance(params, Sequence) or not hasattr(module, "names"):
        raise TypeError(explain("params", params, "a tree, or a list of ParamItem", "aug._params, aug.param_items"))
    by_name, out = {name: step for step, name in module.names.items()}, {}
    for name, data in params:
        if name not in by_name:
            raise ValueError(unknown(f"module of {type(module).__name__}", name, by_name))
        step = by_name[name]
        times = sum(base_name(n) == step for n in out)
        out[f"{step}~{times + 1}" if times else step] = tree_of(module.steps[step], data)
    if not getattr(getattr(module, "choosing", None), "per_batch", False):
        out = {step: out.get(step) for step in module.names}
    return out

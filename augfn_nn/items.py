"""Params in kornia's way: a list with an item for each module, as a view of the tree, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from augfn.core.draw import Params
from augfn.errors import explain, unknown
from augfn_nn.choosing import base_name
from augfn_nn.replays import floating, of_kornia

CLIPS = "video_batch_size"  # in kornia's params of frames


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
    """Params as a tree: of a list of items those that it is a view of, or those that kornia's stand for."""
    if params is None or (isinstance(params, dict) and "batch_prob" not in params):
        return params
    if isinstance(params, Mapping):
        return gated(module, of_kornia(module, params), floating(params["batch_prob"]))
    if not isinstance(params, Sequence) or not hasattr(module, "names"):
        raise TypeError(explain("params", params, "a tree, or a list of ParamItem", "aug._params, aug.param_items"))
    by_name, out = {name: step for step, name in module.names.items()}, {}
    for name, data in params:
        if name not in by_name:
            raise ValueError(unknown(f"module of {type(module).__name__}", name, by_name))
        step = by_name[name]
        times = sum(base_name(n) == step for n in out)
        data = of_clips(data, module.clips) if isinstance(data, Mapping) and CLIPS in data else data
        tree = {} if data is None else tree_of(module.steps[step], data)  # kornia has None for modules of others
        out[f"{step}~{times + 1}" if times else step] = tree
    if not getattr(getattr(module, "choosing", None), "per_batch", False):
        out = {step: out.get(step) for step in module.names}
    return out


def of_clips(data: Mapping[str, Any], clips: Any) -> dict[str, Any]:
    """What kornia has drawn for the frames of clips: of those that share a draw the first frame's."""
    frames, known = len(data["batch_prob"]), {n: v for n, v in data.items() if n != CLIPS}
    if clips is None or not clips.shared:
        return known
    step = frames // int(data[CLIPS])
    alike = [n for n, v in known.items() if n != "forward_input_shape" and v.ndim and len(v) == frames]
    return known | {n: known[n][::step] for n in alike}


def gated(module: Any, found: Params, prob: Tensor) -> Params:
    """The leaves with the gate; what cannot be switched for each sample acts on all of them or on none. Which of both is read on
    the host, outside of any trace: it says which steps the tree holds, and so the size of what comes out."""
    if "off" in found:
        return found
    if "gate" in module.f.meanings and not getattr(module, "resizes", False):
        return {**found, "gate": prob}
    acts = (prob >= 0.5).tolist()
    if not any(acts) and module.chooses:
        return {"off": {}}
    if not all(acts):
        want, fix = "ones: the samples of a batch have one size", "ones, or p_batch= and zeros"
        raise ValueError(explain(f"{type(module).__name__}: batch_prob", prob, want, fix))
    return found

"""Ranges as registered tensors: Parameters and buffers that a tree of distributions is rebuilt from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augfn.core.draw import Params, leaves_of
from augfn.distributions import Bernoulli, Choice, Constant, Distribution
from augfn.errors import explain, unknown
from augfn.typing import GATE, Leaf

HALF = (torch.float16, torch.bfloat16)
RELAXED = {Bernoulli: "RelaxedBernoulli", Choice: "GumbelChoice"}


class Ranges(nn.Module):
    """A tree of params whose tensors are registered under their paths, such as "affine/degrees/low".

    Parameters stay the objects they are; what requires a gradient or is `learnable` becomes one; all else is a buffer.
    """

    def __init__(self, params: Params, schema: Params, learnable: bool | str | Sequence[str] = False) -> None:
        super().__init__()
        self.skeleton, self.names = params, list[str]()
        leaves = leaves_of(params)
        chosen = chosen_paths(leaves, leaves_of(schema), learnable)
        for path, leaf in leaves.items():
            for name, tensor in tensors_of(path, leaf):
                self.names.append(name)
                if tensor.requires_grad or isinstance(tensor, nn.Parameter) or path in chosen:
                    self.register_parameter(name, parameter_of(name, tensor, leaf))
                else:  # a copy, since a factory's default range is one object for all that use it
                    self.register_buffer(name, tensor.detach().clone())

    def tree(self) -> Params:
        """The distributions on the tensors as they are now. Those kept in half precision are drawn in single."""
        known, tensors = {**self._buffers, **self._parameters}, []
        for name in self.names:
            tensor = known[name] if name in known else getattr(self, name)  # one that is parametrized
            tensors.append(tensor.float() if tensor.dtype in HALF else tensor)
        return rebuild(self.skeleton, iter(tensors))


def tensors_of(path: str, leaf: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(leaf, Tensor):
        yield path, leaf
    else:
        yield from ((f"{path}/{field}", getattr(leaf, field)) for field in leaf.fields)


def parameter_of(name: str, tensor: Tensor, leaf: Any) -> nn.Parameter:
    """The tensor as a Parameter: itself, on the same memory where it requires a gradient, else a copy."""
    for kind, relaxed in RELAXED.items():
        if isinstance(leaf, kind):
            raise ValueError(explain(f"{name} cannot learn", leaf, "logits behind a relaxation", f"af.{relaxed}(...)"))
    if not tensor.is_leaf:
        fix = "make the bounds Parameters, or hand computed ranges to each call: aug(x, params={...})"
        raise ValueError(explain(f"{name} is computed from other tensors", tensor, "a Parameter of its own", fix))
    if isinstance(tensor, nn.Parameter):
        return tensor
    return nn.Parameter(tensor if tensor.requires_grad else tensor.clone())


def rebuild(tree: Params, tensors: Iterator[Tensor]) -> Params:
    """The tree again, with these tensors in it."""
    out: Params = {}
    for name, leaf in tree.items():
        if isinstance(leaf, dict):
            out[name] = rebuild(leaf, tensors)
        else:
            out[name] = renewed(leaf, tensors) if isinstance(leaf, Distribution) else next(tensors)
    return out


def renewed(leaf: Distribution, tensors: Iterator[Tensor]) -> Distribution:
    """The distribution on other tensors; past the constructor, whose checks would double the cost of a small call."""
    new = object.__new__(type(leaf))
    new.__dict__.update(leaf.__dict__)
    for field in leaf.fields:
        new.__dict__[field] = next(tensors)
    return new


def chosen_paths(
    leaves: Mapping[str, Any], meanings: Mapping[str, Leaf], learnable: bool | str | Sequence[str]
) -> Collection[str]:
    """The leaves to learn: those named, or all below a step that is named; for True all that a gradient can reach."""
    if isinstance(learnable, bool):
        return [p for p, d in leaves.items() if learnable and can_learn(d, meanings[p])]
    chosen: list[str] = []
    for name in [learnable] if isinstance(learnable, str) else learnable:
        below = [path for path in leaves if path == name or path.startswith(name + "/")]
        if not below:
            raise ValueError(unknown("leaf to learn", name, leaves))
        chosen += below
    return chosen


def can_learn(leaf: Any, meaning: Leaf) -> bool:
    """True if a gradient reaches it; a gate that is always the same is a switch, not a range."""
    return type(leaf) not in RELAXED and not meaning.flat and not (meaning == GATE and type(leaf) is Constant)

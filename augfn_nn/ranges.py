"""Ranges as registered tensors: Parameters and buffers that a tree of distributions is rebuilt from."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augfn.core.draw import Params, leaves_of, nested
from augfn.core.intervals import in_order, limits_of
from augfn.distributions import Bernoulli, Choice, Constant, Distribution, Interval, Span
from augfn.errors import explain, unknown
from augfn.math.folding import Limits, folded
from augfn.typing import GATE, Leaf

HALF = (torch.float16, torch.bfloat16)
RELAXED = {Bernoulli: "RelaxedBernoulli", Choice: "GumbelChoice"}


class Ranges(nn.Module):
    """A tree of params whose tensors are registered under their paths, such as "affine/degrees/low".

    Parameters stay the objects they are; what requires a gradient or is `learnable` becomes one; all else is a buffer.

    What is learned because of `learnable` cannot leave its interval, whatever an optimizer does: a Parameter beyond an
    end stands for the number mirrored there, and the ends of a range that have crossed are exchanged. `tree()` has the
    numbers that hold. Logits stay within -5 to 5; temperatures do not learn.
    """

    def __init__(self, params: Params, schema: Params, learnable: bool | str | Sequence[str] = False) -> None:
        super().__init__()
        self.skeleton, self.names = params, list[str]()
        self.limits = dict[str, Limits]()  # of what is kept inside
        self.pairs = set[str]()  # the paths of ranges whose ends are kept in order
        leaves, meanings = leaves_of(params), leaves_of(schema)
        chosen = chosen_paths(leaves, meanings, learnable)
        for path, leaf in leaves.items():
            for name, field, tensor in tensors_of(path, leaf):
                self.names.append(name)
                given = tensor.requires_grad or isinstance(tensor, nn.Parameter)
                if given or (path in chosen and field not in getattr(leaf, "settings", ())):
                    self.register_parameter(name, parameter_of(name, tensor, leaf))
                    if not given:
                        self.keep_inside(path, name, field, leaf, meanings[path])
                else:  # a copy, since a factory's default range is one object for all that use it
                    self.register_buffer(name, tensor.detach().clone())
        self.hold()

    def hold(self) -> None:
        """Keep the tree of tensors that are drawn from as they are: it holds as long as they are the same objects."""
        self.held: tuple[list[tuple[str, Tensor]], Params] | None = None
        known: Any = {**self._buffers, **self._parameters}
        pairs = [(name, known.get(name)) for name in self.names]
        if not self.limits and not self.pairs and all(t is not None and t.dtype not in HALF for _, t in pairs):
            self.held = pairs, self.tree()

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        self.hold()
        return self

    def keep_inside(self, path: str, name: str, field: str, leaf: Any, meaning: Leaf) -> None:
        if isinstance(leaf, Span):
            fix = f"af.Span(torch.nn.Parameter(...), ...), which a call checks; or {path}=(low, high), which is kept inside"
            raise ValueError(explain(f"{name}: learnable= cannot keep it inside", leaf, "another distribution", fix))
        limits = widened(name, limits_of(leaf, field, meaning), leaf, field)
        if limits != (None, None):
            self.limits[name] = limits
        if isinstance(leaf, Interval) or (isinstance(leaf, Distribution) and field in leaf.ordered):
            self.pairs.add(path)

    def tree(self) -> Params:
        """The distributions on the tensors as they are now. Those kept in half precision are drawn in single."""
        known: Any = {**self._buffers, **self._parameters}
        if self.held is not None and all([known.get(name) is t for name, t in self.held[0]]):  # noqa: C419 - faster
            return copied(self.held[1])
        tensors = []
        for name in self.names:
            tensor = known[name] if name in known else getattr(self, name)  # one that is parametrized
            tensor = tensor.float() if tensor.dtype in HALF else tensor
            tensors.append(folded(tensor, self.limits[name]) if name in self.limits else tensor)
        tree = rebuild(self.skeleton, iter(tensors))
        if not self.pairs:
            return tree
        return nested(tree, iter([in_order(d) if p in self.pairs else d for p, d in leaves_of(tree).items()]))


def copied(tree: Params) -> Params:
    """The tree, whose dicts may be changed."""
    return {n: copied(v) if isinstance(v, dict) else v for n, v in tree.items()}


def widened(name: str, limits: Limits, leaf: Any, field: str) -> Limits:
    """Limits that hold what is there: surer logits widen theirs, a value outside of its leaf's interval is an error."""
    start = leaf if isinstance(leaf, Tensor) else getattr(leaf, field)
    low, high = limits
    least, most = torch.stack(start.detach().aminmax()).tolist()
    if (low is None or low <= least) and (high is None or most <= high):
        return limits
    if isinstance(leaf, Tensor) or field in leaf.values:
        fix = "begin inside: what learns stays there"
        raise ValueError(explain(f"{name} is outside its interval", start.tolist(), f"{low} to {high}", fix))
    return low if low is None else min(low, least), high if high is None else max(high, most)


def tensors_of(path: str, leaf: Any) -> Iterator[tuple[str, str, Tensor]]:
    """Name, field and tensor of all that a leaf holds."""
    if isinstance(leaf, Tensor):
        yield path, "", leaf
    else:
        yield from ((f"{path}/{field}", field, getattr(leaf, field)) for field in leaf.fields)


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
        elif isinstance(leaf, Distribution):
            out[name] = leaf.renewed(**{field: next(tensors) for field in leaf.fields})
        else:
            out[name] = next(tensors)
    return out


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

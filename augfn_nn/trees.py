"""Trees of params as modules hand them on: what is random, what was dropped, what is drawn once for the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from augfn import random
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Pipeline
from augfn.core.draw import Params, draw, leaves_of, merge
from augfn.distributions import Constant, Distribution
from augfn.errors import explain
from augfn.typing import Leaf

Path = tuple[str, ...]


def is_drawn(tree: Params) -> bool:
    """True if nothing in it is random."""
    for leaf in tree.values():
        if isinstance(leaf, Distribution) and not isinstance(leaf, Constant):
            return False
        if isinstance(leaf, dict) and not is_drawn(leaf):
            return False
    return True


def not_random(f: Augmentation, tree: Params) -> Params | None:
    """The steps of a pipeline that draw nothing, else the whole where it draws nothing; None if nothing is left."""
    if not isinstance(f, Pipeline) or f.whole:
        return tree if is_drawn(tree) else None
    steps = {n: not_random(g, tree[n]) for n, g in f.steps.items()}
    return {n: part for n, part in steps.items() if part is not None} or None


def with_gaps(f: Augmentation, tree: Params) -> Params:
    """Drawn params, with None for the steps that were dropped: so a replay drops them too."""
    if not isinstance(f, Pipeline):
        return tree
    return {n: with_gaps(g, tree[n]) if n in tree else None for n, g in f.steps.items()}


def without(params: Params, tree: Params) -> Params:
    """The tree without the steps for which the params have None."""
    out = {}
    for n, value in tree.items():
        given = params.get(n, {})
        if given is not None:
            out[n] = without(given, value) if isinstance(value, dict) and isinstance(given, dict) else value
    return out


def draw_shared(
    f: Augmentation, tree: Params, key: Tensor, shared: list[Path], meanings: dict[str, Leaf]
) -> tuple[Params, Tensor]:
    """The tree with the subtrees at `shared` drawn once for the batch, and the key for the rest."""
    random.check_key(key)
    if key.ndim != 1:
        raise ValueError(explain("same_on_batch with a key per sample", key, "one key [2]", "give one of the two"))
    for path in shared:
        if not path:
            return tree, key[None]
        part = tree
        for name in path:
            part = part[name]
        for name in reversed(path):
            part = {name: part}
        drawn = draw(part, leaves_of(part), meanings, f.salts, (1,), key[None], torch.device("cpu"))
        tree = merge(drawn, tree, f.schema, f.name)
    return tree, key

"""Which op is to blame: the share of each step in what an augmentation does to a model.

A coalition is a set of steps that act, while the others are off and all draws stay the same. Leaving a step out tells what is
missing then; its Shapley value (Shapley 1953; by permutations: Castro et al. 2009) is the mean of what it adds when
the steps are switched on one after another in random order. Shapley values sum to the whole effect, for each image and draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.analysis.passes import Clean, Undo, Watched, self_measured
from augfn.analysis.scores import EMBEDDING, LAYER, OUTPUT, Moments
from augfn.analysis.switching import switched, varied
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.undoing import undone

Effects = dict[tuple[str, str], Tensor]
RELATIVE = "relative_l2"
OF_OUTPUT = ("jsd", "flips")


def undo_of(f: Augmentation, params: Params, stays: bool) -> Undo | None:
    """How maps are taken back to the frame before f; None where the frame does not stay."""
    return (lambda t: undone(f, t, params, None)) if stays else None


def effects_of(found: Moments, before: Moments) -> Effects:
    """What an augmentation does to each image, `[n]`; 0 where nothing is done."""
    out = {name: t[:, 0] for name, t in found.items() if name[1] == RELATIVE}
    out |= {(OUTPUT, n): found[OUTPUT, n][:, 0] for n in OF_OUTPUT if (OUTPUT, n) in found}
    out[EMBEDDING, "cosine_distance"] = 1 - found[EMBEDDING, "cosine"][:, 0]
    if (OUTPUT, "class") in found and (OUTPUT, "accuracy") in found:  # of dense predictions other places are seen
        out[OUTPUT, "error"] = before[OUTPUT, "accuracy"][:, 0] - found[OUTPUT, "accuracy"][:, 0]
    return out


@dataclass(frozen=True)
class Shares:
    """By (layer, measure): the `whole` effect `[n, draws]`, and for each step what it adds, `[n, draws, steps]`."""

    whole: Effects
    shapley: Effects
    left_out: Effects

    @staticmethod
    def stack(draws: Sequence[Shares]) -> Shares:
        return Shares(*[merged([getattr(s, part) for s in draws], torch.stack, 1) for part in PARTS])

    @staticmethod
    def cat(blocks: Sequence[Shares], order: Tensor) -> Shares:
        joined = [merged([getattr(s, part) for s in blocks], torch.cat, 0) for part in PARTS]
        return Shares(*[{name: t[order] for name, t in part.items()} for part in joined])

    @staticmethod
    def alone(passes: Moments, clean: Moments, steps: Sequence[str]) -> Shares:
        """Where there is one step: all is its doing."""
        if len(steps) > 1:
            return Shares({}, {}, {})
        used = (RELATIVE, *OF_OUTPUT, "accuracy", "class", "cosine")
        flat = {name: t.flatten(0, 1) for name, t in passes.items() if name[1] in used}
        draws = passes[EMBEDDING, "cosine"].shape[1]
        before = {name: t.expand(-1, draws, -1).flatten(0, 1) for name, t in clean.items()}
        found = {name: t.unflatten(0, (-1, draws)) for name, t in effects_of(flat, before).items()}
        one = {name: t[..., None] for name, t in found.items()}
        return Shares(found, one, one)


PARTS = ("whole", "shapley", "left_out")


def merged(parts: Sequence[Effects], how: Any, dim: int) -> Effects:
    shared = [name for name in (parts[0] if parts else {}) if all(name in part for part in parts)]
    return {name: how([part[name] for part in parts], dim) for name in shared}


def shares_of(
    f: Augmentation,
    seen: Watched,
    clean: Clean,
    x: Tensor,
    params: Params,
    keys: Tensor,
    found: Moments,
    stays: bool,
) -> Shares:
    """The shares of each step for a block of images and drawn params; `found` are the moments with all steps on."""
    size = tuple(x.shape[-2:])
    steps = varied(f, params, size)
    few = replace(seen, measures={RELATIVE: LAYER[RELATIVE]})
    before = self_measured(clean)

    def effect(on: dict[str, Tensor]) -> Effects:
        some = switched(f, params, on, size)
        return effects_of(few.against(clean, f(x, some)[0], undo_of(f, some, stays))[0], before)

    n, p = len(x), len(steps)
    rank = random.uniform(keys, (p,)).argsort(-1).argsort(-1)  # when each step is switched on
    whole = effects_of(found, before) if RELATIVE in seen.measures else effect({})
    chain = [{name: torch.zeros_like(v) for name, v in whole.items()}]
    chain += [effect({s: (rank[:, i] < j).float() for i, s in enumerate(steps)}) for j in range(1, p)]
    chain.append(whole)
    without = [effect({s: torch.zeros(n)}) for s in steps]
    shapley, left = {}, {}
    for name, v in whole.items():
        if all(name in c for c in (*chain, *without)):
            added = torch.stack([c[name] for c in chain], -1).diff(dim=-1)
            shapley[name] = added.gather(-1, rank)
            left[name] = torch.stack([v - w[name] for w in without], -1)
    return Shares({name: whole[name] for name in shapley}, shapley, left)

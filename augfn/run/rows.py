"""Rows: an action is run on the samples whose gate is open, and the others stay as they are, bit for bit.

The gate lies on the host, so in eager code the rows are known before anything is done. Traced and transformed, all
samples are run, and selected afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map

from augfn.core.actions import Action, Blend, Deferred, Geometric, Pixels, blend, is_moving
from augfn.core.called import Called, Custom
from augfn.core.patched import Patched, patched
from augfn.core.rules import SOFT, apply, touches
from augfn.core.targets import Sample, Target
from augfn.core.widening import widened
from augfn.errors import explain
from augfn.math.resample import SIGNED
from augfn.math.shapes import expand
from augfn.run.mode import is_listable, untracked

DENSE = False  # True: all samples are run, and selected afterwards
BLENDED = ("image", "video", "volume", *SOFT)  # what lies between two results; of all else one is selected


def run(actions: list[Action], sample: Sample, owned: set[str] | None = None) -> Sample:
    """One after the other. `owned`: targets that may be written to, since nobody else has them; None: nobody asks."""
    if owned is None and any(a.gate is not None for a in actions):
        owned = set()
    for action in actions:
        sample = act(action, sample, owned)
    return sample


def act(action: Action, sample: Sample, owned: set[str] | None = None) -> Sample:
    """One action on the samples whose gate is open."""
    if isinstance(action, Deferred) and action.retimes and action.gate is not None:
        require_frames(sample.frames, action.seen(sample).order.shape[-1])  # whatever the gates of this call say
    rows = None if action.gate is None else open_rows(action.gate)
    if rows is not None and len(rows) < action.gate.numel():  # type: ignore[union-attr]
        return on_rows(action, rows, sample, set() if owned is None else owned) if rows else sample
    if isinstance(action, Blend) and action.hard and (turns := chosen_rows(action)) is not None:
        return in_turn(action, turns, sample)
    if isinstance(action, Blend):
        new = blended(action, sample)
    elif isinstance(action, Patched):
        new = patched(action, sample, run)
    else:
        new = apply(action.ungated(), sample)
    if owned is not None:
        note_fresh(action, new, sample, owned)
    return new if action.gate is None or rows else chosen(action.gate, new, sample)


def require_frames(*lengths: int | None) -> None:
    """Raises where results of one batch are clips of several lengths."""
    if len({*lengths}) > 1:
        want, fix = "a step that keeps their number", "leave out p, or put the step before or after the choice"
        given = f"{' and '.join(map(str, sorted({*lengths}, key=str)))} frames"
        raise ValueError(explain("a step that changes the number of frames cannot be switched", given, want, fix))


def note_fresh(action: Action, new: Sample, old: Sample, owned: set[str]) -> None:
    """Which targets an action has made anew, so that nobody else holds them."""
    for name, t in new.targets.items():
        if t is not old.targets[name]:
            (owned.add if is_fresh(action, t.value, old.targets[name].value) else owned.discard)(name)


def is_fresh(action: Action, new: Any, old: Any) -> bool:
    """True of what nobody else can hold: made by augfn's own, which never returns what it keeps, and no view."""
    made, held = tree_leaves(new), tree_leaves(old)
    if isinstance(action, Pixels):
        held += tree_leaves(action.leaves)
    foreign = (isinstance(action, Pixels) and action.foreign) or (isinstance(action, Geometric) and action.map.gather)
    if isinstance(action, Blend | Called | Custom) or foreign or not untracked(*made):
        return False
    places = {t.untyped_storage().data_ptr() for t in held if t is not None}
    return all(t.is_contiguous() and t.untyped_storage().data_ptr() not in places for t in made)


def open_rows(gate: Tensor) -> list[int] | None:
    """The numbers of the open samples; None where they are not known, or cannot be told apart by one number."""
    if DENSE or not is_listable(gate):
        return None
    values = gate.flatten().tolist()
    found = [i for i, v in enumerate(values) if v >= 0.5]
    return found if gate.ndim == 1 or len(found) in (0, len(values)) else None


def on_rows(action: Action, rows: list[int], sample: Sample, owned: set[str]) -> Sample:
    """The action on these samples alone."""
    index = torch.tensor(rows) if action.index is None else action.index
    seen = {n: t for n, t in sample.targets.items() if touches(action, t.kind)}
    few = replace(sample, targets=taken(seen, index), batch=(len(rows),))
    new = act(action.ungated().rows(index), few)
    out = dict(sample.targets)
    for name, t in new.targets.items():
        if t is not few.targets[name]:
            out[name] = Target(t.kind, put_back(sample.targets[name].value, index, t.value, name in owned))
            owned.add(name)
    return sample.changed(out, sample.size)


def taken(targets: dict[str, Target], index: Tensor) -> dict[str, Target]:
    """The rows of all targets."""
    return {n: Target(t.kind, tree_map(lambda x: take(x, index), t.value)) for n, t in targets.items()}


def take(x: Tensor, index: Tensor) -> Tensor:
    if x.dtype in SIGNED:
        return take(x.view(SIGNED[x.dtype]), index).view(x.dtype)
    return x.index_select(0, index.to(x.device))


def put_back(old: Any, index: Tensor, new: Any, owned: bool) -> Any:
    """The old values with new ones in these rows."""
    values, tree = tree_flatten(new)
    pairs = zip(tree_leaves(old), values, strict=True)
    return tree.unflatten([put(a, index, b, owned) for a, b in pairs])


def put(old: Tensor, index: Tensor, new: Tensor, owned: bool) -> Tensor:
    if old.dtype in SIGNED:
        kind = SIGNED[old.dtype]
        return put(old.view(kind), index, new.view(kind), owned).view(old.dtype)
    index = index.to(old.device)
    return old.index_copy_(0, index, new) if owned and untracked(old, new) else old.index_copy(0, index, new)


def chosen(gate: Tensor, new: Sample, old: Sample) -> Sample:
    """The new values where the gate `[*b]` is open, else the old ones."""
    out = {}
    for name, t in new.targets.items():
        before = old.targets[name]
        out[name] = t if t is before else Target(t.kind, where(gate >= 0.5, t.value, before.value))
    return old.changed(out, old.size)


def where(mask: Tensor, new: Any, old: Any) -> Any:
    values, tree = tree_flatten(new)
    pairs = zip(values, tree_leaves(old), strict=True)
    return tree.unflatten([torch.where(expand(mask.to(a.device), a.ndim), a, b) for a, b in pairs])


def blends(kind: str, action: Action) -> bool:
    """True of targets of which there is something between two results; of depth only where it stays in its place."""
    return kind in BLENDED or (kind == "depth" and not is_moving(action))


def blended(action: Blend, sample: Sample) -> Sample:
    """The results of all branches, by their weights."""
    results = [run(list(branch), sample) for branch in action.branches]
    require_frames(sample.frames, *[r.frames for r in results])
    weights, best, out = action.weights.to(sample.device), action.heaviest(), dict(sample.targets)
    for name, old in sample.targets.items():
        new = [r.targets[name] for r in results]
        if all(t is old for t in new):
            continue
        if blends(old.kind, action):
            base = torch.zeros_like(new[0].value) if action.frame else old.value
            out[name] = Target(old.kind, mean(base, [t.value for t in new], weights, action.rest.to(weights)))
            continue
        value, *values = widened(old.kind, [old.value, *(t.value for t in new)], len(sample.batch))
        value = values[0] if action.frame else value
        for k, v in enumerate(values):
            value = value if new[k] is old and not action.frame else where(best == k, v, value)
        out[name] = Target(old.kind, value)
    return sample.changed(out, action.size(sample.size))


def chosen_rows(action: Blend) -> list[list[int]] | None:
    """The numbers of the samples that each branch is for; None where they are not known, or a branch needs the batch."""
    if DENSE or not is_listable(action.weights) or action.weights.ndim != 2 or not len(action.weights):
        return None
    if any(a.mixes for branch in action.branches for a in branch):
        return None
    best = action.heaviest().tolist()
    return [[i for i, k in enumerate(best) if k == n] for n in range(len(action.branches))]


def in_turn(action: Blend, turns: list[list[int]], sample: Sample) -> Sample:
    """Each branch on the samples that chose it, which end in one frame; the others stay as they are."""
    rest = sorted(set(range(action.weights.shape[0])) - {i for rows in turns for i in rows})
    parts, order = [], []
    for branch, rows in [*zip(action.branches, turns, strict=True), ((), rest)]:
        if rows:
            index = torch.tensor(rows)
            few = replace(sample, targets=taken(sample.targets, index), batch=(len(rows),))
            parts.append(run([a.rows(index) for a in branch], few))
            order += rows
    require_frames(sample.frames, *[p.frames for p in parts])
    back = torch.tensor(order).argsort()
    out = {}
    for name, t in sample.targets.items():
        together = [p.targets[name].value for p in parts]
        values = [torch.cat(leaves) for leaves in zip(*map(tree_leaves, together), strict=True)]
        tree = tree_flatten(together[0])[1]
        out[name] = Target(t.kind, tree.unflatten([take(v, back) for v in values]))
    return sample.changed(out, action.size(sample.size))


def mean(old: Tensor, new: list[Tensor], weights: Tensor, rest: Tensor) -> Tensor:
    if len(new) == 1:
        return blend(old, new[0], expand(weights[..., 0], old.ndim))
    total = old * expand(rest, old.ndim).to(old.dtype)
    for value, weight in zip(new, weights.unbind(-1), strict=True):
        total = total + value * expand(weight, old.ndim).to(old.dtype)
    return total

"""Cache blocks: run planned actions over a large batch in slices that stay in the cache.

On a CPU a chain of full-batch passes is bound by page faults of fresh memory, not by arithmetic (a 38 MB multiply
takes 9 ms, of which 0.5 ms is arithmetic). Since what an action holds leads with the batch, its result is the
concatenation of its results on slices: so large eager batches are run slice by slice. Traced, transformed,
differentiated and CUDA calls run whole.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from augfn.core.actions import Action, Color, Geometric, Mixing, Occlusion, Pixels
from augfn.core.rules import apply
from augfn.core.targets import Sample, Target
from augfn.run.mode import is_plain

FLOAT_BYTES = 4
BLOCK_BYTES = 1_250_000  # of input for each thread, on a machine with 2 MB of L2 cache per core
LARGER = {Geometric: 2, Pixels: 4}  # times as much for one call of a library kernel, which has a cost of its own
RETAINED = 31 * 2**20


def in_blocks(actions: list[Action], sample: Sample) -> Sample:
    """`run(actions, sample)` of an untracked call, slice by slice where that is possible and pays."""
    if not worthwhile(sample, actions) or any(isinstance(a, Mixing) for a in actions):
        return run(actions, sample)
    leaves, tree = tree_flatten(values_of(sample))
    step = slice_length(sample, leaves, actions)
    if step is None:
        return run(actions, sample)
    keep_freed_memory()
    total = sample.batch[0]
    cuts = [slice(i, min(i + step, total)) for i in range(0, total, step)]
    done = run_slice(actions, sample, leaves, tree, cuts[0])
    outs, out_tree = tree_flatten(values_of(done))
    wholes = [x.new_empty((total, *x.shape[1:])) for x in outs]
    for cut in cuts:
        new = outs if cut is cuts[0] else tree_flatten(values_of(run_slice(actions, sample, leaves, tree, cut)))[0]
        for whole, piece in zip(wholes, new, strict=True):
            whole[cut] = piece
    values = tree_unflatten(wholes, out_tree)
    return replace(done, targets=with_values(sample, values), batch=sample.batch)


def run(actions: list[Action], sample: Sample) -> Sample:
    for action in actions:
        sample = apply(action, sample)
    return sample


def run_slice(actions: list[Action], sample: Sample, leaves: list[Tensor], tree: Any, cut: slice) -> Sample:
    values = tree_unflatten([x[cut] for x in leaves], tree)
    batch = (cut.stop - cut.start, *sample.batch[1:])
    small = replace(sample, targets=with_values(sample, values), batch=batch)
    return run([a.part(cut) for a in actions], small)  # type: ignore[union-attr]


def values_of(sample: Sample) -> dict[str, Any]:
    return {n: t.value for n, t in sample.targets.items()}


def with_values(sample: Sample, values: dict[str, Any]) -> dict[str, Target]:
    return {n: Target(t.kind, values[n]) for n, t in sample.targets.items()}


def worthwhile(sample: Sample, actions: list[Action]) -> bool:
    """A cheap first look: a batch on the CPU whose frames fill more than one block, and more than one pass over it."""
    if not sample.batch or sample.device.type != "cpu" or (len(actions) == 1 and is_one_pass(actions[0])):
        return False
    return math.prod(sample.batch) * math.prod(sample.size) * FLOAT_BYTES > BLOCK_BYTES / 3


def is_one_pass(action: Action) -> bool:
    """True if it reads and writes the image once: to gather slices of it would be a pass more."""
    if isinstance(action, Geometric):
        m = action.map
        copies = m.copy is not None and m.gate is None and (m.place is None or m.window)
        return copies or m.resize or (m.window and m.copy is None and not action.sampling.antialias)
    return isinstance(action, Color | Occlusion) or (
        isinstance(action, Pixels) and action.single_pass and action.gate is None
    )


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let glibc keep what slices free, rather than give it back to the system and fault it in again, slice after slice.

    Its malloc raises that threshold (to 32 MB at most) to the size of the largest mapped block that was ever freed: so
    one untouched block is taken and freed, which costs nothing and does what any program with large tensors does.
    """
    torch.empty(RETAINED, dtype=torch.uint8)


def block_bytes(action: Action) -> int:
    """More for one call of a library's kernel, a resample or a convolution."""
    resamples = isinstance(action, Geometric) and action.map.copy is None
    convolves = isinstance(action, Pixels) and action.convolves
    return BLOCK_BYTES * (LARGER[type(action)] if resamples or convolves else 1)


def slice_length(sample: Sample, leaves: list[Tensor], actions: list[Action]) -> int | None:
    """Samples per slice; None where the batch is small, or its tensors are no plain ones."""
    size = sum(x.numel() * x.element_size() for x in leaves)
    if size == 0:
        return None
    threads, block = torch.get_num_threads(), min(map(block_bytes, actions), default=BLOCK_BYTES)
    step = threads * max(1, round(sample.batch[0] * block / size))  # the sampling kernel runs a thread per sample
    return None if step * 2 > sample.batch[0] or not is_plain(*leaves) else step

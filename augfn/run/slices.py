"""Slices: run planned actions over a large batch in parts that stay in the cache.

On a CPU a chain of full-batch passes is bound by page faults of fresh memory, not by arithmetic (a 38 MB multiply
takes 9 ms, of which 0.5 ms is arithmetic). Since what an action holds leads with the batch, its result is the
concatenation of its results on slices: so large eager batches are run slice by slice. Traced, transformed and CUDA
calls run whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map

from augfn.core.actions import Action, Blend, Color, Convert, Geometric, Occlusion, Pixels, Size
from augfn.core.rules import touches
from augfn.core.targets import Sample, Target
from augfn.run.mode import below_autograd, is_plain
from augfn.run.rows import on_rows, open_rows, run
from augfn.run.slopes import fresh_ends

FLOAT_BYTES = 4
BLOCK_BYTES = 1_250_000  # of input for each thread, on a machine with 2 MB of L2 cache per core
LARGER = {Geometric: 2, Pixels: 4, Blend: 4}  # times as much for what has a cost of its own for each slice
RETAINED = 31 * 2**20
SHARE = 12  # a slice of the backward pass is at most this part of the batch, since some thirty times as much is held
FEW = 0.5  # share of open rows up to which they are gathered from the whole batch

Wholes = dict[str, tuple[list[Tensor], Any]]  # by target: its tensors and their tree


def in_slices(actions: list[Action], sample: Sample) -> Sample:
    """`run(actions, sample)` of an untracked call. An action that few samples meet runs on those alone, all others
    slice by slice."""
    if not is_large(sample) or any(a.mixes or a.retimes for a in actions):
        return run(actions, sample)
    keep_freed_memory()
    waiting: list[Action] = []
    owned: set[str] = set()
    for action in actions:
        rows = few_rows(action)
        if rows is None:
            waiting.append(action)
            continue
        if not rows:
            continue
        sample, waiting = sliced(waiting, sample, owned), []
        step = slice_length(sample, [action]) or len(rows)
        for cut in cuts(len(rows), step):
            sample = on_rows(action, rows[cut], sample, owned)
    return sliced(waiting, sample, owned)


def is_large(sample: Sample) -> bool:
    """A cheap first look: a batch on the CPU whose frames fill more than one block."""
    frames = math.prod(sample.batch) * math.prod(sample.size)
    return bool(sample.batch) and sample.device.type == "cpu" and frames * FLOAT_BYTES > BLOCK_BYTES / 3


def few_rows(action: Action) -> list[int] | None:
    """The open rows, where they are few."""
    rows = None if action.gate is None else open_rows(action.gate)
    return rows if rows is not None and len(rows) <= FEW * action.gate.numel() else None  # type: ignore[union-attr]


def sliced(actions: list[Action], sample: Sample, owned: set[str]) -> Sample:
    """The actions, slice by slice where that pays; what they change is written to tensors that are `owned`."""
    step = None if not actions or (len(actions) == 1 and is_one_pass(actions[0])) else slice_length(sample, actions)
    if step is None:
        return run(actions, sample, owned)
    wholes: Wholes = {}
    size = sample.size
    mine = set() if any(isinstance(a, Pixels) and a.foreign for a in actions) else owned  # it may hold what it saw
    for cut in cuts(sample.batch[0], step):
        size = write(actions, sample, cut, mine, wholes)
    new = {n: Target(sample.targets[n].kind, tree.unflatten(tensors)) for n, (tensors, tree) in wholes.items()}
    owned.update(new)
    return sample.changed({**sample.targets, **new}, size)


def write(actions: list[Action], sample: Sample, cut: slice, owned: set[str], wholes: Wholes) -> Size:
    """What the actions make of a slice, into what is to hold the whole. (A function, so that nothing of a slice is held
    when the next one wants the memory that is in the cache.)"""
    small = part(sample, cut)
    done = run(of_slice(actions, cut), small, set(owned))
    for name, t in done.targets.items():
        if t is small.targets[name] and name not in wholes:
            continue
        pieces, tree = tree_flatten(t.value)
        if name not in wholes:
            old = tree_leaves(sample.targets[name].value)
            if name in owned and all(alike(a, b) for a, b in zip(old, pieces, strict=True)):
                wholes[name] = old, tree
            else:
                wholes[name] = [x.new_empty((sample.batch[0], *x.shape[1:])) for x in pieces], tree
                before = slice(0, cut.start)  # the slices so far, which were not changed
                fill(wholes[name][0], [x[before] for x in old], before)
        fill(wholes[name][0], pieces, cut)
    return done.size


def of_slice(actions: Iterable[Action], cut: slice) -> list[Action]:
    """The actions for a slice, without those that none of its samples meets: of a policy's many, most."""
    found = []
    for a in actions:
        if a.gate is not None and open_rows(a.gate[cut]) == []:
            continue
        if isinstance(a, Blend):
            branches = tuple(tuple(of_slice(branch, cut)) for branch in a.branches)
            found.append(replace(replace(a, branches=()).rows(cut), branches=branches, moves=a.moving))
        else:
            found.append(a.rows(cut))
    return found


def alike(a: Tensor, b: Tensor) -> bool:
    return a.shape[1:] == b.shape[1:] and a.dtype == b.dtype


def fill(wholes: list[Tensor], pieces: list[Tensor], cut: slice) -> None:
    if cut.stop:
        for whole, piece in zip(wholes, pieces, strict=True):
            place = whole[cut]
            if whole.untyped_storage().data_ptr() != piece.untyped_storage().data_ptr():
                place.copy_(piece)
            elif (place.data_ptr(), place.stride()) != (piece.data_ptr(), piece.stride()):
                place.copy_(piece.clone())


def cuts(total: int, step: int) -> list[slice]:
    return [slice(i, min(i + step, total)) for i in range(0, total, step)]


def part(sample: Sample, cut: slice) -> Sample:
    targets = {n: Target(t.kind, tree_map(lambda x: x[cut], t.value)) for n, t in sample.targets.items()}
    return replace(sample, targets=targets, batch=(cut.stop - cut.start, *sample.batch[1:]))


def is_one_pass(action: Action) -> bool:
    """True if it reads and writes the image once: to gather slices of it would be a pass more."""
    if isinstance(action, Geometric):
        m = action.map
        copies = m.gather is not None and (m.gather.offsets is None or m.axis_aligned)
        return copies or m.resize or (m.axis_aligned and m.gather is None and not action.sampling.antialias)
    return isinstance(action, Color | Convert | Occlusion) or (isinstance(action, Pixels) and action.single_pass)


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let glibc keep what slices free, rather than give it back to the system and fault it in again, slice after slice.

    Its malloc raises that threshold (to 32 MB at most) to the size of the largest mapped block that was ever freed: so
    one untouched block is taken and freed, which costs nothing and does what any program with large tensors does.
    """
    torch.empty(RETAINED, dtype=torch.uint8)


def block_bytes(action: Action) -> int:
    """More for one call of a library's kernel, a resample or a convolution, and for a blend of many steps."""
    resamples = isinstance(action, Geometric) and action.map.gather is None
    convolves = isinstance(action, Pixels) and action.convolves
    return BLOCK_BYTES * (LARGER[type(action)] if resamples or convolves or isinstance(action, Blend) else 1)


def slice_length(sample: Sample, actions: list[Action]) -> int | None:
    """Samples per slice; None where the batch is small, or its tensors are no plain ones."""
    leaves = tensors_of(sample)
    size = sum(x.numel() * max(x.element_size(), FLOAT_BYTES) for x in leaves)
    if size == 0:
        return None
    threads, block = torch.get_num_threads(), min(map(block_bytes, actions), default=BLOCK_BYTES)
    step = threads * max(1, round(sample.batch[0] * block / size))  # the sampling kernel runs a thread per sample
    return None if step * 2 > sample.batch[0] or not is_plain(*leaves) else step


def tensors_of(sample: Sample) -> list[Tensor]:
    return tree_leaves([t.value for t in sample.targets.values()])


# differentiated


def differentiated(actions: list[Action], sample: Sample) -> Sample:
    """`run(actions, sample)` of a call that autograd records: forward as an untracked one, and in the backward pass
    recomputed slice by slice, so that no pass over the batch is kept."""
    if not is_large(sample) or any(a.mixes or a.retimes for a in actions):
        return run(actions, sample)
    step = slice_length(sample, actions)
    if step is None:
        return run(actions, sample)
    few = max(torch.get_num_threads(), sample.batch[0] // SHARE)
    job = Job(actions, sample, min(step, few))
    outs = Recomputed.apply(job, *job.tensors())
    return job.joined(sample, outs)


class Job:
    """Actions on a sample as a function of tensors, those of the targets and those of the actions."""

    def __init__(self, actions: list[Action], sample: Sample, step: int) -> None:
        self.actions, self.sample, self.step = actions, sample, step
        self.leads = [True] * len(tensors_of(sample))
        for a in actions:
            a.mapped(lambda t, leads: self.leads.append(leads) or t)
        self.changed: dict[str, Any] = {}
        self.size = sample.size

    def tensors(self) -> list[Tensor]:
        return tensors_of(self.sample) + [t for a in self.actions for t in a.tensors()]

    def on(self, tensors: Sequence[Tensor], batch: Size) -> tuple[list[Action], Sample]:
        """The actions and the sample with other tensors."""
        values = iter(tensors)
        targets = {n: Target(t.kind, tree_map(lambda _: next(values), t.value)) for n, t in self.sample.targets.items()}
        return [a.mapped(lambda _t, _: next(values)) for a in self.actions], replace(
            self.sample, targets=targets, batch=batch
        )

    def outputs(self, after: Sample) -> list[Tensor]:
        """The tensors of the targets that the job changes (as its forward pass found)."""
        return [x for n in self.changed for x in tree_leaves(after.targets[n].value)]

    def run(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The forward pass, which finds what is changed."""
        actions, sample = self.on(tensors, self.sample.batch)
        done = in_slices(actions, sample)
        trees = {n: tree_flatten(t.value) for n, t in done.targets.items() if t is not sample.targets[n]}
        self.changed, self.size = {n: (tree, len(values)) for n, (values, tree) in trees.items()}, done.size
        return self.outputs(done)

    def learns(self) -> list[bool]:
        """Of each output, whether a gradient can reach anything through it."""
        moving = [a for a in self.actions if any(t.requires_grad for t in a.tensors())]
        out = []
        for name, (_, n) in self.changed.items():
            t = self.sample.targets[name]
            own = any(x.requires_grad for x in tree_leaves(t.value))
            out += [own or any(touches(a, t.kind) for a in moving)] * n
        return out

    def joined(self, sample: Sample, outs: Sequence[Tensor]) -> Sample:
        values, targets = iter(outs), dict(sample.targets)
        for name, (tree, n) in self.changed.items():
            targets[name] = Target(targets[name].kind, tree.unflatten([next(values) for _ in range(n)]))
        return sample.changed(targets, self.size)

    def slopes(
        self, tensors: Sequence[Tensor], batch: Size, wanted: list[Tensor], slope: Sequence[Any], **known: Any
    ) -> Any:
        """The gradients to the wanted tensors, by plain autograd."""
        with torch.enable_grad():
            outs = self.outputs(run(*self.on(tensors, batch)))
            pairs = [(y, g) for y, g in zip(outs, slope, strict=True) if g is not None and y.requires_grad]
        if not pairs:
            return [None] * len(wanted)
        return torch.autograd.grad([y for y, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True, **known)

    def write_slopes(
        self, tensors: Sequence[Tensor], needs: Sequence[bool], slope: Sequence[Any], cut: slice, total: list[Any]
    ) -> None:
        """Those of one slice, into the total of the tensors that need one. (A function of its own, as `write`.)"""
        given = list(zip(tensors, self.leads, needs, strict=True))
        small = [(t[cut] if leads else t).detach().requires_grad_(need) for t, leads, need in given]
        pieces = [g if g is None else g[cut] for g in slope]
        batch = (cut.stop - cut.start, *self.sample.batch[1:])
        found = iter(self.slopes(small, batch, [t for t in small if t.requires_grad], pieces))
        for whole, leads in zip(total, self.leads, strict=True):
            if whole is None:
                continue
            piece = next(found)
            if leads:
                whole[cut] = 0.0 if piece is None else piece
            elif piece is not None:
                whole.add_(piece)


class Recomputed(torch.autograd.Function):
    """A job whose intermediate results are not kept."""

    @staticmethod
    def forward(ctx: Any, job: Job, *tensors: Tensor) -> tuple[Tensor, ...]:
        with below_autograd():
            outs = job.run([t.detach() for t in tensors])
        ctx.job = job
        ctx.save_for_backward(*tensors)
        ctx.mark_non_differentiable(
            *[y for y, learns in zip(outs, job.learns(), strict=True) if not (learns and y.is_floating_point())]
        )
        ctx.set_materialize_grads(False)
        return tuple(outs)

    @staticmethod
    def backward(ctx: Any, *slope: Tensor | None) -> tuple[Tensor | None, ...]:
        job, tensors, needs = ctx.job, ctx.saved_tensors, ctx.needs_input_grad[1:]
        batch = job.sample.batch
        if torch.is_grad_enabled():  # a gradient of the gradient is wanted
            tensors = fresh_ends(tensors)
            wanted = [t for t, need in zip(tensors, needs, strict=True) if need]
            found = iter(job.slopes(tensors, batch, wanted, slope, create_graph=True))
            return (None, *[next(found) if need else None for need in needs])
        total: list[Tensor | None] = [
            (torch.empty_like(t) if leads else torch.zeros_like(t)) if need else None
            for t, leads, need in zip(tensors, job.leads, needs, strict=True)
        ]
        for cut in cuts(batch[0], job.step):
            job.write_slopes(tensors, needs, slope, cut, total)
        return (None, *total)

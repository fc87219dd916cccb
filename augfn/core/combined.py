"""Combinators' classes: augmentations made of named steps, each a way to plan their actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch

from augfn.core.actions import (
    Action,
    Blend,
    Color,
    Deferred,
    Depths,
    Geometric,
    Mixing,
    Occlusion,
    Pixels,
    Size,
    frame_changes,
)
from augfn.core.augmentation import Augmentation
from augfn.core.called import Called, Custom
from augfn.core.gates import Gate
from augfn.core.patched import Patched
from augfn.core.settings import settings_of
from augfn.errors import explain
from augfn.math.resample import Sampling

Steps = dict[str, Augmentation]
# of branches that exclude each other, so that neighbours fuse
ORDER = (Geometric, Deferred, Color, Pixels, Depths, Occlusion, Called, Custom, Patched, Blend, Mixing)


class Combined(Augmentation):
    """Base of the combinators: named steps, and leaves of its own beside them."""

    def __init__(self, name: str, steps: Steps, params: dict[str, Any], schema: dict[str, Any], **known: Any) -> None:
        known["ndim"], known["spatial"] = common_ndim(name, steps), any(f.spatial for f in steps.values())
        known["mixes"] = any(f.mixes for f in steps.values())
        known["bare"] = next((f.bare for f in steps.values() if f.bare), "")
        known["bounded"] = any(f.bounded for f in steps.values())
        known["foreign"] = any(f.foreign for f in steps.values())
        if not isinstance(self, Pipeline) and any(f.takes_integers or f.gives_integers for f in steps.values()):
            want, fix = (
                "steps that keep the dtype",
                f"put it before or after: af.pipeline(af.to_float(), af.{name}(...))",
            )
            raise ValueError(explain(f"{name}: a conversion cannot be switched per sample", list(steps), want, fix))
        inner = {target: kind for f in steps.values() for target, kind in f.targets.items()}
        known["targets"] = inner | dict(known.get("targets") or {})
        own = params | {n: f.params for n, f in steps.items()}
        super().__init__(name, own, schema | {n: f.schema for n, f in steps.items()}, **known)
        self.steps = steps

    def branches(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[list[Action]]:
        how = self.sampling.within(sampling)
        return [f.plan(params[n], size, how) for n, f in self.steps.items()]

    def __repr__(self) -> str:
        own = {n: v for n, v in self.params.items() if n not in self.steps} | settings_of(self)
        return f"{self.name}({', '.join([*map(repr, self.steps.values()), *(f'{n}={v!r}' for n, v in own.items())])})"


class Pipeline(Combined):
    """Steps one after another; one whose params are left out does nothing (as modules in eval() have it)."""

    def __init__(self, name: str, steps: Steps, params: dict[str, Any], schema: dict[str, Any], **known: Any) -> None:
        first, *_, last = [*steps.values()] * 2
        ends = {"takes_integers": first.takes_integers, "gives_integers": last.gives_integers}
        super().__init__(name, steps, params, schema, **known, **ends)
        for (n, f), (after, g) in pairwise(steps.items()):
            if f.gives_integers and not g.takes_integers:
                given, want = f"{after} after {n}", "integers at the end alone"
                raise ValueError(explain(f"{name}: a step after a conversion to integers", given, want, f"{n} last"))

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        actions: list[Action] = []
        for name, f in self.steps.items():
            if name not in params:
                continue
            for action in f.plan(params[name], size, self.sampling.within(sampling)):
                actions.append(action)
                size = action.size(size)
        return actions


class Maybe(Combined):
    """A step behind a gate."""

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        return switched(self.branches(params, size, sampling), [params["gate"]], size)


class OneOf(Combined):
    """One branch per sample."""

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        return switched(self.branches(params, size, sampling), params["choice"].unbind(), size)


class SomeOf(Combined):
    """Several different branches per sample: in the order given those of the smallest keys, or in the order of their times
    the first; `most` of them."""

    most: int = 0

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        keys, count = params["times" if "times" in params else "keys"], torch.floor(params["count"])
        rank = keys.argsort(-1).argsort(-1)
        slots = [rank < count[..., None]]
        if "times" in params:
            slots = [(rank == i) & (i < count)[..., None] for i in range(self.most)]
        branches = self.branches(params, size, sampling)
        gated = [zip(Gate(slot.to(keys.dtype), True).unbind(), branches, strict=True) for slot in slots]
        return [a for slot in gated for gate, branch in slot for a in guarded(branch, gate, size)]


class Slots(Combined):
    """So many choices in a row, each with draws of its own: the first `count` of its steps."""

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        count = torch.floor(params["count"])
        open_ = [(i < count)[..., None] for i in range(len(self.steps))]
        chosen = {
            n: {**params[n], "choice": replace(params[n]["choice"], value=params[n]["choice"].value * gate)}
            for (n, gate) in zip(self.steps, open_, strict=True)
        }
        return [a for branch in self.branches(params | chosen, size, sampling) for a in branch]


class Mixture(Combined):
    """The sum of the branches' results, and of the sample as it was."""

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        weights = params["weights"] * params["share"][..., None]
        return [Blend(weights, tuple(map(tuple, self.branches(params, size, sampling))))]


class Identity(Augmentation):
    """Nothing is done, in two dimensions and in three."""

    def __init__(self) -> None:
        super().__init__("identity", {}, {}, spatial=False)

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        return []


def switched(branches: list[list[Action]], gates: list[Gate], size: Size) -> list[Action]:
    """Branches that exclude each other: behind hard gates every action has its own, so that it runs on its rows and
    fuses with its neighbours; else the branches' results are blended. Branches that change the frame end in one."""
    frames = {end_of(branch, size) for branch in branches}
    if not all(stays(branch, size) for branch in branches):
        if len(frames) > 1 or (len(branches) == 1 and frames != {size}):
            raise ValueError(frame_changes(size, next(iter(frames - {size}), size)))
        weights, frame = torch.stack([g.value for g in gates], -1), next(iter(frames))
        return [Blend(weights, tuple(map(tuple, branches)), None if frame == size else frame, gates[0].hard)]
    pairs = [(a, g) for branch, g in zip(branches, gates, strict=True) for a in branch]
    if not gates[0].hard:
        mixes = [(a, g) for a, g in pairs if a.mixes]  # whose weight is a blend itself
        others = [tuple(a for a in branch if not a.mixes) for branch in branches]
        some = [(branch, g.value) for branch, g in zip(others, gates, strict=True) if branch]
        for a, g in pairs:
            a.gated(g, size)  # which raises where the frame changes
        weights = [Blend(torch.stack([g for _, g in some], -1), tuple(branch for branch, _ in some))] if some else []
        return [*weights, *at_once([(a.gated(g, size), g) for a, g in mixes])]
    if all(len(branch) <= 1 for branch in branches):
        pairs.sort(key=lambda pair: ORDER.index(type(pair[0])))
    return at_once([(a.gated(g, size), g) for a, g in pairs])


def at_once(pairs: list[tuple[Action, Gate]]) -> list[Action]:
    """Neighbouring mixes of branches that exclude each other as one, so that each finds its partners as they came; the gates
    say of which branch they are."""
    out: list[tuple[Action, Gate]] = []
    for a, g in pairs:
        before, gate = out[-1] if out else (a, g)
        if gate is not g and isinstance(a, Mixing) and isinstance(before, Mixing) and a.own is before.own is None:
            out[-1] = (before.beside(a), g)
        else:
            out.append((a, g))
    return [a for a, _ in out]


def guarded(branch: list[Action], gate: Gate, size: Size) -> list[Action]:
    """A branch behind a gate; as one, where the frame changes on its way."""
    return [a.gated(gate, size) for a in branch] if stays(branch, size) else switched([branch], [gate], size)


def end_of(branch: Sequence[Action], size: Size) -> Size:
    """The frame that comes out of a branch."""
    for a in branch:
        size = a.size(size)
    return size


def stays(branch: Sequence[Action], size: Size) -> bool:
    """True if no action of a branch changes the frame."""
    return all(a.size(size) == size for a in branch)


def common_ndim(what: str, steps: Steps) -> int:
    """3 if there is a 3-D op, else 2; geometry of both worlds does not mix."""
    flat = [n for n, f in steps.items() if f.ndim == 2 and f.spatial]
    deep = [n for n, f in steps.items() if f.ndim == 3]
    if flat and deep:
        raise ValueError(
            explain(
                f"{what}: 2-D and 3-D steps together",
                {"2-D": flat, "3-D": deep},
                "one of both",
                "use affine3d, hflip3d, ... for volumes",
            )
        )
    return 3 if deep else 2

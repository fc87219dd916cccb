"""Combinators: augmentations made of augmentations, with params nested under the steps' names."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from augfn.core.actions import Action, Blend, Color, Deferred, Geometric, Mixing, Occlusion, Pixels, Size, frame_changes
from augfn.core.augmentation import Augmentation
from augfn.core.gates import Gate
from augfn.core.rules import SOFT
from augfn.core.spec import as_leaf, gate_of
from augfn.core.targets import FRAMED, kind_of
from augfn.distributions import Beta, Choice, Constant, Dirichlet, Distribution, Exponential, Uniform
from augfn.errors import explain
from augfn.math.resample import UNSET, Sampling
from augfn.typing import GATE, Leaf

Steps = dict[str, Augmentation]
CHOICE = Leaf("weights of the branches, one-hot", low=0.0, high=1.0, switch=True)
KEYS = Leaf("sort keys of the branches", low=0.0, high=1.0, flat="an order is piecewise constant in its sort keys")
TIMES = Leaf("when a branch comes", low=0.0, flat="an order is piecewise constant in the times")
WEIGHTS = Leaf("weights of the branches", low=0.0, high=1.0)
SHARE = Leaf("weight of the mixture", neutral=0.0, low=0.0, high=1.0)
COUNT = Leaf("how many branches, rounded down", low=0.0, flat="a whole number of branches is piecewise constant")
# of branches that exclude each other, so that neighbours fuse
ORDER = (Geometric, Deferred, Color, Pixels, Occlusion, Blend, Mixing)


class Combined(Augmentation):
    """Base of the combinators: named steps, and leaves of its own beside them."""

    def __init__(self, name: str, steps: Steps, params: dict[str, Any], schema: dict[str, Any], **known: Any) -> None:
        known["ndim"], known["spatial"] = common_ndim(name, steps), any(f.spatial for f in steps.values())
        known["mixes"] = any(f.mixes for f in steps.values())
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
        return f"{self.name}({', '.join(map(repr, self.steps.values()))})"


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
    the first."""

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        keys, count = params["times" if "times" in params else "keys"], torch.floor(params["count"])
        rank = keys.argsort(-1).argsort(-1)
        slots = [rank < count[..., None]]
        if "times" in params:
            slots = [(rank == i) & (i < count)[..., None] for i in range(self.most())]
        branches = self.branches(params, size, sampling)
        gated = [zip(Gate(slot.to(keys.dtype), True).unbind(), branches, strict=True) for slot in slots]
        return [a for slot in gated for gate, branch in slot for a in guarded(branch, gate, size)]

    def most(self) -> int:
        """The largest number of branches that are drawn."""
        return most_of(self.params["count"], len(self.steps))


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
        return [*weights, *(a.gated(g, size) for a, g in mixes)]
    if all(len(branch) <= 1 for branch in branches):
        pairs.sort(key=lambda pair: ORDER.index(type(pair[0])))
    return [a.gated(g, size) for a, g in pairs]


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


def named(steps: Sequence[Any], keywords: Mapping[str, Any], what: str) -> Steps:
    """Steps by name: their op's, the next one of that name with `_2`, or the keyword's."""
    out: Steps = {}
    for given, f in [*((None, f) for f in steps), *keywords.items()]:
        if getattr(f, "many", False):
            want, fix = "steps of which one image comes out", "views last: af.views(af.pipeline(...), 2)"
            raise ValueError(explain(f"{what}: views within", f, want, fix))
        if not isinstance(f, Augmentation):
            fix = "pass af.<op>(...)"
            if given is not None and not callable(f):
                fix = f"leave {given}= out: a keyword of {what} is a step with a name of its own"
            elif isinstance(f, list | tuple):
                fix = f"af.{what}(*steps)"
            elif isinstance(getattr(f, "f", None), Augmentation):
                fix = "augfn_nn.AugmentationSequential(...) takes modules and augmentations; or module.f, its ranges as made"
            elif callable(f) and hasattr(f, "spec"):
                fix = f"call it: af.{f.__name__}(...)"
            raise TypeError(
                explain(f"{what}: a step is not an augmentation", f, "augmentations, such as af.hflip(p=0.5)", fix)
            )
    for f in steps:
        name, n = f.name, 2
        while name in out or name in keywords:
            name, n = f"{f.name}_{n}", n + 1
        out[name] = f
    if not out and not keywords:
        raise ValueError(
            explain(f"{what}: no steps", "nothing", "at least one augmentation", f"af.{what}(af.hflip(p=0.5))")
        )
    return out | dict(keywords)


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


def pipeline(
    *steps: Augmentation,
    targets: Mapping[str, str] | None = None,
    interpolation: str | Mapping[str, str] | None = None,
    padding_mode: str | None = None,
    fill: float | tuple[float, ...] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
    fuse: bool = True,
    **named_steps: Augmentation,
) -> Pipeline:
    """Steps one after another, fused where neighbours are of one kind; itself an augmentation.

    * `targets`: kinds of names that do not tell them, `{"seg": "mask"}`; what is of the kind "other" (paths, ids,
      metadata of any type) passes through untouched.
    * `interpolation` may be given for each target, by its name or kind: `{"image": "bicubic", "depth": "bilinear"}`;
      it goes before what the steps inside set for themselves. Masks are always read nearest (a
      `softmask` between pixels).
    * `interpolation`, `padding_mode`, `fill`, `fill_mask`, `antialias`: for the steps that do not set their own.
    * `fuse=False` keeps every step literal (the outermost pipeline's word counts).

    >>> import augfn as af
    >>> f = af.pipeline(af.hflip(p=0.5), af.rotate(), warp=af.rotate(degrees=5))
    >>> y, params = f(torch.rand(2, 3, 8, 8), None, af.key(0))
    >>> list(params)
    ['hflip', 'rotate', 'warp']
    >>> f(torch.rand(2, 3, 16, 16), params)[1] == params
    True
    """
    for target in targets or {}:
        kind_of(target, targets or {})
    each: tuple[tuple[str, str], ...] = ()
    if isinstance(interpolation, Mapping):
        each = own_reading(interpolation, {**inner_targets((*steps, *named_steps.values())), **(targets or {})})
        interpolation = None
    own = Sampling(interpolation, padding_mode, fill, fill_mask, antialias, each)
    known = {"targets": targets, "sampling": UNSET if own == UNSET else own, "fused": fuse}
    return Pipeline("pipeline", named(steps, named_steps, "pipeline"), {}, {}, **known)


def inner_targets(steps: Sequence[Any]) -> dict[str, str]:
    return {k: v for f in steps for k, v in getattr(f, "targets", {}).items()}


def own_reading(interpolation: Mapping[str, str], targets: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Checked: names of targets that are read between pixels."""
    for name, how in interpolation.items():
        kind = kind_of(name, targets)
        if kind not in (*FRAMED, *SOFT):
            want, fix = "targets that are read between pixels", f'call it a softmask: targets={{"{name}": "softmask"}}'
            raise ValueError(explain(f"interpolation of {name!r}, of the kind {kind}", how, want, fix))
    return tuple(interpolation.items())


def maybe(f: Augmentation, p: Any = 0.5) -> Maybe:
    """`f` with probability p per sample; p is a number or a distribution of gates.

    >>> import augfn as af
    >>> y, params = af.maybe(af.brightness(factor=0.5), p=0.5)(torch.ones(4, 1, 1, 1), None, af.key(0))
    >>> torch.equal(y.flatten(), 1 - params["gate"] / 2)
    True
    """
    return Maybe("maybe", named([f], {}, "maybe"), {"gate": gate_of("maybe", p)}, {"gate": GATE})


def one_of(*branches: Augmentation, weights: Any = None, **named_branches: Augmentation) -> OneOf:
    """One branch per sample, chosen by selecting the small object: twenty geometric branches are one resample.

    `weights`: relative probabilities `[n]`, or a distribution of one-hot vectors such as GumbelChoice. Branches keep
    the shape. With relaxed (not one-hot) weights each branch is applied in part, one after another.

    >>> import augfn as af
    >>> f = af.one_of(af.brightness(factor=0.25), af.brightness(factor=0.5), weights=[1.0, 3.0])
    >>> y, params = f(torch.ones(4, 1, 1, 1), None, af.key(0))
    >>> torch.equal(y.flatten(), params["choice"] @ torch.tensor([0.25, 0.5]))
    True
    """
    steps = named(branches, named_branches, "one_of")
    if isinstance(weights, Tensor) and weights.requires_grad:
        given, want = weights, "a distribution that learns: logits behind a relaxation"
        raise ValueError(explain("one_of: weights cannot learn", given, want, "weights=af.GumbelChoice(logits)"))
    choice = (
        weights if isinstance(weights, Distribution) else Choice([1.0] * len(steps) if weights is None else weights)
    )
    if choice.shape != (len(steps),):
        raise ValueError(
            explain("one_of: weights do not match", choice, f"{len(steps)} weights", "give one per branch")
        )
    return OneOf("one_of", steps, {"choice": choice}, {"choice": CHOICE.sized(len(steps))})


def some_of(
    n: int | tuple[int, int],
    *branches: Augmentation,
    replace: bool = False,
    order: str = "given",
    weights: Sequence[float] | None = None,
    **named_branches: Augmentation,
) -> SomeOf | Slots:
    """n of the branches per sample; n is an int, or an inclusive range drawn per sample.

    * By default different branches in the order given; `order="random"`: in random order.
    * `replace=True`: n choices in a row, which may be the same branch again, each time with a draw of its own.
    * `weights`: relative probabilities of the branches; without replacement those of what is left.

    The leaf `count` is how many there are, up to the largest n; `keys` or, in random order, `times` say which.

    >>> import augfn as af
    >>> f = af.some_of(2, af.hflip(), af.vflip(), af.invert())
    >>> _, params = f(torch.rand(5, 3, 4, 4), None, af.key(0))
    >>> params["keys"].shape
    torch.Size([5, 3])
    >>> list(af.some_of((1, 2), af.rotate(), af.invert(), replace=True).params)
    ['count', 'one_of', 'one_of_2']
    """
    steps = named(branches, named_branches, "some_of")
    low, high = (n, n) if isinstance(n, int) else n
    if not 0 <= low <= high or (high > len(steps) and not replace):
        want = "0 <= low <= high" + f" <= {len(steps)}" * (not replace)
        raise ValueError(explain("some_of: bad count", n, want, "some_of((1, 2), ...)"))
    if order not in ("given", "random"):
        raise ValueError(explain("some_of: order", order, "'given' or 'random'", 'order="random"'))
    if weights is not None and (len(weights) != len(steps) or (order == "given" and not replace)):
        fix = 'some_of(n, ..., weights=[...], order="random"), or replace=True'
        raise ValueError(explain("some_of: weights", weights, f"{len(steps)} weights, and a random order", fix))
    count = Constant(float(low)) if low == high else Uniform(float(low), float(high + 1))
    if replace:
        slots = named([one_of(weights=weights, **steps)] * high, {}, "some_of")
        return Slots("some_of", slots, {"count": count}, {"count": COUNT})
    if order == "random":
        times = Exponential([1.0] * len(steps) if weights is None else list(map(float, weights)))
        return SomeOf(
            "some_of", steps, {"times": times, "count": count}, {"times": TIMES.sized(len(steps)), "count": COUNT}
        )
    keys = Uniform([0.0] * len(steps), [1.0] * len(steps))
    return SomeOf("some_of", steps, {"keys": keys, "count": count}, {"keys": KEYS.sized(len(steps)), "count": COUNT})


def most_of(count: Any, n: int) -> int:
    """The largest whole number that a count may be."""
    if isinstance(count, Constant):
        return int(count.value)
    return min(n, math.ceil(float(count.high)) - 1) if isinstance(count, Uniform) else n


def mixture(*branches: Augmentation, weights: Any = None, share: Any = None, **named_branches: Augmentation) -> Mixture:
    """The weighted sum of the branches' results, mixed with the sample as it was: y = (1 - share) x + share sum_i
    weights_i branch_i(x). By default weights are Dirichlet(1, ..., 1) and the share is Beta(1, 1), as in AugMix.

    Masks, boxes and keypoints cannot be summed: they are those of the largest weight.

    >>> import augfn as af
    >>> f = af.mixture(af.brightness(factor=0.5), af.identity(), weights=af.Constant([0.5, 0.5]), share=1.0)
    >>> f(torch.ones(1, 1, 1, 1), None, af.key(0))[0].item()
    0.75
    """
    steps = named(branches, named_branches, "mixture")
    if any(f.mixes for f in steps.values()):
        want, fix = "steps of one image", "mix before or after: af.pipeline(af.mixture(...), af.mixup())"
        raise ValueError(explain("mixture: a step that mixes the samples of a batch", list(steps), want, fix))
    n = len(steps)
    weights = weights if weights is not None else Dirichlet([1.0] * n) if n > 1 else Constant([1.0])
    share = Beta(1.0, 1.0) if share is None else share
    leaves = {"weights": WEIGHTS.sized(n), "share": SHARE}
    params = {
        name: as_leaf("mixture", name, leaf, v)
        for (name, leaf), v in zip(leaves.items(), (weights, share), strict=True)
    }
    return Mixture("mixture", steps, params, leaves)


def identity() -> Identity:
    """Nothing: a branch of a choice, or what a policy without an augmentation is.

    >>> import augfn as af
    >>> x = torch.rand(2, 3, 4, 4)
    >>> af.identity()(x)[0] is x
    True
    """
    return Identity()


def repeat(f: Augmentation, n: int) -> Pipeline:
    """`f` n times in a row, with draws of its own each time.

    >>> import augfn as af
    >>> list(af.repeat(af.rotate(), 2).params)
    ['rotate', 'rotate_2']
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(explain("repeat: bad count", n, "a positive whole number", "repeat(f, 2)"))
    return Pipeline("repeat", named([f] * n, {}, "repeat"), {}, {})

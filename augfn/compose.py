"""Combinators: augmentations made of augmentations, with params nested under the steps' names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

from torch import Tensor

from augfn.core.augmentation import Augmentation
from augfn.core.combined import Identity, Maybe, Mixture, OneOf, Pipeline, Slots, SomeOf, Steps
from augfn.core.rules import SOFT
from augfn.core.spec import as_leaf, gate_of
from augfn.core.targets import FRAMED, kind_of
from augfn.distributions import Beta, Choice, Constant, Dirichlet, Distribution, Exponential, Uniform
from augfn.errors import explain
from augfn.math.resample import UNSET, Sampling
from augfn.typing import GATE, Leaf

CHOICE = Leaf("weights of the branches, one-hot", low=0.0, high=1.0, switch=True)
KEYS = Leaf("sort keys of the branches", low=0.0, high=1.0, flat="an order is piecewise constant in its sort keys")
TIMES = Leaf("when a branch comes", low=0.0, flat="an order is piecewise constant in the times")
WEIGHTS = Leaf("weights of the branches", low=0.0, high=1.0)
SHARE = Leaf("weight of the mixture", neutral=0.0, low=0.0, high=1.0)
COUNT = Leaf(
    "how many branches, rounded down",
    low=0.0,
    flat="a whole number of branches is piecewise constant",
)


def named(steps: Sequence[Any], keywords: Mapping[str, Any], what: str) -> Steps:
    """Steps by name: their op's, the next one of that name with `_2`, or the keyword's."""
    out: Steps = {}
    for given, f in [*((None, f) for f in steps), *keywords.items()]:
        if getattr(f, "many", False):
            want = "steps of which one image comes out"
            fix = "views last: af.views(af.pipeline(...), 2); what all views share goes before, in a call of its own"
            raise ValueError(explain(f"{what}: views within", f, want, fix))
        if not isinstance(f, Augmentation):
            fix = "pass af.<op>(...)"
            if given == "p" and not callable(f):
                fix = f"af.maybe(af.{what}(...), p={f})"
            elif given is not None and not callable(f):
                fix = f"leave {given}= out: a keyword of {what} is a step with a name of its own"
            elif what == "maybe" and isinstance(f, int | float):
                fix = f"the step first: af.maybe(af.hflip(), p={f})"
            elif isinstance(f, list | tuple):
                fix = "af.some_of(n, *steps)" if what == "some_of" else f"af.{what}(*steps)"
                fix = "af.maybe(af.pipeline(*steps), p=0.5)" if what == "maybe" else fix
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

    >>> import torch, augfn as af
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

    >>> import torch, augfn as af
    >>> y, params = af.maybe(af.brightness(factor=0.5), p=0.5)(torch.ones(4, 1, 1, 1), None, af.key(0))
    >>> torch.equal(y.flatten(), 1 - params["gate"] / 2)
    True
    """
    return Maybe("maybe", named([f], {}, "maybe"), {"gate": gate_of("maybe", p)}, {"gate": GATE})


def one_of(*branches: Augmentation, weights: Any = None, **named_branches: Augmentation) -> OneOf:
    """One branch per sample, chosen by selecting the small object: twenty geometric branches are one resample.

    `weights`: relative probabilities `[n]`, or a distribution of one-hot vectors such as GumbelChoice. Branches keep
    the shape. With relaxed (not one-hot) weights each branch is applied in part, one after another.

    >>> import torch, augfn as af
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

    >>> import torch, augfn as af
    >>> f = af.some_of(2, af.hflip(), af.vflip(), af.invert())
    >>> _, params = f(torch.rand(5, 3, 4, 4), None, af.key(0))
    >>> params["keys"].shape
    torch.Size([5, 3])
    >>> list(af.some_of((1, 2), af.rotate(), af.invert(), replace=True).params)
    ['count', 'one_of', 'one_of_2']
    """
    steps = named(branches, named_branches, "some_of")
    low, high = n if isinstance(n, list | tuple) and len(n) == 2 else (n, n)
    if (
        not (isinstance(low, Integral) and isinstance(high, Integral))
        or not 0 <= low <= high
        or (high > len(steps) and not replace)
    ):
        want = "whole numbers, 0 <= low <= high" + f" <= {len(steps)}" * (not replace)
        raise ValueError(explain("some_of: bad count", n, want, f"some_of((0, {len(steps)}), ...)"))
    if order not in ("given", "random"):
        raise ValueError(explain("some_of: order", order, "'given' or 'random'", 'order="random"'))
    if weights is not None and (len(weights) != len(steps) or (order == "given" and not replace)):
        fix = 'some_of(n, ..., weights=[...], order="random"), or replace=True'
        raise ValueError(explain("some_of: weights", weights, f"{len(steps)} weights, and a random order", fix))
    count = Constant(float(low)) if low == high else Uniform(float(low), float(high + 1))
    many = dataclasses.replace(COUNT, high=float((high if replace or order == "random" else len(steps)) + 1))
    if replace:
        slots = named([one_of(weights=weights, **steps)] * high, {}, "some_of")
        return Slots("some_of", slots, {"count": count}, {"count": many})
    if order == "random":
        times = Exponential([1.0] * len(steps) if weights is None else list(map(float, weights)))
        return SomeOf(
            "some_of",
            steps,
            {"times": times, "count": count},
            {"times": TIMES.sized(len(steps)), "count": many},
            most=high,
        )
    keys = Uniform([0.0] * len(steps), [1.0] * len(steps))
    return SomeOf("some_of", steps, {"keys": keys, "count": count}, {"keys": KEYS.sized(len(steps)), "count": many})


def mixture(*branches: Augmentation, weights: Any = None, share: Any = None, **named_branches: Augmentation) -> Mixture:
    """The weighted sum of the branches' results, mixed with the sample as it was: y = (1 - share) x + share sum_i
    weights_i branch_i(x). By default weights are Dirichlet(1, ..., 1) and the share is Beta(1, 1), as in AugMix.

    Weights sum to 1; what they lack of it is the sample as it was. Masks, boxes and keypoints cannot be summed: they are those of
    the largest weight.

    >>> import torch, augfn as af
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

    >>> import torch, augfn as af
    >>> x = torch.rand(2, 3, 4, 4)
    >>> af.identity()(x)[0] is x
    True
    """
    return Identity()


def repeat(f: Augmentation, n: int) -> Pipeline:
    """`f` n times in a row, with draws of its own each time.

    >>> import torch, augfn as af
    >>> list(af.repeat(af.rotate(), 2).params)
    ['rotate', 'rotate_2']
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(explain("repeat: bad count", n, "a positive whole number", "repeat(f, 2)"))
    return Pipeline("repeat", named([f] * n, {}, "repeat"), {}, {})

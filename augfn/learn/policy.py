"""Policies that learn: logits for ops and probabilities, ranges for magnitudes, in an augmentation's own params."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from augfn import compose, random
from augfn.core.augmentation import Augmentation, Op
from augfn.core.combined import Maybe, Mixture, OneOf, Slots, SomeOf
from augfn.core.draw import Params, leaves_of, nested
from augfn.core.intervals import in_order, limits_of
from augfn.distributions import (
    Bernoulli,
    Choice,
    Constant,
    Distribution,
    GumbelChoice,
    Interval,
    LogitBernoulli,
    LogitChoice,
    Magnitude,
    RelaxedBernoulli,
)
from augfn.errors import explain, unknown
from augfn.math.folding import Limits, folded
from augfn.ops import filters, geometric, photometric, tone
from augfn.typing import Leaf

# what a gate and a choice become, from their logits
ESTIMATORS: dict[str, tuple[Callable[..., Distribution], Callable[..., Distribution]]] = {
    "straight-through": (RelaxedBernoulli, GumbelChoice),
    "relaxed": (partial(RelaxedBernoulli, hard=False), partial(GumbelChoice, hard=False)),
    "score": (LogitBernoulli, LogitChoice),
}
LEARNED: dict[type, tuple[str, ...]] = {Magnitude: ("level",)}  # where it is not all fields but the settings


def learnable(
    f: Augmentation,
    estimator: str = "straight-through",
    *,
    temperature: float = 0.5,
    fixed: str | Sequence[str] = (),
    noise: float = 0.0,
    key: Tensor | None = None,
) -> Augmentation:
    """The same augmentation, whose gates, choices and ranges learn: its params hold tensors that require a gradient.

    * A gate of probability p becomes one on the logit of p, a choice one on the logarithms of its weights; the
      distribution is the gradient estimator: "straight-through" (`RelaxedBernoulli`, `GumbelChoice`: 0 or 1, biased, of
      low variance), "relaxed" (the same with `hard=False`: blends of results, which are no images of the policy), "score"
      (`LogitBernoulli`, `LogitChoice`: unbiased, by `surrogate_loss`; each sample costs its own branch alone).
    * Of a range the ends learn, of a `Magnitude` its level, of other distributions all but their settings. Numbers stay, and
      so do gates that are always open or shut, and leaves whose gradient is zero (a threshold, unless with grad="soft").
    * Gates and choices that are relaxed already keep their estimator and temperature; `temperature` is that of the others.
      `fixed`: a path that does not learn, or a step's, or several. `noise`: the standard deviation of what is added to the
      logits, by `key`, so that sub-policies that begin alike do not stay so.

    An optimizer may push a number out of its interval: `augfn.learn.policy.held` gives params inside. Raises
    ValueError for an estimator or a path that there is not, for a temperature that is not positive, a noise that is
    negative, where nothing learns, and for what begins outside of its interval, such as a p above .993 and below 1; TypeError
    for what is no augmentation.

    >>> import augfn as af
    >>> from augfn.learn.policy import tensors_of
    >>> f = learnable(af.pipeline(af.rotate(degrees=(-9.0, 9.0), p=0.5), af.invert(p=1.0)))
    >>> [path for path, leaf in tensors_of(f.params).items() if leaf.requires_grad]
    ['rotate/degrees/low', 'rotate/degrees/high', 'rotate/gate/logits']
    """
    check("learnable", f)
    if estimator not in ESTIMATORS:
        raise ValueError(unknown("estimator", estimator, ESTIMATORS))
    if not temperature > 0:
        raise ValueError(explain("learnable: temperature", temperature, "a number above 0", "temperature=0.5"))
    leaves, gate_and_choice = leaves_of(f.params), ESTIMATORS[estimator]
    fixed = [fixed] if isinstance(fixed, str) else fixed
    for name in fixed:
        if not any(below(path, name) for path in leaves):
            raise ValueError(unknown("leaf to keep fixed", name, leaves))
    if not 0 <= noise < math.inf:
        raise ValueError(explain("learnable: noise", noise, "a standard deviation, 0 or more", "noise=0.1"))
    if noise and key is None:
        raise ValueError(explain("learnable: noise without a key", noise, "a key", "key=af.key(0)"))
    made = []
    for path, leaf in leaves.items():
        if any(below(path, name) for name in fixed):
            made.append(leaf)
            continue
        leaf = relaxed(leaf, gate_and_choice, temperature)
        if not f.meanings[path].flat:
            check_inside(path, started(leaf), f.meanings[path])
        if noise and hasattr(leaf, "logits"):
            shift = noise * random.normal(random.fold_in(key, random.salt(path)), leaf.logits.shape)  # type: ignore[arg-type]
            leaf = leaf.renewed(logits=leaf.logits + shift.to(leaf.logits))
        made.append(leaf if f.meanings[path].flat else started(leaf))
    out = with_params(f, nested(f.params, iter(made)))
    if not any(t.requires_grad for t in tree_flatten(out.params)[0]):
        fix = "give it a range, or p between 0 and 1: af.rotate(degrees=(-9.0, 9.0), p=0.5)"
        raise ValueError(explain("learnable: nothing that learns", f, "at least one range, gate or choice", fix))
    return out


def searchable(
    ops: Mapping[str, Augmentation] | Sequence[Augmentation],
    policies: int = 5,
    stages: int = 2,
    estimator: str = "straight-through",
    *,
    temperature: float = 0.5,
    noise: float = 0.0,
    key: Tensor | None = None,
) -> Augmentation:
    """A policy to search: one of `policies` sub-policies for each image, equally likely, of `stages` choices of an op.

    Each stage has logits for its ops, and each op its own gate and ranges, all of them `learnable`, which says what the other
    arguments are. `ops`: augmentations that keep the frame, by name or not, as they begin; with p below 1 their
    probability learns (`search_space` has Faster AutoAugment's). Sources: Cubuk et al. 2019 (sub-policies); Hataya et al.
    2020 (the relaxation).

    >>> import augfn as af
    >>> f = searchable([af.rotate(degrees=(-9.0, 9.0), p=0.5), af.hflip(p=0.5)], policies=3)
    >>> f(torch.rand(4, 3, 8, 8), None, af.key(0))[1]["one_of"]["policy_1"]["stage_2"]["choice"].shape
    torch.Size([4, 2])
    """
    for what, n in (("policies", policies), ("stages", stages)):
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(explain(f"searchable: {what}", n, "a positive whole number", f"{what}=2"))
    if not ops:
        fix = "searchable([af.rotate(degrees=(-9.0, 9.0), p=0.5), af.hflip(p=0.5)])"
        raise ValueError(explain("searchable: no ops", ops, "at least one augmentation", fix))
    named = compose.named([], ops, "searchable") if isinstance(ops, Mapping) else compose.named(ops, {}, "searchable")
    inner: dict[str, Any] = {f"stage_{j + 1}": compose.one_of(**named) for j in range(stages)}
    f = compose.pipeline(compose.one_of(**{f"policy_{i + 1}": compose.pipeline(**inner) for i in range(policies)}))
    return learnable(f, estimator, temperature=temperature, fixed=["one_of/choice"], noise=noise, key=key)


def search_space(level: float = 0.5, p: float = 0.5) -> dict[str, Augmentation]:
    """Faster AutoAugment's ops, as they begin a search: each with the probability `p`, and a magnitude that is uniform from 0
    to `level`, of either sign; at level 1 it is the op's largest (shear .3, translate .45 of the side, rotate 30 degrees,
    factors of 0 to 2, solarize from 0, posterize to 0 bits). Steps have their "soft" gradients. Source: Hataya et al. 2020.

    >>> list(search_space())[:5]
    ['shear_x', 'shear_y', 'translate_x', 'translate_y', 'rotate']
    """

    def to(end: float, begin: float = 0.0, signed: bool = False, **how: Any) -> Magnitude:
        return Magnitude(level, [begin, end], spread="uniform", signed=signed, **how)

    def factor() -> Magnitude:
        return to(1.0, signed=True, centre=1.0)

    x, y = (1.0, 0.0), (0.0, 1.0)
    turn = float(torch.rad2deg(torch.atan(torch.tensor(0.3))))
    return {
        "shear_x": geometric.shear(shear=to(turn, signed=True, along=x), p=p),
        "shear_y": geometric.shear(shear=to(turn, signed=True, along=y), p=p),
        "translate_x": geometric.translate(translate=to(0.45, signed=True, along=x), p=p),
        "translate_y": geometric.translate(translate=to(0.45, signed=True, along=y), p=p),
        "rotate": geometric.rotate(degrees=to(30.0, signed=True), p=p),
        "brightness": photometric.brightness(factor=factor(), p=p),
        "saturation": photometric.saturation(factor=factor(), p=p),
        "contrast": photometric.contrast(factor=factor(), p=p),
        "sharpness": filters.sharpness(factor=factor(), p=p),
        "solarize": photometric.solarize(threshold=to(0.0, 1.0), grad="soft", p=p),
        "posterize": tone.posterize(bits=to(0.0, 8.0), grad="soft", p=p),
        "autocontrast": tone.autocontrast(p=p),
        "equalize": tone.equalize(grad="soft", p=p),
        "invert": photometric.invert(p=p),
    }


def discrete(f: Augmentation) -> Augmentation:
    """A policy as it is used: gates and choices that learned as plain ones, ranges as they are `held`; nothing learns.

    >>> import augfn as af
    >>> discrete(af.hflip(p=af.RelaxedBernoulli(torch.zeros((), requires_grad=True))))
    hflip(gate=Bernoulli(probs=0.5))
    """
    check("discrete", f)
    tree = held(f.params, f.schema)
    plain = [plain_of(leaf) for leaf in leaves_of(tree).values()]
    spec = tree_flatten(nested(tree, iter(plain)))
    return with_params(f, tree_unflatten([t.detach().clone() for t in spec[0]], spec[1]))


class Share(NamedTuple):
    """How much one op does: the `chance` that it acts on an image, and its `strength` from 0 to 1, the upper end of its
    `Magnitude` (1 where it has none). `mass` is their product."""

    path: str
    name: str
    chance: float
    strength: float

    @property
    def mass(self) -> float:
        return self.chance * self.strength


def shares(f: Augmentation) -> list[Share]:
    """How much each op of a policy does, at its place. (A solarize at level 0 does nothing, however probable it is; so what
    an op does is told by its mass.) Raises ValueError for branches whose chance is not told here: those of a `mixture`, and of a
    `some_of` without replacement or of a number that is drawn.

    >>> import augfn as af
    >>> shares(af.one_of(af.hflip(p=0.5), af.invert(), weights=[3.0, 1.0]))[0]
    Share(path='hflip', name='hflip', chance=0.375, strength=1.0)
    """
    check("shares", f)
    return [*shares_of(discrete(f), "", 1.0)]


def held(params: Params, schema: Params) -> Params:
    """Params in which what learns lies in its interval: folded at the ends (`folded`, never clamped), ranges whose ends have
    crossed in order. A leaf's interval is the op's own, that of logits is -5 to 5.

    >>> import augfn as af
    >>> f = af.hflip(p=af.RelaxedBernoulli(torch.tensor(7.0, requires_grad=True)))
    >>> held(f.params, f.schema)["gate"].logits.detach()
    tensor(3.)
    """
    meanings = leaves_of(schema)
    return nested(params, iter([held_leaf(leaf, meanings[path]) for path, leaf in leaves_of(params).items()]))


def tensors_of(params: Params) -> dict[str, Tensor]:
    """All tensors by their paths, such as "rotate/degrees/low", in the order of torch's tree functions."""
    out: dict[str, Tensor] = {}
    for path, leaf in leaves_of(params).items():
        if isinstance(leaf, Distribution):
            out |= {f"{path}/{n}": getattr(leaf, n) for n in leaf.fields}
        else:
            out[path] = leaf
    return out


def with_params(f: Augmentation, params: Params) -> Augmentation:
    """An augmentation with other ranges of its own."""
    new = copy.copy(f)
    new.params, new.own = params, leaves_of(params)
    if hasattr(f, "steps"):
        new.steps = {n: with_params(g, params[n]) for n, g in f.steps.items()}  # type: ignore[attr-defined]
    return new


# leaf by leaf


def check(what: str, f: Any) -> None:
    if not isinstance(f, Augmentation):
        fix = (
            "its .f"
            if isinstance(getattr(f, "f", None), Augmentation)
            else "af.pipeline(af.rotate(degrees=(-9.0, 9.0)))"
        )
        raise TypeError(explain(f"{what}: not an augmentation", f, "an augmentation of augfn", fix))


def below(path: str, name: str) -> bool:
    return path == name or path.startswith(f"{name}/")


def relaxed(leaf: Any, made: tuple[Callable[..., Distribution], ...], temperature: float) -> Any:
    """A gate or a choice on logits."""
    gate, choice = made
    how = {} if gate is LogitBernoulli else {"temperature": temperature}
    if isinstance(leaf, Bernoulli) and bool(((leaf.probs > 0) & (leaf.probs < 1)).all()):
        return gate(torch.logit(leaf.probs.detach()), **how)
    if isinstance(leaf, Choice):
        if not bool((leaf.weights > 0).all()):
            raise ValueError(
                explain("learnable: a branch that is never chosen", leaf, "weights above 0", "leave it out")
            )
        log = leaf.weights.detach().log()
        return choice(log - log.mean(-1, keepdim=True), **how)
    return leaf


def started(leaf: Any) -> Any:
    """A leaf of tensors of its own, of which those that learn require a gradient."""
    if not isinstance(leaf, Distribution):
        return leaf
    fixed = isinstance(leaf, Constant | Bernoulli | Choice)
    names = () if fixed else LEARNED.get(type(leaf), tuple(n for n in leaf.fields if n not in leaf.settings))
    return leaf.renewed(**{n: getattr(leaf, n).detach().clone().requires_grad_(n in names) for n in leaf.fields})


def held_leaf(leaf: Any, meaning: Leaf) -> Any:
    if not isinstance(leaf, Distribution) or not any(getattr(leaf, n).requires_grad for n in leaf.fields):
        return leaf
    new = {n: inside(getattr(leaf, n), limits_of(leaf, n, meaning)) for n in leaf.fields}
    leaf = leaf.renewed(**new)
    return in_order(leaf) if isinstance(leaf, Interval) or leaf.ordered else leaf


def check_inside(path: str, leaf: Any, meaning: Leaf) -> None:
    """What would be mirrored before its first step is an error."""
    for n in leaf.fields if isinstance(leaf, Distribution) else ():
        t, limits = getattr(leaf, n), limits_of(leaf, n, meaning)
        if not torch.equal(inside(t, limits), t):
            want, fix = f"between {limits[0]} and {limits[1]}", f'fixed=["{path}"], or another start'
            raise ValueError(explain(f"learnable: {path}/{n} begins outside of its interval", t, want, fix))


def inside(t: Tensor, limits: Limits) -> Tensor:
    return folded(t, limits) if t.requires_grad and limits != (None, None) else t


def plain_of(leaf: Any) -> Any:
    if isinstance(leaf, RelaxedBernoulli):
        return Bernoulli(torch.sigmoid(leaf.logits.detach()))
    return Choice(torch.softmax(leaf.logits.detach(), -1)) if isinstance(leaf, GumbelChoice) else leaf


def shares_of(f: Any, path: str, chance: float) -> Iterator[Share]:
    """Of plain params."""
    if isinstance(f, SomeOf | Mixture) or (isinstance(f, Slots) and not isinstance(f.params["count"], Constant)):
        want, fix = "pipelines, gates, choices, and so many choices in a row", "af.some_of(2, ..., replace=True)"
        raise ValueError(explain(f"shares: the chance of each branch of {f.name}", f, want, fix))
    for i, (name, g) in enumerate(getattr(f, "steps", {}).items()):
        own = chance
        if isinstance(f, OneOf):
            own *= float(f.params["choice"].weights[i] / f.params["choice"].weights.sum())
        if isinstance(f, Maybe):
            own *= float(f.params["gate"].probs)
        yield from shares_of(g, f"{path}/{name}" if path else name, own)
    if isinstance(f, Op):
        gate = f.params.get("gate")
        levels = [float(d.level) / (len(d.table) - 1) for d in f.params.values() if isinstance(d, Magnitude)]
        chance *= 1.0 if gate is None else float(gate.probs if isinstance(gate, Bernoulli) else gate.value)
        yield Share(path or f.name, f.name, chance, max(levels, default=1.0))

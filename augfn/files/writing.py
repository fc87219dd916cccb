"""Writing: an augmentation as plain data, in the form that `augfn.files.reading` reads."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augfn.core.augmentation import Augmentation, Op
from augfn.core.combined import Combined, Identity, Maybe, Mixture, OneOf, Pipeline, Slots, SomeOf
from augfn.core.draw import Params
from augfn.core.settings import equal, settings_of
from augfn.distributions import Bernoulli, Choice, Constant, Distribution, Exponential, Uniform
from augfn.errors import explain
from augfn.files.values import described, listed, plain, tagged
from augfn.images import Conversion
from augfn.multiview import Views
from augfn.typing import GATE, Leaf

VERSION = 1


def written(f: Augmentation, params: Params | None = None) -> dict[str, Any]:
    """The file of an augmentation, with other ranges than its own where they are given."""
    name, config = next(iter(step(f, f.params if params is None else params).items()))
    if name == "pipeline":
        config = config if isinstance(config, dict) else {"steps": config}
        return {"augfn": VERSION, "pipeline": config.pop("steps"), **config}
    return {"augfn": VERSION, name: config}


def step(f: Augmentation, params: Params) -> dict[str, Any]:
    """One step: its name, and its keywords."""
    if isinstance(f, Op):
        return op(f, params)
    if isinstance(f, Identity):
        return {"identity": None}
    if isinstance(f, Conversion):
        return {f.name: {n: v for n, v in f.static.items() if v is not None} or None}
    if isinstance(f, Combined) and not isinstance(f, Pipeline) and settings_of(f):
        want, fix = "settings of a pipeline", f"af.pipeline(af.{f.name}(...), ...) with the settings"
        raise TypeError(explain(f"{f.name}: settings of a choice have no place in a file", f, want, fix))
    for kind, write in COMBINATORS.items():
        if type(f) is kind:
            return write(f, params)
    fix = "compose it of augfn's, or torch.save(f, path)"
    raise TypeError(explain("an augmentation that has no place in a file", f, "ops and combinators of augfn", fix))


def op(f: Op, params: Params) -> dict[str, Any]:
    module, name = f.spec.home
    given: dict[str, Any] = {}
    for leaf, meaning in f.schema.items():
        if leaf not in f.spec.leaves:
            continue
        if leaf in params:
            if not (meaning.flat and same(params[leaf], f.spec.defaults[leaf])):
                given[leaf] = leaf_value(params[leaf], meaning)
        elif f.spec.defaults[leaf] is not None:
            given[leaf] = None
    if "gate" in params:
        given["p"] = chance(params["gate"])
    given |= {n: plain(v, f"{name}: {n}") for n, v in settings_of(f).items()}
    if "channel_gate" in params:
        given["p_channel"] = chance(params["channel_gate"])
    return {name if module == "augfn" else f"{module}:{name}": given or None}


def same(a: Any, b: Any) -> bool:
    """Whether two leaves are one distribution."""
    return (
        type(a) is type(b)
        and isinstance(a, Distribution)
        and all(equal(getattr(a, n), getattr(b, n)) for n in a.fields)
    )


def leaf_value(d: Any, meaning: Leaf) -> Any:
    """As a user writes it, where that means the same: a number, or a pair."""
    if isinstance(d, Tensor):
        return tagged(d)
    if d.shape in (meaning.shape, meaning.fixed_shape) and all(getattr(d, n).dtype == torch.float32 for n in d.fields):
        if type(d) is Constant and inside(d.value, meaning) and bool((d.value == d.value.flatten()[0]).all()):
            return listed(d.value.flatten()[0])
        if (
            d.shape == ()
            and type(d) is Uniform
            and bool(d.low <= d.high)
            and inside(d.low, meaning)
            and inside(d.high, meaning)
        ):
            return [listed(d.low), listed(d.high)]
    return described(d)


def inside(t: Tensor, meaning: Leaf) -> bool:
    low, high = meaning.low, meaning.high
    least, most = -torch.inf if low is None else low, torch.inf if high is None else high
    return bool((t.isfinite() & (t >= least) & (t <= most)).all())


def chance(d: Any) -> Any:
    """A probability, or the distribution of a gate."""
    if (
        type(d) is Bernoulli
        and d.shape == ()
        and d.probs.dtype == torch.float32
        and bool((d.probs >= 0) & (d.probs <= 1))
    ):
        return listed(d.probs)
    return tagged(d) if isinstance(d, Tensor) else described(d)


# combinators


def steps(f: Combined, params: Params) -> list[Any]:
    """The steps, with the names that do not follow from their ops."""
    out, taken, plain_names = [], set[str](), True
    for name, g in f.steps.items():
        expected, n = g.name, 2
        while expected in taken:
            expected, n = f"{g.name}_{n}", n + 1
        taken.add(name)
        made = step(g, params[name])
        config = next(iter(made.values()))
        plain_names = plain_names and name == expected  # what comes after a name of its own has one too
        out.append(
            next(iter(made)) if config is None and plain_names else made if plain_names else {**made, "as": name}
        )
    return out


def pipeline(f: Any, params: Params) -> dict[str, Any]:
    if f.name == "repeat" and alike(f, params):
        return {"repeat": {"n": len(f.steps), "step": steps(f, params)[0]}}
    given: dict[str, Any] = {"steps": steps(f, params)}
    given |= {n: v if isinstance(v, dict) else plain(v, f"pipeline: {n}") for n, v in settings_of(f).items()}
    return {"pipeline": given["steps"] if len(given) == 1 else given}


def alike(f: Any, params: Params) -> bool:
    """Whether all steps of a repeat are written alike."""
    first, *others = (step(g, params[n]) for n, g in f.steps.items())
    return all(o == first for o in others)


def maybe(f: Any, params: Params) -> dict[str, Any]:
    return {"maybe": {"p": chance(params["gate"]), "step": steps(f, params)[0]}}


def one_of(f: Any, params: Params) -> dict[str, Any]:
    choice = params["choice"]
    plain_weights = type(choice) is Choice and choice.weights.dtype == torch.float32
    weights = listed(choice.weights) if plain_weights else leaf_value(choice, GATE)
    branches = steps(f, params)
    return {"one_of": branches if plain_weights and set(weights) == {1.0} else {"steps": branches, "weights": weights}}


def some_of(f: Any, params: Params) -> dict[str, Any]:
    given: dict[str, Any] = {"n": how_many(params["count"]), "steps": steps(f, params)}
    if "times" in params:
        rates = params["times"].rate if type(params["times"]) is Exponential else None
        if rates is None:
            fix = "some_of(n, ..., order='random', weights=[...])"
            raise TypeError(explain("some_of: times that have no place in a file", params["times"], "Exponential", fix))
        given |= {"order": "random"} | ({} if bool((rates == 1).all()) else {"weights": listed(rates)})
    return {"some_of": given}


def slots(f: Any, params: Params) -> dict[str, Any]:
    """Choices in a row, all alike; those beyond the largest count, which never act, are not written."""
    first, *others = (one_of(g, params[n])["one_of"] for n, g in f.steps.items())
    n = how_many(params["count"])
    if any(o != first for o in others) or not 1 <= (n[-1] if isinstance(n, list) else n) <= len(f.steps):
        fix = "af.pipeline of one_of steps, which a file holds one by one"
        raise TypeError(explain("some_of: choices that differ have no place in a file", n, "choices alike", fix))
    inner = {"steps": first} if isinstance(first, list) else first
    return {"some_of": {"n": n, "replace": True, **inner}}


def mixture(f: Any, params: Params) -> dict[str, Any]:
    parts = {n: leaf_value(params[n], f.schema[n]) for n in ("weights", "share")}
    return {"mixture": {"steps": steps(f, params), **parts}}


def how_many(count: Any) -> Any:
    """How many of some: a number, or the least and the most."""
    if type(count) is Constant:
        return int(count.value)
    if type(count) is Uniform and bool((count.low % 1 == 0) & (count.high % 1 == 0) & (count.low < count.high)):
        return [int(count.low), int(count.high) - 1]
    fix = "some_of(n, ...) or some_of((1, 2), ...)"
    raise TypeError(explain("some_of: a count that has no place in a file", count, "whole numbers", fix))


def views(f: Any, params: Params) -> dict[str, Any]:
    return {"views": steps(f, params)}


COMBINATORS: dict[type, Any] = {
    Pipeline: pipeline,
    Maybe: maybe,
    OneOf: one_of,
    SomeOf: some_of,
    Slots: slots,
    Mixture: mixture,
    Views: views,
}

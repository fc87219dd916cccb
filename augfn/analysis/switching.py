"""Steps of an augmentation switched off one by one, for each sample, while the others keep their draws.

A step that keeps the frame is off where its gate (a choice's weights, a count, a mixture's share) is 0; one that changes it
stands in the middle: a random crop is a centre crop, a resized crop the largest window of its shape. What prepares an image
for a model (conversions, normalize, resize, center_crop, pad) always acts.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from augfn.core.augmentation import Augmentation, Op
from augfn.core.combined import Identity, Maybe, Mixture, OneOf, Pipeline, Slots, SomeOf, end_of
from augfn.core.draw import Params
from augfn.errors import explain
from augfn.images import Conversion
from augfn.math.resample import UNSET

Size = tuple[int, ...]
PREPARES = ("normalize", "denormalize", "depth_normalize")
FRAMES = {"size", "max_size", "padding"}  # settings of what sets the frame, such as resize
SWITCHES = {Maybe: "gate", OneOf: "choice", SomeOf: "count", Slots: "count", Mixture: "share"}


def flat(f: Augmentation, params: Params, size: Size) -> dict[str, tuple[Augmentation, Params, Size]]:
    """The steps by their paths ("crop/hflip"), pipelines within pipelines opened, each with its params and the frame that
    comes to it."""
    if not isinstance(f, Pipeline):
        return {f.name: (f, params, size)}
    found = {}
    for name, g in f.steps.items():
        inner = {"": (g, params[name], size)}
        if isinstance(g, Pipeline):
            inner = flat(g, params[name], size)
        found |= {f"{name}/{n}" if n else name: step for n, step in inner.items()}
        size = end_of(g.planned(params[name], size), size)
    return found


def varied(f: Augmentation, params: Params, size: Size) -> list[str]:
    """The paths of the steps that can be switched off, for params that were drawn."""
    return [path for path, step in flat(f, params, size).items() if not prepares(*step)]


def prepares(f: Augmentation, params: Params, size: Size) -> bool:
    """True of what makes an image fit for a model, whatever is drawn."""
    if not isinstance(f, Op):
        return isinstance(f, Conversion | Identity)
    return not params and (f.spec.name in PREPARES or not FRAMES.isdisjoint(f.static))


def keeps(f: Augmentation, params: Params, size: Size) -> bool:
    return end_of(f.planned(params, size), size) == size


def steady(f: Augmentation, params: Params, size: Size) -> bool:
    """True if every step keeps the frame, whatever it is, so that maps of any size can be taken back."""
    larger = tuple(2 * n for n in size)
    try:
        return all(keeps(g, p, s) for s in (size, larger) for g, p, _ in flat(f, params, s).values())
    except ValueError:  # a crop to a size, of a smaller frame
        return False


def switched(f: Augmentation, params: Params, on: Mapping[str, Tensor], size: Size) -> Params:
    """The drawn params with steps, by their paths, off where `on [B]` is 0; those that are not named are as they were."""
    if not isinstance(f, Pipeline):
        return off(f, params, on[f.name], size) if f.name in on else params
    steps, out = flat(f, params, size), params
    for path, gate in on.items():
        out = replaced(out, path.split("/"), off(*steps[path][:2], gate, steps[path][2]))
    return out


def replaced(tree: Params, path: list[str], part: Params) -> Params:
    return {**tree, path[0]: replaced(tree[path[0]], path[1:], part)} if path else part


def off(f: Augmentation, params: Params, on: Tensor, size: Size) -> Params:
    """One step's drawn params, where `on` is 0 those that do nothing, or stand in the middle."""
    changes = not keeps(f, params, size)
    if isinstance(f, Op) and changes:
        centre = middle(f, params, size)
        return {n: torch.where(along(on, v) > 0, v, centre[n]) for n, v in params.items()}
    name = next((leaf for kind, leaf in SWITCHES.items() if type(f) is kind), "gate" if isinstance(f, Op) else None)
    if name is None or changes:
        want, fix = "a step that keeps the frame, or one crop", "crop by one op: af.resized_crop(size=...)"
        raise ValueError(explain(f"{f.name} cannot be switched off", f, want, fix))
    value = params.get(name, torch.ones_like(on))
    return {**params, name: value * along(on, value)}


def along(on: Tensor, value: Tensor) -> Tensor:
    return on.to(value).reshape(on.shape + (1,) * (value.ndim - on.ndim))


def middle(f: Op, params: Params, size: Size) -> dict[str, Tensor]:
    """The leaves of an op that changes the frame for a window in the middle, as large as it can be."""
    frame = end_of(f.plan(params, size, UNSET), size)
    aspects = [n[1] / n[0] for n in (size, frame)]
    at = {"position": 0.5, "side": 1.0, "ratio": aspects[1], "scale": min(aspects) / max(aspects)}
    if "ratio" not in params:
        at["scale"] = 1.0
    found = {n: at.get(n, f.meanings[n].neutral) for n in params}
    unknown = [n for n, v in found.items() if v is None]
    if unknown:
        want, fix = "a crop whose middle is known", "af.random_crop or af.resized_crop"
        raise ValueError(explain(f"{f.name}: {unknown[0]} has no middle", f, want, fix))
    return {n: torch.full_like(params[n], float(v)) for n, v in found.items()}  # type: ignore[arg-type]


def reference(f: Augmentation, params: Params, size: Size) -> Params:
    """The drawn params with every step that can be off switched off."""
    some = varied(f, params, size)
    leaf = next((v for p in flat(f, params, size).values() for v in p[1].values() if isinstance(v, Tensor)), None)
    zero = torch.zeros(len(leaf) if leaf is not None and leaf.ndim else 1)
    return switched(f, params, dict.fromkeys(some, zero), size)

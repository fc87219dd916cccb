"""What a pipeline does to one image, in numbers: boxes and masks, the time of each step, the gradient of a loss to each leaf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import torch
from torch import Tensor

from augfn.app.studio.leaves import AXES, ends_of
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Pipeline
from augfn.core.draw import leaves_of, nested
from augfn.distributions import Distribution
from augfn.errors import explain
from augfn.typing import Leaf

ROUNDS = 3  # of a timing, of which the fastest counts
MANY = 6  # numbers of a leaf that are shown one by one
CHANCE = "no gradient of a draw reaches a probability: af.RelaxedBernoulli and af.GumbelChoice have one"
HUNDREDTH = 0.01  # of the interval of a dial


def sharpness(x: Tensor) -> Tensor:
    """The mean squared difference of neighbours."""
    return sum((x.diff(dim=d).square().mean() for d in range(2, x.ndim)), x.new_zeros(()))


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "mean brightness": torch.mean,
    "contrast (standard deviation)": torch.std,
    "sharpness (squared differences of neighbours)": sharpness,
    "colourfulness (largest less least channel)": lambda x: (x.amax(1) - x.amin(1)).mean(),
}


class Slope(NamedTuple):
    """The derivative of a loss to one number: of which leaf, its unit, per unit, and what a hundredth of its dial changes."""

    name: str
    unit: str
    value: float | None  # None: of a leaf of many numbers, whose norm is given
    per_unit: float
    change: float
    why: str  # it is zero


def image_of(y: Any) -> Tensor:
    y = y[0] if isinstance(y, tuple) else y
    x = y["image"] if "image" in y else y["volume"]
    if not x.is_floating_point():
        raise ValueError(explain("no gradient through whole numbers", x, "floats", "leave to_uint8 out"))
    return x


def slopes(f: Augmentation, batch: Any, params: dict[str, Any], loss: str) -> tuple[float, list[Slope]]:
    """The loss of one draw (a batch of one), and its derivative to each number that was drawn, the steepest first."""
    leaves = {path: t.detach().clone().requires_grad_() for path, t in leaves_of(params).items()}
    if not leaves:
        return float(LOSSES[loss](image_of(f(batch, params)[0]))), []
    value = LOSSES[loss](image_of(f(batch, nested(params, iter(leaves.values())))[0]))
    found: list[Tensor | None] = [None] * len(leaves)
    if value.requires_grad:
        found = list(torch.autograd.grad(value, [*leaves.values()], allow_unused=True))
    out = []
    for (path, t), g in zip(leaves.items(), found, strict=True):
        meaning = f.meanings[path]
        g = torch.zeros_like(t) if g is None else g
        out += [*of_leaf(path, meaning, t.detach()[0], g[0])]
    return float(value.detach()), sorted(out, key=lambda s: -abs(s.change))


def range_slopes(f: Augmentation, batch: Any, keys: Tensor, loss: str) -> tuple[float, list[Slope]]:
    """The mean loss of all draws, and its derivative to each number of the ranges that they are drawn from."""
    if not f.own:
        return float(LOSSES[loss](image_of(f(batch, None, keys)[0]))), []
    found, value = torch.func.grad_and_value(lambda p: LOSSES[loss](image_of(f(batch, p, keys)[0])))(f.params)
    out, grads = [], leaves_of(found)
    for path, leaf in leaves_of(f.params).items():
        meaning = f.meanings[path]
        meaning = replace(meaning, flat=CHANCE) if meaning.switch else meaning
        for name in leaf.fields if isinstance(leaf, Distribution) else ():
            out += of_leaf(f"{path} {name}", meaning, getattr(leaf, name).detach(), getattr(grads[path], name))
    return float(value), sorted(out, key=lambda s: -abs(s.change))


def of_leaf(path: str, meaning: Leaf, t: Tensor, g: Tensor) -> list[Slope]:
    """The slopes of one leaf."""
    low, high = ends_of(meaning, t.flatten().tolist() if t.numel() <= MANY else [])
    part, why = HUNDREDTH * (high - low), "" if bool(g.any()) else meaning.flat or "it changes nothing here"
    if t.numel() > MANY:
        norm = float(g.norm())
        return [Slope(f"{path} ({t.numel()} numbers)", meaning.unit, None, norm, norm * part, why)]
    names = [path] if t.numel() == 1 else [f"{path} {AXES[i] if t.numel() <= 3 else i + 1}" for i in range(t.numel())]
    rows = zip(names, t.flatten().tolist(), g.flatten().tolist(), strict=True)
    return [Slope(name, meaning.unit, v, d, d * part, why) for name, v, d in rows]


def timings(f: Augmentation, batch: Any, params: dict[str, Any]) -> list[tuple[str, float]]:
    """Milliseconds for each image of a batch: of each step alone, replayed on what the steps before it left, then of the whole,
    whose neighbours of one kind are fused. The fastest of three."""
    n = len(next(iter(leaves_of(params).values()), torch.zeros(1)))
    out, x = [], batch
    for name, step in f.steps.items() if isinstance(f, Pipeline) else ():
        alone = Pipeline(
            name, {name: step}, {name: step.params}, {name: step.schema}, sampling=f.sampling, targets=f.targets
        )
        spent, (x, _) = fastest(lambda alone=alone, x=x, name=name: alone(x, {name: params[name]}))
        out.append((name, 1000 * spent / n))
    spent, _ = fastest(lambda: f(batch, params))
    return [*out, ("all, fused", 1000 * spent / n)]


def fastest(act: Callable[[], Any]) -> tuple[float, Any]:
    spent, made = float("inf"), None
    for _ in range(ROUNDS):
        start = perf_counter()
        made = act()
        spent = min(spent, perf_counter() - start)
    return spent, made


class Fate(NamedTuple):
    """What became of a box, a keypoint or a label: in words before and after, and the share that is left."""

    name: str
    before: str
    after: str
    left: str


def fates(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Fate]:
    """Of all that lies on the image. A box is clipped at the frame, and not valid where nothing, or too little, of it is left."""
    out = []
    if "boxes" in after:
        old, new = before["boxes"], after["boxes"]
        seen = new.seen if new.seen is not None else torch.ones_like(new.valid, dtype=torch.float32)
        for i, there in enumerate(new.valid.tolist()):
            share = f"{100 * float(seen[i]):.0f} %" + (", clipped" if there and float(seen[i]) < 0.995 else "")
            state = numbers(new.data[i]) if there else "not valid"
            out.append(
                Fate(
                    f"box {i + 1} (label {int(new.labels[i])})", numbers(old.data[i]), state, share if there else "0 %"
                )
            )
    if "keypoints" in after:
        old, new = before["keypoints"], after["keypoints"]
        for i, there in enumerate(new.visible.tolist()):
            state = numbers(new.xy[i]) if there else "not visible"
            out.append(Fate(f"keypoint {i + 1}", numbers(old.xy[i]), state, "yes" if there else "no"))
    if "mask" in after:
        old, new = before["mask"], after["mask"]
        for label in old.unique().tolist():
            a, b = int((old == label).sum()), int((new == label).sum())
            out.append(Fate(f"label {int(label)}", f"{a} pixels", f"{b} pixels", f"{100 * b / max(a, 1):.0f} %"))
    return out


def numbers(t: Tensor) -> str:
    return ", ".join(f"{v:.1f}" for v in t.tolist())

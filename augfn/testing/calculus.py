"""Laws of gradients: to the image, to every sample's values, to the ranges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, jacrev, vmap
from torch.utils._pytree import tree_map

from augfn import random
from augfn.core.draw import Params, leaves_of
from augfn.distributions import Bernoulli, Beta, Choice, Distribution, GumbelChoice, RelaxedBernoulli
from augfn.supported import HERE, WHOLE
from augfn.testing.case import Case, agree, at, cast, claim, put, stack, window

STEP = 1e-7  # of central differences in float64: few pixels meet a kink of the sampling within it
ALLOWED = 1e-5  # relative
ROUNDING = 2 * torch.finfo(torch.float64).eps  # of a loss, relative


def weighted(c: Case, y: Tensor) -> Tensor:
    return (y * window(y, c.f.ndim)).sum()


def generic(c: Case) -> tuple[Case, Params]:
    """The case in float64, behind a gate where that is possible, and its ranges, with gates and choices relaxed."""
    c = replace(c, x=c.x.double())
    c = c.gated(RelaxedBernoulli(0.3, hard=False)) if c.takes_gate else c
    tree = c.f.params
    for path, d in leaves_of(tree).items():
        tree = put(tree, path, cast(relaxed(d), torch.float64))
    return c, tree


def gradients(c: Case) -> None:
    """Law 5: gradients to the image and to every leaf agree with central differences in float64 at a generic point.

    A leaf declared flat (its gradient is zero by its nature) has to have a gradient of exactly zero. Reverse mode, jacrev
    and vmap(grad) agree. The gradient has a gradient, which agrees too, and is finite for every image. (What is
    mapped, and second gradients, are asked of torch 2.13 and newer: 2.9 has none of a resample.)
    """
    c, tree = generic(c)
    params = c.f(c.x, tree, c.key)[1]
    compare("image", lambda x: weighted(c, c.f(x, params)[0]), c.x, grad(lambda x: weighted(c, c.f(x, params)[0]))(c.x))
    if tuple(HERE) >= WHOLE:
        twice(c, params)
    if not params:
        return
    found = grad(lambda p: weighted(c, c.f(c.x, p)[0]))(params)
    for path, leaf in c.leaves():
        slope = at(found, path)
        if leaf.flat:
            claim(
                (slope == 0).all(),
                f"{path} is declared flat ({leaf.flat}), yet its gradient is {slope.flatten().tolist()}",
            )
        else:
            compare(path, lambda v, path=path: weighted(c, c.f(c.x, put(params, path, v))[0]), at(params, path), slope)
    if tuple(HERE) >= WHOLE:
        other_ways(c, params, found)


def compare(what: str, loss: Callable[[Tensor], Tensor], value: Tensor, slope: Tensor) -> None:
    """Directional derivatives in three directions, against central differences."""
    for i in range(3):
        direction = random.normal(random.key(i), value.shape).to(value)
        analytic = (slope * direction).sum()
        above, below = (loss(value + step * direction) for step in (STEP, -STEP))
        numeric = (above - below) / (2 * STEP)
        scale = max(float(analytic.abs()), float((slope * direction).abs().sum()), 1e-2)
        claim(
            (analytic - numeric).abs() <= ALLOWED * scale + ROUNDING * float(above.abs()) / STEP,
            f"gradient to {what}: {analytic:.9g}, by central differences {numeric:.9g}",
        )


def other_ways(c: Case, params: Params, found: Params) -> None:
    """jacrev, and per-sample gradients by vmap(grad), equal the gradient of the whole."""

    def two(p: Params) -> Tensor:
        loss = weighted(c, c.f(c.x, p)[0])
        return torch.stack([loss, -2 * loss])

    agree("jacrev and grad", tree_map(lambda t: t[0], jacrev(two)(params)), found, 1e-8)
    if c.f.mixes:  # what mixes the samples of a batch is mapped over batches
        twice = [found, grad(lambda p: weighted(c, c.f(c.x.flip(0), p)[0]))(params)]
        both = torch.stack([c.x, c.x.flip(0)])
        each = vmap(grad(lambda p, x: weighted(c, c.f(x, p)[0])), (None, 0))(params, both)
        agree("vmap(grad) and grad", each, stack(twice), 1e-8)
    elif c.batch:
        weight = window(c.f(c.x, params)[0], c.f.ndim)
        each = vmap(grad(lambda p, x, w: (c.f(x, p)[0] * w).sum()))(params, c.x, weight)
        agree("vmap(grad) and grad", each, found, 1e-8)


def twice(c: Case, params: Params) -> None:
    """The gradient of the gradient, as gradient penalties and hypergradients take it, agrees with central differences of
    the gradient; at pixels that are black, grey, white or of equal channels, where colour has kinks, it is finite."""
    flat = {path for path, leaf in c.leaves() if leaf.flat}
    values = {"image": c.x, **leaves_of(params)}
    along = {
        n: random.normal(random.key(i), v.shape).to(v) * (n not in flat) for i, (n, v) in enumerate(values.items())
    }

    def slope(values: dict[str, Tensor]) -> dict[str, Tensor]:
        y = c.f(values["image"], grown(params, values))[0]
        loss = weighted(c, y) + (y * y).sum()
        wanted = [n for n in values if n not in flat]
        found = torch.autograd.grad(loss, [values[n] for n in wanted], create_graph=True, materialize_grads=True)
        return dict(zip(wanted, found, strict=True))

    def asking(values: dict[str, Tensor]) -> dict[str, Tensor]:
        return {n: v.detach().requires_grad_() for n, v in values.items()}

    def curvature(values: dict[str, Tensor]) -> dict[str, Tensor]:
        """The Hessian, times the direction."""
        given = asking(values)
        parts = [(g * along[n]).sum() for n, g in slope(given).items()] + [0 * v.sum() for v in given.values()]
        total = torch.stack(parts).sum()  # with all of them in the graph
        return dict(zip(given, torch.autograd.grad(total, list(given.values())), strict=True))

    found = curvature(values)
    above, below = (slope(asking({n: v + step * along[n] for n, v in values.items()})) for step in (STEP, -STEP))
    for n, up in above.items():
        numeric, size = (up - below[n]) / (2 * STEP), max(float(up.detach().abs().max()), 1.0)
        numeric = numeric.detach()
        far, scale = (found[n] - numeric).abs().max(), max(float(numeric.abs().max()), 1e-2)
        claim(
            far <= 10 * ALLOWED * scale + 10 * ROUNDING * size / STEP,
            f"the gradient of the gradient, to {n}, is off by {far:.3g} of {scale:.3g}",
        )
    for n, v in curvature(values | {"image": flattened(c.x, c.f.ndim)}).items():
        claim(
            v.isfinite().all(),
            f"the gradient of the gradient, to {n}, is not finite where colours are black, grey or pure",
        )


def grown(params: Params, values: dict[str, Tensor]) -> Params:
    """The params with these values by path."""
    for path in leaves_of(params):
        params = put(params, path, values[path])
    return params


def flattened(x: Tensor, ndim: int) -> Tensor:
    """Values of 0, 1/2 and 1 alone, and no colour in every other column."""
    x = (2 * (2 * x - 0.5)).round().clamp(0, 2) / 2
    grey = torch.arange(x.shape[-1]) % 2 == 0
    return torch.where(grey, x.narrow(-ndim - 1, 0, 1), x)


def learnable(c: Case) -> None:
    """Law 6: the gradient reaches every field of the range of every leaf that is not flat, and after a step of descent on
    it the next draw, with the same key, follows, so that the loss falls as the gradient told.

    Bernoulli and Choice draw whole values, so their relaxed twins stand for them.
    """
    c, tree = generic(c)
    if not tree:
        return

    def loss(p: Params) -> Tensor:
        return weighted(c, c.f(c.x, p, c.key)[0])

    slopes = grad(loss)(tree)
    for path, leaf in c.leaves():
        for name in at(tree, path).fields:
            slope = getattr(at(slopes, path), name)
            if leaf.flat:
                claim((slope == 0).all(), f"{path} is declared flat, yet a gradient reaches its {name}")
            else:
                follows(c, tree, path, name, slope, loss)


def follows(c: Case, tree: Params, path: str, name: str, slope: Tensor, loss: Callable[[Params], Tensor]) -> None:
    claim(
        slope.isfinite().all() and slope.abs().max() > 1e-9,
        f"the gradient to {name} of {path} is {slope.flatten().tolist()}",
    )
    rate = STEP / slope.square().sum().sqrt()
    old = at(tree, path)
    stepped = put(tree, path, moved(old, name, getattr(old, name) - rate * slope))
    before, after = (at(c.f(c.x, t, c.key)[1], path) for t in (tree, stepped))
    claim(not torch.equal(before, after), f"after a step on {name} of {path} the next draw is as it was")
    if isinstance(
        old, Beta
    ):  # its gradient is that of the distribution, not of one draw: the rounds may accept another
        return
    start = loss(tree)
    predicted, fell = -rate * slope.square().sum(), loss(stepped) - start
    claim(
        (fell - predicted).abs() <= 1e-2 * predicted.abs() + ROUNDING * start.abs(),
        f"a step on {name} of {path} changed the loss by {fell:.4g}, the gradient told {predicted:.4g}",
    )


def moved(d: Distribution, name: str, value: Tensor) -> Distribution:
    """The distribution with another value of one field."""
    new = object.__new__(type(d))
    new.__dict__.update(d.__dict__ | {name: value})
    return new


def relaxed(d: Any) -> Any:
    """The twin of a distribution of whole values whose draws follow its parameters."""
    if isinstance(d, Bernoulli):
        return RelaxedBernoulli(torch.logit(d.probs.clamp(0.1, 0.9)), 2.0, hard=False)
    return GumbelChoice(d.weights.log(), 2.0, hard=False) if isinstance(d, Choice) else d

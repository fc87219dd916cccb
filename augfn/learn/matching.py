"""Instance parameters: those at which an augmentation makes one image of another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from augfn.adversarial import TOP, Cube, augmentation_of, cube_of, numbered
from augfn.core.draw import Params, leaves_of, parts_of
from augfn.errors import explain
from augfn.math.folding import folded
from augfn.run.host import HOST

Match = Callable[[Tensor, Tensor, Tensor], Tensor]
LEAST = 4  # pixels of the coarsest level's shorter side
UNSEEN = 0.01  # the weight of a pixel that shows nothing of the source


def fit(
    augment: Any,
    source: Tensor,
    target: Tensor,
    key: Any = None,
    *,
    loss: Match | None = None,
    levels: int = 3,
    starts: int = 8,
    steps: int = 80,
    lr: float = 0.05,
) -> tuple[Params, Tensor]:
    """For each image the params of `augment`, inside its ranges, that make the target of the source, and the losses on the way:

        argmin over u in [0, 1)^n of loss(augment(source, params(u)), target)

    by Adam on u, from which params are drawn as from noise. A step that crosses an end of the cube is mirrored there, so no
    param leaves its range, and none gets stuck at an end. Coarse images come first, from several starts, of which the best of
    each image goes on.

    | argument | meaning |
    |---|---|
    | `augment` | an augmentation that keeps the frame (with `levels=1` one that leaves the target's), or a module around one;
    its ranges say where to look: `af.pipeline(af.affine(degrees=(-30, 30), translate=(-0.2, 0.2)))` registers, a gamma and a
    brightness fit an exposure |
    | `source`, `target` | `[B, C, H, W]` (volumes `[B, C, D, H, W]`), each image with params of its own |
    | `key` | for the starts: one, or one for each image `[B, 2]`; not needed for one start, which begins in the middle of the
    ranges, as the first of several does |
    | `loss(y, target, seen)` | one number for each image `[n]`, in any units; `seen [n, 1, H, W]` is 1 where y shows the
    source, 0 where it is padding. None: the mean squared error where the source is seen, with a slight weight of what is not
    |
    | `levels` | of the pyramid, each half as fine as the next; the last is the image itself |
    | `starts`, `steps`, `lr` | how many of them; steps at each level; Adam's step at first, as a part of each range, halved from
    level to level, and in each falling to 0 |

    Returns the params `[B]` of the lowest loss at the finest level, to be replayed by `augment(source, params)`, and the
    losses `[levels * steps, B]`, at each step that of the best start.

    Gates, choices and whole numbers have no gradient: they stay as they were drawn, and the best start has them. Params in
    pixels, such as a blur's sigma, mean another thing at a coarse level: take `levels=1` for them.

    Raises ValueError where shapes differ, a value is not finite, nothing is random, a level would be smaller than 4
    pixels, or the loss has no gradient; without a key where one is needed. Source: Lucas and Kanade 1981 for registration by
    gradient, there with Gauss and Newton's steps; Bergen et al. 1992 (coarse to fine).

    >>> import augfn as af
    >>> x = torch.linspace(0.1, 0.9, 64).reshape(1, 1, 8, 8)
    >>> params, losses = fit(af.gamma(gamma=(0.5, 2.0)), x, x**1.3, levels=1, starts=1)
    >>> params["gamma"]
    tensor([1.300])
    >>> losses.shape
    torch.Size([80, 1])
    """
    f, ranges = augmentation_of(augment, "fit")
    check(source, target, levels, starts, steps, lr)
    sample = f.read(source)
    if len(sample.batch) != 1:
        raise ValueError(explain("fit: images", source, "one batch [B, C, H, W]", "source[None], target[None]"))
    small = min(sample.size) >> (levels - 1)
    if small < LEAST and levels > 1:
        raise ValueError(
            explain("fit: levels", levels, f"at least {LEAST} pixels at the coarsest", f"levels={levels - 1}")
        )
    with torch.inference_mode(False), torch.enable_grad():
        cube = cube_of(f, ranges, sample, "fit")
        source, target, d = source.detach().clone(), target.detach().clone(), len(sample.size)
        noise, history = beginnings(cube, key, len(source), starts), []
        for i in range(levels):
            x, t = (halved(v, levels - 1 - i, d) for v in (source, target))
            noise, losses = descended(cube, x, t, noise, steps, lr / 2**i, loss or squared_error)
            history.append(losses)
        rows = torch.arange(len(source), device=HOST)
        return cube.params(noise[0], rows), torch.cat(history)


def beginnings(cube: Cube, key: Any, n: int, starts: int) -> Tensor:
    """The noise `[starts, n, N]` to begin at: first the middle of what is not a jump, then draws."""
    size = sum(map(math.prod, cube.shapes.values()))
    drawn = [torch.full((n, size), 0.5, device=HOST)]
    jumps = [leaves_of(cube.ranges)[path].hard for path in cube.shapes]
    if starts > 1 or any(jumps):
        keys = cube.keys(key, n, "fit")
        drawn = [cube.noise(numbered(keys, torch.full((n,), s, device=HOST))) for s in range(starts)]
        middle = [
            u if d else torch.full_like(u, 0.5)
            for d, u in zip(jumps, parts_of(drawn[0], cube.shapes).values(), strict=True)
        ]
        drawn[0] = torch.cat([u.reshape(n, -1) for u in middle], 1)
    return torch.stack(drawn)


def descended(
    cube: Cube, x: Tensor, target: Tensor, noise: Tensor, steps: int, lr: float, loss: Match
) -> tuple[Tensor, Tensor]:
    """The noise `[1, n, N]` of the best of all starts `[s, n, N]` after some steps, and the losses `[steps, n]`."""
    starts, n, size = noise.shape
    rows = torch.arange(n, device=HOST).repeat(starts)
    free = noise.reshape(-1, size).clone().requires_grad_()
    best, at = torch.full((starts * n,), torch.inf, device=HOST), free.detach().clone()
    optimizer, history = torch.optim.Adam([free], lr), []
    for step in range(steps + 1):
        u = folded(free, (0.0, TOP))
        found = compared(cube, x, target, u, rows, loss)
        seen, now = found.detach().to(HOST), u.detach()
        best, at = torch.where(seen < best, seen, best), torch.where((seen < best)[:, None], now, at)
        if step == steps:
            break
        history.append(seen.reshape(starts, n).amin(0))
        optimizer.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * step / steps)) / 2
        slopes = torch.autograd.grad(found.sum(), free, materialize_grads=True) if found.requires_grad else [None]
        free.grad = slopes[0]
        optimizer.step()
    first = best.reshape(starts, n).argmin(0)
    return at.reshape(starts, n, size)[first, torch.arange(n, device=HOST)][None], torch.stack(history)


def compared(cube: Cube, x: Tensor, target: Tensor, u: Tensor, rows: Tensor, loss: Match) -> Tensor:
    """The loss of each image `[n]` at its noise."""
    name = "image" if cube.f.ndim == 2 else "volume"
    seen = x.new_ones(len(rows), 1, *x.shape[2:])
    y = cube.f.on(cube.f.read({name: x[rows], "softmask": seen}), cube.params(u, rows), None)[0]
    if y[name].shape != target[rows].shape:
        want, fix = f"{list(target[rows].shape)}, as the target", "an augmentation that keeps the frame, or levels=1"
        raise ValueError(explain("fit: the augmented source", y[name], want, fix))
    found = loss(y[name], target[rows], y["softmask"])
    if not isinstance(found, Tensor) or found.shape != (len(rows),):
        want, fix = f"one number for each image [{len(rows)}]", "lambda y, t, seen: (y - t).abs().flatten(1).mean(1)"
        raise ValueError(explain("fit: the loss", found, want, fix))
    if y[name].requires_grad and not found.requires_grad:
        want, fix = "a loss that is differentiable in y", "a loss without detach() and no_grad()"
        raise ValueError(explain("fit: a loss without a gradient", found, want, fix))
    return found


def squared_error(y: Tensor, target: Tensor, seen: Tensor) -> Tensor:
    """The mean squared error where the source is seen; what is not counts a hundredth, as twice the target's variance, the
    error of an image that has nothing to do with it: so none is pushed out of its frame."""
    error, share = ((y - target) ** 2 * seen).flatten(1).mean(1), seen.flatten(1).mean(1)
    unseen = UNSEEN * (1 - share)
    return (error + unseen * 2 * target.flatten(1).var(1, correction=0)) / (share + unseen)


def halved(x: Tensor, times: int, d: int) -> Tensor:
    """The mean of each square of 2^times pixels, or of as many as fit the frame."""
    return interpolate(x, [n >> times for n in x.shape[-d:]], mode="area") if times else x


def check(source: Any, target: Any, levels: int, starts: int, steps: int, lr: float) -> None:
    for name, x in (("source", source), ("target", target)):
        if not isinstance(x, Tensor) or not x.is_floating_point():
            raise TypeError(explain(f"fit: {name}", x, "a floating batch [B, C, H, W]", "af.to_float(images)"))
    if source.shape[:1] != target.shape[:1] or source.ndim != target.ndim:
        want = "as many as the source's, of the same dimensions"
        raise ValueError(explain("fit: targets", target, want, "target.expand(len(source), -1, -1, -1)"))
    if levels > 1 and source.shape[2:] != target.shape[2:]:
        given, want = [list(source.shape), list(target.shape)], "one size, where there are several levels"
        raise ValueError(explain("fit: source and target", given, want, "af.resize(size=...)(source)[0], or levels=1"))
    for name, x in (("source", source), ("target", target)):
        if not x.isfinite().all():
            fix = f"{name}.nan_to_num(), and a loss(y, target, seen) that leaves those places out"
            raise ValueError(
                explain(f"fit: {name}", f"{x.isfinite().logical_not().sum()} not finite", "finite values", fix)
            )
    if min(levels, starts, steps) < 1 or not lr > 0:
        given = {"levels": levels, "starts": starts, "steps": steps, "lr": lr}
        raise ValueError(explain("fit", given, "positive numbers", "levels=3, starts=8, steps=80, lr=0.05"))

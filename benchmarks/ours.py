"""augfn's side: the same pipelines as in `peers`, as functions `call(step)` with a fresh key at every step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

import augfn as af
from benchmarks import peers
from benchmarks.measure import Call


def affine() -> Any:
    spans = {"degrees": peers.DEGREES, "translate": peers.TRANSLATE, "shear": peers.SHEAR}
    return af.affine(**{name: (-r, r) for name, r in spans.items()}, scale=peers.SCALE)


def color(twist: bool) -> Any:
    factors = {name: (1 - r, 1 + r) for name, r in peers.JITTER.items() if name != "hue"}
    hue = peers.JITTER["hue"]
    return (af.color_twist if twist else af.color_jitter)(**factors, hue=(-hue, hue))


def steps(twist: bool) -> Any:
    """Affine, colour and normalise."""
    return af.pipeline(affine(), color(twist), af.normalize(mean=peers.MEAN, std=peers.STD))


def small_steps() -> Any:
    """Flip, affine and colour jitter, as in `peers.sequential(..., flip=True)`."""
    return af.pipeline(af.hflip(p=0.5), affine(), color(twist=False))


def chain() -> list[Any]:
    """Eight geometric steps, as in `peers.kornia_chain`."""
    r, t = peers.DEGREES, peers.TRANSLATE
    return [
        affine(),
        af.hflip(p=0.5),
        af.rotate(degrees=(-r, r)),
        af.translate(translate=(-t, t)),
        af.scale(scale=peers.SCALE),
        af.vflip(p=0.5),
        af.shear(shear=(-peers.SHEAR, peers.SHEAR)),
        af.perspective(distortion_scale=0.1),
    ]


def draw(augment: Any, x: Any, params: Any = None) -> Call:
    """Draw and apply."""
    return lambda step: augment(x, params, af.key(step))[0]


def replay(augment: Any, x: Any) -> Call:
    """Apply what was drawn once."""
    params = augment(x, None, af.key(0))[1]
    return lambda step: augment(x, params)[0]


def compile_if(compiled: bool, augment: Any) -> Any:
    return torch.compile(augment, dynamic=False, fullgraph=True) if compiled else augment


def forward(x: Tensor, *, twist: bool, compiled: bool) -> Call:
    return draw(compile_if(compiled, steps(twist)), x)


def to_ranges(x: Tensor, *, twist: bool, compiled: bool) -> Call:
    """Forward, and the gradient to the image and to every range."""
    augment = steps(twist)
    params = tree_map(lambda t: t.detach().clone().requires_grad_(), augment.params)
    return gradients(draw(compile_if(compiled, augment), x, params), [x, *tree_leaves(params)])


def gradients(call: Call, leaves: list[Tensor]) -> Call:
    """The gradient of the output's sum to the leaves, the first of which is the images (whose shape the output has)."""
    ones = torch.ones_like(leaves[0])
    return lambda step: torch.autograd.grad(call(step), leaves, ones, allow_unused=True)

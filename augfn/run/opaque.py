"""The sampling kernel as an opaque operator with a derivative, for what torch.compile traces on the CPU.

Imported by the first trace that samples, since to tell Dynamo of a function means to import Dynamo, which takes as long
as torch itself. The derivative is an `autograd.Function`, not one registered with the operator: that one knows no
functorch, so that `torch.compile(torch.func.grad(f))` would fail.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import vjp

Pair = tuple[Tensor, Tensor]

HOW = "int mode, int padding, bool corners"  # as torch numbers them
library = torch.library.Library("augfn", "FRAGMENT")
library.define(f"sample(Tensor x, Tensor grid, {HOW}) -> Tensor")
library.define(f"sample_slope(Tensor g, Tensor x, Tensor grid, {HOW}, bool[] wanted) -> (Tensor, Tensor)")


def sample(x: Tensor, grid: Tensor, *how: Any) -> Tensor:
    return torch.ops.aten.grid_sampler(x, grid, *how)


def slope(g: Tensor, x: Tensor, grid: Tensor, *how: Any) -> Pair:
    """The gradients to `x` and `grid`; zeros that take no memory for one that is not wanted."""
    aten = torch.ops.aten
    backward = aten.grid_sampler_2d_backward if x.ndim == 4 else aten.grid_sampler_3d_backward
    wanted = how[-1]
    found = backward(g, x, grid, *how)
    return found[0] if wanted[0] else nothing(x), found[1] if wanted[1] else nothing(grid)


def nothing(like: Tensor) -> Tensor:
    return like.new_zeros(()).expand(like.shape)


def empty_sample(x: Tensor, grid: Tensor, *how: Any) -> Tensor:
    return x.new_empty((*x.shape[:2], *grid.shape[1:-1]))


def empty_slope(g: Tensor, x: Tensor, grid: Tensor, *how: Any) -> Pair:
    first, second = (t.new_empty(t.shape) if yes else nothing(t) for t, yes in zip((x, grid), how[-1], strict=True))
    return first, second


def flat(tensors: tuple[Tensor, ...], dims: tuple[Any, ...], size: int) -> list[Tensor]:
    """The tensors with the mapped dimension joined to the batch."""
    pairs = zip(tensors, dims, strict=False)
    return [(t.expand(size, *t.shape) if i is None else t.movedim(i, 0)).flatten(0, 1) for t, i in pairs]


def sample_mapped(info: Any, dims: tuple[Any, ...], x: Tensor, grid: Tensor, *how: Any) -> tuple[Tensor, int]:
    out = torch.ops.augfn.sample(*flat((x, grid), dims, info.batch_size), *how)
    return out.unflatten(0, (info.batch_size, -1)), 0


def slope_mapped(info: Any, dims: tuple[Any, ...], g: Tensor, x: Tensor, grid: Tensor, *how: Any) -> Any:
    outs = torch.ops.augfn.sample_slope(*flat((g, x, grid), dims, info.batch_size), *how)
    return tuple(t.unflatten(0, (info.batch_size, -1)) for t in outs), (0, 0)


for name, kernel, fake, mapped in (
    ("sample", sample, empty_sample, sample_mapped),
    ("sample_slope", slope, empty_slope, slope_mapped),
):
    library.impl(name, kernel, "CPU")
    torch.library.register_fake(f"augfn::{name}", fake, lib=library)
    torch.library.register_vmap(f"augfn::{name}", mapped, lib=library)


class Slope(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(g: Tensor, x: Tensor, grid: Tensor, *how: Any) -> Pair:
        return torch.ops.augfn.sample_slope(g, x, grid, *how)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Pair) -> None:
        g, x, grid, *ctx.how = inputs
        ctx.save_for_backward(g, x, grid)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Any, ...]:
        """By torch's own second derivative, which a compiler may take apart."""
        second = vjp(lambda *tensors: slope(*tensors, *ctx.how), *ctx.saved_tensors)[1]
        return (*second(slopes), None, None, None, None)


@torch.compiler.allow_in_graph  # Dynamo's own rule for a Function has none for vmap
class Sample(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, grid: Tensor, *how: Any) -> Tensor:
        return torch.ops.augfn.sample(x, grid, *how)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, grid, *ctx.how = inputs
        ctx.save_for_backward(x, grid)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        wanted = list(ctx.needs_input_grad[:2])
        slopes = Slope.apply(g, *ctx.saved_tensors, *ctx.how, wanted)
        return (*(s if yes else None for s, yes in zip(slopes, wanted, strict=True)), None, None, None)

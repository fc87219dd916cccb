"""What changes the places of pixels, each copied exactly: the symmetries of the square, and tiles."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor

from augfn import random
from augfn.core.actions import Size, expand
from augfn.core.augmentation import geometric
from augfn.distributions import Choice, Uniform
from augfn.errors import explain
from augfn.math.maps import Gather, Map
from augfn.math.resample import Sampling
from augfn.math.tiles import Tiles, tiled
from augfn.math.variates import seed_key
from augfn.run.constants import constant
from augfn.run.twins import accumulated, added, multiplied
from augfn.typing import Leaf, Seed

Turns4 = Annotated[Any, Leaf("one-hot: quarter turns 0, 1, 2, 3", (4,), low=0.0, high=1.0)]
Symmetry8 = Annotated[
    Any, Leaf("one-hot: quarter turns 0, 1, 2, 3, and the same before a mirror", (8,), low=0.0, high=1.0)
]
# k quarters counter-clockwise, then (4 + k) a mirror: the axes to flip, after which odd ones are transposed
FLIPS = ((), (-1,), (-2, -1), (-2,), (-1,), (-2, -1), (-2,), ())
TURNS = ((1.0, 0.0, 0.0, 1.0), (0.0, -1.0, 1.0, 0.0), (-1.0, 0.0, 0.0, -1.0), (0.0, 1.0, -1.0, 0.0))
MATRICES = (*TURNS, *((-a, b, -c, d) for a, b, c, d in TURNS))


@geometric
def quarter_turn(frame: Size, *, turns: Turns4 = Choice([1.0] * 4)) -> Map:
    """Turn each sample by 0, 1, 2 or 3 quarters counter-clockwise.

    The frame stays: on one that is not square 1 and 3 do what 0 and 2 do. `rot90` is the fixed turn, which swaps
    height and width. Relaxed (not one-hot) turns blend. Source: kornia `RandomRotation90`.

    >>> af.quarter_turn(turns=torch.tensor([0.0, 1.0, 0.0, 0.0]))(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))[0]
    tensor([[[2., 4.],
             [1., 3.]]])
    """
    return symmetries(frame, turns)


@geometric
def d4(frame: Size, *, symmetry: Symmetry8 = Choice([1.0] * 8)) -> Map:
    """One of the eight symmetries of the square for each sample: k quarters counter-clockwise, then (4 + k) a mirror
    of left and right.

    The frame stays: on one that is not square odd k do what k - 1 does, so that four are left. Relaxed (not one-hot)
    choices blend, so that what is not finite spreads to its mirror places. Source: albumentations `D4`.

    >>> af.d4(symmetry=torch.eye(8)[5])(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))[0]
    tensor([[[4., 2.],
             [3., 1.]]])
    """
    return symmetries(frame, symmetry)


@geometric(example={"grid": (2, 2)})
def jigsaw(frame: Size, *, seed: Seed = Uniform(0.0, 1.0), grid: tuple[int, int] = (4, 4)) -> Map:
    """Cut the image into tiles, `grid` = (rows, columns) of them, that change places at random, at least two of them; pixels
    are copied exactly.

    All whole tiles are of one size; what is left over at the right and at the bottom stays. Masks and keypoints move with
    their tiles; upright boxes are those around all pieces of them (with instance masks around what they show), turned ones
    that are cut are not valid. Source: Noroozi and Favaro 2016; kornia `RandomJigsaw`.

    >>> x = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    >>> af.jigsaw(grid=(1, 2))(x, None, af.key(0))[0]
    tensor([[[3., 4., 1., 2.]]])
    """
    (rows, columns), (h, w) = grid, frame
    if not (0 < rows <= h and 0 < columns <= w):
        want = f"1 to {h} rows and 1 to {w} columns"
        raise ValueError(explain("jigsaw: grid", grid, want, f"grid=({min(4, h)}, {min(4, w)})"))
    order = random.uniform(seed_key(seed), (rows * columns,)).argsort(-1)
    same = (order == torch.arange(rows * columns, device=order.device)).all(-1, keepdim=True)
    order = torch.where(same, order.roll(1, -1), order)
    move = Gather(partial(tiled, grid=(rows, columns)), order)
    return Map((Tiles(order, (rows, columns), (h, w)),), gather=move, whole=True)


def symmetries(frame: Size, choice: Tensor) -> Map:
    """The map of a choice `[*b, n]` among the first n symmetries."""
    square = frame[0] == frame[1]
    of = [kept(k, square) for k in range(choice.shape[-1])]
    matrix = choice @ constant(tuple(MATRICES[k] for k in of), choice)
    gather = Gather(partial(chosen, of=tuple(of)), choice)
    return Map.linear(matrix.unflatten(-1, (2, 2)), gather=gather, axis_aligned=not square, whole=True)


def kept(k: int, square: bool) -> int:
    """The symmetry that stands for k on a frame of this shape."""
    return k if square else k - k % 2


def chosen(x: Tensor, how: Sampling, choice: Tensor, *, of: tuple[int, ...]) -> Tensor:
    """The blend of the symmetries by their weights; of what cannot be blended the heaviest one."""
    choice = choice.to(x.device)
    if how.interpolation == "nearest" or not x.is_floating_point():
        out, best = x, choice.argmax(-1)
        for i, k in enumerate(of):
            out = torch.where(expand(best == i, x.ndim), moved(x, k), out)
        return out
    even, odd = [], []
    for k, weight in zip(of, choice.unbind(-1), strict=True):
        (odd if k % 2 else even).append((expand(weight, x.ndim).to(x.dtype), FLIPS[k]))
    straight = blend(x, even)
    if not odd:
        return straight
    across = blend(x, odd).mT
    return added(straight, across)


def blend(x: Tensor, parts: list[tuple[Tensor, tuple[int, ...]]]) -> Tensor:
    """The sum of the image flipped along these axes, by these weights."""
    *others, (weight, axes) = parts  # the last one is flipped, so that a copy of it is there to be scaled in place
    out = multiplied(x.flip(axes), weight)
    for weight, axes in others:
        flipped = x.flip(axes) if axes else x
        out = accumulated(out, weight, flipped)
    return out


def moved(x: Tensor, k: int) -> Tensor:
    flipped = x.flip(FLIPS[k])
    return flipped.mT if k % 2 else flipped

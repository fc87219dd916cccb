"""An augmentation of each patch of an image."""

from __future__ import annotations

import dataclasses
from typing import Any

from torch import Tensor

from augfn.compose import named
from augfn.core.actions import Action, Size
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Combined
from augfn.core.draw import leaves_of, nested
from augfn.core.gates import Gate
from augfn.core.patched import Patched, sides_of
from augfn.errors import explain
from augfn.math.resample import Sampling


class Patches(Combined):
    """Its one step on every patch, each with a draw of its own, or a step for each patch."""

    grid: tuple[int, int]
    padding: str

    def plan(self, params: dict[str, Any], size: Size, sampling: Sampling) -> list[Action]:
        if len(size) != 2:
            want, fix = "images", "the slices as a batch of images"
            raise ValueError(explain(f"{self.name}: patches of a volume", f"frame {list(size)}", want, fix))
        rows, columns = self.grid
        sides = sides_of(size, self.grid, self.padding)
        small = ((size[0] + sides[2] + sides[3]) // rows, (size[1] + sides[0] + sides[1]) // columns)
        if not all(small):
            want = f"at most {size[0]} rows and {size[1]} columns"
            raise ValueError(explain(f"{self.name}: a grid finer than the frame", self.grid, want, "a coarser grid"))
        how = self.sampling.within(sampling)
        if len(self.steps) > 1 or rows * columns == 1:
            each = [f.plan(params[n], small, how) for n, f in self.steps.items()]
            return [Patched(tuple((i, i + 1) for i in range(len(each))), tuple(map(tuple, each)), self.grid, sides)]
        ((name, f),) = self.steps.items()
        own = leaves_of(params[name])
        flat = nested(params[name], iter([flattened(v, f.meanings[n].rank) for n, v in own.items()]))
        return [Patched(((0, rows * columns),), (tuple(f.plan(flat, small, how)),), self.grid, sides)]


def flattened(value: Any, rank: int) -> Any:
    """Values `[*b, N, *leaf]` as `[B N, *leaf]`."""
    if isinstance(value, Gate):
        return dataclasses.replace(value, value=flattened(value.value, rank))
    return value.flatten(0, value.ndim - rank - 1) if isinstance(value, Tensor) else value


def patchwise(
    *fs: Augmentation, grid: tuple[int, int] = (4, 4), padding: str = "same", **named_steps: Augmentation
) -> Patches:
    """An augmentation on each patch of a grid of (rows, columns) as an image of its own: one for all of them, of which every
    patch has a draw of its own, or as many as there are patches, in the order of rows.

    * `padding`: where the grid does not divide the frame, "same" pads with zeros for the time, "valid" cuts off what is over.
    * Leaves of one augmentation are `[*b, N, *shape]` for N patches. Masks are cut as images are; boxes and keypoints stay, so
      geometry beside them raises.

    Source: kornia `PatchSequential`.

    >>> import torch, augfn as af
    >>> f = af.patchwise(af.brightness(factor=(0.5, 1.5)), grid=(2, 2))
    >>> y, params = f(torch.full((1, 1, 4, 4), 0.5), None, af.key(0))
    >>> params["brightness"]["factor"].shape, y.unique().numel()
    (torch.Size([1, 4]), 4)
    """
    rows, columns = grid
    steps = named(fs, named_steps, "patchwise")
    n = rows * columns
    if not (rows > 0 and columns > 0) or padding not in ("same", "valid") or len(steps) not in (1, n):
        want = f"a grid, 'same' or 'valid', and one augmentation or {n}"
        raise ValueError(explain("patchwise", (len(steps), grid, padding), want, "af.patchwise(f, grid=(2, 2))"))
    if any(f.mixes for f in steps.values()):
        want, fix = "steps of one image each", "mix before or after"
        raise ValueError(explain("patchwise: a mix within, whose partners would be patches", [*steps], want, fix))
    made = Patches("patchwise", steps, {}, {}, grid=(rows, columns), padding=padding)
    if len(steps) == 1 < n:
        ((name, f),) = steps.items()
        if any(leaf.per_channel is not None for leaf in f.meanings.values()):
            want, fix = "leaves of one shape", "leave per_channel out"
            raise ValueError(explain("patchwise: draws for each channel of each patch", f, want, fix))
        flat = [leaf.within(2, 0) for leaf in f.meanings.values()]  # patches are images
        made.schema = {name: nested(f.schema, iter([leaf.sized(n, *leaf.shape) for leaf in flat]))}
        made.meanings = leaves_of(made.schema)
    return made

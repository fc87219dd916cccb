"""kornia's container of patches."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn.functional import pad as padded
from torch.serialization import add_safe_globals

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.core.patched import cut, joined
from augfn.errors import explain
from augfn_nn.choosing import Choosing
from augfn_nn.containers import ImageSequential, Wrapped

Sides = tuple[int, int, int, int]


class PatchSequential(Wrapped, ImageSequential):
    """Modules on the patches of a grid, each as an image of its own (`af.patchwise`).

    * `grid_size`: (rows, columns). `padding`: "same" pads where it does not divide the frame, "valid" cuts off what is over.
    * `patchwise_apply=True`: the first module for the first patch, the second for the second, as many as there are patches;
      with `random_apply` (True: 1 to all) some of the modules for each patch, chosen for each of them.
    * `patchwise_apply=False`: all modules one after another on every patch, with a draw of its own; `random_apply` chooses among
      them for the batch.

    Beside masks these are cut as images are; boxes and keypoints stay, so that geometry beside them raises.

    >>> import torch, augfn_nn
    >>> aug = PatchSequential(augfn_nn.RandomInvert(p=1.0), grid_size=(2, 2), patchwise_apply=False)
    >>> aug(torch.zeros(1, 1, 4, 4)).unique()
    tensor([1.])
    """

    def __init__(
        self,
        *modules: Any,
        grid_size: tuple[int, int] = (4, 4),
        padding: str = "same",
        same_on_batch: bool | None = None,
        keepdim: bool | None = None,
        patchwise_apply: bool = True,
        random_apply: bool | int | tuple[int, ...] = False,
        random_apply_weights: Any = None,
    ) -> None:
        n, some = grid_size[0] * grid_size[1], random_apply is not False
        if patchwise_apply and not some and len(modules) != n:
            want, fix = f"{n} modules, one for each patch of {grid_size}", "patchwise_apply=False, or random_apply=True"
            raise ValueError(explain("PatchSequential: modules for patches", len(modules), want, fix))
        self.grid_size, self.padding, self.patchwise_apply = (grid_size[0], grid_size[1]), padding, patchwise_apply
        self.wraps = some or not patchwise_apply
        chosen = (1, len(modules)) if random_apply is True and patchwise_apply else random_apply
        known = {"random_apply": chosen, "random_apply_weights": random_apply_weights}
        per = "sample" if patchwise_apply else "batch"
        super().__init__(*modules, same_on_batch=same_on_batch, keepdim=keepdim, random_apply_per=per, **known)

    def outer(self, f: Augmentation) -> Augmentation:
        return af.patchwise(f, grid=self.grid_size, padding=self.padding)

    def chained(self, choosing: Choosing, fs: dict[str, Augmentation], settings: Any) -> Any:
        if self.wraps:
            return super().chained(choosing, fs, settings)
        return af.patchwise(grid=self.grid_size, padding=self.padding, **fs)

    def extract_patches(self, x: Tensor, grid_size: tuple[int, int] | None = None, pad: Sides | None = None) -> Tensor:
        """`[B, C, H, W]` as patches `[B, N, C, h, w]`, after a pad (left, right, top, bottom; negative cuts off)."""
        return cut(padded(x, pad or (0, 0, 0, 0)), grid_size or self.grid_size).movedim(0, 1)

    def restore_from_patches(
        self, x: Tensor, grid_size: tuple[int, int] | None = None, pad: Sides | None = None
    ) -> Tensor:
        """The inverse of `extract_patches`."""
        whole = joined(x.movedim(1, 0), grid_size or self.grid_size)
        return padded(whole, tuple(-v for v in pad or (0, 0, 0, 0)))


add_safe_globals([PatchSequential])

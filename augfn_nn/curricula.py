"""A module that follows a curriculum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.serialization import add_safe_globals

from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.curricula import Curriculum, Curve
from augfn_nn.augment import Augment


class Scheduled(Augment):
    """An augmentation whose ranges follow an epoch counter, alone or in an AugmentationSequential.

    * `f`: the pure function; `curves`: what changes, as in `af.schedule`: `{"rotate/degrees": af.linear((-5, 5), (-15, 15))}`.
    * `epochs`: progress is 0 in the first of them and 1 in the last; `set_epoch(epoch)` sets it. The epoch is in the
      `state_dict`, so a run that goes on goes on where it was.

    >>> import augfn as af
    >>> aug = Scheduled(af.rotate(), {"degrees": af.linear((-5, 5), (-15, 15))}, epochs=11)
    >>> aug.set_epoch(5)
    >>> aug.params["degrees"]
    Uniform(low=-10.0, high=10.0)
    """

    at_home = ("key", "epoch")
    epoch: Tensor

    def __init__(self, f: Augmentation, curves: Mapping[str, Any], epochs: int, **flags: Any) -> None:
        super().__init__(f, **flags)
        self.curriculum, self.epochs = Curriculum(f, curves), epochs
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))

    def set_epoch(self, epoch: int) -> None:
        self.epoch.fill_(epoch)

    @property
    def progress(self) -> Tensor:
        return (self.epoch / max(self.epochs - 1, 1)).clamp(0, 1)

    @property
    def params(self) -> Params:
        return self.curriculum(self.progress, self.ranges.tree())


add_safe_globals([Scheduled, Curriculum, Curve])

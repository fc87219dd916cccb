"""Adaptive discriminator augmentation, as a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.serialization import add_safe_globals

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn_nn.containers import Wrapped
from augfn_nn.geometric import RandomAffine, RandomHorizontalFlip
from augfn_nn.noise import RandomGaussianNoise
from augfn_nn.occlude import RandomErasing
from augfn_nn.photometric import ColorJitter
from augfn_nn.symmetry import RandomQuarterTurn


class AdaptiveDiscriminatorAugmentation(Wrapped):
    """Modules that act on a share p of the images, which follows how surely a discriminator tells real ones.

    * `modules`: those of AugmentationSequential; by default flips, quarter turns, an affine map, colour, noise and a hole.
    * `aug(images, real_acc=accuracy)`: the accuracy goes into a mean with the weight `1 - ema_lambda`; every `update_every`
      calls with one, p grows by `adjustment_speed` where the mean is above `target_real_acc`, else it falls, in 0 to `max_p`.
      Both are in the `state_dict`. An image is changed by all modules or by none.
    * `erasing_*`: of the default hole. All else goes to AugmentationSequential.

    `af.recipe("ada")` is the paper's pipeline and `af.learn.ada_probability` its rule, which looks at logits. Source: Karras et
    al. 2020; kornia `AdaptiveDiscriminatorAugmentation`.

    >>> aug = AdaptiveDiscriminatorAugmentation(initial_p=0.5, update_every=1, ema_lambda=0.0)
    >>> y = aug(torch.rand(2, 3, 16, 16), real_acc=1.0)
    >>> round(float(aug.p), 4)
    0.51
    """

    at_home = ("key", "p", "real_acc_ema")
    p: Tensor
    real_acc_ema: Tensor

    def __init__(
        self,
        *modules: Any,
        initial_p: float = 1e-5,
        adjustment_speed: float = 1e-2,
        max_p: float = 0.8,
        target_real_acc: float = 0.85,
        ema_lambda: float = 0.99,
        update_every: int = 5,
        erasing_scale: Any = (0.02, 0.33),
        erasing_ratio: Any = (0.3, 3.3),
        erasing_fill_value: float = 0.0,
        data_keys: Sequence[Any] | None = ("input",),
        same_on_batch: bool | None = False,
        **others: Any,
    ) -> None:
        steps = modules or (
            RandomHorizontalFlip(p=0.5),
            RandomQuarterTurn(p=1.0),
            RandomAffine(degrees=10, translate=(0.1, 0.1), scale=(0.9, 1.1), p=1.0),
            ColorJitter(0.2, 0.2, 0.2, 0.1, p=1.0),
            RandomErasing(scale=erasing_scale, ratio=erasing_ratio, value=erasing_fill_value, p=0.9),
            RandomGaussianNoise(std=0.1, p=0.5),
        )
        self.__dict__["initial_p"] = float(initial_p)
        super().__init__(*steps, data_keys=data_keys, same_on_batch=same_on_batch, **others)
        self.register_buffer("p", torch.tensor(float(initial_p)))
        self.register_buffer("real_acc_ema", torch.tensor(0.5))
        self.adjustment_speed, self.max_p, self.target_real_acc = adjustment_speed, max_p, target_real_acc
        self.ema_lambda, self.update_every, self.calls = ema_lambda, update_every, 0

    def outer(self, f: Augmentation) -> Augmentation:
        return af.maybe(f, self.initial_p)

    def outer_leaves(self) -> Params:
        return {"gate": af.Bernoulli(self.p)}

    def update(self, real_acc: float | Tensor) -> None:
        """Follow a discriminator's accuracy on real images."""
        self.calls += 1
        if self.calls < self.update_every:
            return
        self.calls = 0
        self.real_acc_ema.lerp_(torch.as_tensor(real_acc).to(self.real_acc_ema), 1 - self.ema_lambda)
        way = torch.where(self.real_acc_ema < self.target_real_acc, -1.0, 1.0)
        self.p.add_(way * self.adjustment_speed).clamp_(0.0, self.max_p)

    def forward(self, *args: Any, real_acc: float | Tensor | None = None, **known: Any) -> Any:
        if real_acc is not None:
            self.update(real_acc)
        return super().forward(*args, **known)


add_safe_globals([AdaptiveDiscriminatorAugmentation])

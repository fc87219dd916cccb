"""Invariance of units: how much each activation varies over draws, against how much it does over images."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from augfn import random
from augfn.adversarial import augmentation_of
from augfn.analysis.capture import Layers, Tap, bare, by_sample, layouts, require_heard
from augfn.analysis.passes import quiet
from augfn.analysis.plans import Plan, check_key, checked, positive
from augfn.analysis.tables import Table
from augfn.errors import explain
from augfn.models import device_of
from augfn.progress import shown


class Sums:
    """Running means and variances of one layer's units over images, for each draw, and over draws, for each image."""

    def __init__(self, root: bool) -> None:
        self.root, self.images, self.heard = root, 0, 0
        self.mean: list[Tensor] = []  # over images, of each draw
        self.square: list[Tensor] = []
        self.middle = self.moved = torch.zeros(())  # over draws, of each image of the block
        self.within: Tensor | float = 0.0

    def hear(self, x: Tensor) -> None:
        """Take in a block of images under the next draw."""
        x, n, d = x.float(), len(x), self.heard
        if d == 0:
            self.middle, self.moved = x.clone(), torch.zeros_like(x)
        else:  # Welford 1962
            step = x - self.middle
            self.middle.add_(step, alpha=1 / (d + 1))
            self.moved.addcmul_(step, step, value=d / (d + 1))
        if d == len(self.mean):
            self.mean.append(torch.zeros_like(x[0]))
            self.square.append(torch.zeros_like(x[0]))
        mean, total = x.mean(0), self.images + n  # Chan et al. 1979: the moments of two parts as one
        step = mean - self.mean[d]
        self.square[d] += (x - mean).square_().sum(0) + step.square() * (self.images * n / total)
        self.mean[d] += step * (n / total)
        self.heard += 1

    def close(self, name: str, draws: int) -> None:
        """The block has been heard under all draws."""
        if self.heard != draws:
            want, fix = "a layer that runs in every pass", "layers=[...] without it"
            raise ValueError(explain(f"invariance: {name} runs now and then", f"{self.heard} times", want, fix))
        self.within = self.within + spread(self.moved / (draws - 1), self.root).sum(0)
        self.images, self.heard = self.images + len(self.moved), 0
        self.middle = self.moved = torch.zeros(())

    def found(self) -> Tensor:
        between = [spread(s / (self.images - 1), self.root) for s in self.square]
        return self.within / self.images / torch.stack(between).mean(0)


def spread(variance: Tensor, root: bool) -> Tensor:
    return variance.sqrt() if root else variance


def invariance(
    model: nn.Module,
    images: Any,
    augment: Any,
    key: Tensor,
    layers: Layers = None,
    draws: int = 16,
    *,
    root: bool = False,
    batch: int = 16,
    progress: bool = False,
) -> tuple[Table, dict[str, Tensor]]:
    """The normalized variance of every unit: the mean over images of its variance over draws, divided by the mean over draws
    of its variance over images; 0 where the unit is invariant. `root=True` takes standard deviations, as tmeasures does.
    All images have the same draws, so that over images it is they that vary.

    Returns a table of the layers, with the mean over the units that vary and the share of units below 0.1, and for each layer
    the values of its units. Maps are compared place by place: after a flip that is not invariance, but see the measure
    "equivariance" of `behaviour`. What is held are 2 `draws` numbers for each unit, and 2 for each image of a batch: name
    the layers, of a large model.

    Source: Quiroga et al. 2023, "Invariance measures for neural networks".

    >>> import augfn as af
    >>> net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    >>> table, units = invariance(net, torch.rand(8, 3, 6, 6), af.hflip(p=0.5), af.key(0))
    >>> bool(units["2"].max() < 1e-6)
    True
    """
    f, tree = augmentation_of(augment, "invariance")
    images, _ = checked(images, None)
    check_key(key)
    if positive(draws, "draws") < 2 or len(images) < 2:
        raise ValueError(
            explain("invariance", f"{len(images)} images, {draws} draws", "two or more of both", "draws=16")
        )
    plan = Plan(f, tree, key, images, None, draws, positive(batch, "batch"))
    tap = Tap(bare(model), layers)
    device, dtype = device_of(tap.model)
    sums: dict[str, Sums] = defaultdict(lambda: Sums(root))
    with quiet(tap.model):
        first = plan.augmented(plan.images(few := torch.arange(min(len(images), 2))), few, 0)[0]
        layout, _ = layouts(lambda x, hear: tap(x.clone(), hear), first.to(device, dtype))
        require_heard(layers, layout)
        for index in shown(plan.blocks(), progress, "batches"):
            x, n = plan.images(index), len(index)

            def hear(name: str, t: Tensor, n: int = n) -> None:
                found = by_sample(t, n, layout.get(name))
                if found is not None:
                    sums[name].hear(found)

            for d in range(draws):
                y = f(x, tree, random.sample_keys(key, [0], d).expand(n, 2))[0]  # one draw for all images
                tap(y.to(device, dtype, copy=True), hear)
            for name, one in sums.items():
                one.close(name, draws)
    units = {name: one.found().cpu() for name, one in sums.items()}
    return Table(
        ("layer", "normalized_variance", "invariant", "units"), [row_of(n, v) for n, v in units.items()]
    ), units


def row_of(name: str, v: Tensor) -> tuple[str, float, float, int]:
    v = v[v.isfinite()]
    return name, float(v.mean()), float((v < 0.1).float().mean()), v.numel()

"""The trainer of `augfn tune`: classification of folders of images, by a small convolutional net or one of timm's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

import augfn as af
from augfn.app.analyse import Folder, classes_of, model_of, readable
from augfn.core.augmentation import Augmentation
from augfn.errors import explain
from augfn.losses import soft_cross_entropy

LOOKS = 5  # at validation data in the course of a training
CHUNK = 256  # images at a time, where nothing is learned


@dataclass
class Images:
    """Images `[N, 3, size, size]` as bytes, their classes `[N]`, and the classes' names."""

    x: Tensor
    y: Tensor
    names: list[str]

    @classmethod
    def of(cls, folder: Path, size: int, names: list[str] | None = None) -> Images:
        """A folder of folders, one for each class; of the classes `names`, where they are given."""
        if not folder.is_dir():
            raise ValueError(
                explain("no such folder", str(folder), "a folder with one of images for each class", "DIR")
            )
        paths, bad = readable(folder, "**/*", None)
        if bad:
            path, error = bad[0]
            raise ValueError(explain(f"{len(bad)} files that cannot be read", str(path), "images", str(error)))
        if not paths:
            raise ValueError(explain("no images", str(folder), "DIR/<class>/<image>", "a folder for each class"))
        y, found = classes_of(paths, folder, names)
        known = names or found
        y = torch.tensor([known.index(p.relative_to(folder).parts[0]) for p in paths])
        x = torch.stack([(image * 255).round().to(torch.uint8) for image in Folder(paths, size)])
        return cls(x, y, known)

    def rows(self, index: Tensor) -> Images:
        return Images(self.x[index], self.y[index], self.names)

    def prints(self) -> set[bytes]:
        """What tells images from others."""
        return {sha256(x.numpy().tobytes()).digest() for x in self.x}

    def divided(self, share: float, key: Tensor) -> tuple[Images, Images]:
        """What is left, and a share of each class that is put aside."""
        order = af.uniform(key, (len(self.y),)).argsort()
        aside = torch.zeros(len(self.y), dtype=torch.bool)
        for c in range(len(self.names)):
            own = order[self.y[order] == c]
            aside[own[: round(share * len(own))]] = True
        if not bool(aside.any()) or bool(aside.all()):
            want, fix = "some images in both parts", "another share, or more images"
            raise ValueError(explain(f"a share of {len(self.y)} images", share, want, fix))
        return self.rows((~aside).nonzero()[:, 0]), self.rows(aside.nonzero()[:, 0])


@dataclass
class Trainer:
    """Trains with an augmentation, and gives the accuracy and the loss on `held`: `trainer(augment, key, budget)`, as `search`
    has it, a generator of them as training goes on. The key alone says how the net begins, which images come when, and
    how they are augmented; the budget is the number of steps.

    SGD with momentum .9, the rate along half a cosine, weight decay 5e-4; images are normalized by the mean and standard
    deviation of the training images, or as the policy does it. Mixes give soft labels.
    """

    train: Images
    held: Images
    model: str = "small"
    batch: int = 64
    rate: float = 0.1
    device: str = "cpu"

    def __post_init__(self) -> None:
        pixels = self.train.x.float().movedim(1, 0).flatten(1) / 255
        self.normalize = af.normalize(mean=tuple(pixels.mean(1).tolist()), std=tuple((pixels.std(1) + 1e-3).tolist()))

    def __call__(self, augment: Augmentation, key: Tensor, budget: int) -> Iterator[dict[str, float]]:
        start, order, draws = af.split(key, 3)
        net = self.net(start).to(self.device).train()
        optimizer = torch.optim.SGD(net.parameters(), lr=self.rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
        own = normalize_of(augment)
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, budget)
        shown = {round(budget * (i + 1) / LOOKS) for i in range(LOOKS)}
        for step in range(budget):
            index = self.index(order, step)
            y = self.augmented(augment, index, af.sample_keys(draws, index, step))
            optimizer.zero_grad()
            x = y["image"] if own else self.normalize(y["image"])[0]
            soft_cross_entropy(net(x.to(self.device)), y["label"].to(self.device)).backward()
            optimizer.step()
            decay.step()
            if step + 1 in shown:
                yield self.measured(net, own or self.normalize)

    def index(self, key: Tensor, step: int) -> Tensor:
        """The images of a step: epoch after epoch in another order, without the last that do not fill a batch."""
        n, size = len(self.train.y), min(self.batch, len(self.train.y))
        epoch, place = divmod(step, n // size)
        return af.uniform(af.fold_in(key, epoch), (n,)).argsort()[place * size : (place + 1) * size]

    def augmented(self, augment: Augmentation, index: Tensor, keys: Tensor) -> dict[str, Tensor]:
        batch = self.train.rows(index)
        x = batch.x if augment.takes_integers else af.to_float(batch.x)
        y = augment({"image": x, "label": batch.y}, None, keys)[0]
        label, classes = y["label"], len(self.train.names)
        if label.is_floating_point() and label.shape[-1] != classes:
            want, fix = f"{classes}, as many as the images have", f"num_classes={classes}"
            raise ValueError(explain("labels of another number of classes", label.shape[-1], want, fix))
        return y | {"image": af.to_float(y["image"])}

    def net(self, key: Tensor) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(af.bits(key)))
            return small(len(self.train.names)) if self.model == "small" else timms(self.model, len(self.train.names))

    @torch.no_grad()
    def measured(self, net: nn.Module, normalize: Augmentation) -> dict[str, float]:
        """The accuracy and the loss on what is held out, as it is."""
        net.eval()
        chunks = [normalize(af.to_float(x))[0].to(self.device) for x in self.held.x.split(CHUNK)]
        parts = [net(x).float().cpu() for x in chunks]
        net.train()
        logits, y = torch.cat(parts), self.held.y
        loss = nn.functional.cross_entropy(logits, y)
        return {"accuracy": float((logits.argmax(-1) == y).float().mean()), "loss": float(loss)}


def normalize_of(augment: Augmentation) -> Augmentation | None:
    """The step of a policy that normalizes, the last one."""
    found = [augment] if augment.name == "normalize" else []
    inner = [normalize_of(f) for f in getattr(augment, "steps", {}).values()]
    return next((f for f in [*inner[::-1], *found] if f is not None), None)


def small(classes: int) -> nn.Module:
    """Three convolutions and a linear layer, for images of any size."""
    widths = [3, 32, 64, 128]
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [
            nn.Conv2d(a, b, 3, padding=1, bias=False),
            nn.BatchNorm2d(b),
            nn.ReLU(),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


def timms(name: str, classes: int) -> nn.Module:
    """A model of timm with random weights."""
    return model_of(name, None, classes)[0]

"""What is run: an augmentation with its ranges, on images, with draws that a key names."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from augfn import random
from augfn.analysis.passes import Watched
from augfn.analysis.switching import PREPARES, reference
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Pipeline
from augfn.core.draw import Params
from augfn.errors import explain
from augfn.words import explain as explain_params

Measures = Sequence[str | Callable[..., Tensor]]


def without_normal(f: Augmentation, params: Params) -> Params:
    """Drawn params without the steps that normalize, in pipelines within too."""
    if not isinstance(f, Pipeline):
        return params
    steps = {n: (f.steps[n], p) for n, p in params.items()}
    return {n: without_normal(g, p) for n, (g, p) in steps.items() if g.name not in PREPARES}


def code_of(function: Any) -> list[Any]:
    """What tells a function from others of its name."""
    code = getattr(function, "__code__", None)
    return [getattr(function, "__module__", ""), *([code.co_code, code.co_consts, code.co_names] if code else [])]


def digest(values: Iterable[Any]) -> str:
    """A short name for the content of tensors and other values."""
    found = hashlib.sha256()
    for v in values:
        if isinstance(v, Tensor):
            found.update(repr((v.dtype, v.shape)).encode())
            found.update(v.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            found.update(repr(v).encode())
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class Plan:
    """What is run: an augmentation with its ranges, on these images, with these draws."""

    f: Augmentation
    tree: Params
    key: Tensor
    source: Any
    labels: Tensor | None
    draws: int
    batch: int
    measures: Measures = ()

    @property
    def resampling(self) -> Tensor:
        """The key of all resamples: differences of measures, and of models, are paired."""
        return random.fold_in(self.key, 0xB007)

    def blocks(self) -> list[Tensor]:
        """The images' numbers, shuffled, in blocks of nearly one size."""
        n = len(self.source)
        order = random.uniform(random.fold_in(self.key, 0x5EED), (n,)).argsort()
        return [*order.tensor_split(math.ceil(n / self.batch))]

    def images(self, index: Tensor) -> Tensor:
        if isinstance(self.source, Tensor):
            return self.source[index.to(self.source.device)]
        some = [self.source[i] for i in index.tolist()]
        some = [
            x[0] if isinstance(x, list | tuple) else x for x in some
        ]  # a dataset gives labels too, which labels= takes
        other = [x for x in some if not isinstance(x, Tensor)]
        if other:
            want, fix = "tensors [C, H, W]", "af.to_float(image), of an array or a PIL image"
            raise TypeError(explain("an image", type(other[0]).__name__, want, fix))
        if len({x.shape for x in some}) > 1:
            want, fix = "images of one size", "resize them where they are read"
            raise ValueError(explain("images of several sizes", [list(x.shape) for x in some], want, fix))
        return torch.stack(some)

    def augmented(self, x: Tensor, index: Tensor, draw: int) -> tuple[Tensor, Params]:
        return self.f(x, self.tree, random.sample_keys(self.key, index, draw))

    def words(self, params: Params) -> str:
        """What drawn params do, in words, for the first image."""
        return explain_params(without_normal(self.f, params) if isinstance(self.f, Pipeline) else {self.f.name: params})

    def visible(self, x: Tensor, params: Params) -> Tensor:
        """What drawn params make of images, without what normalizes them for a model."""
        return self.f.on(self.f.read(x), without_normal(self.f, params), None)[0]

    def reference(self, x: Tensor, index: Tensor) -> tuple[Params, Tensor]:
        """Drawn params, and the images with every step off."""
        drawn = self.augmented(x, index, 0)[1]
        return drawn, self.f(x, reference(self.f, drawn, tuple(x.shape[-2:])))[0]

    def content(self) -> dict[str, Any]:
        """What tells these draws of these images from others. Of a sequence the first and the last image are looked at."""
        whole = self.source if isinstance(self.source, Tensor) else self.images(torch.tensor([0, len(self.source) - 1]))
        images = f"{len(self.source)} ({digest([whole])})"
        ranges = digest(tree_leaves(self.tree))
        labels = None if self.labels is None else digest([self.labels])
        rest = {"key": self.key.tolist(), "draws": self.draws, "batch": self.batch}
        return {"images": images, "labels": labels, "augment": f"{self.f!r} ({ranges})", **rest}

    def mark(self, seen: Watched, blame: int) -> str:
        """What tells this study from others; of a model its modules and weights, not the code of its forward."""
        weights = digest(seen.tap.model.state_dict().values())
        own = [repr(seen.tap.model), weights, seen.tap.nodes, seen.tap.names, seen.embedding, seen.by_input]
        codes = [digest(code_of(m)) if callable(m) else m for m in self.measures]
        return repr([self.content(), *own, codes, list(seen.measures), blame])


# what is given


def checked(images: Any, labels: Any) -> tuple[Any, Tensor | None]:
    if isinstance(images, Tensor):
        images = images[None] if images.ndim == 3 else images
        if images.ndim != 4 or not len(images):
            want, fix = "[C, H, W], or [N, C, H, W] of at least one", "images that are there, with their channels"
            raise ValueError(explain("images", images, want, fix))
    elif not (hasattr(images, "__len__") and hasattr(images, "__getitem__")) or not len(images):
        want, fix = (
            "a tensor, or a sequence of images [C, H, W], not empty",
            "torch.stack(images); of a DataLoader its .dataset",
        )
        raise TypeError(explain("images", type(images).__name__, want, fix))
    if labels is None:
        return images, None
    try:
        labels = torch.as_tensor(labels).cpu()
    except (TypeError, ValueError):
        fix = "[names.index(label) for label in labels]"
        raise TypeError(explain("labels", labels, "class indices, whole numbers", fix)) from None
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise ValueError(explain("labels", labels, "class indices [N]", "labels.argmax(1), of one-hot labels"))
    labels = labels[:, 0] if labels.ndim == 2 else labels
    labels = labels[None] if not labels.ndim else labels
    if labels.is_floating_point() or len(labels) != len(images):
        want, fix = f"{len(images)} class indices, whole numbers", "labels.argmax(1), of one-hot labels"
        raise ValueError(explain("labels", labels, want, fix))
    return images, labels


def check_key(key: Any) -> None:
    """One key for all images: theirs follow from it."""
    random.check_key(key)
    if key.ndim != 1:
        raise ValueError(explain("a key for each image", key, "one key [2]", "af.key(0)"))


def positive(n: Any, what: str) -> int:
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(explain(what, n, "a whole number, at least 1", f"{what}=16"))
    return n

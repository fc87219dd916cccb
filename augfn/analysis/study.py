"""How a model behaves under augmentation: the study of one model, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from augfn import random
from augfn.analysis import measures as m
from augfn.analysis import predictions
from augfn.analysis.capture import Layers, bare
from augfn.analysis.passes import EMBEDDING, OUTPUT, Moments, Watched, quiet, self_measured, stacked, watched
from augfn.analysis.reports import Report
from augfn.analysis.shares import Shares, shares_of, undo_of
from augfn.analysis.stores import Store
from augfn.analysis.switching import PREPARES, augmentation_of, keeps, reference, varied
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Pipeline
from augfn.core.draw import Params
from augfn.errors import explain
from augfn.words import explain as explain_params

Measures = Sequence[str | Callable[..., Tensor]]
USUAL = ("relative_l2", "cosine", "cka", "rank_correlation")
NEIGHBOURS = 5


def behaviour(
    model: nn.Module,
    images: Any,
    augment: Any,
    key: Tensor,
    layers: Layers = None,
    labels: Any = None,
    draws: int = 16,
    *,
    measures: Measures = USUAL,
    embedding: str | None = None,
    blame: int | None = None,
    batch: int = 16,
    nodes: bool = False,
    level: float = 0.95,
    resamples: int = 1000,
    progress: bool = False,
    resume: str | Path | None = None,
) -> Report:
    """How the layers, the embedding and the predictions of a model change when its images are augmented, and by which op.

    Each image is compared with `draws` augmented versions of itself. What it is compared with is the image as the
    augmentation leaves it with all steps off: conversions, normalize, resize and pad act, a random crop is that of the middle.

    | argument | meaning |
    |---|---|
    | `model` | any module that takes images `[B, C, H, W]`; it runs in eval() and without gradients, and is left as it was |
    | `images` | one image `[C, H, W]`, a batch, or a sequence of images of one size, read as they are needed (a dataset) |
    | `augment` | an augmentation of one image each, or a module of `augfn_nn` with its ranges as they are now |
    | `key` | names all draws: image i has the key `fold_in(fold_in(key, draw), i)`, whatever the batch |
    | `layers` | names, patterns (`"layer1.*"`) or types of modules; None: those with weights. `nodes=True`: of `torch.fx` nodes |
    | `labels` | class indices `[N]` (of dense predictions `[N, h, w]`): accuracy, calibration, the probe's classes |
    | `measures` | names of `augfn.analysis.passes.LAYER`, or functions `(clean, augmented) -> [n]` of `[n, ...]` |
    | `embedding` | the layer that gives it, averaged over places; None: what goes into the last linear layer, if that gives
    the output, else the output |
    | `blame` | draws for the shares of the ops, each of 2 P passes for P steps; None: a quarter of `draws`, 0: none |
    | `batch` | images at a time, and in a block of measures that compare images (CKA, rank correlation) |
    | `level`, `resamples` | of the bootstrap intervals, over images, each with its draws; of one image over its draws |
    | `progress` | show a bar (needs tqdm) |
    | `resume` | a folder in which finished batches are kept, and found again when the same call goes on |

    Returns a `Report` with the tables `layers`, `embedding` and `ops`; its `notes` say what was left out and why.

    CKA is the debiased minibatch form (Nguyen et al. 2021), NaN below 4 images; rank correlation is Spearman's, of the
    distances between images before and after (Kriegeskorte et al. 2008). Predictions are compared where the model
    ends in a linear layer, is dense, or labels are given: flips, Jensen-Shannon divergence, margin, and with labels accuracy and
    expected calibration error. Dense predictions are taken back by `af.invert` first.

    >>> import augfn as af
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5, bias=False))
    >>> report = behaviour(net, torch.rand(8, 3, 8, 8), af.brightness(factor=0.75), af.key(0), draws=2)
    >>> print(report.layers)
    layer  relative_l2        cosine    cka       rank_correlation
    0      0.25 [0.25, 0.25]  1 [1, 1]  1 [1, 1]  1 [1, 1]
    3      0.25 [0.25, 0.25]  1 [1, 1]  1 [1, 1]  1 [1, 1]
    """
    f, tree = augmentation_of(augment, "behaviour")
    images, labels = checked(images, labels)
    plan = Plan(f, tree, key, images, labels, positive(draws, "draws"), positive(batch, "batch"))
    model = bare(model)
    with quiet(model):
        few = torch.arange(min(len(images), 2))
        x = plan.images(few)
        drawn, x0 = plan.reference(x, few)
        steps = varied(f, drawn, tuple(x.shape[-2:]))
        if not steps:
            want, fix = "a step that can be off", "af.rotate(degrees=(-15, 15))"
            raise ValueError(explain("behaviour: nothing is varied", f, want, fix))
        seen = watched(model, x0, layers, measures, embedding, labels is not None, nodes)
        some = max(draws // 4, 1) if blame is None else blame
        store = Store(resume, plan.mark(seen, measures, some))
        found = [
            store.block(i, partial(studied, plan, seen, index, some if len(steps) > 1 else 0))
            for i, index in enumerate(shown(plan.blocks(), progress, "batches"))
        ]
    name = type(seen.tap.model).__name__
    return gathered(plan, seen, found, steps, name, level, resamples)


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
        some = [x[0] if isinstance(x, list | tuple) else x for x in some]  # a dataset gives labels too
        if len({x.shape for x in some}) > 1:
            want, fix = "images of one size", "resize them where they are read"
            raise ValueError(explain("behaviour: images of several sizes", [list(x.shape) for x in some], want, fix))
        return torch.stack(some)

    def augmented(self, x: Tensor, index: Tensor, draw: int, **given: Any) -> tuple[Tensor, Params]:
        tree = {**self.tree, **given}
        return self.f(x, tree, random.sample_keys(self.key, index, draw))

    def words(self, params: Params) -> str:
        """What drawn params do, in words, for the first image."""
        return explain_params(self.seen(params) if isinstance(self.f, Pipeline) else {self.f.name: params}) or "nothing"

    def seen(self, params: Params) -> Params:
        """The params of a pipeline without what normalizes for a model."""
        steps = self.f.steps  # type: ignore[attr-defined]
        return {n: p for n, p in params.items() if steps[n].name not in PREPARES}

    def visible(self, x: Tensor, params: Params) -> Tensor:
        """What drawn params make of images, without what normalizes them for a model."""
        if not isinstance(self.f, Pipeline):
            return self.f(x, params)[0]
        return self.f.on(self.f.read(x), self.seen(params), None)[0]

    def reference(self, x: Tensor, index: Tensor) -> tuple[Params, Tensor]:
        """Drawn params, and the images with every step off."""
        drawn = self.augmented(x, index, 0)[1]
        return drawn, self.f(x, reference(self.f, drawn, tuple(x.shape[-2:])))[0]

    def mark(self, seen: Watched, measures: Measures, blame: int) -> str:
        """What tells this study from others."""
        weights = [float(p.double().sum()) for p in seen.tap.model.state_dict().values() if p.is_floating_point()]
        x = self.images(torch.arange(1))
        own = [self.f, self.tree, self.key.tolist(), len(self.source), list(x.shape), float(x.double().sum())]
        return repr([*own, self.draws, self.batch, seen.tap.names, list(map(str, measures)), blame, sum(weights)])


def studied(plan: Plan, seen: Watched, index: Tensor, blame: int) -> dict[str, Any]:
    """All that is kept of one block of images."""
    x = plan.images(index)
    size = tuple(x.shape[-2:])
    drawn, x0 = plan.reference(x, index)
    clean = seen.clean(x0, None if plan.labels is None else plan.labels[index])
    stays = keeps(plan.f, drawn, size)
    passes, vectors, shares = [], [], []
    for d in range(plan.draws):
        y, params = plan.augmented(x, index, d)
        moments, embedding = seen.against(clean, y, undo_of(plan.f, params, stays))
        passes.append(moments)
        vectors.append(embedding.cpu())
        if d < blame:
            keys = random.fold_in(random.sample_keys(plan.key, index, d), 0xB1A3E)
            shares.append(shares_of(plan.f, seen, clean, x, params, keys, moments, stays))
    return {
        "passes": stacked(passes),
        "clean": {name: t[:, None] for name, t in self_measured(clean).items()},
        "embeddings": (clean.embedding.cpu(), torch.stack(vectors, 1)),
        "shares": vars(Shares.stack(shares)),
        "notes": list(seen.notes),
    }


def joined(parts: Sequence[Moments], order: Tensor) -> Moments:
    """The moments of all blocks; those of images in the order of the images."""
    names = dict.fromkeys(name for part in parts for name in part)
    out = {name: torch.cat([part[name] for part in parts if name in part]) for name in names}
    return {name: t[order] if len(t) == len(order) else t for name, t in out.items()}


def gathered(
    plan: Plan, seen: Watched, found: list[dict[str, Any]], steps: list[str], name: str, level: float, resamples: int
) -> Report:
    """The blocks as one report, images in their own order."""
    order = torch.cat(plan.blocks()).argsort()
    passes, clean = (joined([b[part] for b in found], order) for part in ("passes", "clean"))
    before, after = (torch.cat([b["embeddings"][i] for b in found])[order] for i in (0, 1))
    passes |= of_embeddings(before, after, plan.labels)
    notes = list(dict.fromkeys(note for b in found for note in b["notes"]))
    if len(order) < 4:
        notes.append(f"CKA needs 4 images in a block, here are {len(order)}")
    classes = passes.pop((OUTPUT, "class"), None)
    if classes is not None:
        classes = torch.cat([clean.pop((OUTPUT, "class")), classes], 1)[..., 0].long()
    shares = Shares.cat([Shares(**b["shares"]) for b in found], order)
    if not shares.whole:
        shares = Shares.alone(passes, steps)
    return Report(
        name, plan, list(seen.measures), passes, clean, classes, shares, short(steps), notes, level, resamples
    )


def short(paths: list[str]) -> list[str]:
    """The steps by their own names, where these tell them apart."""
    names = [path.split("/")[-1] for path in paths]
    return [n if names.count(n) == 1 else path for n, path in zip(names, paths, strict=True)]


def of_embeddings(before: Tensor, after: Tensor, labels: Tensor | None) -> Moments:
    """Measures that compare an image's embedding with those of the others, `[n, draws, 1]`."""
    n, out = len(before), {}
    each = after.unbind(1)
    if n > 2:
        k = min(NEIGHBOURS, n - 2)
        out[EMBEDDING, "neighbour_retention"] = torch.stack([m.retention(before, y, k) for y in each], 1)[..., None]
    classes = labels if labels is not None and labels.ndim == 1 else None
    if classes is not None and n > 3 and len(classes.unique()) > 1:
        out[EMBEDDING, "probe_agreement"] = torch.stack(
            [predictions.probe_agreement(before, y, classes) for y in each], 1
        )[..., None]
    return out


# what is given


def checked(images: Any, labels: Any) -> tuple[Any, Tensor | None]:
    if isinstance(images, Tensor):
        images = images[None] if images.ndim == 3 else images
        if images.ndim != 4 or not len(images):
            want, fix = "[C, H, W], or [N, C, H, W] of at least one", "af.to_float(image)"
            raise ValueError(explain("behaviour: images", images, want, fix))
    elif not (hasattr(images, "__len__") and hasattr(images, "__getitem__")) or not len(images):
        want, fix = "a tensor, or a sequence of images [C, H, W]", "torch.stack(images)"
        raise TypeError(explain("behaviour: images", type(images).__name__, want, fix))
    if labels is None:
        return images, None
    labels = torch.as_tensor(labels)
    labels = labels[None] if not labels.ndim else labels
    if labels.is_floating_point() or len(labels) != len(images):
        want, fix = f"{len(images)} class indices, whole numbers", "labels.argmax(1), of one-hot labels"
        raise ValueError(explain("behaviour: labels", labels, want, fix))
    return images, labels


def positive(n: Any, what: str) -> int:
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ValueError(explain(f"behaviour: {what}", n, "a whole number, at least 1", f"{what}=16"))
    return n


def shown(items: Any, progress: bool, unit: str) -> Iterable[Any]:
    """The items, with a bar where one is wanted and there is a terminal."""
    if not progress:
        return items
    try:
        from tqdm import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm (it is in augfn[analysis])") from error
    return tqdm(items, unit=f" {unit}", disable=None)

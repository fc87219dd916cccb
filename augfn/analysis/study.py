"""How a model behaves under augmentation: the study of one model, batch by batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from augfn import random
from augfn.adversarial import augmentation_of
from augfn.analysis import predictions
from augfn.analysis.capture import Layers, bare
from augfn.analysis.intervals import check_level
from augfn.analysis.measures import neighbours, shared
from augfn.analysis.passes import Watched, quiet, self_measured, stacked, watched
from augfn.analysis.plans import Measures, Plan, check_key, checked, positive
from augfn.analysis.reports import Report
from augfn.analysis.scores import EMBEDDING, LAYER, OUTPUT, Moments
from augfn.analysis.shares import Shares, shares_of, undo_of
from augfn.analysis.stores import Store
from augfn.analysis.switching import flat, steady, varied
from augfn.core.augmentation import Op
from augfn.errors import explain
from augfn.progress import shown

USUAL = ("relative_l2", "cosine", "cka", "rank_correlation")
NEIGHBOURS = 5
OF_BLOCKS = [name for name, m in LAYER.items() if m.least > 1]  # not known of small ones
OUTSIDE = (
    "images have values outside of [0, 1], which colour ops expect (and cut off there, where they clip): af.to_float"
)


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
    | `model` | any module that takes images `[B, C, H, W]`; it runs in eval() and without gradients, and is left as it was.
    Of several outputs the prediction is `logits` or `out`, else the first: wrap a model of another order |
    | `images` | one image `[C, H, W]`, a batch, or a sequence of images of one size, read as they are needed (a dataset) |
    | `augment` | an augmentation of one image each, or a module of `augfn_nn` with its ranges as they are now |
    | `key` | names all draws: image i has the key `fold_in(fold_in(key, draw), i)`, whatever the batch |
    | `layers` | names, patterns (`"layer1.*"`) or types of modules; None: those with weights. `nodes=True`: of `torch.fx` nodes |
    | `labels` | class indices `[N]` (of dense predictions `[N, h, w]`): accuracy, calibration, the probe's classes |
    | `measures` | `relative_l2`, `cosine`, `cka`, `rank_correlation`; also `cka_biased`, `cka_rbf`, `procrustes`,
    `equivariance` (of maps, taken back by `af.invert`); or functions `(clean, augmented) -> [n]`, or a number for the
    block, of `[n, ...]` |
    | `embedding` | the layer that gives it, averaged over places; None: what goes into the last linear layer, if that gives
    the output, else the output |
    | `blame` | draws for the shares of the ops, each of 2 P - 1 passes for P steps; None: a quarter of `draws`, 0: none |
    | `batch` | images at a time, and in a block of measures that compare images (CKA, rank correlation) |
    | `level`, `resamples` | of the bootstrap intervals, over images, each with its draws; of one image over its draws |
    | `progress` | show a bar (needs tqdm) |
    | `resume` | a folder in which finished batches are kept, and found again when the same call goes on |

    Returns a `Report` with the tables `layers`, `embedding` and `ops`; its `notes` say what was left out and why.

    CKA is the debiased minibatch form (Nguyen et al. 2021), NaN below 4 images; rank correlation is Spearman's, of the
    distances between images before and after (Kriegeskorte et al. 2008). Predictions are compared where the model
    ends in a linear layer, is dense, or labels are given: flips, Jensen-Shannon divergence, margin, and with labels accuracy and
    expected calibration error (which is biased upwards for few images, and its interval more so). Dense predictions are
    taken back by `af.invert` first; labels that are no classes, such as an ignored index, do not count there. The linear
    probe learns the labels, or without them what is predicted for the clean images.

    >>> import augfn as af
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5, bias=False))
    >>> report = behaviour(net, torch.rand(8, 3, 8, 8), af.brightness(factor=0.75), af.key(0), draws=2)
    >>> print(report.layers)
    layer  relative_l2        cosine    cka  rank_correlation
    0      0.25 [0.25, 0.25]  1 [1, 1]  1    1
    3      0.25 [0.25, 0.25]  1 [1, 1]  1    1
    """
    f, tree = augmentation_of(augment, "behaviour")
    images, labels = checked(images, labels)
    check_level(level)
    check_key(key)
    positive(resamples, "resamples")
    plan = Plan(f, tree, key, images, labels, positive(draws, "draws"), positive(batch, "batch"), measures)
    model = bare(model)
    with quiet(model):
        few = torch.arange(min(len(images), 2))
        x = plan.images(few)
        drawn, x0 = plan.reference(x, few)
        steps = varied(f, drawn, tuple(x.shape[-2:]))
        if not steps:
            want, fix = "a step that can be off", "af.rotate(degrees=(-15, 15))"
            raise ValueError(explain("behaviour: nothing is varied", f, want, fix))
        seen = watched(model, x0, layers, measures, embedding, labels, nodes)
        if len(steps) == 1 and not isinstance(flat(f, drawn, tuple(x.shape[-2:]))[steps[0]][0], Op):
            seen.notes[f"{steps[0]} is one step, so all is its doing: a pipeline of its parts would have shares"] = None
        some = blamed(blame, draws)
        store = Store(resume, lambda: plan.mark(seen, some))
        found = [
            store.block(i, partial(studied, plan, seen, index, some if len(steps) > 1 else 0))
            for i, index in enumerate(shown(plan.blocks(), progress, "batches"))
        ]
    name = type(seen.tap.model).__name__
    return gathered(plan, seen, found, steps, name, level, resamples)


def blamed(blame: int | None, draws: int) -> int:
    """How many of the draws tell the shares of the ops."""
    some = max(draws // 4, 1) if blame is None else blame
    if isinstance(some, bool) or not 0 <= some <= draws:
        raise ValueError(explain("behaviour: blame", blame, f"0 to {draws}, the number of draws", "blame=None"))
    return some


def studied(plan: Plan, seen: Watched, index: Tensor, blame: int) -> dict[str, Any]:
    """All that is kept of one block of images."""
    x = plan.images(index)
    size = tuple(x.shape[-2:])
    if x.is_floating_point() and bool(((x < -0.01) | (x > 1.01)).any()):
        seen.notes[OUTSIDE] = None
    drawn, x0 = plan.reference(x, index)
    clean = seen.clean(x0, None if plan.labels is None else plan.labels[index])
    stays = steady(plan.f, drawn, size)
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
    some = {name: [part[name] for part in parts if name in part] for name in names}
    out = {name: torch.cat(ts) for name, ts in some.items() if len(ts) == len(parts) or name[1] in OF_BLOCKS}
    return {name: t[order] if len(t) == len(order) else t for name, t in out.items()}


def gathered(
    plan: Plan, seen: Watched, found: list[dict[str, Any]], steps: list[str], name: str, level: float, resamples: int
) -> Report:
    """The blocks as one report, images in their own order."""
    order = torch.cat(plan.blocks()).argsort()
    passes, clean = (joined([b[part] for b in found], order) for part in ("passes", "clean"))
    before, after = (torch.cat([b["embeddings"][i] for b in found])[order] for i in (0, 1))
    notes = list(dict.fromkeys([*seen.notes, *(note for b in found for note in b["notes"])]))
    classes = passes.pop((OUTPUT, "class"), None)
    if classes is not None:
        classes = torch.cat([clean.pop((OUTPUT, "class")), classes], 1)[..., 0].long()
    labelled = plan.labels is not None and plan.labels.ndim == 1
    passes |= of_embeddings(
        before, after, plan.blocks(), plan.labels if labelled else None if classes is None else classes[:, 0]
    )
    shares = Shares.cat([Shares(**b["shares"]) for b in found], order)
    if not shares.whole:
        shares = Shares.alone(passes, clean, steps)
    return Report(
        name, plan, dict(seen.measures), passes, clean, classes, shares, short(steps), notes, level, resamples
    )


def short(paths: list[str]) -> list[str]:
    """The steps by their own names, where these tell them apart."""
    names = [path.split("/")[-1] for path in paths]
    return [n if names.count(n) == 1 else path for n, path in zip(names, paths, strict=True)]


def of_embeddings(before: Tensor, after: Tensor, blocks: list[Tensor], classes: Tensor | None) -> Moments:
    """Measures that compare an image's embedding with those of the others, `[n, draws, 1]`; `classes` are the labels, or else
    what is predicted for the clean images."""
    n, out = len(before), {}
    each = after.unbind(1)
    if n > 2:
        k = min(NEIGHBOURS, n - 2)
        near = neighbours(before, before, k)
        kept = [shared(near, neighbours(y, before, k)) for y in each]
        out[EMBEDDING, "neighbour_retention"] = torch.stack(kept, 1)[..., None]
    if classes is not None and n > 3 and len(classes.unique()) > 1:
        mixed = torch.cat(blocks)  # its halves are at random
        agreed = [predictions.probe_agreement(before[mixed], y[mixed], classes[mixed]) for y in each]
        out[EMBEDDING, "probe_agreement"] = torch.stack(agreed, 1)[mixed.argsort()][..., None]
    return out

"""Test-time augmentation: predictions for several views of a batch, undone and merged."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from augfn import random
from augfn.compose import pipeline
from augfn.core.augmentation import Augmentation
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.draw import Params
from augfn.core.draw import merge as completed
from augfn.core.targets import kind_of
from augfn.errors import explain
from augfn.undoing import undone

UNDONE = ("softmask", "heatmap", "mask", "depth", "boxes", "keypoints")
MERGES = ("mean", "gmean", "max", "vote", "wbf")


def product(*choices: Sequence[Augmentation]) -> list[Augmentation]:
    """All combinations of the choices, one of each in a row, the first the slowest to change.

    >>> import augfn as af
    >>> views = af.product([af.identity(), af.hflip()], [af.rot90(k=k) for k in range(4)])
    >>> len(views), views[5]
    (8, pipeline(hflip(), rot90()))
    """
    return [pipeline(*steps) for steps in itertools.product(*choices)]


def tta(
    model: Callable[[Tensor], Any],
    f: Augmentation | Sequence[Augmentation],
    targets: str | Mapping[str, str] = "label",
    *,
    n: int = 8,
    merge: str = "mean",
    **settings: Any,
) -> Callable[..., Any]:
    """The model under test-time augmentation: `predict = tta(model, f)`, then `predict(x)`.

    * `f`: views, such as `product([identity(), hflip()], ...)` or a list of augmentations; or one augmentation, of which
      `n` draws are made with the key that is handed in, `predict(x, key)`, from its own ranges or, with `predict(x, key,
      params)`, from others, such as learned ones.
    * `targets`: what the model gives for images `[B, C, H, W]`, or, where views are 3-D, volumes `[B, C, D, H, W]`: "label"
      (scores `[B, K]`, which no view changes), or what lies on the image and is taken back by the inverse of each view:
      "softmask" or "heatmap" (`[B, K, H, W]`), "boxes" (`Boxes` or xyxy), "keypoints". For a model that gives a dict, a kind
      for each name.
    * `merge`: "mean", "gmean" (geometric, of probabilities), "max", or "vote" (each view for its largest class along the
      channels). Of dense predictions only the views count in which a pixel was seen. Boxes are merged by "wbf", weighted
      boxes fusion (needs `ensemble-boxes`, in the extra `tta`; `settings` go to it; their `labels` are classes, their scores
      a field "scores" of the dict), and come back as a list of (boxes, scores, labels) for each image; keypoints by "mean".

    >>> import augfn as af
    >>> model = lambda x: x.mean((-1, -2))
    >>> predict = af.tta(model, af.product([af.identity(), af.hflip()]))
    >>> x = torch.rand(2, 3, 8, 8)
    >>> torch.allclose(predict(x), model(x))
    True
    """
    for view in [f] if isinstance(f, Augmentation) else f:
        if getattr(view, "mixes", False) or getattr(view, "many", False):
            want, fix = "augmentations of one image each", "af.product([af.identity(), af.hflip()])"
            raise ValueError(explain("tta: views that mix, or are several", view, want, fix))
    if merge not in MERGES:
        raise ValueError(explain("tta: merge", merge, f"one of {MERGES}", 'merge="mean"'))
    views = list(f) if not isinstance(f, Augmentation) else None
    if views is not None and not (views and all(isinstance(v, Augmentation) for v in views)):
        raise TypeError(explain("tta: views", f, "augmentations", "af.product([af.identity(), af.hflip()])"))

    each = [f] if isinstance(f, Augmentation) else list(f)

    def predict(x: Tensor, key: Tensor | None = None, params: Params | None = None) -> Any:
        if not isinstance(x, Tensor):
            raise TypeError(
                explain("tta: not a tensor", x, "what the model is called with", 'predict(x["image"], key)')
            )
        deep = x.ndim == 5 and not any(view.spatial for view in each)  # colour alone, of volumes
        d = 3 if deep else max(view.ndim for view in each)
        if x.ndim < d + 2:
            want = "a batch [B, C, H, W]" if d == 2 else "a batch of volumes [B, C, D, H, W]"
            raise ValueError(explain("tta: one image", x, want, "predict(x[None], key)"))
        if views is not None and params is not None:
            want, fix = "one augmentation, that is drawn from", "af.tta(model, f, n=8)(x, key, params)"
            raise ValueError(explain("tta: params for a list of views", params, want, fix))
        if views is None and key is None:
            raise ValueError(explain("tta: draws need a key", None, "predict(x, key)", "predict(x, af.key(0))"))
        some: list[Augmentation] = [f] * n if views is None else views  # type: ignore[list-item]
        keys = [None] * len(some) if key is None else [*random.split(key, len(some))]
        found = [one_view(model, g, x, d, k, targets, params) for g, k in zip(some, keys, strict=True)]
        first = found[0][0]
        if isinstance(first, Mapping):
            kinds = kinds_of(first, targets)
            if merge == "wbf":
                return fused([p for p, _ in found], kinds, tuple(x.shape[-d:]), settings)
            return {name: merged([(p[name], v) for p, v in found], kind, merge) for name, kind in kinds.items()}
        if merge == "wbf":
            fix = 'a model that gives {"boxes": Boxes, "scores": ..., "labels": ...}'
            raise ValueError(explain("tta: boxes to fuse", type(first).__name__, "a dict with boxes", fix))
        return merged(found, str(targets), merge)

    return predict


def one_view(
    model: Callable[[Tensor], Any],
    g: Augmentation,
    x: Tensor,
    d: int,
    key: Tensor | None,
    targets: str | Mapping[str, str],
    ranges: Params | None,
) -> tuple[Any, Tensor]:
    """What the model gives for a view, on the image (for d = 3 the volume) as it was; and where that was seen."""
    if d == 3:
        seen, params = g({"volume": x}, ranges, key)
        y = seen["volume"]
    else:
        y, params = g(x, ranges, key)
    given = model(y)
    predictions = dict(given) if isinstance(given, Mapping) else {"prediction": given}
    names = kinds_of(predictions, targets)
    lying = {n: kind for n, kind in names.items() if kind in UNDONE}
    tree: Params = completed(params, g.params, g.schema, g.name)
    blank = torch.zeros((), device=x.device)
    if d == 2:
        frame = {"depth_of_the_view": blank.expand(*y.shape[:-3], 1, *y.shape[-2:])}
    else:
        frame = {"volume_of_the_view": blank.expand(y.shape)}
    sample = frame | {n: predictions[n] for n in lying}
    told = pipeline(g, targets=lying, padding_mode="border")  # at the rim of the view no zeros are blended in
    back, valid = undone(told, sample, {g.name: tree}, tuple(x.shape[-d:]))
    out = predictions | {n: back[n] for n in lying}
    return (out if isinstance(given, Mapping) else out["prediction"]), valid


def kinds_of(predictions: Mapping[str, Any], targets: str | Mapping[str, str]) -> dict[str, str]:
    """The kind of each prediction."""
    given = targets if isinstance(targets, Mapping) else dict.fromkeys(predictions, targets)
    return {n: kind_of(n, given) for n in predictions}


# merging


def merged(found: Sequence[tuple[Any, Tensor]], kind: str, how: str) -> Any:
    """The predictions of all views as one."""
    values = [p for p, _ in found]
    if isinstance(values[0], Boxes) or kind == "boxes":
        fix = 'merge="wbf", for a model that gives {"boxes": Boxes, "scores": ..., "labels": ...}'
        raise ValueError(explain("tta: boxes of several views are not averaged", how, "'wbf'", fix))
    points = isinstance(values[0], Keypoints) or kind == "keypoints"
    whole = isinstance(values[0], Tensor) and not values[0].is_floating_point()
    if (points and how != "mean") or whole:
        want, fix = (
            ("'mean'", 'merge="mean"') if points else ("scores for each class", 'targets="softmask", merge="vote"')
        )
        raise ValueError(explain(f"tta: {kind} merged by {how!r}", values[0], want, fix))
    if isinstance(values[0], Keypoints):
        weights = torch.stack([k.visible for k in values]).to(values[0].xy)[..., None]
        xy = (torch.stack([k.xy for k in values]) * weights).sum(0) / weights.sum(0).clamp(min=1e-6)
        return Keypoints(xy, weights[..., 0].amax(0) > 0, values[0].swap)
    stack = torch.stack(values)
    if how == "vote":
        stack = torch.zeros_like(stack).scatter_(2, stack.argmax(2, keepdim=True), 1.0)
    if how == "gmean":
        stack = stack.clamp(min=torch.finfo(stack.dtype).tiny).log()
    seen = torch.ones_like(stack)
    if kind in ("softmask", "heatmap", "mask", "depth"):
        valid = torch.stack([v for _, v in found])
        seen = (
            valid.reshape(valid.shape[:2] + (1,) * (stack.ndim - valid.ndim) + valid.shape[2:])
            .to(stack)
            .expand_as(stack)
        )
        seen = torch.where(seen.sum(0) > 0, seen, 1.0)
    if how == "max":
        return torch.where(seen > 0, stack, -torch.inf).amax(0)
    mean = (stack * seen).sum(0) / seen.sum(0)
    return mean.exp() if how == "gmean" else mean


def fused(
    found: Sequence[Mapping[str, Any]], kinds: Mapping[str, str], size: Any, settings: Mapping[str, Any]
) -> list[Any]:
    """Weighted boxes fusion of each image's boxes."""
    try:
        from ensemble_boxes import weighted_boxes_fusion, weighted_boxes_fusion_3d
    except ImportError as error:
        fix = "pip install ensemble-boxes (it is in augfn[tta])"
        raise ImportError(explain('merge="wbf" needs ensemble-boxes', "no module ensemble_boxes", "it", fix)) from error
    name = next((n for n, kind in kinds.items() if kind == "boxes"), None)
    if name is None or not all({"scores", "labels"} <= p.keys() for p in found):
        given, want = list(kinds), 'a dict with boxes, "scores" [B, N] and "labels" [B, N]'
        fix = 'targets={"boxes": "boxes", "scores": "other", "labels": "other"}'
        raise ValueError(explain("tta: boxes to fuse", given, want, fix))
    scale = torch.tensor([*reversed(size)] * 2, dtype=torch.float64)
    fusion = weighted_boxes_fusion if len(size) == 2 else weighted_boxes_fusion_3d
    out = []
    for i in range(len(found[0]["scores"])):
        lists: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
        for p in found:
            boxes = p[name] if isinstance(p[name], Boxes) else Boxes(p[name])
            keep = boxes.valid[i].cpu()
            lists[0].append((boxes.xyxy(size)[i].double().cpu()[keep] / scale).clamp(0, 1).tolist())
            lists[1].append(p["scores"][i].cpu()[keep].tolist())
            lists[2].append(p["labels"][i].cpu()[keep].tolist())
        boxes_, scores, labels = fusion(*lists, **settings)
        out.append(tuple(torch.as_tensor(v) for v in (boxes_ * scale.numpy(), scores, labels)))
    return out

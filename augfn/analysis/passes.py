"""Passes of a model over images and over what an augmentation makes of them, compared layer by layer while they run.

Of a batch the clean activations are held, those of an augmented one are compared as they come and let go; what is kept are the
moments of measures, a few numbers for each image and draw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from augfn.adversarial import evaluating
from augfn.analysis import measures, predictions, products, subspaces
from augfn.analysis.capture import Layers, Tap, by_sample, require_heard
from augfn.analysis.intervals import Finish, only
from augfn.analysis.products import Pair, Rows
from augfn.errors import explain, unknown

Moments = dict[tuple[str, str], Tensor]  # (layer, measure): [units, k] of one pass
Undo = Callable[[Tensor], tuple[Tensor, Tensor]]
OUTPUT, EMBEDDING = "output", "embedding"


@dataclass(frozen=True)
class Measure:
    """`of(pair)`, of what a layer gives for images before and after, has moments `[n, k]`, of each image, or `[1, k]`, of the
    block; `finish` takes mean moments `[..., k]` to the measure. `least` images are needed in a block; `undoes`: it is
    `of(clean, augmented, valid)`, of maps taken back."""

    of: Callable[..., Tensor]
    finish: Finish = only
    least: int = 1
    undoes: bool = False


def each(f: Callable[[Tensor, Tensor], Tensor]) -> Measure:
    return Measure(lambda x, y: f(x, y)[:, None])


def of_pair(f: Callable[[Pair], Tensor], finish: Finish = only, least: int = 1) -> Measure:
    """A measure by products of samples: `[n]`, or a number or moments `[k]` of the block."""
    if finish is only:
        return Measure(lambda pair: as_moments(f(pair)), least=least)
    return Measure(lambda pair: f(pair)[None], finish, least)


def of_tensors(f: Callable[[Tensor, Tensor], Tensor], finish: Finish = only, least: int = 1) -> Measure:
    """The same by the activations themselves."""
    return of_pair(lambda pair: f(pair.rows.given, pair.given), finish, least)


def equivariance(clean: Tensor, back: Tensor, valid: Tensor) -> Tensor:
    """|back - clean| / |clean| over what was seen, `[n, 1]`, of maps `[n, C, h, w]` that were taken back to the frame."""
    seen = (valid[:, None] > 0).expand_as(clean)
    return measures.relative_l2(torch.where(seen, clean, 0.0), torch.where(seen, back, 0.0))[:, None]


LAYER: dict[str, Measure] = {
    "relative_l2": of_pair(products.relative_l2),
    "cosine": of_pair(products.cosine),
    "cka": of_pair(products.hsic_moments, measures.cka_of, 4),
    "rank_correlation": of_pair(products.rsa, least=3),
    "cka_biased": of_pair(partial(products.hsic_moments, debiased=False), measures.cka_of, 2),
    "cka_rbf": of_tensors(partial(measures.hsic_moments, kernel="rbf"), measures.cka_of, 4),
    "procrustes": of_tensors(subspaces.procrustes, least=2),
    "equivariance": Measure(equivariance, undoes=True),
}


def measures_of(given: Sequence[str | Callable[..., Tensor]]) -> dict[str, Measure]:
    """Measures by their names; a function `(clean, augmented) -> [n]`, or a number for the block, is one of its own name."""
    out = {}
    for m in given:
        if callable(m):
            out[getattr(m, "__name__", repr(m))] = of_tensors(m)
        elif m in LAYER:
            out[m] = LAYER[m]
        else:
            raise ValueError(unknown("measure", m, LAYER))
    return out


def as_moments(values: Tensor) -> Tensor:
    return values[:, None] if values.ndim else values.reshape(1, 1)


BINS = 15


def binned(clean: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """The moments of the expected calibration error: confidence minus right or wrong, in its bin, `[places, bins]`."""
    sure, guess = logits.float().softmax(1).max(1)
    at = (sure * BINS).long().clamp(max=BINS - 1)
    gap = sure - (guess == labels).to(sure)
    return one_hot(at, BINS) * gap[:, None]


def error_of_bins(moments: Tensor) -> Tensor:
    return moments.abs().sum(-1)


PREDICTION: dict[str, Measure] = {  # of clean and augmented logits [places, K]
    "flips": each(predictions.flips),
    "jsd": each(predictions.jsd_each),
    "margin": each(lambda x, y: predictions.margin(y)),
}
LABELLED: dict[str, Measure] = {  # of the same and labels [places]
    "accuracy": Measure(lambda x, y, labels: (y.argmax(1) == labels).float()[:, None]),
    "calibration": Measure(binned, error_of_bins),
}


def predicted(x: Tensor, y: Tensor, labels: Tensor | None, seen: Tensor | None = None) -> Moments:
    """Measures of the predictions of n images, clean `x` and augmented `y`: `[n, K]`, or dense `[n, K, h, w]`, of which those
    places count that were `seen [n, h, w]`."""
    flat = [t.movedim(1, -1).reshape(-1, t.shape[1]) for t in (x, y)]
    found = {(OUTPUT, n): m.of(*flat) for n, m in PREDICTION.items()}
    if labels is not None:
        found |= {(OUTPUT, n): m.of(*flat, labels.to(y.device).flatten()) for n, m in LABELLED.items()}
    weight = torch.ones(len(x), len(flat[0]) // len(x), 1, device=x.device)
    weight = weight if seen is None else (seen.flatten(1)[..., None] > 0).to(weight)
    found = {name: (t.unflatten(0, (len(x), -1)) * weight).sum(1) / weight.sum(1) for name, t in found.items()}
    if x.ndim == 2:
        found[OUTPUT, "class"] = y.argmax(1).float()[:, None]
    return {name: t.cpu() for name, t in found.items()}


@dataclass(frozen=True)
class Clean:
    """What a batch of clean images gives."""

    acts: dict[str, Rows]
    logits: Tensor | None
    labels: Tensor | None
    embedding: Tensor
    frame: tuple[int, ...]


def first_tensor(output: Any) -> Tensor:
    """What a model predicts: a tensor, or that of `logits` or `out`, or the first of several."""
    if isinstance(output, Mapping):
        named = [output[n] for n in ("logits", "out") if n in output]
        return first_tensor((named or [*output.values()])[0])
    if isinstance(output, list | tuple) and output:
        return first_tensor(output[0])
    if isinstance(output, Tensor) and output.is_floating_point():
        return output
    want, fix = (
        "a floating tensor [B, ...], or a tuple or dict of such",
        "wrap the model in one that returns its scores",
    )
    raise TypeError(explain("the output of the model", type(output).__name__, want, fix))


def as_map(t: Tensor, frame: tuple[int, ...]) -> Tensor | None:
    """An activation of four dimensions with the channels first; the side of the channels is the one that leaves the shape of the
    frame."""
    if t.ndim != 4:
        return None
    want = frame[0] / frame[1]
    first, last = (abs(a / b - want) for a, b in (t.shape[2:], t.shape[1:3]))
    return t.movedim(-1, 1) if last < first else t


def pooled(t: Tensor, frame: tuple[int, ...]) -> Tensor:
    """A vector for each image: maps and tokens are averaged over their places."""
    found = as_map(t, frame)
    t = found.flatten(2).mean(2) if found is not None else t.mean(1) if t.ndim == 3 else t.flatten(1)
    return t.float()


def device_of(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Where the weights are, and their precision; where there are none the CPU's float32."""
    first = next((t for t in model.parameters() if t.is_floating_point()), torch.zeros(()))
    return first.device, first.dtype


@dataclass(frozen=True)
class Watched:
    """A model with the layers and measures by which it is watched."""

    tap: Tap
    measures: Mapping[str, Measure]
    embedding: str | None  # the layer whose output it is, or the last linear one, whose input it is
    by_input: bool
    classifies: bool
    notes: dict[str, None] = field(default_factory=dict)

    def run(self, x: Tensor, hear: Callable[[str, Tensor], None]) -> tuple[Any, Tensor]:
        """The output and the embedding of a batch."""
        kept: list[Tensor] = []
        frame = tuple(x.shape[-2:])
        x = x.to(*device_of(self.tap.model))
        if self.embedding is None:
            output = self.tap(x, hear)
            return output, pooled(first_tensor(output), frame)

        def keep(_: Any, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
            kept.append(pooled((*args, *named.values())[0] if self.by_input else first_tensor(output), frame))

        handle = self.tap.model.get_submodule(self.embedding).register_forward_hook(keep, with_kwargs=True)
        try:
            return self.tap(x, hear), kept[-1]
        finally:
            handle.remove()

    def clean(self, x: Tensor, labels: Tensor | None) -> Clean:
        acts: dict[str, Rows] = {}

        def keep(name: str, t: Tensor) -> None:
            found = by_sample(t, len(x))
            if found is None:
                self.notes[f"{name} gives {list(t.shape)}, which has no images: left out"] = None
            else:
                acts[name] = Rows(found.clone())

        output, embedding = self.run(x, keep)
        logits = first_tensor(output) if self.classifies else None
        return Clean(acts, logits, labels, embedding, tuple(x.shape[-2:]))

    def against(self, clean: Clean, y: Tensor, undo: Undo | None) -> tuple[Moments, Tensor]:
        """The moments of every measure at every layer for an augmented batch, and its embedding."""
        found: Moments = {}

        def compare(name: str, t: Tensor) -> None:
            t2 = by_sample(t, len(y))
            x = clean.acts.get(name)
            if x is None or t2 is None:
                return
            if x.given.shape != t2.shape:
                self.notes[f"{name} changes its shape from {list(x.given.shape)} to {list(t2.shape)}: left out"] = None
                return
            pair = Pair(x, t2)
            for n, m in self.measures.items():
                moments = self.measured(m, pair, undo, clean.frame)
                if moments is not None:
                    found[name, n] = moments.cpu()

        output, embedding = self.run(y, compare)
        if clean.logits is not None:
            found |= self.judged(clean, first_tensor(output), undo)
        found[EMBEDDING, "cosine"] = measures.cosine(clean.embedding, embedding)[:, None].cpu()
        return found, embedding

    def measured(self, m: Measure, pair: Pair, undo: Undo | None, frame: tuple[int, ...]) -> Tensor | None:
        if len(pair.y) < m.least:
            return None
        if not m.undoes:
            return m.of(pair)
        maps = [as_map(t, frame) for t in (pair.rows.given, pair.given)]
        if undo is None:
            self.notes["maps are not taken back, since the augmentation changes the frame"] = None
        if undo is None or maps[0] is None or maps[1] is None or min(maps[0].shape[2:]) < 2:
            return None
        return m.of(maps[0].float(), *undo(maps[1].float()))

    def judged(self, clean: Clean, logits: Tensor, undo: Undo | None) -> Moments:
        """Measures of predictions; dense ones are taken back to the frame first, and compared where they were seen."""
        x = clean.logits
        assert x is not None
        if x.ndim == 2:
            return predicted(x, logits, clean.labels)
        if undo is None:
            self.notes["dense predictions are not compared, since the frame changes"] = None
            return {}
        back, seen = undo(logits.float())
        return predicted(x.float(), back, clean.labels, seen)


def self_measured(clean: Clean) -> Moments:
    """What is known of the predictions for the clean images alone."""
    if clean.logits is None:
        return {}
    found = predicted(clean.logits, clean.logits, clean.labels)
    return {name: t for name, t in found.items() if name[1] not in ("flips", "jsd")}


@contextmanager
def quiet(model: nn.Module) -> Iterator[None]:
    """In eval(), without gradients; each module is in its own mode again afterwards."""
    with evaluating(model), torch.no_grad():
        yield


def head_of(tap: Tap, x: Tensor) -> str | None:
    """The name of the linear layer that gives the model's output, if it is one."""
    linear = {n: m for n, m in tap.model.named_modules() if n and isinstance(m, nn.Linear)}
    if not linear or tap.graph is not None:
        return None
    last: list[tuple[str, Tensor]] = []
    output = first_tensor(Tap(tap.model, [*linear])(x, lambda n, t: last.append((n.split("#")[0], t))))
    name, t = last[-1] if last else ("", output)
    same = t.shape == output.shape and torch.equal(t, output)
    return name if last and same else None


def stacked(passes: Sequence[Moments]) -> Moments:
    """Moments of several passes, `[units, passes, k]`."""
    out: dict[tuple[str, str], list[Tensor]] = defaultdict(list)
    for found in passes:
        for name, m in found.items():
            out[name].append(m)
    return {name: torch.stack(ms, 1) for name, ms in out.items()}


def watched(
    model: nn.Module,
    x: Tensor,
    layers: Layers,
    given: Sequence[str | Callable[..., Tensor]],
    embedding: str | None,
    labelled: bool,
    nodes: bool = False,
) -> Watched:
    """The model, ready to be watched; `x` are a few clean images, on which it runs once."""
    tap = Tap(model, layers, nodes=nodes)
    found = Watched(tap, measures_of(given), None, False, False)
    x = x.to(*device_of(tap.model))
    head = head_of(tap, x)
    names: list[str] = []
    output = first_tensor(tap(x, lambda n, t: names.append(n)))
    require_heard(layers, names)
    logits = head is not None or labelled or output.ndim == 4
    classifies = logits and output.ndim in (2, 4) and output.shape[1] > 1
    modules = dict(tap.model.named_modules())
    if embedding is not None and embedding not in modules:
        raise ValueError(unknown("layer of the model", embedding, modules))
    by_input = embedding is None and head is not None
    return replace(found, embedding=embedding or head, by_input=by_input, classifies=classifies)

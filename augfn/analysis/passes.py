"""Passes of a model over images and over what an augmentation makes of them, compared layer by layer while they run.

Of a batch the clean activations are held, those of an augmented one are compared as they come and let go; what is kept are the
moments of measures, a few numbers for each image and draw.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from augfn.analysis import measures
from augfn.analysis.capture import Layers, Tap, by_sample, layouts, require_heard
from augfn.analysis.products import Pair, Rows
from augfn.analysis.scores import EMBEDDING, OUTPUT, Measure, Moments, measures_of, predicted
from augfn.errors import explain, unknown
from augfn.models import device_of, evaluating, first_tensor

Undo = Callable[[Tensor], tuple[Tensor, Tensor]]
NO_MAPS = "maps are not taken back, since the augmentation changes the frame"


@dataclass(frozen=True)
class Clean:
    """What a batch of clean images gives."""

    acts: dict[str, Rows]
    logits: Tensor | None
    labels: Tensor | None
    embedding: Tensor
    frame: tuple[int, ...]


def as_map(t: Tensor, frame: tuple[int, ...]) -> Tensor | None:
    """An activation of four dimensions with the channels first; the side of the channels is the one that leaves the shape of the
    frame."""
    if t.ndim != 4:
        return None
    want = frame[0] / frame[1]
    first, last = (abs(a / b - want) for a, b in (t.shape[2:], t.shape[1:3]))
    return t.movedim(-1, 1) if last < first else t


def pooled(t: Tensor, frame: tuple[int, ...]) -> Tensor:
    """A vector for each image: maps and tokens are averaged over their places. A copy, as the next layer may write into t."""
    found = as_map(t, frame)
    if found is not None:
        return found.float().flatten(2).mean(2)
    return t.float().mean(1) if t.ndim == 3 else t.flatten(1).to(torch.float32, copy=True)


@dataclass(frozen=True)
class Watched:
    """A model with the layers and measures by which it is watched."""

    tap: Tap
    measures: Mapping[str, Measure]
    embedding: str | None  # the layer whose output it is, or the last linear one, whose input it is
    by_input: bool
    classifies: bool = False
    layout: Mapping[str, int | None] = field(default_factory=dict)  # where images are in what each layer gives
    notes: dict[str, None] = field(default_factory=dict)

    def run(self, x: Tensor, hear: Callable[[str, Tensor], None]) -> Any:
        """The output for a batch; of the embedding `hear` is told too."""
        x = x.to(*device_of(self.tap.model), copy=True)  # some models write into their input
        if self.embedding is None:
            output = self.tap(x, hear)
            hear(EMBEDDING, first_tensor(output))
            return output

        def keep(_: Any, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
            hear(EMBEDDING, first_tensor((*args, *named.values())[0] if self.by_input else output))

        handle = self.tap.model.get_submodule(self.embedding).register_forward_hook(keep, with_kwargs=True)
        try:
            return self.tap(x, hear)
        finally:
            handle.remove()

    def heard(self, x: Tensor, hear: Callable[[str, Tensor], None]) -> tuple[Tensor | None, Tensor]:
        """The logits, if it classifies, and the embedding; `hear` gets what layers give, images first."""
        vectors: list[Tensor] = []

        def turned(name: str, t: Tensor) -> None:
            found = by_sample(t, len(x), self.layout.get(name))
            if found is None:
                self.notes[f"{name} gives {list(t.shape)}, which has no images: left out"] = None
            elif name == EMBEDDING:
                vectors.append(pooled(found, tuple(x.shape[-2:])))
            else:
                hear(name, found)

        output = self.run(x, turned)
        if not vectors:
            want, fix = "an output, or a layer, that follows the images", "embedding=, the name of a layer"
            raise ValueError(explain("behaviour: the embedding has no images", self.embedding or OUTPUT, want, fix))
        return (first_tensor(output).float() if self.classifies else None), vectors[-1]

    def clean(self, x: Tensor, labels: Tensor | None) -> Clean:
        acts: dict[str, Rows] = {}
        logits, embedding = self.heard(x, lambda name, t: acts.update({name: Rows(t.clone())}))
        return Clean(acts, None if logits is None else logits.clone(), labels, embedding, tuple(x.shape[-2:]))

    def against(self, clean: Clean, y: Tensor, undo: Undo | None) -> tuple[Moments, Tensor]:
        """The moments of every measure at every layer for an augmented batch, and its embedding."""
        found: Moments = {}
        ran: set[str] = set()

        def compare(name: str, t: Tensor) -> None:
            ran.add(name)
            x = clean.acts.get(name)
            if x is None or x.given.shape != t.shape:
                before = None if x is None else list(x.given.shape)
                self.notes[f"{name} gives {list(t.shape)}, for clean images {before}: left out"] = None
                return
            pair = Pair(x, t)
            for n, m in self.measures.items():
                moments = self.measured(n, m, pair, undo, clean.frame)
                if moments is not None:
                    found[name, n] = moments.cpu()

        logits, embedding = self.heard(y, compare)
        for name in clean.acts.keys() - ran:
            self.notes[f"{name} does not run in every pass: left out"] = None
        if logits is not None:
            found |= self.judged(clean, logits, undo)
        found[EMBEDDING, "cosine"] = measures.cosine(clean.embedding, embedding)[:, None].cpu()
        return found, embedding

    def measured(self, name: str, m: Measure, pair: Pair, undo: Undo | None, frame: tuple[int, ...]) -> Tensor | None:
        if len(pair.given) < m.least:
            few = f"{name} needs {m.least} images in a block: of one with {len(pair.given)} it is not known"
            self.notes[few] = None
            return None
        if not m.undoes:
            return m.of(pair)
        maps = [as_map(t, frame) for t in (pair.rows.given, pair.given)]
        if undo is None:
            self.notes[NO_MAPS] = None
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
            self.notes[f"dense predictions are not compared: {NO_MAPS}"] = None
            return {}
        back, seen = undo(logits)
        return predicted(x, back, clean.labels, seen)


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
    if not linear:
        return None
    last: list[tuple[str, Tensor]] = []
    output = first_tensor(Tap(tap.model, [*linear])(x, lambda n, t: last.append((n.split("#")[0], t.clone()))))
    name, t = last[-1] if last else ("", output)
    return name if last and t.shape == output.shape and torch.equal(t, output) else None


def stacked(passes: Sequence[Moments]) -> Moments:
    """Moments of several passes, `[units, passes, k]`."""
    out: dict[tuple[str, str], list[Tensor]] = defaultdict(list)
    for found in passes:
        for name, m in found.items():
            out[name].append(m)
    return {name: torch.stack(ms, 1) for name, ms in out.items() if len(ms) == len(passes)}


def watched(
    model: nn.Module,
    x: Tensor,
    layers: Layers,
    given: Sequence[str | Callable[..., Tensor]],
    embedding: str | None,
    labels: Tensor | None,
    nodes: bool = False,
) -> Watched:
    """The model, ready to be watched; `x` are a few clean images, on which it runs."""
    tap = Tap(model, layers, nodes=nodes)
    x = x.to(*device_of(tap.model))
    modules = dict(tap.model.named_modules())
    if embedding is not None and embedding not in modules:
        raise ValueError(unknown("layer of the model", embedding, [n for n in modules if n]))
    head = head_of(tap, x.clone())
    found = Watched(tap, measures_of(given), embedding or head, embedding is None and head is not None)
    layout, output = layouts(found.run, x)
    require_heard(layers, layout)
    if set(layout) <= {EMBEDDING}:
        want, fix = "layers that Python calls", "nodes=True, or the module before it was exported"
        raise ValueError(explain("behaviour: no layer was called", type(tap.model).__name__, want, fix))
    several = [t for t in tree_leaves(output) if isinstance(t, Tensor)]
    if len(several) > 1:
        found.notes[
            f"the model gives {len(several)} tensors: its prediction is taken to be {list(first_tensor(output).shape)}"
        ] = None
    output = first_tensor(output)
    logits = head is not None or labels is not None or output.ndim == 4
    found = replace(found, layout=layout, classifies=logits and output.ndim in (2, 4) and output.shape[1] > 1)
    check_labels(labels, output, found)
    return found


def check_labels(labels: Tensor | None, output: Tensor, found: Watched) -> None:
    """Labels are classes that the model knows; of dense ones others do not count."""
    if labels is None:
        return
    classes = output.shape[1] if output.ndim > 1 else 1
    if not found.classifies:
        found.notes[f"labels are not compared with an output {list(output.shape)}, which is no scores of classes"] = (
            None
        )
        return
    outside = (labels < 0) | (labels >= classes)
    if labels.shape[1:] != output.shape[2:]:
        want = f"{[len(labels), *output.shape[2:]]}, as the predictions {['N', *output.shape[1:]]}"
        raise ValueError(explain("behaviour: labels", labels, want, "resize them to the model's output"))
    if bool(outside.any()) and labels.ndim == 1:
        given = sorted(set(labels[outside].tolist()))[:5]
        want, fix = f"0 to {classes - 1}, the classes of the model", "leave those images out"
        raise ValueError(explain("behaviour: labels that are no classes", given, want, fix))
    if bool(outside.any()):
        share = float(outside.float().mean())
        found.notes[f"{share:.1%} of the labels are no classes of the model (such as an ignored index): left out"] = (
            None
        )

"""The contestants of `benchmarks.behaviour`: each goes through the same blocks and draws, and tells a figure of each layer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

import augfn as af
from augfn.analysis import behaviour, invariance
from augfn.analysis.plans import Plan
from benchmarks.peers import declare_operators, photos, to_float

AUGMENT = af.pipeline(
    af.hflip(p=0.5),
    af.affine(degrees=(-15, 15), scale=(0.9, 1.1)),
    af.color_jitter(brightness=(0.6, 1.4), contrast=(0.6, 1.4)),
)
BATCH = 16

Values = list[float]  # of each layer


@dataclass(frozen=True)
class Task:
    """A net on photos."""

    net: str
    size: int
    count: int
    draws: int

    @cached_property
    def model(self) -> nn.Module:
        declare_operators()
        from torchvision import models

        torch.manual_seed(0)
        return getattr(models, self.net)(weights=None).eval()

    @cached_property
    def images(self) -> Tensor:
        return to_float(photos(self.size, self.count, self.count))

    @property
    def layers(self) -> dict[str, nn.Module]:
        return {n: m for n, m in self.model.named_modules() if isinstance(m, nn.Conv2d)}

    @property
    def given(self) -> tuple[Any, ...]:
        return self.model, self.images, AUGMENT, af.key(0), list(self.layers)

    def blocks(self) -> list[Tensor]:
        return Plan(AUGMENT, AUGMENT.params, af.key(0), self.images, None, self.draws, BATCH).blocks()

    def augmented(self, index: Tensor, draw: int, shared: bool = False) -> Tensor:
        """Under the draw of each image, or under one for all of them."""
        who = torch.zeros_like(index) if shared else index
        return AUGMENT(self.images[index], None, af.sample_keys(af.key(0), who, draw))[0]

    def part(self, count: int, draws: int) -> Task:
        """The same net on the first of the images."""
        few = Task(self.net, self.size, count, draws)
        few.__dict__.update(model=self.model, images=self.images[:count])
        return few


# contestants: what each layer gets


@torch.no_grad()
def passes_alone(task: Task) -> Values:
    for index in task.blocks():
        task.model(task.images[index])
        for d in range(task.draws):
            task.model(task.augmented(index, d))
    return []


def by_behaviour(*measures: str) -> Callable[[Task], Values]:
    def work(task: Task) -> Values:
        report = behaviour(*task.given, draws=task.draws, batch=BATCH, measures=measures, blame=0)
        return [row[measures[0]].value for row in report.layers]

    return work


def by_default(task: Task) -> Values:
    report = behaviour(*task.given, draws=task.draws, batch=BATCH)
    assert all(map(len, (report.layers, report.embedding, report.ops)))
    return []


def by_invariance(task: Task) -> Values:
    found, _ = invariance(*task.given, draws=task.draws, batch=BATCH, root=True)
    return list(found["normalized_variance"])


class Augmenting(nn.Module):
    """The net of what is drawn for its turn, on the same weights."""

    def __init__(self, task: Task, turns: list[tuple[Tensor, int]]) -> None:
        super().__init__()
        shared = [*task.model.parameters(), *task.model.buffers()]
        self.net = copy.deepcopy(task.model, {id(t): t for t in shared})  # with modules, and so hooks, of its own
        self.task, self.turns = task, iter(turns)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(self.task.augmented(*next(self.turns)))


def by_compute_cka(task: Task) -> Values:
    peer: Any = import_module("cka")
    turns = [(index, d) for index in task.blocks() for d in range(task.draws)]
    loader = DataLoader(task.images, batch_sampler=[index.tolist() for index, _ in turns])  # type: ignore[arg-type]
    names = list(task.layers)
    inner = [f"net.{n}" for n in names]
    found = peer.compute_cka(
        task.model, Augmenting(task, turns), loader, layers=names, model2_layers=inner, device="cpu", progress=False
    )
    return found[0].diagonal().tolist()


@torch.no_grad()
def by_hsic(task: Task) -> Values:
    peer: Any = import_module("cka")
    grams: dict[str, Tensor] = {}

    def hear(name: str, output: Any) -> None:
        x = output.flatten(1)
        grams[name] = x @ x.T

    def of(x: Tensor) -> Tensor:
        task.model(x)
        return torch.stack([grams[n] for n in task.layers])

    total = torch.zeros(3, len(task.layers))
    hooks = [m.register_forward_hook(lambda _, __, out, n=n: hear(n, out)) for n, m in task.layers.items()]
    for index in task.blocks():
        clean = of(task.images[index])
        for d in range(task.draws):
            xy, xx, yy = peer.hsic(clean, of(task.augmented(index, d)))
            total += torch.stack([xy.diagonal(), xx, yy])
    for hook in hooks:
        hook.remove()
    return (total[0] / (total[1] * total[2]).sqrt()).tolist()


class Drawn:
    """What one draw, the same for all, makes of an image, by its place in the blocks: a block at a time, the last one kept."""

    def __init__(self, task: Task, draw: int) -> None:
        self.task, self.draw, self.blocks, self.last = task, draw, task.blocks(), -1

    def __call__(self, place: Tensor) -> Tensor:
        block, row = divmod(int(place), len(self.blocks[0]))
        if block != self.last:
            self.last, self.images = block, self.task.augmented(self.blocks[block], self.draw, shared=True)
        return self.images[row]


def by_tmeasures(task: Task) -> Values:
    peer: Any = import_module("tmeasures.pytorch")
    model = peer.AutoActivationsModule(task.model, filter=lambda m: isinstance(m, nn.Conv2d))
    drawn = peer.PyTorchTransformationSet([Drawn(task, d) for d in range(task.draws)])
    options = peer.PyTorchMeasureOptions(batch_size=BATCH, verbose=False)
    found = peer.NormalizedVarianceInvariance().eval(torch.arange(task.count), drawn, model, options)
    for module in task.layers.values():  # it leaves its hooks
        module._forward_hooks.clear()
    return found.numpy().per_layer_average().tolist()


@torch.no_grad()
def by_captum(task: Task) -> Values:
    peer: Any = import_module("captum.attr")
    heard = peer.LayerActivation(task.model, list(task.layers.values()))
    total = torch.zeros(len(task.layers), dtype=torch.float64)

    def flat(x: Tensor) -> Iterator[Tensor]:
        return (t.flatten(1) for t in heard.attribute(x))

    for index in task.blocks():
        clean = list(flat(task.images[index]))
        sizes = [x.norm(dim=1) for x in clean]
        for d in range(task.draws):
            pairs = zip(clean, flat(task.augmented(index, d)), sizes, strict=True)
            total += torch.stack([((y - x).norm(dim=1) / size).double().sum() for x, y, size in pairs])
    return (total / (task.count * task.draws)).tolist()

"""The demo: ranges learned by hypergradient against fixed ones and none, on scikit-learn's digits.

Trained on a few upright digits, tested on digits that are rotated, shifted and of other brightness. The family of the shift is
known, its size is not: the learned run finds it on a validation split that shares the test's shift, "true" is told. Nothing is
trained on the validation images; doing so instead reaches less (70 %, or 81 % with the fixed ranges, against 89 %).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from skimage import data as photos
from skimage.morphology import closing, disk
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from tqdm import tqdm

import augfn as af
from augfn.app import viz
from augfn.learn import hypergradient

NAMES = ("rotation", "translation", "brightness")
UNITS = ("°", "", "")  # translation in fractions of the side, brightness as a factor about 1
WIDEST = torch.tensor([60.0, 0.2, 1.0])  # half-widths of the widest ranges worth a thought; phi counts in these
SHIFT = torch.tensor([30.0, 0.1, 0.7]) / WIDEST
FIXED = torch.tensor([15.0, 0.05, 0.2]) / WIDEST
RANGES = {"none": 0 * SHIFT, "fixed": FIXED, "learned": torch.full((3,), 0.1), "true": SHIFT}

TRAIN, VAL, BATCH = 400, 300, 128
STEPS, EVERY, WARM_UP = 1000, 4, 100  # inner steps; of those, one outer step in so many, after so many
WEIGHT_DECAY = 1e-3
Digits = tuple[Tensor, Tensor]

augment = af.pipeline(af.affine(degrees=0.0, translate=0.0), af.brightness(factor=1.0))


def ranges(phi: Tensor) -> dict[str, dict[str, af.Distribution]]:
    """Half-widths, in units of WIDEST, as params of the pipeline."""
    turn, move, bright = (phi * WIDEST).unbind()
    return {
        "affine": {"degrees": af.Uniform(-turn, turn), "translate": af.Uniform(-move.expand(2), move.expand(2))},
        "brightness": {"factor": af.Uniform(1 - bright, 1 + bright)},
    }


@dataclass
class Task:
    """One random split: upright training and test digits, and shifted ones for validation and test."""

    train: Digits
    val: Digits
    clean: Digits
    shifted: Digits

    @staticmethod
    def of(seed: int) -> Task:
        images, labels = load_digits(return_X_y=True)
        x = F.pad(torch.tensor(images / 16, dtype=torch.float32).reshape(-1, 1, 8, 8), (2, 2, 2, 2))
        split, draws = af.split(af.key(seed))
        order = af.uniform(split, (len(x),)).argsort()
        x, y = x[order], torch.tensor(labels)[order]
        moved = augment(x, ranges(SHIFT), draws)[0]
        val, test = slice(TRAIN, TRAIN + VAL), slice(TRAIN + VAL, None)
        return Task((x[:TRAIN], y[:TRAIN]), (moved[val], y[val]), (x[test], y[test]), (moved[test], y[test]))


def cnn(seed: int) -> nn.Sequential:
    """Smooth throughout (tanh, average pooling), since the hypergradient takes second derivatives."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        first = [nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2)]
        second = [nn.Conv2d(8, 16, 3, padding=1), nn.Tanh(), nn.AvgPool2d(2)]
        return nn.Sequential(*first, *second, nn.Flatten(), nn.Linear(144, 32), nn.Tanh(), nn.Linear(32, 10))


@dataclass
class Run:
    """What one training gives: accuracies on clean and shifted digits, and the half-widths after every outer step."""

    clean: float
    shifted: float
    widths: Tensor


def train(task: Task, seed: int, name: str, steps: int, tick: Callable[[], object]) -> Run:
    """SGD on augmented batches; when the ranges are learned, an outer Adam step on them every few inner steps."""
    net, key = cnn(seed), af.key(seed)
    theta, phi = dict(net.named_parameters()), RANGES[name].clone()
    inner, outer = torch.optim.SGD(theta.values(), lr=0.1, momentum=0.9), torch.optim.Adam([phi], lr=0.012)
    decay = torch.optim.lr_scheduler.LambdaLR(inner, lambda step: 1 - step / steps)
    history = [phi * WIDEST]

    def loss(theta: Any, digits: Digits) -> Tensor:
        return F.cross_entropy(functional_call(net, theta, digits[0]), digits[1])

    def val_loss(theta: Any, phi: Tensor) -> Tensor:
        return loss(theta, task.val)

    for step in range(steps):
        rows, draws = af.split(af.fold_in(key, 2 + step))
        index = af.bits(rows, (BATCH,)) % TRAIN
        x, y = (t[index] for t in task.train)

        def train_loss(theta: Any, phi: Tensor, x: Tensor = x, y: Tensor = y, key: Tensor = draws) -> Tensor:
            penalty = sum((w * w).sum() for w in theta.values()) * WEIGHT_DECAY / 2
            return loss(theta, (augment(x, ranges(phi), key)[0], y)) + penalty

        if name == "learned" and step >= WARM_UP and step % EVERY == 0:
            phi.grad = hypergradient(train_loss, val_loss, theta, phi, steps=10, alpha=0.05)
            outer.step()
            phi.clamp_(0, 1)
            history.append(phi * WIDEST)
        inner.zero_grad()
        train_loss(theta, phi).backward()
        inner.step()
        decay.step()
        tick()
    return Run(accuracy(net, task.clean), accuracy(net, task.shifted), torch.stack(history))


@torch.no_grad()
def accuracy(net: nn.Module, digits: Digits) -> float:
    return (net(digits[0]).argmax(-1) == digits[1]).float().mean().item()


def run(out: Path, seed: int = 0, seeds: int = 3, steps: int = STEPS) -> str:
    """Train every way for every seed, write the pictures, and return the table."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the tensors are tiny: more threads are slower, by far on a busy machine
    try:
        runs: dict[str, list[Run]] = {name: [] for name in RANGES}
        with tqdm(total=seeds * len(RANGES) * steps, unit=" steps", smoothing=0.02, disable=None) as bar:
            for i in range(seed, seed + seeds):
                task = Task.of(i)
                for name in RANGES:
                    bar.set_description(f"seed {i}, {name} ranges")
                    runs[name].append(train(task, i, name, steps, bar.update))
    finally:
        torch.set_num_threads(threads)
    viz.save(digits_grid(seed, runs["learned"][0].widths[-1]), out / "digits.png")
    viz.save(photo_grid(seed), out / "photo.png")
    viz.save(curves(runs["learned"], seed), out / "ranges.png")
    return table(runs, seed, seeds)


# what is shown


def spread(values: list[float], digits: int, unit: str = "") -> str:
    """Mean and standard error; of a single value there is no error."""
    middle = f"{mean(values):.{digits}f}{unit}"
    return middle if len(values) == 1 else f"{middle} ± {stdev(values) / math.sqrt(len(values)):.{digits}f}"


def table(runs: dict[str, list[Run]], seed: int, seeds: int) -> str:
    head = ["ranges", "clean test", "shifted test", *NAMES]
    lines = [head]
    for name, done in runs.items():
        accuracies = [spread([100 * getattr(r, split) for r in done], 1, " %") for split in ("clean", "shifted")]
        widths = torch.stack([r.widths[-1] for r in done])
        texts = [f"±{v:.{d}f}{u}" for v, d, u in zip(widths[0].tolist(), (0, 2, 2), UNITS, strict=True)]
        if name == "learned":
            columns = zip(widths.T.tolist(), (1, 3, 2), UNITS, strict=True)
            texts = [f"±({spread(column, digits, unit)})" for column, digits, unit in columns]
        lines.append([name, *accuracies, *texts])
    columns = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rows = ["  ".join(text.ljust(n) for text, n in zip(line, columns, strict=True)).rstrip() for line in lines]
    rows.insert(1, "-" * max(map(len, rows)))
    begin = zip(NAMES, (RANGES["learned"] * WIDEST).tolist(), UNITS, strict=True)
    start = ", ".join(f"{name} ±{v:.3g}{unit}" for name, v, unit in begin)
    seeds_used = f"{seeds} seeds, from {seed} on" if seeds > 1 else f"seed {seed}"
    notes = [f"Mean ± standard error over {seeds_used}. The learned ranges start at {start};"]
    notes += ["'true' is told the shift, which is the same in validation and test."]
    return "\n".join([*rows, *notes])


def digits_grid(seed: int, learned: Tensor) -> Figure:
    """Ten digits: upright, under the fixed and the learned ranges, and as the test shows them."""
    x, y = Task.of(seed).train
    first = torch.stack([x[y == digit][0] for digit in range(10)])
    chosen = {"upright": RANGES["none"], "fixed": RANGES["fixed"], "learned": learned / WIDEST, "test shift": SHIFT}
    keys = af.split(af.key(seed), len(chosen))
    rows = [augment(first, ranges(phi), key)[0] for phi, key in zip(chosen.values(), keys, strict=True)]
    return viz.grid(viz.unbatch(torch.cat(rows)), columns=10, rows=list(chosen), cell=0.9)


def photo() -> dict[str, Any]:
    """A photo of an astronaut with the mask of her suit, three boxes and five keypoints."""
    image = torch.tensor(photos.astronaut()).movedim(-1, 0) / 255
    r, g, b = image
    return {
        "image": image,
        "mask": torch.tensor(closing((r - b > 0.4) & (g - b > 0.08) & (torch.arange(512)[:, None] > 200), disk(7))),
        "boxes": af.Boxes(torch.tensor([[152.0, 15, 303, 192], [353, 0, 458, 292], [132, 347, 210, 424]]), min_area=64),
        "keypoints": af.Keypoints(torch.tensor([[201.0, 101], [248, 103], [226, 126], [205, 142], [244, 141]])),
    }


def photo_grid(seed: int) -> Figure:
    """The photo before and after seven draws of one pipeline."""
    shake = af.pipeline(
        af.hflip(p=0.5),
        af.affine(degrees=(-30, 30), translate=(-0.1, 0.1), scale=(0.8, 1.3), shear=(-10, 10)),
        af.perspective(p=0.5),
        af.color_jitter(brightness=(0.7, 1.3), contrast=(0.7, 1.3), saturation=(0.5, 1.5), hue=(-0.05, 0.05)),
        af.resize(size=256),
    )
    keys = af.split(af.key(seed), 7)
    titles = ["original", *(f"draw {i + 1}" for i in range(len(keys)))]
    sample = photo()
    return viz.grid([sample, *(shake(sample, None, key)[0] for key in keys)], columns=4, titles=titles, cell=2.6)


def curves(runs: list[Run], seed: int) -> Figure:
    """The half-width of each range over the outer steps, one line per seed."""
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for i, ax in enumerate(figure.subplots(1, len(NAMES))):
        for j, r in enumerate(runs):
            ax.plot(r.widths[:, i], linewidth=1.2, label=f"seed {seed + j}")
        ax.axhline(float(SHIFT[i] * WIDEST[i]), color="black", linestyle="--", linewidth=1, label="true shift")
        ax.set(title=f"{NAMES[i]}: half-width", xlabel="outer step", ylim=(0, None))
        ax.set_ylabel("degrees" if UNITS[i] else ("fraction of the side" if i == 1 else "factor about 1"))
        if i == 0:
            ax.legend(fontsize=7)
    return figure

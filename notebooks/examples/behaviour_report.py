"""A report of how a trained model behaves under augmentation.

Accuracy on clean images says little of what a model does when they change. Here a net is trained twice, without and with
augmentation, and both are looked at: how much its layers change, which op flips predictions, up to which angle it holds,
and what it gets wrong at worst. The answer is a page for each of the two, and a table.

**Data.** scikit-learn's digits, 16 pixels wide: 600 to train on, 300 others to look at.
**Nets.** Three convolutions and a head. For each seed both have the same start and order.

    python notebooks/examples/behaviour_report.py    # some 50 s on one core

For a model of your own it is `behaviour(model, images, augment, af.key(0), labels=labels).save("report.html")`, or, for
a folder of images, `augfn analyse MODEL --weights w.pt --images DIR --policy policy.yaml --out report.html`.

**What it saw** (`python notebooks/examples/behaviour_report.py`, 2026-11-30, one core of an AMD EPYC (AVX512), torch 2.13.0;
mean over seeds, with Student's interval of 95 %):

```text
plain               augmented             difference
clean digits right, %                   97.3 [96.8, 97.7]   97.2 [96.8, 97.6]     -0.0667 [-0.863, 0.729]
augmented digits right, %               68 [64.4, 71.6]     89.1 [88, 90.1]       21.1 [16.8, 25.3]
right at the worst that was found, %    2.2 [1.16, 3.24]    31.2 [28.6, 33.8]     29 [26.5, 31.5]
holds 90 % of digits up to, degrees     9.54 [8.45, 10.6]   31.6 [31.1, 32.2]     22.1 [21, 23.2]
change of the head, relative L2         0.572 [0.543, 0.6]  0.39 [0.367, 0.412]   -0.182 [-0.217, -0.147]
of 100 draws flipped by rotate          17 [14.7, 19.2]     2.17 [1.46, 2.87]     -14.8 [-17.1, -12.5]
of 100 draws flipped by brightness      4.03 [2.87, 5.2]    0.667 [-0.108, 1.44]  -3.37 [-4.16, -2.57]
of 100 draws flipped by gaussian_noise  2.97 [2.54, 3.39]   2 [1.16, 2.84]        -0.967 [-2.01, 0.0722]
of 100 draws flipped by gaussian_blur   3.3 [0.751, 5.85]   3.8 [3.43, 4.17]      0.5 [-1.95, 2.95]
```

On clean digits nobody could tell the two nets apart. Of what it was trained with, the augmented net has become nearly
independent; against noise and blur, which neither has seen, it gained nothing that is clear. In the worst case both fail
often: the average draw flatters. Intervals are over seeds, with one set of digits: they tell what other seeds would give,
not what other data would. Those on the pages are over images, of the first seed. The same command gives the same numbers
again, on any number of cores; another processor may round differently.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import augfn as af
from augfn.analysis import Report, Table, behaviour, over_seeds, sweep
from augfn.app import viz

SIDE, TRAIN, TEST = 16, 600, 300

# What the second net is trained with: digits are held at an angle, and pens differ.
TRAINED = af.pipeline(af.rotate(degrees=(-30, 30)), af.brightness(factor=(0.6, 1.4)))
# What both are looked at with: that, and what neither has seen.
STUDIED = af.pipeline(*TRAINED.steps.values(), af.gaussian_noise(std=(0.0, 0.1)), af.gaussian_blur(sigma=(0.1, 1.5)))
ARMS = {"plain": af.identity(), "augmented": TRAINED}


def train(x: Tensor, y: Tensor, augment: af.Augmentation, seed: int, steps: int) -> nn.Module:
    torch.manual_seed(seed)  # the net's start and the order of the images; what is drawn by the augmentation has a key
    net = nn.Sequential()
    for i, (before, after) in enumerate(((1, 16), (16, 32), (32, 64)), 1):
        net.add_module(f"conv{i}", nn.Conv2d(before, after, 3, stride=2, padding=1))  # names that the report shows
        net.extend([nn.BatchNorm2d(after), nn.ReLU()])
    net.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])
    net.add_module("head", nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        at = torch.randint(len(x), (64,))
        seen, _ = augment(x[at], None, af.fold_in(af.key(seed), step))
        optimizer.zero_grad()
        F.cross_entropy(net(seen), y[at]).backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def accuracy(net: nn.Module, x: Tensor, y: Tensor) -> float:
    return 100 * (net(x).argmax(1) == y).float().mean().item()


def numbers(net: nn.Module, report: Report, x: Tensor, y: Tensor, steps: int) -> dict[str, float]:
    """What the table shows of a net."""
    draw, _ = STUDIED(x, None, af.key(0))
    params = af.learn.worst_case(net, x, y, STUDIED, steps, key=af.key(0))  # for each image the worst draw, by gradient
    curve = sweep(net, x, af.rotate(), "degrees", list(range(0, 91, 15)), labels=y, layers="head", batch=100)
    found = {
        "clean digits right, %": accuracy(net, x, y),
        "augmented digits right, %": accuracy(net, draw, y),
        "right at the worst that was found, %": accuracy(net, STUDIED(x, params)[0], y),
        "holds 90 % of digits up to, degrees": curve.tolerance("accuracy", 0.9).value,
        "change of the head, relative L2": report.estimate("head", "relative_l2").value,
    }
    # Shapley values: they sum to the share of predictions that change, with the blame for what ops do together divided fairly
    for row in report.ops.where(measure="flips"):
        found[f"of 100 draws flipped by {row['op']}"] = 100 * row["shapley"].value
    return found


def picture(net: nn.Module, report: Report, path: Path) -> Path:
    """The draws that changed predictions most: the image, what became of it, and what the net read."""
    pairs, titles = [], []
    for harm in report.worst(6):
        pairs.append(report.pictures(harm.image, harm.draw))
        titles.append(harm.predicted)
    before, after = zip(*pairs, strict=True)
    cells = [*before, *after]
    return viz.save(viz.grid(cells, columns=6, rows=["clean", "augmented"], titles=[""] * 6 + titles, cell=1.5), path)


def main(argv: list[str] | None = None) -> str:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few steps, two seeds: whether it runs, not what is true")
    parser.add_argument("--out", type=Path, default=Path("out"), help="where the pages and the picture go")
    options = parser.parse_args(argv)
    steps, seeds, tests, draws = (4, 2, 24, 2) if options.quick else (options.steps, options.seeds, TEST, 8)
    torch.set_num_threads(1)  # the net is small; and so the numbers are the same on any number of cores
    options.out.mkdir(parents=True, exist_ok=True)

    digits = load_digits()
    x = F.interpolate(torch.from_numpy(digits.images).float()[:, None] / 16, (SIDE, SIDE), mode="bilinear")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    x, y = x[order], torch.from_numpy(digits.target)[order]
    test = slice(TRAIN, TRAIN + tests)
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    for seed in range(seeds):
        for name, augment in ARMS.items():
            net = train(x[:TRAIN], y[:TRAIN], augment, seed, steps)
            report = behaviour(net, x[test], STUDIED, af.key(0), labels=y[test], draws=draws, batch=100)
            found[name].append(numbers(net, report, x[test], y[test], steps=2 if options.quick else 10))
            if seed == 0:  # the pages are of the first seed
                page = report.save(options.out / f"behaviour_{name}.html", f"Behaviour of the {name} net")
                image = picture(net, report, options.out / f"behaviour_{name}.png")
                print(f"written: {page}, {image}")
    rows = []
    for what in found["plain"][0]:
        plain, augmented = ([run[what] for run in found[name]] for name in ARMS)
        rows.append(
            (
                what,
                over_seeds(plain),
                over_seeds(augmented),
                over_seeds([b - a for a, b in zip(plain, augmented, strict=True)]),
            )
        )
    table = str(Table(("", *ARMS, "difference"), rows))
    print(table)
    return table


if __name__ == "__main__":
    main()

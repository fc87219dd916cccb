"""How many evaluations a search for the worst case takes, by gradient and by random draws.

    python -m benchmarks.worst_case [--seeds 20] [--nets 3] [--quick] [--out benchmarks/results]

**Planted failures.** A blob, turned by -45 to 45 degrees and at .3 to 1.7 of its brightness, is read by a model that finds
angle and brightness in the moments of the image, and fails exactly in a region of both, 1/126 of all draws. The loss rises
with the nearness to the region (smooth), or is constant outside of it (plateau). Counted is the first evaluation inside the
region, a forward as 1 and one with its gradient as 2; both methods see the same draws in the same order.

**Digits.** A small convolutional net, trained on 600 of scikit-learn's digits, on 256 of the others, which are turned by -30
to 30 degrees, shifted by up to .15 and at .5 to 1.5 of their brightness: the accuracy and mean loss as they are, under random
draws, and at the worst case that either method finds within one budget. The net is trained without augmentation, with
random draws from these ranges, or with the worst case of three steps (`augfn_nn.WorstCase`).
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

import augfn as af
from augfn.adversarial import METHODS, attacked, trajectory
from augfn.learn import worst_case
from augfn_nn import WorstCase
from benchmarks.experiments import Net, fit, split, trained
from benchmarks.measure import Verdict, environment, header, table, write

SIDE, WIDTHS = 32, (6.0, 2.0)
TURNS, FACTORS = (-45.0, 45.0), (0.3, 1.7)
AUGMENT = af.pipeline(af.rotate(degrees=TURNS), af.brightness(factor=FACTORS))
Region = tuple[tuple[float, float], tuple[float, float]]  # angles and factors, both ends of each
REGIONS: dict[str, Region] = {
    "in a corner: 40 to 45 degrees, factor below .5": ((40.0, math.inf), (-math.inf, 0.5)),
    "in the middle: 20 to 25 degrees, factor .6 to .8": ((20.0, 25.0), (0.6, 0.8)),
}
DIGITS = af.pipeline(
    af.rotate(degrees=(-30, 30)),
    af.translate(translate=((-0.15, 0.15),) * 2),
    af.brightness(factor=(0.5, 1.5)),
)
STEPS = (5, 10, 25)
LABELS = 600
Attacked = tuple[Net, Tensor, Tensor]  # and what it was not trained on


# planted failures


def blob() -> Tensor:
    """A long bright blob `[1, 1, 32, 32]`, which at the largest factor is still below 1."""
    at = torch.arange(SIDE) - (SIDE - 1) / 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    return 0.55 * torch.exp(-((x / WIDTHS[0]) ** 2 + (y / WIDTHS[1]) ** 2) / 2)[None, None]


def read(x: Tensor) -> tuple[Tensor, Tensor]:
    """The angle of blobs `[B, 1, H, W]` in degrees, counter-clockwise, from their second moments, and their brightness beside
    the upright one's."""
    at = torch.arange(SIDE) - (SIDE - 1) / 2
    mass = x[:, 0] / x.sum((1, 2, 3))[:, None, None]
    along_x, along_y = mass.sum(-2), mass.sum(-1)
    dx = at - (along_x * at).sum(-1, keepdim=True)
    dy = at - (along_y * at).sum(-1, keepdim=True)
    xx, yy = (along_x * dx**2).sum(-1), (along_y * dy**2).sum(-1)
    xy = torch.einsum("bhw,bh,bw->b", mass, dy, dx)
    return -torch.rad2deg(torch.atan2(2 * xy, xx - yy) / 2), x.sum((1, 2, 3)) / blob().sum()


def depth(region: Region, angle: Tensor, factor: Tensor) -> Tensor:
    """How deep in the region, in shares of the ranges; outside minus the distance to it."""
    spans = [(angle, *region[0], TURNS[1] - TURNS[0]), (factor, *region[1], FACTORS[1] - FACTORS[0])]
    inner = torch.stack([torch.minimum(v - low, high - v) / span for v, low, high, span in spans])
    outer = (F.relu(-inner) ** 2).sum(0)
    inside = outer == 0
    return torch.where(inside, inner.amin(0), -torch.where(inside, 1.0, outer).sqrt())


def planted(region: Region, smooth: bool) -> Callable[[Tensor], Tensor]:
    """A model of two classes, of images of class 0, that fails in a region of what it reads."""

    def model(x: Tensor) -> Tensor:
        found = 4 * depth(region, *read(x))
        found = found if smooth else found.sign()
        return torch.stack([torch.zeros_like(found), found], -1)

    return model


def first_hits(region: Region, smooth: bool, method: str, seeds: int, steps: int = 1000) -> list[float]:
    """For each seed the evaluations up to the first one inside the region; infinite, where there was none."""
    images, labels = blob().expand(seeds, -1, -1, -1), torch.zeros(seeds, dtype=torch.int64)
    attack = attacked(planted(region, smooth), images, labels, AUGMENT, AUGMENT.params, None)
    spent, hit = torch.zeros(seeds), torch.full((seeds,), torch.inf)
    for seen in trajectory(attack, torch.stack([af.key(seed) for seed in range(seeds)]), steps, method):
        params = attack.cube.params(seen.noise, seen.rows)
        inside = depth(region, params["rotate"]["degrees"], params["brightness"]["factor"]) > 0
        spent[seen.rows] += seen.cost
        rows = seen.rows[inside]
        hit[rows] = torch.minimum(hit[rows], spent[rows])
        if hit.isfinite().all():
            break
    return hit.tolist()


def quartiles(values: Sequence[float]) -> list[float]:
    return [
        float(q)
        for q in torch.tensor(sorted(values), dtype=torch.float64).quantile(torch.tensor([0.25, 0.5, 0.75]).double())
    ]


def hits_table(hits: dict[str, dict[str, list[float]]]) -> str:
    rows = []
    for name, found in hits.items():
        middle = {method: statistics.median(found[method]) for method in METHODS}
        cells = ["{1:g} ({0:g} to {2:g})".format(*quartiles(found[method])) for method in METHODS]
        rows.append([name, *cells, f"{middle['gradient'] / middle['random']:.2f}"])
    return table(("region", *(f"{m}: median (quartiles)" for m in METHODS), "ratio of medians"), rows)


def verdicts(smooth: dict[str, dict[str, list[float]]], plateau: dict[str, dict[str, list[float]]]) -> list[Verdict]:
    out = []
    for found, most, what in ((smooth, 0.2, "a loss that rises smoothly"), (plateau, 1.1, "a plateau")):
        for name, hits in found.items():
            ratio = statistics.median(hits["gradient"]) / statistics.median(hits["random"])
            text = f"{what}, {name}: gradient takes at most {most:g} of random's evaluations"
            out.append(Verdict(text, f"{ratio:.2f}", ratio <= most))
    return out


# digits


def attack_digits(net: Net, x: Tensor, y: Tensor, key: Tensor, steps: Sequence[int]) -> dict[str, tuple[float, float]]:
    """Accuracy in percent and mean loss, as they are, under random draws and in the worst cases."""
    net.eval()

    def score(images: Tensor) -> tuple[float, float]:
        with torch.no_grad():
            logits = net(images)
        return 100 * (logits.argmax(-1) == y).float().mean().item(), F.cross_entropy(logits, y).item()

    draws = [score(DIGITS(x, None, af.fold_in(key, i))[0]) for i in range(10)]
    found = {
        "clean": score(x),
        "random draws": (statistics.fmean(a for a, _ in draws), statistics.fmean(b for _, b in draws)),
    }
    for n in steps:
        for method in METHODS:
            params = worst_case(net, x, y, DIGITS, n, key, method=method)
            found[f"{method} search, {2 * n} evaluations"] = score(DIGITS(x, params)[0])
    return found


def plain(seed: int, quick: bool) -> Attacked:
    return trained(seed, quick, af.identity(), LABELS)


def augmented(seed: int, quick: bool) -> Attacked:
    return trained(seed, quick, DIGITS, LABELS)


def hardened(seed: int, quick: bool) -> Attacked:
    x, y, test_x, test_y = split(seed, LABELS)
    net = Net(seed)
    aug = WorstCase(net, DIGITS, steps=3)

    def step(i: int, at: Tensor) -> Tensor:
        return F.cross_entropy(net(aug(x[at], y[at], af.fold_in(af.key(seed), i))), y[at])

    return fit(net, step, len(x), 20 if quick else 400), test_x, test_y


ARMS: dict[str, Callable[[int, bool], Attacked]] = {
    "without augmentation": plain,
    "with random draws from the same ranges": augmented,
    "with the worst case of three steps": hardened,
}


def digits(nets: int, quick: bool) -> dict[str, dict[str, list[tuple[float, float]]]]:
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    bar = tqdm(total=len(ARMS) * nets, desc="digits", leave=False, disable=None)
    for arm, make in ARMS.items():
        for seed in range(nets):
            net, x, y = make(seed, quick)
            result = attack_digits(net, x[:256], y[:256], af.key(seed), STEPS[:1] if quick else STEPS)
            for name, value in result.items():
                found.setdefault(arm, {}).setdefault(name, []).append(value)
            bar.update()
    return found


def digits_table(found: dict[str, list[tuple[float, float]]]) -> str:
    rows = [
        [name, f"{statistics.fmean(a for a, _ in pairs):.1f}", f"{statistics.fmean(b for _, b in pairs):.2f}"]
        for name, pairs in found.items()
    ]
    return table(("", "accuracy, %", "mean loss"), rows)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worst_case", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="of the planted failures")
    parser.add_argument("--nets", type=int, default=3, help="trained on digits, for each way to train")
    parser.add_argument("--quick", action="store_true", help="nets of twenty steps: it shows that all of it runs")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments)
    env = environment(" ".join(["python -m benchmarks.worst_case", *arguments]), torch.get_num_threads())
    smooth, plateau = (
        {name: {m: first_hits(r, s, m, options.seeds) for m in METHODS} for name, r in REGIONS.items()}
        for s in (True, False)
    )
    nets = digits(options.nets, options.quick)
    parts = ["# The worst case: gradient and random search", header(env), (__doc__ or "").split("\n\n", 2)[-1].strip()]
    parts += ["**A quick run: it shows that all of it runs, not what is true.**"] * options.quick
    parts += [f"## A loss that rises smoothly, {options.seeds} seeds", hits_table(smooth)]
    parts += [f"## A plateau, {options.seeds} seeds", hits_table(plateau)]
    parts += ["\n".join(f"* {verdict}" for verdict in verdicts(smooth, plateau))]
    for arm, found in nets.items():
        parts += [f"## Digits: nets trained {arm}, mean of {options.nets}", digits_table(found)]
    data = {"environment": env, "smooth": smooth, "plateau": plateau, "digits": nets}
    page = "\n\n".join(parts)
    paths = write(options.out, "worst_case" + "-quick" * options.quick, data, page)
    print(page, *(f"written: {path}" for path in paths), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])

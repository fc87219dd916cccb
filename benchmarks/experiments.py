"""What augmentation does to small nets, on data that packages ship: honest experiments, whatever they show.

    python -m benchmarks.experiments [NAME ...] [--seeds 5] [--quick] [--arm ARM] [--out benchmarks/results]

Names: policies, textures, faces, corruptions, tta, curriculum, fixmatch, simclr, colours. With pages and criteria of their
own, exiting 1 if one does not hold: tissue (`benchmarks.tissue`) and, in `benchmarks.studies`, what learns: hidden_policy,
faster_autoaugment, hypergradient, augerino, dada, orientation, affine_shape; and tuning (`benchmarks.tuning`), a planted truth.

Each arm is trained for several seeds; the page has mean and standard error of the accuracy on what was not trained on, and
a plot. Data: scikit-learn's digits; scikit-image's brick, grass and gravel, in pieces of random tints; its faces and what is
none (lfw).
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

import augfn as af
from augfn import losses
from benchmarks import studies, tissue
from benchmarks.measure import environment, header, table, write

SIDE, CLASSES = 16, 10
Data = Callable[[], tuple[Tensor, Tensor]]
Arm = Callable[[int, bool], float]  # (seed, quick) -> accuracy in percent


def digits() -> tuple[Tensor, Tensor]:
    """The 1,797 digits, 16 pixels wide, in [0, 1]."""
    from sklearn.datasets import load_digits

    found = load_digits()
    x = torch.from_numpy(found.images).float()[:, None] / 16
    x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return x.expand(-1, 3, -1, -1).contiguous(), torch.from_numpy(found.target)


def textures() -> tuple[Tensor, Tensor]:
    """600 pieces of brick, grass and gravel, 24 pixels wide, each of a tint of its own."""
    from skimage import data

    pieces = []
    for k, name in enumerate(("brick", "grass", "gravel")):
        photo = torch.from_numpy(getattr(data, name)()).float() / 255
        grid = F.interpolate(photo[None, None], scale_factor=0.75, mode="bilinear", antialias=True, align_corners=False)
        cut = grid.unfold(2, 24, 24).unfold(3, 24, 24).reshape(-1, 1, 24, 24)
        order = torch.randperm(len(cut), generator=torch.Generator().manual_seed(k))[:200]
        pieces.append(cut[order])
    tint = af.uniform(af.key(5), (600, 3, 1, 1), 0.2, 1.0)
    return torch.cat(pieces) * tint, torch.arange(3).repeat_interleave(200)


def faces() -> tuple[Tensor, Tensor]:
    """100 faces, and 100 pieces of photos that are none, 25 pixels wide."""
    from skimage import data

    x = torch.from_numpy(data.lfw_subset()).float()[:, None]
    return x.expand(-1, 3, -1, -1).contiguous(), (torch.arange(200) >= 100).long()


def split(seed: int, labels: int, data: Data = digits) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """So many labelled samples, evenly from the classes, and the rest."""
    x, y = data()
    order, classes = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)), int(y.max()) + 1
    each = [order[(y[order] == c).nonzero().flatten()[: labels // classes]] for c in range(classes)]
    train = torch.cat(each)
    rest = order[~torch.isin(order, train)]
    return x[train], y[train], x[rest], y[rest]


class Net(nn.Module):
    """A small convolutional net; `features` is what is before its last layer."""

    def __init__(self, seed: int, width: int = 16) -> None:
        super().__init__()
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        for i, (a, b) in enumerate(((3, width), (width, 2 * width), (2 * width, 4 * width))):
            layers += [
                nn.Conv2d(a, b, 3, padding=1),
                nn.BatchNorm2d(b),
                nn.ReLU(),
                *([nn.MaxPool2d(2)] if i < 2 else []),
            ]
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4 * width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x))


def accuracy(net: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    if isinstance(net, nn.Module):
        net.eval()
    with torch.no_grad():
        return 100 * (net(x).argmax(-1) == y).float().mean().item()


def fit(net: Net, step: Callable[[int, Tensor], Tensor], n: int, steps: int, batch: int = 64) -> Net:
    """Adam with a cosine schedule on what `step(i, indices)` makes of samples drawn at random."""
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for i in range(steps):
        optimizer.zero_grad()
        step(i, torch.randint(n, (batch,))).backward()
        optimizer.step()
        schedule.step()
    return net


def trained(
    seed: int, quick: bool, augment: Any, labels: int = 200, progress: Any = None, data: Data = digits
) -> tuple[Net, Tensor, Tensor]:
    """A net trained with an augmentation of images and labels, and what it was not trained on."""
    x, y, test_x, test_y = split(seed, labels, data)
    net, steps = Net(seed), 20 if quick else 400

    def step(i: int, at: Tensor) -> Tensor:
        sample = {"image": x[at], "label": F.one_hot(y[at], CLASSES).float()}
        params = None if progress is None else progress(i / steps)
        sample = augment(sample, params, af.fold_in(af.key(seed), i))[0]
        return losses.soft_cross_entropy(net(sample["image"]), sample["label"])

    return fit(net, step, len(x), steps), test_x, test_y


def plain(make: Callable[[], Any], labels: int = 200, data: Data = digits) -> Arm:
    """Accuracy on clean samples after training with an augmentation."""

    def arm(seed: int, quick: bool) -> float:
        return accuracy(*trained(seed, quick, make(), labels, data=data))

    return arm


def policies(labels: int = 200, data: Data = digits) -> dict[str, Arm]:
    mix = lambda: af.one_of(af.mixup(), af.cutmix(), af.identity(), weights=[0.3, 0.5, 0.2])  # noqa: E731
    made = {
        "none": af.identity,
        "flips": lambda: af.pipeline(af.hflip(p=0.5), af.vflip(p=0.5)),
        "RandAugment(2, 9)": af.rand_augment,
        "TrivialAugment": af.trivial_augment,
        "mixup + cutmix": mix,
        "rotate 15, shift .1": shifts,
    }
    return {name: plain(make, labels, data) for name, make in made.items()}


def shifts() -> Any:
    return af.affine(degrees=(-15, 15), translate=((-0.1, 0.1),) * 2)


CORRUPTIONS = {
    "noise": af.gaussian_noise(std=0.4),
    "blur": af.gaussian_blur(kernel_size=7, sigma=1.5),
    "contrast": af.contrast(factor=0.3),
    "erase": af.erase(scale=0.2),
    "pixels": af.downscale(factor=0.4),
}


def corrupted(net: Net, x: Tensor, y: Tensor) -> float:
    """The mean accuracy under corruptions that no policy holds."""
    return statistics.fmean(accuracy(net, f(x, None, af.key(i))[0], y) for i, f in enumerate(CORRUPTIONS.values()))


def corruptions() -> dict[str, Arm]:
    def arm(augment: Any) -> Arm:
        return lambda seed, quick: corrupted(*trained(seed, quick, augment()))

    def with_jsd(seed: int, quick: bool) -> float:
        x, y, test_x, test_y = split(seed, 200)
        net, steps, f = Net(seed), 20 if quick else 400, af.views(af.augmix(), 2)

        def step(i: int, at: Tensor) -> Tensor:
            (one, two), _ = f(x[at], None, af.fold_in(af.key(seed), i))
            clean, first, second = net(torch.cat([x[at], one, two])).chunk(3)
            return F.cross_entropy(clean, y[at]) + 12 * losses.jsd(clean, first, second)

        return corrupted(fit(net, step, len(x), steps), test_x, test_y)

    return {"none": arm(af.identity), "AugMix": arm(af.augmix), "AugMix with JSD": with_jsd}


def tta() -> dict[str, Arm]:
    views = {
        "none": [af.identity()],
        "turns and shifts": af.product(
            [af.rotate(degrees=d) for d in (-8.0, 0.0, 8.0)],
            [af.translate(translate=torch.tensor([s, 0.0])) for s in (-0.06, 0.0, 0.06)],
        ),
        "flips": af.product([af.identity(), af.hflip()], [af.identity(), af.vflip()]),
    }

    def arm(some: Any) -> Arm:
        def run(seed: int, quick: bool) -> float:
            net, x, y = trained(seed, quick, shifts())
            net.eval()
            return accuracy(af.tta(lambda z: net(z).softmax(-1), some), x, y)

        return run

    return {name: arm(some) for name, some in views.items()}


def curriculum() -> dict[str, Arm]:
    none, full = ((0.0, 0.0),) * 2, ((-0.2, 0.2),) * 2
    ways = {
        "constant": ((-30, 30), full, (-30, 30), full),
        "from nothing to all": ((0, 0), none, (-30, 30), full),
        "from all to nothing": ((-30, 30), full, (0, 0), none),
    }

    def arm(d0: Any, t0: Any, d1: Any, t1: Any) -> Arm:
        f = af.affine(degrees=(-30, 30), translate=full)
        at = af.Curriculum(f, {"degrees": af.linear(d0, d1), "translate": af.linear(t0, t1)})
        return lambda seed, quick: accuracy(*trained(seed, quick, f, progress=at))

    return {"none": plain(af.identity), **{name: arm(*way) for name, way in ways.items()}}


def fixmatch() -> dict[str, Arm]:
    def arm(weight: float) -> Arm:
        def run(seed: int, quick: bool) -> float:
            x, y, rest, test_y = split(seed, 20)
            net, steps = Net(seed), 20 if quick else 600
            strong = af.pipeline(shifts(), af.rand_augment(2, 12), af.cutout(size=(0.1, 0.4)))
            f = af.views(af.affine(degrees=(-5, 5), translate=((-0.06, 0.06),) * 2), strong)

            def step(i: int, at: Tensor) -> Tensor:
                key = af.fold_in(af.key(seed), i)
                other = torch.randint(len(rest), (128,))
                (own, _), _ = f(x[at], None, af.fold_in(key, 0))
                (weak, hard), _ = f(rest[other], None, af.fold_in(key, 1))
                labelled, first, second = net(torch.cat([own, weak, hard])).split([len(at), 128, 128])
                return F.cross_entropy(labelled, y[at]) + weight * losses.fixmatch(first, second)

            return accuracy(fit(net, step, len(x), steps, 32), rest, test_y)

        return run

    return {"20 labels alone": arm(0.0), "FixMatch": arm(1.0)}


def probe(encode: Callable[[Tensor], Tensor], seed: int, labels: int = 20, data: Data = digits) -> float:
    """A linear probe of few labels."""
    from sklearn.linear_model import LogisticRegression

    x, y, test_x, test_y = split(seed, labels, data)
    with torch.no_grad():
        a, b = encode(x), encode(test_x)
    mean, std = a.mean(0), a.std(0).clamp(min=1e-6)
    model = LogisticRegression(max_iter=2000).fit(((a - mean) / std).numpy(), y.numpy())
    return 100 * model.score(((b - mean) / std).numpy(), test_y.numpy())


def contrasted(view: Any, labels: int = 20, data: Data = digits) -> Arm:
    """A probe of what SimCLR learns from two views of every sample."""

    def run(seed: int, quick: bool) -> float:
        images, _ = data()
        net, steps, f = Net(seed), 20 if quick else 600, af.views(view, 2)
        project = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 32))
        net.head = project  # type: ignore[assignment]

        def step(i: int, at: Tensor) -> Tensor:
            (one, two), _ = f(images[at], None, af.fold_in(af.key(seed), i))
            first, second = net(torch.cat([one, two])).chunk(2)
            return losses.nt_xent(first, second, 0.5)

        fit(net, step, len(images), steps, 128).eval()
        return probe(net.features, seed, labels, data)

    return run


def simclr() -> dict[str, Arm]:
    crop = af.resized_crop(size=SIDE, scale=(0.3, 1.0))
    colour = af.color_jitter(brightness=(0.5, 1.5), contrast=(0.5, 1.5))
    turned = af.affine(degrees=(-15, 15), translate=((-0.1, 0.1),) * 2)
    return {
        "raw pixels": lambda seed, quick: probe(lambda x: x[:, 0].flatten(1), seed),
        "a random encoder": lambda seed, quick: probe(Net(seed).eval().features, seed),
        "SimCLR": contrasted(af.pipeline(crop, turned, colour)),
        "SimCLR without the crop": contrasted(af.pipeline(turned, colour)),
        "SimCLR without geometry": contrasted(colour),
    }


def colours() -> dict[str, Arm]:
    """The tint of a piece says nothing of its class; two crops of it share the tint, unless it is jittered."""
    crop = [af.resized_crop(size=24, scale=(0.3, 1.0)), af.hflip(p=0.5)]
    jitter = [af.color_jitter(brightness=(0.4, 1.6), contrast=(0.4, 1.6), saturation=(0.0, 2.0), hue=(-0.5, 0.5))]
    few = {"labels": 30, "data": textures}
    return {
        "raw pixels": lambda seed, quick: probe(lambda x: x.flatten(1), seed, **few),
        "a random encoder": lambda seed, quick: probe(Net(seed).eval().features, seed, **few),
        "SimCLR": contrasted(af.pipeline(*crop, *jitter), **few),
        "SimCLR without the crop": contrasted(af.pipeline(crop[1], *jitter), **few),
        "SimCLR without jitter": contrasted(af.pipeline(*crop), **few),
    }


EXPERIMENTS: dict[str, tuple[str, Callable[[], dict[str, Arm]]]] = {
    "policies": ("Policies: 200 labelled digits, accuracy on the rest", policies),
    "textures": ("Policies: 60 labelled pieces of brick, grass and gravel", partial(policies, 60, textures)),
    "faces": ("Policies: 40 labelled pieces of photos, faces and others", partial(policies, 40, faces)),
    "corruptions": ("AugMix: mean accuracy under five corruptions that were not trained on", corruptions),
    "tta": ("Test-time augmentation of a net trained with turns and shifts", tta),
    "curriculum": ("Curricula of turns up to 30 degrees and shifts up to .2", curriculum),
    "fixmatch": ("FixMatch: 20 labels and all other digits without theirs", fixmatch),
    "simclr": ("SimCLR: a linear probe of 20 labels on what was learned without any", simclr),
    "colours": ("SimCLR on tinted textures: a linear probe of 30 labels", colours),
}


def run(name: str, seeds: int, quick: bool) -> dict[str, list[float]]:
    arms = EXPERIMENTS[name][1]()
    bar = tqdm(total=len(arms) * seeds, desc=name, leave=False, disable=None)
    found: dict[str, list[float]] = {}
    for arm, call in arms.items():
        for seed in range(seeds):
            found.setdefault(arm, []).append(call(seed, quick))
            bar.update()
    return found


def lines(found: dict[str, list[float]]) -> str:
    each = {arm: [f"{v:.1f}" for v in (*studies.mean_error(values), *values)] for arm, values in found.items()}
    rows = [[arm, mean, error, ", ".join(seeds)] for arm, (mean, error, *seeds) in each.items()]
    return table(("arm", "accuracy, %", "standard error", "seeds"), rows)


def plot(results: dict[str, dict[str, list[float]]], path: Path) -> None:
    """A row of points for each arm, and their mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.1 + 0.32 * sum(len(r) + 1.6 for r in results.values())), layout="constrained")
    axes = figure.subplots(len(results), 1, squeeze=False, height_ratios=[len(r) + 1.2 for r in results.values()])
    for ax, (name, found) in zip(axes.flat, results.items(), strict=True):
        for i, values in enumerate(found.values()):
            ax.plot(values, [i] * len(values), "o", alpha=0.5, markersize=4)
            ax.plot([statistics.fmean(values)], [i], "k|", markersize=14)
        ax.set_yticks(range(len(found)), list(found), fontsize=8)
        ax.invert_yaxis()
        ax.set_title(EXPERIMENTS[name][0], fontsize=9, loc="left")
        ax.tick_params(axis="x", labelsize=8)
    figure.savefig(path, dpi=100)


def main(arguments: list[str]) -> int:
    about = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments", description=about[0])
    every = [*EXPERIMENTS, "tissue", *studies.LEARNED]
    parser.add_argument("names", nargs="*", default=every, metavar="NAME", help=", ".join(every))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="twenty steps each: it shows that all of it runs")
    parser.add_argument(
        "--arm", action="append", help="one arm alone of what learns; the page keeps the others' figures"
    )
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in every:
            parser.error(f"no experiment {name!r}: one of {', '.join(every)}")
    if options.arm and not (len(options.names) == 1 and options.names[0] in studies.LEARNED):
        parser.error(f"--arm needs one name of {', '.join(studies.LEARNED)}")
    command = shlex.join(["python", "-m", "benchmarks.experiments", *arguments])
    held = [tissue.publish(options, command)] if "tissue" in options.names else []
    held += [studies.publish(name, options, command) for name in options.names if name in studies.LEARNED]
    env = environment(command, torch.get_num_threads())
    results = {name: run(name, options.seeds, options.quick) for name in options.names if name in EXPERIMENTS}
    if not results:
        return int(not all(held))
    stem = "-".join(["experiments", *["quick"] * options.quick, *(results if len(results) < len(EXPERIMENTS) else ())])
    parts = ["# Experiments", header(env), about[-1].replace("\n", " ").strip()]
    parts += ["**A quick run: it shows that all of it runs, not what is true.**"] * options.quick
    parts += [part for name, found in results.items() for part in (f"## {EXPERIMENTS[name][0]}", lines(found))]
    options.out.mkdir(parents=True, exist_ok=True)
    plot(results, options.out / f"{stem}.png")
    page = "\n\n".join([*parts, f"![every seed, and the means]({stem}.png)"])
    paths = write(options.out, stem, {"environment": env, "results": results}, page)
    print(page, *(f"written: {path}" for path in paths), sep="\n")
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

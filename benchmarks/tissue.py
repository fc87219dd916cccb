"""A segmentation net for volumes, trained on ten of one scanner, tested on another's: with nnU-Net's recipe, kornia's 3-D
set, or no augmentation.

    python -m benchmarks.experiments tissue [--seeds 5] [--quick] [--out benchmarks/results]

Data (`benchmarks.tissue_data`): 24 x 40 x 40 voxels, one channel, z-scored; smooth tissue, two organs of class 1, two of
class 2, three vessels (class 3). Training and validation are of one scanner, the test set is of another, which differs in
contrast (gamma 1.3 to 1.7, not 1), bias field (four times as strong), noise (.05 to .09 before the z-score, not .02 to .04),
resolution (sigma .5 within the slices; slices measured in pairs and interpolated), poses (the anatomy turned by up to 25
degrees, not 5, each organ by 40 more, not 10, about each axis), sizes (.7 to 1.35, not .9 to 1.1), and left and right
(mirrored: organs of class 1 are on the other side).

Each seed draws its own 10 training, 8 validation and 16 test volumes, init and order, the same for all arms: differences are
paired. A 3-D U-Net of three resolutions (8, 16, 32 channels, instance norm), Dice + cross entropy, Adam with a cosine
schedule, batches of 2, as many steps for all arms. Steps, learning rate and difficulty (the organs' intensities) were set on
`none` and the validation sets of other seeds (90 to 93) alone; the shift was written down before a net saw a test set (but
for smoke runs of ten steps), and not changed since.

* `none`: the volumes as they are.
* `kornia`: flips of the three axes (.5 each), RandomRotation3D (30 degrees about each axis, .2), RandomAffine3D (scale .7 to
  1.4, .2), RandomMotionBlur3D (3 voxels, .1), by their defaults else. kornia's containers take no masks of volumes, so each op
  is called again on the mask, with the parameters of the first call and nearest reading, as a user has to. RandomEqualize3D
  is left out: it needs values in [0, 1].
* `nnunet`: `af.recipe("nnunet")` on {"volume": x, "mask": mask}.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import augfn as af
from benchmarks import tissue_data
from benchmarks.measure import Verdict, environment, header, table, write
from benchmarks.studies import WORKERS, in_processes, mean_error

TRAIN, VALIDATION, TEST = 10, 8, 16
CLASSES, BATCH, STEPS, RATE = 4, 2, 250, 1e-2
LOSS = 0.03  # of Dice on the validation set, at most
Augment = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]  # (volumes, masks, number) -> volumes, masks
Result = dict[str, Any]


class Net(nn.Module):
    """A U-Net of three resolutions."""

    def __init__(self, seed: int, width: int = 8) -> None:
        super().__init__()
        torch.manual_seed(seed)
        a, b, c = width, 2 * width, 4 * width
        self.down = nn.ModuleList([block(1, a, a), block(a, b, b), block(b, c, c)])
        self.narrow = nn.ModuleList([nn.Conv3d(c, b, 1), nn.Conv3d(b, a, 1)])
        self.up = nn.ModuleList([block(2 * b, b), block(2 * a, a)])
        self.head = nn.Conv3d(a, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for i, layer in enumerate(self.down):
            x = layer(F.max_pool3d(x, 2) if i else x)
            kept.append(x)
        for narrow, layer, skip in zip(self.narrow, self.up, (kept[1], kept[0]), strict=True):
            x = layer(torch.cat([F.interpolate(narrow(x), scale_factor=2, mode="nearest"), skip], 1))
        return self.head(x)


def block(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Conv3d(a, b, 3, padding=1), nn.InstanceNorm3d(b, affine=True), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers)


def loss(scores: Tensor, mask: Tensor) -> Tensor:
    """Cross entropy, and 1 - Dice of the batch over the classes but the background."""
    share, truth = scores.softmax(1), F.one_hot(mask, CLASSES).movedim(-1, 1)
    over = (0, 2, 3, 4)
    dice = (2 * (share * truth).sum(over) + 1) / (share.sum(over) + truth.sum(over) + 1)
    return F.cross_entropy(scores, mask) + 1 - dice[1:].mean()


def dice(net: Net, x: Tensor, masks: Tensor) -> list[float]:
    """Dice of each class but the background, the mean over the volumes that hold it."""
    with torch.no_grad():
        found = torch.cat([net(part).argmax(1) for part in x.split(4)])
    result = []
    for c in range(1, CLASSES):
        a, b = (found == c).sum((1, 2, 3)), (masks == c).sum((1, 2, 3))
        both = ((found == c) & (masks == c)).sum((1, 2, 3))
        result.append((2 * both / (a + b))[b > 0].mean().item())
    return result


def plain() -> Augment:
    return lambda x, mask, step: (x, mask)


def recipe() -> Augment:
    f = af.recipe("nnunet")

    def augment(x: Tensor, mask: Tensor, step: int) -> tuple[Tensor, Tensor]:
        sample = f({"volume": x, "mask": mask}, None, af.key(step))[0]
        return sample["volume"], sample["mask"]

    return augment


def kornia_set(sure: bool = False) -> Augment:
    """kornia's 3-D ops, image and mask apart; `sure`: each with probability 1, for a check."""
    import kornia.augmentation as K
    from kornia.constants import Resample

    p = (lambda value: 1.0) if sure else (lambda value: value)
    flips = (K.RandomHorizontalFlip3D, K.RandomVerticalFlip3D, K.RandomDepthicalFlip3D)
    steps = [
        *[flip(p=p(0.5)) for flip in flips],
        K.RandomRotation3D((30.0, 30.0, 30.0), p=p(0.2)),
        K.RandomAffine3D((0.0, 0.0, 0.0), scale=(0.7, 1.4), p=p(0.2)),
        K.RandomMotionBlur3D(3, 30.0, 0.5, p=p(0.1)),
    ]

    def augment(x: Tensor, mask: Tensor, step: int) -> tuple[Tensor, Tensor]:
        torch.manual_seed(step)
        m = mask[:, None].float()
        for op in steps:
            x = op(x)
            if not isinstance(op, K.RandomMotionBlur3D):
                nearest = {"resample": Resample.NEAREST} if "resample" in op.flags else {}
                m = op(m, params=op._params, **nearest)
        return x, m[:, 0].round().long()

    return augment


ARMS: dict[str, Callable[[], Augment]] = {"none": plain, "kornia": kornia_set, "nnunet": recipe}


def agreement(augment: Augment, draws: int = 20) -> tuple[float, float]:
    """The least overlap (intersection / union) of an augmented mask, three quarters of an ellipsoid off the middle, and of its
    picture, read at half its height; and the mean overlap with the mask of another draw."""
    z, y, x = torch.meshgrid(*[torch.arange(float(n)) for n in tissue_data.SIZE], indexing="ij")
    body = ((x - 14) / 9) ** 2 + ((y - 22) / 12) ** 2 + ((z - 10) / 6) ** 2 < 1
    masks = (body & ~((x > 14) & (y > 22))).long().expand(BATCH, -1, -1, -1)
    own, others, last = [], [], None
    for i in range(draws):
        picture, mask = augment(masks[:, None].float(), masks, i)
        picture = picture[:, 0]
        middle = (picture.amin((1, 2, 3), True) + picture.amax((1, 2, 3), True)) / 2
        own += overlaps(picture > middle, mask > 0)
        others += [] if last is None else overlaps(picture > middle, last)
        last = mask > 0
    return min(own), statistics.fmean(others)


def overlaps(a: Tensor, b: Tensor) -> list[float]:
    return ((a & b).sum((1, 2, 3)) / (a | b).sum((1, 2, 3))).tolist()


def trained(name: str, seed: int, steps: int, rate: float = RATE) -> tuple[Net, float, float]:
    """A net, and the processor's seconds in all and within the augmentation."""
    x, masks = tissue_data.cases(3 * seed, TRAIN, tissue_data.FIRST)
    net, augment, spent, start = Net(seed), ARMS[name](), 0.0, time.process_time()
    net.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
    order = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for i in range(steps):
        at = torch.randperm(TRAIN, generator=order)[:BATCH]
        begin = time.process_time()
        volumes, truth = augment(x[at], masks[at], 100_000 * seed + i)
        spent += time.process_time() - begin
        optimizer.zero_grad()
        loss(net(volumes.contiguous(memory_format=torch.channels_last_3d)), truth).backward()
        optimizer.step()
        schedule.step()
    return net.eval(), time.process_time() - start, spent


def arm(task: tuple[str, int, int]) -> Result:
    """What one arm reaches with one seed."""
    torch.set_num_threads(1)
    name, seed, steps = task
    net, seconds, spent = trained(name, seed, steps)
    validation = dice(net, *tissue_data.cases(3 * seed + 1, VALIDATION, tissue_data.FIRST))
    test = dice(net, *tissue_data.cases(3 * seed + 2, TEST, tissue_data.OTHER))
    return {"arm": name, "seed": seed, "validation": validation, "test": test, "seconds": seconds, "augmenting": spent}


def written(values: list[float], sign: str = "") -> str:
    mean, error = mean_error(values)
    return f"{mean:{sign}.3f} ({error:.3f})"


def of(results: list[Result], name: str, what: str) -> list[float]:
    """The mean over classes of each seed, or the seconds."""
    found = [r[what] for r in results if r["arm"] == name]
    return [statistics.fmean(v) if isinstance(v, list) else v for v in found]


def difference(results: list[Result], a: str, b: str, what: str) -> list[float]:
    return [x - y for x, y in zip(of(results, a, what), of(results, b, what), strict=True)]


def verdicts(results: list[Result]) -> list[Verdict]:
    over, beside = (difference(results, "nnunet", other, "test") for other in ("none", "kornia"))
    lost = {name: -statistics.fmean(difference(results, name, "none", "validation")) for name in ARMS}
    (gain, gain_error), (lead, lead_error) = mean_error(over), mean_error(beside)
    return [
        Verdict("nnunet - none on the test set is above 2 standard errors", written(over, "+"), gain > 2 * gain_error),
        Verdict(
            "nnunet - kornia on the test set is not below -2 standard errors",
            written(beside, "+"),
            lead >= -2 * lead_error,
        ),
        Verdict(
            f"no arm loses more than {LOSS} of none's Dice on the validation set",
            ", ".join(f"{name} {-v:+.3f}" for name, v in lost.items() if name != "none"),
            max(lost.values()) <= LOSS,
        ),
    ]


def tables(results: list[Result], steps: int) -> list[str]:
    rows, classes, pairs = [], [], []
    for name in ARMS:
        dices = [written(of(results, name, what)) for what in ("test", "validation")]
        spent, seconds = (statistics.fmean(of(results, name, what)) for what in ("augmenting", "seconds"))
        rows.append([name, *dices, f"{spent:.2f}", f"{1000 * spent / steps:.1f}", f"{seconds:.1f}"])
        each = [[r[what][c] for r in results if r["arm"] == name] for what in ("test", "validation") for c in range(3)]
        classes.append([name, *[written(v) for v in each]])
    for a, b in (("nnunet", "none"), ("nnunet", "kornia"), ("kornia", "none")):
        pairs.append(
            [f"{a} - {b}", *[written(difference(results, a, b, what), "+") for what in ("test", "validation")]]
        )
    head = ("arm", "test", "validation", "augmenting, s", "ms a batch", "training, s")
    return [
        "Mean Dice of classes 1 to 3 (standard error over the seeds), and seconds of one core.",
        table(head, rows),
        table(("paired difference", "test", "validation"), pairs),
        table(("arm", *[f"{what}, class {c}" for what in ("test", "validation") for c in (1, 2, 3)]), classes),
    ]


def picture(path: Path) -> None:
    """Slices of two training volumes and of two test volumes, and their classes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.4), layout="constrained")
    axes, column = figure.subplots(2, 8), 0
    for title, scanner, start in (("train", tissue_data.FIRST, 0), ("test", tissue_data.OTHER, 2)):
        for x, mask in zip(*tissue_data.cases(start, 2, scanner), strict=True):
            for z in (9, 14):
                axes[0, column].imshow(x[0, z], cmap="gray", vmin=-2, vmax=4)
                axes[1, column].imshow(mask[z], vmin=0, vmax=CLASSES - 1)
                axes[0, column].set_title(f"{title}, slice {z}", fontsize=8)
                column += 1
    for ax in axes.flat:
        ax.axis("off")
    figure.savefig(path, dpi=80)


def publish(options: argparse.Namespace, command: str) -> bool:
    """Train all arms, print the page and one PASS or FAIL line for each criterion, write both and the JSON; True if all
    hold."""
    env, begin = environment(command, WORKERS), time.perf_counter()
    steps = 10 if options.quick else STEPS
    tasks = [(name, seed, steps) for seed in range(options.seeds) for name in ARMS]
    results = in_processes(arm, tasks, "tissue")
    wall, found = time.perf_counter() - begin, verdicts(results)
    overlap = {"kornia, each op with probability 1": agreement(kornia_set(True)), "nnunet": agreement(recipe())}
    stem = "tissue" + "-quick" * options.quick
    about = (__doc__ or "").split("\n\n", 2)[2].strip()
    parts = ["# Tissue: a segmentation net on another scanner's volumes", header(env), about]
    parts += ["**A quick run: it shows that all of it runs, not what is true.**"] * options.quick
    parts += [f"{steps} steps, learning rate {RATE}, {options.seeds} seeds, {WORKERS} processes, {wall:.0f} s in all."]
    parts += [*tables(results, steps), "\n".join(f"* {verdict}" for verdict in found)]
    parts += [
        "Image and mask agree: of three quarters of an ellipsoid, the least overlap of the augmented mask and its picture in"
        " 20 draws (and, for comparison, the mean overlap with the mask of another draw) is "
        + ", ".join(f"{least:.2f} ({other:.2f}) for {name}" for name, (least, other) in overlap.items())
        + ".",
        f"![slices of both scanners]({stem}.png)",
    ]
    page = "\n\n".join(parts)
    data = {"environment": env, "steps": steps, "rate": RATE, "wall_s": wall, "overlap": overlap, "results": results}
    paths = write(options.out, stem, data | {"criteria": [v._asdict() for v in found]}, page)
    picture(options.out / f"{stem}.png")
    print(page, *found, *(f"written: {path}" for path in paths), sep="\n")
    return all(verdict.passed for verdict in found)

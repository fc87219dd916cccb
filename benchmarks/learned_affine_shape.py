"""A shape that a net learns from pairs of squeezed patches, against none: descriptor loss and geometric loss."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import augfn as af
from augfn.learn import affine_params, affine_shape, hardnet_loss, upright
from benchmarks.local_patches import SIDE, UNSEEN, Net, described, dots, trained, windows
from benchmarks.measure import Verdict
from benchmarks.studies import Figures, Results, Study, of

ARMS = ("HardNegC", "geometric loss", "identity", "detached warp")
RATE = 1e-3
TILT = 3.0  # the longer axis of a shape by its shorter one, at most
neutral = af.affine(degrees=0.0, scale=1.0, scale_y=1.0, shear=0.0)
warp = af.pipeline(shift=af.translate(), move=neutral, crop=af.center_crop(size=SIDE))  # one resample


def matrices(degrees: Tensor) -> Tensor:
    """Turns counter-clockwise on the screen `[*b, 2, 2]`."""
    c, s = torch.deg2rad(degrees).cos(), torch.deg2rad(degrees).sin()
    return torch.stack([c, s, -s, c], -1).unflatten(-1, (2, 2))


def shapes(n: int, key: Any) -> tuple[Tensor, Tensor]:
    """Two maps `[N, 2, 2]` for each patch: one turn for both, then a squeeze by up to `TILT` along any axis, up staying up."""
    draws = af.uniform(key, (n, 5))
    both, found = matrices(360 * draws[:, 0]), []
    for k in (1, 3):
        axis, long = matrices(180 * draws[:, k]), TILT ** (draws[:, k + 1] / 2)
        found.append(upright(axis @ torch.diag_embed(torch.stack([long, 1 / long], -1)) @ axis.mT) @ both)
    return found[0], found[1]


def moved(x: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    return warp(x, {"move": affine_params(matrix), "shift": {"translate": shift}})[0]


def pair(net: Any, x: Tensor, key: Any, detached: bool = False) -> tuple[list[Tensor], list[Tensor]]:
    """Both patches of each window with their estimated shape undone, and what map they are then seen by."""
    one, two = af.split(key)
    seen, maps = [], []
    for matrix, at in zip(shapes(len(x), one), af.split(two), strict=True):
        shift = (af.uniform(at, (len(x), 2)) - 0.5) * 0.014  # 2 % of the patch
        undone = affine_shape(net(moved(x, matrix, shift)))
        maps.append((undone.detach() if detached else undone) @ matrix)
        seen.append(moved(x, maps[-1], shift))
    return seen, maps


def loss_of(net: Net, arm: str) -> Any:
    def loss(x: Tensor, key: Any) -> Tensor:
        seen, (one, two) = pair(net, x, key, arm == "detached warp")
        if arm == "geometric loss":
            return ((one - two).square().sum((1, 2)) + 1e-8).sqrt().mean()
        return hardnet_loss(described(seen[0]), described(seen[1]))

    return loss


def overlap_error(one: Tensor, two: Tensor, rays: int = 360) -> Tensor:
    """1 - intersection / union of the ellipses |M x| <= 1 of two maps `[N, 2, 2]`, in percent: by rays of which an ellipse has
    the length 1 / |M u|. Source: Mikolajczyk et al. 2005.

    >>> overlap_error(torch.eye(2)[None], torch.diag(torch.tensor([2.0, 1.0]))[None]).round()
    tensor([50.])
    """
    u = matrices(torch.arange(rays) * 360 / rays)[..., 0]
    areas = [1 / (m @ u.mT).square().sum(-2) for m in (one, two)]
    return 100 * (1 - torch.minimum(*areas).sum(-1) / torch.maximum(*areas).sum(-1))


def run(arm: str, seed: int, quick: bool) -> Figures:
    torch.manual_seed(seed)
    net: Any = Net(3, (0.0, 0.0, 0.0), 0.1)
    if arm == "identity":
        net = lambda x: torch.zeros(len(x), 3)  # noqa: E731
    else:
        trained(net, loss_of(net, arm), seed, quick, RATE)
    with torch.no_grad():
        seen, maps = pair(net, windows(UNSEEN, 1000, seed + 1000), af.key(seed + 2000))
        error = overlap_error(maps[0], maps[1])
        one, two = described(seen[0]), described(seen[1])
    return {
        "overlap error, %": error.mean().item(),
        "median overlap error, %": error.median().item(),
        "distance of positives": (one - two).norm(dim=-1).mean().item(),
        "nearest is its own, %": 100
        * (torch.cdist(one, two).argmin(1) == torch.arange(len(one))).float().mean().item(),
    }


def verdicts(results: Results) -> list[Verdict]:
    def compared(arm: str, other: str, what: str) -> tuple[str, bool]:
        ours, theirs = of(results, arm, what), of(results, other, what)
        fewer = sum(a < b for a, b in zip(ours, theirs, strict=True))
        text = f"{statistics.fmean(ours):.3g} against {statistics.fmean(theirs):.3g}, lower in {fewer} of {len(ours)} seeds"
        return text, fewer == len(ours)

    overlap, distance = "overlap error, %", "distance of positives"
    gained = [
        b - a for a, b in zip(of(results, "detached warp", overlap), of(results, "identity", overlap), strict=True)
    ]
    return [
        Verdict("HardNegC: overlap error below the identity's, every seed", *compared("HardNegC", "identity", overlap)),
        Verdict(
            "HardNegC: descriptors of positives nearer than with the identity, every seed",
            *compared("HardNegC", "identity", distance),
        ),
        Verdict(
            "HardNegC: descriptors of positives nearer than with the geometric loss, every seed",
            *compared("HardNegC", "geometric loss", distance),
        ),
        Verdict(
            "HardNegC: overlap error below the geometric loss's, every seed (the paper's claim)",
            *compared("HardNegC", "geometric loss", overlap),
        ),
        Verdict(
            "control, detached warp: fails, with an overlap error less than 3 points below the identity's, every seed",
            f"at most {max(gained):.2f} points below",
            max(gained) < 3,
        ),
    ]


def plot(results: Results, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 2.8), layout="constrained")
    for i, (ax, what) in enumerate(
        zip(figure.subplots(1, 2), ("overlap error, %", "distance of positives"), strict=True)
    ):
        dots(ax, results, what, labels=not i)
    figure.savefig(path, dpi=100)


ABOUT = """
Two views of a window of a photo: one turn for both, then for each a squeeze along an axis of its own, in which up stays up, whose
longer axis is up to 3 times the shorter one, and a shift of up to 2 % of the patch. A net sees 24 x 24 pixels of each and says
three numbers, `af.learn.affine_shape` makes the matrix of them that undoes the squeeze, in the same resample. Trained on camera,
coffee and chelsea (500 steps, batch 64); measured on 1000 pairs from astronaut and motorcycle, which it has not seen.

* HardNegC: `af.learn.hardnet_loss` on raw pixels. Geometric loss: the mean Frobenius norm of the difference of the two maps.
* Overlap error: 1 - intersection / union of the ellipses that the two estimates make of one circle. "Nearest is its own":
  how often a view's nearest descriptor among the other views of all 1000 is the one of its window.
* Controls: "identity" undoes nothing; "detached warp" trains by HardNegC, but no gradient passes the warp.

The rate was tuned with seed 90, which is not among those below, and for HardNegC alone. What the geometric loss has and HardNegC
has not is the exact map of each view; whether the paper's order comes back where maps are not exact was not tested.
"""

STUDY = Study("Affine shape: HardNegC through the warp", ABOUT, ARMS, run, verdicts, plot)

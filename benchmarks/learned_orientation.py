"""An orientation that a net learns from pairs of turned patches, against a histogram of gradients."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import augfn as af
from augfn.learn import hardnet_loss, orientation
from benchmarks.local_patches import (
    SIDE,
    UNSEEN,
    Look,
    Net,
    described,
    dots,
    hard,
    matched,
    noisy,
    stereo,
    trained,
    windows,
)
from benchmarks.measure import Verdict
from benchmarks.studies import Figures, Results, Study, of

ARMS = ("HardNegC", "geometric loss", "gradient histogram", "the same, no blur", "constant", "detached warp")
turn = af.affine(degrees=(-180, 180), translate=((-0.007, 0.007),) * 2)  # of the window: 2 % of the patch
view = af.pipeline(turn=turn, upright=af.rotate(degrees=0.0), crop=af.center_crop(size=SIDE))  # one resample
RATE = 6e-3
NONE = 0.3  # pixels of blur that change little
BLUR = {False: 1.5, True: 2.0}  # what is best for the histogram: without noise, and with it


def turned(x: Tensor, key: Any) -> tuple[Tensor, dict[str, Tensor]]:
    y, params = view(x, None, key)
    return y, params["turn"]


def undone(x: Tensor, drawn: dict[str, Tensor], degrees: Tensor) -> Tensor:
    """The patches with their estimated turn undone, in the same resample as the turn."""
    return view(x, {"turn": drawn, "upright": {"degrees": -degrees}})[0]


def loss_of(net: Net, arm: str) -> Any:
    def loss(x: Tensor, key: Any) -> Tensor:
        keys, ends, found, angles = af.split(key, 4), [], [], []
        for k in range(2):
            y, drawn = turned(x, keys[k])
            degrees = orientation(net(noisy(y, None, keys[k + 2])[0]))
            if arm != "geometric loss":
                ends.append(undone(x, drawn, degrees.detach() if arm == "detached warp" else degrees))
            found.append(degrees)
            angles.append(drawn["degrees"])
        if arm == "geometric loss":
            return (1 - torch.deg2rad(found[0] - found[1] - angles[0] + angles[1]).cos()).mean()
        return hardnet_loss(described(ends[0]), described(ends[1]))

    return loss


def histogram(x: Tensor, sigma: float, bins: int = 36) -> Tensor:
    """The direction of most gradient in degrees: SIFT's histogram, smoothed, its peak by a parabola."""
    y = af.gaussian_blur(kernel_size=13, sigma=sigma)(x)[0][:, 0]
    gx, gy = y[:, 1:-1, 2:] - y[:, 1:-1, :-2], y[:, 2:, 1:-1] - y[:, :-2, 1:-1]
    place = torch.arange(SIDE - 2) - (SIDE - 3) / 2
    near = (-(place**2 + place[:, None] ** 2) / (2 * (SIDE / 4) ** 2)).exp()
    weight, at = (torch.hypot(gx, gy) * near).flatten(1), torch.atan2(-gy, gx).flatten(1) / (2 * torch.pi) * bins
    low = at.floor()
    votes = torch.zeros(len(x), bins)
    votes.scatter_add_(1, low.long() % bins, weight * (1 - at + low))
    votes.scatter_add_(1, (low.long() + 1) % bins, weight * (at - low))
    for _ in range(6):
        votes = (votes.roll(1, 1) + votes + votes.roll(-1, 1)) / 3
    best = votes.argmax(1, keepdim=True)
    left, top, right = (votes.gather(1, (best + k) % bins)[:, 0] for k in (-1, 0, 1))
    return (best[:, 0] + (left - right) / (2 * (left - 2 * top + right)).clamp(max=-1e-9)) * 360 / bins


def estimator(arm: str, seed: int, quick: bool) -> tuple[Look, Look]:
    """What tells the degrees of patches, without and with noise."""
    if arm == "gradient histogram":
        return (lambda x: histogram(x, BLUR[False])), (lambda x: histogram(x, BLUR[True]))
    if arm == "the same, no blur":
        return (lambda x: histogram(x, NONE)), (lambda x: histogram(x, NONE))
    if arm == "constant":
        return (lambda x: torch.zeros(len(x))), (lambda x: torch.zeros(len(x)))
    torch.manual_seed(seed)
    net = Net(2, (0.0, 0.0), 0.9, blur=2.0)
    trained(net, loss_of(net, arm), seed, quick, RATE)
    return (lambda x: orientation(net(x))), (lambda x: orientation(net(x)))


def errors(look: Look, noise: bool, seed: int) -> Tensor:
    """By how many degrees the turn between two views of unseen windows is missed."""
    x, keys = windows(UNSEEN, 1000, seed + 1000), af.split(af.key(seed + 2000), 4)
    found, angles = [], []
    for k in range(2):
        y, drawn = turned(x, keys[k])
        found.append(look(hard(y, None, keys[k + 2])[0] if noise else y))
        angles.append(drawn["degrees"])
    wrong = found[0] - found[1] - angles[0] + angles[1]
    return ((wrong + 180) % 360 - 180).abs()


def matching(look: Look, seed: int, turns: int = 6) -> float:
    """Percent of the left photo's corners matched to the right one's, which is turned by U(0, 360); mean of so many turns."""
    left, right, same = stereo()
    found = []
    for degrees in 360 * af.uniform(af.key(seed + 3000), (turns,)):
        ends = []
        for x, by in ((left, torch.zeros(())), (right, degrees)):
            drawn = {"degrees": by.expand(len(x)), "translate": torch.zeros(len(x), 2)}
            seen = undone(x, drawn, torch.zeros(len(x)))
            ends.append(described(undone(x, drawn, look(seen))))
        found.append(matched(ends[0], ends[1], same))
    return statistics.fmean(found)


def run(arm: str, seed: int, quick: bool) -> Figures:
    look, look_noisy = estimator(arm, seed, quick)
    with torch.no_grad():
        clean, noise = errors(look, False, seed), errors(look_noisy, True, seed)
        return {
            "median error, degrees": clean.median().item(),
            "within 20 degrees": (clean < 20).float().mean().item(),
            "median error with noise, degrees": noise.median().item(),
            "within 20 with noise": (noise < 20).float().mean().item(),
            "stereo matches, %": matching(look, seed),
        }


def verdicts(results: Results) -> list[Verdict]:
    def mean(arm: str, what: str) -> float:
        return statistics.fmean(of(results, arm, what))

    def below(what: str, other: str) -> list[bool]:
        return [a < b for a, b in zip(of(results, "HardNegC", what), of(results, other, what), strict=True)]

    clean, noise, stereo_ = "median error, degrees", "median error with noise, degrees", "stereo matches, %"
    least = min(a - b for a, b in zip(of(results, "HardNegC", stereo_), of(results, "constant", stereo_), strict=True))
    found = [
        Verdict(
            "HardNegC: median error below 5 degrees on unseen photos, every seed",
            f"at most {max(of(results, 'HardNegC', clean)):.2f}",
            max(of(results, "HardNegC", clean)) < 5,
        ),
        *(
            Verdict(
                f"HardNegC: median error under noise below that of the histogram{how}, every seed",
                f"{mean('HardNegC', noise):.2f} against {mean(arm, noise):.2f} on average, {sum(below(noise, arm))} seeds",
                all(below(noise, arm)),
            )
            for arm, how in (("gradient histogram", " at its best blur"), ("the same, no blur", " without blur"))
        ),
        Verdict(
            "HardNegC: more matches on the turned stereo pair than without orientation, every seed",
            f"at least {least:.1f} points more",
            least > 0,
        ),
    ]
    for arm in ("constant", "detached warp"):
        low = min(of(results, arm, clean))
        found.append(Verdict(f"control, {arm}: fails, with a median error above 45 degrees", f"{low:.1f}", low > 45))
    return found


def plot(results: Results, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.2), layout="constrained")
    names = ("median error, degrees", "median error with noise, degrees", "stereo matches, %")
    for i, (ax, what) in enumerate(zip(figure.subplots(1, 3), names, strict=True)):
        dots(ax, results, what, labels=not i)
        if "error" in what:
            ax.set_xscale("log")
    figure.savefig(path, dpi=100)


ABOUT = """
Two views of a window of a photo, each turned by U(-180, 180) degrees and shifted by up to 2 % of the patch. A net of four
convolutions sees 24 x 24 pixels of each, under gain and noise, and says two numbers; what it says is undone in the same resample,
and `af.learn.hardnet_loss` on the raw pixels teaches it (500 steps, batch 64). Trained on camera, coffee and chelsea; measured on
1000 pairs from astronaut and motorcycle, which it has not seen: by how much the turn between two views is missed.

* noise: a gain of .6 to 1.4, then Gaussian noise of .1, other for each view. The histogram sees its patches blurred by what
  is best for it (sigma 1.5 without noise, 2 with it), so that the baseline is as strong as it can be; the net blurs its own by 2
  (its best of 0 and 2) in both.
* stereo: Harris corners of the motorcycle's two photos, found apart; the right one turned by U(0, 360), six times for each seed.
  Percent of the left corners matched rightly (raw pixels, mutually nearest, ratio .9, 3 pixels, disparity as ground truth).
* controls: "constant" says 0 for all, which is matching without orientation; "detached warp" trains by HardNegC, but no
  gradient passes the warp.

Steps, rates, blurs and the net were tuned with seed 90, which is not among those below. There, the net's median error under noise
did not fall below 3.9 degrees, against the histogram's 2.6, whatever was tried: 400 to 2000 steps, five rates, first filters of
3, 7 and 9 pixels, a hidden layer, gradients as input, the mean over quarter turns, no shift while training, a descriptor of 40
pixels, and losses on the angle itself (1 - cos, and |sin| of the half). It was no lower on the photos of the training, nor with
four times the steps: so neither unseen photos nor too few steps explain it. A likely reason, not tested: the histogram takes the
strongest of several directions, a net whose last layer is linear a weighted mean of them. Heads that choose (a softmax over 36
angles, on the net or on a polar grid) had learned less after as many steps (43 and 5.5 degrees). By the likelihood of the true
turn, -log sum_k p(k + turn) q(k) of the two views' softmaxes over 72 angles, read around the largest, a net on a polar grid of
the patch came to 3.0 degrees under noise (1.9 without) after 500 steps, in four times the time of the plain net, which came to
10: nearer, with the grid, but still behind the histogram, so it is not an arm.
"""

STUDY = Study("Orientation: HardNegC through the warp", ABOUT, ARMS, run, verdicts, plot)

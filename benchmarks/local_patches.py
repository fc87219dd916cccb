"""Patches of scikit-image's photos, small nets that look at them, and keypoints of its stereo pair: for local features."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import augfn as af

SIDE, WINDOW = 24, 72  # of a patch that a net sees, and of what a warp reads
TRAIN, UNSEEN = ("camera", "coffee", "chelsea"), ("astronaut", "motorcycle")
BATCH, STEPS = 64, 500
FLAT = 0.06  # a patch with a smaller standard deviation shows nothing
Look = Callable[[Tensor], Tensor]


@cache
def photo(name: str) -> Tensor:
    """A photo in gray, `[H, W]` in [0, 1]; all ship within scikit-image."""
    from skimage import color, data, img_as_float

    found = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    gray = color.rgb2gray(found) if found.ndim == 3 else img_as_float(found)
    return torch.from_numpy(np.ascontiguousarray(gray)).float()


def around(image: Tensor, points: Tensor) -> Tensor:
    """Windows `[N, 1, WINDOW, WINDOW]` of an image around whole pixels (x, y) `[N, 2]`."""
    span = torch.arange(WINDOW) - WINDOW // 2
    return image[points[:, 1, None, None] + span[:, None], points[:, 0, None, None] + span][:, None]


def windows(names: tuple[str, ...], n: int, seed: int) -> Tensor:
    """`n` windows, evenly from the photos, at random places that are not flat."""
    found, key = [], af.key(seed)
    for i, name in enumerate(names):
        image, want = photo(name), n // len(names)
        room = torch.tensor([image.shape[1], image.shape[0]]) - WINDOW
        points = (af.uniform(af.fold_in(key, i), (6 * want, 2)) * room).long() + WINDOW // 2
        cut = around(image, points)
        found.append(cut[af.center_crop(size=SIDE)(cut)[0].std((1, 2, 3)) > FLAT][:want])
    return torch.cat(found)


class Net(nn.Module):
    """AffNet's layers, at fewer pixels: what a patch, blurred by so many pixels, shows in a few numbers. The last layer starts
    near the bias."""

    def __init__(self, numbers: int, bias: tuple[float, ...], gain: float, blur: float = 0.0) -> None:
        super().__init__()
        self.blur = af.gaussian_blur(kernel_size=9, sigma=blur) if blur else af.identity()
        layers: list[nn.Module] = []
        for a, b, stride in ((1, 16, 2), (16, 32, 1), (32, 32, 2), (32, 64, 1)):
            layers += [nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b, affine=False), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * (SIDE // 4) ** 2, numbers))
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(layer.weight, 0.9 if isinstance(layer, nn.Conv2d) else gain)
        self.layers[-1].bias.data = torch.tensor(bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(normalised(self.blur(x)[0]))


def normalised(x: Tensor) -> Tensor:
    """Patches less their mean, divided by their standard deviation."""
    centred = x - x.mean((1, 2, 3), keepdim=True)
    return centred / (centred.square().mean((1, 2, 3), keepdim=True) + 1e-6).sqrt()


def described(x: Tensor) -> Tensor:
    """Raw pixels as a descriptor `[N, D]`, of length 1."""
    return F.normalize(normalised(x).flatten(1), dim=-1)


def trained(net: Net, loss: Callable[[Tensor, Any], Tensor], seed: int, quick: bool, rate: float) -> Net:
    """Adam with a cosine schedule on `loss(windows, key)` of batches from the photos for training."""
    x, steps = windows(TRAIN, 3000, seed), 20 if quick else STEPS
    optimizer = torch.optim.Adam(net.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for i in range(steps):
        key, at = af.split(af.fold_in(af.key(seed), i))
        optimizer.zero_grad()
        value = loss(x[(af.uniform(at, (BATCH,)) * len(x)).long()], key)
        if value.requires_grad:  # a detached warp gives none
            value.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


noisy = af.pipeline(af.brightness(factor=(0.6, 1.4)), af.gaussian_noise(std=(0.0, 0.15)))  # while training
hard = af.pipeline(af.brightness(factor=(0.6, 1.4)), af.gaussian_noise(std=0.1))  # in the test


def corners(image: Tensor, n: int, seen: np.ndarray | None = None) -> Tensor:
    """The strongest Harris corners (x, y) `[n, 2]`, a window away from the border."""
    from skimage import feature

    response = feature.corner_harris(image.numpy(), sigma=2)
    if seen is not None:
        response = np.where(seen, response, 0.0)
    room: Any = WINDOW // 2
    rows = feature.corner_peaks(response, min_distance=4, threshold_rel=1e-4, exclude_border=room, num_peaks=n)
    return torch.from_numpy(rows[:, ::-1].copy())


@cache
def stereo(n: int = 500) -> tuple[Tensor, Tensor, Tensor]:
    """Windows around the corners of the left and of the right photo, found apart, and which are of one point `[n, n]`: within
    3 pixels of where the disparity says. Left corners of none are left out."""
    from skimage import color, data

    left, right, disparity = data.stereo_motorcycle()
    one, two = (torch.from_numpy(color.rgb2gray(x)).float() for x in (left, right))
    first, second = corners(one, n, np.isfinite(disparity)), corners(two, n)
    there = first.double()
    there[:, 0] -= torch.from_numpy(disparity)[first[:, 1], first[:, 0]]
    same = torch.cdist(there, second.double()) <= 3
    kept = same.any(1)
    return around(one, first[kept]), around(two, second), same[kept]


def matched(a: Tensor, b: Tensor, same: Tensor, ratio: float = 0.9) -> float:
    """The share in percent of the left descriptors whose match is right: mutually nearest, with a second nearest that is
    farther by the ratio."""
    distance = torch.cdist(a, b)
    least, at = distance.topk(2, largest=False)
    mutual = distance.argmin(0)[at[:, 0]] == torch.arange(len(a))
    good = mutual & (least[:, 0] < ratio * least[:, 1])
    return 100 * (same.gather(1, at[:, :1])[:, 0] & good).float().mean().item()


def dots(ax: Any, results: dict[str, list[dict[str, float]]], what: str, labels: bool) -> None:
    """A row of points for each arm, one for each seed, and their mean."""
    for i, figures in enumerate(results.values()):
        values = [f[what] for f in figures]
        ax.plot(values, [i] * len(values), "o", alpha=0.5, markersize=4)
        ax.plot([sum(values) / len(values)], [i], "k|", markersize=14)
    ax.set_yticks(range(len(results)), list(results) if labels else [""] * len(results), fontsize=8)
    ax.invert_yaxis()
    ax.set_title(what, fontsize=9, loc="left")

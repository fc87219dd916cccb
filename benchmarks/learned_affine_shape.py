"""A shape that a net learns from pairs of squeezed patches, against none: descriptor loss and geometric loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import augfn as af
from augfn.learn import affine_params, affine_shape, hardnet_loss, upright
from benchmarks.local_patches import SIDE, UNSEEN, Net, described, trained, windows
from benchmarks.measure import Verdict
from benchmarks.studies import Figures, Results, Study, of

ARMS = ("HardNegC", "PosDist", "geometric loss", "identity", "detached warp")
TILT = 3.0  # the longer axis of a shape by its shorter one, at most
neutral = {"degrees": 0.0, "scale": 1.0, "scale_y": 1.0, "shear": 0.0}
warp = af.pipeline(shift=af.translate(), move=af.affine(**neutral), crop=af.center_crop(size=SIDE))  # one resample


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
        negatives = "none" if arm == "PosDist" else "constant"
        return hardnet_loss(*map(described, seen), negatives=negatives)

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

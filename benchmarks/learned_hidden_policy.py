"""Recovering a hidden policy: what was done to real images is found by a critic that compares them with augmented ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.core.spec import SPECS
from augfn.learn import learnable, search_policy
from augfn.learn.policy import tensors_of
from benchmarks.measure import Verdict
from benchmarks.studies import Figures, Results, Study, of

FULL = {"degrees": 90.0, "gain": 1.0}  # what a magnitude of 1 is
STEPS, QUICK = 400, 10
# hidden: degrees is half the range of turns, gain the range below 1; the others are probabilities
TRUTHS: dict[str, dict[str, float]] = {
    "turns 25, gain .5": {"degrees": 25.0, "gain": 0.5},
    "turns 60, gain .2": {"degrees": 60.0, "gain": 0.2},
    "turns 30, flip .5, invert 0": {"degrees": 30.0, "rotate": 1.0, "vflip": 0.5, "invert": 0.0},
    "turns 30, flip 0, invert .3": {"degrees": 30.0, "rotate": 1.0, "vflip": 0.0, "invert": 0.3},
}
RANGES, GATES = [*TRUTHS][:2], [*TRUTHS][2:]
ARMS: dict[str, tuple[str, str, str]] = {t: (t, "straight-through", "") for t in TRUTHS}
ARMS |= {f"{t}, {e}": (t, e, "") for t in GATES for e in ("relaxed", "score")}
ARMS |= {f"{t}, {c}": (t, "straight-through", c) for t in (RANGES[0], GATES[0]) for c in ("frozen critic", "detached ops")}


class Critic(nn.Module):
    """Two convolutions and two layers, without norms, which would couple the samples."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(512, 64),
            nn.LeakyReLU(0.2),
            nn.Linear(64, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


def digits(seed: int) -> tuple[Tensor, Tensor]:
    """850 digits, and 850 others."""
    from sklearn.datasets import load_digits

    x = torch.from_numpy(load_digits().images).float()[:, None] / 16
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))]
    return x[:850], x[850:1700]


def hidden(truth: dict[str, float]) -> Augmentation:
    """What was done to the real images."""
    d = truth["degrees"]
    if "gain" in truth:
        return af.pipeline(af.rotate(degrees=(-d, d)), af.brightness(factor=(1 - truth["gain"], 1.0)))
    gates = {n: truth[n] for n in ("vflip", "invert")}
    return af.pipeline(af.rotate(degrees=(-d, d)), af.vflip(p=gates["vflip"]), af.invert(p=gates["invert"]))


def start(truth: dict[str, float], estimator: str) -> Augmentation:
    """What is searched: turns of up to 9 degrees, a gain of .9 to 1, each other step half of the time."""
    turns = af.Magnitude(9 / FULL["degrees"], [0.0, FULL["degrees"]], spread="uniform", signed=True)
    if "gain" in truth:
        gain = af.Magnitude(0.1 / FULL["gain"], [1.0, 1.0 - FULL["gain"]], spread="uniform")
        return learnable(af.pipeline(af.rotate(degrees=turns), af.brightness(factor=gain)))
    return learnable(af.pipeline(af.rotate(degrees=turns, p=0.5), af.vflip(p=0.5), af.invert(p=0.5)), estimator)


def detached(f: Augmentation) -> Augmentation:
    """The same, whose result is a function of nothing that learns."""
    return af.pipeline(f, cut())


def cut_body(x: Tensor) -> Tensor:
    """The image, without its gradient.

    Source: none.
    """
    return x.detach()


def cut() -> Augmentation:
    known = SPECS.copy()
    try:
        return af.photometric(cut_body)()
    finally:
        SPECS.clear()
        SPECS.update(known)


def learned(f: Augmentation, truth: dict[str, float]) -> dict[str, float]:
    """The numbers of a policy by the names of the truth."""
    t = {path.removeprefix("pipeline/"): float(v) for path, v in tensors_of(f.params).items() if v.numel() == 1}
    found = {"degrees": FULL["degrees"] * t["rotate/degrees/level"]}
    if "gain" in truth:
        return found | {"gain": FULL["gain"] * t["brightness/factor/level"]}
    return found | {n: t[f"{n}/gate/probs"] for n in ("rotate", "vflip", "invert")}


def run(arm: str, seed: int, quick: bool) -> Figures:
    name, estimator, control = ARMS[arm]
    truth = TRUTHS[name]
    clean, others = digits(seed)
    act = hidden(truth)

    def batches(key: Tensor) -> Any:
        """Real images with the hidden policy anew each time, and clean ones."""
        pick = [af.uniform(af.fold_in(key, i), (850,)).argsort()[:96] for i in range(2)]
        return act(others[pick[0]], None, af.fold_in(key, 2))[0], None, clean[pick[1]], None

    begin = start(truth, estimator)
    begin = detached(begin) if control == "detached ops" else begin
    frozen = {"critic_optimizer": partial(torch.optim.SGD, lr=0.0)} if control == "frozen critic" else {}
    steps = QUICK if quick else STEPS
    how = {"warmup": min(30, steps // 2), "optimizer": partial(torch.optim.Adam, lr=0.03, betas=(0.5, 0.9)), **frozen}
    found = search_policy(begin, batches, Critic(seed), steps=steps, key=af.key(seed), **how)
    return learned(found.policy, truth)

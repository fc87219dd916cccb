"""Augerino: does a learned range of turns end at what the labels bear, for every seed?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import augfn as af
from benchmarks.measure import Verdict
from benchmarks.studies import Figures, Results, Study, of

KINDS, SIDE, BATCH, STEPS = (2, 4, 7), 16, 64, 500
RADIAN = 180 / math.pi
WIDE, NARROW = 60.0, 5.0  # half-widths to begin at, in degrees
TURN = af.rotate(degrees=(-1.0, 1.0))
# orientation classes, lambda, where the range begins, and what the task's loss sees of it
ARMS: dict[str, dict[str, Any]] = {f"K={k}": {"k": k} for k in (2, 4, 8)}
ARMS |= {f"K={k}, lambda .1": {"k": k, "weight": 0.1} for k in (2, 4, 8)}
ARMS |= {"digit alone": {"k": 1}, "K=2, narrow start": {"k": 2, "start": NARROW}}
ARMS |= {f"K={k}, lambda 0": {"k": k, "weight": 0.0} for k in (2, 8)}
ARMS |= {"K=4, detached": {"k": 4, "detached": True}}
HALF, SHARE = "half-width, degrees", "share of the limit"


def data(k: int, seed: int) -> tuple[Tensor, Tensor]:
    """Digits 2, 4 and 7 at k orientations, labelled with digit and orientation; for k = 1 at any, with the digit alone."""
    from sklearn.datasets import load_digits

    found = load_digits()
    digit = torch.from_numpy(found.target)
    keep = torch.isin(digit, torch.tensor(KINDS))
    x = F.interpolate(torch.from_numpy(found.images).float()[keep][:, None] / 16, (SIDE, SIDE), mode="bilinear")
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    x, digit = x[order], torch.searchsorted(torch.tensor(KINDS), digit[keep][order])
    place = af.uniform(af.key(seed), (len(x),)) * k
    turn = (place.floor() if k > 1 else place) * 360 / k
    return TURN(x, {"degrees": turn})[0], digit * k + place.long()


def net(classes: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    first, second = nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(12, 24, 3, padding=1)
    pool, flat = nn.MaxPool2d(2), nn.Flatten()
    return nn.Sequential(first, nn.ReLU(), pool, second, nn.ReLU(), pool, flat, nn.Linear(24 * 16, classes))


def params_of(width: Tensor) -> dict[str, Any]:
    """Turns within a half-width in radians."""
    return {"degrees": af.Span(width, [[-RADIAN], [RADIAN]])}


def run(arm: str, seed: int, quick: bool) -> Figures:
    given = {"weight": 0.3, "start": WIDE, "detached": False} | ARMS[arm]
    k, key = given["k"], af.key(seed)
    x, y = data(k, seed)
    n = 2 * len(x) // 3
    model = net(len(KINDS) * k, seed)
    raw = torch.tensor(math.log(math.expm1(given["start"] / RADIAN)), requires_grad=True)
    optimizer = torch.optim.Adam([{"params": model.parameters(), "lr": 3e-3}, {"params": [raw], "lr": 0.01}])
    for i in range(20 if quick else STEPS):
        at = torch.randint(n, (BATCH,), generator=torch.Generator().manual_seed(1000 * seed + i))
        width = F.softplus(raw)
        seen = TURN(x[at], params_of(width.detach() if given["detached"] else width), af.fold_in(key, i))[0]
        # W is twice the half-width; counted in half-widths, and no further than the whole circle
        units, limit = {"degrees": 2 * RADIAN}, math.pi
        task = F.cross_entropy(model(seen), y[at])
        loss = af.learn.augerino_loss(task, params_of(width), given["weight"], units=units, limit=limit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = params_of(F.softplus(raw).detach())
    predict = af.tta(lambda v: model(v).log_softmax(-1), TURN, n=4)
    with torch.no_grad():
        right = (predict(x[n:], af.fold_in(key, STEPS), found).argmax(1) == y[n:]).float().mean().item()
    half = math.degrees(F.softplus(raw).item())
    return {HALF: half, SHARE: half * k / 180, "accuracy, %": 100 * right}


def spelled(values: list[float]) -> str:
    return ", ".join(f"{v:.2f}" for v in values)


def shares(results: Results, *arms: str) -> str:
    return "; ".join(f"{arm}: {spelled(of(results, arm, SHARE))}" for arm in arms)


def within(results: Results, *arms: str) -> list[bool]:
    """For each seed whether all of these arms end in the band."""
    each = zip(*(of(results, arm, SHARE) for arm in arms), strict=True)
    return [all(0.5 <= v <= 1.05 for v in values) for values in each]


def verdicts(results: Results) -> list[Verdict]:
    rows = list(zip(*(of(results, f"K={k}", HALF) for k in (2, 4, 8)), strict=True))
    falls = all(a > b > c for a, b, c in rows)
    told = "; ".join(" > ".join(f"{v:.1f}" for v in row) for row in rows)
    free, narrow = of(results, "digit alone", HALF), of(results, "K=2, narrow start", SHARE)
    learned, none, cut = ("K=2", "K=4", "K=8"), ("K=2, lambda 0", "K=8, lambda 0"), ("K=4, detached",)
    band = "between .5 and 1.05 of the limit 180 / K, each K and seed"
    return [
        Verdict("monotone in K (2, 4, 8 orientations) for every seed", f"{told} degrees", falls),
        Verdict(band, shares(results, *learned), all(within(results, *learned))),
        Verdict("the digit alone, at any turn: the width runs to 180", f"{spelled(free)} degrees", min(free) >= 171),
        Verdict(
            "control: lambda = 0 fails that, with a K outside for each seed",
            shares(results, *none),
            not any(within(results, *none)),
        ),
        Verdict("control: a detached width fails that too", shares(results, *cut), not any(within(results, *cut))),
        Verdict(
            "a narrow start fails, as documented: K = 2 from 5 degrees stays below half the limit",
            spelled(narrow),
            max(narrow) < 0.5,
        ),
    ]


def plot(results: Results, path: Path) -> None:
    """Half-widths over K, beside the limit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    ax = figure.subplots()
    ax.hlines([90, 45, 22.5], [-0.3, 0.7, 1.7], [0.3, 1.3, 2.3], "k", linewidth=1, label="limit, 180 / K")
    for i, after in enumerate(("", ", lambda .1", ", narrow start", ", lambda 0", ", detached")):
        label = after[2:] or "lambda .3"
        for j, k in enumerate((2, 4, 8)):
            arm = f"K={k}{after}"
            if arm not in results:
                continue
            values = of(results, arm, HALF)
            ax.plot([j + (i - 2) * 0.1] * len(values), values, "o", color=f"C{i}", alpha=0.6, markersize=4, label=label)
            label = None
    free = of(results, "digit alone", HALF)
    ax.plot([3] * len(free), free, "o", color="C0", alpha=0.6, markersize=4)
    ax.set_xticks(range(4), ["K=2", "K=4", "K=8", "digit alone"])
    ax.set_ylabel(HALF)
    ax.legend(fontsize=7)
    figure.savefig(path, dpi=100)


ABOUT = """
Digits 2, 4 and 7 (scikit-learn's, 16 pixels), turned to K orientations 360 / K degrees apart; the label is digit and orientation.
So turns up to 180 / K degrees leave it as it is, and no more. A net of two convolutions learns for 500 steps of Adam (3e-3), the
half-width w of the turns beside it (softplus of a raw number, Adam 0.01), by cross entropy - lambda w with w in radians
(`augfn.learn.augerino_loss`), one draw for each image, from 60 degrees and with lambda = .3 unless said. Accuracy: that of the
mean of the log probabilities over 4 copies, on a third that was not trained on.

Arms: lambda = .1 too; a start at 5 degrees; the digit alone as label, of digits at any turn, which bears all of them. Controls:
lambda = 0, and a width that the task's loss does not see (detached), which must not find the limits. Steps, rates and lambda = .3
are those of the first trial in METHODS 3.3; nothing was tuned but by looks at seeds 90 and 91, where lambda = 0 ended at 18
degrees for K = 2 and at 11 for K = 8, just inside the band there: so a control must leave the band for some K, not for each.
"""

STUDY = Study("Augerino: ranges that end where labels change", ABOUT, list(ARMS), run, verdicts, plot)

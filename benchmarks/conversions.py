"""Pipelines of peers, converted: how far each transform and each recipe lies from the peer's.

    python -m benchmarks.conversions [--seeds 8] [--out benchmarks/results]

* Transforms: on a photo of uint8 with every range pinned to one value, so that nothing is random.
* Recipes: the peer draws; what it drew is written into the params of the recipe converted, and both are compared.

By what both give in levels of 1/255 (of a volume: of its range). A peer that is not installed is left out, and said to be.
torchvision and albumentations are installed as `benchmarks/peers.py` says; MONAI and TorchIO as `benchmarks/volumes.py`.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import augfn_nn as A
from benchmarks import (
    conversions_albumentations,
    conversions_monai,
    conversions_torchio,
    replays_albumentations,
    replays_kornia,
    replays_torchvision,
)
from benchmarks.compared import Build, apart, converted, module_of, photo
from benchmarks.measure import environment, header, table, write
from benchmarks.peer_pipelines import PINNED, RECIPES, STD

IMAGE_PEERS = ("torchvision", "albumentations", "kornia")
VOLUME_PEERS: dict[str, Any] = {"monai": conversions_monai, "torchio": conversions_torchio}
REPLAYS: dict[str, Callable[[Any, Any, Tensor, int], tuple[Tensor, Tensor] | None]] = {
    "torchvision": replays_torchvision.replayed,
    "albumentations": replays_albumentations.replayed,
    "kornia": replays_kornia.replayed,
}


def drawn_alike(peer: str, library: Any, build: Build, x: Tensor, seeds: int) -> str:
    """The mean difference in levels at the peer's own draws, and the share of values more than 3 levels apart: the worst
    draw of each; and how many draws could be mapped."""
    means, shares = [], []
    for seed in range(seeds):
        f = build(library)
        found = converted(peer, f)
        pair = REPLAYS[peer](f, found if peer == "kornia" else found.pipeline, x, seed)
        if pair is None:
            continue
        normal = min(float(pair[0].min()), float(pair[1].min())) < -0.1
        d = (pair[0] - pair[1]).abs() * 255 * (sum(STD) / 3 if normal else 1)
        means.append(float(d.mean()))
        shares.append(float((d > 3).float().mean()))
    return f"{max(means):.2f}, {max(shares):.1%} ({len(means)})" if means else "no draw that can be mapped"


def recipe_row(peer: str, name: str, alike: str, found: A.Conversion) -> list[str]:
    return [peer, name, alike, "; ".join(found.lacking), "; ".join(found.differs)]


def measured(
    libraries: dict[str, Any], seeds: int
) -> tuple[list[list[str]], dict[str, list[tuple[str, str]]], list[list[str]]]:
    """Rows of the transforms of images, of those of volumes, and of the recipes."""
    x, recipes = photo(), list[list[str]]()
    images = []
    for name, builds in PINNED.items():
        cells = zip(IMAGE_PEERS, builds, strict=True)
        each = ("" if b is None or not libraries[p] else apart(p, libraries[p], b, x) for p, b in cells)
        images.append([name, *each])
    for peer, known in RECIPES.items():
        for name, build in known.items() if libraries[peer] else ():
            alike = drawn_alike(peer, libraries[peer], build, photo((256, 256)), seeds)
            recipes.append(recipe_row(peer, name, alike, converted(peer, build(libraries[peer]))))
    volumes = {}
    for peer, module in VOLUME_PEERS.items():
        if libraries[peer]:
            volumes[peer] = module.agreement(libraries[peer])
            recipes += [recipe_row(peer, *row) for row in module.recipes(libraries[peer], min(seeds, 4))]
    return images, volumes, recipes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    env = environment("python -m benchmarks.conversions", torch.get_num_threads())
    libraries = {p: module_of(p) for p in IMAGE_PEERS} | {p: m.library() for p, m in VOLUME_PEERS.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images, volumes, recipes = measured(libraries, options.seeds)
    whole = sum(not r[3] for r in recipes)
    absent = [p for p in libraries if not libraries[p]]
    parts = [
        "# Pipelines of peers, converted",
        header(env),
        *([f"Not installed, and left out: {', '.join(absent)}."] if absent else []),
        "## Recipes, at what the peer drew",
        f"{whole} of {len(recipes)} are converted whole. Apart, of torchvision, albumentations and kornia: the mean difference "
        "in levels of 1/255, and the share of values that differ by more than three, of the worst of "
        f"{options.seeds} draws (in brackets: the draws that can be mapped; noise drawn pixel by pixel cannot). Peers that "
        "work on bytes round after every step. Of MONAI and TorchIO, for each of at most four draws: the largest difference "
        "relative to the range of the volume, the share of voxels where it is more than a hundredth, and the share of labels "
        "that differ.",
        table(["peer", "recipe", "apart", "lacking", "differs"], recipes),
        "## Transforms of images, with their ranges pinned",
        "The largest difference in levels of 1/255, and where it is more than one level, the share of values of which "
        "that holds. Empty: not compared, since the peer has no such transform, or (JPEG of torchvision) needs its binary.",
        table(["", *IMAGE_PEERS], images),
    ]
    for peer, rows in volumes.items():
        close = [r for r in rows if near(r[1])]
        parts += [
            f"## Transforms of {peer}, with their ranges pinned",
            f"{len(close)} of {len(rows)} agree to 1e-5 of the range of the image or volume. The others: the largest "
            "difference relative to it, and the share of values where it is more than a hundredth"
            + (" (of a head in air, and of one that the frame cuts)." if peer == "torchio" else "."),
            table(["", peer], [[*r] for r in rows if r not in close]),
        ]
    if libraries["albumentations"]:
        parts += conversions_albumentations.sections(libraries["albumentations"])
    page = "\n\n".join(parts)
    data = {
        "environment": env,
        "images": images,
        "volumes": volumes,
        "recipes": recipes,
        "absent": absent,
    }
    paths = write(options.out, "conversions", data, page)
    print(page, *(f"written: {path}" for path in paths), sep="\n")


def near(said: str) -> bool:
    """Whether all figures of a cell are at most 1e-5."""
    figures = re.split(r", | and ", said)
    return all(re.fullmatch(r"[\d.e+-]+", f) and float(f) <= 1e-5 for f in figures)


if __name__ == "__main__":
    main()

"""What seven other libraries call each op, policy, combinator and container of augfn.

    python -m benchmarks.equivalents           # writes the tables into notebooks/guides/coming/*.md
    python -m benchmarks.equivalents --check   # says which names the installed libraries do not have

The names are in `augfn/app/studio/names/*.txt`, a row for what is alike: names there | names here, the nearest first | what to
know. A page has a table between `<!-- names: kornia -->` and `<!-- end of names -->`; `all` is the one of all ops and libraries.
For the check: kornia is a test dependency; torchvision and albumentations as `benchmarks/peers.py` says; of MONAI, TorchIO,
timm and imgaug the sources alone, which are read and not imported (`pip install --no-deps --target /tmp/peers monai torchio
timm imgaug`, and that folder in PYTHONPATH).
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import augfn as af
from augfn.core.spec import OF_CLIPS, SPECS

PEERS = {
    "kornia": "kornia",
    "torchvision": "torchvision",
    "albumentations": "albumentations",
    "monai": "MONAI",
    "torchio": "TorchIO",
    "timm": "timm",
    "imgaug": "imgaug",
}
FOLDER = Path(__file__).parents[1] / "augfn/app/studio/names"
PAGES = Path(__file__).parents[1] / "notebooks/guides/coming"
BLOCK = re.compile(r"(<!-- names: (\w+) -->\n).*?(<!-- end of names -->)", re.S)
OPS = [*SPECS, *OF_CLIPS]
# what users of the peers type, and the op that has to be found first
SEARCHES = {
    "RandomHorizontalFlip": "hflip",
    "Fliplr": "hflip",
    "VerticalFlip": "vflip",
    "RandRotated": "rotate3d",
    "RandomShear": "shear",
    "ShiftScaleRotate": "affine",
    "RandomPerspective": "perspective",
    "ElasticTransform": "elastic",
    "RandomElasticDeformation": "elastic3d",
    "GridDistortion": "grid_distortion",
    "OpticalDistortion": "optical_distortion",
    "PiecewiseAffine": "piecewise_affine",
    "RandomResizedCrop": "resized_crop",
    "RandomCrop": "random_crop",
    "PadIfNeeded": "pad_to",
    "RandCropByPosNegLabeld": "foreground_crop3d",
    "RandomIoUCrop": "iou_crop",
    "CropNonEmptyMaskIfExists": "mask_crop",
    "RandomSizedBBoxSafeCrop": "bbox_safe_crop",
    "ColorJitter": "color_jitter",
    "HueSaturationValue": "hsv_shift",
    "Sharpness": "sharpness",
    "UnsharpMask": "unsharp_mask",
    "RandomGrayscale": "grayscale",
    "RandomPosterize": "posterize",
    "SolarizeAdd": "solarize_add",
    "CLAHE": "clahe",
    "ImageCompression": "jpeg",
    "AdditiveGaussianNoise": "gaussian_noise",
    "ISONoise": "iso_noise",
    "RandBiasFieldd": "bias_field",
    "RandomMotion": "motion_artifact",
    "RandGibbsNoise": "gibbs",
    "RandomErasing": "erase",
    "CoarseDropout": "coarse_dropout",
    "cutout": "cutout",
    "GridDropout": "grid_mask",
    "RandomMosaic": "mosaic",
    "RandomMixUpV2": "mixup",
    "CutMix": "cutmix",
    "RandomFog": "fog",
    "RandomRotate90": "quarter_turn",
}


class Row(NamedTuple):
    """Names of a peer for one thing, those of augfn (the first is the nearest; none: there is no counterpart), and a note."""

    names: tuple[str, ...]
    ours: tuple[str, ...]
    note: str


def peers_names(name: str, first: bool = False) -> dict[str, tuple[str, ...]]:
    """What each peer calls an op, policy, combinator or container; `first`: only what has it as its nearest counterpart.

    >>> peers_names("iso_noise")
    {'albumentations': ('ISONoise',)}
    """
    found = {}
    for peer in PEERS:
        alike = [row for row in rows(peer) if name in (row.ours[:1] if first else row.ours)]
        nearest = sorted(alike, key=lambda row: row.ours[0] != name)
        if nearest:
            found[peer] = tuple(n for row in nearest for n in row.names)
    return found


def alone() -> list[str]:
    """The ops that no peer has."""
    return [name for name in OPS if not peers_names(name)]


def rows(peer: str) -> list[Row]:
    return [row for group in groups(peer).values() for row in group]


@cache
def groups(peer: str) -> dict[str, list[Row]]:
    """The rows of a peer's table under their titles."""
    found: dict[str, list[Row]] = defaultdict(list)
    title = ""
    for line in (FOLDER / f"{peer}.txt").read_text().splitlines():
        if line.startswith("# "):
            title = line[2:]
            continue
        names, ours, note = (part.strip() for part in line.split("|", 2))
        found[title].append(Row(tuple(written(names)), tuple(ours.split()) if ours != "-" else (), note))
    return found


def written(names: str) -> list[str]:
    """MONAI's `RandFlip(d)` is `RandFlip`, of arrays, and `RandFlipd`, of dictionaries."""
    return [n for name in names.split(", ") for n in ([name[:-3], f"{name[:-3]}d"] if name.endswith("(d)") else [name])]


def table_of(peer: str) -> str:
    """The table of a page: of one peer, or of `all`."""
    if peer == "all":
        head = [["augfn", *PEERS.values()]]
        cells = [[linked(name), *(listed(peers_names(name).get(p, ())) for p in PEERS)] for name in OPS]
        return lines(head + cells)
    parts = []
    for title, known in groups(peer).items():
        cells = [[listed(row.names), ", ".join(map(linked, row.ours)) or "none", row.note] for row in known]
        parts += [f"**{title}**", lines([[PEERS[peer], "augfn", "to know"], *cells])]
    return "\n\n".join(parts)


def lines(cells: list[list[str]]) -> str:
    cells = [cells[0], ["---"] * len(cells[0]), *cells[1:]]
    return "\n".join("|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in cells)


def listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{n}`" for n in names)


def linked(name: str) -> str:
    if name in OPS:
        return f"[`{name}`](../ops/{name}.md)"
    return f"`{'af' if hasattr(af, name) else 'augfn_nn'}.{name}`"


def filled(text: str) -> str:
    """A page with its tables as they are now."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{table_of(m[2])}\n\n{m[3]}", text)


def lacking(peer: str) -> list[str] | None:
    """The names that are nowhere in the sources of a peer: neither defined nor a string; None if it is not installed."""
    spec = find_spec(peer)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0])
    source = "\n".join(p.read_text(errors="ignore") for p in folder.rglob("*.py") if "test" not in p.parts)
    named = set(re.findall(r"(?:class|def) (\w+)|^\s*(\w+)(?:: .*)? = |^\s+(\w+): |['\"](\w+)['\"]", source, re.M))
    known = {n for found in named for n in found}
    return [n for row in rows(peer) for n in row.names if n not in known]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="look for the names in the libraries that are installed")
    if parser.parse_args().check:
        for peer in PEERS:
            left = lacking(peer)
            said = "not installed" if left is None else ", ".join(left) or f"all {len(rows(peer))} rows are known there"
            print(f"{peer}: {said}")
        return
    for path in sorted(PAGES.glob("*.md")):
        path.write_text(filled(path.read_text()))
        print(f"written: {path}")


if __name__ == "__main__":
    main()

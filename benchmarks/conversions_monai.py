"""MONAI's transforms, converted, for `benchmarks.conversions`: with ranges pinned, and recipes replayed draw by draw.

A photo and a rendered volume, both with sides that differ. Differences are relative to the range of the data.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

import augfn as af
import augfn_nn as A
from benchmarks.recipes_monai import MEDNIST, RECIPES, agree, replayed, sample_of
from benchmarks.volume_peers import volumes

Build = Callable[[Any], Any]
P1: dict[str, Any] = {"prob": 1.0}
IMAGE, VOLUME = "image: ", "volume: "
ZEROS, BORDER = {"padding_mode": "zeros"}, {"padding_mode": "border"}
TURN3, SHEAR6 = (0.2, -0.3, 0.4), (0.1, -0.2, 0.15, 0.05, -0.1, 0.2)


def both(value: float) -> tuple[float, float]:
    return (value, value)


def each(*values: float) -> tuple[tuple[float, float], ...]:
    return tuple(map(both, values))


# of images and of volumes
ANY: dict[str, Build] = {
    "Flip": lambda m: m.Flip(),
    "RandFlip, first axis": lambda m: m.RandFlip(1.0, 0),
    "RandFlip, last axis": lambda m: m.RandFlip(1.0, -1),
    "RandFlip, two axes": lambda m: m.RandFlip(1.0, (0, 1)),
    "Rotate90": lambda m: m.Rotate90(1, (0, 1)),
    "Rotate90, back": lambda m: m.Rotate90(1, (1, 0)),
    "RandRotate90": lambda m: m.RandRotate90(1.0, 1, (0, 1)),
    "Zoom in": lambda m: m.Zoom(1.5, mode="bilinear"),
    "Zoom out": lambda m: m.Zoom(0.5, mode="bilinear"),
    "Zoom out, constant": lambda m: m.Zoom(0.5, mode="bilinear", padding_mode="constant"),
    "Zoom, rounded sizes": lambda m: m.Zoom(1.3, mode="bilinear"),
    "Zoom out, area": lambda m: m.Zoom(0.5),
    "RandZoom": lambda m: m.RandZoom(1.0, 1.5, 1.5, mode="bilinear"),
    "RandGridDistortion": lambda m: m.RandGridDistortion(5, 1.0, (0.02, 0.02)),
    "CenterSpatialCrop": lambda m: m.CenterSpatialCrop((15, 16, 14)),
    "RandSpatialCrop, centred": lambda m: m.RandSpatialCrop((16, 15, 14), random_center=False, random_size=False),
    "SpatialPad": lambda m: m.SpatialPad((61, 70, 40)),
    "SpatialPad, end": lambda m: m.SpatialPad((61, 70, 40), method="end", mode="replicate"),
    "SpatialPad, value": lambda m: m.SpatialPad((61, 70, 40), value=0.5),
    "DivisiblePad": lambda m: m.Compose(
        [m.SpatialPad((50, 65, 33)), m.Resize((50, 65, 33), mode="trilinear"), m.DivisiblePad(16, mode="reflect")]
    ),
    "BorderPad": lambda m: m.BorderPad((1, 2, 3)),
    "ResizeWithPadOrCrop": lambda m: m.ResizeWithPadOrCrop((61, 20, 25)),
    "Resize": lambda m: m.Resize((30, 50, 20), mode="trilinear"),
    "Resize, area": lambda m: m.Resize((20, 30, 20)),
    "Resize, nearest": lambda m: m.Resize((30, 50, 20), mode="nearest"),
    "Resize, nearest-exact": lambda m: m.Resize((30, 50, 20), mode="nearest-exact"),
    "RandScaleIntensity": lambda m: m.RandScaleIntensity(both(0.2), 1.0),
    "RandShiftIntensity": lambda m: m.RandShiftIntensity(both(0.2), prob=1.0),
    "RandScaleIntensityFixedMean": lambda m: m.RandScaleIntensityFixedMean(1.0, both(0.3)),
    "RandScaleIntensityFixedMean, range": lambda m: m.RandScaleIntensityFixedMean(1.0, both(0.3), preserve_range=True),
    "ScaleIntensity": lambda m: m.ScaleIntensity(-1.0, 1.0),
    "ScaleIntensity, factor": lambda m: m.ScaleIntensity(None, None, 0.3),
    "ScaleIntensityRange": lambda m: m.ScaleIntensityRange(0.2, 0.8, -1.0, 1.0, clip=True),
    "ScaleIntensityRange, no clip": lambda m: m.ScaleIntensityRange(0.2, 0.8, 0.0, 1.0),
    "ScaleIntensityRangePercentiles": lambda m: m.ScaleIntensityRangePercentiles(5, 95, 0.0, 1.0, clip=True),
    "ScaleIntensityRangePercentiles, relative": lambda m: m.ScaleIntensityRangePercentiles(
        5, 95, 0.0, 2.0, relative=True
    ),
    "NormalizeIntensity": lambda m: m.NormalizeIntensity(),
    "NormalizeIntensity, nonzero": lambda m: m.NormalizeIntensity(nonzero=True, channel_wise=True),
    "NormalizeIntensity, given": lambda m: m.NormalizeIntensity(0.4, 0.25),
    "RandAdjustContrast": lambda m: m.Compose([m.ScaleIntensity(), m.RandAdjustContrast(1.0, both(1.7))]),
    "RandAdjustContrast, statistics": lambda m: m.RandAdjustContrast(1.0, both(0.7), retain_stats=True),
    "RandAdjustContrast, inverted": lambda m: m.RandAdjustContrast(1.0, both(0.7), True, True),
    "RandGaussianSmooth": lambda m: m.RandGaussianSmooth(both(0.5), both(1.0), both(1.5), 1.0),
    "RandGaussianSmooth, sampled": lambda m: m.RandGaussianSmooth(both(1.5), both(1.0), both(1.2), 1.0, "sampled"),
    "GaussianSmooth": lambda m: m.GaussianSmooth(1.5),
    "RandGaussianSharpen": lambda m: m.RandGaussianSharpen(
        *each(0.6, 0.8, 1.0), *each(0.5, 0.5, 0.5), alpha=both(10.0), prob=1.0
    ),
    "MedianSmooth": lambda m: m.MedianSmooth(1),
    "RandBiasField": lambda m: m.RandBiasField(3, both(0.1), prob=1.0),
    "RandGibbsNoise": lambda m: m.RandGibbsNoise(1.0, both(0.5)),
    "RandSimulateLowResolution": lambda m: m.RandSimulateLowResolution(
        1.0, upsample_mode="trilinear", zoom_range=both(0.5)
    ),
}
OF_IMAGES: dict[str, Build] = {
    "RandSimulateLowResolution": lambda m: m.RandSimulateLowResolution(
        1.0, upsample_mode="bilinear", zoom_range=both(0.5)
    ),
    "Rotate": lambda m: m.Rotate(0.4),
    "RandRotate": lambda m: m.RandRotate(both(0.4), prob=1.0),
    "RandRotate, zeros": lambda m: m.RandRotate(both(0.4), prob=1.0, **ZEROS),
    "RandRotate, reflection": lambda m: m.RandRotate(both(0.4), prob=1.0, padding_mode="reflection"),
    "RandRotate, nearest": lambda m: m.RandRotate(both(0.4), prob=1.0, mode="nearest"),
    "RandRotate, bicubic": lambda m: m.RandRotate(both(0.4), prob=1.0, mode="bicubic"),
    "RandZoom, axes apart": lambda m: m.RandZoom(1.0, (0.5, 1.5), (0.5, 1.5), mode="bilinear"),
    "RandAffine, rotate": lambda m: m.RandAffine(1.0, each(0.4)),
    "RandAffine, shear": lambda m: m.RandAffine(1.0, None, each(0.2, -0.1), **BORDER),
    "RandAffine, translate": lambda m: m.RandAffine(1.0, None, None, each(5.5, -8.0), **BORDER),
    "RandAffine, scale": lambda m: m.RandAffine(1.0, None, None, None, each(0.2, -0.3), **BORDER),
    "RandAffine, all": lambda m: m.RandAffine(
        1.0, each(0.4), each(0.2, -0.1), each(5.5, -8.0), each(0.2, -0.3), **BORDER
    ),
    "RandAffine, size": lambda m: m.RandAffine(1.0, each(0.4), spatial_size=(40, 50), **BORDER),
    "Affine": lambda m: m.Affine([0.4], [0.2, -0.1], [5.5, -8.0], [1.2, 0.7], image_only=True, **BORDER),
}
OF_VOLUMES: dict[str, Build] = {
    "RandSimulateLowResolution": lambda m: m.RandSimulateLowResolution(1.0, zoom_range=both(0.5)),
    "RandFlip, second axis": lambda m: m.RandFlip(1.0, 1),
    "Rotate90, (1, 2)": lambda m: m.Rotate90(1, (1, 2)),
    "Rotate90, (2, 0)": lambda m: m.Rotate90(3, (2, 0)),
    "Rotate": lambda m: m.Rotate(TURN3),
    "RandRotate, x": lambda m: m.RandRotate(both(0.4), prob=1.0, padding_mode="reflection"),
    "RandRotate": lambda m: m.RandRotate(*each(*TURN3), prob=1.0),
    "RandRotate, zeros": lambda m: m.RandRotate(*each(*TURN3), prob=1.0, **ZEROS),
    "RandRotate, nearest": lambda m: m.RandRotate(*each(*TURN3), prob=1.0, mode="nearest"),
    "RandZoom, axes apart": lambda m: m.RandZoom(1.0, (0.5, 1.25, 1.5), (0.5, 1.25, 1.5), mode="trilinear"),
    "RandZoom, two": lambda m: m.RandZoom(1.0, (0.5, 1.5), (0.5, 1.5), mode="trilinear"),
    "RandAffine, rotate": lambda m: m.RandAffine(1.0, each(*TURN3)),
    "RandAffine, shear": lambda m: m.RandAffine(1.0, None, each(*SHEAR6), **BORDER),
    "RandAffine, translate": lambda m: m.RandAffine(1.0, None, None, each(1.5, -3.0, 4.25), **BORDER),
    "RandAffine, scale": lambda m: m.RandAffine(1.0, None, None, None, each(0.2, -0.3, 0.1), **BORDER),
    "RandAffine, all": lambda m: m.RandAffine(
        1.0, each(*TURN3), each(*SHEAR6), each(1.5, -3.0, 4.25), each(0.2, -0.3, 0.1), **BORDER
    ),
    "RandAffine, size": lambda m: m.RandAffine(1.0, each(*TURN3), spatial_size=(20, 25, 19), **BORDER),
    "Affine": lambda m: m.Affine(TURN3, SHEAR6, (1.5, -3.0, 4.25), (1.2, 0.7, 1.1), image_only=True, **BORDER),
}


def of_images(build: Build) -> Build:
    """The same with what has three entries cut to two, as a library of images."""
    return lambda m: build(Cut(m))


class Cut:
    """MONAI's transforms, whose tuples of three sizes are of two."""

    def __init__(self, library: Any) -> None:
        self.library = library

    def __getattr__(self, name: str) -> Any:
        make = getattr(self.library, name)
        sized = name in SIZED
        return lambda *args, **given: make(*(a[:2] if sized and isinstance(a, tuple) else a for a in args), **given)


SIZED = ("CenterSpatialCrop", "RandSpatialCrop", "SpatialPad", "BorderPad", "ResizeWithPadOrCrop", "Resize")
PINNED: dict[str, Build] = {
    **{IMAGE + name: of_images(build) for name, build in ANY.items()},
    **{IMAGE + name: build for name, build in OF_IMAGES.items()},
    **{VOLUME + name: build for name, build in (ANY | OF_VOLUMES).items()},
}


def cut(m: Any) -> Any:
    """A crop, after which the frame is known."""
    return m.RandSpatialCrop((24, 24, 24), random_size=False)


AROUND = {"keys": ["image", "label"], "label_key": "label", "spatial_size": (8, 8, 8)}
RANDOM: dict[str, Build] = {  # what no range pins: converted, and run
    "RandAxisFlip": lambda m: m.RandAxisFlip(1.0),
    "RandGaussianNoise": lambda m: m.RandGaussianNoise(1.0),
    "RandRicianNoise": lambda m: m.RandRicianNoise(1.0),
    "RandHistogramShift": lambda m: m.RandHistogramShift(10, 1.0),
    "Rand3DElastic": lambda m: m.Compose([cut(m), m.Rand3DElastic((5, 7), (50, 150), 1.0)]),
    "Rand2DElastic": lambda m: m.Compose([m.RandSpatialCrop((24, 24)), m.Rand2DElastic((8, 8), (1, 2), 1.0)]),
    "RandCoarseDropout": lambda m: m.Compose([cut(m), m.RandCoarseDropout(2, 4, fill_value=0.0, max_spatial_size=8)]),
    "RandSpatialCrop": cut,
    "RandSpatialCropSamples": lambda m: m.RandSpatialCropSamples((24, 24, 24), 2, random_size=False),
    "RandCropByPosNegLabeld": lambda m: m.RandCropByPosNegLabeld(**AROUND),
    "RandCropByLabelClassesd": lambda m: m.RandCropByLabelClassesd(**AROUND, num_classes=2),
}


def runs(name: str, m: Any) -> str:
    """What differs of a random transform, once the pipeline here has been called."""
    x = photo() if "2D" in name else volume()
    f = RANDOM[name](m)
    found = A.convert(f, ndim=x.ndim - 1)
    y = found.module({"image": x, "label": (x > 0.5).float()} if name.endswith("d") else x)
    assert (y["image"] if isinstance(y, dict) else y).isfinite().all()
    return "; ".join(found.differs)


def library() -> Any:
    """MONAI, without metadata, or None."""
    try:
        import_module("monai.data").set_track_meta(False)
        return import_module("monai.transforms")
    except ImportError:
        return None


def photo() -> Tensor:
    """A grey photo `[1, 48, 64]`."""
    data = import_module("skimage.data").camera()
    x = torch.from_numpy(data)[None, None].float() / 255
    return torch.nn.functional.interpolate(x, (48, 64), mode="area")[0]


def volume() -> Tensor:
    """A rendered volume `[1, 28, 32, 24]`."""
    return volumes(32, 1)[0][0, :, :28, :, :24].contiguous()


def compared(theirs: Tensor, ours: Tensor) -> str:
    """The largest difference, and the share of values that differ by more than 1 %; both relative to the data's range."""
    if theirs.shape != ours.shape:
        return f"{list(ours.shape)}, not {list(theirs.shape)}"
    d = (theirs - ours).abs() / (theirs.max() - theirs.min())
    return f"{d.max():.1g}" + (f", {(d > 0.01).float().mean():.1%}" if d.max() > 0.01 else "")


def pinned(name: str, m: Any) -> tuple[Tensor, Tensor]:
    """What both give of a transform whose ranges are pinned."""
    deep = name.startswith(VOLUME)
    x, f = volume() if deep else photo(), PINNED[name](m)
    found = A.convert(f, ndim=3 if deep else 2).pipeline
    kind = "volume" if deep else "image"
    ours = found({kind: x}, found.params, af.key(0))[0][kind]
    return torch.as_tensor(f(x.clone())), ours


def agreement(m: Any) -> list[tuple[str, str]]:
    """How far each transform lies from its own; of those whose ranges cannot be pinned, that they run."""
    runs_all = {name: runs(name, m) for name in RANDOM}
    return [(name, compared(*pinned(name, m))) for name in PINNED] + [
        (n, f"random: {said}") for n, said in runs_all.items()
    ]


def recipes(m: Any, seeds: int) -> list[tuple[str, str, A.Conversion]]:
    """How far each recipe lies from its own at MONAI's draws, and its conversion."""
    rows = []
    for name, recipe in RECIPES.items():
        found = A.convert(recipe(m), partly=True, ndim=2 if name == MEDNIST else None)
        alike = [agree(*replayed(recipe, m, sample_of(name), seed)) for seed in range(seeds)]
        rows.append((name, " / ".join(alike), found))
    return rows

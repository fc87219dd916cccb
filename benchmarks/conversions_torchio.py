"""Pipelines of TorchIO, converted, for `benchmarks.conversions`: with ranges pinned, and recipes replayed draw by draw.

TorchIO is installed by hand, as `benchmarks.volumes` says. The volume is rendered, `[1, W, H, D]`, with a map of labels.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

import augfn as af
import augfn_nn as A
from benchmarks.replays_torchio import in_a_row

Build = Callable[[Any], Any]
Sample = dict[str, Tensor]
TURNED = {"scales": (1.2, 0.9, 1.1), "degrees": (10, -15, 25), "translation": (1, -2, 1.5)}
TWICE = {"scales": (1.2, 1.2, 0.9, 0.9, 1.1, 1.1), "degrees": (10, 10, -15, -15, 25, 25)}


def bends(v: Any, **given: Any) -> Any:
    """Control points as TorchIO draws them."""
    torch.manual_seed(0)
    most = (4.0, 2.0, 3.0)
    return v.ElasticDeformation(v.RandomElasticDeformation.get_params((7, 7, 7), most, 2), most, **given)


# what, and how TorchIO writes it with its ranges pinned
PINNED: dict[str, Build] = {
    "flip, axis 0": lambda v: v.RandomFlip(0, 1.0),
    "flip, axes 1 and 2": lambda v: v.Flip((1, 2)),
    "flip by name": lambda v: v.Flip(("Left", "Superior")),
    "turn about axis 0": lambda v: v.Affine((1, 1, 1), (20, 0, 0), (0, 0, 0), default_pad_value=0),
    "turn about axis 1": lambda v: v.Affine((1, 1, 1), (0, 20, 0), (0, 0, 0), default_pad_value=0),
    "turn about axis 2": lambda v: v.Affine((1, 1, 1), (0, 0, 20), (0, 0, 0), default_pad_value=0),
    "shift": lambda v: v.Affine((1, 1, 1), (0, 0, 0), (3, -2, 1.5), default_pad_value=0),
    "scale": lambda v: v.Affine((1.3, 0.8, 1.1), (0, 0, 0), (0, 0, 0), default_pad_value=0),
    "scale, turn and shift": lambda v: v.Affine(**TURNED, default_pad_value=0),
    "ranges of them": lambda v: v.RandomAffine(**TWICE, translation=(1, 1, -2, -2, 1.5, 1.5), default_pad_value=0),
    "one scale": lambda v: v.RandomAffine((1.2, 1.2), (0, 0), isotropic=True, default_pad_value=0),
    "the same, the minimum beyond": lambda v: v.Affine(**TURNED),
    "the same, nearest": lambda v: v.Affine(**TURNED, default_pad_value=0, image_interpolation="nearest"),
    "elastic": bends,
    "anisotropy": lambda v: v.RandomAnisotropy(1, (2.5, 2.5)),
    "motion, shifts": lambda v: v.Motion(
        np.zeros((2, 3)), np.array([[2.0, 0, 1], [0, -1, 3]]), np.array([0.4, 0.7]), "linear"
    ),
    "motion, turns": lambda v: v.Motion(
        np.array([[4.0, 0, 0], [0, -3, 5]]), np.zeros((2, 3)), np.array([0.4, 0.7]), "linear"
    ),
    "ghosting": lambda v: v.RandomGhosting((4, 4), 0, (0.7, 0.7)),
    "ghosting, a middle restored": lambda v: v.RandomGhosting((3, 3), 2, (0.6, 0.6), restore=(0.1, 0.1)),
    "spike": lambda v: v.Spike(np.array([[0.3, 0.6, 0.7]]), 0.1),
    "spikes": lambda v: v.Spike(np.array([[0.3, 0.6, 0.7], [0.4, 0.4, 0.55]]), 0.1),
    "bias field": lambda v: v.BiasField([0.1 * (i % 5 - 2) for i in range(20)], 3),
    "bias field, order 2": lambda v: v.BiasField([0.1 * (i % 4 - 1) for i in range(10)], 2),
    "blur": lambda v: v.RandomBlur((1, 1, 0.5, 0.5, 2, 2)),
    "noise, its mean": lambda v: v.RandomNoise((0.2, 0.2), (0, 0)),
    "gamma": lambda v: v.RandomGamma((0.3, 0.3)),
    "gamma of z-scores": lambda v: v.Compose([v.ZNormalization(), v.RandomGamma((-0.3, -0.3))]),
    "rescale": lambda v: v.RescaleIntensity((-1, 1), (0.5, 99.5)),
    "rescale from a window": lambda v: v.RescaleIntensity((0, 1), in_min_max=(0.2, 0.8)),
    "z-scores": lambda v: v.ZNormalization(),
    "z-scores above the mean": lambda v: v.ZNormalization(masking_method=v.ZNormalization.mean),
    "mask": lambda v: v.Mask(lambda x: x > 0.3),
    "clamp": lambda v: v.Clamp(0.2, 0.8),
    "crop": lambda v: v.Crop((1, 2, 3, 4, 5, 6)),
    "pad": lambda v: v.Pad((1, 2, 3, 4, 5, 6), 0.5),
    "pad by reflection": lambda v: v.Pad((1, 2, 3), "reflect"),
    "crop or pad": lambda v: v.CropOrPad((35, 55, 31)),
    "multiples, padded": lambda v: v.EnsureShapeMultiple(16),
    "multiples, cropped": lambda v: v.EnsureShapeMultiple((8, 5, 9), method="crop"),
    "resize": lambda v: v.Resize((30, 60, 36)),
    "function": lambda v: v.Lambda(lambda x: 2 * x, types_to_apply=[v.INTENSITY]),
    "labels renamed": lambda v: v.RemapLabels({1: 2, 2: 1}),
    "labels removed": lambda v: v.RemoveLabels([1]),
}


def tutorial(v: Any) -> Any:
    """Of TorchIO's notebook on brain MRI (IXI), without the histograms of its data set."""
    return v.Compose(
        [
            v.ToCanonical(),
            v.Resample(1),
            v.CropOrPad((48, 60, 48)),
            v.RandomMotion(p=0.2),
            v.RandomBiasField(p=0.3),
            v.ZNormalization(masking_method=v.ZNormalization.mean),
            v.RandomNoise(p=0.5),
            v.RandomFlip(),
            v.OneOf({v.RandomAffine(): 0.8, v.RandomElasticDeformation(): 0.2}),
        ]
    )


# recipes in wide use, as their scripts write them, without loading
RECIPES: dict[str, Build] = {
    "README": lambda v: v.Compose(
        [
            v.ToCanonical(),
            v.RescaleIntensity(out_min_max=(0, 1)),
            v.OneOf({v.RandomElasticDeformation(): 0.2, v.RandomAffine(): 0.8}, p=0.5),
        ]
    ),
    "brain MRI, tutorial": tutorial,
    "hippocampus, with MONAI and Lightning": lambda v: v.Compose(
        [
            v.RescaleIntensity((-1, 1)),
            v.CropOrPad(48),
            v.EnsureShapeMultiple(8),
            v.OneHot(),
            v.RandomAffine(),
            v.RandomGamma(p=0.5),
            v.RandomNoise(p=0.5),
            v.RandomMotion(p=0.1),
            v.RandomBiasField(p=0.25),
        ]
    ),
    "CT patches": lambda v: v.Compose(
        [
            v.Clamp(out_min=0.05, out_max=1.2),
            v.RescaleIntensity(out_min_max=(0, 1), in_min_max=(0.05, 1.2)),
            v.CropOrPad(32, location="random"),
            v.RandomAffine(scales=(0.9, 1.1), degrees=(-10, 10, -5, 5, 0, 15), isotropic=False, p=0.75),
            v.RandomBlur((0, 1), p=0.25),
            v.RandomNoise(std=(0, 0.05), p=0.25),
            v.RandomFlip(axes=("LR",), p=0.5),
        ]
    ),
    "artefacts of MRI": lambda v: v.Compose(
        [
            v.ZNormalization(),
            v.OneOf(
                {
                    v.RandomMotion(translation=4): 1,
                    v.RandomGhosting(intensity=(0.4, 0.9)): 1,
                    v.RandomSpike(intensity=(0.1, 0.4)): 1,
                    v.RandomBiasField(): 1,
                    v.RandomAnisotropy(): 1,
                    v.RandomBlur(): 1,
                }
            ),
        ]
    ),
    "nnU-Net's, nearly": lambda v: v.Compose(
        [
            v.ZNormalization(),
            v.RandomAffine(scales=(0.7, 1.4), degrees=(-30, 30), isotropic=True, default_pad_value=0, p=0.36),
            v.RandomNoise(std=(0, 0.1), p=0.1),
            v.RandomBlur((0.5, 1), p=0.1),
            v.RandomAnisotropy(downsampling=(1, 2), p=0.125),
            v.RandomGamma((-0.3, 0.4), p=0.3),
            v.RandomFlip((0, 1, 2), 0.5),
        ]
    ),
    "self-supervised, patches swapped": lambda v: v.Compose(
        [v.ToCanonical(), v.RescaleIntensity((0, 1), (0.5, 99.5)), v.RandomSwap(6, 20), v.RandomFlip((0, 1, 2))]
    ),
    "lung, of one subject's images": lambda v: v.Compose(
        [
            v.RescaleIntensity((0, 1), percentiles=(1, 99)),
            v.Resize((48, 48, 32)),
            v.RandomElasticDeformation(max_displacement=(5, 5, 2), num_control_points=(7, 7, 5), p=0.5),
            v.RandomFlip(axes=(0,), p=0.5),
            v.RandomGamma(log_gamma=(-0.2, 0.2)),
        ]
    ),
}


def rendered(neck: bool = False) -> Sample:
    """A head with folds and a few structures of its own on each side, in about [0, 1.3], and three labels: in air, or cut at
    the neck, so that what lies beyond the frame matters."""
    places = (torch.linspace(-1, 1, n) for n in (40, 50, 44))
    i, j, k = torch.meshgrid(*places, indexing="ij")
    height = (k.clamp(min=-0.2) if neck else k) / 0.75
    radius = (i / 0.7).square() + (j / 0.8).square() + height.square()
    head = torch.sigmoid(14 * (1 - radius)) * (0.55 + 0.15 * torch.sin(9 * i + 2 * j) * torch.sin(8 * k - 3 * i))

    def ball(a: float, b: float, c: float, r: float) -> Tensor:
        return torch.exp(-((i - a).square() + (j - b).square() + (k - c).square()) / r**2)

    first, second = ball(0.25, -0.2, 0.15, 0.22), ball(-0.3, 0.35, -0.25, 0.15)
    x = head + 0.6 * first - 0.35 * second
    label = (head > 0.3).long() + (first > 0.5).long() + 2 * (second > 0.5).long()
    return {"volume": x[None], "mask": label}


def subject_of(library: Any, sample: Sample) -> Any:
    """With voxels of 1 mm, and the middle of the volume at the origin of the world, about which `Motion` turns."""
    world = np.eye(4)
    world[:3, 3] = [(1 - n) / 2 for n in sample["mask"].shape]
    label = library.LabelMap(tensor=sample["mask"][None].clone(), affine=world)
    return library.Subject(volume=library.ScalarImage(tensor=sample["volume"].clone(), affine=world), mask=label)


def data_of(subject: Any) -> Sample:
    return {"volume": subject.volume.data, "mask": subject["mask"].data[0]}


def batched(sample: Sample) -> Sample:
    return {name: x[None] for name, x in sample.items()}


def first_of(batch: Sample) -> Sample:
    return {name: x[0] for name, x in batch.items()}


def apart(theirs: Sample, ours: Sample) -> tuple[float, float, float]:
    """The largest difference in shares of the data's range, the share of voxels where it is more than a hundredth, and the
    share of labels that differ."""
    want, got = theirs["volume"], ours["volume"]
    if want.shape != got.shape:
        raise ValueError(f"{list(got.shape)}, not {list(want.shape)}")
    d = (want - got).abs() / (want.max() - want.min())
    labels = (theirs["mask"] != ours["mask"]).float().mean()
    return float(d.max()), float((d > 0.01).float().mean()), float(labels)


def pinned(build: Build, library: Any, sample: Sample) -> tuple[Sample, Sample]:
    """What both make of it."""
    t = build(library)
    theirs = data_of(t(subject_of(library, sample)))
    f = A.convert(t).pipeline
    return theirs, first_of(f(batched(sample), f.params, af.key(0))[0])


def replayed(recipe: Build, library: Any, sample: Sample, seed: int) -> tuple[Sample, Sample]:
    """What TorchIO makes of a sample with a seed, without what has no counterpart, and what its conversion makes of it with
    the same draws."""
    t = recipe(library)
    f = A.convert(t, partly=True).pipeline
    _, params = f(batched(sample), None, af.key(0))
    torch.manual_seed(seed)
    subject = in_a_row(t.transforms, subject_of(library, sample), params, library)
    return data_of(subject), first_of(f(batched(sample), params, None)[0])


def library() -> Any:
    """TorchIO, or None."""
    try:
        return import_module("torchio")
    except ImportError:
        return None


def figures(numbers: tuple[float, float, float]) -> str:
    most, share, labels = numbers
    return f"{most:.1g}" + (f", {share:.1%}" if share else "") + (f"; labels {labels:.1%}" if labels else "")


def agreement(t: Any) -> list[tuple[str, str]]:
    """How far each transform lies from its own: of a head in air, and of one that the frame cuts."""
    samples = rendered(), rendered(neck=True)
    return [
        (name, " and ".join(figures(apart(*pinned(build, t, x))) for x in samples)) for name, build in PINNED.items()
    ]


def recipes(t: Any, seeds: int) -> list[tuple[str, str, A.Conversion]]:
    """How far each recipe lies from its own at TorchIO's draws, of a head in air, and its conversion."""
    rows = []
    for name, recipe in RECIPES.items():
        found = A.convert(recipe(t), partly=True)
        alike = [figures(apart(*replayed(recipe, t, rendered(), seed))) for seed in range(seeds)]
        rows.append((name, " / ".join(alike), found))
    return rows

"""Pipelines of TorchIO, converted: each transform with its ranges pinned, and recipes replayed with what TorchIO drew.

    python -m benchmarks.conversions_torchio

TorchIO is installed by hand, as `benchmarks.volumes` says. The volume is rendered, `[1, W, H, D]`, with a map of labels.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from torch import Tensor

import augfn as af
import augfn_nn as A
from augfn.math.kspace import exponents
from augfn_nn.converters.notes import Notes
from augfn_nn.converters.torchio import step
from augfn_nn.converters.torchio_seen import Seen

Build = Callable[[Any], Any]
Sample = dict[str, Tensor]
AXES = "zyx"  # of TorchIO's axes 0, 1, 2
FLIPS = ("dflip3d", "vflip3d", "hflip3d")
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


def rendered() -> Sample:
    """A head with folds and a few structures of its own on each side, cut at the neck, in about [0, 1.3]; three labels."""
    places = (torch.linspace(-1, 1, n) for n in (40, 50, 44))
    i, j, k = torch.meshgrid(*places, indexing="ij")
    radius = (i / 0.7).square() + (j / 0.8).square() + (k.clamp(min=-0.2) / 0.75).square()
    head = torch.sigmoid(14 * (1 - radius)) * (0.55 + 0.15 * torch.sin(9 * i + 2 * j) * torch.sin(8 * k - 3 * i))
    ball = lambda a, b, c, r: torch.exp(  # noqa: E731
        -(((i - a) ** 2 + (j - b) ** 2 + (k - c) ** 2) / r**2)
    )
    first, second = ball(0.25, -0.2, 0.15, 0.22), ball(-0.3, 0.35, -0.25, 0.15)
    x = head + 0.6 * first - 0.35 * second
    label = (head > 0.3).long() + (first > 0.5).long() + 2 * (second > 0.5).long()
    return {"volume": x[None], "mask": label}


def subject_of(library: Any, sample: Sample) -> Any:
    label = library.LabelMap(tensor=sample["mask"][None].clone())
    return library.Subject(volume=library.ScalarImage(tensor=sample["volume"].clone()), mask=label)


def data_of(subject: Any) -> Sample:
    return {"volume": subject.volume.data, "mask": subject["mask"].data[0]}


def batched(sample: Sample) -> Sample:
    return {name: x[None] for name, x in sample.items()}


def first_of(batch: Sample) -> Sample:
    return {name: x[0] for name, x in batch.items()}


def apart(theirs: Sample, ours: Sample) -> tuple[float, float, float]:
    """The largest and the mean difference, in shares of the data's range, and the share of labels that differ."""
    want, got = theirs["volume"], ours["volume"]
    if want.shape != got.shape:
        raise ValueError(f"{list(got.shape)}, not {list(want.shape)}")
    d = (want - got).abs() / (want.max() - want.min())
    return float(d.max()), float(d.mean()), float((theirs["mask"] != ours["mask"]).float().mean())


def pinned(build: Build, library: Any, sample: Sample) -> tuple[Sample, Sample]:
    """What both make of it."""
    t = build(library)
    theirs = data_of(t(subject_of(library, sample)))
    f = A.convert(t).pipeline
    return theirs, first_of(f(batched(sample), f.params, af.key(0))[0])


# replay: what TorchIO drew, from the history of a subject, as params


def put(node: dict[str, Any], name: str, value: Any) -> None:
    """A value in the place of a drawn one, of its shape."""
    like = node[name]
    node[name] = torch.as_tensor(np.array(value), dtype=like.dtype).expand(like.shape[1:]).reshape(like.shape).clone()


def chosen(node: dict[str, Any], which: int) -> dict[str, Any]:
    """Choose a branch of a choice, and give its params."""
    node["choice"] = torch.zeros_like(node["choice"])
    node["choice"][..., which] = 1
    return node[[n for n in node if n != "choice"][which]]


def along(node: dict[str, Any], t: Any, axis: int) -> dict[str, Any]:
    """The branch of an axis, where there is a choice."""
    return chosen(node, t.axes.index(axis)) if "choice" in node else node


def flips(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    for axis, name in enumerate(FLIPS):
        if "gate" in node.get(name, {}):
            put(node[name], "gate", float(axis in args["axes"]))


def affine(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node["rotate3d"], "degrees", args["degrees"][::-1])
    if "translate3d" in node:
        put(node["translate3d"], "translate", args["translation"][::-1])
    for name, value in zip(("scale", "scale_y", "scale_z"), args["scales"][::-1], strict=True):
        if name in node.get("scale3d", {}):
            put(node["scale3d"], name, value)


def elastic(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node, "control", np.moveaxis(args["control_points"], -1, 0))


def anisotropy(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    target = args["target"]
    axis = int(np.argmax(target))
    put(along(node, t, axis), "factor", target[axis])


def motion(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node, "times", args["times"]["volume"])
    for name, value in (("degrees", args["degrees"]), ("translate", args["translation"])):
        put(node, name, value["volume"][:, ::-1] * np.array([-1, 1, 1]))


def ghosting(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    own = along(node, t, args["axis"]["volume"])
    put(own, "ghosts", args["num_ghosts"]["volume"])
    put(own, "intensity", args["intensity"]["volume"])


def spike(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node, "intensity", args["intensity"]["volume"])
    put(node, "position", args["spikes_positions"]["volume"][0, ::-1])


def bias(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    """TorchIO's coefficients go by the powers of axis 0, then of axis 1, then of axis 2."""
    order = args["order"]["volume"]
    given = iter(args["coefficients"]["volume"])
    known = {
        (k, j, i): next(given) for i in range(order + 1) for j in range(order + 1 - i) for k in range(order + 1 - i - j)
    }
    put(node, "coefficients", [known.get(e, 0.0) for e in exponents(3, 3)])


def blur(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    for name, value in zip(("sigma", "sigma_y", "sigma_z"), args["std"]["volume"][::-1], strict=True):
        put(node, name, value)


def noise(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    """The mean: fields of noise differ."""
    put(node, "mean", args["mean"]["volume"])
    put(node, "std", 0.0)


def gamma(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    put(node, "gamma", args["gamma"]["volume"])


def window(node: dict[str, Any], t: Any, args: dict[str, Any]) -> None:
    if t.location == "random" and "cropping" in args:
        start, end = (np.array(args["cropping"][i::2]) for i in (0, 1))
        put(node["random_crop3d"], "position", ((start + 0.5) / (start + end + 1))[::-1])


SETTERS: dict[str, Callable[[dict[str, Any], Any, dict[str, Any]], None]] = {
    "RandomFlip": flips,
    "RandomAffine": affine,
    "RandomElasticDeformation": elastic,
    "RandomAnisotropy": anisotropy,
    "RandomMotion": motion,
    "RandomGhosting": ghosting,
    "RandomSpike": spike,
    "RandomBiasField": bias,
    "RandomBlur": blur,
    "RandomNoise": noise,
    "RandomGamma": gamma,
    "CropOrPad": window,
}


def act(t: Any, subject: Any, node: dict[str, Any], library: Any) -> Any:
    """Apply a transform as TorchIO does, and set what it drew in the params of its counterpart."""
    groups = {"Compose": lambda: t.transforms, "OneOf": lambda: [*t.transforms_dict]}
    name, gate = type(t).__name__, "gate" in node
    inner = next(v for n, v in node.items() if n != "gate") if gate else node
    if name in groups:
        acts = torch.rand(1).item() <= t.probability
        if gate:
            put(node, "gate", float(acts))
        if not acts:
            return subject
        if name == "Compose":
            return in_a_row(t.transforms, subject, inner, library)
        which = int(torch.multinomial(torch.Tensor(list(t.transforms_dict.values())), 1))
        return act(groups[name]()[which], subject, chosen(inner, which), library)
    before = len(subject.applied_transforms)
    after = t(subject)
    drawn = after.applied_transforms[before:]
    if gate:
        put(node, "gate", float(bool(drawn)))
    if name == "RandomNoise" and drawn:
        after = library.Noise(**drawn[0][1] | {"std": dict.fromkeys(drawn[0][1]["std"], 0.0)})(subject)
    if name in SETTERS and (drawn or name == "RandomFlip"):
        SETTERS[name](inner, t, drawn[-1][1] if name == "CropOrPad" else drawn[0][1] if drawn else {"axes": ()})
    return after


def in_a_row(transforms: Iterable[Any], subject: Any, node: dict[str, Any], library: Any) -> Any:
    """Those that have a counterpart, with the params of their steps in turn."""
    seen = Seen(Notes())
    kept = [t for t in transforms if step(t, seen) is not None]
    names = [n for n in node if n != "volumes"]
    for t, name in zip(kept, names, strict=True):
        subject = act(t, subject, node[name], library)
    return subject


def replayed(recipe: Build, library: Any, sample: Sample, seed: int) -> tuple[Sample, Sample]:
    """What TorchIO makes of a sample with a seed, without what has no counterpart, and what its conversion makes of it with
    the same draws."""
    t = recipe(library)
    f = A.convert(t, partly=True).pipeline
    _, params = f(batched(sample), None, af.key(0))
    torch.manual_seed(seed)
    subject = in_a_row(t.transforms, subject_of(library, sample), params, library)
    return data_of(subject), first_of(f(batched(sample), params, None)[0])


def torchio() -> Any:
    """The library, or None."""
    try:
        return import_module("torchio")
    except ImportError:
        return None


def figures(numbers: tuple[float, float, float]) -> str:
    most, mean, labels = numbers
    return f"largest {most:.1e}, mean {mean:.1e}" + (f", labels {labels:.2%}" if labels else "")


def main() -> None:
    library, sample = torchio(), rendered()
    if library is None:
        raise SystemExit("TorchIO is not installed: see benchmarks.volumes")
    warnings.simplefilter("ignore")
    print(f"TorchIO {library.__version__}: differences in shares of the data's range", "", sep="\n")
    for name, build in PINNED.items():
        print(f"{name}: {figures(apart(*pinned(build, library, sample)))}")
    for name, recipe in RECIPES.items():
        found = A.convert(recipe(library), partly=True)
        print("", f"{name}: {len(found.pipeline.params)} steps", sep="\n")
        print(
            *(f"  lacking  {line}" for line in found.lacking),
            *(f"  differs  {line}" for line in found.differs),
            sep="\n",
        )
        for seed in range(5):
            print(f"  seed {seed}: {figures(apart(*replayed(recipe, library, sample, seed)))}")


if __name__ == "__main__":
    main()

"""TorchIO's transforms: what each is here, for tensors `[B, C, W, H, D]`, in the order in which its subjects hold them.

TorchIO's first axis is the slowest of the array, which is z in augfn's (x, y, z), its third is x. So what was said of axes 0, 1,
2 is said of z, y, x, and the tensors of a training loop stay as they are. Its world is the array: axes that run right, front
and up (RAS), as after `ToCanonical`, and voxels of 1 mm, or of the size to which a `Resample` before has brought them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn_nn.converters.by_frame import Cut, Ends, Volumes
from augfn_nn.converters.functions import Outlined, Scored
from augfn_nn.converters.notes import Notes
from augfn_nn.converters.torchio_seen import Seen
from augfn_nn.converters.torchio_transforms import (
    affine,
    bent,
    blurred,
    called,
    clamped,
    elastic,
    flipped,
    function,
    ghosted,
    in_size,
    masked,
    moving,
    noisy,
    of_multiple,
    relabelled,
    resampled,
    rescaled,
    resized,
    shaded,
    spiked,
    thick,
    typed,
    widened,
)
from augfn_nn.converters.values import gated


def converted(t: Any, notes: Notes) -> list[Augmentation] | None:
    """A transform of TorchIO, or a composition of them, as steps."""
    seen = Seen(notes)
    row = type(t).__name__ == "Compose" and getattr(t, "probability", None) == 1 and plain(t, notes)
    known = t.transforms if row else [t]
    steps = [f for u in known if (f := step(u, seen)) is not None]
    if steps:
        notes.differ(
            "TorchIO",
            "tensors are [B, C, W, H, D], as in its subjects; label maps are masks; all volumes have one draw",
        )
    if steps and not any(f.ndim == 3 for f in steps):
        steps.insert(0, Volumes())
    return steps or None


def step(t: Any, seen: Seen) -> Augmentation | None:
    """One transform, acting with its p."""
    notes, name = seen.notes, type(t).__name__
    if not hasattr(t, "apply_transform"):
        return notes.lack(t, "a function of subjects; as one of tensors: torchio.Lambda, or af.opaque")
    if not hasattr(t, "probability"):
        return notes.lack(t, "keeps no probability: known are the transforms of TorchIO 1.2")
    if not plain(t, notes):
        return None
    if not type(t).__module__.startswith("torchio."):
        return own(t, seen)
    if name in LEFT_OUT:
        return notes.differ(t, LEFT_OUT[name])
    if name in GROUPS:
        return group(t, seen)
    if name not in TABLE:
        return notes.lack(t, LACKING.get(name, "no counterpart"))
    for n, (usual, why) in EXPECTED.get(name, {}).items():
        if getattr(t, n) not in usual:
            return notes.lack(t, f"{n}={getattr(t, n)} has no counterpart{why}")
    before = copy.copy(seen)
    made = notes.function(t, lambda: gated(TABLE[name](t, seen), t.probability))
    if made is not None and name in DIFFERS:
        notes.differ(t, DIFFERS[name])
    seen.low = LOW[name](t, seen.low) if name in LOW and made is not None else seen.low
    if t.probability < 1:
        seen.merge(before)
    return made


def plain(t: Any, notes: Notes) -> bool:
    """True if it acts on all images; what it keeps or is told of names is noted."""
    if getattr(t, "keep", None):
        notes.lack(t, f"keep={t.keep}: keep a copy before the call")
    if getattr(t, "label_keys", None):
        notes.differ(t, f"label_keys: targets={dict.fromkeys(t.label_keys, 'mask')} of AugmentationSequential")
    for n in ("include", "exclude"):
        if getattr(t, n, None) and type(t).__name__ in GROUPS:
            notes.differ(t, f"{n}={[*getattr(t, n)]} of a composition chooses nothing, in TorchIO neither")
        elif getattr(t, n, None):
            notes.lack(t, f"{n}={[*getattr(t, n)]}: call a pipeline of its own with these images alone")
            return False
    return True


def group(t: Any, seen: Seen) -> Augmentation | None:
    """A composition of others, in a row or one of them."""
    known, ways = GROUPS[type(t).__name__](t), []
    row, before = type(t).__name__ == "Compose", copy.copy(seen)
    parts = []
    for u in known:
        if not row:
            seen.spacing, seen.low = before.spacing, before.low
        parts.append(step(u, seen))
        ways.append(copy.copy(seen))
    left = [f for f in parts if f is not None]
    if len(left) < len(parts) and not row:
        return seen.notes.lack(t, "a choice of which one is lacking")
    for other in [*([] if row else ways), *([before] if t.probability < 1 else [])]:
        seen.merge(other)
    weights = () if row else tuple(t.transforms_dict.values())
    if not left:
        return None
    return seen.notes.function(
        t, lambda: gated(af.pipeline(*left) if row else af.one_of(*left, weights=weights), t.probability)
    )


def own(t: Any, seen: Seen) -> Augmentation | None:
    """A user's subclass."""
    if not any(c.__name__ == "IntensityTransform" for c in type(t).__mro__):
        return seen.notes.lack(
            t, "no transform of TorchIO: what it does to labels is not known; of intensities af.opaque calls it"
        )
    seen.low = None
    seen.notes.differ(t, "no transform of TorchIO: called on each volume by itself, as af.opaque")
    return seen.notes.function(t, lambda: gated(called(t), t.probability))


Made = Callable[[Any, Seen], Augmentation]
GROUPS: dict[str, Callable[[Any], Sequence[Any]]] = {
    "Compose": lambda t: t.transforms,
    "OneOf": lambda t: [*t.transforms_dict],
}
PAIRS: dict[str, Made] = {  # of a transform with ranges, "Random" before its name, and of one without
    "Flip": flipped,
    "Affine": affine,
    "ElasticDeformation": elastic,
    "Motion": moving,
    "Ghosting": ghosted,
    "Spike": spiked,
    "BiasField": shaded,
    "Blur": blurred,
    "Noise": noisy,
    "Gamma": bent,
}
TABLE: dict[str, Made] = {
    **PAIRS,
    **{f"Random{name}": make for name, make in PAIRS.items()},
    "RandomAnisotropy": thick,
    "RescaleIntensity": lambda t, seen: masked(t, lambda: rescaled(t, seen), None),
    "ZNormalization": lambda t, seen: masked(t, af.zscore, Scored),
    "Mask": lambda t, seen: masked(t, None, partial(Outlined, outside=float(t.outside_value))),
    "Clamp": clamped,
    "Crop": lambda t, seen: Cut(Ends(tuple(map(int, t.bounds_parameters)))),
    "Pad": widened,
    "CropOrPad": in_size,
    "EnsureShapeMultiple": of_multiple,
    "Resize": resized,
    "Resample": resampled,
    "Lambda": function,
    "To": typed,
    "RemapLabels": relabelled,
    "RemoveLabels": relabelled,
}
LOW: dict[str, Callable[[Any, float | None], float | None]] = {  # the lowest value afterwards, where it is another one
    "ZNormalization": lambda t, low: None,
    "RescaleIntensity": lambda t, low: rescaled_low(t, low),
    "Clamp": lambda t, low: low if t.out_min is None else float(t.out_min),
    "Mask": lambda t, low: least(low, t.outside_value),
    "Lambda": lambda t, low: None,
    **dict.fromkeys(("Pad", "CropOrPad"), lambda t, low: least(low, t.padding_mode)),
    **dict.fromkeys(("Affine", "RandomAffine"), lambda t, low: least(low, t.default_pad_value)),
    "EnsureShapeMultiple": lambda t, low: least(low, 0.0),
    **dict.fromkeys(
        ("Noise", "RandomNoise", "Spike", "RandomSpike", "Ghosting", "RandomGhosting"), lambda t, low: None
    ),
    **dict.fromkeys(("Motion", "RandomMotion"), lambda t, low: None),
    **dict.fromkeys(("BiasField", "RandomBiasField", "Gamma", "RandomGamma"), lambda t, low: low if low == 0 else None),
}


def least(low: float | None, value: Any) -> float | None:
    """With a number beside what was there."""
    value = 0.0 if value == "constant" else value
    return low if low is None or not isinstance(value, int | float) else min(low, float(value))


def rescaled_low(t: Any, low: float | None) -> float | None:
    """Without a window of its own the lowest value is that asked for; beyond one it goes on."""
    if t.in_min_max is None:
        return float(t.out_min)
    first, last = t.in_min_max
    return None if low is None else t.out_min + (low - first) * (t.out_max - t.out_min) / (last - first)


LEFT_OUT = {
    "ToCanonical": "left out: tensors tell no orientation (their axes are taken as RAS: af.read_volume turns files so)",
    "CopyAffine": "left out: tensors have no header",
}
LACKING = {
    "RandomSwap": "no counterpart (hidden boxes: af.coarse_dropout)",
    "OneHot": "no counterpart: torch.nn.functional.one_hot of the masks that come out",
    "ToOrientation": "tensors tell no orientation: turn the files before",
    "ToReferenceSpace": "tensors tell no space: bring the files there before",
    "HistogramStandardization": "no counterpart: apply it before (it is the same each time)",
}
EXPECTED: dict[str, dict[str, tuple[tuple[Any, ...], str]]] = {  # arguments with the values that have a counterpart
    **{
        name: {"center": (("image",), " (the origin of the world is not known)")} for name in ("Affine", "RandomAffine")
    },
    "RandomMotion": {"num_transforms": ((2,), "")},
    "RandomAnisotropy": {"scalars_only": ((True,), "")},
}
ONCE = "each channel by itself, where TorchIO takes all together"
EDGE = "the fill is blended with the outer voxels, TorchIO's begins half a voxel beyond their centres"
MOVED = (
    "turns about the middle of the volume, TorchIO about the origin of its world; the border repeats beyond the frame, "
    "where it has the minimum"
)
DIFFERS = {
    **dict.fromkeys(("Affine", "RandomAffine"), f"{EDGE}; a volume of one slice is turned about all axes"),
    **dict.fromkeys(("Motion", "RandomMotion"), MOVED),
    **dict.fromkeys(("Blur", "RandomBlur"), "repeats the border, where TorchIO mirrors the volume"),
    **dict.fromkeys(("Noise", "RandomNoise"), "another field of noise, which no seed of TorchIO tells"),
    "Resize": "the size of a voxel is not known any more: what follows in mm takes 1 mm",
    "RandomAnisotropy": "the outer planes hold their value, where TorchIO has zeros",
    "RescaleIntensity": f"{ONCE}; a constant volume becomes the lower end",
    "ZNormalization": f"{ONCE}; sd with n, not n - 1",
}

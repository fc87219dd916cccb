"""TorchIO's transforms one by one: what each is here, of what it keeps and of what is known of the volumes where it stands."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from itertools import product
from typing import Any

import torch

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.math.kspace import exponents
from augfn.math.resample import Sampling
from augfn_nn.converters.by_frame import Cut, Moving, Multiples, SignedGamma, Splined
from augfn_nn.converters.functions import Clamped, EachSample, Relabelled
from augfn_nn.converters.torchio_seen import (
    Seen,
    along_axes,
    index_of,
    labels,
    sampled,
    sextet,
)
from augfn_nn.converters.values import between, whole

KINDS = {"intensity": "volume", "label": "mask"}
SIDES = ("left", "right", "posterior", "anterior", "inferior", "superior")
MODES = {"edge": "border", "reflect": "reflect", "symmetric": "symmetric"}


# functions of others


def called(t: Any) -> Augmentation:
    """TorchIO's own transform, of each volume by itself; its p is a gate around it."""
    sure = copy.copy(t)
    sure.probability = 1
    return af.opaque(EachSample(sure), ("volume",), type(t).__name__)


def masked(t: Any, make: Callable[[], Augmentation] | None, by_mask: Callable[[Any], Any] | None) -> Augmentation:
    """What its masking method allows: none, a function of a volume, or what else the volume alone tells."""
    how = t.masking_method
    if how is None and make is not None:
        return make()
    if callable(how) and by_mask is not None:
        return af.opaque(EachSample(by_mask(how)), ("volume",), type(t).__name__)
    if isinstance(how, str) and how.lower() not in SIDES:
        raise ValueError(f"masking_method={how!r}: an image cannot be changed by a label map (a function of it can)")
    return called(t)


# the transforms


def flipped(t: Any, seen: Seen) -> Augmentation:
    """Each of the axes, by itself."""
    if any(isinstance(axis, str) for axis in t.axes):
        seen.notes.differ(t, "axes by name are those of RAS")
    p = float(getattr(t, "flip_probability", 1.0))
    gate: dict[str, Any] = {} if p == 1 else {"p": p}
    flips = (af.dflip3d, af.vflip3d, af.hflip3d)
    return af.pipeline(*(flips[i](**gate) for i in sorted({index_of(axis) for axis in t.axes})))


def affine(t: Any, seen: Seen) -> Augmentation:
    """TorchIO's order: turn by Euler angles, shift, scale, all about the centre; one resample all the same."""
    ways: dict[str, Any] = {"interpolation": sampled(t)}
    ways |= seen.outside(t, t.default_pad_value, t.default_pad_label)
    labels(t, seen)
    size = seen.voxel(t)[::-1]
    low, high = sextet(t.degrees)
    steps = [af.rotate3d(degrees=af.Uniform(low, high), order="yzx", spacing=size, **ways)]
    low, high = ([v / s for v, s in zip(end, size, strict=True)] for end in sextet(t.translation))
    moves = any((*low, *high))
    steps += [af.translate3d(translate=af.Uniform(low, high), unit="pixel", **ways)] if moves else []
    x, y, z = map(between, zip(*sextet(t.scales), strict=True))
    if getattr(t, "isotropic", False):
        steps += [af.scale3d(scale=x, **ways)]
    elif {x, y, z} != {1.0}:
        steps += [af.scale3d(scale=x, scale_y=y, scale_z=z, **ways)]
    return af.pipeline(*steps)


def elastic(t: Any, seen: Seen) -> Augmentation:
    """Control points as they are, or drawn up to the largest displacement, with those locked that TorchIO locks."""
    how = Sampling(interpolation=sampled(t), **seen.outside(t))
    labels(t, seen)
    voxel = seen.voxel(t)
    if hasattr(t, "control_points"):
        control = torch.as_tensor(t.control_points, dtype=torch.float32).movedim(-1, 0)
        return Splined(af.Uniform(control, control), voxel, how)
    most = torch.tensor([float(v) for v in t.max_displacement])[:, None, None, None]
    most = most.expand(3, *t.num_control_points).clone()
    for i in range(t.num_locked_borders):
        most[:, [i, -1 - i]] = 0
        most[:, :, [i, -1 - i]] = 0
    return Splined(af.Uniform(-most, most), voxel, how)


def moving(t: Any, seen: Seen) -> Augmentation:
    """Two movements, with the signs that they have in the array; when: about 1/3 and 2/3 of the time."""
    sampled(t) if isinstance(t.image_interpolation, str) else None
    voxel, signs = seen.voxel(t), (-1.0, 1.0, 1.0)
    if hasattr(t, "degrees_range"):
        turns, shifts = ([list(r)] * 3 for r in (t.degrees_range, t.translation_range))
        low, high = zip(*[sorted(s * v for v in r) for s, r in zip(signs, turns, strict=True)], strict=True)
        degrees = af.Uniform([low] * 2, [high] * 2)
        ends = zip(signs, shifts, voxel[::-1], strict=True)
        low, high = zip(*[sorted(s * v / mm for v in r) for s, r, mm in ends], strict=True)
        times = af.Uniform([1 / 3 - 0.1, 2 / 3 - 0.1], [1 / 3 + 0.1, 2 / 3 + 0.1])
        return Moving(degrees=degrees, translate=af.Uniform([low] * 2, [high] * 2), times=times)
    degrees, shift, times = (torch.as_tensor(v, dtype=torch.float32) for v in (t.degrees, t.translation, t.times))
    if times.shape != (2,):
        raise ValueError(f"{len(times)} movements: two have a counterpart")
    sign = torch.tensor(signs)
    return Moving(
        degrees=degrees.flip(-1) * sign, translate=shift.flip(-1) * sign / torch.tensor(voxel[::-1]), times=times
    )


def ghosted(t: Any, seen: Seen) -> Augmentation:
    """Along one of the axes."""
    several = hasattr(t, "num_ghosts_range")
    ghosts, strength = (t.num_ghosts_range, t.intensity_range) if several else (t.num_ghosts, t.intensity)
    if (ghosts[0] if several else ghosts) < 1:
        raise ValueError(f"num_ghosts={ghosts}: at least 1 (what leaves out is p)")
    back = between(t.restore) if t.restore is not None else None
    if not isinstance(back, float | None):
        raise ValueError(f"restore={t.restore} is drawn: (a, a) has a counterpart")
    if back is not None:
        seen.notes.differ(t, "of an odd number of lines in the middle TorchIO restores one less")
    given = {"ghosts": whole(ghosts), "intensity": between(strength), "restore": back}
    return along_axes(t.axes if several else t.axis, lambda axis: af.ghosting(axis=axis, **given))


def spiked(t: Any, seen: Seen) -> Augmentation:
    if hasattr(t, "spikes_positions"):
        places = torch.as_tensor(t.spikes_positions, dtype=torch.float32).flip(-1)
        return af.pipeline(*(af.spike(intensity=float(t.intensity), position=place) for place in places))
    low, high = t.num_spikes_range
    one = af.spike(intensity=between(t.intensity_range))
    if (low, high) == (1, 1):
        return one
    seen.notes.differ(t, "each spike has an intensity of its own")
    return af.some_of((low, high), one, replace=True)


def shaded(t: Any, seen: Seen) -> Augmentation:
    if t.order > 3:
        raise ValueError(f"order={t.order}: up to 3")
    if hasattr(t, "coefficients_range"):
        return af.bias_field(coefficients=between(t.coefficients_range), order=t.order)
    loops = [e for e in product(range(t.order + 1), repeat=3) if sum(e) <= t.order]
    given = dict(zip(loops, map(float, t.coefficients), strict=True))
    ordered = [given.get(e[::-1], 0.0) for e in exponents(3, 3)]
    return af.bias_field(coefficients=torch.tensor(ordered), order=t.order)


def blurred(t: Any, seen: Seen) -> Augmentation:
    low, high = sextet(t.std_ranges if hasattr(t, "std_ranges") else t.std)
    size = seen.voxel(t)[::-1]
    x, y, z = (between((a / s, b / s)) for a, b, s in zip(low, high, size, strict=True))
    widest = [b / s for b, s in zip(high, size, strict=True)]
    taps = tuple(2 * int(4 * s + 0.5) + 1 for s in reversed(widest))
    return af.gaussian_blur(kernel_size=taps, sigma=x, sigma_y=y, sigma_z=z, padding_mode="border")


def noisy(t: Any, seen: Seen) -> Augmentation:
    mean, std = (t.mean_range, t.std_range) if hasattr(t, "std_range") else (t.noise_mean, t.noise_std)
    return af.gaussian_noise(std=between(std), mean=between(mean), clip="none")


def bent(t: Any, seen: Seen) -> Augmentation:
    if hasattr(t, "log_gamma_range"):
        low, high = (math.exp(v) for v in t.log_gamma_range)
        return SignedGamma(low if low == high else af.LogUniform(low, high))
    return SignedGamma(float(t.gamma))


def rescaled(t: Any, seen: Seen) -> Augmentation:
    low, high = map(float, t.percentiles)
    out = float(t.out_min), float(t.out_max)
    if t.in_min_max is None:
        return af.intensity_window(low=low, high=high, out=out)
    if (low, high) != (0, 100):
        raise ValueError(f"percentiles={t.percentiles} beside in_min_max: Clamp before it")
    first, last = map(float, t.in_min_max)
    return af.intensity_window(low=first, high=last, unit="value", out=out, cut=False)


def clamped(t: Any, seen: Seen) -> Augmentation:
    return af.opaque(Clamped(t.out_min, t.out_max), ("volume",), "clamp")


def padded(padding_mode: Any, seen: Seen, t: Any) -> dict[str, Any]:
    """What a pad puts beyond the frame, of labels too."""
    if isinstance(padding_mode, int | float) or padding_mode == "constant":
        value = 0.0 if padding_mode == "constant" else float(padding_mode)
        if not value.is_integer():
            seen.notes.differ(t, f"pads labels by {math.trunc(value)}, whatever their type")
        return {"fill": value, "fill_mask": float(math.trunc(value))}
    if padding_mode == "minimum":
        return seen.outside(t)
    if padding_mode not in MODES:
        raise ValueError(f"padding_mode={padding_mode!r} has no counterpart (a number, edge, reflect, symmetric have)")
    return {"padding_mode": MODES[padding_mode]}


def widened(t: Any, seen: Seen) -> Augmentation:
    ends = t.bounds_parameters
    return af.pad3d(padding=(*ends[::2][::-1], *ends[1::2][::-1]), **padded(t.padding_mode, seen, t))


def in_size(t: Any, seen: Seen) -> Augmentation:
    """Padded and cut to a size: in the middle, of an odd rest with the one more before it, which is position 0.5 here."""
    units = {"voxels": None, "mm": 1.0, "cm": 10.0}[getattr(t, "units", "voxels")]
    if t.target_shape is None or t.mask_name is not None or None in t.target_shape:
        raise ValueError(
            "a size that is not that of all volumes, or a place that a label map tells (af.foreground_crop3d)"
        )
    size = tuple(int(n) for n in t.target_shape)
    if units is not None:
        size = tuple(round(n * units / mm) for n, mm in zip(t.target_shape, seen.voxel(t), strict=True))
    middle = torch.full((3,), 0.5)
    place = af.Uniform(0.0, 1.0) if getattr(t, "location", "center") == "random" else middle
    pad = af.pad_to3d(size=size, position=middle, **padded(t.padding_mode, seen, t))
    if t.only_pad:
        return pad
    if t.only_crop:
        seen.notes.differ(t, "only_crop: raises where a volume is smaller")
        return af.random_crop3d(size=size, position=place)
    return af.pipeline(pad, af.random_crop3d(size=size, position=place))


def of_multiple(t: Any, seen: Seen) -> Augmentation:
    of = [int(n) for n in t.target_multiple]
    if t.method == "crop":
        return Cut(Multiples(tuple(of)))
    if len({*of}) > 1:
        raise ValueError(f"target_multiple={of}: one for all axes")
    return af.pad_to3d(divisible=of[0], position=torch.full((3,), 0.5), fill=0.0, fill_mask=0.0)


def resized(t: Any, seen: Seen) -> Augmentation:
    size = tuple(int(n) for n in t.target_shape)
    if -1 in size:
        raise ValueError(f"target_shape={size}: the size of each axis")
    labels(t, seen)
    seen.spacing = None
    return af.resize3d(size=size, antialias=False, interpolation=sampled(t))


def resampled(t: Any, seen: Seen) -> Augmentation:
    """Not here: a pipeline of tensors does not know the voxels of each. What follows may count on those that come out."""
    target = [t.target] * 3 if isinstance(t.target, int | float) else t.target
    known = isinstance(target, list | tuple) and len(target) == 3 and all(isinstance(v, int | float) for v in target)
    seen.spacing = (float(target[0]), float(target[1]), float(target[2])) if known else None
    fix = "af.read_volume(path, spacing=...) as they are read, or af.spacing3d for voxels of one size"
    raise ValueError(f"tensors do not tell the size of their voxels: {fix}")


def thick(t: Any, seen: Seen) -> Augmentation:
    if sampled(t) != "bilinear":
        raise ValueError("image_interpolation='nearest' has no counterpart ('linear' has)")
    return along_axes(t.axes, lambda axis: af.anisotropy(factor=between(t.downsampling_range), axis=axis))


def function(t: Any, seen: Seen) -> Augmentation:
    kinds = tuple(KINDS[kind] for kind in t.types_to_apply or KINDS)
    return af.opaque(EachSample(t.function), kinds, getattr(t.function, "__name__", "Lambda"))


def typed(t: Any, seen: Seen) -> Augmentation:
    """To another type of floats, or nowhere: those of the caller are kept."""
    if not getattr(t.target, "is_floating_point", False):
        raise ValueError(f"target={t.target}: volumes are floats, and stay on their device: convert what comes out")
    seen.notes.differ(t, "left out: volumes keep their type, which is one of floats")
    return af.identity()


def relabelled(t: Any, seen: Seen) -> Augmentation:
    if t.masking_method is not None:
        raise ValueError(f"masking_method={t.masking_method!r} has no counterpart")
    return af.opaque(Relabelled(dict(t.remapping)), ("mask",), type(t).__name__)

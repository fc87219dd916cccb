"""MONAI's transforms of space: what each is here. Its axes are those of the array, slowest first, its angles radians."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn_nn.converters.monai_data import AXES, Data, many, plain
from augfn_nn.converters.values import between, in_order, one_each

FLIPS = {2: (af.vflip, af.hflip), 3: (af.dflip3d, af.vflip3d, af.hflip3d)}
SHEARS = {2: ("xy", "yx"), 3: ("xy", "xz", "yx", "yz", "zx", "zy")}  # the entries of a shear, "xy": x moves with y
FACETS = {2: ((0, 1), (1, 0)), 3: ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))}  # the same of MONAI's axes
BEFORE = 0.49999  # of an odd number of pixels the one more lies behind


def in_space(name: str, d: Data) -> Any:
    """The op of this name for images or volumes."""
    return getattr(af, name if d.ndim == 2 else f"{name}_3d" if name == "rot90" else f"{name}3d")


def axes_of(given: Any, d: Data) -> list[int]:
    """Axes counted from the first one."""
    found = many(given)
    if not all(-d.ndim <= a < d.ndim for a in found):
        raise ValueError(f"axes {given} of {d.ndim}")
    return [a % d.ndim for a in found]


def flip(t: Any, s: Any, d: Data) -> Augmentation:
    axes = range(d.ndim) if s.spatial_axis is None else sorted({*axes_of(s.spatial_axis, d)})
    steps = [FLIPS[d.ndim][a]() for a in axes]
    return in_order(steps)


def quarter(d: Data, k: int, axes: Any) -> Augmentation:
    """numpy.rot90 of two axes."""
    first, second = axes_of(axes, d)
    k = k if first < second else -k
    if d.ndim == 2:
        return af.rot90(k=k % 4)
    return af.rot90_3d(
        k=k % 4, plane={(0, 1): "yz", (1, 2): "xy", (0, 2): "xz"}[min(first, second), max(first, second)]
    )


def turned90(t: Any, s: Any, d: Data) -> Augmentation:
    squared(d)
    return quarter(d, s.k, s.spatial_axes)


def randomly_turned90(t: Any, s: Any, d: Data) -> Augmentation:
    squared(d)
    if d.frame is None:
        d.notes.differ(t, "a frame whose sides differ needs one sure turn")
    turns = [quarter(d, k, s.spatial_axes) for k in range(1, s.max_k + 1)]
    return one_each(turns)


def squared(d: Data) -> None:
    """Of a turn by quarters the frame is known if its sides are equal."""
    d.frame = d.frame if d.frame and len(set(d.frame)) == 1 else None


def clockwise(value: Any) -> tuple[float, float]:
    """An angle or a range of angles, as degrees counter-clockwise."""
    low, high = value if isinstance(value, list | tuple) else (value, value)
    return -math.degrees(high), -math.degrees(low)


def vector(pairs: list[tuple[float, float]]) -> Any:
    """The range of a vector (x, y[, z]) from those of MONAI's axes."""
    low, high = ([float(v) for v in ends] for ends in zip(*reversed(pairs), strict=True))
    return af.Constant(low) if low == high else af.Uniform(low, high)


def rotation(pairs: list[Any], d: Data, ways: dict[str, Any]) -> Augmentation:
    """By angles about MONAI's axes, the last one first."""
    turns = [clockwise(p) for p in pairs]
    if d.ndim == 2:
        return af.rotate(degrees=between(turns[0]), **ways)
    turns += [(0.0, 0.0)] * (3 - len(turns))
    return af.rotate3d(degrees=vector(turns), order="zyx", **ways)


def rotated(t: Any, s: Any, d: Data) -> Augmentation:
    given = many(s.angle)
    angles = given * 3 if len(given) == 1 and d.ndim == 3 else given
    return rotation([(a, a) for a in angles][: 1 if d.ndim == 2 else 3], d, d.sampled(t, s))


def randomly_rotated(t: Any, s: Any, d: Data) -> Augmentation:
    return rotation([s.range_x, s.range_y, s.range_z][: 1 if d.ndim == 2 else 3], d, d.sampled(t, s))


def zoomed(t: Any, s: Any, d: Data) -> Augmentation:
    """About the centre; one number is one draw for all axes, of two the second is that of the last axis."""
    if getattr(s, "kwargs", {}):
        raise ValueError(f"{s.kwargs} has no counterpart")
    low, high = (many(s.zoom),) * 2 if hasattr(s, "zoom") else (many(s.min_zoom), many(s.max_zoom))
    pairs = [between(p) for p in zip(low, high, strict=True)]
    ways = d.padded(t, s, s.padding_mode) | {"interpolation": d.read(t, s)}
    ways["antialias"] = d.one(t, s.mode, "mode") == "area"
    return scaled([pairs[0]] * (d.ndim - 1) + [pairs[1]] if len(pairs) == 2 and d.ndim == 3 else pairs, d, ways)


def scaled(factors: list[Any], d: Data, ways: dict[str, Any]) -> Augmentation:
    """By a factor for each of MONAI's axes, or one for all."""
    names = ("scale_z", "scale_y", "scale")[-d.ndim :]
    given = {"scale": factors[0]} if len(factors) == 1 else dict(zip(names, factors, strict=True))
    return in_space("scale", d)(**given, **ways)


def pairs_of(value: Any) -> list[tuple[float, float]]:
    """RandAffine's ranges, one for each axis: of a number v -v to v."""
    each = (many(v) for v in many(value))
    return [(float(v[0]), float(v[1])) if len(v) == 2 else (-float(v[0]), float(v[0])) for v in each]


def fixed(value: Any) -> list[tuple[float, float]]:
    return [(float(v), float(v)) for v in many(value)]


def affine(t: Any, s: Any, d: Data, turn: Any, shear: Any, shift: Any, zoom: Any) -> list[Augmentation]:
    """MONAI's matrix, rotation, shear, translation, scale, takes places of the output to the input's: content is moved the
    other way, and the steps here stand in its order."""
    ways = d.sampled(t, s)
    steps = [rotation(turn[:1] if d.ndim == 2 else turn, d, ways)] if any(map(any, turn)) else []
    pairs = zip(FACETS[d.ndim], shear, strict=False)
    for (i, j), (low, high) in reversed([p for p in pairs if any(p[1])]):
        entry = SHEARS[d.ndim].index(AXES[d.ndim][i] + AXES[d.ndim][j])
        count = range(len(SHEARS[d.ndim]))
        low, high = ([math.degrees(math.atan(v)) * (n == entry) for n in count] for v in (low, high))
        known = af.Constant(low) if low == high else af.Uniform(low, high)
        steps.append(in_space("shear", d)(shear=known, **ways))
    if any(low != high for low, high in shear):
        d.notes.differ(t, "shears are drawn evenly as angles, MONAI's as slopes")
    if any(map(any, shift)):
        back = [(-high, -low) for low, high in shift] + [(0.0, 0.0)] * (d.ndim - len(shift))
        steps.append(in_space("translate", d)(translate=vector(back), unit="pixel", **ways))
    if any(pair != (1.0, 1.0) for pair in zoom):
        full = zoom + [(1.0, 1.0)] * (d.ndim - len(zoom))
        if any(low <= 0 for low, _ in full):
            raise ValueError(f"scales {full} of 0 or below")
        steps.append(scaled([between((1 / high, 1 / low)) for low, high in full], d, ways))
        if any(low != high for low, high in full):
            d.notes.differ(t, "scales are drawn evenly as what objects grow by, MONAI's as what they shrink by")
    return steps


def of_range(t: Any, s: Any, d: Data) -> list[Augmentation]:
    """The steps of RandAffine."""
    zoom = [(1 + low, 1 + high) for low, high in pairs_of(s.scale_range)]
    return affine(t, s, d, pairs_of(s.rotate_range), pairs_of(s.shear_range), pairs_of(s.translate_range), zoom)


def randomly_moved(t: Any, s: Any, d: Data) -> Augmentation:
    return in_order(of_range(t, s, d))


def moved(t: Any, s: Any, d: Data) -> Augmentation:
    if s.affine is not None and not hasattr(s.affine, "affine_grid"):
        raise ValueError("affine= has no counterpart: give its parts")
    given = (fixed(v) for v in (s.rotate_params, s.shear_params, s.translate_params, s.scale_params))
    return in_order(affine(t, s, d, *given))


def framed(t: Any, s: Any, d: Data, f: Augmentation) -> Augmentation:
    """Then a window of `spatial_size` about the centre, which is there whether the gate is open or not."""
    given = many(s.spatial_size)
    if not given or all(isinstance(v, int) and v <= 0 for v in given):
        return f
    known, size = d.frame, d.size(s.spatial_size, "spatial_size")
    if known == size:
        return f
    if d.ndim == 3:
        return af.pipeline(f, af.spacing3d(source=1.0, spacing=1.0, size=size, **d.sampled(t, s)))
    d.notes.differ(t, "spatial_size is cut at whole pixels, half a pixel off the middle where the difference is odd")
    return af.pipeline(f, af.pad_to(size=size, position=BEFORE), centred(size, d))


def bent(t: Any, s: Any, d: Data) -> Augmentation:
    """Steps along a field of the same standard deviation; it is the first that is read, and so the last step."""
    least, steps = min(d.known_frame()), of_range(t, s, d)
    ways = d.sampled(t, s)
    if hasattr(s, "sigma_range") != (d.ndim == 3):
        raise ValueError(f"of frames of another number of axes than {d.ndim}")
    if d.ndim == 3:
        sigma = sum(s.sigma_range) / 2
        share = (2 * math.sqrt(math.pi) * sigma) ** -1.5 / math.sqrt(3)  # of noise from -1 to 1, smoothed
        reach, by = [m * share / least for m in s.magnitude_range], sigma / least
        return in_order([*steps, af.elastic3d(alpha=between(reach), sigma=by, **ways)])
    reach = [m / least for m in s.magnitude]
    by = max(many(s.spacing)) / least / 2
    return in_order([*steps, af.elastic(alpha=between(reach), sigma=by, **ways)])


def cells(t: Any, s: Any, d: Data) -> Augmentation:
    if set(many(s.num_cells)) != {5}:
        raise ValueError(f"num_cells={s.num_cells}: 5 have a counterpart")
    return in_space("grid_distortion", d)(cells=between(tuple(s.distort_limit), base=1.0), **d.sampled(t, s))


def resized(t: Any, s: Any, d: Data) -> Augmentation:
    how = d.one(t, s.mode, "mode")
    if "nearest" in many(s.mode):
        d.notes.differ(t, "nearest is MONAI's nearest-exact")
    smooth = how == "area" or bool(d.one(t, s.anti_aliasing, "anti_aliasing"))
    if smooth and how != "area":
        d.notes.differ(t, "anti_aliasing by a triangle as wide as the step, not by a Gaussian")
    ways = {"interpolation": d.read(t, s), "antialias": smooth}
    if plain(s.size_mode) == "longest" and d.ndim == 2:
        d.frame = None
        return af.longest_max_size(max_size=s.spatial_size, **ways)
    if plain(s.size_mode) == "longest":
        raise ValueError("size_mode='longest' of volumes has no counterpart")
    return in_space("resize", d)(size=d.size(s.spatial_size, "spatial_size"), **ways)


def padded(t: Any, s: Any, d: Data) -> Augmentation:
    """Up to a size; where the image's own is asked for, it stays."""
    least = tuple(max(v, 1) for v in d.per_axis(s.spatial_size, "spatial_size"))
    d.frame = d.frame and tuple(map(max, d.frame, least))
    return padded_to(t, s, d, size=least)


def padded_to(t: Any, s: Any, d: Data, **given: Any) -> Augmentation:
    position = (BEFORE if d.ndim == 2 else None) if plain(s.method) == "symmetric" else 0.0
    return in_space("pad_to", d)(position=position, **given, **d.padded(t, s, s.mode))


def divisible(t: Any, s: Any, d: Data) -> Augmentation:
    """Up to the next multiples, of images and of multiples that differ only where the frame is known."""
    k = d.per_axis(s.k, "k")
    if d.ndim == 3 and len({*k}) == 1:
        d.frame = d.frame and tuple(-(-n // m) * m for n, m in zip(d.frame, k, strict=True))
        return padded_to(t, s, d, divisible=k[0])
    d.frame = tuple(-(-n // m) * m for n, m in zip(d.known_frame(), k, strict=True))
    return padded_to(t, s, d, size=d.frame)


def bordered(t: Any, s: Any, d: Data) -> Augmentation:
    given = [max(0, v) for v in many(s.spatial_border)]
    given = given * d.ndim if len(given) == 1 else given
    pairs = [(v, v) for v in given] if len(given) == d.ndim else list(zip(given[::2], given[1::2], strict=True))
    if len(pairs) != d.ndim:
        raise ValueError(f"spatial_border={s.spatial_border} for {d.ndim} axes")
    before, after = zip(*reversed(pairs), strict=True)
    d.frame = d.frame and tuple(n + a + b for n, (a, b) in zip(d.frame, pairs, strict=True))
    return in_space("pad", d)(padding=(*before, *after), **d.padded(t, s, s.mode))


def centred(size: tuple[int, ...], d: Data) -> Augmentation:
    """MONAI's first pixel is N // 2 - n // 2."""
    place = [0.5 if n % 2 else BEFORE for n in reversed(size)]
    return in_space("random_crop", d)(size=size, position=af.Constant(place))


def middle(t: Any, s: Any, d: Data) -> Augmentation:
    return centred(d.size(s.roi_size, "roi_size"), d)


def padded_or_cropped(t: Any, s: Any, d: Data) -> Augmentation:
    grown = padded(t, s, d)
    return af.pipeline(grown, centred(d.size(s.spatial_size, "spatial_size"), d))


def cropped(t: Any, s: Any, d: Data) -> Augmentation:
    if s.random_size:
        raise ValueError("random_size=True: the windows of a batch are of one size")
    several(t, s, d)
    size = d.size(s.roi_size, "roi_size")
    return in_space("random_crop", d)(size=size) if s.random_center else centred(size, d)


def several(t: Any, s: Any, d: Data) -> None:
    """Windows of a sample: one here."""
    n = getattr(s, "num_samples", 1)
    if n > 1:
        fix = f"af.views(found.pipeline, {n}) draws as many, or repeat the batch: x.repeat_interleave({n}, 0)"
        d.notes.differ(t, f"one window for each sample, not num_samples={n} ({fix})")


def around_label(t: Any, s: Any, d: Data) -> Augmentation:
    """Background is what is not labelled."""
    several(t, s, d)
    if getattr(s, "image_key", None) is not None or getattr(s, "image", None) is not None:
        d.notes.differ(
            t, f"background is any voxel without a label, not only above image_threshold={s.image_threshold}"
        )
    size = d.size(s.spatial_size, "spatial_size")
    if d.ndim == 3:
        return af.foreground_crop3d(size=size, ratios=(1 - s.pos_ratio, s.pos_ratio), position=0.5)
    middle = af.Constant([n // 2 / max(n - 1, 1) for n in reversed(size)])
    labelled = af.mask_crop(size=size, position=middle)
    if s.pos_ratio == 1:
        return labelled
    d.notes.differ(t, "a window that is not around a label lies anywhere, not around background")
    return af.one_of(labelled, af.random_crop(size=size), weights=(s.pos_ratio, 1 - s.pos_ratio))


def around_classes(t: Any, s: Any, d: Data) -> Augmentation:
    several(t, s, d)
    shares = many(s.ratios) or [1] * (s.num_classes or 0)
    if d.ndim == 2 or len(shares) < 2:
        raise ValueError("it has a counterpart for volumes, with ratios or num_classes")
    return af.foreground_crop3d(size=d.size(s.spatial_size, "spatial_size"), ratios=tuple(shares), position=0.5)


TABLE: dict[str, Callable[[Any, Any, Data], Augmentation]] = {
    "Flip": flip,
    "RandFlip": flip,
    "RandAxisFlip": lambda t, s, d: af.one_of(*[f() for f in FLIPS[d.ndim]]),
    "Rotate90": turned90,
    "RandRotate90": randomly_turned90,
    "Rotate": rotated,
    "RandRotate": randomly_rotated,
    "Zoom": zoomed,
    "RandZoom": zoomed,
    "Affine": moved,
    "RandAffine": randomly_moved,
    "Rand2DElastic": bent,
    "Rand3DElastic": bent,
    "RandGridDistortion": cells,
    "Resize": resized,
    "SpatialPad": padded,
    "DivisiblePad": divisible,
    "BorderPad": bordered,
    "CenterSpatialCrop": middle,
    "ResizeWithPadOrCrop": padded_or_cropped,
    "RandSpatialCrop": cropped,
    "RandSpatialCropSamples": cropped,
    "RandCropByPosNegLabel": around_label,
    "RandCropByLabelClasses": around_classes,
}
WARPS = {"Rotate", "RandRotate", "Zoom", "RandZoom", "Affine", "RandAffine", "Rand2DElastic", "Rand3DElastic"}
WARPS |= {"RandGridDistortion", "Resize"}  # read between pixels
FRAMED = ("Affine", "RandAffine", "Rand2DElastic", "Rand3DElastic")  # with a spatial_size of what comes out
ALIGNED = {"align_corners": ((None, False), "")}
ORDERED = {"rotate_order": (("XYZ",), "")}
FOUND = {"allow_smaller": ((False,), "")}
EXPECTED: dict[str, dict[str, tuple[tuple[Any, ...], str]]] = {  # arguments with the values that have a counterpart
    "Rotate": {"keep_size": ((True,), ": pad before it"), **ALIGNED, **ORDERED},
    "RandRotate": {"keep_size": ((True,), ": pad before it"), **ALIGNED},
    "Zoom": {"keep_size": ((True,), ": Resize has a counterpart"), **ALIGNED},
    "RandZoom": {"keep_size": ((True,), ": the samples of a batch are of one size"), **ALIGNED},
    "Affine": {"norm_coord": ((True,), ""), **ALIGNED, **ORDERED},
    "Resize": ALIGNED,
    "RandCropByPosNegLabel": FOUND | {"fg_indices_key": ((None,), ""), "bg_indices_key": ((None,), "")},
    "RandCropByLabelClasses": FOUND | {"indices_key": ((None,), ""), "max_samples_per_class": ((None,), "")},
}
WHOLE = (
    "zooms by the factor itself (MONAI's sizes are whole), and beyond the frame repeats the image, not the zoomed one"
)
LARGER = "a window larger than the frame raises; MONAI's is cut to it"
FIELD = "another random field, of 8 control points along each axis, with the same standard deviation"
DIFFERS = {
    "Zoom": WHOLE,
    "RandZoom": WHOLE,
    "CenterSpatialCrop": LARGER,
    "RandSpatialCrop": LARGER,
    "RandSpatialCropSamples": LARGER,
    "Rand2DElastic": FIELD,
    "Rand3DElastic": FIELD,
    "RandGridDistortion": "equal cells are the identity, and the frame's border stays; MONAI's cells overlap",
}
LOADING = "at loading, by MONAI, or af.read_volume(path, spacing=...), whose axes run right, front and up"
LACKING = {
    "Spacing": f"reads the size of voxels from the file: {LOADING}",
    "Orientation": f"reads the axes from the file: {LOADING}",
    "CropForeground": "a window whose size follows the image, where a batch has one size: before the batch, by MONAI",
}

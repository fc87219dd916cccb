"""albumentations' transforms that move pixels: what each is here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import augfn as af
import augfn_nn as nn_
from augfn.core.augmentation import Augmentation
from augfn_nn.converters.albumentations_values import (
    POSITIONS,
    Make,
    Said,
    Values,
    Why,
    bordered,
    is_area,
    normal,
    pair,
    resampled,
    sampled,
)
from augfn_nn.converters.by_frame import RotationByFrame
from augfn_nn.converters.values import between, one_each
from augfn_nn.warp import ElasticByFrame

HEIGHTS = 8


def affine(a: Said) -> Augmentation:
    """albumentations' order: scale, rotate, shear, translate; one resample all the same."""
    ways, shear, scale = sampled(a), a["shear"], a["scale"]
    spread = balanced if a.get("balanced_scale") else between
    if a.get("keep_ratio") or (scale["x"] == scale["y"] and len({*scale["x"]}) == 1):
        steps = [af.scale(scale=spread(scale["x"]), **ways)]
    else:
        steps = [af.scale(scale=spread(scale["x"]), scale_y=spread(scale["y"]), **ways)]
    steps += [af.rotate(degrees=between(a["rotate"]), **ways)]
    steps += [af.shear(shear=pair(shear["x"], shear["y"]), **ways)] if any((*shear["x"], *shear["y"])) else []
    moved, unit = (
        (a["translate_percent"], "fraction") if a.get("translate_percent") else (a.get("translate_px"), "pixel")
    )
    if moved and any((*moved["x"], *moved["y"])):
        steps += [af.translate(translate=pair(moved["x"], moved["y"]), unit=unit, whole=unit == "fraction", **ways)]
    return af.pipeline(*steps)


def balanced(scale: Any) -> Any:
    """As often below 1 as above it."""
    low, high = scale
    return af.Quantiles([low, 1.0, high]) if low < 1 < high else between(scale)


def moved(a: Said) -> Augmentation:
    both = {"x": a["shift_limit_x"], "y": a["shift_limit_y"]}
    scale = [1 + v for v in a["scale_limit"]]
    still = {"x": [0.0, 0.0], "y": [0.0, 0.0]}
    said = {"rotate": a["rotate_limit"], "scale": {"x": scale, "y": scale}, "keep_ratio": False, "shear": still}
    return affine(a | said | {"translate_percent": both})


def perspective(a: Said) -> Augmentation:
    """Corners by a half-normal distribution, cut at three standard deviations; then its second zoom about the top left."""
    ways, scale = sampled(a), a["scale"]
    zoomed = between(scale, 1 / 1.12, 1.0)  # the mean of its longer sides
    right = pair(*([v * 0.56 for v in scale] for _ in "xy"))
    return af.pipeline(
        af.perspective(distortion_scale=between(scale, 1 / 6), corners=normal(0.0, 1 / 3, 0.0, 1.0), **ways),
        af.scale(scale=zoomed, **ways),
        af.translate(translate=right, unit="fraction", **ways),
    )


def optical(a: Said) -> Augmentation:
    """Of a radius in widths, with a second term, 2/3 fit best; else that of the half diagonal."""
    return af.optical_distortion(k=between(a["distort_limit"], 1.5 if a["mode"] == "camera" else 1.0), **sampled(a))


def gridded(a: Said) -> Augmentation:
    return af.pipeline(nn_.GridDistortion(a["num_steps"], tuple(a["distort_limit"]), p=1.0).f, **sampled(a))


def piecewise(a: Said) -> Augmentation:
    """Points move by a normal distribution, whose standard deviation is a third of the scale."""
    if [*a["nb_rows"], *a["nb_cols"]] != [4, 4, 4, 4]:
        raise ValueError("a grid of 4 x 4 points: nb_rows=4, nb_cols=4")
    return af.piecewise_affine(scale=between(a["scale"]), control=normal(0.0, 1 / 3, -1.0, 1.0), **sampled(a))


def spline(a: Said) -> Augmentation:
    """Points move by a normal distribution, whose standard deviation is a tenth of the scale, in sides."""
    return af.thin_plate_spline(
        scale=between(a["scale_range"], 1 / 0.6), control=normal(0.0, 1 / 3, -1.0, 1.0), **sampled(a)
    )


def bent(a: Said) -> Augmentation:
    """By uniform noise, blurred by sigma pixels, of alpha pixels."""
    kernel = 17 if a["approximate"] else int(8 * a["sigma"] + 1) | 1
    sigma, alpha = float(a["sigma"]), float(a["alpha"])
    f = ElasticByFrame(
        (kernel, kernel), (sigma, sigma), (alpha, alpha), pixels=True, normal=a["noise_distribution"] == "gaussian"
    )
    return af.pipeline(f, **sampled(a))


def padded_to(a: Said) -> Augmentation:
    if not (a["min_height"] and a["min_width"]):
        raise ValueError("min_height and min_width: both")
    return af.pad_to(position=POSITIONS[a["position"]], size=(a["min_height"], a["min_width"]), **bordered(a))


def padded(a: Said) -> Augmentation:
    n = a["padding"]
    return af.pad(padding=n if isinstance(n, int) else tuple(n), **bordered(a))


def cropped(crop: Callable[..., Any]) -> Make:
    """A crop of one size, of what was padded up to it where that is asked for."""

    def make(a: Said) -> Augmentation:
        size = (a["height"], a["width"])
        if not a.get("pad_if_needed"):
            return crop(size=size)
        return af.pipeline(af.pad_to(size=size, position=POSITIONS[a["pad_position"]], **bordered(a)), crop(size=size))

    return make


def window(a: Said) -> Augmentation:
    """A fixed window: the top left of the frame up to its end, and the bottom right of that."""
    size = (a["y_max"] - a["y_min"], a["x_max"] - a["x_min"])
    whole = af.random_crop(size=(a["y_max"], a["x_max"]), position=0.0)
    return af.pipeline(whole, af.random_crop(size=size, position=1.0)) if a["x_min"] or a["y_min"] else whole


def sized(a: Said) -> Augmentation:
    """A window of one of a few heights, resized."""
    low, high = a["min_max_height"]
    n = min(HEIGHTS, high - low + 1)
    heights = [low + round(i * (high - low) / max(n - 1, 1)) for i in range(n)]
    back = af.resize(size=tuple(a["size"]), **resampled(a))
    windows = [af.random_crop(size=(h, int(h * a["w2h_ratio"]))) for h in heights]
    return one_each([af.pipeline(f, back) for f in windows])


def reframed(a: Said) -> Augmentation:
    """Sides that grow or shrink: with the size kept a zoom, else a pad. Its order: top, right, bottom, left."""
    given = a["px"] if a["percent"] is None else a["percent"]
    given = [given] * 4 if isinstance(given, int | float) else given
    if not a["keep_size"]:
        if not all(isinstance(v, int) and v >= 0 for v in given) or len(given) != 4:
            raise ValueError(
                "keep_size=False: numbers of pixels to pad by; what is cropped makes frames of other sizes"
            )
        top, right, bottom, left = given
        return af.pad(padding=(left, top, right, bottom), **bordered(a))
    if a["percent"] is None:
        raise ValueError("px with keep_size=True: give percent, a zoom")
    ways = sampled(a)
    if len(given) == 2:
        low, high = given
        side = {} if low == high else {"scale": af.InverseUniform(1 + 2 * low, 1 + 2 * high)}
        if side and a["sample_independently"]:
            apart = (high - low) / 2
            step = af.scale(scale=side["scale"], scale_y=side["scale"], **ways)
            return af.pipeline(step, af.translate(translate=af.Uniform(-apart, apart), unit="fraction", **ways))
        return af.scale(scale=side.get("scale", 1 / (1 + 2 * low)), **ways)
    if not all(isinstance(v, int | float) for v in given):
        raise ValueError("percent: a number, a range, or one number for each side")
    top, right, bottom, left = given
    x, y = 1 + left + right, 1 + top + bottom
    shift = [(left - right) / (2 * x), (top - bottom) / (2 * y)]
    f = af.scale(scale=1 / x, scale_y=1 / y, **ways)
    return af.pipeline(f, af.translate(translate=af.Constant(shift), unit="fraction", **ways)) if any(shift) else f


def one_size(name: str) -> Make:
    """By the longest or the smallest side, or by one that is named."""
    make = getattr(af, name)

    def by(a: Said) -> Augmentation:
        ways = resampled(a)
        if a.get("max_size_hw"):
            height, width = a["max_size_hw"]
            if height and width:
                raise ValueError("max_size_hw: one of the two")
            return af.resize(size=height or width, side="vert" if height else "horz", **ways)
        return make(max_size=a["max_size"], **ways)

    return by


def mosaic(a: Said) -> Augmentation:
    """Four images of one size, and a window of that size, in which they meet at a point of the range."""
    size, (low, high) = tuple(a["target_size"]), a["center_range"]
    if [*a["grid_yx"]] != [2, 2] or tuple(a["cell_shape"]) != size:
        raise ValueError("2 x 2 images, cell_shape as target_size")
    place = af.Uniform(1 - high, 1 - low) if low < high else 1 - low
    four = af.mosaic(centre=0.5, fill=bordered({"border_mode": 0, **a})["fill"], fill_mask=float(a["fill_mask"]))
    return af.pipeline(af.resize(size=size, **resampled(a)), four, af.random_crop(size=size, position=place))


def padded3d(a: Said) -> Augmentation:
    """Its order: depth, height, width, each before and behind."""
    n = a["padding"]
    if isinstance(n, int):
        return af.pad3d(padding=n, fill=bordered({"border_mode": 0, **a})["fill"])
    front, back, top, bottom, left, right = n if len(n) == 6 else [v for v in n for _ in range(2)]
    return af.pad3d(padding=(left, top, front, right, bottom, back), fill=bordered({"border_mode": 0, **a})["fill"])


def padded_to3d(a: Said) -> Augmentation:
    size, divisors = a["min_zyx"], a["pad_divisor_zyx"]
    if (size and divisors) or (divisors and len({*divisors}) > 1):
        raise ValueError("min_zyx, or one divisor of all sides")
    known = {"divisible": divisors[0]} if divisors else {"size": tuple(size)}
    place = None if a["position"] == "center" else POSITIONS["random"]
    return af.pad_to3d(position=place, **known, **bordered({"border_mode": 0, **a}))


def cubic() -> Augmentation:
    """One of the 48 symmetries of the cube: axes change places in one of six ways, then each is mirrored or not."""
    xy, xz, yz = (af.rot90_3d(k=1, plane=plane) for plane in ("xy", "xz", "yz"))
    axes = af.one_of(af.identity(), xy, xz, yz, af.pipeline(xy, xz), af.pipeline(xy, yz))
    return af.pipeline(axes, *(af.maybe(f) for f in (af.hflip3d(), af.vflip3d(), af.dflip3d())))


GEOMETRY: dict[str, Make] = {
    "NoOp": lambda a: af.identity(),
    "HorizontalFlip": lambda a: af.hflip(),
    "VerticalFlip": lambda a: af.vflip(),
    "TimeReverse": lambda a: af.hflip(),
    "Transpose": lambda a: af.pipeline(af.rot90(k=1), af.vflip()),
    "RandomRotate90": lambda a: af.quarter_turn(),
    "D4": lambda a: af.d4(),
    "SquareSymmetry": lambda a: af.d4(),
    "Rotate": lambda a: af.rotate(degrees=between(a["limit"]), **sampled(a)),
    "SafeRotate": lambda a: af.pipeline(RotationByFrame(between(a["limit"])), **sampled(a)),
    "Affine": affine,
    "ShiftScaleRotate": moved,
    "Perspective": perspective,
    "OpticalDistortion": optical,
    "GridDistortion": gridded,
    "PiecewiseAffine": piecewise,
    "ThinPlateSpline": spline,
    "ElasticTransform": bent,
    "RandomGridShuffle": lambda a: af.jigsaw(grid=tuple(a["grid"])),
    "Mosaic": mosaic,
    "RandomResizedCrop": lambda a: nn_.RandomResizedCrop(
        tuple(a["size"]), tuple(a["scale"]), tuple(a["ratio"]), **resampled(a)
    ),
    "RandomSizedCrop": sized,
    "RandomSizedBBoxSafeCrop": lambda a: af.bbox_safe_crop(size=(a["height"], a["width"]), **resampled(a)),
    "CropNonEmptyMaskIfExists": lambda a: af.mask_crop(size=(a["height"], a["width"])),
    "RandomCrop": cropped(af.random_crop),
    "CenterCrop": cropped(af.center_crop),
    "Crop": window,
    "CropAndPad": reframed,
    "Pad": padded,
    "PadIfNeeded": padded_to,
    "Resize": lambda a: af.resize(size=(a["height"], a["width"]), **resampled(a)),
    "SmallestMaxSize": one_size("smallest_max_size"),
    "LongestMaxSize": one_size("longest_max_size"),
    "CenterCrop3D": lambda a: af.center_crop3d(size=tuple(a["size"])),
    "RandomCrop3D": lambda a: af.random_crop3d(size=tuple(a["size"])),
    "Pad3D": padded3d,
    "PadIfNeeded3D": padded_to3d,
    "CubicSymmetry": lambda a: cubic(),
}
EXPECTED: dict[str, Values] = {
    "Rotate": {"crop_border": ((False,), ": frames of another size for each angle")},
    "Affine": {"fit_output": ((False,), ": frames of another size for each angle")},
    "Perspective": {"keep_size": ((True,), ""), "fit_output": ((False,), "")},
    "GridDistortion": {"normalized": ((True,), "")},
    "PiecewiseAffine": {"absolute_scale": ((False,), ": fractions of the frame")},
    "ElasticTransform": {"same_dxdy": ((False,), "")},
    "RandomSizedBBoxSafeCrop": {"erosion_rate": ((0, 0.0), "")},
    "CropNonEmptyMaskIfExists": {"ignore_values": ((None,), ""), "ignore_channels": ((None,), "")},
    "Crop": {"pad_if_needed": ((False,), ": PadIfNeeded before it")},
    "PadIfNeeded": {
        "pad_height_divisor": ((None,), ": its size"),
        "pad_width_divisor": ((None,), ": its size"),
    },
    "CenterCrop3D": {"pad_if_needed": ((False,), ": PadIfNeeded3D before it")},
    "RandomCrop3D": {"pad_if_needed": ((False,), ": PadIfNeeded3D before it")},
}


def shrunk(line: str = "") -> Callable[[Said], str]:
    """OpenCV's mean over areas."""
    area = "an area is averaged by a triangle twice as wide as OpenCV's box"
    return lambda a: "; ".join(v for v in (line, area if is_area(a) else "") if v)


def reframes(a: Said) -> str:
    given = a["percent"] if isinstance(a["percent"], list | tuple) else [a["percent"]]
    apart = a["sample_independently"] and len(given) == 2 and given[0] < given[1]
    lines = {"each side's share of a zoom and a shift": apart, "the border reads beyond the crop": min(given) < 0}
    return "; ".join(line for line, so in lines.items() if so)


DIFFERS: dict[str, Why] = {
    "Affine": lambda a: (
        "shears in x and y at once follow each other" if any(a["shear"]["x"]) and any(a["shear"]["y"]) else ""
    ),
    "SafeRotate": "the library reads up to a pixel aside",
    "Perspective": "corners of the result move out by what those of the source move in, and the second zoom is its mean",
    "OpticalDistortion": lambda a: (
        "one radial term that fits best, and the centre lies half a pixel off"
        if a["mode"] == "camera"
        else "the centre lies half a pixel off"
    ),
    "GridDistortion": "lines are read at the pixels' centres: up to a pixel aside",
    "PiecewiseAffine": "points move alike, linear in between; the library's weights bend more, without noise too",
    "ThinPlateSpline": lambda a: (
        "the corners and the middle move, by the same spread"
        + (", not a grid, which bends about twice as far" if a["num_control_points"] != 2 else "")
    ),
    "ElasticTransform": "a field of the same strength and width, with at most 8 x 8 bends",
    "RandomGridShuffle": "tiles are of one size, at least two change places, and what is left over at the border stays",
    "Mosaic": "the others are of the batch, all stretched to the size, the own one top left",
    "RandomResizedCrop": shrunk(),
    "RandomSizedCrop": lambda a: shrunk(
        f"one of {HEIGHTS} heights" if a["min_max_height"][1] - a["min_max_height"][0] >= HEIGHTS else ""
    )(a),
    "RandomSizedBBoxSafeCrop": shrunk("without boxes the middle half of the frame is kept, not all of it"),
    "CropAndPad": lambda a: reframes(a) if a["keep_size"] else "",
    "Resize": lambda a: shrunk(
        "nearest reads at the centre of a pixel, OpenCV's at its corner" if a["interpolation"] == 0 else ""
    )(a),
    "SmallestMaxSize": shrunk("the other side is rounded down"),
    "LongestMaxSize": shrunk("the other side is rounded down"),
    "RandomRotate90": "frames that are not square need one sure turn",
    "Transpose": "frames that are not square need p=1",
}
FRAMES = {  # what changes the frame
    *{"RandomResizedCrop", "RandomSizedCrop", "RandomSizedBBoxSafeCrop", "CropNonEmptyMaskIfExists", "RandomCrop"},
    *{"CenterCrop", "Crop", "Pad", "PadIfNeeded", "Resize", "SmallestMaxSize", "LongestMaxSize", "Mosaic"},
    *{"CenterCrop3D", "RandomCrop3D", "Pad3D", "PadIfNeeded3D"},
}
SIZE = "frames of a random size: a batch has one"
LACKS = {
    "RandomScale": f"{SIZE}; af.scale zooms in the frame",
    "RandomCropFromBorders": SIZE,
    "RandomCropNearBBox": SIZE,
    "BBoxSafeRandomCrop": f"{SIZE}; RandomSizedBBoxSafeCrop has one size",
    "AtLeastOneBBoxRandomCrop": "no crop looks at one of the boxes; RandomSizedBBoxSafeCrop holds all, af.iou_crop one",
    "GridElasticDeform": "in pixels of the frame; PiecewiseAffine is in fractions",
}

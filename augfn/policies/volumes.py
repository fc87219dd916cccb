"""Recipes for volumes and clips, with the probabilities and ranges of their references."""

from __future__ import annotations

from typing import Any

from augfn.compose import maybe, one_of, pipeline
from augfn.core.augmentation import Augmentation
from augfn.distributions import InverseUniform, LogUniform, Quantiles
from augfn.errors import explain
from augfn.ops.clips import time_crop, time_subsample
from augfn.ops.crop import resized_crop
from augfn.ops.filters import downscale, gaussian_blur
from augfn.ops.geometric import hflip
from augfn.ops.levels import intensity_window
from augfn.ops.noise import gaussian_noise, poisson_noise
from augfn.ops.photometric import brightness, brightness_shift, color_jitter, contrast, gamma
from augfn.ops.volume_frames import center_crop3d, foreground_crop3d, random_crop3d
from augfn.ops.volume_warp import elastic3d
from augfn.ops.volumetric import dflip3d, hflip3d, rot90_3d, rotate3d, scale3d, vflip3d

FLIPS = {"x": hflip3d, "y": vflip3d, "z": dflip3d}
ANISOTROPIC = 3  # times as long as deep: from here on a patch is turned in its slices alone
PLAIN = {"clip": "none"}  # z-scores are cut off nowhere


def quarter_turns(p: float, plane: str = "xy") -> Augmentation:
    """One, two or three quarters, equally likely."""
    return maybe(one_of(*[rot90_3d(k=k, plane=plane) for k in (1, 2, 3)]), p=p)


def nnunet(size: Any = None, dummy_2d: bool | None = None, mirror: str = "xyz") -> Augmentation:
    """nnU-Net's default training: turns and zooms (.2 each, one resample), noise .1, blur .2, brightness .15, contrast .15, low
    resolution .25, inverted gamma .1, gamma .3, mirrors .5; for z-scored volumes, channels drawn apart where nnU-Net does.

    `size=(d, h, w)`: the patch that is cut out of the middle, in the same resample (a larger one should come in, as nnU-Net's
    loader cuts it). `dummy_2d`: turns in the slices alone, by up to 180 degrees; None: where the patch is three times as wide as
    deep. `mirror`: the axes; not those along which left and right are labels. Differences: masks are read nearest, not as the
    largest of interpolated labels; the blur's kernel has 7 voxels whatever its sigma, and continues
    flat patches by their border (others need 4 slices). Source: Isensee et al. 2021,
    batchgeneratorsv2 0.3.6."""
    flat = dummy_2d if dummy_2d is not None else isinstance(size, list | tuple) and max(size) > ANISOTROPIC * size[0]
    if not isinstance(mirror, str) or set(mirror) - set(FLIPS):
        want, fix = "some of 'x', 'y', 'z' in a string", 'mirror="yz", or mirror="" for none'
        raise ValueError(explain("nnunet: mirror", mirror, want, fix))
    near, curve = Quantiles([0.75, 1.0, 1.25]), Quantiles([0.7, 1.0, 1.5])
    degrees: Any = ((0.0, 0.0), (0.0, 0.0), (-180.0, 180.0)) if flat else (-30.0, 30.0)
    widths = {"sigma": (0.5, 1.0), "sigma_y": (0.5, 1.0), "sigma_z": (0.5, 1.0)}
    each: dict[str, Any] = {"per_channel": True}
    return pipeline(
        rotate3d(degrees=degrees, order="xyz", p=0.2),
        scale3d(scale=InverseUniform(0.7, 1.4), scale_z=1.0 if flat else None, p=0.2),
        *([] if size is None else [center_crop3d(size=size)]),
        gaussian_noise(std=(0.0, 0.1), p=0.1, **PLAIN),
        gaussian_blur(kernel_size=7, **widths, **({"padding_mode": "border"} if flat else {}), p=0.2, p_channel=0.5),
        brightness(factor=near, p=0.15, **each, **PLAIN),
        contrast(factor=near, preserve_range=True, p=0.15, **each),
        downscale(
            factor=(0.5, 1.0),
            interpolation="bilinear",
            reduce="nearest",
            axes=("x", "y") if flat else None,
            p=0.25,
            p_channel=0.5,
        ),
        gamma(gamma=curve, invert=True, retain_stats=True, p=0.1, **each),
        gamma(gamma=curve, retain_stats=True, p=0.3, **each),
        *[FLIPS[axis](p=0.5) for axis in mirror],
    )


def monai_segmentation(size: Any = 96, low: float = -175.0, high: float = 250.0) -> Augmentation:
    """Swin UNETR's training on abdominal CT: window to [0, 1], a patch of `size` around a voxel of the foreground or of the
    background (1 : 1), flips .2 each, quarter turns of the slices .2, scale and shift by .1 at .1. For volumes in Hounsfield
    units with a mask, of one spacing (`af.read_volume(path, spacing=(1.5, 1.5, 2.0))`), no smaller than the patch (`pad_to3d`
    first). Source: Hatamizadeh et al. 2022, MONAI's research contributions."""
    return pipeline(
        intensity_window(low=low, high=high, unit="value"),
        foreground_crop3d(size=size, ratios=(1, 1), position=0.5),
        *[flip(p=0.2) for flip in FLIPS.values()],
        quarter_turns(0.2),
        brightness(factor=(0.9, 1.1), p=0.1, **PLAIN),
        brightness_shift(shift=(-0.1, 0.1), p=0.1, **PLAIN),
    )


def microscopy(size: Any = None) -> Augmentation:
    """Fluorescence stacks in [0, 1], z coarser than x and y: symmetries of the slices, slight zooms and bends, intensities times
    .6 to 2 and shifted by .2, the blur of another focus, shot noise. Source: StarDist's augmenter (Weigert et al. 2020) for
    symmetries and intensities; what bends and blurs is practice. Slices are square, or cut so (`size`). A bend has no
    matrix: leave an `affine` out of the dict."""
    return pipeline(
        *([] if size is None else [random_crop3d(size=size)]),
        *[flip(p=0.5) for flip in FLIPS.values()],
        quarter_turns(0.75),
        scale3d(scale=(0.85, 1.2), p=0.3),
        elastic3d(alpha=(0.0, 0.02), p=0.2),
        gaussian_blur(kernel_size=7, sigma=(0.1, 1.0), sigma_z=(0.1, 1.5), p=0.2),
        brightness(factor=(0.6, 2.0), per_channel=True, **PLAIN),
        brightness_shift(shift=(-0.2, 0.2), per_channel=True),
        poisson_noise(photons=LogUniform(50.0, 1000.0), p=0.5),
    )


def ct_detection(size: Any = 128, low: float = -1024.0, high: float = 300.0) -> Augmentation:
    """Nodules in chest CT, with boxes: window to [0, 1], a patch of `size` around a box or anywhere (1 : 1), zoom .2, flips .5
    each, quarter turns of the slices .75, noise, blur, scale, shift, gamma. For volumes in Hounsfield units, no smaller than the
    patch (`pad_to3d` first). Source: after MONAI's LUNA16 detection tutorial."""
    return pipeline(
        intensity_window(low=low, high=high, unit="value"),
        foreground_crop3d(size=size, ratios=(1, 1), around="boxes"),
        scale3d(scale=(0.7, 1.4), p=0.2),
        *[flip(p=0.5) for flip in FLIPS.values()],
        quarter_turns(0.75),
        gaussian_noise(std=(0.0, 0.1), p=0.1, **PLAIN),
        gaussian_blur(kernel_size=7, sigma=(0.5, 1.0), sigma_y=(0.5, 1.0), sigma_z=(0.5, 1.0), p=0.1),
        brightness(factor=(0.75, 1.25), p=0.15, **PLAIN),
        brightness_shift(shift=(-0.1, 0.1), p=0.15, **PLAIN),
        gamma(gamma=(0.7, 1.5), p=0.3),
    )


def video_classification(size: Any = 224, frames: int = 16, span: int | None = None) -> Augmentation:
    """Actions in clips: `frames` of a part of `span` frames in a row (None: of all), a crop of .49 to .77 of the area (as short
    sides of 256 to 320 for 224), flip, light colour, all of a clip alike. Source: PyTorchVideo's and SlowFast's Kinetics
    recipes."""
    light = (0.6, 1.4)
    return pipeline(
        *([] if span is None else [time_crop(size=span)]),
        time_subsample(size=frames),
        resized_crop(size=size, scale=((224 / 320) ** 2, (224 / 256) ** 2), ratio=1.0),
        hflip(p=0.5),
        color_jitter(brightness=light, contrast=light, saturation=light, hue=(-0.1, 0.1), p=0.8),
    )


VOLUMES = {f.__name__: f for f in (nnunet, monai_segmentation, microscopy, ct_detection, video_classification)}

"""augfn: functional, differentiable augmentation. Four words: key, distribution, augmentation, pipeline."""

from augfn import supported
from augfn.compose import identity, maybe, mixture, one_of, pipeline, repeat, some_of
from augfn.core.augmentation import Augmentation
from augfn.core.boxes import Boxes, Keypoints, drop_invalid
from augfn.core.opaque import opaque
from augfn.curricula import Curriculum, cosine, linear, piecewise, schedule, stepped
from augfn.data import AugmentedDataset, collate
from augfn.distributions import (
    Bernoulli,
    Beta,
    Choice,
    Constant,
    Dirichlet,
    Distribution,
    Exponential,
    GumbelChoice,
    Interval,
    InverseUniform,
    Knots,
    LogitBernoulli,
    LogitChoice,
    LogNormal,
    LogUniform,
    Magnitude,
    Normal,
    Quantiles,
    RelaxedBernoulli,
    Span,
    TruncatedNormal,
    Uniform,
)
from augfn.images import to_float, to_pil, to_uint8
from augfn.moments import channel_stats
from augfn.multiview import views
from augfn.nifti import read_volume, write_volume
from augfn.ops.blurs import defocus, glass_blur, motion_blur, motion_blur3d, zoom_blur
from augfn.ops.channels import channel_dropout, channel_shuffle, planckian_jitter, rgb_shift
from augfn.ops.clips import frame_dropout, time_crop, time_reverse, time_speed, time_subsample
from augfn.ops.crop import center_crop, pad, random_crop, resize, resized_crop
from augfn.ops.depth import depth_dropout, depth_noise, depth_normalize
from augfn.ops.filters import (
    box_blur,
    downscale,
    gaussian_blur,
    median_blur,
    ringing,
    sharpness,
    unsharp_mask,
)
from augfn.ops.frames import (
    bbox_safe_crop,
    iou_crop,
    longest_max_size,
    mask_crop,
    pad_to,
    scale_jitter,
    smallest_max_size,
    zoom_out,
)
from augfn.ops.geometric import affine, hflip, perspective, rot90, rotate, scale, shear, stretch, translate, vflip
from augfn.ops.illumination import (
    gaussian_illumination,
    linear_corner_illumination,
    linear_illumination,
    plasma_brightness,
    plasma_contrast,
    plasma_shadow,
)
from augfn.ops.levels import equalize3d, histogram_shift, intensity_window, zscore
from augfn.ops.linear import hue_rotation, linear_contrast, linear_saturation, luma_flip
from augfn.ops.mix import copy_paste, cutmix, fmix, gridmix, mixup, mosaic, patchmix, resizemix, transplant
from augfn.ops.noise import gaussian_noise, iso_noise, poisson_noise, salt_and_pepper, speckle
from augfn.ops.occlude import coarse_dropout, cutout, erase, erase_noise, grid_mask, mask_dropout, patch
from augfn.ops.photometric import (
    brightness,
    brightness_shift,
    color_jiggle,
    color_jitter,
    color_twist,
    contrast,
    denormalize,
    gamma,
    grayscale,
    hsv_saturation,
    hsv_shift,
    hue,
    normalize,
    saturation,
    solarize,
    solarize_add,
)
from augfn.ops.scanner import (
    anisotropy,
    bias_field,
    ghosting,
    gibbs,
    motion_artifact,
    rician_noise,
    spike,
)
from augfn.ops.symmetry import d4, jigsaw, quarter_turn
from augfn.ops.tone import autocontrast, clahe, dither, equalize, jpeg, posterize, tone_curve
from augfn.ops.volume_frames import (
    center_crop3d,
    foreground_crop3d,
    pad3d,
    pad_to3d,
    random_crop3d,
    resize3d,
    spacing3d,
)
from augfn.ops.volume_warp import elastic3d, grid_distortion3d, thin_plate_spline3d
from augfn.ops.volumetric import (
    affine3d,
    dflip3d,
    hflip3d,
    perspective3d,
    rot90_3d,
    rotate3d,
    scale3d,
    shear3d,
    translate3d,
    vflip3d,
)
from augfn.ops.warp import (
    elastic,
    fisheye,
    grid_distortion,
    optical_distortion,
    piecewise_affine,
    thin_plate_spline,
)
from augfn.ops.weather import fog, rain, shadow, snow, sun_flare
from augfn.patches import patchwise
from augfn.policies.published import augmix, auto_augment, rand_augment, trivial_augment
from augfn.policies.recipes import recipe
from augfn.policies.strings import policy
from augfn.predict import product, tta
from augfn.random import bits, fold_in, key, normal, sample_keys, split, uniform
from augfn.saving import load, save
from augfn.undoing import invert, transform_matrix
from augfn.words import explain

__version__ = "1.0.0rc1"

# The public modules beside these names, imported when they are asked for.
_MODULES = (
    "analysis",
    "custom",
    "distributed",
    "distributions",
    "learn",
    "losses",
    "offline",
    "random",
    "testing",
    "tune",
    "typing",
)

# Modules have no `__module__`; all else that is imported here is public. For type checkers the stub lists it.
__all__ = sorted(  # pyright: ignore[reportUnsupportedDunderAll]
    name for name, value in vars().items() if name[0] != "_" and hasattr(value, "__module__")
)


def __getattr__(name: str) -> object:
    """Submodules such as `af.testing`, imported when they are asked for; for what there is not, the nearest name."""
    from importlib import import_module

    from augfn import errors

    if name in _MODULES:
        return import_module(f"augfn.{name}")
    if name[0].isupper() and name in import_module("augfn_nn").__all__:
        what, want = "no name of augfn, whose ops are functions", "a function, or the class of augfn_nn"
        raise AttributeError(errors.explain(what, name, want, f"augfn_nn.{name}"))
    raise AttributeError(errors.unknown("name in augfn", name, __all__))

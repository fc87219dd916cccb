# Written by `python -m augfn.app.stubs`.
from collections.abc import Callable, Sequence
from typing import Any, overload

from torch import Tensor

from augfn.compose import identity as identity
from augfn.compose import maybe as maybe
from augfn.compose import mixture as mixture
from augfn.compose import one_of as one_of
from augfn.compose import pipeline as pipeline
from augfn.compose import repeat as repeat
from augfn.compose import some_of as some_of
from augfn.core.augmentation import Augmentation as Augmentation
from augfn.core.augmentation import Op
from augfn.core.boxes import Boxes as Boxes
from augfn.core.boxes import Keypoints as Keypoints
from augfn.core.boxes import drop_invalid as drop_invalid
from augfn.core.opaque import opaque as opaque
from augfn.curricula import Curriculum as Curriculum
from augfn.curricula import cosine as cosine
from augfn.curricula import linear as linear
from augfn.curricula import piecewise as piecewise
from augfn.curricula import schedule as schedule
from augfn.curricula import stepped as stepped
from augfn.data import AugmentedDataset as AugmentedDataset
from augfn.data import collate as collate
from augfn.distributions.base import Distribution as Distribution
from augfn.distributions.continuous import Beta as Beta
from augfn.distributions.continuous import Constant as Constant
from augfn.distributions.continuous import Dirichlet as Dirichlet
from augfn.distributions.continuous import Exponential as Exponential
from augfn.distributions.continuous import Interval as Interval
from augfn.distributions.continuous import LogNormal as LogNormal
from augfn.distributions.continuous import LogUniform as LogUniform
from augfn.distributions.continuous import Normal as Normal
from augfn.distributions.continuous import Span as Span
from augfn.distributions.continuous import TruncatedNormal as TruncatedNormal
from augfn.distributions.continuous import Uniform as Uniform
from augfn.distributions.discrete import Bernoulli as Bernoulli
from augfn.distributions.discrete import Choice as Choice
from augfn.distributions.discrete import GumbelChoice as GumbelChoice
from augfn.distributions.discrete import LogitBernoulli as LogitBernoulli
from augfn.distributions.discrete import LogitChoice as LogitChoice
from augfn.distributions.discrete import RelaxedBernoulli as RelaxedBernoulli
from augfn.distributions.magnitude import Magnitude as Magnitude
from augfn.distributions.paths import Knots as Knots
from augfn.distributions.quantiles import InverseUniform as InverseUniform
from augfn.distributions.quantiles import Quantiles as Quantiles
from augfn.images import to_float as to_float
from augfn.images import to_pil as to_pil
from augfn.images import to_uint8 as to_uint8
from augfn.moments import channel_stats as channel_stats
from augfn.multiview import views as views
from augfn.nifti import read_volume as read_volume
from augfn.nifti import write_volume as write_volume
from augfn.patches import patchwise as patchwise
from augfn.policies.published import augmix as augmix
from augfn.policies.published import auto_augment as auto_augment
from augfn.policies.published import rand_augment as rand_augment
from augfn.policies.published import trivial_augment as trivial_augment
from augfn.policies.recipes import recipe as recipe
from augfn.policies.strings import policy as policy
from augfn.predict import product as product
from augfn.predict import tta as tta
from augfn.random.keys import bits as bits
from augfn.random.keys import fold_in as fold_in
from augfn.random.keys import key as key
from augfn.random.keys import normal as normal
from augfn.random.keys import sample_keys as sample_keys
from augfn.random.keys import split as split
from augfn.random.keys import uniform as uniform
from augfn.saving import load as load
from augfn.saving import save as save
from augfn.typing import Chance, Clip, Interpolation, Padding, Range
from augfn.undoing import transform_matrix as transform_matrix
from augfn.words import explain as explain

from . import analysis as analysis
from . import custom as custom
from . import distributed as distributed
from . import distributions as distributions
from . import learn as learn
from . import losses as losses
from . import offline as offline
from . import random as random
from . import testing as testing
from . import tune as tune
from . import typing as typing

__version__: str
__all__ = [
    "Augmentation",
    "AugmentedDataset",
    "Bernoulli",
    "Beta",
    "Boxes",
    "Choice",
    "Constant",
    "Curriculum",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "GumbelChoice",
    "Interval",
    "InverseUniform",
    "Keypoints",
    "Knots",
    "LogNormal",
    "LogUniform",
    "LogitBernoulli",
    "LogitChoice",
    "Magnitude",
    "Normal",
    "Quantiles",
    "RelaxedBernoulli",
    "Span",
    "TruncatedNormal",
    "Uniform",
    "affine",
    "affine3d",
    "anisotropy",
    "augmix",
    "auto_augment",
    "autocontrast",
    "bbox_safe_crop",
    "bias_field",
    "bits",
    "box_blur",
    "brightness",
    "brightness_shift",
    "center_crop",
    "center_crop3d",
    "channel_dropout",
    "channel_shuffle",
    "channel_stats",
    "clahe",
    "coarse_dropout",
    "collate",
    "color_jiggle",
    "color_jitter",
    "color_twist",
    "contrast",
    "copy_paste",
    "cosine",
    "cutmix",
    "cutout",
    "d4",
    "defocus",
    "denormalize",
    "depth_dropout",
    "depth_noise",
    "depth_normalize",
    "dflip3d",
    "dither",
    "downscale",
    "drop_invalid",
    "elastic",
    "elastic3d",
    "equalize",
    "equalize3d",
    "erase",
    "erase_noise",
    "explain",
    "fisheye",
    "fmix",
    "fog",
    "fold_in",
    "foreground_crop3d",
    "frame_dropout",
    "gamma",
    "gaussian_blur",
    "gaussian_illumination",
    "gaussian_noise",
    "ghosting",
    "gibbs",
    "glass_blur",
    "grayscale",
    "grid_distortion",
    "grid_distortion3d",
    "grid_mask",
    "gridmix",
    "hflip",
    "hflip3d",
    "histogram_shift",
    "hsv_saturation",
    "hsv_shift",
    "hue",
    "hue_rotation",
    "identity",
    "intensity_window",
    "invert",
    "iou_crop",
    "iso_noise",
    "jigsaw",
    "jpeg",
    "key",
    "linear",
    "linear_contrast",
    "linear_corner_illumination",
    "linear_illumination",
    "linear_saturation",
    "load",
    "longest_max_size",
    "luma_flip",
    "mask_crop",
    "mask_dropout",
    "maybe",
    "median_blur",
    "mixture",
    "mixup",
    "mosaic",
    "motion_artifact",
    "motion_blur",
    "motion_blur3d",
    "normal",
    "normalize",
    "one_of",
    "opaque",
    "optical_distortion",
    "pad",
    "pad3d",
    "pad_to",
    "pad_to3d",
    "patch",
    "patchmix",
    "patchwise",
    "perspective",
    "perspective3d",
    "piecewise",
    "piecewise_affine",
    "pipeline",
    "planckian_jitter",
    "plasma_brightness",
    "plasma_contrast",
    "plasma_shadow",
    "poisson_noise",
    "policy",
    "posterize",
    "product",
    "quarter_turn",
    "rain",
    "rand_augment",
    "random_crop",
    "random_crop3d",
    "read_volume",
    "recipe",
    "repeat",
    "resize",
    "resize3d",
    "resized_crop",
    "resizemix",
    "rgb_shift",
    "rician_noise",
    "ringing",
    "rot90",
    "rot90_3d",
    "rotate",
    "rotate3d",
    "salt_and_pepper",
    "sample_keys",
    "saturation",
    "save",
    "scale",
    "scale3d",
    "scale_jitter",
    "schedule",
    "shadow",
    "sharpness",
    "shear",
    "shear3d",
    "smallest_max_size",
    "snow",
    "solarize",
    "solarize_add",
    "some_of",
    "spacing3d",
    "speckle",
    "spike",
    "split",
    "stepped",
    "stretch",
    "sun_flare",
    "thin_plate_spline",
    "thin_plate_spline3d",
    "time_crop",
    "time_reverse",
    "time_speed",
    "time_subsample",
    "to_float",
    "to_pil",
    "to_uint8",
    "tone_curve",
    "transform_matrix",
    "translate",
    "translate3d",
    "transplant",
    "trivial_augment",
    "tta",
    "uniform",
    "unsharp_mask",
    "vflip",
    "vflip3d",
    "views",
    "write_volume",
    "zoom_blur",
    "zoom_out",
    "zscore",
]

def affine(
    *,
    degrees: Range | None = None,
    translate: Range | None = None,
    scale: Range | None = None,
    scale_y: Range | None = None,
    shear: Range | None = None,
    metric: bool = False,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Scale, shear and rotate about the centre, then translate: one affine map; what is not given is neutral."""

def affine3d(
    *,
    degrees: Range | None = None,
    translate: Range | None = None,
    scale: Range | None = None,
    scale_y: Range | None = None,
    scale_z: Range | None = None,
    shear: Range | None = None,
    spacing: Range | None = None,
    order: str | None = None,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Scale, shear and rotate about the centre, then translate by fractions of (width, height, depth); what is not given is
    neutral.
    """

def anisotropy(
    *,
    factor: Range = Uniform(low=1.5, high=5.0),
    axis: str = "z",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Thick slices: an axis of n pixels is read at floor(n / factor) places, `factor` apart, and linearly in between."""

def autocontrast(
    *,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Stretch every channel to [0, 1]: y = (x - min) / (max - min); a constant channel stays as it is."""

def bbox_safe_crop(
    *,
    slack: Range = Uniform(low=0.0, high=1.0),
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut a window that holds all valid boxes and resize it to `size=(h, w)`."""

def bias_field(
    *,
    coefficients: Range = Uniform(low=-0.5, high=0.5),
    order: int = 3,
    basis: str = "monomial",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """A smooth gain, as of the coils of a scanner: y = x exp(sum c P), P all polynomials up to a total degree of `order`."""

def box_blur(
    *,
    width: Range = Uniform(low=1.0, high=5.0),
    kernel_size: Any = 5,
    padding_mode: str = "reflect",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Average over a box of `width` pixels, any real number, cut off at `kernel_size` (odd; an int, or one per axis)."""

def brightness(
    *,
    factor: Range = Uniform(low=0.8, high=1.2),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Multiply: y = factor x. Source: torchvision `adjust_brightness`."""

def brightness_shift(
    *,
    shift: Range = Uniform(low=-0.2, high=0.2),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Add: y = x + shift, full scale = 1."""

def center_crop(
    *,
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut `size=(h, w)` out of the middle, the window's corner at round((H - h) / 2); pixels are copied exactly."""

def center_crop3d(
    *,
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut `size=(d, h, w)` out of the middle, the window's first voxel at (N - n) // 2; voxels are copied exactly."""

def channel_dropout(
    *,
    drop: Range = ...,
    num: int = 1,
    fill: float = 0.0,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Set `num` channels to `fill`: those with the lowest sort keys, of at most 32."""

def channel_shuffle(
    *,
    order: Range = ...,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Put the channels into another order: that of their sort keys, ascending, of at most 32."""

def clahe(
    *,
    clip_limit: Range = 40.0,
    grid_size: Any = (8, 8),
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Contrast limited adaptive histogram equalization: equalize in `grid_size` = (rows, columns) tiles, blended."""

def coarse_dropout(
    *,
    holes: Range = Uniform(low=1.0, high=8.0),
    height: Range = Uniform(low=0.05, high=0.2),
    width: Range = Uniform(low=0.05, high=0.2),
    depth: Range | None = None,
    position: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
) -> Op:
    """Hide up to 16 rectangles, each of its own size, wholly inside the frame."""

def color_jiggle(
    *,
    brightness: Range | None = None,
    contrast: Range | None = None,
    saturation: Range | None = None,
    hue: Range | None = None,
    order: Range = Uniform(low=0.0, high=1.0),
    clip: str = "clamp",
    p: Chance = 1.0,
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Colour jitter by other formulas: x + brightness - 1, contrast x, saturation and hue of HSV, clipped to [0, 1]."""

def color_jitter(
    *,
    brightness: Range | None = None,
    contrast: Range | None = None,
    saturation: Range | None = None,
    hue: Range | None = None,
    order: Range = Uniform(low=0.0, high=1.0),
    clip: str = "clamp",
    p: Chance = 1.0,
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Brightness, contrast, saturation and hue in an order of its own for every sample, each clipped to [0, 1]."""

def color_twist(
    *,
    brightness: Range = Uniform(low=0.8, high=1.2),
    contrast: Range = Uniform(low=0.8, high=1.2),
    saturation: Range = Uniform(low=0.8, high=1.2),
    hue: Range = Uniform(low=-0.05, high=0.05),
    pivot: float = 0.5,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """The four of colour jitter as one 3 x 4 colour matrix: brightness, contrast about `pivot`, saturation, hue about
    the grey axis.
    """

def contrast(
    *,
    factor: Range = Uniform(low=0.8, high=1.2),
    preserve_range: bool = False,
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Spread about the grey mean: y = factor x + (1 - factor) mean(luma(x))."""

def copy_paste(
    *,
    chance: Range = 0.5,
    seed: Range = Uniform(low=0.0, high=1.0),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Paste objects of the partner at their places, each with the probability `chance`: the pixels of their instance masks
    (a target `instances [B, N, H, W]`, of volumes `[B, N, D, H, W]`, one for each box), or without such the pixels in their
    boxes.
    """

def cutmix(
    *,
    weight: Range = Beta(alpha=1.0, beta=1.0),
    position: Range = Uniform(low=0.0, high=1.0),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Paste a rectangle of the partner at its own place: half sides floor(sqrt(1 - weight) side / 2), about a pixel drawn
    uniformly, clipped to the frame; labels by the areas that are left after that.
    """

def cutout(
    *,
    size: Range = Uniform(low=0.25, high=0.5),
    position: Range = Uniform(low=0.0, high=1.0),
    holes: int = 1,
    p: Chance = 1.0,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
) -> Op:
    """Hide `holes` (1 to 4) squares of one size, of a volume cubes; centres lie anywhere in the frame, so that squares hang
    over its border.
    """

def d4(
    *,
    symmetry: Range = ...,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """One of the eight symmetries of the square for each sample: k quarters counter-clockwise, then (4 + k) a mirror
    of left and right.
    """

def defocus(
    *,
    radius: Range = Uniform(low=1.0, high=4.0),
    kernel_size: int = 9,
    padding_mode: str = "reflect",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Out of focus: average over a disk of `radius` pixels with a soft edge, k(r) = clamp(radius + 1/2 - r, 0, 1)."""

def denormalize(
    *,
    mean: Any,
    std: Any,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """y = std x + mean per channel: the inverse of `normalize`. Source: kornia `Denormalize`."""

def depth_dropout(
    *,
    amount: Range = Uniform(low=0.0, high=0.1),
    seed: Range = Uniform(low=0.0, high=1.0),
    size: int = 1,
    missing: float = 0.0,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Holes: each cell of `size` x `size` pixels loses its depth with the probability `amount`; what is lost, and what was
    missing before, becomes `missing` (0, or NaN). Source: the holes of structured light, in cells as albumentations'
    `CoarseDropout` has them.
    """

def depth_noise(
    *,
    std: Range = Uniform(low=0.0, high=0.01),
    axial: Range = Uniform(low=0.0, high=0.002),
    seed: Range = Uniform(low=0.0, high=1.0),
    missing: float | None = None,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Noise of a depth camera, which grows with the square of the distance: y = |z + (std + axial z^2) n|, n drawn per pixel."""

def depth_normalize(
    *,
    max: float,
    missing: float = 0.0,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """y = min(z / max, 1), for a camera that reaches to `max`; what is missing becomes `missing`."""

def dflip3d(
    *,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Mirror front and back: z moves to D - 1 - z; voxels are copied exactly. Source: kornia
    `RandomDepthicalFlip3D`.
    """

def dither(
    *,
    levels: Range = Uniform(low=2.0, high=8.0),
    size: int = 4,
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Few levels and a Bayer pattern between them: y = floor((levels - 1) x + T) / (levels - 1)."""

def downscale(
    *,
    factor: Range = Uniform(low=0.25, high=0.75),
    interpolation: str = "nearest",
    axes: Any = None,
    reduce: str = "mean",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Lose resolution: average over cells of 1 / factor pixels, and back to full size by "nearest" or "bilinear"."""

def elastic(
    *,
    alpha: Range = Uniform(low=0.0, high=0.03),
    sigma: Range = 0.1,
    control: Range = Uniform(low=-1.0, high=1.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Displace every pixel by a smooth random field: u_in = u + alpha min(H, W) n(u)."""

def elastic3d(
    *,
    alpha: Range = Uniform(low=0.0, high=0.03),
    sigma: Range = 0.15,
    control: Range = Uniform(low=-1.0, high=1.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Displace every voxel by a smooth random field: u_in = u + alpha min(D, H, W) n(u)."""

def equalize(
    *,
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Make the histogram of every channel uniform, over 256 levels (of a volume as one, of a video per frame)."""

def equalize3d(
    *,
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Make the histogram of every channel of a volume uniform, over 256 levels of [0, 1]: `equalize`, for a bare volume."""

def erase(
    *,
    scale: Range = Uniform(low=0.02, high=0.33),
    ratio: Range = LogUniform(low=0.3, high=3.3),
    position: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
) -> Op:
    """Hide a rectangle of a given share of the area and aspect ratio (width / height), wholly inside the frame."""

def erase_noise(
    *,
    scale: Range = Uniform(low=0.02, high=0.33),
    ratio: Range = LogUniform(low=0.3, high=3.3),
    position: Range = Uniform(low=0.0, high=1.0),
    std: Range = 1.0,
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Fill a rectangle, of a share of the area and an aspect ratio (width / height), with normal noise of its own for each
    pixel and channel: for images that are normalised, as DeiT and ConvNeXt train. Of the image alone; `erase` hides a
    rectangle in all targets.
    """

def fisheye(
    *,
    center_x: Range = Uniform(low=-0.3, high=0.3),
    center_y: Range = Uniform(low=-0.3, high=0.3),
    gamma: Range = Uniform(low=0.9, high=1.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Shrink by the distance r from a centre: u_in = u (1 + r^gamma)."""

def fmix(
    *,
    weight: Range = Beta(alpha=1.0, beta=1.0),
    seed: Range = Uniform(low=0.0, high=1.0),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    decay: float = 3.0,
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Cut along the level set of a smooth random field: of noise whose amplitude falls with the frequency to the power
    `decay`, the largest (1 - weight) of the pixels show the partner; labels by the area. Partners as in `mixup`. Source:
    Harris et al. 2020 (who cut volumes too).
    """

def fog(
    *,
    density: Range = Uniform(low=0.3, high=0.8),
    patchiness: Range = 0.5,
    level: Range = 1.0,
    clouds: Range = Uniform(low=0.0, high=1.0),
    cells: int = 3,
    octaves: int = 3,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Blend with white through a smooth field: y = x + t (level - x), t = density (1 - patchiness n)."""

def foreground_crop3d(
    *,
    label: Range = Uniform(low=0.0, high=1.0),
    pick: Range = Uniform(low=0.0, high=1.0),
    position: Range = Uniform(low=0.0, high=1.0),
    size: Any,
    ratios: Any = None,
    around: str = "mask",
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut `size=(d, h, w)` around a voxel of a label that is drawn first; voxels are copied exactly."""

def frame_dropout(
    *,
    p_frame: Range = Uniform(low=0.0, high=0.3),
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
) -> Op:
    """Lose frames, each with probability `p_frame`: the last one before it that was kept stays on, as when a stream stutters."""

def gamma(
    *,
    gamma: Range = Uniform(low=0.8, high=1.25),
    gain: Range | None = None,
    invert: bool = False,
    retain_stats: bool = False,
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """y = gain x^gamma, 0 below 0; a gain of 1 where none is given. `invert`: of the negative, y = 1 - gain (1 - x)^gamma."""

def gaussian_blur(
    *,
    sigma: Range = Uniform(low=0.1, high=2.0),
    sigma_y: Range | None = None,
    sigma_z: Range | None = None,
    kernel_size: Any = 5,
    padding_mode: str = "reflect",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Blur by a Gaussian of `sigma` pixels, cut off at `kernel_size` (odd; an int, or one per axis, slowest first)."""

def gaussian_illumination(
    *,
    gain: Range = Uniform(low=0.01, high=0.15),
    center: Range = Uniform(low=0.1, high=0.9),
    sigma: Range = Uniform(low=0.2, high=1.0),
    brighten: Range = Bernoulli(probs=0.5),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Add or take a spot of light: y = x ± gain g, g a Gaussian scaled over the frame to [0, 1]."""

def gaussian_noise(
    *,
    std: Range = Uniform(low=0.0, high=0.1),
    mean: Range | None = None,
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Add normal noise: y = x + mean + std n, n drawn per pixel and channel from the leaf `seed`, full scale = 1."""

def ghosting(
    *,
    ghosts: Range = Uniform(low=3.5, high=10.5),
    intensity: Range = Uniform(low=0.5, high=1.0),
    axis: str = "y",
    restore: float | None = None,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Copies along an axis: every `ghosts`-th line of k-space, from the first on, is times 1 - intensity."""

def gibbs(
    *,
    alpha: Range = Uniform(low=0.0, high=0.6),
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Ringing at edges: the frequencies beyond a ball in k-space are lost, |f| > (1 - alpha) sqrt(d) / 2 cycles per pixel."""

def glass_blur(
    *,
    delta: Range = Uniform(low=0.5, high=2.0),
    sigma: Range = Uniform(low=0.3, high=0.8),
    seed: Range = Uniform(low=0.0, high=1.0),
    kernel_size: Any = 5,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Frosted glass: every pixel is read up to `delta` pixels away, each at its own place, then blurred by a Gaussian."""

def grayscale(
    *,
    weights: Any = None,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Every channel becomes the luma .2989 R + .587 G + .114 B, or the sum with these `weights`, one per channel."""

def grid_distortion(
    *,
    cells: Range = Uniform(low=0.7, high=1.3),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Move the lines of a grid of 5 x 5 cells: each column and row of the output shows a share of the input in
    proportion to its entry of `cells`.
    """

def grid_distortion3d(
    *,
    cells: Range = Uniform(low=0.7, high=1.3),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Move the planes of a grid of 5 x 5 x 5 cells: each slab of the output shows a share of the input in proportion to its
    entry of `cells` (rows x, y, z).
    """

def grid_mask(
    *,
    period: Range = Uniform(low=0.25, high=0.6),
    ratio: Range = Uniform(low=0.4, high=0.6),
    angle: Range = Uniform(low=-45.0, high=45.0),
    offset: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
) -> Op:
    """Hide a grid of squares: sides `ratio` period, turned by `angle`, counter-clockwise, shifted by `offset` periods. Of a
    volume a grid of cubes, turned about z.
    """

def gridmix(
    *,
    weight: Range = Beta(alpha=1.0, beta=1.0),
    cells: Range = Uniform(low=0.0, high=1.0),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    patch: int | None = None,
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Take the cells of a grid from one of two images: of 4 x 4 cells round(16 (1 - weight)) from the partner, in random
    places (of a volume 4 x 4 x 4); labels by the area. Partners as in `mixup`. Source: Baek et al. 2021 (GridMix).
    """

def hflip(
    *,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Mirror left and right: pixel x moves to W - 1 - x (points), edge x to W - x (boxes); pixels are copied exactly."""

def hflip3d(
    *,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Mirror left and right: x moves to W - 1 - x; voxels are copied exactly. Source: kornia
    `RandomHorizontalFlip3D`.
    """

def histogram_shift(
    *,
    shift: Range = Uniform(low=-0.4, high=0.4),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Bend the scale of each channel: a piecewise linear map of its [min, max], of 10 points at equal distances, whose inner
    8 move by `shift` times that distance.
    """

def hsv_saturation(
    *,
    factor: Range = Uniform(low=0.8, high=1.2),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Scale the saturation of HSV, up to full: y = x + (x - M) min(factor - 1, N / (M - N))."""

def hsv_shift(
    *,
    hue: Range = Uniform(low=-0.05, high=0.05),
    saturation: Range = Uniform(low=-0.1, high=0.1),
    value: Range = Uniform(low=-0.1, high=0.1),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Turn the hue of HSV by `hue` turns, then add to its saturation and its value, each kept in [0, 1]."""

def hue(
    *,
    hue: Range = Uniform(low=-0.05, high=0.05),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Turn the hue of HSV by `hue` turns. Source: torchvision `adjust_hue`; undefined at grey, where the gradient is
    zero.
    """

def hue_rotation(
    *,
    hue: Range = Uniform(low=-0.5, high=0.5),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Turn the colours by `hue` turns about the grey axis: smooth and periodic, where `hue` is that of HSV."""

def intensity_window(
    *,
    low: Range = 0.5,
    high: Range = 99.5,
    unit: str = "percentile",
    out: Any = (0.0, 1.0),
    cut: bool = True,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Map the window from `low` to `high` linearly to `out`, and cut off what lies outside (unless `cut` is False)."""

@overload
def invert(f: Augmentation, size: tuple[int, ...] | None = None) -> Callable[[Any, dict[str, Any]], tuple[Any, Tensor]]:
    """The inverse of the geometric part, for drawn params: `inverse(y, params) -> (x, valid)`."""

@overload
def invert(
    *,
    max_val: Any = 1.0,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """y = max_val - x, one number or one per channel. Source: torchvision `invert`, kornia `RandomInvert`."""

def iou_crop(
    *,
    min_iou: Range = Uniform(low=0.0, high=1.0),
    sides: Range = Uniform(low=0.3, high=1.0),
    position: Range = Uniform(low=0.0, high=1.0),
    size: Any = None,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut the first of 40 windows that overlaps a box by `min_iou` (intersection over union) or more, and resize it to
    `size=(h, w)`, by default that of the frame.
    """

def iso_noise(
    *,
    intensity: Range = Uniform(low=0.1, high=0.5),
    color_shift: Range = Uniform(low=0.01, high=0.05),
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Noise of a camera at high ISO: the hue turns by `color_shift intensity n` turns, then pixels move towards white
    by d = intensity (m + sqrt(m) n'), m = intensity std(luma(x)): y = x + d (1 - x).
    """

def jigsaw(
    *,
    seed: Range = Uniform(low=0.0, high=1.0),
    grid: tuple[int, int] = (4, 4),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut the image into tiles, `grid` = (rows, columns) of them, that change places at random, at least two of them; pixels
    are copied exactly.
    """

def jpeg(
    *,
    quality: Range = Uniform(low=30.0, high=95.0),
    grad: str = "soft",
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """What is left after JPEG compression, 4:2:0, standard tables; any size, slices and frames one by one."""

def linear_contrast(
    *,
    factor: Range = LogNormal(mean=0.0, std=0.35),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Spread about mid grey: y = 0.5 + factor (x - 0.5), for any number of channels."""

def linear_corner_illumination(
    *,
    gain: Range = Uniform(low=0.01, high=0.2),
    corner: Range = Choice(weights=[1.0, 1.0, 1.0, 1.0]),
    brighten: Range = Bernoulli(probs=0.5),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Add or take light from one corner to the opposite one: y = x ± gain r, r rising from 0 to 1 at the corner."""

def linear_illumination(
    *,
    gain: Range = Uniform(low=0.01, high=0.2),
    edge: Range = Choice(weights=[1.0, 1.0, 1.0, 1.0]),
    brighten: Range = Bernoulli(probs=0.5),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Add or take light from one edge to the other: y = x ± gain r, r rising from 0 to 1 at the edge."""

def linear_saturation(
    *,
    factor: Range = LogNormal(mean=0.0, std=0.7),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Scale the distance from the grey axis: y = m + factor (x - m) with m the mean of the channels."""

def longest_max_size(
    *,
    max_size: int,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Resize so that the longer side is `max_size` pixels; the aspect ratio stays. Antialiased where it shrinks."""

def luma_flip(
    *,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Mirror the colours at mid grey along the grey axis: light becomes dark, hue and saturation stay."""

def mask_crop(
    *,
    pick: Range = Uniform(low=0.0, high=1.0),
    position: Range = Uniform(low=0.0, high=1.0),
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut `size=(h, w)` around one of the mask's pixels that are not 0; pixels are copied exactly."""

def mask_dropout(
    *,
    p_object: Range = 0.5,
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
) -> Op:
    """Hide whole objects: every instance of the integer mask (label > 0) with probability `p_object`."""

def median_blur(
    *,
    kernel_size: Any = 3,
    padding_mode: str = "reflect",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """The median of `kernel_size` pixels (odd; an int, or rows and columns), of a volume slice by slice; or of a box."""

def mixup(
    *,
    weight: Range = Beta(alpha=1.0, beta=1.0),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Blend with a partner: y = weight x + (1 - weight) x_partner, and the labels alike."""

def mosaic(
    *,
    centre: Range = Uniform(low=0.25, high=0.75),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    fill: float = 0.4470588235294118,
    fill_mask: float = 0.0,
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Four images in a frame of twice the sides, that meet in a point drawn from its middle half: the own image top left,
    and the next three in the order of the samples' sort keys; each is cut where it leaves the frame, and what none covers
    is `fill` (in masks `fill_mask`). Labels by the areas that are covered. For images and videos; not for volumes.
    """

def motion_artifact(
    *,
    degrees: Range = Uniform(low=-10.0, high=10.0),
    translate: Range = Uniform(low=-0.05, high=0.05),
    times: Range = Uniform(low=0.0, high=1.0),
    axis: str = "x",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Two movements during the acquisition: k-space, filled line by line along `axis`, is that of the image in three poses."""

def motion_blur(
    *,
    angle: Range = Uniform(low=-90.0, high=90.0),
    direction: Range = Uniform(low=-1.0, high=1.0),
    length: Range | None = None,
    kernel_size: int = 5,
    padding_mode: str = "reflect",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Blur along a streak of `length` pixels (all of `kernel_size`, odd, where it is not given), turned by `angle`."""

def motion_blur3d(
    *,
    angle: Range = Uniform(low=-90.0, high=90.0),
    direction: Range = Uniform(low=-1.0, high=1.0),
    length: Range | None = None,
    kernel_size: int = 5,
    padding_mode: str = "reflect",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Blur a volume along a streak of `length` voxels (all of `kernel_size`, odd, where it is not given)."""

def normalize(
    *,
    mean: Any,
    std: Any,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """y = (x - mean) / std per channel. Source: torchvision `normalize`."""

def optical_distortion(
    *,
    k: Range = Uniform(low=-0.2, high=0.2),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Radial lens distortion about the centre: u_in = u (1 + k r^2), with r = 1 at the frame's corners."""

def pad(
    *,
    padding: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Add pixels at the borders: `padding` is an int, (x, y) or (left, top, right, bottom); the inside is copied
    exactly.
    """

def pad3d(
    *,
    padding: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Add voxels at the borders: `padding` is an int, (x, y, z) or (left, top, front, right, bottom, back); the inside is
    copied exactly.
    """

def pad_to(
    *,
    position: Range | None = None,
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Pad up to `size=(h, w)`; a side that is longer stays. The pixels are copied exactly."""

def pad_to3d(
    *,
    position: Range | None = None,
    size: Any = None,
    divisible: int | None = None,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Pad up to `size=(d, h, w)`, or up to the next multiples of `divisible`; a side that is longer stays. Copied exactly."""

def patch(
    *,
    scale: Range = Uniform(low=0.02, high=0.33),
    ratio: Range = LogUniform(low=0.3, high=3.3),
    position: Range = Uniform(low=0.0, high=1.0),
    grain: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Fill the rectangle of `erase` with uniform noise, a value in [0, 1] for every pixel and channel."""

def patchmix(
    *,
    weight: Range = Beta(alpha=1.0, beta=1.0),
    cells: Range = Uniform(low=0.0, high=1.0),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Take each of 4 x 4 cells (of a volume 4 x 4 x 4) from one of four images: the own with the probability `weight`, else
    one of the next three in the order of the samples' sort keys; labels by the area. Source: in the manner of
    Cascante-Bonilla et al. 2021.
    """

def perspective(
    *,
    distortion_scale: Range = 0.5,
    corners: Range = Uniform(low=-1.0, high=0.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Move the four corners: corner c (top left, top right, bottom right, bottom left) by corners * distortion_scale *
    size / 2.
    """

def perspective3d(
    *,
    distortion_scale: Range = 0.5,
    corners: Range = Uniform(low=-1.0, high=0.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Move five of the eight corners, by corners * distortion_scale * size / 2, which makes the projective map; the others
    follow.
    """

def piecewise_affine(
    *,
    scale: Range = Uniform(low=0.0, high=0.05),
    control: Range = Uniform(low=-1.0, high=1.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Move a grid of 4 x 4 points, and what lies between them linearly: u_in = u + scale min(H, W) n(u)."""

def planckian_jitter(
    *,
    temperature: Range = Uniform(low=4.0, high=15.0),
    mode: str = "blackbody",
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Other light: the gains for red and blue of a light of this `temperature`, in thousand kelvin; 6.5 is nearly
    neutral.
    """

def plasma_brightness(
    *,
    roughness: Range = Uniform(low=0.1, high=0.7),
    intensity: Range = Uniform(low=0.0, high=1.0),
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Brighten and darken by a fractal for each channel: y = x + intensity (2 plasma - 1), plasma in [0, 1]."""

def plasma_contrast(
    *,
    roughness: Range = Uniform(low=0.1, high=0.7),
    intensity: Range = 1.0,
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """A contrast about 1/2 that follows a fractal: y = 1/2 + (x - 1/2) (1 + intensity (4 plasma - 1))."""

def plasma_shadow(
    *,
    roughness: Range = Uniform(low=0.1, high=0.7),
    shade_intensity: Range = Uniform(low=-1.0, high=0.0),
    shade_quantity: Range = Uniform(low=0.0, high=1.0),
    seed: Range = Uniform(low=0.0, high=1.0),
    softness: float = 0.02,
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Shadows in the form of a fractal: y = x + shade_intensity sigmoid((shade_quantity - plasma) / softness)."""

def poisson_noise(
    *,
    photons: Range = LogUniform(low=30.0, high=1000.0),
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Shot noise of a sensor that counts `photons` at full scale: y = x + sqrt(x / photons) n."""

def posterize(
    *,
    bits: Range = Uniform(low=3.0, high=8.0),
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Keep the highest `bits` of the 8 of every level: y = floor(255 x / s) s / 255, s = 2^(8 - bits); x at 8 bits."""

def quarter_turn(
    *,
    turns: Range = Choice(weights=[1.0, 1.0, 1.0, 1.0]),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Turn each sample by 0, 1, 2 or 3 quarters counter-clockwise."""

def rain(
    *,
    number_of_drops: Range = Uniform(low=1000.0, high=2000.0),
    drop_height: Range = Uniform(low=5.0, high=20.0),
    drop_width: Range = Uniform(low=-5.0, high=5.0),
    value: Range = 0.7843137254901961,
    places: Range = Uniform(low=0.0, high=1.0),
    most: int = 2000,
    longest: int = 20,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Lines of one grey: y = x + wet (value - x), wet the share of a pixel that drops cover."""

def random_crop(
    *,
    position: Range = Uniform(low=0.0, high=1.0),
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut `size=(h, w)` at whole pixels: left = floor(position_x (W - w + 1)), top likewise; pixels are copied exactly."""

def random_crop3d(
    *,
    position: Range = Uniform(low=0.0, high=1.0),
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut `size=(d, h, w)` at whole voxels: first = floor(position (N - n + 1)) along each axis; voxels are copied exactly."""

def resize(
    *,
    size: Any,
    side: str = "short",
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Resize to `size=(h, w)`; an int is the length of one side and keeps the aspect ratio. Antialiased where it
    shrinks.
    """

def resize3d(
    *,
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Resize to `size=(d, h, w)` or to a cube of one int. Antialiased where it shrinks."""

def resized_crop(
    *,
    scale: Range = Uniform(low=0.08, high=1.0),
    ratio: Range = LogUniform(low=0.75, high=1.3333),
    position: Range = Uniform(low=0.0, high=1.0),
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Cut a window of a given share of the area and aspect ratio and resize it to `size=(h, w)`."""

def resizemix(
    *,
    scale: Range = Uniform(low=0.1, high=0.8),
    position: Range = Uniform(low=0.0, high=1.0),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Paste the whole partner, resized to `scale` of the sides, at a place drawn uniformly; its label has the share of the
    pixels that it covers. Partners as in `mixup`. Source: Qin et al. 2020.
    """

def rgb_shift(
    *,
    shift: Range = Uniform(low=[-0.1, -0.1, -0.1], high=[0.1, 0.1, 0.1]),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Add a number to each of red, green and blue: y_c = x_c + shift_c, full scale = 1."""

def rician_noise(
    *,
    std: Range = Uniform(low=0.0, high=0.1),
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Noise of a magnitude image: y = sqrt((x + std n)^2 + (std n')^2), n and n' drawn per pixel and channel."""

def ringing(
    *,
    cutoff: Range = Uniform(low=0.7854, high=1.5708),
    kernel_size: int = 9,
    padding_mode: str = "reflect",
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Ripples beside edges: the ideal low-pass k(r) = J1(cutoff r) / (cutoff r), cut off at `kernel_size` (odd)."""

def rot90(
    *,
    k: int = 1,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Turn by k quarters counter-clockwise; an odd k swaps height and width; pixels are copied exactly."""

def rot90_3d(
    *,
    k: int = 1,
    plane: str = "xy",
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Turn by k quarters in the plane "xy", "xz" or "yz"; an odd k swaps the plane's two sides; voxels are copied exactly."""

def rotate(
    *,
    degrees: Range = Uniform(low=-30.0, high=30.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Rotate about the centre, counter-clockwise on the screen for positive degrees."""

def rotate3d(
    *,
    degrees: Range = Uniform(low=-15.0, high=15.0),
    spacing: Range | None = None,
    order: str | None = None,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Rotate about the centre by the axis-angle vector `degrees` = (x, y, z), or by Euler angles."""

def salt_and_pepper(
    *,
    amount: Range = Uniform(low=0.01, high=0.06),
    salt: Range = Uniform(low=0.4, high=0.6),
    seed: Range = Uniform(low=0.0, high=1.0),
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Turn each pixel, all its channels, white (1) with probability `amount salt`, black (0) with `amount (1 - salt)`."""

def saturation(
    *,
    factor: Range = Uniform(low=0.8, high=1.2),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Blend with grey: y = factor x + (1 - factor) luma(x)."""

def scale(
    *,
    scale: Range = Uniform(low=0.8, high=1.25),
    scale_y: Range | None = None,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Zoom about the centre by a factor, > 1 magnifies; `scale_y` sets the vertical factor apart."""

def scale3d(
    *,
    scale: Range = Uniform(low=0.8, high=1.25),
    scale_y: Range | None = None,
    scale_z: Range | None = None,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Zoom about the centre by a factor, > 1 magnifies; `scale_y` and `scale_z` set those of the height and depth apart."""

def scale_jitter(
    *,
    scale: Range = Uniform(low=0.1, high=2.0),
    position: Range = Uniform(low=0.0, high=1.0),
    size: Any,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Zoom to a random size and cut or pad to `size=(h, w)`."""

def shadow(
    *,
    corners: Range = ...,
    intensity: Range = Uniform(low=0.3, high=0.7),
    softness: Range = Uniform(low=0.0, high=0.1),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Darken a quadrilateral: y = x (1 - intensity s), s its soft cover."""

def sharpness(
    *,
    factor: Range = Uniform(low=0.5, high=1.5),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Blend with a smoothed image: y = factor x + (1 - factor) smooth(x); 0 smooths, above 1 sharpens."""

def shear(
    *,
    shear: Range = Uniform(low=-15.0, high=15.0),
    about: str = "centre",
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Shear about the centre by angles along (x, y): +30 degrees in x moves a point 10 px above the centre 5.8 px
    right. about="corner": about the corner of the frame at the top left, which stays.
    """

def shear3d(
    *,
    shear: Range = Uniform(low=-10.0, high=10.0),
    spacing: Range | None = None,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Shear about the centre by six angles: x with y, x with z, y with x, y with z, z with x, z with y."""

def smallest_max_size(
    *,
    max_size: int,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Resize so that the shorter side is `max_size` pixels; the aspect ratio stays. Antialiased where it shrinks."""

def snow(
    *,
    coefficient: Range = 0.5,
    brightness: Range = 2.0,
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Whiten what is dark: the lightness of HLS, where it is below `coefficient`, is multiplied by `brightness`."""

def solarize(
    *,
    threshold: Range = Uniform(low=0.5, high=1.0),
    addition: Range | None = None,
    grad: str = "none",
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Invert what is at or above the threshold: y = x < threshold ? x : 1 - x, with x + addition, clamped, for x, where
    an addition is given.
    """

def solarize_add(
    *,
    addition: Range = Uniform(low=0.0, high=0.43),
    threshold: Range = 0.5019607843137255,
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Add to what lies below the threshold: y = x + addition where x < threshold, else x."""

def spacing3d(
    *,
    spacing: Any,
    source: Any,
    size: Any = None,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Resample from voxels of `source` mm (x, y, z) to voxels of `spacing` mm. Antialiased where it shrinks."""

def speckle(
    *,
    std: Range = Uniform(low=0.0, high=0.2),
    seed: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Multiply by normal noise: y = x (1 + std n), n drawn per pixel and channel, of a video in every frame."""

def spike(
    *,
    intensity: Range = Uniform(low=1.0, high=3.0),
    position: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Stripes: one point of k-space is higher by `intensity` times the largest magnitude there, in each channel."""

def stretch(
    *,
    factor: Range = LogUniform(low=0.8, high=1.25),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Zoom the width by a factor and the height by its inverse, about the centre: areas stay."""

def sun_flare(
    *,
    center: Range = Uniform(low=[0.0, 0.0], high=[1.0, 0.5]),
    radius: Range = Uniform(low=0.3, high=0.8),
    intensity: Range = Uniform(low=0.6, high=1.0),
    ghosts: Range = Uniform(low=0.3, high=2.2),
    sizes: Range = Uniform(low=0.02, high=0.12),
    ghost_intensity: float = 0.2,
    color: Any = 1.0,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """A sun and its four lens ghosts, which only add light: y = x + a color (1 - x)."""

def thin_plate_spline(
    *,
    scale: Range = 0.2,
    control: Range = Uniform(low=-1.0, high=1.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Move the corners and the middle of the frame by `control * scale * size / 2`, and bend the rest smoothly."""

def thin_plate_spline3d(
    *,
    scale: Range = 0.2,
    control: Range = Uniform(low=-1.0, high=1.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Move the eight corners and the middle of the frame by `control * scale * size / 2`, and bend the rest smoothly."""

def time_crop(
    *,
    position: Range = Uniform(low=0.0, high=1.0),
    size: int,
    p: Chance = 1.0,
) -> Op:
    """Cut `size` frames in a row: the first is floor(position (T - size + 1))."""

def time_reverse(
    *,
    p: Chance = 1.0,
) -> Op:
    """The last frame first."""

def time_speed(
    *,
    factor: Range = LogUniform(low=0.67, high=1.5),
    position: Range = Uniform(low=0.0, high=1.0),
    size: int | None = None,
    p: Chance = 1.0,
) -> Op:
    """Play faster (factor > 1) or slower: frame t shows frame floor(start + factor t + 1/2), nearest in time."""

def time_subsample(
    *,
    offset: Range = 0.5,
    size: int,
    p: Chance = 1.0,
) -> Op:
    """See `size` frames of the whole clip, one in each of as many equal segments: frame i is floor((i + offset) T / size)."""

def tone_curve(
    *,
    shadows: Range = Uniform(low=0.1, high=0.4),
    highlights: Range = Uniform(low=0.6, high=0.9),
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """A cubic Bezier curve: y = 3 (1 - x)^2 x shadows + 3 (1 - x) x^2 highlights + x^3."""

def translate(
    *,
    translate: Range = Uniform(low=-0.1, high=0.1),
    unit: str = "fraction",
    whole: bool = False,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Shift by fractions of (width, height), positive right and down; unit="pixel": by pixels."""

def translate3d(
    *,
    translate: Range = Uniform(low=-0.1, high=0.1),
    unit: str = "fraction",
    whole: bool = False,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Shift by fractions of (width, height, depth), positive to higher indices; unit="pixel": by voxels."""

def transplant(
    *,
    key: Range = Uniform(low=0.0, high=1.0),
    order: Range = Uniform(low=0.0, high=1.0),
    partner: Range | None = None,
    classes: tuple[int, ...] | None = None,
    excluded: tuple[int, ...] = (0,),
    num_classes: int | None = None,
    partners: str = "next",
    p: Chance = 1.0,
) -> Op:
    """Paste what the partner's mask gives to one of `classes`, drawn uniformly, at its place, image and mask; None: to one of the
    labels that it has, but `excluded` (where it has none, nothing). Labels by the area. Partners as in `mixup`. Source: kornia
    `RandomTransplantation`.
    """

def unsharp_mask(
    *,
    sigma: Range = Uniform(low=0.1, high=2.0),
    amount: Range = Uniform(low=0.2, high=0.5),
    kernel_size: Any = 5,
    padding_mode: str = "reflect",
    p: Chance = 1.0,
    clip: Clip = "clamp",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Add what a Gaussian blur takes away: y = x + amount (x - blur(x)). Works on volumes too."""

def vflip(
    *,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Mirror top and bottom: pixel y moves to H - 1 - y (points), edge y to H - y (boxes); pixels are copied exactly."""

def vflip3d(
    *,
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Mirror top and bottom: y moves to H - 1 - y; voxels are copied exactly. Source: kornia `RandomVerticalFlip3D`."""

def zoom_blur(
    *,
    factor: Range = Uniform(low=1.0, high=1.2),
    steps: int = 8,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """A lens that zooms: the mean of `steps` copies, zoomed about the centre by factor^(k / (steps - 1)), k = 0, 1, ..."""

def zoom_out(
    *,
    side: Range = Uniform(low=1.0, high=4.0),
    position: Range = Uniform(low=0.0, high=1.0),
    p: Chance = 1.0,
    interpolation: Interpolation | None = None,
    padding_mode: Padding | None = None,
    fill: float | Sequence[float] | None = None,
    fill_mask: float | None = None,
    antialias: bool | None = None,
) -> Op:
    """Put the image on a canvas `side` times as large, and shrink that to the frame."""

def zscore(
    *,
    nonzero: bool = False,
    p: Chance = 1.0,
    clip: Clip = "none",
    channels: int | Sequence[int] | None = None,
    per_channel: bool = False,
    p_channel: Chance = 1.0,
) -> Op:
    """Standard scores of each channel: y = (x - mean) / sd, sd that of all its pixels (n, not n - 1, below)."""

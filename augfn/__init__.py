"""augfn: functional, differentiable augmentation. Four words: key, distribution, augmentation, pipeline."""

from augfn.compose import invert, maybe, one_of, pipeline, repeat, some_of, transform_matrix
from augfn.distributions import (
    Bernoulli,
    Beta,
    Choice,
    Constant,
    Distribution,
    GumbelChoice,
    Interval,
    LogUniform,
    Normal,
    RelaxedBernoulli,
    TruncatedNormal,
    Uniform,
)
from augfn.op import Augmentation
from augfn.ops.crop import center_crop, pad, random_crop, resize, resized_crop
from augfn.ops.filters import gaussian_blur
from augfn.ops.geometric import affine, hflip, perspective, rot90, rotate, scale, shear, translate, vflip
from augfn.ops.mix import mixup
from augfn.ops.noise import gaussian_noise
from augfn.ops.occlude import erase
from augfn.ops.photometric import (
    brightness,
    color_jitter,
    color_twist,
    contrast,
    denormalize,
    gamma,
    grayscale,
    hue,
    normalize,
    saturation,
    solarize,
)
from augfn.ops.volumetric import affine3d, dflip3d, hflip3d, rotate3d, vflip3d
from augfn.ops.warp import elastic
from augfn.random import bits, fold_in, key, normal, split, uniform
from augfn.targets import Boxes, Keypoints, drop_invalid, to_float

__version__ = "0.1.0"

__all__ = [
    "Augmentation",
    "Bernoulli",
    "Beta",
    "Boxes",
    "Choice",
    "Constant",
    "Distribution",
    "GumbelChoice",
    "Interval",
    "Keypoints",
    "LogUniform",
    "Normal",
    "RelaxedBernoulli",
    "TruncatedNormal",
    "Uniform",
    "affine",
    "affine3d",
    "bits",
    "brightness",
    "center_crop",
    "color_jitter",
    "color_twist",
    "contrast",
    "denormalize",
    "dflip3d",
    "drop_invalid",
    "elastic",
    "erase",
    "fold_in",
    "gamma",
    "gaussian_blur",
    "gaussian_noise",
    "grayscale",
    "hflip",
    "hflip3d",
    "hue",
    "invert",
    "key",
    "maybe",
    "mixup",
    "normal",
    "normalize",
    "one_of",
    "pad",
    "perspective",
    "pipeline",
    "random_crop",
    "repeat",
    "resize",
    "resized_crop",
    "rot90",
    "rotate",
    "rotate3d",
    "saturation",
    "scale",
    "shear",
    "solarize",
    "some_of",
    "split",
    "to_float",
    "transform_matrix",
    "translate",
    "uniform",
    "vflip",
    "vflip3d",
]

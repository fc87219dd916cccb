"""kornia 0.9's two tables of 2-D classes, row by row: each has its function here and its derived module."""

import inspect

import pytest

import augfn as af
import augfn_nn
from augfn_nn.derive import FLAGS, Derived
from augfn_nn.shorthands import ALIASES, NEUTRAL

# kornia's class, which is also the module's name here -> the function
GEOMETRIC = {
    "CenterCrop": "center_crop",
    "LongestMaxSize": "longest_max_size",
    "PadTo": "pad_to",
    "RandomAffine": "affine",
    "RandomCrop": "random_crop",
    "RandomElasticTransform": "elastic",
    "RandomFisheye": "fisheye",
    "RandomHorizontalFlip": "hflip",
    "RandomPerspective": "perspective",
    "RandomResizedCrop": "resized_crop",
    "RandomRotation": "rotate",
    "RandomRotation90": "rot90",
    "RandomShear": "shear",
    "RandomThinPlateSpline": "thin_plate_spline",
    "RandomTranslate": "translate",
    "RandomVerticalFlip": "vflip",
    "Resize": "resize",
    "SmallestMaxSize": "smallest_max_size",
}
INTENSITY = {
    "ColorJiggle": "color_jiggle",
    "ColorJitter": "color_jitter",
    "Denormalize": "denormalize",
    "Normalize": "normalize",
    "RandomAutoContrast": "autocontrast",
    "RandomBoxBlur": "box_blur",
    "RandomBrightness": "brightness",
    "RandomChannelDropout": "channel_dropout",
    "RandomChannelShuffle": "channel_shuffle",
    "RandomClahe": "clahe",
    "RandomContrast": "contrast",
    "RandomEqualize": "equalize",
    "RandomErasing": "erase",
    "RandomGamma": "gamma",
    "RandomGaussianBlur": "gaussian_blur",
    "RandomGaussianIllumination": "gaussian_illumination",
    "RandomGaussianNoise": "gaussian_noise",
    "RandomGrayscale": "grayscale",
    "RandomHue": "hue",
    "RandomInvert": "invert",
    "RandomJPEG": "jpeg",
    "RandomLinearCornerIllumination": "linear_corner_illumination",
    "RandomLinearIllumination": "linear_illumination",
    "RandomMedianBlur": "median_blur",
    "RandomMotionBlur": "motion_blur",
    "RandomPlanckianJitter": "planckian_jitter",
    "RandomPlasmaBrightness": "plasma_brightness",
    "RandomPlasmaContrast": "plasma_contrast",
    "RandomPlasmaShadow": "plasma_shadow",
    "RandomPosterize": "posterize",
    "RandomRGBShift": "rgb_shift",
    "RandomRain": "rain",
    "RandomSaltAndPepperNoise": "salt_and_pepper",
    "RandomSaturation": "saturation",
    "RandomSharpness": "sharpness",
    "RandomSnow": "snow",
    "RandomSolarize": "solarize",
}
# kornia's names of arguments that mean nothing here; each class says why in its docstring
ELSEWHERE = {
    "RandomElasticTransform": {"kernel_size"},
    "RandomMotionBlur": {"border_type", "resample"},
}
BOTH = GEOMETRIC | INTENSITY


def test_the_tables_are_whole():
    """18 and 38 rows; Dissolving needs downloaded weights and stays out."""
    assert (len(GEOMETRIC), len(INTENSITY)) == (18, 37)


@pytest.mark.parametrize("name", BOTH)
def test_every_row_has_its_function_and_its_module(name):
    function, module = getattr(af, BOTH[name]), getattr(augfn_nn, name)
    assert issubclass(module, Derived)
    assert module.spec is function.spec
    assert BOTH[name] in af.__all__ or BOTH[name] == "invert"
    assert name in augfn_nn.__all__
    assert inspect.getdoc(function)
    assert inspect.getdoc(module)


@pytest.mark.parametrize("name", BOTH)
def test_every_argument_of_kornia_has_its_name_here(name):
    """By its own name, an alias, or a word that says what holds here anyway."""
    peer = getattr(pytest.importorskip("kornia.augmentation"), name)
    module = getattr(augfn_nn, name)
    known = {*module.signature.parameters, *ALIASES, *NEUTRAL, *FLAGS, *ELSEWHERE.get(name, ())}
    missing = [n for n in inspect.signature(peer.__init__).parameters if n not in {"self", "kwargs", *known}]
    assert not missing

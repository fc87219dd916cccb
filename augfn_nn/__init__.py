"""augfn as `torch.nn` modules: `Augment` around any augmentation, and kornia's and torchvision's classes derived.

The `Random*` classes have kornia's and torchvision's names and shorthands, and come each from one factory of augfn. In
all of them positive angles turn counter-clockwise, factors multiply, boxes are continuous edges (a flip is W - x) and
`p` holds per sample. `resample` is understood for `interpolation`, `fill_value` for `fill`, and names may be enum
members or in upper case. A range is a number, a pair, a distribution, or a `Parameter` [2] of both, which then learns.
"""

from augfn_nn import auto, container, presets, random_generator
from augfn_nn.adversarial import WorstCase
from augfn_nn.augment import Augment
from augfn_nn.auto import AutoAugment, RandAugment, TrivialAugment
from augfn_nn.blurs import RandomDefocus, RandomGlassBlur, RandomMotionBlur, RandomMotionBlur3D, RandomZoomBlur
from augfn_nn.bridge import (
    AugmentationBase2D,
    AugmentationBase3D,
    GeometricAugmentationBase2D,
    GeometricAugmentationBase3D,
    IntensityAugmentationBase2D,
    IntensityAugmentationBase3D,
    RigidAffineAugmentationBase2D,
    RigidAffineAugmentationBase3D,
)
from augfn_nn.channels import RandomChannelDropout, RandomChannelShuffle, RandomPlanckianJitter, RandomRGBShift
from augfn_nn.clips import RandomFrameDropout, RandomTimeReverse, RandomTimeSpeed, TimeCrop, TimeSubsample
from augfn_nn.containers import (
    ImageSequential,
    ManyToManyAugmentationDispather,
    ManyToOneAugmentationDispather,
    VideoSequential,
)
from augfn_nn.converters import Conversion, convert
from augfn_nn.crop import CenterCrop, Pad, RandomCrop, RandomResizedCrop, Resize
from augfn_nn.curricula import Scheduled
from augfn_nn.depth import DepthNormalize, RandomDepthDropout, RandomDepthNoise
from augfn_nn.filters import (
    RandomBoxBlur,
    RandomDownscale,
    RandomGaussianBlur,
    RandomMedianBlur,
    RandomRinging,
    RandomSharpness,
    RandomUnsharpMask,
)
from augfn_nn.frames import (
    BBoxSafeCrop,
    CropNonEmptyMask,
    LongestMaxSize,
    PadTo,
    RandomIoUCrop,
    RandomZoomOut,
    ScaleJitter,
    SmallestMaxSize,
)
from augfn_nn.geometric import (
    RandomAffine,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomRotation,
    RandomRotation90,
    RandomScale,
    RandomShear,
    RandomStretch,
    RandomTranslate,
    RandomVerticalFlip,
)
from augfn_nn.illumination import (
    RandomGaussianIllumination,
    RandomLinearCornerIllumination,
    RandomLinearIllumination,
    RandomPlasmaBrightness,
    RandomPlasmaContrast,
    RandomPlasmaShadow,
)
from augfn_nn.items import ParamItem, PatchParamItem
from augfn_nn.levels import IntensityWindow, RandomEqualize3D, RandomHistogramShift, ZScore
from augfn_nn.linear import RandomHueRotation, RandomLinearContrast, RandomLinearSaturation, RandomLumaFlip
from augfn_nn.mix import (
    CopyPaste,
    Mosaic,
    PatchMix,
    RandomCutMix,
    RandomCutMixV2,
    RandomFMix,
    RandomGridMix,
    RandomMixUp,
    RandomMixUpV2,
    RandomMosaic,
    RandomPatchMix,
    RandomResizeMix,
    RandomTransplantation,
    RandomTransplantation3D,
)
from augfn_nn.noise import (
    RandomGaussianNoise,
    RandomISONoise,
    RandomPoissonNoise,
    RandomSaltAndPepperNoise,
    RandomSpeckleNoise,
)
from augfn_nn.occlude import (
    CoarseDropout,
    GridMask,
    MaskDropout,
    RandomCutout,
    RandomErasing,
    RandomErasingNoise,
    RandomPatch,
)
from augfn_nn.patches import PatchSequential
from augfn_nn.photometric import (
    ColorJiggle,
    ColorJitter,
    Denormalize,
    Normalize,
    RandomBrightness,
    RandomBrightnessShift,
    RandomColorTwist,
    RandomContrast,
    RandomGamma,
    RandomGrayscale,
    RandomHSVSaturation,
    RandomHSVShift,
    RandomHue,
    RandomInvert,
    RandomSaturation,
    RandomSolarize,
    RandomSolarizeAdd,
)
from augfn_nn.presets.ada import AdaptiveDiscriminatorAugmentation
from augfn_nn.scanner import (
    RandomAnisotropy,
    RandomBiasField,
    RandomGhosting,
    RandomGibbs,
    RandomMotionArtifact,
    RandomRicianNoise,
    RandomSpike,
)
from augfn_nn.sequential import AugmentationSequential
from augfn_nn.symmetry import RandomD4, RandomJigsaw, RandomQuarterTurn
from augfn_nn.tone import (
    RandomAutoContrast,
    RandomClahe,
    RandomDither,
    RandomEqualize,
    RandomJPEG,
    RandomPosterize,
    RandomToneCurve,
)
from augfn_nn.volume_frames import (
    CenterCrop3D,
    ForegroundCrop3D,
    Pad3D,
    PadTo3D,
    RandomCrop3D,
    Resize3D,
    Spacing3D,
)
from augfn_nn.volume_warp import RandomElastic3D, RandomGridDistortion3D, RandomThinPlateSpline3D
from augfn_nn.volumetric import (
    RandomAffine3D,
    RandomDepthicalFlip3D,
    RandomHorizontalFlip3D,
    RandomPerspective3D,
    RandomRot90_3D,
    RandomRotation3D,
    RandomScale3D,
    RandomShear3D,
    RandomTranslate3D,
    RandomVerticalFlip3D,
)
from augfn_nn.warp import (
    GridDistortion,
    OpticalDistortion,
    PiecewiseAffine,
    RandomElasticTransform,
    RandomFisheye,
    RandomThinPlateSpline,
)
from augfn_nn.weather import RandomFog, RandomRain, RandomShadow, RandomSnow, RandomSunFlare

# Modules have no `__module__`; all else that is imported here is public. For type checkers the stub lists it.
__all__ = sorted(  # pyright: ignore[reportUnsupportedDunderAll]
    name for name, value in vars().items() if name[0] != "_" and hasattr(value, "__module__")
)


def __getattr__(name: str) -> object:
    from augfn.errors import unknown

    raise AttributeError(unknown("name in augfn_nn", name, __all__))

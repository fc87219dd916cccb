# Written by `python -m augfn.app.stubs`.
from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict, Unpack

from augfn.typing import Chance, Clip, Range
from augfn_nn.adversarial import WorstCase as WorstCase
from augfn_nn.augment import Augment as Augment
from augfn_nn.auto import AutoAugment as AutoAugment
from augfn_nn.auto import RandAugment as RandAugment
from augfn_nn.auto import TrivialAugment as TrivialAugment
from augfn_nn.bridge import AugmentationBase2D as AugmentationBase2D
from augfn_nn.bridge import AugmentationBase3D as AugmentationBase3D
from augfn_nn.bridge import GeometricAugmentationBase2D as GeometricAugmentationBase2D
from augfn_nn.bridge import GeometricAugmentationBase3D as GeometricAugmentationBase3D
from augfn_nn.bridge import IntensityAugmentationBase2D as IntensityAugmentationBase2D
from augfn_nn.bridge import IntensityAugmentationBase3D as IntensityAugmentationBase3D
from augfn_nn.bridge import RigidAffineAugmentationBase2D as RigidAffineAugmentationBase2D
from augfn_nn.bridge import RigidAffineAugmentationBase3D as RigidAffineAugmentationBase3D
from augfn_nn.containers import ImageSequential as ImageSequential
from augfn_nn.containers import ManyToManyAugmentationDispather as ManyToManyAugmentationDispather
from augfn_nn.containers import ManyToOneAugmentationDispather as ManyToOneAugmentationDispather
from augfn_nn.containers import VideoSequential as VideoSequential
from augfn_nn.converters import Conversion as Conversion
from augfn_nn.converters import convert as convert
from augfn_nn.curricula import Scheduled as Scheduled
from augfn_nn.derive import Derived
from augfn_nn.items import ParamItem as ParamItem
from augfn_nn.items import PatchParamItem as PatchParamItem
from augfn_nn.patches import PatchSequential as PatchSequential
from augfn_nn.presets.ada import AdaptiveDiscriminatorAugmentation as AdaptiveDiscriminatorAugmentation
from augfn_nn.sequential import AugmentationSequential as AugmentationSequential
from augfn_nn.shorthands import Size

__all__ = [
    "AdaptiveDiscriminatorAugmentation",
    "Augment",
    "AugmentationBase2D",
    "AugmentationBase3D",
    "AugmentationSequential",
    "AutoAugment",
    "BBoxSafeCrop",
    "CenterCrop",
    "CenterCrop3D",
    "CoarseDropout",
    "ColorJiggle",
    "ColorJitter",
    "Conversion",
    "CopyPaste",
    "CropNonEmptyMask",
    "Denormalize",
    "DepthNormalize",
    "ForegroundCrop3D",
    "GeometricAugmentationBase2D",
    "GeometricAugmentationBase3D",
    "GridDistortion",
    "GridMask",
    "ImageSequential",
    "IntensityAugmentationBase2D",
    "IntensityAugmentationBase3D",
    "IntensityWindow",
    "LongestMaxSize",
    "ManyToManyAugmentationDispather",
    "ManyToOneAugmentationDispather",
    "MaskDropout",
    "Mosaic",
    "Normalize",
    "OpticalDistortion",
    "Pad",
    "Pad3D",
    "PadTo",
    "PadTo3D",
    "ParamItem",
    "PatchMix",
    "PatchParamItem",
    "PatchSequential",
    "PiecewiseAffine",
    "RandAugment",
    "RandomAffine",
    "RandomAffine3D",
    "RandomAnisotropy",
    "RandomAutoContrast",
    "RandomBiasField",
    "RandomBoxBlur",
    "RandomBrightness",
    "RandomBrightnessShift",
    "RandomChannelDropout",
    "RandomChannelShuffle",
    "RandomClahe",
    "RandomColorTwist",
    "RandomContrast",
    "RandomCrop",
    "RandomCrop3D",
    "RandomCutMix",
    "RandomCutMixV2",
    "RandomCutout",
    "RandomD4",
    "RandomDefocus",
    "RandomDepthDropout",
    "RandomDepthNoise",
    "RandomDepthicalFlip3D",
    "RandomDither",
    "RandomDownscale",
    "RandomElastic3D",
    "RandomElasticTransform",
    "RandomEqualize",
    "RandomEqualize3D",
    "RandomErasing",
    "RandomErasingNoise",
    "RandomFMix",
    "RandomFisheye",
    "RandomFog",
    "RandomFrameDropout",
    "RandomGamma",
    "RandomGaussianBlur",
    "RandomGaussianIllumination",
    "RandomGaussianNoise",
    "RandomGhosting",
    "RandomGibbs",
    "RandomGlassBlur",
    "RandomGrayscale",
    "RandomGridDistortion3D",
    "RandomGridMix",
    "RandomHSVSaturation",
    "RandomHSVShift",
    "RandomHistogramShift",
    "RandomHorizontalFlip",
    "RandomHorizontalFlip3D",
    "RandomHue",
    "RandomHueRotation",
    "RandomISONoise",
    "RandomInvert",
    "RandomIoUCrop",
    "RandomJPEG",
    "RandomJigsaw",
    "RandomLinearContrast",
    "RandomLinearCornerIllumination",
    "RandomLinearIllumination",
    "RandomLinearSaturation",
    "RandomLumaFlip",
    "RandomMedianBlur",
    "RandomMixUp",
    "RandomMixUpV2",
    "RandomMosaic",
    "RandomMotionArtifact",
    "RandomMotionBlur",
    "RandomMotionBlur3D",
    "RandomPatch",
    "RandomPatchMix",
    "RandomPerspective",
    "RandomPerspective3D",
    "RandomPlanckianJitter",
    "RandomPlasmaBrightness",
    "RandomPlasmaContrast",
    "RandomPlasmaShadow",
    "RandomPoissonNoise",
    "RandomPosterize",
    "RandomQuarterTurn",
    "RandomRGBShift",
    "RandomRain",
    "RandomResizeMix",
    "RandomResizedCrop",
    "RandomRicianNoise",
    "RandomRinging",
    "RandomRot90_3D",
    "RandomRotation",
    "RandomRotation3D",
    "RandomRotation90",
    "RandomSaltAndPepperNoise",
    "RandomSaturation",
    "RandomScale",
    "RandomScale3D",
    "RandomShadow",
    "RandomSharpness",
    "RandomShear",
    "RandomShear3D",
    "RandomSnow",
    "RandomSolarize",
    "RandomSolarizeAdd",
    "RandomSpeckleNoise",
    "RandomSpike",
    "RandomStretch",
    "RandomSunFlare",
    "RandomThinPlateSpline",
    "RandomThinPlateSpline3D",
    "RandomTimeReverse",
    "RandomTimeSpeed",
    "RandomToneCurve",
    "RandomTranslate",
    "RandomTranslate3D",
    "RandomTransplantation",
    "RandomTransplantation3D",
    "RandomUnsharpMask",
    "RandomVerticalFlip",
    "RandomVerticalFlip3D",
    "RandomZoomBlur",
    "RandomZoomOut",
    "Resize",
    "Resize3D",
    "RigidAffineAugmentationBase2D",
    "RigidAffineAugmentationBase3D",
    "ScaleJitter",
    "Scheduled",
    "SmallestMaxSize",
    "Spacing3D",
    "TimeCrop",
    "TimeSubsample",
    "TrivialAugment",
    "VideoSequential",
    "WorstCase",
    "ZScore",
    "convert",
]

class _Peers(TypedDict, total=False):
    """Arguments of kornia and torchvision that say what holds here anyway; another value is an error."""

    align_corners: Any
    cropping_mode: Any
    ensure_perm: Any
    separable: Any
    expand: Any
    center: Any
    inplace: Any
    data_keys: Any

class BBoxSafeCrop(Derived):
    """Cut a window that holds all valid boxes and resize it to `size` = (h, w); `slack` is the share of the room
    beside them that goes. Takes a dict with boxes.
    """

    def __init__(
        self,
        size: Size,
        slack: Range = (0.0, 1.0),
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class CenterCrop(Derived):
    """Cut `size` = (h, w), or an int, out of the middle; a frame that is smaller is an error."""

    def __init__(
        self,
        size: Size,
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class CenterCrop3D(Derived):
    """Cut `size` = (d, h, w), or an int, out of the middle; a volume that is smaller is an error."""

    def __init__(
        self,
        size: int | tuple[int, int, int],
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class CoarseDropout(Derived):
    """Hide up to 16 rectangles; sides are fractions of the frame's."""

    def __init__(
        self,
        num_holes_range: Range = (1, 2),
        hole_height_range: Range = (0.1, 0.2),
        hole_width_range: Range = (0.1, 0.2),
        *,
        p: Chance = 0.5,
        fill: Any = None,
        fill_mask: float | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class ColorJiggle(Derived):
    """x + brightness - 1, contrast x, saturation and hue of HSV (numbers as in ColorJitter), in an order of its own per
    sample (kornia: per batch).
    """

    def __init__(
        self,
        brightness: Range = 0.0,
        contrast: Range = 0.0,
        saturation: Range = 0.0,
        hue: Range = 0.0,
        order: Any = None,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class ColorJitter(Derived):
    """Brightness, contrast, saturation (a number x is 1 ± x) and hue (± turns), in an order of its own per sample."""

    def __init__(
        self,
        brightness: Range = 0.0,
        contrast: Range = 0.0,
        saturation: Range = 0.0,
        hue: Range = 0.0,
        order: Any = None,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class CopyPaste(Derived):
    """Paste objects of the partner, each of its boxes with the probability `chance`."""

    def __init__(
        self,
        chance: Range = 0.5,
        num_classes: int | None = None,
        *,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class CropNonEmptyMask(Derived):
    """Cut `size` = (h, w) around a random pixel of the mask that is not 0. Takes a dict with a mask."""

    def __init__(
        self,
        size: Size,
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class Denormalize(Derived):
    """y = std x + mean for each channel; in `eval()` too, since nothing of it is random."""

    def __init__(
        self,
        mean: Any,
        std: Any,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class DepthNormalize(Derived):
    """Depth in fractions of what the camera reaches, at most 1."""

    def __init__(
        self,
        max: float,
        missing: float = 0.0,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class ForegroundCrop3D(Derived):
    """Cut `size` = (d, h, w) around a voxel of a label that `ratios` choose: (background, foreground), or one number for
    each label.
    """

    def __init__(
        self,
        size: int | tuple[int, int, int],
        ratios: Any = None,
        around: str = "mask",
        position: Range = (0.0, 1.0),
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class GridDistortion(Derived):
    """Move the lines of a grid of 5 x 5 cells, whose sides are 1 + `distort_limit`; a number is ±."""

    def __init__(
        self,
        num_steps: int = 5,
        distort_limit: Range = (-0.3, 0.3),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class GridMask(Derived):
    """Hide a grid of squares with sides `ratio` period (the paper's ratio is 1 - ratio), turned by `angle`, shifted by
    any part of a period. `period` is a fraction of the shorter side; a number is fixed.
    """

    def __init__(
        self,
        period: Range = (0.25, 0.6),
        ratio: Range = (0.4, 0.6),
        angle: Range = (-45.0, 45.0),
        *,
        p: Chance = 0.5,
        fill: Any = None,
        fill_mask: float | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class IntensityWindow(Derived):
    """Map the window from `low` to `high`, percentiles or with `unit`="value" intensities, to `out`; numbers are fixed."""

    def __init__(
        self,
        low: Range = 0.5,
        high: Range = 99.5,
        unit: str = "percentile",
        out: Any = (0.0, 1.0),
        cut: bool = True,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class LongestMaxSize(Derived):
    """Resize so that the longer side is `max_size`; antialiased where it shrinks (kornia, and `kornia=True`, is not)."""

    def __init__(
        self,
        max_size: int,
        *,
        kornia: bool | None = None,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class MaskDropout(Derived):
    """Hide every instance of an integer mask with probability `p_object` (albumentations: a number of them)."""

    def __init__(
        self,
        p_object: Range = 0.5,
        *,
        p: Chance = 0.5,
        fill: Any = None,
        fill_mask: float | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class Mosaic(Derived):
    """Four images in a frame of twice the sides, that meet in a point drawn from `centre` = (low, high), in fractions."""

    def __init__(
        self,
        centre: Range = (0.25, 0.75),
        fill: float = 0.4470588235294118,
        num_classes: int | None = None,
        *,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        fill_value: Any = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class Normalize(Derived):
    """y = (x - mean) / std for each channel; in `eval()` too, since nothing of it is random."""

    def __init__(
        self,
        mean: Any,
        std: Any,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class OpticalDistortion(Derived):
    """Barrel (> 0) or pincushion (< 0): the radial coefficient, for a radius of 1 at the corners; a number is ±."""

    def __init__(
        self,
        distort_limit: Range = (-0.2, 0.2),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class Pad(Derived):
    """Add pixels: `padding` is an int, (x, y) or (left, top, right, bottom)."""

    def __init__(
        self,
        padding: Any,
        fill: Any = 0.0,
        padding_mode: Any = "constant",
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class Pad3D(Derived):
    """Add voxels: `padding` is an int, (x, y, z) or (left, right, top, bottom, front, back), as in kornia's RandomCrop3D
    (`af.pad3d` takes the low sides first).
    """

    def __init__(
        self,
        padding: Any,
        fill: Any = 0.0,
        padding_mode: Any = "constant",
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class PadTo(Derived):
    """Pad right and bottom up to `size` = (h, w); a larger frame is cropped there, or left: `crop_if_exceeds=False`."""

    def __init__(
        self,
        size: Size,
        pad_mode: Any = "constant",
        pad_value: Any = 0.0,
        crop_if_exceeds: bool = True,
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class PadTo3D(Derived):
    """Pad on both sides up to `size` = (d, h, w), or up to multiples of `divisible`; a longer side stays."""

    def __init__(
        self,
        size: int | tuple[int, int, int] | None = None,
        divisible: int | None = None,
        fill: Any = 0.0,
        padding_mode: Any = "constant",
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class PatchMix(Derived):
    """Take patches of `patch_size` pixels from one of two images; the own share is Beta(alpha, alpha). (kornia)"""

    def __init__(
        self,
        alpha: float = 1.0,
        patch_size: int = 16,
        *,
        num_classes: int | None = None,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class PiecewiseAffine(Derived):
    """Move a grid of 4 x 4 points by up to `scale` of the shorter side (albumentations: a standard deviation)."""

    def __init__(
        self,
        scale: Range = (0.03, 0.05),
        nb_rows: int = 4,
        nb_cols: int = 4,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomAffine(Derived):
    """One affine map about the centre."""

    def __init__(
        self,
        degrees: Range,
        translate: Range | None = None,
        scale: Range | None = None,
        shear: Range | None = None,
        *,
        kornia: bool | None = None,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomAffine3D(Derived):
    """Scale, shear and rotate a volume about its centre, then shift it."""

    def __init__(
        self,
        degrees: Range,
        translate: Range | None = None,
        scale: Range | None = None,
        shears: Any = None,
        *,
        spacing: Any = None,
        order: str | None = None,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomAnisotropy(Derived):
    """Thick slices along `axis`, `factor` pixels apart; a number is fixed. "z" is that of a volume."""

    def __init__(
        self,
        factor: Range = (1.5, 5.0),
        axis: str = "z",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomAutoContrast(Derived):
    """Stretch every channel to [0, 1]; one of a single value stays as it is (kornia: becomes 0)."""

    def __init__(
        self,
        clip_output: bool = True,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomBiasField(Derived):
    """Multiply by a smooth field, the exponential of a polynomial up to degree `order`; a number is ± for each
    coefficient.
    """

    def __init__(
        self,
        coefficients: Range = 0.5,
        order: int = 3,
        basis: str = "monomial",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomBoxBlur(Derived):
    """Average over `kernel_size` pixels, odd, or (kh, kw)."""

    def __init__(
        self,
        kernel_size: Any = (3, 3),
        border_type: Any = "reflect",
        normalized: bool = True,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomBrightness(Derived):
    """Multiply by a factor; a number x is 1 ± x (kornia, and `kornia=True`, adds factor - 1: RandomBrightnessShift)."""

    def __init__(
        self,
        brightness: Range = (1.0, 1.0),
        clip_output: bool = True,
        *,
        kornia: bool | None = None,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomBrightnessShift(Derived):
    """Add a number; x is ±x. kornia's RandomBrightness with 1 less: (-0.2, 0.2) for its (0.8, 1.2)."""

    def __init__(
        self,
        shift: Range = (0.0, 0.0),
        clip_output: bool = True,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomChannelDropout(Derived):
    """Set `num_drop_channels` channels, others for every sample, to `fill_value`."""

    def __init__(
        self,
        num_drop_channels: int = 1,
        fill_value: float = 0.0,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomChannelShuffle(Derived):
    """Put the channels into a random order, another one for every sample."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomClahe(Derived):
    """Contrast limited adaptive histogram equalization, `grid_size` = (rows, columns) tiles, `clip_limit` (low, high)."""

    def __init__(
        self,
        clip_limit: Range = (40.0, 40.0),
        grid_size: Any = (8, 8),
        slow_and_differentiable: bool = False,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomColorTwist(Derived):
    """ColorJitter as one linear colour matrix: no inner clipping, contrast about 0.5, hue about the grey axis."""

    def __init__(
        self,
        brightness: Range = 0.0,
        contrast: Range = 0.0,
        saturation: Range = 0.0,
        hue: Range = 0.0,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomContrast(Derived):
    """Spread about the grey mean by a factor; a number x is 1 ± x (kornia, and `kornia=True`, multiplies: RandomBrightness)."""

    def __init__(
        self,
        contrast: Range = (1.0, 1.0),
        clip_output: bool = True,
        *,
        kornia: bool | None = None,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomCrop(Derived):
    """Cut `size` = (h, w) at whole pixels; `padding` (an int, (x, y) or (left, top, right, bottom)) is added first."""

    def __init__(
        self,
        size: Size,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0.0,
        padding_mode: Any = "constant",
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomCrop3D(Derived):
    """Cut `size` = (d, h, w) at whole voxels; `padding` as in Pad3D is added first."""

    def __init__(
        self,
        size: int | tuple[int, int, int],
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0.0,
        padding_mode: Any = "constant",
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomCutMix(Derived):
    """Paste a rectangle of the partner; `cut_size` = (low, high) is its share of the area (before it is clipped)."""

    def __init__(
        self,
        num_mix: int = 1,
        cut_size: Range | None = None,
        beta: Any = None,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        use_correct_lambda: bool = True,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

RandomCutMixV2 = RandomCutMix

class RandomCutout(Derived):
    """Hide squares of side `size`, a fraction of the shorter side, centred anywhere; a number is fixed."""

    def __init__(
        self,
        size: Range = (0.25, 0.5),
        num_holes: int = 1,
        *,
        p: Chance = 0.5,
        fill: Any = None,
        fill_mask: float | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomD4(Derived):
    """One of the eight symmetries of the square for each sample (of four on other frames); pixels are copied."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomDefocus(Derived):
    """Average over a soft-edged disk of `radius` pixels; a number is fixed. `kernel_size`: what holds the largest."""

    def __init__(
        self,
        radius: Range = (1.0, 4.0),
        kernel_size: int | None = None,
        border_type: Any = "reflect",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomDepthDropout(Derived):
    """Holes: cells of `size` pixels lose their depth; a number is fixed."""

    def __init__(
        self,
        amount: Range = (0.0, 0.1),
        size: int = 1,
        missing: float = 0.0,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomDepthNoise(Derived):
    """Noise of a depth camera: std + axial z^2; 0 and NaN, which were not measured, have none. Numbers are fixed."""

    def __init__(
        self,
        std: Range = (0.0, 0.01),
        axial: Range = (0.0, 0.002),
        missing: float | None = None,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomDepthicalFlip3D(Derived):
    """Mirror a volume front and back."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomDither(Derived):
    """Few levels and a Bayer pattern of `size` between them; `levels` is (low, high), a number is fixed."""

    def __init__(
        self,
        levels: Range = (2, 8),
        size: int = 4,
        *,
        grad: str = "none",
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomDownscale(Derived):
    """Lose resolution: averaged down to `scale` of it, and back by "nearest" or "bilinear"; a number is fixed."""

    def __init__(
        self,
        scale: Range = (0.25, 0.75),
        interpolation: str = "nearest",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomElastic3D(Derived):
    """Bend a volume by a smooth random field: `alpha` is the displacement's standard deviation, `sigma` its smoothness,
    in fractions of the shortest side.
    """

    def __init__(
        self,
        alpha: Range = (0.0, 0.03),
        sigma: Range = 0.15,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomElasticTransform(Derived):
    """Bend by a smooth random field; masks, keypoints and boxes follow (in kornia keypoints and boxes stay)."""

    def __init__(
        self,
        kernel_size: Any = None,
        sigma: Any = None,
        alpha: Any = None,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomEqualize(Derived):
    """Make the histogram of every channel uniform."""

    def __init__(
        self,
        *,
        grad: str = "none",
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomEqualize3D(Derived):
    """Make the histogram of every channel of a volume uniform."""

    def __init__(
        self,
        *,
        grad: str = "none",
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomErasing(Derived):
    """Hide a rectangle by `value`: a share `scale` of the area, height / width log-uniform in `ratio`; masks by 0."""

    def __init__(
        self,
        scale: Range = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: Any = 0.0,
        *,
        p: Chance = 0.5,
        fill: Any = None,
        fill_mask: float | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomErasingNoise(Derived):
    """Fill a rectangle with normal noise, for normalised images; `ratio` is width / height. (timm: RandomErasing, "pixel")"""

    def __init__(
        self,
        scale: Range = (0.02, 0.33),
        ratio: Range = (0.3, 3.3),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomFMix(Derived):
    """Cut along the level set of a smooth random field; the own share is Beta(alpha, alpha)."""

    def __init__(
        self,
        alpha: float = 1.0,
        decay: float = 3.0,
        num_classes: int | None = None,
        *,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class RandomFisheye(Derived):
    """Shrink by the distance from a centre, in [-1, 1]; masks, keypoints and boxes follow (not in kornia)."""

    def __init__(
        self,
        center_x: Range = (-0.3, 0.3),
        center_y: Range = (-0.3, 0.3),
        gamma: Range = (0.9, 1.0),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomFog(Derived):
    """Blend with white through clouds, of density `6.25 alpha_coef fog_coef`: on average what albumentations draws."""

    def __init__(
        self,
        alpha_coef: float = 0.08,
        fog_coef_range: Range = (0.3, 1.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomFrameDropout(Derived):
    """Lose frames, each with probability `p_frame`: the one before stays on; a number is fixed."""

    def __init__(
        self,
        p_frame: Range = (0.0, 0.3),
        *,
        p: Chance = 0.5,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGamma(Derived):
    """y = gain x^gamma on [0, 1]; a number is fixed."""

    def __init__(
        self,
        gamma: Range = (1.0, 1.0),
        gain: Range = (1.0, 1.0),
        clip_output: bool = True,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGaussianBlur(Derived):
    """Blur by a Gaussian of `sigma` pixels, (low, high), a number is fixed; `kernel_size` odd, or (kh, kw)."""

    def __init__(
        self,
        kernel_size: Any,
        sigma: Range = (0.1, 2.0),
        border_type: Any = "reflect",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGaussianIllumination(Derived):
    """Add or take a Gaussian spot of light; `center` and `sigma`, fractions of width and height, are drawn per axis."""

    def __init__(
        self,
        gain: Range = (0.01, 0.15),
        center: Range = (0.1, 0.9),
        sigma: Range = (0.2, 1.0),
        sign: Any = (-1.0, 1.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        inplace: Any = ...,
        data_keys: Any = ...,
    ) -> None: ...

class RandomGaussianNoise(Derived):
    """Add mean + std n, full scale = 1; a number is fixed, a pair a range. `clip`: "clamp" or True, the default, keeps the sum in
    [0, 1], "none" or False, and `kornia=True`, does not, as kornia's; of normalised images take that.
    """

    def __init__(
        self,
        mean: Range = 0.0,
        std: Range = 1.0,
        clip: bool | str | None = None,
        *,
        kornia: bool | None = None,
        p: Chance = 0.5,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGhosting(Derived):
    """Copies along `axis`: every `ghosts`-th line of k-space (rounded) loses the share `intensity`; numbers are fixed."""

    def __init__(
        self,
        ghosts: Range = (3.5, 10.5),
        intensity: Range = (0.5, 1.0),
        axis: str = "y",
        restore: float | None = None,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGibbs(Derived):
    """Ringing at edges: the share `alpha` of the radius of k-space is lost; a number is fixed."""

    def __init__(
        self,
        alpha: Range = (0.0, 0.6),
        *,
        grad: str = "none",
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGlassBlur(Derived):
    """Read every pixel up to `max_delta` pixels away, then blur by a Gaussian of `sigma` pixels; numbers are fixed."""

    def __init__(
        self,
        sigma: Range = (0.3, 0.8),
        max_delta: Range = (0.5, 2.0),
        kernel_size: int = 5,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGrayscale(Derived):
    """Every channel becomes .2989 R + .587 G + .114 B, or the sum with `rgb_weights`, one per channel."""

    def __init__(
        self,
        rgb_weights: Any = None,
        *,
        kornia: bool | None = None,
        p: Chance = 0.1,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGridDistortion3D(Derived):
    """Move the planes of a grid of 5 x 5 x 5 cells, whose sides are 1 + `distort_limit`; a number is ±."""

    def __init__(
        self,
        num_steps: int = 5,
        distort_limit: Range = (-0.3, 0.3),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomGridMix(Derived):
    """Take the cells of a 4 x 4 grid from one of two images; the own share is Beta(alpha, alpha)."""

    def __init__(
        self,
        alpha: float = 1.0,
        num_classes: int | None = None,
        *,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class RandomHSVSaturation(Derived):
    """Scale the saturation of HSV by a factor; a number x is 1 ± x. This is kornia's RandomSaturation."""

    def __init__(
        self,
        saturation: Range = (1.0, 1.0),
        clip_output: bool = True,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomHSVShift(Derived):
    """Turn the hue of HSV, in turns, and add to its saturation and value, in fractions of full scale; a number is ±."""

    def __init__(
        self,
        hue: Range = 0.05,
        saturation: Range = 0.1,
        value: Range = 0.1,
        clip_output: bool = True,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomHistogramShift(Derived):
    """Bend the scale of each channel at 8 inner points, a number is ±, in distances of points."""

    def __init__(
        self,
        shift: Range = 0.4,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomHorizontalFlip(Derived):
    """Mirror left and right: points to W - 1 - x, boxes to W - x (kornia: W - 1 - x)."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomHorizontalFlip3D(Derived):
    """Mirror a volume left and right."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomHue(Derived):
    """Turn the hue by turns in -0.5 to 0.5; a number is ±."""

    def __init__(
        self,
        hue: Range = (0.0, 0.0),
        clip_output: bool = True,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomHueRotation(Derived):
    """Turn the colours about the grey axis, by turns; a number is ±."""

    def __init__(
        self,
        hue: Range = (-0.5, 0.5),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomISONoise(Derived):
    """Noise in hue and lightness, with albumentations' arguments; a number is fixed."""

    def __init__(
        self,
        color_shift: Range = (0.01, 0.05),
        intensity: Range = (0.1, 0.5),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomInvert(Derived):
    """y = max_val - x; `max_val` is a number, or one per channel."""

    def __init__(
        self,
        max_val: Any = 1.0,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomIoUCrop(Derived):
    """Cut a window, of `min_scale` to `max_scale` of each side, that overlaps a box by one of `sampler_options` (1 keeps the
    frame), and read it into the frame, which stays (torchvision's shrinks). Takes a dict with boxes.
    """

    def __init__(
        self,
        min_scale: float = 0.3,
        max_scale: float = 1.0,
        min_aspect_ratio: float = 0.5,
        max_aspect_ratio: float = 2.0,
        sampler_options: Any = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
        trials: int = 40,
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomJPEG(Derived):
    """Compress as JPEG, differentiably: `jpeg_quality` is (low, high), or a number x for 50 ± x within 1 to 100."""

    def __init__(
        self,
        jpeg_quality: Range = 50.0,
        *,
        grad: str = "soft",
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomJigsaw(Derived):
    """Tiles of a grid change places; what is left over at the far ends stays (kornia wants sides that the grid divides)."""

    def __init__(
        self,
        grid: tuple[int, int] = (4, 4),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomLinearContrast(Derived):
    """Spread about mid grey by a factor; a number x is 1 ± x. imgaug's `LinearContrast`."""

    def __init__(
        self,
        factor: Range = (0.7, 1.4),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomLinearCornerIllumination(Derived):
    """Add or take light that falls from one corner to the opposite one; `sign` as in the Gaussian one."""

    def __init__(
        self,
        gain: Range = (0.01, 0.2),
        sign: Any = (-1.0, 1.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomLinearIllumination(Derived):
    """Add or take light that falls from one edge to the other, each as likely; `sign` as in the Gaussian one."""

    def __init__(
        self,
        gain: Range = (0.01, 0.2),
        sign: Any = (-1.0, 1.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomLinearSaturation(Derived):
    """Scale the distance of colours from the grey axis; a number x is 1 ± x."""

    def __init__(
        self,
        factor: Range = (0.5, 2.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomLumaFlip(Derived):
    """Light becomes dark, hue and saturation stay."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomMedianBlur(Derived):
    """The median of `kernel_size` pixels, odd, or (kh, kw); reflected at the border."""

    def __init__(
        self,
        kernel_size: Any = (3, 3),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomMixUp(Derived):
    """Blend with a partner; `lambda_val` = (low, high) is the own sample's weight (kornia, and `kornia=True`: the partner's)."""

    def __init__(
        self,
        lambda_val: Range | None = None,
        alpha: float = 1.0,
        num_classes: int | None = None,
        *,
        kornia: bool | None = None,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

RandomMixUpV2 = RandomMixUp

class RandomMosaic(Derived):
    """Four images, two by two, of which a window of `output_size` (that of an image, where None) is cut; the window's position
    is drawn from `start_ratio_range`, 0 = left or top, 1 = right or bottom. Others are resized. (kornia)
    """

    def __init__(
        self,
        output_size: Any = None,
        mosaic_grid: tuple[int, int] = (2, 2),
        start_ratio_range: Range = (0.3, 0.7),
        min_bbox_size: float = 0.0,
        *,
        p: float = 0.7,
        padding_mode: str = "constant",
        resample: Any = "bilinear",
        fill: float = 0.0,
        num_classes: int | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        fill_value: Any = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class RandomMotionArtifact(Derived):
    """Two movements while k-space is filled along `axis`: single numbers are ± degrees and ± fractions of the size."""

    def __init__(
        self,
        degrees: Range = 10.0,
        translate: Range = 0.05,
        axis: str = "x",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomMotionBlur(Derived):
    """Blur along a streak, turned counter-clockwise by `angle` degrees; single numbers are ±."""

    def __init__(
        self,
        kernel_size: Any,
        angle: Range,
        direction: Range,
        border_type: Any = "constant",
        resample: Any = "bilinear",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomMotionBlur3D(Derived):
    """Blur a volume along a streak, turned by the axis-angle vector `angle` = (x, y, z) as by RandomRotation3D."""

    def __init__(
        self,
        kernel_size: Any,
        angle: Range,
        direction: Range,
        border_type: Any = "constant",
        resample: Any = "bilinear",
        *,
        kornia: bool | None = None,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPatch(Derived):
    """Fill a rectangle with uniform noise, in the image alone; `scale` and `ratio` as in RandomErasing."""

    def __init__(
        self,
        scale: Range = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPatchMix(Derived):
    """Take each of 4 x 4 cells from one of four images; the own share is Beta(alpha, alpha)."""

    def __init__(
        self,
        alpha: float = 1.0,
        num_classes: int | None = None,
        *,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class RandomPerspective(Derived):
    """Move the corners by up to `distortion_scale` of half the size: inwards, or with "area_preserving" both ways."""

    def __init__(
        self,
        distortion_scale: Range = 0.5,
        sampling_method: str = "basic",
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPerspective3D(Derived):
    """Move corners of a volume inwards by up to `distortion_scale` of half the size."""

    def __init__(
        self,
        distortion_scale: Range = 0.5,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPlanckianJitter(Derived):
    """Other light: a temperature of the whole table, from 3000 K ("blackbody") or 4000 K ("CIED") to 15000 K."""

    def __init__(
        self,
        mode: str = "blackbody",
        select_from: Any = None,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPlasmaBrightness(Derived):
    """Brighten and darken by a fractal for each channel; a number is fixed."""

    def __init__(
        self,
        roughness: Range = (0.1, 0.7),
        intensity: Range = (0.0, 1.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPlasmaContrast(Derived):
    """A contrast about 1/2 whose factor, 0 to 4, follows a fractal for each channel; a number is fixed."""

    def __init__(
        self,
        roughness: Range = (0.1, 0.7),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPlasmaShadow(Derived):
    """Add `shade_intensity` where a fractal is below `shade_quantity`; a number is fixed."""

    def __init__(
        self,
        roughness: Range = (0.1, 0.7),
        shade_intensity: Range = (-1.0, 0.0),
        shade_quantity: Range = (0.0, 1.0),
        softness: float = 0.02,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPoissonNoise(Derived):
    """Shot noise of a sensor that counts `photons` at full scale: (low, high), log-uniform; a number is fixed."""

    def __init__(
        self,
        photons: Range = (30.0, 1000.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomPosterize(Derived):
    """Keep the highest bits of 8: `bits` is (low, high), or a number x for x to 8 (torchvision: x itself)."""

    def __init__(
        self,
        bits: Range = 3,
        *,
        grad: str = "none",
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomQuarterTurn(Derived):
    """Turn each sample by 0, 1, 2 or 3 quarters (on a frame that is not square by 0 or 2); pixels are copied."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomRGBShift(Derived):
    """Add a number to each of red, green and blue; a limit x is ±x, (low, high) the range itself."""

    def __init__(
        self,
        r_shift_limit: Range = 0.5,
        g_shift_limit: Range = 0.5,
        b_shift_limit: Range = 0.5,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomRain(Derived):
    """Draw lines of grey 200/255, `drop_height` rows down and `drop_width` columns aside; a number is fixed."""

    def __init__(
        self,
        number_of_drops: Range = (1000, 2000),
        drop_height: Range = (5, 20),
        drop_width: Range = (-5, 5),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomResizeMix(Derived):
    """Paste the whole partner, resized to `scale` = (low, high) of the sides."""

    def __init__(
        self,
        scale: Range = (0.1, 0.8),
        num_classes: int | None = None,
        *,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class RandomResizedCrop(Derived):
    """Cut a window and resize it to `size` = (h, w)."""

    def __init__(
        self,
        size: Size,
        scale: Range = (0.08, 1.0),
        ratio: Range = (0.75, 1.3333333333333333),
        *,
        kornia: bool | None = None,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomRicianNoise(Derived):
    """Noise of a magnitude image, full scale = 1; a number is fixed."""

    def __init__(
        self,
        std: Range = (0.0, 0.1),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomRinging(Derived):
    """Ripples beside edges: the ideal low-pass at `cutoff` radians per pixel; a number is fixed."""

    def __init__(
        self,
        cutoff: Range = (0.7853981633974483, 1.5707963267948966),
        kernel_size: int = 9,
        border_type: Any = "reflect",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomRot90_3D(Derived):
    """Turn by whole quarters in the plane "xy", "xz" or "yz": `times` = (a, b) inclusive, all equally likely, a number n
    is -n to n.
    """

    def __init__(
        self,
        times: int | tuple[int, int],
        plane: str = "xy",
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomRotation(Derived):
    """Rotate about the centre, counter-clockwise; a number is ±degrees."""

    def __init__(
        self,
        degrees: Range,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomRotation3D(Derived):
    """Rotate by an axis-angle vector (x, y, z); a turn about z has RandomRotation's sign."""

    def __init__(
        self,
        degrees: Range,
        *,
        spacing: Any = None,
        order: str | None = None,
        kornia: bool | None = None,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomRotation90(Derived):
    """Turn counter-clockwise by whole quarters, `times` = (a, b) inclusive, all equally likely; a number n is -n to n."""

    def __init__(
        self,
        times: int | tuple[int, int],
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSaltAndPepperNoise(Derived):
    """Turn pixels white or black: `amount` of them, `salt_vs_pepper` of these white; a number is fixed."""

    def __init__(
        self,
        amount: Range = (0.01, 0.06),
        salt_vs_pepper: Range = (0.4, 0.6),
        grad: str = "none",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSaturation(Derived):
    """Blend with grey by a factor; a number x is 1 ± x (kornia, and `kornia=True`, scales that of HSV: RandomHSVSaturation)."""

    def __init__(
        self,
        saturation: Range = (1.0, 1.0),
        clip_output: bool = True,
        *,
        kornia: bool | None = None,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomScale(Derived):
    """Zoom about the centre by (low, high), or four numbers: x, then y; > 1 magnifies."""

    def __init__(
        self,
        scale: Range = (0.8, 1.25),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomScale3D(Derived):
    """Zoom a volume about its centre by (low, high), or three pairs: x, y, z; > 1 magnifies."""

    def __init__(
        self,
        scale: Range = (0.8, 1.25),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomShadow(Derived):
    """Darken soft quadrilaterals with one corner in each quarter of `shadow_roi` (x, y, x, y as fractions)."""

    def __init__(
        self,
        shadow_roi: tuple[float, float, float, float] = (0.0, 0.5, 1.0, 1.0),
        num_shadows_limit: tuple[int, int] = (1, 2),
        shadow_dimension: int = 4,
        shadow_intensity_range: Range = (0.5, 0.5),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSharpness(Derived):
    """Blend with a smoothed image: 0 is smooth, 1 the image, above 1 sharper; a number x is (0, x)."""

    def __init__(
        self,
        sharpness: Range = 0.5,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomShear(Derived):
    """Shear by degrees: a number is ± along x, (a, b) along x, four numbers: x, then y."""

    def __init__(
        self,
        shear: Range,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomShear3D(Derived):
    """Shear a volume by six angles in degrees, in kornia's order: xy, xz, yx, yz, zx, zy, where xy moves y with x."""

    def __init__(
        self,
        shears: Range,
        *,
        spacing: Any = None,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSnow(Derived):
    """Multiply the lightness by `brightness` where it is below `snow_coefficient`; a number is fixed."""

    def __init__(
        self,
        snow_coefficient: Range = (0.5, 0.5),
        brightness: Range = (2.0, 2.0),
        grad: str = "none",
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSolarize(Derived):
    """Add a number, clamp, and invert what is at or above a threshold."""

    def __init__(
        self,
        thresholds: Range = 0.1,
        additions: Range | None = None,
        *,
        threshold: Range | None = None,
        grad: str = "none",
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSolarizeAdd(Derived):
    """Add to what lies below a threshold, and clamp. (timm)"""

    def __init__(
        self,
        addition: Range = (0.0, 0.43),
        threshold: Range = 0.5019607843137255,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSpeckleNoise(Derived):
    """Multiply each value by 1 + std n; a number is fixed."""

    def __init__(
        self,
        std: Range = (0.0, 0.2),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSpike(Derived):
    """Stripes: one point of k-space is higher by `intensity` times its largest magnitude; a number is fixed."""

    def __init__(
        self,
        intensity: Range = (1.0, 3.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomStretch(Derived):
    """Zoom the width by a factor and the height by its inverse; a number is fixed."""

    def __init__(
        self,
        factor: Range = (0.8, 1.25),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomSunFlare(Derived):
    """A sun in `flare_roi` (x, y, x, y as fractions) and its lens ghosts."""

    def __init__(
        self,
        flare_roi: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 0.5),
        src_radius: Range = (0.3, 0.8),
        src_color: Any = 1.0,
        intensity: Range = (0.6, 1.0),
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomThinPlateSpline(Derived):
    """Move corners and middle by up to `scale` of half the size, a number or a range; all targets follow (not in
    kornia).
    """

    def __init__(
        self,
        scale: Range = 0.2,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomThinPlateSpline3D(Derived):
    """Move corners and middle of a volume by up to `scale` of half the size, a number or a range."""

    def __init__(
        self,
        scale: Range = 0.2,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomTimeReverse(Derived):
    """Play a clip backwards."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomTimeSpeed(Derived):
    """Play faster (> 1) or slower: (low, high), log-uniform; a number is fixed. A `size` other than the clip's needs
    p=1.
    """

    def __init__(
        self,
        factor: Range = (0.67, 1.5),
        size: int | None = None,
        *,
        p: Chance = 0.5,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomToneCurve(Derived):
    """Bend the tone by a Bezier curve, heights normal about 1/4 and 3/4 with std `scale`, within [0, 1]."""

    def __init__(
        self,
        scale: float = 0.1,
        per_channel: bool = False,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomTranslate(Derived):
    """Shift by fractions of the width and the height: ranges (low, high) with signs, positive right and down."""

    def __init__(
        self,
        translate_x: Range | None = None,
        translate_y: Range | None = None,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomTranslate3D(Derived):
    """Shift by fractions of width, height and depth: ranges (low, high) with signs, positive to higher indices."""

    def __init__(
        self,
        translate_x: Range | None = None,
        translate_y: Range | None = None,
        translate_z: Range | None = None,
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomTransplantation(Derived):
    """Paste what the partner's mask gives to one of its labels, drawn from those that it has but `excluded_labels`, or from
    `classes`: `aug(images, masks)`. (kornia)
    """

    def __init__(
        self,
        excluded_labels: Any = (0,),
        classes: tuple[int, ...] | None = None,
        *,
        num_classes: int | None = None,
        p: Chance = 0.5,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class RandomTransplantation3D(Derived):
    """The same of volumes. (kornia)"""

    def __init__(
        self,
        excluded_labels: Any = (0,),
        classes: tuple[int, ...] | None = None,
        *,
        num_classes: int | None = None,
        p: Chance = 0.5,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        data_keys: Sequence[Any] | None = None,
        labels: str | None = None,
        align_corners: Any = ...,
        cropping_mode: Any = ...,
        ensure_perm: Any = ...,
        separable: Any = ...,
        expand: Any = ...,
        center: Any = ...,
        inplace: Any = ...,
    ) -> None: ...

class RandomUnsharpMask(Derived):
    """Add `amount` of what a Gaussian blur of `sigma` pixels takes away; numbers are fixed."""

    def __init__(
        self,
        kernel_size: Any = 5,
        sigma: Range = (0.1, 2.0),
        amount: Range = (0.2, 0.5),
        border_type: Any = "reflect",
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomVerticalFlip(Derived):
    """Mirror top and bottom: points to H - 1 - y, boxes to H - y (kornia: H - 1 - y)."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomVerticalFlip3D(Derived):
    """Mirror a volume top and bottom."""

    def __init__(
        self,
        p: Chance = 0.5,
        *,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomZoomBlur(Derived):
    """The mean of `steps` copies, zoomed about the centre by 1 to `factor`; a number is fixed."""

    def __init__(
        self,
        factor: Range = (1.0, 1.2),
        steps: int = 8,
        *,
        p: Chance = 0.5,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class RandomZoomOut(Derived):
    """Put the image on a canvas `side_range` times as large and shrink that to the frame (torchvision's frame
    grows).
    """

    def __init__(
        self,
        fill: Any = 0.0,
        side_range: Range = (1.0, 4.0),
        *,
        p: Chance = 0.5,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class Resize(Derived):
    """Resize to (h, w), or one side to an int; antialiased where it shrinks (kornia, and `kornia=True`, is not, unless told; its
    default `align_corners=True`, which keeps corner pixels, is not followed).
    """

    def __init__(
        self,
        size: Size,
        side: str = "short",
        *,
        antialias: bool | None = None,
        kornia: bool | None = None,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class Resize3D(Derived):
    """Resize to `size` = (d, h, w), or to a cube; antialiased where it shrinks."""

    def __init__(
        self,
        size: int | tuple[int, int, int],
        antialias: bool = True,
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class ScaleJitter(Derived):
    """Zoom by `scale_range` times what just fits, and cut or pad to `target_size` = (h, w), at a random place."""

    def __init__(
        self,
        target_size: Size,
        scale_range: Range = (0.1, 2.0),
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class SmallestMaxSize(Derived):
    """Resize so that the shorter side is `max_size`; antialiased where it shrinks (kornia, and `kornia=True`, is not)."""

    def __init__(
        self,
        max_size: int,
        *,
        kornia: bool | None = None,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        antialias: bool | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class Spacing3D(Derived):
    """Resample voxels of `source` mm (x, y, z) to voxels of `spacing` mm, in a frame that fits or of `size` = (d, h, w)."""

    def __init__(
        self,
        spacing: Any,
        source: Any,
        size: int | tuple[int, int, int] | None = None,
        antialias: bool = True,
        *,
        p: Chance = 1.0,
        interpolation: Any = None,
        padding_mode: Any = None,
        fill: Any = None,
        fill_mask: float | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        resample: Any = None,
        fill_value: Any = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class TimeCrop(Derived):
    """Cut `size` frames in a row, from a random one on."""

    def __init__(
        self,
        size: int,
        position: Range = (0.0, 1.0),
        *,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class TimeSubsample(Derived):
    """See `size` frames, one at `offset` of each of as many equal segments; a number is fixed."""

    def __init__(
        self,
        size: int,
        offset: Range = 0.5,
        *,
        p: Chance = 1.0,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

class ZScore(Derived):
    """Standard scores of each channel, with `nonzero` of what is not 0."""

    def __init__(
        self,
        nonzero: bool = False,
        *,
        p: Chance = 1.0,
        clip: Clip | None = None,
        channels: int | Sequence[int] | None = None,
        per_channel: bool | None = None,
        p_channel: Chance | None = None,
        same_on_batch: bool = False,
        keepdim: bool = False,
        learnable: bool | str | Sequence[str] = False,
        p_batch: float = 1.0,
        kornia: bool | None = None,
        **peers: Unpack[_Peers],
    ) -> None: ...

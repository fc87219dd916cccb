"""What `benchmarks.volumes` runs: volumes, one case per op with its builder for each library, and the nnU-Net recipe.

Builders take their library (`augfn`, `monai.transforms`, `torchio`, the classes of `batchgeneratorsv2`,
`kornia.augmentation`). The formulas and ranges are matched where a library has them; where not, the note says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

import augfn as af

AUGFN, MONAI, TORCHIO, BATCHGENERATORS, KORNIA = "augfn", "MONAI", "TorchIO", "batchgeneratorsv2", "kornia"
PEERS = (MONAI, TORCHIO, BATCHGENERATORS, KORNIA)
VOLUME = "volume"
MODULES = (  # of batchgeneratorsv2.transforms
    *("intensity.brightness", "intensity.contrast", "intensity.gamma", "intensity.gaussian_noise"),
    *("noise.blank_rectangle", "noise.gaussian_blur", "noise.median_filter", "noise.rician", "spatial.low_resolution"),
    *("spatial.mirroring", "spatial.rot90", "spatial.spatial", "utils.compose", "utils.random", "utils.remove_label"),
)
Build = Callable[[Any], Any]


class Case(NamedTuple):
    """An op and who has it."""

    op: str
    augfn: Build
    monai: Build | None = None
    torchio: Build | None = None
    batchgenerators: Build | None = None
    kornia: Build | None = None
    note: str = ""
    mask: bool = True  # False: all of them see the image alone
    batched: bool = False  # True: MONAI's takes a batch, too

    def builds(self) -> dict[str, Build]:
        found = dict(zip((AUGFN, *PEERS), self[1:6], strict=True))
        return {name: build for name, build in found.items() if build}


class Task(NamedTuple):
    """A fresh sample, made while the clock stands still, and what is done to it."""

    sample: Callable[[], Any]
    apply: Callable[[Any, int], Any]


def volumes(size: int, batch: int) -> tuple[Tensor, Tensor]:
    """Blobs with fine texture, `float32 [B, 1, D, H, W]` in [0, 1], and a mask of 0 and 1 as `int16`."""
    generator = torch.Generator().manual_seed(0)
    full = (size,) * 3
    coarse = torch.randn(batch, 1, 6, 6, 6, generator=generator)
    smooth = F.interpolate(coarse, full, mode="trilinear", align_corners=True)
    x = torch.sigmoid(2 * smooth + 0.3 * torch.randn(batch, 1, *full, generator=generator))
    return x, (smooth > 0.5).short()


# how a library is called


def task(name: str, case: Case, x: Tensor, mask: Tensor) -> Task:
    """A library's task for a batch; what works on one sample is called for each of them."""
    of = {AUGFN: of_augfn, MONAI: of_monai, TORCHIO: of_torchio, BATCHGENERATORS: of_batchgenerators, KORNIA: of_kornia}
    return of[name](case, case.builds()[name], x, mask)


def of_augfn(case: Case, build: Build, x: Tensor, mask: Tensor) -> Task:
    f = build(af)
    return Task(partial(copied, case, x, mask), lambda s, step: own(f(s, None, af.key(step))[0].values()))


def of_monai(case: Case, build: Build, x: Tensor, mask: Tensor) -> Task:
    import_module("monai.data").set_track_meta(False)  # no metadata to carry: its faster setting
    augment = build(import_module("monai.transforms"))
    if hasattr(augment, "set_random_state"):
        augment.set_random_state(0)
    if case.batched:
        return Task(partial(copied, case, x, mask), lambda s, step: own(augment(s).values()))
    return one_by_one(partial(copied, case), lambda s: augment(s).values(), x, mask)


def of_torchio(case: Case, build: Build, x: Tensor, mask: Tensor) -> Task:
    import_module("SimpleITK").ProcessObject.SetGlobalDefaultNumberOfThreads(torch.get_num_threads())
    T = import_module("torchio")
    augment = build(T)
    for transform in (augment, *getattr(augment, "transforms", ())):
        transform.copy = False  # the samples are fresh

    def subject(volume: Tensor, labels: Tensor) -> Any:
        found = copied(case, volume, labels)
        kinds = {"volume": T.ScalarImage, "mask": T.LabelMap}
        return T.Subject({name: kinds[name](tensor=t) for name, t in found.items()})

    return one_by_one(subject, lambda s: (i.data for i in augment(s).get_images(intensity_only=False)), x, mask)


def of_batchgenerators(case: Case, build: Build, x: Tensor, mask: Tensor) -> Task:
    found: dict[str, Any] = {}
    for module in MODULES:
        found |= vars(import_module(f"batchgeneratorsv2.transforms.{module}"))
    augment = build(SimpleNamespace(**found))
    names = {"volume": "image", "mask": "segmentation"}

    def sample(volume: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {names[name]: t for name, t in copied(case, volume, labels).items()}

    return one_by_one(sample, lambda s: augment(**s).values(), x, mask)


def of_kornia(case: Case, build: Build, x: Tensor, mask: Tensor) -> Task:
    augment = build(import_module("kornia.augmentation"))
    return Task(x.clone, lambda volume, step: own([augment(volume)]))


def one_by_one(sample: Callable[..., Any], apply: Callable[..., Any], x: Tensor, mask: Tensor) -> Task:
    return Task(lambda: list(map(sample, x, mask)), lambda samples, step: [own(apply(s)) for s in samples])


def copied(case: Case, x: Tensor, mask: Tensor) -> dict[str, Tensor]:
    return {"volume": x.clone()} | ({"mask": mask.clone()} if case.mask else {})


def own(values: Iterable[Tensor]) -> list[Tensor]:
    """Results in order: a view into a larger volume, or a turned one, is copied."""
    return [v.contiguous() for v in values]


# the cases: what moves voxels

DEGREES, SCALE, RADIANS = (-30, 30), (0.7, 1.4), math.pi / 6
FULL, PATCH = (96,) * 3, (64,) * 3
BOTH = {"keys": ("volume", "mask"), "allow_missing_keys": True}  # of MONAI's dictionaries
NEAREST = {"mode": ("bilinear", "nearest"), "padding_mode": "zeros"}
TURNED = {"rotate_range": ((-RADIANS, RADIANS),) * 3, "scale_range": ((-0.3, 0.4),) * 3}
MONAI_AFFINE: dict[str, Any] = {**BOTH, **NEAREST, **TURNED, "spatial_size": FULL, "cache_grid": True}
TORCHIO_AFFINE: dict[str, Any] = {"scales": SCALE, "degrees": DEGREES, "isotropic": True, "default_pad_value": 0}
SPATIAL: dict[str, Any] = {"patch_size": FULL, "patch_center_dist_from_border": 0, "random_crop": False}
SPATIAL |= {"rotation": (-RADIANS, RADIANS), "scaling": SCALE, "p_synchronize_scaling_across_axes": 1}
BENT: dict[str, Any] = {"elastic_deform_scale": (0.05, 0.1), "elastic_deform_magnitude": (2, 7)}


def geometric_cases() -> list[Case]:
    affine = Case(
        "affine",
        lambda a: a.affine3d(degrees=DEGREES, scale=SCALE),
        lambda M: M.RandAffined(prob=1, **MONAI_AFFINE),
        lambda T: T.RandomAffine(**TORCHIO_AFFINE),
        lambda N: N.SpatialTransform(**SPATIAL, p_rotation=1, p_scaling=1, mode_seg="nearest"),
        note="masks by nearest neighbour; one scale for the three axes, in MONAI one for each",
    )
    flip = Case(
        "flip",
        lambda a: a.hflip3d(),
        lambda M: M.RandFlipd(**BOTH, prob=1, spatial_axis=2),
        lambda T: T.RandomFlip(2, 1),
        note="the last axis, at p = 1",
    )
    mirror = Case(
        "mirror",
        lambda a: a.pipeline(a.hflip3d(p=0.5), a.vflip3d(p=0.5), a.dflip3d(p=0.5)),
        lambda M: M.Compose([M.RandFlipd(**BOTH, prob=0.5, spatial_axis=i) for i in range(3)]),
        lambda T: T.RandomFlip((0, 1, 2), 0.5),
        lambda N: N.MirrorTransform((0, 1, 2)),
        note="each axis at p = .5",
    )
    rot90 = Case("rot90", lambda a: a.rot90_3d(), lambda M: M.Rotate90d(**BOTH, spatial_axes=(1, 2)))
    quarters = Case(
        "rot90, random",
        lambda a: a.one_of(*(a.rot90_3d(k=k, plane="yz") for k in (1, 2, 3))),
        lambda M: M.RandRotate90d(**BOTH, prob=1),
        batchgenerators=lambda N: N.Rot90Transform(1),
        note="1, 2 or 3 quarters in the plane of the first two axes, in batchgeneratorsv2 in any plane",
    )
    elastic = Case(
        "elastic",
        lambda a: a.elastic3d(),
        lambda M: M.Rand3DElasticd(**BOTH, **NEAREST, sigma_range=(5, 7), magnitude_range=(50, 150), prob=1),
        lambda T: T.RandomElasticDeformation(),
        lambda N: N.SpatialTransform(**SPATIAL, **BENT, p_elastic_deform=1, mode_seg="nearest"),
        note="sigma 5 to 7 in MONAI, 5 to 10 by FFT in batchgeneratorsv2, 7^3 control points in TorchIO",
    )
    resize = Case(
        "resize to 64",
        lambda a: a.resize3d(size=PATCH, antialias=False),
        lambda M: M.Resized(**BOTH, spatial_size=PATCH, mode=("trilinear", "nearest")),
        lambda T: T.Resize(64),
    )
    crop = Case(
        "random crop of 64",
        lambda a: a.random_crop3d(size=PATCH),
        lambda M: M.RandSpatialCropd(**BOTH, roi_size=PATCH, random_size=False),
        lambda T: lambda subject: next(iter(T.UniformSampler(64)(subject, 1))),
        lambda N: N.SpatialTransform(PATCH, 32, True),
    )
    return [
        affine,
        alone(affine, lambda K: K.RandomAffine3D((DEGREES,) * 3, scale=SCALE, p=1.0)),
        flip,
        alone(flip, lambda K: K.RandomHorizontalFlip3D(p=1.0)),
        mirror,
        rot90,
        quarters,
        elastic,
        resize,
        crop,
        alone(crop, lambda K: K.RandomCrop3D(PATCH, p=1.0)),
        Case("anisotropy", lambda a: a.anisotropy(), torchio=lambda T: T.RandomAnisotropy()),
        Case("mixup", lambda a: a.mixup(), lambda M: M.MixUpd(VOLUME, 4), mask=False, batched=True),
    ]


def alone(case: Case, kornia: Build) -> Case:
    """The same without a mask, where kornia takes part."""
    return case._replace(op=f"{case.op}, image alone", kornia=kornia, mask=False, note="")


# what changes intensities

FACTOR, GAMMA, SIGMA, FREE = (0.75, 1.25), (0.7, 1.5), (0.5, 1.0), {"clip": "none"}
LOG_GAMMA = (math.log(GAMMA[0]), math.log(GAMMA[1]))


def intensity_cases() -> list[Case]:
    return [
        Case(
            "gamma, statistics kept",
            lambda a: a.gamma(gamma=GAMMA, retain_stats=True, **FREE),
            lambda M: M.RandAdjustContrastd(VOLUME, prob=1, gamma=GAMMA, retain_stats=True),
            batchgenerators=lambda N: N.GammaTransform(GAMMA, 0, False, 1, 1),
        ),
        Case(
            "gamma",
            lambda a: a.gamma(gamma=GAMMA, **FREE),
            lambda M: M.RandAdjustContrastd(VOLUME, prob=1, gamma=GAMMA),
            lambda T: T.RandomGamma(LOG_GAMMA),
            lambda N: N.GammaTransform(GAMMA, 0, False, 1, 0),
            note="MONAI and batchgeneratorsv2 stretch to [0, 1] and back, augfn and TorchIO do not",
        ),
        Case(
            "brightness",
            lambda a: a.brightness(factor=FACTOR, **FREE),
            lambda M: M.RandScaleIntensityd(VOLUME, (-0.25, 0.25), prob=1),
            batchgenerators=lambda N: N.MultiplicativeBrightnessTransform(FACTOR, False),
        ),
        Case(
            "contrast",
            lambda a: a.contrast(factor=FACTOR, **FREE),
            lambda M: M.RandScaleIntensityFixedMeand(VOLUME, (-0.25, 0.25), prob=1),
            batchgenerators=lambda N: N.ContrastTransform(FACTOR, False, False),
        ),
        Case(
            "gaussian noise",
            lambda a: a.gaussian_noise(std=(0, 0.1), **FREE),
            lambda M: M.RandGaussianNoised(VOLUME, prob=1),
            lambda T: T.RandomNoise(std=(0, 0.1)),
            lambda N: N.GaussianNoiseTransform((0, 0.1), 1, True),
        ),
        Case(
            "rician noise",
            lambda a: a.rician_noise(),
            lambda M: M.RandRicianNoised(VOLUME, prob=1, std=0.1),
            batchgenerators=lambda N: N.RicianNoiseTransform((0, 0.1)),
        ),
        Case(
            "gaussian blur",
            lambda a: a.gaussian_blur(sigma=SIGMA),
            lambda M: M.RandGaussianSmoothd(VOLUME, SIGMA, SIGMA, SIGMA, prob=1),
            lambda T: T.RandomBlur(SIGMA),
            lambda N: N.GaussianBlurTransform(SIGMA, False, False, 1, True),
            note="sigma .5 to 1; 5 taps here, as many as 4 sigma ask for in the peers",
        ),
        Case(
            "median of 3",
            lambda a: a.median_blur(kernel_size=3),
            lambda M: M.MedianSmoothd(VOLUME, 1),
            batchgenerators=lambda N: N.MedianFilterTransform(3),
        ),
        Case(
            "motion blur",
            lambda a: a.motion_blur3d(),
            kornia=lambda K: K.RandomMotionBlur3D(5, ((-90, 90),) * 3, (-1, 1), resample="BILINEAR", p=1.0),
        ),
        Case(
            "low resolution",
            lambda a: a.downscale(factor=(0.5, 1.0), interpolation="bilinear", reduce="nearest"),
            lambda M: M.RandSimulateLowResolutiond(VOLUME, prob=1),
            batchgenerators=lambda N: N.SimulateLowResolutionTransform((0.5, 1), False, True, None),
        ),
        Case(
            "bias field",
            lambda a: a.bias_field(),
            lambda M: M.RandBiasFieldd(VOLUME, prob=1),
            lambda T: T.RandomBiasField(),
        ),
        Case("gibbs", lambda a: a.gibbs(), lambda M: M.RandGibbsNoised(VOLUME, prob=1)),
        Case(
            "spike", lambda a: a.spike(), lambda M: M.RandKSpaceSpikeNoised(VOLUME, prob=1), lambda T: T.RandomSpike()
        ),
        Case("ghosting", lambda a: a.ghosting(), torchio=lambda T: T.RandomGhosting()),
        Case("motion", lambda a: a.motion_artifact(), torchio=lambda T: T.RandomMotion()),
        Case(
            "equalize",
            lambda a: a.equalize(),
            lambda M: M.HistogramNormalized(VOLUME, 256, 0, 1),
            kornia=lambda K: K.RandomEqualize3D(p=1.0),
        ),
        Case("histogram shift", lambda a: a.histogram_shift(), lambda M: M.RandHistogramShiftd(VOLUME, prob=1)),
        Case(
            "z-score",
            lambda a: a.zscore(),
            lambda M: M.NormalizeIntensityd(VOLUME, channel_wise=True),
            lambda T: T.ZNormalization(),
        ),
        Case(
            "percentile window",
            lambda a: a.intensity_window(),
            lambda M: M.ScaleIntensityRangePercentilesd(VOLUME, 0.5, 99.5, 0, 1, clip=True),
            lambda T: T.RescaleIntensity((0, 1), (0.5, 99.5)),
        ),
        Case(
            "coarse dropout",
            lambda a: a.coarse_dropout(),
            lambda M: M.RandCoarseDropoutd(VOLUME, 1, 5, fill_value=0, max_holes=8, max_spatial_size=19, prob=1),
            batchgenerators=lambda N: N.BlankRectangleTransform(((5, 20),) * 3, 0, (1, 9)),
            note="image alone; 1 to 8 boxes of .05 to .2 of the edges",
            mask=False,
        ),
    ]


# the recipe


def recipe_case() -> Case:
    return Case("nnU-Net's recipe", lambda a: a.recipe("nnunet"), monai_recipe, torchio_recipe, nnunet)


def nnunet(N: Any) -> Any:
    """The default trainer's transforms, up to deep supervision."""
    some, spread, gamma = N.RandomTransform, N.BGContrast(FACTOR), N.BGContrast(GAMMA)
    outside = {"border_mode_seg": "constant", "padding_value_seg": -1}
    return N.ComposeTransforms(
        [
            N.SpatialTransform(**SPATIAL, p_rotation=0.2, p_scaling=0.2, **outside),
            some(N.GaussianNoiseTransform((0, 0.1), 1, True), 0.1),
            some(N.GaussianBlurTransform(SIGMA, False, False, 0.5, True), 0.2),
            some(N.MultiplicativeBrightnessTransform(spread, False, 1), 0.15),
            some(N.ContrastTransform(spread, True, False, 1), 0.15),
            some(N.SimulateLowResolutionTransform((0.5, 1), False, True, None, None, 0.5), 0.25),
            some(N.GammaTransform(gamma, 1, False, 1, 1), 0.1),
            some(N.GammaTransform(gamma, 0, False, 1, 1), 0.3),
            N.MirrorTransform((0, 1, 2)),
            N.RemoveLabelTransform(-1, 0),
        ]
    )


def monai_recipe(M: Any) -> Any:
    gamma = {"gamma": GAMMA, "retain_stats": True}
    return M.Compose(
        [
            M.RandAffined(**MONAI_AFFINE, prob=0.36),
            M.RandGaussianNoised(VOLUME, prob=0.1),
            M.RandGaussianSmoothd(VOLUME, SIGMA, SIGMA, SIGMA, prob=0.1),
            M.RandScaleIntensityd(VOLUME, (-0.25, 0.25), prob=0.15),
            M.RandScaleIntensityFixedMeand(VOLUME, (-0.25, 0.25), preserve_range=True, prob=0.15),
            M.RandSimulateLowResolutiond(VOLUME, prob=0.125),
            M.RandAdjustContrastd(VOLUME, prob=0.1, invert_image=True, **gamma),
            M.RandAdjustContrastd(VOLUME, prob=0.3, **gamma),
            *[M.RandFlipd(**BOTH, prob=0.5, spatial_axis=i) for i in range(3)],
        ]
    )


def torchio_recipe(T: Any) -> Any:
    return T.Compose(
        [
            T.RandomAffine(**TORCHIO_AFFINE, p=0.36),
            T.RandomNoise(std=(0, 0.1), p=0.1),
            T.RandomBlur(SIGMA, p=0.1),
            T.RandomAnisotropy(downsampling=(1, 2), p=0.125),
            T.RandomGamma(LOG_GAMMA, p=0.1),
            T.RandomGamma(LOG_GAMMA, p=0.3),
            T.RandomFlip((0, 1, 2), 0.5),
        ]
    )

"""Calls of kornia's documentation, tutorials and training scripts, in own words: facts of names, arguments and outputs.

`CALLS[name](K)` makes one with the classes of `K`, which is `kornia.augmentation` or `augfn_nn`, and returns what it gives.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

CALLS: dict[str, Callable[[Any], Any]] = {}


def call(made: Callable[[Any], Any]) -> Callable[[Any], Any]:
    CALLS[made.__name__] = made
    return made


def of(K: Any, where: str, name: str) -> Any:
    """A name of a module below the library."""
    return getattr(importlib.import_module(f"{K.__name__}.{where}"), name)


def replayed(aug: Any, x: Any) -> Any:
    """What a module gives, what it gives again for the same params, and whether both are equal."""
    first = aug(x)
    again = aug(x, params=aug._params)
    return first, again, bool(torch.equal(first, again))


# one class, one image: name, arguments, shape (docstrings: a call, then a replay on 32 x 32)

IMAGE = (1, 3, 32, 32)
GREY = (1, 1, 24, 24)
VOLUME = (1, 3, 16, 16, 16)
SINGLE: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = [
    ("RandomAffine", ((-15.0, 20.0),), {"p": 1.0}, IMAGE),
    ("RandomElasticTransform", (), {"p": 1.0}, IMAGE),
    (
        "RandomFisheye",
        (torch.tensor([-0.3, 0.3]), torch.tensor([-0.3, 0.3]), torch.tensor([0.9, 1.0])),
        {"p": 1.0},
        IMAGE,
    ),
    ("RandomHorizontalFlip", (), {"p": 1.0}, IMAGE),
    ("PadTo", ((40, 50),), {"pad_value": 1.0}, IMAGE),
    ("RandomPerspective", (0.5,), {"p": 1.0}, IMAGE),
    ("RandomRotation", (), {"degrees": 45.0, "p": 1.0}, IMAGE),
    ("RandomRotation90", (), {"times": (-1, 1), "p": 1.0}, IMAGE),
    ("RandomShear", ((-15.0, 20.0),), {"p": 1.0}, IMAGE),
    ("RandomThinPlateSpline", (), {"p": 1.0}, IMAGE),
    ("RandomTranslate", ((-0.2, 0.2), (-0.1, 0.1)), {"p": 1.0}, IMAGE),
    ("RandomVerticalFlip", (), {"p": 1.0}, IMAGE),
    ("CenterCrop", (2,), {"p": 1.0, "cropping_mode": "resample"}, IMAGE),
    ("RandomCrop", ((2, 2),), {"p": 1.0, "cropping_mode": "resample"}, IMAGE),
    (
        "RandomResizedCrop",
        (),
        {"size": (3, 3), "scale": (3.0, 3.0), "ratio": (2.0, 2.0), "p": 1.0, "cropping_mode": "resample"},
        IMAGE,
    ),
    ("RandomBoxBlur", ((7, 7),), {"p": 1.0}, IMAGE),
    ("RandomBrightness", ((0.8, 1.2),), {"p": 1.0}, IMAGE),
    ("RandomChannelDropout", (), {"num_drop_channels": 1, "fill_value": 0.0, "p": 1.0}, IMAGE),
    ("RandomChannelShuffle", (), {"p": 1.0}, IMAGE),
    ("RandomClahe", (), {"p": 1.0}, IMAGE),
    ("ColorJiggle", (0.1, 0.1, 0.1, 0.1), {"p": 1.0}, IMAGE),
    ("ColorJitter", (0.1, 0.1, 0.1, 0.1), {"p": 1.0}, IMAGE),
    ("RandomContrast", ((0.8, 1.2),), {"p": 1.0}, IMAGE),
    ("Denormalize", (), {"mean": torch.zeros(1, 3), "std": torch.ones(1, 3)}, IMAGE),
    ("RandomEqualize", (), {"p": 1.0}, IMAGE),
    ("RandomErasing", ((0.1, 0.4), (0.3, 1 / 0.3)), {"p": 1.0}, IMAGE),
    ("RandomGamma", ((0.8, 1.2),), {"p": 1.0}, IMAGE),
    ("RandomGaussianBlur", ((3, 3), (0.1, 2.0)), {"p": 1.0}, IMAGE),
    ("RandomGaussianIllumination", (), {"gain": 0.5, "p": 1.0}, IMAGE),
    ("RandomGaussianNoise", (), {"mean": 0.0, "std": 1.0, "p": 1.0}, IMAGE),
    ("RandomGrayscale", (), {"p": 1.0}, IMAGE),
    ("RandomHue", ((-0.2, 0.2),), {"p": 1.0}, IMAGE),
    ("RandomInvert", (), {"p": 1.0}, IMAGE),
    ("RandomJPEG", (), {"jpeg_quality": torch.tensor([1.0, 50.0]), "p": 1.0}, IMAGE),
    ("RandomLinearIllumination", (), {"gain": 0.25, "p": 1.0}, IMAGE),
    ("RandomLinearCornerIllumination", (), {"gain": 0.25, "p": 1.0}, IMAGE),
    ("RandomMedianBlur", ((7, 7),), {"p": 1.0}, IMAGE),
    ("RandomMotionBlur", (3, 35.0, 0.5), {"p": 1.0}, IMAGE),
    ("Normalize", (), {"mean": torch.zeros(3), "std": torch.ones(3)}, IMAGE),
    ("RandomPlanckianJitter", (), {"mode": "CIED", "p": 1.0}, IMAGE),
    ("RandomPlasmaBrightness", (), {"roughness": (0.1, 0.7), "p": 1.0}, IMAGE),
    ("RandomPlasmaContrast", (), {"roughness": (0.1, 0.7), "p": 1.0}, IMAGE),
    ("RandomPlasmaShadow", (), {"roughness": (0.1, 0.7), "p": 1.0}, IMAGE),
    ("RandomPosterize", (3,), {"p": 1.0}, IMAGE),
    ("RandomRain", (), {"p": 1.0, "drop_height": (1, 2), "drop_width": (1, 2), "number_of_drops": (1, 1)}, IMAGE),
    ("RandomRGBShift", (0, 0, 0), {"p": 1.0}, IMAGE),
    ("RandomSnow", (), {"p": 1.0, "snow_coefficient": (0.1, 0.6), "brightness": (1.0, 5.0)}, IMAGE),
    ("RandomSaltAndPepperNoise", (), {"amount": 0.5, "salt_vs_pepper": 0.5, "p": 1.0}, IMAGE),
    ("RandomSaturation", ((0.8, 1.2),), {"p": 1.0}, IMAGE),
    ("RandomSharpness", (1.0,), {"p": 1.0}, IMAGE),
    ("RandomSolarize", (0.1, 0.1), {"p": 1.0}, IMAGE),
    ("PatchMix", (), {"alpha": 1.0, "patch_size": 4}, (2, 3, 32, 32)),
    ("RandomJigsaw", ((4, 4),), {}, (8, 3, 64, 64)),
    ("RandomAffine3D", ((15.0, 20.0, 20.0),), {"p": 1.0}, VOLUME),
    ("CenterCrop3D", (12,), {"p": 1.0}, VOLUME),
    ("RandomCrop3D", ((12, 12, 12),), {"p": 1.0}, VOLUME),
    ("RandomDepthicalFlip3D", (), {"p": 1.0}, VOLUME),
    ("RandomHorizontalFlip3D", (), {"p": 1.0}, VOLUME),
    ("RandomVerticalFlip3D", (), {"p": 1.0}, VOLUME),
    ("RandomPerspective3D", (0.5,), {"p": 1.0, "align_corners": True}, VOLUME),
    ("RandomRotation3D", ((15.0, 20.0, 20.0),), {"p": 1.0}, VOLUME),
    ("RandomEqualize3D", (), {"p": 1.0}, VOLUME),
    ("RandomMotionBlur3D", (3, 35.0, 0.5), {"p": 1.0}, VOLUME),
]
# the gallery of the documentation: positional arguments, a batch of photos
GALLERY: list[tuple[str, tuple[Any, ...]]] = [
    ("CenterCrop", (18, 18)),
    ("ColorJiggle", (0.3, 0.3, 0.3, 0.3)),
    ("ColorJitter", (0.3, 0.3, 0.3, 0.3)),
    ("PadTo", ((40, 50),)),
    ("RandomAffine", ((-15.0, 20.0), (0.1, 0.1), (0.7, 1.3), 20)),
    ("RandomBoxBlur", ((7, 7),)),
    ("RandomBrightness", ((0.0, 1.0),)),
    ("RandomContrast", ((0.0, 1.0),)),
    ("RandomCrop", (torch.Size([18, 24]), (5, 5))),
    ("RandomChannelDropout", ()),
    ("RandomChannelShuffle", ()),
    ("RandomElasticTransform", ((63, 63), (32.0, 32.0), (2.0, 2.0))),
    ("RandomEqualize", ()),
    ("RandomErasing", ((0.2, 0.4), (0.3, 1 / 0.3))),
    ("RandomFisheye", (torch.tensor([-0.3, 0.3]), torch.tensor([-0.3, 0.3]), torch.tensor([0.9, 1.0]))),
    ("RandomGamma", ((0.0, 1.0),)),
    ("RandomGaussianBlur", ((3, 3), (0.1, 2.0))),
    ("RandomGaussianIllumination", ((0.5, 0.5), (0.5, 0.5), (0.5, 0.5), (-1.0, 1.0))),
    ("RandomGaussianNoise", (0.0, 0.05)),
    ("RandomGrayscale", ()),
    ("RandomHue", ((-0.5, 0.5),)),
    ("RandomHorizontalFlip", ()),
    ("RandomInvert", ()),
    ("RandomJPEG", ((1.0, 5.0),)),
    ("RandomLinearCornerIllumination", ((0.5, 0.5), (-1.0, 1.0))),
    ("RandomLinearIllumination", ((0.5, 0.5), (-1.0, 1.0))),
    ("RandomMedianBlur", ((3, 3),)),
    ("RandomMotionBlur", (7, 35.0, 0.5)),
    ("RandomPerspective", (0.2,)),
    ("RandomPlanckianJitter", ()),
    ("RandomPlasmaShadow", ((0.2, 0.5),)),
    ("RandomPlasmaBrightness", ()),
    ("RandomPlasmaContrast", ()),
    ("RandomPosterize", ((1, 4),)),
    ("RandomResizedCrop", (torch.Size([18, 24]), (1.0, 2.0), (1.0, 2.0))),
    ("RandomRotation", (45.0,)),
    ("RandomSaltAndPepperNoise", ((0.05, 0.5), (0.1, 0.7))),
    ("RandomSaturation", ((0.5, 5.0),)),
    ("RandomSharpness", (16.0,)),
    ("RandomSolarize", (0.2, 0.2)),
    ("RandomVerticalFlip", ()),
    ("RandomThinPlateSpline", ()),
    ("RandomJigsaw", ()),
]


def add_single(name: str, args: Any, keywords: Any, shape: Any) -> None:
    CALLS[f"class {name}"] = lambda K: replayed(getattr(K, name)(*args, **keywords), torch.rand(shape))


def add_gallery(name: str, args: Any) -> None:
    size = (32, 32) if name == "RandomJigsaw" else (30, 40)
    keywords = {} if name == "PadTo" else {"p": 1.0}
    CALLS[f"gallery {name}"] = lambda K: getattr(K, name)(*args, **keywords)(torch.rand(2, 3, *size))


for entry in SINGLE:
    add_single(*entry)
for some in GALLERY:
    add_gallery(*some)


# mixes

IMAGES, LABELS = torch.rand(2, 1, 3, 3), torch.tensor([0, 1])
KEYS = ["input", "mask", "bbox", "keypoints"]


@call
def mixup_with_data_keys(K):
    return K.RandomMixUpV2(data_keys=["input", "class"])(IMAGES, LABELS)


@call
def cutmix_with_data_keys(K):
    return K.RandomCutMixV2(data_keys=["input", "class"], use_correct_lambda=True)(IMAGES, LABELS)


@call
def mosaic_with_boxes(K):
    boxes = torch.tensor([[70, 5, 150, 100], [60, 180, 175, 220]]).repeat(4, 1, 1)
    return K.RandomMosaic((300, 300), data_keys=["input", "bbox_xyxy"])(torch.randn(4, 3, 224, 224), boxes)


@call
def tutorial_mosaic(K):
    aug = K.RandomMosaic(output_size=(64, 48), data_keys=["input", "bbox_xyxy"], p=1.0)
    return aug(torch.rand(4, 3, 40, 40), torch.tensor([[[5.0, 5.0, 20.0, 30.0]]]).repeat(4, 1, 1))


@call
def transplantation(K):
    return K.RandomTransplantation(p=1.0)(torch.randn(2, 3, 5, 5), torch.randint(0, 3, (2, 5, 5)))


@call
def gallery_mixup(K):
    return K.RandomMixUpV2(data_keys=["input", "class"], p=1.0)(torch.rand(2, 3, 30, 40), LABELS)


@call
def gallery_mixup_by_call(K):
    return K.RandomMixUpV2(p=1.0)(torch.rand(2, 3, 30, 40), LABELS, data_keys=["input", "class"])


@call
def gallery_cutmix(K):
    return K.RandomCutMixV2(p=1.0)(torch.rand(2, 3, 30, 40), LABELS, data_keys=["input", "class"])


@call
def gallery_patchmix(K):
    return K.PatchMix(alpha=1.0, patch_size=4, p=1.0)(torch.rand(2, 3, 32, 32))


@call
def gallery_transplantation(K):
    return K.RandomTransplantation(p=1.0)(torch.rand(2, 3, 30, 40), torch.randint(0, 3, (2, 30, 40)))


# policies


@call
def auto_augment(K):
    return K.AugmentationSequential(of(K, "auto", "AutoAugment")())(torch.rand(5, 3, 30, 30))


@call
def rand_augment(K):
    return K.AugmentationSequential(of(K, "auto", "RandAugment")(n=2, m=10))(torch.rand(5, 3, 30, 30))


@call
def trivial_augment(K):
    return K.AugmentationSequential(of(K, "auto", "TrivialAugment")())(torch.rand(5, 3, 30, 30))


@call
def ada(K):
    return of(K, "presets.ada", "AdaptiveDiscriminatorAugmentation")()(torch.randn(2, 3, 16, 16))


@call
def ada_with_accuracy(K):
    made = of(K, "presets.ada", "AdaptiveDiscriminatorAugmentation")()
    return [made(torch.rand(4, 3, 16, 16), real_acc=acc) for acc in (0.9, 0.9, 0.5)]


# containers


def annotated(size=(5, 6)):
    box = torch.tensor([[[1.0, 1.0], [2.0, 1.0], [2.0, 2.0], [1.0, 2.0]]]).expand(2, 1, -1, -1)
    return torch.randn(2, 3, *size), torch.ones(2, 3, *size), box, torch.tensor([[[1.0, 1.0]]]).expand(2, -1, -1)


def light(K):
    return K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=1.0), K.RandomAffine(360, p=1.0)


@call
def sequential_with_random_apply(K):
    aug = K.AugmentationSequential(*light(K), data_keys=KEYS, same_on_batch=False, random_apply=10)
    given = annotated()
    out = aug(*given)
    again = aug(*given, params=aug._params)
    return out, [bool((a == b).all()) for a, b in zip(out, again, strict=True)], aug.inverse(*out)


@call
def sequential_of_clips(K):
    aug = K.AugmentationSequential(K.VideoSequential(*light(K)), data_keys=KEYS)
    return aug(*(x[None] for x in annotated()))


@call
def sequential_of_one_of_two_clips(K):
    jiggle, affine = light(K)
    both = K.VideoSequential(affine), K.VideoSequential(jiggle)
    aug = K.AugmentationSequential(*both, data_keys=KEYS, random_apply=1, random_apply_weights=[0.5, 0.3])
    return aug(*(x[None] for x in annotated()))


@call
def sequential_of_two_masks(K):
    aug = K.AugmentationSequential(K.RandomHorizontalFlip(p=1.0), data_keys=["input", "mask", "mask"])
    return aug(torch.randn(2, 3, 32, 32), torch.ones(2, 3, 32, 32), torch.ones(2, 2, 32, 32))


@call
def sequential_of_a_dict(K):
    flips = K.RandomHorizontalFlip(p=1.0), K.ImageSequential(K.RandomHorizontalFlip(p=1.0))
    last = K.ImageSequential(K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=1.0))
    jiggle = K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=1.0)
    aug = K.AugmentationSequential(jiggle, *flips, last, data_keys=None, same_on_batch=False, random_apply=10)
    corners = torch.tensor([[[28.0, 53.0], [142.0, 53.0], [142.0, 163.0], [28.0, 163.0]]])
    sample = {"image": torch.randn(1, 3, 256, 256), "mask": torch.ones(1, 3, 256, 256)}
    sample |= {"mask-b": torch.ones(1, 2, 256, 256), "bbox": corners.repeat(3, 1, 1)[None], "bbox-other": corners[None]}
    return aug(sample)


@call
def sequential_of_crop_and_mask(K):
    aug = K.AugmentationSequential(K.RandomResizedCrop((16, 16), p=1.0), data_keys=["input", "mask"])
    return aug(torch.rand(2, 3, 24, 24), torch.ones(2, 1, 24, 24))


@call
def best_practice_of_images(K):
    aug = K.AugmentationSequential(*light(K), data_keys=KEYS, same_on_batch=False)
    given = annotated((64, 64))
    out = aug(*(x[:1] for x in given))
    return out, aug.inverse(*out)


@call
def best_practice_of_corners_of_boxes(K):
    aug = K.AugmentationSequential(*light(K), data_keys=["input", "mask", "bbox_xyxy", "keypoints"])
    image, mask, _, points = annotated((64, 64))
    return aug(image, mask, torch.tensor([[[1.0, 1.0, 2.0, 2.0]]]).expand(2, -1, -1), points)


@call
def best_practice_of_clips(K):
    aug = K.VideoSequential(*light(K), data_format="BCTHW", same_on_frame=True)
    return aug(torch.randn(2, 3, 4, 16, 16))


@call
def plain_sequential(K):
    jitter = K.ColorJitter(0.15, 0.25, 0.25, 0.25)
    return nn.Sequential(jitter, K.RandomAffine([-45.0, 45.0], [0.0, 0.5], [0.5, 1.5], [0.0, 0.15]))(
        torch.rand(2, 3, 16, 16)
    )


@call
def plain_sequential_of_an_example(K):
    made = nn.Sequential(
        K.ColorJitter(hue=0.5, saturation=1.5, p=1.0), K.RandomHorizontalFlip(p=0.5), K.RandomErasing()
    )
    return made(torch.rand(2, 3, 16, 16))


@call
def low_level_parameters(K):
    aug = K.RandomAffine(degrees=(0, 360), p=1.0)
    return aug(torch.rand(2, 3, 16, 16), params=aug.forward_parameters((2, 3, 16, 16)))


@call
def tutorial_keypoints_there_and_back(K):
    aug = K.AugmentationSequential(K.RandomHorizontalFlip(p=1.0), data_keys=["input", "keypoints"])
    out = aug(torch.rand(1, 3, 8, 8), torch.tensor([[[2.0, 3.0]]]))
    return out, aug.inverse(*out)


@call
def quick_start(K):
    aug = K.AugmentationSequential(K.RandomAffine((-15.0, 20.0), p=1.0), K.ColorJitter(0.1, 0.1, 0.1, 0.1, p=1.0))
    return aug(torch.rand(2, 3, 24, 32))


@call
def quick_start_of_an_array(K):
    import numpy as np

    steps = K.RandomHorizontalFlip(p=1.0), K.RandomAffine(degrees=10, p=1.0)
    return K.AugmentationSequential(*steps)(np.random.default_rng(0).integers(0, 256, (2, 24, 32, 3), dtype=np.uint8))


@call
def tutorial_sequential(K):
    aug = K.AugmentationSequential(*light(K), K.RandomPerspective(0.5, p=1.0), data_keys=KEYS)
    out = aug(*(x[:1] for x in annotated((50, 100))))
    return out, aug.inverse(*out)


@call
def tutorial_of_three_ops_that_keep_dims(K):
    x = torch.rand(3, 24, 32)
    return [
        K.RandomAffine(degrees=10, p=1.0, keepdim=True)(x),
        K.RandomHorizontalFlip(p=1.0, keepdim=True)(x),
        K.ColorJitter(0.1, 0.1, 0.1, 0.1, p=1.0, keepdim=True)(x),
    ]


@call
def tutorial_segmentation(K):
    """Two modules that share params: the second is handed them by position."""

    class MyAugmentation(nn.Module):
        def __init__(self):
            super().__init__()
            self.k1, self.k2 = K.ColorJitter(0.15, 0.25, 0.25, 0.25), K.RandomAffine([-45.0, 45.0], [0.0, 0.15])

        def forward(self, img, mask):
            return self.k2(self.k1(img)), self.k2(mask, self.k2._params)

    return MyAugmentation()(torch.rand(2, 3, 16, 16), torch.ones(2, 1, 16, 16))


@call
def tutorial_lightning(K):
    flips = K.RandomHorizontalFlip(p=0.75), K.RandomChannelShuffle(p=0.75), K.RandomThinPlateSpline(p=0.75)
    return nn.Sequential(*flips)(torch.rand(2, 3, 16, 16))


@call
def image_sequential(K):
    foreign = nn.Identity(), nn.Hardtanh(0.0, 1.0), nn.Identity()
    jiggle, affine = light(K)
    steps = foreign[0], jiggle, foreign[1], affine, foreign[2], K.RandomMixUpV2(p=1.0)
    return replayed(K.ImageSequential(*steps, same_on_batch=True, random_apply=10), torch.randn(2, 3, 5, 6))


@call
def image_sequential_of_one(K):
    jiggle, affine = light(K)
    steps = nn.Identity(), jiggle, nn.Hardtanh(0.0, 1.0), affine
    aug = K.ImageSequential(*steps, random_apply=1, random_apply_weights=[0.5, 0.3, 0.2, 0.5])
    return aug(torch.randn(2, 3, 5, 6))


def three(K):
    return K.ImageSequential(
        K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=0.5), K.RandomPerspective(0.2, p=0.5), K.RandomSolarize(0.1, 0.1, p=0.5)
    )


@call
def patch_sequential(K):
    steps = three(K), K.RandomAffine(360, p=1.0), three(K), K.RandomSolarize(0.1, 0.1, p=0.1)
    aug = K.PatchSequential(*steps, grid_size=(2, 2), patchwise_apply=True, same_on_batch=True, random_apply=False)
    return replayed(aug, torch.randn(2, 3, 64, 64))


@call
def patch_sequential_of_one(K):
    steps = three(K), K.RandomAffine(360, p=1.0), K.RandomSolarize(0.1, 0.1, p=0.1)
    known = {"patchwise_apply": False, "random_apply": 1, "random_apply_weights": [0.5, 0.3, 0.8]}
    return K.PatchSequential(*steps, grid_size=(2, 2), **known)(torch.randn(2, 3, 64, 64))


@call
def patch_sequential_of_sixteen(K):
    steps = [K.RandomSolarize(0.1, 0.1, p=1.0) for _ in range(15)] + [three(K)]
    return K.PatchSequential(*steps, grid_size=(4, 4), patchwise_apply=True)(torch.rand(2, 3, 32, 32))


@call
def patch_sequential_of_all(K):
    steps = K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=1.0), K.RandomAffine(10, p=1.0)
    aug = K.PatchSequential(*steps, grid_size=(4, 4), patchwise_apply=False, same_on_batch=False)
    return aug(torch.rand(2, 3, 32, 32))


@call
def patches_out(K):
    aug = K.PatchSequential(K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=1.0), patchwise_apply=False)
    some = torch.arange(54).view(1, 1, 6, 9)
    return aug.extract_patches(torch.arange(16).view(1, 1, 4, 4), grid_size=(2, 2)), aug.extract_patches(
        some, grid_size=(2, 2), pad=(-1, -2, -2, -2)
    )


@call
def patches_back(K):
    aug = K.PatchSequential(K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=1.0), patchwise_apply=False)
    x = torch.arange(16).view(1, 1, 4, 4)
    back = aug.restore_from_patches(aug.extract_patches(x, grid_size=(2, 2)), grid_size=(2, 2))
    return back, bool((back == x).all())


@call
def patch_parameters(K):
    aug = K.PatchSequential(K.RandomHorizontalFlip(p=1), grid_size=(2, 3), patchwise_apply=False)
    x = torch.rand(2, 3, 5, 7)
    params = aug.forward_parameters(x.shape)
    return aug(x, params=params), bool(torch.equal(aug(x, params=params), aug(x, params=params)))


@call
def script_of_a_classifier(K):
    inner = K.PatchSequential(K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=0.5), grid_size=(2, 2), patchwise_apply=False)
    return nn.Sequential(K.RandomHorizontalFlip(p=0.5), inner)(torch.rand(2, 3, 16, 16))


@call
def script_of_a_detector(K):
    steps = K.RandomHorizontalFlip(p=0.5), K.ColorJiggle(0.1, 0.1, 0.1, 0.1, p=0.5)
    aug = K.AugmentationSequential(*steps, data_keys=["input", "bbox_xyxy"])
    return aug(torch.rand(2, 3, 32, 32), torch.tensor([[[2.0, 3.0, 10.0, 12.0]]]).expand(2, -1, -1))


@call
def script_of_segmentation(K):
    aug = K.AugmentationSequential(
        K.RandomHorizontalFlip(p=0.5), K.RandomAffine(10, p=0.5), data_keys=["input", "mask"]
    )
    return aug(torch.rand(2, 3, 32, 32), torch.ones(2, 1, 32, 32))


@call
def gallery_sequential(K):
    steps = K.RandomAffine((-15.0, 20.0), p=1.0), K.RandomHorizontalFlip(p=1.0)
    aug = K.AugmentationSequential(*steps, data_keys=["input", "bbox_xywh", "keypoints"])
    boxes = torch.tensor([[[2.0, 3.0, 8.0, 9.0]]]).expand(2, -1, -1)
    return aug(torch.rand(2, 3, 32, 32), boxes, torch.tensor([[[4.0, 5.0]]]).expand(2, -1, -1))


@call
def gallery_patches(K):
    steps = K.ColorJiggle(0.4, 0.4, 0.4, 0.4, p=1.0), K.RandomSolarize(0.1, 0.1, p=1.0), K.RandomInvert(p=1.0)
    last = K.RandomPosterize(3, p=1.0)
    return K.PatchSequential(*steps, last, grid_size=(2, 2))(torch.rand(2, 3, 32, 32))


@call
def many_to_many(K):
    each = [K.AugmentationSequential(*light(K), data_keys=["input", "mask"]) for _ in range(2)]
    pairs = [(torch.randn(2, 3, 5, 6), torch.ones(2, 3, 5, 6)) for _ in range(2)]
    return K.ManyToManyAugmentationDispather(*each)(*pairs)


@call
def many_to_one(K):
    each = [K.AugmentationSequential(*light(K), data_keys=["input", "mask"]) for _ in range(2)]
    return K.ManyToOneAugmentationDispather(*each)(torch.randn(2, 3, 5, 6), torch.ones(2, 3, 5, 6))


@call
def clips_with_one_draw(K):
    jiggle, affine = light(K)
    known = {"random_apply": 10, "data_format": "BCTHW", "same_on_frame": True}
    out = K.VideoSequential(jiggle, nn.Identity(), affine, **known)(torch.randn(2, 3, 1, 5, 6).repeat(1, 1, 4, 1, 1))
    return out, bool((out[0, :, 0] == out[0, :, 1]).all())


@call
def clips_frame_by_frame(K):
    aug = K.VideoSequential(*light(K), K.RandomMixUpV2(p=1.0), data_format="BCTHW", same_on_frame=False)
    x = torch.randn(2, 3, 1, 5, 6).repeat(1, 1, 4, 1, 1)
    out = aug(x)
    return out, bool((out[0, :, 0] == out[0, :, 1]).all()), bool(torch.equal(out, aug(x, params=aug._params)))


@call
def clips_of_one_step(K):
    known = {"random_apply": 1, "random_apply_weights": [0.5, 0.3, 0.8]}
    steps = *light(K), K.RandomMixUpV2(p=1.0)
    aug = K.VideoSequential(*steps, data_format="BCTHW", same_on_frame=False, **known)
    return aug(torch.randn(2, 3, 4, 5, 6))


@call
def container_of_clips(K):
    return K.VideoSequential(*light(K), data_format="BTCHW", same_on_frame=False)(torch.randn(2, 4, 3, 5, 6))


# custom classes


@call
def a_custom_intensity(K):
    class AddValue(K.IntensityAugmentationBase2D):
        def __init__(self, low: float, p: float = 1.0):
            super().__init__(p)
            self.low = low

        def generate_parameters(self, shape):
            return {"amount": torch.rand(shape[0]) + self.low}

        def apply_transform(self, input, params, flags, transform=None):
            return input + params["amount"].reshape(-1, 1, 1, 1).to(input)

    return replayed(AddValue(0.5), torch.rand(2, 3, 5, 5))


@call
def a_custom_geometry(K):
    class Zoom(K.GeometricAugmentationBase2D):
        def generate_parameters(self, shape):
            return {"angle": 1 + torch.rand(shape[0])}

        def compute_transformation(self, input, params, flags):
            eye = self.identity_matrix(input)
            return eye * torch.stack([params["angle"], params["angle"], torch.ones_like(params["angle"])], -1)[
                :, None
            ].to(input)

        def apply_transform(self, input, params, flags, transform):
            grid = nn.functional.affine_grid(torch.inverse(transform)[:, :2], list(input.shape), align_corners=False)
            return nn.functional.grid_sample(input, grid, align_corners=False)

    aug = Zoom(p=1.0)
    return replayed(aug, torch.rand(2, 3, 5, 5)), aug.transform_matrix


@call
def plain_uniform_generator(K):
    made = of(K, "random_generator", "PlainUniformGenerator")
    return made(((0.0, 1.0), "factor_1", None, None), (torch.tensor([-0.5, 0.5]), "factor_2", 0.1, (-1.0, 1.0)))(
        torch.Size([2])
    )

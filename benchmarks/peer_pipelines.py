"""Transforms of peers with their ranges pinned, and recipes in wide use, as their scripts write them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch

from benchmarks.compared import Build

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def mode(v2: Any, name: str = "BILINEAR") -> dict[str, Any]:
    return {"interpolation": v2.InterpolationMode[name]}


XY = lambda x, y: {"x": (x, x), "y": (y, y)}  # noqa: E731

# what, and how each peer writes it with its ranges pinned
PINNED: dict[str, tuple[Build | None, Build | None, Build | None]] = {
    "horizontal flip": (
        lambda v: v.RandomHorizontalFlip(1.0),
        lambda v: v.HorizontalFlip(p=1),
        lambda v: v.RandomHorizontalFlip(p=1.0),
    ),
    "vertical flip": (
        lambda v: v.RandomVerticalFlip(1.0),
        lambda v: v.VerticalFlip(p=1),
        lambda v: v.RandomVerticalFlip(p=1.0),
    ),
    "transpose": (None, lambda v: v.Transpose(p=1), None),
    "rotate 20 degrees": (
        lambda v: v.RandomRotation((20, 20), **mode(v)),
        lambda v: v.Rotate((20, 20), p=1),
        lambda v: v.RandomRotation((20.0, 20.0), p=1.0, align_corners=False),
    ),
    "rotate, nearest": (
        lambda v: v.RandomRotation((20, 20)),
        lambda v: v.Rotate((20, 20), interpolation=0, p=1),
        lambda v: v.RandomRotation((20.0, 20.0), p=1.0, resample="nearest", align_corners=False),
    ),
    "rotate and scale": (
        lambda v: v.RandomAffine((20, 20), None, (1.2, 1.2), **mode(v)),
        lambda v: v.Affine(rotate=(20, 20), scale=(1.2, 1.2), p=1),
        lambda v: v.RandomAffine((20.0, 20.0), scale=(1.2, 1.2), p=1.0),
    ),
    "shear in x": (
        lambda v: v.RandomAffine((0, 0), None, None, (15, 15, 0, 0), **mode(v)),
        lambda v: v.Affine(shear=XY(15, 0), p=1),
        lambda v: v.RandomAffine((0.0, 0.0), shear=(15.0, 15.0), p=1.0),
    ),
    "shear in x and y": (
        lambda v: v.RandomAffine((0, 0), None, None, (15, 15, 5, 5), **mode(v)),
        lambda v: v.Affine(shear=XY(15, 5), p=1),
        lambda v: v.RandomAffine((0.0, 0.0), shear=(15.0, 15.0, 5.0, 5.0), p=1.0),
    ),
    "shift, scale, rotate": (None, lambda v: v.ShiftScaleRotate((0.1, 0.1), (0.2, 0.2), (20, 20), p=1), None),
    "centre crop": (lambda v: v.CenterCrop((40, 50)), lambda v: v.CenterCrop(40, 50), lambda v: v.CenterCrop((40, 50))),
    "resize to less": (
        lambda v: v.Resize((50, 40)),
        lambda v: v.Resize(50, 40),
        lambda v: v.Resize((50, 40), antialias=True, align_corners=False),
    ),
    "resize to more": (
        lambda v: v.Resize((200, 190)),
        lambda v: v.Resize(200, 190),
        lambda v: v.Resize((200, 190), align_corners=False),
    ),
    "resize, nearest": (lambda v: v.Resize((50, 40), **mode(v, "NEAREST_EXACT")), lambda v: v.Resize(50, 40, 0), None),
    "resize the shorter side": (lambda v: v.Resize(48), lambda v: v.SmallestMaxSize(48), None),
    "pad": (lambda v: v.Pad((6, 12)), lambda v: v.PadIfNeeded(120, 140), lambda v: v.PadTo((120, 140))),
    "pad by reflection": (
        lambda v: v.Pad((6, 12), padding_mode="reflect"),
        lambda v: v.PadIfNeeded(120, 140, border_mode=4),
        None,
    ),
    "brightness": (
        lambda v: v.ColorJitter(brightness=(1.2, 1.2)),
        lambda v: v.ColorJitter((1.2, 1.2), (1, 1), (1, 1), (0, 0), p=1),
        lambda v: v.RandomBrightness((1.2, 1.2), p=1.0),
    ),
    "contrast": (
        lambda v: v.ColorJitter(contrast=(1.2, 1.2)),
        lambda v: v.ColorJitter((1, 1), (1.2, 1.2), (1, 1), (0, 0), p=1),
        lambda v: v.RandomContrast((1.2, 1.2), p=1.0),
    ),
    "saturation": (
        lambda v: v.ColorJitter(saturation=(1.3, 1.3)),
        lambda v: v.ColorJitter((1, 1), (1, 1), (1.3, 1.3), (0, 0), p=1),
        lambda v: v.RandomSaturation((1.3, 1.3), p=1.0),
    ),
    "hue": (
        lambda v: v.ColorJitter(hue=(0.1, 0.1)),
        lambda v: v.ColorJitter((1, 1), (1, 1), (1, 1), (0.1, 0.1), p=1),
        lambda v: v.RandomHue((0.1, 0.1), p=1.0),
    ),
    "brightness and contrast": (None, lambda v: v.RandomBrightnessContrast((0.1, 0.1), (0.2, 0.2), p=1), None),
    "RGB shift": (
        None,
        lambda v: v.RGBShift((10, 10), (20, 20), (-10, -10), p=1),
        None,
    ),
    "gamma": (None, lambda v: v.RandomGamma((150, 150), p=1), lambda v: v.RandomGamma((1.5, 1.5), p=1.0)),
    "grey": (lambda v: v.RandomGrayscale(1.0), lambda v: v.ToGray(p=1), lambda v: v.RandomGrayscale(p=1.0)),
    "invert": (lambda v: v.RandomInvert(1.0), lambda v: v.InvertImg(p=1), lambda v: v.RandomInvert(p=1.0)),
    "solarize": (
        lambda v: v.RandomSolarize(128, 1.0),
        lambda v: v.Solarize((0.5, 0.5), p=1),
        lambda v: v.RandomSolarize((0.5, 0.5), (0.0, 0.0), p=1.0),
    ),
    "posterize": (
        lambda v: v.RandomPosterize(4, 1.0),
        lambda v: v.Posterize(4, p=1),
        lambda v: v.RandomPosterize((4.0, 4.0), p=1.0),
    ),
    "equalize": (lambda v: v.RandomEqualize(1.0), lambda v: v.Equalize(p=1), lambda v: v.RandomEqualize(p=1.0)),
    "autocontrast": (
        lambda v: v.RandomAutocontrast(1.0),
        lambda v: v.AutoContrast(method="pil", p=1),
        lambda v: v.RandomAutoContrast(p=1.0),
    ),
    "sharpness": (lambda v: v.RandomAdjustSharpness(2.0, 1.0), None, lambda v: v.RandomSharpness((1.5, 1.5), p=1.0)),
    "CLAHE": (None, lambda v: v.CLAHE((2, 2), p=1), lambda v: v.RandomClahe((2.0, 2.0), p=1.0)),
    "Gaussian blur": (
        lambda v: v.GaussianBlur(5, (1.5, 1.5)),
        lambda v: v.GaussianBlur((5, 5), (1.5, 1.5), p=1),
        lambda v: v.RandomGaussianBlur((5, 5), (1.5, 1.5), p=1.0),
    ),
    "box blur": (None, lambda v: v.Blur((5, 5), p=1), lambda v: v.RandomBoxBlur((5, 5), p=1.0)),
    "median blur": (None, lambda v: v.MedianBlur((5, 5), p=1), lambda v: v.RandomMedianBlur((5, 5), p=1.0)),
    "JPEG": (
        None,
        lambda v: v.ImageCompression("jpeg", (60, 60), p=1),
        lambda v: v.RandomJPEG((60.0, 60.0), p=1.0),
    ),
    "normalize": (lambda v: v.Normalize(MEAN, STD), lambda v: v.Normalize(MEAN, STD), None),
}


def floats(v: Any) -> list[Any]:
    return [v.ToDtype(torch.float32, scale=True), v.Normalize(MEAN, STD)]


def simclr(v: Any, size: int, blur: float, solarize: float) -> Any:
    jitter = v.RandomApply([v.ColorJitter(0.4, 0.4, 0.2, 0.1)], 0.8)
    steps = [v.RandomResizedCrop(size), v.RandomHorizontalFlip(), jitter, v.RandomGrayscale(0.2)]
    steps += [v.RandomApply([v.GaussianBlur(23, (0.1, 2.0))], blur), v.RandomSolarize(128, solarize)]
    return v.Compose([*steps, *floats(v)])


# recipes in wide use, as their scripts write them
RECIPES: dict[str, dict[str, Build]] = {
    "torchvision": {
        "ImageNet reference, training": lambda v: v.Compose(
            [v.RandomResizedCrop(224), v.RandomHorizontalFlip(), *floats(v)]
        ),
        "ImageNet reference, evaluation": lambda v: v.Compose([v.Resize(256), v.CenterCrop(224), *floats(v)]),
        "ImageNet, TrivialAugment and erasing": lambda v: v.Compose(
            [
                v.RandomResizedCrop(176),
                v.RandomHorizontalFlip(),
                v.TrivialAugmentWide(),
                *floats(v),
                v.RandomErasing(0.1),
            ]
        ),
        "ImageNet, RandAugment (DeiT)": lambda v: v.Compose(
            [v.RandomResizedCrop(224), v.RandomHorizontalFlip(), v.RandAugment(), *floats(v), v.RandomErasing(0.25)]
        ),
        "ImageNet, AugMix": lambda v: v.Compose([v.RandomResizedCrop(224), v.AugMix(), *floats(v)]),
        "CIFAR-10, crop and flip": lambda v: v.Compose(
            [v.RandomCrop(32, padding=4), v.RandomHorizontalFlip(), *floats(v)]
        ),
        "CIFAR-10, AutoAugment": lambda v: v.Compose(
            [v.RandomCrop(32, padding=4), v.AutoAugment(v.AutoAugmentPolicy.CIFAR10), *floats(v)]
        ),
        "SimCLR": lambda v: simclr(v, 224, 0.5, 0.0),
        "BYOL, second view": lambda v: simclr(v, 224, 0.1, 0.2),
        "DINO, local crop": lambda v: simclr(v, 96, 0.5, 0.0),
        "SSD": lambda v: v.Compose(
            [v.RandomPhotometricDistort(), v.RandomZoomOut(), v.RandomIoUCrop(), v.RandomHorizontalFlip(), *floats(v)]
        ),
        "segmentation reference": lambda v: v.Compose(
            [v.RandomHorizontalFlip(), v.RandomCrop(480, pad_if_needed=True), *floats(v)]
        ),
        "MNIST, affine": lambda v: v.Compose(
            [v.RandomAffine(10, (0.1, 0.1), (0.9, 1.1), 5), v.ToDtype(torch.float32, scale=True)]
        ),
    },
    "albumentations": {
        "ImageNet": lambda v: v.Compose([v.RandomResizedCrop((224, 224)), v.HorizontalFlip(), v.Normalize()]),
        "classification of its guide": lambda v: v.Compose(
            [
                v.SmallestMaxSize(160),
                v.ShiftScaleRotate(0.05, 0.05, 15, p=0.5),
                v.RandomCrop(128, 128),
                v.RGBShift(15, 15, 15, p=0.5),
                v.RandomBrightnessContrast(p=0.5),
                v.Normalize(MEAN, STD),
            ]
        ),
        "segmentation of its guide": lambda v: v.Compose(
            [
                v.RandomCrop(128, 128),
                v.SquareSymmetry(p=1.0),
                v.CoarseDropout(p=0.3),
                v.OneOf([v.GaussianBlur(), v.MotionBlur(), v.MedianBlur()], p=0.3),
                v.Normalize(),
            ]
        ),
        "detection of its guide": lambda v: v.Compose(
            [v.RandomCrop(96, 96), v.HorizontalFlip(), v.RandomBrightnessContrast(p=0.2)],
            bbox_params=v.BboxParams("coco", label_fields=["kinds"]),
        ),
        "satellite": lambda v: v.Compose(
            [v.RandomRotate90(), v.Transpose(p=0.5), v.RandomBrightnessContrast(), v.GaussNoise(), v.Normalize()]
        ),
        "histology": lambda v: v.Compose(
            [v.D4(), v.ColorJitter(0.2, 0.2, 0.2, 0.05), v.GaussianBlur(p=0.2), v.Normalize()]
        ),
        "X-ray": lambda v: v.Compose(
            [
                v.Resize(128, 128),
                v.CLAHE(p=0.5),
                v.RandomGamma(),
                v.Affine(rotate=(-10, 10), scale=(0.9, 1.1)),
                v.Normalize(),
            ]
        ),
        "kaggle, all sorts": lambda v: v.Compose(
            [
                v.HorizontalFlip(),
                v.HueSaturationValue(),
                v.ElasticTransform(),
                v.OneOf([v.GaussNoise(), v.ISONoise()], p=0.2),
                v.SomeOf([v.ToGray(), v.RandomGamma(), v.ChannelShuffle()], n=2),
            ]
        ),
    },
    "kornia": {
        "README": lambda v: v.AugmentationSequential(
            v.ColorJitter(0.1, 0.1, 0.1, 0.1), v.RandomAffine(360.0, p=0.5), v.RandomPerspective(0.5, p=0.5)
        ),
        "ImageNet": lambda v: v.AugmentationSequential(
            v.RandomResizedCrop((224, 224)),
            v.RandomHorizontalFlip(),
            v.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
        ),
        "SimCLR on a batch": lambda v: v.AugmentationSequential(
            v.RandomResizedCrop((96, 96)),
            v.RandomHorizontalFlip(p=0.5),
            v.ColorJitter(0.8, 0.8, 0.8, 0.2, p=0.8),
            v.RandomGrayscale(p=0.2),
            v.RandomGaussianBlur((9, 9), (0.1, 2.0), p=0.5),
        ),
        "segmentation tutorial": lambda v: v.AugmentationSequential(
            v.RandomHorizontalFlip(p=0.5), v.RandomAffine((-30.0, 30.0)), v.RandomErasing(p=0.3), same_on_batch=False
        ),
        "two of six": lambda v: v.AugmentationSequential(
            v.RandomInvert(),
            v.RandomSharpness(),
            v.RandomSolarize(),
            v.RandomRotation(15.0),
            v.RandomHue(),
            v.RandomEqualize(),
            random_apply=2,
        ),
        "patches": lambda v: v.PatchSequential(
            v.ColorJitter(0.1, 0.1, 0.1, 0.1, p=0.5), v.RandomErasing(p=0.5), grid_size=(2, 2), patchwise_apply=False
        ),
        "clips": lambda v: v.VideoSequential(
            v.RandomAffine(10.0), v.ColorJitter(0.1, 0.1, 0.1, 0.1), same_on_frame=True
        ),
        "RandAugment": lambda v: import_module("kornia.augmentation.auto").RandAugment(2, 9),
        "GAN": lambda v: v.AugmentationSequential(
            v.RandomHorizontalFlip(), v.RandomCrop((64, 64)), v.RandomThinPlateSpline(), v.RandomPlasmaShadow()
        ),
    },
}

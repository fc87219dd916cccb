"""Recipes: pipelines as papers, libraries and practice have them, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from augfn.compose import identity, one_of, pipeline
from augfn.core.augmentation import Augmentation
from augfn.distributions import LogUniform
from augfn.errors import unknown
from augfn.multiview import views
from augfn.ops.blurs import motion_blur
from augfn.ops.crop import random_crop, resize, resized_crop
from augfn.ops.depth import depth_dropout, depth_noise, depth_normalize
from augfn.ops.filters import gaussian_blur
from augfn.ops.geometric import affine, hflip, perspective
from augfn.ops.noise import gaussian_noise
from augfn.ops.occlude import erase_noise
from augfn.ops.photometric import color_jitter, contrast, grayscale, normalize, solarize
from augfn.ops.symmetry import d4
from augfn.ops.warp import elastic
from augfn.policies.gan import ada, diff_augment
from augfn.policies.strings import policy
from augfn.policies.volumes import VOLUMES

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
HALF = 128 / 255
SIZE = 224

# self-supervised views: Chen et al. 2020, Grill et al. 2020, Chen et al. 2021, Caron et al. 2020 and 2021


def crop(size: int, low: float, high: float = 1.0) -> Augmentation:
    return resized_crop(size=size, scale=(low, high), interpolation="bicubic")


def jitter(b: float, c: float, s: float, h: float) -> Augmentation:
    spans = {"brightness": b, "contrast": c, "saturation": s}
    return color_jitter(**{n: (max(0.0, 1 - v), 1 + v) for n, v in spans.items()}, hue=(-h, h), p=0.8)


def blur(size: int | Sequence[int], p: float) -> Augmentation:
    """A kernel of a tenth of the shorter side, odd, with zeros around the image."""
    side = min(size) if isinstance(size, Sequence) else size
    return gaussian_blur(kernel_size=2 * (int(side / 10) // 2) + 1, sigma=(0.1, 2.0), padding_mode="zeros", p=p)


def simclr(size: int, strength: float = 1.0, blurred: bool = True) -> Augmentation:
    """Two views: crop from .08, flip, jitter (.8 .8 .8 .2 times the strength), grey .2, blur .5 (CIFAR: strength .5, none)."""
    s = strength
    steps = [crop(size, 0.08), hflip(p=0.5), jitter(0.8 * s, 0.8 * s, 0.8 * s, 0.2 * s), grayscale(p=0.2)]
    return views(pipeline(*steps, *([blur(size, 0.5)] if blurred else [])), 2)


def byol_view(size: int, low: float, blurs: float, solarizes: float) -> Augmentation:
    steps = [crop(size, low), hflip(p=0.5), jitter(0.4, 0.4, 0.2, 0.1), grayscale(p=0.2), blur(size, blurs)]
    return pipeline(*steps, solarize(threshold=HALF, p=solarizes), normalize(**IMAGENET))


def byol(size: int) -> Augmentation:
    """Two views: crop from .08; blur 1 and .1, solarize 0 and .2."""
    return views(byol_view(size, 0.08, 1.0, 0.0), byol_view(size, 0.08, 0.1, 0.2))


def moco_v3(size: int) -> Augmentation:
    """As BYOL, with crops from .2."""
    return views(byol_view(size, 0.2, 1.0, 0.0), byol_view(size, 0.2, 0.1, 0.2))


def dino(size: int, local: int | None = None, n: int = 8) -> Augmentation:
    """Two global views (crop .4 to 1; blur 1 and .1, solarize 0 and .2) and n local ones (.05 to .4, of 3/7 of the side)."""
    small = local or round(size * 96 / 224)
    shared = [hflip(p=0.5), jitter(0.4, 0.4, 0.2, 0.1), grayscale(p=0.2)]
    one = pipeline(crop(size, 0.4), *shared, blur(size, 1.0), normalize(**IMAGENET))
    two = pipeline(crop(size, 0.4), *shared, blur(size, 0.1), solarize(threshold=HALF, p=0.2), normalize(**IMAGENET))
    near = pipeline(crop(small, 0.05, 0.4), *shared, blur(small, 0.5), normalize(**IMAGENET))
    return views(one, two, *[near] * n)


def swav(size: int, n: int = 6) -> Augmentation:
    """Two views of .14 to 1 and n of .05 to .14, of 3/7 of the side; jitter .8 .8 .8 .2, grey .2, blur .5."""
    small = round(size * 96 / 224)

    def view(side: int, low: float, high: float) -> Augmentation:
        steps = [crop(side, low, high), hflip(p=0.5), jitter(0.8, 0.8, 0.8, 0.2), grayscale(p=0.2), blur(side, 0.5)]
        return pipeline(*steps, normalize(**IMAGENET))

    return views(*[view(size, 0.14, 1.0)] * 2, *[view(small, 0.05, 0.14)] * n)


# supervised: Touvron et al. 2021 and 2022, Liu et al. 2022


def deit(size: int) -> Augmentation:
    """Crop, flip, rand-m9-mstd0.5-inc1, normalise, erase by noise .25 (mixup .8 and cutmix 1 follow, over the batch)."""
    erased = erase_noise(scale=(0.02, 1 / 3), ratio=LogUniform(0.3, 1 / 0.3), p=0.25)
    return pipeline(crop(size, 0.08), hflip(p=0.5), policy("rand-m9-mstd0.5-inc1"), normalize(**IMAGENET), erased)


def three_augment(size: int) -> Augmentation:
    """DeiT III: crop, flip, one of grey, solarize and blur, jitter .3."""
    one = one_of(grayscale(), solarize(threshold=HALF), gaussian_blur(kernel_size=13, sigma=(0.1, 2.0)))
    span = (0.7, 1.3)
    after = color_jitter(brightness=span, contrast=span, saturation=span)
    return pipeline(crop(size, 0.08), hflip(p=0.5), one, after, normalize(**IMAGENET))


# special data


def chest_xray(size: int, mean: float = 0.5, std: float = 0.25) -> Augmentation:
    """One channel, never flipped (the heart is on the left): rotation 5 degrees, shift .05, zoom .95 to 1.05, crop .85 to 1,
    brightness and contrast .3, slight blur and bend; own statistics (`af.channel_stats`). Hue and saturation have no meaning
    for it, and raise."""
    span = (0.7, 1.3)
    return pipeline(
        affine(degrees=(-5, 5), translate=((-0.05, 0.05),) * 2, scale=(0.95, 1.05)),
        elastic(alpha=(0.0, 0.01), p=0.3),
        resized_crop(size=size, scale=(0.85, 1.0)),
        color_jitter(brightness=span, contrast=span),
        gaussian_blur(sigma=(0.1, 1.0), p=0.3),
        normalize(mean=mean, std=std),
    )


def satellite(size: int, rgb: tuple[int, ...] = (0, 1, 2)) -> Augmentation:
    """From above there is no up: all symmetries of the square; colour of the channels `rgb` alone, so that what is near
    infrared keeps its values but for a common brightness and noise."""
    return pipeline(
        d4(),
        resized_crop(size=size, scale=(0.5, 1.0)),
        color_jitter(saturation=(0.8, 1.2), hue=(-0.02, 0.02), channels=rgb),
        contrast(factor=(0.9, 1.1)),
        gaussian_noise(std=(0.0, 0.02)),
    )


def video(size: int) -> Augmentation:
    """Of a clip one crop, flip and colour for all frames, noise of each."""
    span = (0.6, 1.4)
    return pipeline(
        resized_crop(size=size, scale=(0.3, 1.0)),
        hflip(p=0.5),
        color_jitter(brightness=span, contrast=span, saturation=span, hue=(-0.1, 0.1), p=0.8),
        gaussian_noise(std=(0.0, 0.03)),
    )


def depth(size: int, metric: bool = False, max: float | None = None) -> Augmentation:
    """Image and depth (0 or NaN where nothing was measured), with intrinsics: zoom, crop, flip; light colour of the image alone,
    noise and holes of the depth alone. `metric`: a zoom brings the scene nearer (`affine(metric=True)`); `max`: depth in
    fractions of what the camera reaches."""
    span = (0.8, 1.2)
    steps = [
        affine(scale=(1.0, 1.5), degrees=(-3, 3), metric=metric),
        random_crop(size=size),
        hflip(p=0.5),
        color_jitter(brightness=span, contrast=span, saturation=span, hue=(-0.02, 0.02)),
        depth_noise(),
        depth_dropout(size=4),
    ]
    return pipeline(*steps, *([] if max is None else [depth_normalize(max=max)]))


def segmentation(size: int, ignore: float = 255) -> Augmentation:
    """Zoom .5 to 2, crop, flip, light colour; `ignore` is what masks show outside of the image."""
    span = (0.75, 1.25)
    return pipeline(
        affine(scale=(0.5, 2.0)),
        random_crop(size=size),
        hflip(p=0.5),
        color_jitter(brightness=span, contrast=span, saturation=span, hue=(-0.05, 0.05)),
        fill_mask=ignore,
    )


def detection(size: int) -> Augmentation:
    """Flip, zoom .5 to 1.5, shift .1, light colour, one size; boxes as `Boxes(min_size=2, min_visibility=0.1)`."""
    span = (0.6, 1.4)
    return pipeline(
        hflip(p=0.5),
        affine(scale=(0.5, 1.5), translate=((-0.1, 0.1),) * 2, fill=114 / 255),
        color_jitter(brightness=span, saturation=(0.3, 1.7), hue=(-0.015, 0.015)),
        resize(size=(size, size)),
    )


def text(size: int | tuple[int, int]) -> Augmentation:
    """Lines of text, never mirrored: slight turns, perspective and bends, blur, noise, contrast."""
    return pipeline(
        affine(degrees=(-3, 3), shear=((-8.0, 8.0), (0.0, 0.0)), scale=(0.9, 1.1)),
        perspective(distortion_scale=0.1, p=0.5),
        one_of(gaussian_blur(sigma=(0.1, 1.0)), motion_blur(), identity()),
        color_jitter(brightness=(0.7, 1.3), contrast=(0.6, 1.4)),
        gaussian_noise(std=(0.0, 0.05)),
        resize(size=size if isinstance(size, tuple) else (size, size)),
        padding_mode="border",
    )


RECIPES: dict[str, Callable[..., Augmentation]] = {
    f.__name__: f
    for f in (
        simclr,
        byol,
        moco_v3,
        dino,
        swav,
        deit,
        three_augment,
        chest_xray,
        satellite,
        video,
        depth,
        segmentation,
        detection,
        text,
    )
} | {"convnext": deit, "diff_augment": diff_augment, "ada": ada, **VOLUMES}


def recipe(name: str, size: Any = None, **options: Any) -> Augmentation:
    """A pipeline as a paper or practice has it, for images in [0, 1] of `size` pixels (224; of volumes voxels, one number or
    (d, h, w)).

    | name | what |
    |---|---|
    | `simclr`, `byol`, `moco_v3` | two views |
    | `dino`, `swav` | two global and several local views |
    | `deit`, `convnext`, `three_augment` | supervised training |
    | `diff_augment`, `ada` | for a GAN's discriminator |
    | `chest_xray`, `satellite`, `video`, `depth`, `segmentation`, `detection`, `text` | special data, each by its rule |
    | `nnunet`, `monai_segmentation`, `microscopy`, `ct_detection` | volumes, with masks or boxes |
    | `video_classification` | clips |

    `options`: simclr `strength`, `blur_p`; dino and swav their local crops `small`, `n`; chest_xray `mean`, `std`; satellite
    `rgb`; depth `metric`, `max`; segmentation `ignore`; ada `p`; nnunet `dummy_2d`, `mirror`; monai_segmentation and
    ct_detection `low`, `high` (Hounsfield units); video_classification `frames`, `span`. All but simclr's views, those of
    special data (but a chest) and of GANs end with ImageNet's mean and standard deviation.
    What comes before goes in front of the call:
    `f(af.to_float(x), None, key)`.

    >>> import torch, augfn as af
    >>> f = af.recipe("simclr", size=32)
    >>> (first, second), params = f(torch.rand(4, 3, 48, 48), None, af.key(0))
    >>> first.shape
    torch.Size([4, 3, 32, 32])
    """
    if name not in RECIPES:
        raise ValueError(unknown("recipe", name, RECIPES))
    own, *more = inspect.signature(RECIPES[name]).parameters.values()
    known = [p.name for p in more]
    usual = SIZE if own.default is own.empty else own.default
    for option in options:
        if option not in known:
            raise TypeError(unknown(f"option of the recipe {name}", option, known or ["size"]))
    return RECIPES[name](usual if size is None else size, **options)

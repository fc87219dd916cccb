"""What the processes of `benchmarks.apart` time: builders of `call(step)`, by name, on photos.

They run on earlier commits too, so they use what is public in augfn and nothing else of it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import augfn as af
from benchmarks import ours, peers
from benchmarks.measure import Call

HUE = 0.1
SPAN = (0.8, 1.2)


def images(size: int, batch: int) -> Tensor:
    return peers.to_float(peers.photos(size, batch))


def in_bytes(size: int, batch: int) -> Tensor:
    return af.to_uint8(images(size, batch))


# affine, colour jitter, normalise, as in `benchmarks.pipeline`


def forward(size: int, batch: int, twist: bool = False, compiled: bool = False) -> Call:
    return ours.forward(images(size, batch), twist=twist, compiled=compiled)


def backward(size: int, batch: int, ranges: bool = False) -> Call:
    """With the gradient to the images, or to them and all ranges."""
    x = images(size, batch).requires_grad_()
    if ranges:
        return ours.to_ranges(x, twist=False, compiled=False)
    return ours.gradients(ours.forward(x, twist=False, compiled=False), [x])


def kornia_forward(size: int, batch: int) -> Call:
    return peers.kornia_pipeline(images(size, batch))


def kornia_backward(size: int, batch: int) -> Call:
    x = images(size, batch).requires_grad_()
    return ours.gradients(peers.kornia_pipeline(x), [x])


# policies


def color_jitter(**gate: Any) -> Any:
    return af.color_jitter(brightness=SPAN, contrast=SPAN, saturation=SPAN, hue=(-HUE, HUE), **gate)


def affine_and_jitter() -> Any:
    return af.pipeline(af.affine(degrees=(-15, 15), scale=(0.9, 1.1)), color_jitter())


def one_of_fourteen(magnitude: float = 9.0) -> Any:
    """RandAugment's operations, one for each sample."""
    m = 0.9 * magnitude / 30
    factor, slope, shift = (1 - m, 1 + m), (-16, 16), (-0.2, 0.2)
    return af.one_of(
        identity=af.rotate(degrees=0.0),
        shear_x=af.shear(shear=(slope, (0, 0))),
        shear_y=af.shear(shear=((0, 0), slope)),
        translate_x=af.translate(translate=(shift, (0, 0))),
        translate_y=af.translate(translate=((0, 0), shift)),
        rotate=af.rotate(degrees=(-9, 9)),
        brightness=af.brightness(factor=factor),
        color=af.saturation(factor=factor),
        contrast=af.contrast(factor=factor),
        sharpness=af.sharpness(factor=factor),
        posterize=af.posterize(bits=6.0),
        solarize=af.solarize(threshold=0.7),
        autocontrast=af.autocontrast(),
        equalize=af.equalize(),
    )


def simclr() -> Any:
    span = (0.2, 1.8)
    return af.pipeline(
        af.hflip(p=0.5),
        af.resized_crop(size=224),
        af.color_jitter(brightness=span, contrast=span, saturation=span, hue=(-0.2, 0.2), p=0.8),
        af.grayscale(p=0.2),
        af.gaussian_blur(kernel_size=23, p=0.5),
        af.solarize(threshold=0.5, p=0.2),
    )


POLICIES = {
    "affine + color_jitter": affine_and_jitter,
    "one_of(14)": one_of_fourteen,
    "repeat(one_of(14), 2)": lambda: af.repeat(one_of_fourteen(), 2),
    "gaussian_blur": lambda **gate: af.gaussian_blur(kernel_size=5, **gate),
    "color_jitter": color_jitter,
    "SimCLR": simclr,
}


def policy(name: str, size: int, batch: int, p: float | None = None, gradient: bool = False) -> Call:
    """Draw and apply with an own key for each call; with the gradient to the images where asked."""
    augment, x = POLICIES[name](**({} if p is None else {"p": p})), images(size, batch)
    if not gradient:
        return ours.draw(augment, x)
    return ours.gradients(ours.draw(augment, x.requires_grad_()), [x])


# published policies and mixes, beside the libraries that they come from

PUBLISHED = {
    "RandAugment": af.rand_augment if hasattr(af, "rand_augment") else None,
    "TrivialAugmentWide": getattr(af, "trivial_augment", None),
    "AutoAugment": getattr(af, "auto_augment", None),
    "AugMix": getattr(af, "augmix", None),
    "MixUp": af.mixup,
    "CutMix": getattr(af, "cutmix", None),
}


def published(name: str, size: int, batch: int, gradient: bool = False) -> Call:
    """augfn's, with a draw of its own for each image."""
    augment, x = PUBLISHED[name](), images(size, batch)  # type: ignore[misc]
    if "Mix" in name and name != "AugMix":
        sample = {"image": x, "label": torch.eye(10)[torch.arange(batch) % 10]}
        return lambda step: augment(sample, None, af.key(step))
    return ours.gradients(ours.draw(augment, x.requires_grad_()), [x]) if gradient else ours.draw(augment, x)


def torchvision_published(name: str, size: int, batch: int, form: str) -> Call:
    """torchvision's: "float" or "bytes" image by image, or for "batch" once for all (mixes: as they are)."""
    peers.declare_operators()
    from torchvision.transforms import v2

    x = in_bytes(size, batch) if form == "bytes" else images(size, batch)
    if name in ("MixUp", "CutMix"):
        mix, labels = getattr(v2, name)(num_classes=10), torch.arange(batch) % 10
        return lambda step: mix(x, labels)
    augment = getattr(v2, name)()
    return (lambda step: augment(x)) if form == "batch" else lambda step: torch.stack([augment(one) for one in x])


def kornia_randaugment(size: int, batch: int, gradient: bool = False) -> Call:
    """One set of ops for the batch."""
    import kornia.augmentation as K

    augment, x = K.auto.RandAugment(n=2, m=9), images(size, batch)
    if gradient:
        return ours.gradients(lambda step: augment(x), [x.requires_grad_()])
    return lambda step: augment(x)


def corners(size: int, batch: int, objects: int = 8) -> Tensor:
    """Boxes in the frame."""
    low = af.uniform(af.key(1), (batch, objects, 2), 0.0, 0.7 * size)
    return torch.cat([low, low + 0.2 * size], -1)


def mosaic(size: int, batch: int) -> Call:
    """Four images with their boxes in one, and the middle of it."""
    sample = {"image": images(size, batch), "boxes": af.Boxes(corners(size, batch))}
    augment = af.pipeline(af.mosaic(), af.center_crop(size=size))
    return lambda step: augment(sample, None, af.key(step))


def kornia_mosaic(size: int, batch: int) -> Call:
    import kornia.augmentation as K

    augment = K.RandomMosaic(output_size=(size, size), p=1.0, data_keys=["input", "bbox_xyxy"])
    x, boxes = images(size, batch), corners(size, batch)
    return lambda step: augment(x, boxes)


# bytes in and out


def pipeline_of(kind: str, size: int, batch: int) -> Call:
    """A flip, an affine map and a jitter of floats ("float"), or of bytes, which become floats within it ("in"),
    or bytes again at its end ("in and out")."""
    middle = [af.hflip(p=0.5), *affine_and_jitter().steps.values()]
    if kind == "float":
        return ours.draw(af.pipeline(*middle), images(size, batch))
    last = [af.to_uint8()] if kind == "in and out" else []
    return ours.draw(af.pipeline(af.to_float(), *middle, *last), in_bytes(size, batch))


def conversion(name: str, size: int, batch: int) -> Call:
    """augfn's or torchvision's, of the same batch."""
    bytes_, floats = in_bytes(size, batch), images(size, batch)
    if name.startswith("af."):
        return (lambda step: af.to_float(bytes_)) if "float" in name else (lambda step: af.to_uint8(floats))
    peers.declare_operators()
    from torchvision.transforms.v2 import functional as F

    x, dtype = (bytes_, torch.float32) if "float" in name else (floats, torch.uint8)
    return lambda step: F.to_dtype(x, dtype, scale=True)


def kornia_simclr(size: int, batch: int) -> Call:
    import kornia.augmentation as K

    steps = [
        K.RandomHorizontalFlip(p=0.5),
        K.RandomResizedCrop((224, 224), p=1.0),
        K.ColorJitter(0.8, 0.8, 0.8, 0.2, p=0.8),
        K.RandomGrayscale(p=0.2),
        K.RandomGaussianBlur((23, 23), (0.1, 2.0), p=0.5),
        K.RandomSolarize((0.5, 0.5), (0.0, 0.0), p=0.2),
    ]
    augment, x = K.AugmentationSequential(*steps, data_keys=["input"]), images(size, batch)
    return lambda step: augment(x)

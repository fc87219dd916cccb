"""Common corruptions in five severities, after ImageNet-C, and how much they raise the error of a classifier.

Source: Hendrycks & Dietterich 2019, "Benchmarking neural network robustness to common corruptions and perturbations", with
the constants of its code (github.com/hendrycks/robustness).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import augfn as af
from augfn.analysis.passes import quiet
from augfn.core.augmentation import Augmentation
from augfn.core.spec import check_type, is_whole
from augfn.errors import explain
from augfn.models import device_of, first_tensor

SIDES = (224, 64, 32)  # of ImageNet-C, Tiny ImageNet-C and CIFAR-10-C, each with levels of its own
LEFT_OUT = {"frost": "it lays photographs of frost over the image, which augfn does not have"}

Suite = Mapping[str, Sequence[Augmentation]]
Rates = Mapping[str, Sequence[float]]
Levels = Sequence[Any]  # five, each a number or several
BENDS = (0.010, 0.015, 0.020, 0.025, 0.030)
BLACK = af.brightness(factor=0.0)  # where a layer starts

# one function for each corruption: from the shorter side, pixels per pixel of the table, and one level to an augmentation


def gaussian_noise(side: int, scale: float, std: float) -> Augmentation:
    return af.gaussian_noise(std=std)


def shot_noise(side: int, scale: float, photons: float) -> Augmentation:
    return af.poisson_noise(photons=photons)


def impulse_noise(side: int, scale: float, amount: float) -> Augmentation:
    return each_channel(af.salt_and_pepper, amount=amount, salt=0.5)


def defocus_blur(side: int, scale: float, radius: float, sigma: float) -> Augmentation:
    disk = af.defocus(kernel_size=odd(radius * scale), radius=radius * scale, clip="clamp")
    return af.pipeline(disk, gaussian(scale * sigma, 3, "reflect"))


def glass_blur(side: int, scale: float, sigma: float, delta: float, times: int) -> Augmentation:
    blur, shuffle = gaussian(scale * sigma, 4, "border"), af.glass_blur(kernel_size=1, delta=scale * delta, sigma=0.0)
    return af.pipeline(blur, *[shuffle] * times, blur)


def motion_blur(side: int, scale: float, radius: int, sigma: float) -> Augmentation:
    return fall(scale * streak(radius, sigma), (-45, 45))


def zoom_blur(side: int, scale: float, factor: float) -> Augmentation:
    return af.zoom_blur(factor=factor, steps=16, clip="clamp")


def snow(side: int, scale: float, *level: float) -> Augmentation:
    """Whitening, y = kept x + (1 - kept) (1.5 luma + 0.5), and two layers of flakes, one upside down: grey noise, zoomed,
    0 where it is below `least`, blurred along a fall. (The mean of the three, times three.)"""
    mean, std, zoom, least, radius, sigma, kept = level
    gain = 1.5 - 0.5 * kept
    flakes = af.pipeline(
        BLACK,
        af.gaussian_noise(mean=mean, std=std, clip="none"),
        af.grayscale(weights=(1.0, 0.0, 0.0)),
        af.scale(scale=max(1.0, scale * zoom)),
        af.solarize_add(addition=-99.0, threshold=least),
        fall(scale * streak(int(radius), sigma), (45, 135)),
        blend(0.5, af.rot90(k=2)),
    )
    whiter = [af.saturation(factor=kept / gain, clip="none"), af.brightness(factor=gain, clip="none")]
    last = [af.brightness(factor=3.0, clip="none"), af.brightness_shift(shift=0.5 * (1 - kept))]
    return af.pipeline(*whiter, blend(2 / 3, flakes), *last)


def fog(side: int, scale: float, strength: float, decay: float) -> Augmentation:
    """y = (x + strength n) / (1 + strength), n a plasma stretched to [0, 1], whose detail falls by `decay` squared from level
    to level."""
    share = strength / (1 + strength)
    plasma = af.plasma_shadow(shade_intensity=1.0, shade_quantity=0.5, softness=1.0, roughness=decay**-2)
    return blend(share, af.pipeline(BLACK, plasma, af.autocontrast()))


def brightness(side: int, scale: float, shift: float) -> Augmentation:
    """The value of HSV is raised by `shift`, up to 1; the saturation, which falls with it, is given back as a value of 1/2 had
    it."""
    return af.pipeline(af.brightness_shift(shift=shift, clip="none"), af.hsv_saturation(factor=1 + 2 * shift))


def contrast(side: int, scale: float, factor: float) -> Augmentation:
    return each_channel(af.contrast, factor=factor)


def elastic_transform(side: int, scale: float, alpha: float) -> Augmentation:
    return af.elastic(alpha=alpha, sigma=0.1, padding_mode="symmetric")


def pixelate(side: int, scale: float, share: float) -> Augmentation:
    return af.downscale(factor=int(side * share) / side, clip="clamp")


def jpeg_compression(side: int, scale: float, quality: float) -> Augmentation:
    return af.jpeg(quality=quality, grad="ste")


def each_channel(op: Callable[..., Augmentation], **settings: Any) -> Augmentation:
    """The op on red, green and blue, each by itself."""
    return af.pipeline(*(op(channels=(c,), **settings) for c in range(3)))


def blend(share: float, layer: Augmentation) -> Augmentation:
    """y = (1 - share) x + share layer(x)."""
    return af.mixture(layer, weights=af.Constant([1.0]), share=share)


def fall(length: float, angle: tuple[float, float]) -> Augmentation:
    """A blur that runs out along `length` pixels."""
    how: dict[str, Any] = {"kernel_size": odd((length + 1) / 2), "padding_mode": "border", "clip": "clamp"}
    return af.motion_blur(angle=angle, direction=1.0, length=max(1.0, length), **how)


def gaussian(sigma: float, reach: float, padding_mode: str) -> Augmentation:
    """A Gaussian that is cut off at `reach` standard deviations, rounded to whole pixels."""
    size = 2 * round(reach * sigma) + 1
    return af.gaussian_blur(kernel_size=size, sigma=sigma, padding_mode=padding_mode, clip="clamp")


def odd(reach: float) -> int:
    """The side of a kernel that reaches so many pixels."""
    return 2 * math.ceil(reach) + 1


def streak(radius: int, sigma: float) -> float:
    """The length of a ramp that falls to zero, length / sqrt(18) its standard deviation, as wide as half a Gaussian:
    exp(-i^2 / (2 sigma^2)) at i = 0 .. 2 radius.

    >>> round(streak(100, 10.0), 1), round(streak(10, 3.0), 1)
    (25.9, 8.0)
    """
    taps = range(2 * radius + 1)
    weights = [math.exp(-0.5 * (i / sigma) ** 2) for i in taps]
    mean, square = (sum(w * i**k for w, i in zip(weights, taps, strict=True)) / sum(weights) for k in (1, 2))
    return math.sqrt(18 * (square - mean**2))


# name: what makes it, and five levels for each of SIDES. All are the paper's but those of elastic_transform; of zoom_blur it
# is the last of the paper's zooms.
# fmt: off
TABLE: dict[str, tuple[Callable[..., Augmentation], Levels, Levels, Levels]] = {
    "gaussian_noise": (
        gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38), (0.04, 0.08, 0.12, 0.15, 0.18), (0.04, 0.06, 0.08, 0.09, 0.10)
    ),
    "shot_noise": (shot_noise, (60, 25, 12, 5, 3), (250, 100, 50, 30, 15), (500, 250, 100, 75, 50)),
    "impulse_noise": (
        impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27), (0.01, 0.02, 0.05, 0.08, 0.14), (0.01, 0.02, 0.03, 0.05, 0.07)
    ),
    "defocus_blur": (
        defocus_blur,
        ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        ((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
        ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
    ),
    "glass_blur": (
        glass_blur,
        ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        ((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
        ((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
    ),
    "motion_blur": (
        motion_blur,
        ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        ((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
        ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
    ),
    "zoom_blur": (
        zoom_blur, (1.11, 1.15, 1.20, 1.24, 1.30), (1.06, 1.11, 1.15, 1.20, 1.25), (1.06, 1.11, 1.15, 1.20, 1.25)
    ),
    "snow": (
        snow,
        ((0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
         (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55)),
        ((0.1, 0.2, 1, 0.6, 8, 3, 0.8), (0.1, 0.2, 1, 0.5, 10, 4, 0.8), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
         (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6)),
        ((0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
         (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)),
    ),
    "fog": (
        fog,
        ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        ((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
        ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
    ),
    "brightness": (brightness, (0.1, 0.2, 0.3, 0.4, 0.5), (0.1, 0.2, 0.3, 0.4, 0.5), (0.05, 0.1, 0.15, 0.2, 0.3)),
    "contrast": (contrast, (0.4, 0.3, 0.2, 0.1, 0.05), (0.4, 0.3, 0.2, 0.1, 0.05), (0.75, 0.5, 0.4, 0.3, 0.15)),
    "elastic_transform": (elastic_transform, BENDS, BENDS, BENDS),
    "pixelate": (pixelate, (0.6, 0.5, 0.4, 0.3, 0.25), (0.9, 0.8, 0.7, 0.6, 0.5), (0.95, 0.9, 0.85, 0.75, 0.65)),
    "jpeg_compression": (jpeg_compression, (25, 18, 15, 10, 7), (65, 58, 50, 40, 25), (80, 65, 58, 50, 40)),
}
# fmt: on


def corruption_suite(size: tuple[int, int] = (224, 224)) -> dict[str, tuple[Augmentation, ...]]:
    """The common corruptions, each as five augmentations of severity 1 to 5, for RGB images in [0, 1] of this size `(h, w)`.

    The frame is kept and the result lies in [0, 1]. Levels are the paper's for ImageNet-C (224 pixels), Tiny ImageNet-C (64)
    or CIFAR-10-C (32), whichever the shorter side is nearest to as a ratio; what is in pixels goes with the side.

    | name | as the paper's | other than the paper's |
    |---|---|---|
    | `gaussian_noise` | x + std n | |
    | `impulse_noise` | white or black, each channel by itself | |
    | `contrast` | about the mean of each channel | |
    | `jpeg_compression` | libjpeg at this quality | |
    | `shot_noise` | mean x, variance x / photons | normal numbers, no whole counts |
    | `brightness` | value of HSV + c, hue | saturation kept where the value is 1/2, higher above, lower below |
    | `defocus_blur` | a disk, then a Gaussian | the disk has a soft edge |
    | `glass_blur` | blur, pixels moved, blur | real moves, which do not drift or go along with their neighbours' |
    | `motion_blur` | angle, standard deviation of the kernel | a ramp for half a Gaussian |
    | `zoom_blur` | mean of zooms up to the largest | 16 of equal ratio for 11 to 26 of equal step |
    | `snow` | all steps | that ramp; the zoom's interpolation; whitening never darkens there |
    | `fog` | (x + c n) / (1 + c), n in [0, 1] | 1 is the image's maximum there; another plasma |
    | `pixelate` | means of int(c side) cells a side, equal at c = 1/2, 1/4 | cells share pixels: stronger for c near 1 |
    | `elastic_transform` | | own levels: bends of 1 to 3 % of the side (standard deviation) |

    The paper's elastic severities 1 and 2 are a wide bend after a random affine map, 3 to 5 (at 224 pixels) ripples of 2.4
    pixels, finer than the grid of `af.elastic`. `frost` is left out: `LEFT_OUT` says why. As in the paper some severities are
    about equal: 2 and 3 of snow, 3 and 4 of fog, and at 32 pixels 3 and 4 of motion_blur. At 64 pixels and below those of
    glass_blur, and at 32 and below the first of pixelate, hardly rise.

    Raises TypeError for a size that is not two whole numbers above 0.

    >>> suite = corruption_suite((32, 32))
    >>> len(suite), {len(severities) for severities in suite.values()}
    (14, {5})
    >>> y, _ = suite["shot_noise"][4](torch.full((2, 3, 32, 32), 0.5), None, af.key(0))
    >>> y.var().round(decimals=2)  # 0.5 / 50 photons
    tensor(0.01)
    """
    check_type("corruption_suite: size", tuple[int, int], size, (224, 224))
    side = int(min(size))
    at = min(range(len(SIDES)), key=lambda i: abs(math.log(side / SIDES[i])))
    return {
        name: tuple(make(side, side / SIDES[at], *(v if isinstance(v, tuple) else (v,))) for v in levels[at])
        for name, (make, *levels) in TABLE.items()
    }


# error measures


def corruption_error(errors: Rates, baseline: Rates | None = None) -> float:
    """The mean corruption error: the mean over corruptions c of sum_s E[c, s] / sum_s B[c, s], s the five severities, for the
    error rates E of a model and B of a baseline, in [0, 1]; without a baseline the mean of E.

    The paper's baseline is AlexNet (its published rates, for whom compares with it). 1 is as good as the baseline, 0 perfect.
    Raises ValueError where names differ, rates are not five in [0, 1], or the baseline makes no error.

    >>> errors = {"fog": [0.1, 0.2, 0.3, 0.4, 0.5], "snow": [0.2] * 5}
    >>> corruption_error(errors), corruption_error(errors, {"fog": [0.6] * 5, "snow": [0.4] * 5})
    (0.25, 0.5)
    """
    own = checked_rates(errors, "errors")
    if baseline is None:
        return sum(map(sum, own.values())) / (5 * len(own))
    return mean_ratio(own, checked_rates(baseline, "baseline", own))


def relative_corruption_error(errors: Rates, clean: float, baseline: Rates, baseline_clean: float) -> float:
    """The relative mean corruption error: the mean over corruptions c of sum_s (E[c, s] - clean) / sum_s (B[c, s] -
    baseline_clean): how much a model loses by corruptions, in units of what the baseline loses.

    Arguments and errors are those of `corruption_error`; `clean` and `baseline_clean` are the error rates without corruption.
    A baseline that loses nothing by a corruption raises ValueError.

    >>> relative_corruption_error({"fog": [0.3] * 5}, 0.1, {"fog": [0.9] * 5}, 0.4)
    0.4
    """
    own = checked_rates(errors, "errors")
    other = checked_rates(baseline, "baseline", own)
    for what, rate in (("clean", clean), ("baseline_clean", baseline_clean)):
        checked_rates({what: [rate] * 5}, what)
    lost = [{n: [v - at for v in r] for n, r in e.items()} for e, at in ((own, clean), (other, baseline_clean))]
    return mean_ratio(*lost)


def mean_ratio(errors: Rates, baseline: Rates) -> float:
    """The mean over names of the ratio of sums."""
    low = [name for name, rates in baseline.items() if not sum(rates) > 0]
    if low:
        want, fix = "a baseline that makes more errors under each corruption", "leave these names out of both"
        raise ValueError(explain("corruption error: a ratio to nothing", low, want, fix))
    return sum(sum(rates) / sum(baseline[name]) for name, rates in errors.items()) / len(errors)


def checked_rates(errors: Rates, what: str, like: Rates | None = None) -> dict[str, list[float]]:
    """Five error rates for each name, as floats, of the names of `like`."""
    fix = '{"fog": [0.2, 0.3, 0.4, 0.5, 0.6], ...}, percent divided by 100'
    if not isinstance(errors, Mapping) or not errors:
        raise TypeError(explain(f"corruption error: {what}", errors, "five error rates for each corruption", fix))
    if like is not None and errors.keys() != like.keys():
        apart = sorted(errors.keys() ^ like.keys())
        want = "the same corruptions in errors and baseline"
        raise ValueError(explain(f"corruption error: names of {what} differ", apart, want, "give both or neither"))
    rates = {name: [float(v) for v in values] for name, values in errors.items()}
    for name, values in rates.items():
        if len(values) != 5 or not all(0 <= v <= 1 for v in values):
            raise ValueError(explain(f"corruption error: {what} of {name}", values, "five rates in [0, 1]", fix))
    return rates


def corruption_errors(
    model: nn.Module, images: Tensor, labels: Tensor, key: Tensor, suite: Suite | None = None, batch: int = 64
) -> dict[str, list[float]]:
    """The error rate of a classifier under each corruption, at each severity: the share of images whose largest logit is not
    that of their label.

    | argument | meaning |
    |---|---|
    | `model` | from images to logits `[B, K]`; what it needs beforehand, such as `normalize`, is part of it |
    | `images`, `labels` | floats `[N, 3, H, W]` in [0, 1], and class indices `[N]` |
    | `key` | image i is corrupted by `sample_keys(key, i)`, at all severities: for any batch size and device the same |
    | `suite` | augmentations by name; `corruption_suite((H, W))` where none is given |
    | `batch` | images at a time, moved to where the model is |

    The model is in eval mode during the call and as it was afterwards; no gradient is recorded. Raises TypeError and ValueError
    for what is not as above.

    >>> net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # which channel is the brightest?
    >>> images, labels = torch.eye(3)[:, :, None, None].expand(3, 3, 32, 32), torch.arange(3)
    >>> corruption_errors(net, images, labels, af.key(0))["gaussian_noise"]
    [0.0, 0.0, 0.0, 0.0, 0.0]
    """
    check_task(model, images, labels, batch)
    suite = corruption_suite((images.shape[-2], images.shape[-1])) if suite is None else suite
    known = isinstance(suite, Mapping) and all(isinstance(fs, Sequence) for fs in suite.values())
    if not known or not all(isinstance(f, Augmentation) for fs in suite.values() for f in fs):
        want, fix = "sequences of augmentations by name", '{"fog": (af.fog(density=0.3), af.fog(density=0.6))}'
        raise TypeError(explain("corruption_errors: suite", suite, want, fix))
    device, dtype = device_of(model)
    keys = af.sample_keys(key, torch.arange(len(images)))
    classes = int(labels.max()) + 1
    wrong: dict[str, list[Any]] = {name: [0] * len(fs) for name, fs in suite.items()}
    with quiet(model):
        for start in range(0, len(images), batch):
            part = slice(start, start + batch)
            x = images[part].to(device)
            for name, fs in suite.items():
                for i, f in enumerate(fs):
                    logits = first_tensor(model(f(x, None, keys[part])[0].to(dtype, copy=True)))
                    wrong[name][i] += misses(logits, labels[part], classes)
    return {name: [int(n) / len(images) for n in counts] for name, counts in wrong.items()}


def misses(logits: Any, labels: Tensor, classes: int) -> Tensor:
    """How many of the logits `[B, K]` are not largest at their label."""
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(labels) or logits.shape[1] < classes:
        want, fix = f"logits [{len(labels)}, K] with K >= {classes}", "wrap the model so that it returns its logits"
        raise ValueError(explain("corruption_errors: what the model gives", logits, want, fix))
    right = (logits.argmax(1) == labels.to(logits.device)) & ~logits.isnan().any(1)
    return (~right).sum()


def check_task(model: Any, images: Any, labels: Any, batch: Any) -> None:
    """Raise for what `corruption_errors` does not take."""
    what = "corruption_errors: "
    if not isinstance(model, nn.Module):
        raise TypeError(explain(f"{what}model", model, "a torch.nn.Module", "wrap the function in a module"))
    if not isinstance(images, Tensor) or not images.is_floating_point():
        raise TypeError(explain(f"{what}images", images, "floats [N, 3, H, W] in [0, 1]", "af.to_float(images)"))
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        fix = "stack them: torch.stack([af.to_float(image) for image in images])"
        raise ValueError(explain(f"{what}images", images, "RGB images [N, 3, H, W], N > 0", fix))
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        want, fix = "values in [0, 1]", "normalise in the model: nn.Sequential(augfn_nn.Normalize(mean, std), model)"
        raise ValueError(explain(f"{what}values of the images", (low, high), want, fix))
    whole = isinstance(labels, Tensor) and not labels.is_floating_point() and labels.shape == images.shape[:1]
    if not whole or labels.min() < 0:
        want, fix = f"class indices [{len(images)}], 0 or more", "labels.argmax(1) of soft labels"
        raise ValueError(explain(f"{what}labels", labels, want, fix))
    if not is_whole(batch) or batch < 1:
        raise ValueError(explain(f"{what}batch", batch, "a whole number above 0", "batch=64"))

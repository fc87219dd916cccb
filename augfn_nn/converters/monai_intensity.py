"""MONAI's transforms of intensities: what each is here."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn_nn.converters.monai_data import Data, many, plain
from augfn_nn.converters.values import between

FREE: dict[str, Any] = {"clip": "none"}  # values of any scale


def noise(t: Any, s: Any, d: Data) -> Augmentation:
    """Of a standard deviation that is drawn from 0 on, or fixed."""
    return af.gaussian_noise(std=spread(s), mean=float(s.mean) or None, **FREE)


def spread(s: Any) -> Any:
    return between((0.0, s.std)) if s.sample_std else float(s.std)


def factor(t: Any, s: Any, d: Data) -> Augmentation:
    """x (1 + factor)."""
    return af.brightness(
        factor=between(s.factors if hasattr(s, "factors") else s.factor, base=1.0), per_channel=each(s), **FREE
    )


def each(s: Any) -> bool:
    """True if every channel has a draw of its own."""
    return bool(getattr(s, "channel_wise", False))


def about_mean(t: Any, s: Any, d: Data) -> Augmentation:
    if not s.fixed_mean and s.preserve_range:
        raise ValueError("fixed_mean=False with preserve_range=True has no counterpart")
    if not s.fixed_mean:
        return factor(t, s, d)
    by = between(s.factors if hasattr(s, "factors") else s.factor, base=1.0)
    return af.contrast(factor=by, preserve_range=s.preserve_range, per_channel=each(s), **FREE)


def rescaled(t: Any, s: Any, d: Data) -> Augmentation:
    """To [minv, maxv] from the extremes; without both x (1 + factor)."""
    if s.minv is None and s.maxv is None:
        return af.identity() if s.factor is None else af.brightness(factor=1.0 + s.factor, **FREE)
    whole = s.minv is None or s.maxv is None
    return window(d, 0.0, 100.0, "percentile", (0.0, 1.0) if whole else (s.minv, s.maxv), True)


def window(d: Data, low: Any, high: Any, unit: str, out: Any, cut: bool) -> Augmentation:
    first, last = map(float, out)
    d.unit = cut and (first, last) == (0.0, 1.0)
    return af.intensity_window(low=float(low), high=float(high), unit=unit, out=(first, last), cut=cut)


def levels(t: Any, s: Any, d: Data) -> Augmentation:
    if s.a_min == s.a_max:
        raise ValueError(f"a_min=a_max={s.a_min}: no window")
    none = s.b_min is None or s.b_max is None
    if none and s.clip:
        raise ValueError("clip=True without b_min and b_max has no counterpart")
    return window(d, s.a_min, s.a_max, "value", (0.0, 1.0) if none else (s.b_min, s.b_max), s.clip)


def percentiles(t: Any, s: Any, d: Data) -> Augmentation:
    given = [s.b_min, s.b_max]
    low, high = (0.0, 1.0) if None in given else map(float, given)
    share = (s.lower / 100, s.upper / 100) if s.relative else (0.0, 1.0)
    out = tuple(low + (high - low) * q for q in share)
    return window(d, s.lower, s.upper, "percentile", out, s.clip)


def standard(t: Any, s: Any, d: Data) -> Augmentation:
    d.unit = False
    mean, std = many(s.subtrahend), many(s.divisor)
    if bool(mean) != bool(std) or (mean and s.nonzero):
        raise ValueError("subtrahend and divisor have a counterpart together, and without nonzero")
    return af.normalize(mean=tuple(mean), std=tuple(std)) if mean else af.zscore(nonzero=s.nonzero)


def power(t: Any, s: Any, d: Data) -> Augmentation:
    """A power of the image's range; where that is [0, 1], of the image."""
    if not s.retain_stats and not d.unit:
        why = "stretches the image's range to [0, 1] and back; retain_stats=True has a counterpart"
        raise ValueError(f"{why}, and so have images that a step before it scales to [0, 1]")
    what = "statistics are those of each channel" if s.retain_stats else "a power of the image itself, not of its range"
    d.notes.differ(t, what)
    return af.gamma(gamma=between(s.gamma), invert=s.invert_image, retain_stats=s.retain_stats, **FREE)


def widths(s: Any, values: Any) -> Any:
    """Standard deviations of kernels: MONAI's are averages over pixels, of a variance that is 1/12 larger."""
    more = 1 / 12 if plain(s.approx) == "erf" else 0.0
    return between([math.sqrt(v * v + more) for v in (values if isinstance(values, list | tuple) else (values,) * 2)])


def reach(values: Any) -> int:
    """The size of a kernel up to four standard deviations."""
    most = max(values) if isinstance(values, list | tuple) else values
    return 2 * int(max(4 * most, 0.5) + 0.5) + 1


def blur(s: Any, d: Data, sigmas: list[Any]) -> Augmentation:
    """Along each axis, slowest first, with zeros beyond the frame."""
    names = ("sigma_z", "sigma_y", "sigma")[-d.ndim :]
    given = {n: widths(s, v) for n, v in zip(names, sigmas, strict=True)}
    return af.gaussian_blur(kernel_size=tuple(map(reach, sigmas)), padding_mode="zeros", **given)


def by_axis(s: Any, d: Data, name: str) -> list[Any]:
    """MONAI's x is the first axis of the array."""
    return [getattr(s, f"{name}_{axis}") for axis in "xyz"[: d.ndim]]


def sharpened(s: Any, d: Data, first: list[Any], second: list[Any], alpha: Any) -> Augmentation:
    """b + alpha (b - blur(b)) of what is blurred."""
    if any(v != second[0] for v in second):
        raise ValueError(f"sigma2={second} apart for axes has no counterpart")
    amount = {"sigma": widths(s, second[0]), "amount": between(alpha), "kernel_size": reach(second[0])}
    return af.pipeline(blur(s, d, first), af.unsharp_mask(padding_mode="zeros", **amount, **FREE))


def randomly_sharpened(t: Any, s: Any, d: Data) -> Augmentation:
    first, second = by_axis(s, d, "sigma1"), by_axis(s, d, "sigma2")
    second = [
        v if isinstance(v, list | tuple) else (v, max(high, v)) for v, (_, high) in zip(second, first, strict=True)
    ]
    return sharpened(s, d, first, second, s.alpha)


def shading(t: Any, s: Any, d: Data) -> Augmentation:
    if d.ndim == 2:
        d.notes.differ(
            t, "all products of polynomials up to the degree; MONAI's of images are P_i(y) P_j(x), j up to i"
        )
    return af.bias_field(coefficients=between(s.coeff_range), order=s.degree, basis="legendre")


def ringing(t: Any, s: Any, d: Data) -> Augmentation:
    """MONAI's ball has the radius of a square's corner in volumes too."""
    share = math.sqrt(2 / d.ndim)
    alpha = [1 - (1 - a) * share for a in (s.alpha if isinstance(s.alpha, list | tuple) else (s.alpha,) * 2)]
    return af.gibbs(alpha=between(alpha))


def bent(t: Any, s: Any, d: Data) -> Augmentation:
    if tuple(s.num_control_points) != (10, 10):
        raise ValueError(f"num_control_points={s.num_control_points}: 10 have a counterpart")
    return af.histogram_shift()


def dropped(t: Any, s: Any, d: Data) -> Augmentation:
    """Holes in fractions of the frame."""
    frame = d.known_frame()
    if d.masks:
        raise ValueError(f"hides parts of {d.masks} too")
    least = d.per_axis(s.spatial_size, "spatial_size")
    most = least if s.max_spatial_size is None else d.per_axis(s.max_spatial_size, "max_spatial_size")
    if not isinstance(s.fill_value, int | float):
        raise ValueError(f"fill_value={s.fill_value}: a number has a counterpart")
    if (s.max_holes or s.holes) > 16:
        raise ValueError("more than 16 holes")
    sides = [between((low / n, high / n)) for low, high, n in zip(least, most, frame, strict=True)]
    names = ("depth", "height", "width")[-d.ndim :]
    holes = between((float(s.holes), float(s.max_holes or s.holes)))
    return af.coarse_dropout(holes=holes, fill=float(s.fill_value), **dict(zip(names, sides, strict=True)))


def coarse(t: Any, s: Any, d: Data) -> Augmentation:
    return af.downscale(factor=between(tuple(s.zoom_range)), interpolation="bilinear", reduce="nearest")


def median(t: Any, s: Any, d: Data) -> Augmentation:
    return af.median_blur(kernel_size=tuple(2 * r + 1 for r in d.per_axis(s.radius, "radius")), padding_mode="border")


TABLE: dict[str, Callable[[Any, Any, Data], Augmentation]] = {
    "RandGaussianNoise": noise,
    "RandRicianNoise": lambda t, s, d: af.rician_noise(std=spread(s), per_channel=each(s)),
    "ShiftIntensity": lambda t, s, d: af.brightness_shift(shift=float(s.offset), **FREE),
    "RandShiftIntensity": lambda t, s, d: af.brightness_shift(shift=between(s.offsets), per_channel=each(s), **FREE),
    "RandScaleIntensity": factor,
    "ScaleIntensityFixedMean": about_mean,
    "RandScaleIntensityFixedMean": about_mean,
    "ScaleIntensity": rescaled,
    "ScaleIntensityRange": levels,
    "ScaleIntensityRangePercentiles": percentiles,
    "NormalizeIntensity": standard,
    "AdjustContrast": power,
    "RandAdjustContrast": power,
    "GaussianSmooth": lambda t, s, d: blur(s, d, d.per_axis(s.sigma, "sigma")),
    "RandGaussianSmooth": lambda t, s, d: blur(s, d, by_axis(s, d, "sigma")),
    "GaussianSharpen": lambda t, s, d: sharpened(
        s, d, d.per_axis(s.sigma1, "sigma1"), d.per_axis(s.sigma2, "sigma2"), s.alpha
    ),
    "RandGaussianSharpen": randomly_sharpened,
    "MedianSmooth": median,
    "RandHistogramShift": bent,
    "RandBiasField": shading,
    "GibbsNoise": ringing,
    "RandGibbsNoise": ringing,
    "RandCoarseDropout": dropped,
    "RandSimulateLowResolution": coarse,
}
EXPECTED: dict[str, dict[str, tuple[tuple[Any, ...], str]]] = {  # arguments with the values that have a counterpart
    "ShiftIntensity": {"factor_key": ((None,), "")},
    "RandShiftIntensity": {"factor_key": ((None,), "")},
    "RandRicianNoise": {"mean": ((0, 0.0), ""), "relative": ((False,), "")},
    "GaussianSmooth": {"approx": (("erf", "sampled"), "")},
    "RandGaussianSmooth": {"approx": (("erf", "sampled"), "")},
    "GaussianSharpen": {"approx": (("erf", "sampled"), "")},
    "RandGaussianSharpen": {"approx": (("erf", "sampled"), "")},
    "RandCoarseDropout": {"dropout_holes": ((True,), "")},
    "RandSimulateLowResolution": {
        "downsample_mode": (("nearest",), ""),
        "upsample_mode": (("trilinear", "bilinear", "linear"), ""),
    },
}
EACH = "of each channel by itself, as with channel_wise=True"
TOGETHER = {  # unless channel_wise=True
    "ScaleIntensity": EACH,
    "ScaleIntensityRangePercentiles": EACH,
    "NormalizeIntensity": EACH,
    "ScaleIntensityFixedMean": "of three channels about the mean of their luma",
    "RandScaleIntensityFixedMean": "of three channels about the mean of their luma",
}
BALL = "its ball is counted in cycles per pixel, MONAI's in lines, half a line off the middle of even sizes"
DIFFERS = {
    "RandGaussianSharpen": "the second blur has one sigma for all axes, and its range does not follow the first draw",
    "RandHistogramShift": "the points of each channel's range move apart from another, by up to 0.4 of their distance",
    "GibbsNoise": BALL,
    "RandGibbsNoise": BALL,
    "RandCoarseDropout": "an edge within a pixel covers it in part, and so does the last hole",
    "RandSimulateLowResolution": "takes the middle pixel of a cell, MONAI the one below",
}
LACKING = {
    "RandStdShiftIntensity": "a shift in units of the image's spread; af.brightness_shift after NormalizeIntensity is one",
    "StdShiftIntensity": "a shift in units of the image's spread; af.brightness_shift after NormalizeIntensity is one",
    "ClipIntensityPercentiles": "clips without a scale; ScaleIntensityRangePercentiles has a counterpart",
    "RandKSpaceSpikeNoise": "sets a logarithm of k-space; af.spike adds to the largest magnitude",
    "KSpaceSpikeNoise": "sets a logarithm of k-space; af.spike adds to the largest magnitude",
    "RandCoarseShuffle": "shuffles the pixels of boxes",
}

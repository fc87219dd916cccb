"""albumentations' light and weather: what each is here.

It counts weather in pixels, here with strengths as of a frame of 512 x 512.
"""

from __future__ import annotations

import math
from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn_nn.converters.albumentations_values import Make, Said, Values, Why, middle
from augfn_nn.converters.values import between, gated, in_order

FRAME = 512
WIDE = 0.75  # a quadrilateral with corners in the quarters of so much of the region is as large as a polygon of five points
EDGES = {90: 0, 270: 1, 0: 2, 180: 3, 360: 2}  # bottom, top, right, left
MODES = {"blackbody": "blackbody", "cied": "CIED"}
DROPS = {"default": FRAME // 3, "drizzle": FRAME // 4, "heavy": FRAME, "torrential": 2 * FRAME}


def rained(a: Said) -> Augmentation:
    """Streaks that are then darkened with all else."""
    many, rows = DROPS[a["rain_type"]], a["drop_length"] or FRAME // 8
    known = {"number_of_drops": float(many), "drop_height": float(rows), "most": many, "longest": rows}
    f = af.rain(drop_width=between(a["slant_range"]), value=sum(a["drop_color"]) / (3 * 255), **known)
    dark = a["brightness_coefficient"]
    return f if dark == 1 else af.pipeline(f, af.brightness(factor=dark))


def fogged(a: Said) -> Augmentation:
    """Its share of white over the frame, of a patchiness of 1/2 with a mean of 1/4."""
    return af.fog(density=between([min(white(v, a["alpha_coef"]) / 0.75, 1.0) for v in a["fog_coef_range"]]))


def white(intensity: float, alpha: float) -> float:
    """Ten regions, each nine tenths as wide as the one before, of as many circles for an area: 1.6 intensity cover a pixel,
    each with alpha intensity."""
    left = [(1 - alpha * intensity) ** (1.6 * intensity * (k + 1)) for k in range(10)]
    rings = [0.81**k - (0.81 ** (k + 1) if k < 9 else 0.0) for k in range(10)]
    return 1 - sum(share * kept for share, kept in zip(rings, left, strict=True))


def shadowed(a: Said) -> Augmentation:
    """Quadrilaterals about the middle of the region; the last ones with the share of their numbers."""
    left, top, right, bottom = (float(v) for v in a["shadow_roi"])
    x, y = (left + right) / 2, (top + bottom) / 2
    left, right, top, bottom = (m + WIDE * (v - m) for v, m in ((left, x), (right, x), (top, y), (bottom, y)))
    low, high = [[left, top], [x, top], [x, y], [left, y]], [[x, y], [right, y], [right, bottom], [x, bottom]]
    f = af.shadow(corners=af.Uniform(low, high), intensity=between(a["shadow_intensity_range"]), softness=0.0)
    fewest, most = a["num_shadows_limit"]
    chances = [min((most - k) / (most - fewest + 1), 1.0) for k in range(most)]
    return in_order([gated(f, p) for p in chances])


def flared(a: Said) -> Augmentation:
    left, top, right, bottom = (float(v) for v in a["flare_roi"])
    color: Any = tuple(v / 255 for v in a["src_color"])
    place = af.Uniform([left, top], [right, bottom])
    return af.sun_flare(center=place, radius=a["src_radius"] / FRAME, color=color)


def snowed(a: Said) -> Augmentation:
    return af.snow(coefficient=between(a["snow_point_range"], 2.0, 1 / 3), brightness=a["brightness_coeff"])


def light(a: Said) -> Augmentation:
    """Factors of 1 ± intensity, as light that is added to mid grey; its corner stays, and the far one changes."""
    gain = between(a["intensity_range"], 2.0)
    sign = {"brighten": 1.0, "darken": 0.0, "both": af.Bernoulli(0.5)}[a["effect_type"]]
    if a["mode"] == "gaussian":
        place, sigma = between(a["center_range"]), between(a["sigma_range"])
        return af.gaussian_illumination(gain=gain, center=place, sigma=sigma, brighten=sign)
    if a["mode"] == "corner":
        far = 1 - sign if isinstance(sign, float) else sign
        return af.linear_corner_illumination(gain=gain, brighten=far)
    return ramp(a)


def ramp(a: Said) -> Augmentation:
    """From darker to brighter along x or y; turned by any angle it makes all darker or brighter too, as its sum of x and y
    does: by as much on average, and with as much spread."""
    (first, last), strong = a["angle_range"], middle(a["intensity_range"])
    known: Said = {"gain": between(a["intensity_range"]), "brighten": 1.0, "clip": "none"}
    half = af.brightness_shift(shift=-strong / 2)
    if last - first >= 360:
        mean, spread = {"brighten": (-1, 3), "darken": (1, 3), "both": (0, 6)}[a["effect_type"]]
        low, high = (1 + strong * (mean + s * math.sqrt(spread)) for s in (-1, 1))
        even = af.brightness(factor=af.Uniform(max(low, 0.0), high), clip="none")
        return af.pipeline(even, af.linear_illumination(**known), half)
    if first != last or first not in EDGES or a["effect_type"] == "both":
        raise ValueError(f"angle_range={a['angle_range']}: all angles, or one along x or y that brightens or darkens")
    edge = EDGES[first] ^ (a["effect_type"] == "darken")
    return af.pipeline(af.linear_illumination(edge=af.Constant([float(i == edge) for i in range(4)]), **known), half)


def roughness(a: Said) -> float:
    """Of a plasma whose neighbours differ as much: its own are near to white noise from 1 on."""
    return min(0.4 + a["roughness"] / 2, 0.9)


def plasma(a: Said) -> Augmentation:
    """x + b plasma, then a contrast of 1 + c plasma: half of each even, half about the middle of the plasma."""
    rough, b, c = roughness(a), a["brightness_range"], a["contrast_range"]
    steps = [
        af.plasma_brightness(roughness=rough, intensity=between(b, 2.0), clip="none"),
        af.brightness_shift(shift=between(b, 2.0)),
        af.plasma_contrast(roughness=rough, intensity=between(c, 4.0), clip="none"),
        af.linear_contrast(factor=between(c, 4.0, 1.0), clip="clamp"),
    ]
    return af.pipeline(*(steps[:2] if any(b) else []), *(steps[2:] if any(c) else []))


def shaded(a: Said) -> Augmentation:
    """x (1 - intensity plasma), as shade that is taken from mid grey, with an edge as wide as the plasma."""
    shade = between([-v for v in reversed(a["shadow_intensity_range"])], 2.0)
    known = {"shade_intensity": shade, "shade_quantity": 0.5, "softness": 0.25}
    return af.plasma_shadow(roughness=roughness(a), **known)


def warmed(a: Said) -> Augmentation:
    """A light below 6000 K with the probability 0.4."""
    low, high = (v / 1000 for v in a["temperature_limit"])
    if a["sampling_method"] == "uniform":
        points = [low, (low + 6) / 2, 6.0, *(6 + i * (high - 6) / 3 for i in (1, 2, 3))]
        temperature = low if low == high else af.Quantiles(points)
    else:
        below, above = (af.TruncatedNormal(6.0, max(abs(v - 6) / 3, 1e-3), *sorted((v, 6.0))) for v in (low, high))
        mode = MODES[a["mode"]]
        parts = (af.planckian_jitter(temperature=t, mode=mode) for t in (below, above))
        return af.one_of(*parts, weights=(0.4, 0.6))
    return af.planckian_jitter(temperature=temperature, mode=MODES[a["mode"]])


LIGHT: dict[str, Make] = {
    "PlanckianJitter": warmed,
    "Illumination": light,
    "PlasmaBrightnessContrast": plasma,
    "PlasmaShadow": shaded,
    "RandomRain": rained,
    "RandomFog": fogged,
    "RandomSnow": snowed,
    "RandomShadow": shadowed,
    "RandomSunFlare": flared,
}
EXPECTED: dict[str, Values] = {"RandomSnow": {"method": (("bleach",), "")}, "RandomRain": {"drop_width": ((1,), "")}}
AS_LARGE = f"as of a frame of {FRAME} x {FRAME}"
GREYS = "light is added, as much as the library's factor changes mid grey"
DIFFERS: dict[str, Why] = {
    "Illumination": GREYS,
    "PlasmaBrightnessContrast": "a plasma for each channel, a contrast about 0.5; ranges below 0 count too (not in the library)",
    "PlasmaShadow": "shade is taken away, as much as the library's factor changes mid grey",
    "RandomRain": f"sharp grey streaks, as many and as long {AS_LARGE}",
    "RandomFog": "a smooth field with as much white, not circles that are more in the middle",
    "RandomSnow": "lightness, hue and saturation are not rounded",
    "RandomShadow": "quadrilaterals about the middle of the region, as large as those of five points",
    "RandomSunFlare": f"four soft ghosts through the middle of the frame; a sun as large {AS_LARGE}",
}

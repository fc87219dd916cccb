"""albumentations' weather, which it counts in pixels: what each is here, with strengths as of a frame of 512 x 512."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn_nn.converters.albumentations_values import Make, Said, Values, Why, between

FRAME = 512
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
    """Quadrilaterals with a corner in each quarter of the region; the last ones with the share of their numbers."""
    left, top, right, bottom = (float(v) for v in a["shadow_roi"])
    x, y = (left + right) / 2, (top + bottom) / 2
    low, high = [[left, top], [x, top], [x, y], [left, y]], [[x, y], [right, y], [right, bottom], [x, bottom]]
    f = af.shadow(corners=af.Uniform(low, high), intensity=between(a["shadow_intensity_range"]), softness=0.0)
    fewest, most = a["num_shadows_limit"]
    chances = [min((most - k) / (most - fewest + 1), 1.0) for k in range(most)]
    steps = [f if p == 1 else af.maybe(f, p=p) for p in chances]
    return steps[0] if most == 1 else af.pipeline(*steps)


def flared(a: Said) -> Augmentation:
    left, top, right, bottom = (float(v) for v in a["flare_roi"])
    color: Any = tuple(v / 255 for v in a["src_color"])
    place = af.Uniform([left, top], [right, bottom])
    return af.sun_flare(center=place, radius=a["src_radius"] / FRAME, color=color)


def snowed(a: Said) -> Augmentation:
    return af.snow(coefficient=between(a["snow_point_range"], 2.0, 1 / 3), brightness=a["brightness_coeff"])


WEATHER: dict[str, Make] = {
    "RandomRain": rained,
    "RandomFog": fogged,
    "RandomSnow": snowed,
    "RandomShadow": shadowed,
    "RandomSunFlare": flared,
}
EXPECTED: dict[str, Values] = {"RandomSnow": {"method": (("bleach",), "")}, "RandomRain": {"drop_width": ((1,), "")}}
AS_LARGE = f"as of a frame of {FRAME} x {FRAME}"
DIFFERS: dict[str, Why] = {
    "RandomRain": f"sharp grey streaks, as many and as long {AS_LARGE}",
    "RandomFog": "a smooth field with as much white, not circles that are more in the middle",
    "RandomSnow": "the lightness is not rounded",
    "RandomShadow": "quadrilaterals with a corner in each quarter of the region",
    "RandomSunFlare": f"four soft ghosts through the middle of the frame; a sun as large {AS_LARGE}",
}

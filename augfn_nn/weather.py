"""Weather as modules, with kornia's and albumentations' arguments."""

from __future__ import annotations

import math
from typing import Any

import augfn as af
from augfn.errors import explain
from augfn.typing import Range
from augfn_nn.derive import derive
from augfn_nn.shorthands import inside, is_number, only, pair


@derive(af.rain)
def RandomRain(number_of_drops: Range = (1000, 2000), drop_height: Range = (5, 20), drop_width: Range = (-5, 5)) -> Any:
    """Draw lines of grey 200/255, `drop_height` rows down and `drop_width` columns aside; a number is fixed.

    Numbers and sizes are real ones and lines antialiased (kornia: whole pixels). A learnt range draws at most 2000
    drops of 20 rows: `Augment(af.rain(most=..., longest=...))` says otherwise.
    """
    sizes = {"most": largest(number_of_drops, 2000), "longest": largest(drop_height, 20)}
    return {"number_of_drops": number_of_drops, "drop_height": drop_height, "drop_width": drop_width, **sizes}


@derive(af.snow, p=1.0)
def RandomSnow(snow_coefficient: Range = (0.5, 0.5), brightness: Range = (2.0, 2.0), grad: str = "none") -> Any:
    """Multiply the lightness by `brightness` where it is below `snow_coefficient`; a number is fixed.

    `grad="soft"` lets the coefficient be learned.
    """
    return {"coefficient": snow_coefficient, "brightness": brightness, "grad": grad}


@derive(af.fog)
def RandomFog(alpha_coef: float = 0.08, fog_coef_range: Range = (0.3, 1.0)) -> Any:
    """Blend with white through clouds, of density `6.25 alpha_coef fog_coef`: on average what albumentations draws.

    `fog_coef_range` is a pair; what learns goes to Augment(af.fog(density=...)).
    """
    low, high = ends("RandomFog: fog_coef_range", fog_coef_range)
    return {"density": (min(6.25 * alpha_coef * low, 1.0), min(6.25 * alpha_coef * high, 1.0))}


@derive(af.shadow)
def RandomShadow(
    shadow_roi: tuple[float, float, float, float] = (0.0, 0.5, 1.0, 1.0),
    num_shadows_limit: tuple[int, int] = (1, 2),
    shadow_dimension: int = 4,
    shadow_intensity_range: Range = (0.5, 0.5),
) -> Any:
    """Darken soft quadrilaterals with one corner in each quarter of `shadow_roi` (x, y, x, y as fractions).

    Of the `num_shadows_limit` (a, b) those beyond a come with probability 1/2 each (albumentations: hard polygons of 5
    corners).
    """
    only("RandomShadow: shadow_dimension", shadow_dimension, (4,), "leave it out: shadows have four corners")
    low, high = ends("RandomShadow: num_shadows_limit", num_shadows_limit)
    given = {"corners": quarters(shadow_roi), "intensity": shadow_intensity_range}
    if not 0 <= low <= high or high < 1:
        raise ValueError(explain("RandomShadow: num_shadows_limit", (low, high), "0 <= a <= b, b >= 1", "(1, 2)"))
    sure, maybe = int(low), int(high) - int(low)
    if sure == 1 and not maybe:
        return given
    return af.pipeline(*(af.shadow(**given) for _ in range(sure)), *(af.shadow(**given, p=0.5) for _ in range(maybe)))


@derive(af.sun_flare)
def RandomSunFlare(
    flare_roi: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 0.5),
    src_radius: Range = (0.3, 0.8),
    src_color: Any = 1.0,
    intensity: Range = (0.6, 1.0),
) -> Any:
    """A sun in `flare_roi` (x, y, x, y as fractions) and its lens ghosts.

    In augfn's units: `src_radius` is a fraction of the shorter side, `src_color` one number or three, full scale = 1
    (albumentations: pixels, 0 to 255).
    """
    numbers = src_color if isinstance(src_color, tuple) else (src_color,)
    if any(c > 1 for c in numbers):
        given, want = src_color, "numbers from 0 to 1"
        raise ValueError(explain("RandomSunFlare: src_color", given, want, "src_color=(1.0, 0.9, 0.7)"))
    x0, y0, x1, y1 = flare_roi
    radius = inside("src_radius", src_radius, 5.0)
    return {"center": ((x0, x1), (y0, y1)), "radius": radius, "color": src_color, "intensity": intensity}


def largest(value: Any, default: int) -> int:
    """The largest whole number of a range of numbers."""
    numbers = value if isinstance(value, tuple) else (value,)
    return max(1, *(math.ceil(v) for v in numbers)) if all(map(is_number, numbers)) else default


def ends(what: str, value: Any) -> tuple[float, float]:
    value = pair(what, value)
    if not isinstance(value, tuple) or len(value) != 2 or not all(map(is_number, value)) or value[0] > value[1]:
        raise ValueError(explain(what, value, "two numbers (low, high)", "see the class's docstring"))
    return value


def quarters(roi: tuple[float, float, float, float]) -> af.Uniform:
    """One corner in each quarter of a box, clockwise from the top left."""
    x0, y0, x1, y1 = roi
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return af.Uniform([[x0, y0], [x, y0], [x, y], [x0, y]], [[x, y], [x1, y], [x1, y1], [x, y1]])

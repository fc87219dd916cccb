"""Weather: rain, snow, fog, shadows, sun flares.

All random places come from leaves (a seed, corners, positions), so that every picture replays and can be edited. A
video's frames have the same weather, and so have the slices of a volume.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.augmentation import photometric
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import weather
from augfn.math.shapes import over
from augfn.math.steps import compared, stepped
from augfn.math.variates import seed_key
from augfn.ops.geometric import frame_like
from augfn.run.constants import constant
from augfn.typing import Fraction, Leaf, Level, Position2, Seed

Drops = Annotated[Any, Leaf("drops", neutral=0.0, low=0.0)]
Rows = Annotated[Any, Leaf("rows, in pixels", low=1.0)]
Aside = Annotated[Any, Leaf("columns, in pixels, to the right")]
Coefficient = Annotated[
    Any,
    Leaf(
        "lightness, full scale = 1",
        low=0.0,
        high=1.0,
        flat="the image jumps where its lightness crosses it",
        grads=("ste", "soft"),
    ),
]
Boost = Annotated[Any, Leaf("factor", neutral=1.0, low=1.0)]
Share = Annotated[Any, Leaf("fraction", low=0.0, high=1.0)]
Corners = Annotated[
    Any, Leaf("corners (x, y) in turn: 0 = left or top, 1 = right or bottom", (4, 2), low=-1.0, high=2.0)
]
Radius = Annotated[Any, Leaf("fraction of the shorter side", low=1e-3)]
Along = Annotated[Any, Leaf("place of each ghost: 0 = at the sun, 1 = middle of the image", (4,))]
Radii = Annotated[Any, Leaf("radius of each ghost, fraction of the shorter side", (4,), low=1e-3)]

# one corner in each quarter of the frame, clockwise from the top left
QUARTERS = Uniform(
    [[-0.2, -0.2], [0.5, -0.2], [0.5, 0.5], [-0.2, 0.5]], [[0.5, 0.5], [1.2, 0.5], [1.2, 1.2], [0.5, 1.2]]
)


@photometric(planar=True, example={"number_of_drops": (3.0, 7.0), "drop_height": (2.0, 5.0), "drop_width": (1.0, 3.0)})
def rain(
    x: Tensor,
    *,
    number_of_drops: Drops = Uniform(1000.0, 2000.0),
    drop_height: Rows = Uniform(5.0, 20.0),
    drop_width: Aside = Uniform(-5.0, 5.0),
    value: Level = 200 / 255,
    places: Seed = Uniform(0.0, 1.0),
    most: int = 2000,
    longest: int = 20,
) -> Tensor:
    """Lines of one grey: y = x + wet (value - x), wet the share of a pixel that drops cover.

    A drop runs down `drop_height` rows and `drop_width` columns to the right, antialiased; all drops of an image are
    parallel and lie in the frame. At most `most` drops of `longest` rows are drawn: the cost is in proportion to both.
    A last drop or row that is no whole one is drawn in part, so that all leaves but `places`, the seed, have
    gradients. Source: kornia `RandomRain` (whole pixels; the same image for vertical drops).

    >>> af.rain(number_of_drops=1, drop_height=3, drop_width=0, value=1.0)(torch.zeros(1, 3, 1), None, af.key(0))[0]
    tensor([[[1.],
             [1.],
             [1.]]])
    """
    if most < 1 or longest < 1:
        raise ValueError(explain("rain: nothing to draw", (most, longest), "most >= 1, longest >= 1", "most=2000"))
    start = weather.drops(seed_key(places), most).to(x)
    wet = weather.wet(start, number_of_drops, drop_height, drop_width, (x.shape[-2], x.shape[-1]), longest)
    return torch.lerp(x, over(x, value), wet.unsqueeze(-3))


@photometric(clip="clamp", example={"brightness": (1.5, 2.5)})
def snow(x: Tensor, *, coefficient: Coefficient = 0.5, brightness: Boost = 2.0, grad: str = "none") -> Tensor:
    """Whiten what is dark: the lightness of HLS, where it is below `coefficient`, is multiplied by `brightness`.

    `grad` is the gradient to the coefficient, and to the image through the choice of pixels: "none" (0), "ste", or
    "soft" (that of a sigmoid). Source: kornia `RandomSnow`.

    >>> af.snow(brightness=3.0)(torch.tensor([0.1, 0.2, 0.6]).expand(3, 1, 3))[0][0]
    tensor([[0.3000, 0.6000, 0.6000]])
    """
    light, bound = weather.lightness(x, coefficient.ndim), over(x, coefficient)
    covered = compared(torch.lt, light, bound)
    covered = stepped(covered, bound - light, lambda: torch.sigmoid((bound - light) * 20), grad)
    return weather.snow(x, light, over(x, brightness), covered)


@photometric(planar=True)
def fog(
    x: Tensor,
    *,
    density: Fraction = Uniform(0.3, 0.8),
    patchiness: Share = 0.5,
    level: Level = 1.0,
    clouds: Seed = Uniform(0.0, 1.0),
    cells: int = 3,
    octaves: int = 3,
) -> Tensor:
    """Blend with white through a smooth field: y = x + t (level - x), t = density (1 - patchiness n).

    n is a field between 0 and 1, grown from the seed `clouds`: cubic splines over `cells` random numbers across the
    frame, and over twice as many in each further octave. `patchiness` 0 is an even haze. Source: albumentations
    `RandomFog`, which draws hundreds of white circles.

    >>> af.fog(density=0.5, patchiness=0.0)(torch.zeros(1, 1, 2), None, af.key(0))[0]
    tensor([[[0.5000, 0.5000]]])
    """
    if cells < 1 or octaves < 1:
        raise ValueError(explain("fog: no field", (cells, octaves), "cells >= 1, octaves >= 1", "cells=3, octaves=3"))
    field = weather.clouds(seed_key(clouds), (x.shape[-2], x.shape[-1]), cells, octaves, x.dtype)
    thickness = over(x, density) * (1 - over(x, patchiness) * field.unsqueeze(-3))
    return torch.addcmul(x, thickness, over(x, level) - x)


@photometric(planar=True)
def shadow(
    x: Tensor,
    *,
    corners: Corners = QUARTERS,
    intensity: Fraction = Uniform(0.3, 0.7),
    softness: Share = Uniform(0.0, 0.1),
) -> Tensor:
    """Darken a quadrilateral: y = x (1 - intensity s), s its soft cover.

    Its edges are 1 pixel + `softness` of the shorter side wide; the default draws one corner in each quarter of the
    frame. Where the corners are not convex, the part from which all of it is seen is dark. Source: albumentations
    `RandomShadow` (any polygon, hard edges).

    >>> corners = torch.tensor([[0.0, -0.5], [0.5, -0.5], [0.5, 1.5], [0.0, 1.5]])
    >>> af.shadow(corners=corners, intensity=0.75, softness=0.0)(torch.ones(1, 1, 4))[0]
    tensor([[[0.2500, 0.2500, 1.0000, 1.0000]]])
    """
    size = (x.shape[-2], x.shape[-1])
    cover = weather.quadrilateral(corners, 1 + softness * min(size), size)
    return x * (1 - over(x, intensity) * cover.unsqueeze(-3))


@photometric(planar=True)
def sun_flare(
    x: Tensor,
    *,
    center: Position2 = Uniform([0.0, 0.0], [1.0, 0.5]),
    radius: Radius = Uniform(0.3, 0.8),
    intensity: Fraction = Uniform(0.6, 1.0),
    ghosts: Along = Uniform(0.3, 2.2),
    sizes: Radii = Uniform(0.02, 0.12),
    ghost_intensity: float = 0.2,
    color: Any = 1.0,
) -> Tensor:
    """A sun and its four lens ghosts, which only add light: y = x + a color (1 - x).

    The glow around `center` is intensity / (1 + 4 r^2 / radius^2)^2; the ghosts are faint soft discs on the line from
    the sun through the middle of the image; a is their union, 1 - prod(1 - a_i). `color` is a number or one for each
    channel. Source: albumentations `RandomSunFlare` (hard circles on a line of any direction).

    >>> sun = af.sun_flare(center=0.5, radius=0.5, intensity=1.0, ghost_intensity=0.0)
    >>> sun(torch.zeros(1, 1, 3), None, af.key(0))[0].round(decimals=2)
    tensor([[[0., 1., 0.]]])
    """
    size = (x.shape[-2], x.shape[-1])
    short, power = min(size), intensity[..., None, None]
    frame = frame_like(size, x)
    sun = center * frame
    dark = 1 - power * weather.glow(sun, radius * short, size)
    for along, extent in zip(ghosts.unbind(-1), sizes.unbind(-1), strict=True):
        place = sun + along.unsqueeze(-1) * (frame / 2 - sun)
        spot = weather.disc(place, extent * short, size)
        dark = dark * (1 - ghost_intensity * power * spot)
    return torch.addcmul(x, (1 - dark).unsqueeze(-3) * tint(color, x), 1 - x)


def tint(color: Any, x: Tensor) -> Tensor:
    """A number, or one for each channel, against an image."""
    values = tuple(color) if isinstance(color, tuple | list) else (color,)
    if len(values) not in (1, x.shape[-3]):
        want = f"a number, or {x.shape[-3]} of them"
        raise ValueError(explain("sun_flare: color", color, want, "color=(1.0, 0.9, 0.7)"))
    return constant(tuple(map(float, values)), x)[:, None, None]

"""Weather and occlusion against kornia's RandomSnow, RandomRain and RandomErasing."""

from __future__ import annotations

import torch
from torch import Tensor

import augfn as af
from augfn.math import weather
from augfn.math.variates import seed_key
from benchmarks.agreement import Case, K

SEED = torch.tensor([0.25, 0.75])
LEFT, TOP, WIDTH, HEIGHT = 11, 7, 30, 20


def rain(x: Tensor, number: float, height: float, width: float) -> Tensor:
    f = af.rain(number_of_drops=number, drop_height=height, drop_width=width, places=SEED, most=200)
    return f(x, None, af.key(0))[0]


def kornia_rain(x: Tensor, number: int, height: int, width: int) -> Tensor:
    """Drops that start where ours do, all other numbers given."""
    places = weather.drops(seed_key(SEED), 200).expand(len(x), 200, 2)
    given = {"number_of_drops": number, "drop_height": height, "drop_width": width}
    params = {f"{n}_factor": torch.full((len(x),), v) for n, v in given.items()}
    params |= {"coordinates_factor": places, "batch_prob": torch.ones(len(x), dtype=torch.bool)}
    return K().RandomRain(p=1.0)(x, params=params)


def erase(x: Tensor, value: float) -> Tensor:
    h, w = x.shape[-2:]
    position = torch.tensor([LEFT / (w - WIDTH), TOP / (h - HEIGHT)])
    f = af.erase(scale=WIDTH * HEIGHT / (w * h), ratio=WIDTH / HEIGHT, position=position, fill=value)
    return f(x)[0]


def kornia_erase(x: Tensor, value: float) -> Tensor:
    given = {"widths": WIDTH, "heights": HEIGHT, "xs": LEFT, "ys": TOP, "values": value}
    params = {n: torch.full((len(x),), float(v)) for n, v in given.items()}
    return K().RandomErasing(p=1.0)(x, params=params | {"batch_prob": torch.ones(len(x), dtype=torch.bool)})


def snow(coefficient: float, brightness: float) -> Case:
    return Case(
        "snow",
        "RandomSnow",
        lambda x: af.snow(coefficient=coefficient, brightness=brightness)(x)[0],
        lambda x: K().RandomSnow((coefficient, coefficient), (brightness, brightness), p=1.0)(x),
        1e-5,
    )


CASES = [
    snow(0.5, 2.0),
    snow(0.7, 3.5),
    Case(
        "rain",
        "RandomRain",
        lambda x: rain(x, 150.0, 12.0, 0.0),
        lambda x: kornia_rain(x, 150, 12, 0),
        1e-6,
        note="vertical drops",
    ),
    Case(
        "rain",
        "RandomRain",
        lambda x: rain(x, 90.0, 8.0, -8.0),
        lambda x: kornia_rain(x, 90, 8, -8),
        1e-6,
        note="drops at 45 degrees",
    ),
    Case(
        "erase",
        "RandomErasing",
        lambda x: erase(x, 0.0),
        lambda x: kornia_erase(x, 0.0),
        1e-4,
        note="a rectangle of whole pixels",
    ),
    Case("erase", "RandomErasing", lambda x: erase(x, 0.7), lambda x: kornia_erase(x, 0.7), 1e-4, note="with a fill"),
]

DIFFERENCES = {
    "RandomRain": "slanted drops are antialiased, kornia's are stairs; sizes and numbers are real ones; what is drawn "
    "differs in bits, the share of wet pixels agrees",
    "RandomErasing": "the rectangle's edges lie between pixels and keep their gradient, kornia rounds to whole pixels",
}

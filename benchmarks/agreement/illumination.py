"""Noise, plasma and illumination: kornia's random fields are read from its params and given to ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

import augfn as af
from augfn.math import fields
from benchmarks.agreement import Case, K, drawn, theirs

BOTH = (1.0, -1.0)


def leaf(value: float) -> Tensor:
    return torch.tensor(value).reshape(1, 1, 1, 1)


def ours_plasma(apply: Callable[..., Tensor], name: str, settings: dict[str, Any], *values: Any) -> Any:
    """Our formula on kornia's fractal."""
    return lambda x: apply(x, drawn(name, x, **settings)[1]["plasma"], *values).clamp(0, 1)


def plasma_case(op: str, name: str, apply: Callable[..., Tensor], *values: Any, **settings: Any) -> Case:
    settings = {"roughness": (0.5, 0.5), **settings}
    return Case(
        op, name, ours_plasma(apply, name, settings, *values), theirs(name, **settings), 1e-6, note="its plasma"
    )


def laid_out(u: Tensor, shape: Any, **_: Any) -> Tensor:
    """What `diamond_square` draws, from the numbers at the places of its nodes."""
    step = 64 // (shape[-2] - 1)
    rows, columns = (torch.arange(n) * step % m for n, m in zip(shape[-2:], u.shape[-2:], strict=True))
    return u[..., rows, :][..., columns].reshape(tuple(shape))


def their_fractal(x: Tensor) -> Tensor:
    from kornia.contrib import diamond_square

    return diamond_square(tuple(x.shape), 0.6, random_fn=partial(laid_out, x.flatten(0, 1)[:, None]))  # type: ignore[arg-type]


def facing(gradient: Tensor, places: list[Callable[[Tensor], Tensor]]) -> Tensor:
    """Where a gradient of kornia's is strongest, one-hot."""
    at = torch.stack([place(gradient[:, 0].abs()) for place in places], -1)
    return torch.nn.functional.one_hot(at.argmax(-1), 4).float()


EDGES: list[Callable[[Tensor], Tensor]] = [
    lambda g: g[:, -1].mean(-1),
    lambda g: g[:, 0].mean(-1),
    lambda g: g[:, :, -1].mean(-1),
    lambda g: g[:, :, 0].mean(-1),
]
CORNERS: list[Callable[[Tensor], Tensor]] = [
    lambda g: g[:, -1, -1],
    lambda g: g[:, -1, 0],
    lambda g: g[:, 0, -1],
    lambda g: g[:, 0, 0],
]


def ramp_case(op: str, name: str, leaf: str, places: list[Callable[[Tensor], Tensor]], sign: float) -> Case:
    def ours(x: Tensor) -> Tensor:
        gradient = drawn(name, x, gain=0.3, sign=sign)[1]["gradient"]
        f = getattr(af, op)(gain=0.3, brighten=(sign + 1) / 2)
        return f(x, {leaf: facing(gradient, places)})[0]

    return Case(op, name, ours, theirs(name, gain=0.3, sign=sign), 1e-6, note=f"sign {sign:g}; its direction")


def spot_case(sign: float) -> Case:
    settings: dict[str, Any] = {"gain": 0.3, "sigma": 0.2}
    f = af.gaussian_illumination(**settings, center=0.3, brighten=(sign + 1) / 2)
    their = theirs("RandomGaussianIllumination", **settings, center=0.3, sign=sign)
    note = f"sign {sign:g}; kornia scales by 1 / (max - min + 1e-6)"
    return Case("gaussian_illumination", "RandomGaussianIllumination", lambda x: f(x)[0], their, 1e-3, note=note)


SALTED = af.salt_and_pepper(amount=0.1, salt=0.4)


def their_salt(x: Tensor) -> Tensor:
    """kornia with the pixels that ours changes."""
    aug = K().RandomSaltAndPepperNoise(p=1.0)
    marks = SALTED(torch.full_like(x, 0.5), None, af.key(0))[0]
    params = aug.forward_parameters(x.shape) | {"mask_salt": marks == 1, "mask_pepper": marks == 0}
    return aug(x, params=params)


CASES = [
    *(spot_case(sign) for sign in BOTH),
    *(ramp_case("linear_illumination", "RandomLinearIllumination", "edge", EDGES, sign) for sign in BOTH),
    *(
        ramp_case("linear_corner_illumination", "RandomLinearCornerIllumination", "corner", CORNERS, sign)
        for sign in BOTH
    ),
    plasma_case("plasma_brightness", "RandomPlasmaBrightness", fields.brighten, leaf(0.6), intensity=(0.6, 0.6)),
    plasma_case("plasma_contrast", "RandomPlasmaContrast", fields.stretch, leaf(1.0)),
    plasma_case(
        "plasma_shadow",
        "RandomPlasmaShadow",
        fields.shade,
        leaf(-0.4),
        leaf(0.5),
        1e-8,
        shade_intensity=(-0.4, -0.4),
        shade_quantity=(0.5, 0.5),
    ),
    Case(
        "plasma_brightness",
        "contrib.diamond_square",
        lambda x: fields.diamond_square(x, leaf(0.6)),
        their_fractal,
        1e-5,
        note="the photo's values as the random numbers",
    ),
    Case(
        "salt_and_pepper",
        "RandomSaltAndPepperNoise",
        lambda x: SALTED(x, None, af.key(0))[0],
        their_salt,
        0.0,
        note="the masks of ours",
    ),
]

DIFFERENCES = {
    "RandomPlasmaShadow": "the shadow's edge is soft (0.02 levels wide), so that its quantity learns; softness=1e-8 is "
    "kornia's hard edge",
    "RandomGaussianIllumination": "the spot reaches its full gain at any size; kornia divides by max - min + 1e-6 of a "
    "Gaussian whose sum is 1, so that a wide spot on a large image stays fainter (by 17 % at 224 px, sigma 1)",
    "RandomSaltAndPepperNoise": "one random number decides both whether a pixel changes and to which colour, kornia "
    "draws two: the probabilities are equal; any number of channels",
}

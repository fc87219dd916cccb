"""What a scanner does to an image or a volume: shading, noise of magnitudes, artefacts of k-space, thick slices."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import filtering, noise, photometric
from augfn.core.spec import is_whole
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import kspace
from augfn.math.maps import Map, axis_angle_matrix, rotation_matrix
from augfn.math.resample import Sampling, resample
from augfn.math.shapes import over
from augfn.math.steps import compared, stepped
from augfn.ops.filters import axis_of
from augfn.run.constants import constant, identity_like
from augfn.typing import Leaf

Coefficients = Annotated[
    Any,
    Leaf(
        "logarithm of the gain; 1, x, y, x², xy, y², ..., by degree, up to degree 3", (10,), neutral=0.0, volume=(20,)
    ),
]
Std = Annotated[Any, Leaf("intensity, full scale = 1", neutral=0.0, low=0.0)]
Lost = Annotated[
    Any,
    Leaf(
        "share of the radius of k-space that is lost",
        neutral=0.0,
        low=0.0,
        high=1.0,
        flat="a frequency is kept or not (but for grad='soft')",
        grads=("soft",),
    ),
]
Strength = Annotated[Any, Leaf("multiple of the largest magnitude in k-space", neutral=0.0)]
Point = Annotated[
    Any,
    Leaf(
        "place (x, y[, z]) in k-space: 0 = first line, 1/2 = frequency 0",
        (2,),
        low=0.0,
        high=1.0,
        flat="a point of k-space has whole coordinates",
        volume=(3,),
    ),
]
Ghosts = Annotated[Any, Leaf("every how many lines one is weaker", low=1.0, flat="lines are counted in whole numbers")]
Weakened = Annotated[Any, Leaf("share of those lines that is lost", neutral=0.0, low=0.0, high=1.0)]
Turned = Annotated[
    Any, Leaf("degrees of two movements, axis-angle (x, y, z) in a volume", (2,), neutral=0.0, volume=(2, 3))
]
Moved = Annotated[
    Any, Leaf("two movements, in fractions of (width, height[, depth])", (2, 2), neutral=0.0, volume=(2, 3))
]
Times = Annotated[Any, Leaf("when they happen: 0 = start, 1 = end of the acquisition", (2,), low=0.0, high=1.0)]
Spacing = Annotated[Any, Leaf("pixels from slice to slice", neutral=1.0, low=1.0)]
BASES = ("monomial", "legendre")
SOFT = 1.0  # width of the edge of a ball in k-space that has a slope, in lines of the longest axis


@photometric
def bias_field(
    x: Tensor,
    frame: Size,
    *,
    coefficients: Coefficients = Uniform(-0.5, 0.5),
    order: int = 3,
    basis: str = "monomial",
) -> Tensor:
    """A smooth gain, as of the coils of a scanner: y = x exp(sum c P), P all polynomials up to a total degree of `order`.

    Coordinates run from -1 to 1 at the centres of the outer pixels. `coefficients` go by degree, within one from high to
    low powers of x, then of y: 1, x, y, x², xy, y², x³, ... in an image, 1, x, y, z, x², xy, xz, y², yz, z², x³, ... in a
    volume; an `order` of 1 or 2 takes the first ones. `basis` is "monomial" or "legendre", products of Legendre
    polynomials in their place. One field for all channels. Source: TorchIO `RandomBiasField`, MONAI `RandBiasField`.

    >>> f = af.bias_field(coefficients=torch.tensor([0.0, 0.7, 0, 0, 0, 0, 0, 0, 0, 0]))
    >>> f(torch.ones(1, 1, 3))[0]
    tensor([[[0.4966, 1.0000, 2.0138]]])
    """
    if not is_whole(order) or not 0 <= order <= 3:
        raise ValueError(explain("bias_field: bad order", order, "a whole number from 0 to 3", "order=3"))
    if basis not in BASES:
        raise ValueError(explain("bias_field: bad basis", basis, f"one of {BASES}", 'basis="monomial"'))
    field = kspace.polynomial(coefficients, frame, order, basis)
    return x * field.exp().unsqueeze(-len(frame) - 1)


@noise(fields=2, pointwise=True)
def rician_noise(x: Tensor, field: Tensor, *, std: Std = Uniform(0.0, 0.1)) -> Tensor:
    """Noise of a magnitude image: y = sqrt((x + std n)^2 + (std n')^2), n and n' drawn per pixel and channel.

    For images from 0 up: without noise y = |x|. Where y is 0 the gradient is. Source: Gudbjartsson and Patz 1995; MONAI
    `RandRicianNoise`.

    >>> y, _ = af.rician_noise(std=0.1)(torch.zeros(1, 64, 64), None, af.key(0))
    >>> y.mean().round(decimals=2)
    tensor(0.1300)
    """
    axis = std.ndim
    first, second = field.to(x.dtype).chunk(2, axis)
    return kspace.magnitude(x, over(x, std), first, second)


@filtering
def gibbs(x: Tensor, frame: Size, *, alpha: Lost = Uniform(0.0, 0.6), grad: str = "none") -> Tensor:
    """Ringing at edges: the frequencies beyond a ball in k-space are lost, |f| > (1 - alpha) sqrt(d) / 2 cycles per pixel.

    sqrt(d) / 2 is the corner of k-space in d dimensions: alpha 0 is the identity, alpha 1 leaves the mean. The edge is
    hard, with a gradient of 0 to alpha; grad="soft" has that of an edge a line wide. Source: MONAI `GibbsNoise`, whose
    ball is counted in lines of the longest axis, with sqrt(2) in volumes too (of a cube, 1 - alpha is sqrt(2 / 3) times
    its own), and lies half a line off the middle of even sizes.

    >>> x = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
    >>> af.gibbs(alpha=1.0)(x)[0]
    tensor([[[0.5000, 0.5000, 0.5000, 0.5000]]])
    """
    if grad not in ("none", "soft"):
        raise ValueError(explain("gibbs: bad grad", grad, "'none' or 'soft'", 'grad="soft"'))
    d = len(frame)
    radius = kspace.radii(frame, x.dtype, x.device)
    reach = (1 - over(x, alpha)) * (math.sqrt(d) / 2)
    edge = reach * (1 + kspace.SLACK)
    width = SOFT / max(frame)
    kept = stepped(compared(torch.le, radius, edge), reach, lambda: torch.sigmoid((reach - radius) / width), grad)
    return kspace.masked_spectrum(x, kept, d)


@filtering
def spike(
    x: Tensor, frame: Size, *, intensity: Strength = Uniform(1.0, 3.0), position: Point = Uniform(0.0, 1.0)
) -> Tensor:
    """Stripes: one point of k-space is higher by `intensity` times the largest magnitude there, in each channel.

    The point is at index floor(position n) of n lines, with the frequency 0 at n // 2; its counterpart at the negative
    frequency stays as it is, and the real part is taken: a cosine, as high as `intensity` times that magnitude over the
    number of pixels. Source: TorchIO `RandomSpike` with one spike.

    >>> af.spike(intensity=0.5, position=torch.tensor([0.75, 0.0]))(torch.ones(1, 1, 4))[0]
    tensor([[[1.5000, 1.0000, 0.5000, 1.0000]]])
    """
    return kspace.with_wave(x, frame, intensity, position)


@filtering
def ghosting(
    x: Tensor,
    frame: Size,
    *,
    ghosts: Ghosts = Uniform(3.5, 10.5),
    intensity: Weakened = Uniform(0.5, 1.0),
    axis: str = "y",
    restore: float | None = None,
) -> Tensor:
    """Copies along an axis: every `ghosts`-th line of k-space, from the first on, is times 1 - intensity.

    The middle line is as it was, or the middle round(restore n) of n lines. `ghosts` is rounded to a whole number, by
    default one from 4 to 10; `axis` is "x", "y" or, of a volume, "z". Source: TorchIO `RandomGhosting`, which restores one
    line less where round(restore n) is odd.

    >>> x = torch.tensor([0.0, 0.0, 1.0, 0.0]).reshape(1, 4, 1)
    >>> af.ghosting(ghosts=2, intensity=1.0)(x)[0].flatten()
    tensor([-0.2500,  0.2500,  0.7500,  0.2500])
    """
    if restore is not None and not (isinstance(restore, int | float) and 0 <= restore <= 1):
        raise ValueError(explain("ghosting: restore", restore, "None, or a share from 0 to 1", "restore=0.02"))
    at = axis_of("ghosting", axis, frame)
    lost = kspace.line_filter(kspace.comb(frame[at], ghosts.detach().round(), restore))
    return kspace.along(identity_like(lost) - intensity[..., None, None] * lost, x, at)


@filtering
def motion_artifact(
    x: Tensor,
    frame: Size,
    *,
    degrees: Turned = Uniform(-10.0, 10.0),
    translate: Moved = Uniform(-0.05, 0.05),
    times: Times = Uniform(0.0, 1.0),
    axis: str = "x",
) -> Tensor:
    """Two movements during the acquisition: k-space, filled line by line along `axis`, is that of the image in three poses.

    In the pose of the middle line the image is as it was, which keeps it in its place. In the other two, in the order of
    time, it is moved as by `rotate` (`rotate3d`) and then `translate`, with the border repeated. At one of the `times`,
    which are sorted, a line is shared by two poses, so that the result is smooth in them (but where one passes the
    middle). Source: TorchIO `RandomMotion`, which turns about the origin of the world, with angles and shifts in the signs
    of ITK: here about the centre, in those of `rotate3d`.

    >>> f = af.motion_artifact(degrees=0.0, translate=0.0)
    >>> f(torch.eye(3)[None], None, af.key(0))[0]
    tensor([[[1., 0., 0.],
             [0., 1., 0.],
             [0., 0., 1.]]])
    """
    at, d = axis_of("motion_artifact", axis, frame), len(frame)
    sides = constant(tuple(map(float, reversed(frame))), translate)
    y = x
    for i, weights in enumerate(kspace.in_time(frame[at], times)):
        turn = rotation_matrix(degrees[..., i]) if d == 2 else axis_angle_matrix(degrees[..., i, :])
        shift = -(turn @ (translate[..., i, :] * sides).unsqueeze(-1)).squeeze(-1)
        moved = resample(x, x.ndim - 1 - d, Map.linear(turn, shift), Sampling(padding_mode="border"))
        y = y + kspace.along(kspace.line_filter(weights), moved - x, at)
    return y


@filtering(example={"axis": "y"})
def anisotropy(x: Tensor, frame: Size, *, factor: Spacing = Uniform(1.5, 5.0), axis: str = "z") -> Tensor:
    """Thick slices: an axis of n pixels is read at floor(n / factor) places, `factor` apart, and linearly in between.

    The places lie about the middle; each takes the nearest pixel, and beyond the outer ones their value holds. `axis` is
    "x", "y" or, of a volume, "z". The gradient to `factor` is that of the linear reading: it does not know of the places
    that jump from one pixel to the next. Source: TorchIO `RandomAnisotropy`, which has zeros beyond the outer places.

    >>> af.anisotropy(factor=2.0, axis="x")(torch.tensor([[[0.0, 1.0, 2.0, 3.0, 4.0]]]))[0]
    tensor([[[1., 1., 2., 3., 3.]]])
    """
    at = axis_of("anisotropy", axis, frame)
    count = (frame[at] / factor.detach() + 1e-5).floor().clamp(min=1)
    return kspace.thick(x, count, factor, at)

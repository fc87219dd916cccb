"""Colour arithmetic on images and volumes `[*b, C, *spatial]`: luma, blends, hue, tone curves, colour matrices.

Parameters are one number per sample, `[*b]`, or what broadcasts to it. Values are meant to lie in [0, 1]. Nothing is
clipped unless it says so, and no input is changed.

In-place arithmetic is used on fresh tensors alone, and only with operands that a fresh tensor was computed from or
together with: so it holds under vmap when some of the inputs have no batch dimension.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from augfn.errors import explain
from augfn.math.shapes import over
from augfn.math.steps import compared, stepped
from augfn.run.constants import constant
from augfn.run.slopes import sloped, within
from augfn.run.twins import added, between_0_and_1, twin

LUMA = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in the luma, as torchvision and PIL have them. They add up to 0.9999."""


def require_rgb(x: Tensor, what: str, axis: int = -3) -> None:
    """Raises: ValueError unless the image has three channels along the axis."""
    if x.shape[axis] != 3:
        fix = "channels=(0, 1, 2) picks three of more; a grey image as x.expand(*x.shape[:-3], 3, -1, -1)"
        fix = "x.movedim(-1, -3): channels first" if x.shape[-1] == 3 else fix
        raise ValueError(explain(f"{what} needs three channels", x, "[*batch, 3, H, W]", fix))


def luma(x: Tensor, axis: int = -3) -> Tensor:
    """Brightness as the eye sees it: `0.2989 r + 0.587 g + 0.114 b`.

    The channels lie along `axis`, which becomes 1. Source: ITU-R BT.601, rounded as in torchvision.

    >>> luma(torch.tensor([1.0, 0.5, 0.0]).view(3, 1, 1)).item()
    0.5924
    """
    r, g, b = x.split_with_sizes((1, 1, 1), axis)
    return (r * LUMA[0]).add_(g, alpha=LUMA[1]).add_(b, alpha=LUMA[2])


def clip(x: Tensor, mode: str = "clamp", clamp: Callable[[Tensor], Tensor] = between_0_and_1) -> Tensor:
    """Bring values into [0, 1]; `clamp` does it, in place for a tensor of one's own, or not.

    | mode | value | gradient |
    |---|---|---|
    | `"clamp"` | clamped | 0 where clamped |
    | `"ste"` | clamped | 1 everywhere (straight-through) |
    | `"none"` | unchanged | 1 |

    Raises: `ValueError` for another mode.

    >>> clip(torch.tensor([-0.5, 0.25, 1.5]))
    tensor([0.0000, 0.2500, 1.0000])
    """
    if mode == "clamp":
        return clamp(x)
    if mode == "none":
        return x
    if mode == "ste":
        # x - x.detach() is an exact zero that carries the gradient: no rounding can leave [0, 1].
        return x.detach().clamp(0, 1) + (x - x.detach())
    raise ValueError(f"clip must be 'clamp', 'ste' or 'none', not {mode!r}")


def scale_shift(x: Tensor, scale: Tensor, shift: Tensor, rest: int) -> Tensor:
    """`scale x + shift` for `x [*b, C, ...]` with `rest` dims after its channels, and what broadcasts to `[*b, C]`."""
    y, shift = x * scale[(..., *(None,) * rest)], shift[(..., *(None,) * rest)]
    return added(y, shift)


def brightness(x: Tensor, factor: Tensor) -> Tensor:
    """Multiply: `y = factor * x`; neutral at 1. Source: torchvision `adjust_brightness`, unclipped."""
    return x * over(x, factor)


def contrast(x: Tensor, factor: Tensor) -> Tensor:
    """Stretch about the mean: `y = factor * x + (1 - factor) * m`; neutral at 1.

    `m` is one number per image: the mean luma of an RGB image, else the mean over all channels. Source: torchvision
    `adjust_contrast`, unclipped.

    >>> contrast(torch.tensor([[[0.2, 0.8]]]), torch.tensor(0.5)).tolist()
    [[[0.35, 0.65]]]
    """
    each, pixels = over(x, factor), math.prod(x.shape[factor.ndim + 1 :])
    return (x * each).add_(grey_sum(x, factor.ndim) * ((1 - each) / pixels))


def saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Blend with the luma: `y = factor * x + (1 - factor) * luma(x)`; neutral at 1, grey at 0.

    An image of one channel is grey already and stays as it is. Source: torchvision `adjust_saturation`, unclipped.
    """
    if x.shape[factor.ndim] == 1:
        return x
    require_rgb(x, "saturation", factor.ndim)
    each = over(x, factor)
    return torch.addcmul(luma(x, factor.ndim) * (1 - each), x, each)


def hue(x: Tensor, turns: Tensor) -> Tensor:
    """Turn the hue in HSV space by `turns`: 1 is the full circle, neutral at 0, red goes to green at 1/3.

    With `M = max(r, g, b)`, `N = min(r, g, b)`, `C = M - N` and angles in turns from green, wrapped to [-1/2, 1/2],

        out_c = N - C + 6 C clamp(| |h + turns - a_c| - 1/2 |, 1/6, 1/3),    a = (-1/3, 0, 1/3)
        6 C h = (b - r) + sign(b - r) (M - g + 2 (min(r, b) - N))

    which needs no case for each sector of the hexagon, and no division but that of h. A grey pixel stays as it is and
    its gradient is finite. An image of one channel stays as it is. Source: torchvision `adjust_hue`.

    >>> hue(torch.tensor([1.0, 0.0, 0.0]).view(3, 1, 1), torch.tensor(1 / 3)).flatten().round(decimals=4).tolist()
    [0.0, 1.0, 0.0]
    """
    return turned(x, over(x, turns), turns.ndim)


def turn_slope(g: Tensor, needs: Sequence[bool], x: Tensor, turns: Tensor, axis: int) -> list[Tensor | None]:
    """As `turn` goes, from its last step to the first; of two equals a maximum and a minimum give each a half."""
    wide = x.expand(g.shape)
    r, green, b = wide.split_with_sizes((1, 1, 1), axis)
    angle, chroma, _ = hexagon(wide, axis)
    phase = from_axes(angle, turns, axis)
    fold = phase.abs().sub_(0.5)
    value = fold.abs()
    to_phase = within(g * chroma, value, 1 / 6, 1 / 3).mul_(phase.mul_(fold).sgn_())
    to_angle, to_base = to_phase.sum(axis, keepdim=True), g.sum(axis, keepdim=True)
    to_turns = to_angle.sum_to_size(turns.shape) if needs[1] else None
    if not needs[0]:
        return [None, to_turns, None]
    to_side = to_angle / _divisor(chroma)
    to_chroma = (value.clamp_(1 / 6, 1 / 3).mul_(g)).sum(axis, keepdim=True).sub_(to_base, alpha=1 / 6)
    to_chroma = to_chroma.sub_((angle * to_side).mul_(chroma > grey_limit(x))).mul_(6)
    side = b - r
    beyond = torch.copysign(constant(1.0, x), side).mul_(to_side)
    low, high = torch.minimum(r, b), torch.maximum(r, b)
    to_most, to_least = beyond + to_chroma, to_base.sub_(to_chroma).sub_(beyond, alpha=2)
    to_high = (high - green).sgn_().add_(1).mul_(to_most).mul_(0.5)
    to_low = (green - low).sgn_().add_(1).mul_(to_least).mul_(0.5)
    to_green = to_most.add_(to_least).sub_(to_high).sub_(to_low).sub_(beyond)
    to_low.add_(beyond, alpha=2)
    mean, half = (to_low + to_high).mul_(0.5), to_low.sub_(to_high).mul_(side.sgn_()).mul_(0.5).sub_(to_side)
    return [torch.cat([mean + half, to_green, mean - half], axis).sum_to_size(x.shape), to_turns, None]


@sloped(turn_slope)
def turn(x: Tensor, turns: Tensor, axis: int) -> Tensor:
    """`turned` of three channels."""
    angle, chroma, base = hexagon(x, axis)
    return ramp(angle, turns, axis).mul_(chroma).add_(base)


def turned(x: Tensor, turns: Tensor, axis: int) -> Tensor:
    """`hue` by turns that broadcast against the image, such as a field; its channels lie along `axis`."""
    if x.shape[axis] == 1:
        return x
    require_rgb(x, "hue", axis)
    return turn(x, turns, axis)


def hsv_saturation(x: Tensor, factor: Tensor) -> Tensor:
    """Scale the saturation of HSV, hue and value as they are; neutral at 1, at 0 every channel is the largest.

    With `M = max(r, g, b)` and `N = min(r, g, b)`: `y = x + (x - M) min(factor - 1, N / (M - N))`; the bound is where
    the saturation is full. A grey pixel stays as it is, with a finite gradient. Source: kornia `adjust_saturation`.

    >>> hsv_saturation(torch.tensor([0.8, 0.6, 0.4]).view(3, 1, 1), torch.tensor(0.5)).flatten()
    tensor([0.8000, 0.7000, 0.6000])
    """
    require_rgb(x, "hsv_saturation", factor.ndim)
    r, g, b = x.split_with_sizes((1, 1, 1), factor.ndim)
    least = torch.minimum(torch.minimum(r, b), g)
    most = torch.maximum(torch.maximum(r, b), g)
    return torch.addcmul(x, x - most, excess(over(x, factor), least, most - least))


def hsv_shift(x: Tensor, turns: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Turn the hue, then add to saturation and value, each kept in [0, 1]; neutral at 0.

    With `M = max(r, g, b)`, `N = min(r, g, b)`, `S = (M - N) / M`: `y = V' - V' S' (M - x) / (M - N)`, a grey pixel V'.
    Source: albumentations `HueSaturationValue`.

    >>> hsv_shift(torch.tensor([0.8, 0.6, 0.4]).view(3, 1, 1), *torch.tensor([0.0, -0.5, 0.1])).flatten()
    tensor([0.9000, 0.9000, 0.9000])
    """
    require_rgb(x, "hsv_shift", turns.ndim)
    x = hue(x, turns)
    most, least = x.amax(turns.ndim, keepdim=True), x.amin(turns.ndim, keepdim=True)
    chroma = most - least
    full = between_0_and_1(chroma / _divisor(most) + over(x, saturation))
    return between_0_and_1(most + over(x, value)) * (1 - full * (most - x) / _divisor(chroma))


def twist_matrix(
    brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor, pivot: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Four adjustments as one affine map of the colour, `y = matrix @ x + offset`, with no clipping in between.

    In this order: brightness `b x`; contrast `c x + (1 - c) pivot`; saturation `s x + (1 - s) luma(x)`; hue, a
    rotation R by `hue` turns about the grey axis (1, 1, 1). R keeps grey, so with W the luma weights in every row,

        matrix = b c (s R + (1 - s) W),    R = cos I + (1 - cos) / 3 J + sin / sqrt(3) K

    Shapes: factors `[*b]` -> matrix `[*b, 3, 3]`, offset `[*b, 3]`. Neutral: factors 1 and hue 0 give exactly the
    identity and 0. Source: the colour transforms of StyleGAN2-ADA (Karras et al. 2020); DALI `color_twist`.

    >>> one, zero = torch.tensor(1.0), torch.tensor(0.0)
    >>> twist_matrix(one, one, one, zero)[0].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    angle, gain = hue * (2 * math.pi), brightness * contrast
    pure, cos, sin = gain * saturation, angle.cos(), angle.sin()
    weights = torch.stack(torch.broadcast_tensors(pure * cos, pure * (1 - cos), pure * sin, gain - pure), -1)
    basis = constant(_TWIST_BASIS, weights)
    grey = saturation + (1 - saturation) * sum(LUMA)
    offset = (1 - contrast) * grey * pivot
    matrix = (weights @ basis).unflatten(-1, (3, 3))
    return matrix, offset.unsqueeze(-1).expand(matrix.shape[:-1])


def solarize(x: Tensor, threshold: Tensor, addition: Tensor | None = None, grad: str = "none") -> Tensor:
    """Invert what is bright: `y = 1 - x` where `x >= threshold`, else `x`; first `addition` is added to x and the sum
    clamped to [0, 1].

    `grad` as in `stepped`, but that "none" is the gradient of the values, 1 or -1; "soft" makes the threshold a sigmoid
    of width 0.05. Source: torchvision `solarize`; the addition is kornia's.
    """
    x = x if addition is None else clip(x + over(x, addition), "clamp")
    threshold = over(x, threshold)
    # Weights of exactly 0 and 1 make lerp exact; it is three times as fast as torch.where on a CPU.
    value = torch.lerp(x, 1 - x, compared(torch.ge, x, threshold))
    if grad == "none":
        return value
    return stepped(value, x, lambda: torch.lerp(x, 1 - x, torch.sigmoid((x - threshold) / 0.05)), grad)


def gamma(x: Tensor, gamma: Tensor, gain: Tensor | None = None) -> Tensor:
    """The power law `y = gain * x ** gamma`, unclipped; neutral at 1. Source: torchvision `adjust_gamma`.

    Below 0, y is what it is at 0, and the gradient is 0. At 0, where the curve can be vertical, it is 0 too, but for
    `gamma = 1`.
    """
    y = powered(x, over(x, gamma))
    return y if gain is None else y * over(x, gain)


def gamma_of_range(x: Tensor, power: Tensor, gain: Tensor | None, inverted: bool) -> Tensor:
    """The power law of each channel's range, brought back to the channel's mean and standard deviation (with n - 1).
    Source: nnU-Net's `GammaTransform`."""
    dims, tiny = tuple(range(power.ndim + 1, x.ndim)), 1e-7
    low, high = x.amin(dims, keepdim=True), x.amax(dims, keepdim=True)
    span = (high - low).clamp(min=tiny)
    share = (high - x if inverted else x - low) / span
    y = gamma(share, power, gain)
    (mean, spread), (middle, own) = moments(x, dims), moments(y, dims)
    factor = (spread.clamp(min=tiny**2) / own.clamp(min=tiny**2)).sqrt()
    factor = torch.where(high > low, -factor if inverted else factor, torch.zeros_like(factor))
    return torch.addcmul(mean - middle * factor, y, factor)


def moments(x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and sum of squares about it. (torch.var_mean takes six times as long.)"""
    mean = x.mean(dims, keepdim=True)
    return mean, (x - mean).square().sum(dims, keepdim=True)


def powered_apart(x: Tensor, power: Tensor) -> Tensor:
    low = math.sqrt(torch.finfo(x.dtype).tiny)  # whose inverse squared, in the second derivative, is finite
    return torch.where(x > low, torch.threshold(x, low, 1.0) ** power, _at_zero(x, power))


@twin(powered_apart)
def powered(x: Tensor, power: Tensor) -> Tensor:
    """`x ** power` without a gradient, in two passes: half the cost."""
    return x.clamp(min=0) ** power


# The rows I, J / 3, K / sqrt(3) and W: the neutral weights (1, 0, 0, 0) give the identity to the last bit.
_R3 = math.sqrt(1 / 3)
_TWIST_BASIS = (
    (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    (1 / 3,) * 9,
    (0.0, -_R3, _R3, _R3, 0.0, -_R3, -_R3, _R3, 0.0),
    LUMA * 3,
)


def grey_sum(x: Tensor, axis: int) -> Tensor:
    """The sum of all grey values `[*b, 1, 1, ...]`. The luma is linear, so it may be taken after the sum."""
    total = x.sum(tuple(range(axis + 1, x.ndim)), keepdim=True)
    return luma(total, axis) if x.shape[axis] == 3 else total.mean(axis, keepdim=True)


def _at_zero(x: Tensor, gamma: Tensor) -> Tensor:
    """The power of what is 0, less, or hardly more: x for an exponent of 1, 1 for one of 0, else 0."""
    return torch.addcmul((gamma == 0).to(x.dtype), torch.where(x < 0, 0.0, x), (gamma == 1).to(x.dtype))


def ramp(angle: Tensor, turns: Tensor, axis: int) -> Tensor:
    """The three channels of a hue, `[*b, 3, *spatial]` from 1/6 to 1/3."""
    return from_axes(angle, turns, axis).abs_().sub_(0.5).abs_().clamp_min_(1 / 6).clamp_max_(1 / 3)


def from_axes(angle: Tensor, turns: Tensor, axis: int) -> Tensor:
    """The turned angle, from the axis of each channel."""
    angle = angle + turns
    angle = angle.sub_(angle.round())
    return angle - constant((-1 / 3, 0.0, 1 / 3), angle).view((3,) + (1,) * (angle.ndim - axis - 1))


def excess(factor: Tensor, least: Tensor, chroma: Tensor) -> Tensor:
    """By how much a factor of the saturation exceeds 1, up to where the saturation is full."""
    bound = least.clamp_min(0) / _divisor(chroma)
    return torch.minimum(factor - 1, bound.masked_fill(chroma <= grey_limit(chroma), math.inf))


def _divisor(chroma: Tensor) -> Tensor:
    """The chroma; of a grey pixel a constant, so that its derivatives of any order are finite. (The bound is far below
    any chroma that a rounded colour can have.)"""
    return torch.threshold(chroma, grey_limit(chroma), 1.0)


def grey_limit(x: Tensor) -> float:
    """A chroma of more is no grey."""
    return torch.finfo(x.dtype).eps ** 2


def hexagon(x: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
    """Hue in turns from green, 6 C, and N - C, each `[*b, 1, *spatial]`."""
    r, g, b = x.split_with_sizes((1, 1, 1), axis)
    low, high = torch.minimum(r, b), torch.maximum(r, b)
    least, most = torch.minimum(low, g), torch.maximum(high, g)
    side = b - r
    # a sign apart: torch.copysign(beyond, side) has no second derivative where beyond is 0
    sign = torch.copysign(constant(1.0, x), side.detach())
    beyond = (most - g).add_(low - least, alpha=2)
    chroma = (most - least).mul_(6)
    angle = torch.addcmul(side, beyond, sign).div_(_divisor(chroma))
    return angle, chroma, torch.sub(least, chroma, alpha=1 / 6)

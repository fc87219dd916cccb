"""Colour jitter: several adjustments, one after the other, in an order of its own for each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from augfn.math.channels import ordered
from augfn.math.color import LUMA, excess, grey_sum, hexagon, hsv_saturation, hue, luma, ramp, require_rgb, turned
from augfn.math.color import clip as clipped
from augfn.math.shapes import common_shape, one_batch, over, shaped
from augfn.run.bands import banded, cached_rows
from augfn.run.constants import constant
from augfn.run.slopes import sloped
from augfn.run.twins import clamped, twin, way


def jiggle(
    x: Tensor,
    brightness: Tensor | None,
    contrast: Tensor | None,
    saturation: Tensor | None,
    hue: Tensor | None,
    order: Tensor,
    clip: str = "clamp",
) -> Tensor:
    """`x + brightness - 1`, `contrast * x`, saturation and hue of HSV, in an order of its own for each sample.

    `order` and what is absent as in `jitter`; `clip` follows where values can leave [0, 1], and the last. Source:
    kornia `ColorJiggle`, whose order is one for the whole batch.

    Saturation and hue commute, brightness and contrast are one line `gain * x + shift`: so all orders are a turn in HSV
    before, between and after two lines, and what a sample has no use for is neutral there.
    """
    colourful = saturation is not None or hue is not None
    if colourful:
        require_rgb(x, "jiggle with saturation or hue", order.ndim - 1)
    keys = ordered(ordered(order)).unbind(-1)
    lines = [i for i, f in enumerate((brightness, contrast)) if f is not None]
    places = [sum((keys[j] < key for j in lines), torch.zeros_like(key)) for key in keys]
    for step in range(len(lines) + 1):
        b, c, s, h = (
            None if f is None else torch.where(place == step, f, neutral)
            for f, place, neutral in zip(
                (brightness, contrast, saturation, hue), places, (1.0, 1.0, 1.0, 0.0), strict=True
            )
        )
        if colourful:
            x = turn_hsv(x, s, h)
        if step < len(lines):
            x = clipped(line_of(x, b, c, fresh=step > 0), clip, clamped)
    return clipped(x, clip, clamped) if colourful else x


def jitter(
    x: Tensor,
    brightness: Tensor | None,
    contrast: Tensor | None,
    saturation: Tensor | None,
    hue: Tensor | None,
    order: Tensor,
    clip: str = "clamp",
) -> Tensor:
    """Brightness, contrast, saturation and hue, one after the other, in an order of its own for each sample.

    `order` `[*b, 4]` holds sort keys of any dtype: the op with the lowest key comes first (0 brightness, 1
    contrast, 2 saturation, 3 hue; equal keys keep that order). An op whose factor is `None` is absent. Each op is
    followed by `clip`. Source: torchvision `ColorJitter`, whose order is one for the whole batch.

    The first three are blends `f * x + (1 - f) * ref` with `ref` zero, the mean or the luma, so that one pass with
    coefficients per sample serves them all. Hue, which is dear, is taken once: after passes for the blends that
    precede it in some sample, and before passes for those that follow. A pass that a sample has no use for multiplies
    by 1.
    """
    axis = order.ndim - 1  # of the channels
    if x.shape[axis] == 1:
        saturation = hue = None
    if saturation is not None or hue is not None:
        require_rgb(x, "jitter with saturation or hue", axis)
    blends = {i: f for i, f in enumerate((brightness, contrast, saturation)) if f is not None}
    if not blends:
        return x if hue is None else clipped(turned(x, over(x, hue), axis), clip)
    image = x.shape[axis:]
    batch = common_shape(x.shape[:axis], order.shape[:-1], *(t.shape for t in (*blends.values(), hue) if t is not None))
    passes = schedule(blends, hue is not None, order, batch, image)
    flat = one_batch(x, batch, len(image))
    given = [t for t in (flat, *blends.values(), hue) if t is not None]
    rows, blend = cached_rows(flat.shape[-2], flat.shape, *given), way("blended", *given)
    for step, weights in enumerate(passes):
        if hue is not None and step == len(blends):
            turns = over(flat, one_batch(hue, batch, 0))
            flat = banded(lambda band, turns=turns: turned(band, turns, 1), (flat,), rows, flat)
        flat = blend(flat, *weights, clip, rows, step > 0)
    return shaped(flat, batch + image)


def turn_hsv(x: Tensor, factor: Tensor | None, turns: Tensor | None) -> Tensor:
    """Saturation and hue of HSV, which commute, in one."""
    if factor is None or turns is None:
        return hue(x, turns) if turns is not None else x if factor is None else hsv_saturation(x, factor)
    angle, chroma, base = hexagon(x, turns.ndim)
    more = chroma * excess(over(x, factor), base + chroma / 6, chroma / 6)
    return ramp(angle, over(x, turns), turns.ndim).mul_(chroma + more).add_(base - more / 3)


def line_of(x: Tensor, brightness: Tensor | None, contrast: Tensor | None, fresh: bool) -> Tensor:
    """`contrast x + brightness - 1`, in place on a fresh tensor."""
    if contrast is not None:
        x = x.mul_(over(x, contrast)) if fresh else x * over(x, contrast)
    if brightness is None:
        return x
    shift = over(x, brightness - 1)
    return x.add_(shift) if fresh else x + shift


def schedule(
    blends: dict[int, Tensor], hue: bool, order: Tensor, batch: tuple[int, ...], image: tuple[int, ...]
) -> list[tuple[Tensor, Tensor | None, Tensor | None]]:
    """What each pass does to each sample: the scale of the image, and the weights of the sum of all grey values and of
    the luma, each `[B, 1, 1, ...]` over the flattened batch; None where that blend is absent.

    A blend takes the pass of its rank; with hue there are n passes on either side of it, and a blend takes the one of
    its distance in rank from hue.
    """
    n = len(blends)
    ids = [*blends, 3] if hue else [*blends]
    keys = order if len(ids) == 4 else torch.stack([order[..., i] for i in ids], -1)
    rank = keys.argsort(dim=-1, stable=True).argsort(-1)
    if hue:
        rank = rank[..., :n] - rank[..., n:]
    steps = tuple(range(-n, 0)) + tuple(range(1, n + 1)) if hue else tuple(range(n))
    shape = common_shape(*(f.shape for f in blends.values()))
    factors = torch.stack([f if f.shape == shape else f.expand(shape) for f in blends.values()], -1).unsqueeze(-1)
    rest = (rank.unsqueeze(-1) == constant(steps, rank)) * (1 - factors)  # [*b, n, passes]
    parts = one_batch(rest, batch, 2).reshape(-1, n, len(steps), *(1,) * len(image))
    weights = dict(zip(blends, parts.unbind(1), strict=True))
    sums = (weights[1] / math.prod(image[1:])).unbind(1) if 1 in weights else (None,) * len(steps)
    lumas = weights[2].unbind(1) if 2 in weights else (None,) * len(steps)
    return list(zip((1 - parts.sum(1)).unbind(1), sums, lumas, strict=True))


def mix_slope(
    g: Tensor, needs: Sequence[bool], x: Tensor, factor: Tensor, to_sum: Tensor | None, to_luma: Tensor | None
) -> list[Tensor | None]:
    dims, to_x = tuple(range(2, x.ndim)), g * factor if needs[0] else None
    to_factor = (g * x).sum((1, *dims), keepdim=True) if needs[1] else None
    if to_sum is None and to_luma is None:
        return [to_x, to_factor, None, None]
    grey = g.sum(1, keepdim=True)
    shade = grey.sum(dims, keepdim=True)
    if to_x is not None:
        shift = 0.0 if to_sum is None else shade * to_sum
        shift = shift if to_luma is None else grey * to_luma + shift
        k = x.shape[1]
        for channel, share in zip(to_x.unbind(1), LUMA if k == 3 else [1 / k] * k, strict=True):
            channel.unsqueeze(1).add_(shift, alpha=share)
    return [
        to_x,
        to_factor,
        shade * grey_sum(x, 1) if needs[2] else None,
        (grey * luma(x, 1)).sum(dims, keepdim=True) if needs[3] else None,
    ]


def total_grey(x: Tensor, grey: Tensor | None) -> Tensor:
    """The sum of all grey values `[B, 1, 1, ...]`, of the grey image where that is known."""
    return grey_sum(x, 1) if grey is None else grey.sum(tuple(range(2, x.ndim)), keepdim=True)


@sloped(mix_slope)
def mixed(x: Tensor, factor: Tensor, to_sum: Tensor | None, to_luma: Tensor | None) -> Tensor:
    """`factor x + to_sum sum(luma(x)) + to_luma luma(x)`."""
    grey = shift = None
    if to_luma is not None:
        grey = luma(x, 1)
        shift = grey * to_luma
    if to_sum is not None:
        total = total_grey(x, grey) * to_sum
        shift = total if shift is None else shift + total
    return x * factor if shift is None else x * factor + shift


def blended_apart(
    x: Tensor, factor: Tensor, to_sum: Tensor | None, to_luma: Tensor | None, clip: str, rows: int | None, fresh: bool
) -> Tensor:
    return clipped(mixed(x, factor, to_sum, to_luma), clip)


@twin(blended_apart)
def blended(
    x: Tensor, factor: Tensor, to_sum: Tensor | None, to_luma: Tensor | None, clip: str, rows: int | None, fresh: bool
) -> Tensor:
    """The same, clipped, so many rows at a time, and in place: a fresh buffer costs ten times the arithmetic.

    (As a matrix product it would be half as many ops, but its threads wait for each other, however small the image.)
    """
    grey = luma(x, 1) if rows is None and to_luma is not None else None
    shift, clamp = None, way("clamped", x)
    if to_sum is not None:
        shift = total_grey(x, grey) * to_sum

    def line(band: Tensor) -> Tensor:
        ref = shift
        if to_luma is not None:
            ref = (luma(band, 1) if grey is None else grey) * to_luma
            ref = ref if shift is None else ref.add_(shift)
        y = band.mul_(factor) if fresh else band * factor
        return clipped(y if ref is None else y.add_(ref), clip, clamp)

    return banded(line, (x,), rows, x if fresh else None)

"""Weather: where drops, fog, shadows and flares lie in an image; pure functions of a few numbers per sample."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from augfn import random
from augfn.math.polygons import shares_inside
from augfn.math.variates import straight_through
from augfn.run.constants import cached, constant


def snow(x: Tensor, light: Tensor, brightness: Tensor, covered: Tensor) -> Tensor:
    """Scale the lightness L = (max + min) / 2 of HLS, `light`, by `brightness`, up to 1, where `covered` is 1.

    Hue and saturation stay, so that the chroma goes with c(L) = 1 - |2 L - 1|, and no hue has to be computed:
    y = L' + (x - L) c(L') / c(L).

    Shapes: brightness and covered broadcast to light, light to x: `[*b, 1, *spatial]`.

    >>> grey = torch.full((3, 1, 1), 0.2)
    >>> snow(grey, lightness(grey, 0), torch.tensor(2.0), torch.tensor(1.0)).flatten()
    tensor([0.4000, 0.4000, 0.4000])
    """
    scaled = torch.lerp(light, (light * brightness).clamp(max=1), covered)
    room = chroma(light)
    ratio = torch.where(room > 1e-6, chroma(scaled) / room.clamp(min=1e-6), 1.0)
    return torch.addcmul(scaled - light * ratio, x, ratio)


def lightness(x: Tensor, axis: int) -> Tensor:
    """(max + min) / 2 over the channels, which lie along the axis; it stays, with one entry."""
    return (x.amax(axis, keepdim=True) + x.amin(axis, keepdim=True)) / 2


def chroma(light: Tensor) -> Tensor:
    """The largest chroma of colours of this lightness."""
    return 1 - (2 * light - 1).abs()


def drops(key: Tensor, most: int) -> Tensor:
    """Where drops start, (row, column) as fractions of the room there is: `[*b, most, 2]`.

    >>> drops(random.key(0), 5).shape
    torch.Size([5, 2])
    """
    return random.uniform_field(key, (most, 2))


def wet(places: Tensor, number: Tensor, height: Tensor, width: Tensor, frame: tuple[int, int], longest: int) -> Tensor:
    """The share of every pixel that drops cover, `[*b, H, W]`.

    A drop is a line of `height` rows from a whole pixel, that goes `width` columns aside; a column between two pixels
    is shared between them, and so are a last row and a last drop that are no whole ones. Drops lie in the frame.

    Shapes: places `[*b, most, 2]`; number, height, width `[*b]`.
    """
    h, w = frame
    most, long = places.shape[-2], min(longest, h)
    step = torch.arange(long, dtype=width.dtype, device=width.device)
    offset, share = strokes(height, width, step, w)
    start = starts(places, height.detach().clamp(max=long), width.detach(), frame)
    index = start[..., None] + offset[..., None, :]
    drawn = (number[..., None] - torch.arange(most, device=step.device)).clamp(0, 1)
    weight = countable(drawn)[..., None] * countable(share)[..., None, :]
    empty = weight.new_zeros((*weight.shape[:-2], (h + long + 1) * w))
    total = empty.scatter_add(-1, index.flatten(-2), weight.flatten(-2))[..., : h * w]
    return total.clamp(max=1).unflatten(-1, (h, w))


def countable(share: Tensor) -> Tensor:
    """Multiples of 1/2048 in float32, with the gradient of the share: a sum of products of two of them is exact, so that
    it does not depend on the order in which a GPU adds."""
    if share.dtype == torch.float64:
        return share
    return straight_through((share.detach() * 2048).round() / 2048, share)


def strokes(height: Tensor, width: Tensor, step: Tensor, w: int) -> tuple[Tensor, Tensor]:
    """Of one drop: its pixels as offsets into the flat frame, and their shares, both `[*b, 2 long]`."""
    aside = (width / height)[..., None] * step
    left = aside.detach().floor()
    right_share = aside - left
    pixel = (step * w + left).clamp(0, len(step) * w).long()
    row_share = (height[..., None] - step).clamp(0, 1)
    return torch.cat([pixel, pixel + 1], -1), torch.cat([row_share * (1 - right_share), row_share * right_share], -1)


def starts(places: Tensor, height: Tensor, width: Tensor, frame: tuple[int, int]) -> Tensor:
    """The first pixel of every drop, so that the whole drop lies in the frame, as an index into the flat frame."""
    h, w = frame
    reach = width * (height - 1) / height
    room = torch.stack([h + 1 - height.ceil(), w - reach.abs().ceil()], -1).clamp(min=1)[..., None, :]
    row, column = torch.minimum((places * room).floor(), room - 1).unbind(-1)
    first = reach.neg().ceil().clamp(0, w - 1)[..., None]
    return torch.add(column + first, row, alpha=w).long()


def clouds(key: Tensor, size: tuple[int, int], cells: int, octaves: int, dtype: torch.dtype) -> Tensor:
    """A smooth field between 0 and 1, every value equally likely: cubic splines over normal numbers, `[*b, H, W]`.

    `cells` spans the frame once, each further octave is twice as fine and half as strong.

    >>> clouds(random.key(0), (8, 8), 3, 2, torch.float32).shape
    torch.Size([8, 8])
    """
    total: Tensor | float = 0.0
    for octave in range(octaves):
        n = cells * 2**octave + 3
        grid = random.normal_field(random.fold_in(key, octave), (n, n)).to(dtype)
        rows, columns = (cached(spline, side, n, dtype, key.device) for side in size)
        total = total + (rows @ grid @ columns.mT) * 0.5**octave
    spread = (151 / 315) ** 2 * sum(0.25**octave for octave in range(octaves))  # mean square of a spline's weights
    return torch.special.ndtr(total / math.sqrt(spread))  # type: ignore[operator]


def spline(side: int, n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Weights of n knots, one beyond each end, at the pixels of a side: the cubic B-spline, `[side, n]`."""
    place = (torch.arange(side, dtype=dtype, device=device) + 0.5) / side * (n - 3) + 1
    far = (place[:, None] - torch.arange(n, dtype=dtype, device=device)).abs()
    return torch.where(far < 1, 2 / 3 - far**2 + far**3 / 2, (2 - far).clamp(min=0) ** 3 / 6)


def quadrilateral(corners: Tensor, softness: Tensor, size: tuple[int, int]) -> Tensor:
    """The share of every pixel inside four corners in turn: the four half planes, with edges `softness` pixels wide.

    Of a quadrilateral that is not convex it is the part from which the whole of it is seen.

    Shapes: corners `[*b, 4, 2]` as fractions, softness `[*b]` -> `[*b, H, W]`.
    """
    h, w = size
    return shares_inside(corners * constant((float(w), float(h)), corners), size, softness)


def squares(center: Tensor, size: tuple[int, int], scale: Tensor) -> Tensor:
    """Squared distance from `center [*b, 2]` (x, y in pixels, the first at 0.5) in units of `scale`, `[*b, H, W]`."""
    columns, rows = (
        (torch.arange(n).to(center) + 0.5 - center[..., i, None]) / scale[..., None] for i, n in enumerate(size[::-1])
    )
    return rows.square()[..., :, None] + columns.square()[..., None, :]


def glow(center: Tensor, radius: Tensor, size: tuple[int, int]) -> Tensor:
    """Light around a sun, (1 + 4 r^2)^-2 for r in units of its radius: 1 in the middle, 0.04 at r = 1."""
    return (1 + 4 * squares(center, size, radius)).square().reciprocal()


def disc(center: Tensor, radius: Tensor, size: tuple[int, int]) -> Tensor:
    """A soft disc: 1 inside, 1/2 at its radius, falling over a quarter of it (in squares)."""
    return (2.5 - 2 * squares(center, size, radius)).clamp(0, 1)

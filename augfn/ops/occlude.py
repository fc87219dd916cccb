"""Occlusion: parts of the image are hidden, and in all other targets too.

Images get `fill`, masks `fill_mask` where half of a pixel or more is hidden; boxes with a `min_visibility` lose
their validity, keypoints their visibility. Edges lie between pixels: a pixel is hidden by the share that is covered,
so that sizes and places have gradients. In a volume boxes are hidden, in place of rectangles. `patch` and `erase_noise`,
which show noise, change the image alone, and slices of a volume alike.
"""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn import random
from augfn.core.actions import Size
from augfn.core.augmentation import noise, occlusion, photometric
from augfn.distributions import LogUniform, Uniform
from augfn.errors import explain
from augfn.math.shapes import expand, over
from augfn.math.variates import seed_key
from augfn.math.windows import outer, summed
from augfn.ops.crop import rectangle
from augfn.ops.geometric import frame_like
from augfn.typing import Degrees, Leaf, Position2, Ratio, Seed

PLACE = "(x, y[, z]): 0 = left, top or front, 1 = right, bottom or back"
HEIGHT, WIDTH, DEPTH = (f"{n} of each hole, fraction of the frame's" for n in ("height", "width", "depth"))
Spread = Annotated[Any, Leaf("standard deviation of the noise", low=0.0)]
Share = Annotated[Any, Leaf("fraction of the area", neutral=0.0, low=0.0, high=1.0)]
Extent = Annotated[Any, Leaf("fraction of the area, or of the volume", neutral=0.0, low=0.0, high=1.0)]
Position = Annotated[Any, Leaf(f"position {PLACE}", (2,), low=0.0, high=1.0, volume=(3,))]
Side = Annotated[Any, Leaf("side, fraction of the shortest side", neutral=0.0, low=0.0)]
Holes = Annotated[Any, Leaf("holes", neutral=0.0, low=0.0, high=16.0)]
Heights = Annotated[Any, Leaf(HEIGHT, (16,), neutral=0.0, low=0.0, high=1.0)]
Widths = Annotated[Any, Leaf(WIDTH, (16,), neutral=0.0, low=0.0, high=1.0)]
Depths = Annotated[Any, Leaf(DEPTH, (16,), neutral=0.0, low=0.0, high=1.0)]
Positions4 = Annotated[Any, Leaf(f"centres {PLACE}", (4, 2), low=0.0, high=1.0, volume=(4, 3))]
Positions16 = Annotated[Any, Leaf(f"position {PLACE} of each hole", (16, 2), low=0.0, high=1.0, volume=(16, 3))]
Period = Annotated[Any, Leaf("period, fraction of the shortest side", low=1e-3)]
Hidden = Annotated[Any, Leaf("hidden share of the period, along each axis", neutral=0.0, low=0.0, high=1.0)]
Offset = Annotated[Any, Leaf("periods (x, y[, z])", (2,), volume=(3,))]
Dropped = Annotated[Any, Leaf("probability", neutral=0.0, low=0.0, high=1.0, flat="an object is dropped, or it is not")]


@occlusion
def erase(
    frame: Size,
    *,
    scale: Extent = Uniform(0.02, 0.33),
    ratio: Ratio = LogUniform(0.3, 3.3),
    position: Position = Uniform(0.0, 1.0),
) -> Tensor:
    """Hide a rectangle of a given share of the area and aspect ratio (width / height), wholly inside the frame.

    Of a volume a box of a given share of the volume, whose depth is the cube root of its volume: w = s sqrt(ratio), h = s /
    sqrt(ratio), d = s; in a volume that is thinner than s, d is its depth, and w h = s^3 / d. A side that is larger than the
    frame's is the frame's.

    Edges lie between pixels: a pixel is hidden by the share that the rectangle covers, so every leaf has a gradient.
    Masks are filled (`fill_mask`) where half or more is covered. Source: Zhong et al. 2020, torchvision
    `RandomErasing`.

    >>> af.erase(scale=0.25, ratio=1.0, position=0.0)(torch.ones(1, 2, 2))[0]
    tensor([[[0., 1.],
             [1., 1.]]])
    """
    limit = frame_like(frame, scale)
    sides = (rectangle if len(frame) == 2 else cuboid)(scale, ratio, limit)
    return covered(position * (limit - sides), sides, frame)


@noise(planar=True)
def erase_noise(
    x: Tensor,
    field: Tensor,
    *,
    scale: Share = Uniform(0.02, 0.33),
    ratio: Ratio = LogUniform(0.3, 3.3),
    position: Position2 = Uniform(0.0, 1.0),
    std: Spread = 1.0,
) -> Tensor:
    """Fill a rectangle, of a share of the area and an aspect ratio (width / height), with normal noise of its own for each
    pixel and channel: for images that are normalised, as DeiT and ConvNeXt train. Of the image alone; `erase` hides a
    rectangle in all targets.

    Edges lie between pixels, as in `erase`. Source: timm `RandomErasing`, mode "pixel".

    >>> y, _ = af.erase_noise(scale=0.25, ratio=1.0, position=0.0)(torch.zeros(3, 4, 4), None, af.key(0))
    >>> (y[:, :2, :2] != 0).all(), (y[:, 2:] == 0).all()
    (tensor(True), tensor(True))
    """
    frame = (int(x.shape[-2]), int(x.shape[-1]))
    limit = frame_like(frame, scale)
    sides = rectangle(scale, ratio, limit)
    hidden = covered(position * (limit - sides), sides, frame)
    hidden = hidden.reshape(hidden.shape[:-2] + (1,) * (x.ndim - hidden.ndim) + hidden.shape[-2:]).to(x.dtype)
    return torch.lerp(x, field.to(x.dtype) * over(x, std), hidden.expand_as(x))


@occlusion
def cutout(
    frame: Size, *, size: Side = Uniform(0.25, 0.5), position: Positions4 = Uniform(0.0, 1.0), holes: int = 1
) -> Tensor:
    """Hide `holes` (1 to 4) squares of one size, of a volume cubes; centres lie anywhere in the frame, so that squares hang
    over its border.

    Source: DeVries and Taylor 2017.

    >>> af.cutout(size=1.0, position=0.0)(torch.ones(1, 2, 2))[0]
    tensor([[[0., 1.],
             [1., 1.]]])
    """
    if not 1 <= holes <= 4:
        fix = "holes=1, or af.coarse_dropout for more"
        raise ValueError(explain("cutout: holes", holes, "1 to 4", fix))
    side = (size * min(frame))[..., None, None]
    centre = position[..., :holes, :] * frame_like(frame, size)
    return union(centre - side / 2, side.expand_as(centre), frame)


@occlusion(example={"holes": (2.0, 4.0), "height": (0.3, 0.5), "width": (0.3, 0.5)})
def coarse_dropout(
    frame: Size,
    *,
    holes: Holes = Uniform(1.0, 8.0),
    height: Heights = Uniform(0.05, 0.2),
    width: Widths = Uniform(0.05, 0.2),
    depth: Depths | None = None,
    position: Positions16 = Uniform(0.0, 1.0),
) -> Tensor:
    """Hide up to 16 rectangles, each of its own size, wholly inside the frame.

    The last hole is shrunk by the fraction of `holes`: 2.5 are two holes and one of half its height and width. Of a volume
    boxes with a `depth` too; None: the mean of the fractions of height and width. Source: albumentations `CoarseDropout`,
    MONAI `RandCoarseDropout`.

    >>> drop = af.coarse_dropout(holes=1.0, height=0.5, width=0.5, position=1.0)
    >>> drop(torch.ones(1, 2, 2))[0]
    tensor([[[1., 1.],
             [1., 0.]]])
    """
    if depth is not None and len(frame) == 2:
        given, want = f"a frame of {frame[0]}x{frame[1]}", "a volume"
        raise ValueError(explain("coarse_dropout: depth of an image", given, want, "leave out depth"))
    axes = [width, height]
    if len(frame) == 3:
        axes.append((width + height) / 2 if depth is None else depth)
    limit = frame_like(frame, height)
    there = (holes[..., None] - torch.arange(height.shape[-1], device=holes.device)).clamp(0, 1)
    sides = torch.stack(axes, -1) * limit * there[..., None]
    return union(position * (limit - sides), sides, frame)


@occlusion(example={"period": (0.6, 0.9), "ratio": (0.6, 0.8)})
def grid_mask(
    frame: Size,
    *,
    period: Period = Uniform(0.25, 0.6),
    ratio: Hidden = Uniform(0.4, 0.6),
    angle: Degrees = Uniform(-45.0, 45.0),
    offset: Offset = Uniform(0.0, 1.0),
) -> Tensor:
    """Hide a grid of squares: sides `ratio` period, turned by `angle`, counter-clockwise, shifted by `offset` periods. Of a
    volume a grid of cubes, turned about z.

    Without a turn, offset 0 has the corner of a square in the image's corner. Source: Chen et al. 2020 (whose ratio is
    what is kept, 1 - ratio); albumentations `GridDropout`.

    >>> af.grid_mask(period=1.0, ratio=0.5, angle=0.0, offset=0.0)(torch.ones(1, 2, 4))[0]
    tensor([[[0., 1., 0., 1.],
             [1., 1., 1., 1.]]])
    """
    length = period * min(frame)
    turn = torch.deg2rad(angle)
    c, s = torch.cos(turn), torch.sin(turn)
    begin = -offset - (ratio / 2)[..., None]
    axes = [(c, -s, begin[..., 0]), (s, c, begin[..., 1])]
    across, down = (barred(line(x / length, y / length, first, frame[-2:]), length, ratio) for x, y, first in axes)
    if len(frame) == 2:
        return across * down
    z = torch.arange(frame[0], dtype=length.dtype, device=length.device) + 0.5
    deep = barred(z / length[..., None] + begin[..., 2:], length, ratio)
    return deep[..., None, None] * (across * down)[..., None, :, :]


@occlusion
def mask_dropout(mask: Tensor, frame: Size, *, p_object: Dropped = 0.5, seed: Seed = Uniform(0.0, 1.0)) -> Tensor:
    """Hide whole objects: every instance of the integer mask (label > 0) with probability `p_object`.

    What is dropped is decided by a hash of the seed and the label, so that it does not depend on the other objects.
    The sample is a dict with one mask, `[*b, H, W]` or `[*b, 1, H, W]` (of a volume `[*b, D, H, W]`). Source: albumentations
    `MaskDropout`, which drops a number of objects.

    >>> x = {"image": torch.ones(1, 1, 3), "mask": torch.tensor([[0, 1, 2]])}
    >>> af.mask_dropout(p_object=1.0)(x, None, af.key(0))[0]["image"]
    tensor([[[1., 0., 0.]]])
    """
    labels, along = instances(mask, p_object.ndim, frame), (..., *(None,) * len(frame))
    luck = random.unit(random.stream_bits(seed_key(seed)[(*along, slice(None))], 1, labels))
    return ((luck < p_object.detach()[along]) & (labels > 0)).to(p_object.dtype)


@photometric(planar=True)
def patch(
    x: Tensor,
    *,
    scale: Share = Uniform(0.02, 0.33),
    ratio: Ratio = LogUniform(0.3, 3.3),
    position: Position2 = Uniform(0.0, 1.0),
    grain: Seed = Uniform(0.0, 1.0),
) -> Tensor:
    """Fill the rectangle of `erase` with uniform noise, a value in [0, 1] for every pixel and channel.

    A change of the image alone: masks, boxes and keypoints stay as they are, as under torchvision; a video's frames
    and a volume's slices have the same noise, from the seed `grain`. Source: Zhong et al. 2020 (random values);
    torchvision `RandomErasing(value="random")`, whose noise is normal.

    >>> af.patch(scale=0.5, ratio=2.0, position=0.0)(torch.ones(1, 2, 2), None, af.key(0))[0][0, 1]
    tensor([1., 1.])
    """
    frame = (x.shape[-2], x.shape[-1])
    limit = frame_like(frame, scale)
    sides = rectangle(scale, ratio, limit)
    hidden = covered(position * (limit - sides), sides, frame).unsqueeze(-3)
    shown = random.uniform_field(seed_key(grain), tuple(x.shape[-3:])).to(x.dtype)
    return torch.addcmul(x, hidden, shown - x)


def instances(mask: Tensor, batch: int, frame: Size) -> Tensor:
    """Whole labels `[*b, *frame]` of a mask of one plane."""
    d = len(frame)
    planes = mask.ndim - batch - d
    if planes > 1 or (planes == 1 and mask.shape[-d - 1] != 1):
        room = "[*batch, H, W] or [*batch, 1, H, W]" if d == 2 else "[*batch, D, H, W] or [*batch, 1, D, H, W]"
        fix = f"mask.argmax(-{d + 1})"
        raise ValueError(
            explain("mask_dropout: the mask has several planes", mask, f"labels of instances, {room}", fix)
        )
    return (mask.squeeze(-d - 1) if planes else mask).long()


def line(along: Tensor, down: Tensor, shift: Tensor, frame: Size) -> Tensor:
    """`along x + down y + shift` at the pixels, the first centre at 0.5: `[*b, H, W]`."""
    rows, columns = (torch.arange(n, dtype=along.dtype, device=along.device) + 0.5 for n in frame)
    return (along[..., None] * columns)[..., None, :] + (down[..., None] * rows + shift[..., None])[..., :, None]


def barred(place: Tensor, length: Tensor, ratio: Tensor) -> Tensor:
    """The hidden share of pixels at these places `[*b, ...]`, in periods of `length [*b]` pixels: in the middle of what is
    hidden of a period the place is whole."""
    length, bar = expand(length, place.ndim), expand(ratio * length, place.ndim)
    far = (place - place.detach().round()).abs() * length
    beyond = length - far  # the distance of the next one: a seam may be narrower than a pixel
    share = [torch.minimum(((bar + 1) / 2 - d).clamp(0, 1), bar) for d in (far, beyond)]
    return (share[0] + share[1]).clamp(max=1)


def cuboid(scale: Tensor, ratio: Tensor, limit: Tensor) -> Tensor:
    """(width, height, depth) `[*b, 3]` of a given share of a volume and ratio of width and height, each at most the frame's."""
    volume = (scale * limit.prod()).clamp(min=1e-18)  # the root has no gradient at 0
    depth = torch.minimum(volume ** (1 / 3), limit[..., 2])
    area = volume / depth
    return torch.minimum(torch.stack([torch.sqrt(area * ratio), torch.sqrt(area / ratio), depth], -1), limit)


def covered(start: Tensor, sides: Tensor, frame: Size) -> Tensor:
    """The share of every pixel in one rectangle or box, `[*b, d]` to `[*b, *frame]`."""
    return outer(covers(start, sides, frame))


def union(start: Tensor, sides: Tensor, frame: Size) -> Tensor:
    """The share of every pixel in n rectangles or boxes, `[*b, n, d]` to `[*b, *frame]`: shares add up, to 1 at most."""
    return summed(covers(start, sides, frame)).clamp(max=1)


def covers(start: Tensor, sides: Tensor, frame: Size) -> list[Tensor]:
    """Axis by axis, slowest first, the share of each of its pixels that [start, start + sides] covers."""
    return [cover(start[..., -i - 1], sides[..., -i - 1], n) for i, n in enumerate(frame)]


def cover(start: Tensor, length: Tensor, n: int) -> Tensor:
    """The share of each of n pixels that [start, start + length] covers, `[*b, n]`."""
    edge = torch.arange(n, dtype=start.dtype, device=start.device)
    start = start[..., None]
    return (torch.minimum(edge + 1, start + length[..., None]) - torch.maximum(edge, start)).clamp(min=0)

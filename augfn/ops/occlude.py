"""Occlusion: parts of the image are hidden, and in all other targets too.

Images get `fill`, masks `fill_mask` where more than half of a pixel is hidden; boxes with a `min_visibility` lose
their validity, keypoints their visibility. Edges lie between pixels: a pixel is hidden by the share that is covered,
so that sizes and places have gradients. `patch`, which shows noise, changes the image alone.
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
from augfn.math.shapes import over
from augfn.math.variates import seed_key
from augfn.ops.crop import rectangle
from augfn.ops.geometric import frame_like
from augfn.typing import Degrees, Leaf, Position2, Ratio, Seed

Spread = Annotated[Any, Leaf("standard deviation of the noise", low=0.0)]
Share = Annotated[Any, Leaf("fraction of the area", neutral=0.0, low=0.0, high=1.0)]
Side = Annotated[Any, Leaf("side, fraction of the shorter side", neutral=0.0, low=0.0)]
Holes = Annotated[Any, Leaf("holes", neutral=0.0, low=0.0, high=16.0)]
Heights = Annotated[Any, Leaf("height of each hole, fraction of the frame's", (16,), neutral=0.0, low=0.0, high=1.0)]
Widths = Annotated[Any, Leaf("width of each hole, fraction of the frame's", (16,), neutral=0.0, low=0.0, high=1.0)]
Positions4 = Annotated[Any, Leaf("centres (x, y): 0 = left or top, 1 = right or bottom", (4, 2), low=0.0, high=1.0)]
Positions16 = Annotated[
    Any, Leaf("position (x, y) of each hole: 0 = left or top, 1 = right or bottom", (16, 2), low=0.0, high=1.0)
]
Period = Annotated[Any, Leaf("period, fraction of the shorter side", low=1e-3)]
Hidden = Annotated[Any, Leaf("hidden share of the period, along each axis", neutral=0.0, low=0.0, high=1.0)]
Offset2 = Annotated[Any, Leaf("periods (x, y)", (2,))]
Dropped = Annotated[Any, Leaf("probability", neutral=0.0, low=0.0, high=1.0, flat="an object is dropped, or it is not")]


@occlusion
def erase(
    frame: Size,
    *,
    scale: Share = Uniform(0.02, 0.33),
    ratio: Ratio = LogUniform(0.3, 3.3),
    position: Position2 = Uniform(0.0, 1.0),
) -> Tensor:
    """Hide a rectangle of a given share of the area and aspect ratio (width / height), wholly inside the frame.

    Edges lie between pixels: a pixel is hidden by the share that the rectangle covers, so every leaf has a gradient.
    Masks are filled (`fill_mask`) where more than half is covered. Source: Zhong et al. 2020, torchvision
    `RandomErasing`.

    >>> af.erase(scale=0.25, ratio=1.0, position=0.0)(torch.ones(1, 2, 2))[0]
    tensor([[[0., 1.],
             [1., 1.]]])
    """
    limit = frame_like(frame, scale)
    sides = rectangle(scale, ratio, limit)
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
    """Hide `holes` (1 to 4) squares of one size; centres lie anywhere in the frame, so that squares hang over its
    border.

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
    position: Positions16 = Uniform(0.0, 1.0),
) -> Tensor:
    """Hide up to 16 rectangles, each of its own size, wholly inside the frame.

    The last hole is shrunk by the fraction of `holes`: 2.5 are two holes and one of half its height and width.
    Source: albumentations `CoarseDropout`.

    >>> drop = af.coarse_dropout(holes=1.0, height=0.5, width=0.5, position=1.0)
    >>> drop(torch.ones(1, 2, 2))[0]
    tensor([[[1., 1.],
             [1., 0.]]])
    """
    limit = frame_like(frame, height)
    there = (holes[..., None] - torch.arange(height.shape[-1], device=holes.device)).clamp(0, 1)
    sides = torch.stack([width, height], -1) * limit * there[..., None]
    return union(position * (limit - sides), sides, frame)


@occlusion(example={"period": (0.6, 0.9), "ratio": (0.6, 0.8)})
def grid_mask(
    frame: Size,
    *,
    period: Period = Uniform(0.25, 0.6),
    ratio: Hidden = Uniform(0.4, 0.6),
    angle: Degrees = Uniform(-45.0, 45.0),
    offset: Offset2 = Uniform(0.0, 1.0),
) -> Tensor:
    """Hide a grid of squares: sides `ratio` period, turned by `angle`, counter-clockwise, shifted by `offset` periods.

    Without a turn, offset 0 has the corner of a square in the image's corner. Source: Chen et al. 2020 (whose ratio is
    what is kept, 1 - ratio); albumentations `GridDropout`.

    >>> af.grid_mask(period=1.0, ratio=0.5, angle=0.0, offset=0.0)(torch.ones(1, 2, 4))[0]
    tensor([[[0., 1., 0., 1.],
             [1., 1., 1., 1.]]])
    """
    length = period * min(frame)
    turn = torch.deg2rad(angle)
    c, s = torch.cos(turn), torch.sin(turn)
    square = (ratio * length)[..., None, None]
    hidden = []
    for along, down, shift in ((c, -s, offset[..., 0]), (s, c, offset[..., 1])):
        place = line(along / length, down / length, -shift - ratio / 2, frame)
        far = (place - place.detach().round()).abs() * length[..., None, None]
        beyond = length[..., None, None] - far  # the distance of the next one: a seam may be narrower than a pixel
        share = [torch.minimum(((square + 1) / 2 - d).clamp(0, 1), square) for d in (far, beyond)]
        hidden.append((share[0] + share[1]).clamp(max=1))
    return hidden[0] * hidden[1]


@occlusion
def mask_dropout(mask: Tensor, *, p_object: Dropped = 0.5, seed: Seed = Uniform(0.0, 1.0)) -> Tensor:
    """Hide whole objects: every instance of the integer mask (label > 0) with probability `p_object`.

    What is dropped is decided by a hash of the seed and the label, so that it does not depend on the other objects.
    The sample is a dict with one mask, `[*b, H, W]` or `[*b, 1, H, W]`. Source: albumentations `MaskDropout`, which
    drops a number of objects.

    >>> x = {"image": torch.ones(1, 1, 3), "mask": torch.tensor([[0, 1, 2]])}
    >>> af.mask_dropout(p_object=1.0)(x, None, af.key(0))[0]["image"]
    tensor([[[1., 0., 0.]]])
    """
    labels = instances(mask, p_object.ndim)
    luck = random.unit(random.stream_bits(seed_key(seed)[..., None, None, :], 1, labels))
    return ((luck < p_object.detach()[..., None, None]) & (labels > 0)).to(p_object.dtype)


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


def instances(mask: Tensor, batch: int) -> Tensor:
    """Whole labels `[*b, H, W]` of a mask of one plane."""
    planes = mask.ndim - batch - 2
    if planes > 1 or (planes == 1 and mask.shape[-3] != 1):
        want = "labels of instances, [*batch, H, W] or [*batch, 1, H, W]"
        raise ValueError(explain("mask_dropout: the mask has several planes", mask, want, "mask.argmax(-3)"))
    return (mask.squeeze(-3) if planes else mask).long()


def line(along: Tensor, down: Tensor, shift: Tensor, frame: Size) -> Tensor:
    """`along x + down y + shift` at the pixels, the first centre at 0.5: `[*b, H, W]`."""
    rows, columns = (torch.arange(n, dtype=along.dtype, device=along.device) + 0.5 for n in frame)
    return (along[..., None] * columns)[..., None, :] + (down[..., None] * rows + shift[..., None])[..., :, None]


def covered(start: Tensor, sides: Tensor, frame: Size) -> Tensor:
    """The share of every pixel in one rectangle, `[*b, 2]` to `[*b, H, W]`."""
    columns, rows = (cover(start[..., i], sides[..., i], n) for i, n in enumerate(frame[::-1]))
    return rows[..., :, None] * columns[..., None, :]


def union(start: Tensor, sides: Tensor, frame: Size) -> Tensor:
    """The share of every pixel in n rectangles, `[*b, n, 2]` to `[*b, H, W]`: shares add up, to 1 at most."""
    columns, rows = (cover(start[..., i], sides[..., i], n) for i, n in enumerate(frame[::-1]))
    return (rows.mT @ columns).clamp(max=1)


def cover(start: Tensor, length: Tensor, n: int) -> Tensor:
    """The share of each of n pixels that [start, start + length] covers, `[*b, n]`."""
    edge = torch.arange(n, dtype=start.dtype, device=start.device)
    start = start[..., None]
    return (torch.minimum(edge + 1, start + length[..., None]) - torch.maximum(edge, start)).clamp(min=0)

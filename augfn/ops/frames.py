"""Geometry that fits an image into a frame, or a frame around what is in the image."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.core.boxes import Boxes
from augfn.distributions import Uniform
from augfn.math.frames import copied_window, padded, put_on_canvas, resized, room_in, whole, window_map
from augfn.math.lines import areas
from augfn.math.maps import Gather, Map, centred
from augfn.math.resample import Sampling, fill_like, read, to_wide
from augfn.math.shapes import cast
from augfn.ops.crop import WholePosition2, by_side, fitting, size_of
from augfn.ops.geometric import frame_like
from augfn.run.constants import constant
from augfn.typing import Leaf, Position2

Fit = Annotated[Any, Leaf("factor, 1 = the largest size that fits", low=1e-6)]
Side = Annotated[Any, Leaf("side of the canvas / side of the image", neutral=1.0, low=1.0)]
Slack = Annotated[Any, Leaf("share of the room that is cut off (left, top, right, bottom)", (4,), low=0.0, high=1.0)]
Overlap = Annotated[
    Any, Leaf("least overlap with a box (IoU)", low=0.0, high=1.0, flat="a window fits, or it does not")
]
Tries = Annotated[Any, Leaf("sides (x, y) of each try, fractions of the frame", (40, 2), low=1e-3, high=1.0)]
Places = Annotated[Any, Leaf("position (x, y) of each try", (40, 2), low=0.0, high=1.0)]
Pick = Annotated[Any, Leaf("which pixel of the mask, 0 = the first", low=0.0, high=1.0, flat="a pixel is picked")]


@geometric(antialias=True, example={"max_size": 13})
def longest_max_size(frame: Size, *, max_size: int) -> Map:
    """Resize so that the longer side is `max_size` pixels; the aspect ratio stays. Antialiased where it shrinks.

    Source: kornia and albumentations `LongestMaxSize`.

    >>> af.longest_max_size(max_size=8)(torch.zeros(3, 20, 40))[0].shape
    torch.Size([3, 4, 8])
    """
    return resized(frame, size_of(by_side(frame, max_size, "long"), 2, "longest_max_size"))


@geometric(antialias=True, example={"max_size": 13})
def smallest_max_size(frame: Size, *, max_size: int) -> Map:
    """Resize so that the shorter side is `max_size` pixels; the aspect ratio stays. Antialiased where it shrinks.

    Source: kornia and albumentations `SmallestMaxSize`.

    >>> af.smallest_max_size(max_size=8)(torch.zeros(3, 20, 40))[0].shape
    torch.Size([3, 8, 16])
    """
    return resized(frame, size_of(by_side(frame, max_size, "short"), 2, "smallest_max_size"))


@geometric(example={"size": (14, 13)})
def pad_to(frame: Size, *, size: Any, position: WholePosition2 | None = None) -> Map:
    """Pad up to `size=(h, w)`; a side that is longer stays. The pixels are copied exactly.

    `position` is where the image lies on the larger frame: 0 (None) pads right and bottom, 0.5 all around. What lies outside
    follows `padding_mode` or `fill`, as in `pad`. Source: kornia `PadTo`, albumentations `PadIfNeeded`.

    >>> af.pad_to(size=(1, 4), fill=0.5)(torch.ones(1, 1, 2))[0]
    tensor([[[1.0000, 1.0000, 0.5000, 0.5000]]])
    """
    return on_canvas(frame, size_of(size, 2, "pad_to"), position)


def on_canvas(frame: Size, least: Size, position: Tensor | None) -> Map:
    """The frame within one that is at least so large."""
    size = tuple(max(n, m) for n, m in zip(least, frame, strict=True))
    if position is None:
        return padded(frame, (0,) * len(frame), tuple(n - m for n, m in zip(size, frame, strict=True)))
    room = room_in(size, frame, position)
    corner = whole(position, room)
    put = Gather(partial(put_on_canvas, size=size), corner)
    eye = torch.eye(len(size)).to(corner)
    return Map.linear(eye, room / 2 - corner, size=size, gather=put, flush=True, whole=True)


@geometric(antialias=True, example={"size": (14, 17), "scale": (0.8, 1.4)})
def scale_jitter(
    frame: Size, *, size: Any, scale: Fit = Uniform(0.1, 2.0), position: Position2 = Uniform(0.0, 1.0)
) -> Map:
    """Zoom to a random size and cut or pad to `size=(h, w)`.

    The zoom is `scale * min(h / H, w / W)`: at 1 the whole image just fits. `position` is where the window, or the
    smaller image, lies. Averaged over every pixel's footprint where it shrinks. Source: Ghiasi et al. 2021, torchvision
    `ScaleJitter` with the crop and pad that follow it.

    >>> af.scale_jitter(size=2, scale=0.5, position=0.0)(torch.ones(1, 4, 4))[0].round(decimals=4)
    tensor([[[1., 0.],
             [0., 0.]]])
    """
    target = size_of(size, 2, "scale_jitter")
    zoom = scale * min(n / m for n, m in zip(target, frame, strict=True))
    return canvas(frame, target, zoom, position)


@geometric(antialias=True, example={"side": (1.0, 1.3)})
def zoom_out(frame: Size, *, side: Side = Uniform(1.0, 4.0), position: Position2 = Uniform(0.0, 1.0)) -> Map:
    """Put the image on a canvas `side` times as large, and shrink that to the frame.

    `position` is where the image lies on it; around it are `fill` or the `padding_mode`. Every pixel is the average over its
    footprint. Source: Liu et al. 2016 (SSD), torchvision `RandomZoomOut`, whose frame grows.

    >>> af.zoom_out(side=2, position=1.0)(torch.ones(1, 2, 2))[0]
    tensor([[[0., 0.],
             [0., 1.]]])
    """
    return canvas(frame, frame, 1 / side, position)


def canvas(frame: Size, target: Size, zoom: Tensor, position: Tensor) -> Map:
    """The image, zoomed, in a frame of the target size; `position` shares out what it lacks or exceeds."""
    room = frame_like(target, zoom) - frame_like(frame, zoom) * zoom.unsqueeze(-1)
    scale = (1 / zoom).unsqueeze(-1)
    place = torch.cat([scale.expand(room.shape[:-1] + (1,)), (0.5 - position) * room * scale], -1)
    return replace(canvas_map(place, target), gather=Gather(partial(draw_on_canvas, size=target), place))


def canvas_map(place: Tensor, target: Size) -> Map:
    """u -> scale u + shift, for `place [*b, 3]` of the scale and the shift."""
    scale, shift = place.split_with_sizes((1, 2), -1)
    return Map.linear(torch.diag_embed(scale.expand(shift.shape)), shift, size=target, flush=True)


def draw_on_canvas(x: Tensor, how: Sampling, place: Tensor, *, size: Size) -> Tensor:
    """`x [*b, k, H, W]` on a frame of this size: averaged over every pixel's footprint, with the fill around it."""
    if how.interpolation not in (None, "bilinear") or not how.antialias or how.padding not in (None, "zeros"):
        return read(x, canvas_map(place, size), size, how)
    wide = to_wide(x)
    scale, across, down = place.to(wide).unbind(-1)
    seen = []
    for axis, shift in ((-2, down), (-1, across)):
        n, pixel = x.shape[axis], scale.unsqueeze(-1)
        centre = pixel * centred(size[axis], scale.dtype, scale.device) + (shift.unsqueeze(-1) + n / 2)
        low, high = within(centre, pixel, n)
        seen.append((high - low) / pixel)
        wide = areas(wide, *within(centre, pixel.clamp(min=1), n), axis)
    inside = (seen[0][..., None] * seen[1][..., None, :]).unsqueeze(-3)
    return cast(torch.lerp(fill_like(wide, how.fill or 0.0, 2).expand_as(wide), wide, inside), x.dtype)


def within(centre: Tensor, width: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The ends of what is around a centre, as far as it lies on an axis of n pixels."""
    return (centre - width / 2).clamp(0, n), (centre + width / 2).clamp(0, n)


@geometric(antialias=True, example={"size": (10, 12)})
def bbox_safe_crop(frame: Size, boxes: Boxes, *, size: Any, slack: Slack = Uniform(0.0, 1.0)) -> Map:
    """Cut a window that holds all valid boxes and resize it to `size=(h, w)`.

    Each side of the frame moves towards the boxes by its `slack`: left = slack_0 min x, ..., bottom = H - slack_3
    (H - max y): 0 keeps all, 1 cuts tightly. A sample without a valid box keeps the middle half of the frame. Looks at
    the boxes, so it takes a dict. Source: albumentations `BBoxSafeRandomCrop`, `RandomSizedBBoxSafeCrop`.

    >>> x = {"image": torch.zeros(1, 8, 8), "boxes": torch.tensor([[2.0, 2.0, 4.0, 6.0]])}
    >>> af.bbox_safe_crop(size=4, slack=1.0)(x)[0]["boxes"]
    tensor([[0., 0., 4., 4.]])
    """
    target, full = size_of(size, 2, "bbox_safe_crop"), frame_like(frame, slack)
    low, high = around_all(boxes, frame, slack)
    first = slack[..., :2] * low
    last = full - slack[..., 2:] * (full - high)
    return window_map((last - first) / frame_like(target, slack), (first + last - full) / 2, target)


@geometric(antialias=True, example={"size": (10, 12)})
def iou_crop(
    frame: Size,
    boxes: Boxes,
    *,
    size: Any = None,
    min_iou: Overlap = Uniform(0.0, 1.0),
    sides: Tries = Uniform(0.3, 1.0),
    position: Places = Uniform(0.0, 1.0),
) -> Map:
    """Cut the first of 40 windows that overlaps a box by `min_iou` (intersection over union) or more, and resize it to
    `size=(h, w)`, by default that of the frame.

    A window fits if its width is half to twice its height and if such a box has its middle in it; where none does, the
    frame stays whole. Boxes whose middle is cut off are clipped: `drop_invalid` and a `min_visibility` leave out what is
    hardly seen. Looks at the boxes, so it takes a dict. Source: SSD, Liu et al. 2016; torchvision `RandomIoUCrop`, which
    tries again with another overlap, and gives the window as it is.

    >>> x = {"image": torch.zeros(1, 8, 8), "boxes": torch.tensor([[2.0, 2.0, 6.0, 6.0]])}
    >>> af.iou_crop(min_iou=0.9, sides=0.5, position=0.5)(x)[0]["boxes"]
    tensor([[0., 0., 8., 8.]])
    """
    target, full = frame if size is None else size_of(size, 2, "iou_crop"), frame_like(frame, sides)
    wide = sides * full
    first = position * (full - wide)
    here = (fitting_windows(boxes, frame, first, first + wide) >= min_iou.unsqueeze(-1)).to(sides)
    here = here * (here.cumsum(-1) == 1)
    some = here.sum(-1, keepdim=True)
    corner = (here.unsqueeze(-1) * first).sum(-2)
    span = torch.lerp(full.expand_as(corner), (here.unsqueeze(-1) * wide).sum(-2), some)
    return window_map(span / frame_like(target, sides), corner + (span - full) / 2, target)


def fitting_windows(boxes: Boxes, frame: Size, first: Tensor, last: Tensor) -> Tensor:
    """The largest overlap `[*b, n]` of each window with a valid box whose middle it holds; -1 where it holds none, or is
    too narrow or too flat."""
    low, high = (c.to(first).unsqueeze(-3) for c in boxes.xyxy(frame).chunk(2, -1))
    first, last = first.unsqueeze(-2), last.unsqueeze(-2)
    common = (torch.minimum(high, last) - torch.maximum(low, first)).clamp(min=0).prod(-1)
    area, other = (high - low).prod(-1), (last - first).prod(-1)
    iou = common / (area + other - common).clamp(min=1e-12)
    middle = (low + high) / 2
    held = ((middle > first) & (middle < last)).all(-1) & boxes.valid.unsqueeze(-2)
    ratio = ((last - first)[..., 0] / (last - first)[..., 1]).squeeze(-1)
    best = torch.where(held, iou, -1.0).amax(-1) if iou.shape[-1] else torch.full_like(ratio, -1.0)
    return torch.where((ratio >= 0.5) & (ratio <= 2), best, -1.0)


def around_all(boxes: Boxes, frame: Size, like: Tensor) -> tuple[Tensor, Tensor]:
    """Low and high corners `[*b, 2]` around the valid boxes, inside the frame and at least a pixel wide."""
    full = frame_like(frame, like)
    low, high = (torch.minimum(c.to(like).clamp(min=0), full) for c in boxes.xyxy(frame).chunk(2, -1))
    valid = boxes.valid.unsqueeze(-1)
    low = torch.where(valid, low, full).amin(-2) if low.shape[-2] else full.expand(low.shape[:-2] + (2,))
    high = torch.where(valid, high, 0.0).amax(-2) if high.shape[-2] else torch.zeros_like(low)
    some = boxes.valid.any(-1, keepdim=True)
    low, high = torch.where(some, low, full / 4), torch.where(some, high, full * 3 / 4)
    middle = torch.minimum(((low + high) / 2).clamp(min=0.5), full - 0.5)
    return torch.minimum(low, middle - 0.5), torch.maximum(high, middle + 0.5)


@geometric(example={"size": (7, 8)})
def mask_crop(
    frame: Size,
    mask: Tensor,
    *,
    size: Any,
    pick: Pick = Uniform(0.0, 1.0),
    position: WholePosition2 = Uniform(0.0, 1.0),
) -> Map:
    """Cut `size=(h, w)` around one of the mask's pixels that are not 0; pixels are copied exactly.

    `pick` chooses among them, row by row, `position` is where the pixel lies in the window, as far as the frame lets
    it. A sample with an empty mask is cut around any pixel. Looks at the mask, so it takes a dict. Source:
    albumentations `CropNonEmptyMaskIfExists`.

    >>> x = {"image": torch.arange(16.0).reshape(1, 4, 4), "mask": torch.eye(4, dtype=torch.long)}
    >>> af.mask_crop(size=1, pick=0.5)(x, None, af.key(0))[0]["image"]
    tensor([[[10.]]])
    """
    target = fitting(size, frame, "mask_crop")
    here = mask != 0
    here = here if here.ndim == pick.ndim + 2 else here.any(-3)
    return window_around(picked_pixel(here, pick.detach()), position, target, frame)


def window_around(pixel: Tensor, position: Tensor, size: Size, frame: Size) -> Map:
    """The window of this size in which a pixel `[*b, d]` lies at a position, as far as the frame lets it."""
    inside = whole(position, constant(tuple(float(n - 1) for n in reversed(size)), position))
    corner = torch.minimum((pixel - inside.to(pixel)).clamp(min=0), room_in(frame, size, pixel))
    return copied_window(frame, size, corner)


def picked_pixel(here: Tensor, pick: Tensor) -> Tensor:
    """(x, y[, z]) `[*b, d]` of the pixel at the share `pick [*b]` of those in `here [*b, *frame]`; of all, where there is
    none."""
    frame = here.shape[pick.ndim :]
    here = here.flatten(pick.ndim)
    here = here | ~here.any(-1, keepdim=True)
    count = here.sum(-1)
    number = torch.minimum(torch.floor(pick * count).to(count), count - 1)
    index = (here.cumsum(-1) <= number.unsqueeze(-1)).sum(-1)
    place = []
    for n in reversed(frame):
        place.append(index % n)
        index = index // n
    return torch.stack(place, -1).to(pick)

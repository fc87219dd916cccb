"""Geometry that changes the frame: crops, resizes, pads."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.core.spec import is_whole
from augfn.distributions import LogUniform, Uniform
from augfn.errors import explain
from augfn.math.lines import gather
from augfn.math.maps import Gather, Map
from augfn.math.resample import Sampling, fill_like, source
from augfn.ops.geometric import frame_like
from augfn.run.constants import cached, constant
from augfn.run.twins import twin
from augfn.typing import Area, Leaf, Position2, Ratio

WholePosition2 = Annotated[
    Any,
    Leaf(
        "position (x, y): 0 = left or top, 1 = right or bottom",
        (2,),
        low=0.0,
        high=1.0,
        flat="the window moves in whole pixels",
    ),
]


def pair(value: Any, what: str) -> Size:
    """A size (h, w) from an int or a pair."""
    sizes = tuple(value) if isinstance(value, list | tuple) else (value, value)
    if len(sizes) != 2 or not all(is_whole(n) and n > 0 for n in sizes):
        raise ValueError(
            explain(
                f"{what}: bad size", value, "(h, w) in positive whole pixels, or one int", "size=(224, 224), or one int"
            )
        )
    return sizes


def fitting(size: Any, frame: Size, what: str) -> Size:
    sizes = pair(size, what)
    if any(n > m for n, m in zip(sizes, frame, strict=True)):
        raise ValueError(explain(f"{what}: larger than the frame", sizes, f"at most {frame}", "pad or resize first"))
    return sizes


def window_map(scale: Tensor, offset: Tensor, size: Size, **known: Any) -> Map:
    """Centred output coordinates u to scale u + offset, both `[*b, 2]`, x first."""
    return Map.linear(torch.diag_embed(scale), offset, size=size, axis_aligned=True, **known)


def copied_window(shift: Tensor, size: Size, corner: Tensor) -> Map:
    """The window of whole pixels at `corner [*b, 2]`."""
    gather = Gather(partial(cut, size=size), corner)
    return window_map(torch.ones_like(shift), shift, size, gather=gather, whole=True)


def fixed_window(scale: tuple[float, float], shift: tuple[float, float]) -> Tensor:
    """The matrix of u to scale u + shift, x first."""
    return cached(make_window, scale, shift)


def make_window(scale: tuple[float, float], shift: tuple[float, float]) -> Tensor:
    return torch.tensor([[scale[0], 0.0, shift[0]], [0.0, scale[1], shift[1]], [0.0, 0.0, 1.0]])


@geometric(example={"size": (7, 8)})
def center_crop(frame: Size, *, size: Any) -> Map:
    """Cut `size=(h, w)` out of the middle, the window's corner at round((H - h) / 2); pixels are copied exactly.

    A size larger than the frame raises (torchvision pads instead). Source: torchvision `center_crop`.

    >>> af.center_crop(size=2)(torch.arange(16.0).reshape(1, 4, 4))[0].tolist()
    [[[5.0, 6.0], [9.0, 10.0]]]
    """
    h, w = fitting(size, frame, "center_crop")
    top, left = round((frame[0] - h) / 2), round((frame[1] - w) / 2)
    matrix = fixed_window((1.0, 1.0), (left + (w - frame[1]) / 2, top + (h - frame[0]) / 2))
    gather = Gather(lambda x, *_: x[..., top : top + h, left : left + w].clone())
    return Map.of(matrix, size=(h, w), gather=gather, axis_aligned=True, whole=True)


@geometric(example={"size": (7, 8)})
def random_crop(frame: Size, *, size: Any, position: WholePosition2 = Uniform(0.0, 1.0)) -> Map:
    """Cut `size=(h, w)` at whole pixels: left = floor(position_x (W - w + 1)), top likewise; pixels are copied exactly.

    `resized_crop` is the window that slides smoothly. Source: torchvision `RandomCrop`; a size larger than the frame
    raises: `pad` first.

    >>> af.random_crop(size=2, position=1.0)(torch.arange(16.0).reshape(1, 4, 4))[0].tolist()
    [[[10.0, 11.0], [14.0, 15.0]]]
    """
    h, w = fitting(size, frame, "random_crop")
    room = constant((float(frame[1] - w), float(frame[0] - h)), position)
    corner = whole(position, room)
    shift = corner - room / 2
    return copied_window(shift, (h, w), corner)


def whole(position: Tensor, room: Tensor) -> Tensor:
    """One of the `room + 1` whole places."""
    return torch.minimum(torch.floor(position.detach() * (room + 1)), room).clamp(min=0)


def cut(x: Tensor, how: Sampling, corner: Tensor, *, size: Size) -> Tensor:
    """The window at `corner [*b, 2]` (left, top) of `x [*b, k, H, W]`."""
    left, top = corner.long().to(x.device).unbind(-1)
    return runs(x, top, left, size)


def gathered(x: Tensor, top: Tensor, left: Tensor, size: Size) -> Tensor:
    rows = top[..., None] + torch.arange(size[0], device=x.device)
    columns = left[..., None] + torch.arange(size[1], device=x.device)
    return gather(gather(x, rows, -2), columns, -1)


@twin(gathered)
def runs(x: Tensor, top: Tensor, left: Tensor, size: Size) -> Tensor:
    """The same by copying runs of w pixels, five times as fast; but its gradient would be as large as all windows."""
    (h, w), (k, rows, columns) = size, x.shape[-3:]
    plane = torch.arange(x.shape[:-2].numel(), device=x.device).reshape(*x.shape[:-2], 1) * rows
    start = (plane + top[..., None, None] + torch.arange(h, device=x.device)) * columns + left[..., None, None]
    found = x.reshape(-1).unfold(0, w, 1).index_select(0, start.flatten()) if x.numel() else x
    return found.reshape(*x.shape[:-3], k, h, w)


@geometric(antialias=True, example={"size": (6, 7)})
def resized_crop(
    frame: Size,
    *,
    size: Any,
    scale: Area = Uniform(0.08, 1.0),
    ratio: Ratio = LogUniform(3 / 4, 4 / 3),
    position: Position2 = Uniform(0.0, 1.0),
) -> Map:
    """Cut a window of a given share of the area and aspect ratio and resize it to `size=(h, w)`.

    w = sqrt(scale W H ratio), h = sqrt(scale W H / ratio), both limited to the frame; left = position_x (W - w), top
    likewise. Closed form in place of torchvision's ten tries; the window slides smoothly, so all leaves have gradients
    (zero for the side that meets the frame). Antialiased where it shrinks. Source: torchvision `RandomResizedCrop`.

    >>> crop = af.resized_crop(size=2, scale=0.25, ratio=1.0, position=0.0)
    >>> crop(torch.arange(16.0).reshape(1, 4, 4))[0].tolist()
    [[[0.0, 1.0], [4.0, 5.0]]]
    """
    target = pair(size, "resized_crop")
    limit = frame_like(frame, scale)
    sides = rectangle(scale, ratio, limit)
    return window_map(sides / frame_like(target, scale), (position - 0.5) * (limit - sides), target)


def rectangle(scale: Tensor, ratio: Tensor, limit: Tensor) -> Tensor:
    """(width, height) `[*b, 2]` of a given share of the frame's area and aspect ratio, each at most the frame's."""
    area = (scale * limit.prod()).clamp(min=1e-12)  # the root has no gradient at 0
    return torch.minimum(torch.sqrt(torch.stack([area * ratio, area / ratio], -1)), limit)


@geometric(antialias=True, example={"size": (7, 13)})
def resize(frame: Size, *, size: Any, side: str = "short") -> Map:
    """Resize to `size=(h, w)`; an int is the length of one side and keeps the aspect ratio. Antialiased where it
    shrinks.

    `side` says which one: "short", "long", "vert" (the height) or "horz" (the width). Half-pixel convention:
    x_in + 0.5 = (x_out + 0.5) W_in / W_out. Source: torchvision `resize`; `side`: kornia `Resize`.

    >>> af.resize(size=(1, 4))(torch.tensor([[[0.0, 1.0]]]))[0]
    tensor([[[0.0000, 0.2500, 0.7500, 1.0000]]])
    """
    return resized(frame, pair(by_side(frame, size, side), "resize"))


def by_side(frame: Size, size: Any, side: str) -> Any:
    """A size from the length of one side, the other truncated to whole pixels, at least 1; a pair is left as it is."""
    h, w = frame
    sides = {"short": min(h, w), "long": max(h, w), "vert": h, "horz": w}
    if side not in sides:
        raise ValueError(explain("resize: side", side, f"one of {', '.join(sides)}", 'side="short"'))
    if not isinstance(size, int) or isinstance(size, bool):
        return size
    return tuple(size if n == sides[side] else max(int(size * n / sides[side]), 1) for n in frame)


def resized(frame: Size, target: Size) -> Map:
    matrix = fixed_window((frame[1] / target[1], frame[0] / target[0]), (0.0, 0.0))
    return Map.of(matrix, size=target, axis_aligned=True, resize=True)


@geometric(example={"padding": (1, 2, 3, 0)})
def pad(frame: Size, *, padding: Any) -> Map:
    """Add pixels at the borders: `padding` is an int, (x, y) or (left, top, right, bottom); the inside is copied
    exactly.

    What lies outside follows `padding_mode` ("zeros", "border", "reflection", "symmetric") or `fill`, whatever an
    earlier crop cut away. Source: torchvision `Pad`.

    >>> af.pad(padding=(1, 0), fill=0.5)(torch.ones(1, 1, 1))[0]
    tensor([[[0.5000, 1.0000, 0.5000]]])
    """
    given = tuple(padding) if isinstance(padding, list | tuple) else (padding,) * 4
    sides = given * 2 if len(given) == 2 else given
    if len(sides) != 4 or not all(is_whole(n) and n >= 0 for n in sides):
        raise ValueError(
            explain(
                "pad: bad padding",
                padding,
                "an int, (x, y) or (left, top, right, bottom), none negative",
                "af.pad(padding=4)",
            )
        )
    return padded(frame, sides)


def padded(frame: Size, sides: tuple[int, ...]) -> Map:
    """The frame with (left, top, right, bottom) pixels more."""
    left, top, right, bottom = sides
    matrix = fixed_window((1.0, 1.0), ((right - left) / 2, (bottom - top) / 2))
    size = (frame[0] + top + bottom, frame[1] + left + right)
    return Map.of(matrix, size=size, gather=Gather(partial(pad_pixels, sides=sides)), flush=True, whole=True)


def pad_pixels(x: Tensor, how: Sampling, _: None, *, sides: tuple[int, ...]) -> Tensor:
    left, top, right, bottom = sides
    if how.level is not None:
        return F.pad(x, (left, right, top, bottom), value=how.level)
    h, w = x.shape[-2:]
    rows, inside_rows = source(torch.arange(-top, h + bottom, device=x.device), h, how.padding)
    columns, inside_columns = source(torch.arange(-left, w + right, device=x.device), w, how.padding)
    out = x.index_select(-2, rows).index_select(-1, columns)
    if how.padding not in (None, "zeros"):
        return out
    return torch.where(inside_rows[:, None] & inside_columns, out, fill_like(x, how.fill or 0.0, 2))

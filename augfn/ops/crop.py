"""Geometry that changes the frame: crops, resizes, pads."""

from __future__ import annotations

from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.core.spec import is_whole
from augfn.distributions import LogUniform, Uniform
from augfn.errors import explain
from augfn.math.frames import copied_window, fixed_window, padded, resized, room_in, whole, window_map
from augfn.math.maps import Map
from augfn.ops.geometric import frame_like
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


WORDS = {2: ("(h, w)", "(224, 224)"), 3: ("(d, h, w)", "(96, 96, 96)")}


def size_of(value: Any, d: int, what: str) -> Size:
    """A size ([d,] h, w) from an int or a sequence."""
    sizes = tuple(value) if isinstance(value, list | tuple) else (value,) * d
    if len(sizes) != d or not all(is_whole(n) and n > 0 for n in sizes):
        order, usual = WORDS[d]
        want, fix = f"{order} in positive whole pixels, or one int", f"size={usual}, or one int"
        raise ValueError(explain(f"{what}: bad size", value, want, fix))
    return sizes


def fitting(size: Any, frame: Size, what: str) -> Size:
    sizes = size_of(size, len(frame), what)
    if any(n > m for n, m in zip(sizes, frame, strict=True)):
        raise ValueError(explain(f"{what}: larger than the frame", sizes, f"at most {frame}", "pad or resize first"))
    return sizes


@geometric(example={"size": (7, 8)})
def center_crop(frame: Size, *, size: Any) -> Map:
    """Cut `size=(h, w)` out of the middle, the window's corner at round((H - h) / 2); pixels are copied exactly.

    A size larger than the frame raises (torchvision pads instead). Source: torchvision `center_crop`.

    >>> af.center_crop(size=2)(torch.arange(16.0).reshape(1, 4, 4))[0].tolist()
    [[[5.0, 6.0], [9.0, 10.0]]]
    """
    target = fitting(size, frame, "center_crop")
    return fixed_window(frame, target, tuple(round((n - m) / 2) for n, m in zip(frame, target, strict=True)))


@geometric(example={"size": (7, 8)})
def random_crop(frame: Size, *, size: Any, position: WholePosition2 = Uniform(0.0, 1.0)) -> Map:
    """Cut `size=(h, w)` at whole pixels: left = floor(position_x (W - w + 1)), top likewise; pixels are copied exactly.

    `resized_crop` is the window that slides smoothly. Source: torchvision `RandomCrop`; a size larger than the frame
    raises: `pad` first.

    >>> af.random_crop(size=2, position=1.0)(torch.arange(16.0).reshape(1, 4, 4))[0].tolist()
    [[[10.0, 11.0], [14.0, 15.0]]]
    """
    return placed_window(frame, fitting(size, frame, "random_crop"), position)


def placed_window(frame: Size, size: Size, position: Tensor) -> Map:
    return copied_window(frame, size, whole(position, room_in(frame, size, position)))


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
    target = size_of(size, 2, "resized_crop")
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
    return resized(frame, size_of(by_side(frame, size, side), 2, "resize"))


def by_side(frame: Size, size: Any, side: str) -> Any:
    """A size from the length of one side, the other truncated to whole pixels, at least 1; a pair is left as it is."""
    h, w = frame
    sides = {"short": min(h, w), "long": max(h, w), "vert": h, "horz": w}
    if side not in sides:
        raise ValueError(explain("resize: side", side, f"one of {', '.join(sides)}", 'side="short"'))
    if not isinstance(size, int) or isinstance(size, bool):
        return size
    return tuple(size if n == sides[side] else max(int(size * n / sides[side]), 1) for n in frame)


@geometric(example={"padding": (1, 2, 3, 0)})
def pad(frame: Size, *, padding: Any) -> Map:
    """Add pixels at the borders: `padding` is an int, (x, y) or (left, top, right, bottom); the inside is copied
    exactly.

    What lies outside follows `padding_mode` ("zeros", "border", "reflection", "symmetric") or `fill`, whatever an
    earlier crop cut away. Source: torchvision `Pad`.

    >>> af.pad(padding=(1, 0), fill=0.5)(torch.ones(1, 1, 1))[0]
    tensor([[[0.5000, 1.0000, 0.5000]]])
    """
    return padded(frame, *sides_of(padding, 2, "pad", "(x, y) or (left, top, right, bottom)"))


def sides_of(padding: Any, d: int, what: str, words: str) -> tuple[Size, Size]:
    """Pixels before and after the frame, along the array's axes, from an int, d or 2 d numbers, x first."""
    given = tuple(padding) if isinstance(padding, list | tuple) else (padding,) * d
    sides = given * 2 if len(given) == d else given
    if len(sides) != 2 * d or not all(is_whole(n) and n >= 0 for n in sides):
        want = f"an int, {words}, none negative"
        raise ValueError(explain(f"{what}: bad padding", padding, want, f"af.{what}(padding=4)"))
    return sides[:d][::-1], sides[d:][::-1]

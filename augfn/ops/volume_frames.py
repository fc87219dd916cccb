"""Geometry of volumes that changes the frame: crops, pads, resizes, a resample to a spacing."""

from __future__ import annotations

import math
from typing import Annotated, Any

import torch
from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import geometric
from augfn.core.boxes import Boxes
from augfn.core.spec import is_whole, native
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math.frames import fixed_window, padded, resized, window_map
from augfn.math.maps import Map
from augfn.ops.crop import fitting, placed_window, sides_of, size_of
from augfn.ops.frames import Pick, on_canvas, picked_pixel, window_around
from augfn.run.constants import constant
from augfn.typing import Leaf

WholePosition3 = Annotated[
    Any,
    Leaf(
        "position (x, y, z): 0 = the low end, 1 = the high end",
        (3,),
        low=0.0,
        high=1.0,
        flat="the window moves in whole voxels",
    ),
]
Which = Annotated[Any, Leaf("which label, by the ratios' shares", low=0.0, high=1.0, flat="a label is chosen")]


@geometric(ndim=3, example={"size": (5, 5, 6)})
def center_crop3d(frame: Size, *, size: Any) -> Map:
    """Cut `size=(d, h, w)` out of the middle, the window's first voxel at (N - n) // 2; voxels are copied exactly.

    A size larger than the frame raises: `pad_to3d` first. MONAI starts at N // 2 - n // 2, TorchIO at ceil((N - n) / 2), which
    differ by a voxel where N - n is odd. Source: kornia `CenterCrop3D`.

    >>> af.center_crop3d(size=(1, 1, 2))(torch.arange(4.0).reshape(1, 1, 1, 4))[0].flatten()
    tensor([1., 2.])
    """
    target = fitting(size, frame, "center_crop3d")
    return fixed_window(frame, target, tuple((n - m) // 2 for n, m in zip(frame, target, strict=True)))


@geometric(ndim=3, example={"size": (5, 5, 6)})
def random_crop3d(frame: Size, *, size: Any, position: WholePosition3 = Uniform(0.0, 1.0)) -> Map:
    """Cut `size=(d, h, w)` at whole voxels: first = floor(position (N - n + 1)) along each axis; voxels are copied exactly.

    A size larger than the frame raises: `pad_to3d` first. Source: MONAI `RandSpatialCrop(random_size=False)`, kornia
    `RandomCrop3D`.

    >>> af.random_crop3d(size=(1, 1, 2), position=1.0)(torch.arange(4.0).reshape(1, 1, 1, 4))[0].flatten()
    tensor([2., 3.])
    """
    return placed_window(frame, fitting(size, frame, "random_crop3d"), position)


@geometric(ndim=3, example={"size": (5, 5, 6)})
def foreground_crop3d(
    frame: Size,
    mask: Tensor | None = None,
    boxes: Boxes | None = None,
    *,
    size: Any,
    ratios: Any = None,
    around: str = "mask",
    label: Which = Uniform(0.0, 1.0),
    pick: Pick = Uniform(0.0, 1.0),
    position: WholePosition3 = Uniform(0.0, 1.0),
) -> Map:
    """Cut `size=(d, h, w)` around a voxel of a label that is drawn first; voxels are copied exactly.

    * `ratios`: None: any voxel above 0; (background, foreground): 0 against all labels above it; three or more: one number for
      each label 0, 1, 2, .... Labels below 0 (nnU-Net's -1) are never chosen; others that a sample lacks are left out; a
      sample with none of them is cut around any voxel.
    * `label` draws among them, `pick` among the voxels of that label, `position` is where the voxel lies in the window, as far
      as the frame lets it: 0.5 in the middle, as MONAI has it (first = c - floor(n / 2)), which a net can learn to expect.

    around="boxes": the voxel is the centre of a valid box, which `pick` chooses; two `ratios`, of which the first is for a voxel
    of the whole volume. Looks at the mask or the boxes, so it takes a dict. Source: MONAI `RandCropByPosNegLabel`
    (`ratios=(neg, pos)`, without its threshold of the image), `RandCropByLabelClasses`; nnU-Net's oversampling of the
    foreground is `ratios` of equal numbers with 0 first.

    >>> x = {"volume": torch.arange(4.0).reshape(1, 1, 1, 4), "mask": torch.tensor([[[0, 0, 5, 0]]])}
    >>> af.foreground_crop3d(size=1)(x, None, af.key(0))[0]["volume"].flatten()
    tensor([2.])
    """
    target = fitting(size, frame, "foreground_crop3d")
    if around not in ("mask", "boxes"):
        raise ValueError(explain("foreground_crop3d: around", around, "'mask' or 'boxes'", 'around="boxes"'))
    if around == "boxes":
        if boxes is None or (ratios is not None and len(ratios_of(ratios)) != 2):
            given = ratios if boxes is not None else "no boxes"
            want, fix = "a dict with boxes, and two ratios", 'f({"volume": v, "boxes": boxes}, None, key)'
            raise ValueError(explain("foreground_crop3d looks at boxes", given, want, fix))
        return window_around(box_centre(boxes, frame, ratios, label, pick), halved(position, target), target, frame)
    if mask is None:
        fix = 'f({"volume": v, "mask": mask}, None, key), or around="boxes"'
        raise ValueError(explain("foreground_crop3d looks at the mask", "no mask", "a dict with one", fix))
    planes = mask.ndim > pick.ndim + 3
    if ratios is None:
        here = foreground(mask).any(-4) if planes else foreground(mask)
    else:
        here = labelled(single(mask, pick.ndim) if planes else mask, ratios_of(ratios), label.detach())
    pixel = picked_pixel(here, pick.detach())
    return window_around(pixel, halved(position, target), target, frame)


def halved(position: Tensor, target: Size) -> Tensor:
    """A position of which 0.5 is the middle, of an even size the later of the two voxels."""
    half = constant(tuple(n // 2 / max(n - 1, 1) for n in reversed(target)), position)
    return torch.where(position == 0.5, half.expand_as(position), position)


def box_centre(boxes: Boxes, frame: Size, ratios: Any, label: Tensor, pick: Tensor) -> Tensor:
    """The voxel `[*b, 3]` in the middle of a valid box; with ratios sometimes, and without a valid box always, any voxel."""
    low, high = boxes.xyxy(frame).to(pick).chunk(2, -1)
    valid, pick = boxes.valid, pick.detach()
    here = valid | ~valid.any(-1, keepdim=True)
    number = torch.floor(pick * here.sum(-1)).unsqueeze(-1)
    which = (here.cumsum(-1) <= number).sum(-1).clamp(max=max(valid.shape[-1] - 1, 0))
    index = which[..., None, None].expand(*which.shape, 1, 3)
    middle = (low + high) / 2 - 0.5
    none = middle.new_zeros(*middle.shape[:-2], 3)
    centre = middle.gather(-2, index)[..., 0, :] if valid.shape[-1] else none
    anywhere = picked_pixel(torch.ones((*pick.shape, *frame), dtype=torch.bool, device=pick.device), pick)
    share = 0.0 if ratios is None else ratios_of(ratios)[0] / sum(ratios_of(ratios))
    there = valid.any(-1) & (label.detach() >= share)
    top = constant(tuple(float(n - 1) for n in reversed(frame)), centre)
    return torch.where(there[..., None], torch.minimum(centre.round().clamp(min=0), top), anywhere)


def single(mask: Tensor, batch: int) -> Tensor:
    """The labels `[*b, D, H, W]` of a mask with a channel of its own."""
    if mask.shape[batch] != 1:
        want = "labels [*batch, D, H, W] or [*batch, 1, D, H, W]"
        raise ValueError(explain("foreground_crop3d: a mask of several channels", mask, want, "mask.argmax(-4)"))
    return mask.squeeze(batch)


def foreground(mask: Tensor) -> Tensor:
    """Where labels are above 0 (torch compares no unsigned numbers)."""
    return mask > 0 if mask.dtype.is_signed else mask != 0


def ratios_of(ratios: Any) -> tuple[float, ...]:
    given = tuple(ratios) if isinstance(ratios, list | tuple) else ()
    if len(given) < 2 or not all(isinstance(r, int | float) and r >= 0 for r in given) or not sum(given):
        want = "(background, foreground), or one number for each label, none negative"
        raise ValueError(explain("foreground_crop3d: ratios", ratios, want, "ratios=(1, 1)"))
    return given


def labelled(mask: Tensor, ratios: tuple[float, ...], label: Tensor) -> Tensor:
    """The voxels `[*b, D, H, W]` of the label that is drawn among those that are there."""
    known = [mask == k for k in range(len(ratios))] if len(ratios) > 2 else [mask == 0, foreground(mask)]
    there = torch.stack([k.flatten(label.ndim).any(-1) for k in known], -1)
    shares = there * constant(tuple(map(float, ratios)), label)
    none = shares.sum(-1) <= 0
    upto = shares.cumsum(-1)
    drawn = torch.minimum(label * upto[..., -1], torch.nextafter(upto[..., -1], torch.zeros_like(label)))
    which = (upto <= drawn[..., None]).sum(-1)
    chosen = [k & (which == i)[..., None, None, None] for i, k in enumerate(known)]
    return torch.stack(chosen).any(0) | none[..., None, None, None]


@geometric(ndim=3, example={"padding": (1, 2, 0, 3, 0, 1)})
def pad3d(frame: Size, *, padding: Any) -> Map:
    """Add voxels at the borders: `padding` is an int, (x, y, z) or (left, top, front, right, bottom, back); the inside is
    copied exactly.

    What lies outside follows `padding_mode` or `fill`, as in `pad`. Source: TorchIO `Pad`, MONAI `BorderPad`.

    >>> af.pad3d(padding=(1, 0, 0), fill=0.5)(torch.ones(1, 1, 1, 1))[0].flatten()
    tensor([0.5000, 1.0000, 0.5000])
    """
    words = "(x, y, z) or (left, top, front, right, bottom, back)"
    return padded(frame, *sides_of(padding, 3, "pad3d", words))


@geometric(ndim=3, example={"size": (7, 9, 12)})
def pad_to3d(
    frame: Size, *, size: Any = None, divisible: int | None = None, position: WholePosition3 | None = None
) -> Map:
    """Pad up to `size=(d, h, w)`, or up to the next multiples of `divisible`; a side that is longer stays. Copied exactly.

    `position` is where the volume lies on the larger frame: None all around it, half of the voxels before it (rounded down),
    0 at its low ends. What lies outside follows `padding_mode` or `fill`, as in `pad`. Source: MONAI `SpatialPad`,
    `DivisiblePad`.

    >>> af.pad_to3d(size=(1, 1, 4), fill=0.5)(torch.ones(1, 1, 1, 1))[0].flatten()
    tensor([0.5000, 1.0000, 0.5000, 0.5000])
    """
    if (size is None) == (divisible is None):
        raise ValueError(explain("pad_to3d: size or divisible", (size, divisible), "one of both", "size=(96, 96, 96)"))
    if divisible is not None:
        if not is_whole(divisible) or divisible < 1:
            raise ValueError(explain("pad_to3d: divisible", divisible, "a positive whole number", "divisible=16"))
        size = tuple(-(-n // divisible) * divisible for n in frame)
    least = size_of(size, 3, "pad_to3d")
    if position is not None:
        return on_canvas(frame, least, position)
    more = [max(m - n, 0) for m, n in zip(least, frame, strict=True)]
    return padded(frame, tuple(n // 2 for n in more), tuple(n - n // 2 for n in more))


@geometric(ndim=3, antialias=True, example={"size": (5, 8, 9)})
def resize3d(frame: Size, *, size: Any) -> Map:
    """Resize to `size=(d, h, w)` or to a cube of one int. Antialiased where it shrinks.

    Half-voxel convention: x_in + 0.5 = (x_out + 0.5) W_in / W_out, along every axis. Source: MONAI `Resize`, with
    `antialias=False` its mode "trilinear".

    >>> af.resize3d(size=(1, 1, 4))(torch.tensor([[[[0.0, 1.0]]]]))[0].flatten()
    tensor([0.0000, 0.2500, 0.7500, 1.0000])
    """
    return resized(frame, size_of(size, 3, "resize3d"))


@geometric(ndim=3, antialias=True, example={"source": (1.0, 1.0, 2.0), "spacing": (1.23, 0.91, 1.57)})
def spacing3d(frame: Size, *, spacing: Any, source: Any, size: Any = None) -> Map:
    """Resample from voxels of `source` mm (x, y, z) to voxels of `spacing` mm. Antialiased where it shrinks.

    The new frame has floor(n source / spacing + 1/2) voxels along each axis, or `size=(d, h, w)` (cut or filled around the
    centre).
    The centre stays, and voxels are exactly of that spacing: the world coordinates of an `affine` target stay true.
    Volumes of different spacings: `af.read_volume(path, spacing=...)` does it for each file. Source: MONAI `Spacing`, TorchIO
    `Resample`.

    >>> af.spacing3d(source=(1.0, 1.0, 2.0), spacing=(1.0, 1.0, 1.0))(torch.zeros(1, 3, 4, 5))[0].shape
    torch.Size([1, 6, 4, 5])
    """
    old, new = (mm_of(v, n) for v, n in ((source, "source"), (spacing, "spacing")))
    slack = 0.5 + 1e-4  # so that headers which differ by roundings give one size
    found = tuple(max(1, math.floor(n * a / b + slack)) for n, a, b in zip(reversed(frame), old, new, strict=True))
    target = found[::-1] if size is None else size_of(size, 3, "spacing3d")
    like = torch.zeros(3)
    scale = constant(tuple(b / a for a, b in zip(old, new, strict=True)), like)
    inside = all(m * b / a <= n + 1e-6 for m, n, a, b in zip(reversed(target), reversed(frame), old, new, strict=True))
    if inside:
        return window_map(scale, like, target)
    return Map.linear(torch.diag_embed(scale), like, size=target, flush=True)


def mm_of(value: Any, what: str) -> tuple[float, ...]:
    value = native(value)
    given = tuple(value) if isinstance(value, list | tuple) else (value,) * 3
    if len(given) != 3 or not all(isinstance(v, int | float) and v > 0 for v in given):
        want, fix = "(x, y, z) in mm, above 0", f"{what}=(1.0, 1.0, 2.0)"
        raise ValueError(explain(f"spacing3d: {what}", value, want, fix))
    return tuple(map(float, given))

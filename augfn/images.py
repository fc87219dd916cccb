"""Images in and out: integer tensors, numpy arrays and PIL images to floating tensors, and back."""

from __future__ import annotations

from functools import partial
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from augfn.core.actions import Action, Convert, Size
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.errors import explain, warn
from augfn.math.integers import to_bytes, to_unit
from augfn.math.resample import Sampling
from augfn.run.looks import FAR
from augfn.run.peek import peek

AXES = "NTCDHW"  # batch, time, channels, depth, height, width
FEW = range(1, 5)  # channels that an array is believed to have in its last axis
MODES = (
    "1",
    "L",
    "LA",
    "RGB",
    "RGBA",
    "F",
    "I",
    "I;16",
    "I;16L",
    "I;16B",
    "I;16N",
)  # of PIL, whose numbers are intensities
CHANNELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class Conversion(Augmentation):
    """A step that changes the dtype of images, videos and volumes; masks and all else stay as they are."""

    def __init__(self, name: str, **static: Any) -> None:
        super().__init__(
            name,
            {},
            {},
            spatial=False,
            takes_integers=True,
            gives_integers=name == "to_uint8",
            bounded=name == "to_uint8",
        )
        self.static = static

    def plan(self, params: Params, size: Size, sampling: Sampling) -> list[Action]:
        return [Convert(to_bytes if self.gives_integers else partial(to_unit, full=self.static["max"]))]

    def __repr__(self) -> str:
        given = ", ".join(f"{n}={v!r}" for n, v in self.static.items() if v is not None)
        return f"{self.name}({given})"


@overload
def to_float(x: None = None, *, max: float | None = None) -> Conversion: ...
@overload
def to_float(x: Any, *, max: float | None = None, layout: str | None = None) -> Tensor: ...
def to_float(x: Any = None, *, max: float | None = None, layout: str | None = None) -> Any:
    """An image as floating numbers, x / max: `to_float(x)`; without an image a step that does so: `to_float()`.

    * `x`: a tensor, a numpy array or a PIL image. uint8 is divided by 255, uint16 by 65535, bool by 1, to float32; of
      other integers `max` must be said. Floats are kept as they are, or divided by `max`.
    * `max`: the value of full scale: 4095 of 12 bits in a uint16, 65535 of 16 bits in an int32.
    * `layout`: the axes as they are, of the letters N (batch), T (time), C (channels), D, H, W: "HWC", "NHWC", "HW",
      "NCDHW". They come out as N T C D H W, with one channel where there is no C. Unsaid, a tensor is channels first
      and is not touched; of arrays `[H, W]`, `[H, W, C]` and `[N, H, W, C]` are recognised, where the last axis has 1
      to 4 entries and that of the channels in `[C, H, W]` has more.

    PIL images with a palette, CMYK or another colour space are refused: `image.convert("RGB")`. One turned by its EXIF
    tag is as it was stored: `PIL.ImageOps.exif_transpose(image)`.

    As a step it comes first: a pipeline that begins with it takes integer images, which cross to a GPU as they are.

    >>> to_float(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([0., 1.])
    >>> to_float(np.zeros((8, 6, 3), np.uint8)).shape
    torch.Size([3, 8, 6])
    >>> import augfn as af
    >>> af.pipeline(af.to_float(), af.hflip())(torch.zeros(3, 4, 6, dtype=torch.uint8))[0].dtype
    torch.float32
    """
    if max is not None and not (isinstance(max, int | float) and max > 0):
        raise ValueError(explain("to_float: max", max, "a positive number, the value of full scale", "max=255"))
    if x is not None:
        return to_unit(channels_first(x, layout), max)
    if layout is not None:
        fix = "af.to_float(x, layout=...) before the pipeline"
        raise ValueError(explain("to_float: a step knows no layout", layout, "tensors, channels first", fix))
    return Conversion("to_float", max=max)


@overload
def to_uint8(x: None = None) -> Conversion: ...
@overload
def to_uint8(x: Any, *, layout: str | None = None) -> Tensor: ...
def to_uint8(x: Any = None, *, layout: str | None = None) -> Any:
    """[0, 1] as uint8, 255 x rounded, clamped at the ends: `to_uint8(x)`; without an image a step, the last of a pipeline.

    Images, layouts and channels as in `to_float`, of which it is the inverse: `to_uint8(to_float(x))` is x, bit for bit.

    >>> to_uint8(torch.tensor([-0.1, 0.0, 0.5, 1.0, 1.2]))
    tensor([  0,   0, 128, 255, 255], dtype=torch.uint8)
    """
    if x is not None:
        x = channels_first(x, layout)
        look_at_unit("to_uint8", x)
        return to_bytes(x)
    return Conversion("to_uint8")


def look_at_unit(what: str, x: Tensor) -> None:
    """A warning where floats lie far above 1, which are all white as bytes."""
    values = peek(x) if x.is_floating_point() else None
    if values is not None and values.size and FAR <= values.max() < np.inf:
        given, fix = (
            f"values up to {values.max():g}",
            "x.to(torch.uint8) of 0 to 255, or af.to_float(x, max=255) before it",
        )
        warn(explain(f"{what}: clamped at 1", given, "an image in [0, 1]", fix))


def to_pil(x: Tensor) -> Any:
    """A tensor `[C, H, W]` of 1 to 4 channels (grey, grey and alpha, RGB, RGBA), floating in [0, 1] or of integers, as a
    PIL image; of `[N, C, H, W]` a list of them. Needs pillow (the extra `viz`).

    >>> to_pil(torch.zeros(3, 4, 6)).size
    (6, 4)
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(explain("to_pil needs pillow", "no module PIL", "pillow", "pip install pillow")) from error
    if not isinstance(x, Tensor) or x.ndim not in (3, 4) or x.shape[-3] not in CHANNELS:
        fix = "x[..., :3, :, :] shows the first three of more channels, x[None] a plane [H, W]"
        raise ValueError(explain("to_pil: not an image", x, "a tensor [C, H, W] or [N, C, H, W], C from 1 to 4", fix))
    if x.ndim == 4:
        return [to_pil(one) for one in x]
    look_at_unit("to_pil", x)
    array = to_bytes(x.detach()).cpu().permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if len(x) == 1 else array), CHANNELS[len(x)])


def channels_first(x: Any, layout: str | None) -> Tensor:
    """A tensor, numpy array or PIL image as a tensor whose axes are N T C D H W."""
    if isinstance(x, Tensor):
        return x if layout is None else ordered(x, layout)
    if hasattr(x, "getbands") and hasattr(x, "mode"):
        if x.mode not in MODES:
            want = f"one of the modes {', '.join(MODES)}"
            raise ValueError(explain("a PIL image whose numbers are no intensities", x, want, 'image.convert("RGB")'))
        layout = layout or ("HWC" if len(x.getbands()) > 1 else "HW")
        x = np.asarray(x)
    if not isinstance(x, np.ndarray):
        want, fix = "a torch tensor, a numpy array or a PIL image", "PIL.Image.open(path), np.load(path), ... before it"
        if isinstance(x, list | tuple):
            fix = "[af.to_float(image) for image in images], or np.array(x) of one"
        raise TypeError(explain("not an image", x, want, fix))
    return ordered(tensor_of(x), layout or layout_of(x))


def tensor_of(x: np.ndarray) -> Tensor:
    """On the array's memory where torch can: a copy of what is read-only, backward, or of another byte order."""
    good = x.flags.writeable and x.dtype.isnative and all(s >= 0 for s in x.strides)
    return torch.from_numpy(x if good else np.array(x, x.dtype.newbyteorder("=")))


def layout_of(x: np.ndarray) -> str:
    if x.ndim == 2:
        return "HW"
    if x.ndim in (3, 4) and x.shape[-1] in FEW and x.shape[-3] not in FEW:
        return "NHWC"[4 - x.ndim :]
    fix = f'layout="{"NCHW"[max(0, 4 - x.ndim) :]}", or "{"NHWC"[max(0, 4 - x.ndim) :]}"'
    raise ValueError(explain("an array's axes cannot be told", x, "layout=, the axes as they are", fix))


def ordered(x: Tensor, layout: str) -> Tensor:
    """The axes as N T C D H W, with one channel where there is none."""
    if len(set(layout)) != len(layout) or not set("HW") <= set(layout) <= set(AXES) or len(layout) != x.ndim:
        want = f"{x.ndim} different letters of {AXES}, H and W among them"
        raise ValueError(explain("layout", layout, want, 'layout="HWC"'))
    x = x.permute([layout.index(axis) for axis in AXES if axis in layout]).contiguous()
    return x if "C" in layout else x.unsqueeze(-len(set("DHW") & set(layout)) - 1)

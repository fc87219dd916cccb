"""Tone: steps, histograms, curves and compression of the values of an image."""

from __future__ import annotations

from typing import Annotated, Any

from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import filtering, photometric
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import jpeg as codec
from augfn.math import tone
from augfn.math.shapes import over, shaped
from augfn.typing import Leaf

Bits = Annotated[
    Any,
    Leaf(
        "bits that are kept, of 8",
        neutral=8.0,
        low=0.0,
        high=8.0,
        flat="bits are rounded to a whole number (but for grad='soft')",
        grads=("soft",),
    ),
]
ClipLimit = Annotated[
    Any,
    Leaf(
        "multiple of the mean count of a level; 0 = no limit",
        low=0.0,
        flat="the limit and the table are whole numbers (but for grad='soft')",
        grads=("soft",),
    ),
]
Levels = Annotated[
    Any,
    Leaf(
        "levels",
        low=2.0,
        high=256.0,
        flat="levels are rounded to a whole number (but for grad='soft')",
        grads=("soft",),
    ),
]
Shadows = Annotated[Any, Leaf("height of the curve's first control point", neutral=1 / 3, low=0.0, high=1.0)]
Highlights = Annotated[Any, Leaf("height of the curve's second control point", neutral=2 / 3, low=0.0, high=1.0)]
Quality = Annotated[Any, Leaf("JPEG quality", low=1.0, high=100.0)]


@photometric(single_pass=True)
def posterize(x: Tensor, *, bits: Bits = Uniform(3.0, 8.0), grad: str = "none") -> Tensor:
    """Keep the highest `bits` of the 8 of every level: y = floor(255 x / s) s / 255, s = 2^(8 - bits); x at 8 bits.

    `bits` is rounded to the nearest whole number. Gradient to the image: 0; grad="ste": 1; grad="soft": that of smooth
    stairs. Gradient to the bits: 0; grad="soft": y at the next whole number above, less y at the one below. Source:
    torchvision `posterize` on bytes.

    >>> af.posterize(bits=1)(torch.tensor([[[0.2, 0.4, 0.8]]]))[0] * 255
    tensor([[[  0.,   0., 128.]]])
    """
    return tone.posterize(x, over(x, bits), grad)


@photometric
def equalize(x: Tensor, frame: Size, *, grad: str = "none") -> Tensor:
    """Make the histogram of every channel uniform, over 256 levels (of a volume as one, of a video per frame).

    A channel of fewer than 256 pixels outside its highest level stays as it is. Gradient to the image: 0; grad="ste":
    1; grad="soft": that of the piecewise linear distribution function. Source: torchvision `equalize`, PIL.

    >>> x = torch.linspace(0, 1, 1024).reshape(1, 32, 32) ** 2
    >>> x.mean(), af.equalize()(x)[0].mean()
    (tensor(0.3335), tensor(0.4975))
    """
    return shaped(tone.equalize(x.flatten(-len(frame)), grad), x.shape)


@photometric
def autocontrast(x: Tensor, frame: Size) -> Tensor:
    """Stretch every channel to [0, 1]: y = (x - min) / (max - min); a constant channel stays as it is.

    A channel is the whole of a volume, a frame of a video. Differentiable, through the extremes too. Source:
    torchvision `autocontrast`.

    >>> af.autocontrast()(torch.tensor([[[0.2, 0.3, 0.6]]]))[0]
    tensor([[[0.0000, 0.2500, 1.0000]]])
    """
    return shaped(tone.autocontrast(x.flatten(-len(frame))), x.shape)


@filtering(planar=True)
def clahe(x: Tensor, *, clip_limit: ClipLimit = 40.0, grid_size: Any = (8, 8), grad: str = "none") -> Tensor:
    """Contrast limited adaptive histogram equalization: equalize in `grid_size` = (rows, columns) tiles, blended.

    `clip_limit` bounds what a level may count, in multiples of the mean. A tile of one pixel turns white: small frames
    want a smaller grid. The slices of a volume are planes of their own. Gradient: 0; grad="ste": 1; grad="soft": to the
    image and the limit, that of linear histograms and tables.
    Source: Zuiderveld 1994; kornia `equalize_clahe`, OpenCV.

    >>> x = torch.rand(1, 32, 32) * 0.2 + 0.4
    >>> af.clahe(grid_size=(2, 2))(x)[0].std() > 2 * x.std()
    tensor(True)
    """
    grid = tuple(grid_size) if isinstance(grid_size, list | tuple) else (grid_size, grid_size)
    if len(grid) != 2 or any(not isinstance(n, int) or n < 1 for n in grid):
        raise ValueError(
            explain("clahe: bad grid_size", grid_size, "whole numbers (rows, columns) of tiles", "grid_size=(8, 8)")
        )
    return tone.clahe(x, over(x, clip_limit), grid, grad)


@photometric(clip="clamp", pointwise=True)
def tone_curve(
    x: Tensor,
    *,
    shadows: Shadows = Uniform(0.1, 0.4),
    highlights: Highlights = Uniform(0.6, 0.9),
) -> Tensor:
    """A cubic Bezier curve: y = 3 (1 - x)^2 x shadows + 3 (1 - x) x^2 highlights + x^3.

    The heights of its control points; 1/3 and 2/3 are neutral, less in the shadows and more in the highlights is more
    contrast. Source: albumentations `RandomToneCurve`.

    >>> af.tone_curve(shadows=0.0, highlights=1.0)(torch.tensor([[[0.25, 0.5, 0.75]]]))[0]
    tensor([[[0.1562, 0.5000, 0.8438]]])
    """
    return tone.tone_curve(x, over(x, shadows), over(x, highlights))


@filtering(planar=True)
def dither(x: Tensor, *, levels: Levels = Uniform(2.0, 8.0), size: int = 4, grad: str = "none") -> Tensor:
    """Few levels and a Bayer pattern between them: y = floor((levels - 1) x + T) / (levels - 1).

    T repeats the thresholds of the Bayer matrix of `size` 2, 4, 8 or 16; `levels` is rounded to the nearest whole
    number. A volume slice by slice. Gradient to the image: 0; grad="ste": 1; grad="soft": that of smooth stairs. Gradient
    to the levels: 0; grad="soft": y at the next whole number above, less y at the one below. Source: Bayer 1973.

    >>> af.dither(levels=2, size=2)(torch.full((1, 2, 4), 0.5))[0]
    tensor([[[0., 1., 0., 1.],
             [1., 0., 1., 0.]]])
    """
    if size not in (2, 4, 8, 16):
        raise ValueError(explain("dither: bad size", size, "2, 4, 8 or 16", "size=4"))
    return tone.dither(x, over(x, levels), size, grad)


@filtering(clip="clamp", requires_rgb=True, planar=True)
def jpeg(x: Tensor, *, quality: Quality = Uniform(30.0, 95.0), grad: str = "soft") -> Tensor:
    """What is left after JPEG compression, 4:2:0, standard tables; any size, slices and frames one by one.

    | grad | value | gradient to image and quality |
    |---|---|---|
    | `"soft"` | Diff-JPEG, cubic roundings | its own |
    | `"ste"` | libjpeg's codec | straight-through |
    | `"none"` | libjpeg's codec | 0 |

    Source: Reich et al. 2024, Shin and Song 2017; kornia `jpeg_codec_differentiable`.

    >>> x = torch.linspace(0, 1, 256).reshape(16, 16).expand(3, 16, 16)
    >>> [f"{(af.jpeg(quality=q)(x)[0] - x).abs().mean():.3f}" for q in (90.0, 10.0)]
    ['0.001', '0.014']
    """
    return codec.codec(x, over(x, quality), grad)

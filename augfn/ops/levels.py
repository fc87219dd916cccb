"""Levels of channels: windows, percentiles, standard scores, histograms that shift; of a volume as one, of a video per
frame."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from augfn.core.actions import Size
from augfn.core.augmentation import photometric
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math import tone
from augfn.math.color import clip
from augfn.math.shapes import shaped
from augfn.run.peek import peek
from augfn.run.twins import twin
from augfn.typing import Leaf

Bound = Annotated[Any, Leaf("percentile from 0 to 100, or intensity")]
Shifts = Annotated[Any, Leaf("shift of a point, in distances of points", (8,), neutral=0.0, low=-0.5, high=0.5)]
UNITS = ("percentile", "value")
ALIKE = 16  # roundings: a channel whose standard deviation is less than so many of its mean is constant


def channels(x: Tensor, frame: Size) -> Tensor:
    """`[*b, C, *frame]` as `[*b, C, n]`."""
    return x.flatten(-len(frame))


@photometric(
    example={"low": (1.45, 1.6), "high": (96.92, 97.1)}
)  # no two values alike there, in what laws are tried on
def intensity_window(
    x: Tensor,
    frame: Size,
    *,
    low: Bound = 0.5,
    high: Bound = 99.5,
    unit: str = "percentile",
    out: Any = (0.0, 1.0),
    cut: bool = True,
) -> Tensor:
    """Map the window from `low` to `high` linearly to `out`, and cut off what lies outside (unless `cut` is False).

    unit="percentile": percentiles of each channel, linear between its values, with a gradient to both; unit="value":
    intensities, such as the Hounsfield units of a CT. A channel whose window has no width, such as a constant one, becomes
    the first of `out`. Source: MONAI `ScaleIntensityRangePercentiles`, `ScaleIntensityRange`, TorchIO `RescaleIntensity`.

    >>> af.intensity_window(low=-100.0, high=300.0, unit="value")(torch.tensor([[[-500.0, 0.0, 200.0]]]))[0]
    tensor([[[0.0000, 0.2500, 0.7500]]])
    """
    if unit not in UNITS:
        raise ValueError(explain("intensity_window: bad unit", unit, f"one of {UNITS}", 'unit="percentile"'))
    first, last = ends(out)
    flat = channels(x, frame)
    low, high = low[..., None, None], high[..., None, None]
    if unit == "percentile":
        check_percentiles(low, high)
        low, high = percentiles(flat, torch.cat([low, high], -1)).split(1, -1)
    none = low == high
    scale = (high - low).masked_fill(none, 1).reciprocal().masked_fill(none, 0)
    y = torch.addcmul(-low * scale, flat, scale)
    y = clip(y, "clamp") if cut else y
    return shaped(y if (first, last) == (0, 1) else y * (last - first) + first, x.shape)


def check_percentiles(*bounds: Tensor) -> None:
    for bound in bounds:
        values = peek(bound)
        if values is not None and ((values < 0) | (values > 100)).any():
            fix = 'unit="value", if these are intensities'
            raise ValueError(explain("intensity_window: bad percentile", values.ravel()[:4].tolist(), "0 to 100", fix))


def ends(out: Any) -> tuple[float, float]:
    """Two numbers."""
    good = isinstance(out, list | tuple) and len(out) == 2
    if not good or any(isinstance(v, bool) or not isinstance(v, int | float) for v in out):
        raise ValueError(explain("intensity_window: bad out", out, "two numbers (first, last)", "out=(0.0, 1.0)"))
    return float(out[0]), float(out[1])


def percentiles(x: Tensor, q: Tensor) -> Tensor:
    """Percentiles `q [..., r]` of `x [..., n]`, between two values linear, `[..., r]`; numpy's default.

    >>> percentiles(torch.tensor([3.0, 1.0, 2.0]), torch.tensor([50.0, 75.0]))
    tensor([2.0000, 2.5000])
    """
    n = x.shape[-1]
    place = q.double() * ((n - 1) / 100)
    first = place.detach().floor().clamp(0, n - 1)
    ranks = torch.cat([first, (first + 1).clamp(max=n - 1)], -1).long()
    lower, upper = ranked(x, ranks.expand(*x.shape[:-1], -1)).chunk(2, -1)
    return torch.lerp(lower, upper, (place - first).to(x.dtype).expand_as(lower))


def by_sorting(x: Tensor, ranks: Tensor) -> Tensor:
    return x.sort(-1).values.gather(-1, ranks)


@twin(by_sorting, fits=lambda x, ranks: x.numel())
def ranked(x: Tensor, ranks: Tensor) -> Tensor:
    """The values of `x [..., n]` at these ranks `[..., r]`, from 0 for the smallest: by numpy's selection, which takes an
    eighth of the time of a sort."""
    places = ranks.numpy()
    chosen = np.partition(x.numpy(), np.unique(places), -1)
    return torch.from_numpy(np.take_along_axis(chosen, places, -1))


@photometric
def zscore(x: Tensor, frame: Size, *, nonzero: bool = False) -> Tensor:
    """Standard scores of each channel: y = (x - mean) / sd, sd that of all its pixels (n, not n - 1, below).

    nonzero=True: mean and sd are those of what is not 0, and zeros stay. A constant channel becomes 0, and passes the
    gradient of x - mean on. Source: MONAI `NormalizeIntensity`, TorchIO `ZNormalization`, nnU-Net.

    >>> af.zscore()(torch.tensor([[[1.0, 2.0, 3.0]]]))[0]
    tensor([[[-1.2247,  0.0000,  1.2247]]])
    """
    flat = channels(x, frame)
    if nonzero:
        inside = (flat != 0).to(x.dtype)
        count = inside.sum(-1, keepdim=True).clamp(min=1)
        mean = flat.sum(-1, keepdim=True) / count
        centred = (flat - mean) * inside
    else:
        count = flat.shape[-1]
        mean = flat.mean(-1, keepdim=True)
        centred = flat - mean
    variance = torch.linalg.vecdot(centred, centred).unsqueeze(-1) / count
    least = (mean.detach() * (ALIKE * torch.finfo(x.dtype).eps)).square()
    return shaped(centred * variance.masked_fill(variance <= least, 1).rsqrt(), x.shape)


@photometric
def histogram_shift(x: Tensor, frame: Size, *, shift: Shifts = Uniform(-0.4, 0.4)) -> Tensor:
    """Bend the scale of each channel: a piecewise linear map of its [min, max], of 10 points at equal distances, whose inner
    8 move by `shift` times that distance.

    The ends stay; below 1/2 the order of values is kept, at 0 all of them. Source: MONAI `RandHistogramShift`, whose
    extremes are those of all channels.

    >>> x = torch.arange(4.0).reshape(1, 1, 4)
    >>> af.histogram_shift(shift=0.3)(x)[0]
    tensor([[[0.0000, 1.1000, 2.1000, 3.0000]]])
    """
    ends = torch.zeros_like(shift[..., :1])
    return shaped(bent(channels(x, frame), torch.cat([ends, shift, ends], -1).unsqueeze(-2)), x.shape)


def bent(x: Tensor, shift: Tensor) -> Tensor:
    """Channels `[..., n]`, with m points at equal distances from the smallest to the largest value moved by `shift [..., m]`
    distances, linear in between.

    >>> bent(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 0.25, 0.0]))
    tensor([0.0000, 1.2500, 2.0000])
    """
    cells = shift.shape[-1] - 1
    low, high = x.amin(-1, keepdim=True), x.amax(-1, keepdim=True)
    width = (high - low) / cells
    place = (x - low) / width.masked_fill(width == 0, 1)
    index = place.detach().long().clamp(0, cells - 1)
    table = shift.expand(*x.shape[:-1], -1)
    slope = (table[..., 1:] - table[..., :-1]).gather(-1, index)
    return torch.addcmul(x, torch.addcmul(table.gather(-1, index), place - index, slope), width)


@photometric(ndim=3)
def equalize3d(x: Tensor, frame: Size, *, grad: str = "none") -> Tensor:
    """Make the histogram of every channel of a volume uniform, over 256 levels of [0, 1]: `equalize`, for a bare volume.

    Source: kornia `RandomEqualize3D`.

    >>> x = torch.linspace(0, 1, 1024).reshape(1, 4, 16, 16) ** 2
    >>> x.mean(), af.equalize3d()(x)[0].mean()
    (tensor(0.3335), tensor(0.4975))
    """
    return shaped(tone.equalize(channels(x, frame), grad), x.shape)

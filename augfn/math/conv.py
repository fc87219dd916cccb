"""Convolution with kernels of their own for each sample: gaussian and box kernels, separable filters in 2-D and 3-D,
dense kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.math.shapes import one_batch, shaped
from augfn.run.bands import BAND, in_bands, joined
from augfn.run.mode import is_plain, untracked
from augfn.run.twins import accumulated, twin

COPIES = 150  # planes times taps, up to which shifted copies are faster than oneDNN's depthwise convolution
PLANES, SMALL = 16, 49  # more planes than these, and a kernel up to so many taps: it is faster at once than by axes

PADDING = {"reflect": "reflect", "border": "replicate", "zeros": "constant"}


def gaussian_kernel1d(sigma: Tensor, size: int, dtype: torch.dtype | None = None) -> Tensor:
    """Sampled gaussian, normalised: `k_i = exp(-t_i^2 / (2 sigma^2)) / sum`, with t_i the distance from the middle.

    Shapes: sigma `[*b]` in pixels -> `[*b, size]`. Neutral: sigma 0 gives exactly the delta, with a gradient of 0.
    Raises: `ValueError` for an even size. Source: torchvision `gaussian_blur`.

    >>> gaussian_kernel1d(torch.tensor([0.0, 1.0]), 3)
    tensor([[0.0000, 1.0000, 0.0000],
            [0.2741, 0.4519, 0.2741]])
    """
    t = _taps(sigma, size, dtype)
    # Below 0.02 all taps but the middle one underflow, even in float64: the bound changes no value, it only keeps the
    # gradient finite.
    kernel = (t / sigma.to(t.dtype).clamp_min(0.02).unsqueeze(-1)).square().mul(-0.5).softmax(-1)
    # Taps far below rounding are made 0: products with them are denormal, on which a CPU is ten times slower.
    info = torch.finfo(t.dtype)
    return F.threshold(kernel, min(info.tiny**0.25, info.eps**2), 0.0)


def box_kernel1d(width: Tensor, size: int, dtype: torch.dtype | None = None) -> Tensor:
    """Box of any real width, normalised: `k_i` is in proportion to how much of pixel i the box covers.

    Shapes: width `[*b]` in pixels -> `[*b, size]`. Neutral: width 1 or less is exactly the delta. Raises: `ValueError`
    for an even size.

    >>> box_kernel1d(torch.tensor([1.0, 2.0]), 3)
    tensor([[0.0000, 1.0000, 0.0000],
            [0.2500, 0.5000, 0.2500]])
    """
    t = _taps(width, size, dtype)
    width = width.to(t.dtype).clamp_min(1).unsqueeze(-1)
    cover = ((width + 1) / 2 - t.abs()).clamp(0, 1)
    return cover / cover.sum(-1, keepdim=True)


def separable(x: Tensor, kernels: Sequence[Tensor], padding_mode: str = "reflect") -> Tensor:
    """Filter each of the last `len(kernels)` axes with its own 1-D kernel; one kernel per sample, shared by channels.

    `y[i] = sum_j kernel[j] x[i + j - (k - 1) / 2]` along each axis (a correlation, as in `torch.conv`).

    Shapes: x `[*b, C, *spatial]`, kernels `[*b, k]` (or what broadcasts to it, such as `[k]`), k odd and free to
    differ from axis to axis -> as x. Half precision is computed in float32. `padding_mode` is reflect, border or
    zeros. Raises: `ValueError` for an even kernel, and for reflect where `(k - 1) / 2` reaches the size of its axis.

    >>> separable(torch.tensor([[[0.0, 3.0, 0.0]]]), [torch.ones(1), torch.ones(3) / 3], "zeros")
    tensor([[[1., 1., 1.]]])
    """
    d, sizes = len(kernels), [k.shape[-1] for k in kernels]
    _check(x, sizes, padding_mode)
    if not x.numel():
        return x
    if x.dtype in (torch.float16, torch.bfloat16):
        return separable(x.float(), kernels, padding_mode).to(x.dtype)
    if d == 2 and math.prod(sizes) <= SMALL and is_plain(x) and x.shape[:-2].numel() > PLANES:
        rows, columns = kernels
        return dense(x, (rows[..., None] * columns[..., None, :]).expand(*x.shape[:-3], *sizes), padding_mode)
    for axis, kernel in zip(range(-d, 0), kernels, strict=True):
        x = _along(x, kernel.to(x.dtype), axis, d, padding_mode)
    return x


def dense(x: Tensor, kernel: Tensor, padding_mode: str = "reflect") -> Tensor:
    """Filter the last two axes with one 2-D kernel per sample, shared by its channels (a correlation, as `separable`).

    Shapes: x `[*b, ..., H, W]`, kernel `[*b, kh, kw]`, both odd -> as x. A volume is filtered slice by slice.
    `padding_mode` and errors as for `separable`.

    >>> dense(torch.tensor([[[0.0, 3.0, 0.0]]]), torch.ones(1, 3) / 3, "zeros")
    tensor([[[1., 1., 1.]]])
    """
    rows, columns = kernel.shape[-2:]
    if not x.numel():
        return x
    batch = x.shape[: kernel.ndim - 2]
    flat = x.reshape(math.prod(batch), -1, *x.shape[-2:])
    weight = one_batch(kernel.to(x.dtype), batch, 2).reshape(-1, 1, rows, columns).expand(-1, flat.shape[1], -1, -1)
    by_taps = _by_taps(flat, weight, rows * columns, 9)
    small = x.shape[-2:].numel() <= BAND
    reach = (rows // 2, columns // 2) if padding_mode == "zeros" and small and not by_taps else 0
    if reach:  # the convolution adds zeros by itself, without a copy
        _check(flat, (rows, columns), padding_mode)
    else:
        flat = padded(flat, rows, columns, padding_mode)
    if by_taps:
        return shaped(_shifted_2d(flat, weight, x.shape[-2], x.shape[-1]), x.shape)
    weight = weight.reshape(-1, 1, rows, columns)
    convolve = lambda band: F.conv2d(band, weight, padding=reach, groups=weight.shape[0])  # noqa: E731
    flat = flat.reshape(1, -1, *flat.shape[-2:])
    return (convolve(flat) if small else in_bands(convolve, flat, rows - 1)).reshape(x.shape)


def dense3d(x: Tensor, kernel: Tensor, padding_mode: str = "reflect") -> Tensor:
    """Filter the last three axes with one 3-D kernel per sample, shared by its channels (a correlation, as `separable`).

    Shapes: x `[*b, C, D, H, W]`, kernel `[*b, kd, kh, kw]`, all odd -> as x. `padding_mode` and errors as for `separable`.
    Fast for a kernel that is mostly 0.

    >>> dense3d(torch.tensor([[[[0.0, 3.0, 0.0]]]]), torch.ones(1, 1, 3) / 3, "zeros")
    tensor([[[[1., 1., 1.]]]])
    """
    if not x.numel():
        return x
    batch = x.shape[: kernel.ndim - 3]
    flat = padded3d(x.reshape(math.prod(batch), -1, *x.shape[-3:]), kernel.shape[-3:], padding_mode)
    return shaped(by_some_taps(flat, one_batch(kernel.to(x.dtype), batch, 3)), x.shape)


def by_all_taps(x: Tensor, kernel: Tensor) -> Tensor:
    """x `[B, C, D, H, W]`, with its border, kernel `[B, kd, kh, kw]`."""
    weight = kernel.unsqueeze(1).expand(-1, x.shape[1], -1, -1, -1).reshape(-1, 1, *kernel.shape[1:])
    y = F.conv3d(x.reshape(1, -1, *x.shape[2:]), weight, groups=weight.shape[0])
    return y.reshape(*x.shape[:2], *y.shape[2:])


@twin(by_all_taps)
def by_some_taps(x: Tensor, kernel: Tensor) -> Tensor:
    """The same, without the taps that are 0 in all samples: some slices at a time, shifted copies are added."""
    sizes = kernel.shape[1:]
    d, h, w = (n - k + 1 for n, k in zip(x.shape[2:], sizes, strict=True))
    places = kernel.ne(0).any(0).nonzero().tolist() or [[0, 0, 0]]
    taps = [kernel[(slice(None), *place)][:, None, None, None, None] for place in places]

    def some(slices: slice) -> Tensor:
        rows = slices.stop - slices.start
        starts = [(slices.start + i, j, k) for i, j, k in places]
        return _sum_of([x[:, :, i : i + rows, j : j + h, k : k + w] for i, j, k in starts], taps)

    return joined(some, d, max(1, BAND // (x.shape[:2].numel() * h * w)), -3)


def padded3d(x: Tensor, sizes: Sequence[int], padding_mode: str = "reflect") -> Tensor:
    """Volumes `[..., D, H, W]` (one or two leading dims) with the border that a kernel of these sizes needs."""
    _check(x, sizes, padding_mode)
    return F.pad(x, [k // 2 for k in reversed(sizes) for _ in range(2)], mode=PADDING[padding_mode])


def padded(x: Tensor, rows: int, columns: int, padding_mode: str = "reflect") -> Tensor:
    """Planes `[..., H, W]` (one or two leading dims) with the border that a kernel of `rows x columns` needs."""
    _check(x, (rows, columns), padding_mode)
    return F.pad(x, (columns // 2,) * 2 + (rows // 2,) * 2, mode=PADDING[padding_mode])


def _shifted_2d(x: Tensor, weight: Tensor, h: int, w: int) -> Tensor:
    """The taps' sum, tap by tap: x `[B, C, ...]`, weight `[B, C, kh, kw]`."""
    rows, columns = weight.shape[-2:]
    taps = weight.flatten(-2)[..., None, None].unbind(-3)
    return _sum_of([x[..., i : i + h, j : j + w] for i in range(rows) for j in range(columns)], taps)


def _sum_of(shifts: Sequence[Tensor], taps: Sequence[Tensor]) -> Tensor:
    y = shifts[0] * taps[0]
    for shift, tap in zip(shifts[1:], taps[1:], strict=True):
        y = accumulated(y, shift, tap)
    return y


def _by_taps(x: Tensor, weight: Tensor, taps: int, few: int) -> bool:
    """True where shifted copies of `x [..., H, W]` are added tap by tap: of few planes, or, where a compiler fuses them
    or a gradient would keep them all, with few taps."""
    return x.shape[:-2].numel() * taps <= COPIES if untracked(x, weight) else taps <= few


def _taps(like: Tensor, size: int, dtype: torch.dtype | None) -> Tensor:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"a kernel has an odd size, so that it has a middle, but size is {size}")
    half = (size - 1) / 2
    return torch.linspace(-half, half, size, dtype=dtype or like.dtype, device=like.device)


def _check(x: Tensor, kernels: Sequence[int], padding_mode: str) -> None:
    if padding_mode not in PADDING:
        raise ValueError(f"padding_mode must be one of {', '.join(PADDING)}, not {padding_mode!r}")
    if x.ndim < len(kernels) + 1:
        raise ValueError(f"{len(kernels)} kernels need an image [..., C, *spatial] of that many, not {list(x.shape)}")
    for size, k in zip(x.shape[-len(kernels) :], kernels, strict=True):
        if k % 2 == 0:
            raise ValueError(f"a kernel has an odd size, so that it has a middle, but one has {k} taps")
        if padding_mode == "reflect" and k // 2 >= size:
            raise ValueError(
                f"a kernel of {k} taps reflects {k // 2} pixels at each edge, but the image {list(x.shape)} has an "
                f"axis of {size}, which allows {size - 1}: use at most {2 * size - 1} taps, or padding_mode='border'"
            )


def _along(x: Tensor, kernel: Tensor, axis: int, d: int, padding_mode: str) -> Tensor:
    """One axis. All is folded into planes `[G, rows, columns]`, each with a kernel of its own."""
    k, batch, spatial = kernel.shape[-1], x.shape[: x.ndim - d - 1], x.shape[-d:]
    if k == 1:
        return x * kernel[(..., *(None,) * d, slice(None))]
    last = axis == -1
    outer = () if last else spatial[:axis]
    weight = kernel[(..., None, *(None,) * len(outer), slice(None))]
    weight = weight.expand(*batch, x.shape[-d - 1], *outer, k).reshape(-1, k)
    size = spatial[axis]
    planes = x.reshape(weight.shape[0], -1, size) if last else x.reshape(weight.shape[0], size, -1)
    pad = (k // 2, k // 2, 0, 0) if last else (0, 0, k // 2, k // 2)
    planes = F.pad(planes.unsqueeze(0), pad, mode=PADDING[padding_mode])
    y = (_shifted if _by_taps(planes, weight, k, 3) else _grouped)(planes, weight, last)
    return y.reshape(x.shape)


def _grouped(planes: Tensor, weight: Tensor, last: bool) -> Tensor:
    weight = weight[:, None, None, :] if last else weight[:, None, :, None]
    return F.conv2d(planes, weight, groups=weight.shape[0])


def _shifted(planes: Tensor, weight: Tensor, last: bool) -> Tensor:
    axis, taps = -1 if last else -2, weight[..., None, None].unbind(1)
    size = planes.shape[axis] - len(taps) + 1
    return _sum_of([planes.narrow(axis, j, size) for j in range(len(taps))], taps)

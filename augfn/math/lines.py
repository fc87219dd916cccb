"""One axis of an array read through another lattice, in time and memory linear in its pixels: gathers, weighted sums of a
fixed number of pixels, averages over any width by running sums."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.math.maps import centred
from augfn.run.twins import twin


def gather(x: Tensor, index: Tensor, axis: int) -> Tensor:
    """The entries `index [*b, m]` along an axis, counted from the end, of `x [*b, ..., n, ...]`.

    >>> gather(torch.arange(6.0).reshape(2, 3), torch.tensor([[2, 0], [1, 1]]), -1)
    tensor([[2., 0.],
            [4., 4.]])
    """
    if index.ndim == 1:
        return x.index_select(axis, index)
    batch, m = x.shape[: index.ndim - 1], index.shape[-1]
    index = index.expand(*batch, m)
    between, inner = x.shape[len(batch) : axis], x.shape[axis:][1:]
    if not inner:
        return x.gather(-1, index.reshape(*batch, *[1] * len(between), m).expand(*batch, *between, m))
    n, k = x.shape[axis], math.prod(between)
    planes = torch.arange(math.prod(batch) * k, device=x.device).reshape(*batch, k, 1) * n
    rows = x.reshape(math.prod(batch) * k * n, *inner).index_select(
        0, (planes + index.unsqueeze(-2)).flatten()
    )  # copies runs: much faster
    return rows.reshape(*batch, *between, m, *inner)


def beside(leaf: Tensor, x: Tensor, axis: int) -> Tensor:
    """`leaf [*b, m]` against `x [*b, ..., m, ...]`, whose axis is counted from the end."""
    return leaf.reshape(*leaf.shape[:-1], *[1] * (x.ndim + axis + 1 - leaf.ndim), leaf.shape[-1], *[1] * (-axis - 1))


@dataclass(frozen=True)
class Line:
    """How `size` output pixels read the n input pixels of an axis: around centres at scale u + shift, both `[*b]`, by
    normalised weights (triangle or cubic) as wide as a pixel's footprint. They read inside of the frame, so that |scale| is
    at most n / size, which bounds how many count."""

    scale: Tensor
    shift: Tensor
    n: int
    size: int
    mode: str

    @property
    def taps(self) -> int:
        return math.ceil(2 * self.radius * max(1.0, self.n / self.size))

    @property
    def radius(self) -> int:
        return 1 if self.mode == "bilinear" else 2

    def falling(self, distance: Tensor) -> Tensor:
        """The weight, not yet normalised, of a pixel at this distance `[*b, taps, size]`."""
        t = (distance / self.scale.abs().clamp(min=1)[..., None, None]).abs()
        if self.mode == "bilinear":
            return torch.relu(1 - t)
        # Keys' cubic, a = -0.5, as torch and PIL use where they antialias
        near, far = (1.5 * t - 2.5) * t * t + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
        return torch.where(t < 1, near, torch.where(t < 2, far, torch.zeros_like(t)))

    def few(self) -> tuple[Tensor, Tensor]:
        """The pixels that count, and their weights, `[*b, taps, size]`."""
        axis = centred(self.size, self.scale.dtype, self.scale.device)
        centre = (self.scale[..., None] * axis + (self.shift[..., None] + (self.n - 1) / 2)).unsqueeze(-2)
        reach = self.radius * self.scale.abs().clamp(min=1)[..., None, None]
        first = torch.floor((centre - reach).detach()) + 1
        index = first + torch.arange(self.taps, dtype=first.dtype, device=first.device).unsqueeze(-1)
        weights = self.falling(index - centre) * ((index >= 0) & (index < self.n))
        return index.long().clamp(0, self.n - 1), weights / weights.sum(-2, keepdim=True)

    def read(self, x: Tensor, axis: int) -> Tensor:
        """`x [*b, ..., n, ...]` along an axis, counted from the end."""
        index, weights = self.few()
        taps = gather(x, index.flatten(-2), axis) * beside(weights.flatten(-2), x, axis)
        return taps.unflatten(axis, index.shape[-2:]).sum(axis - 1)

    def read_bags(self, x: Tensor, axis: int) -> Tensor:
        """The same by one call of a library's kernel, which forgets the taps."""
        if axis == -1:
            return self.read_bags(x.transpose(-1, -2).contiguous(), -2).transpose(-1, -2).contiguous()
        index, weights = (t.transpose(-1, -2) for t in self.few())
        lead, inner = self.scale.shape.numel(), x.shape[axis + 1 :].numel()
        rows = x.reshape(lead, -1, self.n, inner)
        start = torch.arange(lead * rows.shape[1], device=x.device).reshape(lead, -1, 1, 1) * self.n
        index = start + index.reshape(lead, 1, self.size, -1)
        weights = weights.reshape(lead, 1, self.size, -1).expand(index.shape)
        flat = [t.reshape(-1, self.taps) for t in (index, weights)]
        out = F.embedding_bag(flat[0], rows.reshape(-1, inner), mode="sum", per_sample_weights=flat[1])
        return out.reshape(*x.shape[:axis], self.size, *x.shape[axis + 1 :])


def line_by_taps(line: Line, x: Tensor, axis: int) -> Tensor:
    return line.read(x, axis)


def is_alone(line: Line, x: Tensor, axis: int) -> bool:
    """True where every line is that of one sample, or of all, and nothing learns where it lies."""
    still = not (line.scale.requires_grad or line.shift.requires_grad)
    return still and x.numel() > 0 and line.scale.shape in ((), x.shape[: line.scale.ndim])


@twin(line_by_taps, fits=is_alone)
def line_by_bags(line: Line, x: Tensor, axis: int) -> Tensor:
    return line.read_bags(x, axis)


def areas(x: Tensor, low: Tensor, high: Tensor, axis: int) -> Tensor:
    """Averages from `low` to `high`, both `[*b, m]`, along an axis, counted from the end, of pixels that reach from 0 to 1,
    from 1 to 2, ...; the first and the last one reach to infinity.
    What has no width is finite, and means nothing.

    A difference of two running sums, which are in float64 since it may be small.

    >>> areas(torch.tensor([0.0, 1.0, 4.0]), torch.tensor([0.5]), torch.tensor([3.0]), -1)
    tensor([2.])
    """
    n = x.shape[axis]
    x = F.pad(x, (0, 0) * (-axis - 1) + (1, 0))
    sums = x.cumsum(axis, dtype=torch.float64)
    (first, before), (last, upto) = (split(t, n) for t in (low, high))
    total = (gather(sums, last, axis) - gather(sums, first, axis)).to(x.dtype)
    ends = ((before.neg(), first), (upto, last))
    for part, index in ends:
        total = torch.addcmul(total, beside(part, x, axis), gather(x, (index + 1).clamp(max=n), axis))
    return total / beside((high - low).clamp(min=torch.finfo(x.dtype).eps), x, axis)


def split(t: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """The number of whole pixels before a place, of n, and what is left."""
    whole = t.detach().floor().clamp(0, n)
    return whole.long(), t - whole


def cells(x: Tensor, step: Tensor, axis: int, smooth: bool) -> Tensor:
    """Averages over cells of `step [*b]` >= 1 pixels along an axis, read back at full size.

    Every pixel shows the average of the cell it lies in, or with `smooth` a linear blend of the two nearest cells.
    Outside of the frame the border is repeated.

    >>> cells(torch.tensor([0.0, 1.0, 4.0]), torch.tensor(2.0), -1, smooth=False)
    tensor([0.5000, 0.5000, 4.0000])
    """
    step, n = step[..., None], x.shape[axis]
    place = (torch.arange(n, dtype=step.dtype, device=step.device) + 0.5) / step - (0.5 if smooth else 0.0)
    cell = place.detach().floor()
    edges = torch.arange(-1, n + 2, dtype=step.dtype, device=step.device) * step
    means = areas(x, edges[..., :-1], edges[..., 1:], axis)
    index = cell.long() + 1
    first = gather(means, index, axis)
    if not smooth:
        return first
    return torch.lerp(first, gather(means, index + 1, axis), beside(place - cell, x, axis))

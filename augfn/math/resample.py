"""Pull an array through a Map: bilinear, nearest or bicubic, with padding or fill, and antialias where the map
shrinks."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from augfn.errors import explain
from augfn.math.lines import Line, gather, line_by_bags
from augfn.math.maps import Map
from augfn.math.shapes import cast, common_shape, one_batch, planes, shaped
from augfn.math.stages import Linear
from augfn.run import sampler
from augfn.run.bands import BAND, cached_planes, cached_rows, joined
from augfn.run.constants import constant

LONG = (torch.int32, torch.int64, torch.uint32, torch.uint64)
SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}
MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = {
    "zeros": "zeros",
    "constant": "zeros",
    "border": "border",
    "edge": "border",
    "reflection": "reflection",
    "reflect": "reflection",
    "symmetric": "symmetric",
}
EXACT = 1 << 24  # whole numbers up to here are exact in float32
BANDS = 16  # of rows, at most, that a supersampled image is made of: so what is on the way is small
SUPERSAMPLES = 3  # per axis at least, for antialias where a map turns or bends: as many as the frame shrinks


@dataclass(frozen=True)
class Sampling:
    """How pixels are read. None means: not set here, the surrounding pipeline's choice holds.

    * `interpolation`: "bilinear" (default), "nearest" or "bicubic" (2-D only); masks and depth are always read nearest.
    * `padding_mode`: outside the frame: "zeros" (default), "border", "reflection" (about pixel centres) or "symmetric"
      (about the frame's edges); torchvision's "constant", "edge", "reflect" mean the same.
    * `fill`: a number, or one per channel, outside the frame in place of zeros; `fill_mask`: the same for masks.
    * `by_target`: the interpolation of targets that have one of their own, by name or kind, before `interpolation`.
    * `antialias`: average over the footprint of an output pixel where the map shrinks the image.
    """

    interpolation: str | None = None
    padding_mode: str | None = None
    fill: float | tuple[float, ...] | None = None
    fill_mask: float | None = None
    antialias: bool | None = None
    by_target: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for how in (self.interpolation, *dict(self.by_target).values()):
            if how not in (None, *MODES):
                fix = "choose one of them ('bilinear' is linear along every axis, of volumes too)"
                raise ValueError(explain("bad interpolation", how, f"one of {MODES}", fix))
        if self.padding_mode not in (None, *PADDINGS):
            raise ValueError(
                explain("bad padding_mode", self.padding_mode, f"one of {tuple(PADDINGS)}", "choose one of them")
            )
        if isinstance(self.fill, list):
            object.__setattr__(self, "fill", tuple(self.fill))
        values = self.fill if isinstance(self.fill, tuple) else (self.fill,)
        if self.fill is not None and not all(isinstance(v, int | float) for v in values):
            raise TypeError(
                explain("bad fill", self.fill, "a number, or one per channel", "fill=0.5 or fill=(0.5, 0.4, 0.3)")
            )
        if self.fill_mask is not None and not isinstance(self.fill_mask, int | float):
            raise TypeError(explain("bad fill_mask", self.fill_mask, "a number", "fill_mask=255"))
        if self.fill is not None and self.padding not in (None, "zeros"):
            raise ValueError(
                explain("fill and padding_mode disagree", self, "fill, or a padding_mode", "leave one of them out")
            )

    @property
    def padding(self) -> str | None:
        return None if self.padding_mode is None else PADDINGS[self.padding_mode]

    @property
    def level(self) -> float | None:
        """The one number that lies outside the frame; None with a padding mode, or a number for each channel."""
        fill = 0.0 if self.fill is None else self.fill
        return fill if self.padding in (None, "zeros") and isinstance(fill, int | float) else None

    def within(self, outer: Sampling) -> Sampling:
        """These settings, completed by those of the surrounding pipeline."""
        if self is outer or outer is UNSET or self is UNSET:
            return outer if self is UNSET else self
        pairs = {f.name: getattr(self, f.name) for f in fields(self)}
        outside = outer if self.padding in (None, "zeros") or outer.fill is None else replace(outer, fill=None)
        if self.fill is not None:
            outside = replace(outside, padding_mode=None)
        pairs["by_target"] = tuple({**dict(outer.by_target), **dict(self.by_target)}.items())
        return Sampling(**{k: getattr(outside, k) if v is None else v for k, v in pairs.items()})

    def of(self, name: str, kind: str) -> Sampling:
        """As a target of this name and kind is read."""
        own = dict(self.by_target)
        how = own.get(name, own.get(kind))
        return self if how is None else replace(self, interpolation=how)


UNSET = Sampling()


def resample(x: Tensor, batch: int, m: Map, sampling: Sampling) -> Tensor:
    """Pull `x [*b, ..., *spatial]` (`batch` leading dims) through a map whose tensors lead with `[*b]`.

    Bilinear sampling has kinks where an input coordinate is whole. Works in float32 or wider, returns the dtype of `x`;
    what is not floating is read nearest, and copied.
    """
    d = m.stages[0].dims
    target = m.size or tuple(x.shape[-d:])
    flat = planes(x, batch, d)
    return shaped(read(flat, m, target, sampling), x.shape[:-d] + target)


def read(x: Tensor, m: Map, target: tuple[int, ...], how: Sampling) -> Tensor:
    """`x [*b, k, *source]` of any dtype to `[*b, k, *target]`."""
    return cast(sample(to_wide(x), m, target, how), x.dtype) if x.is_floating_point() else pick(x, m, target, how)


def source(i: Tensor, n: int, mode: str | None) -> tuple[Tensor, Tensor]:
    """The pixel that the place i shows, on an axis of n pixels, and whether it lies inside the frame."""
    inside = (i >= 0) & (i < n)
    if mode == "reflection":
        i = (i % max(2 * n - 2, 1)).abs()
        i = torch.minimum(i, max(2 * n - 2, 1) - i)
    elif mode == "symmetric":
        i = i % (2 * n)
        i = torch.minimum(i, 2 * n - 1 - i)
    return i.clamp(0, n - 1), inside


def to_wide(x: Tensor) -> Tensor:
    """Floating, at least float32; integers exactly (32 and 64 bits by way of float64)."""
    if x.dtype in (torch.float32, torch.float64):
        return x
    return x.to(torch.float64 if x.dtype in LONG else torch.float32)


def sample(x: Tensor, m: Map, target: tuple[int, ...], how: Sampling) -> Tensor:
    """`x [*b, k, *source]` to `[*b, k, *target]`."""
    mode, fill = how.interpolation or "bilinear", how.fill or 0.0
    if m.resize and mode == "nearest":
        return nearest(x, target)
    if m.resize and mode == "bilinear" and x.numel() and (len(target) == 2 or not how.antialias):
        flat, d = x.reshape(-1, *x.shape[-len(target) - 1 :]), len(target)  # for all alike: torch's own is much faster
        smooth = bool(how.antialias)
        return F.interpolate(flat, target, mode=mode if d == 2 else "trilinear", antialias=smooth).reshape(
            x.shape[:-d] + target
        )
    if m.axis_aligned and how.antialias and mode != "nearest":
        return window_sample(x, m, target, mode)
    if fill == 0.0:
        return grid_sample(x, m, target, how, mode)
    level = fill_like(x, fill, len(target))
    if mode == "nearest":
        d = len(target)
        inside = grid_sample(x.new_ones((*x.shape[: -d - 1], 1, *x.shape[-d:])), m, target, how, mode)
        return torch.where(inside > 0.5, grid_sample(x, m, target, how, mode), level)
    require_finite(fill)
    return grid_sample(x - level, m, target, how, mode) + level


def nearest(x: Tensor, target: tuple[int, ...]) -> Tensor:
    """A resize that copies the pixel at the middle of each new one, of two as near the second, by whole numbers:
    torch's "nearest-exact", which has no rule for vmap."""
    for axis, size in enumerate(target, -len(target)):
        index = (2 * torch.arange(size, device=x.device) + 1) * x.shape[axis] // (2 * size)
        # along the last axis a gather is three times as fast
        x = x.index_select(axis, index) if axis < -1 else x.gather(-1, index.expand(*x.shape[:-1], size))
    return x


def pick(x: Tensor, m: Map, target: tuple[int, ...], how: Sampling) -> Tensor:
    """The nearest pixels, copied, as torch's kernel finds them: of two as near, the even one (where their coordinates are
    exact; else rounding decides, here and there)."""
    if m.resize:
        return nearest(x, target)
    d, source = len(target), tuple(x.shape[-len(target) :])
    padding = padding_of(m, how)
    whole = torch.float32 if math.prod(source) < EXACT else torch.float64
    index = torch.zeros((), dtype=whole, device=x.device)
    inside = torch.ones((), dtype=torch.bool, device=x.device)
    for along, n in zip(reversed(whole_places(x, m, target, how, padding)), source, strict=True):
        place = outside_in(along, n, padding).round()
        near = place.clamp(0, n - 1)
        inside = inside & (near == place)
        index = torch.add(near.to(whole), index, alpha=n)
    index = index.nan_to_num(0.0).long().flatten(-d)
    batch = common_shape(x.shape[: -d - 1], index.shape[:-1])
    flat = x.flatten(-d)
    if index.ndim > 1 or not batch:
        flat, index = flat.expand(*batch, *flat.shape[-2:]), index.expand(*batch, index.shape[-1])
    out = gather(flat, index, -1).unflatten(-1, target)
    return out if padding != "zeros" else torch.where(inside.unsqueeze(-d - 1), out, fill_like(x, how.fill or 0, d))


def whole_places(x: Tensor, m: Map, target: tuple[int, ...], how: Sampling, padding: str) -> list[Tensor]:
    """Where x, y[, z] of each output pixel lie in pixels, from the first one's centre; with reflection with the roundings of
    torch's kernel, which decide of halves."""
    source = x.shape[-len(target) :]
    if padding != "reflection":
        found = m.places(target, torch.float32, x.device)
        return [along.detach() + (n - 1) / 2 for along, n in zip(found, reversed(source), strict=True)]
    wide = torch.float64 if x.dtype in LONG else torch.float32
    grid, _ = normalised_grid(m, tuple(source), target, how, wide, x.device)
    return [(along + 1) * ((n - 1) / 2) for along, n in zip(grid.detach().unbind(-1), reversed(source), strict=True)]


def outside_in(place: Tensor, n: int, padding: str) -> Tensor:
    """Where on an axis of n pixels a place outside reads; with zeros it stays outside."""
    if padding not in ("reflection", "symmetric"):
        return place if padding == "zeros" else place.clamp(0, n - 1)
    low, span = (0.0, n - 1) if padding == "reflection" else (-0.5, n)
    if not span:
        return torch.zeros_like(place)
    far = (place - low).abs()
    turns = (far / span).floor()
    rest = far - turns * span
    return (torch.where(turns % 2 == 0, rest, span - rest) + low).clamp(0, n - 1)


def as_signed(x: Tensor, how: Sampling) -> tuple[Tensor, Sampling]:
    """The bits of unsigned numbers and of their fill as those of signed ones, for which torch has all of its kernels."""
    if x.dtype not in SIGNED:
        return x, how
    signed = SIGNED[x.dtype]
    fill = how.fill if how.fill is None else int(how.fill)  # type: ignore[arg-type]
    if fill is not None and fill > torch.iinfo(signed).max:
        fill -= torch.iinfo(x.dtype).max + 1
    return x.view(signed), replace(how, fill=fill)


def with_bits_of(moved: Tensor, x: Tensor) -> Tensor:
    """What `as_signed` made of x, and has been moved since, in the dtype of x. (A view as its own dtype has no gradient.)"""
    return moved if moved.dtype == x.dtype else moved.view(x.dtype)


def require_finite(fill: float | tuple[float, ...]) -> None:
    if not all(map(math.isfinite, fill if isinstance(fill, tuple) else (fill,))):
        fix = 'interpolation="nearest", or fill what is invalid afterwards'
        raise ValueError(explain("fill is blended at edges", fill, "finite numbers", fix))


def require_level(x: Tensor, fill: float) -> None:
    """Raise unless a mask of this dtype can hold the number."""
    if x.is_floating_point():
        return
    low, high = (0, 1) if x.dtype == torch.bool else (torch.iinfo(x.dtype).min, torch.iinfo(x.dtype).max)
    if not (low <= fill <= high and fill == int(fill)):
        want = f"a whole number from {low} to {high}, for a mask of {x.dtype}"
        raise ValueError(explain("fill_mask does not fit the mask", fill, want, "mask.long(), or another fill_mask"))


def fill_like(x: Tensor, fill: float | tuple[float, ...], d: int) -> Tensor:
    """A fill `[k, 1, ...]` against `x [*b, k, *spatial]` of d spatial dims; a tuple gives each channel's (repeated over
    frames)."""
    values, k = (fill,) if isinstance(fill, int | float) else fill, x.shape[-d - 1]
    if k % len(values):
        raise ValueError(explain("fill does not match the channels", fill, f"1 or {k} numbers", "give one per channel"))
    return constant(tuple(values) * (k // len(values)), x).reshape(-1, *[1] * d)


def grid_sample(x: Tensor, m: Map, target: tuple[int, ...], how: Sampling, mode: str) -> Tensor:
    """The one resample: a grid of normalised coordinates and torch's kernel."""
    d, source = len(target), tuple(x.shape[-len(target) :])
    if d == 3 and mode == "bicubic":
        raise ValueError(
            explain("no bicubic for volumes", mode, "'bilinear' or 'nearest'", "set interpolation='bilinear'")
        )
    shrinks = max(math.ceil(n / size) for n, size in zip(source, target, strict=True))
    steps = max(SUPERSAMPLES, shrinks) if how.antialias and mode != "nearest" else 1
    return joined(
        lambda r: pulled(x, m, target, how, mode, steps, slice(r.start * steps, r.stop * steps)),
        target[0],
        band_of(x, target, steps),
        -d,
    )


def band_of(x: Tensor, target: tuple[int, ...], steps: int) -> int | None:
    """How many rows are made at a time; None for all at once."""
    if steps > 1:
        row = max(1, math.prod(target[1:]))
        return max(1, -(-target[0] // BANDS), BAND // (row * steps ** len(target)))
    if len(target) == 3:
        return cached_planes(target, x)
    return cached_rows(target[0], x.shape[: -len(target)] + target, x, kernel=True)


def pulled(
    x: Tensor, m: Map, target: tuple[int, ...], how: Sampling, mode: str, steps: int, rows: slice = slice(None)
) -> Tensor:
    """Some rows of it, each pixel the mean of its sub-pixels."""
    d, source = len(target), tuple(x.shape[-len(target) :])
    grid, padding = normalised_grid(m, source, target, how, x.dtype, x.device, steps, rows)
    batch = common_shape(x.shape[: -d - 1], grid.shape[: -d - 1])
    kind, corners = ("reflection" if padding == "symmetric" else padding), padding == "reflection"
    out = sampler.grid_sample(
        one_batch(x, batch, d + 1), one_batch(cast(grid, x.dtype), batch, d + 1), mode, kind, corners
    )
    if steps > 1:
        out = (F.avg_pool2d if d == 2 else F.avg_pool3d)(out, steps)
    return shaped(out, batch + out.shape[1:])


def normalised_grid(
    m: Map,
    source: tuple[int, ...],
    target: tuple[int, ...],
    how: Sampling,
    dtype: torch.dtype,
    device: torch.device,
    steps: int = 1,
    rows: slice = slice(None),
) -> tuple[Tensor, str]:
    """Where each output pixel reads, -1 and 1 at the frame's edges (with reflection, at the outer pixels' centres), and what
    lies outside."""
    padding = padding_of(m, how)
    scale = [2 / max(n - 1, 1) if padding == "reflection" else 2 / n for n in reversed(source)]
    return scaled(m, scale).grid(target, dtype, device, steps, rows), padding


def padding_of(m: Map, how: Sampling) -> str:
    return "border" if m.axis_aligned else how.padding or "zeros"


def scaled(m: Map, scale: list[float]) -> Map:
    """The map with each input coordinate multiplied by a constant: folded into its last matrix where it ends in one."""
    last = m.stages[-1]
    if isinstance(last, Linear):
        factors = constant((*((s,) for s in scale), (1.0,)), last.matrix)
        return Map((*m.stages[:-1], Linear(last.matrix * factors, last.projective)))
    return Map((*m.stages, Scaled(tuple(scale))))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Scaled:
    """u -> s u, axis by axis."""

    scale: tuple[float, ...]

    def __call__(self, points: Tensor) -> Tensor:
        if len(set(self.scale)) == 1:  # a number is twice as fast
            return points * self.scale[0]
        return points * constant(self.scale, points)


def window_sample(x: Tensor, m: Map, target: tuple[int, ...], mode: str) -> Tensor:
    """Antialiased reading of an upright window, axis by axis, by normalised weights (triangle or cubic) as wide as a
    pixel's footprint."""
    matrix, d = m.stages[0].matrix.to(x), len(target)  # type: ignore[union-attr]
    for axis in range(d):
        i = d - 1 - axis
        line = Line(matrix[..., i, i], matrix[..., i, d], x.shape[axis - d], target[axis], mode)
        x = line_by_bags(line, x, axis - d)
    return x

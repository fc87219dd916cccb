"""Paths: a value for each frame of a clip, drawn at some moments and interpolated between them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from augfn.distributions.base import Distribution, check_order
from augfn.errors import explain
from augfn.math.shapes import cast

WAYS = ("smooth", "linear")


class Knots(Distribution):
    """A leaf over time: `n` knots, uniform on [low, high), evenly spaced from a clip's first frame to its last, and what lies
    between them interpolated.

    * `n`: 1 is one value for the clip, None one for each frame, independent of the others.
    * `between`: "smooth" (u^2 (3 - 2 u) from knot to knot: no kinks, and never outside of the range) or "linear".

    It is for dicts with a "video" `[*b, T, C, H, W]`; what comes back in params is the value of each frame, `[*b, T]`, which
    can be looked at, edited and replayed. Camera shake is `af.rotate(degrees=af.Knots(-3, 3, n=8))`, a drift of the exposure
    `af.brightness(factor=af.Knots(0.7, 1.3, n=2))`. Leaves beside it are drawn once for the clip.

    >>> import augfn as af
    >>> clip = {"video": torch.rand(1, 5, 3, 8, 8)}
    >>> _, params = af.rotate(degrees=af.Knots(-3.0, 3.0, n=2))(clip, None, af.key(0))
    >>> params["degrees"].shape
    torch.Size([1, 5])
    """

    fields = ("low", "high")
    static = ("n", "between")
    values = ("low", "high")
    ordered = ("low", "high")
    low: Tensor
    high: Tensor
    n: int | None
    between: str

    def __init__(self, low: Any, high: Any = None, n: int | None = 4, between: str = "smooth") -> None:
        if high is None:
            raise TypeError(explain("Knots: two ends", low, "the lower and the upper one", "af.Knots(-3.0, 3.0)"))
        check_order("Knots", low, high)
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 1):
            raise ValueError(explain("Knots: n", n, "a positive whole number, or None for one in each frame", "n=4"))
        if between not in WAYS:
            raise ValueError(explain("Knots: between", between, f"one of {', '.join(WAYS)}", 'between="smooth"'))
        self._set(low=low, high=high, n=n, between=between)

    def draw(self, u: Tensor) -> Tensor:
        want = 'a dict with a "video" [*batch, T, C, H, W]'
        raise ValueError(explain("a path over time needs a clip", self, want, 'f({"video": clip}, None, key)'))

    def over(self, frames: int, rank: int) -> Path:
        """The distribution of the values in so many frames, of `rank` dims each."""
        return Path(self.low, self.high, self.n, self.between, frames, rank)


class Path(Knots):
    """Knots of a clip of so many frames: `draw(u [*b, count, *leaf])` gives `[*b, frames, *leaf]`, of `rank` dims each."""

    static = ("n", "between", "frames", "rank")
    frames: int
    rank: int

    def __init__(self, low: Any, high: Any, n: int | None, between: str, frames: int, rank: int) -> None:
        self._set(low=low, high=high, n=n, between=between, frames=frames, rank=rank)

    @property
    def count(self) -> int:
        return self.frames if self.n is None else self.n

    def draw(self, u: Tensor) -> Tensor:
        low, high = self.tensors(u)
        knots = torch.lerp(low, cast(high, low.dtype), cast(u, low.dtype))
        if self.n is None or self.frames == 0:
            return knots
        place = torch.linspace(0, self.n - 1, self.frames, dtype=knots.dtype, device=knots.device)
        first = place.floor().clamp(0, max(self.n - 2, 0))
        share = place - first
        share = share * share * (3 - 2 * share) if self.between == "smooth" else share
        axis, index = knots.ndim - self.rank - 1, first.long()
        before = knots.index_select(axis, index)
        after = knots.index_select(axis, (index + 1).clamp(max=self.n - 1))
        return torch.lerp(before, after, share.reshape(-1, *[1] * self.rank))

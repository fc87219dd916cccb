"""Inputs without a batch: dims that are added for a call, and taken away afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map, tree_map_only

from augfn.core.augmentation import Augmentation
from augfn.core.boxes import Boxes
from augfn.core.targets import FRAMED, LAYOUT, OTHER, kind_of, of_peer

Size = tuple[int, ...]
Frame = tuple[Size, Size]  # batch shape, size of the frame


def lift(x: Any, f: Augmentation) -> tuple[Any, Frame | None, Any]:
    """`x` with a batch dimension, its frame, and the number of dims that were added (a dict of them for a dict).

    What cannot be read is left to f, which says so.
    """
    if isinstance(x, Tensor):
        kind, value = "image" if f.ndim == 2 else "volume", x
    else:
        pairs = ((kind_of(n, f.targets), v) for n, v in x.items()) if isinstance(x, Mapping) else ()
        kind, value = next(((k, v) for k, v in pairs if k in FRAMED), ("label", None))
    d = 3 if kind == "volume" and not f.spatial else f.ndim
    rank = len((LAYOUT[kind][d - 2] or "").split())
    if not rank or not isinstance(value, Tensor) or value.ndim < rank - 1:
        return x, None, None
    size = tuple(value.shape[-d:])
    if value.ndim > rank:
        return x, (tuple(value.shape[:-rank]), size), None
    dims: Any = rank + 1 - value.ndim
    if not isinstance(x, Tensor):
        kinds = {n: kind_of(n, f.targets) for n in x}
        whole = {n for n, k in kinds.items() if k == OTHER or (kind in ("image", "volume") and leads(x[n], k, d))}
        dims = {n: dims if k == kind else int(n not in whole) for n, k in kinds.items()}
    return add_dims(x, dims), ((1,), size), dims


def leads(value: Any, kind: str, d: int) -> bool:
    """True of boxes and masks that have a batch of one already, beside an image that has none."""
    ranks = {"boxes": 3} | dict.fromkeys(("mask", "softmask", "heatmap", "instances"), d + 2)
    data = value.data if isinstance(value, Boxes) else value
    return isinstance(data, Tensor) and data.ndim == ranks.get(kind) and len(data) == 1


def add_dims(x: Any, dims: Any) -> Any:
    if isinstance(x, Tensor):
        return x[(None,) * dims]
    known = {n: of_peer(v) if dims[n] else v for n, v in x.items()}  # a slice has no format of boxes
    return {
        n: tree_map_only(Tensor, lambda t, n=n: t[(None,) * dims[n]], v) if dims[n] else v for n, v in known.items()
    }


def lower(y: Any, dims: Any) -> Any:
    """The output without the dims that `lift` added; of views each."""
    if isinstance(y, tuple):
        return tuple(lower(v, dims) for v in y)
    if isinstance(dims, int):
        return y[(0,) * dims]
    return {n: tree_map(lambda t, n=n: t[(0,) * dims[n]], v) if dims[n] else v for n, v in y.items()}

"""Rows: what boxes and keypoints share, and lists of them, of another length for each sample, as one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import GetAttrKey, register_pytree_node

from augfn.errors import explain

R = TypeVar("R", bound="Rows")


def register_node(cls: type, leaves: tuple[str, ...], static: tuple[str, ...]) -> None:
    def flatten(t: Any) -> tuple[list[Any], Any]:
        names = tuple(n for n in leaves if getattr(t, n) is not None)
        return [getattr(t, n) for n in names], (names, tuple(getattr(t, n) for n in static))

    def unflatten(values: Any, context: Any) -> Any:
        t = object.__new__(cls)
        names, rest = context
        t.__dict__.update(dict.fromkeys(leaves) | dict(zip(names, values, strict=True)))
        t.__dict__.update(zip(static, rest, strict=True))
        return t

    def with_keys(t: Any) -> tuple[list[Any], Any]:
        values, context = flatten(t)
        return [(GetAttrKey(n), v) for n, v in zip(context[0], values, strict=True)], context

    name = f"augfn.core.boxes.{cls.__name__}"
    register_pytree_node(cls, flatten, unflatten, serialized_type_name=name, flatten_with_keys_fn=with_keys)


class Rows:
    """What boxes and keypoints share: tensors that lead with the batch, and settings."""

    tensors: ClassVar[tuple[str, ...]]

    def to(self: R, *args: Any, **keywords: Any) -> R:
        """On another device, or the coordinates in another dtype, as of `torch.Tensor.to`."""
        held = {n: t for n in self.tensors if (t := getattr(self, n)) is not None}
        main = held[self.tensors[0]].to(*args, **keywords)
        if not main.is_floating_point():
            raise TypeError(explain(f"{type(self).__name__}.to", main, "a floating dtype", ".to(torch.float32)"))
        moved = {n: t.to(main.device if t.dtype != held[self.tensors[0]].dtype else main) for n, t in held.items()}
        return replace(self, **moved)  # type: ignore[type-var]

    def cpu(self: R) -> R:
        return self.to("cpu")

    def cuda(self: R, device: Any = None) -> R:
        return self.to("cuda" if device is None else device)

    def pin_memory(self: R) -> R:
        """As `DataLoader(pin_memory=True)` asks for."""
        held = {n: t.pin_memory() for n in self.tensors if (t := getattr(self, n)) is not None}
        return replace(self, **held)  # type: ignore[type-var]

    def __len__(self) -> int:
        return len(getattr(self, self.tensors[0]))

    def __getitem__(self: R, index: Any) -> R:
        """Some samples of the batch, or rows of one sample."""
        first, name = getattr(self, self.tensors[0]), type(self).__name__.lower()
        parts = index if isinstance(index, tuple) else (index,)
        if sum(i is not None for i in parts) >= first.ndim or any(isinstance(i, str) or i is Ellipsis for i in parts):
            fix = f"{name}.labels, {name}.valid; {name}.{self.tensors[0]}[..., 0]"
            raise TypeError(explain(f"{name}[...] takes samples and rows", index, "numbers, slices, masks", fix))
        held = {n: t[index] for n in self.tensors if (t := getattr(self, n)) is not None}
        if held[self.tensors[0]].ndim < 2:
            fix = f"{name}[i : i + 1], or .{self.tensors[0]}[i]"
            raise IndexError(explain("one row alone", index, "samples of a batch, or a slice of rows", fix))
        return replace(self, **held)  # type: ignore[type-var]


def check_rows(name: str, rows: Any, data: Any) -> None:
    """What belongs to the boxes has an entry for each; `valid` is boolean."""
    if rows is None:
        return
    what = f"Boxes: {name}"
    if not isinstance(rows, Tensor) or (name == "valid" and rows.dtype != torch.bool):
        kind = "a boolean tensor" if name == "valid" else "a tensor"
        raise TypeError(explain(what, rows, kind, f"{name}=torch.as_tensor({name}), .bool() for valid"))
    lead = data.shape[:-1]
    if rows.shape[: len(lead)] != lead:
        raise ValueError(explain(what, rows, f"{list(lead)} first, as many as boxes", "one entry per box"))


def check_coordinates(what: str, x: Any, widths: Sequence[int]) -> None:
    """Floating numbers, of which the last axis holds those of one row."""
    want = f"a floating tensor [*batch, N, {' or '.join(map(str, widths))}]"
    if not isinstance(x, Tensor) or not x.is_floating_point():
        fix = f"torch.as_tensor(...).float(); lists of several lengths: af.{what}.pad([...])"
        raise TypeError(explain(f"{what}: not floating", x, want, fix))
    if x.ndim < 2 or x.shape[-1] not in widths:
        raise ValueError(
            explain(f"{what}: wrong shape", x, want, "one row for each, of as many numbers; [None] for one alone")
        )


def made_of(kind: str, name: str, rows: Any, settings: str = "") -> str:
    """The call that makes boxes or keypoints of what is no tensor: of the rows of one sample, or of a list of them."""
    first = rows[0] if isinstance(rows, Sequence | np.ndarray) and len(rows) else ()
    alone = isinstance(first, Sequence | np.ndarray) and len(first) > 0 and isinstance(first[0], Real)
    return f"af.{kind}(torch.as_tensor({name}).float(){settings})" if alone else f"af.{kind}.pad({name}{settings})"


def padded(
    what: str,
    lists: Sequence[Any],
    widths: Sequence[int],
    floating: bool = True,
    deep: bool = False,
    clip: bool = False,
) -> tuple[Tensor, Tensor]:
    """Rows `[N_i, k]` for each sample as `[B, N, k]`, with zeros after the last, and which are there `[B, N]`.

    `widths`: the k that are known; none: any number of further dims. `deep`: there may be dims before k. `clip`: each sample has
    a list of its own for every frame, `[B, T, N, k]`.
    """
    if clip:
        if len(lengths := {len(x) for x in lists}) > 1:
            fix = "clips of one length: af.time_crop, af.time_subsample"
            raise ValueError(explain(f"{what}: of so many frames", sorted(lengths), "one number", fix))
        found = padded(what, [rows for x in lists for rows in x], widths, floating, deep)
        return found[0].unflatten(0, (len(lists), -1)), found[1].unflatten(0, (len(lists), -1))
    if isinstance(lists, Tensor) or not isinstance(lists, Sequence):
        fix = f"list({what}), [{what}] for one sample"
        raise TypeError(explain(f"{what}: not a list", lists, "a list with one entry for each sample", fix))
    rows = [as_rows(f"{what}[{i}]", x, widths, floating, deep) for i, x in enumerate(lists)]
    if not rows:
        raise ValueError(explain(f"{what}: no samples", lists, "one entry for each sample", "leave empty batches out"))
    full = [r for r in rows if len(r)]
    tails = {tuple(r.shape[1:]) for r in full}
    if len(tails) > 1:
        want = "rows of one length in all samples"
        raise ValueError(explain(f"{what}: rows differ", sorted(map(list, tails)), want, "bring them to one format"))
    tail, most = tails.pop() if tails else tuple(rows[0].shape[1:]), max(map(len, rows))
    none = rows[0].float() if floating else rows[0].long() if rows[0].is_floating_point() else rows[0]
    kind = full[0] if full else none
    data = torch.stack([torch.cat([r.to(kind).reshape(-1, *tail), kind.new_zeros(most - len(r), *tail)]) for r in rows])
    counts = torch.tensor([len(r) for r in rows], device=kind.device)
    return data, torch.arange(most, device=kind.device) < counts[:, None]


def of_clips(lists: Any) -> bool:
    """True if samples hold rows for each frame: an array `[T, N, k]`, or a list of lists of rows."""

    def ndim(x: Any) -> int:
        return getattr(x, "ndim", 0)

    def is_frame(x: Any) -> bool:
        listed = isinstance(x, list | tuple) and (not x or isinstance(x[0], list | tuple) or ndim(x[0]) == 1)
        return listed or ndim(x) == 2

    def is_clip(x: Any) -> bool:
        return ndim(x) == 3 or (isinstance(x, list | tuple) and all(map(is_frame, x)))

    return isinstance(lists, Sequence) and any(map(len, lists)) and all(map(is_clip, lists))


def as_rows(what: str, x: Any, widths: Sequence[int], floating: bool, deep: bool) -> Tensor:
    """One sample's rows as a tensor; an empty list has none."""
    if isinstance(x, Rows):
        fix = "af.collate of the samples pads them"
        raise TypeError(explain(f"{what}: {type(x).__name__}, which have their rows", x, "rows of numbers", fix))
    try:
        t = torch.as_tensor(x)
    except (TypeError, ValueError, RuntimeError):
        want, fix = "a tensor, an array or a list of rows of one length", "[[x1, y1, x2, y2], ...], numbers alone"
        fix = fix if widths else "numbers that stand for the classes, names.index(label)"
        raise TypeError(explain(f"{what}: no rows of numbers", x, want, fix)) from None
    if floating and not t.is_floating_point():
        t = t.float()
    if widths and t.numel() == 0:
        return t.reshape(0, *t.shape[1:-1], widths[0]) if t.ndim > 2 else t.reshape(0, widths[0])
    if widths and (t.ndim < 2 or (t.ndim > 2 and not deep) or t.shape[-1] not in widths):
        want = f"[N, {' or '.join(map(str, widths))}]"
        fix = "a list for each sample: [[row, row], [], [row]]"
        raise ValueError(explain(f"{what}: wrong shape", t, want, fix))
    if not t.ndim:
        raise ValueError(explain(f"{what}: a single number", x, "one entry for each row", f"[{x}]"))
    return t

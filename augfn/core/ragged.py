"""Ragged data: lists of rows, of another length for each sample, as one tensor and what of it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from augfn.errors import explain


def padded(
    what: str, lists: Sequence[Any], widths: Sequence[int], floating: bool = True, deep: bool = False
) -> tuple[Tensor, Tensor]:
    """Rows `[N_i, k]` for each sample as `[B, N, k]`, with zeros after the last, and which are there `[B, N]`.

    `widths`: the k that are known; none: any number of further dims. `deep`: there may be dims before k.
    """
    if isinstance(lists, Tensor) or not isinstance(lists, Sequence):
        raise TypeError(explain(f"{what}: not a list", lists, "a list with one entry for each sample", f"[{what}]"))
    rows = [as_rows(f"{what}[{i}]", x, widths, floating, deep) for i, x in enumerate(lists)]
    if not rows:
        raise ValueError(explain(f"{what}: no samples", lists, "one entry for each sample", "leave empty batches out"))
    full = [r for r in rows if len(r)]
    tails = {tuple(r.shape[1:]) for r in full}
    if len(tails) > 1:
        want = "rows of one length in all samples"
        raise ValueError(explain(f"{what}: rows differ", sorted(map(list, tails)), want, "bring them to one format"))
    tail, most = tails.pop() if tails else tuple(rows[0].shape[1:]), max(map(len, rows))
    kind = full[0] if full else rows[0]
    data = torch.stack([torch.cat([r.to(kind).reshape(-1, *tail), kind.new_zeros(most - len(r), *tail)]) for r in rows])
    counts = torch.tensor([len(r) for r in rows], device=kind.device)
    return data, torch.arange(most, device=kind.device) < counts[:, None]


def as_rows(what: str, x: Any, widths: Sequence[int], floating: bool, deep: bool) -> Tensor:
    """One sample's rows as a tensor; an empty list has none."""
    try:
        t = torch.as_tensor(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            explain(f"{what}: no rows of numbers", x, "a tensor, an array or a list of rows", str(error))
        ) from None
    if floating and not t.is_floating_point():
        t = t.float()
    if widths and t.numel() == 0:
        return t.reshape(0, *t.shape[1:-1], widths[0]) if t.ndim > 2 else t.reshape(0, widths[0])
    if widths and (t.ndim < 2 or (t.ndim > 2 and not deep) or t.shape[-1] not in widths):
        want = f"[N, {' or '.join(map(str, widths))}]"
        raise ValueError(explain(f"{what}: wrong shape", t, want, "one row for each, [] for none"))
    if not t.ndim:
        raise ValueError(explain(f"{what}: a single number", x, "one entry for each row", f"[{x}]"))
    return t

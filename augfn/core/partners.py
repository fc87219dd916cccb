"""Partners: whom each sample of a batch meets when samples are mixed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from augfn.errors import explain
from augfn.run.peek import peek

WAYS = ("next", "other_class")


@dataclass(frozen=True)
class Partners:
    """`who(k)`: for each of the flattened samples the number of its k-th partner.

    * `order [*b]`: sort keys of the samples. `given [*b]`, or `[*b, n]` for n partners: their numbers, in place of an order.
    * `label`: class indices `[*b]` or soft labels `[*b, K]`; then only samples of another class are partners.
    """

    order: Tensor
    given: Tensor | None = None
    label: Tensor | None = None

    def __call__(self, k: int = 1) -> Tensor:
        if not self.order.ndim:
            given, want = "one sample (in a dataset, or under vmap over samples)", "a batch [B, C, H, W]"
            fix = "call it on the batch: after the DataLoader, outside of vmap"
            raise ValueError(explain("there is no batch to mix", given, want, fix))
        if self.given is not None:
            chosen = self.given if self.given.ndim == self.order.ndim else self.given[..., k - 1]
            return numbers(chosen.flatten())
        if self.label is None:
            return next_in_order(self.order.flatten(), k)
        return next_of_another_class(self.order.flatten(), self.label.flatten(0, self.order.ndim - 1), k)


def taken(x: Tensor, partner: Tensor, b: int) -> Tensor:
    """What the partners have, `x [*b, ...]`, in the samples' places."""
    return x.flatten(0, b - 1).index_select(0, partner).reshape(x.shape)


def numbers(partner: Tensor) -> Tensor:
    """Checked numbers of samples."""
    values = peek(partner)
    if values is not None and ((values < 0) | (values >= len(values)) | (values != values.round())).any():
        want, fix = f"whole numbers from 0 to {len(values) - 1}", "partner=torch.arange(len(x)).flip(0)"
        raise ValueError(explain("partner: there is no such sample", values.tolist(), want, fix))
    return partner.round().long()


def next_in_order(order: Tensor, k: int = 1) -> Tensor:
    """The index of the one k after each in ascending order of keys, around the end."""
    ranked = torch.argsort(order, stable=True)
    partner = torch.empty_like(ranked)
    return partner.scatter(0, ranked, ranked.roll(-k))


def next_of_another_class(order: Tensor, label: Tensor, k: int = 1) -> Tensor:
    """The same among those of another class; the k-th of fewer begins again, and of none it is the sample itself."""
    label = label[..., 0] if label.ndim > 1 and label.shape[-1] == 1 else label
    classes = (label.to(order.dtype).argmax(-1) if label.ndim > 1 else label).to(order.device)
    rank, n = order.argsort(stable=True).argsort(), len(order)
    other = classes[:, None] != classes
    distance = ((rank - rank[:, None]) % n).masked_fill(~other, n)
    nearest, count = distance.argsort(dim=-1, stable=True), other.sum(-1)
    found = nearest.gather(-1, ((k - 1) % count.clamp(min=1))[:, None])[:, 0]
    return torch.where(count > 0, found, torch.arange(n, device=order.device))

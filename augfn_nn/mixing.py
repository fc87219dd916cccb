"""What modules that mix share: labels and other targets by position, as in kornia."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from augfn.core.draw import Params
from augfn.errors import explain
from augfn_nn.augment import Generator
from augfn_nn.derive import Derived
from augfn_nn.shorthands import only
from augfn_nn.slots import collect, sample_of, slots_of


class Mixes(Derived):
    """Base of the classes that mix.

    `aug(images, labels)`, or with `data_keys=["input", "mask", "class"]` other targets. Labels come back soft, `[B, K]`; class
    indices need `num_classes` for that. With `labels="kornia"`, and for class indices without `num_classes`, they come back as in
    kornia: `[B, 3]` of the own index, the partner's and the partner's weight (of a cut in a dim of its own before that).
    """

    extras: ClassVar[dict[str, Any]] = {"data_keys": None, "labels": None}
    keys: ClassVar[tuple[str, ...]] = ("input", "class", "class", "class")
    stacked = False  # kornia's triple has a dim for the number of partners
    dims = 2  # of images by position
    data_keys: Sequence[Any] | None
    labels: str | None

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        *args: Any,
        params: Params | None = None,
        data_keys: Sequence[Any] | None = None,
        generator: Generator | None = None,
        index: Any = None,
        epoch: int = 0,
    ) -> Any:
        keys = data_keys or self.data_keys
        if len(args) > 1 and (
            args[1] is None or isinstance(args[1], Mapping)
        ):  # as of any module: (x, params, generator)
            params, generator = args[1], args[2] if len(args) > 2 else generator  # type: ignore[assignment]
            args = args[:1]
        if len(args) == 1 and (keys is None or len(keys) > 1):
            return super().forward(args[0], params, generator, index=index, epoch=epoch)
        keys = self.keys[: len(args)] if keys is None else keys
        if len(keys) != len(args):
            given, fix = f"{len(args)} arguments", "aug(images, labels, data_keys=['input', 'class'])"
            raise ValueError(
                explain(f"{type(self).__name__}: arguments and data keys disagree", given, str(list(keys)), fix)
            )
        slots, values = slots_of(keys, self.dims, self.f.targets), list(args)
        given = sample = sample_of(values, slots)
        pairs = {s.name for s in slots if s.kind == "label" and self.as_pairs(sample[s.name])}
        count = len(next(iter(sample.values())))
        sample = sample | {n: torch.eye(count, device=sample[n].device) for n in pairs}
        out = dict(super().forward(sample, params, generator, index=index, epoch=epoch))
        slots = [s._replace(kind="pairs") if s.name in pairs else s for s in slots]
        out |= {n: self.pairs(given[n], out[n]) for n in pairs}
        return collect(args, slots, values, out)

    def as_pairs(self, labels: Tensor) -> bool:
        """True if labels come back in kornia's form."""
        only(f"{type(self).__name__}: labels", self.labels, (None, "kornia"), "labels=None: soft, with num_classes")
        whole = isinstance(labels, Tensor) and not labels.is_floating_point()
        asked = self.labels == "kornia" or (self.labels is None and whole and self.given.get("num_classes") is None)
        if asked and not whole:
            want, fix = "class indices [B]", "labels=None: soft labels are blended"
            raise ValueError(explain("labels='kornia' of soft labels", labels, want, fix))
        return asked and not self.spec.leaves["partner"].shape  # of one partner

    def pairs(self, labels: Tensor, weights: Tensor) -> Tensor:
        """The own label, the partner's, and the partner's weight; `weights [B, B]` are those of the samples."""
        own = weights.diagonal()
        partner = (weights - torch.diag(own)).argmax(-1)
        partner = torch.where(own < 1, partner, torch.arange(len(own), device=own.device))
        found = torch.stack([labels.to(own), labels[partner].to(own), 1 - own], -1)
        return found[None] if self.stacked else found

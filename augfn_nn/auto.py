"""Published policies as modules, under kornia's names; each image has a draw of its own (in kornia the batch has one)."""

from __future__ import annotations

from typing import Any

from torch.serialization import add_safe_globals

import augfn as af
from augfn.errors import explain
from augfn_nn.augment import Augment


def published(what: str, policy: Any) -> None:
    """Tables of one's own are combined from ops."""
    if policy is not None:
        want, fix = "None, for the published one", "af.one_of(af.pipeline(af.rotate(p=0.5), af.posterize(p=0.8)), ...)"
        raise ValueError(explain(f"{what}: a policy of one's own", policy, want, f"Augment({fix})"))


class AutoAugment(Augment):
    """`af.auto_augment`: one of 25 sub-policies; `policy` is "imagenet", "cifar10" or "svhn".

    >>> import torch
    >>> AutoAugment("cifar10")(torch.rand(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, policy: str = "imagenet", transformation_matrix_mode: str = "silent", **flags: Any) -> None:
        published("AutoAugment", None if isinstance(policy, str) else policy)
        if policy == "cifar":
            policy = "cifar10"
        super().__init__(af.auto_augment(policy), **flags)


class RandAugment(Augment):
    """`af.rand_augment`: n ops at the level m, of 30.

    >>> import torch
    >>> RandAugment(n=2, m=10)(torch.rand(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self, n: int, m: int, policy: Any = None, transformation_matrix_mode: str = "silent", **flags: Any
    ) -> None:
        published("RandAugment", policy)
        super().__init__(af.rand_augment(n, m), **flags)


class TrivialAugment(Augment):
    """`af.trivial_augment`: one op at any level.

    >>> import torch
    >>> TrivialAugment()(torch.rand(2, 3, 8, 8)).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(self, policy: Any = None, transformation_matrix_mode: str = "silent", **flags: Any) -> None:
        published("TrivialAugment", policy)
        super().__init__(af.trivial_augment(), **flags)


add_safe_globals([AutoAugment, RandAugment, TrivialAugment])

"""Mixing as modules."""

from __future__ import annotations

from typing import Any

import augfn as af
from augfn.typing import Range
from augfn_nn.derive import derive


@derive(af.mixup, p=1.0)
def RandomMixUp(lambda_val: Range | None = None, alpha: float = 1.0, num_classes: int | None = None) -> Any:
    """Blend with a partner; `lambda_val` = (low, high) is the own sample's weight (kornia: the partner's).

    Without it the weight is drawn from Beta(alpha, alpha). Labels are blended too: soft ones, or indices with
    `num_classes` (kornia returns both labels and the weight).
    """
    return {"weight": af.Beta(alpha, alpha) if lambda_val is None else lambda_val, "num_classes": num_classes}


RandomMixUpV2 = RandomMixUp

"""The module of albumentations' pipelines: boxes and keypoints of one sample as a list of rows, as a `Compose` takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.serialization import add_safe_globals

from augfn.core.boxes import Boxes, Keypoints
from augfn.errors import explain
from augfn_nn.sequential import AugmentationSequential

# of a call, beside the targets
KEYWORDS = ("params", "data_keys", "generator", "index", "epoch", "output_type", "extra_args")


class Form(NamedTuple):
    """How rows are read: their kind, their format and what `Boxes` is told beside it, the names of what belongs to them, and
    whether what is not left is dropped."""

    kind: str
    settings: dict[str, Any]
    fields: tuple[str, ...]
    drops: bool

    @property
    def width(self) -> int:
        return 4 if self.kind == "boxes" else 2

    def enter(self, rows: Sequence[Any]) -> Boxes | Keypoints:
        numbers = [[float(v) for v in row[: self.width]] for row in rows]
        data = torch.tensor(numbers).reshape(len(numbers), self.width)
        return Boxes(data, **self.settings) if self.kind == "boxes" else Keypoints(data)

    def leave(self, found: Boxes | Keypoints, rows: Sequence[Any]) -> tuple[Any, list[bool]]:
        """The rows that are left, with what else was in them, and which these are."""
        data, left = (found.data, found.valid) if isinstance(found, Boxes) else (found.xy, found.visible > 0)
        keep = [bool(k) or not self.drops for k in left.tolist()]
        out = [[*new, *old[self.width :]] for new, old, k in zip(data.tolist(), rows, keep, strict=True) if k]
        return np.array(out).reshape(len(out), *rows.shape[1:]) if isinstance(rows, np.ndarray) else out, keep


class Composed(AugmentationSequential):
    """An AugmentationSequential that is called as a `Compose` too: boxes and keypoints of one sample as a list or an array of
    rows, in the format of its `bbox_params` and `keypoint_params`. Rows of which nothing is left are dropped, and what belongs to
    them in `label_fields`. Tensors, `af.Boxes` and `af.Keypoints` keep their rows.
    """

    forms: Mapping[str, Form] = {}  # by the names of the targets

    def forward(self, *args: Any, **known: Any) -> Any:
        """Augment a dict of targets, or keywords by their names; else as AugmentationSequential."""
        named = args[0] if len(args) == 1 else {n: v for n, v in known.items() if n not in KEYWORDS}
        forms = {n: f for n, f in self.forms.items() if isinstance(named, Mapping) and is_rows(named.get(n))}
        if not forms:
            return super().forward(*args, **known)
        fields = [n for f in forms.values() for n in f.fields if n in named]
        sample = {n: forms[n].enter(v) if n in forms else v for n, v in named.items() if n not in fields}
        out = dict(super().forward(sample, **{n: v for n, v in known.items() if n in KEYWORDS}))
        for n, form in forms.items():
            out[n], keep = form.leave(out[n], named[n])
            out |= {field: kept(field, named[field], keep) for field in form.fields if field in named}
        return {n: out[n] for n in named}


def is_rows(x: Any) -> bool:
    """True of a list or an array of rows of numbers; of an empty one too."""
    if not isinstance(x, list | tuple | np.ndarray):
        return False
    return len(x) == 0 or (isinstance(x[0], list | tuple | np.ndarray) and len(x[0]) > 1 and isinstance(x[0][0], Real))


def kept(field: str, values: Any, keep: list[bool]) -> Any:
    """What belongs to the rows that are left: of a list, an array or a tensor."""
    if len(values) != len(keep):
        raise ValueError(explain(f"{field}: as many as rows", len(values), f"{len(keep)}", "one for each row"))
    if isinstance(values, list | tuple):
        return [v for v, k in zip(values, keep, strict=True) if k]
    return values[torch.tensor(keep, dtype=torch.bool) if isinstance(values, torch.Tensor) else np.array(keep, bool)]


add_safe_globals([Composed, Form])

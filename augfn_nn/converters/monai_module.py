"""The module of MONAI's pipelines: its `MetaTensor`s keep a true affine, and its `Dataset` takes the module as it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.serialization import add_safe_globals

from augfn_nn.sequential import AugmentationSequential
from augfn_nn.slots import same

MOVED = "affine_moved"  # from voxels that come out to those that came in
BENDS = ("Rand2DElastic", "Rand3DElastic", "RandGridDistortion", "GridDistortion")


class Dictionaries(AugmentationSequential):
    """An AugmentationSequential for what MONAI's loaders give.

    * A `MetaTensor` comes back as one, and its affine follows the geometry; of a pipeline with a bend, of which no affine
      tells, it comes back as a plain tensor.
    * An array has its channels first, as MONAI's do, and comes back as a tensor.
    * It is no iterable, since MONAI's `Dataset` and `Compose` take those apart: `module[i]` and `module.children()`.
    """

    __iter__ = None  # type: ignore[assignment]
    bends = False

    def forward(self, *args: Any, **known: Any) -> Any:
        """Augment a dictionary, or images and masks in the order of `data_keys`; keywords as of AugmentationSequential."""
        return self.followed(super().forward, args, known)

    def inverse(self, *args: Any, **known: Any) -> Any:
        """Undo the geometry of the last call, or of `params`."""
        return self.followed(super().inverse, args, known)

    def followed(self, call: Callable[..., Any], args: tuple[Any, ...], known: dict[str, Any]) -> Any:
        """The call on plain tensors, whose affines follow."""
        named = len(args) == 1 and isinstance(args[0], Mapping)
        keys = known.get("data_keys") or self.data_keys
        args = ({n: read(v) if n in keys else v for n, v in args[0].items()},) if named else tuple(map(read, args))
        given: dict[Any, Any] = dict(args[0]) if named else dict(zip(keys, args, strict=False))
        metas = {n: v for n, v in given.items() if is_meta(v)}
        if not metas or (not named and not len(given) == len(args) == len(keys)):
            return call(*args, **known)
        plain = {n: v.as_tensor() if n in metas else v for n, v in given.items()}
        spatial = self.f.spatial
        if spatial and not self.bends:
            first, d = plain[next(iter(metas))], self.f.ndim
            eye = torch.eye(d + 1, device=first.device)
            plain[MOVED] = eye.expand(*first.shape[: -d - 1], d + 1, d + 1)
        out = dict(call(plain, **{n: v for n, v in known.items() if n != "data_keys"}))
        moved = out.pop(MOVED, None)
        if moved is not None or not spatial:
            out |= {n: with_affine(out[n], v, moved) for n, v in metas.items()}
        return out if named else same(tuple(out.values()))


def read(x: Any) -> Any:
    """An array as a tensor: MONAI's have their channels first, unlike those that `AugmentationSequential` takes."""
    return torch.from_numpy(np.array(x)) if isinstance(x, np.ndarray) else x


def is_meta(x: Any) -> bool:
    return isinstance(x, Tensor) and type(x).__name__ == "MetaTensor" and hasattr(x, "affine")


def with_affine(y: Any, given: Any, moved: Tensor | None) -> Any:
    """A MetaTensor with what was told of the given one, and the affine of where its voxels come from."""
    if not isinstance(y, Tensor):
        return y  # an array, as `output_type=` asked for
    before = torch.as_tensor(given.affine)
    if (
        moved is not None and moved.ndim == before.ndim == 3 and len(moved) != len(before)
    ):  # of a batch that was repeated
        if not all(torch.equal(a, before[0]) for a in before):
            return y
        before = before[0]
    made: Any = y.as_subclass(type(given))
    made.copy_meta_from(given)
    if moved is not None:
        made.affine = before @ of_arrays(moved, before.shape[-1]).to(before)
    return made


def of_arrays(moved: Tensor, n: int) -> Tensor:
    """A matrix of (x, y[, z], 1) as one of the array's axes, the first before; of n rows."""
    d = moved.shape[-1] - 1
    order = [*reversed(range(d)), d]
    turned = moved[..., order, :][..., order]
    out = torch.eye(n, dtype=moved.dtype, device=moved.device).repeat(*moved.shape[:-2], 1, 1)
    out[..., :d, :d], out[..., :d, -1] = turned[..., :d, :d], turned[..., :d, -1]
    return out


add_safe_globals([Dictionaries])

"""What scripts ask of kornia's modules: draws, matrices and settings under its names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augfn.errors import explain, unknown
from augfn_nn.items import tree_of
from augfn_nn.shorthands import only
from augfn_nn.slots import as_type

MODES = ("silent", "silence", "rigid", "skip")
KEEP = "keep what the call gives, and from augfn.app import viz; viz.save(viz.grid(viz.unbatch(y)), 'batch.png')"
LACKING = {  # what kornia's modules have and these have not: what to do
    "show": KEEP,
    "save": KEEP,
    "apply_func": "call the module",
    "transform_inputs": "call the container with params",
    "transform_masks": "call the container with params, data_keys=['mask']",
    "transform_boxes": "call the container with params, data_keys=['bbox_xyxy']",
    "transform_keypoints": "call the container with params, data_keys=['keypoints']",
    "inverse_inputs": "container.inverse(x)",
    "inverse_masks": "container.inverse(x, data_keys=['mask'])",
}


def matrix_mode(what: str, value: str) -> str:
    only(
        f"{what}: transformation_matrix_mode",
        value,
        MODES,
        "leave it out: the matrix is computed where it is asked for",
    )
    return value


class Asked(nn.Module):
    """Methods of kornia's modules."""

    matrix_mode = "silent"  # with "skip" there is no matrix
    forward_parameters: Any
    get_transformation_matrix: Any
    transform_matrix: Any

    @property
    def label(self) -> str:
        """Its name in a container, beside its number."""
        return type(self).__name__

    @property
    def axes(self) -> int:
        """Those of a frame."""
        own: Any = self
        return own.f.ndim

    def generate_parameters(self, batch_shape: Sequence[int]) -> dict[str, Any]:
        """The params that a call on images of this shape draws, without the gate."""
        return {n: v for n, v in self.forward_parameters(batch_shape).items() if n != "gate"}

    def set_rng_device_and_dtype(self, device: Any, dtype: Any) -> None:
        """Nothing: params are drawn on the host by a key, in single precision, and are the same for all devices."""

    def clear_state(self) -> None:
        """Forget the last call."""
        self._last = (None, None, False)

    def transform_tensor(self, input: Tensor) -> Tensor:
        """The images with a batch and channels."""
        return input[(None,) * max(self.axes + 2 - input.ndim, 0)]

    def identity_matrix(self, input: Tensor) -> Tensor:
        """`[B, 3, 3]` (`[B, 4, 4]` of volumes)."""
        n = self.axes + 1
        return torch.eye(n, device=input.device, dtype=input.dtype).expand(len(self.transform_tensor(input)), n, n)

    def compute_transformation(self, input: Tensor, params: Any, flags: Any = None) -> Tensor:
        """The matrices of these params, whatever their gate says."""
        return self.get_transformation_matrix(input, self.acting(input, params))

    def compute_inverse_transformation(self, transform: Tensor) -> Tensor:
        """The matrices back."""
        return torch.linalg.inv(transform)

    def apply_transform(self, input: Tensor, params: Any, flags: Any = None, transform: Any = None) -> Tensor:
        """The images with these params, whatever their gate says."""
        return self(input, params=self.acting(input, params), **(flags or {}))

    def acting(self, input: Tensor, params: Any) -> Any:
        """Params with an open gate, that of `generate_parameters` too, which has none."""
        own: Any = self
        tree: Any = tree_of(self, params)
        gate = {"gate": torch.ones(len(self.transform_tensor(input)))} if "gate" in own.f.meanings else {}
        return tree | gate

    def with_others(self, x: Any, call: Mapping[str, Any], others: dict[str, Any]) -> Any:
        """A call with further keywords: `output_type`, and what a module knows."""
        output_type = others.pop("output_type", "pt")
        if others:
            raise TypeError(unknown(f"keyword of a call of {type(self).__name__}", next(iter(others)), ["output_type"]))
        y = self.forward(x, **call)
        return y if output_type == "pt" else as_type(y, output_type)

    def lacking(self, name: str) -> str:
        what = f"{type(self).__name__}.{name}, of kornia's"
        return explain(what, name, "what kornia does by it, in another way", LACKING[name])

"""Custom augmentations in kornia's way: subclasses with `generate_parameters`, `compute_transformation`, `apply_transform`.

They run as they are, alone and in containers. A function of augfn and `derive` is the way that fuses, compiles and learns.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

import torch
from torch import Tensor
from torch.serialization import add_safe_globals

from augfn.core.actions import Action, Size
from augfn.core.augmentation import Augmentation
from augfn.core.called import Custom
from augfn.core.spec import gate_of
from augfn.distributions import Uniform
from augfn.errors import explain
from augfn.math.resample import Sampling
from augfn.run.mode import require_eager
from augfn.typing import GATE, Leaf
from augfn_nn.augment import Augment

LOCK = Lock()  # around torch's generator, which all threads share
SEED = Leaf("seed of torch's generator", low=0.0, high=1.0, flat="a seed only names a draw")


class Bridged(Augmentation):
    """The custom module as an augmentation: a gate, and the seed that its params are drawn from."""

    def __init__(self, module: Any, p: Any, ndim: int) -> None:
        gate = {} if isinstance(p, int | float) and p == 1 else {"gate": gate_of(type(module).__name__, p)}
        known = {"ndim": ndim, "spatial": bool(module.moves), "foreign": True}
        super().__init__(
            type(module).__name__, {"seed": Uniform(0.0, 1.0), **gate}, {"seed": SEED, "gate": GATE}, **known
        )
        self.module = module

    def plan(self, params: Any, size: Size, sampling: Sampling) -> list[Action]:
        require_eager(
            f"{self.name}, a custom module,", "an augmentation of augfn", "augfn_nn.derive of a functional op"
        )
        matrix = self.module.matrix_for if self.module.moves else None
        action = Custom(self.module.act, matrix, params["seed"], self.name)
        return [action if params.get("gate") is None else action.gated(params["gate"], size)]


class CustomBase(Augment):
    """What custom augmentations share.

    * `generate_parameters(batch_shape)`: a dict of tensors that lead with the batch; by default those of `self._param_generator`
      where it is set. It is called once for each image, with a batch of one, and draws from torch's generator, which is seeded
      for it, and left as it was; the seeds are in `aug._params`, so that a replay draws them again. What was drawn last is
      `aug.generated`.
    * `apply_transform(input, params, flags, transform)`: the images `[B, C, H, W]` that act, augmented.
    * `compute_transformation(input, params, flags)`, of geometry: the matrices `[B, 3, 3]` from input to output pixels, by which
      masks, boxes and keypoints follow; the images are `apply_transform`'s.
    * `self.flags`: a dict of settings, handed to both.

    `p` holds for each sample; `p_batch` is 1. Not for torch.compile.
    """

    moves = False
    dims = 2

    def __init_subclass__(cls) -> None:
        """kornia's methods for other targets are not called: masks, boxes and points follow the matrix."""
        own = [n for n in cls.__dict__ if n.startswith(("apply_transform_", "apply_non_transform"))]
        if own:
            want, fix = "apply_transform and compute_transformation", "leave it out, or take an op of augfn and derive"
            raise TypeError(explain(f"{cls.__name__}: methods for other targets", own, want, fix))

    def __init__(
        self, p: float = 0.5, p_batch: float = 1.0, same_on_batch: bool = False, keepdim: bool = False, **others: Any
    ) -> None:
        if p_batch != 1 or others:
            given, want = others or p_batch, "p, same_on_batch and keepdim"
            raise TypeError(explain(f"{type(self).__name__}: further arguments", given, want, "settings in self.flags"))
        super().__init__(Bridged(self, p, self.dims), same_on_batch=same_on_batch, keepdim=keepdim)
        self.flags: dict[str, Any] = {}
        self._param_generator: Any = None
        self.generated: dict[str, Tensor] = {}

    def generate_parameters(self, batch_shape: Any) -> dict[str, Tensor]:
        return {} if self._param_generator is None else self._param_generator(batch_shape, self.same_on_batch)

    def apply_transform(self, input: Tensor, params: Any, flags: Any = None, transform: Any = None) -> Tensor:
        want = "apply_transform(self, input, params, flags, transform)"
        raise NotImplementedError(explain(type(self).__name__, "no apply_transform", want, "define it"))

    def compute_transformation(self, input: Tensor, params: Any, flags: Any = None) -> Tensor:
        return self.identity_matrix(input)

    def identity_matrix(self, input: Tensor) -> Tensor:
        """`[B, 3, 3]` (`[B, 4, 4]` of volumes)."""
        n = self.dims + 1
        return torch.eye(n, device=input.device, dtype=input.dtype).expand(len(input), n, n)

    def drawn(self, x: Tensor, seed: Tensor) -> dict[str, Tensor]:
        """The params of these images, each drawn by its own seed."""
        shape, each = torch.Size((1, *x.shape[1:])), []
        generator = torch.default_generator  # that of the CPU alone
        with LOCK:
            before = generator.get_state()
            for value in seed.tolist():
                generator.manual_seed(int(value * 2**53))
                each.append(self.generate_parameters(shape))
            generator.set_state(before)
        names = each[0] if each else self.generate_parameters(x.shape)
        self.generated = {n: joined([p[n] for p in each]) if each else names[n] for n in names}
        return self.generated

    def act(self, x: Tensor, seed: Tensor) -> Tensor:
        params = self.drawn(x, seed)
        transform = self.compute_transformation(x, params, self.flags) if self.moves else self.identity_matrix(x)
        return self.apply_transform(x, params, self.flags, transform)

    def matrix_for(self, x: Tensor, seed: Tensor) -> Tensor:
        """The matrices of these images, kept for `transform_matrix`."""
        return self.compute_transformation(x, self.drawn(x, seed), self.flags)

    @property
    def transform_matrix(self) -> Tensor:
        """The last call's matrices, the identity where nothing acted."""
        params, (batch, size) = self.last()
        blank = torch.zeros((), device=self.key.device).expand(*batch, 1, *size)
        matrix = self.matrix_for(blank, params["seed"]) if self.moves else self.identity_matrix(blank)
        if "gate" not in params:
            return matrix
        return torch.where(params["gate"][:, None, None] >= 0.5, matrix, self.identity_matrix(blank))


def joined(values: list[Any]) -> Any:
    """The values of single images as those of a batch; what does not lead with the batch is the first one's."""
    first = values[0]
    batched = isinstance(first, Tensor) and first.ndim > 0 and len(first) == 1
    return torch.cat(values) if batched else first


class AugmentationBase2D(CustomBase):
    """A custom augmentation of images."""


class IntensityAugmentationBase2D(AugmentationBase2D):
    """A custom augmentation that changes pixel values: `generate_parameters`, `apply_transform`.

    >>> import torch
    >>> class AddValue(IntensityAugmentationBase2D):
    ...     def generate_parameters(self, shape):
    ...         return {"value": torch.rand(shape[0])}
    ...     def apply_transform(self, input, params, flags, transform=None):
    ...         return input + params["value"].reshape(-1, 1, 1, 1)
    >>> aug = AddValue(p=1.0)
    >>> x = torch.rand(2, 3, 4, 4)
    >>> torch.equal(aug(x), aug(x, params=aug._params))
    True
    """


class GeometricAugmentationBase2D(AugmentationBase2D):
    """A custom augmentation that moves pixels: `generate_parameters`, `compute_transformation`, `apply_transform`."""

    moves = True


class RigidAffineAugmentationBase2D(GeometricAugmentationBase2D):
    """The same, of flips, turns and affine maps."""


class AugmentationBase3D(CustomBase):
    """A custom augmentation of volumes."""

    dims = 3


class IntensityAugmentationBase3D(AugmentationBase3D):
    """A custom augmentation that changes voxels' values."""


class GeometricAugmentationBase3D(AugmentationBase3D):
    """A custom augmentation that moves voxels."""

    moves = True


class RigidAffineAugmentationBase3D(GeometricAugmentationBase3D):
    """The same, of flips, turns and affine maps."""


add_safe_globals([Bridged])

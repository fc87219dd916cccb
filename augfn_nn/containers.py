"""kornia's other containers: of images, of clips, and lists of containers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.serialization import add_safe_globals

from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.errors import explain
from augfn_nn.augment import Path
from augfn_nn.choosing import Choosing
from augfn_nn.sequential import AugmentationSequential
from augfn_nn.shorthands import only
from augfn_nn.slots import Clips


class ImageSequential(AugmentationSequential):
    """Modules one after another, for images alone: `AugmentationSequential` with the data key "input".

    `random_apply` and its weights, `same_on_batch`, `keepdim` and foreign modules as there. `if_unsupported_ops` ("raise" or
    "skip") and the two `disable_*` are kornia's, and change nothing here: an inverse undoes the geometry of the modules that
    have one.

    >>> import torch, augfn_nn
    >>> aug = ImageSequential(augfn_nn.RandomHorizontalFlip(p=1.0), torch.nn.Hardtanh(0.0, 0.5))
    >>> aug(torch.tensor([[[[0.25, 1.0]]]])).flatten()
    tensor([0.5000, 0.2500])
    """

    def __init__(
        self,
        *modules: Any,
        same_on_batch: bool | None = None,
        keepdim: bool | None = None,
        random_apply: bool | int | tuple[int, ...] = False,
        random_apply_weights: Any = None,
        random_apply_per: str = "batch",
        if_unsupported_ops: str = "raise",
        disable_item_features: bool = True,
        disable_sequential_features: bool = False,
        clips: Clips | None = None,
    ) -> None:
        name = type(self).__name__
        only(
            f"{name}: if_unsupported_ops",
            if_unsupported_ops,
            ("raise", "skip"),
            "leave it out: it changes nothing here",
        )
        super().__init__(
            *modules,
            same_on_batch=same_on_batch,
            keepdim=keepdim,
            random_apply=random_apply,
            random_apply_weights=random_apply_weights,
            random_apply_per=random_apply_per,
            clips=clips,
        )


class Wrapped(AugmentationSequential):
    """A container whose chain is one step of another augmentation, which has leaves of its own."""

    wraps = True

    def outer(self, f: Augmentation) -> Augmentation:
        """The chain as a step."""
        raise NotImplementedError

    def outer_leaves(self) -> Params:
        """The leaves beside it, as they are now."""
        return {}

    def chained(self, choosing: Choosing, fs: dict[str, Augmentation], settings: Any) -> Any:
        return self.outer(super().chained(choosing, fs, settings))

    def own(self, f: Any) -> Params:
        return {} if self.wraps else super().own(f)

    def inner(self, f: Any) -> tuple[str, Any]:
        ((name, inner),) = f.steps.items()
        return name, inner

    def ranges_of(self, f: Any) -> Params:
        if not self.wraps:
            return super().ranges_of(f)
        name, inner = self.inner(f)
        own = {n: v for n, v in inner.params.items() if n not in inner.steps}
        return self.outer_leaves() | {name: super().ranges_of(inner) | own}

    def shared_of(self, f: Any) -> list[Path]:
        if not self.wraps:
            return super().shared_of(f)
        name, inner = self.inner(f)
        own = [(n,) for n in self.outer_leaves()] if self.same else []
        return [*own, *((name, *path) for path in super().shared_of(inner))]

    def picked(self, key: Tensor | None, params: Params | None) -> Augmentation:
        if params is not None and self.wraps:
            params = next((p for p in params.values() if isinstance(p, dict)), {})
        return super().picked(key, params)


class VideoSequential(ImageSequential):
    """Modules one after another, for clips `[B, T, C, H, W]` (`data_format="BTCHW"`) or `[B, C, T, H, W]` ("BCTHW").

    * `same_on_frame`: one draw for all frames of a clip; else each frame is a sample of its own.
    * In an AugmentationSequential the whole of it is for clips: images, masks `[B, T, C, H, W]`, boxes `[B, T, N, 4]`, keypoints
      `[B, T, N, 2]`.

    >>> import torch, augfn_nn
    >>> aug = VideoSequential(augfn_nn.RandomHorizontalFlip(p=0.5), data_format="BCTHW")
    >>> aug(torch.rand(2, 3, 4, 8, 8)).shape
    torch.Size([2, 3, 4, 8, 8])
    """

    def __init__(
        self,
        *modules: Any,
        data_format: str = "BTCHW",
        same_on_frame: bool = True,
        random_apply: bool | int | tuple[int, ...] = False,
        random_apply_weights: Any = None,
        random_apply_per: str = "batch",
        if_unsupported_ops: str = "raise",
    ) -> None:
        layout, fix = data_format.upper(), "x.movedim(-1, 2) brings channels that are last to their place in BTCHW"
        only("VideoSequential: data_format", layout, ("BTCHW", "BCTHW"), fix)
        super().__init__(
            *modules,
            random_apply=random_apply,
            random_apply_weights=random_apply_weights,
            random_apply_per=random_apply_per,
            if_unsupported_ops=if_unsupported_ops,
            clips=Clips(layout, same_on_frame),
        )


class ManyToManyAugmentationDispather(nn.Module):
    """A container for each of the inputs: `aug((image_1, mask_1), (image_2, mask_2))` is a list of what each gives. (kornia's
    spelling)"""

    def __init__(self, *augmentations: AugmentationSequential) -> None:
        super().__init__()
        self.augmentations = nn.ModuleList(augmentations)

    def forward(self, *inputs: Any) -> list[Any]:
        if len(inputs) != len(self.augmentations):
            want = f"{len(self.augmentations)} inputs, one for each container"
            raise ValueError(
                explain("dispatcher", f"{len(inputs)} inputs", want, "aug((image_1, mask_1), (image_2, mask_2))")
            )
        pairs = zip(self.augmentations, inputs, strict=True)
        return [aug(*x) if isinstance(x, list | tuple) else aug(x) for aug, x in pairs]


class ManyToOneAugmentationDispather(nn.Module):
    """Several containers of one input: `aug(image, mask)` is a list of what each gives. `strict`: they have the same data keys.
    (kornia's spelling)"""

    def __init__(self, *augmentations: AugmentationSequential, strict: bool = True) -> None:
        super().__init__()
        keys = [list(map(str, aug.data_keys)) for aug in augmentations]
        if strict and any(k != keys[0] for k in keys):
            raise ValueError(explain("dispatcher: data keys", keys, "the same in all containers", "strict=False"))
        self.augmentations = nn.ModuleList(augmentations)

    def forward(self, *inputs: Any) -> list[Any]:
        return [aug(*inputs) for aug in self.augmentations]


add_safe_globals(
    [
        ImageSequential,
        VideoSequential,
        ManyToManyAugmentationDispather,
        ManyToOneAugmentationDispather,
        Clips,
        nn.ModuleList,
    ]
)

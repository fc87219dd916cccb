"""Functions of others as steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from augfn.core.actions import Action, Size
from augfn.core.augmentation import Augmentation
from augfn.core.called import CALLABLE, Called
from augfn.errors import explain, unknown
from augfn.math.resample import Sampling


class Opaque(Augmentation):
    """A function that is called as it is."""

    def __init__(self, function: Callable[[Tensor], Tensor], kinds: tuple[str, ...], name: str) -> None:
        super().__init__(name, {}, {}, spatial=False, foreign=True)
        self.function, self.kinds = function, kinds

    def plan(self, params: Any, size: Size, sampling: Sampling) -> list[Action]:
        return [Called(self.function, self.kinds, self.name)]


def opaque(
    function: Callable[[Tensor], Tensor], kinds: Sequence[str] = ("image", "video", "volume"), name: str = ""
) -> Opaque:
    """Any function or `nn.Module` of images `[N, C, H, W]` (volumes `[N, C, D, H, W]`) as a step, under its own name or `name`.

    * `kinds`: the kinds of targets that it is called with, each by itself; all others stay as they are.
    * It is called once for the whole batch (frames of clips are images), behind a gate for the images that it is open for, beside
      autograd as any module; nothing is fused across it, no inverse undoes it, and what is random in it is not in params.
    * It must not write into what it is given, which may be the caller's own tensor; modules with `inplace=True` raise.
    * The frame and the number of images stay, else it raises; so does, behind a gate, the number of channels.

    albumentations' and torchvision's `Lambda`, MONAI's `Lambdad`.

    >>> import torch, augfn as af
    >>> f = af.pipeline(af.hflip(), af.opaque(torch.nn.Hardtanh(0.0, 0.5)))
    >>> f(torch.tensor([[[[0.25, 1.0]]]]))[0].flatten()
    tensor([0.5000, 0.2500])
    """
    if not callable(function) or isinstance(function, Augmentation):
        want, fix = "a function or nn.Module of images", "an augmentation is a step itself"
        raise TypeError(explain("opaque", function, want, fix))
    modules = function.modules() if isinstance(function, nn.Module) else ()
    if any(getattr(m, "inplace", False) for m in modules):
        fix = "inplace=False"
        raise ValueError(
            explain("opaque: a module that writes to its input", function, "one that returns a new tensor", fix)
        )
    for kind in kinds:
        if kind not in CALLABLE:
            raise ValueError(unknown("kind of targets for an opaque function", kind, CALLABLE))
    own = getattr(function, "__name__", type(function).__name__)
    return Opaque(function, tuple(kinds), name or own)

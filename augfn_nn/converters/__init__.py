"""From a pipeline of a peer to one of augfn."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from torch import nn

from augfn.core.augmentation import Augmentation
from augfn.errors import explain
from augfn_nn.converters import albumentations_module, by_frame, functions, monai_module
from augfn_nn.converters.notes import Notes
from augfn_nn.sequential import AugmentationSequential

SAVED = (
    albumentations_module,
    by_frame,
    functions,
    monai_module,
)  # what saved modules hold, imported so that they load
PEERS = ("kornia", "torchvision", "albumentations", "monai", "torchio")


class Conversion(NamedTuple):
    """What `convert` gives.

    * `module`: the pipeline as a module, for a training loop; a container of kornia is the container of the same name here.
    * `lacking`: what has no counterpart, a line for each (empty unless `partly=True`).
    * `differs`: where results will differ from the peer's, a line for each.
    """

    module: nn.Module
    lacking: list[str]
    differs: list[str]

    @property
    def pipeline(self) -> Augmentation:
        """The same as a function: `pipeline(x, pipeline.params, key)`."""
        return self.module.f  # type: ignore[return-value]


def convert(x: Any, partly: bool = False, ndim: int | None = None) -> Conversion:
    """A pipeline of kornia, torchvision, albumentations, MONAI or TorchIO as one of augfn, and what differs.

    Args:
        x: a module of `kornia.augmentation`; a transform of `torchvision.transforms` or its v2 (of both an `nn.Sequential`
            too), with those of timm that `create_transform` puts into its `Compose`; what albumentations'
            `Compose.to_dict()` gives, or the `Compose` itself; a transform of `monai.transforms`, of arrays or of
            dictionaries; a transform of `torchio`, for tensors `[B, C, W, H, D]` as its subjects hold them. Fresh or used;
            it stays as it is.
        partly: leave out what has no counterpart, and list it in `lacking`. By default that is an error.
        ndim: 2 for images, 3 for volumes, where MONAI's transforms do not tell; what they tell else, or 3.

    Returns:
        `Conversion(module, lacking, differs)`; its `pipeline` is the function. Signs, units and probabilities are the
        peer's: kornia's classes come with `kornia=True`, torchvision's `RandomAffine` turns clockwise for positive degrees.
        All but kornia's see one sample `[C, (D,) H, W]`; here it is that, and comes back so, or a batch `[B, C, (D,) H, W]`, of
        which each has a draw of its own (a clip: `{"video": x}`). albumentations' takes lists of boxes and keypoints of a sample
        too, in the format of its params. MONAI's take the dictionary with its own keys (a mask is what is read nearest beside
        others, or named so); other names of the other peers are given by
        `AugmentationSequential(found.module, targets={"t1": "volume", "path": "other"})`.

    Raises:
        TypeError: of no peer that is known. ValueError: something has no counterpart.

    >>> flip = {"__class_fullname__": "HorizontalFlip", "p": 0.5}
    >>> found = convert({"__version__": "2.0.8", "transform": {"__class_fullname__": "Compose", "p": 1.0, "transforms": [flip]}})
    >>> found.pipeline
    pipeline(to_float(), maybe(hflip(), gate=Bernoulli(probs=0.5)))
    """
    notes = Notes(ndim)
    f = converter_of(x, ndim)(x, notes)
    if notes.lacking and not partly:
        want, fix = "transforms with a counterpart", "convert(x, partly=True) leaves them out and lists them"
        raise ValueError(explain("convert", "; ".join(notes.lacking), want, fix))
    if f is None:
        left, want, fix = (
            "; ".join(notes.lacking) or "no transforms",
            "at least one with a counterpart",
            "af.identity()",
        )
        raise ValueError(explain("convert: nothing is left", left, want, fix))
    module = f if isinstance(f, nn.Module) else AugmentationSequential(*f, keepdim=True, targets=notes.targets)
    return Conversion(module, notes.lacking, notes.differs)


def converter_of(x: Any, ndim: int | None = None) -> Callable[[Any, Notes], Any]:
    """The converter for what the name of its package, or a dict's keys, tell."""
    held: list[Any] = [*x.children()] if type(x) is nn.Sequential else []
    kinds = [c.__module__.split(".")[0] for c in type(held[0] if held else x).__mro__]
    peer = (
        "albumentations" if isinstance(x, dict) and "transform" in x else next((k for k in kinds if k in PEERS), None)
    )
    if peer is None:
        want, fix = f"a pipeline of {', '.join(PEERS)}", "for a list: convert(Compose([...]))"
        if isinstance(x, dict):
            fix = "of albumentations the Compose or its to_dict(), not a replay: convert(compose)"
        raise TypeError(explain("convert", x, want, fix))
    if ndim not in (None, 2, 3) or (ndim is not None and peer != "monai"):
        raise ValueError(explain("convert: ndim", ndim, "None; of MONAI's transforms 2 or 3", "convert(x)"))
    if held and peer not in ("kornia", "torchvision"):
        raise TypeError(
            explain("convert: an nn.Sequential", x, "one of kornia or torchvision", "convert(Compose([...]))")
        )
    return import_module(f"augfn_nn.converters.{peer}").converted

"""`AugmentationSequential`: modules gathered into one fused pipeline, called by data keys or with a dict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import augfn as af
from augfn.compose import geometry_of
from augfn.draw import Params
from augfn.errors import explain, unknown
from augfn.math.resample import Sampling
from augfn.op import Augmentation
from augfn.targets import FRAMED, Boxes
from augfn_nn.augment import Augment, Path
from augfn_nn.shorthands import name_of, sampling_of

# data key: (kind of target, format of boxes)
KEYS: dict[str, tuple[str, str]] = {
    "input": ("image", ""),
    "image": ("image", ""),
    "mask": ("mask", ""),
    "bbox": ("boxes", "xyxy"),
    "bbox_xyxy": ("boxes", "xyxy"),
    "bbox_xywh": ("boxes", "xywh"),
    "bbox_cxcywh": ("boxes", "cxcywh"),
    "bbox_yolo": ("boxes", "yolo"),
    "boxes": ("boxes", "xyxy"),
    "keypoints": ("keypoints", ""),
    "label": ("label", ""),
    "class": ("label", ""),
    "video": ("video", ""),
    "volume": ("volume", ""),
    "depth": ("depth", ""),
    "intrinsics": ("intrinsics", ""),
}


class Slot(NamedTuple):
    """Where a value goes: the target's name in the pipeline, its kind, the format of its boxes."""

    name: str
    kind: str
    format: str

    def wrap(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            raise TypeError(explain(f"{self.name}: a list", value, "one tensor for the batch", f"torch.stack({self.name}), padded to one shape"))
        return Boxes(value, self.format) if self.format not in ("", "xyxy") and isinstance(value, Tensor) else value

    def unwrap(self, value: Any, given: Any) -> Any:
        return value.data if isinstance(value, Boxes) and not isinstance(given, Boxes) else value


def slots_of(keys: Iterable[Any], ndim: int) -> list[Slot]:
    """A slot for each data key; the second of a name is `mask_2`."""
    out: list[Slot] = []
    for key in keys:
        slot, n = slot_of(key, ndim), 2
        base = slot.name
        while any(slot.name == s.name for s in out):
            slot, n = slot._replace(name=f"{base}_{n}"), n + 1
        out.append(slot)
    return out


def slot_of(key: Any, ndim: int) -> Slot:
    """A data key, perhaps with a suffix: "mask", "image_right", "bbox_xywh-left", kornia's `DataKey.MASK`."""
    word = name_of(key).replace("-", "_")
    stem = max((k for k in KEYS if word == k or word.startswith(k + "_")), key=len, default=None)
    if stem is None:
        raise ValueError(unknown("data key", key, KEYS) + ", or one of them with a suffix: 'mask_lanes'")
    kind, form = KEYS[stem]
    if kind == "image" and ndim == 3:
        kind = "volume"
    return Slot(kind + word[len(stem) :], kind, form)


class AugmentationSequential(Augment):
    """Modules one after another, as one fused pipeline over images, masks, boxes, keypoints and more.

    * `modules`: `Random*` modules, `Augment`s, functional augmentations and nested AugmentationSequentials. Their Parameters train, their
      current ranges are drawn at each call; chains of geometry are one resample.
    * `data_keys`: what the positional arguments are: input (or image), mask, bbox or bbox_xyxy, bbox_xywh, keypoints, class (or label), video,
      volume, depth, intrinsics; strings in any case or kornia's `DataKey`; several of one kind are welcome. A dict is understood by its
      names (`mask`, `mask_lanes`, `image_right`) and comes back as a dict.
    * `same_on_batch`, `keepdim`: None leaves them to the modules.
    * `random_apply`: n, or (a, b): so many of the modules, chosen for each sample, in the order given (kornia: for the batch, in random
      order). 1 with `random_apply_weights` chooses by weight.
    * `extra_args`: settings of how a kind is read, `{"input": {"resample": "bicubic"}}`. Masks are always read nearest.

    Boxes are continuous edges (a flip is W - x; kornia's are inclusive), masks keep their dtype and rank, `p` holds per sample.
    `aug._params` is the nested dict of what was drawn, `params=` replays it, and in `eval()` all modules are the identity.

    >>> import augfn_nn
    >>> aug = AugmentationSequential(augfn_nn.RandomHorizontalFlip(p=1.0), data_keys=["input", "keypoints"])
    >>> image, points = aug(torch.rand(2, 3, 4, 8), torch.zeros(2, 1, 2))
    >>> points[0]
    tensor([[7., 0.]])
    """

    def __init__(
        self,
        *modules: nn.Module | Augmentation,
        data_keys: Sequence[Any] | None = ("input",),
        same_on_batch: bool | None = None,
        keepdim: bool | None = None,
        random_apply: bool | int | tuple[int, ...] = False,
        random_apply_weights: Sequence[float] | None = None,
        extra_args: Mapping[Any, Mapping[str, Any]] | None = None,
    ) -> None:
        children = [child_of(m) for m in modules]
        f = gathered([c.f for c in children], random_apply, random_apply_weights)
        f.sampling = sampling_from(extra_args or {})
        same = [c.keepdim for c in children]
        super().__init__(f, same_on_batch=same_on_batch, keepdim=all(same) if keepdim is None else keepdim)
        self.steps = nn.ModuleDict(dict(zip(f.steps, children, strict=True)))
        self.data_keys = list(data_keys) if data_keys is not None else ["input"]
        self.slots = slots_of(self.data_keys, f.ndim)

    def own(self, f: Any) -> Params:
        return {n: v for n, v in f.params.items() if n not in f.steps}

    @property
    def params(self) -> Params:
        """The current ranges of all modules: a tree to look at, edit and hand in."""
        return self.ranges.tree() | {n: child.params for n, child in self.steps.items()}  # type: ignore[misc]

    @property
    def shared(self) -> list[Path]:
        if self.same_on_batch is not None:
            return super().shared
        return [(n, *path) for n, child in self.steps.items() for path in child.shared]  # type: ignore[union-attr]

    def forward(
        self,
        *args: Any,
        params: Params | None = None,
        data_keys: Sequence[Any] | None = None,
        generator: Tensor | torch.Generator | None = None,
    ) -> Any:
        if not self.training:
            return args[0] if len(args) == 1 else list(args)
        given, slots = self.assign(args, data_keys)
        sample = {s.name: s.wrap(v) for s, v in zip(slots, given, strict=True)}
        if params is not None:
            self.add_frame(sample, slots, self._frame and self._frame[1])
        return collect(args, slots, given, self.augment(sample, params, generator))

    def inverse(self, *args: Any, params: Params | None = None, data_keys: Sequence[Any] | None = None, size: Any = None) -> Any:
        """Undo the geometry of `params` (of the last call, where None) for what the data keys name, the image or not among it."""
        if not self.training:
            return args[0] if len(args) == 1 else list(args)
        given, slots = self.assign(args, data_keys)
        sample = {s.name: s.wrap(v) for s, v in zip(slots, given, strict=True)}
        if not any(s.kind in FRAMED for s in slots):
            drawn, _, before = self.last()
            self.add_frame(sample, slots, geometry_of(self.f, params or drawn, size or before)[2])
        return collect(args, slots, given, super().inverse(sample, params, size))

    def assign(self, args: tuple[Any, ...], data_keys: Sequence[Any] | None) -> tuple[list[Any], list[Slot]]:
        """The values of a call and their slots."""
        if len(args) == 1 and isinstance(args[0], Mapping):
            return list(args[0].values()), slots_of(args[0], self.f.ndim)
        slots = self.slots if data_keys is None else slots_of(data_keys, self.f.ndim)
        if len(args) != len(slots):
            keys = list(self.data_keys if data_keys is None else data_keys)
            raise ValueError(explain("arguments and data keys disagree", f"{len(args)} arguments", f"one for each of {keys}", "aug(x, data_keys=[...]) names others for one call"))
        return list(args), slots

    def add_frame(self, sample: dict[str, Any], slots: list[Slot], size: tuple[int, ...] | None) -> None:
        """Stand in for the image that a replay leaves out: a frame that no colour op reads."""
        if self._frame and size and not any(s.kind in FRAMED for s in slots):
            shape = (*self._frame[0], 1, *size)
            first = next((v for v in sample.values() if isinstance(v, Tensor)), torch.zeros(()))
            sample["depth" if self.f.ndim == 2 else "volume"] = torch.zeros((), device=first.device).expand(shape)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, i: int) -> nn.Module:
        return list(self.steps.values())[i]

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self.steps.values())

    def __repr__(self) -> str:
        own = [f"{n}={v!r}" for n, v in self.ranges.tree().items()]
        lines = [f"({n}): {child!r}" for n, child in self.steps.items()]
        body = "\n".join([", ".join([f"data_keys={self.data_keys}", *own]), *lines]).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {body}\n)"


def child_of(module: Any) -> Augment:
    if isinstance(module, Augmentation):
        return Augment(module)
    if not isinstance(module, Augment):
        fix = "call it apart, or use the class of augfn_nn"
        raise TypeError(explain("AugmentationSequential: a foreign child", module, "modules of augfn_nn, or augmentations of augfn", fix))
    return module


def gathered(fs: list[Augmentation], random_apply: Any, weights: Sequence[float] | None) -> Any:
    """The children as one augmentation."""
    if weights is not None and random_apply != 1:
        raise ValueError(explain("random_apply_weights", random_apply, "random_apply=1: a choice of one", "leave the weights out"))
    if random_apply is False:
        return af.pipeline(*fs)
    if random_apply is True:
        raise ValueError(explain("random_apply=True: a random order", True, "an order given, or so many of the modules", "random_apply=(1, 3)"))
    if weights is not None:
        return af.one_of(*fs, weights=list(weights))
    low, high = (random_apply, random_apply) if isinstance(random_apply, int) else (*random_apply, len(fs))[:2]
    return af.some_of((low, high), *fs)


def sampling_from(extra_args: Mapping[Any, Mapping[str, Any]]) -> Sampling:
    """How images (and masks: their fill) are read by the steps that do not say it themselves."""
    out: dict[str, Any] = {}
    for key, settings in extra_args.items():
        kind, given = slot_of(key, 2).kind, sampling_of(settings, f"extra_args[{key!r}]")
        if kind == "mask":
            mode = given.pop("interpolation", None)
            if mode not in (None, "nearest"):
                raise ValueError(explain("extra_args: masks are always read nearest", mode, "'nearest'", "give a soft mask as another image: 'image_mask'"))
            given = {"fill_mask": given.pop("fill", None)} | given
        elif kind not in FRAMED and any(v is not None for v in given.values()):
            raise ValueError(explain("extra_args: nothing is sampled", key, "input or mask", "leave it out"))
        out |= {n: v for n, v in given.items() if v is not None}
    return Sampling(**out)


def collect(args: tuple[Any, ...], slots: list[Slot], given: list[Any], out: Mapping[str, Any]) -> Any:
    """The output in the form of the call: a tensor, a list or a dict."""
    values = [s.unwrap(out[s.name], v) for s, v in zip(slots, given, strict=True)]
    if len(args) == 1 and isinstance(args[0], Mapping):
        return dict(zip(args[0], values, strict=True))
    return values[0] if len(values) == 1 else values

"""`AugmentationSequential`: modules gathered into one fused pipeline, called by data keys or with a dict."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.serialization import add_safe_globals
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.core.boxes import Boxes
from augfn.core.draw import Params
from augfn.core.targets import FRAMED, NO_TARGETS, OTHER, SPELLED, format_in, kind_of
from augfn.errors import explain, unknown
from augfn.math.resample import Sampling
from augfn.undoing import geometry_of
from augfn_nn.augment import Augment, Base, Generator, Path, Size, without
from augfn_nn.ranges import Ranges
from augfn_nn.shorthands import PadByFrame, name_of, sampling_of

# data key: (kind of target, format of boxes)
KEYS: dict[str, tuple[str, str]] = {
    "input": ("image", ""),
    "image": ("image", ""),
    "mask": ("mask", ""),
    "bbox": ("boxes", "xyxy"),
    "boxes": ("boxes", "xyxy"),
    "keypoints": ("keypoints", ""),
    "label": ("label", ""),
    "class": ("label", ""),
    "video": ("video", ""),
    "volume": ("volume", ""),
    "depth": ("depth", ""),
    "instances": ("instances", ""),
    "intrinsics": ("intrinsics", ""),
    "affine": ("affine", ""),
    "spacing": ("spacing", ""),
    "flow": ("flow", ""),
    "softmask": ("softmask", ""),
    "heatmap": ("heatmap", ""),
    "other": (OTHER, ""),
    **{
        word: (kind, "xyxy" if kind == "boxes" else "")
        for word, kind in SPELLED.items()
        if word not in ("bbox", "class")
    },
}


class Slot(NamedTuple):
    """Where a value goes: the target's name in the pipeline, its kind, the format of its boxes."""

    name: str
    kind: str
    format: str

    def wrap(self, value: Any) -> Any:
        if self.kind == OTHER:
            return value
        if isinstance(value, list | tuple):
            fix = "af.collate of dicts, one for each sample; or Augment(af.pipeline(...)), which takes lists of several sizes"
            if self.kind in ("boxes", "keypoints"):
                cls, form = ("Boxes", f", format={self.format!r}") if self.kind == "boxes" else ("Keypoints", "")
                fix = f"af.{cls}.pad({self.name}{form}), which af.drop_invalid takes apart again"
            raise TypeError(explain(f"{self.name}: a list", value, "one tensor for the batch", fix))
        return Boxes(value, self.format) if self.format not in ("", "xyxy") and isinstance(value, Tensor) else value

    def unwrap(self, value: Any, given: Any) -> Any:
        return value.data if isinstance(value, Boxes) and not isinstance(given, Boxes) else value


def slots_of(keys: Iterable[Any], ndim: int, given: Mapping[str, str] | None = None) -> list[Slot]:
    """A slot for each data key; the second of a name is `mask_2`."""
    out: list[Slot] = []
    for key in keys:
        slot, n = slot_of(key, ndim, given or {}), 2
        base = slot.name
        while any(slot.name == s.name for s in out):
            slot, n = slot._replace(name=f"{base}_{n}"), n + 1
        out.append(slot)
    return out


def slot_of(key: Any, ndim: int, given: Mapping[str, str]) -> Slot:
    """A data key, perhaps with a suffix: "mask", "image_right", "bbox_xywh-left", kornia's `DataKey.MASK`; or a name
    whose kind is given."""
    if key in given:
        kind = kind_of(key, given)
        return Slot(key, kind, "xyxy" if kind == "boxes" else "")
    word = name_of(key).replace("-", "_")
    if word.split("_")[-1] in NO_TARGETS:
        kind_of(word, {})  # which says what to do
    stem = max((k for k in KEYS if word == k or word.startswith(k + "_")), key=len, default=None)
    told = format_in(word)
    if stem is None:
        fix = f", or one of them with a suffix: 'mask_lanes'; targets={{{word!r}: 'other'}} passes it through"
        raise ValueError(unknown("data key", key, KEYS) + fix)
    kind, form = KEYS[stem]
    form = told if kind == "boxes" and told is not None else form
    if kind == "image" and ndim == 3:
        kind = "volume"
    return Slot(kind + word[len(stem) :], kind, form)


class AugmentationSequential(Base):
    """Modules one after another, as one fused pipeline over images, masks, boxes, keypoints and more.

    * `modules`: `Random*` modules, `Augment`s, functional augmentations and nested AugmentationSequentials. Their
      Parameters train, their current ranges are drawn at each call, and a chain of geometry is one resample.
    * `data_keys`: what the positional arguments are: input (or image), mask, bbox or bbox_xyxy, bbox_xywh, keypoints,
      class (or label), video, volume, depth, intrinsics, affine, ...; in any case, or kornia's `DataKey`; several of one
      kind are welcome. A dict is understood by its names (`mask`, `mask_lanes`, `image_right`) and comes back as a dict.
    * `targets`: kinds of the names in a dict that do not tell them: `{"seg": "mask", "path": "other"}`; what is of the
      kind "other" passes through untouched.
    * `same_on_batch`, `keepdim`: None leaves them to the modules.
    * `random_apply`: n, or (a, b): so many of the modules, chosen for each sample, in the order given (kornia: for
      the batch, in random order). 1 with `random_apply_weights` chooses one by weight.
    * `extra_args`: how a kind is read, `{"input": {"resample": "bicubic"}}`. Masks are always read nearest.

    Boxes are continuous edges (a flip is W - x; kornia's are inclusive), masks keep dtype and rank, `p` holds per
    sample. What was drawn is the nested dict `aug._params`, `params=` replays it; `index=`
    and `epoch=` draw by the samples' indices in the dataset, as in `Augment`. In `eval()` (the container's own mode
    is what counts) only the steps that are not random act, as in `Augment`.

    >>> import augfn_nn
    >>> aug = AugmentationSequential(augfn_nn.RandomHorizontalFlip(p=1.0), data_keys=["input", "keypoints"])
    >>> image, points = aug(torch.rand(2, 3, 4, 8), torch.zeros(2, 1, 2))
    >>> points[0]
    tensor([[7., 0.]])
    """

    steps: nn.ModuleDict

    def __init__(
        self,
        *modules: nn.Module | Augmentation,
        data_keys: Sequence[Any] | None = ("input",),
        same_on_batch: bool | None = None,
        keepdim: bool | None = None,
        random_apply: bool | int | tuple[int, ...] = False,
        random_apply_weights: Sequence[float] | None = None,
        extra_args: Mapping[Any, Mapping[str, Any]] | None = None,
        targets: Mapping[str, str] | None = None,
        **others: Any,
    ) -> None:
        if others:
            known = [*inspect.signature(type(self)).parameters][1:-1]
            fix = (
                '; extra_args={"mask": {"fill": 255}} and {"input": {"interpolation": "bicubic"}} say how they are read'
            )
            raise TypeError(unknown("argument of AugmentationSequential", next(iter(others)), known) + fix)
        children = [child_of(m) for m in modules]
        f = gathered([c.f for c in children], random_apply, random_apply_weights)
        f.sampling = sampling_from(extra_args or {})
        super().__init__(f, False, same_on_batch, all(c.keepdim for c in children) if keepdim is None else keepdim)
        self.steps = nn.ModuleDict(dict(zip(f.steps, children, strict=True)))
        f.targets = {**f.targets, **(targets or {})}
        for name in f.targets:
            kind_of(name, f.targets)
        self.data_keys = list(data_keys or ["input"])
        self.slots = slots_of(self.data_keys, f.ndim, f.targets)

    def own(self, f: Any) -> Params:
        return {n: v for n, v in f.params.items() if n not in f.steps}

    @property
    def params(self) -> Params:
        return self.ranges.tree() | {n: child.params for n, child in self.children_named()}

    @property
    def shared(self) -> list[Path]:
        if self.same_on_batch is not None:
            return super().shared
        return [(n, *path) for n, child in self.children_named() for path in child.shared]

    def children_named(self) -> Iterator[tuple[str, Base]]:
        return self.steps.items()  # type: ignore[return-value]

    def forward(
        self,
        *args: Any,
        params: Params | None = None,
        data_keys: Sequence[Any] | None = None,
        generator: Generator | None = None,
        index: Any = None,
        epoch: int = 0,
    ) -> Any:
        tree = self.tree(params)
        values, slots = self.assign(args, data_keys)
        sample = {s.name: s.wrap(v) for s, v in zip(slots, values, strict=True)}
        if tree is None:
            self.unchanged(sample)
            return same(args)
        if params is not None and self._frame is not None:
            sample = framed(sample, slots, *self._frame)
        return collect(args, slots, values, self.augment(sample, tree, generator, index, epoch))

    def inverse(
        self, *args: Any, params: Params | None = None, data_keys: Sequence[Any] | None = None, size: Size | None = None
    ) -> Any:
        """Undo the geometry of `params` (of the last call, where None) for what the data keys name, image or not."""
        if self.tree(params) is None or (params is None and self._unchanged):
            return same(args)
        values, slots = self.assign(args, data_keys, "aug.inverse")
        sample = {s.name: s.wrap(v) for s, v in zip(slots, values, strict=True)}
        if self._frame is not None:
            before = size or self._frame[1]
            given = self.last()[0] if params is None else params
            after = geometry_of(self.f, without(given, given), before)[2]
            sample = framed(sample, slots, self._frame[0], after)
        return collect(args, slots, values, self.undo(sample, params, size))

    def assign(
        self, args: tuple[Any, ...], data_keys: Sequence[Any] | None, call: str = "aug"
    ) -> tuple[list[Any], list[Slot]]:
        """The values of a call, and what they are."""
        if len(args) == 1 and isinstance(args[0], Mapping):
            return list(args[0].values()), slots_of(args[0], self.f.ndim, self.f.targets)
        slots = self.slots if data_keys is None else slots_of(data_keys, self.f.ndim, self.f.targets)
        if len(args) != len(slots):
            keys = list(self.data_keys if data_keys is None else data_keys)
            fix = f"{call}(x, data_keys=[...]) names others for one call"
            raise ValueError(explain("arguments and data keys disagree", f"{len(args)} arguments", f"{keys}", fix))
        return list(args), slots

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, i: int) -> nn.Module:
        return list(self.steps.values())[i]

    def __iter__(self) -> Iterator[nn.Module]:
        return iter(self.steps.values())

    def __repr__(self) -> str:
        own = [f"{path}={leaf!r}" for path, leaf in self.ranges.tree().items()]
        lines = [", ".join([f"data_keys={self.data_keys}", *own]), *(f"({n}): {c!r}" for n, c in self.children_named())]
        return f"{type(self).__name__}(\n  " + "\n".join(lines).replace("\n", "\n  ") + "\n)"


add_safe_globals([Augment, AugmentationSequential, Ranges, PadByFrame, Slot, nn.ModuleDict])


def child_of(module: Any) -> Base:
    if isinstance(module, Augmentation):
        return Augment(module)
    if not isinstance(module, Base):
        expected, fix = "modules of augfn_nn, or augmentations of augfn", "call it apart, or use the class of augfn_nn"
        fix = "AugmentationSequential(*steps)" if isinstance(module, list | tuple) else fix
        raise TypeError(explain("AugmentationSequential: a foreign child", module, expected, fix))
    if module.labelled:
        want, fix = "modules that need images alone", "WorstCase(model, af.pipeline(...)), with all steps within"
        raise TypeError(explain(f"AugmentationSequential: {type(module).__name__} needs labels", module, want, fix))
    return module


def gathered(fs: list[Augmentation], random_apply: Any, weights: Sequence[float] | None) -> Any:
    """The children as one augmentation."""
    if weights is not None and (random_apply is True or random_apply != 1):
        what = "random_apply_weights without random_apply=1"
        raise ValueError(explain(what, random_apply, "random_apply=1: a choice of one", "leave the weights out"))
    if random_apply is False:
        return af.pipeline(*fs)
    if random_apply is True:
        expected = "an order that is given, with so many of the modules for each sample"
        raise ValueError(explain("random_apply: a random order", True, expected, "random_apply=(1, 3)"))
    if weights is not None:
        return af.one_of(*fs, weights=list(weights))
    low, high = (random_apply, random_apply) if isinstance(random_apply, int) else (*random_apply, len(fs))[:2]
    return af.some_of((low, high), *fs)


def sampling_from(extra_args: Mapping[Any, Mapping[str, Any]]) -> Sampling:
    """How images (and masks: their fill) are read by the steps that do not say it themselves."""
    out: dict[str, Any] = {}
    for key, settings in extra_args.items():
        kind, given = slot_of(key, 2, {}).kind, sampling_of(settings, f"extra_args[{key!r}]")
        if kind == "mask":
            given = mask_sampling(given)
        elif kind not in FRAMED and given:
            raise ValueError(explain("extra_args: nothing is sampled", key, "'input' or 'mask'", "leave it out"))
        out |= {n: v for n, v in given.items() if v is not None}
    return Sampling(**out)


def mask_sampling(given: dict[str, Any]) -> dict[str, Any]:
    """Masks have a fill of their own; all else but nearest is refused."""
    given = {("fill" if n == "fill_mask" else n): v for n, v in given.items()}
    others = {n: v for n, v in given.items() if n != "fill" and (n, v) != ("interpolation", "nearest")}
    if others:
        fix = "give a soft mask as another image: 'image_mask'"
        raise ValueError(explain("extra_args: masks are always read nearest", others, "'nearest', or a fill", fix))
    return {"fill_mask": given.get("fill")}


def framed(sample: dict[str, Any], slots: list[Slot], batch: Size, size: Size) -> dict[str, Any]:
    """Stand in for the image that a replay or an inverse may leave out: a frame that no colour op reads."""
    if any(s.kind in FRAMED for s in slots):
        return sample
    blank = torch.zeros((), device=tree_leaves(sample)[0].device).expand(*batch, 1, *size)
    return sample | {"depth" if len(size) == 2 else "volume": blank}


def same(args: tuple[Any, ...]) -> Any:
    return args[0] if len(args) == 1 else list(args)


def collect(args: tuple[Any, ...], slots: list[Slot], values: list[Any], out: Mapping[str, Any]) -> Any:
    """The output in the form of the call: a tensor, a list or a dict."""
    done = [s.unwrap(out[s.name], v) for s, v in zip(slots, values, strict=True)]
    if len(args) == 1 and isinstance(args[0], Mapping):
        return dict(zip(args[0], done, strict=True))
    return same(tuple(done))

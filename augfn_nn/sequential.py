"""AugmentationSequential: modules as one fused pipeline over all targets."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.serialization import add_safe_globals

import augfn as af
from augfn import random
from augfn.core.augmentation import Augmentation
from augfn.core.combined import Pipeline
from augfn.core.draw import Params
from augfn.core.targets import kind_of
from augfn.errors import explain
from augfn.errors import unknown as unknown_name
from augfn.math.resample import Sampling
from augfn.run.mode import require_eager
from augfn.undoing import geometry_of
from augfn_nn.asked import matrix_mode
from augfn_nn.augment import Augment, Base, Generator, Path, Size, as_key, without
from augfn_nn.children import child_of, is_intensity, sampling_from
from augfn_nn.choosing import NONE, Choosing, base_name
from augfn_nn.items import tree_of
from augfn_nn.listing import Listed
from augfn_nn.ranges import Ranges
from augfn_nn.shorthands import PadByFrame, WindowByFrame, only
from augfn_nn.slots import Clips, Slot, collect, framed, same, sample_of, slots_of, softened


class AugmentationSequential(Listed, Base):
    """Modules one after another, as one fused pipeline over images, masks, boxes, keypoints and more.

    * `modules`: `Random*` modules, `Augment`s, functional augmentations and nested AugmentationSequentials. Their
      Parameters train, their current ranges are drawn at each call, and a chain of geometry is one resample. Any other
      `nn.Module` or function is called with the images alone (`af.opaque`); an `nn.Sequential` is the chain of what it holds.
    * `data_keys`: what the positional arguments are: input (or image), mask, bbox or bbox_xyxy, bbox_xywh, keypoints,
      class (or label), video, volume, depth, intrinsics, affine, ...; in any case, or kornia's `DataKey`; several of one
      kind are welcome. A dict is understood by its names (`mask`, `mask_lanes`, `image_right`) and comes back as a dict.
    * `targets`: kinds of the names in a dict that do not tell them: `{"seg": "mask", "path": "other"}`; what is of the
      kind "other" passes through untouched, with `unknown="pass"` all whose name is not known.
    * `same_on_batch`, `keepdim`: set for all modules; None leaves them theirs.
    * `random_apply`: n, (a,) for a to all, or (a, b) of the modules, True for all, in random order; more than there are: so
      many draws, which may be the same module again (a mix once). `random_apply_weights`: their relative probabilities. Chosen
      once for the batch, as in kornia; with `random_apply_per="sample"` for each sample, in the order given, which compiles and
      can be drawn by `index`.
    * `extra_args`: how a kind is read, `{"input": {"resample": "bicubic"}}`. Masks are read nearest; with `{"mask": {"resample":
      "bilinear"}}` they are soft masks, whose labels mix.
    * `transformation_matrix_mode`: "silent" and "rigid" are one here (a bend has no matrix: asking for it raises); with
      "skip" `transform_matrix` is None.

    Boxes are continuous edges (a flip is W - x; kornia's are inclusive), masks keep dtype and rank, `p` holds per
    sample. Images may be arrays `[B, H, W, C]` or of PIL (uint8 is brought to [0, 1]), boxes four corners `[B, N, 4, 2]`,
    kornia's objects, lists with a tensor for each image, or rows `[N, 4]` of a batch of one; each comes back as it was given
    (images as tensors, or by `output_type=` "numpy" or "pil"). What was drawn is the nested dict `aug._params`, `params=`
    replays it; `index=` and `epoch=` draw by the samples' indices in the dataset, as in `Augment`. `inverse` undoes geometry:
    colour and mixes stay. In `eval()` (the container's own mode is what counts) only the steps that are not random act, as in
    `Augment`.

    >>> import torch, augfn_nn
    >>> aug = AugmentationSequential(augfn_nn.RandomHorizontalFlip(p=1.0), data_keys=["input", "keypoints"])
    >>> image, points = aug(torch.rand(2, 3, 4, 8), torch.zeros(2, 1, 2))
    >>> points[0]
    tensor([[7., 0.]])
    """

    def __init__(
        self,
        *modules: Any,
        data_keys: Sequence[Any] | None = ("input",),
        same_on_batch: bool | None = None,
        keepdim: bool | None = None,
        random_apply: bool | int | tuple[int, ...] = False,
        random_apply_weights: Sequence[float] | Tensor | None = None,
        random_apply_per: str = "batch",
        extra_args: Mapping[Any, Mapping[str, Any]] | None = None,
        targets: Mapping[str, str] | None = None,
        unknown: str = "raise",
        transformation_matrix_mode: str = "silent",
        clips: Clips | None = None,
        **others: Any,
    ) -> None:
        if others:
            raise self.not_known(next(iter(others)))
        only("unknown", unknown, ("raise", "pass"), "unknown='pass': names that are not known pass through")
        children = [self.held(m) for m in modules]
        choosing = Choosing(random_apply, random_apply_weights, random_apply_per, len(children))
        sampling, soft = sampling_from(extra_args or {})
        self.soft = bool(soft)
        own = {n: "softmask" if self.soft and k == "mask" else k for n, k in (targets or {}).items()}
        self.names, self.own_clips = dict[str, str](), clips
        fs = [c.f for c in children]
        f = self.chained(choosing, dict(zip(names_of(fs), fs, strict=True)), (sampling, own))
        super().__init__(f, False, None, False)
        self.choosing, self.settings, self.passing = choosing, (sampling, own), unknown == "pass"
        self.hold(children)
        if not self.ranges.names:
            self.__dict__["ranges"] = self._modules.pop("ranges")
        for name, value in (("same_on_batch", same_on_batch), ("keepdim", keepdim)):
            setattr(self, name, value)
        for name in self.f.targets:
            kind_of(name, self.f.targets)
        self.data_keys = list(data_keys or ["input"])
        self.slots = self.slots_for(self.data_keys, self.f)
        self.matrix_mode = matrix_mode(type(self).__name__, transformation_matrix_mode)

    @staticmethod
    def held(module: Any) -> Base:
        """What a container is given, as a module; an `nn.Sequential` as the chain of what it holds."""
        return AugmentationSequential(*module) if isinstance(module, nn.Sequential) else child_of(module)

    @classmethod
    def not_known(cls, name: str) -> TypeError:
        known = [*inspect.signature(cls).parameters][1:-1]
        if name == "learnable":
            want, fix = (
                "a module whose own modules learn",
                "RandomAffine(10, learnable=True) within, or learnable=['degrees']",
            )
            return TypeError(explain(f"{cls.__name__}: learnable is an argument of each module in it", name, want, fix))
        fix = '; extra_args={"mask": {"fill": 255}} and {"input": {"interpolation": "bicubic"}} say how they are read'
        return TypeError(unknown_name(f"argument of {cls.__name__}", name, known) + fix)

    # its modules

    def hold(self, children: Sequence[Base]) -> None:
        """Register the modules, under kornia's names, and their steps' names in the pipeline."""
        for name in self.names.values():
            del self._modules[name]
        steps = names_of([c.f for c in children])
        self.names = {step: f"{c.label}_{i}" for i, (step, c) in enumerate(zip(steps, children, strict=True))}
        for name, child in zip(self.names.values(), children, strict=True):
            self._modules[name] = child
        self.chains: dict[Any, Augmentation] = {}
        known = {c.clips for c in children if isinstance(c, AugmentationSequential) and c.clips} | {self.own_clips} - {
            None
        }
        if len(known) > 1:
            want, fix = "one layout", "the same data_format and same_on_frame in all"
            raise ValueError(explain("clips of several layouts in a container", str(known), want, fix))
        self.clips: Clips | None = next(iter(known), None)

    @property
    def steps(self) -> dict[str, Base]:
        """The modules by the names of their steps in params."""
        held = self._modules
        return {step: held[name] for step, name in self.names.items()}  # type: ignore[misc]

    # what acts

    @property
    def f(self) -> Augmentation:
        """All its modules as one augmentation, as they are now."""
        held: Any = self._modules
        return self.chain({n: held[name].f for n, name in self.names.items()})

    @f.setter
    def f(self, f: Augmentation) -> None:
        """What it is made of is its modules'."""

    def chain(self, fs: dict[str, Augmentation]) -> Augmentation:
        """These steps as one augmentation; the last ones are kept, with what they are made of."""
        key = (*fs, *map(id, fs.values()))
        found = self.chains.get(key)
        if found is None:
            if len(self.chains) >= KEPT:
                self.chains.clear()
            found = self.chains[key] = self.chained(self.choosing, fs, self.settings)
        return found

    def chained(
        self, choosing: Choosing, fs: dict[str, Augmentation], settings: tuple[Sampling, dict[str, str]]
    ) -> Any:
        """These steps as one augmentation."""
        f = choosing.within(fs)
        f.sampling, f.targets = settings[0], {**f.targets, **settings[1]}
        return f

    @property
    def chooses(self) -> bool:  # type: ignore[override]
        held: Any = self._modules
        return self.choosing.per_batch or any([held[n].chooses for n in self.names.values()])  # noqa: C419 - faster

    def picked(self, key: Tensor | None, params: Params | None) -> Augmentation:
        if not self.chooses:
            return self.f
        require_eager("a choice of modules for the batch", "a choice for each sample", 'random_apply_per="sample"')
        steps, order = self.steps, list(self.names)
        if params is not None:
            order = [n for n in params if base_name(n) in steps] if self.choosing.per_batch else order
        elif self.choosing.per_batch:
            assert key is not None
            order = self.choosing.order(key, order, {n: c.f.mixes for n, c in steps.items()})
        keys = [None if key is None else random.fold_in(key, i + 1) for i in range(len(order))]
        each = zip(order, keys, strict=True)
        return self.chain(
            {n: steps[base_name(n)].picked(k, None if params is None else params.get(n) or {}) for n, k in each}
        )

    def still(self, f: Any, own: Params) -> Params | None:
        if self.choosing.per_batch or not isinstance(f, Pipeline) or f.whole:
            return None if self.choosing.per_batch else super().still(f, own)
        steps = self.steps
        found = {n: steps[n].still(g, own[n]) for n, g in f.steps.items()}
        return {n: part for n, part in found.items() if part is not None} or None

    def own(self, f: Any) -> Params:
        return {n: v for n, v in f.params.items() if n not in f.steps}

    @property
    def params(self) -> Params:
        return self.ranges_of(self.f)

    def ranges_of(self, f: Any) -> Params:
        held = self.steps
        each = {n: held[n if n in held else base_name(n)].ranges_of(g) for n, g in f.steps.items() if n != NONE}
        return self.ranges.tree() | (each or {NONE: {}})

    def shared_of(self, f: Any) -> list[Path]:
        if self.same:
            return [()]
        held = self.steps
        known = [(n, held[n if n in held else base_name(n)].shared_of(g)) for n, g in f.steps.items() if n != NONE]
        return [(n, *p) for n, paths in known for p in paths]

    @property
    def same_on_batch(self) -> bool | None:
        """One draw for the batch: what was set for all modules, None if nothing was."""
        return self.same

    @same_on_batch.setter
    def same_on_batch(self, value: bool | None) -> None:
        self.same = value
        for child in self.listed() if value is not None else ():
            child.same_on_batch = value

    @property
    def keepdim(self) -> bool:
        """True if all modules keep the rank of what they are given."""
        held: Any = self._modules
        return all([held[n].keepdim for n in self.names.values()])  # noqa: C419 - faster

    @keepdim.setter
    def keepdim(self, value: bool | None) -> None:
        for child in self.listed() if value is not None else ():
            child.keepdim = bool(value)

    def is_intensity_only(self, strict: bool = True) -> bool:
        """True if no module moves pixels; `strict`: nor is any of them unknown."""
        return all(is_intensity(c, strict) for c in self.listed())

    # calls

    def forward(
        self,
        *args: Any,
        params: Params | None = None,
        data_keys: Sequence[Any] | None = None,
        generator: Generator | None = None,
        index: Any = None,
        epoch: int = 0,
        output_type: str = "pt",
        extra_args: Mapping[Any, Mapping[str, Any]] | None = None,
        **named: Any,
    ) -> Any:
        """Augment what the data keys name, a dict of targets, or keywords by their names, `aug(image=x, mask=m)`.

        `params` replays, `generator` (or `index` and `epoch`) says what is drawn; `data_keys` and `extra_args` are others for
        this call. It returns what it was given: a tensor, a list, or a dict.
        """
        args = self.by_name(args, named) if named else args
        f: Any = self.f
        key = generator
        params = params if params is None or isinstance(params, dict) else tree_of(self, params)
        if self.chooses:
            if params is not None:
                f = self.picked(None, params)
            elif self.training:
                f, key = self.choice(generator, index, epoch)
        if extra_args is not None:
            f = self.read_as(f, extra_args)
        tree = self.tree(params, f)
        values, slots = self.assign(args, data_keys, f)
        sample = sample_of(values, slots)
        batch = 0 if self.clips is None else len(next(iter(sample.values())))
        sample = sample if self.clips is None else self.clips.enter(sample, slots)
        if tree is None:
            self.unchanged(sample)
            return same(args)
        if params is not None and self._frame is not None:
            sample = framed(sample, slots, *self._frame, self.clips)
        out = self.augment(sample, tree, key, index, epoch, f)
        out = out if self.clips is None else self.clips.leave(out, slots, batch, f.mixes)
        return collect(args, slots, values, out, output_type)

    def by_name(self, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """Keywords that are targets, as albumentations is called, in place of a dict."""
        if args:
            known = [
                n
                for n, p in inspect.signature(AugmentationSequential.forward).parameters.items()
                if p.kind is p.KEYWORD_ONLY
            ]
            fix = "; targets by their names are given without others: aug(image=x, mask=m)"
            raise TypeError(unknown_name(f"keyword of a call of {type(self).__name__}", next(iter(named)), known) + fix)
        return (named,)

    def read_as(self, f: Any, extra_args: Mapping[Any, Mapping[str, Any]]) -> Augmentation:
        """The same, in one call read in another way where these say it."""
        sampling, soft = sampling_from(extra_args)
        if soft not in (None, self.soft):
            want, fix = "masks that are read as they were", f"{type(self).__name__}(..., extra_args=...)"
            raise ValueError(explain("extra_args of a call", dict(extra_args), want, fix))
        made = copy.copy(f)
        made.sampling = sampling.within(f.sampling)
        return made

    def choice(self, generator: Generator | None, index: Any, epoch: int) -> tuple[Augmentation, Tensor]:
        """What acts in a call, and the key of its draws."""
        if index is not None or epoch:
            want, fix = "a choice for each sample", 'random_apply_per="sample"'
            raise ValueError(explain("draws by index beside a choice for the batch", index, want, fix))
        key = as_key(generator)
        return self.picked(key, None), key

    def inverse(
        self, *args: Any, params: Params | None = None, data_keys: Sequence[Any] | None = None, size: Size | None = None
    ) -> Any:
        """Undo the geometry of `params` (of the last call, where None) for what the data keys name, image or not."""
        params = params if params is None or isinstance(params, dict) else tree_of(self, params)
        if params is None and (self._unchanged or not (self.training or self.tree(None))):
            return same(args)
        values, slots = self.assign(args, data_keys, self.f, "aug.inverse")
        sample = sample_of(values, slots)
        batch = 0 if self.clips is None else len(next(iter(sample.values())))
        sample = sample if self.clips is None else self.clips.enter(sample, slots)
        if self._frame is not None:
            before = size or self._frame[1]
            given = self.last()[0] if params is None else params
            after = geometry_of(self.picked(None, given), without(given, given), before)[2]
            sample = framed(sample, slots, self._frame[0], after, self.clips)
        undone = self.undo(sample, params, size)
        undone = undone if self.clips is None else self.clips.leave(undone, slots, batch, False)
        return collect(args, slots, values, undone)

    def forward_parameters(self, batch_shape: Sequence[int], generator: Generator | None = None) -> Params:
        if self.clips is None:
            return super().forward_parameters(batch_shape, generator)
        blank = self.key.new_zeros((), dtype=torch.float32).expand(tuple(batch_shape))
        return self.drawn_of(self.clips.enter({"image": blank}, [Slot("image", "image", "")]), generator)

    def assign(
        self, args: tuple[Any, ...], data_keys: Sequence[Any] | None, f: Augmentation, call: str = "aug"
    ) -> tuple[list[Any], list[Slot]]:
        """The values of a call, and what they are."""
        if len(args) == 1 and isinstance(args[0], Mapping):
            return list(args[0].values()), self.slots_for(args[0], f)
        slots = self.slots if data_keys is None else self.slots_for(data_keys, f)
        if len(args) != len(slots):
            keys = list(self.data_keys if data_keys is None else data_keys)
            fix = f"{call}(x, data_keys=[...]) names others for one call"
            raise ValueError(explain("arguments and data keys disagree", f"{len(args)} arguments", f"{keys}", fix))
        return list(args), slots

    def slots_for(self, keys: Iterable[Any], f: Augmentation) -> list[Slot]:
        """Where values of these keys go."""
        slots = slots_of(keys, f.ndim, f.targets, self.passing and isinstance(keys, Mapping))
        return softened(slots) if self.soft else slots

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"chains": {}}

    def __repr__(self) -> str:
        own = [f"{path}={leaf!r}" for path, leaf in self.ranges.tree().items()]
        lines = [", ".join([f"data_keys={self.data_keys}", *own]), *(f"({n}): {c!r}" for n, c in self.steps.items())]
        return f"{type(self).__name__}(\n  " + "\n".join(lines).replace("\n", "\n  ") + "\n)"


KEPT = 64  # chains of chosen modules that a container remembers


add_safe_globals([Augment, AugmentationSequential, Choosing, Ranges, PadByFrame, WindowByFrame])


def names_of(fs: Sequence[Augmentation]) -> list[str]:
    """The steps' names."""
    return list(af.pipeline(*fs).steps)

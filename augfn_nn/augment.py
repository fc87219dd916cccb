"""One module for every augmentation: a pure function whose ranges are registered tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from augfn import random
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params, leaves_of, merge
from augfn.core.settings import settings_of
from augfn.core.timed import drawn_for
from augfn.errors import explain
from augfn.run.compiling import own_code
from augfn.undoing import geometry_of, transform_matrix, undone
from augfn_nn.asked import LACKING, Asked
from augfn_nn.items import items_of, tree_of
from augfn_nn.lifting import Frame, lift, lower
from augfn_nn.ranges import Ranges
from augfn_nn.trees import Path, draw_shared, is_drawn, not_random, with_gaps, without

Generator = Tensor | torch.Generator  # a key, or torch's generator
Size = tuple[int, ...]


class NotCalled(RuntimeError, AttributeError):
    """Nothing was drawn yet. An AttributeError, so that `hasattr`, `inspect` and `torch.jit.trace` pass by."""


class Base(Asked):
    """What modules share: registered ranges, the last call's draw, and what can be asked of it."""

    at_home: tuple[str, ...] = ("key",)
    labelled = False  # a call needs labels
    chooses: bool = False  # which steps there are is drawn at each call
    key: Tensor

    def __init__(
        self, f: Augmentation, learnable: bool | str | Sequence[str], same_on_batch: bool | None, keepdim: bool
    ) -> None:
        super().__init__()
        if not isinstance(f, Augmentation):
            what = f"{type(self).__name__}: not an augmentation"
            raise TypeError(explain(what, f, "what a factory returns", "Augment(af.hflip(p=0.5))"))
        self.f, self.same_on_batch, self.keepdim = f, same_on_batch, keepdim
        self.ranges = Ranges(self.own(f), f.schema, learnable)
        self._last: tuple[Params | None, Frame | None, bool] = (None, None, False)
        self.register_buffer("key", as_key(None))
        self.forward = own_code(self.forward)  # so that any number of modules compile

    def own(self, f: Augmentation) -> Params:
        """The part of the tree that is registered here (a container's children keep theirs)."""
        return f.params

    def reseed(self, seed: int) -> None:
        """Set the key that draws by `index` follow."""
        self.key = random.key(seed)

    def keyed(self, generator: Generator | None, index: Any, epoch: int, batch: Size | None) -> Generator | None:
        """A key for each sample of the batch by its index in the dataset, where that is given."""
        if index is None and epoch == 0:
            return generator
        if index is None or generator is not None:
            given = f"epoch={epoch}" if index is None else "a generator too"
            fix = "aug(x, index=dataset_indices, epoch=epoch)"
            raise ValueError(explain("draws by index", given, "index, with or without an epoch", fix))
        keys = random.sample_keys(self.key, index, epoch)
        if batch is not None and (keys.ndim < 2 or keys.shape[:-1] != batch[: keys.ndim - 1]):
            want = f"indices {list(batch)}, one for each sample of the batch"
            fix = "the indices that the dataset gave with these samples" if keys.ndim > 1 else f"index=[{index}]"
            raise ValueError(explain("draws by index", f"indices {list(keys.shape[:-1])}", want, fix))
        return keys

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """As torch moves and casts a module; its key (and epoch) stay on the host, where params are drawn."""
        kept = {name: getattr(self, name) for name in self.at_home}
        super()._apply(fn, recurse)
        for name, value in kept.items():
            setattr(self, name, value)
        return self

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """As of any module; a state without a key leaves the module its own."""
        state_dict.setdefault(f"{prefix}key", self.key)
        rest = (local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @property
    def params(self) -> Params:
        """The current ranges, in the form of `f.params`: a tree to look at, edit and hand in."""
        held: Any = self._modules  # faster than the attribute
        return held["ranges"].tree()

    def picked(self, key: Tensor | None, params: Params | None) -> Augmentation:
        """What acts in a call with this key, or in one that these params replay."""
        return self.f

    def shared_of(self, f: Augmentation) -> list[Path]:
        """The subtrees of its params that are drawn once for the batch."""
        return [()] if self.same_on_batch else []

    @property
    def _params(self) -> Params | None:
        """What the last call drew; None for the steps that did not act in `eval()`."""
        return self._last[0]

    @property
    def _frame(self) -> Frame | None:
        """The batch and the size of what the last call saw."""
        return self._last[1]

    @property
    def _unchanged(self) -> bool:
        """True if nothing acted in it."""
        return self._last[2]

    @property
    def shared(self) -> list[Path]:
        """The subtrees that a call draws once for the batch."""
        return self.shared_of(self.f)

    def ranges_of(self, f: Augmentation) -> Params:
        """Its current ranges."""
        return self.params

    def tree(self, params: Params | None, f: Augmentation | None = None) -> Params | None:
        """What a call draws and applies: the current ranges, and the params given; in eval() without params what is not
        random, None if all is."""
        f = self.f if f is None else f
        own = self.ranges_of(f)
        if params is not None and "batch_prob" in params:
            params = tree_of(self, params)
        if params is not None:
            return without(params, merge(params, own, f.schema, f.name))
        return own if self.training else self.still(f, own)

    def still(self, f: Augmentation, own: Params) -> Params | None:
        """What acts in eval(): what is not random; None if nothing is left."""
        return None if self.chooses else not_random(f, own)

    def augment(
        self,
        x: Any,
        tree: Params,
        generator: Generator | None,
        index: Any,
        epoch: int,
        f: Augmentation | None = None,
    ) -> Any:
        """Draw what is left to draw, and apply it."""
        f = self.f if f is None else f
        x, frame, dims = lift(x, f)
        samples = (len(x),) if isinstance(x, list | tuple) else frame and frame[0]
        generator = self.keyed(generator, index, epoch, samples)
        key = None if is_drawn(tree) else as_key(generator)
        if key is not None:
            tree, key = self.with_shared(f, x, tree, key)
        y, drawn = f.each(x, tree, key) if isinstance(x, list | tuple) else f.on(f.read(x), tree, key)
        self.keep(with_gaps(f, drawn), frame)
        return lower(y, dims) if self.keepdim and dims else y

    def with_shared(self, f: Augmentation, x: Any, tree: Params, key: Tensor) -> tuple[Params, Tensor]:
        """The tree in which what is drawn once for the batch is drawn, and the key for the rest."""
        shared = self.shared_of(f)
        if not shared:
            return tree, key
        first = x[0] if isinstance(x, list | tuple) else x
        meanings = f.sized(f.read(first), leaves_of(tree)) if f.sizable else f.meanings
        return draw_shared(f, tree, key, shared, meanings)

    def forward_parameters(self, batch_shape: Sequence[int], generator: Generator | None = None) -> Params:
        """The params that a call on images of this shape draws: `aug(x, params=aug.forward_parameters(x.shape))`."""
        return self.drawn_of(torch.zeros(()).expand(tuple(batch_shape)), generator)

    def drawn_of(self, x: Any, generator: Generator | None) -> Params:
        """The params that a call on x draws."""
        key = as_key(generator)
        f = self.picked(key, None)
        x, _, _ = lift(x, f)
        tree, key = self.with_shared(f, x, self.ranges_of(f), key)
        return with_gaps(f, drawn_for(f, f.read(x), tree, key))

    def get_transformation_matrix(
        self, x: Any, params: Params | None = None, recompute: bool = True, extra_args: Any = None
    ) -> Tensor:
        """The matrix `[B, 3, 3]` (`[B, 4, 4]` of volumes) for images like x, of these params or of new ones; it is computed,
        whatever `recompute` says, and `extra_args` do not change it."""
        given: Any = self.forward_parameters(x.shape) if params is None else tree_of(self, params)
        f = self.picked(None, given)
        _, frame, _ = lift(x, f)
        batch, size = frame or ((1,), tuple(x.shape[-f.ndim :]))
        matrix = transform_matrix(f, without(given, given), size)
        return matrix.expand(*batch, *matrix.shape[-2:])

    def unchanged(self, x: Any) -> Any:
        """A call in which nothing acts."""
        self.keep(with_gaps(self.f, {}) or None, lift(x, self.f)[1], True)
        return x

    def keep(self, params: Params | None, frame: Frame | None, unchanged: bool = False) -> None:
        """The last call's draw and frame, and whether nothing acted; an export leaves the module as it was."""
        if not torch.compiler.is_exporting():
            self._last = (params, frame, unchanged)

    def undo(self, x: Any, params: Params | None, size: Size | None) -> Any:
        """One resample back; `size` is the frame before, where it is not the last call's and f changes it."""
        if params is None and self._unchanged:
            return x
        given = self.last()[0] if params is None else params
        f = self.picked(None, given)
        params = without(given, merge(given, self.ranges_of(f), f.schema, f.name))
        x, frame, dims = lift(x, f)
        before = self._frame and self._frame[1]
        if size is None and frame and before and geometry_of(f, params, before)[2] == frame[1]:
            size = before
        y, _ = undone(f, x, params, size)
        return lower(y, dims) if self.keepdim and dims else y

    @property
    def param_items(self) -> Any:
        """What the last call drew in kornia's way: of a container a list of `ParamItem(name, data)`, of an op a dict with
        `batch_prob` and `forward_input_shape` beside its leaves. `params=` takes it as it does the tree."""
        params, (batch, size) = self.last()
        return items_of(self, params, (*batch, *size))

    @property
    def transform_matrix(self) -> Tensor:
        """The last call's matrix `[B, 3, 3]` (`[B, 4, 4]` of volumes), from input to output pixels (x, y[, z], 1)."""
        if self.matrix_mode == "skip":
            return None  # type: ignore[return-value]
        if self._unchanged and self._frame:
            batch, size = self._frame
            return torch.eye(len(size) + 1).expand(*batch, len(size) + 1, len(size) + 1)
        given, (batch, size) = self.last()
        matrix = transform_matrix(self.picked(None, given), without(given, given), size)
        return matrix.expand(*batch, *matrix.shape[-2:])

    def last(self) -> tuple[Params, Frame]:
        """What the last call drew, and its frame."""
        if self._frame is None and (self._unchanged or self._params is not None):
            fix = "give params: aug.inverse(x, params), af.transform_matrix(aug.f, params, size)"
            raise NotCalled(explain(f"{type(self).__name__}: no one frame", "a list", "a batch of one size", fix))
        if self._params is None or self._frame is None:
            raise self.not_called()
        return self._params, self._frame

    def not_called(self) -> NotCalled:
        what = f"{type(self).__name__}: nothing drawn yet"
        fix = "call it, or give params; in a container ask that: container._params, container.transform_matrix"
        return NotCalled(explain(what, None, "a call on an image before this one", fix))

    def __getattr__(self, name: str) -> Any:
        """What nn.Module keeps; Python asks here after a property has raised an AttributeError, whose words this keeps."""
        if name == "transform_matrix":
            self.last()
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in LACKING:
                raise AttributeError(self.lacking(name)) from None
            raise

    def __getstate__(self) -> dict[str, Any]:
        """A copy or a saved module knows the last call by value, without its graph."""
        state = self.__dict__ | {"_last": (tree_map_only(Tensor, Tensor.detach, self._params), *self._last[1:])}
        del state["forward"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.forward = own_code(self.forward)

    def _replicate_for_data_parallel(self) -> Any:
        """torch copies the attributes; a replica calls itself, not the module it came from."""
        replica = super()._replicate_for_data_parallel()
        del replica.__dict__["forward"]
        return replica


class Augment(Base):
    """A module around any augmentation; in `eval()` what is random is dropped.

    * `f`: the pure function, from a factory or a combinator.
    * `learnable`: True, or the leaves (or steps) whose ranges become Parameters: `["affine/degrees"]`. Tensors that
      are Parameters already are registered as they are. Ranges are read anew at each call, so the next draw follows
      an optimizer's step, `load_state_dict` and `.to()`.
    * `same_on_batch`: one draw for the whole batch.
    * `keepdim`: an input without batch, `[C, H, W]` or `[H, W]`, keeps its rank (else it comes back as `[1, C, H, W]`).

    In `eval()` a step acts if none of its leaves, its gate included, is random: normalize, resize, center_crop, pad and
    conversions do, so does a flip with p=1; random_crop leaves the frame as it is, and what is random as a whole is the
    identity. `params=` replays in `eval()` too.

    `aug(x, params=None, generator=None)` takes a tensor or a dict of targets and returns the output alone. What was
    drawn is kept in `aug._params`; `aug(x, params=aug._params)` replays it. Without a generator one key is drawn from
    torch's default one, so `torch.manual_seed` rules. With `index=` (the samples' indices in the dataset) and `epoch=` the
    draws follow `aug.key`, which is drawn when the module is made, saved in its `state_dict` and set by
    `aug.reseed(seed)`: then they are the same for any order, batch size, number of workers or ranks. Further keywords are
    kornia's: `output_type`, and of a class settings and leaves for one call.

    >>> import augfn as af
    >>> aug = Augment(af.rotate(degrees=(-15, 15)), learnable=True)
    >>> [name for name, _ in aug.named_parameters()]
    ['ranges.degrees/low', 'ranges.degrees/high']
    >>> aug(torch.rand(4, 3, 8, 8)).shape, aug._params["degrees"].shape
    (torch.Size([4, 3, 8, 8]), torch.Size([4]))
    """

    def __init__(
        self,
        f: Augmentation,
        learnable: bool | str | Sequence[str] = False,
        *,
        same_on_batch: bool = False,
        keepdim: bool = False,
    ) -> None:
        super().__init__(f, learnable, same_on_batch, keepdim)

    def forward(
        self,
        x: Any,
        params: Params | None = None,
        generator: Generator | None = None,
        *,
        index: Any = None,
        epoch: int = 0,
        **others: Any,
    ) -> Any:
        """Augment a tensor `[B, C, H, W]` or a dict of targets; `params` replays, `generator` (or `index`, `epoch`) draws."""
        if others:
            return self.with_others(
                x, {"params": params, "generator": generator, "index": index, "epoch": epoch}, others
            )
        if not self.chooses:
            tree = self.tree(params)
            return self.unchanged(x) if tree is None else self.augment(x, tree, generator, index, epoch)
        if params is None and not self.training:
            return self.unchanged(x)
        params = tree_of(self, params)
        key = as_key(self.keyed(generator, index, epoch, None)) if params is None else None
        f = self.picked(key, params)
        return self.augment(x, self.tree(params, f), key, None, 0, f)  # type: ignore[arg-type]

    def inverse(self, x: Any, params: Params | None = None, size: Size | None = None) -> Any:
        """Undo the geometry of `params` (of the last call, where None) by one resample; colour stays as it is.

        `size` is the frame before the augmentation, where it is not the last call's. The identity where a call is.
        """
        if self.chooses and (params is not None or not self._unchanged):
            return self.undo(x, params, size)
        return x if self.tree(params) is None else self.undo(x, params, size)

    def __repr__(self) -> str:
        parts = [f"{n}={v!r}" for n, v in (leaves_of(self.params) | settings_of(self.f)).items()]
        parts += [f"{flag}=True" for flag in ("same_on_batch", "keepdim") if getattr(self, flag)]
        return f"{type(self).__name__}({', '.join([self.f.name] * (type(self) is Augment) + parts)})"


def as_key(generator: Generator | None) -> Tensor:
    """One key; torch's default generator stands in for None."""
    if generator is None:
        return torch.randint(2**32, (2,), dtype=torch.int64, device="cpu")
    return generator if isinstance(generator, Tensor) else random.from_generator(generator)

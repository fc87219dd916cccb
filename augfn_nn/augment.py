"""One module for every augmentation: a pure function whose ranges are registered tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map, tree_map_only

from augfn import random
from augfn.compose import geometry_of, invert, transform_matrix
from augfn.distributions import Bernoulli, Choice, Constant, Distribution
from augfn.draw import Params, draw, merge, paths_of
from augfn.errors import explain, unknown
from augfn.op import Augmentation
from augfn.targets import FRAMED, LAYOUT, kind_of
from augfn.typing import Leaf

HALF = (torch.float16, torch.bfloat16)
Path = tuple[str, ...]
Frame = tuple[tuple[int, ...], tuple[int, ...]]  # batch shape, size


class Ranges(nn.Module):
    """A tree of params whose tensors are registered under their paths, such as "affine/degrees/low".

    Parameters stay the objects they are, what requires a gradient or is `learnable` becomes one, all else is a buffer.
    """

    def __init__(self, params: Params, schema: Params, learnable: bool | Sequence[str] = False) -> None:
        super().__init__()
        self.skeleton = params
        leaves, meanings = dict(paths_of(params)), dict(paths_of(schema))
        chosen = chosen_paths(leaves, meanings, learnable)
        for path, leaf in leaves.items():
            for name, tensor in tensors_of(path, leaf):
                self.enter(name, tensor, leaf, path in chosen and not name.endswith("/temperature"))

    def enter(self, name: str, tensor: Tensor, leaf: Any, learn: bool) -> None:
        """Register one tensor. What is not learned is copied: a factory's default ranges are shared by all that use it."""
        if not learn and not tensor.requires_grad:
            self.register_buffer(name, tensor.detach().clone())
            return
        if isinstance(leaf, Bernoulli | Choice):
            soft = "RelaxedBernoulli" if isinstance(leaf, Bernoulli) else "GumbelChoice"
            raise ValueError(explain(f"{name} cannot learn", leaf, "a relaxed gate or choice, on logits", f"af.{soft}(...)"))
        if not tensor.is_leaf:
            fix = "make the bounds Parameters, or hand computed ranges to the call: aug(x, params={...})"
            raise ValueError(explain(f"{name} is computed from other tensors", tensor, "a Parameter of its own", fix))
        kept = isinstance(tensor, nn.Parameter)
        self.register_parameter(name, tensor if kept else nn.Parameter(tensor.clone() if learn else tensor))

    def tree(self) -> Params:
        """The distributions on the tensors as they are now. Ranges that are kept in half precision are drawn in single."""
        tensors = {**self._buffers, **self._parameters}
        return rebuild(self.skeleton, "", {n: t.float() if t.dtype in HALF else t for n, t in tensors.items() if t is not None})


def tensors_of(path: str, leaf: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(leaf, Tensor):
        yield path, leaf
    else:
        yield from ((f"{path}/{field}", getattr(leaf, field)) for field in leaf.fields)


def rebuild(tree: Params, prefix: str, tensors: Mapping[str, Tensor]) -> Params:
    """The tree again, with these tensors in it."""
    out: Params = {}
    for name, leaf in tree.items():
        path = prefix + name
        if isinstance(leaf, dict):
            out[name] = rebuild(leaf, path + "/", tensors)
        elif isinstance(leaf, Distribution):
            static = {s: getattr(leaf, s) for s in leaf.static}
            out[name] = type(leaf)(**{f: tensors[f"{path}/{f}"] for f in leaf.fields}, **static)
        else:
            out[name] = tensors[path]
    return out


def chosen_paths(leaves: Mapping[str, Any], meanings: Mapping[str, Leaf], learnable: bool | Sequence[str]) -> set[str]:
    """The leaves to learn: those named (or all below a step that is named); for True all that a gradient can reach."""
    if learnable is True:
        return {p for p, d in leaves.items() if not isinstance(d, Bernoulli | Choice) and not meanings[p].flat}
    names = [learnable] if isinstance(learnable, str) else list(learnable or ())
    for name in names:
        if not any(path == name or path.startswith(name + "/") for path in leaves):
            raise ValueError(unknown("leaf to learn", name, leaves))
    return {path for path in leaves for name in names if path == name or path.startswith(name + "/")}


class Augment(nn.Module):
    """A module around any augmentation; in `eval()` it is the identity.

    * `f`: the pure function, from a factory or a combinator.
    * `learnable`: True, or the leaves (or steps) whose ranges become Parameters: `["affine/degrees"]`. Tensors that already are
      Parameters are registered as they are. The ranges are read anew at each call, so the next draw follows an optimizer's step,
      `load_state_dict` and `.to()`.
    * `same_on_batch`: one draw for the whole batch.
    * `keepdim`: an input without batch, `[C, H, W]` or `[H, W]`, comes back in its own rank rather than as `[1, C, H, W]`.

    `aug(x, params=None, generator=None)` takes a tensor or a dict of targets and returns the output alone; what was drawn is kept
    in `aug._params`, and `aug(x, params=aug._params)` replays it. Without a generator one key is drawn from torch's default one.

    >>> import augfn as af
    >>> aug = Augment(af.rotate(degrees=(-15, 15)), learnable=True)
    >>> [name for name, _ in aug.named_parameters()]
    ['ranges.degrees/low', 'ranges.degrees/high']
    >>> aug(torch.rand(4, 3, 8, 8)).shape, aug._params["degrees"].shape
    (torch.Size([4, 3, 8, 8]), torch.Size([4]))
    """

    _params: Params | None
    _frame: Frame | None

    def __init__(
        self, f: Augmentation, learnable: bool | Sequence[str] = False, *, same_on_batch: bool | None = False, keepdim: bool = False
    ) -> None:
        super().__init__()
        if not isinstance(f, Augmentation):
            raise TypeError(explain(f"{type(self).__name__}: not an augmentation", f, "what a factory returns", "Augment(af.hflip(p=0.5))"))
        self.f, self.same_on_batch, self.keepdim = f, same_on_batch, keepdim
        self.ranges = Ranges(self.own(f), f.schema, learnable)
        self._params, self._frame = None, None

    def own(self, f: Augmentation) -> Params:
        """The part of the tree that is registered here (a container's children keep theirs)."""
        return f.params

    @property
    def params(self) -> Params:
        """The current ranges, as `f.params`: a tree to look at, edit and hand in."""
        return self.ranges.tree()

    @property
    def shared(self) -> list[Path]:
        """The subtrees that are drawn once for the batch."""
        return [()] if self.same_on_batch else []

    def forward(self, x: Any, params: Params | None = None, generator: Tensor | torch.Generator | None = None) -> Any:
        return self.augment(x, params, generator) if self.training else x

    def augment(self, x: Any, params: Params | None, generator: Tensor | torch.Generator | None) -> Any:
        f, tree = self.f, self.params
        if params is not None:
            tree = merge(params, tree, f.schema, f.name)
        key = None if is_drawn(tree) else as_key(generator)
        shared = self.shared
        if shared and key is not None:
            tree, key = draw_shared(f, tree, key, shared)
        x, frame, dims = lift(x, f)
        y, self._params = f(x, tree, key)
        self._frame = frame
        return lower(y, dims) if self.keepdim and dims else y

    @property
    def transform_matrix(self) -> Tensor:
        """The last call's matrix `[B, 3, 3]` (`[B, 4, 4]` in a volume), from input to output pixel coordinates (x, y[, z], 1)."""
        params, batch, size = self.last()
        matrix = transform_matrix(self.f, params, size)
        return matrix.expand(*batch, *matrix.shape[-2:])

    def inverse(self, x: Any, params: Params | None = None, size: tuple[int, ...] | None = None) -> Any:
        """Undo the geometry of `params` (of the last call, where None): one resample back; colour is not undone.

        `size` is the frame before the augmentation, where it differs from the last call's. The identity in `eval()`.
        """
        if not self.training:
            return x
        x, frame, dims = lift(x, self.f)
        params = params if params is not None else self.last()[0]
        back = invert(self.f, size or self.before(params, frame[1] if frame else ()))
        y, _ = back(x, params)
        return lower(y, dims) if self.keepdim and dims else y

    def before(self, params: Params, after: tuple[int, ...]) -> tuple[int, ...] | None:
        """The last call's frame, if it leads to `after` (else f has to keep the frame)."""
        size = self._frame and self._frame[1]
        return size if size and geometry_of(self.f, params, size)[2] == after else None

    def last(self) -> tuple[Params, tuple[int, ...], tuple[int, ...]]:
        """What the last call drew, its batch shape and the size of its frame."""
        if self._params is None or self._frame is None:
            name = type(self).__name__
            raise RuntimeError(explain(f"{name}: nothing drawn yet", None, "a call before this one", "call it on an image first, or give params"))
        return self._params, *self._frame

    def __getstate__(self) -> dict[str, Any]:
        """Copies and saved modules remember the last call by value, without its graph."""
        return self.__dict__ | {"_params": tree_map_only(Tensor, Tensor.detach, self._params)}

    def __repr__(self) -> str:
        parts = [f"{path}={leaf!r}" for path, leaf in paths_of(self.params)]
        parts += [f"{flag}=True" for flag in ("same_on_batch", "keepdim") if getattr(self, flag)]
        return f"{type(self).__name__}({', '.join([self.f.name] * (type(self) is Augment) + parts)})"


def as_key(generator: Tensor | torch.Generator | None) -> Tensor:
    """One key: torch's default generator stands in for None."""
    if generator is None:
        return torch.randint(2**32, (2,), dtype=torch.int64, device="cpu")
    return random.from_generator(generator) if isinstance(generator, torch.Generator) else generator


def is_drawn(tree: Params) -> bool:
    """True if nothing in it is random."""
    for leaf in tree.values():
        if not is_drawn(leaf) if isinstance(leaf, dict) else isinstance(leaf, Distribution) and not isinstance(leaf, Constant):
            return False
    return True


def draw_shared(f: Augmentation, tree: Params, key: Tensor, shared: list[Path]) -> tuple[Params, Tensor]:
    """The tree with the subtrees at `shared` drawn once for the batch, and the key for the rest."""
    random.check_key(key)
    if key.ndim != 1:
        raise ValueError(explain("same_on_batch: a key per sample", key, "one key [2]", "pass one key, or same_on_batch=False"))
    for path in shared:
        if not path:
            return tree, key[None]
        part = tree
        for name in path:
            part = part[name]
        for name in reversed(path):
            part = {name: part}
        tree = merge(draw(part, f.schema, f.salts, (1,), key[None], torch.device("cpu")), tree, f.schema, f.name)
    return tree, key


def lift(x: Any, f: Augmentation) -> tuple[Any, Frame | None, Any]:
    """`x` with a batch dimension, its frame, and how many dims each target was given (None where none was missing).

    What cannot be read is left to f, which says so.
    """
    bare = isinstance(x, Tensor)
    kinds = {"": "image" if f.ndim == 2 else "volume"} if bare else {n: kind_of(n, f.targets) for n in x} if isinstance(x, Mapping) else {}
    name = next((n for n, kind in kinds.items() if kind in FRAMED), None)
    value = x if bare else x.get(name) if name else None
    layout = LAYOUT[kinds[name]][f.ndim - 2] if name is not None else None
    if layout is None or not isinstance(value, Tensor):
        return x, None, None
    rank = len(layout.split())
    if value.ndim > rank:
        return x, (tuple(value.shape[:-rank]), tuple(value.shape[-f.ndim :])), None
    if bare:
        dims: Any = rank + 1 - value.ndim
        x = x[(None,) * dims]
    else:
        dims = {n: rank + 1 - x[n].ndim if k == kinds[name] and k != "video" else 1 for n, k in kinds.items()}
        x = {n: tree_map(lambda t, k=dims[n]: t[(None,) * k], v) for n, v in x.items()}
    return x, ((1,), tuple(value.shape[-f.ndim :])), dims


def lower(y: Any, dims: Any) -> Any:
    """The output without the dims that `lift` added."""
    if isinstance(dims, int):
        return y[(0,) * dims]
    return {n: tree_map(lambda t, k=dims[n]: t[(0,) * k], v) for n, v in y.items()}

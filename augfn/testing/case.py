"""What a law is tried on: an augmentation, a smooth image of any leading shape, a key; and how to say what differs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path, tree_leaves, tree_map_only

from augfn import random
from augfn.compose import maybe
from augfn.core.actions import Action
from augfn.core.augmentation import Augmentation, Op, build
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.draw import Params, leaves_of
from augfn.core.spec import SEEN, SPECS
from augfn.core.targets import Sample, Target
from augfn.distributions import Bernoulli, Distribution
from augfn.math.resample import Sampling
from augfn.supported import HERE, WHOLE
from augfn.typing import Leaf

FRAMES = {2: (9, 11), 3: (6, 7, 10)}  # of which no channel has its extremes twice: generic points for any op
LARGE = {"equalize": (20, 24)}  # ops that leave smaller images as they are
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}
# By how much a system of equations of float32 that is solved at another place in memory may be off: 2.9 with MKL rounds.
ROUNDS = 0.0 if tuple(HERE) >= WHOLE else 1e-5


def example(op: Any, **keywords: Any) -> Augmentation:
    """A factory (or its name) with usable ranges: those of its decorator's `example`; what is built stays as it is.

    An op that looks at other targets sees made ones next to a bare image.
    """
    if not isinstance(op, Augmentation):
        spec = SPECS[op] if isinstance(op, str) else op.spec
        op = build(spec, {**spec.example, **keywords})
    return Sighted.of(op) if isinstance(op, Op) and set(op.spec.wants) & set(SEEN) else op


class Sighted(Op):
    """An op that looks at the mask or the boxes; those of `targets_for` where the sample has none."""

    @classmethod
    def of(cls, op: Op) -> Sighted:
        return cls(op.spec, op.params, op.static, op.sampling, op.clip, op.channels, op.per_channel)

    def see(self, act: Any, how: Sampling, sample: Sample, leaves: dict[str, Any]) -> Action:
        image = next(t.value for t in sample.targets.values() if t.kind in ("image", "volume"))
        known = {t.kind for t in sample.targets.values()}
        made = targets_for(image, len(sample.size)).items()
        extra = {n: Target(n, v) for n, v in made if n in SEEN and n not in known}
        return super().see(act, how, sample.changed({**sample.targets, **extra}, sample.size), leaves)


@dataclass(frozen=True)
class Case:
    """One trial: `f` on the image (or volume) `x [*batch, C, *frame]` with one key."""

    f: Augmentation
    x: Tensor
    key: Tensor

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(self.x.shape[: -self.f.ndim - 1])

    @property
    def frame(self) -> tuple[int, ...]:
        return tuple(self.x.shape[-self.f.ndim :])

    @property
    def tolerance(self) -> float:
        return TOLERANCE.get(self.x.dtype, 2e-2)

    @property
    def takes_gate(self) -> bool:
        """True if it changes neither the frame nor the dtype, so that it can be switched per sample."""
        if self.f.takes_integers or self.f.gives_integers:
            return False
        return self.f(self.x, None, self.key)[0].shape == self.x.shape

    def leaves(self) -> Iterator[tuple[str, Leaf]]:
        """Path and meaning, in the shape for this image, of every leaf that this augmentation has (an op's leaf may be left
        out)."""
        present = leaves_of(self.f.params)
        sized = self.f.sized_for(self.f.ndim, self.x.shape[-self.f.ndim - 1])
        return ((path, leaf) for path, leaf in sized.items() if path in present)

    def gated(self, p: Any) -> Case:
        """The same, behind a gate of probability (or distribution) p."""
        return replace(self, f=gated(self.f, p))


def case(
    op: Any,
    batch: tuple[int, ...] = (3,),
    frame: tuple[int, ...] | None = None,
    channels: int = 3,
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
) -> Case:
    f = example(op)
    channels = 1 if f.bare else channels
    x = smooth_image(batch, channels, frame or LARGE.get(f.name) or FRAMES[f.ndim], dtype)
    return Case(f, x, random.key(seed))


def gated(f: Augmentation, p: Any) -> Augmentation:
    if not isinstance(f, Op):
        return maybe(f, p)
    gate = p if isinstance(p, Distribution) else Bernoulli(p)
    return type(f)(f.spec, f.params | {"gate": gate}, f.static, f.sampling, f.clip, f.channels, f.per_channel)


def kinds_of(f: Augmentation) -> set[str]:
    """The kinds of all ops inside."""
    return {f.spec.kind} if isinstance(f, Op) else set().union(*map(kinds_of, getattr(f, "steps", {}).values()))


def smooth_image(batch: tuple[int, ...], channels: int, frame: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Waves between 0.15 and 0.85, another for each sample and channel: smooth, without symmetry, nowhere grey."""
    axes = torch.meshgrid(*(torch.linspace(0, 1, n, dtype=torch.float64) for n in frame), indexing="ij")
    number = torch.arange(math.prod(batch) * channels, dtype=torch.float64).reshape(*batch, channels, *[1] * len(frame))
    phase = sum((2.1 + 0.7 * i) * axis for i, axis in enumerate(axes)) + axes[-1] * axes[-2]
    return (0.5 + 0.35 * torch.sin(phase * (1 + 0.13 * number) + 1.7 * number)).to(dtype)


def window(x: Tensor, ndim: int) -> Tensor:
    """Smooth weights for a loss, small at the borders, without symmetry, another for each sample and channel."""
    out = torch.ones_like(x)
    for axis in range(-ndim, 0):
        n = x.shape[axis]
        t = torch.linspace(0, 1, n + 2, dtype=x.dtype)[1:-1]
        bump = torch.sin(math.pi * t) * (0.5 + t)
        out = out * bump.reshape(-1, *[1] * (-axis - 1))
    lead = x.shape[:-ndim]
    number = torch.arange(math.prod(lead), dtype=x.dtype).reshape(*lead, *[1] * ndim)
    return out * torch.cos(1 + number)


def at(tree: Any, path: str) -> Any:
    for name in path.split("/"):
        tree = tree[name]
    return tree


def put(tree: Params, path: str, value: Any) -> Params:
    """A copy of the tree with one leaf changed."""
    name, _, rest = path.partition("/")
    return {**tree, name: put(tree[name], rest, value) if rest else value}


def cast(tree: Any, dtype: torch.dtype) -> Any:
    """Floating tensors, those inside distributions too, in a dtype."""
    return tree_map_only(Tensor, lambda t: t.to(dtype) if t.is_floating_point() else t, tree)


def stack(trees: list[Any]) -> Any:
    """Trees of one shape, stacked leaf by leaf."""
    first, *others = trees
    if isinstance(first, dict):
        return {n: stack([t[n] for t in trees]) for n in first}
    return torch.stack([first, *others])


def claim(condition: Any, message: str) -> None:
    if not bool(condition):
        raise AssertionError(message)


def agree(what: str, given: Any, wanted: Any, tolerance: float = 0.0) -> None:
    """Two trees are equal, in shapes and dtypes too; tensors bit for bit, or up to `tolerance` where it is given."""
    left, right = (tree_flatten_with_path(t)[0] for t in (given, wanted))
    names, others = ([keystr(path) for path, _ in side] for side in (left, right))
    claim(names == others, f"{what}: other names, {names} and {others}")
    for name, (_, a), (_, b) in zip(names, left, right, strict=True):
        agree_leaf(f"{what} {name}".rstrip(), a, b, tolerance)


def agree_leaf(what: str, a: Any, b: Any, tolerance: float) -> None:
    if not isinstance(a, Tensor):
        return claim(a == b, f"{what}: {a!r} and {b!r}")
    shapes = [f"{str(t.dtype).removeprefix('torch.')} {list(t.shape)}" for t in (a, b)]
    claim(shapes[0] == shapes[1], f"{what}: {' and '.join(shapes)}")
    far = (a.double() - b.double()).abs()
    differ = ~((a == b) | (a.isnan() & b.isnan()) | (far <= tolerance))
    if differ.any():
        worst = f"the worst by {far.max():.3g}, allowed {tolerance:g}"
        raise AssertionError(f"{what}: {int(differ.sum())} of {a.numel()} values differ, {worst}")


def targets_for(x: Tensor, ndim: int) -> dict[str, Any]:
    """The image with a mask, boxes, keypoints and (in 2-D) depth, all inside the frame."""
    batch, frame = tuple(x.shape[: -ndim - 1]), tuple(x.shape[-ndim:])
    size = torch.tensor(frame[::-1], dtype=x.dtype)
    corners = torch.tensor([[0.2, 0.3, 0.15], [0.4, 0.35, 0.5]], dtype=x.dtype)[:, :ndim] * size
    boxes = torch.cat([corners, corners + torch.tensor([0.3, 0.4, 0.35], dtype=x.dtype)[:ndim] * size], -1)
    place = corners + 0.5
    out = {
        "image" if ndim == 2 else "volume": x,
        "mask": (x.select(-ndim - 1, 0) * 5).long(),
        "boxes": Boxes(boxes.expand(*batch, 2, 2 * ndim).clone()),
        "keypoints": Keypoints(place.expand(*batch, 2, ndim).clone()),
    }
    if ndim == 2:
        out["depth"] = 1 + x[..., :1, :, :]
    return out


def snapshot(tree: Any) -> list[Any]:
    """Copies of all tensors of a tree."""
    return [t.clone() if isinstance(t, Tensor) else t for t in tree_leaves(tree)]

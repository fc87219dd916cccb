"""The laws that any pipeline keeps: what `benchmarks.fuzz` claims of every trial."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only, tree_unflatten

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.core.boxes import Boxes, Keypoints
from augfn.core.draw import leaves_of
from augfn.core.spec import SPECS
from augfn.core.targets import kind_of
from augfn.run import bands, slices
from augfn.run import rows as sparse
from augfn.testing.case import agree, claim, snapshot
from benchmarks.fuzz_programs import Group, batch_of, forced, frame_of

# Two ways to the same result may round differently, and a step function (solarize, equalize, nearest) turns that into
# a jump: so a small share of an image's or a mask's values may differ by more. Behind another step function more, since
# many pixels lie on one level and jump together; and equalize's table, whose step is a whole number of pixels, jumps for
# a channel of a small image.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.1}
SHARE, SHARED, TABLED = 0.005, 0.05, 0.25
PLACE = 0.02  # pixels, of points through bends that are inverted step by step
COMPILED, FEW = 25, 8  # one case of so many, if it has no more ops than that: tracing is slow
# Geometry that copies pixels, and never reads between them.
# fmt: off
CROPS = ("bbox_safe_crop", "center_crop", "mask_crop", "random_crop")
EXACT = frozenset((
    "bbox_safe_crop", "center_crop", "d4", "dflip3d", "hflip", "hflip3d", "mask_crop", "pad", "pad_to",
    "quarter_turn", "random_crop", "rot90", "vflip", "vflip3d",
))
# fmt: on


@dataclass(frozen=True)
class Trial:
    """A program on a sample with a key."""

    program: Group
    x: Any
    ndim: int
    key: Tensor

    @property
    def f(self) -> Augmentation:
        return self.program.build()

    @property
    def share(self) -> float:
        """Of the values that may jump."""
        if count(self.program, lambda name: name == "equalize"):
            return TABLED
        return SHARE if count(self.program, jumps) < 2 else SHARED

    @property
    def batch(self) -> tuple[int, ...]:
        return batch_of(self.x, self.ndim)


# laws


def shapes(t: Trial) -> None:
    """Names, dtypes and leading dims stay; all targets have the same frame afterwards; rows come only from mixing."""
    f = t.f
    y = f(t.x, None, t.key)[0]
    claim(type(y) is type(t.x), f"a {type(t.x).__name__} became a {type(y).__name__}")
    frame = frame_of(y, t.ndim)
    for name, before in entries(t.x):
        kind, after = kind_of(name, {}), dict(entries(y))[name]
        for a, b in zip(tree_leaves(after), tree_leaves(before), strict=True):
            claim(a.dtype == b.dtype, f"{name}: {b.dtype} became {a.dtype}")
            spatial = kind in ("image", "video", "volume", "depth", "mask")
            want = (*b.shape[: -t.ndim], *frame) if spatial else tuple(b.shape)
            rows = f.mixes and kind in ("boxes", "keypoints")
            claim(rows or tuple(a.shape) == want, f"{name}: {list(b.shape)} became {list(a.shape)}, not {list(want)}")


def finite(t: Trial) -> None:
    """What is finite stays finite."""
    for name, value in entries(t.f(t.x, None, t.key)[0]):
        for leaf in tree_leaves(value):
            claim(leaf.isfinite().all(), f"{name}: {int((~leaf.isfinite()).sum())} of {leaf.numel()} not finite")


def replays(t: Trial) -> None:
    """The same key, and the returned params, give the same bits."""
    f = t.f
    y, params = f(t.x, None, t.key)
    agree("the same key", f(t.x, None, t.key), (y, params))
    agree("a program built again", t.program.build()(t.x, None, t.key), (y, params))
    agree("replay", f(t.x, params), (y, params))


def pure(t: Trial) -> None:
    """Inputs, params and torch's random state stay as they were."""
    f, inputs, state = t.f, snapshot((t.x, t.key)), torch.get_rng_state()
    params = f(t.x, None, t.key)[1]
    drawn = snapshot(params)
    f(t.x, params)
    agree("inputs after a call", snapshot((t.x, t.key)), inputs)
    agree("params after a replay", snapshot(params), drawn)
    claim(torch.equal(state, torch.get_rng_state()), "a call changed torch's random state")


def independent(t: Trial) -> None:
    """Sample i of a batch, with its own key, is what the single call gives; by vmap too."""
    f = t.f
    if not t.batch or f.mixes:
        return
    count = torch.Size(t.batch).numel()
    keys = af.split(t.key, count).reshape(*t.batch, 2)
    y, params = f(t.x, None, keys)
    for i in range(t.batch[0]):
        alone, drawn = f(part(t.x, i), None, keys[i])
        agree(f"draws of sample {i} alone", drawn, part(params, i))
        nearly(f"sample {i} alone", alone, part(y, i), t.share)
    mapped, drawn = vmap(lambda x, k: f(x, None, k))(t.x, keys)
    agree("draws under vmap", drawn, params)
    nearly("under vmap", mapped, y, t.share)


def rests(t: Trial) -> None:
    """Behind a gate of 0 it is the identity, bit for bit (where it keeps the frame all along)."""
    f = t.f
    if not keeps_frame(t, f):
        return
    y, _ = af.maybe(f, 0.0)(t.x, None, t.key)
    if f.mixes and isinstance(y, dict):
        y = {
            n: own_rows(v, t.x[n], len(t.batch)) if kind_of(n, {}) in ("boxes", "keypoints") else v
            for n, v in y.items()
        }
    agree("p = 0", y, t.x)


def fuses(t: Trial) -> None:
    """Fused and step by step: points seen in both lie on the same place; and where no more than one step reads between
    pixels, everything is the same but for rounding."""
    names, steps = {op.name for op in t.program.ops()}, count(t.program, reads)
    if steps and names & {"bbox_safe_crop", "mask_crop", "mask_dropout"}:
        return  # they look at a mask or boxes that were read once, or after every step
    fused, literal = (t.program.build(fuse=fuse)(t.x, None, t.key)[0] for fuse in (True, False))
    together = count(t.program, hides) > 1  # two that hide a pixel in part may hide it together
    for name, value in entries(fused):
        if isinstance(value, Keypoints):
            same_points(name, value, dict(entries(literal))[name], together)
    cut = names & set(CROPS)  # what is read after it, fused, sees beyond it
    if steps == 0 or (steps == 1 and not cut and "nearest" not in modes(t.program)):
        by_half = ("mask", "depth", "keypoints") if together else ("mask", "depth") if steps else ()  # to either side
        for name, value in entries(fused):
            if isinstance(value, Boxes):
                same_boxes(name, value, dict(entries(literal))[name])
        pair = [without(y, (*by_half, *limited(fused))) for y in (fused, literal)]
        nearly("fuse=True and fuse=False", *pair, t.share)


def same_points(name: str, fused: Keypoints, literal: Keypoints, together: bool) -> None:
    """A chain may bring back what left the frame on the way, so the fused one sees no less; but for what steps hide
    together."""
    seen = literal.visible.bool() & (fused.visible.bool() | (not together))
    claim((fused.visible.bool() | ~seen).all(), f"{name}: a point is seen step by step, and not in the fused chain")
    off = torch.where(seen, (fused.xy.double() - literal.xy.double()).abs().amax(-1), 0.0)
    claim(off.max() <= PLACE, f"{name}: fused and step by step lie {off.max():.3g} px apart")


def limited(x: Any) -> tuple[str, ...]:
    """Boxes that must keep a size: they are judged once in a fused chain, and after every step without."""
    return tuple(n for n, v in entries(x) if isinstance(v, Boxes) and (v.min_area or v.min_size or v.min_visibility))


def same_boxes(name: str, fused: Boxes, literal: Boxes) -> None:
    claim((fused.valid | ~literal.valid).all(), f"{name}: a box is valid step by step, and not in the fused chain")
    off = torch.where(literal.valid, (fused.data.double() - literal.data.double()).abs().amax(-1), 0.0)
    claim(off.max() <= PLACE, f"{name}: fused and step by step lie {off.max():.3g} apart")


def rows(t: Trial) -> None:
    """What runs on open rows alone gives what the whole batch behind its gates does."""
    f = t.f
    y = f(t.x, None, t.key)[0]
    with forced(sparse, "DENSE", True):
        dense = f(t.x, None, t.key)[0]
    nearly("rows and dense", y, dense, t.share)


def sliced(t: Trial) -> None:
    """In slices of a sample or two, and in bands of a few rows, it is what it is whole."""
    f = t.f
    y = f(t.x, None, t.key)[0]
    with forced(slices, "BLOCK_BYTES", 2000), forced(bands, "CACHED", 128):
        nearly("in slices", f(t.x, None, t.key)[0], y, t.share)


def compiles(t: Trial) -> None:
    """Of a share of the cases: in one graph, as eager."""
    if int(t.key[-1]) % COMPILED or sum(1 for _ in t.program.ops()) > FEW:
        return
    f = t.f
    torch.compiler.reset()
    compiled = torch.compile(f, fullgraph=True, backend="eager")
    (y, drawn), (eager, params) = compiled(t.x, None, t.key), f(t.x, None, t.key)
    agree("draws of the compiled", drawn, params)
    nearly("compiled and eager", y, eager, t.share)


def together(t: Trial) -> None:
    """A visible keypoint lies in the frame, and so does a valid box."""
    y = t.f(t.x, None, t.key)[0]
    frame = frame_of(y, t.ndim)
    size = torch.tensor(frame[::-1], dtype=torch.float64)
    for name, value in entries(y):
        if isinstance(value, Keypoints):
            xy = value.xy.double()
            inside = ((xy >= -0.501) & (xy < size - 0.499)).all(-1)
            claim((inside | ~value.visible.bool()).all(), f"{name}: a visible point lies outside of {frame}")
        if isinstance(value, Boxes) and not value.turned:
            low, high = value.xyxy(frame).double().chunk(2, -1)
            inside = ((low >= -1e-2) & (high <= size + 1e-2) & (low <= high + 1e-2)).all(-1)
            claim((inside | ~value.valid).all(), f"{name}: a valid box lies outside of {frame}")


def differentiable(t: Trial) -> None:
    """Gradients to the image and to every leaf of the params are finite."""
    name, image = next((n, v) for n, v in entries(t.x) if n in ("image", "video", "volume"))
    if image.dtype not in (torch.float32, torch.float64):
        return
    f, x = t.f, image.detach().clone().requires_grad_()
    drawn = f(t.x, None, t.key)[1]
    params = tree_map_only(Tensor, lambda p: p.detach().clone().requires_grad_(), drawn)
    y = f(x if isinstance(t.x, Tensor) else {**t.x, name: x}, params)[0]
    out = dict(entries(y))[name]
    if not out.requires_grad:
        return
    leaves = leaves_of(params)
    grads = torch.autograd.grad(out.square().mean(), [x, *leaves.values()], allow_unused=True)
    for path, g in zip([name, *leaves], grads, strict=True):
        claim(g is None or g.isfinite().all(), f"the gradient to {path} is not finite")


LAWS: tuple[Callable[[Trial], None], ...] = (
    shapes,
    finite,
    replays,
    pure,
    independent,
    rests,
    fuses,
    rows,
    sliced,
    together,
    differentiable,
    compiles,
)


def entries(x: Any) -> Iterator[tuple[str, Any]]:
    return iter(x.items()) if isinstance(x, dict) else iter([("volume" if x.ndim > 9 else "image", x)])


def count(p: Any, of: Callable[[str], bool]) -> int:
    """How many steps of a program are such, at most."""
    if isinstance(p, Group):
        return sum(count(s, of) for s in p.steps) * (p.settings["n"] if p.kind == "repeat" else 1)
    return int(of(p.name))


def reads(name: str) -> bool:
    """True of an op that reads between pixels."""
    return SPECS[name].kind == "geometric" and name not in EXACT


def jumps(name: str) -> bool:
    """True of a step function."""
    return "grad" in SPECS[name].static


def hides(name: str) -> bool:
    return SPECS[name].kind == "occlusion"


def modes(p: Any) -> set[str]:
    """How its steps are told to read."""
    own = p.settings if isinstance(p, Group) else p.keywords
    inner = (modes(s) for s in p.steps) if isinstance(p, Group) else ()
    return {str(own.get("interpolation"))}.union(*inner)


def without(x: Any, names: tuple[str, ...]) -> Any:
    """Less the targets of these names or kinds."""
    return {n: v for n, v in x.items() if not {n, kind_of(n, {})} & set(names)} if isinstance(x, dict) else x


def part(tree: Any, i: int) -> Any:
    return tree_map_only(Tensor, lambda v: v[i], tree)


def own_rows(mixed: Any, before: Any, batch: int) -> Any:
    """Of the rows of several samples those of the own one; the partners', where that can be said, must not count."""
    leaves, (old, spec) = tree_leaves(mixed), tree_flatten(before)
    counted = mixed.valid if isinstance(mixed, Boxes) else mixed.visible if isinstance(mixed, Keypoints) else None
    claim(counted is None or not counted[..., old[0].shape[batch] :].any(), "p = 0 brought rows of a partner")
    return tree_unflatten([new.narrow(batch, 0, o.shape[batch]) for new, o in zip(leaves, old, strict=True)], spec)


def keeps_frame(t: Trial, f: Augmentation) -> bool:
    size, params = frame_of(t.x, t.ndim), f(t.x, None, t.key)[1]
    return all(a.size(size) == size for a in f.planned(params, size))


def nearly(what: str, given: Any, wanted: Any, share: float) -> None:
    """Trees of the same shape, with values that agree up to rounding, but for a small share of jumps."""
    for (name, a), (_, b) in zip(entries(given), entries(wanted), strict=True):
        for left, right in zip(tree_leaves(a), tree_leaves(b), strict=True):
            claim(left.shape == right.shape, f"{what}, {name}: shapes {list(left.shape)} and {list(right.shape)}")
            far = (left.double() - right.double()).abs()
            allowed = TOLERANCE.get(left.dtype, 0.0) * (1 + right.double().abs())
            off = ~(far <= allowed)
            few = max(1, share * off.numel()) if off.numel() > 64 else 0
            claim(off.sum() <= few, f"{what}, {name}: {int(off.sum())} of {off.numel()} differ, by {far.max():.3g}")

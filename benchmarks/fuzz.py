"""Random pipelines against the laws that hold for any pipeline.

    python -m benchmarks.fuzz [--cases 2000] [--seed 0] [--ops 60] [--only NAME ...]

A case is a seed: it names the sample (image, mask, boxes, keypoints, depth, video, ...), the program (ops in random
order and nesting) and the key, as long as the registry stays the same. A case that breaks a law is cut down to as few
steps as still break it, and printed as code; `--seed N --cases 1` runs it again. The exit status is 1 if any case
failed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map_only, tree_unflatten

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.core.draw import leaves_of
from augfn.core.spec import SPECS
from augfn.core.targets import Boxes, Keypoints, kind_of
from augfn.testing.case import agree, claim, snapshot
from benchmarks.fuzz_programs import Group, Maker, Op, batch_of, frame_of, some_sample

# Two ways to the same result may round differently, and a step function (solarize, equalize, nearest) turns that into
# a jump: so a small share of an image's or a mask's values may differ by more.
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.1}
SHARE = 0.005


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
    def batch(self) -> tuple[int, ...]:
        return batch_of(self.x, self.ndim)


class Broken(AssertionError):
    """A law that does not hold; `kind` tells one way of failing from another."""

    def __init__(self, law: str, error: Exception) -> None:
        word = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        super().__init__(f"{law}: {word}{error}")
        self.kind = (law, type(error), str(error).split(".\n")[0] if "do this:" in str(error) else "")


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
        nearly(f"sample {i} alone", alone, part(y, i))
    mapped, drawn = vmap(lambda x, k: f(x, None, k))(t.x, keys)
    agree("draws under vmap", drawn, params)
    nearly("under vmap", mapped, y)


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
    """Where only colours change, fusing changes nothing but rounding."""
    if any(SPECS[op.name].kind not in ("photometric", "filter", "noise") for op in t.program.ops()):
        return
    fused, literal = (t.program.build(fuse=fuse)(t.x, None, t.key)[0] for fuse in (True, False))
    nearly("fuse=True and fuse=False", fused, literal)


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
    together,
    differentiable,
)


def entries(x: Any) -> Iterator[tuple[str, Any]]:
    return iter(x.items()) if isinstance(x, dict) else iter([("volume" if x.ndim > 9 else "image", x)])


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


def nearly(what: str, given: Any, wanted: Any) -> None:
    """Trees of the same shape, with values that agree up to rounding, but for a small share of jumps."""
    for (name, a), (_, b) in zip(entries(given), entries(wanted), strict=True):
        for left, right in zip(tree_leaves(a), tree_leaves(b), strict=True):
            claim(left.shape == right.shape, f"{what}, {name}: shapes {list(left.shape)} and {list(right.shape)}")
            far = (left.double() - right.double()).abs()
            allowed = TOLERANCE.get(left.dtype, 0.0) * (1 + right.double().abs())
            off = ~(far <= allowed)
            few = max(1, SHARE * off.numel()) if off.numel() > 64 else 0
            claim(off.sum() <= few, f"{what}, {name}: {int(off.sum())} of {off.numel()} differ, by {far.max():.3g}")


# cases


def trial(r: Random, ops: int, only: tuple[str, ...] = ()) -> tuple[Trial, Maker]:
    """Everything of a case, from one source of choices."""
    x, ndim = some_sample(r)
    maker = Maker(r, x, ndim, only)
    program = maker.program(min(ops, r.choice((1, 2, 3, 5, 8, 12, 20, 40, 60))))
    return Trial(program, x, ndim, af.key(r.randint(0, 2**31 - 1))), maker


def examine(t: Trial) -> None:
    """Try every law; raises Broken for the first that does not hold."""
    for law in LAWS:
        try:
            law(t)
        except Exception as error:
            raise Broken(law.__name__, error) from error


def broken(t: Trial) -> Broken | None:
    try:
        examine(t)
    except Broken as error:
        return error
    return None


def shrunk(t: Trial, error: Broken, budget: int = 400) -> Trial:
    """The smallest trial found that still fails in the same way."""
    progress = True
    while progress and budget > 0:
        progress = False
        for smaller in simpler(t):
            budget -= 1
            found = broken(smaller) if budget >= 0 else None
            if found and found.kind == error.kind:
                t, progress = smaller, True
                break
    return t


def simpler(t: Trial) -> Iterator[Trial]:
    """The trial with one thing less: a step, a level of nesting, a target, the batch, a keyword."""
    for program in cuts(t.program):
        if isinstance(program, Group) and program.kind == "pipeline":
            yield replace(t, program=program)
    if isinstance(t.x, dict):
        for name in t.x:
            rest = {n: v for n, v in t.x.items() if n != name}
            if {"image", "volume", "video"} & rest.keys():
                yield replace(t, x=rest)
    if len(t.batch) > 1:
        yield replace(t, x=part(t.x, 0))


def cuts(p: Any) -> Iterator[Any]:
    if isinstance(p, Op):
        yield from (replace(p, keywords={k: v for k, v in p.keywords.items() if k != n}) for n in p.keywords)
        return
    half = len(p.steps) // 2
    for keep in (p.steps[:half], p.steps[half:]) if half > 1 else ():
        yield replace(p, steps=keep)
    for i, step in enumerate(p.steps):
        if len(p.steps) > 1:
            yield replace(p, steps=p.steps[:i] + p.steps[i + 1 :])
        inner = step.steps if isinstance(step, Group) else ()
        for new in [*inner, *cuts(step)]:
            yield replace(p, steps=(*p.steps[:i], new, *p.steps[i + 1 :]))
    if p.kind == "pipeline":
        yield from (replace(p, settings={k: v for k, v in p.settings.items() if k != n}) for n in p.settings)


def report(case: str, t: Trial, error: Broken) -> str:
    """What a reader needs to see it again."""
    given = {n: describe(v) for n, v in entries(t.x)}
    return f"{case}: {error}\n  f = {t.program.code()}\n  x: {given}\n  key: {t.key.tolist()}"


def describe(value: Any) -> str:
    first = tree_leaves(value)[0]
    return f"{type(value).__name__} {str(first.dtype).removeprefix('torch.')} {list(first.shape)}"


# the command


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--cases", type=int, default=2000, help="how many cases")
    parser.add_argument("--seed", type=int, default=0, help="the first case; the others count up from it")
    parser.add_argument("--ops", type=int, default=60, help="most ops in a program")
    parser.add_argument("--only", nargs="*", default=(), choices=sorted(SPECS), metavar="NAME", help="ops to use")
    parser.add_argument("--failures", type=int, default=10, help="stop after so many")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    from tqdm import tqdm

    options = parse(arguments)
    torch.set_num_threads(1)  # the tensors are tiny
    used, refused, groups, failed = Counter(), Counter(), Counter(), 0
    for seed in tqdm(range(options.seed, options.seed + options.cases), desc="cases", mininterval=1):
        t, maker = trial(Random(seed), options.ops, tuple(options.only))
        used.update(op.name for op in t.program.ops())
        groups.update(t.program.groups())
        refused.update(maker.refused)
        if error := broken(t):
            failed += 1
            small = shrunk(t, error)
            tqdm.write(report(f"seed {seed}", small, broken(small) or error))
        if failed >= options.failures:
            break
    print(summary(options, used, refused, groups, failed))
    return 1 if failed else 0


def summary(options: Any, used: Counter, refused: Counter, groups: Counter, failed: int) -> str:
    never = sorted(set(options.only or SPECS) - set(used))
    least = ", ".join(f"{n} {k}" for n, k in used.most_common()[:-6:-1])
    lines = [
        f"{options.cases} cases from seed {options.seed}: {failed} failed",
        f"{sum(used.values())} ops of {len(used)} names; least often: {least}; never: {', '.join(never) or 'none'}",
        f"combinators: {', '.join(f'{n} {k}' for n, k in groups.most_common())}",
        f"refused most often: {', '.join(f'{n} {k}' for n, k in refused.most_common(5))}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Leaves over time: a clip with them is run as a batch of its frames, of which those of a clip share all other draws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from augfn.core.actions import Action, Deferred, Mixing, each_of
from augfn.core.clips import is_of_frames
from augfn.core.draw import Params, draw, leaves_of, nested
from augfn.core.rules import check_channels
from augfn.core.targets import Sample, read
from augfn.distributions.paths import Knots
from augfn.errors import explain
from augfn.run.call import mode_of
from augfn.run.host import home_of
from augfn.typing import Leaf

GOLDEN = 0.6180339887498949  # multiples of it, modulo 1, are spread evenly: seeds of the frames of a clip
WHOLE = ("label",)  # what belongs to a clip and is not changed frame by frame


def is_timed(leaf: Any, meaning: Leaf, sample: Sample) -> bool:
    """True of a path, and of values for each frame `[*b, T, *shape]`."""
    if isinstance(leaf, Knots):
        return True
    if not isinstance(leaf, Tensor) or sample.frames is None:
        return False
    lead = tuple(leaf.shape[: leaf.ndim - meaning.rank])
    return len(lead) == len(sample.batch) + 1 and lead[-1] == sample.frames


def has_paths(f: Any, tree: Params, sample: Sample) -> bool:
    """True if a leaf of the tree is over time."""
    return any(is_timed(leaf, f.meanings[path], sample) for path, leaf in leaves_of(tree).items())


def over_time(f: Any, sample: Sample, tree: Params, generator: Any) -> tuple[Any, Params]:
    """The call of an augmentation with leaves over time."""
    drawn = drawn_over(f, sample, tree, generator)
    clip, spread = framed(f, sample, drawn)
    context, way = mode_of(f, clip, leaves_of(tree))
    with context:
        actions = f.actions(spread, clip, tree)
        check_channels(actions, clip)
        check_frames(actions)
        return outcome(way(actions, clip), sample), drawn


def check_frames(actions: list[Action]) -> None:
    """Raises where a step looks at more than its frame."""
    for a in each_of(actions):
        seeing = isinstance(a, Deferred) and not a.retimes  # what chooses frames says so itself
        if seeing or isinstance(a, Mixing):
            given = f"{a.name}, which looks at the {a.needs[0]}" if isinstance(a, Deferred) else "a step that mixes"
            want, fix = "steps that know one frame", "two pipelines: one with the paths, one with that step"
            raise ValueError(explain("a path over time (af.Knots) runs a clip frame by frame", given, want, fix))


def drawn_for(f: Any, sample: Sample, tree: Params, generator: Any) -> Params:
    """The params of a call, those over time with a value for each frame."""
    if has_paths(f, tree, sample):
        return drawn_over(f, sample, tree, generator)
    leaves = leaves_of(tree)
    home = home_of(leaves, sample.device, generator)
    return draw(tree, leaves, f.sized(sample, leaves), f.salts, sample.batch, generator, home)


def drawn_over(f: Any, sample: Sample, tree: Params, generator: Any) -> Params:
    """The params of a call with leaves over time."""
    frames, leaves = sample.frames, leaves_of(tree)
    if frames is None:
        want = 'a dict with a "video" [*batch, T, C, H, W]'
        given = [path for path, leaf in leaves.items() if isinstance(leaf, Knots)]
        raise ValueError(explain("a path over time needs a clip", given, want, 'f({"video": clip}, None, key)'))
    meanings = f.sized(sample, leaves)
    home = home_of(leaves, sample.device, generator)
    known = {n: d.over(frames, len(meanings[n].shape)) if isinstance(d, Knots) else d for n, d in leaves.items()}
    return draw(nested(tree, iter(known.values())), known, meanings, f.salts, sample.batch, generator, home, frames)


def framed(f: Any, sample: Sample, drawn: Params) -> tuple[Sample, Params]:
    """The sample as a batch of its frames, and the params of each of them."""
    each = [in_frames(v, f.meanings[n], len(sample.batch), sample.frames) for n, v in leaves_of(drawn).items()]
    return by_frame(f, sample), nested(drawn, iter(each))


def in_frames(value: Tensor, meaning: Leaf, b: int, frames: Any) -> Tensor:
    """A value `[*b, *shape]` for every frame; one over time as it is. Seeds differ from frame to frame, as a sensor's do."""
    if value.ndim > b + meaning.rank:
        return value
    spread = value.unsqueeze(b).expand(*value.shape[:b], frames, *value.shape[b:])
    if not meaning.each_frame:
        return spread
    steps = torch.arange(frames, dtype=value.dtype, device=value.device).reshape(-1, *[1] * meaning.rank)
    return (spread + steps * GOLDEN) % 1


def by_frame(f: Any, sample: Sample) -> Sample:
    """The sample as a batch of frames."""
    kinds = {n: t.kind for n, t in sample.targets.items()}
    still, b = "image" if len(sample.size) == 2 else "volume", len(sample.batch)

    def repeat(x: Tensor) -> Tensor:
        return x.unsqueeze(b).expand(*x.shape[:b], sample.frames or 0, *x.shape[b:])

    given = sample.output()
    for name, t in sample.targets.items():
        if t.kind not in WHOLE and not is_of_frames(name, t, sample):  # given once, and another one in each frame then
            given[name] = tree_map_only(Tensor, repeat, given[name])
    given = {n: given[n] for n in kinds}
    targets = {n: still if k == "video" else "other" if k in WHOLE else k for n, k in kinds.items()}
    frames = read(given, len(sample.size), targets, True, f.takes_integers)
    return replace(frames, clip=True)


def outcome(done: Sample, before: Sample) -> Any:
    """What comes out, with what only passed through."""
    values = done.output()
    return {n: before.others[n] if n in before.others else values[n] for n in before.names or values}

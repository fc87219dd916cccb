"""Random programs for the fuzzer: a tree of ops and combinators, and a sample that fits it.

A program is data (`Op`, `Group`), so that it can be printed as code, built twice, and cut down. All choices come from
one `random.Random`, the ops from the registry: an op is tried on the running sample first, and is left out where it
refuses it with an error that explains (a crop of a frame that is too small, three channels wanted, ...).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

import augfn as af
from augfn.core.augmentation import Augmentation, build
from augfn.core.spec import SPECS, Spec
from augfn.run import rows
from benchmarks.registry import default_keywords, required

GROUPS = ("pipeline", "maybe", "one_of", "some_of", "repeat")
CHOICES = ("maybe", "one_of", "some_of")
BATCHES = ((), (1,), (3,), (2, 2))
DTYPES = (torch.float32, torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16)
BRIGHTEST = 50.0  # beyond, a step more may overflow half precision
SIDES = (5, 40)  # least and largest side of a frame
KEYWORDS: dict[str, tuple[Any, ...]] = {
    "clip": ("none", "clamp", "ste"),
    "grad": ("none", "ste", "soft"),
    "interpolation": ("bilinear", "nearest", "bicubic"),
    "padding_mode": ("zeros", "border", "reflection", "symmetric"),
    "fill": (0.5, 1.0),
    "fill_mask": (1.0, 3.0),
    "antialias": (True, False),
}


@contextmanager
def forced(module: Any, name: str, value: Any) -> Iterator[None]:
    """A constant of a module with another value."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


@dataclass(frozen=True)
class Op:
    """One op with its keywords."""

    name: str
    keywords: dict[str, Any]

    def build(self) -> Augmentation:
        return build(SPECS[self.name], self.keywords)

    def code(self) -> str:
        return f"af.{self.name}({', '.join(f'{k}={v!r}' for k, v in self.keywords.items())})"

    def ops(self) -> Iterator[Op]:
        yield self

    def groups(self) -> Iterator[str]:
        yield from ()


@dataclass(frozen=True)
class Group:
    """A combinator, its steps and its settings (`p`, `n`, `weights`, keywords of a pipeline)."""

    kind: str
    steps: tuple[Program, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def build(self, **more: Any) -> Augmentation:
        steps, given = [s.build() for s in self.steps], {**self.settings, **more}
        if self.kind == "some_of":
            return af.some_of(given["n"], *steps)
        return getattr(af, self.kind)(*steps, **given)

    def code(self) -> str:
        steps, given = [s.code() for s in self.steps], dict(self.settings)
        first = [repr(given.pop("n"))] if self.kind == "some_of" else []
        return f"af.{self.kind}({', '.join([*first, *steps, *(f'{k}={v!r}' for k, v in given.items())])})"

    def ops(self) -> Iterator[Op]:
        for step in self.steps:
            yield from step.ops()

    def groups(self) -> Iterator[str]:
        yield self.kind
        for step in self.steps:
            yield from step.groups()


Program = Op | Group


# samples


def some_sample(r: Random) -> tuple[Any, int]:
    """A photo-like image, a dict of targets around it, or a volume, and its spatial dims; any batch shape and floating
    dtype."""
    batch, dtype = r.choice(BATCHES), r.choice(DTYPES)
    channels, frame = r.choice((3, 3, 3, 1, 4)), (r.randint(9, 24), r.randint(9, 24))
    g = torch.Generator().manual_seed(r.randint(0, 2**31 - 1))
    deep = r.random() < 0.12
    if deep:
        frame = (r.randint(5, 8), *(min(n, 12) for n in frame))
    image = some_pixels(r, (*batch, channels, *frame), len(frame), g).to(dtype)
    if r.random() < 0.25:
        return image, len(frame)
    found = {"volume" if deep else "image": image} | more_targets(r, g, batch, frame, dtype)
    if not deep:
        found |= flat_targets(r, g, batch, channels, frame, dtype)
        if "video" in found and r.random() < 0.3:
            del found["image"]
    return found, len(frame)


def some_pixels(r: Random, shape: tuple[int, ...], d: int, g: torch.Generator) -> Tensor:
    """Mostly a photo; at times what divisions, roots and histograms trip over, or memory that is not in order."""
    x = photo_like(shape, d, g)
    kind = r.choice(("photo", "photo", "photo", "photo", "flat", "grey", "wide", "strided"))
    if kind == "flat":
        return torch.full(shape, r.choice((0.0, 0.5, 1.0)))
    if kind == "grey":
        return x.mean(-d - 1, keepdim=True).expand(shape).clone()
    if kind == "wide":
        return 2 * x - 0.5
    return x.transpose(-1, -2).contiguous().transpose(-1, -2) if kind == "strided" else x


def photo_like(shape: tuple[int, ...], d: int, g: torch.Generator) -> Tensor:
    """Smooth shapes with some pixels at the ends of [0, 1], as photos have."""
    coarse = torch.rand((1, math.prod(shape[:-d]), *(3,) * d), generator=g)
    mode = "bilinear" if d == 2 else "trilinear"
    x = torch.nn.functional.interpolate(coarse, shape[-d:], mode=mode, align_corners=True)
    return (1.3 * x.reshape(shape) - 0.15).clamp(0, 1)


def more_targets(r: Random, g: torch.Generator, batch: Any, frame: Any, dtype: torch.dtype) -> dict[str, Any]:
    """A mask, boxes and keypoints inside the frame."""
    found: dict[str, Any] = {}
    d, size = len(frame), torch.tensor(frame[::-1], dtype=torch.float32)
    wide = dtype if dtype in (torch.float32, torch.float64) else torch.float32
    if r.random() < 0.5:
        shape = (*batch, *((r.randint(1, 2),) if r.random() < 0.3 else ()), *frame)
        mask = torch.randint(0, 4, shape, generator=g)
        found["mask"] = mask.to(r.choice((torch.int64, torch.uint8, torch.float32))) if r.random() < 0.9 else mask > 1
    if r.random() < 0.5:
        found["boxes"] = some_boxes(r, g, batch, size.to(wide))
    if r.random() < 0.5:
        xy = (torch.rand((*batch, 4, d), generator=g) * size - 0.5).to(wide)
        swap = ((0, 1), (2, 3)) if r.random() < 0.3 else ()
        found["keypoints"] = af.Keypoints(xy, swap=swap) if r.random() < 0.8 else xy
    return found


def some_boxes(r: Random, g: torch.Generator, batch: Any, size: Tensor) -> Any:
    """Three boxes for each sample, upright ones inside the frame, in any format."""
    d, frame = len(size), tuple(int(n) for n in reversed(size.tolist()))
    low, high = torch.rand((2, *batch, 3, d), generator=g).sort(0).values.to(size).unbind()
    high = ((low + high) / 2 + 0.02).clamp(max=1)
    format = r.choice(("xyxy", "xyxy", "xywh", "cxcywh", "yolo", "xyxyn", *(("cxcywhr", "xyxyxyxy") if d == 2 else ())))
    visibility, side = r.choice((0.0, 0.3)), r.choice((0.0, 1.0))
    labels = torch.randint(0, 9, (*batch, 3), generator=g) if r.random() < 0.3 else None
    low, high = low * size, high * size
    if format == "cxcywhr":
        angle = torch.rand((*batch, 3, 1), generator=g).to(size) * 170 - 85
        data = torch.cat([(low + high) / 2, high - low, angle], -1)
    elif format == "xyxyxyxy":
        data = torch.cat([low, high[..., :1], low[..., 1:], high, low[..., :1], high[..., 1:]], -1)
    else:
        start = af.Boxes(torch.cat([low, high], -1), format)
        data = start.like(start.data, start.valid, frame).data
    boxes = af.Boxes(data, format, min_visibility=visibility, min_size=side, labels=labels)
    return boxes.data if format == "xyxy" and r.random() < 0.4 else boxes


def flat_targets(
    r: Random, g: torch.Generator, batch: Any, channels: int, frame: Any, dtype: torch.dtype
) -> dict[str, Any]:
    """What only the flat world has: depth, video, intrinsics; and labels."""
    found: dict[str, Any] = {}
    if r.random() < 0.3:
        found["depth"] = 1 + torch.rand((*batch, 1, *frame), generator=g).to(dtype)
    if r.random() < 0.3:
        found["video"] = photo_like((*batch, 2, channels, *frame), 2, g).to(dtype)
    if r.random() < 0.2:
        near = torch.tensor([[20.0, 0.0, 8.0], [0.0, 21.0, 7.0], [0.0, 0.0, 1.0]])
        found["intrinsics"] = near.expand(*batch, 3, 3).clone()
    if r.random() < 0.3:
        found["label"] = torch.rand((*batch, 5), generator=g)
    return found


# programs


class Refused(Exception):
    """An op does not fit the sample, and says so."""


class Maker:
    """Grows a program step by step along a running sample."""

    def __init__(self, r: Random, sample: Any, ndim: int, only: tuple[str, ...] = ()) -> None:
        self.r, self.sample, self.start, self.ndim = r, sample, sample, ndim
        self.refused: Counter[str] = Counter()
        self.names = [n for n in only or sorted(SPECS) if fits_world(SPECS[n], ndim)]
        self.mixed = self.crashed = False

    def program(self, most: int) -> Group:
        """A pipeline of about `most` ops; in three dimensions it starts with an op that says so."""
        steps: list[Program] = [self.deep_op()] if self.ndim == 3 else []
        while not self.crashed and sum(1 for s in steps for _ in s.ops()) < most:
            step = self.step(most - len(steps), depth=0, choice=False)
            if step is None:
                break
            steps.append(step)
        names = ("interpolation", self.r.choice(("padding_mode", "fill")), "antialias")
        keywords = some_keywords(self.r, names, 0.1)
        keywords |= {"fuse": False} if self.r.random() < 0.15 else {}
        self.sample = self.start
        try:
            return self.accepted(Group("pipeline", tuple(steps), keywords), choice=False)
        except Refused:  # bicubic for a volume, say
            return Group("pipeline", tuple(steps))

    def deep_op(self) -> Op:
        return self.accepted(Op("hflip3d", {"p": 0.5}), choice=False)

    def step(self, most: int, depth: int, choice: bool) -> Program | None:
        """An op or a combinator that the running sample accepts; None where nothing was found."""
        for _ in range(20):
            try:
                if depth < 3 and most >= 2 and self.r.random() < 0.3:
                    return self.group(min(most, 8), depth + 1, choice)
                return self.accepted(self.some_op(choice), choice)
            except Refused:
                continue
        return None

    def group(self, most: int, depth: int, choice: bool) -> Group:
        kind = self.r.choice(GROUPS)
        inside = choice or kind in CHOICES
        count = 1 if kind in ("maybe", "repeat") else self.r.randint(1 if kind == "pipeline" else 2, 4)
        before, mixed = self.sample, self.mixed
        found = [self.step(max(1, most // count), depth, inside or kind == "repeat") for _ in range(count)]
        steps = tuple(s for s in found if s is not None)
        self.sample = before
        if not steps or (kind == "repeat" and self.mixed != mixed):
            self.mixed = mixed
            raise Refused(kind)
        return self.accepted(Group(kind, steps, self.settings(kind, len(steps))), choice)

    def settings(self, kind: str, count: int) -> dict[str, Any]:
        if kind == "maybe":
            return {"p": self.r.choice((0.3, 0.5, 0.8))}
        if kind == "repeat":
            return {"n": self.r.randint(1, 3)}
        if kind == "some_of":
            low = self.r.randint(0, count)
            return {"n": self.r.choice((low, (low, count)))}
        if kind == "one_of" and self.r.random() < 0.4:
            return {"weights": [float(self.r.randint(1, 4)) for _ in range(count)]}
        return {}

    def some_op(self, choice: bool) -> Op:
        name = self.r.choice(self.names)
        spec = SPECS[name]
        if spec.kind == "mix" and (self.mixed or not self.batch()):
            raise Refused(name)
        start = spec.example if self.r.random() < 0.5 else default_keywords(spec)
        keywords = {**start, **self.static(spec)}
        if self.r.random() < 0.3:
            keywords["p"] = self.r.choice((0.0, 0.5, 0.7, 1.0))
        keywords |= some_keywords(self.r, (*spec.common, *(n for n in spec.static if n in ("grad", "clip"))), 0.15)
        if "channels" in spec.common and self.channels() >= 3 and self.r.random() < (0.7 if self.channels() > 3 else 0):
            keywords["channels"] = (0, 1, 2) if self.r.random() < 0.7 else (2, 0, 1)
        return Op(name, keywords)

    def static(self, spec: Spec) -> dict[str, Any]:
        """A size about that of the running frame; the rest as in the op's example."""
        frame = self.frame()
        if "size" not in required(spec) or self.ndim != 2:
            return {}
        return {"size": tuple(self.r.randint(min(6, n), n + 3) for n in frame)}

    def accepted(self, step: Any, choice: bool) -> Any:
        """The step, and the running sample after it; Refused where the sample does not suit it.

        Any other error is a finding: the step is kept for the laws to break on, and nothing is added to it.
        """
        try:
            f = step.build() if self.ndim == 2 else af.pipeline(af.hflip3d(p=0.0), step.build())
            with forced(rows, "DENSE", True):  # what no sample meets is not refused
                after = f(self.sample, None, af.key(self.r.randint(0, 999)))[0]
        except Exception as error:
            if "do this:" not in str(error):
                self.crashed = True
                return step
            self.refused[step.kind if isinstance(step, Group) else step.name] += 1
            raise Refused(str(error)) from error
        if choice and frame_of(after, self.ndim) != self.frame():
            raise Refused("the frame changes inside a choice")
        sides = frame_of(after, self.ndim)
        if largest(after) > BRIGHTEST or min(sides) < SIDES[0] or max(sides) > SIDES[1]:
            raise Refused("values or frame out of bounds")
        self.sample, self.mixed = after, self.mixed or f.mixes
        return step

    def frame(self) -> tuple[int, ...]:
        return frame_of(self.sample, self.ndim)

    def channels(self) -> int:
        return main_target(self.sample).shape[-self.ndim - 1]

    def batch(self) -> tuple[int, ...]:
        return batch_of(self.sample, self.ndim)


def fits_world(spec: Spec, ndim: int) -> bool:
    flat = spec.kind in ("geometric", "occlusion")
    return spec.ndim == ndim if flat or spec.ndim == 3 else True


def main_target(sample: Any) -> Tensor:
    if isinstance(sample, Tensor):
        return sample
    return next(sample[n] for n in ("image", "volume", "video") if n in sample)


def frame_of(sample: Any, ndim: int) -> tuple[int, ...]:
    return tuple(main_target(sample).shape[-ndim:])


def batch_of(sample: Any, ndim: int) -> tuple[int, ...]:
    video = isinstance(sample, dict) and not {"image", "volume"} & sample.keys()
    return tuple(main_target(sample).shape[: -ndim - 1 - video])


def largest(sample: Any) -> float:
    return max((float(t.abs().max()) for t in tree_leaves(main_target(sample)) if t.numel()), default=0.0)


def some_keywords(r: Random, names: tuple[str, ...], chance: float) -> dict[str, Any]:
    return {n: r.choice(KEYWORDS[n]) for n in names if n in KEYWORDS and r.random() < chance}

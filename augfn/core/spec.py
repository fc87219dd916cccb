"""Specs: what a body's signature says, the keywords of its factory, and what the factory shows."""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Integral, Real
from pickle import PicklingError
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map_only

from augfn.distributions import Bernoulli, Constant, Distribution, Uniform
from augfn.distributions.paths import Knots
from augfn.errors import explain, unknown
from augfn.math.resample import Sampling
from augfn.typing import CHANNEL_GATE, Leaf, Seed, SortKey

SAMPLING = ("interpolation", "padding_mode", "fill", "fill_mask", "antialias")
COMMON = {
    "geometric": ("p", *SAMPLING),
    "photometric": ("p", "clip", "channels", "per_channel", "p_channel"),
    "filter": ("p", "clip", "channels", "per_channel", "p_channel"),
    "noise": ("p", "clip", "channels", "per_channel", "p_channel"),
    "occlusion": ("p", "fill", "fill_mask"),
    "mix": ("p",),
    "temporal": ("p",),
}
OF_MIXES: dict[str, Any] = {"num_classes": None, "partners": "next"}  # settings of all that mix
PARTNER = Leaf("number of the sample that is the partner", low=0.0, flat="a number of a sample", index=True)
SEEN = ("mask", "boxes", "instances")  # targets that a body may ask to see
CLIPS = ("none", "clamp", "ste")
PLAIN_TYPES: dict[Any, tuple[type, str]] = {
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    str: (str, "a string"),
    bool: (bool, "True or False"),
}


@dataclass(frozen=True, eq=False)
class Spec:
    """What a body's signature says: its kind, its leaves with their ranges, its static keywords, what it wants to
    see."""

    name: str
    kind: str
    body: Callable[..., Any]
    leaves: dict[str, Leaf]
    defaults: dict[str, Any]
    static: dict[str, Any]
    types: dict[str, Any]
    wants: tuple[str, ...]  # of the frame and other targets
    may_lack: tuple[str, ...]  # those of them that a sample need not have
    ndim: int
    example: dict[str, Any] = field(default_factory=dict)
    sampling: Sampling = Sampling()
    clip: str = "none"
    requires_rgb: bool = False
    field_channels: int | None = None  # of the field of noise; None: those of the image
    fields: int = 1  # of them, one after the other along its channels
    single_pass: bool = False  # it reads and writes the image once
    convolves: bool = False  # it is one call of a library's kernel
    pointwise: bool = False  # what it makes of a pixel depends on that pixel alone
    planar: bool = False  # of a volume it sees the slices as images
    across: bool = False  # what it makes of a channel depends on the others
    unless: str = ""  # a setting under which it is neither pointwise nor clipped by default
    flow: bool = False  # frames that follow each other still do
    target: str = "image"  # of what it changes the values: the image and its like, or "depth"

    @property
    def common(self) -> tuple[str, ...]:
        """The keywords of its kind; what the body itself takes is its own affair."""
        return tuple(n for n in COMMON[self.kind] if n not in self.static)

    @property
    def home(self) -> tuple[str, str]:
        """Where it is found again: an op of augfn by its name, another as Python finds a function."""
        module = self.body.__module__
        return ("augfn", self.name) if module.startswith("augfn.ops.") else (module, self.body.__qualname__)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.home[0] == "augfn":
            return own_spec, (self.name,)
        try:
            found = spec_at(*self.home)
        except (ImportError, AttributeError):
            found = None
        if found is not self:
            given, want = ".".join(self.home), "an op that its module has under its own name"
            fix = f"decorate {self.name} at the top of a module, once"
            raise PicklingError(explain(f"{self.name} cannot be pickled", given, want, fix))
        return spec_at, self.home

    def __deepcopy__(self, memo: Any) -> Spec:
        return self


SPECS: dict[str, Spec] = {}  # the ops of augfn; those of others are found where they are defined
OF_CLIPS: dict[str, Spec] = {}  # those that choose frames, and take clips alone


def register(spec: Spec) -> None:
    """An op of augfn under its name, which no other has."""
    where, name = spec.home
    if where != "augfn":
        return
    known = SPECS.get(name) or OF_CLIPS.get(name)
    if known and known.body.__module__ != spec.body.__module__:
        given, want = f"{spec.body.__module__}.{name}", f"another name than that of {known.body.__module__}.{name}"
        raise ValueError(explain("two ops of one name", given, want, "rename one"))
    (OF_CLIPS if spec.kind == "temporal" else SPECS)[name] = spec


def own_spec(name: str) -> Spec:
    """The spec of an op of augfn."""
    known = SPECS | OF_CLIPS
    if name not in known:
        raise ValueError(unknown("op", name, known))
    return known[name]


def spec_at(module: str, name: str) -> Spec:
    """The spec of a factory of others."""
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found.spec


def leaf_of(annotation: Any) -> Leaf | None:
    """The Leaf in an annotation such as `Degrees` or `Degrees | None`."""
    for part in (annotation, *get_args(annotation)):
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, Leaf):
                return meta
    return None


def spec_of(
    body: Callable[..., Any], kind: str, ndim: int, example: dict[str, Any], sampling: Sampling, partners: int = 1
) -> Spec:
    parameters = inspect.signature(body, eval_str=True).parameters
    hints = {n: p.annotation for n, p in parameters.items() if p.annotation is not p.empty}
    named = {n: p for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    leaves = {n: leaf for n in named if (leaf := leaf_of(hints.get(n)))}
    defaults = {n: named[n].default for n in leaves}
    if kind == "noise":
        leaves["seed"] = leaf_of(Seed)  # type: ignore[assignment]
        defaults["seed"] = Uniform(0.0, 1.0)
    static = {n: p.default for n, p in named.items() if n not in leaves}
    for n, default in static.items():
        if isinstance(default, Distribution):
            want, fix = "a type of augfn.typing, which makes it a leaf", f"{n}: af.typing.Factor = {default}"
            raise TypeError(explain(f"{body.__name__}: {n} has a range, but no type", hints.get(n), want, fix))
    if kind == "mix":
        leaves["order"] = leaf_of(SortKey)  # type: ignore[assignment]
        leaves["partner"] = PARTNER.sized(partners) if partners > 1 else PARTNER
        defaults |= {"order": Uniform(0.0, 1.0), "partner": None}
        static |= OF_MIXES
    wants = tuple(n for n in parameters if n not in named)
    may_lack = tuple(n for n in wants if parameters[n].default is None)
    types = {n: hints.get(n) for n in static}
    return Spec(body.__name__, kind, body, leaves, defaults, static, types, wants, may_lack, ndim, example, sampling)


# keywords: what a user writes, checked and brought to one form


def is_whole(value: Any) -> bool:
    """True of a whole number, Python's or numpy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_type(what: str, wanted: Any, value: Any, default: Any) -> None:
    """A static keyword annotated with a plain type is of that type."""
    if wanted == tuple[int, int] and not (
        isinstance(value, Sequence) and len(value) == 2 and all(is_whole(v) and v > 0 for v in value)
    ):
        raise TypeError(explain(what, value, "two whole numbers above 0", f"{what.split()[-1]}={default}"))
    if wanted not in PLAIN_TYPES:
        return
    kind, words = PLAIN_TYPES[wanted]
    if not isinstance(value, kind) or (isinstance(value, bool) and wanted is not bool):
        name = what.split()[-1]
        fix = f"{name}={default!r}" if isinstance(default, kind) else f"{name}=..., {words}"
        raise TypeError(explain(what, value, words, fix))


def clip_of(spec: Any, keywords: dict[str, Any]) -> str:
    """The mechanism's clip; a body that clips by itself takes the keyword as its own."""
    usual = "none" if spec.unless and keywords.get(spec.unless) else spec.clip
    mode = keywords.get("clip", usual) if "clip" in spec.common else "none"
    if mode not in CLIPS:
        raise ValueError(explain(f"{spec.name}: clip", mode, f"one of {', '.join(CLIPS)}", 'clip="clamp"'))
    return mode


def channels_of(spec: Any, channels: Any) -> tuple[int, ...] | None:
    if channels is None:
        return None
    given = (channels,) if isinstance(channels, int) else tuple(channels)
    good = all(isinstance(c, int) and not isinstance(c, bool) and c >= 0 for c in given)
    if not given or not good or len(set(given)) != len(given) or (spec.requires_rgb and len(given) != 3):
        want = "three different indices" if spec.requires_rgb else "different indices, counted from 0"
        raise ValueError(explain(f"{spec.name}: channels", channels, want, "channels=(0, 1, 2)"))
    return given


def is_per_channel(spec: Any, keywords: dict[str, Any]) -> bool:
    """True if every channel has a draw of its own: where it is asked for, or a chance for each is given."""
    share = native(keywords.get("p_channel", 1.0))
    asked = native(keywords.get("per_channel", isinstance(share, Tensor | Distribution) or share != 1))
    if not isinstance(asked, bool):
        raise TypeError(explain(f"{spec.name}: per_channel", asked, "True or False", "per_channel=True"))
    if asked and (spec.requires_rgb or spec.across or spec.target != "image"):
        want = "an op that works on each channel by itself"
        raise ValueError(explain(f"{spec.name}: per_channel, p_channel", asked, want, "leave them out"))
    if not asked and share != 1:
        fix = "leave out per_channel=False, or p_channel"
        raise ValueError(explain(f"{spec.name}: p_channel is of channels with draws of their own", share, "1", fix))
    return asked


def leaves_per_channel(spec: Any, channels: tuple[int, ...] | None) -> dict[str, Leaf]:
    """Its leaves, with one value for each channel it sees (but for the seed of a field, which has channels itself)."""
    n = len(channels or ())
    known = spec.leaves | {"channel_gate": CHANNEL_GATE}
    return {
        name: leaf if name == "seed" and spec.kind == "noise" else replace(leaf, per_channel=n)
        for name, leaf in known.items()
    }


def as_leaf(op: str, name: str, leaf: Leaf, value: Any) -> Tensor | Distribution | None:
    """A number or a vector is fixed, a pair `(low, high)` is Uniform (of vectors, where the leaf is one), None is
    absent."""
    what, value = f"{op}: {name}", native(value)
    if isinstance(value, nn.Parameter) and list(value.shape) == [*leaf.shape, 2]:
        fix = f"{name}=af.Interval(parameter) is a range that learns, {name}=parameter[..., 0] one value"
        raise ValueError(explain(f"{what}: a range or values?", value, "a distribution", fix))
    if value is None or isinstance(value, Tensor | Distribution):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Sequence) or isinstance(value, str):
        raise TypeError(
            explain(what, value, "a number, a pair (low, high), a tensor or a distribution", f"{name}=(low, high)")
        )
    if isinstance(value, int | float):
        check_bounds(what, leaf, [value])
        return Constant(torch.full(leaf.fixed_shape, float(value), dtype=torch.float32))
    if leaf.index:
        fix = f"{name}=torch.tensor({list(value)})"
        raise TypeError(explain(what, value, "a tensor of numbers of samples", fix))
    if leaf.counts(len(value)) and all(isinstance(v, Sequence) for v in value):
        value = tuple(zip(*value, strict=True))  # ((low, high) of x, (low, high) of y): per axis
    elif len(value) > 2 and leaf.counts(len(value)) and all(isinstance(v, int | float) for v in value):
        check_bounds(what, leaf, value)
        return Constant(torch.tensor(value, dtype=torch.float32))
    if len(value) != 2:
        raise ValueError(explain(what, value, f"a number or a pair (low, high), in {leaf.unit}", f"{name}=(low, high)"))
    if any(isinstance(v, Tensor) for v in value):
        return Uniform(*value)
    if any(isinstance(t, Tensor | Distribution) for t in tree_leaves(value)):
        want, fix = (
            "numbers, one tensor of values, or one distribution",
            f"{name}=af.Interval(tensor {[*leaf.shape, 2]})",
        )
        raise TypeError(explain(f"{what}: tensors within a pair", value, want, fix))
    ends = [torch.tensor(v, dtype=torch.float32) for v in value]
    check_bounds(what, leaf, [float(v) for v in tree_leaves(value)])
    if not (ends[0] <= ends[1]).all():
        raise ValueError(
            explain(f"{what}: the range is upside down", value, "low <= high", f"{name}=({value[1]}, {value[0]})")
        )
    return Uniform(*(e.expand(leaf.fixed_shape if e.ndim == 0 else e.shape).clone() for e in ends))


def native(value: Any) -> Any:
    """Numpy's numbers and arrays as Python's."""
    if isinstance(value, (np.generic, np.ndarray)):  # no union, which a trace does not follow
        return value.tolist()
    return tuple(map(native, value)) if isinstance(value, list | tuple) else value


def of_config(value: Any) -> Any:
    """A sequence of others, such as a list in a config of Hydra, as a list; all else as it is."""
    if isinstance(value, (str, bytes, list, tuple, Tensor)) or not isinstance(value, Sequence):
        return value
    return [of_config(v) for v in value]


def own_copy(default: Any) -> Any:
    """A default on tensors of its own: what is built may be learned in place, a signature may not."""
    return tree_map_only(Tensor, torch.clone, default)


def gate_of(op: str, p: Any, name: str = "p") -> Distribution:
    """A probability as a gate; a distribution of gates as it is."""
    p = native(p)
    if isinstance(p, Knots):
        want, fix = "one gate for the clip", "a path of the leaf, which is neutral in those frames"
        raise ValueError(explain(f"{op}: {name} over time", p, want, fix))
    if isinstance(p, Distribution):
        return p
    if isinstance(p, Tensor) and p.requires_grad:
        want = "a number, or logits behind a relaxation: no gradient of a draw reaches a probability"
        fix = f"{name}=af.RelaxedBernoulli(torch.logit({name}))"
        raise ValueError(explain(f"{op}: {name} cannot learn", p, want, fix))
    return Bernoulli(p)


def check_bounds(what: str, leaf: Leaf, values: Sequence[float]) -> None:
    low, high = leaf.low, leaf.high
    if not all(map(math.isfinite, values)):
        raise ValueError(
            explain(f"{what}: not finite", list(values), "finite numbers", f"{what.split()[-1]}=(low, high)")
        )
    if any((low is not None and v < low) or (high is not None and v > high) for v in values):
        span = f"{'-inf' if low is None else low} <= value <= {'inf' if high is None else high} ({leaf.unit})"
        raise ValueError(explain(f"{what}: outside its range", list(values), span, "stay within the range"))


# what a factory shows


def signature_of(spec: Any, returns: type) -> inspect.Signature:
    values = {**spec.defaults, **spec.static, **dict.fromkeys(spec.common)}
    known = {"p": 1.0, "clip": spec.clip, "per_channel": False, "p_channel": 1.0}
    values |= {n: v for n, v in known.items() if n in spec.common}
    make = partial(inspect.Parameter, kind=inspect.Parameter.KEYWORD_ONLY)
    return inspect.Signature([make(n, default=v) for n, v in values.items()], return_annotation=returns)


def describe(spec: Any) -> str:
    """The part of a docstring that the signature knows."""
    lines = [f"Kind: {spec.kind}{' (3-D)' if spec.ndim == 3 else ''}. Leaves of `params`, per sample:", ""]
    for name, leaf in spec.leaves.items():
        span = f"{'-inf' if leaf.low is None else leaf.low}..{'inf' if leaf.high is None else leaf.high}"
        neutral = "none" if leaf.neutral is None else f"{leaf.neutral:g}"
        shape = f" {list(leaf.shape)}" if leaf.shape else ""
        shape += f" (of a volume {list(leaf.volume)})" if leaf.volume else ""
        lines.append(
            f"* `{name}`{shape}: {leaf.unit}; range {span}; neutral {neutral}; default {spec.defaults[name]!r}"
        )
        if leaf.flat:
            lines.append(f"  (zero gradient: {leaf.flat})")
    settings = [
        *(f"{n}={v!r}" if v is not inspect.Parameter.empty else n for n, v in spec.static.items()),
        *(f"clip={spec.clip!r}" if n == "clip" else n for n in spec.common),
    ]
    lines += ["", f"Static keywords: {', '.join(settings)}."]
    if (
        spec.kind in ("photometric", "filter", "noise", "occlusion", "mix")
        and spec.ndim == 2
        and spec.target == "image"
    ):
        lines += [
            "",
            'A bare tensor is images `[*b, C, H, W]`; a volume comes in a dict, `{"volume": x}`, or behind a 3-D step.',
        ]
    return "\n".join(lines)


def by_position(spec: Any, values: tuple[Any, ...]) -> str:
    """The message for a factory that was called with an image, or with a number by position."""
    image = isinstance(values[0], Tensor) and values[0].ndim > 2
    names = [*spec.leaves, *spec.static, "p"]
    fix = f"af.{spec.name}(...)(x, None, key)" if image else f"af.{spec.name}({names[0]}=...)"
    what = "makes an augmentation, which takes the image" if image else "takes its arguments by name"
    return explain(f"{spec.name} {what}", values[0], f"keywords: {', '.join(names)}", fix)

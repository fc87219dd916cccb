"""Augmentations: the signature is the schema.

A body such as `def rotate(*, degrees: Degrees = Uniform(-30, 30)) -> Map` becomes a factory: keywords annotated with a
leaf type are drawn per sample and live in `params`, the others are static. What the factory returns is the pure
function `(tensor, params, generator) -> (tensor, params)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, get_args, get_type_hints

import torch
from torch import Tensor

from augfn.core.actions import Action, Color, Geometric, Mixing, Occlusion, Pixels, Seeing, Size, fuse
from augfn.core.describe import describe, signature_of
from augfn.core.draw import Params, draw, leaves_of, merge, salts_of
from augfn.core.keywords import as_leaf, channels_of, check_type, clip_of
from augfn.core.targets import Boxes, Sample, array_of, read
from augfn.distributions import Bernoulli, Distribution, Uniform
from augfn.errors import explain, unknown
from augfn.math.resample import UNSET, Sampling, require_finite
from augfn.run.compiling import own_code
from augfn.run.mode import below_autograd, is_plain
from augfn.run.slices import in_blocks, run
from augfn.typing import GATE, Leaf, Seed

SAMPLING = ("interpolation", "padding_mode", "fill", "fill_mask", "antialias")
COMMON = {
    "geometric": ("p", *SAMPLING),
    "photometric": ("p", "clip", "channels"),
    "filter": ("p", "clip", "channels"),
    "noise": ("p", "clip", "channels"),
    "occlusion": ("p", "fill", "fill_mask"),
    "mix": ("p",),
}
SEEN = ("mask", "boxes")  # targets that a body may ask to see


class Augmentation:
    """A pure function `(tensor, params, generator) -> (tensor, params)`; combinators return the same type.

    * `params`: its own ranges, a nested dict of distributions; what a call returns has drawn tensors in their place.
    * `schema`: the same tree with the meaning of every leaf (unit, shape, neutral value, valid interval).

    >>> import augfn as af
    >>> f = af.rotate(degrees=(-30, 30))
    >>> f
    rotate(degrees=Uniform(low=-30.0, high=30.0))
    >>> y, params = f(torch.rand(2, 3, 8, 8), None, af.key(0))
    >>> torch.equal(f(torch.rand(2, 3, 8, 8), params)[1]["degrees"], params["degrees"])
    True
    """

    name: str
    params: Params
    schema: dict[str, Any]
    ndim: int = 2
    sampling: Sampling = UNSET
    mixes: bool = False
    fused: bool = True

    def __init__(self, name: str, params: Params, schema: dict[str, Any], **known: Any) -> None:
        self.name, self.params, self.schema = name, params, schema
        self.targets: Mapping[str, str] = {}
        self.__dict__.update(known)
        self.meanings = leaves_of(schema)
        self.salts = salts_of(self.meanings)

    def __call__(self, x: Any, params: Params | None = None, generator: Any = None) -> tuple[Any, Params]:
        """Augment `x`. Leaves of `params` that are tensors are used as they are, distributions are drawn with the key.

        `params=None` stands for the augmentation's own ranges; a partial dict fixes what it names. Without a
        distribution left no key is needed: handing in returned params replays the call.
        """
        tree = merge(params, self.params, self.schema, self.name)
        return self.on(read(x, self.ndim, self.targets), tree, generator)

    def compiled(self, **options: Any) -> Callable[..., tuple[Any, Params]]:
        """This augmentation by `torch.compile`, drawing included, with a compiled code of its own.

        `options` are those of `torch.compile`; `fullgraph=True` unless given. `torch.compile(f)` does the same, but all
        that are compiled so share eight places: the ninth in a process fails, where any number of these does not.

        >>> import augfn as af
        >>> fast = af.hflip(p=0.5).compiled(backend="eager")
        >>> fast(torch.rand(2, 3, 8, 8), None, af.key(0))[0].shape
        torch.Size([2, 3, 8, 8])
        """
        return torch.compile(own_code(self.__call__), **{"fullgraph": True, **options})

    def on(self, sample: Sample, tree: Params, generator: Any) -> tuple[Any, Params]:
        """The call, on what has been read and completed."""
        if torch.is_autocast_enabled(sample.device.type):  # half precision would move coordinates by pixels
            with torch.autocast(sample.device.type, enabled=False):
                return self.on(sample, tree, generator)
        leaves = leaves_of(tree)
        if not is_untracked(sample, leaves):
            drawn = draw(tree, leaves, self.meanings, self.salts, sample.batch, generator, sample.device)
            return run(self.actions(drawn, sample), sample).output(), drawn
        with below_autograd():
            drawn = draw(tree, leaves, self.meanings, self.salts, sample.batch, generator, sample.device)
            return in_blocks(self.actions(drawn, sample), sample).output(), drawn

    def actions(self, params: Params, sample: Sample) -> list[Action]:
        """What is done to the sample, with neighbours of one kind as one."""
        planned = self.plan(params, sample.size, self.sampling)
        if sample.device.type != "cpu":
            planned = [a.to(sample.device) if isinstance(a, Geometric | Color) else a for a in planned]
        return fuse(planned) if self.fused else planned

    def plan(self, params: Params, size: Size, sampling: Sampling) -> list[Action]:
        """The small objects that decide this augmentation's action, for drawn params and a frame of this size."""
        raise NotImplementedError

    def __repr__(self) -> str:
        leaves = ", ".join(f"{path}={leaf!r}" for path, leaf in leaves_of(self.params).items())
        return f"{self.name}({leaves})"


def is_untracked(sample: Sample, leaves: dict[str, Any]) -> bool:
    """True in a plain eager call, if no target and none of the leaves of its params asks for a gradient."""
    if not is_plain():
        return False
    if not torch.is_grad_enabled():
        return True
    for t in sample.targets.values():
        if array_of(t).requires_grad:
            return False
    for leaf in leaves.values():
        for tensor in [getattr(leaf, f) for f in leaf.fields] if isinstance(leaf, Distribution) else (leaf,):
            if isinstance(tensor, Tensor) and tensor.requires_grad:
                return False
    return True


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
    wants: tuple[str, ...]
    ndim: int
    example: dict[str, Any] = field(default_factory=dict)
    sampling: Sampling = Sampling()
    clip: str = "none"
    rgb: bool = False
    planes: int | None = None  # channels of the field of noise; None: those of the image
    light: bool = False  # it reads and writes the image once, or is one call of a library's kernel

    @property
    def common(self) -> tuple[str, ...]:
        """The keywords of its kind; what the body itself takes is its own affair."""
        return tuple(n for n in COMMON[self.kind] if n not in self.static)

    def __reduce__(self) -> tuple[Any, ...]:
        return spec_named, (self.name,)


SPECS: dict[str, Spec] = {}


def spec_named(name: str) -> Spec:
    return SPECS[name]


class Op(Augmentation):
    """One op with its ranges and static settings bound."""

    def __init__(
        self,
        spec: Spec,
        params: Params,
        static: dict[str, Any],
        sampling: Sampling = UNSET,
        clip: str = "none",
        channels: tuple[int, ...] | None = None,
    ) -> None:
        schema = dict(spec.leaves) | ({"gate": GATE} if "gate" in params else {})
        super().__init__(spec.name, params, schema, ndim=spec.ndim, sampling=sampling, mixes=spec.kind == "mix")
        self.spec, self.static, self.clip, self.channels = spec, static, clip, channels
        self.needs = tuple(n for n in spec.wants if n in SEEN)

    def plan(self, params: Params, size: Size, sampling: Sampling) -> list[Action]:
        leaves: dict[str, Any] = {name: params.get(name) for name in self.spec.leaves}
        act, how = ACT[self.spec.kind], self.sampling.within(sampling)
        if self.needs:
            moves = self.spec.kind == "geometric"
            action: Action = Seeing(
                self.name, partial(see, self, act, how), leaves, self.needs, self.frame_out(), moves
            )
        else:
            action = act(self, self.body(size), leaves, how)
        gate = params.get("gate")
        return [action if gate is None else action.gated(gate, size)]

    def body(self, size: Size, **seen: Any) -> Callable[..., Any]:
        """The body with its static settings, and with the frame where it asks for it."""
        frame = {"frame": size} if "frame" in self.spec.wants else {}
        return partial(self.spec.body, **frame, **seen, **self.static)

    def frame_out(self) -> Size | None:
        """The frame that a body which looks at other targets leaves: its static `size`."""
        size = self.static.get("size")
        return None if size is None else tuple(size) if isinstance(size, list | tuple) else (size,) * self.ndim


def see(op: Op, act: Callable[..., Action], how: Sampling, sample: Sample, leaves: dict[str, Any]) -> Action:
    """The action of an op whose body looks at the mask or the boxes."""
    seen = {n: seen_target(op.name, n, sample) for n in op.needs}
    return act(op, op.body(sample.size, **seen), leaves, how)


def seen_target(op: str, kind: str, sample: Sample) -> Any:
    """The one target of a kind, boxes with their validity."""
    found = {n: t.value for n, t in sample.targets.items() if t.kind == kind}
    if len(found) != 1:
        want = f"a dict with one target of the kind {kind!r}"
        raise ValueError(explain(f"{op} looks at the {kind}", list(sample.targets), want, f"f({{..., {kind!r}: ...}})"))
    value = next(iter(found.values()))
    return Boxes(value) if kind == "boxes" and not isinstance(value, Boxes) else value


def act_geometric(op: Op, body: Callable[..., Any], leaves: dict[str, Any], sampling: Sampling) -> Action:
    return Geometric(body(**leaves), sampling)


def act_pixels(op: Op, body: Callable[..., Any], leaves: dict[str, Any], sampling: Sampling) -> Action:
    if "x" in op.spec.wants:
        needs = op.name if op.spec.rgb else ""
        return Pixels(op.spec.kind, body, leaves, op.clip, op.channels, needs, op.spec.planes, op.spec.light)
    color = body(**leaves)
    return color if op.clip == "none" and op.channels is None else replace(color, clip=op.clip, channels=op.channels)


def act_occlusion(op: Op, body: Callable[..., Any], leaves: dict[str, Any], sampling: Sampling) -> Action:
    require_finite(sampling.fill or 0.0)
    return Occlusion(body(**leaves), sampling.fill or 0.0, sampling.fill_mask or 0.0)


def act_mix(op: Op, body: Callable[..., Any], leaves: dict[str, Any], sampling: Sampling) -> Action:
    return Mixing(*body(**leaves))


ACT = {
    "geometric": act_geometric,
    "photometric": act_pixels,
    "filter": act_pixels,
    "noise": act_pixels,
    "occlusion": act_occlusion,
    "mix": act_mix,
}


def leaf_of(annotation: Any) -> Leaf | None:
    """The Leaf in an annotation such as `Degrees` or `Degrees | None`."""
    for part in (annotation, *get_args(annotation)):
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, Leaf):
                return meta
    return None


def spec_of(body: Callable[..., Any], kind: str, ndim: int, example: dict[str, Any], sampling: Sampling) -> Spec:
    hints = get_type_hints(body, include_extras=True)
    parameters = inspect.signature(body).parameters
    named = {n: p for n, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    leaves = {n: leaf for n in named if (leaf := leaf_of(hints.get(n)))}
    defaults = {n: named[n].default for n in leaves}
    if kind == "noise":
        leaves["seed"] = leaf_of(Seed)  # type: ignore[assignment]
        defaults["seed"] = Uniform(0.0, 1.0)
    static = {n: p.default for n, p in named.items() if n not in leaves}
    wants = tuple(n for n in parameters if n not in named)
    types = {n: hints.get(n) for n in static}
    return Spec(body.__name__, kind, body, leaves, defaults, static, types, wants, ndim, example, sampling)


def decorator(kind: str) -> Callable[..., Any]:
    """The decorator of a kind: from a body to a factory of augmentations."""

    def decorate(
        body: Any = None,
        *,
        ndim: int = 2,
        example: dict[str, Any] | None = None,
        clip: str = "none",
        rgb: bool = False,
        planes: int | None = None,
        light: bool = False,
        **sampling: Any,
    ) -> Any:
        if body is None:
            pixels = {"clip": clip, "rgb": rgb, "planes": planes, "light": light}
            return partial(decorate, ndim=ndim, example=example, **pixels, **sampling)
        known = {"clip": clip, "rgb": rgb, "planes": planes, "light": light}
        spec = replace(spec_of(body, kind, ndim, example or {}, Sampling(**sampling)), **known)
        SPECS[spec.name] = spec

        def factory(**keywords: Any) -> Op:
            return build(spec, keywords)

        factory.__name__ = factory.__qualname__ = spec.name
        factory.__module__ = body.__module__
        factory.__doc__ = (inspect.cleandoc(body.__doc__ or "") + "\n\n" + describe(spec)).strip()
        factory.__signature__ = signature_of(spec, Op)  # type: ignore[attr-defined]
        factory.spec = spec  # type: ignore[attr-defined]
        return factory

    return decorate


def build(spec: Spec, keywords: dict[str, Any]) -> Op:
    """Bind ranges and settings: numbers are fixed values, pairs are Uniform, tensors and distributions are taken as
    they are."""
    common = spec.common
    for name in keywords:
        if name not in spec.leaves and name not in spec.static and name not in common:
            raise TypeError(unknown(f"keyword of {spec.name}", name, [*spec.leaves, *spec.static, *common]))
    params: Params = {}
    for name, leaf in spec.leaves.items():
        value = as_leaf(spec.name, name, leaf, keywords.get(name, spec.defaults[name]))
        if value is not None:
            params[name] = value
    acting = [name for name, leaf in spec.leaves.items() if not leaf.flat]
    # what comes first makes the op, even if it is flat
    main = [name for name in [*spec.leaves][:1] if spec.defaults[name] is not None]
    if acting and not any(name in params for name in (*acting, *main)):
        fix = f"af.{spec.name}({acting[0]}=(low, high))"
        raise ValueError(explain(f"{spec.name}: nothing to do", "no ranges", f"one of {', '.join(acting)}", fix))
    p = keywords.get("p", 1.0)
    if isinstance(p, bool) or not isinstance(p, int | float) or p != 1.0:
        params["gate"] = p if isinstance(p, Distribution) else Bernoulli(p)
    static = {n: keywords.get(n, default) for n, default in spec.static.items()}
    missing = [n for n, v in static.items() if v is inspect.Parameter.empty]
    if missing:
        raise TypeError(
            explain(
                f"{spec.name}: missing keyword",
                sorted(keywords),
                f"{missing[0]}=...",
                f"af.{spec.name}({missing[0]}=...)",
            )
        )
    for n, value in static.items():
        check_type(f"{spec.name}: {n}", spec.types[n], value, spec.static[n])
    own = {n: getattr(spec.sampling, n) for n in SAMPLING} | {n: keywords[n] for n in SAMPLING if n in keywords}
    sampling = Sampling(**own)
    clip, channels = clip_of(spec, keywords), channels_of(spec, keywords.get("channels"))
    return Op(spec, params, static, UNSET if sampling == UNSET else sampling, clip, channels)


geometric = decorator("geometric")
photometric = decorator("photometric")
filtering = decorator("filter")
noise = decorator("noise")
occlusion = decorator("occlusion")
mixing = decorator("mix")

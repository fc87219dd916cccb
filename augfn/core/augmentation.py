"""Augmentations: the signature is the schema.

A body such as `def rotate(*, degrees: Degrees = Uniform(-30, 30)) -> Map` becomes a factory: keywords annotated with a
leaf type are drawn per sample and live in `params`, the others are static. What the factory returns is the pure
function `(tensor, params, generator) -> (tensor, params)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, overload

import torch

from augfn import random
from augfn.core.acting import ACT, seen_target
from augfn.core.actions import Action, Deferred, Size, Temporal
from augfn.core.clips import frames_of
from augfn.core.draw import Params, checked_key, draw, leaves_of, merge, nested, salts_of
from augfn.core.fusing import fuse
from augfn.core.gates import with_gates
from augfn.core.lists import batched
from augfn.core.partners import WAYS
from augfn.core.rules import check_channels
from augfn.core.settings import settings_of
from augfn.core.spec import (
    COMMON,
    OF_MIXES,
    SAMPLING,
    SEEN,
    Spec,
    as_leaf,
    by_position,
    channels_of,
    check_type,
    clip_of,
    describe,
    gate_of,
    is_per_channel,
    leaves_per_channel,
    native,
    of_config,
    own_copy,
    register,
    signature_of,
    spec_of,
)
from augfn.core.targets import Sample, read
from augfn.core.timed import has_paths, over_time
from augfn.errors import explain, unknown
from augfn.math.resample import UNSET, Sampling
from augfn.run.call import is_ours, mode_of
from augfn.run.compiling import own_code
from augfn.run.host import HOST, home_of, sent
from augfn.run.mode import autocasts
from augfn.supported import ask_compiler
from augfn.typing import GATE, Leaf


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
    spatial: bool = True  # False: it takes a dict with a volume too, whatever ndim is
    sampling: Sampling = UNSET
    mixes: bool = False
    fused: bool = True
    takes_integers: bool = False  # it begins with a conversion
    gives_integers: bool = False  # it ends with one to integers
    whole: bool = False  # its steps are one thing, such as a crop with its pad: eval() keeps all of them or none
    bounded: bool = False  # it cuts values off at 0 and 1
    foreign: bool = False  # a body is not augfn's own, and may hold what learns
    bare: str = ""  # the kind of a bare tensor: a frame of its dimensions, or depth

    def __init__(self, name: str, params: Params, schema: dict[str, Any], **known: Any) -> None:
        self.name, self.params, self.schema = name, params, schema
        self.targets: Mapping[str, str] = {}
        self.__dict__.update(known)
        self.meanings = leaves_of(schema)
        self.salts = salts_of(self.meanings)
        self.sizable = any(leaf.sizable for leaf in self.meanings.values())
        self.own = leaves_of(params)
        self.switched = tuple(path for path, leaf in self.meanings.items() if leaf.switch)

    def __call__(self, x: Any, params: Params | None = None, generator: Any = None) -> tuple[Any, Params]:
        """Augment `x`. Leaves of `params` that are tensors are used as they are, distributions are drawn with the key.

        A list of samples of different sizes is run one by one, each with the draw that it would have in a batch; the results
        come back as one batch, so they need one size: end with a resize or a crop.

        `params=None` stands for the augmentation's own ranges; a partial dict fixes what it names. Without a
        distribution left no key is needed: handing in returned params replays the call.
        """
        tree = merge(params, self.params, self.schema, self.name)
        return self.each(x, tree, generator) if isinstance(x, list | tuple) else self.on(self.read(x), tree, generator)

    def each(self, samples: Sequence[Any], tree: Params, generator: Any) -> tuple[Any, Params]:
        """The call on samples of different sizes, one after the other, each as in a batch; the results are one batch."""
        if not samples:
            raise ValueError(explain("nothing to augment", samples, "at least one sample", "leave empty lists out"))
        given = leaves_of(tree)
        keys: Any = [None] * len(samples)
        if generator is not None:
            key = checked_key(generator, (len(samples),))
            keys = key.expand(len(samples), 2) if key.ndim > 1 else random.split(key, len(samples))
        made = []
        for i, (x, key) in enumerate(zip(samples, keys, strict=True)):
            own = [v[i] if is_batch(v, self.meanings[path]) else v for path, v in given.items()]
            made.append(self.on(self.read(x), nested(tree, iter(own)), key))
        drawn = zip(*(leaves_of(params).values() for _, params in made), strict=True)
        return batched([y for y, _ in made], self.targets), nested(
            tree, iter([torch.stack(values) for values in drawn])
        )

    def read(self, x: Any) -> Sample:
        """A bare tensor or a dict, as the targets that it holds, checked."""
        return read(x, self.ndim, self.targets, self.spatial, self.takes_integers, self.bare)

    def compiled(self, **options: Any) -> Callable[..., tuple[Any, Params]]:
        """This augmentation by `torch.compile`, drawing included, with a compiled code of its own.

        `options` are those of `torch.compile`; `fullgraph=True` unless given. `torch.compile(f)` does the same, but all
        that are compiled so share eight places: the ninth in a process fails, where any number of these does not. The
        compilers of torch 2.12 and older do not take every op whole; there is a warning.

        >>> import augfn as af
        >>> fast = af.hflip(p=0.5).compiled(backend="eager")
        >>> fast(torch.rand(2, 3, 8, 8), None, af.key(0))[0].shape
        torch.Size([2, 3, 8, 8])
        """
        ask_compiler()
        return torch.compile(own_code(self.__call__), **{"fullgraph": True, **options})

    def on(self, sample: Sample, tree: Params, generator: Any) -> tuple[Any, Params]:
        """The call, on what has been read and completed."""
        if self.bare and not any(t.kind == self.bare for t in sample.targets.values()):
            want = "a dict with a target of the kind 'depth', or a depth map alone"
            fix = "f({'image': image, 'depth': depth}, None, key)"
            raise ValueError(explain(f"{self.name} changes depth", list(sample.targets), want, fix))
        if autocasts(sample.device):  # half precision would move coordinates by pixels
            with torch.autocast(sample.device.type, enabled=False):
                return self.on(sample, tree, generator)
        leaves = leaves_of(tree)
        if has_paths(self, tree, sample):
            return over_time(self, sample, tree, generator)
        context, way = mode_of(self, sample, leaves)
        with context:
            home = home_of(leaves, sample.device, generator)
            drawn = draw(tree, leaves, self.sized(sample, leaves), self.salts, sample.batch, generator, home)
            actions = self.actions(drawn, sample, tree)
            check_channels(actions, sample)
            return way(actions, sample).output(), drawn

    def sized(self, sample: Sample, given: Mapping[str, Any]) -> dict[str, Leaf]:
        """The meanings by their paths, in the shapes that leaves have for this sample; where it has no image, for as many
        channels as the given leaves."""
        if not self.sizable:
            return self.meanings
        known = [(v, self.meanings[n]) for n, v in given.items() if self.meanings[n].per_channel == 0]
        seen = (v.shape[v.ndim - m.rank] for v, m in known if isinstance(v, torch.Tensor) and v.ndim >= m.rank)
        return self.sized_for(len(sample.size), sample.channels or next(seen, 0))

    def sized_for(self, ndim: int, channels: int = 0) -> dict[str, Leaf]:
        return {path: leaf.within(ndim, channels) for path, leaf in self.meanings.items()}

    def actions(self, params: Params, sample: Sample, given: Params | None = None) -> list[Action]:
        """What is done to the sample, with neighbours of one kind as one."""
        planned = self.planned(params, sample.size, given)
        planned = fuse(planned) if self.fused else planned
        return planned if sample.device == HOST else sent(planned, sample.device)

    def planned(self, params: Params, size: Size, given: Params | None = None) -> list[Action]:
        """What is done, step by step, for params that were drawn from the `given` ones."""
        return self.plan(self.switches(params, given or params), size, self.sampling)

    def switches(self, drawn: Params, given: Params) -> Params:
        """The drawn params, with a Gate for every value that decides what acts."""
        own = leaves_of(given)
        paths = [path for path in self.switched if path in own]
        return nested(drawn, iter(with_gates(leaves_of(drawn), own, self.own, paths).values())) if paths else drawn

    def plan(self, params: Params, size: Size, sampling: Sampling) -> list[Action]:
        """The small objects that decide this augmentation's action, for drawn params and a frame of this size."""
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = leaves_of(self.params) | settings_of(self)
        return f"{self.name}({', '.join(f'{n}={v!r}' for n, v in shown.items())})"


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
        per_channel: bool = False,
    ) -> None:
        leaves = leaves_per_channel(spec, channels) if per_channel else spec.leaves
        leaves = {n: replace(v, flat="") if static.get("grad") in v.grads else v for n, v in leaves.items()}
        schema = leaves | ({"gate": GATE} if "p" in COMMON[spec.kind] else {})
        flat = spec.kind == "geometric" or spec.target == "depth"  # which a dict with a volume has not
        known = {"ndim": spec.ndim, "spatial": flat, "sampling": sampling, "mixes": spec.kind == "mix"}
        super().__init__(spec.name, params, schema, **known)
        self.spec, self.static, self.clip, self.channels, self.per_channel = spec, static, clip, channels, per_channel
        self.foreign = not is_ours(spec.body)
        self.needs = tuple(n for n in spec.wants if n in SEEN)
        if static.get("partners") == "other_class":
            self.needs += ("label",)
        self.bare = "depth" if spec.target == "depth" else ""
        self.bounded = "clamp" in (clip, static.get("clip"))

    def plan(self, params: Params, size: Size, sampling: Sampling) -> list[Action]:
        leaves: dict[str, Any] = {name: params.get(name) for name in self.spec.leaves}
        if "channel_gate" in params:
            leaves["channel_gate"] = params["channel_gate"]
        kind, how, gate = self.spec.kind, self.sampling.within(sampling), params.get("gate")
        if kind == "temporal":
            action: Action = Deferred(self.name, self.see_frames, leaves, ("video",), moves=False)
        elif self.needs:
            see = partial(self.see, ACT[kind], how)
            moves, mixes = kind == "geometric", kind == "mix"
            action = Deferred(self.name, see, leaves, self.needs, self.frame_out(), moves, mixes)
        else:
            action = ACT[kind](self, self.body(size), leaves, how)
        return [action if gate is None else action.gated(gate, size)]

    def body(self, size: Size, **seen: Any) -> Callable[..., Any]:
        """The body with its static settings, and with the frame where it asks for it."""
        frame = {"frame": size} if "frame" in self.spec.wants else {}
        own = {n: v for n, v in self.static.items() if not (self.mixes and n in OF_MIXES)}
        return partial(self.spec.body, **frame, **seen, **own)

    def see(self, act: Callable[..., Action], how: Sampling, sample: Sample, leaves: dict[str, Any]) -> Action:
        """The action of a body that looks at the mask or the boxes."""
        there = {t.kind for t in sample.targets.values()}
        seen = {n: seen_target(self.name, n, sample) for n in self.needs if n in there or n not in self.spec.may_lack}
        label = {"label": seen.pop("label")} if "label" in seen else {}
        return act(self, self.body(sample.size, **seen), leaves | label, how)

    def see_frames(self, sample: Sample, leaves: dict[str, Any]) -> Action:
        """The action of a body that chooses frames of a clip."""
        frames = frames_of(self.name, sample)
        order = partial(self.spec.body, frames, **self.static)(**leaves)
        return Temporal(order, self.spec.flow, self.name)

    def frame_out(self) -> Size | None:
        """The frame that a body which looks at other targets leaves: its static `size`."""
        size = self.static.get("size")
        return None if size is None else tuple(size) if isinstance(size, list | tuple) else (size,) * self.ndim


class Decorator(Protocol):
    """`@photometric`, or `@photometric(clip="clamp")`: from a body to a factory of augmentations."""

    @overload
    def __call__(self, body: Callable[..., Any]) -> Callable[..., Op]: ...
    @overload
    def __call__(self, body: None = None, **settings: Any) -> Callable[[Callable[..., Any]], Callable[..., Op]]: ...


def decorator(kind: str) -> Decorator:
    """The decorator of a kind."""

    def decorate(
        body: Any = None,
        *,
        ndim: int = 2,
        example: dict[str, Any] | None = None,
        clip: str = "none",
        requires_rgb: bool = False,
        field_channels: int | None = None,
        fields: int = 1,
        single_pass: bool = False,
        convolves: bool = False,
        pointwise: bool = False,
        planar: bool = False,
        across: bool = False,
        unless: str = "",
        partners: int = 1,
        flow: bool = False,
        target: str = "image",
        **sampling: Any,
    ) -> Any:
        """From a body to a factory of augmentations: its keywords with a type of `augfn.typing` are leaves, drawn for each
        sample, all others settings. What it is handed by name are images `x [*b, C, *spatial]`, or of a geometric body the size
        `frame` (h, w). Of the settings here, `clip`: "clamp" keeps [0, 1]; `pointwise`: a pixel depends on itself alone.
        """
        known: dict[str, Any] = {"clip": clip, "requires_rgb": requires_rgb, "field_channels": field_channels}
        known |= {"single_pass": single_pass, "convolves": convolves, "pointwise": pointwise, "planar": planar}
        known |= {"target": target, "fields": fields, "flow": flow, "unless": unless, "across": across}
        if body is None:
            return partial(decorate, ndim=ndim, example=example, partners=partners, **known, **sampling)
        spec = replace(spec_of(body, kind, ndim, example or {}, Sampling(**sampling), partners), **known)
        if kind == "noise" and not planar:
            spec.leaves["seed"] = replace(spec.leaves["seed"], each_frame=True)
        register(spec)

        def factory(*values: Any, **keywords: Any) -> Op:
            if values:
                raise TypeError(by_position(spec, values))
            return build(spec, keywords)

        factory.__name__, factory.__qualname__ = spec.name, body.__qualname__
        factory.__module__ = body.__module__
        factory.__doc__ = (inspect.cleandoc(body.__doc__ or "") + "\n\n" + describe(spec)).strip()
        factory.__signature__ = signature_of(spec, Op)  # type: ignore[attr-defined]
        factory.spec = spec  # type: ignore[attr-defined]
        return factory

    return decorate


def is_batch(value: Any, meaning: Leaf) -> bool:
    """True of values that lead with the samples."""
    return isinstance(value, torch.Tensor) and value.ndim > meaning.rank


def build(spec: Spec, keywords: dict[str, Any]) -> Op:
    """Bind ranges and settings: numbers are fixed values, pairs are Uniform, tensors and distributions are taken as
    they are."""
    common, keywords = spec.common, {n: of_config(v) for n, v in keywords.items()}
    for name in keywords:
        if name not in spec.leaves and name not in spec.static and name not in common:
            raise TypeError(unknown(f"keyword of {spec.name}", name, [*spec.leaves, *spec.static, *common]))
    params: Params = {}
    channels, each = channels_of(spec, keywords.get("channels")), is_per_channel(spec, keywords)
    for name, leaf in (leaves_per_channel(spec, channels) if each else spec.leaves).items():
        if name not in spec.leaves:
            continue
        value = as_leaf(spec.name, name, leaf, keywords[name] if name in keywords else own_copy(spec.defaults[name]))
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
        params["gate"] = gate_of(spec.name, p)
    share = native(keywords.get("p_channel", 1.0))
    if isinstance(share, bool) or not isinstance(share, int | float) or share != 1.0:
        params["channel_gate"] = gate_of(spec.name, share, "p_channel")
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
    if static.get("partners", "next") not in WAYS:
        given, want = static["partners"], f"one of {', '.join(WAYS)}"
        raise ValueError(explain(f"{spec.name}: partners", given, want, 'partners="other_class"'))
    for n, value in static.items():
        check_type(f"{spec.name}: {n}", spec.types[n], value, spec.static[n])
    own = {n: getattr(spec.sampling, n) for n in SAMPLING} | {n: keywords[n] for n in SAMPLING if n in keywords}
    sampling = Sampling(**own)
    clip = clip_of(spec, keywords)
    return Op(spec, params, static, UNSET if sampling == UNSET else sampling, clip, channels, each)


geometric = decorator("geometric")
photometric = decorator("photometric")
filtering = decorator("filter")
noise = decorator("noise")
occlusion = decorator("occlusion")
mixing = decorator("mix")
temporal = decorator("temporal")

"""From a factory to a module class: what the class's arguments mean is one small function, the rest follows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from torch import Tensor
from torch.serialization import add_safe_globals

import augfn as af
from augfn import random
from augfn.core.augmentation import Augmentation
from augfn.core.draw import Params
from augfn.core.spec import COMMON, SAMPLING, Spec
from augfn.distributions import Bernoulli
from augfn.errors import explain, unknown
from augfn.run.mode import require_eager
from augfn_nn.augment import Augment, Path
from augfn_nn.choosing import one_key
from augfn_nn.items import tree_of
from augfn_nn.lifting import lift
from augfn_nn.ranges import Ranges
from augfn_nn.replays import of_call
from augfn_nn.shorthands import ALIASES, NEUTRAL, is_number, learned, neutral, only, plain, sampling_of
from augfn_nn.slots import as_type

__all__ = ["Derived", "derive"]

OF_KORNIA = {own: name for name, own in ALIASES.items()}
FLAGS = {"same_on_batch": False, "keepdim": False, "learnable": False, "p_batch": 1.0, "kornia": None}
OFF = af.pipeline(off=af.identity())  # what a batch meets that is left alone
OF_BATCH = random.salt("p_batch")


class Derived(Augment):
    """Base of the classes that are derived from a factory of augfn; `spec` is the factory's.

    * `p`: of each sample; it can be read, and set afterwards. `p_batch`: of the whole batch, drawn once for a call; what resizes
      knows it alone.
    * `same_on_batch`, `learnable`, `keepdim`: as of `Augment`: one draw for the batch; True, or the leaves that become
      Parameters, `["degrees"]`; `[C, H, W]` comes back as that, as a DataLoader needs it (else as `[1, C, H, W]`).
    * `interpolation`, `padding_mode`, `fill`, `fill_mask`, `antialias`, `clip`, `channels`, ...: the settings of the op; None
      leaves them to it, or to the container.
    * `kornia=True`: where kornia has another sign or formula under this name, kornia's; False: ours, without a warning.
    """

    spec: ClassVar[Spec]
    factory: ClassVar[Callable[..., Augmentation]]
    convert: ClassVar[Callable[..., Any]]
    signature: ClassVar[inspect.Signature]
    resizes: ClassVar[bool]
    extras: ClassVar[dict[str, Any]] = {}  # further arguments that are kept as they are, with their defaults

    def __init__(self, *args: Any, **keywords: Any) -> None:
        given = self.bind(args, keywords)
        own = inspect.signature(type(self).convert).parameters
        flags = {name: given.pop(name) for name in FLAGS if name not in own}
        extras = {name: given.pop(name) for name in self.extras}
        self.__dict__["given"], chance = dict(given), flags.pop("p_batch")
        flags.pop("kornia", None)
        super().__init__(self.build(given), flags.pop("learnable"), **flags)
        self.__dict__.update(extras)
        self.p_batch = self.chance(chance)

    def chance(self, value: Any) -> float:
        if not is_number(value) or not 0 <= value <= 1:
            raise ValueError(explain(f"{type(self).__name__}: p_batch", value, "a number from 0 to 1", "p_batch=0.5"))
        return float(value)

    def __init_subclass__(cls) -> None:
        own = [n for n in ("apply_transform", "generate_parameters", "compute_transformation") if n in cls.__dict__]
        if own:
            want, fix = (
                "arguments",
                "IntensityAugmentationBase2D, or GeometricAugmentationBase2D, for a class of your own",
            )
            raise TypeError(explain(f"{cls.__name__}: methods of kornia's on a class of augfn", own, want, fix))

    @property
    def flags(self) -> Mapping[str, Any]:
        """How it reads pixels, in kornia's words: to be looked at."""
        known = {n: own for own in SAMPLING if own in self.given for n in (OF_KORNIA.get(own, own),)}
        return MappingProxyType({n: self.given[own] for n, own in known.items()} | {"align_corners": None})

    def with_others(self, x: Any, call: Mapping[str, Any], others: dict[str, Any]) -> Any:
        """A call with other settings (`padding_mode=`, `resample=`), or with some of its params (`degrees=`, kornia's `angle=`)
        in place of those that it draws, which `_params` then has."""
        output_type = others.pop("output_type", "pt")
        others.pop("save_kwargs", None)
        for name in NEUTRAL.keys() & others:
            neutral(type(self).__name__, name, others.pop(name))
        settings = {ALIASES.get(n, n): v for n, v in others.items() if ALIASES.get(n, n) in SAMPLING}
        leaves = {n: v for n, v in others.items() if ALIASES.get(n, n) not in settings}
        if self.chooses and others:
            raise ValueError(explain("settings of a call beside p_batch", [*others], "p_batch=1", "arguments, or p"))
        if settings:
            fix = f"{type(self).__name__}(..., {next(iter(settings))}=...)"
            require_eager("settings of a call", "those of the module", fix)
        f = self.build(self.given | settings) if settings else None
        call = self.with_leaves(x, call, leaves) if leaves else call
        if f is None:
            y = self.forward(x, **call)
        else:
            tree, how = self.tree(call["params"]), (call["generator"], call["index"], call["epoch"])
            y = self.unchanged(x) if tree is None else self.augment(x, tree, *how, f)
        return y if output_type == "pt" else as_type(y, output_type)

    def with_leaves(self, x: Any, call: Mapping[str, Any], leaves: Mapping[str, Any]) -> dict[str, Any]:
        """The call with params: these leaves, and beside them those that it draws, by index too."""
        frame = lift(x, self.f)[1]
        if frame is None:
            raise TypeError(explain("params by name", x, "a tensor, or a dict of targets", "af.collate(samples)"))
        given = of_call(self, leaves, (*frame[0], *frame[1]), SAMPLING)
        params = tree_of(self, call["params"])
        if params is None:
            params = self.drawn_of(x, self.keyed(call["generator"], call["index"], call["epoch"], frame[0]))
        return {"params": {**params, **given}, "generator": None, "index": None, "epoch": 0}

    @property
    def p(self) -> Any:
        """The probability of each sample to be changed."""
        gate = self.params.get("gate")
        return float(gate.probs) if isinstance(gate, Bernoulli) and not gate.probs.ndim else self.given["p"]

    def set_p(self, p: Any) -> None:
        """Another probability; what has been learned stays."""
        given = self.given | {"p": p}
        f = self.build(dict(given))
        ranges = Ranges(self.own(f), f.schema)
        old = {n: t for n, t in self.ranges.named_parameters() if not n.startswith("gate/")}
        if old.keys() - set(ranges.names):
            want, fix = "a module whose leaves keep their names", f"{type(self).__name__}(..., p=...)"
            raise ValueError(explain(f"{type(self).__name__}: p of what learns", [*old], want, fix))
        for name, tensor in old.items():
            ranges._buffers.pop(name, None)
            ranges.register_parameter(name, tensor)
        for name, tensor in self.ranges.named_buffers():
            if name in ranges._buffers and not f.meanings[name.rpartition("/")[0] or name].switch:
                ranges._buffers[name] = tensor
        ranges.limits, ranges.pairs = self.ranges.limits, self.ranges.pairs
        ranges.hold()
        self.__dict__["given"] = given
        self.f, self.ranges = f, ranges

    def picked(self, key: Tensor | None, params: Params | None) -> Augmentation:
        if not self.chooses:
            return self.f
        require_eager("p_batch, a choice for the batch,", "a choice for each sample", "p")
        if params is None:
            assert key is not None
            key = one_key(key, "p_batch", "p, of each sample")
            acts = float(random.uniform(random.fold_in(key, OF_BATCH))) < self.p_batch
        else:
            acts = "off" not in params
        return self.f if acts else OFF

    def ranges_of(self, f: Augmentation) -> Params:
        return {"off": {}} if f is OFF else self.params

    def shared_of(self, f: Augmentation) -> list[Path]:
        return [()] if self.same_on_batch and f is not OFF else []

    def __setattr__(self, name: str, value: Any) -> None:
        """Arguments that were built in cannot be set afterwards; all else as of any module."""
        if name == "p":
            return self.set_p(value)
        if name == "p_batch":
            self.__dict__["chooses"] = self.chance(value) < 1
        if name in type(self).signature.parameters and name not in ("same_on_batch", "keepdim", "p_batch"):
            cls, want = type(self).__name__, "arguments when it is made, or params for a call"
            fix = f"{cls}({name}=...), or aug(x, params={{...}}) in the form of aug.params"
            raise AttributeError(explain(f"{cls}: {name} is set when it is made", value, want, fix))
        super().__setattr__(name, value)

    @classmethod
    def bind(cls, args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name, defaults filled in; the peers' names are translated, what is unknown is an error."""
        names, own = cls.signature.parameters, {}
        for name, value in keywords.items():
            known = name if name in names else ALIASES.get(name, name)
            if known in own:
                raise TypeError(
                    explain(f"{cls.__name__}: {known} twice", sorted(keywords), "one of its names", f"leave {name} out")
                )
            if known in names:
                own[known] = value
            elif name in NEUTRAL:
                neutral(cls.__name__, name, value)
            else:
                raise TypeError(unknown(f"argument of {cls.__name__}", name, names))
        try:
            bound = cls.signature.bind(*args, **own)
        except TypeError as error:
            given = {"args": args, **keywords}
            expected, fix = f"{cls.__name__}{cls.signature}", "see the class's docstring"
            raise TypeError(explain(f"{cls.__name__}: {error}", given, expected, fix)) from None
        bound.apply_defaults()
        return dict(bound.arguments)

    @classmethod
    def build(cls, given: dict[str, Any]) -> Augmentation:
        """The augmentation that these arguments mean."""
        own = inspect.signature(cls.convert).parameters
        p = 1.0 if "p" in own else given.pop("p")  # of which it takes care
        if cls.resizes:
            only(f"{cls.__name__}: p", p, (1.0,), "p_batch=..., of the batch: its samples have one size")
        late = [n for n in COMMON[cls.spec.kind] if n not in ("p", *SAMPLING, *own)]
        kept = {n: v for n in late if (v := given.pop(n, None)) is not None}
        made = cls.convert(**{name: plain(given.pop(name)) for name in own})
        settings = {n: v for n, v in sampling_of(given, cls.__name__).items() if v is not None}
        sure = is_number(p) and p == 1
        if isinstance(made, Augmentation):
            if kept:
                fix = "leave it out, or compose the augmentations of augfn"
                raise ValueError(explain(f"{cls.__name__}: {', '.join(kept)}", kept, "None", fix))
            made = af.pipeline(made, **settings) if settings else made
            made.whole = True
            return made if sure else af.maybe(made, p)
        return cls.factory(**settings, **({} if sure else {"p": p}), **(cls.leaves(made) | kept))

    @classmethod
    def leaves(cls, made: dict[str, Any]) -> dict[str, Any]:
        """The factory's keywords: what is None is left to it, Parameters are ranges."""
        meaning, name = cls.spec.leaves, cls.__name__
        given = {n: v for n, v in made.items() if v is not None}
        return {n: learned(f"{name}: {n}", meaning[n], v) if n in meaning else v for n, v in given.items()}


def derive(
    factory: Callable[..., Augmentation],
    *,
    p: float = 0.5,
    resizes: bool = False,
    base: type[Derived] = Derived,
    **known: Any,
) -> Callable[[Callable[..., Any]], type[Derived]]:
    """A class from a factory: the decorated function turns the class's arguments into the factory's keywords.

    (Or into an augmentation.) To its arguments are added `p` (by position where there are no others), the settings of
    the factory's kind, and the flags that all modules have. `base`, `known`: the class's base, and what it holds.
    """
    spec: Spec = factory.spec  # type: ignore[attr-defined]

    def decorate(convert: Callable[..., Any]) -> type[Derived]:
        own = inspect.signature(convert).parameters
        late = {**dict.fromkeys(COMMON[spec.kind]), "p": p, **FLAGS, **base.extras}
        late = {n: v for n, v in late.items() if n not in own}
        first = {} if own else {"p": late.pop("p")}
        signature = inspect.Signature([*own.values(), *parameters_of(first), *parameters_of(late, by_position=False)])
        about = f"Derived from `augfn.{factory.__name__}`, which see for formula, units and source."
        doc = f"{inspect.cleandoc(convert.__doc__ or '')}\n\n{about} Further arguments: {', '.join({**first, **late})}."
        made_of = {"spec": spec, "factory": staticmethod(factory), "convert": staticmethod(convert), "resizes": resizes}
        shown = {"__doc__": doc, "__module__": convert.__module__, "__signature__": signature, "signature": signature}
        made = type(convert.__name__, (base,), made_of | shown | known)
        add_safe_globals([made])
        return made

    return decorate


def parameters_of(defaults: dict[str, Any], by_position: bool = True) -> list[inspect.Parameter]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if by_position else inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(name, kind, default=value) for name, value in defaults.items()]

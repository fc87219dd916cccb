"""From a factory to a module class: what the class's arguments mean is one small function, the rest follows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from torch.serialization import add_safe_globals

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.core.spec import COMMON, SAMPLING, Spec
from augfn.errors import explain, unknown
from augfn_nn.augment import Augment
from augfn_nn.shorthands import ALIASES, NEUTRAL, is_number, learned, neutral, only, plain, sampling_of

FLAGS = {"same_on_batch": False, "keepdim": False, "learnable": False}


class Derived(Augment):
    """Base of the classes that are derived from a factory of augfn; `spec` is the factory's."""

    spec: ClassVar[Spec]
    factory: ClassVar[Callable[..., Augmentation]]
    convert: ClassVar[Callable[..., Any]]
    signature: ClassVar[inspect.Signature]
    resizes: ClassVar[bool]
    extras: ClassVar[dict[str, Any]] = {}  # further arguments that are kept as they are, with their defaults

    def __init__(self, *args: Any, **keywords: Any) -> None:
        given = self.bind(args, keywords)
        flags = {name: given.pop(name) for name in FLAGS}
        extras = {name: given.pop(name) for name in self.extras}
        super().__init__(self.build(given), flags.pop("learnable"), **flags)
        self.__dict__.update(extras)

    def __setattr__(self, name: str, value: Any) -> None:
        """Arguments that were built in cannot be set afterwards; all else as of any module."""
        if name in type(self).signature.parameters and name not in ("same_on_batch", "keepdim"):
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
            only(f"{cls.__name__}: p", p, (1.0,), "leave it out: the samples of a batch have one size")
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

"""From a factory to a module class: what the class's arguments mean is one small function, the rest follows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

import augfn as af
from augfn.errors import explain, unknown
from augfn.op import COMMON, SAMPLING, Augmentation, Spec
from augfn_nn.augment import Augment
from augfn_nn.shorthands import ALIASES, NEUTRAL, is_number, learned, neutral, plain, sampling_of

FLAGS = {"same_on_batch": False, "keepdim": False, "learnable": False}


class Derived(Augment):
    """Base of the classes that are derived from a factory of augfn; `spec` is the factory's."""

    spec: ClassVar[Spec]
    factory: ClassVar[Callable[..., Augmentation]]
    convert: ClassVar[Callable[..., Any]]
    signature: ClassVar[inspect.Signature]
    resizes: ClassVar[bool]

    def __init__(self, *args: Any, **keywords: Any) -> None:
        given = self.bind(args, keywords)
        flags = {name: given.pop(name) for name in FLAGS}
        super().__init__(self.build(given), flags.pop("learnable"), **flags)

    @classmethod
    def bind(cls, args: tuple[Any, ...], keywords: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name, defaults filled in; other names of the same are translated, what is unknown is an error."""
        names, own = cls.signature.parameters, {}
        for name, value in keywords.items():
            known = name if name in names else ALIASES.get(name, name)
            if known in own:
                raise TypeError(explain(f"{cls.__name__}: {known} twice", sorted(keywords), "one of its names", f"leave {name} out"))
            if known in names:
                own[known] = value
            elif name in NEUTRAL:
                neutral(cls.__name__, name, value)
            else:
                raise TypeError(unknown(f"argument of {cls.__name__}", name, names))
        try:
            bound = cls.signature.bind(*args, **own)
        except TypeError as error:
            raise TypeError(explain(f"{cls.__name__}: {error}", {"args": args, **keywords}, f"{cls.__name__}{cls.signature}", "see its docstring")) from None
        bound.apply_defaults()
        return dict(bound.arguments)

    @classmethod
    def build(cls, given: dict[str, Any]) -> Augmentation:
        """The augmentation that these arguments mean."""
        p = given.pop("p")
        if cls.resizes and not (is_number(p) and p == 1):
            raise ValueError(explain(f"{cls.__name__}: p", p, "p=1: samples of one batch have one size", "leave p out"))
        common = {name: given.pop(name) for name in SAMPLING if name in given and name not in inspect.signature(cls.convert).parameters}
        settings = {n: v for n, v in sampling_of(common, cls.__name__).items() if v is not None}
        made = cls.convert(**{name: plain(value) for name, value in given.items()})
        if isinstance(made, Augmentation):
            made = af.pipeline(made, **settings) if settings else made
            return made if is_number(p) and p == 1 else af.maybe(made, p)
        return cls.factory(**settings, **({} if cls.resizes else {"p": p}), **cls.leaves(made))

    @classmethod
    def leaves(cls, made: dict[str, Any]) -> dict[str, Any]:
        """The factory's keywords: what is left out is left to it, Parameters are ranges."""
        meaning = cls.spec.leaves
        return {n: learned(f"{cls.__name__}: {n}", meaning[n], v) if n in meaning else v for n, v in made.items() if v is not None}


def derive(factory: Callable[..., Augmentation], *, p: float = 0.5, resizes: bool = False) -> Callable[[Callable[..., Any]], type[Derived]]:
    """A class from a factory; the decorated function turns the class's arguments into the factory's (or into an augmentation).

    To its arguments are added `p` (by position where there are no others), the settings of the factory's kind, and the flags of every module.
    """
    spec: Spec = factory.spec  # type: ignore[attr-defined]

    def decorate(convert: Callable[..., Any]) -> type[Derived]:
        own = inspect.signature(convert).parameters
        late = {"p": p, **{n: None for n in COMMON[spec.kind] if n in SAMPLING}, **FLAGS}
        first = {} if own else {"p": late.pop("p")}
        parameters = [*own.values(), *parameters_of(first, positional=True), *parameters_of(late, taken=own)]
        signature = inspect.Signature(parameters)
        settings = ", ".join(n for n in late if n not in own)
        about = f"Derived from `augfn.{factory.__name__}`, whose docstring has formula, units and sources. Further arguments: {settings}."
        known = {"spec": spec, "factory": staticmethod(factory), "convert": staticmethod(convert), "signature": signature, "resizes": resizes}
        places = {"__doc__": f"{inspect.cleandoc(convert.__doc__ or '')}\n\n{about}", "__module__": convert.__module__, "__signature__": signature}
        return type(convert.__name__, (Derived,), known | places)

    return decorate


def parameters_of(defaults: dict[str, Any], positional: bool = False, taken: Any = ()) -> list[inspect.Parameter]:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if positional else inspect.Parameter.KEYWORD_ONLY
    return [inspect.Parameter(name, kind, default=value) for name, value in defaults.items() if name not in taken]

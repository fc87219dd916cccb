"""What a container holds: modules of augfn_nn, augmentations, and modules and functions of others."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.serialization import add_safe_globals

import augfn as af
from augfn.core.augmentation import Augmentation
from augfn.core.opaque import Opaque
from augfn.core.targets import FRAMED
from augfn.errors import explain
from augfn.math.resample import Sampling
from augfn_nn.augment import Augment, Base
from augfn_nn.shorthands import sampling_of
from augfn_nn.slots import slot_of


class Through:
    """A call of the module that a Foreign holds now."""

    def __init__(self, owner: Foreign) -> None:
        self.owner = owner

    def __call__(self, x: Tensor) -> Any:
        return self.owner.module(x)


class Foreign(Augment):
    """A module of others, or a function, which is called with images alone; in a container it has the module's name."""

    def __init__(self, module: Any) -> None:
        f = af.opaque(module)
        super().__init__(f)
        if isinstance(module, nn.Module):
            self.module = module
            f.function = Through(self)

    @property
    def label(self) -> str:
        return type(self.module).__name__ if "module" in self._modules else "Function"

    def __repr__(self) -> str:
        f: Any = self.f
        return repr(self.module if isinstance(f.function, Through) else f.function)


add_safe_globals([Foreign, Opaque, Through])


def child_of(module: Any) -> Base:
    """What a container is given, as a module that it can hold."""
    if isinstance(module, Augmentation):
        return Augment(module)
    if not isinstance(module, Base):
        if isinstance(module, list | tuple) or not callable(module) or hasattr(module, "spec"):
            expected, fix = "modules, or augmentations of augfn", "call it apart, or use the class of augfn_nn"
            fix = "AugmentationSequential(*steps)" if isinstance(module, list | tuple) else fix
            fix = f"call it: af.{module.spec.name}(...)" if hasattr(module, "spec") else fix  # type: ignore[union-attr]
            raise TypeError(explain("AugmentationSequential: a foreign child", module, expected, fix))
        bases = [c.__name__ for c in inspect.getmro(type(module)) if c.__module__.startswith("kornia.augmentation")]
        if bases and not any(n.startswith("Intensity") for n in bases):
            want, fix = "a class of augfn_nn, which moves masks and points too", f"augfn_nn.{type(module).__name__}"
            raise TypeError(explain("AugmentationSequential: a class of kornia", module, want, fix))
        return Foreign(module)
    own = type(module).forward
    if not own.__module__.startswith("augfn_nn"):
        want, fix = "a module that its augmentation tells all of", "the step that it adds as another module"
        raise TypeError(explain("AugmentationSequential: a forward of its own", type(module).__name__, want, fix))
    if module.labelled:
        want, fix = "modules that need images alone", "WorstCase(model, af.pipeline(...)), with all steps within"
        raise TypeError(explain(f"AugmentationSequential: {type(module).__name__} needs labels", module, want, fix))
    return module


def is_intensity(module: Base, strict: bool) -> bool:
    if hasattr(module, "is_intensity_only"):
        return module.is_intensity_only(strict)  # type: ignore[operator]
    if isinstance(module, Foreign):
        return not strict
    return not any(is_geometric(f) for f in ops_of(module.f))


def ops_of(f: Any) -> Iterator[Augmentation]:
    """The ops that an augmentation is made of."""
    steps = getattr(f, "steps", {})
    for g in steps.values():
        yield from ops_of(g)
    if not steps:
        yield f


def is_geometric(f: Any) -> bool:
    return getattr(getattr(f, "spec", None), "kind", "geometric") in ("geometric", "mix", "temporal")


def sampling_from(extra_args: Mapping[Any, Mapping[str, Any]]) -> tuple[Sampling, bool | None]:
    """How images and masks are read by the steps that do not say it themselves, and whether masks are soft ones; None where
    that is not said."""
    out: dict[str, Any] = {}
    soft = None
    for key, settings in extra_args.items():
        kind, given = slot_of(key, 2, {}).kind, sampling_of(settings, f"extra_args[{key!r}]")
        if kind == "mask":
            given, soft = mask_sampling(given)
        elif kind not in FRAMED and given:
            raise ValueError(explain("extra_args: nothing is sampled", key, "'input' or 'mask'", "leave it out"))
        out |= {n: v for n, v in given.items() if v is not None}
    return Sampling(**out), soft


def mask_sampling(given: dict[str, Any]) -> tuple[dict[str, Any], bool | None]:
    """Masks have a fill of their own; those that are not read nearest are soft masks, which mix labels."""
    given = {("fill" if n == "fill_mask" else n): v for n, v in given.items() if v is not None}
    how = given.pop("interpolation", None)
    others = {n: v for n, v in given.items() if n != "fill"}
    if others:
        want, fix = "resample, or a fill", 'extra_args={"mask": {"resample": "bilinear", "fill": 255}}'
        raise ValueError(explain("extra_args: of masks", others, want, fix))
    soft = None if how is None else how != "nearest"
    return {"fill_mask": given.get("fill")} | ({"by_target": (("softmask", how),)} if soft else {}), soft

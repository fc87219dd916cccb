"""Which transforms of the peers become which function of augfn: read from the converters, not written down."""

from __future__ import annotations

import inspect
import re
import warnings
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from typing import Any

import augfn as af
import augfn_nn
from augfn.core.spec import SPECS
from benchmarks import conversions_monai, conversions_torchio

Names = dict[str, list[str]]  # of a transform, the functions
Found = dict[str, Names]
# arguments without a default, by their names
NEEDED: dict[str, Any] = {
    "size": (24, 24), "height": 24, "width": 24, "max_size": 24, "degrees": 15, "padding": 2, "kernel_size": 3, "bits": 4,
    "threshold": 128, "sharpness_factor": 2, "quality": 60, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5),
}  # fmt: skip
POLICIES = {
    "AutoAugment": "auto_augment", "RandAugment": "rand_augment", "TrivialAugment": "trivial_augment",
    "TrivialAugmentWide": "trivial_augment", "AugMix": "augmix",
}  # fmt: skip
STAYS = ("to_float", "pipeline", "maybe", "one_of", "some_of", "identity", "opaque")


def made(cls: Any, name: str) -> Any:
    """A transform with its defaults."""
    known = inspect.signature(cls.__init__).parameters.values()
    needed = {p.name for p in known if p.default is inspect.Parameter.empty} & NEEDED.keys()
    needed |= {"max_size"} if "MaxSize" in name else set()
    return cls(**{n: NEEDED[n] for n in needed}, **({"method": "pil"} if name == "AutoContrast" else {}))


def functions_of(x: Any, ndim: int | None = None) -> list[str]:
    """The functions of augfn in what a transform becomes."""
    found = re.findall(r"\b([a-z_0-9]+)\(", repr(augfn_nn.convert(x, ndim=ndim).pipeline))
    return [n for n in dict.fromkeys(found) if n not in STAYS and hasattr(af, n)]


def of_kornia() -> Names:
    """kornia's classes keep their names: the function that each is derived from."""
    library = import_module("kornia.augmentation")
    policies = {n: [f] for n, f in POLICIES.items() if hasattr(augfn_nn, n)}
    classes = {n: getattr(augfn_nn, n) for n in augfn_nn.__all__ if hasattr(library, n)}
    return {n: [c.spec.name] for n, c in classes.items() if hasattr(c, "spec")} | policies


def by_defaults(peer: str, library: Any) -> Names:
    """The transforms of a table with their defaults."""
    found = {}
    for name in import_module(f"augfn_nn.converters.{peer}").TABLE:
        try:
            x = made(getattr(library, name), name)
            x = library.Compose([x]).to_dict() if peer == "albumentations" else x
            found[name] = [POLICIES[name]] if name in POLICIES else functions_of(x)
        except (TypeError, ValueError, AttributeError):
            continue
    return found


def by_cases(builds: dict[str, Any], library: Any, two: str) -> Names:
    """The transforms of the pinned cases; those of images, where both are there, have names that begin with `two`."""
    found = defaultdict(list)
    for case, build in builds.items():
        x = build(library)
        if type(x).__name__ != "Compose":
            ndim = (2 if case.startswith(two) else 3) if two else None
            found[type(x).__name__] += functions_of(x, ndim)
    return {n: [*dict.fromkeys(names)] for n, names in found.items()}


FINDS: dict[str, Callable[[Any], Names]] = {
    "kornia": lambda library: of_kornia(),
    "torchvision": lambda library: by_defaults("torchvision", library),
    "albumentations": lambda library: by_defaults("albumentations", library),
    "monai": lambda library: by_cases(conversions_monai.PINNED | conversions_monai.RANDOM, library, "image"),
    "torchio": lambda library: by_cases(conversions_torchio.PINNED, library, ""),
}


def equivalents(libraries: dict[str, Any]) -> Found:
    """For each function, what each peer calls it."""
    rows: Found = defaultdict(lambda: defaultdict(list))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for peer, library in libraries.items():
            for name, functions in FINDS[peer](library).items() if library else ():
                for f in functions:
                    rows[f][peer].append(name)
    order = list(SPECS)
    return {f: rows[f] for f in sorted(rows, key=lambda f: (order.index(f) if f in order else len(order), f))}

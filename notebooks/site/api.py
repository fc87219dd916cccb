"""The pages of the API: every public name, with its signature, its docstring and its examples."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, get_origin

import augfn
import augfn_nn
from augfn_nn.derive import Derived
from benchmarks.api import MEMBERS, MODULES, RESULTS
from notebooks.site.doctests import with_imports
from notebooks.site.ops import BESIDE, FAMILIES, KNOWN
from notebooks.site.signatures import signature, written
from notebooks.site.text import docstring, escaped, front, table

# Sections of `augfn`'s own page, by the modules (and those below them) in which the names are defined.
SECTIONS = {
    "Combinators": (
        "augfn.compose",
        "augfn.multiview",
        "augfn.patches",
        "augfn.core.opaque",
        "augfn.core.augmentation",
    ),
    "Keys": ("augfn.random",),
    "Policies and recipes": ("augfn.policies",),
    "Curricula": ("augfn.curricula",),
    "Targets": ("augfn.core.boxes",),
    "Images, volumes, data sets": ("augfn.images", "augfn.nifti", "augfn.data", "augfn.moments"),
    "Undo, explain, save": ("augfn.undoing", "augfn.words", "augfn.saving"),
    "Prediction": ("augfn.predict",),
}
FIRST = ("Augment", "AugmentationSequential", "ImageSequential", "VideoSequential", "PatchSequential", "convert")


def pages() -> Iterator[tuple[str, str]]:
    """Places and texts of all pages of the API."""
    yield "api/index.md", index()
    yield "api/augfn.md", of_augfn()
    yield "api/augfn_nn.md", of_nn()
    yield "api/classes.md", of_classes()
    for page, name in packages().items():
        yield f"api/{page}.md", of_package(name)


@cache
def packages() -> dict[str, str]:
    """The public modules by their pages; those that hold what `augfn_nn` holds too, as kornia has it, need none."""
    known = [m for m in MODULES if m not in ("augfn", "augfn_nn")]
    return {m.rpartition(".")[2]: m for m in known if not set(names_of(import_module(m))) <= set(augfn_nn.__all__)}


@cache
def places() -> dict[str, str]:
    """Of every public name, `augfn.rotate`, its page and anchor within `api/`."""
    own = [n for n in KNOWN if getattr(augfn, n).__module__.startswith("augfn.ops.")]  # `invert` is more than its op
    found = on("augfn", "augfn", names_of(augfn))
    found |= {f"augfn.{n}": f"../ops/{n}.md" for n in [*own, *(n for names in BESIDE.values() for n in names)]}
    found |= on("augfn", "distributions", names_of(import_module("augfn.distributions")))
    for derived, page in ((True, "classes"), (False, "augfn_nn")):
        names = [n for n in names_of(augfn_nn) if is_derived(getattr(augfn_nn, n)) is derived]
        found |= on("augfn_nn", page, names)
    for page, package in packages().items():
        found |= on(package, page, names_of(import_module(package)))
    return found


def on(package: str, page: str, names: Sequence[str]) -> dict[str, str]:
    return {f"{package}.{name}": f"{page}.md#{anchor(name)}" for name in names}


def anchor(name: str) -> str:
    return name.lower()


def names_of(module: ModuleType) -> list[str]:
    return list(module.__all__)


def is_derived(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, Derived) and value is not Derived


ELSEWHERE = """\
Ops, combinators and policies have [pages of their own](../ops/index.md), as have [distributions](distributions.md)."""


# pages


def index() -> str:
    """The packages, and all names."""
    known = {"augfn": "augfn.md", "augfn_nn": "augfn_nn.md"} | {name: f"{page}.md" for page, name in packages().items()}
    rows = [[f"[`{name}`]({place})", escaped(first_line(import_module(name).__doc__))] for name, place in known.items()]
    rows.insert(2, ["[classes of `augfn_nn`](classes.md)", "The modules of the ops, one class each."])
    listing = " · ".join(f"[`{name}`]({place})" for name, place in sorted(places().items()) if "/ops/" not in place)
    head = "# API\n\nThe functions of the ops have [pages of their own](../ops/index.md); here is everything else."
    return f"{head}\n\n{table(('package', 'what it holds'), rows)}\n\n## All names\n\n{listing}\n"


def of_augfn() -> str:
    """What `augfn` holds beside ops and distributions, by sections."""
    names = [n for n in names_of(augfn) if f"augfn.{n}" in places() and places()[f"augfn.{n}"].startswith("augfn.md")]
    parts = [front(title="augfn") + "# augfn", docstring(augfn.__doc__), ELSEWHERE]
    for title, homes in [*SECTIONS.items(), ("More", ("",))]:
        inside = [n for n in names if getattr(augfn, n).__module__.startswith(homes)]
        names = [n for n in names if n not in inside]
        if inside:
            parts += [f"## {title}", *(entry("af", n, getattr(augfn, n), 3) for n in by_line(augfn, inside))]
    return "\n\n".join(parts) + "\n"


def of_nn() -> str:
    """Containers and tools of augfn_nn."""
    names = [n for n in names_of(augfn_nn) if not is_derived(getattr(augfn_nn, n))]
    names = [*FIRST, *(n for n in by_line(augfn_nn, names) if n not in FIRST)]
    parts = [entry("augfn_nn", n, getattr(augfn_nn, n), 2) for n in names]
    return "\n\n".join([front(title="augfn_nn") + "# augfn_nn", docstring(augfn_nn.__doc__), *parts]) + "\n"


def of_classes() -> str:
    """The classes that are derived from ops, by the families of these."""
    names = [n for n in names_of(augfn_nn) if is_derived(getattr(augfn_nn, n))]
    parts = [front(title="Classes of augfn_nn") + "# Classes of augfn_nn", docstring(Derived.__doc__)]
    for family, title in FAMILIES.items():
        inside = [n for n in names if getattr(augfn_nn, n).spec.body.__module__.rpartition(".")[2] == family]
        if inside:
            parts += [f"## {title}", *(of_class(n) for n in by_line(augfn_nn, inside))]
    return "\n\n".join(parts) + "\n"


def of_class(name: str) -> str:
    """One class: its signature, its docstring, and its op."""
    cls = getattr(augfn_nn, name)
    op = cls.spec.name
    link = f"Op: [`{op}`](../ops/{op}.md)."
    if cls.__name__ != name:
        return f"### {name} {{#{anchor(name)}}}\n\nAnother name of [`{cls.__name__}`](#{anchor(cls.__name__)}). {link}"
    called = f"augfn_nn.{name}{written(cls.signature, len(name) + 9)}"
    return f"### {name} {{#{anchor(name)}}}\n\n```python\n{called}\n```\n\n{documented(cls)}\n\n{link}"


def of_package(name: str) -> str:
    module = import_module(name)
    names = by_line(module, names_of(module))
    short = name.replace("augfn.", "af.") if name.count(".") == 1 else name
    parts = [entry(short, n, getattr(module, n), 2) for n in names]
    if name == "augfn.typing":
        parts = [vocabulary(module), *parts]
    return "\n\n".join([front(title=name) + f"# {name}", docstring(module.__doc__), *parts]) + "\n"


def vocabulary(module: ModuleType) -> str:
    """The types of leaves, a row for each."""
    head = "| type | unit | shape of one sample's value | interval | neutral |\n| --- | --- | --- | --- | --- |\n"
    rows = []
    for name, value in vars(module).items():
        for leaf in (m for m in getattr(value, "__metadata__", ()) if isinstance(m, module.Leaf)):
            ends = [("" if e is None else f"{e:g}") for e in (leaf.low, leaf.high)]
            interval = " to ".join(e or "any" for e in ends) if any(ends) else ""
            neutral = "" if leaf.neutral is None else f"{leaf.neutral:g}"
            shape = f"`{list(leaf.shape)}`" if leaf.shape else "a number"
            rows.append(f"| `{name}` | {leaf.unit} | {shape} | {interval} | {neutral} |")
    return head + "\n".join(rows)


def by_line(package: ModuleType, names: Sequence[str]) -> list[str]:
    """Names in the order of the source: by module, then by line."""

    def place(name: str) -> tuple[str, int]:
        value = getattr(package, name)
        made_of = value.convert if is_derived(value) else value
        if inspect.isclass(made_of) and get_origin(made_of) is None:
            return made_of.__module__, inspect.findsource(made_of)[1]
        code = getattr(inspect.unwrap(made_of), "__code__", None) if callable(made_of) else None
        return getattr(value, "__module__", ""), code.co_firstlineno if code else 0

    return sorted(names, key=place)


# one name


def entry(package: str, name: str, value: Any, level: int) -> str:
    """A heading, the signature, the docstring; of a class its public methods too."""
    head = f"{'#' * level} {name} {{#{anchor(name)}}}"
    if not callable(value) or hasattr(value, "__origin__"):  # a constant, or an alias of a type
        return f"{head}\n\n```python\n{package}.{name}\n```" + (f"\n\n`{value!r}`" if len(repr(value)) < 200 else "")
    made = inspect.isclass(value) and name in RESULTS  # by the library: how is its own affair
    called = "" if made else signature(value, len(package) + len(name) + 1)
    parts = [head, f"```python\n{package}.{name}{called}\n```"]
    own = value.__doc__ if inspect.isclass(value) else inspect.getdoc(value)
    parts.append("" if not own or own.startswith(f"{name}(") else documented(value))
    if inspect.isclass(value):
        members = (RESULTS if made else MEMBERS).get(name, "").split()
        known = {n: inspect.getattr_static(value, n, None) for n in members}
        plain = [n for n, m in known.items() if not getattr(m, "__doc__", None) or not is_code(m)]
        parts.append(f"Attributes: {', '.join(f'`{n}`' for n in plain)}." if plain else "")
        parts += [method(n, m) for n, m in known.items() if n not in plain]
    return "\n\n".join(p for p in parts if p)


def documented(value: Any) -> str:
    """The docstring, with the imports that its doctests have from their module."""
    return docstring(with_imports(value.__doc__, vars(sys.modules[value.__module__])))


def is_code(value: Any) -> bool:
    return isinstance(value, property | staticmethod | classmethod) or inspect.isroutine(value)


def method(name: str, value: Any) -> str:
    """A method or a property of a class, as an item."""
    if isinstance(value, property):
        return f"**`{name}`**\n\n{docstring(value.__doc__)}"
    value = getattr(value, "__func__", value)
    return f"**`{name}{signature(value, len(name), skip=1)}`**\n\n{documented(value)}"


def first_line(doc: str | None) -> str:
    return " ".join(inspect.cleandoc(doc or "").partition("\n\n")[0].split())

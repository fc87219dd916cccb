"""Stubs of the flat names, from the registry: the keywords that an editor completes and a type checker checks.

`python -m augfn.app.stubs` writes `augfn/__init__.pyi` and `augfn_nn/__init__.pyi`, after any change of a signature; a
test says when they are stale.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from textwrap import indent
from typing import Any

import augfn
import augfn_nn
from augfn.core.augmentation import Op
from augfn.core.spec import Spec, own_spec, signature_of
from augfn_nn.derive import Derived
from augfn_nn.shorthands import ALIASES, NEUTRAL

NOTE = "# Written by `python -m augfn.app.stubs`.\n"
COMMON = {
    "num_classes": "int | None",
    "partners": "str",
    "p": "Chance",
    "interpolation": "Interpolation | None",
    "padding_mode": "Padding | None",
    "fill": "float | Sequence[float] | None",
    "fill_mask": "float | None",
    "antialias": "bool | None",
    "clip": "Clip",
    "channels": "int | Sequence[int] | None",
    "per_channel": "bool",
    "p_channel": "Chance",
}
# What the modules take in the words of the peers too: enum members, tensors, arrays.
LOOSE = {
    "interpolation": "Any",
    "padding_mode": "Any",
    "fill": "Any",
    "clip": "Clip | None",
    "per_channel": "bool | None",
    "p_channel": "Chance | None",
}
FLAG_TYPES = {"same_on_batch": "bool", "keepdim": "bool", "learnable": "bool | str | Sequence[str]"}
FLAG_TYPES |= {"p_batch": "float", "kornia": "bool | None"}
FLAG_TYPES |= {"data_keys": "Sequence[Any] | None", "labels": "str | None"}
WORDS = "from augfn.typing import Chance, Clip, Interpolation, Padding, Range"
INVERT = '''@overload
def invert(f: Augmentation, size: tuple[int, ...] | None = None) -> Callable[[Any, dict[str, Any]], tuple[Any, Tensor]]:
    """The inverse of the geometric part, for drawn params: `inverse(y, params) -> (x, valid)`."""

@overload
'''


def stubs() -> dict[Path, str]:
    """The text of every stub, by its file."""
    return {Path(inspect.getfile(m)).with_suffix(".pyi"): of(m) for m, of in ((augfn, functions), (augfn_nn, classes))}


def functions(package: Any) -> str:
    ops = {name for name in package.__all__ if hasattr(getattr(package, name), "spec")}
    parts = [
        "from collections.abc import Callable, Sequence\nfrom typing import Any, overload\n",
        "from torch import Tensor\n",
        *homes(package, ops, ["from augfn.core.augmentation import Op", WORDS]),
        *(f"from . import {name} as {name}" for name in package._MODULES),
        "",
        "__version__: str",
        listed(package.__all__),
        *(INVERT * (name == "invert") + function(own_spec(name)) for name in sorted(ops)),
    ]
    return NOTE + "\n".join(parts)


def function(spec: Spec) -> str:
    """One factory: leaves, settings of its own, and those of its kind."""
    given = inspect.signature(spec.body).parameters
    lines = []
    for p in signature_of(spec, Op).parameters.values():
        if p.name in spec.leaves:
            kind = "Range | None" if p.default is None else "Range"
        else:
            kind = given[p.name].annotation if p.name in given else COMMON[p.name]
        lines.append(parameter(p, kind))
    return callable_of(spec.name, ["*", *lines], "Op", spec.body.__doc__)


def classes(package: Any) -> str:
    derived = {n for n in package.__all__ if inspect.isclass(c := getattr(package, n)) and issubclass(c, Derived)}
    imports = [
        "from augfn.typing import Chance, Clip, Range",
        "from augfn_nn.derive import Derived",
        "from augfn_nn.shorthands import Size",
    ]
    parts = [
        "from collections.abc import Sequence\nfrom typing import Any\n",
        "from typing_extensions import TypedDict, Unpack\n",
        *homes(package, derived, imports),
        listed(package.__all__),
        PEERS + "\n".join(f"    {name}: Any" for name in NEUTRAL) + "\n",
        *(one_class(name, getattr(package, name)) for name in sorted(derived)),
    ]
    return NOTE + "\n".join(parts)


PEERS = '''class _Peers(TypedDict, total=False):
    """Arguments of kornia and torchvision that say what holds here anyway; another value is an error."""

'''


def one_class(name: str, cls: type[Derived]) -> str:
    if cls.__name__ != name:
        return f"{name} = {cls.__name__}\n"
    lines, starred = ["self"], False
    for p in cls.signature.parameters.values():
        if p.kind is p.KEYWORD_ONLY and not starred:
            lines, starred = [*lines, "*"], True
        own = p.annotation if p.annotation is not p.empty else None
        lines.append(parameter(p, own or {**COMMON, **LOOSE, **FLAG_TYPES}[p.name]))
    names = cls.signature.parameters
    aliases = [f"{alias}: Any = None" for alias, word in ALIASES.items() if word in names and alias not in names]
    rest = [n for n in NEUTRAL if n not in names]
    lines += [
        *aliases,
        *(["**peers: Unpack[_Peers]"] if len(rest) == len(NEUTRAL) else [f"{n}: Any = ..." for n in rest]),
    ]
    head = f"class {name}(Derived):\n{docstring(cls.__doc__)}"
    return f"{head}\n{indent(callable_of('__init__', lines, 'None', None), '    ')}"


def parameter(p: inspect.Parameter, kind: str) -> str:
    return f"{p.name}: {kind}" + ("" if p.default is p.empty else f" = {default(p.default)}")


def default(value: Any) -> str:
    """The default as it is written; an ellipsis where that would not be Python."""
    text = repr(value).replace("'", '"')
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return "..."
    return text


def callable_of(name: str, parameters: list[str], returns: str, doc: str | None) -> str:
    inside = "".join(f"    {p},\n" for p in parameters)
    head = f"def {name}(\n{inside}) -> {returns}:"
    return f"{head} ...\n" if doc is None else f"{head}\n{docstring(doc)}"


def docstring(doc: str | None) -> str:
    """Its first paragraph."""
    text = inspect.cleandoc(doc or "").split("\n\n")[0]
    raw, end = "r" * ("\\" in text), "\n" * ("\n" in text)
    return indent(f'{raw}"""{text}{end}"""', "    ") + "\n"


def homes(package: Any, but: set[str], others: Sequence[str]) -> list[str]:
    """Imports of the public names that their own modules type."""
    lines = [*others]
    for name in package.__all__:
        if name not in but:
            lines.append(f"from {getattr(package, name).__module__} import {name} as {name}")
    return [*sorted(lines, key=by_module), ""]


def by_module(line: str) -> tuple[str, bool, str]:
    """The order of a linter: by module, classes before functions."""
    _, module, _, name = re.findall(r"[\w.]+", line)[:4]
    return module, name[0].islower(), name.lower()


def listed(names: Iterable[str]) -> str:
    return "__all__ = [\n" + "".join(f'    "{n}",\n' for n in names) + "]\n"


def main() -> None:
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()

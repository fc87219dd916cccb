"""Examples of docstrings as they run alone: with the imports that their module has at its top."""

from __future__ import annotations

import ast
import builtins
import doctest
import inspect
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

PUBLIC = ("augfn", "augfn_nn", "augfn.distributions", "augfn.learn", "augfn.analysis", "augfn.tune", "augfn.offline")


def with_imports(doc: str | None, scope: Mapping[str, Any]) -> str:
    """The docstring with `import` lines before its first example, for the names that this takes from `scope`."""
    text = inspect.cleandoc(doc or "")
    source = "".join(e.source for e in doctest.DocTestParser().get_examples(text))
    before, prompt, after = text.partition(">>> ")
    lines = imports({n: scope[n] for n in free_names(source) if n in scope})
    return before + "".join(f">>> {line}\n" for line in lines) + prompt + after


def free_names(source: str) -> list[str]:
    """The names that a piece of code reads and does not bind, in order."""
    bound: set[str] = set(vars(builtins))
    read: dict[str, None] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Load):
                read[node.id] = None
            else:
                bound.add(node.id)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
    return [n for n in read if n not in bound]


def imports(values: Mapping[str, Any]) -> list[str]:
    """The lines that import these."""
    whole, parts = [], dict[str, list[str]]()
    for name, value in sorted(values.items(), key=lambda item: (item[0] == "af", item[0])):
        if isinstance(value, ModuleType):
            package, _, last = value.__name__.rpartition(".")
            if package and last == name:
                parts.setdefault(package, []).append(name)
            else:
                whole.append(name if value.__name__ == name else f"{value.__name__} as {name}")
        else:
            parts.setdefault(home_of(name, value), []).append(name)
    first = [f"import {', '.join(sorted(whole, key=lambda n: 'augfn' in n))}"] if whole else []
    return first + [f"from {package} import {', '.join(names)}" for package, names in sorted(parts.items())]


def home_of(name: str, value: Any) -> str:
    """The public package of a name, else the module that defines it."""
    own = getattr(value, "__module__", None) or "augfn"
    return next((p for p in PUBLIC if vars(import_module(p)).get(name) is value), own)

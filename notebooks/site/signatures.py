"""Signatures as they are written in Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

WIDTH = 88


def signature(value: Callable[..., Any], indent: int, skip: int = 0) -> str:
    """Its parameters as they are written, over several lines where one would be too long; `skip` of them left out."""
    try:
        known = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    parameters = list(known.parameters.values())[skip:]
    known = known.replace(parameters=parameters)
    return written(known, indent if not skip else -10_000)


def written(known: inspect.Signature, indent: int) -> str:
    parts, starred = [], False
    for p in known.parameters.values():
        if p.kind is p.KEYWORD_ONLY and not starred:
            parts, starred = [*parts, "*"], True
        starred = starred or p.kind is p.VAR_POSITIONAL
        parts.append(parameter(p))
    returns = known.return_annotation
    after = "" if returns is known.empty or returns in (None, "None", "Any", Any) else f" -> {annotation(returns)}"
    line = f"({', '.join(parts)}){after}"
    if len(line) + indent <= WIDTH:
        return line
    return "(\n" + "".join(f"    {p},\n" for p in parts) + f"){after}"


def parameter(p: inspect.Parameter) -> str:
    star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    kind = "" if p.annotation is p.empty or p.annotation in ("Any", Any) else f": {annotation(p.annotation)}"
    default = "" if p.default is p.empty else f"{' = ' if kind else '='}{p.default!r}"
    return f"{star}{p.name}{kind}{default}"


def annotation(value: Any) -> str:
    return value if isinstance(value, str) else inspect.formatannotation(value).replace("typing.", "")

"""Docstrings and pages of the repository as Markdown of the site."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

CODE = re.compile(r"(`+[^`]*`+)")
LINK = re.compile(r"(!?)\[((?:[^\]`]|`[^`]*`)*)\]\(([^)\s]+)\)")


def docstring(doc: str | None) -> str:
    """A docstring as Markdown: doctests in fences, each row of a table on one line, `<` and lists as text means them."""
    return "\n".join(blocks(inspect.cleandoc(doc or "").splitlines()))


def blocks(lines: Sequence[str]) -> Iterator[str]:
    """Lines of Markdown for lines of a docstring."""
    row, fence, before = "", False, ""
    for line in lines:
        if not fence and line.startswith(">>>"):
            fence = True
            yield from ("", "```pycon")
        elif fence and not line.strip():
            fence = False
            yield "```"
        if fence or line.startswith("    "):
            yield line
        elif row or line.startswith("|"):  # a row goes on until its bar
            row = f"{row} {line.strip()}".strip()
            if row.endswith("|"):
                yield escaped(row)
                row = ""
        else:
            if starts_list(line) and before.strip() and not starts_list(before) and not before.startswith("  "):
                yield ""
            yield escaped(line)
        before = line
    if row:
        yield escaped(row)
    if fence:
        yield "```"


def starts_list(line: str) -> bool:
    return line.lstrip().startswith(("* ", "- "))


def escaped(text: str) -> str:
    """Text in which `<` is no tag and `*` no emphasis unless it encloses words; code is left as it is."""
    parts = CODE.split(text)
    return "".join(p if i % 2 else p.replace("<", "&lt;").replace("[*", "[\\*") for i, p in enumerate(parts))


def cell(text: str) -> str:
    """Text of one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; cells are Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def relinked(text: str, folder: Path, page: str, homes: Mapping[Path, str]) -> str:
    """Text of the repository whose links, relative to `folder`, lead to pages of the site, as seen from `page`.

    What has no page, such as source code, is named and not linked.
    """

    def link(found: re.Match[str]) -> str:
        picture, words, target = found.groups()
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            return found[0]
        home = homes.get((folder / path).resolve())
        if home is None:
            return words
        there = relative(home, page) + (f"#{anchor}" if anchor else "")
        return f"{picture}[{words}]({there})"

    return LINK.sub(link, text)


def relative(target: str, page: str) -> str:
    """The way from a page to another one or to a picture, both by their places in the site."""
    here = PurePosixPath(page).parent
    up = 0
    while not PurePosixPath(target).is_relative_to(here):
        here, up = here.parent, up + 1
    return "../" * up + str(PurePosixPath(target).relative_to(here))


def front(**meta: object) -> str:
    """The head of a page: what the search and the theme are told of it."""
    return "---\n" + "".join(f"{name}: {json.dumps(value)}\n" for name, value in meta.items()) + "---\n\n"

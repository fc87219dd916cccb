"""The index of the ops, and a page for each function that is made of them: combinators, policies and their like."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import augfn as af
import augfn_nn
from benchmarks import catalogue
from benchmarks.equivalents import PEERS, peers_names, rows
from notebooks.site.api import entry, first_line
from notebooks.site.ops import BESIDE, KNOWN, PICTURES, elsewhere, families, words_for_search
from notebooks.site.text import escaped, front, table

INTRODUCTION = """\
{ops} ops, each a function `augfn.<name>(...)` that returns an augmentation; a picture shows one draw of the default ranges.
The search finds an op by the names that kornia, torchvision, albumentations, MONAI, TorchIO, timm and imgaug have for it."""


def pages() -> Iterator[tuple[str, str]]:
    """Places and texts of the index and of those pages."""
    yield "ops/index.md", index()
    for names in BESIDE.values():
        for name in names:
            yield f"ops/{name}.md", page(name)


def page(name: str) -> str:
    """Signature and docstring, and the names that the peers have for it."""
    body = entry("af", name, getattr(af, name), 1)
    head = front(title=name, description=summary(name), tags=words_for_search(name))
    modules = ", ".join(f"`augfn_nn.{n}`" for n in modules_of(name))
    said = f"\n\n## Modules\n\n{modules}." if modules else ""
    return f"{head}{body}\n\n## Names elsewhere\n\n{elsewhere(peers_names(name))}{said}\n"


def modules_of(name: str) -> list[str]:
    """The classes of augfn_nn that stand beside a function in the tables of names."""
    beside = (n for peer in PEERS for row in rows(peer) if row.ours[:1] == (name,) for n in row.ours[1:])
    return list(dict.fromkeys(n for n in beside if hasattr(augfn_nn, n)))


def summary(name: str) -> str:
    return first_line(inspect.getdoc(getattr(af, name))).partition(". ")[0].rstrip(".:")


def index() -> str:
    """All of them by family; ops with small pictures."""
    parts = ["# Ops", INTRODUCTION.format(ops=len(KNOWN))]
    for title, names in families().items():
        parts += [f"## {title}", '<div class="ops">\n' + "\n".join(map(card, names)) + "\n</div>"]
    for title, known in BESIDE.items():
        listing = [[f"[`{n}`]({n}.md)", escaped(summary(n))] for n in known]
        parts += [f"## {title}", table(("function", "what it does"), listing)]
    return "\n\n".join(parts) + "\n"


def card(name: str) -> str:
    small = f'<img src="small/{name}.webp" alt="" loading="lazy">' * (PICTURES / f"{name}.jpg").exists()
    words = catalogue.summary(KNOWN[name]).replace('"', "&quot;").replace("<", "&lt;")
    return f'<a href="{name}/" title="{words}">{small}{name}</a>'

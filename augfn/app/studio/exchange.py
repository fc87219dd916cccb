"""Saving and loading on the page: YAML, Python, modules; pipelines of peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

from augfn.app.studio.controls import Tag, button
from augfn.app.studio.exports import as_yaml

if TYPE_CHECKING:
    from augfn.app.studio.page import Page


class Exchange:
    """The panel of files."""

    def __init__(self, page: Page) -> None:
        self.page = page
        button("Download YAML", lambda: ui.download.content(as_yaml(page.studio.root), "policy.yaml"))
        self.code = Tag("pre", tabindex=0, aria_label="The pipeline as YAML")

    def show(self) -> None:
        self.code.text = as_yaml(self.page.studio.root)

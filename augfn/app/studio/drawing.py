"""What lies on the image: boxes, keypoints and a mask, drawn on the page, written, or loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nicegui import ui

if TYPE_CHECKING:
    from augfn.app.studio.page import Page


class Drawing:
    """The panel of what lies on the image."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.show()

    @ui.refreshable_method
    def show(self) -> None: ...

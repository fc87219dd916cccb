"""What the panels of the page know of it: the state, how something is tried, and how it is shown anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import run

from augfn.app.studio.controls import Tag
from augfn.app.studio.state import Studio, line_of


class Host:
    """The page, to its panels."""

    studio: Studio
    error: Tag

    def complain(self, line: str) -> None:
        """What is wrong, in one line on the page; nothing where all is well."""
        self.error.text = line

    async def attempt(self, act: Callable[..., Any], *args: Any) -> Any:
        """Do something away from the page; what goes wrong is said on it, and None comes back."""
        try:
            made = await run.io_bound(act, *args)
        except Exception as error:
            self.complain(line_of(error))
            return None
        self.complain("")
        return made

    async def redraw(self) -> None:
        """Draw with the pipeline as it is now."""
        raise NotImplementedError

    async def rebuilt(self) -> None:
        """Another pipeline: its steps are shown, and it is drawn."""
        raise NotImplementedError

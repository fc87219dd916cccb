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
    wrong: dict[str, str]  # what was asked for last, and what is drawn: each with what is wrong with it

    def complain(self, line: str, what: str = "asked") -> None:
        """What is wrong, in one line on the page; nothing where all is well."""
        self.wrong[what] = line
        self.error.text = " – ".join(filter(None, self.wrong.values()))

    async def attempt(self, act: Callable[[], Any], what: str = "asked") -> Any:
        """Do something away from the page; what goes wrong is said on it, and None comes back."""
        try:
            made = await run.io_bound(act)
        except Exception as error:
            self.complain(line_of(error), what)
            return None
        self.complain("", what)
        return made

    async def draw(self, act: Callable[[], Any]) -> Any:
        """The same of what is shown, which leaves what is wrong with what was asked for."""
        return await self.attempt(act, "drawn")

    async def redraw(self) -> None:
        """Draw with the pipeline as it is now."""
        raise NotImplementedError

    async def rebuilt(self) -> None:
        """Another pipeline: its steps are shown, and it is drawn."""
        raise NotImplementedError

    async def replayed(self) -> None:
        """Another draw is chosen, or its params are others: it is shown, and how it is written."""
        raise NotImplementedError

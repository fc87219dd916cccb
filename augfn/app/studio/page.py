"""The page of one user: what is open, the pipeline, the grid of draws, and one draw looked at closely."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nicegui import ui

from augfn.app.studio.controls import Tag, button, check, choice, files, whole
from augfn.app.studio.drawing import Drawing
from augfn.app.studio.editing import Editing
from augfn.app.studio.exchange import Exchange
from augfn.app.studio.host import Host
from augfn.app.studio.looking import Looking
from augfn.app.studio.opened import Item
from augfn.app.studio.pictures import AXES, encoded
from augfn.app.studio.state import Studio, line_of
from augfn.app.studio.steps import Step

STYLE = Path(__file__).with_name("style.css")
SIDE_BY_SIDE = 100  # draws at most


@contextmanager
def card(title: str, classes: str = "") -> Iterator[Tag]:
    """A part of the page with its heading."""
    with Tag("section", classes=f"card {classes}", aria_label=title) as made:
        Tag("h2", title)
        yield made


class Page(Host):
    """What one user sees; `studio` is the state, which no other page shares."""

    def __init__(self, items: list[Item], root: Step | None) -> None:
        self.studio = Studio()
        for item in items:
            self.studio.add(item.copy())
        self.studio.show(0)
        if root is not None:
            self.studio.root = copy.deepcopy(root)
        self.running = self.again = False
        self.count = 0  # of the grids that were shown
        self.wrong = {}
        self.cells: dict[tuple[int, int], tuple[Tag, Tag]] = {}
        ui.add_css(STYLE.read_text(encoding="utf-8"))
        self.dark = ui.dark_mode(None)
        self.build()
        ui.context.client.on_delete(self.studio.forget)
        ui.on_exception(lambda error: self.complain(line_of(error)))  # what nothing else has caught
        ui.timer(0.05, self.redraw, once=True)

    def build(self) -> None:
        with Tag("header", classes="top"):
            Tag("h1", "augfn studio")
            self.pick = Tag("div", classes="line")
            files("Open images …", "image/*,.npy,.nii,.nii.gz,.gz", self.open, self.complain, many=True)
            choice("Theme", {"auto": "as the system", "light": "light", "dark": "dark"}, "auto", self.theme)
        with Tag("main", classes="studio"):
            with Tag("div", classes="side"):
                with card("Pipeline"):
                    self.editing = Editing(self)
                with card("On the image", "late"):
                    self.drawing = Drawing(self)
            with Tag("div", classes="main"):
                with card("Draws"):
                    self.status = Tag("div", classes="dim says", role="status", aria_live="polite")
                    self.error = Tag("div", classes="bad", role="alert")
                    with Tag("div", classes="line"):
                        self.seed_box = whole("Key", 0, 0, 2**31 - 1, self.set_seed)
                        button("Next key", lambda: self.set_seed(self.studio.seed + 1))
                        self.n_box = whole("Draws", self.studio.n, 1, SIDE_BY_SIDE, self.set_n)
                        check("Show mask", True, lambda v: self.set_look(mask=v), "mask")
                        check("Show boxes", True, lambda v: self.set_look(boxes=v), "boxes")
                        check("Show keypoints", True, lambda v: self.set_look(points=v), "keypoints")
                    self.slices = Tag("div", classes="line")
                    self.grid = Tag("div", classes="grid")
                with card("One draw"):
                    self.looking = Looking(self)
                with card("Save and load", "late"):
                    self.exchange = Exchange(self)
        self.show_open()

    # what happens

    def theme(self, value: str) -> None:
        self.dark.value = {"auto": None, "light": False, "dark": True}[value]

    async def open(self, name: str, data: bytes) -> None:
        if await self.attempt(lambda: self.studio.open(name, data)) is not None:
            await self.opened()

    async def opened(self) -> None:
        """Something else is shown."""
        self.show_open()
        self.editing.show.refresh()
        self.drawing.show.refresh()
        self.n_box.put(self.studio.n)
        await self.redraw()

    def show_open(self) -> None:
        """The list of what is open, and the slices of a volume."""
        studio = self.studio
        self.pick.clear()
        with self.pick:
            names = {str(i): item.name for i, item in enumerate(studio.items)}
            choice("Image", names, str(studio.at), self.show_item)
            if len(studio.items) > 1:
                button("Close image", self.close_item)
        self.slices.clear()
        with self.slices:
            if studio.item.ndim == 3:
                axes = {str(axis): words for words, axis in AXES.items()}
                choice("Slices", axes, str(studio.look.axis), lambda v: self.set_look(axis=int(v)))
                with Tag("label", classes="field"):
                    Tag("span", "Slice")
                    box = Tag("input", type="range", min=0, max=1, step=0.01, value=studio.look.at, aria_label="Slice")
                box.on(
                    "input",
                    lambda e: self.set_look(at=float(e.args)),
                    throttle=0.08,
                    js_handler="(e) => emit(e.target.value)",
                )

    async def show_item(self, at: str) -> None:
        self.studio.show(int(at))
        await self.opened()

    async def close_item(self) -> None:
        if await self.attempt(lambda: self.studio.close() or True):
            await self.opened()

    async def set_seed(self, seed: int) -> None:
        self.studio.seed, self.studio.edited = min(seed, 2**31 - 1), None
        self.seed_box.put(self.studio.seed)
        await self.redraw()

    async def set_n(self, n: int) -> None:
        self.studio.n, self.studio.edited = n, None
        await self.redraw()

    async def set_look(self, **changed: Any) -> None:
        self.studio.look = self.studio.look._replace(**changed)
        if self.studio.outs:
            await self.pictures()

    async def rebuilt(self) -> None:
        self.editing.show.refresh()
        await self.redraw()

    async def redraw(self) -> None:
        """Draw with the pipeline as it is now; of calls that come while one is busy the last counts."""
        if self.running:
            self.again = True
            return
        self.running = True
        try:
            while True:
                self.again = False
                if await self.draw(self.drawn) is not None:
                    await self.pictures()
                self.count += 1
                self.status.set(data_drawn=self.count)
                if not self.again:
                    break
        finally:
            self.running = False

    def drawn(self) -> bool:
        self.studio.draw()
        return True

    async def pictures(self) -> None:
        """Show what was drawn."""
        made = await self.draw(lambda: [(i, v, encoded(p)) for i, v, p in self.studio.grid()])
        if made is None:
            return
        studio, places = self.studio, [(i, v) for i, v, _ in made]
        if places != [*self.cells]:
            self.grid.clear()
            with self.grid:
                self.cells = {at: self.cell(*at, len(studio.outs[0])) for at in places}
        for i, v, source in made:
            frame, image = self.cells[i, v]
            image.set(src=source)
            frame.set(aria_pressed=str(i == studio.chosen).lower())
        self.status.text = f"Drawn in {1000 * studio.took:.0f} ms. {studio.says()}".strip()
        await self.replayed()

    async def replayed(self) -> None:
        """Another draw is chosen, or its params are others: it is shown, and how it is written."""
        await self.looking.show()
        self.exchange.show()

    def cell(self, i: int, view: int, views: int) -> tuple[Tag, Tag]:
        name = f"Draw {i + 1}" + (f", view {view + 1}" if views > 1 else "")
        frame = Tag("button", type="button", aria_label=name)
        with frame:
            image = Tag("img", alt="")
            Tag("span", name, "dim")
        frame.on("click", lambda _: self.choose(i, view), args=[])
        return frame, image

    async def choose(self, i: int, view: int) -> None:
        if await self.attempt(lambda: self.studio.choose(i, view) or True):
            for (j, _), (frame, _) in self.cells.items():
                frame.set(aria_pressed=str(j == i).lower())
            await self.replayed()

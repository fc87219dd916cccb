"""One draw on the page: before and after, its params to edit, what became of boxes and masks, gradients and times."""

from __future__ import annotations

from typing import Any

from nicegui import ui
from torch.utils._pytree import tree_map_only

from augfn.app.studio.controls import Tag, Turn, button, choice, text
from augfn.app.studio.host import Host
from augfn.app.studio.leaves import AXES, HIDDEN, Dial, ends_of, tick
from augfn.app.studio.measures import LOSSES, MANY, fates, range_slopes, slopes, timings
from augfn.app.studio.pictures import encoded
from augfn.core.draw import leaves_of

CUT = "(e) => e.target.closest('.compare').style.setProperty('--cut', e.target.value + '%')"
OF = {"values": "the values of this draw", "ranges": "the ranges, over all draws"}
TABS = ("Params", "Boxes and masks", "Gradient", "Time")


class Looking:
    """The panel of the chosen draw."""

    def __init__(self, page: Host) -> None:
        self.page, self.loss, self.of, self.tab = page, next(iter(LOSSES)), "values", TABS[0]
        self.turns: dict[tuple[str, tuple[int, ...]], Turn] = {}
        self.title = Tag("p", classes="dim", aria_live="polite")
        with Tag("div", classes="two"):
            with Tag("div", classes="compare"):
                with Tag("div", classes="stack"):
                    self.after = Tag("img", alt="The chosen draw")
                    self.before = Tag("img", classes="over", alt="The image before")
                    Tag("div", classes="edge")
                slide = Tag("input", type="range", min=0, max=100, step=1, value=50, aria_label="Before and after")
                slide.on("input", js_handler=CUT)
                with Tag("div", classes="line dim"):
                    Tag("span", "left of the line: before, right of it: after")
            with Tag("div"):
                with ui.tabs(on_change=lambda e: self.turn_to(str(e.value))).props(
                    "dense align=left inline-label no-caps"
                ) as tabs:
                    for name in TABS:
                        ui.tab(name)
                self.body = Tag("div", classes="nested")
        tabs.value = self.tab

    async def turn_to(self, tab: str) -> None:
        self.tab, self.turns = tab, {}
        if self.page.studio.one:
            await self.show()

    async def show(self) -> None:
        """Show the chosen draw as it is now."""
        studio = self.page.studio
        made = await self.page.draw(lambda: (encoded(studio.before()), encoded(studio.after())))
        if made is None:
            return
        self.before.set(src=made[0])
        self.after.set(src=made[1])
        state = " (edited)" if studio.edited is not None else ""
        self.title.text = f"Draw {studio.chosen + 1} of key {studio.seed}{state}: {studio.words()}"
        await {"Params": self.params, "Boxes and masks": self.targets, "Gradient": self.gradient, "Time": self.time}[
            self.tab
        ]()

    # params

    async def params(self) -> None:
        """A dial for each number that was drawn; they stay where they are while the leaves do."""
        studio = self.page.studio
        found = {}
        for path, t in leaves_of(studio.drawn).items():
            if path.rpartition("/")[2] in HIDDEN or t[0].numel() > MANY:
                continue
            meaning = studio.f.meanings[path]
            for i, v in enumerate(t[0].flatten().tolist()):
                at = () if t[0].ndim == 0 else (i,)
                axis = "value" if not at else AXES[i] if t[0].numel() <= 3 else str(i + 1)
                ends = ends_of(meaning, [v])
                if t[0].ndim < 2:
                    found[path, at] = (meaning, Dial(at, axis, v, *ends, tick(*ends)))
        if found.keys() == self.turns.keys() and self.turns:
            for key, (_, dial) in found.items():
                self.turns[key].show(dial.value)
            return
        self.body.clear()
        self.turns = {}
        with self.body:
            with Tag("div", classes="line"):
                button("As it was drawn", self.restore)
                Tag("span", "Values of this draw; a change replays it with the others as they are.", "dim")
            last = ""
            for (path, at), (meaning, dial) in found.items():
                if path != last:
                    with Tag("div", classes="what"):
                        Tag("b", path)
                        Tag("span", f" {meaning.unit}", "dim")
                    last = path
                name = f"Value of {path}" + (f" {dial.label}" if at else "")
                self.turns[path, at] = Turn(name, dial, lambda v, path=path, at=at: self.edit(path, at, v))
            if not found:
                Tag("p", "Nothing was drawn.", "dim")

    async def edit(self, path: str, at: tuple[int, ...], value: float) -> None:
        if await self.page.attempt(lambda: self.page.studio.edit(path, at, value) or True):
            await self.page.replayed()

    async def restore(self) -> None:
        if await self.page.attempt(lambda: self.page.studio.restore() or True):
            self.turns = {}
            await self.page.replayed()

    # what became of targets, gradients, times

    async def targets(self) -> None:
        studio = self.page.studio
        rows = fates(studio.source, studio.shown) if studio.drawn else []
        self.body.clear()
        with self.body:
            least = text(
                "Boxes with less than this share left are not valid", f"{studio.min_visibility:g}", self.visibility
            )
            least.set(inputmode="decimal")
            if rows:
                self.table(("", "before", "after", "left"), [(r.name, r.before, r.after, r.left) for r in rows])
            else:
                Tag("p", "No boxes, keypoints or mask: draw or load them under “On the image”.", "dim")

    async def visibility(self, written: str) -> None:
        try:
            value = float(written)
        except ValueError:
            value = -1.0
        if not 0 <= value <= 1:
            return self.page.complain(f"share of a box: {written!r} is no number from 0 to 1, such as 0.3")
        self.page.studio.min_visibility = value
        return await self.page.redraw()

    async def gradient(self) -> None:
        studio = self.page.studio

        def found() -> Any:
            if studio.f.mixes:
                raise ValueError("the gradient is shown for pipelines of one image, and this one mixes")
            if self.of == "ranges":
                return range_slopes(studio.f, studio.batch(studio.f), studio.keys(), self.loss)
            batch = tree_map_only(type(studio.item.small), lambda t: t[None], studio.sample())
            return slopes(studio.f, batch, studio.drawn, self.loss)

        made = await self.page.draw(found)
        self.body.clear()
        with self.body:
            with Tag("div", classes="line"):
                choice("Loss", {n: n for n in LOSSES}, self.loss, lambda loss: self.ask(loss, self.of))
                choice("Gradient to", OF, self.of, lambda of: self.ask(self.loss, of))
            if made is None:
                return
            value, rows = made
            Tag(
                "p",
                f"{self.loss}: {value:.4g}. A bar is what a hundredth of the dial's interval would change it by.",
                "dim",
            )
            most = max((abs(s.change) for s in rows), default=0.0) or 1.0
            with Tag("div", classes="scroll"), Tag("table", classes="bars"):
                with Tag("thead"), Tag("tr"):
                    for words in ("leaf", "", "per unit"):
                        Tag("th", words, "n" if words == "per unit" else "")
                with Tag("tbody"):
                    for s in rows:
                        with Tag("tr"):
                            Tag("td", s.name, title=s.unit)
                            with Tag("td"):
                                words = f"{s.name}: {s.change:.3g}"
                                with Tag("div", classes="bar", role="img", aria_label=words, title=s.why or words):
                                    share = 50 * abs(s.change) / most
                                    left = 50 - share if s.change < 0 else 50
                                    Tag("i").style(f"left: {left:.2f}%; width: {share:.2f}%")
                            Tag("td", f"{s.per_unit:.3g}" if not s.why else "0", "n", title=s.why or s.unit)

    async def ask(self, loss: str, of: str) -> None:
        self.loss, self.of = loss, of
        await self.gradient()

    async def time(self) -> None:
        studio = self.page.studio
        rows = await self.page.draw(lambda: timings(studio.f, studio.batch(studio.f), studio.params))
        self.body.clear()
        with self.body:
            button("Measure again", self.time)
            if rows:
                self.table(("step", "ms an image"), [(name, f"{spent:.2f}") for name, spent in rows], 1)
                size = " x ".join(map(str, reversed(studio.item.size)))
                words = (
                    "replayed on this machine, the fastest of three; steps alone are not fused with their neighbours"
                )
                Tag("p", f"{studio.n} draws of {size}, {words}.", "dim")

    def table(self, head: tuple[str, ...], rows: list[tuple[str, ...]], numeric: int = 9) -> None:
        with Tag("div", classes="scroll"), Tag("table"):
            with Tag("thead"), Tag("tr"):
                for i, words in enumerate(head):
                    Tag("th", words, "n" if i >= numeric else "")
            with Tag("tbody"):
                for row in rows:
                    with Tag("tr"):
                        for i, words in enumerate(row):
                            Tag("td", words, "n" if i >= numeric else "")

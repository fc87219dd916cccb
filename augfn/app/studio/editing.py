"""The pipeline on the page: steps to add, order and take away, with a dial for each number of theirs."""

from __future__ import annotations

from typing import Any

import yaml
from nicegui import ui

from augfn.app.studio.catalogue import entries, step_of
from augfn.app.studio.controls import Tag, Turn, button, check, choice, text
from augfn.app.studio.host import Host
from augfn.app.studio.leaves import CHOICES, Row, Setting, reformed, rows_of, settings_of, turned
from augfn.app.studio.state import line_of
from augfn.app.studio.steps import ROOTS, Step

FORMS = {"fixed": "fixed", "range": "range", "normal": "normal", "truncated_normal": "truncated normal", "off": "off"}
TOGGLED = "(e) => emit(e.target.open)"


class Editing:
    """The panel of the pipeline."""

    def __init__(self, page: Host) -> None:
        self.page = page
        self.open = {id(s) for s in page.studio.root.steps[1:2]}  # steps whose dials are shown
        self.unfolded = set[Any]()  # settings that are shown
        self.unmade = set[int]()  # steps that are shown without dials, since they cannot be made
        self.into: Step | None = None  # where steps are added; None: at the end of the whole
        self.show()

    @property
    def root(self) -> Step:
        return self.page.studio.root

    @ui.refreshable_method
    def show(self) -> None:
        self.unmade.clear()
        known = entries(self.page.studio.item.ndim)
        names = {n: e.label for n, e in known.items()}
        if self.into is not None and not any(s is self.into for s in self.root.walk()):
            self.into = None
        where = f" to {self.into.name}" if self.into is not None else " as a view" if self.root.name == "views" else ""
        pick = ui.select(names, label=f"Add a step{where}: op, policy, recipe, or a peer's name", with_input=True)
        pick.props('dense outlined options-dense popup-content-class="names"').style("width: 100%")
        pick.on_value_change(lambda e: self.add(e.value) if e.value else None)
        with Tag("div", classes="nested", role="list", aria_label="Steps"):
            for step in self.root.steps:
                self.row(step)
        if not self.root.steps:
            Tag("p", "No steps: the image stays as it is.", "dim")
        with Tag("div", classes="line"):
            button("Remove all", self.clear)
            if self.into is not None:
                button("Add to the whole pipeline again", lambda: self.target(None))
        with self.folded("", "Settings of the pipeline"), Tag("div", classes="nested"):
            for name in ("interpolation", "padding_mode", "fill", "fill_mask"):
                self.setting(self.root, Setting(name, self.root.given.get(name), CHOICES.get(name, ())))

    def row(self, step: Step) -> None:
        """One step with its buttons; below it its dials, where they are open, and the steps that it is made of."""
        shown = id(step) in self.open
        with Tag("div", classes=f"step{'' if step.on else ' off'}", role="listitem"):
            with Tag("div", classes="head"):
                check(f"{step.name} is on", step.on, lambda v: self.switch(step, v), " ")
                button(step.name, lambda: self.unfold(step), classes="name").set(aria_expanded=str(shown).lower())
                button("↑", lambda: self.change(self.root.move, step, -1), f"Move {step.name} up", "small")
                button("↓", lambda: self.change(self.root.move, step, 1), f"Move {step.name} down", "small")
                button("✕", lambda: self.change(self.root.remove, step), f"Remove {step.name}", "small")
            if shown:
                with Tag("div", classes="inner"):
                    self.inner(step)

    def inner(self, step: Step) -> None:
        entry = entries(self.page.studio.item.ndim).get(step.name)
        if entry:
            Tag("p", entry.says, "dim")
        try:
            rows, settings = rows_of(step), settings_of(step)
        except Exception as error:
            self.unmade.add(id(step))
            Tag("p", line_of(error), "bad")
            rows, settings = [], [Setting(n, v) for n, v in step.given.items()]
        for row in rows:
            self.leaf(step, row)
        if settings:
            with self.folded(id(step), f"Settings of {step.name}"), Tag("div", classes="nested"):
                for setting in settings:
                    self.setting(step, setting)
        if step.group:
            for name, value in step.given.items():
                self.setting(step, Setting(name, value))
            with Tag("div", classes="nested", role="list", aria_label=f"Steps of {step.name}"):
                for s in step.steps:
                    self.row(s)
            button(f"Add steps to {step.name}", lambda: self.target(step))

    def folded(self, key: Any, words: str) -> Tag:
        """What is folded until it is asked for, and then stays as it was left."""
        made = Tag("details", open=key in self.unfolded or None)
        made.on("toggle", lambda e: (self.unfolded.add if e.args else self.unfolded.discard)(key), js_handler=TOGGLED)
        with made:
            Tag("summary", words)
        return made

    # leaves and settings

    def leaf(self, step: Step, row: Row) -> None:
        name = f"{step.name} {row.name}"
        with Tag("div", classes="leaf", role="group", aria_label=name):
            with Tag("div", classes="what"):
                with Tag("span"):
                    Tag("b", row.name)
                    Tag("span", f" {row.meaning.unit}, {row.interval}", "dim")
                forms = {n: w for n, w in FORMS.items() if row.name != "p" or n == "fixed"}
                forms |= {} if row.form in forms else {row.form: row.form.replace("_", " ")}
                if len(forms) > 1:
                    choice(f"{name}, form", forms, row.form, lambda form: self.form(step, row, form), label="")
            turns: dict[Any, Turn] = {}
            held = [row.value]  # in the form that the dials point into, also while the step cannot be made
            for dial in row.dials:
                turns[dial.at] = Turn(
                    f"{name} {dial.label}", dial, lambda v, at=dial.at: self.turn(step, row.name, at, v, held, turns)
                )
            if not row.dials and row.value is not None:
                value = yaml.safe_dump(row.value, default_flow_style=True).strip().removesuffix("\n...")
                text(f"{name}, as in YAML", value, lambda t: self.write(step, row.name, t), label="")

    async def turn(
        self, step: Step, name: str, at: Any, number: float, held: list[Any], turns: dict[Any, Turn]
    ) -> None:
        """A dial was moved: the others of its leaf follow where they have to."""
        self.page.complain("")
        step.given[name] = held[0] = turned(held[0], at, number)
        self.follow(step, name, turns)
        await self.page.redraw()

    def follow(self, step: Step, name: str, turns: dict[Any, Turn]) -> None:
        try:
            dials = next(r.dials for r in rows_of(step) if r.name == name)
        except Exception as error:
            return self.page.complain(line_of(error), "drawn")
        for dial in dials:
            if dial.at in turns:
                turns[dial.at].show(dial.value)
        return None

    async def form(self, step: Step, row: Row, form: str) -> None:
        def formed() -> None:
            current = next(r for r in rows_of(step) if r.name == row.name)
            step.given[row.name] = reformed(current, form)

        await self.change(formed)

    def setting(self, step: Step, setting: Setting) -> None:
        name = f"{step.name} {setting.name}"
        if setting.choices == (True, False):
            check(name, bool(setting.value), lambda v: self.put(step, setting.name, v), setting.name)
        elif setting.choices:
            options = {"": "as the pipeline" if step.name not in ROOTS else "as usual"} | {
                c: c for c in setting.choices
            }
            with Tag("div", classes="line"):
                choice(
                    name,
                    options,
                    setting.value or "",
                    lambda v: self.put(step, setting.name, v or None),
                    label=setting.name,
                )
        else:
            shown = "" if setting.value is None else yaml.safe_dump(setting.value, default_flow_style=True)
            text(
                name,
                shown.strip().removesuffix("\n..."),
                lambda t: self.write(step, setting.name, t),
                label=setting.name,
            )

    async def write(self, step: Step, name: str, written: str) -> None:
        """A setting as it is written in YAML."""
        try:
            value = yaml.safe_load(written) if written.strip() else None
        except yaml.YAMLError:
            return self.page.complain(f"{step.name} {name}: {written!r} is no YAML, such as 3, [1, 2] or bilinear")
        return await self.put(step, name, value)

    async def put(self, step: Step, name: str, value: Any) -> None:
        self.page.complain("")
        if value is None:
            step.given.pop(name, None)
        else:
            step.given[name] = value
        if id(step) in self.unmade:
            self.show.refresh()
        await self.page.redraw()

    # steps

    async def change(self, act: Any, *args: Any) -> None:
        """Another form of the pipeline: shown, and drawn."""
        try:
            act(*args)
        except Exception as error:
            return self.page.complain(line_of(error))
        self.page.complain("")
        self.show.refresh()
        return await self.page.redraw()

    async def add(self, name: str) -> None:
        studio = self.page.studio

        def added() -> None:
            step = step_of(name, studio.item.size)
            if step.name == "views" and self.root.steps:
                raise ValueError(f"{name} gives several views, and is a whole pipeline: remove all steps first")
            self.open = {id(step)}
            if step.name in ROOTS and not self.root.steps:
                studio.root = step
            elif self.into is not None:
                self.into.steps.append(step)
                self.open.add(id(self.into))
            else:
                self.root.steps.append(step)

        await self.change(added)

    async def switch(self, step: Step, on: bool) -> None:
        step.on = on
        await self.change(lambda: None)

    def unfold(self, step: Step) -> None:
        self.open ^= {id(step)}
        self.show.refresh()

    def target(self, step: Step | None) -> None:
        self.into = step
        self.show.refresh()

    async def clear(self) -> None:
        self.page.studio.root = Step("pipeline")
        await self.change(lambda: None)

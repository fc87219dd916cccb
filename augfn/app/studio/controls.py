"""Controls of the page: the browser's own inputs, which a keyboard and a screen reader know, with their names."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from nicegui import events, ui
from nicegui.elements.mixins.text_element import TextElement

from augfn.app.studio.leaves import Dial
from augfn.app.studio.opened import FILE

VALUE = "(e) => emit(e.target.value)"
SAME = 1e-6  # of a number, which float32 rounds
WAIT = 0.08  # seconds between the events of a slider


class Tag(TextElement):
    """An HTML element by its tag, with attributes, and a text.

    The `value` of an input is the one that it begins with (Vue's `^value`): what a user types or moves stays as it is, whatever
    else changes on the page, until `put` changes it.
    """

    def __init__(self, tag: str, text: str = "", classes: str = "", **attributes: Any) -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)
        self.set(**attributes)

    def set(self, **attributes: Any) -> None:
        """Set attributes; `aria_label` is aria-label, None takes one away."""
        for name, value in attributes.items():
            key = "^value" if name == "value" and self.tag == "input" else name.replace("_", "-")
            self.props.set_optional(key, value)

    def put(self, value: Any) -> None:
        """Another value of an input."""
        script = f"const e = document.getElementById('c{self.id}'); if (e) e.value = {json.dumps(value)}"
        self.client.run_javascript(script)


def short(value: float) -> str:
    return f"{value:.6g}"


class Turn:
    """A slider with a number beside it, of one name; in the browser each follows the other."""

    def __init__(self, name: str, dial: Dial, turned: Callable[[float], Any]) -> None:
        self.turned, self.value = turned, dial.value
        ends = {"min": short(dial.low), "max": short(dial.high), "step": "any"}
        alone = dial.label == "value"
        with Tag("div", classes="turn one" if alone else "turn"):
            if not alone:
                Tag("span", dial.label, "dial-name", aria_hidden="true")
            self.slider = Tag("input", type="range", aria_label=name, **ends, value=short(dial.value))
            number = {"aria_label": f"{name}, number", "step": short(dial.step), "value": short(dial.value)}
            self.number = Tag("input", type="number", **number)
        self.slider.on("input", lambda e: self.moved(e.args), throttle=WAIT, js_handler=snapping(dial))
        self.number.on("change", lambda e: self.moved(e.args), js_handler=FOLLOWED)

    def moved(self, text: Any) -> Any:
        try:
            self.value = float(text)
        except (TypeError, ValueError):
            return None
        return self.turned(self.value)

    def show(self, value: float) -> None:
        """What it stands at now, where that is not where it was put."""
        if abs(value - self.value) > SAME * max(1.0, abs(value)):
            self.value = value
            self.slider.put(short(value))
            self.number.put(short(value))


FOLLOWED = "(e) => {e.target.parentElement.querySelector('[type=range]').value = e.target.value; emit(e.target.value)}"


def snapping(dial: Dial) -> str:
    """A slider moves by round steps; its ends are met."""
    return (
        f"(e) => {{const v = Number(e.target.value), s = {dial.step}, a = {dial.low}, b = {dial.high};"
        "const r = v <= a ? a : v >= b ? b : Math.min(b, Math.max(a, Math.round(v / s) * s));"
        "const t = String(Number(r.toPrecision(7)));"
        "e.target.parentElement.querySelector('[type=number]').value = t; emit(t)}"
    )


def whole(name: str, value: int, low: int, high: int, set_: Callable[[int], Any]) -> Tag:
    """A field for a whole number."""
    with Tag("label", classes="field"):
        Tag("span", name)
        box = Tag("input", type="number", min=low, max=high, step=1, value=value)

    def changed(e: events.GenericEventArguments) -> Any:
        try:
            number = min(high, max(low, int(float(e.args))))
        except (TypeError, ValueError):
            number = value
        box.put(number)
        return set_(number)

    box.on("change", changed, js_handler=VALUE)
    return box


def text(name: str, value: str, set_: Callable[[str], Any], label: str | None = None) -> Tag:
    """A field for a line of text, which counts when it is left; `label`: what is seen of its name."""
    with Tag("label", classes="field"):
        Tag("span", name if label is None else label)
        box = Tag("input", type="text", value=value, aria_label=name)
    box.on("change", lambda e: set_(str(e.args)), js_handler=VALUE)
    return box


def check(name: str, value: bool, set_: Callable[[bool], Any], label: str = "") -> Tag:
    """A box to tick."""
    with Tag("label", classes="check"):
        box = Tag("input", type="checkbox", checked=value or None, aria_label=name)
        Tag("span", label or name)
    box.on("change", lambda e: set_(bool(e.args)), js_handler="(e) => emit(e.target.checked)")
    return box


def choice(name: str, options: dict[str, str], value: str, set_: Callable[[str], Any], label: str | None = None) -> Tag:
    """A list to choose from: values with their words."""
    with Tag("label", classes="field"):
        Tag("span", name if label is None else label)
        box = Tag("select", aria_label=name)
        with box:
            for v, words in options.items():
                Tag("option", words, value=v, selected=(v == value) or None)
    box.on("change", lambda e: set_(str(e.args)), js_handler=VALUE)
    return box


def button(words: str, act: Callable[[], Any], name: str = "", classes: str = "") -> Tag:
    """A button, with another name than its words where these are a sign."""
    made = Tag("button", words, classes, type="button", aria_label=name or None, title=name or None)
    return made.on("click", lambda _: act(), args=[])


def files(
    words: str, accept: str, came: Callable[[str, bytes], Any], refused: Callable[[str], Any], many: bool = False
) -> None:
    """Files that the user picks: their bytes come to this page's own address, and stay in memory."""

    async def arrived(e: events.UploadEventArguments) -> None:
        await came(e.file.name, await e.file.read())

    inner = ui.upload(on_upload=arrived, multiple=many).classes("gone")
    send = (
        "async (e) => {for (const f of e.target.files) {"
        f"if (f.size > {FILE}) {{emit(f.name); continue;}}"
        "const d = new FormData(); d.append('file', f, f.name);"
        f"const r = await fetch({json.dumps(inner.props['url'])}, {{method: 'POST', body: d}});"
        "if (!r.ok) emit(f.name);} e.target.value = '';}"
    )
    with Tag("label", classes="button"):
        Tag("span", words)
        box = Tag("input", classes="unseen", type="file", accept=accept, multiple=many or None)
    box.on(
        "change", lambda e: refused(f"{e.args}: not taken; files of {FILE // 2**20} MB at most are"), js_handler=send
    )

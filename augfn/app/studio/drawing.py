"""What lies on the image: boxes, keypoints and a mask, drawn on the page, written, or loaded."""

from __future__ import annotations

import json
from typing import Any

from nicegui import ui

from augfn.app.studio import opened
from augfn.app.studio.controls import Tag, button, choice, files, text, whole
from augfn.app.studio.host import Host
from augfn.app.studio.opened import LABELS
from augfn.app.studio.pictures import Look, encoded, picture
from augfn.files.values import PolicyError
from augfn.saving import data_of

TOOLS = {"box": "draw a box", "point": "set a keypoint", "mask": "paint the mask", "erase": "erase the mask"}
LEAST = 2.0  # pixels of a side of a box that is drawn
BEGIN = (
    "(e) => {const c = e.currentTarget, r = c.getBoundingClientRect(); c.setPointerCapture(e.pointerId); e.preventDefault();"
    "c._line = [[(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height]]}"
)
GO = (
    "(e) => {const c = e.currentTarget; if (!c._line) return; const r = c.getBoundingClientRect();"
    "c._line.push([(e.clientX - r.left) / r.width, (e.clientY - r.top) / r.height]);"
    'const a = c._line[0], b = c._line.at(-1), s = \'fill="none" stroke="#ffd400" vector-effect="non-scaling-stroke"\';'
    "c.querySelector('svg').innerHTML = c.dataset.tool === 'box' ?"
    '`<rect x="${Math.min(a[0], b[0])}" y="${Math.min(a[1], b[1])}" width="${Math.abs(a[0] - b[0])}"'
    ' height="${Math.abs(a[1] - b[1])}" ${s} stroke-width="2"/>` :'
    "`<polyline points=\"${c._line.map(p => p.join(',')).join(' ')}\" ${s} stroke-width=\"${c.dataset.width}\"/>`}"
)
END = (
    "(e) => {const c = e.currentTarget; if (!c._line) return; const l = c._line; c._line = null;"
    "c.querySelector('svg').innerHTML = ''; emit(JSON.stringify(l.slice(0, 2000)))}"
)


class Drawing:
    """The panel of what lies on the image."""

    def __init__(self, page: Host) -> None:
        self.page, self.tool, self.label, self.width = page, "box", 1, 24
        self.said = ""  # of what was loaded last
        self.about: opened.Item | None = None  # on which image
        self.show()

    @property
    def item(self) -> opened.Item:
        return self.page.studio.item

    @ui.refreshable_method
    def show(self) -> None:
        item, flat = self.item, self.item.ndim == 2
        h, w = item.frame[-2:]
        with Tag("div", classes="line"):
            if flat:
                files("Load COCO …", ".json", self.load_coco, self.page.complain)
            files("Load a mask …", ".png,.bmp,.tif,.npy,.nii,.gz,image/*", self.load_mask, self.page.complain)
            if item.mask is not None:
                button("Remove the mask", lambda: self.change(item.set_mask, None))
        if item is self.about:
            Tag("p", self.said, "dim")
        if not flat:
            Tag("p", "Boxes and keypoints are drawn on images; the mask of a volume is loaded, of its size.", "dim")
            return
        with Tag("div", classes="line"):
            choice("Tool", TOOLS, self.tool, self.set_tool)
            whole("Label", self.label, 1, LABELS, lambda v: setattr(self, "label", v))
            whole("Brush", self.width, 1, 1000, self.set_width)
        self.canvas = Tag(
            "div", classes="canvas", role="img", aria_label="Draw here with the pointer; coordinates below"
        )
        with self.canvas:
            self.image = Tag("img", alt="", draggable="false", src=self.source())
            Tag("svg", viewBox="0 0 1 1", preserveAspectRatio="none", aria_hidden="true")
        self.tools()
        self.canvas.on("pointerdown", js_handler=BEGIN)
        self.canvas.on("pointermove", js_handler=GO)
        self.canvas.on("pointerup", lambda e: self.drawn(json.loads(e.args)), js_handler=END)
        with Tag("div", classes="line"):
            text("Add a box: x1, y1, x2, y2", "", self.write_box)
            text("Add a keypoint: x, y", "", self.write_point)
        Tag("p", f"Pixels of the image, {w} x {h}: of boxes edges, of keypoints centres of pixels.", "dim")
        self.lists()

    def lists(self) -> None:
        """All boxes and keypoints, each with its button."""
        item = self.item
        rows = [(f"Box {i + 1}", b[:-1], f"label {b[-1]:g}", item.boxes, i) for i, b in enumerate(item.boxes)]
        rows += [(f"Keypoint {i + 1}", p, "", item.points, i) for i, p in enumerate(item.points)]
        if rows:
            with Tag("details"):
                Tag("summary", f"{len(item.boxes)} boxes, {len(item.points)} keypoints")
                with Tag("div", classes="nested"):
                    for name, numbers, label, held, i in rows:
                        with Tag("div", classes="line dim"):
                            words = ", ".join(f"{v:.1f}" for v in numbers)
                            Tag("span", f"{name}: {words} {label}")
                            button(
                                "✕", lambda held=held, i=i: self.change(held.pop, i), f"Remove {name.lower()}", "small"
                            )

    def source(self) -> str:
        return encoded(picture(self.page.studio.sample(), Look(), 512))

    # drawn, written, loaded

    def set_tool(self, tool: str) -> None:
        self.tool = tool
        self.tools()

    def set_width(self, width: int) -> None:
        self.width = width
        self.tools()

    def tools(self) -> None:
        """What the pointer does, for the line that it shows while it moves."""
        brush = self.tool in ("mask", "erase")
        self.canvas.set(
            data_tool=self.tool, data_width=2 if not brush else max(2, self.width * 400 / self.item.frame[1])
        )

    async def drawn(self, line: list[list[float]]) -> None:
        """A stroke of the pointer, in fractions of the frame."""
        h, w = self.item.frame
        points = [(x * w, y * h) for x, y in line]
        (x1, y1), (x2, y2) = points[0], points[-1]
        if self.tool == "box":
            await self.add_box((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
        elif self.tool == "point":
            await self.change(self.item.points.append, (x2 - 0.5, y2 - 0.5))
        else:
            own = [(x - 0.5, y - 0.5) for x, y in points]
            await self.change(self.item.paint, own, self.width, self.label if self.tool == "mask" else 0)

    async def add_box(self, box: tuple[float, ...]) -> None:
        h, w = self.item.frame
        x1, y1, x2, y2 = (min(max(0.0, v), float(n)) for v, n in zip(box, (w, h, w, h), strict=True))
        if x2 - x1 < LEAST or y2 - y1 < LEAST:
            return self.page.complain(f"a box of less than {LEAST:g} pixels: draw from one corner to the other")
        return await self.change(self.item.boxes.append, (x1, y1, x2, y2, float(self.label)))

    async def write_box(self, written: str) -> None:
        if (numbers := self.numbers(written, 4, "10, 20, 110, 90")) is not None:
            await self.add_box(numbers)

    async def write_point(self, written: str) -> None:
        if (numbers := self.numbers(written, 2, "10, 20")) is not None:
            await self.change(self.item.points.append, numbers)

    def numbers(self, written: str, n: int, such: str) -> Any:
        try:
            made = tuple(float(v) for v in written.replace(",", " ").split())
        except ValueError:
            made = ()
        if len(made) == n and all(abs(v) < 1e6 for v in made):
            return made
        self.page.complain(f"{written!r} is not {n} numbers, such as {such}")
        return None

    async def load_coco(self, name: str, data: bytes) -> None:
        item = self.item

        def load() -> str:
            try:
                said = data_of(data.decode("utf-8-sig"), is_json=True)
            except (PolicyError, UnicodeDecodeError) as error:
                raise ValueError(f"{name}: {error}") from None
            self.said, self.about = opened.annotate(item, name, said), item
            return self.said

        await self.change(load)

    async def load_mask(self, name: str, data: bytes) -> None:
        await self.change(lambda: self.item.set_mask(opened.mask_in(name, data)))

    async def change(self, act: Any, *args: Any) -> None:
        """Something else lies on the image: it is drawn anew."""
        done = await self.page.attempt(lambda: (act(*args),))
        if done is not None:
            self.page.studio.edited = None
            self.show.refresh()
            await self.page.redraw()

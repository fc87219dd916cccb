"""Saving and loading on the page: YAML, Python, modules, pictures; pipelines of peers."""

from __future__ import annotations

import io

import numpy as np
import torch
from nicegui import ui

import augfn as af
from augfn.app.studio import exports, peers
from augfn.app.studio.controls import Tag, button, choice, files
from augfn.app.studio.host import Host

FORMS = {
    "yaml": "YAML",
    "functions": "Python functions",
    "modules": "modules (augfn_nn)",
    "params": "params of the draw",
}
NAMES = {"yaml": "policy.yaml", "functions": "policy.py", "modules": "policy_nn.py", "params": "params.py"}


class Exchange:
    """The panel of files."""

    def __init__(self, page: Host) -> None:
        self.page, self.form = page, "yaml"
        with Tag("div", classes="two even"):
            with Tag("div", classes="nested"):
                Tag("h3", "Save")
                with Tag("div", classes="line"):
                    choice("Pipeline as", FORMS, self.form, self.set_form)
                    button("Download", self.download, "Download the pipeline")
                    self.copier = button("Copy", lambda: None, "Copy the pipeline")
                    self.copier.on("click", js_handler=COPY)
                self.code = Tag("pre", tabindex=0, role="region", aria_label="The pipeline, written out")
                with Tag("div", classes="line"):
                    button("Draw as PNG", lambda: self.result(False, "png"))
                    button("Draw as .npy", lambda: self.result(False, "npy"))
                    button("Draw in full size as PNG", lambda: self.result(True, "png"))
                    button("Draw in full size as .npy", lambda: self.result(True, "npy"))
            with Tag("div", classes="nested"):
                Tag("h3", "Load")
                with Tag("label", classes="nested"):
                    Tag("span", PASTE, "dim")
                    self.box = Tag("textarea", spellcheck="false", aria_label="A pipeline to load", placeholder=SUCH)
                with Tag("div", classes="line"):
                    load = button("Load", lambda: None, "Load what is pasted", "main-act")
                    load.on(
                        "click",
                        lambda e: self.load(str(e.args)),
                        js_handler=f"() => emit(document.getElementById('c{self.box.id}').value)",
                    )
                    files("Open a policy …", ".yaml,.yml,.json,.py", self.open, page.complain)
                self.notes = Tag("ul", classes="dim", aria_label="What differs")

    def written(self) -> str:
        """The pipeline in the form that is chosen."""
        studio = self.page.studio
        at, n = f"{studio.chosen}", studio.n
        x = "x" if studio.kind == "image" else '{"volume": x}'
        what = "[3, H, W]" if studio.kind == "image" else "[C, D, H, W]"
        key = f"af.split(af.key({studio.seed}), {n})[{at}]"
        use = f"# x: floats in [0, 1] {what}; the key is that of draw {studio.chosen + 1} on the page\n"
        if studio.f.mixes:
            use, key, x = "# x: a batch [B, 3, H, W] in [0, 1]\n", f"af.key({studio.seed})", "x"
        if self.form == "functions":
            return exports.as_functions(studio.root, f"{use}# y, params = f({x}, None, {key})")
        if self.form == "modules":
            return exports.as_modules(studio.root, f"{use}# y = aug({x}, generator={key})")
        if self.form == "params" and studio.f.mixes:
            raise ValueError("a pipeline that mixes has params of the whole batch: take the pipeline and its key")
        if self.form == "params":
            return f"{use}# y, _ = f({x}, params)\nimport torch\n\n{exports.as_params(studio.drawn)}"
        return exports.as_yaml(studio.root)

    def show(self) -> None:
        try:
            self.code.text = self.written()
        except (TypeError, ValueError) as error:
            self.code.text = str(error)

    def set_form(self, form: str) -> None:
        self.form = form
        self.show()

    async def download(self) -> None:
        if (text := await self.page.attempt(self.written)) is not None:
            ui.download.content(text, NAMES[self.form])

    async def result(self, whole: bool, form: str) -> None:
        """The chosen draw, of the copy or of the whole image, as a file."""
        studio = self.page.studio

        def made() -> bytes:
            array = studio.full() if whole else studio.result()
            buffer = io.BytesIO()
            if form == "npy":
                np.save(buffer, array)
            elif array.ndim == 3:
                af.to_pil(torch.from_numpy(array)[:3]).save(buffer, "PNG")
            else:
                raise ValueError("a volume is no picture: take it as .npy")
            return buffer.getvalue()

        data = await self.page.attempt(made)
        if data is not None:
            ui.download.content(data, f"{studio.item.name.rsplit('.', 1)[0]}_draw{studio.chosen + 1}.{form}")

    async def open(self, name: str, data: bytes) -> None:
        await self.load(data.decode("utf-8-sig", "replace"), name)

    async def load(self, written: str, name: str = "") -> None:
        """Another pipeline, and what differs from the peer that it came from."""
        found = await self.page.attempt(lambda: peers.parsed(written, name))
        if found is None:
            return
        self.page.studio.root, notes = found
        self.notes.clear()
        with self.notes:
            for line in notes:
                Tag("li", line)
        await self.page.rebuilt()


PASTE = "A policy (YAML, JSON), what albumentations' to_dict() gives (JSON), or Python of kornia, torchvision, albumentations"
COPY = "(e) => navigator.clipboard.writeText(e.target.closest('section').querySelector('pre').innerText)"
SUCH = "pipeline:\n  - hflip: {p: 0.5}\n\nA.Compose([A.HorizontalFlip(p=0.5)])"

"""What one user of the page sees: images, a pipeline as data, a key, its draws, and one of them that is replayed and edited.

Nothing here knows of a browser: the page asks, and shows.
"""

from __future__ import annotations

import re
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils._pytree import tree_map_only

import augfn as af
from augfn.app import viz
from augfn.app.studio import opened
from augfn.app.studio.opened import Item
from augfn.app.studio.pictures import Look, picture, span_of
from augfn.app.studio.steps import Step
from augfn.core.augmentation import Augmentation
from augfn.core.draw import leaves_of, nested
from augfn.errors import explain
from augfn.files.values import one_line

LONGEST = 600  # characters of a line that says what is wrong
LARGEST = 4096  # pixels of a side that a step may ask for
CELL = 360  # pixels of a picture in the grid
BUSY = threading.RLock()  # one computation at a time: they share the cores, and warnings are caught
FIRST = {
    "hflip": {"p": 0.5},
    "affine": {"degrees": [-15, 15], "scale": [0.9, 1.1], "p": 0.8},
    "color_jitter": {"brightness": [0.8, 1.2], "contrast": [0.8, 1.2]},
}
FIRST_3D = {"hflip3d": {"p": 0.5}, "rotate3d": {"degrees": [-15, 15]}, "gamma": {"gamma": [0.8, 1.25]}}


def line_of(error: BaseException) -> str:
    """What is wrong, in one line."""
    known = isinstance(error, ValueError | TypeError | RuntimeError | OSError | ImportError)
    line = one_line(error) if known else f"{type(error).__name__}: {one_line(error)}"
    line = re.sub(r"(expected: one of )([^;]{120,})", lambda m: f"{m[1]}{m[2].count(',') + 1} names", line)
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


@dataclass
class Studio:
    """The state of one page.

    * `items`, `at`: what is open, and which of it is shown; `root`: the pipeline.
    * `seed`, `n`: the key of the grid, `af.key(seed)`, and its number of draws.
    * `kept`: the pipelines for the other numbers of dimensions, `ndim`.
    * `outs`: the samples that came out, for each draw one (of views: one for each view); `f`, `params`: what made them.
    * `chosen`, `view`: which draw, and which view of it, is looked at; `edited`: its params where they were changed; `source`:
      the sample that it was made of.
    """

    items: list[Item] = field(default_factory=list)
    at: int = 0
    root: Step = field(default_factory=lambda: Step("pipeline"))
    seed: int = 0
    n: int = 8
    chosen: int = 0
    view: int = 0
    look: Look = Look()
    min_visibility: float = 0.0
    edited: dict[str, Any] | None = None
    f: Augmentation = field(default_factory=af.identity)
    params: dict[str, Any] = field(default_factory=dict)
    outs: list[list[Any]] = field(default_factory=list)
    source: dict[str, Any] = field(default_factory=dict)
    one: list[Any] = field(default_factory=list)
    drawn: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    took: float = 0.0
    ndim: int = 0
    kept: dict[int, tuple[Step, int]] = field(default_factory=dict)

    # what is open

    @property
    def item(self) -> Item:
        return self.items[self.at]

    @property
    def kind(self) -> str:
        return "image" if self.item.ndim == 2 else "volume"

    def open(self, name: str, data: bytes) -> Item:
        """Read a file and show it."""
        return self.add(opened.read(name, data))

    def add(self, item: Item) -> Item:
        self.items.append(item)
        self.show(len(self.items) - 1)
        return item

    def show(self, at: int) -> None:
        """Show another item. Images and volumes have a pipeline each, which waits while the others are shown."""
        self.at, self.edited = at, None
        ndim = self.item.ndim
        if ndim != self.ndim:
            self.kept[self.ndim] = self.root, self.n
            self.ndim = ndim
            self.root, self.n = self.kept.get(ndim) or first(ndim)

    def close(self) -> None:
        """Let go of what is shown; the last item stays."""
        if len(self.items) < 2:
            raise ValueError("the only image stays: open another one first")
        gone = self.items.pop(self.at)
        self.at = min(self.at, len(self.items) - 1)
        self.show(next((i for i, item in enumerate(self.items) if item.ndim == gone.ndim), self.at))

    def forget(self) -> None:
        """Let go of all that was opened and drawn."""
        for held in (self.items, self.outs, self.source, self.one, self.drawn, self.params, self.kept):
            held.clear()
        self.edited = None

    def sample(self, whole: bool = False) -> dict[str, Any]:
        return self.item.sample(whole, self.min_visibility)

    # draws

    def keys(self) -> Tensor:
        """A key for each draw: `af.split(af.key(seed), n)`."""
        return af.split(af.key(self.seed), self.n)

    def draw(self) -> None:
        """Draw the grid anew, and the chosen draw. Raises where the pipeline cannot be made or run; the last grid stays."""
        start = perf_counter()
        with BUSY, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            f = self.made()
            y, params = f(self.batch(f), None, self.keys())
            outs = (
                [list(sample) for sample in zip(*map(viz.unbatch, y), strict=True)]
                if isinstance(y, tuple)
                else [[s] for s in viz.unbatch(y)]
            )
            self.f, self.params, self.outs = f, params, outs
            self.chosen = min(self.chosen, self.n - 1)
            self.edited = self.edited if self.edited is not None and self.fits(self.edited) else None
            self.replay()
        self.notes = sorted({one_line(w.message) for w in caught if issubclass(w.category, UserWarning)})
        self.took = perf_counter() - start

    def made(self) -> Augmentation:
        """The pipeline as a function, if it can be shown."""
        check_sizes(self.root)
        f = self.root.made()
        if f.mixes and len(self.fellows()) < 2:
            want, fix = "two images or more, of which each is mixed with the next", "open another image"
            raise ValueError(explain("an op that mixes", f"{len(self.fellows())} image", want, fix))
        return f

    def fellows(self) -> list[Item]:
        """What is open of the kind that is shown, that which is shown first."""
        others = [i for i in self.items if i is not self.item and i.ndim == self.item.ndim]
        return [self.item, *others]

    def batch(self, f: Augmentation) -> dict[str, Any]:
        """The sample, as often as there are draws; where it is mixed, images alone, in turn, in the frame of that shown."""
        if not f.mixes:
            return tree_map_only(Tensor, lambda t: t.expand(self.n, *t.shape), self.sample())
        size = self.item.size
        rows = [i.small if i.size == size else opened.reduced(i.small, size) for i in self.fellows()]
        return {self.kind: torch.stack([rows[i % len(rows)] for i in range(self.n)])}

    def choose(self, i: int, view: int = 0) -> None:
        self.chosen, self.view, self.edited = i, view, None
        self.replay()

    def replay(self) -> None:
        """The chosen draw by its params, or by those that were edited."""
        sample = self.sample()
        if self.f.mixes:
            self.source, self.one, self.drawn = sample, self.outs[self.chosen], {}
            return
        with BUSY:
            batch = tree_map_only(Tensor, lambda t: t[None], sample)
            own = tree_map_only(Tensor, lambda t: t[self.chosen : self.chosen + 1], self.params)
            y, self.drawn = self.f(batch, own if self.edited is None else self.edited)
            self.one = [viz.unbatch(v)[0] for v in y] if isinstance(y, tuple) else viz.unbatch(y)
            self.source = sample

    def fits(self, params: Mapping[str, Any]) -> bool:
        """True of params of the pipeline as it is now."""
        return leaves_of(dict(params)).keys() == leaves_of(self.f.params).keys()

    def edit(self, path: str, at: tuple[int, ...], value: float) -> None:
        """Another number in the params of the chosen draw, which is replayed with it."""
        leaves = {n: t.clone() for n, t in leaves_of(self.drawn).items()}
        leaves[path][(0, *at)] = value
        before, self.edited = self.edited, nested(self.drawn, iter(leaves.values()))
        try:
            self.replay()
        except Exception:
            self.edited = before
            raise

    def restore(self) -> None:
        """The chosen draw as it was drawn."""
        self.edited = None
        self.replay()

    # pictures

    def before(self) -> Image.Image:
        return picture(self.source, self.look)

    @property
    def shown(self) -> Any:
        """The sample that came out of the chosen draw."""
        return self.one[min(self.view, len(self.one) - 1)]

    def after(self) -> Image.Image:
        return picture(self.shown, self.look)

    def grid(self) -> list[tuple[int, int, Image.Image]]:
        """The number of the draw, that of the view, and its picture."""
        return [(i, v, picture(s, self.look, CELL)) for i, views in enumerate(self.outs) for v, s in enumerate(views)]

    def words(self) -> str:
        """What the chosen draw does."""
        return af.explain(self.drawn) if self.drawn else "images are mixed: each with the next"

    def says(self) -> str:
        """What has to be known of what is shown."""
        item, said = self.item, []
        if self.f.mixes:
            said.append("What is open is mixed, each image with the next, without boxes and masks.")
        if item.scale < 1:
            size = " x ".join(map(str, reversed(item.size)))
            full = " x ".join(map(str, reversed(item.frame)))
            said.append(
                f"Preview on a copy of {size} of {full}: lengths in pixels (sizes of crops, blurs) act on the copy."
            )
        value = self.shown.get("image", self.shown.get("volume")) if self.one else None
        if value is not None and value.is_floating_point() and (span := span_of(value)) != (0.0, 1.0):
            said.append(f"Values {span[0]:.3g} to {span[1]:.3g} are shown from black to white.")
        return " ".join([*([item.note] if item.note else []), *said, *self.notes])

    def result(self) -> np.ndarray:
        """The chosen draw of the copy."""
        return self.shown.get("image", self.shown.get("volume")).detach().numpy()

    def full(self) -> np.ndarray:
        """The chosen draw of the whole image or volume. Raises ValueError for a pipeline that mixes."""
        if self.f.mixes:
            raise ValueError("a pipeline that mixes has no full size: the images are brought to one frame")
        with BUSY:
            batch = tree_map_only(Tensor, lambda t: t[None], self.sample(whole=True))
            y, _ = self.f(batch, self.drawn)
            y = y[min(self.view, len(y) - 1)] if isinstance(y, tuple) else y
            return y.get("image", y.get("volume"))[0].detach().numpy()


def first(ndim: int) -> tuple[Step, int]:
    """A pipeline to begin with, and how many draws of it."""
    steps = FIRST if ndim == 2 else FIRST_3D
    return Step("pipeline", steps=[Step(n, dict(given)) for n, given in steps.items()]), 8 if ndim == 2 else 4


def check_sizes(root: Step) -> None:
    """Raises for a frame that no preview needs, before memory is asked for it."""
    for step in root.walk():
        for name, value in step.given.items():
            numbers = value if isinstance(value, list) else [value]
            if any(isinstance(v, int) and not isinstance(v, bool) and v > LARGEST for v in numbers):
                raise ValueError(
                    explain(f"{step.name}: {name}", value, f"whole numbers up to {LARGEST}", "a smaller one")
                )

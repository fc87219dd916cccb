"""Pairs of images and masks: two folders, `images` and `masks`, in which what belongs together has one name."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from augfn.errors import explain
from augfn.offline.folders import Folder, images_in, stamp_of
from augfn.offline.jobs import Job, Options, Record
from augfn.offline.pictures import FORMATS, check_format, encoded, name_of, read_image, suffix_of, upright

EXACT = (".png", ".bmp", ".tif", ".tiff")  # formats that keep every value; a mask of another becomes a PNG
MODES = ("1", "L", "P", "RGB", "RGBA", "I;16", "I")


class Inks(NamedTuple):
    """What the numbers of a mask are drawn with."""

    mode: str
    palette: bytes | None = None
    transparency: Any = None


@dataclass
class Pairs(Folder):
    """Images with masks, whose values, modes and palettes stay as they are: read nearest, and never coloured."""

    masks: dict[str, str] | None = None  # by the path of the image

    @classmethod
    def of(cls, source: Path, out: Path, options: Options) -> Pairs:
        check_format(options.format)
        paths, masks = images_in(source / "images"), {}
        for path in images_in(source / "masks"):
            if (other := masks.setdefault(stem(path), path)) != path:
                given, fix = f"masks/{other} and masks/{path}", "move one of them elsewhere"
                raise ValueError(explain("two masks of one name", given, "a mask for each image", fix))
        alone = sorted(masks.keys() - {stem(p) for p in paths})
        if alone:
            given, want = f"{len(alone)}, such as masks/{masks[alone[0]]}", "an image of the same name for each"
            raise ValueError(explain("masks without an image", given, want, "move them elsewhere"))
        known = {f"images/{p}": f"masks/{masks[stem(p)]}" for p in paths if stem(p) in masks}
        return cls(source, out, options, [f"images/{p}" for p in paths], known)

    def listing(self) -> list[str]:
        assert self.masks is not None
        return super().listing() + [f"{p} {stamp_of(self.source / p)}" for p in self.masks.values()]

    def files(self, job: Job) -> list[str]:
        assert self.masks is not None
        path = self.paths[job.unit]
        mask = self.masks.get(path, path)
        suffix = os.path.splitext(mask)[1]
        own = self.options.named(path, job.copy, suffix_of(path, self.options.format))
        return [own, self.options.named(mask, job.copy, suffix if suffix.lower() in EXACT else ".png")]

    def read(self, unit: int) -> tuple[dict[str, Any], Any]:
        assert self.masks is not None
        path = self.paths[unit]
        if path not in self.masks:
            raise ValueError(f"no mask of this name in {self.source / 'masks'}")
        targets, look = read_image(self.source / path)
        mask, inks = read_mask(self.source / self.masks[path])
        return targets | {"mask": mask}, (look, inks)

    def made(self, job: Job, y: dict[str, Any], rest: Any) -> tuple[dict[str, bytes], Record]:
        (path, mask), (look, inks) = self.files(job), rest
        image = encoded(y, look, os.path.splitext(path)[1], self.options.quality)
        return {path: image, mask: encoded_mask(y["mask"], inks, os.path.splitext(mask)[1])}, {"masks": [mask]}


def stem(path: str) -> str:
    return os.path.splitext(path)[0]


def read_mask(path: Path | BinaryIO) -> tuple[Tensor, Inks]:
    """The numbers of a mask file `[H, W]` (of one with colours `[C, H, W]`); of one with a palette those that it counts."""
    image = upright(path)
    if image.mode not in MODES and not image.mode.startswith("I;16"):
        want = f"one of the modes {', '.join(MODES)}"
        raise ValueError(
            explain("a mask whose numbers are no labels", f"{image.mode} in {name_of(path)}", want, "a PNG")
        )
    mode = "I;16" if image.mode.startswith("I;16") else image.mode
    palette = image.getpalette() if mode == "P" else None
    inks = Inks(mode, None if palette is None else bytes(palette), image.info.get("transparency"))
    pixels = np.asarray(image)
    pixels = pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels
    wide = np.int32 if mode in ("I;16", "I") else np.uint8
    return torch.from_numpy(np.array(pixels, wide, order="C")), inks


def encoded_mask(x: Tensor, inks: Inks, suffix: str) -> bytes:
    """The bytes of a mask file with the modes and colours of its source."""
    most = {"1": 1, "I;16": 65535}.get(inks.mode)
    pixels = x.numpy()
    if most is not None and pixels.max(initial=0) > most:
        want, fix = f"at most {most}, for a mask of the mode {inks.mode}", "fill_mask: 0 in the policy"
        raise ValueError(explain("a label that the mask cannot hold", int(pixels.max()), want, fix))
    if inks.mode == "I;16":
        image = Image.fromarray(pixels.astype(np.uint16))
    elif inks.mode == "1":
        image = Image.fromarray(pixels.astype(bool))
    else:
        image = Image.fromarray(pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    if inks.palette is not None:
        image.putpalette(inks.palette.ljust(3 * (int(pixels.max(initial=0)) + 1), b"\0"))
    buffer, more = io.BytesIO(), {} if inks.transparency is None else {"transparency": inks.transparency}
    image.save(buffer, FORMATS[suffix.lower()], **more)
    return buffer.getvalue()

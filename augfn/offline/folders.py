"""Folders of images, at any depth: the tree is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augfn.errors import explain
from augfn.offline.jobs import Job, OneByOne, Options, Record
from augfn.offline.pictures import SUFFIXES, check_format, encoded, read_image, suffix_of


@dataclass
class Folder(OneByOne):
    """The images of a folder and of those below it, in the order of their paths."""

    source: Path
    out: Path
    options: Options
    paths: list[str]

    @classmethod
    def of(cls, source: Path, out: Path, options: Options) -> Folder:
        check_format(options.format)
        return cls(source, out, options, images_in(source))

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, unit: int) -> str:
        return self.paths[unit]

    def listing(self) -> list[str]:
        return [f"{p} {size_of(self.source / p)}" for p in self.paths]

    def files(self, job: Job) -> list[str]:
        path = self.paths[job.unit]
        return [self.options.named(path, job.copy, suffix_of(path, self.options.format))]

    def read(self, unit: int) -> tuple[dict[str, Any], Any]:
        return read_image(self.source / self.paths[unit])

    def made(self, job: Job, y: dict[str, Any], rest: Any) -> tuple[dict[str, bytes], Record]:
        path = self.files(job)[0]
        return {path: encoded(y, rest, os.path.splitext(path)[1], self.options.quality)}, {}


def images_in(source: Path, suffixes: Sequence[str] = SUFFIXES) -> list[str]:
    """The relative paths of the images below a folder, or of other files that hold them, sorted."""
    if not source.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(source))
    found = [path for path in files_in(source) if os.path.splitext(path)[1].lower() in suffixes]
    if not found:
        raise ValueError(
            explain("no images", str(source), f"files that end in {', '.join(suffixes)}", "another folder")
        )
    return sorted(found)


def others_in(source: Path) -> list[str]:
    """The files below a folder of images that are none, but hidden ones; those of COCO's suffix first."""
    others = [path for path in files_in(source) if os.path.splitext(path)[1].lower() not in SUFFIXES]
    return sorted((p for p in others if not os.path.basename(p).startswith(".")), key=lambda p: (p[-5:] != ".json", p))


def files_in(source: Path) -> Iterator[str]:
    """The relative paths of all files below a folder."""
    for folder, _, names in os.walk(source, followlinks=True):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), source).replace(os.sep, "/")


def size_of(path: Path) -> int:
    """Bytes of a file; -1 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return -1

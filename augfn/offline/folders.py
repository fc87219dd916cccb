"""Folders of images, at any depth: the tree is kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from augfn.errors import explain
from augfn.offline.jobs import STATE, Job, OneByOne, Options, Record
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
        return [f"{p} {stamp_of(self.source / p)}" for p in self.paths]

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
    """The relative paths of all files below a folder, but for the state of a run. Raises where a folder cannot be read, or a link
    leads back to a folder above it."""
    for folder, folders, names in os.walk(source, followlinks=True, onerror=raised):
        if os.path.islink(folder) and Path(folder).resolve() in map(Path.resolve, Path(folder).parents):
            raise ValueError(explain("a link to a folder above it", folder, "folders that end", "remove the link"))
        folders[:] = [name for name in folders if name != STATE]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), source).replace(os.sep, "/")


def raised(error: OSError) -> None:
    raise error


def stamp_of(path: Path) -> str:
    """What tells whether a file has changed: its size, and the second in which it was written; - where there is none."""
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_size} {int(found.st_mtime)}"

"""Clips: folders of numbered frames, each augmented with one draw."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from augfn.errors import explain
from augfn.offline.folders import images_in, stamp_of
from augfn.offline.jobs import Job, OneByOne, Options, Record
from augfn.offline.pictures import check_format, encoded, read_image, suffix_of


@dataclass
class Clips(OneByOne):
    """The folders that hold frames, at any depth, in the order of their paths; frames in the order of their numbers.

    A step that chooses frames may change how many there are: they are then numbered from 0.
    """

    source: Path
    out: Path
    options: Options
    folders: list[tuple[str, list[str]]]
    clip = True

    @classmethod
    def of(cls, source: Path, out: Path, options: Options) -> Clips:
        check_format(options.format)
        found: dict[str, list[str]] = {}
        for path in images_in(source):
            folder, name = os.path.split(path)
            found.setdefault(folder, []).append(name)
        return cls(source, out, options, [(n, sorted(found[n], key=by_number)) for n in sorted(found)])

    def __len__(self) -> int:
        return len(self.folders)

    def name(self, unit: int) -> str:
        return self.folders[unit][0]

    def listing(self) -> list[str]:
        paths = [f"{folder}/{name}" for folder, names in self.folders for name in names]
        return [f"{p} {stamp_of(self.source / p.lstrip('/'))}" for p in paths]

    def files(self, job: Job) -> list[str]:
        folder = self.folders[job.unit][0] or self.source.name
        return [f"{folder}-c{job.copy}" if self.options.copies > 1 else folder]

    def read(self, unit: int) -> tuple[dict[str, Any], Any]:
        folder, names = self.folders[unit]
        frames, looks = zip(*[read_image(self.source / folder / name) for name in names], strict=True)
        kinds = {(look.mode, *f["image"].shape[-2:]) for f, look in zip(frames, looks, strict=True)}
        if len(kinds) > 1:
            raise ValueError(explain("frames of several sizes or modes", sorted(kinds), "one of each", "resize them"))
        stacks = {n: torch.stack([f[n] for f in frames]) for n in frames[0]}
        return {"video" if n == "image" else n: x for n, x in stacks.items()}, looks[0]

    def made(self, job: Job, y: dict[str, Any], rest: Any) -> tuple[dict[str, bytes], Record]:
        folder, names = self.files(job)[0], self.folders[job.unit][1]
        if len(y["video"]) != len(names):
            names = [f"{i:06d}{os.path.splitext(names[0])[1]}" for i in range(len(y["video"]))]
        files = {}
        for i, name in enumerate(names):
            frame = {"image" if n == "video" else n: x[i] for n, x in y.items()}
            path = f"{folder}/{os.path.splitext(name)[0]}{suffix_of(name, self.options.format)}"
            if path in files:
                raise ValueError(explain("two frames become one file", path, "a name for each", "--format same"))
            files[path] = encoded(frame, rest, os.path.splitext(path)[1], self.options.quality)
        return files, {"output": folder, "frames": len(names)}


def by_number(name: str) -> list[Any]:
    """Frame 2 comes before frame 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]

"""Finished parts of a study on disk, found again when it goes on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from augfn.errors import explain


class Store:
    """A folder of results by number, of the study that `mark()` tells from others; without a folder nothing is kept."""

    def __init__(self, folder: str | Path | None, mark: Callable[[], str]) -> None:
        self.folder = None if folder is None else Path(folder)
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        own, file = hashlib.sha256(mark().encode()).hexdigest(), self.folder / "study.sha256"
        if file.exists() and file.read_text() != own:
            want = "the folder of the same model, images, augmentation and settings"
            fix = f"another folder, or delete this one, {self.folder}"
            raise ValueError(explain("resume: the results of another study", str(self.folder), want, fix))
        file.write_text(own)

    def block(self, i: int, make: Callable[[], Any]) -> Any:
        """The result number i: read, or made and written (whole or not at all)."""
        if self.folder is None:
            return make()
        path = self.folder / f"block-{i:05d}.pt"
        if path.exists():
            return torch.load(path, weights_only=True)
        found, part = make(), path.with_suffix(".part")
        torch.save(found, part)
        os.replace(part, path)
        return found


def clear(folder: Path) -> None:
    """Remove the results of a study, and the folder if nothing else is in it."""
    for file in [*folder.glob("block-*.pt"), *folder.glob("study.sha256")]:
        file.unlink()
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()

"""The scores of an ablation, kept as they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from augfn.errors import explain

SETTING = {"policy", "fixed", "key", "budget", "metric"}  # what scores belong to


class Kept:
    """Scores by arm and seed, in a file that a second call reads; its last line may be torn."""

    def __init__(self, path: str | Path | None, setting: dict[str, Any]) -> None:
        self.path = None if path is None else Path(path)
        self.scores: dict[tuple[str, int], float] = {}
        if self.path is not None:
            begun, rows = read(self.path) if self.path.exists() else (setting, [])
            if name := next((n for n in setting if begun[n] != setting[n]), ""):
                fix = "another file, or delete this one"
                raise ValueError(explain(f"ablate: {path} is of another {name}", begun[name], f"{setting[name]}", fix))
            self.scores = {(arm, seed): score for arm, seed, score in rows}
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_name(f"{self.path.name}.new")  # in one step, so that a kill loses nothing
            new.write_text("".join(f"{json.dumps(row)}\n" for row in [setting, *rows]))
            new.replace(self.path)

    def add(self, arm: str, seed: int, score: float) -> None:
        self.scores[arm, seed] = score
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(f"{json.dumps([arm, seed, score])}\n")


def read(path: Path) -> tuple[dict[str, Any], list[Any]]:
    """The setting and the scores of a file; what is no such file is left alone."""
    try:
        setting, *rows = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
        if {*setting} != SETTING or not all(len(row) == 3 for row in rows):
            raise ValueError
    except (OSError, TypeError, ValueError):
        want, fix = "a new file, or one that ablate wrote", 'storage="ablation.jsonl"'
        raise ValueError(explain("ablate: the storage is another file", str(path), want, fix)) from None
    return setting, rows

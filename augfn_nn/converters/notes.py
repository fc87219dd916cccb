"""What a conversion has to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from augfn.core.augmentation import Augmentation


class Notes:
    """Collects, once each, what has no counterpart and what differs."""

    def __init__(self, ndim: int | None = None) -> None:
        self.ndim = ndim  # of what a pipeline is, where that is given
        self.lacking: list[str] = []
        self.differs: list[str] = []
        self.loads = False  # images come as uint8
        self.targets: dict[str, str] = {}  # the kinds of names that do not tell them

    def lack(self, x: Any, why: str) -> None:
        """Something that is left out."""
        add(self.lacking, f"{name_of(x)}: {why}")

    def tried(self, x: Any, make: Callable[[], Any]) -> Any:
        """What this makes; None, and a line, if its arguments have no counterpart."""
        try:
            return make()
        except (TypeError, ValueError) as error:
            return self.lack(x, " ".join(str(error).split()))

    def function(self, x: Any, make: Callable[[], Any]) -> Augmentation | None:
        """The same as an augmentation, of a module its own."""
        made = self.tried(x, make)
        return made if made is None or isinstance(made, Augmentation) else made.f

    def differ(self, x: Any, what: str) -> None:
        """Something whose results differ."""
        add(self.differs, f"{name_of(x)}: {what}")


def add(lines: list[str], line: str) -> None:
    if line not in lines:
        lines.append(line)


def name_of(x: Any) -> str:
    return x if isinstance(x, str) else type(x).__name__

"""A pipeline as data that can be edited: a tree of steps, in the words of a policy file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from augfn.core.augmentation import Augmentation
from augfn.files import reading
from augfn.files.writing import VERSION, written

ONE = ("maybe", "repeat")  # combinators of one step
ROOTS = ("pipeline", "views")  # what a whole can be
GROUPS = (*ONE, "pipeline", "one_of", "some_of", "mixture", "views")


@dataclass(eq=False)
class Step:
    """One step: the name of an op or a combinator, its keywords as in a file, the steps that it is made of, the name that it
    has of its own, and whether it is on."""

    name: str
    given: dict[str, Any] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    own: str | None = None
    on: bool = True

    @classmethod
    def of(cls, config: Any) -> Step:
        """From a step of a file.

        >>> Step.of({"maybe": {"p": 0.5, "step": {"hflip": None}}}).steps[0].name
        'hflip'
        """
        if isinstance(config, str):
            return cls(config)
        own = config.get("as")
        name, given = next((n, v) for n, v in config.items() if n != "as")
        if name not in GROUPS:
            return cls(name, dict(given or {}), own=own)
        given = {"steps": given} if isinstance(given, list) else dict(given or {})
        inner = [given.pop("step")] if name in ONE else given.pop("steps")
        return cls(name, given, [cls.of(c) for c in inner], own)

    @classmethod
    def whole(cls, f: Augmentation, params: dict[str, Any] | None = None) -> Step:
        """The steps of an augmentation, with other ranges than its own where they are given; what is no pipeline is the one
        step of one, but for views, which are the whole."""
        data = written(f, params)
        del data["augfn"]
        if "pipeline" in data:
            data = {"pipeline": {"steps": data.pop("pipeline"), **data}}
        made = cls.of(data)
        return made if made.name in ROOTS else cls("pipeline", steps=[made])

    @property
    def group(self) -> bool:
        return self.name in GROUPS

    def data(self) -> Any:
        """As a step of a file; steps that are off are left out, and a group that is empty leaves all as it is."""
        given: Any = dict(self.given)
        if self.group:
            inner = [s.data() for s in self.steps if s.on] or ["identity"]
            alone = {"step": inner[0]} if self.name in ONE else {"steps": inner}
            given = {**alone, **given} if given or self.name in ONE else inner
        made = self.name if not given else {self.name: given}
        return made if not self.own else {**({made: None} if isinstance(made, str) else made), "as": self.own}

    def file(self) -> dict[str, Any]:
        """As a whole file."""
        config = self.data()[self.name]
        if self.name == "pipeline" and isinstance(config, dict):
            return {"augfn": VERSION, "pipeline": config.pop("steps"), **config}
        return {"augfn": VERSION, self.name: config}

    def made(self) -> Augmentation:
        """The function. Raises `PolicyError`, one line."""
        return reading.made(self.file())

    def walk(self) -> Iterator[Step]:
        """This step and all below it."""
        yield self
        for s in self.steps:
            yield from s.walk()

    def parent_of(self, step: Step) -> Step:
        """Whose step it is."""
        return next(s for s in self.walk() if any(inner is step for inner in s.steps))

    def move(self, step: Step, by: int) -> None:
        """Put a step further up (-1) or down (1) among its neighbours."""
        row = self.parent_of(step).steps
        i = next(i for i, s in enumerate(row) if s is step)
        row.insert(min(max(0, i + by), len(row) - 1), row.pop(i))

    def remove(self, step: Step) -> None:
        row = self.parent_of(step).steps
        row[:] = [s for s in row if s is not step]

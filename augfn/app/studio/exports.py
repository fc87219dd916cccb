"""A pipeline as a policy file, as Python functions and as modules."""

from __future__ import annotations

from augfn.app.studio.steps import Step
from augfn.saving import text_of


def as_yaml(root: Step) -> str:
    """The file that `augfn.load` reads."""
    return text_of(root.file(), ".yaml")

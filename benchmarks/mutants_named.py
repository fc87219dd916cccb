"""Faults that once survived every test, each as a change to the source that must be found in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Change = Callable[[str], str]


class NotFound(Exception):
    """The code has changed and the fault has no place in it: give it a new one."""


class Fault(NamedTuple):
    """`places`: where it may be, by file; the first that is there is taken."""

    name: str
    places: dict[str, Change]

    def patched(self, root: Path) -> tuple[Path, str]:
        """The file, and its text with the fault."""
        for name, change in self.places.items():
            path = root / name
            text = path.read_text() if path.exists() else ""
            try:
                return path, change(text)
            except NotFound:
                continue
        raise NotFound(f"{self.name}: not in {', '.join(self.places)}; mend its place in {__name__}")


def swap(old: str, new: str, last: bool = False) -> Change:
    """One text for another; it must be there once, or `last` must say which is meant."""

    def change(text: str) -> str:
        count = text.count(old)
        if count == 0 or (count > 1 and not last):
            raise NotFound(f"{count} times {old!r}")
        before, after = text.rsplit(old, 1)
        return before + new + after

    return change


DEFERRED = 'a.rows(cut).ungated() if type(a).__name__ == "Deferred" else a.rows(cut)'
FAULTS = (
    Fault(
        "neighbours join across a flush (crop, pad, rotate with one fill shows cropped pixels)",
        {"augfn/core/fusing.py": swap("return not b.map.flush and (free", "return (free")},
    ),
    Fault(
        "gradients of targets other than the image are lost",
        {"augfn/run/call.py": swap("for t in tensors_of(sample):", "for t in tensors_of(sample)[:1]:")},
    ),
    Fault(
        "the compiled sampler's rule for vmap has the samples in another order",
        {
            "augfn/run/opaque.py": swap(
                "return out.unflatten(0, (info.batch_size, -1)), 0",
                "return out.unflatten(0, (info.batch_size, -1)).flip(0), 0",
            ),
            "augfn/run/sampler.py": swap(
                "return out.unflatten(0, (size, -1)), 0", "return out.unflatten(0, (size, -1)).flip(0), 0"
            ),
        },
    ),
    Fault(
        "a colour map of a matrix leaves out its shift",
        {"augfn/core/rules.py": swap("return added(out, shift[along])", "return out")},
    ),
    Fault(
        "clipped in place although the body returned its input",
        {"augfn/core/rules.py": swap(" and out.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()", "")},
    ),
    Fault(
        "a deferred action runs in slices without its gate",
        {
            "augfn/run/slices.py": swap("found.append(a.rows(cut))", f"found.append({DEFERRED})"),
            "augfn/core/actions.py": swap("leaves=leaves, gate=part(self.gate, 0, rows)", "leaves=leaves", last=True),
        },
    ),
    Fault(
        "one_of does not sort its branches by kind",
        {"augfn/core/combined.py": swap("pairs.sort(key=lambda pair: ORDER.index(type(pair[0])))", "pass")},
    ),
)

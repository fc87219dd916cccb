"""What the command `augfn apply` does and says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import typer

from augfn import saving
from augfn.offline import Applied
from augfn.offline import apply as applied
from augfn.offline.jobs import STATE

SHOWN = 10  # sources that are named for one error


def run(source: Path, out: Path, policy: Path, complain: Callable[[object, Any], None], **settings: Any) -> int:
    """Augment a data set to disk, say what was made and what failed, and return the exit code."""
    try:
        f = saving.load(policy)
    except (OSError, ValueError) as error:
        complain(policy, error)
        return 2
    try:
        made = applied(source, out, f, progress=True, **settings)
    except KeyboardInterrupt:
        complain(out, "stopped; the same command goes on")
        return 130
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        complain(getattr(error, "filename", None) or "apply", error)
        if not isinstance(error, ValueError | TypeError) and (out / STATE).exists():
            complain(out, "what is finished is kept; the same command goes on")
        return 2
    typer.echo(summary(made))
    failed: dict[str, dict[str, None]] = {}
    for r in made.failures:
        failed.setdefault(r["error"], {})[r["source"]] = None
    for error, places in failed.items():
        for where in list(places)[:SHOWN]:
            complain(where, error)
        if len(places) > SHOWN:
            complain(f"{len(places) - SHOWN} more in {out / 'manifest.jsonl'}", error)
    return 2 if failed else 0


def summary(made: Applied) -> str:
    """One line: how many outputs there are, of how many samples, and what they lack."""
    samples = len({r["index"] for r in made.done})
    text = f"{len(made.done)} outputs of {samples} samples in {made.out}"
    text += "" if made.ran else "; all of them were there already"
    text += f"; {made.dropped} annotations left their frames and are dropped" if made.dropped else ""
    if made.others:
        fix = " (--annotations where it is COCO's)" if made.others[0].endswith(".json") else ""
        text += f"; other files left behind: {len(made.others)}, such as {made.others[0]}{fix}"
    return text + (f"; {len({r['source'] for r in made.failures})} sources failed:" if made.failures else "")


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""The journal of a run: what makes it, and what of it is done, so that the same call goes on after a stop."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from augfn.errors import explain
from augfn.offline.jobs import STATE, Job, Record, utf8, write_whole

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

MANIFEST, RUN, JOURNAL = "manifest.jsonl", "run.json", "journal.jsonl"


class Journal:
    """The state of a run in OUT: while it goes on in `OUT/.augfn`, afterwards as `run.json` beside `manifest.jsonl`.

    A line of the journal is a job with the records of its samples, a line of the manifest is one record.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any], overwrite: bool) -> None:
        self.out, self.state, self.settings = out, out / STATE, dict(settings)
        self.held: Any = None
        self.file: Any = None
        self.jobs: dict[Job, list[Record]] = {}
        before = run_of(out)
        if before is not None and not differing(before, settings):
            kept = self.state / JOURNAL
            self.jobs = jobs_in(kept) if kept.exists() else jobs_of(read_lines(out / MANIFEST))
        elif before is not None and not overwrite:
            raise ValueError(of_another(out, before, settings))
        elif not overwrite and (there := files_in(out)):
            given, want = f"{len(there)} files in {out}, such as {there[0]}", "an empty or a new folder"
            raise ValueError(explain("nothing is overwritten", given, want, "another folder, or --overwrite"))

    def begin(self) -> None:
        """From now on records are kept; of the lines before, one that a kill has torn is dropped. Raises where another process
        is at it."""
        self.lock()
        try:  # first what is done: the settings tell whose it is
            write_whole(self.out, f"{STATE}/{JOURNAL}", b"".join(map(entry, self.jobs, self.jobs.values())))
            write_whole(self.out, f"{STATE}/{RUN}", json.dumps(self.settings, indent=1).encode())
            for name in (MANIFEST, RUN):
                (self.out / name).unlink(missing_ok=True)
            self.file = (self.state / JOURNAL).open("ab")
        except BaseException:
            self.stop()
            raise

    def lock(self) -> None:
        """OUT is this process's, until it ends (where the system has such locks)."""
        if fcntl is None:
            return
        self.state.mkdir(parents=True, exist_ok=True)
        self.held = (self.state / "lock").open("w")
        try:
            fcntl.flock(self.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.held.close()
            raise ValueError(f"another process is at work in {self.out}: wait for it, or stop it") from None

    def add(self, job: Job, records: list[Record]) -> None:
        self.file.write(entry(job, records))
        self.file.flush()
        self.jobs[job] = records

    def finish(self) -> None:
        """The manifest, in the order of samples and copies; nothing else of the state stays."""
        self.file.close()
        write_whole(self.out, MANIFEST, b"".join(map(line, self.records())))
        os.replace(self.state / RUN, self.out / RUN)
        shutil.rmtree(self.state)

    def stop(self) -> None:
        """Half files of workers that were killed go; what is done is kept."""
        if self.file is not None:
            with suppress(OSError):  # of a full disk, which the run has raised already
                self.file.close()
        if self.held is not None:
            self.held.close()
        shutil.rmtree(self.state / "parts", ignore_errors=True)

    def records(self) -> list[Record]:
        found = [{"unit": job.unit, **r} for job, records in self.jobs.items() for r in records]
        return sorted(found, key=lambda r: (r["index"], r["copy"]))


def entry(job: Job, records: list[Record]) -> bytes:
    return line({"unit": job.unit, "copy": job.copy, "records": records})


def line(data: Any) -> bytes:
    return utf8(json.dumps(data, ensure_ascii=False, separators=(",", ":"))) + b"\n"


def jobs_in(path: Path) -> dict[Job, list[Record]]:
    return {Job(e["unit"], e["copy"]): e["records"] for e in read_lines(path)}


def jobs_of(records: Iterable[Record]) -> dict[Job, list[Record]]:
    """The records of a manifest by their jobs."""
    found: dict[Job, list[Record]] = {}
    for record in records:
        own = {n: v for n, v in record.items() if n != "unit"}
        found.setdefault(Job(record["unit"], record["copy"]), []).append(own)
    return found


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file, each as what it holds; the last one, where a kill has torn it, is left out."""
    if not path.exists():
        return []
    return [json.loads(text) for text in path.read_bytes().split(b"\n")[:-1]]


def run_of(out: Path) -> dict[str, Any] | None:
    """What made OUT, or is making it."""
    for path in (out / STATE / RUN, out / RUN):
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
    return None


def differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """The settings that two runs do not share; where their source lies is none."""
    return [n for n in b if n not in ("source", "annotations") and a.get(n) != b[n]]


def of_another(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The message for an OUT that another call has made."""
    told = {"digest": "other source files", "policy": "another policy"}
    given = "; ".join(told.get(n, f"{n} of {before.get(n)!r}") for n in differing(before, now))
    fix = "another folder, the same settings to go on with it, or --overwrite to begin anew"
    return explain(f"{out} is of another run", given, "the settings that it was begun with", fix)


def files_in(out: Path) -> list[str]:
    """The relative paths of all files in OUT but those of a state, sorted."""
    found = [os.path.relpath(os.path.join(folder, name), out) for folder, _, names in os.walk(out) for name in names]
    return sorted(path for path in found if path.split(os.sep)[0] != STATE)


def digest_of(lines: Iterable[str]) -> str:
    return hashlib.sha256(utf8("\n".join(lines))).hexdigest()

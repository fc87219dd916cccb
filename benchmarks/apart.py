"""Contestants in processes of their own: process time on one thread, memory from a fresh start, augfn of any commit.

What runs there is named, not passed: a builder of `call(step)` and its arguments. Builders that shall also run on an
earlier commit may import what is public in augfn, and nothing else of it.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.measure import Call, Contestant, Lane, Timing, by_turns, named

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "788c682"  # the commit that this one's speed is measured against
WARM = {"size": 16, "batch": 2}  # a call that loads code and takes no memory to speak of


@dataclass(frozen=True)
class Apart:
    """`build` is "module:function"; `commit` the one whose augfn it runs on, this checkout's if None."""

    name: str
    build: str
    arguments: dict[str, Any]
    commit: str | None = None
    threads: int = 1  # of more than one the wall time is taken

    def smaller(self, batch: int) -> Apart:
        return replace(self, arguments=self.arguments | {"batch": min(batch, self.arguments["batch"])})


@lru_cache
def checkout(commit: str) -> tempfile.TemporaryDirectory[str]:
    """A folder with augfn and augfn_nn as they were, which lives as long as this process."""
    command = ["git", "archive", commit, "augfn", "augfn_nn"]
    archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    folder = tempfile.TemporaryDirectory(prefix=f"augfn-{commit}-")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder.name, filter="data")
    return folder


class Remote:
    """A lane in a child process, which answers a line with a line of JSON."""

    def __init__(self, contestant: Apart, block: float = 0.0, warmup: int = 1, memory: bool = False) -> None:
        self.timing = Timing(contestant.name, contestant.arguments.get("batch", 1))
        task = json.dumps({**asdict(contestant), "block": block, "warmup": warmup, "memory": memory})
        try:
            tree = Path(checkout(contestant.commit).name) if contestant.commit else ROOT
        except (OSError, subprocess.CalledProcessError) as error:  # no git, or a clone without that commit
            self.timing.error = named(error)
            return
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(contestant.threads))
        env = os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | threads
        command = [sys.executable, "-m", "benchmarks.apart", task]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=tree, env=env, stdin=pipe, stdout=pipe, text=True)
        self.found = self.answer()
        self.timing.error = self.found.get("error")

    def answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": f"the process ended with status {self.process.wait()}"}

    def run(self) -> float:
        """Seconds of process time (on several threads: of wall time) per call, over one block."""
        assert self.process.stdin
        print("run", file=self.process.stdin, flush=True)
        found = self.answer()
        if "error" in found:
            raise RuntimeError(f"{self.timing.name}: {found['error']}")
        return found["seconds"]

    def close(self) -> None:
        if process := getattr(self, "process", None):
            process.communicate()


def race_apart(contestants: Sequence[Apart], rounds: int, block: float, title: str, warmup: int = 2) -> list[Timing]:
    """Time all by turns, each in a process of its own that lives as long as the race."""
    lanes: list[Remote] = []
    try:
        for c in tqdm(contestants, desc=f"{title}: warm-up", leave=False, disable=None):
            lanes.append(Remote(c, block, warmup))
        return by_turns(lanes, rounds, title)
    finally:
        for lane in lanes:
            lane.close()


def memory_of(contestant: Apart) -> dict[str, Any]:
    """`bytes` that the first call of a fresh process takes at its peak, above what it held before; or `error`."""
    lane = Remote(contestant, memory=True)
    lane.close()
    return {"error": lane.timing.error} if lane.timing.error else {"bytes": lane.found["bytes"]}


# the child


def serve(task: dict[str, Any], stream: Any) -> None:
    """Build, say so, then time one block of calls for every line that comes in."""

    def say(**found: Any) -> None:
        print(json.dumps(found), file=stream, flush=True)

    if task["memory"]:
        say(bytes=peak_of_first_call(task))
        return
    contestant = Contestant(task["name"], lambda: built(task))
    torch.set_num_threads(task["threads"])
    clock = time.process_time if task["threads"] == 1 else time.perf_counter
    lane = Lane(contestant, task["block"], task["warmup"], clock)
    if lane.timing.error:
        say(error=lane.timing.error)
        return
    say(ready=True)
    for _ in sys.stdin:
        say(seconds=lane.run())


def built(task: dict[str, Any], **other: Any) -> Call:
    module, name = task["build"].split(":")
    call = getattr(import_module(module), name)(**task["arguments"] | other)
    home = Path(import_module("augfn").__file__ or "").resolve()
    assert home.is_relative_to(Path.cwd().resolve()), f"augfn of {home} instead of {Path.cwd()}"
    return call


def peak_of_first_call(task: dict[str, Any]) -> int:
    built(task, **WARM)(1)
    call = built(task)
    ctypes.CDLL(None).malloc_trim(0)  # what building freed shall not count as held
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before = status("VmRSS")
    call(1)
    return status("VmHWM") - before


def status(name: str) -> int:
    """A figure of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


def main(arguments: list[str]) -> None:
    stream = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not pass for an answer
    torch.manual_seed(0)
    try:
        serve(json.loads(arguments[0]), stream)
    except Exception as error:
        print(json.dumps({"error": named(error)}), file=stream, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

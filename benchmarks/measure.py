"""Timing by turns: every contestant runs once per round, so that a slow minute of the machine hits all alike."""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import statistics
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from tqdm import tqdm

Call = Callable[[int], Any]
KEEP = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**32)}
PACKAGES = ("torch", "torchvision", "kornia", "albumentations", "opencv-python-headless", "numpy")


@dataclass
class Contestant:
    """A name, a builder of `call(step)`, and how many items (images) one call handles."""

    name: str
    build: Callable[[], Call]
    items: int = 1


@dataclass
class Timing:
    """Seconds per call, one number for each round; `error` instead when the contestant cannot run."""

    name: str
    items: int = 1
    seconds: list[float] = field(default_factory=list)
    error: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.seconds) if self.seconds else math.nan

    @property
    def rate(self) -> float:
        """Items per second."""
        return self.items / self.median

    @property
    def spread(self) -> float:
        """(largest - smallest) / median."""
        return (max(self.seconds) - min(self.seconds)) / self.median if self.seconds else math.nan

    def record(self) -> dict[str, Any]:
        keys = {"name": self.name, "items": self.items}
        if self.error:
            return keys | {"error": self.error}
        figures = {"median_s": self.median, "per_s": self.rate, "spread": self.spread, "seconds": self.seconds}
        return keys | figures


class Lane:
    """A contestant made ready: built, warmed up, with as many calls per block as fill `block` seconds of the clock."""

    def __init__(
        self, contestant: Contestant, block: float, warmup: int, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.timing = Timing(contestant.name, contestant.items)
        self.step, self.repeats, self.clock = 0, 1, clock
        try:
            self.call = contestant.build()
            for _ in range(warmup):
                self.run()
            self.repeats = max(1, math.ceil(block / min(self.run(), self.run())))
        except Exception as error:  # a contestant that cannot run is a row in the table, not the end of the run
            self.timing.error = named(error)

    def run(self) -> float:
        """Seconds per call over one block; every call has a new step number."""
        start = self.clock()
        for _ in range(self.repeats):
            self.step += 1
            self.call(self.step)
        return (self.clock() - start) / self.repeats


def named(error: Exception) -> str:
    """An error's type and first line."""
    line = next(filter(None, map(str.strip, str(error).splitlines())), "")
    return f"{type(error).__name__}: {textwrap.shorten(line, 160, placeholder=' ...')}"


def race(contestants: Sequence[Contestant], rounds: int, block: float, warmup: int, title: str) -> list[Timing]:
    """Time all contestants by turns."""
    lanes = [Lane(c, block, warmup) for c in tqdm(contestants, desc=f"{title}: warm-up", leave=False, disable=None)]
    return by_turns(lanes, rounds, title)


class Runs(Protocol):
    """What takes turns: one block of calls, and where its seconds are kept."""

    timing: Timing

    def run(self) -> float: ...


def by_turns(lanes: Sequence[Runs], rounds: int, title: str) -> list[Timing]:
    """Each lane that could be built runs once a round; who starts a round rotates."""
    running = [lane for lane in lanes if lane.timing.error is None]
    gc.collect()
    gc.disable()
    try:
        for r in tqdm(range(rounds), desc=f"{title}: rounds", leave=False, disable=None):
            for i in range(len(running)):
                lane = running[(i + r) % len(running)]
                lane.timing.seconds.append(lane.run())
    finally:
        gc.enable()
    return [lane.timing for lane in lanes]


class Verdict(NamedTuple):
    """A target of the project and what was measured."""

    text: str
    value: str
    passed: bool

    def __str__(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'}  {self.text}: {self.value}"


def cost(text: str, record: dict[str, Any], other: dict[str, Any], most: float) -> Verdict:
    """Whether one record takes at most `most` times as long as another."""
    if "median_s" not in record or "median_s" not in other:
        return Verdict(text, "not measured", False)
    ratio = record["median_s"] / other["median_s"]
    return Verdict(text, f"{ratio:.2f}x", ratio <= most)


def unrest(records: Iterable[dict[str, Any]]) -> str:
    """How far the rounds of one contestant lay apart, for a reader who asks whether the machine was quiet."""
    spreads = [r["spread"] for r in records if "spread" in r]
    if not spreads:
        return "no figures"
    return f"(slowest - fastest) / median of a row: {statistics.median(spreads):.0%} typical, {max(spreads):.0%} worst"


def keep_memory(module: str, arguments: list[str]) -> None:
    """Run the program anew in a process in which glibc's malloc keeps what is freed; its settings are read at start."""
    if any(os.environ.get(name) != value for name, value in KEEP.items()):
        os.execve(sys.executable, [sys.executable, "-m", module, *arguments], os.environ | KEEP)


def geometric_mean(values: Iterable[float]) -> float:
    return math.exp(statistics.fmean(math.log(v) for v in values))


def environment(command: str, threads: int) -> dict[str, Any]:
    """What a reader needs to judge the figures: machine, versions, date, command."""
    return {
        "command": command,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load_at_start": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "versions": {name: _version(name) for name in ("augfn", *PACKAGES)},
    }


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def failures(records: Iterable[dict[str, Any]]) -> str:
    """What could not run, and why."""
    return "\n".join(dict.fromkeys(f"* {r['name']}: {r['error']}" for r in records if "error" in r))


def header(env: dict[str, Any]) -> str:
    """The environment as Markdown."""
    versions = ", ".join(f"{name} {number}" for name, number in env["versions"].items())
    machine = f"{env['cpu']} ({env['cpu_capability']}), {env['cores']} cores, {env['threads']} threads used"
    return "\n".join(
        [
            f"* command: `{env['command']}`",
            f"* date: {env['date']}",
            f"* machine: {machine}; {env['system']}; load when started {env['load_at_start']}",
            f"* versions: {versions}",
        ]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, the first column to the left and the others to the right."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(folder: Path, stem: str, data: dict[str, Any], markdown: str) -> list[Path]:
    """`stem.json` and `stem.md` in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stem}.json", folder / f"{stem}.md"]
    paths[0].write_text(json.dumps(data, indent=1) + "\n")
    paths[1].write_text(markdown.rstrip() + "\n")
    return paths

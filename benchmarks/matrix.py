"""The tests on each Python and each torch that augfn says it runs on.

    pip install -c constraints.txt '.[release]'
    python -m benchmarks.matrix                                        five corners, a quick selection of the tests
    python -m benchmarks.matrix --python 3.10 3.12 --torch 2.9 newest --tests full

A cell is a virtual environment outside the repository, made by uv, with the extra `test`: on the Python of constraints.txt with
the versions pinned there, on the others with the newest that fit. It is deleted when its tests have run. What was done for this
commit is not done again (`--fresh` does), so that the command can be ended at any time and goes on where it was. A build of
torch for CUDA is some 5 GB; one for CPUs is taken where `--find-links` names a folder that has it.

Where pip refuses a cell, torch is installed alone, and what the import says is recorded. Writes `matrix.json` and `matrix.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tqdm import tqdm

import augfn
from augfn.errors import needs
from benchmarks.apart import ROOT
from benchmarks.measure import environment, header, table, write

PINNED = "3.11"  # the Python that constraints.txt is for
CORNERS = (("3.10", "2.9"), ("3.10", "2.13"), (PINNED, "2.13"), ("3.12", "newest"), ("3.13", "newest"))
SHOWN = ("torch", "numpy", "pillow", "kornia", "pytest")
FILES = ("api", "compose", "distributions", "package", "random", "saving", "stubs")
OPS = "rotate or gaussian_blur or color_jitter or cutmix or hflip"
DOCTESTS = ("README.md", "augfn/compose.py", "augfn/custom.py", "augfn/losses.py", "augfn/distributions")
# Of each selection the arguments of one call of pytest after the other.
SELECTIONS: dict[str, list[list[str]]] = {
    "quick": [
        [*(f"tests/test_{name}.py" for name in FILES), *DOCTESTS],
        ["tests/test_laws.py", "-k", f"({OPS}) and not 3d"],
    ],
    "full": [[]],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", help="versions that are on PATH; with --torch all pairs")
    parser.add_argument("--torch", nargs="+", help='versions such as 2.9, or "newest"')
    parser.add_argument("--tests", choices=SELECTIONS, default="quick")
    parser.add_argument("--workers", type=int, default=2, help="processes of pytest")
    parser.add_argument(
        "--root", type=Path, default=Path(tempfile.gettempdir()) / "augfn-matrix", help="of environments"
    )
    parser.add_argument("--find-links", type=Path, help="a folder of wheels that are taken before the index's")
    parser.add_argument("--fresh", action="store_true", help="run what was done too")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    options = parser.parse_args()
    pairs = list(CORNERS)
    if options.python or options.torch:
        pairs = [(p, t) for p in options.python or [PINNED] for t in options.torch or ["newest"]]
    command = "python -m benchmarks." + " ".join(["matrix", *sys.argv[1:]])
    path = options.out / "matrix.json"
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"] if path.exists() else []
    commit = output("git", "rev-parse", "--short", "HEAD")
    for python, torch in tqdm(pairs, desc="cells", disable=None):
        name = {"python": python, "torch": torch, "tests": options.tests}
        old = [c for c in cells if name.items() <= c.items()]
        if any(c["commit"] == commit for c in old) and not options.fresh:
            continue
        found = name | {"commit": commit, "augfn": augfn.__version__} | cell(python, torch, options)
        cells = sorted([*(c for c in cells if c not in old), found], key=lambda c: (c["tests"], order(c)))
        env = environment(command, options.workers)
        for made in write(options.out, "matrix", {"environment": env, "cells": cells}, page(env, cells)):
            tqdm.write(str(made))
    if any(cell["failed"] for cell in cells):
        raise SystemExit("some tests fail: see the page")


def order(cell: dict[str, Any]) -> list[int]:
    """The order of cells: by the numbers of their versions, newest last."""
    return [int(n) for n in re.findall(r"\d+", f"{cell['python']}.{cell['torch'].replace('newest', '999')}")]


def cell(python: str, torch: str, options: argparse.Namespace) -> dict[str, Any]:
    """What one pair of versions gives."""
    home = options.root / f"{python}-{torch}"
    shutil.rmtree(home, ignore_errors=True)
    start = time.monotonic()
    try:
        install = ["pip", "install", "--quiet", "--python", str(home)]
        wanted = "torch" if torch == "newest" else f"torch=={torch}.*"
        links = ["--find-links", str(options.find_links)] if options.find_links else []
        if trouble := uv("venv", "--quiet", "--python", python, str(home)):
            raise SystemExit(f"no environment for Python {python}: {trouble}")
        if refusal := uv(*install, *links, *pins(python, home), wanted, f"{ROOT}[test]"):
            return refused(refusal, home, uv(*install, *links, wanted, "numpy") or uv(*install, "--no-deps", str(ROOT)))
        return tests(home, options) | {"minutes": round((time.monotonic() - start) / 60, 1)}
    finally:
        shutil.rmtree(home, ignore_errors=True)


def pins(python: str, home: Path) -> list[str]:
    """The constraints, without those of torch, on the Python that they are for."""
    if python != PINNED:
        return []
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("torch")]
    (home / "constraints.txt").write_text("\n".join(lines))
    return ["-c", str(home / "constraints.txt")]


def uv(*arguments: str) -> str:
    """Run uv; what it says where it fails, else nothing."""
    done = subprocess.run([path_of_uv(), *arguments], capture_output=True, text=True, cwd=ROOT)
    return " ".join(done.stderr.split()) if done.returncode else ""


def path_of_uv() -> str:
    try:
        from uv import find_uv_bin
    except ImportError as error:
        raise needs("release", "the matrix", error) from None
    return find_uv_bin()


def refused(by_pip: str, home: Path, torch_alone: str) -> dict[str, Any]:
    """A cell without tests: what pip says, and what the import says where torch can be had."""
    nothing = {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0, "reasons": [], "pip": by_pip}
    if torch_alone:
        return nothing | {"import": "not tried, since there is no such torch for it", "versions": {}}
    done = subprocess.run([home / "bin" / "python", "-c", "import augfn"], capture_output=True, text=True, cwd=home)
    text = " ".join(done.stderr.partition("ImportError: ")[2].split()) if done.returncode else "it works"
    return nothing | {"import": text or done.stderr.strip().splitlines()[-1], "versions": versions(home)}


def versions(home: Path) -> dict[str, str]:
    listed = json.loads(output(path_of_uv(), "pip", "list", "-q", "--format", "json", "--python", home))
    held = {p["name"]: p["version"] for p in listed}
    python = output(home / "bin" / "python", "-c", "import platform; print(platform.python_version())")
    return {"python": python} | {name: held[name] for name in SHOWN if name in held}


def output(*command: Any) -> str:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


def tests(home: Path, options: argparse.Namespace) -> dict[str, Any]:
    """The selection in the environment; its counts, and a line for each test that fails."""
    counts = {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0}
    reasons: list[str] = []
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    for arguments in SELECTIONS[options.tests]:
        report = home / "report.xml"
        report.unlink(missing_ok=True)
        command = [home / "bin" / "python", "-m", "pytest", "-q", "-n", options.workers, "-p", "no:cacheprovider"]
        command = [*map(str, [*command, f"--junitxml={report}", *arguments])]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environ)
        if not report.exists():
            counts["failed"] += 1
            reasons.append(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
            continue
        suite = ElementTree.parse(report).getroot().find("testsuite")
        assert suite is not None
        bad, skipped = int(suite.attrib["failures"]) + int(suite.attrib["errors"]), int(suite.attrib["skipped"])
        counts["failed"] += bad
        counts["skipped"] += skipped
        counts["passed"] += int(suite.attrib["tests"]) - bad - skipped
        counts["seconds"] += float(suite.attrib["time"])
        reasons += reasons_of(suite)
    return counts | {"seconds": round(counts["seconds"], 1), "reasons": reasons, "versions": versions(home)}


def reasons_of(suite: ElementTree.Element) -> list[str]:
    return [
        f"{case.attrib['classname']}::{case.attrib['name']}: {' '.join(why.attrib.get('message', '').split())[:200]}"
        for case in suite.iter("testcase")
        for why in case
        if why.tag in ("failure", "error")
    ]


def page(env: dict[str, Any], cells: Iterable[dict[str, Any]]) -> str:
    """The results as Markdown."""
    parts = ["# Pythons and torches", (__doc__ or "").split("\n\n")[2], header(env)]
    for name in SELECTIONS:
        chosen = [c for c in cells if c["tests"] == name]
        if not chosen:
            parts.append(f"## {name}\n\nNot run.")
            continue
        rows = [row(c) for c in chosen]
        head = ("Python", "torch", "numpy", "passed", "failed", "skipped", "seconds", "commit")
        calls = [f"* `{shlex.join(['pytest', *arguments])}`" for arguments in SELECTIONS[name]]
        parts += [f"## {name}", "\n".join(calls), table(head, rows)]
        parts += [f"* {title(c)} fails: {reason}" for c in chosen for reason in c["reasons"]]
        parts += [f"* {title(c)} is refused. uv: {c['pip']}; import: {c['import']}" for c in chosen if "pip" in c]
    return "\n\n".join(parts)


def title(cell: dict[str, Any]) -> str:
    return f"Python {cell['python']} with torch {cell['torch']}"


def row(cell: dict[str, Any]) -> list[str]:
    held = cell["versions"]
    first = [held.get("python", cell["python"]), held.get("torch", cell["torch"]), held.get("numpy", "")]
    if "pip" in cell:
        return [*first, "refused", "", "", "", cell["commit"]]
    return [
        *first,
        *(f"{cell[n]:,}" for n in ("passed", "failed", "skipped")),
        f"{cell['seconds']:,.0f}",
        cell["commit"],
    ]


if __name__ == "__main__":
    main()

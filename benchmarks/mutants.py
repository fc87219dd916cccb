"""Do the tests see small faults? Mutants of the engine by cosmic-ray, and faults that once survived.

    pip install -c constraints.txt '.[mutants]'
    python -m benchmarks.mutants [--session FILE] [--count 200] [--seed 0] [--minutes M] [--fresh] [--out FOLDER]
    python -m benchmarks.mutants --named      the named faults alone
    python -m benchmarks.mutants --report     the page again, after verdicts were written into mutants.json

Every mutant is tested in a temporary copy of the tree, `--workers` at a time; the checkout is never changed. What was
done is kept in the session, so that the command can be ended at any time (or ends itself after M minutes) and goes on
where it was. Writes `mutants.md` and `mutants.json`; a survivor's "verdict" in the JSON is written by hand, and kept.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.apart import ROOT
from benchmarks.measure import environment, header, table, write
from benchmarks.mutants_named import FAULTS, Fault

MUTATED = ("augfn/core", "augfn/run", "augfn/compose.py")
COPIED = ("augfn", "augfn_nn", "benchmarks", "tests", "pyproject.toml", "README.md", "constraints.txt")
# Quick files first, since a mutant ends with the first test that fails. Those that are not there are left out.
TESTS = (
    "compose",
    "gates",
    "twins",
    "silent",
    "maps",
    "ops_seeing",
    "targets",
    "annotations",
    "visibility",
    "ops_occlude",
    "bodies",
    "inverse",
    "horizon",
    "devices",
    "learn",
    "errors",
    "spec",
    "mechanism",
)
LEFT_OUT = "any_size_from_the_first or frames_and_slices_compile or pairs_compile"  # half the time of all
LONGEST = 120  # seconds that the test command may take on the code as it is
SURVIVED, KILLED, TIMEOUT, NO_RUN = "survived", "killed", "timeout", "could not run"

NOTES = """\
* A mutant changes one operator, number, word or decorator of the code. It is **killed** when a test fails, and a
  **timeout** counts as killed; **survived** when all pass. Annotations are not mutated: nothing evaluates them.
* A **verdict** on a survivor is written by hand, in `mutants.json`: "changes speed alone", "equivalent", or what test it
  showed to be missing."""


# the copy, and its tests


@contextmanager
def copy_of_tree() -> Iterator[Path]:
    """A copy to mutate, as the working folder."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="augfn-mutants-") as folder:
        root = Path(folder)
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "results"))
            else:
                shutil.copy2(ROOT / name, root / name)
        os.chdir(root)
        try:
            yield root
        finally:
            os.chdir(here)


def test_command(root: Path) -> str:
    files = [f"tests/test_{name}.py" for name in TESTS]
    found = " ".join(f for f in files if (root / f).exists())
    return f"{sys.executable} -m pytest -x -q -n 0 -p no:cacheprovider -k 'not ({LEFT_OUT})' {found}"


def baseline(command: str) -> float:
    """Seconds of the test command on the code as it is."""
    from cosmic_ray.testing import run_tests
    from cosmic_ray.work_item import TestOutcome

    start = time.monotonic()
    outcome, output = run_tests(command, 10 * LONGEST)
    if outcome != TestOutcome.SURVIVED:
        raise SystemExit(f"the tests fail on the code as it is:\n{output}")
    return time.monotonic() - start


def fingerprint(root: Path) -> str:
    """Of the code that is mutated: a session belongs to it."""
    return hashlib.sha256(b"".join(f.read_bytes() for f in sources(root))).hexdigest()[:16]


def sources(root: Path) -> list[Path]:
    """The files to mutate, relative where the root is."""
    paths = [root / name for name in MUTATED]
    return sorted(f for p in paths for f in ([p] if p.is_file() else p.rglob("*.py")))


# the session


def begin(db: Any, root: Path, count: int, seed: int) -> int:
    """Fill the session with a sample of all mutants; how many there are."""
    from cosmic_ray.commands.init import init

    init([f.relative_to(root) for f in sources(root)], db, {})
    skip = {f.relative_to(root): annotations(f) for f in sources(root)}
    every = [w for w in db.work_items if not any(s <= position(w) < e for s, e in skip[w.mutations[0].module_path])]
    every.sort(key=lambda w: (str(w.mutations[0].module_path), w.mutations[0].operator_name, w.mutations[0].occurrence))
    db.clear()
    db.add_work_items(Random(seed).sample(every, min(count, len(every))))
    return len(every)


Position = tuple[int, int]


def position(item: Any) -> Position:
    return tuple(item.mutations[0].start_pos)


def annotations(path: Path) -> list[tuple[Position, Position]]:
    """Where annotations stand that are never evaluated."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node.returns)
        elif isinstance(node, ast.arg | ast.AnnAssign):
            found.append(node.annotation)
    return [((n.lineno, n.col_offset), (n.end_lineno or 0, n.end_col_offset or 0)) for n in found if n]


def go_on(db: Any, command: str, timeout: float, minutes: float, workers: int) -> None:
    """Test what is left, in the order of the sample, until the time is over; each process in a copy of its own."""
    from tqdm import tqdm

    left, spawn = sorted(db.pending_work_items, key=lambda w: w.job_id), get_context("spawn")
    one = partial(tried, command=command, timeout=timeout, end=time.monotonic() + 60 * minutes)
    with tempfile.TemporaryDirectory(prefix="augfn-mutants-") as folder:
        places = spawn.Queue()
        for k in range(workers):
            places.put(shutil.copytree(".", Path(folder, str(k))))
        with ProcessPoolExecutor(workers, spawn, go_to, (places,)) as pool:
            results = pool.map(one, [item.mutations for item in left])
            for item, result in zip(left, tqdm(results, "mutants", len(left), disable=None), strict=True):
                if result is not None:
                    db.set_result(item.job_id, result)


def go_to(places: Any) -> None:
    os.chdir(places.get())


def tried(mutations: Any, command: str, timeout: float, end: float) -> Any:
    """The result of a mutant; None where the time is over."""
    from cosmic_ray.mutating import mutate_and_test

    return mutate_and_test(mutations, command, timeout) if time.monotonic() < end else None


def outcome(result: Any) -> str:
    from cosmic_ray.work_item import TestOutcome, WorkerOutcome

    if result.worker_outcome != WorkerOutcome.NORMAL or result.test_outcome == TestOutcome.INCOMPETENT:
        return NO_RUN
    if result.test_outcome == TestOutcome.SURVIVED:
        return SURVIVED
    return TIMEOUT if result.output == "timeout" else KILLED


def records_of(db: Any, verdicts: dict[str, str]) -> list[dict[str, Any]]:
    found = []
    for item, result in db.completed_work_items:
        m, what = item.mutations[0], outcome(result)
        record = {"file": str(m.module_path), "line": m.start_pos[0], "operator": m.operator_name, "outcome": what}
        if what in (SURVIVED, NO_RUN):
            record |= {"diff": result.diff or result.output, "verdict": verdicts.get(result.diff or "", "")}
        found.append(record)
    return sorted(found, key=lambda r: (r["file"], r["line"], r["operator"]))


# named faults


def try_named(faults: Iterable[Fault], root: Path, command: str, timeout: float) -> list[dict[str, Any]]:
    """The outcome of each; all must have their place in the code before the first is tried."""
    from cosmic_ray.testing import run_tests
    from cosmic_ray.work_item import TestOutcome
    from tqdm import tqdm

    places = [(fault, *fault.patched(root)) for fault in faults]
    found = []
    for fault, path, text in tqdm(places, desc="named faults", disable=None):
        before = path.read_text()
        path.write_text(text)
        try:
            result, output = run_tests(command, timeout)
        finally:
            path.write_text(before)
        what = SURVIVED if result == TestOutcome.SURVIVED else TIMEOUT if output == "timeout" else KILLED
        seen = next((line for line in output.splitlines() if line.startswith("FAILED")), "")
        found.append({"name": fault.name, "file": str(path.relative_to(root)), "outcome": what, "by": seen[7:107]})
    return found


# what is shown


def report(data: dict[str, Any]) -> str:
    """The Markdown page."""
    records, meta = data["mutants"], data["session"]
    parts = ["# Mutants", header(data["environment"]), NOTES]
    if meta:
        parts += [
            f"{len(records)} of {meta['count']} sampled mutants (seed {meta['seed']}, of {meta['all']} there are) of "
            f"`{meta['code']}` were tried. The tests: `{meta['command']}`, {meta['seconds']:.0f} s on the code as it is."
        ]
        parts += [by_file(records), f"**{shares(records)}**"]
        for r in records:
            if r["outcome"] in (SURVIVED, NO_RUN):
                parts += [f"## {r['outcome']}: {r['file']}:{r['line']}, {r['operator'].removeprefix('core/')}"]
                parts += [f"Verdict: {r['verdict'] or '(not read yet)'}", f"```diff\n{changed_lines(r['diff'])}\n```"]
    if data["named"]:
        parts += ["## Faults that once survived", named_table(data["named"])]
    return "\n\n".join(parts)


def by_file(records: list[dict[str, Any]]) -> str:
    counts = Counter((r["file"], r["outcome"]) for r in records)
    kinds = (KILLED, TIMEOUT, SURVIVED, NO_RUN)
    lines = [[f, *(str(counts[f, k]) for k in kinds)] for f in dict.fromkeys(r["file"] for r in records)]
    return table(["", *kinds], [*lines, ["all", *(str(sum(r["outcome"] == k for r in records)) for k in kinds)]])


def shares(records: list[dict[str, Any]]) -> str:
    """How many die, of all and of those that change results."""
    ran = [r for r in records if r["outcome"] != NO_RUN]
    dead = sum(r["outcome"] != SURVIVED for r in ran)
    harmless = sum(r.get("verdict", "").startswith(("changes speed alone", "equivalent")) for r in ran)
    unread = sum(r["outcome"] == SURVIVED and not r["verdict"] for r in ran)
    text = f"{dead} of {len(ran)} die ({dead / max(1, len(ran)):.0%})"
    text += f"; of those that change results {dead / max(1, len(ran) - harmless):.0%}" if harmless else ""
    return text + (f"; {unread} survivors are not read yet" if unread else "")


def changed_lines(diff: str) -> str:
    return "\n".join(line for line in diff.splitlines() if line and not line.startswith(("---", "+++")))


def named_table(records: list[dict[str, Any]]) -> str:
    lines = [[r["name"], r["file"], r["outcome"], r["by"]] for r in records]
    return table(["fault", "file", "outcome", "first test that fails"], lines).replace("---:", "---")


# the command


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--session", type=Path, default=Path("build/mutants.sqlite"), help="where progress is kept")
    parser.add_argument("--count", type=int, default=200, help="how many mutants to sample")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many; the next call goes on")
    parser.add_argument("--workers", type=int, default=2, help="mutants at a time")
    parser.add_argument("--fresh", action="store_true", help="forget the session, and sample anew")
    parser.add_argument("--named", action="store_true", help="try the named faults alone")
    parser.add_argument("--report", action="store_true", help="write the page again, and try nothing")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"), help="folder of the results")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    options.session, options.out = options.session.resolve(), options.out.resolve()
    path = options.out / "mutants.json"
    data = json.loads(path.read_text()) if path.exists() else {"session": {}, "mutants": [], "named": []}
    if not options.report:
        data["environment"] = environment(" ".join(["python -m benchmarks.mutants", *arguments]), 1)
        with copy_of_tree() as root:
            os.environ["OMP_NUM_THREADS"] = "1"
            run(options, root, data)
    print(*(f"written: {p}" for p in write(options.out, "mutants", data, report(data))), sep="\n")
    print(shares(data["mutants"]), *(f"{r['outcome']}: {r['name']}" for r in data["named"]), sep="\n")


def run(options: argparse.Namespace, root: Path, data: dict[str, Any]) -> None:
    """Try the named faults, or go on with the session; what is found goes into `data`."""
    from cosmic_ray.work_db import WorkDB, use_db

    command = test_command(root)
    if options.named:
        data["named"] = try_named(FAULTS, root, command, timeout_of(baseline(command)))
        return
    options.session.parent.mkdir(parents=True, exist_ok=True)
    notes = options.session.with_suffix(".json")
    if options.fresh:
        options.session.unlink(missing_ok=True)
        notes.unlink(missing_ok=True)
    with use_db(str(options.session), WorkDB.Mode.create) as db:
        if not notes.exists():
            seconds = baseline(command)
            if seconds > LONGEST:
                print(f"the tests take {seconds:.0f} s, more than {LONGEST}: choose fewer", file=sys.stderr)
            meta = {"code": fingerprint(root), "command": command, "seconds": seconds, "seed": options.seed}
            meta["all"] = begin(db, root, options.count, options.seed)
            notes.write_text(json.dumps(meta | {"count": db.num_work_items}))
        meta = json.loads(notes.read_text())
        if meta["code"] != fingerprint(root):
            raise SystemExit(f"the code is not that of {options.session}; --fresh starts anew")
        verdicts = {r["diff"]: r["verdict"] for r in data["mutants"] if r.get("verdict")}
        try:
            go_on(db, meta["command"], timeout_of(meta["seconds"]), options.minutes, options.workers)
        except KeyboardInterrupt:
            print("interrupted; the next call goes on", file=sys.stderr)
        data |= {"session": meta, "mutants": records_of(db, verdicts)}


def timeout_of(seconds: float) -> float:
    return 60 + 3 * seconds


if __name__ == "__main__":
    main(sys.argv[1:])

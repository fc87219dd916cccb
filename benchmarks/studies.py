"""What experiments with criteria share: seeds, controls, a verdict for each criterion, and a page with a plot.

A module `benchmarks.learned_NAME`, or one of ALONE of its own name, holds one `STUDY`; `python -m benchmarks.experiments NAME`
publishes it.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from benchmarks.measure import Verdict, environment, header, table, write

WORKERS = min(2, torch.get_num_threads())  # processes of one thread each; OMP_NUM_THREADS=1 makes it one
ALONE = ("tuning",)  # whose module and page have no prefix
LEARNED = (
    "hidden_policy",
    "faster_autoaugment",
    "hypergradient",
    "augerino",
    "dada",
    "orientation",
    "affine_shape",
    *ALONE,
)
Figures = dict[str, float]  # what one arm reaches with one seed
Results = dict[str, list[Figures]]  # for each arm, the seeds in order


class Study(NamedTuple):
    """An experiment: each arm is run with each seed.

    * `title`, `about`: the page's heading, and what is done, in Markdown.
    * `arms`: their names, controls included.
    * `run(arm, seed, quick)`: the figures of one arm with one seed; a function at the top of a module, since it runs in
      processes of its own.
    * `verdicts(results)`: the criteria, of which all must hold.
    * `plot(results, path)`: optional; a PNG.
    """

    title: str
    about: str
    arms: Sequence[str]
    run: Callable[[str, int, bool], Figures]
    verdicts: Callable[[Results], list[Verdict]]
    plot: Callable[[Results, Path], None] | None = None


def study_of(name: str) -> Study:
    return import_module(f"benchmarks.{prefixed(name, '_')}").STUDY


def prefixed(name: str, by: str) -> str:
    return name if name in ALONE else f"learned{by}{name}"


def task(given: tuple[str, str, int, bool]) -> Figures:
    """One arm with one seed, on one thread."""
    torch.set_num_threads(1)
    name, arm, seed, quick = given
    start = time.process_time()
    found = study_of(name).run(arm, seed, quick)
    return {**found, "seconds": time.process_time() - start}


def in_processes(run: Callable[[Any], Any], tasks: Sequence[Any], name: str) -> list[Any]:
    """What is found of each task, in order."""
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        return list(tqdm(pool.map(run, tasks), total=len(tasks), desc=name, leave=False, disable=None))


def of(results: Results, arm: str, what: str) -> list[float]:
    """A figure of an arm, for each seed."""
    return [figures[what] for figures in results[arm]]


def mean_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard error, which one value has not (NaN)."""
    return statistics.fmean(values), statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan


def written(values: Sequence[float]) -> str:
    mean, error = mean_error(values)
    return f"{mean:.3g}" if math.isnan(error) else f"{mean:.3g} ({error:.2g})"


def table_of(results: Results) -> str:
    """Arms down, figures across: mean (standard error), and every seed."""
    names = [*dict.fromkeys(n for figures in results.values() for f in figures for n in f)]
    rows = []
    for arm, figures in results.items():
        each = [[f[n] for f in figures if n in f] for n in names]
        rows.append([arm, *(f"{written(v)}: {', '.join(f'{x:.3g}' for x in v)}" if v else "" for v in each)])
    return table(("arm", *names), rows)


def kept(path: Path, arms: Sequence[str], seeds: int) -> tuple[Results, dict[str, Any]]:
    """The figures of arms that are not run anew, and of each the environment: from the page's JSON as it is."""
    if not arms:
        return {}, {}
    page = json.loads(path.read_text())
    lacking = [arm for arm in arms if len(page["results"].get(arm, ())) != seeds]
    if lacking:
        raise SystemExit(f"{path} has no {seeds} seeds of {', '.join(lacking)}: run without --arm")
    before = page.get("kept", {})
    return {arm: page["results"][arm] for arm in arms}, {arm: before.get(arm, page["environment"]) for arm in arms}


def origins(others: dict[str, Any]) -> list[str]:
    """Where the figures of kept arms are from, for each environment once."""
    dates = dict.fromkeys(env["date"] for env in others.values())
    each = [{arm: env for arm, env in others.items() if env["date"] == date} for date in dates]
    return [f"Kept from an earlier run: {'; '.join(arms)}.\n\n{header(next(iter(arms.values())))}" for arms in each]


def publish(name: str, options: argparse.Namespace, command: str) -> bool:
    """Run a study, print its page and a PASS or FAIL line for each criterion; True if all hold."""
    study, env, begin = study_of(name), environment(command, WORKERS), time.perf_counter()
    arms, stem = [*dict.fromkeys(options.arm or study.arms)], prefixed(name, "-") + "-quick" * options.quick
    unknown = [arm for arm in arms if arm not in study.arms]
    if unknown:
        raise SystemExit(f"{name} has no arm {unknown[0]!r}: one of {'; '.join(study.arms)}")
    old, others = kept(options.out / f"{stem}.json", [arm for arm in study.arms if arm not in arms], options.seeds)
    tasks = [(name, arm, seed, options.quick) for seed in range(options.seeds) for arm in arms]
    found = in_processes(task, tasks, name)
    results: Results = {arm: [*old.get(arm, ())] for arm in study.arms}
    for (_, arm, _, _), figures in zip(tasks, found, strict=True):
        results[arm].append(figures)
    verdicts = study.verdicts(results)
    parts = [f"# {study.title}", header(env), *origins(others), study.about.strip()]
    parts += ["**A quick run: it shows that all of it runs, not what is true.**"] * options.quick
    wall = f"{time.perf_counter() - begin:.0f} s in all" + ", of what was run anew" * bool(others)
    parts += [f"{options.seeds} seeds, {wall}. Mean (standard error): each seed."]
    parts += [table_of(results), "\n".join(f"* {v}" for v in verdicts)]
    options.out.mkdir(parents=True, exist_ok=True)
    if study.plot is not None:
        study.plot(results, options.out / f"{stem}.png")
        parts += [f"![{study.title}]({stem}.png)"]
    page = "\n\n".join(parts)
    data = {"environment": env, "kept": others, "results": results, "criteria": [v._asdict() for v in verdicts]}
    paths = write(options.out, stem, data, page)
    print(page, *verdicts, *(f"written: {path}" for path in paths), sep="\n")
    return all(v.passed for v in verdicts)

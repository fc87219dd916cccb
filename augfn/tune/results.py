"""What a search found: the best point and its policy, all trials, and plots."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from torch import Tensor

from augfn import saving
from augfn.analysis.tables import Table
from augfn.core.augmentation import Augmentation
from augfn.errors import explain, unknown
from augfn.tune.homes import optuna_of, quiet
from augfn.tune.spaces import Point, Space

PLOTS = {"parallel": "plot_parallel_coordinate", "importance": "plot_param_importances"}


class Searched:
    """What `search` found.

    | attribute | meaning |
    |---|---|
    | `best`, `value`, `policy` | the best point, its result on validation data, and the augmentation at that point |
    | `table` | all trials, in order: number, state, result, point |
    | `study` | Optuna's, for all that it can do |

    A trial is "complete", "pruned" (it fell behind), "diverged" (its result was not finite), or "running" in another process.
    The result of the best of many trials is optimistic: `report` says by how much.
    """

    def __init__(self, space: Space, study: Any, key: Tensor, metric: str | None, budget: Any) -> None:
        self.space, self.study, self.key, self.metric, self.budget = space, study, key, metric, budget
        begun = [t for t in study.get_trials() if t.state.name != "FAIL" and "index" in t.user_attrs]
        self.trials = sorted(begun, key=lambda t: t.user_attrs["index"])

    @property
    def label(self) -> str:
        return self.metric or "value"

    @property
    def top(self) -> Any:
        done = self.complete()
        if not done:
            want, fix = "at least one that is complete", "another space, or look at what train gives"
            raise ValueError(explain("search: no best trial", [state(t) for t in self.trials], want, fix))
        sign = 1 if self.maximize else -1
        return max(done, key=lambda t: sign * t.value)  # of equal ones the first

    @property
    def maximize(self) -> bool:
        return self.study.direction.name == "MAXIMIZE"

    @property
    def best(self) -> Point:
        return self.space.ordered(self.top.params)

    @property
    def value(self) -> float:
        return self.top.value

    @property
    def policy(self) -> Augmentation:
        return self.space.policy(self.best)

    @property
    def table(self) -> Table:
        rows = []
        for t in self.trials:
            point = self.space.ordered(t.params)
            value = math.nan if t.value is None else t.value
            numbers = [point.get(path, math.nan) for path in self.space.paths]
            rows.append((t.user_attrs["index"], state(t), value, *numbers))
        return Table(("trial", "state", self.label, *self.space.paths), rows)

    def __repr__(self) -> str:
        found = f"{self.label} {self.value:.4g} at {self.best}" if self.complete() else "nothing that is complete"
        return f"Searched: {found}, of {len(self.trials)} trials"

    def plot(self, kind: str = "parallel", path: str | Path | None = None) -> Any:
        """A plot of the trials: "parallel" (parallel coordinates) or "importance" (of each number; PED-ANOVA).

        A figure of plotly, written to `path` as a page of its own; or, where the path ends in .png and the like, of
        matplotlib. Raises ValueError where there are too few trials to tell.
        """
        if kind not in PLOTS:
            raise ValueError(unknown("plot", kind, PLOTS))
        page = path is None or Path(path).suffix.lower() in (".html", ".htm")
        done = self.complete()
        varied = [p for p in self.space.paths if len({t.params.get(p) for t in done}) > 1]
        if not varied or (kind == "importance" and len({t.value for t in done}) < 2):
            want, fix = "trials that differ, and so do their results", "more trials"
            raise ValueError(explain(f"search: nothing to plot ({kind})", f"{len(done)} trials", want, fix))
        with quiet():
            return drawn(self.study, PLOTS[kind], varied, self.label, page, path)

    def complete(self) -> list[Any]:
        return [t for t in self.trials if t.state.name == "COMPLETE"]

    def save(self, folder: str | Path) -> Path:
        """Write the best policy (policy.yaml), the trials (trials.csv), and both plots as .html and .png."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        saving.save(self.policy, folder / "policy.yaml")
        with open(folder / "trials.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([self.table.columns, *self.table.rows])
        for kind in PLOTS:
            for suffix in ("html", "png"):
                try:
                    self.plot(kind, folder / f"{kind}.{suffix}")
                except ValueError:
                    continue  # too few trials to tell
        return folder


def state(trial: Any) -> str:
    found = trial.state.name.lower()
    return "diverged" if found == "pruned" and "values" in trial.user_attrs else found


def drawn(study: Any, name: str, params: list[str], metric: str, page: bool, path: str | Path | None) -> Any:
    """Optuna's plot, by plotly or by matplotlib."""
    optuna = optuna_of("search")
    if page:
        figure = getattr(optuna.visualization, name)(study, params=params, target_name=metric)
        if path is not None:
            figure.write_html(path, include_plotlyjs=True)
        return figure
    from matplotlib import pyplot

    with pyplot.rc_context():  # Optuna's plots set a style
        axes = getattr(optuna.visualization.matplotlib, name)(study, params=params, target_name=metric)
        axes.figure.set_size_inches(max(6.5, 1.6 * len(params)), 5)
        axes.figure.savefig(path, dpi=120, bbox_inches="tight")
        pyplot.close(axes.figure)
    return axes.figure

"""Searches for the best point of a space, on Optuna."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from torch import Tensor

from augfn import random
from augfn.errors import explain, unknown
from augfn.learn.policy import tensors_of
from augfn.progress import shown
from augfn.tune.homes import Home, optuna_of, quiet
from augfn.tune.results import Searched
from augfn.tune.spaces import Point, Space

Train = Callable[[Any, Tensor, Any], Any]
METHODS = ("grid", "random", "tpe")
PRUNERS = {"median": "MedianPruner", "halving": "SuccessiveHalvingPruner", None: "NopPruner"}
USUAL = 30  # trials


def search(
    train: Train,
    space: Space,
    method: str = "tpe",
    trials: int | None = None,
    *,
    key: Tensor,
    name: str = "search",
    storage: str | Path | None = None,
    budget: Any = None,
    metric: str | None = None,
    maximize: bool = True,
    prune: Any = None,
    seeds: int = 1,
    steps: int = 5,
    progress: bool = False,
) -> Searched:
    """Train with policies of a space, and find the one that is best on validation data.

    | argument | meaning |
    |---|---|
    | `train` | `train(augment, key, budget)` gives the result on validation data: a number, or a mapping of which `metric` is
    the name; or it is a generator that yields such results as training goes on, of which the last is the final one |
    | `space` | of `space(policy)` |
    | `method` | "grid": all combinations, of numbers that are not whole `steps` values each, so RandAugment's (N, M) grid is
    `search(train, space(af.rand_augment(n=3)), "grid", key=key)`; "random"; "tpe" (tree-structured Parzen estimator) |
    | `trials` | how many in all, those of earlier calls and of other processes included; None: 30, or the whole grid |
    | `key` | names all that is random: point i of "random" and "tpe" follows from it and i. The trainings of a trial have the
    keys `seeds_of(key, seeds)`, the same in all trials, so that what differs between trials is the policy alone |
    | `name`, `storage` | of the study: a file (SQLite), made where it is missing, or the URL of a database. The same call goes on
    where it was stopped, several processes may run it at once, and a trial that was killed is done again |
    | `budget` | is handed to `train` as it is; plain data, such as a number of steps |
    | `maximize` | False for a loss |
    | `prune` | "median" or "halving" (or a pruner of Optuna's) stops trials that fall behind, by what the generator yields |
    | `seeds` | trainings of each trial, of which the mean counts |
    | `progress` | show a bar (needs tqdm) |

    There is no place for test data here: `report` sees them once, at the end.

    A trial whose result is not finite counts as the worst. Of several processes "grid" and "random" do the very trials that
    one does; "tpe" learns from what is finished, so its points depend on the order. In a database of several machines a trial
    whose machine fell silent is done again after five minutes, and two machines may, rarely, do one trial twice.

    Raises ValueError for bad settings, for a study of another space, method, key or budget, and where `report` was called
    already; what `train` raises stops the search, which does that trial again when it goes on. Sources: Akiba et al. 2019
    (Optuna); Bergstra et al. 2011 (TPE); Cubuk et al. 2020 (the grid).

    >>> import augfn as af
    >>> from augfn.tune import space
    >>> def train(augment, key, budget):
    ...     return 1 - abs(float(augment.params["degrees"].high) - 30) / 30
    >>> found = search(train, space(af.rotate(degrees=(-10, 10)), "aggressive"), "grid", key=af.key(0), steps=4)
    >>> found.best, found.value, len(found.table)
    ({'degrees': 30.0}, 1.0, 4)
    """
    random.check_key(key)
    checked(train, space, method, trials, steps, prune)
    plain(name, metric, maximize)
    points = space.grid(steps) if method == "grid" else None
    if points is not None and trials is not None and trials < len(points):
        fix = 'trials=None, less steps, or method="random"'
        raise ValueError(explain("search: a part of the grid", trials, f"all its {len(points)} points", fix))
    total = len(points) if points is not None else trials or USUAL
    plan = Plan(space, method, key, total, points)
    training = Training(train, seeds_of(key, seeds), budget, metric, prune is not None)
    mark = plan.mark() | {
        "seeds": repr(seeds),
        "budget": repr(budget),
        "metric": repr((metric, maximize)),
        "prune": repr(prune) if prune is None or isinstance(prune, str) else type(prune).__name__,
    }
    with quiet(), Home.of(storage) as home:
        study = studied(home, name, mark, maximize, prune)
        ended = [t for t in study.get_trials(deepcopy=False) if t.state.name in ("COMPLETE", "PRUNED")]
        done = {t.user_attrs.get("index") for t in ended}  # of which two machines may have done one twice
        for _ in shown(range(total - len(done)), progress, "trials"):
            trial = asked(study, plan, home)
            if trial is None:
                break
            with home.alive(trial):
                run(study, trial, space, training)
        return Searched(space, study, key, metric, budget)


def seeds_of(key: Tensor, seeds: int) -> Tensor:
    """The keys `[seeds, 2]` that the trainings of each trial have."""
    counted("seeds", seeds)
    return random.split(random.fold_in(key, random.salt("seeds")), seeds)


def checked(train: Any, space: Any, method: str, trials: Any, steps: int, prune: Any) -> None:
    if not callable(train):
        raise TypeError(explain("search: train", train, "train(augment, key, budget)", "a function of yours"))
    if not isinstance(space, Space):
        raise TypeError(explain("search: space", space, "a search space", "augfn.tune.space(policy)"))
    if method not in METHODS:
        raise ValueError(unknown("method", method, METHODS))
    if not hasattr(prune, "prune") and prune not in [*PRUNERS]:
        raise ValueError(unknown("pruner", prune, [n for n in PRUNERS if n]))
    counted("search: trials", 1 if trials is None else trials)
    counted("search: steps", steps)


def counted(what: str, n: Any) -> None:
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(explain(what, n, "a positive whole number", f"{what.split()[-1]}=3"))


def plain(name: Any, metric: Any, maximize: Any) -> None:
    """Raises TypeError for what would be taken for something else."""
    if not isinstance(name, str) or not name:
        raise TypeError(explain("search: name", name, "the name of a study", 'name="search"'))
    if metric is not None and not isinstance(metric, str):
        raise TypeError(explain("search: metric", metric, "the name of a result", 'metric="accuracy"'))
    if not isinstance(maximize, bool):
        raise TypeError(explain("search: maximize", maximize, "True or False", "maximize=False for a loss"))


@dataclass
class Plan:
    """What is tried: the points of a grid, or those that the key names."""

    space: Space
    method: str
    key: Tensor
    total: int
    points: list[Point] | None

    def own_key(self, index: int) -> Tensor:
        return random.fold_in(random.fold_in(self.key, random.salt("points")), index)

    def point(self, index: int) -> Point | None:
        """The point of a trial, where those before have no say in it."""
        if self.points is not None:
            return self.points[index]
        return self.space.sample(self.own_key(index)) if self.method == "random" else None

    def sampler(self, index: int) -> Any:
        """Optuna's, which begins anew for each trial, so that a search that goes on is one that never stopped."""
        samplers, point = optuna_of("search").samplers, self.point(index)
        if point is not None:
            return samplers.PartialFixedSampler(point, samplers.RandomSampler())
        return samplers.TPESampler(seed=int(random.bits(self.own_key(index))))

    def distributions(self) -> dict[str, Any]:
        kinds = optuna_of("search").distributions
        return {
            d.path: kinds.IntDistribution(int(d.low), int(d.high))
            if d.step
            else kinds.FloatDistribution(float(d.low), float(d.high), log=d.log)
            for d in self.space.numbers
        }

    def mark(self) -> dict[str, str]:
        """What tells it from others."""
        base = {path: t.tolist() for path, t in tensors_of(self.space.base.params).items()}
        method = self.method if self.points is None else f"{self.method} of {len(self.points)} points"
        return {
            "space": json.dumps([repr(self.space.base), repr(self.space.numbers), base]),
            "method": method,
            "key": repr(self.key.tolist()),
        }


def studied(home: Home, name: str, mark: Mapping[str, str], maximize: bool, prune: Any) -> Any:
    """The study of this name, new or as it was left."""
    optuna = optuna_of("search")
    given = prune is None or isinstance(prune, str)
    with home.turn():
        study = optuna.create_study(
            storage=home.storage,
            study_name=name,
            direction="maximize" if maximize else "minimize",
            pruner=getattr(optuna.pruners, PRUNERS[prune])() if given else prune,
            load_if_exists=True,
        )
        known = study.user_attrs.get("mark", mark)
        study.set_user_attr("mark", dict(known))
    for part, own in known.items():
        if own != mark[part]:
            there, here = (own, mark[part]) if part != "space" else ("the one that it began with", "another")
            fix = f'a study of its own: name="{name}_2", or another storage'
            raise ValueError(explain(f"search: {part} is not that of the study {name!r}", here, there, fix))
    return study


def asked(study: Any, plan: Plan, home: Home) -> Any:
    """The next trial, or None when all are done or being done. A trial that failed leaves its index to another."""
    with home.turn():
        home.bury(study)
        taken = {t.user_attrs.get("index") for t in study.get_trials(deepcopy=False) if t.state.name != "FAIL"}
        index = next(i for i in count() if i not in taken)
        if index >= plan.total:
            return None
        if "looks" in study.user_attrs:
            fix = f'a study of its own (name="{study.study_name}_2"; of augfn tune another out), and test data not seen yet'
            raise ValueError(explain("search: report has seen the test data", study.study_name, "no more trials", fix))
        study.sampler = plan.sampler(index)
        trial = study.ask(plan.distributions())
        trial.study = Survivors(study)
        trial.set_user_attr("index", index)
        trial.set_user_attr("owner", home.owner)
        return trial


class Survivors:
    """A study as its pruner sees it, without the trials that failed: "halving" would count them beside those in their place."""

    def __init__(self, study: Any) -> None:
        self.study = study

    def __getattr__(self, name: str) -> Any:
        return getattr(self.study, name)

    def get_trials(self, deepcopy: bool = True, states: Any = None) -> list[Any]:
        return [t for t in self.study.get_trials(deepcopy, states) if t.state.name != "FAIL"]


# one trial


@dataclass
class Training:
    """How a policy is trained with: the function, the keys, the budget, and what of its result counts."""

    train: Train
    keys: Tensor
    budget: Any
    metric: str | None
    prunes: bool = False

    def values(self, f: Any, trial: Any = None) -> list[float]:
        """The result of each training. Those on the way are told to the trial, step after step over all trainings, so that
        trials are compared at the same step of the same key."""
        out, step = [], 0
        for key in self.keys:
            made = self.train(f, key, self.budget)
            if self.prunes and not isinstance(made, Iterator):
                fix = "yield the result after each epoch, or leave prune out"
                raise TypeError(explain("search: prune, but train is no generator", made, "a generator", fix))
            value = None
            for given in made if isinstance(made, Iterator) else [made]:
                value = number(given, self.metric)
                if self.prunes and math.isfinite(value):
                    trial.report(value, step)
                    if trial.should_prune():
                        raise optuna_of("search").TrialPruned
                step += 1
            if value is None:
                raise ValueError(explain("what train yields", "nothing", "at least one result", "yield accuracy"))
            out.append(value)
        return out


def run(study: Any, trial: Any, space: Space, training: Training) -> None:
    """Train, and tell the study what came of it."""
    optuna = optuna_of("search")
    state = optuna.trial.TrialState
    try:
        values = training.values(space.policy(trial.params), trial)
    except optuna.TrialPruned:
        study.tell(trial, state=state.PRUNED)
    except BaseException:
        study.tell(trial, state=state.FAIL)
        raise
    else:
        trial.set_user_attr("values", values)
        mean = sum(values) / len(values)
        study.tell(trial, mean) if math.isfinite(mean) else study.tell(trial, state=state.PRUNED)


def number(found: Any, metric: str | None) -> float:
    """The metric in a result."""
    if isinstance(found, Mapping):
        if metric is None and len(found) != 1:
            fix = f'metric="{next(iter(found), "accuracy")}"'
            raise ValueError(explain("which of what train gave?", list(found), "the name of one", fix))
        if metric is not None and metric not in found:
            raise ValueError(unknown("metric", metric, found))
        found = found[next(iter(found)) if metric is None else metric]
    try:
        if isinstance(found, bool | str | Sequence):
            raise TypeError
        return float(found)
    except (TypeError, ValueError, RuntimeError):
        want, fix = "a number, or a mapping of numbers", 'return {"accuracy": 0.9}'
        raise TypeError(explain("what train gave", found, want, fix)) from None

"""Searches for the best point of a space, on Optuna."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from augfn import random
from augfn.errors import explain, unknown
from augfn.learn.policy import tensors_of
from augfn.progress import shown
from augfn.tune.results import Searched, optuna_of, quiet
from augfn.tune.spaces import Point, Space

Train = Callable[[Any, Tensor, Any], Any]
METHODS = ("grid", "random", "tpe")
PRUNERS = ("median", "halving")
USUAL = 30  # trials
BEAT, GRACE = 60, 300  # seconds between the signs of life in a database of several machines, and without one


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
    keys of `seeds_of(key, seeds)`, the same in all trials, so that what differs between trials is the policy alone |
    | `name`, `storage` | of the study: a file (SQLite), made where it is missing, or the URL of a database. The same call goes on
    where it was stopped, several processes may run it at once, and a trial that was killed is done again |
    | `budget` | is handed to `train` as it is |
    | `maximize` | False for a loss |
    | `prune` | "median" or "halving" (or a pruner of Optuna's) stops trials that fall behind, by what the generator yields |
    | `seeds` | trainings of each trial, of which the mean counts |

    There is no place for test data here: `report` sees them once, at the end.

    A trial whose result is not finite counts as the worst. Of several processes "grid" and "random" do the very same trials as
    one; "tpe" learns from what is finished, so its points depend on the order.

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
    checked(train, space, method, trials, seeds, steps, prune)
    points = space.grid(steps) if method == "grid" else None
    if points is not None and trials is not None and trials < len(points):
        fix = 'trials=None, less steps, or method="random"'
        raise ValueError(explain("search: a part of the grid", trials, f"all its {len(points)} points", fix))
    total = len(points) if points is not None else trials or USUAL
    plan = Plan(space, method, key, total, points)
    with quiet(), Home.of(storage) as home:
        study = studied(home, name, plan.mark(seeds, budget, metric, maximize, prune, steps), maximize, prune)
        left = total - sum(t.state.is_finished() and t.state.name != "FAIL" for t in study.get_trials(deepcopy=False))
        for _ in shown(range(left), progress, "trials"):
            trial = asked(study, plan, home)
            if trial is None:
                break
            with home.alive(trial):
                run(train, space, trial, study, seeds_of(key, seeds), budget, metric, prune is not None)
        return Searched(space, study, key, metric or "value", budget)


def seeds_of(key: Tensor, seeds: int) -> Tensor:
    """The keys `[seeds, 2]` that the trainings of each trial have."""
    return random.split(random.fold_in(key, random.salt("seeds")), seeds)


def checked(train: Any, space: Any, method: str, trials: Any, seeds: int, steps: int, prune: Any) -> None:
    if not callable(train):
        raise TypeError(explain("search: train", train, "train(augment, key, budget)", "a function of yours"))
    if not isinstance(space, Space):
        raise TypeError(explain("search: space", space, "a search space", "augfn.tune.space(policy)"))
    if method not in METHODS:
        raise ValueError(unknown("method", method, METHODS))
    if isinstance(prune, str) and prune not in PRUNERS:
        raise ValueError(unknown("pruner", prune, PRUNERS))
    for what, n in (("trials", 1 if trials is None else trials), ("seeds", seeds), ("steps", steps)):
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(explain(f"search: {what}", n, "a positive whole number", f"{what}=3"))


class Plan(NamedTuple):
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
        seed = int(random.bits(self.own_key(index)))
        samplers = optuna_of("search").samplers
        return samplers.TPESampler(seed=seed) if self.method == "tpe" else samplers.RandomSampler(seed=seed)

    def distributions(self) -> dict[str, Any]:
        kinds = optuna_of("search").distributions
        return {
            d.path: kinds.IntDistribution(int(d.low), int(d.high))
            if d.step
            else kinds.FloatDistribution(float(d.low), float(d.high), log=d.log and d.low < d.high)
            for d in self.space.numbers
        }

    def mark(self, seeds: int, budget: Any, metric: Any, maximize: bool, prune: Any, steps: int) -> dict[str, str]:
        """What tells this study from others."""
        base = {path: t.tolist() for path, t in tensors_of(self.space.base.params).items()}
        return {
            "space": json.dumps([repr(self.space.numbers), base]),
            "method": self.method + (f", steps={steps}" if self.method == "grid" else ""),
            "key": repr(self.key.tolist()),
            "seeds": repr(seeds),
            "budget": repr(budget),
            "metric": repr((metric, maximize)),
            "prune": prune if isinstance(prune, str) else type(prune).__name__,
        }


class Home:
    """Where a study lies: in memory, in a file of SQLite, or in a database."""

    def __init__(self, storage: Any, path: Path | None = None) -> None:
        self.storage, self.path, self.owner = storage, path, uuid.uuid4().hex[:12]

    @classmethod
    @contextmanager
    def of(cls, storage: str | Path | None) -> Iterator[Home]:
        storages = optuna_of("search").storages
        if storage is None:
            yield cls(storages.InMemoryStorage())
        elif "://" in str(storage):
            yield cls(storages.RDBStorage(str(storage), heartbeat_interval=BEAT, grace_period=GRACE))
        else:
            path = Path(storage).resolve()
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = locked(path, "lock")
            with lock:  # several processes that make the tables at once would be in each other's way
                made = storages.RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": {"timeout": 60}})
            home = cls(made, path)
            with locked(path, home.owner):
                yield home
            locked_file(path, home.owner).unlink(missing_ok=True)

    def turn(self) -> AbstractContextManager[Any]:
        """Processes on one file take turns to begin a trial."""
        return nullcontext() if self.path is None else locked(self.path, "lock")

    def forget_the_dead(self, study: Any) -> None:
        """Trials of processes that are no more have failed."""
        optuna = optuna_of("search")
        if self.path is None:
            optuna.storages.fail_stale_trials(study)
            return
        for t in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            owner = t.user_attrs.get("owner")  # in its turn a process is never without
            if owner != self.owner and (owner is None or is_free(self.path, owner)):
                study.tell(t.number, state=optuna.trial.TrialState.FAIL)

    def alive(self, trial: Any) -> AbstractContextManager[Any]:
        """Signs of life while a trial runs, where processes are on several machines."""
        from optuna.storages._heartbeat import get_heartbeat_thread

        return get_heartbeat_thread(trial._trial_id, self.storage)


def locked_file(path: Path, what: str) -> Path:
    return path.with_name(f"{path.name}.{what}" if what == "lock" else f"{path.name}.{what}.running")


def locked(path: Path, what: str, timeout: float = -1) -> Any:
    """A lock that the system lets go of when its process ends, however it ends."""
    from filelock import FileLock

    return FileLock(locked_file(path, what), timeout=timeout)


def is_free(path: Path, owner: str) -> bool:
    """True if nobody holds an owner's lock, which is then taken away."""
    from filelock import Timeout

    try:
        with locked(path, owner, timeout=0):
            pass
    except Timeout:
        return False
    locked_file(path, owner).unlink(missing_ok=True)
    return True


def studied(home: Home, name: str, mark: Mapping[str, str], maximize: bool, prune: Any) -> Any:
    """The study of this name, new or as it was left."""
    optuna = optuna_of("search")
    made = {None: optuna.pruners.NopPruner, "median": optuna.pruners.MedianPruner}
    pruner = prune if not (prune is None or isinstance(prune, str)) else None
    pruner = pruner or (made.get(prune) or optuna.pruners.SuccessiveHalvingPruner)()
    with home.turn():
        study = optuna.create_study(
            storage=home.storage,
            study_name=name,
            direction="maximize" if maximize else "minimize",
            pruner=pruner,
            load_if_exists=True,
        )
        known = study.user_attrs
        if "mark" not in known:
            study.set_user_attr("mark", dict(mark))
    for part, own in known.get("mark", mark).items():
        if own != mark[part]:
            given = mark[part] if part != "space" else "another policy, strength or fixed"
            want = own if part != "space" else "the space that it began with"
            fix = f'another name or storage than {name!r}, for a study of its own: name="{name}_2"'
            raise ValueError(explain(f"search: {part} is not that of the study", given, want, fix))
    return study


def asked(study: Any, plan: Plan, home: Home) -> Any:
    """The next trial, or None when all are done or being done."""
    with home.turn():
        home.forget_the_dead(study)
        trials = study.get_trials(deepcopy=False)
        taken = {t.user_attrs.get("index") for t in trials if t.state.name != "FAIL"}
        index = next(i for i in count() if i not in taken)
        if index >= plan.total:
            return None
        if "looks" in study.user_attrs:
            fix = f'a study of its own: name="{study.study_name}_2", and test data that it has not seen'
            raise ValueError(explain("search: report has seen the test data", study.study_name, "no more trials", fix))
        study.sampler = plan.sampler(index)
        point = plan.point(index)
        if point is not None:
            study.enqueue_trial(point)
        trial = study.ask(plan.distributions())
        trial.set_user_attr("index", index)
        trial.set_user_attr("owner", home.owner)
        return trial


# one trial


def run(
    train: Train, space: Space, trial: Any, study: Any, keys: Tensor, budget: Any, metric: str | None, prunes: bool
) -> None:
    """Train, and tell the study what came of it."""
    optuna = optuna_of("search")
    state = optuna.trial.TrialState
    try:
        f = space.policy(trial.params)
        values = []
        for value in results(train, f, keys, budget, metric, trial, prunes):
            values.append(value)
        trial.set_user_attr("values", values)
        if all(map(math.isfinite, values)):
            study.tell(trial, sum(values) / len(values))
        else:
            study.tell(trial, state=state.PRUNED)
    except optuna.TrialPruned:
        study.tell(trial, state=state.PRUNED)
    except BaseException:
        study.tell(trial, state=state.FAIL)
        raise


def results(
    train: Train, f: Any, keys: Tensor, budget: Any, metric: str | None, trial: Any, prunes: bool
) -> Iterator[float]:
    """What each training gives; the values on the way are told to the trial, one step after the other over all trainings, so
    that trials are compared at the same step of the same seed."""
    step = 0
    for key in keys:
        made = train(f, key, budget)
        if not isinstance(made, Iterator):
            if prunes:
                fix = "yield the result after each epoch, or leave prune out"
                raise TypeError(explain("search: prune, but train is no generator", made, "a generator", fix))
            yield number(made, metric)
            continue
        value = math.nan
        for value in (number(m, metric) for m in made):
            if math.isfinite(value):
                trial.report(value, step)
            step += 1
            if prunes and trial.should_prune():
                raise optuna_of("search").TrialPruned
        yield value


def number(found: Any, metric: str | None) -> float:
    """The metric in a result."""
    if isinstance(found, Mapping):
        if metric is None and len(found) != 1:
            raise ValueError(
                explain(
                    "search: which of these?",
                    list(found),
                    "the name of one",
                    f'metric="{next(iter(found), "accuracy")}"',
                )
            )
        if metric is not None and metric not in found:
            raise ValueError(unknown("metric", metric, found))
        found = found[next(iter(found)) if metric is None else metric]
    try:
        if isinstance(found, bool | str | Sequence):
            raise TypeError
        return float(found)
    except (TypeError, ValueError, RuntimeError):
        want, fix = "a number, or a mapping of numbers", 'return {"accuracy": 0.9}'
        raise TypeError(explain("search: what train gave", found, want, fix)) from None

"""Population-based training on Ray Tune: a member as its trainable, and its scheduler with all choices by key.

Imported where it is used, since it needs ray.
"""

from __future__ import annotations

import io
import logging
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import ray
import torch
from ray import cloudpickle, tune
from ray.tune.error import TuneError
from ray.tune.schedulers import PopulationBasedTraining
from torch import Tensor

from augfn import random
from augfn.errors import explain

Point = dict[str, float]
FILE = "state.pt"
SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "0",  # `interrupts` looks for it
}


class Lineage(NamedTuple):
    """What a member has become: the state of its training, the key and the points it was trained with so far (its ancestors',
    where it was replaced), and which member wrote it."""

    state: Any
    key: Tensor
    points: list[Point]
    member: int


class Job(NamedTuple):
    """What all members have in common."""

    train_step: Callable[..., Any]
    augment: Callable[[Point], Any]
    points: list[Point]
    key: Tensor
    intervals: int
    sign: float


class Member(tune.Trainable):
    """One member of a population, in a process of its own; a step is an interval."""

    def setup(self, config: dict[str, Any], job: bytes = b"", paths: Sequence[str] = ()) -> None:
        """The job as bytes, so that what the main process imports is found before it is read."""
        sys.path.extend(path for path in paths if path not in sys.path)
        self.job: Job = cloudpickle.loads(job)
        self.begin(config)

    def begin(self, config: dict[str, Any]) -> None:
        self.member = config["member"]
        self.point = point_of(config, self.job.points)
        self.own = Lineage(None, random.fold_in(self.job.key, self.member), [], self.member)
        self.saved = b""

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """The process takes another member over, whose checkpoint is read after this."""
        self.begin(new_config)
        return True

    def step(self) -> dict[str, Any]:
        state, key, points, parent = self.own
        interval = len(points)
        try:
            augment = self.job.augment(self.point)
            state, metric = self.job.train_step(state, augment, random.fold_in(key, interval), interval)
            metric = float(metric)
            self.own = Lineage(state, key, [*points, self.point], self.member)
            self.saved = bytes_of(self.own)
        except Exception:  # a mistake of the function's, which another try would not mend
            return {"failed": traceback.format_exc(), "score": -math.inf}
        found = {"interval": interval, "member": self.member, "parent": parent, "metric": metric, "point": self.point}
        return found | {"score": self.job.sign * metric if math.isfinite(metric) else -math.inf}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        Path(checkpoint_dir, FILE).write_bytes(self.saved)

    def load_checkpoint(self, checkpoint: Any) -> None:
        self.own = read(checkpoint)


def point_of(config: dict[str, Any], points: list[Point]) -> Point:
    """The point of a member: the one that it was given last."""
    return config.get("point", points[config["member"]])


def bytes_of(own: Lineage) -> bytes:
    """A member's checkpoint. Classes of a script, which a worker cannot import, are in it by value."""
    file = io.BytesIO()
    torch.save(tuple(own), file, pickle_module=cloudpickle)
    return file.getvalue()


def read(folder: str | Path) -> Lineage:
    """A member's checkpoint, whose state may be of any class, since it is the user's own."""
    return Lineage(*torch.load(Path(folder, FILE), weights_only=False))


class Keyed(PopulationBasedTraining):
    """Ray's scheduler, synchronous: members are replaced when all are paused, so that none is still being saved, in whose way
    a replacement would be. Whom a member is replaced by, which Ray draws from Python's global generator, and where
    the new point lies are functions of (interval, member) here; so is who is replaced: of equal scores those of higher members
    count as more."""

    def __init__(
        self,
        points: list[Point],
        share: float,
        choose: Callable[[int, int, int], int],
        explore: Callable[[Point, int, int], Point],
    ) -> None:
        known: dict[str, Any] = {"time_attr": "training_iteration", "metric": "score", "mode": "max", "synch": True}
        known |= {"perturbation_interval": 1, "quantile_fraction": share, "log_config": False}
        super().__init__(custom_explore_fn=dict, **known)
        self.points, self.choose, self.explore = points, choose, explore

    def at(self, trial: Any) -> tuple[int, int]:
        """The interval that a member has come to, and its number."""
        return int(self._trial_state[trial].last_train_time), trial.config["member"]

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        self._save_trial_state(self._trial_state[trial], result["training_iteration"], result, trial)
        return self.PAUSE

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """One that has not come to the interval of the others, or whose process died; after all have, exploits."""
        live = tune_controller.get_live_trials()
        if live and all(t.status == t.PAUSED and not self.lags(t) for t in live):
            lower, upper = self._quantiles()
            for trial in (*upper, *lower):
                self._checkpoint_or_exploit(trial, tune_controller, upper, lower)
            self._next_perturbation_sync += 1
        waiting = [t for t in live if t.status == t.PENDING or (t.status == t.PAUSED and self.lags(t))]
        return min(waiting, key=lambda t: self._trial_state[t].last_train_time, default=None)

    def lags(self, trial: Any) -> bool:
        return self._trial_state[trial].last_train_time < self._next_perturbation_sync

    def _checkpoint_or_exploit(
        self, trial: Any, tune_controller: Any, upper_quantile: Any, lower_quantile: Any
    ) -> None:
        """Of one that is chosen already Ray chooses that one."""
        if trial in lower_quantile:
            upper_quantile = [upper_quantile[self.choose(*self.at(trial), len(upper_quantile))]]
        super()._checkpoint_or_exploit(trial, tune_controller, upper_quantile, lower_quantile)

    def _get_new_config(self, trial: Any, trial_to_clone: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        old = point_of(trial_to_clone.config, self.points)
        return {"member": trial.config["member"], "point": self.explore(old, *self.at(trial))}, {}


class Recorder(tune.Callback):
    """Hands on what members report; a mistake of the training function ends the run."""

    def __init__(self, record: Callable[[dict[str, Any]], None]) -> None:
        self.record, self.failed = record, ""

    def __getstate__(self) -> dict[str, Any]:
        """Of the copy that Ray writes beside its results, and that nobody reads."""
        return {"record": None, "failed": ""}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        if "failed" in result:
            self.failed = f"pbt: train_step raised, for member {trial.config['member']}:\n{result['failed']}"
            raise RuntimeError(self.failed)
        self.record(result)


def run(
    job: Job,
    scheduler: Keyed,
    record: Callable[[dict[str, Any]], None],
    folder: Path,
    resources: dict[str, float],
    max_failures: int,
) -> dict[int, Lineage]:
    """Train all members; what each has become."""
    recorder = Recorder(record)
    with cluster() as alone:
        if alone:
            check_room(resources, ray.cluster_resources())
        job_bytes = cloudpickle.dumps(job)  # pyright: ignore[reportPrivateImportUsage]
        known = {"job": job_bytes, "paths": [*sys.path]}
        trainable: Any = tune.with_resources(tune.with_parameters(Member, **known), resources)
        tuner = tune.Tuner(
            trainable,
            param_space={"member": tune.grid_search([*range(len(job.points))])},
            tune_config=tune.TuneConfig(scheduler=scheduler, reuse_actors=True),
            run_config=tune.RunConfig(
                name=folder.name,
                storage_path=str(folder.parent.resolve()),
                stop={"training_iteration": job.intervals},
                failure_config=tune.FailureConfig(max_failures=max_failures),
                checkpoint_config=tune.CheckpointConfig(num_to_keep=3, checkpoint_at_end=True),
                callbacks=[recorder],
                verbose=0,
            ),
        )
        try:
            with interrupts():
                found = tuner.fit()
        except TuneError as error:
            raise RuntimeError(recorder.failed or f"pbt: Ray Tune failed: {error}") from None
        became = {r.config["member"]: read(r.checkpoint.path) for r in found if r.config and r.checkpoint}
        if not became:
            raise RuntimeError(f"pbt: no member could train: {next(iter(found.errors), 'no checkpoint')}")
        return became


@contextmanager
def interrupts() -> Iterator[None]:
    """Ctrl-C ends a run as Tune ends it, members and all, but as KeyboardInterrupt: Tune returns what there is so far."""
    if threading.current_thread() is not threading.main_thread():  # where Tune, too, hears of no signal
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
        if signal.getsignal(signal.SIGINT) is before:  # Tune's own handler is there until it is called
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)


def check_room(resources: Mapping[str, float], there: Mapping[str, float]) -> None:
    """On a machine that no other will join, a member that has no room would wait forever."""
    for name, n in resources.items():
        have = there.get({"cpu": "CPU", "gpu": "GPU"}.get(name, name), 0)
        if n > have:
            fix = "less of it, or ray.init or RAY_ADDRESS with a cluster that has it"
            raise ValueError(explain(f"pbt: resources: {name}", n, f"at most {have:g}, which this machine has", fix))


@contextmanager
def cluster() -> Iterator[bool]:
    """Ray as the program has begun it or as RAY_ADDRESS names it, else (True) on this machine alone, for as long as it is
    needed."""
    before = {name: os.environ.get(name) for name in SETTINGS}
    os.environ.update(SETTINGS)
    own, address = not ray.is_initialized(), os.environ.get("RAY_ADDRESS", "local")
    try:
        if own:  # without an address Ray joins any cluster that runs here
            here = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"} if address == "local" else {}
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **here)
        yield own and address == "local"
    finally:
        if own:
            ray.shutdown()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})

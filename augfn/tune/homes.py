"""Where studies lie, and which of their trials are still being done."""

from __future__ import annotations

import logging
import sqlite3
import uuid
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any

from augfn.errors import explain, needs

STORAGE = ("a file of SQLite, new or of studies, or the URL of a database", 'storage="study.db"')
BEAT, GRACE = 60, 300  # seconds from sign of life to sign of life in a database, and until one without them is dead


def optuna_of(what: str) -> Any:
    try:
        import optuna
    except ImportError as error:
        raise needs("tune", what, error) from error
    return optuna


@contextmanager
def quiet() -> Iterator[None]:
    """Optuna without its messages, and its notes on what is experimental; they come back afterwards."""
    optuna = optuna_of("search")
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", "Heartbeat of storage is supposed to be used with")
            yield
    finally:
        optuna.logging.set_verbosity(before)


class Home:
    """Memory, a file of SQLite, or a database.

    Processes on one file take turns to begin a trial, by a lock beside it, and each holds a lock of its own, which the system
    lets go of when the process ends, however it ends: so a trial whose process was killed is known at once. In a database
    of several machines it is known by its missing signs of life.
    """

    def __init__(self, storage: Any, path: Path | None = None) -> None:
        self.storage, self.path, self.owner = storage, path, uuid.uuid4().hex[:12] if path else ""

    @classmethod
    @contextmanager
    def of(cls, storage: str | Path | None) -> Iterator[Home]:
        if storage is None:
            yield cls(optuna_of("search").storages.InMemoryStorage())
        elif "://" in str(storage):
            yield cls(opened(storage, str(storage), heartbeat_interval=BEAT, grace_period=GRACE))
        elif not isinstance(storage, str | Path):
            raise TypeError(explain("search: storage", storage, *STORAGE))
        else:
            path = Path(storage).resolve()
            path.parent.mkdir(parents=True, exist_ok=True)
            with locked(path):  # two that make the tables at once would be in each other's way
                home = cls(opened(storage, "sqlite://", engine_kwargs=file_of(path)), path)
                for file in path.parent.glob(f"{escape(path.name)}.*.lock"):  # of those that were killed between trials
                    is_free(path, file.name.removeprefix(f"{path.name}.").removesuffix(".lock"))
                lock = locked(path, home.owner).acquire()
            try:
                with lock:
                    yield home
            finally:
                own_lock(path, home.owner).unlink(missing_ok=True)

    def turn(self) -> AbstractContextManager[Any]:
        """The right to begin a trial."""
        return nullcontext() if self.path is None else locked(self.path)

    def bury(self, study: Any) -> None:
        """Trials of processes that are no more have failed."""
        optuna = optuna_of("search")
        if self.path is None:
            optuna.storages.fail_stale_trials(study)
            return
        for t in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
            owner = t.user_attrs.get(
                "owner"
            )  # written in its turn by whoever begins a trial; "": by the URL of this file
            if owner is None or (owner not in ("", self.owner) and is_free(self.path, owner)):
                study.tell(t.number, state=optuna.trial.TrialState.FAIL)

    def alive(self, trial: Any) -> Any:
        """Signs of life while a trial runs, in a database."""
        from optuna.storages._heartbeat import get_heartbeat_thread

        return get_heartbeat_thread(trial._trial_id, self.storage)


def opened(storage: Any, url: str, **how: Any) -> Any:
    """A database of Optuna's."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return optuna_of("search").storages.RDBStorage(url, **how)
    except SQLAlchemyError as error:
        raise ValueError(explain(f"search: storage, {str(error).splitlines()[0]}", storage, *STORAGE)) from error


def file_of(path: Path) -> dict[str, Any]:
    """How a file of SQLite is opened: by its name as it is, in which a URL would read ?, % and braces as its own."""
    from sqlalchemy.pool import QueuePool

    connect = partial(sqlite3.connect, path, timeout=60, check_same_thread=False)
    return {"creator": connect, "poolclass": QueuePool}


def own_lock(path: Path, owner: str) -> Path:
    return path.with_name(f"{path.name}.{owner}.lock" if owner else f"{path.name}.lock")


def locked(path: Path, owner: str = "", timeout: float = -1) -> Any:
    from filelock import FileLock  # comes with torch

    return FileLock(own_lock(path, owner), timeout=timeout)


def is_free(path: Path, owner: str) -> bool:
    """True if nobody holds an owner's lock, whose file is then taken away."""
    from filelock import Timeout

    try:
        with locked(path, owner, timeout=0):
            pass
    except Timeout:
        return False
    own_lock(path, owner).unlink(missing_ok=True)
    return True

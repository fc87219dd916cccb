"""The engine `ray`: jobs as tasks of a Ray cluster, each of which is done again where its worker was killed."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Generator, Sequence
from functools import lru_cache
from typing import Any

if not os.environ.get(
    "RAY_ADDRESS"
):  # a cluster of this machine stays on the loopback address; read when Ray is imported
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")

import ray
from ray.exceptions import NodeDiedError, OutOfMemoryError, RayTaskError, WorkerCrashedError

from augfn.offline.engines import AHEAD, RESTARTS, Work, WorkersDied, one_thread
from augfn.offline.jobs import Job, Record


def run(work: Work, jobs: Sequence[Job], workers: int) -> Generator[tuple[Job, list[Record]], None, None]:
    """On the cluster that this process is connected to, or that the variable RAY_ADDRESS names; else on one of this machine with
    so many workers, which ends with the run. Files are read and written by the workers: of several machines, all see both
    folders, under the same names.

    Raises `WorkersDied` where the worker of one job dies again and again.
    """
    waiting, under_way, ref = deque(jobs), {}, None
    if not waiting:
        return
    before = ray.is_initialized()
    started = connect(workers)
    try:
        do = ray.remote(num_cpus=1, max_retries=RESTARTS)(done)
        most = max(workers, 1) * (AHEAD if started else 1)  # that cluster has no more CPUs than workers
        shared = [ray.put(work)]  # in a list, which Ray hands on as it is: a worker reads it once
        while waiting or under_way:
            while waiting and len(under_way) < most:
                job = waiting.popleft()
                under_way[do.remote(shared, job)] = job
            ref = ray.wait(list(under_way))[0][0]
            yield under_way[ref], ray.get(ref)
            del under_way[ref]
    except RayTaskError as error:  # what the job has raised
        raise error.cause from None
    except (WorkerCrashedError, OutOfMemoryError, NodeDiedError) as error:
        dead = under_way.pop(ref)
        raise WorkersDied([*waiting, *under_way.values(), dead]) from error
    finally:
        if not before:
            ray.shutdown()
        else:
            for ref in under_way:
                ray.cancel(ref)


def connect(workers: int) -> bool:
    """Connects this process to a cluster; True where that was started for it."""
    if ray.is_initialized():
        return False
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address := os.environ.get("RAY_ADDRESS"):
        ray.init(address, **quiet)
        return False
    ray.init("local", num_cpus=max(workers, 1), include_dashboard=False, **quiet)
    return True


def done(shared: list[Any], job: Job) -> list[Record]:
    """A task: the records of one job."""
    with one_thread():
        return held(shared[0])(job)


@lru_cache(1)
def held(work: Any) -> Work:
    """What a worker does for all jobs of a run."""
    return ray.get(work)

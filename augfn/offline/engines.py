"""Engines: what runs jobs. All give the same results, in any order; a worker that is killed costs its jobs a second run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing.connection import wait as wait_for
from typing import Any

import torch

from augfn.errors import needs
from augfn.offline.jobs import Job, Record

Work = Callable[[Job], list[Record]]
Engine = Callable[[Work, Sequence[Job], int], Generator[tuple[Job, list[Record]], None, None]]
RESTARTS = 3  # of all workers, in a row, without a job that was done between them
AHEAD = 3  # jobs for each worker that are handed out and not done
work_of_worker: Any = None  # set in a worker process, when it starts


def local(work: Work, jobs: Sequence[Job], workers: int) -> Generator[tuple[Job, list[Record]], None, None]:
    """Processes of this machine, one thread each; with 0 workers this process.

    Where a worker dies, all are started anew, and the jobs that were under way come last. Raises `WorkersDied` where that
    happens again and again, without a job that is done.
    """
    if workers == 0:
        for job in jobs:
            with one_thread():
                records = work(job)
            yield job, records
        return
    waiting, breaks = deque(jobs), 0
    while waiting:
        under_way: dict[Future[list[Record]], Job] = {}
        ahead = 1 if breaks else AHEAD * workers  # one at a time, where a worker has died
        pool = ProcessPoolExecutor(workers, processes(), begin, (work,))
        try:
            while waiting or under_way:
                while waiting and len(under_way) < ahead:
                    under_way[pool.submit(run, waiting[0])] = waiting[0]
                    waiting.popleft()
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    job, records = under_way[future], future.result()
                    del under_way[future]
                    breaks, ahead = 0, AHEAD * workers
                    yield job, records
        except BrokenProcessPool:
            # A worker that was being started as the pool broke is not told to end, and the pool would wait for it for ever.
            for left in list((pool._processes or {}).values()):
                left.kill()
            breaks += 1
            waiting.extend(under_way.values())
            if breaks > RESTARTS:
                raise WorkersDied(list(waiting)) from None
        finally:
            pool.shutdown(cancel_futures=True)


class WorkersDied(RuntimeError):
    """Workers die again and again, without a job that is done; `left`: the jobs that are not, the last one tried last."""

    def __init__(self, left: list[Job]) -> None:
        super().__init__(
            f"workers die at once (killed, or out of memory?), {len(left)} jobs are left; try fewer workers"
        )
        self.left = left


def ray(work: Work, jobs: Sequence[Job], workers: int) -> Generator[tuple[Job, list[Record]], None, None]:
    """Tasks of Ray, on the cluster that RAY_ADDRESS names, or on this machine."""
    try:
        return import_module("augfn.offline.ray_engine").run(work, jobs, workers)
    except ModuleNotFoundError as error:
        raise needs("ray", "the engine ray", error) from None


ENGINES: dict[str, Engine] = {"local": local, "ray": ray}


def processes() -> Any:
    """How workers start: as copies of a server that has imported torch once, where the system can do that."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["augfn.offline.engines"])
    return context


def begin(work: Work) -> None:
    """Of a worker: one thread, deaf to Ctrl-C (its main process stops it, between two jobs), gone when that process is."""
    global work_of_worker
    work_of_worker = work
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=leave_with, args=(parent.sentinel,), daemon=True).start()


def leave_with(parent: int) -> None:
    wait_for([parent])
    os._exit(1)


def run(job: Job) -> list[Record]:
    return work_of_worker(job)


class one_thread:
    """Torch with one thread, so that results do not depend on the number of cores; as before afterwards."""

    def __enter__(self) -> None:
        self.before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *_: object) -> None:
        torch.set_num_threads(self.before)

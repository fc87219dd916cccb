"""What every test shares: one thread per worker, fixed seeds, no compiled code left over from the test before."""

import gc
import os
import shutil
import sys
from importlib.util import find_spec

# Read when torch, matplotlib and Ray are imported. One thread per worker, since the workers share the cores; and Inductor
# compiles in the worker itself, without a pool of processes per worker.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # its clusters stay on the loopback address

import pytest
import torch
from hypothesis import settings

from augfn import supported
from augfn.core import augmentation
from augfn.testing.case import ROUNDS as ROUNDS

torch.set_num_threads(1)

NO_CUDA = "no CUDA device"
NO_BROWSER = "no Chromium"
NOT_WHOLE = "no torch that takes every op whole"
NO_KORNIA = "could not import 'kornia"  # 0.9 has none for Python 3.10
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

WHOLE = tuple(supported.HERE) >= supported.WHOLE
if not WHOLE:
    augmentation.ask_compiler = lambda: None  # no warning, since nothing is compiled
    torch.compile = lambda *_, **__: pytest.skip(NOT_WHOLE)

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=20)
settings.register_profile("deep", deadline=None, max_examples=1000)
settings.load_profile("ci")  # `pytest --hypothesis-profile deep` takes the other


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacking = {"cuda": None if torch.cuda.is_available() else NO_CUDA, "browser": None if CHROMIUM else NO_BROWSER}
    lacking["whole"] = None if WHOLE else NOT_WHOLE
    lacking["kornia"] = None if find_spec("kornia") else f"{NO_KORNIA}'"
    for item in items:
        if item.path.name == "kornia.md":
            item.add_marker("kornia")
        for marker, reason in lacking.items():
            if reason and marker in item.keywords:
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the garbage collector, which tracing calls often, need not walk over it each time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


# A test that is skipped tests nothing: without a GPU, a browser or a compiler some have to be, a missing package is a failure.


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item):
    return unskipped((yield))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(collector: pytest.Collector):
    return unskipped((yield))


def unskipped(report):
    """The report, a failure where it is of a skip for another reason than these."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        known = [NO_CUDA, NO_BROWSER, NOT_WHOLE] + [NO_KORNIA] * (sys.version_info < (3, 11))
        if not reason.startswith(tuple(known)):
            known = f"Only these are reasons to skip a test: {'; '.join(known)}."
            report.outcome, report.longrepr = "failed", f"{reason}\n{known}"
    return report


@pytest.fixture(autouse=True)
def _fresh_state():
    """Seed torch, and empty Dynamo's cache: it is kept per code object, which all ops share, and has a size limit."""
    torch.manual_seed(0)
    yield
    if dynamo := sys.modules.get("torch._dynamo"):
        dynamo.reset()


@pytest.fixture
def images():
    return torch.rand(4, 3, 12, 16)


@pytest.fixture
def masks():
    return torch.randint(0, 5, (4, 1, 12, 16))

"""The thread variables of libraries beside the runtime take effect: seen in running processes that use them."""

from __future__ import annotations

import os
import sys

import pytest

from mlpack.process import run
from mlpack.runtimes.libraries import library_environment

pytestmark = pytest.mark.slow

REPORTS = {
    "opencv-python-headless": "import cv2; print(cv2.getNumThreads())",
    "simpleitk": "import SimpleITK as s; print(s.ProcessObject.GetGlobalDefaultNumberOfThreads())",
    "numba": "import numba; print(numba.get_num_threads())",
    "numexpr": "import numexpr; print(numexpr.nthreads)",
    "joblib": "import joblib; print(joblib.cpu_count())",
    "polars": "import polars; print(polars.thread_pool_size())",
}
"""Distribution -> what the library itself says."""
STARTED = """
import os
def threads():
    return len(os.listdir("/proc/self/task"))
def most(work):
    from threading import Event, Thread
    found, done = [], Event()
    def look():
        while not done.is_set():
            found.append(threads())
    watcher = Thread(target=look)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return max(found) - 1
"""
WORKS = {
    "opencv-python-headless": "import cv2, numpy as n; x = n.ones((3000, 3000), n.float32); before = threads()\n"
    "print(1 + most(lambda: cv2.GaussianBlur(x, (31, 31), 0)) - before)",
    "simpleitk": "import SimpleITK as s; x = s.Image(400, 400, 40, s.sitkFloat32); before = threads()\n"
    "print(most(lambda: s.DiscreteGaussian(x, 4.0)) - before)",
}
"""Distribution -> code that prints with how many threads its filter worked."""


def said(code: str, package: str, threads: int) -> int:
    """The number that ``code`` prints where only what is rendered for ``package`` is set."""
    variables = {name: made.value for name, made in library_environment([package], threads).items()}
    assert variables
    done = run([sys.executable, "-c", code], env={"PATH": os.environ["PATH"], **variables}, timeout_s=120)
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("package", REPORTS)
def test_the_library_says_what_was_planned(package: str) -> None:
    cores = os.cpu_count() or 1
    assert [said(REPORTS[package], package, threads) for threads in (1, min(2, cores))] == [1, min(2, cores)]


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize("package", WORKS)
def test_its_filters_start_as_many_threads(package: str) -> None:
    one, three = said(STARTED + WORKS[package], package, 1), said(STARTED + WORKS[package], package, 3)
    assert three - one == 2

"""The ways to run a service that are compared: the whole grid, and what a user would take instead of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

WORKERS = (1, 2, 4)
THREADS = (1, 2)
"""More threads than cores in one process only lose; 2 on 2 cores is every way to fill or overfill them."""
THREAD_VARIABLES = frozenset({"LOKY_MAX_CPU_COUNT", "OPENCV_FOR_THREADS_NUM", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"})
"""Variables beside those that end in ``_THREADS`` whose value is a number of threads."""
INNER_POOL = "TF_NUM_INTEROP_THREADS"
"""Planned as 1 whatever the threads: it is left so in the grid."""


@dataclass(frozen=True)
class Point:
    """One way to run a service. ``threads`` None: no thread variable is set, each library takes its default."""

    workers: int
    threads: int | None
    passive: bool = False
    preload: bool = False
    only_openmp: bool = False
    """``threads`` reaches OMP_NUM_THREADS and MKL_NUM_THREADS only, as a hand-written file sets them."""

    @property
    def name(self) -> str:
        """``2x1``, with what is special about it."""
        threads = "default" if self.threads is None else str(self.threads)
        notes = [("omp/mkl only", self.only_openmp), ("passive", self.passive), ("preload", self.preload)]
        return " ".join([f"{self.workers} x {threads}", *(note for note, true in notes if true)])


def grid(*, policies: bool, preloads: bool, quick: bool) -> list[Point]:
    """Every combination; one worker has nobody to share with, so that preloading it is no other way to run."""
    return [
        Point(workers, threads, passive, preload)
        for workers in ((1, 2) if quick else WORKERS)
        for threads in THREADS
        for passive in ((False, True) if policies and threads > 1 else (False,))  # a team of one never waits
        for preload in ((False, True) if preloads and workers > 1 else (False,))
    ]


def peers(visible: int, *, preloads: bool) -> dict[str, Point]:
    """What a user would pick instead; ``visible`` cores are what the machine shows, whatever the quota.

    gunicorn: "(2 x $num_cores) + 1" (its documentation, Design, How Many Workers). MLflow: as many workers as
    ``multiprocessing.cpu_count()`` (mlflow/models/container/__init__.py, _serve_pyfunc). BentoML: ``workers`` is 1 by
    default and ``threads`` 1 (documentation, Workers; configuration/v2/default_configuration.yaml). LitServe:
    ``workers_per_device=1``, ``max_batch_size=1`` and as many HTTP processes (documentation, LitServer). None of the
    four sets a library's threads. The team: four workers, then two with 4 threads and --preload on 2 CPUs.
    """
    return {
        "gunicorn's 2n+1": Point(2 * visible + 1, None),
        "MLflow: a worker per visible core": Point(visible, None),
        "BentoML, LitServe: one worker": Point(1, None),
        "the team's file, before": Point(4, None),
        "the team's file, after": Point(2, 4, preload=preloads, only_openmp=True),
    }


def environment(planned: Mapping[str, str], point: Point) -> dict[str, str]:
    """``planned`` variables with the threads and the wait policy of ``point`` in place of the plan's."""
    kept = {name: value for name, value in planned.items() if not _about_threads(name)}
    if point.only_openmp:
        kept |= {"OMP_NUM_THREADS": str(point.threads), "MKL_NUM_THREADS": str(point.threads)}
    elif point.threads is not None:
        kept |= {name: str(point.threads) for name in planned if _about_threads(name) and name != "OMP_WAIT_POLICY"}
        kept |= {INNER_POOL: planned[INNER_POOL]} if INNER_POOL in planned else {}
    return kept | ({"OMP_WAIT_POLICY": "PASSIVE"} if point.passive else {})


def _about_threads(name: str) -> bool:
    return name.endswith("_THREADS") or name in THREAD_VARIABLES or name == "OMP_WAIT_POLICY"

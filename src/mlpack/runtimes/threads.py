"""Variables that set the threads of native libraries; every runtime is built on some of these."""

from __future__ import annotations

from functools import lru_cache

from mlpack.plan import Decided, DecidedStr

OPENMP_VARIABLES = {  # each proven to take effect in tests/e2e/test_threads.py
    "OMP_NUM_THREADS": "OpenMP teams (torch, scikit-learn, LightGBM)",
    "MKL_NUM_THREADS": "overrides OMP_NUM_THREADS in torch, so both are set alike",
    "OPENBLAS_NUM_THREADS": "NumPy's and SciPy's linear algebra",
}


@lru_cache(maxsize=1024)
def decided_threads(threads: int, why: str) -> Decided[str]:
    """The value ``threads`` for one variable, as the planner decided it."""
    count = "1 thread" if threads == 1 else f"{threads} threads"
    return DecidedStr(value=str(threads), source="calculated", because=f"{count} per worker: {why}")


def openmp_environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:
    """OpenMP and BLAS variables for ``threads`` threads in one process.

    ``shared_cores``: several teams (processes, or request threads with a team each) share the cores. Waiting threads
    then sleep instead of spinning (docs/throughput.md has the grid). A team of one never waits, and a team that has
    the cores to itself loses by sleeping: neither is told.
    """
    variables = {name: decided_threads(threads, why) for name, why in OPENMP_VARIABLES.items()}
    if shared_cores and threads > 1:
        variables["OMP_WAIT_POLICY"] = DecidedStr(
            value="PASSIVE",
            source="default",
            because=f"several teams of {threads} threads share the cores: a waiting thread sleeps, where spinning it "
            "would keep the core from a working one",
        )
    return variables

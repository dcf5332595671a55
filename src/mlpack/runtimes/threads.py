"""Variables that set the threads of native libraries; every runtime is built on some of these."""

from __future__ import annotations

from mlpack.plan import Decided, DecidedStr

OPENMP_VARIABLES = {  # each proven to take effect in tests/e2e/test_threads.py
    "OMP_NUM_THREADS": "OpenMP teams (torch, scikit-learn, LightGBM)",
    "MKL_NUM_THREADS": "overrides OMP_NUM_THREADS in torch, so both are set alike",
    "OPENBLAS_NUM_THREADS": "NumPy's and SciPy's linear algebra",
}


def decided_threads(threads: int, why: str) -> Decided[str]:
    """The value ``threads`` for one variable, as the planner decided it."""
    count = "1 thread" if threads == 1 else f"{threads} threads"
    return DecidedStr(value=str(threads), source="calculated", because=f"{count} per worker: {why}")


def openmp_environment(threads: int, *, shared_cores: bool) -> dict[str, Decided[str]]:
    """OpenMP and BLAS variables for ``threads`` threads in one process.

    ``shared_cores``: several processes (or several request threads, each with a team of its own) share the cores.
    Waiting threads then sleep instead of spinning: 4 workers x 2 threads on 2 cores went from 20 to 71 layers/s, and
    where nothing was oversubscribed it moved -14 to +9 % (measured, docs/memory.md).
    """
    variables = {name: decided_threads(threads, why) for name, why in OPENMP_VARIABLES.items()}
    if shared_cores:
        variables["OMP_WAIT_POLICY"] = DecidedStr(
            value="PASSIVE", source="default", because="several processes share the cores; spinning threads starve them"
        )
    return variables

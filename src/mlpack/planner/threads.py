"""How many library threads one request may use, and the variables that say so to every library in play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlpack.plan import Decided
from mlpack.planner.decide import whole
from mlpack.planner.subject import Catalog, Choice, Subject
from mlpack.report import Finding
from mlpack.spec import EnvValue

THREAD_VARIABLES = frozenset(
    {
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "TF_NUM_INTRAOP_THREADS",
        "ORT_INTRA_OP_NUM_THREADS",
        "NUMEXPR_NUM_THREADS",
        "LLAMA_ARG_THREADS",
    }
)
"""Variables whose value is a number of threads per process or request."""


def teams(subject: Subject, workers: int, concurrency: int) -> int:
    """Computations that run at once: each brings ``threads`` threads.

    OpenMP gives every request thread a team of its own; a pool runtime has one pool per process (measured: four
    request threads with OMP_NUM_THREADS=2 were 11 threads).
    """
    return workers * subject.parallel * (concurrency if subject.openmp else 1)


def most_threads(subject: Subject, cores: float, workers: int, concurrency: int) -> int:
    """The largest number of threads that keeps teams x threads within the replica's ``cores``; at least one.

    Floor, not ceiling: barrier-style engines (OpenMP, llama.cpp) wait for their slowest thread.
    """
    if not subject.computes:
        return 1
    if subject.runtimes and all(runtime.pool == "none" for runtime in subject.runtimes):
        return 1
    return max(1, int(cores // teams(subject, workers, concurrency)))


def fits_cores(subject: Subject, choice: Choice) -> bool:
    """The thread rule: workers x concurrency x threads <= cores (OpenMP), workers x pool <= cores (pools)."""
    return teams(subject, choice.workers, choice.concurrency) * choice.threads <= subject.cores_of(choice)


def decided(subject: Subject, choice: Choice) -> Decided[int]:
    """The thread number as a decision."""
    user = subject.chosen("threads")
    if user is not None:
        return user
    if not subject.computes:
        because = "runs no model: one thread per library, so that idle pools take no cores"
        return whole(value=choice.threads, source="default", because=because)
    count = teams(subject, choice.workers, choice.concurrency)
    rule = "workers x concurrency" if subject.openmp else "workers"
    because = f"floor({subject.cores:g} cores / {count} computing at once ({rule})), at least 1"
    return whole(value=choice.threads, source="calculated", because=because)


def environment(
    subject: Subject, choice: Choice, catalog: Catalog, requirements: Sequence[str], *, shared_cores: bool
) -> dict[str, Decided[str]]:
    """Variables of every runtime and library in play, sorted; those that the user sets are left to the user."""
    variables: dict[str, Decided[str]] = dict(catalog.library_environment(requirements, choice.threads))
    for runtime in subject.runtimes:
        variables |= catalog.runtimes[runtime.name].environment(choice.threads, shared_cores=shared_cores)
    return {name: variables[name] for name in sorted(variables) if name not in subject.service.env}


def clashes(subject: Subject, choice: Choice) -> tuple[Finding, ...]:
    """Thread variables that the user sets beyond what the cores bear: kept, and said aloud."""
    return tuple(
        Finding(
            code="threads-overridden",
            severity="warning",
            message=f"{variable}={value.text} in env overrides the planned {choice.threads}: more threads than cores, "
            "up to 4.5x slower where it was measured",
            where=f"services.{subject.name}.env.{variable}",
            hint=f"remove it, or set services.{subject.name}.threads",
        )
        for variable, value in _thread_settings(subject.service.env).items()
        if value.text is not None and value.text.isdigit() and _too_many(subject, choice, int(value.text))
    )


def _too_many(subject: Subject, choice: Choice, threads: int) -> bool:
    return threads > choice.threads and teams(subject, choice.workers, choice.concurrency) * threads > subject.cores


def _thread_settings(env: Mapping[str, EnvValue]) -> dict[str, EnvValue]:
    return {name: env[name] for name in sorted(env) if name in THREAD_VARIABLES}

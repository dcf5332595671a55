"""Threads against CPUs: what libraries start, what a quota gives, and who does not see the quota."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.audit.deployment import Deployment
from mlpack.audit.finding import Hit, Rule

VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)


def threads_above_cpus(deployment: Deployment) -> Iterator[Hit]:
    """workers x threads above the CPUs."""
    for one in deployment.services:
        set_to = {name: one.environment[name] for name in VARIABLES if name in one.environment}
        numbers = {name: int(said.text) for name, said in set_to.items() if said.text.isdigit()}
        if not numbers or one.cpus is None or one.cpus <= 0:
            continue
        name = max(numbers, key=lambda key: numbers[key])
        asked = numbers[name] * one.workers
        if asked > max(one.cpus, 1):
            right = max(1, int(one.cpus // one.workers))
            if right == numbers[name]:
                continue
            yield Hit(
                set_to[name].place,
                one.name,
                f"{name}={numbers[name]} x {one.workers} workers on {one.cpus:g} CPUs",
                f"{name}={right}",
                f"{asked} threads share {one.cpus:g} CPUs; waiting threads spin: 4 x 2 threads on 2 cores "
                "were measured at 28 % of what they do without spinning",
                change={"environment": dict.fromkeys(numbers, str(right))},
            )


def threads_unset(deployment: Deployment) -> Iterator[Hit]:
    """A CPU quota that the libraries do not see."""
    for one in deployment.services:
        if one.cpus is None or one.cpus_at is None or not one.runtimes or one.runtimes == ("onnxruntime",):
            continue
        if not any(name in one.environment for name in VARIABLES) and not one.gpu:
            right = str(max(1, int(one.cpus // one.workers)))
            names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS"]
            if "tensorflow" in one.runtimes:
                names = ["TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", *names]
            yield Hit(
                one.cpus_at,
                one.name,
                f"{one.cpus:g} CPUs, threads not set",
                " ".join(f"{name}={right}" for name in names),
                "thread pools follow the machine's cores, not the quota; 2 processes at 1 CPU ran 2.1x faster with 1 "
                "thread each",
                change={"environment": dict.fromkeys(names, right)},
            )


def mkl_beats_omp(deployment: Deployment) -> Iterator[Hit]:
    """Two variables for one number, set to different values."""
    for one in deployment.services:
        mkl, omp = one.environment.get("MKL_NUM_THREADS"), one.environment.get("OMP_NUM_THREADS")
        torch = not one.runtimes or not {"torch", "transformers"}.isdisjoint(one.runtimes)
        if mkl and omp and mkl.text != omp.text and torch:
            yield Hit(
                mkl.place,
                one.name,
                f"MKL_NUM_THREADS={mkl.text}, OMP_NUM_THREADS={omp.text}",
                f"both {omp.text}",
                "in torch MKL_NUM_THREADS overrides OMP_NUM_THREADS",
            )


def ollama_quota(deployment: Deployment) -> Iterator[Hit]:
    """Ollama under a CPU quota."""
    for one in deployment.services:
        if one.program.kind == "ollama" and one.cpus is not None and one.cpus_at is not None and not one.gpu:
            yield Hit(
                one.cpus_at,
                one.name,
                f"cpus: {one.cpus:g}",
                f"cpuset of whole cores, or num_thread: {max(1, int(one.cpus))} in the model or each request",
                "Ollama starts a thread per core of the machine and does not see the quota: 45x slower was reported "
                "until num_thread was set",
            )


def celery_concurrency(deployment: Deployment) -> Iterator[Hit]:
    """Celery's default concurrency under a quota."""
    for one in deployment.services:
        program = one.program
        if program.kind != "celery" or "worker" not in program.text.split() or "concurrency" in program.options:
            continue
        if program.options.get("pool") and program.options["pool"].text == "solo":
            continue
        limited = one.cpus is not None or one.memory is not None
        yield Hit(
            program.place,
            one.name,
            "no --concurrency",
            f"--concurrency {max(1, int(one.cpus or 1))}",
            "the default is the machine's CPU count, whatever the limits say: every child loads its own models",
            severity="warning" if limited else "note",
        )


def cpus_above_host(deployment: Deployment) -> Iterator[Hit]:
    """More CPUs than the machine has."""
    host = deployment.host
    for one in deployment.services if host is not None else ():
        assert host is not None
        has = host.engine.cores if host.engine and host.engine.virtual_machine else host.cores
        if one.cpus and one.cpus_at and one.cpus > has and not one.is_unit:
            yield Hit(
                one.cpus_at,
                one.name,
                f"cpus: {one.cpus:g}",
                f"cpus: {has:g} or less",
                f"{deployment.host_name or 'the machine'} has {has:g}: the engine refuses to create the container",
            )


FACTS = "docs/facts.md, "
RULES = (
    Rule("threads-above-cpus", "warning", "More threads than CPUs", FACTS + "PyTorch", threads_above_cpus),
    Rule("threads-unset", "note", "Threads not set under a CPU limit", FACTS + "PyTorch", threads_unset),
    Rule("mkl-beats-omp", "warning", "MKL_NUM_THREADS and OMP_NUM_THREADS differ", FACTS + "PyTorch", mkl_beats_omp),
    Rule("ollama-quota", "warning", "Ollama does not see a CPU quota", FACTS + "Ollama (ollama#17916)", ollama_quota),
    Rule("celery-concurrency", "warning", "Celery's concurrency is not set", FACTS + "Celery", celery_concurrency),
    Rule("cpus-above-host", "error", "More CPUs than the machine has", "Docker: resource constraints", cpus_above_host),
)

"""gunicorn and uvicorn: settings that do nothing, hurt models, or end requests."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.audit.deployment import Deployment, Service
from mlpack.audit.finding import Hit, Rule

GREEN = ("gevent", "eventlet", "tornado")
LONG_S = 600
"""A hung sync worker is found after --timeout: ten minutes are long for anybody who waits."""
DOCKER_GRACE_S = 10
GUNICORN_GRACE_S = 30


def _models(deployment: Deployment, kind: str) -> Iterator[Service]:
    return (one for one in deployment.services if one.program.kind == kind and one.runtimes)


def _class(one: Service) -> str:
    said = one.program.options.get("worker-class")
    return said.text if said else ("gthread" if (one.program.number("threads") or 1) > 1 else "sync")


def connections(deployment: Deployment) -> Iterator[Hit]:
    """--worker-connections with sync workers."""
    for one in deployment.services:
        said = one.program.options.get("worker-connections")
        if said is not None and one.program.kind == "gunicorn" and _class(one) == "sync":
            yield Hit(
                said.place,
                one.name,
                f"--worker-connections {said.text}",
                "remove it",
                "sync workers take one request at a time: it does nothing",
            )


def green(deployment: Deployment) -> Iterator[Hit]:
    """Greenlets and CPU-bound models."""
    for one in _models(deployment, "gunicorn"):
        if _class(one).partition(".")[0] in GREEN:
            said = one.program.options["worker-class"]
            yield Hit(
                said.place,
                one.name,
                f"--worker-class {said.text}",
                "sync, or gthread with few threads",
                "inference never yields: one request blocks all others of its worker, and /health too",
            )


def preload(deployment: Deployment) -> Iterator[Hit]:
    """--preload with what does not survive a fork."""
    for one in _models(deployment, "gunicorn"):
        said = one.program.options.get("preload")
        if said is None:
            continue
        if one.gpu is not None:
            yield Hit(
                said.place,
                one.name,
                "--preload with a GPU",
                "no --preload",
                "CUDA does not survive a fork, even after torch.cuda.is_available() in the parent",
            )
        elif "tensorflow" in one.runtimes:
            yield Hit(
                said.place,
                one.name,
                "--preload with TensorFlow",
                "no --preload",
                "every request after the fork hung (measured)",
            )
        else:
            yield Hit(
                said.place,
                one.name,
                "--preload",
                "keep it where a real inference after the fork was proven",
                "pages are shared, but OpenMP can deadlock after a fork: `mlpack estimate --measure` tries it",
                "note",
            )


def timeout(deployment: Deployment) -> Iterator[Hit]:
    """A timeout that kills the loading, or none that finds a hung worker."""
    for one in _models(deployment, "gunicorn"):
        said, value = one.program.options.get("timeout"), one.program.number("timeout")
        if said is None:
            yield Hit(
                one.program.place,
                one.name,
                "--timeout not set: 30 s",
                "--timeout 120 or what load and the longest request take",
                "it covers the loading of the models too; a worker killed by it logs `Perhaps out of memory?`",
            )
        elif value == 0:
            yield Hit(said.place, one.name, "--timeout 0", "--timeout 120", "a hung worker is never replaced")
        elif value is not None and value > LONG_S:
            yield Hit(
                said.place,
                one.name,
                f"--timeout {said.text}",
                "load plus the longest request",
                "a hung worker stays that long; were the kills memory? see the cgroup's oom_kill",
                "note",
            )


def recycling(deployment: Deployment) -> Iterator[Hit]:
    """--max-requests that loads the models again and again."""
    for one in _models(deployment, "gunicorn"):
        said, value = one.program.options.get("max-requests"), one.program.number("max-requests")
        if said is not None and value and value < 1000 and "preload" not in one.program.options:
            yield Hit(
                said.place,
                one.name,
                f"--max-requests {said.text}",
                "remove it, or 1000 and more",
                "every recycle loads all models again, beside the other workers",
                "warning" if value <= 100 else "note",
            )


def grace(deployment: Deployment) -> Iterator[Hit]:
    """Stopped before requests are finished."""
    for one in deployment.services:
        kind, program = one.program.kind, one.program
        own = program.number("graceful-timeout", "timeout-graceful-shutdown")
        if kind == "celery" and program.number("time-limit") is not None:
            own = program.number("time-limit")
        elif kind == "gunicorn" and own is None:
            own = GUNICORN_GRACE_S
        has = DOCKER_GRACE_S if one.grace_s is None else one.grace_s
        if own is None or has >= own or one.is_unit:
            continue
        wanted = f"{round(min(own, 300)) + 10}s"
        explicit = kind == "gunicorn" and "graceful-timeout" in program.options
        if has >= 300 or (kind == "celery" and one.grace_s is not None):
            continue
        yield Hit(
            program.place,
            one.name,
            f"stop_grace_period {has:g}s, work may take {own:g} s",
            f"stop_grace_period: {wanted}",
            "the engine kills what is still at work: requests in flight are cut off, tasks begin again or are lost",
            severity="warning" if explicit else "note",
            change={"stop_grace_period": wanted},
        )


def unshared(deployment: Deployment) -> Iterator[Hit]:
    """uvicorn --workers: nothing is shared."""
    for one in _models(deployment, "uvicorn"):
        said = one.program.options.get("workers")
        if one.workers > 1:
            yield Hit(
                said.place if said else one.program.place,
                one.name,
                f"uvicorn --workers {one.workers}",
                "--timeout-worker-healthcheck above the load time; one worker, or gunicorn, where memory counts",
                "workers are spawned: every one loads its own copy, and one that loads longer than 5 s can be killed",
            )


def ray_per_worker(deployment: Deployment) -> Iterator[Hit]:
    """A Ray cluster for every worker."""
    for said in deployment.code.ray_inits:
        many = [
            one
            for one in deployment.services
            if one.program.kind in ("uvicorn", "gunicorn") and one.workers > 1 and "RAY_ADDRESS" not in one.environment
        ]
        for one in many[:1]:
            yield Hit(
                said.place,
                one.name,
                f"ray.init() in each of {one.workers} workers",
                "one Ray head, and RAY_ADDRESS=ray://head:10001 for the workers",
                "without an address every worker starts a cluster of its own, with every actor and model",
            )


FACTS = "docs/facts.md, gunicorn, uvicorn, Celery"
RULES = (
    Rule("connections-useless", "warning", "--worker-connections does nothing", FACTS, connections),
    Rule("green-workers", "warning", "Greenlets with CPU-bound models", FACTS, green),
    Rule("preload-fork", "error", "Preload before a fork that the library does not survive", FACTS, preload),
    Rule("timeout", "warning", "gunicorn's timeout", FACTS, timeout),
    Rule("recycling", "note", "Recycling reloads models", FACTS, recycling),
    Rule("grace", "note", "Killed before work is finished", "Docker: docker stop; " + FACTS, grace),
    Rule("uvicorn-unshared", "note", "Nothing is shared", FACTS, unshared),
    Rule("ray-per-worker", "error", "A Ray cluster per worker", "Ray: ray.init", ray_per_worker),
)

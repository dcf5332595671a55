"""When a worker is replaced by a fresh one: only where growth was measured or the user asks, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable

from mlpack.errors import SpecError
from mlpack.plan import Decided, ServicePlan
from mlpack.planner.decide import whole
from mlpack.planner.memory import Need
from mlpack.planner.moments import fork_point
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.throughput import seconds
from mlpack.report import Finding
from mlpack.spec import ServerName
from mlpack.units import show_bytes, show_duration

RECYCLES: frozenset[ServerName] = frozenset({"gunicorn", "celery"})
"""Servers that replace one worker at a time: gunicorn's max_requests, Celery's --max-tasks-per-child. uvicorn's
--limit-max-requests ends a lone worker with its container, and several together."""
HEADROOM_SHARE = 0.5
"""Of the headroom, what growth may take: the rest is there for what it was meant for."""
MOST_REQUESTS = 1_000_000
"""Growth that needs more requests than this to matter is none: deployments are restarted sooner."""
JITTER_SHARE = 0.1
HIGH_COST = 0.05
"""Share of a worker's time spent on reloading from which it is worth a warning."""


def require_possible(subject: Subject) -> None:
    """Raises SpecError where the user asks it of a program that cannot do it."""
    if subject.service.recycle is not None and not _replaces(subject):
        raise SpecError(
            f"{_program(subject)} does not replace one worker after another",
            where=f"services.{subject.name}.recycle",
            hint=f"servers that do: {', '.join(sorted(RECYCLES))}; or leave recycle out",
        )


def decided(subject: Subject, choice: Choice, sum_: Need, limit_bytes: int) -> Decided[int] | None:
    """Requests (tasks) per worker before it is replaced; None: never."""
    asked = subject.service.recycle
    if asked is not None:
        return whole(value=asked, source=subject.said("recycle"), because=f"set in the spec; {_cost(subject, choice)}")
    growth = subject.footprint.growth_bytes_per_request
    if not growth or subject.footprint.source != "measured" or not _replaces(subject):
        return None
    spare = HEADROOM_SHARE * max(0, limit_bytes - max(sum_.load, sum_.serve)) / choice.workers
    lasts = spare / growth
    if lasts > MOST_REQUESTS:
        return None
    requests = _rounded(int(lasts))
    value = max(1, requests)
    because = (
        f"{show_bytes(round(growth))} stay of every request (measured): half of a worker's headroom, "
        f"{show_bytes(round(spare))}, lasts for about {requests}; {_cost(subject, choice)}"
    )
    return whole(value=value, source="measured", because=because)


def jitter(choice: Choice, recycle: Decided[int] | None) -> Decided[int] | None:
    """Up to so many requests more, per worker; None where nothing is replaced or nobody else would reload."""
    if recycle is None or choice.workers == 1:
        return None
    because = "a tenth more at most, drawn for each worker, so that they do not load together"
    return whole(value=max(1, int(recycle.value * JITTER_SHARE)), source="calculated", because=because)


def notes(subject: Subject, choice: Choice, plan: ServicePlan) -> Iterable[Finding]:
    """What replacing workers costs where that is much, and growth that nothing stops."""
    where = f"services.{subject.name}"
    growth = subject.footprint.growth_bytes_per_request
    if plan.recycle is None:
        if growth and subject.footprint.source == "measured" and not _replaces(subject):
            yield Finding(
                code="growth-unstopped",
                severity="warning",
                message=f"{subject.name} keeps {show_bytes(round(growth))} of every request (measured), and "
                f"{_program(subject)} does not replace workers",
                where=f"{where}.server",
                hint="find the leak, or serve it with gunicorn, which replaces one worker after another",
            )
        return
    load, share = _load_s(subject, choice), _share(subject, choice, plan.recycle.value)
    if share > HIGH_COST:
        yield Finding(
            code="recycle-costs",
            severity="warning",
            message=f"a worker of {subject.name} is replaced every {plan.recycle.value} requests and then loads for "
            f"{show_duration(load)}: {share:.0%} of its time under full load",
            where=f"{where}.recycle",
            hint="a larger number, or find what grows",
        )
    if choice.workers * choice.replicas == 1 and load >= 1:
        yield Finding(
            code="recycle-pauses",
            severity="warning",
            message=f"{subject.name} has one worker: while it is replaced, nobody answers for {show_duration(load)}",
            where=f"{where}.recycle",
            hint=f"set services.{subject.name}.workers: 2, or leave recycling out",
        )


def _program(subject: Subject) -> str:
    pool = f" with pool: {subject.service.pool}" if subject.facts.one_process else ""
    return f"{subject.service.server}{pool}"


def _replaces(subject: Subject) -> bool:
    return subject.service.server in RECYCLES and not subject.facts.one_process


def _load_s(subject: Subject, choice: Choice) -> float:
    """Seconds a replaced worker is away: a load, unless it is forked with everything loaded."""
    return 0.0 if fork_point(subject, choice) == "after-load" else subject.footprint.load_s


def _share(subject: Subject, choice: Choice, requests: int) -> float:
    """Share of a busy worker's time that loading takes."""
    load = _load_s(subject, choice)
    busy = requests * max(seconds(subject, choice), 0.001)
    return load / (load + busy)


def _cost(subject: Subject, choice: Choice) -> str:
    load = _load_s(subject, choice)
    return f"each replacement loads for {show_duration(load)}" if load else "a replacement is a fork, it loads nothing"


def _rounded(number: int) -> int:
    """Two leading digits: more would pretend."""
    scale: int = 10 ** max(0, len(str(number)) - 2)
    return number // scale * scale

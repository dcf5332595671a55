"""Celery's pools: what a pool within one process cannot do, refused where it is asked for and said where it matters."""

from __future__ import annotations

from collections.abc import Iterable

from mlpack.errors import SpecError
from mlpack.planner.subject import Subject
from mlpack.report import Finding
from mlpack.units import show_duration


def require_possible(subject: Subject) -> None:
    """Raises SpecError where several workers are asked of a pool that is one process."""
    workers = subject.service.workers
    if subject.facts.one_process and workers is not None and workers > 1:
        pool = subject.service.pool
        raise SpecError(
            f"pool: {pool} is one process, and {workers} workers are asked for",
            where=f"services.{subject.name}.workers",
            hint=f"concurrency: {workers} for as many tasks at once in it"
            if pool == "threads"
            else f"replicas: {workers}, or pool: prefork",
        )


def notes(subject: Subject) -> Iterable[Finding]:
    """That nothing ends a task that takes too long: louder where the spec states how long it may take."""
    if not subject.facts.one_process or subject.facts.chain != "queue":
        return
    timeout = subject.service.timeout_s
    stated = "" if timeout is None else f" after the stated {show_duration(timeout)}"
    yield Finding(
        code="time-limits-off",
        severity="note" if timeout is None else "warning",
        message=f"nothing ends a task of {subject.name}{stated}: Celery's time limits do nothing under "
        f"pool: {subject.service.pool}",
        where=f"services.{subject.name}.{'pool' if timeout is None else 'timeout'}",
        hint="pool: prefork enforces them; else let the task watch its own time",
    )

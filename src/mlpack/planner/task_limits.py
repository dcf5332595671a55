"""A task's own time limits against the plan's: a decorator's limit beats the worker's flag, so a clash is named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil

from mlpack.plan import ServicePlan
from mlpack.report import Finding
from mlpack.units import show_duration


@dataclass(frozen=True)
class TaskLimit:
    """What one task's decorator says, in seconds; None where it leaves it to the worker."""

    task: str
    where: str
    """``backend/tasks.py:12``."""
    soft_s: float | None = None
    hard_s: float | None = None


def clashes(service: str, plan: ServicePlan, limits: Iterable[TaskLimit]) -> tuple[Finding, ...]:
    """What is wrong between ``plan`` and the tasks' own ``limits``; one finding a task, the worst."""
    return tuple(found for limit in limits if (found := _clash(service, plan, limit)) is not None)


def _clash(service: str, plan: ServicePlan, own: TaskLimit) -> Finding | None:
    times = plan.times
    if times.soft_s is None or times.hard_s is None:
        return None if times.redelivery_s is None else _unheld(own)
    soft = times.soft_s.value if own.soft_s is None else own.soft_s
    hard = times.hard_s.value if own.hard_s is None else own.hard_s
    if soft >= hard:
        return _finding(
            "task-soft-above-hard",
            "error",
            own,
            f"the soft limit of {show_duration(soft)}{_whose(own.soft_s)} never comes: the task is killed after "
            f"{show_duration(hard)}{_whose(own.hard_s)}",
            "set both in the decorator, soft below hard, or neither",
        )
    if times.redelivery_s is not None and hard >= times.redelivery_s.value:
        return _finding(
            "task-outlives-redelivery",
            "error",
            own,
            f"it may run for {show_duration(hard)}, but after {show_duration(times.redelivery_s.value)} the broker "
            "hands it out a second time",
            _longer(service, plan, hard),
        )
    if hard < times.request_s.value:
        return _finding(
            "task-limit-too-short",
            "warning",
            own,
            f"it is killed after {show_duration(hard)}, but may take {show_duration(times.request_s.value)} "
            f"({times.request_s.because})",
            f"raise its time_limit, or leave it to the plan's {show_duration(times.hard_s.value)}",
        )
    if hard > times.hard_s.value:
        return _finding(
            "task-limit-beats-plan",
            "warning",
            own,
            f"its time_limit of {show_duration(hard)} beats the plan's {show_duration(times.hard_s.value)}: who waits "
            "for it gives up before",
            _longer(service, plan, hard),
        )
    return None


def _unheld(own: TaskLimit) -> Finding | None:
    """A pool within one process ends no task, whatever its decorator says."""
    limits = [value for value in (own.soft_s, own.hard_s) if value is not None]
    if not limits:
        return None
    message = (
        f"the limit of {show_duration(min(limits))} does nothing: only pool: prefork ends a task that takes too long"
    )
    return _finding("task-limit-unheld", "warning", own, message, "remove it, or use pool: prefork")


def _longer(service: str, plan: ServicePlan, hard: float) -> str:
    """The timeout whose planned hard limit is about the decorator's: the margin is the plan's own."""
    assert plan.times.hard_s is not None
    margin = plan.times.hard_s.value / max(plan.times.request_s.value, 1.0)
    return f"set services.{service}.timeout: {max(1, ceil(hard / margin))}s and remove the decorator's limits"


def _whose(own: float | None) -> str:
    return " (the worker's)" if own is None else ""


def _finding(code: str, severity: str, own: TaskLimit, message: str, hint: str) -> Finding:
    return Finding.model_validate(
        {"code": code, "severity": severity, "message": f"{own.task}: {message}", "where": own.where, "hint": hint}
    )

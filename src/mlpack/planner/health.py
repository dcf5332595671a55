"""The health check's times: the start period covers the load, a busy service is not called dead."""

from __future__ import annotations

from math import ceil

from mlpack.plan import HealthPlan
from mlpack.planner.decide import whole
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.timeouts import load_bound_s, loading_at_once
from mlpack.units import show_duration

LEAST_START_PERIOD_S = 10
INTERVAL_S = 30
"""Each check starts a small process; compose restarts nothing by itself, so that faster checks gain little."""
RETRIES = 3
LEAST_TIMEOUT_S, MOST_TIMEOUT_S = 5, 60
"""A check waits behind a busy worker's request: no answer within 3-5 s with all workers busy (measured)."""
INTERVAL = whole(value=INTERVAL_S, source="default", because="a check costs a process")
RETRY = whole(value=RETRIES, source="default", because="one slow answer is not an outage")
TIMEOUT_SHARE = 2 / 3
"""Of the request's bound, which is itself several times the largest request."""


def health_plan(subject: Subject, choice: Choice, request_s: float) -> HealthPlan | None:
    """How ``subject``'s health is asked; None where nothing tells."""
    path = subject.health_path
    if not subject.checked:
        return None
    load = load_bound_s(subject, choice)
    wide = subject.footprint.source == "estimated" and subject.computes
    period = -(-max(LEAST_START_PERIOD_S, ceil(load)) // 5) * 5
    timeout = (
        max(LEAST_TIMEOUT_S, min(MOST_TIMEOUT_S, ceil(request_s * TIMEOUT_SHARE)))
        if subject.computes
        else LEAST_TIMEOUT_S
    )
    return HealthPlan(
        path=path,
        start_period_s=whole(
            value=period,
            source="calculated",
            because=f"{_loading(subject, choice)} at most {show_duration(load)}"
            + ("; an estimate, wide on purpose: `mlpack estimate --measure` narrows it" if wide else ""),
        ),
        interval_s=INTERVAL,
        start_interval_s=whole(
            value=max(1, min(5, period // 10)), source="calculated", because="ready is seen soon after it is true"
        ),
        timeout_s=whole(
            value=timeout,
            source="calculated" if subject.computes else "default",
            because="busy workers answer late" if subject.computes else "answers at once",
        ),
        retries=RETRY,
    )


def _loading(subject: Subject, choice: Choice) -> str:
    processes, cores = loading_at_once(subject, choice)
    if choice.in_turn and choice.workers > 1:
        beside = f", {choice.replicas} replicas at once on {cores:g} cores," if choice.replicas > 1 else ""
        return f"{choice.workers} loading one after the other{beside} take"
    if processes == 1:
        return "one loading takes"
    return f"{processes} loading at once on {cores:g} cores take"

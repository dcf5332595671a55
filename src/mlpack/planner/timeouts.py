"""Time limits, nested from the inside out: what waits for something waits longer than it may take.

Web: request < worker < proxy read. Queue: downstream call < request < soft < hard < redelivery. Never a flat 1800 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from mlpack.errors import SpecError
from mlpack.plan import Decided, TimePlan
from mlpack.planner.decide import real, whole
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.threads import teams
from mlpack.planner.throughput import seconds
from mlpack.units import show_duration

REQUEST_MARGIN = {"measured": 5.0, "estimated": 3.0}
"""A request's bound over its time alone on idle cores: a bound that fires in normal work is worse than a late one.
Estimated times are conservative already (slow cores), so that they need less."""
LOAD_MARGIN = {"measured": 3.0, "estimated": 2.0}
"""A load's bound over its time alone: a cold disk, a busy neighbour; estimates assume a slow disk already."""
LEAST_REQUEST_S = 10.0
PLAIN_REQUEST_S = 30.0
"""Requests of an app without models: what gunicorn, nginx and browsers' patience make customary."""
PLAIN_TASK_S = 300.0
"""Tasks of a worker without models and without a stated timeout."""
LEAST_WORKER_S = 30
"""gunicorn's own default; it also bounds liveness of threads that hold the interpreter lock."""
STOP_GRACE_CAP_S = 60
"""Longer stops block deployments; a task that is cut off is redelivered."""
STOP_RESERVE_S = 10
"""Between the end of the graceful phase and the kill: exit handlers, last writes."""
LEAST_GRACEFUL_S = 10
LEAST_CHILD_START_S = 60
"""Celery kills a child that starts longer, and its replacement too: children that load in 3 s on an idle machine never
got there within 19 s on one nine times overloaded (measured). Waiting longer costs something for a hung child only."""
CALLED_ROLES = frozenset({"app", "llm", "actors"})
"""Roles whose ``timeout`` bounds a call that others wait for; brokers and databases answer at once."""


def load_bound_s(subject: Subject, choice: Choice) -> float:
    """Seconds within which every worker of every replica has loaded: all at once on the cores there are, or in turn."""
    turns = choice.workers if choice.in_turn else 1
    return _bound_s(subject, turns * _contention(subject, choice))


def worker_load_bound_s(subject: Subject, choice: Choice) -> float:
    """Seconds within which one worker has loaded, the others loading or serving on the same cores; a worker that
    waits for its turn reports to gunicorn's master meanwhile, so that only its own load counts."""
    return _bound_s(subject, _contention(subject, choice._replace(in_turn=False)))


def loading_at_once(subject: Subject, choice: Choice) -> tuple[int, float]:
    """How many processes of the service load at the same time, all replicas together, and the cores they have.

    An engine starts every replica at once. Replicas with models compute with cores of their own as long as there are
    enough; those of a service without models all have the same.
    """
    each = 1 if choice.preload or choice.in_turn else choice.workers
    cores = subject.cores * (choice.replicas if subject.computes else 1)
    return each * choice.replicas, cores if subject.all_cores is None else min(cores, subject.all_cores)


def _contention(subject: Subject, choice: Choice) -> float:
    processes, cores = loading_at_once(subject, choice)
    return max(1.0, processes / max(cores, 0.1))


def _bound_s(subject: Subject, loads: float) -> float:
    return (subject.footprint.load_s * loads + subject.facts.start_s) * LOAD_MARGIN[subject.footprint.source]


def downstream(subjects: Mapping[str, Subject], name: str) -> tuple[str, ...]:
    """The services whose answers ``name`` waits for: those its env and ``to`` name, brokers and databases left out."""
    service = subjects[name].service
    wanted = {value.of for value in service.env.values() if value.of} | ({service.to} if service.to else set())
    found = (other for other in wanted if other in subjects and other != name)
    return tuple(sorted(other for other in found if subjects[other].facts.role in CALLED_ROLES))


def request_bounds(subjects: Mapping[str, Subject], choices: Mapping[str, Choice]) -> dict[str, Decided[float]]:
    """The longest one request (or task) may take, per service; whoever waits for another is allowed longer.

    Raises SpecError where the user's own timeouts do not nest.
    """
    bounds: dict[str, Decided[float]] = {}

    def visit(name: str, above: tuple[str, ...]) -> Decided[float]:
        if name not in bounds:
            below = {n: visit(n, (*above, name)) for n in downstream(subjects, name) if n not in (*above, name)}
            bounds[name] = _request_bound(subjects[name], choices[name], below)
        return bounds[name]

    for name in sorted(subjects):
        visit(name, ())
    return bounds


def web_times(subject: Subject, choice: Choice, request: Decided[float]) -> TimePlan:
    """Limits of a service that answers requests; the worker's limit also covers the load, which runs inside it."""
    load = worker_load_bound_s(subject, choice)
    worker = None
    if subject.facts.role == "app":
        value = max(LEAST_WORKER_S, ceil(request.value * 1.2) + 1, ceil(load))
        because = f"above the request's {show_duration(request.value)} and a load of at most {show_duration(load)}"
        worker = whole(value=value, source="calculated", because=because)
    return TimePlan(request_s=request, worker_s=worker, **_stop(request.value))


def proxy_times(request: Decided[float], target: TimePlan) -> TimePlan:
    """Limits of a proxy before a service with ``target``'s: it reads longer than that service may take."""
    inner = max(target.request_s.value, target.worker_s.value if target.worker_s else 0)
    value = ceil(inner) + ceil(target.request_s.value / 2) + 5
    because = f"above the app's {show_duration(inner)}, and half a request of waiting for a free worker"
    read = whole(value=value, source="calculated", because=because)
    return TimePlan(request_s=request, proxy_read_s=read, **_stop(request.value))


def queue_times(subject: Subject, choice: Choice, request: Decided[float], redelivery_s: int) -> TimePlan:
    """Limits of a queue's worker. ``redelivery_s`` is one number for all workers of a broker.

    A pool within one process has no soft and hard limits, and no children to wait for.
    """
    if subject.facts.one_process:
        redelivery = "twice the longest hard limit that prefork would set on this broker; here nothing ends a task"
        return TimePlan(
            request_s=request,
            redelivery_s=whole(value=redelivery_s, source="calculated", because=redelivery),
            **_stop(request.value),
        )
    soft, hard = soft_hard(request.value)
    load = load_bound_s(subject, choice)
    return TimePlan(
        request_s=request,
        soft_s=whole(value=soft, source="calculated", because=f"after the task's {show_duration(request.value)}"),
        hard_s=whole(value=hard, source="calculated", because="after soft, with time to clean up"),
        redelivery_s=whole(
            value=redelivery_s,
            source="calculated",
            because="twice the longest hard limit on this broker: an unfinished task is not handed out twice",
        ),
        child_start_s=whole(
            value=max(LEAST_CHILD_START_S, ceil(load)),
            source="calculated",
            because=f"a replacement child loads for up to {show_duration(load)}, on a busy machine longer; default 4 s",
        ),
        **_stop(request.value),
    )


def soft_hard(request_s: float) -> tuple[int, int]:
    """Soft and hard limit for a task of at most ``request_s`` seconds: each a twentieth, at least 5 and 10 s, later."""
    soft = ceil(request_s + max(5.0, request_s / 20))
    return soft, soft + max(10, ceil(request_s / 20))


def plain_times(request: Decided[float], *, slow_stop: bool) -> TimePlan:
    """Limits of a program that belongs to neither chain; ``slow_stop``: it writes its state out when it stops."""
    return TimePlan(request_s=request, **_stop(STOP_GRACE_CAP_S if slow_stop else request.value))


def _stop(request_s: float) -> dict[str, Decided[int]]:
    wanted = max(LEAST_GRACEFUL_S, ceil(request_s))
    graceful = min(STOP_GRACE_CAP_S - STOP_RESERVE_S, wanted)
    because = "a request in progress may finish" if graceful == wanted else f"capped: stops take {STOP_GRACE_CAP_S} s"
    grace = graceful + STOP_RESERVE_S
    return {
        "graceful_s": whole(value=graceful, source="calculated", because=because),
        "stop_grace_s": whole(value=grace, source="calculated", because=f"graceful and {STOP_RESERVE_S} s to exit"),
    }


def _request_bound(subject: Subject, choice: Choice, below: Mapping[str, Decided[float]]) -> Decided[float]:
    slowest = max(below, key=lambda name: (below[name].value, name), default=None)
    inner = below[slowest].value if slowest is not None else 0.0
    user = subject.service.timeout_s
    if user is not None:
        if slowest is not None and user <= inner and subject.facts.role != "proxy":
            raise SpecError(
                f"{subject.name} gives up after {show_duration(user)}, but waits for {slowest}, "
                f"which may take {show_duration(inner)}",
                where=f"services.{subject.name}.timeout",
                hint=f"set services.{subject.name}.timeout above services.{slowest}.timeout, or lower the latter",
            )
        return real(value=user, source=subject.said("timeout_s"), because="set in the spec")
    own, because = _own_bound(subject, choice)
    if slowest is not None and subject.facts.role == "proxy":
        return real(value=inner, source="calculated", because=f"as long as {slowest} may take")
    if slowest is not None and inner + LEAST_REQUEST_S > own:
        because = f"waits for {slowest}, which may take {show_duration(inner)}"
        return real(value=ceil(inner + max(LEAST_REQUEST_S, inner / 10)), source="calculated", because=because)
    return real(value=own, source="calculated" if subject.computes else "default", because=because)


def _own_bound(subject: Subject, choice: Choice) -> tuple[float, str]:
    if not subject.computes:
        task = subject.facts.chain == "queue"
        return (PLAIN_TASK_S, "no timeout stated for tasks") if task else (PLAIN_REQUEST_S, "customary; runs no model")
    alone = seconds(subject, choice)
    crowd = max(1.0, teams(subject, choice.workers, choice.concurrency) * choice.threads / max(subject.cores, 0.1))
    if not subject.openmp:
        crowd = max(crowd, choice.concurrency)
    margin = REQUEST_MARGIN[subject.footprint.source]
    value = max(LEAST_REQUEST_S, float(ceil(alone * crowd * margin)))
    shared = f" x {crowd:.3g} sharing the cores" if crowd > 1 else ""
    return value, f"{show_duration(alone)} alone ({subject.footprint.source}){shared} x {margin:g}, at least 10 s"

"""How many workers, threads and requests at once: the ways a service could run, and the smallest good one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlpack.errors import DoesNotFit, SpecError
from mlpack.plan import Decided
from mlpack.planner.decide import truth, whole
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.threads import fits_cores, most_threads, teams
from mlpack.spec import Load
from mlpack.units import counted, show_mib

PARALLEL_SHARE = 0.91
"""Share of one request that more threads speed up: 12.3 / 6.7 requests/s with 2 threads (measured, docs/memory.md)."""
WORKER_SCALING = 0.985
"""Each of several workers against a lone one: 13.2 / 6.7 / 2 requests/s (measured, docs/memory.md)."""
GOOD_ENOUGH = 0.95
"""The smallest choice within 5 % of the best is taken: memory is worth more than the last percent."""
NO_LOAD = Load()
PLAIN_WORKERS = 2
"""Workers of an app without models: a second one answers while the first restarts or collects garbage."""


def candidates(subject: Subject, load: Load = NO_LOAD) -> tuple[Choice, ...]:
    """Every sensible way to run ``subject``; what the user set is in all of them. Several replicas only for a load.

    Raises DoesNotFit where the user's numbers break the thread rule, SpecError where they cannot be meant.
    """
    service = subject.service
    concurrency = _concurrency(subject)
    choices = []
    for replicas in _replica_range(subject, load):
        cores = subject.cores_of(Choice(1, 1, concurrency, replicas))
        for workers in [service.workers] if service.workers else _worker_range(subject, cores, concurrency):
            threads = service.threads or most_threads(subject, cores, workers, concurrency)
            choice = Choice(workers, threads, concurrency, replicas, _preload(subject, workers))
            if threads == 1 or fits_cores(subject, choice) or not subject.computes:
                choices.append(choice)
    if not choices:
        raise _too_many_threads(subject, concurrency)
    return tuple(choices)


def in_turn(subject: Subject, choice: Choice) -> Choice | None:
    """``choice`` with its workers loading one after the other; None where nothing makes them, or nobody would wait."""
    if not subject.facts.loads_in_turn or choice.preload or choice.workers == 1 or not subject.computes:
        return None
    return choice._replace(in_turn=True)


def speed(threads: int) -> float:
    """How much faster one request is with ``threads`` threads than with one (Amdahl's law)."""
    return 1 / ((1 - PARALLEL_SHARE) + PARALLEL_SHARE / threads)


def rate(subject: Subject, choice: Choice) -> float:
    """Requests per second of one replica, relative to one worker with one thread.

    Requests beyond the cores wait; they add nothing.
    """
    at_once = choice.workers * choice.concurrency
    return relative_rate(subject.cores_of(choice), at_once, choice.threads, subject.parallel)


def relative_rate(cores: float, at_once: int, threads: int, parallel: int = 1) -> float:
    """``rate`` by its numbers: ``at_once`` requests, each ``parallel`` computations of ``threads`` threads."""
    streams = min(at_once, max(1, int(cores // (threads * parallel))))
    return (streams * WORKER_SCALING if streams > 1 else 1.0) * speed(threads)


def pick(
    subject: Subject, choices: Sequence[Choice], bytes_of: Callable[[Choice], int], objective: str, load: Load
) -> Choice:
    """The choice for ``objective`` among ``choices``, all of which fit: the smallest within 5 % of the best.

    With a load, the smallest that bears it; where none does, the best there is (``unmet`` says so). ``bytes_of``: all
    replicas of a choice.
    """

    def score(choice: Choice) -> float:
        return speed(choice.threads) if objective == "latency" else choice.replicas * rate(subject, choice)

    bearing = [choice for choice in choices if not unmet(subject, choice, load)] if has_load(subject, load) else []
    if bearing:
        good = bearing
    elif objective == "memory":
        good = list(choices)
    else:
        best = max(score(choice) for choice in choices)
        good = [choice for choice in choices if score(choice) >= GOOD_ENOUGH * best]
    return min(good, key=lambda choice: (bytes_of(choice), -score(choice), choice.workers))


def has_load(subject: Subject, load: Load) -> bool:
    """A load is stated, and this service computes: the one that must bear it."""
    return subject.computes and load != Load()


def seconds(subject: Subject, choice: Choice) -> float:
    """How long the largest request takes alone with the chosen threads, from the footprint's time and threads."""
    return subject.footprint.request_s * speed(subject.footprint.threads or 1) / speed(choice.threads)


def unmet(subject: Subject, choice: Choice, load: Load) -> str | None:
    """Why ``choice`` does not bear ``load``, with the cores that would; None where it does."""
    alone = max(subject.footprint.request_s, 0.001) * speed(subject.footprint.threads or 1)
    rps = choice.replicas * rate(subject, choice) / alone
    if load.rps and rps < load.rps:
        cores = -int(-load.rps * alone // WORKER_SCALING)
        return f"about {rps:.3g} of {load.rps:g} requests/s; about {cores} cores would do"
    streams = max(1, min(choice.workers * choice.concurrency, int(subject.cores_of(choice) // choice.threads)))
    rounds = max(1, -(-(load.concurrency or 1) // (choice.replicas * streams)))
    p95 = rounds * seconds(subject, choice)
    if load.p95_s and p95 > load.p95_s:
        return f"about {p95:.3g} s for the largest request, asked {load.p95_s:g} s: more or faster cores"
    return None


def decided_workers(subject: Subject, choice: Choice, ways: tuple[int, int], objective: str) -> Decided[int]:
    """The number of workers as a decision; ``ways``: how many candidates fit into memory, and how many there are."""
    user = subject.chosen("workers")
    if user is not None:
        return user
    if not subject.can_have_workers:
        return whole(value=1, source="default", because=f"{subject.facts.name} is one program")
    if subject.reload and subject.facts.reload_needs_one_worker:
        because = f"settings.reload: {subject.facts.name} watches files with one worker only"
        return whole(value=1, source="calculated", because=because)
    if not subject.computes:
        because = f"runs no model: {PLAIN_WORKERS} workers, not more than cores"
        return whole(value=choice.workers, source="default", because=because)
    best = {"throughput": "requests/s", "latency": "time per request", "memory": "memory"}[objective]
    aim = f"smallest within 5 % of the best {best}" if objective != "memory" else "smallest"
    because = (
        f"{aim} on {subject.cores:g} cores ({ways[0]} of {ways[1]} ways fit into memory): "
        f"{counted(choice.workers, 'worker')} x {counted(choice.threads, 'thread')} is "
        f"{rate(subject, choice):.3g}x one worker with one thread"
    )
    return whole(value=choice.workers, source="calculated", because=because)


def decided_concurrency(subject: Subject, choice: Choice) -> Decided[int]:
    """Requests at once per worker as a decision."""
    user = subject.chosen("concurrency", f"set in the spec, enforced by {subject.admission.enforced_by}")
    if user is not None:
        return user
    if subject.admission.adjustable and subject.computes:
        because = "a model computes with all its threads: a second request at once costs memory and wins nothing"
        return whole(value=choice.concurrency, source="calculated", because=because)
    by = subject.admission.enforced_by
    because = "nothing bounds it: what the server takes by itself" if by == "nothing" else f"bounded by: {by}"
    return whole(value=choice.concurrency, source="default", because=because)


def decided_replicas(subject: Subject, choice: Choice) -> Decided[int]:
    """Copies of the whole service as a decision."""
    user = subject.chosen("replicas")
    if user is not None:
        return user
    if choice.replicas == 1:
        return whole(value=1, source="default", because="one; more where a load needs them behind a proxy, or set")
    because = f"for the load: {choice.replicas} x {choice.workers} workers, shared out by {subject.balanced_by}"
    return whole(value=choice.replicas, source="calculated", because=because)


def decided_in_turn(subject: Subject, choice: Choice, together: int | None) -> Decided[bool] | None:
    """Whether workers load one after the other, as a decision. ``together``: the limit that all at once would need."""
    if in_turn(subject, choice) is None:
        return None
    if not choice.in_turn:
        return truth(value=False, source="calculated", because="there is memory for all workers loading at once")
    because = f"all {choice.workers} loading at once would need {show_mib(together or 0)}, which is not there"
    return truth(value=True, source="calculated", because=because)


def decided_preload(subject: Subject, choice: Choice) -> Decided[bool]:
    """Whether models are loaded before the fork, as a decision."""
    if subject.service.preload is not None:
        return truth(value=choice.preload, source=subject.said("preload"), because="set in the spec")
    blocked = preload_blocked(subject)
    because = blocked or ("one worker shares with nobody" if choice.workers == 1 else "forked workers answered")
    return truth(value=choice.preload, source="calculated", because=because)


def preload_blocked(subject: Subject) -> str | None:
    """Why models must not be loaded before the fork; None where a real inference after fork has been proven."""
    if subject.facts.preload_fork_point is None:
        return f"{subject.facts.name} cannot load before it forks"
    if subject.reload:
        return "settings.reload: what the master has loaded would not be loaded again"
    unsafe = [runtime.name for runtime in subject.runtimes if runtime.fork_safe == "no"]
    if unsafe:
        return f"{' and '.join(unsafe)} hung on every request after a fork (measured)"
    if not subject.footprint.fork_proven:
        tried = subject.footprint.fork_refused
        return tried or "no inference after a fork has been proven; `mlpack estimate --measure` tries it"
    return None


def _concurrency(subject: Subject) -> int:
    wanted, admission = subject.service.concurrency, subject.admission
    if wanted is None:
        return 1 if admission.adjustable and subject.computes else admission.natural
    if wanted != admission.natural and not admission.adjustable:
        raise SpecError(
            f"nothing can hold {subject.name} to {wanted} requests at once: {admission.enforced_by}",
            where=f"services.{subject.name}.concurrency",
            hint=f"let the app read {{from: {subject.name}.concurrency}} in its env and bound itself, or leave it out",
        )
    return wanted


def _replica_range(subject: Subject, load: Load) -> Sequence[int]:
    """One (or what the user set), and for a load as many as there are cores where a proxy can share requests out."""
    if subject.service.replicas or subject.balanced_by is None or not has_load(subject, load):
        return [subject.service.replicas or 1]
    return range(1, max(1, int(subject.cores)) + 1)


def _worker_range(subject: Subject, cores_: float, concurrency: int) -> Sequence[int]:
    cores = max(1, int(cores_))
    if not subject.can_have_workers or subject.facts.role == "actors":
        return [1]
    if subject.reload and subject.facts.reload_needs_one_worker:
        return [1]
    if not subject.computes:
        return [min(PLAIN_WORKERS, cores)]
    return range(1, max(1, cores // teams(subject, 1, concurrency)) + 1)


def _preload(subject: Subject, workers: int) -> bool:
    blocked, wanted = preload_blocked(subject), subject.service.preload
    if wanted and blocked:
        raise SpecError(
            f"preload is refused: {blocked}",
            where=f"services.{subject.name}.preload",
            hint="leave preload out; mlpack turns it on where it is proven",
        )
    return wanted if wanted is not None else blocked is None and workers > 1 and subject.computes


def _too_many_threads(subject: Subject, concurrency: int) -> DoesNotFit:
    service = subject.service
    workers, threads = service.workers or 1, service.threads or 1
    count = teams(subject, workers, concurrency) * threads
    fitting = most_threads(subject, subject.cores, workers, concurrency)
    return DoesNotFit(
        f"{subject.name}: {counted(workers, 'worker')} x {concurrency} at once x {counted(threads, 'thread')} want "
        f"{counted(count, 'thread')} on "
        f"{subject.cores:g} cores; a little oversubscription is the worst case, up to 4.5x slower (measured)",
        where=f"services.{subject.name}.threads",
        hint=f"set threads: {fitting}, or leave it out"
        if fitting < threads
        else f"leave threads or workers of services.{subject.name} out, or plan for more cores",
    )

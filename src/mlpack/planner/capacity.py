"""How many workers, threads and requests at once: the ways a service could run, and the smallest good one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlpack.errors import DoesNotFit, SpecError
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.threads import fits_cores, most_threads, teams
from mlpack.planner.throughput import has_load, rate, speed, unmet
from mlpack.spec import Load
from mlpack.units import counted

GOOD_ENOUGH = 0.95
"""The smallest choice within 5 % of the best is taken: memory is worth more than the last percent."""
PLAIN_WORKERS = 2
"""Workers of an app without models: a second one answers while the first restarts or collects garbage."""
NO_LOAD = Load()


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
            most = most_threads(subject, cores, workers, concurrency)
            threads = service.threads or (min(most, proven_threads(subject)) if service.preload else most)
            choice = Choice(workers, threads, concurrency, replicas, _preload(subject, workers, threads))
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


def pick(
    subject: Subject, choices: Sequence[Choice], bytes_of: Callable[[Choice], int], objective: str, load: Load
) -> Choice:
    """The choice for ``objective`` among ``choices``, all of which fit: the smallest within 5 % of the best.

    With a load, the smallest that bears it; where none does, the best there is (``unmet`` says so). ``bytes_of``: all
    replicas of a choice.
    """

    if len(choices) == 1:
        return choices[0]
    scores = {
        choice: speed(choice.threads) if objective == "latency" else choice.replicas * rate(subject, choice)
        for choice in choices
    }
    bearing = [choice for choice in choices if not unmet(subject, choice, load)] if has_load(subject, load) else []
    if bearing:
        good = bearing
    elif objective == "memory":
        good = list(choices)
    else:
        best = max(scores.values())
        good = [choice for choice in choices if scores[choice] >= GOOD_ENOUGH * best]
    return min(good, key=lambda choice: (bytes_of(choice), -scores[choice], choice.workers))


def proven_threads(subject: Subject) -> int:
    """The most threads per worker for which a proof of answers after a fork holds: those it was made with.

    With one thread no team exists at the fork. LightGBM and torch, loaded with two, hung on every request of the
    forked workers, with one they answered (measured, docs/throughput.md).
    """
    return subject.footprint.threads or 1


def preload_blocked(subject: Subject, threads: int = 1) -> str | None:
    """Why models must not be loaded before the fork by workers of ``threads`` threads; None where a real inference
    after a fork has been proven with as many."""
    if subject.card_seats:
        return "CUDA does not survive a fork: every worker loads its models by itself"
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
    if threads > proven_threads(subject):
        proven = counted(proven_threads(subject), "thread")
        return f"workers forked after the load answered with {proven} each, which proves nothing for {threads}"
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
    if not subject.can_have_workers or subject.facts.role == "actors" or subject.facts.one_process:
        return [1]
    if subject.reload and subject.facts.reload_needs_one_worker:
        return [1]
    if subject.card_seats:
        return range(1, len(subject.card_seats) + 1)
    if not subject.computes:
        return [min(PLAIN_WORKERS, cores)]
    return range(1, max(1, cores // teams(subject, 1, concurrency)) + 1)


def _preload(subject: Subject, workers: int, threads: int) -> bool:
    blocked, wanted = preload_blocked(subject, threads), subject.service.preload
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

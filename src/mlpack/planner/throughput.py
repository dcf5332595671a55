"""How fast a way to run is: requests per second, seconds for one, and whether that bears the load that was stated."""

from __future__ import annotations

from mlpack.planner.subject import Choice, Subject
from mlpack.spec import Load

PARALLEL_SHARE = 0.91
"""Share of one request that more threads speed up: 12.3 / 6.7 requests/s with 2 threads (measured, docs/memory.md)."""
WORKER_SCALING = 0.985
"""Each of several workers against a lone one: 13.2 / 6.7 / 2 requests/s (measured, docs/memory.md)."""


def speed(threads: int) -> float:
    """How much faster one request is with ``threads`` threads than with one (Amdahl's law)."""
    return 1 / ((1 - PARALLEL_SHARE) + PARALLEL_SHARE / threads)


def rate(subject: Subject, choice: Choice) -> float:
    """Requests per second of one replica, relative to one worker with one thread.

    Requests beyond the cores wait; they add nothing.
    """
    if subject.card_seats:  # cards in use; a second worker on one adds little, and its speed is not known here
        return float(len(set(subject.card_seats[: choice.workers])))
    at_once = choice.workers * choice.concurrency
    return relative_rate(subject.cores_of(choice), at_once, choice.threads, subject.parallel)


def relative_rate(cores: float, at_once: int, threads: int, parallel: int = 1) -> float:
    """``rate`` by its numbers: ``at_once`` requests, each ``parallel`` computations of ``threads`` threads."""
    streams = min(at_once, max(1, int(cores // (threads * parallel))))
    return (streams * WORKER_SCALING if streams > 1 else 1.0) * speed(threads)


def has_load(subject: Subject, load: Load) -> bool:
    """A load is stated, and this service computes: the one that must bear it."""
    return subject.computes and not subject.card_seats and any((load.rps, load.p95_s, load.concurrency))


def seconds(subject: Subject, choice: Choice) -> float:
    """How long the largest request takes alone with the chosen threads, from the footprint's time and threads."""
    return subject.footprint.request_s * speed(subject.footprint.threads or 1) / speed(choice.threads)


def unmet(subject: Subject, choice: Choice, load: Load) -> str | None:
    """Why ``choice`` does not bear ``load``; None where it does. ``machine_for_load`` says what would."""
    alone = max(subject.footprint.request_s, 0.001) * speed(subject.footprint.threads or 1)
    rps = choice.replicas * rate(subject, choice) / alone
    if load.rps and rps < load.rps:
        return f"about {rps:.3g} of {load.rps:g} requests/s"
    streams = max(1, min(choice.workers * choice.concurrency, int(subject.cores_of(choice) // choice.threads)))
    rounds = max(1, -(-(load.concurrency or 1) // (choice.replicas * streams)))
    p95 = rounds * seconds(subject, choice)
    if load.p95_s and p95 > load.p95_s:
        return f"about {p95:.3g} s for the largest request, asked {load.p95_s:g} s"
    return None

"""The chosen numbers as decisions: what the user set, or what was chosen and why."""

from __future__ import annotations

from mlpack.plan import Decided
from mlpack.planner.capacity import PLAIN_WORKERS, in_turn, preload_blocked
from mlpack.planner.decide import truth, whole
from mlpack.planner.subject import Choice, Subject
from mlpack.planner.throughput import rate
from mlpack.units import counted, show_mib


def decided_workers(subject: Subject, choice: Choice, ways: tuple[int, int], objective: str) -> Decided[int]:
    """The number of workers as a decision; ``ways``: how many candidates fit into memory, and how many there are."""
    user = subject.chosen("workers")
    if user is not None:
        return user
    if not subject.can_have_workers:
        return whole(value=1, source="default", because=f"{subject.facts.name} is one program")
    if subject.facts.one_process:
        because = f"pool: {subject.service.pool} is one process; `concurrency` says how many tasks it runs at once"
        return whole(value=1, source="calculated", because=because)
    if subject.reload and subject.facts.reload_needs_one_worker:
        because = f"settings.reload: {subject.facts.name} watches files with one worker only"
        return whole(value=1, source="calculated", because=because)
    if subject.card_seats:
        because = f"one worker a card, and {counted(len(set(subject.card_seats)), 'card')} with room for it"
        return whole(value=choice.workers, source="calculated", because=because)
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
    blocked = preload_blocked(subject, choice.threads)
    because = blocked or ("one worker shares with nobody" if choice.workers == 1 else "forked workers answered")
    return truth(value=choice.preload, source="calculated", because=because)

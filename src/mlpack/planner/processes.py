"""How many processes and threads a service may start: a guard against fork bombs, far above what it does in work."""

from __future__ import annotations

from mlpack.plan import Decided
from mlpack.planner.decide import whole
from mlpack.planner.moments import has_master
from mlpack.planner.subject import Choice, Subject

LEAST_PIDS = 128
LIBRARY_THREADS = 16
"""Threads that libraries start by themselves beside their teams: logging, allocators, event loops."""
APP_POOL_THREADS = 40
"""anyio's pool for blocking calls, which every ASGI app may fill."""
ACTOR_PIDS = 512
"""Ray: nine processes of the head and every actor with dozens of gRPC threads."""
MARGIN = 2


def pids(subject: Subject, choice: Choice, host_cores: float) -> Decided[int]:
    """The pids limit of one replica; a thread counts like a process in the cgroup.

    Libraries that ignore quotas start a pool by the host's cores, so these count once per worker.
    """
    requests = min(choice.concurrency, 1024) if subject.can_have_workers else 0
    pool = APP_POOL_THREADS if subject.facts.role == "app" else 0
    per_worker = 1 + max(requests, pool) + requests * choice.threads + LIBRARY_THREADS + 2 * int(host_cores)
    total = (choice.workers + (1 if has_master(subject, choice) else 0)) * per_worker
    if subject.facts.role == "database":
        total += subject.admission.natural
    if subject.facts.role == "actors":
        total += ACTOR_PIDS * (1 + subject.parallel)
    value = max(LEAST_PIDS, -(-MARGIN * total // 64) * 64)
    because = f"{MARGIN} x about {total} threads and processes, in steps of 64, at least {LEAST_PIDS}"
    return whole(value=value, source="calculated", because=because)

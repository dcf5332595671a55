"""Which of a service's processes are its workers, and which of them answered a request. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlpack.servers import SERVERS
from mlpack.spec import ServerName
from mlpack.verify.seeing import Seen

INITS = frozenset({"docker-init", "tini", "dumb-init", "catatonit"})
HELPERS = ("resource_tracker", "semaphore_tracker")
"""Children that Python's multiprocessing starts beside the workers."""
LEAST_S = 0.0003
"""CPU seconds below which a process did nothing: an idle worker's wake-ups (gunicorn's heartbeat: 0.05 ms)."""
MARGIN = 3.0
"""One request went to the worker that computed this many times more than any other; else nobody is credited."""
BURST_SHARE = 0.5
"""In a burst, a worker that computed this share of one request's usual cost answered one."""


def worker_pids(server: ServerName, planned: int, processes: Sequence[Seen], root: int) -> tuple[int, ...]:
    """The pids that answer requests, sorted: the master's children, or the one process of a server without a master.

    ``root``: the service's first process, which may be the container's init. What the engine puts in beside it
    (health checks) has another parent and is no worker.
    """
    children: dict[int, list[int]] = {}
    names = {process.pid: process.name for process in processes}
    for process in processes:
        if not any(helper in word for helper in HELPERS for word in process.cmdline):
            children.setdefault(process.ppid, []).append(process.pid)
    while names.get(root) in INITS:
        below = children.get(root)
        if not below:
            return ()
        root = min(below)
    if root not in names:
        return ()
    alone = not SERVERS[server].FACTS.has_master or (server == "uvicorn" and planned == 1)
    return (root,) if alone else tuple(sorted(children.get(root, [])))


def spent_s(before: Mapping[int, float], after: Mapping[int, float]) -> dict[int, float]:
    """CPU seconds that each worker of ``after`` spent in between; threads that ended never make it negative."""
    return {pid: max(0.0, cpu_s - before.get(pid, cpu_s)) for pid, cpu_s in after.items()}


def who_answered(spent: Mapping[int, float]) -> int | None:
    """The worker that answered the one request in between; None where that cannot be told."""
    ranked = sorted(spent.items(), key=lambda item: -item[1])
    if not ranked or ranked[0][1] < LEAST_S:
        return None
    if len(ranked) > 1 and ranked[0][1] < MARGIN * ranked[1][1]:
        return None
    return ranked[0][0]


def who_took_part(spent: Mapping[int, float], usual_s: float) -> frozenset[int]:
    """The workers that answered at least one request of a burst, where one usually costs ``usual_s``."""
    return frozenset(pid for pid, cpu_s in spent.items() if cpu_s >= max(LEAST_S, BURST_SHARE * usual_s))

"""Counts the threads that computed for a set of requests: what was planned for, or a pool that nobody bounded.

How many threads there *are* says little (idle ones cost nothing); every thread's own CPU time does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

LEAST_S = 0.005
SHARE = 0.25
"""A thread computed if it spent this share of what one request costs: event loops and heartbeats spend less."""
LOOK_EVERY_S = 0.05
"""Threads that were made for one request and ended with it are seen if that took longer than this."""


def thread_seconds(proc: Path, pid: int) -> dict[int, float]:
    """Thread id -> CPU seconds of each thread of ``pid`` that lives; empty when it is gone."""
    found = {}
    try:
        for task in (proc / str(pid) / "task").iterdir():
            found[int(task.name)] = int((task / "schedstat").read_text().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        return found
    return found


def spent_while(proc: Path, pids: Iterable[int], act: Callable[[], object]) -> dict[int, dict[int, float]]:
    """pid -> thread -> CPU seconds that it spent while ``act`` ran in a thread of its own."""
    wanted = tuple(pids)
    before = {pid: thread_seconds(proc, pid) for pid in wanted}
    latest = {pid: dict(before[pid]) for pid in wanted}
    actor = threading.Thread(target=act, daemon=True, name="burst")
    actor.start()
    while True:
        over = not actor.is_alive()
        for pid in wanted:
            latest[pid].update(thread_seconds(proc, pid))
        if over:
            break
        time.sleep(LOOK_EVERY_S)
    return {
        pid: {tid: max(0.0, seconds - before[pid].get(tid, 0.0)) for tid, seconds in latest[pid].items()}
        for pid in wanted
    }


def computed(spent: Mapping[int, float], requests: float) -> int:
    """How many of one worker's threads computed, where it answered about ``requests`` of the burst. Pure."""
    each_s = sum(spent.values()) / max(1.0, requests)
    return sum(seconds >= max(LEAST_S, SHARE * each_s) for seconds in spent.values())

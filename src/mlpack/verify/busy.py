"""How busy this machine is with work that is not ours: on a busy one, times prove nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

BUSY_SHARE = 0.4
"""Of all CPU time, used by others while we waited: a start that was late then may be in time on the real machine."""


@dataclass(frozen=True)
class Mark:
    """A moment: when, the CPU seconds that this machine had spent until then, and those of this process."""

    at_s: float
    machine_s: float
    own_s: float


def mark() -> Mark:
    """Now."""
    times = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0)
    # guest time is part of user time; steal is time that this machine did not get at all, so it counts as others'
    spent_s = sum(times) - idle_s - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return Mark(time.monotonic(), spent_s, time.process_time())


def others_share(start: Mark, end: Mark, services_s: float, cores: int) -> float:
    """The share of ``cores`` that others used between two marks. ``services_s``: CPU seconds of what we started."""
    wall_s = end.at_s - start.at_s
    if wall_s <= 0 or cores < 1:
        return 0.0
    others_s = (end.machine_s - start.machine_s) - services_s - (end.own_s - start.own_s)
    return min(1.0, max(0.0, others_s / (wall_s * cores)))


def busy_words(start: Mark | None, services_s: Callable[[], float]) -> str | None:
    """In words, that this machine was busy since ``start``; None when it was not, or when nobody knows."""
    if start is None:
        return None
    share = others_share(start, mark(), services_s(), psutil.cpu_count() or 1)
    return None if share < BUSY_SHARE else f"this machine was busy: other work used {share:.0%} of its CPU time"

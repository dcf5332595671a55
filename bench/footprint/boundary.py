"""Searches the lowest limit that passes: from the prediction by steps of 1.15, then by halves; then holds it. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

STEP = 1.15
"""The target's upper end: the first two trials say whether it is met."""
PAGE_BYTES = 4096


@dataclass(frozen=True)
class Boundary:
    """``passed_bytes``: the lowest limit that passed. ``failed_bytes``: the highest that failed, and why."""

    passed_bytes: int
    failed_bytes: int
    why: str
    predicted_passed: bool
    trials: int


def search(passes: Callable[[int], str], predicted_bytes: int, *, within: float = 1.02, most: int = 12) -> Boundary:
    """The boundary to a factor ``within``. ``passes(limit)`` says why a limit fails, or "".

    Limits are assumed to pass from the boundary upwards. Raises RuntimeError after ``most`` trials without an end.
    """
    known: dict[int, str] = {}

    def tried(limit: float) -> str:
        page = math.ceil(limit / PAGE_BYTES) * PAGE_BYTES
        if page not in known:
            known[page] = passes(page)
        return known[page]

    at = float(predicted_bytes)
    first = tried(at)
    while len(known) < most:
        passed = [limit for limit, why in known.items() if not why]
        failed = [limit for limit, why in known.items() if why]
        if not failed:
            at = min(passed) / STEP
        elif not passed:
            at = max(failed) * STEP
        else:
            low = max(limit for limit in failed if limit < max(passed)) if min(failed) < max(passed) else 0
            high = min(limit for limit in passed if limit > low)
            if high / low <= within:
                return Boundary(high, low, known[low], not first, len(known))
            at = math.sqrt(high * low)
        tried(at)
    raise RuntimeError(f"no boundary after {most} trials: {known}")


def hold(passes: Callable[[int], str], found: Boundary, *, within: float = 1.02, most: int = 8) -> Boundary:
    """``found``, raised by the factor ``within`` until its limit passes ``passes``, which is asked more than once.

    A limit that holds once may fail the next time, when load peaks of two workers meet that did not before. Raises
    RuntimeError after ``most`` steps.
    """
    low, why, limit = found.failed_bytes, found.why, found.passed_bytes
    for tried in range(most):
        said = passes(limit)
        if not said:
            return replace(found, passed_bytes=limit, failed_bytes=low, why=why, trials=found.trials + tried + 1)
        low, why, limit = limit, said, math.ceil(limit * within / PAGE_BYTES) * PAGE_BYTES
    raise RuntimeError(f"no limit up to {limit} holds: {why}")

"""Waits until something is ready: one total deadline, never a count of tries."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mlpack.client.http import send
from mlpack.client.message import Message
from mlpack.errors import VerifyError

if TYPE_CHECKING:
    import httpx

PAUSE_S, SHORTEST_S = 0.25, 0.001
ASK_S = 5.0
"""One question waits this long at most; a busy server answers health within it, or not at all."""


def not_healthy(client: httpx.Client, base: str, path: str, timeout_s: float = ASK_S) -> str | None:
    """Why the health route does not answer 200 now; None when it does."""
    answer = send(client, base, Message("GET", path, (), b""), timeout_s)
    if answer.broken is not None:
        return answer.broken
    return None if answer.status == 200 else f"status {answer.status}"


def wait(
    not_ready: Callable[[], str | None],
    deadline_s: float,
    *,
    what: str,
    gone: Callable[[], str | None] = lambda: None,
    progress: Callable[[float, str], None] = lambda _elapsed_s, _reason: None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> float:
    """Ask ``not_ready`` (a reason, or None when ready) until it is; returns the seconds that took.

    ``gone`` says why waiting is in vain (the process ended), None while it is not; ``progress`` is told the elapsed
    seconds and the reason after each question. Raises VerifyError naming ``what`` when it is gone or late.
    """
    start = clock()
    while True:
        reason = not_ready()
        elapsed_s = clock() - start
        if reason is None:
            return elapsed_s
        progress(elapsed_s, reason)
        end = gone()
        if end is not None:
            raise VerifyError(f"{what} will never be ready: {end}")
        left_s = deadline_s - elapsed_s
        if left_s < SHORTEST_S:
            raise VerifyError(f"{what} was not ready within {deadline_s:g} s; last: {reason}")
        sleep(min(PAUSE_S, left_s))

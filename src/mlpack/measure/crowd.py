"""How high a fresh worker goes whose first requests come together, as after a restart under load.

A worker that has answered one request before has its allocator's blocks in place, and the next ones use them again.
Requests that meet in a fresh one make it take blocks side by side, and how these lie then depends on the moment: a
convolutional net with two requests at once went to 249 MiB over its loaded state each time when one had come before,
and to 233 to 347 when none had (measured; its server too). So several fresh workers are tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from mlpack.measure.subject import ROUNDS, Deadlines
from mlpack.measure.watch import Watch
from mlpack.measure.worker import Place, Worker

LIVES = 6
"""Fresh workers, where ``MOST_S`` allows them: of twenty, at 233 to 322 MiB, any six had one above 290."""
MOST_S = 120.0
"""No further worker is begun after so long; a service that is slow to load is tried less often."""


def highest_bytes(
    make: Callable[[], AbstractContextManager[tuple[Place, str]]], task: Mapping[str, Any], deadlines: Deadlines
) -> int:
    """The highest anonymous memory over the loaded state of a fresh worker's first requests, all at once; bytes.

    Raises AppError: the app fails, hangs or is killed.
    """
    began_s, found = time.monotonic(), 0
    for _ in range(LIVES):
        with make() as (place, _uncounted):
            found = max(found, _one(place, {**task, "crowd": True}, deadlines))
        if time.monotonic() - began_s > MOST_S:
            break
    return found


def _one(place: Place, task: Mapping[str, Any], deadlines: Deadlines) -> int:
    with Worker(place, task) as worker, Watch(Path("/proc"), worker.pid, {}, None) as watch:
        for name in ("interpreter", "libraries", "app"):
            worker.stage(name, deadlines.load_s)
            worker.go()
        loaded = watch.stop("startup", worker.stage("startup", deadlines.load_s)["seconds"])
        worker.go()
        met = watch.stop("together", worker.stage("together", deadlines.request_s * ROUNDS)["seconds"])
        return met.anonymous_peak_bytes - loaded.anonymous_bytes

"""A load of requests: closed loop, bounded in count and time, every answer judged; latencies as percentiles."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlpack.errors import UsageError
from mlpack.report import LatencyBin, LoadResult

MAX_CONCURRENCY = 256
"""Threads of this process; more would measure the client."""
NOT_SENT = "not sent before the deadline"
BINS_A_DECADE = 20
"""Each bin is 12 % wider than the one before: as fine at 5 ms as at 5 s, and the same in every run."""
LEAST_S = 1e-6


@dataclass(frozen=True)
class Outcome:
    """One request of a load: how long it took, and the kind of what went wrong (None: the right answer)."""

    elapsed_s: float
    kind: str | None = None
    words: str | None = None
    """What went wrong, for the reader."""


@dataclass(frozen=True)
class Enough:
    """No request starts once ``requests`` were sent and ``after_s`` have passed."""

    requests: int
    after_s: float


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The percentile of ``ordered`` (ascending) by the nearest-rank method: the smallest value that at least
    ``share`` of all do not exceed; 0.0 of none. It is always a value that was measured."""
    return ordered[max(1, math.ceil(share * len(ordered))) - 1] if ordered else 0.0


def histogram(latencies_s: Sequence[float]) -> tuple[LatencyBin, ...]:
    """``latencies_s`` counted in bins whose edges are 10**(k/20) seconds, ascending; empty bins are left out."""
    counts = Counter(map(_bin, latencies_s))
    return tuple(
        LatencyBin(from_s=_edge_s(index), to_s=_edge_s(index + 1), count=count)
        for index, count in sorted(counts.items())
    )


def _bin(latency_s: float) -> int:
    """The bin whose edges, as they are written, hold ``latency_s``."""
    latency_s = max(LEAST_S, latency_s)
    index = math.floor(BINS_A_DECADE * math.log10(latency_s))
    if latency_s >= _edge_s(index + 1):
        return index + 1
    return index - 1 if latency_s < _edge_s(index) else index


def _edge_s(index: int) -> float:
    return float(f"{10 ** (index / BINS_A_DECADE):.4g}")


def load(
    send: Callable[[int], Outcome],
    requests: int,
    concurrency: int,
    deadline_s: float,
    *,
    saw: Callable[[Outcome], None] | None = None,
    enough: Enough | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> LoadResult:
    """Call ``send(0)``, ``send(1)``, ... ``requests`` times, ``concurrency`` at once, each as soon as one ends.

    ``send`` bounds its own time; none starts after ``deadline_s``, and what was not sent counts as an error.
    ``saw`` is told each outcome, one at a time (progress, evidence). Latencies are those of right answers. An
    exception of ``send`` ends the load and is raised. Raises UsageError for counts below 1 or too many at once.
    ``enough``: when fewer than ``requests`` will do; the result then counts those that were sent.
    """
    if requests < 1 or not 1 <= concurrency <= MAX_CONCURRENCY:
        raise UsageError(f"a load needs 1 request or more, and 1 to {MAX_CONCURRENCY} at once")
    threads_wanted = min(concurrency, requests)
    guard = threading.Lock()
    ready = threading.Barrier(threads_wanted + 1)
    outcomes: list[Outcome] = []
    failures: list[BaseException] = []
    sent = 0
    stop = threading.Event()
    deadline = enough_at = math.inf
    least = requests if enough is None else min(requests, enough.requests)

    def next_index() -> int | None:
        nonlocal sent
        with guard:
            if stop.is_set() or sent >= requests or clock() >= (deadline if sent < least else enough_at):
                return None
            sent += 1
            return sent - 1

    def work() -> None:
        try:
            ready.wait()
            while (index := next_index()) is not None:
                outcome = send(index)
                with guard:
                    outcomes.append(outcome)
                    if saw is not None:
                        saw(outcome)
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:
            failures.append(error)
            stop.set()

    # daemons: Ctrl-C ends the program although a request is under way
    threads = [threading.Thread(target=work, daemon=True, name=f"load-{n}") for n in range(threads_wanted)]
    try:
        for thread in threads:
            thread.start()
        start = clock()
        deadline = start + deadline_s
        enough_at = deadline if enough is None else min(deadline, start + enough.after_s)
        ready.wait()
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        ready.abort()
        raise
    if failures:
        raise failures[0]
    return _result(outcomes, requests if enough is None else max(least, sent), concurrency, clock() - start)


def _result(outcomes: Sequence[Outcome], requests: int, concurrency: int, duration_s: float) -> LoadResult:
    right = sorted(outcome.elapsed_s for outcome in outcomes if outcome.kind is None)
    kinds = Counter(outcome.kind for outcome in outcomes if outcome.kind is not None)
    if len(outcomes) < requests:
        kinds[NOT_SENT] = requests - len(outcomes)
    return LoadResult(
        requests=requests,
        concurrency=concurrency,
        errors=requests - len(right),
        duration_s=duration_s,
        requests_per_s=len(right) / duration_s if duration_s > 0 else 0.0,
        p50_s=nearest_rank(right, 0.50),
        p95_s=nearest_rank(right, 0.95),
        p99_s=nearest_rank(right, 0.99),
        max_s=right[-1] if right else 0.0,
        error_kinds=dict(sorted(kinds.items())),
        latencies=histogram(right),
    )

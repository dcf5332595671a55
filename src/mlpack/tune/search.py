"""The searches themselves: which settings to try next, and what the trials say in the end. Pure but for ``attempt``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mlpack.report import Patch
from mlpack.tune.trial import Trial
from mlpack.units import MIB, ceil_mib, show_mib

STEP_BYTES = 8 * MIB
STEP_SHARE = 0.02
"""A limit is found to within the larger of the two: finer, the next start differs by more."""
HEADROOM = 1.05
"""On top of the smallest limit that held: the planner's own factor over a peak (planner/memory.py)."""
BETTER = 1.05
"""More throughput than this makes a setting better; below it the one with fewer processes wins."""
MOST_BATCH = 4096

Attempt = Callable[[dict[str, int]], Trial | None]
"""Runs (or recalls) a trial; None when the time is over."""


@dataclass(frozen=True)
class Found:
    """What a search came to: the evidence, the change it proposes, and whether the time was enough."""

    lines: tuple[str, ...]
    patches: tuple[Patch, ...] = ()
    whole: bool = True


def smallest_limit(service: str, limit_bytes: int, attempt: Attempt) -> Found:
    """The smallest memory limit that holds, by bisection between what is surely needed and ``limit_bytes``."""
    first = attempt({"limit_mib": limit_bytes // MIB})
    if first is None:
        return Found(("limit: no time for a trial",), whole=False)
    if not first.good:
        return Found((f"limit: the rendered {show_mib(limit_bytes)} does not hold: {first.words}",))
    good, bad = limit_bytes // MIB, max(1, first.surely_bytes // MIB - 1)
    lines = [f"limit: {show_mib(limit_bytes)} holds, {show_mib(first.need_bytes)} of it are needed"]
    whole = True
    while good - bad > max(STEP_BYTES // MIB, STEP_SHARE * good):
        middle = (good + bad) // 2
        trial = attempt({"limit_mib": middle})
        if trial is None:
            whole = False
            break
        lines.append(f"limit: {middle} MiB: {trial.words}")
        good, bad = (middle, bad) if trial.good else (good, middle)
    wanted = min(limit_bytes // MIB, ceil_mib(round(HEADROOM * good * MIB)) // MIB)
    lines.append(f"limit: {good} MiB is the smallest that held, {bad} MiB did not or cannot")
    if wanted >= limit_bytes // MIB:
        return Found(tuple(lines), whole=whole)
    reason = f"{good} MiB held in a real run, {bad} MiB did not; 5 % on top"
    before = f"{limit_bytes // MIB}M"
    patch = Patch(path=f"services.{service}.memory", before=before, after=f"{wanted}M", reason=reason)
    return Found(tuple(lines), (patch,), whole)


def candidates(cores: int, workers: int, threads: int) -> tuple[tuple[int, int], ...]:
    """Workers x threads that fill ``cores``, the planned pair first."""
    filling = [(w, cores // w) for w in range(1, cores + 1) if cores % w == 0]
    return ((workers, threads), *(pair for pair in filling if pair != (workers, threads)))


def best_workers(service: str, pairs: Iterable[tuple[int, int]], attempt: Attempt) -> Found:
    """Workers x threads with the most requests a second; the first pair is what is planned now."""
    tried: list[tuple[tuple[int, int], Trial]] = []
    lines: list[str] = []
    whole = True
    for workers, threads in pairs:
        trial = attempt({"workers": workers, "threads": threads})
        if trial is None:
            whole = False
            break
        said = f"{trial.requests_per_s:.3g} requests/s, p95 {trial.p95_s:.3g} s" if trial.good else trial.words
        lines.append(f"workers x threads: {workers} x {threads}: {said}")
        if trial.good:
            tried.append(((workers, threads), trial))
    if not tried:
        return Found((*lines, "workers x threads: nothing held"), whole=whole)
    most = max(trial.requests_per_s for _, trial in tried)
    (workers, threads), best = min(
        ((pair, trial) for pair, trial in tried if BETTER * trial.requests_per_s >= most), key=lambda one: one[0][0]
    )
    lines.append(f"workers x threads: {workers} x {threads} is best (within 5 %, fewer processes win)")
    now, base = tried[0]
    if (workers, threads) == now or best.requests_per_s < base.requests_per_s / BETTER:
        return Found(tuple(lines), whole=whole)
    reason = f"{best.requests_per_s:.3g} requests/s measured, {base.requests_per_s:.3g} with {now[0]} x {now[1]}"
    patches = (
        Patch(path=f"services.{service}.workers", before=str(now[0]), after=workers, reason=reason),
        Patch(path=f"services.{service}.threads", before=str(now[1]), after=threads, reason=reason),
    )
    return Found(tuple(lines), patches, whole)


def largest_batch(model: str, now: int, attempt: Attempt) -> Found:
    """The largest batch that is answered within the limit: doubled until it fails, then bisected."""
    lines: list[str] = []
    good, bad = 0, MOST_BATCH + 1
    size = max(1, now)
    while size < bad and (good == 0 or bad - good > max(1, good // 16)):
        trial = attempt({"batch": size})
        if trial is None:
            return Found((*lines, f"batch: {good or 'none'} so far"), whole=False)
        lines.append(f"batch: {size}: {trial.words}")
        good, bad = (size, bad) if trial.good else (good, size)
        if not good:
            return Found((*lines, "batch: not even the planned one fits"))
        size = min(2 * good, MOST_BATCH) if bad > MOST_BATCH else (good + bad) // 2
    lines.append(f"batch: {good} fits, {bad} does not" if bad <= MOST_BATCH else f"batch: {good} fits")
    if good <= now:
        return Found(tuple(lines))
    reason = f"a request of {good} was answered within the limit, {bad} was not"
    patch = Patch(path=f"models.{model}.max_input.batch", before=str(now), after=good, reason=reason)
    return Found(tuple(lines), (patch,))

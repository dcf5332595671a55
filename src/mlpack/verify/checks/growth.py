"""Does memory grow with the number of requests? Requests of all sizes, again and again, the workers' own memory read
after each round: a leak goes on at its pace, everything else settles."""

from __future__ import annotations

import time
from pathlib import Path

from mlpack.launchers.base import Instance
from mlpack.measure.growth import LEAST_SPANS, SPANS, Series, goes_on, growth, longer, suspicious
from mlpack.meter import smaps
from mlpack.report import Patch
from mlpack.units import show_bytes, show_duration
from mlpack.verify.asking import mixed
from mlpack.verify.run import Answer, Run
from mlpack.verify.seeing import HostEyes, eyes_for
from mlpack.verify.workers import worker_pids

NAME = "growth"
NEEDS = ("load",)
SERIES_S = 3.0
"""What a first look should take: as few spans as can be judged where requests are slow."""
MOST_S = 10.0
"""What a series may take, the second as the longer one: slower requests are not looked at."""
LONGER_S = 30.0
"""What the third series may take, which only a suspected leak is worth."""
MANY_REQUESTS = 100_000
"""A service that reaches its limit within so many requests fails: that is a day at one or two a second."""
USED_SHARE = 0.5
"""Of the room above the peak, what a proposed recycling lets a worker grow by, and a third series at most."""


def check(run: Run) -> Answer:
    """Up to three series at each service that requests reach, a further one only where the last looks like growth."""
    evidence: list[str] = []
    wrong: list[str] = []
    patches: list[Patch] = []
    for instance in {one.service: one for one in reversed(run.instances)}.values():  # one copy of each service
        names = tuple(n for n in mixed(run.plan.spec.requests) if instance.service in run.services_of(n))
        eyes = eyes_for(instance, run.environ)
        if not names or not isinstance(eyes, HostEyes):
            continue
        found = _per_request(run, instance, eyes, names)
        if isinstance(found, str):
            evidence.append(f"{instance.name}: {found}")
        else:
            line, patch = _judged(run, instance, found)
            (evidence if patch is None else wrong).append(line)
            patches += [] if patch is None else [patch]
    if wrong:
        hint = "find what keeps it (a list, a cache without a bound); until then `recycle` replaces workers in time"
        return Answer("failed", wrong[0], (*wrong[1:], *evidence), hint, tuple(patches), "leak")
    return Answer("passed", "memory does not grow with the requests", tuple(evidence))


def _per_request(run: Run, instance: Instance, eyes: HostEyes, names: tuple[str, ...]) -> float | str:
    """Bytes that all workers together keep of one request; in words why that was not looked at."""
    asker = run.asking_at(instance)
    round_s = sum(run.alone_s.get(name, 0.0) for name in names)
    if round_s * LEAST_SPANS > MOST_S and not run.thorough:
        takes = show_duration(round_s * LEAST_SPANS)
        return f"not tried: so many rounds of its requests would take {takes} (--thorough tries it)"
    # a short first look counts as if it went on at its pace: what it finds, a series of full length judges
    fewest = max(LEAST_SPANS, min(SPANS, int(SERIES_S / max(round_s, 1e-3))))
    most = max(LEAST_SPANS, min(SPANS, int(MOST_S / max(round_s, 1e-3))))
    rounds = max(1, min(50, int(SERIES_S / most / max(round_s, 1e-3))))

    def series(spans: int, rounds: int = rounds, most_s: float = MOST_S) -> list[int]:
        readings = []
        until = time.monotonic() + most_s
        for _ in range(spans):
            for _ in range(rounds):
                for name in names:
                    asker.ask(name)
            readings.append(_anonymous(run, instance, eyes))
            if time.monotonic() > until and len(readings) >= LEAST_SPANS:
                break
        return readings

    first = series(fewest)
    kept = 0.0
    if suspicious(first, most):
        run.say(f"{instance.name}: memory grew during {len(first) * rounds * len(names)} requests: looking again")
        kept = growth(first, series(most), rounds * len(names))
    if kept > 0:  # what settles slowly looks like a leak twice, not over many more requests
        last = longer(Series(most, rounds), round_s, len(names), LONGER_S)
        bearable = int(USED_SHARE * _room(run, instance) / kept / (last.spans * len(names)))
        more = min(last.rounds, bearable)
        if more > rounds:  # else the limit is near: no settling is that fast, and one more series would reach it
            run.say(f"{instance.name}: memory grew again: looking at {last.spans * more * len(names)} requests more")
            kept = goes_on(kept, series(last.spans, more, LONGER_S), more * len(names))
    return kept


def _room(run: Run, instance: Instance) -> int:
    """Bytes below the limit that nothing has needed yet; 0 where nobody watched."""
    watch = run.watch(instance)
    limit_bytes = run.service(instance).memory.limit_bytes.value
    return max(0, limit_bytes - watch.peaks().need_bytes) if watch is not None else 0


def _anonymous(run: Run, instance: Instance, eyes: HostEyes) -> int:
    """Anonymous bytes of all workers, without what the engine's health check takes for a moment."""
    service = run.service(instance)
    found = 0
    for pid in worker_pids(service.server, service.workers.value, eyes.processes(), eyes.root):
        try:
            found += smaps.parse_status((Path("/proc") / str(pid) / "status").read_text()).anonymous_bytes
        except (OSError, ValueError):
            continue
    return found


def _judged(run: Run, instance: Instance, kept: float) -> tuple[str, Patch | None]:
    """What to say of ``kept`` bytes a request, and the change where that is too much."""
    service = run.service(instance)
    if kept <= 0 or run.watch(instance) is None:
        return f"{instance.name}: no growth", None
    lasts = int(_room(run, instance) / kept)
    line = f"{instance.name}: keeps {show_bytes(round(kept))} of every request"
    if service.recycle is not None and lasts >= service.workers.value * service.recycle.value:
        return f"{line}; workers are replaced after {service.recycle.value} requests, in time", None
    if service.recycle is None and lasts >= MANY_REQUESTS:
        return f"{line}: its limit would be reached after {lasts} requests", None
    patch = Patch(
        path=f"services.{instance.service}.recycle",
        before=None if service.recycle is None else str(service.recycle.value),
        after=max(1, int(USED_SHARE * lasts / service.workers.value)),
        reason=f"a worker then keeps half of the room that is left at most ({show_bytes(round(kept))} a request)",
    )
    return f"{line}: its limit is reached after {lasts} requests", patch

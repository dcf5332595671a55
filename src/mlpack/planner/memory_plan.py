"""A decided service's memory as the plan states it: both sums row by row, limit, reservation, /dev/shm and /tmp."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from mlpack.plan import Decided, MemoryPlan, Term
from mlpack.planner.decide import whole
from mlpack.planner.memory import (
    SHM_DEFAULT_BYTES,
    TMP_BYTES,
    Need,
    rows,
    tmp_used_bytes,
    uploads_at_once,
)
from mlpack.planner.subject import Choice, Subject
from mlpack.units import ceil_mib, show_mib


def memory_plan(subject: Subject, choice: Choice, sum_: Need, limit: Decided[int]) -> MemoryPlan:
    """The sum as part of the plan, under the limit that was decided."""
    load_rows, serve_rows = rows(subject, choice, "load"), rows(subject, choice, sum_.serving)
    steady = shm_used = 0
    for row in serve_rows:
        steady += row.each * row.times * row.held
        shm_used += row.each * row.times * row.shm
    reservation = min(ceil_mib(steady), limit.value)
    shm = ceil_mib(1.25 * shm_used)
    bodies = uploads_at_once(subject, choice)
    size = max(TMP_BYTES, ceil_mib(1.25 * tmp_used_bytes(subject, choice)))
    return MemoryPlan(
        load_bytes=sum_.load,
        serve_bytes=sum_.serve,
        serve_reloads=sum_.reloads,
        mapped_bytes=sum_.mapped,
        lower_bytes=sum_.lower,
        load_terms=tuple([_term(row.name, row.each, row.times, row.source) for row in load_rows]),
        serve_terms=tuple([_term(row.name, row.each, row.times, row.source) for row in serve_rows]),
        limit_bytes=limit,
        reservation_bytes=whole(
            value=reservation,
            source=subject.footprint.source if not subject.packaged else "default",
            because="what is held between requests: no activations, no load peaks, no health check",
        ),
        shm_bytes=whole(
            value=max(SHM_DEFAULT_BYTES, shm),
            source="calculated",
            because=f"{show_mib(shm_used)} of shared memory in use and a quarter to spare",
        )
        if shm > SHM_DEFAULT_BYTES or (shm and subject.facts.role == "actors")
        else None,
        tmp_bytes=whole(
            value=size,
            source="calculated" if size > TMP_BYTES else "default",
            because="scratch space; only pages in use are charged to the limit"
            + (f", counted for {bodies} uploads at once" if bodies else ""),
        ),
    )


@lru_cache(maxsize=4096)
def _term(name: str, each: int, times: int, source: Literal["default", "estimated", "measured"]) -> Term:
    """A row as a noun. Frozen, so that equal rows (most occur at start-up and while serving) share one."""
    return Term(name=name, each_bytes=each, count=times, source=source)

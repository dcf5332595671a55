"""How much memory a choice needs: the regions of one process times the fork point, and the limit that follows.

The fork table here is the only multiplier of memory in mlpack. Rule and measurements: docs/memory.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from mlpack.footprint import Region, Stage
from mlpack.plan import Decided, ForkPoint, MemoryPlan, Term
from mlpack.planner.decide import whole
from mlpack.planner.subject import Choice, Subject
from mlpack.units import MIB, ceil_mib, show_mib

FORKED_ONCE: dict[ForkPoint, frozenset[Stage]] = {
    "never": frozenset(),
    "before-import": frozenset(),
    "after-import": frozenset({"import"}),
    "after-load": frozenset({"import", "load"}),
}
"""The stages that happen before the fork: their anonymous memory exists once, plus what each child unshares."""

PEAK_FACTOR, MAPPED_FACTOR = 1.05, 0.10
"""limit = 1.05 * max(load, serve) + 0.10 * mapped: 1.05-1.31 of the latency boundary of ten services, never under."""
KERNEL_PER_PROCESS_BYTES = 5 * MIB // 2
"""Page tables, stacks and socket buffers of one more process; measured."""
BARE_PYTHON_BYTES = 4 * MIB
"""Anonymous memory of an interpreter that imported nothing; measured. A master holds this and its server's own."""
UNSHARED_BYTES = 28 * MIB
"""What a forked child unshares: the largest of torch 28, ONNX Runtime 20, scikit-learn 11 (measured)."""
HEALTH_CHECK_BYTES = 19 * MIB
"""A bare Python that asks one URL runs inside the limit while the service is busy; measured."""
TMP_BYTES = 64 * MIB
"""Size of the tmpfs on /tmp; a full one is an error that the app can answer, not a kill."""
TMP_USED_BYTES = MIB
"""Of it, what sockets, heartbeat files and lock files take. Only pages in use are charged to the limit."""
CONNECTION_BYTES = 40 * 1024
"""A proxied connection: two sockets, TLS state and nginx's default buffers (4 x 8 KiB and headers); arithmetic."""
SHM_DEFAULT_BYTES = 64 * MIB
"""/dev/shm of a container that asks for nothing."""
UPLOADS_AT_ONCE = 8
"""Largest uploads held in /tmp at once by one replica, where neither load nor verification says how many come."""

When = Literal["load", "serve", "reload"]


class Row(NamedTuple):
    """A row of the sum, light enough to be worked out for every candidate."""

    name: str
    each: int
    lower: int
    times: int
    source: Literal["default", "estimated", "measured"]
    held: bool = True
    """Held between requests, so that it belongs to the reservation."""
    shm: bool = False


class Need(NamedTuple):
    """What one replica needs: rows at start-up and while serving, in bytes, without and with headroom."""

    load_rows: tuple[Row, ...]
    serve_rows: tuple[Row, ...]
    load: int
    serve: int
    lower: int
    mapped: int
    limit: int
    reloads: bool = False
    """The serving peak is that of one worker loading again while the others serve."""


def fork_point(subject: Subject, choice: Choice) -> ForkPoint:
    """Where the workers part under ``choice``; one process that forks nothing is ``never``."""
    if choice.preload and subject.facts.preload_fork_point:
        return subject.facts.preload_fork_point
    return subject.facts.fork_point


def has_master(subject: Subject, choice: Choice) -> bool:
    """A process beside the workers. A spawning supervisor exists only when there is more than one worker.

    Programs without an app of the project are packaged whole, masters and all; so is Ray's head.
    """
    if not subject.facts.has_master or subject.facts.role not in ("app", "worker"):
        return False
    return choice.workers > 1 or subject.reload or subject.facts.role != "app" or subject.facts.fork_point != "never"


def uploads_at_once(subject: Subject, choice: Choice) -> int:
    """Request bodies that lie in /tmp at once in one replica: what comes, bounded by what is let in."""
    if not subject.service.max_body_bytes or subject.facts.role != "app":
        return 0
    expected = subject.expected_concurrency or UPLOADS_AT_ONCE * choice.replicas
    return min(choice.workers * choice.concurrency, -(-expected // choice.replicas))


def tmp_used_bytes(subject: Subject, choice: Choice) -> int:
    """Pages of /tmp that are in use: bodies above about 1 MB are spooled there by every Python web framework."""
    return TMP_USED_BYTES + uploads_at_once(subject, choice) * (subject.service.max_body_bytes or 0)


def need(subject: Subject, choice: Choice) -> Need:
    """The whole sum for one replica under ``choice``; bytes."""
    load = tuple(_rows(subject, choice, "load"))
    serve = tuple(_rows(subject, choice, "serve"))
    loading, serving = total(load), total(serve)
    reloads = False
    if choice.workers > 1 and "load" not in FORKED_ONCE[fork_point(subject, choice)]:
        reload = tuple(_rows(subject, choice, "reload"))
        reloading = total(reload)
        if reloading > serving:
            serve, serving, reloads = reload, reloading, True
    mapped = sum(r.bytes for r in subject.footprint.regions if r.kind == "mapped")
    limit = ceil_mib(round(PEAK_FACTOR * max(loading, serving) + MAPPED_FACTOR * mapped))
    return Need(load, serve, loading, serving, max(lower(load), lower(serve)), mapped, limit, reloads)


def total(rows: Iterable[Row]) -> int:
    """Bytes of all rows."""
    return sum([row.each * row.times for row in rows])


def lower(rows: Iterable[Row]) -> int:
    """Bytes that the rows surely need."""
    return sum([row.lower * row.times for row in rows])


def memory_plan(subject: Subject, choice: Choice, sum_: Need, limit: Decided[int]) -> MemoryPlan:
    """The sum as part of the plan, under the limit that was decided."""
    steady = total(row for row in sum_.serve_rows if row.held)
    reservation = min(ceil_mib(steady), limit.value)
    shm_used = total(row for row in sum_.serve_rows if row.shm)
    shm = ceil_mib(1.25 * shm_used)
    bodies = uploads_at_once(subject, choice)
    size = max(TMP_BYTES, ceil_mib(1.25 * tmp_used_bytes(subject, choice)))
    return MemoryPlan(
        load_bytes=sum_.load,
        serve_bytes=sum_.serve,
        serve_reloads=sum_.reloads,
        mapped_bytes=sum_.mapped,
        lower_bytes=sum_.lower,
        load_terms=tuple(_term(row) for row in sum_.load_rows),
        serve_terms=tuple(_term(row) for row in sum_.serve_rows),
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


@dataclass(frozen=True)
class _Moment:
    """How many workers exist, load and serve at one moment, and which stages happened once, before the fork."""

    once: frozenset[Stage]
    workers: int
    loading: int
    serving: int
    concurrency: int

    @staticmethod
    def of(choice: Choice, fork: ForkPoint, when: When) -> _Moment:
        """``load``: all at once, or the last in turn while the others serve already. ``reload``: one worker loads again
        while the others serve. Else all serve."""
        once, workers = FORKED_ONCE[fork], choice.workers
        if "load" in once:  # the master alone loads, and no worker ever loads again
            return _Moment(once, *((0, 1, 0) if when == "load" else (workers, 0, workers)), choice.concurrency)
        one = (1, workers - 1)
        loading, serving = {"load": one if choice.in_turn else (workers, 0), "serve": (0, workers), "reload": one}[when]
        return _Moment(once, workers, loading, serving, choice.concurrency)

    def count(self, region: Region) -> int:
        """How many times ``region`` exists at this moment in one container."""
        if region.kind == "gpu" or (region.kind == "mapped" and region.stage == "serve" and not self.serving):
            return 0
        if region.per == "moment":
            return self.serving if region.stage == "serve" else self.loading
        if region.per == "request":
            return self.serving * self.concurrency
        if region.kind in ("mapped", "shm", "kernel"):
            return 1  # pages of a file, or shared on purpose: once per container. Kernel: see KERNEL_PER_PROCESS_BYTES
        if region.stage == "serve":
            return self.serving
        return 1 if region.stage in self.once else self.workers


def _rows(subject: Subject, choice: Choice, when: When) -> Iterable[Row]:
    """The rows of the sum at one moment."""
    moment = _Moment.of(choice, fork_point(subject, choice), when)
    regions, master = subject.footprint.regions, has_master(subject, choice)
    if master and not moment.once:
        own = BARE_PYTHON_BYTES + subject.facts.anonymous_bytes
        yield Row(f"{subject.facts.name} master", own, own, 1, "default")
    for region in regions:
        count = moment.count(region)
        if count and region.bytes:
            least = min(region.lower_bytes, region.bytes)
            held, shm = region.per == "process", region.kind == "shm"
            yield Row(region.name, region.bytes, least, count, region.source, held, shm)
    if moment.once and moment.workers:
        each = _unshared_bytes(subject, moment.once)
        yield Row("copied on write", each, 0, moment.workers, _unshared_source(subject))
    further = moment.workers + int(master) - int(any(region.kind == "kernel" for region in regions))
    if further > 0:
        yield Row("kernel, further processes", KERNEL_PER_PROCESS_BYTES, KERNEL_PER_PROCESS_BYTES, further, "default")
    if subject.facts.role == "proxy" and moment.serving:
        yield Row("connections", CONNECTION_BYTES, 0, choice.concurrency, "default", held=False)
    if subject.facts.health_argv or subject.health_path:
        yield Row("health check", HEALTH_CHECK_BYTES, 0, 1, "default", held=False)
    yield Row("files in /tmp", tmp_used_bytes(subject, choice), 0, 1, "default", held=False)


def _unshared_source(subject: Subject) -> Literal["default", "measured"]:
    return "default" if subject.footprint.unshared_bytes is None else "measured"


def _unshared_bytes(subject: Subject, once: frozenset[Stage]) -> int:
    """What each forked child copies: measured, else the runtime's measured number; never more than was shared."""
    known = [runtime.unshared_bytes for runtime in subject.runtimes if runtime.unshared_bytes is not None]
    guess = max(known) if known and len(known) == len(subject.runtimes) else UNSHARED_BYTES
    bytes_ = subject.footprint.unshared_bytes if subject.footprint.unshared_bytes is not None else guess
    return min(bytes_, subject.footprint.sum_bytes("anonymous", *sorted(once)))


@lru_cache(maxsize=4096)
def _term(row: Row) -> Term:
    """``row`` as a noun. Frozen, so that equal rows (most occur at start-up and while serving) share one."""
    return Term(name=row.name, each_bytes=row.each, count=row.times, source=row.source)

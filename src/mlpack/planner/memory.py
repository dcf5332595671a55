"""How much memory a choice needs: the regions of one process, multiplied by moments.py, and the limit that follows.

Totals are worked out for every candidate, rows only for the one that is taken or refused; both by the same counts.
Rule and measurements: docs/memory.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import mul
from typing import Literal, NamedTuple

from mlpack.estimate.limit import limit_bytes
from mlpack.footprint import Stage
from mlpack.planner.moments import FORKED_ONCE, Counts, Moment, When, fork_point, has_master, moment, multiplicity
from mlpack.planner.subject import Choice, Subject
from mlpack.servers.base import BODY_BUFFER_BYTES
from mlpack.units import MIB

KERNEL_PER_PROCESS_BYTES = 5 * MIB // 2
"""Page tables, stacks and socket buffers of one more process; measured."""
UNSHARED_BYTES = 28 * MIB
"""What a forked child unshares: the largest of torch 28, ONNX Runtime 20, scikit-learn 11 (measured)."""
HEALTH_CHECK_BYTES = 10 * MIB
"""A bare Python that asks one URL, inside the limit while the service is busy: 7.7 anonymous and 2.5 for the kernel,
measured; the 10 MiB that it maps are the workers' own interpreter."""
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


HEALTH_CHECK = Row("health check", HEALTH_CHECK_BYTES, 0, 1, "default", held=False)
TMP_FILES = Row("files in /tmp", TMP_USED_BYTES, 0, 1, "default", held=False)


class Need(NamedTuple):
    """What one replica needs at start-up and while serving, in bytes, without and with headroom."""

    load: int
    serve: int
    lower: int
    mapped: int
    limit: int
    reloads: bool = False
    """The serving peak is that of one worker loading again while the others serve."""

    @property
    def serving(self) -> When:
        """The moment of the serving peak."""
        return "reload" if self.reloads else "serve"


class Sums(NamedTuple):
    """All regions of one process, summed by multiplicity: what they take, and what they surely need."""

    bytes: Counts
    lower: Counts
    mapped: int


def sums(subject: Subject) -> Sums:
    """The footprint's regions, added up once for all candidates."""
    found, least = dict.fromkeys(Counts._fields, 0), dict.fromkeys(Counts._fields, 0)
    mapped = 0
    for region in subject.footprint.regions:
        name = multiplicity(region)
        if name is not None:
            found[name] += region.bytes
            least[name] += min(region.lower_bytes, region.bytes)
        if region.kind == "mapped":
            mapped += region.bytes
    bytes_ = Counts(**found)
    return Sums(bytes_, bytes_ if least == found else Counts(**least), mapped)


def need(subject: Subject, choice: Choice, known: Sums | None = None) -> Need:
    """The whole sum for one replica under ``choice``; bytes. ``known``: ``sums(subject)``, where there are many."""
    all_ = known or sums(subject)
    fork = fork_point(subject, choice)
    (start, at_start), (work, at_work) = moment(choice, fork, "load"), moment(choice, fork, "serve")
    beside = _added(_beside(subject, choice, work))
    alike = start.workers == work.workers and subject.facts.role != "proxy"
    loading, surely_loading = _total(at_start, all_, beside if alike else _added(_beside(subject, choice, start)))
    serving, surely = _total(at_work, all_, beside)
    reloads = False
    if choice.workers > 1 and fork != "after-load":
        reloading, surely_reloading = _total(moment(choice, fork, "reload")[1], all_, beside)
        if reloading > serving:
            serving, surely, reloads = reloading, surely_reloading, True
    limit = limit_bytes(loading, serving, all_.mapped)
    return Need(loading, serving, max(surely_loading, surely), all_.mapped, limit, reloads)


def _total(counts: Counts, all_: Sums, beside: tuple[int, int]) -> tuple[int, int]:
    """Bytes at one moment, and those that are surely needed; ``beside``: the same two of what is not the app's."""
    bytes_ = sum(map(mul, counts, all_.bytes))
    lower = bytes_ if all_.lower is all_.bytes else sum(map(mul, counts, all_.lower))
    return bytes_ + beside[0], lower + beside[1]


def _added(rows_: Iterable[Row]) -> tuple[int, int]:
    bytes_ = lower = 0
    for _, each, least, times, *_ in rows_:
        bytes_ += each * times
        lower += least * times
    return bytes_, lower


def uploads_at_once(subject: Subject, choice: Choice) -> int:
    """Request bodies that lie in /tmp at once in one replica: what comes, bounded by what is let in."""
    if not _body_bytes(subject):
        return 0
    expected = subject.expected_concurrency or UPLOADS_AT_ONCE * choice.replicas
    return min(choice.workers * choice.concurrency, -(-expected // choice.replicas))


def tmp_used_bytes(subject: Subject, choice: Choice) -> int:
    """Pages of /tmp that are in use: bodies above about 1 MB are spooled there by every Python web framework."""
    return TMP_USED_BYTES + uploads_at_once(subject, choice) * _body_bytes(subject)


def _body_bytes(subject: Subject) -> int:
    """The largest body that lies in /tmp: an app's upload, or what a proxy keeps to ask again; 0: none does."""
    return (subject.service.max_body_bytes or 0) if subject.facts.role == "app" else subject.kept_body_bytes


def rows(subject: Subject, choice: Choice, when: When) -> tuple[Row, ...]:
    """The sum at one moment row by row: every region, and what is beside the app."""
    now, counts = moment(choice, fork_point(subject, choice), when)
    found = []
    for region in subject.footprint.regions:
        name = multiplicity(region)
        count = getattr(counts, name) if name is not None else 0
        if count and region.bytes:
            least = min(region.lower_bytes, region.bytes)
            held, shm = region.per == "process", region.kind == "shm"
            found.append(Row(region.name, region.bytes, least, count, region.source, held, shm))
    beside = _beside(subject, choice, now)
    first = int(bool(beside) and beside[0].name.endswith(" master"))
    return (*beside[:first], *found, *beside[first:])


def total(rows_: Iterable[Row]) -> int:
    """Bytes of all rows."""
    return sum([row.each * row.times for row in rows_])


def _beside(subject: Subject, choice: Choice, now: Moment) -> list[Row]:
    """What is in the container beside the regions of the app's processes; a master first."""
    master = has_master(subject, choice)
    found = []
    if master and now.once == FORKED_ONCE[subject.facts.fork_point]:  # preloaded, all that it holds is the app's
        own = subject.facts.master_bytes
        found.append(Row(f"{subject.facts.name} master", own, own, 1, "default"))
    if subject.facts.one_process and subject.footprint.source == "measured":  # by a call, without the program around it
        own = subject.facts.master_bytes
        found.append(Row(f"{subject.facts.name} at work", own, own, 1, "default"))
    if now.once and now.workers:
        each = _unshared_bytes(subject, now.once)
        found.append(Row("copied on write", each, 0, now.workers, _unshared_source(subject)))
    if "load" in now.once and now.workers and subject.read_around_bytes:
        each = subject.read_around_bytes
        found.append(Row("read around first pages", each, 0, now.workers, "default", held=False))
    further = now.workers + int(master) - int(subject.kernel_measured)
    if further > 0:
        each = KERNEL_PER_PROCESS_BYTES
        found.append(Row("kernel, further processes", each, each, further, "default"))
    if subject.facts.role == "proxy" and now.serving:
        each = CONNECTION_BYTES + (2 * BODY_BUFFER_BYTES if subject.kept_body_bytes else 0)
        found.append(Row("connections", each, 0, choice.concurrency, "default", held=False))
    if subject.joining:
        found.append(Row("clients joining", subject.facts.client_bytes, 0, subject.joining, "default", held=False))
    if subject.checked:
        found.append(HEALTH_CHECK)
    uploads = uploads_at_once(subject, choice)
    found.append(TMP_FILES._replace(each=tmp_used_bytes(subject, choice)) if uploads else TMP_FILES)
    return found


def _unshared_source(subject: Subject) -> Literal["default", "measured"]:
    return "default" if subject.footprint.unshared_bytes is None else "measured"


def _unshared_bytes(subject: Subject, once: frozenset[Stage]) -> int:
    """What each forked child copies: measured, else the runtime's measured number; never more than was shared."""
    bytes_ = subject.footprint.unshared_bytes
    if bytes_ is None:
        known = [runtime.unshared_bytes for runtime in subject.runtimes if runtime.unshared_bytes is not None]
        bytes_ = max(known) if known and len(known) == len(subject.runtimes) else UNSHARED_BYTES
    held = subject.anonymous_bytes
    return min(bytes_, held["import"] + (held["load"] if "load" in once else 0))

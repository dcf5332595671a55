"""Watches the memory of one running copy of a service, from start to end, and adds it up for the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.launchers.base import Instance, State
from mlpack.meter.cgroup import CgroupDirs, Counters, read_counters
from mlpack.meter.sampler import Peaks, Sampler
from mlpack.meter.sources import Quick, cgroup_source, mapped_source, process_source
from mlpack.meter.totals import totals
from mlpack.plan import ServicePlan
from mlpack.report import MemorySample, ServiceMeasurement
from mlpack.verify.container_counters import container_counters
from mlpack.verify.seeing import ContainerEyes, HostEyes

TIMELINE = 240
"""Samples kept for the report: as many as a page can show."""
MAPPED_EVERY_S = 0.5
"""Mapped pages stay once they are used; a walk of all page tables costs what the workers could use."""
REMOTE_EVERY_S = 1.0
"""Looking into a container from outside starts a process there: not more often than this."""


@dataclass
class Watch:
    """The watch over one instance. ``how`` says in words how its memory is read."""

    instance: Instance
    sampler: Sampler
    read: Callable[[], Counters | None]
    how: str
    own_group: bool
    """The counters are the service's alone; else refaults and kills are not known."""
    before_load: Counters | None = None
    after_load: Counters | None = None
    mapped_after_load: int = 0
    load_began_s: float | None = None
    load_ended_s: float | None = None
    """On the samples' clock."""
    last: Counters | None = None
    """The latest counters: they outlive the group."""
    killed_before: int = 0
    """For memory, in groups of this name that are gone: a container that is started again gets a new one."""

    def counters(self) -> Counters | None:
        """The counters now, or None where there are none (any more)."""
        now = self.read()
        if now is not None:
            if self.last is not None and now.oom_kills < self.last.oom_kills:
                self.killed_before += self.last.oom_kills
            self.last = now
        return now

    def oom_kills(self, state: State | None = None) -> int:
        """Processes killed for memory so far, by the group's count, else by what the keeper noticed (``state``, where
        it was just asked: each question is a process)."""
        self.counters()
        counted = self.killed_before + (self.last.oom_kills if self.last is not None else 0)
        return max(counted, int((state or self.instance.state()).oom_killed))

    def peaks(self) -> Peaks:
        """The highest of each kind so far."""
        return self.sampler.peaks

    def load_refault_bytes(self) -> int | None:
        """File bytes read back from disk during the load; None where not counted."""
        first, last = self.before_load, self.after_load
        if first is None or last is None or first.refault_bytes is None or last.refault_bytes is None:
            return None
        return last.refault_bytes - first.refault_bytes

    def uncharged_bytes(self) -> int | None:
        """Mapped file bytes that were not charged to this service, because another cached them first; None: unknown.

        A limit that held while they were elsewhere may not hold after a reboot. As of the load's end.
        """
        if self.after_load is None or not self.own_group:
            return None
        return max(0, self.mapped_after_load - self.after_load.file_mapped_bytes)

    def mark_load_start(self) -> None:
        """Note the counters before the load."""
        self.before_load = self.counters()
        self.load_began_s = round(self.sampler.elapsed_s, 3)

    def mark_load_end(self) -> None:
        """Note the counters after the load."""
        self.after_load = self.counters()
        self.load_ended_s = round(self.sampler.elapsed_s, 3)
        self.mapped_after_load = self.sampler.samples[-1].mapped_bytes if self.sampler.samples else 0

    def measurement(self, service: ServicePlan, requests: int) -> ServiceMeasurement:
        """All of it, for the report. ``requests``: how many were sent during the load."""
        peaks = self.peaks()
        return ServiceMeasurement(
            service=self.instance.service,
            instance=self.instance.name,
            limit_bytes=service.memory.limit_bytes.value,
            predicted_bytes=service.memory.peak_bytes,
            peak_need_bytes=peaks.need_bytes,
            peak_anonymous_bytes=peaks.anonymous_bytes,
            peak_mapped_bytes=peaks.mapped_bytes,
            peak_kernel_bytes=peaks.kernel_bytes,
            oom_kills=self.oom_kills(),
            refault_bytes=self.load_refault_bytes(),
            requests=requests,
            throttled_s=None if self.last is None else self.last.throttled_s,
            samples=thinned(self.sampler.samples, TIMELINE),
            load_span_s=_span(self.load_began_s, self.load_ended_s),
        )


def begin(instance: Instance, eyes: HostEyes | ContainerEyes) -> Watch:
    """Start to watch ``instance``; ``watch.sampler`` runs until it is closed."""
    watch = _host_watch(instance, eyes) if isinstance(eyes, HostEyes) else _container_watch(instance, eyes)
    watch.sampler.__enter__()
    return watch


def thinned(samples: Sequence[MemorySample], most: int) -> tuple[MemorySample, ...]:
    """At most ``most`` samples: of each span of time the one with the highest need, so that no peak is lost."""
    if len(samples) <= most:
        return tuple(samples)
    end_s = samples[-1].at_s or 1.0
    best: dict[int, MemorySample] = {}
    for sample in samples:
        span = min(most - 1, int(sample.at_s / end_s * most))
        if span not in best or sample.need_bytes > best[span].need_bytes:
            best[span] = sample
    return tuple(best[span] for span in sorted(best))


def _host_watch(instance: Instance, eyes: HostEyes) -> Watch:
    proc, group = Path("/proc"), eyes.group
    every_s = MAPPED_EVERY_S
    mapped = mapped_source(proc, eyes.pids)
    if group is None:
        quick = process_source(proc, eyes.pids)
        how = "memory read from the processes alone: they share a control group with others"
        return Watch(instance, Sampler(quick, mapped, mapped_every_s=every_s), lambda: None, how, own_group=False)
    return Watch(
        instance,
        Sampler(cgroup_source(group), mapped, mapped_every_s=every_s),
        _reader(group),
        f"memory read from its own control group (v{group.version}) and smaps",
        own_group=True,
    )


def _container_watch(instance: Instance, eyes: ContainerEyes) -> Watch:
    assert instance.container is not None

    def read() -> Counters | None:
        return container_counters(instance.container or "", eyes.environment)

    def quick() -> Quick | None:
        counters = read()
        if counters is None:
            return None
        return Quick(counters.anonymous_bytes, counters.kernel_bytes or 0, counters.shm_bytes)

    def mapped() -> int | None:
        try:
            return totals(eyes.readings()).mapped_bytes
        except (MlpackError, ValueError):
            return None

    sampler = Sampler(quick, mapped, every_s=REMOTE_EVERY_S, mapped_every_s=5 * REMOTE_EVERY_S)
    how = (
        "memory read by `docker exec`, as the engine is elsewhere: once a second, so that short peaks may be missing, "
        "and the reading itself is charged to the container (about 10 MiB)"
    )
    return Watch(instance, sampler, read, how, own_group=True)


def _span(from_s: float | None, to_s: float | None) -> tuple[float, float] | None:
    return None if from_s is None or to_s is None else (from_s, to_s)


def _reader(group: CgroupDirs) -> Callable[[], Counters | None]:
    def read() -> Counters | None:
        try:
            return read_counters(group)
        except MlpackError:
            return None  # it went with its last process

    return read

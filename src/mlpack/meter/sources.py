"""What a sampler asks again and again: cheap readings of a control group or of processes, and the dear mapped bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlpack.errors import MlpackError
from mlpack.meter import smaps
from mlpack.meter.cgroup import CgroupDirs, read_counters
from mlpack.meter.snapshot import all_pids, read_process, snapshot
from mlpack.meter.totals import totals

KERNEL_STACK_BYTES = 16 * 1024
"""Per thread on x86-64 and arm64 (THREAD_SIZE)."""
KERNEL_TASK_BYTES = 24 * 1024
"""task_struct, signal and file tables, sockets and the like per thread; measured 14-22 KiB, Linux 6.18."""


class Quick(NamedTuple):
    """A reading cheap enough for every few milliseconds. Bytes."""

    anonymous_bytes: int
    kernel_bytes: int
    shm_bytes: int


QuickSource = Callable[[], Quick | None]
"""None: nothing to read now (not started yet, or already gone)."""
MappedSource = Callable[[], int | None]
Pids = Callable[[], tuple[int, ...]]


def cgroup_source(dirs: CgroupDirs) -> QuickSource:
    """Anonymous, kernel and shared memory from the group's own counters: all its processes, each page once."""

    def read() -> Quick | None:
        try:
            counters = read_counters(dirs)
        except MlpackError:
            return None
        return Quick(counters.anonymous_bytes, counters.kernel_bytes or 0, counters.shm_bytes)

    return read


def process_source(proc: Path, pids: Pids) -> QuickSource:
    """The same from /proc alone. One process costs a look at its status; several share pages after a fork, so that
    their page tables are walked (smaps_rollup). Kernel memory is page tables, stacks and tasks: a lower bound."""

    def read() -> Quick | None:
        statuses = {pid: status for pid in pids() if (status := _status(proc, pid)) is not None}
        if not statuses:
            return None
        anonymous = sum(status.anonymous_bytes for status in statuses.values())
        shm = max(status.shm_bytes for status in statuses.values())
        if len(statuses) > 1:
            anonymous = sum(_share(proc, pid, status) for pid, status in statuses.items())
        return Quick(anonymous, sum(kernel_bytes(status) for status in statuses.values()), shm)

    return read


def mapped_source(proc: Path, pids: Pids) -> MappedSource:
    """Mapped file bytes of the processes, each file once; walks every page table (tens of milliseconds)."""

    def read() -> int | None:
        processes = snapshot(proc, pids())
        return totals(processes).mapped_bytes if processes else None

    return read


def tree(proc: Path, root: int) -> tuple[int, ...]:
    """``root`` and all processes that descend from it, sorted."""
    parents = {pid: status.ppid for pid in all_pids(proc) if (status := _status(proc, pid)) is not None}
    found = {root} & parents.keys()
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        grown = bool(more)
        found |= more
    return tuple(sorted(found))


def kernel_bytes(status: smaps.Status) -> int:
    """Kernel memory that belongs to one process as far as /proc tells: page tables, thread stacks, task structures."""
    return status.page_table_bytes + status.threads * (KERNEL_STACK_BYTES + KERNEL_TASK_BYTES)


def _status(proc: Path, pid: int) -> smaps.Status | None:
    try:
        return smaps.parse_status((proc / str(pid) / "status").read_text(errors="replace"))
    except (OSError, ValueError):
        return None


def _share(proc: Path, pid: int, status: smaps.Status) -> int:
    try:
        rollup = smaps.parse_rollup((proc / str(pid) / "smaps_rollup").read_text())
    except (OSError, KeyError):
        reading = read_process(proc, pid)  # no rollup on this kernel, or it has just ended
        return reading.anonymous_bytes if reading else 0
    return status.anonymous_bytes if rollup.pss_anonymous_bytes is None else rollup.pss_anonymous_bytes

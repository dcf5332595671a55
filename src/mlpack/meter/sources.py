"""What a sampler asks again and again: cheap readings of a control group or of processes, and the dear mapped bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mlpack.errors import MlpackError
from mlpack.meter import smaps
from mlpack.meter.cgroup import CgroupDirs, read_counters
from mlpack.meter.snapshot import all_pids, snapshot
from mlpack.meter.totals import totals

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
KERNEL_STACK_BYTES = 16 * 1024
"""Per thread on x86-64 and arm64 (THREAD_SIZE)."""
KERNEL_TASK_BYTES = 24 * 1024
"""task_struct, signal and file tables, sockets and the like per thread; measured 14-22 KiB, Linux 6.18."""

SHARED_EVERY_S = 0.25
SAME_MAPPED_BYTES = 1024 * 1024
"""Mapped pages stay once they are used: while no process's file pages moved by more, the last walk's sum stands."""


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
    """The same from /proc alone. Kernel memory is page tables, stacks and tasks: a lower bound.

    The cheap status of each process counts pages shared after a fork in each. How much that is, only a walk of the
    page tables tells (smaps_rollup); it is done when processes came or went, and every ``SHARED_EVERY_S``.
    """
    known: tuple[int, ...] = ()
    looked_s = shared_bytes = 0.0

    def read() -> Quick | None:
        nonlocal known, looked_s, shared_bytes
        statuses = {pid: status for pid in pids() if (status := _status(proc, pid)) is not None}
        if not statuses:
            return None
        now_s = time.monotonic()
        if tuple(statuses) != known or now_s > looked_s + SHARED_EVERY_S:
            known, looked_s = tuple(statuses), now_s
            shared_bytes = sum(_counted_elsewhere(proc, pid) for pid in known) if len(known) > 1 else 0
        anonymous = sum(status.anonymous_bytes for status in statuses.values()) - int(shared_bytes)
        shm = max(status.shm_bytes for status in statuses.values())
        return Quick(max(0, anonymous), sum(kernel_bytes(status) for status in statuses.values()), shm)

    return read


def mapped_source(proc: Path, pids: Pids) -> MappedSource:
    """Mapped file bytes of the processes, each file once.

    That takes a walk of every page table (tens of milliseconds): it is made when processes came or went, or the
    kernel's own count of one's file pages moved by more than ``SAME_MAPPED_BYTES``.
    """
    counted: dict[int, int] = {}
    last: int | None = None

    def read() -> int | None:
        nonlocal counted, last
        found = {pid: file_bytes for pid in pids() if (file_bytes := _file_bytes(proc, pid)) is not None}
        same = found.keys() == counted.keys() and all(
            abs(file_bytes - counted[pid]) <= SAME_MAPPED_BYTES for pid, file_bytes in found.items()
        )
        if last is None or not same:
            processes = snapshot(proc, found)
            last, counted = (totals(processes).mapped_bytes if processes else None), found
        return last

    return read


def _file_bytes(proc: Path, pid: int) -> int | None:
    """Resident file and shared pages of ``pid`` in bytes (the third number of statm); None: it is gone."""
    try:
        return int((proc / str(pid) / "statm").read_text().split()[2]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


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


def _counted_elsewhere(proc: Path, pid: int) -> int:
    """Anonymous bytes of ``pid`` that belong to the share of other processes."""
    try:
        rollup = smaps.parse_rollup((proc / str(pid) / "smaps_rollup").read_text())
    except (OSError, KeyError):
        return 0  # no rollup on this kernel, or it has just ended
    share = rollup.pss_anonymous_bytes
    return 0 if share is None else rollup.anonymous_bytes - share

"""Reads the counters of one control group: what it uses, what was read back from disk, what was killed. v1 and v2.

Counters include those of the groups below. ``usage`` counts page cache and is never what is needed; ``anonymous`` is
what cannot be dropped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mlpack.errors import MlpackError

_UNLIMITED_BYTES = 2**60
"""v1 says "no limit" as 2^63 less a page; anything beyond an exbibyte is that."""


@dataclass(frozen=True)
class CgroupDirs:
    """The folders that hold a group's memory and CPU counters (one and the same in v2). ``cpu`` may be absent."""

    version: Literal[1, 2]
    memory: Path
    cpu: Path | None


@dataclass(frozen=True)
class Counters:
    """A group's counters in bytes and seconds; None where this kernel has no such counter."""

    usage_bytes: int
    """Everything charged, page cache included."""
    anonymous_bytes: int
    file_mapped_bytes: int
    """Mapped pages *charged here*; pages that another group touched first are missing: see ``meter.totals``."""
    kernel_bytes: int | None
    shm_bytes: int
    refault_bytes: int | None
    """File pages that were dropped and read again since the group was made: thrashing, if it grows."""
    oom_kills: int
    throttled_s: float | None
    limit_bytes: int | None
    periods: int | None = None
    """Of the CPU quota, in which the group ran at all."""
    throttled_periods: int | None = None
    """Of them, in which it had used its quota up before the end."""


def read_counters(dirs: CgroupDirs) -> Counters:
    """The counters now. Raises MlpackError when the group is gone or is not ours to read."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    try:
        stat = (dirs.memory / "memory.stat").read_text()
        if dirs.version == 2:
            return parse_v2(
                stat=stat,
                current=(dirs.memory / "memory.current").read_text(),
                events=(dirs.memory / "memory.events").read_text(),
                limit=(dirs.memory / "memory.max").read_text(),
                cpu=_optional(dirs.cpu),
                page_bytes=page_bytes,
            )
        return parse_v1(
            stat=stat,
            usage=(dirs.memory / "memory.usage_in_bytes").read_text(),
            kmem=_kmem(dirs.memory),
            oom=(dirs.memory / "memory.oom_control").read_text(),
            limit=(dirs.memory / "memory.limit_in_bytes").read_text(),
            cpu=_optional(dirs.cpu),
            page_bytes=page_bytes,
        )
    except OSError as error:
        raise MlpackError(
            f"control group cannot be read: {error.strerror}", where=str(error.filename or dirs.memory)
        ) from error


def parse_v1(*, stat: str, usage: str, kmem: str, oom: str, limit: str, cpu: str, page_bytes: int) -> Counters:
    """v1: ``memory.stat`` (its ``total_`` fields include groups below), ``memory.kmem.usage_in_bytes``,
    ``memory.oom_control`` and ``cpu.stat``. ``rss`` holds no shared memory. Source: kernel, cgroup-v1/memory.rst."""
    memory, limit_bytes = _pairs(stat), int(limit)
    refaults = memory.get("total_workingset_refault_file", memory.get("total_workingset_refault"))  # renamed in 5.9
    quota = _pairs(cpu)
    throttled_ns = quota.get("throttled_time")
    return Counters(
        usage_bytes=int(usage),
        anonymous_bytes=memory["total_rss"],
        file_mapped_bytes=memory["total_mapped_file"],
        kernel_bytes=int(kmem) if kmem else None,
        shm_bytes=memory.get("total_shmem", 0),
        refault_bytes=None if refaults is None else refaults * page_bytes,
        oom_kills=_pairs(oom).get("oom_kill", 0),
        throttled_s=None if throttled_ns is None else throttled_ns / 1e9,
        limit_bytes=None if limit_bytes > _UNLIMITED_BYTES else limit_bytes,
        periods=quota.get("nr_periods"),
        throttled_periods=quota.get("nr_throttled"),
    )


def parse_v2(*, stat: str, current: str, events: str, limit: str, cpu: str, page_bytes: int) -> Counters:
    """v2: ``memory.stat``, ``memory.current``, ``memory.events`` and ``cpu.stat``. ``kernel`` came with Linux 5.18;
    before, its parts are summed. Source: kernel, cgroup-v2.rst."""
    memory = _pairs(stat)
    parts = [memory[name] for name in ("slab", "kernel_stack", "pagetables", "percpu", "sock") if name in memory]
    refaults = memory.get("workingset_refault_file", memory.get("workingset_refault"))
    quota = _pairs(cpu)
    throttled_us = quota.get("throttled_usec")
    return Counters(
        usage_bytes=int(current),
        anonymous_bytes=memory["anon"],
        file_mapped_bytes=memory["file_mapped"] - memory.get("shmem_mapped", 0),
        kernel_bytes=memory.get("kernel", sum(parts) if parts else None),
        shm_bytes=memory.get("shmem", 0),
        refault_bytes=None if refaults is None else refaults * page_bytes,
        oom_kills=_pairs(events).get("oom_kill", 0),
        throttled_s=None if throttled_us is None else throttled_us / 1e6,
        limit_bytes=None if limit.strip() == "max" else int(limit),
        periods=quota.get("nr_periods"),
        throttled_periods=quota.get("nr_throttled"),
    )


def pids_of(dirs: CgroupDirs) -> tuple[int, ...]:
    """Processes of the group and of those below, sorted; empty when it is gone."""
    found: set[int] = set()
    for folder, _, files in os.walk(dirs.memory):
        if "cgroup.procs" in files:
            try:
                found |= {int(line) for line in (Path(folder) / "cgroup.procs").read_text().split()}
            except OSError:
                continue  # a group below ended while we walked
    return tuple(sorted(found))


def _pairs(text: str) -> dict[str, int]:
    """``name number`` lines."""
    words = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].lstrip("-").isdigit()}


def _kmem(folder: Path) -> str:
    try:
        return (folder / "memory.kmem.usage_in_bytes").read_text()
    except FileNotFoundError:
        return ""  # kernel memory accounting is off (cgroup.memory=nokmem) or not built in


def _optional(cpu: Path | None) -> str:
    try:
        return (cpu / "cpu.stat").read_text() if cpu else ""
    except OSError:
        return ""

"""Reads what /proc tells about processes now, here or (as a script, see ``meter.bundle``) inside a container.

Standard library only, and nothing newer than Python 3.8 outside annotations. Processes that end while they are read
are left out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from mlpack.meter import smaps


class ProcessReading(NamedTuple):
    """One process at one moment. Bytes and seconds."""

    pid: int
    ppid: int
    name: str
    cmdline: tuple[str, ...]
    threads: int
    cpu_s: float
    """CPU time of all threads that live, from schedstat where the kernel keeps it."""
    anonymous_bytes: int
    pss_anonymous_bytes: int | None
    pss_bytes: int
    uss_bytes: int
    rss_bytes: int
    peak_rss_bytes: int
    page_table_bytes: int
    hugetlb_bytes: int
    swap_bytes: int
    files: tuple[smaps.FileRange, ...]
    environ: dict[str, str]
    """The variables that were asked for, as the process was started with them; others are never read out."""


def read_process(proc: Path, pid: int, names: Iterable[str] = ()) -> ProcessReading | None:
    """Process ``pid`` of the tree ``proc`` (usually /proc), or None when it is gone, a zombie, or not ours to read.

    ``names``: environment variables to tell.
    """
    folder = proc / str(pid)
    try:
        status = smaps.parse_status((folder / "status").read_text(errors="replace"))
        vmas = smaps.parse_smaps((folder / "smaps").read_text(errors="replace"))
        rollup = _rollup(folder, vmas)
        cmdline = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        tmpfs = _tmpfs(folder)
        environ = _environ(folder, frozenset(names))
        cpu_s = cpu_seconds(folder)
    except (OSError, KeyError, ValueError, IndexError):
        return None  # it ended in the middle
    if not vmas:
        return None
    return ProcessReading(
        pid,
        status.ppid,
        status.name,
        tuple(cmdline),
        status.threads,
        cpu_s,
        rollup.anonymous_bytes,
        rollup.pss_anonymous_bytes,
        rollup.pss_bytes,
        rollup.uss_bytes,
        rollup.rss_bytes,
        status.peak_rss_bytes,
        status.page_table_bytes,
        sum(vma.hugetlb_bytes for vma in vmas),
        rollup.swap_bytes,
        tuple(smaps.file_ranges(vmas, tmpfs)),
        environ,
    )


def snapshot(proc: Path, pids: Iterable[int], names: Iterable[str] = ()) -> list[ProcessReading]:
    """Those of ``pids`` that live and can be read."""
    wanted = tuple(names)
    found = (read_process(proc, pid, wanted) for pid in pids)
    return [reading for reading in found if reading is not None]


def all_pids(proc: Path) -> list[int]:
    """Every process of the tree; inside a container that is the container's."""
    return sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit())


def from_json(text: str) -> list[ProcessReading]:
    """What ``main`` printed in another process. Raises ValueError."""
    found = []
    for row in json.loads(text):
        row["files"] = tuple(smaps.FileRange(*part) for part in row["files"])
        row["cmdline"] = tuple(row["cmdline"])
        found.append(ProcessReading(**row))
    return found


def main(argv: list[str]) -> int:
    """Print a JSON list of all processes but this one; ``argv``: the environment variables to tell."""
    proc = Path("/proc")
    rows: list[dict[str, Any]] = []
    for reading in snapshot(proc, (pid for pid in all_pids(proc) if pid != os.getpid()), argv):
        rows.append(reading._asdict())
    json.dump(rows, sys.stdout)
    return 0


def _rollup(folder: Path, vmas: list[smaps.Vma]) -> smaps.Rollup:
    """smaps_rollup, or before Linux 4.14 the sum of ``vmas`` (which tells no USS: PSS stands in for it)."""
    try:
        return smaps.parse_rollup((folder / "smaps_rollup").read_text())
    except FileNotFoundError:
        pss = sum(vma.pss_bytes for vma in vmas)
        anonymous = sum(vma.anonymous_bytes for vma in vmas)
        return smaps.Rollup(sum(vma.rss_bytes for vma in vmas), pss, pss, anonymous, None, 0)


def _tmpfs(folder: Path) -> frozenset[str]:
    try:
        return smaps.tmpfs_devices((folder / "mountinfo").read_text(errors="replace"))
    except OSError:
        return frozenset()


def _environ(folder: Path, names: frozenset[str]) -> dict[str, str]:
    if not names:
        return {}
    entries = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
    pairs = (entry.partition("=") for entry in entries if "=" in entry)
    return {name: value for name, _, value in pairs if name in names}


def cpu_seconds(folder: Path) -> float:
    """CPU time of the process at ``folder``: nanoseconds of every thread's schedstat, else the ticks of stat."""
    try:
        tasks = [(task / "schedstat").read_text() for task in (folder / "task").iterdir()]
        return sum(int(text.split()[0]) for text in tasks) / 1e9
    except (OSError, IndexError):
        fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

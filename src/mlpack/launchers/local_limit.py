"""Limits for local processes: a control group of their own with the planned memory, CPU quota and process count.

Where this user may make none, systemd is asked for a scope; where that is not to be had, nothing is limited, and why
is said.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.meter.cgroup_find import find_cgroup, parse_groups, parse_mounts
from mlpack.process import run
from mlpack.units import show_mib

PERIOD_US = 100_000
"""The kernel's default CFS period, and the one container engines use."""
REMOVE_WITHIN_S = 3.0
"""A group can be removed only when its last process is fully gone, which takes the kernel a moment."""


@dataclass(frozen=True)
class Wanted:
    """The planned limits of one replica."""

    memory_bytes: int
    cpus: float
    pids: int


@dataclass(frozen=True)
class Limit:
    """How a service is limited: the groups to join (their folders), or words to start it with; what is not limited."""

    folders: tuple[Path, ...] = ()
    prefix: tuple[str, ...] = ()
    not_limited: tuple[str, ...] = ()


def make_limit(name: str, wanted: Wanted, environ: Mapping[str, str], *, proc: Path = Path("/proc")) -> Limit:
    """Limits for a service, in a group called ``name`` where one can be made."""
    groups = _text(proc / "self/cgroup")
    if groups is None:
        return Limit(not_limited=(f"memory and CPU of {name}: this system has no control groups",))
    place = find_cgroup(proc, os.getpid())
    if place is not None and place.version == 1:
        return _make_v1(proc, groups, name, wanted)
    prefix = systemd_scope(name, wanted, environ)
    if prefix:
        return Limit(prefix=prefix)
    if place is None:
        return Limit(not_limited=(f"memory and CPU of {name}: there is no control group with a memory controller",))
    return _make_v2(place.memory, name, wanted)


def remove(limit: Limit) -> tuple[str, ...]:
    """Remove the groups; those that stay (a process in them lives) are named."""
    left = []
    for folder in limit.folders:
        _kill_members(folder)
        deadline = time.monotonic() + REMOVE_WITHIN_S
        while folder.exists() and time.monotonic() < deadline:
            with suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.02)
        if folder.exists():
            left.append(f"control group {folder}")
    return tuple(left)


def systemd_scope(name: str, wanted: Wanted, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Words that start a program in a scope with the limits; empty where systemd does not give one."""
    base = ("systemd-run", *(() if os.getuid() == 0 else ("--user",)), "--scope", "--quiet", "--collect")
    limits = {
        "MemoryMax": str(wanted.memory_bytes),
        "MemorySwapMax": "0",
        "CPUQuota": f"{wanted.cpus * 100:.0f}%",
        "TasksMax": str(wanted.pids),
    }
    words = (*base, *(word for key, value in limits.items() for word in ("--property", f"{key}={value}")), "--")
    try:
        works = (
            run((*words[:-1], "--unit", f"{name}-trial", "--", "true"), env=environ, timeout_s=10, check=False).code
            == 0
        )
    except MlpackError:
        return ()
    return (*words[:-1], "--unit", name, "--") if works else ()


def _make_v1(proc: Path, groups: str, name: str, wanted: Wanted) -> Limit:
    """One folder per controller; each that fails is said, the others hold."""
    settings = {
        "memory": (
            ("memory.limit_in_bytes", str(wanted.memory_bytes)),
            ("memory.memsw.limit_in_bytes", str(wanted.memory_bytes)),
        ),
        "cpu": (("cpu.cfs_period_us", str(PERIOD_US)), ("cpu.cfs_quota_us", str(round(wanted.cpus * PERIOD_US)))),
        "pids": (("pids.max", str(wanted.pids)),),
    }
    paths = parse_groups(groups)
    mounts = parse_mounts(_text(proc / "self/mountinfo") or "")
    folders, missing = [], []
    for controller, values in settings.items():
        mount = next((m for m in mounts if m.version == 1 and controller in m.controllers), None)
        if mount is None or controller not in paths:
            missing.append(f"{_words(controller, wanted)} of {name}: no {controller} control group here")
            continue
        path = paths[controller]
        below = path.removeprefix(mount.root) if mount.root != "/" else path
        folder = Path(mount.point) / below.strip("/") / name
        failed = _make(folder, values)
        if failed is None:
            folders.append(folder)
        else:
            missing.append(f"{_words(controller, wanted)} of {name}: {failed}")
    return Limit(tuple(folders), (), tuple(missing))


def _make_v2(own: Path, name: str, wanted: Wanted) -> Limit:
    """A sibling of this process's group: a group with processes in it cannot hand controllers to groups below."""
    parent = own.parent if (own.parent / "cgroup.procs").exists() else own
    folder = parent / name
    values = (
        ("memory.max", str(wanted.memory_bytes)),
        ("memory.swap.max", "0"),
        ("cpu.max", f"{round(wanted.cpus * PERIOD_US)} {PERIOD_US}"),
        ("pids.max", str(wanted.pids)),
    )
    failed = _make(folder, values)
    if failed is None:
        return Limit((folder,))
    return Limit(not_limited=(f"{_words('memory', wanted)} and {wanted.cpus:g} cores of {name}: {failed}",))


def _make(folder: Path, values: tuple[tuple[str, str], ...]) -> str | None:
    """Make ``folder`` and write its limits; the reason why not, and then no folder stays."""
    try:
        folder.mkdir()
    except OSError as error:
        return f"no control group could be made in {folder.parent} ({error.strerror})"
    try:
        for file, value in values:
            if ".memsw." in file or ".swap." in file:
                with suppress(FileNotFoundError):  # swap accounting is off, or there is no swap
                    _write(folder / file, value)
            else:
                _write(folder / file, value)
    except OSError as error:
        folder.rmdir()
        return f"{file} could not be set ({error.strerror})"
    return None


def _kill_members(folder: Path) -> None:
    """End what left its process group but not its control group."""
    for word in (_text(folder / "cgroup.procs") or "").split():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(int(word), signal.SIGKILL)


def _write(file: Path, value: str) -> None:
    with file.open("r+", encoding="ascii") as stream:  # never creates: a missing file is a missing controller
        stream.write(value)


def _words(controller: str, wanted: Wanted) -> str:
    return {
        "memory": f"memory ({show_mib(wanted.memory_bytes)})",
        "cpu": f"CPU quota ({wanted.cpus:g} cores)",
        "pids": f"process count ({wanted.pids})",
    }[controller]


def _text(file: Path) -> str | None:
    try:
        return file.read_text()
    except OSError:
        return None

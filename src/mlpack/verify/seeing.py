"""Sees a service's processes: through this machine's /proc, or inside the container where that is elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlpack.errors import MlpackError
from mlpack.launchers import engine
from mlpack.launchers.base import Instance
from mlpack.meter import smaps, snapshot
from mlpack.meter.bundle import snapshot_program
from mlpack.meter.cgroup import CgroupDirs, pids_of
from mlpack.meter.cgroup_find import find_cgroup
from mlpack.meter.snapshot import ProcessReading
from mlpack.meter.sources import tree

_USERS = """import pathlib
for status in pathlib.Path("/proc").glob("[0-9]*/status"):
    print(*(line.split()[2] for line in status.read_text().splitlines() if line.startswith("Uid:")))
"""


@dataclass(frozen=True)
class Seen:
    """One process, cheaply: who it is and what it computed so far."""

    pid: int
    ppid: int
    name: str
    cmdline: tuple[str, ...]
    threads: int
    cpu_s: float


class Eyes(Protocol):
    """How a service's processes are seen."""

    @property
    def root(self) -> int:
        """pid of the service's first process, as ``processes`` numbers them."""

    def processes(self) -> tuple[Seen, ...]:
        """All that live now."""

    def environ(self, names: Iterable[str]) -> dict[int, dict[str, str]]:
        """pid -> those of the variables ``names`` that it was started with."""


class HostEyes:
    """Through /proc of this machine."""

    def __init__(self, root_pid: int, proc: Path = Path("/proc")) -> None:
        self.root, self._proc = root_pid, proc
        self.group = own_group(proc, root_pid)

    def pids(self) -> tuple[int, ...]:
        """The service's processes: its control group's where it has one of its own, else the tree below the root."""
        return pids_of(self.group) if self.group is not None else tree(self._proc, self.root)

    def processes(self) -> tuple[Seen, ...]:
        """All that live now."""
        return tuple(seen for pid in self.pids() if (seen := _look(self._proc, pid)) is not None)

    def environ(self, names: Iterable[str]) -> dict[int, dict[str, str]]:
        """pid -> variables; processes that cannot be read are left out."""
        wanted = frozenset(names)
        found = {}
        for pid in self.pids():
            try:
                text = (self._proc / str(pid) / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            pairs = (entry.partition("=") for entry in text.split("\0") if "=" in entry)
            found[pid] = {name: value for name, _, value in pairs if name in wanted}
        return found


class ContainerEyes:
    """By a small program inside the container; it is charged to the container's memory while it runs."""

    root = 1

    def __init__(self, container: str, environ: Mapping[str, str]) -> None:
        self.container, self.environment = container, environ
        self._program = snapshot_program()

    def readings(self, names: Iterable[str] = ()) -> list[ProcessReading]:
        """Everything about every process. Raises MlpackError when it cannot be asked."""
        words = ("exec", self.container, "python3", "-c", self._program, *names)
        answer = engine.docker(words, self.environment)
        if answer.code != 0:
            raise MlpackError(f"cannot look inside the container: {engine.last_line(answer.stderr)}")
        return snapshot.from_json(answer.stdout)

    def processes(self) -> tuple[Seen, ...]:
        """All that live now, numbered as the container numbers them."""
        return tuple(Seen(r.pid, r.ppid, r.name, r.cmdline, r.threads, r.cpu_s) for r in self.readings())

    def environ(self, names: Iterable[str]) -> dict[int, dict[str, str]]:
        """pid -> variables."""
        return {reading.pid: reading.environ for reading in self.readings(names)}

    def users(self) -> set[int]:
        """Effective user ids of all processes; empty where they cannot be read."""
        done = engine.docker(("exec", self.container, "python3", "-c", _USERS), self.environment)
        return {int(word) for word in done.stdout.split()} if done.code == 0 else set()


def eyes_for(instance: Instance, environ: Mapping[str, str]) -> HostEyes | ContainerEyes | None:
    """The best way to see ``instance``; None when it has ended."""
    pid = instance.root_pid
    if pid is not None:
        return HostEyes(pid)
    return ContainerEyes(instance.container, environ) if instance.container and instance.state().running else None


def own_group(proc: Path, pid: int) -> CgroupDirs | None:
    """The control group of ``pid`` if it is the service's alone: a container's, or one made for this run."""
    found = find_cgroup(proc, pid)
    ours = find_cgroup(proc, os.getpid())
    if found is None or (ours is not None and found.memory == ours.memory):
        return None
    return found


def _look(proc: Path, pid: int) -> Seen | None:
    folder = proc / str(pid)
    try:
        status = smaps.parse_status((folder / "status").read_text(errors="replace"))
        cmdline = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        cpu_s = snapshot.cpu_seconds(folder)
    except (OSError, ValueError):
        return None  # it ended in the middle
    return Seen(pid, status.ppid, status.name, tuple(cmdline), status.threads, cpu_s) if cmdline else None

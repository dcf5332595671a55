"""Outside: everything of the world that a probe reads, as one value, so that a recorded machine can take its place."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from mlpack.probe.desktop import Desktop, read_desktop
from mlpack.probe.nvml import NvmlAnswer, read_nvml


class Uname(NamedTuple):
    """What ``uname`` says: the kernel's name, its release and the machine, as ``Linux``, ``6.8.0``, ``x86_64``."""

    system: str
    release: str
    machine: str


class Space(NamedTuple):
    """Size of a file system and what an unprivileged user may still write, in bytes."""

    total_bytes: int
    free_bytes: int


def this_uname() -> Uname:
    """The uname of this machine. Windows has no os.uname; there platform knows."""
    if sys.platform == "win32":
        import platform

        return Uname("Windows", platform.version(), platform.machine())
    said = os.uname()
    return Uname(said.sysname, said.release, said.machine)


def space_of(path: Path) -> Space:
    """Space of the file system that holds ``path``. Raises OSError."""
    if sys.platform == "win32":
        import shutil

        usage = shutil.disk_usage(path)
        return Space(usage.total, usage.free)
    said = os.statvfs(path)
    return Space(said.f_blocks * said.f_frsize, said.f_bavail * said.f_frsize)


def affinity_of_this_process() -> int | None:
    """Cores this process may be scheduled on; None where the system has no such call (macOS, Windows)."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Outside:
    """Where the facts come from. The defaults are this machine; tests give a recorded tree and recorded answers."""

    root: Path = Path("/")
    """The folder that holds proc, sys, dev, etc, run; the project itself is not below it."""
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    home: Path = field(default_factory=Path.home)
    """For ~/.docker: contexts and plugins."""
    uname: Callable[[], Uname] = this_uname
    affinity: Callable[[], int | None] = affinity_of_this_process
    space: Callable[[Path], Space] = space_of
    nvml: Callable[[], NvmlAnswer] = read_nvml
    desktop: Callable[[], Desktop] = read_desktop
    """macOS and Windows, where nothing is below /proc."""
    plugins: bool = False
    """Ask the docker command's plugins for their versions: two large programs to start, and no plan depends on them."""
    engine_timeout_s: float = 3.0
    """For each answer of the container engine; a busy engine takes a few hundred ms."""

    def at(self, path: str) -> Path:
        """``path`` of the outside world (absolute) below ``root``."""
        return self.root / path.lstrip("/")

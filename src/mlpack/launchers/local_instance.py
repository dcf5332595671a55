"""A service that runs as a group of local processes, as the checks see it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from mlpack.errors import MlpackError
from mlpack.launchers.base import LOG_LINES, Keeping, State
from mlpack.meter.cgroup import CgroupDirs, read_counters
from mlpack.meter.cgroup_find import find_cgroup


@dataclass
class LocalInstance:
    """An Instance; ``child`` leads the group."""

    service: str
    name: str
    url: str | None
    child: subprocess.Popen[str]
    log: Path
    container: str | None = None
    plain_url: str | None = None
    healthy_after_s: float | None = None
    started_s: float = field(default_factory=time.monotonic)
    _group: CgroupDirs | None = None

    def trust(self) -> None:
        """Local processes answer by plain HTTP: what needs a certificate is left out."""

    @property
    def root_pid(self) -> int | None:
        """The group's leader while it lives."""
        return self.child.pid if self.child.poll() is None else None

    def state(self) -> State:
        """Running until its leader ends; killed for memory when its own control group says so."""
        code = self.child.poll()
        killed = self._oom_killed()
        if code is None:
            return State("running", running=True, oom_killed=killed)
        return State("exited", running=False, exit_code=128 - code if code < 0 else code, oom_killed=killed)

    def logs(self, lines: int = LOG_LINES) -> tuple[str, ...]:
        """The last lines of its log file."""
        try:
            return tuple(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
        except OSError:
            return ()

    def let_restart(self, *, on: bool) -> Keeping:  # noqa: ARG002 - the Instance protocol's parameter
        """Nobody keeps local processes."""
        return Keeping("none", "local processes are started again by nobody; `--launcher compose` tries it")

    def look_again(self) -> None:
        """It is never started anew."""

    def _oom_killed(self) -> bool:
        found = find_cgroup(Path("/proc"), self.child.pid) if self.child.poll() is None else None
        if found is not None and found.memory.name.startswith("mlpack-verify-"):
            self._group = found  # remembered: it outlives the process
        if self._group is None:
            return False
        try:
            return read_counters(self._group).oom_kills > 0
        except MlpackError:
            return False

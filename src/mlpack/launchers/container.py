"""A container of a compose project, as the checks see it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.errors import VerifyError
from mlpack.launchers import engine
from mlpack.launchers.base import LOG_LINES, State

GONE = State(status="removed", running=False)


class Container:
    """An Instance; ``ident`` is the full id. Raises VerifyError when the container is gone already."""

    def __init__(self, ident: str, environ: Mapping[str, str], proc: Path = Path("/proc")) -> None:
        self._environ, self._proc = environ, proc
        found = engine.inspect(ident, environ)
        if found is None:
            raise VerifyError(f"container {ident[:12]} is gone", hint="something else removed it: run it again")
        self.container = ident
        labels = found["Config"]["Labels"]
        self.service: str = labels["com.docker.compose.service"]
        self.name = f"{self.service}-{labels['com.docker.compose.container-number']}"
        self.url = published_url(found)

    @property
    def root_pid(self) -> int | None:
        """The container's first process, if its control group shows that this machine numbers it."""
        found = engine.inspect(self.container, self._environ)
        pid = found["State"]["Pid"] if found else 0
        return pid if pid and is_here(self._proc, pid, self.container) else None

    def state(self) -> State:
        """As the engine says."""
        found = engine.inspect(self.container, self._environ)
        return engine.parse_state(found) if found else GONE

    def logs(self, lines: int = LOG_LINES) -> tuple[str, ...]:
        """The last lines of stdout and stderr, in the order in which the engine kept them."""
        answer = engine.docker(("logs", "--tail", str(lines), self.container), self._environ)
        return tuple((answer.stdout + answer.stderr).splitlines()[-lines:])


def published_url(container: Mapping[str, Any]) -> str | None:
    """The address on this machine of the container's only (or lowest) published port."""
    ports: dict[str, list[dict[str, str]] | None] = container["NetworkSettings"]["Ports"] or {}
    bound = {int(key.partition("/")[0]): rows[0]["HostPort"] for key, rows in ports.items() if rows}
    return f"http://127.0.0.1:{bound[min(bound)]}" if bound else None


def is_here(proc: Path, pid: int, ident: str) -> bool:
    """Whether ``pid`` is the container's process *here*: an engine in a VM or on another machine counts on its own."""
    try:
        return ident in (proc / str(pid) / "cgroup").read_text()
    except OSError:
        return False

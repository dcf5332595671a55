"""A container of a compose project, as the checks see it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mlpack.client.trust import Trust
from mlpack.errors import VerifyError
from mlpack.launchers import engine
from mlpack.launchers.base import LOG_LINES, Keeping, State
from mlpack.launchers.certificates import certificate, domain_of
from mlpack.launchers.compose_config import NO_RESTART
from mlpack.plan import Plan
from mlpack.servers.proxy import PLAIN_PORT, TLS_PORT, site

GONE = State(status="removed", running=False)


class Container:
    """An Instance; ``ident`` is the full id. Raises VerifyError when the container is gone already."""

    def __init__(
        self,
        ident: str,
        environ: Mapping[str, str],
        plan: Plan,
        folder: Path,
        *,
        proc: Path = Path("/proc"),
    ) -> None:
        self._environ, self._plan, self._folder, self._proc = environ, plan, folder, proc
        found = engine.inspect(ident, environ)
        if found is None:
            raise _gone(ident)
        self.container = ident
        labels = found["Config"]["Labels"]
        self.service: str = labels["com.docker.compose.service"]
        self.name = f"{self.service}-{labels['com.docker.compose.container-number']}"
        self.started_s = time.monotonic()
        self.healthy_after_s: float | None = None
        self.policy = NO_RESTART
        """The restart policy of its compose file, in the engine's words; a trial overrides it."""
        self.url: str | None = None
        self.plain_url: str | None = None
        self._find_ports(found)

    def _find_ports(self, found: Mapping[str, Any]) -> None:
        service = self._plan.services.get(self.service)
        scheme = "https" if domain_of(self._plan, self.service) else "http"
        self.url = published_url(found, service.port if service else None, scheme)
        redirects = scheme == "https" and site(self._plan, self.service).redirects
        self.plain_url = published_url(found, PLAIN_PORT, "http") if redirects else None

    def let_restart(self, *, on: bool) -> Keeping:
        """`docker update --restart`: the compose file's policy, or none."""
        words = ("update", "--restart", self.policy if on else NO_RESTART, self.container)
        done = engine.docker(words, self._environ)
        return Keeping(self.policy, None if done.code == 0 else engine.last_line(done.stderr))

    def look_again(self) -> None:
        """A free port is another one after each start. Raises VerifyError: it is gone."""
        found = engine.inspect(self.container, self._environ)
        if found is None:
            raise _gone(self.container)
        self._find_ports(found)

    def trust(self) -> Trust | None:
        """A proxy's own certificate, or that of the authority inside its container."""
        name = domain_of(self._plan, self.service)
        pem = None if name is None else certificate(self._plan, self.service, self._folder, self._ask)
        if name is None or pem is None:
            return None
        return Trust(name, pem, self._plan.services[self.service].publish or TLS_PORT)

    def _ask(self, words: Sequence[str]) -> str | None:
        """What a program in the container says; None when it fails."""
        done = engine.docker(("exec", self.container, *words), self._environ)
        return done.stdout if done.code == 0 else None

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


def _gone(ident: str) -> VerifyError:
    return VerifyError(f"container {ident[:12]} is gone", hint="something else removed it: run it again")


def published_url(container: Mapping[str, Any], port: int | None, scheme: str = "http") -> str | None:
    """The address on this machine of the container's ``port``; of its lowest where that is not published."""
    ports: dict[str, list[dict[str, str]] | None] = container["NetworkSettings"]["Ports"] or {}
    bound = {int(key.partition("/")[0]): rows[0]["HostPort"] for key, rows in ports.items() if rows}
    if not bound:
        return None
    return f"{scheme}://127.0.0.1:{bound[port if port in bound else min(bound)]}"


def is_here(proc: Path, pid: int, ident: str) -> bool:
    """Whether ``pid`` is the container's process *here*: an engine in a VM or on another machine counts on its own."""
    try:
        return ident in (proc / str(pid) / "cgroup").read_text()
    except OSError:
        return False

"""A unit of systemd, as the checks see it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mlpack.client.trust import Trust
from mlpack.errors import MlpackError
from mlpack.launchers.base import LOG_LINES, Keeping, State
from mlpack.launchers.certificates import domain_of
from mlpack.launchers.unit_traces import NO_RESTART, note_of
from mlpack.plan import Plan
from mlpack.process import run
from mlpack.servers.proxy import PLAIN_PORT, PROXY_FILES, site
from mlpack.targets.systemd_programs import state_folder
from mlpack.targets.systemd_unit import unit_name

ASK_S = 30.0
PROPERTIES = ("ActiveState", "SubState", "MainPID", "ExecMainCode", "ExecMainStatus", "Result", "NRestarts")
ALIVE = frozenset({"active", "activating", "deactivating", "reloading"})
KILLED, DUMPED = "2", "3"
"""ExecMainCode as waitid(2) numbers them: CLD_KILLED and CLD_DUMPED; the status is then a signal."""
SIGNAL_BASE = 128
CADDY_ROOT = "caddy/pki/authorities/local/root.crt"
"""Where Caddy keeps its own authority's certificate, below XDG_DATA_HOME."""


@dataclass
class Unit:
    """An Instance; made once its main process is there."""

    plan: Plan
    service: str
    container: str | None = None
    healthy_after_s: float | None = None
    started_s: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        """The unit's."""
        return unit_name(self.plan, self.service)

    @property
    def url(self) -> str | None:
        """Units share the host's network: their own port on loopback."""
        service = self.plan.services[self.service]
        if service.server in PROXY_FILES:
            scheme = "https" if domain_of(self.plan, self.service) else "http"
            return f"{scheme}://127.0.0.1:{site(self.plan, self.service).port}"
        asked = service.health is not None and service.health.path is not None
        return f"http://127.0.0.1:{service.port}" if asked and service.port is not None else None

    @property
    def plain_url(self) -> str | None:
        """Where a proxy with a domain sends everybody to HTTPS."""
        redirects = domain_of(self.plan, self.service) and site(self.plan, self.service).redirects
        return f"http://127.0.0.1:{PLAIN_PORT}" if redirects else None

    def trust(self) -> Trust | None:
        """Caddy's own authority, from the unit's folder; None while it is not made yet."""
        domain = domain_of(self.plan, self.service)
        if domain is None:
            return None
        path = Path(state_folder(self.plan, self.service)) / CADDY_ROOT
        with suppress(OSError, UnicodeDecodeError):
            return Trust(domain, path.read_text(encoding="ascii"), site(self.plan, self.service).port)
        return None

    @property
    def root_pid(self) -> int | None:
        """The unit's main process while it lives."""
        return int(shown(self.name).get("MainPID") or 0) or None

    def state(self) -> State:
        """As systemd says."""
        return unit_state(shown(self.name))

    def let_restart(self, *, on: bool) -> Keeping:
        """The unit's own `Restart=`, which a trial's drop-in turns off: without that line it is in force."""
        note = note_of(self.plan, self.service)
        try:
            lines = [line for line in note.read_text(encoding="utf-8").splitlines() if line not in NO_RESTART]
            note.write_text("\n".join([*lines, *(() if on else NO_RESTART)]) + "\n", encoding="utf-8")
            done = run(("systemctl", "daemon-reload"), timeout_s=ASK_S, check=False)
            words = ("systemctl", "show", "--property=Restart", "--value", self.name)
            policy = run(words, timeout_s=ASK_S, check=False).stdout.strip()
        except (OSError, MlpackError) as error:
            return Keeping("unknown", f"its drop-in cannot be changed: {error}")
        return Keeping(policy or "unknown", None if done.code == 0 else done.stderr.strip()[-300:])

    def look_again(self) -> None:
        """Units keep their ports."""

    def logs(self, lines: int = LOG_LINES) -> tuple[str, ...]:
        """The last lines in the project's journal."""
        words = ("journalctl", f"--namespace={self.plan.name}", f"--unit={self.name}", "--output=cat", "--no-pager")
        try:
            return tuple(run((*words, "--lines", str(lines)), timeout_s=ASK_S, check=False).stdout.splitlines())
        except MlpackError:
            return ()


def shown(unit: str) -> dict[str, str]:
    """``PROPERTIES`` of ``unit``; empty where systemd does not answer."""
    words = ("systemctl", "show", *(f"--property={name}" for name in PROPERTIES), unit)
    done = run(words, timeout_s=ASK_S, check=False)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def unit_state(said: Mapping[str, str]) -> State:
    """What `systemctl show` says, in the words that the checks know. Pure.

    A unit between two starts (auto-restart) is activating and has no main process: it does not run.
    """
    pid = int(said.get("MainPID") or 0)
    code = int(said.get("ExecMainStatus") or 0)
    code += SIGNAL_BASE if said.get("ExecMainCode") in (KILLED, DUMPED) else 0
    running = said.get("ActiveState") in ALIVE and pid > 0
    active, sub = said.get("ActiveState", "unknown"), said.get("SubState", "")
    return State(
        status="running" if running else f"{active} ({sub})" if sub else active,
        running=running,
        exit_code=None if running else code,
        oom_killed=said.get("Result") == "oom-kill",
        restarts=int(said.get("NRestarts") or 0),
    )

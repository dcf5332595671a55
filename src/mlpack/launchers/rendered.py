"""Starts and stops what was rendered, by the scripts that were rendered with it: the same on hosts without mlpack.

Volumes, secrets, data and environments are never touched. Starting what runs and stopping what does not is no error.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from mlpack.errors import MlpackError, TransientError
from mlpack.launchers import engine
from mlpack.launchers.base import Say
from mlpack.launchers.start_error import port_taken, start_error
from mlpack.plan import Plan
from mlpack.process import run, stream
from mlpack.targets.systemd import services as unit_services
from mlpack.targets.systemd_unit import unit_name

COMPOSE_FILE = "compose.yaml"
DEPLOY = "deploy.sh"
INSTALL = "systemd/install.sh"
CULPRITS = "deploy.sh: last lines of "
"""How deploy.sh begins to show the log of whatever failed: from there on it is not the engine that speaks."""
ENGINES_OWN = ("Error", "error", "failed")
SAY_EVERY_S = 10.0
CULPRIT_LINES = 30
"""Last lines shown of whatever failed: a traceback, and what the server said around it."""
PROJECT_LABEL, SERVICE_LABEL = "com.docker.compose.project", "com.docker.compose.service"


@dataclass(frozen=True)
class Part:
    """A container or a unit of the deployment, as the engine or systemd says now."""

    service: str
    name: str
    """The container's or the unit's."""
    words: str
    """``running, healthy``; ``exited with 1``; ``inactive``."""
    state: Literal["good", "waiting", "bad", "done", "absent"]
    """done: a step that ended well. absent: a unit that does not run and did not fail."""


class Rendered:
    """The deployment in one rendered folder."""

    def __init__(self, folder: Path, plan: Plan, environ: Mapping[str, str]) -> None:
        self._folder, self._plan, self._environ = folder, plan, environ
        self.containers = (folder / COMPOSE_FILE).is_file()
        self.units = (folder / INSTALL).is_file()

    def require(self, *, root: bool) -> None:
        """Before anything is done: TransientError (no engine answers), MlpackError (no Compose, root or systemd)."""
        if sys.platform == "win32":
            raise MlpackError(
                "deploy.sh and install.sh need a POSIX shell", where=str(self._folder), hint="run mlpack inside WSL 2"
            )
        if self.units and not Path("/run/systemd/system").is_dir():
            raise MlpackError("units need systemd, and this machine was not started by it", where=str(self._folder))
        if self.units and not root:
            raise MlpackError("units are installed and removed by root", hint="run it with sudo, or as root")
        reason = engine.missing(self._environ) if self.containers else None
        if reason is not None:
            raise engine.unusable(reason, "start the engine, or set DOCKER_HOST; then the same command again")

    def up(self, say: Say) -> None:
        """Start everything and wait until it is ready. Raises MlpackError naming what failed, with its last lines;
        TransientError for a port that is taken or an engine that went away."""
        if self.containers:
            with _telling(self, say):
                done = stream((str(self._folder / DEPLOY), "up"), say, env=self._environ)
            if done.code != 0:
                raise self._failure(done.stdout)
        if self.units:
            done = stream((str(self._folder / INSTALL),), say, env=self._environ)
            if done.code != 0:
                raise MlpackError("the units did not start; the lines above say why", where=str(self._folder / INSTALL))

    def down(self, say: Say) -> None:
        """Stop and remove containers and units; the second is tried where the first fails. Raises MlpackError."""
        words = [(INSTALL, "uninstall")] if self.units else []
        words += [(DEPLOY, "down")] if self.containers else []
        failed = [
            script
            for script, word in words
            if stream((str(self._folder / script), word), say, env=self._environ).code != 0
        ]
        if failed:
            raise MlpackError(f"{' and '.join(failed)} failed; the lines above say why", where=str(self._folder))

    def look(self) -> tuple[Part, ...]:
        """Every container of the project and every unit of the plan. Raises MlpackError."""
        return (*self._containers(), *(_unit(self._plan, name) for name in self._unit_names()))

    def strangers(self) -> tuple[str, ...]:
        """Containers of this compose project whose service is not rendered (any more)."""
        known = self._config().get("services", {}) if self.containers else {}
        return tuple(part.name for part in self._containers() if part.service not in known)

    def _unit_names(self) -> tuple[str, ...]:
        return unit_services(self._plan) if self.units else ()

    def _config(self) -> dict[str, Any]:
        found = yaml.safe_load((self._folder / COMPOSE_FILE).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}

    def _containers(self) -> tuple[Part, ...]:
        if not self.containers:
            return ()
        project = self._config().get("name") or self._folder.name
        words = ("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={PROJECT_LABEL}={project}")
        listed = engine.docker(words, self._environ)
        if listed.code != 0:
            raise TransientError("the engine does not list containers: " + engine.last_line(listed.stderr))
        seen = (engine.inspect(ident, self._environ) for ident in listed.stdout.split())
        return tuple(sorted((part_of(one) for one in seen if one), key=lambda part: part.name))

    def _failure(self, output: str) -> MlpackError:
        """Why ``deploy.sh up`` failed: what died or is ill, with its last lines; else what compose said."""
        own, shown, _ = output.partition(CULPRITS)
        if port_taken([line for line in own.splitlines() if line.startswith(ENGINES_OWN)]):
            return start_error(own, {})
        ill = [part for part in self._containers() if part.state == "bad"]
        if not ill:
            what = "the containers did not start; the lines above say why"
            return MlpackError(what, where=str(self._folder / DEPLOY))
        lines = [", ".join(f"{part.service}: {part.words}" for part in ill)]
        for part in () if shown else ill:  # deploy.sh has shown them
            done = engine.docker(("logs", "--tail", str(CULPRIT_LINES), part.name), self._environ)
            said = (done.stdout + done.stderr).splitlines()[-CULPRIT_LINES:]
            lines += [f"last lines of {part.name}:", *(f"  {line}" for line in said)]
        return MlpackError("\n".join(lines), hint="`mlpack doctor` says what it may be, and what to change")


def part_of(found: Mapping[str, Any]) -> Part:
    """What the engine's ``inspect`` says of a container."""
    state, labels = found["State"], found["Config"].get("Labels") or {}
    status, code = state["Status"], int(state.get("ExitCode") or 0)
    health = (state.get("Health") or {}).get("Status")
    name = str(found["Name"]).lstrip("/")
    service = labels.get(SERVICE_LABEL, name)
    if status in ("exited", "dead"):
        return Part(service, name, f"{status} with {code}", "done" if code == 0 and status == "exited" else "bad")
    if status == "restarting":
        return Part(service, name, f"restarting, ended with {code}", "bad")
    if status != "running":
        return Part(service, name, status, "waiting")
    words = f"running, {health}" if health else "running"
    kinds: dict[str | None, Literal["waiting", "bad"]] = {"starting": "waiting", "unhealthy": "bad"}
    return Part(service, name, words, kinds.get(health, "good"))


def unit_part(service: str, name: str, active: str) -> Part:
    """What ``systemctl show`` says of a unit: its ActiveState."""
    kinds: dict[str, Literal["good", "waiting", "bad"]] = {"active": "good", "activating": "waiting", "failed": "bad"}
    return Part(service, name, active, kinds.get(active, "absent"))


def _unit(plan: Plan, service: str) -> Part:
    name = unit_name(plan, service)
    done = run(("systemctl", "show", "--property", "ActiveState", "--value", name), timeout_s=30)
    return unit_part(service, name, done.stdout.strip())


class _telling:  # noqa: N801 - used as a verb
    """While it is entered, says every few seconds who is not ready yet."""

    def __init__(self, rendered: Rendered, say: Say) -> None:
        self._rendered, self._say, self._over = rendered, say, threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(engine.ANSWER_S)

    def _tell(self) -> None:
        passed = 0.0
        while not self._over.wait(SAY_EVERY_S):
            passed += SAY_EVERY_S
            with suppress(MlpackError):
                late = [f"{one.service} ({one.words})" for one in self._rendered.look() if one.state == "waiting"]
                if late and not self._over.is_set():
                    self._say(f"{passed:.0f} s: waiting for {', '.join(late)}")

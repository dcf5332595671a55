"""Reads what is to be known about a container: the engine, its control group, the kernel. Nothing is changed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlpack.doctor import parse
from mlpack.doctor.facts import Facts
from mlpack.errors import MlpackError, UsageError
from mlpack.launchers import engine
from mlpack.meter.cgroup import Counters, read_counters
from mlpack.meter.cgroup_find import find_cgroup
from mlpack.process import run
from mlpack.verify.container_counters import container_counters

LOG_LINES = 300
SIGKILL = 137
EVENTS_S = 24 * 3600
"""How far back the engine is asked; it remembers its last 256 events anyway."""


def read_container(name: str, environ: Mapping[str, str]) -> Facts:
    """The facts of one container. Raises UsageError (there is none), TransientError (no engine)."""
    found = engine.inspect(name, environ)
    if found is None:
        engine.require(environ)
        raise UsageError(
            f"there is no container {name!r}", hint="`docker ps --all` names them; a unit ends in .service"
        )
    facts = parse.container(found, time.time())
    unread: list[str] = []
    pid = int(found["State"].get("Pid") or 0)
    counters = _counters(facts, pid, environ) if facts.running else None
    deaths, kills = parse.deaths(_events(facts.ident, environ))
    kernel, kernel_unread = _kernel(facts.ident)
    unread += kernel_unread
    started = found["State"].get("StartedAt") if facts.running and not facts.restarts else None
    hidden = parse.secrets_of(found)
    more: dict[str, object] = {
        "logs": tuple(_hide(line, hidden) for line in _logs(facts.ident, started, environ)),
        "deaths": deaths,
        "oom_events": kills,
        "kernel": kernel,
        "oom_kills": None if counters is None else counters.oom_kills,
        "need_bytes": None if counters is None else _need(counters),
        "machine_architecture": _answer(("version", "--format", "{{.Server.Arch}}"), environ),
        "image_architecture": _answer(("image", "inspect", "--format", "{{.Architecture}}", found["Image"]), environ),
        "port_holders": _holders(facts, parse.wanted_ports(found), environ) if not facts.running else (),
        "unread": tuple(unread),
    }
    if facts.running:
        more["cpu_cores"] = parse.cpu_cores(
            _answer(("stats", "--no-stream", "--format", "{{.CPUPerc}}", name), environ) or ""
        )
        more["file_systems"] = parse.file_systems(_answer(("exec", facts.ident, "df", "-P", "-k"), environ) or "")
    if facts.health is not None:
        probes = tuple(one.model_copy(update={"output": _hide(one.output, hidden)}) for one in facts.health.probes)
        more["health"] = facts.health.model_copy(update={"probes": probes})
    return facts.model_copy(update=more)


def containers_of(project: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Ids of the containers of a compose project, those that ended included. Raises TransientError."""
    words = ("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label=com.docker.compose.project={project}")
    answer = engine.docker(words, environ)
    if answer.code != 0:
        engine.require(environ)
        raise MlpackError(f"the engine does not list containers: {engine.last_line(answer.stderr)}")
    return tuple(answer.stdout.split())


def _answer(words: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """What docker says; None where it fails: one thing less is known."""
    try:
        done = engine.docker(words, environ)
    except MlpackError:
        return None
    return done.stdout.strip() if done.code == 0 or words[0] == "exec" else None  # df fails for one odd mount


def _logs(ident: str, since: str | None, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The last lines; of a container that runs since its first start only those of now."""
    after = ("--since", since) if since else ()
    try:
        done = engine.docker(("logs", "--tail", str(LOG_LINES), *after, ident), environ)
    except MlpackError:
        return ()
    return tuple((done.stdout + done.stderr).splitlines()[-LOG_LINES:])


def _events(ident: str, environ: Mapping[str, str]) -> str:
    now = time.time()
    span = ("--since", str(int(now - EVENTS_S)), "--until", str(int(now) + 1))
    which = ("--filter", f"container={ident}", "--filter", "event=die", "--filter", "event=oom")
    return _answer(("events", *span, *which, "--format", "{{json .}}"), environ) or ""


def _counters(facts: Facts, pid: int, environ: Mapping[str, str]) -> Counters | None:
    """Of its control group: here where this machine numbers its processes, else asked inside."""
    group = find_cgroup(Path("/proc"), pid) if pid else None
    if group is not None and facts.ident in str(group.memory):
        try:
            return read_counters(group)
        except MlpackError:
            return None
    return container_counters(facts.ident, environ)


def _need(counters: Counters) -> int:
    return counters.anonymous_bytes + (counters.kernel_bytes or 0) + counters.shm_bytes


def _kernel(ident: str, main_pid: int = 0) -> tuple[tuple[str, ...], list[str]]:
    """The kernel's ring buffer is root's on most machines; without it the engine's and the group's counts remain."""
    try:
        done = run(("dmesg",), timeout_s=10, check=False)
    except MlpackError as error:
        return (), [f"kernel messages: {error.what}"]
    if done.code != 0:
        return (), [f"kernel messages: {engine.last_line(done.stderr)}"]
    return parse.kernel_lines(done.stdout, ident, main_pid), []


def _holders(facts: Facts, ports: Sequence[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Other containers that publish a host port which this one asks for."""
    found = []
    for port in ports:
        names = _answer(("ps", "--filter", f"publish={port}", "--format", "{{.Names}}"), environ) or ""
        found += [f"{port}: container {name}" for name in names.splitlines() if name != facts.name]
    return tuple(found)


def _hide(line: str, secrets: Sequence[str]) -> str:
    for value in secrets:
        line = line.replace(value, "***")
    return line


UNIT_PROPERTIES = (
    "Id,Type,LoadState,ActiveState,SubState,Result,ExecMainCode,ExecMainStatus,ExecMainStartTimestampMonotonic,"
    "ExecMainPID,NRestarts,MemoryMax"
)


def read_unit(name: str) -> Facts:
    """The facts of a systemd unit. Raises UsageError (there is none), MlpackError (no systemd)."""
    shown = run(("systemctl", "show", name, "--property", UNIT_PROPERTIES), timeout_s=20).stdout
    if "LoadState=not-found" in shown:
        raise UsageError(f"there is no unit {name!r}", hint="`systemctl list-units --all` names them")
    journal = run(
        ("journalctl", "--unit", name, "--lines", str(LOG_LINES), "--output", "cat", "--no-pager"),
        timeout_s=20,
        check=False,
    )
    unread = () if journal.code == 0 else (f"journal: {engine.last_line(journal.stderr)}",)
    facts = parse.unit(shown, journal.stdout.splitlines() if journal.code == 0 else (), time.monotonic())
    if facts.exit_code != SIGKILL:
        return facts.model_copy(update={"unread": unread})
    # Under cgroup v1 systemd does not know who killed, and says "signal".
    kernel, missing = _kernel(name, parse.main_pid(shown))
    return facts.model_copy(update={"kernel": kernel, "unread": (*unread, *missing)})

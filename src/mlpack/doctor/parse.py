"""From what the engine, systemd and the kernel say to Facts. Pure; recorded answers are its tests."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlpack.doctor.facts import Death, Facts, FileSystem, HealthFacts, HealthProbe

NS = 1e9
OUTPUT_CHARS = 400
"""Of a health check's output: the engine keeps 4 KiB of each, often a whole page."""
SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL", re.IGNORECASE)
LEAST_SECRET = 4
"""Shorter values would blot out half of every log."""
SYSTEM_MOUNTS = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
ENDS = ("no", "on-failure")
"""Restart policies under which a container that ended well stays down; compose without `restart:` says "no"."""
RESULTS_BY_SIGNAL = {"oom-kill": 137}


def container(found: Mapping[str, Any], now_s: float) -> Facts:
    """The facts in one container's `docker inspect`."""
    state, host, config = found["State"], found.get("HostConfig") or {}, found.get("Config") or {}
    labels = config.get("Labels") or {}
    running = bool(state.get("Running")) and not state.get("Restarting")
    started_s = _time(state.get("StartedAt"))
    return Facts(
        kind="container",
        name=str(found.get("Name", "")).lstrip("/"),
        ident=str(found.get("Id", "")),
        service=labels.get("com.docker.compose.service"),
        status=state["Status"],
        running=running,
        exit_code=None if running or state["Status"] == "created" else int(state["ExitCode"]),
        one_shot=_policy(host) in ENDS and not host.get("PortBindings"),
        oom_killed=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        restarts=int(found.get("RestartCount") or 0),
        age_s=round(now_s - started_s, 1) if started_s and running else None,
        limit_bytes=int(host.get("Memory") or 0) or None,
        health=_health(state.get("Health"), config.get("Healthcheck") or {}),
        image=str(config.get("Image") or ""),
    )


def _policy(host: Mapping[str, Any]) -> str:
    return (host.get("RestartPolicy") or {}).get("Name") or "no"


def _health(said: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> HealthFacts | None:
    if not said or said.get("Status") in (None, "none"):
        return None
    probes = []
    for one in said.get("Log") or ():
        start_s, end_s = _time(one.get("Start")), _time(one.get("End"))
        took_s = round(max(0.0, end_s - start_s), 2) if start_s and end_s else 0.0
        output = str(one.get("Output") or "").strip()[:OUTPUT_CHARS]
        probes.append(HealthProbe(exit_code=int(one.get("ExitCode", 0)), output=output, took_s=took_s))
    return HealthFacts(
        status=said["Status"],
        failing_streak=int(said.get("FailingStreak") or 0),
        probes=tuple(probes),
        interval_s=(wanted.get("Interval") or 30 * NS) / NS,
        timeout_s=(wanted.get("Timeout") or 30 * NS) / NS,
        start_period_s=(wanted.get("StartPeriod") or 0) / NS,
        retries=int(wanted.get("Retries") or 3),
    )


def secrets_of(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Values of variables that are called like secrets, the longest first: logs repeat them."""
    pairs = (str(line).partition("=") for line in (found.get("Config") or {}).get("Env") or ())
    return tuple(sorted({v for k, _, v in pairs if SECRET.search(k) and len(v) >= LEAST_SECRET}, key=len, reverse=True))


def wanted_ports(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Host ports that it asks for."""
    bound = ((found.get("HostConfig") or {}).get("PortBindings") or {}).values()
    return tuple(dict.fromkeys(one["HostPort"] for rows in bound for one in rows or () if one.get("HostPort")))


def deaths(events: str) -> tuple[tuple[Death, ...], int]:
    """Ends, and how often the engine noticed a memory kill, in lines of `docker events --format '{{json .}}'`."""
    ends, kills = [], 0
    for line in events.splitlines():
        try:
            one = json.loads(line)
            if one["Action"] == "oom":
                kills += 1
            elif one["Action"] == "die":
                code = int(one["Actor"]["Attributes"].get("exitCode", 0))
                ends.append(Death(at_s=one["timeNano"] / NS, exit_code=code))
        except (ValueError, KeyError, TypeError):
            continue  # warnings of the command line tool
    return tuple(ends), kills


def file_systems(df: str) -> tuple[FileSystem, ...]:
    """What `df -P -k` lists, without the kernel's own mounts."""
    found = []
    for line in df.splitlines()[1:]:
        words = line.split()
        if len(words) < 6 or not words[1].isdigit() or not words[3].isdigit():
            continue
        mount = words[5]
        if mount == "/dev/shm" or not mount.startswith(SYSTEM_MOUNTS):
            found.append(FileSystem(mount=mount, size_bytes=int(words[1]) * 1024, free_bytes=int(words[3]) * 1024))
    return tuple(found)


def kernel_lines(messages: str, ident: str, main_pid: int = 0) -> tuple[str, ...]:
    """The kernel's lines about the control group that ``ident`` names: the choice of a victim, and its end.

    Of the choice it prints at most ten lines in five seconds for the whole machine, of the end each (mm/oom_kill.c,
    ``oom_rs``): where the choice is missing, the end of ``main_pid`` is told by its number.
    """
    lines = [line.strip() for line in messages.splitlines()]
    kept = []
    for index, line in enumerate(lines):
        if ident and re.search(rf"(?<![\w-]){re.escape(ident)}(?![\w-])", line) and "oom-kill:" in line:
            kept.append(line)
            pid = re.search(r"pid=(\d+)", line)
            after = lines[index + 1 : index + 4]
            kept += [one for one in after if pid and f"Killed process {pid[1]} " in one]
    if not kept and main_pid:
        kept = [line for line in lines if f"Memory cgroup out of memory: Killed process {main_pid} " in line]
    return tuple(kept[-6:])


def main_pid(shown: str) -> int:
    """The number of a unit's main process, which may have ended; 0 where it never had one."""
    match = re.search(r"^ExecMainPID=(\d+)$", shown, re.MULTILINE)
    return int(match[1]) if match else 0


def cpu_cores(stats: str) -> float | None:
    """Cores in use by `docker stats --no-stream --format '{{.CPUPerc}}'`."""
    match = re.search(r"([\d.]+)%", stats)
    return float(match[1]) / 100 if match else None


def unit(shown: str, logs: Sequence[str], now_s: float) -> Facts:
    """The facts in `systemctl show UNIT`, and its journal's last lines."""
    said = dict(line.partition("=")[::2] for line in shown.splitlines() if "=" in line)
    running = said.get("ActiveState") in ("active", "reloading")
    result = said.get("Result", "success")
    status = int(said.get("ExecMainStatus") or 0)
    by_signal = said.get("ExecMainCode") in ("2", "3")
    code = RESULTS_BY_SIGNAL.get(result, 128 + status if by_signal else status)
    limit = said.get("MemoryMax", "")
    since = said.get("ExecMainStartTimestampMonotonic", "")
    return Facts(
        kind="unit",
        name=said.get("Id", ""),
        status=f"{said.get('ActiveState', '')} ({said.get('SubState', '')})",
        running=running,
        exit_code=None if running else code,
        one_shot=said.get("Type") == "oneshot",
        oom_killed=result == "oom-kill",
        error="" if result == "success" else result,
        restarts=int(said.get("NRestarts") or 0),
        age_s=round(now_s - int(since) / 1e6, 1) if running and since.isdigit() and int(since) else None,
        limit_bytes=int(limit) if limit.isdigit() and int(limit) < 2**60 else None,
        logs=tuple(logs),
    )


def _time(text: str | None) -> float:
    """Seconds since the epoch; 0 where there is none (the engine writes the year 1)."""
    if not text or text.startswith("0001"):
        return 0.0
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text)  # nanoseconds
    return datetime.fromisoformat(cut.replace("Z", "+00:00")).timestamp()

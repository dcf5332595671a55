"""One unit: command, limits, order, restart, sandbox; numbers with the plan's reasons."""

from __future__ import annotations

from posixpath import dirname
from typing import Any

from mlpack.plan import Plan, ServicePlan
from mlpack.servers import SERVERS
from mlpack.servers.heartbeat import SILENT_VARIABLE, silent_s, watchdog_path
from mlpack.servers.paths import deploy_folder, ready_folder, volume_path
from mlpack.servers.wiring import upstreams
from mlpack.targets.systemd_hardening import hardening
from mlpack.targets.systemd_programs import (
    config_folder,
    needs_home,
    python_of,
    runs_code,
    unit_argv,
    user_of,
    variables_of,
)

RESTART_S = 5
"""Between an end and the next start: long enough that a crash loop leaves the machine usable."""
START_TIMES, LEAST_START_S = 3, 180
"""Systemd's own limit is a kill, and the next start no faster: wide, where a failed check may be early. A web part that
starts in 2 s took more than 60 on a machine ten times overloaded (measured); systemd's own default is 90."""
SAY_S = 5
"""Who waits for the models gives up this much earlier, so that the reason is in the journal."""
STEP_S = 600
"""As for compose: one step before the start (a migration) may take this long."""
RESTART = {"no": "no", "on-failure": "on-failure", "unless-stopped": "always", "always": "always"}
"""systemd never restarts what an operator stopped, which is what `unless-stopped` asks for."""
OOM_REASON = {
    "continue": "the kernel killed one process for memory: the master replaces it, and its task runs again",
    "stop": "one process is the whole service: when the kernel kills it for memory, it is started again",
}


def unit_name(plan: Plan, name: str) -> str:
    """The unit of service ``name``."""
    return f"{plan.name}-{name}.service"


def grouping(plan: Plan) -> str:
    """The target that starts and stops all of the project's units together."""
    return f"{plan.name}.target"


def unit_view(plan: Plan, name: str) -> dict[str, Any]:
    """Everything the unit of service ``name`` says. Raises SpecError for a server that cannot run as a unit."""
    service, spec = plan.services[name], plan.spec
    code = runs_code(plan, name)
    box = hardening(plan, name, home=needs_home(plan, name))
    oom = "continue" if SERVERS[service.server].FACTS.has_master else "stop"
    return {
        "description": f"{plan.name}: {name} ({service.server})",
        "group": grouping(plan),
        "after": " ".join(_after(plan, name)),
        "user": user_of(plan) if code else None,
        "folder": spec.root_path if code else None,
        "state": None if code else f"{plan.name}-{name}",
        "runtime": f"{plan.name}-{name}" if _ready_files(plan, name) else None,
        "env_file": f"{config_folder(plan)}/{name}.env",
        "variables": variables_of(plan, name),
        "steps": [_step(plan, name, step) for step in spec.services[name].command] if code else [],
        "argv": unit_argv(plan, name),
        "wait": _wait(plan, name),
        "wait_because": service.health.start_period_s.because if service.health else "",
        "silent": (SILENT_VARIABLE, str(silent_s(plan, name))) if watchdog_path(plan, name) else None,
        "start_s": f"{start_s(plan, name)}s",
        "stop_s": f"{service.times.stop_grace_s.value}s",
        "stop_because": service.times.stop_grace_s.because,
        "restart": RESTART[spec.settings.restart],
        "restart_s": f"{RESTART_S}s",
        "memory": str(service.memory.limit_bytes.value),
        "memory_because": service.memory.limit_bytes.because,
        "cpus": f"{round(service.cpus.value * 100)}%",
        "cpus_because": service.cpus.because,
        "tasks": str(service.pids.value),
        "tasks_because": service.pids.because,
        "oom": oom,
        "oom_because": OOM_REASON[oom],
        "journal": plan.name,
        "identifier": f"{plan.name}-{name}",
        "hardening_because": box.because,
        "hardening": [{"key": key, "value": value} for key, value in box.lines],
        "writable": writable(plan, name),
    }


def writable(plan: Plan, name: str) -> tuple[str, ...]:
    """Folders that service ``name`` writes to; in dev the project too."""
    if not runs_code(plan, name):
        return ()
    folders = {volume_path(plan.spec, volume) for volume in plan.spec.services[name].volumes}
    return tuple(sorted(folders | (set() if plan.spec.settings.read_only else {plan.spec.root_path})))


def start_s(plan: Plan, name: str) -> int:
    """How long systemd waits for a start: steps, at least three minutes, three times the planned start period."""
    service = plan.services[name]
    period = service.health.start_period_s.value if service.health else _child_start_s(service)
    return max(LEAST_START_S, START_TIMES * period) + STEP_S * len(plan.spec.services[name].command)


def _child_start_s(service: ServicePlan) -> int:
    return service.times.child_start_s.value if service.times.child_start_s else 0


def _after(plan: Plan, name: str) -> tuple[str, ...]:
    """Units that come first. Wanted, not required: who loses a broker for a moment connects again by itself."""
    others = upstreams(plan, name)
    units = [unit_name(plan, other) for other in others if plan.services[other].target == "systemd"]
    if any(plan.services[other].target != "systemd" for other in others):
        units.append("docker.service")
    return ("network-online.target", *units)


def _ready_files(plan: Plan, name: str) -> bool:
    """The service's app says by files that its processes can work: ``{from: <itself>.ready}``."""
    return any(value.of == name and value.fact == "ready" for value in plan.spec.services[name].env.values())


def _wait(plan: Plan, name: str) -> tuple[str, ...] | None:
    """The command that ends when models are loaded; None where nothing tells."""
    service = plan.services[name]
    script = f"{plan.spec.root_path}/{deploy_folder(plan.profiles)}/systemd/wait_ready.py"
    if not runs_code(plan, name):
        return None
    patience = str(start_s(plan, name) - STEP_S * len(plan.spec.services[name].command) - SAY_S)
    begin = (python_of(plan, name), "-I", "-S", script)
    if service.health is not None and service.health.path is not None and service.port is not None:
        return (*begin, "http", patience, str(service.port), service.health.path)
    if _ready_files(plan, name):
        return (*begin, "files", patience, ready_folder(plan, name), str(service.workers.value))
    return None


def _step(plan: Plan, name: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """A step before the start; a bare name is looked up in the environment first, as in a container."""
    program, *arguments = words
    if program in ("python", "python3"):
        return (python_of(plan, name), *arguments)
    return (
        words
        if program.startswith("/")
        else ("/usr/bin/env", f"PATH={dirname(python_of(plan, name))}:/usr/local/bin:/usr/bin:/bin", *words)
    )

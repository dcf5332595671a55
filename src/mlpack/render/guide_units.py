"""The guide's part about units of systemd, and the whole guide where every service is one."""

from __future__ import annotations

from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.servers.heartbeat import SILENT_VARIABLE, silent_s, watchdog_path
from mlpack.targets.base import containers
from mlpack.targets.images import profile_suffix
from mlpack.targets.systemd import services
from mlpack.targets.systemd_programs import (
    PROGRAMS,
    config_folder,
    own_environment,
    python_of,
    runs_code,
    user_made,
    user_of,
)
from mlpack.targets.systemd_script import SYSTEMD_AT_LEAST
from mlpack.targets.systemd_unit import unit_name, unit_view
from mlpack.units import show_duration, show_mib


def units_view(plan: Plan) -> dict[str, object]:
    """What the partial templates _units and _shapes say; ``units`` is empty where everything is a container."""
    names = services(plan)
    queue = any(SERVERS[service.server].FACTS.chain == "queue" for service in plan.services.values())
    if not names:
        return {"units": [], "shapes": queue}
    return {
        "units": [_unit(plan, name) for name in names],
        "shapes": True,
        "root": plan.spec.root_path,
        "unit_user": user_of(plan),
        "unit_user_made": user_made(plan),
        "unit_script": f"{plan.spec.root_path}/deploy/{profile_suffix(plan)}/systemd/install.sh",
        "unit_etc": config_folder(plan),
        "unit_folders": any(plan.spec.services[name].volumes for name in names if runs_code(plan, name)),
        "pythons": sorted({python_of(plan, name) for name in names if runs_code(plan, name)}),
        "own_python": own_environment(plan),
        "systemd_at_least": SYSTEMD_AT_LEAST,
        "watched": [
            {"unit": unit_name(plan, name), "silent": show_duration(silent_s(plan, name))}
            for name in names
            if watchdog_path(plan, name)
        ],
        "unwatched": [
            unit_name(plan, name)
            for name in names
            if plan.services[name].server == "celery" and not watchdog_path(plan, name)
        ],
        "silent_variable": SILENT_VARIABLE,
        "programs": [PROGRAMS[plan.services[name].server] for name in names if not runs_code(plan, name)],
    }


def whole_view(plan: Plan) -> dict[str, object] | None:
    """The values of guide/UNITS.md; None where something runs in a container."""
    if containers(plan):
        return None
    return {
        "name": plan.name,
        "profiles": profile_suffix(plan),
        "limits": show_mib(plan.budget.used_bytes),
        "usable": show_mib(plan.budget.usable_bytes.value),
        "usable_because": plan.budget.usable_bytes.because,
        "cores": f"{plan.budget.cores.value:g}",
        "findings": [finding.message for finding in plan.findings],
        **units_view(plan),
    }


def _unit(plan: Plan, name: str) -> dict[str, str]:
    service = plan.services[name]
    return {
        "unit": unit_name(plan, name),
        "memory": show_mib(service.memory.limit_bytes.value),
        "cpus": f"{service.cpus.value:g}",
        "tasks": str(service.pids.value),
        "started": "its models are loaded" if unit_view(plan, name)["wait"] else "its program runs",
    }

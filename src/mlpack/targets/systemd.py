"""systemd on one host: units, their environments, and the script that installs and removes them."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.heartbeat import SILENT_VARIABLE, WATCHDOG_TEMPLATE, forks_tasks, watchdog_path
from mlpack.servers.paths import deploy_folder
from mlpack.spec import ServerName
from mlpack.targets.base import File, Requirements
from mlpack.targets.compose import variables
from mlpack.targets.systemd_script import conda_units, script_view
from mlpack.targets.systemd_unit import grouping, unit_name, unit_view

SERVERS: frozenset[ServerName] = frozenset({"gunicorn", "uvicorn", "celery", "redis", "caddy"})
HEADER = "rendered by mlpack; changes belong in mlpack.yaml, or in a drop-in: systemctl edit NAME"


def view(plan: Plan, requirements: Requirements) -> Mapping[str, object]:  # noqa: ARG001 - the Protocol's
    """The units of every service whose target this is, by file name. Raises SpecError for what no unit can do."""
    for name in services(plan):
        _possible(plan, name)
    return {"units": {unit_name(plan, name): unit_view(plan, name) for name in services(plan)}}


def files(plan: Plan, requirements: Requirements) -> tuple[File, ...]:
    """A unit and an environment per service, what binds them together, the journal's bounds, install.sh."""
    view(plan, requirements)
    folder = f"{deploy_folder(plan.profiles)}/systemd"
    made = [
        File(f"{folder}/{grouping(plan)}", "targets/systemd/group.target.j2", {"header": HEADER, "name": plan.name})
    ]
    for name in services(plan):
        if path := watchdog_path(plan, name):
            values = {"header": HEADER, "variable": SILENT_VARIABLE, "prefork": forks_tasks(plan, name)}
            made.append(File(path, WATCHDOG_TEMPLATE, values))
        values = {"header": HEADER, **unit_view(plan, name)}
        made.append(File(f"{folder}/{unit_name(plan, name)}", "targets/systemd/unit.service.j2", values))
        lines = {"header": HEADER, "service": name, "variables": variables(plan, name)}
        made.append(File(f"{folder}/{name}.env", "targets/compose/service.env.j2", lines))
    journal: dict[str, object] = {"header": HEADER, **journal_view(plan)}
    made.append(File(f"{folder}/journald@{plan.name}.conf", "targets/systemd/journald.conf.j2", journal))
    if conda_units(plan):
        made.append(File(f"{folder}/conda_env.py", "image/conda_env.py.j2", {"header": HEADER}))
    if waits(plan):
        made.append(File(f"{folder}/wait_ready.py", "targets/systemd/wait_ready.py.j2", {"header": HEADER}))
    script = {"header": HEADER, **script_view(plan, requirements)}
    made.append(File(f"{folder}/install.sh", "targets/systemd/install.sh.j2", script, mode=0o755))
    return tuple(made)


def services(plan: Plan) -> tuple[str, ...]:
    """The services that run as units, in the order of the spec."""
    return tuple(name for name, service in plan.services.items() if service.target == "systemd")


def waits(plan: Plan) -> bool:
    """Some unit is started only when its models are loaded."""
    return any(unit_view(plan, name)["wait"] for name in services(plan))


def journal_view(plan: Plan) -> dict[str, str]:
    """The project's own journal: as much as all its services' log files in containers together."""
    settings = plan.spec.settings
    total = settings.log_max_bytes * settings.log_files * len(services(plan))
    return {"file": f"{settings.log_max_bytes // 1024}K", "total": f"{total // 1024}K"}


def _possible(plan: Plan, name: str) -> None:
    where = f"services.{name}"
    if plan.services[name].replicas.value > 1:
        hint = "use workers, or `target: compose`"
        raise SpecError("a unit runs one copy of a service", where=f"{where}.replicas", hint=hint)
    if plan.spec.services[name].image is not None:
        raise SpecError("a unit runs no image", where=f"{where}.image", hint="write `target: compose` for it")
    if any(plan.spec.models[model].path is None for model in plan.spec.services[name].models):
        hint = "download the model into the project and write `path:`"
        raise SpecError("units take models from files, not from a hub", where=f"{where}.models", hint=hint)

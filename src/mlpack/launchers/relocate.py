"""The plan as it reads on this machine without containers: host paths, loopback addresses, free ports. Nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers import SERVERS

NEEDS_NETWORK = frozenset({"proxy", "watch"})
"""Roles whose rendered settings name other containers; they are left out, aloud."""


def relocated(plan: Plan, root: str, ports: Mapping[str, int]) -> Plan:
    """``plan`` with its root at ``root`` and each service at 127.0.0.1 on ``ports[service]``.

    argv, environment and addresses are then made by the same code that rendering uses. Models lie where the project
    has them: a ``mount`` of their own exists in containers only.
    """
    models = {name: model.model_copy(update={"mount": None}) for name, model in plan.spec.models.items()}
    settings = plan.spec.settings.model_copy(update={"publish_host": "127.0.0.1"})
    spec = plan.spec.model_copy(update={"root": root, "models": models, "settings": settings})
    services = {
        name: service.model_copy(update={"target": "systemd", "port": ports.get(name), "publish": ports.get(name)})
        for name, service in plan.services.items()
    }
    return plan.model_copy(update={"spec": spec, "services": services})


def local_argv(plan: Plan, name: str) -> tuple[str, ...]:
    """The command of service ``name`` of a relocated plan; gunicorn's rendered file says another address, argv wins."""
    service = plan.services[name]
    argv = SERVERS[service.server].argv(plan, name)
    if service.server == "gunicorn":
        return (argv[0], "--bind", f"127.0.0.1:{service.port}", *argv[1:])
    return argv


def left_out(plan: Plan) -> dict[str, str]:
    """Services that cannot run as local processes, each with the reason."""
    return {
        name: f"{service.server}'s rendered settings name containers"
        for name, service in plan.services.items()
        if SERVERS[service.server].FACTS.role in NEEDS_NETWORK
    }


def stand_ins(plan: Plan) -> dict[str, str]:
    """Left-out service -> the service that its requests go to instead (what a proxy stands before)."""
    names = left_out(plan)
    return {name: to for name in names if (to := plan.spec.services[name].to) is not None and to not in names}

"""How a Celery worker's health is told: a mark that its parent leaves at every heartbeat, and a look at its age.

`celery inspect ping` would import the app beside the running one (245 MiB and 3.2 s with torch, facts.md). The mark is
left by the signal `heartbeat_sent` (celery/worker/heartbeat.py), which comes from the loop that takes tasks.
"""

from __future__ import annotations

from mlpack.plan import Plan
from mlpack.servers.paths import deploy_folder

TEMPLATE = "servers/celery/heartbeat.py.j2"
OLDEST_S = 30
"""Celery sends one each 2 s; on a machine ten times overloaded 30 s are still none."""


def heartbeat_path(plan: Plan, name: str) -> str | None:
    """The rendered file of service ``name``, relative to the project; None where there is none.

    Units have no health check. A solo worker is deaf during a task, and so sends nothing (measured, facts.md). Images
    of the user's own may start Celery in another folder than the project's, where it would not find the module.
    """
    service, spec = plan.services[name], plan.spec.services[name]
    dockerfile = (spec.build and spec.build.dockerfile) or plan.spec.build.dockerfile
    if service.server != "celery" or service.target == "systemd" or spec.pool == "solo" or spec.image or dockerfile:
        return None
    return f"{deploy_folder(plan.profiles)}/{name}_heartbeat.py"


def heartbeat_module(plan: Plan, name: str) -> str | None:
    """The same as Celery imports it from the project's folder, in which it runs."""
    path = heartbeat_path(plan, name)
    return path.removesuffix(".py").replace("/", ".") if path else None


def heartbeat_test(plan: Plan, name: str) -> list[str] | None:
    """The check, in the words of a compose file."""
    path = heartbeat_path(plan, name)
    return ["CMD", "python", "-I", "-S", f"{plan.spec.root_path}/{path}", str(OLDEST_S)] if path else None

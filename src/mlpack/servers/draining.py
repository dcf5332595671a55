"""A uvicorn behind a proxy that balances replicas stops without losing a request: a small rendered program starts it.

uvicorn's supervisor keeps the listening socket until its last worker has ended: who connects meanwhile waits for nobody
and is reset at the end (502: a proxy sends no POST twice). uvicorn has no hook for it that an option could set.
"""

from __future__ import annotations

from mlpack.plan import Plan
from mlpack.servers.address import CONTAINER_TARGETS
from mlpack.servers.paths import deploy_folder

TEMPLATE = "servers/uvicorn/uvicorn.py.j2"


def draining_path(plan: Plan, name: str) -> str | None:
    """The program that starts service ``name``, relative to the project; None where uvicorn's own command does.

    Only replicas behind a proxy can take each other's requests, and only in containers are there several of them.
    """
    service = plan.services[name]
    proxied = any(other.to == name for other in plan.spec.services.values())
    alone = service.server != "uvicorn" or service.target not in CONTAINER_TARGETS or not proxied
    if alone or (plan.spec.settings.reload and service.workers.value == 1):
        return None
    return f"{deploy_folder(plan.profiles)}/{name}_uvicorn.py"

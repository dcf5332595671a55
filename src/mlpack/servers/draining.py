"""An app behind a proxy that balances replicas stops without losing a request.

uvicorn's supervisor and gunicorn's workers keep the listening socket until the last request has ended: who connects
meanwhile waits for nobody and is reset at the end (502: a proxy sends no POST twice). gunicorn's settings file has a
hook for it; uvicorn has none that an option could set, so that a small rendered program starts it.
"""

from __future__ import annotations

from mlpack.plan import Plan
from mlpack.servers.address import CONTAINER_TARGETS
from mlpack.servers.gunicorn import worker_class
from mlpack.servers.paths import deploy_folder

TEMPLATE = "servers/uvicorn/uvicorn.py.j2"


def drains(plan: Plan, name: str) -> bool:
    """Whether a stop of service ``name`` is made to lose no request.

    Only replicas behind a proxy can take each other's requests, and only in containers are there several of them.
    """
    service = plan.services[name]
    proxied = any(other.to == name for other in plan.spec.services.values())
    if service.server not in ("gunicorn", "uvicorn") or service.target not in CONTAINER_TARGETS or not proxied:
        return False
    return service.server == "gunicorn" or not (plan.spec.settings.reload and service.workers.value == 1)


def draining_path(plan: Plan, name: str) -> str | None:
    """The program that starts service ``name``, relative to the project; None where the server's own command does."""
    if plan.services[name].server != "uvicorn" or not drains(plan, name):
        return None
    return f"{deploy_folder(plan.profiles)}/{name}_uvicorn.py"


def taking_class(plan: Plan, name: str) -> str:
    """The worker class of a gunicorn whose workers must be made to take what waits for them; empty for all others.

    ``asgi`` takes connections as they come and closes its socket before it waits for requests (facts.md).
    """
    chosen = worker_class(plan, name) if plan.services[name].server == "gunicorn" and drains(plan, name) else ""
    return chosen if chosen in ("gthread", "sync") else ""

"""Several cards under one server: every worker has a card of its own, and a replaced one takes the card that is free.

gunicorn does it in its settings file. uvicorn spawns its workers and Celery forks its children, with no hook that a
settings file could use: both get a small rendered module. Each process takes a lock that ends with it, so that no two
living ones share a card by accident.
"""

from __future__ import annotations

from collections.abc import Sequence

from mlpack.plan import GpuPlan, Plan
from mlpack.servers.paths import deploy_folder
from mlpack.spec import ServerName

WITH_MODULE: frozenset[ServerName] = frozenset({"uvicorn", "celery"})
TEMPLATE = "servers/cards/cards.py.j2"


def worker_cards(gpu: GpuPlan | None) -> Sequence[str]:
    """For every worker the card it shall see; empty where all see the same one, which needs no telling."""
    if gpu is None or len(gpu.cards) == 1:
        return ()
    return tuple(gpu.cards[seat].key for seat in gpu.seats)


def cards_module(plan: Plan, name: str) -> str | None:
    """The name of service ``name``'s module; None where its workers need none."""
    service = plan.services[name]
    return f"{name}_cards" if service.server in WITH_MODULE and worker_cards(service.gpu) else None


def cards_path(plan: Plan, name: str) -> str | None:
    """The module's file, relative to the project; None where the workers need none."""
    module = cards_module(plan, name)
    return f"{deploy_folder(plan.profiles)}/{module}.py" if module else None


def cards_values(plan: Plan, name: str) -> dict[str, object]:
    """What the module says: the cards, and for uvicorn the app that it hands on."""
    service = plan.services[name]
    app = plan.spec.services[name].app or ""
    return {
        "cards": worker_cards(service.gpu),
        "place": f"{plan.name}-{name}",
        "app": app.removesuffix("()") if service.server == "uvicorn" else "",
    }

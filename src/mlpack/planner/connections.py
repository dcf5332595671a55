"""Who joins a service at once: connections that a database must have, processes that a head must hold. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlpack.plan import ServicePlan
from mlpack.report import Finding
from mlpack.spec import Spec

RESERVED = 3
"""PostgreSQL's `superuser_reserved_connections`: for who puts a full server right."""


def notes(spec: Spec, plans: Mapping[str, ServicePlan]) -> Iterable[Finding]:
    """A warning for each database whose `max_connections` its services exceed together, one connection a request."""
    for name, database in plans.items():
        if database.server != "postgres":
            continue
        wanted = {other: _wanted(plans[other]) for other in plans if _uses(spec, other, name)}
        room = database.concurrency.value - RESERVED
        if sum(wanted.values()) > room:
            listed = ", ".join(f"{other} {number}" for other, number in wanted.items())
            yield Finding(
                code="connections-short",
                severity="warning",
                message=f"{sum(wanted.values())} requests at once may each want a connection to {name} ({listed}), "
                f"and it gives {room}",
                where=f"services.{name}",
                hint="bound the pool in the app, or let fewer in: workers, concurrency",
            )


def joining(spec: Spec, name: str, *, measured: bool, cores: float) -> int:
    """Processes that may join ``name`` at once beyond those it was measured with.

    The workers of one more replica of each service: while one is replaced or added, the head holds the processes of
    the old and of the new. A measurement has the others already. Workers that are left to the planner are at most one
    for each of the host's ``cores``.
    """
    joined = [service for other, service in spec.services.items() if _uses(spec, other, name)]
    found = 0
    for service in joined:
        replicas = 1 if measured else 1 + (service.replicas or 1)
        found += replicas * (service.workers or max(1, int(cores)))
    return found


def _uses(spec: Spec, name: str, of: str) -> bool:
    return any(value.of == of for value in spec.services[name].env.values())


def _wanted(plan: ServicePlan) -> int:
    return plan.replicas.value * plan.workers.value * plan.concurrency.value

"""Whether a database has a connection for everybody who may want one at once. Pure."""

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


def _uses(spec: Spec, name: str, database: str) -> bool:
    return any(value.of == database for value in spec.services[name].env.values())


def _wanted(plan: ServicePlan) -> int:
    return plan.replicas.value * plan.workers.value * plan.concurrency.value

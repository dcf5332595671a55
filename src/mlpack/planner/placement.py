"""Where a service runs: target, the port it listens on and the one the host publishes. On what: ``gpu_choice``."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.planner.subject import Subject
from mlpack.spec import Service, Spec, TargetName

PLAIN_PORT = 80
CONTAINER_TARGETS: frozenset[TargetName] = frozenset({"compose", "swarm", "kubernetes"})


def target_of(spec: Spec, service: Service) -> TargetName:
    """The service's own target, else the project's."""
    return service.target or spec.target


def port_of(subject: Subject) -> int | None:
    """The port the service listens on: the spec's, else the program's customary one (another with a domain)."""
    tls = subject.facts.tls_port if subject.service.domain else None
    return subject.service.port or tls or subject.facts.port


def published(subjects: Mapping[str, Subject]) -> dict[str, int | None]:
    """The host port of each service: the spec's, else its own port for the service that faces the user.

    The proxy faces the user; where there is none, every app does. A container that a unit of the host connects to (its
    queue) is published too, on loopback. Raises SpecError where two want the same port (that of a redirect included),
    or where several replicas do.
    """
    roles = {subject.facts.role for subject in subjects.values()}
    facing = "proxy" if "proxy" in roles else "app"
    from_host = _asked_from_host(subjects)
    ports: dict[str, int | None] = {}
    owners: dict[int, str] = {}
    for name, subject in subjects.items():
        own = port_of(subject) if subject.facts.role == facing or name in from_host else None
        port = ports[name] = subject.service.publish or own
        if port is None:
            continue
        where = f"services.{name}.publish"
        redirect = redirect_port(subject, port)
        for taken in (port, redirect):
            if taken is not None and taken in owners:
                what = f"{owners[taken]} and {name} both want host port {taken}"
                raise SpecError(what, where=where, hint="give one another `publish`")
        if (subject.service.replicas or 1) > 1:
            raise SpecError(
                f"{subject.service.replicas} replicas of {name} cannot share host port {port}",
                where=where,
                hint=f"put a proxy before them: `proxy: {{server: caddy, to: {name}}}`",
            )
        owners |= {taken: name for taken in (port, redirect) if taken is not None}
    return ports


def redirect_port(subject: Subject, publish: int | None) -> int | None:
    """The host port whose visitors are sent to HTTPS: 80, where a proxy with a domain publishes the HTTPS port."""
    if subject.facts.role != "proxy" or subject.service.domain is None or publish != subject.facts.tls_port:
        return None
    return PLAIN_PORT


def _asked_from_host(subjects: Mapping[str, Subject]) -> frozenset[str]:
    """Containers that a unit of the host connects to: on loopback, where the target puts them."""
    units = [subject.service for subject in subjects.values() if subject.target == "systemd"]
    asked = {value.of for service in units for value in service.env.values()} | {service.to for service in units}
    return frozenset(name for name in subjects if name in asked and subjects[name].target in CONTAINER_TARGETS)

"""Where a service runs: target, the port it listens on and the one the host publishes. On what: ``gpu_choice``."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import SpecError
from mlpack.planner.subject import Subject
from mlpack.spec import Service, Spec, TargetName

CONTAINER_TARGETS: frozenset[TargetName] = frozenset({"compose", "swarm", "kubernetes"})


def target_of(spec: Spec, service: Service) -> TargetName:
    """The service's own target, else the project's."""
    return service.target or spec.target


def port_of(subject: Subject) -> int | None:
    """The port the service listens on: the spec's, else the program's customary one (another with a domain)."""
    tls = subject.facts.tls_port if subject.service.domain else None
    return subject.service.port or tls or subject.facts.port


def _asked_from_host(subjects: Mapping[str, Subject], name: str) -> bool:
    """``name`` runs in a container, and a unit of the host connects to it: on loopback, where the target puts it."""
    if subjects[name].target not in CONTAINER_TARGETS:
        return False
    units = [subject.service for subject in subjects.values() if subject.target == "systemd"]
    return any(value.of == name for service in units for value in service.env.values()) or any(
        service.to == name for service in units
    )


def published(subjects: Mapping[str, Subject]) -> dict[str, int | None]:
    """The host port of each service: the spec's, else its own port for the service that faces the user.

    The proxy faces the user; where there is none, every app does. A container that a unit of the host connects to (its
    queue) is published too, on loopback. Raises SpecError where two want the same port, or
    where several replicas do.
    """
    # One port a service: a proxy with a domain publishes HTTPS only, so that http:// on port 80 is not redirected.
    roles = {subject.facts.role for subject in subjects.values()}
    facing = "proxy" if "proxy" in roles else "app"
    ports: dict[str, int | None] = {}
    owners: dict[int, str] = {}
    for name, subject in subjects.items():
        own = port_of(subject) if subject.facts.role == facing or _asked_from_host(subjects, name) else None
        port = ports[name] = subject.service.publish or own
        if port is None:
            continue
        where = f"services.{name}.publish"
        if port in owners:
            raise SpecError(
                f"{owners[port]} and {name} both want host port {port}", where=where, hint="give one another `publish`"
            )
        if (subject.service.replicas or 1) > 1:
            raise SpecError(
                f"{subject.service.replicas} replicas of {name} cannot share host port {port}",
                where=where,
                hint=f"put a proxy before them: `proxy: {{server: caddy, to: {name}}}`",
            )
        owners[port] = name
    return ports

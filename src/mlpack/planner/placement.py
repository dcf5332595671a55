"""Where a service runs and on what: target, device, the port it listens on and the one the host publishes."""

from __future__ import annotations

from collections.abc import Mapping

from mlpack.errors import DoesNotFit, SpecError
from mlpack.host import HostFacts
from mlpack.planner.subject import Subject
from mlpack.report import Finding
from mlpack.spec import Service, Spec, TargetName

CONTAINER_TARGETS: frozenset[TargetName] = frozenset({"compose", "swarm", "kubernetes"})


def target_of(spec: Spec, service: Service) -> TargetName:
    """The service's own target, else the project's."""
    return service.target or spec.target


def require_cpu(host: HostFacts, spec: Spec) -> tuple[Finding, ...]:
    """Settle every service on the CPU; a card that stays idle is mentioned.

    Raises DoesNotFit where a service insists on a card: naming what this host lacks, or that mlpack plans none yet.
    """
    cards = host.gpus.devices
    for name, service in spec.services.items():
        if not service.models or (service.device or spec.device) != "gpu":
            continue
        where = f"services.{name}.device" if service.device else "device"
        hint = "use `device: cpu`, or `auto`"
        if not any(card.vendor == "nvidia" for card in cards):
            there = f"only {', '.join(card.name for card in cards)}" if cards else "no card"
            raise DoesNotFit(
                f"{name} asks for a gpu, but this host has no NVIDIA card ({there})", where=where, hint=hint
            )
        raise DoesNotFit(
            f"{name} asks for a gpu ({cards[0].name}): gpu services are not planned for yet", where=where, hint=hint
        )
    usable = [card for card in cards if card.vendor == "nvidia"]
    asked = any(service.models and (service.device or spec.device) == "auto" for service in spec.services.values())
    if not usable or not asked:
        return ()
    message = f"{usable[0].name} is not used: everything is planned for the CPU"
    return (Finding(code="gpu-not-used", severity="note", message=message, where="device"),)


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

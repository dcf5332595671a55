"""How services find each other: the closed list of facts behind ``{from: name.fact}``, and a service's environment."""

from __future__ import annotations

from mlpack.errors import SpecError
from mlpack.plan import Plan
from mlpack.servers import SERVERS
from mlpack.servers.address import address
from mlpack.servers.paths import model_path, ready_folder
from mlpack.spec import FactName


def fact(plan: Plan, of: str, fact: FactName, *, viewer: str | None = None) -> str:
    """``{from: of.fact}`` as text, as service ``viewer`` sees it (host and url differ across targets).

    Seconds and counts are plain numbers, ``max_body`` is bytes. Raises SpecError where there is no such thing.
    """
    where = f"{of}.{fact}" if viewer is None else f"services.{viewer}.env: {of}.{fact}"
    if of in plan.spec.models:
        if fact == "path":
            return model_path(plan.spec, of)
        raise SpecError(f"a model has no {fact!r}", where=where, hint=f"a model's only fact is {of}.path")
    if of not in plan.services:
        raise SpecError(f"there is no model or service named {of!r}", where=where)
    value = _service_fact(plan, of, fact, viewer)
    if value is None:
        hint = f"set services.{of}.{fact}" if fact in ("port", "max_body") else f"{of} is a service: ask for its url"
        raise SpecError(f"service {of} has no {fact}", where=where, hint=hint)
    return value


def environment(plan: Plan, name: str) -> dict[str, str]:
    """The variables of service ``name``: mlpack's own, then the user's, which win.

    Secrets are not among them, and URLs come without passwords: ``servers.secrets`` names both.
    """
    variables = {key: decided.value for key, decided in plan.services[name].environment.items()}
    for key, value in plan.spec.services[name].env.items():
        if value.text is not None:
            variables[key] = value.text
        elif value.of is not None and value.fact is not None:
            variables[key] = fact(plan, value.of, value.fact, viewer=name)
        elif value.secret is not None:
            variables.pop(key, None)
    return variables


def secrets(plan: Plan, name: str) -> dict[str, str]:
    """Variable -> name of the secret it holds, for service ``name``; the values are never rendered."""
    return {key: value.secret for key, value in plan.spec.services[name].env.items() if value.secret is not None}


def upstreams(plan: Plan, name: str) -> tuple[str, ...]:
    """The services that ``name`` needs to be there first, from ``to`` and ``from``; sorted, models left out."""
    service = plan.spec.services[name]
    wanted = {value.of for value in service.env.values() if value.of} | ({service.to} if service.to else set())
    return tuple(sorted(other for other in wanted if other in plan.services and other != name))


def _service_fact(plan: Plan, of: str, fact: FactName, viewer: str | None) -> str | None:
    service = plan.services[of]
    spec = plan.spec.services[of]
    host, port = address(plan, of, viewer)
    numbers = {"workers": service.workers, "threads": service.threads, "concurrency": service.concurrency}
    if fact in numbers:
        return str(numbers[fact].value)
    if fact == "timeout":
        return f"{service.times.request_s.value:g}"
    if fact == "redelivery":
        return None if service.times.redelivery_s is None else str(service.times.redelivery_s.value)
    if fact == "ready":
        return ready_folder(plan, of)
    if fact == "max_body":
        return None if spec.max_body_bytes is None else str(spec.max_body_bytes)
    if fact == "host":
        return host
    if fact == "port":
        return None if port is None else str(port)
    if fact == "url":
        template = SERVERS[service.server].FACTS.url
        return None if template is None or port is None else template.format(host=host, port=port)
    return None

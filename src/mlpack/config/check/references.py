"""Do names point at something? Models and services share one namespace; ``from`` and ``to`` form no circle."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from mlpack.config.check.said import Said
from mlpack.config.normalise import choices_hint
from mlpack.servers import SERVERS
from mlpack.spec import EnvValue, Spec


def check(spec: Spec) -> Iterator[Said]:
    """Unknown models, volumes, services, facts and secrets; names used twice; circles."""
    for name in sorted(set(spec.models) & set(spec.services)):
        yield Said(
            f"services.{name}", f"`{name}` is a model too", "models and services share one namespace: rename one"
        )
    for name, service in spec.services.items():
        at = f"services.{name}"
        for index, model in enumerate(service.models):
            if model not in spec.models:
                yield Said(f"{at}.models.{index}", f"there is no model `{model}`", choices_hint(model, spec.models))
        for index, volume in enumerate(service.volumes):
            if volume not in spec.volumes:
                hint = choices_hint(volume, spec.volumes)
                yield Said(f"{at}.volumes.{index}", f"there is no volume `{volume}`", hint)
        if service.to is not None:
            yield from _to(spec, name, service.to)
        for key, value in service.env.items():
            yield from env_value(spec, f"{at}.env.{key}", value)
    for name, request in spec.requests.items():
        for index, step in enumerate(request.steps):
            for key, value in step.headers.items():
                yield from env_value(spec, f"requests.{name}.steps.{index}.headers.{key}", value)
    yield from _circle(spec)


def _to(spec: Spec, name: str, to: str) -> Iterator[Said]:
    """Is there a service behind proxy ``name``? That others have no ``to`` is said by the check of services."""
    if SERVERS[spec.services[name].server].FACTS.role != "proxy":
        return
    if to == name:
        yield Said(f"services.{name}.to", "a service cannot stand before itself", "name the service behind it")
    elif to not in spec.services:
        yield Said(f"services.{name}.to", f"there is no service `{to}`", choices_hint(to, spec.services))


def env_value(spec: Spec, at: str, value: EnvValue) -> Iterator[Said]:
    """Does ``value``'s fact or secret exist?"""
    if value.secret is not None and value.secret not in spec.secrets:
        hint = choices_hint(value.secret, spec.secrets) if spec.secrets else f"add `secrets: [{value.secret}]`"
        yield Said(f"{at}.secret", f"there is no secret `{value.secret}`", hint)
    if value.of is None:
        return
    if value.of in spec.models:
        if value.fact != "path":
            yield Said(f"{at}.fact", f"a model has no `{value.fact}`", f"write {{from: {value.of}.path}}")
    elif value.of not in spec.services:
        hint = choices_hint(value.of, [*spec.services, *spec.models])
        yield Said(f"{at}.of", f"there is no service or model `{value.of}`", hint)
    else:
        yield from _service_fact(spec, at, value.of, value.fact)


def _service_fact(spec: Spec, at: str, of: str, fact: str | None) -> Iterator[Said]:
    """Does service ``of`` have ``fact``? Those that the planner decides always exist."""
    service = spec.services[of]
    facts = SERVERS[service.server].FACTS
    port = service.port or facts.port
    if fact == "path":
        yield Said(f"{at}.fact", "a service has no `path`", "only models have one; services have url, host, port ...")
    elif (fact == "port" and port is None) or (fact == "url" and (port is None or facts.url is None)):
        what = f"`{of}` has no {fact}: {service.server} listens nowhere"
        yield Said(f"{at}.fact", what, "name a service that listens")
    elif fact == "redelivery" and facts.chain != "queue":
        yield Said(f"{at}.fact", f"`{of}` has no redelivery", "only a queue's worker has one, like server: celery")
    elif fact == "max_body" and service.max_body_bytes is None:
        yield Said(f"{at}.fact", f"`{of}` has no max_body", f"add max_body to services.{of}, like max_body: 8M")


def _circle(spec: Spec) -> Iterator[Said]:
    """A circle of ``from`` and ``to`` edges, if there is one: nobody in it could be started first."""
    # service -> what it needs -> where it says so
    edges: dict[str, dict[str, str]] = {name: {} for name in spec.services}
    for name, service in spec.services.items():
        wanted = [(f"services.{name}.env.{key}", value.of) for key, value in service.env.items()]
        for at, other in [*wanted, (f"services.{name}.to", service.to)]:
            if other in spec.services and other is not None and other != name:
                edges[name].setdefault(other, at)
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]  # graphlib lists what is needed first; we read "a needs b"
        first, second = circle[:2]
        yield Said(edges[first][second], f"a circle: {' -> '.join(circle)}", "one of these must not need the next")

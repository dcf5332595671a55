"""Do names point at something? Models and services share one namespace; ``from`` and ``to`` form no circle."""

from __future__ import annotations

from collections.abc import Iterator

from mlpack.config.check.said import Said
from mlpack.config.normalise import choices_hint
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
                yield Said(
                    f"{at}.volumes.{index}", f"there is no volume `{volume}`", choices_hint(volume, spec.volumes)
                )
        if service.to == name:
            yield Said(f"{at}.to", "a service cannot stand before itself", "name the service behind it")
        elif service.to is not None and service.to not in spec.services:
            yield Said(f"{at}.to", f"there is no service `{service.to}`", choices_hint(service.to, spec.services))
        for key, value in service.env.items():
            yield from env_value(spec, f"{at}.env.{key}", value)
    for name, request in spec.requests.items():
        for index, step in enumerate(request.steps):
            for key, value in step.headers.items():
                yield from env_value(spec, f"requests.{name}.steps.{index}.headers.{key}", value)
    yield from _circle(spec)


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
    elif value.fact == "path":
        yield Said(f"{at}.fact", "a service has no `path`", "only models have one; services have url, host, port ...")


def _circle(spec: Spec) -> Iterator[Said]:
    """The first circle of ``from`` and ``to`` edges: nobody in it could be started first."""
    edges = {
        name: [
            (f"services.{name}.env.{key}", value.of)
            for key, value in service.env.items()
            if value.of in spec.services and value.of != name
        ]
        + [(f"services.{name}.to", service.to)] * (service.to in spec.services and service.to != name)
        for name, service in spec.services.items()
    }
    done: set[str] = set()
    for start in spec.services:
        trail: list[str] = []
        found = _walk(start, edges, trail, done)
        if found is not None:
            at, circle = found
            yield Said(at, f"a circle: {' -> '.join(circle)}", "one of these must not need the other")
            return


def _walk(
    name: str, edges: dict[str, list[tuple[str, str | None]]], trail: list[str], done: set[str]
) -> tuple[str, list[str]] | None:
    """Depth first from ``name``: the edge that closes a circle, and the circle."""
    if name in done:
        return None
    trail.append(name)
    for at, other in edges[name]:
        if other is None:
            continue
        if other in trail:
            return at, [*trail[trail.index(other) :], other]
        found = _walk(other, edges, trail, done)
        if found is not None:
            return found
    trail.pop()
    done.add(name)
    return None

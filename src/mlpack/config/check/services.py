"""Is each service whole, and does nothing in it contradict its server?"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from mlpack.config.check.said import Said
from mlpack.servers import SERVERS
from mlpack.servers.base import Role
from mlpack.spec import Call, Model, Service, Spec

RUNS_AN_APP: tuple[Role, ...] = ("app", "worker", "actors")
_APP = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.\w+)*(\([^()]*\))?")
_CELERY_APP = re.compile(rf"{_APP.pattern}|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_CALL = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.\w+)*")
_ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
_PYTHON = re.compile(r"3\.\d{1,2}(\.\d{1,2})?")


def check(spec: Spec) -> Iterator[Said]:
    """Needed and misplaced fields of every service, model and build; host ports published twice."""
    if not spec.services:
        yield Said(
            "services", "there is no service", "write at least one, like services: {web: {server: gunicorn, ...}}"
        )
    for name, model in spec.models.items():
        yield from _model(f"models.{name}", model)
    published: dict[int, str] = {}
    for name, service in spec.services.items():
        at = f"services.{name}"
        yield from _service(at, service)
        if service.repeatable:
            yield from _repeatable(at, spec, name)
        if service.publish is not None:
            first = published.setdefault(service.publish, name)
            if first != name:
                what = f"the host's port {service.publish} is already published by {first}"
                yield Said(f"{at}.publish", what, "give one of them another port")
    builds = [("build", spec.build), *((f"services.{name}.build", s.build) for name, s in spec.services.items())]
    for at, build in builds:
        if build is not None and build.python is not None and not _PYTHON.fullmatch(build.python):
            yield Said(f"{at}.python", f"{build.python!r} is not a Python version", 'write it like "3.11"')


def _model(at: str, model: Model) -> Iterator[Said]:
    if (model.path is None) == (model.hub is None):
        what = "has neither path nor hub" if model.path is None else "has both path and hub"
        yield Said(at, what, "a model is a path of the project or a name on a hub: exactly one")


def _service(at: str, service: Service) -> Iterator[Said]:
    role = SERVERS[service.server].FACTS.role
    yield from _needs(at, service, role)
    yield from _misplaced(at, service, role)
    if service.image is not None and service.build is not None and service.build.dockerfile is not None:
        yield Said(f"{at}.image", "has both image and build.dockerfile", "keep one")
    pattern = _CELERY_APP if role == "worker" else _APP
    if service.app is not None and role in RUNS_AN_APP and not pattern.fullmatch(service.app):
        yield Said(f"{at}.app", f"{service.app!r} is not module:attribute", 'write it like "app:app"')
    if service.domain is not None and not _DOMAIN.fullmatch(service.domain):
        yield Said(f"{at}.domain", f"{service.domain!r} is not a host name", "write it like app.example.org")
    if service.health is not None and not service.health.startswith("/"):
        yield Said(f"{at}.health", f"{service.health!r} is not a path", "write it like /health")
    if service.measure is not None and role in RUNS_AN_APP:
        yield from _call(f"{at}.measure", service.measure)
    for key in service.env:
        if not _ENV_KEY.fullmatch(key):
            yield Said(f"{at}.env.{key}", f"{key!r} cannot name a variable", "letters, digits and _, no digit first")


def _call(at: str, call: Call) -> Iterator[Said]:
    if not _CALL.fullmatch(call.call):
        yield Said(f"{at}.call", f"{call.call!r} is not module:function", 'write it like "backend.tasks:analyze"')
    for name in call.kwargs:
        if not name.isidentifier() or keyword.iskeyword(name):
            yield Said(f"{at}.kwargs.{name}", f"{name!r} cannot name an argument", "write it as in Python")


def _needs(at: str, service: Service, role: Role) -> Iterator[Said]:
    if role in RUNS_AN_APP and service.app is None:
        yield Said(at, f"{service.server} needs `app`", 'write what it runs, like app: "app:app"')
    if role == "llm" and not service.models:
        yield Said(at, f"{service.server} needs `models`", "name the model it serves, like models: [llm]")
    if role == "proxy" and service.to is None:
        yield Said(at, f"{service.server} needs `to`", "name the service behind it, like to: web")


def _misplaced(at: str, service: Service, role: Role) -> Iterator[Said]:
    """Fields that this server would silently ignore."""
    if service.app is not None and role not in RUNS_AN_APP:
        yield Said(f"{at}.app", f"{service.server} runs no app", f"servers that do: {_servers(*RUNS_AN_APP)}")
    if service.measure is not None and role not in RUNS_AN_APP:
        what = f"{service.server} runs no code of the project, so there is nothing to call"
        yield Said(f"{at}.measure", what, f"servers that do: {_servers(*RUNS_AN_APP)}")
    if service.pool is not None and service.pool not in SERVERS[service.server].FACTS.pools:
        pooled = ", ".join(name for name, server in SERVERS.items() if server.FACTS.pools)
        yield Said(
            f"{at}.pool", f"{service.server} has no pools, so `pool` has no effect", f"servers that have: {pooled}"
        )
    for field, written in (("to", "to"), ("domain", "domain"), ("rate_per_s", "rate")):
        if getattr(service, field) is not None and role != "proxy":
            what = f"{service.server} is no proxy, so `{written}` has no effect"
            yield Said(f"{at}.{field}", what, f"servers that are: {_servers('proxy')}")


def _repeatable(at: str, spec: Spec, name: str) -> Iterator[Said]:
    """Only nginx is rendered so that it asks twice: Caddy's second try with a body (its issue 7546) is not proven."""
    service = spec.services[name]
    before = [other for other, proxy in spec.services.items() if proxy.to == name]
    if not before:
        what = "no proxy stands before it that could ask again, so `repeatable` has no effect"
        yield Said(f"{at}.repeatable", what, f"add one, like proxy: {{server: nginx, to: {name}}}, or leave it out")
    for other in before:
        proxy = spec.services[other]
        if proxy.server != "nginx":
            what = f"{other} is {proxy.server}, which asks nobody again, so `repeatable` has no effect"
            yield Said(f"{at}.repeatable", what, f"write services.{other}.server: nginx, or leave it out")
        elif proxy.max_body_bytes is None and service.max_body_bytes is None:
            what = f"{other} keeps each body until it is answered, and no `max_body` bounds them"
            yield Said(f"{at}.repeatable", what, f"add max_body to services.{name}, like max_body: 8M")


def _servers(*roles: Role) -> str:
    return ", ".join(name for name, server in SERVERS.items() if server.FACTS.role in roles)

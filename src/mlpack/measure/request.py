"""What a measured worker is asked: the spec's largest HTTP request as bytes, or a call of a task or function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlpack.client.files import Files
from mlpack.client.message import message, with_files
from mlpack.errors import MlpackError, SpecError
from mlpack.spec import Call, Request, Spec, Step


@dataclass(frozen=True)
class RawRequest:
    """A request as it goes over the wire; ``status`` is what must be answered."""

    name: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int = 200
    left_out: tuple[str, ...] = ()
    """Headers whose values are secrets that nobody told: not sent."""


@dataclass(frozen=True)
class RawCall:
    """A call of ``module:function`` with JSON arguments; nothing may be raised."""

    target: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def work_of(spec: Spec, service: str, project: Path, secrets: Mapping[str, str] | None = None) -> RawRequest | RawCall:
    """What to measure ``service`` by: its own ``measure`` where it has one, else the largest request that reaches it.

    Raises SpecError where there is neither, or a file of it cannot be read.
    """
    call = spec.services[service].measure
    if call is not None:
        return _call(call, project, f"services.{service}.measure")
    return largest_request(spec, service, project, secrets)


def largest_request(spec: Spec, service: str, project: Path, secrets: Mapping[str, str] | None = None) -> RawRequest:
    """The largest request that reaches ``service``, itself or through a proxy; of several steps, the first that
    carries a body. ``secrets``: values of headers, by name.

    Raises SpecError when there is none, or when a file of it is missing.
    """
    found = largest_step(spec, service)
    if found is None:
        raise SpecError(
            f"no request reaches service {service!r}, so there is nothing to measure it with",
            where="requests",
            hint=f"add one: requests: {{example: {{largest: true, to: {service}, post: /..., json: {{...}}}}}}, or "
            f'name a task or function: services: {{{service}: {{measure: {{call: "module:function", args: [...]}}}}}}',
        )
    name, step = found
    where = f"requests.{name}"
    if "{" in (step.path or ""):
        raise SpecError(f"{step.path} needs an earlier answer and cannot be sent alone", where=where)
    values = secrets or {}
    known = {key: value for key, value in step.headers.items() if value.text is not None or value.secret in values}
    try:
        sent = message(step.model_copy(update={"headers": known}), Files(project), values, {})
    except MlpackError as error:
        raise SpecError(f"{error.where}: {error.what}", where=where, hint=error.hint) from error
    status = step.expect.status if step.expect else 200
    left_out = tuple(key for key in step.headers if key not in known)
    return RawRequest(name, sent.method, sent.target, sent.headers, sent.body, status, left_out)


def largest_step(spec: Spec, service: str) -> tuple[str, Step] | None:
    """The exchange that stands for the largest request of ``service``, with its request's name."""
    found = [(name, step) for name, request in _by_size(spec) for step in _steps(spec, service, request)]
    return found[0] if found else None


def _by_size(spec: Spec) -> list[tuple[str, Request]]:
    """Requests, those marked largest first."""
    return sorted(spec.requests.items(), key=lambda item: not item[1].largest)


def _steps(spec: Spec, service: str, request: Request) -> list[Step]:
    """Its HTTP steps to ``service``, those with a body first."""
    steps = [step for step in request.steps if step.to is not None and _reaches(spec, step.to, service)]
    return sorted(steps, key=lambda step: step.json_ is None and not step.file)


def _reaches(spec: Spec, to: str, service: str) -> bool:
    seen: set[str] = set()
    at: str | None = to
    while at is not None and at not in seen:
        if at == service:
            return True
        seen.add(at)
        at = spec.services[at].to if at in spec.services else None
    return False


def _call(call: Call, project: Path, where: str) -> RawCall:
    files = Files(project)
    try:
        args, kwargs = with_files(list(call.args), files), with_files(call.kwargs, files)
    except MlpackError as error:
        raise SpecError(f"{error.where}: {error.what}", where=where, hint="args and kwargs name this file") from error
    return RawCall(call.call, tuple(args), kwargs)

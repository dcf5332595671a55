"""The one HTTP request that a measured worker must answer: the spec's largest, written out as bytes."""

from __future__ import annotations

import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import SpecError
from mlpack.spec import Request, Spec, Step

BOUNDARY = "mlpack-7d1f0c6e5b"
"""Fixed, so that the same request has the same bytes; a file that holds it is refused."""


@dataclass(frozen=True)
class RawRequest:
    """A request as it goes over the wire; ``status`` is what must be answered."""

    name: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int = 200


def largest_request(spec: Spec, service: str, project: Path) -> RawRequest:
    """The largest request that reaches ``service``, itself or through a proxy; of several steps, the first that
    carries a body.

    Raises SpecError when there is none, or when a file of it is missing.
    """
    found = [(name, step) for name, request in _by_size(spec) for step in _steps(spec, service, request)]
    if not found:
        raise SpecError(
            f"no request reaches service {service!r}, so there is nothing to measure it with",
            where="requests",
            hint=f"add one: requests: {{example: {{largest: true, to: {service}, post: /..., json: {{...}}}}}}",
        )
    name, step = found[0]
    where = f"requests.{name}"
    if "{" in (step.path or ""):
        raise SpecError(f"{step.path} needs an earlier answer and cannot be sent alone", where=where)
    headers, body = _body(step, project, where)
    texts = [(key, value.text) for key, value in step.headers.items() if value.text is not None]
    status = step.expect.status if step.expect else 200
    return RawRequest(name, step.method, step.path or "/", (*headers, *texts), body, status)


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


def _body(step: Step, project: Path, where: str) -> tuple[tuple[tuple[str, str], ...], bytes]:
    """Headers and bytes of the body: JSON (``{file: name}`` means that file's content), multipart, or none."""
    if step.file:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return (("Content-Type", kind),), _multipart(step.file, project, where)
    if step.json_ is None:
        return (), b""
    value = step.json_
    if isinstance(value, dict) and set(value) == {"file"} and isinstance(value["file"], str):
        return (("Content-Type", "application/json"),), _read(project / value["file"], where)
    return (("Content-Type", "application/json"),), json.dumps(value).encode()


def _multipart(files: dict[str, str], project: Path, where: str) -> bytes:
    parts = []
    for field, name in files.items():
        content = _read(project / name, where)
        if BOUNDARY.encode() in content:
            raise SpecError(f"{name} holds the text {BOUNDARY}, which separates the parts of a form", where=where)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        head = (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{Path(name).name}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        )
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def _read(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SpecError(f"{path} cannot be read: {error.strerror}", where=where) from error

"""Turns a step of mlpack.yaml into the bytes of an HTTP request, the same bytes each time. Pure but for sample files.

Used by verify over the network and by measure inside the app's process.
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from mlpack.client.files import Files
from mlpack.errors import VerifyError
from mlpack.spec import EnvValue, Step

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


@dataclass(frozen=True)
class Message:
    """An HTTP request, ready to send: ``target`` is path and query."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def message(step: Step, files: Files, secrets: Mapping[str, str], known: Mapping[str, Any]) -> Message:
    """The request of an HTTP ``step``. ``secrets``: name -> value. ``known``: keys of earlier JSON answers.

    Raises VerifyError where a placeholder or secret has no value, MlpackError where a sample cannot be read.
    """
    headers = [(name, _value(name, value, secrets)) for name, value in step.headers.items()]
    body = b""
    if step.file:
        body, content_type = _multipart(step.file, files)
        headers.append(("Content-Type", content_type))
    elif step.json_ is not None:
        body = json.dumps(with_files(step.json_, files), ensure_ascii=False).encode("utf-8")
        headers.append(("Content-Type", "application/json"))
    return Message(step.method, fill(step.path or "/", known), tuple(headers), body)


def fill(path: str, known: Mapping[str, Any]) -> str:
    """``path`` with ``{id}`` replaced by the value of that key in earlier JSON answers, percent-encoded."""

    def value(found: re.Match[str]) -> str:
        answer = known.get(found[1])
        if not isinstance(answer, str | int) or isinstance(answer, bool):
            has = ", ".join(sorted(known)) or "nothing"
            raise VerifyError(
                f"no earlier answer has a text or whole number named {found[1]!r}", where=path, hint=f"they have: {has}"
            )
        return quote(str(answer), safe="")

    return _PLACEHOLDER.sub(value, path)


def _value(name: str, value: EnvValue, secrets: Mapping[str, str]) -> str:
    if value.text is not None:
        return value.text
    if value.secret is not None and value.secret in secrets:
        return secrets[value.secret]
    if value.secret is not None:
        raise VerifyError(f"the secret {value.secret!r} of the header {name} has no value", hint="create it first")
    raise VerifyError(f"the header {name} is neither text nor a secret")


def with_files(value: Any, files: Files) -> Any:
    """``value`` with each ``{file: path}`` replaced: a .json file by its JSON, any other by its text."""
    if isinstance(value, dict):
        if set(value) == {"file"} and isinstance(value["file"], str):
            path = value["file"]
            return files.json(path) if PurePosixPath(path).suffix == ".json" else files.text(path)
        return {key: with_files(part, files) for key, part in value.items()}
    return [with_files(part, files) for part in value] if isinstance(value, list | tuple) else value


def _multipart(fields: Mapping[str, str], files: Files) -> tuple[bytes, str]:
    """multipart/form-data (RFC 7578) of files; the boundary is a hash of them: the same bytes each time."""
    contents = {field: files.bytes(path) for field, path in fields.items()}
    digest = hashlib.sha256()
    for content in contents.values():
        digest.update(content)
    boundary = f"mlpack-{digest.hexdigest()[:32]}"
    parts = []
    for field, path in fields.items():
        name = PurePosixPath(path).name
        content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_escaped(field)}"; filename="{_escaped(name)}"\r\n'
            f"Content-Type: {content_type}\r\n\r\n"
        )
        parts.append(head.encode("utf-8") + contents[field] + b"\r\n")
    return b"".join(parts) + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _escaped(name: str) -> str:
    """As browsers do (HTML standard, multipart/form-data encoding)."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")

"""What a measurement depends on, as one hash: when any of it changes, the measurement no longer speaks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.flow.gather import Gathered
from mlpack.model import ModelInfo
from mlpack.project import resolve, sha256_file


def footprint_inputs(gathered: Gathered, name: str, infos: Mapping[str, ModelInfo]) -> str:
    """SHA-256 over the model headers, requirements, app module and largest request of service ``name``.

    Workers, threads and limits are not in it: a measurement holds up to its concurrency and threads.
    """
    spec = gathered.spec
    service = spec.services[name]
    largest = [request for request in spec.requests.values() if request.largest]
    parts = {
        "server": [service.server, service.app, service.interface, service.endpoint],
        "requirements": gathered.requirements.get(name, ()),
        "models": {
            model: [(file.path, file.size_bytes, file.header_sha256) for file in infos[model].files]
            for model in service.models
        },
        "requests": [request.model_dump(mode="json") for request in largest],
        "files": {file: _digest(gathered.root, file) for file in _files(gathered, name, largest)},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _files(gathered: Gathered, name: str, requests: list[Any]) -> list[str]:
    """The app's module, where it is one file of the project, and the files that the requests send."""
    found: set[str] = set()
    app = gathered.spec.services[name].app
    if app is not None:
        found.add(app.partition(":")[0].replace(".", "/") + ".py")
    for request in requests:
        for step in request.steps:
            found |= set(step.file.values()) | _named(step.json_)
    return sorted(found)


def _named(body: Any) -> set[str]:
    """Files named in a JSON body as ``{file: path}``."""
    if isinstance(body, dict):
        if set(body) == {"file"} and isinstance(body["file"], str):
            return {body["file"]}
        return set().union(*(_named(value) for value in body.values())) if body else set()
    if isinstance(body, list):
        return set().union(*(_named(value) for value in body)) if body else set()
    return set()


def _digest(root: Path, file: str) -> str | None:
    path = resolve(root, file)
    return sha256_file(path) if path.is_file() else None

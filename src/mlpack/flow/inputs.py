"""What a measurement depends on, as one hash: when any of it changes, the measurement no longer speaks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlpack.flow.gather import Gathered
from mlpack.measure.request import largest_step
from mlpack.model import ModelInfo
from mlpack.project import resolve, sha256_file
from mlpack.spec import Step

SENT = {"method", "path", "json_", "file", "headers", "to"}
"""Of the largest request, what reaches the app; what is expected of its answer changes no memory."""


def footprint_inputs(gathered: Gathered, name: str, infos: Mapping[str, ModelInfo]) -> str:
    """SHA-256 over the model headers, requirements, Python, app module, variables and largest request (or call) of
    service ``name``.

    Workers, threads and limits are not in it: a measurement holds up to its concurrency and threads. Nor are values
    of secrets, or facts of other services: they are numbers of the plan.
    """
    spec = gathered.spec
    service = spec.services[name]
    build = service.build or spec.build
    asked = None if service.measure is not None else largest_step(spec, name)
    step = asked[1] if asked else None
    call = service.measure
    parts = {
        "server": [service.server, service.app, service.interface, service.endpoint],
        "requirements": gathered.requirements.get(name, ()),
        "models": {
            model: [(file.path, file.size_bytes, file.header_sha256) for file in infos[model].files]
            for model in service.models
        },
        "python": build.python,
        "apt": build.apt,
        "env": {key: value.model_dump(mode="json") for key, value in service.env.items()},
        "runtimes": {model: spec.models[model].runtime for model in service.models},
        "asked": None if step is None else step.model_dump(mode="json", include=SENT),
        "call": None if call is None else call.model_dump(mode="json"),
        "files": {file: _digest(gathered.root, file) for file in _files(gathered, name, step)},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _files(gathered: Gathered, name: str, step: Step | None) -> list[str]:
    """The modules of the app and the call, where they are files of the project, and the files that are sent."""
    found: set[str] = set()
    service = gathered.spec.services[name]
    for target in (service.app, service.measure.call if service.measure else None):
        if target is not None:
            module = target.partition(":")[0].replace(".", "/")
            found |= {file for file in (f"{module}.py", f"{module}/__init__.py") if (gathered.root / file).is_file()}
    if service.measure is not None:
        found |= _named(list(service.measure.args)) | _named(service.measure.kwargs)
    if step is not None:
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

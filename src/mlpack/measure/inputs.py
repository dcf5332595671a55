"""The hash of everything that a measurement depends on: when it changes, the measurement is stale. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from mlpack.measure.request import RawRequest
from mlpack.model import ModelInfo
from mlpack.spec import Service


def inputs_sha256(
    service: Service,
    models: Mapping[str, ModelInfo],
    request: RawRequest,
    *,
    requirements: bytes = b"",
) -> str:
    """Hash of the service's app, its models' headers and sizes, the request, and the requirements' text (versions).

    Concurrency and thread counts are not in it: a footprint is valid up to those that it names, never keyed by them.
    Paths of this machine are not either, so that a colleague's measurement of the same files holds.
    """
    form = {
        "app": service.app,
        "interface": service.interface,
        "server": service.server,
        "models": {name: json.loads(info.model_dump_json()) for name, info in sorted(models.items())},
        "request": [request.method, request.path, request.headers, hashlib.sha256(request.body).hexdigest()],
        "requirements": hashlib.sha256(requirements.replace(b"\r\n", b"\n")).hexdigest(),
    }
    return hashlib.sha256(json.dumps(form, sort_keys=True).encode()).hexdigest()

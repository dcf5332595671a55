"""What is measured, and how the measured process is told: one worker of a service, in the project's own Python."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mlpack.measure.request import RawCall, RawRequest
from mlpack.measure.shorter import shorter

ROUNDS = 5
"""Rounds of concurrent requests: the first fills caches and arenas, the peak settles in the next ones."""
SERVER_MODULES: dict[tuple[str, str], tuple[str, ...]] = {
    ("gunicorn", "wsgi"): ("gunicorn.app.wsgiapp", "gunicorn.workers.gthread"),
    ("gunicorn", "asgi"): ("gunicorn.app.wsgiapp", "gunicorn.workers.gasgi"),
    ("celery", "wsgi"): (
        "celery.bin.worker",
        "celery.apps.worker",
        "celery.concurrency.prefork",
        "celery.worker.consumer",
        "celery.events",
    ),
    ("uvicorn", "asgi"): ("uvicorn.main", "uvicorn.protocols.http.auto", "uvicorn.loops.auto", "uvicorn.lifespan.on"),
}
"""What a worker of the server holds beside the app; imported where installed, so that it is counted."""

CLIENT_MODULES: dict[tuple[str, str], tuple[str, ...]] = {
    ("celery", "redis"): ("kombu.transport.redis", "celery.backends.redis"),
}
"""What a server imports only when it meets its peer, before any child is forked: 8.5 MiB that children share."""


@dataclass(frozen=True)
class Subject:
    """What is measured: one worker of ``service`` in the project's own Python and environment."""

    service: str
    app: str
    """``module:attribute`` or ``module:factory()``; of a called task or function the module alone counts."""
    root: Path
    """The folder that the app is imported from."""
    python: Path
    request: RawRequest | RawCall
    env: Mapping[str, str]
    """All of the child's environment: thread variables, the user's own with paths of this host, PATH."""
    interface: Literal["wsgi", "asgi"] | None = None
    server: str = "gunicorn"
    libraries: tuple[str, ...] = ()
    """Modules of the inference runtimes, imported before the app to tell them apart."""
    model_files: tuple[Path, ...] = ()
    models: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Model -> its files, of ``model_files``; of two or more each one's share is told."""
    seen_at: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Model -> files or folders where the measured process finds them."""


@dataclass(frozen=True)
class Deadlines:
    """Seconds after which a stage counts as hung."""

    load_s: float = 900.0
    request_s: float = 300.0


DEADLINES = Deadlines()


def child_task(subject: Subject, folder: Path | None, concurrency: int) -> dict[str, Any]:
    """What the child is told, as JSON. The request's body (or the call's arguments) goes through a file in
    ``folder``; without one (the child sees other files: a container) it goes with the task."""
    asked = subject.request
    task: dict[str, Any] = {
        "app": subject.app,
        "call": None,
        "interface": subject.interface,
        "libraries": [*SERVER_MODULES.get((subject.server, subject.interface or "wsgi"), ()), *subject.libraries],
        "concurrency": concurrency,
        "rounds": ROUNDS,
        "crowd": False,
        "shorter": list(shorter(asked)),
        "fork": 0,
        "fork_deadline_s": 0,
        "models": {name: list(paths) for name, paths in subject.seen_at.items()},
        "body_file": None,
        "request": None,
    }
    if isinstance(asked, RawCall):
        body = json.dumps({"args": asked.args, "kwargs": asked.kwargs}).encode()
        task["call"] = asked.target
    else:
        body = asked.body
        task["left_out"] = list(asked.left_out)
        headers = [list(pair) for pair in asked.headers]
        task["request"] = {"method": asked.method, "path": asked.path, "headers": headers, "status": asked.status}
    if body and folder is not None:
        file = folder / "body"
        file.write_bytes(body)
        task["body_file"] = str(file)
    elif body:
        task["body_base64"] = base64.b64encode(body).decode()
    return task

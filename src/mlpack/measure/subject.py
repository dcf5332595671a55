"""What is measured, and how the measured process is told: one worker of a service, in the project's own Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlpack.measure.request import RawRequest

ROUNDS = 5
"""Rounds of concurrent requests: the first fills caches and arenas, the peak settles in the next ones."""
SERVER_MODULES: dict[tuple[str, str], tuple[str, ...]] = {
    ("gunicorn", "wsgi"): ("gunicorn.app.wsgiapp", "gunicorn.workers.gthread"),
    ("gunicorn", "asgi"): ("gunicorn.app.wsgiapp", "gunicorn.workers.gasgi"),
    ("uvicorn", "asgi"): ("uvicorn.main", "uvicorn.protocols.http.auto", "uvicorn.loops.auto", "uvicorn.lifespan.on"),
}
"""What a worker of the server holds beside the app; imported where installed, so that it is counted."""


@dataclass(frozen=True)
class Subject:
    """What is measured: one worker of ``service`` in the project's own Python and environment."""

    service: str
    app: str
    """``module:attribute`` or ``module:factory()``."""
    root: Path
    """The folder that the app is imported from."""
    python: Path
    request: RawRequest
    env: Mapping[str, str]
    """All of the child's environment: thread variables, the user's own with paths of this host, PATH."""
    interface: Literal["wsgi", "asgi"] | None = None
    server: str = "gunicorn"
    libraries: tuple[str, ...] = ()
    """Modules of the inference runtimes, imported before the app to tell them apart."""
    model_files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Deadlines:
    """Seconds after which a stage counts as hung."""

    load_s: float = 900.0
    request_s: float = 300.0


DEADLINES = Deadlines()


def child_task(subject: Subject, folder: Path, concurrency: int) -> dict[str, Any]:
    """What the child is told, as JSON; the request's body goes through a file in ``folder``."""
    request = subject.request
    body = folder / "body"
    body.write_bytes(request.body)
    return {
        "app": subject.app,
        "interface": subject.interface,
        "libraries": [*SERVER_MODULES.get((subject.server, subject.interface or "wsgi"), ()), *subject.libraries],
        "concurrency": concurrency,
        "rounds": ROUNDS,
        "fork": 0,
        "fork_deadline_s": 0,
        "request": {
            "method": request.method,
            "path": request.path,
            "headers": [list(pair) for pair in request.headers],
            "body_file": str(body) if request.body else None,
            "status": request.status,
        },
    }

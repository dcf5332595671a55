"""Calls a Celery task or a plain function in place of HTTP requests, as a worker would.

Runs in the measured process: standard library only, nothing newer than Python 3.8 outside annotations.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from mlpack.measure.drive import Wsgi
from mlpack.measure.turns import Failure, Request


class Called(Wsgi):
    """Calls in place of requests, in the same threads as a WSGI app's. ``body_file`` holds the arguments as JSON,
    read anew for each call, as a worker gets them from its queue."""

    def __init__(self, function: Any, body_file: str, concurrency: int) -> None:
        super().__init__(None, Any, concurrency)  # type: ignore[arg-type]  # there is neither app nor request
        self._function, self._body_file = function, body_file
        self._task = "celery" in sys.modules and hasattr(function, "apply") and hasattr(function, "app")
        if not callable(function):
            raise Failure("import", f"{function!r} cannot be called")
        self.interface = "task" if self._task else "function"

    def startup(self) -> None:
        """What a fresh pool process of Celery does before its first task: all task modules are imported, and
        ``worker_process_init`` is sent, which is where tasks' models are loaded if not at import."""
        super().startup()
        if self._task:
            from celery import signals  # type: ignore[import-untyped]

            self._function.app.loader.import_default_modules()
            self._function.app.finalize()
            signals.worker_process_init.send(sender=None)

    def _call(self, asked: Request | None = None) -> None:  # noqa: ARG002 - there is one call only
        with open(self._body_file, "rb") as stream:  # noqa: PTH123 - pathlib would be one more import to measure
            given = json.load(stream)
        if self._task:
            # apply: the task's own wrapping (bind, signals, retries), in this process and without the queue
            self._function.apply(args=given["args"], kwargs=given["kwargs"], throw=True)
            return
        result = self._function(*given["args"], **given["kwargs"])
        if hasattr(result, "__await__"):
            import asyncio

            asyncio.run(result)

"""Follows what the engine reports while `compose up` runs: containers that start and become healthy, as it happens.

`up` returns only when upstream services are healthy; their start-up would be over before anybody looked.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from mlpack.launchers.owner import LABEL
from mlpack.process import end, start


@dataclass(frozen=True)
class Event:
    """A container (full id) started, or its health check said "healthy"; ``at_s`` by the engine's clock."""

    container: str
    what: Literal["started", "healthy"]
    at_s: float


def parse_event(line: str) -> Event | None:
    """One line of `docker events --format '{{json .}}'`; None for what is of no interest here."""
    try:
        value = json.loads(line)
        name, container, at_s = value["Action"], value["Actor"]["ID"], value["timeNano"] / 10**9
    except (ValueError, KeyError, TypeError):
        return None  # warnings of the command line tool
    if name == "start":
        return Event(container, "started", at_s)
    return Event(container, "healthy", at_s) if name == "health_status: healthy" else None


class Following:
    """``with Following(environ, label, tell):`` calls ``tell`` for each event of the run ``label``'s containers, from a
    thread of its own, until the block ends. ``tell`` must not raise."""

    def __init__(self, environ: Mapping[str, str], label: str, tell: Callable[[Event], None]) -> None:
        self._tell = tell
        self._argv = (
            *("docker", "events", "--filter", f"label={LABEL}={label}", "--filter", "type=container"),
            *("--filter", "event=start", "--filter", "event=health_status", "--format", "{{json .}}"),
        )
        self._environ = environ
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._read, name="engine events", daemon=True)

    def __enter__(self) -> Following:
        self._child = start(self._argv, env=self._environ)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child is not None
        self._child.terminate()
        self._thread.join()
        end(self._child, grace_s=2.0)

    def _read(self) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        for line in self._child.stdout:
            event = parse_event(line)
            if event is not None:
                self._tell(event)

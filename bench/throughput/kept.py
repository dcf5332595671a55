"""A long run in pieces: what is measured is kept, and a run may end before everything is."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """What is measured already: one JSON file a case, thrown away when the code, a version or the limit changed."""

    def __init__(self, file: Path, key: str, *, fresh: bool) -> None:
        self._file, self._key = file, key
        held = json.loads(file.read_text()) if file.exists() and not fresh else {}
        self.points: dict[str, Any] = held.get("points", {}) if held.get("key") == key else {}

    def get(self, name: str, measure: Callable[[], Any]) -> Any:
        """The kept value of ``name``, measured where there is none."""
        if name not in self.points:
            self.points[name] = measure()
            self._file.write_text(json.dumps({"key": self._key, "points": self.points}))
        return self.points[name]


class OutOfTime(Exception):
    """--for is used up before everything is measured; what was is kept."""


class Clock:
    """How long this run may still take, for machines that are borrowed for minutes at a time."""

    def __init__(self, most_s: float | None) -> None:
        self._end = None if most_s is None else time.monotonic() + most_s
        self._idle = True

    def need(self, seconds: float) -> None:
        """Raise OutOfTime where ``seconds`` are not left; a run does at least one thing, or none would ever end."""
        if not self._idle and self._end is not None and time.monotonic() + seconds > self._end:
            raise OutOfTime
        self._idle = False

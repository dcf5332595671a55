"""Notes, inside the measured process, what it holds at the moment when Python code opens a file of a model.

Exact, as the process itself stands in ``open`` then. Files that native libraries open by themselves are not seen here
(see ``meter.opens``). Standard library only, nothing newer than Python 3.8 outside annotations.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any


class Opened:
    """Watches openings of files below ``models``' paths from now on; an audit hook cannot be taken back."""

    def __init__(self, models: dict[str, list[str]]) -> None:
        self._paths = [(path, name) for name, paths in models.items() for path in paths]
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")
        self._looking = False
        self._seen: list[list[Any]] = []
        if models:
            sys.addaudithook(self._hook)

    def take(self) -> list[list[Any]]:
        """``[model, anonymous bytes, time.monotonic()]`` of each turn since the last call."""
        seen, self._seen = self._seen, []
        return seen

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if event != "open" or self._looking or not isinstance(args[0], (str, bytes)):
            return
        self._looking = True  # what follows opens a file, too
        try:
            file = os.path.abspath(os.fsdecode(args[0]))  # noqa: PTH100 - pathlib would be one more import to measure
            for path, name in self._paths:
                if file == path or file.startswith(path + os.sep):
                    if not self._seen or self._seen[-1][0] != name:
                        self._seen.append([name, self._anonymous_bytes(), time.monotonic()])
                    return
        except (OSError, ValueError):
            return
        finally:
            self._looking = False

    def _anonymous_bytes(self) -> int:
        with open("/proc/self/statm", "rb") as stream:  # noqa: PTH123
            fields = stream.read().split()
        return (int(fields[1]) - int(fields[2])) * self._page_bytes  # resident less files and shared memory

"""The most likely cause of a failure, from what is certain first: the kernel's kills, exit codes, log lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlpack.launchers.base import State

_TIMEOUT = re.compile(r"WORKER TIMEOUT \(pid:\s*(\d+)\)")
CONSEQUENCES = ("gunicorn.errors.HaltServer", "SystemExit")
"""Exceptions that follow from an app's."""
LOG_LINES = 8
"""Lines of a log that a report quotes."""
HINTS: tuple[tuple[str, str], ...] = (
    ("exec format error", "the image is for another processor: check build.platform"),
    ("ModuleNotFoundError", "a package is missing: add it to the requirements file"),
    ("ImportError", "a package or system library is missing: see the line above; libraries go into build.apt"),
    ("Address already in use", "another program took the port: run it again"),
    ("Read-only file system", "the app writes outside /tmp: give it a volume, or settings.read_only: false"),
    ("PermissionError", "the container's user may not write there: name the folder as a volume"),
    ("No such file or directory", "a file the app opens is not where it looks: models and volumes are under root"),
    ("can't start new thread", "the process limit is too low: pids in the plan"),
    ("Worker failed to boot", "the app raises while it is imported: the first error in the log is the cause"),
)


@dataclass(frozen=True)
class Cause:
    """The cause in words (empty: nothing recognised), its evidence, and the hint that mends it."""

    words: str
    evidence: tuple[str, ...]
    hint: str | None = None


def likely_cause(name: str, state: State, oom_kills: int, logs: Sequence[str]) -> Cause:
    """Why instance ``name`` does not do what it should. A memory kill is told by the cgroup's counter only: servers
    print "out of memory?" on any SIGKILL, their own timeout's included."""
    tail = tuple(f"{name} said: {line}" for line in quoted(logs))
    if oom_kills or state.oom_killed:
        count = max(1, oom_kills)
        return Cause(
            f"the kernel killed {count} process{'es' if count > 1 else ''} of {name} for memory",
            (f"{name}: oom_kill {count}", *tail),
            "measure (`mlpack estimate --measure`) and render again, or lower workers or concurrency",
        )
    timeouts = [line for line in logs if _TIMEOUT.search(line)]
    if timeouts:
        return Cause(
            f"{name}'s server killed {len(timeouts)} worker{'s' if len(timeouts) > 1 else ''} that took too long",
            (f"{name} said: {timeouts[-1].strip()}", *tail),
            "raise the service's timeout, or ask less of one request; under sync workers it bounds each request",
        )
    hint = next((hint for mark, hint in HINTS for line in logs if mark in line), None)
    if not state.running:
        error = last_error(logs)
        words = f"{name} ended with exit code {state.exit_code}" + (f": {error}" if error else "")
        return Cause(words, tail, hint or _exit_hint(state.exit_code))
    return Cause("", tail, hint)


def quoted(logs: Sequence[str]) -> tuple[str, ...]:
    """The lines of ``logs`` worth quoting: the last traceback's end, else the last lines."""
    lines = [line.rstrip() for line in logs if line.strip()]
    error = _error_index(lines)
    return tuple(lines[-LOG_LINES:] if error is None else lines[max(0, error - 3) : error + 1])


def last_error(logs: Sequence[str]) -> str | None:
    """The line that names the exception of the last traceback: ``ValueError: the weights are corrupt``."""
    lines = [line.rstrip() for line in logs if line.strip()]
    error = _error_index(lines)
    return None if error is None else lines[error].strip()


def _error_index(lines: Sequence[str]) -> int | None:
    """Where the last traceback names its exception: its first line that is not indented. A server's own traceback,
    which only says that a worker did not start, is passed over for the app's."""
    starts = [index for index, line in enumerate(lines) if "Traceback (most recent call last)" in line]
    for start in reversed(starts):
        after = range(start + 1, len(lines))
        error = next((index for index in after if not lines[index][:1].isspace()), len(lines) - 1)
        if not lines[error].startswith(CONSEQUENCES):
            return error
    return None


def _exit_hint(code: int | None) -> str | None:
    if code == 127:
        return "the command is not in the image: is the server in the requirements?"
    if code == 126:
        return "the command may not be run: check the entry point's permissions and platform"
    if code == 137:
        return "it was killed (SIGKILL) from outside, not for memory"
    return "the log above says why"

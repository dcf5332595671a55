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


@dataclass(frozen=True)
class Sign:
    """What a log says when something is wrong. ``words`` name it; ``sure``: also while the service still runs, where
    a weaker line may be an old warning that harms nobody."""

    kind: str
    pattern: re.Pattern[str]
    hint: str
    words: str = ""
    sure: bool = False
    beside: str = ""
    """Must stand somewhere in the log too: a full file system's error does not say which one is full."""


def _sign(kind: str, pattern: str, hint: str, words: str = "", *, sure: bool = False, beside: str = "") -> Sign:
    return Sign(kind, re.compile(pattern), hint, words, sure, beside)


FULL = "/dev/shm is full"
SHM = "shared memory is full: fewer worker processes that hand tensors over, or hand them over through files"
SIGNS: tuple[Sign, ...] = (
    _sign(
        "no-command",
        r"exec (\S+) failed: No such file or directory|exec: \"([^\"]+)\".*(?:executable file not found|no such file)",
        "the command is not in the image: is the server in the requirements?",
        "the command {0} is not in the image",
    ),
    _sign(
        "architecture",
        "(?i)exec format error",
        "the image is for another processor: check build.platform",
        "the image is for another processor than this machine's",
    ),
    _sign(
        "missing-library",
        r"([\w.+-]+\.so[.\d]*): cannot open shared object file",
        "name the library's package in build.apt",
        "the system library {0} is missing",
    ),
    _sign(
        "missing-library",
        r"libGL error|version `(GLIBC\S*)' not found",
        "the image's system libraries are too old or missing: build.apt, or a newer base",
        "a system library is missing or too old",
    ),
    _sign(
        "missing-module",
        r"ModuleNotFoundError: No module named '([^']+)'",
        "a package is missing: add it to the requirements file",
        "the package {0} is missing",
    ),
    _sign(
        "missing-module",
        "ImportError",
        "a package or system library is missing: see the line above; libraries go into build.apt",
    ),
    _sign(
        "shm-full", r"(?i)unable to write to file </torch_|insufficient shared memory|Bus error", SHM, FULL, sure=True
    ),
    _sign("shm-full", r"(?i)No space left on device", SHM, FULL, sure=True, beside="/dev/shm/"),
    _sign(
        "disk-full",
        r"(?i)(?:No space left on device|ENOSPC|disk quota exceeded)(?:.*?'([^']+)')?",
        "what is written there is larger than its place: /tmp is memory and small, a volume is the disk",
        "no space is left where it writes ({0})",
        sure=True,
    ),
    _sign(
        "port-taken",
        r"(?i)address already in use",
        "two programs of one container want the same port: is the server started twice, or does the app listen itself?",
        "the port is taken already",
    ),
    _sign(
        "read-only",
        r"(?i)Read-only file system(?:: '([^']+)')?",
        "the app writes outside /tmp: give it a volume, or settings.read_only: false",
        "it writes to {0}, and the file system is read-only",
        sure=True,
    ),
    _sign(
        "no-permission",
        r"PermissionError.*?(?:: '([^']+)')?$",
        "the container's user may not write there: name the folder as a volume",
        "its user may not use {0}",
    ),
    _sign(
        "missing-file",
        r"No such file or directory(?:: '([^']+)')?",
        "a file the app opens is not where it looks: models and volumes are under root",
        "the file {0} is not there",
    ),
    _sign(
        "pids-limit",
        r"can't start new thread|Resource temporarily unavailable|pthread_create",
        "the process limit is too low for its threads: pids in the plan; are thread pools bounded?",
        "it may start no further thread",
        sure=True,
    ),
    _sign(
        "child-start",
        "Timed out waiting for UP message",
        "a child of the queue's worker takes longer to load than proc_alive_timeout: measure the load time "
        "(`mlpack estimate --measure`), which sets it",
        "replacements of its children are killed before they have loaded",
        sure=True,
    ),
    _sign(
        "task-lost",
        r"WorkerLostError",
        "the queue's child died: the task is lost unless it is acknowledged late "
        "(task_acks_late, task_reject_on_worker_lost)",
        "a child of the queue's worker died in its task",
        sure=True,
    ),
    _sign(
        "app-error",
        "Worker failed to boot",
        "the app raises while it is imported: the first error in the log is the cause",
    ),
)
KINDS = (
    "oom",
    "timeout-kill",
    "hung",
    "fork-deadlock",
    "app-error",
    "no-command",
    "not-executable",
    "killed",
    *dict.fromkeys(sign.kind for sign in SIGNS),
)
"""Stable names of causes, for filters and for ``verify --fix``. Checks name further ones of their own."""


@dataclass(frozen=True)
class Cause:
    """The cause in words (empty: nothing recognised), its evidence, and the hint that mends it. ``kind`` is one of
    KINDS; ``detail``: what the sign named (a package, a path)."""

    words: str
    evidence: tuple[str, ...]
    hint: str | None = None
    kind: str | None = None
    detail: str | None = None


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
            "oom",
        )
    timeouts = [line for line in logs if _TIMEOUT.search(line)]
    if timeouts:
        return Cause(
            f"{name}'s server killed {len(timeouts)} worker{'s' if len(timeouts) > 1 else ''} that took too long",
            (f"{name} said: {timeouts[-1].strip()}", *tail),
            "raise the service's timeout, or ask less of one request; under sync workers it bounds each request",
            "timeout-kill",
        )
    sign, detail, line = _recognised(logs)
    if state.running:
        if sign is None:
            return Cause("", tail)
        named = f"{name}: {_filled(sign, detail)}" if sign.sure else ""
        quote = () if line in tail else (line,)
        return Cause(named, (*(f"{name} said: {one}" for one in quote), *tail), sign.hint, sign.kind, detail)
    error = last_error(logs)
    words = f"{name} ended with exit code {state.exit_code}" + (f": {error}" if error else "")
    if sign is not None and sign.words:
        words += f" ({_filled(sign, detail)})"
    kind, hint = (sign.kind, sign.hint) if sign is not None else _by_exit(state.exit_code, error)
    return Cause(words, tail, hint, kind, detail)


def _recognised(logs: Sequence[str]) -> tuple[Sign | None, str | None, str]:
    """The first sign of SIGNS that some line shows, what it names, and the line."""
    for sign in SIGNS:
        if not any(sign.beside in line for line in logs):
            continue
        for line in logs:
            found = sign.pattern.search(line)
            if found is not None:
                return sign, next((group for group in found.groups() if group), None), line.strip()
    return None, None, ""


def _filled(sign: Sign, detail: str | None) -> str:
    return sign.words.format(detail or "a place that the log does not name")


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


def _by_exit(code: int | None, error: str | None) -> tuple[str | None, str]:
    """Kind and hint where no line says more than the exit code."""
    if code == 127:
        return "no-command", "the command is not in the image: is the server in the requirements?"
    if code == 126:
        return "not-executable", "the command may not be run: check the entry point's permissions and platform"
    if code == 137:
        return "killed", "it was killed (SIGKILL) from outside, not for memory"
    return ("app-error" if error else None), "the log above says why"

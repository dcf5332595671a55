"""Runs programs: the one place where mlpack starts a process. argv tuples, never shell text."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlpack.errors import MlpackError


@dataclass(frozen=True)
class Completed:
    """A program that ended: its argv, exit code and output."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class ProcessError(MlpackError):
    """A program failed; the message holds the command, its exit code and the end of what it said."""

    def __init__(self, completed: Completed, *, hint: str | None = None) -> None:
        said = (completed.stderr.strip() or completed.stdout.strip())[-4000:]
        super().__init__(f"`{shlex.join(completed.argv)}` ended with exit code {completed.code}:\n{said}", hint=hint)
        self.completed = completed


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    stdin: str | None = None,
    check: bool = True,
) -> Completed:
    """Run ``argv`` and return its output as text (undecodable bytes replaced).

    Raises ProcessError on a non-zero exit when ``check``, and MlpackError when the program is missing or takes
    longer than ``timeout_s`` (it is ended then, with what it started).
    """
    try:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C in a terminal is for mlpack, which ends the program in its own way
        )
    except OSError as error:
        raise MlpackError(f"cannot start {argv[0]}: {error.strerror}", hint="install it or put it on PATH") from error
    try:
        stdout, stderr = child.communicate(stdin, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise MlpackError(f"`{shlex.join(argv)}` did not end within {timeout_s:g} s") from error
    finally:
        if child.poll() is None:  # late, or mlpack was interrupted: the program ends with all that it started
            end(child, grace_s=2.0)
    completed = Completed(tuple(argv), child.returncode, stdout, stderr)
    if check and completed.code != 0:
        raise ProcessError(completed)
    return completed


def start(
    argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, output: Path | None = None
) -> subprocess.Popen[str]:
    """Start ``argv`` in a session of its own (Ctrl-C in a terminal does not reach it) and return at once.

    stdout and stderr go, together, to the file ``output``, or to a pipe without one. Raises MlpackError when the
    program is missing. The caller ends it with ``end``.
    """
    target = None if output is None else output.open("wb")
    try:
        return subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if target is None else target,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        raise MlpackError(f"cannot start {argv[0]}: {error.strerror}", hint="install it or put it on PATH") from error
    finally:
        if target is not None:
            target.close()


def end(child: subprocess.Popen[str], *, grace_s: float = 10.0) -> None:
    """End ``child`` and its process group: SIGTERM, up to ``grace_s`` to obey, SIGKILL. Safe to call again."""
    _signal_group(child, signal.SIGTERM)
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if hasattr(signal, "SIGKILL"):
            _signal_group(child, signal.SIGKILL)  # also those of the group that outlived their leader
        else:
            child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def stream(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
) -> Completed:
    """Run ``argv`` to its end and hand each line of its output (stdout and stderr together) to ``on_line`` at once.

    Never raises for an exit code: the caller knows better what it means. When this is interrupted, or ``timeout_s``
    has passed (MlpackError), the program is ended before the exception goes on.
    """
    child = start(argv, cwd=cwd, env=env)
    late = threading.Event()
    timer = threading.Timer(timeout_s or 0, _overdue, (child, late))
    timer.daemon = True
    if timeout_s is not None:
        timer.start()
    lines = []
    try:
        assert child.stdout is not None
        for line in child.stdout:
            lines.append(line)
            on_line(line.rstrip("\r\n"))
        code = child.wait()
    finally:
        timer.cancel()
        end(child)
    if late.is_set():
        raise MlpackError(f"`{shlex.join(argv)}` did not end within {timeout_s:g} s")
    return Completed(tuple(argv), code, "".join(lines), "")


def _overdue(child: subprocess.Popen[str], late: threading.Event) -> None:
    late.set()
    _signal_group(child, signal.SIGTERM)
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()


def _signal_group(child: subprocess.Popen[str], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(child.pid, number)  # its own session: the group's number is the leader's pid
        else:
            child.terminate()

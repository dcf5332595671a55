"""Runs a program to its end: the one place where mlpack starts a short-lived process. argv tuples, never shell text."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
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
    longer than ``timeout_s`` (it is killed then).
    """
    try:
        done = subprocess.run(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise MlpackError(f"program not found: {argv[0]}", hint=f"install it or put it on PATH ({error})") from error
    except subprocess.TimeoutExpired as error:
        raise MlpackError(f"`{shlex.join(argv)}` did not end within {timeout_s:g} s") from error
    completed = Completed(tuple(argv), done.returncode, done.stdout, done.stderr)
    if check and completed.code != 0:
        raise ProcessError(completed)
    return completed

"""Programs are run to their end: output, exit code, and nothing of them is left when they are late."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from mlpack.errors import MlpackError
from mlpack.process import ProcessError, run


def test_output_and_exit_code() -> None:
    done = run(
        [sys.executable, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"], check=False
    )
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_stdin_is_given_or_empty() -> None:
    program = [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"]
    assert run(program, stdin="a\nb").stdout == "'a\\nb'\n"
    assert run(program).stdout == "''\n"


def test_a_failure_shows_command_code_and_words() -> None:
    with pytest.raises(ProcessError, match=r"exit code 4:\nno such thing"):
        run([sys.executable, "-c", "import sys; sys.exit(print('no such thing', file=sys.stderr) or 4)"])


@pytest.mark.parametrize("program", ["/nonexistent/program", "/etc/passwd"])
def test_what_cannot_be_started_is_said(program: str) -> None:
    with pytest.raises(MlpackError, match="cannot start"):
        run([program])


def test_a_late_program_ends_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(MlpackError, match=r"did not end within 0\.5 s"):
        run(["sh", "-c", f"sleep 300 & echo $! > {note}; wait"], timeout_s=0.5)
    assert time.monotonic() - started < 60
    grandchild = int(note.read_text())
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE

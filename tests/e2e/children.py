"""`mlpack verify prod` as a real child process, to be interrupted; and what its run left behind."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from mlpack.launchers.owner import VARIABLE
from mlpack.lock import LOCK_NAME, Lock


@contextmanager
def verifying(root: Path, lock: Lock, launcher: str) -> Iterator[subprocess.Popen[str]]:
    """The command line on ``root``, with ``lock`` as its rendered one; killed at the end if it still runs."""
    folder = root / "deploy" / "prod"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LOCK_NAME).write_text(lock.to_json(), encoding="utf-8")
    (root / "mlpack.yaml").write_text("name: hand\n", encoding="utf-8")  # marks the root; verify reads the lock only
    words = ("--project", str(root), "--launcher", launcher, "--python", sys.executable)
    child = subprocess.Popen(
        [sys.executable, "-m", "mlpack", "verify", "prod", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        assert child.stderr is not None
        child.stderr.close()


def wait_for(child: subprocess.Popen[str], words: str) -> None:
    """Read the child's progress until a line holds ``words``."""
    assert child.stderr is not None
    seen = []
    for line in child.stderr:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} never came; it said:\n{''.join(seen)}")


def finish(child: subprocess.Popen[str], within_s: float = 60) -> int:
    """Its exit code; what it still says is read, so that it never waits for us."""
    child.communicate(timeout=within_s)
    return child.returncode


def left_here(pid: int, also: Sequence[str] = ()) -> list[str]:
    """Processes, temporary folders and control groups of the run of process ``pid``; processes called ``also``."""
    mark = f" pid={pid} "
    found = []
    for process in psutil.process_iter():
        try:
            if mark in process.environ().get(VARIABLE, "") or " ".join(process.cmdline()) in also:
                found.append(f"process {process.pid} {process.cmdline()}")
        except psutil.Error:
            continue
    owners = Path(tempfile.gettempdir()).glob("mlpack-verify-*/owner")
    mine = [owner.parent for owner in owners if mark in owner.read_text(encoding="utf-8")]
    notes = [folder / "groups" for folder in mine if (folder / "groups").exists()]
    groups = [line for note in notes for line in note.read_text(encoding="utf-8").splitlines()]
    return found + [str(folder) for folder in mine] + [group for group in groups if Path(group).exists()]

"""Ctrl-C, SIGTERM and kill -9 at each stage, sent to a real child process: nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.verify import hand

from mlpack.launchers import LAUNCHERS, engine
from mlpack.launchers.owner import VARIABLE, current_owner
from mlpack.lock import Lock
from mlpack.spec import Verify

pytestmark = pytest.mark.engine
Project = Callable[..., Path]
CHILD = Path(__file__).with_name("verify_child.py")
WITHIN_S = 60
NAP = "sleep 1234.5"
"""A build step that is never over by itself, and can be found among the processes."""
ENDLESS = Verify(requests=100_000)


@pytest.fixture
def start(lock_file: Callable[[Lock], Path]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a verifying child; one that a failed test leaves is killed."""
    children: list[subprocess.Popen[str]] = []

    def go(root: Path, lock: Lock, launcher: str = "compose") -> subprocess.Popen[str]:
        argv = [sys.executable, str(CHILD), str(root), str(lock_file(lock)), launcher, sys.executable]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True)
        children.append(child)
        return child

    yield go
    for child in children:
        if child.poll() is None:
            child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def wait_for(child: subprocess.Popen[str], words: str) -> None:
    """Read the child's progress until a line holds ``words``."""
    assert child.stdout is not None
    seen = []
    for line in child.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} never came; it said:\n{''.join(seen)}")


def left(pid: int) -> list[str]:
    """What the run of process ``pid`` left: things of the engine, processes, temporary folders."""
    mark = f" pid={pid} "
    found = [f"{thing.kind} {thing.ident}" for thing in engine.labelled(os.environ) if mark in thing.label]
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            environ = process.environ()
        except psutil.Error:
            continue
        if mark in environ.get(VARIABLE, "") or " ".join(words) == NAP:
            found.append(f"process {process.pid} {words}")
    folders = Path("/tmp").glob("mlpack-verify-*/owner")
    return found + [str(folder) for folder in folders if mark in folder.read_text(encoding="utf-8")]


def build_project(root: Path, project: Project, step: str) -> Path:
    """A project whose image is built by ``step``."""
    made = project(build={"context": str(root), "dockerfile": "Dockerfile"}, image="mlpack-e2e-build:latest")
    (root / "Dockerfile").write_text(f"FROM python:3.11-slim-bookworm\n{step}\n", encoding="utf-8")
    return made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("stage", "mode"), [("Container", "ok"), ("ready ...", "never"), ("load: 1", "ok")], ids=["start", "ready", "load"]
)
def test_a_signal_at_each_stage(
    stage: str, mode: str, number: signal.Signals, project: Project, start: Callable[..., subprocess.Popen[str]]
) -> None:
    lock = hand.lock(hand.plan(hand.service_plan(start_period_s=60), hand.spec(verify=ENDLESS)))
    child = start(project(mode), lock)
    wait_for(child, stage)
    child.send_signal(number)
    assert child.wait(WITHIN_S) == 130
    assert left(child.pid) == []


def test_a_signal_while_the_image_is_built(
    tmp_path: Path, project: Project, start: Callable[..., subprocess.Popen[str]]
) -> None:
    child = start(build_project(tmp_path, project, f"RUN {NAP}"), hand.lock())
    wait_for(child, f"RUN {NAP}")
    child.send_signal(signal.SIGINT)
    assert child.wait(WITHIN_S) == 130
    assert left(child.pid) == []


def test_a_second_signal_does_not_cut_the_removal_short(
    project: Project, start: Callable[..., subprocess.Popen[str]]
) -> None:
    child = start(project("never"), hand.lock(hand.plan(hand.service_plan(start_period_s=60))))
    wait_for(child, "ready ...")
    child.send_signal(signal.SIGINT)
    for _ in range(3):
        try:
            child.wait(0.2)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGINT)
    assert child.wait(WITHIN_S) == 130
    assert left(child.pid) == []


def test_leftovers_of_a_killed_run_are_removed_by_the_next(
    project: Project, start: Callable[..., subprocess.Popen[str]]
) -> None:
    child = start(project("never"), hand.lock(hand.plan(hand.service_plan(start_period_s=60))))
    wait_for(child, "ready ...")
    living = [found for found in engine.labelled(os.environ) if f" pid={child.pid} " in found.label]
    said: list[str] = []
    LAUNCHERS["compose"].sweep(current_owner(), os.environ, said.append)
    assert living, "nothing was started"
    still = [found for found in engine.labelled(os.environ) if f" pid={child.pid} " in found.label]
    assert still == living, "a living run is not a leftover"
    child.kill()
    child.wait()
    LAUNCHERS["compose"].sweep(current_owner(), os.environ, said.append)
    assert any("killed run" in line for line in said)
    assert left(child.pid) == []

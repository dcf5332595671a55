"""Ctrl-C, SIGTERM and kill -9 at each stage, sent to a real `mlpack verify`: nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from tests.e2e.children import finish, left_here, verifying, wait_for
from tests.verify import hand

from mlpack.launchers import LAUNCHERS, engine
from mlpack.launchers.owner import current_owner
from mlpack.lock import Lock
from mlpack.process import run
from mlpack.spec import Verify

pytestmark = pytest.mark.engine
Project = Callable[..., Path]
NAP = "sleep 1234.5"
"""A build step that is never over by itself, and can be found among the processes."""


def endless() -> Lock:
    """A lock whose verification takes longer than any test waits."""
    return hand.lock(hand.plan(hand.service_plan(start_period_s=60), hand.spec(verify=Verify(requests=100_000))))


def left(pid: int, also: Sequence[str] = ()) -> list[str]:
    """What the run of process ``pid`` left: things of the engine, processes (``also`` those called so), temporary
    folders."""
    mark = f" pid={pid} "
    things = [f"{thing.kind} {thing.ident}" for thing in engine.labelled(os.environ) if mark in thing.label]
    return things + left_here(pid, also=also)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("stage", "mode"), [("Container", "ok"), ("ready ...", "never"), ("load: 1", "ok")], ids=["start", "ready", "load"]
)
def test_a_signal_at_each_stage(stage: str, mode: str, number: signal.Signals, project: Project) -> None:
    with verifying(project(mode), endless(), "compose") as child:
        wait_for(child, stage)
        child.send_signal(number)
        assert finish(child) == 130
        assert left(child.pid) == []


def test_a_signal_while_the_image_is_built(tmp_path: Path, project: Project) -> None:
    root = project(build={"context": str(tmp_path), "dockerfile": "Dockerfile"}, image="mlpack-e2e-build:latest")
    (root / "Dockerfile").write_text(f"FROM python:3.11-slim-bookworm\nRUN {NAP}\n", encoding="utf-8")
    with verifying(root, endless(), "compose") as child:
        wait_for(child, f"RUN {NAP}")
        # The engine says the step before it starts its process, and now and then does not end one that it starts just
        # as the build is called off.
        deadline = time.monotonic() + 30
        while NAP not in run(["ps", "-eo", "args="]).stdout.splitlines():
            assert time.monotonic() < deadline, "the step was never begun"
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        assert finish(child) == 130
        assert left(child.pid, also=(NAP,)) == []


def test_a_second_signal_does_not_cut_the_removal_short(project: Project) -> None:
    with verifying(project("never"), endless(), "compose") as child:
        wait_for(child, "ready ...")
        child.send_signal(signal.SIGINT)
        for _ in range(3):
            try:
                child.wait(0.2)
            except subprocess.TimeoutExpired:
                child.send_signal(signal.SIGINT)
        assert finish(child) == 130
        assert left(child.pid) == []


def test_leftovers_of_a_killed_run_are_removed_by_the_next(project: Project) -> None:
    said: list[str] = []
    with verifying(project("never"), endless(), "compose") as child:
        wait_for(child, "ready ...")
        mine = [found for found in engine.labelled(os.environ) if f" pid={child.pid} " in found.label]
        assert mine, "nothing was started"
        LAUNCHERS["compose"].sweep(current_owner(), os.environ, said.append)
        still = [found for found in engine.labelled(os.environ) if f" pid={child.pid} " in found.label]
        assert still == mine, "a living run is not a leftover"
        child.kill()
        finish(child)
        LAUNCHERS["compose"].sweep(current_owner(), os.environ, said.append)
        assert any("killed run" in line for line in said)
        assert left(child.pid) == []


class Passage:
    """A socket that stands before the engine's own, and can be taken away: the engine restarts, or its VM stops."""

    def __init__(self, path: Path, engine_at: str) -> None:
        self.path, self._engine_at = path, engine_at
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                far.connect(self._engine_at)
                self._open += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    @staticmethod
    def _pass_on(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Nobody answers any more, and every connection breaks."""
        self.path.unlink()
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def test_an_engine_that_goes_away_is_transient_and_the_next_run_cleans_up(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = dict(os.environ)
    at = real.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    with tempfile.TemporaryDirectory() as folder:  # a socket's path may have 108 characters
        passage = Passage(Path(folder) / "engine.sock", at)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{passage.path}")
        with verifying(project("never"), endless(), "compose") as child:
            wait_for(child, "ready ...")
            passage.close()
            assert finish(child, within_s=120) == 75
        mine = [found for found in engine.labelled(real) if f" pid={child.pid} " in found.label]
        assert mine, "nothing was left: the engine was not away"
        said: list[str] = []
        LAUNCHERS["compose"].sweep(current_owner(), real, said.append)
        assert any("killed run" in line for line in said)
        monkeypatch.setenv("DOCKER_HOST", f"unix://{at}")
        assert left(child.pid) == []

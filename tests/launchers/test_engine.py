"""What the docker command's refusals mean, with a command of that name that refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.verify import hand

from mlpack.errors import ExitCode, TransientError
from mlpack.launchers import engine
from mlpack.verify import verify

DENIED = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.45/version": dial unix /var/run/docker.sock: connect: permission denied'
)
DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"


def refusing(folder: Path, words: str) -> dict[str, str]:
    """An environment in which `docker` says ``words`` and fails."""
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 1\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


@pytest.mark.parametrize("launcher", [None, "compose"])
def test_no_permission_is_no_matter_of_time(tmp_path: Path, launcher: str | None) -> None:
    environ = refusing(tmp_path, DENIED)
    with pytest.raises(engine.NotAllowed) as caught:
        verify(tmp_path, hand.lock(), launcher=launcher, environ=environ, host=hand.host())
    assert caught.value.exit_code is ExitCode.FAILED
    assert "group `docker`" in (caught.value.hint or "")


def test_an_engine_that_is_down_may_come_back(tmp_path: Path) -> None:
    with pytest.raises(TransientError, match="Is the docker daemon running"):
        verify(tmp_path, hand.lock(), launcher="compose", environ=refusing(tmp_path, DOWN), host=hand.host())

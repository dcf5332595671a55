"""What the docker command's refusals mean, with a command of that name that refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.verify import hand

from mlpack.errors import ExitCode, MlpackError, TransientError
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


@pytest.mark.parametrize(
    "said",
    [
        "unknown flag: --short\nSee 'docker --help'.",
        "docker: 'compose' is not a docker command.\nSee 'docker --help'",
        "docker: unknown command: docker compose\n\nRun 'docker --help' for more information",
    ],
)
def test_a_docker_without_compose_is_told_how_to_get_it(tmp_path: Path, said: str) -> None:
    """The words of Docker 20.10, 26 and 28; no other try helps."""
    program = tmp_path / "docker"
    program.write_text(f"#!/bin/sh\n[ \"$1\" != version ] || exit 0\ncat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    program.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with pytest.raises(MlpackError, match="no compose plugin") as caught:
        verify(tmp_path, hand.lock(), launcher="compose", environ=environ, host=hand.host())
    assert caught.value.exit_code is ExitCode.FAILED
    assert "docker-compose-plugin" in (caught.value.hint or "")
    with pytest.raises(MlpackError, match="no compose plugin") as caught:
        engine.require(environ)
    assert caught.value.exit_code is ExitCode.FAILED

"""up and down before anything is started: what they refuse, with which exit code; the rest is in tests/e2e."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.commands.conftest import Command

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("verb", ["up", "down"])
@pytest.mark.parametrize("profiles", [(), ("prod",)])
def test_nothing_is_rendered(mlpack: Command, verb: str, profiles: tuple[str, ...]) -> None:
    done = mlpack(verb, *profiles)
    assert done.returncode == 2
    assert "mlpack render prod" in done.stderr


@pytest.mark.parametrize("verb", ["up", "down"])
def test_without_an_engine_it_may_work_later(mlpack: Command, verb: str) -> None:
    assert mlpack("render", "prod").returncode == 0
    done = mlpack(verb)
    assert done.returncode == 75, done.stderr
    assert "no container engine answers" in done.stderr
    assert "--launcher" not in done.stderr


def test_one_of_several_has_to_be_named(mlpack: Command) -> None:
    for profile in ("dev", "prod"):
        assert mlpack("render", profile).returncode == 0
    done = mlpack("up")
    assert done.returncode == 2
    assert "dev; prod" in done.stderr


def test_files_that_drifted_are_not_started(mlpack: Command, project: Path) -> None:
    assert mlpack("render", "prod").returncode == 0
    with (project / "requirements.txt").open("a") as stream:
        stream.write("httpx\n")
    done = mlpack("up", "prod")
    assert done.returncode == 1
    assert "input requirements.txt changed" in done.stderr
    assert "mlpack render prod" in done.stderr
    assert "nothing was started" in done.stderr


def test_what_drifted_can_still_be_stopped(mlpack: Command, project: Path) -> None:
    assert mlpack("render", "prod").returncode == 0
    (project / "deploy" / "prod" / "compose.yaml").write_text("# mine\n" + "name: tiny-prod\nservices: {}\n")
    assert mlpack("down", "prod").returncode == 75  # it came as far as asking for the engine

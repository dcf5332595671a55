"""up and down with a real engine: ready, ill with its last lines, strangers, volumes that stay; twice is no error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.e2e import standins
from tests.e2e.test_mri_hybrid import free_port

from mlpack.errors import MlpackError
from mlpack.launchers.rendered import Rendered
from mlpack.plan import Plan
from mlpack.process import run

pytestmark = pytest.mark.engine
SCRIPT = """\
#!/bin/sh
cd "$(dirname -- "$0")"
case $1 in
    up) exec docker compose --file compose.yaml up --detach --wait --wait-timeout 30 ;;
    down) exec docker compose --file compose.yaml down --timeout 1 ;;
esac
"""
COMPOSE = """\
name: {name}
services:
  web:
    image: python:3.11-slim-bookworm
    command: [python, -c, "{code}"]
    init: true
    volumes: [data:/data]
volumes: {{data: {{}}}}
"""
GOOD, BAD = "import time; time.sleep(600)", "raise SystemExit('the weights are torn')"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "deploy.sh").write_text(SCRIPT)
    (tmp_path / "deploy.sh").chmod(0o755)
    name = f"mlpack-test-{uuid.uuid4().hex[:10]}"
    (tmp_path / "name").write_text(name)
    yield tmp_path
    run(("docker", "compose", "--project-name", name, "down", "--volumes", "--timeout", "1"), timeout_s=60, check=False)


def rendered(folder: Path, code: str) -> Rendered:
    (folder / "compose.yaml").write_text(COMPOSE.format(name=(folder / "name").read_text(), code=code))
    return Rendered(folder, cast("Plan", None), os.environ)  # a plan is asked for units only


def test_up_and_down_twice_and_volumes_stay(folder: Path) -> None:
    ours = rendered(folder, GOOD)
    for _ in range(2):
        ours.up(print)
        assert [(part.service, part.state) for part in ours.look()] == [("web", "good")]
    for _ in range(2):
        ours.down(print)
        assert ours.look() == ()
    volumes = run(("docker", "volume", "ls", "--quiet"), timeout_s=30).stdout.split()
    assert f"{(folder / 'name').read_text()}_data" in volumes


def test_who_failed_is_named_with_its_last_lines(folder: Path) -> None:
    with pytest.raises(MlpackError, match="the weights are torn") as caught:
        rendered(folder, BAD).up(print)
    assert caught.value.what.startswith("web: exited with 1")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project of one service, rendered; its image is here, and needs no build."""
    standins.provide("app")
    name = f"t{uuid.uuid4().hex[:10]}"
    (tmp_path / "mlpack.yaml").write_text(
        f"name: {name}\nservices:\n  web: {{server: uvicorn, app: 'app:app', image: {standins.APP}, port: 8000,"
        f" health: /health, publish: {free_port()}, workers: 1}}\n"
    )
    (tmp_path / "requirements.txt").write_text("uvicorn\n")
    cli(tmp_path, "render", "prod")
    yield tmp_path
    run(("docker", "compose", "--project-name", f"{name}-prod", "down", "--timeout", "1"), timeout_s=60, check=False)


def cli(root: Path, *words: str) -> str:
    """What `mlpack` said, which ended well."""
    done = run((sys.executable, "-m", "mlpack", *words, "--project", str(root)), timeout_s=120)
    return done.stdout + done.stderr


def containers(root: Path) -> list[str]:
    """Those of the project, in whatever state."""
    name = (root / "mlpack.yaml").read_text().split()[1]
    words = ("docker", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={name}-prod")
    return run(words, timeout_s=30).stdout.split()


def interrupted(root: Path, *words: str) -> str:
    """What `mlpack up` said that got Ctrl-C once it waited; it ended with 130."""
    argv = [sys.executable, "-m", "mlpack", "up", *words, "--project", str(root)]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    assert child.stdout is not None
    said = ""
    for line in child.stdout:
        said += line
        if "Waiting" in line or "Started" in line:
            child.send_signal(signal.SIGINT)
            break
    said += child.communicate(timeout=60)[0]
    assert child.returncode == 130, said
    return said


def test_the_commands_start_stop_and_may_be_repeated(project: Path) -> None:
    for _ in range(2):
        assert "running, healthy" in cli(project, "up")
    assert len(containers(project)) == 1
    for _ in range(2):
        assert "down: prod" in cli(project, "down")
    assert containers(project) == []


def test_ctrl_c_leaves_what_ran_before_and_nothing_else(project: Path) -> None:
    override = project / "deploy" / "prod" / "compose.override.yaml"
    never = "[CMD, python, '-c', 'raise SystemExit(1)']"
    override.write_text(f"services: {{web: {{healthcheck: {{test: {never}, start_period: 60s}}}}}}\n")
    said = interrupted(project)
    assert "taking it down again" in said
    assert containers(project) == []
    override.unlink()
    cli(project, "up")
    override.write_text(f"services: {{web: {{healthcheck: {{test: {never}, start_period: 60s}}}}}}\n")
    said = interrupted(project)
    assert "left as it is" in said
    assert len(containers(project)) == 1


def test_deploy_sh_shows_the_last_lines_and_takes_away_what_is_no_longer_rendered(project: Path) -> None:
    script, path = project / "deploy" / "prod" / "deploy.sh", project / "deploy" / "prod" / "compose.override.yaml"
    torn = "[python, '-c', 'raise SystemExit(\"the weights are torn\")']"
    path.write_text(
        f"services: {{web: {{command: {torn}, restart: 'no'}}, old: {{image: {standins.APP}, "
        "command: [python, '-c', 'import time; time.sleep(600)'], init: true}}\n"
    )
    done = run((str(script), "up"), timeout_s=120, check=False)
    assert done.code == 1
    assert "last lines of" in done.stderr
    assert "  the weights are torn" in done.stderr
    assert len(containers(project)) == 2
    path.unlink()
    run((str(script), "up"), timeout_s=120)
    assert len(containers(project)) == 1
    run((str(script), "down"), timeout_s=120)


def test_a_service_that_is_no_longer_rendered_is_a_stranger(folder: Path) -> None:
    ours = rendered(folder, GOOD)
    ours.up(print)
    assert ours.strangers() == ()
    (folder / "compose.yaml").write_text((folder / "compose.yaml").read_text().replace("  web:", "  api:"))
    assert [name.split("-")[-2] for name in ours.strangers()] == ["web"]

"""up and down with a real engine: ready, ill with its last lines, strangers, volumes that stay; twice is no error."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

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


def test_a_service_that_is_no_longer_rendered_is_a_stranger(folder: Path) -> None:
    ours = rendered(folder, GOOD)
    ours.up(print)
    assert ours.strangers() == ()
    (folder / "compose.yaml").write_text((folder / "compose.yaml").read_text().replace("  web:", "  api:"))
    assert [name.split("-")[-2] for name in ours.strangers()] == ["web"]

"""What root left in a mounted folder, in the rendered service's own container; then an app's user writes to it."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from tests import left_by_root
from tests.artifacts import write_files
from tests.planner.build import UVICORN
from tests.planner.build import plan as make_plan

from mlpack.process import Completed, run

pytestmark = pytest.mark.engine
IMAGE = "python:3.11-slim-bookworm"
UID = 10001
APPEND = "for path in ('app.log', 'nested/deep/app.log', 'new\\nline', 'nested/made'): open(path, 'a').write('x')"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of a service that writes to ``data``, rendered; its folder of rendered files."""
    models = {"m": {"path": "data/weights/m.bin"}, "n": {"path": "data/we?ghts"}}
    services = {"web": {**UVICORN, "models": [], "volumes": ["data"]}}
    volumes = {"data": {"path": "data"}}
    plan = make_plan(services, build={"requirements": "requirements.txt"}, volumes=volumes, models=models)
    folder = write_files(plan, tmp_path / "project")
    image = f'{{image: "{IMAGE}", build: !reset null}}'
    (folder / "compose.override.yaml").write_text(f"services: {{web: {image}, mlpack-folders: {image}}}\n")
    return folder


def prepare(folder: Path, *more: str, check: bool = True) -> Completed:
    """Runs the service as `up` does, alone."""
    name = f"mlpack-test-folders-{uuid.uuid4().hex[:8]}"
    files = ["--file", "compose.yaml", "--file", "compose.override.yaml"]
    words = ["docker", "compose", "--project-name", name, *files, "run", "--rm", "--no-deps", *more, "mlpack-folders"]
    try:
        return run(words, cwd=folder, timeout_s=120, check=check)
    finally:
        run(["docker", "compose", "--project-name", name, *files, "down"], cwd=folder, check=False)


def test_what_root_left_is_the_apps_and_nothing_else(project: Path, tmp_path: Path) -> None:
    data, outside = tmp_path / "project" / "data", tmp_path / "outside"
    wanted = left_by_root.make(data, outside, UID)
    del wanted[data / "deploy/prod/secrets/key"]  # rendered files lie elsewhere in this project
    write = ["docker", "run", "--rm", "--network", "none", "--user", f"{UID}:{UID}", "--volume", f"{data}:/data"]
    write += ["--workdir", "/data", IMAGE, "python", "-c", APPEND]
    assert "PermissionError" in run(write, check=False).stderr
    prepare(project)
    assert left_by_root.mistaken(wanted | {data: UID}) == {}
    run(write)
    again = prepare(project)
    assert (again.stdout, left_by_root.mistaken(wanted | {data: UID})) == ("", {})


def test_an_image_without_find_says_so(project: Path, tmp_path: Path) -> None:
    (tmp_path / "project" / "data").mkdir()
    said = prepare(project, "--env", "PATH=/nowhere", check=False)
    assert said.code != 0
    assert '"find": executable file not found in $PATH' in said.stderr

"""Images from a conda environment: an export is cleaned, said for pip too, and built (from pip: no channel is here)."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.artifacts import texts, write_files
from tests.planner.build import CELERY
from tests.planner.build import plan as make_plan

from mlpack.launchers.this_machine import host_network
from mlpack.plan import Plan
from mlpack.process import run

EXPORT = """\
name: knee
channels:
  - conda-forge
dependencies:
  - _libgcc_mutex=0.1=conda_forge
  - python=3.11.9=hb806964_0_cpython   # the interpreter
  - click=8.1.7=unix_pyh707e725_0
  - conda-forge::itsdangerous=2.2.0
  - msgpack-python>=1.0
  - six=1.16
  - libstdcxx-ng=13.2.0=hc0a3c3a_5
  - pip
  - pip:
      - markupsafe==2.1.5
      - colorama
prefix: /home/someone/miniconda3/envs/knee
"""


def conda_plan(**build: Any) -> Plan:
    """A worker from environment.yml."""
    return make_plan({"worker": {**CELERY, "build": {"conda": "environment.yml", **build}}})


def cleaned(folder: Path, export: str = EXPORT) -> tuple[dict[str, Any], list[str], str]:
    """environment.yml, requirements.txt and what was said."""
    script, source = folder / "conda_env.py", folder / "export.yml"
    script.write_text(texts(conda_plan())["conda_env.py"], encoding="utf-8")
    source.write_text(export, encoding="utf-8")
    said = run([sys.executable, str(script), str(source), str(folder / "clean")], check=False)
    if said.code != 0:
        return {}, [], said.stderr
    environment = yaml.safe_load((folder / "clean" / "environment.yml").read_text())
    return environment, (folder / "clean" / "requirements.txt").read_text().split("\n")[:-1], said.stdout


def test_an_export_is_cleaned(tmp_path: Path) -> None:
    environment, requirements, said = cleaned(tmp_path)
    assert environment["channels"] == ["conda-forge"]
    assert "prefix" not in environment
    assert environment["dependencies"][:4] == [
        "_libgcc_mutex=0.1",
        "python=3.11.9",
        "click=8.1.7",
        "conda-forge::itsdangerous=2.2.0",
    ]
    assert environment["dependencies"][-1] == {"pip": ["markupsafe==2.1.5", "colorama"]}
    assert requirements == [
        "click==8.1.7",
        "itsdangerous==2.2.0",
        "msgpack>=1.0",
        "six==1.16.*",
        "markupsafe==2.1.5",
        "colorama",
    ]
    assert "libstdcxx-ng" in said
    assert "python=3.11.9" in said


@pytest.mark.parametrize("line", ["dependencies: [a, b]", "dependencies:\n  a: b"])
def test_what_no_export_has_is_named(line: str, tmp_path: Path) -> None:
    _, _, said = cleaned(tmp_path, line + "\n")
    assert "export.yml: line" in said
    assert "Traceback" not in said


def test_both_ways_are_in_one_file() -> None:
    rendered = texts(conda_plan())
    dockerfile = rendered["Dockerfile"]
    assert "ARG MLPACK_ENVIRONMENT=conda" in dockerfile
    assert "FROM build-${MLPACK_ENVIRONMENT} AS made" in dockerfile
    assert "Unproven" in dockerfile
    arguments = yaml.safe_load(rendered["compose.yaml"])["services"]["worker"]["build"]["args"]
    assert {"MLPACK_ENVIRONMENT", "CONDA_IMAGE"} <= set(arguments)


@pytest.mark.engine
def test_the_environment_is_built_from_pip(tmp_path: Path) -> None:
    folder = write_files(conda_plan(), tmp_path)
    (tmp_path / "environment.yml").write_text(EXPORT + "\n", encoding="utf-8")
    text = (folder / "Dockerfile").read_text()
    # Celery itself is not what is built here: the check for its program would want it
    (folder / "Dockerfile").write_text(text.replace('"/opt/venv", "celery"]', '"/opt/venv"]'))
    image = f"mlpack-test-{uuid.uuid4().hex[:10]}"
    network = host_network(dict(os.environ))
    words = ["docker", "build", "--quiet", "--tag", image, "--file", str(folder / "Dockerfile")]
    words += [f"--build-arg={key}={value}" for key, value in network.args.items()]
    try:
        run([*words, "--build-arg=MLPACK_ENVIRONMENT=pip", str(tmp_path)], timeout_s=300)
        code = "import click, itsdangerous, msgpack, six, markupsafe; print(click.__version__, six.__version__)"
        assert run(["docker", "run", "--rm", image, "python", "-c", code]).stdout.split()[1] == "1.16.0"
    finally:
        run(["docker", "image", "rm", "--force", image], check=False)

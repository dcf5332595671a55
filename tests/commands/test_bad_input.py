"""Numbers and settings that cannot be meant: refused with file, line, dotted path and what to write instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands.conftest import Command

pytestmark = pytest.mark.slow

MACHINE = ("--ram", "4G", "--cores", "2")
LINE = "mlpack.yaml:13 services.web"
"""Where the tests' own line stands: below the service's health path."""


def plan_with(mlpack: Command, project: Path, lines: str, *more: str) -> str:
    """What ``mlpack plan`` says about the project with ``lines`` in its service; it refuses, without a traceback."""
    spec = project / "mlpack.yaml"
    text = spec.read_text(encoding="utf-8")
    before, after = text.split("    health: /health\n", 1)
    spec.write_text(f"{before}    health: /health\n{lines}{after}", encoding="utf-8")
    done = mlpack("plan", "prod", *(more or MACHINE))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("workers: 0", ".workers: 0 must be more than 0"),
        ("workers: -2", ".workers: -2 must be more than 0"),
        ("threads: 0", ".threads: 0 must be more than 0"),
        ("timeout: 0", ".timeout: 0 must be more than 0"),
        ("timeout: -5s", ".timeout: '-5s' is not a duration"),
        ("memory: -1", ".memory: -1 must be more than 0"),
        ("memory: 0", ".memory: 0 must be more than 0"),
        ("cpus: 0", ".cpus: 0 must be more than 0"),
        ("memory: 100", ".memory: 100 of what? a size needs its unit"),
        ("memory: 10s", ".memory: '10s' is not a size"),
        ("timeout: 5G", ".timeout: '5G' is not a duration"),
        ("timeout: 5mm", ".timeout: '5mm' is not a duration"),
        ("workers: 2G", ".workers: wants a whole number, not 2G"),
        ("workers: 1.5", ".workers: wants a whole number, not 1.5"),
        ("memory: 20M", ".memory: web needs "),
        ("cpus: 64", ".cpus: web is to have 64 cores, there are 2"),
        ("preload: true", ".preload: preload is refused: no inference after a fork has been proven"),
    ],
)
def test_one_line(mlpack: Command, project: Path, line: str, expected: str) -> None:
    assert f"{LINE}{expected}" in plan_with(mlpack, project, f"    {line}\n")


def test_threads_and_workers_beyond_the_cores(mlpack: Command, project: Path) -> None:
    said = plan_with(mlpack, project, "    workers: 4\n    threads: 3\n")
    wanted = "mlpack.yaml:14 services.web.threads: web: 4 workers x 1 at once x 3 threads want 12 threads on 2 cores"
    assert wanted in said


def test_a_limit_that_a_profile_file_sets(mlpack: Command, project: Path) -> None:
    """The line is that of the file that said it last."""
    (project / "edge.yaml").write_text("services:\n  web:\n    memory: 20M\n", encoding="utf-8")
    said = plan_with(mlpack, project, "", "edge.yaml", *MACHINE)
    assert "edge.yaml:3 services.web.memory: web needs " in said


def test_a_limit_that_set_says(mlpack: Command, project: Path) -> None:
    said = plan_with(mlpack, project, "", "--set", "services.web.memory=20M", *MACHINE)
    assert "--set services.web.memory: web needs " in said


def test_workers_beyond_the_cores_are_kept_and_said(mlpack: Command) -> None:
    done = mlpack("plan", "prod", "--set", "services.web.workers=5", *MACHINE)
    assert done.returncode == 0
    assert "warning (workers-exceed-cores): services.web.workers: web computes 5 x 1 requests" in done.stdout


def test_profiles_that_conflict(mlpack: Command) -> None:
    done = mlpack("plan", "prod", "dev", *MACHINE)
    assert done.returncode == 2
    assert "prod and dev contradict each other: budget.memory_share is 0.85 in one and 0.5 in the other" in done.stderr
    assert "own profiles/prod.yaml:6 and mlpack's own profiles/dev.yaml:5: " in done.stderr


def test_a_host_file_of_another_schema_version(mlpack: Command, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({"schema_version": 9}), encoding="utf-8")
    done = mlpack("plan", "prod", "--host", str(other))
    assert done.returncode == 2
    assert f"{other}: is a host file of schema version 9; this mlpack reads 1" in done.stderr
    assert "hint: upgrade mlpack" in done.stderr

"""A worker's health: who has a mark to look at, and what the rendered check says of it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.artifacts import texts
from tests.planner.build import CELERY
from tests.planner.build import plan as make_plan

from mlpack.process import run
from mlpack.servers.celery import argv
from mlpack.servers.heartbeat import heartbeat_path

BUILD = {"requirements": "requirements.txt"}


def test_the_worker_imports_what_its_check_reads() -> None:
    plan = make_plan({"jobs": CELERY}, build=BUILD)
    rendered = texts(plan)
    words = argv(plan, "jobs")
    assert words[words.index("--include") + 1] == "deploy.prod.jobs_heartbeat"
    test = yaml.safe_load(rendered["compose.yaml"])["services"]["jobs"]["healthcheck"]["test"]
    assert test == ["CMD", "python", "-I", "-S", "/opt/shop/deploy/prod/jobs_heartbeat.py", "30"]
    assert "!deploy/prod/jobs_heartbeat.py" in rendered["Dockerfile.dockerignore"]


@pytest.mark.parametrize(
    ("service", "more"),
    [({"pool": "solo"}, {}), ({"target": "systemd"}, {}), ({"image": "own:1"}, {}), ({}, {"dockerfile": "Dockerfile"})],
)
def test_who_has_none(service: dict[str, Any], more: dict[str, Any]) -> None:
    plan = make_plan({"jobs": {**CELERY, **service}}, build=BUILD | more)
    assert heartbeat_path(plan, "jobs") is None
    assert "--include" not in argv(plan, "jobs")


def test_the_mark_is_looked_at(tmp_path: Path) -> None:
    mark, script = tmp_path / "mark", tmp_path / "check.py"
    text = texts(make_plan({"jobs": CELERY}, build=BUILD))["jobs_heartbeat.py"]
    script.write_text(text.replace('"/tmp/celery-heartbeat"', repr(str(mark))))
    check = (sys.executable, "-I", "-S", str(script), "30")
    done = run(check, check=False)
    assert (done.code, "no heartbeat yet" in done.stdout) == (1, True)
    mark.touch()
    assert run(check, check=False).code == 0
    os.utime(mark, (time.time() - 60, time.time() - 60))
    done = run(check, check=False)
    assert (done.code, "60 s ago" in done.stdout) == (1, True)

"""Tasks' own limits are read from source that never runs, and a clash with the plan is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.planner.build import CELERY, footprint, host, plan

from mlpack.flow.tasks import task_limits
from mlpack.planner.task_limits import TaskLimit, clashes
from mlpack.units import GIB

TASKS = """\
import os
from celery import Celery, shared_task
app = Celery("x")
raise SystemExit("nobody may import this")
HOUR = 60 * 60

@app.task(bind=True, time_limit=HOUR, soft_time_limit=3500)
def long(self): ...

@shared_task(soft_time_limit=12.5)
def short(): ...

@app.task
def plain(): ...

@app.task(name="shop.named", time_limit=int(os.environ.get("LIMIT", "90")))
async def named(): ...

@app.task(time_limit=compute(), soft_time_limit=None)
def unknown(): ...

@router.get("/", time_limit=5)
def no_task(): ...
"""


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("app", "file"),
    [
        ("backend.tasks:app", "backend/tasks.py"),
        ("backend.tasks", "backend/tasks.py"),
        ("backend.celery:app", "backend/tasks.py"),
        ("backend.queue:app", "backend/queue/__init__.py"),
        ("tasks:app", "tasks.py"),
    ],
)
def test_limits_are_read_without_running_anything(tmp_path: Path, app: str, file: str) -> None:
    write(tmp_path, "backend/celery.py", "")
    write(tmp_path, file, TASKS)
    assert task_limits(tmp_path, app) == (
        TaskLimit("long", f"{file}:7", 3500.0, 3600.0),
        TaskLimit("short", f"{file}:10", 12.5, None),
        TaskLimit("shop.named", f"{file}:16", None, 90.0),
    )


@pytest.mark.parametrize("text", ["", "def (", "\x00", "@app.task(time_limit=-1)\ndef a(): ...", "x = 1\n" * 10])
def test_what_says_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path, "tasks.py", text)
    assert task_limits(tmp_path, "tasks:app") == ()


def test_an_app_that_is_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, "other.py", TASKS)
    assert task_limits(tmp_path, "installed.package:app") == ()


@pytest.mark.parametrize(
    ("soft", "hard", "code"),
    [
        (None, None, None),
        (600.0, 655.0, None),
        (None, 700.0, "task-limit-beats-plan"),
        (None, 100.0, "task-soft-above-hard"),
        (90.0, 100.0, "task-limit-too-short"),
        (700.0, None, "task-soft-above-hard"),
        (None, 100_000.0, "task-outlives-redelivery"),
    ],
)
def test_a_clash_is_named(soft: float | None, hard: float | None, code: str | None) -> None:
    made = plan({"web": {**CELERY, "timeout_s": 600.0}}, {"web": footprint()}, on=host(64 * GIB))
    times = made.services["web"].times
    assert times.soft_s is not None
    assert times.hard_s is not None
    assert (times.soft_s.value, times.hard_s.value) == (630, 660)
    found = clashes("web", made.services["web"], [TaskLimit("t", "tasks.py:1", soft, hard)])
    assert [finding.code for finding in found] == ([code] if code else [])
    assert all(finding.where == "tasks.py:1" and finding.hint for finding in found)


def test_the_timeout_that_is_offered_makes_it_fit() -> None:
    limit = TaskLimit("t", "tasks.py:1", None, 7200.0)
    made = plan({"web": {**CELERY, "timeout_s": 600.0}}, {"web": footprint()}, on=host(64 * GIB))
    (found,) = clashes("web", made.services["web"], [limit])
    offered = float((found.hint or "").split("timeout: ")[1].split("s ")[0])
    better = plan({"web": {**CELERY, "timeout_s": offered}}, {"web": footprint()}, on=host(64 * GIB))
    planned = better.services["web"].times.hard_s
    assert planned is not None
    assert planned.value == pytest.approx(7200, rel=0.02)

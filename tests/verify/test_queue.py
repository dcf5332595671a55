"""A queue's worker, for real: a child killed in its task, a task lost with it, children that do not come back."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.children import left_here
from tests.verify import hand

from mlpack.lock import Lock
from mlpack.report import CheckResult, VerifyReport
from mlpack.spec import Expect, Request, Service, Step, Verify
from mlpack.units import MIB
from mlpack.verify import verify

PYTHON = Path(sys.executable)


def lock_of(mode: str, *, child_start_s: int | None = None) -> Lock:
    """A web service that hands jobs to a worker with two children. ``child_start_s``: what a new child may take, and
    so how long a lost task is waited for."""
    steps = (
        Step(to="web", method="POST", path="/jobs", json_={"x": 1}, expect=Expect(status=202)),
        Step(to="web", path="/jobs/{id}", until=Expect(json_={"state": "done"}), within_s=4),
    )
    web = Service(server="gunicorn", app="app:app", interface="wsgi", port=8000, health="/health")
    worker = Service(server="celery", app="app:app")
    wanted = hand.spec(
        {"job": Request(largest=True, steps=steps)},
        services={"web": web, "worker": worker},
        verify=Verify(requests=4, concurrency=2),
    )
    memory = hand.memory_plan(128 * MIB, peak_bytes=120 * MIB, lower_bytes=4 * MIB)
    common: dict[str, Any] = {"memory": memory, "environment": {"MODE": mode}, "footprint_source": "estimated"}
    plans = {
        "web": hand.service_plan(start_period_s=30, **common),
        "worker": hand.service_plan(server="celery", health=None, **common).model_copy(update={"port": None}),
    }
    if child_start_s is not None:
        times = plans["worker"].times.model_copy(update={"child_start_s": hand.d(child_start_s)})
        plans["worker"] = plans["worker"].model_copy(update={"times": times})
    return hand.lock(hand.plan(wanted=wanted).model_copy(update={"services": plans}))


def verified(mode: str, root: Path, *, child_start_s: int | None = None) -> VerifyReport:
    """Verified, without what the worker has no part in."""
    skip = ("growth", "refuses", "health_hung", "threads")
    lock = lock_of(mode, child_start_s=child_start_s)
    return verify(root, lock, launcher="process", python=PYTHON, host=hand.host(), skip=skip)


def check(report: VerifyReport, name: str) -> CheckResult:
    """The result of check ``name``."""
    return next(result for result in report.checks if result.name == name)


@pytest.mark.slow
def test_a_task_whose_child_is_killed_is_done_all_the_same(queue_project: Path) -> None:
    report = verified("ok", queue_project)
    assert [(r.name, r.summary, r.evidence) for r in report.checks if r.status == "failed"] == []
    said = "\n".join(check(report, "recovers").evidence)
    assert "worker-1: its child was killed in the middle of job, which was done all the same" in said
    assert "worker-1: a killed worker was replaced" in said
    assert left_here(os.getpid()) == []


LOSING: dict[str, tuple[tuple[str, ...], str, str]] = {
    "lost": (("recovers",), "task-lost", "the task was lost"),
    "replaced": (("planned", "every_worker", "answers", "load"), "child-start", "killed before they have loaded"),
}
"""MODE of the stand-in -> the checks that may see it first, the kind, and what they say."""


@pytest.mark.slow
@pytest.mark.parametrize("mode", LOSING)
def test_a_queue_that_loses_work_is_found(mode: str, queue_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing, kind, says = LOSING[mode]
    monkeypatch.setattr("mlpack.verify.checks.planned.SETTLES_S", 1.0)  # nobody comes back here
    report = verified(mode, queue_project, child_start_s=1)
    failed = [result.name for result in report.checks if result.status == "failed"]
    assert failed[0] in failing, [(r.name, r.summary, r.evidence) for r in report.checks if r.status == "failed"]
    result = check(report, failed[0])
    assert result.cause == kind
    assert says in result.summary + "".join(result.evidence)
    assert result.hint
    assert left_here(os.getpid()) == []

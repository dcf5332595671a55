"""Every fault that verify must find, in real containers: the right check fails, says why, and nothing stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.verify import hand

from mlpack.launchers.engine import Found
from mlpack.plan import ServicePlan
from mlpack.report import CheckResult, VerifyReport
from mlpack.spec import Verify
from mlpack.units import MIB
from mlpack.verify import verify

pytestmark = pytest.mark.engine
Project = Callable[..., Path]
Look = Callable[[], tuple[Found, ...]]


def check(report: VerifyReport, name: str) -> CheckResult:
    """The result of check ``name``."""
    return next(result for result in report.checks if result.name == name)


def plan_of(limit_mib: int = 128, *, peak_mib: int = 33, **values: Any) -> ServicePlan:
    """A plan of the matrix app; its supervisor and two workers need 30 MiB, and 37 while a health check runs."""
    memory = hand.memory_plan(limit_mib * MIB, peak_bytes=peak_mib * MIB)
    return hand.service_plan(memory=memory, **{"start_period_s": 10, **values})


def ask(root: Path, service: ServicePlan | None = None, **values: Any) -> VerifyReport:
    """Verify with the compose launcher."""
    lock = hand.lock(hand.plan(service or plan_of(), hand.spec(**values)))
    return verify(root, lock, launcher="compose", host=hand.host())


def text(result: CheckResult) -> str:
    """Everything a result says."""
    return "\n".join((result.summary, *result.evidence, result.hint or ""))


def test_a_right_service_passes(project: Project, nothing_left: Look) -> None:
    report = ask(project(), plan_of(environment={"MODE": "ok"}))
    unproven = [r for r in report.checks if r.status == "not_proven"]
    # another container of the same base image may run here: then the report says whose pages the limit did not see
    assert all("cached by others" in r.summary for r in unproven), unproven
    assert [r for r in report.checks if r not in unproven and r.status != "passed"] == []
    assert report.passed
    assert report.launcher == "compose"
    assert "2 of 2 workers" in text(check(report, "every_worker"))
    assert "memory limit 128 MiB" in text(check(report, "planned"))
    assert report.load is not None
    assert (report.load.errors, report.load.concurrency) == (0, 4)
    (web,) = report.services
    assert web.samples
    assert web.peak_anonymous_bytes > 15 * MIB
    assert nothing_left() == ()


@pytest.mark.parametrize(
    ("mode", "failing", "says"),
    [
        ("crash", "ready", ["ended with exit code", "ValueError: the weights are corrupt"]),
        ("never", "ready", ["not ready within", "status 503"]),
        ("early", "ready", ["first inference", "status 503"]),
        ("wrong", "ready", ["wrong answer", "y"]),
        ("one-wrong", "every_worker", ["wrong answer"]),
        ("oom-at-load", "ready", ["for memory", "oom_kill"]),
        ("oom", "ready", ["for memory", "oom_kill"]),
    ],
)
def test_a_fault_is_found_and_named(
    mode: str, failing: str, says: list[str], project: Project, nothing_left: Look
) -> None:
    start_period_s = 1 if mode == "never" else 10
    report = ask(project(mode), plan_of(start_period_s=start_period_s))
    failed = [result.name for result in report.checks if result.status == "failed"]
    assert failed == [failing], report.to_json()
    for word in says:
        assert word in text(check(report, failing)), text(check(report, failing))
    assert check(report, failing).hint
    assert "skipped" in {result.status for result in report.checks}
    assert check(report, "teardown").status == "passed"
    assert nothing_left() == ()


def test_a_worker_that_hangs_is_counted(project: Project, monkeypatch: pytest.MonkeyPatch, nothing_left: Look) -> None:
    monkeypatch.setattr("mlpack.verify.checks.every_worker.LEAST_S", 4.0)
    service = plan_of().model_copy(
        update={"times": hand.service_plan().times.model_copy(update={"request_s": hand.d(0.1)})}
    )
    report = ask(project("one-hung", arguments=("--timeout", "0")), service)
    result = check(report, "every_worker")
    assert result.status == "failed"
    assert "1 of 2 workers answered" in text(result)
    assert nothing_left() == ()


def test_a_worker_that_is_missing_is_counted(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlpack.verify.checks.every_worker.MISSING_S", 1.0)
    report = ask(project(workers=1), plan_of(), verify=Verify(requests=4))
    assert "1 of 2 workers" in text(check(report, "every_worker")) or "only 1 of 2" in text(
        check(report, "every_worker")
    )


def test_a_request_that_the_server_cuts_off(project: Project) -> None:
    report = ask(project("slow", arguments=("--timeout", "1")))
    result = check(report, "ready")
    assert result.status == "failed"
    assert "took too long" in text(result)
    assert "WORKER TIMEOUT" in text(result)


def test_variables_and_limit_are_read_from_the_running_service(project: Project) -> None:
    report = ask(project(), plan_of(limit_mib=256, environment={"OMP_NUM_THREADS": "1"}))
    result = check(report, "planned")
    assert result.status == "failed"
    assert "OMP_NUM_THREADS is None, planned '1'" in text(result)
    assert "memory limit 128 MiB, planned 256 MiB" in text(result)


def test_a_prediction_that_is_off_fails(project: Project) -> None:
    report = ask(project(), plan_of(peak_mib=90))
    result = check(report, "memory")
    assert result.status == "failed"
    assert "of the prediction, allowed: 0.85-1.15" in text(result)
    assert check(report, "load").status == "passed"

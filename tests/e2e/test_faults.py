"""Every fault that verify must find, in real containers: the right check fails, says why, and nothing stays."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import write_project
from tests.e2e.faults import FAULTS, Fault, footprints_of, service_of, spec_of
from tests.verify import hand

from mlpack.launchers.engine import Found
from mlpack.plan import ServicePlan
from mlpack.process import run
from mlpack.report import CheckResult, VerifyReport
from mlpack.units import MIB
from mlpack.verify import verify

pytestmark = pytest.mark.engine
Project = Callable[..., Path]
Look = Callable[[], tuple[Found, ...]]
AT_ONCE = 3
"""Faults planted at the same time."""


def check(report: VerifyReport, name: str) -> CheckResult:
    """The result of check ``name``."""
    return next(result for result in report.checks if result.name == name)


def plan_of(limit_mib: int = 128, *, peak_mib: int = 33, **values: Any) -> ServicePlan:
    """A plan of the matrix app; its supervisor and two workers need 30 MiB, and 37 while a health check runs."""
    memory = hand.memory_plan(limit_mib * MIB, peak_bytes=peak_mib * MIB, mapped_bytes=10 * MIB)
    return hand.service_plan(memory=memory, **{"start_period_s": 10, **values})


def ask(root: Path, service: ServicePlan, *, thorough: bool) -> VerifyReport:
    """Verify with the compose launcher."""
    lock = hand.lock(hand.plan(service, hand.spec()))
    return verify(root, lock, launcher="compose", host=hand.host(), thorough=thorough)


def text(result: CheckResult) -> str:
    """Everything a result says."""
    return "\n".join((result.summary, *result.evidence, result.hint or ""))


def test_a_right_service_passes(project: Project, nothing_left: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked thoroughly: a worker is frozen although its limit is longer than is waited for else."""
    monkeypatch.setattr("mlpack.verify.checks.recovers.HANG_MOST_S", 2.0)
    service = plan_of(environment={"MODE": "ok"})
    service = service.model_copy(update={"times": service.times.model_copy(update={"worker_s": hand.d(3)})})
    report = ask(project(arguments=("--timeout", "3")), service, thorough=True)
    unproven = [r for r in report.checks if r.status == "not_proven"]
    # another container of the same base image may run here: then the report says whose pages the limit did not see
    assert all("cached by others" in r.summary for r in unproven), unproven
    assert [r for r in report.checks if r not in unproven and r.status != "passed"] == []
    assert report.passed
    assert report.launcher == "compose"
    assert "2 of 2 workers" in text(check(report, "every_worker"))
    assert "memory limit 128 MiB" in text(check(report, "planned"))
    assert "a worker that hung was replaced after" in text(check(report, "recovers"))
    assert report.load is not None
    assert (report.load.errors, report.load.concurrency) == (0, 4)
    (web,) = report.services
    assert web.samples
    assert web.peak_anonymous_bytes > 15 * MIB
    assert nothing_left() == ()


def plant(name: str, fault: Fault, root: Path, image: str) -> VerifyReport:
    """A project in which ``fault`` is planted, verified with the compose launcher."""
    keys = dict(fault.compose)
    workers, memory = keys.pop("workers", 2), keys.pop("memory", "128m")
    keys["environment"] = {"MODE": fault.mode or name, **keys.get("environment", {})}
    write_project(root, image, workers=workers, memory=memory, arguments=fault.arguments, **keys)
    made = hand.plan(service_of(fault), spec_of(fault))
    lock = hand.lock(made).model_copy(update={"footprints": footprints_of(fault)})
    return verify(root, lock, launcher="compose", host=hand.host(), skip=fault.skip)


POOL = Fault(
    "throttled",
    ("though only 1 threads are planned to compute", "waited"),
    "throttled",
    ("services.web.cpus",),
    plan={"workers": 1, "cpus": 1.0},
    requests=12,
)


@pytest.mark.parametrize(("mode", "cpus", "waits"), [("pool", 0.4, True), ("ok", 1.0, False)])
def test_waiting_for_the_quota_is_told_from_filling_it(
    mode: str, cpus: float, waits: bool, tmp_path: Path, matrix_image: str
) -> None:
    """One worker: the four threads of a pool want more than their quota (a low one, which they exceed on a machine
    that has other work too), one thread just fills one CPU."""
    report = plant(mode, replace(POOL, compose={"workers": 1, "cpus": cpus}), tmp_path, matrix_image)
    found = check(report, "throttled")
    assert (found.status, found.cause) == (("failed", "throttled") if waits else ("passed", None)), text(found)
    for word in POOL.says if waits else ("of the load's time",):
        assert word in text(found), text(found)
    assert tuple(patch.path for patch in found.patches) == (POOL.patches if waits else ())


def test_a_service_of_one_process_is_started_again_by_its_keeper(tmp_path: Path, matrix_image: str) -> None:
    """Killed under a request: the compose file's policy, which the trial had turned off, brings it back elsewhere."""
    fault = FAULTS["not restarted"]
    healthy = replace(fault, compose={**fault.compose, "restart": "on-failure"}, also=("stops", "oom_kills"))
    report = plant("ok", healthy, tmp_path, matrix_image)
    assert [r.name for r in report.checks if r.status == "failed"] == [], report.checks
    found = check(report, "recovers")
    assert found.status == "passed"
    assert "its one process was killed under a request" in text(found)
    assert "and answers rightly (restart: on-failure)" in text(found)
    assert "stopped after" in text(check(report, "stops")), "what was started again can be told to stop"


def test_input_that_the_app_does_not_check_is_said(tmp_path: Path, matrix_image: str) -> None:
    report = plant("unchecked", Fault("refuses", (), requests=4), tmp_path, matrix_image)
    found = check(report, "refuses")
    assert found.status == "passed", text(found)
    assert "but is not refused" in found.summary
    assert "status 500" in found.summary
    assert "400 or 422" in (found.hint or "")


@pytest.fixture(scope="module")
def reports(matrix_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[VerifyReport]]]:
    """Every fault, several at once: they wait more than they compute. What bounds waiting is made short."""
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(AT_ONCE) as pool:
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")  # py-spy is there
        patch.setattr("mlpack.verify.checks.every_worker.LEAST_S", 4.0)
        patch.setattr("mlpack.verify.checks.every_worker.MISSING_S", 2.0)
        patch.setattr("mlpack.verify.checks.recovers.MISSING_S", 3.0)
        patch.setattr("mlpack.verify.restarted.GONE_S", 3.0)
        patch.setattr("mlpack.verify.checks.refuses.LEAST_S", 2.0)
        patch.setattr("mlpack.verify.checks.ready.MARGIN_S", 3.0)
        patch.setattr("mlpack.verify.checks.starts.LEAST_TIMEOUT_S", 3.0)
        patch.setattr("mlpack.verify.checks.starts.PATIENCE", 0.6)
        patch.setattr("mlpack.verify.busy.BUSY_SHARE", 2.0)  # the other faults are the other work
        hold = "import mmap, time; f = open('/opt/hand/weights.mapped', 'rb'); m = mmap.mmap(f.fileno(), 0, "
        hold += "access=mmap.ACCESS_READ); sum(m[::4096]); time.sleep(3600)"
        other = run(["docker", "run", "--detach", "--rm", matrix_image, "python3", "-c", hold]).stdout.strip()
        try:
            yield {
                name: pool.submit(plant, name, fault, tmp_path_factory.mktemp("fault"), matrix_image)
                for name, fault in FAULTS.items()
            }
        finally:
            run(["docker", "rm", "--force", other])


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_and_named(name: str, reports: dict[str, Future[VerifyReport]]) -> None:
    fault, report = FAULTS[name], reports[name].result()
    failed = [result.name for result in report.checks if result.status == "failed"]
    assert failed == [fault.failing], [(r.name, r.status, text(r)) for r in report.checks if r.status != "skipped"]
    result = check(report, fault.failing)
    for word in fault.says:
        assert word in text(result), text(result)
    assert result.hint
    assert result.cause == fault.kind
    assert tuple(patch.path for patch in result.patches) == fault.patches
    assert check(report, "teardown").status == "passed"


def test_every_kind_is_another_one() -> None:
    """At least 25 kinds by the check that finds them and the cause that it names."""
    assert len({(fault.failing, fault.kind) for fault in FAULTS.values()}) >= 25


def test_nothing_is_left_of_any(reports: dict[str, Future[VerifyReport]], nothing_left: Look) -> None:
    for report in reports.values():
        report.result()
    assert nothing_left() == ()

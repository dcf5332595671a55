"""verify with local processes, for real: no engine needed, and nothing left behind, whatever ends it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from tests.e2e.children import finish, left_here, verifying, wait_for
from tests.verify import hand
from tests.verify.conftest import make_fake_project

from mlpack.errors import VerifyError
from mlpack.launchers import LAUNCHERS
from mlpack.launchers.owner import current_owner
from mlpack.lock import Lock
from mlpack.plan import ServicePlan
from mlpack.report import CheckResult, VerifyReport
from mlpack.spec import Verify
from mlpack.units import MIB
from mlpack.verify import verify

pytestmark = pytest.mark.slow

PYTHON = Path(sys.executable)


def lock_of(mode: str = "ok", *, requests: int = 20, service: ServicePlan | None = None) -> Lock:
    """A lock for the stand-in, which needs some 20 MiB."""
    memory = hand.memory_plan(128 * MIB, peak_bytes=120 * MIB, lower_bytes=4 * MIB)
    made = service or hand.service_plan(
        memory=memory, environment={"MODE": mode}, footprint_source="estimated", start_period_s=30
    )
    return hand.lock(hand.plan(made, hand.spec(verify=Verify(requests=requests))))


def check(report: VerifyReport, name: str) -> CheckResult:
    """The result of check ``name``."""
    return next(result for result in report.checks if result.name == name)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> VerifyReport:
    """A right service, verified once."""
    root = make_fake_project(tmp_path_factory.mktemp("right"))
    return verify(root, lock_of(), launcher="process", python=PYTHON, host=hand.host())


def test_a_right_service_passes(right: VerifyReport) -> None:
    report = right
    assert [(r.name, r.summary) for r in report.checks if r.status == "failed"] == []
    assert report.launcher == "process"
    assert "web-1: 2 of 2 workers" in check(report, "every_worker").evidence[0]
    assert report.load is not None
    assert (report.load.requests, report.load.errors) == (20, 0)
    hung = "web-1: its server replaces a worker that hangs after 10 s; not tried: would take up to 15 s"
    assert any(line.startswith(hung) for line in check(report, "recovers").evidence)
    assert any("read-only root" in line for line in report.not_limited)
    assert left_here(os.getpid()) == []


def test_the_planned_limit_holds_or_it_is_said_that_it_does_not(right: VerifyReport) -> None:
    report = right
    said = [line for line in report.not_limited if line.startswith("memory")]
    planned = "\n".join(check(report, "planned").evidence)
    if said:
        assert ":" in said[0], "the reason is missing"
        assert check(report, "memory").status == "not_proven"
    else:
        assert "web-1: memory limit 128 MiB" in planned


def test_a_crash_is_named(fake_project: Path) -> None:
    report = verify(fake_project, lock_of("crash"), launcher="process", python=PYTHON, host=hand.host())
    result = check(report, "ready")
    assert result.status == "failed"
    assert "ValueError: the weights are corrupt" in result.summary
    after = [r for r in report.checks if r.name not in ("builds", "starts", "ready", "oom_kills", "teardown")]
    assert {r.status for r in after} == {"skipped"}
    assert left_here(os.getpid()) == []


ACCIDENTS: dict[str, tuple[str, str, str]] = {
    "gone": ("recovers", "gone", "1 of 2 workers live"),
    "fragile": ("refuses", "worker-lost", "broken input ended"),
    "green": ("health_hung", "health-green-when-hung", "while all of its 2 workers are frozen"),
    "leak": ("growth", "leak", "of every request"),
    "deaf": ("stops", "no-graceful-stop", "did not stop within its grace period of 2 s"),
}
"""MODE of the stand-in -> the check that must fail, the kind, and what it says."""


@pytest.mark.parametrize("mode", ACCIDENTS)
def test_a_fault_that_only_an_accident_shows(mode: str, fake_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing, kind, says = ACCIDENTS[mode]
    monkeypatch.setattr("mlpack.verify.checks.recovers.MISSING_S", 2.0)
    lock = lock_of(mode)
    if mode == "deaf":  # what is waited for in vain
        monkeypatch.setattr("mlpack.verify.checks.stops.MARGIN_S", 1.0)
        monkeypatch.setattr("mlpack.launchers.process.STOP_GRACE_S", 1.0)
        web = lock.plan.services["web"]
        times = web.times.model_copy(update={"stop_grace_s": hand.d(2)})
        lock = lock_of(service=web.model_copy(update={"times": times}))
    skip = () if mode == "leak" else ("growth",)
    report = verify(fake_project, lock, launcher="process", python=PYTHON, host=hand.host(), skip=skip)
    failed = [result.name for result in report.checks if result.status == "failed"]
    assert failed == [failing], [(r.name, r.summary) for r in report.checks if r.status == "failed"]
    result = check(report, failing)
    assert says in result.summary
    assert result.cause == kind
    assert result.hint
    if mode == "leak":
        (patch,) = result.patches
        assert patch.path == "services.web.recycle"
        assert isinstance(patch.after, int)
        assert patch.after > 0
    assert left_here(os.getpid()) == []


def test_no_python_says_how(fake_project: Path) -> None:
    with pytest.raises(VerifyError, match="no Python with the app's packages") as caught:
        verify(fake_project, lock_of(), launcher="process", host=hand.host())
    assert "--python" in (caught.value.hint or "")


def test_a_missing_server_is_a_failed_check(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise ImportError('not here')\n")  # found before the tests' own
    lock = lock_of(service=hand.service_plan(server="uvicorn"))
    report = verify(tmp_path, lock, launcher="process", python=PYTHON, host=hand.host())
    result = check(report, "builds")
    assert result.status == "failed"
    assert "cannot import uvicorn" in result.summary
    assert "requirements" in (result.hint or "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("stage", "mode"), [("ready ...", "never"), ("load: 100000", "ok")], ids=["ready", "load"])
def test_a_signal_ends_it_cleanly(stage: str, mode: str, number: signal.Signals, fake_project: Path) -> None:
    with verifying(fake_project, lock_of(mode, requests=100_000), "process") as child:
        wait_for(child, stage)
        child.send_signal(number)
        assert finish(child) == 130
        assert left_here(child.pid) == []


def test_kill_9_ends_the_services_too(fake_project: Path) -> None:
    with verifying(fake_project, lock_of("never"), "process") as child:
        wait_for(child, "ready ...")
        before = left_here(child.pid)
        groups = [Path(line) for line in before if line.startswith("/sys/")]
        assert any(line.startswith("process") for line in before)
        child.kill()
        finish(child)
        LAUNCHERS["process"].sweep(current_owner(), os.environ, lambda _: None)
        assert [group for group in groups if group.exists()] == []
        assert left_here(child.pid) == []

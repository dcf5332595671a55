"""verify with local processes, for real: no engine needed, and nothing left behind, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.verify import hand

from mlpack.errors import VerifyError
from mlpack.launchers import LAUNCHERS
from mlpack.launchers.owner import VARIABLE, current_owner
from mlpack.lock import Lock
from mlpack.plan import ServicePlan
from mlpack.report import CheckResult, VerifyReport
from mlpack.spec import Verify
from mlpack.units import MIB
from mlpack.verify import verify

CHILD = Path(__file__).parent.parent / "e2e" / "verify_child.py"
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


def left(pid: int) -> list[str]:
    """Processes and folders of the run of process ``pid`` that still are."""
    mark = f" pid={pid} "
    found = []
    for process in psutil.process_iter():
        try:
            if mark in process.environ().get(VARIABLE, ""):
                found.append(f"process {process.pid} {process.cmdline()}")
        except psutil.Error:
            continue
    owners = Path(tempfile.gettempdir()).glob("mlpack-verify-*/owner")
    mine = [owner.parent for owner in owners if mark in owner.read_text(encoding="utf-8")]
    groups = [
        line for folder in mine if (folder / "groups").exists() for line in (folder / "groups").read_text().splitlines()
    ]
    return found + [str(folder) for folder in mine] + [line for line in groups if Path(line.strip()).exists()]


def test_a_right_service_passes(fake_project: Path) -> None:
    report = verify(fake_project, lock_of(), launcher="process", python=PYTHON, host=hand.host())
    assert [(r.name, r.summary) for r in report.checks if r.status == "failed"] == []
    assert report.launcher == "process"
    assert "web-1: 2 of 2 workers" in check(report, "every_worker").evidence[0]
    assert report.load is not None
    assert (report.load.requests, report.load.errors) == (20, 0)
    assert any("read-only root" in line for line in report.not_limited)
    assert left(os.getpid()) == []


def test_the_planned_limit_holds_or_it_is_said_that_it_does_not(fake_project: Path) -> None:
    report = verify(fake_project, lock_of(), launcher="process", python=PYTHON, host=hand.host())
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
    assert [r.status for r in report.checks].count("skipped") == 5
    assert left(os.getpid()) == []


def test_no_python_says_how(fake_project: Path) -> None:
    with pytest.raises(VerifyError, match="no Python with the app's packages") as caught:
        verify(fake_project, lock_of(), launcher="process", host=hand.host())
    assert "--python" in (caught.value.hint or "")


def test_a_missing_server_is_a_failed_check(tmp_path: Path) -> None:
    lock = lock_of(service=hand.service_plan(server="celery"))  # not among the packages of the tests
    report = verify(tmp_path, lock, launcher="process", python=PYTHON, host=hand.host())
    result = check(report, "builds")
    assert result.status == "failed"
    assert "cannot import celery" in result.summary
    assert "requirements" in (result.hint or "")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Path, Lock], subprocess.Popen[str]]]:
    """Starts a verifying child; one that a failed test leaves is killed."""
    children: list[subprocess.Popen[str]] = []

    def go(root: Path, lock: Lock) -> subprocess.Popen[str]:
        file = tmp_path / "lock.json"
        file.write_text(lock.to_json(), encoding="utf-8")
        argv = [sys.executable, str(CHILD), str(root), str(file), "process", sys.executable]
        children.append(subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True))
        return children[-1]

    yield go
    for child in children:
        if child.poll() is None:
            child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def wait_for(child: subprocess.Popen[str], words: str) -> None:
    """Read the child's progress until a line holds ``words``."""
    assert child.stdout is not None
    seen = []
    for line in child.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} never came; it said:\n{''.join(seen)}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("stage", "mode"), [("ready ...", "never"), ("load: 100000", "ok")], ids=["ready", "load"])
def test_a_signal_ends_it_cleanly(
    stage: str,
    mode: str,
    number: signal.Signals,
    fake_project: Path,
    start: Callable[[Path, Lock], subprocess.Popen[str]],
) -> None:
    child = start(fake_project, lock_of(mode, requests=100_000))
    wait_for(child, stage)
    child.send_signal(number)
    assert child.wait(60) == 130
    assert left(child.pid) == []


def test_kill_9_ends_the_services_too(fake_project: Path, start: Callable[[Path, Lock], subprocess.Popen[str]]) -> None:
    child = start(fake_project, lock_of("never"))
    wait_for(child, "ready ...")
    before = left(child.pid)
    groups = [Path(line.strip()) for line in before if line.startswith("/sys/")]
    assert any(line.startswith("process") for line in before)
    child.kill()
    child.wait()
    LAUNCHERS["process"].sweep(current_owner(), os.environ, lambda _: None)
    assert [group for group in groups if group.exists()] == []
    assert left(child.pid) == []

"""The engine's own ways to fail, and an engine that is somewhere else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.verify import hand

from mlpack.errors import ExitCode, TransientError, UsageError, VerifyError
from mlpack.launchers.container import Container
from mlpack.launchers.image_files import image_ids
from mlpack.lock import Lock
from mlpack.report import CheckResult, VerifyReport
from mlpack.units import MIB
from mlpack.verify import verify

Project = Callable[..., Path]
NO_ENGINE = {"PATH": os.environ["PATH"], "DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def check(report: VerifyReport, name: str) -> CheckResult:
    """The result of check ``name``."""
    return next(result for result in report.checks if result.name == name)


def text(result: CheckResult) -> str:
    """Everything a result says."""
    return "\n".join((result.summary, *result.evidence, result.hint or ""))


def lock_of() -> Lock:
    """A lock for the matrix app."""
    memory = hand.memory_plan(128 * MIB, peak_bytes=36 * MIB)
    return hand.lock(hand.plan(hand.service_plan(memory=memory, start_period_s=10)))


def test_an_engine_that_is_down_is_transient_and_names_the_other_way(tmp_path: Path) -> None:
    with pytest.raises(TransientError) as caught:
        verify(tmp_path, lock_of(), launcher="compose", environ=NO_ENGINE, host=hand.host())
    assert caught.value.exit_code is ExitCode.TRANSIENT
    assert "--launcher process" in (caught.value.hint or "")


def test_without_an_engine_local_processes_are_used_aloud(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(VerifyError, match="no Python with the app's packages"):
        verify(tmp_path, lock_of(), environ=NO_ENGINE, host=hand.host(), progress=said.append)
    assert any("using the process launcher" in line for line in said)


def test_an_unknown_launcher_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        verify(tmp_path, lock_of(), launcher="kubernetes", host=hand.host())
    assert "compose, process" in (caught.value.hint or "")


@pytest.mark.engine
def test_nothing_rendered(tmp_path: Path) -> None:
    with pytest.raises(VerifyError) as caught:
        verify(tmp_path, lock_of(), launcher="compose", host=hand.host())
    assert "mlpack render" in (caught.value.hint or "")


@pytest.mark.engine
@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("RUN echo about to fail && exit 7", ["RUN echo about to fail", "about to fail", "exit code: 7"]),
        ("RUN python3 -m pip install --no-index nonsense==9", ["No matching distribution", "build.wheelhouse"]),
        ("COPY missing.txt ./", ["COPY missing.txt"]),
    ],
    ids=["step", "pip", "copy"],
)
def test_a_build_that_fails_names_its_step(step: str, says: list[str], project: Project, tmp_path: Path) -> None:
    root = project(build={"context": str(tmp_path)}, image="mlpack-e2e-build:latest")
    (root / "Dockerfile").write_text(f"FROM python:3.11-slim-bookworm\n{step}\n", encoding="utf-8")
    report = verify(root, lock_of(), launcher="compose", host=hand.host())
    result = check(report, "builds")
    assert result.status == "failed"
    for word in says:
        assert word in text(result), text(result)
    assert {r.status for r in report.checks if r.name not in ("builds", "teardown")} == {"skipped"}


@pytest.mark.engine
def test_images_of_earlier_builds_do_not_pile_up(project: Project, tmp_path: Path) -> None:
    root = project(build={"context": str(tmp_path)}, image="mlpack-e2e-build:latest", command=["true"])
    idents = []
    for change in ("one", "two"):
        lines = f"FROM python:3.11-slim-bookworm\nLABEL change={change}\nRUN echo {change} > /change\n"
        (root / "Dockerfile").write_text(lines, encoding="utf-8")
        verify(root, lock_of(), launcher="compose", host=hand.host())
        idents.append(image_ids(["mlpack-e2e-build:mlpack-verify"], os.environ)["mlpack-e2e-build:mlpack-verify"])
    assert idents[0] != idents[1]
    assert image_ids(idents, os.environ) == {idents[1]: idents[1]}


@pytest.mark.engine
def test_a_compose_file_that_compose_refuses(project: Project) -> None:
    report = verify(project(nonsense_key=1), lock_of(), launcher="compose", host=hand.host())
    assert "nonsense_key" in text(check(report, "builds"))


@pytest.mark.engine
def test_a_build_for_another_processor(project: Project, tmp_path: Path) -> None:
    """With a registry the build would fail in RUN (no emulation), without one at the base image: both name it."""
    root = project(build={"context": str(tmp_path)}, image="mlpack-e2e-build:latest", platform="linux/s390x")
    (root / "Dockerfile").write_text("FROM python:3.11-slim-bookworm\nRUN true\n", encoding="utf-8")
    try:
        hint = check(verify(root, lock_of(), launcher="compose", host=hand.host()), "builds").hint
    except TransientError as error:
        hint = error.hint
    assert "build.platform" in (hint or "")


@pytest.mark.engine
def test_an_image_that_cannot_be_pulled_is_transient(project: Project) -> None:
    root = project(image="127.0.0.1:9/nobody/nothing:1")  # the discard port: nobody listens
    with pytest.raises(TransientError) as caught:
        verify(root, lock_of(), launcher="compose", host=hand.host())
    assert "pulled" in caught.value.what


@pytest.mark.engine
def test_a_program_that_is_not_in_the_image(project: Project) -> None:
    report = verify(project(command=["no-such-server"]), lock_of(), launcher="compose", host=hand.host())
    result = next(result for result in report.checks if result.status == "failed")
    assert "no-such-server" in text(result)
    assert result.hint


@pytest.mark.engine
def test_an_engine_elsewhere_is_read_by_exec(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Container, "root_pid", None)  # as with an engine in a VM: its pids are not ours
    monkeypatch.setattr("mlpack.verify.checks.every_worker.LEAST_S", 60.0)
    report = verify(project(), lock_of(), launcher="compose", host=hand.host())
    assert [(r.name, r.summary) for r in report.checks if r.status == "failed"] == [], report.to_json()
    assert any("docker exec" in line for line in check(report, "starts").evidence)
    assert "2 of 2 workers" in text(check(report, "every_worker"))
    assert "memory limit 128 MiB" in text(check(report, "planned"))
    (web,) = report.services
    assert web.peak_anonymous_bytes > 15 * MIB
    assert web.peak_mapped_bytes > 1 * MIB

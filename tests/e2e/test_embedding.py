"""The main job for real: the embedding example, rendered here, built, started and verified in a container."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from mlpack.flow import gather, output_folder, produce
from mlpack.launchers import engine
from mlpack.lock import Lock
from mlpack.probe import probe
from mlpack.process import run
from mlpack.report import CheckResult, VerifyReport
from mlpack.verify import verify
from mlpack.write import world_for_render, write

pytestmark = pytest.mark.engine
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "embedding"
PROFILES = ("prod",)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Lock]:
    """A copy of the example, measured on this machine and rendered for it."""
    root = tmp_path_factory.mktemp("embedding") / "project"
    assert (EXAMPLE / "weights").is_dir(), "run examples/embedding/fetch_weights.py first"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".venv", "deploy", "__pycache__"))
    (root / "footprint.json").unlink()  # the committed one is of another machine
    python = EXAMPLE / ".venv" / "bin" / "python"
    run([sys.executable, "-m", "mlpack", "estimate", "--measure", "-C", str(root), "--python", str(python)])
    gathered = gather(root, PROFILES)
    world, _ = world_for_render(
        None, gathered.spec.models, gathered.present, probed=lambda: probe(root), reprobe=False, host=None
    )
    made = produce(gathered, world)
    write(output_folder(root, PROFILES), None, made.lock, made.artifacts)
    return root, made.lock


@pytest.fixture(scope="module")
def report(rendered: tuple[Path, Lock]) -> VerifyReport:
    """The one verification that all tests of this module look at."""
    root, lock = rendered
    return verify(root, lock, launcher="compose", progress=print)


def check(report: VerifyReport, name: str) -> CheckResult:
    """The result of check ``name``."""
    return next(result for result in report.checks if result.name == name)


def test_nothing_fails_and_nothing_is_left_out(report: VerifyReport) -> None:
    unwanted = [(r.name, r.status, r.summary) for r in report.checks if r.status in ("failed", "skipped")]
    assert unwanted == []
    for result in report.checks:
        # on a machine busy with other work, or with another container of the same image, the report says so
        if result.status == "not_proven":
            assert "this machine was busy" in result.summary or "cached by others" in result.summary, result
    assert report.launcher == "compose"
    assert report.not_limited == ()


def test_every_worker_has_answered(rendered: tuple[Path, Lock], report: VerifyReport) -> None:
    workers = rendered[1].plan.services["web"].workers.value
    assert f"{workers} of {workers} workers" in check(report, "every_worker").evidence[0]


def test_the_known_answers_came(report: VerifyReport) -> None:
    lines = [line.partition(" (")[0] for line in check(report, "answers").evidence]
    assert lines == ["vectors: as expected", "order: as expected", "long: as expected"]


def test_the_load_is_twice_the_plan(rendered: tuple[Path, Lock], report: VerifyReport) -> None:
    web = rendered[1].plan.services["web"]
    assert report.load is not None
    assert report.load.errors == 0
    assert 10 * report.load.concurrency <= report.load.requests <= 200  # fewer than 200 where they are slow
    assert report.load.concurrency == 2 * web.workers.value * web.concurrency.value


def test_memory_is_within_limit_and_prediction(rendered: tuple[Path, Lock], report: VerifyReport) -> None:
    (web,) = report.services
    assert web.oom_kills == 0
    assert rendered[1].plan.services["web"].footprint_source == "measured"
    assert web.predicted_bytes == rendered[1].plan.services["web"].memory.peak_bytes
    assert 0.85 * web.predicted_bytes <= web.peak_need_bytes <= min(1.15 * web.predicted_bytes, web.limit_bytes)
    assert web.refault_bytes is not None
    assert web.refault_bytes / web.requests <= 0.01 * web.peak_mapped_bytes
    assert web.samples
    assert any("of the prediction, allowed" in line for line in check(report, "memory").evidence)


def test_the_report_survives_its_json(report: VerifyReport) -> None:
    assert VerifyReport.model_validate_json(report.to_json()) == report


def test_the_engine_has_nothing_of_it(report: VerifyReport) -> None:
    assert check(report, "teardown").status == "passed"
    assert [found for found in engine.labelled(os.environ) if f" pid={os.getpid()} " in found.label] == []

"""``mlpack verify`` shows the report and keeps it, beside the rendered files or where it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.commands.conftest import Command

from mlpack.commands import verify as command
from mlpack.report import CheckResult, VerifyReport

HOST = Path(__file__).parent.parent / "hosts" / "ci-2c-24g.json"


@pytest.mark.parametrize("outcome", [("passed", 0), ("failed", 1)])
def test_the_report_is_shown_and_kept(
    mlpack: Command,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: tuple[str, int],
) -> None:
    status, code = outcome
    assert mlpack("render", "prod", "--host", str(HOST)).returncode == 0
    check = CheckResult.model_validate({"name": "answers", "status": status, "summary": "asked"})
    made = VerifyReport(project="tiny", profiles=("prod",), launcher="process", checks=(check,))
    monkeypatch.setattr(command, "verify", lambda *_, **__: made)
    assert command.verify_command(project, ("prod",), "auto", None, (), as_json=False) == code
    assert status.upper() in capsys.readouterr().out
    assert VerifyReport.model_validate_json((project / "deploy/prod/verify.json").read_text()) == made
    assert mlpack("render", "prod", "--check").returncode == 0, "the report is not a rendered file"

    elsewhere = project / "report.json"
    command.verify_command(project, ("prod",), "auto", None, (elsewhere,), as_json=True)
    assert VerifyReport.model_validate_json(elsewhere.read_text()) == made


def test_without_the_planned_card_the_exit_code_is_its_own(
    mlpack: Command, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mlpack("render", "prod", "--host", str(HOST)).returncode == 0
    built = CheckResult(name="builds", status="passed", summary="built")
    cards = CheckResult(name="cards", status="not_proven", summary="no NVIDIA card")
    made = VerifyReport(project="tiny", profiles=("prod",), launcher="compose", checks=(built, cards))
    monkeypatch.setattr(command, "verify", lambda *_, **__: made)
    assert command.verify_command(project, ("prod",), "auto", None, (), as_json=False) == 4
    assert capsys.readouterr().out.startswith("NOT PROVEN")


def test_a_plan_for_a_card_is_rendered_and_current(mlpack: Command, project: Path) -> None:
    """plan, render and --check for a recorded machine with an A10G; the processor's deployment has no such file."""
    card = HOST.parent / "a10g.json"
    newest = mlpack("plan", "prod", "gpu", "--host", str(card))
    assert newest.returncode == 1
    assert "torch brings CUDA 13.0, driver 570.133.20 ends at CUDA 12.8" in newest.stderr
    (project / "requirements.txt").write_text("torch==2.9.1\ntransformers>=5\n")
    planned = mlpack("plan", "prod", "gpu", "--host", str(card))
    assert planned.returncode == 0, planned.stderr
    assert "Memory of one worker of web on its card" in planned.stdout
    assert "GPU-6f1c1c1e-0000-4000-8000-00000000a10a" in planned.stdout
    assert mlpack("render", "prod", "gpu", "--host", str(card)).returncode == 0
    override = (project / "deploy/prod-gpu/compose.gpu.yaml").read_text()
    assert "device_ids: [GPU-6f1c1c1e-0000-4000-8000-00000000a10a]" in override
    assert mlpack("render", "prod", "gpu", "--check").returncode == 0
    refused = mlpack("plan", "prod", "gpu", "--host", str(HOST))
    assert refused.returncode == 1
    assert "this host has no NVIDIA card" in refused.stderr
